/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * What happens to a backend, as events: for its owner into the journal in the store, for the
 * administrator on the way to the machine's. The store tells of what is gone, the witness of what a
 * client brought about, with the site that the store does not know.
 */

#include "authenticator/backend-parts.h"

#include <errno.h>

#include "authenticator/outcome.h"
#include "ctap/status.h"

void backend_audit(const struct backend *b, const struct audit_event *e) {
        if (b->options.audit)
                b->options.audit(b->options.audit_userdata, e);
}

void backend_audit_failure(const struct backend *b, enum reason_step step, int error) {
        const struct audit_event e = { .what = AUDIT_TPM_FAILED, .error = error };

        /* A password that is missing and a setting that forbids it are no faults of the TPM's. */
        if ((step & (STEP_TPM | STEP_VAULT)) && error != -EACCES && error != -EPERM)
                backend_audit(b, &e);
}

/* ---- what the store tells ---- */

static void audit_deleted(const struct backend *b, const struct ctap_credential_id *id) {
        struct audit_event e = { .what = AUDIT_DELETED };

        audit_set_credential(&e, id);
        backend_audit(b, &e);
}

/* A store that is only just provisioned was erased too, which is no event. */
void backend_note_change(void *userdata, enum store_change change,
                         const struct ctap_credential_id *id, const struct ctap_row *row) {
        struct backend *b = userdata;

        if (!b->vault)
                return;
        switch (change) {
        case STORE_INSERTED:
                journal_note(b->journal, JOURNAL_CREATE, CTAP_OK, id, BYTES_NULL, BYTES_NULL);
                break;
        case STORE_USED:
                journal_note(b->journal, JOURNAL_USE, CTAP_OK, id, BYTES_NULL, BYTES_NULL);
                break;
        case STORE_DELETED:
                journal_note_row(b->journal, JOURNAL_DELETE, row, tpm_store_key(b->tpm));
                audit_deleted(b, id);
                break;
        case STORE_ERASED:
                journal_drop(b->journal);
                journal_note(b->journal, JOURNAL_RESET, CTAP_OK, NULL, BYTES_NULL, BYTES_NULL);
                backend_audit(b, &(struct audit_event){ .what = AUDIT_RESET });
                break;
        }
}

/* ---- what the witness is told ---- */

static void put_number(struct audit_event *e, uint32_t number) {
        e->has_number = true;
        e->number = number;
}

static void put_ceremony(struct audit_event *e, const struct ctap_notice *notice) {
        e->has_flags = true;
        e->up = true;
        e->uv = notice->uv;
}

static struct audit_event event_of(const struct ctap_notice *notice) {
        static const enum audit_what whats[] = {
                [CTAP_NOTED_CREATED] = AUDIT_CREATED,
                [CTAP_NOTED_USED] = AUDIT_USED,
                [CTAP_NOTED_PIN_WRONG] = AUDIT_PIN_WRONG,
                [CTAP_NOTED_PIN_BLOCKED] = AUDIT_PIN_BLOCKED,
                [CTAP_NOTED_PIN_SET] = AUDIT_PIN_SET,
                [CTAP_NOTED_PIN_CHANGED] = AUDIT_PIN_CHANGED,
                [CTAP_NOTED_SETTING] = AUDIT_CONFIG_CHANGED,
                [CTAP_NOTED_POLICY] = AUDIT_POLICY_REFUSED,
        };
        struct audit_event e = { .what = whats[notice->what] };

        switch (notice->what) {
        case CTAP_NOTED_CREATED:
                e.op = AUDIT_OP_CREATE;
                put_ceremony(&e, notice);
                break;
        case CTAP_NOTED_USED:
                e.op = AUDIT_OP_USE;
                put_ceremony(&e, notice);
                break;
        case CTAP_NOTED_PIN_WRONG:
        case CTAP_NOTED_SETTING:
                put_number(&e, notice->number);
                break;
        case CTAP_NOTED_PIN_BLOCKED:
        case CTAP_NOTED_PIN_SET:
        case CTAP_NOTED_PIN_CHANGED:
                break;
        case CTAP_NOTED_POLICY:
                e.op = outcome_op(notice->command);
                e.status = (uint8_t)notice->status;
                break;
        }
        return e;
}

static void note(struct ctap_witness *w, const struct ctap_notice *notice) {
        const struct backend *b = container_of(w, struct backend, witness);
        struct audit_event e = event_of(notice);

        if (notice->credential)
                audit_set_credential(&e, notice->credential);
        audit_set_rp_id(&e, notice->rp_id);
        backend_audit(b, &e);
}

const struct ctap_witness_ops backend_witness_ops = { .note = note };
