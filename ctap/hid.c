/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * CTAPHID as a pure function of (state, report, time): see hid.h.
 *
 * There is one transaction on the wire at a time and one command at a time behind it. The two part
 * ways only when a client resynchronises in mid-command (A12): the wire is then idle while the
 * aborted command is still on its way out. `phase` is the wire, `draining` is that leftover; a
 * message that completes meanwhile is kept in the buffer and handed out by hid_tick().
 *
 * What a frame may do is settled in one order for all commands: may this channel talk now, is it a
 * channel at all, is the command known, is its length right. Every refusal is at the first frame;
 * the continuation frames of a refused message then find no message in assembly and are dropped.
 */

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "ctap/hid.h"
#include "ctap/status.h"

#define FRAME_OPENS      0x80 /* set: initialisation frame; clear: continuation frame */
#define NONCE_SIZE       8
#define INIT_REPLY_SIZE  17
#define PROTOCOL_VERSION 2
#define CAPABILITY_WINK  0x01
#define CAPABILITY_CBOR  0x04
#define LOCK_SECONDS_MAX 10
/*
 * The first PROCESSING waits a little: most commands have answered by then, and a client that
 * counts frames sees none it need not see. Half a period is far below the 500 ms after which the
 * least patient client gives up (A42). UPNEEDED never waits.
 */
#define FIRST_KEEPALIVE  (HID_KEEPALIVE_MS / 2)
#define MESSAGE_ANY_SIZE HID_MESSAGE_MAX

enum phase {
        IDLE,
        ASSEMBLING,
        WAITING, /* a whole message, kept until the aborted command before it is through */
        EXECUTING,
};

struct channel {
        uint32_t id;   /* 0: free */
        uint64_t used; /* h->uses at its last frame */
};

struct hid {
        struct hid_options options;
        struct channel channels[HID_CHANNELS];
        uint64_t uses;
        uint32_t n_allocated;

        enum phase phase;
        bool draining;
        uint32_t channel; /* whose transaction it is, if phase or draining says that there is one */
        uint8_t command;
        uint16_t total, have; /* bytes of the message: announced, received */
        uint8_t next_sequence;
        uint64_t stalls_at;

        bool cancelled;
        enum hid_keepalive keepalive;
        uint64_t keepalive_at;

        uint32_t lock_holder; /* 0: nobody */
        uint64_t lock_ends_at;

        uint8_t reply[INIT_REPLY_SIZE]; /* what hid says itself, PING's echo excepted */
        uint8_t message[HID_MESSAGE_MAX];
};

struct hid *hid_new(const struct hid_options *options) {
        struct hid *h = calloc(1, sizeof(*h));

        if (!h)
                return NULL;
        h->options = *options;
        return h;
}

struct hid *hid_free(struct hid *h) {
        free(h);
        return NULL;
}

/* ---- actions ---- */

static struct hid_action nothing(void) {
        return (struct hid_action){ .verdict = HID_NOTHING };
}

static struct hid_action reply(uint32_t channel, uint8_t command, struct bytes payload) {
        return (struct hid_action){ HID_REPLY, channel, command, payload };
}

static struct hid_action reply_byte(struct hid *h, uint32_t channel, uint8_t command,
                                    uint8_t value) {
        h->reply[0] = value;
        return reply(channel, command, BYTES(h->reply, 1));
}

static struct hid_action reply_error(struct hid *h, uint32_t channel, enum hid_error error) {
        return reply_byte(h, channel, HID_ERROR, (uint8_t)error);
}

static struct hid_action hand_out(struct hid *h) {
        h->phase = EXECUTING;
        return (struct hid_action){ HID_MESSAGE, h->channel, h->command,
                                    BYTES(h->message, h->total) };
}

/* ---- frames ---- */

struct frame {
        uint32_t channel;
        bool opens;
        uint8_t command;  /* of an initialisation frame, without its bit 7 */
        uint16_t length;  /* of an initialisation frame: of the whole message */
        uint8_t sequence; /* of a continuation frame */
        struct bytes data;
};

static struct frame frame_read(const uint8_t report[static HID_REPORT_SIZE]) {
        struct cursor c = { BYTES(report, HID_REPORT_SIZE), false };
        struct frame f = { 0 };
        uint8_t tag;

        f.channel = cursor_u32(&c);
        tag = cursor_u8(&c);
        f.opens = tag & FRAME_OPENS;
        if (f.opens) {
                f.command = tag & (uint8_t)~FRAME_OPENS;
                f.length = cursor_u16(&c);
        } else {
                f.sequence = tag;
        }
        f.data = c.left;
        return f;
}

/* ---- channels ---- */

static bool busy(const struct hid *h) {
        return h->phase != IDLE || h->draining;
}

static bool channel_known(const struct hid *h, uint32_t id) {
        for (size_t i = 0; i < HID_CHANNELS; i++)
                if (h->channels[i].id == id)
                        return true;
        return false;
}

/* Makes it the most recently used one; if it is new, in place of the one that rested longest. */
static void channel_remember(struct hid *h, uint32_t id) {
        struct channel *slot = NULL;

        for (size_t i = 0; i < HID_CHANNELS; i++) {
                struct channel *c = &h->channels[i];

                if (c->id == id) {
                        slot = c;
                        break;
                }
                if (busy(h) && c->id == h->channel)
                        continue;
                if (!slot || c->used < slot->used)
                        slot = c;
        }
        *slot = (struct channel){ id, ++h->uses };
}

/* A bijection that scatters: different counts give different channels (A11). */
static uint32_t scatter(uint32_t x) {
        x ^= x >> 16;
        x *= 0x7feb352du;
        x ^= x >> 15;
        x *= 0x846ca68bu;
        x ^= x >> 16;
        return x;
}

static uint32_t channel_allocate(struct hid *h) {
        uint32_t id;

        do
                id = scatter(h->options.seed + h->n_allocated++);
        while (id == 0 || id == HID_BROADCAST || channel_known(h, id));

        channel_remember(h, id);
        return id;
}

/* ---- what a first frame may do ---- */

static const struct {
        bool known;
        uint16_t shortest, longest;
} commands[] = {
        [HID_PING] = { true, 0, MESSAGE_ANY_SIZE },
        [HID_MSG] = { true, 4, MESSAGE_ANY_SIZE }, /* the shortest APDU header */
        [HID_LOCK] = { true, 1, 1 },
        [HID_INIT] = { true, NONCE_SIZE, NONCE_SIZE },
        [HID_WINK] = { true, 0, 0 },
        [HID_CBOR] = { true, 1, MESSAGE_ANY_SIZE }, /* the command byte */
};

/*
 * May this channel talk now? 0, or the error. The order is A33, A23, then A14 to A16: a channel that
 * comes at a bad time is told so, and nothing else.
 */
static uint8_t refuse_channel(const struct hid *h, const struct frame *f, uint64_t now_ms) {
        bool locked = h->lock_holder != 0 && now_ms < h->lock_ends_at;
        bool enumerates = f->channel == HID_BROADCAST && f->command == HID_INIT;

        if (locked && f->channel != h->lock_holder)
                return HID_ERR_CHANNEL_BUSY;
        if (busy(h) && f->channel != h->channel && !enumerates) /* A18 */
                return HID_ERR_CHANNEL_BUSY;
        if (f->channel == 0 || (f->channel == HID_BROADCAST && !enumerates))
                return HID_ERR_INVALID_CHANNEL;
        if (f->command != HID_INIT && !channel_known(h, f->channel))
                return HID_ERR_INVALID_CHANNEL;
        return 0;
}

/* Is there such a command, and of such a length? 0, or the error. */
static uint8_t refuse_command(const struct frame *f) {
        if (f->command >= ELEMENTSOF(commands) || !commands[f->command].known)
                return HID_ERR_INVALID_CMD;
        if (f->length < commands[f->command].shortest || f->length > commands[f->command].longest)
                return HID_ERR_INVALID_LEN;
        return 0;
}

/* ---- transactions ---- */

static struct hid_action take_lock(struct hid *h, uint64_t now_ms) {
        uint8_t seconds = h->message[0];

        if (seconds > LOCK_SECONDS_MAX)
                return reply_error(h, h->channel, HID_ERR_INVALID_PAR);

        h->lock_holder = seconds > 0 ? h->channel : 0;
        h->lock_ends_at = now_ms + seconds * 1000u;
        return reply(h->channel, HID_LOCK, BYTES_NULL);
}

/* The message is whole. */
static struct hid_action take_message(struct hid *h, uint64_t now_ms) {
        h->phase = IDLE;

        switch (h->command) {
        case HID_PING:
                return reply(h->channel, HID_PING, BYTES(h->message, h->total));
        case HID_WINK:
                return (struct hid_action){ HID_WINKED, h->channel, HID_WINK, BYTES_NULL };
        case HID_LOCK:
                return take_lock(h, now_ms);
        default:
                break;
        }

        h->cancelled = false;
        h->keepalive = HID_PROCESSING;
        h->keepalive_at = now_ms + FIRST_KEEPALIVE;
        if (!h->draining)
                return hand_out(h);
        h->phase = WAITING;
        return nothing();
}

/* Takes what belongs to the message; what stands behind its end is ignored (A25). */
static struct hid_action take_data(struct hid *h, struct bytes data, uint64_t now_ms) {
        size_t missing = (size_t)(h->total - h->have), n = data.len < missing ? data.len : missing;

        memcpy(h->message + h->have, data.data, n);
        h->have = (uint16_t)(h->have + n);
        if (h->have == h->total)
                return take_message(h, now_ms);
        h->stalls_at = now_ms + HID_REASSEMBLY_MS;
        return nothing();
}

static struct hid_action take_continuation(struct hid *h, const struct frame *f, uint64_t now_ms) {
        if (h->phase != ASSEMBLING || f->channel != h->channel)
                return nothing(); /* A17 */
        if (f->sequence != h->next_sequence) {
                h->phase = IDLE;
                return reply_error(h, f->channel, HID_ERR_INVALID_SEQ);
        }
        h->next_sequence++;
        return take_data(h, f->data, now_ms);
}

/* The first frame of anything but INIT and CANCEL, from a channel that may talk. */
static struct hid_action take_first(struct hid *h, const struct frame *f, uint64_t now_ms) {
        uint8_t error;

        if (h->phase == ASSEMBLING) {
                h->phase = IDLE;
                return reply_error(h, f->channel, HID_ERR_INVALID_SEQ); /* A22 */
        }
        if (h->phase != IDLE)
                return reply_error(h, f->channel, HID_ERR_CHANNEL_BUSY);

        error = refuse_command(f);
        if (error != 0)
                return reply_error(h, f->channel, error);
        if (f->length > h->options.max_message) {
                /* B16: platforms know this status and send less the next time. */
                if (f->command == HID_CBOR)
                        return reply_byte(h, f->channel, HID_CBOR, CTAP2_ERR_REQUEST_TOO_LARGE);
                return reply_error(h, f->channel, HID_ERR_INVALID_LEN);
        }

        h->phase = ASSEMBLING;
        h->channel = f->channel;
        h->command = f->command;
        h->total = f->length;
        h->have = 0;
        h->next_sequence = 0;
        return take_data(h, f->data, now_ms);
}

/* A new channel, or what this one was sending or executing is over (A12, A13). */
static struct hid_action take_init(struct hid *h, const struct frame *f) {
        struct buf out = BUF_ON(h->reply);
        enum hid_verdict verdict = HID_REPLY;
        uint32_t id = f->channel;

        if (id == HID_BROADCAST) {
                id = channel_allocate(h);
        } else {
                channel_remember(h, id);
                if (h->phase == EXECUTING) {
                        h->draining = true;
                        verdict = HID_ABORT;
                }
                h->phase = IDLE;
        }

        buf_put(&out, BYTES(f->data.data, NONCE_SIZE));
        buf_put_u32(&out, id);
        buf_put_u8(&out, PROTOCOL_VERSION);
        buf_put(&out, BYTES_OF(h->options.version));
        /* LOCK's old bit stays clear, although LOCK works: A7. */
        buf_put_u8(&out, CAPABILITY_WINK | CAPABILITY_CBOR);
        return (struct hid_action){ verdict, f->channel, HID_INIT, buf_bytes(&out) };
}

/* Never answered by itself (A34), on whatever channel it comes. */
static struct hid_action take_cancel(struct hid *h, const struct frame *f) {
        if (f->channel != h->channel || h->command != HID_CBOR)
                return nothing(); /* A37, A40 */
        if (h->phase == WAITING) {
                /* Nobody but us has seen that command, so its answer is ours to give. */
                h->phase = IDLE;
                return reply_byte(h, h->channel, HID_CBOR, CTAP2_ERR_KEEPALIVE_CANCEL);
        }
        if (h->phase != EXECUTING || h->cancelled)
                return nothing();
        h->cancelled = true;
        return (struct hid_action){ HID_CANCELLED, h->channel, HID_CBOR, BYTES_NULL };
}

struct hid_action hid_receive(struct hid *h, const uint8_t report[static HID_REPORT_SIZE],
                              uint64_t now_ms) {
        struct frame f = frame_read(report);
        uint8_t error;

        if (!f.opens)
                return take_continuation(h, &f, now_ms);
        if (f.command == HID_CANCEL)
                return take_cancel(h, &f);

        error = refuse_channel(h, &f, now_ms);
        if (error != 0)
                return reply_error(h, f.channel, error);

        if (f.command == HID_INIT) {
                error = refuse_command(&f);
                if (error == 0)
                        return take_init(h, &f);
                /* Whoever is told of an error starts anew: half a message has no future. */
                if (h->phase == ASSEMBLING && f.channel == h->channel)
                        h->phase = IDLE;
                return reply_error(h, f.channel, error);
        }
        channel_remember(h, f.channel);
        return take_first(h, &f, now_ms);
}

/* ---- the command behind the wire, and time ---- */

void hid_finish(struct hid *h) {
        if (h->draining)
                h->draining = false;
        else if (h->phase == EXECUTING)
                h->phase = IDLE;
}

/* A43: a U2F client does not expect keepalives. */
static bool wants_keepalives(const struct hid *h) {
        return h->command == HID_CBOR && (h->phase == EXECUTING || h->phase == WAITING);
}

void hid_set_keepalive(struct hid *h, enum hid_keepalive status, uint64_t now_ms) {
        if (h->phase != EXECUTING || h->keepalive == status)
                return;
        h->keepalive = status;
        h->keepalive_at = now_ms;
}

uint64_t hid_deadline(const struct hid *h) {
        if (h->phase == WAITING && !h->draining)
                return 0;
        if (h->phase == ASSEMBLING)
                return h->stalls_at;
        if (wants_keepalives(h))
                return h->keepalive_at;
        return UINT64_MAX;
}

struct hid_action hid_tick(struct hid *h, uint64_t now_ms) {
        if (h->phase == WAITING && !h->draining)
                return hand_out(h);
        if (h->phase == ASSEMBLING && now_ms >= h->stalls_at) {
                h->phase = IDLE;
                return reply_error(h, h->channel, HID_ERR_MSG_TIMEOUT);
        }
        if (!wants_keepalives(h) || now_ms < h->keepalive_at)
                return nothing();

        /* From the time it was due, so that a late loop does not stretch the intervals. */
        h->keepalive_at += HID_KEEPALIVE_MS;
        if (h->keepalive_at <= now_ms)
                h->keepalive_at = now_ms + HID_KEEPALIVE_MS;
        return reply_byte(h, h->channel, HID_KEEPALIVE, (uint8_t)h->keepalive);
}

/* ---- fragmentation ---- */

struct hid_fragments hid_fragment(uint32_t channel, uint8_t command, struct bytes message) {
        assert(message.len <= HID_MESSAGE_MAX);
        return (struct hid_fragments){ .channel = channel, .command = command, .message = message };
}

bool hid_next_report(struct hid_fragments *f, uint8_t ret_report[static HID_REPORT_SIZE]) {
        struct buf out = { ret_report, 0, HID_REPORT_SIZE, false };
        size_t n, room;

        if (f->done)
                return false;

        memset(ret_report, 0, HID_REPORT_SIZE);
        buf_put_u32(&out, f->channel);
        if (f->next == 0) {
                buf_put_u8(&out, f->command | FRAME_OPENS);
                buf_put_u16(&out, (uint16_t)f->message.len);
        } else {
                buf_put_u8(&out, (uint8_t)(f->next - 1));
        }
        room = out.cap - out.len;
        n = f->message.len - f->sent < room ? f->message.len - f->sent : room;
        if (n > 0)
                buf_put(&out, BYTES(f->message.data + f->sent, n));

        f->sent += n;
        f->next++;
        f->done = f->sent == f->message.len;
        return true;
}
