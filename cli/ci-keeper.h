/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/*
 * The process that keeps a run: it starts the daemon and the command, is where their orphans go, and
 * ends them all, also when the front is gone. It goes through the run in a straight line, and wherever it
 * has to wait, it waits for everything at once.
 */

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "cli/ci-folder.h"
#include "cli/ci.h"

/* What the front tells. */
struct ci_signal {
        int32_t number;
        int32_t from_terminal; /* the command has got it too, if it was there */
};

struct keeper {
        const struct ci_options *options;
        struct ci_folder *folder;
        const sigset_t *mask; /* of who started all this: what others are given */
        pid_t group;          /* likewise */
        int front;            /* hangs up when the front ends */
        int signals;
        int notify;     /* where the daemon says that it is ready, or -1 */
        int kept;       /* the folder that stays, locked; -1: none does */
        pid_t daemon;   /* -1: there was none yet; 0: it has ended */
        pid_t child;    /* likewise: a helper of ours, or the command */
        pid_t recorder; /* likewise */
        bool child_is_command;
        int child_status; /* as of waitpid(), when it has ended */
        int stop;         /* the signal that ends the run, or 0 */
        bool ready;
};

enum keeper_event {
        KEEPER_TIMEOUT,
        KEEPER_STOPPED,
        KEEPER_DAEMON_ENDED,
        KEEPER_CHILD_ENDED,
        KEEPER_READY, /* the daemon has said so; once */
};

/* Waits for one of these things, for at most so long; below 0: without a limit. */
enum keeper_event keeper_wait(struct keeper *k, int ms);

/* Notes who has ended, without waiting. `userdata` is the keeper. */
void keeper_reap(void *userdata);

/*
 * Forks a child that ends when this process does, with the signals as they were when all began. 0 in the
 * child; -1, after printing why, if there is none.
 */
pid_t keeper_fork(const struct keeper *k);

/*
 * In the process that the front forked: the whole run. `heard` are signals, which are blocked. Its exit
 * status, which is the run's.
 */
int keeper_main(const struct ci_options *o, int front, const sigset_t *heard, const sigset_t *mask);
