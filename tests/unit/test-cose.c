/* SPDX-License-Identifier: BSD-2-Clause */

/* ctap/cose.c: which algorithms there are, and how their keys look. */

#include "ctap/cose.h"
#include "tests/unit/hex.h"
#include "tests/unit/test.h"

#define P256 (1u << CTAP_KEY_P256)
#define P384 (1u << CTAP_KEY_P384)
#define RSA  (1u << CTAP_KEY_RSA2048)
#define ALL  (P256 | P384 | RSA)

static struct ctap_public_key some_key(enum ctap_key_type type) {
        struct ctap_public_key key = { .type = type };

        memset(key.x, 0x11, sizeof(key.x));
        memset(key.y, 0x22, sizeof(key.y));
        key.x[0] = 0;
        if (type == CTAP_KEY_RSA2048)
                memset(key.modulus, 0xc3, sizeof(key.modulus));
        return key;
}

static void an_algorithm_is_found_if_the_device_offers_its_key(void **state) {
        static const struct {
                int64_t id;
                enum ctap_key_type type;
        } known[] = {
                { -7, CTAP_KEY_P256 },  { -9, CTAP_KEY_P256 },      { -35, CTAP_KEY_P384 },
                { -51, CTAP_KEY_P384 }, { -257, CTAP_KEY_RSA2048 },
        };

        (void)state;
        for (size_t i = 0; i < ELEMENTSOF(known); i++) {
                const struct ctap_cose *alg = ctap_cose_find(known[i].id, ALL);

                assert_non_null(alg);
                assert_int_equal(alg->id, known[i].id);
                assert_int_equal(alg->type, known[i].type);
                assert_ptr_equal(ctap_cose_find(known[i].id, 1u << known[i].type), alg);
                assert_null(ctap_cose_find(known[i].id, ALL & ~(1u << known[i].type)));
                assert_null(ctap_cose_find(known[i].id, 0));
        }
}

static void MC3_other_algorithms_are_not_known(void **state) {
        static const int64_t others[] = { 0, 7, -8, -36, -37, -47, -48, -49, -50, -258, -259,
                                          -65535, INT64_MIN, INT64_MAX,
                                          /* -7 in the lower half alone */
                                          INT64_C(0x1fffffff9), -INT64_C(0x100000007) };

        (void)state;
        for (size_t i = 0; i < ELEMENTSOF(others); i++)
                assert_null(ctap_cose_find(others[i], ~0u));
}

static void GI3_only_the_ids_that_every_browser_knows_are_listed(void **state) {
        (void)state;
        assert_int_equal(ctap_cose_listed(0, ALL)->id, -7);
        assert_int_equal(ctap_cose_listed(1, ALL)->id, -35);
        assert_int_equal(ctap_cose_listed(2, ALL)->id, -257);
        assert_null(ctap_cose_listed(3, ALL));
        assert_int_equal(ctap_cose_listed(1, P256 | RSA)->id, -257);
        assert_int_equal(ctap_cose_listed(0, P256)->id, -7);
        assert_null(ctap_cose_listed(1, P256));
        assert_int_equal(ctap_cose_listed(0, P384)->id, -35);
        assert_null(ctap_cose_listed(0, 0));
}

static void B3_members_of_a_key_are_in_canonical_order(void **state) {
        struct ctap_public_key key = some_key(CTAP_KEY_P256);
        uint8_t storage[CTAP_COSE_KEY_MAX];
        struct buf out = BUF_ON(storage);
        struct cbor_writer w = { &out };

        (void)state;
        ctap_cose_put_key(&w, ctap_cose_find(-7, P256), &key);
        assert_int_equal(cbor_check(buf_bytes(&out)), CTAP_OK);
        assert_hex_equal(
                buf_bytes(&out),
                "a5 01 02 03 26 20 01"
                " 21 5820 0011111111111111111111111111111111111111111111111111111111111111"
                " 22 5820 2222222222222222222222222222222222222222222222222222222222222222");
}

static void B3_members_of_an_rsa_key_are_in_canonical_order(void **state) {
        struct ctap_public_key key = some_key(CTAP_KEY_RSA2048);
        uint8_t storage[CTAP_COSE_KEY_MAX];
        struct buf out = BUF_ON(storage);
        struct cbor_writer w = { &out };
        struct bytes left;

        (void)state;
        ctap_cose_put_key(&w, ctap_cose_find(-257, RSA), &key);
        assert_int_equal(buf_error(&out), 0);
        assert_int_equal(cbor_check(buf_bytes(&out)), CTAP_OK);
        assert_int_equal(out.len, CTAP_COSE_KEY_MAX);
        left = buf_bytes(&out);
        assert_hex_equal(BYTES(left.data, 11), "a4 01 03 03 390100 20 590100");
        assert_bytes_equal(BYTES(left.data + 11, 256), BYTES_OF(key.modulus));
        assert_hex_equal(BYTES(left.data + 267, left.len - 267), "21 43 010001");
}

static void MC3_only_rsa_is_a_last_resort(void **state) {
        static const int64_t ids[] = { -7, -9, -35, -51, -257 };

        (void)state;
        for (size_t i = 0; i < ELEMENTSOF(ids); i++)
                assert_int_equal(ctap_cose_find(ids[i], ALL)->last_resort, ids[i] == -257);
}

static void F7_a_key_carries_the_id_that_was_asked_for(void **state) {
        static const struct {
                int64_t id;
                const char *head;
                size_t len;
        } cases[] = {
                { -7, "a5 01 02 03 26   20 01 21 5820 00", 77 },
                { -9, "a5 01 02 03 28   20 01 21 5820 00", 77 },
                { -35, "a5 01 02 03 3822 20 02 21 5830 00", 110 },
                { -51, "a5 01 02 03 3832 20 02 21 5830 00", 110 },
                { -257, "a4 01 03 03 390100 20 590100 c3", CTAP_COSE_KEY_MAX },
        };

        (void)state;
        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                _cleanup_(release) struct bytes head = unhex(cases[i].head);
                const struct ctap_cose *alg = ctap_cose_find(cases[i].id, ALL);
                struct ctap_public_key key = some_key(alg->type);
                uint8_t storage[CTAP_COSE_KEY_MAX];
                struct buf out = BUF_ON(storage);
                struct cbor_writer w = { &out };

                ctap_cose_put_key(&w, alg, &key);
                assert_int_equal(cbor_check(buf_bytes(&out)), CTAP_OK);
                assert_int_equal(buf_bytes(&out).len, cases[i].len);
                assert_memory_equal(out.data, head.data, head.len);
        }
}

static void each_key_signs_its_own_hash(void **state) {
        const struct bytes abc[] = { BYTES_TEXT("ab"), BYTES_TEXT("c") };
        struct ctap_digest d;

        (void)state;
        assert_int_equal(ctap_cose_hash(ctap_cose_find(-9, P256), abc, ELEMENTSOF(abc), &d), 0);
        assert_hex_equal(ctap_digest_bytes(&d),
                         "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
        assert_int_equal(ctap_cose_hash(ctap_cose_find(-257, RSA), abc, ELEMENTSOF(abc), &d), 0);
        assert_hex_equal(ctap_digest_bytes(&d),
                         "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
        assert_int_equal(ctap_cose_hash(ctap_cose_find(-35, P384), abc, ELEMENTSOF(abc), &d), 0);
        assert_hex_equal(ctap_digest_bytes(&d),
                         "cb00753f45a35e8bb5a03d699ac65007272c32ab0eded1631a8b605a43ff5bed"
                         "8086072ba1e7cc2358baeca134c825a7");
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(an_algorithm_is_found_if_the_device_offers_its_key),
                cmocka_unit_test(MC3_other_algorithms_are_not_known),
                cmocka_unit_test(GI3_only_the_ids_that_every_browser_knows_are_listed),
                cmocka_unit_test(B3_members_of_a_key_are_in_canonical_order),
                cmocka_unit_test(B3_members_of_an_rsa_key_are_in_canonical_order),
                cmocka_unit_test(MC3_only_rsa_is_a_last_resort),
                cmocka_unit_test(F7_a_key_carries_the_id_that_was_asked_for),
                cmocka_unit_test(each_key_signs_its_own_hash),
        };

        return cmocka_run_group_tests_name("cose", tests, NULL, NULL);
}
