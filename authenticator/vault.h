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
 * lease. -ESTALE: the TPM was cleared or replaced since; nothing is changed. Borrows both.
 */
_must_check_ int vault_open(struct store *store, struct tpm *tpm, struct vault **ret);
/* Ends the lease cleanly. NULL is fine. Returns NULL. Leaves store and tpm to their owner. */
struct vault *vault_close(struct vault *v);

struct ctap_store *vault_store(struct vault *v);
struct ctap_keys *vault_keys(struct vault *v);

/* After an answer went out: flushes TPM objects and renews a lease that is used up. */
void vault_settle(struct vault *v);
