/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * A thread gets its request as text and leaves an answer as text, since what jansson counts is of one
 * thread; that it is done it says by an eventfd. Until the loop has joined it, nobody else touches the
 * job.
 */

#include "authenticator/machine.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "authenticator/enrolment.h"
#include "authenticator/protocol.h"
#include "authenticator/util.h"

/* Of the thread while that runs. */
struct job {
        enum control_call call;
        char *params, *answer; /* JSON; both may hold secrets */
        struct enrolment enrolment;
};

struct machine {
        struct machine_options options;
        int done_fd;
        sd_event_source *done;
        pthread_t thread;
        bool runs;
        uint32_t tag;
        uid_t caller;
        struct job job;
};

static void job_done(struct job *job) {
        free_secret(&job->params);
        free_secret(&job->answer);
        job->params = job->answer = NULL;
}

/* ---- on the thread ---- */

static void *machine_main(void *userdata) {
        struct machine *m = userdata;
        struct job *job = &m->job;
        const uint64_t one = 1;
        json_t *params = json_loads(job->params, 0, NULL), *body = NULL;

        if (params)
                body = enrolment_run(&job->enrolment, job->call, params);
        if (body)
                job->answer = json_dumps(body, JSON_COMPACT | JSON_ENSURE_ASCII);
        json_decref(body);
        json_decref(params);
        (void)!write(m->done_fd, &one, sizeof(one));
        return NULL;
}

/* ---- on the loop ---- */

static void audit(const struct machine *m, const json_t *body) {
        struct audit_event e;

        if (!enrolment_audit(&m->job.enrolment, m->job.call, body, &e))
                return;
        e.has_caller = true;
        e.caller = m->caller;
        audit_write(m->options.audit, &e);
}

static int on_done(sd_event_source *source, int fd, uint32_t events, void *userdata) {
        struct machine *m = userdata;
        json_t *body;
        uint64_t n;

        (void)source;
        (void)events;
        if (read(fd, &n, sizeof(n)) != sizeof(n) || !m->runs)
                return 0;
        pthread_join(m->thread, NULL);
        m->runs = false;
        body = m->job.answer ? json_loads(m->job.answer, 0, NULL) : NULL;
        job_done(&m->job);
        audit(m, body);
        if (m->job.enrolment.changed)
                m->options.on_attestation(m->options.userdata);
        m->options.on_answer(m->options.userdata, m->tag,
                             body ? body : control_error(PROTOCOL_E_FAILED, "Out of memory."));
        return 0;
}

/* It takes no signal, so that the loop's signalfd gets them all. */
static int start_thread(struct machine *m) {
        sigset_t all, before;
        int r;

        sigfillset(&all);
        pthread_sigmask(SIG_SETMASK, &all, &before);
        r = pthread_create(&m->thread, NULL, machine_main, m);
        pthread_sigmask(SIG_SETMASK, &before, NULL);
        m->runs = r == 0;
        return -r;
}

static int start(struct machine *m, uint32_t tag, const struct control_request *rq) {
        m->tag = tag;
        m->caller = rq->caller;
        m->job = (struct job){
                .call = rq->method->call,
                .params = json_dumps(rq->params, JSON_COMPACT),
                .enrolment = { .config = m->options.config, .log = m->options.log },
        };
        return m->job.params ? start_thread(m) : -ENOMEM;
}

void machine_control(struct machine *m, uint32_t tag, const struct control_request *rq) {
        json_t *error = NULL;

        if (m->runs)
                error = control_error(
                        PROTOCOL_E_BUSY,
                        "Something is being done for the enrolment already; try again.");
        else if (start(m, tag, rq) < 0) {
                job_done(&m->job);
                error = control_error(PROTOCOL_E_FAILED, "Out of memory.");
        }
        if (error)
                m->options.on_answer(m->options.userdata, tag, error);
}

int machine_new(const struct machine_options *options, struct machine **ret) {
        struct machine *m = calloc(1, sizeof(*m));
        int r;

        if (!m)
                return -ENOMEM;
        m->options = *options;
        m->done_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        r = m->done_fd < 0
                    ? -errno
                    : sd_event_add_io(options->event, &m->done, m->done_fd, EPOLLIN, on_done, m);
        if (r < 0) {
                machine_free(m);
                return r;
        }
        *ret = m;
        return 0;
}

bool machine_join(struct machine *m, uint64_t timeout_ms) {
        struct timespec until;

        if (!m->runs)
                return true;
        clock_gettime(CLOCK_MONOTONIC, &until);
        until.tv_sec += (time_t)(timeout_ms / 1000);
        until.tv_nsec += (long)(timeout_ms % 1000) * 1000000;
        if (until.tv_nsec >= 1000000000) {
                until.tv_sec++;
                until.tv_nsec -= 1000000000;
        }
        m->runs = pthread_clockjoin_np(m->thread, NULL, CLOCK_MONOTONIC, &until) != 0;
        return !m->runs;
}

struct machine *machine_free(struct machine *m) {
        if (!m)
                return NULL;
        sd_event_source_disable_unref(m->done);
        close_fd(m->done_fd);
        job_done(&m->job);
        free(m);
        return NULL;
}
