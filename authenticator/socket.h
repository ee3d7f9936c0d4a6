/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* Listening Unix sockets at a path. */

#include "ctap/macro.h"

/*
 * A non-blocking listener of `type` (SOCK_STREAM or SOCK_SEQPACKET) with these permissions. A
 * socket left over by a process that is gone is replaced. -EADDRINUSE: somebody listens there, or
 * the path is not a socket; -ENAMETOOLONG.
 */
_must_check_ int socket_listen(const char *path, int type, unsigned mode, int *ret_fd);
