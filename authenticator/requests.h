/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* What comes over the control socket: who may ask for what, which device is meant, and what it does. */

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "authenticator/authority.h"
#include "authenticator/control.h"
#include "authenticator/devices.h"
#include "authenticator/followers.h"
#include "authenticator/machine.h"
#include "authenticator/users.h"

struct requests {
        struct devices *devices;
        struct machine *machine;
        const struct users *users; /* NULL: logind is not asked */
        struct authority *authority;
        pid_t (*process_of)(void *userdata, uint32_t tag); /* who asks; 0: nobody any more */
        bool reset_by_administrator;                       /* [policy] reset */
        void (*answer)(void *userdata, uint32_t tag, json_t *body); /* takes the body */
        /* Answers, and then tells it what happens; takes the body. */
        void (*follow)(void *userdata, const struct follower *who, json_t *body);
        void *userdata;
};

/* NULL: this user has something to ask for. Else why not. */
json_t *requests_refuse(const struct requests *r, uid_t peer);
/* Each is answered once, now or later. The request is borrowed for the call. */
void requests_run(const struct requests *r, uint32_t tag, uid_t peer,
                  const struct control_request *rq);
/* Goes on with one that the authority was asked about. */
void requests_go_on(const struct requests *r, uint32_t tag, const struct control_request *rq,
                    bool allowed);
