/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Groups of three bytes and four characters; the last group may be shorter, which the other alphabet
 * fills up with "=".
 */

#include "authenticator/base64url.h"

#include <errno.h>

static const char url_alphabet[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

static void put(struct buf *out, struct bytes b, const char *with) {
        uint32_t bits = 0;
        unsigned n_bits = 0;

        for (size_t i = 0; i < b.len; i++) {
                bits = bits << 8 | b.data[i];
                for (n_bits += 8; n_bits >= 6; n_bits -= 6)
                        buf_put_u8(out, (uint8_t)with[bits >> (n_bits - 6) & 0x3f]);
        }
        if (n_bits > 0)
                buf_put_u8(out, (uint8_t)with[bits << (6 - n_bits) & 0x3f]);
}

void base64url_put(struct buf *out, struct bytes b) {
        put(out, b, url_alphabet);
}

void base64_put(struct buf *out, struct bytes b) {
        put(out, b, alphabet);
        for (size_t i = b.len; i % 3 != 0; i++)
                buf_put_u8(out, '=');
}

/* Its six bits, or -1. */
static int value_of(uint8_t c, const char *with) {
        for (int i = 0; i < 64; i++)
                if (with[i] == c)
                        return i;
        return -1;
}

static int get(struct bytes text, const char *with, struct buf *out) {
        uint32_t bits = 0;
        unsigned n_bits = 0;

        for (size_t i = 0; i < text.len; i++) {
                int value = value_of(text.data[i], with);

                if (value < 0)
                        return -EBADMSG;
                bits = bits << 6 | (uint32_t)value;
                n_bits += 6;
                if (n_bits >= 8) {
                        n_bits -= 8;
                        buf_put_u8(out, (uint8_t)(bits >> n_bits));
                }
        }
        /* A character that says nothing, or bits behind the last byte. */
        if (n_bits >= 6 || (bits & ((1u << n_bits) - 1)) != 0)
                return -EBADMSG;
        return buf_error(out);
}

int base64url_get(struct bytes text, struct buf *out) {
        return get(text, url_alphabet, out);
}

int base64_get(struct bytes text, struct buf *out) {
        if (text.len % 4 != 0)
                return -EBADMSG;
        for (int i = 0; i < 2 && text.len > 0 && text.data[text.len - 1] == '='; i++)
                text.len--;
        return get(text, alphabet, out);
}
