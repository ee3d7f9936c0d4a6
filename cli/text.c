/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The C library knows which characters can be shown and how wide they are, if the locale is UTF-8.
 * Where it is not, everything outside ASCII becomes a question mark.
 */

#include "cli/text.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>
#include <wchar.h>
#include <wctype.h>

#include "ctap/invisible.h"

/* One character that may be printed, and how many columns it takes. */
static size_t next(const char *s, size_t left, mbstate_t *state, wchar_t *ret, int *ret_width) {
        wchar_t c;
        size_t n = mbrtowc(&c, s, left, state);

        if (n == (size_t)-1 || n == (size_t)-2) {
                memset(state, 0, sizeof(*state));
                n = 1;
                c = L'?';
        } else if (!iswprint((wint_t)c) || is_invisible((uint32_t)c))
                c = L'?';

        *ret = c;
        *ret_width = wcwidth(c) > 0 ? wcwidth(c) : 0;
        return n;
}

void print_text(FILE *to, const char *utf8, int width) {
        const int most = abs(width);
        mbstate_t state = { 0 };
        size_t left = strlen(utf8);
        int used = 0, w;

        while (left > 0) {
                wchar_t c;
                size_t n = next(utf8, left, &state, &c, &w);

                utf8 += n;
                left -= n;
                if (most > 0 && used + w >= most && (left > 0 || used + w > most)) {
                        fputc('~', to);
                        used++;
                        break;
                }
                fprintf(to, "%lc", (wint_t)c);
                used += w;
        }
        for (; used < width; used++)
                fputc(' ', to);
}

void print_time(FILE *to, int64_t seconds, int width) {
        time_t t = (time_t)seconds;
        char text[32] = "never";
        struct tm tm;

        if (seconds > 0 && localtime_r(&t, &tm))
                strftime(text, sizeof(text), "%Y-%m-%d %H:%M", &tm);
        print_text(to, text, width);
}

int text_columns(void) {
        struct winsize size = { 0 };

        if (isatty(STDOUT_FILENO) && ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 &&
            size.ws_col > 80)
                return size.ws_col;
        return 80;
}

static bool shows_colours(void) {
        const char *no_color = getenv("NO_COLOR"), *term = getenv("TERM");

        return isatty(STDOUT_FILENO) && (!no_color || !*no_color) && term && *term &&
               strcmp(term, "dumb") != 0;
}

void style(enum style s) {
        static const char *const sequences[] = {
                [STYLE_PLAIN] = "\033[0m", [STYLE_BOLD] = "\033[1m", [STYLE_GOOD] = "\033[32m",
                [STYLE_WARN] = "\033[33m", [STYLE_BAD] = "\033[31m",
        };

        if (shows_colours())
                fputs(sequences[s], stdout);
}
