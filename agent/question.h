/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* What the daemon says, read once: nothing behind this sees JSON. */

#include <jansson.h>
#include <stdbool.h>

#include "ctap/macro.h"

/* See AGENT_VERB_* in authenticator/agent-protocol.h. */
enum verb {
        VERB_CREATE,
        VERB_USE,
        VERB_SELECT,
        VERB_RESET,
        VERB_VERIFY,
        VERB_MANAGE,
        VERB_FORBIDDEN,
        _VERBS,
};

enum finger {
        FINGER_NONE, /* no reader, or not for this question */
        FINGER_WAITING,
        FINGER_NO_MATCH,
        FINGER_RETRY,
        FINGER_MATCH,
        FINGER_GONE,
        _FINGERS,
};

/* Why a question is taken away that nobody answered here. */
enum withdrawal {
        WITHDRAWN_FINGER, /* answered by a finger */
        WITHDRAWN_CANCELLED,
        WITHDRAWN_TIMEOUT,
        WITHDRAWN_LOCKED,
        WITHDRAWN_LOST, /* there is no daemon any more */
        _WITHDRAWALS,
};

struct question {
        json_int_t id;
        enum verb verb;
        char *rp_id;   /* as the client sent it; empty: it named none */
        char *account; /* empty: unknown */
        unsigned accounts;
        bool passive;
        bool verify;
        bool again;
        unsigned tries;
        unsigned hold_s;
        unsigned timeout_ms;
        enum finger finger;
};

/* -EBADMSG: it is none; -ENOMEM. */
_must_check_ int question_parse(const json_t *ask, struct question *ret);
void question_done(struct question *q);

/* FINGER_NONE for a state that is not known. */
enum finger finger_parse(const char *state);
/* WITHDRAWN_CANCELLED for a reason that is not known. */
enum withdrawal withdrawal_parse(const char *why);
