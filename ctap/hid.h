/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/*
 * CTAPHID (CTAP 2.3 §11.2) with no I/O: feed it reports and the time, do what it says. It owns
 * channels, reassembly, fragmentation, keepalive timing, LOCK and who may talk now; it knows
 * nothing of what the messages mean.
 *
 * One transaction at a time: from the first frame of a message to its answer, other channels hear
 * CHANNEL_BUSY (A23), and so does a second message on the channel whose command runs; only a
 * broadcast INIT is answered (A18). HID_ABORT frees the wire before the command is through: until
 * hid_finish() the other channels still hear CHANNEL_BUSY, and a message that the same channel
 * completes is kept, with keepalives, for hid_tick() to hand out afterwards. A CANCEL of a kept
 * command is answered here.
 */

#include <stdbool.h>
#include <stdint.h>

#include "ctap/bytes.h"

#define HID_REPORT_SIZE   64
#define HID_MESSAGE_MAX   7609 /* 57 + 128 * 59: the most that framing can carry */
#define HID_BROADCAST     0xffffffffu
#define HID_KEEPALIVE_MS  100
#define HID_REASSEMBLY_MS 500 /* A24 */
#define HID_CHANNELS      64  /* remembered; the least recently used idle one is recycled (A19) */

enum hid_command {
        HID_PING = 0x01,
        HID_MSG = 0x03,
        HID_LOCK = 0x04,
        HID_INIT = 0x06,
        HID_WINK = 0x08,
        HID_CBOR = 0x10,
        HID_CANCEL = 0x11,
        HID_KEEPALIVE = 0x3b,
        HID_ERROR = 0x3f,
};

enum hid_error {
        HID_ERR_INVALID_CMD = 0x01,
        HID_ERR_INVALID_PAR = 0x02,
        HID_ERR_INVALID_LEN = 0x03,
        HID_ERR_INVALID_SEQ = 0x04,
        HID_ERR_MSG_TIMEOUT = 0x05,
        HID_ERR_CHANNEL_BUSY = 0x06,
        HID_ERR_LOCK_REQUIRED = 0x0a,
        HID_ERR_INVALID_CHANNEL = 0x0b,
        HID_ERR_OTHER = 0x7f,
};

enum hid_keepalive {
        HID_PROCESSING = 1,
        HID_UPNEEDED = 2,
};

enum hid_verdict {
        HID_NOTHING,   /* dropped, or more frames to come */
        HID_REPLY,     /* send `payload` as message `command` on `channel` */
        HID_MESSAGE,   /* run `payload` (HID_CBOR or HID_MSG), then hid_finish() */
        HID_ABORT,     /* end the running command, which gets no answer; then send the reply as
                       * HID_REPLY says (INIT on the busy channel, A12) */
        HID_CANCELLED, /* end the running command, which answers by itself (A35) */
        HID_WINKED,    /* HID_REPLY, and show the person which key this is */
};

struct hid_action {
        enum hid_verdict verdict;
        uint32_t channel;
        uint8_t command;      /* enum hid_command */
        struct bytes payload; /* borrowed from struct hid until the next call on it */
};

struct hid;

struct hid_options {
        uint16_t max_message; /* bytes that reassembly takes; CBOR above it gets status 39 (B16) */
        uint8_t version[3];   /* major, minor, build: INIT reply */
        /* The channel allocator's randomness; channels are unpredictable only for tidiness. */
        uint32_t seed;
};

struct hid *hid_new(const struct hid_options *options); /* NULL: out of memory */
struct hid *hid_free(struct hid *h);

/* Takes one report of exactly HID_REPORT_SIZE bytes. */
struct hid_action hid_receive(struct hid *h, const uint8_t report[static HID_REPORT_SIZE],
                              uint64_t now_ms);

/*
 * The command handed out by HID_MESSAGE has answered, or its abort is through: once per HID_MESSAGE.
 * Look at hid_deadline() again: a kept message is due at once.
 */
void hid_finish(struct hid *h);

/*
 * What the running command is doing; a change makes a keepalive due at once (A41, A44). A command
 * starts as HID_PROCESSING, and its first keepalive is due after half a period. Without a running
 * command, or an aborted one, this is nothing.
 */
void hid_set_keepalive(struct hid *h, enum hid_keepalive status, uint64_t now_ms);

/*
 * What time alone makes due: a keepalive on the busy channel, the error for a stalled message, or
 * the HID_MESSAGE that was kept. Call it at hid_deadline() (UINT64_MAX: nothing is due) and repeat
 * until HID_NOTHING.
 */
uint64_t hid_deadline(const struct hid *h);
struct hid_action hid_tick(struct hid *h, uint64_t now_ms);

/* ---- fragmentation ---- */

struct hid_fragments {
        uint32_t channel;
        uint8_t command;
        struct bytes message;
        size_t sent;  /* bytes of message already in reports */
        uint8_t next; /* 0: initialisation frame; n: continuation frame n - 1 */
        bool done;
};

/* The message is borrowed and at most HID_MESSAGE_MAX bytes. */
struct hid_fragments hid_fragment(uint32_t channel, uint8_t command, struct bytes message);
/* Fills the next report, zero padded (A3). False: there is none left, the report is untouched. */
bool hid_next_report(struct hid_fragments *f, uint8_t ret_report[static HID_REPORT_SIZE]);
