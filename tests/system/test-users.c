/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * authenticator/users.c, devices.c and requests.c in the real daemon: users who log in and out, lock and
 * switch, as a logind tells it that is this test, and once python3-dbusmock's; and who reaches what over
 * the control socket.
 */

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "authenticator/agent-protocol.h"
#include "ctap/bytes.h"
#include "tests/system/fido-kit.h"
#include "tests/system/users-kit.h"
#include "tests/unit/test.h"

#define ALICE   1000
#define BOB     1001
#define SERVICE 998 /* a system account */
#define WAIT_MS 20000

/* ---- what the daemon says ---- */

static bool is_so(const struct world *w, uid_t uid, const char *member) {
        json_t *device = device_of(w, uid);
        bool is = json_is_true(json_object_get(device, member));

        json_decref(device);
        return is;
}

static void await_so(const struct world *w, uid_t uid, const char *member, bool want) {
        const struct timespec step = { .tv_nsec = 10000000 };
        uint64_t until = kit_now() + WAIT_MS;

        while (is_so(w, uid, member) != want) {
                assert_true(kit_now() < until);
                nanosleep(&step, NULL);
        }
}

static bool is_usable(const struct world *w, uid_t uid) {
        return is_so(w, uid, "usable");
}

static void await_usable(const struct world *w, uid_t uid, bool want) {
        await_so(w, uid, "usable", want);
}

static bool log_has(const struct world *w, const char *text) {
        char command[256];

        snprintf(command, sizeof(command), "grep -qF '%s' %s/log", text, w->kit.folder);
        return system(command) == 0;
}

/* ---- a client of one user's device ---- */

static const unsigned char challenge[32] = "a challenge of thirty-two bytes";

static int register_for(const struct world *w, uid_t uid) {
        fido_dev_t *dev = open_key_of(w, uid);
        fido_cred_t *cred = fido_cred_new();
        int r;

        assert_int_equal(fido_cred_set_type(cred, COSE_ES256), FIDO_OK);
        assert_int_equal(fido_cred_set_clientdata_hash(cred, challenge, sizeof(challenge)),
                         FIDO_OK);
        assert_int_equal(fido_cred_set_rp(cred, "example.com", "Example"), FIDO_OK);
        assert_int_equal(fido_cred_set_user(cred, (const unsigned char *)"u1", 2, "alice", "Alice",
                                            NULL),
                         FIDO_OK);
        assert_int_equal(fido_cred_set_rk(cred, FIDO_OPT_TRUE), FIDO_OK);
        r = fido_dev_make_cred(dev, cred, NULL);
        fido_cred_free(&cred);
        kit_close_key(dev);
        return r;
}

/* How many passkeys of the site sign in. */
static size_t sign_in_for(const struct world *w, uid_t uid) {
        fido_dev_t *dev = open_key_of(w, uid);
        fido_assert_t *a = fido_assert_new();
        size_t n = 0;

        assert_int_equal(fido_assert_set_clientdata_hash(a, challenge, sizeof(challenge)), FIDO_OK);
        assert_int_equal(fido_assert_set_rp(a, "example.com"), FIDO_OK);
        if (fido_dev_get_assert(dev, a, NULL) == FIDO_OK)
                n = fido_assert_count(a);
        fido_assert_free(&a);
        kit_close_key(dev);
        return n;
}

/* ---- who has a device ---- */

static void without_users_the_daemon_is_ready_and_says_so(void **state) {
        struct world *w = *state;
        char out[1024];

        world_start(w);
        assert_int_equal(count_devices(w), 0);
        assert_int_equal(kit_cli(&w->kit, "status", out, sizeof(out)), 0);
        assert_non_null(strstr(out, "no device: no user is logged in"));
        assert_int_equal(kit_cli(&w->kit, "list", out, sizeof(out)), 1);
        assert_non_null(strstr(out, "no user is logged in"));
        assert_int_equal(kit_stop(&w->kit), 0);
}

static void who_is_logged_in_at_the_start_has_a_device_when_it_is_ready(void **state) {
        struct world *w = *state;

        w->logind = logind_start(&w->bus);
        logind_login(w->logind, "1", ALICE);
        logind_login(w->logind, "2", BOB);
        kit_start(&w->kit, by_agent);
        assert_true(is_in_state(w, ALICE, "ready"));
        assert_true(is_in_state(w, BOB, "ready"));
        assert_int_equal(count_devices(w), 2);
        assert_int_equal(kit_stop(&w->kit), 0);
}

static void each_user_has_passkeys_of_their_own_and_keeps_them(void **state) {
        struct world *w = *state;

        world_start(w);
        log_in(w, "1", ALICE);
        log_in(w, "2", BOB);
        always_yes(w, ALICE);
        always_yes(w, BOB);
        assert_int_equal(register_for(w, ALICE), FIDO_OK);
        assert_int_equal(sign_in_for(w, ALICE), 1);
        assert_int_equal(sign_in_for(w, BOB), 0);

        logind_logout(w->logind, "1");
        await_state(w, ALICE, NULL);
        assert_true(is_in_state(w, BOB, "ready"));
        log_in(w, "3", ALICE);
        always_yes(w, ALICE);
        assert_int_equal(sign_in_for(w, ALICE), 1);
        assert_int_equal(kit_stop(&w->kit), 0);
}

static void who_logs_in_again_at_once_gets_the_device_back(void **state) {
        struct world *w = *state;
        char id[16];

        world_start(w);
        log_in(w, "0", ALICE);
        always_yes(w, ALICE);
        assert_int_equal(register_for(w, ALICE), FIDO_OK);
        for (unsigned i = 0; i < 5; i++) {
                snprintf(id, sizeof(id), "%u", i);
                logind_logout(w->logind, id);
                logind_await_questions(w->logind, 1);
                snprintf(id, sizeof(id), "%u", i + 1);
                log_in(w, id, ALICE);
        }
        always_yes(w, ALICE);
        assert_int_equal(sign_in_for(w, ALICE), 1);
        assert_int_equal(kit_stop(&w->kit), 0);
}

/* A request to the device of this user that the TPM has to answer; on a connection of its own. */
static int ask_the_tpm(const struct world *w, uid_t uid) {
        int fd = kit_connect(w->kit.control, SOCK_STREAM);

        assert_true(fd >= 0);
        dprintf(fd, "{\"v\":1,\"id\":9,\"method\":\"doctor-info\",\"params\":{\"user\":%u}}\n",
                (unsigned)uid);
        return fd;
}

static void a_tpm_that_hangs_at_logout_holds_up_nobody_else(void **state) {
        struct world *w = *state;
        char answer[1024] = "", out[1024];
        pid_t tpm;
        int fd;

        world_start(w);
        log_in(w, "1", ALICE);
        tpm = kit_swtpm(&w->kit);
        assert_true(tpm > 0);
        assert_int_equal(kill(tpm, SIGSTOP), 0);
        fd = ask_the_tpm(w, ALICE);
        json_decref(kit_control(&w->kit, "status", NULL));

        logind_logout(w->logind, "1");
        await_state(w, ALICE, NULL);
        assert_true(recv(fd, answer, sizeof(answer) - 1, 0) > 0);
        assert_non_null(strstr(answer, "not-ready"));
        close(fd);
        logind_login(w->logind, "2", BOB);
        logind_login(w->logind, "3", ALICE);
        await_state(w, BOB, "ready");
        assert_true(is_in_state(w, ALICE, NULL));
        assert_int_equal(kit_cli(&w->kit, "--user 1000 list", out, sizeof(out)), 5);
        assert_non_null(strstr(out, "is about to be there"));

        assert_int_equal(kill(tpm, SIGCONT), 0);
        await_state(w, ALICE, "ready");
        assert_int_equal(kit_stop(&w->kit), 0);
}

static void a_device_stays_until_the_last_session_is_over_or_closing(void **state) {
        struct world *w = *state;

        world_start(w);
        logind_login(w->logind, "1", ALICE);
        log_in(w, "2", ALICE);
        logind_logout(w->logind, "1");
        logind_await_questions(w->logind, 2);
        assert_true(is_in_state(w, ALICE, "ready"));
        logind_set_text(w->logind, "2", "State", "closing");
        await_state(w, ALICE, NULL);
        assert_int_equal(kit_stop(&w->kit), 0);
}

static void a_greeter_and_a_lingering_user_have_none(void **state) {
        struct world *w = *state;

        world_start(w);
        logind_login(w->logind, "c1", 120);
        logind_set_text(w->logind, "c1", "Class", "greeter");
        await_state(w, 120, NULL);
        logind_nudge(w->logind); /* UserNew without a session */
        logind_await_questions(w->logind, 2);
        assert_int_equal(count_devices(w), 0);
        assert_int_equal(kit_stop(&w->kit), 0);
}

static void no_more_than_sixteen_have_one_and_others_are_told(void **state) {
        struct world *w = *state;
        char id[16], out[1024];

        world_start(w);
        for (unsigned i = 0; i < 17; i++) {
                snprintf(id, sizeof(id), "%u", i);
                logind_login(w->logind, id, 2000 + i);
        }
        for (unsigned i = 0; i < 16; i++)
                await_state(w, 2000 + i, "ready");
        assert_int_equal(count_devices(w), 16);
        assert_true(log_has(w, "uid 2016 gets no device for now: there are 16 at most"));
        assert_int_equal(kit_cli(&w->kit, "--user 2016 list", out, sizeof(out)), 1);
        assert_non_null(strstr(out, "All 16 devices are taken by other users"));

        logind_logout(w->logind, "3");
        await_state(w, 2016, "ready");
        assert_int_equal(kit_stop(&w->kit), 0);
}

/* logind's list has those first who came first. */
static void one_user_s_many_sessions_take_no_place_of_others(void **state) {
        struct world *w = *state;
        char id[16];

        w->logind = logind_start(&w->bus);
        for (unsigned i = 0; i < 300; i++) {
                snprintf(id, sizeof(id), "m%u", i);
                logind_login_at(w->logind, id, BOB, "", "tty");
        }
        kit_start(&w->kit, by_agent);
        assert_true(is_in_state(w, BOB, "ready"));
        assert_false(is_usable(w, BOB));
        assert_true(log_has(w, "uid 1001 has more than 16 sessions"));
        assert_false(log_has(w, "more than 256"));
        log_in(w, "1", ALICE);
        await_usable(w, ALICE, true);
        logind_login(w->logind, "2", BOB);
        await_usable(w, BOB, true);
        assert_int_equal(kit_stop(&w->kit), 0);
}

static void without_logind_the_one_who_started_it_has_the_device(void **state) {
        struct world *w = *state;

        kit_start(&w->kit, by_agent);
        assert_true(is_in_state(w, getuid(), "ready"));
        assert_true(is_usable(w, getuid()));
        assert_int_equal(access(w->kit.device, F_OK), 0);

        /* One that comes is followed from then on. */
        w->logind = logind_start(&w->bus);
        await_state(w, getuid(), NULL);
        log_in(w, "1", ALICE);
        assert_int_equal(kit_stop(&w->kit), 0);
}

static void a_seat_has_one_device_for_whoever_sits_there(void **state) {
        static const char *const settings[] = { "--presence=agent", "--set=device.access=seat",
                                                NULL };
        struct world *w = *state;
        json_t *answer, *device;

        w->logind = logind_start(&w->bus);
        kit_start(&w->kit, settings);
        assert_int_equal(count_devices(w), 1);
        answer = kit_control(&w->kit, "status", NULL);
        device = json_array_get(json_object_get(json_object_get(answer, "result"), "devices"), 0);
        assert_string_equal(json_string_value(json_object_get(device, "seat")), "seat0");
        assert_string_equal(json_string_value(json_object_get(device, "id")), "seat0");
        assert_null(json_object_get(device, "user"));
        json_decref(answer);
        logind_login(w->logind, "1", ALICE);
        logind_await_questions(w->logind, 2);
        assert_int_equal(count_devices(w), 1);
        assert_int_equal(kit_stop(&w->kit), 0);
}

/* ---- sessions that are not in front ---- */

static void a_session_that_is_locked_remote_or_behind_is_not_usable(void **state) {
        static const char *const properties[] = { "LockedHint", "Remote", "Active" };
        struct world *w = *state;

        world_start(w);
        log_in(w, "1", ALICE);
        await_usable(w, ALICE, true);
        for (size_t i = 0; i < ELEMENTSOF(properties); i++) {
                bool bad = strcmp(properties[i], "Active") != 0;

                logind_set(w->logind, "1", properties[i], bad);
                await_usable(w, ALICE, false);
                assert_true(is_in_state(w, ALICE, "ready"));
                logind_set(w->logind, "1", properties[i], !bad);
                await_usable(w, ALICE, true);
        }
        assert_int_equal(kit_stop(&w->kit), 0);
}

/* An agent of the account that runs this: its connection, once it may be asked by this one's device. */
static int connect_agent(const struct world *w, uid_t uid) {
        static const char hello[] = "{\"type\":\"hello\",\"v\":1,\"ui\":\"tty\",\"pin\":true}";
        char path[80], packet[AGENT_PACKET_MAX];
        int fd;

        snprintf(path, sizeof(path), "%s/run/agent.sock", w->kit.folder);
        fd = kit_connect(path, SOCK_SEQPACKET);
        assert_true(fd >= 0);
        assert_int_equal(send(fd, hello, strlen(hello), 0), strlen(hello));
        assert_true(recv(fd, packet, sizeof(packet), 0) > 0);
        /* The device is plugged in anew: it can verify now. */
        await_so(w, uid, "verify", true);
        return fd;
}

/* The next packet to the agent, of this type; to be dropped. */
static json_t *agent_hears(int fd, const char *type) {
        struct pollfd p = { .fd = fd, .events = POLLIN };
        char packet[AGENT_PACKET_MAX];
        json_t *j;
        ssize_t n;

        assert_int_equal(poll(&p, 1, WAIT_MS), 1);
        n = recv(fd, packet, sizeof(packet), 0);
        assert_true(n > 0);
        j = json_loadb(packet, (size_t)n, 0, NULL);
        assert_string_equal(json_string_value(json_object_get(j, "type")), type);
        return j;
}

static void agent_says(int fd, const char *type, json_int_t id, const char *rest) {
        char packet[128];
        int n = snprintf(packet, sizeof(packet), "{\"type\":\"%s\",\"id\":%d%s}", type, (int)id,
                         rest);

        assert_int_equal(send(fd, packet, (size_t)n, 0), n);
}

/* A client that asks for authenticatorSelection; what it gets is read by selected(). */
static int select_device(const struct world *w, uid_t uid) {
        uint8_t init[64] = { 0xff, 0xff, 0xff, 0xff, 0x86, 0, 8, 1, 2, 3, 4, 5, 6, 7, 8 };
        uint8_t select[64] = { 0, 0, 0, 0, 0x90, 0, 1, 0x0b };
        uint8_t report[64];
        char path[80];
        int fd;

        snprintf(path, sizeof(path), "%s.%u", w->kit.device, (unsigned)uid);
        fd = kit_connect(uid == ANYBODY ? w->kit.device : path, SOCK_SEQPACKET);
        assert_int_equal(send(fd, init, sizeof(init), 0), sizeof(init));
        assert_int_equal(recv(fd, report, sizeof(report), 0), sizeof(report));
        memcpy(select, report + 15, 4);
        assert_int_equal(send(fd, select, sizeof(select), 0), sizeof(select));
        return fd;
}

/* The status of the answer; -1: the device was unplugged before it came. Closes the connection. */
static int selected(int fd) {
        uint8_t report[64];
        ssize_t n;

        do
                n = recv(fd, report, sizeof(report), 0);
        while (n == sizeof(report) && report[4] == 0xbb);
        close(fd);
        return n == sizeof(report) ? report[7] : -1;
}

static json_int_t await_question(int agent) {
        json_t *ask = agent_hears(agent, AGENT_ASK);
        json_int_t id = json_integer_value(json_object_get(ask, "id"));

        json_decref(ask);
        agent_says(agent, AGENT_SHOWN, id, "");
        return id;
}

struct registration {
        const struct world *w;
        uid_t uid;
        pthread_t thread;
        int result;
};

static void *run_registration(void *userdata) {
        struct registration *r = userdata;

        r->result = register_for(r->w, r->uid);
        return NULL;
}

static void begin_registration(struct registration *r) {
        assert_int_equal(pthread_create(&r->thread, NULL, run_registration, r), 0);
}

static int end_registration(struct registration *r) {
        assert_int_equal(pthread_join(r->thread, NULL), 0);
        return r->result;
}

static void locking_ends_a_question_and_lets_none_be_asked(void **state) {
        struct world *w = *state;
        struct registration r = { .w = w, .uid = getuid() };
        struct pollfd p = { .events = POLLIN };
        json_t *withdraw;

        w->logind = logind_start_with(&w->bus, "1", r.uid);
        kit_start(&w->kit, by_agent);
        await_usable(w, r.uid, true);
        p.fd = connect_agent(w, r.uid);
        begin_registration(&r);
        await_question(p.fd);
        logind_set(w->logind, "1", "LockedHint", true);
        withdraw = agent_hears(p.fd, AGENT_WITHDRAW);
        assert_string_equal(json_string_value(json_object_get(withdraw, "why")), AGENT_WHY_LOCKED);
        json_decref(withdraw);
        assert_int_equal(end_registration(&r), FIDO_ERR_OPERATION_DENIED);

        await_so(w, r.uid, "verify", false);
        assert_false(is_usable(w, r.uid));
        assert_int_equal(register_for(w, r.uid), FIDO_ERR_OPERATION_DENIED);
        assert_int_equal(poll(&p, 1, 0), 0);

        logind_set(w->logind, "1", "LockedHint", false);
        await_so(w, r.uid, "verify", true);
        begin_registration(&r);
        agent_says(p.fd, AGENT_ANSWER, await_question(p.fd), ",\"answer\":\"yes\"");
        assert_int_equal(end_registration(&r), FIDO_OK);
        close(p.fd);
        assert_int_equal(kit_stop(&w->kit), 0);
}

static void who_is_not_at_the_screen_is_not_usable(void **state) {
        struct world *w = *state;

        world_start(w);
        logind_login(w->logind, "1", ALICE);
        await_usable(w, ALICE, true);
        logind_login_at(w->logind, "2", ALICE, "", "tty"); /* su -l of a service of hers */
        logind_login_at(w->logind, "3", ALICE, "", "x11");
        logind_login_at(w->logind, "4", BOB, "", "tty");
        logind_login_at(w->logind, "5", BOB, "", "tty");
        logind_set(w->logind, "5", "Remote", true); /* ssh, and su -l in it */
        await_state(w, BOB, "ready");
        assert_false(is_usable(w, BOB));
        logind_set(w->logind, "1", "LockedHint", true);
        await_usable(w, ALICE, false);
        logind_nudge(w->logind);
        logind_await_questions(w->logind, 6);
        assert_false(is_usable(w, ALICE));

        logind_login_at(w->logind, "6", BOB, "", "x11"); /* a desktop over the network */
        await_usable(w, BOB, true);
        logind_logout(w->logind, "1");
        await_usable(w, ALICE, true);
        assert_int_equal(kit_stop(&w->kit), 0);
}

static void logging_out_ends_a_question_and_unplugs_the_device(void **state) {
        struct world *w = *state;
        uid_t self = getuid();
        int agent, client;

        world_start(w);
        log_in(w, "1", self);
        agent = connect_agent(w, self);
        client = select_device(w, self);
        await_question(agent);
        logind_logout(w->logind, "1");
        assert_int_equal(selected(client), -1);
        close(agent);
        log_in(w, "2", self);
        agent = connect_agent(w, self);
        client = select_device(w, self);
        agent_says(agent, AGENT_ANSWER, await_question(agent), ",\"answer\":\"yes\"");
        assert_int_equal(selected(client), 0);
        close(agent);
        assert_int_equal(kit_stop(&w->kit), 0);
}

static void at_a_seat_the_agent_of_who_sits_there_is_asked(void **state) {
        static const char *const settings[] = { "--presence=agent", "--set=device.access=seat",
                                                NULL };
        struct world *w = *state;
        uid_t other = getuid() + 1;
        char packet[AGENT_PACKET_MAX];
        int agent, client;

        w->logind = logind_start_with(&w->bus, "1", getuid());
        kit_start(&w->kit, settings);
        await_so(w, ANYBODY, "usable", true);
        agent = connect_agent(w, ANYBODY);
        client = select_device(w, ANYBODY);
        agent_says(agent, AGENT_ANSWER, await_question(agent), ",\"answer\":\"yes\"");
        assert_int_equal(selected(client), 0);

        /* Another user comes who sits elsewhere, or nowhere. */
        logind_login_at(w->logind, "3", other, "", "x11");
        logind_await_questions(w->logind, 3);
        logind_login_at(w->logind, "4", other, "seat1", "x11");
        logind_await_questions(w->logind, 4);
        json_decref(kit_control(&w->kit, "status", NULL));
        assert_true(is_usable(w, ANYBODY));
        client = select_device(w, ANYBODY);
        agent_says(agent, AGENT_ANSWER, await_question(agent), ",\"answer\":\"yes\"");
        assert_int_equal(selected(client), 0);

        /* Another user takes the seat, who has no agent; then the first again, whose agent comes back. */
        logind_set(w->logind, "1", "Active", false);
        logind_login(w->logind, "2", other);
        await_so(w, ANYBODY, "verify", false);
        assert_int_equal(recv(agent, packet, sizeof(packet), 0), 0);
        close(agent);
        logind_logout(w->logind, "2");
        await_so(w, ANYBODY, "usable", false);
        logind_set(w->logind, "1", "Active", true);
        await_so(w, ANYBODY, "usable", true);
        agent = connect_agent(w, ANYBODY);
        client = select_device(w, ANYBODY);
        agent_says(agent, AGENT_ANSWER, await_question(agent), ",\"answer\":\"yes\"");
        assert_int_equal(selected(client), 0);
        close(agent);
        assert_int_equal(kit_stop(&w->kit), 0);
}

/* ---- a logind that fails ---- */

static void a_logind_that_answers_wrongly_logs_nobody_out(void **state) {
        static const enum logind_answer answers[] = { LOGIND_ERROR, LOGIND_NONSENSE, LOGIND_EMPTY,
                                                      LOGIND_SILENT };
        struct world *w = *state;

        world_start(w);
        log_in(w, "1", ALICE);
        for (size_t i = 0; i < ELEMENTSOF(answers); i++) {
                logind_answer_with(w->logind, answers[i]);
                logind_nudge(w->logind);
                logind_await_questions(w->logind, 1);
                assert_true(is_in_state(w, ALICE, "ready"));
                logind_set(w->logind, "1", "LockedHint", true);
                logind_set(w->logind, "1", "LockedHint", false);
                json_decref(kit_control(&w->kit, "status", NULL));
                assert_true(is_in_state(w, ALICE, "ready"));
        }
        assert_int_equal(kit_stop(&w->kit), 0);
}

static void what_a_failing_logind_did_not_tell_is_asked_again(void **state) {
        struct world *w = *state;

        world_start(w);
        logind_answer_with(w->logind, LOGIND_NONSENSE);
        logind_login(w->logind, "1", ALICE);
        logind_await_questions(w->logind, 1);
        assert_int_equal(count_devices(w), 0);
        logind_answer_with(w->logind, LOGIND_RIGHT);
        await_state(w, ALICE, "ready");
        assert_int_equal(kit_stop(&w->kit), 0);
}

static bool starter_ever_had_a_device(const struct world *w) {
        char path[80];

        snprintf(path, sizeof(path), "%s/state/users/%u", w->kit.folder, (unsigned)getuid());
        return access(path, F_OK) == 0;
}

static void a_logind_that_fails_at_the_start_is_given_a_while(void **state) {
        struct world *w = *state;

        w->logind = logind_start_with(&w->bus, "1", ALICE);
        logind_fail_first(w->logind, 2);
        kit_start(&w->kit, by_agent);
        assert_true(is_in_state(w, ALICE, "ready"));
        assert_false(starter_ever_had_a_device(w));
        assert_int_equal(kit_stop(&w->kit), 0);

        /* It is not waited for without end. */
        logind_answer_with(w->logind, LOGIND_ERROR);
        kit_start(&w->kit, by_agent);
        assert_true(is_in_state(w, getuid(), "ready"));
        logind_answer_with(w->logind, LOGIND_RIGHT);
        await_state(w, ALICE, "ready");
        await_state(w, getuid(), NULL);
        assert_int_equal(kit_stop(&w->kit), 0);
}

static void a_logind_that_vanishes_takes_no_device_and_its_successor_counts(void **state) {
        struct world *w = *state;

        world_start(w);
        logind_login(w->logind, "1", ALICE);
        logind_login(w->logind, "2", BOB);
        await_state(w, ALICE, "ready");
        await_state(w, BOB, "ready");
        w->logind = logind_end(w->logind);
        await_usable(w, ALICE, false); /* for who would tell that the screen is locked? */
        assert_true(is_in_state(w, ALICE, "ready"));
        assert_true(is_in_state(w, BOB, "ready"));

        /* Bob logged out while nobody could tell. */
        w->logind = logind_start_with(&w->bus, "1", ALICE);
        await_state(w, BOB, NULL);
        assert_true(is_in_state(w, ALICE, "ready"));
        await_usable(w, ALICE, true);
        assert_int_equal(kit_stop(&w->kit), 0);
}

static void a_bus_that_is_restarted_takes_no_device(void **state) {
        struct world *w = *state;

        world_start(w);
        log_in(w, "1", ALICE);
        await_usable(w, ALICE, true);
        bus_kit_end(&w->bus);
        logind_end(w->logind);
        await_usable(w, ALICE, false);
        assert_true(is_in_state(w, ALICE, "ready"));
        bus_kit_start(&w->bus, w->kit.folder);
        w->logind = logind_start_with(&w->bus, "1", ALICE);
        await_usable(w, ALICE, true);
        assert_true(is_in_state(w, ALICE, "ready"));
        logind_logout(w->logind, "1");
        await_state(w, ALICE, NULL);
        assert_int_equal(kit_stop(&w->kit), 0);
}

static void a_service_has_no_device_of_its_own(void **state) {
        struct world *w = *state;
        char path[80];

        if (getuid() != 0)
                skip();
        w->kit.run_as = SERVICE;
        assert_int_equal(chown(w->kit.folder, SERVICE, SERVICE), 0);
        snprintf(path, sizeof(path), "%s/notify", w->kit.folder);
        assert_int_equal(chown(path, SERVICE, SERVICE), 0);
        setenv("INVOCATION_ID", "0123456789abcdef0123456789abcdef", 1);
        kit_start(&w->kit, by_agent);
        unsetenv("INVOCATION_ID");
        assert_int_equal(count_devices(w), 0);
        assert_true(log_has(w, "logind does not answer"));
        w->logind = logind_start_with(&w->bus, "1", ALICE);
        await_state(w, ALICE, "ready");
        assert_int_equal(kit_stop(&w->kit), 0);
        snprintf(path, sizeof(path), "%s/state/users/%u", w->kit.folder, (unsigned)SERVICE);
        assert_int_equal(access(path, F_OK), -1);
        snprintf(path, sizeof(path), "%s/state/users/%u", w->kit.folder, (unsigned)ALICE);
        assert_int_equal(access(path, F_OK), 0);
}

/* With a private simulator there is no sandbox; without a TPM the devices are there, and have failed. */
static void in_the_sandbox_users_are_followed_too(void **state) {
        static const char *const settings[] = { "--presence=agent", "--log-level=debug",
                                                "--tpm=device:/nonexistent/tpm", NULL };
        struct world *w = *state;

        w->logind = logind_start_with(&w->bus, "1", ALICE);
        kit_start(&w->kit, settings);
        assert_false(log_has(w, "sandbox: none"));
        assert_true(is_in_state(w, ALICE, "failed"));
        bus_kit_end(&w->bus);
        w->logind = logind_end(w->logind);
        bus_kit_start(&w->bus, w->kit.folder);
        w->logind = logind_start_with(&w->bus, "2", BOB);
        await_state(w, BOB, "failed");
        await_state(w, ALICE, NULL);
        assert_int_equal(kit_stop(&w->kit), 0);
}

/* Any program may send a signal to the daemon alone, and the bus lets it through. */
static void a_signal_of_somebody_else_is_not_believed(void **state) {
        static const char root[] = "/org/freedesktop/login1";
        struct world *w = *state;
        sd_bus *mallory = bus_kit_connect(&w->bus);

        world_start(w);
        log_in(w, "1", ALICE);
        await_usable(w, ALICE, true);
        logind_nudge(w->logind);
        logind_await_questions(w->logind, 2);
        logind_answer_with(w->logind, LOGIND_SILENT);
        bus_kit_whisper(mallory, w->kit.pid, "/org/freedesktop/DBus", "org.freedesktop.DBus",
                        "NameOwnerChanged", "sss", "org.freedesktop.login1", ":1.0", "");
        bus_kit_whisper(mallory, w->kit.pid, root, "org.freedesktop.login1.Manager",
                        "SessionRemoved", "so", "1", "/org/freedesktop/login1/session/_1");
        logind_await_questions(w->logind, 1); /* it was heard: it is an occasion to ask */
        assert_true(is_in_state(w, ALICE, "ready"));
        assert_true(is_usable(w, ALICE));
        logind_answer_with(w->logind, LOGIND_RIGHT);

        bus_kit_whisper(mallory, w->kit.pid, "/org/freedesktop/login1/session/_1",
                        "org.freedesktop.DBus.Properties", "PropertiesChanged", "sa{sv}as",
                        "org.freedesktop.login1.Session", 1, "LockedHint", "b", 1, 0);
        logind_await_questions(w->logind, 1);
        assert_true(is_in_state(w, ALICE, "ready"));
        assert_true(is_usable(w, ALICE));
        sd_bus_flush_close_unref(mallory);
        assert_int_equal(kit_stop(&w->kit), 0);
}

/* ---- python3-dbusmock's logind, which others wrote ---- */

static void call_mock(sd_bus *bus, const char *path, const char *interface, const char *member,
                      const char *types, ...) {
        sd_bus_error error = SD_BUS_ERROR_NULL;
        sd_bus_message *m = NULL;
        va_list ap;

        assert_true(sd_bus_message_new_method_call(bus, &m, "org.freedesktop.login1", path,
                                                   interface, member) >= 0);
        va_start(ap, types);
        assert_true(sd_bus_message_appendv(m, types, ap) >= 0);
        va_end(ap);
        if (sd_bus_call(bus, m, 0, &error, NULL) < 0)
                fail_msg("%s: %s", member, error.message);
        sd_bus_message_unref(m);
}

static void dbusmock_s_logind_is_followed(void **state) {
        static const char root[] = "/org/freedesktop/login1";
        static const char session[] = "/org/freedesktop/login1/session/c7";
        static const char mock[] = "org.freedesktop.DBus.Mock";
        struct world *w = *state;
        sd_bus *bus = bus_kit_connect(&w->bus);

        w->mock = bus_kit_mock(&w->bus, "logind", "org.freedesktop.login1");
        kit_start(&w->kit, by_agent);
        assert_int_equal(count_devices(w), 0);

        call_mock(bus, root, mock, "AddSession", "ssusb", "c7", "seat0", (uint32_t)ALICE, "alice",
                  1);
        call_mock(bus, root, mock, "EmitSignal", "sssav", "org.freedesktop.login1.Manager",
                  "SessionNew", "so", 2, "s", "c7", "o", session);
        await_state(w, ALICE, "ready");
        await_usable(w, ALICE, true);
        call_mock(bus, session, "org.freedesktop.login1.Session", "SetLockedHint", "b", 1);
        await_usable(w, ALICE, false);
        call_mock(bus, session, "org.freedesktop.login1.Session", "SetLockedHint", "b", 0);
        await_usable(w, ALICE, true);
        call_mock(bus, root, mock, "RemoveObject", "s", session);
        call_mock(bus, root, mock, "EmitSignal", "sssav", "org.freedesktop.login1.Manager",
                  "SessionRemoved", "so", 2, "s", "c7", "o", session);
        await_state(w, ALICE, NULL);
        sd_bus_flush_close_unref(bus);
        assert_int_equal(kit_stop(&w->kit), 0);
}

/* ---- who reaches what over the control socket ---- */

/* tpmauthn as another user; needs root. */
static int cli_as(const struct world *w, uid_t uid, const char *arguments, char *out, size_t size) {
        char command[512];
        size_t n;
        FILE *f;
        int status;

        snprintf(command, sizeof(command),
                 "TPMAUTHN_SOCKET=%s setpriv --reuid=%u --clear-groups " TPMAUTHN " %s 2>&1",
                 w->kit.control, (unsigned)uid, arguments);
        f = popen(command, "r");
        assert_non_null(f);
        n = fread(out, 1, size - 1, f);
        out[n] = '\0';
        status = pclose(f);
        return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/* What a service manager makes it: a folder that everybody may enter. */
static void open_folders(const struct world *w) {
        char path[80];

        snprintf(path, sizeof(path), "%s/run", w->kit.folder);
        assert_int_equal(chmod(w->kit.folder, 0755), 0);
        assert_int_equal(chmod(path, 0755), 0);
}

static void a_user_reaches_their_own_device_alone(void **state) {
        struct world *w = *state;
        char out[4096];

        if (getuid() != 0)
                skip();
        world_start(w);
        logind_login(w->logind, "1", ALICE);
        logind_login(w->logind, "2", BOB);
        await_state(w, ALICE, "ready");
        await_state(w, BOB, "ready");
        open_folders(w);
        always_yes(w, ALICE);
        assert_int_equal(register_for(w, ALICE), FIDO_OK);

        assert_int_equal(cli_as(w, ALICE, "status", out, sizeof(out)), 0);
        assert_non_null(strstr(out, "user      1000"));
        assert_null(strstr(out, "1001"));
        assert_int_equal(cli_as(w, ALICE, "list", out, sizeof(out)), 0);
        assert_non_null(strstr(out, "example.com"));
        assert_int_equal(cli_as(w, BOB, "list", out, sizeof(out)), 0);
        assert_null(strstr(out, "example.com"));
        assert_int_equal(cli_as(w, BOB, "--user 1000 list", out, sizeof(out)), 1);
        assert_non_null(strstr(out, "Only root"));
        assert_int_equal(cli_as(w, BOB, "--user 1000 status", out, sizeof(out)), 1);
        assert_int_equal(cli_as(w, BOB, "--user 1001 status", out, sizeof(out)), 0);
        assert_int_equal(kit_stop(&w->kit), 0);
}

/* [policy] reset = administrator: by CTAP it is test-daemon-policy's. */
static void a_reset_of_the_administrator_s_is_root_s_alone(void **state) {
        static const char *const settings[] = { "--presence=agent",
                                                "--set=policy.reset=administrator", NULL };
        static const char *const commands[] = { "reset --yes", "retire --yes" };
        struct world *w = *state;
        char out[4096];

        if (getuid() != 0)
                skip();
        w->logind = logind_start(&w->bus);
        kit_start(&w->kit, settings);
        log_in(w, "1", ALICE);
        open_folders(w);
        always_yes(w, ALICE);
        assert_int_equal(register_for(w, ALICE), FIDO_OK);
        for (size_t i = 0; i < ELEMENTSOF(commands); i++) {
                assert_int_equal(cli_as(w, ALICE, commands[i], out, sizeof(out)), 1);
                assert_non_null(strstr(out, "only root erases all passkeys"));
        }
        assert_int_equal(sign_in_for(w, ALICE), 1);
        assert_int_equal(kit_cli(&w->kit, "reset --yes --user 1000", out, sizeof(out)), 0);
        assert_int_equal(kit_cli(&w->kit, "list --user 1000", out, sizeof(out)), 0);
        assert_null(strstr(out, "example.com"));
        assert_int_equal(kit_stop(&w->kit), 0);
}

static void who_is_logged_in_from_elsewhere_alone_may_have_no_device(void **state) {
        static const char *const settings[] = { "--presence=agent", "--set=policy.remote=deny",
                                                NULL };
        struct world *w = *state;
        char out[1024];

        w->logind = logind_start(&w->bus);
        kit_start(&w->kit, settings);
        log_in(w, "1", ALICE);
        log_in(w, "2", BOB);
        logind_set(w->logind, "2", "Remote", true);
        await_state(w, BOB, NULL);
        assert_int_equal(kit_cli(&w->kit, "--user 1001 replug", out, sizeof(out)), 1);
        assert_non_null(strstr(out, "[policy] remote = deny"));
        /* One at this machine beside it is enough. */
        log_in(w, "3", BOB);
        logind_logout(w->logind, "3");
        await_state(w, BOB, NULL);
        assert_true(is_in_state(w, ALICE, "ready"));
        assert_int_equal(kit_stop(&w->kit), 0);
}

static void who_has_no_session_is_refused_with_a_reason(void **state) {
        struct world *w = *state;
        char out[1024];

        if (getuid() != 0)
                skip();
        world_start(w);
        log_in(w, "1", ALICE);
        open_folders(w);
        assert_int_equal(cli_as(w, BOB, "status", out, sizeof(out)), 1);
        assert_non_null(strstr(out, "There is no device of your account here"));
        logind_logout(w->logind, "1");
        await_state(w, ALICE, NULL);
        assert_int_equal(cli_as(w, ALICE, "status", out, sizeof(out)), 1);
        assert_int_equal(kit_stop(&w->kit), 0);
}

static void root_says_whose_device_is_meant_where_there_are_several(void **state) {
        struct world *w = *state;
        char out[4096];

        world_start(w);
        log_in(w, "1", ALICE);
        assert_int_equal(kit_cli(&w->kit, "list", out, sizeof(out)), 0);
        log_in(w, "2", BOB);
        assert_int_equal(kit_cli(&w->kit, "list", out, sizeof(out)), 1);
        assert_non_null(strstr(out, "--user"));
        assert_int_equal(kit_cli(&w->kit, "--user 1001 list", out, sizeof(out)), 0);
        assert_int_equal(kit_cli(&w->kit, "--user 1001 replug", out, sizeof(out)), 0);
        assert_int_equal(kit_cli(&w->kit, "--user 1002 replug", out, sizeof(out)), 1);
        assert_non_null(strstr(out, "There is no device of uid 1002 here"));
        assert_int_equal(kit_cli(&w->kit, "--user 1002 list", out, sizeof(out)), 4);
        assert_non_null(strstr(out, "uid 1002 never had a passkey here"));
        assert_int_equal(kit_cli(&w->kit, "--user nobodyknows list", out, sizeof(out)), 2);
        assert_int_equal(kit_cli(&w->kit, "status", out, sizeof(out)), 0);
        assert_non_null(strstr(out, "user      1000"));
        assert_non_null(strstr(out, "user      1001"));
        assert_int_equal(kit_stop(&w->kit), 0);
}

static void a_seat_is_reached_by_who_sits_there_alone(void **state) {
        static const char *const settings[] = { "--presence=agent", "--set=device.access=seat",
                                                NULL };
        struct world *w = *state;
        char out[1024];

        if (getuid() != 0)
                skip();
        w->logind = logind_start_with(&w->bus, "1", ALICE);
        kit_start(&w->kit, settings);
        kit_await_state(&w->kit, "ready");
        open_folders(w);
        assert_int_equal(cli_as(w, ALICE, "status", out, sizeof(out)), 0);
        assert_non_null(strstr(out, "seat0"));
        assert_int_equal(cli_as(w, BOB, "status", out, sizeof(out)), 1);
        assert_non_null(strstr(out, "who sits at this machine"));

        logind_set(w->logind, "1", "Active", false);
        logind_login(w->logind, "2", BOB);
        logind_await_questions(w->logind, 3);
        json_decref(kit_control(&w->kit, "status", NULL));
        assert_int_equal(cli_as(w, BOB, "status", out, sizeof(out)), 0);
        assert_int_equal(cli_as(w, ALICE, "status", out, sizeof(out)), 1);
        assert_int_equal(kit_stop(&w->kit), 0);
}

static void a_user_cannot_take_the_places_of_others(void **state) {
        struct world *w = *state;
        char out[1024];
        int fds[12];

        if (getuid() != 0)
                skip();
        world_start(w);
        log_in(w, "1", ALICE);
        open_folders(w);
        for (size_t i = 0; i < ELEMENTSOF(fds); i++)
                fds[i] = kit_connect(w->kit.control, SOCK_STREAM);
        assert_int_equal(cli_as(w, ALICE, "status", out, sizeof(out)), 0);
        assert_int_equal(kit_cli(&w->kit, "status", out, sizeof(out)), 1);
        assert_non_null(strstr(out, "too many clients"));
        for (size_t i = 0; i < ELEMENTSOF(fds); i++)
                close(fds[i]);
        assert_int_equal(kit_stop(&w->kit), 0);
}

/* A client of this user that ends when the daemon closes its connection; needs root. */
static pid_t start_client_of(const struct world *w, uid_t uid) {
        char byte = 0;
        int ends[2];
        pid_t pid;

        assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
        pid = fork();
        assert_true(pid >= 0);
        if (pid == 0) {
                int fd;

                alarm(WAIT_MS / 1000);
                if (setresuid(uid, uid, uid) < 0)
                        _exit(1);
                fd = kit_connect(w->kit.control, SOCK_STREAM);
                if (fd < 0 || dprintf(fd, "{\"v\":1,\"id\":1,\"method\":\"status\"}\n") < 0 ||
                    recv(fd, &byte, 1, 0) != 1 || write(ends[1], &byte, 1) != 1)
                        _exit(2);
                while (recv(fd, &byte, 1, 0) == 1)
                        ;
                _exit(0);
        }
        close(ends[1]);
        assert_int_equal(read(ends[0], &byte, 1), 1);
        close(ends[0]);
        return pid;
}

static void who_logs_out_keeps_no_connection(void **state) {
        struct world *w = *state;
        int status = -1;
        pid_t client;

        if (getuid() != 0)
                skip();
        world_start(w);
        logind_login(w->logind, "1", ALICE);
        logind_login(w->logind, "2", BOB);
        await_state(w, ALICE, "ready");
        await_state(w, BOB, "ready");
        open_folders(w);
        client = start_client_of(w, ALICE);
        logind_logout(w->logind, "2");
        await_state(w, BOB, NULL);
        assert_int_equal(waitpid(client, &status, WNOHANG), 0);
        logind_logout(w->logind, "1");
        assert_int_equal(waitpid(client, &status, 0), client);
        assert_true(WIFEXITED(status));
        assert_int_equal(WEXITSTATUS(status), 0);
        assert_int_equal(kit_stop(&w->kit), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, world_setup, world_teardown)

int main(void) {
        const struct CMUnitTest tests[] = {
                TEST(without_users_the_daemon_is_ready_and_says_so),
                TEST(who_is_logged_in_at_the_start_has_a_device_when_it_is_ready),
                TEST(each_user_has_passkeys_of_their_own_and_keeps_them),
                TEST(who_logs_in_again_at_once_gets_the_device_back),
                TEST(a_tpm_that_hangs_at_logout_holds_up_nobody_else),
                TEST(a_device_stays_until_the_last_session_is_over_or_closing),
                TEST(a_greeter_and_a_lingering_user_have_none),
                TEST(no_more_than_sixteen_have_one_and_others_are_told),
                TEST(one_user_s_many_sessions_take_no_place_of_others),
                TEST(without_logind_the_one_who_started_it_has_the_device),
                TEST(a_seat_has_one_device_for_whoever_sits_there),
                TEST(a_session_that_is_locked_remote_or_behind_is_not_usable),
                TEST(locking_ends_a_question_and_lets_none_be_asked),
                TEST(who_is_not_at_the_screen_is_not_usable),
                TEST(logging_out_ends_a_question_and_unplugs_the_device),
                TEST(at_a_seat_the_agent_of_who_sits_there_is_asked),
                TEST(a_logind_that_answers_wrongly_logs_nobody_out),
                TEST(what_a_failing_logind_did_not_tell_is_asked_again),
                TEST(a_logind_that_fails_at_the_start_is_given_a_while),
                TEST(a_logind_that_vanishes_takes_no_device_and_its_successor_counts),
                TEST(a_bus_that_is_restarted_takes_no_device),
                TEST(a_service_has_no_device_of_its_own),
                TEST(in_the_sandbox_users_are_followed_too),
                TEST(a_signal_of_somebody_else_is_not_believed),
                TEST(dbusmock_s_logind_is_followed),
                TEST(a_user_reaches_their_own_device_alone),
                TEST(a_reset_of_the_administrator_s_is_root_s_alone),
                TEST(who_is_logged_in_from_elsewhere_alone_may_have_no_device),
                TEST(who_has_no_session_is_refused_with_a_reason),
                TEST(root_says_whose_device_is_meant_where_there_are_several),
                TEST(a_seat_is_reached_by_who_sits_there_alone),
                TEST(a_user_cannot_take_the_places_of_others),
                TEST(who_logs_out_keeps_no_connection),
        };

        fido_init(0);
        return cmocka_run_group_tests_name("users", tests, NULL, NULL);
}
