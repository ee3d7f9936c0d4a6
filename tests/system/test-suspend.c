/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * authenticator/bus.c and suspend.c in the real daemon: a private bus, and a logind on it that is this test. A
 * delay inhibitor is the one end of a pipe; the daemon has let go of it when the other reads its end.
 */

#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <systemd/sd-bus.h>
#include <unistd.h>

#include "ctap/bytes.h"
#include "tests/system/bus-kit.h"
#include "tests/system/test-daemon-kit.h"
#include "tests/unit/test.h"

#define WAIT_MS 10000

struct world {
        struct daemon_kit kit;
        struct bus_kit private;
        sd_bus *bus;
        unsigned n_inhibited;
        int inhibitor; /* the end that reads: -1 if none was given */
};

/* ---- the bus and the logind ---- */

static int on_inhibit(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        const char *what, *who, *why, *mode;
        struct world *w = userdata;
        int ends[2], r;

        (void)error;
        r = sd_bus_message_read(m, "ssss", &what, &who, &why, &mode);
        if (r < 0)
                return r;
        assert_string_equal(what, "sleep");
        assert_string_equal(mode, "delay");
        assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
        if (w->inhibitor >= 0)
                close(w->inhibitor);
        w->inhibitor = ends[0];
        w->n_inhibited++;
        r = sd_bus_reply_method_return(m, "h", ends[1]);
        close(ends[1]);
        return r;
}

static const sd_bus_vtable logind[] = {
        SD_BUS_VTABLE_START(0),
        SD_BUS_METHOD("Inhibit", "ssss", "h", on_inhibit, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_SIGNAL("PrepareForSleep", "b", 0),
        SD_BUS_VTABLE_END,
};

static void become_logind(struct world *w) {
        w->bus = bus_kit_connect(&w->private);
        assert_true(sd_bus_add_object_vtable(w->bus, NULL, "/org/freedesktop/login1",
                                             "org.freedesktop.login1.Manager", logind, w) >= 0);
        assert_true(sd_bus_request_name(w->bus, "org.freedesktop.login1", 0) >= 0);
}

/* Serves the bus until the daemon has asked for that many inhibitors. */
static void serve_until(struct world *w, unsigned n_inhibited) {
        uint64_t until = kit_now() + WAIT_MS;

        while (w->n_inhibited < n_inhibited) {
                int r = sd_bus_process(w->bus, NULL);

                assert_true(r >= 0);
                if (r == 0)
                        assert_true(sd_bus_wait(w->bus, 100000) >= 0);
                assert_true(kit_now() < until);
        }
        assert_true(sd_bus_flush(w->bus) >= 0);
}

static void announce(struct world *w, bool begins) {
        assert_true(sd_bus_emit_signal(w->bus, "/org/freedesktop/login1",
                                       "org.freedesktop.login1.Manager", "PrepareForSleep", "b",
                                       (int)begins) >= 0);
        assert_true(sd_bus_flush(w->bus) >= 0);
}

/* How long the sleep is held up: milliseconds, at most `limit`. */
static uint64_t held_for(struct world *w, int limit) {
        struct pollfd p = { .fd = w->inhibitor, .events = POLLIN };
        uint64_t before = kit_now();

        assert_true(poll(&p, 1, limit) >= 0);
        return kit_now() - before;
}

static int setup(void **state) {
        struct world *w = calloc(1, sizeof(*w));

        *state = w;
        w->inhibitor = -1;
        return kit_init(&w->kit);
}

static int teardown(void **state) {
        struct world *w = *state;

        sd_bus_flush_close_unref(w->bus);
        bus_kit_end(&w->private);
        if (w->inhibitor >= 0)
                close(w->inhibitor);
        kit_done(&w->kit);
        free(w);
        return 0;
}

/* ---- tests ---- */

static const char *const scripted[] = { "--presence=script", "--log-level=debug", NULL };

static void the_tpm_is_let_go_before_sleep_and_again_before_the_next(void **state) {
        struct world *w = *state;

        bus_kit_start(&w->private, w->kit.folder);
        become_logind(w);
        kit_start(&w->kit, scripted);
        for (unsigned i = 1; i <= 3; i++) {
                serve_until(w, i);
                assert_true(held_for(w, 100) >= 100); /* nothing sleeps yet */
                announce(w, true);
                assert_true(held_for(w, 2000) < 2000);
                json_decref(kit_control(&w->kit, "list", NULL));
                announce(w, false);
        }
        serve_until(w, 4);
        assert_int_equal(kit_stop(&w->kit), 0);
        assert_true(held_for(w, 2000) < 2000);
}

/* A request for a selection, on a channel of its own. */
static int ask_somebody(struct world *w) {
        uint8_t init[64] = { 0xff, 0xff, 0xff, 0xff, 0x86, 0, 8, 1, 2, 3, 4, 5, 6, 7, 8 };
        uint8_t select[64] = { 0, 0, 0, 0, 0x90, 0, 1, 0x0b };
        int fd = kit_connect(w->kit.device, SOCK_SEQPACKET);
        uint8_t report[64];

        assert_int_equal(send(fd, init, sizeof(init), 0), sizeof(init));
        assert_int_equal(recv(fd, report, sizeof(report), 0), sizeof(report));
        memcpy(select, report + 15, 4);
        assert_int_equal(send(fd, select, sizeof(select), 0), sizeof(select));
        do
                assert_int_equal(recv(fd, report, sizeof(report), 0), sizeof(report));
        while (report[4] == 0xbb && report[7] != 2); /* until a keepalive says UPNEEDED */
        assert_int_equal(report[4], 0xbb);
        return fd;
}

static void a_question_neither_holds_up_sleep_nor_ends_with_it(void **state) {
        struct world *w = *state;
        uint8_t report[64];
        int fd;

        bus_kit_start(&w->private, w->kit.folder);
        become_logind(w);
        kit_start(&w->kit, scripted);
        serve_until(w, 1);
        fd = ask_somebody(w);
        announce(w, true);
        assert_true(held_for(w, 2000) < 2000);
        announce(w, false);
        serve_until(w, 2);

        json_decref(kit_control(&w->kit, "presence", "{\"mode\":\"once\"}"));
        do
                assert_int_equal(recv(fd, report, sizeof(report), 0), sizeof(report));
        while (report[4] == 0xbb);
        assert_int_equal(report[4], 0x90);
        assert_int_equal(report[7], 0x00);
        close(fd);

        /* What was put off until the answer does not end the new inhibitor. */
        json_decref(kit_control(&w->kit, "list", NULL));
        assert_true(held_for(w, 200) >= 200);
        assert_int_equal(kit_stop(&w->kit), 0);
}

static void a_bus_without_logind_is_no_failure(void **state) {
        struct world *w = *state;
        char command[128];

        bus_kit_start(&w->private, w->kit.folder);
        kit_start(&w->kit, scripted);
        assert_string_equal(kit_state(&w->kit), "ready");
        json_decref(kit_control(&w->kit, "list", NULL));
        assert_int_equal(kit_stop(&w->kit), 0);
        snprintf(command, sizeof(command), "grep -q 'logind lets no sleep be delayed' %s/log",
                 w->kit.folder);
        assert_int_equal(system(command), 0);
        snprintf(command, sizeof(command), "grep -E '^(warning|err)' %s/log", w->kit.folder);
        assert_int_not_equal(system(command), 0);
}

static void end_bus(struct world *w) {
        w->bus = sd_bus_flush_close_unref(w->bus);
        bus_kit_end(&w->private);
}

static void a_bus_that_ends_takes_nothing_with_it(void **state) {
        struct world *w = *state;

        bus_kit_start(&w->private, w->kit.folder);
        become_logind(w);
        kit_start(&w->kit, scripted);
        serve_until(w, 1);
        end_bus(w);
        for (int i = 0; i < 5; i++)
                json_decref(kit_control(&w->kit, "list", NULL));
        kit_assert_alive(&w->kit);
        assert_int_equal(kit_stop(&w->kit), 0);
}

static void a_bus_that_comes_back_is_used_again(void **state) {
        struct world *w = *state;

        bus_kit_start(&w->private, w->kit.folder);
        become_logind(w);
        kit_start(&w->kit, scripted);
        serve_until(w, 1);
        for (unsigned i = 2; i <= 3; i++) {
                end_bus(w);
                assert_true(held_for(w, 2000) < 2000); /* by nobody who is not asked any more */
                bus_kit_start(&w->private, w->kit.folder);
                become_logind(w);
                serve_until(w, i);
        }
        announce(w, true);
        assert_true(held_for(w, 2000) < 2000);
        assert_int_equal(kit_stop(&w->kit), 0);
}

static void a_logind_that_comes_later_or_anew_is_used(void **state) {
        struct world *w = *state;

        bus_kit_start(&w->private, w->kit.folder);
        kit_start(&w->kit, scripted);
        for (unsigned i = 1; i <= 2; i++) {
                become_logind(w);
                serve_until(w, i);
                assert_true(held_for(w, 100) >= 100);
                announce(w, true);
                assert_true(held_for(w, 2000) < 2000);
                w->bus = sd_bus_flush_close_unref(w->bus); /* in the middle of the sleep */
        }
        assert_string_equal(kit_state(&w->kit), "ready");
        assert_int_equal(kit_stop(&w->kit), 0);
}

/* Any program may send a signal to the daemon alone, and the bus lets it through. */
static void a_sleep_that_somebody_else_announces_is_none(void **state) {
        static const char manager[] = "org.freedesktop.login1.Manager";
        struct world *w = *state;
        sd_bus *mallory;

        bus_kit_start(&w->private, w->kit.folder);
        become_logind(w);
        kit_start(&w->kit, scripted);
        serve_until(w, 1);
        mallory = bus_kit_connect(&w->private);
        bus_kit_whisper(mallory, w->kit.pid, "/org/freedesktop/login1", manager, "PrepareForSleep",
                        "b", 1);
        assert_true(held_for(w, 300) >= 300);
        bus_kit_whisper(mallory, w->kit.pid, "/org/freedesktop/login1", manager, "PrepareForSleep",
                        "b", 0);
        bus_kit_whisper(mallory, w->kit.pid, "/org/freedesktop/DBus", "org.freedesktop.DBus",
                        "NameOwnerChanged", "sss", "org.freedesktop.login1", "", ":1.0");
        sd_bus_flush_close_unref(mallory);
        for (int i = 0; i < 3; i++) {
                json_decref(kit_control(&w->kit, "list", NULL));
                while (sd_bus_process(w->bus, NULL) > 0)
                        ;
                assert_int_equal(held_for(w, 50) >= 50, true);
        }
        assert_int_equal(w->n_inhibited, 1); /* each call would have it take another */
        announce(w, true);
        assert_true(held_for(w, 2000) < 2000);
        assert_int_equal(kit_stop(&w->kit), 0);
}

static void without_a_bus_the_daemon_starts(void **state) {
        struct world *w = *state;

        setenv("DBUS_SYSTEM_BUS_ADDRESS", "unix:path=/nonexistent/bus", 1);
        kit_start(&w->kit, scripted);
        assert_string_equal(kit_state(&w->kit), "ready");
        assert_int_equal(kit_stop(&w->kit), 0);
        unsetenv("DBUS_SYSTEM_BUS_ADDRESS");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
        const struct CMUnitTest tests[] = {
                TEST(the_tpm_is_let_go_before_sleep_and_again_before_the_next),
                TEST(a_question_neither_holds_up_sleep_nor_ends_with_it),
                TEST(a_bus_without_logind_is_no_failure),
                TEST(a_bus_that_ends_takes_nothing_with_it),
                TEST(a_bus_that_comes_back_is_used_again),
                TEST(a_logind_that_comes_later_or_anew_is_used),
                TEST(a_sleep_that_somebody_else_announces_is_none),
                TEST(without_a_bus_the_daemon_starts),
        };

        return cmocka_run_group_tests_name("suspend", tests, NULL, NULL);
}
