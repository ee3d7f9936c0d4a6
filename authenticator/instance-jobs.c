/* SPDX-License-Identifier: BSD-2-Clause */

/* The jobs of an instance: a short queue before the one that runs. See the head of instance.c. */

#include "authenticator/instance-internal.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>

#include "authenticator/util.h"

#define JOBS_MAX 32 /* of all kinds; control clients have one each at most */

void instance_job_free(struct job *job) {
        if (!job)
                return;
        OPENSSL_cleanse(job->data, job->len);
        free(job);
}

bool instance_job_is_of_client(const struct job *job) {
        return job->type == WORKER_CBOR || job->type == WORKER_MSG;
}

static int hand_over(struct instance *i, const struct job *job) {
        int r;

        worker_clear_cancel(i->worker);
        if (job->cancelled)
                worker_cancel(i->worker);
        r = worker_send(i->worker, job->type, job->tag, BYTES(job->data, job->len));
        if (r < 0)
                log_write(i->options.log, LOG_ERR, i->id, "the worker does not take a job: %s",
                          strerror(-r));
        return r;
}

/* Only what the worker has will be answered by it. */
void instance_run_next(struct instance *i) {
        struct job *job;

        while (!i->running && (job = i->queue) != NULL) {
                i->queue = job->next;
                i->n_queued--;
                if (hand_over(i, job) == 0) {
                        i->running = job;
                        return;
                }
                instance_refuse_job(i, job);
                instance_job_free(job);
        }
}

void instance_remove_job(struct instance *i, struct job **at) {
        struct job *job = *at;

        *at = job->next;
        i->n_queued--;
        /* The simulator's descriptor, which the worker never got. */
        if (job->type == WORKER_OPEN)
                close_fd((int)job->tag);
        instance_job_free(job);
}

/* What belongs to a device that is not there any more. */
void instance_drop_stale_jobs(struct instance *i) {
        struct job **at = &i->queue;

        while (*at) {
                bool stays = (*at)->type == WORKER_CONTROL || (*at)->type == WORKER_SUSPEND;

                if (stays)
                        at = &(*at)->next;
                else
                        instance_remove_job(i, at);
        }
}

static int add(struct instance *i, const struct job *like, struct bytes data) {
        struct job **end = &i->queue, *job;

        if (i->n_queued >= JOBS_MAX)
                return -ENOBUFS;
        job = calloc(1, sizeof(*job) + data.len);
        if (!job)
                return -ENOMEM;
        *job = *like;
        job->plug = i->plug;
        job->len = data.len;
        if (data.len > 0)
                memcpy(job->data, data.data, data.len);

        while (*end)
                end = &(*end)->next;
        *end = job;
        i->n_queued++;
        instance_run_next(i);
        return 0;
}

int instance_add_job(struct instance *i, enum worker_job type, uint32_t tag, struct bytes data) {
        return add(i, &(struct job){ .type = type, .tag = tag }, data);
}

int instance_add_control(struct instance *i, uint32_t tag, uid_t caller, struct bytes data) {
        return add(i, &(struct job){ .type = WORKER_CONTROL, .tag = tag, .caller = caller }, data);
}

/* The command of the plugged device that the framing knows to be running; NULL if there is none. */
struct job *instance_client_job(struct instance *i) {
        if (i->running && instance_job_is_of_client(i->running) && i->running->plug == i->plug)
                return i->running;
        for (struct job *job = i->queue; job; job = job->next)
                if (instance_job_is_of_client(job) && job->plug == i->plug)
                        return job;
        return NULL;
}

void instance_cancel_client_job(struct instance *i, bool discard) {
        struct job *job = instance_client_job(i);

        if (!job)
                return;
        job->discard = job->discard || discard;
        job->cancelled = true;
        if (job != i->running)
                return;
        worker_cancel(i->worker);
        /* Where the worker is at something else just now, the question shall not wait for that. */
        if (i->agents && job->type == WORKER_CBOR)
                agents_link_cancel(i->agents);
}
