/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/*
 * A private software TPM (swtpm) for one virtual device: a child process that speaks raw TPM
 * commands on a socketpair and keeps its state in a folder. It ends when this process does.
 */

#include "ctap/bytes.h"
#include "ctap/macro.h"

struct simulator;

/*
 * Starts it with its state in `folder`, which exists. On failure a negative errno, and what to do
 * in `reason`.
 */
_must_check_ int simulator_start(const char *folder, struct simulator **ret, struct buf *reason);
/* Ends it, waits for it, and frees. NULL is fine. Returns NULL. */
struct simulator *simulator_stop(struct simulator *s);

/* A stream socket for raw TPM commands; stays the simulator's. */
int simulator_fd(const struct simulator *s);
/* Becomes readable when the process has ended. */
int simulator_pidfd(const struct simulator *s);
