/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/*
 * Asks the person. One object per virtual device; it decides by its mode who answers: nobody (deny),
 * the simulator (auto), a script over the control socket, the terminal that started the daemon, or
 * the agent of a user's session.
 * The worker thread calls the port; the loop thread only calls presence_inject() and writes into the
 * cancel eventfd, so that no lock is needed.
 */

#include <poll.h>
#include <stdbool.h>
#include <stdint.h>

#include "ctap/bytes.h"
#include "ctap/env.h"

enum presence_mode {
        PRESENCE_DENY, /* every question is answered no */
        PRESENCE_AUTO, /* yes; a passive question only after PRESENCE_PASSIVE_MS. Simulator only */
        PRESENCE_SCRIPT, /* waits for `presence once` on the control socket. Simulator only */
        PRESENCE_TTY,    /* asks on the terminal */
        PRESENCE_AGENT,  /* asks through an agent in the session */
        _PRESENCE_MODES,
};

/* A person at another key would have touched it by then. */
#define PRESENCE_PASSIVE_MS 3000

/* What the loop may say at any time. */
enum presence_inject {
        PRESENCE_INJECT_ONCE = 'o', /* yes to the question that waits, or else to the next one */
        PRESENCE_INJECT_NO = 'n',   /* no, likewise */
        PRESENCE_INJECT_AUTO = 'a', /* from now on as PRESENCE_AUTO */
        PRESENCE_INJECT_DENY = 'd', /* from now on as PRESENCE_DENY */
        PRESENCE_INJECT_ASK = 'k',  /* from now on as configured */
        PRESENCE_INJECT_PIN = 'p',  /* from now on a yes of AUTO or ONCE is given with this PIN */
        PRESENCE_INJECT_PIN_ONCE =
                'P',                  /* yes, with this PIN, to the next question that takes one */
        PRESENCE_INJECT_NO_PIN = 'f', /* PRESENCE_INJECT_PIN is forgotten */
        PRESENCE_INJECT_IGNORE =
                'i', /* no answer at all to the question that waits, or else to the next one */
        PRESENCE_INJECT_DELAY =
                'w', /* from now on a yes of AUTO or ONCE comes to no question sooner than this */
};

/* How the PIN is given with a yes of AUTO, or of PRESENCE_INJECT_ONCE. */
enum presence_uv {
        PRESENCE_UV_OK,
        PRESENCE_UV_FAIL,    /* a wrong one, and a no where it is asked for again */
        PRESENCE_UV_BLOCKED, /* a wrong one, as often as it is asked for */
};

struct presence;

/* Called on the worker thread when a question begins (true) and when it is over (false). */
typedef void presence_waiting_fn(void *userdata, bool waiting);
/* Called there when one is put, and when it is answered: once, and never with PENDING. */
typedef void presence_asked_fn(void *userdata, const struct ctap_prompt *prompt);
typedef void presence_answered_fn(void *userdata, enum ctap_answer answer);

struct presence_options {
        enum presence_mode mode;
        bool verify;                      /* it may ask for the PIN */
        const struct ctap_typed_pin *pin; /* as of PRESENCE_INJECT_PIN; NULL: none. Copied */
        uint64_t timeout_ms;
        uint64_t passive_ms;     /* 0: PRESENCE_PASSIVE_MS */
        uint64_t shown_ms;       /* 0: AGENT_SHOWN_MS */
        const char *device_name; /* shown to the person; copied */
        int tty_fd;              /* for PRESENCE_TTY; borrowed; -1: /dev/tty is opened */
        int agent_link;          /* for PRESENCE_AGENT: the worker's end (agents.h); duplicated */
        presence_waiting_fn *waiting;
        presence_asked_fn *asked;       /* or NULL */
        presence_answered_fn *answered; /* or NULL */
        void *userdata;
};

_must_check_ int presence_new(const struct presence_options *options, struct presence **ret);
struct presence *presence_free(struct presence *p);

/* The last question that was put, as far as its answer is worth remembering. */
struct presence_asked {
        bool put, passive;
        bool forbidden; /* the person was told that there are no passkeys of this site here */
        uint16_t rp_id_len, account_len;
        uint8_t rp_id[255], account[255];
};

/* For the worker thread: since it was forgotten, before a command. */
const struct presence_asked *presence_asked(const struct presence *p);
void presence_forget_asked(struct presence *p);
struct ctap_presence *presence_port(struct presence *p);

/*
 * For the worker thread, between commands: answers that were given ahead, the delay and what becomes of
 * verification are forgotten; the mode and the PIN are not.
 */
void presence_forget_said(struct presence *p);
/* The options say that it may ask for the PIN. */
bool presence_may_verify(const struct presence *p);
/* For the worker thread, between commands. The known PIN, len 0 if there is none, is borrowed. */
void presence_set_uv(struct presence *p, enum presence_uv uv);
const struct ctap_typed_pin *presence_known_pin(const struct presence *p);
struct ctap_typed_pin presence_wrong_pin(const struct presence *p);

/*
 * For the worker thread while it has nothing to do: when one of these is ready, or at the deadline
 * (of env_now_ms(); UINT64_MAX: none), presence_attend() has something to do, after which the
 * abilities may be others.
 */
#define PRESENCE_WATCHED 3
void presence_watch(const struct presence *p, struct pollfd ret[static PRESENCE_WATCHED]);
uint64_t presence_deadline(const struct presence *p);
void presence_attend(struct presence *p);

/*
 * For the loop thread. `with` is the PIN for those that take one, and four bytes of milliseconds for
 * DELAY. -EAGAIN: too much was said already.
 */
_must_check_ int presence_inject(struct presence *p, enum presence_inject what, struct bytes with);
/* Written to end a wait; the loop clears it before each command. */
int presence_cancel_fd(const struct presence *p);
/* The worker thread does not come back and the process ends: the terminal shall echo again. */
void presence_abandon(const struct presence *p);

/* "auto" and so on; -EINVAL for anything else. */
_must_check_ int presence_mode_from_string(const char *s, enum presence_mode *ret);
const char *presence_mode_to_string(enum presence_mode m);

/*
 * The first line of a file, as a PIN. -EINVAL: it is no file, or the line is empty or longer than any
 * PIN; or the errno of open or read.
 */
_must_check_ int presence_pin_read(const char *path, struct ctap_typed_pin *ret);
