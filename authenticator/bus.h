/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/*
 * The daemon's one connection to the system bus, for whoever speaks to logind or fprintd. Without a bus
 * nobody hears anything; it is tried again and again, more and more rarely, also after a connection
 * ended. Nothing here waits: calls are made with sd_bus_call_async() and their like.
 */

#include <stdbool.h>
#include <systemd/sd-bus.h>
#include <systemd/sd-event.h>

#include "authenticator/log.h"
#include "ctap/macro.h"

struct bus;

struct bus_options {
        sd_event *event;
        const struct log *log;
};

/* 0 or -ENOMEM and the like. That there is no bus is no failure. */
_must_check_ int bus_new(const struct bus_options *options, struct bus **ret);
/* Comes before its listeners are freed; calls none of them. NULL is fine. Returns NULL. */
struct bus *bus_free(struct bus *b);

/* Embedded in who listens; it stays where it is for as long as the bus. */
struct bus_listener {
        /* A new connection: the place to add matches and to ask. Not kept beyond on_down(). */
        void (*on_up)(void *userdata, sd_bus *connection);
        /* It has ended. Whatever was asked over it has been answered with an error. */
        void (*on_down)(void *userdata);
        void *userdata;
        struct bus_listener *next; /* the bus's own */
};

/* Calls on_up() at once if there is a connection. */
void bus_listen(struct bus *b, struct bus_listener *listener);

/* The connection; NULL while there is none. */
sd_bus *bus_connection(const struct bus *b);

/* Embedded in who watches; it stays where it is for as long as the bus. */
struct bus_watch {
        /* The service came, went or was replaced: whether one is there now. */
        void (*on_owner)(void *userdata, sd_bus *connection, bool is_there);
        void *userdata;
};

/* For on_up(): from now on the watch hears of the service of this name. */
_must_check_ int bus_watch_name(sd_bus *connection, const char *name, struct bus_watch *watch);
