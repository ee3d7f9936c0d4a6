/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/*
 * Bytes written in hexadecimal, with spaces where they help to read. Each lies in a heap block of
 * its exact size, so that the address sanitizer sees a read beyond the end.
 */

#include <stdlib.h>
#include <string.h>

#include "ctap/macro.h"
#include "tests/unit/test.h"

static inline uint8_t hex_nibble(char c) {
        return (uint8_t)(c <= '9' ? c - '0' : c - 'a' + 10);
}

/* Lower case; give the result up with release(). */
static inline struct bytes unhex(const char *text) {
        uint8_t *to = malloc(strlen(text) / 2 + 1);
        size_t n = 0;

        assert_non_null(to);
        for (; *text; text += *text == ' ' ? 1 : 2)
                if (*text != ' ')
                        to[n++] = (uint8_t)(hex_nibble(text[0]) << 4 | hex_nibble(text[1]));

        to = realloc(to, n > 0 ? n : 1);
        assert_non_null(to);
        return BYTES(to, n);
}

/* A copy in a block of its exact size. */
static inline struct bytes copied(struct bytes b) {
        uint8_t *to = malloc(b.len > 0 ? b.len : 1);

        assert_non_null(to);
        if (b.len > 0)
                memcpy(to, b.data, b.len);
        return BYTES(to, b.len);
}

static inline void release(struct bytes *b) {
        free((void *)(uintptr_t)b->data);
}

#define assert_hex_equal(b, hex)                                   \
        do {                                                       \
                _cleanup_(release) struct bytes _hex = unhex(hex); \
                assert_bytes_equal((b), _hex);                     \
        } while (0)
