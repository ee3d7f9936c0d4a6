/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/*
 * A logind that a test plays on a private bus, served by a thread of its own: as many sessions as
 * wanted, and answers as wrong as wanted. It knows of no seats and no users, but where they show.
 */

#include <stdbool.h>
#include <sys/types.h>

#include "tests/system/bus-kit.h"

struct logind_kit;

enum logind_answer {
        LOGIND_RIGHT,
        LOGIND_ERROR,    /* to everything */
        LOGIND_NONSENSE, /* of other types than they should be */
        LOGIND_EMPTY,    /* messages with nothing in them */
        LOGIND_SILENT,   /* none */
};

/* Takes the name on the bus. No session is there, or this one is already. */
struct logind_kit *logind_start(const struct bus_kit *bus);
struct logind_kit *logind_start_with(const struct bus_kit *bus, const char *id, uid_t uid);
/* Leaves the bus. NULL is fine. Returns NULL. */
struct logind_kit *logind_end(struct logind_kit *l);

/* A session of class user, on a terminal of seat0, in front and not locked; with the signals of a login. */
void logind_login(struct logind_kit *l, const char *id, uid_t uid);
/* The same elsewhere: on another seat or none (""), and of this type, such as "x11". */
void logind_login_at(struct logind_kit *l, const char *id, uid_t uid, const char *seat,
                     const char *type);
void logind_logout(struct logind_kit *l, const char *id);
/* "Active", "LockedHint" or "Remote", with the signal that it changed. */
void logind_set(struct logind_kit *l, const char *id, const char *property, bool value);
/* "Class" or "State"; of the latter only the user's object tells. */
void logind_set_text(struct logind_kit *l, const char *id, const char *property, const char *value);

/* From now on. */
void logind_answer_with(struct logind_kit *l, enum logind_answer answer);
/* That many questions are answered with an error, before all else. */
void logind_fail_first(struct logind_kit *l, unsigned n);
/* Says that there is something new, though there is not. */
void logind_nudge(struct logind_kit *l);
/* Waits until that many questions came since something was last said by any of the above. */
void logind_await_questions(struct logind_kit *l, unsigned n);
