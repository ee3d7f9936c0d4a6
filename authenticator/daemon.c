/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * A device that cannot start does not end the daemon: it stays up so that `tpmauthn status` can say
 * why and `tpmauthn replug` can try again. READY=1 is sent when it is known whose devices there are,
 * and each of those is ready or has failed; where nobody is logged in, at once.
 */

#include "authenticator/daemon.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <syslog.h>
#include <systemd/sd-daemon.h>
#include <systemd/sd-event.h>
#include <unistd.h>

#include "authenticator/agent-protocol.h"
#include "authenticator/agents.h"
#include "authenticator/audit.h"
#include "authenticator/authority.h"
#include "authenticator/bus.h"
#include "authenticator/devices.h"
#include "authenticator/followers.h"
#include "authenticator/fprint.h"
#include "authenticator/instance.h"
#include "authenticator/machine.h"
#include "authenticator/protocol.h"
#include "authenticator/requests.h"
#include "authenticator/sandbox.h"
#include "authenticator/server.h"
#include "authenticator/suspend.h"
#include "authenticator/users.h"
#include "authenticator/util.h"

#define SYSTEM_UID_MAX 999 /* as login.defs has it everywhere */

struct daemon {
        const struct config *config;
        const struct log *log;
        sd_event *event;
        struct audit *audit;
        struct server *server;
        struct followers *followers;
        struct bus *bus;
        struct fprint *fprint;
        struct suspend *suspend;
        struct authority *authority;
        struct agents *agents; /* with presence = agent */
        struct users *users;   /* likewise */
        struct devices *devices;
        struct machine *machine;
        struct requests requests;
        char *control_path, *agent_path;
        uid_t at_seat;   /* who was seen there last */
        bool owners_set; /* it is known whose devices there are */
        bool told_ready;
        char status[100]; /* as the service manager was told */
};

/* ---- devices and users ---- */

/* At a seat: who has the session in front, or else who had it. */
static void set_person_at_seat(struct daemon *d, struct instance *i) {
        bool usable = users_at_seat0(d->users, &d->at_seat);

        if (users_knowledge(d->users) == USERS_KNOWN)
                instance_set_person(i, d->at_seat, usable);
}

static void set_person(struct daemon *d, struct instance *i, uid_t owner) {
        switch (devices_kind(d->devices)) {
        case DEVICES_FIXED:
                break;
        case DEVICES_USERS:
                instance_set_person(i, owner, users_is_usable(d->users, owner));
                break;
        case DEVICES_SEAT:
                set_person_at_seat(d, i);
                break;
        }
}

/* Only what is new: where nobody reads, the socket fills up and would hold the loop. */
static void tell_manager(struct daemon *d, const unsigned n[static 3], unsigned total) {
        char status[sizeof(d->status)];

        if (total == 0)
                snprintf(status, sizeof(status), "STATUS=no device, for no user is logged in");
        else
                snprintf(status, sizeof(status), "STATUS=%u of %u devices ready%s",
                         n[INSTANCE_READY], total,
                         n[INSTANCE_FAILED] > 0 ? "; tpmauthn status says what is wrong" : "");
        if (strcmp(status, d->status) == 0)
                return;
        strcpy(d->status, status);
        sd_notify(0, status);
}

static void on_state(void *userdata) {
        struct daemon *d = userdata;
        unsigned n[3] = { 0 }, total = 0;
        struct instance *i;
        uid_t owner;

        while ((i = devices_get(d->devices, total, &owner)) != NULL) {
                set_person(d, i, owner);
                n[instance_state(i)]++;
                total++;
        }
        tell_manager(d, n, total);
        if (n[INSTANCE_STARTING] > 0 || !d->owners_set || d->told_ready)
                return;
        d->told_ready = true;
        sd_notify(0, "READY=1");
        log_write(d->log, LOG_INFO, NULL, "%u of %u devices ready, control socket %s",
                  n[INSTANCE_READY], total, d->control_path);
}

static void set_owners(struct daemon *d, enum devices_kind kind, const uid_t *owners, size_t n) {
        devices_set_owners(d->devices, kind, owners, n);
        d->owners_set = true;
        on_state(d);
        server_drop_refused(d->server);
}

/*
 * Started by the service manager with a system account, which is nobody who could have passkeys: what it
 * made for itself while logind was away nobody would ever remove from the TPM.
 */
static bool is_service(void) {
        return getenv("INVOCATION_ID") && getuid() != 0 && getuid() <= SYSTEM_UID_MAX;
}

static void set_owner_without_logind(struct daemon *d) {
        const uid_t self = getuid();

        if (d->users && is_service()) {
                log_write(d->log, LOG_WARNING, NULL,
                          "logind does not answer: there is no device before it does");
                set_owners(d, DEVICES_USERS, NULL, 0);
        } else
                set_owners(d, DEVICES_FIXED, &self, 1);
}

/* Who had devices while logind could not be asked has none of their own once it can be. */
static void follow_users(void *userdata) {
        const uid_t self = getuid();
        struct daemon *d = userdata;
        uid_t users[SESSIONS_MAX];

        if (d->users && d->config->per_seat)
                set_owners(d, DEVICES_SEAT, &self, 1);
        else if (!d->users || users_knowledge(d->users) == USERS_UNKNOWN)
                set_owner_without_logind(d);
        else if (users_knowledge(d->users) == USERS_KNOWN)
                set_owners(d, DEVICES_USERS, users, users_list(d->users, users));
}

/* ---- the control socket ---- */

static json_t *on_connect(void *userdata, uid_t peer) {
        struct daemon *d = userdata;

        return requests_refuse(&d->requests, peer);
}

static void on_request(void *userdata, uint32_t tag, uid_t peer, const struct control_request *rq) {
        struct daemon *d = userdata;

        requests_run(&d->requests, tag, peer, rq);
}

static void on_client_gone(void *userdata, uint32_t tag) {
        struct daemon *d = userdata;
        struct instance *i;

        followers_remove(d->followers, tag);
        authority_forget(d->authority, tag);
        for (size_t k = 0; (i = devices_get_open(d->devices, k)) != NULL; k++)
                instance_forget(i, tag);
}

static void on_verdict(void *userdata, uint32_t tag, const struct control_request *rq,
                       bool allowed) {
        const struct daemon *d = userdata;

        requests_go_on(&d->requests, tag, rq, allowed);
}

static pid_t process_of(void *userdata, uint32_t tag) {
        const struct daemon *d = userdata;

        return server_peer_pid(d->server, tag);
}

static void on_follow(void *userdata, const struct follower *who, json_t *body) {
        struct daemon *d = userdata;

        if (server_answer_and_go_on(d->server, who->tag, body))
                followers_add(d->followers, who);
}

/* What happens when the server has ended nobody hears. */
static void send_event(void *userdata, uint32_t tag, const char *line) {
        struct daemon *d = userdata;

        if (d->server)
                server_push(d->server, tag, line);
}

static void on_answer(void *userdata, uint32_t tag, json_t *body) {
        struct daemon *d = userdata;

        server_answer(d->server, tag, body);
}

static void on_attestation(void *userdata) {
        struct daemon *d = userdata;
        struct instance *i;

        for (size_t k = 0; (i = devices_get_open(d->devices, k)) != NULL; k++)
                instance_renew_attestation(i);
}

/* ---- sleep ---- */

static void on_suspended(void *userdata) {
        struct daemon *d = userdata;
        struct instance *i;

        for (size_t k = 0; (i = devices_get_open(d->devices, k)) != NULL; k++)
                if (instance_is_suspending(i))
                        return;
        if (d->suspend)
                suspend_allow(d->suspend);
}

static void on_sleep(void *userdata) {
        struct daemon *d = userdata;
        struct instance *i;
        bool waits = false;

        if (d->fprint)
                fprint_suspend(d->fprint);
        for (size_t k = 0; (i = devices_get_open(d->devices, k)) != NULL; k++)
                if (instance_suspend(i))
                        waits = true;
        if (!waits)
                suspend_allow(d->suspend);
}

/* ---- life ---- */

/* Each folder on the way that is missing; the last ones are this account's alone (umask). */
static int make_folders(const struct log *log, const char *path) {
        _cleanup_(free_pointer) char *copy = strdup(path);
        struct stat st;

        if (!copy)
                return -ENOMEM;
        for (char *p = copy + 1;; p++) {
                bool end = *p == '\0';

                if (*p != '/' && !end)
                        continue;
                *p = '\0';
                if (mkdir(copy, 0777) < 0 && stat(copy, &st) < 0) {
                        log_write(log, LOG_ERR, NULL, "The folder %s could not be made: %s", copy,
                                  strerror(errno));
                        return -EIO;
                }
                if (end)
                        return 0;
                *p = '/';
        }
}

static int prepare_folders(struct daemon *d) {
        _cleanup_(free_pointer) char *users = NULL;
        int r;

        if (asprintf(&users, "%s/users", d->config->state_directory) < 0 ||
            asprintf(&d->control_path, "%s/" PROTOCOL_SOCKET, d->config->runtime_directory) < 0 ||
            asprintf(&d->agent_path, "%s/" AGENT_SOCKET, d->config->runtime_directory) < 0)
                return -ENOMEM;
        r = make_folders(d->log, users);
        return r < 0 ? r : make_folders(d->log, d->config->runtime_directory);
}

static int add_event_loop(struct daemon *d) {
        static const int stop[] = { SIGTERM, SIGINT, SIGHUP };
        sigset_t mask;
        int r;

        sigemptyset(&mask);
        for (size_t i = 0; i < ELEMENTSOF(stop); i++)
                sigaddset(&mask, stop[i]);
        if (sigprocmask(SIG_BLOCK, &mask, NULL) < 0)
                return -errno;

        r = sd_event_new(&d->event);
        /* Without a handler of its own, a signal ends the loop with success. */
        for (size_t i = 0; r >= 0 && i < ELEMENTSOF(stop); i++)
                r = sd_event_add_signal(d->event, NULL, stop[i], NULL, NULL);
        if (r >= 0)
                r = sd_event_set_watchdog(d->event, true);
        return r < 0 ? r : 0;
}

static const char *session_of(void *userdata, uid_t user) {
        const struct daemon *d = userdata;

        return d->users ? users_session(d->users, user) : NULL;
}

static int add_audit(struct daemon *d) {
        const struct audit_options options = {
                .event = d->event,
                .log = d->log,
                .level = d->config->audit_level,
                .rp_ids = d->config->audit_rp_ids,
                .socket = d->config->audit_socket,
                .session = session_of,
                .userdata = d,
        };
        int r = audit_new(&options, &d->audit);

        if (r < 0)
                log_write(d->log, LOG_ERR, NULL, "Events cannot be written to %s: %s",
                          d->config->audit_socket, strerror(-r));
        return r;
}

static int add_server(struct daemon *d) {
        const struct server_options options = {
                .event = d->event,
                .path = d->control_path,
                .log = d->log,
                .on_connect = on_connect,
                .on_request = on_request,
                .on_gone = on_client_gone,
                .userdata = d,
        };
        int r = server_new(&options, &d->server);

        if (r < 0)
                log_write(d->log, LOG_ERR, NULL, "The control socket %s could not be made: %s%s",
                          d->control_path, strerror(-r),
                          r == -EADDRINUSE ? ". Is another tpmauthnd running, or is it no socket?"
                                           : "");
        return r;
}

static int add_followers(struct daemon *d) {
        const struct followers_options options = { .send = send_event, .userdata = d };

        return followers_new(&options, &d->followers);
}

static int add_agents(struct daemon *d) {
        const struct agents_options options = {
                .event = d->event,
                .path = d->agent_path,
                .log = d->log,
        };
        int r;

        if (d->config->presence != PRESENCE_AGENT)
                return 0;
        r = agents_new(&options, &d->agents);
        if (r < 0)
                log_write(d->log, LOG_ERR, NULL, "The agent socket %s could not be made: %s",
                          d->agent_path, strerror(-r));
        return r;
}

static int add_fprint(struct daemon *d) {
        const struct fprint_options options = { .bus = d->bus, .log = d->log };

        if (d->config->presence != PRESENCE_AGENT || !d->config->presence_fingerprint ||
            !d->config->presence_verify)
                return 0;
        return fprint_new(&options, &d->fprint);
}

static int add_devices(struct daemon *d) {
        const struct devices_options options = {
                .event = d->event,
                .config = d->config,
                .log = d->log,
                .agents = d->agents,
                .fprint = d->fprint,
                .followers = d->followers,
                .audit = d->audit,
                .on_state = on_state,
                .on_answer = on_answer,
                .on_suspended = on_suspended,
                .userdata = d,
        };
        int r = devices_new(&options, &d->devices);

        d->requests = (struct requests){
                .devices = d->devices,
                .machine = d->machine,
                .users = d->users,
                .authority = d->authority,
                .process_of = process_of,
                .reset_by_administrator = d->config->reset_by_administrator,
                .answer = on_answer,
                .follow = on_follow,
                .userdata = d,
        };
        return r;
}

static int add_machine(struct daemon *d) {
        const struct machine_options options = {
                .event = d->event,
                .config = d->config,
                .log = d->log,
                .audit = d->audit,
                .on_answer = on_answer,
                .on_attestation = on_attestation,
                .userdata = d,
        };

        return machine_new(&options, &d->machine);
}

static int add_bus(struct daemon *d) {
        const struct bus_options options = { .event = d->event, .log = d->log };

        return bus_new(&options, &d->bus);
}

static int add_users(struct daemon *d) {
        const struct users_options options = {
                .event = d->event,
                .bus = d->bus,
                .log = d->log,
                .no_remote = d->config->remote == CONFIG_REMOTE_DENY,
                .on_change = follow_users,
                .userdata = d,
        };

        return d->config->presence == PRESENCE_AGENT ? users_new(&options, &d->users) : 0;
}

static int add_authority(struct daemon *d) {
        const struct authority_options options = {
                .bus = d->bus,
                .log = d->log,
                .on_verdict = on_verdict,
                .userdata = d,
        };

        return authority_new(&options, &d->authority);
}

static int add_suspend(struct daemon *d) {
        const struct suspend_options options = {
                .bus = d->bus,
                .log = d->log,
                .on_sleep = on_sleep,
                .userdata = d,
        };

        return suspend_new(&options, &d->suspend);
}

int daemon_new(const struct config *config, const struct log *log, struct daemon **ret) {
        struct daemon *d = calloc(1, sizeof(*d));
        int r;

        if (!d)
                return -ENOMEM;
        d->config = config;
        d->log = log;

        if (config->presence == PRESENCE_DENY)
                log_write(log, LOG_NOTICE, NULL, "presence = deny: every request is refused");
        r = prepare_folders(d);
        if (r == 0)
                r = sandbox_enter(config, log);
        if (r == 0)
                r = add_event_loop(d);
        if (r == 0)
                r = add_audit(d);
        if (r == 0)
                r = add_followers(d);
        if (r == 0)
                r = add_server(d);
        if (r == 0)
                r = add_agents(d);
        if (r == 0)
                r = add_bus(d);
        if (r == 0)
                r = add_fprint(d);
        if (r == 0)
                r = add_suspend(d);
        if (r == 0)
                r = add_authority(d);
        if (r == 0)
                r = add_users(d);
        if (r == 0)
                r = add_machine(d);
        if (r == 0)
                r = add_devices(d);
        if (r < 0) {
                daemon_free(d);
                return r;
        }
        follow_users(d);

        *ret = d;
        return 0;
}

/* A thread in the middle of a TPM command can only be left behind, and with it what it uses. */
static void stop_threads(struct daemon *d) {
        if ((!d->devices || devices_stop(d->devices, DAEMON_STOP_MS)) &&
            (!d->machine || machine_join(d->machine, DAEMON_STOP_MS)))
                return;
        log_write(d->log, LOG_ERR, NULL,
                  "a TPM does not answer: ending without it. The next start makes good for what it "
                  "left undone");
        _exit(EXIT_FAILURE);
}

struct daemon *daemon_free(struct daemon *d) {
        if (!d)
                return NULL;
        sd_notify(0, "STOPPING=1");
        d->server = server_free(d->server);
        d->bus = bus_free(d->bus);
        d->suspend = suspend_free(d->suspend);
        d->authority = authority_free(d->authority);
        d->users = users_free(d->users);
        stop_threads(d);
        d->machine = machine_free(d->machine);
        d->devices = devices_free(d->devices);
        d->fprint = fprint_free(d->fprint);
        d->agents = agents_free(d->agents);
        d->followers = followers_free(d->followers);
        d->audit = audit_free(d->audit);
        sd_event_unref(d->event);
        free(d->control_path);
        free(d->agent_path);
        free(d);
        return NULL;
}

int daemon_run(struct daemon *d) {
        return sd_event_loop(d->event);
}
