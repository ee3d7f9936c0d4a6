/* SPDX-License-Identifier: BSD-2-Clause */

/* trace/assembly.c: messages cut into reports and put together again, whole, mixed and broken. */

#include <string.h>

#include "tests/unit/hex.h"
#include "trace/assembly.h"

#define A 0x0a0a0a0au
#define B 0x0b0b0b0bu

static int setup(void **state) {
        *state = trace_assembly_new();
        return *state ? 0 : -1;
}

static int teardown(void **state) {
        trace_assembly_free(*state);
        return 0;
}

static struct bytes pattern(uint8_t storage[static HID_MESSAGE_MAX], size_t n) {
        for (size_t i = 0; i < n; i++)
                storage[i] = (uint8_t)(i * 7 + n);
        return BYTES(storage, n);
}

static void take_all(struct trace_assembly *a, struct hid_fragments *f, struct trace_frame *ret) {
        uint8_t report[HID_REPORT_SIZE];
        bool ended = false;

        while (hid_next_report(f, report)) {
                assert_false(ended);
                ended = trace_assembly_take(a, report, ret);
        }
        assert_true(ended);
}

static void any_message_comes_out_as_it_went_in(void **state) {
        static const size_t sizes[] = { 0, 1, 57, 58, 116, 117, 1000, HID_MESSAGE_MAX };
        uint8_t storage[HID_MESSAGE_MAX];
        struct trace_frame got;

        for (size_t i = 0; i < ELEMENTSOF(sizes); i++) {
                struct bytes m = pattern(storage, sizes[i]);
                struct hid_fragments f = hid_fragment(A, HID_CBOR, m);

                take_all(*state, &f, &got);
                assert_int_equal(got.channel, A);
                assert_int_equal(got.command, HID_CBOR);
                assert_bytes_equal(got.payload, m);
        }
}

static void two_channels_do_not_mix(void **state) {
        uint8_t one[HID_MESSAGE_MAX], two[HID_MESSAGE_MAX], report[HID_REPORT_SIZE];
        struct bytes m1 = pattern(one, 300), m2 = pattern(two, 299);
        struct hid_fragments f1 = hid_fragment(A, HID_CBOR, m1), f2 = hid_fragment(B, HID_MSG, m2);
        struct trace_frame got;
        unsigned n = 0;

        for (bool more = true; more;) {
                more = hid_next_report(&f1, report);
                if (more && trace_assembly_take(*state, report, &got)) {
                        assert_bytes_equal(got.payload, m1);
                        n++;
                }
                if (hid_next_report(&f2, report) && trace_assembly_take(*state, report, &got)) {
                        assert_int_equal(got.channel, B);
                        assert_bytes_equal(got.payload, m2);
                        n++;
                }
        }
        assert_int_equal(n, 2);
}

static void a_cancel_does_not_end_what_is_half_there(void **state) {
        uint8_t storage[HID_MESSAGE_MAX], report[HID_REPORT_SIZE];
        struct bytes m = pattern(storage, 100);
        struct hid_fragments f = hid_fragment(A, HID_CBOR, m), cancel;
        struct trace_frame got;

        assert_true(hid_next_report(&f, report));
        assert_false(trace_assembly_take(*state, report, &got));
        cancel = hid_fragment(A, HID_CANCEL, BYTES_NULL);
        take_all(*state, &cancel, &got);
        assert_int_equal(got.command, HID_CANCEL);
        take_all(*state, &f, &got);
        assert_bytes_equal(got.payload, m);
}

static void another_beginning_ends_what_is_half_there(void **state) {
        uint8_t storage[HID_MESSAGE_MAX], first[HID_REPORT_SIZE], rest[HID_REPORT_SIZE];
        struct hid_fragments f = hid_fragment(A, HID_CBOR, pattern(storage, 100)), ping;
        struct trace_frame got;

        assert_true(hid_next_report(&f, first));
        assert_true(hid_next_report(&f, rest));
        assert_false(trace_assembly_take(*state, first, &got));
        ping = hid_fragment(A, HID_PING, BYTES("x", 1));
        take_all(*state, &ping, &got);
        assert_false(trace_assembly_take(*state, rest, &got));
}

static void a_wrong_number_ends_it(void **state) {
        uint8_t storage[HID_MESSAGE_MAX], report[HID_REPORT_SIZE];
        struct hid_fragments f = hid_fragment(A, HID_CBOR, pattern(storage, 150));
        struct trace_frame got;

        assert_true(hid_next_report(&f, report));
        assert_false(trace_assembly_take(*state, report, &got));
        assert_true(hid_next_report(&f, report));
        report[4] = 1;
        assert_false(trace_assembly_take(*state, report, &got));
        report[4] = 0;
        assert_false(trace_assembly_take(*state, report, &got));
        assert_true(hid_next_report(&f, report));
        assert_false(trace_assembly_take(*state, report, &got));
}

static void a_length_that_framing_cannot_carry_is_no_message(void **state) {
        uint8_t report[HID_REPORT_SIZE] = { 0xa, 0xa, 0xa, 0xa, 0x80 | HID_CBOR, 0xff, 0xff };
        uint8_t next[HID_REPORT_SIZE] = { 0xa, 0xa, 0xa, 0xa, 0 };
        struct trace_frame got;

        assert_false(trace_assembly_take(*state, report, &got));
        for (unsigned i = 0; i < 128; i++) {
                next[4] = (uint8_t)i;
                assert_false(trace_assembly_take(*state, next, &got));
        }
}

static void of_many_halves_the_last_ones_are_kept(void **state) {
        uint8_t storage[HID_MESSAGE_MAX], report[HID_REPORT_SIZE];
        struct bytes m = pattern(storage, 100);
        struct hid_fragments f[10];
        struct trace_frame got;
        unsigned n = 0;

        for (uint32_t i = 0; i < ELEMENTSOF(f); i++) {
                f[i] = hid_fragment(A + i, HID_CBOR, m);
                assert_true(hid_next_report(&f[i], report));
                assert_false(trace_assembly_take(*state, report, &got));
        }
        for (uint32_t i = ELEMENTSOF(f); i-- > 0;) {
                assert_true(hid_next_report(&f[i], report));
                if (!trace_assembly_take(*state, report, &got))
                        continue;
                assert_int_equal(got.channel, A + ELEMENTSOF(f) - 1 - n);
                assert_bytes_equal(got.payload, m);
                n++;
        }
        assert_int_equal(n, 4);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
        const struct CMUnitTest tests[] = {
                TEST(any_message_comes_out_as_it_went_in),
                TEST(two_channels_do_not_mix),
                TEST(a_cancel_does_not_end_what_is_half_there),
                TEST(another_beginning_ends_what_is_half_there),
                TEST(a_wrong_number_ends_it),
                TEST(a_length_that_framing_cannot_carry_is_no_message),
                TEST(of_many_halves_the_last_ones_are_kept),
        };

        return cmocka_run_group_tests_name("trace-assembly", tests, NULL, NULL);
}
