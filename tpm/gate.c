/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The policy stands in front of loading P2, once per start: under P2, which then is persistent,
 * creating and loading keys needs no policy commands. When the anchor is gone P2 cannot be loaded
 * again, and with it nothing that was made under it.
 *
 * The persistent P2 may have been evicted by somebody who tidied the TPM up. Nothing is lost
 * then: it is loaded from its blob and put back, or used as it is if it cannot be put back. Where
 * there was no room for it in the first place it is loaded in every connection.
 */

#include <errno.h>
#include <string.h>
#include <syslog.h>

#include "tpm/gate.h"
#include "tpm/srk.h"

void tpm_gate_close(struct tpm_gate *gate) {
        tpm_handle_flush(&gate->key);
        tpm_handle_flush(&gate->session);
        tpm_handle_close(&gate->anchor);
}

static TSS2_RC load_gate_key(struct tpm *t, const struct tpm_srk *srk,
                             const struct tpm_record *record, struct tpm_handle *ret) {
        const struct tpm_auth by = { srk->handle.tr, ESYS_TR_PASSWORD, ESYS_TR_NONE };

        return tpm_object_load(t, &by, &record->gate_key, ret);
}

int tpm_gate_open(struct tpm *t, const struct tpm_record *record, struct tpm_gate *ret) {
        _cleanup_(tpm_gate_close) struct tpm_gate gate = TPM_GATE_NONE;
        _cleanup_(tpm_srk_close) struct tpm_srk srk = TPM_SRK_NONE;
        ESYS_TR anchor;
        TSS2_RC rc;
        int r;

        r = tpm_srk_open(t, &record->srk, &srk);
        if (r < 0)
                return r;

        rc = load_gate_key(t, &srk, record, &gate.key);
        /* Gone from its handle, or another key is there now: ours may come out of the seed still. */
        if (tpm_rc_is_refusal(rc) && !srk.is_loaded) {
                tpm_srk_close(&srk);
                r = tpm_srk_make(t, &record->srk, &srk);
                if (r < 0)
                        return r;
                rc = load_gate_key(t, &srk, record, &gate.key);
        }
        if (rc != TSS2_RC_SUCCESS)
                return tpm_fail_stale(t, "TPM2_Load of P1", rc);

        r = tpm_session_start(t, srk.handle.tr, &gate.session);
        if (r < 0)
                return r;
        r = tpm_ref_open(t, &record->anchor.ref, tpm_nv_index(&record->anchor), &anchor);
        if (r < 0)
                return r;
        gate.anchor = tpm_handle(t, anchor);

        *ret = gate;
        gate = TPM_GATE_NONE;
        return 0;
}

int tpm_gate_pass(struct tpm *t, const struct tpm_gate *gate) {
        TSS2_RC rc = Esys_PolicySecret(t->esys, gate->anchor.tr, gate->session.tr, ESYS_TR_PASSWORD,
                                       ESYS_TR_NONE, ESYS_TR_NONE, NULL, NULL, NULL, 0, NULL, NULL);

        return rc == TSS2_RC_SUCCESS ? 0 : tpm_fail_stale(t, "TPM2_PolicySecret on the anchor", rc);
}

struct tpm_auth tpm_gate_auth(const struct tpm_gate *gate) {
        return (struct tpm_auth){ gate->key.tr, gate->session.tr, ESYS_TR_NONE };
}

static int set_worker_auth(struct tpm *t, ESYS_TR tr) {
        TPM2B_AUTH auth = { .size = sizeof(t->worker_auth.b) };
        TSS2_RC rc;

        memcpy(auth.buffer, t->worker_auth.b, sizeof(t->worker_auth.b));
        rc = Esys_TR_SetAuth(t->esys, tr, &auth);
        OPENSSL_cleanse(&auth, sizeof(auth));
        return rc == TSS2_RC_SUCCESS ? 0 : tpm_fail(t, "Esys_TR_SetAuth", rc);
}

static int load_worker(struct tpm *t, struct tpm_handle *ret) {
        _cleanup_(tpm_gate_close) struct tpm_gate gate = TPM_GATE_NONE;
        struct tpm_auth by;
        TSS2_RC rc;
        int r;

        r = tpm_gate_open(t, t->record, &gate);
        if (r >= 0)
                r = tpm_gate_pass(t, &gate);
        if (r < 0)
                return r;

        by = tpm_gate_auth(&gate);
        rc = tpm_object_load(t, &by, &t->record->worker_key, ret);
        return rc == TSS2_RC_SUCCESS ? 0 : tpm_fail_stale(t, "TPM2_Load of P2", rc);
}

/*
 * Puts a loaded P2 where it was. That the TPM refuses, for want of room or of authority, is no
 * failure, and not asked for again before the next unlock.
 */
static int put_worker_back(struct tpm *t, const struct tpm_handle *loaded) {
        TPM2_HANDLE handle = t->record->worker_handle;
        ESYS_TR tr;
        TSS2_RC rc;
        int r;

        rc = Esys_EvictControl(t->esys, ESYS_TR_RH_OWNER, loaded->tr, ESYS_TR_PASSWORD,
                               ESYS_TR_NONE, ESYS_TR_NONE, handle, &tr);
        if (rc == TSS2_RC_SUCCESS) {
                tpm_log(t, LOG_NOTICE, "TPM: P2 was gone from 0x%08x and is there again",
                        (unsigned)handle);
                t->worker = tr;
                t->worker_is_gone = false;
                return 0;
        }
        r = tpm_fail(t, "TPM2_EvictControl of P2", rc);
        if (t->trouble != 0)
                return r;

        tpm_log(t, LOG_WARNING,
                "TPM: P2 is gone from 0x%08x and cannot be put back; every start and every "
                "return from idle will take longer",
                (unsigned)handle);
        t->worker_cannot_return = true;
        return 0;
}

static int open_worker(struct tpm *t) {
        _cleanup_(tpm_handle_flush) struct tpm_handle loaded = TPM_HANDLE_NONE;
        int r;

        if (t->record->worker_handle != 0 && !t->worker_is_gone)
                return tpm_ref_open(t, &t->record->worker, t->record->worker_handle, &t->worker);

        r = load_worker(t, &loaded);
        if (r >= 0 && t->record->worker_handle != 0 && !t->worker_cannot_return)
                r = put_worker_back(t, &loaded);
        if (r < 0)
                return r;

        if (t->worker == ESYS_TR_NONE) {
                t->worker = loaded.tr;
                t->worker_is_loaded = true;
                loaded = TPM_HANDLE_NONE;
        }
        return 0;
}

int tpm_worker(struct tpm *t, struct tpm_auth *ret) {
        int r;

        if (!t->record) {
                tpm_log(t, LOG_ERR, "TPM: asked for a key before it was unlocked");
                return -ESTALE;
        }
        if (t->worker == ESYS_TR_NONE) {
                r = open_worker(t);
                if (r >= 0)
                        r = set_worker_auth(t, t->worker);
                if (r < 0)
                        return r;
        }
        *ret = (struct tpm_auth){ t->worker, ESYS_TR_PASSWORD, ESYS_TR_NONE };
        return 0;
}
