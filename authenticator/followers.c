/* SPDX-License-Identifier: BSD-2-Clause */

/* A place for each client that there can be, so that nobody who may connect is refused. */

#include "authenticator/followers.h"

#include <errno.h>
#include <stdlib.h>
#include <time.h>

#include "authenticator/control.h"
#include "authenticator/server.h"

struct followers {
        struct followers_options options;
        struct follower all[SERVER_CLIENTS_MAX];
        size_t n;
};

int followers_new(const struct followers_options *options, struct followers **ret) {
        struct followers *f = calloc(1, sizeof(*f));

        if (!f)
                return -ENOMEM;
        f->options = *options;
        *ret = f;
        return 0;
}

struct followers *followers_free(struct followers *f) {
        free(f);
        return NULL;
}

void followers_add(struct followers *f, const struct follower *who) {
        if (f->n < ELEMENTSOF(f->all))
                f->all[f->n++] = *who;
}

void followers_remove(struct followers *f, uint32_t tag) {
        for (size_t i = 0; i < f->n; i++)
                if (f->all[i].tag == tag) {
                        f->all[i] = f->all[--f->n];
                        return;
                }
}

/* `like` says of which device something is, and what it is. */
static bool wants(const struct follower *who, const struct follower *like) {
        if (who->owner != like->owner || (who->one && who->device != like->device))
                return false;
        return !like->frames || (who->frames && who->secrets == like->secrets);
}

static bool is_wanted(const struct followers *f, const struct follower *like) {
        for (size_t i = 0; i < f->n; i++)
                if (wants(&f->all[i], like))
                        return true;
        return false;
}

bool followers_want(const struct followers *f, uid_t owner, unsigned device) {
        const struct follower like = { .owner = owner, .device = device };

        return is_wanted(f, &like);
}

static json_int_t now_ms(void) {
        struct timespec t;

        clock_gettime(CLOCK_REALTIME, &t);
        return (json_int_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* Takes the event. */
static void tell(const struct followers *f, const struct follower *like, json_t *event) {
        char *line;

        json_object_set_new(event, "device", json_integer((json_int_t)like->device));
        line = control_event_line(event);
        if (!line)
                return;
        for (size_t i = 0; i < f->n; i++)
                if (wants(&f->all[i], like))
                        f->options.send(f->options.userdata, f->all[i].tag, line);
        free(line);
}

void followers_tell(const struct followers *f, uid_t owner, unsigned device, json_t *event) {
        const struct follower like = { .owner = owner, .device = device };

        json_object_set_new(event, "time", json_integer(now_ms()));
        tell(f, &like, event);
}

bool followers_want_frames(const struct followers *f, uid_t owner, unsigned device, bool secrets) {
        const struct follower like = {
                .owner = owner, .device = device, .frames = true, .secrets = secrets
        };

        return is_wanted(f, &like);
}

void followers_tell_frame(const struct followers *f, uid_t owner, unsigned device, bool secrets,
                          json_t *event) {
        const struct follower like = {
                .owner = owner, .device = device, .frames = true, .secrets = secrets
        };

        tell(f, &like, event);
}
