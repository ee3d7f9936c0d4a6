/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/*
 * What vouches for a new key (WebAuthn §8): nothing, the key itself, a certificate of the
 * authenticator's maker or owner, or a TPM's attestation key.
 */

#include <openssl/x509.h>

#include "examples/site/auth-data.h"
#include "examples/site/public-key.h"

#define ATTESTATION_CERTIFICATES_MAX 5

enum attestation_kind {
        ATTESTATION_NONE,
        ATTESTATION_SELF,
        ATTESTATION_CERTIFICATES, /* packed, with x5c */
        ATTESTATION_TPM,
};

struct attestation {
        struct slice format; /* "packed" */
        struct slice statement;
        struct slice auth_data;

        /* Only after attestation_verify(). */
        enum attestation_kind kind;
        bool is_trusted; /* its certificates lead to this site's root */
};

/* What an attestation is about. */
struct attested {
        const char *rp_id;
        const uint8_t *client_data_hash; /* 32 bytes */
        const struct auth_data *auth_data;
        const struct public_key *key;
};

/* Takes an attestation object apart (§6.5.4). */
_must_check_ enum refusal attestation_parse(struct slice object, struct attestation *ret);

/* Verifies what the format promises; roots may be NULL, and then no certificate is trusted. */
_must_check_ enum refusal attestation_verify(struct attestation *a, const struct attested *about,
                                             X509_STORE *roots);

const char *attestation_kind_name(enum attestation_kind kind);
