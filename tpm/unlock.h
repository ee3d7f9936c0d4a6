/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* tpm_unlock() as part of a step. */

#include "tpm/context.h"

/* Takes the record over. On failure the TPM stays locked and the record is freed. */
_must_check_ int tpm_unlock_record(struct tpm *t, struct tpm_record *record);
