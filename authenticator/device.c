/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Both kinds are a set of struct uhid: the kernel's device is the only member of its set, the
 * socket's connections come and go. Members are freed when no callback runs, so that an answer sent
 * from within on_report may lose a client safely.
 */

#include "authenticator/device.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "authenticator/socket.h"
#include "authenticator/util.h"

#define READS_PER_WAKE_UP 256 /* more than the kernel queues; other sources get their turn */

struct port {
        struct device *device;
        struct uhid *uhid;
        sd_event_source *io;
        bool gone;
};

struct device {
        struct device_options options;
        char *path;
        bool is_socket;
        int listener;
        sd_event_source *listener_io;
        struct port ports[DEVICE_CONNECTIONS_MAX];
        bool in_callback;
};

static void port_close(struct port *p) {
        p->io = sd_event_source_disable_unref(p->io);
        p->uhid = uhid_free(p->uhid);
        p->gone = false;
}

/* Closes what is marked as gone, and tells if that was the last. */
static void reap(struct device *d) {
        unsigned n_gone = 0, n_left = 0;

        for (size_t i = 0; i < ELEMENTSOF(d->ports); i++) {
                struct port *p = &d->ports[i];

                if (p->uhid && p->gone) {
                        port_close(p);
                        n_gone++;
                }
                n_left += p->uhid != NULL;
        }
        if (n_gone == 0 || n_left > 0)
                return;
        if (d->is_socket)
                d->options.on_closed(d->options.userdata);
        else
                d->options.on_gone(d->options.userdata);
}

/* False: there is no more to read now. */
static bool read_one(struct port *p) {
        const struct device_options *o = &p->device->options;
        struct uhid_event_in event;
        int r = uhid_receive(p->uhid, &event);

        if (r == -EAGAIN)
                return false;
        if (r < 0) {
                p->gone = true;
                return false;
        }

        switch (event.type) {
        case UHID_REPORT:
                o->on_report(o->userdata, event.report);
                break;
        case UHID_CLOSED:
                o->on_closed(o->userdata);
                break;
        case UHID_GONE:
                p->gone = true;
                break;
        case UHID_NOTHING:
        case UHID_OPENED:
                break;
        }
        return !p->gone;
}

static int on_readable(sd_event_source *source, int fd, uint32_t events, void *userdata) {
        struct port *p = userdata;
        struct device *d = p->device;

        (void)source;
        (void)fd;
        (void)events;
        d->in_callback = true;
        for (unsigned i = 0; i < READS_PER_WAKE_UP && read_one(p); i++)
                ;
        d->in_callback = false;
        reap(d);
        return 0;
}

void device_send(struct device *d, const uint8_t report[static UHID_REPORT_SIZE]) {
        for (size_t i = 0; i < ELEMENTSOF(d->ports); i++) {
                struct port *p = &d->ports[i];

                /* The kernel takes every report; a socket that is full belongs to a dead client. */
                if (p->uhid && !p->gone && uhid_send(p->uhid, report) < 0)
                        p->gone = true;
        }
        if (!d->in_callback)
                reap(d);
}

static int port_open(struct device *d, struct port *p, struct uhid *u) {
        int r;

        p->device = d;
        p->uhid = u;
        r = sd_event_add_io(d->options.event, &p->io, uhid_fd(u), EPOLLIN, on_readable, p);
        if (r < 0)
                port_close(p);
        return r;
}

static int on_connection(sd_event_source *source, int listener, uint32_t events, void *userdata) {
        _cleanup_(close_fd_pointer) int fd =
                accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
        struct device *d = userdata;
        struct uhid *u;

        (void)source;
        (void)events;
        if (fd < 0)
                return 0;
        for (size_t i = 0; i < ELEMENTSOF(d->ports); i++)
                if (!d->ports[i].uhid) {
                        /* Out of memory: the client sees its connection closed. */
                        if (uhid_new_socket(take_fd(&fd), &u) == 0)
                                (void)!port_open(d, &d->ports[i], u);
                        return 0;
                }
        return 0;
}

static int open_socket(struct device *d, const char *path) {
        const char *of = d->options.of;
        int r;

        if (d->options.index > 0)
                r = asprintf(&d->path, "%s%s%s.%u", path, of ? "." : "", of ? of : "",
                             d->options.index);
        else
                r = asprintf(&d->path, "%s%s%s", path, of ? "." : "", of ? of : "");
        if (r < 0) {
                d->path = NULL;
                return -ENOMEM;
        }

        d->is_socket = true;
        r = socket_listen(d->path, SOCK_SEQPACKET, 0600, &d->listener);
        if (r < 0)
                return r;
        r = sd_event_add_io(d->options.event, &d->listener_io, d->listener, EPOLLIN, on_connection,
                            d);
        /* After clients that hung up: their places are free then. */
        return r < 0 ? r : sd_event_source_set_priority(d->listener_io, SD_EVENT_PRIORITY_IDLE);
}

static int open_uhid(struct device *d, const char *path) {
        struct uhid *u;
        int r;

        d->path = strdup(path);
        if (!d->path)
                return -ENOMEM;
        r = uhid_open(d->path, &d->options.identity, &u);
        return r < 0 ? r : port_open(d, &d->ports[0], u);
}

static int open_spec(struct device *d) {
        const char *spec = d->options.spec, *colon = strchr(spec, ':');

        if (strncmp(spec, "socket:", 7) == 0)
                return open_socket(d, colon + 1);
        return open_uhid(d, colon ? colon + 1 : "/dev/uhid");
}

static void explain(const struct device *d, int error, struct buf *reason) {
        const char *path = d->path ? d->path : d->options.spec;
        char text[512];

        if (!d->is_socket && error == -ENOENT)
                snprintf(text, sizeof(text),
                         "%s does not exist. Load the kernel's module (modprobe uhid), or set "
                         "[device] device = socket:/PATH where the kernel has none; then: tpmauthn "
                         "replug.",
                         path);
        else if (!d->is_socket && (error == -EACCES || error == -EPERM))
                snprintf(text, sizeof(text),
                         "%s may not be opened by this account. It needs read and write access to "
                         "it; then: tpmauthn replug. See: tpmauthn doctor.",
                         path);
        else if (d->is_socket && error == -EADDRINUSE)
                snprintf(text, sizeof(text),
                         "Somebody listens on %s already, or it is no socket. Is another tpmauthnd "
                         "running?",
                         path);
        else
                snprintf(text, sizeof(text), "The device %s could not be created: %s.", path,
                         strerror(-error));
        buf_put(reason, BYTES_TEXT(text));
}

int device_new(const struct device_options *options, struct device **ret, struct buf *reason) {
        struct device *d = calloc(1, sizeof(*d));
        int r;

        if (!d)
                return -ENOMEM;
        d->options = *options;
        d->listener = -1;

        r = open_spec(d);
        if (r < 0) {
                explain(d, r, reason);
                device_free(d);
                return r;
        }
        *ret = d;
        return 0;
}

struct device *device_free(struct device *d) {
        if (!d)
                return NULL;
        for (size_t i = 0; i < ELEMENTSOF(d->ports); i++)
                port_close(&d->ports[i]);
        sd_event_source_disable_unref(d->listener_io);
        /* Only what this device bound itself is its own to remove. */
        if (d->listener >= 0)
                unlink(d->path);
        close_fd(d->listener);
        free(d->path);
        free(d);
        return NULL;
}

const char *device_path(const struct device *d) {
        return d->path;
}
