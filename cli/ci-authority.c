/* SPDX-License-Identifier: BSD-2-Clause */

/* One authority and one attestation key for all of a run's devices, which a site cannot tell apart by them. */

#include "cli/ci-authority.h"

#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>

#include "ctap/macro.h"

#define DAY_S       86400
#define SERIAL_BITS 64

/* A country that ISO 3166 leaves to its users. */
#define COUNTRY      "ZZ"
#define ORGANISATION "tpmauthn ci run"

struct extension {
        int nid;
        const char *value; /* as openssl x509v3_config(5) writes it */
};

struct form {
        const char *unit; /* or NULL */
        const char *name;
        struct extension extensions[3];
};

static const struct form authority = { .name = "Authority",
                                       .extensions = {
                                               { NID_basic_constraints, "critical,CA:TRUE" },
                                               { NID_key_usage, "critical,keyCertSign" },
                                               { NID_subject_key_identifier, "hash" } } };
/* WebAuthn Level 3 §8.2.1: version 3, these four names, the unit so, and no authority. */
static const struct form attester = { .unit = "Authenticator Attestation",
                                      .name = "Simulators",
                                      .extensions = {
                                              { NID_basic_constraints, "critical,CA:FALSE" },
                                              { NID_subject_key_identifier, "hash" },
                                              { NID_authority_key_identifier, "keyid:always" } } };

/* Who signs: the authority, and of which run, so that those of two runs can be trusted side by side. */
struct issuer {
        EVP_PKEY *key;
        X509 *certificate; /* NULL while it signs its own */
        const char *run;
};

static void close_key(EVP_PKEY **key) {
        EVP_PKEY_free(*key);
}

static void close_bio(BIO **bio) {
        BIO_free(*bio);
}

static void close_certificate(X509 **certificate) {
        X509_free(*certificate);
}

static int complain(void) {
        fputs("tpmauthn: OpenSSL made no certificate for the attestation:\n", stderr);
        ERR_print_errors_fp(stderr);
        return CI_FAILED;
}

/* ---- what they say ---- */

static bool add_name(X509_NAME *to, const char *member, const char *text) {
        return X509_NAME_add_entry_by_txt(to, member, MBSTRING_UTF8, (const unsigned char *)text,
                                          -1, -1, 0) == 1;
}

static bool fill_name(X509_NAME *name, const struct form *f, const char *run) {
        char common[64];

        snprintf(common, sizeof(common), "%s of run %s", f->name, run);
        return add_name(name, "C", COUNTRY) && add_name(name, "O", ORGANISATION) &&
               (!f->unit || add_name(name, "OU", f->unit)) && add_name(name, "CN", common);
}

static bool set_serial(X509 *x) {
        BIGNUM *n = BN_new();
        const bool done = n && BN_rand(n, SERIAL_BITS, BN_RAND_TOP_ONE, BN_RAND_BOTTOM_ANY) == 1 &&
                          BN_to_ASN1_INTEGER(n, X509_get_serialNumber(x)) != NULL;

        BN_free(n);
        return done;
}

static bool add_extension(X509 *x, X509 *issuer, const struct extension *what) {
        X509_EXTENSION *e;
        X509V3_CTX context;
        bool done;

        X509V3_set_ctx(&context, issuer, x, NULL, NULL, 0);
        e = X509V3_EXT_conf_nid(NULL, &context, what->nid, what->value);
        done = e && X509_add_ext(x, e, -1) == 1;
        X509_EXTENSION_free(e);
        return done;
}

static bool add_extensions(X509 *x, X509 *issuer, const struct form *f) {
        bool done = true;

        for (size_t i = 0; done && i < ELEMENTSOF(f->extensions); i++)
                done = add_extension(x, issuer, &f->extensions[i]);
        return done;
}

/* From the day before: a server under test may have a clock of its own. */
static X509 *certify(const struct form *f, EVP_PKEY *of, const struct issuer *by) {
        X509 *x = X509_new();

        if (x && X509_set_version(x, X509_VERSION_3) == 1 && set_serial(x) &&
            X509_gmtime_adj(X509_getm_notBefore(x), -DAY_S) &&
            X509_gmtime_adj(X509_getm_notAfter(x), 30L * DAY_S) &&
            fill_name(X509_get_subject_name(x), f, by->run) &&
            fill_name(X509_get_issuer_name(x), &authority, by->run) &&
            X509_set_pubkey(x, of) == 1 &&
            add_extensions(x, by->certificate ? by->certificate : x, f) &&
            X509_sign(x, by->key, EVP_sha256()) > 0)
                return x;
        X509_free(x);
        return NULL;
}

/* ---- their files ---- */

/* One of the two. */
static int write_pem(const struct keeper *k, const char *name, const X509 *certificate,
                     const EVP_PKEY *key) {
        _cleanup_(close_bio) BIO *text = BIO_new(BIO_s_secmem());
        const bool done = text && (certificate ? PEM_write_bio_X509(text, certificate) == 1
                                               : PEM_write_bio_PrivateKey(text, key, NULL, NULL, 0,
                                                                          NULL, NULL) == 1);
        char *data = NULL;
        const long size = done ? BIO_get_mem_data(text, &data) : 0;

        if (done)
                return ci_folder_write(k->folder, name, data, (size_t)size) < 0 ? CI_FAILED : 0;
        return complain();
}

static int write_files(const struct keeper *k, const X509 *ca, const X509 *certificate,
                       const EVP_PKEY *key) {
        int status = write_pem(k, CI_AUTHORITY, ca, NULL);

        if (status == 0)
                status = write_pem(k, CI_ATTESTATION_CERTIFICATE, certificate, NULL);
        if (status == 0)
                status = write_pem(k, CI_ATTESTATION_KEY, NULL, key);
        return status;
}

int ci_authority_make(const struct keeper *k) {
        _cleanup_(close_key) EVP_PKEY *ca_key = EVP_EC_gen("P-256");
        _cleanup_(close_key) EVP_PKEY *key = EVP_EC_gen("P-256");
        _cleanup_(close_certificate) X509 *ca = NULL;
        _cleanup_(close_certificate) X509 *certificate = NULL;
        struct issuer issuer = { .key = ca_key, .run = ci_folder_token(k->folder) };

        if (ca_key && key)
                ca = issuer.certificate = certify(&authority, ca_key, &issuer);
        if (ca)
                certificate = certify(&attester, key, &issuer);
        if (ca && certificate)
                return write_files(k, ca, certificate, key);
        return complain();
}
