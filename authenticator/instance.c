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
 * is unplugged and plugged in again, once no command runs (instance-start.c). That is a power cycle
 * like any other. It takes the control socket, an agent that comes or goes, or the end of a terminal to
 * bring it about.
 * The first two are the owner's, who can replug anyway: nothing that a client sends to the device
 * changes what a person can do, so that no client gains a power cycle by it.
 */

#include "authenticator/instance-internal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <syslog.h>

#include "authenticator/env.h"
#include "authenticator/protocol.h"
#include "authenticator/util.h"
#include "build-config.h"

#define SIMULATOR_NAME " (simulator)"
#define FOLDER         "%s/users/%s" /* of the state directory, and an id */
#define STORE          "store.db"

/* ---- state ---- */

void instance_answer_provisioning(struct instance *i) {
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

static void audit_state(struct instance *i) {
        const bool failed = i->state == INSTANCE_FAILED;

        if (failed)
                instance_audit(i, &(struct audit_event){ .what = AUDIT_DEVICE_FAILED });
        if (!i->auth_given || i->state == INSTANCE_STARTING)
                return;
        i->auth_given = false;
        /* A device that failed for another reason says nothing of the password. */
        if (!failed || i->wants_owner_auth)
                instance_audit(i, &(struct audit_event){ .what = AUDIT_PROVISIONED,
                                                         .error = failed ? -EKEYREJECTED : 0,
                                                         .has_caller = true,
                                                         .caller = i->provision_caller });
}

void instance_set_state(struct instance *i, enum instance_state state, const char *reason) {
        i->state = state;
        if (state != INSTANCE_STARTING)
                i->start_is_due = false;
        if (state != INSTANCE_READY)
                *i->trouble = '\0';
        snprintf(i->reason, sizeof(i->reason), "%s", reason);
        if (state == INSTANCE_FAILED)
                log_write(i->options.log, LOG_ERR, i->id, "%s", reason);
        if (state == INSTANCE_READY && i->unplugged)
                log_write(i->options.log, LOG_INFO, i->id,
                          "open without a device, TPM %s: its owner is not logged in",
                          i->facts.tpm);
        else if (state == INSTANCE_READY)
                log_write(i->options.log, LOG_INFO, i->id, "ready: %s at %s, TPM %s", i->full_name,
                          device_path(i->device), i->facts.tpm);
        audit_state(i);
        i->options.on_state(i->options.userdata);
        instance_answer_provisioning(i);
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

/* ---- the wire ---- */

/* `request`: what it answers, or empty. */
static void send_answer(struct instance *i, uint32_t channel, uint8_t command, struct bytes message,
                        struct bytes request) {
        struct hid_fragments f = hid_fragment(channel, command, message);
        uint8_t report[HID_REPORT_SIZE];

        if (i->device)
                instance_tell_message(i, channel, command, message, request);
        while (i->device && hid_next_report(&f, report))
                device_send(i->device, report);
}

static void send_message(struct instance *i, uint32_t channel, uint8_t command,
                         struct bytes message) {
        send_answer(i, channel, command, message, BYTES_NULL);
}

/* Before it reaches the worker: what is not carried out has no effect. */
static void fail_command(struct instance *i, const struct hid_action *a, uint8_t status) {
        instance_tell_failed(i, a->payload, BYTES(&status, 1));
        send_message(i, a->channel, a->command, BYTES(&status, 1));
        hid_finish(i->hid);
}

static void start_client_job(struct instance *i, const struct hid_action *a) {
        enum worker_job type = a->command == HID_CBOR ? WORKER_CBOR : WORKER_MSG;
        uint8_t status;

        if (type == WORKER_CBOR && instance_take_failure(i, a->payload, &status)) {
                fail_command(i, a, status);
                return;
        }
        if (i->fingers && type == WORKER_CBOR)
                fprint_user_look(i->fingers);
        if (instance_add_job(i, type, a->channel, a->payload) == 0)
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
                /* Once a plug-in, so that a client cannot fill the log. */
                log_write(i->options.log, i->winked ? LOG_DEBUG : LOG_NOTICE, i->id,
                          "a client asks: which key is this?");
                i->winked = true;
                send_message(i, a->channel, a->command, a->payload);
                break;
        case HID_REPLY:
                send_message(i, a->channel, a->command, a->payload);
                break;
        case HID_MESSAGE:
                start_client_job(i, a);
                break;
        case HID_ABORT:
                instance_cancel_client_job(i, true);
                send_message(i, a->channel, a->command, a->payload);
                break;
        case HID_CANCELLED:
                instance_cancel_client_job(i, false);
                break;
        }
}

static void on_report(void *userdata, const uint8_t report[static UHID_REPORT_SIZE]) {
        struct instance *i = userdata;
        struct hid_action a = hid_receive(i->hid, report, env_awake_ms());

        instance_tell_report(i, report);
        act(i, &a);
        rearm(i);
}

static void tick(struct instance *i) {
        while (i->hid && env_awake_ms() >= hid_deadline(i->hid)) {
                struct hid_action a = hid_tick(i->hid, env_awake_ms());

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
        struct instance *i = userdata;

        instance_cancel_client_job(i, false);
        /* A question of U2F is up while no command runs. */
        if (i->agents)
                agents_link_cancel(i->agents);
}

static void on_gone(void *userdata) {
        struct instance *i = userdata;

        (void)!sd_event_source_set_enabled(i->lost, SD_EVENT_ONESHOT);
}

/* ---- plugging ---- */

void instance_unplug(struct instance *i) {
        instance_tell_unplugged(i);
        instance_cancel_client_job(i, true);
        i->device = device_free(i->device);
        i->hid = hid_free(i->hid);
        instance_end_frames(i);
        i->plug++;
        instance_drop_stale_jobs(i);
        (void)!sd_event_source_set_enabled(i->lost, SD_EVENT_OFF);
        rearm(i);
}

void instance_fail(struct instance *i, const char *reason) {
        instance_unplug(i);
        instance_set_state(i, INSTANCE_FAILED, reason);
        if (i->unplugged)
                instance_refuse_queued(i);
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

void instance_plug(struct instance *i) {
        char storage[INSTANCE_REASON_MAX - 1];
        struct buf reason = { (uint8_t *)storage, 0, sizeof(storage), false };
        const struct device_options options = {
                .event = i->options.event,
                .spec = i->config->device,
                .index = i->options.index,
                .of = i->options.among_users ? i->uniq : NULL,
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
        char text[INSTANCE_REASON_MAX];
        int r;

        i->plugged_verifies = i->verifies;
        i->cycle_at = env_awake_ms();
        i->winked = false;
        snprintf(i->full_name, sizeof(i->full_name), "%s%s", i->name,
                 i->facts.simulator ? SIMULATOR_NAME : "");
        r = new_hid(i);
        if (r == 0)
                r = instance_add_job(i, WORKER_POWER_UP, 0, BYTES_NULL);
        if (r == 0)
                r = device_new(&options, &i->device, &reason);
        if (r < 0) {
                snprintf(text, sizeof(text), "%.*s", (int)reason.len, storage);
                instance_fail(i, reason.len > 0 ? text : strerror(-r));
                return;
        }
        instance_set_state(i, INSTANCE_READY, "");
        instance_tell_plugged(i);
        instance_audit(i, &(struct audit_event){ .what = AUDIT_PLUGGED });
}

static int on_lost(sd_event_source *source, void *userdata) {
        struct instance *i = userdata;

        (void)source;
        if (i->state == INSTANCE_READY)
                instance_fail(i, "The kernel took the virtual device away. Try: tpmauthn replug.");
        return 0;
}

/* ---- what the worker says ---- */

static void answer_control(struct instance *i, const struct job *job, struct bytes text) {
        json_t *body = json_loadb((const char *)text.data, text.len, 0, NULL);

        if (!body)
                body = control_error(PROTOCOL_E_FAILED, "The worker gave no answer.");
        i->options.on_answer(i->options.userdata, job->tag, body);
}

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
        if (instance_job_is_of_client(job))
                instance_tell_done(i, job, answer);
        if (!instance_job_is_of_client(job) || job->plug != i->plug || !i->hid)
                return;
        if (!job->discard)
                send_answer(i, job->tag, job->type == WORKER_CBOR ? HID_CBOR : HID_MSG, answer,
                            BYTES(job->data, job->len));
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
                instance_fail(i, "The worker said what nobody understands. Restart tpmauthnd.");
                return;
        }
        if (*i->facts.note)
                log_write(i->options.log, LOG_NOTICE, i->id, "%s", i->facts.note);
        if (i->unplugged)
                instance_set_state(i, INSTANCE_READY, "");
        else
                instance_plug(i);
}

static void take_text(struct bytes from, char to[static INSTANCE_REASON_MAX]) {
        snprintf(to, INSTANCE_REASON_MAX, "%.*s", (int)from.len, (const char *)from.data);
}

static void on_failed(struct instance *i, const struct job *job, struct bytes reason, bool denied) {
        char text[INSTANCE_REASON_MAX];

        if (!is_awaited(i, job))
                return;
        take_text(reason, text);
        i->wants_owner_auth = denied;
        instance_fail(i, text);
}

void instance_refuse_job(struct instance *i, struct job *job) {
        if (job->type == WORKER_OPEN) {
                close_fd((int)job->tag);
                on_failed(i, job, BYTES_TEXT("The worker takes no job. Restart tpmauthnd."), false);
                return;
        }
        on_answer(i, job, instance_job_is_of_client(job) ? worker_failure(job->type) : BYTES_NULL);
}

/* By a reset, or by a restore. */
static void on_worker_lost(struct instance *i, struct bytes reason, bool denied) {
        char text[INSTANCE_REASON_MAX];

        if (i->state != INSTANCE_READY)
                return;
        take_text(reason, text);
        i->wants_owner_auth = denied;
        instance_fail(i, text);
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

static void on_note(struct instance *i, struct bytes what) {
        take_text(what, i->attestation_note);
        if (*i->attestation_note)
                log_write(i->options.log, LOG_WARNING, i->id, "%s", i->attestation_note);
}

static void on_status(struct instance *i, struct bytes status) {
        const struct job *job = i->running;

        i->asking = job && status.len == 1 && status.data[0] == HID_UPNEEDED;
        /* A43: a U2F message knows no keepalives. */
        if (!job || job->type != WORKER_CBOR || job->plug != i->plug || !i->hid || status.len != 1)
                return;
        hid_set_keepalive(i->hid, status.data[0], env_awake_ms());
        tick(i);
}

static void on_verifies(struct instance *i, struct bytes verifies) {
        bool now = verifies.len == 1 && verifies.data[0] == 1;

        if (i->verifies != now)
                i->verifies_since = env_awake_ms();
        i->verifies = now;
        instance_follow_presence(i);
}

static void on_worker_message(struct instance *i, const struct message *m) {
        struct job *job = i->running;

        if (m->type == WORKER_STATUS) {
                on_status(i, m->payload);
                return;
        }
        if (m->type == WORKER_LOST) {
                on_worker_lost(i, m->payload, m->tag == 1);
                return;
        }
        if (m->type == WORKER_TROUBLE) {
                on_trouble(i, m->payload);
                return;
        }
        if (m->type == WORKER_NOTE) {
                on_note(i, m->payload);
                return;
        }
        if (m->type == WORKER_VERIFIES) {
                on_verifies(i, m->payload);
                return;
        }
        if (m->type == WORKER_EVENT) {
                instance_tell_of_worker(i, m->payload);
                return;
        }
        if (m->type == WORKER_AUDIT) {
                instance_audit_of_worker(i, m->payload);
                return;
        }
        if (m->type == WORKER_PIN_GIVEN) {
                if (i->fingers)
                        fprint_user_forgive(i->fingers);
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
        instance_job_free(job);
        instance_run_next(i);
        instance_follow_presence(i);
}

int instance_on_worker(sd_event_source *source, int fd, uint32_t events, void *userdata) {
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
                instance_fail(i, "The worker has ended. Restart tpmauthnd.");
        }
        return 0;
}

bool instance_suspend(struct instance *i) {
        if (i->state != INSTANCE_READY)
                return false;
        if (!i->suspending) {
                /* Before: that it is over may be said at once. */
                i->suspending = true;
                if (instance_add_job(i, WORKER_SUSPEND, 0, BYTES_NULL) < 0)
                        i->suspending = false;
        }
        return instance_is_suspending(i);
}

bool instance_is_suspending(const struct instance *i) {
        return i->suspending && !i->asking;
}

void instance_tell_agents(struct instance *i) {
        if (!i->agents)
                return;
        agents_link_set_uid(i->agents, i->person);
        agents_set_usable(i->options.agents, i->person, i->usable);
        if (i->fingers)
                fprint_user_set(i->fingers, i->person, i->usable);
}

void instance_set_person(struct instance *i, uid_t uid, bool usable) {
        if (i->person == uid && i->usable == usable)
                return;
        i->person = uid;
        i->usable = usable;
        instance_tell_agents(i);
}

void instance_admit(struct instance *i) {
        i->unplugged = false;
        if (i->state == INSTANCE_READY)
                instance_plug(i);
        else if (i->state == INSTANCE_FAILED)
                instance_replug(i);
}

bool instance_is_busy(const struct instance *i) {
        return i->state == INSTANCE_STARTING || i->running || i->queue;
}

enum instance_state instance_state(const struct instance *i) {
        return i->state;
}

/* ---- life ---- */

static void set_id(char id[static INSTANCE_ID_MAX], const char *whose, unsigned index) {
        if (index == 0)
                snprintf(id, INSTANCE_ID_MAX, "%s", whose);
        else
                snprintf(id, INSTANCE_ID_MAX, "%s.%u", whose, index);
}

bool instance_has_store(const struct config *config, uid_t owner, unsigned index) {
        _cleanup_(free_pointer) char *path = NULL;
        char id[INSTANCE_ID_MAX], whose[16];

        snprintf(whose, sizeof(whose), "%u", (unsigned)owner);
        set_id(id, whose, index);
        return asprintf(&path, FOLDER "/" STORE, config->state_directory, id) >= 0 &&
               access(path, F_OK) == 0;
}

static int set_names(struct instance *i) {
        const struct instance_options *o = &i->options;
        int r;

        if (o->seat)
                snprintf(i->uniq, sizeof(i->uniq), "%s", o->seat);
        else
                snprintf(i->uniq, sizeof(i->uniq), "%u", (unsigned)o->owner);
        set_id(i->id, i->uniq, o->index);
        snprintf(i->phys, sizeof(i->phys), "tpmauthn/%s", i->id);

        r = asprintf(&i->folder, FOLDER, i->config->state_directory, i->id);
        if (r >= 0)
                r = asprintf(&i->store_path, "%s/" STORE, i->folder);
        if (r >= 0)
                r = asprintf(&i->tpm_folder, "%s/tpm", i->folder);
        if (r >= 0 && o->index == 0)
                r = asprintf(&i->name, "%s", i->config->name);
        else if (r >= 0)
                r = asprintf(&i->name, "%s %u", i->config->name, o->index + 1);
        return r < 0 ? -ENOMEM : 0;
}

static int add_sources(struct instance *i) {
        /* The time of the framing stands still while nobody can send: a client sleeps along. */
        int r = sd_event_add_time(i->options.event, &i->timer, CLOCK_MONOTONIC, 0, 1000, on_timer,
                                  i);

        if (r >= 0)
                r = sd_event_source_set_enabled(i->timer, SD_EVENT_OFF);
        if (r >= 0)
                r = sd_event_add_time(i->options.event, &i->pause, CLOCK_MONOTONIC, 0, 1000,
                                      instance_on_pause_over, i);
        if (r >= 0)
                r = sd_event_source_set_enabled(i->pause, SD_EVENT_OFF);
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
        i->person = options->owner;
        i->unplugged = options->unplugged;
        i->usable = !i->unplugged;

        r = set_names(i);
        if (r >= 0)
                r = add_sources(i);
        if (r < 0) {
                instance_free(i);
                return r;
        }

        *ret = i;
        instance_start(i, BYTES_NULL);
        return 0;
}

void instance_stop(struct instance *i) {
        i->worker_io = sd_event_source_disable_unref(i->worker_io);
        i->agents = agents_link_free(i->agents);
        i->fingers = fprint_user_free(i->fingers);
        i->timer = sd_event_source_disable_unref(i->timer);
        i->pause = sd_event_source_disable_unref(i->pause);
        i->lost = sd_event_source_disable_unref(i->lost);
        i->simulator_io = sd_event_source_disable_unref(i->simulator_io);
        instance_tell_unplugged(i);
        i->device = device_free(i->device);
        i->hid = hid_free(i->hid);
        instance_end_frames(i);
        if (i->worker)
                worker_stop(i->worker);
}

void instance_dismiss(struct instance *i) {
        instance_stop(i);
        instance_refuse_waiting(i);
        i->suspending = false;
        i->options.on_suspended(i->options.userdata);
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
        i->simulator = simulator_stop(i->simulator);
        instance_job_free(TAKE_PTR(i->running));
        while (i->queue)
                instance_remove_job(i, &i->queue);
        free(i->folder);
        free(i->store_path);
        free(i->tpm_folder);
        free(i->name);
        free(i);
        return NULL;
}
