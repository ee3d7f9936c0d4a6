/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The pump of a worker thread: receive a job, run it, reply, then do what could wait until the reply
 * was out. It sleeps without a timeout unless a U2F prompt is up, a terminal waits for its echo or the
 * TPM was just used: one timeout closes the TPM connection, and after it an idle worker wakes for a
 * job, or for what is said to the presence, and never by itself.
 *
 * Where a spare key is missing (spare.h) there is one timeout more, which makes it. A command that
 * comes meanwhile waits for it, with keepalives, for up to nine seconds. So it is not made before
 * nobody has asked for anything for half a minute: what a client sends at the end of a registration
 * comes at once, and the sign-in that a person tries after it within seconds.
 *
 * Whether the machine slept is seen by the clock that goes on during sleep having run ahead of the one
 * that does not. It is looked at before each job, so that it needs nobody to tell it.
 */

#include "authenticator/worker.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <openssl/crypto.h>

#include "authenticator/attester-tpm.h"
#include "authenticator/env.h"
#include "authenticator/event.h"
#include "authenticator/manage.h"
#include "authenticator/outcome.h"
#include "authenticator/util.h"
#include "ctap/ctap.h"
#include "ctap/hid.h"
#include "ctap/status.h"

#define IDLE_MS      1000
#define NOTE_LOOK_MS 3600000 /* how long certificates are believed not to expire */
#define SPARE_MS     30000
#define SLEPT_MS     100 /* the two clocks are not read at one instant */

struct worker {
        struct backend *backend;
        struct presence *presence;
        pthread_t thread;
        bool started, joined;
        uint64_t (*slept_ms)(void);
        uint64_t spare_ms;

        int loop_fd; /* the loop's end */
        struct buf loop_in;

        /* From here on: the thread's alone. */
        int fd;
        struct buf in, out;
        uint64_t idle_at;             /* UINT64_MAX: idle already */
        uint64_t spare_at;            /* UINT64_MAX: there is nothing to make */
        uint64_t slept;               /* by slept_ms(), when it was looked at last */
        bool troubled;                /* the loop was told that something ails the TPM */
        bool verifies;                /* as the loop was told */
        char note[ATTESTER_NOTE_MAX]; /* likewise */
        uint32_t n_pins;              /* right ones that were given, likewise */
};

/* ---- on the worker thread ---- */

/* The loop reads until it ends this thread, so that a reply that cannot be sent has no reader. */
static void reply(struct worker *w, enum worker_reply type, uint32_t tag, struct bytes payload) {
        const struct message m = { (uint8_t)type, tag, payload };

        (void)!message_send(w->fd, &m);
}

static void tell_waiting(void *userdata, bool waiting) {
        uint8_t status = waiting ? HID_UPNEEDED : HID_PROCESSING;

        reply(userdata, WORKER_STATUS, 0, BYTES(&status, 1));
}

/* Takes the event. Nobody looks over the shoulder of a person with a real TPM. */
static void tell_event(struct worker *w, json_t *event) {
        _cleanup_(free_pointer) char *text = NULL;

        if (event && backend_simulates(w->backend))
                text = json_dumps(event, JSON_COMPACT);
        if (text)
                reply(w, WORKER_EVENT, 0, BYTES_TEXT(text));
        json_decref(event);
}

static void tell_audit(void *userdata, const struct audit_event *e) {
        uint8_t storage[AUDIT_MESSAGE_MAX];
        struct buf out = BUF_ON(storage);

        audit_event_put(e, &out);
        reply(userdata, WORKER_AUDIT, 0, buf_bytes(&out));
}

static void tell_question(void *userdata, const struct ctap_prompt *prompt) {
        tell_event(userdata, event_question(prompt));
}

static void tell_verdict(void *userdata, enum ctap_answer answer) {
        tell_event(userdata, event_verdict(answer));
}

/* What getInfo says from now on: clients that asked before have to ask again. */
static void tell_verifies(struct worker *w) {
        struct ctap_presence *port = presence_port(w->presence);
        bool verifies = port->ops->abilities(port) & CTAP_PRESENCE_VERIFY;
        uint8_t payload = verifies;

        if (verifies == w->verifies)
                return;
        w->verifies = verifies;
        reply(w, WORKER_VERIFIES, 0, BYTES(&payload, 1));
}

static void tell_note(struct worker *w) {
        const char *note = backend_attestation_note(w->backend);

        if (strcmp(note, w->note) == 0)
                return;
        snprintf(w->note, sizeof(w->note), "%s", note);
        reply(w, WORKER_NOTE, 0, BYTES_TEXT(w->note));
}

static void tell_pin_given(struct worker *w) {
        const struct ctap *ctap = backend_ctap(w->backend);
        uint32_t n = ctap ? ctap_pins_given(ctap) : 0;

        if (n > w->n_pins)
                reply(w, WORKER_PIN_GIVEN, 0, BYTES_NULL);
        w->n_pins = n;
}

static void run_ctap(struct worker *w, const struct message *job) {
        struct ctap *ctap = backend_ctap(w->backend);
        struct audit_event e;

        presence_forget_asked(w->presence);
        if (!ctap)
                buf_put(&w->out, worker_failure(job->type));
        else if (job->type == WORKER_CBOR)
                ctap_request(ctap, job->tag, job->payload, &w->out);
        else
                ctap_u2f(ctap, job->tag, job->payload, &w->out);
        /* While the loop still knows of the command. */
        if (ctap && job->type == WORKER_CBOR &&
            outcome_audit(presence_asked(w->presence), job->payload, buf_bytes(&w->out), &e))
                tell_audit(w, &e);
        reply(w, WORKER_ANSWER, job->tag, buf_bytes(&w->out));
        if (ctap && job->type == WORKER_CBOR)
                outcome_note(backend_journal(w->backend), presence_asked(w->presence), job->payload,
                             buf_bytes(&w->out));
}

static void run_open(struct worker *w, const struct message *job) {
        int r = backend_open(w->backend, (int)job->tag, job->payload, &w->out);
        enum worker_reply type = r == -EACCES ? WORKER_DENIED
                                 : r < 0      ? WORKER_FAILED
                                              : WORKER_OPENED;

        w->troubled = false;
        reply(w, type, job->tag, buf_bytes(&w->out));
}

static void run_suspend(struct worker *w, const struct message *job) {
        backend_suspend(w->backend);
        reply(w, WORKER_ANSWER, job->tag, BYTES_NULL);
}

static void run_power_up(struct worker *w, const struct message *job) {
        if (backend_ctap(w->backend))
                ctap_power_up(backend_ctap(w->backend));
        reply(w, WORKER_ANSWER, job->tag, BYTES_NULL);
}

static void clear_out(struct worker *w) {
        w->out.len = 0;
        w->out.failed = false;
}

static void run_control(struct worker *w, const struct message *job) {
        const bool was_open = backend_ctap(w->backend);
        int r;

        manage_run(w->backend, w->presence, job->payload, &w->out);
        reply(w, WORKER_ANSWER, job->tag, buf_bytes(&w->out));
        if (!was_open || backend_ctap(w->backend))
                return;
        clear_out(w);
        r = backend_why_lost(w->backend, &w->out);
        reply(w, WORKER_LOST, r == -EACCES, buf_bytes(&w->out));
}

/* Nobody may have told it that the machine slept. */
static void notice_sleep(struct worker *w) {
        uint64_t slept = w->slept_ms();

        if (slept > w->slept + SLEPT_MS)
                backend_suspend(w->backend);
        w->slept = slept;
}

/* A client hears of any failure the same; the owner is told if it is the TPM's, and when it is over. */
static void check_tpm(struct worker *w, const struct message *job) {
        bool is_of_client = job->type == WORKER_CBOR || job->type == WORKER_MSG;
        bool failed = is_of_client && bytes_equal(buf_bytes(&w->out), worker_failure(job->type));
        bool was_troubled = w->troubled;
        int r;

        if (!backend_ctap(w->backend) || (!failed && !was_troubled))
                return;
        clear_out(w);
        r = backend_check(w->backend, &w->out);
        w->troubled = r < 0;
        if (w->troubled != was_troubled)
                tell_audit(w, &(struct audit_event){ .what = w->troubled ? AUDIT_TPM_FAILED
                                                                         : AUDIT_TPM_RECOVERED,
                                                     .error = r });
        if (w->troubled || was_troubled)
                reply(w, WORKER_TROUBLE, 0, buf_bytes(&w->out));
}

/* False: the thread is to end. */
static bool run_job(struct worker *w, const struct message *job) {
        clear_out(w);
        notice_sleep(w);

        switch ((enum worker_job)job->type) {
        case WORKER_CBOR:
        case WORKER_MSG:
                run_ctap(w, job);
                break;
        case WORKER_CONTROL:
                run_control(w, job);
                break;
        case WORKER_OPEN:
                run_open(w, job);
                break;
        case WORKER_POWER_UP:
                run_power_up(w, job);
                break;
        case WORKER_SUSPEND:
                run_suspend(w, job);
                break;
        case WORKER_STOP:
                return false;
        }

        /* The TPM was let go, and stays so. */
        if (job->type == WORKER_SUSPEND) {
                w->idle_at = w->spare_at = UINT64_MAX;
                return true;
        }
        check_tpm(w, job);
        /* A PIN or a password came in it. */
        OPENSSL_cleanse(w->in.data, w->in.len);
        backend_settle(w->backend);
        w->idle_at = env_now_ms() + IDLE_MS;
        w->spare_at = backend_wants_spare(w->backend) ? env_now_ms() + w->spare_ms : UINT64_MAX;
        return true;
}

static uint64_t expiry(const struct worker *w) {
        const struct ctap *ctap = backend_ctap(w->backend);

        return ctap ? ctap_deadline(ctap) : UINT64_MAX;
}

static void run_timers(struct worker *w) {
        uint64_t now = env_now_ms();

        if (now >= expiry(w))
                ctap_expire(backend_ctap(w->backend));
        if (now >= w->spare_at) {
                notice_sleep(w);
                backend_make_spare(w->backend);
                w->spare_at = UINT64_MAX;
                w->idle_at = now;
        }
        if (now >= w->idle_at) {
                backend_idle(w->backend);
                w->idle_at = UINT64_MAX;
        }
}

static uint64_t earlier(uint64_t a, uint64_t b) {
        return a < b ? a : b;
}

/* The clock that certificates go by may be set, and goes on while the machine sleeps: look again. */
static uint64_t note_at(const struct worker *w, uint64_t now) {
        const uint64_t ms = backend_attestation_lifetime_ms(w->backend);

        return ms == UINT64_MAX ? UINT64_MAX : now + earlier(ms, NOTE_LOOK_MS);
}

static int sleep_time(const struct worker *w) {
        uint64_t now = env_now_ms();
        uint64_t at = earlier(earlier(expiry(w), w->idle_at), presence_deadline(w->presence));

        at = earlier(earlier(at, w->spare_at), note_at(w, now));
        if (at == UINT64_MAX)
                return -1;
        if (at <= now)
                return 0;
        return at - now > INT_MAX ? INT_MAX : (int)(at - now);
}

/* False: the thread is to end. */
static bool take_job(struct worker *w) {
        struct message job;

        return message_receive(w->fd, &w->in, &job) == 0 && run_job(w, &job);
}

static void *worker_main(void *userdata) {
        struct worker *w = userdata;
        bool goes_on = true;

        while (goes_on) {
                struct pollfd fds[1 + PRESENCE_WATCHED] = { { .fd = w->fd, .events = POLLIN } };
                int n;

                tell_verifies(w);
                tell_note(w);
                tell_pin_given(w);
                presence_watch(w->presence, fds + 1);
                n = poll(fds, ELEMENTSOF(fds), sleep_time(w));
                presence_attend(w->presence);
                if (n <= 0)
                        run_timers(w);
                else if (fds[0].revents != 0)
                        goes_on = take_job(w);
        }

        backend_close(w->backend);
        return NULL;
}

/* ---- on the loop thread ---- */

static int allocate(struct buf *b) {
        *b = (struct buf){ .data = malloc(MESSAGE_MAX), .cap = MESSAGE_MAX };
        return b->data ? 0 : -ENOMEM;
}

static int set_up(struct worker *w, const struct worker_options *options) {
        struct presence_options presence = options->presence;
        struct backend_options backend = options->backend;
        int pair[2], r;

        if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
                return -errno;
        w->loop_fd = pair[0];
        w->fd = pair[1];

        r = allocate(&w->loop_in);
        if (r == 0)
                r = allocate(&w->in);
        if (r == 0)
                r = allocate(&w->out);
        /* A reply is its payload alone; the header is not in this buffer. */
        w->out.cap = MESSAGE_PAYLOAD_MAX;
        if (r < 0)
                return r;

        presence.waiting = tell_waiting;
        presence.asked = tell_question;
        presence.answered = tell_verdict;
        presence.userdata = w;
        r = presence_new(&presence, &w->presence);
        if (r < 0)
                return r;

        backend.presence = presence_port(w->presence);
        backend.audit = tell_audit;
        backend.audit_userdata = w;
        return backend_new(&backend, &w->backend);
}

/* The thread takes no signal, so that the loop's signalfd gets them all. */
static int start_thread(struct worker *w) {
        sigset_t all, before;
        int r;

        sigfillset(&all);
        pthread_sigmask(SIG_SETMASK, &all, &before);
        r = pthread_create(&w->thread, NULL, worker_main, w);
        pthread_sigmask(SIG_SETMASK, &before, NULL);
        w->started = r == 0;
        return -r;
}

int worker_new(const struct worker_options *options, struct worker **ret) {
        struct worker *w = calloc(1, sizeof(*w));
        int r;

        if (!w)
                return -ENOMEM;
        w->fd = w->loop_fd = -1;
        w->idle_at = w->spare_at = UINT64_MAX;
        w->spare_ms = options->spare_ms > 0 ? options->spare_ms : SPARE_MS;
        w->slept_ms = options->slept_ms ? options->slept_ms : env_slept_ms;
        w->slept = w->slept_ms();

        r = set_up(w, options);
        if (r == 0)
                r = start_thread(w);
        if (r < 0) {
                worker_free(w);
                return r;
        }

        *ret = w;
        return 0;
}

void worker_stop(struct worker *w) {
        worker_cancel(w);
        (void)!worker_send(w, WORKER_STOP, 0, BYTES_NULL);
        /* Ends the thread also if the job did not fit, and lets no reply of it block. */
        shutdown(w->loop_fd, SHUT_WR);
        shutdown(w->loop_fd, SHUT_RD);
}

bool worker_join(struct worker *w, uint64_t timeout_ms) {
        struct timespec until;

        if (w->joined)
                return true;
        clock_gettime(CLOCK_MONOTONIC, &until);
        until.tv_sec += (time_t)(timeout_ms / 1000);
        until.tv_nsec += (long)(timeout_ms % 1000) * 1000000;
        if (until.tv_nsec >= 1000000000) {
                until.tv_sec++;
                until.tv_nsec -= 1000000000;
        }
        w->joined = pthread_clockjoin_np(w->thread, NULL, CLOCK_MONOTONIC, &until) == 0;
        return w->joined;
}

void worker_abandon(const struct worker *w) {
        presence_abandon(w->presence);
}

struct worker *worker_free(struct worker *w) {
        if (!w)
                return NULL;
        if (w->started && !w->joined) {
                worker_stop(w);
                pthread_join(w->thread, NULL);
        }
        backend_free(w->backend);
        presence_free(w->presence);
        close_fd(w->fd);
        close_fd(w->loop_fd);
        free(w->loop_in.data);
        free(w->in.data);
        free(w->out.data);
        free(w);
        return NULL;
}

int worker_fd(const struct worker *w) {
        return w->loop_fd;
}

int worker_send(struct worker *w, enum worker_job job, uint32_t tag, struct bytes payload) {
        const struct message m = { (uint8_t)job, tag, payload };

        return message_send(w->loop_fd, &m);
}

int worker_receive(struct worker *w, struct message *ret) {
        struct pollfd p = { .fd = w->loop_fd, .events = POLLIN };

        if (poll(&p, 1, 0) == 0)
                return -EAGAIN;
        return message_receive(w->loop_fd, &w->loop_in, ret);
}

struct bytes worker_failure(enum worker_job job) {
        static const uint8_t ctap[] = { CTAP1_ERR_OTHER }, u2f[] = { 0x6f, 0x00 };

        return job == WORKER_MSG ? BYTES_OF(u2f) : BYTES_OF(ctap);
}

void worker_clear_cancel(struct worker *w) {
        uint64_t count;

        (void)!read(presence_cancel_fd(w->presence), &count, sizeof(count));
}

void worker_cancel(struct worker *w) {
        const uint64_t one = 1;

        (void)!write(presence_cancel_fd(w->presence), &one, sizeof(one));
}

int worker_inject(const struct worker *w, enum presence_inject what, struct bytes with) {
        return presence_inject(w->presence, what, with);
}
