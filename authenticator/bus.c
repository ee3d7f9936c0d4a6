/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * A connection that ends says so by a signal of its own (Disconnected), from within which it must not
 * be freed: the timer that tries the next one does that first.
 */

#include "authenticator/bus.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>
#include <time.h>

#include "authenticator/env.h"

#define RETRY_MIN_MS   500
#define RETRY_MAX_MS   60000
#define ACCURACY_US    100000
#define LOCAL          "org.freedesktop.DBus.Local"
#define LOCAL_PATH     "/org/freedesktop/DBus/Local"
#define DRIVER         "org.freedesktop.DBus"
#define NAME_MAX_BYTES 255

struct bus {
        struct bus_options options;
        sd_event_source *retry;
        uint64_t retry_ms;
        sd_bus *connection; /* may have ended, until the next is tried */
        bool up;
        uint64_t since;
        struct bus_listener *listeners;
};

/* Connections that end as soon as they are made are tried more and more rarely too. */
static void retry_later(struct bus *b) {
        uint64_t ms = b->retry_ms;
        int r = sd_event_source_set_time(b->retry, (env_now_ms() + ms) * 1000);

        b->retry_ms = ms * 2 < RETRY_MAX_MS ? ms * 2 : RETRY_MAX_MS;
        if (r >= 0)
                r = sd_event_source_set_enabled(b->retry, SD_EVENT_ONESHOT);
        if (r < 0)
                log_write(b->options.log, LOG_ERR, NULL, "the system bus is given up: %s",
                          strerror(-r));
}

static int on_disconnected(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        struct bus *b = userdata;

        (void)m;
        (void)error;
        b->up = false;
        if (env_now_ms() - b->since > RETRY_MAX_MS)
                b->retry_ms = RETRY_MIN_MS;
        log_write(b->options.log, LOG_DEBUG, NULL, "the connection to the system bus ended");
        for (struct bus_listener *l = b->listeners; l; l = l->next)
                l->on_down(l->userdata);
        retry_later(b);
        return 0;
}

static void drop_connection(struct bus *b) {
        b->up = false;
        b->connection = sd_bus_close_unref(b->connection);
}

static void try_connection(struct bus *b) {
        int r;

        drop_connection(b);
        r = sd_bus_open_system_with_description(&b->connection, "tpmauthnd");
        if (r >= 0)
                r = sd_bus_match_signal_async(b->connection, NULL, LOCAL, LOCAL_PATH, LOCAL,
                                              "Disconnected", on_disconnected, NULL, b);
        if (r >= 0)
                r = sd_bus_attach_event(b->connection, b->options.event, SD_EVENT_PRIORITY_NORMAL);
        if (r < 0) {
                log_write(b->options.log, LOG_DEBUG, NULL, "there is no system bus: %s",
                          strerror(-r));
                drop_connection(b);
                retry_later(b);
                return;
        }
        b->up = true;
        b->since = env_now_ms();
        for (struct bus_listener *l = b->listeners; l; l = l->next)
                l->on_up(l->userdata, b->connection);
}

static int on_retry(sd_event_source *source, uint64_t usec, void *userdata) {
        (void)source;
        (void)usec;
        try_connection(userdata);
        return 0;
}

int bus_new(const struct bus_options *options, struct bus **ret) {
        struct bus *b = calloc(1, sizeof(*b));
        int r;

        if (!b)
                return -ENOMEM;
        b->options = *options;
        b->retry_ms = RETRY_MIN_MS;
        r = sd_event_add_time(options->event, &b->retry, CLOCK_BOOTTIME, 0, ACCURACY_US, on_retry,
                              b);
        if (r >= 0)
                r = sd_event_source_set_enabled(b->retry, SD_EVENT_OFF);
        if (r < 0) {
                bus_free(b);
                return r;
        }
        try_connection(b);
        *ret = b;
        return 0;
}

struct bus *bus_free(struct bus *b) {
        if (!b)
                return NULL;
        drop_connection(b);
        sd_event_source_disable_unref(b->retry);
        free(b);
        return NULL;
}

void bus_listen(struct bus *b, struct bus_listener *listener) {
        listener->next = b->listeners;
        b->listeners = listener;
        if (b->up)
                listener->on_up(listener->userdata, b->connection);
}

sd_bus *bus_connection(const struct bus *b) {
        return b->up ? b->connection : NULL;
}

/*
 * A match that names the sender does not keep out what another program sends to this connection alone:
 * only the bus itself is believed.
 */
static int on_owner(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        const struct bus_watch *watch = userdata;
        const char *sender = sd_bus_message_get_sender(m), *name, *before, *now;

        (void)error;
        if (!sender || strcmp(sender, DRIVER) != 0)
                return 0;
        if (sd_bus_message_read(m, "sss", &name, &before, &now) < 0)
                now = "";
        watch->on_owner(watch->userdata, sd_bus_message_get_bus(m), *now != '\0');
        return 0;
}

int bus_watch_name(sd_bus *connection, const char *name, struct bus_watch *watch) {
        char match[160 + NAME_MAX_BYTES];

        snprintf(match, sizeof(match),
                 "type='signal',sender='" DRIVER "',path='/org/freedesktop/DBus',interface='" DRIVER
                 "',member='NameOwnerChanged',arg0='%s'",
                 name);
        return sd_bus_add_match_async(connection, NULL, match, on_owner, NULL, watch);
}
