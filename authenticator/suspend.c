/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * A delay inhibitor is a descriptor: logind waits until it is closed. A new one is taken after each
 * sleep. Every call is asynchronous, for the loop waits for nobody.
 */

#include "authenticator/suspend.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>
#include <unistd.h>

#include "authenticator/util.h"

#define LOGIND_NAME      "org.freedesktop.login1"
#define LOGIND_PATH      "/org/freedesktop/login1"
#define LOGIND_INTERFACE "org.freedesktop.login1.Manager"

struct suspend {
        struct suspend_options options;
        struct bus_listener listener;
        int inhibitor;  /* -1: none */
        bool announced; /* a sleep that is not over */
};

static void note(const struct suspend *s, const char *what, const char *why) {
        log_write(s->options.log, LOG_DEBUG, NULL, "%s: %s", what, why);
}

static int on_inhibited(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        struct suspend *s = userdata;
        int fd, r;

        (void)error;
        if (sd_bus_message_is_method_error(m, NULL)) {
                note(s, "logind lets no sleep be delayed", sd_bus_message_get_error(m)->message);
                return 0;
        }
        r = sd_bus_message_read(m, "h", &fd);
        if (r < 0) {
                note(s, "logind's answer is not understood", strerror(-r));
                return 0;
        }
        close_fd(s->inhibitor);
        s->inhibitor = fcntl(fd, F_DUPFD_CLOEXEC, 3);
        return 0;
}

static void inhibit(struct suspend *s, sd_bus *connection) {
        int r = sd_bus_call_method_async(connection, NULL, LOGIND_NAME, LOGIND_PATH,
                                         LOGIND_INTERFACE, "Inhibit", on_inhibited, s, "ssss",
                                         "sleep", "tpmauthn", "The TPM is let go before it sleeps",
                                         "delay");

        if (r < 0)
                note(s, "logind was not asked to delay sleep", strerror(-r));
}

static int on_prepare(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        struct suspend *s = userdata;
        int begins, r = sd_bus_message_read(m, "b", &begins);

        (void)error;
        if (r < 0) {
                note(s, "logind's signal is not understood", strerror(-r));
                return 0;
        }
        s->announced = begins;
        if (begins)
                s->options.on_sleep(s->options.userdata);
        else
                inhibit(s, sd_bus_message_get_bus(m));
        return 0;
}

/* A logind that comes later, or anew, knows nothing of an inhibitor. */
static int on_owner(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        struct suspend *s = userdata;

        (void)error;
        s->announced = false;
        if (bus_new_owner(m))
                inhibit(s, sd_bus_message_get_bus(m));
        return 0;
}

static void on_up(void *userdata, sd_bus *connection) {
        struct suspend *s = userdata;
        int r = sd_bus_match_signal_async(connection, NULL, LOGIND_NAME, LOGIND_PATH,
                                          LOGIND_INTERFACE, "PrepareForSleep", on_prepare, NULL, s);

        if (r >= 0)
                r = bus_watch_name(connection, LOGIND_NAME, on_owner, s);
        if (r < 0)
                note(s, "sleep will not be heard of", strerror(-r));
        else
                inhibit(s, connection);
}

/* Who held the sleep up for us, or announced it, is not there any more. */
static void on_down(void *userdata) {
        struct suspend *s = userdata;

        s->inhibitor = close_fd(s->inhibitor);
        s->announced = false;
}

int suspend_new(const struct suspend_options *options, struct suspend **ret) {
        struct suspend *s = calloc(1, sizeof(*s));

        if (!s)
                return -ENOMEM;
        s->options = *options;
        s->inhibitor = -1;
        s->listener = (struct bus_listener){ .on_up = on_up, .on_down = on_down, .userdata = s };
        bus_listen(options->bus, &s->listener);
        *ret = s;
        return 0;
}

struct suspend *suspend_free(struct suspend *s) {
        if (!s)
                return NULL;
        close_fd(s->inhibitor);
        free(s);
        return NULL;
}

void suspend_allow(struct suspend *s) {
        if (s->announced)
                s->inhibitor = close_fd(s->inhibitor);
}
