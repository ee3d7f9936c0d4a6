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

struct slot {
        struct instance *instance; /* NULL: the slot is free */
        enum devices_kind kind;
        uid_t owner;
        unsigned index;
        bool stopping;
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

static size_t count_free(const struct devices *d) {
        size_t n = 0;

        for (size_t i = 0; i < ELEMENTSOF(d->slots); i++)
                n += !d->slots[i].instance;
        return n;
}

/* ---- stopping ---- */

static void look_later(struct devices *d) {
        int r = sd_event_source_set_time(d->join, (env_now_ms() + d->join_ms) * 1000);

        d->join_ms = d->join_ms * 2 < JOIN_MAX_MS ? d->join_ms * 2 : JOIN_MAX_MS;
        if (r >= 0)
                r = sd_event_source_set_enabled(d->join, SD_EVENT_ONESHOT);
        if (r < 0)
                log_write(d->options.log, LOG_ERR, NULL, "the timer could not be set: %s",
                          strerror(-r));
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

static void make_one(struct devices *d, uid_t owner, unsigned index) {
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
                r = instance_new(&options, &s->instance);
        }
        if (r < 0)
                log_write(d->options.log, LOG_ERR, NULL, "a device of uid %u could not be made: %s",
                          (unsigned)owner, strerror(-r));
}

static void make_missing(struct devices *d) {
        unsigned count = d->options.config->count;
        size_t n_beyond = 0;

        for (size_t i = 0; i < d->n_owners; i++) {
                if (has_any(d, d->owners[i]))
                        continue;
                if (count_free(d) < count) {
                        n_beyond++;
                        if (n_beyond > d->n_told_full)
                                log_write(d->options.log, LOG_WARNING, NULL,
                                          "uid %u gets no device for now: there are %d at most",
                                          (unsigned)d->owners[i], CONFIG_DEVICES_MAX);
                        continue;
                }
                for (unsigned index = 0; index < count; index++)
                        make_one(d, d->owners[i], index);
        }
        d->n_told_full = n_beyond;
        d->options.on_state(d->options.userdata);
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

                if (s->instance && !s->stopping && !belongs(d, s))
                        stop(d, s);
        }
        make_missing(d);
}

enum devices_kind devices_kind(const struct devices *d) {
        return d->kind;
}

struct instance *devices_get(const struct devices *d, size_t number, uid_t *ret_owner) {
        for (size_t i = 0; i < ELEMENTSOF(d->slots); i++) {
                const struct slot *s = &d->slots[i];

                if (!s->instance || s->stopping || number-- > 0)
                        continue;
                *ret_owner = s->owner;
                return s->instance;
        }
        return NULL;
}

struct instance *devices_find(const struct devices *d, uid_t owner, unsigned index) {
        for (size_t i = 0; i < ELEMENTSOF(d->slots); i++) {
                const struct slot *s = &d->slots[i];

                if (s->instance && !s->stopping && s->owner == owner && s->index == index)
                        return s->instance;
        }
        return NULL;
}

enum devices_absence devices_absence(const struct devices *d, uid_t owner) {
        if (!is_owner(d, owner))
                return DEVICES_NOT_WANTED;
        return has_any(d, owner) ? DEVICES_COMING : DEVICES_FULL;
}
