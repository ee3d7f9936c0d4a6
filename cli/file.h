/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* Files that a person names. "-" is standard input. */

#include <jansson.h>

/* Says on standard error what is the matter with a file. EXIT_FAILED. */
int file_complain(const char *file, const char *what);

/* What is in there; NULL, and it was said why. `what` is the thing that it ought to be, in a word. */
json_t *file_read_json(const char *file, const char *what);
