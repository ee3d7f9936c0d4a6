/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/*
 * A test fixture: passkeys as a list in JSON, read and checked with no I/O.
 *
 *   [{ "rp_id": "example.com",
 *      "user": { "id": "YWxpY2U", "name": "alice", "displayName": "Alice" },
 *      "discoverable": true, "algorithm": -7,
 *      "extensions": { "prf": true, "credProtect": 2, "credBlob": "aGVsbG8", "largeBlobKey": true,
 *                      "thirdPartyPayment": false } }]
 *
 * rp_id and user.id are needed, the others have a default: discoverable, ES256, no extension. prf is
 * what WebAuthn calls hmac-secret, which is taken too. Bytes are base64url without padding. There is
 * no member for a key or an id: those are made with the passkey.
 */

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "authenticator/protocol.h"
#include "ctap/credential.h"
#include "ctap/new-credential.h"

/* What this device cannot make is refused. */
struct seed_limits {
        unsigned key_types; /* ctap_keys_ops.offered */
        bool large_blobs;
};

struct seed {
        struct ctap_new_credential what; /* borrows from the JSON, and from here */
        uint8_t user_id[CTAP_USER_ID_MAX];
        uint8_t cred_blob[CTAP_CRED_BLOB_MAX];
};

struct seed_fixture {
        size_t n;
        struct seed seeds[PROTOCOL_SEED_MAX];
};

/*
 * NULL: *ret is what to make, to be freed, and borrows from `list`, an array. Else the error as a body
 * (control.h), which names the entry and the member that is wrong.
 */
json_t *seed_read(const json_t *list, const struct seed_limits *limits, struct seed_fixture **ret);
