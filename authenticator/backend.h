/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/*
 * What stands behind one virtual device: store, TPM, vault and authenticator, opened and closed as
 * one. A failure to open is told as a sentence that says what to do about it. One thread uses it.
 */

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>

#include "authenticator/attester.h"
#include "authenticator/audit-event.h"
#include "authenticator/backup.h"
#include "authenticator/journal.h"
#include "authenticator/log.h"
#include "authenticator/presence.h"
#include "authenticator/store.h"
#include "authenticator/vault.h"
#include "ctap/bytes.h"
#include "ctap/ctap.h"
#include "ctap/macro.h"
#include "tpm/tpm.h"

/* getInfo's maxMsgSize: any request then fits the kernel's queue of 31 reports. */
#define BACKEND_MESSAGE_MAX 1536

struct backend_options {
        const char *id; /* of the instance */
        const char *store_path;
        uint32_t max_credentials;
        /* What the configuration says; the AAGUID and the like are filled in. Its lists are borrowed. */
        struct ctap_options ctap;
        const char *state_directory; /* where the machine's attestation is kept; NULL: nowhere */
        struct attester_options attester; /* its key is NULL or empty: there is none */
        struct tpm_options tpm; /* its log callback and its fd are set when it is opened */
        bool private_simulator; /* the TPM is a simulator that ends with this process */
        enum presence_mode presence_mode;
        struct ctap_presence *presence;
        const struct log *log;
        /* Events for the administrator; NULL: nobody wants them. */
        void (*audit)(void *userdata, const struct audit_event *e);
        void *audit_userdata;
};

struct backend;

/* Nothing is opened. The strings, the port and the log are borrowed. */
_must_check_ int backend_new(const struct backend_options *options, struct backend **ret);
/* NULL is fine. Returns NULL. */
struct backend *backend_free(struct backend *b);

#define BACKEND_NOTE_MAX 640

/* What the loop shall know of a backend that opened. */
struct backend_facts {
        bool simulator;
        bool simulates; /* and the configuration wants one: what it is told stands in for a person */
        char tpm[64];   /* such as "IBM SW TPM" */
        enum tpm_pin_kind pin_kind;
        enum tpm_hmac_kind hmac_kind;
        char note[BACKEND_NOTE_MAX]; /* a sentence for the owner, or empty */
};

/*
 * Closes what is open and opens anew. `simulator_fd` is -1 or a descriptor of the private simulator,
 * which this takes, also on failure. `owner_auth`: see vault.h. `out` is then struct backend_facts, or
 * else the reason. -EACCES: the TPM wants the owner's password, or another one, and nothing else.
 *
 * A store of another TPM, or of this one before it was cleared, is set aside (store-aside.h) and an
 * empty one begun. The note says so for as long as the old one lies there.
 */
_must_check_ int backend_open(struct backend *b, int simulator_fd, struct bytes owner_auth,
                              struct buf *out);
/* Ends cleanly what is open. */
void backend_close(struct backend *b);
_must_check_ int backend_facts_read(struct bytes in, struct backend_facts *ret);

/* CTAP reset without its question: erases every credential, in the TPM first. Errors as vault.h. */
_must_check_ int backend_reset(struct backend *b, struct bytes owner_auth);

/*
 * 0, or why a reset or a restore left nothing open, with the reason and the errors of backend_open(). Until
 * that is called.
 */
int backend_why_lost(const struct backend *b, struct buf *reason);

/* Asks the TPM whether it works, by one command. On failure the reason, as of backend_open(). */
_must_check_ int backend_check(struct backend *b, struct buf *reason);

/* The machine slept, or is about to: nobody is verified any more, and the TPM is let go. */
void backend_suspend(struct backend *b);

/* After an answer went out; and when nothing happened for a while. */
void backend_settle(struct backend *b);
void backend_idle(struct backend *b);
/* Whether something is to be made ahead that takes seconds; when nothing happened for long. */
bool backend_wants_spare(const struct backend *b);
void backend_make_spare(struct backend *b);

/* Of one that is open: see struct backend_facts. */
bool backend_simulates(const struct backend *b);
/* NULL while it is not open. */
struct ctap *backend_ctap(const struct backend *b);
struct store *backend_store(const struct backend *b);
struct tpm *backend_tpm(const struct backend *b);
struct vault *backend_vault(const struct backend *b);
/* Of 16 bytes. */
const uint8_t *backend_aaguid_of(bool simulator);
const uint8_t *backend_aaguid(const struct backend *b);
/* That of who attests, in DER, borrowed; empty if nobody does. */
struct bytes backend_certificate(const struct backend *b);
/* Always there. What was noted in it is written when idle; this writes it now. */
struct journal *backend_journal(const struct backend *b);
void backend_write_journal(struct backend *b);

/* A backup on its way out or in, in pages; it is dropped when idle. */
struct backend_transfer {
        struct buf bytes;
        bool incoming;
        uint32_t copy; /* counts those that went out */
};

struct backend_transfer *backend_transfer(struct backend *b);
void backend_transfer_drop(struct backend *b);
/* Bytes that one may have. */
int64_t backend_transfer_max(const struct backend *b);

struct backend_restored {
        uint32_t added; /* credentials that came back */
        bool replaced;  /* an empty store, and not one that has the rest of them */
        int64_t made;   /* when the backup was */
        char aside[NAME_MAX +
                   1]; /* where that is for as long as the TPM has its part of it, or empty */
};

/*
 * Adds to the store what a backup of it has, or takes a backup of a lost store in the place of an
 * empty one. -EPERM: it is not of this TPM, this instance and this time between two resets, or there
 * is something that it would replace. Another failure with a reason: nothing is open any more.
 */
_must_check_ int backend_restore(struct backend *b, const struct backup *backup,
                                 struct backend_restored *ret, struct buf *reason);

/* A sentence for the owner about the TPM's own attestation, or empty. It changes with use and time. */
const char *backend_attestation_note(const struct backend *b);
/* How long until it does by itself, or UINT64_MAX. */
uint64_t backend_attestation_lifetime_ms(const struct backend *b);

const char *backend_id(const struct backend *b);
