/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* The anchor A: an NV index that can be deleted, but not made again. */

#include "tpm/nv.h"
#include "tpm/writer.h"

/* The public area of an anchor that only K can write. */
void tpm_anchor_plan(const struct tpm_writer *k, TPM2_HANDLE index, struct tpm_nv *ret);
/* Defines the planned anchor and writes it once; completes nv->ref. */
_must_check_ int tpm_anchor_make(struct tpm *t, const struct tpm_writer *k, struct tpm_nv *nv);
