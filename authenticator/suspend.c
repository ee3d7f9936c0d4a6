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
#include <systemd/sd-bus.h>
#include <unistd.h>

#include "authenticator/util.h"

#define LOGIND_NAME      "org.freedesktop.login1"
#define LOGIND_PATH      "/org/freedesktop/login1"
#define LOGIND_INTERFACE "org.freedesktop.login1.Manager"

struct suspend {
        struct suspend_options options;
        sd_bus *bus;
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

static void inhibit(struct suspend *s) {
        int r = sd_bus_call_method_async(s->bus, NULL, LOGIND_NAME, LOGIND_PATH, LOGIND_INTERFACE,
                                         "Inhibit", on_inhibited, s, "ssss", "sleep", "tpmauthn",
                                         "The TPM is let go before it sleeps", "delay");

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
                inhibit(s);
        return 0;
}

static int connect_bus(struct suspend *s) {
        int r = sd_bus_open_system(&s->bus);

        if (r >= 0)
                r = sd_bus_attach_event(s->bus, s->options.event, SD_EVENT_PRIORITY_NORMAL);
        if (r >= 0)
                r = sd_bus_match_signal_async(s->bus, NULL, LOGIND_NAME, LOGIND_PATH,
                                              LOGIND_INTERFACE, "PrepareForSleep", on_prepare, NULL,
                                              s);
        if (r >= 0)
                inhibit(s);
        return r;
}

int suspend_new(const struct suspend_options *options, struct suspend **ret) {
        struct suspend *s = calloc(1, sizeof(*s));
        int r;

        if (!s)
                return -ENOMEM;
        s->options = *options;
        s->inhibitor = -1;
        r = connect_bus(s);
        if (r < 0)
                note(s, "there is no system bus to hear of sleep from", strerror(-r));
        *ret = s;
        return 0;
}

struct suspend *suspend_free(struct suspend *s) {
        if (!s)
                return NULL;
        sd_bus_close_unref(s->bus);
        close_fd(s->inhibitor);
        free(s);
        return NULL;
}

void suspend_allow(struct suspend *s) {
        if (s->announced)
                s->inhibitor = close_fd(s->inhibitor);
}
