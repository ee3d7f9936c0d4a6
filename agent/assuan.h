/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/*
 * The lines that pinentry speaks (Assuan): what is said to it, and what its replies mean. No process
 * and no descriptor.
 */

#include <stdbool.h>
#include <stddef.h>

#include "ctap/macro.h"

#define ASSUAN_LINE_MAX 1000 /* with the newline: "The Assuan protocol", client responses */

enum assuan_reply {
        ASSUAN_OK,
        ASSUAN_ERR,
        ASSUAN_DATA,
        ASSUAN_NOTHING, /* a status line or a comment: the reply is yet to come */
        ASSUAN_UNKNOWN, /* an inquiry, or no Assuan at all */
};

/* `line` without its newline. ret_rest: what stands behind the word. */
enum assuan_reply assuan_parse(const char *line, const char **ret_rest);
/* Whether an ERR means that nobody did anything in time. */
bool assuan_is_timeout(const char *rest);

/* "VERB text" and a newline, escaped, cut where it gets too long. The length. */
size_t assuan_command(const char *verb, const char *text, char to[static ASSUAN_LINE_MAX + 1]);
/* Undoes the escapes of a D line in place, and ends it with a NUL. The length; -1: not one. */
int assuan_unescape(char *data);
