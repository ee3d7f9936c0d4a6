/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* The storage root key, which other software shares and usually made. */

#include "tpm/handle.h"

struct tpm_srk {
        struct tpm_handle handle;
        bool is_loaded; /* a transient object, made for this use */
};

#define TPM_SRK_NONE ((struct tpm_srk){ TPM_HANDLE_NONE, false })

void tpm_srk_close(struct tpm_srk *srk);

/*
 * Finds the SRK, or makes one, and records which. One that has to be made stays in the TPM only if
 * the options say so.
 */
_must_check_ int tpm_srk_choose(struct tpm *t, struct tpm_root *ret);
/* The recorded one. -ESTALE: this TPM makes another. */
_must_check_ int tpm_srk_open(struct tpm *t, const struct tpm_root *root, struct tpm_srk *ret);
/* Makes the recorded one from the owner seed, although it is recorded as persistent. */
_must_check_ int tpm_srk_make(struct tpm *t, const struct tpm_root *root, struct tpm_srk *ret);
