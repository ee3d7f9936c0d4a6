/* SPDX-License-Identifier: BSD-2-Clause */

/* JSON is read here for all commands, so that a file which was cut off on its way is called that everywhere. */

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

/* What was cut off on its way is no JSON. */
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
                fprintf(stderr, "tpmauthn: %s:%d: no whole %s: %s\n", file, where.line, what,
                        where.text);
        if (!is_stdin)
                fclose(from);
        return read;
}
