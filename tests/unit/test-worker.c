/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * authenticator/worker.c and backend.c: the real thread with a real store and a TPM that is not
 * there. What tests/fake/tpm.c leaves out of tpm/tpm.h, because a vault needs none of it, is here.
 */

#include <errno.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>
#include <time.h>

#include "authenticator/env.h"
#include "authenticator/worker.h"
#include "ctap/hid.h"
#include "tests/fake/scratch.h"
#include "tests/fake/tpm.h"
#include "tests/unit/test.h"

static struct fake_tpm part;
static struct fault no_fault;
static bool simulator;
static int new_error, describe_error;
static atomic_uint n_idle, n_shutdown;

int tpm_new(_unused_ const struct tpm_options *options, struct tpm **ret) {
        if (new_error < 0)
                return new_error;
        *ret = fake_tpm_connect(&part);
        return 0;
}

int tpm_describe(_unused_ struct tpm *t, struct tpm_info *ret) {
        if (describe_error < 0)
                return describe_error;
        *ret = (struct tpm_info){ .manufacturer = "TEST",
                                  .vendor = "a   part   ",
                                  .is_simulator = simulator };
        return 0;
}

void tpm_idle(_unused_ struct tpm *t) {
        n_idle++;
}

void tpm_shutdown(_unused_ struct tpm *t) {
        n_shutdown++;
}

void tpm_state_facts(_unused_ const struct tpm_state *state, struct tpm_facts *ret) {
        *ret = (struct tpm_facts){ 0 };
}

bool tpm_sessions_are_salted(_unused_ const struct tpm *t) {
        return true;
}

const struct tpm_budget *tpm_budgets(size_t *ret_n) {
        static const struct tpm_budget budgets[] = { { "a ceremony", 3 } };

        *ret_n = ELEMENTSOF(budgets);
        return budgets;
}

struct fixture {
        struct scratch folder;
        char path[300];
        struct log log;
        struct worker *worker;
        struct message m;
};

static int setup(void **state) {
        struct fixture *f = calloc(1, sizeof(*f));

        *state = f;
        scratch_make(&f->folder);
        snprintf(f->path, sizeof(f->path), "%s/store.db", f->folder.path);
        f->log.level = LOG_EMERG;
        part = (struct fake_tpm){ .fault = &no_fault };
        simulator = true;
        new_error = describe_error = 0;
        n_idle = n_shutdown = 0;
        return 0;
}

static int teardown(void **state) {
        struct fixture *f = *state;

        worker_free(f->worker);
        scratch_remove(&f->folder);
        free(f);
        return 0;
}

static void start(struct fixture *f, enum presence_mode mode) {
        const struct worker_options options = {
                .backend = { .id = "7",
                             .store_path = f->path,
                             .max_credentials = 100,
                             .tpm = { .tcti = "test:part", .fd = -1 },
                             .presence_mode = mode,
                             .log = &f->log },
                .presence = { .mode = mode,
                              .timeout_ms = 5000,
                              .device_name = "Key",
                              .tty_fd = -1 },
        };

        assert_int_equal(worker_new(&options, &f->worker), 0);
}

static void await(struct fixture *f) {
        struct pollfd p = { .fd = worker_fd(f->worker), .events = POLLIN };

        assert_int_equal(poll(&p, 1, 10000), 1);
        assert_int_equal(worker_receive(f->worker, &f->m), 0);
}

static void run(struct fixture *f, enum worker_job job, uint32_t tag, struct bytes payload) {
        assert_int_equal(worker_send(f->worker, job, tag, payload), 0);
        await(f);
}

static void open_worker(struct fixture *f, enum presence_mode mode) {
        start(f, mode);
        run(f, WORKER_OPEN, (uint32_t)-1, BYTES_NULL);
        assert_int_equal(f->m.type, WORKER_OPENED);
}

static bool says(const struct fixture *f, const char *what) {
        return memmem(f->m.payload.data, f->m.payload.len, what, strlen(what)) != NULL;
}

static void an_open_worker_says_what_its_tpm_is(void **state) {
        struct fixture *f = *state;
        struct backend_facts facts;

        open_worker(f, PRESENCE_AUTO);
        assert_int_equal(backend_facts_read(f->m.payload, &facts), 0);
        assert_true(facts.simulator);
        assert_string_equal(facts.tpm, "TEST a part");
        assert_int_equal(worker_receive(f->worker, &f->m), -EAGAIN);
}

static void nobody_but_a_person_answers_for_a_real_tpm(void **state) {
        static const enum presence_mode modes[] = { PRESENCE_AUTO, PRESENCE_SCRIPT };
        struct fixture *f = *state;

        simulator = false;
        for (size_t i = 0; i < ELEMENTSOF(modes); i++) {
                start(f, modes[i]);
                run(f, WORKER_OPEN, (uint32_t)-1, BYTES_NULL);
                assert_int_equal(f->m.type, WORKER_FAILED);
                assert_true(says(f, "allowed with a simulator TPM only; the TPM at test:part"));
                assert_int_equal(part.n_commands, 0);
                f->worker = worker_free(f->worker);
        }
        open_worker(f, PRESENCE_DENY);
}

static void each_failure_of_the_tpm_says_what_to_do(void **state) {
        static const struct {
                int error;
                const char *says;
        } cases[] = {
                { -ENODEV, "No TPM 2.0 answers at test:part" },
                { -EACCES, "group tss" },
                { -ESTALE, "not the TPM that the store" },
                { -EKEYREJECTED, "refuses the keys in the store" },
                { -EDQUOT, "locked out" },
                { -ENOSPC, "no space" },
                { -EBUSY, "busy" },
                { -ENOTSUP, "lacks something" },
                { -EIO, "The TPM at test:part could not be used: Input/output error" },
        };
        struct fixture *f = *state;

        start(f, PRESENCE_DENY);
        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                describe_error = cases[i].error;
                run(f, WORKER_OPEN, (uint32_t)-1, BYTES_NULL);
                assert_int_equal(f->m.type, WORKER_FAILED);
                if (!says(f, cases[i].says))
                        fail_msg("%.*s", (int)f->m.payload.len, f->m.payload.data);
        }
        describe_error = 0;
        run(f, WORKER_OPEN, (uint32_t)-1, BYTES_NULL);
        assert_int_equal(f->m.type, WORKER_OPENED);
}

static void a_store_that_is_none_says_what_to_do(void **state) {
        static const uint8_t garbage[8192] = "this is no database";
        const struct scratch_file file = { true, sizeof(garbage), (uint8_t *)(uintptr_t)garbage };
        struct fixture *f = *state;

        scratch_write(f->path, &file);
        start(f, PRESENCE_DENY);
        run(f, WORKER_OPEN, (uint32_t)-1, BYTES_NULL);
        assert_int_equal(f->m.type, WORKER_FAILED);
        assert_true(says(f, "store.db is damaged, or not a store"));
}

static void before_it_is_open_every_job_is_answered(void **state) {
        static const uint8_t other[] = { 0x7f }, sw[] = { 0x6f, 0x00 };
        struct fixture *f = *state;

        start(f, PRESENCE_DENY);
        run(f, WORKER_CBOR, 5, BYTES("\x04", 1));
        assert_int_equal(f->m.type, WORKER_ANSWER);
        assert_int_equal(f->m.tag, 5);
        assert_bytes_equal(f->m.payload, BYTES_OF(other));
        run(f, WORKER_MSG, 6, BYTES("\0\3\0\0", 4));
        assert_bytes_equal(f->m.payload, BYTES_OF(sw));
        run(f, WORKER_CONTROL, 7, BYTES_TEXT("{\"call\":1,\"params\":{}}"));
        assert_true(says(f, "not-ready"));
        run(f, WORKER_POWER_UP, 8, BYTES_NULL);
        assert_int_equal(f->m.type, WORKER_ANSWER);
}

static void control_jobs_that_are_none_are_answered(void **state) {
        static const char *const jobs[] = { "", "x", "[]", "{}", "{\"call\":99,\"params\":{}}" };
        struct fixture *f = *state;

        open_worker(f, PRESENCE_AUTO);
        for (size_t i = 0; i < ELEMENTSOF(jobs); i++) {
                run(f, WORKER_CONTROL, 9, BYTES_TEXT(jobs[i]));
                assert_int_equal(f->m.type, WORKER_ANSWER);
                assert_int_equal(f->m.tag, 9);
                assert_true(says(f, "\"error\"") || says(f, "\"credentials\":[]"));
        }
}

static void A44_a_question_is_told_and_its_end_too(void **state) {
        struct fixture *f = *state;

        open_worker(f, PRESENCE_SCRIPT);
        worker_clear_cancel(f->worker);
        run(f, WORKER_CBOR, 5, BYTES("\x0b", 1));
        assert_int_equal(f->m.type, WORKER_STATUS);
        assert_int_equal(f->m.payload.data[0], HID_UPNEEDED);

        assert_int_equal(worker_inject(f->worker, PRESENCE_INJECT_ONCE), 0);
        await(f);
        assert_int_equal(f->m.type, WORKER_STATUS);
        assert_int_equal(f->m.payload.data[0], HID_PROCESSING);
        await(f);
        assert_int_equal(f->m.type, WORKER_ANSWER);
        assert_bytes_equal(f->m.payload, BYTES("\0", 1));
}

static void A35_cancel_ends_the_running_command_only(void **state) {
        struct fixture *f = *state;

        open_worker(f, PRESENCE_SCRIPT);
        for (int i = 0; i < 2; i++) {
                worker_clear_cancel(f->worker);
                run(f, WORKER_CBOR, 5, BYTES("\x0b", 1));
                assert_int_equal(f->m.type, WORKER_STATUS);
                worker_cancel(f->worker);
                do
                        await(f);
                while (f->m.type == WORKER_STATUS);
                assert_bytes_equal(f->m.payload, BYTES("\x2d", 1));
        }
}

static void an_idle_worker_lets_the_tpm_go_once(void **state) {
        const struct timespec second_and_more = { .tv_sec = 1, .tv_nsec = 300000000 };
        struct fixture *f = *state;

        open_worker(f, PRESENCE_AUTO);
        assert_int_equal(n_idle, 0);
        nanosleep(&second_and_more, NULL);
        assert_int_equal(n_idle, 1);
}

static void it_ends_while_a_question_is_open(void **state) {
        struct fixture *f = *state;
        uint64_t before = env_now_ms();

        open_worker(f, PRESENCE_SCRIPT);
        run(f, WORKER_CBOR, 5, BYTES("\x0b", 1));
        f->worker = worker_free(f->worker);
        assert_true(env_now_ms() - before < 2000);
        assert_int_equal(part.n_connected, 0);
        /* Only a simulator of our own is switched off. */
        assert_int_equal(n_shutdown, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
        const struct CMUnitTest tests[] = {
                TEST(an_open_worker_says_what_its_tpm_is),
                TEST(nobody_but_a_person_answers_for_a_real_tpm),
                TEST(each_failure_of_the_tpm_says_what_to_do),
                TEST(a_store_that_is_none_says_what_to_do),
                TEST(before_it_is_open_every_job_is_answered),
                TEST(control_jobs_that_are_none_are_answered),
                TEST(A44_a_question_is_told_and_its_end_too),
                TEST(A35_cancel_ends_the_running_command_only),
                TEST(an_idle_worker_lets_the_tpm_go_once),
                TEST(it_ends_while_a_question_is_open),
        };

        return cmocka_run_group_tests_name("worker", tests, NULL, NULL);
}
