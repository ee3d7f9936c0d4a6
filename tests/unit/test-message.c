/* SPDX-License-Identifier: BSD-2-Clause */

/* authenticator/message.c: what goes in comes out, and what is not a message is refused. */

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "authenticator/message.h"
#include "tests/unit/test.h"

struct fixture {
        int fd[2];
        uint8_t storage[MESSAGE_MAX];
        uint8_t payload[MESSAGE_PAYLOAD_MAX + 1];
};

static int setup(void **state) {
        struct fixture *f = calloc(1, sizeof(*f));

        *state = f;
        return socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, f->fd);
}

static int teardown(void **state) {
        struct fixture *f = *state;

        close(f->fd[0]);
        close(f->fd[1]);
        free(f);
        return 0;
}

static int receive(struct fixture *f, struct message *ret) {
        struct buf storage = BUF_ON(f->storage);

        return message_receive(f->fd[1], &storage, ret);
}

static void a_message_arrives_as_it_was_sent(void **state) {
        struct fixture *f = *state;
        const struct message sent = { 7, 0xfeedbeef, BYTES_TEXT("hello") };
        struct message got;

        assert_int_equal(message_send(f->fd[0], &sent), 0);
        assert_int_equal(receive(f, &got), 0);
        assert_int_equal(got.type, 7);
        assert_int_equal(got.tag, 0xfeedbeef);
        assert_bytes_equal(got.payload, BYTES_TEXT("hello"));
        assert_int_equal(receive(f, &got), -EAGAIN);
}

static void an_empty_payload_is_a_message(void **state) {
        struct fixture *f = *state;
        const struct message sent = { 1, 2, BYTES_NULL };
        struct message got;

        assert_int_equal(message_send(f->fd[0], &sent), 0);
        assert_int_equal(receive(f, &got), 0);
        assert_int_equal(got.payload.len, 0);
}

static void messages_keep_their_borders(void **state) {
        struct fixture *f = *state;
        struct message got;

        for (uint8_t i = 0; i < 3; i++) {
                const struct message sent = { i, i, BYTES(f->payload, i) };

                assert_int_equal(message_send(f->fd[0], &sent), 0);
        }
        for (uint8_t i = 0; i < 3; i++) {
                assert_int_equal(receive(f, &got), 0);
                assert_int_equal(got.type, i);
                assert_int_equal(got.payload.len, i);
        }
}

static void the_largest_payload_fits_and_one_more_does_not(void **state) {
        struct fixture *f = *state;
        struct message m = { 1, 2, BYTES(f->payload, MESSAGE_PAYLOAD_MAX) }, got;

        memset(f->payload, 0xa5, sizeof(f->payload));
        assert_int_equal(message_send(f->fd[0], &m), 0);
        assert_int_equal(receive(f, &got), 0);
        assert_bytes_equal(got.payload, m.payload);

        m.payload.len++;
        assert_int_equal(message_send(f->fd[0], &m), -EMSGSIZE);
}

static void packets_of_any_other_size_are_refused(void **state) {
        struct fixture *f = *state;
        struct message got = { .type = 99 };

        for (size_t n = 1; n < MESSAGE_HEADER_SIZE; n++) {
                assert_int_equal(send(f->fd[0], f->payload, n, 0), n);
                assert_int_equal(receive(f, &got), -EBADMSG);
        }
        {
                uint8_t big[MESSAGE_MAX + 1] = { 0 };

                assert_int_equal(send(f->fd[0], big, sizeof(big), 0), sizeof(big));
                assert_int_equal(receive(f, &got), -EMSGSIZE);
        }
        assert_int_equal(got.type, 99);
}

static void a_closed_end_is_told(void **state) {
        struct fixture *f = *state;
        const struct message sent = { 1, 2, BYTES_NULL };
        struct message got;

        close(f->fd[0]);
        f->fd[0] = -1;
        assert_int_equal(receive(f, &got), -EPIPE);
        assert_int_equal(message_send(f->fd[1], &sent), -EPIPE);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
        const struct CMUnitTest tests[] = {
                TEST(a_message_arrives_as_it_was_sent),
                TEST(an_empty_payload_is_a_message),
                TEST(messages_keep_their_borders),
                TEST(the_largest_payload_fits_and_one_more_does_not),
                TEST(packets_of_any_other_size_are_refused),
                TEST(a_closed_end_is_told),
        };

        return cmocka_run_group_tests_name("message", tests, NULL, NULL);
}
