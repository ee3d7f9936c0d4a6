/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * A throwaway key and its certificate: see u2f-attester.h. The certificate names the product and
 * nothing of the machine; its dates are constants, because the time of a registration is nobody's
 * business and ctap/ has no calendar.
 */

#include <errno.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include "ctap/u2f-attester.h"

#define SUBJECT   "tpmauthn U2F registration"
#define NOT_AFTER "99991231235959Z" /* RFC 5280 §4.1.2.5: no well-defined end */

static void md_ctx_free(EVP_MD_CTX **c) {
        EVP_MD_CTX_free(*c);
}

static void x509_free(X509 **x) {
        X509_free(*x);
}

static void extension_free(X509_EXTENSION **e) {
        X509_EXTENSION_free(*e);
}

static int refused(void) {
        ERR_clear_error();
        return -EIO;
}

int u2f_attester_init(struct u2f_attester *a) {
        EVP_PKEY *key = EVP_EC_gen("P-256");

        if (!key)
                return refused();
        a->key = key;
        return 0;
}

void u2f_attester_done(struct u2f_attester *a) {
        EVP_PKEY_free(a->key);
        a->key = NULL;
}

int u2f_attester_public(const struct u2f_attester *a, struct ctap_public_key *ret) {
        struct ctap_public_key made = { .type = CTAP_KEY_P256 };
        uint8_t point[65];
        struct cursor in = { BYTES_OF(point), false };
        size_t n;

        if (EVP_PKEY_get_octet_string_param(a->key, OSSL_PKEY_PARAM_ENCODED_PUBLIC_KEY, point,
                                            sizeof(point), &n) != 1 ||
            n != sizeof(point) || cursor_u8(&in) != POINT_CONVERSION_UNCOMPRESSED)
                return refused();

        cursor_copy(&in, made.x, 32);
        cursor_copy(&in, made.y, 32);
        *ret = made;
        return 0;
}

static bool set_name(X509 *x) {
        X509_NAME *name = X509_get_subject_name(x);

        return X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8, (const uint8_t *)SUBJECT, -1,
                                          -1, 0) == 1 &&
               X509_set_issuer_name(x, name) == 1;
}

static bool set_serial(X509 *x) {
        uint64_t serial;

        return RAND_bytes((uint8_t *)&serial, sizeof(serial)) == 1 &&
               ASN1_INTEGER_set_uint64(X509_get_serialNumber(x), serial >> 1 | 1) == 1;
}

static bool set_dates(X509 *x) {
        return ASN1_TIME_set_string_X509(X509_getm_notBefore(x), "20200101000000Z") == 1 &&
               ASN1_TIME_set_string_X509(X509_getm_notAfter(x), NOT_AFTER) == 1;
}

static bool set_no_ca(X509 *x) {
        _cleanup_(extension_free) X509_EXTENSION *e =
                X509V3_EXT_conf_nid(NULL, NULL, NID_basic_constraints, "critical,CA:FALSE");

        return e && X509_add_ext(x, e, -1) == 1;
}

int u2f_attester_certificate(const struct u2f_attester *a, struct buf *out) {
        _cleanup_(x509_free) X509 *x = X509_new();
        uint8_t der[1024], *end = der;
        int n;

        if (!x)
                return refused();
        if (X509_set_version(x, X509_VERSION_3) != 1 || !set_serial(x) || !set_name(x) ||
            !set_dates(x) || X509_set_pubkey(x, a->key) != 1 || !set_no_ca(x) ||
            X509_sign(x, a->key, EVP_sha256()) == 0)
                return refused();

        n = i2d_X509(x, NULL);
        if (n <= 0 || (size_t)n > sizeof(der) || i2d_X509(x, &end) != n)
                return refused();
        buf_put(out, BYTES(der, (size_t)n));
        return buf_error(out);
}

int u2f_attester_sign(const struct u2f_attester *a, struct bytes message,
                      struct ctap_signature *ret) {
        _cleanup_(md_ctx_free) EVP_MD_CTX *c = EVP_MD_CTX_new();
        struct ctap_signature made = { 0 };
        size_t n = sizeof(made.data);

        if (!c)
                return refused();
        if (EVP_DigestSignInit(c, NULL, EVP_sha256(), NULL, a->key) != 1 ||
            EVP_DigestSign(c, made.data, &n, message.data, message.len) != 1)
                return refused();

        made.len = (uint16_t)n;
        *ret = made;
        return 0;
}
