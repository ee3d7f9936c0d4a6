/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* logind's list of sessions, cut down to those that are looked at. */

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>
#include <systemd/sd-bus.h>

#include "authenticator/sessions.h"
#include "ctap/macro.h"

struct listed_session {
        const char *id, *path; /* the message's */
        uid_t uid;
};

struct session_list {
        struct listed_session all[SESSIONS_MAX];
        size_t n;
        bool too_many;
        bool crowded; /* somebody has more than SESSIONS_OF_USER_MAX */
        uid_t crowder;
};

/*
 * Those on a seat come before others, and those known before new ones. -EBADMSG and the like: it makes
 * no sense.
 */
_must_check_ int session_list_read(struct session_list *ret, sd_bus_message *m,
                                   const struct sessions *known);
