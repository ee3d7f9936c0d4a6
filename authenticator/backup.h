/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/*
 * A backup of a store as bytes: the file of the store as it is at one moment, and behind it, where
 * SQLite does not look, what tells whose it is.
 *
 * backup  = store | trailer | trailer's length(4) | "tpmauthn backup1" | MAC(32)
 * trailer = time(8) | instance, TPM state as 16-bit length and bytes
 *
 * The MAC is an HMAC-SHA-256 over all before it, under a key from the store key. Only the daemon with
 * this TPM can have made it, since the last reset, and for this instance: nothing of a file that was
 * changed, or made by somebody else, ever reaches SQLite or a store. The TPM state is what opens the
 * store key where no store is left that has it.
 */

#include <stdint.h>

#include "ctap/bytes.h"
#include "ctap/macro.h"
#include "ctap/secret.h"
#include "tpm/tpm.h"

/* All slices borrow. */
struct backup {
        struct bytes image;   /* the file of the store */
        struct bytes covered; /* by the MAC */
        struct bytes mac;
        int64_t time;
        struct bytes instance;
        struct tpm_state state;
};

/* What is behind the image is never longer. */
#define BACKUP_TRAILER_MAX (8 + 2 + 255 + 2 + TPM_STATE_MAX + 4 + 16 + 32)

/* Appends all that is behind the image, which `out` holds. */
_must_check_ int backup_finish(struct buf *out, int64_t time, const char *instance,
                               const struct tpm_state *state, const struct secret32 *store_key);

/* -EBADMSG: it is no backup. What it says is not to be believed before backup_is_genuine(). */
_must_check_ int backup_read(struct bytes in, struct backup *ret);
bool backup_is_genuine(const struct backup *b, const struct secret32 *store_key);
