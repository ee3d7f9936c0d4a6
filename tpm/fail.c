/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * From TSS2_RC to errno. A refusal is logged where it is met, by the command and the decoded
 * code, and passed on as a number; what it means depends on what was asked, so there are three
 * ways to read one.
 */

#include <errno.h>
#include <syslog.h>
#include <tss2/tss2_rc.h>

#include "tpm/context.h"

/* The kernel's resource manager answers for the TPM in layer 11, a user space one in layer 12. */
bool tpm_rc_is_answer(TSS2_RC rc) {
        TSS2_RC layer = rc & TSS2_RC_LAYER_MASK;

        return layer == TSS2_TPM_RC_LAYER || layer == TSS2_RESMGR_RC_LAYER ||
               layer == TSS2_RESMGR_TPM_RC_LAYER;
}

TSS2_RC tpm_rc_base(TSS2_RC rc) {
        if (!tpm_rc_is_answer(rc))
                return rc;

        rc &= ~TSS2_RC_LAYER_MASK;
        if (rc & TPM2_RC_FMT1)
                return rc & (TPM2_RC_FMT1 | 0x3f);
        return rc;
}

bool tpm_rc_is_refusal(TSS2_RC rc) {
        TSS2_RC base = tpm_rc_base(rc);

        return (tpm_rc_is_answer(rc) && (base & TPM2_RC_FMT1)) ||
               base == TPM2_RC_AUTH_UNAVAILABLE || base == TPM2_RC_NV_UNINITIALIZED ||
               base == TPM2_RC_NV_AUTHORIZATION;
}

bool tpm_rc_is_absent(TSS2_RC rc) {
        return tpm_rc_base(rc) == TPM2_RC_HANDLE;
}

static const struct {
        TSS2_RC base;
        int error;
        unsigned trouble;
} meanings[] = {
        { TPM2_RC_INITIALIZE, -ENODEV, TPM_TROUBLE_CONNECTION },
        { TPM2_RC_AUTH_FAIL, -EACCES, 0 },
        { TPM2_RC_BAD_AUTH, -EACCES, 0 },
        { TPM2_RC_AUTH_UNAVAILABLE, -EACCES, 0 },
        { TPM2_RC_LOCKOUT, -EDQUOT, 0 },
        { TPM2_RC_NV_SPACE, -ENOSPC, 0 },
        { TPM2_RC_NV_DEFINED, -EEXIST, 0 },
        { TPM2_RC_COMMAND_CODE, -ENOTSUP, 0 },
        { TPM2_RC_CURVE, -ENOTSUP, 0 },
        { TPM2_RC_NV_RATE, -EBUSY, 0 },
        { TPM2_RC_NV_UNAVAILABLE, -EBUSY, 0 },
        { TPM2_RC_RETRY, -EBUSY, 0 },
        { TPM2_RC_YIELDED, -EBUSY, 0 },
        { TPM2_RC_TESTING, -EBUSY, 0 },
        { TPM2_RC_CANCELED, -EBUSY, 0 },
        { TPM2_RC_CONTEXT_GAP, -EBUSY, TPM_TROUBLE_CROWDED },
        { TPM2_RC_OBJECT_MEMORY, -EBUSY, TPM_TROUBLE_CROWDED },
        { TPM2_RC_SESSION_MEMORY, -EBUSY, TPM_TROUBLE_CROWDED },
        { TPM2_RC_MEMORY, -EBUSY, TPM_TROUBLE_CROWDED },
        { TPM2_RC_SESSION_HANDLES, -EBUSY, TPM_TROUBLE_CROWDED },
        { TPM2_RC_OBJECT_HANDLES, -EBUSY, TPM_TROUBLE_CROWDED },
        /* An object or a session that was loaded is not any more: the TPM was reset under us. */
        { TPM2_RC_REFERENCE_H0, -EIO, TPM_TROUBLE_CONNECTION },
        { TPM2_RC_REFERENCE_H1, -EIO, TPM_TROUBLE_CONNECTION },
        { TPM2_RC_REFERENCE_S0, -EIO, TPM_TROUBLE_CONNECTION },
        { TPM2_RC_REFERENCE_S1, -EIO, TPM_TROUBLE_CONNECTION },
};

static int errno_of(struct tpm *t, TSS2_RC rc) {
        TSS2_RC base = tpm_rc_base(rc);

        if ((rc & TSS2_RC_LAYER_MASK) == TSS2_TCTI_RC_LAYER) {
                t->trouble |= TPM_TROUBLE_CONNECTION;
                return -ENODEV;
        }
        for (size_t i = 0; i < ELEMENTSOF(meanings); i++)
                if (meanings[i].base == base) {
                        t->trouble |= meanings[i].trouble;
                        return meanings[i].error;
                }
        /*
         * The library lost track, or read an answer that is none: what it holds is not to be
         * trusted.
         */
        if (!tpm_rc_is_answer(rc))
                t->trouble |= TPM_TROUBLE_CONNECTION;
        return -EIO;
}

int tpm_fail(struct tpm *t, const char *command, TSS2_RC rc) {
        int r = errno_of(t, rc);

        /* What is tried again, in another way, is no error yet. */
        tpm_log(t, t->trouble != 0 || r == -EEXIST ? LOG_WARNING : LOG_ERR, "TPM: %s: %s (0x%x)",
                command, Tss2_RC_Decode(rc), (unsigned)rc);
        return r;
}

int tpm_fail_stale(struct tpm *t, const char *command, TSS2_RC rc) {
        int r = tpm_fail(t, command, rc);

        return tpm_rc_is_refusal(rc) ? -ESTALE : r;
}

int tpm_fail_worker(struct tpm *t, const char *command, TSS2_RC rc) {
        bool of_parameter = (rc & TPM2_RC_FMT1) && (rc & TPM2_RC_P);
        int r;

        if (!tpm_rc_is_refusal(rc) || of_parameter)
                return tpm_fail(t, command, rc);

        if (!t->worker_is_gone)
                t->trouble |= TPM_TROUBLE_WORKER;
        r = tpm_fail(t, command, rc);
        return r == -ENOTSUP ? r : -ESTALE;
}
