/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* What must hold of an attestation certificate of either format (WebAuthn §8.2.1, §8.3.1). */

#include <openssl/x509.h>
#include <stdbool.h>
#include <stdint.h>

#include "ctap/bytes.h"

/* It says so: basicConstraints is there, with CA:FALSE. */
bool certificate_is_no_authority(const X509 *leaf);
/*
 * The extension of an AAGUID is not there, or is as it should be (an OCTET STRING within that of the
 * extension, not critical) and names this one. `aaguid` may be NULL: any.
 */
bool certificate_has_no_other_aaguid(const X509 *leaf, const uint8_t aaguid[16]);
