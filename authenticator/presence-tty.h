/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/*
 * Asking on a terminal: the text of a question, and the line that answers it. What a site or a
 * client sent is shown so that it can neither steer the terminal nor reorder what is read.
 */

#include <stdbool.h>
#include <stddef.h>

#include "ctap/bytes.h"
#include "ctap/env.h"
#include "ctap/macro.h"

#define PRESENCE_QUESTION_MAX 2048

/*
 * The question in UTF-8, without a newline. Control, bidirectional, invisible and malformed
 * characters become U+FFFD; of an RP ID that is too long the end is kept, for it says whose it is.
 */
void presence_question(const struct ctap_prompt *prompt, const char *device_name, struct buf *text);

struct presence_tty {
        int fd;
        bool ours; /* opened here, closed by presence_tty_done() */
        char line[8];
        size_t n; /* bytes of the line so far; more than fit are counted, not kept */
};

/* fd -1: opens /dev/tty. 0 or the errno of open. */
_must_check_ int presence_tty_init(struct presence_tty *t, int fd);
void presence_tty_done(struct presence_tty *t);

/* Drops what was typed so far. 0, or -EIO: it hung up. */
_must_check_ int presence_tty_drop(struct presence_tty *t);
/* Drops what was typed before, then asks. */
_must_check_ int presence_tty_ask(struct presence_tty *t, const struct ctap_prompt *prompt,
                                  const char *device_name);
/* Reads what is there, never blocks. PENDING until there is a whole line; -EIO: it hung up. */
_must_check_ int presence_tty_read(struct presence_tty *t, enum ctap_answer *ret);
/* Says that nobody needs to answer any more. */
void presence_tty_withdraw(struct presence_tty *t);
