/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* Listening Unix sockets at a path. */

#include <stdbool.h>
#include <systemd/sd-event.h>

#include "ctap/macro.h"

struct ucred;

/*
 * A non-blocking listener of `type` (SOCK_STREAM or SOCK_SEQPACKET) with these permissions. A
 * socket left over by a process that is gone is replaced. -EADDRINUSE: somebody listens there, or
 * the path is not a socket; -ENAMETOOLONG.
 */
_must_check_ int socket_listen(const char *path, int type, unsigned mode, int *ret_fd);

/* Embedded in whoever listens, {0} at first; its functions are set before it is started. */
struct socket_listener {
        /* Somebody connected, by a non-blocking socket; who wants to keep that takes it. */
        void (*on_client)(void *userdata, const struct ucred *peer, int *fd);
        void *userdata;

        /* The listener's own. */
        char *path;
        int fd;
        sd_event_source *io;
};

/* As socket_listen(), and open to all, because it is SO_PEERCRED that decides. */
_must_check_ int socket_listener_start(struct socket_listener *l, sd_event *event, const char *path,
                                       int type);
/* Removes the path too. One that was not started, or could not be, is fine. */
void socket_listener_stop(struct socket_listener *l);

/* The other end is closed, whatever of it has not been read yet. */
bool socket_is_hung_up(int fd);
