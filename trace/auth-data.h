/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* Authenticator data (WebAuthn §6.1) in its parts, for who only looks at it. */

#include <stdbool.h>
#include <stdint.h>

#include "ctap/bytes.h"
#include "ctap/cbor.h"
#include "ctap/macro.h"

struct trace_auth_data {
        struct bytes rp_id_hash;
        uint8_t flags; /* CTAP_FLAG_* of ctap/auth-data.h */
        uint32_t count;
        struct bytes aaguid, credential_id; /* empty without CTAP_FLAG_AT */
        struct cbor_value key;              /* absent without it */
        struct cbor_value extensions;       /* absent without CTAP_FLAG_ED */
};

/* False: it is none. */
_must_check_ bool trace_auth_data_read(struct bytes data, struct trace_auth_data *ret);
