/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * One lock for the connection and the sessions: the thread holds it while it serves, and a test while
 * it changes something and says so.
 */

#include "tests/system/logind-kit.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "tests/system/test-daemon-kit.h"
#include "tests/unit/test.h"

#define SESSIONS_MAX 400
#define WAIT_MS      10000
#define ROOT         "/org/freedesktop/login1"
#define MANAGER      "org.freedesktop.login1.Manager"
#define SESSION      "org.freedesktop.login1.Session"
#define PROPERTIES   "org.freedesktop.DBus.Properties"

struct fake_session {
        char id[16], path[64];
        uid_t uid;
        char class[16], state[16], seat[16], type[16];
        bool active, locked, remote, there;
};

struct logind_kit {
        sd_bus *bus;
        pthread_t thread;
        pthread_mutex_t lock;
        bool ends;
        enum logind_answer answer;
        unsigned n_questions, n_before, n_to_fail;
        struct fake_session sessions[SESSIONS_MAX];
};

/* ---- answers ---- */

static int append_sessions(struct logind_kit *l, sd_bus_message *reply) {
        int r = sd_bus_message_open_container(reply, 'a', "(susso)");

        for (size_t i = 0; r >= 0 && i < SESSIONS_MAX; i++) {
                const struct fake_session *s = &l->sessions[i];

                if (s->there)
                        r = sd_bus_message_append(reply, "(susso)", s->id, (uint32_t)s->uid, "user",
                                                  s->seat, s->path);
        }
        return r < 0 ? r : sd_bus_message_close_container(reply);
}

static int append_properties(const struct fake_session *s, sd_bus_message *reply) {
        return sd_bus_message_append(reply, "a{sv}", 9, "Id", "s", s->id, "Class", "s", s->class,
                                     "State", "s", s->state, "Active", "b", (int)s->active,
                                     "LockedHint", "b", (int)s->locked, "Remote", "b",
                                     (int)s->remote, "User", "(uo)", (uint32_t)s->uid, ROOT, "Seat",
                                     "(so)", s->seat, ROOT, "Type", "s", s->type);
}

static struct fake_session *session_at(struct logind_kit *l, const char *path) {
        for (size_t i = 0; i < SESSIONS_MAX; i++)
                if (l->sessions[i].there && strcmp(l->sessions[i].path, path) == 0)
                        return &l->sessions[i];
        return NULL;
}

/* What a service of that name must never say. */
static int append_nonsense(sd_bus_message *reply, bool list) {
        if (list)
                return sd_bus_message_append(reply, "a(su)", 1, "1", (uint32_t)1000);
        return sd_bus_message_append(reply, "a{sv}", 2, "Class", "u", (uint32_t)7, "Active", "s",
                                     "yes");
}

static int answer(struct logind_kit *l, sd_bus_message *m, bool list) {
        struct fake_session *s = list ? NULL : session_at(l, sd_bus_message_get_path(m));
        sd_bus_message *reply = NULL;
        int r;

        l->n_questions++;
        if (l->answer == LOGIND_SILENT)
                return 1;
        if (l->n_to_fail > 0 || l->answer == LOGIND_ERROR) {
                l->n_to_fail -= l->n_to_fail > 0;
                return sd_bus_reply_method_errorf(m, SD_BUS_ERROR_FAILED, "no");
        }
        if (l->answer == LOGIND_RIGHT && !list && !s)
                return sd_bus_reply_method_errorf(m, SD_BUS_ERROR_UNKNOWN_OBJECT, "no");
        r = sd_bus_message_new_method_return(m, &reply);
        if (r >= 0 && l->answer == LOGIND_NONSENSE)
                r = append_nonsense(reply, list);
        else if (r >= 0 && l->answer == LOGIND_RIGHT)
                r = list ? append_sessions(l, reply) : append_properties(s, reply);
        if (r >= 0)
                r = sd_bus_send(NULL, reply, NULL);
        sd_bus_message_unref(reply);
        return r < 0 ? r : 1;
}

static int on_message(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        struct logind_kit *l = userdata;

        (void)error;
        if (sd_bus_message_is_method_call(m, MANAGER, "ListSessions"))
                return answer(l, m, true);
        if (sd_bus_message_is_method_call(m, PROPERTIES, "GetAll"))
                return answer(l, m, false);
        return 0;
}

/* ---- the thread ---- */

static struct fake_session *add(struct logind_kit *l, const char *id, uid_t uid) {
        struct fake_session *s = NULL;

        for (size_t i = 0; i < SESSIONS_MAX && !s; i++)
                if (!l->sessions[i].there)
                        s = &l->sessions[i];
        assert_non_null(s);
        *s = (struct fake_session){ .uid = uid, .active = true, .there = true };
        snprintf(s->id, sizeof(s->id), "%s", id);
        snprintf(s->path, sizeof(s->path), ROOT "/session/_%s", id);
        strcpy(s->class, "user");
        strcpy(s->state, "active");
        strcpy(s->seat, "seat0");
        strcpy(s->type, "tty");
        return s;
}

static void *serve(void *userdata) {
        struct logind_kit *l = userdata;
        bool ends = false;

        while (!ends) {
                struct pollfd p = { .fd = sd_bus_get_fd(l->bus), .events = POLLIN };

                pthread_mutex_lock(&l->lock);
                while (sd_bus_process(l->bus, NULL) > 0)
                        ;
                ends = l->ends;
                pthread_mutex_unlock(&l->lock);
                poll(&p, 1, 10);
        }
        return NULL;
}

static struct logind_kit *prepare(const struct bus_kit *bus) {
        struct logind_kit *l = calloc(1, sizeof(*l));

        assert_non_null(l);
        l->bus = bus_kit_connect(bus);
        pthread_mutex_init(&l->lock, NULL);
        assert_true(sd_bus_add_fallback(l->bus, NULL, ROOT, on_message, l) >= 0);
        return l;
}

static struct logind_kit *appear(struct logind_kit *l) {
        assert_true(sd_bus_request_name(l->bus, "org.freedesktop.login1", 0) >= 0);
        assert_int_equal(pthread_create(&l->thread, NULL, serve, l), 0);
        return l;
}

struct logind_kit *logind_start(const struct bus_kit *bus) {
        return appear(prepare(bus));
}

struct logind_kit *logind_start_with(const struct bus_kit *bus, const char *id, uid_t uid) {
        struct logind_kit *l = prepare(bus);

        add(l, id, uid);
        return appear(l);
}

struct logind_kit *logind_end(struct logind_kit *l) {
        if (!l)
                return NULL;
        pthread_mutex_lock(&l->lock);
        l->ends = true;
        pthread_mutex_unlock(&l->lock);
        pthread_join(l->thread, NULL);
        sd_bus_flush_close_unref(l->bus);
        pthread_mutex_destroy(&l->lock);
        free(l);
        return NULL;
}

/* ---- what a test does ---- */

static struct fake_session *session_of(struct logind_kit *l, const char *id) {
        for (size_t i = 0; i < SESSIONS_MAX; i++)
                if (l->sessions[i].there && strcmp(l->sessions[i].id, id) == 0)
                        return &l->sessions[i];
        fail_msg("there is no session %s", id);
        return NULL;
}

static void emit(struct logind_kit *l, const char *signal, const struct fake_session *s) {
        assert_true(sd_bus_emit_signal(l->bus, ROOT, MANAGER, signal, "so", s->id, s->path) >= 0);
}

static void emit_changed(struct logind_kit *l, const char *path, const char *interface,
                         const char *property) {
        assert_true(sd_bus_emit_signal(l->bus, path, PROPERTIES, "PropertiesChanged", "sa{sv}as",
                                       interface, 0, 1, property) >= 0);
}

static void begin(struct logind_kit *l) {
        pthread_mutex_lock(&l->lock);
        l->n_before = l->n_questions;
}

static void finish(struct logind_kit *l) {
        assert_true(sd_bus_flush(l->bus) >= 0);
        pthread_mutex_unlock(&l->lock);
}

void logind_login_at(struct logind_kit *l, const char *id, uid_t uid, const char *seat,
                     const char *type) {
        struct fake_session *s;

        begin(l);
        s = add(l, id, uid);
        snprintf(s->seat, sizeof(s->seat), "%s", seat);
        snprintf(s->type, sizeof(s->type), "%s", type);
        emit(l, "SessionNew", s);
        finish(l);
}

void logind_login(struct logind_kit *l, const char *id, uid_t uid) {
        logind_login_at(l, id, uid, "seat0", "tty");
}

void logind_logout(struct logind_kit *l, const char *id) {
        struct fake_session *s;

        begin(l);
        s = session_of(l, id);
        s->there = false;
        emit(l, "SessionRemoved", s);
        finish(l);
}

void logind_set(struct logind_kit *l, const char *id, const char *property, bool value) {
        struct fake_session *s;

        begin(l);
        s = session_of(l, id);
        if (strcmp(property, "Active") == 0)
                s->active = value;
        else if (strcmp(property, "LockedHint") == 0)
                s->locked = value;
        else
                s->remote = value;
        emit_changed(l, s->path, SESSION, property);
        finish(l);
}

void logind_set_text(struct logind_kit *l, const char *id, const char *property,
                     const char *value) {
        struct fake_session *s;
        char user[64];

        begin(l);
        s = session_of(l, id);
        snprintf(user, sizeof(user), ROOT "/user/_%u", (unsigned)s->uid);
        if (strcmp(property, "State") == 0) {
                snprintf(s->state, sizeof(s->state), "%s", value);
                emit_changed(l, user, "org.freedesktop.login1.User", "State");
        } else {
                snprintf(s->class, sizeof(s->class), "%s", value);
                emit_changed(l, s->path, SESSION, property);
        }
        finish(l);
}

void logind_answer_with(struct logind_kit *l, enum logind_answer answer_with) {
        begin(l);
        l->answer = answer_with;
        pthread_mutex_unlock(&l->lock);
}

void logind_fail_first(struct logind_kit *l, unsigned n) {
        begin(l);
        l->n_to_fail = n;
        pthread_mutex_unlock(&l->lock);
}

void logind_nudge(struct logind_kit *l) {
        begin(l);
        assert_true(sd_bus_emit_signal(l->bus, ROOT, MANAGER, "UserNew", "uo", (uint32_t)1,
                                       ROOT "/user/_1") >= 0);
        finish(l);
}

void logind_await_questions(struct logind_kit *l, unsigned n) {
        const struct timespec step = { .tv_nsec = 5000000 };
        uint64_t until = kit_now() + WAIT_MS;
        unsigned now = 0;

        while (now < n) {
                assert_true(kit_now() < until);
                nanosleep(&step, NULL);
                pthread_mutex_lock(&l->lock);
                now = l->n_questions - l->n_before;
                pthread_mutex_unlock(&l->lock);
        }
}
