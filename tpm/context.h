/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* struct tpm from the inside: the connection, what went wrong on it, and what is unlocked. */

#include <tss2/tss2_esys.h>

#include "tpm/state.h"
#include "tpm/tcti-patient.h"
#include "tpm/tpm.h"

/* Something that may go away if the step that failed is done once more. */
enum {
        TPM_TROUBLE_CONNECTION = 1 << 0, /* connect again */
        TPM_TROUBLE_CROWDED = 1 << 1,    /* no room for an object or a session: connect again */
        TPM_TROUBLE_WORKER = 1 << 2, /* P2 is not at its persistent handle: load it from its blob */
};

/* The tries of the PIN, as last seen. */
struct tpm_tries {
        bool known;
        bool in_vain; /* unknown, and asking failed */
        uint8_t left;
        uint64_t value; /* of the counter of an ordinary index; 0: unknown */
};

/* How often the TPM was restarted, as seen on a connection. */
struct tpm_clock {
        uint32_t connection; /* 0: none */
        bool known;
        uint32_t resets, restarts;
};

/* The policy session of a ceremony: ticket.h. */
struct tpm_policy {
        ESYS_TR tr;
        uint32_t connection;
        bool satisfied;            /* for one command */
        struct ctap_ticket ticket; /* by this one */
};

struct tpm {
        struct ctap_keys keys;
        struct tpm_options options;
        char *tcti_name;

        TSS2_TCTI_CONTEXT *tcti; /* what the options name */
        struct tpm_patient patient;
        ESYS_CONTEXT *esys;  /* NULL: closed */
        uint32_t connection; /* counts up; an ESYS_TR belongs to one */
        unsigned trouble;    /* TPM_TROUBLE_*, since the step began */
        bool leftovers;      /* objects of ours may be in a TPM that nobody cleans up after us */

        TPM2B_AUTH owner_auth; /* a secret; empty unless tpm_set_owner_auth() was used */

        struct tpm_record *record; /* NULL: locked */
        bool unlocked;
        struct secret32 worker_auth, store_key;
        uint64_t counter_value; /* as last seen; 0: unknown */
        tpm_save_fn *save;      /* for what changes in the record; NULL before tpm_complete() */
        void *save_userdata;

        struct tpm_tries tries;
        bool owner_is_locked; /* the owner's authorisation is not empty */
        struct tpm_policy policy;
        struct tpm_clock given; /* where the newest ticket was given */
        struct tpm_clock now;   /* where they were read last */

        /* In this connection; ESYS_TR_NONE until needed. */
        ESYS_TR worker, counter;
        bool worker_is_loaded;     /* `worker` is a transient object */
        bool worker_is_gone;       /* not at its persistent handle */
        bool worker_cannot_return; /* and the TPM does not want it there again */
        /* The attestation key of that Name, as attestation-use.c opened it. */
        ESYS_TR attestation;
        TPM2B_NAME attestation_name;
        bool attestation_is_loaded; /* a transient object: until tpm_settle() */
        bool attestation_is_gone;   /* not at its persistent handle, when that was looked at */
        /*
         * An unloaded key that waits for tpm_settle(). No more than one: a TPM may have room for
         * three objects only, and loading takes two of them, one for the persistent parent.
         */
        ESYS_TR unloaded;

        struct ctap_loaded_key *loaded; /* in any connection */

        tpm_spare_fn *take_spare; /* NULL: there is none ever */
        void *spare_userdata;
};

/* ---- the connection: context.c ------------------------------------------------------------ */

typedef int tpm_step_fn(struct tpm *t, void *userdata);

/*
 * Opens the connection if it is closed and takes the step; takes it once more if it failed by
 * something that a new connection or a reloaded P2 may cure. A step can therefore be taken twice.
 */
_must_check_ int tpm_run(struct tpm *t, tpm_step_fn *step, void *userdata);
/* Tells the TPM to drop the key that was unloaded last. */
void tpm_flush_unloaded(struct tpm *t);
/* Forgets all secrets and what belongs to them. */
void tpm_forget(struct tpm *t);

void _printf_(3, 4) tpm_log(struct tpm *t, int priority, const char *format, ...);

/* ---- failures: fail.c --------------------------------------------------------------------- */

/* The code of the TPM without the layer and the number of the parameter, handle or session. */
TSS2_RC tpm_rc_base(TSS2_RC rc);
/* The TPM refused a handle, a session or a parameter, as against being unable to answer now. */
bool tpm_rc_is_refusal(TSS2_RC rc);
/* It came from the TPM or its resource manager: the command was not lost on its way. */
bool tpm_rc_is_answer(TSS2_RC rc);
/* True if a handle names nothing. */
bool tpm_rc_is_absent(TSS2_RC rc);

/* Each logs, notes the trouble, and gives the errno. */
_must_check_ int tpm_fail(struct tpm *t, const char *command, TSS2_RC rc);
/* While unlocking a refusal means that this is not the TPM, or not the state. */
_must_check_ int tpm_fail_stale(struct tpm *t, const char *command, TSS2_RC rc);
/* A command on P2: a refusal of P2 itself is a TPM_TROUBLE_WORKER. */
_must_check_ int tpm_fail_worker(struct tpm *t, const char *command, TSS2_RC rc);
