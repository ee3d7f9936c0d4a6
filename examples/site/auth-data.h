/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* What the authenticator says and signs (WebAuthn §6.1). All slices are of the bytes that were read. */

#include "examples/site/refusal.h"
#include "examples/site/slice.h"

#define AUTH_DATA_MAX     4096
#define CREDENTIAL_ID_MAX 1023 /* WebAuthn §7.1 */
#define AAGUID_LEN        16

enum auth_flag {
        FLAG_USER_PRESENT = 0x01,
        FLAG_USER_VERIFIED = 0x04,
        FLAG_BACKUP_ELIGIBLE = 0x08,
        FLAG_BACKED_UP = 0x10,
        FLAG_ATTESTED = 0x40,
        FLAG_EXTENSIONS = 0x80,
};

struct auth_data {
        struct slice raw;
        struct slice rp_id_hash;
        uint8_t flags;
        uint32_t counter;

        /* With FLAG_ATTESTED. */
        struct slice aaguid;
        struct slice credential_id;
        struct slice public_key; /* COSE */

        struct slice extensions; /* a map; with FLAG_EXTENSIONS */
};

_must_check_ enum refusal auth_data_parse(struct slice raw, struct auth_data *ret);
