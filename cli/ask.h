/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/*
 * Secrets that a person types: without echo from the terminal, or, where standard input is none, a
 * line of it for each.
 */

#include <stdbool.h>
#include <stddef.h>

#include "ctap/macro.h"

#define SECRET_MAX 256 /* bytes with the terminator: longer than any PIN or password may be */

/* True if a person is asked, and should be asked twice for what is new. */
bool ask_is_interactive(void);
/*
 * Asks with this prompt. 0, or -1 after saying why not; then `to` is wiped. The caller wipes it too.
 */
_must_check_ int ask_secret(const char *prompt, char to[static SECRET_MAX]);
/* The same, and once more to be sure. */
_must_check_ int ask_new_secret(const char *prompt, const char *again, char to[static SECRET_MAX]);

/* For a variable with _cleanup_. */
struct secret_text {
        char s[SECRET_MAX];
};

void secret_text_wipe(struct secret_text *t);
