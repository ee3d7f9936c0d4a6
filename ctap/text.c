/* SPDX-License-Identifier: BSD-2-Clause */

/* One code point at a time; what is not whole is replaced byte by byte. */

#include "ctap/text.h"

#include "ctap/invisible.h"

#define REPLACEMENT "\xef\xbf\xbd"

/* Takes one code point; UINT32_MAX, and one byte, if it is malformed. */
static uint32_t next_character(struct cursor *c) {
        struct bytes whole = c->left;
        uint8_t lead = cursor_u8(c);
        size_t more = lead >= 0xf0 ? 3 : lead >= 0xe0 ? 2 : lead >= 0xc0 ? 1 : 0;
        uint32_t v = more == 3 ? lead & 0x07u : more == 2 ? lead & 0x0fu : lead & 0x1fu;

        if (lead < 0x80)
                return lead;
        if (more == 0 || whole.len < more + 1 || !bytes_is_utf8(BYTES(whole.data, more + 1)))
                return UINT32_MAX;
        while (more-- > 0)
                v = v << 6 | (cursor_u8(c) & 0x3fu);
        return v;
}

/* Characters that act on the terminal, or are malformed; and those that are not seen. */
static bool is_harmful(uint32_t c) {
        return c < 0x20 || (c >= 0x7f && c <= 0x9f) || c > 0x10ffff || is_invisible(c);
}

void text_put_harmless(struct buf *to, struct bytes from) {
        struct cursor c = { from, false };

        while (c.left.len > 0) {
                const uint8_t *start = c.left.data;

                if (is_harmful(next_character(&c)))
                        buf_put(to, BYTES_TEXT(REPLACEMENT));
                else
                        buf_put(to, BYTES(start, (size_t)(c.left.data - start)));
        }
}

void text_put_start(struct buf *to, struct bytes from, size_t max) {
        struct bytes shown = bytes_utf8_prefix(from, max);

        text_put_harmless(to, shown);
        if (shown.len < from.len)
                buf_put(to, BYTES_TEXT(TEXT_ELLIPSIS));
}

void text_put_end(struct buf *to, struct bytes from, size_t max) {
        if (from.len > max) {
                buf_put(to, BYTES_TEXT(TEXT_ELLIPSIS));
                from = BYTES(from.data + (from.len - max), max);
        }
        text_put_harmless(to, from);
}
