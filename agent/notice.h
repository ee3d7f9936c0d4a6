/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/*
 * A notification of the desktop (org.freedesktop.Notifications), for a question that nobody has to
 * answer: it takes no focus, and has one button, which says yes.
 */

#include <systemd/sd-event.h>

#include "agent/prompt.h"

struct notice;

struct notice_events {
        void (*shown)(void *userdata);
        void (*used)(void *userdata);
        /* It cannot be shown: there is no bus, or no service. */
        void (*failed)(void *userdata);
};

_must_check_ int notice_new(sd_event *event, const struct notice_events *events, void *userdata,
                            struct notice **ret);
struct notice *notice_free(struct notice *n);

/*
 * Shows it, in place of the one before. An error: it cannot be shown, and `failed` is not called.
 * What the person does within UI_ARM_MS brings it up once more.
 */
_must_check_ int notice_show(struct notice *n, const struct question *q, const struct prompt *p);
void notice_withdraw(struct notice *n);
