/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The terminal is left as it was found whatever ends the question: signals that would end or stop the
 * program are taken as readable bytes meanwhile, and given back after. Standard input is read byte by
 * byte, so that no buffer keeps a secret and the next line is still there for the next question.
 */

#include "cli/ask.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <termios.h>
#include <unistd.h>

void secret_text_wipe(struct secret_text *t) {
        if (t)
                explicit_bzero(t, sizeof(*t));
}

bool ask_is_interactive(void) {
        return isatty(STDIN_FILENO);
}

enum reading { READING, READ_LINE, READ_TOO_LONG, READ_END };

/* One byte more; *n counts them, and stops where they do not fit. */
static enum reading read_byte(char *to, size_t *n) {
        char c;
        ssize_t got = read(STDIN_FILENO, &c, 1);

        if (got < 0 && errno == EINTR)
                return READING;
        if (got <= 0 && *n == 0)
                return READ_END;
        if (got <= 0 || c == '\n')
                return *n < SECRET_MAX ? READ_LINE : READ_TOO_LONG;
        /* Behind a NUL the rest of a secret would count for nothing. */
        if (c == '\0')
                *n = SECRET_MAX;
        if (*n < SECRET_MAX - 1)
                to[*n] = c;
        if (*n < SECRET_MAX)
                (*n)++;
        return READING;
}

/* Until the line is there, or a signal is. */
static enum reading read_line(int signals, char *to, int *ret_signal) {
        enum reading state = READING;
        size_t n = 0;

        memset(to, 0, SECRET_MAX);
        *ret_signal = 0;
        while (state == READING) {
                struct pollfd fds[] = { { .fd = STDIN_FILENO, .events = POLLIN },
                                        { .fd = signals, .events = POLLIN } };
                struct signalfd_siginfo got;

                if (poll(fds, 2, -1) < 0 && errno != EINTR)
                        return READ_END;
                if (fds[1].revents & POLLIN && read(signals, &got, sizeof(got)) == sizeof(got)) {
                        *ret_signal = (int)got.ssi_signo;
                        return READ_END;
                }
                if (fds[0].revents)
                        state = read_byte(to, &n);
        }
        return state;
}

static enum reading read_from_terminal(const char *prompt, char *to) {
        static const int caught[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGTSTP };
        struct termios before, quiet;
        enum reading state = READ_END;
        sigset_t mask, mask_before;
        int signals, got = 0;

        sigemptyset(&mask);
        for (size_t i = 0; i < sizeof(caught) / sizeof(caught[0]); i++)
                sigaddset(&mask, caught[i]);
        if (tcgetattr(STDIN_FILENO, &before) < 0)
                return READ_END;
        sigprocmask(SIG_BLOCK, &mask, &mask_before);
        signals = signalfd(-1, &mask, SFD_CLOEXEC);

        quiet = before;
        quiet.c_lflag &= ~(tcflag_t)(ECHO | ECHOE | ECHOK | ECHONL);
        if (signals >= 0 && tcsetattr(STDIN_FILENO, TCSAFLUSH, &quiet) == 0) {
                fputs(prompt, stderr);
                fflush(stderr);
                state = read_line(signals, to, &got);
                fputc('\n', stderr);
                tcsetattr(STDIN_FILENO, TCSAFLUSH, &before);
        }
        if (signals >= 0)
                close(signals);
        if (got != 0)
                raise(got); /* pending until the next line */
        sigprocmask(SIG_SETMASK, &mask_before, NULL);
        return state;
}

int ask_secret(const char *prompt, struct secret_text *ret) {
        enum reading state;
        int no_signal;

        if (ask_is_interactive())
                state = read_from_terminal(prompt, ret->s);
        else
                state = read_line(-1, ret->s, &no_signal);
        if (state == READ_LINE && *ret->s)
                return 0;

        secret_text_wipe(ret);
        fprintf(stderr, "tpmauthn: %s\n",
                state == READ_TOO_LONG ? "that is too long, or holds a NUL"
                : state == READ_LINE   ? "nothing was typed"
                                       : "nothing could be read");
        return -1;
}

int ask_new_secret(const char *prompt, const char *again, struct secret_text *ret) {
        _cleanup_(secret_text_wipe) struct secret_text second;

        if (ask_secret(prompt, ret) < 0)
                return -1;
        if (!ask_is_interactive())
                return 0;
        if (ask_secret(again, &second) == 0) {
                if (strcmp(ret->s, second.s) == 0)
                        return 0;
                fputs("tpmauthn: the two are not the same; nothing was changed\n", stderr);
        }
        secret_text_wipe(ret);
        return -1;
}

static bool confirmed(const struct options *o, const char *question, const char *verb,
                      const char *otherwise) {
        char line[16];

        if (o->yes)
                return true;
        if (!isatty(STDIN_FILENO)) {
                fprintf(stderr, "tpmauthn: this %s; say --yes where no terminal can be asked\n",
                        verb);
                return false;
        }
        fflush(stdout);
        fprintf(stderr, "%s [y/N] ", question); /* standard output may be a file of JSON */
        if (fgets(line, sizeof(line), stdin) && (!strcmp(line, "y\n") || !strcmp(line, "yes\n")))
                return true;
        fprintf(stderr, "%s\n", otherwise);
        return false;
}

bool ask_to_erase(const struct options *o, const char *question) {
        return confirmed(o, question, "erases", "Nothing was erased.");
}

bool ask_to_go_on(const struct options *o, const char *question) {
        return confirmed(o, question, "changes the store", "Nothing was changed.");
}
