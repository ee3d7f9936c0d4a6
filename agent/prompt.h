/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/*
 * The words of a question, in the language of the person, the same in every way of asking. All of
 * them are harmless: what sites, clients and programs chose cannot act on a terminal, nor reorder or
 * hide what is read.
 */

#include <stdbool.h>

#include "agent/holders.h"
#include "agent/question.h"

#define PROMPT_RP_ID_SHOWN   255 /* bytes; the end of a longer one, for it says whose it is */
#define PROMPT_ACCOUNT_SHOWN 64
#define PROMPT_MACHINE_SHOWN 64

struct prompt {
        const char *title;    /* of a window */
        const char *headline; /* "Create a passkey for", or the question where there is no site */
        char site[1024];      /* the RP ID, verbatim; empty: none is meant */
        char account[512];    /* empty: unknown */
        char machine[256];
        char holders[1024]; /* programs that may have asked; empty: unknown */
        const char *detail; /* what there is to know; NULL: nothing */
        char note[512];     /* wrong PIN, tries that are left; empty: nothing */
        bool is_blocked;    /* no PIN is taken, and no yes: there is only the note to read */
        const char *confirm, *refuse; /* of buttons, with a mnemonic behind a _ */
};

void prompt_make(const struct question *q, const char *machine, const struct holders *h,
                 struct prompt *ret);
/* All of it as lines of text, without a newline at the end; to be freed. NULL: no memory. */
char *prompt_text(const struct prompt *p);

/* A line on how the reader does; NULL: there is none. */
const char *prompt_finger(enum finger state);
/* "Name: value" is written with these; they are also for the eye in a dialog. */
const char *prompt_caption_account(void);
const char *prompt_caption_machine(void);
const char *prompt_caption_holders(void);
/* Why a question went away unanswered. */
const char *prompt_withdrawn(enum withdrawal why);
/* A text for a button without its mnemonic's mark; to be freed. NULL: no memory. */
char *prompt_plain(const char *label);

/* A PIN that no device could have: nobody means to spend a try on it. */
bool prompt_can_be_pin(const char *utf8);
const char *prompt_no_pin(void);
