/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * ctap/hid.c under a hostile client, a slow worker and any passing of time. The input is a little
 * program, so that a few bytes go a long way and seeds can be written by hand. One step is
 *
 *   r REPORT            a raw report, 64 bytes
 *   f WHO CMD LEN LEN N DATA   a first frame that announces LEN and holds N % 58 bytes
 *   n WHO SEQ           a continuation frame
 *   m WHO CMD LEN LEN   a whole message, well framed
 *   t MS MS             time passes
 *   d                   time passes until something is due
 *   e                   the command ends
 *   k STATUS            the command waits for a person (odd) or works (even)
 *
 * WHO is `*` for the broadcast channel, `0` for channel 0, `?` for one that nobody allocated, and
 * any other byte picks one of the latest four channels. A missing byte is 0; an unknown step is
 * skipped.
 *
 * Beside it runs a model of what the daemon knows, and hid must never tell the daemon anything that
 * does not fit: a second command while one runs, an abort of nothing, a keepalive out of turn.
 */

#include <string.h>

#include "ctap/hid.h"
#include "tests/fuzz/fuzz.h"

#define MAX_MESSAGE 1536

struct model {
        struct hid *h;
        uint64_t now;
        uint32_t channels[4];
        unsigned n_channels;

        bool runs, aborted, cancelled;
        uint32_t channel;
        uint8_t command;
};

/* ---- what may come out ---- */

static bool known_error(uint8_t error) {
        return (error >= HID_ERR_INVALID_CMD && error <= HID_ERR_CHANNEL_BUSY) ||
               error == HID_ERR_INVALID_CHANNEL;
}

/* Cutting a message into reports and gluing them together gives the message. */
static void check_fragments(const struct hid_action *a) {
        struct hid_fragments f = hid_fragment(a->channel, a->command, a->payload);
        uint8_t report[HID_REPORT_SIZE], whole[HID_MESSAGE_MAX + 59];
        size_t head = 7, have = 0, reports = 0;

        while (hid_next_report(&f, report)) {
                memcpy(whole + have, report + head, HID_REPORT_SIZE - head);
                have += HID_REPORT_SIZE - head;
                head = 5;
                reports++;
        }
        require(reports >= 1 && reports <= 129);
        require(have >= a->payload.len && have - a->payload.len <= 59);
        require(bytes_equal(BYTES(whole, a->payload.len), a->payload));
}

static void check_reply(const struct hid_action *a) {
        switch (a->command) {
        case HID_PING:
                require(a->payload.len <= MAX_MESSAGE);
                break;
        case HID_LOCK:
        case HID_WINK:
                require(a->payload.len == 0);
                break;
        case HID_INIT:
                require(a->payload.len == 17);
                break;
        case HID_CBOR:
                require(a->payload.len == 1);
                require(a->payload.data[0] == 0x39 || a->payload.data[0] == 0x2d);
                break;
        case HID_ERROR:
                require(a->payload.len == 1 && known_error(a->payload.data[0]));
                break;
        case HID_KEEPALIVE:
                require(a->payload.len == 1);
                require(a->payload.data[0] == HID_PROCESSING || a->payload.data[0] == HID_UPNEEDED);
                break;
        default:
                require(false); /* hid answers nothing else */
        }
        check_fragments(a);
}

static void check_message(struct model *m, const struct hid_action *a) {
        require(!m->runs);
        require(a->command == HID_CBOR || a->command == HID_MSG);
        require(a->payload.len >= (a->command == HID_CBOR ? 1 : 4));
        require(a->payload.len <= MAX_MESSAGE);
        m->runs = true;
        m->aborted = m->cancelled = false;
        m->channel = a->channel;
        m->command = a->command;
}

static void remember_channel(struct model *m, const struct hid_action *a) {
        struct cursor c = { a->payload, false };
        uint32_t id;

        (void)cursor_take(&c, 8);
        id = cursor_u32(&c);
        require(id != 0 && id != HID_BROADCAST);
        require(a->channel == HID_BROADCAST || a->channel == id);
        m->channels[m->n_channels++ % 4] = id;
}

static void check_action(struct model *m, const struct hid_action *a) {
        switch (a->verdict) {
        case HID_NOTHING:
                return;
        case HID_MESSAGE:
                check_message(m, a);
                return;
        case HID_CANCELLED:
                require(m->runs && !m->aborted && !m->cancelled);
                require(m->command == HID_CBOR && m->channel == a->channel);
                m->cancelled = true;
                return;
        case HID_ABORT:
                require(m->runs && !m->aborted && m->channel == a->channel);
                require(a->command == HID_INIT);
                m->aborted = true;
                break;
        case HID_WINKED:
                require(a->command == HID_WINK);
                break;
        case HID_REPLY:
                break;
        }
        check_reply(a);
        if (a->command == HID_INIT)
                remember_channel(m, a);
}

/* ---- what goes in ---- */

static void receive(struct model *m, const uint8_t report[static HID_REPORT_SIZE]) {
        struct hid_action a = hid_receive(m->h, report, m->now);

        require(a.verdict == HID_NOTHING || a.command != HID_KEEPALIVE);
        check_action(m, &a);
}

static void tick(struct model *m) {
        for (unsigned n = 0;; n++) {
                struct hid_action a = hid_tick(m->h, m->now);

                if (a.verdict == HID_NOTHING)
                        break;
                require(n < 3);
                if (a.verdict == HID_REPLY && a.command == HID_KEEPALIVE) {
                        require(m->runs && a.channel == m->channel);
                        require(m->aborted || m->command == HID_CBOR);
                        require(!m->aborted || a.payload.data[0] == HID_PROCESSING);
                } else {
                        require(a.verdict == HID_MESSAGE || a.command == HID_ERROR);
                }
                check_action(m, &a);
        }
        require(hid_deadline(m->h) > m->now);
}

static uint32_t who(const struct model *m, uint8_t name) {
        switch (name) {
        case '*':
                return HID_BROADCAST;
        case '0':
                return 0;
        case '?':
                return 0x01020304;
        default:
                return m->channels[name % 4];
        }
}

static void step_first(struct model *m, struct cursor *c) {
        uint8_t report[HID_REPORT_SIZE] = { 0 };
        struct buf b = BUF_ON(report);
        size_t n;

        buf_put_u32(&b, who(m, cursor_u8(c)));
        buf_put_u8(&b, cursor_u8(c) | 0x80);
        buf_put_u16(&b, cursor_u16(c));
        n = cursor_u8(c) % 58u;
        buf_put(&b, cursor_take(c, n < c->left.len ? n : c->left.len));
        receive(m, report);
}

static void step_next(struct model *m, struct cursor *c) {
        uint8_t report[HID_REPORT_SIZE] = { 0 };
        struct buf b = BUF_ON(report);

        buf_put_u32(&b, who(m, cursor_u8(c)));
        buf_put_u8(&b, cursor_u8(c) & 0x7f);
        receive(m, report);
}

static void step_message(struct model *m, struct cursor *c) {
        uint8_t message[HID_MESSAGE_MAX] = { 0 }, report[HID_REPORT_SIZE];
        uint32_t channel = who(m, cursor_u8(c));
        uint8_t command = cursor_u8(c) & 0x7f;
        struct hid_fragments f;
        size_t n = cursor_u16(c) % (sizeof(message) + 1);

        for (size_t i = 0; i < n; i++)
                message[i] = (uint8_t)i;
        f = hid_fragment(channel, command, BYTES(message, n));
        while (hid_next_report(&f, report))
                receive(m, report);
}

static void step_raw(struct model *m, struct cursor *c) {
        uint8_t report[HID_REPORT_SIZE] = { 0 };
        struct buf b = BUF_ON(report);

        buf_put(&b, cursor_take(c, c->left.len < sizeof(report) ? c->left.len : sizeof(report)));
        receive(m, report);
}

static void step(struct model *m, struct cursor *c) {
        switch (cursor_u8(c)) {
        case 'r':
                step_raw(m, c);
                break;
        case 'f':
                step_first(m, c);
                break;
        case 'n':
                step_next(m, c);
                break;
        case 'm':
                step_message(m, c);
                break;
        case 't':
                m->now += cursor_u16(c);
                tick(m);
                break;
        case 'd':
                if (hid_deadline(m->h) != UINT64_MAX && hid_deadline(m->h) > m->now)
                        m->now = hid_deadline(m->h);
                tick(m);
                break;
        case 'e':
                hid_finish(m->h);
                m->runs = false;
                break;
        case 'k':
                hid_set_keepalive(m->h, cursor_u8(c) % 2 ? HID_UPNEEDED : HID_PROCESSING, m->now);
                break;
        default:
                break;
        }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        static const struct hid_options options = { MAX_MESSAGE, { 1, 2, 3 }, 1 };
        struct cursor c = { BYTES(data, size), false };
        struct model m = { .h = hid_new(&options), .now = 1 };

        require(m.h);
        while (c.left.len > 0 && !c.failed)
                step(&m, &c);
        m.h = hid_free(m.h);
        return 0;
}
