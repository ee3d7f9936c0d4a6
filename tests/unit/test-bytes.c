/* SPDX-License-Identifier: BSD-2-Clause */

/* ctap/bytes.c: bounds, sticky failures, UTF-8. */

#include <errno.h>

#include "tests/unit/test.h"

static void buffer_remembers_that_something_did_not_fit(void **state) {
        uint8_t storage[4];
        struct buf b = BUF_ON(storage);

        (void)state;
        buf_put_u16(&b, 0x0102);
        buf_put_u32(&b, 7);
        buf_put_u8(&b, 3);
        assert_int_equal(buf_error(&b), -EMSGSIZE);
        assert_int_equal(buf_bytes(&b).len, 0);
}

static void a_string_is_as_long_as_its_length_can_say(void **state) {
        uint8_t storage[2 + UINT16_MAX], longest[UINT16_MAX + 1] = { 0 };
        struct buf b = BUF_ON(storage);

        (void)state;
        buf_put_string16(&b, BYTES(longest, UINT16_MAX));
        assert_int_equal(buf_error(&b), 0);
        assert_int_equal(b.len, 2 + UINT16_MAX);
        b.len = 0;
        buf_put_string16(&b, BYTES_OF(longest));
        assert_int_equal(buf_error(&b), -EMSGSIZE);
        assert_int_equal(b.len, 0);
}

static void buffer_writes_big_endian(void **state) {
        static const uint8_t want[] = { 1, 2, 3, 4, 5, 6, 7, 0, 2, 'h', 'i' };
        uint8_t storage[11];
        struct buf b = BUF_ON(storage);

        (void)state;
        buf_put_u8(&b, 1);
        buf_put_u16(&b, 0x0203);
        buf_put_u32(&b, 0x04050607);
        buf_put_string16(&b, BYTES_TEXT("hi"));
        assert_int_equal(buf_error(&b), 0);
        assert_bytes_equal(buf_bytes(&b), BYTES_OF(want));
}

static void cursor_stops_at_the_end_and_minds_what_is_left(void **state) {
        static const uint8_t in[] = { 0, 1, 'x', 9, 9 };
        struct cursor c = { BYTES_OF(in), false };

        (void)state;
        assert_bytes_equal(cursor_string16(&c), BYTES_TEXT("x"));
        assert_int_equal(cursor_end(&c), -EBADMSG);
        assert_int_equal(cursor_u16(&c), 0x0909);
        assert_int_equal(cursor_end(&c), 0);
        assert_int_equal(cursor_u32(&c), 0);
        assert_int_equal(cursor_end(&c), -EBADMSG);
}

static void B21_utf8_is_checked(void **state) {
        static const char *const good[] = { "", "a", "\xc3\xa9", "\xe2\x82\xac",
                                            "\xf0\x9f\x94\x91" };
        static const char *const bad[] = { "\x80",
                                           "\xc3",
                                           "\xc0\xaf",
                                           "\xe0\x80\xaf",
                                           "\xed\xa0\x80",
                                           "\xf4\x90\x80\x80",
                                           "\xf5\x80\x80\x80" };

        (void)state;
        for (size_t i = 0; i < ELEMENTSOF(good); i++)
                assert_true(bytes_is_utf8(BYTES_TEXT(good[i])));
        for (size_t i = 0; i < ELEMENTSOF(bad); i++)
                assert_false(bytes_is_utf8(BYTES_TEXT(bad[i])));
}

static void B19_text_is_cut_between_characters(void **state) {
        (void)state;
        assert_bytes_equal(bytes_utf8_prefix(BYTES_TEXT("a\xe2\x82\xac"), 3), BYTES_TEXT("a"));
        assert_bytes_equal(bytes_utf8_prefix(BYTES_TEXT("a\xe2\x82\xac"), 4),
                           BYTES_TEXT("a\xe2\x82\xac"));
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(buffer_remembers_that_something_did_not_fit),
                cmocka_unit_test(a_string_is_as_long_as_its_length_can_say),
                cmocka_unit_test(buffer_writes_big_endian),
                cmocka_unit_test(cursor_stops_at_the_end_and_minds_what_is_left),
                cmocka_unit_test(B21_utf8_is_checked),
                cmocka_unit_test(B19_text_is_cut_between_characters),
        };

        return cmocka_run_group_tests_name("bytes", tests, NULL, NULL);
}
