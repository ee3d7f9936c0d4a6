/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * See attester-tpm.h. Which certificates are good was looked at when they were installed. Here only what
 * would make a statement wrong counts: that they are of this key, fit into a reply, and have not expired.
 */

#include "authenticator/attester-tpm.h"

#include <errno.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/x509.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "authenticator/attestation-chain.h"
#include "authenticator/attestation-state.h"
#include "authenticator/attester.h"
#include "ctap/attestation.h"
#include "tpm/attestation-key.h"

struct attester_tpm {
        struct ctap_attester port;
        struct attester_tpm_options options;
        bool usable;
        int64_t until; /* seconds since the epoch: when the first certificate expires */
        struct tpm_attestation_key key;
        struct attestation_chain chain;
        uint8_t der[ATTESTATION_CHAIN_BYTES]; /* that of the chain */
        char note[ATTESTER_NOTE_MAX];
};

/* ---- what is wrong ---- */

#define EXPIRED                                                                                  \
        "The TPM does not attest to new passkeys: its certificates have expired. Run: tpmauthn " \
        "attestation renew."
#define ANEW "Run: tpmauthn attestation remove, then: tpmauthn attestation request."

static void _printf_(2, 3) note(struct attester_tpm *a, const char *format, ...) {
        char what[ATTESTER_NOTE_MAX - 128];
        va_list ap;

        va_start(ap, format);
        vsnprintf(what, sizeof(what), format, ap);
        va_end(ap);
        snprintf(a->note, sizeof(a->note), "The TPM does not attest to new passkeys: %s", what);
}

static void note_key(struct attester_tpm *a, int error) {
        switch (-error) {
        case ESTALE:
        case EKEYREJECTED:
                note(a,
                     "the attestation key is of another TPM, or this one was cleared since. " ANEW);
                break;
        case EBADMSG:
                note(a, "the file of the attestation key is damaged. " ANEW);
                break;
        case EPERM:
                note(a,
                     "other accounts can write what is kept of the attestation key. Look at the "
                     "folder %s/attestation; then: tpmauthn replug.",
                     a->options.state_directory);
                break;
        case ENOENT:
                note(a, "there are certificates, and no attestation key. " ANEW);
                break;
        default:
                note(a,
                     "its attestation key cannot be used: %s. The log has more; then: tpmauthn replug.",
                     strerror(-error));
                break;
        }
}

/* By the clock of sites' servers, as far as this machine knows it. */
static bool has_expired(const struct attester_tpm *a) {
        return (int64_t)time(NULL) >= a->until;
}

/* ---- opening ---- */

static void pkey_free(EVP_PKEY **key) {
        EVP_PKEY_free(*key);
}

static void x509_free(X509 **x) {
        X509_free(*x);
}

static bool is_certificate_of(struct bytes der, const struct ctap_public_key *key) {
        const uint8_t *at = der.data;
        _cleanup_(x509_free) X509 *x = d2i_X509(NULL, &at, (long)der.len);
        _cleanup_(pkey_free) EVP_PKEY *of = x ? X509_get_pubkey(x) : NULL;
        uint8_t point[65], want[65] = { POINT_CONVERSION_UNCOMPRESSED };
        size_t n = 0;
        bool is;

        memcpy(want + 1, key->x, 32);
        memcpy(want + 33, key->y, 32);
        is = of &&
             EVP_PKEY_get_octet_string_param(of, OSSL_PKEY_PARAM_PUB_KEY, point, sizeof(point),
                                             &n) == 1 &&
             bytes_equal(BYTES(point, n), BYTES_OF(want));
        ERR_clear_error();
        return is;
}

/* False: the note tells why. */
static bool read_chain(struct attester_tpm *a, struct bytes pem) {
        char text[256];
        struct buf reason = { (uint8_t *)text, 0, sizeof(text), false };
        struct buf der = BUF_ON(a->der);
        struct tpm_attestation_facts facts;
        int r = tpm_attestation_key_facts(&a->key, &facts);

        if (r < 0) {
                note_key(a, r);
                return false;
        }
        if (attestation_chain_read(pem, &der, &a->chain, &reason) < 0) {
                note(a, "of its certificates, %.*s. Install them again.", (int)reason.len, text);
                return false;
        }
        if (attestation_chain_until(&a->chain, &a->until) < 0) {
                note(a, "one of its certificates is damaged. Install them again.");
                return false;
        }
        if (!is_certificate_of(a->chain.der[0], &facts.public_key)) {
                note(a, "the certificates are of another attestation key than it has. " ANEW);
                return false;
        }
        if (attestation_chain_size(&a->chain) > ctap_attestation_room(CTAP_KEY_P256)) {
                note(a, "its certificates have %zu bytes together; clients take %zu.",
                     attestation_chain_size(&a->chain), ctap_attestation_room(CTAP_KEY_P256));
                return false;
        }
        return true;
}

/* Without certificates nothing is amiss: it was not enrolled, or is about to be. */
static void open_files(struct attester_tpm *a) {
        uint8_t storage[ATTESTATION_FILE_MAX];
        struct buf pem = BUF_ON(storage);
        int r = attestation_state_read(a->options.state_directory, ATTESTATION_CHAIN, &pem);

        if (r == -ENOENT)
                return;
        if (r == 0)
                r = attestation_state_read_key(a->options.state_directory, &a->key);
        if (r == 0)
                r = tpm_attestation_key_check(a->options.tpm, &a->key);
        if (r < 0)
                note_key(a, r);
        else
                a->usable = read_chain(a, buf_bytes(&pem));
}

/* ---- the port ---- */

static struct attester_tpm *of_port(struct ctap_attester *port) {
        return container_of(port, struct attester_tpm, port);
}

static struct bytes certificate(struct ctap_attester *port, size_t nth) {
        const struct attestation_chain *chain = &of_port(port)->chain;

        return nth < chain->n ? chain->der[nth] : BYTES_NULL;
}

static bool serves(struct ctap_attester *port, struct bytes rp_id) {
        return attester_names(of_port(port)->options.rp_ids, rp_id);
}

static bool is_good(struct ctap_attester *port) {
        return !has_expired(of_port(port));
}

/* The note goes when it works again. */
static int tell(struct attester_tpm *a, int r) {
        if (r < 0)
                note_key(a, r);
        else
                *a->note = '\0';
        return r;
}

static int load(struct ctap_attester *port, struct bytes blob, struct ctap_loaded_key **ret) {
        struct attester_tpm *a = of_port(port);

        return tell(a, tpm_attestation_key_load(a->options.tpm, &a->key, blob, ret));
}

static int certify(struct ctap_attester *port, struct ctap_loaded_key *key, struct bytes data,
                   struct ctap_certification *ret) {
        struct attester_tpm *a = of_port(port);

        return tell(a, tpm_attestation_key_certify(a->options.tpm, &a->key, key, data, ret));
}

static const struct ctap_attester_ops ops = {
        .certificate = certificate,
        .serves = serves,
        .is_good = is_good,
        .load = load,
        .certify = certify,
};

struct attester_tpm *attester_tpm_open(const struct attester_tpm_options *options) {
        struct attester_tpm *a = calloc(1, sizeof(*a));

        if (!a)
                return NULL;
        a->port.ops = &ops;
        a->options = *options;
        open_files(a);
        return a;
}

struct attester_tpm *attester_tpm_close(struct attester_tpm *a) {
        free(a);
        return NULL;
}

struct ctap_attester *attester_tpm_port(struct attester_tpm *a) {
        return a && a->usable ? &a->port : NULL;
}

const char *attester_tpm_note(const struct attester_tpm *a) {
        if (!a)
                return "";
        return a->usable && has_expired(a) ? EXPIRED : a->note;
}

uint64_t attester_tpm_lifetime_ms(const struct attester_tpm *a) {
        const int64_t left = a && a->usable ? a->until - (int64_t)time(NULL) : 0;

        return left > 0 ? (uint64_t)left * 1000 : UINT64_MAX;
}
