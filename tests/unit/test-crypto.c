/* SPDX-License-Identifier: BSD-2-Clause */

/* ctap/crypto.c: published vectors, and that nothing changed passes. */

#include <errno.h>

#include "ctap/crypto.h"
#include "tests/unit/hex.h"
#include "tests/unit/test.h"

static void digests_are_over_all_parts(void **state) {
        const struct bytes parts[] = { BYTES_TEXT("a"), BYTES_NULL, BYTES_TEXT("bc") };
        struct sha256 d256;
        struct sha384 d384;

        (void)state;
        assert_int_equal(ctap_sha256(parts, ELEMENTSOF(parts), &d256), 0);
        assert_hex_equal(BYTES_OF(d256),
                         "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
        assert_int_equal(ctap_sha384(parts, ELEMENTSOF(parts), &d384), 0);
        assert_hex_equal(BYTES_OF(d384),
                         "cb00753f45a35e8bb5a03d699ac65007272c32ab0eded1631a8b605a43ff5bed"
                         "8086072ba1e7cc2358baeca134c825a7");
        assert_int_equal(ctap_sha256(NULL, 0, &d256), 0);
        assert_hex_equal(BYTES_OF(d256),
                         "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
}

/* RFC 4231 case 2: a short key is padded with zeros, so it is the same as this one. */
static void hmac_matches_its_vector(void **state) {
        static const struct secret32 key = { "Jefe" };
        struct sha256 mac;

        (void)state;
        assert_int_equal(ctap_hmac_sha256(&key, BYTES_TEXT("what do ya want for nothing?"), &mac),
                         0);
        assert_hex_equal(BYTES_OF(mac),
                         "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
}

static void hkdf_makes_one_key_per_use(void **state) {
        struct secret32 key, a, b;

        (void)state;
        for (uint8_t i = 0; i < sizeof(key.b); i++)
                key.b[i] = i;
        assert_int_equal(ctap_hkdf_sha256(&key, "a use", &a), 0);
        assert_hex_equal(BYTES_OF(a),
                         "c6b2f5bbea2f2b9e73c0cf8a085bcae022a824eb7ba5accfd2568d37ff2f5cc4");
        assert_int_equal(ctap_hkdf_sha256(&key, "b use", &b), 0);
        assert_false(bytes_equal(BYTES_OF(a), BYTES_OF(b)));
}

/* NIST SP 800-38A F.2.1, the first block. */
static void cbc_matches_its_vector(void **state) {
        static const struct secret32 key = { "\x2b\x7e\x15\x16\x28\xae\xd2\xa6"
                                             "\xab\xf7\x15\x88\x09\xcf\x4f\x3c"
                                             "not looked at" };
        static const struct ctap_block plain = { "\x6b\xc1\xbe\xe2\x2e\x40\x9f\x96"
                                                 "\xe9\x3d\x7e\x11\x73\x93\x17\x2a" };
        struct ctap_block iv, cipher;

        (void)state;
        for (uint8_t i = 0; i < sizeof(iv.b); i++)
                iv.b[i] = i;
        assert_int_equal(ctap_cbc_encrypt_block(&key, &iv, &plain, &cipher), 0);
        assert_hex_equal(BYTES_OF(cipher), "7649abac8119b246cee98e9b12e9197d");
}

/* The Galois/Counter Mode of Operation, test cases 13 and 14. */
static void gcm_matches_its_vectors(void **state) {
        static const struct secret32 key;
        static const struct ctap_gcm_nonce nonce;
        static const uint8_t zeros[16];
        uint8_t storage[32];
        struct buf none = BUF_ON(storage);

        (void)state;
        assert_int_equal(ctap_gcm_seal(&key, &nonce, BYTES_NULL, BYTES_NULL, &none), 0);
        assert_hex_equal(buf_bytes(&none), "530f8afbc74536b9a963b4f1c4cb738b");

        none.len = 0;
        assert_int_equal(ctap_gcm_seal(&key, &nonce, BYTES_NULL, BYTES_OF(zeros), &none), 0);
        assert_hex_equal(buf_bytes(&none), "cea7403d4d606b6e074ec5d3baf39d18"
                                           "d0d1c8a799996bf0265b98b5d48ab919");
}

static void gcm_opens_only_what_was_sealed(void **state) {
        static const struct secret32 key = { "a key" };
        static const struct ctap_gcm_nonce nonce = { "a nonce" }, other = { "another" };
        struct bytes aad = BYTES_TEXT("bound"), text = BYTES_TEXT("hello");
        uint8_t sealed[32], opened[8];
        struct buf s = BUF_ON(sealed), o = BUF_ON(opened);

        (void)state;
        assert_int_equal(ctap_gcm_seal(&key, &nonce, aad, text, &s), 0);
        assert_int_equal(ctap_gcm_open(&key, &nonce, aad, buf_bytes(&s), &o), 0);
        assert_bytes_equal(buf_bytes(&o), text);

        o.len = 0;
        for (size_t i = 0; i < s.len * 8; i++) {
                sealed[i / 8] ^= (uint8_t)(1 << i % 8);
                assert_int_equal(ctap_gcm_open(&key, &nonce, aad, buf_bytes(&s), &o), -EBADMSG);
                assert_int_equal(o.len, 0);
                sealed[i / 8] ^= (uint8_t)(1 << i % 8);
        }
        for (size_t n = 0; n < s.len; n++)
                assert_int_equal(ctap_gcm_open(&key, &nonce, aad, BYTES(sealed, n), &o), -EBADMSG);
        assert_int_equal(ctap_gcm_open(&key, &other, aad, buf_bytes(&s), &o), -EBADMSG);
        assert_int_equal(ctap_gcm_open(&key, &nonce, text, buf_bytes(&s), &o), -EBADMSG);
}

static void gcm_minds_the_room_there_is(void **state) {
        static const struct secret32 key = { "a key" };
        static const struct ctap_gcm_nonce nonce;
        uint8_t sealed[32], small[20], tiny[4];
        struct buf s = BUF_ON(sealed), no = BUF_ON(small), o = BUF_ON(tiny);

        (void)state;
        assert_int_equal(ctap_gcm_seal(&key, &nonce, BYTES_NULL, BYTES_TEXT("hello"), &no),
                         -EMSGSIZE);
        assert_int_equal(no.len, 0);
        assert_int_equal(ctap_gcm_seal(&key, &nonce, BYTES_NULL, BYTES_TEXT("hello"), &s), 0);
        assert_int_equal(ctap_gcm_open(&key, &nonce, BYTES_NULL, buf_bytes(&s), &o), -EMSGSIZE);
        assert_int_equal(o.len, 0);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(digests_are_over_all_parts),
                cmocka_unit_test(hmac_matches_its_vector),
                cmocka_unit_test(hkdf_makes_one_key_per_use),
                cmocka_unit_test(cbc_matches_its_vector),
                cmocka_unit_test(gcm_matches_its_vectors),
                cmocka_unit_test(gcm_opens_only_what_was_sealed),
                cmocka_unit_test(gcm_minds_the_room_there_is),
        };

        return cmocka_run_group_tests_name("crypto", tests, NULL, NULL);
}
