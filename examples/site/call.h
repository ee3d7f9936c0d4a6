/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* What the functions behind the paths share. */

#include "examples/site/site.h"

/* One call: each function fills in `reply`, and returns 0 or a negative errno. */
struct call {
        struct site *site;
        const struct request *request;
        struct session session;
        struct reply *reply;
};

int call_begin_registration(struct call *c);
int call_begin_login(struct call *c);
int call_finish_registration(struct call *c);
int call_finish_login(struct call *c);

/* A refusal, about that member if there is one. */
_must_check_ int call_refuse(struct call *c, enum refusal refusal, const char *member);
/* Takes the body over; without one memory ran out. */
_must_check_ int call_reply(struct call *c, json_t *body);

/*
 * A member of the body that is text of at most `max` bytes with no control characters. NULL: it was refused.
 */
const char *call_text(struct call *c, const char *member, size_t max, int *ret);
