/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* A TCTI around another one that waits and asks again while the TPM says that it is busy. */

#include <stdint.h>
#include <tss2/tss2_tcti.h>
#include <tss2/tss2_tpm2_types.h>

struct tpm_patient {
        TSS2_TCTI_CONTEXT_COMMON_V2 tcti; /* first: what ESYS sees */
        TSS2_TCTI_CONTEXT *inner;
        uint32_t waited_ms; /* since the TPM last did something */
        size_t len;         /* of the command that is under way */
        uint8_t command[TPM2_MAX_COMMAND_SIZE];
};

/* Borrows `inner`, which has to outlive it. Nothing to release. */
void tpm_patient_init(struct tpm_patient *p, TSS2_TCTI_CONTEXT *inner);
