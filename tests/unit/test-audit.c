/* SPDX-License-Identifier: BSD-2-Clause */

/* authenticator/audit-event.c and audit.c: what an event says, and what becomes of it without a journald. */

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <syslog.h>
#include <unistd.h>

#include "authenticator/audit.h"
#include "ctap/crypto.h"
#include "ctap/status.h"
#include "tests/fake/scratch.h"
#include "tests/unit/test.h"

#define SITE "a.example"

/* ---- what is said ---- */

static struct audit_event full_event(enum audit_what what) {
        struct audit_event e = {
                .what = what,
                .op = AUDIT_OP_USE,
                .status = CTAP2_ERR_OPERATION_DENIED,
                .error = -ENODEV,
                .has_key = true,
                .has_flags = true,
                .has_number = true,
                .has_user = true,
                .has_caller = true,
                .uv = true,
                .number = 7,
                .user = 1000,
                .caller = 0,
                .index = 1,
        };
        struct ctap_credential_id id;

        memset(&id, 0x11, sizeof(id));
        memset(&e.key, 0xab, sizeof(e.key));
        audit_set_credential(&e, &id);
        audit_set_rp_id(&e, BYTES_TEXT(SITE));
        return e;
}

struct text {
        char all[AUDIT_TEXT_MAX + 1];
};

static void write_out(const struct audit_event *e, const struct audit_format *how,
                      struct text *ret) {
        struct buf out = { (uint8_t *)ret->all, 0, AUDIT_TEXT_MAX, false };

        audit_format(e, how, &out);
        assert_int_equal(buf_error(&out), 0);
        ret->all[out.len] = '\0';
}

static bool has_line(const struct text *t, const char *line) {
        for (const char *at = t->all; (at = strstr(at, line)) != NULL; at++)
                if ((at == t->all || at[-1] == '\n') && at[strlen(line)] == '\n')
                        return true;
        return false;
}

static void an_event_has_all_that_is_known_and_no_more(void **state) {
        const struct audit_event all = full_event(AUDIT_PIN_WRONG);
        const struct audit_event none = { .what = AUDIT_PLUGGED };
        const struct audit_format how = { .session = "c2", .lost = 3, .time_us = 1764442800000123 };
        static const char *const lines[] = {
                "MESSAGE=A wrong PIN was given",
                "MESSAGE_ID=3269dd559503420a8cf084ea97fb3a02",
                "PRIORITY=4",
                "SYSLOG_FACILITY=10",
                "SYSLOG_IDENTIFIER=tpmauthnd",
                "FIDO_EVENT=pin-wrong",
                "FIDO_TIME=1764442800000123",
                "FIDO_OP=use",
                "FIDO_RESULT=refused",
                "FIDO_STATUS=CTAP2_ERR_OPERATION_DENIED",
                "FIDO_ERROR=ENODEV",
                "FIDO_USER=1000",
                "FIDO_DEVICE=1",
                "FIDO_SESSION=c2",
                "FIDO_CALLER=0",
                "FIDO_KEY=abababababababababababababababababababababababababababababababab",
                "FIDO_UP=0",
                "FIDO_UV=1",
                "FIDO_TRIES_LEFT=7",
                "FIDO_LOST=3",
        };
        struct text t;

        (void)state;
        write_out(&all, &how, &t);
        for (size_t i = 0; i < ELEMENTSOF(lines); i++)
                assert_true(has_line(&t, lines[i]));

        write_out(&none, &(struct audit_format){ 0 }, &t);
        assert_string_equal(t.all, "MESSAGE=A device is plugged in\n"
                                   "MESSAGE_ID=648761df42024745bec2fec5578de5f9\n"
                                   "PRIORITY=6\n"
                                   "SYSLOG_FACILITY=10\n"
                                   "SYSLOG_IDENTIFIER=tpmauthnd\n"
                                   "FIDO_EVENT=plugged\n"
                                   "FIDO_TIME=0\n"
                                   "FIDO_RESULT=ok\n");
}

static void a_failure_of_the_machine_is_no_success(void **state) {
        const struct audit_event e = { .what = AUDIT_TPM_FAILED, .error = -EIO };
        struct text t;

        (void)state;
        write_out(&e, &(struct audit_format){ 0 }, &t);
        assert_true(has_line(&t, "FIDO_RESULT=failed"));
        assert_true(has_line(&t, "FIDO_ERROR=EIO"));
        assert_null(strstr(t.all, "FIDO_STATUS"));
        write_out(&(struct audit_event){ .what = AUDIT_DEVICE_FAILED }, &(struct audit_format){ 0 },
                  &t);
        assert_true(has_line(&t, "FIDO_RESULT=failed"));
        write_out(&(struct audit_event){ .what = AUDIT_PIN_WRONG }, &(struct audit_format){ 0 },
                  &t);
        assert_true(has_line(&t, "FIDO_RESULT=wrong-pin"));
        write_out(&(struct audit_event){ .what = AUDIT_PIN_SET, .error = -EIO },
                  &(struct audit_format){ 0 }, &t);
        assert_true(has_line(&t, "FIDO_RESULT=failed"));
}

static void what_the_policy_refused_is_told_by_what_was_asked_and_answered(void **state) {
        const struct audit_event e = { .what = AUDIT_POLICY_REFUSED,
                                       .op = AUDIT_OP_RESET,
                                       .status = CTAP2_ERR_OPERATION_DENIED };
        struct text t;

        (void)state;
        write_out(&e, &(struct audit_format){ 0 }, &t);
        assert_true(has_line(&t, "FIDO_OP=reset"));
        assert_true(has_line(&t, "FIDO_RESULT=forbidden"));
        assert_true(has_line(&t, "FIDO_STATUS=CTAP2_ERR_OPERATION_DENIED"));
}

static void a_site_is_named_as_the_level_wants_it(void **state) {
        const struct audit_event e = full_event(AUDIT_USED);
        struct text t;

        (void)state;
        write_out(&e, &(struct audit_format){ .rp_ids = AUDIT_RP_IDS_OFF }, &t);
        assert_null(strstr(t.all, "RP_ID"));
        assert_null(strstr(t.all, "example"));
        write_out(&e, &(struct audit_format){ .rp_ids = AUDIT_RP_IDS_HASHED }, &t);
        /* printf a.example | sha256sum */
        assert_true(has_line(&t,
                             "FIDO_RP_ID_HASH="
                             "b8e7453371a024daae06f3164492c0afcde134c7747c155b3d83c20de341e855"));
        assert_null(strstr(t.all, "example"));
        write_out(&e, &(struct audit_format){ .rp_ids = AUDIT_RP_IDS_FULL }, &t);
        assert_true(has_line(&t, "FIDO_RP_ID=" SITE));
        assert_null(strstr(t.all, "HASH"));
}

/* The id is what a client shows to use the key; its hash finds an event again. */
static void a_credential_is_eight_bytes_of_a_hash(void **state) {
        const struct audit_event e = full_event(AUDIT_USED);
        struct text t;

        (void)state;
        write_out(&e, &(struct audit_format){ 0 }, &t);
        /* 48 bytes 0x11 */
        assert_true(has_line(&t, "FIDO_CRED=eaa127dff9f9bbfa"));
        assert_null(strstr(t.all, "1111"));
}

static void no_site_makes_a_field_of_its_own(void **state) {
        struct audit_event e = { .what = AUDIT_USED };
        struct text t;

        (void)state;
        audit_set_rp_id(&e, BYTES("a\nMESSAGE=b\x7f\0c", 14));
        write_out(&e, &(struct audit_format){ .rp_ids = AUDIT_RP_IDS_FULL }, &t);
        assert_true(has_line(&t, "FIDO_RP_ID=a?MESSAGE=b??c"));
}

static void the_longest_event_fits(void **state) {
        struct audit_event e = full_event(AUDIT_PIN_BLOCKED);
        uint8_t message[AUDIT_MESSAGE_MAX];
        char session[65];
        struct buf out = BUF_ON(message);
        uint8_t site[400];
        struct text t;

        (void)state;
        memset(site, 'x', sizeof(site));
        memset(session, 's', sizeof(session) - 1);
        session[64] = '\0';
        audit_set_rp_id(&e, BYTES_OF(site));
        assert_int_equal(e.rp_id.len, 255);
        e.user = e.caller = (uid_t)-2;
        e.number = e.index = UINT32_MAX;
        write_out(&e, &(struct audit_format){ AUDIT_RP_IDS_FULL, session, UINT64_MAX, INT64_MAX },
                  &t);
        audit_event_put(&e, &out);
        assert_int_equal(buf_error(&out), 0);
}

static void levels_leave_out_what_they_should(void **state) {
        (void)state;
        for (int what = 0; what < _AUDIT_EVENTS; what++) {
                assert_false(audit_is_wanted((enum audit_what)what, AUDIT_LEVEL_OFF));
                assert_int_equal(audit_is_wanted((enum audit_what)what, AUDIT_LEVEL_NOTABLE),
                                 what != AUDIT_USED);
                assert_true(audit_is_wanted((enum audit_what)what, AUDIT_LEVEL_ALL));
        }
}

static void words_are_read_as_they_are_written(void **state) {
        enum audit_rp_ids rp_ids;
        enum audit_level level;

        (void)state;
        for (int i = 0; i < _AUDIT_LEVELS; i++) {
                assert_int_equal(audit_level_from_string(audit_level_to_string((enum audit_level)i),
                                                         &level),
                                 0);
                assert_int_equal(level, i);
        }
        for (int i = 0; i < _AUDIT_RP_IDS; i++) {
                assert_int_equal(audit_rp_ids_from_string(
                                         audit_rp_ids_to_string((enum audit_rp_ids)i), &rp_ids),
                                 0);
                assert_int_equal(rp_ids, i);
        }
        assert_int_equal(audit_level_from_string("everything", &level), -EINVAL);
        assert_int_equal(audit_rp_ids_from_string("", &rp_ids), -EINVAL);
}

/* ---- between threads ---- */

static void an_event_comes_over_as_it_was(void **state) {
        const struct audit_event e = full_event(AUDIT_REFUSED);
        const struct audit_format how = { .rp_ids = AUDIT_RP_IDS_FULL };
        uint8_t storage[AUDIT_MESSAGE_MAX];
        struct buf out = BUF_ON(storage);
        struct audit_event back;
        struct text sent, got;

        (void)state;
        audit_event_put(&e, &out);
        assert_int_equal(audit_event_read(buf_bytes(&out), &back), 0);
        write_out(&e, &how, &sent);
        write_out(&back, &how, &got);
        assert_string_equal(sent.all, got.all);
        for (size_t n = 0; n < out.len; n++)
                assert_int_equal(audit_event_read(BYTES(storage, n), &back), -EBADMSG);
        storage[0] = _AUDIT_EVENTS;
        assert_int_equal(audit_event_read(buf_bytes(&out), &back), -EBADMSG);
        storage[0] = AUDIT_USED;
        storage[1] = _AUDIT_OPS;
        assert_int_equal(audit_event_read(buf_bytes(&out), &back), -EBADMSG);
}

/* ---- who gets it ---- */

struct fixture {
        struct scratch scratch;
        char path[300];
        sd_event *event;
        struct log log;
        struct audit *audit;
        int journald; /* -1: it is not there */
        int saved_stderr;
        char log_path[300];
};

static void start_journald(struct fixture *f) {
        struct sockaddr_un a = { .sun_family = AF_UNIX };

        assert_true(strlen(f->path) < sizeof(a.sun_path));
        strcpy(a.sun_path, f->path);
        unlink(f->path);
        f->journald = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        assert_return_code(f->journald, errno);
        assert_return_code(bind(f->journald, (struct sockaddr *)&a, sizeof(a)), errno);
}

static void stop_journald(struct fixture *f) {
        close(f->journald);
        f->journald = -1;
}

static const char *session(void *userdata, uid_t user) {
        (void)userdata;
        return user == 1000 ? "c7" : NULL;
}

static void start_audit(struct fixture *f, const char *socket) {
        const struct audit_options options = {
                .event = f->event,
                .log = &f->log,
                .level = AUDIT_LEVEL_ALL,
                .socket = socket,
                .session = session,
        };

        assert_int_equal(audit_new(&options, &f->audit), 0);
}

static int setup(void **state) {
        struct fixture *f = calloc(1, sizeof(*f));
        int fd;

        scratch_make(&f->scratch);
        snprintf(f->path, sizeof(f->path), "%s/journal", f->scratch.path);
        snprintf(f->log_path, sizeof(f->log_path), "%s/log", f->scratch.path);
        assert_int_equal(sd_event_new(&f->event), 0);
        f->log = (struct log){ .level = LOG_DEBUG };
        f->journald = -1;
        f->saved_stderr = dup(STDERR_FILENO);
        fd = open(f->log_path, O_WRONLY | O_CREAT | O_APPEND, 0600);
        dup2(fd, STDERR_FILENO);
        close(fd);
        *state = f;
        return 0;
}

static int teardown(void **state) {
        struct fixture *f = *state;

        audit_free(f->audit);
        sd_event_unref(f->event);
        if (f->journald >= 0)
                close(f->journald);
        dup2(f->saved_stderr, STDERR_FILENO);
        close(f->saved_stderr);
        scratch_remove(&f->scratch);
        free(f);
        return 0;
}

static void write_number(struct fixture *f, unsigned n) {
        audit_write(f->audit, &(struct audit_event){ .what = AUDIT_PIN_WRONG,
                                                     .has_number = true,
                                                     .number = n,
                                                     .has_user = n % 2 == 0,
                                                     .user = 1000 });
}

/* False: nothing is there. */
static bool receive(struct fixture *f, struct text *ret) {
        ssize_t n = recv(f->journald, ret->all, AUDIT_TEXT_MAX, 0);

        if (n < 0)
                return false;
        ret->all[n] = '\0';
        return true;
}

static void assert_received(struct fixture *f, unsigned n) {
        char line[40];
        struct text t;

        assert_true(receive(f, &t));
        snprintf(line, sizeof(line), "FIDO_TRIES_LEFT=%u", n);
        assert_true(has_line(&t, line));
        assert_int_equal(has_line(&t, "FIDO_SESSION=c7"), n % 2 == 0);
        assert_null(strstr(t.all, "FIDO_LOST"));
}

/* Lets the loop run for as long as a retry takes at most. */
static void let_it_retry(struct fixture *f) {
        assert_return_code(sd_event_run(f->event, 1000 * 1000), errno);
}

static unsigned lines_of_log(struct fixture *f, const char *with) {
        struct scratch_file file;
        unsigned n = 0;
        char *copy, *rest, *line;

        scratch_read(f->log_path, &file);
        copy = rest = strndup((const char *)file.data, file.len);
        while ((line = strsep(&rest, "\n")) != NULL)
                n += strstr(line, with) != NULL;
        free(copy);
        scratch_file_done(&file);
        return n;
}

static void an_event_is_one_datagram(void **state) {
        struct fixture *f = *state;
        struct text t;

        start_journald(f);
        start_audit(f, f->path);
        write_number(f, 1);
        write_number(f, 2);
        assert_received(f, 1);
        assert_received(f, 2);
        assert_false(receive(f, &t));
}

static void without_a_journald_events_wait_for_it(void **state) {
        struct fixture *f = *state;

        start_audit(f, f->path);
        write_number(f, 1);
        write_number(f, 2);
        assert_int_equal(lines_of_log(f, "takes no audit events"), 1);
        start_journald(f);
        let_it_retry(f);
        assert_received(f, 1);
        assert_received(f, 2);
        assert_int_equal(lines_of_log(f, "takes audit events again"), 1);

        /* It is started anew: the name is another socket's. */
        stop_journald(f);
        write_number(f, 3);
        start_journald(f);
        let_it_retry(f);
        assert_received(f, 3);
        assert_int_equal(lines_of_log(f, "takes no audit events"), 2);
}

static void what_is_too_much_is_counted(void **state) {
        struct fixture *f = *state;
        struct text t;

        start_audit(f, f->path);
        for (unsigned n = 0; n < 64 + 5; n++)
                write_number(f, n);
        start_journald(f);
        for (unsigned n = 0; n < 64; n++) {
                /* The queue of a socket may be shorter than that. */
                if (n % 8 == 0)
                        let_it_retry(f);
                assert_received(f, n);
        }
        write_number(f, 100);
        assert_true(receive(f, &t));
        assert_true(has_line(&t, "FIDO_LOST=5"));
        write_number(f, 101);
        assert_received(f, 101);
}

/* A queue that is full, as any account can make journald's. */
static void a_journald_that_does_not_read_holds_nobody(void **state) {
        struct fixture *f = *state;
        unsigned n = 0;

        start_journald(f);
        start_audit(f, f->path);
        while (lines_of_log(f, "takes no audit events") == 0 && n < 5000)
                write_number(f, n++);
        assert_in_range(n, 1, 4999);
        for (unsigned i = 0; i < n; i++) {
                if (i == n - 1)
                        let_it_retry(f);
                assert_received(f, i);
        }
}

static void what_waits_at_the_end_is_told(void **state) {
        struct fixture *f = *state;

        start_audit(f, f->path);
        write_number(f, 1);
        f->audit = audit_free(f->audit);
        assert_int_equal(lines_of_log(f, "1 audit events were not written"), 1);
}

static void without_a_service_manager_events_are_lines_of_the_log(void **state) {
        struct fixture *f = *state;

        start_audit(f, "");
        write_number(f, 3);
        assert_int_equal(lines_of_log(f, "warning audit: FIDO_EVENT=pin-wrong"), 1);
        assert_int_equal(lines_of_log(f, "FIDO_TRIES_LEFT=3"), 1);
        assert_int_equal(lines_of_log(f, "MESSAGE"), 0);
}

static void a_level_that_is_off_writes_nothing(void **state) {
        struct fixture *f = *state;
        const struct audit_options off = { .event = f->event, .log = &f->log, .socket = f->path };
        const struct audit_options notable = {
                .event = f->event, .log = &f->log, .level = AUDIT_LEVEL_NOTABLE, .socket = f->path
        };
        struct text t;

        start_journald(f);
        assert_int_equal(audit_new(&off, &f->audit), 0);
        write_number(f, 1);
        assert_false(receive(f, &t));
        audit_free(f->audit);
        assert_int_equal(audit_new(&notable, &f->audit), 0);
        audit_write(f->audit, &(struct audit_event){ .what = AUDIT_USED });
        assert_false(receive(f, &t));
        write_number(f, 1);
        assert_received(f, 1);
        audit_write(NULL, &(struct audit_event){ .what = AUDIT_USED });
}

static void a_name_that_is_too_long_for_a_socket(void **state) {
        struct fixture *f = *state;
        char path[200];
        const struct audit_options options = { .event = f->event, .log = &f->log, .socket = path };

        memset(path, '/', sizeof(path));
        path[sizeof(path) - 1] = '\0';
        assert_int_equal(audit_new(&options, &f->audit), -ENAMETOOLONG);
        assert_null(f->audit);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(an_event_has_all_that_is_known_and_no_more),
                cmocka_unit_test(a_failure_of_the_machine_is_no_success),
                cmocka_unit_test(what_the_policy_refused_is_told_by_what_was_asked_and_answered),
                cmocka_unit_test(a_site_is_named_as_the_level_wants_it),
                cmocka_unit_test(a_credential_is_eight_bytes_of_a_hash),
                cmocka_unit_test(no_site_makes_a_field_of_its_own),
                cmocka_unit_test(the_longest_event_fits),
                cmocka_unit_test(levels_leave_out_what_they_should),
                cmocka_unit_test(words_are_read_as_they_are_written),
                cmocka_unit_test(an_event_comes_over_as_it_was),
                TEST(an_event_is_one_datagram),
                TEST(without_a_journald_events_wait_for_it),
                TEST(what_is_too_much_is_counted),
                TEST(a_journald_that_does_not_read_holds_nobody),
                TEST(what_waits_at_the_end_is_told),
                TEST(without_a_service_manager_events_are_lines_of_the_log),
                TEST(a_level_that_is_off_writes_nothing),
                TEST(a_name_that_is_too_long_for_a_socket),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
