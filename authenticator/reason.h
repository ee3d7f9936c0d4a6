/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* Why a device could not be opened, as a sentence that says what to do about it. */

#include "ctap/bytes.h"

/* Where it failed. */
enum reason_step {
        STEP_STORE = 1 << 0,
        STEP_TPM = 1 << 1, /* the first contact */
        STEP_VAULT = 1 << 2,
        STEP_ATTESTER = 1 << 3, /* which tells its reason by itself */
        STEP_CTAP = 1 << 4,
        STEP_ANY = 31,
};

/* In the place of what `to` holds. */
void reason_put(struct buf *to, enum reason_step step, int error, const char *store,
                const char *tpm);
/* Appends a text with {store} and {tpm} filled in. */
void reason_fill_in(struct buf *to, const char *text, const char *store, const char *tpm);
