/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* Secrets of 32 bytes that only this TPM gives back. */

#include "tpm/gate.h"

/* From the TPM's generator and the kernel's: as good as the better of the two. */
_must_check_ int tpm_random_secret(struct tpm *t, struct secret32 *ret);

/*
 * P2's authValue, sealed under P1 so that only the policy of the gate opens it. The gate is used up
 * to the next tpm_gate_pass(); so it has to be passed before.
 */
_must_check_ int tpm_seal_auth(struct tpm *t, const struct tpm_gate *gate,
                               const struct sha256 *policy, const struct secret32 *auth,
                               struct tpm_blob *ret);
/* Passes the gate twice: five commands. -ESTALE. */
_must_check_ int tpm_unseal_auth(struct tpm *t, const struct tpm_gate *gate,
                                 const struct tpm_blob *blob, struct secret32 *ret);

/* The store key, sealed under P2; the session of an open gate hides it on its way. */
_must_check_ int tpm_seal_store_key(struct tpm *t, const struct tpm_gate *gate,
                                    const struct secret32 *key, struct tpm_blob *ret);
/* Ends the session: three commands. -ESTALE. */
_must_check_ int tpm_unseal_store_key(struct tpm *t, struct tpm_gate *gate,
                                      const struct tpm_blob *blob, struct secret32 *ret);
