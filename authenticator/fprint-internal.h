/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* What fprint.c (users, and what readers know of them) and fprint-claim.c (the reader in use) share. */

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <systemd/sd-bus.h>

#include "authenticator/fprint.h"

#define FPRINT_NAME          "net.reactivated.Fprint"
#define FPRINT_MANAGER_PATH  "/net/reactivated/Fprint/Manager"
#define FPRINT_MANAGER       "net.reactivated.Fprint.Manager"
#define FPRINT_DEVICE        "net.reactivated.Fprint.Device"
#define FPRINT_USER_NAME_MAX 256
#define FPRINT_PATH_MAX      128
#define FPRINT_READERS_MAX   4
#define FPRINT_BUS_NAME_MAX  256

struct fprint_user {
        struct fprint_user_options options;
        struct fprint *fprint;
        struct fprint_user *next;

        uid_t uid;
        bool usable;
        bool wanted;
        unsigned failed;          /* in a row */
        unsigned failed_question; /* of the question that is up */

        /* What was found when it was looked. */
        char name[FPRINT_USER_NAME_MAX];
        char reader[FPRINT_PATH_MAX]; /* empty: none knows a finger */
        bool available;               /* as was told */

        sd_bus_slot *looking; /* the call that is out; NULL: nobody looks */
        uint64_t looked_at;   /* 0: never */
        bool look_again;      /* what is being found is stale */
        char readers[FPRINT_READERS_MAX][FPRINT_PATH_MAX];
        size_t n_readers, n_asked;
};

/*
 * Of the reader: what was told it last. One call is out at a time, and only what answers it, or a
 * finger, goes on to the next state.
 */
enum fprint_claim_state {
        FPRINT_FREE,
        FPRINT_CLAIMING,
        FPRINT_STARTING,
        FPRINT_VERIFYING, /* no call is out */
        FPRINT_STOPPING,
        FPRINT_RELEASING,
};

struct fprint_claim {
        enum fprint_claim_state state;
        struct fprint_user *user; /* whose question it is for; NULL: to be given up */
        unsigned turn;            /* which question that is */
        bool claimed;             /* the reader is ours */
        unsigned claimed_turn;    /* and which question it was claimed for */
        sd_bus_slot *call;
        char reader[FPRINT_PATH_MAX];
        char sender[FPRINT_BUS_NAME_MAX]; /* who answered: only their signals count */
};

struct fprint {
        struct fprint_options options;
        struct bus_listener listener;
        struct bus_watch watch;
        sd_bus *connection; /* NULL: there is none */
        struct fprint_user *users;
        struct fprint_claim claim;
};

/* A reader is wanted for this user: false if another one has it. */
bool fprint_claim_begin(struct fprint_user *u);
/* Not any more; nothing more is said to this user. */
void fprint_claim_end(struct fprint_user *u);
/* Whatever was claimed is not: fprintd, or the bus, has gone. */
void fprint_claim_lost(struct fprint *f);
/* Adds the match for what fingers do. */
_must_check_ int fprint_claim_listen(struct fprint *f);

/* A finger did not match, or one did. False: that was the last that may be tried now. */
bool fprint_user_failed(struct fprint_user *u);
void fprint_user_matched(struct fprint_user *u);
/* No finger any more for this question; the reader may have gone. */
void fprint_user_gave_up(struct fprint_user *u);

void fprint_note(const struct fprint *f, const char *id, const char *what, const char *why);
/* Why a call failed; NULL if it did not. */
const char *fprint_error(sd_bus_message *m);
