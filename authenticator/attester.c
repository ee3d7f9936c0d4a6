/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Reading is a row of steps; each complains by itself, with the key of the configuration that named
 * the file. What must hold of the leaf is a table. Expiry is left to who verifies: this machine's
 * clock may be wrong when it starts.
 */

#include "authenticator/attester.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "authenticator/certificate.h"
#include "authenticator/util.h"

struct attester {
        struct ctap_attester port;
        EVP_PKEY *key;
        struct bytes certificates[ATTESTER_CERTIFICATES_MAX]; /* DER, OpenSSL's */
        char *rp_ids;
};

/* What is read, before it is an attester. */
struct material {
        const struct attester_options *options;
        const uint8_t *aaguid;
        struct buf *reason;
        EVP_PKEY *key;
        X509 *certificates[ATTESTER_CERTIFICATES_MAX];
        size_t n;
};

static void material_done(struct material *m) {
        EVP_PKEY_free(m->key);
        for (size_t i = 0; i < m->n; i++)
                X509_free(m->certificates[i]);
        ERR_clear_error();
}

static void bio_free(BIO **b) {
        BIO_free(*b);
}

/* "[attestation] key = /etc/key.pem: it holds no key." Returns the error. */
static int _printf_(5, 6) complain(const struct material *m, int error, const char *key,
                                   const char *path, const char *format, ...) {
        char what[256], text[768];
        va_list ap;

        va_start(ap, format);
        vsnprintf(what, sizeof(what), format, ap);
        va_end(ap);
        snprintf(text, sizeof(text), "[attestation] %s = %.400s: %s.", key, path, what);
        buf_put(m->reason, BYTES_TEXT(text));
        return error;
}

/* ---- files ---- */

static int open_file(const struct material *m, const char *key, const char *path,
                     struct stat *ret_stat, BIO **ret) {
        _cleanup_(close_fd_pointer) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
        FILE *file;
        BIO *bio;

        if (fd < 0 || fstat(fd, ret_stat) < 0)
                return complain(m, -errno, key, path, "it cannot be read: %s", strerror(errno));
        if (!S_ISREG(ret_stat->st_mode))
                return complain(m, -EINVAL, key, path, "it is not a file");
        file = fdopen(fd, "r");
        if (!file)
                return -errno;
        take_fd(&fd);
        (void)!setvbuf(file, NULL, _IONBF, 0); /* a buffer would keep a copy of the key */
        bio = BIO_new_fp(file, BIO_CLOSE);
        if (!bio) {
                fclose(file);
                return -ENOMEM;
        }
        *ret = bio;
        return 0;
}

/* There is nobody to ask. */
static int no_password(char *to _unused_, int size _unused_, int writing _unused_,
                       void *userdata _unused_) {
        return 0;
}

static int read_key(struct material *m) {
        const char *path = m->options->key;
        _cleanup_(bio_free) BIO *bio = NULL;
        struct stat st;
        char group[32] = "";
        int r;

        r = open_file(m, "key", path, &st, &bio);
        if (r < 0)
                return r;
        if (st.st_mode & S_IRWXO)
                return complain(m, -EPERM, "key", path,
                                "everybody on this machine may read it (chmod o= %s)", path);
        m->key = PEM_read_bio_PrivateKey(bio, NULL, no_password, NULL);
        if (!m->key)
                return complain(m, -EINVAL, "key", path,
                                "it holds no private key in PEM that needs no password");
        if (EVP_PKEY_get_group_name(m->key, group, sizeof(group), NULL) != 1 ||
            strcmp(group, SN_X9_62_prime256v1) != 0)
                return complain(m, -EINVAL, "key", path, "it is no key on the curve P-256");
        return 0;
}

/* True if reading stopped because the file has no more of them. */
static bool is_at_end(void) {
        const unsigned long e = ERR_peek_last_error();

        return ERR_GET_LIB(e) == ERR_LIB_PEM && ERR_GET_REASON(e) == PEM_R_NO_START_LINE;
}

static int read_certificates(struct material *m) {
        const char *path = m->options->certificates;
        _cleanup_(bio_free) BIO *bio = NULL;
        struct stat st;
        X509 *x;
        int r;

        r = open_file(m, "certificates", path, &st, &bio);
        if (r < 0)
                return r;
        ERR_clear_error();
        while ((x = PEM_read_bio_X509(bio, NULL, no_password, NULL))) {
                if (m->n == ATTESTER_CERTIFICATES_MAX) {
                        X509_free(x);
                        return complain(m, -EINVAL, "certificates", path,
                                        "it holds more than %d certificates",
                                        ATTESTER_CERTIFICATES_MAX);
                }
                m->certificates[m->n++] = x;
        }
        if (!is_at_end())
                return complain(m, -EINVAL, "certificates", path, "certificate %zu is damaged",
                                m->n + 1);
        if (m->n == 0)
                return complain(m, -EINVAL, "certificates", path, "it holds no certificate in PEM");
        return 0;
}

/* ---- what WebAuthn §8.2.1 demands of the leaf ---- */

/* A member of the subject that is there once: as UTF-8, to be freed with OPENSSL_free(); or NULL. */
static char *subject(const X509 *x, int nid) {
        const X509_NAME *name = X509_get_subject_name(x);
        const int at = X509_NAME_get_index_by_NID(name, nid, -1);
        unsigned char *text = NULL;

        if (at < 0 || X509_NAME_get_index_by_NID(name, nid, at) >= 0)
                return NULL;
        if (ASN1_STRING_to_UTF8(&text, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(name, at))) < 0)
                return NULL;
        return (char *)text;
}

static bool subject_is(const X509 *x, int nid, const char *wanted) {
        char *text = subject(x, nid);
        const bool is = text && (wanted ? strcmp(text, wanted) == 0 : *text);

        OPENSSL_free(text);
        return is;
}

static bool is_v3(const struct material *m) {
        return X509_get_version(m->certificates[0]) == X509_VERSION_3;
}

static bool has_country(const struct material *m) {
        char *text = subject(m->certificates[0], NID_countryName);
        const bool has =
                text && strlen(text) == 2 && strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") == 2;

        OPENSSL_free(text);
        return has;
}

static bool has_organisation(const struct material *m) {
        return subject_is(m->certificates[0], NID_organizationName, NULL);
}

static bool has_unit(const struct material *m) {
        return subject_is(m->certificates[0], NID_organizationalUnitName,
                          "Authenticator Attestation");
}

static bool has_name(const struct material *m) {
        return subject_is(m->certificates[0], NID_commonName, NULL);
}

static bool is_no_authority(const struct material *m) {
        return certificate_is_no_authority(m->certificates[0]);
}

static bool has_no_other_aaguid(const struct material *m) {
        return certificate_has_no_other_aaguid(m->certificates[0], m->aaguid);
}

static bool fits_key(const struct material *m) {
        return X509_check_private_key(m->certificates[0], m->key) == 1;
}

static const struct {
        bool (*holds)(const struct material *m);
        const char *otherwise;
} rules[] = {
        { fits_key, "is not that of the key" },
        { is_v3, "is not of version 3" },
        { has_country, "names no country by its two letters (C)" },
        { has_organisation, "names no organisation (O)" },
        { has_unit, "is not of OU = Authenticator Attestation" },
        { has_name, "has no name (CN)" },
        { is_no_authority, "does not say that it is no authority's (basicConstraints = CA:FALSE)" },
        { has_no_other_aaguid, "is for another AAGUID, or does not name it as it should" },
};

static int check_leaf(const struct material *m) {
        for (size_t i = 0; i < ELEMENTSOF(rules); i++)
                if (!rules[i].holds(m))
                        return complain(m, -EINVAL, "certificates", m->options->certificates,
                                        "the first certificate %s", rules[i].otherwise);
        return 0;
}

/* ---- all of them ---- */

static bool is_issuer(X509 *issuer, X509 *of) {
        return X509_check_ca(issuer) == 1 && X509_check_issued(issuer, of) == X509_V_OK &&
               X509_verify(of, X509_get0_pubkey(issuer)) == 1;
}

static int check_chain(const struct material *m) {
        const char *path = m->options->certificates;
        size_t size = 0;

        for (size_t i = 0; i < m->n; i++) {
                const int n = i2d_X509(m->certificates[i], NULL);

                if (n < 0)
                        return -ENOMEM;
                size += (size_t)n;
                if (i + 1 < m->n && !is_issuer(m->certificates[i + 1], m->certificates[i]))
                        return complain(m, -EINVAL, "certificates", path,
                                        "certificate %zu is not signed by the next one, as an "
                                        "authority's",
                                        i + 1);
        }
        if (size > CTAP_CERTIFICATES_MAX)
                return complain(m, -EINVAL, "certificates", path,
                                "the certificates have %zu bytes together (in DER); clients take "
                                "%d. The root need not be among them",
                                size, CTAP_CERTIFICATES_MAX);
        return 0;
}

/* ---- the port ---- */

static struct attester *of_port(struct ctap_attester *port) {
        return container_of(port, struct attester, port);
}

static struct bytes certificate(struct ctap_attester *port, size_t nth) {
        return nth < ATTESTER_CERTIFICATES_MAX ? of_port(port)->certificates[nth] : BYTES_NULL;
}

bool attester_names(const char *rp_ids, struct bytes rp_id) {
        for (const char *at = rp_ids; *at;) {
                const size_t n = strcspn(at, " \t");

                if (n > 0 && bytes_equal(BYTES(at, n), rp_id))
                        return true;
                at += n + strspn(at + n, " \t");
        }
        return false;
}

static bool serves(struct ctap_attester *port, struct bytes rp_id) {
        return attester_names(of_port(port)->rp_ids, rp_id);
}

static void pkey_ctx_free(EVP_PKEY_CTX **c) {
        EVP_PKEY_CTX_free(*c);
}

static int sign(struct ctap_attester *port, struct bytes digest, struct ctap_signature *ret) {
        _cleanup_(pkey_ctx_free) EVP_PKEY_CTX *c = EVP_PKEY_CTX_new(of_port(port)->key, NULL);
        struct ctap_signature made = { 0 };
        size_t n = sizeof(made.data);

        if (!c || EVP_PKEY_sign_init(c) != 1 ||
            EVP_PKEY_sign(c, made.data, &n, digest.data, digest.len) != 1) {
                ERR_clear_error();
                return -EIO;
        }
        made.len = (uint16_t)n;
        *ret = made;
        return 0;
}

static const struct ctap_attester_ops ops = {
        .certificate = certificate,
        .serves = serves,
        .sign = sign,
};

/* Takes the key; the certificates only as bytes. */
static int make_attester(struct material *m, struct attester **ret) {
        struct attester *a = calloc(1, sizeof(*a));

        if (!a)
                return -ENOMEM;
        a->port.ops = &ops;
        a->rp_ids = strdup(m->options->rp_ids);
        if (!a->rp_ids) {
                attester_close(a);
                return -ENOMEM;
        }
        for (size_t i = 0; i < m->n; i++) {
                unsigned char *der = NULL;
                const int n = i2d_X509(m->certificates[i], &der);

                if (n < 0) {
                        attester_close(a);
                        return -ENOMEM;
                }
                a->certificates[i] = BYTES(der, (size_t)n);
        }
        a->key = TAKE_PTR(m->key);
        *ret = a;
        return 0;
}

int attester_open(const struct attester_options *options, const uint8_t aaguid[16],
                  struct buf *reason, struct attester **ret) {
        _cleanup_(material_done) struct material m = {
                .options = options,
                .aaguid = aaguid,
                .reason = reason,
        };
        const size_t before = reason->len;
        int r;

        r = read_key(&m);
        if (r == 0)
                r = read_certificates(&m);
        if (r == 0)
                r = check_leaf(&m);
        if (r == 0)
                r = check_chain(&m);
        if (r == 0)
                r = make_attester(&m, ret);
        if (r < 0 && reason->len == before)
                return complain(&m, r, "key", options->key, "%s", strerror(-r));
        return r;
}

struct attester *attester_close(struct attester *a) {
        if (!a)
                return NULL;
        EVP_PKEY_free(a->key);
        for (size_t i = 0; i < ATTESTER_CERTIFICATES_MAX; i++)
                OPENSSL_free((void *)(uintptr_t)a->certificates[i].data);
        free(a->rp_ids);
        free(a);
        return NULL;
}

struct ctap_attester *attester_port(struct attester *a) {
        return a ? &a->port : NULL;
}
