/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* What a TPM can do that its makers do not tell: tried, not looked up. */

#include "tpm/context.h"

/*
 * What can count the tries of a PIN. About 15 commands on an index that is gone afterwards; before it
 * is defined record->scratch says so and is saved, and a former one that a crash left is removed. The
 * outcome, and that scratch is empty again, are the caller's to save. -EEXIST: somebody took the
 * handle meanwhile.
 */
_must_check_ int tpm_try_pin(struct tpm *t, struct tpm_record *record, tpm_save_fn *save,
                             void *userdata, struct tpm_state *state, enum tpm_pin_kind *ret);
