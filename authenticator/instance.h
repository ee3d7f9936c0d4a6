/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/*
 * One virtual device of one user, as the loop sees it: the device, the CTAPHID framing, the worker
 * behind it and what is in progress between them. It is starting, ready, or failed with a reason; a
 * failed one has no device, and tries again when it is told to.
 */

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <systemd/sd-event.h>

#include "authenticator/config.h"
#include "authenticator/control.h"
#include "authenticator/log.h"
#include "authenticator/presence.h"
#include "ctap/macro.h"

enum instance_state {
        INSTANCE_STARTING,
        INSTANCE_READY,
        INSTANCE_FAILED,
};

struct agents;
struct audit;
struct followers;
struct fprint;
struct instance;

struct instance_options {
        sd_event *event;
        const struct config *config;
        const struct log *log;
        struct agents *agents; /* who asks with presence = agent; NULL: nobody does */
        struct fprint *fprint; /* and what fingers answer; NULL: none do */
        const struct followers
                *followers;  /* who is told what happens at a simulator; NULL: nobody */
        struct audit *audit; /* where events for the administrator go; NULL: nowhere */
        uid_t owner;
        const char *seat; /* it is of whoever sits there, and not of the owner; or NULL */
        unsigned index;
        bool among_users; /* others have devices too: socket:PATH is PATH.UID */
        bool unplugged;   /* store and TPM alone, until instance_admit() */
        /* The state is another than before. */
        void (*on_state)(void *userdata);
        /* The answer to instance_control() and instance_provision(); takes the body. */
        void (*on_answer)(void *userdata, uint32_t tag, json_t *body);
        /* What instance_suspend() began is done. */
        void (*on_suspended)(void *userdata);
        void *userdata;
};

/* Begins to start; what fails from then on is a state. The config and the log are borrowed. */
_must_check_ int instance_new(const struct instance_options *options, struct instance **ret);
/* Unplugs and stops cleanly. NULL is fine. Returns NULL. */
struct instance *instance_free(struct instance *i);
/* Unplugs, and tells the worker to end. After it only instance_join() and instance_free(). */
void instance_stop(struct instance *i);
/* The same while the daemon goes on: who waits for an answer is told that there will be none. */
void instance_dismiss(struct instance *i);
/* True once the worker has ended. Until then instance_free() would wait for it. */
_must_check_ bool instance_join(struct instance *i, uint64_t timeout_ms);
/* It has not, and the process ends all the same. */
void instance_abandon(const struct instance *i);

enum instance_state instance_state(const struct instance *i);
/* For `status`. NULL: out of memory. */
json_t *instance_describe(const struct instance *i);

/* Runs a request on the worker; on_answer is called once, perhaps at once. */
void instance_control(struct instance *i, uint32_t tag, const struct control_request *rq);
/* Nobody waits for this request any more: if it has not begun, it never will. */
void instance_forget(struct instance *i, uint32_t tag);
/*
 * Unplugs the device, opens store and TPM anew and plugs it in again: a power cycle. Does nothing
 * while that is under way. It stays unplugged until a second has gone by since the cycle before.
 */
void instance_replug(struct instance *i);
/*
 * The same for an instance that has failed, with the password of the TPM's owner hierarchy; on_answer
 * is called once when it is ready or has failed again, perhaps at once.
 */
void instance_provision(struct instance *i, uint32_t tag, uid_t caller, const char *owner_auth);
/* The owner of an unplugged one has come: from now on it is a device. */
void instance_admit(struct instance *i);
/* It is starting, or a job of it runs or waits. */
bool instance_is_busy(const struct instance *i);
/* There is a store that this owner's device would open. Looks at the disk. */
bool instance_has_store(const struct config *config, uid_t owner, unsigned index);
/*
 * The machine is about to sleep. True: on_suspended will be called. False: there is nothing to wait
 * for; a person who is being asked may take longer than the machine waits.
 */
_must_check_ bool instance_suspend(struct instance *i);
/* True while what instance_suspend() began is worth waiting for. */
bool instance_is_suspending(const struct instance *i);
/*
 * Who is asked, and whether that person can see and answer a question now; of a new one its owner, who
 * can. When that ends, so does a question that is up.
 */
void instance_set_person(struct instance *i, uid_t uid, bool usable);
/*
 * What the machine attests with is another thing than before: the device is plugged in anew for it, when
 * no command of a client runs. One that is open without a device is opened anew.
 */
void instance_renew_attestation(struct instance *i);
/* See presence_inject(). NULL, or the error to answer with. */
json_t *instance_inject(struct instance *i, enum presence_inject what, struct bytes with);
/*
 * The next CTAP2 command, or the next of this name (NULL: of any), is answered by this status and not
 * carried out; status 0: none is any more. NULL, or the error to answer with.
 */
json_t *instance_fail_next(struct instance *i, json_int_t status, const char *command);
/* NULL if it is ready and a simulator, or the error to answer with. */
json_t *instance_refuse_simulation(const struct instance *i);
