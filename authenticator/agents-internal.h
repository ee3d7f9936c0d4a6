/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/*
 * What the two files of agents.h share, and nobody else includes: agents.c has the connections, and
 * what an agent says; agents-link.c has the questions of the devices.
 */

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <systemd/sd-event.h>

#include "authenticator/agent-link.h"
#include "authenticator/agents.h"
#include "authenticator/socket.h"
#include "ctap/macro.h"

#define AGENTS_MAX (AGENTS_LINKS_MAX * AGENTS_PER_USER_MAX)

struct agent {
        struct agents *agents;
        int fd; /* -1: nobody is here */
        sd_event_source *io;
        sd_event_source *hello_timer;
        uid_t uid;
        pid_t pid;
        uint64_t order; /* of connecting; the last one is asked */
        bool greeted;
        bool takes_pin, holds;
        unsigned n_ignored; /* packets since its last question that were not about it */
};

struct agents_link {
        struct agents *agents; /* NULL: nobody is here */
        struct agents_link_options options;
        int fd;
        sd_event_source *io;
        bool usable, finger;
        unsigned told;   /* the state that the worker knows */
        bool complained; /* that there is no agent, since there was one */

        /* The question. */
        struct agent *asked; /* NULL: none is up */
        uint32_t id;         /* as the worker counts */
        uint32_t number;     /* as the agent hears it */
        bool shown;
        bool verify;
        bool takes_finger, finger_wanted;
};

struct agents {
        struct agents_options options;
        struct socket_listener listener;
        uint32_t last_number;
        uint64_t last_order;
        struct agent agents[AGENTS_MAX];
        struct agents_link links[AGENTS_LINKS_MAX];
};

/* ---- agents.c ---- */

/* The agent of the user that would be asked; NULL if there is none. */
struct agent *agents_newest(struct agents *a, uid_t uid);
/* Takes the text. An agent that does not take it is dropped. False: it was. */
bool agent_tell(struct agent *g, char *text);
/*
 * Ends the connection, and the question that is up there. `why` is NULL if it went by itself. What a
 * process can bring about without a question is logged at LOG_DEBUG: it could fill the log.
 */
void agent_drop(struct agent *g, int priority, const char *why);
/* Those of a user who has no link any more. */
void agents_drop_strangers(struct agents *a, uid_t uid);

/* ---- agents-link.c ---- */

/* The link of the user that has the first place; NULL if there is none. */
struct agents_link *agents_link_of(struct agents *a, uid_t uid);
/* The link whose question is up at this agent; NULL if there is none. */
struct agents_link *agents_link_asking(struct agents *a, const struct agent *g);
/* Who can be asked has changed. */
void agents_tell_states(struct agents *a, uid_t uid);
/* The agent that has the question has gone. */
void agents_link_lose(struct agents_link *l);
/* What the agent that has the question said about it. */
void agents_link_hear_shown(struct agents_link *l);
void agents_link_hear_answer(struct agents_link *l, bool yes, const struct ctap_typed_pin *pin);
