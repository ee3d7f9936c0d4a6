/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * A terminal, in its own line mode. Only "y" or "yes", or what these are in the person's language,
 * says yes; a PIN is typed without echo. The echo stays away for as long as a question came and went
 * in the middle of typing: whoever types has not seen that yet.
 */

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include "agent/intl.h"
#include "agent/ui.h"

#define LINE_SIZE    256
#define ECHO_WAIT_MS 1000

struct ui_tty {
        struct ui ui;
        int in, out;
        sd_event_source *io, *echo, *arm;
        struct termios at_first;
        bool quiet; /* it echoes nothing now */

        bool asking, takes_pin, is_blocked;
        bool armed;
        char line[LINE_SIZE]; /* so far; a secret */
        size_t n;             /* its bytes; more than fit are counted, not kept */
};

static struct ui_tty *tty_of(struct ui *ui) {
        return container_of(ui, struct ui_tty, ui);
}

static void put(const struct ui_tty *t, const char *text) {
        size_t left = strlen(text);

        while (left > 0) {
                ssize_t n = write(t->out, text, left);

                if (n < 0 && errno != EINTR && errno != EAGAIN)
                        return;
                text += n > 0 ? n : 0;
                left -= n > 0 ? (size_t)n : 0;
        }
}

static void set_modes(const struct ui_tty *t, const struct termios *modes) {
        sigset_t ttou, before;

        /* Also in the background, which would stop the program otherwise. */
        sigemptyset(&ttou);
        sigaddset(&ttou, SIGTTOU);
        sigprocmask(SIG_BLOCK, &ttou, &before);
        tcsetattr(t->in, TCSANOW, modes);
        sigprocmask(SIG_SETMASK, &before, NULL);
}

static void forget_line(struct ui_tty *t) {
        explicit_bzero(t->line, sizeof(t->line));
        t->n = 0;
}

/* What was typed before a question cannot be meant as its answer. */
static void drop_typed(struct ui_tty *t) {
        tcflush(t->in, TCIFLUSH);
        forget_line(t);
}

static int silence(struct ui_tty *t) {
        struct termios modes = t->at_first;

        /* A newline is echoed all the same; a shell that took over would have the PIN echo. */
        modes.c_lflag = (modes.c_lflag & ~(tcflag_t)ECHO) | ECHONL;
        modes.c_cc[VSUSP] = modes.c_cc[VQUIT] = _POSIX_VDISABLE;
        set_modes(t, &modes);
        t->quiet = true;
        if (tcgetattr(t->in, &modes) < 0 || (modes.c_lflag & ECHO))
                return -EIO;
        return 0;
}

static void put_echo_back(struct ui_tty *t) {
        (void)!sd_event_source_set_enabled(t->echo, SD_EVENT_OFF);
        if (!t->quiet)
                return;
        set_modes(t, &t->at_first);
        tcflush(t->in, TCIFLUSH);
        t->quiet = false;
}

static void put_prompt(const struct ui_tty *t) {
        if (t->is_blocked)
                put(t, _("Enter closes this: "));
        else if (t->takes_pin)
                put(t, _("PIN, or only Enter to refuse: "));
        else
                put(t, _("Type yes or no: "));
}

static void stop_asking(struct ui_tty *t) {
        t->asking = false;
        (void)!sd_event_source_set_enabled(t->arm, SD_EVENT_OFF);
}

static void answer(struct ui_tty *t, bool yes) {
        char pin[LINE_SIZE];

        memcpy(pin, t->line, sizeof(pin));
        forget_line(t);
        stop_asking(t);
        put_echo_back(t);
        t->ui.events->answered(t->ui.userdata, yes, yes && t->takes_pin ? pin : NULL);
        explicit_bzero(pin, sizeof(pin));
}

/* In the language of the question, or in English. */
static bool is_yes(const char *line) {
        return strcasecmp(line, "y") == 0 || strcasecmp(line, "yes") == 0 ||
               strcasecmp(line, _("y")) == 0 || strcasecmp(line, _("yes")) == 0;
}

static void say_again(struct ui_tty *t, const char *why) {
        forget_line(t);
        put(t, why);
        put(t, "\n");
        put_prompt(t);
}

static void end_line(struct ui_tty *t) {
        bool fits = t->n < sizeof(t->line);

        if (fits)
                t->line[t->n] = '\0';
        if (!t->asking)
                drop_typed(t);
        else if (t->is_blocked || t->n == 0)
                answer(t, false);
        else if (t->takes_pin && (!fits || !prompt_can_be_pin(t->line)))
                say_again(t, prompt_no_pin());
        else if (!t->takes_pin && (!fits || !is_yes(t->line)))
                answer(t, false);
        else if (!t->armed)
                say_again(t, _("That was too quick to be meant for this question."));
        else
                answer(t, true);
}

static int on_typed(sd_event_source *s, int fd, uint32_t revents, void *userdata) {
        struct ui_tty *t = userdata;
        char typed[64];
        ssize_t n = read(fd, typed, sizeof(typed));

        if (n < 0 && (errno == EINTR || errno == EAGAIN))
                return 0;
        /* Ctrl-D ends a line; a terminal that hung up ends the program. */
        if (n < 0 || (revents & EPOLLHUP))
                return sd_event_exit(sd_event_source_get_event(s), 0);
        if (n == 0)
                end_line(t);
        for (ssize_t i = 0; i < n; i++) {
                if (typed[i] == '\n') {
                        end_line(t);
                        continue;
                }
                if (t->n < sizeof(t->line) - 1)
                        t->line[t->n] = typed[i];
                t->n += t->n < sizeof(t->line);
        }
        explicit_bzero(typed, sizeof(typed));
        return 0;
}

static int on_armed(_unused_ sd_event_source *s, _unused_ uint64_t usec, void *userdata) {
        struct ui_tty *t = userdata;

        t->armed = true;
        return 0;
}

static int on_echo(_unused_ sd_event_source *s, _unused_ uint64_t usec, void *userdata) {
        put_echo_back(userdata);
        return 0;
}

static int tty_ask(struct ui *ui, const struct question *q, const struct prompt *p) {
        struct ui_tty *t = tty_of(ui);
        char *text = prompt_text(p);
        int r = 0;

        if (!text)
                return -ENOMEM;
        t->takes_pin = q->verify && !p->is_blocked;
        t->is_blocked = p->is_blocked;
        if (t->takes_pin)
                r = silence(t);
        else
                put_echo_back(t);
        (void)!sd_event_source_set_enabled(t->echo, SD_EVENT_OFF);
        if (r < 0) {
                put_echo_back(t);
                free(text);
                return r;
        }

        drop_typed(t);
        put(t, "\a\n");
        put(t, text);
        put(t, "\n");
        free(text);
        if (prompt_finger(q->finger)) {
                put(t, prompt_finger(q->finger));
                put(t, "\n");
        }
        put_prompt(t);
        t->asking = true;
        t->armed = false;
        (void)!sd_event_source_set_time_relative(t->arm, ui_arm_ms(q) * UINT64_C(1000));
        (void)!sd_event_source_set_enabled(t->arm, SD_EVENT_ONESHOT);
        ui->events->shown(ui->userdata);
        return 0;
}

static void tty_finger(struct ui *ui, enum finger state) {
        struct ui_tty *t = tty_of(ui);
        const char *text = prompt_finger(state);

        if (!t->asking || !text || state == FINGER_WAITING)
                return;
        put(t, "\n");
        put(t, text);
        put(t, "\n");
        put_prompt(t);
}

static void tty_withdraw(struct ui *ui, enum withdrawal why) {
        struct ui_tty *t = tty_of(ui);

        if (!t->asking)
                return;
        stop_asking(t);
        drop_typed(t);
        put(t, "\n");
        put(t, prompt_withdrawn(why));
        put(t, "\n");
        if (!t->quiet)
                return;
        (void)!sd_event_source_set_time_relative(t->echo, ECHO_WAIT_MS * 1000);
        (void)!sd_event_source_set_enabled(t->echo, SD_EVENT_ONESHOT);
}

static int tty_run(_unused_ struct ui *ui, sd_event *event) {
        return sd_event_loop(event);
}

static void tty_free(struct ui *ui) {
        struct ui_tty *t = tty_of(ui);

        if (t->echo)
                put_echo_back(t);
        sd_event_source_disable_unref(t->io);
        sd_event_source_disable_unref(t->echo);
        sd_event_source_disable_unref(t->arm);
        forget_line(t);
        free(t);
}

static int add_timer(struct ui_tty *t, sd_event *event, sd_event_time_handler_t on_time,
                     sd_event_source **ret) {
        int r = sd_event_add_time_relative(event, ret, CLOCK_MONOTONIC, 0, 0, on_time, t);

        return r < 0 ? r : sd_event_source_set_enabled(*ret, SD_EVENT_OFF);
}

int ui_tty_new(sd_event *event, const struct ui_events *events, void *userdata, struct ui **ret) {
        static const struct ui_ops ops = {
                .name = "tty",
                .ask = tty_ask,
                .finger = tty_finger,
                .withdraw = tty_withdraw,
                .run = tty_run,
                .free = tty_free,
        };
        struct ui_tty *t;
        int r;

        if (!isatty(STDIN_FILENO))
                return -ENOTSUP;
        t = calloc(1, sizeof(*t));
        if (!t)
                return -ENOMEM;

        t->ui = (struct ui){ &ops, events, userdata };
        t->in = STDIN_FILENO;
        t->out = isatty(STDOUT_FILENO) ? STDOUT_FILENO : STDIN_FILENO;
        r = tcgetattr(t->in, &t->at_first) < 0 ? -errno : 0;
        if (r == 0)
                r = sd_event_add_io(event, &t->io, t->in, EPOLLIN, on_typed, t);
        if (r >= 0)
                r = add_timer(t, event, on_echo, &t->echo);
        if (r >= 0)
                r = add_timer(t, event, on_armed, &t->arm);
        if (r < 0) {
                tty_free(&t->ui);
                return r;
        }

        *ret = &t->ui;
        return 0;
}
