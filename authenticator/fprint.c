/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Users, and what readers know of them: see fprint.h. fprintd is started by the first call, ends by
 * itself when nobody has called for half a minute, and takes users by their names, which logind tells;
 * where that does not, nobody can say whether a session is locked either, and there are no fingers.
 *
 * Looking is three questions, one after the other: what the user is called, which readers there are,
 * and of each whether it knows a finger.
 */

#include "authenticator/fprint.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>

#include "authenticator/env.h"
#include "authenticator/fprint-internal.h"
#include "authenticator/util.h"

#define LOGIND_NAME    "org.freedesktop.login1"
#define LOGIND_PATH    "/org/freedesktop/login1"
#define LOGIND_MANAGER "org.freedesktop.login1.Manager"

#define LOOK_MS 10000 /* what was found stays true for so long */

void fprint_note(const struct fprint *f, const char *id, const char *what, const char *why) {
        log_write(f->options.log, LOG_DEBUG, id, "fprintd: %s: %s", what, why);
}

const char *fprint_error(sd_bus_message *m) {
        const sd_bus_error *e = sd_bus_message_get_error(m);

        if (!e)
                return NULL;
        return e->message ? e->message : e->name;
}

/* ---- what can be given ---- */

static void settle(struct fprint_user *u) {
        bool available = u->usable && *u->reader && u->failed < FPRINT_FAILED_MAX;

        if (available == u->available)
                return;
        u->available = available;
        u->options.on_available(u->options.userdata, available);
}

bool fprint_user_is_available(const struct fprint_user *u) {
        return u->available;
}

bool fprint_user_failed(struct fprint_user *u) {
        u->failed++;
        u->failed_question++;
        if (u->failed == FPRINT_FAILED_MAX)
                log_write(u->fprint->options.log, LOG_NOTICE, u->options.id,
                          "%d fingers in a row did not match: only the PIN is asked for until it "
                          "is given",
                          FPRINT_FAILED_MAX);
        return u->failed < FPRINT_FAILED_MAX && u->failed_question < FPRINT_TRIES;
}

void fprint_user_matched(struct fprint_user *u) {
        u->failed = 0;
        u->wanted = false;
        u->options.on_finger(u->options.userdata, AGENT_FINGER_MATCHED);
}

void fprint_user_forgive(struct fprint_user *u) {
        u->failed = 0;
        settle(u);
}

/* ---- looking ---- */

static void look(struct fprint_user *u);
static void ask_reader(struct fprint_user *u);

static void looked(struct fprint_user *u, const char *reader) {
        u->looking = sd_bus_slot_unref(u->looking);
        u->looked_at = env_now_ms();
        snprintf(u->reader, sizeof(u->reader), "%s", reader);
        if (u->look_again)
                look(u);
        else
                settle(u);
}

static void look_failed(struct fprint_user *u, const char *what, const char *why) {
        fprint_note(u->fprint, u->options.id, what, why);
        looked(u, "");
}

/* The answer to the call that is out has come. NULL, or why it is none. */
static const char *answered(struct fprint_user *u, sd_bus_message *m) {
        u->looking = sd_bus_slot_unref(u->looking);
        return fprint_error(m);
}

static bool knows_a_finger(sd_bus_message *m) {
        return sd_bus_message_enter_container(m, 'a', "s") >= 0 && sd_bus_message_at_end(m, 0) == 0;
}

static int on_fingers(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        struct fprint_user *u = userdata;
        const char *why = answered(u, m), *reader = u->readers[u->n_asked];

        (void)error;
        u->n_asked++;
        if (!why && knows_a_finger(m)) {
                looked(u, reader);
                return 0;
        }
        fprint_note(u->fprint, u->options.id, "it knows no finger", why ? why : reader);
        ask_reader(u);
        return 0;
}

static void ask_reader(struct fprint_user *u) {
        int r;

        if (u->n_asked == u->n_readers) {
                looked(u, "");
                return;
        }
        r = sd_bus_call_method_async(u->fprint->connection, &u->looking, FPRINT_NAME,
                                     u->readers[u->n_asked], FPRINT_DEVICE, "ListEnrolledFingers",
                                     on_fingers, u, "s", u->name);
        if (r < 0)
                look_failed(u, "fingers were not asked for", strerror(-r));
}

static int read_readers(struct fprint_user *u, sd_bus_message *m) {
        const char *path;
        int r = sd_bus_message_enter_container(m, 'a', "o");

        u->n_readers = u->n_asked = 0;
        while (r >= 0 && u->n_readers < FPRINT_READERS_MAX) {
                r = sd_bus_message_read(m, "o", &path);
                if (r <= 0)
                        break;
                if (strlen(path) < FPRINT_PATH_MAX)
                        snprintf(u->readers[u->n_readers++], FPRINT_PATH_MAX, "%s", path);
        }
        return r < 0 ? r : 0;
}

static int on_readers(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        struct fprint_user *u = userdata;
        const char *why = answered(u, m);
        int r = why ? 0 : read_readers(u, m);

        (void)error;
        if (why || r < 0)
                look_failed(u, "there is no reader", why ? why : strerror(-r));
        else
                ask_reader(u);
        return 0;
}

/* 1: it is there, 0: it is not. */
static int read_name(struct fprint_user *u, sd_bus_message *m) {
        const char *name, *path;
        uint32_t uid;
        int r = sd_bus_message_enter_container(m, 'a', "(uso)");

        while (r >= 0) {
                r = sd_bus_message_read(m, "(uso)", &uid, &name, &path);
                if (r <= 0)
                        return r;
                if (uid == u->uid && strlen(name) < sizeof(u->name)) {
                        snprintf(u->name, sizeof(u->name), "%s", name);
                        return *name != '\0';
                }
        }
        return r;
}

static int on_users(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        struct fprint_user *u = userdata;
        const char *why = answered(u, m);
        int r = why ? 0 : read_name(u, m);

        (void)error;
        if (r <= 0) {
                look_failed(u, "the user's name is not known",
                            why     ? why
                            : r < 0 ? strerror(-r)
                                    : "not logged in");
                return 0;
        }
        r = sd_bus_call_method_async(u->fprint->connection, &u->looking, FPRINT_NAME,
                                     FPRINT_MANAGER_PATH, FPRINT_MANAGER, "GetDevices", on_readers,
                                     u, NULL);
        if (r < 0)
                look_failed(u, "readers were not asked for", strerror(-r));
        return 0;
}

static void look(struct fprint_user *u) {
        int r;

        u->look_again = u->looking;
        if (u->looking || !u->usable || !u->fprint->connection)
                return;
        r = sd_bus_call_method_async(u->fprint->connection, &u->looking, LOGIND_NAME, LOGIND_PATH,
                                     LOGIND_MANAGER, "ListUsers", on_users, u, NULL);
        if (r < 0)
                look_failed(u, "logind was not asked", strerror(-r));
}

void fprint_user_look(struct fprint_user *u) {
        if (!u->looking && env_now_ms() >= u->looked_at + LOOK_MS)
                look(u);
}

/* ---- questions ---- */

/* A reader that failed may have gone; one that was let go for another reason is still found. */
void fprint_user_gave_up(struct fprint_user *u) {
        u->wanted = false;
        u->options.on_finger(u->options.userdata, AGENT_FINGER_HAS_GONE);
        settle(u);
        look(u);
}

void fprint_user_want(struct fprint_user *u, bool wanted) {
        if (wanted == u->wanted)
                return;
        u->wanted = wanted;
        if (!wanted) {
                fprint_claim_end(u);
                return;
        }
        u->failed_question = 0;
        if (!u->available || !fprint_claim_begin(u))
                fprint_user_gave_up(u);
}

static void forget(struct fprint_user *u) {
        u->looking = sd_bus_slot_unref(u->looking);
        u->look_again = false;
        *u->reader = *u->name = '\0';
        settle(u);
}

void fprint_user_set(struct fprint_user *u, uid_t uid, bool usable) {
        if (u->uid == uid && u->usable == usable)
                return;
        fprint_user_want(u, false);
        u->uid = uid;
        u->usable = usable;
        forget(u);
        look(u);
}

/* ---- the bus ---- */

static void on_owner(void *userdata, sd_bus *connection, bool is_there) {
        (void)connection;
        if (!is_there)
                fprint_claim_lost(userdata);
}

static void on_down(void *userdata) {
        struct fprint *f = userdata;

        f->connection = sd_bus_unref(f->connection);
        fprint_claim_lost(f);
        for (struct fprint_user *u = f->users; u; u = u->next)
                forget(u);
}

static void on_up(void *userdata, sd_bus *connection) {
        struct fprint *f = userdata;
        int r;

        f->connection = sd_bus_ref(connection);
        r = fprint_claim_listen(f);
        if (r >= 0)
                r = bus_watch_name(connection, FPRINT_NAME, &f->watch);
        if (r < 0) {
                fprint_note(f, NULL, "fingers will not be heard of", strerror(-r));
                on_down(f);
                return;
        }
        for (struct fprint_user *u = f->users; u; u = u->next)
                look(u);
}

/* ---- life ---- */

int fprint_new(const struct fprint_options *options, struct fprint **ret) {
        struct fprint *f = calloc(1, sizeof(*f));

        if (!f)
                return -ENOMEM;
        f->options = *options;
        f->watch = (struct bus_watch){ .on_owner = on_owner, .userdata = f };
        f->listener = (struct bus_listener){ .on_up = on_up, .on_down = on_down, .userdata = f };
        bus_listen(options->bus, &f->listener);
        *ret = f;
        return 0;
}

struct fprint *fprint_free(struct fprint *f) {
        if (!f)
                return NULL;
        sd_bus_slot_unref(f->claim.call);
        sd_bus_unref(f->connection);
        free(f);
        return NULL;
}

void fprint_suspend(struct fprint *f) {
        struct fprint_user *u = f->claim.user;

        if (!u)
                return;
        fprint_claim_end(u);
        fprint_user_gave_up(u);
}

int fprint_user_new(struct fprint *f, const struct fprint_user_options *options,
                    struct fprint_user **ret) {
        struct fprint_user *u = calloc(1, sizeof(*u));

        if (!u)
                return -ENOMEM;
        u->options = *options;
        u->fprint = f;
        u->uid = (uid_t)-1;
        u->next = f->users;
        f->users = u;
        *ret = u;
        return 0;
}

struct fprint_user *fprint_user_free(struct fprint_user *u) {
        struct fprint_user **at;

        if (!u)
                return NULL;
        fprint_user_want(u, false);
        sd_bus_slot_unref(u->looking);
        for (at = &u->fprint->users; *at != u; at = &(*at)->next)
                ;
        *at = u->next;
        free(u);
        return NULL;
}
