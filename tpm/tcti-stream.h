/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* A TCTI that speaks raw TPM commands on a connected stream socket. */

#include <stdint.h>
#include <tss2/tss2_tcti.h>

#include "ctap/macro.h"

/*
 * Borrows the socket, which is shut down if a response takes longer than the limit. -ENOMEM.
 */
_must_check_ int tpm_stream_new(int fd, uint32_t limit_ms, TSS2_TCTI_CONTEXT **ret);
/* NULL is fine. Returns NULL. */
TSS2_TCTI_CONTEXT *tpm_stream_free(TSS2_TCTI_CONTEXT *c);
