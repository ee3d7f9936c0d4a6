/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The connection. It is opened by the first step that needs it and closed when idle: the kernel
 * frees what a closed file held, and another process may want the TPM. So nothing above may count
 * on an ESYS_TR from one step to the next; what it needs it opens anew, without a command where
 * it can.
 */

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>
#include <tss2/tss2_rc.h>
#include <tss2/tss2_tctildr.h>
#include <unistd.h>

#include "tpm/attestation.h"
#include "tpm/capability.h"
#include "tpm/handle.h"
#include "tpm/key.h"
#include "tpm/owner.h"
#include "tpm/tcti-stream.h"
#include "tpm/ticket.h"
#include "tpm/tries.h"

/*
 * How long a simulator may take for a command: far longer than any of them does, and shorter than a
 * service manager waits before it kills.
 */
#define STREAM_LIMIT_MS 60000

void tpm_log(struct tpm *t, int priority, const char *format, ...) {
        char message[512];
        va_list args;

        if (!t->options.log)
                return;

        va_start(args, format);
        (void)vsnprintf(message, sizeof(message), format, args);
        va_end(args);
        t->options.log(t->options.userdata, priority, message);
}

int tpm_new(const struct tpm_options *options, struct tpm **ret) {
        struct tpm *t;

        if (!options->tcti && options->fd < 0)
                return -EINVAL;

        t = calloc(1, sizeof(*t));
        if (!t)
                return -ENOMEM;

        t->keys.ops = &tpm_keys_ops;
        t->options = *options;
        t->options.tcti = NULL;
        t->worker = t->counter = t->unloaded = t->policy.tr = t->attestation = ESYS_TR_NONE;
        if (options->tcti) {
                t->tcti_name = strdup(options->tcti);
                if (!t->tcti_name) {
                        free(t);
                        return -ENOMEM;
                }
        }
        *ret = t;
        return 0;
}

/* Its name may stand behind that of a TCTI that wraps it. */
bool tpm_tcti_is_simulator(const char *tcti) {
        static const char *const names[] = { "swtpm", "mssim" };
        const char *p = tcti;

        while (p) {
                size_t n = strcspn(p, ":,");

                for (size_t i = 0; i < ELEMENTSOF(names); i++)
                        if (n == strlen(names[i]) && strncmp(p, names[i], n) == 0)
                                return true;
                p = p[n] != '\0' ? p + n + 1 : NULL;
        }
        return false;
}

/*
 * True if nobody but us cleans up in this TPM after a crash of ours: there is no resource manager
 * in front of a simulator.
 */
static bool is_unmanaged(const struct tpm *t) {
        return !t->tcti_name || tpm_tcti_is_simulator(t->tcti_name);
}

static int open_tcti(struct tpm *t) {
        static const char device[] = "device:";
        TSS2_RC rc;

        if (!t->tcti_name)
                return tpm_stream_new(t->options.fd, STREAM_LIMIT_MS, &t->tcti);

        rc = Tss2_TctiLdr_Initialize(t->tcti_name, &t->tcti);
        if (rc == TSS2_RC_SUCCESS)
                return 0;

        t->tcti = NULL;
        if (strncmp(t->tcti_name, device, strlen(device)) == 0 &&
            access(t->tcti_name + strlen(device), R_OK | W_OK) < 0 && errno == EACCES) {
                tpm_log(t, LOG_ERR, "TPM: %s: no permission to open it; is this user in group tss?",
                        t->tcti_name + strlen(device));
                return -EACCES;
        }
        tpm_log(t, LOG_ERR, "TPM: cannot connect to \"%s\": %s (0x%x)", t->tcti_name,
                Tss2_RC_Decode(rc), (unsigned)rc);
        return -ENODEV;
}

static void close_tcti(struct tpm *t) {
        if (t->tcti_name)
                Tss2_TctiLdr_Finalize(&t->tcti);
        else
                t->tcti = tpm_stream_free(t->tcti);
}

/* ESYS wipes nothing by itself, and keeps the authValue of P2 with its handle. */
static void wipe_worker_auth(struct tpm *t) {
        static const TPM2B_AUTH zeroes = { .size = sizeof(t->worker_auth.b) };

        if (t->worker != ESYS_TR_NONE && t->esys)
                (void)Esys_TR_SetAuth(t->esys, t->worker, &zeroes);
}

static void close_worker(struct tpm *t) {
        wipe_worker_auth(t);
        if (t->worker != ESYS_TR_NONE && t->worker_is_loaded)
                tpm_flush(t, t->worker);
        else if (t->worker != ESYS_TR_NONE && t->esys)
                (void)Esys_TR_Close(t->esys, &t->worker);
        t->worker = ESYS_TR_NONE;
        t->worker_is_loaded = false;
}

static void close_counter(struct tpm *t) {
        if (t->counter != ESYS_TR_NONE && t->esys)
                (void)Esys_TR_Close(t->esys, &t->counter);
        t->counter = ESYS_TR_NONE;
}

static void flush_unloaded(struct tpm *t) {
        tpm_flush(t, t->unloaded);
        t->unloaded = ESYS_TR_NONE;
}

/* Tells the TPM what is not needed any more, unless the connection is what is in trouble. */
static void close_connection(struct tpm *t) {
        if (!t->esys)
                return;

        flush_unloaded(t);
        tpm_keys_flush(t);
        tpm_ticket_session_drop(t);
        tpm_attestation_close(t);
        close_worker(t);
        close_counter(t);
        Esys_Finalize(&t->esys);
        close_tcti(t);
        if (t->trouble & (TPM_TROUBLE_CONNECTION | TPM_TROUBLE_CROWDED))
                t->leftovers = true;
        t->trouble = 0;
}

/* Half open is not open. What is in trouble stays known, so that it is tried again. */
static int give_up(struct tpm *t, int r) {
        const unsigned trouble = t->trouble;

        close_connection(t);
        t->trouble = trouble;
        return r;
}

static int open_connection(struct tpm *t) {
        TSS2_RC rc;
        int r;

        if (t->esys)
                return 0;

        r = open_tcti(t);
        if (r < 0)
                return r;

        tpm_patient_init(&t->patient, t->tcti);
        rc = Esys_Initialize(&t->esys, (TSS2_TCTI_CONTEXT *)&t->patient, NULL);
        if (rc != TSS2_RC_SUCCESS) {
                t->esys = NULL;
                close_tcti(t);
                return tpm_fail(t, "Esys_Initialize", rc);
        }
        t->connection++;

        r = tpm_owner_apply(t);
        if (r >= 0 && t->leftovers && is_unmanaged(t))
                r = tpm_flush_leftovers(t);
        if (r < 0)
                return give_up(t, r);
        t->leftovers = false;
        return 0;
}

int tpm_run(struct tpm *t, tpm_step_fn *step, void *userdata) {
        unsigned tried = 0;

        for (;;) {
                unsigned trouble;
                int r;

                t->trouble = 0;
                r = open_connection(t);
                if (r >= 0)
                        r = step(t, userdata);

                trouble = t->trouble;
                if (trouble & TPM_TROUBLE_WORKER) {
                        close_worker(t);
                        t->worker_is_gone = true;
                }
                if (trouble & (TPM_TROUBLE_CONNECTION | TPM_TROUBLE_CROWDED))
                        close_connection(t);
                if (r >= 0 || (trouble & ~tried) == 0)
                        return r;

                tried |= trouble;
        }
}

void tpm_forget(struct tpm *t) {
        close_worker(t);
        close_counter(t);
        t->unlocked = false;
        t->worker_is_gone = t->worker_cannot_return = false;
        t->counter_value = 0;
        t->save = NULL;
        t->save_userdata = NULL;
        tpm_tries_forget(t);
        tpm_ticket_session_drop(t);
        t->given = (struct tpm_clock){ 0 };
        secret32_wipe(&t->worker_auth);
        secret32_wipe(&t->store_key);
        free(t->record);
        t->record = NULL;
}

static void close_if_in_trouble(struct tpm *t) {
        if (t->trouble & (TPM_TROUBLE_CONNECTION | TPM_TROUBLE_CROWDED))
                close_connection(t);
}

void tpm_flush_unloaded(struct tpm *t) {
        t->trouble = 0;
        flush_unloaded(t);
        close_if_in_trouble(t);
}

void tpm_settle(struct tpm *t) {
        t->trouble = 0;
        flush_unloaded(t);
        if (t->attestation_is_loaded)
                tpm_attestation_close(t);
        tpm_ticket_session_drop(t);
        if (t->esys && t->trouble == 0)
                tpm_ticket_settle(t);
        if (t->esys && t->trouble == 0)
                tpm_tries_learn(t);
        close_if_in_trouble(t);
}

void tpm_idle(struct tpm *t) {
        t->trouble = 0;
        if (t->esys)
                tpm_ticket_settle(t);
        close_connection(t);
}

static int shutdown_step(struct tpm *t, _unused_ void *userdata) {
        TSS2_RC rc =
                Esys_Shutdown(t->esys, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE, TPM2_SU_CLEAR);

        return rc == TSS2_RC_SUCCESS ? 0 : tpm_fail(t, "TPM2_Shutdown", rc);
}

void tpm_shutdown(struct tpm *t) {
        tpm_idle(t);
        if (tpm_run(t, shutdown_step, NULL) < 0)
                tpm_log(t, LOG_WARNING, "TPM: it was not told that it will be switched off");
        tpm_idle(t);
}

struct tpm *tpm_free(struct tpm *t) {
        if (!t)
                return NULL;

        tpm_idle(t);
        tpm_forget(t);
        tpm_owner_forget(t);
        tpm_keys_free(t);
        free(t->tcti_name);
        free(t);
        return NULL;
}
