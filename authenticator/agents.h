/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/*
 * The agents of all users, as the loop sees them: listens on the agent socket, knows who is connected
 * and who can be asked now, and relays the questions of each device (a link) to the agent of its
 * user, and what that says back. Nothing here blocks, and nothing here decides: the worker does.
 */

#include <stdbool.h>
#include <sys/types.h>
#include <systemd/sd-event.h>

#include "authenticator/agent-message.h"
#include "authenticator/log.h"
#include "ctap/macro.h"

#define AGENTS_LINKS_MAX    16
#define AGENTS_PER_USER_MAX 4

struct agents;
struct agents_link;

struct agents_options {
        sd_event *event;
        const char *path;
        const struct log *log;
};

/* -EADDRINUSE: another daemon listens there. */
_must_check_ int agents_new(const struct agents_options *options, struct agents **ret);
/* After its links. NULL is fine. Returns NULL. */
struct agents *agents_free(struct agents *a);

/*
 * Whether somebody can see and answer a question in this user's sessions: one is in front and not
 * locked. When that ends, so does a question that is up. Of a new link it is true.
 */
void agents_set_usable(struct agents *a, uid_t uid, bool usable);

struct agents_link_options {
        uid_t uid;          /* whose agents are asked */
        const char *id;     /* of the instance, for the log */
        const char *device; /* what an agent calls it */
        const char *phys;
        /*
         * A question that a finger can answer is in front of a person (true), and is over (false).
         * May be NULL.
         */
        void (*on_finger)(void *userdata, bool wanted);
        void *userdata;
};

/* The strings are borrowed. *ret_worker is the worker's end, which is the caller's. */
_must_check_ int agents_link_new(struct agents *a, const struct agents_link_options *options,
                                 struct agents_link **ret, int *ret_worker);
/* Withdraws what is up. NULL is fine. Returns NULL. */
struct agents_link *agents_link_free(struct agents_link *l);
/* From now on another user's agents are asked. Those of one who has no other link are dropped. */
void agents_link_set_uid(struct agents_link *l, uid_t uid);
/* There is a reader that knows a finger of the user. Of a new link it is false. */
void agents_link_set_finger(struct agents_link *l, bool available);
/* The client has gone, or said CANCEL: the question goes at once, whatever the worker is at. */
void agents_link_cancel(struct agents_link *l);
/* What became of a finger while one was wanted. A match answers the question. */
void agents_link_finger(struct agents_link *l, enum agent_finger state);
