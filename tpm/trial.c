/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * An index of type PIN_FAIL counts the wrong uses of its authValue, refuses all of them from a limit
 * on, and begins anew after a right one. It is in the library specification since 1.38; but parts
 * claim more and less than they do. So one is made, and asked, and removed.
 */

#include <errno.h>
#include <openssl/rand.h>
#include <syslog.h>

#include "tpm/capability.h"
#include "tpm/erase.h"
#include "tpm/nv.h"
#include "tpm/template.h"
#include "tpm/trial.h"

#define TRIAL_AUTH_SIZE 16

struct trial {
        struct tpm_handle index, session;
        TPM2B_AUTH right, wrong;
};

#define TRIAL_NONE ((struct trial){ .index = TPM_HANDLE_NONE, .session = TPM_HANDLE_NONE })

static void trial_end(struct trial *trial) {
        tpm_handle_flush(&trial->session);
        tpm_handle_close(&trial->index);
}

/* Neither ends in a zero, of which a TPM makes nothing. */
static int choose_auths(struct trial *trial) {
        trial->right.size = TRIAL_AUTH_SIZE;
        if (RAND_bytes(trial->right.buffer, TRIAL_AUTH_SIZE - 1) != 1)
                return -EIO;
        trial->right.buffer[TRIAL_AUTH_SIZE - 1] = 1;
        trial->wrong = trial->right;
        trial->wrong.buffer[TRIAL_AUTH_SIZE - 1] = 2;
        return 0;
}

/* ---- what is asked ------------------------------------------------------------------------ */

/* 1: done; 0: refused, which is an answer as well; less: it was not to be found out. */
static int answer(struct tpm *t, const char *command, TSS2_RC rc) {
        if (rc == TSS2_RC_SUCCESS)
                return 1;
        return tpm_rc_is_refusal(rc) ? 0 : tpm_fail(t, command, rc);
}

/* The type, among the parameters, is what may be refused; the owner's authorisation is not. */
static int define(struct tpm *t, const struct tpm_nv *nv, struct trial *trial) {
        ESYS_TR tr;
        TSS2_RC rc;

        rc = Esys_NV_DefineSpace(t->esys, ESYS_TR_RH_OWNER, ESYS_TR_PASSWORD, ESYS_TR_NONE,
                                 ESYS_TR_NONE, &trial->right, &nv->public, &tr);
        if (tpm_rc_is_refusal(rc) && (rc & TPM2_RC_P))
                return 0;
        if (rc != TSS2_RC_SUCCESS)
                return tpm_fail(t, "TPM2_NV_DefineSpace for a trial", rc);

        trial->index = tpm_handle(t, tr);
        return 1;
}

/* No tries used, of so many. */
static int set_limit(struct tpm *t, const struct trial *trial, uint8_t limit) {
        const TPM2B_MAX_NV_BUFFER content = { .size = 8, .buffer = { [7] = limit } };
        TSS2_RC rc = Esys_NV_Write(t->esys, ESYS_TR_RH_OWNER, trial->index.tr, ESYS_TR_PASSWORD,
                                   ESYS_TR_NONE, ESYS_TR_NONE, &content, 0);

        return answer(t, "TPM2_NV_Write for a trial", rc);
}

static int use(struct tpm *t, const struct trial *trial, bool right) {
        TSS2_RC rc;

        rc = Esys_TR_SetAuth(t->esys, trial->index.tr, right ? &trial->right : &trial->wrong);
        if (rc != TSS2_RC_SUCCESS)
                return tpm_fail(t, "Esys_TR_SetAuth", rc);
        rc = Esys_PolicySecret(t->esys, trial->index.tr, trial->session.tr, ESYS_TR_PASSWORD,
                               ESYS_TR_NONE, ESYS_TR_NONE, NULL, NULL, NULL, 0, NULL, NULL);
        return answer(t, "TPM2_PolicySecret for a trial", rc);
}

static int read_count(struct tpm *t, const struct trial *trial, uint32_t *ret) {
        TPM2B_MAX_NV_BUFFER *data = NULL;
        struct cursor c;
        TSS2_RC rc = Esys_NV_Read(t->esys, ESYS_TR_RH_OWNER, trial->index.tr, ESYS_TR_PASSWORD,
                                  ESYS_TR_NONE, ESYS_TR_NONE, 8, 0, &data);

        if (rc != TSS2_RC_SUCCESS)
                return answer(t, "TPM2_NV_Read for a trial", rc);

        c = (struct cursor){ BYTES(data->buffer, data->size), false };
        *ret = cursor_u32(&c);
        Esys_Free(data);
        return c.failed ? 0 : 1;
}

/* What a TPM that can do it answers. */
static const struct step {
        uint8_t limit; /* set before; 0: it stays */
        bool right;
        bool is_accepted;
        uint32_t count; /* read after */
} steps[] = {
        { 5, false, false, 1 },
        { 0, true, true, 0 },
        { 1, false, false, 1 },
        { 0, true, false, 1 },
};

/* 1: as it should be. */
static int take_step(struct tpm *t, const struct trial *trial, const struct step *step) {
        uint32_t count = 0;
        int r = 1;

        if (step->limit > 0)
                r = set_limit(t, trial, step->limit);
        if (r <= 0)
                return r;
        r = use(t, trial, step->right);
        if (r < 0 || (r > 0) != step->is_accepted)
                return r < 0 ? r : 0;
        r = read_count(t, trial, &count);
        return r <= 0 ? r : count == step->count;
}

static int ask(struct tpm *t, const struct tpm_nv *nv) {
        _cleanup_(trial_end) struct trial trial = TRIAL_NONE;
        int r;

        r = choose_auths(&trial);
        if (r >= 0)
                r = define(t, nv, &trial);
        if (r <= 0)
                return r;
        r = tpm_session_start(t, ESYS_TR_NONE, &trial.session);
        if (r < 0)
                return r;
        for (size_t i = 0; i < ELEMENTSOF(steps); i++) {
                r = take_step(t, &trial, &steps[i]);
                if (r <= 0)
                        return r;
        }
        return 1;
}

/* ---- the whole ---------------------------------------------------------------------------- */

static int remove_scratch(struct tpm *t, struct tpm_record *record) {
        int r = tpm_nv_remove(t, &record->scratch, false);

        if (r >= 0)
                record->scratch = (struct tpm_nv){ 0 };
        return r;
}

static int plan(struct tpm *t, struct tpm_record *record) {
        TPM2_HANDLE index;
        int r;

        r = tpm_free_handle(t, t->options.nv_first, t->options.nv_last,
                            tpm_nv_index(&record->tries), &index);
        return r < 0 ? r : tpm_nv_plan_random(&tpm_template_pin_trial, index, &record->scratch);
}

int tpm_try_pin(struct tpm *t, struct tpm_record *record, tpm_save_fn *save, void *userdata,
                struct tpm_state *state, enum tpm_pin_kind *ret) {
        int r, removed;

        r = remove_scratch(t, record);
        if (r >= 0)
                r = plan(t, record);
        if (r >= 0)
                r = tpm_save_record(t, record, save, userdata, state);
        if (r < 0)
                return r;

        r = ask(t, &record->scratch);
        removed = r == -EEXIST ? 0 : remove_scratch(t, record);
        if (r < 0 || removed < 0)
                return r < 0 ? r : removed;

        *ret = r > 0 ? TPM_PIN_FAIL : TPM_PIN_ORDINARY;
        if (r == 0)
                tpm_log(t, LOG_NOTICE,
                        "TPM: it does not count wrong PINs by itself; they are counted here, with its "
                        "protection against dictionary attacks behind that");
        return 0;
}
