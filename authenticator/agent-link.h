/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/*
 * What the loop and a worker say to each other about questions to an agent. Each device has one link:
 * a socketpair on which a packet is one word with what belongs to it. Agents speak on another socket,
 * so that a word of the loop, such as a finger that matched, cannot be theirs.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ctap/bytes.h"
#include "ctap/env.h"
#include "ctap/macro.h"

enum agent_link_word {
        /* The worker's. */
        AGENT_LINK_ASK = 1,  /* a question: the prompt, and how long it is up */
        AGENT_LINK_WITHDRAW, /* nobody needs to answer any more */
        AGENT_LINK_HUNG,     /* it was not shown in time */
        AGENT_LINK_UNASKED,  /* a question for which there was no agent; without an id */

        /* The loop's. */
        AGENT_LINK_STATE,     /* flags below, without an id */
        AGENT_LINK_SHOWN,     /* a person can see it */
        AGENT_LINK_ANSWER,    /* yes or no, and the PIN if it came with one */
        AGENT_LINK_MATCH,     /* a finger matched */
        AGENT_LINK_LOST,      /* nobody can answer any more */
        AGENT_LINK_CANCELLED, /* the client has gone */
        _AGENT_LINK_WORDS,
};

/* Who could be asked now. */
enum {
        AGENT_LINK_ATTACHED = 1 << 0, /* an agent, in a session where somebody can see it */
        AGENT_LINK_PIN = 1 << 1,      /* which can ask for a PIN */
        AGENT_LINK_HOLD = 1 << 2,     /* which has a yes held on for, where it is to be */
        AGENT_LINK_FINGER = 1 << 3,   /* and there is a reader that knows a finger of the user */
};

enum agent_why {
        AGENT_GOES_BY_FINGER,
        AGENT_GOES_CANCELLED,
        AGENT_GOES_TIMEOUT,
        AGENT_GOES_LOCKED,
        _AGENT_WHYS,
};

struct agent_link_packet {
        enum agent_link_word word;
        uint32_t id;               /* of the question, as the worker counts them; never 0 */
        struct ctap_prompt prompt; /* ASK; its texts are borrowed */
        uint64_t timeout_ms;       /* ASK */
        enum agent_why why;        /* WITHDRAW */
        unsigned state;            /* STATE */
        bool yes;                  /* ANSWER */
        struct ctap_typed_pin pin; /* ANSWER; len 0: none; a secret */
};

static inline void agent_link_packet_wipe(struct agent_link_packet *p) {
        ctap_typed_pin_wipe(&p->pin);
}

/* What is longer is cut as agent-protocol.h says. */
#define AGENT_LINK_PACKET_MAX 1024

/* Both ends, neither of which blocks. */
_must_check_ int agent_link_new(int *ret_loop, int *ret_worker);
/* -EAGAIN: the other end does not listen; -EPIPE: it has gone. */
_must_check_ int agent_link_send(int fd, const struct agent_link_packet *p);
/*
 * -EAGAIN: there is none; -EPIPE: the other end has gone; -EBADMSG: it makes no sense. The texts
 * borrow from `storage`, which may hold a PIN afterwards.
 */
_must_check_ int agent_link_receive(int fd, uint8_t storage[static AGENT_LINK_PACKET_MAX],
                                    struct agent_link_packet *ret);
