/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * One timer and one descriptor. The pause between two tries grows until a connection has lasted, so
 * that a daemon that takes an agent and drops it again, as it does with all but the newest one of a
 * session, is not asked over and over.
 */

#include "agent/connection.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "authenticator/agent-protocol.h"

#define RETRY_FIRST_MS 100
#define LASTING_MS     10000
#define CONNECT_S      1

struct connection {
        sd_event *event;
        struct sockaddr_un address;
        json_t *hello;
        const struct connection_handlers *handlers;
        void *userdata;

        int fd; /* -1: not connected */
        sd_event_source *io;
        sd_event_source *timer; /* until the next try */
        uint64_t pause_ms, connected_at_us;
};

static void schedule(struct connection *c, uint64_t ms) {
        (void)!sd_event_source_set_time_relative(c->timer, ms * 1000);
        (void)!sd_event_source_set_enabled(c->timer, SD_EVENT_ONESHOT);
}

static uint64_t now_us(const struct connection *c) {
        uint64_t now = 0;

        (void)!sd_event_now(c->event, CLOCK_MONOTONIC, &now);
        return now;
}

static void close_socket(struct connection *c) {
        c->io = sd_event_source_disable_unref(c->io);
        if (c->fd >= 0)
                close(c->fd);
        c->fd = -1;
}

static void try_later(struct connection *c) {
        schedule(c, c->pause_ms);
        c->pause_ms *= 2;
        if (c->pause_ms > CONNECTION_RETRY_MAX_MS)
                c->pause_ms = CONNECTION_RETRY_MAX_MS;
}

static void lose(struct connection *c) {
        close_socket(c);
        if (now_us(c) - c->connected_at_us >= LASTING_MS * 1000)
                c->pause_ms = RETRY_FIRST_MS;
        try_later(c);
        c->handlers->lost(c->userdata);
}

/* A packet is whole or it is not there. False: the connection is of no use. */
static bool send_packet(int fd, const json_t *packet) {
        char text[AGENT_PACKET_MAX];
        size_t n = json_dumpb(packet, text, sizeof(text), JSON_COMPACT);
        ssize_t sent = -1;

        if (n > 0 && n <= sizeof(text))
                do
                        sent = send(fd, text, n, MSG_NOSIGNAL | MSG_DONTWAIT);
                while (sent < 0 && errno == EINTR);
        /* It may have held a PIN. */
        explicit_bzero(text, sizeof(text));
        return sent >= 0;
}

void connection_send(struct connection *c, json_t *packet) {
        /* Seen by the loop as the end of what is read. */
        if (c->fd >= 0 && (!packet || !send_packet(c->fd, packet)))
                shutdown(c->fd, SHUT_RDWR);
        json_decref(packet);
}

/* False: it is none. */
static bool take_packet(struct connection *c, const char *text, size_t n) {
        json_t *packet = json_loadb(text, n, JSON_REJECT_DUPLICATES, NULL);
        const char *type = json_string_value(json_object_get(packet, "type"));

        if (type)
                c->handlers->packet(c->userdata, type, packet);
        json_decref(packet);
        return type;
}

static int on_readable(_unused_ sd_event_source *s, int fd, _unused_ uint32_t revents,
                       void *userdata) {
        struct connection *c = userdata;
        char text[AGENT_PACKET_MAX];
        ssize_t n = recv(fd, text, sizeof(text), MSG_TRUNC | MSG_DONTWAIT);

        if (n < 0 && (errno == EAGAIN || errno == EINTR))
                return 0;
        if (n <= 0 || (size_t)n > sizeof(text) || !take_packet(c, text, (size_t)n))
                lose(c);
        return 0;
}

/*
 * Any process may fill the queue of those who connect. Who waits in front of it is let in by turns, and
 * who comes back later only by chance. Nothing is being shown meanwhile that could stand still.
 */
static bool open_socket(struct connection *c) {
        const struct timeval patience = { .tv_sec = CONNECT_S };

        c->fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
        return c->fd >= 0 &&
               setsockopt(c->fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience)) == 0 &&
               connect(c->fd, (const struct sockaddr *)&c->address, sizeof(c->address)) == 0 &&
               send_packet(c->fd, c->hello) &&
               sd_event_add_io(c->event, &c->io, c->fd, EPOLLIN, on_readable, c) >= 0;
}

static int on_time(_unused_ sd_event_source *s, _unused_ uint64_t usec, void *userdata) {
        struct connection *c = userdata;

        if (open_socket(c)) {
                c->connected_at_us = now_us(c);
                return 0;
        }
        close_socket(c);
        try_later(c);
        return 0;
}

int connection_new(sd_event *event, const char *path, json_t *hello,
                   const struct connection_handlers *handlers, void *userdata,
                   struct connection **ret) {
        struct connection *c;
        int r;

        if (strlen(path) >= sizeof(c->address.sun_path))
                return -ENAMETOOLONG;
        c = calloc(1, sizeof(*c));
        if (!c)
                return -ENOMEM;

        c->event = sd_event_ref(event);
        c->address.sun_family = AF_UNIX;
        strcpy(c->address.sun_path, path);
        c->hello = json_incref(hello);
        c->handlers = handlers;
        c->userdata = userdata;
        c->fd = -1;
        c->pause_ms = RETRY_FIRST_MS;
        r = sd_event_add_time_relative(event, &c->timer, CLOCK_MONOTONIC, 0, 0, on_time, c);
        if (r < 0) {
                connection_free(c);
                return r;
        }

        *ret = c;
        return 0;
}

struct connection *connection_free(struct connection *c) {
        if (!c)
                return NULL;
        close_socket(c);
        sd_event_source_disable_unref(c->timer);
        sd_event_unref(c->event);
        json_decref(c->hello);
        free(c);
        return NULL;
}
