/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/*
 * Slices, bounded buffers and cursors. A `struct bytes` borrows; a `struct buf` fills storage that
 * its caller owns and never grows it; a `struct cursor` reads field by field. Buffers and cursors
 * remember their first failure, so that a sequence of calls needs one check at its end.
 * All integers are big-endian.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ctap/macro.h"

struct bytes {
        const uint8_t *data; /* may be NULL if len is 0 */
        size_t len;
};

#define BYTES_NULL  ((struct bytes){ NULL, 0 })
#define BYTES(p, n) ((struct bytes){ (const uint8_t *)(p), (n) })
/* A whole array, or a typed array struct such as struct sha256. */
#define BYTES_OF(x)   ((struct bytes){ (const uint8_t *)&(x), sizeof(x) })
#define BYTES_TEXT(s) bytes_text(s)

struct bytes bytes_text(const char *nul_terminated);
bool bytes_equal(struct bytes a, struct bytes b);
/* Constant time in the contents; the lengths are not secret. */
bool bytes_equal_secret(struct bytes a, struct bytes b);
/* True if the slice is well-formed UTF-8 (RFC 3629: no surrogates, no overlong forms). */
bool bytes_is_utf8(struct bytes b);
/* The longest prefix of at most `max` bytes that does not cut a UTF-8 sequence. */
struct bytes bytes_utf8_prefix(struct bytes text, size_t max);

struct sha256 {
        uint8_t b[32];
};

struct buf {
        uint8_t *data;
        size_t len;
        size_t cap;
        bool failed; /* something did not fit; contents are then not to be used */
};

/* Storage is an array, not a pointer. */
#define BUF_ON(array) ((struct buf){ (array), 0, sizeof(array), false })

void buf_put(struct buf *b, struct bytes what);
void buf_put_u8(struct buf *b, uint8_t v);
void buf_put_u16(struct buf *b, uint16_t v);
void buf_put_u32(struct buf *b, uint32_t v);
void buf_put_u64(struct buf *b, uint64_t v);
/* A 16-bit length and the bytes; fails above 65535. */
void buf_put_string16(struct buf *b, struct bytes what);
struct bytes buf_bytes(const struct buf *b);
/* 0, or -EMSGSIZE if anything did not fit. */
_must_check_ int buf_error(const struct buf *b);

struct cursor {
        struct bytes left;
        bool failed;
};

uint8_t cursor_u8(struct cursor *c);
uint16_t cursor_u16(struct cursor *c);
uint32_t cursor_u32(struct cursor *c);
uint64_t cursor_u64(struct cursor *c);
struct bytes cursor_take(struct cursor *c, size_t n);
struct bytes cursor_string16(struct cursor *c);
/* Copies exactly n bytes; on failure the target is left alone. */
void cursor_copy(struct cursor *c, uint8_t *to, size_t n);
/* 0 if everything asked for was there and nothing is left over, else -EBADMSG. */
_must_check_ int cursor_end(const struct cursor *c);
