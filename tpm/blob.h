/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* A wrapped object, as TPM2_Create gives it and TPM2_Load takes it: TPM2B_PRIVATE, TPM2B_PUBLIC. */

#include <tss2/tss2_tpm2_types.h>

#include "ctap/bytes.h"

struct tpm_blob {
        TPM2B_PRIVATE private;
        TPM2B_PUBLIC public;
};

/* What does not fit fails the buffer. */
void tpm_blob_encode(const struct tpm_blob *blob, struct buf *to);
/* -EBADMSG unless the slice is exactly one blob, in the one way it can be written. */
_must_check_ int tpm_blob_decode(struct bytes from, struct tpm_blob *ret);
