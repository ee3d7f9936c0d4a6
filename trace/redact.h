/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/*
 * Takes the secrets out of a message, so that it can be shown to whoever debugs a client. Secret are what
 * the PIN/UV auth protocols encrypt and authenticate (PIN, token, pinUvAuthParam), inputs and outputs of
 * hmac-secret, large-blob keys and credBlob. Their bytes become zeros; every length stays, and with it
 * the framing and all of the CBOR around them.
 *
 * It lets through what it knows. What CTAP has no name for loses its texts and bytes, and of a message
 * that is not as the specification says (bad CBOR, a member of another type, an odd APDU) nothing is
 * left but the command or the status.
 */

#include <stdint.h>

#include "ctap/bytes.h"

/* A message of that CTAPHID command, changed where it lies. */
void trace_redact_request(uint8_t command, struct buf *message);
/* The same of what answers `request`, the original or redacted; empty if nobody knows. */
void trace_redact_reply(uint8_t command, struct bytes request, struct buf *message);
