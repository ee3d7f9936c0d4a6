/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/*
 * Who is logged in, as logind tells it over the system bus. Who it told of last stays logged in while
 * it does not answer, answers with errors or with what makes no sense, or is restarted: nobody is
 * logged out by a service that fails. But nobody can be asked then: the screen may be locked by now.
 */

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "authenticator/bus.h"
#include "authenticator/log.h"
#include "authenticator/sessions.h"
#include "ctap/macro.h"

enum users_knowledge {
        USERS_ASKED,   /* logind has not answered yet */
        USERS_UNKNOWN, /* there is no bus or no logind; one may come */
        USERS_KNOWN,   /* from now on for good */
};

struct users;

struct users_options {
        sd_event *event;
        struct bus *bus; /* to be freed first */
        const struct log *log;
        bool no_remote; /* who is logged in from another machine alone is not there */
        /* What the functions below say is, or may be, another thing than before. */
        void (*on_change)(void *userdata);
        void *userdata;
};

/* 0 or -ENOMEM and the like. That there is no logind is no failure. */
_must_check_ int users_new(const struct users_options *options, struct users **ret);
/* NULL is fine. Returns NULL. */
struct users *users_free(struct users *u);

enum users_knowledge users_knowledge(const struct users *u);

/* Who has a session of class user that is not closing, each once, who came first first; how many. */
size_t users_list(const struct users *u, uid_t ret[static SESSIONS_MAX]);
bool users_has_session(const struct users *u, uid_t uid);
/* Who has some that do not count because of no_remote, and none that does. */
bool users_is_turned_away(const struct users *u, uid_t uid);
/* Whether somebody can be asked in one of them, as sessions_is_usable(). */
bool users_is_usable(const struct users *u, uid_t uid);
/* The id of the session that this user can be asked in, borrowed for now; NULL: there is none. */
const char *users_session(const struct users *u, uid_t uid);
/* Who can be asked at seat0; false: nobody. */
bool users_at_seat0(const struct users *u, uid_t *ret);
