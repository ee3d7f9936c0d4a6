/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * A packet is a byte of enum presence_inject and, for some, a PIN or a time. Packets are read whenever the
 * worker wakes, so that none of them is left lying with a secret in it.
 */

#include "authenticator/presence-script.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/crypto.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "authenticator/util.h"

#define PACKET_MAX (1 + CTAP_PIN_BYTES_MAX)

int presence_script_init(struct presence_script *s, const struct ctap_typed_pin *pin) {
        int pair[2];

        if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) < 0)
                return -errno;
        s->listener = pair[0];
        s->speaker = pair[1];
        if (pin)
                s->pin = *pin;
        return 0;
}

static void forget_answers(struct presence_script *s) {
        OPENSSL_cleanse(s->queued, sizeof(s->queued));
        atomic_fetch_sub(&s->n_ahead, (unsigned)s->n_queued);
        s->n_queued = 0;
}

void presence_script_forget(struct presence_script *s) {
        forget_answers(s);
        s->delay_ms = 0;
        s->uv = PRESENCE_UV_OK;
}

void presence_script_done(struct presence_script *s) {
        s->listener = close_fd(s->listener);
        s->speaker = close_fd(s->speaker);
        ctap_typed_pin_wipe(&s->pin);
        forget_answers(s);
}

static bool is_answer(enum presence_inject what) {
        return what == PRESENCE_INJECT_ONCE || what == PRESENCE_INJECT_PIN_ONCE ||
               what == PRESENCE_INJECT_NO || what == PRESENCE_INJECT_IGNORE;
}

/* Room for one more answer, which is counted then. */
static bool make_room(struct presence_script *s) {
        if (atomic_fetch_add(&s->n_ahead, 1) < PRESENCE_QUEUED_MAX)
                return true;
        atomic_fetch_sub(&s->n_ahead, 1);
        return false;
}

static int send_packet(const struct presence_script *s, enum presence_inject what,
                       struct bytes with) {
        uint8_t storage[PACKET_MAX];
        struct buf packet = BUF_ON(storage);
        int r;

        buf_put_u8(&packet, (uint8_t)what);
        buf_put(&packet, with);
        r = buf_error(&packet);
        if (r == 0 && send(s->speaker, packet.data, packet.len, MSG_NOSIGNAL) < 0)
                r = -errno;
        OPENSSL_cleanse(storage, sizeof(storage));
        return r;
}

int presence_script_say(struct presence_script *s, enum presence_inject what, struct bytes with) {
        int r;

        if (is_answer(what) && !make_room(s))
                return -EAGAIN;
        r = send_packet(s, what, with);
        if (r < 0 && is_answer(what))
                atomic_fetch_sub(&s->n_ahead, 1);
        return r;
}

static void set_pin(struct ctap_typed_pin *to, struct bytes pin) {
        ctap_typed_pin_wipe(to);
        if (pin.len > 0)
                memcpy(to->data, pin.data, pin.len);
        to->len = (uint8_t)pin.len;
}

static void queue_answer(struct presence_script *s, enum ctap_answer answer, struct bytes pin) {
        struct presence_answer *a = &s->queued[s->n_queued++]; /* there is room, by make_room() */

        a->answer = answer;
        set_pin(&a->pin, pin);
}

static void obey(struct presence_script *s, enum presence_inject what, struct bytes with) {
        struct cursor c = { with, false };

        switch (what) {
        case PRESENCE_INJECT_ONCE:
        case PRESENCE_INJECT_PIN_ONCE:
                queue_answer(s, CTAP_ANSWER_YES, with);
                break;
        case PRESENCE_INJECT_NO:
                queue_answer(s, CTAP_ANSWER_NO, BYTES_NULL);
                break;
        case PRESENCE_INJECT_PIN:
        case PRESENCE_INJECT_NO_PIN:
                set_pin(&s->pin, with);
                break;
        case PRESENCE_INJECT_IGNORE:
                queue_answer(s, CTAP_ANSWER_PENDING, BYTES_NULL);
                break;
        case PRESENCE_INJECT_DELAY:
                s->delay_ms = cursor_u32(&c);
                break;
        case PRESENCE_INJECT_DENY:
                forget_answers(s);
                break;
        case PRESENCE_INJECT_AUTO:
        case PRESENCE_INJECT_ASK:
                break;
        }
}

bool presence_script_hear(struct presence_script *s, enum presence_inject *ret) {
        uint8_t packet[PACKET_MAX];
        ssize_t n = recv(s->listener, packet, sizeof(packet), 0);

        if (n <= 0)
                return false;
        *ret = (enum presence_inject)packet[0];
        obey(s, *ret, BYTES(packet + 1, (size_t)n - 1));
        OPENSSL_cleanse(packet, sizeof(packet));
        return true;
}

struct ctap_typed_pin presence_script_wrong_pin(const struct presence_script *s) {
        const struct ctap_typed_pin zeros = { 4, "0000" }, ones = { 4, "1111" };

        return bytes_equal(BYTES(s->pin.data, s->pin.len), BYTES(zeros.data, zeros.len)) ? ones
                                                                                         : zeros;
}

void presence_script_give_pin(const struct presence_script *s, struct ctap_typed_pin *ret) {
        if (s->uv == PRESENCE_UV_OK)
                *ret = s->pin;
        else
                *ret = presence_script_wrong_pin(s);
}

static bool fits(const struct presence_script *s, const struct presence_answer *a, bool verify) {
        if (!verify)
                return a->pin.len == 0;
        return a->answer != CTAP_ANSWER_YES || a->pin.len > 0 || s->pin.len > 0;
}

bool presence_script_answer(struct presence_script *s, bool verify, struct presence_answer *ret) {
        size_t i = 0;

        while (i < s->n_queued && !fits(s, &s->queued[i], verify))
                i++;
        if (i == s->n_queued)
                return false;

        *ret = s->queued[i];
        if (verify && ret->answer == CTAP_ANSWER_YES && ret->pin.len == 0)
                presence_script_give_pin(s, &ret->pin);
        s->n_queued--;
        atomic_fetch_sub(&s->n_ahead, 1);
        memmove(&s->queued[i], &s->queued[i + 1], (s->n_queued - i) * sizeof(s->queued[0]));
        OPENSSL_cleanse(&s->queued[s->n_queued], sizeof(s->queued[0]));
        return true;
}

/* The first line: 0, -EINVAL if it is none that could be a PIN, or the errno of read. */
static int read_first_line(int fd, struct ctap_typed_pin *ret) {
        char text[CTAP_PIN_BYTES_MAX + 1];
        ssize_t n = read(fd, text, sizeof(text));
        const char *newline = n > 0 ? memchr(text, '\n', (size_t)n) : NULL;
        size_t len = newline ? (size_t)(newline - text) : n > 0 ? (size_t)n : 0;
        int r = n < 0 ? -errno : len == 0 || len > CTAP_PIN_BYTES_MAX ? -EINVAL : 0;

        if (r == 0)
                set_pin(ret, BYTES(text, len));
        OPENSSL_cleanse(text, sizeof(text));
        return r;
}

int presence_pin_read(const char *path, struct ctap_typed_pin *ret) {
        _cleanup_(close_fd_pointer) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
        struct stat st;

        if (fd < 0 || fstat(fd, &st) < 0)
                return -errno;
        return S_ISREG(st.st_mode) ? read_first_line(fd, ret) : -EINVAL;
}
