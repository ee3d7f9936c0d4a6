/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* The lines of a transcript's block, but for CBOR (notation.h). */

#include <stdint.h>
#include <stdio.h>

#include "ctap/bytes.h"

/* Something that has no form, or lost it: in full. Nothing, if it is empty. */
void lines_raw(FILE *to, const char *what, struct bytes b);
/* Cut if it is long. */
void lines_bytes(FILE *to, const char *what, struct bytes b);

/* What stands behind the channel, and the rest of the block. */
void lines_u2f_request(FILE *to, struct bytes message);
/* `ins` is of what it answers; 0 if nobody knows. */
void lines_u2f_reply(FILE *to, uint8_t ins, struct bytes reply);
