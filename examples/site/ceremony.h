/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/*
 * The two ceremonies, as the site sees their end (WebAuthn §7.1 and §7.2): an answer, what was asked, and
 * a list of checks, done in order until one refuses. No input or output, no clock, no memory of earlier
 * ones: that is the store's.
 */

#include "examples/site/answer.h"
#include "examples/site/attestation.h"
#include "examples/site/auth-data.h"
#include "examples/site/client-data.h"
#include "examples/site/public-key.h"

#define N_ALGORITHMS_MAX 8

/* What became of the challenge that an answer holds. */
enum challenge_state {
        CHALLENGE_OPEN,
        CHALLENGE_UNKNOWN,
        CHALLENGE_USED,
        CHALLENGE_EXPIRED,
};

struct asked {
        const char *origin; /* "http://localhost:8080" */
        const char *rp_id;
        enum challenge_state challenge;
        bool needs_verification;

        /* Of a registration. */
        int64_t algorithms[N_ALGORITHMS_MAX];
        size_t n_algorithms;
        X509_STORE *roots; /* or NULL */

        /* Of a login: whose passkey it has to be; empty if nobody was named. */
        struct slice account;
};

/* What the site has of the passkey that a login names. */
struct known_credential {
        struct slice public_key; /* COSE */
        struct slice account;    /* the user handle */
        bool is_backup_eligible;
        bool is_marked;
};

struct ceremony {
        const struct asked *asked;
        const struct answer *answer;
        const struct known_credential *known; /* of a login; NULL: there is none */

        /* What was read by then. */
        size_t n_passed; /* checks */
        bool has_client, has_auth, has_key;
        struct client_data client;
        struct auth_data auth;
        struct public_key key;
        struct attestation attestation;
};

/* A check's name for programs, and in words; NULL behind the last. */
const char *ceremony_check_name(bool is_registration, size_t check);
const char *ceremony_check_text(bool is_registration, size_t check);

/* Fill in the first three members. What was read stays, whichever check refused. */
_must_check_ enum refusal ceremony_verify(struct ceremony *c);
