/* SPDX-License-Identifier: BSD-2-Clause */

/* Certificates for tests: see certificate.h. */

#include <openssl/ec.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "tests/fake/certificate.h"
#include "tests/unit/test.h"

static const struct certificate_names good_names = { "XY", "An Organisation",
                                                     "Authenticator Attestation", "A Machine" };
const struct certificate_form certificate_authority = {
        .names = { "XY", "An Organisation", NULL, "Authority" }, .constraints = "critical,CA:TRUE"
};
const struct certificate_form certificate_root = {
        .names = { "XY", "An Organisation", NULL, "Root" }, .constraints = "critical,CA:TRUE"
};

static void add_name(X509_NAME *name, const char *member, const char *text) {
        if (text)
                assert_int_equal(X509_NAME_add_entry_by_txt(name, member, MBSTRING_UTF8,
                                                            (const unsigned char *)text, -1, -1, 0),
                                 1);
}

static X509_NAME *make_name(const struct certificate_names *n, bool second_unit) {
        X509_NAME *name = X509_NAME_new();

        add_name(name, "C", n->c);
        add_name(name, "O", n->o);
        add_name(name, "OU", n->ou);
        if (second_unit)
                add_name(name, "OU", "Another Unit");
        add_name(name, "CN", n->cn);
        return name;
}

static void add_extension(X509 *x, int nid, const char *value) {
        X509_EXTENSION *e = X509V3_EXT_conf_nid(NULL, NULL, nid, value);

        assert_non_null(e);
        assert_int_equal(X509_add_ext(x, e, -1), 1);
        X509_EXTENSION_free(e);
}

static void add_aaguid(X509 *x, const struct certificate_form *f) {
        const size_t n = f->aaguid_len > 0 ? f->aaguid_len : 16;
        ASN1_OBJECT *id = OBJ_txt2obj("1.3.6.1.4.1.45724.1.1.4", 1);
        ASN1_OCTET_STRING *value = ASN1_OCTET_STRING_new();
        uint8_t der[32] = { 0x04, (uint8_t)n };
        X509_EXTENSION *e;

        memcpy(der + 2, f->aaguid, n < 16 ? n : 16);
        ASN1_OCTET_STRING_set(value, der, (int)n + 2);
        e = X509_EXTENSION_create_by_OBJ(NULL, id, f->aaguid_is_critical, value);
        assert_int_equal(X509_add_ext(x, e, -1), 1);
        X509_EXTENSION_free(e);
        ASN1_OCTET_STRING_free(value);
        ASN1_OBJECT_free(id);
}

static void add_padding(X509 *x, size_t n) {
        char *text = calloc(1, n + 1);

        memset(text, 'x', n);
        add_extension(x, NID_netscape_comment, text);
        free(text);
}

void certificate_write(FILE *to, EVP_PKEY *of, const struct certificate_form *f,
                       const struct certificate_form *issuer, EVP_PKEY *issuer_key) {
        const struct certificate_names *names = f->names.cn || f->names.o ? &f->names : &good_names;
        X509 *x = X509_new();
        X509_NAME *subject = make_name(names, f->second_unit);
        X509_NAME *by = make_name(&issuer->names, false);

        X509_set_version(x, f->v1 ? X509_VERSION_1 : X509_VERSION_3);
        ASN1_INTEGER_set(X509_get_serialNumber(x), 7);
        X509_gmtime_adj(X509_getm_notBefore(x), 0);
        X509_gmtime_adj(X509_getm_notAfter(x), 86400);
        X509_set_subject_name(x, subject);
        X509_set_issuer_name(x, by);
        X509_set_pubkey(x, of);
        if (!f->v1 && (!f->constraints || *f->constraints))
                add_extension(x, NID_basic_constraints,
                              f->constraints ? f->constraints : "CA:FALSE");
        if (f->aaguid)
                add_aaguid(x, f);
        if (f->padding > 0)
                add_padding(x, f->padding);
        assert_true(X509_sign(x, issuer_key, EVP_sha256()) > 0);
        assert_int_equal(PEM_write_X509(to, x), 1);
        X509_NAME_free(by);
        X509_NAME_free(subject);
        X509_free(x);
}

void certificate_write_key(const char *path, EVP_PKEY *key, const char *password) {
        FILE *to = fopen(path, "w");

        assert_non_null(to);
        assert_int_equal(PEM_write_PrivateKey(to, key, password ? EVP_aes_256_cbc() : NULL,
                                              (const unsigned char *)password,
                                              password ? (int)strlen(password) : 0, NULL, NULL),
                         1);
        assert_int_equal(fclose(to), 0);
        assert_int_equal(chmod(path, 0600), 0);
}

void certificate_write_good(const char *key_path, const char *chain_path) {
        EVP_PKEY *leaf = EVP_EC_gen("P-256"), *authority = EVP_EC_gen("P-256");
        EVP_PKEY *root = EVP_EC_gen("P-256");
        FILE *to = fopen(chain_path, "w");

        assert_non_null(to);
        certificate_write_key(key_path, leaf, NULL);
        certificate_write(to, leaf, &(struct certificate_form){ 0 }, &certificate_authority,
                          authority);
        certificate_write(to, authority, &certificate_authority, &certificate_root, root);
        assert_int_equal(fclose(to), 0);
        EVP_PKEY_free(leaf);
        EVP_PKEY_free(authority);
        EVP_PKEY_free(root);
}
