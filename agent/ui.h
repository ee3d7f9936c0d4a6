/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/*
 * A way to ask a person: a dialog, pinentry, a terminal. It shows one question at a time and says
 * what the person did; what that means is for the daemon to decide. Chosen when the program starts.
 */

#include <stdbool.h>
#include <systemd/sd-event.h>

#include "agent/prompt.h"
#include "agent/question.h"

/* What a person does so soon after a question came up was not meant for it. */
#define UI_ARM_MS 700

struct ui_events {
        /* A person can see the question now. */
        void (*shown)(void *userdata);
        /*
         * The question has an answer, and is gone from the screen. `pin`: with a yes to one that takes
         * it, else NULL; borrowed, and wiped by who gives it.
         */
        void (*answered)(void *userdata, bool yes, const char *pin);
};

struct ui; /* embedded first by each way of asking */

struct ui_ops {
        const char *name;
        /* Passive questions are asked by a notification where there is a service for them. */
        bool leaves_passive;
        /* A yes to a question with hold_s is held on for; elsewhere that time is for reading. */
        bool holds;
        /*
         * Puts the question up, in place of none. Both may be gone after. An error if it cannot be
         * shown; then nothing of it is left.
         */
        int (*ask)(struct ui *ui, const struct question *q, const struct prompt *p);
        /* The reader says something while the question is up. */
        void (*finger)(struct ui *ui, enum finger state);
        /* Takes the question away, if there is one. */
        void (*withdraw)(struct ui *ui, enum withdrawal why);
        /* Runs until the event loop is told to exit; 0 or the negative errno of that. */
        int (*run)(struct ui *ui, sd_event *event);
        void (*free)(struct ui *ui);
};

struct ui {
        const struct ui_ops *ops;
        const struct ui_events *events;
        void *userdata;
};

/* How long a question is up before a yes counts, where it cannot be held on for. */
static inline unsigned ui_arm_ms(const struct question *q) {
        return q->hold_s * 1000 > UI_ARM_MS ? q->hold_s * 1000 : UI_ARM_MS;
}

/*
 * Each of them: -ENOTSUP if this way is not there (not built, no display, no program, no terminal).
 * `events` stay where they are for as long as the ui.
 */
_must_check_ int ui_gtk_new(sd_event *event, const struct ui_events *events, void *userdata,
                            struct ui **ret);
_must_check_ int ui_pinentry_new(sd_event *event, const struct ui_events *events, void *userdata,
                                 struct ui **ret);
_must_check_ int ui_tty_new(sd_event *event, const struct ui_events *events, void *userdata,
                            struct ui **ret);
