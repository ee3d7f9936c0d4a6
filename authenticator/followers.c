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

static bool follows(const struct follower *who, uid_t owner, unsigned device) {
        return who->owner == owner && (!who->one || who->device == device);
}

bool followers_want(const struct followers *f, uid_t owner, unsigned device) {
        for (size_t i = 0; i < f->n; i++)
                if (follows(&f->all[i], owner, device))
                        return true;
        return false;
}

static json_int_t now_ms(void) {
        struct timespec t;

        clock_gettime(CLOCK_REALTIME, &t);
        return (json_int_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

void followers_tell(const struct followers *f, uid_t owner, unsigned device, json_t *event) {
        char *line;

        json_object_set_new(event, "device", json_integer((json_int_t)device));
        json_object_set_new(event, "time", json_integer(now_ms()));
        line = control_event_line(event);
        if (!line)
                return;
        for (size_t i = 0; i < f->n; i++)
                if (follows(&f->all[i], owner, device))
                        f->options.send(f->options.userdata, f->all[i].tag, line);
        free(line);
}
