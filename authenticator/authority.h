/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/*
 * Who is an administrator by polkit's word, and not by their account: asked over the system bus, while
 * the request waits. Without a bus or a polkit nobody is one.
 */

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "authenticator/bus.h"
#include "authenticator/control.h"
#include "authenticator/log.h"
#include "ctap/macro.h"

/* The action, as dist/polkit has it. */
#define AUTHORITY_PROVISION "org.tpmauthn.provision"
/* polkit may ask a person for a password. */
#define AUTHORITY_TIMEOUT_MS 120000

struct authority;

struct authority_options {
        struct bus *bus; /* to be freed first */
        const struct log *log;
        /* The verdict on a request, which is borrowed for the call. */
        void (*on_verdict)(void *userdata, uint32_t tag, const struct control_request *rq,
                           bool allowed);
        void *userdata;
};

/* 0 or -ENOMEM. */
_must_check_ int authority_new(const struct authority_options *options, struct authority **ret);
/* Gives no verdict any more. NULL is fine. Returns NULL. */
struct authority *authority_free(struct authority *a);

/* Asks whether this process of `peer` may; the verdict may come at once. The request is copied. */
void authority_ask(struct authority *a, uint32_t tag, uid_t peer, pid_t process,
                   const struct control_request *rq);
/* Nobody waits for this verdict any more. */
void authority_forget(struct authority *a, uint32_t tag);
