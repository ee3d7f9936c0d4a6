/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/*
 * Attestation of a new credential (WebAuthn §8): "packed" self attestation, signed by the new key
 * itself, or "none". Neither says which machine made the key.
 */

#include <stdint.h>

#include "ctap/bytes.h"
#include "ctap/cbor.h"
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
 * Writes the members 1 to 3 of a makeCredential reply: fmt, authData, attStmt. The signature is by
 * the new key, over authData and the client data hash; "none" has no use for it.
 */
void ctap_attestation_put(struct cbor_writer *w, enum ctap_attestation format,
                          struct bytes auth_data, int32_t alg, struct bytes signature);
