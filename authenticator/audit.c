/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * journald's native protocol: a datagram with lines NAME=value. libsystemd would wait in sendmsg()
 * while journald's queue is full, which any account can fill; here that must stop no device and hide no
 * event. So a datagram that is not taken waits, in a ring, and is tried again a few times a second for as
 * long as there is one. A socket that is not connected finds a journald that was started anew.
 */

#include "authenticator/audit.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#include "authenticator/util.h"

#define JOURNALD_SOCKET "/run/systemd/journal/socket"
#define WAITING_MAX     64
#define RETRY_US        (250 * 1000)

struct datagram {
        size_t len;
        uint8_t data[AUDIT_TEXT_MAX];
};

struct audit {
        struct audit_options options;
        struct sockaddr_un to;
        int fd; /* -1: the log gets them */
        sd_event_source *retry;
        bool failing;  /* the log was told */
        uint64_t lost; /* since one was taken that says so */
        size_t n, first;
        struct datagram waiting[WAITING_MAX]; /* a ring */
};

/* ---- the socket ---- */

static int send_one(const struct audit *a, const struct datagram *d) {
        ssize_t n = sendto(a->fd, d->data, d->len, MSG_DONTWAIT | MSG_NOSIGNAL,
                           (const struct sockaddr *)&a->to, sizeof(a->to));

        return n < 0 ? -errno : 0;
}

static void note_failure(struct audit *a, int error) {
        if (!a->failing)
                log_write(a->options.log, LOG_WARNING, NULL,
                          "%s takes no audit events for now (%s); up to %d of them wait",
                          a->to.sun_path, strerror(-error), WAITING_MAX);
        a->failing = true;
}

static void note_success(struct audit *a) {
        if (a->failing)
                log_write(a->options.log, LOG_NOTICE, NULL, "%s takes audit events again",
                          a->to.sun_path);
        a->failing = false;
}

/* Until there is none, or one is not taken. */
static void flush(struct audit *a) {
        while (a->n > 0) {
                int r = send_one(a, &a->waiting[a->first]);

                if (r < 0) {
                        note_failure(a, r);
                        break;
                }
                a->first = (a->first + 1) % WAITING_MAX;
                a->n--;
        }
        if (a->n == 0)
                note_success(a);
}

static void rearm(struct audit *a) {
        int r = sd_event_source_set_time_relative(a->retry, RETRY_US);

        if (r >= 0)
                r = sd_event_source_set_enabled(a->retry,
                                                a->n > 0 ? SD_EVENT_ONESHOT : SD_EVENT_OFF);
        if (r < 0)
                log_write(a->options.log, LOG_ERR, NULL, "the timer could not be set: %s",
                          strerror(-r));
}

static int on_retry(sd_event_source *source, uint64_t usec, void *userdata) {
        struct audit *a = userdata;

        (void)source;
        (void)usec;
        flush(a);
        rearm(a);
        return 0;
}

/* ---- one event ---- */

static int64_t now_us(void) {
        struct timespec t;

        clock_gettime(CLOCK_REALTIME, &t);
        return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

static void format(const struct audit *a, const struct audit_event *e, struct buf *out) {
        const struct audit_options *o = &a->options;
        const struct audit_format how = {
                .rp_ids = o->rp_ids,
                .session = e->has_user && o->session ? o->session(o->userdata, e->user) : NULL,
                .lost = a->lost,
                .time_us = now_us(),
        };

        audit_format(e, &how, out);
}

static void enqueue(struct audit *a, const struct audit_event *e) {
        struct datagram *d = &a->waiting[(a->first + a->n) % WAITING_MAX];
        struct buf out = BUF_ON(d->data);

        if (a->n == WAITING_MAX) {
                a->lost++;
                return;
        }
        format(a, e, &out);
        if (buf_error(&out) < 0) {
                a->lost++;
                return;
        }
        a->lost = 0;
        d->len = out.len;
        a->n++;
        flush(a);
        rearm(a);
}

/* One line, without what the log says by itself. */
static void write_to_log(const struct audit *a, const struct audit_event *e) {
        char text[AUDIT_TEXT_MAX];
        struct buf out = { (uint8_t *)text, 0, sizeof(text) - 1, false };
        const char *fields;

        format(a, e, &out);
        text[out.len] = '\0';
        fields = strstr(text, "FIDO_EVENT=");
        log_write(a->options.log, audit_priority(e->what), NULL, "audit: %s", fields);
}

void audit_write(struct audit *a, const struct audit_event *e) {
        if (!a || !audit_is_wanted(e->what, a->options.level))
                return;
        if (a->fd >= 0)
                enqueue(a, e);
        else
                write_to_log(a, e);
}

/* ---- life ---- */

static int open_socket(struct audit *a) {
        const char *path = *a->options.socket ? a->options.socket : JOURNALD_SOCKET;
        int r;

        if (!*a->options.socket && !a->options.log->to_journal)
                return 0;
        if (strlen(path) >= sizeof(a->to.sun_path))
                return -ENAMETOOLONG;
        a->to.sun_family = AF_UNIX;
        strcpy(a->to.sun_path, path);
        a->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        if (a->fd < 0)
                return -errno;
        r = sd_event_add_time_relative(a->options.event, &a->retry, CLOCK_MONOTONIC, RETRY_US, 0,
                                       on_retry, a);
        if (r >= 0)
                r = sd_event_source_set_enabled(a->retry, SD_EVENT_OFF);
        return r < 0 ? r : 0;
}

int audit_new(const struct audit_options *options, struct audit **ret) {
        struct audit *a = calloc(1, sizeof(*a));
        int r;

        if (!a)
                return -ENOMEM;
        a->options = *options;
        a->fd = -1;
        r = open_socket(a);
        if (r < 0) {
                audit_free(a);
                return r;
        }
        *ret = a;
        return 0;
}

struct audit *audit_free(struct audit *a) {
        if (!a)
                return NULL;
        if (a->fd >= 0)
                flush(a);
        if (a->n > 0 || a->lost > 0)
                log_write(a->options.log, LOG_WARNING, NULL,
                          "%zu audit events were not written, and %" PRIu64 " before them", a->n,
                          a->lost);
        sd_event_source_disable_unref(a->retry);
        close_fd(a->fd);
        free(a);
        return NULL;
}
