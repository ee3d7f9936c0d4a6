/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * authenticator/fprint.c and fprint-claim.c against a fprintd and a logind that are this test, on a private
 * bus and in the same event loop: whatever order answers, fingers and questions come in.
 */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>
#include <systemd/sd-bus.h>
#include <systemd/sd-event.h>
#include <unistd.h>

#include "authenticator/bus.h"
#include "authenticator/fprint.h"
#include "authenticator/log.h"
#include "ctap/bytes.h"
#include "tests/system/bus-kit.h"
#include "tests/system/test-daemon-kit.h"
#include "tests/unit/test.h"

#define WAIT_MS  10000
#define QUIET_US 100000

#define MANAGER "net.reactivated.Fprint.Manager"
#define DEVICE  "net.reactivated.Fprint.Device"
#define READER  "/net/reactivated/Fprint/Device/0"
#define OTHER   "/net/reactivated/Fprint/Device/1"
#define IN_USE  "net.reactivated.Fprint.Error.AlreadyInUse"
#define DENIED  "net.reactivated.Fprint.Error.PermissionDenied"

enum { ANN = 1000, BOB = 1001, STRANGER = 1002 };

struct person {
        struct fprint_user *user;
        bool available;
        unsigned n[_AGENT_FINGERS]; /* of what was said */
};

struct world {
        char folder[48];
        struct bus_kit private;
        sd_event *event;
        struct log log;
        struct bus *bus;
        struct fprint *fprint;
        struct person ann, bob;

        sd_bus *service;   /* both services */
        char trace[4096];  /* what was called, in order */
        const char *fails; /* this method */
        const char *error; /* with this error */
        const char *holds; /* this method is not answered */
        sd_bus_message *held;
        unsigned n_readers; /* the last of them knows fingers */
        char claimed[32];   /* who the reader is claimed for */
        bool started;
        unsigned n_lists;
};

/* ---- the services ---- */

static void note(struct world *w, const char *what, const char *argument) {
        size_t n = strlen(w->trace);

        assert_true(n + strlen(what) + strlen(argument) + 3 < sizeof(w->trace));
        snprintf(w->trace + n, sizeof(w->trace) - n, "%s%s%s ", what, *argument ? ":" : "",
                 argument);
}

/* True if the method was answered, or is not to be. */
static bool goes_wrong(struct world *w, sd_bus_message *m) {
        const char *method = sd_bus_message_get_member(m);

        if (w->fails && strcmp(w->fails, method) == 0) {
                assert_true(sd_bus_reply_method_errorf(m, w->error, "as told") >= 0);
                return true;
        }
        if (w->holds && strcmp(w->holds, method) == 0) {
                assert_null(w->held);
                w->held = sd_bus_message_ref(m);
                return true;
        }
        return false;
}

static int on_list_users(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        struct world *w = userdata;

        (void)error;
        w->n_lists++;
        return goes_wrong(w, m) ? 1
                                : sd_bus_reply_method_return(m, "a(uso)", 2, ANN, "ann", "/u/1000",
                                                             BOB, "bob", "/u/1001");
}

static int on_get_devices(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        struct world *w = userdata;

        (void)error;
        if (goes_wrong(w, m))
                return 1;
        return w->n_readers == 0   ? sd_bus_reply_method_return(m, "ao", 0)
               : w->n_readers == 1 ? sd_bus_reply_method_return(m, "ao", 1, READER)
                                   : sd_bus_reply_method_return(m, "ao", 2, OTHER, READER);
}

static int on_list_fingers(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        struct world *w = userdata;
        const char *name;

        (void)error;
        assert_true(sd_bus_message_read(m, "s", &name) >= 0);
        if (goes_wrong(w, m))
                return 1;
        if (strcmp(sd_bus_message_get_path(m), READER) != 0)
                return sd_bus_reply_method_errorf(m,
                                                  "net.reactivated.Fprint.Error.NoEnrolledPrints",
                                                  "none");
        return sd_bus_reply_method_return(m, "as", 1, "right-index-finger");
}

static int on_device(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        const char *method = sd_bus_message_get_member(m), *argument = "";
        struct world *w = userdata;

        (void)error;
        assert_string_equal(sd_bus_message_get_path(m), READER);
        if (sd_bus_message_has_signature(m, "s"))
                assert_true(sd_bus_message_read(m, "s", &argument) >= 0);
        note(w, method, argument);
        if (goes_wrong(w, m))
                return 1;
        if (strcmp(method, "Claim") == 0) {
                assert_string_equal(w->claimed, "");
                snprintf(w->claimed, sizeof(w->claimed), "%s", argument);
        } else if (strcmp(method, "VerifyStart") == 0) {
                assert_true(*w->claimed && !w->started);
                w->started = true;
        } else if (strcmp(method, "VerifyStop") == 0) {
                assert_true(*w->claimed && w->started);
                w->started = false;
        } else {
                assert_true(*w->claimed && !w->started);
                *w->claimed = '\0';
        }
        return sd_bus_reply_method_return(m, NULL);
}

static const sd_bus_vtable logind_vtable[] = {
        SD_BUS_VTABLE_START(0),
        SD_BUS_METHOD("ListUsers", NULL, "a(uso)", on_list_users, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_VTABLE_END,
};

static const sd_bus_vtable manager_vtable[] = {
        SD_BUS_VTABLE_START(0),
        SD_BUS_METHOD("GetDevices", NULL, "ao", on_get_devices, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_VTABLE_END,
};

static const sd_bus_vtable device_vtable[] = {
        SD_BUS_VTABLE_START(0),
        SD_BUS_METHOD("ListEnrolledFingers", "s", "as", on_list_fingers,
                      SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD("Claim", "s", NULL, on_device, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD("Release", NULL, NULL, on_device, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD("VerifyStart", "s", NULL, on_device, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD("VerifyStop", NULL, NULL, on_device, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_SIGNAL("VerifyStatus", "sb", 0),
        SD_BUS_VTABLE_END,
};

static void start_fprintd(struct world *w) {
        assert_true(sd_bus_add_object_vtable(w->service, NULL, "/net/reactivated/Fprint/Manager",
                                             MANAGER, manager_vtable, w) >= 0);
        assert_true(sd_bus_add_object_vtable(w->service, NULL, READER, DEVICE, device_vtable, w) >=
                    0);
        assert_true(sd_bus_add_object_vtable(w->service, NULL, OTHER, DEVICE, device_vtable, w) >=
                    0);
        assert_true(sd_bus_request_name(w->service, "net.reactivated.Fprint", 0) >= 0);
}

static void start_services(struct world *w) {
        w->service = bus_kit_connect(&w->private);
        assert_true(sd_bus_attach_event(w->service, w->event, 0) >= 0);
        assert_true(sd_bus_add_object_vtable(w->service, NULL, "/org/freedesktop/login1",
                                             "org.freedesktop.login1.Manager", logind_vtable,
                                             w) >= 0);
        assert_true(sd_bus_request_name(w->service, "org.freedesktop.login1", 0) >= 0);
        start_fprintd(w);
}

static void stop_services(struct world *w) {
        w->held = sd_bus_message_unref(w->held);
        w->service = sd_bus_flush_close_unref(w->service);
        *w->claimed = '\0';
        w->started = false;
}

/* The held call is answered after all. */
static void let_go(struct world *w) {
        sd_bus_message *m = w->held;
        int r;

        assert_non_null(m);
        w->held = NULL;
        w->holds = NULL;
        assert_true(sd_bus_message_rewind(m, 1) >= 0);
        r = strcmp(sd_bus_message_get_member(m), "ListUsers") == 0 ? on_list_users(m, w, NULL)
                                                                   : on_device(m, w, NULL);
        assert_true(r >= 0);
        sd_bus_message_unref(m);
}

static void finger(struct world *w, const char *result, bool done) {
        assert_true(sd_bus_emit_signal(w->service, READER, DEVICE, "VerifyStatus", "sb", result,
                                       (int)done) >= 0);
}

/* ---- whose fingers ---- */

static void on_available(void *userdata, bool available) {
        struct person *p = userdata;

        assert_int_not_equal(p->available, available);
        p->available = available;
}

static void on_finger(void *userdata, enum agent_finger state) {
        struct person *p = userdata;

        p->n[state]++;
}

static void add_person(struct world *w, struct person *p) {
        const struct fprint_user_options options = {
                .id = "test",
                .on_available = on_available,
                .on_finger = on_finger,
                .userdata = p,
        };

        assert_int_equal(fprint_user_new(w->fprint, &options, &p->user), 0);
}

static unsigned said(const struct person *p) {
        unsigned n = 0;

        for (size_t i = 0; i < _AGENT_FINGERS; i++)
                n += p->n[i];
        return n;
}

static void forget(struct world *w) {
        memset(w->ann.n, 0, sizeof(w->ann.n));
        memset(w->bob.n, 0, sizeof(w->bob.n));
        *w->trace = '\0';
}

/* ---- time ---- */

static void run_a_while(struct world *w) {
        while (sd_event_run(w->event, QUIET_US) > 0)
                ;
}

#define run_until(w, condition)                             \
        do {                                                \
                uint64_t until_ms = kit_now() + WAIT_MS;    \
                while (!(condition)) {                      \
                        assert_true(kit_now() < until_ms);  \
                        sd_event_run((w)->event, QUIET_US); \
                }                                           \
        } while (0)

static int setup(void **state) {
        struct world *w = calloc(1, sizeof(*w));
        struct bus_options bus = { 0 };
        struct fprint_options fprint = { 0 };

        *state = w;
        snprintf(w->folder, sizeof(w->folder), "/tmp/test-fprint-XXXXXX");
        assert_non_null(mkdtemp(w->folder));
        bus_kit_start(&w->private, w->folder);
        assert_int_equal(sd_event_new(&w->event), 0);
        w->n_readers = 1;
        start_services(w);
        log_init(&w->log, LOG_WARNING);
        bus = (struct bus_options){ .event = w->event, .log = &w->log };
        assert_int_equal(bus_new(&bus, &w->bus), 0);
        fprint = (struct fprint_options){ .bus = w->bus, .log = &w->log };
        assert_int_equal(fprint_new(&fprint, &w->fprint), 0);
        add_person(w, &w->ann);
        add_person(w, &w->bob);
        return 0;
}

static int teardown(void **state) {
        struct world *w = *state;
        char path[80];

        w->ann.user = fprint_user_free(w->ann.user);
        w->bob.user = fprint_user_free(w->bob.user);
        bus_free(w->bus);
        fprint_free(w->fprint);
        stop_services(w);
        sd_event_unref(w->event);
        bus_kit_end(&w->private);
        snprintf(path, sizeof(path), "%s/bus.conf", w->folder);
        unlink(path);
        unlink(w->private.socket);
        rmdir(w->folder);
        free(w);
        return 0;
}

#define fprint_test(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

static void log_in(struct world *w) {
        fprint_user_set(w->ann.user, ANN, true);
        run_until(w, w->ann.available);
}

/* A question that waits for a finger. */
static void ask(struct world *w, struct person *p) {
        forget(w);
        fprint_user_want(p->user, true);
        run_until(w, p->n[AGENT_FINGER_IS_WAITED_FOR] > 0);
        assert_true(w->started);
}

static void assert_free(struct world *w) {
        run_a_while(w);
        assert_string_equal(w->claimed, "");
        assert_false(w->started);
}

/* ---- what can be given ---- */

static void a_finger_can_be_given_where_a_reader_knows_one(void **state) {
        struct world *w = *state;

        for (unsigned n = 0; n < 3; n++) {
                w->n_readers = n;
                fprint_user_set(w->ann.user, ANN, true);
                run_a_while(w);
                assert_int_equal(w->ann.available, n > 0);
                fprint_user_set(w->ann.user, ANN, false);
                assert_false(w->ann.available);
        }
        assert_false(w->bob.available);
        assert_string_equal(w->trace, ""); /* nothing is claimed */
}

static void nobody_is_offered_what_cannot_be_given(void **state) {
        static const char *const methods[] = { "ListUsers", "GetDevices", "ListEnrolledFingers" };
        struct world *w = *state;

        w->error = DENIED;
        for (size_t i = 0; i < ELEMENTSOF(methods); i++) {
                w->fails = methods[i];
                fprint_user_set(w->ann.user, ANN, true);
                run_a_while(w);
                assert_false(w->ann.available);
                fprint_user_set(w->ann.user, ANN, false);
        }
        w->fails = NULL;
        fprint_user_set(w->ann.user, STRANGER, true);
        run_a_while(w);
        assert_false(w->ann.available);
        stop_services(w);
        fprint_user_set(w->ann.user, ANN, true);
        run_a_while(w);
        assert_false(w->ann.available);
        fprint_user_want(w->ann.user, true);
        assert_int_equal(w->ann.n[AGENT_FINGER_HAS_GONE], 1);
        assert_int_equal(said(&w->ann), 1);
}

static void what_was_found_a_moment_ago_is_not_looked_for_again(void **state) {
        struct world *w = *state;
        unsigned n;

        log_in(w);
        n = w->n_lists;
        for (unsigned i = 0; i < 100; i++)
                fprint_user_look(w->ann.user);
        run_a_while(w);
        assert_int_equal(w->n_lists, n);
}

/* ---- a question ---- */

static void a_finger_that_matches_is_said_once_and_lets_the_reader_go(void **state) {
        struct world *w = *state;

        log_in(w);
        ask(w, &w->ann);
        finger(w, "verify-match", true);
        finger(w, "verify-match", true);
        assert_free(w);
        assert_int_equal(w->ann.n[AGENT_FINGER_MATCHED], 1);
        assert_int_equal(said(&w->ann), 2);
        assert_string_equal(w->trace, "Claim:ann VerifyStart:any VerifyStop Release ");
        fprint_user_want(w->ann.user, false);
        assert_free(w);
        assert_true(w->ann.available);
}

static void what_is_unclear_goes_on(void **state) {
        static const char *const results[] = { "verify-retry-scan", "verify-swipe-too-short",
                                               "verify-finger-not-centered",
                                               "verify-remove-and-retry", "verify-of-tomorrow" };
        struct world *w = *state;

        log_in(w);
        ask(w, &w->ann);
        for (size_t i = 0; i < ELEMENTSOF(results); i++)
                finger(w, results[i], false);
        run_until(w, w->ann.n[AGENT_FINGER_IS_UNCLEAR] == ELEMENTSOF(results));
        assert_true(w->started);
        finger(w, "verify-match", true);
        run_until(w, w->ann.n[AGENT_FINGER_MATCHED] == 1);
        assert_free(w);
}

static void three_fingers_that_do_not_match_end_it_for_the_question(void **state) {
        struct world *w = *state;

        log_in(w);
        ask(w, &w->ann);
        for (unsigned i = 1; i <= FPRINT_TRIES; i++) {
                run_until(w, w->started);
                finger(w, "verify-no-match", true);
                run_until(w, w->ann.n[AGENT_FINGER_DID_NOT_MATCH] == i);
                run_until(w, !w->started);
        }
        assert_free(w);
        assert_int_equal(w->ann.n[AGENT_FINGER_HAS_GONE], 1);
        assert_int_equal(w->ann.n[AGENT_FINGER_IS_WAITED_FOR], 1);
        assert_true(w->ann.available); /* for the next question */
        finger(w, "verify-match", true);
        run_a_while(w);
        assert_int_equal(w->ann.n[AGENT_FINGER_MATCHED], 0);
}

static void fail_by(struct world *w, unsigned n) {
        ask(w, &w->ann);
        for (unsigned i = 1; i <= n; i++) {
                run_until(w, w->started);
                finger(w, "verify-no-match", true);
                run_until(w, w->ann.n[AGENT_FINGER_DID_NOT_MATCH] == i && !w->started);
        }
        fprint_user_want(w->ann.user, false);
        assert_free(w);
}

static void five_in_a_row_end_it_until_the_right_pin_was_given(void **state) {
        struct world *w = *state;

        log_in(w);
        fail_by(w, 2);
        fail_by(w, 2);
        assert_true(w->ann.available);
        fail_by(w, 1);
        assert_int_equal(w->ann.n[AGENT_FINGER_HAS_GONE], 1);
        assert_false(w->ann.available);

        /* Neither a lock of the session nor another look changes that. */
        fprint_user_set(w->ann.user, ANN, false);
        fprint_user_set(w->ann.user, ANN, true);
        run_a_while(w);
        assert_false(w->ann.available);
        fprint_user_want(w->ann.user, true);
        assert_free(w);
        assert_false(w->ann.available);

        fprint_user_forgive(w->ann.user);
        assert_true(w->ann.available);
        ask(w, &w->ann);
        finger(w, "verify-match", true);
        run_until(w, w->ann.n[AGENT_FINGER_MATCHED] == 1);
}

static void a_match_ends_the_row(void **state) {
        struct world *w = *state;

        log_in(w);
        for (unsigned i = 0; i < 3; i++) {
                fail_by(w, 2);
                ask(w, &w->ann);
                finger(w, "verify-match", true);
                run_until(w, w->ann.n[AGENT_FINGER_MATCHED] == 1);
                assert_free(w);
        }
        assert_true(w->ann.available);
}

/* ---- a question that goes ---- */

static void a_question_may_go_at_any_moment(void **state) {
        static const char *const methods[] = { "Claim", "VerifyStart", "VerifyStop", "Release" };
        struct world *w = *state;

        log_in(w);
        for (size_t i = 0; i < 2 * ELEMENTSOF(methods); i++) {
                w->holds = methods[i / 2];
                forget(w);
                fprint_user_want(w->ann.user, true);
                if (i / 2 > 1) {
                        run_until(w, w->started);
                        run_a_while(w);
                        fprint_user_want(w->ann.user, false);
                }
                run_until(w, w->held);
                fprint_user_want(w->ann.user, false);
                if (i % 2 == 0) {
                        let_go(w);
                } else { /* and the next one comes at once */
                        fprint_user_want(w->ann.user, true);
                        let_go(w);
                        run_until(w, w->ann.n[AGENT_FINGER_IS_WAITED_FOR] == 1 + (i / 2 > 1));
                        assert_string_equal(w->claimed, "ann");
                        fprint_user_want(w->ann.user, false);
                }
                assert_free(w);
                assert_int_equal(w->ann.n[AGENT_FINGER_MATCHED], 0);
        }
}

static void a_finger_that_comes_too_late_is_none(void **state) {
        struct world *w = *state;

        log_in(w);
        ask(w, &w->ann);
        w->holds = "VerifyStop";
        fprint_user_want(w->ann.user, false);
        run_until(w, w->held);
        fprint_user_want(w->ann.user, true);
        finger(w, "verify-match", true);
        run_a_while(w);
        assert_int_equal(w->ann.n[AGENT_FINGER_MATCHED], 0);
        let_go(w);
        run_until(w, w->ann.n[AGENT_FINGER_IS_WAITED_FOR] == 2);
        assert_int_equal(w->ann.n[AGENT_FINGER_MATCHED], 0);
        finger(w, "verify-match", true);
        run_until(w, w->ann.n[AGENT_FINGER_MATCHED] == 1);
}

static void a_locked_session_lets_the_reader_go(void **state) {
        struct world *w = *state;

        log_in(w);
        ask(w, &w->ann);
        fprint_user_set(w->ann.user, ANN, false);
        assert_false(w->ann.available);
        finger(w, "verify-match", true);
        assert_free(w);
        assert_int_equal(w->ann.n[AGENT_FINGER_MATCHED], 0);
}

static void before_sleep_the_reader_is_let_go(void **state) {
        struct world *w = *state;

        log_in(w);
        fprint_suspend(w->fprint);
        ask(w, &w->ann);
        fprint_suspend(w->fprint);
        assert_int_equal(w->ann.n[AGENT_FINGER_HAS_GONE], 1);
        assert_free(w);
        run_until(w, w->ann.available);
        ask(w, &w->ann);
}

/* ---- two users ---- */

static void who_comes_second_gets_no_finger(void **state) {
        struct world *w = *state;

        log_in(w);
        fprint_user_set(w->bob.user, BOB, true);
        run_until(w, w->bob.available);
        ask(w, &w->ann);
        fprint_user_want(w->bob.user, true);
        assert_int_equal(w->bob.n[AGENT_FINGER_HAS_GONE], 1);
        run_a_while(w);
        finger(w, "verify-match", true);
        run_until(w, w->ann.n[AGENT_FINGER_MATCHED] == 1);
        assert_int_equal(said(&w->bob), 1);
        assert_free(w);

        ask(w, &w->bob);
        assert_string_equal(w->claimed, "bob");
        finger(w, "verify-match", true);
        run_until(w, w->bob.n[AGENT_FINGER_MATCHED] == 1);
        assert_int_equal(said(&w->ann), 0);
}

/* However far the one before had come, nobody's finger is looked for under another's claim. */
static void a_reader_is_claimed_anew_for_another_user(void **state) {
        static const char *const methods[] = { "Claim", "VerifyStart", "VerifyStop", "Release" };
        struct world *w = *state;

        log_in(w);
        fprint_user_set(w->bob.user, BOB, true);
        run_until(w, w->bob.available);
        for (size_t i = 0; i < ELEMENTSOF(methods); i++) {
                w->holds = methods[i];
                forget(w);
                fprint_user_want(w->ann.user, true);
                if (i > 1) {
                        run_until(w, w->ann.n[AGENT_FINGER_IS_WAITED_FOR] == 1);
                        fprint_user_want(w->ann.user, false);
                }
                run_until(w, w->held);
                fprint_user_want(w->ann.user, false);
                fprint_user_want(w->bob.user, true);
                let_go(w);
                run_until(w, w->bob.n[AGENT_FINGER_IS_WAITED_FOR] == 1);
                assert_string_equal(w->claimed, "bob");
                assert_int_equal(said(&w->ann), i > 1);
                fprint_user_want(w->bob.user, false);
                assert_free(w);
        }
}

/* The claim of the one before is refused: that is no answer to this one. */
static void a_refusal_is_for_whom_it_was_said_to(void **state) {
        struct world *w = *state;

        log_in(w);
        fprint_user_set(w->bob.user, BOB, true);
        run_until(w, w->bob.available);
        forget(w);
        w->holds = "Claim";
        fprint_user_want(w->ann.user, true);
        run_until(w, w->held);
        fprint_user_want(w->ann.user, false);
        fprint_user_want(w->bob.user, true);
        w->fails = "Claim";
        w->error = IN_USE;
        let_go(w);
        w->fails = NULL;
        run_until(w, w->bob.n[AGENT_FINGER_IS_WAITED_FOR] == 1);
        assert_int_equal(w->bob.n[AGENT_FINGER_HAS_GONE], 0);
}

/* ---- what fails ---- */

static void a_reader_that_is_refused_is_as_good_as_none(void **state) {
        static const char *const methods[] = { "Claim", "VerifyStart" };
        static const char *const errors[] = { IN_USE, DENIED };
        struct world *w = *state;

        log_in(w);
        for (size_t i = 0; i < 4; i++) {
                forget(w);
                w->fails = methods[i % 2];
                w->error = errors[i / 2];
                fprint_user_want(w->ann.user, true);
                run_until(w, w->ann.n[AGENT_FINGER_HAS_GONE] == 1);
                w->fails = NULL;
                assert_free(w);
                assert_int_equal(said(&w->ann), 1);
        }
        ask(w, &w->ann);
}

static void a_reader_that_is_unplugged_is_gone(void **state) {
        static const char *const results[] = { "verify-disconnected", "verify-unknown-error",
                                               "of tomorrow" };
        struct world *w = *state;

        for (size_t i = 0; i < ELEMENTSOF(results); i++) {
                w->n_readers = 1;
                log_in(w);
                ask(w, &w->ann);
                w->n_readers = 0;
                finger(w, results[i], true);
                run_until(w, !w->ann.available);
                assert_int_equal(w->ann.n[AGENT_FINGER_HAS_GONE], 1);
                assert_free(w);
                fprint_user_set(w->ann.user, ANN, false);
        }
}

static void a_fprintd_that_dies_is_gone_and_the_next_one_is_found(void **state) {
        static const char *const methods[] = { NULL, "Claim", "VerifyStart", "VerifyStop",
                                               "Release" };
        struct world *w = *state;

        for (size_t i = 0; i < ELEMENTSOF(methods); i++) {
                log_in(w);
                forget(w);
                w->holds = methods[i];
                fprint_user_want(w->ann.user, true);
                if (i == 0 || i > 2)
                        run_until(w, w->ann.n[AGENT_FINGER_IS_WAITED_FOR] == 1);
                if (i > 2)
                        fprint_user_want(w->ann.user, false);
                if (i > 0)
                        run_until(w, w->held);
                stop_services(w);
                w->holds = NULL;
                if (i <= 2)
                        run_until(w, w->ann.n[AGENT_FINGER_HAS_GONE] == 1);
                run_a_while(w);
                start_services(w);
                fprint_user_set(w->ann.user, ANN, false);
                log_in(w);
                ask(w, &w->ann);
                fprint_user_want(w->ann.user, false);
                assert_free(w);
                fprint_user_set(w->ann.user, ANN, false);
        }
}

static void a_bus_that_dies_is_gone_and_the_next_one_is_found(void **state) {
        struct world *w = *state;

        log_in(w);
        ask(w, &w->ann);
        stop_services(w);
        bus_kit_end(&w->private);
        run_until(w, w->ann.n[AGENT_FINGER_HAS_GONE] == 1 && !w->ann.available);
        bus_kit_start(&w->private, w->folder);
        start_services(w);
        run_until(w, w->ann.available);
        ask(w, &w->ann);
        finger(w, "verify-match", true);
        run_until(w, w->ann.n[AGENT_FINGER_MATCHED] == 1);
}

/* ---- somebody else's word ---- */

/* Sends a signal to everybody on the bus, one by one, as any process can. */
static void forge(sd_bus *from, const char *path, const char *result) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *names = NULL;
        const char *name;

        assert_true(sd_bus_call_method(from, "org.freedesktop.DBus", "/org/freedesktop/DBus",
                                       "org.freedesktop.DBus", "ListNames", NULL, &names,
                                       NULL) >= 0);
        assert_true(sd_bus_message_enter_container(names, 'a', "s") >= 0);
        while (sd_bus_message_read(names, "s", &name) > 0) {
                _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;

                if (*name != ':')
                        continue;
                assert_true(sd_bus_message_new_signal(from, &m, path, DEVICE, "VerifyStatus") >= 0);
                assert_true(sd_bus_message_append(m, "sb", result, 1) >= 0);
                assert_true(sd_bus_send_to(from, m, name, NULL) >= 0);
        }
        assert_true(sd_bus_flush(from) >= 0);
}

static void a_match_that_fprintd_did_not_say_is_none(void **state) {
        struct world *w = *state;
        sd_bus *forger = bus_kit_connect(&w->private);

        log_in(w);
        ask(w, &w->ann);
        forge(forger, READER, "verify-match");
        forge(forger, READER, "verify-no-match");
        forge(w->service, OTHER, "verify-match"); /* nor of a reader that was not asked */
        run_a_while(w);
        assert_int_equal(said(&w->ann), 1);
        finger(w, "verify-match", true);
        run_until(w, w->ann.n[AGENT_FINGER_MATCHED] == 1);
        sd_bus_flush_close_unref(forger);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                fprint_test(a_finger_can_be_given_where_a_reader_knows_one),
                fprint_test(nobody_is_offered_what_cannot_be_given),
                fprint_test(what_was_found_a_moment_ago_is_not_looked_for_again),
                fprint_test(a_finger_that_matches_is_said_once_and_lets_the_reader_go),
                fprint_test(what_is_unclear_goes_on),
                fprint_test(three_fingers_that_do_not_match_end_it_for_the_question),
                fprint_test(five_in_a_row_end_it_until_the_right_pin_was_given),
                fprint_test(a_match_ends_the_row),
                fprint_test(a_question_may_go_at_any_moment),
                fprint_test(a_finger_that_comes_too_late_is_none),
                fprint_test(a_locked_session_lets_the_reader_go),
                fprint_test(before_sleep_the_reader_is_let_go),
                fprint_test(who_comes_second_gets_no_finger),
                fprint_test(a_reader_is_claimed_anew_for_another_user),
                fprint_test(a_refusal_is_for_whom_it_was_said_to),
                fprint_test(a_reader_that_is_refused_is_as_good_as_none),
                fprint_test(a_reader_that_is_unplugged_is_gone),
                fprint_test(a_fprintd_that_dies_is_gone_and_the_next_one_is_found),
                fprint_test(a_bus_that_dies_is_gone_and_the_next_one_is_found),
                fprint_test(a_match_that_fprintd_did_not_say_is_none),
        };

        return cmocka_run_group_tests_name("fprint", tests, NULL, NULL);
}
