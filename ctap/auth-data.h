/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/*
 * Authenticator data (WebAuthn §6.1): what every attestation and assertion signature is over. The
 * flags that say what is inside follow from what is inside.
 */

#include <stdint.h>

#include "ctap/bytes.h"
#include "ctap/cose.h"
#include "ctap/env.h"
#include "ctap/extension.h"

enum {
        CTAP_FLAG_UP = 0x01, /* a person was present */
        CTAP_FLAG_UV = 0x04, /* and verified */
        CTAP_FLAG_BE = 0x08, /* the key may be backed up: never, it cannot leave the TPM (F3) */
        CTAP_FLAG_BS = 0x10, /* the key is backed up: never */
        CTAP_FLAG_AT = 0x40, /* holds attested credential data */
        CTAP_FLAG_ED = 0x80, /* holds extension outputs */
};

struct ctap_attested {
        uint8_t aaguid[16];
        struct ctap_credential_id id;
        const struct ctap_cose *alg;
        struct ctap_public_key key;
};

struct ctap_auth_data {
        struct sha256 rp_id_hash;
        uint8_t flags; /* of CTAP_FLAG_UP and CTAP_FLAG_UV; all other bits are ignored */
        uint32_t count;
        const struct ctap_attested *attested; /* NULL in an assertion */
        struct bytes extensions;              /* an encoded map; empty: there are no outputs */
};

#define CTAP_AUTH_DATA_MAX \
        (32 + 1 + 4 + 16 + 2 + CTAP_CREDENTIAL_ID_SIZE + CTAP_COSE_KEY_MAX + CTAP_EXTENSIONS_MAX)

void ctap_auth_data_put(const struct ctap_auth_data *d, struct buf *out);
