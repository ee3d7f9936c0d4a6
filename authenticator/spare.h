/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/*
 * The RSA key that was made ahead, because it takes a TPM seconds. Most people never meet a site that
 * takes nothing but RSA, and for them none is made. The first registration that wants one waits for
 * its key; from then on, until a reset, one lies ready. When it is made: worker.c.
 *
 * It is kept in the store, wrapped, so that a restart makes no other. Two credentials must never have
 * the same key, which would tell two sites that they have the same user. So it is taken out of the
 * store, durably, before it is given to a credential. A copy of the store from before still has it:
 * therefore it is given only under a lease (lease.h) that is open, and a start that finds the store
 * left as a copy would be, drops it.
 *
 * Nor must anybody who can write to the disk be able to lay a public key of his own there, for a
 * registration does not always load its key: it is authenticated under the store key.
 */

#include "authenticator/store.h"
#include "tpm/tpm.h"

enum spare_state {
        SPARE_UNWANTED,
        SPARE_MISSING,
        SPARE_READY,
        SPARE_GIVEN_UP, /* missing, and it could not be made or kept */
};

struct spare {
        struct store *store;
        struct tpm *tpm;
        enum spare_state state;
};

/* Store and TPM are borrowed, and unlocked. `orderly`: the store is what was left at a clean stop. */
_must_check_ int spare_begin(struct spare *s, struct store *store, struct tpm *tpm, bool orderly);
/* Takes it out. One is wanted from now on. -ENOENT: there is none. */
_must_check_ int spare_take(struct spare *s, struct ctap_key_blob *ret);
/* Makes one that is missing. What fails is told in the log, and not tried again before a restart. */
void spare_make(struct spare *s);
