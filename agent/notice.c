/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The bus is opened for the first notification and kept. A person who closes a notification has not
 * said no: the key that the question is meant for would hear of it.
 */

#include "agent/notice.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-bus.h>
#include <time.h>

#include "agent/ui.h"

#define SERVICE       "org.freedesktop.Notifications"
#define OBJECT        "/org/freedesktop/Notifications"
#define ACTION        "use"
#define REPLY_WAIT_US 2000000 /* less than the daemon waits for a question to be shown */

struct notice {
        sd_event *event;
        const struct notice_events *events;
        void *userdata;

        sd_bus *bus;
        sd_bus_slot *call; /* the Notify that is under way */
        sd_bus_slot *acted;
        uint32_t id; /* 0: none is shown */
        uint64_t shown_at_us;
        bool was_shown;

        /* To show it once more. */
        char *summary, *body, *button;
        int32_t timeout_ms;
};

static uint64_t now_us(const struct notice *n) {
        uint64_t now = 0;

        (void)!sd_event_now(n->event, CLOCK_MONOTONIC, &now);
        return now;
}

static int send_notify(struct notice *n);

static int on_action(sd_bus_message *m, void *userdata, _unused_ sd_bus_error *error) {
        struct notice *n = userdata;
        const char *action;
        uint32_t id;

        if (sd_bus_message_read(m, "us", &id, &action) < 0 || n->id == 0 || id != n->id ||
            strcmp(action, ACTION) != 0)
                return 0;
        /* The service closes what was acted on. */
        if (now_us(n) - n->shown_at_us < UI_ARM_MS * 1000) {
                n->id = 0;
                (void)!send_notify(n);
                return 0;
        }
        n->id = 0;
        n->events->used(n->userdata);
        return 0;
}

static void close_bus(struct notice *n) {
        n->call = sd_bus_slot_unref(n->call);
        n->acted = sd_bus_slot_unref(n->acted);
        if (n->bus)
                sd_bus_detach_event(n->bus);
        n->bus = sd_bus_close_unref(n->bus);
}

static int open_bus(struct notice *n) {
        int r;

        if (n->bus && sd_bus_is_open(n->bus) > 0)
                return 0;
        close_bus(n);
        r = sd_bus_open_user(&n->bus);
        if (r >= 0)
                r = sd_bus_attach_event(n->bus, n->event, SD_EVENT_PRIORITY_NORMAL);
        if (r >= 0)
                r = sd_bus_match_signal_async(n->bus, &n->acted, SERVICE, OBJECT, SERVICE,
                                              "ActionInvoked", on_action, NULL, n);
        return r < 0 ? r : 0;
}

static int on_reply(sd_bus_message *m, void *userdata, _unused_ sd_bus_error *error) {
        struct notice *n = userdata;
        uint32_t id;

        n->call = sd_bus_slot_unref(n->call);
        if (sd_bus_message_is_method_error(m, NULL) || sd_bus_message_read(m, "u", &id) < 0) {
                n->events->failed(n->userdata);
                return 0;
        }
        n->id = id;
        n->shown_at_us = now_us(n);
        if (!n->was_shown)
                n->events->shown(n->userdata);
        n->was_shown = true;
        return 0;
}

static int send_notify(struct notice *n) {
        sd_bus_message *m = NULL;
        int r;

        r = sd_bus_message_new_method_call(n->bus, &m, SERVICE, OBJECT, SERVICE, "Notify");
        if (r >= 0)
                r = sd_bus_message_append(m, "susssasa{sv}i", "tpmauthn", 0, "tpmauthn", n->summary,
                                          n->body, 2, ACTION, n->button, 2, "transient", "b", true,
                                          "desktop-entry", "s", "tpmauthn-agent", n->timeout_ms);
        if (r >= 0)
                r = sd_bus_call_async(n->bus, &n->call, m, on_reply, n, REPLY_WAIT_US);
        sd_bus_message_unref(m);
        return r < 0 ? r : 0;
}

/* A body may hold markup, so nothing of a site's may be taken for some. To be freed. */
static char *escape(const char *text) {
        char *escaped = calloc(strlen(text) + 1, 6), *to = escaped;

        for (; escaped && *text; text++) {
                const char *as = *text == '&' ? "&amp;" : *text == '<' ? "&lt;" : NULL;

                if (!as && *text == '>')
                        as = "&gt;";
                if (as)
                        to = stpcpy(to, as);
                else
                        *to++ = *text;
        }
        return escaped;
}

static void forget(struct notice *n) {
        free(n->summary);
        free(n->body);
        free(n->button);
        n->summary = n->body = n->button = NULL;
}

static int remember(struct notice *n, const struct question *q, const struct prompt *p) {
        char *text = prompt_text(p);

        forget(n);
        n->summary = strdup(p->title);
        n->body = text ? escape(text) : NULL;
        n->button = prompt_plain(p->confirm);
        n->timeout_ms = (int32_t)q->timeout_ms;
        n->was_shown = false;
        free(text);
        return n->summary && n->body && n->button ? 0 : -ENOMEM;
}

int notice_show(struct notice *n, const struct question *q, const struct prompt *p) {
        int r;

        notice_withdraw(n);
        r = remember(n, q, p);
        if (r == 0)
                r = open_bus(n);
        return r == 0 ? send_notify(n) : r;
}

void notice_withdraw(struct notice *n) {
        /* One whose number is not known yet is closed by the service when its time is over. */
        n->call = sd_bus_slot_unref(n->call);
        if (n->id != 0)
                (void)!sd_bus_call_method_async(n->bus, NULL, SERVICE, OBJECT, SERVICE,
                                                "CloseNotification", NULL, NULL, "u", n->id);
        n->id = 0;
}

int notice_new(sd_event *event, const struct notice_events *events, void *userdata,
               struct notice **ret) {
        struct notice *n = calloc(1, sizeof(*n));

        if (!n)
                return -ENOMEM;
        n->event = sd_event_ref(event);
        n->events = events;
        n->userdata = userdata;
        *ret = n;
        return 0;
}

struct notice *notice_free(struct notice *n) {
        if (!n)
                return NULL;
        notice_withdraw(n);
        if (n->bus)
                sd_bus_flush(n->bus);
        close_bus(n);
        forget(n);
        sd_event_unref(n->event);
        free(n);
        return NULL;
}
