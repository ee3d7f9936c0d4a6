/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* Credential keys under P2: the keys port. */

#include "tpm/context.h"

extern const struct ctap_keys_ops tpm_keys_ops;

/* Tells the TPM to drop every loaded key; each is loaded again when it is used next. */
void tpm_keys_flush(struct tpm *t);
/* Frees keys that nobody unloaded. */
void tpm_keys_free(struct tpm *t);
