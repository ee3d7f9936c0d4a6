/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/*
 * Between the daemon and the person: takes questions from the connection, has one of them shown, and
 * sends back what was said. It decides nothing.
 */

#include <systemd/sd-event.h>

#include "agent/ui.h"

struct agent;

struct agent_options {
        const char *socket;
        const char *sys, *proc; /* where these are mounted; copied, as the socket's path is */
};

_must_check_ int agent_new(sd_event *event, const struct agent_options *options,
                           struct agent **ret);
struct agent *agent_free(struct agent *a);

/* What the ui calls, with the agent as its userdata. */
const struct ui_events *agent_ui_events(void);
/* Connects, and asks by this ui from then on. It belongs to the caller and outlives the agent. */
_must_check_ int agent_start(struct agent *a, struct ui *ui);
