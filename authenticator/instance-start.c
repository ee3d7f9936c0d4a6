/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * What a device needs before it is plugged in: its folders, the simulator where there is one, the
 * worker, and store and TPM opened by that. Also how it is brought to need them anew.
 *
 * Each process of the owner's may ask for a power cycle, and bring one about by what a person can do
 * here, as often as it likes. Clients and udev are busy for a while with each, so it is one a second. A
 * person who can no longer be verified may be so again at once, as when an agent is restarted: clients
 * hear of it only when it has lasted.
 */

#include "authenticator/instance-internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/stat.h>
#include <syslog.h>
#include <unistd.h>

#include "authenticator/env.h"
#include "authenticator/protocol.h"
#include "authenticator/util.h"

#define CYCLE_MS   1000 /* from one to the next */
#define SETTLED_MS 1000

static bool wants_swtpm(const struct instance *i) {
        return strcmp(i->config->tpm, "swtpm") == 0;
}

static int on_simulator_end(sd_event_source *source, int fd, uint32_t events, void *userdata) {
        struct instance *i = userdata;
        char text[INSTANCE_REASON_MAX];

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
                instance_fail(i, text);
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

/* The worker's end of the link, if there is to be one. */
static int link_agents(struct instance *i, int *ret) {
        struct agents_link_options options = {
                .uid = i->options.owner,
                .id = i->id,
                .device = i->name,
                .phys = i->phys,
        };
        int r;

        if (i->config->presence != PRESENCE_AGENT || !i->options.agents)
                return 0;
        r = instance_add_fingers(i, &options);
        if (r == 0)
                r = agents_link_new(i->options.agents, &options, &i->agents, ret);
        return r;
}

static struct ctap_options what_is_configured(const struct config *c) {
        return (struct ctap_options){
                .max_large_blobs = c->large_blobs,
                .always_uv = c->always_uv,
                .verified_presence = c->presence_verified,
                .min_pin_length = c->min_pin_length,
                .pin_complexity = c->pin_complexity,
                .enterprise = c->enterprise,
                .reset_by_administrator = c->reset_by_administrator,
                .rp_rules = { .allow = c->rp_allow.text, .deny = c->rp_deny.text },
                .locks = config_locks(c),
                .ctap_2_3 = c->ctap_2_3,
        };
}

static int start_worker(struct instance *i, struct buf *reason) {
        _cleanup_(ctap_typed_pin_wipe) struct ctap_typed_pin pin = { 0 };
        _cleanup_(close_fd_pointer) int link = -1;
        struct worker_options options = {
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
                        .ctap = what_is_configured(i->config),
                        .state_directory = i->config->state_directory,
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
        if (r == 0)
                r = link_agents(i, &link);
        if (r == 0)
                instance_tell_agents(i);
        if (r < 0)
                return r;
        options.presence.agent_link = link;
        r = worker_new(&options, &i->worker);
        if (r < 0)
                i->agents = agents_link_free(i->agents);
        if (r < 0 && i->config->presence == PRESENCE_TTY)
                buf_put(reason, BYTES_TEXT("presence = tty needs the terminal that tpmauthnd was "
                                           "started from, and there is none."));
        if (r < 0)
                return r;
        return sd_event_add_io(i->options.event, &i->worker_io, worker_fd(i->worker), EPOLLIN,
                               instance_on_worker, i);
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
        r = instance_add_job(i, WORKER_OPEN, (uint32_t)fd, owner_auth);
        if (r < 0)
                close_fd(fd);
        return r;
}

void instance_start(struct instance *i, struct bytes owner_auth) {
        char text[INSTANCE_REASON_MAX] = "";
        struct buf reason = { (uint8_t *)text, 0, sizeof(text) - 1, false };
        int r;

        i->wants_owner_auth = false;
        i->attestation_is_due = false;
        i->start_is_due = false;
        i->cycle_at = env_awake_ms();
        instance_set_state(i, INSTANCE_STARTING, "");
        r = start_opening(i, owner_auth, &reason);
        if (r < 0)
                instance_fail(i, reason.len > 0 ? text : strerror(-r));
}

/* True if it is that late already; else instance_on_pause_over() runs then. */
static bool is_over(struct instance *i, uint64_t at) {
        bool is = env_awake_ms() >= at;
        int r = 0;

        if (!is)
                r = sd_event_source_set_time(i->pause, at * 1000);
        if (r >= 0)
                r = sd_event_source_set_enabled(i->pause, is ? SD_EVENT_OFF : SD_EVENT_ONESHOT);
        if (r < 0)
                log_write(i->options.log, LOG_ERR, i->id, "the timer could not be set: %s",
                          strerror(-r));
        return is || r < 0;
}

void instance_follow_presence(struct instance *i) {
        uint64_t at = i->cycle_at + CYCLE_MS;

        if (i->state != INSTANCE_READY || instance_client_job(i))
                return;
        if (i->attestation_is_due) {
                log_write(i->options.log, LOG_INFO, i->id,
                          "this machine's attestation is another: %s anew",
                          i->unplugged ? "opened" : "plugged in");
                instance_replug(i);
                return;
        }
        if (i->unplugged || i->verifies == i->plugged_verifies)
                return;
        if (!i->verifies && i->verifies_since + SETTLED_MS > at)
                at = i->verifies_since + SETTLED_MS;
        if (!is_over(i, at))
                return;
        log_write(i->options.log, LOG_INFO, i->id, "the PIN can %s be given here: plugged in anew",
                  i->verifies ? "now" : "no longer");
        instance_unplug(i);
        instance_plug(i);
}

int instance_on_pause_over(sd_event_source *source, uint64_t usec, void *userdata) {
        struct instance *i = userdata;

        (void)source;
        (void)usec;
        if (i->start_is_due)
                instance_start(i, BYTES_NULL);
        else
                instance_follow_presence(i);
        return 0;
}

void instance_replug(struct instance *i) {
        if (i->state == INSTANCE_STARTING)
                return;
        instance_unplug(i);
        if (is_over(i, i->cycle_at + CYCLE_MS)) {
                instance_start(i, BYTES_NULL);
                return;
        }
        i->start_is_due = true;
        instance_set_state(i, INSTANCE_STARTING, "");
}

void instance_provision(struct instance *i, uint32_t tag, uid_t caller, const char *owner_auth) {
        if (i->state == INSTANCE_STARTING) {
                i->options.on_answer(i->options.userdata, tag,
                                     control_error(PROTOCOL_E_NOT_READY,
                                                   "Device %u is starting; try again.",
                                                   i->options.index));
                return;
        }
        i->provisioning = true;
        i->provision_tag = tag;
        i->provision_caller = caller;
        if (i->state == INSTANCE_READY) {
                instance_answer_provisioning(i);
                return;
        }
        i->auth_given = *owner_auth != '\0';
        instance_unplug(i);
        instance_start(i, BYTES_TEXT(owner_auth));
}
