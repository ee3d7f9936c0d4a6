/* SPDX-License-Identifier: BSD-2-Clause */

/* agent/connection.c, agent.c: between a daemon, played here, and a way of asking, played here too. */

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "agent/agent.h"
#include "agent/ui.h"
#include "authenticator/agent-protocol.h"
#include "tests/unit/test.h"

struct fixture {
        char directory[64];
        struct sockaddr_un address;
        int listener, daemon;
        sd_event *event;
        struct agent *agent;

        /* The way of asking. */
        struct ui ui;
        bool cannot_ask;
        unsigned n_asked, n_withdrawn;
        enum verb verb;
        char site[64], machine[64], note[128], holders[128];
        enum withdrawal why;
        enum finger finger;
};

static struct fixture *fixture_of(struct ui *ui) {
        return container_of(ui, struct fixture, ui);
}

static int fake_ask(struct ui *ui, const struct question *q, const struct prompt *p) {
        struct fixture *f = fixture_of(ui);

        f->n_asked++;
        f->verb = q->verb;
        snprintf(f->site, sizeof(f->site), "%.60s", p->site);
        snprintf(f->machine, sizeof(f->machine), "%.60s", p->machine);
        snprintf(f->note, sizeof(f->note), "%.120s", p->note);
        snprintf(f->holders, sizeof(f->holders), "%.120s", p->holders);
        if (f->cannot_ask)
                return -EIO;
        ui->events->shown(ui->userdata);
        return 0;
}

static void fake_finger(struct ui *ui, enum finger state) {
        fixture_of(ui)->finger = state;
}

static void fake_withdraw(struct ui *ui, enum withdrawal why) {
        fixture_of(ui)->n_withdrawn++;
        fixture_of(ui)->why = why;
}

static const struct ui_ops fake_ops = {
        .name = "fake",
        .ask = fake_ask,
        .finger = fake_finger,
        .withdraw = fake_withdraw,
};

static uint64_t now_ms(void) {
        struct timespec t;

        clock_gettime(CLOCK_MONOTONIC, &t);
        return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

/* Lets the agent do what it has to for so long. */
static void run_for(struct fixture *f, uint64_t ms) {
        uint64_t end = now_ms() + ms;

        for (uint64_t now = now_ms(); now < end; now = now_ms())
                assert_true(sd_event_run(f->event, (end - now) * 1000) >= 0);
}

static bool is_readable(int fd) {
        struct pollfd p = { .fd = fd, .events = POLLIN };

        return poll(&p, 1, 0) > 0;
}

static void run_until_readable(struct fixture *f, int fd, uint64_t ms) {
        uint64_t end = now_ms() + ms;

        while (!is_readable(fd) && now_ms() < end)
                assert_true(sd_event_run(f->event, 5000) >= 0);
        assert_true(is_readable(fd));
}

static void begin_listening(struct fixture *f) {
        unlink(f->address.sun_path);
        f->listener = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
        assert_true(f->listener >= 0);
        assert_int_equal(bind(f->listener, (const struct sockaddr *)&f->address,
                              sizeof(f->address)),
                         0);
        assert_int_equal(listen(f->listener, 4), 0);
}

/* What the agent says next. */
static json_t *hear(struct fixture *f) {
        char text[AGENT_PACKET_MAX];
        json_t *packet;
        ssize_t n;

        run_until_readable(f, f->daemon, 2000);
        n = recv(f->daemon, text, sizeof(text), 0);
        assert_true(n > 0);
        packet = json_loadb(text, (size_t)n, 0, NULL);
        assert_non_null(packet);
        return packet;
}

static void say(struct fixture *f, const char *text) {
        assert_int_equal(send(f->daemon, text, strlen(text), MSG_NOSIGNAL), strlen(text));
        run_for(f, 20);
}

static void assert_heard(struct fixture *f, const char *want) {
        json_t *packet = hear(f), *wanted = json_loads(want, 0, NULL);

        assert_non_null(wanted);
        assert_true(json_equal(packet, wanted));
        json_decref(packet);
        json_decref(wanted);
}

static void accept_agent(struct fixture *f, uint64_t ms) {
        run_until_readable(f, f->listener, ms);
        f->daemon = accept(f->listener, NULL, NULL);
        assert_true(f->daemon >= 0);
        assert_heard(f, "{\"type\":\"hello\",\"v\":1,\"ui\":\"fake\",\"pin\":true,\"hold\":false}");
        say(f, "{\"type\":\"welcome\",\"v\":1,\"device\":\"TPM Passkey\","
               "\"phys\":\"tpmauthn/1000\",\"machine\":\"lab\"}");
}

static void start(struct fixture *f) {
        const struct agent_options options = { .socket = f->address.sun_path,
                                               .sys = f->directory,
                                               .proc = f->directory };

        assert_int_equal(agent_new(f->event, &options, &f->agent), 0);
        f->ui = (struct ui){ &fake_ops, agent_ui_events(), f->agent };
        assert_int_equal(agent_start(f->agent, &f->ui), 0);
}

static void run_in_directory(const struct fixture *f, const char *commands) {
        char text[512];

        snprintf(text, sizeof(text), "cd %s && %s", f->directory, commands);
        assert_int_equal(system(text), 0);
}

static int setup(void **state) {
        struct fixture *f = calloc(1, sizeof(*f));

        strcpy(f->directory, "/tmp/test-agent-XXXXXX");
        assert_non_null(mkdtemp(f->directory));
        f->address.sun_family = AF_UNIX;
        snprintf(f->address.sun_path, sizeof(f->address.sun_path), "%s/agent.sock", f->directory);
        f->listener = f->daemon = -1;
        assert_int_equal(sd_event_new(&f->event), 0);
        *state = f;
        return 0;
}

static int teardown(void **state) {
        struct fixture *f = *state;

        agent_free(f->agent);
        sd_event_unref(f->event);
        if (f->daemon >= 0)
                close(f->daemon);
        if (f->listener >= 0)
                close(f->listener);
        run_in_directory(f, "rm -rf agent.sock class 100 101");
        rmdir(f->directory);
        free(f);
        return 0;
}

static void begin(struct fixture *f) {
        begin_listening(f);
        start(f);
        accept_agent(f, 1000);
}

#define ASK(id, more) \
        "{\"type\":\"ask\",\"id\":" id ",\"verb\":\"use\",\"rp_id\":\"example.org\"" more "}"

static void a_question_is_shown_and_its_answer_sent(void **state) {
        struct fixture *f = *state;

        begin(f);
        say(f, ASK("7", ""));
        assert_heard(f, "{\"type\":\"shown\",\"id\":7}");
        assert_int_equal(f->verb, VERB_USE);
        assert_string_equal(f->site, "example.org");
        assert_string_equal(f->machine, "lab");
        f->ui.events->answered(f->ui.userdata, true, NULL);
        assert_heard(f, "{\"type\":\"answer\",\"id\":7,\"answer\":\"yes\"}");

        say(f, ASK("8", ",\"verify\":true,\"tries\":2,\"again\":true"));
        assert_heard(f, "{\"type\":\"shown\",\"id\":8}");
        assert_string_equal(f->note, "Wrong PIN. 2 tries are left.");
        f->ui.events->answered(f->ui.userdata, true, "\xc3\xa4\"1234");
        assert_heard(f, "{\"type\":\"answer\",\"id\":8,\"answer\":\"yes\","
                        "\"pin\":\"\\u00e4\\\"1234\"}");

        say(f, ASK("9", ""));
        assert_heard(f, "{\"type\":\"shown\",\"id\":9}");
        f->ui.events->answered(f->ui.userdata, false, NULL);
        assert_heard(f, "{\"type\":\"answer\",\"id\":9,\"answer\":\"no\"}");
        assert_int_equal(f->n_withdrawn, 0);
}

/* Each is open in a program of its own. */
static void a_question_is_of_the_device_that_asks(void **state) {
        static const char *const devices[] = {
                "mkdir -p class/hidraw/hidraw3/device 100/fd && ln -s /dev/hidraw3 100/fd/5 && "
                "ln -s /usr/bin/first 100/exe && printf 'first\\0' >100/cmdline && "
                "echo HID_PHYS=tpmauthn/1000 >class/hidraw/hidraw3/device/uevent",
                "mkdir -p class/hidraw/hidraw4/device 101/fd && ln -s /dev/hidraw4 101/fd/5 && "
                "ln -s /usr/bin/second 101/exe && printf 'second\\0' >101/cmdline && "
                "echo HID_PHYS=tpmauthn/1000.1 >class/hidraw/hidraw4/device/uevent",
        };
        struct fixture *f = *state;

        for (size_t i = 0; i < ELEMENTSOF(devices); i++)
                run_in_directory(f, devices[i]);
        begin(f);
        say(f, ASK("7", ",\"phys\":\"tpmauthn/1000.1\""));
        assert_non_null(strstr(f->holders, "second"));
        assert_null(strstr(f->holders, "first"));
        say(f, ASK("8", ",\"phys\":\"tpmauthn/1000\""));
        assert_non_null(strstr(f->holders, "first"));
        assert_null(strstr(f->holders, "second"));
        say(f, ASK("9", ",\"phys\":\"tpmauthn/1000.1\""));
        say(f, ASK("10", ""));
        assert_non_null(strstr(f->holders, "first"));
}

/* Also where the daemon reads nothing: it cannot be held up by an agent nor hold one up. */
static void what_cannot_be_sent_ends_the_connection(void **state) {
        struct fixture *f = *state;
        ssize_t n;
        char c;

        begin(f);
        for (unsigned i = 0; i < 5000 && f->why != WITHDRAWN_LOST; i++) {
                const char *ask = ASK("7", "");

                if (send(f->daemon, ask, strlen(ask), MSG_NOSIGNAL | MSG_DONTWAIT) < 0 &&
                    errno == EPIPE)
                        break;
                assert_true(sd_event_run(f->event, 0) >= 0);
        }
        run_for(f, 50);
        do
                n = recv(f->daemon, &c, 1, MSG_DONTWAIT);
        while (n > 0);
        assert_true(n == 0 || errno == ECONNRESET);
        assert_int_equal(f->why, WITHDRAWN_LOST);
        close(f->daemon);
        accept_agent(f, 2000);
}

static void a_question_is_withdrawn_by_its_number(void **state) {
        struct fixture *f = *state;

        begin(f);
        say(f, ASK("7", ",\"finger\":true"));
        assert_heard(f, "{\"type\":\"shown\",\"id\":7}");
        say(f, "{\"type\":\"withdraw\",\"id\":6,\"why\":\"timeout\"}");
        assert_int_equal(f->n_withdrawn, 0);
        say(f, "{\"type\":\"finger\",\"id\":6,\"state\":\"match\"}");
        assert_int_equal(f->finger, FINGER_NONE);
        say(f, "{\"type\":\"finger\",\"id\":7,\"state\":\"retry\"}");
        assert_int_equal(f->finger, FINGER_RETRY);
        say(f, "{\"type\":\"withdraw\",\"id\":7,\"why\":\"locked\"}");
        assert_int_equal(f->n_withdrawn, 1);
        assert_int_equal(f->why, WITHDRAWN_LOCKED);
        say(f, "{\"type\":\"withdraw\",\"id\":7,\"why\":\"locked\"}");
        assert_int_equal(f->n_withdrawn, 1);
}

static void a_question_takes_the_place_of_the_one_before(void **state) {
        struct fixture *f = *state;

        begin(f);
        say(f, ASK("7", ""));
        assert_heard(f, "{\"type\":\"shown\",\"id\":7}");
        say(f, "{\"type\":\"ask\",\"id\":8,\"verb\":\"create\",\"rp_id\":\"b.example\"}");
        assert_heard(f, "{\"type\":\"shown\",\"id\":8}");
        assert_int_equal(f->n_withdrawn, 1);
        assert_string_equal(f->site, "b.example");
        f->ui.events->answered(f->ui.userdata, true, NULL);
        assert_heard(f, "{\"type\":\"answer\",\"id\":8,\"answer\":\"yes\"}");
}

static void a_question_goes_away_when_its_time_is_over(void **state) {
        struct fixture *f = *state;

        begin(f);
        say(f, ASK("7", ",\"timeout\":100"));
        assert_heard(f, "{\"type\":\"shown\",\"id\":7}");
        run_for(f, 700);
        assert_int_equal(f->n_withdrawn, 0);
        run_for(f, 600);
        assert_int_equal(f->n_withdrawn, 1);
        assert_int_equal(f->why, WITHDRAWN_TIMEOUT);
        assert_false(is_readable(f->daemon));
}

static void what_cannot_be_shown_is_refused(void **state) {
        struct fixture *f = *state;

        begin(f);
        f->cannot_ask = true;
        say(f, ASK("7", ""));
        assert_heard(f, "{\"type\":\"answer\",\"id\":7,\"answer\":\"no\"}");
        /* A no to a passive one would end what was meant for another key. */
        say(f, ASK("8", ",\"passive\":true"));
        assert_heard(f, "{\"type\":\"shown\",\"id\":8}");
        run_for(f, 50);
        assert_false(is_readable(f->daemon));
}

static void nobody_says_no_to_a_passive_question(void **state) {
        struct fixture *f = *state;

        begin(f);
        say(f, ASK("7", ",\"passive\":true"));
        assert_heard(f, "{\"type\":\"shown\",\"id\":7}");
        f->ui.events->answered(f->ui.userdata, false, NULL);
        run_for(f, 50);
        assert_false(is_readable(f->daemon));
        say(f, ASK("8", ",\"passive\":true"));
        assert_heard(f, "{\"type\":\"shown\",\"id\":8}");
        f->ui.events->answered(f->ui.userdata, true, NULL);
        assert_heard(f, "{\"type\":\"answer\",\"id\":8,\"answer\":\"yes\"}");
}

static void unknown_packets_are_passed_over_and_broken_ones_end_it(void **state) {
        struct fixture *f = *state;
        char c;

        begin(f);
        say(f, "{\"type\":\"weather\",\"id\":7}");
        say(f, "{\"type\":\"ask\",\"id\":7,\"verb\":\"dance\"}");
        assert_int_equal(f->n_asked, 0);
        say(f, ASK("8", ""));
        assert_heard(f, "{\"type\":\"shown\",\"id\":8}");
        say(f, "{\"type\":");
        assert_int_equal(f->why, WITHDRAWN_LOST);
        assert_int_equal(recv(f->daemon, &c, 1, MSG_DONTWAIT), 0);
}

static void an_agent_waits_for_a_daemon_and_finds_it_again(void **state) {
        struct fixture *f = *state;

        start(f);
        run_for(f, 350);
        begin_listening(f);
        accept_agent(f, 2000);
        say(f, ASK("7", ""));
        assert_heard(f, "{\"type\":\"shown\",\"id\":7}");

        /* The daemon restarts. */
        close(f->daemon);
        close(f->listener);
        run_for(f, 20);
        assert_int_equal(f->why, WITHDRAWN_LOST);
        run_for(f, 200);
        begin_listening(f);
        accept_agent(f, 5000);
        say(f, ASK("8", ""));
        assert_heard(f, "{\"type\":\"shown\",\"id\":8}");
}

/* As the older of two agents of one session sees it. */
static void a_daemon_that_drops_the_agent_is_asked_less_and_less(void **state) {
        struct fixture *f = *state;
        uint64_t before[5];

        begin_listening(f);
        start(f);
        for (unsigned i = 0; i < ELEMENTSOF(before); i++) {
                accept_agent(f, 3000);
                close(f->daemon);
                before[i] = now_ms();
        }
        f->daemon = -1;
        assert_true(before[1] - before[0] >= 80);
        assert_true(before[4] - before[3] >= 700);
}

static void a_path_that_is_too_long_is_an_error(void **state) {
        struct fixture *f = *state;
        char path[200];
        const struct agent_options options = { .socket = path, .sys = "/", .proc = "/" };

        memset(path, 'x', sizeof(path) - 1);
        path[sizeof(path) - 1] = '\0';
        assert_int_equal(agent_new(f->event, &options, &f->agent), 0);
        f->ui = (struct ui){ &fake_ops, agent_ui_events(), f->agent };
        assert_int_equal(agent_start(f->agent, &f->ui), -ENAMETOOLONG);
}

#define WITH_FIXTURE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void) {
        const struct CMUnitTest tests[] = {
                WITH_FIXTURE(a_question_is_shown_and_its_answer_sent),
                WITH_FIXTURE(a_question_is_of_the_device_that_asks),
                WITH_FIXTURE(what_cannot_be_sent_ends_the_connection),
                WITH_FIXTURE(a_question_is_withdrawn_by_its_number),
                WITH_FIXTURE(a_question_takes_the_place_of_the_one_before),
                WITH_FIXTURE(a_question_goes_away_when_its_time_is_over),
                WITH_FIXTURE(what_cannot_be_shown_is_refused),
                WITH_FIXTURE(nobody_says_no_to_a_passive_question),
                WITH_FIXTURE(unknown_packets_are_passed_over_and_broken_ones_end_it),
                WITH_FIXTURE(an_agent_waits_for_a_daemon_and_finds_it_again),
                WITH_FIXTURE(a_daemon_that_drops_the_agent_is_asked_less_and_less),
                WITH_FIXTURE(a_path_that_is_too_long_is_an_error),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
