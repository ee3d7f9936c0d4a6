/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Erasing. That it began is saved first, so that a crash in between is finished and not taken for a
 * damaged store. The PIN goes first: from then on nobody gets a ticket for class B, whoever has P2 in
 * whatever form, and those that were given end when the TPM is restarted. Then the anchor: from then on
 * P2 cannot be loaded again by anybody.
 */

#include <errno.h>
#include <syslog.h>

#include "tpm/erase.h"
#include "tpm/key.h"
#include "tpm/nv.h"
#include "tpm/owner.h"

int tpm_save_record(struct tpm *t, const struct tpm_record *record, tpm_save_fn *save,
                    void *userdata, struct tpm_state *state) {
        struct tpm_state s;
        int r;

        r = tpm_state_encode(record, &s);
        if (r < 0) {
                tpm_log(t, LOG_ERR, "TPM: its wrapped keys are larger than what can be kept");
                return -EIO;
        }
        r = save(userdata, &s);
        if (r < 0)
                return r;

        *state = s;
        return 0;
}

int tpm_erase_record(struct tpm *t, struct tpm_record *record, bool proven) {
        int r;

        r = tpm_nv_remove(t, &record->pin, proven);
        if (r >= 0)
                r = tpm_nv_remove(t, &record->scratch, false);
        if (r >= 0)
                r = tpm_nv_remove(t, &record->anchor, proven);
        if (r >= 0)
                r = tpm_worker_remove(t, record, proven);
        if (r < 0)
                return r;

        *record = (struct tpm_record){ .phase = TPM_PHASE_ERASING,
                                       .has_p384 = record->has_p384,
                                       .is_firmware = record->is_firmware,
                                       .pin_kind = record->pin_kind,
                                       .hmac_kind = record->hmac_kind,
                                       .tries = record->tries,
                                       .counter = record->counter };
        return 0;
}

struct erasure {
        struct tpm_state *state;
        struct tpm_state before; /* as it was when we were asked */
        tpm_save_fn *save;
        void *userdata;
        bool with_counter;
};

/* Saves that what the record describes is not to be used any more, without its wrapped keys. */
static int begin(struct tpm *t, struct erasure *e, struct tpm_record *record) {
        if (record->phase == TPM_PHASE_ERASING)
                return 0;

        record->phase = TPM_PHASE_ERASING;
        record->gate_key = record->worker_key = record->sealed_auth = record->sealed_store_key =
                (struct tpm_blob){ 0 };
        return tpm_save_record(t, record, e->save, e->userdata, e->state);
}

static int is_there(struct tpm *t, const struct tpm_nv *nv, bool *ret) {
        _cleanup_(tpm_handle_close) struct tpm_handle h = TPM_HANDLE_NONE;
        enum tpm_found found;
        int r = tpm_nv_find(t, nv, &found, &h);

        if (r >= 0)
                *ret = found == TPM_FOUND_OURS;
        return r;
}

/*
 * The owner hierarchy did not let us begin. What is in the TPM is as it was, so the state becomes
 * that again, and what is unlocked stays so; else there would be no way on without the password. The
 * PIN, which goes first, tells if we had begun after all; the anchor, if this is our TPM.
 */
static int take_back(struct tpm *t, struct erasure *e) {
        struct tpm_record record;
        bool there = true;
        int r;

        r = tpm_state_decode(&e->before, &record);
        if (r < 0 || record.phase != TPM_PHASE_READY)
                return r;
        if (record.pin.ref.len > 0)
                r = is_there(t, &record.pin, &there);
        if (r >= 0 && there)
                r = is_there(t, &record.anchor, &there);
        if (r < 0 || !there)
                return r;
        r = e->save(e->userdata, &e->before);
        if (r < 0)
                return r;

        *e->state = e->before;
        tpm_log(t, LOG_ERR, "TPM: nothing was erased: its owner authorisation is needed for that");
        return 1;
}

static int erase_step(struct tpm *t, void *userdata) {
        struct erasure *e = userdata;
        struct tpm_record record;
        bool proven;
        int r;

        r = tpm_state_decode(e->state, &record);
        if (r < 0 || record.phase == TPM_PHASE_NONE)
                return r;

        /*
         * Unlocked, this very state was used: P1's policy wanted the anchor, and the store key was
         * loaded under P2. That the PIN index is ours as well follows from nothing but that it was
         * saved with them: a look at it would be a fourth command.
         */
        proven = t->unlocked && !t->worker_is_gone && record.phase == TPM_PHASE_READY;
        r = begin(t, e, &record);
        if (r < 0)
                return r;

        r = tpm_erase_record(t, &record, proven);
        if (r == -EACCES && take_back(t, e) > 0)
                return r;

        tpm_keys_flush(t);
        tpm_forget(t);
        if (r < 0 || !e->with_counter)
                return r;

        r = tpm_nv_remove(t, &record.counter, false);
        if (r >= 0)
                r = tpm_nv_remove(t, &record.tries, false);
        if (r < 0)
                return r;
        *e->state = (struct tpm_state){ .phase = TPM_PHASE_NONE };
        return e->save(e->userdata, e->state);
}

int tpm_erase_state(struct tpm *t, struct tpm_state *state, tpm_save_fn *save, void *userdata,
                    bool with_counter) {
        struct erasure e = { state, *state, save, userdata, with_counter };
        int r = tpm_run(t, erase_step, &e);

        if (r == -EBADMSG)
                tpm_log(t, LOG_ERR, "TPM state: damaged, or written by another version");
        return r;
}

int tpm_erase(struct tpm *t, struct tpm_state *state, tpm_save_fn *save, void *userdata) {
        int r = tpm_erase_state(t, state, save, userdata, false);

        if (r >= 0)
                tpm_owner_forget(t);
        return r;
}

int tpm_remove(struct tpm *t, struct tpm_state *state, tpm_save_fn *save, void *userdata) {
        int r = tpm_erase_state(t, state, save, userdata, true);

        if (r >= 0)
                tpm_owner_forget(t);
        return r;
}
