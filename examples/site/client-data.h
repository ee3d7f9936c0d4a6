/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* What the browser says of a ceremony (WebAuthn §5.8.1): its kind, the challenge, and whose page it was. */

#include "examples/site/refusal.h"
#include "examples/site/slice.h"

#define CLIENT_DATA_MAX   4096
#define CHALLENGE_LEN     32
#define CHALLENGE_TEXT    43 /* CHALLENGE_LEN in base64url */
#define CLIENT_ORIGIN_MAX 256

struct client_data {
        bool is_create; /* else it is a login */
        bool is_of_unknown_kind;
        bool is_cross_origin;
        uint8_t challenge[CHALLENGE_LEN];
        bool has_challenge; /* else it has another size than ours */
        char origin[CLIENT_ORIGIN_MAX + 1];
};

_must_check_ enum refusal client_data_parse(struct slice json, struct client_data *ret);
