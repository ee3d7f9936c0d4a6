/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/*
 * Asking by an agent, from the worker's side of a link (agent-link.h): the question goes to the loop,
 * which knows the agents, and what comes back is believed for the question that is up and for no
 * other. Where nobody can be asked, or an agent goes or hangs, the answer is no; but a question that
 * may belong to another key is then nobody's, and waits for its end in silence.
 */

#include <stdbool.h>
#include <stdint.h>

#include "authenticator/agent-link.h"
#include "ctap/env.h"
#include "ctap/macro.h"

struct presence_agent {
        int link;       /* -1: none */
        unsigned state; /* AGENT_LINK_*, as the loop said last */
        uint64_t shown_ms;
        uint32_t last_id;

        /* The question. */
        uint32_t id; /* 0: none is up at an agent */
        bool verify, finger, passive, shown;
        uint64_t shown_until; /* by env_awake_ms() */
        enum ctap_answer answer;
        struct ctap_typed_pin pin; /* with a YES to `verify`; a secret */
};

/*
 * Duplicates the worker's end of a link; -1: there is none, and nobody can be asked. A question is to
 * be shown within `shown_ms`; 0: AGENT_SHOWN_MS.
 */
_must_check_ int presence_agent_init(struct presence_agent *a, int link, uint64_t shown_ms);
void presence_agent_done(struct presence_agent *a);

/* Listens to what the loop said; never blocks. */
void presence_agent_hear(struct presence_agent *a);
/* Asks, or answers at once where nobody can be asked. `timeout_ms` is for the agent to show. */
void presence_agent_ask(struct presence_agent *a, const struct ctap_prompt *prompt,
                        uint64_t timeout_ms);
/* The answer so far, as of ctap_presence_ops. */
void presence_agent_read(struct presence_agent *a, enum ctap_answer *ret,
                         struct ctap_typed_pin *ret_pin);
/* When presence_agent_read() gives another answer though nobody says a word; UINT64_MAX: never. */
uint64_t presence_agent_deadline(const struct presence_agent *a);
/* Takes the question away if it is still up, and forgets its answer. */
void presence_agent_end(struct presence_agent *a, enum agent_why why);
