/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * What is tried out and made after all else is in use. A state without it is whole but for the PIN,
 * hmac-secret and RSA keys. As with provisioning, what will be made is saved before it is; what a crash left
 * of it is removed by what was saved, and made anew, because K died with the process.
 *
 *   remove what was begun; try out what the TPM can do; save the plan; index; its one write; K's
 *   approval; the counter of tries, if that is ours to keep; save
 */

#include <errno.h>
#include <openssl/rand.h>
#include <string.h>
#include <syslog.h>

#include "tpm/capability.h"
#include "tpm/counter.h"
#include "tpm/erase.h"
#include "tpm/pin-index.h"
#include "tpm/secret.h"
#include "tpm/trial.h"
#include "tpm/tries.h"

/* As with provisioning: somebody may take the handle in the meantime. */
#define TRIES 16

struct completion {
        struct tpm_state *state;
        tpm_save_fn *save;
        void *userdata;
};

static bool is_complete(const struct tpm_record *record) {
        return record->pin.ref.len > 0 && record->hmac_kind != TPM_HMAC_NONE &&
               record->asked_rsa2048;
}

static int save(struct tpm *t, const struct completion *c) {
        return tpm_save_record(t, t->record, c->save, c->userdata, c->state);
}

/* What this TPM can do, once for all: a reset keeps it. */
static int choose_kinds(struct tpm *t, const struct completion *c) {
        struct tpm_record *record = t->record;
        struct tpm_info info;
        int r = 0;

        if (record->pin_kind == TPM_PIN_NONE) {
                r = tpm_ask_info(t, &info);
                if (r < 0)
                        return r;
                /* A state of version 1 does not say. */
                record->is_firmware = tpm_is_firmware(&info);
                r = tpm_try_pin(t, record, c->save, c->userdata, c->state, &record->pin_kind);
        }
        if (r >= 0 && record->hmac_kind == TPM_HMAC_NONE)
                r = tpm_secret_try(t, &record->hmac_kind);
        if (r >= 0 && !record->asked_rsa2048) {
                r = tpm_ask_rsa2048(t, &record->has_rsa2048);
                record->asked_rsa2048 = r >= 0;
        }
        return r;
}

/* The counter of an earlier PIN serves the next one too; one that is not there is planned anew. */
static int keep_tries(struct tpm *t, struct tpm_record *record) {
        _cleanup_(tpm_handle_close) struct tpm_handle h = TPM_HANDLE_NONE;
        enum tpm_found found;
        int r;

        if (tpm_nv_index(&record->tries) == 0)
                return 0;
        r = tpm_nv_find(t, &record->tries, &found, &h);
        if (r >= 0 && (found == TPM_FOUND_NOTHING || found == TPM_FOUND_FOREIGN))
                record->tries = (struct tpm_nv){ 0 };
        return r;
}

static int undo(struct tpm *t, struct tpm_record *record) {
        int r = tpm_nv_remove(t, &record->pin, false);

        if (r >= 0)
                r = keep_tries(t, record);
        if (r < 0)
                return r;
        record->pin = (struct tpm_nv){ 0 };
        record->pin_change = (struct tpm_approval){ 0 };
        return 0;
}

static int plan(struct tpm *t, const struct tpm_writer *k, struct tpm_record *record) {
        TPM2_HANDLE index;
        int r;

        if (RAND_bytes(record->pin_salt, sizeof(record->pin_salt)) != 1)
                return -EIO;
        r = tpm_free_handle(t, t->options.nv_first, t->options.nv_last,
                            tpm_nv_index(&record->tries), &index);
        if (r < 0)
                return r;
        tpm_pin_index_plan(k, record->pin_kind, index, &record->pin);
        if (record->pin_kind != TPM_PIN_ORDINARY || tpm_nv_index(&record->tries) != 0)
                return 0;

        r = tpm_free_handle(t, t->options.nv_first, t->options.nv_last, index, &index);
        return r < 0 ? r : tpm_counter_plan(index, &record->tries);
}

static int make_index(struct tpm *t, const struct tpm_writer *k, struct tpm_nv *nv,
                      struct tpm_approval *ret) {
        _cleanup_(tpm_handle_flush) struct tpm_handle loaded = TPM_HANDLE_NONE;
        int r;

        r = tpm_writer_load(t, k, &loaded);
        if (r >= 0)
                r = tpm_pin_index_make(t, k, &loaded, CTAP_PIN_TRIES_MAX, nv);
        if (r >= 0)
                r = tpm_pin_index_approve(t, k, &loaded, nv, ret);
        return r;
}

static int make_pin(struct tpm *t, const struct completion *c) {
        _cleanup_(tpm_writer_destroy) struct tpm_writer k = { 0 };
        struct tpm_approval approval;
        struct tpm_nv pin;
        int r;

        r = tpm_writer_new(&k);
        if (r >= 0)
                r = plan(t, &k, t->record);
        if (r >= 0)
                r = save(t, c);
        if (r < 0)
                return r;

        /* Only in the record once it is whole: until then what is there is to be removed. */
        pin = t->record->pin;
        r = make_index(t, &k, &pin, &approval);
        tpm_writer_destroy(&k);
        if (r >= 0)
                r = tpm_tries_begin(t);
        if (r < 0)
                return r;
        t->record->pin = pin;
        t->record->pin_change = approval;
        r = save(t, c);
        if (r < 0)
                t->record->pin.ref.len = 0;
        return r;
}

static int complete_step(struct tpm *t, void *userdata) {
        const struct completion *c = userdata;
        bool has_pin = t->record->pin.ref.len > 0;
        int r = has_pin ? 0 : undo(t, t->record);

        if (r >= 0)
                r = choose_kinds(t, c);
        if (r < 0)
                return r;
        return has_pin ? save(t, c) : make_pin(t, c);
}

int tpm_complete(struct tpm *t, struct tpm_state *state, tpm_save_fn *save_fn, void *userdata) {
        struct completion c = { state, save_fn, userdata };
        int r, n = 0;

        if (!t->unlocked)
                return -EINVAL;
        t->save = save_fn;
        t->save_userdata = userdata;
        if (is_complete(t->record))
                return 0;

        /* A process that was killed here may have left P2, K or a session in a simulator. */
        tpm_idle(t);
        t->leftovers = true;
        do
                r = tpm_run(t, complete_step, &c);
        while (r == -EEXIST && ++n < TRIES);
        return r == -EEXIST ? -EBUSY : r;
}
