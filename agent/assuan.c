/* SPDX-License-Identifier: BSD-2-Clause */

/* Assuan escapes percent, CR and LF, as the two hexadecimal digits of each behind a percent sign. */

#include "agent/assuan.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A gpg-error code is in the low 16 bits; where it comes from is in others. */
#define CODE_MASK    0xffffu
#define CODE_TIMEOUT 62

static bool takes(const char *line, const char *word, const char **ret_rest) {
        size_t n = strlen(word);

        if (strncmp(line, word, n) != 0 || (line[n] != '\0' && line[n] != ' '))
                return false;
        *ret_rest = line + n + (line[n] == ' ');
        return true;
}

enum assuan_reply assuan_parse(const char *line, const char **ret_rest) {
        *ret_rest = line;
        if (takes(line, "OK", ret_rest))
                return ASSUAN_OK;
        if (takes(line, "ERR", ret_rest))
                return ASSUAN_ERR;
        if (takes(line, "D", ret_rest))
                return ASSUAN_DATA;
        if (takes(line, "S", ret_rest) || *line == '#')
                return ASSUAN_NOTHING;
        return ASSUAN_UNKNOWN;
}

bool assuan_is_timeout(const char *rest) {
        return (strtoul(rest, NULL, 10) & CODE_MASK) == CODE_TIMEOUT;
}

size_t assuan_command(const char *verb, const char *text, char to[static ASSUAN_LINE_MAX + 1]) {
        size_t n = (size_t)snprintf(to, ASSUAN_LINE_MAX, "%s%s", verb, *text ? " " : "");

        /* A character is put whole or not at all: one byte is at most three, and one UTF-8 has four. */
        while (*text && n + 12 < ASSUAN_LINE_MAX) {
                do {
                        if (*text == '%' || *text == '\n' || *text == '\r')
                                n += (size_t)sprintf(to + n, "%%%02X", (unsigned)*text);
                        else
                                to[n++] = *text;
                        text++;
                } while (((unsigned char)*text & 0xc0) == 0x80);
        }
        to[n++] = '\n';
        to[n] = '\0';
        return n;
}

static int digit(char c) {
        return c >= '0' && c <= '9'   ? c - '0'
               : c >= 'A' && c <= 'F' ? c - 'A' + 10
               : c >= 'a' && c <= 'f' ? c - 'a' + 10
                                      : -1;
}

int assuan_unescape(char *data) {
        char *to = data;

        for (const char *from = data; *from; from++) {
                int high, low;

                if (*from != '%') {
                        *to++ = *from;
                        continue;
                }
                high = digit(from[1]);
                low = high < 0 ? -1 : digit(from[2]);
                /* No PIN holds a NUL. */
                if (low < 0 || high * 16 + low == 0)
                        return -1;
                *to++ = (char)(high * 16 + low);
                from += 2;
        }
        *to = '\0';
        return (int)(to - data);
}
