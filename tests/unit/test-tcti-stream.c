/* SPDX-License-Identifier: BSD-2-Clause */

/* tpm/tcti-stream.c against a simulator that is a socket held by the test. */

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/unit/test.h"
#include "tpm/tcti-stream.h"

#define LIMIT_MS 40

static const uint8_t command[] = { 0x80, 1, 0, 0, 0, 12, 0, 0, 1, 0x44, 0, 0 };
static const uint8_t response[] = { 0x80, 1, 0, 0, 0, 12, 0, 0, 0, 0, 7, 7 };

struct line {
        int pair[2]; /* ours, the simulator's */
        TSS2_TCTI_CONTEXT *tcti;
};

static int setup(void **state) {
        static struct line line;

        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, line.pair), 0);
        assert_int_equal(tpm_stream_new(line.pair[0], LIMIT_MS, &line.tcti), 0);
        *state = &line;
        return 0;
}

static int teardown(void **state) {
        struct line *l = *state;

        l->tcti = tpm_stream_free(l->tcti);
        (void)close(l->pair[0]);
        (void)close(l->pair[1]);
        return 0;
}

static void answer(const struct line *l, size_t n) {
        assert_int_equal(send(l->pair[1], response, n, MSG_NOSIGNAL), (ssize_t)n);
}

static TSS2_RC ask(const struct line *l) {
        return Tss2_Tcti_Transmit(l->tcti, sizeof(command), command);
}

static TSS2_RC hear(const struct line *l, int32_t timeout) {
        uint8_t heard[64];
        size_t n = sizeof(heard);
        TSS2_RC rc = Tss2_Tcti_Receive(l->tcti, &n, heard, timeout);

        if (rc == TSS2_RC_SUCCESS)
                assert_bytes_equal(BYTES(heard, n), BYTES(response, sizeof(response)));
        return rc;
}

static void a_response_is_read(void **state) {
        struct line *l = *state;

        for (int i = 0; i < 3; i++) {
                assert_int_equal(ask(l), TSS2_RC_SUCCESS);
                assert_int_equal(hear(l, 0), TSS2_TCTI_RC_TRY_AGAIN);
                answer(l, sizeof(response));
                assert_int_equal(hear(l, TSS2_TCTI_TIMEOUT_BLOCK), TSS2_RC_SUCCESS);
        }
}

/* It hangs before the response, in its header, or behind that. */
static void a_simulator_that_hangs_is_an_error(void **state) {
        struct line *l = *state;

        for (size_t n = 0; n < sizeof(response); n += 5) {
                assert_int_equal(ask(l), TSS2_RC_SUCCESS);
                if (n > 0)
                        answer(l, n);
                assert_int_equal(hear(l, TSS2_TCTI_TIMEOUT_BLOCK), TSS2_TCTI_RC_IO_ERROR);

                (void)teardown(state);
                (void)setup(state);
        }
}

static void a_response_that_comes_too_late_is_not_taken_for_another(void **state) {
        struct line *l = *state;

        assert_int_equal(ask(l), TSS2_RC_SUCCESS);
        assert_int_equal(hear(l, TSS2_TCTI_TIMEOUT_BLOCK), TSS2_TCTI_RC_IO_ERROR);
        assert_int_equal(send(l->pair[1], response, sizeof(response), MSG_NOSIGNAL), -1);
        assert_int_equal(errno, EPIPE);
        l->tcti = tpm_stream_free(l->tcti);
        assert_int_equal(tpm_stream_new(l->pair[0], LIMIT_MS, &l->tcti), 0);
        assert_int_equal(ask(l), TSS2_TCTI_RC_IO_ERROR);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
        const struct CMUnitTest tests[] = {
                TEST(a_response_is_read),
                TEST(a_simulator_that_hangs_is_an_error),
                TEST(a_response_that_comes_too_late_is_not_taken_for_another),
        };

        return cmocka_run_group_tests_name("tcti-stream", tests, NULL, NULL);
}
