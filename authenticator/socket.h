/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* Listening Unix sockets at a path. */

#include <stdbool.h>

#include "ctap/macro.h"

/* Of one wake-up of a listener, so that other sources get their turn. */
#define SOCKET_ACCEPTS_MAX 32

struct ucred;

/*
 * A non-blocking listener of `type` (SOCK_STREAM or SOCK_SEQPACKET) with these permissions. A
 * socket left over by a process that is gone is replaced. -EADDRINUSE: somebody listens there, or
 * the path is not a socket; -ENAMETOOLONG.
 */
_must_check_ int socket_listen(const char *path, int type, unsigned mode, int *ret_fd);
/* The next that connected, non-blocking, and who it is. -EAGAIN: there is none. */
_must_check_ int socket_accept(int listener, struct ucred *ret_peer, int *ret_fd);
/* The other end is closed, whatever of it has not been read yet. */
bool socket_is_hung_up(int fd);
