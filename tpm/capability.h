/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* What is asked of TPM2_GetCapability. */

#include "tpm/context.h"

/*
 * The lowest handle of a range that is free and is not `except`. -ENOSPC: there is none, which
 * tpm_free_handle() calls an error in the log.
 */
_must_check_ int tpm_look_for_handle(struct tpm *t, TPM2_HANDLE first, TPM2_HANDLE last,
                                     TPM2_HANDLE except, TPM2_HANDLE *ret);
_must_check_ int tpm_free_handle(struct tpm *t, TPM2_HANDLE first, TPM2_HANDLE last,
                                 TPM2_HANDLE except, TPM2_HANDLE *ret);
/* Flushes every object and session, whoever's it is. */
_must_check_ int tpm_flush_leftovers(struct tpm *t);
/* By the manufacturer: a TPM that runs on the main processor, without a bus to listen on. */
bool tpm_is_firmware(const struct tpm_info *info);
/* Whether it makes RSA keys as a credential wants them. One command. */
_must_check_ int tpm_ask_rsa2048(struct tpm *t, bool *ret);
/* tpm_describe() as part of a step. */
_must_check_ int tpm_ask_info(struct tpm *t, struct tpm_info *ret);
