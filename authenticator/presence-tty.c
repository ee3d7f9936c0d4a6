/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The terminal that started the daemon, for trying it out without a desktop. It stays in its own
 * line mode: an answer is a line, and only "y" or "yes" says yes.
 */

#include "authenticator/presence-tty.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdint.h>
#include <string.h>
#include <strings.h>
#include <termios.h>
#include <unistd.h>

#include "authenticator/util.h"

#define RP_ID_SHOWN   255
#define ACCOUNT_SHOWN 64
#define REPLACEMENT   "\xef\xbf\xbd"
#define ELLIPSIS      "\xe2\x80\xa6"

/* Takes one code point; UINT32_MAX, and one byte, if it is malformed. */
static uint32_t next_character(struct cursor *c) {
        struct bytes whole = c->left;
        uint8_t lead = cursor_u8(c);
        size_t more = lead >= 0xf0 ? 3 : lead >= 0xe0 ? 2 : lead >= 0xc0 ? 1 : 0;
        uint32_t v = more == 3 ? lead & 0x07u : more == 2 ? lead & 0x0fu : lead & 0x1fu;

        if (lead < 0x80)
                return lead;
        if (more == 0 || whole.len < more + 1 || !bytes_is_utf8(BYTES(whole.data, more + 1)))
                return UINT32_MAX;
        while (more-- > 0)
                v = v << 6 | (cursor_u8(c) & 0x3fu);
        return v;
}

/* Characters that act on the terminal, on the order of the text, or are not seen at all. */
static bool is_harmful(uint32_t c) {
        static const struct {
                uint32_t first, last;
        } ranges[] = {
                { 0x0000, 0x001f },       { 0x007f, 0x009f }, { 0x00ad, 0x00ad },
                { 0x061c, 0x061c },       { 0x180e, 0x180e }, { 0x200b, 0x200f },
                { 0x2028, 0x202e },       { 0x2060, 0x206f }, { 0xfe00, 0xfe0f },
                { 0xfeff, 0xfeff },       { 0xfff9, 0xfffb }, { 0xe0000, 0xe0fff },
                { 0x110000, UINT32_MAX },
        };

        for (size_t i = 0; i < ELEMENTSOF(ranges); i++)
                if (c >= ranges[i].first && c <= ranges[i].last)
                        return true;
        return false;
}

static void put_harmless(struct buf *text, struct bytes from) {
        struct cursor c = { from, false };

        while (c.left.len > 0) {
                const uint8_t *start = c.left.data;

                if (is_harmful(next_character(&c)))
                        buf_put(text, BYTES_TEXT(REPLACEMENT));
                else
                        buf_put(text, BYTES(start, (size_t)(c.left.data - start)));
        }
}

static void put_rp_id(struct buf *text, struct bytes rp_id) {
        if (rp_id.len == 0) {
                buf_put(text, BYTES_TEXT("a site that it does not name"));
                return;
        }
        if (rp_id.len > RP_ID_SHOWN) {
                buf_put(text, BYTES_TEXT(ELLIPSIS));
                rp_id = BYTES(rp_id.data + (rp_id.len - RP_ID_SHOWN), RP_ID_SHOWN);
        }
        put_harmless(text, rp_id);
}

static void put_account(struct buf *text, const char *before, const struct ctap_prompt *p) {
        struct bytes shown = bytes_utf8_prefix(p->account, ACCOUNT_SHOWN);

        if (p->account.len == 0)
                return;
        buf_put(text, BYTES_TEXT(before));
        put_harmless(text, shown);
        if (shown.len < p->account.len)
                buf_put(text, BYTES_TEXT(ELLIPSIS));
        if (p->n_accounts > 1)
                buf_put(text, BYTES_TEXT(" (or another of your accounts there)"));
}

void presence_question(const struct ctap_prompt *prompt, const char *device_name,
                       struct buf *text) {
        put_harmless(text, BYTES_TEXT(device_name));
        buf_put(text, BYTES_TEXT(": "));
        if (prompt->passive)
                buf_put(text, BYTES_TEXT("This is probably meant for another security key. "));

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
                buf_put(text, BYTES_TEXT("Let a program see, change and delete the passkeys of "
                                         "this computer?"));
                break;
        case _CTAP_ASKS:
                break;
        }

        buf_put(text, BYTES_TEXT(" [y/N] "));
}

int presence_tty_init(struct presence_tty *t, int fd) {
        *t = (struct presence_tty){ .fd = fd };
        if (fd >= 0)
                return 0;

        t->fd = open("/dev/tty", O_RDWR | O_NOCTTY | O_CLOEXEC);
        if (t->fd < 0)
                return -errno;
        t->ours = true;
        return 0;
}

void presence_tty_done(struct presence_tty *t) {
        if (t->ours)
                close_fd(t->fd);
        t->fd = -1;
        t->ours = false;
}

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

/* One read if it would not block: bytes, 0 if there is nothing, -EIO at the end of the terminal. */
static ssize_t read_some(int fd, char *to, size_t size) {
        struct pollfd p = { .fd = fd, .events = POLLIN };
        ssize_t n;

        if (poll(&p, 1, 0) <= 0)
                return 0;
        n = read(fd, to, size);
        if (n < 0 && (errno == EINTR || errno == EAGAIN))
                return 0;
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
        t->n = 0;
        return (int)n;
}

int presence_tty_ask(struct presence_tty *t, const struct ctap_prompt *prompt,
                     const char *device_name) {
        uint8_t storage[PRESENCE_QUESTION_MAX];
        struct buf text = BUF_ON(storage);
        int r;

        /* What was typed before the question cannot be meant as its answer. */
        r = presence_tty_drop(t);
        if (r < 0)
                return r;

        presence_question(prompt, device_name, &text);
        r = buf_error(&text);
        return r < 0 ? r : write_all(t->fd, buf_bytes(&text));
}

static enum ctap_answer answer_of(const struct presence_tty *t) {
        bool yes = (t->n == 1 && strncasecmp(t->line, "y", 1) == 0) ||
                   (t->n == 3 && strncasecmp(t->line, "yes", 3) == 0);

        return yes ? CTAP_ANSWER_YES : CTAP_ANSWER_NO;
}

int presence_tty_read(struct presence_tty *t, enum ctap_answer *ret) {
        char typed[64];
        ssize_t n = read_some(t->fd, typed, sizeof(typed));

        if (n < 0)
                return (int)n;

        for (ssize_t i = 0; i < n; i++) {
                if (typed[i] == '\n') {
                        *ret = answer_of(t);
                        t->n = 0;
                        return 0;
                }
                if (t->n < sizeof(t->line))
                        t->line[t->n] = typed[i];
                t->n++;
        }

        *ret = CTAP_ANSWER_PENDING;
        return 0;
}

void presence_tty_withdraw(struct presence_tty *t) {
        /* Courtesy only: a terminal that cannot be written to shows no stale question either. */
        (void)!write_all(t->fd, BYTES_TEXT("\n(The question was withdrawn.)\n"));
}
