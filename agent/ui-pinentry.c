/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * pinentry, the dialog that GnuPG has: one process for each question. What it is told is a list of
 * lines, each sent when the one before was answered; only the reply to the last one matters, since not
 * every pinentry knows every option. A question is taken away by ending the process, by its number.
 *
 * A pinentry has no button that is armed later or held on to. A yes that comes too soon for that has
 * it ask once more.
 */

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <locale.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include "agent/assuan.h"
#include "agent/intl.h"
#include "agent/ui.h"

#define LINES_MAX    16
#define KILL_WAIT_US 500000

struct ui_pinentry {
        struct ui ui;
        sd_event *event;
        char *program;

        pid_t pid; /* 0: none runs */
        int to, from;
        sd_event_source *io, *child, *kill;
        struct termios
                modes; /* of the terminal, which a pinentry that is killed leaves as it was */
        bool has_terminal;

        char *lines[LINES_MAX]; /* what is said; the last one asks */
        unsigned n_lines, at;
        bool asking, takes_pin, is_blocked, was_shown;
        uint64_t shown_at_us;
        unsigned arm_ms;

        char in[2 * ASSUAN_LINE_MAX]; /* what was read; a secret, as the next one is */
        size_t n_in;
        char data[ASSUAN_LINE_MAX + 1]; /* of D lines */
};

static struct ui_pinentry *pinentry_of(struct ui *ui) {
        return container_of(ui, struct ui_pinentry, ui);
}

static uint64_t now_us(const struct ui_pinentry *p) {
        uint64_t now = 0;

        (void)!sd_event_now(p->event, CLOCK_MONOTONIC, &now);
        return now;
}

/* ---- the process ---- */

static int on_child(_unused_ sd_event_source *s, _unused_ const siginfo_t *si, void *userdata) {
        struct ui_pinentry *p = userdata;

        p->child = sd_event_source_unref(p->child);
        (void)!sd_event_source_set_enabled(p->kill, SD_EVENT_OFF);
        p->pid = 0;
        if (p->has_terminal)
                tcsetattr(STDIN_FILENO, TCSANOW, &p->modes);
        return 0;
}

static int on_kill(_unused_ sd_event_source *s, _unused_ uint64_t usec, void *userdata) {
        struct ui_pinentry *p = userdata;

        if (p->pid > 0)
                kill(p->pid, SIGKILL);
        return 0;
}

static void forget(struct ui_pinentry *p) {
        for (unsigned i = 0; i < p->n_lines; i++)
                free(p->lines[i]);
        p->n_lines = p->at = 0;
        explicit_bzero(p->in, sizeof(p->in));
        explicit_bzero(p->data, sizeof(p->data));
        p->n_in = 0;
}

/* It is reaped later; one that does not listen is killed. */
static void end_process(struct ui_pinentry *p) {
        p->asking = false;
        forget(p);
        p->io = sd_event_source_disable_unref(p->io);
        if (p->to >= 0)
                close(p->to);
        if (p->from >= 0)
                close(p->from);
        p->to = p->from = -1;
        if (p->pid <= 0)
                return;
        kill(p->pid, SIGTERM);
        (void)!sd_event_source_set_time_relative(p->kill, KILL_WAIT_US);
        (void)!sd_event_source_set_enabled(p->kill, SD_EVENT_ONESHOT);
}

/* The question before is gone for good before the next one is up. */
static void reap(struct ui_pinentry *p) {
        if (p->pid <= 0)
                return;
        kill(p->pid, SIGKILL);
        p->child = sd_event_source_disable_unref(p->child);
        while (waitpid(p->pid, NULL, 0) < 0 && errno == EINTR)
                continue;
        on_child(NULL, NULL, p);
}

static int spawn(struct ui_pinentry *p, int in, int out) {
        char *argv[] = { p->program, NULL };
        posix_spawn_file_actions_t files;
        posix_spawnattr_t attributes;
        sigset_t none, all;
        int r;

        /* The signals that the loop takes are for the agent alone. */
        sigemptyset(&none);
        sigfillset(&all);
        posix_spawnattr_init(&attributes);
        posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
        posix_spawnattr_setsigmask(&attributes, &none);
        posix_spawnattr_setsigdefault(&attributes, &all);
        posix_spawn_file_actions_init(&files);
        posix_spawn_file_actions_adddup2(&files, in, STDIN_FILENO);
        posix_spawn_file_actions_adddup2(&files, out, STDOUT_FILENO);
        r = posix_spawn(&p->pid, p->program, &files, &attributes, argv, environ);
        posix_spawn_file_actions_destroy(&files);
        posix_spawnattr_destroy(&attributes);
        if (r != 0)
                p->pid = 0;
        return -r;
}

static int on_readable(sd_event_source *s, int fd, uint32_t revents, void *userdata);

static int begin_process(struct ui_pinentry *p) {
        int in[2], out[2], r;

        p->has_terminal = tcgetattr(STDIN_FILENO, &p->modes) == 0;
        if (pipe2(in, O_CLOEXEC) < 0)
                return -errno;
        if (pipe2(out, O_CLOEXEC) < 0) {
                close(in[0]);
                close(in[1]);
                return -EMFILE;
        }
        r = spawn(p, in[0], out[1]);
        close(in[0]);
        close(out[1]);
        p->to = in[1];
        p->from = out[0];
        if (r == 0)
                r = sd_event_add_child(p->event, &p->child, p->pid, WEXITED, on_child, p);
        if (r >= 0)
                r = sd_event_add_io(p->event, &p->io, p->from, EPOLLIN, on_readable, p);
        return r < 0 ? r : 0;
}

/* ---- what is said ---- */

static int say_at(struct ui_pinentry *p, const char *verb, const char *text) {
        char line[ASSUAN_LINE_MAX + 1];

        if (p->n_lines == LINES_MAX)
                return -ENOSPC;
        assuan_command(verb, text, line);
        p->lines[p->n_lines] = strdup(line);
        return p->lines[p->n_lines++] ? 0 : -ENOMEM;
}

static int say_option(struct ui_pinentry *p, const char *name, const char *value) {
        char text[512];

        if (!value)
                return 0;
        snprintf(text, sizeof(text), "%s=%s", name, value);
        return say_at(p, "OPTION", text);
}

static int say_environment(struct ui_pinentry *p) {
        const char *tty = isatty(STDIN_FILENO) ? ttyname(STDIN_FILENO) : getenv("GPG_TTY");
        int r;

        r = say_option(p, "ttyname", tty);
        if (r == 0 && tty)
                r = say_option(p, "ttytype", getenv("TERM"));
        if (r == 0)
                r = say_option(p, "lc-ctype", setlocale(LC_CTYPE, NULL));
        if (r == 0)
                r = say_option(p, "lc-messages", setlocale(LC_MESSAGES, NULL));
        return r;
}

static int say_description(struct ui_pinentry *p, const struct question *q,
                           const struct prompt *prompt) {
        const char *finger = prompt_finger(q->finger);
        struct prompt without_note = *prompt;
        char *text, *whole = NULL;
        int r = -ENOMEM;

        if (p->takes_pin)
                *without_note.note = '\0';
        text = prompt_text(&without_note);

        if (text && asprintf(&whole, "%s%s%s", text, finger ? "\n" : "", finger ? finger : "") >= 0)
                r = say_at(p, "SETDESC", whole);
        free(whole);
        free(text);
        return r;
}

static int say_everything(struct ui_pinentry *p, const struct question *q,
                          const struct prompt *prompt) {
        char seconds[16];
        int r;

        snprintf(seconds, sizeof(seconds), "%u", (q->timeout_ms + 999) / 1000);
        r = say_environment(p);
        if (r == 0)
                r = say_at(p, "SETTITLE", prompt->title);
        if (r == 0)
                r = say_description(p, q, prompt);
        if (r == 0 && q->timeout_ms > 0)
                r = say_at(p, "SETTIMEOUT", seconds);
        if (r == 0)
                r = say_at(p, "SETOK", p->is_blocked ? prompt->refuse : prompt->confirm);
        if (r == 0)
                r = say_at(p, "SETCANCEL", prompt->refuse);
        if (r == 0 && p->takes_pin)
                r = say_at(p, "SETPROMPT", _("PIN:"));
        if (r == 0 && p->takes_pin && *prompt->note)
                r = say_at(p, "SETERROR", prompt->note);
        if (r == 0)
                r = say_at(p, p->is_blocked ? "MESSAGE" : p->takes_pin ? "GETPIN" : "CONFIRM", "");
        return r;
}

static int write_line(const struct ui_pinentry *p, const char *line) {
        size_t left = strlen(line);

        while (left > 0) {
                ssize_t n = write(p->to, line, left);

                if (n < 0 && errno != EINTR)
                        return -errno;
                line += n > 0 ? n : 0;
                left -= n > 0 ? (size_t)n : 0;
        }
        return 0;
}

/* ---- what it replies ---- */

static void answer(struct ui_pinentry *p, bool yes, const char *pin) {
        p->ui.events->answered(p->ui.userdata, yes, pin);
}

static void refuse(struct ui_pinentry *p) {
        end_process(p);
        answer(p, false, NULL);
}

/* The same question, with the reason. */
static void ask_again(struct ui_pinentry *p, const char *why) {
        char line[ASSUAN_LINE_MAX + 1];

        assuan_command("SETERROR", why, line);
        explicit_bzero(p->data, sizeof(p->data));
        p->at = p->n_lines - 1;
        /* One whose other end is closed says so by what is read. */
        (void)!write_line(p, line);
}

static void take_yes(struct ui_pinentry *p) {
        char pin[sizeof(p->data)];

        if (p->is_blocked) {
                refuse(p);
                return;
        }
        if (p->takes_pin && (assuan_unescape(p->data) < 0 || !prompt_can_be_pin(p->data))) {
                ask_again(p, prompt_no_pin());
                return;
        }
        if (now_us(p) - p->shown_at_us < p->arm_ms * UINT64_C(1000)) {
                ask_again(p, _("That was too quick to be meant for this question."));
                return;
        }
        memcpy(pin, p->data, sizeof(pin));
        end_process(p);
        answer(p, true, p->takes_pin ? pin : NULL);
        explicit_bzero(pin, sizeof(pin));
}

/* The next line; the last one puts the question up. */
static void say_next(struct ui_pinentry *p) {
        bool last = p->at == p->n_lines - 1;

        (void)!write_line(p, p->lines[p->at++]);
        if (!last)
                return;
        p->shown_at_us = now_us(p);
        if (p->was_shown)
                return;
        p->was_shown = true;
        p->ui.events->shown(p->ui.userdata);
}

static void take_error(struct ui_pinentry *p, const char *rest) {
        if (p->at < p->n_lines) {
                say_next(p);
                return;
        }
        /* When its time is over, the daemon will have it taken away. What cannot ask has not asked. */
        if (assuan_is_timeout(rest))
                end_process(p);
        else
                refuse(p);
}

static void take_line(struct ui_pinentry *p, const char *line) {
        size_t n = strlen(p->data);
        const char *rest;

        switch (assuan_parse(line, &rest)) {
        case ASSUAN_OK:
                if (p->at < p->n_lines)
                        say_next(p);
                else
                        take_yes(p);
                break;
        case ASSUAN_ERR:
                take_error(p, rest);
                break;
        case ASSUAN_DATA:
                /* What does not fit is no PIN. */
                snprintf(p->data + n, sizeof(p->data) - n, "%s", rest);
                break;
        case ASSUAN_NOTHING:
                break;
        case ASSUAN_UNKNOWN:
                refuse(p);
                break;
        }
}

static int on_readable(_unused_ sd_event_source *s, int fd, _unused_ uint32_t revents,
                       void *userdata) {
        struct ui_pinentry *p = userdata;
        ssize_t n = read(fd, p->in + p->n_in, sizeof(p->in) - p->n_in);
        char *end;

        if (n < 0 && errno == EINTR)
                return 0;
        /* It ended, or says more than a line can hold, and has given no answer. */
        if (n <= 0) {
                refuse(p);
                return 0;
        }
        p->n_in += (size_t)n;
        while (p->asking && (end = memchr(p->in, '\n', p->n_in))) {
                char line[sizeof(p->in)];
                size_t length = (size_t)(end - p->in);

                memcpy(line, p->in, length);
                line[length] = '\0';
                p->n_in -= length + 1;
                memmove(p->in, end + 1, p->n_in);
                take_line(p, line);
                explicit_bzero(line, sizeof(line));
        }
        return 0;
}

/* ---- the way of asking ---- */

static int pinentry_ask(struct ui *ui, const struct question *q, const struct prompt *prompt) {
        struct ui_pinentry *p = pinentry_of(ui);
        int r;

        /* It would take the focus from where the person is typing the PIN of another key. */
        if (q->passive)
                return -ENOTSUP;
        reap(p);
        p->takes_pin = q->verify && !prompt->is_blocked;
        p->is_blocked = prompt->is_blocked;
        p->arm_ms = ui_arm_ms(q);
        p->was_shown = false;
        r = say_everything(p, q, prompt);
        if (r == 0)
                r = begin_process(p);
        p->asking = true;
        if (r < 0)
                end_process(p);
        return r;
}

/* A pinentry that is up cannot be told anything. */
static void pinentry_finger(_unused_ struct ui *ui, _unused_ enum finger state) {
}

static void pinentry_withdraw(struct ui *ui, _unused_ enum withdrawal why) {
        end_process(pinentry_of(ui));
}

static int pinentry_run(_unused_ struct ui *ui, sd_event *event) {
        return sd_event_loop(event);
}

static void pinentry_free(struct ui *ui) {
        struct ui_pinentry *p = pinentry_of(ui);

        end_process(p);
        reap(p);
        sd_event_source_disable_unref(p->kill);
        sd_event_unref(p->event);
        free(p->program);
        free(p);
}

/* The program's path, to be freed; NULL: it is not there. */
static char *find_program(void) {
        const char *name = getenv("PINENTRY_PROGRAM"), *path = getenv("PATH");
        char *copy, *rest, *directory, *found = NULL;

        if (!name || !*name)
                name = "pinentry";
        if (strchr(name, '/'))
                return access(name, X_OK) == 0 ? strdup(name) : NULL;
        rest = copy = strdup(path ? path : "/usr/bin:/bin");
        while (!found && rest && (directory = strsep(&rest, ":"))) {
                char candidate[PATH_MAX];

                snprintf(candidate, sizeof(candidate), "%s/%s", directory, name);
                if (*directory && access(candidate, X_OK) == 0)
                        found = strdup(candidate);
        }
        free(copy);
        return found;
}

static bool has_place(void) {
        return getenv("WAYLAND_DISPLAY") || getenv("DISPLAY") || getenv("GPG_TTY") ||
               isatty(STDIN_FILENO);
}

int ui_pinentry_new(sd_event *event, const struct ui_events *events, void *userdata,
                    struct ui **ret) {
        static const struct ui_ops ops = {
                .name = "pinentry",
                .leaves_passive = true,
                .ask = pinentry_ask,
                .finger = pinentry_finger,
                .withdraw = pinentry_withdraw,
                .run = pinentry_run,
                .free = pinentry_free,
        };
        char *program = has_place() ? find_program() : NULL;
        struct ui_pinentry *p;
        int r;

        if (!program)
                return -ENOTSUP;
        p = calloc(1, sizeof(*p));
        if (!p) {
                free(program);
                return -ENOMEM;
        }

        p->ui = (struct ui){ &ops, events, userdata };
        p->event = sd_event_ref(event);
        p->program = program;
        p->to = p->from = -1;
        signal(SIGPIPE, SIG_IGN);
        r = sd_event_add_time_relative(event, &p->kill, CLOCK_MONOTONIC, 0, 0, on_kill, p);
        if (r >= 0)
                r = sd_event_source_set_enabled(p->kill, SD_EVENT_OFF);
        if (r < 0) {
                pinentry_free(&p->ui);
                return r;
        }

        *ret = &p->ui;
        return 0;
}
