/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/*
 * What the files of an instance share, and nobody else includes: instance.c has the wire, the
 * plugging and what the worker says, instance-jobs.c the queue before the worker, instance-start.c
 * what has to be there first, instance-finger.c the way between agents and fprintd,
 * instance-control.c the answers to the control socket, instance-events.c what its followers are told,
 * instance-frames.c the messages among that.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <systemd/sd-event.h>

#include "authenticator/agents.h"
#include "authenticator/audit.h"
#include "authenticator/backend.h"
#include "authenticator/config.h"
#include "authenticator/device.h"
#include "authenticator/fprint.h"
#include "authenticator/instance.h"
#include "authenticator/log.h"
#include "authenticator/presence.h"
#include "authenticator/simulator.h"
#include "authenticator/worker.h"
#include "ctap/bytes.h"
#include "ctap/hid.h"
#include "ctap/macro.h"
#include "trace/assembly.h"

#define INSTANCE_REASON_MAX 1024
#define INSTANCE_ID_MAX     32

struct job {
        struct job *next;
        enum worker_job type;
        uint32_t tag;
        uint64_t plug;  /* the plug cycle that it belongs to */
        bool cancelled; /* before it ran */
        bool discard;   /* nobody waits for the answer */
        uid_t caller;   /* WORKER_CONTROL: who asks */
        size_t len;
        uint8_t data[];
};

struct instance {
        struct instance_options options;
        const struct config *config;
        struct log_context log;
        char id[INSTANCE_ID_MAX];
        char uniq[16];
        char phys[48];
        char *folder, *store_path, *tpm_folder;
        char *name; /* of the device, before "(simulator)" */
        char full_name[128];

        enum instance_state state;
        char reason[INSTANCE_REASON_MAX];
        bool unplugged;                    /* nobody's device, and clients cannot reach it */
        bool wants_owner_auth;             /* the reason is that the TPM's owner has a password */
        char trouble[INSTANCE_REASON_MAX]; /* what ails the TPM of one that is ready, or empty */
        char attestation_note[INSTANCE_REASON_MAX]; /* what ails the TPM's attestation, or empty */
        struct backend_facts facts;
        bool provisioning; /* somebody waits for the outcome, under this tag */
        uint32_t provision_tag;
        uid_t provision_caller;
        bool auth_given;                   /* by it: whether that did is an event */
        enum presence_inject presence_now; /* ASK: as configured */
        bool verifies;                     /* a person can be verified: as the worker said last */
        bool plugged_verifies;             /* and as clients know it */
        uint64_t verifies_since;           /* the former */
        uid_t person;                      /* who is asked */
        bool usable;                       /* who can see and answer a question */

        struct simulator *simulator;
        sd_event_source *simulator_io;
        struct worker *worker;
        sd_event_source *worker_io;
        struct agents_link *agents;  /* NULL: nobody is asked by an agent */
        struct fprint_user *fingers; /* NULL: nobody is asked for one */
        struct device *device;
        struct hid *hid;
        struct trace_assembly *assembly; /* NULL: nobody is told what comes in */
        uint64_t plug;
        bool winked; /* since it was plugged in */
        sd_event_source *timer;
        sd_event_source *lost; /* runs once after the device was lost */

        uint64_t cycle_at;       /* when it last began to open the TPM, or was plugged in */
        sd_event_source *pause;  /* after that, until the next time */
        bool start_is_due;       /* at its end */
        bool attestation_is_due; /* what attests is another thing than the worker opened */

        uint8_t fail_status;      /* that the next command is answered by; 0: none is to be */
        const char *fail_command; /* if it is this one; NULL: whichever it is */

        struct job *running;
        bool asking;     /* the running job waits for a person */
        bool suspending; /* WORKER_SUSPEND is running or waits */
        struct job *queue;
        unsigned n_queued;
};

/* ---- instance.c ---- */

void instance_set_state(struct instance *i, enum instance_state state, const char *reason);
/* Creates the device; from the client's side this is power-up (CTAP 2.3 §6.6). */
void instance_plug(struct instance *i);
void instance_unplug(struct instance *i);
/* Who is asked, and whether that is of any use. */
void instance_tell_agents(struct instance *i);
void instance_fail(struct instance *i, const char *reason);
/* The worker's descriptor is readable. */
int instance_on_worker(sd_event_source *source, int fd, uint32_t events, void *userdata);
/* The worker does not take this job, which is in no queue any more: who waits for its answer gets one. */
void instance_refuse_job(struct instance *i, struct job *job);
/* Tells who asked for instance_provision(), once it is no longer starting. */
void instance_answer_provisioning(struct instance *i);

/* ---- instance-start.c ---- */

/* Begins to open store and TPM; the device is plugged in when the worker has. */
void instance_start(struct instance *i, struct bytes owner_auth);
/* Plugs it in anew, now or a little later, if clients or the worker know something else than is so. */
void instance_follow_presence(struct instance *i);
int instance_on_pause_over(sd_event_source *source, uint64_t usec, void *userdata);

/* ---- instance-finger.c ---- */

/* If there are to be fingers: a struct agents_link_options gets its callbacks. */
_must_check_ int instance_add_fingers(struct instance *i, struct agents_link_options *options);

/* ---- instance-jobs.c ---- */

void instance_job_free(struct job *job);
bool instance_job_is_of_client(const struct job *job);
/* Hands the next job to the worker, if that is free. */
void instance_run_next(struct instance *i);
/* -ENOBUFS: too many wait; -ENOMEM. */
_must_check_ int instance_add_job(struct instance *i, enum worker_job type, uint32_t tag,
                                  struct bytes data);
/* The same of WORKER_CONTROL. */
_must_check_ int instance_add_control(struct instance *i, uint32_t tag, uid_t caller,
                                      struct bytes data);
/* Takes the job that this points to out of the queue. */
void instance_remove_job(struct instance *i, struct job **at);
/* What belongs to a device that is not there any more. */
void instance_drop_stale_jobs(struct instance *i);
/* The command of the plugged device that the framing knows to be running; NULL if there is none. */
struct job *instance_client_job(struct instance *i);
void instance_cancel_client_job(struct instance *i, bool discard);

/* ---- instance-events.c ---- */

/* An event that the worker made, as text. */
void instance_tell_of_worker(const struct instance *i, struct bytes event);
/* A client's command has its answer. */
void instance_tell_done(const struct instance *i, const struct job *job, struct bytes answer);
/* By instance_take_failure(). */
void instance_tell_failed(const struct instance *i, struct bytes request, struct bytes answer);
void instance_tell_plugged(const struct instance *i);
/* Before it is, if it is plugged in. */
void instance_tell_unplugged(const struct instance *i);

/* For the administrator, with whose device it is. */
void instance_audit(const struct instance *i, const struct audit_event *e);
/* An event that the worker made: of the job that runs. */
void instance_audit_of_worker(const struct instance *i, struct bytes event);

/* ---- instance-frames.c ---- */

/* Tells who wants to know of each message. A report of a client: */
void instance_tell_report(struct instance *i, const uint8_t report[static HID_REPORT_SIZE]);
/* And what is sent; `request`: what it answers, or empty. */
void instance_tell_message(const struct instance *i, uint32_t channel, uint8_t command,
                           struct bytes message, struct bytes request);
/* Forgets what is half there. */
void instance_end_frames(struct instance *i);

/* ---- instance-control.c ---- */

/* True: this CTAP2 message is to be answered by that status, and not carried out. */
_must_check_ bool instance_take_failure(struct instance *i, struct bytes request, uint8_t *ret);
/* Tells everybody who waits for an answer that there will be none. */
void instance_refuse_waiting(struct instance *i);
/* The same for requests that came while it was starting, and takes them out: it has failed. */
void instance_refuse_queued(struct instance *i);
