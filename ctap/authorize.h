/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/*
 * Who may run a command, and with which options: what makeCredential and getAssertion have in
 * common, written once. No PIN and no built-in user verification exists: nothing is "protected"
 * (ctap.md C), and a pinUvAuthParam proves nothing and is asked for by nobody.
 */

#include <stdbool.h>

#include "ctap/cbor.h"
#include "ctap/command.h"
#include "ctap/macro.h"
#include "ctap/status.h"

/* The members of a request that bear on it. ABSENT where the client left them out. */
struct ctap_authorization {
        struct cbor_value param;    /* pinUvAuthParam, bytes */
        struct cbor_value protocol; /* pinUvAuthProtocol, integer */
        struct cbor_value rk, up, uv;
};

/* Takes rk, up and uv out of `options`, which may be ABSENT. Others are ignored (B12). */
_must_check_ enum ctap_status ctap_read_options(const struct cbor_value *options,
                                                struct ctap_authorization *ret);

/*
 * The pinUvAuthParam. One of length zero is the old way of asking "is this the key you mean?" (MC1,
 * GA1): the person is asked, and the answer is an error whatever they say. `rp_id` is what the
 * person is told, and may be empty.
 */
_must_check_ enum ctap_status ctap_authorize(struct ctap *c, const struct ctap_authorization *a,
                                             struct bytes rp_id);

/* The uv option as it counts: a pinUvAuthParam makes it false (MC5, GA3). */
_must_check_ enum ctap_status ctap_authorize_uv(const struct ctap_authorization *a);
