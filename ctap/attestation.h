/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/*
 * Attestation of a new credential (WebAuthn §8): "packed" self attestation, signed by the new key
 * itself, or "none"; neither says which machine made the key. "packed" with certificates, signed by
 * an organisation's attester, does: that is enterprise attestation (CTAP 2.3 §7.1).
 */

#include <stdbool.h>
#include <stdint.h>

#include "ctap/bytes.h"
#include "ctap/cbor.h"
#include "ctap/env.h"
#include "ctap/macro.h"
#include "ctap/status.h"

enum ctap_attestation {
        CTAP_ATTESTATION_PACKED,
        CTAP_ATTESTATION_NONE,
};

/* What attestationFormatsPreference (makeCredential 0B) asks for; ABSENT is fine (MC18). */
_must_check_ enum ctap_status ctap_attestation_choose(const struct cbor_value *preference,
                                                      enum ctap_attestation *ret);

/*
 * What enterpriseAttestation (makeCredential 0A), which may be ABSENT, asks for (MC9): `attester` where
 * it is granted, else NULL. CTAP1_ERR_INVALID_PARAMETER: it is turned off, or there is no attester.
 */
_must_check_ enum ctap_status ctap_attestation_grant(struct ctap_attester *attester, bool enabled,
                                                     const struct cbor_value *enterprise,
                                                     struct bytes rp_id,
                                                     struct ctap_attester **ret);

/* Over authData and the client data hash. */
struct ctap_statement {
        enum ctap_attestation format;
        struct ctap_attester *attester; /* who signed; NULL: the new key itself */
        int32_t alg;                    /* of the new key */
        struct bytes signature;         /* "none" has no use for it */
};

/* Writes the members 1 to 3 of a makeCredential reply: fmt, authData, attStmt. */
void ctap_attestation_put(struct cbor_writer *w, const struct ctap_statement *statement,
                          struct bytes auth_data);
