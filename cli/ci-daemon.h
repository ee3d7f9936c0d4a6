/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* The daemon of a run: where its files are, how it starts and ends. */

#include "cli/ci-keeper.h"

#define CI_PATH_MAX 108 /* of a socket */

/* Below the folder of the run: the control socket, and where the daemon says that it is ready. */
void ci_notify_path(const struct keeper *k, char ret[static CI_PATH_MAX]);
void ci_control_path(const struct keeper *k, char ret[static CI_PATH_MAX]);
/* The socket of one device, where devices are sockets. */
void ci_device_path(const struct keeper *k, unsigned index, char ret[static CI_PATH_MAX]);

/*
 * The folder that stays, if one does: made, and locked for this run alone until the last process that inherits
 * it has ended. 0, or an exit status after printing why not.
 */
int ci_daemon_keep(struct keeper *k);
/* 0 when it runs, though it is not ready; else an exit status, after printing why. */
int ci_daemon_start(struct keeper *k);
/* Ends it in order, or else otherwise. */
void ci_daemon_stop(struct keeper *k);
/* Prints the last lines of its log, under a line that says so. */
void ci_daemon_print_log(const struct keeper *k);

/* Whether all devices are ready, and the PIN; in a process of its own. An exit status. */
int ci_set_up(const struct keeper *k);
/*
 * Writes what is said to the devices until the daemon ends; likewise. It says that it is ready as the
 * daemon does.
 */
int ci_record(const struct keeper *k);
