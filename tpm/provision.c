/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Provisioning. Everything that will be in the TPM is decided, and saved, before the TPM is
 * changed: the handles, and the public areas or Names by which what is found there later is known
 * to be ours. So a crash at any point leaves a state that says what to look for; the next
 * provisioning removes that and begins anew, but keeps the counter.
 *
 *   save PROVISIONING; SRK; anchor; counter; P1, P2; save P2's Name; P2 persistent; store key;
 *   unlock as every later start will; save READY; then complete.c
 *
 * Somebody else who shares the TPM, such as another instance that is provisioned at the same time,
 * may take a handle between our look and our use of it. That is a provisioning cut short like any
 * other: it is undone and begun anew with other handles.
 */

#include <errno.h>
#include <stdlib.h>
#include <syslog.h>

#include "tpm/anchor.h"
#include "tpm/capability.h"
#include "tpm/counter.h"
#include "tpm/erase.h"
#include "tpm/owner.h"
#include "tpm/policy.h"
#include "tpm/seal.h"
#include "tpm/srk.h"
#include "tpm/template.h"
#include "tpm/unlock.h"

/* One try for each handle that others could take in the meantime, and more. */
#define TRIES 16

struct provisioning {
        struct tpm_state *state;
        tpm_save_fn *save;
        void *userdata;
};

static int save(struct tpm *t, const struct provisioning *p, const struct tpm_record *record) {
        return tpm_save_record(t, record, p->save, p->userdata, p->state);
}

/* Keeps a counter that is there; else chooses a handle for a new one. */
static int plan_counter(struct tpm *t, const struct tpm_record *old, TPM2_HANDLE except,
                        struct tpm_record *record) {
        _cleanup_(tpm_handle_close) struct tpm_handle h = TPM_HANDLE_NONE;
        enum tpm_found found = TPM_FOUND_NOTHING;
        TPM2_HANDLE index;
        int r = 0;

        if (tpm_nv_index(&old->counter) != 0)
                r = tpm_nv_find(t, &old->counter, &found, &h);
        if (r < 0)
                return r;
        if (found == TPM_FOUND_OURS || found == TPM_FOUND_UNWRITTEN) {
                record->counter = old->counter;
                return 0;
        }

        r = tpm_free_handle(t, t->options.nv_first, t->options.nv_last, except, &index);
        return r < 0 ? r : tpm_counter_plan(index, &record->counter);
}

/* Without a slot P2 is loaded whenever a connection is opened: slower, and no reason to give up. */
static int plan_worker(struct tpm *t, struct tpm_record *record) {
        const struct tpm_options *o = &t->options;
        int r = tpm_look_for_handle(t, o->persistent_first, o->persistent_last, 0,
                                    &record->worker_handle);

        if (r != -ENOSPC)
                return r;

        tpm_log(t, LOG_NOTICE,
                "TPM: every handle from 0x%08x to 0x%08x is in use, so P2 will not be persistent; "
                "every start and every return from idle will take longer",
                (unsigned)o->persistent_first, (unsigned)o->persistent_last);
        record->worker_handle = 0;
        return 0;
}

static int plan(struct tpm *t, const struct tpm_record *old, const struct tpm_writer *k,
                struct tpm_record *record) {
        struct tpm_info info;
        TPM2_HANDLE index;
        int r;

        r = tpm_ask_info(t, &info);
        if (r < 0)
                return r;
        if (info.owner_auth_set || t->owner_auth.size > 0) {
                r = tpm_owner_check(t);
                if (r < 0)
                        return r;
        }

        *record = (struct tpm_record){ .phase = TPM_PHASE_PROVISIONING,
                                       .has_p384 = info.has_p384,
                                       .is_firmware = tpm_is_firmware(&info),
                                       .pin_kind = old->pin_kind,
                                       .hmac_kind = old->hmac_kind,
                                       .tries = old->tries };
        r = tpm_free_handle(t, t->options.nv_first, t->options.nv_last, 0, &index);
        if (r < 0)
                return r;
        tpm_anchor_plan(k, index, &record->anchor);
        r = plan_counter(t, old, index, record);
        if (r < 0)
                return r;
        return plan_worker(t, record);
}

static int make_gate_key(struct tpm *t, const struct sha256 *policy, struct tpm_record *record) {
        const TPMT_PUBLIC template = tpm_template_with_policy(&tpm_template_storage, policy);
        _cleanup_(tpm_srk_close) struct tpm_srk srk = TPM_SRK_NONE;
        struct tpm_auth by = { .session = ESYS_TR_PASSWORD, .extra = ESYS_TR_NONE };
        TSS2_RC rc;
        int r;

        r = tpm_srk_open(t, &record->srk, &srk);
        if (r < 0)
                return r;

        by.parent = srk.handle.tr;
        rc = tpm_object_create(t, &by, &template, NULL, NULL, &record->gate_key);
        return rc == TSS2_RC_SUCCESS ? 0 : tpm_fail(t, "TPM2_Create of P1", rc);
}

/* P2 and its sealed authValue, both only in the record. */
static int make_worker_key(struct tpm *t, const struct tpm_gate *gate, const struct sha256 *policy,
                           const struct secret32 *auth, struct tpm_record *record) {
        const struct tpm_auth by = tpm_gate_auth(gate);
        TSS2_RC rc;
        int r;

        r = tpm_gate_pass(t, gate);
        if (r >= 0)
                r = tpm_session_use(&gate->session, TPMA_SESSION_DECRYPT);
        if (r < 0)
                return r;
        rc = tpm_object_create(t, &by, &tpm_template_storage, auth, NULL, &record->worker_key);
        if (rc != TSS2_RC_SUCCESS)
                return tpm_fail(t, "TPM2_Create of P2", rc);

        r = tpm_gate_pass(t, gate);
        if (r >= 0)
                r = tpm_seal_auth(t, gate, policy, auth, &record->sealed_auth);
        return r < 0 ? r
                     : tpm_name_of_object(&record->worker_key.public.publicArea,
                                          &record->worker_name);
}

static int persist_worker(struct tpm *t, const struct tpm_gate *gate, struct tpm_record *record) {
        _cleanup_(tpm_handle_flush) struct tpm_handle loaded = TPM_HANDLE_NONE;
        _cleanup_(tpm_handle_close) struct tpm_handle persistent = TPM_HANDLE_NONE;
        const struct tpm_auth by = tpm_gate_auth(gate);
        ESYS_TR tr;
        TSS2_RC rc;
        int r;

        r = tpm_gate_pass(t, gate);
        if (r >= 0)
                r = tpm_session_use(&gate->session, 0);
        if (r < 0)
                return r;
        rc = tpm_object_load(t, &by, &record->worker_key, &loaded);
        if (rc != TSS2_RC_SUCCESS)
                return tpm_fail(t, "TPM2_Load of P2", rc);
        rc = Esys_EvictControl(t->esys, ESYS_TR_RH_OWNER, loaded.tr, ESYS_TR_PASSWORD, ESYS_TR_NONE,
                               ESYS_TR_NONE, record->worker_handle, &tr);
        if (tpm_rc_base(rc) == TPM2_RC_NV_SPACE) {
                tpm_log(t, LOG_NOTICE,
                        "TPM: it has no space to make P2 persistent; every start and every return "
                        "from idle will take longer");
                record->worker_handle = 0;
                return 0;
        }
        if (rc != TSS2_RC_SUCCESS)
                return tpm_fail(t, "TPM2_EvictControl of P2", rc);

        persistent = tpm_handle(t, tr);
        return tpm_ref_save(t, tr, &record->worker);
}

/*
 * The authValue loses its trailing zeros in a TPM (Part 1, 17.6.4.3); one without has none to
 * lose.
 */
static int random_auth(struct tpm *t, struct secret32 *ret) {
        int r = tpm_random_secret(t, ret);

        if (r >= 0 && ret->b[sizeof(ret->b) - 1] == 0)
                ret->b[sizeof(ret->b) - 1] = 1;
        return r;
}

static int seal_store_key(struct tpm *t, const struct tpm_gate *gate, const struct secret32 *auth,
                          struct tpm_record *record) {
        _cleanup_(secret32_wipe) struct secret32 key = { 0 };
        int r;

        r = tpm_random_secret(t, &key);
        if (r < 0)
                return r;

        /* Lent for this one use: tpm_worker() looks there. */
        t->record = record;
        t->worker_auth = *auth;
        t->worker_is_gone = false;
        r = tpm_seal_store_key(t, gate, &key, &record->sealed_store_key);
        t->record = NULL;
        tpm_forget(t);
        return r;
}

static int make_keys(struct tpm *t, const struct provisioning *p, struct tpm_record *record) {
        _cleanup_(tpm_gate_close) struct tpm_gate gate = TPM_GATE_NONE;
        _cleanup_(secret32_wipe) struct secret32 auth = { 0 };
        struct sha256 policy;
        int r;

        r = tpm_policy_of_written(&record->anchor.public.nvPublic, &policy);
        if (r >= 0)
                r = make_gate_key(t, &policy, record);
        if (r >= 0)
                r = random_auth(t, &auth);
        if (r >= 0)
                r = tpm_gate_open(t, record, &gate);
        if (r >= 0)
                r = make_worker_key(t, &gate, &policy, &auth, record);
        if (r >= 0)
                r = save(t, p, record);
        if (r >= 0 && record->worker_handle != 0)
                r = persist_worker(t, &gate, record);
        tpm_handle_flush(&gate.key); /* a P2 that has to be loaded needs the room */
        if (r >= 0)
                r = seal_store_key(t, &gate, &auth, record);
        return r;
}

static int make(struct tpm *t, const struct provisioning *p, const struct tpm_record *old,
                struct tpm_record *record) {
        _cleanup_(tpm_writer_destroy) struct tpm_writer k = { 0 };
        int r;

        r = tpm_writer_new(&k);
        if (r >= 0)
                r = plan(t, old, &k, record);
        if (r >= 0)
                r = save(t, p, record);
        if (r >= 0)
                r = tpm_srk_choose(t, &record->srk);
        if (r >= 0)
                r = tpm_anchor_make(t, &k, &record->anchor);
        tpm_writer_destroy(&k);
        if (r >= 0)
                r = tpm_counter_make(t, &record->counter);
        return r < 0 ? r : make_keys(t, p, record);
}

static void cleanup_record(struct tpm_record **record) {
        free(*record);
}

static int provision_step(struct tpm *t, void *userdata) {
        const struct provisioning *p = userdata;
        _cleanup_(cleanup_record) struct tpm_record *record = malloc(sizeof(*record));
        struct tpm_record old;
        int r;

        if (!record)
                return -ENOMEM;
        r = tpm_state_decode(p->state, &old);
        if (r < 0)
                return r;

        if (old.phase != TPM_PHASE_READY) {
                r = tpm_erase_record(t, &old, false);
                if (r >= 0)
                        r = make(t, p, &old, record);
                if (r < 0)
                        return r;
                record->phase = TPM_PHASE_READY;
        } else {
                *record = old;
        }

        r = tpm_unlock_record(t, TAKE_PTR(record));
        if (r >= 0 && old.phase != TPM_PHASE_READY)
                r = save(t, p, t->record);
        return r;
}

/* An error that another try would meet too. */
static bool is_final(int r) {
        return r == -ENOSPC || r == -EACCES || r == -ENOTSUP;
}

/*
 * What cannot be finished is not left lying about in a TPM that others use too. A counter that was
 * there before stays. That this fails is no news: the next provisioning begins with it.
 */
static void undo(struct tpm *t, const struct provisioning *p, enum tpm_phase before) {
        bool began =
                p->state->phase == TPM_PHASE_PROVISIONING || p->state->phase == TPM_PHASE_READY;
        bool with_counter = before == TPM_PHASE_NONE;

        if (began && before != TPM_PHASE_READY &&
            tpm_erase_state(t, p->state, p->save, p->userdata, with_counter) < 0)
                tpm_log(t, LOG_WARNING, "TPM: what was made so far is removed at the next try");
}

int tpm_provision(struct tpm *t, struct tpm_state *state, tpm_save_fn *save_fn, void *userdata) {
        struct provisioning p = { state, save_fn, userdata };
        enum tpm_phase before = state->phase;
        int r, n = 0;

        tpm_forget(t);
        if (state->phase == TPM_PHASE_PROVISIONING || state->phase == TPM_PHASE_ERASING) {
                /* A process that was killed may have left a key or a session in a simulator. */
                tpm_idle(t);
                t->leftovers = true;
        }
        do
                r = tpm_run(t, provision_step, &p);
        while (r == -EEXIST && ++n < TRIES);
        if (r == -EEXIST)
                r = -EBUSY;
        if (r == -EBADMSG)
                tpm_log(t, LOG_ERR, "TPM state: damaged, or written by another version");
        if (r >= 0)
                r = tpm_complete(t, state, save_fn, userdata);
        if (r >= 0) {
                tpm_owner_forget(t);
                return 0;
        }

        tpm_forget(t);
        if (is_final(r))
                undo(t, &p, before);
        return r;
}
