/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* The attestation format "tpm" (WebAuthn §8.3): a TPM certifies a key of its own. */

#include "examples/site/attestation.h"

_must_check_ enum refusal tpm_statement_verify(struct slice statement,
                                               const struct attested *about);
