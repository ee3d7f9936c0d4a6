/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/*
 * What a TPM computes, computed here: Names (TPM 2.0 Part 1, 16) and policy digests (Part 3, 23),
 * both with SHA-256. A policy starts as all zeroes and each call extends it.
 */

#include <tss2/tss2_tpm2_types.h>

#include "ctap/bytes.h"
#include "ctap/macro.h"

void tpm_policy_command_code(struct sha256 *policy, TPM2_CC code);
/* With an empty policyRef. */
void tpm_policy_secret(struct sha256 *policy, const TPM2B_NAME *name);
void tpm_policy_signed(struct sha256 *policy, const TPM2B_NAME *name);
/* The policy becomes: whatever the key approved by a signature over it and `ref`. */
void tpm_policy_authorize(struct sha256 *policy, const TPM2B_NAME *key, struct bytes ref);

/* As TPM2_PolicyOR takes them: at most eight. */
struct tpm_branches {
        size_t n;
        struct sha256 digest[8];
};

/* The policy becomes: one of these. */
void tpm_policy_or(struct sha256 *policy, const struct tpm_branches *branches);

/* -EIO: a public area that cannot be marshalled. */
_must_check_ int tpm_name_of_object(const TPMT_PUBLIC *public, TPM2B_NAME *ret);
_must_check_ int tpm_name_of_nv(const TPMS_NV_PUBLIC *public, TPM2B_NAME *ret);
/* The Name that an index has once it was written. */
_must_check_ int tpm_name_of_written(const TPMS_NV_PUBLIC *public, TPM2B_NAME *ret);
/* PolicySecret of an index and nothing else, by that Name. */
_must_check_ int tpm_policy_of_written(const TPMS_NV_PUBLIC *public, struct sha256 *ret);
bool tpm_name_equal(const TPM2B_NAME *a, const TPM2B_NAME *b);

static inline struct bytes tpm_name_bytes(const TPM2B_NAME *name) {
        return BYTES(name->name, name->size);
}
