/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/*
 * How many tries of the PIN are left, for both kinds of index. All but tpm_tries_forget() may send
 * commands, and are called from within a step.
 */

#include "tpm/context.h"

/* Asks only if it is unknown. */
_must_check_ int tpm_tries_left(struct tpm *t, uint8_t *ret);
/* There are none left, and the TPM will not say so itself when it is asked for a PIN. */
_must_check_ int tpm_tries_are_up(struct tpm *t, bool *ret);
/*
 * Right before the PIN is compared. An ordinary index counts nothing by itself: the try is counted
 * here, so that no crash gives it back.
 */
_must_check_ int tpm_tries_take(struct tpm *t);
/* The PIN was right. */
void tpm_tries_renew(struct tpm *t);
/* For certain the TPM did not look at the PIN that a try was taken for. */
void tpm_tries_give_back(struct tpm *t);
/* They changed, or may have. */
void tpm_tries_forget(struct tpm *t);
/* tpm_settle(): asks if it is unknown and was not asked in vain already. */
void tpm_tries_learn(struct tpm *t);

/*
 * All tries are left, of an index that was just made. For an ordinary one: makes the counter that is
 * planned in the record, or takes it as it is if it is there.
 */
_must_check_ int tpm_tries_begin(struct tpm *t);
