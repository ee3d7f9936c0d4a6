/* SPDX-License-Identifier: BSD-2-Clause */

/* ctap/text.c and ctap/invisible.h: text that others chose, as a person gets to see it. */

#include "ctap/invisible.h"
#include "ctap/text.h"
#include "tests/unit/test.h"

#define REPLACEMENT "\xef\xbf\xbd"

static void assert_shown(struct bytes from, const char *want) {
        uint8_t storage[64];
        struct buf shown = BUF_ON(storage);

        text_put_harmless(&shown, from);
        assert_bytes_equal(buf_bytes(&shown), BYTES_TEXT(want));
}

static void plain_text_is_shown_as_it_is(void **state) {
        (void)state;
        assert_shown(BYTES_TEXT(""), "");
        assert_shown(BYTES_TEXT("a ~"), "a ~");
        assert_shown(BYTES_TEXT("\u00a0\u00e9\u07ff"), "\u00a0\u00e9\u07ff");
        assert_shown(BYTES_TEXT("\u0800\u65e5\uffff"), "\u0800\u65e5\uffff");
        assert_shown(BYTES_TEXT("\U00010000\U0001f511\U0010ffff"),
                     "\U00010000\U0001f511\U0010ffff");
}

static void control_characters_are_replaced(void **state) {
        (void)state;
        assert_shown(BYTES("\0", 1), REPLACEMENT);
        assert_shown(BYTES_TEXT("a\n\r\x1f\x7f"),
                     "a" REPLACEMENT REPLACEMENT REPLACEMENT REPLACEMENT);
        assert_shown(BYTES_TEXT("\xc2\x80\xc2\x9f"), REPLACEMENT REPLACEMENT);
}

/* RFC 3629, 3 and 4: a byte that begins no character stands for itself alone. */
static void malformed_text_is_replaced_byte_by_byte(void **state) {
        (void)state;
        assert_shown(BYTES_TEXT("\x80"
                                "b"),
                     REPLACEMENT "b");
        assert_shown(BYTES_TEXT("\xc3"
                                "b"),
                     REPLACEMENT "b");
        assert_shown(BYTES_TEXT("\xc3"), REPLACEMENT);
        assert_shown(BYTES_TEXT("\xe2\x80"), REPLACEMENT REPLACEMENT);
        assert_shown(BYTES_TEXT("\xc0\xaf"), REPLACEMENT REPLACEMENT);
        assert_shown(BYTES_TEXT("\xed\xa0\x80"), REPLACEMENT REPLACEMENT REPLACEMENT);
        assert_shown(BYTES_TEXT("\xf4\x90\x80\x80"),
                     REPLACEMENT REPLACEMENT REPLACEMENT REPLACEMENT);
        assert_shown(BYTES_TEXT("\xff"), REPLACEMENT);
}

/* Each range of Default_Ignorable_Code_Point and the others at both its ends, and what is beside it. */
static void invisible_characters_are_replaced(void **state) {
        static const uint32_t ranges[][2] = {
                { 0x00ad, 0x00ad },   { 0x034f, 0x034f },   { 0x061c, 0x061c },
                { 0x115f, 0x1160 },   { 0x17b4, 0x17b5 },   { 0x180b, 0x180f },
                { 0x200b, 0x200f },   { 0x2028, 0x202e },   { 0x2060, 0x206f },
                { 0x2800, 0x2800 },   { 0x3164, 0x3164 },   { 0xfe00, 0xfe0f },
                { 0xfeff, 0xfeff },   { 0xffa0, 0xffa0 },   { 0xfff0, 0xfffb },
                { 0x1bca0, 0x1bca3 }, { 0x1d173, 0x1d17a }, { 0xe0000, 0xe0fff },
        };

        (void)state;
        for (size_t i = 0; i < ELEMENTSOF(ranges); i++) {
                assert_false(is_invisible(ranges[i][0] - 1));
                assert_true(is_invisible(ranges[i][0]));
                assert_true(is_invisible(ranges[i][1]));
                assert_false(is_invisible(ranges[i][1] + 1));
        }
        assert_shown(BYTES_TEXT("a\u200bb\u202ec\U000e0041"),
                     "a" REPLACEMENT "b" REPLACEMENT "c" REPLACEMENT);
}

static void long_text_is_cut_between_characters(void **state) {
        uint8_t storage[TEXT_SHOWN_MAX(4)];
        struct buf shown = BUF_ON(storage);

        (void)state;
        text_put_start(&shown, BYTES_TEXT("abcd"), 4);
        assert_bytes_equal(buf_bytes(&shown), BYTES_TEXT("abcd"));
        shown = BUF_ON(storage);
        text_put_start(&shown, BYTES_TEXT("abc\u00e9"), 4);
        assert_bytes_equal(buf_bytes(&shown), BYTES_TEXT("abc" TEXT_ELLIPSIS));
        shown = BUF_ON(storage);
        text_put_end(&shown, BYTES_TEXT("abcd"), 4);
        assert_bytes_equal(buf_bytes(&shown), BYTES_TEXT("abcd"));
        shown = BUF_ON(storage);
        text_put_end(&shown, BYTES_TEXT("\u00e9bcd"), 4);
        assert_bytes_equal(buf_bytes(&shown), BYTES_TEXT(TEXT_ELLIPSIS REPLACEMENT "bcd"));
}

/* What TEXT_SHOWN_MAX() promises, for text of which every byte is replaced. */
static void replaced_text_fits_where_the_header_says(void **state) {
        uint8_t storage[TEXT_SHOWN_MAX(4)];
        struct buf shown = BUF_ON(storage);

        (void)state;
        text_put_start(&shown, BYTES_TEXT("\x01\x01\x01\x01\x01"), 4);
        assert_bytes_equal(buf_bytes(&shown),
                           BYTES_TEXT(
                                   REPLACEMENT REPLACEMENT REPLACEMENT REPLACEMENT TEXT_ELLIPSIS));
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(plain_text_is_shown_as_it_is),
                cmocka_unit_test(control_characters_are_replaced),
                cmocka_unit_test(malformed_text_is_replaced_byte_by_byte),
                cmocka_unit_test(invisible_characters_are_replaced),
                cmocka_unit_test(long_text_is_cut_between_characters),
                cmocka_unit_test(replaced_text_fits_where_the_header_says),
        };

        return cmocka_run_group_tests_name("text", tests, NULL, NULL);
}
