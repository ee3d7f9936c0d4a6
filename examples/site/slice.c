/* SPDX-License-Identifier: BSD-2-Clause */

/* Borrowed bytes, read and written: see slice.h. */

#include "examples/site/slice.h"

#include <string.h>

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

struct slice slice_text(const char *nul_terminated) {
        return SLICE(nul_terminated, strlen(nul_terminated));
}

bool slice_equal(struct slice a, struct slice b) {
        return a.len == b.len && (a.len == 0 || memcmp(a.data, b.data, a.len) == 0);
}

struct slice reader_take(struct reader *r, size_t n) {
        struct slice taken;

        if (r->failed || n > r->left.len) {
                r->failed = true;
                return SLICE_NULL;
        }
        taken = SLICE(r->left.data, n);
        if (n > 0)
                r->left = SLICE(r->left.data + n, r->left.len - n);
        return taken;
}

uint8_t reader_u8(struct reader *r) {
        struct slice b = reader_take(r, 1);

        return b.len == 1 ? b.data[0] : 0;
}

uint16_t reader_u16(struct reader *r) {
        struct slice b = reader_take(r, 2);

        return b.len == 2 ? (uint16_t)((unsigned)b.data[0] << 8 | b.data[1]) : 0;
}

uint32_t reader_u32(struct reader *r) {
        uint32_t high = reader_u16(r);

        return high << 16 | reader_u16(r);
}

struct slice reader_sized(struct reader *r) {
        return reader_take(r, reader_u16(r));
}

bool reader_at_end(const struct reader *r) {
        return !r->failed && r->left.len == 0;
}

char *base64url_encode(struct slice b) {
        char *text = malloc((b.len * 4 + 2) / 3 + 1), *to = text;
        uint32_t bits = 0;
        unsigned n_bits = 0;

        if (!text)
                return NULL;
        for (size_t i = 0; i < b.len; i++) {
                bits = bits << 8 | b.data[i];
                for (n_bits += 8; n_bits >= 6; n_bits -= 6)
                        *to++ = alphabet[bits >> (n_bits - 6) & 0x3f];
        }
        if (n_bits > 0)
                *to++ = alphabet[bits << (6 - n_bits) & 0x3f];
        *to = '\0';
        return text;
}

char *hex_encode(struct slice b) {
        static const char digits[] = "0123456789abcdef";
        char *text = malloc(b.len * 2 + 1);

        if (!text)
                return NULL;
        for (size_t i = 0; i < b.len; i++) {
                text[2 * i] = digits[b.data[i] >> 4];
                text[2 * i + 1] = digits[b.data[i] & 0xf];
        }
        text[2 * b.len] = '\0';
        return text;
}

/* Its six bits, or -1. */
static int value_of(uint8_t c) {
        const char *at = c ? strchr(alphabet, c) : NULL;

        return at ? (int)(at - alphabet) : -1;
}

bool base64url_decode(struct slice text, uint8_t *to, size_t *ret_len) {
        uint32_t bits = 0;
        unsigned n_bits = 0;
        size_t n = 0;

        for (size_t i = 0; i < text.len; i++) {
                int value = value_of(text.data[i]);

                if (value < 0)
                        return false;
                bits = bits << 6 | (uint32_t)value;
                n_bits += 6;
                if (n_bits >= 8) {
                        n_bits -= 8;
                        to[n++] = (uint8_t)(bits >> n_bits);
                }
        }
        /* A character that says nothing, or bits behind the last byte. */
        if (n_bits >= 6 || (bits & ((1u << n_bits) - 1)) != 0)
                return false;
        *ret_len = n;
        return true;
}
