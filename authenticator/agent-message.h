/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* The packets of agent-protocol.h with no I/O: what an agent said, and what it is told. */

#include <stdbool.h>
#include <stdint.h>

#include "authenticator/agent-link.h"
#include "ctap/bytes.h"
#include "ctap/env.h"
#include "ctap/macro.h"

enum agent_said_what {
        AGENT_SAID_UNKNOWN, /* of a type that an agent may not say, or that nobody knows */
        AGENT_SAID_HELLO,
        AGENT_SAID_SHOWN,
        AGENT_SAID_ANSWER,
};

struct agent_said {
        enum agent_said_what what;
        uint32_t id;               /* SHOWN, ANSWER */
        char ui[16];               /* HELLO: ASCII letters and digits, cut to fit */
        bool takes_pin;            /* HELLO */
        bool holds;                /* HELLO: what is asked with hold_s is held on for */
        bool yes;                  /* ANSWER */
        struct ctap_typed_pin pin; /* ANSWER, a yes; len 0: none; a secret */
};

static inline void agent_said_wipe(struct agent_said *s) {
        ctap_typed_pin_wipe(&s->pin);
}

/* -EBADMSG: it cannot be read, or what it says breaks a rule. Then nothing is given. */
_must_check_ int agent_message_read(struct bytes packet, struct agent_said *ret);

enum agent_finger {
        AGENT_FINGER_IS_WAITED_FOR,
        AGENT_FINGER_DID_NOT_MATCH,
        AGENT_FINGER_IS_UNCLEAR,
        AGENT_FINGER_MATCHED,
        AGENT_FINGER_HAS_GONE,
        _AGENT_FINGERS,
};

/* Texts to be freed; NULL: out of memory, or what is to be said is no UTF-8. */
char *agent_message_welcome(const char *device, const char *phys, const char *machine);
char *agent_message_ask(uint32_t id, const char *phys, const struct ctap_prompt *prompt,
                        uint64_t timeout_ms, bool finger);
char *agent_message_withdraw(uint32_t id, enum agent_why why);
char *agent_message_finger(uint32_t id, enum agent_finger state);
