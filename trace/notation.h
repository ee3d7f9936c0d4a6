/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/*
 * CBOR in diagnostic notation (RFC 8949 §8), with the names that CTAP gives to numbers as comments. Long
 * strings of bytes are cut, with their length behind them; secrets are not, and where they were taken
 * out it says so. Text of a client cannot act on a terminal.
 */

#include <stdio.h>

#include "ctap/bytes.h"
#include "ctap/cbor.h"
#include "trace/members.h"

/* h'0011223344556677...' / 32 bytes / */
void notation_bytes(FILE *to, struct bytes b);
/* The same in full. */
void notation_all_bytes(FILE *to, struct bytes b);
/* "text", with \u{200b} for what is not seen. Bytes that are no UTF-8 are \x80. */
void notation_text(FILE *to, struct bytes utf8);

struct notation {
        FILE *to;
        const char *margin; /* before every line */
        const struct trace_shape *outputs;
};

/* A checked item, whose first line is begun, and which ends without a newline. */
void notation_item(const struct notation *n, const struct trace_shape *shape,
                   const struct cbor_value *v);
