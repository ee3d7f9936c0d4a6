/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/*
 * A public key as SubjectPublicKeyInfo in DER (RFC 5280, 5480, 8017): what WebAuthn's getPublicKey()
 * gives a site, and what every library for cryptography reads.
 */

#include "ctap/bytes.h"
#include "ctap/env.h"

/* No key is longer than an RSA key of 2048 bits. */
#define CTAP_SPKI_MAX 294

void ctap_spki_put(struct buf *out, const struct ctap_public_key *key);
