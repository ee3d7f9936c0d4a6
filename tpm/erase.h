/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* What provisioning shares with erasing. */

#include "tpm/context.h"

/* Encodes and saves; *state is what was saved last, also on failure. */
_must_check_ int tpm_save_record(struct tpm *t, const struct tpm_record *record, tpm_save_fn *save,
                                 void *userdata, struct tpm_state *state);
/*
 * tpm_erase(), or with the counter tpm_remove(), with the owner's password if there is one, which is
 * kept.
 */
_must_check_ int tpm_erase_state(struct tpm *t, struct tpm_state *state, tpm_save_fn *save,
                                 void *userdata, bool with_counter);
/*
 * Removes the PIN, the anchor and P2 from the TPM, and all of them from the record. Both counters
 * stay, and what a trial found out about the TPM.
 */
_must_check_ int tpm_erase_record(struct tpm *t, struct tpm_record *record, bool proven);
