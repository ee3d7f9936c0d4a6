/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* The counter G, which never goes back and outlives a reset. */

#include "tpm/nv.h"

/* -EIO: no random bytes. */
_must_check_ int tpm_counter_plan(TPM2_HANDLE index, struct tpm_nv *ret);
/* Defines the planned counter unless it is there, and counts once unless that was done. */
_must_check_ int tpm_counter_make(struct tpm *t, struct tpm_nv *nv);
