/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* The insides of a backend. Only backend.c, backend-audit.c and backend-restore.c include this. */

#include "authenticator/attester-tpm.h"
#include "authenticator/audit-event.h"
#include "authenticator/backend.h"
#include "authenticator/reason.h"
#include "ctap/macro.h"

struct backend {
        struct backend_options options;
        struct log_context log;
        struct ctap_clock clock;
        struct ctap_rng rng;
        struct ctap_witness witness;

        struct store *store;
        int simulator_fd;
        struct tpm *tpm;
        struct vault *vault;
        struct attester *attester;         /* by an organisation's key; NULL: there is none */
        struct attester_tpm *attester_tpm; /* by the TPM's, where there is no other */
        struct ctap *ctap;
        struct backend_facts facts;
        struct journal *journal;
        int lost; /* why it is closed though it was open, at this step; 0: it is not */
        enum reason_step lost_step;

        struct backend_transfer transfer;
};

struct store_options backend_store_options(struct backend *b);
_must_check_ int backend_open_tpm(struct backend *b);
/* From nothing but a simulator that may be there; on failure some of it is open. */
_must_check_ int backend_open_steps(struct backend *b, struct bytes owner_auth,
                                    enum reason_step *ret_step, struct buf *reason);
void backend_explain(const struct backend *b, enum reason_step step, int error, struct buf *reason);
/*
 * Removes from the TPM, which is not unlocked, what empty stores had there whose places backups took, and
 * then these stores. What cannot be removed now is so when it is opened next.
 */
void backend_remove_replaced(struct backend *b, struct bytes owner_auth);
/* It was open, and cannot be any more: closes it, for backend_why_lost(). */
void backend_lose(struct backend *b, enum reason_step step, int error);
/* Closes all that is used with the store; the store and a simulator stay. */
void backend_let_go(struct backend *b);

/* ---- backend-audit.c ---- */

extern const struct ctap_witness_ops backend_witness_ops;
store_changed_fn backend_note_change;
void backend_audit(const struct backend *b, const struct audit_event *e);
/* It could not be opened; an event if that is the TPM's. */
void backend_audit_failure(const struct backend *b, enum reason_step step, int error);
