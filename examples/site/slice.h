/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/*
 * Bytes that belong to somebody else, a reader that takes big-endian fields off them, and the two ways
 * in which they are written in JSON: base64url without padding, as WebAuthn does, and hexadecimal.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "examples/site/util.h"

struct slice {
        const uint8_t *data; /* may be NULL if len is 0 */
        size_t len;
};

#define SLICE_NULL    ((struct slice){ NULL, 0 })
#define SLICE(p, n)   ((struct slice){ (const uint8_t *)(p), (n) })
#define SLICE_OF(a)   ((struct slice){ (const uint8_t *)&(a), sizeof(a) })
#define SLICE_TEXT(s) slice_text(s)

struct slice slice_text(const char *nul_terminated);
bool slice_equal(struct slice a, struct slice b);

struct reader {
        struct slice left;
        bool failed; /* more was asked for than there was; what was taken is then not to be used */
};

uint8_t reader_u8(struct reader *r);
uint16_t reader_u16(struct reader *r);
uint32_t reader_u32(struct reader *r);
struct slice reader_take(struct reader *r, size_t n);
/* A 16-bit length and the bytes: the TPM's TPM2B. */
struct slice reader_sized(struct reader *r);
/* True if all that was asked for was there, and nothing is left. */
bool reader_at_end(const struct reader *r);

/* A text of the heap, or NULL without memory. */
char *base64url_encode(struct slice b);
char *hex_encode(struct slice b);

/*
 * The bytes of a text, of which `to` holds at least three for every four characters. False: it is no
 * base64url, or not the one text that base64url_encode() would have written.
 */
_must_check_ bool base64url_decode(struct slice text, uint8_t *to, size_t *ret_len);
