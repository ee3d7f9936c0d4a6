/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * A slot holds a device until its worker has been joined, so that what hangs counts. That a worker has
 * ended is looked at by a timer, at first after a moment, then more and more rarely.
 */

#include "authenticator/devices.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>
#include <time.h>

#include "authenticator/env.h"
#include "authenticator/sessions.h"

#define JOIN_MIN_MS 10
#define JOIN_MAX_MS 1000

/* What a script does in a row finds it open; who hangs up and a TPM that hangs are seen soon enough. */
#define VISIT_MS      2000
#define VISIT_LOOK_MS 500

struct slot {
        struct instance *instance; /* NULL: the slot is free */
        enum devices_kind kind;
        uid_t owner;
        unsigned index;
        bool stopping;
        bool visited;           /* by an administrator; the owner has no session */
        uint64_t visited_until; /* unless there is another request by then */
};

struct devices {
        struct devices_options options;
        struct slot slots[CONFIG_DEVICES_MAX];
        enum devices_kind kind;
        uid_t owners[SESSIONS_MAX];
        size_t n_owners;
        size_t n_told_full; /* of them, so many had to be told that it is full */
        sd_event_source *join;
        uint64_t join_ms;
        sd_event_source *visits; /* looks for those that are over */
};

static bool is_owner(const struct devices *d, uid_t uid) {
        for (size_t i = 0; i < d->n_owners; i++)
                if (d->owners[i] == uid)
                        return true;
        return false;
}

static bool belongs(const struct devices *d, const struct slot *s) {
        return s->kind == d->kind && is_owner(d, s->owner);
}

static bool has_any(const struct devices *d, uid_t owner) {
        for (size_t i = 0; i < ELEMENTSOF(d->slots); i++)
                if (d->slots[i].instance && d->slots[i].owner == owner)
                        return true;
        return false;
}

/* Its store is not let go of yet. */
static bool has_stopping(const struct devices *d, uid_t owner) {
        for (size_t i = 0; i < ELEMENTSOF(d->slots); i++)
                if (d->slots[i].instance && d->slots[i].owner == owner && d->slots[i].stopping)
                        return true;
        return false;
}

/* With a device or without. */
static struct slot *find_open(struct devices *d, uid_t owner, unsigned index) {
        for (size_t i = 0; i < ELEMENTSOF(d->slots); i++) {
                struct slot *s = &d->slots[i];

                if (s->instance && !s->stopping && s->owner == owner && s->index == index)
                        return s;
        }
        return NULL;
}

static size_t count_free(const struct devices *d) {
        size_t n = 0;

        for (size_t i = 0; i < ELEMENTSOF(d->slots); i++)
                n += !d->slots[i].instance;
        return n;
}

/* ---- stopping ---- */

static void set_timer(const struct devices *d, sd_event_source *timer, uint64_t ms) {
        int r = sd_event_source_set_time(timer, (env_now_ms() + ms) * 1000);

        if (r >= 0)
                r = sd_event_source_set_enabled(timer, SD_EVENT_ONESHOT);
        if (r < 0)
                log_write(d->options.log, LOG_ERR, NULL, "the timer could not be set: %s",
                          strerror(-r));
}

static void look_later(struct devices *d) {
        set_timer(d, d->join, d->join_ms);
        d->join_ms = d->join_ms * 2 < JOIN_MAX_MS ? d->join_ms * 2 : JOIN_MAX_MS;
}

static void stop(struct devices *d, struct slot *s) {
        s->stopping = true;
        instance_dismiss(s->instance);
        d->join_ms = JOIN_MIN_MS;
        look_later(d);
}

static void make_missing(struct devices *d);

static int on_join(sd_event_source *source, uint64_t usec, void *userdata) {
        struct devices *d = userdata;
        bool freed = false, waits = false;

        (void)source;
        (void)usec;
        for (size_t i = 0; i < ELEMENTSOF(d->slots); i++) {
                struct slot *s = &d->slots[i];

                if (!s->instance || !s->stopping)
                        continue;
                if (!instance_join(s->instance, 0)) {
                        waits = true;
                        continue;
                }
                instance_free(s->instance);
                *s = (struct slot){ 0 };
                freed = true;
        }
        if (waits)
                look_later(d);
        if (freed)
                make_missing(d);
        return 0;
}

/* ---- making ---- */

static void on_state(void *userdata) {
        struct devices *d = userdata;

        d->options.on_state(d->options.userdata);
}

static void on_answer(void *userdata, uint32_t tag, json_t *body) {
        struct devices *d = userdata;

        d->options.on_answer(d->options.userdata, tag, body);
}

static void on_suspended(void *userdata) {
        struct devices *d = userdata;

        d->options.on_suspended(d->options.userdata);
}

static struct slot *free_slot(struct devices *d) {
        for (size_t i = 0; i < ELEMENTSOF(d->slots); i++)
                if (!d->slots[i].instance)
                        return &d->slots[i];
        return NULL;
}

/* NULL after saying why. */
static struct slot *make_one(struct devices *d, uid_t owner, unsigned index, bool visited) {
        const struct instance_options options = {
                .event = d->options.event,
                .config = d->options.config,
                .log = d->options.log,
                .agents = d->options.agents,
                .fprint = d->options.fprint,
                .followers = d->options.followers,
                .audit = d->options.audit,
                .owner = owner,
                .seat = d->kind == DEVICES_SEAT ? DEVICES_SEAT_NAME : NULL,
                .index = index,
                .among_users = d->kind == DEVICES_USERS,
                .unplugged = visited,
                .on_state = on_state,
                .on_answer = on_answer,
                .on_suspended = on_suspended,
                .userdata = d,
        };
        struct slot *s = free_slot(d);
        int r = -ENOSPC;

        if (s) {
                s->kind = d->kind;
                s->owner = owner;
                s->index = index;
                s->visited = visited;
                r = instance_new(&options, &s->instance);
        }
        if (r == 0)
                return s;
        log_write(d->options.log, LOG_ERR, NULL, "a device of uid %u could not be made: %s",
                  (unsigned)owner, strerror(-r));
        return NULL;
}

static unsigned count_missing(struct devices *d, uid_t owner) {
        unsigned n = 0;

        for (unsigned index = 0; index < d->options.config->count; index++)
                n += !find_open(d, owner, index);
        return n;
}

static void make_missing(struct devices *d) {
        unsigned count = d->options.config->count;
        size_t n_beyond = 0;

        for (size_t i = 0; i < d->n_owners; i++) {
                if (has_stopping(d, d->owners[i]))
                        continue;
                if (count_free(d) < count_missing(d, d->owners[i])) {
                        n_beyond++;
                        if (n_beyond > d->n_told_full)
                                log_write(d->options.log, LOG_WARNING, NULL,
                                          "uid %u gets no device for now: there are %d at most",
                                          (unsigned)d->owners[i], CONFIG_DEVICES_MAX);
                        continue;
                }
                for (unsigned index = 0; index < count; index++)
                        if (!find_open(d, d->owners[i], index))
                                (void)!make_one(d, d->owners[i], index, false);
        }
        d->n_told_full = n_beyond;
        d->options.on_state(d->options.userdata);
}

/* ---- visits ---- */

/* One that failed is not kept for who tries again: it goes, and is opened anew. */
static void extend_visit(struct slot *s) {
        if (instance_state(s->instance) != INSTANCE_FAILED)
                s->visited_until = env_now_ms() + VISIT_MS;
}

/* Whoever comes meanwhile does not put it off. */
static void look_at_visits(struct devices *d) {
        int enabled = SD_EVENT_OFF;

        (void)!sd_event_source_get_enabled(d->visits, &enabled);
        if (enabled == SD_EVENT_OFF)
                set_timer(d, d->visits, VISIT_LOOK_MS);
}

static int on_visits(sd_event_source *source, uint64_t usec, void *userdata) {
        struct devices *d = userdata;
        bool goes_on = false;

        (void)source;
        (void)usec;
        for (size_t i = 0; i < ELEMENTSOF(d->slots); i++) {
                struct slot *s = &d->slots[i];

                if (!s->instance || !s->visited || s->stopping)
                        continue;
                if (instance_is_busy(s->instance))
                        extend_visit(s);
                if (env_now_ms() >= s->visited_until)
                        stop(d, s);
                else
                        goes_on = true;
        }
        if (goes_on)
                look_at_visits(d);
        return 0;
}

static enum devices_absence refuse_visit(const struct devices *d, uid_t owner, unsigned index) {
        if (d->kind != DEVICES_USERS || index >= d->options.config->count)
                return DEVICES_NOT_WANTED;
        if (has_stopping(d, owner))
                return DEVICES_COMING;
        return count_free(d) == 0 ? DEVICES_FULL : DEVICES_NO_STORE;
}

struct instance *devices_open(struct devices *d, uid_t owner, unsigned index, bool make,
                              enum devices_absence *ret_absence) {
        struct slot *s = find_open(d, owner, index);

        if (!s && d->kind == DEVICES_USERS && index < d->options.config->count &&
            !has_stopping(d, owner) && count_free(d) > 0 &&
            (make || instance_has_store(d->options.config, owner, index)))
                s = make_one(d, owner, index, true);
        if (!s) {
                *ret_absence = refuse_visit(d, owner, index);
                return NULL;
        }
        if (s->visited) {
                extend_visit(s);
                look_at_visits(d);
        }
        return s->instance;
}

/* The owner logs in: requests that are under way go on. */
static void end_visit(struct slot *s) {
        s->visited = false;
        instance_admit(s->instance);
}

/* ---- for the daemon ---- */

int devices_new(const struct devices_options *options, struct devices **ret) {
        struct devices *d = calloc(1, sizeof(*d));
        int r;

        if (!d)
                return -ENOMEM;
        d->options = *options;
        r = sd_event_add_time(options->event, &d->join, CLOCK_BOOTTIME, 0, 1000, on_join, d);
        if (r >= 0)
                r = sd_event_source_set_enabled(d->join, SD_EVENT_OFF);
        if (r >= 0)
                r = sd_event_add_time(options->event, &d->visits, CLOCK_BOOTTIME, 0, 1000,
                                      on_visits, d);
        if (r >= 0)
                r = sd_event_source_set_enabled(d->visits, SD_EVENT_OFF);
        if (r < 0) {
                devices_free(d);
                return r;
        }
        *ret = d;
        return 0;
}

bool devices_stop(struct devices *d, uint64_t timeout_ms) {
        uint64_t until = env_now_ms() + timeout_ms;
        bool stuck = false;

        for (size_t i = 0; i < ELEMENTSOF(d->slots); i++)
                if (d->slots[i].instance)
                        instance_stop(d->slots[i].instance);
        for (size_t i = 0; i < ELEMENTSOF(d->slots); i++) {
                struct slot *s = &d->slots[i];
                uint64_t now = env_now_ms();

                if (!s->instance)
                        continue;
                if (instance_join(s->instance, until > now ? until - now : 0))
                        s->instance = instance_free(s->instance);
                else
                        stuck = true;
        }
        for (size_t i = 0; i < ELEMENTSOF(d->slots); i++)
                if (d->slots[i].instance)
                        instance_abandon(d->slots[i].instance);
        return !stuck;
}

struct devices *devices_free(struct devices *d) {
        if (!d)
                return NULL;
        sd_event_source_disable_unref(d->join);
        sd_event_source_disable_unref(d->visits);
        free(d);
        return NULL;
}

void devices_set_owners(struct devices *d, enum devices_kind kind, const uid_t *owners, size_t n) {
        d->kind = kind;
        d->n_owners = n < ELEMENTSOF(d->owners) ? n : ELEMENTSOF(d->owners);
        for (size_t i = 0; i < d->n_owners; i++)
                d->owners[i] = owners[i];

        for (size_t i = 0; i < ELEMENTSOF(d->slots); i++) {
                struct slot *s = &d->slots[i];

                if (!s->instance || s->stopping ||
                    (s->visited && s->kind == kind && !belongs(d, s)))
                        continue;
                if (!belongs(d, s))
                        stop(d, s);
                else if (s->visited)
                        end_visit(s);
        }
        make_missing(d);
}

enum devices_kind devices_kind(const struct devices *d) {
        return d->kind;
}

struct instance *devices_get(const struct devices *d, size_t number, uid_t *ret_owner) {
        for (size_t i = 0; i < ELEMENTSOF(d->slots); i++) {
                const struct slot *s = &d->slots[i];

                if (!s->instance || s->stopping || s->visited || number-- > 0)
                        continue;
                *ret_owner = s->owner;
                return s->instance;
        }
        return NULL;
}

struct instance *devices_get_open(const struct devices *d, size_t number) {
        for (size_t i = 0; i < ELEMENTSOF(d->slots); i++)
                if (d->slots[i].instance && !d->slots[i].stopping && number-- == 0)
                        return d->slots[i].instance;
        return NULL;
}

struct instance *devices_find(const struct devices *d, uid_t owner, unsigned index) {
        for (size_t i = 0; i < ELEMENTSOF(d->slots); i++) {
                const struct slot *s = &d->slots[i];

                if (s->instance && !s->stopping && !s->visited && s->owner == owner &&
                    s->index == index)
                        return s->instance;
        }
        return NULL;
}

enum devices_absence devices_absence(const struct devices *d, uid_t owner) {
        if (!is_owner(d, owner))
                return DEVICES_NOT_WANTED;
        return has_any(d, owner) ? DEVICES_COMING : DEVICES_FULL;
}
