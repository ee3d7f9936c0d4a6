/* SPDX-License-Identifier: BSD-2-Clause */

/* ctap/spki.c: a key that OpenSSL made comes back from it as OpenSSL writes it. */

#include "ctap/spki.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/x509.h>
#include <string.h>

#include "ctap/macro.h"
#include "tests/unit/test.h"

static void take_number(const EVP_PKEY *pkey, const char *name, uint8_t *to, int size) {
        BIGNUM *n = NULL;

        assert_int_equal(EVP_PKEY_get_bn_param(pkey, name, &n), 1);
        assert_int_equal(BN_bn2binpad(n, to, size), size);
        BN_free(n);
}

static void assert_written_alike(EVP_PKEY *pkey, const struct ctap_public_key *key) {
        uint8_t storage[CTAP_SPKI_MAX];
        struct buf out = BUF_ON(storage);
        unsigned char *der = NULL;
        int len = i2d_PUBKEY(pkey, &der);

        assert_true(len > 0);
        ctap_spki_put(&out, key);
        assert_int_equal(buf_error(&out), 0);
        assert_bytes_equal(buf_bytes(&out), BYTES(der, (size_t)len));
        OPENSSL_free(der);
}

static void check_curve(const char *curve, enum ctap_key_type type, int size) {
        for (unsigned i = 0; i < 20; i++) {
                EVP_PKEY *pkey = EVP_EC_gen(curve);
                struct ctap_public_key key = { .type = type };

                assert_non_null(pkey);
                take_number(pkey, OSSL_PKEY_PARAM_EC_PUB_X, key.x, size);
                take_number(pkey, OSSL_PKEY_PARAM_EC_PUB_Y, key.y, size);
                assert_written_alike(pkey, &key);
                EVP_PKEY_free(pkey);
        }
}

static void a_key_on_p256(void **state) {
        (void)state;
        check_curve("P-256", CTAP_KEY_P256, 32);
}

static void a_key_on_p384(void **state) {
        (void)state;
        check_curve("P-384", CTAP_KEY_P384, 48);
}

static void an_rsa_key_is_the_longest(void **state) {
        EVP_PKEY *pkey = EVP_RSA_gen(2048);
        struct ctap_public_key key = { .type = CTAP_KEY_RSA2048 };
        uint8_t storage[CTAP_SPKI_MAX];
        struct buf out = BUF_ON(storage);

        (void)state;
        assert_non_null(pkey);
        take_number(pkey, OSSL_PKEY_PARAM_RSA_N, key.modulus, sizeof(key.modulus));
        assert_written_alike(pkey, &key);
        ctap_spki_put(&out, &key);
        assert_int_equal(out.len, CTAP_SPKI_MAX);
        EVP_PKEY_free(pkey);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_key_on_p256),
                cmocka_unit_test(a_key_on_p384),
                cmocka_unit_test(an_rsa_key_is_the_longest),
        };

        return cmocka_run_group_tests_name("spki", tests, NULL, NULL);
}
