/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The glue of one device. Reports go into the framing, and what it says is done at once; commands
 * become jobs, of which the worker has one at a time and the rest wait in a short queue, so that a
 * request of the control socket and a command of a client never meet inside the worker.
 *
 * A job remembers the plug cycle that it belongs to. When the device is replaced under a running
 * command, or opened anew while it is still being opened, the answer finds another cycle and is
 * dropped; what has not begun by then never does.
 *
 * Clients ask once what a device can do. When a person becomes able to be verified here, or unable, it
 * is unplugged and plugged in again, once no command runs. That is a power cycle like any other. It
 * takes the control socket or the end of a terminal to bring it about: nothing that a client sends
 * changes what a person can do, so that no client gains a power cycle by it.
 */

#include "authenticator/instance.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#include "authenticator/device.h"
#include "authenticator/env.h"
#include "authenticator/manage.h"
#include "authenticator/protocol.h"
#include "authenticator/simulator.h"
#include "authenticator/util.h"
#include "authenticator/worker.h"
#include "build-config.h"
#include "ctap/hid.h"

#define JOBS_MAX       32 /* of all kinds; control clients have one each at most */
#define REASON_MAX     1024
#define SIMULATOR_NAME " (simulator)"

struct job {
        struct job *next;
        enum worker_job type;
        uint32_t tag;
        uint64_t plug;  /* the plug cycle that it belongs to */
        bool cancelled; /* before it ran */
        bool discard;   /* nobody waits for the answer */
        size_t len;
        uint8_t data[];
};

struct instance {
        struct instance_options options;
        const struct config *config;
        struct log_context log;
        char id[32];
        char uniq[16];
        char phys[48];
        char *folder, *store_path, *tpm_folder;
        char *name; /* of the device, before "(simulator)" */
        char full_name[128];

        enum instance_state state;
        char reason[REASON_MAX];
        bool wants_owner_auth;    /* the reason is that the TPM's owner has a password */
        char trouble[REASON_MAX]; /* what ails the TPM of one that is ready, or empty */
        struct backend_facts facts;
        bool provisioning; /* somebody waits for the outcome, under this tag */
        uint32_t provision_tag;
        enum presence_inject presence_now; /* ASK: as configured */
        bool verifies;                     /* a person can be verified: as the worker said last */
        bool plugged_verifies;             /* and as clients know it */

        struct simulator *simulator;
        sd_event_source *simulator_io;
        struct worker *worker;
        sd_event_source *worker_io;
        struct device *device;
        struct hid *hid;
        uint64_t plug;
        sd_event_source *timer;
        sd_event_source *lost; /* runs once after the device was lost */

        struct job *running;
        bool asking;     /* the running job waits for a person */
        bool suspending; /* WORKER_SUSPEND is running or waits */
        struct job *queue;
        unsigned n_queued;
};

/* ---- state ---- */

static void answer_provisioning(struct instance *i) {
        json_t *body;

        if (!i->provisioning || i->state == INSTANCE_STARTING)
                return;
        i->provisioning = false;
        if (i->state == INSTANCE_READY)
                body = control_result(instance_describe(i));
        else
                body = control_error(i->wants_owner_auth ? PROTOCOL_E_OWNER_AUTH
                                                         : PROTOCOL_E_FAILED,
                                     "%s", i->reason);
        i->options.on_answer(i->options.userdata, i->provision_tag, body);
}

static void set_state(struct instance *i, enum instance_state state, const char *reason) {
        i->state = state;
        if (state != INSTANCE_READY)
                *i->trouble = '\0';
        snprintf(i->reason, sizeof(i->reason), "%s", reason);
        if (state == INSTANCE_FAILED)
                log_write(i->options.log, LOG_ERR, i->id, "%s", reason);
        if (state == INSTANCE_READY)
                log_write(i->options.log, LOG_INFO, i->id, "ready: %s at %s, TPM %s", i->full_name,
                          device_path(i->device), i->facts.tpm);
        i->options.on_state(i->options.userdata);
        answer_provisioning(i);
}

static void rearm(struct instance *i) {
        uint64_t at = i->hid ? hid_deadline(i->hid) : UINT64_MAX;
        int r;

        if (at == UINT64_MAX)
                r = sd_event_source_set_enabled(i->timer, SD_EVENT_OFF);
        else {
                r = sd_event_source_set_time(i->timer, at * 1000);
                if (r >= 0)
                        r = sd_event_source_set_enabled(i->timer, SD_EVENT_ONESHOT);
        }
        if (r < 0)
                log_write(i->options.log, LOG_ERR, i->id, "the timer could not be set: %s",
                          strerror(-r));
}

/* ---- jobs ---- */

static void job_free(struct job *job) {
        if (!job)
                return;
        OPENSSL_cleanse(job->data, job->len);
        free(job);
}

static bool is_of_client(const struct job *job) {
        return job->type == WORKER_CBOR || job->type == WORKER_MSG;
}

static void answer_control(struct instance *i, const struct job *job, struct bytes text) {
        json_t *body = json_loadb((const char *)text.data, text.len, 0, NULL);

        if (!body)
                body = control_error(PROTOCOL_E_FAILED, "The worker gave no answer.");
        i->options.on_answer(i->options.userdata, job->tag, body);
}

/* Hands the next job to the worker, if that is free. */
static void run_next(struct instance *i) {
        struct job *job = i->queue;
        int r;

        if (i->running || !job)
                return;
        i->queue = job->next;
        i->n_queued--;

        worker_clear_cancel(i->worker);
        if (job->cancelled)
                worker_cancel(i->worker);
        r = worker_send(i->worker, job->type, job->tag, BYTES(job->data, job->len));
        if (r < 0)
                log_write(i->options.log, LOG_ERR, i->id, "the worker takes no job: %s",
                          strerror(-r));
        i->running = job;
}

static void remove_job(struct instance *i, struct job **at) {
        struct job *job = *at;

        *at = job->next;
        i->n_queued--;
        /* The simulator's descriptor, which the worker never got. */
        if (job->type == WORKER_OPEN)
                close_fd((int)job->tag);
        job_free(job);
}

/* What belongs to a device that is not there any more. */
static void drop_stale_jobs(struct instance *i) {
        struct job **at = &i->queue;

        while (*at) {
                bool stays = (*at)->type == WORKER_CONTROL || (*at)->type == WORKER_SUSPEND;

                if (stays)
                        at = &(*at)->next;
                else
                        remove_job(i, at);
        }
}

/* -ENOBUFS: too many wait; -ENOMEM. */
static int add_job(struct instance *i, enum worker_job type, uint32_t tag, struct bytes data) {
        struct job **end = &i->queue, *job;

        if (i->n_queued >= JOBS_MAX)
                return -ENOBUFS;
        job = calloc(1, sizeof(*job) + data.len);
        if (!job)
                return -ENOMEM;
        job->type = type;
        job->tag = tag;
        job->plug = i->plug;
        job->len = data.len;
        if (data.len > 0)
                memcpy(job->data, data.data, data.len);

        while (*end)
                end = &(*end)->next;
        *end = job;
        i->n_queued++;
        run_next(i);
        return 0;
}

/* The command of the plugged device that the framing knows to be running; NULL if there is none. */
static struct job *client_job(struct instance *i) {
        if (i->running && is_of_client(i->running) && i->running->plug == i->plug)
                return i->running;
        for (struct job *job = i->queue; job; job = job->next)
                if (is_of_client(job) && job->plug == i->plug)
                        return job;
        return NULL;
}

static void cancel_client_job(struct instance *i, bool discard) {
        struct job *job = client_job(i);

        if (!job)
                return;
        job->discard = job->discard || discard;
        job->cancelled = true;
        if (job == i->running)
                worker_cancel(i->worker);
}

/* ---- the wire ---- */

static void send_message(struct instance *i, uint32_t channel, uint8_t command,
                         struct bytes message) {
        struct hid_fragments f = hid_fragment(channel, command, message);
        uint8_t report[HID_REPORT_SIZE];

        while (i->device && hid_next_report(&f, report))
                device_send(i->device, report);
}

static void start_client_job(struct instance *i, const struct hid_action *a) {
        enum worker_job type = a->command == HID_CBOR ? WORKER_CBOR : WORKER_MSG;

        if (add_job(i, type, a->channel, a->payload) == 0)
                return;
        log_write(i->options.log, LOG_WARNING, i->id, "out of memory for a client's command");
        send_message(i, a->channel, a->command, worker_failure(type));
        hid_finish(i->hid);
}

static void act(struct instance *i, const struct hid_action *a) {
        switch (a->verdict) {
        case HID_NOTHING:
                break;
        case HID_WINKED:
                log_write(i->options.log, LOG_NOTICE, i->id, "a client asks: which key is this?");
                send_message(i, a->channel, a->command, a->payload);
                break;
        case HID_REPLY:
                send_message(i, a->channel, a->command, a->payload);
                break;
        case HID_MESSAGE:
                start_client_job(i, a);
                break;
        case HID_ABORT:
                cancel_client_job(i, true);
                send_message(i, a->channel, a->command, a->payload);
                break;
        case HID_CANCELLED:
                cancel_client_job(i, false);
                break;
        }
}

static void on_report(void *userdata, const uint8_t report[static UHID_REPORT_SIZE]) {
        struct instance *i = userdata;
        struct hid_action a = hid_receive(i->hid, report, env_now_ms());

        act(i, &a);
        rearm(i);
}

static void tick(struct instance *i) {
        while (i->hid && env_now_ms() >= hid_deadline(i->hid)) {
                struct hid_action a = hid_tick(i->hid, env_now_ms());

                if (a.verdict == HID_NOTHING)
                        break;
                act(i, &a);
        }
        rearm(i);
}

static int on_timer(sd_event_source *source, uint64_t usec, void *userdata) {
        (void)source;
        (void)usec;
        tick(userdata);
        return 0;
}

/* Nobody reads the answer any more, and nobody shall be asked for a client that has gone. */
static void on_closed(void *userdata) {
        cancel_client_job(userdata, false);
}

static void on_gone(void *userdata) {
        struct instance *i = userdata;

        (void)!sd_event_source_set_enabled(i->lost, SD_EVENT_ONESHOT);
}

/* ---- plugging ---- */

static void unplug(struct instance *i) {
        cancel_client_job(i, true);
        i->device = device_free(i->device);
        i->hid = hid_free(i->hid);
        i->plug++;
        drop_stale_jobs(i);
        (void)!sd_event_source_set_enabled(i->lost, SD_EVENT_OFF);
        rearm(i);
}

static void fail(struct instance *i, const char *reason) {
        unplug(i);
        set_state(i, INSTANCE_FAILED, reason);
}

static int new_hid(struct instance *i) {
        struct hid_options options = { .max_message = BACKEND_MESSAGE_MAX };
        unsigned major = 0, minor = 0, patch = 0;

        (void)!sscanf(TPMAUTHN_VERSION, "%u.%u.%u", &major, &minor, &patch);
        options.version[0] = (uint8_t)major;
        options.version[1] = (uint8_t)minor;
        options.version[2] = (uint8_t)patch;
        (void)!getrandom(&options.seed, sizeof(options.seed), GRND_NONBLOCK);
        i->hid = hid_new(&options);
        return i->hid ? 0 : -ENOMEM;
}

/* Creates the device; from the client's side this is power-up (CTAP 2.3 §6.6). */
static void plug(struct instance *i) {
        char storage[REASON_MAX - 1];
        struct buf reason = { (uint8_t *)storage, 0, sizeof(storage), false };
        const struct device_options options = {
                .event = i->options.event,
                .spec = i->config->device,
                .index = i->options.index,
                .identity = { .name = i->full_name,
                              .phys = i->phys,
                              .uniq = i->uniq,
                              .vendor = TPMAUTHN_USB_VENDOR,
                              .product = TPMAUTHN_USB_PRODUCT,
                              .version = 0x0100 },
                .on_report = on_report,
                .on_closed = on_closed,
                .on_gone = on_gone,
                .userdata = i,
        };
        char text[REASON_MAX];
        int r;

        i->plugged_verifies = i->verifies;
        snprintf(i->full_name, sizeof(i->full_name), "%s%s", i->name,
                 i->facts.simulator ? SIMULATOR_NAME : "");
        r = new_hid(i);
        if (r == 0)
                r = add_job(i, WORKER_POWER_UP, 0, BYTES_NULL);
        if (r == 0)
                r = device_new(&options, &i->device, &reason);
        if (r < 0) {
                snprintf(text, sizeof(text), "%.*s", (int)reason.len, storage);
                fail(i, reason.len > 0 ? text : strerror(-r));
                return;
        }
        set_state(i, INSTANCE_READY, "");
}

static void follow_presence(struct instance *i) {
        if (i->state != INSTANCE_READY || i->verifies == i->plugged_verifies || client_job(i))
                return;
        log_write(i->options.log, LOG_INFO, i->id, "the PIN can %s be given here: plugged in anew",
                  i->verifies ? "now" : "no longer");
        unplug(i);
        plug(i);
}

static int on_lost(sd_event_source *source, void *userdata) {
        struct instance *i = userdata;

        (void)source;
        if (i->state == INSTANCE_READY)
                fail(i, "The kernel took the virtual device away. Try: tpmauthn replug.");
        return 0;
}

/* ---- what the worker says ---- */

static void on_answer(struct instance *i, struct job *job, struct bytes answer) {
        if (job->type == WORKER_CONTROL) {
                answer_control(i, job, answer);
                return;
        }
        if (job->type == WORKER_SUSPEND) {
                i->suspending = false;
                i->options.on_suspended(i->options.userdata);
                return;
        }
        if (!is_of_client(job) || job->plug != i->plug || !i->hid)
                return;
        if (!job->discard)
                send_message(i, job->tag, job->type == WORKER_CBOR ? HID_CBOR : HID_MSG, answer);
        hid_finish(i->hid);
        tick(i);
}

/* True if this is the opening that the state is about, and not one before it. */
static bool is_awaited(const struct instance *i, const struct job *job) {
        return i->state == INSTANCE_STARTING && job->type == WORKER_OPEN && job->plug == i->plug;
}

static void on_opened(struct instance *i, const struct job *job, struct bytes facts) {
        if (!is_awaited(i, job))
                return;
        if (backend_facts_read(facts, &i->facts) < 0) {
                fail(i, "The worker said what nobody understands. Restart tpmauthnd.");
                return;
        }
        if (*i->facts.note)
                log_write(i->options.log, LOG_NOTICE, i->id, "%s", i->facts.note);
        plug(i);
}

static void take_text(struct bytes from, char to[static REASON_MAX]) {
        snprintf(to, REASON_MAX, "%.*s", (int)from.len, (const char *)from.data);
}

static void on_failed(struct instance *i, const struct job *job, struct bytes reason, bool denied) {
        char text[REASON_MAX];

        if (!is_awaited(i, job))
                return;
        take_text(reason, text);
        i->wants_owner_auth = denied;
        fail(i, text);
}

static void on_trouble(struct instance *i, struct bytes what) {
        bool was_troubled = *i->trouble != '\0';

        if (i->state != INSTANCE_READY)
                return;
        take_text(what, i->trouble);
        if (*i->trouble && !was_troubled)
                log_write(i->options.log, LOG_ERR, i->id, "%s", i->trouble);
        if (!*i->trouble && was_troubled)
                log_write(i->options.log, LOG_NOTICE, i->id, "the TPM works again");
}

static void on_status(struct instance *i, struct bytes status) {
        const struct job *job = i->running;

        i->asking = job && status.len == 1 && status.data[0] == HID_UPNEEDED;
        /* A43: a U2F message knows no keepalives. */
        if (!job || job->type != WORKER_CBOR || job->plug != i->plug || !i->hid || status.len != 1)
                return;
        hid_set_keepalive(i->hid, status.data[0], env_now_ms());
        tick(i);
}

static void on_verifies(struct instance *i, struct bytes verifies) {
        i->verifies = verifies.len == 1 && verifies.data[0] == 1;
        follow_presence(i);
}

static void on_worker_message(struct instance *i, const struct message *m) {
        struct job *job = i->running;

        if (m->type == WORKER_STATUS) {
                on_status(i, m->payload);
                return;
        }
        if (m->type == WORKER_TROUBLE) {
                on_trouble(i, m->payload);
                return;
        }
        if (m->type == WORKER_VERIFIES) {
                on_verifies(i, m->payload);
                return;
        }
        if (!job)
                return;

        i->running = NULL;
        i->asking = false;
        if (m->type == WORKER_ANSWER)
                on_answer(i, job, m->payload);
        else if (m->type == WORKER_OPENED)
                on_opened(i, job, m->payload);
        else if (m->type == WORKER_FAILED || m->type == WORKER_DENIED)
                on_failed(i, job, m->payload, m->type == WORKER_DENIED);
        job_free(job);
        run_next(i);
        follow_presence(i);
}

static int on_worker(sd_event_source *source, int fd, uint32_t events, void *userdata) {
        struct instance *i = userdata;
        struct message m;
        int r;

        (void)source;
        (void)fd;
        (void)events;
        while ((r = worker_receive(i->worker, &m)) == 0)
                on_worker_message(i, &m);
        if (r != -EAGAIN) {
                sd_event_source_set_enabled(i->worker_io, SD_EVENT_OFF);
                fail(i, "The worker has ended. Restart tpmauthnd.");
        }
        return 0;
}

/* ---- starting ---- */

static bool wants_swtpm(const struct instance *i) {
        return strcmp(i->config->tpm, "swtpm") == 0;
}

static int on_simulator_end(sd_event_source *source, int fd, uint32_t events, void *userdata) {
        struct instance *i = userdata;
        char text[REASON_MAX];

        (void)source;
        (void)fd;
        (void)events;
        i->simulator_io = sd_event_source_disable_unref(i->simulator_io);
        i->simulator = simulator_stop(i->simulator);
        snprintf(text, sizeof(text),
                 "The simulator swtpm ended; %s/swtpm.log may say why. Try: tpmauthn replug.",
                 i->tpm_folder);
        /* A device that has failed already keeps its reason, which may be what ended this too. */
        if (i->state != INSTANCE_FAILED)
                fail(i, text);
        return 0;
}

static int start_simulator(struct instance *i, struct buf *reason) {
        int r;

        if (!wants_swtpm(i) || i->simulator)
                return 0;
        r = simulator_start(i->tpm_folder, &i->simulator, reason);
        if (r < 0)
                return r;
        return sd_event_add_io(i->options.event, &i->simulator_io, simulator_pidfd(i->simulator),
                               EPOLLIN, on_simulator_end, i);
}

/* 0 also if none is configured. */
static int read_pin(struct instance *i, struct ctap_typed_pin *ret, struct buf *reason) {
        const char *path = i->config->presence_pin_file;
        char text[512];
        int r = *path ? presence_pin_read(path, ret) : 0;

        if (r == 0)
                return 0;
        snprintf(text, sizeof(text), "[presence] pin-file = %s: %s.", path,
                 r == -EINVAL ? "its first line is no PIN" : strerror(-r));
        buf_put(reason, BYTES_TEXT(text));
        return r;
}

static int start_worker(struct instance *i, struct buf *reason) {
        _cleanup_(ctap_typed_pin_wipe) struct ctap_typed_pin pin = { 0 };
        const struct worker_options options = {
                .backend = {
                        .id = i->id,
                        .store_path = i->store_path,
                        .max_credentials = i->config->max_credentials,
                        .tpm = { .tcti = wants_swtpm(i) ? NULL : i->config->tpm,
                                 .fd = -1,
                                 .nv_first = i->config->nv.first,
                                 .nv_last = i->config->nv.last,
                                 .persistent_first = i->config->persistent.first,
                                 .persistent_last = i->config->persistent.last,
                                 .persist_srk = i->config->persist_srk,
                                 .sessions = i->config->sessions },
                        .max_large_blobs = i->config->large_blobs,
                        .always_uv = i->config->always_uv,
                        .locked = i->config->lock,
                        .ctap_2_3 = i->config->ctap_2_3,
                        .attester = { .key = i->config->attestation_key,
                                      .certificates = i->config->attestation_certificates,
                                      .rp_ids = i->config->attestation_rp_ids },
                        .private_simulator = wants_swtpm(i),
                        .presence_mode = i->config->presence,
                        .log = i->options.log,
                },
                .presence = { .mode = i->config->presence,
                              .verify = i->config->presence_verify,
                              .pin = &pin,
                              .timeout_ms = i->config->presence_timeout_ms,
                              .device_name = i->name,
                              .tty_fd = -1 },
        };
        int r;

        if (i->worker)
                return 0;
        r = read_pin(i, &pin, reason);
        if (r < 0)
                return r;
        r = worker_new(&options, &i->worker);
        if (r < 0 && i->config->presence == PRESENCE_TTY)
                buf_put(reason, BYTES_TEXT("presence = tty needs the terminal that tpmauthnd was "
                                           "started from, and there is none."));
        if (r < 0)
                return r;
        return sd_event_add_io(i->options.event, &i->worker_io, worker_fd(i->worker), EPOLLIN,
                               on_worker, i);
}

/*
 * Who may write there may put a link in place of the store or of the simulator's state, and has this
 * account write to where it leads.
 */
static int make_folder(const char *path, struct buf *reason) {
        char text[512] = "";
        struct stat st;

        if ((mkdir(path, 0700) < 0 && errno != EEXIST) || stat(path, &st) < 0)
                snprintf(text, sizeof(text), "The folder %s could not be made: %s.", path,
                         strerror(errno));
        else if (!S_ISDIR(st.st_mode))
                snprintf(text, sizeof(text),
                         "%s is no folder. Move it away; then: tpmauthn replug.", path);
        else if ((st.st_uid != 0 && st.st_uid != geteuid()) || (st.st_mode & 022))
                snprintf(text, sizeof(text),
                         "The folder %s can be written by other accounts. Give it to the account "
                         "that runs tpmauthnd, and chmod 0700 it; then: tpmauthn replug.",
                         path);
        if (!*text)
                return 0;
        buf_put(reason, BYTES_TEXT(text));
        return -EIO;
}

static int start_opening(struct instance *i, struct bytes owner_auth, struct buf *reason) {
        int r, fd = -1;

        r = make_folder(i->folder, reason);
        if (r == 0 && wants_swtpm(i))
                r = make_folder(i->tpm_folder, reason);
        if (r == 0)
                r = start_simulator(i, reason);
        if (r >= 0)
                r = start_worker(i, reason);
        if (r < 0)
                return r;

        if (i->simulator) {
                fd = fcntl(simulator_fd(i->simulator), F_DUPFD_CLOEXEC, 3);
                if (fd < 0)
                        return -errno;
        }
        r = add_job(i, WORKER_OPEN, (uint32_t)fd, owner_auth);
        if (r < 0)
                close_fd(fd);
        return r;
}

static void start(struct instance *i, struct bytes owner_auth) {
        char text[REASON_MAX] = "";
        struct buf reason = { (uint8_t *)text, 0, sizeof(text) - 1, false };
        int r;

        i->wants_owner_auth = false;
        set_state(i, INSTANCE_STARTING, "");
        r = start_opening(i, owner_auth, &reason);
        if (r < 0)
                fail(i, reason.len > 0 ? text : strerror(-r));
}

void instance_replug(struct instance *i) {
        if (i->state == INSTANCE_STARTING)
                return;
        unplug(i);
        start(i, BYTES_NULL);
}

void instance_provision(struct instance *i, uint32_t tag, const char *owner_auth) {
        if (i->state == INSTANCE_STARTING) {
                i->options.on_answer(i->options.userdata, tag,
                                     control_error(PROTOCOL_E_NOT_READY,
                                                   "Device %u is starting; try again.",
                                                   i->options.index));
                return;
        }
        i->provisioning = true;
        i->provision_tag = tag;
        if (i->state == INSTANCE_READY) {
                answer_provisioning(i);
                return;
        }
        unplug(i);
        start(i, BYTES_TEXT(owner_auth));
}

bool instance_suspend(struct instance *i) {
        if (i->state != INSTANCE_READY)
                return false;
        if (!i->suspending && add_job(i, WORKER_SUSPEND, 0, BYTES_NULL) == 0)
                i->suspending = true;
        return instance_is_suspending(i);
}

bool instance_is_suspending(const struct instance *i) {
        return i->suspending && !i->asking;
}

/* ---- the control socket's side ---- */

enum instance_state instance_state(const struct instance *i) {
        return i->state;
}

static const char *presence_text(const struct instance *i) {
        if (i->presence_now == PRESENCE_INJECT_AUTO)
                return "auto";
        if (i->presence_now == PRESENCE_INJECT_DENY)
                return "deny";
        return presence_mode_to_string(i->config->presence);
}

/* Why nobody can be verified here; NULL if a person can. */
static const char *why_unverified(const struct instance *i) {
        if (i->verifies)
                return NULL;
        if (i->presence_now == PRESENCE_INJECT_DENY || i->config->presence == PRESENCE_DENY)
                return "every question is answered no";
        if (!i->config->presence_verify)
                return "[presence] verify = no";
        if (i->presence_now == PRESENCE_INJECT_ASK && i->config->presence == PRESENCE_TTY)
                return "the terminal hung up; start tpmauthnd on another one";
        return "there is no PIN to answer with; to give one: tpmauthn presence pin";
}

json_t *instance_describe(const struct instance *i) {
        static const char *const states[] = { "starting", "ready", "failed" };
        const char *state = *i->trouble ? "failed" : states[i->state];
        const char *reason = *i->trouble ? i->trouble : i->reason;
        json_t *j = json_pack("{s:i,s:s,s:s,s:s,s:s}", "device", (int)i->options.index, "id", i->id,
                              "state", state, "presence", presence_text(i), "store", i->store_path);

        if (!j)
                return NULL;
        if (*reason)
                json_object_set_new(j, "reason", json_string(reason));
        if (i->wants_owner_auth)
                json_object_set_new(j, "owner_auth_wanted", json_true());
        if (i->state == INSTANCE_READY) {
                json_object_set_new(j, "name", json_string(i->full_name));
                json_object_set_new(j, "path", json_string(device_path(i->device)));
                json_object_set_new(j, "tpm", json_string(i->facts.tpm));
                json_object_set_new(j, "simulator", json_boolean(i->facts.simulator));
                json_object_set_new(j, "pin_kind", json_string(manage_pin_kind(i->facts.pin_kind)));
                json_object_set_new(j, "hmac_kind",
                                    json_string(manage_hmac_kind(i->facts.hmac_kind)));
                json_object_set_new(j, "verify", json_boolean(!why_unverified(i)));
                if (why_unverified(i))
                        json_object_set_new(j, "verify_off", json_string(why_unverified(i)));
                if (*i->facts.note)
                        json_object_set_new(j, "note", json_string(i->facts.note));
        }
        return j;
}

void instance_control(struct instance *i, uint32_t tag, const struct control_request *rq) {
        _cleanup_(free_secret) char *job = NULL;
        json_t *error = NULL;

        if (i->state != INSTANCE_READY)
                error = control_error(PROTOCOL_E_NOT_READY, "Device %u is not ready. %s",
                                      i->options.index, i->reason);
        else {
                job = manage_job(rq);
                if (!job || add_job(i, WORKER_CONTROL, tag, BYTES_TEXT(job)) < 0)
                        error = control_error(PROTOCOL_E_BUSY, "Too much waits already.");
        }
        if (error)
                i->options.on_answer(i->options.userdata, tag, error);
}

void instance_forget(struct instance *i, uint32_t tag) {
        for (struct job **at = &i->queue; *at; at = &(*at)->next)
                if ((*at)->type == WORKER_CONTROL && (*at)->tag == tag) {
                        remove_job(i, at);
                        break;
                }
        if (i->provisioning && i->provision_tag == tag)
                i->provisioning = false;
}

static bool stands_in_for_a_person(enum presence_inject what) {
        switch (what) {
        case PRESENCE_INJECT_ONCE:
        case PRESENCE_INJECT_AUTO:
        case PRESENCE_INJECT_PIN:
        case PRESENCE_INJECT_PIN_ONCE:
                return true;
        case PRESENCE_INJECT_NO:
        case PRESENCE_INJECT_DENY:
        case PRESENCE_INJECT_ASK:
        case PRESENCE_INJECT_NO_PIN:
                break;
        }
        return false;
}

static bool is_mode(enum presence_inject what) {
        return what == PRESENCE_INJECT_AUTO || what == PRESENCE_INJECT_DENY ||
               what == PRESENCE_INJECT_ASK;
}

json_t *instance_inject(struct instance *i, enum presence_inject what, struct bytes pin) {
        if (i->state != INSTANCE_READY)
                return control_error(PROTOCOL_E_NOT_READY, "Device %u is not ready. %s",
                                     i->options.index, i->reason);
        if (stands_in_for_a_person(what) && !i->facts.simulator)
                return control_error(PROTOCOL_E_NOT_SIMULATOR,
                                     "Only a person may say yes for a real TPM; auto, once and pin "
                                     "are for simulators.");
        if (what == PRESENCE_INJECT_PIN && !i->config->presence_verify)
                return control_error(PROTOCOL_E_NOT_ALLOWED,
                                     "[presence] verify = no: nobody is asked for a PIN here.");
        if (worker_inject(i->worker, what, pin) < 0)
                return control_error(PROTOCOL_E_BUSY, "Too many answers wait already.");
        if (is_mode(what))
                i->presence_now = what;
        return NULL;
}

/* ---- life ---- */

static int set_names(struct instance *i) {
        const struct instance_options *o = &i->options;
        int r;

        snprintf(i->uniq, sizeof(i->uniq), "%u", (unsigned)o->owner);
        if (o->index == 0)
                snprintf(i->id, sizeof(i->id), "%s", i->uniq);
        else
                snprintf(i->id, sizeof(i->id), "%s.%u", i->uniq, o->index);
        snprintf(i->phys, sizeof(i->phys), "tpmauthn/%s", i->id);

        r = asprintf(&i->folder, "%s/users/%s", i->config->state_directory, i->id);
        if (r >= 0)
                r = asprintf(&i->store_path, "%s/store.db", i->folder);
        if (r >= 0)
                r = asprintf(&i->tpm_folder, "%s/tpm", i->folder);
        if (r >= 0 && o->index == 0)
                r = asprintf(&i->name, "%s", i->config->name);
        else if (r >= 0)
                r = asprintf(&i->name, "%s %u", i->config->name, o->index + 1);
        return r < 0 ? -ENOMEM : 0;
}

static int add_sources(struct instance *i) {
        int r = sd_event_add_time(i->options.event, &i->timer, CLOCK_BOOTTIME, 0, 1000, on_timer,
                                  i);

        if (r >= 0)
                r = sd_event_source_set_enabled(i->timer, SD_EVENT_OFF);
        if (r >= 0)
                r = sd_event_add_defer(i->options.event, &i->lost, on_lost, i);
        if (r >= 0)
                r = sd_event_source_set_enabled(i->lost, SD_EVENT_OFF);
        return r;
}

int instance_new(const struct instance_options *options, struct instance **ret) {
        struct instance *i = calloc(1, sizeof(*i));
        int r;

        if (!i)
                return -ENOMEM;
        i->options = *options;
        i->config = options->config;
        i->presence_now = PRESENCE_INJECT_ASK;

        r = set_names(i);
        if (r >= 0)
                r = add_sources(i);
        if (r < 0) {
                instance_free(i);
                return r;
        }

        *ret = i;
        start(i, BYTES_NULL);
        return 0;
}

void instance_stop(struct instance *i) {
        i->worker_io = sd_event_source_disable_unref(i->worker_io);
        i->device = device_free(i->device);
        i->hid = hid_free(i->hid);
        if (i->worker)
                worker_stop(i->worker);
}

bool instance_join(struct instance *i, uint64_t timeout_ms) {
        return !i->worker || worker_join(i->worker, timeout_ms);
}

void instance_abandon(const struct instance *i) {
        worker_abandon(i->worker);
}

struct instance *instance_free(struct instance *i) {
        if (!i)
                return NULL;
        instance_stop(i);
        /* The worker first: it shuts the simulator's TPM down. */
        i->worker = worker_free(i->worker);
        sd_event_source_disable_unref(i->simulator_io);
        i->simulator = simulator_stop(i->simulator);
        sd_event_source_disable_unref(i->timer);
        sd_event_source_disable_unref(i->lost);
        job_free(TAKE_PTR(i->running));
        while (i->queue)
                remove_job(i, &i->queue);
        free(i->folder);
        free(i->store_path);
        free(i->tpm_folder);
        free(i->name);
        free(i);
        return NULL;
}
