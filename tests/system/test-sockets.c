/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The two sockets that everybody may connect to, under processes that do so without end: none keeps
 * another user out, and none has a device plugged in anew more often than clients can bear. Needs root
 * for what takes two users.
 */

#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "authenticator/agent-protocol.h"
#include "authenticator/protocol.h"
#include "tests/system/agent-kit.h"
#include "tests/system/bus-kit.h"
#include "tests/system/logind-kit.h"
#include "tests/system/test-daemon-kit.h"
#include "tests/unit/test.h"

#define ALICE         1000
#define BOB           1001
#define STRANGER      65534
#define PROCESSES     8
#define AT_ONCE_MS    3000 /* beside eight busy processes and another test's */
#define PATIENCE_MS   20000
#define LINES_AHEAD   500
#define STATUS        "{\"v\":1,\"id\":1,\"method\":\"status\"}\n"
#define REQUESTS_SIZE (LINES_AHEAD * (sizeof(STATUS) - 1))
#define HELLO         "{\"type\":\"hello\",\"v\":1,\"ui\":\"test\",\"pin\":true}"

struct world {
        struct daemon_kit kit;
        struct bus_kit bus;
        struct logind_kit *logind;
        char agent[80];
        pid_t processes[PROCESSES];
};

static int setup(void **state) {
        struct world *w = calloc(1, sizeof(*w));

        *state = w;
        if (kit_init(&w->kit) < 0)
                return -1;
        snprintf(w->agent, sizeof(w->agent), "%s/run/" AGENT_SOCKET, w->kit.folder);
        bus_kit_start(&w->bus, w->kit.folder);
        return 0;
}

static void end_processes(struct world *w) {
        for (size_t i = 0; i < PROCESSES; i++) {
                if (w->processes[i] <= 0)
                        continue;
                kill(w->processes[i], SIGKILL);
                waitpid(w->processes[i], NULL, 0);
                w->processes[i] = 0;
        }
}

static int teardown(void **state) {
        struct world *w = *state;

        end_processes(w);
        kit_done(&w->kit);
        logind_end(w->logind);
        bus_kit_end(&w->bus);
        free(w);
        return 0;
}

/* The number of devices that are ready. */
static size_t count_ready(const struct world *w) {
        json_t *answer = kit_control(&w->kit, "status", NULL), *device;
        size_t k, n = 0;

        json_array_foreach(json_object_get(json_object_get(answer, "result"), "devices"), k, device)
                n += strcmp(json_string_value(json_object_get(device, "state")), "ready") == 0;
        json_decref(answer);
        return n;
}

/* Alice and Bob are logged in, and anybody may enter the folder of the sockets. */
static void start_for_two(struct world *w) {
        static const char *const settings[] = { "--presence=agent", NULL };
        const struct timespec step = { .tv_nsec = 20000000 };
        uint64_t until = kit_now() + PATIENCE_MS;
        char path[80];

        w->logind = logind_start(&w->bus);
        kit_start(&w->kit, settings);
        logind_login(w->logind, "1", ALICE);
        logind_login(w->logind, "2", BOB);
        while (count_ready(w) < 2) {
                assert_true(kit_now() < until);
                nanosleep(&step, NULL);
        }
        snprintf(path, sizeof(path), "%s/run", w->kit.folder);
        assert_int_equal(chmod(w->kit.folder, 0755), 0);
        assert_int_equal(chmod(path, 0755), 0);
}

/* ---- processes of other users ---- */

static void become(uid_t uid) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (setresuid(uid, uid, uid) < 0)
                _exit(126);
}

static void spawn(struct world *w, uid_t uid, size_t n, void (*run)(const struct world *w)) {
        for (size_t i = 0; i < PROCESSES && n > 0; i++) {
                if (w->processes[i] > 0)
                        continue;
                w->processes[i] = fork();
                assert_true(w->processes[i] >= 0);
                if (w->processes[i] == 0) {
                        become(uid);
                        run(w);
                        _exit(0);
                }
                n--;
        }
        assert_int_equal(n, 0);
}

static void write_requests(char requests[static REQUESTS_SIZE]) {
        for (size_t i = 0; i < LINES_AHEAD; i++)
                memcpy(requests + i * (sizeof(STATUS) - 1), STATUS, sizeof(STATUS) - 1);
}

/* Requests without end on one connection, and all answers are taken. */
static void flood(const struct world *w) {
        static char requests[REQUESTS_SIZE], answers[65536];
        int fd = kit_connect(w->kit.control, SOCK_STREAM);
        size_t sent = 0;

        write_requests(requests);
        for (;;) {
                struct pollfd p = { .fd = fd, .events = POLLIN | POLLOUT };
                ssize_t n;

                if (poll(&p, 1, -1) != 1 || (p.revents & POLLHUP))
                        _exit(1);
                if (p.revents & POLLIN)
                        (void)!recv(fd, answers, sizeof(answers), MSG_DONTWAIT);
                n = send(fd, requests + sent, sizeof(requests) - sent, MSG_DONTWAIT | MSG_NOSIGNAL);
                if (n > 0)
                        sent = (sent + (size_t)n) % sizeof(requests);
        }
}

/* Connections without end. */
static void knock(const struct world *w) {
        for (;;) {
                close(kit_connect(w->agent, SOCK_SEQPACKET));
                close(kit_connect(w->kit.control, SOCK_STREAM));
        }
}

/* Exits with 0 if somebody answers at once there. */
static void call(const char *path, int type, const char *text) {
        struct pollfd p = { .fd = kit_connect(path, type), .events = POLLIN };
        char answer[512];

        /* Who is refused is told so before anything was said. */
        (void)!send(p.fd, text, strlen(text), MSG_NOSIGNAL);
        _exit(poll(&p, 1, AT_ONCE_MS) == 1 && recv(p.fd, answer, sizeof(answer), 0) > 0 ? 0 : 2);
}

/* The same for Bob, who has no other connection. A blocking connect has its time too. */
static bool is_answered(const char *path, int type, const char *text) {
        uint64_t before = kit_now();
        pid_t pid = fork();
        int status = -1;

        assert_true(pid >= 0);
        if (pid == 0) {
                become(BOB);
                alarm(2 * AT_ONCE_MS / 1000);
                call(path, type, text);
        }
        assert_int_equal(waitpid(pid, &status, 0), pid);
        return status == 0 && kit_now() - before < AT_ONCE_MS;
}

/* How many of ten calls are answered, at either socket in turn. */
static unsigned count_answered(const struct world *w) {
        unsigned n = 0;

        for (int i = 0; i < 5; i++) {
                n += is_answered(w->kit.control, SOCK_STREAM, STATUS);
                n += is_answered(w->agent, SOCK_SEQPACKET, HELLO);
        }
        return n;
}

/* ---- who is kept out ---- */

static void a_user_who_floods_keeps_nobody_out(void **state) {
        const struct timespec a_while = { .tv_nsec = 500000000 };
        struct world *w = *state;

        if (getuid() != 0)
                skip();
        start_for_two(w);
        assert_int_equal(count_answered(w), 10);
        spawn(w, ALICE, 6, flood);
        nanosleep(&a_while, NULL);
        assert_int_equal(count_answered(w), 10);
        end_processes(w);
        assert_int_equal(kit_stop(&w->kit), 0);
}

/* The queue of a listener may be full all the time: who waits in front of it has a turn. */
static void a_stranger_who_knocks_keeps_no_agent_out(void **state) {
        const struct timespec a_while = { .tv_nsec = 500000000 };
        struct world *w = *state;

        if (getuid() != 0)
                skip();
        start_for_two(w);
        spawn(w, STRANGER, PROCESSES, knock);
        nanosleep(&a_while, NULL);
        assert_int_equal(count_answered(w), 10);
        end_processes(w);
        assert_int_equal(kit_stop(&w->kit), 0);
}

static int times_in_log(const struct world *w, const char *text) {
        char command[256];
        FILE *p;
        int n = -1;

        snprintf(command, sizeof(command), "grep -cF '%s' %s/log", text, w->kit.folder);
        p = popen(command, "r");
        assert_non_null(p);
        assert_int_equal(fscanf(p, "%d", &n), 1);
        pclose(p);
        return n;
}

static void a_stranger_writes_nothing_into_the_log(void **state) {
        struct world *w = *state;

        if (getuid() != 0)
                skip();
        start_for_two(w);
        logind_logout(w->logind, "2");
        while (count_ready(w) > 1)
                assert_int_equal(usleep(20000), 0);
        assert_true(is_answered(w->kit.control, SOCK_STREAM, STATUS));
        assert_int_equal(times_in_log(w, "refused"), 0);
        assert_int_equal(kit_stop(&w->kit), 0);
}

/* Whoever hung up has no place any more, though the daemon had no time to hear of it. */
static void who_hangs_up_makes_room_at_once(void **state) {
        static const char *const settings[] = { "--presence=deny", NULL };
        struct world *w = *state;
        int fds[PROTOCOL_CLIENTS_MAX];

        kit_start(&w->kit, settings);
        for (int round = 0; round < 100; round++) {
                json_t *answer;

                for (size_t i = 0; i < PROTOCOL_CLIENTS_MAX; i++)
                        fds[i] = kit_connect(w->kit.control, SOCK_STREAM);
                for (size_t i = 0; i < PROTOCOL_CLIENTS_MAX; i++)
                        close(fds[i]);
                answer = kit_control(&w->kit, "status", NULL);
                assert_non_null(json_object_get(answer, "result"));
                json_decref(answer);
        }
        assert_int_equal(kit_stop(&w->kit), 0);
}

/*
 * More lines than have their turn at once, sent in one go: the daemon takes no more of them while its
 * answers wait, so that who sends line by line and takes none would wait for it, and it for them.
 */
static void lines_that_wait_are_all_answered(void **state) {
        static const char *const settings[] = { "--presence=deny", NULL };
        struct world *w = *state;
        char requests[REQUESTS_SIZE], answers[65536];
        size_t n_answers = 0;
        int fd;

        kit_start(&w->kit, settings);
        fd = kit_connect(w->kit.control, SOCK_STREAM);
        assert_true(fd >= 0);
        write_requests(requests);
        assert_int_equal(send(fd, requests, sizeof(requests), MSG_DONTWAIT | MSG_NOSIGNAL),
                         sizeof(requests));
        while (n_answers < LINES_AHEAD) {
                struct pollfd p = { .fd = fd, .events = POLLIN };
                ssize_t n;

                assert_int_equal(poll(&p, 1, PATIENCE_MS), 1);
                n = recv(fd, answers, sizeof(answers), 0);
                assert_true(n > 0);
                for (ssize_t i = 0; i < n; i++)
                        n_answers += answers[i] == '\n';
        }
        assert_int_equal(n_answers, LINES_AHEAD);
        close(fd);
        assert_int_equal(kit_stop(&w->kit), 0);
}

/* ---- power cycles ---- */

#define STORM_MS 3000
#define ANEW     "plugged in anew"
#define READY    " ready: "

static const char *const by_agent[] = { "--presence=agent", NULL };

static void sleep_ms(long ms) {
        const struct timespec t = { .tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000 };

        nanosleep(&t, NULL);
}

static void await_verify(const struct world *w, bool want) {
        uint64_t until = kit_now() + PATIENCE_MS;
        bool is = !want;

        while (is != want) {
                json_t *a = kit_control(&w->kit, "status", NULL), *d;

                assert_true(kit_now() < until);
                d = json_array_get(json_object_get(json_object_get(a, "result"), "devices"), 0);
                is = json_is_true(json_object_get(d, "verify"));
                json_decref(a);
                sleep_ms(20);
        }
}

static void agents_that_come_and_go_do_not_wear_the_device_out(void **state) {
        struct world *w = *state;
        uint64_t until;
        int n = 0;

        kit_start(&w->kit, by_agent);
        until = kit_now() + STORM_MS;
        while (kit_now() < until) {
                int fd = agent_connect(&w->kit);

                sleep_ms(5);
                close(fd);
                n++;
        }
        assert_true(n > 50);
        assert_in_range(times_in_log(w, ANEW), 1, 1 + STORM_MS / 1000);
        await_verify(w, false);
        assert_in_range(times_in_log(w, ANEW), 2, 2 + STORM_MS / 1000);
        assert_int_equal(kit_stop(&w->kit), 0);
}

static void an_agent_that_is_restarted_costs_no_power_cycle(void **state) {
        struct world *w = *state;
        uint64_t before;
        int fd;

        kit_start(&w->kit, by_agent);
        fd = agent_connect(&w->kit);
        await_verify(w, true);
        assert_int_equal(times_in_log(w, ANEW), 1);
        for (int i = 0; i < 5; i++) {
                sleep_ms(300);
                close(fd);
                sleep_ms(100);
                fd = agent_connect(&w->kit);
        }
        sleep_ms(1500);
        assert_int_equal(times_in_log(w, ANEW), 1);

        /* One that stays away is noticed, and one that comes then is at once. */
        close(fd);
        await_verify(w, false);
        sleep_ms(1100);
        before = kit_now();
        fd = agent_connect(&w->kit);
        await_verify(w, true);
        assert_true(kit_now() - before < 500);
        assert_int_equal(times_in_log(w, ANEW), 3);
        close(fd);
        assert_int_equal(kit_stop(&w->kit), 0);
}

static void replugs_without_end_are_one_a_second(void **state) {
        struct world *w = *state;
        uint64_t until;
        int n = 0;

        kit_start(&w->kit, by_agent);
        until = kit_now() + STORM_MS;
        while (kit_now() < until) {
                json_decref(kit_control(&w->kit, "replug", NULL));
                n++;
        }
        assert_true(n > 50);
        kit_await_state(&w->kit, "ready");
        /* The first at the start, and one more that was under way at the end. */
        assert_in_range(times_in_log(w, READY), 2, 2 + STORM_MS / 1000);
        assert_int_equal(kit_stop(&w->kit), 0);
}

/* It is late, and not left out. */
static void a_replug_soon_after_another_is_done_all_the_same(void **state) {
        struct world *w = *state;
        uint64_t before;
        char out[512];

        kit_start(&w->kit, by_agent);
        before = kit_now();
        for (int i = 0; i < 3; i++) {
                assert_int_equal(kit_cli(&w->kit, "replug", out, sizeof(out)), 0);
                assert_non_null(strstr(out, "ready"));
                assert_int_equal(times_in_log(w, READY), 2 + i);
        }
        assert_in_range(kit_now() - before, 2000, 8000);
        assert_int_equal(kit_stop(&w->kit), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
        const struct CMUnitTest tests[] = {
                TEST(a_user_who_floods_keeps_nobody_out),
                TEST(a_stranger_who_knocks_keeps_no_agent_out),
                TEST(a_stranger_writes_nothing_into_the_log),
                TEST(who_hangs_up_makes_room_at_once),
                TEST(lines_that_wait_are_all_answered),
                TEST(agents_that_come_and_go_do_not_wear_the_device_out),
                TEST(an_agent_that_is_restarted_costs_no_power_cycle),
                TEST(replugs_without_end_are_one_a_second),
                TEST(a_replug_soon_after_another_is_done_all_the_same),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
