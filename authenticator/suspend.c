/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * A delay inhibitor is a descriptor: logind waits until it is closed. A new one is taken after each
 * sleep. Every call is asynchronous, for the loop waits for nobody. Any program on the bus can send us a
 * signal that looks like logind's: what counts is one of who answered our call for an inhibitor.
 */

#include "authenticator/suspend.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>
#include <unistd.h>

#include "authenticator/util.h"

#define LOGIND_NAME      "org.freedesktop.login1"
#define LOGIND_PATH      "/org/freedesktop/login1"
#define LOGIND_INTERFACE "org.freedesktop.login1.Manager"
#define SENDER_MAX_BYTES 255

struct suspend {
        struct suspend_options options;
        struct bus_listener listener;
        struct bus_watch watch;
        sd_bus_slot *call;                 /* for an inhibitor; there is one at a time */
        char logind[SENDER_MAX_BYTES + 1]; /* its own name on the bus, from its answer; or "" */
        int inhibitor;                     /* -1: none */
        bool announced;                    /* a sleep that is not over */
};

static void note(const struct suspend *s, const char *what, const char *why) {
        log_write(s->options.log, LOG_DEBUG, NULL, "%s: %s", what, why);
}

static int on_inhibited(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        const char *sender = sd_bus_message_get_sender(m);
        struct suspend *s = userdata;
        int fd, r;

        (void)error;
        s->call = sd_bus_slot_unref(s->call);
        snprintf(s->logind, sizeof(s->logind), "%s", sender ? sender : "");
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
        int r;

        if (s->call)
                return;
        r = sd_bus_call_method_async(connection, &s->call, LOGIND_NAME, LOGIND_PATH,
                                     LOGIND_INTERFACE, "Inhibit", on_inhibited, s, "ssss", "sleep",
                                     "tpmauthn", "The TPM is let go before it sleeps", "delay");

        if (r < 0)
                note(s, "logind was not asked to delay sleep", strerror(-r));
}

static int on_prepare(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        const char *sender = sd_bus_message_get_sender(m);
        struct suspend *s = userdata;
        int begins, r;

        (void)error;
        if (!sender || strcmp(sender, s->logind) != 0)
                return 0;
        r = sd_bus_message_read(m, "b", &begins);
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

static void forget_logind(struct suspend *s) {
        s->call = sd_bus_slot_unref(s->call);
        s->logind[0] = '\0';
        s->announced = false;
}

/* A logind that comes later, or anew, knows nothing of an inhibitor. */
static void on_owner(void *userdata, sd_bus *connection, bool is_there) {
        struct suspend *s = userdata;

        forget_logind(s);
        if (is_there)
                inhibit(s, connection);
}

static void on_up(void *userdata, sd_bus *connection) {
        struct suspend *s = userdata;
        int r = sd_bus_match_signal_async(connection, NULL, LOGIND_NAME, LOGIND_PATH,
                                          LOGIND_INTERFACE, "PrepareForSleep", on_prepare, NULL, s);

        if (r >= 0)
                r = bus_watch_name(connection, LOGIND_NAME, &s->watch);
        if (r < 0)
                note(s, "sleep will not be heard of", strerror(-r));
        else
                inhibit(s, connection);
}

/* Who held the sleep up for us, or announced it, is not there any more. */
static void on_down(void *userdata) {
        struct suspend *s = userdata;

        s->inhibitor = close_fd(s->inhibitor);
        forget_logind(s);
}

int suspend_new(const struct suspend_options *options, struct suspend **ret) {
        struct suspend *s = calloc(1, sizeof(*s));

        if (!s)
                return -ENOMEM;
        s->options = *options;
        s->inhibitor = -1;
        s->watch = (struct bus_watch){ .on_owner = on_owner, .userdata = s };
        s->listener = (struct bus_listener){ .on_up = on_up, .on_down = on_down, .userdata = s };
        bus_listen(options->bus, &s->listener);
        *ret = s;
        return 0;
}

struct suspend *suspend_free(struct suspend *s) {
        if (!s)
                return NULL;
        sd_bus_slot_unref(s->call);
        close_fd(s->inhibitor);
        free(s);
        return NULL;
}

void suspend_allow(struct suspend *s) {
        if (s->announced)
                s->inhibitor = close_fd(s->inhibitor);
}
