/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/*
 * The daemon: an event loop with its devices, the control socket, signals and the service manager's
 * readiness and watchdog. It never waits for a TPM, a disk or a person.
 */

#include "authenticator/config.h"
#include "authenticator/log.h"
#include "ctap/macro.h"

struct daemon;

/* Borrows the config and the log. -EADDRINUSE: another daemon has the control socket. */
_must_check_ int daemon_new(const struct config *config, const struct log *log,
                            struct daemon **ret);
/*
 * Stops everything cleanly. NULL is fine. Returns NULL. A worker whose TPM does not answer is given
 * DAEMON_STOP_MS; then this ends the process, with exit status 1 and a message.
 */
#define DAEMON_STOP_MS 5000
struct daemon *daemon_free(struct daemon *d);

/* Until SIGTERM, SIGINT or SIGHUP. */
_must_check_ int daemon_run(struct daemon *d);
