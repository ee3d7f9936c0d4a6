/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * ctap/pin.c: tries, blocks and the latch, what outlives what, and what becomes of the PIN when the
 * power goes in the middle.
 */

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "ctap/pin.h"
#include "tests/fake/pin-client.h"
#include "tests/unit/test.h"

#define PIN   "1234"
#define OTHER "a longer one"
#define WRONG "4321"

#define assert_status(got, expected) assert_int_equal((got), (expected))

static uint8_t set(struct client *c, const char *pin) {
        return (uint8_t)ctap_pin_set(c->ctap, BYTES_TEXT(pin));
}

static uint8_t change(struct client *c, const char *old, const char *pin) {
        return (uint8_t)ctap_pin_change(c->ctap, BYTES_TEXT(old), BYTES_TEXT(pin));
}

static struct ctap_pin_info describe(struct client *c) {
        struct ctap_pin_info info;

        assert_int_equal(ctap_pin_describe(c->ctap, &info), CTAP_OK);
        return info;
}

static int setup_with_pin(void **state) {
        struct platform p;
        int r;

        r = client_setup(state);
        if (r == 0)
                assert_status(pin_set(*state, &p, 2, PIN), CTAP_OK);
        fake_forget_trace(((struct client *)*state)->fake);
        return r;
}

#define test_with_pin(f) cmocka_unit_test_setup_teardown(f, setup_with_pin, client_teardown)

/* As if the program had been started again. */
static void restart(struct client *c) {
        const struct ctap_options options = { .max_message = CLIENT_MESSAGE };

        c->ctap = ctap_free(c->ctap);
        assert_int_equal(ctap_new(&c->fake->env, &options, &c->ctap), 0);
        ctap_power_up(c->ctap);
}

static bool is_pin(struct client *c, const char *pin) {
        struct platform p;

        return pin_get_token(c, &p, 2, pin) == CTAP_OK && pin_token_is_good(c, &p);
}

/* ---- what is kept ---- */

static void CP1_the_pin_and_its_tries_outlive_the_program(void **state) {
        struct client *c = *state;
        struct platform p, old;

        c->fake->settings.force_pin_change = true;
        assert_status(pin_get_token(c, &p, 1, WRONG), CTAP2_ERR_PIN_INVALID);
        restart(c);
        assert_true(describe(c).is_set);
        assert_true(describe(c).must_change);
        assert_int_equal(describe(c).retries, 7);
        assert_int_equal(describe(c).uv_retries, 3);
        assert_int_equal(c->fake->settings.pin_length, 4);

        c->fake->settings.force_pin_change = false;
        assert_status(pin_get_token(c, &old, 2, PIN), CTAP_OK);
        restart(c);
        assert_false(pin_token_is_good(c, &old));
        assert_true(is_pin(c, PIN));
}

static void CP1_only_a_hash_of_the_pin_reaches_the_device(void **state) {
        struct client *c = *state;
        uint8_t storage[16];
        struct buf hash = BUF_ON(storage);

        platform_put_pin_hash(PIN, &hash);
        assert_bytes_equal(BYTES_OF(c->fake->pin), buf_bytes(&hash));
}

static void CP2_both_protocols_and_all_clients_share_the_tries(void **state) {
        struct client *c = *state;
        struct platform one, two;

        assert_status(pin_get_token(c, &one, 1, WRONG), CTAP2_ERR_PIN_INVALID);
        c->channel++;
        assert_int_equal(pin_retries(c), 7);
        assert_status(pin_change(c, &two, 2, WRONG, OTHER), CTAP2_ERR_PIN_INVALID);
        assert_status(change(c, WRONG, OTHER), CTAP2_ERR_PIN_AUTH_BLOCKED);
        assert_int_equal(pin_retries(c), 5);
        for (unsigned protocol = 1; protocol <= 2; protocol++)
                assert_status(pin_get_token(c, &one, protocol, PIN), CTAP2_ERR_PIN_AUTH_BLOCKED);

        ctap_power_up(c->ctap);
        for (unsigned protocol = 1; protocol <= 2; protocol++)
                assert_status(pin_get_token(c, &one, protocol, PIN), CTAP_OK);
        assert_int_equal(pin_retries(c), 8);
}

/* Two clients that got their key before either tried. */
static void CP2_the_agreement_of_another_client_may_be_ended_by_a_wrong_pin(void **state) {
        struct client *c = *state;
        struct platform one, two, same;

        pin_agree(c, &one, 1);
        pin_agree(c, &two, 2);
        pin_agree(c, &same, 2);
        pin_ask_for_token(c, &two, WRONG);
        assert_status(client_send(c), CTAP2_ERR_PIN_INVALID);
        pin_ask_to_change(c, &same, PIN, OTHER);
        assert_status(client_send(c), CTAP2_ERR_PIN_AUTH_INVALID);
        pin_ask_for_token(c, &one, PIN);
        assert_status(client_send(c), CTAP_OK);
        pin_read_token(c, &one);
        assert_true(pin_token_is_good(c, &one));
}

/* Whatever becomes of the answer, and of the program, the device has counted. */
static void CP3_a_try_is_counted_before_anything_is_told(void **state) {
        struct client *c = *state;
        struct platform p;

        pin_agree(c, &p, 1);
        pin_ask_for_token(c, &p, WRONG);
        fake_forget_trace(c->fake);
        fake_fail(c->fake, "pin_retries", 3, -EIO);
        assert_status(client_send(c), CTAP1_ERR_OTHER);
        assert_string_equal(c->fake->trace, "pin_retries pin_retries pin_verify pin_retries");
        assert_int_equal(c->fake->pin_count, 1);
        assert_int_equal(c->ctap->pin_mismatches, 1);
        restart(c);
        assert_int_equal(pin_retries(c), 7);
}

/* ---- tries and latch ---- */

static void CP4_three_wrong_ones_in_a_row_latch(void **state) {
        struct client *c = *state;
        struct platform p;
        bool power_cycle;

        for (unsigned i = 0; i < 2; i++)
                assert_status(pin_get_token(c, &p, 2, WRONG), CTAP2_ERR_PIN_INVALID);
        pin_begin(c, PIN_GET_RETRIES, 0);
        assert_status(client_send(c), CTAP_OK);
        assert_int_equal(pin_read_retries(c, &power_cycle), 6);
        assert_false(power_cycle);
        assert_status(pin_get_token(c, &p, 2, WRONG), CTAP2_ERR_PIN_AUTH_BLOCKED);

        fake_forget_trace(c->fake);
        assert_status(pin_get_token(c, &p, 1, PIN), CTAP2_ERR_PIN_AUTH_BLOCKED);
        assert_status(pin_get_token_for(c, &p, 2, PIN, 1, CLIENT_RP), CTAP2_ERR_PIN_AUTH_BLOCKED);
        assert_status(pin_change(c, &p, 2, PIN, OTHER), CTAP2_ERR_PIN_AUTH_BLOCKED);
        assert_status(change(c, PIN, OTHER), CTAP2_ERR_PIN_AUTH_BLOCKED);
        assert_int_equal(fake_calls(c->fake, "pin_verify"), 0);
        assert_int_equal(fake_calls(c->fake, "pin_change"), 0);

        pin_begin(c, PIN_GET_RETRIES, 0);
        assert_status(client_send(c), CTAP_OK);
        assert_int_equal(pin_read_retries(c, &power_cycle), 5);
        assert_true(power_cycle);
        assert_true(describe(c).is_latched);

        ctap_suspend(c->ctap);
        assert_status(pin_get_token(c, &p, 1, PIN), CTAP2_ERR_PIN_AUTH_BLOCKED);
        ctap_power_up(c->ctap);
        assert_false(describe(c).is_latched);
        assert_status(pin_get_token(c, &p, 1, PIN), CTAP_OK);
}

static void CP4_one_that_takes_the_place_of_another_counts_on(void **state) {
        struct client *c = *state;
        struct platform p;
        uint8_t n;

        for (unsigned i = 0; i < 2; i++)
                assert_status(pin_get_token(c, &p, 2, WRONG), CTAP2_ERR_PIN_INVALID);
        n = ctap_pin_mismatches(c->ctap);
        restart(c);
        ctap_keep_pin_mismatches(c->ctap, n);
        assert_status(pin_get_token(c, &p, 2, WRONG), CTAP2_ERR_PIN_AUTH_BLOCKED);
}

static void CP5_no_tries_left_comes_before_the_latch(void **state) {
        struct client *c = *state;
        struct platform p;

        c->fake->pin_count = 5;
        for (unsigned i = 0; i < 2; i++)
                assert_status(pin_get_token(c, &p, 1, WRONG), CTAP2_ERR_PIN_INVALID);
        assert_status(pin_get_token(c, &p, 1, WRONG), CTAP2_ERR_PIN_BLOCKED);
        assert_true(describe(c).is_latched);

        for (unsigned i = 0; i < 2; i++) {
                fake_forget_trace(c->fake);
                assert_status(pin_get_token(c, &p, 1, PIN), CTAP2_ERR_PIN_BLOCKED);
                assert_status(pin_get_token_for(c, &p, 2, PIN, 1, CLIENT_RP),
                              CTAP2_ERR_PIN_BLOCKED);
                assert_status(pin_change(c, &p, 2, PIN, OTHER), CTAP2_ERR_PIN_BLOCKED);
                assert_status(change(c, PIN, OTHER), CTAP2_ERR_PIN_BLOCKED);
                assert_status(pin_set(c, &p, 2, OTHER), CTAP2_ERR_PIN_AUTH_INVALID);
                assert_int_equal(fake_calls(c->fake, "pin_verify"), 0);
                assert_int_equal(fake_calls(c->fake, "pin_change"), 0);
                ctap_power_up(c->ctap);
        }

        assert_status(client_call(c, 0x07, BYTES_NULL), CTAP_OK);
        assert_int_equal(pin_retries(c), 8);
        assert_status(pin_set(c, &p, 2, OTHER), CTAP_OK);
        assert_true(is_pin(c, OTHER));
}

static void CP5_the_last_wrong_pin_ends_the_token(void **state) {
        struct client *c = *state;
        struct platform p, other;

        assert_status(pin_get_token(c, &p, 1, PIN), CTAP_OK);
        assert_status(pin_get_token(c, &other, 1, WRONG), CTAP2_ERR_PIN_INVALID);
        assert_true(pin_token_is_good(c, &p));
        c->fake->pin_count = 7;
        assert_status(pin_get_token(c, &other, 1, WRONG), CTAP2_ERR_PIN_BLOCKED);
        assert_false(pin_token_is_good(c, &p));
}

static int one_try_is_left(struct ctap_keys *k, uint8_t *ret) {
        (void)k;
        *ret = 1;
        return 0;
}

/* The device's word on a PIN counts for more than its word on the tries. */
static void CP5_a_device_that_is_blocked_after_all_ends_the_token(void **state) {
        struct ctap_keys_ops ops;
        struct client *c = *state;
        struct platform p, holder;

        assert_status(pin_get_token(c, &holder, 2, PIN), CTAP_OK);
        ops = *c->fake->keys.ops;
        ops.pin_retries = one_try_is_left;
        c->fake->keys.ops = &ops;
        c->fake->pin_count = CTAP_PIN_TRIES_MAX;
        assert_status(pin_get_token(c, &p, 2, PIN), CTAP2_ERR_PIN_BLOCKED);
        assert_false(pin_token_is_good(c, &holder));
}

static void CP6_a_wrong_pin_ends_the_agreement_it_came_by(void **state) {
        struct client *c = *state;
        struct platform one, two, p;

        for (unsigned protocol = 1; protocol <= 2; protocol++) {
                struct platform *gone = protocol == 1 ? &one : &two;
                struct platform *stays = protocol == 1 ? &two : &one;

                pin_agree(c, &one, 1);
                pin_agree(c, &two, 2);
                assert_status(pin_get_token(c, &p, protocol, WRONG), CTAP2_ERR_PIN_INVALID);
                pin_ask_to_change(c, gone, PIN, PIN);
                assert_status(client_send(c), CTAP2_ERR_PIN_AUTH_INVALID);
                pin_ask_to_change(c, stays, PIN, PIN);
                assert_status(client_send(c), CTAP_OK);

                pin_agree(c, gone, protocol);
                assert_status(pin_change(c, &p, protocol, WRONG, OTHER), CTAP2_ERR_PIN_INVALID);
                pin_ask_to_change(c, gone, PIN, PIN);
                assert_status(client_send(c), CTAP2_ERR_PIN_AUTH_INVALID);
                assert_true(is_pin(c, PIN));
        }
}

static void CP6_the_right_pin_and_the_owners_tool_leave_it(void **state) {
        struct client *c = *state;
        struct platform p;

        pin_agree(c, &p, 2);
        for (unsigned i = 0; i < 2; i++) {
                pin_ask_for_token(c, &p, PIN);
                assert_status(client_send(c), CTAP_OK);
        }
        assert_status(change(c, WRONG, OTHER), CTAP2_ERR_PIN_INVALID);
        pin_ask_to_change(c, &p, PIN, OTHER);
        assert_status(client_send(c), CTAP_OK);
}

static void CP7_the_right_pin_gives_tries_and_latch_back(void **state) {
        struct client *c = *state;
        struct platform p;

        for (unsigned round = 0; round < 4; round++) {
                for (unsigned i = 0; i < 2; i++)
                        assert_status(pin_get_token(c, &p, 1, WRONG), CTAP2_ERR_PIN_INVALID);
                assert_int_equal(pin_retries(c), 6);
                if (round % 2 == 0)
                        assert_status(pin_get_token(c, &p, 2, PIN), CTAP_OK);
                else
                        assert_status(pin_change(c, &p, 2, PIN, PIN), CTAP_OK);
                assert_int_equal(pin_retries(c), 8);
        }
        /* also one that got its owner nothing */
        c->fake->settings.force_pin_change = true;
        assert_status(pin_get_token(c, &p, 1, WRONG), CTAP2_ERR_PIN_INVALID);
        assert_status(pin_change(c, &p, 1, PIN, PIN), CTAP2_ERR_PIN_POLICY_VIOLATION);
        assert_int_equal(pin_retries(c), 8);
        assert_int_equal(c->ctap->pin_mismatches, 0);
}

static void CP8_the_whole_way_down(void **state) {
        static const struct {
                const char *pin; /* NULL: a power cycle */
                uint8_t status;
                unsigned retries;
        } steps[] = {
                { WRONG, CTAP2_ERR_PIN_INVALID, 7 },
                { WRONG, CTAP2_ERR_PIN_INVALID, 6 },
                { PIN, CTAP_OK, 8 },
                { WRONG, CTAP2_ERR_PIN_INVALID, 7 },
                { WRONG, CTAP2_ERR_PIN_INVALID, 6 },
                { WRONG, CTAP2_ERR_PIN_AUTH_BLOCKED, 5 },
                { WRONG, CTAP2_ERR_PIN_AUTH_BLOCKED, 5 },
                { PIN, CTAP2_ERR_PIN_AUTH_BLOCKED, 5 },
                { NULL, CTAP_OK, 5 },
                { WRONG, CTAP2_ERR_PIN_INVALID, 4 },
                { WRONG, CTAP2_ERR_PIN_INVALID, 3 },
                { WRONG, CTAP2_ERR_PIN_AUTH_BLOCKED, 2 },
                { PIN, CTAP2_ERR_PIN_AUTH_BLOCKED, 2 },
                { NULL, CTAP_OK, 2 },
                { WRONG, CTAP2_ERR_PIN_INVALID, 1 },
                { WRONG, CTAP2_ERR_PIN_BLOCKED, 0 },
                { WRONG, CTAP2_ERR_PIN_BLOCKED, 0 },
                { PIN, CTAP2_ERR_PIN_BLOCKED, 0 },
                { NULL, CTAP_OK, 0 },
                { PIN, CTAP2_ERR_PIN_BLOCKED, 0 },
        };
        struct client *c = *state;
        struct platform p;

        for (size_t i = 0; i < ELEMENTSOF(steps); i++) {
                if (steps[i].pin)
                        assert_status(pin_get_token(c, &p, 1 + i % 2, steps[i].pin),
                                      steps[i].status);
                else
                        ctap_power_up(c->ctap);
                assert_int_equal(pin_retries(c), steps[i].retries);
        }
}

/* The third in a row that is also the last. */
static void CP8_the_last_try_is_32_whatever_the_latch_says(void **state) {
        struct client *c = *state;
        struct platform p;

        c->fake->pin_count = 5;
        assert_status(pin_get_token(c, &p, 1, WRONG), CTAP2_ERR_PIN_INVALID);
        assert_status(pin_get_token(c, &p, 2, WRONG), CTAP2_ERR_PIN_INVALID);
        assert_status(pin_get_token(c, &p, 1, WRONG), CTAP2_ERR_PIN_BLOCKED);
}

static void a_device_that_looks_at_no_pin_for_now(void **state) {
        struct client *c = *state;
        struct platform p;

        c->fake->pin_later = true;
        for (unsigned i = 0; i < 4; i++) {
                assert_status(pin_get_token(c, &p, 1, PIN), CTAP2_ERR_PIN_AUTH_BLOCKED);
                assert_status(pin_change(c, &p, 1, PIN, OTHER), CTAP2_ERR_PIN_AUTH_BLOCKED);
        }
        assert_int_equal(pin_retries(c), 8);
        assert_false(describe(c).is_latched);
        assert_int_equal(c->fake->settings.pin_length, 4);
        assert_false(c->fake->settings.pin_in_doubt);
        c->fake->pin_later = false;
        assert_true(is_pin(c, PIN));
}

/* ---- lives ---- */

static void CP9_a_power_up_makes_new_keys_and_ends_tokens(void **state) {
        struct client *c = *state;
        struct platform p, token;

        for (unsigned protocol = 1; protocol <= 2; protocol++) {
                pin_agree(c, &p, protocol);
                assert_status(pin_get_token(c, &token, protocol, PIN), CTAP_OK);
                assert_true(pin_token_is_good(c, &token));
                ctap_power_up(c->ctap);
                assert_false(pin_token_is_good(c, &token));
                pin_ask_to_change(c, &p, PIN, OTHER);
                assert_status(client_send(c), CTAP2_ERR_PIN_AUTH_INVALID);
        }
}

static void CP9_a_reset_makes_new_keys_and_ends_tokens(void **state) {
        struct client *c = *state;
        struct platform p, token;

        c->fake->settings.force_pin_change = true;
        c->fake->settings.min_pin_length = 6;
        pin_agree(c, &p, 2);
        assert_status(pin_change(c, &token, 1, PIN, OTHER), CTAP_OK);
        assert_status(pin_get_token(c, &token, 1, OTHER), CTAP_OK);
        for (unsigned i = 0; i < 3; i++)
                (void)change(c, WRONG, OTHER);

        assert_status(client_call(c, 0x07, BYTES_NULL), CTAP_OK);
        assert_false(pin_token_is_good(c, &token));
        pin_ask_to_set(c, &p, PIN);
        assert_status(client_send(c), CTAP2_ERR_PIN_AUTH_INVALID);
        assert_false(describe(c).is_set);
        assert_false(describe(c).is_latched);
        assert_int_equal(describe(c).retries, 8);
        assert_int_equal(describe(c).min_length, 4);
        assert_status(pin_set(c, &p, 2, PIN), CTAP_OK);
        assert_true(is_pin(c, PIN));
}

static void CP9_a_reset_that_failed_ends_tokens_too(void **state) {
        struct client *c = *state;
        struct platform p;

        assert_status(pin_get_token(c, &p, 2, PIN), CTAP_OK);
        fake_fail(c->fake, "reset", 1, -EIO);
        assert_status(client_call(c, 0x07, BYTES_NULL), CTAP1_ERR_OTHER);
        assert_false(pin_token_is_good(c, &p));
        assert_true(is_pin(c, PIN));
}

/* A walk that begins while the token is good. */
static void begin_walk(struct client *c, struct platform *p) {
        struct made made;

        client_register(c, true, "ann", &made);
        client_register(c, true, "bob", &made);
        assert_status(pin_get_token(c, p, 2, PIN), CTAP_OK);
        client_get_assertion(c);
        assert_status(client_send(c), CTAP_OK);
        assert_int_equal(c->ctap->walk.kind, CTAP_WALK_ASSERTIONS);
        assert_true(pin_token_is_good(c, p));
}

static void CP35_sleep_ends_the_token_and_what_it_allowed(void **state) {
        struct client *c = *state;
        struct platform p;

        begin_walk(c, &p);
        ctap_suspend(c->ctap);
        assert_false(pin_token_is_good(c, &p));
        assert_status(client_call(c, 0x08, BYTES_NULL), CTAP2_ERR_NOT_ALLOWED);
        assert_true(is_pin(c, PIN));
}

static void CP35_a_refused_ticket_ends_the_token_and_what_it_allowed(void **state) {
        struct client *c = *state;
        struct platform p;

        begin_walk(c, &p);
        assert_int_equal(ctap_status_from_keys(c->ctap, -EIO), CTAP1_ERR_OTHER);
        assert_int_equal(ctap_status_from_keys(c->ctap, 0), CTAP_OK);
        assert_true(pin_token_is_good(c, &p));
        assert_int_equal(ctap_status_from_keys(c->ctap, -EKEYEXPIRED), CTAP2_ERR_PIN_AUTH_INVALID);
        assert_false(pin_token_is_good(c, &p));
        assert_status(client_call(c, 0x08, BYTES_NULL), CTAP2_ERR_NOT_ALLOWED);
}

static void CP35_a_token_is_bound_to_no_channel(void **state) {
        struct client *c = *state;
        struct platform p;

        assert_status(pin_get_token(c, &p, 2, PIN), CTAP_OK);
        c->channel++;
        assert_status(client_call(c, 0x04, BYTES_NULL), CTAP_OK);
        assert_true(pin_token_is_good(c, &p));
}

/* ---- what a PIN must look like ---- */

static void CP21_the_least_is_counted_in_code_points(void **state) {
        static const struct {
                const char *pin;
                uint8_t length; /* 0: refused */
        } cases[] = {
                { "", 0 },
                { "123", 0 },
                { "1234", 4 },
                { "\xc3\xa4\xc3\xb6\xc3\xbc", 0 },         /* three letters, six bytes */
                { "\xc3\xa4\xc3\xb6\xc3\xbc\xc3\x9f", 4 }, /* four */
                { "\xf0\x9f\x94\x91", 0 },                 /* one key, four bytes */
                { "\xf0\x9f\x94\x91\xf0\x9f\x94\x91\xf0\x9f\x94\x91\xf0\x9f\x94\x91", 4 },
                { "e\xcc\x81"
                  "e\xcc\x81",
                  4 }, /* what a person sees as two */
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                struct client *c = *state;
                struct platform p;
                bool good = cases[i].length > 0;

                assert_status(pin_set(c, &p, 1, cases[i].pin),
                              good ? CTAP_OK : CTAP2_ERR_PIN_POLICY_VIOLATION);
                assert_int_equal(c->fake->settings.pin_length, cases[i].length);
                assert_int_equal(c->fake->has_pin, good);
                if (good)
                        assert_true(is_pin(c, cases[i].pin));
                assert_status(client_call(c, 0x07, BYTES_NULL), CTAP_OK);
        }
}

static void CP21_the_most_is_63_bytes(void **state) {
        struct client *c = *state;
        struct platform p;
        char pin[65] = "";

        for (unsigned i = 0; i < 21; i++)
                strcat(pin, "\xe2\x82\xac");
        assert_int_equal(strlen(pin), 63);
        assert_status(pin_set(c, &p, 2, pin), CTAP_OK);
        assert_int_equal(c->fake->settings.pin_length, 21);
        assert_true(is_pin(c, pin));

        strcat(pin, "x");
        assert_status(pin_change(c, &p, 2, pin, pin), CTAP2_ERR_PIN_INVALID);
        pin[63] = '\0';
        assert_status(change(c, pin,
                             "1234567890123456789012345678901234567890123456789012345678901"
                             "234"),
                      CTAP2_ERR_PIN_POLICY_VIOLATION);
        assert_status(change(c, pin,
                             "1234567890123456789012345678901234567890123456789012345678901"
                             "23"),
                      CTAP_OK);
        assert_int_equal(c->fake->settings.pin_length, 63);
}

static void CP21_what_is_no_text_is_no_pin(void **state) {
        static const char *const wrong[] = {
                "abcd\xff",
                "abcde\xc3",
                "abc\xc0\x80"
                "def",
                "\xed\xa0\x80"
                "abcd",
                "\xa4\xa4\xa4\xa4",
        };
        struct client *c = *state;
        struct platform p;

        for (size_t i = 0; i < ELEMENTSOF(wrong); i++) {
                assert_status(pin_set(c, &p, 2, wrong[i]), CTAP2_ERR_PIN_POLICY_VIOLATION);
                assert_status(set(c, wrong[i]), CTAP2_ERR_PIN_POLICY_VIOLATION);
        }
        assert_false(c->fake->has_pin);
        assert_int_equal(fake_calls(c->fake, "set_settings"), 0);
}

static void CP21_the_least_can_be_raised(void **state) {
        struct client *c = *state;
        struct platform p;

        c->fake->settings.min_pin_length = 6;
        assert_int_equal(describe(c).min_length, 6);
        assert_status(pin_change(c, &p, 1, PIN, "12345"), CTAP2_ERR_PIN_POLICY_VIOLATION);
        assert_true(is_pin(c, PIN));
        assert_status(pin_change(c, &p, 1, PIN, "123456"), CTAP_OK);
        assert_int_equal(c->fake->settings.min_pin_length, 6);
        assert_true(is_pin(c, "123456"));
}

/* What is still there is not looked at: setMinPINLength sees to that (AC5f). */
static void CP20_a_new_pin_obeys_the_complexity_policy(void **state) {
        struct client *c = *state;
        struct platform p;

        c->fake->settings.pin_complexity = true;
        assert_true(describe(c).complex);
        assert_status(pin_set(c, &p, 2, PIN), CTAP2_ERR_PIN_POLICY_VIOLATION);
        assert_status(set(c, PIN), CTAP2_ERR_PIN_POLICY_VIOLATION);
        assert_status(pin_set(c, &p, 1, "1243"), CTAP_OK);
        assert_status(pin_change(c, &p, 1, "1243", PIN), CTAP2_ERR_PIN_POLICY_VIOLATION);
        assert_status(change(c, "1243", PIN), CTAP2_ERR_PIN_POLICY_VIOLATION);
        assert_status(pin_change(c, &p, 1, WRONG, PIN), CTAP2_ERR_PIN_INVALID);
        assert_true(is_pin(c, "1243"));
        c->fake->settings.pin_complexity = false;
        assert_status(change(c, "1243", PIN), CTAP_OK);
}

/* ---- the owner's own tool ---- */

static void the_owner_sets_and_changes_by_the_same_rules(void **state) {
        struct client *c = *state;

        assert_false(describe(c).is_set);
        assert_int_equal(describe(c).retries, 8);
        assert_int_equal(describe(c).min_length, 4);
        assert_status(change(c, PIN, OTHER), CTAP2_ERR_PIN_NOT_SET);
        assert_status(set(c, "123"), CTAP2_ERR_PIN_POLICY_VIOLATION);
        assert_status(set(c, PIN), CTAP_OK);
        assert_true(describe(c).is_set);
        assert_status(set(c, OTHER), CTAP2_ERR_PIN_AUTH_INVALID);
        assert_int_equal(describe(c).retries, 8);
        assert_true(is_pin(c, PIN));
        assert_status(change(c, PIN, "123"), CTAP2_ERR_PIN_POLICY_VIOLATION);
        assert_status(change(c, PIN, OTHER), CTAP_OK);
        assert_true(is_pin(c, OTHER));
        assert_status(change(c, WRONG, PIN), CTAP2_ERR_PIN_INVALID);
        assert_int_equal(describe(c).retries, 7);
}

static void a_failed_description_says_nothing(void **state) {
        struct client *c = *state;
        struct ctap_pin_info info = { .retries = 99 };

        fake_fail(c->fake, "pin_retries", 1, -EIO);
        assert_int_equal(ctap_pin_describe(c->ctap, &info), CTAP1_ERR_OTHER);
        assert_int_equal(info.retries, 99);
}

/* The device is asked once, and no more than it must be. */
static void a_change_costs_one_command_of_the_device(void **state) {
        struct client *c = *state;

        assert_status(change(c, PIN, OTHER), CTAP_OK);
        assert_string_equal(c->fake->trace, "pin_retries set_settings pin_change set_settings");
        fake_forget_trace(c->fake);
        assert_status(change(c, OTHER, "123"), CTAP2_ERR_PIN_POLICY_VIOLATION);
        assert_int_equal(fake_calls(c->fake, "pin_verify"), 1);
        assert_int_equal(fake_calls(c->fake, "pin_change"), 0);
        assert_int_equal(fake_calls(c->fake, "set_settings"), 0);
}

/* ---- cut off in the middle ---- */

/* Between the device and the settings: the device has the PIN, and nobody knows. */
static void cut_off_while_setting(struct client *c) {
        fake_fail(c->fake, "set_settings", 2, -EIO);
        assert_status(set(c, PIN), CTAP1_ERR_OTHER);
        assert_true(c->fake->has_pin);
        assert_true(c->fake->settings.pin_in_doubt);
        assert_int_equal(c->fake->settings.pin_length, 0);
        restart(c);
        fake_forget_trace(c->fake);
}

static void a_first_pin_that_came_about_is_found(void **state) {
        struct client *c = *state;

        cut_off_while_setting(c);
        assert_true(describe(c).is_set);
        assert_int_equal(c->fake->settings.pin_length, 4);
        assert_int_equal(pin_retries(c), 7);
        assert_true(is_pin(c, PIN));
        assert_int_equal(pin_retries(c), 8);
        /* asked once and for all */
        assert_int_equal(fake_calls(c->fake, "set_settings"), 2);
        assert_int_equal(fake_calls(c->fake, "pin_verify"), 2);
        restart(c);
        fake_forget_trace(c->fake);
        assert_true(describe(c).is_set);
        assert_string_equal(c->fake->trace, "pin_retries");
}

static void a_first_pin_that_came_about_is_a_set_pin(void **state) {
        struct client *c = *state;
        struct platform p;

        cut_off_while_setting(c);
        assert_status(pin_set(c, &p, 2, OTHER), CTAP2_ERR_PIN_AUTH_INVALID);
        assert_true(is_pin(c, PIN));
        assert_status(pin_change(c, &p, 2, PIN, OTHER), CTAP_OK);
        assert_int_equal(c->fake->settings.pin_length, strlen(OTHER));
        assert_false(c->fake->settings.pin_in_doubt);
}

static void a_first_pin_that_did_not_come_about_is_none(void **state) {
        struct client *c = *state;
        struct platform p;

        fake_fail(c->fake, "pin_change", 1, -EIO);
        assert_status(set(c, PIN), CTAP1_ERR_OTHER);
        assert_true(c->fake->settings.pin_in_doubt);
        restart(c);
        assert_status(pin_get_token(c, &p, 2, PIN), CTAP2_ERR_PIN_NOT_SET);
        assert_false(c->fake->settings.pin_in_doubt);
        assert_int_equal(pin_retries(c), 8);
        assert_status(pin_set(c, &p, 2, OTHER), CTAP_OK);
        assert_true(is_pin(c, OTHER));
}

static void the_last_try_is_not_spent_on_a_doubt(void **state) {
        struct client *c = *state;
        struct platform p;

        cut_off_while_setting(c);
        c->fake->pin_count = 7;
        assert_true(describe(c).is_set);
        assert_int_equal(fake_calls(c->fake, "pin_verify"), 0);
        assert_int_equal(pin_retries(c), 1);
        assert_true(is_pin(c, PIN));

        /* nor on what an older disk says */
        c->fake->settings = CTAP_SETTINGS_DEFAULT;
        c->fake->pin_count = 7;
        assert_status(pin_set(c, &p, 2, OTHER), CTAP2_ERR_PIN_AUTH_INVALID);
        assert_true(is_pin(c, PIN));

        /* but the one before it is */
        c->fake->settings = (struct ctap_settings){
                .min_pin_length = CTAP_MIN_PIN_LENGTH,
                .pin_in_doubt = true,
        };
        c->fake->pin_count = 6;
        assert_true(describe(c).is_set);
        assert_int_equal(pin_retries(c), 1);
        assert_true(is_pin(c, PIN));
}

static void a_doubt_that_cannot_be_settled_stays(void **state) {
        struct client *c = *state;
        struct platform p;

        cut_off_while_setting(c);
        c->fake->pin_later = true;
        assert_status(pin_get_token(c, &p, 2, PIN), CTAP2_ERR_PIN_AUTH_BLOCKED);
        c->fake->pin_later = false;
        assert_true(c->fake->settings.pin_in_doubt);
        fake_fail(c->fake, "pin_verify", 1, -EIO);
        assert_status(pin_get_token(c, &p, 2, PIN), CTAP1_ERR_OTHER);
        assert_int_equal(c->fake->settings.pin_length, 0);
        assert_int_equal(pin_retries(c), 8);
        assert_true(is_pin(c, PIN));
}

/* It would cost a try each time that somebody asks. */
/* Whoever needs to know if there is a PIN hears that this cannot be told, and nothing is done. */
static void a_doubt_that_cannot_be_settled_stops_every_command(void **state) {
        struct client *c = *state;
        struct platform p;

        pin_agree(c, &p, 2);
        c->fake->abilities |= CTAP_PRESENCE_VERIFY;
        c->fake->settings.pin_in_doubt = true;
        for (unsigned i = 0; i < 6; i++) {
                fake_fail(c->fake, "pin_retries", 1, -EIO);
                switch (i) {
                case 0:
                        client_make_credential(c);
                        client_set(c, 7, "{'rk': true}");
                        break;
                case 1: /* authenticatorConfig: toggleAlwaysUv */
                        pin_begin(c, PIN_GET_RETRIES, 0);
                        client_unset(c, 2);
                        c->command = 0x0d;
                        client_set(c, 1, "2");
                        break;
                case 2:
                        pin_ask_to_set(c, &p, PIN);
                        break;
                case 3:
                        pin_ask_for_token(c, &p, PIN);
                        break;
                case 4:
                        pin_ask_for_token_for(c, &p, PIN, 3, CLIENT_RP);
                        client_set(c, 2, "%u", (unsigned)PIN_GET_TOKEN_BY_UV);
                        break;
                default:
                        assert_status(set(c, PIN), CTAP1_ERR_OTHER);
                        continue;
                }
                assert_status(client_send(c), CTAP1_ERR_OTHER);
                assert_false(fake_mend(c->fake));
        }
        assert_true(c->fake->settings.pin_in_doubt);
        assert_false(c->fake->has_pin);
}

static void a_doubt_whose_answer_cannot_be_kept_costs_no_try(void **state) {
        struct client *c = *state;
        struct ctap_pin_info info;

        cut_off_while_setting(c);
        for (unsigned i = 0; i < 8; i++) {
                fake_fail(c->fake, "set_settings", 1, -EIO);
                assert_status(ctap_pin_describe(c->ctap, &info), CTAP1_ERR_OTHER);
                assert_false(fake_mend(c->fake));
        }
        assert_int_equal(pin_retries(c), 8);
        assert_int_equal(c->fake->settings.pin_length, 0);
        assert_true(is_pin(c, PIN));
}

/* Whichever of the two it is, it is set, and no shorter than the shorter. */
static void a_change_that_was_cut_off_needs_no_question(void **state) {
        struct client *c = *state;
        struct platform p;

        c->fake->pin_unheard = true;
        assert_status(pin_change(c, &p, 2, PIN, OTHER), CTAP1_ERR_OTHER);
        assert_int_equal(c->fake->settings.pin_length, 4);
        assert_true(c->fake->settings.pin_in_doubt);
        restart(c);
        fake_forget_trace(c->fake);
        assert_true(describe(c).is_set);
        assert_string_equal(c->fake->trace, "pin_retries");
        assert_true(is_pin(c, OTHER));

        assert_status(change(c, OTHER, OTHER), CTAP_OK);
        assert_int_equal(c->fake->settings.pin_length, strlen(OTHER));
        assert_false(c->fake->settings.pin_in_doubt);
        fake_fail(c->fake, "pin_change", 1, -EIO);
        assert_status(pin_change(c, &p, 2, OTHER, "12345"), CTAP1_ERR_OTHER);
        assert_int_equal(c->fake->settings.pin_length, 5);
        assert_true(c->fake->settings.pin_in_doubt);
        assert_true(is_pin(c, OTHER));
}

static void a_wrong_pin_leaves_no_doubt(void **state) {
        struct client *c = *state;
        const struct ctap_settings before = c->fake->settings;

        assert_status(change(c, WRONG, "12345678"), CTAP2_ERR_PIN_INVALID);
        assert_memory_equal(&c->fake->settings, &before, sizeof(before));

        /* It counts even if that could not be written down. */
        fake_fail(c->fake, "set_settings", 2, -EIO);
        assert_status(change(c, WRONG, "12345678"), CTAP1_ERR_OTHER);
        assert_int_equal(c->ctap->pin_mismatches, 2);
        assert_int_equal(c->fake->settings.pin_length, 4);
        assert_true(is_pin(c, PIN));
}

static void a_change_that_may_have_come_about_ends_the_token(void **state) {
        struct client *c = *state;
        struct platform p, other;

        assert_status(pin_get_token(c, &p, 2, PIN), CTAP_OK);
        c->fake->pin_unheard = true;
        assert_status(pin_change(c, &other, 2, PIN, OTHER), CTAP1_ERR_OTHER);
        assert_false(pin_token_is_good(c, &p));
}

/* An older disk was put back: it knows of no PIN, but the device has one. */
static void the_device_knows_better_than_an_older_disk(void **state) {
        struct client *c = *state;
        struct platform p;

        c->fake->settings = CTAP_SETTINGS_DEFAULT;
        assert_status(pin_get_token(c, &p, 2, PIN), CTAP2_ERR_PIN_NOT_SET);
        assert_status(pin_set(c, &p, 2, OTHER), CTAP2_ERR_PIN_AUTH_INVALID);
        assert_int_equal(pin_retries(c), 7);
        assert_true(describe(c).is_set);
        assert_status(pin_set(c, &p, 2, OTHER), CTAP2_ERR_PIN_AUTH_INVALID);
        assert_int_equal(pin_retries(c), 7);
        assert_true(is_pin(c, PIN));

        /* blocked is also set */
        c->fake->settings = CTAP_SETTINGS_DEFAULT;
        c->fake->pin_count = 8;
        assert_status(set(c, OTHER), CTAP2_ERR_PIN_AUTH_INVALID);
        assert_status(pin_get_token(c, &p, 2, PIN), CTAP2_ERR_PIN_BLOCKED);
}

static void a_device_that_takes_no_first_pin_for_now(void **state) {
        struct client *c = *state;
        struct platform p;

        c->fake->pin_later = true;
        assert_status(pin_set(c, &p, 2, PIN), CTAP2_ERR_PIN_AUTH_BLOCKED);
        assert_false(c->fake->settings.pin_in_doubt);
        c->fake->pin_later = false;
        assert_status(pin_set(c, &p, 2, PIN), CTAP_OK);
}

/* ---- everything fails once ---- */

/*
 * Sets or changes with the nth call failing; whatever was said, one of the two PINs (NULL: none) is
 * then the PIN, and the next change gets there. Returns false when no call failed any more.
 */
static bool change_survives(unsigned nth, const char *old, const char *pin, bool after_a_restart) {
        struct client *c;
        uint8_t status;
        void *state;
        bool failed;

        assert_int_equal(old ? setup_with_pin(&state) : client_setup(&state), 0);
        c = state;
        fake_fail(c->fake, NULL, nth, -EIO);
        status = old ? change(c, old, pin) : set(c, pin);
        failed = !fake_mend(c->fake);
        assert_status(status, failed ? CTAP1_ERR_OTHER : CTAP_OK);
        if (after_a_restart)
                restart(c);

        if (!is_pin(c, pin)) {
                assert_true(failed);
                if (old) {
                        assert_true(is_pin(c, old));
                        assert_status(change(c, old, pin), CTAP_OK);
                } else {
                        assert_status(set(c, pin), CTAP_OK);
                }
                assert_true(is_pin(c, pin));
        }
        assert_int_equal(pin_retries(c), 8);
        assert_in_range(c->fake->settings.pin_length, 4, strlen(pin));
        client_teardown(&state);
        return failed;
}

static void whatever_fails_one_of_the_two_is_the_pin(void **state) {
        (void)state;
        for (unsigned again = 0; again < 2; again++) {
                unsigned n = 1;

                while (change_survives(n, NULL, PIN, again))
                        n++;
                assert_int_equal(n - 1, 4); /* pin_retries set_settings pin_change set_settings */
                for (n = 1; change_survives(n, PIN, OTHER, again);)
                        n++;
                assert_int_equal(n - 1, 4);
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                test_with_pin(CP1_the_pin_and_its_tries_outlive_the_program),
                test_with_pin(CP1_only_a_hash_of_the_pin_reaches_the_device),
                test_with_pin(CP2_both_protocols_and_all_clients_share_the_tries),
                test_with_pin(CP2_the_agreement_of_another_client_may_be_ended_by_a_wrong_pin),
                test_with_pin(CP3_a_try_is_counted_before_anything_is_told),
                test_with_pin(CP4_three_wrong_ones_in_a_row_latch),
                test_with_pin(CP4_one_that_takes_the_place_of_another_counts_on),
                test_with_pin(CP5_no_tries_left_comes_before_the_latch),
                test_with_pin(CP5_the_last_wrong_pin_ends_the_token),
                test_with_pin(CP5_a_device_that_is_blocked_after_all_ends_the_token),
                test_with_pin(CP6_a_wrong_pin_ends_the_agreement_it_came_by),
                test_with_pin(CP6_the_right_pin_and_the_owners_tool_leave_it),
                test_with_pin(CP7_the_right_pin_gives_tries_and_latch_back),
                test_with_pin(CP8_the_whole_way_down),
                test_with_pin(CP8_the_last_try_is_32_whatever_the_latch_says),
                test_with_pin(a_device_that_looks_at_no_pin_for_now),
                test_with_pin(CP9_a_power_up_makes_new_keys_and_ends_tokens),
                test_with_pin(CP9_a_reset_makes_new_keys_and_ends_tokens),
                test_with_pin(CP9_a_reset_that_failed_ends_tokens_too),
                test_with_pin(CP35_sleep_ends_the_token_and_what_it_allowed),
                test_with_pin(CP35_a_refused_ticket_ends_the_token_and_what_it_allowed),
                test_with_pin(CP35_a_token_is_bound_to_no_channel),
                client_unit_test(CP21_the_least_is_counted_in_code_points),
                client_unit_test(CP21_the_most_is_63_bytes),
                client_unit_test(CP21_what_is_no_text_is_no_pin),
                test_with_pin(CP21_the_least_can_be_raised),
                client_unit_test(CP20_a_new_pin_obeys_the_complexity_policy),
                client_unit_test(the_owner_sets_and_changes_by_the_same_rules),
                client_unit_test(a_failed_description_says_nothing),
                test_with_pin(a_change_costs_one_command_of_the_device),
                client_unit_test(a_first_pin_that_came_about_is_found),
                client_unit_test(a_first_pin_that_came_about_is_a_set_pin),
                client_unit_test(a_first_pin_that_did_not_come_about_is_none),
                client_unit_test(the_last_try_is_not_spent_on_a_doubt),
                client_unit_test(a_doubt_that_cannot_be_settled_stays),
                client_unit_test(a_doubt_that_cannot_be_settled_stops_every_command),
                client_unit_test(a_doubt_whose_answer_cannot_be_kept_costs_no_try),
                test_with_pin(a_change_that_was_cut_off_needs_no_question),
                test_with_pin(a_wrong_pin_leaves_no_doubt),
                test_with_pin(a_change_that_may_have_come_about_ends_the_token),
                test_with_pin(the_device_knows_better_than_an_older_disk),
                client_unit_test(a_device_that_takes_no_first_pin_for_now),
                cmocka_unit_test(whatever_fails_one_of_the_two_is_the_pin),
        };

        return cmocka_run_group_tests_name("pin", tests, NULL, NULL);
}
