/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * An NV counter begins above every counter that was ever deleted (TPM 2.0 Part 1, 37.2.6), so the
 * owner cannot set it back by defining it again. The value means nothing until it was incremented
 * once.
 *
 * Its authPolicy is a random number, which no policy has as its digest. It is never used, as
 * nothing may be done to this index by policy; it makes the Name unique, so that a counter of
 * somebody else at the same handle is not taken for ours.
 */

#include <errno.h>
#include <syslog.h>

#include "tpm/counter.h"
#include "tpm/template.h"

int tpm_counter_plan(TPM2_HANDLE index, struct tpm_nv *ret) {
        return tpm_nv_plan_random(&tpm_template_counter, index, ret);
}

static int advance(struct tpm *t, ESYS_TR counter) {
        TSS2_RC rc = Esys_NV_Increment(t->esys, counter, counter, ESYS_TR_PASSWORD, ESYS_TR_NONE,
                                       ESYS_TR_NONE);

        return rc == TSS2_RC_SUCCESS ? 0 : tpm_fail_stale(t, "TPM2_NV_Increment", rc);
}

int tpm_counter_make(struct tpm *t, struct tpm_nv *nv) {
        _cleanup_(tpm_handle_close) struct tpm_handle h = TPM_HANDLE_NONE;
        enum tpm_found found;
        int r;

        r = tpm_nv_find(t, nv, &found, &h);
        if (r >= 0 && found == TPM_FOUND_NOTHING)
                r = tpm_nv_define(t, nv, &h);
        if (r < 0)
                return r;
        if (h.tr == ESYS_TR_NONE) {
                tpm_log(t, LOG_WARNING, "TPM: 0x%08x was taken by something else meanwhile",
                        (unsigned)tpm_nv_index(nv));
                return -EEXIST;
        }

        if (found != TPM_FOUND_OURS)
                r = advance(t, h.tr);
        return r < 0 ? r : tpm_ref_save(t, h.tr, &nv->ref);
}

static int value_of(struct tpm *t, ESYS_TR counter, uint64_t *ret) {
        TPM2B_MAX_NV_BUFFER *data = NULL;
        struct cursor c;
        uint64_t value;
        TSS2_RC rc;
        int r;

        rc = Esys_NV_Read(t->esys, counter, counter, ESYS_TR_PASSWORD, ESYS_TR_NONE, ESYS_TR_NONE,
                          tpm_template_counter.dataSize, 0, &data);
        if (rc != TSS2_RC_SUCCESS)
                return tpm_fail_stale(t, "TPM2_NV_Read of the counter", rc);

        c = (struct cursor){ BYTES(data->buffer, data->size), false };
        value = cursor_u64(&c);
        r = cursor_end(&c) < 0 ? -EIO : 0;
        if (r < 0)
                tpm_log(t, LOG_ERR, "TPM: the counter has %u bytes", data->size);
        else
                *ret = value;
        Esys_Free(data);
        return r;
}

static int open_nv(struct tpm *t, const struct tpm_nv *nv, struct tpm_handle *ret) {
        ESYS_TR tr;
        int r = tpm_ref_open(t, &nv->ref, tpm_nv_index(nv), &tr);

        if (r >= 0)
                *ret = tpm_handle(t, tr);
        return r;
}

int tpm_counter_value(struct tpm *t, const struct tpm_nv *nv, uint64_t *ret) {
        _cleanup_(tpm_handle_close) struct tpm_handle h = TPM_HANDLE_NONE;
        int r = open_nv(t, nv, &h);

        return r < 0 ? r : value_of(t, h.tr, ret);
}

int tpm_counter_increment(struct tpm *t, const struct tpm_nv *nv) {
        _cleanup_(tpm_handle_close) struct tpm_handle h = TPM_HANDLE_NONE;
        int r = open_nv(t, nv, &h);

        return r < 0 ? r : advance(t, h.tr);
}

/* ---- the one that signature counters are leased against ------------------------------------ */

static int open_counter(struct tpm *t) {
        if (!t->unlocked) {
                tpm_log(t, LOG_ERR, "TPM: asked for the counter before it was unlocked");
                return -ESTALE;
        }
        if (t->counter != ESYS_TR_NONE)
                return 0;
        return tpm_ref_open(t, &t->record->counter.ref, tpm_nv_index(&t->record->counter),
                            &t->counter);
}

static int read_step(struct tpm *t, void *userdata) {
        int r = open_counter(t);

        return r < 0 ? r : value_of(t, t->counter, userdata);
}

/*
 * TPM2_NV_Increment does not tell the new value. It is one more than the last, or above that if
 * others count too, which they may: what is given here never exceeds what the TPM holds.
 */
static int advance_step(struct tpm *t, _unused_ void *userdata) {
        uint64_t before = t->counter_value;
        int r;

        t->counter_value = 0;
        r = open_counter(t);
        if (r >= 0)
                r = advance(t, t->counter);
        if (r >= 0 && before > 0)
                t->counter_value = before + 1;
        return r;
}

int tpm_counter_read(struct tpm *t, uint64_t *ret) {
        int r = tpm_run(t, read_step, &t->counter_value);

        if (r >= 0)
                *ret = t->counter_value;
        return r;
}

int tpm_counter_advance(struct tpm *t, uint64_t *ret) {
        int r = tpm_run(t, advance_step, NULL);

        if (r >= 0 && t->counter_value == 0)
                return tpm_counter_read(t, ret);
        if (r >= 0)
                *ret = t->counter_value;
        return r;
}
