/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* The processes that descend from this one. As a subreaper it is where those of them go that lose their parent. */

#include <sys/types.h>

/* Milliseconds of a clock that goes on while the machine sleeps. */
long ci_now(void);

/*
 * Ends all that descend from this process, but not those two (or 0) and their own: asks them by SIGTERM, and
 * two seconds later does not ask. `reap` waits, without blocking, for children that have ended. How many
 * could not be ended; they are named on standard error.
 */
unsigned ci_tree_end(const pid_t spare[static 2], void (*reap)(void *userdata), void *userdata);
