/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * ctap/hid.c, rule by rule: frames and times in, actions out. Frames are made here, byte by byte, and
 * not by the code under test. The clock is advanced by hand.
 */

#include <stdlib.h>
#include <string.h>

#include "ctap/hid.h"
#include "tests/unit/test.h"

#define MAX_MESSAGE 1536
#define STRANGER    0x01020304u /* a channel nobody allocated */

struct wire {
        struct hid *h;
        uint64_t now;
        uint32_t a, b; /* two clients' channels */
        uint8_t data[HID_MESSAGE_MAX];
};

static const uint8_t nonce[] = { 0xf0, 1, 2, 3, 4, 5, 6, 0x0f };

/* ---- what goes in ---- */

static struct hid_action send_first(struct wire *w, uint32_t channel, uint8_t command,
                                    size_t announced, struct bytes data) {
        uint8_t report[HID_REPORT_SIZE] = { (uint8_t)(channel >> 24), (uint8_t)(channel >> 16),
                                            (uint8_t)(channel >> 8),  (uint8_t)channel,
                                            command | 0x80,           (uint8_t)(announced >> 8),
                                            (uint8_t)announced };

        assert_true(data.len <= 57);
        if (data.len > 0)
                memcpy(report + 7, data.data, data.len);
        return hid_receive(w->h, report, w->now);
}

static struct hid_action send_next(struct wire *w, uint32_t channel, uint8_t sequence,
                                   struct bytes data) {
        uint8_t report[HID_REPORT_SIZE] = { (uint8_t)(channel >> 24), (uint8_t)(channel >> 16),
                                            (uint8_t)(channel >> 8), (uint8_t)channel, sequence };

        assert_true(data.len <= 59);
        if (data.len > 0)
                memcpy(report + 5, data.data, data.len);
        return hid_receive(w->h, report, w->now);
}

/* The first n bytes of w->data as one whole message; nothing may happen before its last frame. */
static struct hid_action send_message(struct wire *w, uint32_t channel, uint8_t command, size_t n) {
        size_t at = n < 57 ? n : 57;
        struct hid_action a = send_first(w, channel, command, n, BYTES(w->data, at));

        for (uint8_t sequence = 0; at < n; sequence++) {
                size_t part = n - at < 59 ? n - at : 59;

                assert_int_equal(a.verdict, HID_NOTHING);
                a = send_next(w, channel, sequence, BYTES(w->data + at, part));
                at += part;
        }
        return a;
}

static struct hid_action send_init(struct wire *w, uint32_t channel) {
        return send_first(w, channel, HID_INIT, sizeof(nonce), BYTES_OF(nonce));
}

static struct hid_action send_bare(struct wire *w, uint32_t channel, uint8_t command) {
        return send_first(w, channel, command, 0, BYTES_NULL);
}

static struct hid_action send_lock(struct wire *w, uint32_t channel, uint8_t seconds) {
        return send_first(w, channel, HID_LOCK, 1, BYTES(&seconds, 1));
}

static struct hid_action tick_after(struct wire *w, uint64_t ms) {
        w->now += ms;
        return hid_tick(w->h, w->now);
}

/* ---- what comes out ---- */

static void expect_nothing(struct hid_action a) {
        assert_int_equal(a.verdict, HID_NOTHING);
}

static void expect_reply(struct hid_action a, uint32_t channel, uint8_t command,
                         struct bytes payload) {
        assert_int_equal(a.verdict, HID_REPLY);
        assert_int_equal(a.channel, channel);
        assert_int_equal(a.command, command);
        assert_bytes_equal(a.payload, payload);
}

static void expect_byte(struct hid_action a, uint32_t channel, uint8_t command, uint8_t value) {
        expect_reply(a, channel, command, BYTES(&value, 1));
}

static void expect_error(struct hid_action a, uint32_t channel, uint8_t error) {
        expect_byte(a, channel, 0x3f, error);
}

static void expect_keepalive(struct hid_action a, uint32_t channel, uint8_t status) {
        expect_byte(a, channel, 0x3b, status);
}

static void expect_message(struct hid_action a, uint32_t channel, uint8_t command,
                           struct bytes payload) {
        assert_int_equal(a.verdict, HID_MESSAGE);
        assert_int_equal(a.channel, channel);
        assert_int_equal(a.command, command);
        assert_bytes_equal(a.payload, payload);
}

/* The whole INIT reply but its channel, which is returned. */
static uint32_t expect_init(struct hid_action a, enum hid_verdict verdict, uint32_t channel) {
        static const uint8_t tail[] = { 2, 7, 8, 9, 0x05 };
        struct cursor c = { a.payload, false };
        uint32_t id;

        assert_int_equal(a.verdict, verdict);
        assert_int_equal(a.channel, channel);
        assert_int_equal(a.command, 0x06);
        assert_int_equal(a.payload.len, 17);
        assert_bytes_equal(cursor_take(&c, 8), BYTES_OF(nonce));
        id = cursor_u32(&c);
        assert_bytes_equal(c.left, BYTES_OF(tail));
        return id;
}

/* Both channels idle and of use; A's echo also shows that nothing is left of what went before. */
static void expect_idle(struct wire *w) {
        expect_reply(send_message(w, w->a, HID_PING, 100), w->a, HID_PING, BYTES(w->data, 100));
        expect_reply(send_message(w, w->b, HID_PING, 3), w->b, HID_PING, BYTES(w->data, 3));
        assert_true(hid_deadline(w->h) == UINT64_MAX);
}

static void start_command(struct wire *w, uint32_t channel, uint8_t command) {
        expect_message(send_message(w, channel, command, 5), channel, command, BYTES(w->data, 5));
}

static void start_assembly(struct wire *w, uint32_t channel, uint8_t command) {
        expect_nothing(send_first(w, channel, command, 100, BYTES(w->data, 57)));
}

/* ---- fixture ---- */

static int wire_up(void **state) {
        static const struct hid_options options = { MAX_MESSAGE, { 7, 8, 9 }, 42 };
        struct wire *w = calloc(1, sizeof(*w));

        if (!w)
                return -1;
        w->h = hid_new(&options);
        if (!w->h) {
                free(w);
                return -1;
        }
        for (size_t i = 0; i < sizeof(w->data); i++)
                w->data[i] = (uint8_t)(i * 7 + i / 256);
        w->now = 1000000;
        *state = w;
        w->a = expect_init(send_init(w, HID_BROADCAST), HID_REPLY, HID_BROADCAST);
        w->b = expect_init(send_init(w, HID_BROADCAST), HID_REPLY, HID_BROADCAST);
        return 0;
}

static int wire_down(void **state) {
        struct wire *w = *state;

        w->h = hid_free(w->h);
        free(w);
        return 0;
}

/* ---- A.1 frames ---- */

static void A3_reports_are_64_bytes_and_zero_padded(void **state) {
        static const uint8_t hi[] = { 'h', 'i' };
        static const uint8_t head[] = { 0x11, 0x22, 0x33, 0x44, 0x81, 0, 2, 'h', 'i' };
        struct hid_fragments f = hid_fragment(0x11223344, HID_PING, BYTES_OF(hi));
        uint8_t report[HID_REPORT_SIZE + 1], zero[HID_REPORT_SIZE] = { 0 };

        (void)state;
        memset(report, 0xee, sizeof(report));
        assert_true(hid_next_report(&f, report));
        assert_memory_equal(report, head, sizeof(head));
        assert_memory_equal(report + sizeof(head), zero, HID_REPORT_SIZE - sizeof(head));
        assert_int_equal(report[HID_REPORT_SIZE], 0xee);

        memset(report, 0xee, sizeof(report));
        assert_false(hid_next_report(&f, report));
        assert_int_equal(report[0], 0xee);
}

/* How the reports of a message of n bytes look: 57 bytes, then 59 each, sequences from 0. */
static void check_fragments(struct wire *w, size_t n, size_t want_reports) {
        struct hid_fragments f = hid_fragment(w->a, HID_CBOR, BYTES(w->data, n));
        uint8_t report[HID_REPORT_SIZE];
        size_t at = 0, reports = 0;

        while (hid_next_report(&f, report)) {
                struct cursor c = { BYTES_OF(report), false };
                size_t part;

                assert_int_equal(cursor_u32(&c), w->a);
                if (reports == 0) {
                        assert_int_equal(cursor_u8(&c), 0x90);
                        assert_int_equal(cursor_u16(&c), n);
                        assert_int_equal(c.left.len, 57);
                } else {
                        assert_int_equal(cursor_u8(&c), reports - 1);
                        assert_int_equal(c.left.len, 59);
                }
                part = n - at < c.left.len ? n - at : c.left.len;
                assert_bytes_equal(cursor_take(&c, part), BYTES(w->data + at, part));
                at += part;
                reports++;
        }
        assert_int_equal(at, n);
        assert_int_equal(reports, want_reports);
}

static void A4_messages_are_cut_at_57_and_59_bytes(void **state) {
        struct wire *w = *state;

        check_fragments(w, 0, 1);
        check_fragments(w, 57, 1);
        check_fragments(w, 58, 2);
        check_fragments(w, 57 + 59, 2);
        check_fragments(w, 57 + 59 + 1, 3);
        check_fragments(w, 7609, 129);
}

static void A4_messages_are_put_together_from_57_and_59_bytes(void **state) {
        static const size_t sizes[] = { 1, 56, 57, 58, 116, 117, 1535, 1536 };
        struct wire *w = *state;

        for (size_t i = 0; i < ELEMENTSOF(sizes); i++) {
                expect_message(send_message(w, w->a, HID_CBOR, sizes[i]), w->a, HID_CBOR,
                               BYTES(w->data, sizes[i]));
                hid_finish(w->h);
        }
}

static void A4_the_largest_message_of_all_arrives(void **state) {
        static const struct hid_options options = { 0xffff, { 7, 8, 9 }, 42 };
        struct wire *w = *state;

        w->h = hid_free(w->h);
        w->h = hid_new(&options);
        assert_non_null(w->h);
        (void)send_init(w, w->a);
        expect_reply(send_message(w, w->a, HID_PING, 7609), w->a, HID_PING, BYTES(w->data, 7609));
        expect_error(send_first(w, w->a, HID_PING, 7610, BYTES(w->data, 57)), w->a, 0x03);
}

static void A5_command_bytes(void **state) {
        struct wire *w = *state;

        expect_reply(send_first(w, w->a, 0x01, 2, BYTES(w->data, 2)), w->a, 0x01,
                     BYTES(w->data, 2));
        expect_message(send_first(w, w->a, 0x03, 4, BYTES(w->data, 4)), w->a, 0x03,
                       BYTES(w->data, 4));
        hid_finish(w->h);
        expect_reply(send_first(w, w->a, 0x04, 1, BYTES("\0", 1)), w->a, 0x04, BYTES_NULL);
        assert_int_equal(send_first(w, w->a, 0x08, 0, BYTES_NULL).verdict, HID_WINKED);
        expect_message(send_first(w, w->a, 0x10, 1, BYTES(w->data, 1)), w->a, 0x10,
                       BYTES(w->data, 1));
        assert_int_equal(send_first(w, w->a, 0x11, 0, BYTES_NULL).verdict, HID_CANCELLED);
        expect_init(send_first(w, w->a, 0x06, 8, BYTES_OF(nonce)), HID_ABORT, w->a);
        hid_finish(w->h);
        expect_idle(w);
}

static void A6_an_error_is_one_byte_on_the_offending_channel(void **state) {
        struct wire *w = *state;

        expect_error(send_bare(w, w->a, 0x20), w->a, 0x01);
        expect_error(send_lock(w, w->a, 11), w->a, 0x02);
        expect_error(send_bare(w, w->a, HID_INIT), w->a, 0x03);
        start_assembly(w, w->a, HID_PING);
        expect_error(send_next(w, w->a, 1, BYTES_NULL), w->a, 0x04);
        start_assembly(w, w->a, HID_PING);
        expect_error(send_bare(w, w->b, HID_PING), w->b, 0x06);
        expect_error(tick_after(w, HID_REASSEMBLY_MS), w->a, 0x05);
        expect_error(send_bare(w, STRANGER, HID_PING), STRANGER, 0x0b);
        expect_idle(w);
}

static void A7_capabilities_are_wink_and_cbor(void **state) {
        struct wire *w = *state;
        struct hid_action a = send_init(w, w->a);

        assert_int_equal(a.payload.len, 17);
        assert_int_equal(a.payload.data[16], 0x01 | 0x04);
}

static void A8_silent_when_idle(void **state) {
        struct wire *w = *state;

        assert_true(hid_deadline(w->h) == UINT64_MAX);
        expect_nothing(tick_after(w, 1000000));

        start_command(w, w->a, HID_CBOR);
        hid_set_keepalive(w->h, HID_UPNEEDED, w->now);
        hid_finish(w->h);
        hid_set_keepalive(w->h, HID_PROCESSING, w->now);
        assert_true(hid_deadline(w->h) == UINT64_MAX);
        expect_nothing(tick_after(w, 1000000));
        hid_finish(w->h);
        expect_idle(w);
}

/* ---- A.2 INIT and channels ---- */

static void A9_init_takes_8_bytes_and_answers_17(void **state) {
        struct wire *w = *state;

        for (size_t n = 0; n < 40; n++) {
                if (n == 8)
                        continue;
                expect_error(send_first(w, HID_BROADCAST, HID_INIT, n, BYTES(w->data, n)),
                             HID_BROADCAST, 0x03);
                expect_error(send_first(w, w->a, HID_INIT, n, BYTES(w->data, n)), w->a, 0x03);
        }
        expect_init(send_init(w, HID_BROADCAST), HID_REPLY, HID_BROADCAST);
}

static void A9_a_bad_init_ends_the_assembly_it_breaks_into(void **state) {
        struct wire *w = *state;

        start_assembly(w, w->a, HID_PING);
        expect_error(send_bare(w, w->a, HID_INIT), w->a, 0x03);
        expect_nothing(send_next(w, w->a, 0, BYTES_NULL));
        expect_idle(w);

        start_assembly(w, w->a, HID_PING);
        expect_error(send_bare(w, HID_BROADCAST, HID_INIT), HID_BROADCAST, 0x03);
        expect_reply(send_next(w, w->a, 0, BYTES(w->data + 57, 43)), w->a, HID_PING,
                     BYTES(w->data, 100));

        start_command(w, w->a, HID_CBOR);
        expect_error(send_bare(w, w->a, HID_INIT), w->a, 0x03);
        expect_keepalive(tick_after(w, 100), w->a, HID_PROCESSING);
        hid_finish(w->h);
        expect_idle(w);
}

static void A10_broadcast_init_allocates_and_answers_on_broadcast(void **state) {
        struct wire *w = *state;
        uint32_t c = expect_init(send_init(w, HID_BROADCAST), HID_REPLY, HID_BROADCAST);

        expect_reply(send_message(w, c, HID_PING, 1), c, HID_PING, BYTES(w->data, 1));
}

static void A11_channels_are_unique_and_never_reserved(void **state) {
        enum { ROUNDS = 1000 };
        struct wire *w = *state;
        uint32_t seen[ROUNDS];

        for (size_t i = 0; i < ROUNDS; i++) {
                seen[i] = expect_init(send_init(w, HID_BROADCAST), HID_REPLY, HID_BROADCAST);
                assert_int_not_equal(seen[i], 0);
                assert_int_not_equal(seen[i], HID_BROADCAST);
                for (size_t j = 0; j < i; j++)
                        assert_int_not_equal(seen[i], seen[j]);
        }
}

static void A11_a_channel_a_client_chose_is_not_given_to_another(void **state) {
        static const struct hid_options options = { MAX_MESSAGE, { 7, 8, 9 }, 42 };
        struct wire *w = *state;
        uint32_t c;

        /* A second device of the same seed would give out A first: a client sits on it already. */
        w->h = hid_free(w->h);
        w->h = hid_new(&options);
        assert_non_null(w->h);
        assert_int_equal(expect_init(send_init(w, w->a), HID_REPLY, w->a), w->a);
        c = expect_init(send_init(w, HID_BROADCAST), HID_REPLY, HID_BROADCAST);
        assert_int_equal(c, w->b);
}

static void A12_init_on_an_allocated_channel_keeps_it(void **state) {
        struct wire *w = *state;

        assert_int_equal(expect_init(send_init(w, w->a), HID_REPLY, w->a), w->a);
        expect_idle(w);
}

static void A12_init_aborts_the_command_of_its_channel(void **state) {
        static const uint8_t kinds[] = { HID_CBOR, HID_MSG };
        struct wire *w = *state;

        for (size_t i = 0; i < ELEMENTSOF(kinds); i++) {
                start_command(w, w->a, kinds[i]);
                assert_int_equal(expect_init(send_init(w, w->a), HID_ABORT, w->a), w->a);
                /* Again, while the command is on its way out: there is nothing more to abort. */
                assert_int_equal(expect_init(send_init(w, w->a), HID_REPLY, w->a), w->a);
                hid_set_keepalive(w->h, HID_UPNEEDED, w->now);
                expect_nothing(tick_after(w, 1000));
                hid_finish(w->h);
                expect_idle(w);
        }
}

static void A12_after_the_abort_the_channel_may_talk_at_once(void **state) {
        struct wire *w = *state;

        start_command(w, w->a, HID_CBOR);
        expect_init(send_init(w, w->a), HID_ABORT, w->a);

        expect_reply(send_message(w, w->a, HID_PING, 100), w->a, HID_PING, BYTES(w->data, 100));
        assert_int_equal(send_bare(w, w->a, HID_WINK).verdict, HID_WINKED);
        expect_error(send_bare(w, w->b, HID_PING), w->b, 0x06);
        expect_init(send_init(w, HID_BROADCAST), HID_REPLY, HID_BROADCAST);

        hid_finish(w->h);
        expect_idle(w);
}

static void A12_a_message_behind_an_aborted_command_is_kept(void **state) {
        struct wire *w = *state;

        start_command(w, w->a, HID_CBOR);
        expect_init(send_init(w, w->a), HID_ABORT, w->a);
        expect_nothing(send_message(w, w->a, HID_CBOR, 200));

        /* One is kept, for one channel. */
        expect_error(send_message(w, w->a, HID_CBOR, 5), w->a, 0x06);
        expect_error(send_message(w, w->b, HID_CBOR, 5), w->b, 0x06);

        /* The client waits, so it gets keepalives; the aborted command has no say in them. */
        hid_set_keepalive(w->h, HID_UPNEEDED, w->now);
        expect_keepalive(tick_after(w, 50), w->a, HID_PROCESSING);
        expect_nothing(tick_after(w, 99));
        expect_keepalive(tick_after(w, 1), w->a, HID_PROCESSING);

        hid_finish(w->h);
        assert_true(hid_deadline(w->h) <= w->now);
        expect_message(hid_tick(w->h, w->now), w->a, HID_CBOR, BYTES(w->data, 200));
        expect_keepalive(tick_after(w, 100), w->a, HID_PROCESSING);
        hid_finish(w->h);
        expect_idle(w);
}

static void A12_a_kept_message_may_be_aborted_too(void **state) {
        struct wire *w = *state;

        start_command(w, w->a, HID_CBOR);
        expect_init(send_init(w, w->a), HID_ABORT, w->a);
        expect_nothing(send_message(w, w->a, HID_MSG, 20));
        assert_true(hid_deadline(w->h) == UINT64_MAX); /* A43 */
        expect_init(send_init(w, w->a), HID_REPLY, w->a);
        hid_finish(w->h);
        expect_nothing(hid_tick(w->h, w->now));
        expect_idle(w);
}

static void A12_a_message_half_sent_outlives_the_abort(void **state) {
        struct wire *w = *state;

        start_command(w, w->a, HID_CBOR);
        expect_init(send_init(w, w->a), HID_ABORT, w->a);
        start_assembly(w, w->a, HID_CBOR);
        hid_finish(w->h);
        expect_message(send_next(w, w->a, 0, BYTES(w->data + 57, 43)), w->a, HID_CBOR,
                       BYTES(w->data, 100));
        hid_finish(w->h);
        expect_idle(w);
}

static void A13_init_clears_a_half_received_message(void **state) {
        struct wire *w = *state;

        start_assembly(w, w->a, HID_PING);
        assert_int_equal(expect_init(send_init(w, w->a), HID_REPLY, w->a), w->a);
        expect_nothing(send_next(w, w->a, 0, BYTES(w->data, 59)));
        expect_nothing(tick_after(w, 10000));
        expect_idle(w);
}

static void A14_init_on_channel_0(void **state) {
        struct wire *w = *state;

        expect_error(send_init(w, 0), 0, 0x0b);
        expect_error(send_bare(w, 0, HID_PING), 0, 0x0b);
}

static void A15_only_init_on_broadcast(void **state) {
        static const uint8_t others[] = { 0x01, 0x03, 0x04, 0x08, 0x10, 0x20, 0x3b, 0x3f, 0x40 };
        struct wire *w = *state;

        for (size_t i = 0; i < ELEMENTSOF(others); i++)
                expect_error(send_first(w, HID_BROADCAST, others[i], 4, BYTES(w->data, 4)),
                             HID_BROADCAST, 0x0b);
        expect_idle(w);
}

static void A16_a_channel_that_was_never_allocated(void **state) {
        static const uint8_t others[] = { 0x01, 0x03, 0x04, 0x08, 0x10, 0x20 };
        struct wire *w = *state;

        for (size_t i = 0; i < ELEMENTSOF(others); i++)
                expect_error(send_first(w, STRANGER, others[i], 4, BYTES(w->data, 4)), STRANGER,
                             0x0b);

        /* Clients resynchronise so after the device was plugged in again. */
        assert_int_equal(expect_init(send_init(w, STRANGER), HID_REPLY, STRANGER), STRANGER);
        expect_reply(send_message(w, STRANGER, HID_PING, 1), STRANGER, HID_PING, BYTES(w->data, 1));
}

static void A17_continuation_without_a_message_is_dropped(void **state) {
        static const uint8_t sequences[] = { 0, 1, 127 };
        struct wire *w = *state;

        for (size_t i = 0; i < ELEMENTSOF(sequences); i++) {
                expect_nothing(send_next(w, w->a, sequences[i], BYTES(w->data, 59)));
                expect_nothing(send_next(w, STRANGER, sequences[i], BYTES(w->data, 59)));
                expect_nothing(send_next(w, HID_BROADCAST, sequences[i], BYTES(w->data, 59)));
                expect_nothing(send_next(w, 0, sequences[i], BYTES(w->data, 59)));
        }
        start_assembly(w, w->a, HID_PING);
        expect_nothing(send_next(w, w->b, 0, BYTES(w->data, 59)));
        expect_reply(send_next(w, w->a, 0, BYTES(w->data + 57, 43)), w->a, HID_PING,
                     BYTES(w->data, 100));
        start_command(w, w->a, HID_CBOR);
        expect_nothing(send_next(w, w->a, 0, BYTES(w->data, 59)));
        hid_finish(w->h);
        expect_idle(w);
}

static void A18_broadcast_init_while_another_channel_is_busy(void **state) {
        struct wire *w = *state;

        start_assembly(w, w->a, HID_PING);
        expect_init(send_init(w, HID_BROADCAST), HID_REPLY, HID_BROADCAST);
        expect_reply(send_next(w, w->a, 0, BYTES(w->data + 57, 43)), w->a, HID_PING,
                     BYTES(w->data, 100));

        start_command(w, w->a, HID_CBOR);
        expect_init(send_init(w, HID_BROADCAST), HID_REPLY, HID_BROADCAST);
        expect_keepalive(tick_after(w, 100), w->a, HID_PROCESSING);
        hid_finish(w->h);
        expect_idle(w);
}

static void A19_init_never_fails_and_recycles_the_longest_unused_channel(void **state) {
        struct wire *w = *state;

        for (size_t i = 0; i < HID_CHANNELS - 2; i++)
                expect_init(send_init(w, HID_BROADCAST), HID_REPLY, HID_BROADCAST);
        expect_reply(send_message(w, w->a, HID_PING, 1), w->a, HID_PING, BYTES(w->data, 1));
        /* All places are taken, and B is now the one that rested longest. */
        expect_init(send_init(w, HID_BROADCAST), HID_REPLY, HID_BROADCAST);
        expect_error(send_message(w, w->b, HID_PING, 1), w->b, 0x0b);
        expect_reply(send_message(w, w->a, HID_PING, 1), w->a, HID_PING, BYTES(w->data, 1));

        expect_init(send_init(w, w->b), HID_REPLY, w->b);
        expect_idle(w);
}

static void A19_a_busy_channel_is_not_recycled(void **state) {
        struct wire *w = *state;

        start_command(w, w->a, HID_CBOR);
        for (size_t i = 0; i < 5 * HID_CHANNELS; i++)
                expect_init(send_init(w, HID_BROADCAST), HID_REPLY, HID_BROADCAST);
        expect_init(send_init(w, w->a), HID_ABORT, w->a);
        for (size_t i = 0; i < 5 * HID_CHANNELS; i++)
                expect_init(send_init(w, HID_BROADCAST), HID_REPLY, HID_BROADCAST);
        expect_reply(send_message(w, w->a, HID_PING, 1), w->a, HID_PING, BYTES(w->data, 1));
        hid_finish(w->h);
}

/* ---- A.3 reassembly ---- */

static void A20_too_long_is_refused_at_the_first_frame(void **state) {
        struct wire *w = *state;

        expect_error(send_first(w, w->a, HID_PING, MAX_MESSAGE + 1, BYTES(w->data, 57)), w->a,
                     0x03);
        expect_nothing(send_next(w, w->a, 0, BYTES(w->data, 59)));
        expect_error(send_first(w, w->a, HID_MSG, MAX_MESSAGE + 1, BYTES(w->data, 57)), w->a, 0x03);
        expect_error(send_first(w, w->a, HID_PING, 0xffff, BYTES(w->data, 57)), w->a, 0x03);
        expect_error(send_first(w, w->a, HID_CBOR, 7610, BYTES(w->data, 57)), w->a, 0x03);
        expect_error(send_first(w, w->a, HID_CBOR, 0xffff, BYTES(w->data, 57)), w->a, 0x03);
        expect_idle(w);
}

static void B16_cbor_above_the_limit_gets_a_status(void **state) {
        struct wire *w = *state;

        expect_byte(send_first(w, w->a, HID_CBOR, MAX_MESSAGE + 1, BYTES(w->data, 57)), w->a,
                    HID_CBOR, 0x39);
        for (uint8_t i = 0; i < 26; i++)
                expect_nothing(send_next(w, w->a, i, BYTES(w->data, 59)));
        expect_byte(send_first(w, w->a, HID_CBOR, 7609, BYTES(w->data, 57)), w->a, HID_CBOR, 0x39);
        expect_idle(w);
}

static void A21_a_wrong_sequence_number_ends_the_message(void **state) {
        static const uint8_t wrong[] = { 0, 2, 127 };
        struct wire *w = *state;

        for (size_t i = 0; i < ELEMENTSOF(wrong); i++) {
                expect_nothing(send_first(w, w->a, HID_PING, 500, BYTES(w->data, 57)));
                expect_nothing(send_next(w, w->a, 0, BYTES(w->data, 59)));
                expect_error(send_next(w, w->a, wrong[i], BYTES(w->data, 59)), w->a, 0x04);
                expect_nothing(send_next(w, w->a, 1, BYTES(w->data, 59)));
                expect_idle(w);
        }
}

static void A22_a_new_message_in_mid_assembly_ends_both(void **state) {
        static const uint8_t second[] = { 0x01, 0x03, 0x04, 0x08, 0x10, 0x20 };
        struct wire *w = *state;

        for (size_t i = 0; i < ELEMENTSOF(second); i++) {
                start_assembly(w, w->a, HID_CBOR);
                expect_error(send_first(w, w->a, second[i], 4, BYTES(w->data, 4)), w->a, 0x04);
                expect_nothing(send_next(w, w->a, 0, BYTES(w->data, 59)));
                expect_idle(w);
        }
}

/* Every kind of frame that is not INIT on broadcast, CANCEL or a continuation. */
static void expect_others_busy(struct wire *w) {
        static const uint8_t kinds[] = { 0x01, 0x03, 0x04, 0x06, 0x08, 0x10, 0x20 };

        for (size_t i = 0; i < ELEMENTSOF(kinds); i++) {
                expect_error(send_first(w, w->b, kinds[i], 8, BYTES_OF(nonce)), w->b, 0x06);
                /* Before it is looked at whether there is such a channel. */
                expect_error(send_first(w, STRANGER, kinds[i], 8, BYTES_OF(nonce)), STRANGER, 0x06);
                expect_error(send_first(w, 0, kinds[i], 8, BYTES_OF(nonce)), 0, 0x06);
        }
        expect_error(send_bare(w, HID_BROADCAST, HID_PING), HID_BROADCAST, 0x06);
}

static void A23_others_hear_busy_and_the_transaction_goes_on(void **state) {
        struct wire *w = *state;

        start_assembly(w, w->a, HID_PING);
        expect_others_busy(w);
        expect_reply(send_next(w, w->a, 0, BYTES(w->data + 57, 43)), w->a, HID_PING,
                     BYTES(w->data, 100));

        start_command(w, w->a, HID_CBOR);
        hid_set_keepalive(w->h, HID_UPNEEDED, w->now);
        expect_others_busy(w);
        expect_keepalive(hid_tick(w->h, w->now), w->a, HID_UPNEEDED);
        hid_finish(w->h);

        start_command(w, w->a, HID_MSG);
        expect_others_busy(w);
        hid_finish(w->h);
        expect_idle(w);
}

static void A23_a_second_message_on_the_channel_of_a_running_command(void **state) {
        static const uint8_t second[] = { 0x01, 0x03, 0x04, 0x08, 0x10 };
        struct wire *w = *state;

        start_command(w, w->a, HID_CBOR);
        for (size_t i = 0; i < ELEMENTSOF(second); i++)
                expect_error(send_first(w, w->a, second[i], 4, BYTES(w->data, 4)), w->a, 0x06);
        expect_keepalive(tick_after(w, 100), w->a, HID_PROCESSING);
        hid_finish(w->h);
        expect_idle(w);
}

static void A24_a_stalled_message_times_out(void **state) {
        struct wire *w = *state;

        expect_nothing(send_first(w, w->a, HID_PING, 500, BYTES(w->data, 57)));
        expect_nothing(tick_after(w, 499));
        expect_nothing(send_next(w, w->a, 0, BYTES(w->data, 59)));
        assert_true(hid_deadline(w->h) == w->now + 500);
        expect_nothing(tick_after(w, 499));
        expect_error(tick_after(w, 1), w->a, 0x05);
        expect_nothing(hid_tick(w->h, w->now));
        expect_nothing(send_next(w, w->a, 1, BYTES(w->data, 59)));
        expect_idle(w);
}

static void A24_frames_of_others_do_not_keep_a_stalled_message_alive(void **state) {
        struct wire *w = *state;

        start_assembly(w, w->a, HID_PING);
        w->now += 400;
        expect_error(send_bare(w, w->b, HID_PING), w->b, 0x06);
        expect_nothing(send_bare(w, w->a, HID_CANCEL));
        expect_error(tick_after(w, 100), w->a, 0x05);
        expect_idle(w);
}

static void A25_what_stands_behind_the_end_is_ignored(void **state) {
        struct wire *w = *state;

        expect_reply(send_first(w, w->a, HID_PING, 2, BYTES(w->data, 57)), w->a, HID_PING,
                     BYTES(w->data, 2));
        expect_nothing(send_first(w, w->a, HID_PING, 58, BYTES(w->data, 57)));
        expect_reply(send_next(w, w->a, 0, BYTES(w->data + 57, 59)), w->a, HID_PING,
                     BYTES(w->data, 58));
}

static void A26_messages_without_a_command_are_refused(void **state) {
        struct wire *w = *state;

        expect_error(send_bare(w, w->a, HID_CBOR), w->a, 0x03);
        for (size_t n = 0; n < 4; n++)
                expect_error(send_first(w, w->a, HID_MSG, n, BYTES(w->data, n)), w->a, 0x03);
        expect_message(send_message(w, w->a, HID_MSG, 4), w->a, HID_MSG, BYTES(w->data, 4));
        hid_finish(w->h);
        expect_idle(w);
}

static void A27_unknown_commands(void **state) {
        struct wire *w = *state;

        for (uint8_t command = 0; command < 0x80; command++) {
                if (command == 0x01 || command == 0x03 || command == 0x04 || command == 0x06 ||
                    command == 0x08 || command == 0x10 || command == 0x11)
                        continue;
                expect_error(send_first(w, w->a, command, 100, BYTES(w->data, 57)), w->a, 0x01);
                expect_nothing(send_next(w, w->a, 0, BYTES(w->data, 59)));
        }
        expect_idle(w);
}

/* ---- A.4 PING, WINK, LOCK ---- */

static void A28_ping_echoes_any_length(void **state) {
        static const size_t sizes[] = { 0, 1, 50, 57, 58, 1024, MAX_MESSAGE };
        struct wire *w = *state;

        memset(w->data, 0, 20); /* leading zeros are kept */
        for (size_t i = 0; i < ELEMENTSOF(sizes); i++)
                expect_reply(send_message(w, w->a, HID_PING, sizes[i]), w->a, HID_PING,
                             BYTES(w->data, sizes[i]));
}

static void A29_wink(void **state) {
        struct wire *w = *state;
        struct hid_action a = send_bare(w, w->a, HID_WINK);

        assert_int_equal(a.verdict, HID_WINKED);
        assert_int_equal(a.channel, w->a);
        assert_int_equal(a.command, HID_WINK);
        assert_int_equal(a.payload.len, 0);
        expect_error(send_first(w, w->a, HID_WINK, 1, BYTES(w->data, 1)), w->a, 0x03);
}

static void A30_lock_takes_one_byte_up_to_ten(void **state) {
        struct wire *w = *state;

        for (unsigned seconds = 0; seconds < 256; seconds++) {
                if (seconds <= 10)
                        expect_reply(send_lock(w, w->a, (uint8_t)seconds), w->a, HID_LOCK,
                                     BYTES_NULL);
                else
                        expect_error(send_lock(w, w->a, (uint8_t)seconds), w->a, 0x02);
        }
        expect_error(send_bare(w, w->a, HID_LOCK), w->a, 0x03);
        expect_error(send_first(w, w->a, HID_LOCK, 2, BYTES("\1\1", 2)), w->a, 0x03);
}

static void A31_lock_0_releases_at_once(void **state) {
        struct wire *w = *state;

        expect_reply(send_lock(w, w->a, 10), w->a, HID_LOCK, BYTES_NULL);
        expect_error(send_bare(w, w->b, HID_PING), w->b, 0x06);
        expect_reply(send_lock(w, w->a, 0), w->a, HID_LOCK, BYTES_NULL);
        expect_idle(w);
}

static void A32_lock_is_there(void **state) {
        struct wire *w = *state;

        expect_reply(send_lock(w, w->a, 1), w->a, HID_LOCK, BYTES_NULL);
}

static void A33_while_locked_all_others_hear_busy(void **state) {
        struct wire *w = *state;

        expect_reply(send_lock(w, w->a, 2), w->a, HID_LOCK, BYTES_NULL);
        expect_others_busy(w);
        expect_error(send_init(w, HID_BROADCAST), HID_BROADCAST, 0x06);
        expect_nothing(send_bare(w, w->b, HID_CANCEL));

        /* The holder works on; its resynchronisation does not give the lock away. */
        expect_reply(send_message(w, w->a, HID_PING, 9), w->a, HID_PING, BYTES(w->data, 9));
        start_command(w, w->a, HID_CBOR);
        expect_error(send_init(w, HID_BROADCAST), HID_BROADCAST, 0x06);
        hid_finish(w->h);
        expect_init(send_init(w, w->a), HID_REPLY, w->a);

        w->now += 1999;
        expect_error(send_init(w, HID_BROADCAST), HID_BROADCAST, 0x06);
        assert_true(hid_deadline(w->h) == UINT64_MAX);
        w->now += 1;
        expect_init(send_init(w, HID_BROADCAST), HID_REPLY, HID_BROADCAST);
        expect_idle(w);
}

static void A33_a_lock_may_be_renewed(void **state) {
        struct wire *w = *state;

        expect_reply(send_lock(w, w->a, 1), w->a, HID_LOCK, BYTES_NULL);
        w->now += 900;
        expect_reply(send_lock(w, w->a, 1), w->a, HID_LOCK, BYTES_NULL);
        expect_error(send_lock(w, w->a, 11), w->a, 0x02);
        w->now += 900;
        expect_error(send_bare(w, w->b, HID_PING), w->b, 0x06);
        w->now += 100;
        expect_idle(w);
}

/* ---- A.5 CANCEL ---- */

static void A34_cancel_is_never_answered(void **state) {
        struct wire *w = *state;

        expect_nothing(send_bare(w, w->a, HID_CANCEL));
        expect_nothing(send_bare(w, STRANGER, HID_CANCEL));
        expect_nothing(send_bare(w, HID_BROADCAST, HID_CANCEL));
        expect_nothing(send_bare(w, 0, HID_CANCEL));
        start_command(w, w->a, HID_CBOR);
        assert_int_equal(send_bare(w, w->a, HID_CANCEL).payload.len, 0);
        hid_finish(w->h);
        expect_idle(w);
}

static void A35_cancel_reaches_the_command_which_answers_itself(void **state) {
        struct wire *w = *state;
        struct hid_action a;

        start_command(w, w->a, HID_CBOR);
        a = send_bare(w, w->a, HID_CANCEL);
        assert_int_equal(a.verdict, HID_CANCELLED);
        assert_int_equal(a.channel, w->a);
        /* Until it has, the client still hears that it is alive. */
        expect_keepalive(tick_after(w, 100), w->a, HID_PROCESSING);
        hid_finish(w->h);
        expect_idle(w);
}

static void A35_cancel_of_a_kept_command_is_answered_with_2d(void **state) {
        struct wire *w = *state;

        start_command(w, w->a, HID_CBOR);
        expect_init(send_init(w, w->a), HID_ABORT, w->a);
        expect_nothing(send_bare(w, w->a, HID_CANCEL));
        expect_nothing(send_message(w, w->a, HID_CBOR, 5));
        expect_nothing(send_bare(w, w->b, HID_CANCEL));
        expect_byte(send_bare(w, w->a, HID_CANCEL), w->a, HID_CBOR, 0x2d);
        expect_nothing(send_bare(w, w->a, HID_CANCEL));
        hid_finish(w->h);
        expect_nothing(tick_after(w, 1000));
        expect_idle(w);
}

static void A36_cancel_waits_for_nothing(void **state) {
        struct wire *w = *state;

        /* The report itself yields the verdict: no tick, no time passes. */
        start_command(w, w->a, HID_CBOR);
        hid_set_keepalive(w->h, HID_UPNEEDED, w->now);
        assert_int_equal(send_bare(w, w->a, HID_CANCEL).verdict, HID_CANCELLED);
}

static void A37_other_cancels_are_ignored(void **state) {
        struct wire *w = *state;

        start_command(w, w->a, HID_CBOR);
        expect_nothing(send_bare(w, w->b, HID_CANCEL));
        assert_int_equal(send_bare(w, w->a, HID_CANCEL).verdict, HID_CANCELLED);
        expect_nothing(send_bare(w, w->a, HID_CANCEL));
        hid_finish(w->h);
        expect_nothing(send_bare(w, w->a, HID_CANCEL));

        /* While nothing runs yet, there is nothing to cancel: the message is still coming. */
        start_assembly(w, w->a, HID_CBOR);
        expect_nothing(send_bare(w, w->a, HID_CANCEL));
        expect_message(send_next(w, w->a, 0, BYTES(w->data + 57, 43)), w->a, HID_CBOR,
                       BYTES(w->data, 100));
        hid_finish(w->h);
        expect_idle(w);
}

static void A38_cancel_works_whatever_the_command(void **state) {
        static const uint8_t commands[] = { 0x01, 0x02, 0x07, 0x08, 0x09, 0x0b, 0x40 };
        struct wire *w = *state;

        for (size_t i = 0; i < ELEMENTSOF(commands); i++) {
                assert_int_equal(send_first(w, w->a, HID_CBOR, 1, BYTES(&commands[i], 1)).verdict,
                                 HID_MESSAGE);
                assert_int_equal(send_bare(w, w->a, HID_CANCEL).verdict, HID_CANCELLED);
                hid_finish(w->h);
        }
}

static void A39_after_cancel_the_channel_is_of_use_at_once(void **state) {
        struct wire *w = *state;

        start_command(w, w->a, HID_CBOR);
        assert_int_equal(send_bare(w, w->a, HID_CANCEL).verdict, HID_CANCELLED);
        hid_finish(w->h);
        start_command(w, w->a, HID_CBOR);
        /* And the new command may be cancelled as well. */
        assert_int_equal(send_bare(w, w->a, HID_CANCEL).verdict, HID_CANCELLED);
        hid_finish(w->h);
        expect_idle(w);
}

static void A40_cancel_does_not_touch_u2f(void **state) {
        struct wire *w = *state;

        start_command(w, w->a, HID_MSG);
        expect_nothing(send_bare(w, w->a, HID_CANCEL));
        expect_error(send_bare(w, w->b, HID_PING), w->b, 0x06);
        expect_init(send_init(w, w->a), HID_ABORT, w->a);
        expect_nothing(send_message(w, w->a, HID_MSG, 4));
        expect_nothing(send_bare(w, w->a, HID_CANCEL));
        hid_finish(w->h);
        expect_message(hid_tick(w->h, w->now), w->a, HID_MSG, BYTES(w->data, 4));
        hid_finish(w->h);
        expect_idle(w);
}

/* ---- A.6 KEEPALIVE ---- */

static void A41_keepalives_every_100_ms_and_at_once_on_a_change(void **state) {
        struct wire *w = *state;

        start_command(w, w->a, HID_CBOR);
        expect_nothing(tick_after(w, 49));
        expect_keepalive(tick_after(w, 1), w->a, 0x01);
        expect_nothing(hid_tick(w->h, w->now));
        expect_nothing(tick_after(w, 99));
        expect_keepalive(tick_after(w, 1), w->a, 0x01);

        w->now += 30;
        hid_set_keepalive(w->h, HID_UPNEEDED, w->now);
        assert_true(hid_deadline(w->h) <= w->now);
        expect_keepalive(hid_tick(w->h, w->now), w->a, 0x02);
        expect_nothing(tick_after(w, 99));
        expect_keepalive(tick_after(w, 1), w->a, 0x02);

        /* Said again, it is no change. */
        w->now += 10;
        hid_set_keepalive(w->h, HID_UPNEEDED, w->now);
        expect_nothing(hid_tick(w->h, w->now));

        hid_set_keepalive(w->h, HID_PROCESSING, w->now);
        expect_keepalive(hid_tick(w->h, w->now), w->a, 0x01);
        hid_finish(w->h);
        expect_nothing(tick_after(w, 1000));
}

static void A41_a_late_loop_does_not_stretch_the_intervals(void **state) {
        struct wire *w = *state;
        uint64_t start = w->now;

        start_command(w, w->a, HID_CBOR);
        expect_keepalive(tick_after(w, 57), w->a, 0x01);
        assert_true(hid_deadline(w->h) == start + 150);
        /* Late by more than a period: one frame, not a burst. */
        expect_keepalive(tick_after(w, 1000), w->a, 0x01);
        expect_nothing(hid_tick(w->h, w->now));
        hid_finish(w->h);
}

static void A42_keepalives_start_by_themselves(void **state) {
        struct wire *w = *state;

        /* The command does nothing but take long: nobody calls hid_set_keepalive(). */
        start_command(w, w->a, HID_CBOR);
        assert_true(hid_deadline(w->h) <= w->now + HID_KEEPALIVE_MS);
        w->now = hid_deadline(w->h);
        expect_keepalive(hid_tick(w->h, w->now), w->a, 0x01);
        hid_finish(w->h);
}

static void A43_no_keepalives_for_u2f(void **state) {
        struct wire *w = *state;

        start_command(w, w->a, HID_MSG);
        hid_set_keepalive(w->h, HID_UPNEEDED, w->now);
        assert_true(hid_deadline(w->h) == UINT64_MAX);
        expect_nothing(tick_after(w, 10000));
        hid_finish(w->h);
}

static void A44_upneeded_only_when_the_command_says_so(void **state) {
        struct wire *w = *state;

        start_command(w, w->a, HID_CBOR);
        hid_set_keepalive(w->h, HID_UPNEEDED, w->now);
        expect_keepalive(hid_tick(w->h, w->now), w->a, 0x02);
        hid_finish(w->h);

        /* The next command starts anew. */
        start_command(w, w->a, HID_CBOR);
        expect_keepalive(tick_after(w, 50), w->a, 0x01);
        hid_finish(w->h);
}

/* ---- A.7 ---- */

static void A45_keepalives_go_to_the_busy_channel_only(void **state) {
        struct wire *w = *state;

        start_command(w, w->a, HID_CBOR);
        expect_error(send_bare(w, w->b, HID_PING), w->b, 0x06);
        expect_init(send_init(w, HID_BROADCAST), HID_REPLY, HID_BROADCAST);
        for (unsigned i = 0; i < 10; i++)
                expect_keepalive(tick_after(w, 100), w->a, 0x01);
        hid_finish(w->h);
}

static void A46_who_heard_busy_may_try_again(void **state) {
        struct wire *w = *state;

        start_command(w, w->a, HID_CBOR);
        expect_error(send_message(w, w->b, HID_CBOR, 5), w->b, 0x06);
        hid_finish(w->h);
        start_command(w, w->b, HID_CBOR);
        expect_error(send_message(w, w->a, HID_CBOR, 5), w->a, 0x06);
        hid_finish(w->h);
        expect_idle(w);
}

/* ---- what platforms do ---- */

/* The tab is closed: Chromium cancels, waits for the answer, and uses the channel for the next page. */
static void H18_a_closed_tab_cancels_and_the_next_one_goes_on(void **state) {
        struct wire *w = *state;

        start_command(w, w->a, HID_CBOR);
        hid_set_keepalive(w->h, HID_UPNEEDED, w->now);
        expect_keepalive(hid_tick(w->h, w->now), w->a, HID_UPNEEDED);
        assert_int_equal(send_bare(w, w->a, HID_CANCEL).verdict, HID_CANCELLED);
        expect_error(send_message(w, w->a, HID_CBOR, 5), w->a, 0x06); /* had it not waited */
        hid_finish(w->h);
        start_command(w, w->a, HID_CBOR);
        hid_finish(w->h);
}

/* It gives the device up after two seconds without a packet. */
static void H26_firefox_hears_something_all_the_time(void **state) {
        struct wire *w = *state;
        uint64_t heard = w->now;
        const uint64_t end = w->now + 60000;

        start_command(w, w->a, HID_CBOR);
        while (w->now < end) {
                w->now = hid_deadline(w->h);
                assert_in_range(w->now - heard, 0, 100);
                heard = w->now;
                assert_int_equal(hid_tick(w->h, w->now).verdict, HID_REPLY);
        }
        hid_finish(w->h);
}

static void H29_libfido2_opens_a_device_that_answers_with_17_bytes(void **state) {
        struct wire *w = *state;
        struct hid_action a = send_init(w, HID_BROADCAST);

        assert_int_equal(a.verdict, HID_REPLY);
        assert_int_equal(a.payload.len, 17);
}

static void H38_webkit_takes_a_new_channel_for_each_transaction(void **state) {
        struct wire *w = *state;

        for (unsigned i = 0; i < 10 * HID_CHANNELS; i++) {
                const uint32_t channel =
                        expect_init(send_init(w, HID_BROADCAST), HID_REPLY, HID_BROADCAST);

                start_command(w, channel, HID_CBOR);
                hid_finish(w->h);
        }
}

#define ON_WIRE(f) cmocka_unit_test_setup_teardown(f, wire_up, wire_down)

int main(void) {
        const struct CMUnitTest tests[] = {
                ON_WIRE(A3_reports_are_64_bytes_and_zero_padded),
                ON_WIRE(A4_messages_are_cut_at_57_and_59_bytes),
                ON_WIRE(A4_messages_are_put_together_from_57_and_59_bytes),
                ON_WIRE(A4_the_largest_message_of_all_arrives),
                ON_WIRE(A5_command_bytes),
                ON_WIRE(A6_an_error_is_one_byte_on_the_offending_channel),
                ON_WIRE(A7_capabilities_are_wink_and_cbor),
                ON_WIRE(A8_silent_when_idle),
                ON_WIRE(A9_init_takes_8_bytes_and_answers_17),
                ON_WIRE(A9_a_bad_init_ends_the_assembly_it_breaks_into),
                ON_WIRE(A10_broadcast_init_allocates_and_answers_on_broadcast),
                ON_WIRE(A11_channels_are_unique_and_never_reserved),
                ON_WIRE(A11_a_channel_a_client_chose_is_not_given_to_another),
                ON_WIRE(A12_init_on_an_allocated_channel_keeps_it),
                ON_WIRE(A12_init_aborts_the_command_of_its_channel),
                ON_WIRE(A12_after_the_abort_the_channel_may_talk_at_once),
                ON_WIRE(A12_a_message_behind_an_aborted_command_is_kept),
                ON_WIRE(A12_a_kept_message_may_be_aborted_too),
                ON_WIRE(A12_a_message_half_sent_outlives_the_abort),
                ON_WIRE(A13_init_clears_a_half_received_message),
                ON_WIRE(A14_init_on_channel_0),
                ON_WIRE(A15_only_init_on_broadcast),
                ON_WIRE(A16_a_channel_that_was_never_allocated),
                ON_WIRE(A17_continuation_without_a_message_is_dropped),
                ON_WIRE(A18_broadcast_init_while_another_channel_is_busy),
                ON_WIRE(A19_init_never_fails_and_recycles_the_longest_unused_channel),
                ON_WIRE(A19_a_busy_channel_is_not_recycled),
                ON_WIRE(A20_too_long_is_refused_at_the_first_frame),
                ON_WIRE(B16_cbor_above_the_limit_gets_a_status),
                ON_WIRE(A21_a_wrong_sequence_number_ends_the_message),
                ON_WIRE(A22_a_new_message_in_mid_assembly_ends_both),
                ON_WIRE(A23_others_hear_busy_and_the_transaction_goes_on),
                ON_WIRE(A23_a_second_message_on_the_channel_of_a_running_command),
                ON_WIRE(A24_a_stalled_message_times_out),
                ON_WIRE(A24_frames_of_others_do_not_keep_a_stalled_message_alive),
                ON_WIRE(A25_what_stands_behind_the_end_is_ignored),
                ON_WIRE(A26_messages_without_a_command_are_refused),
                ON_WIRE(A27_unknown_commands),
                ON_WIRE(A28_ping_echoes_any_length),
                ON_WIRE(A29_wink),
                ON_WIRE(A30_lock_takes_one_byte_up_to_ten),
                ON_WIRE(A31_lock_0_releases_at_once),
                ON_WIRE(A32_lock_is_there),
                ON_WIRE(A33_while_locked_all_others_hear_busy),
                ON_WIRE(A33_a_lock_may_be_renewed),
                ON_WIRE(A34_cancel_is_never_answered),
                ON_WIRE(A35_cancel_reaches_the_command_which_answers_itself),
                ON_WIRE(A35_cancel_of_a_kept_command_is_answered_with_2d),
                ON_WIRE(A36_cancel_waits_for_nothing),
                ON_WIRE(A37_other_cancels_are_ignored),
                ON_WIRE(A38_cancel_works_whatever_the_command),
                ON_WIRE(A39_after_cancel_the_channel_is_of_use_at_once),
                ON_WIRE(A40_cancel_does_not_touch_u2f),
                ON_WIRE(A41_keepalives_every_100_ms_and_at_once_on_a_change),
                ON_WIRE(A41_a_late_loop_does_not_stretch_the_intervals),
                ON_WIRE(A42_keepalives_start_by_themselves),
                ON_WIRE(A43_no_keepalives_for_u2f),
                ON_WIRE(A44_upneeded_only_when_the_command_says_so),
                ON_WIRE(A45_keepalives_go_to_the_busy_channel_only),
                ON_WIRE(A46_who_heard_busy_may_try_again),
                ON_WIRE(H18_a_closed_tab_cancels_and_the_next_one_goes_on),
                ON_WIRE(H26_firefox_hears_something_all_the_time),
                ON_WIRE(H29_libfido2_opens_a_device_that_answers_with_17_bytes),
                ON_WIRE(H38_webkit_takes_a_new_channel_for_each_transaction),
        };

        return cmocka_run_group_tests_name("hid", tests, NULL, NULL);
}
