/* SPDX-License-Identifier: BSD-2-Clause */

/* Slices, bounded buffers and cursors: see bytes.h. */

#include <errno.h>
#include <openssl/crypto.h>
#include <string.h>

#include "ctap/bytes.h"

struct bytes bytes_text(const char *nul_terminated) {
        return BYTES(nul_terminated, strlen(nul_terminated));
}

bool bytes_equal(struct bytes a, struct bytes b) {
        return a.len == b.len && (a.len == 0 || memcmp(a.data, b.data, a.len) == 0);
}

bool bytes_equal_secret(struct bytes a, struct bytes b) {
        return a.len == b.len && (a.len == 0 || CRYPTO_memcmp(a.data, b.data, a.len) == 0);
}

/* The length of the well-formed UTF-8 sequence at the start of b, or 0 (Unicode table 3-7). */
static size_t utf8_sequence(struct bytes b) {
        uint8_t first = b.data[0], low = 0x80, high = 0xbf;
        size_t n;

        if (first < 0x80)
                return 1;
        if (first < 0xc2 || first > 0xf4)
                return 0;

        n = first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
        if (b.len < n)
                return 0;

        if (first == 0xe0)
                low = 0xa0;
        else if (first == 0xed)
                high = 0x9f;
        else if (first == 0xf0)
                low = 0x90;
        else if (first == 0xf4)
                high = 0x8f;

        if (b.data[1] < low || b.data[1] > high)
                return 0;
        for (size_t i = 2; i < n; i++)
                if (b.data[i] < 0x80 || b.data[i] > 0xbf)
                        return 0;
        return n;
}

bool bytes_is_utf8(struct bytes b) {
        while (b.len > 0) {
                size_t n = utf8_sequence(b);

                if (n == 0)
                        return false;
                b.data += n;
                b.len -= n;
        }
        return true;
}

struct bytes bytes_utf8_prefix(struct bytes text, size_t max) {
        size_t n = max;

        if (text.len <= max)
                return text;
        while (n > 0 && (text.data[n] & 0xc0) == 0x80)
                n--;
        return BYTES(text.data, n);
}

void buf_put(struct buf *b, struct bytes what) {
        if (b->failed || what.len > b->cap - b->len) {
                b->failed = true;
                return;
        }
        if (what.len > 0)
                memcpy(b->data + b->len, what.data, what.len);
        b->len += what.len;
}

void buf_put_u8(struct buf *b, uint8_t v) {
        buf_put(b, BYTES(&v, 1));
}

void buf_put_u16(struct buf *b, uint16_t v) {
        const uint8_t be[] = { (uint8_t)(v >> 8), (uint8_t)v };

        buf_put(b, BYTES_OF(be));
}

void buf_put_u32(struct buf *b, uint32_t v) {
        buf_put_u16(b, (uint16_t)(v >> 16));
        buf_put_u16(b, (uint16_t)v);
}

void buf_put_u64(struct buf *b, uint64_t v) {
        buf_put_u32(b, (uint32_t)(v >> 32));
        buf_put_u32(b, (uint32_t)v);
}

void buf_put_string16(struct buf *b, struct bytes what) {
        if (what.len > UINT16_MAX) {
                b->failed = true;
                return;
        }
        buf_put_u16(b, (uint16_t)what.len);
        buf_put(b, what);
}

struct bytes buf_bytes(const struct buf *b) {
        return b->failed ? BYTES_NULL : BYTES(b->data, b->len);
}

int buf_error(const struct buf *b) {
        return b->failed ? -EMSGSIZE : 0;
}

struct bytes cursor_take(struct cursor *c, size_t n) {
        struct bytes taken;

        if (c->failed || n > c->left.len) {
                c->failed = true;
                return BYTES_NULL;
        }
        taken = BYTES(c->left.data, n);
        if (n > 0)
                c->left = BYTES(c->left.data + n, c->left.len - n);
        return taken;
}

uint8_t cursor_u8(struct cursor *c) {
        struct bytes b = cursor_take(c, 1);

        return b.len == 1 ? b.data[0] : 0;
}

uint16_t cursor_u16(struct cursor *c) {
        struct bytes b = cursor_take(c, 2);

        return b.len == 2 ? (uint16_t)((unsigned)b.data[0] << 8 | b.data[1]) : 0;
}

uint32_t cursor_u32(struct cursor *c) {
        uint32_t high = cursor_u16(c);

        return high << 16 | cursor_u16(c);
}

uint64_t cursor_u64(struct cursor *c) {
        uint64_t high = cursor_u32(c);

        return high << 32 | cursor_u32(c);
}

struct bytes cursor_string16(struct cursor *c) {
        return cursor_take(c, cursor_u16(c));
}

void cursor_copy(struct cursor *c, uint8_t *to, size_t n) {
        struct bytes b = cursor_take(c, n);

        if (b.len == n && n > 0)
                memcpy(to, b.data, n);
}

int cursor_end(const struct cursor *c) {
        return c->failed || c->left.len > 0 ? -EBADMSG : 0;
}
