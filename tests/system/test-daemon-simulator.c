/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * What can be had of a simulator only: commands that fail on demand and verification that comes out as
 * is wished, without anything being pretended. And that nothing of it is to be had of a real TPM.
 */

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "tests/system/control-kit.h"
#include "tests/system/fido-kit.h"
#include "tests/system/swtpm.h"
#include "tests/unit/test.h"

#define PIN "2468"

static const char *const automatic[] = { "--presence=auto", NULL };
static const char *const scripted[] = { "--presence=script", NULL };

/* Each is right, but for the device that it is asked of. */
static void assert_all_refused(const struct daemon_kit *k, const char *code) {
        static const struct {
                const char *method, *params;
        } requests[] = {
                { "follow", "{}" },
                { "follow", "{\"device\":0}" },
                { "follow", "{\"frames\":true}" },
                { "follow", "{\"device\":0,\"frames\":true,\"secrets\":true}" },
                { "presence", "{\"mode\":\"ignore\"}" },
                { "presence", "{\"mode\":\"delay\",\"ms\":5}" },
                { "fail-next", "{\"status\":39}" },
                { "fail-next", "{\"status\":0}" },
                { "uv", "{\"result\":\"ok\"}" },
                { "uv", "{\"result\":\"fail\"}" },
                { "uv", "{\"result\":\"blocked\"}" },
        };

        for (size_t i = 0; i < ELEMENTSOF(requests); i++)
                kit_assert_refused(k, requests[i].method, requests[i].params, code);
}

/* With a TPM that is not there, a device is never ready. */
static void a_device_that_is_not_ready_simulates_nothing(void **state) {
        static const char *const nowhere[] = { "--presence=deny", "--tpm=device:/nonexistent/tpm",
                                               NULL };
        struct daemon_kit *k = *state;

        kit_start(k, nowhere);
        assert_all_refused(k, "not-ready");
        assert_int_equal(kit_stop(k), 0);
}

static void a_real_tpm_is_no_simulator(void **state) {
        struct daemon_kit *k = *state;
        struct swtpm tpm = { 0 };
        char setting[512], path[128];
        const char *settings[] = { "--presence=deny", setting, NULL };
        FILE *plan;

        swtpm_start(&tpm);
        snprintf(path, sizeof(path), "%s/plan", tpm.dir);
        plan = fopen(path, "w");
        assert_non_null(plan);
        fputs("hardware\n", plan);
        fclose(plan);
        snprintf(setting, sizeof(setting), "--tpm=%s:dir=%s,%s", WATCH_TCTI, tpm.dir, tpm.tcti);
        kit_start(k, settings);
        assert_string_equal(kit_state(k), "ready");
        assert_all_refused(k, "not-simulator");
        assert_int_equal(kit_stop(k), 0);
        swtpm_end(&tpm);
}

/* ---- fail-next ---- */

static const unsigned char challenge[32] = "a challenge of thirty-two bytes";

static int make(fido_dev_t *dev) {
        fido_cred_t *cred = fido_cred_new();
        int r;

        assert_non_null(cred);
        fido_cred_set_type(cred, COSE_ES256);
        fido_cred_set_clientdata_hash(cred, challenge, sizeof(challenge));
        fido_cred_set_rp(cred, "example.com", "Example");
        fido_cred_set_user(cred, (const unsigned char *)"u1", 2, "alice", "Alice", NULL);
        fido_cred_set_rk(cred, FIDO_OPT_TRUE);
        r = fido_dev_make_cred(dev, cred, NULL);
        fido_cred_free(&cred);
        return r;
}

static int use_with(fido_dev_t *dev, const char *pin, uint32_t *ret_count) {
        fido_assert_t *a = fido_assert_new();
        int r;

        assert_non_null(a);
        fido_assert_set_clientdata_hash(a, challenge, sizeof(challenge));
        fido_assert_set_rp(a, "example.com");
        r = fido_dev_get_assert(dev, a, pin);
        if (r == FIDO_OK)
                *ret_count = fido_assert_sigcount(a, 0);
        fido_assert_free(&a);
        return r;
}

static size_t count_passkeys(const struct daemon_kit *k) {
        json_t *a = kit_control(k, "list", NULL);
        size_t n = json_array_size(json_object_get(json_object_get(a, "result"), "credentials"));

        json_decref(a);
        return n;
}

static void the_next_command_fails_once_and_has_no_effect(void **state) {
        struct daemon_kit *k = *state;
        uint32_t before, after;
        struct kit_follower f;
        fido_dev_t *dev;

        kit_start(k, automatic);
        dev = kit_open_key(k);
        kit_follow(&f, k, "{}");
        kit_assert_done(k, "fail-next", "{\"status\":40}");
        assert_int_equal(make(dev), FIDO_ERR_KEY_STORE_FULL);
        kit_expect_event(&f, "injected makeCredential 40 CTAP2_ERR_KEY_STORE_FULL example.com");
        assert_int_equal(count_passkeys(k), 0);
        assert_int_equal(make(dev), FIDO_OK);
        assert_int_equal(count_passkeys(k), 1);

        assert_int_equal(use_with(dev, NULL, &before), FIDO_OK);
        kit_assert_done(k, "fail-next", "{\"status\":50,\"command\":\"getAssertion\"}");
        assert_int_equal(use_with(dev, NULL, &after), FIDO_ERR_PIN_BLOCKED);
        assert_int_equal(use_with(dev, NULL, &after), FIDO_OK);
        assert_int_equal(after, before + 1);

        kit_assert_done(k, "fail-next", "{\"status\":255,\"command\":\"reset\"}");
        assert_int_equal(fido_dev_reset(dev), 255);
        assert_int_equal(count_passkeys(k), 1);
        close(f.fd);
        kit_close_key(dev);
        assert_int_equal(kit_stop(k), 0);
}

static void others_pass_until_the_command_that_is_named_comes(void **state) {
        struct daemon_kit *k = *state;
        uint32_t count;
        fido_dev_t *dev;

        kit_start(k, automatic);
        kit_assert_done(k, "fail-next", "{\"status\":39,\"command\":\"getAssertion\"}");
        dev = kit_open_key(k);
        assert_int_equal(make(dev), FIDO_OK);
        assert_int_equal(kit_retries(dev), 8);
        /* Neither a power cycle nor a U2F message is one. */
        kit_close_key(dev);
        kit_assert_done(k, "replug", "{}");
        kit_await_state(k, "ready");
        dev = kit_open_key(k);
        assert_int_equal(use_with(dev, NULL, &count), FIDO_ERR_OPERATION_DENIED);
        assert_int_equal(use_with(dev, NULL, &count), FIDO_OK);
        kit_close_key(dev);
        assert_int_equal(kit_stop(k), 0);
}

static void the_last_word_counts_and_zero_takes_it_back(void **state) {
        struct daemon_kit *k = *state;
        fido_dev_t *dev;

        kit_start(k, automatic);
        dev = kit_open_key(k);
        kit_assert_done(k, "fail-next", "{\"status\":39}");
        kit_assert_done(k, "fail-next", "{\"status\":1}");
        assert_int_equal(make(dev), FIDO_ERR_INVALID_COMMAND);
        kit_assert_done(k, "fail-next", "{\"status\":39}");
        kit_assert_done(k, "fail-next", "{\"status\":0}");
        assert_int_equal(make(dev), FIDO_OK);
        kit_close_key(dev);
        assert_int_equal(kit_stop(k), 0);
}

/* Or else one test's words would be the next one's surprise. */
static void a_reset_forgets_what_was_said(void **state) {
        struct daemon_kit *k = *state;
        fido_dev_t *dev;

        kit_start(k, automatic);
        kit_assert_done(k, "fail-next", "{\"status\":40}");
        kit_assert_done(k, "presence", "{\"mode\":\"no\"}");
        kit_assert_done(k, "presence", "{\"mode\":\"delay\",\"ms\":600000}");
        kit_assert_done(k, "reset", "{}");
        dev = kit_open_key(k);
        assert_int_equal(make(dev), FIDO_OK);
        kit_close_key(dev);
        assert_int_equal(kit_stop(k), 0);
}

static void failures_that_cannot_be_are_refused(void **state) {
        static const char *const wrong[] = {
                "{}",
                "{\"status\":256}",
                "{\"status\":-1}",
                "{\"status\":\"39\"}",
                "{\"status\":39.0}",
                "{\"status\":null}",
                "{\"command\":\"reset\"}",
                "{\"status\":39,\"command\":\"getInfo\"}",
                "{\"status\":39,\"command\":\"unknown\"}",
                "{\"status\":39,\"command\":\"getassertion\"}",
                "{\"status\":39,\"command\":\"\"}",
                "{\"status\":39,\"command\":2}",
                "{\"status\":39,\"times\":2}",
        };
        struct daemon_kit *k = *state;
        fido_dev_t *dev;

        kit_start(k, automatic);
        for (size_t i = 0; i < ELEMENTSOF(wrong); i++)
                kit_assert_refused(k, "fail-next", wrong[i], "bad-request");
        dev = kit_open_key(k);
        assert_int_equal(make(dev), FIDO_OK);
        kit_close_key(dev);
        assert_int_equal(kit_stop(k), 0);
}

/* ---- uv ---- */

static fido_dev_t *start_with_pin(struct daemon_kit *k, const char *const *settings) {
        const struct timespec step = { .tv_nsec = 20000000 };
        fido_dev_t *dev;

        kit_start(k, settings);
        kit_assert_done(k, "pin-set", "{\"pin\":\"" PIN "\"}");
        kit_assert_done(k, "presence", "{\"mode\":\"pin\",\"pin\":\"" PIN "\"}");
        for (int i = 0; i < 500 && !kit_can_verify(k); i++)
                nanosleep(&step, NULL);
        dev = kit_open_key(k);
        assert_true(fido_dev_has_uv(dev));
        return dev;
}

static void assert_tries(const struct daemon_kit *k, const char *result, int pin, int uv) {
        char params[64];
        json_t *a, *r;

        snprintf(params, sizeof(params), "{\"result\":\"%s\"}", result);
        a = kit_control(k, "uv", params);
        r = json_object_get(a, "result");
        assert_int_equal(json_integer_value(json_object_get(r, "retries")), pin);
        assert_int_equal(json_integer_value(json_object_get(r, "uv_retries")), uv);
        json_decref(a);
}

static void done(fido_dev_t *dev, struct kit_passkey *p) {
        kit_close_key(dev);
        es256_pk_free(&p->public);
}

static void a_verification_that_fails_costs_a_try_and_ok_gives_it_back(void **state) {
        struct daemon_kit *k = *state;
        fido_dev_t *dev = start_with_pin(k, automatic);
        struct kit_follower f;
        struct kit_passkey p;

        assert_int_equal(kit_make_passkey(dev, &p), FIDO_OK);
        kit_follow(&f, k, "{}");
        assert_tries(k, "fail", 8, 3);
        assert_int_equal(kit_use_passkey(dev, &p), FIDO_ERR_OPERATION_DENIED);
        kit_expect_event(&f, "done clientPIN 0 CTAP2_OK -");
        kit_expect_event(&f, "question verify example.com - verify");
        kit_expect_event(&f, "verdict yes");
        kit_expect_event(&f, "question verify example.com - verify");
        kit_expect_event(&f, "verdict no");
        kit_expect_event(&f, "done clientPIN 39 CTAP2_ERR_OPERATION_DENIED example.com");
        assert_int_equal(kit_retries(dev), 7);
        assert_int_equal(kit_use_passkey(dev, &p), FIDO_ERR_OPERATION_DENIED);
        assert_int_equal(kit_retries(dev), 6);
        assert_tries(k, "ok", 8, 3);
        assert_int_equal(kit_use_passkey(dev, &p), FIDO_OK);
        close(f.fd);
        done(dev, &p);
        assert_int_equal(kit_stop(k), 0);
}

static void a_script_says_yes_once_for_a_verification_that_fails(void **state) {
        struct daemon_kit *k = *state;
        fido_dev_t *dev = start_with_pin(k, scripted);
        struct kit_passkey p;

        kit_assert_done(k, "presence", "{\"mode\":\"once\"}");
        assert_int_equal(kit_make_passkey(dev, &p), FIDO_OK);
        assert_tries(k, "fail", 8, 3);
        kit_assert_done(k, "presence", "{\"mode\":\"once\"}");
        assert_int_equal(kit_use_passkey(dev, &p), FIDO_ERR_OPERATION_DENIED);
        assert_tries(k, "ok", 8, 3);
        kit_assert_done(k, "presence", "{\"mode\":\"once\"}");
        assert_int_equal(kit_use_passkey(dev, &p), FIDO_OK);
        done(dev, &p);
        assert_int_equal(kit_stop(k), 0);
}

static void blocked_verification_is_blocked_at_once_and_by_the_rules(void **state) {
        struct daemon_kit *k = *state;
        fido_dev_t *dev = start_with_pin(k, automatic);
        struct kit_follower f;
        struct kit_passkey p;
        uint32_t count;

        assert_int_equal(kit_make_passkey(dev, &p), FIDO_OK);
        kit_follow(&f, k, "{}");
        assert_tries(k, "blocked", 5, 0);
        assert_int_equal(kit_use_passkey(dev, &p), FIDO_ERR_UV_BLOCKED);
        assert_int_equal(use_with(dev, PIN, &count), FIDO_ERR_PIN_AUTH_BLOCKED);
        /* Nobody was asked. */
        for (const char *e = ""; strncmp(e, "done clientPIN 52", 17) != 0;) {
                e = kit_next_event(&f);
                assert_int_equal(strncmp(e, "done ", 5), 0);
        }
        close(f.fd);

        /* What three in a row have closed opens with a power cycle, and not before. */
        kit_assert_refused(k, "uv", "{\"result\":\"ok\"}", "pin-refused");
        kit_close_key(dev);
        kit_assert_done(k, "replug", "{}");
        kit_await_state(k, "ready");
        dev = kit_open_key(k);
        assert_tries(k, "blocked", 5, 0);
        assert_int_equal(kit_use_passkey(dev, &p), FIDO_ERR_UV_BLOCKED);
        /* The client's own question for the PIN is the way out, until the next time. */
        assert_int_equal(use_with(dev, PIN, &count), FIDO_OK);
        assert_int_equal(kit_retries(dev), 8);
        assert_int_equal(kit_use_passkey(dev, &p), FIDO_ERR_UV_BLOCKED);
        assert_int_equal(kit_retries(dev), 5);

        kit_close_key(dev);
        kit_assert_done(k, "replug", "{}");
        kit_await_state(k, "ready");
        assert_tries(k, "ok", 8, 3);
        dev = kit_open_key(k);
        assert_int_equal(kit_use_passkey(dev, &p), FIDO_OK);
        done(dev, &p);
        assert_int_equal(kit_stop(k), 0);
}

static void there_is_no_verification_without_a_pin(void **state) {
        static const char *const wrong[] = {
                "{}",
                "{\"result\":\"\"}",
                "{\"result\":\"OK\"}",
                "{\"result\":true}",
                "{\"result\":null}",
                "{\"result\":\"ok\",\"pin\":\"1234\"}",
        };
        struct daemon_kit *k = *state;

        kit_start(k, automatic);
        for (size_t i = 0; i < ELEMENTSOF(wrong); i++)
                kit_assert_refused(k, "uv", wrong[i], "bad-request");
        kit_assert_refused(k, "uv", "{\"result\":\"ok\"}", "pin-refused");
        kit_assert_done(k, "pin-set", "{\"pin\":\"" PIN "\"}");
        kit_assert_refused(k, "uv", "{\"result\":\"fail\"}", "pin-refused");
        kit_assert_done(k, "presence", "{\"mode\":\"pin\",\"pin\":\"1357\"}");
        /* One that is known and wrong costs a try like any other. */
        kit_assert_refused(k, "uv", "{\"result\":\"ok\"}", "pin-refused");
        kit_assert_done(k, "presence", "{\"mode\":\"pin\",\"pin\":\"" PIN "\"}");
        assert_tries(k, "fail", 7, 3);
        assert_tries(k, "ok", 8, 3);
        assert_int_equal(kit_stop(k), 0);
}

static void nobody_is_verified_where_the_configuration_says_so(void **state) {
        static const char *const settings[] = { "--presence=auto", "--set=presence.verify=no",
                                                NULL };
        struct daemon_kit *k = *state;

        kit_start(k, settings);
        kit_assert_done(k, "pin-set", "{\"pin\":\"" PIN "\"}");
        kit_assert_refused(k, "uv", "{\"result\":\"ok\"}", "not-allowed");
        kit_assert_refused(k, "uv", "{\"result\":\"blocked\"}", "not-allowed");
        assert_int_equal(kit_stop(k), 0);
}

/* ---- the command line ---- */

static void cli(const struct daemon_kit *k, const char *arguments, const char *input, int status,
                const char *says) {
        char out[8192];
        int got = kit_cli_with(k, arguments, input, out, sizeof(out));

        if (got != status || !strstr(out, says))
                fail_msg("tpmauthn %s: exit %d and not %d, or not '%s': %s", arguments, got, status,
                         says, out);
}

static void the_command_line_has_the_same_words(void **state) {
        struct daemon_kit *k = *state;
        uint32_t count;
        uint64_t before;
        fido_dev_t *dev;

        kit_start(k, automatic);
        dev = kit_open_key(k);
        cli(k, "fail-next 0x28 makeCredential", "", 0, "");
        assert_int_equal(make(dev), FIDO_ERR_KEY_STORE_FULL);
        cli(k, "fail-next 39", "", 0, "");
        cli(k, "fail-next 0", "", 0, "");
        assert_int_equal(make(dev), FIDO_OK);
        cli(k, "fail-next 256", "", 2, "from 0 to 255");
        cli(k, "fail-next PIN", "", 2, "from 0 to 255");
        cli(k, "fail-next -- -1", "", 2, "from 0 to 255");
        cli(k, "fail-next 1 sing", "", 1, "makeCredential");
        cli(k, "fail-next", "", 2, "operands");

        cli(k, "presence delay 400", "", 0, "");
        before = kit_now();
        assert_int_equal(use_with(dev, NULL, &count), FIDO_OK);
        assert_true(kit_now() - before >= 390);
        cli(k, "presence delay 0", "", 0, "");
        cli(k, "presence delay", "", 1, "needs");
        cli(k, "presence delay x", "", 2, "milliseconds");
        cli(k, "presence delay 600001", "", 2, "milliseconds");
        cli(k, "presence once 5", "", 1, "takes no");
        cli(k, "presence ignore", "", 0, "");

        cli(k, "uv fail", "", 1, "There is no PIN yet");
        cli(k, "pin set", PIN "\n", 0, "");
        cli(k, "uv fail", "", 1, "tpmauthn presence pin");
        cli(k, "presence pin", PIN "\n", 0, "");
        cli(k, "uv blocked", "", 0,
            "PINs that may be tried: 5; here: 0.\nThree wrong ones in a row");
        cli(k, "uv ok", "", 1, "tpmauthn replug");
        kit_close_key(dev);
        cli(k, "replug", "", 0, "ready");
        cli(k, "uv ok --json", "", 0, "\"retries\": 8");
        cli(k, "uv maybe", "", 1, "ok, fail or blocked");
        cli(k, "uv", "", 2, "operands");
        assert_int_equal(kit_stop(k), 0);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, kit_setup, kit_teardown)

int main(void) {
        const struct CMUnitTest tests[] = {
                TEST(a_device_that_is_not_ready_simulates_nothing),
                TEST(a_real_tpm_is_no_simulator),
                TEST(the_next_command_fails_once_and_has_no_effect),
                TEST(others_pass_until_the_command_that_is_named_comes),
                TEST(the_last_word_counts_and_zero_takes_it_back),
                TEST(a_reset_forgets_what_was_said),
                TEST(failures_that_cannot_be_are_refused),
                TEST(a_verification_that_fails_costs_a_try_and_ok_gives_it_back),
                TEST(a_script_says_yes_once_for_a_verification_that_fails),
                TEST(blocked_verification_is_blocked_at_once_and_by_the_rules),
                TEST(there_is_no_verification_without_a_pin),
                TEST(nobody_is_verified_where_the_configuration_says_so),
                TEST(the_command_line_has_the_same_words),
        };

        fido_init(0);
        return cmocka_run_group_tests_name("daemon-simulator", tests, NULL, NULL);
}
