/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * authenticator/worker.c and backend.c: the real thread with a real store and a TPM that is not
 * there. What tests/fake/tpm.c leaves out of tpm/tpm.h, because a vault needs none of it, is here.
 */

#include <errno.h>
#include <glob.h>
#include <poll.h>
#include <sqlite3.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#include "authenticator/control.h"
#include "authenticator/env.h"
#include "authenticator/protocol.h"
#include "authenticator/util.h"
#include "authenticator/worker.h"
#include "ctap/hid.h"
#include "tests/fake/certificate.h"
#include "tests/fake/scratch.h"
#include "tests/fake/tpm.h"
#include "tests/fake/vfs.h"
#include "tests/unit/test.h"

#define SPARE_MS 800

static struct fake_tpm part;
static struct fault fault;
static bool simulator, is_named;
static int new_error, describe_error;
static atomic_uint n_idle, n_shutdown;
static _Atomic uint64_t slept_ms;

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

bool tpm_tcti_is_simulator(_unused_ const char *tcti) {
        return is_named;
}

void tpm_idle(_unused_ struct tpm *t) {
        n_idle++;
}

void tpm_shutdown(_unused_ struct tpm *t) {
        n_shutdown++;
}

void tpm_state_facts(_unused_ const struct tpm_state *state, struct tpm_facts *ret) {
        *ret = (struct tpm_facts){ .pin = 0x01800202,
                                   .pin_kind = TPM_PIN_ORDINARY,
                                   .hmac_kind = TPM_HMAC_SIGN };
}

static uint64_t read_slept(void) {
        return slept_ms;
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
        char path[300], key_path[300], chain_path[300];
        bool attests; /* by these two */
        struct log log;
        struct worker *worker;
        struct message m;
        char events[1024]; /* that came, a line each */
        char audits[2048]; /* the administrator's, likewise */
};

static int setup(void **state) {
        struct fixture *f = calloc(1, sizeof(*f));

        *state = f;
        scratch_make(&f->folder);
        snprintf(f->path, sizeof(f->path), "%s/store.db", f->folder.path);
        snprintf(f->key_path, sizeof(f->key_path), "%s/key.pem", f->folder.path);
        snprintf(f->chain_path, sizeof(f->chain_path), "%s/chain.pem", f->folder.path);
        f->log.level = LOG_EMERG;
        fault = (struct fault){ .sqlite_code = SQLITE_IOERR_WRITE };
        part = (struct fake_tpm){ .fault = &fault, .counter = 3 };
        slept_ms = 500;
        simulator = is_named = true;
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

static void start_on(struct fixture *f, enum presence_mode mode, int tty) {
        const struct worker_options options = {
                .backend = { .id = "7",
                             .store_path = f->path,
                             .max_credentials = 100,
                             .attester = { .key = f->attests ? f->key_path : "",
                                           .certificates = f->chain_path,
                                           .rp_ids = "" },
                             .tpm = { .tcti = "test:part", .fd = -1 },
                             .presence_mode = mode,
                             .log = &f->log },
                .presence = { .mode = mode,
                              .verify = true,
                              .timeout_ms = 5000,
                              .device_name = "Key",
                              .tty_fd = tty },
                .slept_ms = read_slept,
                .spare_ms = SPARE_MS,
        };

        assert_int_equal(worker_new(&options, &f->worker), 0);
}

static void start(struct fixture *f, enum presence_mode mode) {
        start_on(f, mode, -1);
}

/* "pin-wrong wrong-pin 7", and its error or its site if it has one. */
static void take_audit(struct fixture *f) {
        static const char *const wanted[] = {
                "\nFIDO_EVENT=", "\nFIDO_RESULT=", "\nFIDO_TRIES_LEFT=", "\nFIDO_SUBCOMMAND=",
                "\nFIDO_UV=",    "\nFIDO_ERROR=",  "\nFIDO_RP_ID="
        };
        const struct audit_format how = { .rp_ids = AUDIT_RP_IDS_FULL };
        char text[AUDIT_TEXT_MAX] = "";
        struct buf out = { (uint8_t *)text, 0, sizeof(text) - 1, false };
        struct audit_event e;

        assert_int_equal(audit_event_read(f->m.payload, &e), 0);
        audit_format(&e, &how, &out);
        for (size_t i = 0; i < ELEMENTSOF(wanted); i++) {
                const char *at = strstr(text, wanted[i]);
                size_t n = strlen(f->audits);

                if (at)
                        snprintf(f->audits + n, sizeof(f->audits) - n, "%s%.*s", i > 0 ? " " : "",
                                 (int)strcspn(at + strlen(wanted[i]), "\n"),
                                 at + strlen(wanted[i]));
        }
        /* A test with thousands of openings does not look. */
        if (strlen(f->audits) < sizeof(f->audits) - 200)
                strcat(f->audits, "\n");
        else
                *f->audits = '\0';
}

/* Since this was asked last. */
static void assert_audits(struct fixture *f, const char *want) {
        assert_string_equal(f->audits, want);
        *f->audits = '\0';
}

/* Events come between the messages that a test is about. */
static void await(struct fixture *f) {
        struct pollfd p = { .fd = worker_fd(f->worker), .events = POLLIN };

        do {
                size_t n = strlen(f->events);

                assert_int_equal(poll(&p, 1, 10000), 1);
                assert_int_equal(worker_receive(f->worker, &f->m), 0);
                if (f->m.type == WORKER_EVENT)
                        snprintf(f->events + n, sizeof(f->events) - n, "%.*s\n",
                                 (int)f->m.payload.len, f->m.payload.data);
                if (f->m.type == WORKER_AUDIT)
                        take_audit(f);
        } while (f->m.type == WORKER_EVENT || f->m.type == WORKER_AUDIT);
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
        assert_int_equal(facts.pin_kind, TPM_PIN_ORDINARY);
        assert_int_equal(facts.hmac_kind, TPM_HMAC_SIGN);
        assert_string_equal(facts.note, "");
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
        /* That the account may not use it is no fault of the TPM's. */
        assert_audits(f, "tpm-failed failed ENODEV\ntpm-failed failed ESTALE\n"
                         "tpm-failed failed EKEYREJECTED\ntpm-failed failed EDQUOT\n"
                         "tpm-failed failed ENOSPC\ntpm-failed failed EBUSY\n"
                         "tpm-failed failed EOPNOTSUPP\ntpm-failed failed EIO\n");
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

/* Its files are read at every opening. */
static void an_attester_that_is_none_says_what_to_do(void **state) {
        struct fixture *f = *state;

        f->attests = true;
        start(f, PRESENCE_DENY);
        run(f, WORKER_OPEN, (uint32_t)-1, BYTES_NULL);
        assert_int_equal(f->m.type, WORKER_FAILED);
        assert_true(says(f, "[attestation] key = "));
        assert_true(says(f, "key.pem: it cannot be read: No such file or directory."));
        assert_false(says(f, "TPM"));

        certificate_write_good(f->key_path, f->chain_path);
        run(f, WORKER_OPEN, (uint32_t)-1, BYTES_NULL);
        assert_int_equal(f->m.type, WORKER_OPENED);

        assert_int_equal(unlink(f->chain_path), 0);
        run(f, WORKER_OPEN, (uint32_t)-1, BYTES_NULL);
        assert_int_equal(f->m.type, WORKER_FAILED);
        assert_true(says(f, "[attestation] certificates = "));
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

        assert_int_equal(worker_inject(f->worker, PRESENCE_INJECT_ONCE, BYTES_NULL), 0);
        await(f);
        assert_int_equal(f->m.type, WORKER_STATUS);
        assert_int_equal(f->m.payload.data[0], HID_PROCESSING);
        await(f);
        assert_int_equal(f->m.type, WORKER_ANSWER);
        assert_bytes_equal(f->m.payload, BYTES("\0", 1));
}

static void a_question_to_a_simulator_is_an_event_and_its_answer_too(void **state) {
        struct fixture *f = *state;

        open_worker(f, PRESENCE_SCRIPT);
        for (int yes = 0; yes < 2; yes++) {
                assert_int_equal(worker_inject(f->worker,
                                               yes ? PRESENCE_INJECT_ONCE : PRESENCE_INJECT_NO,
                                               BYTES_NULL),
                                 0);
                run(f, WORKER_CBOR, 5, BYTES("\x0b", 1));
                while (f->m.type != WORKER_ANSWER)
                        await(f);
        }
        assert_string_equal(
                f->events,
                "{\"type\":\"question\",\"verb\":\"select\",\"passive\":true,\"verify\":false}\n"
                "{\"type\":\"verdict\",\"verdict\":\"no\"}\n"
                "{\"type\":\"question\",\"verb\":\"select\",\"passive\":true,\"verify\":false}\n"
                "{\"type\":\"verdict\",\"verdict\":\"yes\"}\n");
}

static void nobody_hears_what_is_asked_for_a_real_tpm(void **state) {
        struct fixture *f = *state;

        simulator = false;
        open_worker(f, PRESENCE_DENY);
        run(f, WORKER_CBOR, 5, BYTES("\x0b", 1));
        assert_int_equal(f->m.type, WORKER_ANSWER);
        assert_bytes_equal(f->m.payload, BYTES("\x27", 1));
        assert_string_equal(f->events, "");
}

/* The vendor string of a virtual machine's own TPM is that of a simulator. */
static void a_tpm_that_only_says_it_is_a_simulator_is_as_safe_as_a_real_one(void **state) {
        struct fixture *f = *state;
        struct backend_facts facts;

        is_named = false;
        open_worker(f, PRESENCE_DENY);
        assert_int_equal(backend_facts_read(f->m.payload, &facts), 0);
        assert_true(facts.simulator);
        assert_false(facts.simulates);
        run(f, WORKER_CBOR, 5, BYTES("\x0b", 1));
        assert_int_equal(f->m.type, WORKER_ANSWER);
        assert_string_equal(f->events, "");
        f->worker = worker_free(f->worker);

        /* Unless whoever configured it says so. */
        open_worker(f, PRESENCE_SCRIPT);
        assert_int_equal(backend_facts_read(f->m.payload, &facts), 0);
        assert_true(facts.simulates);
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

/* ---- a TPM that was cleared or replaced ------------------------------------------------- */

static struct backend_facts opened(struct fixture *f) {
        struct backend_facts facts;

        run(f, WORKER_OPEN, (uint32_t)-1, BYTES_NULL);
        if (f->m.type != WORKER_OPENED)
                fail_msg("%.*s", (int)f->m.payload.len, f->m.payload.data);
        assert_int_equal(backend_facts_read(f->m.payload, &facts), 0);
        return facts;
}

/* The files that were set aside, as a pattern found them. */
static size_t aside(const struct fixture *f, glob_t *ret) {
        char pattern[400];

        snprintf(pattern, sizeof(pattern), "%s.replaced-2*T*", f->path);
        memset(ret, 0, sizeof(*ret));
        (void)!glob(pattern, 0, NULL, ret);
        return ret->gl_pathc;
}

/* While the worker is not running. */
static void set_settings(const struct fixture *f, struct ctap_settings settings) {
        const struct store_options options = { .path = f->path, .max_credentials = 10 };
        struct store *s;

        assert_int_equal(store_open(&options, &s), 0);
        assert_int_equal(store_set_settings(s, &settings), 0);
        store_close(s);
}

/* A store is told by its settings. */
static void mark_store(const struct fixture *f, uint8_t mark) {
        set_settings(f, (struct ctap_settings){ .pin_length = mark, .min_pin_length = 4 });
}

static void turn_attestation_on(const struct fixture *f) {
        struct ctap_settings settings = CTAP_SETTINGS_DEFAULT;

        settings.enterprise_attestation = true;
        set_settings(f, settings);
}

static uint8_t mark_of(const char *path) {
        const struct store_options options = { .path = path, .max_credentials = 10 };
        struct store *s;
        uint8_t mark;

        assert_int_equal(store_open(&options, &s), 0);
        mark = store_settings(s)->pin_length;
        store_close(s);
        return mark;
}

/* MC9: with an attester, and turned on, a wrong value is an option, not a parameter. */
static uint8_t status_of_wrong_attestation(struct fixture *f) {
        static const char request[] = "\x01\xa5\x01\x58\x20................................"
                                      "\x02\xa1\x62id\x61r\x03\xa1\x62id\x41u"
                                      "\x04\x81\xa2\x63"
                                      "alg\x26\x64type\x6apublic-key\x0a\x03";

        run(f, WORKER_CBOR, 5, BYTES(request, sizeof(request) - 1));
        assert_int_equal(f->m.type, WORKER_ANSWER);
        return f->m.payload.data[0];
}

static void the_attester_of_the_options_is_that_of_the_authenticator(void **state) {
        struct fixture *f = *state;

        open_worker(f, PRESENCE_DENY);
        f->worker = worker_free(f->worker);
        turn_attestation_on(f);
        open_worker(f, PRESENCE_DENY);
        assert_int_equal(status_of_wrong_attestation(f), CTAP1_ERR_INVALID_PARAMETER);
        f->worker = worker_free(f->worker);

        f->attests = true;
        certificate_write_good(f->key_path, f->chain_path);
        open_worker(f, PRESENCE_DENY);
        assert_int_equal(status_of_wrong_attestation(f), CTAP2_ERR_INVALID_OPTION);
}

static void clear_part(void) {
        memset(part.slots, 0, sizeof(part.slots));
}

/* A worker has been, and the store it leaves is marked. */
static void live_once(struct fixture *f, uint8_t mark) {
        open_worker(f, PRESENCE_AUTO);
        f->worker = worker_free(f->worker);
        mark_store(f, mark);
}

static void a_store_of_another_tpm_is_kept_and_works_with_it_again(void **state) {
        struct fixture *f = *state;
        struct backend_facts facts;
        struct fake_tpm before;
        struct stat st;
        glob_t found;

        live_once(f, 9);
        before = part;
        clear_part();
        start(f, PRESENCE_AUTO);
        facts = opened(f);
        assert_audits(f, "tpm-replaced ok\n");
        assert_int_equal(aside(f, &found), 1);
        assert_non_null(strstr(facts.note, strrchr(found.gl_pathv[0], '/') + 1));
        assert_non_null(strstr(facts.note, "cleared or replaced"));
        assert_int_equal(stat(found.gl_pathv[0], &st), 0);
        assert_int_equal(st.st_mode & 07777, 0600);
        assert_int_equal(mark_of(found.gl_pathv[0]), 9);

        /* The note stays with the file, whatever happens to the daemon. */
        facts = opened(f);
        assert_true(*facts.note);
        assert_int_equal(part.n_connected, 1);
        f->worker = worker_free(f->worker);
        assert_int_equal(mark_of(f->path), 0);

        /* The old TPM is back, and the old store is put where it was. */
        part = before;
        assert_int_equal(rename(found.gl_pathv[0], f->path), 0);
        globfree(&found);
        start(f, PRESENCE_AUTO);
        facts = opened(f);
        assert_string_equal(facts.note, "");
        f->worker = worker_free(f->worker);
        assert_int_equal(mark_of(f->path), 9);
}

static void what_is_set_aside_overwrites_nothing(void **state) {
        struct fixture *f = *state;
        struct backend_facts facts;
        unsigned marks = 0;
        glob_t found;

        for (uint8_t i = 1; i <= 4; i++) {
                live_once(f, i);
                clear_part();
        }
        start(f, PRESENCE_AUTO);
        facts = opened(f);
        f->worker = worker_free(f->worker);
        assert_int_equal(aside(f, &found), 4);
        assert_non_null(strstr(facts.note, "one of 4"));
        for (size_t i = 0; i < found.gl_pathc; i++)
                marks |= 1U << mark_of(found.gl_pathv[i]);
        assert_int_equal(marks, 0x1e);
        globfree(&found);
}

/* Each write, sync and TPM command of it fails once; the next attempt finds all there was. */
static void setting_aside_loses_nothing_whatever_fails(void **state) {
        struct fixture *f = *state;
        struct fake_vfs *vfs = fake_vfs_new(&fault);
        unsigned at;
        glob_t found;

        for (at = 1;; at++) {
                bool hit;

                (void)unlink(f->path);
                part = (struct fake_tpm){ .fault = &fault, .counter = 3 };
                live_once(f, 9);
                clear_part();
                start(f, PRESENCE_AUTO);
                fault.n = 0;
                fault.hit = false;
                fault.at = at;
                run(f, WORKER_OPEN, (uint32_t)-1, BYTES_NULL);
                hit = fault.hit;
                fault.at = 0;
                (void)opened(f);
                f->worker = worker_free(f->worker);

                assert_int_equal(aside(f, &found), 1);
                assert_int_equal(mark_of(found.gl_pathv[0]), 9);
                assert_int_equal(mark_of(f->path), 0);
                assert_int_equal(unlink(found.gl_pathv[0]), 0);
                globfree(&found);
                if (!hit)
                        break;
        }
        assert_true(at > 20);
        fake_vfs_free(vfs);
}

static void a_counter_that_went_back_sets_nothing_aside(void **state) {
        struct fixture *f = *state;
        glob_t found;

        live_once(f, 9);
        part.counter = 1;
        start(f, PRESENCE_AUTO);
        run(f, WORKER_OPEN, (uint32_t)-1, BYTES_NULL);
        assert_int_equal(f->m.type, WORKER_FAILED);
        assert_true(says(f, "The counter of the TPM at test:part is behind"));
        assert_int_equal(aside(f, &found), 0);
        globfree(&found);
        f->worker = worker_free(f->worker);
        assert_int_equal(mark_of(f->path), 9);
}

/* ---- an owner with a password ----------------------------------------------------------- */

static void provisioning_takes_the_owners_password(void **state) {
        static const char too_long[] =
                "sesame, open, for no password of a hierarchy has as many letters as this one";
        struct fixture *f = *state;

        part.owner_auth = "sesame";
        start(f, PRESENCE_AUTO);
        run(f, WORKER_OPEN, (uint32_t)-1, BYTES_NULL);
        assert_int_equal(f->m.type, WORKER_DENIED);
        assert_true(says(f, "Run: tpmauthn owner-password."));
        run(f, WORKER_OPEN, (uint32_t)-1, BYTES_TEXT("wrong"));
        assert_int_equal(f->m.type, WORKER_DENIED);
        assert_true(says(f, "has another password than that"));
        assert_true(says(f, "Run: tpmauthn owner-password."));
        run(f, WORKER_OPEN, (uint32_t)-1, BYTES_TEXT(too_long));
        assert_int_equal(f->m.type, WORKER_DENIED);
        assert_true(says(f, "has another password than that"));
        run(f, WORKER_OPEN, (uint32_t)-1, BYTES_TEXT("sesame"));
        assert_int_equal(f->m.type, WORKER_OPENED);
        assert_false(part.keeps_auth);
        /* And never again. */
        (void)opened(f);

        describe_error = -EACCES;
        run(f, WORKER_OPEN, (uint32_t)-1, BYTES_TEXT("sesame"));
        assert_int_equal(f->m.type, WORKER_FAILED);
        assert_true(says(f, "group tss"));
}

/* As after a crash before the PIN index was made, or with a store of before there was one. */
static void what_is_left_to_make_takes_the_owners_password(void **state) {
        struct fixture *f = *state;

        open_worker(f, PRESENCE_AUTO);
        part.owner_auth = "sesame";
        part.lacks_pin = true;
        run(f, WORKER_OPEN, (uint32_t)-1, BYTES_NULL);
        assert_int_equal(f->m.type, WORKER_DENIED);
        assert_true(says(f, "Run: tpmauthn owner-password."));
        run(f, WORKER_OPEN, (uint32_t)-1, BYTES_TEXT("wrong"));
        assert_int_equal(f->m.type, WORKER_DENIED);
        assert_false(part.keeps_auth);
        run(f, WORKER_OPEN, (uint32_t)-1, BYTES_TEXT("sesame"));
        assert_int_equal(f->m.type, WORKER_OPENED);
        assert_false(part.keeps_auth);
        (void)opened(f);
}

static void control(struct fixture *f, enum control_call call, const char *params) {
        _cleanup_(free_pointer) char *job = NULL;

        assert_true(asprintf(&job, "{\"call\":%d,\"params\":%s}", (int)call, params) > 0);
        run(f, WORKER_CONTROL, 9, BYTES_TEXT(job));
        assert_int_equal(f->m.type, WORKER_ANSWER);
}

static void reset_takes_the_owners_password(void **state) {
        struct fixture *f = *state;

        open_worker(f, PRESENCE_AUTO);
        part.owner_auth = "sesame";
        control(f, CONTROL_RESET, "{}");
        assert_true(says(f, "\"owner-auth\""));
        assert_true(says(f, "has a password: nothing was erased"));
        control(f, CONTROL_RESET, "{\"owner_auth\":\"wrong\"}");
        assert_true(says(f, "has another password"));
        assert_false(part.keeps_auth);
        control(f, CONTROL_LIST, "{}");
        assert_true(says(f, "\"credentials\":[]"));
        control(f, CONTROL_RESET, "{\"owner_auth\":\"sesame\"}");
        assert_true(says(f, "{\"result\":{}}"));
        assert_false(part.keeps_auth);
}

/* ---- a restore that cannot open anew ------------------------------------------------------ */

static json_t *result_of(struct fixture *f, enum control_call call, const char *params) {
        json_t *answer, *result;

        control(f, call, params);
        answer = json_loadb((const char *)f->m.payload.data, f->m.payload.len, 0, NULL);
        result = json_incref(json_object_get(answer, "result"));
        assert_non_null(result);
        json_decref(answer);
        return result;
}

/* A backup of the empty store that is open, in hex, with another last byte: no key vouches for it. */
static char *take_bad_backup(struct fixture *f) {
        size_t size = 1, n = 0;
        char *hex = NULL;

        while (n / 2 < size) {
                char params[64];
                json_t *page;

                snprintf(params, sizeof(params), "{\"offset\":%zu,\"copy\":1}", n / 2);
                page = result_of(f, CONTROL_BACKUP, params);
                assert_int_equal(json_integer_value(json_object_get(page, "copy")), 1);
                size = (size_t)json_integer_value(json_object_get(page, "size"));
                hex = realloc(hex, 2 * size + 1);
                assert_non_null(hex);
                strcpy(hex + n, json_string_value(json_object_get(page, "data")));
                n = strlen(hex);
                json_decref(page);
        }
        hex[n - 1] = hex[n - 1] == '0' ? '1' : '0';
        return hex;
}

/* It takes the place of an empty store, or would; `go_wrong` comes before that. */
static void restore(struct fixture *f, const char *hex, void (*go_wrong)(void)) {
        const size_t page = 2 * PROTOCOL_PAGE_BYTES;
        _cleanup_(free_pointer) char *params = NULL;

        for (size_t at = 0; at < strlen(hex); at += page) {
                if (at + page >= strlen(hex))
                        go_wrong();
                free(params);
                assert_true(asprintf(&params, "{\"offset\":%zu,\"size\":%zu,\"data\":\"%.*s\"}",
                                     at / 2, strlen(hex) / 2, (int)page, hex + at) > 0);
                control(f, CONTROL_RESTORE, params);
        }
}

static void take_the_tpm_away(void) {
        new_error = -ENODEV;
}

static void want_a_password(void) {
        part.owner_auth = "sesame";
        part.lacks_pin = true;
}

static void what_cannot_be_opened_anew_is_told(void **state) {
        static const struct {
                void (*go_wrong)(void);
                uint32_t tag;
                const char *says;
        } cases[] = {
                { take_the_tpm_away, 0, "No TPM 2.0 answers at test:part" },
                { want_a_password, 1, "password" },
        };
        struct fixture *f = *state;

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                _cleanup_(free_pointer) char *hex = NULL;

                open_worker(f, PRESENCE_AUTO);
                hex = take_bad_backup(f);
                restore(f, hex, cases[i].go_wrong);
                assert_true(says(f, "\"error\""));
                await(f);
                assert_int_equal(f->m.type, WORKER_LOST);
                assert_int_equal(f->m.tag, cases[i].tag);
                assert_true(says(f, cases[i].says));
                control(f, CONTROL_LIST, "{}");
                assert_true(says(f, "\"not-ready\""));
                assert_int_equal(worker_receive(f->worker, &f->m), -EAGAIN);
                f->worker = worker_free(f->worker);
                new_error = 0;
        }
}

/* ---- passkeys of a fixture --------------------------------------------------------------- */

static char *seeds(const char *rp_id, unsigned n) {
        char *text = NULL;
        size_t size;
        FILE *to = open_memstream(&text, &size);

        assert_non_null(to);
        fputs("{\"credentials\":[", to);
        for (unsigned i = 0; i < n; i++)
                fprintf(to, "%s{\"rp_id\":\"%s\",\"user\":{\"id\":\"A%c%cA\"}}", i > 0 ? "," : "",
                        rp_id, 'A' + i / 26, 'A' + i % 26);
        fputs("]}", to);
        assert_int_equal(fclose(to), 0);
        return text;
}

static void seed(struct fixture *f, const char *rp_id, unsigned n) {
        _cleanup_(free_pointer) char *params = seeds(rp_id, n);

        control(f, CONTROL_SEED, params);
}

/* What is in the list of the last answer. */
static size_t count_listed(const struct fixture *f) {
        json_t *answer = json_loadb((const char *)f->m.payload.data, f->m.payload.len, 0, NULL);
        json_t *list = json_object_get(json_object_get(answer, "result"), "credentials");
        size_t n = json_array_size(list);

        assert_non_null(list);
        json_decref(answer);
        return n;
}

/* There a person has to say yes to each. What there is can be listed. */
static void a_real_tpm_takes_no_passkeys_of_a_fixture(void **state) {
        struct fixture *f = *state;

        simulator = false;
        open_worker(f, PRESENCE_DENY);
        seed(f, "a.example", 1);
        assert_true(says(f, "\"not-simulator\""));
        control(f, CONTROL_SEED, "{\"credentials\":[7]}");
        assert_true(says(f, "\"not-simulator\""));
        assert_int_equal(part.n_keys, 0);
        control(f, CONTROL_CREDENTIALS, "{}");
        assert_int_equal(count_listed(f), 0);
}

static void as_many_as_fit_into_an_answer_are_made_and_noted(void **state) {
        struct fixture *f = *state;
        json_int_t after = 0;
        size_t n = 0;

        open_worker(f, PRESENCE_DENY);
        seed(f, "a.example", PROTOCOL_SEED_MAX);
        assert_int_equal(count_listed(f), PROTOCOL_SEED_MAX);
        assert_int_equal(part.n_keys, PROTOCOL_SEED_MAX);
        control(f, CONTROL_CREDENTIALS, "{}");
        assert_int_equal(count_listed(f), PROTOCOL_SEED_MAX);
        /* Each is an event, also before the worker is idle. */
        do {
                char params[64];
                json_t *answer, *result;

                snprintf(params, sizeof(params), after > 0 ? "{\"before\":%lld}" : "{}",
                         (long long)after);
                control(f, CONTROL_EVENTS, params);
                answer = json_loadb((const char *)f->m.payload.data, f->m.payload.len, 0, NULL);
                result = json_object_get(answer, "result");
                n += json_array_size(json_object_get(result, "events"));
                after = json_integer_value(json_object_get(result, "next"));
                json_decref(answer);
        } while (after > 0);
        assert_int_equal(n, PROTOCOL_SEED_MAX);
}

static void a_key_that_cannot_be_made_keeps_all_out(void **state) {
        struct fixture *f = *state;

        open_worker(f, PRESENCE_DENY);
        fault.n = 0;
        fault.at = 3;
        seed(f, "a.example", 5);
        fault.at = 0;
        assert_true(fault.hit);
        assert_true(says(f, "\"failed\""));
        assert_true(says(f, "none was kept"));
        control(f, CONTROL_CREDENTIALS, "{}");
        assert_int_equal(count_listed(f), 0);
        seed(f, "a.example", 5);
        assert_int_equal(count_listed(f), 5);
}

static void a_full_store_says_what_does_not_fit(void **state) {
        struct fixture *f = *state;

        open_worker(f, PRESENCE_DENY);
        seed(f, "a.example", 60);
        seed(f, "b.example", 60);
        assert_true(says(f, "\"full\""));
        assert_true(says(f, "credentials[40] does not fit: there is room for 40 more"));
        control(f, CONTROL_LIST, "{}");
        assert_int_equal(count_listed(f), 60);
        seed(f, "a.example", 60); /* in the places of those */
        assert_int_equal(count_listed(f), 60);
        control(f, CONTROL_LIST, "{}");
        assert_int_equal(count_listed(f), 60);
}

static void tpm_says_what_is_where(void **state) {
        struct fixture *f = *state;

        open_worker(f, PRESENCE_AUTO);
        control(f, CONTROL_TPM, "{}");
        assert_true(says(f, "\"pin\":25166338"));
        assert_true(says(f, "\"pin_kind\":\"daemon\""));
        assert_true(says(f, "\"hmac_kind\":\"sign\""));
        assert_true(says(f, "\"sessions\":\"salted\""));
        assert_true(says(f, "\"budgets\":[{\"ceremony\":\"a ceremony\",\"commands\":3}]"));
}

/* ---- sleep, and a TPM that fails -------------------------------------------------------- */

static void a_machine_that_slept_is_noticed_before_the_next_job(void **state) {
        struct fixture *f = *state;
        unsigned n;

        open_worker(f, PRESENCE_AUTO);
        n = n_idle;
        slept_ms += 90;
        run(f, WORKER_CBOR, 5, BYTES("\x04", 1));
        assert_int_equal(n_idle, n);
        slept_ms += 110;
        run(f, WORKER_CBOR, 5, BYTES("\x04", 1));
        assert_int_equal(f->m.payload.data[0], 0);
        assert_int_equal(n_idle, n + 1);
        run(f, WORKER_CBOR, 5, BYTES("\x04", 1));
        assert_int_equal(n_idle, n + 1);

        /* Told of it by somebody. */
        run(f, WORKER_SUSPEND, 6, BYTES_NULL);
        assert_int_equal(f->m.type, WORKER_ANSWER);
        assert_int_equal(n_idle, n + 2);
}

/* As it is measured, and not as a test says. */
static void time_asleep_does_not_step_by_itself(void **state) {
        uint64_t before = env_slept_ms();

        (void)state;
        for (unsigned i = 0; i < 50000; i++)
                assert_in_range(env_slept_ms() + 50, before, before + 100);
}

static void a_question_outlives_a_sleep(void **state) {
        struct fixture *f = *state;

        open_worker(f, PRESENCE_SCRIPT);
        worker_clear_cancel(f->worker);
        run(f, WORKER_CBOR, 5, BYTES("\x0b", 1));
        assert_int_equal(f->m.type, WORKER_STATUS);
        slept_ms += 3600000;
        assert_int_equal(worker_send(f->worker, WORKER_SUSPEND, 6, BYTES_NULL), 0);
        assert_int_equal(worker_inject(f->worker, PRESENCE_INJECT_ONCE, BYTES_NULL), 0);
        do
                await(f);
        while (f->m.type == WORKER_STATUS);
        assert_int_equal(f->m.tag, 5);
        assert_bytes_equal(f->m.payload, BYTES("\0", 1));
        await(f);
        assert_int_equal(f->m.tag, 6);
}

/* authenticatorMakeCredential for the site a.test, user id 01, ES256. */
static const uint8_t make_credential_request[] = {
        0x01, 0xa4, 0x01, 0x58, 0x20, 0x68, 0x68, 0x68, 0x68, 0x68, 0x68, 0x68, 0x68, 0x68,
        0x68, 0x68, 0x68, 0x68, 0x68, 0x68, 0x68, 0x68, 0x68, 0x68, 0x68, 0x68, 0x68, 0x68,
        0x68, 0x68, 0x68, 0x68, 0x68, 0x68, 0x68, 0x68, 0x68, 0x02, 0xa1, 0x62, 0x69, 0x64,
        0x66, 0x61, 0x2e, 0x74, 0x65, 0x73, 0x74, 0x03, 0xa1, 0x62, 0x69, 0x64, 0x41, 0x01,
        0x04, 0x81, 0xa2, 0x63, 0x61, 0x6c, 0x67, 0x26, 0x64, 0x74, 0x79, 0x70, 0x65, 0x6a,
        0x70, 0x75, 0x62, 0x6c, 0x69, 0x63, 0x2d, 0x6b, 0x65, 0x79,
};

static void what_ails_a_tpm_is_told_and_when_it_is_over(void **state) {
        struct fixture *f = *state;
        uint32_t n;

        open_worker(f, PRESENCE_AUTO);
        fault = (struct fault){ .at = 1, .mode = FAULT_CRASH };
        run(f, WORKER_CBOR, 5, BYTES_OF(make_credential_request));
        while (f->m.type == WORKER_STATUS)
                await(f);
        assert_bytes_equal(f->m.payload, BYTES("\x7f", 1));
        await(f);
        assert_int_equal(f->m.type, WORKER_TROUBLE);
        assert_true(says(f, "The TPM at test:part could not be used"));
        assert_audits(f, "failed failed a.test\ntpm-failed failed EIO\n");

        /* Once it was let go for a sleep nothing is asked of it. */
        n = part.n_commands;
        run(f, WORKER_SUSPEND, 6, BYTES_NULL);
        assert_int_equal(f->m.type, WORKER_ANSWER);
        run(f, WORKER_SUSPEND, 7, BYTES_NULL);
        assert_int_equal(f->m.type, WORKER_ANSWER);
        assert_int_equal(f->m.tag, 7);
        assert_int_equal(part.n_commands, n);

        fault = (struct fault){ 0 };
        run(f, WORKER_CBOR, 5, BYTES("\x04", 1));
        assert_int_equal(f->m.type, WORKER_ANSWER);
        await(f);
        assert_int_equal(f->m.type, WORKER_TROUBLE);
        assert_int_equal(f->m.payload.len, 0);
        assert_audits(f, "tpm-recovered ok\n");
}

static void make_credential(struct fixture *f, enum presence_inject answer) {
        worker_clear_cancel(f->worker);
        assert_int_equal(worker_inject(f->worker, answer, BYTES_NULL), 0);
        run(f, WORKER_CBOR, 5, BYTES_OF(make_credential_request));
        while (f->m.type == WORKER_STATUS)
                await(f);
}

static void an_administrator_is_told_what_happens(void **state) {
        struct fixture *f = *state;

        open_worker(f, PRESENCE_SCRIPT);
        assert_audits(f, "");
        make_credential(f, PRESENCE_INJECT_ONCE);
        make_credential(f, PRESENCE_INJECT_NO);
        assert_audits(f, "created ok 0 a.test\nrefused refused a.test\n");
        control(f, CONTROL_RESET, "{}");
        assert_audits(f, "reset ok\n");
        run(f, WORKER_CBOR, 5, BYTES("\x0d\xa1\x01\x02", 4));
        assert_audits(f, "config-changed ok 2\n");
}

static void a_worker_that_was_told_to_end_is_joined(void **state) {
        struct fixture *f = *state;

        open_worker(f, PRESENCE_SCRIPT);
        assert_false(worker_join(f->worker, 20));
        worker_stop(f->worker);
        assert_true(worker_join(f->worker, 2000));
        assert_true(worker_join(f->worker, 0));
        assert_int_equal(part.n_connected, 0);
}

static void await_verifies(struct fixture *f, uint8_t want) {
        await(f);
        assert_int_equal(f->m.type, WORKER_VERIFIES);
        assert_bytes_equal(f->m.payload, BYTES(&want, 1));
}

static void say(struct fixture *f, enum presence_inject what) {
        const char *pin = what == PRESENCE_INJECT_PIN ? "1234" : "";

        assert_int_equal(worker_inject(f->worker, what, BYTES_TEXT(pin)), 0);
}

static void an_idle_worker_tells_when_a_person_can_be_verified_and_when_not(void **state) {
        struct fixture *f = *state;

        open_worker(f, PRESENCE_SCRIPT);
        say(f, PRESENCE_INJECT_PIN);
        await_verifies(f, 1);
        say(f, PRESENCE_INJECT_PIN);
        say(f, PRESENCE_INJECT_AUTO);
        say(f, PRESENCE_INJECT_DENY);
        await_verifies(f, 0);
        say(f, PRESENCE_INJECT_ASK);
        await_verifies(f, 1);
        say(f, PRESENCE_INJECT_NO_PIN);
        await_verifies(f, 0);

        /* Nothing else was said in between, and nothing is said of what stays as it is. */
        say(f, PRESENCE_INJECT_NO);
        run(f, WORKER_CBOR, 5, BYTES("\x04", 1));
        assert_int_equal(f->m.type, WORKER_ANSWER);
}

static void what_a_person_can_do_is_told_after_the_question_that_is_up(void **state) {
        struct fixture *f = *state;

        open_worker(f, PRESENCE_SCRIPT);
        worker_clear_cancel(f->worker);
        run(f, WORKER_CBOR, 5, BYTES("\x0b", 1));
        assert_int_equal(f->m.type, WORKER_STATUS);
        say(f, PRESENCE_INJECT_PIN);
        say(f, PRESENCE_INJECT_ONCE);
        await(f);
        assert_int_equal(f->m.type, WORKER_STATUS);
        await(f);
        assert_int_equal(f->m.type, WORKER_ANSWER);
        assert_bytes_equal(f->m.payload, BYTES("\0", 1));
        await_verifies(f, 1);
}

static void a_terminal_that_hangs_up_is_noticed_by_an_idle_worker(void **state) {
        struct fixture *f = *state;
        int tty[2];

        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, tty), 0);
        start_on(f, PRESENCE_TTY, tty[0]);
        await_verifies(f, 1);
        run(f, WORKER_OPEN, (uint32_t)-1, BYTES_NULL);
        assert_int_equal(f->m.type, WORKER_OPENED);
        close(tty[1]);
        await_verifies(f, 0);
        f->worker = worker_free(f->worker);
        close(tty[0]);
}

/* ---- the spare key ---------------------------------------------------------------------- */

static void pause_ms(unsigned ms) {
        const struct timespec t = { .tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000L };

        nanosleep(&t, NULL);
}

/* The same request, but for RS256. */
static void register_rsa(struct fixture *f) {
        static const uint8_t rs256[] = { 0x39, 0x01, 0x00 };
        const size_t at = 63; /* of -7 */
        uint8_t storage[sizeof(make_credential_request) + 2];
        struct buf b = BUF_ON(storage);

        assert_int_equal(make_credential_request[at], 0x26);
        buf_put(&b, BYTES(make_credential_request, at));
        buf_put(&b, BYTES_OF(rs256));
        buf_put(&b,
                BYTES(make_credential_request + at + 1, sizeof(make_credential_request) - at - 1));
        run(f, WORKER_CBOR, 5, buf_bytes(&b));
        while (f->m.type == WORKER_STATUS)
                await(f);
        assert_int_equal(f->m.payload.data[0], 0);
}

/* What is made when idle ends with the TPM let go. */
static void await_idle(unsigned n) {
        for (int i = 0; i < 100 && n_idle == n; i++)
                pause_ms(50);
        assert_int_equal(n_idle, n + 1);
}

static void a_spare_key_is_made_when_nobody_asked_for_long(void **state) {
        struct fixture *f = *state;
        uint32_t n_commands;
        unsigned n;

        open_worker(f, PRESENCE_AUTO);
        register_rsa(f);
        assert_int_equal(part.n_keys, 1);
        for (int i = 0; i < 10; i++) {
                pause_ms(SPARE_MS / 8);
                n = n_idle;
                run(f, WORKER_CBOR, 5, BYTES("\x04", 1));
        }
        assert_int_equal(part.n_keys, 1);
        await_idle(n);
        assert_int_equal(part.n_keys, 2);

        /* Once, and then it sleeps. */
        n = n_idle;
        n_commands = part.n_commands;
        pause_ms(1000 + SPARE_MS);
        assert_int_equal(n_idle, n);
        assert_int_equal(part.n_commands, n_commands);

        register_rsa(f);
        assert_int_equal(part.n_keys, 2); /* it was that one */
        await_idle(n);
        assert_int_equal(part.n_keys, 3);
}

static void no_spare_key_is_made_for_who_wants_no_rsa(void **state) {
        struct fixture *f = *state;
        unsigned n;

        open_worker(f, PRESENCE_AUTO);
        run(f, WORKER_CBOR, 5, BYTES_OF(make_credential_request));
        while (f->m.type == WORKER_STATUS)
                await(f);
        assert_int_equal(part.n_keys, 1);
        n = n_idle;
        await_idle(n); /* after a second, as ever */
        assert_int_equal(part.n_keys, 1);
}

static void no_spare_key_is_made_before_a_sleep(void **state) {
        struct fixture *f = *state;

        open_worker(f, PRESENCE_AUTO);
        register_rsa(f);
        run(f, WORKER_SUSPEND, 6, BYTES_NULL);
        pause_ms(2 * SPARE_MS);
        run(f, WORKER_SUSPEND, 6, BYTES_NULL); /* the thread has seen all of it */
        assert_int_equal(part.n_keys, 1);
}

static void a_missing_spare_key_is_made_after_a_restart_too(void **state) {
        struct fixture *f = *state;
        unsigned n;

        open_worker(f, PRESENCE_AUTO);
        register_rsa(f);
        f->worker = worker_free(f->worker);
        assert_int_equal(part.n_keys, 1);
        n = n_idle;
        open_worker(f, PRESENCE_AUTO);
        assert_int_equal(part.n_keys, 1);
        await_idle(n);
        assert_int_equal(part.n_keys, 2);

        /* And one that is there is not made again. */
        f->worker = worker_free(f->worker);
        open_worker(f, PRESENCE_AUTO);
        n = n_idle;
        await_idle(n);
        assert_int_equal(part.n_keys, 2);
}

/* The TPM cannot be stopped; what came meanwhile is done afterwards, or not if it was cancelled. */
static void A35_a_command_that_waits_for_a_spare_key_can_be_cancelled(void **state) {
        struct fixture *f = *state;
        uint64_t before;

        open_worker(f, PRESENCE_SCRIPT);
        assert_int_equal(worker_inject(f->worker, PRESENCE_INJECT_ONCE, BYTES_NULL), 0);
        register_rsa(f);
        part.slow_rsa_ms = 2500;
        pause_ms(SPARE_MS + 300);

        before = env_now_ms();
        worker_clear_cancel(f->worker);
        assert_int_equal(worker_send(f->worker, WORKER_CBOR, 5, BYTES("\x0b", 1)), 0);
        worker_cancel(f->worker);
        do
                await(f);
        while (f->m.type == WORKER_STATUS);
        assert_bytes_equal(f->m.payload, BYTES("\x2d", 1));
        assert_true(env_now_ms() - before > 500);
        assert_int_equal(part.n_keys, 2);

        /* And one that was not cancelled is as good as ever. */
        worker_clear_cancel(f->worker);
        assert_int_equal(worker_inject(f->worker, PRESENCE_INJECT_ONCE, BYTES_NULL), 0);
        register_rsa(f);
        assert_int_equal(part.n_keys, 2);
        pause_ms(SPARE_MS + 300);
        before = env_now_ms();
        run(f, WORKER_CBOR, 5, BYTES("\x04", 1));
        assert_int_equal(f->m.payload.data[0], 0);
        assert_true(env_now_ms() - before > 500);
        assert_int_equal(part.n_keys, 3);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
        const struct CMUnitTest tests[] = {
                TEST(an_open_worker_says_what_its_tpm_is),
                TEST(nobody_but_a_person_answers_for_a_real_tpm),
                TEST(each_failure_of_the_tpm_says_what_to_do),
                TEST(a_store_that_is_none_says_what_to_do),
                TEST(an_attester_that_is_none_says_what_to_do),
                TEST(the_attester_of_the_options_is_that_of_the_authenticator),
                TEST(before_it_is_open_every_job_is_answered),
                TEST(control_jobs_that_are_none_are_answered),
                TEST(A44_a_question_is_told_and_its_end_too),
                TEST(a_question_to_a_simulator_is_an_event_and_its_answer_too),
                TEST(nobody_hears_what_is_asked_for_a_real_tpm),
                TEST(a_tpm_that_only_says_it_is_a_simulator_is_as_safe_as_a_real_one),
                TEST(A35_cancel_ends_the_running_command_only),
                TEST(an_idle_worker_lets_the_tpm_go_once),
                TEST(it_ends_while_a_question_is_open),
                TEST(a_store_of_another_tpm_is_kept_and_works_with_it_again),
                TEST(what_is_set_aside_overwrites_nothing),
                TEST(setting_aside_loses_nothing_whatever_fails),
                TEST(a_counter_that_went_back_sets_nothing_aside),
                TEST(provisioning_takes_the_owners_password),
                TEST(what_is_left_to_make_takes_the_owners_password),
                TEST(reset_takes_the_owners_password),
                TEST(what_cannot_be_opened_anew_is_told),
                TEST(tpm_says_what_is_where),
                TEST(a_real_tpm_takes_no_passkeys_of_a_fixture),
                TEST(as_many_as_fit_into_an_answer_are_made_and_noted),
                TEST(a_key_that_cannot_be_made_keeps_all_out),
                TEST(a_full_store_says_what_does_not_fit),
                TEST(a_machine_that_slept_is_noticed_before_the_next_job),
                TEST(time_asleep_does_not_step_by_itself),
                TEST(a_question_outlives_a_sleep),
                TEST(what_ails_a_tpm_is_told_and_when_it_is_over),
                TEST(an_administrator_is_told_what_happens),
                TEST(a_worker_that_was_told_to_end_is_joined),
                TEST(an_idle_worker_tells_when_a_person_can_be_verified_and_when_not),
                TEST(what_a_person_can_do_is_told_after_the_question_that_is_up),
                TEST(a_terminal_that_hangs_up_is_noticed_by_an_idle_worker),
                TEST(a_spare_key_is_made_when_nobody_asked_for_long),
                TEST(no_spare_key_is_made_for_who_wants_no_rsa),
                TEST(no_spare_key_is_made_before_a_sleep),
                TEST(a_missing_spare_key_is_made_after_a_restart_too),
                TEST(A35_a_command_that_waits_for_a_spare_key_can_be_cancelled),
        };

        return cmocka_run_group_tests_name("worker", tests, NULL, NULL);
}
