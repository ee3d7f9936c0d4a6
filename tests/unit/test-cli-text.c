/* SPDX-License-Identifier: BSD-2-Clause */

/* cli/text.c and cli/table.c: what a site chose for a name, in a column, on a terminal. */

#include <locale.h>
#include <pty.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include "cli/table.h"
#include "cli/text.h"
#include "ctap/text.h"
#include "tests/unit/test.h"

static const char *printed(const char *utf8, int width) {
        static char text[512];
        FILE *to = fmemopen(text, sizeof(text), "w");

        assert_non_null(to);
        print_text(to, utf8, width);
        fputc('\0', to);
        assert_int_equal(fclose(to), 0);
        return text;
}

static void text_is_cut_and_padded_by_columns(void **state) {
        (void)state;
        assert_string_equal(printed("abc", 0), "abc");
        assert_string_equal(printed("abc", 5), "abc  ");
        assert_string_equal(printed("abcde", 5), "abcde");
        assert_string_equal(printed("abcdef", 5), "abcd~");
        assert_string_equal(printed("abc", -5), "abc");
        assert_string_equal(printed("abcdef", -5), "abcd~");
        /* Two bytes, one column; three bytes, two columns; a combining accent has none. */
        assert_string_equal(printed("\u00e9t\u00e9", 4), "\u00e9t\u00e9 ");
        assert_string_equal(printed("\u65e5\u672c", 5), "\u65e5\u672c ");
        assert_string_equal(printed("\u65e5\u672c\u8a9e", 5), "\u65e5\u672c~");
        assert_string_equal(printed("\u65e5\u672c\u8a9e", 4), "\u65e5~ ");
        assert_string_equal(printed("e\u0301x", 3), "e\u0301x ");
}

static void nothing_acts_on_the_terminal(void **state) {
        static const char *const harmful[] = {
                "a\033[31mb",
                "a\rb",
                "a\nb",
                "a\x7f"
                "b",
                "a\xc2\x9b"
                "31mb",
                "a\u202eb",
                "a\u2066b",
                "a\u200bb",
                "a\ufeffb",
                "a\xff"
                "b",
        };

        (void)state;
        for (size_t i = 0; i < sizeof(harmful) / sizeof(harmful[0]); i++) {
                const char *text = printed(harmful[i], 0);

                assert_int_equal(text[0], 'a');
                assert_int_equal(text[1], '?');
                assert_int_equal(strspn(text + 2, "?[31mb"), strlen(text + 2));
        }
        assert_string_equal(printed("\xe2\x80", 0), "??");
}

/* On the terminal of tpmauthn and wherever the daemon and the agent show a name. */
static void what_is_not_seen_is_shown_as_replaced(void **state) {
        static const char *const invisible[] = {
                "a\u00adb",     "a\u034fb",     "a\u061cb",     "a\u115fb",     "a\u1160b",
                "a\u17b4b",     "a\u17b5b",     "a\u180bb",     "a\u180eb",     "a\u180fb",
                "a\u200bb",     "a\u200fb",     "a\u2028b",     "a\u202eb",     "a\u2060b",
                "a\u206fb",     "a\u2800b",     "a\u3164b",     "a\ufe00b",     "a\ufe0fb",
                "a\ufeffb",     "a\uffa0b",     "a\ufff0b",     "a\ufff9b",     "a\U0001bca0b",
                "a\U0001bca3b", "a\U0001d173b", "a\U0001d17ab", "a\U000e0001b", "a\U000e0fffb",
        };
        static const char *const seen[] = {
                "a\u00acb", "a\u034eb", "a\u115eb", "a\u1161b", "a\u1810b",     "a\u2010b",
                "a\u2801b", "a\u3165b", "a\uffa1b", "a\ufffcb", "a\U0001d172b",
        };
        uint8_t storage[16];

        (void)state;
        for (size_t i = 0; i < ELEMENTSOF(invisible); i++) {
                struct buf shown = BUF_ON(storage);

                assert_string_equal(printed(invisible[i], 0), "a?b");
                text_put_harmless(&shown, BYTES_TEXT(invisible[i]));
                assert_bytes_equal(buf_bytes(&shown), BYTES_TEXT("a\ufffdb"));
        }
        for (size_t i = 0; i < ELEMENTSOF(seen); i++) {
                struct buf shown = BUF_ON(storage);

                assert_string_equal(printed(seen[i], 0), seen[i]);
                text_put_harmless(&shown, BYTES_TEXT(seen[i]));
                assert_bytes_equal(buf_bytes(&shown), BYTES_TEXT(seen[i]));
        }
}

static void numbers_and_dates_fit_their_columns(void **state) {
        char cell[CELL_MAX];

        (void)state;
        assert_string_equal(table_number(0, cell), "0");
        assert_string_equal(table_number(99999, cell), "99999");
        assert_string_equal(table_number(100000, cell), "100k");
        assert_string_equal(table_number(9999999, cell), "9999k");
        assert_string_equal(table_number(4294967295, cell), "4294M");
        assert_string_equal(table_date(0, cell), "never");
        assert_string_equal(table_date(1795000000, cell), "2026-11-18");
        assert_string_equal(table_date(INT64_MAX, cell), "?");
}

/* What comes out of a terminal of so many columns when a row is printed to it. */
static const char *on_terminal(unsigned short columns, const char *site) {
        static char text[2048];
        struct column table[] = { { "SITE", 70, 1, false }, { "COUNT", 9, 0, true } };
        const char *cells[] = { site, "7" };
        struct winsize size = { .ws_col = columns, .ws_row = 24 };
        int master, slave, before = dup(STDOUT_FILENO);
        struct termios raw;
        ssize_t n;

        assert_int_equal(openpty(&master, &slave, NULL, NULL, &size), 0);
        assert_int_equal(tcgetattr(slave, &raw), 0);
        cfmakeraw(&raw);
        assert_int_equal(tcsetattr(slave, TCSANOW, &raw), 0);
        fflush(stdout);
        assert_true(dup2(slave, STDOUT_FILENO) >= 0);
        table_fit(table, 2);
        table_head(table, 2);
        table_row(table, 2, cells);
        fflush(stdout);
        assert_true(dup2(before, STDOUT_FILENO) >= 0);
        n = read(master, text, sizeof(text) - 1);
        assert_true(n > 0);
        text[n] = '\0';
        close(before);
        close(slave);
        close(master);
        return text;
}

static void a_wide_terminal_gives_its_room_to_names(void **state) {
        char site[101], want[120];

        (void)state;
        memset(site, 'x', 100);
        site[100] = '\0';
        setenv("NO_COLOR", "1", 1);
        snprintf(want, sizeof(want), "%.69s~ %9s\n", site, "7");
        assert_non_null(strstr(on_terminal(80, site), want));
        assert_non_null(strstr(on_terminal(40, site), want));
        snprintf(want, sizeof(want), "%s %9s\n", site, "7");
        assert_non_null(strstr(on_terminal(110, site), want));
}

static void colours_are_for_terminals_that_want_them(void **state) {
        (void)state;
        setenv("TERM", "xterm", 1);
        unsetenv("NO_COLOR");
        assert_non_null(strstr(on_terminal(80, "a"), "\033[1m"));
        setenv("NO_COLOR", "", 1); /* no-color.org: when present and not an empty string */
        assert_non_null(strstr(on_terminal(80, "a"), "\033[1m"));
        setenv("NO_COLOR", "1", 1);
        assert_null(strchr(on_terminal(80, "a"), '\033'));
        unsetenv("NO_COLOR");
        setenv("TERM", "dumb", 1);
        assert_null(strchr(on_terminal(80, "a"), '\033'));
        unsetenv("TERM");
        assert_null(strchr(on_terminal(80, "a"), '\033'));
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(text_is_cut_and_padded_by_columns),
                cmocka_unit_test(nothing_acts_on_the_terminal),
                cmocka_unit_test(what_is_not_seen_is_shown_as_replaced),
                cmocka_unit_test(numbers_and_dates_fit_their_columns),
                cmocka_unit_test(a_wide_terminal_gives_its_room_to_names),
                cmocka_unit_test(colours_are_for_terminals_that_want_them),
        };

        setenv("TZ", "UTC", 1);
        if (!setlocale(LC_ALL, "C.UTF-8"))
                return 77;
        return cmocka_run_group_tests_name("cli-text", tests, NULL, NULL);
}
