/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The terminal that started the daemon, for trying it out without a desktop. It stays in its own
 * line mode: an answer is a line, and only "y" or "yes" says yes, or the PIN where that is asked for.
 *
 * While a PIN is typed the terminal echoes nothing, and the keys that stop or kill (not interrupt) a
 * program mean nothing: a shell that takes the terminal over would have it echo again. A program that
 * is killed from elsewhere in that moment leaves the terminal so; `stty sane` helps.
 */

#include "authenticator/presence-tty.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/crypto.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <termios.h>
#include <unistd.h>

#include "authenticator/util.h"
#include "ctap/text.h"

#define RP_ID_SHOWN   255
#define ACCOUNT_SHOWN 64

static void put_rp_id(struct buf *text, struct bytes rp_id) {
        if (rp_id.len == 0) {
                buf_put(text, BYTES_TEXT("a site that it does not name"));
                return;
        }
        text_put_end(text, rp_id, RP_ID_SHOWN);
}

static void put_account(struct buf *text, const char *before, const struct ctap_prompt *p) {
        if (p->account.len == 0)
                return;
        buf_put(text, BYTES_TEXT(before));
        text_put_start(text, p->account, ACCOUNT_SHOWN);
        if (p->n_accounts > 1)
                buf_put(text, BYTES_TEXT(" (or another of your accounts there)"));
}

static void put_tries(struct buf *text, const struct ctap_prompt *p) {
        char tries[48];

        if (p->again)
                buf_put(text, BYTES_TEXT("Wrong PIN. "));
        if (!p->again && p->tries != 1)
                return;
        snprintf(tries, sizeof(tries), p->tries == 1 ? "%u try is left. " : "%u tries are left. ",
                 p->tries);
        buf_put(text, BYTES_TEXT(tries));
}

void presence_question(const struct ctap_prompt *prompt, const char *device_name,
                       struct buf *text) {
        text_put_harmless(text, BYTES_TEXT(device_name));
        buf_put(text, BYTES_TEXT(": "));
        if (prompt->passive && prompt->ask != CTAP_ASK_FORBIDDEN)
                buf_put(text, BYTES_TEXT("This is probably meant for another security key. "));
        if (prompt->verify)
                put_tries(text, prompt);

        switch (prompt->ask) {
        case CTAP_ASK_CREATE:
                buf_put(text, BYTES_TEXT("Create a passkey for "));
                put_rp_id(text, prompt->rp_id);
                put_account(text, " as ", prompt);
                buf_put(text, BYTES_TEXT(" on this computer?"));
                break;
        case CTAP_ASK_USE:
                buf_put(text, BYTES_TEXT("Sign in to "));
                put_rp_id(text, prompt->rp_id);
                put_account(text, " as ", prompt);
                buf_put(text, BYTES_TEXT(" with this computer's passkey?"));
                break;
        case CTAP_ASK_SELECT:
                buf_put(text, BYTES_TEXT("Use this computer as the security key? Nothing is "
                                         "created and nobody is signed in by this."));
                break;
        case CTAP_ASK_RESET:
                buf_put(text, BYTES_TEXT("ERASE ALL PASSKEYS of this computer? They cannot be "
                                         "brought back."));
                break;
        case CTAP_ASK_VERIFY:
                buf_put(text, BYTES_TEXT("Create or use a passkey of "));
                put_rp_id(text, prompt->rp_id);
                buf_put(text, BYTES_TEXT(" on this computer?"));
                break;
        case CTAP_ASK_MANAGE:
                buf_put(text, BYTES_TEXT("Let a program see, change and delete all passkeys of "
                                         "this computer, and change the settings of this key?"));
                break;
        case CTAP_ASK_FORBIDDEN:
                buf_put(text,
                        BYTES_TEXT("Whoever administers this computer allows no passkeys of "));
                put_rp_id(text, prompt->rp_id);
                buf_put(text, BYTES_TEXT(" here. End the request?"));
                break;
        case _CTAP_ASKS:
                break;
        }

        if (prompt->verify)
                buf_put(text, BYTES_TEXT(" Type the PIN, or only Enter to refuse: "));
        else
                buf_put(text, BYTES_TEXT(" [y/N] "));
}

int presence_tty_init(struct presence_tty *t, int fd) {
        *t = (struct presence_tty){ .fd = fd };
        if (fd < 0) {
                t->fd = open("/dev/tty", O_RDWR | O_NOCTTY | O_CLOEXEC);
                if (t->fd < 0)
                        return -errno;
                t->ours = true;
        }
        t->is_terminal = tcgetattr(t->fd, &t->at_first) == 0;
        return 0;
}

static void forget_line(struct presence_tty *t) {
        ctap_typed_pin_wipe(&t->line);
        t->n = 0;
}

void presence_tty_done(struct presence_tty *t) {
        presence_tty_echo(t);
        forget_line(t);
        if (t->ours)
                close_fd(t->fd);
        t->fd = -1;
        t->ours = false;
}

/* ---- echo ---- */

/* Also where the daemon is in the background of its terminal, which would stop it otherwise. */
static int set_modes(int fd, const struct termios *modes) {
        sigset_t ttou, before;
        int r;

        sigemptyset(&ttou);
        sigaddset(&ttou, SIGTTOU);
        pthread_sigmask(SIG_BLOCK, &ttou, &before);
        /* At once: output that somebody has halted (Ctrl-S) is not waited for. */
        r = tcsetattr(fd, TCSANOW, modes) < 0 ? -errno : 0;
        pthread_sigmask(SIG_SETMASK, &before, NULL);
        return r;
}

/* A newline is echoed all the same, for it ends the line. */
static int silence(struct presence_tty *t) {
        struct termios modes;
        int r;

        if (!t->is_terminal || t->quiet)
                return 0;
        if (tcgetattr(t->fd, &modes) < 0)
                return -errno;
        modes.c_lflag = (modes.c_lflag & ~(tcflag_t)ECHO) | ECHONL;
        modes.c_cc[VSUSP] = modes.c_cc[VQUIT] = _POSIX_VDISABLE;
        t->quiet = true;
        r = set_modes(t->fd, &modes);
        /* It says yes when it has done a part. */
        if (r == 0 && (tcgetattr(t->fd, &modes) < 0 || (modes.c_lflag & ECHO)))
                r = -EIO;
        return r;
}

/* Only what silence() changed: the rest may have been changed by its owner since. */
static void put_back(const struct presence_tty *t) {
        const tcflag_t changed = ECHO | ECHONL;
        struct termios modes;

        if (tcgetattr(t->fd, &modes) < 0)
                return;
        modes.c_lflag = (modes.c_lflag & ~changed) | (t->at_first.c_lflag & changed);
        modes.c_cc[VSUSP] = t->at_first.c_cc[VSUSP];
        modes.c_cc[VQUIT] = t->at_first.c_cc[VQUIT];
        (void)!set_modes(t->fd, &modes);
        /* The half of a PIN is no command for the shell that reads next. */
        tcflush(t->fd, TCIFLUSH);
}

void presence_tty_echo(struct presence_tty *t) {
        if (t->quiet)
                put_back(t);
        t->quiet = false;
}

void presence_tty_abandon(const struct presence_tty *t) {
        struct termios modes;

        if (t->is_terminal && tcgetattr(t->fd, &modes) == 0 &&
            (t->at_first.c_lflag & ECHO & ~modes.c_lflag))
                put_back(t);
}

/* ---- lines ---- */

static int write_all(int fd, struct bytes what) {
        while (what.len > 0) {
                ssize_t n = write(fd, what.data, what.len);

                if (n < 0 && errno == EINTR)
                        continue;
                if (n < 0)
                        return -errno;
                what = BYTES(what.data + n, what.len - (size_t)n);
        }
        return 0;
}

bool presence_tty_is_gone(const struct presence_tty *t) {
        struct pollfd p = { .fd = t->fd };

        return poll(&p, 1, 0) > 0;
}

/*
 * One read if it would not block: bytes, 0 if there is nothing, -ENODATA if a line was ended by its
 * end of file (Ctrl-D), -EIO if the terminal is at its own end.
 */
static ssize_t read_some(int fd, char *to, size_t size) {
        struct pollfd p = { .fd = fd, .events = POLLIN };
        ssize_t n;

        if (poll(&p, 1, 0) <= 0)
                return 0;
        n = read(fd, to, size);
        if (n < 0 && (errno == EINTR || errno == EAGAIN))
                return 0;
        if (n == 0 && !(p.revents & (POLLHUP | POLLERR)))
                return -ENODATA;
        return n <= 0 ? -EIO : n;
}

int presence_tty_drop(struct presence_tty *t) {
        char typed[64];
        ssize_t n;

        /* Also what is no whole line yet. */
        tcflush(t->fd, TCIFLUSH);
        do
                n = read_some(t->fd, typed, sizeof(typed));
        while (n > 0);
        OPENSSL_cleanse(typed, sizeof(typed));
        forget_line(t);
        return n == -ENODATA ? 0 : (int)n;
}

int presence_tty_ask(struct presence_tty *t, const struct ctap_prompt *prompt,
                     const char *device_name) {
        uint8_t storage[PRESENCE_QUESTION_MAX];
        struct buf text = BUF_ON(storage);
        int r;

        presence_question(prompt, device_name, &text);
        r = buf_error(&text);
        t->takes_pin = prompt->verify;
        if (r == 0 && prompt->verify)
                r = silence(t);
        /* What was typed before the question cannot be meant as its answer. */
        if (r == 0)
                r = presence_tty_drop(t);
        if (r == 0)
                r = write_all(t->fd, buf_bytes(&text));
        if (r < 0)
                presence_tty_echo(t);
        return r;
}

static bool line_is(const struct presence_tty *t, const char *word) {
        return t->n == strlen(word) && strncasecmp((const char *)t->line.data, word, t->n) == 0;
}

static enum ctap_answer answer_of(const struct presence_tty *t) {
        bool yes = t->takes_pin ? t->n > 0 && !line_is(t, "n") && !line_is(t, "no")
                                : line_is(t, "y") || line_is(t, "yes");

        return yes ? CTAP_ANSWER_YES : CTAP_ANSWER_NO;
}

/* Whatever the PIN is: nobody means to spend a try on this. */
static bool can_be_a_pin(const struct presence_tty *t) {
        unsigned code_points = 0;

        for (size_t i = 0; i < t->n && i < sizeof(t->line.data); i++)
                code_points += (t->line.data[i] & 0xc0) != 0x80;
        return code_points >= CTAP_MIN_PIN_LENGTH && t->n <= sizeof(t->line.data);
}

static int end_line(struct presence_tty *t, enum ctap_answer *ret, struct ctap_typed_pin *ret_pin) {
        enum ctap_answer answer = answer_of(t);

        if (t->takes_pin && answer == CTAP_ANSWER_YES && !can_be_a_pin(t)) {
                forget_line(t);
                *ret = CTAP_ANSWER_PENDING;
                return write_all(t->fd, BYTES_TEXT("A PIN has at least 4 characters and at most 63 "
                                                   "bytes. Type it, or only Enter to refuse: "));
        }

        if (t->takes_pin && answer == CTAP_ANSWER_YES) {
                t->line.len = (uint8_t)t->n;
                *ret_pin = t->line;
        }
        *ret = answer;
        forget_line(t);
        presence_tty_echo(t);
        return 0;
}

int presence_tty_read(struct presence_tty *t, enum ctap_answer *ret,
                      struct ctap_typed_pin *ret_pin) {
        char typed[64];
        ssize_t n = read_some(t->fd, typed, sizeof(typed));
        int r = 0;

        if (n == -ENODATA)
                return end_line(t, ret, ret_pin);
        if (n < 0)
                return (int)n;

        *ret = CTAP_ANSWER_PENDING;
        for (ssize_t i = 0; i < n; i++) {
                if (typed[i] == '\n') {
                        r = end_line(t, ret, ret_pin);
                        break;
                }
                if (t->n < sizeof(t->line.data))
                        t->line.data[t->n] = (uint8_t)typed[i];
                t->n++;
        }
        OPENSSL_cleanse(typed, sizeof(typed));
        return r;
}

void presence_tty_withdraw(struct presence_tty *t) {
        forget_line(t);
        /* Courtesy only: a terminal that cannot be written to shows no stale question either. */
        (void)!write_all(t->fd, BYTES_TEXT("\n(The question was withdrawn.)\n"));
}
