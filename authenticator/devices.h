/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/*
 * Whose devices there are: made when their owner comes, and stopped without waiting when the owner
 * has gone. A worker may be in the middle of a TPM command then; an owner who comes back meanwhile
 * gets the new devices when the old ones have let go of the store.
 */

#include <jansson.h>
#include <systemd/sd-event.h>

#include "authenticator/config.h"
#include "authenticator/instance.h"
#include "authenticator/log.h"
#include "ctap/macro.h"

enum devices_kind {
        DEVICES_FIXED, /* of the one account that started the daemon */
        DEVICES_USERS, /* of each user who is logged in */
        DEVICES_SEAT,  /* of whoever sits at the machine */
};

/* Members of a seat's devices that stand for its user. */
#define DEVICES_SEAT_NAME "seat0"

struct agents;
struct audit;
struct devices;
struct followers;
struct fprint;

struct devices_options {
        sd_event *event;
        const struct config *config;
        const struct log *log;
        struct agents *agents;             /* as of an instance */
        struct fprint *fprint;             /* likewise */
        const struct followers *followers; /* likewise */
        struct audit *audit;               /* likewise */
        /* Some are there, gone, ready or failed that were not. */
        void (*on_state)(void *userdata);
        void (*on_answer)(void *userdata, uint32_t tag, json_t *body); /* as of an instance */
        void (*on_suspended)(void *userdata);                          /* likewise */
        void *userdata;
};

/* 0 or -ENOMEM and the like. There are none at first. */
_must_check_ int devices_new(const struct devices_options *options, struct devices **ret);
/*
 * Stops all of them cleanly. False: a TPM did not answer for `timeout_ms`, nothing can be freed any
 * more, and the process has to end.
 */
_must_check_ bool devices_stop(struct devices *d, uint64_t timeout_ms);
/* After devices_stop() said true. NULL is fine. Returns NULL. */
struct devices *devices_free(struct devices *d);

/*
 * From now on these owners, each once, have [device] count of them, and nobody else has any. There are
 * CONFIG_DEVICES_MAX at most; owners beyond that get theirs when others go.
 */
void devices_set_owners(struct devices *d, enum devices_kind kind, const uid_t *owners, size_t n);
enum devices_kind devices_kind(const struct devices *d);

/* Those that are there and not about to end: number 0 and so on, until NULL. */
struct instance *devices_get(const struct devices *d, size_t number, uid_t *ret_owner);
/* The same with those that devices_open() opened. */
struct instance *devices_get_open(const struct devices *d, size_t number);
/* The device of this owner with this index; NULL if there is none. */
struct instance *devices_find(const struct devices *d, uid_t owner, unsigned index);

enum devices_absence {
        DEVICES_NOT_WANTED, /* it is no owner */
        DEVICES_FULL,       /* others have all */
        DEVICES_COMING,     /* when the ones from before have ended */
        DEVICES_NO_STORE,   /* from devices_open() only: there was never one */
};

/*
 * The same for an administrator, where each user has a device, and also of one who has no session:
 * store and TPM are opened then without a device, and closed a moment after the last request. Should the
 * user log in meanwhile, it becomes the device. `make`: also if there is no store yet.
 */
struct instance *devices_open(struct devices *d, uid_t owner, unsigned index, bool make,
                              enum devices_absence *ret_absence);

/* Why devices_find() found none. */
enum devices_absence devices_absence(const struct devices *d, uid_t owner);
