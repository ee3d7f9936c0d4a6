/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * From a record to what is used: P2's authValue through the gate, then the store key under P2. Eleven
 * commands:
 *   Load P1, StartAuthSession, PolicySecret, Load and (PolicySecret) Unseal P2's authValue, Flush it,
 *   Flush P1, Load and Unseal the store key, Flush it.
 */

#include <errno.h>
#include <stdlib.h>
#include <syslog.h>

#include "tpm/seal.h"
#include "tpm/unlock.h"

static int unlock(struct tpm *t) {
        _cleanup_(tpm_gate_close) struct tpm_gate gate = TPM_GATE_NONE;
        int r;

        r = tpm_gate_open(t, t->record, &gate);
        if (r >= 0)
                r = tpm_unseal_auth(t, &gate, &t->record->sealed_auth, &t->worker_auth);
        if (r < 0)
                return r;

        /* The TPM may have no more room than for P1 and two others. */
        tpm_handle_flush(&gate.key);
        r = tpm_unseal_store_key(t, &gate, &t->record->sealed_store_key, &t->store_key);
        if (r < 0)
                return r;

        t->unlocked = true;
        return 0;
}

int tpm_unlock_record(struct tpm *t, struct tpm_record *record) {
        bool worker_is_gone = t->worker_is_gone;
        int r;

        tpm_forget(t);
        t->worker_is_gone = worker_is_gone;
        t->record = record;
        r = unlock(t);
        if (r < 0) {
                worker_is_gone = t->worker_is_gone;
                tpm_forget(t);
                t->worker_is_gone = worker_is_gone;
        }
        return r;
}

static int unlock_step(struct tpm *t, void *userdata) {
        const struct tpm_state *state = userdata;
        struct tpm_record *record = malloc(sizeof(*record));
        int r;

        if (!record)
                return -ENOMEM;
        r = tpm_state_decode(state, record);
        if (r >= 0 && record->phase != TPM_PHASE_READY)
                r = -EINVAL;
        if (r < 0) {
                free(record);
                return r;
        }
        return tpm_unlock_record(t, record);
}

int tpm_unlock(struct tpm *t, const struct tpm_state *state) {
        struct tpm_state copy = *state;
        int r;

        tpm_forget(t);
        r = tpm_run(t, unlock_step, &copy);
        if (r == -EBADMSG)
                tpm_log(t, LOG_ERR, "TPM state: damaged, or written by another version");
        if (r < 0)
                tpm_forget(t);
        return r;
}

const struct secret32 *tpm_store_key(const struct tpm *t) {
        return t->unlocked ? &t->store_key : NULL;
}
