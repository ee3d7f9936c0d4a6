/* SPDX-License-Identifier: BSD-2-Clause */

/* ctap/pin-complexity.c: which PINs are too simple. */

#include "ctap/macro.h"
#include "ctap/pin-complexity.h"
#include "tests/unit/test.h"

static void assert_all(const char *const *pins, size_t n, bool complex) {
        for (size_t i = 0; i < n; i++)
                if (ctap_pin_is_complex(BYTES_TEXT(pins[i])) != complex)
                        fail_msg("%s is taken for %s", pins[i], complex ? "simple" : "complex");
}

static void fewer_than_three_different_characters(void **state _unused_) {
        static const char *const simple[] = {
                "",
                "1",
                "12",
                "1111",
                "1212",
                "1222",
                "aaab",
                "00000001",
                "abababab",
                "\u00e4\u00e4\u00e4o",
                "\U0001f511\U0001f511xx",
        };
        static const char *const complex[] = {
                "1123", "1213", "aabc", "\u00e4\u00f6\u00fcx", "\U0001f511\U0001f512xx",
        };

        assert_all(simple, ELEMENTSOF(simple), false);
        assert_all(complex, ELEMENTSOF(complex), true);
}

static void rows_of_equal_steps(void **state _unused_) {
        static const char *const simple[] = {
                "1234",
                "4321",
                "0123456789",
                "9876",
                "2468",
                "9630",
                "abcd",
                "zyxwvuts",
                "aceg",
                "\u03b1\u03b2\u03b3\u03b4",
                "\U0001f510\U0001f511\U0001f512",
        };
        static const char *const complex[] = {
                "1235",
                "1243",
                "12345671",
                "1357a",
                "abcde1",
                "01234567890",
                "\u03b1\u03b2\u03b3\u03b5",
        };

        assert_all(simple, ELEMENTSOF(simple), false);
        assert_all(complex, ELEMENTSOF(complex), true);
}

/* By the character and not by the byte: all of these share their first bytes. */
static void characters_of_several_bytes_are_one_each(void **state _unused_) {
        static const char *const simple[] = {
                "\u4e00\u4e00\u4e00", /* nine bytes, one character */
                "\u07ff\u0800\u0801", /* from two bytes to three */
                "\uffff\U00010000\U00010001",
                "}~\x7f\xc2\x80",
        };

        assert_all(simple, ELEMENTSOF(simple), false);
}

static void the_longest_pin(void **state _unused_) {
        char pin[64];

        for (size_t i = 0; i < 63; i++)
                pin[i] = (char)(' ' + i);
        pin[63] = '\0';
        assert_false(ctap_pin_is_complex(BYTES_TEXT(pin)));
        pin[62] = ' ';
        assert_true(ctap_pin_is_complex(BYTES_TEXT(pin)));
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(fewer_than_three_different_characters),
                cmocka_unit_test(rows_of_equal_steps),
                cmocka_unit_test(characters_of_several_bytes_are_one_each),
                cmocka_unit_test(the_longest_pin),
        };

        return cmocka_run_group_tests_name("pin-complexity", tests, NULL, NULL);
}
