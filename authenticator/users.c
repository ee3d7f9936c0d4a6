/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Signals are only the occasion to ask: any program on the bus can send one that looks like logind's,
 * and what they announce may be over when they are read. What counts is the answer to a question of
 * ours. A round is the list of sessions and the properties of each; one that failed in part is made
 * again, more and more rarely.
 */

#include "authenticator/users.h"

#include <errno.h>
#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>
#include <systemd/sd-bus.h>
#include <time.h>

#include "authenticator/env.h"
#include "authenticator/session-list.h"

#define LOGIND_NAME  "org.freedesktop.login1"
#define LOGIND_PATH  "/org/freedesktop/login1"
#define MANAGER      "org.freedesktop.login1.Manager"
#define SESSION      "org.freedesktop.login1.Session"
#define PROPERTIES   "org.freedesktop.DBus.Properties"
#define SEAT         "seat0"
#define USER_PREFIX  "/org/freedesktop/login1/user/_"
#define RETRY_MIN_MS 1000
#define RETRY_MAX_MS 60000
#define GIVE_UP_MS   4000 /* after seven seconds of tries */

struct users {
        struct users_options options;
        struct bus_listener listener;
        struct bus_watch watch;
        sd_bus *connection; /* borrowed; NULL: there is none */
        enum users_knowledge knowledge;
        struct sessions sessions;
        sd_bus_slot *list_call;
        bool list_again;
        bool listed; /* a list of this connection came */
        bool failed; /* something of this round did not come */
        bool too_many, crowded;
        sd_event_source *retry;
        uint64_t retry_ms;
};

static void tell(struct users *u) {
        u->options.on_change(u->options.userdata);
}

static void note(const struct users *u, const char *what, const char *why) {
        log_write(u->options.log, LOG_DEBUG, NULL, "%s: %s", what, why);
}

static void drop_call(struct session *s) {
        s->call = sd_bus_slot_unref(s->call);
        s->again = false;
}

static void retry_later(struct users *u) {
        int on = SD_EVENT_OFF, r = sd_event_source_get_enabled(u->retry, &on);

        u->failed = true;
        if (r < 0 || on != SD_EVENT_OFF)
                return;
        r = sd_event_source_set_time(u->retry, (env_now_ms() + u->retry_ms) * 1000);
        if (r >= 0)
                r = sd_event_source_set_enabled(u->retry, SD_EVENT_ONESHOT);
        if (r < 0)
                note(u, "logind is not asked again", strerror(-r));
        u->retry_ms = u->retry_ms * 2 < RETRY_MAX_MS ? u->retry_ms * 2 : RETRY_MAX_MS;
}

/* Until a round is complete nobody is taken to have no session. */
static void finish_round(struct users *u) {
        for (size_t i = 0; i < u->sessions.n; i++)
                if (u->sessions.all[i]->call)
                        return;
        if (!u->listed || u->list_call)
                return;
        if (!u->failed)
                u->retry_ms = RETRY_MIN_MS;
        if (u->knowledge == USERS_KNOWN)
                return;
        u->knowledge = USERS_KNOWN;
        tell(u);
}

static void set_unknown(struct users *u) {
        if (u->knowledge != USERS_ASKED)
                return;
        u->knowledge = USERS_UNKNOWN;
        tell(u);
}

/* ---- the properties of a session ---- */

static int read_text(sd_bus_message *m, const char **ret) {
        return sd_bus_message_read(m, "v", "s", ret);
}

static int read_bool(sd_bus_message *m, bool *ret) {
        int value, r = sd_bus_message_read(m, "v", "b", &value);

        if (r >= 0)
                *ret = value;
        return r;
}

static int read_property(sd_bus_message *m, const char *name, struct session_facts *facts,
                         bool *has_class) {
        const char *text;
        int r;

        if (strcmp(name, "Active") == 0)
                return read_bool(m, &facts->active);
        if (strcmp(name, "LockedHint") == 0)
                return read_bool(m, &facts->locked);
        if (strcmp(name, "Remote") == 0)
                return read_bool(m, &facts->remote);
        if (strcmp(name, "Seat") == 0) {
                r = sd_bus_message_read(m, "v", "(so)", &text, NULL);
                facts->on_seat = r >= 0 && *text;
                facts->on_seat0 = r >= 0 && strcmp(text, SEAT) == 0;
                return r;
        }
        if (strcmp(name, "Type") == 0) {
                r = read_text(m, &text);
                facts->graphical = r >= 0 && session_type_is_graphical(text);
                return r;
        }
        if (strcmp(name, "Class") == 0) {
                r = read_text(m, &text);
                *has_class = r >= 0;
                facts->of_user = r >= 0 && session_class_is_of_user(text);
                return r;
        }
        if (strcmp(name, "State") == 0) {
                r = read_text(m, &text);
                facts->closing = r >= 0 && strcmp(text, "closing") == 0;
                return r;
        }
        return sd_bus_message_skip(m, "v");
}

/* -EBADMSG and the like: it makes no sense, or says nothing of a class. */
static int read_facts(sd_bus_message *m, struct session_facts *ret) {
        struct session_facts facts = { 0 };
        bool has_class = false;
        const char *name;
        int r = sd_bus_message_enter_container(m, 'a', "{sv}");

        while (r >= 0 && (r = sd_bus_message_enter_container(m, 'e', "sv")) > 0) {
                r = sd_bus_message_read(m, "s", &name);
                if (r >= 0)
                        r = read_property(m, name, &facts, &has_class);
                if (r >= 0)
                        r = sd_bus_message_exit_container(m);
        }
        if (r < 0)
                return r;
        if (!has_class)
                return -EBADMSG;
        *ret = facts;
        return 0;
}

static void request_session(struct users *u, struct session *s);

static int on_session(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        struct session *s = userdata;
        struct users *u = s->owner;
        struct session_facts facts;
        bool again = s->again;
        int r;

        (void)error;
        drop_call(s);
        if (again)
                request_session(u, s);
        r = sd_bus_message_is_method_error(m, NULL) ? -sd_bus_message_get_errno(m)
                                                    : read_facts(m, &facts);
        if (r < 0) {
                note(u, "logind says nothing of a session", strerror(-r));
                retry_later(u);
                if (session_forget_front(s))
                        tell(u);
        } else if (session_set_facts(s, &facts) && u->knowledge == USERS_KNOWN)
                tell(u);
        finish_round(u);
        return 0;
}

static void request_session(struct users *u, struct session *s) {
        sd_bus_slot *call;
        int r;

        if (!u->connection)
                return;
        if (s->call) {
                s->again = true;
                return;
        }
        r = sd_bus_call_method_async(u->connection, &call, LOGIND_NAME, s->path, PROPERTIES,
                                     "GetAll", on_session, s, "s", SESSION);
        if (r >= 0)
                s->call = call;
        else
                retry_later(u);
}

/* ---- the list of sessions ---- */

/* Whoever knows no session of theirs is not heard of again before another one is over. */
static void tell_too_many(struct users *u, const struct session_list *list) {
        if (list->too_many && !u->too_many)
                log_write(u->options.log, LOG_WARNING, NULL,
                          "there are more than %d sessions; those beyond get no device",
                          SESSIONS_MAX);
        if (list->crowded && !u->crowded)
                log_write(u->options.log, LOG_WARNING, NULL,
                          "uid %u has more than %d sessions; those beyond are not looked at",
                          (unsigned)list->crowder, SESSIONS_OF_USER_MAX);
        u->too_many = list->too_many;
        u->crowded = list->crowded;
}

static void take_list(struct users *u, const struct session_list *list) {
        struct session *s;
        bool changed;

        u->listed = true;
        u->failed = false;
        sessions_begin_list(&u->sessions);
        for (size_t i = 0; i < list->n; i++)
                if (sessions_list(&u->sessions, list->all[i].id, list->all[i].uid,
                                  list->all[i].path, &s) == 0)
                        s->owner = u;
                else
                        retry_later(u);
        changed = sessions_end_list(&u->sessions);
        for (size_t i = 0; i < u->sessions.n; i++)
                request_session(u, u->sessions.all[i]);
        if (changed && u->knowledge == USERS_KNOWN)
                tell(u);
}

/*
 * Of one that comes the bus will tell. One that fails at the start of the machine may get well, and
 * keys that were made in its absence would stay in the TPM.
 */
static void on_no_list(struct users *u, bool no_logind) {
        if (!no_logind)
                retry_later(u);
        if (no_logind || u->retry_ms > GIVE_UP_MS)
                set_unknown(u);
}

static void request_list(struct users *u);

static int on_list(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        struct users *u = userdata;
        bool again = u->list_again;
        struct session_list list;
        int r;

        (void)error;
        u->list_call = sd_bus_slot_unref(u->list_call);
        u->list_again = false;
        if (again)
                request_list(u);
        r = sd_bus_message_is_method_error(m, NULL) ? -sd_bus_message_get_errno(m)
                                                    : session_list_read(&list, m, &u->sessions);
        if (r < 0) {
                note(u, "logind lists no sessions", strerror(-r));
                on_no_list(u, sd_bus_message_is_method_error(m, SD_BUS_ERROR_SERVICE_UNKNOWN));
                return 0;
        }
        tell_too_many(u, &list);
        take_list(u, &list);
        finish_round(u);
        return 0;
}

static void request_list(struct users *u) {
        int r;

        if (!u->connection)
                return;
        if (u->list_call) {
                u->list_again = true;
                return;
        }
        r = sd_bus_call_method_async(u->connection, &u->list_call, LOGIND_NAME, LOGIND_PATH,
                                     MANAGER, "ListSessions", on_list, u, NULL);
        if (r < 0)
                retry_later(u);
}

static int on_retry(sd_event_source *source, uint64_t usec, void *userdata) {
        (void)source;
        (void)usec;
        request_list(userdata);
        return 0;
}

/* ---- occasions to ask ---- */

static int on_list_changed(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        (void)m;
        (void)error;
        request_list(userdata);
        return 0;
}

/* That a session is closing is told of its user alone. */
static void request_sessions_of(struct users *u, const char *user_path) {
        char *end;
        const char *digits = user_path + strlen(USER_PREFIX);
        unsigned long uid = strtoul(digits, &end, 10);

        if (end == digits || *end)
                return;
        for (size_t i = 0; i < u->sessions.n; i++)
                if (u->sessions.all[i]->uid == uid)
                        request_session(u, u->sessions.all[i]);
}

static int on_properties(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        const char *path = sd_bus_message_get_path(m);
        struct users *u = userdata;
        struct session *s = sessions_at_path(&u->sessions, path);

        (void)error;
        if (s)
                request_session(u, s);
        else if (strncmp(path, USER_PREFIX, strlen(USER_PREFIX)) == 0)
                request_sessions_of(u, path);
        return 0;
}

static void on_owner(void *userdata, sd_bus *connection, bool is_there) {
        struct users *u = userdata;

        (void)connection;
        if (sessions_forget_front(&u->sessions))
                tell(u);
        if (is_there)
                request_list(u);
}

static int watch(struct users *u, sd_bus *connection) {
        static const char *const signals[] = { "UserNew", "UserRemoved", "SessionNew",
                                               "SessionRemoved" };
        int r = bus_watch_name(connection, LOGIND_NAME, &u->watch);

        for (size_t i = 0; r >= 0 && i < ELEMENTSOF(signals); i++)
                r = sd_bus_match_signal_async(connection, NULL, LOGIND_NAME, LOGIND_PATH, MANAGER,
                                              signals[i], on_list_changed, NULL, u);
        if (r < 0)
                return r;
        return sd_bus_add_match_async(connection, NULL,
                                      "type='signal',sender='" LOGIND_NAME
                                      "',path_namespace='" LOGIND_PATH "',interface='" PROPERTIES
                                      "',member='PropertiesChanged'",
                                      on_properties, NULL, u);
}

static void on_up(void *userdata, sd_bus *connection) {
        struct users *u = userdata;
        int r = watch(u, connection);

        if (r < 0)
                note(u, "logind is not followed", strerror(-r));
        u->connection = connection;
        u->listed = false;
        if (u->knowledge == USERS_UNKNOWN)
                u->knowledge = USERS_ASKED;
        request_list(u);
}

static void on_down(void *userdata) {
        struct users *u = userdata;

        u->connection = NULL;
        u->list_call = sd_bus_slot_unref(u->list_call);
        u->list_again = false;
        for (size_t i = 0; i < u->sessions.n; i++)
                drop_call(u->sessions.all[i]);
        if (sessions_forget_front(&u->sessions))
                tell(u);
        set_unknown(u);
}

/* ---- life ---- */

int users_new(const struct users_options *options, struct users **ret) {
        struct users *u = calloc(1, sizeof(*u));
        int r;

        if (!u)
                return -ENOMEM;
        u->options = *options;
        u->knowledge = USERS_UNKNOWN;
        u->sessions.on_remove = drop_call;
        u->sessions.no_remote = options->no_remote;
        u->retry_ms = RETRY_MIN_MS;
        r = sd_event_add_time(options->event, &u->retry, CLOCK_BOOTTIME, 0, 100000, on_retry, u);
        if (r >= 0)
                r = sd_event_source_set_enabled(u->retry, SD_EVENT_OFF);
        if (r < 0) {
                users_free(u);
                return r;
        }
        u->watch = (struct bus_watch){ .on_owner = on_owner, .userdata = u };
        u->listener = (struct bus_listener){ .on_up = on_up, .on_down = on_down, .userdata = u };
        bus_listen(options->bus, &u->listener);
        *ret = u;
        return 0;
}

struct users *users_free(struct users *u) {
        if (!u)
                return NULL;
        sd_event_source_disable_unref(u->retry);
        sd_bus_slot_unref(u->list_call);
        sessions_done(&u->sessions);
        free(u);
        return NULL;
}

enum users_knowledge users_knowledge(const struct users *u) {
        return u->knowledge;
}

size_t users_list(const struct users *u, uid_t ret[static SESSIONS_MAX]) {
        return sessions_users(&u->sessions, ret);
}

bool users_has_session(const struct users *u, uid_t uid) {
        return sessions_has(&u->sessions, uid);
}

bool users_is_turned_away(const struct users *u, uid_t uid) {
        return sessions_is_turned_away(&u->sessions, uid);
}

bool users_is_usable(const struct users *u, uid_t uid) {
        return sessions_is_usable(&u->sessions, uid);
}

const char *users_session(const struct users *u, uid_t uid) {
        return sessions_front(&u->sessions, uid);
}

bool users_at_seat0(const struct users *u, uid_t *ret) {
        return sessions_at_seat0(&u->sessions, ret);
}
