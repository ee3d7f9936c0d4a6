/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/*
 * Fingers, as fprintd sees them over the system bus: whether a reader knows one of a user's, and
 * whether the one that is put on it is one of them. The daemon asks, and not an agent, so that the word is
 * fprintd's alone; an agent only shows how it goes. Where there is no bus, no fprintd, no reader or no
 * finger, or where fprintd does not let us, nobody is offered one, and nothing is said above debug.
 *
 * A reader has one user at a time. Two bounds stand against who tries: FPRINT_TRIES fingers that do not
 * match end it for one question, and FPRINT_FAILED_MAX in a row, whatever the questions, until the right
 * PIN was given, or the daemon is restarted.
 */

#include <stdbool.h>
#include <sys/types.h>
#include <systemd/sd-event.h>

#include "authenticator/agent-message.h"
#include "authenticator/bus.h"
#include "authenticator/log.h"
#include "ctap/macro.h"

#define FPRINT_TRIES      3
#define FPRINT_FAILED_MAX 5

struct fprint;
struct fprint_user;

struct fprint_options {
        struct bus *bus; /* to be freed first */
        const struct log *log;
};

/* 0 or -ENOMEM. */
_must_check_ int fprint_new(const struct fprint_options *options, struct fprint **ret);
/* After its users. NULL is fine. Returns NULL. */
struct fprint *fprint_free(struct fprint *f);
/* The machine is about to sleep: readers are let go. */
void fprint_suspend(struct fprint *f);

struct fprint_user_options {
        const char *id; /* of the instance, for the log; borrowed */
        /* A finger can be given now, or cannot any more. */
        void (*on_available)(void *userdata, bool available);
        /* What became of a finger that was wanted. After MATCHED and HAS_GONE none is. */
        void (*on_finger)(void *userdata, enum agent_finger state);
        void *userdata;
};

/* It belongs to nobody yet, and has no finger. 0 or -ENOMEM. */
_must_check_ int fprint_user_new(struct fprint *f, const struct fprint_user_options *options,
                                 struct fprint_user **ret);
/* NULL is fine. Returns NULL. */
struct fprint_user *fprint_user_free(struct fprint_user *u);

/* Whose fingers they are, and whether that user can be asked now: in front, and not locked. */
void fprint_user_set(struct fprint_user *u, uid_t uid, bool usable);
/* As on_available said it last. */
bool fprint_user_is_available(const struct fprint_user *u);
/* Somebody may ask soon: looks what there is, unless that was done a moment ago. */
void fprint_user_look(struct fprint_user *u);
/* A question is up that a finger can answer (true), or is over. */
void fprint_user_want(struct fprint_user *u, bool wanted);
/* The right PIN was given: fingers that failed are forgotten. */
void fprint_user_forgive(struct fprint_user *u);
