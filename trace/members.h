/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/*
 * What the members of CTAP2 messages are called, of which type they are, and which of them are secrets:
 * the one table that both the redaction and the transcript go by.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ctap/cbor.h"

enum trace_content {
        TRACE_PLAIN,
        TRACE_SECRET,    /* bytes that are shown only to who asked for secrets */
        TRACE_AUTH_DATA, /* bytes that hold authenticator data (WebAuthn §6.1) */
        TRACE_BITS,      /* an integer, each bit of which has a word */
};

/* A number that has a name. The last of a list has no name. */
struct trace_word {
        int64_t value;
        const char *name;
};

struct trace_shape;

struct trace_member {
        const char *text; /* a text key; NULL: the integer key */
        int64_t key;
        const char *name; /* as the specification calls it; of a text key NULL */
        enum cbor_kind kind;
        enum trace_content content;
        const struct trace_shape *inside; /* of a map, or each element of an array; NULL: free */
        const struct trace_word *words;   /* of an integer, or of those of an array; NULL: none */
};

/* What a map has. */
struct trace_shape {
        size_t n;
        const struct trace_member *members;
};

struct trace_command {
        uint8_t code;
        const char *name;
        const struct trace_shape *request, *reply; /* NULL: it has no map */
        const struct trace_shape *outputs;         /* of extensions, in its authenticator data */
};

/* NULL: CTAP knows no such command, or has only its status. */
const struct trace_command *trace_command(uint8_t code);
/* NULL: the shape, which may be NULL, knows no such member. */
const struct trace_member *trace_member(const struct trace_shape *shape,
                                        const struct cbor_value *key);
/* NULL: it has none. */
const char *trace_word(const struct trace_word *words, int64_t value);

/* A COSE_Key (RFC 9052 §7) as CTAP has them. */
extern const struct trace_shape trace_cose_key;
