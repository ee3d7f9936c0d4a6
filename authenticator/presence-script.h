/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/*
 * What is said in place of a person: answers, which may come ahead of their questions, and the PIN
 * that a yes is given with. One thread says it and another one listens; all that they share is a count.
 */

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

#include "authenticator/presence.h"
#include "ctap/bytes.h"
#include "ctap/env.h"
#include "ctap/macro.h"

#define PRESENCE_QUEUED_MAX 8 /* answers given ahead of their questions */

struct presence_answer {
        enum ctap_answer answer;   /* of one that is queued, PENDING: there shall be none */
        struct ctap_typed_pin pin; /* len 0: none of its own; a secret */
};

struct presence_script {
        int listener, speaker;     /* the ends of a socketpair; a packet is one thing said */
        atomic_uint n_ahead;       /* answers that were said and not taken yet: at most that many */
        struct ctap_typed_pin pin; /* len 0: none; a secret */
        enum presence_uv uv;       /* how it is given */
        uint32_t delay_ms;         /* of a yes, from its question on */
        struct presence_answer queued[PRESENCE_QUEUED_MAX];
        size_t n_queued;
};

/* The descriptors are -1 before it. NULL: there is no PIN. */
_must_check_ int presence_script_init(struct presence_script *s, const struct ctap_typed_pin *pin);
void presence_script_done(struct presence_script *s);

/* From any thread. -EAGAIN: too much was said already; -EMSGSIZE: no PIN is that long. */
_must_check_ int presence_script_say(struct presence_script *s, enum presence_inject what,
                                     struct bytes with);

/* All that was said but for the PIN. */
void presence_script_forget(struct presence_script *s);

/* Another one than `pin`, that is nobody's secret. */
struct ctap_typed_pin presence_script_wrong_pin(const struct presence_script *s);
/* What a yes is given with, by `uv`. */
void presence_script_give_pin(const struct presence_script *s, struct ctap_typed_pin *ret);

/* The next thing that was said, which has been taken to heart, but for a change of the mode. */
bool presence_script_hear(struct presence_script *s, enum presence_inject *ret);

/*
 * Takes the first answer that fits the question: one with a PIN waits for a question that takes it,
 * and to that a yes needs one.
 */
bool presence_script_answer(struct presence_script *s, bool verify, struct presence_answer *ret);
