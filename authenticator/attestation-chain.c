/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * What must hold of the first certificate is a table; the rest is OpenSSL's to verify, after the order
 * was looked at, for which it does not care.
 */

#include "authenticator/attestation-chain.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "authenticator/certificate.h"

#define SKEW_S        300 /* that the clock of who signed may be ahead */
#define OID_AIK       "2.23.133.8.3"
#define SECURITY_BITS 2 /* OpenSSL's level: 112 bits */

/* What is read of it. */
struct material {
        const struct attestation_wants *wants;
        struct buf *reason;
        X509 *certificates[ATTESTATION_CHAIN_MAX];
        size_t n;
        STACK_OF(X509) * roots;
};

static void material_done(struct material *m) {
        for (size_t i = 0; i < m->n; i++)
                X509_free(m->certificates[i]);
        sk_X509_pop_free(m->roots, X509_free);
        ERR_clear_error();
}

static int _printf_(2, 3) refuse(struct buf *reason, const char *format, ...) {
        char text[512];
        va_list ap;

        va_start(ap, format);
        vsnprintf(text, sizeof(text), format, ap);
        va_end(ap);
        buf_put(reason, BYTES_TEXT(text));
        return -EINVAL;
}

/* ---- what WebAuthn §8.3.1 demands of the first ---- */

static const X509 *leaf_of(const struct material *m) {
        return m->certificates[0];
}

static bool is_of_key(const struct material *m) {
        unsigned char *der = NULL;
        const int n = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(leaf_of(m)), &der);
        const bool is = n > 0 && bytes_equal(BYTES(der, (size_t)n), m->wants->key);

        OPENSSL_free(der);
        return is;
}

static bool is_v3(const struct material *m) {
        return X509_get_version(leaf_of(m)) == X509_VERSION_3;
}

static bool has_no_subject(const struct material *m) {
        return X509_NAME_entry_count(X509_get_subject_name(leaf_of(m))) == 0;
}

/* The value of an attribute that is there once. */
static bool has_attribute(const X509_NAME *name, const char *oid, const char *prefix) {
        ASN1_OBJECT *id = OBJ_txt2obj(oid, 1);
        const int at = id ? X509_NAME_get_index_by_OBJ(name, id, -1) : -1;
        const bool once = at >= 0 && X509_NAME_get_index_by_OBJ(name, id, at) < 0;
        unsigned char *text = NULL;
        bool has;

        ASN1_OBJECT_free(id);
        has = once &&
              ASN1_STRING_to_UTF8(&text, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(name, at))) >
                      0;
        has = has && strncmp((const char *)text, prefix, strlen(prefix)) == 0 &&
              strlen((const char *)text) > strlen(prefix);
        OPENSSL_free(text);
        return has;
}

/* tcg-at-tpmManufacturer, tcg-at-tpmModel and tcg-at-tpmVersion (TCG EK Credential Profile, 3.2.9). */
static bool names_tpm(const struct material *m) {
        int critical = 0, n_names = 0;
        GENERAL_NAMES *names = X509_get_ext_d2i(leaf_of(m), NID_subject_alt_name, &critical, NULL);
        const X509_NAME *name = NULL;
        bool does;

        for (int i = 0; i < sk_GENERAL_NAME_num(names); i++) {
                const GENERAL_NAME *g = sk_GENERAL_NAME_value(names, i);

                if (g->type != GEN_DIRNAME)
                        continue;
                name = g->d.directoryName;
                n_names++;
        }
        does = critical == 1 && n_names == 1 && has_attribute(name, "2.23.133.2.1", "id:") &&
               has_attribute(name, "2.23.133.2.2", "") &&
               has_attribute(name, "2.23.133.2.3", "id:");
        GENERAL_NAMES_free(names);
        return does;
}

static bool is_for_attestation(const struct material *m) {
        EXTENDED_KEY_USAGE *usages = X509_get_ext_d2i(leaf_of(m), NID_ext_key_usage, NULL, NULL);
        char text[64] = "";
        bool is;

        if (sk_ASN1_OBJECT_num(usages) > 0)
                OBJ_obj2txt(text, sizeof(text), sk_ASN1_OBJECT_value(usages, 0), 1);
        is = strcmp(text, OID_AIK) == 0;
        EXTENDED_KEY_USAGE_free(usages);
        return is;
}

static bool is_no_authority(const struct material *m) {
        return certificate_is_no_authority(leaf_of(m));
}

static bool signs(const struct material *m) {
        ASN1_BIT_STRING *usage = X509_get_ext_d2i(leaf_of(m), NID_key_usage, NULL, NULL);
        const bool does = usage && ASN1_BIT_STRING_get_bit(usage, 0) == 1;

        ASN1_BIT_STRING_free(usage);
        return does;
}

static bool has_no_other_aaguid(const struct material *m) {
        return certificate_has_no_other_aaguid(leaf_of(m), m->wants->aaguid);
}

static const struct {
        bool (*holds)(const struct material *m);
        const char *otherwise;
} rules[] = {
        { is_of_key, "is for another key than this machine's attestation key" },
        { is_v3, "is not of version 3" },
        { has_no_subject, "has a subject, which has to be empty" },
        { names_tpm, "does not name the TPM as it should: a critical subjectAltName with one "
                     "directoryName of manufacturer (id:...), model and version (id:...)" },
        { is_for_attestation,
          "is not for attestation: its first extendedKeyUsage must be " OID_AIK },
        { is_no_authority, "does not say that it is no authority's (basicConstraints = CA:FALSE)" },
        { signs, "is not for signatures (keyUsage = digitalSignature)" },
        { has_no_other_aaguid, "is for another AAGUID, or does not name it as it should" },
};

static int check_leaf(const struct material *m) {
        for (size_t i = 0; i < ELEMENTSOF(rules); i++)
                if (!rules[i].holds(m))
                        return refuse(m->reason, "The first certificate %s", rules[i].otherwise);
        return 0;
}

/* ---- all of them ---- */

static int parse(struct material *m, const struct attestation_chain *chain) {
        size_t size = 0;

        if (chain->n == 0)
                return refuse(m->reason, "It holds no certificate");
        for (size_t i = 0; i < chain->n; i++) {
                const unsigned char *end = chain->der[i].data;
                X509 *x = d2i_X509(NULL, &end, (long)chain->der[i].len);

                if (x)
                        m->certificates[m->n++] = x;
                if (!x || end != chain->der[i].data + chain->der[i].len)
                        return refuse(m->reason, "Certificate %zu is damaged", i + 1);
                size += chain->der[i].len;
        }
        if (size > m->wants->bytes_max)
                return refuse(
                        m->reason,
                        "The certificates have %zu bytes together (in DER); clients take %zu. "
                        "The root need not be among them",
                        size, m->wants->bytes_max);
        return 0;
}

static int check_times(const struct material *m) {
        time_t latest = (time_t)(m->wants->now + SKEW_S), now = (time_t)m->wants->now;

        for (size_t i = 0; i < m->n; i++) {
                const X509 *x = m->certificates[i];

                if (X509_cmp_time(X509_get0_notBefore(x), &latest) >= 0)
                        return refuse(m->reason, "Certificate %zu is not valid yet", i + 1);
                if (X509_cmp_time(X509_get0_notAfter(x), &now) <= 0)
                        return refuse(m->reason, "Certificate %zu has expired", i + 1);
        }
        return 0;
}

static bool is_issuer(X509 *issuer, X509 *of) {
        return X509_check_ca(issuer) == 1 && X509_check_issued(issuer, of) == X509_V_OK &&
               X509_verify(of, X509_get0_pubkey(issuer)) == 1;
}

static int check_order(const struct material *m) {
        for (size_t i = 0; i + 1 < m->n; i++)
                if (!is_issuer(m->certificates[i + 1], m->certificates[i]))
                        return refuse(m->reason,
                                      "Certificate %zu is not signed by the next one, as an "
                                      "authority's",
                                      i + 1);
        if (X509_check_issued(m->certificates[m->n - 1], m->certificates[m->n - 1]) == X509_V_OK)
                return refuse(m->reason,
                              "Certificate %zu is signed by itself: a root, which does not belong "
                              "here",
                              m->n);
        return 0;
}

/* What is behind one that is damaged does not count. */
static int add_roots(struct bytes pem, STACK_OF(X509) * to) {
        BIO *bio = BIO_new_mem_buf(pem.data, (int)pem.len);
        int r = bio ? 0 : -ENOMEM;
        X509 *x;

        while (r == 0 && (x = PEM_read_bio_X509(bio, NULL, NULL, NULL)) != NULL)
                if (sk_X509_push(to, x) == 0) {
                        X509_free(x);
                        r = -ENOMEM;
                }
        BIO_free(bio);
        ERR_clear_error();
        return r;
}

bool attestation_has_roots(struct bytes pem) {
        STACK_OF(X509) *roots = sk_X509_new_null();
        const bool has =
                roots && pem.len > 0 && add_roots(pem, roots) == 0 && sk_X509_num(roots) > 0;

        sk_X509_pop_free(roots, X509_free);
        return has;
}

static int read_roots(struct material *m) {
        int r;

        m->roots = sk_X509_new_null();
        r = m->roots ? 0 : -ENOMEM;
        if (r == 0 && m->wants->roots.len > 0)
                r = add_roots(m->wants->roots, m->roots);
        if (r == 0 && sk_X509_num(m->roots) == 0)
                return refuse(m->reason,
                              "The file of [attestation] root holds no certificate in PEM");
        return r;
}

/* What anybody may issue ends at the last one. */
static int choose_anchor(struct material *m) {
        if (!m->wants->any_issuer)
                return read_roots(m);
        m->roots = sk_X509_new_null();
        if (!m->roots || X509_up_ref(m->certificates[m->n - 1]) != 1)
                return -ENOMEM;
        return sk_X509_push(m->roots, m->certificates[m->n - 1]) > 0 ? 0 : -ENOMEM;
}

static int run_verification(X509_STORE_CTX *context, struct material *m, STACK_OF(X509) * others) {
        X509_VERIFY_PARAM *param;

        if (X509_STORE_CTX_init(context, NULL, m->certificates[0], others) != 1)
                return -ENOMEM;
        X509_STORE_CTX_set0_trusted_stack(context, m->roots);
        param = X509_STORE_CTX_get0_param(context);
        X509_VERIFY_PARAM_set_time(param, (time_t)m->wants->now + SKEW_S);
        X509_VERIFY_PARAM_set_auth_level(param, SECURITY_BITS);
        X509_VERIFY_PARAM_set_flags(param, X509_V_FLAG_PARTIAL_CHAIN);
        if (X509_verify_cert(context) == 1)
                return 0;
        return refuse(m->reason, "%s: %s",
                      m->wants->any_issuer
                              ? "The certificates are no chain"
                              : "The certificates do not lead to a root of [attestation] root",
                      X509_verify_cert_error_string(X509_STORE_CTX_get_error(context)));
}

static int verify(struct material *m) {
        X509_STORE_CTX *context = X509_STORE_CTX_new();
        STACK_OF(X509) *others = sk_X509_new_null();
        int r = context && others ? choose_anchor(m) : -ENOMEM;

        for (size_t i = 1; r == 0 && i < m->n; i++)
                if (sk_X509_push(others, m->certificates[i]) == 0)
                        r = -ENOMEM;
        if (r == 0)
                r = run_verification(context, m, others);
        X509_STORE_CTX_free(context);
        sk_X509_free(others);
        return r;
}

int attestation_chain_check(const struct attestation_chain *chain,
                            const struct attestation_wants *wants, struct buf *reason) {
        _cleanup_(material_done) struct material m = { .wants = wants, .reason = reason };
        int r = parse(&m, chain);

        if (r == 0)
                r = check_leaf(&m);
        if (r == 0)
                r = check_times(&m);
        if (r == 0)
                r = check_order(&m);
        return r < 0 ? r : verify(&m);
}

/* ---- PEM ---- */

static void bio_free(BIO **b) {
        BIO_free(*b);
}

/* True if reading stopped because there are no more of them. */
static bool is_at_end(void) {
        const unsigned long e = ERR_peek_last_error();

        return ERR_GET_LIB(e) == ERR_LIB_PEM && ERR_GET_REASON(e) == PEM_R_NO_START_LINE;
}

static int add_der(X509 *x, struct buf *storage, struct attestation_chain *chain,
                   struct buf *reason) {
        unsigned char *der = NULL;
        const size_t at = storage->len;
        const int n = i2d_X509(x, &der);

        X509_free(x);
        if (n < 0)
                return -ENOMEM;
        if (chain->n == ATTESTATION_CHAIN_MAX) {
                OPENSSL_free(der);
                return refuse(reason, "It holds more than %d certificates", ATTESTATION_CHAIN_MAX);
        }
        buf_put(storage, BYTES(der, (size_t)n));
        OPENSSL_free(der);
        if (buf_error(storage) < 0)
                return refuse(reason, "The certificates are too long");
        chain->der[chain->n++] = BYTES(storage->data + at, (size_t)n);
        return 0;
}

size_t attestation_chain_size(const struct attestation_chain *chain) {
        size_t n = 0;

        for (size_t i = 0; i < chain->n; i++)
                n += chain->der[i].len;
        return n;
}

static int until(struct bytes der, int64_t *ret) {
        const unsigned char *at = der.data;
        X509 *x = d2i_X509(NULL, &at, (long)der.len);
        struct tm parts = { 0 };
        const bool has = x && ASN1_TIME_to_tm(X509_get0_notAfter(x), &parts) == 1;

        X509_free(x);
        ERR_clear_error();
        if (!has)
                return -EBADMSG;
        *ret = timegm(&parts);
        return 0;
}

int attestation_chain_until(const struct attestation_chain *chain, int64_t *ret) {
        int64_t first = INT64_MAX, of_this = 0;

        for (size_t i = 0; i < chain->n; i++) {
                int r = until(chain->der[i], &of_this);

                if (r < 0)
                        return r;
                first = of_this < first ? of_this : first;
        }
        *ret = first;
        return 0;
}

int attestation_chain_read(struct bytes pem, struct buf *storage, struct attestation_chain *ret,
                           struct buf *reason) {
        _cleanup_(bio_free) BIO *bio =
                BIO_new_mem_buf(pem.data ? pem.data : (const uint8_t *)"", (int)pem.len);
        struct attestation_chain chain = { 0 };
        X509 *x;
        int r = 0;

        if (!bio)
                return -ENOMEM;
        ERR_clear_error();
        while (r == 0 && (x = PEM_read_bio_X509(bio, NULL, NULL, NULL)) != NULL)
                r = add_der(x, storage, &chain, reason);
        if (r == 0 && !is_at_end())
                r = refuse(reason, "Certificate %zu is damaged", chain.n + 1);
        ERR_clear_error();
        if (r == 0 && chain.n == 0)
                r = refuse(reason, "It holds no certificate in PEM");
        if (r == 0)
                *ret = chain;
        return r;
}

int attestation_chain_write(const struct attestation_chain *chain, struct buf *pem) {
        _cleanup_(bio_free) BIO *bio = BIO_new(BIO_s_mem());
        char *text;
        long n;

        if (!bio)
                return -ENOMEM;
        for (size_t i = 0; i < chain->n; i++)
                if (PEM_write_bio(bio, PEM_STRING_X509, "", chain->der[i].data,
                                  (long)chain->der[i].len) == 0)
                        return -ENOMEM;
        n = BIO_get_mem_data(bio, &text);
        buf_put(pem, BYTES(text, (size_t)n));
        return buf_error(pem);
}
