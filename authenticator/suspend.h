/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/*
 * The machine's sleep, announced by logind on the system bus: it is held up for as long as what must
 * come before takes, and logind allows (InhibitDelayMaxSec, 5 s). Without a bus or a logind nothing
 * happens here; the worker sees by its clocks that the machine slept (worker.h).
 */

#include "authenticator/bus.h"
#include "authenticator/log.h"
#include "ctap/macro.h"

struct suspend;

struct suspend_options {
        struct bus *bus; /* to be freed first */
        const struct log *log;
        /* It is about to sleep: suspend_allow() once it may, perhaps at once. */
        void (*on_sleep)(void *userdata);
        void *userdata;
};

/* 0 or -ENOMEM. That there is no bus or no logind is no failure: one may come. */
_must_check_ int suspend_new(const struct suspend_options *options, struct suspend **ret);
/* NULL is fine. Returns NULL. */
struct suspend *suspend_free(struct suspend *s);

/* Does nothing unless a sleep was announced and is not over. */
void suspend_allow(struct suspend *s);
