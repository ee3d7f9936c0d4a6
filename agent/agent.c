/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * One question at a time, and where it stands: not at all, in the ui, or in a notification. Whoever
 * shows it is told to take it away before another one comes.
 */

#include "agent/agent.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "agent/connection.h"
#include "agent/holders.h"
#include "agent/notice.h"
#include "authenticator/agent-protocol.h"

/* The daemon's word that the time is over is waited for so much longer. */
#define TIMEOUT_GRACE_MS 1000

enum place { NOWHERE, IN_UI, IN_NOTICE };

struct agent {
        sd_event *event;
        char *socket, *sys, *proc;
        struct ui *ui;
        struct notice *notice;
        struct connection *connection;
        char *machine, *phys; /* as the daemon says */
        char *asking_phys;    /* of the device whose question it is; NULL: that one */

        struct question question; /* while it is somewhere */
        enum place place;
        sd_event_source *timeout;
};

static void take_away(struct agent *a, enum withdrawal why) {
        if (a->place == IN_UI)
                a->ui->ops->withdraw(a->ui, why);
        else if (a->place == IN_NOTICE)
                notice_withdraw(a->notice);
        a->place = NOWHERE;
        (void)!sd_event_source_set_enabled(a->timeout, SD_EVENT_OFF);
        question_done(&a->question);
}

/* ---- what the person does ---- */

static void send_shown(void *userdata) {
        struct agent *a = userdata;

        connection_send(a->connection,
                        json_pack("{s:s,s:I}", "type", AGENT_SHOWN, "id", a->question.id));
}

static void send_answer(struct agent *a, bool yes, const char *pin) {
        json_t *answer = json_pack("{s:s,s:I,s:s}", "type", AGENT_ANSWER, "id", a->question.id,
                                   "answer", yes ? "yes" : "no");

        if (answer && yes && pin && json_object_set_new(answer, "pin", json_string(pin)) < 0) {
                json_decref(answer);
                answer = NULL;
        }
        connection_send(a->connection, answer);
}

static void answered(void *userdata, bool yes, const char *pin) {
        struct agent *a = userdata;

        /* A no would end the request for the key that a passive question leaves it to. */
        if (yes || !a->question.passive)
                send_answer(a, yes, pin);
        a->place = NOWHERE;
        (void)!sd_event_source_set_enabled(a->timeout, SD_EVENT_OFF);
        question_done(&a->question);
}

const struct ui_events *agent_ui_events(void) {
        static const struct ui_events events = { .shown = send_shown, .answered = answered };

        return &events;
}

/* ---- questions ---- */

static void make_prompt(const struct agent *a, struct prompt *ret) {
        struct holders holders = { 0 };

        const char *phys = a->asking_phys ? a->asking_phys : a->phys;

        if (phys)
                holders_find(a->sys, a->proc, phys, getuid(), &holders);
        prompt_make(&a->question, a->machine ? a->machine : "", &holders, ret);
}

static void ask_in_ui(struct agent *a, const struct prompt *p) {
        a->place = IN_UI;
        if (a->ui->ops->ask(a->ui, &a->question, p) == 0)
                return;
        a->place = NOWHERE;
        /*
         * What cannot be shown is refused; the daemon would find out by itself, but later. Nobody has
         * to see a passive question, and one that is not shown would be refused.
         */
        if (a->question.passive)
                send_shown(a);
        else
                answered(a, false, NULL);
}

static void notice_used(void *userdata) {
        answered(userdata, true, NULL);
}

static void notice_failed(void *userdata) {
        struct agent *a = userdata;
        struct prompt p;

        make_prompt(a, &p);
        ask_in_ui(a, &p);
}

static void ask(struct agent *a) {
        struct prompt p;

        make_prompt(a, &p);
        if (a->question.timeout_ms > 0) {
                uint64_t ms = (uint64_t)a->question.timeout_ms + TIMEOUT_GRACE_MS;

                (void)!sd_event_source_set_time_relative(a->timeout, ms * 1000);
                (void)!sd_event_source_set_enabled(a->timeout, SD_EVENT_ONESHOT);
        }
        if (a->question.passive && a->ui->ops->leaves_passive) {
                a->place = IN_NOTICE;
                if (notice_show(a->notice, &a->question, &p) == 0)
                        return;
        }
        ask_in_ui(a, &p);
}

static int on_timeout(_unused_ sd_event_source *s, _unused_ uint64_t usec, void *userdata) {
        take_away(userdata, WITHDRAWN_TIMEOUT);
        return 0;
}

/* ---- what the daemon says ---- */

static const char *text_of(const json_t *packet, const char *name) {
        const char *text = json_string_value(json_object_get(packet, name));

        return text ? text : "";
}

static void take_welcome(struct agent *a, const json_t *packet) {
        free(a->machine);
        free(a->phys);
        a->machine = strdup(text_of(packet, "machine"));
        a->phys = strdup(text_of(packet, "phys"));
}

static void take_ask(struct agent *a, const json_t *packet) {
        const char *phys = json_string_value(json_object_get(packet, "phys"));
        struct question q;

        /* A verb of a newer daemon cannot be shown; not to have been shown is a no there. */
        if (question_parse(packet, &q) < 0)
                return;
        take_away(a, WITHDRAWN_CANCELLED);
        a->question = q;
        free(a->asking_phys);
        a->asking_phys = phys ? strdup(phys) : NULL;
        ask(a);
}

static void on_packet(void *userdata, const char *type, const json_t *packet) {
        struct agent *a = userdata;
        bool is_up = a->place != NOWHERE &&
                     json_integer_value(json_object_get(packet, "id")) == a->question.id;

        if (strcmp(type, AGENT_WELCOME) == 0)
                take_welcome(a, packet);
        else if (strcmp(type, AGENT_ASK) == 0)
                take_ask(a, packet);
        else if (strcmp(type, AGENT_WITHDRAW) == 0 && is_up)
                take_away(a, withdrawal_parse(text_of(packet, "why")));
        else if (strcmp(type, AGENT_FINGER) == 0 && is_up && a->place == IN_UI)
                a->ui->ops->finger(a->ui, finger_parse(text_of(packet, "state")));
}

static void on_lost(void *userdata) {
        take_away(userdata, WITHDRAWN_LOST);
}

/* ---- life ---- */

int agent_new(sd_event *event, const struct agent_options *options, struct agent **ret) {
        static const struct notice_events events = {
                .shown = send_shown,
                .used = notice_used,
                .failed = notice_failed,
        };
        struct agent *a = calloc(1, sizeof(*a));
        int r = -ENOMEM;

        if (!a)
                return -ENOMEM;
        a->event = sd_event_ref(event);
        a->socket = strdup(options->socket);
        a->sys = strdup(options->sys);
        a->proc = strdup(options->proc);
        if (a->socket && a->sys && a->proc)
                r = notice_new(event, &events, a, &a->notice);
        if (r == 0)
                r = sd_event_add_time_relative(event, &a->timeout, CLOCK_MONOTONIC, 0, 0,
                                               on_timeout, a);
        if (r >= 0)
                r = sd_event_source_set_enabled(a->timeout, SD_EVENT_OFF);
        if (r < 0) {
                agent_free(a);
                return r;
        }

        *ret = a;
        return 0;
}

int agent_start(struct agent *a, struct ui *ui) {
        static const struct connection_handlers handlers = { .packet = on_packet, .lost = on_lost };
        json_t *hello =
                json_pack("{s:s,s:i,s:s,s:b,s:b}", "type", AGENT_HELLO, "v", AGENT_PROTOCOL_VERSION,
                          "ui", ui->ops->name, "pin", true, "hold", ui->ops->holds);
        int r = -ENOMEM;

        a->ui = ui;
        if (hello)
                r = connection_new(a->event, a->socket, hello, &handlers, a, &a->connection);
        json_decref(hello);
        return r;
}

struct agent *agent_free(struct agent *a) {
        if (!a)
                return NULL;
        if (a->connection)
                take_away(a, WITHDRAWN_LOST);
        connection_free(a->connection);
        notice_free(a->notice);
        sd_event_source_disable_unref(a->timeout);
        sd_event_unref(a->event);
        free(a->machine);
        free(a->asking_phys);
        free(a->phys);
        free(a->socket);
        free(a->sys);
        free(a->proc);
        free(a);
        return NULL;
}
