/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* The sessions of a machine as a table, with what follows from them for a user. No I/O. */

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "ctap/macro.h"

#define SESSIONS_MAX 256 /* logind allows 8192; what is beyond is not seen */
#define SESSIONS_OF_USER_MAX \
        16 /* so that nobody takes the places of others; ones on a seat first */

struct session_facts {
        bool of_user; /* class user: no greeter, no lock screen, no service manager */
        bool remote;  /* such as over ssh */
        bool active;  /* in front, on its seat; always, if it has none */
        bool locked;
        bool closing;   /* logged out; something of it still runs */
        bool on_seat;   /* of this machine; not so: su, a desktop over the network, a serial line */
        bool on_seat0;  /* on the first, where the virtual terminals are */
        bool graphical; /* X11 or Wayland */
};

struct session {
        char *id, *path;
        uid_t uid;
        bool known; /* the facts are there */
        struct session_facts facts;
        bool listed; /* between sessions_begin_list() and sessions_end_list() */

        /* Of who asks for the facts. */
        void *owner;
        void *call;
        bool again;
};

struct sessions {
        struct session *all[SESSIONS_MAX]; /* oldest first */
        size_t n;
        bool no_remote;                       /* one from another machine counts for nothing */
        void (*on_remove)(struct session *s); /* before it is freed; may be NULL */
};

void sessions_done(struct sessions *t);

/*
 * A whole list, entry by entry: who is not in it is removed at its end. An id that stands for another
 * user or object than before is another session. sessions_list(): -ENOSPC or -ENOMEM.
 */
void sessions_begin_list(struct sessions *t);
_must_check_ int sessions_list(struct sessions *t, const char *id, uid_t uid, const char *path,
                               struct session **ret);
/* True if some were removed whose facts were known. */
_must_check_ bool sessions_end_list(struct sessions *t);

/* True if they are others than before. */
_must_check_ bool session_set_facts(struct session *s, const struct session_facts *facts);

struct session *sessions_at_path(const struct sessions *t, const char *path);

/* "user", and what later versions of logind split off from it. */
bool session_class_is_of_user(const char *class);

bool session_type_is_graphical(const char *type);

/* Who has a session that counts, each once, oldest first; how many. */
size_t sessions_users(const struct sessions *t, uid_t ret[static SESSIONS_MAX]);
bool sessions_has(const struct sessions *t, uid_t uid);
/* Who has some, none of which counts because of no_remote. */
bool sessions_is_turned_away(const struct sessions *t, uid_t uid);
/*
 * Whether one of them is local, active, not locked, and somebody looks at it: it is on a seat; or it is
 * a desktop without one (VNC, xrdp), and no session of this user is locked.
 */
bool sessions_is_usable(const struct sessions *t, uid_t uid);
/* The id of such a session of this user, one on a seat first; NULL: there is none. */
const char *sessions_front(const struct sessions *t, uid_t uid);
/* Who that is on seat0; false: nobody, or for the moment it is not clear who. */
bool sessions_at_seat0(const struct sessions *t, uid_t *ret);

/* From now on none is in front, until its facts come again. True if one was before. */
_must_check_ bool sessions_forget_front(struct sessions *t);
_must_check_ bool session_forget_front(struct session *s);
