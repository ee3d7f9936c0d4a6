/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The daemon, a simulator behind it, a client that knows no PIN, and agents: one that does its work,
 * and those that are killed, hang, lie, or are not there. What verifies is the TPM's word alone.
 */

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "authenticator/agent-protocol.h"
#include "tests/system/agent-kit.h"
#include "tests/system/fido-kit.h"
#include "tests/unit/test.h"

#define PIN   "tan-2468"
#define WRONG "tan-8642"

/* What "at once" may take where other programs run too. */
#define AT_ONCE_MS 1000

static const char *const settings[] = { "--log-level=debug", NULL };

struct fixture {
        struct daemon_kit kit;
        int agent; /* -1: none */
        fido_dev_t *dev;
        struct kit_passkey passkey;

        /* A client's call that is under way. */
        pthread_t thread;
        int (*call)(struct fixture *f);
        int result;
        uint64_t ended;
};

static int setup(void **state) {
        struct fixture *f = calloc(1, sizeof(*f));

        *state = f;
        f->agent = -1;
        return kit_init(&f->kit);
}

static int teardown(void **state) {
        struct fixture *f = *state;

        if (f->agent >= 0)
                close(f->agent);
        es256_pk_free(&f->passkey.public);
        kit_done(&f->kit);
        free(f);
        return 0;
}

static void cli(const struct fixture *f, const char *arguments, const char *input,
                const char *says) {
        char out[8192];

        if (kit_cli_with(&f->kit, arguments, input, out, sizeof(out)) != 0 || !strstr(out, says))
                fail_msg("tpmauthn %s: %s", arguments, out);
}

/* Clients hear of it when the device is plugged in anew. */
static void await_verify(const struct fixture *f, bool want) {
        const struct timespec step = { .tv_nsec = 20000000 };
        uint64_t until = kit_now() + 10000;
        bool is = !want;

        while (is != want && kit_now() < until) {
                json_t *a = kit_control(&f->kit, "status", NULL), *d;

                d = json_array_get(json_object_get(json_object_get(a, "result"), "devices"), 0);
                is = json_is_true(json_object_get(d, "verify"));
                json_decref(a);
                nanosleep(&step, NULL);
        }
        assert_int_equal(is, want);
}

static void start(struct fixture *f) {
        kit_start(&f->kit, settings);
        cli(f, "pin set", PIN "\n", "The PIN is set.");
        f->agent = agent_connect(&f->kit);
        await_verify(f, true);
        f->dev = kit_open_key(&f->kit);
        assert_true(fido_dev_has_uv(f->dev));
}

/* Nothing of what was typed stands in the log. */
static void stop(struct fixture *f) {
        char command[128];

        if (f->dev)
                kit_close_key(f->dev);
        f->dev = NULL;
        assert_int_equal(kit_stop(&f->kit), 0);
        snprintf(command, sizeof(command), "grep -e " PIN " -e " WRONG " %s/log", f->kit.folder);
        assert_int_not_equal(system(command), 0);
        snprintf(command, sizeof(command), "grep -q -e ready %s/log", f->kit.folder);
        assert_int_equal(system(command), 0);
}

static int times_in_log(const struct fixture *f, const char *text) {
        char command[256];
        FILE *p;
        int n = -1;

        snprintf(command, sizeof(command), "grep -c -e '%s' %s/log", text, f->kit.folder);
        p = popen(command, "r");
        assert_non_null(p);
        assert_int_equal(fscanf(p, "%d", &n), 1);
        pclose(p);
        return n;
}

/* ---- the client ---- */

static int make(struct fixture *f) {
        return kit_make_passkey(f->dev, &f->passkey);
}

static int use(struct fixture *f) {
        return kit_use_passkey(f->dev, &f->passkey);
}

/* A key for a second factor: presence is enough. */
static int make_simple(struct fixture *f) {
        static const unsigned char hash[32] = "a challenge of thirty-two bytes";
        fido_cred_t *cred = fido_cred_new();
        int r;

        assert_int_equal(fido_cred_set_type(cred, COSE_ES256), FIDO_OK);
        assert_int_equal(fido_cred_set_clientdata_hash(cred, hash, sizeof(hash)), FIDO_OK);
        assert_int_equal(fido_cred_set_rp(cred, "example.org", "Example"), FIDO_OK);
        assert_int_equal(fido_cred_set_user(cred, hash, 2, "bob", "Bob", NULL), FIDO_OK);
        r = fido_dev_make_cred(f->dev, cred, NULL);
        fido_cred_free(&cred);
        return r;
}

static void *run_call(void *userdata) {
        struct fixture *f = userdata;

        f->result = f->call(f);
        f->ended = kit_now();
        return NULL;
}

static void begin(struct fixture *f, int (*call)(struct fixture *f)) {
        f->call = call;
        assert_int_equal(pthread_create(&f->thread, NULL, run_call, f), 0);
}

static int result(struct fixture *f) {
        pthread_join(f->thread, NULL);
        return f->result;
}

static void make_with_pin(struct fixture *f) {
        begin(f, make);
        agent_serve(f->agent, true, PIN);
        assert_int_equal(result(f), FIDO_OK);
}

/* ---- an agent that does its work ---- */

static void CP25_a_person_registers_and_signs_in_by_the_agent(void **state) {
        struct fixture *f = *state;
        struct agent_question q;

        start(f);
        begin(f, make);
        q = agent_serve(f->agent, true, PIN);
        assert_int_equal(result(f), FIDO_OK);
        assert_string_equal(q.rp_id, "example.com");
        assert_string_equal(q.verb, AGENT_VERB_VERIFY);
        assert_true(q.verify);
        assert_false(q.passive);
        assert_false(q.again);
        assert_false(q.finger);
        assert_int_equal(q.tries, 3);
        assert_int_equal(q.timeout_ms, 30000);

        begin(f, use);
        agent_serve(f->agent, true, PIN);
        assert_int_equal(result(f), FIDO_OK);

        begin(f, use);
        agent_serve(f->agent, false, NULL);
        assert_int_equal(result(f), FIDO_ERR_OPERATION_DENIED);
        assert_int_equal(kit_retries(f->dev), 8);
        stop(f);
}

static void a_touch_is_a_yes(void **state) {
        struct fixture *f = *state;
        struct agent_question q;

        kit_start(&f->kit, settings);
        f->agent = agent_connect(&f->kit);
        await_verify(f, true);
        f->dev = kit_open_key(&f->kit);
        begin(f, make_simple);
        q = agent_serve(f->agent, true, NULL);
        assert_int_equal(result(f), FIDO_OK);
        assert_string_equal(q.verb, AGENT_VERB_CREATE);
        assert_string_equal(q.rp_id, "example.org");
        assert_string_equal(q.account, "bob");
        assert_false(q.verify);
        stop(f);
}

static void a_wrong_pin_is_asked_for_again(void **state) {
        struct fixture *f = *state;
        struct agent_question q;

        start(f);
        make_with_pin(f);
        begin(f, use);
        agent_serve(f->agent, true, WRONG);
        q = agent_serve(f->agent, true, PIN);
        assert_true(q.again);
        assert_int_equal(q.tries, 2);
        assert_int_equal(result(f), FIDO_OK);
        assert_int_equal(kit_retries(f->dev), 8);
        stop(f);
}

static void the_pin_is_blocked_after_three_wrong_ones(void **state) {
        struct fixture *f = *state;

        start(f);
        make_with_pin(f);
        begin(f, use);
        for (int i = 0; i < 3; i++)
                assert_int_equal(agent_serve(f->agent, true, WRONG).tries, 3 - i);
        assert_int_equal(result(f), FIDO_ERR_UV_BLOCKED);
        assert_int_equal(kit_retries(f->dev), 5);
        stop(f);
}

/* ---- nobody ---- */

static void without_an_agent_the_answer_is_no_at_once(void **state) {
        struct fixture *f = *state;
        uint64_t before;

        kit_start(&f->kit, settings);
        f->dev = kit_open_key(&f->kit);
        assert_false(fido_dev_supports_uv(f->dev));
        cli(f, "status", "", "tpmauthn-agent must run in the session");
        for (int i = 0; i < 2; i++) {
                before = kit_now();
                assert_int_equal(make_simple(f), FIDO_ERR_OPERATION_DENIED);
                assert_true(kit_now() - before < AT_ONCE_MS);
        }
        assert_int_equal(times_in_log(f, "no agent of user"), 1);
        stop(f);
}

/* It may belong to a hardware key. */
static void without_an_agent_a_question_to_all_keys_is_left_to_others(void **state) {
        struct fixture *f = *state;
        int touched = -1;

        kit_start(&f->kit, settings);
        f->dev = kit_open_key(&f->kit);
        assert_int_equal(fido_dev_get_touch_begin(f->dev), FIDO_OK);
        assert_int_equal(fido_dev_get_touch_status(f->dev, &touched, 2000), FIDO_OK);
        assert_int_equal(touched, 0);
        assert_int_equal(fido_dev_cancel(f->dev), FIDO_OK);
        stop(f);
}

static void a_question_to_all_keys_gets_in_nobodys_way(void **state) {
        struct fixture *f = *state;
        struct agent_question q;
        int touched = -1;

        start(f);
        assert_int_equal(fido_dev_get_touch_begin(f->dev), FIDO_OK);
        q = agent_await(f->agent);
        assert_true(q.passive);
        assert_false(q.verify);
        agent_shown(f->agent, &q);
        assert_int_equal(fido_dev_get_touch_status(f->dev, &touched, 1000), FIDO_OK);
        assert_int_equal(touched, 0);
        agent_answer(f->agent, &q, true, NULL);
        assert_int_equal(fido_dev_get_touch_status(f->dev, &touched, 5000), FIDO_OK);
        assert_int_equal(touched, 1);
        stop(f);
}

static void deny_and_ask_are_obeyed(void **state) {
        struct fixture *f = *state;
        struct pollfd p = { .events = POLLIN };

        start(f);
        kit_close_key(f->dev);
        cli(f, "presence deny", "", "");
        await_verify(f, false);
        f->dev = kit_open_key(&f->kit);
        assert_false(fido_dev_supports_uv(f->dev));
        assert_int_equal(make_simple(f), FIDO_ERR_OPERATION_DENIED);
        p.fd = f->agent;
        assert_int_equal(poll(&p, 1, 200), 0);
        kit_close_key(f->dev);
        cli(f, "presence ask", "", "");
        await_verify(f, true);
        f->dev = kit_open_key(&f->kit);
        make_with_pin(f);
        stop(f);
}

/* ---- questions that end without an answer ---- */

static void A38_a_cancel_takes_the_question_away(void **state) {
        struct fixture *f = *state;
        struct agent_question q;

        start(f);
        begin(f, make);
        q = agent_await(f->agent);
        agent_shown(f->agent, &q);
        assert_int_equal(fido_dev_cancel(f->dev), FIDO_OK);
        assert_true(agent_await_withdrawal(f->agent, &q, AGENT_WHY_CANCELLED) < 200);
        assert_int_equal(result(f), FIDO_ERR_KEEPALIVE_CANCEL);
        /* What the person says now is said to nobody. */
        agent_answer(f->agent, &q, true, PIN);
        make_with_pin(f);
        stop(f);
}

/* What is made ready beside a question may take a TPM seconds. */
static void A38_a_cancel_does_not_wait_for_the_tpm(void **state) {
        struct fixture *f = *state;
        struct agent_question q;

        kit_start(&f->kit, settings);
        f->agent = agent_connect(&f->kit);
        await_verify(f, true);
        f->dev = kit_open_key(&f->kit);
        assert_int_equal(kill(kit_swtpm(&f->kit), SIGSTOP), 0);
        begin(f, make_simple);
        q = agent_await(f->agent);
        agent_shown(f->agent, &q);
        assert_int_equal(fido_dev_cancel(f->dev), FIDO_OK);
        assert_true(agent_await_withdrawal(f->agent, &q, AGENT_WHY_CANCELLED) < 200);
        assert_int_equal(kill(kit_swtpm(&f->kit), SIGCONT), 0);
        assert_int_equal(result(f), FIDO_ERR_KEEPALIVE_CANCEL);
        stop(f);
}

/* The command may end a moment after its question; libfido2 takes a busy key for one of U2F. */
static void await_idle(struct fixture *f) {
        const struct timespec step = { .tv_nsec = 20000000 };
        uint64_t until = kit_now() + 10000;

        f->dev = kit_open_key(&f->kit);
        while (!fido_dev_is_fido2(f->dev) && kit_now() < until) {
                kit_close_key(f->dev);
                nanosleep(&step, NULL);
                f->dev = kit_open_key(&f->kit);
        }
}

/* The browser was closed. */
static void a_client_that_goes_takes_its_question_along(void **state) {
        struct fixture *f = *state;
        struct agent_question q;

        start(f);
        assert_int_equal(fido_dev_get_touch_begin(f->dev), FIDO_OK);
        q = agent_await(f->agent);
        agent_shown(f->agent, &q);
        kit_close_key(f->dev);
        assert_true(agent_await_withdrawal(f->agent, &q, AGENT_WHY_CANCELLED) < 200);
        await_idle(f);
        make_with_pin(f);
        stop(f);
}

static void a_question_ends_with_its_time(void **state) {
        static const char *const short_time[] = { "--set=presence.timeout=1s", NULL };
        struct fixture *f = *state;
        struct agent_question q;

        kit_start(&f->kit, short_time);
        f->agent = agent_connect(&f->kit);
        await_verify(f, true);
        f->dev = kit_open_key(&f->kit);
        begin(f, make_simple);
        q = agent_await(f->agent);
        assert_int_equal(q.timeout_ms, 1000);
        agent_shown(f->agent, &q);
        agent_await_withdrawal(f->agent, &q, AGENT_WHY_TIMEOUT);
        assert_int_equal(result(f), FIDO_ERR_OPERATION_DENIED);
        stop(f);
}

/* ---- agents that go wrong ---- */

static void an_agent_that_is_killed_has_said_no(void **state) {
        struct fixture *f = *state;
        uint64_t killed;
        char byte;
        pid_t pid;
        int told;

        start(f);
        pid = agent_spawn(&f->kit, &told);
        begin(f, make);
        assert_int_equal(read(told, &byte, 1), 1);
        killed = kit_now();
        agent_kill(pid);
        assert_int_equal(result(f), FIDO_ERR_OPERATION_DENIED);
        assert_true(f->ended - killed < AT_ONCE_MS);
        close(told);

        /* The one before it goes on. */
        make_with_pin(f);
        stop(f);
}

static void an_agent_that_hangs_has_said_no(void **state) {
        struct fixture *f = *state;
        uint64_t before;
        pid_t pid;
        int told;

        start(f);
        pid = agent_spawn(&f->kit, &told);
        assert_int_equal(kill(pid, SIGSTOP), 0);
        before = kit_now();
        begin(f, make);
        assert_int_equal(result(f), FIDO_ERR_OPERATION_DENIED);
        assert_in_range(f->ended - before, AGENT_SHOWN_MS - 100, AGENT_SHOWN_MS + AT_ONCE_MS);
        make_with_pin(f);
        agent_kill(pid);
        close(told);
        assert_int_equal(times_in_log(f, "it hangs"), 1);
        stop(f);
}

/* Any process of the user can be an agent; none can say who the user is. */
static void an_agent_that_lies_verifies_nobody(void **state) {
        struct fixture *f = *state;
        struct agent_question q;
        char text[96];
        int liar;

        start(f);
        make_with_pin(f);

        liar = agent_connect(&f->kit);
        begin(f, use);
        q = agent_await(liar);
        agent_shown(liar, &q);
        snprintf(text, sizeof(text), "{\"type\":\"finger\",\"id\":%u,\"state\":\"match\"}", q.id);
        agent_say(liar, text);
        snprintf(text, sizeof(text), "{\"type\":\"match\",\"id\":%u}", q.id);
        agent_say(liar, text);
        agent_answer(liar, &q, true, WRONG);
        q = agent_await(liar);
        assert_true(q.again);
        agent_shown(liar, &q);
        agent_answer(liar, &q, true, NULL);
        agent_await_end(liar);
        assert_int_equal(result(f), FIDO_ERR_OPERATION_DENIED);
        assert_int_equal(kit_retries(f->dev), 7);
        close(liar);

        /* Nor one that takes the place of another in the middle of a question. */
        begin(f, use);
        q = agent_await(f->agent);
        agent_shown(f->agent, &q);
        liar = agent_connect(&f->kit);
        agent_shown(liar, &q);
        agent_answer(liar, &q, true, WRONG);
        agent_answer(f->agent, &q, true, PIN);
        assert_int_equal(result(f), FIDO_OK);
        assert_int_equal(kit_retries(f->dev), 8);
        close(liar);
        stop(f);
}

static void packets_of_any_kind_do_not_end_the_daemon(void **state) {
        static const char *const packets[] = {
                "",     "{",        "{}",           "[]",
                "null", "\xff\xfe", "{\"type\":1}", "{\"type\":\"ask\",\"id\":1}"
        };
        struct fixture *f = *state;
        char big[AGENT_PACKET_MAX + 100];

        start(f);
        memset(big, '[', sizeof(big));
        for (size_t i = 0; i <= sizeof(packets) / sizeof(packets[0]); i++) {
                int fd = agent_connect(&f->kit);

                if (i < sizeof(packets) / sizeof(packets[0]))
                        agent_say(fd, packets[i]);
                else
                        assert_int_equal(send(fd, big, sizeof(big), MSG_NOSIGNAL), sizeof(big));
                close(fd);
        }
        kit_assert_alive(&f->kit);
        make_with_pin(f);
        stop(f);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void) {
        const struct CMUnitTest tests[] = {
                TEST(CP25_a_person_registers_and_signs_in_by_the_agent),
                TEST(a_touch_is_a_yes),
                TEST(a_wrong_pin_is_asked_for_again),
                TEST(the_pin_is_blocked_after_three_wrong_ones),
                TEST(without_an_agent_the_answer_is_no_at_once),
                TEST(without_an_agent_a_question_to_all_keys_is_left_to_others),
                TEST(a_question_to_all_keys_gets_in_nobodys_way),
                TEST(deny_and_ask_are_obeyed),
                TEST(A38_a_cancel_takes_the_question_away),
                TEST(A38_a_cancel_does_not_wait_for_the_tpm),
                TEST(a_client_that_goes_takes_its_question_along),
                TEST(a_question_ends_with_its_time),
                TEST(an_agent_that_is_killed_has_said_no),
                TEST(an_agent_that_hangs_has_said_no),
                TEST(an_agent_that_lies_verifies_nobody),
                TEST(packets_of_any_kind_do_not_end_the_daemon),
        };

        fido_init(0);
        signal(SIGPIPE, SIG_IGN);
        return cmocka_run_group_tests_name("daemon-agent", tests, NULL, NULL);
}
