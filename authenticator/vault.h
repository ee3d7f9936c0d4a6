/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/*
 * A store and the TPM that protects it, as one thing that is provisioned, unlocked, used and erased
 * together. Implements the store port. One thread uses it.
 */

#include "authenticator/lease.h"
#include "authenticator/store.h"
#include "ctap/env.h"
#include "tpm/tpm.h"

struct vault;

/*
 * Finishes what a crash left half done, provisions a new store, or unlocks a known one; begins the
 * lease. `owner_auth` is the password of the TPM's owner hierarchy, needed only to provision and where
 * there is one; wiped in the TPM's connection before this returns. Borrows store and tpm.
 *   -ESTALE           the TPM was cleared or replaced since; nothing is changed
 *   -ENOTRECOVERABLE  it is the TPM, but its counter is behind the store
 *   -EACCES           it takes the owner's password, or another one; can be repeated with it
 */
_must_check_ int vault_open(struct store *store, struct tpm *tpm, struct bytes owner_auth,
                            struct vault **ret);
/* Ends the lease cleanly. NULL is fine. Returns NULL. Leaves store and tpm to their owner. */
struct vault *vault_close(struct vault *v);

struct ctap_store *vault_store(struct vault *v);
struct ctap_keys *vault_keys(struct vault *v);

/* The port's reset for the owner's tool, with the errno of what went wrong. -EACCES as above. */
_must_check_ int vault_reset(struct vault *v, struct bytes owner_auth);

/* The port's insert for several, in one transaction: store_insert_all(). */
_must_check_ int vault_insert_all(struct vault *v, const struct ctap_row *rows, size_t n,
                                  size_t *n_added);

/* Before credentials come back that were deleted: no count of theirs is shown again. */
_must_check_ int vault_raise_counts(struct vault *v);

/* After an answer went out: flushes TPM objects and renews a lease that is used up. */
void vault_settle(struct vault *v);
/* Whether the spare key is missing (spare.h); to make it takes the TPM seconds. */
bool vault_wants_spare(const struct vault *v);
void vault_make_spare(struct vault *v);
