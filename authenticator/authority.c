/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * CheckAuthorization of org.freedesktop.PolicyKit1.Authority. The subject is the process that
 * connected, with the uid that the kernel gave for it then: should its number be another's by now, it
 * is still that user whose authorization is looked at. polkit finds out itself when it started, which
 * this daemon cannot see (ProtectProc).
 */

#include "authenticator/authority.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>
#include <systemd/sd-bus.h>

#define POLKIT_NAME      "org.freedesktop.PolicyKit1"
#define POLKIT_PATH      "/org/freedesktop/PolicyKit1/Authority"
#define POLKIT_INTERFACE "org.freedesktop.PolicyKit1.Authority"

#define ALLOW_USER_INTERACTION 1u

struct question {
        struct question *next;
        struct authority *authority;
        uint32_t tag;
        uid_t peer;
        struct control_request rq;
        sd_bus_slot *call;
};

struct authority {
        struct authority_options options;
        struct question *questions;
};

static void note(const struct authority *a, const char *why) {
        log_write(a->options.log, LOG_DEBUG, NULL, "polkit gives no answer: %s", why);
}

static void question_free(struct question *q) {
        sd_bus_slot_unref(q->call);
        control_request_done(&q->rq);
        free(q);
}

static struct question **find(struct authority *a, uint32_t tag) {
        struct question **at = &a->questions;

        while (*at && (*at)->tag != tag)
                at = &(*at)->next;
        return at;
}

/* Takes it out. */
static struct question *take(struct question **at) {
        struct question *q = *at;

        *at = q->next;
        return q;
}

static void judge(struct question *q, bool allowed) {
        const struct authority_options *o = &q->authority->options;

        (void)take(find(q->authority, q->tag));
        o->on_verdict(o->userdata, q->tag, &q->rq, allowed);
        question_free(q);
}

/* What tells one question from another to polkit; it is of this connection alone. */
static void write_cancellation_id(const struct question *q, char text[static 16]) {
        snprintf(text, 16, "%u", q->tag);
}

/* A dialog that nobody waits for is not left standing. No answer is waited for. */
static void cancel(const struct question *q) {
        sd_bus *connection = bus_connection(q->authority->options.bus);
        char id[16];
        int r;

        if (!connection)
                return;
        write_cancellation_id(q, id);
        r = sd_bus_call_method_async(connection, NULL, POLKIT_NAME, POLKIT_PATH, POLKIT_INTERFACE,
                                     "CancelCheckAuthorization", NULL, NULL, "s", id);
        if (r < 0)
                note(q->authority, strerror(-r));
}

static int on_checked(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        struct question *q = userdata;
        const sd_bus_error *e = sd_bus_message_get_error(m);
        int allowed = 0, challenge, r;

        (void)error;
        if (e) {
                note(q->authority, e->message ? e->message : e->name);
                if (sd_bus_message_is_method_error(m, SD_BUS_ERROR_NO_REPLY))
                        cancel(q);
                judge(q, false);
                return 0;
        }
        r = sd_bus_message_read(m, "(bba{ss})", &allowed, &challenge, 0);
        if (r < 0)
                note(q->authority, strerror(-r));
        judge(q, r >= 0 && allowed);
        return 0;
}

static int call(struct question *q, pid_t process) {
        sd_bus *connection = bus_connection(q->authority->options.bus);
        sd_bus_message *m = NULL;
        char id[16];
        int r;

        if (!connection)
                return -ENOTCONN;
        write_cancellation_id(q, id);
        r = sd_bus_message_new_method_call(connection, &m, POLKIT_NAME, POLKIT_PATH,
                                           POLKIT_INTERFACE, "CheckAuthorization");
        if (r >= 0)
                r = sd_bus_message_append(m, "(sa{sv})sa{ss}us", "unix-process", 3, "pid", "u",
                                          (uint32_t)process, "start-time", "t", UINT64_C(0), "uid",
                                          "i", (int32_t)q->peer, AUTHORITY_PROVISION, 0,
                                          ALLOW_USER_INTERACTION, id);
        if (r >= 0)
                r = sd_bus_call_async(connection, &q->call, m, on_checked, q,
                                      UINT64_C(1000) * AUTHORITY_TIMEOUT_MS);
        sd_bus_message_unref(m);
        return r;
}

void authority_ask(struct authority *a, uint32_t tag, uid_t peer, pid_t process,
                   const struct control_request *rq) {
        struct question *q = calloc(1, sizeof(*q));
        int r = -ENOMEM;

        if (q) {
                *q = (struct question){ a->questions, a, tag, peer, *rq, NULL };
                json_incref(q->rq.id);
                json_incref(q->rq.params);
                a->questions = q;
                r = call(q, process);
        }
        if (r >= 0)
                return;
        note(a, strerror(-r));
        if (q)
                judge(q, false);
        else
                a->options.on_verdict(a->options.userdata, tag, rq, false);
}

void authority_forget(struct authority *a, uint32_t tag) {
        struct question **at = find(a, tag);

        if (!*at)
                return;
        cancel(*at);
        question_free(take(at));
}

int authority_new(const struct authority_options *options, struct authority **ret) {
        struct authority *a = calloc(1, sizeof(*a));

        if (!a)
                return -ENOMEM;
        a->options = *options;
        *ret = a;
        return 0;
}

struct authority *authority_free(struct authority *a) {
        if (!a)
                return NULL;
        while (a->questions)
                question_free(take(&a->questions));
        free(a);
        return NULL;
}
