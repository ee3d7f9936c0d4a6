/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* Who follows what happens at which simulators, over the control socket. */

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "ctap/macro.h"

struct followers;

struct follower {
        uint32_t tag; /* of the request that it followed by (server.h) */
        uid_t owner;  /* whose devices */
        bool one;     /* of them the one with this index only */
        unsigned device;
        bool frames;  /* it is told the messages too */
        bool secrets; /* with the secrets that are in them */
};

struct followers_options {
        void (*send)(void *userdata, uint32_t tag, const char *line);
        void *userdata;
};

/* 0 or -ENOMEM. */
_must_check_ int followers_new(const struct followers_options *options, struct followers **ret);
/* NULL is fine. Returns NULL. */
struct followers *followers_free(struct followers *f);

void followers_add(struct followers *f, const struct follower *who);
/* Does nothing if there is none with this tag. */
void followers_remove(struct followers *f, uint32_t tag);

/* Somebody is told what happens at this device. */
bool followers_want(const struct followers *f, uid_t owner, unsigned device);
/* Takes the event, of which "device" and "time" are still to be set. NULL, out of memory, is fine. */
void followers_tell(const struct followers *f, uid_t owner, unsigned device, json_t *event);

/* The same of a message, with its secrets or without them; its "time" is set. */
bool followers_want_frames(const struct followers *f, uid_t owner, unsigned device, bool secrets);
void followers_tell_frame(const struct followers *f, uid_t owner, unsigned device, bool secrets,
                          json_t *event);
