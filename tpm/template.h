/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* The public areas of everything that is ever created, and the table of credential key types. */

#include <tss2/tss2_tpm2_types.h>

#include "ctap/env.h"

#define TPM_SRK_HANDLE 0x81000001u /* TCG EK Credential Profile and TPM provisioning guidance */

/* The storage root key: the TCG template for ECC, made only where there is none. */
extern const TPMT_PUBLIC tpm_template_srk;
/* A storage key: P2, and P1 once it has a policy and lost userWithAuth. */
extern const TPMT_PUBLIC tpm_template_storage;
/* A sealed secret of up to 128 bytes. */
extern const TPMT_PUBLIC tpm_template_sealed;
/* CredRandom: a key for HMAC-SHA-256, or sealed. */
extern const TPMT_PUBLIC tpm_template_hmac;
extern const TPMT_PUBLIC tpm_template_cred_random;
/* K, of which the TPM is only told the public half. */
extern const TPMT_PUBLIC tpm_template_writer;

/* The attestation key: restricted, so that it signs what the TPM says and nothing else. */
extern const TPMT_PUBLIC tpm_template_attestation;

/* The anchor and the counter, without index and policy. */
extern const TPMS_NV_PUBLIC tpm_template_anchor;
extern const TPMS_NV_PUBLIC tpm_template_counter;
/* What holds the PIN, for TPM_PIN_FAIL and for TPM_PIN_ORDINARY. */
extern const TPMS_NV_PUBLIC tpm_template_pin_fail;
extern const TPMS_NV_PUBLIC tpm_template_pin_ordinary;

/* What is tried out before the PIN gets an index of that type. */
extern const TPMS_NV_PUBLIC tpm_template_pin_trial;

struct tpm_key_type {
        const TPMT_PUBLIC *template; /* class A */
        TPMT_SIG_SCHEME scheme;      /* given with TPM2_Sign: the keys themselves have none */
        uint16_t digest_size;        /* of what is signed */
        uint16_t public_size;        /* of a coordinate, or of the modulus */
};

/* Indexed by enum ctap_key_type. */
extern const struct tpm_key_type tpm_key_types[_CTAP_KEY_TYPES];

/* The same but with a policy in place of the authValue. */
TPMT_PUBLIC tpm_template_with_policy(const TPMT_PUBLIC *template, const struct sha256 *policy);
/* True if a public area came from this template: everything but `unique` is the same. */
bool tpm_template_matches(const TPMT_PUBLIC *template, const TPMT_PUBLIC *public);
