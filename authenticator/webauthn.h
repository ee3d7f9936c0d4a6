/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/*
 * Credentials as WebAuthn has them in JSON. The names are those of RegistrationResponseJSON where there
 * are some; bytes are base64url.
 */

#include <jansson.h>

#include "ctap/bytes.h"
#include "ctap/env.h"

/* A text. NULL: out of memory. */
json_t *webauthn_bytes(struct bytes b);

/*
 * What a site gets to know by registering: id, public key, counter, transports. No public key (NULL):
 * those members are null. NULL: out of memory.
 */
json_t *webauthn_credential(const struct ctap_row *row, const struct ctap_public_key *key);
