/* SPDX-License-Identifier: BSD-2-Clause */

/* An answer and a fixture are read alike: what was cut off on its way is called that, and nothing else is. */

#include "cli/file.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "cli/cli.h"

int file_complain(const char *file, const char *what) {
        fprintf(stderr, "tpmauthn: %s: %s\n", file, what);
        return EXIT_FAILED;
}

/* On its way here. */
static bool is_cut_off(const json_error_t *where) {
        return json_error_code(where) == json_error_premature_end_of_input;
}

json_t *file_read_json(const char *file, const char *what) {
        const bool is_stdin = strcmp(file, "-") == 0;
        FILE *from = is_stdin ? stdin : fopen(file, "re");
        json_error_t where;
        json_t *read;

        if (!from) {
                file_complain(file, strerror(errno));
                return NULL;
        }
        read = json_loadf(from, JSON_REJECT_DUPLICATES, &where);
        if (!read)
                fprintf(stderr, "tpmauthn: %s:%d: no %s%s: %s\n", file, where.line,
                        is_cut_off(&where) ? "whole " : "", what, where.text);
        if (!is_stdin)
                fclose(from);
        return read;
}
