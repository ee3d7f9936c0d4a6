/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * What a simulator is told over the control socket in place of a person, and what it tells: libfido2
 * as the client whose questions they are about.
 */

#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tests/system/control-kit.h"
#include "tests/system/fido-kit.h"
#include "tests/unit/test.h"

#define TIMEOUT_MS 5000 /* the shortest that can be configured */

static const char *const automatic[] = { "--presence=auto", NULL };
static const char *const scripted[] = { "--presence=script", NULL };
static const char *const two[] = { "--presence=auto", "--set=device.count=2", NULL };

static void sleep_ms(long ms) {
        const struct timespec t = { .tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000 };

        nanosleep(&t, NULL);
}

static void presence(const struct daemon_kit *k, const char *params) {
        kit_assert_done(k, "presence", params);
}

/* ---- ceremonies ---- */

static const unsigned char challenge[32] = "a challenge of thirty-two bytes";

static fido_cred_t *new_request(void) {
        fido_cred_t *cred = fido_cred_new();

        assert_non_null(cred);
        fido_cred_set_type(cred, COSE_ES256);
        fido_cred_set_clientdata_hash(cred, challenge, sizeof(challenge));
        fido_cred_set_rp(cred, "example.com", "Example");
        fido_cred_set_user(cred, (const unsigned char *)"u1", 2, "alice", "Alice", NULL);
        fido_cred_set_rk(cred, FIDO_OPT_TRUE);
        return cred;
}

static int make(fido_dev_t *dev) {
        fido_cred_t *cred = new_request();
        int r = fido_dev_make_cred(dev, cred, NULL);

        fido_cred_free(&cred);
        return r;
}

static int use(fido_dev_t *dev) {
        fido_assert_t *a = fido_assert_new();
        int r;

        assert_non_null(a);
        fido_assert_set_clientdata_hash(a, challenge, sizeof(challenge));
        fido_assert_set_rp(a, "example.com");
        r = fido_dev_get_assert(dev, a, NULL);
        fido_assert_free(&a);
        return r;
}

struct client {
        pthread_t thread;
        fido_dev_t *dev;
        int result;
};

static void *run_use(void *userdata) {
        struct client *c = userdata;

        c->result = use(c->dev);
        return NULL;
}

static void start_use(struct client *c) {
        assert_int_equal(pthread_create(&c->thread, NULL, run_use, c), 0);
}

static int await_use(struct client *c) {
        pthread_join(c->thread, NULL);
        return c->result;
}

/* ---- follow ---- */

static void who_follows_hears_of_questions_answers_and_ends(void **state) {
        struct daemon_kit *k = *state;
        struct kit_follower f;
        fido_dev_t *dev;

        kit_start(k, scripted);
        kit_follow(&f, k, "{}");
        dev = kit_open_key(k);
        presence(k, "{\"mode\":\"once\"}");
        assert_int_equal(make(dev), FIDO_OK);
        kit_expect_event(&f, "question create example.com alice");
        kit_expect_event(&f, "verdict yes");
        kit_expect_event(&f, "done makeCredential 0 CTAP2_OK example.com");

        presence(k, "{\"mode\":\"no\"}");
        assert_int_equal(use(dev), FIDO_ERR_OPERATION_DENIED);
        kit_expect_event(&f, "question use example.com alice");
        kit_expect_event(&f, "verdict no");
        kit_expect_event(&f, "done getAssertion 39 CTAP2_ERR_OPERATION_DENIED example.com");
        kit_close_key(dev);

        kit_assert_done(k, "replug", "{}");
        kit_expect_event(&f, "unplugged 0");
        kit_expect_event(&f, "plugged 0");
        close(f.fd);
        assert_int_equal(kit_stop(k), 0);
}

static void a_u2f_client_is_heard_of_too(void **state) {
        struct daemon_kit *k = *state;
        struct kit_follower f;
        fido_dev_t *dev;
        fido_cred_t *cred;

        kit_start(k, automatic);
        kit_follow(&f, k, "{\"device\":0}");
        dev = kit_open_key(k);
        fido_dev_force_u2f(dev);
        cred = new_request();
        fido_cred_set_rk(cred, FIDO_OPT_OMIT);
        assert_int_equal(fido_dev_make_cred(dev, cred, NULL), FIDO_OK);
        fido_cred_free(&cred);
        kit_close_key(dev);
        kit_expect_event(&f, "question create - -");
        kit_expect_event(&f, "verdict yes");
        kit_expect_event(&f, "done u2fRegister 36864 SW_NO_ERROR -");
        close(f.fd);
}

static void a_device_is_followed_alone_or_all_of_them(void **state) {
        struct daemon_kit *k = *state;
        struct kit_follower all, second;

        kit_start(k, two);
        kit_follow(&all, k, "{}");
        kit_follow(&second, k, "{\"device\":1}");
        kit_assert_done(k, "replug", "{\"device\":0}");
        kit_expect_event(&all, "unplugged 0");
        kit_expect_event(&all, "plugged 0");
        kit_assert_done(k, "replug", "{\"device\":1}");
        kit_expect_event(&all, "unplugged 1");
        kit_expect_event(&all, "plugged 1");
        kit_expect_event(&second, "unplugged 1");
        kit_expect_event(&second, "plugged 1");
        close(all.fd);
        close(second.fd);
}

static void following_is_refused_where_there_is_nothing_to_follow(void **state) {
        struct daemon_kit *k = *state;

        kit_start(k, automatic);
        kit_assert_refused(k, "follow", "{\"device\":3}", "no-device");
        kit_assert_refused(k, "follow", "{\"device\":99}", "bad-request");
        kit_assert_refused(k, "follow", "{\"device\":true}", "bad-request");
        kit_assert_refused(k, "follow", "{\"what\":\"all\"}", "bad-request");
        kit_assert_refused(k, "follow", "{\"user\":4242}", "no-device");
        assert_int_equal(kit_stop(k), 0);
}

static void who_follows_asks_for_nothing_more(void **state) {
        struct daemon_kit *k = *state;
        struct kit_follower f;

        kit_start(k, automatic);
        kit_follow(&f, k, "{}");
        dprintf(f.fd, "{\"v\":1,\"id\":1,\"method\":\"status\"}\n");
        assert_null(kit_next_line(&f));
        close(f.fd);

        /* Also in one go. */
        f.n = 0;
        f.fd = kit_connect(k->control, SOCK_STREAM);
        dprintf(f.fd, "{\"v\":1,\"id\":1,\"method\":\"follow\"}\n"
                      "{\"v\":1,\"id\":2,\"method\":\"status\"}\n");
        json_decref(kit_next_line(&f));
        assert_null(kit_next_line(&f));
        close(f.fd);
        kit_assert_alive(k);
        assert_int_equal(kit_stop(k), 0);
}

/* As many as may connect, over and over: each leaves its place. */
static void who_followed_leaves_nothing_behind(void **state) {
        struct daemon_kit *k = *state;
        struct kit_follower *f = calloc(8, sizeof(*f));

        kit_start(k, automatic);
        for (int round = 0; round < 30; round++) {
                for (int i = 0; i < 7; i++)
                        kit_follow(&f[i], k, "{}");
                for (int i = 0; i < 7; i++)
                        close(f[i].fd);
        }
        kit_follow(&f[0], k, "{}");
        kit_assert_done(k, "replug", "{}");
        kit_expect_event(&f[0], "unplugged 0");
        close(f[0].fd);
        free(f);
        assert_int_equal(kit_stop(k), 0);
}

static void who_does_not_read_is_dropped_and_holds_nobody(void **state) {
        struct daemon_kit *k = *state;
        struct kit_follower lazy, eager;
        size_t n = 0, events = 0;
        json_t *line = NULL;
        fido_dev_t *dev;

        kit_start(k, automatic);
        kit_follow(&lazy, k, "{}");
        dev = kit_open_key(k);
        kit_follow(&eager, k, "{}");
        /* Some 100 bytes each: more than the socket and the daemon keep. */
        for (n = 0; n < 12000; n++) {
                fido_cbor_info_t *info = fido_cbor_info_new();
                const char *e;

                assert_int_equal(fido_dev_get_cbor_info(dev, info), FIDO_OK);
                fido_cbor_info_free(&info);
                e = kit_next_event(&eager);
                assert_string_equal(e, "done getInfo 0 CTAP2_OK -");
        }
        kit_close_key(dev);
        while ((line = kit_next_line(&lazy)) != NULL) {
                json_decref(line);
                events++;
        }
        assert_in_range(events, 100, n - 1);
        close(lazy.fd);
        close(eager.fd);
        assert_int_equal(kit_stop(k), 0);
}

/* ---- words of presence ---- */

static void a_question_that_is_ignored_times_out_and_the_next_is_answered(void **state) {
        const char *settings[] = { "--presence=auto", "--set=presence.timeout=5", NULL };
        struct daemon_kit *k = *state;
        struct kit_follower f;
        fido_dev_t *dev;
        uint64_t before;

        kit_start(k, settings);
        dev = kit_open_key(k);
        assert_int_equal(make(dev), FIDO_OK);
        kit_follow(&f, k, "{}");
        presence(k, "{\"mode\":\"ignore\"}");
        before = kit_now();
        assert_int_equal(use(dev), FIDO_ERR_OPERATION_DENIED);
        assert_true(kit_now() - before >= TIMEOUT_MS - 100);
        kit_expect_event(&f, "question use example.com alice");
        kit_expect_event(&f, "verdict timeout");
        kit_expect_event(&f, "done getAssertion 39 CTAP2_ERR_OPERATION_DENIED example.com");
        assert_int_equal(use(dev), FIDO_OK);
        kit_close_key(dev);
        close(f.fd);
        assert_int_equal(kit_stop(k), 0);
}

static void a_question_that_is_ignored_is_cancelled_by_its_client(void **state) {
        struct daemon_kit *k = *state;
        struct client c;
        struct kit_follower f;

        kit_start(k, automatic);
        c.dev = kit_open_key(k);
        assert_int_equal(make(c.dev), FIDO_OK);
        kit_follow(&f, k, "{}");
        presence(k, "{\"mode\":\"ignore\"}");
        start_use(&c);
        kit_expect_event(&f, "question use example.com alice");
        presence(k, "{\"mode\":\"once\"}");
        sleep_ms(200);
        assert_int_equal(fido_dev_cancel(c.dev), FIDO_OK);
        assert_int_equal(await_use(&c), FIDO_ERR_KEEPALIVE_CANCEL);
        kit_expect_event(&f, "verdict cancelled");
        kit_expect_event(&f, "done getAssertion 45 CTAP2_ERR_KEEPALIVE_CANCEL example.com");
        kit_close_key(c.dev);
        close(f.fd);
        assert_int_equal(kit_stop(k), 0);
}

static void a_yes_comes_after_the_delay_until_that_is_ended(void **state) {
        struct daemon_kit *k = *state;
        fido_dev_t *dev;
        uint64_t before;

        kit_start(k, automatic);
        dev = kit_open_key(k);
        assert_int_equal(make(dev), FIDO_OK);
        presence(k, "{\"mode\":\"delay\",\"ms\":700}");
        for (int i = 0; i < 2; i++) {
                before = kit_now();
                assert_int_equal(use(dev), FIDO_OK);
                assert_true(kit_now() - before >= 690);
        }
        presence(k, "{\"mode\":\"delay\",\"ms\":0}");
        before = kit_now();
        assert_int_equal(use(dev), FIDO_OK);
        assert_true(kit_now() - before < 690);
        kit_close_key(dev);
        assert_int_equal(kit_stop(k), 0);
}

static void words_of_presence_take_what_they_need_and_nothing_else(void **state) {
        static const char *const wrong[] = {
                "{\"mode\":\"delay\"}",
                "{\"mode\":\"delay\",\"ms\":-1}",
                "{\"mode\":\"delay\",\"ms\":600001}",
                "{\"mode\":\"delay\",\"ms\":1.5}",
                "{\"mode\":\"delay\",\"ms\":\"5\"}",
                "{\"mode\":\"delay\",\"ms\":5,\"pin\":\"1234\"}",
                "{\"mode\":\"ignore\",\"ms\":5}",
                "{\"mode\":\"ignore\",\"pin\":\"1234\"}",
                "{\"mode\":\"pin\",\"pin\":\"1234\",\"ms\":5}",
                "{\"mode\":\"pin\",\"pin\":\"\"}",
                "{\"mode\":\"Ignore\"}",
                "{\"mode\":\"\"}",
                "{\"mode\":null}",
                "{}",
        };
        struct daemon_kit *k = *state;

        kit_start(k, automatic);
        for (size_t i = 0; i < ELEMENTSOF(wrong); i++)
                kit_assert_refused(k, "presence", wrong[i], "bad-request");
        presence(k, "{\"mode\":\"delay\",\"ms\":600000}");
        presence(k, "{\"mode\":\"delay\",\"ms\":0}");
        assert_int_equal(kit_stop(k), 0);
}

/* ---- the command line ---- */

/* A child of a shell, whose output and its own error go to the pipe. */
static FILE *start_cli(const struct daemon_kit *k, const char *arguments) {
        char command[512];
        FILE *f;

        snprintf(command, sizeof(command), "TPMAUTHN_SOCKET=%s exec " TPMAUTHN " %s 2>&1",
                 k->control, arguments);
        f = popen(command, "r");
        assert_non_null(f);
        return f;
}

/* The next line that is about no getInfo. */
static void expect_line(FILE *f, const char *end) {
        char line[512];
        size_t n;

        do
                assert_non_null(fgets(line, sizeof(line), f));
        while (strstr(line, "getInfo"));
        n = strlen(line);
        if (n < strlen(end) + 1 || strncmp(line + n - 1 - strlen(end), end, strlen(end)) != 0)
                fail_msg("%s does not end with %s", line, end);
}

static void the_command_line_follows_until_the_daemon_ends(void **state) {
        struct daemon_kit *k = *state;
        char out[512];
        FILE *text, *json;
        fido_dev_t *dev;
        int status;

        kit_start(k, automatic);
        text = start_cli(k, "follow");
        json = start_cli(k, "--json -d 0 follow");
        expect_line(text, "until Ctrl-C");
        expect_line(json, "until Ctrl-C");
        dev = kit_open_key(k);
        assert_int_equal(make(dev), FIDO_OK);
        kit_assert_done(k, "fail-next", "{\"status\":39}");
        assert_int_equal(use(dev), FIDO_ERR_OPERATION_DENIED);
        kit_close_key(dev);
        expect_line(text, "  0 question  create example.com alice");
        expect_line(text, "  0 verdict   yes");
        expect_line(text, "  0 done      makeCredential CTAP2_OK example.com");
        expect_line(text, " getAssertion CTAP2_ERR_OPERATION_DENIED example.com (injected)");
        for (int i = 0; i < 2; i++) {
                json_t *event;

                assert_non_null(fgets(out, sizeof(out), json));
                event = json_loads(out, 0, NULL);
                assert_non_null(json_object_get(event, "type"));
                json_decref(event);
        }
        assert_int_equal(kit_cli(k, "-d 3 follow", out, sizeof(out)), 1);
        assert_int_equal(kit_cli(k, "follow more", out, sizeof(out)), 2);
        assert_int_equal(kit_stop(k), 0);
        expect_line(text, "the daemon has ended the connection");
        status = pclose(text);
        assert_true(WIFEXITED(status));
        assert_int_equal(WEXITSTATUS(status), 3);
        pclose(json);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, kit_setup, kit_teardown)

int main(void) {
        const struct CMUnitTest tests[] = {
                TEST(who_follows_hears_of_questions_answers_and_ends),
                TEST(a_u2f_client_is_heard_of_too),
                TEST(a_device_is_followed_alone_or_all_of_them),
                TEST(following_is_refused_where_there_is_nothing_to_follow),
                TEST(who_follows_asks_for_nothing_more),
                TEST(who_followed_leaves_nothing_behind),
                TEST(who_does_not_read_is_dropped_and_holds_nobody),
                TEST(a_question_that_is_ignored_times_out_and_the_next_is_answered),
                TEST(a_question_that_is_ignored_is_cancelled_by_its_client),
                TEST(a_yes_comes_after_the_delay_until_that_is_ended),
                TEST(words_of_presence_take_what_they_need_and_nothing_else),
                TEST(the_command_line_follows_until_the_daemon_ends),
        };

        fido_init(0);
        return cmocka_run_group_tests_name("daemon-follow", tests, NULL, NULL);
}
