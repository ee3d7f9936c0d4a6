/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* NV counters, which never go back: G, which outlives a reset, and the tries of a PIN. */

#include "tpm/nv.h"

/* -EIO: no random bytes. */
_must_check_ int tpm_counter_plan(TPM2_HANDLE index, struct tpm_nv *ret);
/* Defines the planned counter unless it is there, and counts once unless that was done. */
_must_check_ int tpm_counter_make(struct tpm *t, struct tpm_nv *nv);
/* One command each, within a step. -ESTALE: it is gone. */
_must_check_ int tpm_counter_value(struct tpm *t, const struct tpm_nv *nv, uint64_t *ret);
_must_check_ int tpm_counter_increment(struct tpm *t, const struct tpm_nv *nv);
