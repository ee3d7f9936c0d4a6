/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/*
 * What a person is asked at a terminal: secrets, without echo, or, where standard input is none, a
 * line of it for each; and whether something is to be erased.
 */

#include <stdbool.h>
#include <stddef.h>

#include "cli/cli.h"
#include "ctap/macro.h"

#define SECRET_MAX 256 /* bytes with the terminator: longer than any PIN or password may be */

/* A variable of this type has _cleanup_(secret_text_wipe). */
struct secret_text {
        char s[SECRET_MAX];
};

void secret_text_wipe(struct secret_text *t);

/* True if a person is asked, and should be asked twice for what is new. */
bool ask_is_interactive(void);
/* Asks with this prompt. 0, or -1 after saying why not; then nothing is left in *ret. */
_must_check_ int ask_secret(const char *prompt, struct secret_text *ret);
/* The same, and once more to be sure. */
_must_check_ int ask_new_secret(const char *prompt, const char *again, struct secret_text *ret);

/*
 * True if the answer is yes, or --yes has said it before. Without a terminal there is nobody to ask.
 * Otherwise it says that nothing was done.
 */
bool ask_to_erase(const struct options *o, const char *question);
bool ask_to_go_on(const struct options *o, const char *question);
