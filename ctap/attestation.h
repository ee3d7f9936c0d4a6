/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/*
 * Attestation of a new credential (WebAuthn §8): "packed" self attestation, signed by the new key
 * itself, or "none"; neither says which machine made the key. What an organisation's attester signs or
 * certifies does: "packed" with certificates, or "tpm". That is enterprise attestation (CTAP 2.3 §7.1);
 * "tpm" is also given to the sites that the organisation named, whenever they do not ask for another.
 */

#include <stdbool.h>
#include <stdint.h>

#include "ctap/bytes.h"
#include "ctap/cbor.h"
#include "ctap/env.h"
#include "ctap/macro.h"
#include "ctap/status.h"

enum ctap_attestation {
        CTAP_ATTESTATION_ANY, /* a preference alone */
        CTAP_ATTESTATION_PACKED,
        CTAP_ATTESTATION_TPM,
        CTAP_ATTESTATION_NONE,
};

/* It certifies, and does not sign. NULL is fine. */
bool ctap_attester_is_tpm(const struct ctap_attester *a);
/* How many bytes its certificates may have together to attest to a key of this type (H39). */
size_t ctap_attestation_room(enum ctap_key_type type);

/* What attestationFormatsPreference (makeCredential 0B) asks for; ABSENT is fine (MC18). */
_must_check_ enum ctap_status ctap_attestation_prefer(const struct cbor_value *preference,
                                                      enum ctap_attestation *ret);

/*
 * What enterpriseAttestation (makeCredential 0A), which may be ABSENT, asks for (MC9): `attester` where
 * it is granted, else NULL. CTAP1_ERR_INVALID_PARAMETER: it is turned off, or there is no attester.
 */
_must_check_ enum ctap_status ctap_attestation_grant(struct ctap_attester *attester, bool enabled,
                                                     const struct cbor_value *enterprise,
                                                     struct bytes rp_id,
                                                     struct ctap_attester **ret);

struct ctap_attestation_question {
        enum ctap_attestation preference;
        struct ctap_attester *there;   /* NULL: there is none */
        struct ctap_attester *granted; /* by ctap_attestation_grant(): that, or NULL */
        struct bytes rp_id;
        enum ctap_key_type type;
};

/* How a credential is attested. */
struct ctap_attesting {
        enum ctap_attestation format;   /* never ANY */
        struct ctap_attester *attester; /* NULL: the new key itself, if the format is not NONE */
        bool enterprise;                /* it was granted, and is given */
};

struct ctap_attesting ctap_attestation_decide(const struct ctap_attestation_question *q);

/* Over authData and the client data hash. */
struct ctap_statement {
        struct ctap_attesting by;
        int32_t alg;                                    /* of the new key */
        struct bytes signature;                         /* "none" has no use for it */
        const struct ctap_certification *certification; /* "tpm" alone */
};

/* Writes the members 1 to 3 of a makeCredential reply: fmt, authData, attStmt. */
void ctap_attestation_put(struct cbor_writer *w, const struct ctap_statement *statement,
                          struct bytes auth_data);
