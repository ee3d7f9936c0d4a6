/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * uhid/: the test holds the other end of a socketpair and plays the kernel, or the client of a bare
 * socket. What the real kernel makes of it is a matter for the virtual machine.
 */

#include <errno.h>
#include <fcntl.h>
#include <linux/uhid.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/unit/test.h"
#include "uhid/uhid.h"

struct pair {
        struct uhid *u;
        int kernel; /* the other end */
        struct uhid_event seen;
};

static const struct uhid_identity identity = {
        .name = "tpmauthn",
        .phys = "tpmauthn/x",
        .uniq = "1000",
        .vendor = 0x1209,
        .product = 0x000d,
        .version = 0x0102,
};

/* ---- the kernel's part ---- */

static size_t kernel_reads(struct pair *p) {
        ssize_t n;

        memset(&p->seen, 0xee, sizeof(p->seen));
        n = recv(p->kernel, &p->seen, sizeof(p->seen), MSG_DONTWAIT);
        assert_true(n >= 4);
        return (size_t)n;
}

static void kernel_reads_nothing(struct pair *p) {
        assert_int_equal(recv(p->kernel, &p->seen, sizeof(p->seen), MSG_DONTWAIT), -1);
        assert_int_equal(errno, EAGAIN);
}

static void kernel_writes(struct pair *p, const void *data, size_t n) {
        assert_int_equal(send(p->kernel, data, n, MSG_DONTWAIT | MSG_NOSIGNAL), n);
}

static void kernel_says(struct pair *p, uint32_t type) {
        const struct uhid_event event = { .type = type };

        kernel_writes(p, &event, sizeof(event));
}

/* An output report of n bytes: `first`, then 1, 2, 3... */
static struct uhid_event output(size_t n, uint8_t first) {
        struct uhid_event event = { .type = UHID_OUTPUT };

        event.u.output.size = (uint16_t)n;
        event.u.output.rtype = UHID_OUTPUT_REPORT;
        for (size_t i = 0; i < n && i < UHID_DATA_MAX; i++)
                event.u.output.data[i] = (uint8_t)i;
        event.u.output.data[0] = first;
        return event;
}

static struct uhid_event_in expect_event(struct pair *p, enum uhid_event_kind type) {
        struct uhid_event_in in = { .type = (enum uhid_event_kind)99 };

        assert_int_equal(uhid_receive(p->u, &in), 0);
        assert_int_equal(in.type, type);
        return in;
}

static void expect_empty(struct pair *p) {
        struct uhid_event_in in = { .type = (enum uhid_event_kind)99 };

        assert_int_equal(uhid_receive(p->u, &in), -EAGAIN);
        assert_int_equal(in.type, 99);
}

/* Dropped, without an answer, and the device works on. */
static void expect_dropped(struct pair *p, const void *data, size_t n) {
        const struct uhid_event good = output(64, 0xaa);

        kernel_writes(p, data, n);
        expect_event(p, UHID_NOTHING);
        expect_empty(p);
        kernel_reads_nothing(p);

        kernel_writes(p, &good, sizeof(good));
        assert_int_equal(expect_event(p, UHID_REPORT).report[0], 0xaa);
}

/* ---- fixtures ---- */

static int pair_up(void **state, bool bare) {
        struct pair *p = calloc(1, sizeof(*p));
        int fds[2], r;

        if (!p)
                return -1;
        if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds) < 0) {
                free(p);
                return -1;
        }
        p->kernel = fds[1];
        r = bare ? uhid_new_socket(fds[0], &p->u) : uhid_new(fds[0], &identity, &p->u);
        if (r < 0) {
                close(fds[1]);
                free(p);
                return -1;
        }
        *state = p;
        return 0;
}

static int device_up(void **state) {
        int r = pair_up(state, false);
        struct pair *p = *state;

        if (r == 0)
                (void)kernel_reads(p);
        return r;
}

static int socket_up(void **state) {
        return pair_up(state, true);
}

static int down(void **state) {
        struct pair *p = *state;

        p->u = uhid_free(p->u);
        if (p->kernel >= 0)
                close(p->kernel);
        free(p);
        return 0;
}

static void hang_up(struct pair *p) {
        close(p->kernel);
        p->kernel = -1;
}

/* ---- creation ---- */

static void A1_report_descriptor(void **state) {
        static const uint8_t want[] = { 0x06, 0xd0, 0xf1, 0x09, 0x01, 0xa1, 0x01, 0x09, 0x20,
                                        0x15, 0x00, 0x26, 0xff, 0x00, 0x75, 0x08, 0x95, 0x40,
                                        0x81, 0x02, 0x09, 0x21, 0x15, 0x00, 0x26, 0xff, 0x00,
                                        0x75, 0x08, 0x95, 0x40, 0x91, 0x02, 0xc0 };

        (void)state;
        assert_int_equal(uhid_report_descriptor_size, 34);
        assert_bytes_equal(BYTES(uhid_report_descriptor, uhid_report_descriptor_size),
                           BYTES_OF(want));
}

static void A1_device_is_created_with_that_descriptor_on_bus_3(void **state) {
        struct pair *p = *state;
        const struct uhid_create2_req *rq = &p->seen.u.create2;

        assert_int_equal(p->seen.type, UHID_CREATE2);
        assert_string_equal((const char *)rq->name, "tpmauthn");
        assert_string_equal((const char *)rq->phys, "tpmauthn/x");
        assert_string_equal((const char *)rq->uniq, "1000");
        assert_int_equal(rq->bus, 3);
        assert_int_equal(rq->vendor, 0x1209);
        assert_int_equal(rq->product, 0x000d);
        assert_int_equal(rq->version, 0x0102);
        assert_int_equal(rq->country, 0);
        assert_bytes_equal(BYTES(rq->rd_data, rq->rd_size),
                           BYTES(uhid_report_descriptor, uhid_report_descriptor_size));
        kernel_reads_nothing(p);
}

static void device_is_destroyed_and_its_descriptor_closed(void **state) {
        struct pair *p = *state;

        p->u = uhid_free(p->u);
        assert_null(p->u);
        assert_int_equal(kernel_reads(p), sizeof(p->seen.type));
        assert_int_equal(p->seen.type, UHID_DESTROY);
        assert_int_equal(recv(p->kernel, &p->seen, sizeof(p->seen), MSG_DONTWAIT), 0);
        assert_null(uhid_free(NULL));
}

/* -EINVAL, the descriptor is closed, nothing was said, the output is untouched. */
static void expect_identity_refused(const struct uhid_identity *id) {
        struct uhid *u = NULL;
        uint8_t byte;
        int fds[2];

        assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds), 0);
        assert_int_equal(uhid_new(fds[0], id, &u), -EINVAL);
        assert_null(u);
        assert_int_equal(recv(fds[1], &byte, 1, MSG_DONTWAIT), 0);
        close(fds[1]);
}

static void an_identity_that_is_too_long_is_refused(void **state) {
        struct uhid_identity id = identity;
        char name[129], text[65];

        (void)state;
        memset(name, 'n', sizeof(name));
        memset(text, 't', sizeof(text));
        name[128] = text[64] = 0;

        id.name = name;
        expect_identity_refused(&id);
        id = identity;
        id.phys = text;
        expect_identity_refused(&id);
        id = identity;
        id.uniq = text;
        expect_identity_refused(&id);
}

static void the_longest_identity_fits(void **state) {
        struct uhid_identity id = identity;
        struct pair p = { 0 };
        char name[128], text[64];
        int fds[2];

        (void)state;
        memset(name, 'n', sizeof(name));
        memset(text, 't', sizeof(text));
        name[127] = text[63] = 0;
        id.name = name;
        id.phys = id.uniq = text;

        assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds), 0);
        p.kernel = fds[1];
        assert_int_equal(uhid_new(fds[0], &id, &p.u), 0);
        (void)kernel_reads(&p);
        assert_string_equal((const char *)p.seen.u.create2.name, name);
        assert_string_equal((const char *)p.seen.u.create2.phys, text);
        assert_string_equal((const char *)p.seen.u.create2.uniq, text);
        p.u = uhid_free(p.u);
        close(p.kernel);
}

static void a_lost_kernel_is_an_error_of_creation(void **state) {
        struct uhid *u = NULL;
        int fds[2];

        (void)state;
        assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds), 0);
        close(fds[1]);
        assert_int_equal(uhid_new(fds[0], &identity, &u), -EPIPE);
        assert_null(u);
        assert_int_equal(fcntl(fds[0], F_GETFD), -1);
}

static void a_node_that_cannot_be_opened(void **state) {
        struct uhid *u = NULL;

        (void)state;
        assert_int_equal(uhid_open("/dev/null/uhid", &identity, &u), -ENOTDIR);
        assert_int_equal(uhid_open("/", &identity, &u), -EISDIR);
        assert_int_equal(uhid_new(-1, &identity, &u), -EBADF);
        assert_int_equal(uhid_new_socket(-1, &u), -EBADF);
        assert_null(u);
}

static void a_node_that_can_be_opened(void **state) {
        struct uhid_event_in in;
        struct uhid *u = NULL;

        (void)state;
        /* It takes all that is written, and its end is at its beginning. */
        assert_int_equal(uhid_open("/dev/null", &identity, &u), 0);
        assert_true(fcntl(uhid_fd(u), F_GETFD) & FD_CLOEXEC);
        assert_int_equal(uhid_receive(u, &in), 0);
        assert_int_equal(in.type, UHID_GONE);
        u = uhid_free(u);
}

/* A file that may not grow any further takes the part of a write that fits. */
static void a_short_write_is_an_error(void **state) {
        struct rlimit before, tight;
        struct uhid *u = NULL;
        int fd, r;

        (void)state;
        fd = memfd_create("short", MFD_CLOEXEC);
        assert_true(fd >= 0);
        assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
        tight = (struct rlimit){ 100, before.rlim_max };
        assert_int_equal(setrlimit(RLIMIT_FSIZE, &tight), 0);
        r = uhid_new(fd, &identity, &u);
        assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
        assert_int_equal(r, -EIO);
        assert_null(u);
}

/* ---- from the kernel ---- */

static void reports_of_64_and_65_bytes_arrive_alike(void **state) {
        struct pair *p = *state;
        struct uhid_event plain = output(64, 0), numbered = output(65, 0);
        struct uhid_event_in in;

        kernel_writes(p, &plain, sizeof(plain));
        in = expect_event(p, UHID_REPORT);
        assert_memory_equal(in.report, plain.u.output.data, 64);

        kernel_writes(p, &numbered, sizeof(numbered));
        in = expect_event(p, UHID_REPORT);
        assert_memory_equal(in.report, numbered.u.output.data + 1, 64);
        expect_empty(p);
}

static void A3_output_of_any_other_size_is_dropped(void **state) {
        static const size_t sizes[] = { 0, 1, 63, 66, 128, 4096, 4097, 65535 };
        struct pair *p = *state;
        struct uhid_event event;

        for (size_t i = 0; i < ELEMENTSOF(sizes); i++) {
                event = output(sizes[i], 0);
                expect_dropped(p, &event, sizeof(event));
        }
        /* The number of a report that does not exist. */
        event = output(65, 1);
        expect_dropped(p, &event, sizeof(event));
        /* Not an output report. */
        event = output(64, 0);
        event.u.output.rtype = UHID_FEATURE_REPORT;
        expect_dropped(p, &event, sizeof(event));
}

static void events_that_end_early_are_dropped(void **state) {
        struct pair *p = *state;
        const struct uhid_event report = output(64, 0);
        struct uhid_event get = { .type = UHID_GET_REPORT }, set = { .type = UHID_SET_REPORT };
        const size_t whole = offsetof(struct uhid_event, u) + sizeof(report.u.output);

        for (size_t n = 1; n < 4; n++)
                expect_dropped(p, &report, n);
        expect_dropped(p, &report, 4);
        expect_dropped(p, &report, 4 + 64);
        expect_dropped(p, &report, whole - 1);
        kernel_writes(p, &report, whole);
        expect_event(p, UHID_REPORT);

        for (size_t n = 4; n < 8; n++) {
                expect_dropped(p, &get, n);
                expect_dropped(p, &set, n);
        }
}

static void events_that_go_on_are_read_as_far_as_they_are_known(void **state) {
        struct pair *p = *state;
        uint8_t longer[sizeof(struct uhid_event) + 100];
        const struct uhid_event report = output(64, 0x5a);

        memset(longer, 0xff, sizeof(longer));
        memcpy(longer, &report, sizeof(report));
        kernel_writes(p, longer, sizeof(longer));
        assert_int_equal(expect_event(p, UHID_REPORT).report[0], 0x5a);
        expect_empty(p);
}

static void unknown_events_are_dropped(void **state) {
        static const uint32_t types[] = { 0,  UHID_DESTROY, UHID_CREATE2, UHID_INPUT2, UHID_INPUT,
                                          15, 255,          0x80000000,   0xffffffff };
        struct pair *p = *state;
        uint8_t noise[sizeof(struct uhid_event)];

        for (size_t i = 0; i < ELEMENTSOF(types); i++) {
                memset(noise, 0xff, sizeof(noise));
                memcpy(noise, &types[i], sizeof(types[i]));
                expect_dropped(p, noise, sizeof(noise));
        }
}

static void get_and_set_report_are_answered_with_an_error(void **state) {
        struct pair *p = *state;
        struct uhid_event event = { .type = UHID_GET_REPORT };

        event.u.get_report.id = 0x11223344;
        kernel_writes(p, &event, sizeof(event));
        expect_event(p, UHID_NOTHING);
        (void)kernel_reads(p);
        assert_int_equal(p->seen.type, UHID_GET_REPORT_REPLY);
        assert_int_equal(p->seen.u.get_report_reply.id, 0x11223344);
        assert_int_equal(p->seen.u.get_report_reply.err, EIO);
        assert_int_equal(p->seen.u.get_report_reply.size, 0);

        event = (struct uhid_event){ .type = UHID_SET_REPORT };
        event.u.set_report.id = 0x55667788;
        event.u.set_report.size = 64;
        kernel_writes(p, &event, sizeof(event));
        expect_event(p, UHID_NOTHING);
        (void)kernel_reads(p);
        assert_int_equal(p->seen.type, UHID_SET_REPORT_REPLY);
        assert_int_equal(p->seen.u.set_report_reply.id, 0x55667788);
        assert_int_equal(p->seen.u.set_report_reply.err, EIO);
        kernel_reads_nothing(p);
}

static void open_and_close_are_told_start_and_stop_are_not(void **state) {
        struct pair *p = *state;

        kernel_says(p, UHID_START);
        kernel_says(p, UHID_OPEN);
        kernel_says(p, UHID_CLOSE);
        kernel_says(p, UHID_STOP);
        expect_event(p, UHID_NOTHING);
        expect_event(p, UHID_OPENED);
        expect_event(p, UHID_CLOSED);
        expect_event(p, UHID_NOTHING);
        expect_empty(p);
        kernel_reads_nothing(p);
}

static void a_kernel_that_hangs_up_is_gone(void **state) {
        static const uint8_t report[UHID_REPORT_SIZE] = { 0 };
        struct pair *p = *state;

        hang_up(p);
        expect_event(p, UHID_GONE);
        expect_event(p, UHID_GONE);
        assert_int_equal(uhid_send(p->u, report), -EPIPE);
}

static void descriptor_does_not_block(void **state) {
        struct pair *p = *state;

        assert_true(fcntl(uhid_fd(p->u), F_GETFL) & O_NONBLOCK);
        expect_empty(p);
}

/* ---- to the kernel ---- */

static void A3_input_reports_are_64_bytes(void **state) {
        struct pair *p = *state;
        uint8_t report[UHID_REPORT_SIZE];

        for (size_t i = 0; i < sizeof(report); i++)
                report[i] = (uint8_t)(200 - i);
        assert_int_equal(uhid_send(p->u, report), 0);
        assert_int_equal(kernel_reads(p), 4 + 2 + 64);
        assert_int_equal(p->seen.type, UHID_INPUT2);
        assert_int_equal(p->seen.u.input2.size, 64);
        assert_memory_equal(p->seen.u.input2.data, report, 64);
        kernel_reads_nothing(p);
}

static void a_peer_that_does_not_read_is_told_apart(void **state) {
        static const uint8_t report[UHID_REPORT_SIZE] = { 0 };
        struct pair *p = *state;
        int r = 0;

        for (size_t i = 0; i < 100000 && r == 0; i++)
                r = uhid_send(p->u, report);
        assert_int_equal(r, -EAGAIN);
        (void)kernel_reads(p);
        assert_int_equal(uhid_send(p->u, report), 0);
}

/* ---- bare sockets ---- */

static void bare_packets_are_reports_both_ways(void **state) {
        struct pair *p = *state;
        uint8_t packet[65] = { 0 }, got[128];
        struct uhid_event_in in;

        for (uint8_t i = 1; i < 65; i++)
                packet[i] = i;
        kernel_writes(p, packet, 65);
        in = expect_event(p, UHID_REPORT);
        assert_memory_equal(in.report, packet + 1, 64);
        kernel_writes(p, packet, 64);
        in = expect_event(p, UHID_REPORT);
        assert_memory_equal(in.report, packet, 64);

        assert_int_equal(uhid_send(p->u, packet + 1), 0);
        assert_int_equal(recv(p->kernel, got, sizeof(got), MSG_DONTWAIT), 64);
        assert_memory_equal(got, packet + 1, 64);

        p->u = uhid_free(p->u);
        assert_int_equal(recv(p->kernel, got, sizeof(got), MSG_DONTWAIT), 0);
}

static void A3_bare_packets_of_any_other_size_are_dropped(void **state) {
        struct pair *p = *state;
        uint8_t packet[5000] = { 0 };
        static const size_t sizes[] = { 1, 4, 63, 66, 67, 128, 4380, 5000 };

        for (size_t i = 0; i < ELEMENTSOF(sizes); i++) {
                kernel_writes(p, packet, sizes[i]);
                expect_event(p, UHID_NOTHING);
        }
        packet[0] = 1;
        kernel_writes(p, packet, 65);
        expect_event(p, UHID_NOTHING);
        kernel_writes(p, packet, 64);
        assert_int_equal(expect_event(p, UHID_REPORT).report[0], 1);
        expect_empty(p);
}

static void a_client_that_hangs_up_is_gone(void **state) {
        static const uint8_t report[UHID_REPORT_SIZE] = { 0 };
        struct pair *p = *state;

        /* With something unread, the socket says "reset" and not "end": it is the same thing. */
        assert_int_equal(uhid_send(p->u, report), 0);
        hang_up(p);
        expect_event(p, UHID_GONE);
        assert_int_equal(uhid_send(p->u, report), -EPIPE);
}

#define ON_DEVICE(f) cmocka_unit_test_setup_teardown(f, device_up, down)
#define ON_SOCKET(f) cmocka_unit_test_setup_teardown(f, socket_up, down)

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(A1_report_descriptor),
                ON_DEVICE(A1_device_is_created_with_that_descriptor_on_bus_3),
                ON_DEVICE(device_is_destroyed_and_its_descriptor_closed),
                cmocka_unit_test(an_identity_that_is_too_long_is_refused),
                cmocka_unit_test(the_longest_identity_fits),
                cmocka_unit_test(a_lost_kernel_is_an_error_of_creation),
                cmocka_unit_test(a_node_that_cannot_be_opened),
                cmocka_unit_test(a_node_that_can_be_opened),
                cmocka_unit_test(a_short_write_is_an_error),
                ON_DEVICE(reports_of_64_and_65_bytes_arrive_alike),
                ON_DEVICE(A3_output_of_any_other_size_is_dropped),
                ON_DEVICE(events_that_end_early_are_dropped),
                ON_DEVICE(events_that_go_on_are_read_as_far_as_they_are_known),
                ON_DEVICE(unknown_events_are_dropped),
                ON_DEVICE(get_and_set_report_are_answered_with_an_error),
                ON_DEVICE(open_and_close_are_told_start_and_stop_are_not),
                ON_DEVICE(a_kernel_that_hangs_up_is_gone),
                ON_DEVICE(descriptor_does_not_block),
                ON_DEVICE(A3_input_reports_are_64_bytes),
                ON_DEVICE(a_peer_that_does_not_read_is_told_apart),
                ON_SOCKET(bare_packets_are_reports_both_ways),
                ON_SOCKET(A3_bare_packets_of_any_other_size_are_dropped),
                ON_SOCKET(a_client_that_hangs_up_is_gone),
        };

        return cmocka_run_group_tests_name("uhid", tests, NULL, NULL);
}
