/* SPDX-License-Identifier: BSD-2-Clause */

/* A recursive reader of diagnostic notation: see diag.h. */

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "tests/fake/diag.h"
#include "tests/unit/test.h"

#define ITEM_MAX 8192

static void skip_space(const char **at) {
        while (isspace((unsigned char)**at))
                (*at)++;
}

static void put_head(struct buf *out, unsigned major, uint64_t value) {
        uint8_t top = (uint8_t)(major << 5);

        if (value < 24) {
                buf_put_u8(out, (uint8_t)(top | value));
        } else if (value <= UINT8_MAX) {
                buf_put_u8(out, top | 24);
                buf_put_u8(out, (uint8_t)value);
        } else if (value <= UINT16_MAX) {
                buf_put_u8(out, top | 25);
                buf_put_u16(out, (uint16_t)value);
        } else if (value <= UINT32_MAX) {
                buf_put_u8(out, top | 26);
                buf_put_u32(out, (uint32_t)value);
        } else {
                buf_put_u8(out, top | 27);
                buf_put_u64(out, value);
        }
}

static uint8_t nibble(char c) {
        assert_true(isxdigit((unsigned char)c));
        return (uint8_t)(isdigit((unsigned char)c) ? c - '0' : tolower(c) - 'a' + 10);
}

static void put_hex(const char **at, struct buf *out) {
        size_t len = strcspn(*at, "'");

        assert_int_equal(len % 2, 0);
        put_head(out, 2, len / 2);
        for (size_t i = 0; i < len; i += 2)
                buf_put_u8(out, (uint8_t)(nibble((*at)[i]) << 4 | nibble((*at)[i + 1])));
        *at += len + 1;
}

static void put_text(const char **at, struct buf *out) {
        size_t len = strcspn(*at, "'");

        put_head(out, 3, len);
        buf_put(out, BYTES(*at, len));
        *at += len + 1;
}

static void put_number(const char **at, struct buf *out) {
        char *end;
        long long v = strtoll(*at, &end, 10);

        assert_ptr_not_equal(end, *at);
        *at = end;
        if (v < 0)
                put_head(out, 1, (uint64_t)(-1 - v));
        else
                put_head(out, 0, (uint64_t)v);
}

static void put_item(const char **at, struct buf *out);

static void put_container(const char **at, struct buf *out, bool map) {
        struct buf inner = { malloc(ITEM_MAX), 0, ITEM_MAX, false };
        size_t n = 0;

        assert_non_null(inner.data);
        for (skip_space(at); **at != (map ? '}' : ']'); skip_space(at)) {
                if (n++ > 0) {
                        assert_int_equal(**at, ',');
                        (*at)++;
                }
                put_item(at, &inner);
                if (map) {
                        skip_space(at);
                        assert_int_equal(**at, ':');
                        (*at)++;
                        put_item(at, &inner);
                }
        }
        (*at)++;
        put_head(out, map ? 5 : 4, n);
        buf_put(out, buf_bytes(&inner));
        out->failed |= inner.failed;
        free(inner.data);
}

/* Moves behind `word` if it comes next. */
static bool took(const char **at, const char *word) {
        size_t len = strlen(word);

        if (strncmp(*at, word, len) != 0)
                return false;
        *at += len;
        return true;
}

static void put_item(const char **at, struct buf *out) {
        skip_space(at);
        if (took(at, "{"))
                put_container(at, out, true);
        else if (took(at, "["))
                put_container(at, out, false);
        else if (took(at, "h'"))
                put_hex(at, out);
        else if (took(at, "'"))
                put_text(at, out);
        else if (took(at, "false"))
                buf_put_u8(out, 0xf4);
        else if (took(at, "true"))
                buf_put_u8(out, 0xf5);
        else if (took(at, "null"))
                buf_put_u8(out, 0xf6);
        else
                put_number(at, out);
}

void diag_encode(const char *notation, struct buf *out) {
        put_item(&notation, out);
        skip_space(&notation);
        assert_int_equal(*notation, '\0');
        assert_int_equal(buf_error(out), 0);
}
