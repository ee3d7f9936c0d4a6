/* SPDX-License-Identifier: BSD-2-Clause */

/* Groups of three bytes and four characters; the last group may be shorter. */

#include "authenticator/base64url.h"

#include <errno.h>

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

void base64url_put(struct buf *out, struct bytes b) {
        uint32_t bits = 0;
        unsigned n_bits = 0;

        for (size_t i = 0; i < b.len; i++) {
                bits = bits << 8 | b.data[i];
                for (n_bits += 8; n_bits >= 6; n_bits -= 6)
                        buf_put_u8(out, (uint8_t)alphabet[bits >> (n_bits - 6) & 0x3f]);
        }
        if (n_bits > 0)
                buf_put_u8(out, (uint8_t)alphabet[bits << (6 - n_bits) & 0x3f]);
}

/* Its six bits, or -1. */
static int value_of(uint8_t c) {
        for (int i = 0; i < 64; i++)
                if (alphabet[i] == c)
                        return i;
        return -1;
}

int base64url_get(struct bytes text, struct buf *out) {
        uint32_t bits = 0;
        unsigned n_bits = 0;

        for (size_t i = 0; i < text.len; i++) {
                int value = value_of(text.data[i]);

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
