/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * A device that cannot start does not end the daemon: it stays up so that `tpmauthn status` can say
 * why and `tpmauthn replug` can try again. READY=1 is sent when every device is ready or has failed.
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
#include "authenticator/bus.h"
#include "authenticator/env.h"
#include "authenticator/instance.h"
#include "authenticator/protocol.h"
#include "authenticator/sandbox.h"
#include "authenticator/server.h"
#include "authenticator/suspend.h"
#include "authenticator/util.h"
#include "build-config.h"

struct daemon {
        const struct config *config;
        const struct log *log;
        sd_event *event;
        struct server *server;
        struct bus *bus;
        struct suspend *suspend;
        struct agents *agents; /* with presence = agent */
        char *control_path, *agent_path;
        struct instance *instances[CONFIG_DEVICES_MAX];
        bool told_ready;
};

/* ---- readiness ---- */

static void on_state(void *userdata) {
        struct daemon *d = userdata;
        unsigned n[3] = { 0 };

        for (unsigned i = 0; i < d->config->count; i++)
                n[d->instances[i] ? instance_state(d->instances[i]) : INSTANCE_STARTING]++;

        sd_notifyf(0, "STATUS=%u of %u devices ready%s", n[INSTANCE_READY], d->config->count,
                   n[INSTANCE_FAILED] > 0 ? "; tpmauthn status says what is wrong" : "");
        if (n[INSTANCE_STARTING] > 0 || d->told_ready)
                return;
        d->told_ready = true;
        sd_notify(0, "READY=1");
        log_write(d->log, LOG_INFO, NULL, "%u of %u devices ready, control socket %s",
                  n[INSTANCE_READY], d->config->count, d->control_path);
}

/* ---- the control socket ---- */

static json_t *status(struct daemon *d) {
        json_t *devices = json_array();

        for (unsigned i = 0; i < d->config->count; i++)
                json_array_append_new(devices, instance_describe(d->instances[i]));
        return control_result(json_pack("{s:s,s:i,s:o}", "version", TPMAUTHN_VERSION, "pid",
                                        (int)getpid(), "devices", devices));
}

static const struct presence_word {
        const char *name;
        enum presence_inject inject;
        bool takes_pin;
} presence_words[] = {
        { "auto", PRESENCE_INJECT_AUTO, false },
        { "deny", PRESENCE_INJECT_DENY, false },
        { "ask", PRESENCE_INJECT_ASK, false },
        { "once", PRESENCE_INJECT_ONCE, false },
        { "no", PRESENCE_INJECT_NO, false },
        { "pin", PRESENCE_INJECT_PIN, true },
        { "pin-once", PRESENCE_INJECT_PIN_ONCE, true },
        { "no-pin", PRESENCE_INJECT_NO_PIN, false },
};

static json_t *say_to_presence(struct instance *i, const struct presence_word *word,
                               const json_t *params) {
        const json_t *pin = json_object_get(params, "pin");
        struct bytes text = pin ? BYTES_TEXT(json_string_value(pin)) : BYTES_NULL;
        json_t *error;

        if (word->takes_pin != (pin != NULL))
                return control_error(PROTOCOL_E_BAD_REQUEST, "%s %s a \"pin\"", word->name,
                                     pin ? "takes no" : "needs");
        if (word->takes_pin && (text.len == 0 || text.len > CTAP_PIN_BYTES_MAX))
                return control_error(PROTOCOL_E_BAD_REQUEST, "A PIN has at most %d bytes.",
                                     CTAP_PIN_BYTES_MAX);
        error = instance_inject(i, word->inject, text);
        return error ? error : control_result(json_object());
}

static json_t *set_presence(struct instance *i, const json_t *params) {
        const char *mode = json_string_value(json_object_get(params, "mode"));

        for (size_t k = 0; k < ELEMENTSOF(presence_words); k++)
                if (strcmp(mode, presence_words[k].name) == 0)
                        return say_to_presence(i, &presence_words[k], params);
        return control_error(PROTOCOL_E_BAD_REQUEST,
                             "\"mode\" must be auto, deny, ask, once, no, pin, pin-once or no-pin");
}

static void provision(struct instance *i, uint32_t tag, const json_t *params) {
        const char *owner_auth = json_string_value(json_object_get(params, "owner_auth"));

        instance_provision(i, tag, owner_auth ? owner_auth : "");
}

static void on_request(void *userdata, uint32_t tag, const struct control_request *rq) {
        struct daemon *d = userdata;
        struct instance *i = NULL;

        if (rq->method->call == CONTROL_STATUS) {
                server_answer(d->server, tag, status(d));
                return;
        }
        if (rq->device < d->config->count)
                i = d->instances[rq->device];
        if (!i) {
                server_answer(d->server, tag,
                              control_error(PROTOCOL_E_NO_DEVICE,
                                            "There are %u devices, from 0 on.", d->config->count));
                return;
        }
        if (rq->method->on_worker)
                instance_control(i, tag, rq);
        else if (rq->method->call == CONTROL_PRESENCE)
                server_answer(d->server, tag, set_presence(i, rq->params));
        else if (rq->method->call == CONTROL_PROVISION)
                provision(i, tag, rq->params);
        else {
                instance_replug(i);
                server_answer(d->server, tag, control_result(instance_describe(i)));
        }
}

static void on_client_gone(void *userdata, uint32_t tag) {
        struct daemon *d = userdata;

        for (unsigned i = 0; i < d->config->count; i++)
                instance_forget(d->instances[i], tag);
}

static void on_answer(void *userdata, uint32_t tag, json_t *body) {
        struct daemon *d = userdata;

        server_answer(d->server, tag, body);
}

/* ---- sleep ---- */

static void on_suspended(void *userdata) {
        struct daemon *d = userdata;

        for (unsigned i = 0; i < d->config->count; i++)
                if (d->instances[i] && instance_is_suspending(d->instances[i]))
                        return;
        if (d->suspend)
                suspend_allow(d->suspend);
}

static void on_sleep(void *userdata) {
        struct daemon *d = userdata;
        bool waits = false;

        for (unsigned i = 0; i < d->config->count; i++)
                if (d->instances[i] && instance_suspend(d->instances[i]))
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

static int add_server(struct daemon *d) {
        const struct server_options options = {
                .event = d->event,
                .path = d->control_path,
                .owner = getuid(),
                .log = d->log,
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

static int add_instances(struct daemon *d) {
        struct instance_options options = {
                .event = d->event,
                .config = d->config,
                .log = d->log,
                .agents = d->agents,
                .owner = getuid(),
                .on_state = on_state,
                .on_answer = on_answer,
                .on_suspended = on_suspended,
                .userdata = d,
        };
        int r = 0;

        for (unsigned i = 0; r == 0 && i < d->config->count; i++) {
                options.index = i;
                r = instance_new(&options, &d->instances[i]);
        }
        return r;
}

static int add_bus(struct daemon *d) {
        const struct bus_options options = { .event = d->event, .log = d->log };

        return bus_new(&options, &d->bus);
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
                r = add_server(d);
        if (r == 0)
                r = add_agents(d);
        if (r == 0)
                r = add_instances(d);
        if (r == 0)
                r = add_bus(d);
        if (r == 0)
                r = add_suspend(d);
        if (r < 0) {
                daemon_free(d);
                return r;
        }

        *ret = d;
        return 0;
}

/* A thread in the middle of a TPM command can only be left behind, and with it what it uses. */
static void stop_instances(struct daemon *d) {
        uint64_t until = env_now_ms() + DAEMON_STOP_MS;
        bool stuck = false;

        for (size_t i = 0; i < ELEMENTSOF(d->instances); i++)
                if (d->instances[i])
                        instance_stop(d->instances[i]);
        for (size_t i = 0; i < ELEMENTSOF(d->instances); i++) {
                uint64_t now = env_now_ms();

                if (!d->instances[i])
                        continue;
                if (instance_join(d->instances[i], until > now ? until - now : 0))
                        d->instances[i] = instance_free(d->instances[i]);
                else
                        stuck = true;
        }
        if (!stuck)
                return;
        for (size_t i = 0; i < ELEMENTSOF(d->instances); i++)
                if (d->instances[i])
                        instance_abandon(d->instances[i]);
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
        stop_instances(d);
        d->agents = agents_free(d->agents);
        sd_event_unref(d->event);
        free(d->control_path);
        free(d->agent_path);
        free(d);
        return NULL;
}

int daemon_run(struct daemon *d) {
        return sd_event_loop(d->event);
}
