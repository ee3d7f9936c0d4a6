/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/*
 * Writes events to the journal, for the loop's thread. It waits for nobody: what journald does not take
 * at once is kept and tried again, what is too much is counted, and the next event says how many were
 * lost. Without a journal (see socket below) events are lines of the log.
 */

#include <systemd/sd-event.h>

#include "authenticator/audit-event.h"
#include "authenticator/log.h"
#include "ctap/macro.h"

struct audit;

struct audit_options {
        sd_event *event;
        const struct log *log;
        enum audit_level level;
        enum audit_rp_ids rp_ids;
        const char *socket; /* of journald; empty: its own where the log goes there, else the log */
        /* The id of the session that this user has in front, borrowed for now, or NULL. */
        const char *(*session)(void *userdata, uid_t user);
        void *userdata;
};

/* 0 or -ENOMEM and the like. A journald that is not there is no failure. The strings are borrowed. */
_must_check_ int audit_new(const struct audit_options *options, struct audit **ret);
/* What still waits is tried once more. NULL is fine. Returns NULL. */
struct audit *audit_free(struct audit *a);

/* NULL is fine: nobody wants to know. */
void audit_write(struct audit *a, const struct audit_event *e);
