/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * ctap/pin-protocol.c: known answers, computed with another implementation from fixed keys, and keys
 * and ciphertexts that are not what they should be.
 */

#include <errno.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/hmac.h>
#include <openssl/param_build.h>
#include <stdio.h>
#include <string.h>

#include "ctap/pin-protocol.h"
#include "tests/fake/diag.h"
#include "tests/unit/hex.h"
#include "tests/unit/test.h"

/* The authenticator's key pair, the platform's public key, and what comes of them. */
#define OUR_D   "e58856297f437893e165f75019f0ac7bd9f80ceb880e5a7bad9c78d4fefd32d1"
#define OUR_X   "a83d0f32d34a9777a22343f8ab47f6f3f96925bb1d247b48167de6fab3ef865d"
#define OUR_Y   "d488b43cd2aaddd5e526e79fba45207b1a8667538e03b34285f82d5dd78c2822"
#define HER_X   "f6882701b492e3e25ab005bc12168ecba2bcb0d0e645911e19a78cc735067e80"
#define HER_Y   "00b25c7137cb2dcfb0d7f5b83314485e64ed592f648934d2198d80ac0275b73b"
#define ONE     "facbb4a60f177e7316c07adad846fda74334fb589dc76863dcb0cb15caeb64be"
#define TWO_MAC "08fd3c518a188d6b5ab2a3b0f5b000e3c5daac5fb612fb090dd0db1d38c6bccc"
#define TWO_AES "f6661d77d5be2ec844206ee374e1649a1afb61265e56f47d49ca4acc9f5c5086"
/* Another platform, with which the secret coordinate begins with a zero byte. */
#define ZERO_X   "fc249c41f999614c9aaf6aef119c22c1f602ba4ee1f8671adb37fd4530f257fe"
#define ZERO_Y   "1b8ac77d9f12f71899487d792d90c0cd5d085f49e4a2076678821b98824b4af9"
#define ZERO_ONE "bf75bfb7f267a0fe966f75b862e203c49fbbe170cf4f3674fb6b8c152e69c17c"
/* A pair whose own coordinate begins with a zero byte. */
#define SHORT_D "576610928df03a9d79f80f40951c15c04b3311c3295812b44d6f8a7e58fd5e2c"
#define SHORT_X "00d724b48f1f83249d093f31aeff729175e70e6f88896878e8ccfe49a9ab8cbc"
#define SHORT_Y "2146edebc05bd6011f4dd07825fc5aa419727bae633c35aefc295550e715027e"

#define PLAIN      "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"
#define IV         "f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff"
#define CIPHER_ONE "4c2689ca5a6eebf9255873498bf9ee3e2f573bacc90dd5244be53b093dad4c37"
#define CIPHER_TWO "282fc5be837b88b9297f946f88579e6ad7567c844ac278be020768c2afcee503"
#define MAC_ONE    "761df4473223e3e30472559737636675"
#define MAC_TWO    "61dd41a8d9c84183a539e85036ad29d206b2777c84f3a28f2aa6ba44a64afe8a"

#define COSE_KEY(x, y) "{1: 2, 3: -25, -1: 1, -2: h'" x "', -3: h'" y "'}"

static EVP_PKEY *pair(const char *d, const char *x, const char *y) {
        EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, "EC", NULL);
        OSSL_PARAM_BLD *bld = OSSL_PARAM_BLD_new();
        EVP_PKEY *pkey = NULL;
        OSSL_PARAM *params;
        char point[2 + 128 + 1];
        struct bytes public, private = unhex(d);
        BIGNUM *bn = BN_bin2bn(private.data, (int)private.len, NULL);

        snprintf(point, sizeof(point), "04%s%s", x, y);
        public = unhex(point);
        assert_true(OSSL_PARAM_BLD_push_utf8_string(bld, OSSL_PKEY_PARAM_GROUP_NAME, "P-256", 0));
        assert_true(OSSL_PARAM_BLD_push_BN(bld, OSSL_PKEY_PARAM_PRIV_KEY, bn));
        assert_true(OSSL_PARAM_BLD_push_octet_string(bld, OSSL_PKEY_PARAM_PUB_KEY, public.data,
                                                     public.len));
        params = OSSL_PARAM_BLD_to_param(bld);
        assert_int_equal(EVP_PKEY_fromdata_init(ctx), 1);
        assert_int_equal(EVP_PKEY_fromdata(ctx, &pkey, EVP_PKEY_KEYPAIR, params), 1);
        OSSL_PARAM_free(params);
        OSSL_PARAM_BLD_free(bld);
        EVP_PKEY_CTX_free(ctx);
        BN_free(bn);
        release(&public);
        release(&private);
        return pkey;
}

struct world {
        struct ctap_key_agreement agreement;
        struct ctap_rng rng;
        int rng_fails;
};

static int fill(struct ctap_rng *r, uint8_t *to, size_t n) {
        struct world *w = container_of(r, struct world, rng);

        if (w->rng_fails < 0)
                return w->rng_fails;
        for (size_t i = 0; i < n; i++)
                to[i] = (uint8_t)(0xf0 + i);
        return 0;
}

static int setup(void **state) {
        static const struct ctap_rng_ops ops = { .fill = fill };
        struct world *w = calloc(1, sizeof(*w));

        assert_non_null(w);
        w->rng.ops = &ops;
        w->agreement.pairs[0] = pair(OUR_D, OUR_X, OUR_Y);
        w->agreement.pairs[1] = pair(OUR_D, OUR_X, OUR_Y);
        *state = w;
        return 0;
}

static int teardown(void **state) {
        struct world *w = *state;

        ctap_key_agreement_wipe(&w->agreement);
        for (unsigned i = 0; i < CTAP_PIN_PROTOCOLS; i++)
                assert_null(w->agreement.pairs[i]);
        assert_int_equal(ERR_peek_error(), 0);
        free(w);
        return 0;
}

static enum ctap_status decapsulate(struct world *w, unsigned protocol, const char *notation,
                                    struct ctap_shared_secret *ret) {
        uint8_t storage[512];
        struct buf b = BUF_ON(storage);
        struct bytes left;
        struct cbor_value key;
        enum ctap_status s;

        diag_encode(notation, &b);
        left = buf_bytes(&b);
        assert_int_equal(cbor_check(left), CTAP_OK);
        key = cbor_next(&left);
        s = ctap_decapsulate(&w->agreement, protocol, &key, ret);
        assert_int_equal(ERR_peek_error(), 0);
        return s;
}

static struct ctap_shared_secret agreed(struct world *w, unsigned protocol) {
        struct ctap_shared_secret s;

        assert_int_equal(decapsulate(w, protocol, COSE_KEY(HER_X, HER_Y), &s), CTAP_OK);
        assert_int_equal(s.protocol, protocol);
        return s;
}

static void CP10_protocol_one_known_answers(void **state) {
        struct world *w = *state;
        struct ctap_shared_secret s = agreed(w, 1);
        _cleanup_(release) struct bytes plain = unhex(PLAIN), mac = unhex(MAC_ONE);
        uint8_t storage[32], back[32];
        struct buf cipher = BUF_ON(storage), b = BUF_ON(back);

        assert_hex_equal(BYTES_OF(s.mac), ONE);
        assert_hex_equal(BYTES_OF(s.aes), ONE);
        assert_int_equal(ctap_secret_encrypt(&s, &w->rng, plain, &cipher), 0);
        assert_hex_equal(buf_bytes(&cipher), CIPHER_ONE);
        assert_int_equal(ctap_secret_decrypt(&s, buf_bytes(&cipher), &b), 0);
        assert_bytes_equal(buf_bytes(&b), plain);
        assert_true(ctap_secret_verify(&s, BYTES_TEXT("message"), mac));
}

static void CP10_the_mac_is_16_bytes_and_no_other_length(void **state) {
        static const char *const wrong[] = {
                "",
                "76",
                "761df4473223e3e304725597376366",
                "761df4473223e3e3047255973763667500",
                "761df4473223e3e30472559737636674",
                "f61df4473223e3e30472559737636675",
        };
        struct ctap_shared_secret s = agreed(*state, 1);
        struct sha256 whole;

        for (size_t i = 0; i < ELEMENTSOF(wrong); i++) {
                _cleanup_(release) struct bytes param = unhex(wrong[i]);

                assert_false(ctap_secret_verify(&s, BYTES_TEXT("message"), param));
        }
        /* The untruncated MAC, which is right for protocol two. */
        assert_non_null(
                HMAC(EVP_sha256(), s.mac.b, 32, (const uint8_t *)"message", 7, whole.b, NULL));
        assert_false(ctap_secret_verify(&s, BYTES_TEXT("message"), BYTES_OF(whole)));
        assert_true(ctap_secret_verify(&s, BYTES_TEXT("message"), BYTES(whole.b, 16)));
}

static void CP11_protocol_two_known_answers(void **state) {
        struct world *w = *state;
        struct ctap_shared_secret s = agreed(w, 2);
        _cleanup_(release) struct bytes plain = unhex(PLAIN), mac = unhex(MAC_TWO);
        uint8_t storage[48], back[32];
        struct buf cipher = BUF_ON(storage), b = BUF_ON(back);

        assert_hex_equal(BYTES_OF(s.mac), TWO_MAC);
        assert_hex_equal(BYTES_OF(s.aes), TWO_AES);
        assert_int_equal(ctap_secret_encrypt(&s, &w->rng, plain, &cipher), 0);
        assert_hex_equal(buf_bytes(&cipher), IV CIPHER_TWO);
        assert_int_equal(ctap_secret_decrypt(&s, buf_bytes(&cipher), &b), 0);
        assert_bytes_equal(buf_bytes(&b), plain);
        assert_true(ctap_secret_verify(&s, BYTES_TEXT("message"), mac));
        assert_false(ctap_secret_verify(&s, BYTES_TEXT("message"), BYTES(mac.data, 16)));
        assert_false(ctap_secret_verify(&s, BYTES_TEXT("massage"), mac));
        assert_false(ctap_secret_verify(&s, BYTES_TEXT("message"), BYTES_NULL));
}

static void CP11_a_token_is_the_mac_key_as_it_is(void **state) {
        _cleanup_(release) struct bytes mac =
                unhex("69b2615da8c2d460d244229059d990f0b7b522e38a12f000fad733b379e43873");
        struct bytes message = BYTES_TEXT("message");
        struct secret32 token;

        (void)state;
        for (uint8_t i = 0; i < 32; i++)
                token.b[i] = (uint8_t)(0x40 + i);
        assert_true(ctap_token_mac_verify(2, &token, message, mac));
        assert_false(ctap_token_mac_verify(2, &token, message, BYTES(mac.data, 16)));
        assert_true(ctap_token_mac_verify(1, &token, message, BYTES(mac.data, 16)));
        assert_false(ctap_token_mac_verify(1, &token, message, mac));
        assert_false(ctap_token_mac_verify(1, &token, BYTES_NULL, BYTES(mac.data, 16)));
}

static void CP11_without_random_bytes_nothing_is_encrypted(void **state) {
        struct world *w = *state;
        struct ctap_shared_secret one = agreed(w, 1), two = agreed(w, 2);
        uint8_t storage[64];
        struct buf b = BUF_ON(storage);

        w->rng_fails = -EIO;
        assert_int_equal(ctap_secret_encrypt(&two, &w->rng, BYTES(storage, 16), &b), -EIO);
        assert_int_equal(b.len, 0);
        assert_int_equal(ctap_secret_encrypt(&one, &w->rng, BYTES(storage + 16, 16), &b), 0);
}

static void CP12_ciphertext_is_whole_blocks_and_at_least_one(void **state) {
        uint8_t cipher[80] = { 0 }, storage[80];

        for (unsigned protocol = 1; protocol <= CTAP_PIN_PROTOCOLS; protocol++) {
                const size_t least = protocol == 1 ? 16 : 32;
                struct ctap_shared_secret s = agreed(*state, protocol);

                for (size_t n = 0; n <= sizeof(cipher); n++) {
                        _cleanup_(release) struct bytes exact = copied(BYTES(cipher, n));
                        bool good = n >= least && n % 16 == 0;
                        struct buf b = BUF_ON(storage);

                        assert_int_equal(ctap_secret_decrypt(&s, exact, &b), good ? 0 : -EBADMSG);
                        assert_int_equal(b.len, good ? n + 16 - least : 0);
                }
        }
        assert_int_equal(ERR_peek_error(), 0);
}

static void what_does_not_fit_or_is_no_block_is_an_error(void **state) {
        struct world *w = *state;
        uint8_t in[32] = { 0 }, storage[31];

        for (unsigned protocol = 1; protocol <= CTAP_PIN_PROTOCOLS; protocol++) {
                struct ctap_shared_secret s = agreed(w, protocol);
                struct buf b = BUF_ON(storage);

                assert_int_equal(ctap_secret_encrypt(&s, &w->rng, BYTES(in, 32), &b), -EMSGSIZE);
                assert_int_equal(ctap_secret_encrypt(&s, &w->rng, BYTES(in, 15), &b), -EINVAL);
                b.cap = 15;
                assert_int_equal(ctap_secret_decrypt(&s, BYTES(in, 32), &b), -EMSGSIZE);
                assert_int_equal(b.len, 0);
        }
}

static void CP13_keys_that_are_no_point_of_the_curve(void **state) {
#define P      "ffffffff00000001000000000000000000000000ffffffffffffffffffffffff"
#define NULL32 "0000000000000000000000000000000000000000000000000000000000000000"
        static const char *const wrong[] = {
                /* one bit off, x and y changed round, the mirrored one's x, zero, infinity */
                COSE_KEY(HER_X, "01b25c7137cb2dcfb0d7f5b83314485e64ed592f648934d2198d80ac0275b73b"),
                COSE_KEY(HER_Y, HER_X),
                COSE_KEY(NULL32, NULL32),
                COSE_KEY(HER_X, NULL32),
                COSE_KEY(P, NULL32),
                COSE_KEY(P, P),
                COSE_KEY("ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff", HER_Y),
                /* coordinates of the wrong size */
                COSE_KEY("", ""),
                COSE_KEY(HER_X "00", HER_Y),
                COSE_KEY("00" HER_X, HER_Y),
                COSE_KEY(HER_X, HER_Y "00"),
                COSE_KEY(HER_X, "b25c7137cb2dcfb0d7f5b83314485e64ed592f648934d2198d80ac0275b73b"),
                COSE_KEY(HER_X HER_Y, ""),
                COSE_KEY("", HER_X HER_Y),
                /* other kinds of key */
                "{1: 1, 3: -25, -1: 1, -2: h'" HER_X "', -3: h'" HER_Y "'}",
                "{1: 2, 3: -25, -1: 2, -2: h'" HER_X "', -3: h'" HER_Y "'}",
                "{1: 2, 3: -25, -1: -1, -2: h'" HER_X "', -3: h'" HER_Y "'}",
                "{1: 2, 3: -35, -1: 1, -2: h'" HER_X "', -3: h'" HER_Y "'}",
                "{1: 2, 3: 0, -1: 1, -2: h'" HER_X "', -3: h'" HER_Y "'}",
        };
        struct ctap_shared_secret s = { 0 };

        for (unsigned protocol = 1; protocol <= CTAP_PIN_PROTOCOLS; protocol++)
                for (size_t i = 0; i < ELEMENTSOF(wrong); i++) {
                        enum ctap_status status = decapsulate(*state, protocol, wrong[i], &s);

                        if (status != CTAP1_ERR_INVALID_PARAMETER)
                                fail_msg("%s: status %02x", wrong[i], status);
                        assert_int_equal(s.protocol, 0);
                }
}

static void CP13_members_missing_or_of_the_wrong_type(void **state) {
        static const struct {
                const char *notation;
                enum ctap_status status;
        } wrong[] = {
                { "{}", CTAP2_ERR_MISSING_PARAMETER },
                { "{3: -25, -1: 1, -2: h'" HER_X "', -3: h'" HER_Y "'}",
                  CTAP2_ERR_MISSING_PARAMETER },
                { "{1: 2, 3: -25, -2: h'" HER_X "', -3: h'" HER_Y "'}",
                  CTAP2_ERR_MISSING_PARAMETER },
                { "{1: 2, 3: -25, -1: 1, -3: h'" HER_Y "'}", CTAP2_ERR_MISSING_PARAMETER },
                { "{1: 2, 3: -25, -1: 1, -2: h'" HER_X "'}", CTAP2_ERR_MISSING_PARAMETER },
                /* a compressed point has its sign there */
                { "{1: 2, 3: -25, -1: 1, -2: h'" HER_X "', -3: true}",
                  CTAP2_ERR_CBOR_UNEXPECTED_TYPE },
                { "{1: '2', 3: -25, -1: 1, -2: h'" HER_X "', -3: h'" HER_Y "'}",
                  CTAP2_ERR_CBOR_UNEXPECTED_TYPE },
                { "{1: 2, 3: 'ES256', -1: 1, -2: h'" HER_X "', -3: h'" HER_Y "'}",
                  CTAP2_ERR_CBOR_UNEXPECTED_TYPE },
                { "h'" HER_X "'", CTAP2_ERR_CBOR_UNEXPECTED_TYPE },
                { "[]", CTAP2_ERR_CBOR_UNEXPECTED_TYPE },
        };
        struct ctap_shared_secret s = { 0 };

        for (size_t i = 0; i < ELEMENTSOF(wrong); i++)
                assert_int_equal(decapsulate(*state, 2, wrong[i].notation, &s), wrong[i].status);
}

static void CP13_the_algorithm_may_be_named_in_three_ways(void **state) {
        static const char *const good[] = {
                COSE_KEY(HER_X, HER_Y),
                "{1: 2, 3: -7, -1: 1, -2: h'" HER_X "', -3: h'" HER_Y "'}",
                "{1: 2, -1: 1, -2: h'" HER_X "', -3: h'" HER_Y "'}",
                /* and members that nobody knows (B12) */
                "{1: 2, 2: h'00', 3: -25, -1: 1, -2: h'" HER_X "', -3: h'" HER_Y "'}",
        };

        for (size_t i = 0; i < ELEMENTSOF(good); i++) {
                struct ctap_shared_secret s;

                assert_int_equal(decapsulate(*state, 1, good[i], &s), CTAP_OK);
                assert_hex_equal(BYTES_OF(s.mac), ONE);
        }
}

static void CP13_a_secret_that_begins_with_zero_keeps_its_length(void **state) {
        struct ctap_shared_secret s;

        assert_int_equal(decapsulate(*state, 1, COSE_KEY(ZERO_X, ZERO_Y), &s), CTAP_OK);
        assert_hex_equal(BYTES_OF(s.mac), ZERO_ONE);
}

static void assert_key(struct world *w, unsigned protocol, const char *notation) {
        uint8_t storage[128], expected[128];
        struct buf b = BUF_ON(storage), e = BUF_ON(expected);
        struct cbor_writer out = { &b };

        assert_int_equal(ctap_key_agreement_put(&w->agreement, protocol, &out), 0);
        diag_encode(notation, &e);
        assert_bytes_equal(buf_bytes(&b), buf_bytes(&e));
}

static void CP14_the_key_has_exactly_five_members(void **state) {
        struct world *w = *state;

        assert_key(w, 1, COSE_KEY(OUR_X, OUR_Y));
        assert_key(w, 2, COSE_KEY(OUR_X, OUR_Y));
        ctap_key_agreement_renew(&w->agreement, 2);
        w->agreement.pairs[1] = pair(SHORT_D, SHORT_X, SHORT_Y);
        assert_key(w, 2, COSE_KEY(SHORT_X, SHORT_Y));
}

static void CP6_a_renewed_pair_is_another_one(void **state) {
        struct world *w = *state;
        struct ctap_shared_secret before = agreed(w, 2), after;

        ctap_key_agreement_renew(&w->agreement, 2);
        ctap_key_agreement_renew(&w->agreement, 2);
        after = agreed(w, 2);
        assert_memory_not_equal(&before.mac, &after.mac, sizeof(after.mac));
        before = agreed(w, 2);
        assert_memory_equal(&before, &after, sizeof(after));

        /* that of the other protocol is not touched */
        after = agreed(w, 1);
        assert_hex_equal(BYTES_OF(after.mac), ONE);
}

static void there_are_two_protocols(void **state) {
        static const int64_t others[] = { 0, 3, -1, INT64_MIN, INT64_MAX, INT64_C(0x100000001) };

        (void)state;
        assert_true(ctap_pin_protocol_exists(1));
        assert_true(ctap_pin_protocol_exists(2));
        for (size_t i = 0; i < ELEMENTSOF(others); i++)
                assert_false(ctap_pin_protocol_exists(others[i]));
}

#define world_test(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void) {
        const struct CMUnitTest tests[] = {
                world_test(there_are_two_protocols),
                world_test(CP6_a_renewed_pair_is_another_one),
                world_test(CP10_protocol_one_known_answers),
                world_test(CP10_the_mac_is_16_bytes_and_no_other_length),
                world_test(CP11_protocol_two_known_answers),
                world_test(CP11_a_token_is_the_mac_key_as_it_is),
                world_test(CP11_without_random_bytes_nothing_is_encrypted),
                world_test(CP12_ciphertext_is_whole_blocks_and_at_least_one),
                world_test(what_does_not_fit_or_is_no_block_is_an_error),
                world_test(CP13_keys_that_are_no_point_of_the_curve),
                world_test(CP13_members_missing_or_of_the_wrong_type),
                world_test(CP13_the_algorithm_may_be_named_in_three_ways),
                world_test(CP13_a_secret_that_begins_with_zero_keeps_its_length),
                world_test(CP14_the_key_has_exactly_five_members),
        };

        return cmocka_run_group_tests_name("pin-protocol", tests, NULL, NULL);
}
