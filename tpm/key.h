/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* Credential keys under P2: the keys port. */

#include "tpm/context.h"

/* The keys port's load() without a ticket, whatever the key wants: it can be certified, not sign. */
_must_check_ int tpm_key_load_to_certify(struct tpm *t, struct bytes blob,
                                         struct ctap_loaded_key **ret);
/* Its handle in this connection, where it is loaded anew if need be: part of a step. */
_must_check_ int tpm_key_handle(struct tpm *t, struct ctap_loaded_key *key, ESYS_TR *ret);
const TPMT_PUBLIC *tpm_key_public(const struct ctap_loaded_key *key);

/* As WebAuthn §6.5.5 wants it: in DER. */
_must_check_ int tpm_put_ecdsa(const TPMS_SIGNATURE_ECDSA *from, struct ctap_signature *ret);

extern const struct ctap_keys_ops tpm_keys_ops;

/* Tells the TPM to drop every loaded key; each is loaded again when it is used next. */
void tpm_keys_flush(struct tpm *t);
/* Frees keys that nobody unloaded. */
void tpm_keys_free(struct tpm *t);
