/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* The NV indexes and the persistent handles: what is there, is it ours, away with it. */

#include "tpm/handle.h"

enum tpm_found {
        TPM_FOUND_NOTHING,
        TPM_FOUND_FOREIGN,   /* somebody else's */
        TPM_FOUND_UNWRITTEN, /* ours, defined but never written */
        TPM_FOUND_OURS,
};

/* The public area of an index to come. Its policy is what makes its Name ours. */
void tpm_nv_plan(const TPMS_NV_PUBLIC *template, TPM2_HANDLE index, const struct sha256 *policy,
                 struct tpm_nv *ret);
/* The same for one that is never used by policy: a random number takes its place. -EIO. */
_must_check_ int tpm_nv_plan_random(const TPMS_NV_PUBLIC *template, TPM2_HANDLE index,
                                    struct tpm_nv *ret);

/* ret_handle is open if something of ours was found; close it with tpm_handle_close(). */
_must_check_ int tpm_nv_find(struct tpm *t, const struct tpm_nv *nv, enum tpm_found *ret,
                             struct tpm_handle *ret_handle);
_must_check_ int tpm_nv_define(struct tpm *t, const struct tpm_nv *nv, struct tpm_handle *ret);

/*
 * Removes the index, or P2 from its persistent handle, if it is the recorded one; else leaves it
 * and succeeds. `proven`: it was used just now in a way that only ours allows, so it is not
 * looked at.
 */
_must_check_ int tpm_nv_remove(struct tpm *t, const struct tpm_nv *nv, bool proven);
_must_check_ int tpm_worker_remove(struct tpm *t, const struct tpm_record *record, bool proven);

/* `ret` is open if the object at the handle has this Name; close it with tpm_handle_close(). */
_must_check_ int tpm_persistent_find(struct tpm *t, TPM2_HANDLE handle, const TPM2B_NAME *name,
                                     struct tpm_handle *ret);
/* Removes it if it has; else leaves it and succeeds. */
_must_check_ int tpm_persistent_remove(struct tpm *t, TPM2_HANDLE handle, const TPM2B_NAME *name);
