/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/*
 * Asking on a terminal: the text of a question, and the line that answers it. What a site or a
 * client sent is shown so that it can neither steer the terminal nor reorder what is read. A PIN is
 * typed without echo, which comes back with the end of its line, or when it is told to.
 */

#include <stdbool.h>
#include <stddef.h>
#include <termios.h>

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
        bool ours;                  /* opened here, closed by presence_tty_done() */
        bool is_terminal;           /* and no socket, which echoes nothing */
        bool quiet;                 /* it echoes nothing now */
        bool takes_pin;             /* the line that is awaited is one */
        struct termios at_first;    /* as it was found */
        struct ctap_typed_pin line; /* so far; a secret */
        size_t n;                   /* its bytes; more than fit are counted, not kept */
};

/* fd -1: opens /dev/tty. 0 or the errno of open. */
_must_check_ int presence_tty_init(struct presence_tty *t, int fd);
void presence_tty_done(struct presence_tty *t);

/* It hung up: nobody reads or types there any more. */
bool presence_tty_is_gone(const struct presence_tty *t);
/* Drops what was typed so far. 0, or -EIO: it hung up. */
_must_check_ int presence_tty_drop(struct presence_tty *t);
/* Drops what was typed before, then asks; for a prompt with `verify`, without echo from then on. */
_must_check_ int presence_tty_ask(struct presence_tty *t, const struct ctap_prompt *prompt,
                                  const char *device_name);
/*
 * Reads what is there, never blocks. PENDING until there is a whole line; -EIO: it hung up. With a
 * YES to a prompt with `verify` comes what was typed. A line that is too short or too long for any PIN
 * is said to be so, and another one awaited: it costs no try.
 */
_must_check_ int presence_tty_read(struct presence_tty *t, enum ctap_answer *ret,
                                   struct ctap_typed_pin *ret_pin);
/* Says that nobody needs to answer any more. The echo stays as it is. */
void presence_tty_withdraw(struct presence_tty *t);

/* The echo comes back, and what was typed without it is dropped. */
void presence_tty_echo(struct presence_tty *t);
/* The same from another thread than the one that asks, which does not come back. */
void presence_tty_abandon(const struct presence_tty *t);
