/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/*
 * The agent's end of the socket (authenticator/agent-protocol.h): it is connected when there is a
 * daemon, and otherwise tried again, quietly and less and less often. All calls come back at once;
 * what the daemon says arrives through the handlers.
 */

#include <jansson.h>
#include <systemd/sd-event.h>

#include "ctap/macro.h"

/* Between two tries, the longest; the first of them comes after a tenth of a second. */
#define CONNECTION_RETRY_MAX_MS 3000

struct connection;

struct connection_handlers {
        /* Any packet with a type. Borrowed. */
        void (*packet)(void *userdata, const char *type, const json_t *packet);
        /* There is no daemon any more. */
        void (*lost)(void *userdata);
};

/* `hello` is sent first on every connection; borrowed reference. `path` is copied. */
_must_check_ int connection_new(sd_event *event, const char *path, json_t *hello,
                                const struct connection_handlers *handlers, void *userdata,
                                struct connection **ret);
struct connection *connection_free(struct connection *c);

/*
 * Takes the packet (NULL: there was no memory for it). What cannot be sent ends the connection, and
 * the handler is told later: a daemon that reads nothing hangs, and one that is gone needs no answer.
 */
void connection_send(struct connection *c, json_t *packet);
