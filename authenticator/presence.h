/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/*
 * Asks the person. One object per virtual device; it decides by its mode who answers: nobody (deny),
 * the simulator (auto), a script over the control socket, or the terminal that started the daemon.
 * The worker thread calls the port; the loop thread only writes bytes into presence_inject_fd() and
 * the cancel eventfd, so that no lock is needed.
 */

#include <stdbool.h>
#include <stdint.h>

#include "ctap/env.h"

enum presence_mode {
        PRESENCE_DENY, /* every question is answered no */
        PRESENCE_AUTO, /* yes; a passive question only after PRESENCE_PASSIVE_MS. Simulator only */
        PRESENCE_SCRIPT, /* waits for `presence once` on the control socket. Simulator only */
        PRESENCE_TTY,    /* asks on the terminal */
        _PRESENCE_MODES,
};

/* A person at another key would have touched it by then. */
#define PRESENCE_PASSIVE_MS 3000

/* What the loop may write into the inject pipe, one byte each. */
enum presence_inject {
        PRESENCE_INJECT_ONCE = 'o', /* yes to the question that waits, or else to the next one */
        PRESENCE_INJECT_NO = 'n',   /* no, likewise */
        PRESENCE_INJECT_AUTO = 'a', /* from now on as PRESENCE_AUTO */
        PRESENCE_INJECT_DENY = 'd', /* from now on as PRESENCE_DENY */
        PRESENCE_INJECT_ASK = 'k',  /* from now on as configured */
};

struct presence;

/* Called on the worker thread when a question begins (true) and when it is over (false). */
typedef void presence_waiting_fn(void *userdata, bool waiting);

struct presence_options {
        enum presence_mode mode;
        uint64_t timeout_ms;
        uint64_t passive_ms;     /* 0: PRESENCE_PASSIVE_MS */
        const char *device_name; /* shown to the person; copied */
        int tty_fd;              /* for PRESENCE_TTY; borrowed; -1: /dev/tty is opened */
        presence_waiting_fn *waiting;
        void *userdata;
};

_must_check_ int presence_new(const struct presence_options *options, struct presence **ret);
struct presence *presence_free(struct presence *p);
struct ctap_presence *presence_port(struct presence *p);

/* Write ends for the loop thread. The cancel eventfd is cleared by the loop before each command. */
int presence_inject_fd(const struct presence *p);
int presence_cancel_fd(const struct presence *p);

/* "auto" and so on; -EINVAL for anything else. */
_must_check_ int presence_mode_from_string(const char *s, enum presence_mode *ret);
const char *presence_mode_to_string(enum presence_mode m);
