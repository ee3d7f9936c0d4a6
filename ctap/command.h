/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/*
 * The authenticator's state, and what each command file offers to the dispatch table. Private to
 * ctap/: others see struct ctap through ctap.h. A command is decode, authorize, confirm, act,
 * encode, and one file.
 */

#include <stdbool.h>
#include <stdint.h>

#include "ctap/bytes.h"
#include "ctap/cbor.h"
#include "ctap/credential.h"
#include "ctap/ctap.h"
#include "ctap/env.h"
#include "ctap/extension.h"
#include "ctap/macro.h"
#include "ctap/pin-protocol.h"
#include "ctap/pin-token.h"
#include "ctap/status.h"
#include "ctap/u2f.h"

/* A walk is given up when it is not continued for so long (GN2, CM12). */
#define CTAP_WALK_MS 30000
/* After power-up, for a reset that no display explains (RS1). */
#define CTAP_RESET_WINDOW_MS 10000

/* What a begun enumeration must remember until its next step. */
enum ctap_walk_kind {
        CTAP_WALK_NONE,
        CTAP_WALK_ASSERTIONS,  /* getNextAssertion */
        CTAP_WALK_RPS,         /* enumerateRPsGetNextRP */
        CTAP_WALK_CREDENTIALS, /* enumerateCredentialsGetNextCredential */
        CTAP_WALK_LARGE_BLOBS, /* authenticatorLargeBlobs, from the second fragment on */
};

/* Whether a person was verified, for the rest of the command, and of a walk. A secret. */
struct ctap_verification {
        bool verified;             /* the uv bit */
        bool due;                  /* not yet, or not by the PIN, but once they are asked */
        bool pin_only;             /* what they are verified for takes the ticket */
        bool present;              /* they were there a moment ago and need not be asked again */
        struct ctap_ticket ticket; /* a copy: the token may end first. Empty: it was a finger */
        uint64_t ends_ms;          /* with the token; the persistent one has neither */
};

/* True if nothing is done before a person was verified. */
static inline bool ctap_takes_verification(const struct ctap_verification *v) {
        return v->verified || v->due;
}

/*
 * What they are verified for is done by the key device alone for who showed it the PIN: a finger does
 * not answer the question, and whose finger it was has a question yet to come.
 */
static inline void ctap_take_ticket(struct ctap_verification *v) {
        v->pin_only = true;
        v->due = v->due || (v->verified && v->ticket.len == 0);
}

/* NULL unless a person was verified; empty if by a finger. */
static inline const struct ctap_ticket *ctap_ticket_of(const struct ctap_verification *v) {
        return v->verified ? &v->ticket : NULL;
}

/* What all assertions of one request have in common, and how far a walk has come. A secret. */
struct ctap_assertions_walk {
        struct sha256 rp_id_hash;
        struct sha256 rp_tag;
        struct sha256 client_data_hash;
        struct ctap_verification verification;
        struct ctap_extensions extensions;
        uint64_t before;     /* the next one is the newest below this sequence */
        uint32_t n;          /* that were counted */
        uint32_t remaining;  /* of them, that were not yet given */
        uint8_t max_protect; /* the highest credProtect level that may be given */
        bool takes_pin;      /* the key of one of them is behind the PIN */
        bool up;             /* a person was there */
};

/* How far a list of RPs has come, or one of an RP's credentials. A secret. */
struct ctap_list_walk {
        struct ctap_verification verification;
        struct sha256 rp_tag; /* of the RP that was given last; or that all of them are of */
        uint64_t before;      /* the next credential is the newest below this sequence */
        uint32_t remaining;   /* that were counted and not yet given */
};

/* How far a write has come. `data` is of the whole length, and the walk's to free. */
struct ctap_large_blobs_walk {
        uint8_t *data;
        uint32_t length;
        uint32_t n; /* that are there */
};

struct ctap_walk {
        enum ctap_walk_kind kind;
        uint32_t channel; /* the only one that may go on */
        uint64_t expires_ms;
        uint64_t ends_ms; /* with the token that allowed it */
        union {
                struct ctap_assertions_walk assertions;
                struct ctap_list_walk list;
                struct ctap_large_blobs_walk large_blobs;
        };
};

struct ctap {
        struct ctap_env env;
        struct ctap_options options;
        struct ctap_credential_keys credential_keys;
        bool has_credential_keys; /* false: to be derived from the store key */
        struct ctap_walk walk;
        uint64_t reset_until_ms; /* the end of the window that power-up opened */
        struct ctap_key_agreement agreement;
        struct ctap_token token;
        uint8_t pin_mismatches;              /* in a row, since power-up (CP4) */
        uint32_t n_pins_given;               /* that were right */
        uint64_t policy_told_until_ms[0x0e]; /* by command: policy.h */
        struct u2f u2f;
};

/* One request. */
struct ctap_call {
        uint32_t channel;
        struct cbor_value params; /* ABSENT for commands that take none */
};

typedef enum ctap_status ctap_run_fn(struct ctap *c, const struct ctap_call *call,
                                     struct cbor_writer *out);

ctap_run_fn ctap_make_credential;
ctap_run_fn ctap_get_assertion;
ctap_run_fn ctap_get_next_assertion;
ctap_run_fn ctap_get_info;
ctap_run_fn ctap_client_pin;
ctap_run_fn ctap_config;
ctap_run_fn ctap_credential_management;
ctap_run_fn ctap_large_blobs;
ctap_run_fn ctap_reset;
ctap_run_fn ctap_selection;

/*
 * The one place where a failure of the machine becomes an answer: CTAP2_ERR_PIN_AUTH_INVALID for
 * -EKEYEXPIRED, CTAP1_ERR_OTHER for all others, CTAP_OK for 0. It has been logged where it began.
 */
_must_check_ enum ctap_status ctap_status_from_errno(int r);

/*
 * The same where a credential, or what it says, was to be kept: CTAP2_ERR_KEY_STORE_FULL for -ENOSPC
 * (MC16, CM10).
 */
_must_check_ enum ctap_status ctap_status_from_keeping(int r);

/*
 * The same for a call of the keys port that was given the token's ticket: a ticket that is refused
 * ends the token.
 */
_must_check_ enum ctap_status ctap_status_from_keys(struct ctap *c, int r);

/*
 * ctap_keys_ops.ticket_check; 0 where there is no ticket: what a finger opened, no restart of the key
 * device ends.
 */
_must_check_ int ctap_ticket_check(struct ctap *c, const struct ctap_ticket *ticket);

uint64_t ctap_now_ms(const struct ctap *c);
/* Nothing is done without verification (CTAP 2.3 §7.2). */
bool ctap_always_uv(const struct ctap *c);
/* U2F, which knows neither PIN nor finger, is served. */
bool ctap_has_u2f(const struct ctap *c);
/* authenticatorConfig knows this subcommand, now (getInfo authenticatorConfigCommands). */
bool ctap_config_has(const struct ctap *c, unsigned subcommand);
/* Ends the token, and with it what it was allowing (CP35). */
void ctap_end_token(struct ctap *c);
/* The same, and the key agreements too: as after a start (CP9). */
void ctap_forget_verification(struct ctap *c);
/*
 * A walk begins with nothing but its kind, its channel and its times; a verification that allowed it
 * ends it too. The command that goes on with one asks first. False: there is none of this kind, it is
 * over, or it is another channel's, which is left alone (GN1). One of another kind is given up: this is
 * not the command that it waits for (GN4, CM12).
 */
void ctap_walk_begin(struct ctap *c, enum ctap_walk_kind kind, uint32_t channel,
                     const struct ctap_verification *v);
bool ctap_walk_goes_on(struct ctap *c, enum ctap_walk_kind kind, uint32_t channel);
/* A step was made: there is time for another one. */
void ctap_walk_stepped(struct ctap *c);
void ctap_forget_walk(struct ctap *c);
/* Whatever a person said to U2F, or is still being asked, is of no effect from now on. */
void ctap_forget_answers(struct ctap *c);
/* Derives the credential keys from the store key unless they are there. */
_must_check_ int ctap_need_credential_keys(struct ctap *c);
/* The store key may have changed: the next request derives the credential keys anew. */
void ctap_forget_credential_keys(struct ctap *c);
