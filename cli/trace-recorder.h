/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/*
 * Follows the messages of simulators and writes them to files, of which each is whole at any time: for
 * Wireshark if its name ends in .pcapng, for people if it ends in .txt. It never waits; its caller polls.
 */

#include <stdbool.h>

#include "cli/cli.h"

struct trace_recorder;

/*
 * From now on the daemon tells it what is said: to the device of the options, or to all of them. Secrets
 * are zeros unless they are asked for. An enum exit_status; what is wrong is printed.
 */
int trace_recorder_open(const struct options *o, bool all, bool secrets,
                        struct trace_recorder **ret);
/* Has what a device says written to that file too, anew. Likewise. */
int trace_recorder_add(struct trace_recorder *r, unsigned device, const char *path);
/* The name says what kind of file it is. */
bool trace_recorder_knows(const char *path);

/* To poll for input, and what to do then. False: the daemon has nothing more to say. */
int trace_recorder_fd(const struct trace_recorder *r);
bool trace_recorder_read(struct trace_recorder *r);
/* Messages so far. */
unsigned long trace_recorder_count(const struct trace_recorder *r);

/* EXIT_OK if everything was written; else it is printed. NULL is fine. */
int trace_recorder_close(struct trace_recorder *r);
