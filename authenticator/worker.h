/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/*
 * The one thread that runs the commands of a virtual device, straight-line and blocking, with its
 * own TPM connection and store. Jobs go in and replies come out as messages (message.h) on a
 * socketpair that the loop polls. One job at a time: the loop sends the next after the reply that
 * ends the one before. Every job but WORKER_STOP ends with exactly one of ANSWER, OPENED, DENIED,
 * FAILED.
 */

#include <stdint.h>

#include "authenticator/backend.h"
#include "authenticator/message.h"
#include "authenticator/presence.h"
#include "ctap/bytes.h"
#include "ctap/macro.h"

enum worker_job {
        WORKER_CBOR = 1, /* a CTAP2 message; tag: its channel */
        WORKER_MSG,      /* a U2F message; tag: its channel */
        WORKER_CONTROL,  /* JSON text (manage.h); tag: anything */
        /*
         * Opens store and TPM. Tag: a simulator's descriptor, now the worker's, or -1. Payload: the
         * password of the TPM's owner hierarchy, or nothing.
         */
        WORKER_OPEN,
        WORKER_POWER_UP, /* the virtual device was plugged in */
        WORKER_SUSPEND,  /* the machine is about to sleep */
        WORKER_STOP,     /* closes everything cleanly and ends the thread */
};

enum worker_reply {
        WORKER_ANSWER = 1, /* to CBOR, MSG, CONTROL; empty to POWER_UP, SUSPEND */
        WORKER_STATUS,     /* payload: one byte of enum hid_keepalive. In the middle of a job */
        WORKER_OPENED,     /* payload: struct backend_facts by backend_facts_read() */
        WORKER_FAILED,     /* payload: why, and what to do, in a sentence */
        WORKER_DENIED,     /* the same; what is missing is the owner's password, or another one */
        WORKER_LOST,       /* payload: why it is open no more; tag: 1 if as DENIED. Between jobs */
        WORKER_TROUBLE,    /* payload: what ails the TPM, in a sentence, or nothing. At any time */
        WORKER_NOTE,       /* payload: the new backend_attestation_note(). Between jobs */
        WORKER_VERIFIES,   /* payload: 1 if a person can be verified; 0 until told. Between jobs */
        WORKER_PIN_GIVEN,  /* the right PIN was given, here or to a client. Between jobs */
        WORKER_EVENT,      /* payload: an event of a simulator (event.h), as JSON. At any time */
        WORKER_AUDIT,      /* payload: one for the administrator (audit-event.h). At any time */
};

struct worker;

struct worker_options {
        struct backend_options backend;   /* its presence port is set by the worker */
        struct presence_options presence; /* its callbacks are set by the worker */
        uint64_t (*slept_ms)(void);       /* NULL: env_slept_ms() */
        uint64_t spare_ms; /* when idle for so long, make a spare key; 0: the default */
};

/* Starts the thread, which waits for WORKER_OPEN. The strings are borrowed while it lives. */
_must_check_ int worker_new(const struct worker_options *options, struct worker **ret);
/* Cancels, stops and joins. NULL is fine. Returns NULL. */
struct worker *worker_free(struct worker *w);
/* Cancels and tells the thread to end; nothing can be sent or received any more. */
void worker_stop(struct worker *w);
/* After worker_stop(): true once the thread has ended. A TPM that hangs holds it for as long. */
_must_check_ bool worker_join(struct worker *w, uint64_t timeout_ms);
/* After worker_join() said false, before the process ends: presence_abandon(). */
void worker_abandon(const struct worker *w);

/* For the loop thread. */
int worker_fd(const struct worker *w);
_must_check_ int worker_send(struct worker *w, enum worker_job job, uint32_t tag,
                             struct bytes payload);
/* -EAGAIN: there is none. The payload borrows until the next call. */
_must_check_ int worker_receive(struct worker *w, struct message *ret);

/* What a client hears of WORKER_CBOR or WORKER_MSG when the machine could not even begin. */
struct bytes worker_failure(enum worker_job job);

/* Before a job: what was cancelled is past. During one: ends a wait for the person. */
void worker_clear_cancel(struct worker *w);
void worker_cancel(struct worker *w);
/* See presence_inject(). */
_must_check_ int worker_inject(const struct worker *w, enum presence_inject what,
                               struct bytes with);
