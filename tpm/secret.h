/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/*
 * CredRandom of hmac-secret (CTAP 2.3 §12.7): an HMAC-SHA-256 key under P2 that never leaves the
 * TPM, or on a TPM that cannot use one, 32 sealed bytes that leave it for each use.
 */

#include "tpm/context.h"

/* Of the keys port: ctap/env.h. */
_must_check_ int tpm_secret_create(struct ctap_keys *k, enum ctap_key_class class,
                                   struct ctap_secret_blob *ret);
/*
 * Commands: Load, HMAC, HMAC, FlushContext; before them StartAuthSession if sessions are salted;
 * StartAuthSession and one PolicyTicket before each HMAC for class B.
 */
_must_check_ int tpm_secret_hmac(struct ctap_keys *k, struct bytes blob,
                                 const struct ctap_ticket *ticket, struct bytes salts,
                                 struct secret64 *ret);

/* What this TPM computes hmac-secret with, by trying; part of a step, after the unlock. */
_must_check_ int tpm_secret_try(struct tpm *t, enum tpm_hmac_kind *ret);
