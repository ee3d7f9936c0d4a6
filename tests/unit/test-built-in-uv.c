/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * ctap/built-in-uv.c, and what ctap/confirm.c and ctap/authorize.c make of it in makeCredential and
 * getAssertion: who is asked for the PIN, how often, and what becomes of the tries.
 */

#include <errno.h>
#include <string.h>

#include "ctap/built-in-uv.h"
#include "ctap/pin.h"
#include "tests/fake/pin-client.h"
#include "tests/unit/test.h"

#define UV_UP    0x05
#define WITH_KEY 0x40

static const uint8_t salt[32] = "thirty-two bytes of salt........";

/* Somebody who can type the PIN, and does. */
static void make_able(struct client *c) {
        client_set_pin(c);
        c->fake->abilities = CTAP_PRESENCE_DISPLAY | CTAP_PRESENCE_VERIFY;
        c->fake->typed = CLIENT_PIN;
}

static int setup(void **state) {
        int r = client_setup(state);

        make_able(*state);
        return r;
}

static int setup_always_uv(void **state) {
        int r = client_setup_always_uv(state);

        make_able(*state);
        return r;
}

#define uv_test(f)        cmocka_unit_test_setup_teardown(f, setup, client_teardown)
#define always_uv_test(f) cmocka_unit_test_setup_teardown(f, setup_always_uv, client_teardown)

static uint8_t send(struct client *c) {
        c->fake->n_prompts = 0;
        fake_forget_trace(c->fake);
        return client_send(c);
}

/* Begins a request that asks for verification. */
static void ask_to_make(struct client *c) {
        client_make_credential(c);
        client_set(c, 7, "{'uv': true}");
}

static void ask_to_use(struct client *c, const struct made *made) {
        client_get_assertion(c);
        client_set_list(c, 3, made, 1);
        client_set(c, 5, "{'uv': true}");
}

/* A credential that was made without verification. */
static void prepare_credential(struct client *c, struct made *ret) {
        client_register(c, false, "ann", ret);
}

static void make(struct client *c, struct made *ret) {
        assert_int_equal(send(c), CTAP_OK);
        client_read_made(c, ret);
}

static void use(struct client *c, const struct made *made, struct given *ret) {
        ask_to_use(c, made);
        assert_int_equal(send(c), CTAP_OK);
        client_read_given(c, made, ret);
}

/* ---- may it be asked for ---- */

static void assert_invalid_option(struct client *c, const struct made *made) {
        ask_to_make(c);
        assert_int_equal(send(c), CTAP2_ERR_INVALID_OPTION);
        assert_string_equal(c->fake->trace, "");
        ask_to_use(c, made);
        assert_int_equal(send(c), CTAP2_ERR_INVALID_OPTION);
        assert_string_equal(c->fake->trace, "");
}

static void MC5a_uv_is_invalid_unless_it_can_be_done_now(void **state) {
        struct client *c = *state;
        struct made made;

        prepare_credential(c, &made);
        c->fake->abilities = CTAP_PRESENCE_DISPLAY;
        assert_invalid_option(c, &made);
        c->fake->abilities |= CTAP_PRESENCE_VERIFY;
        c->fake->settings.force_pin_change = true;
        assert_invalid_option(c, &made);
        c->fake->settings.force_pin_change = false;
        c->fake->settings.pin_length = 0;
        assert_invalid_option(c, &made);
        client_set_pin(c);
        ask_to_make(c);
        assert_int_equal(send(c), CTAP_OK);
}

static void MC5_with_a_token_nobody_types_a_pin(void **state) {
        struct client *c = *state;
        struct given given;
        struct made made;

        ask_to_make(c);
        client_verify(c);
        make(c, &made);
        assert_false(c->fake->prompt.verify);
        assert_int_equal(made.flags, WITH_KEY | UV_UP);

        ask_to_use(c, &made);
        client_verify(c);
        assert_int_equal(send(c), CTAP_OK);
        client_read_given(c, &made, &given);
        assert_false(c->fake->prompt.verify);
        assert_int_equal(given.flags, UV_UP);
}

static void MC7_uv_opens_the_way_to_a_discoverable_credential(void **state) {
        struct client *c = *state;
        struct made made;

        client_make_credential(c);
        client_set(c, 7, "{'rk': true}");
        assert_int_equal(send(c), CTAP2_ERR_PUAT_REQUIRED);
        assert_int_equal(c->fake->n_prompts, 0);
        client_set(c, 7, "{'rk': true, 'uv': true}");
        make(c, &made);
        assert_int_equal(made.flags, WITH_KEY | UV_UP);
}

static void MC10_without_uv_nobody_types_a_pin(void **state) {
        struct client *c = *state;
        struct given given;
        struct made made;

        client_make_credential(c);
        make(c, &made);
        assert_int_equal(made.flags, WITH_KEY | 0x01);
        ask_to_use(c, &made);
        client_set(c, 5, "{'uv': false}");
        assert_int_equal(send(c), CTAP_OK);
        client_read_given(c, &made, &given);
        assert_int_equal(given.flags, 0x01);
        assert_int_equal(fake_calls(c->fake, "wait_verified"), 0);
}

static void MC6_under_always_uv_the_pin_is_asked_for_unasked(void **state) {
        struct client *c = *state;
        struct given given;
        struct made made;

        client_make_credential(c);
        make(c, &made);
        assert_int_equal(made.flags, WITH_KEY | UV_UP);
        assert_bytes_equal(made.fmt, BYTES_TEXT("packed"));
        assert_int_equal(c->fake->rows[0].class, CTAP_CLASS_B);

        ask_to_use(c, &made); /* GA4 */
        client_unset(c, 5);
        assert_int_equal(send(c), CTAP_OK);
        client_read_given(c, &made, &given);
        assert_int_equal(given.flags, UV_UP);
        assert_int_equal(c->fake->n_prompts, 1);

        /* unless it cannot be */
        c->fake->abilities = 0;
        assert_int_equal(send(c), CTAP2_ERR_PUAT_REQUIRED);
        client_make_credential(c);
        assert_int_equal(send(c), CTAP2_ERR_PUAT_REQUIRED);
        assert_int_equal(c->fake->n_prompts, 0);
}

static void GA4_under_always_uv_a_probe_asks_for_no_pin(void **state) {
        struct client *c = *state;
        struct given given;
        struct made made;

        client_make_credential(c);
        make(c, &made);
        ask_to_use(c, &made);
        client_set(c, 5, "{'up': false}");
        assert_int_equal(send(c), CTAP_OK);
        client_read_probe(c, &made, &given);
        assert_int_equal(c->fake->n_prompts, 0);
}

/* ---- the question ---- */

static void MC11b_the_question_says_what_it_is_for(void **state) {
        struct client *c = *state;
        const struct ctap_prompt *p = &c->fake->prompt;
        struct given given;
        struct made made;

        ask_to_make(c);
        make(c, &made);
        assert_int_equal(c->fake->n_prompts, 1);
        assert_int_equal(p->ask, CTAP_ASK_CREATE);
        assert_true(p->verify && !p->again && !p->passive);
        assert_int_equal(p->tries, 3);
        assert_bytes_equal(p->rp_id, BYTES_TEXT(CLIENT_RP));
        assert_bytes_equal(p->account, BYTES_TEXT("ann"));

        use(c, &made, &given);
        assert_int_equal(c->fake->n_prompts, 1);
        assert_int_equal(p->ask, CTAP_ASK_USE);
        assert_true(p->verify && !p->again && !p->passive);
        assert_bytes_equal(p->rp_id, BYTES_TEXT(CLIENT_RP));
        assert_bytes_equal(p->account, BYTES_TEXT("ann"));
}

/* Presence and all: one question. What the PIN is not wanted for is done while it is typed. */
static void MC11b_only_the_signature_is_left_after_the_pin(void **state) {
        struct client *c = *state;
        struct made made;

        ask_to_make(c);
        make(c, &made);
        assert_string_equal(c->fake->trace,
                            "pin_retries begin create load wait_verified end"
                            " set_settings pin_retries pin_verify set_settings sign insert unload");
        assert_int_equal(made.flags, WITH_KEY | UV_UP);
        assert_int_equal(c->fake->n_yes[CTAP_ASK_CREATE], 1);
}

static void GA5_only_the_signature_is_left_after_the_pin(void **state) {
        struct client *c = *state;
        struct given given;
        struct made made;

        prepare_credential(c, &made);
        use(c, &made, &given);
        assert_string_equal(c->fake->trace, "find pin_retries begin prepare_use load wait_verified"
                                            " end set_settings pin_retries pin_verify set_settings"
                                            " use sign unload");
        assert_int_equal(given.flags, UV_UP);
        assert_int_equal(given.count, 1);
}

static void MC11b_a_key_behind_the_pin_attests_to_itself(void **state) {
        struct client *c = *state;
        struct given given;
        struct made made;

        ask_to_make(c);
        client_set(c, 6, "{'credProtect': 3}");
        make(c, &made);
        assert_bytes_equal(made.fmt, BYTES_TEXT("packed"));
        assert_string_equal(c->fake->trace,
                            "pin_retries begin create wait_verified end set_settings"
                            " pin_retries pin_verify set_settings load sign insert"
                            " unload");
        assert_int_equal(c->fake->rows[0].class, CTAP_CLASS_B);

        use(c, &made, &given);
        assert_int_equal(given.flags, UV_UP);
}

/* As a token does, it shows hmac-secret who is there (D3). */
static void GA5_hmac_secret_is_that_of_a_verified_person(void **state) {
        uint8_t by_token[32], by_uv[32];
        struct buf out;
        struct client *c = *state;
        struct given given;
        struct made made;

        client_agree(c, 2);
        ask_to_make(c);
        client_set(c, 6, "{'hmac-secret': true, 'hmac-secret-mc': %s}",
                   client_hmac_input(c, BYTES_OF(salt)));
        make(c, &made);
        out = BUF_ON(by_uv);
        client_hmac_output(c, made.extensions, "hmac-secret-mc", &out);

        client_get_assertion(c);
        client_set_list(c, 3, &made, 1);
        client_verify(c);
        client_set(c, 4, "{'hmac-secret': %s}", client_hmac_input(c, BYTES_OF(salt)));
        assert_int_equal(send(c), CTAP_OK);
        client_read_given(c, &made, &given);
        out = BUF_ON(by_token);
        client_hmac_output(c, given.extensions, "hmac-secret", &out);
        assert_memory_equal(by_token, by_uv, sizeof(by_uv));

        ask_to_use(c, &made);
        client_set(c, 4, "{'hmac-secret': %s}", client_hmac_input(c, BYTES_OF(salt)));
        assert_int_equal(send(c), CTAP_OK);
        client_read_given(c, &made, &given);
        out = BUF_ON(by_uv);
        client_hmac_output(c, given.extensions, "hmac-secret", &out);
        assert_memory_equal(by_token, by_uv, sizeof(by_uv));
}

static void MC12_an_excluded_credential_is_told_to_who_is_verified(void **state) {
        struct client *c = *state;
        struct made made;

        ask_to_make(c);
        client_set(c, 6, "{'credProtect': 3}");
        make(c, &made);

        ask_to_make(c);
        client_set_list(c, 5, &made, 1);
        assert_int_equal(send(c), CTAP2_ERR_CREDENTIAL_EXCLUDED);
        assert_int_equal(c->fake->n_prompts, 1);
        assert_true(c->fake->prompt.verify);
        c->fake->n_mistyped = 3;
        assert_int_equal(send(c), CTAP2_ERR_PUAT_REQUIRED);
        assert_int_equal(c->fake->n_rows, 1);
}

/* What it is answered until then tells nobody whether credProtect hides something (GA7, GA8). */
static void GA5_that_nothing_matches_is_told_to_who_is_verified(void **state) {
        static const char *const options[] = { "{'uv': true}", "{'up': false, 'uv': true}" };
        struct client *c = *state;

        for (size_t i = 0; i < ELEMENTSOF(options); i++) {
                client_get_assertion(c);
                client_set(c, 5, "%s", options[i]);
                assert_int_equal(send(c), CTAP2_ERR_NO_CREDENTIALS);
                assert_int_equal(c->fake->n_prompts, 1);
                assert_int_equal(c->fake->prompt.ask, CTAP_ASK_USE);
                assert_true(c->fake->prompt.verify && !c->fake->prompt.passive);
                c->fake->answer = CTAP_ANSWER_TIMEOUT;
                assert_int_equal(send(c), CTAP2_ERR_USER_ACTION_TIMEOUT);
                c->fake->answer = CTAP_ANSWER_YES;
                c->fake->settings.uv_retries = 0;
                assert_int_equal(send(c), CTAP2_ERR_PUAT_REQUIRED);
                assert_int_equal(c->fake->n_prompts, 0);
                c->fake->settings.uv_retries = CTAP_UV_RETRIES_MAX;
        }
}

/* Whoever wants somebody verified wants them asked, and the counter left alone. */
static void GA10_verification_without_presence(void **state) {
        struct client *c = *state;
        struct given given;
        struct made made;

        prepare_credential(c, &made);
        client_get_token(c, 2, CTAP_PERMISSION_GA, CLIENT_RP);
        ask_to_use(c, &made);
        client_set(c, 5, "{'up': false, 'uv': true}");
        assert_int_equal(send(c), CTAP_OK);
        client_read_given(c, &made, &given);
        assert_int_equal(given.flags, 0x04);
        assert_int_equal(given.count, 0);
        assert_int_equal(c->fake->n_prompts, 1);
        assert_int_equal(c->ctap->token.permissions, CTAP_PERMISSION_GA);
}

static void GA10_the_pin_uses_a_token_up_as_a_yes_does(void **state) {
        struct client *c = *state;
        struct given given;
        struct made made;

        prepare_credential(c, &made);
        client_get_token(c, 2, CTAP_PERMISSION_GA | CTAP_PERMISSION_LBW, CLIENT_RP);
        use(c, &made, &given);
        assert_int_equal(c->ctap->token.permissions, CTAP_PERMISSION_LBW);
}

static void GA8_a_person_who_is_being_verified_sees_all_levels(void **state) {
        struct client *c = *state;
        struct given given;
        struct made made;

        ask_to_make(c);
        client_set(c, 6, "{'credProtect': 2}");
        client_set(c, 7, "{'rk': true, 'uv': true}");
        make(c, &made);
        client_get_assertion(c);
        client_set(c, 5, "{'uv': true}");
        assert_int_equal(send(c), CTAP_OK);
        client_read_given(c, &made, &given);
        assert_int_equal(given.flags, UV_UP);
}

static void GN5_a_walk_stays_verified_until_the_ticket_ends(void **state) {
        struct client *c = *state;
        struct made first, second;
        struct given given;

        client_register(c, true, "ann", &first);
        client_register(c, true, "bob", &second);
        client_get_assertion(c);
        client_set(c, 5, "{'uv': true}");
        for (unsigned late = 0; late < 2; late++) {
                assert_int_equal(send(c), CTAP_OK);
                client_read_given(c, &second, &given);
                assert_int_equal(given.n_credentials, 2);
                assert_bytes_equal(given.user_name, BYTES_TEXT("bob"));
                c->fake->epoch += late;
                assert_int_equal(client_call(c, 0x08, BYTES_NULL),
                                 late ? CTAP2_ERR_PIN_AUTH_INVALID : CTAP_OK);
                if (late)
                        continue;
                client_read_given(c, &first, &given);
                assert_int_equal(given.flags, UV_UP);
        }
}

/* ---- answers ---- */

static void MC11b_every_way_in_which_it_can_end(void **state) {
        static const struct {
                enum ctap_answer answer;
                unsigned n_mistyped;
                uint8_t status;
                uint8_t uv_retries;
        } cases[] = {
                { CTAP_ANSWER_NO, 0, CTAP2_ERR_OPERATION_DENIED, 3 },
                { CTAP_ANSWER_TIMEOUT, 0, CTAP2_ERR_USER_ACTION_TIMEOUT, 3 },
                { CTAP_ANSWER_CANCELLED, 0, CTAP2_ERR_KEEPALIVE_CANCEL, 3 },
                { CTAP_ANSWER_YES, 1, CTAP_OK, 3 },
                { CTAP_ANSWER_YES, 2, CTAP_OK, 3 },
                { CTAP_ANSWER_YES, 3, CTAP2_ERR_PUAT_REQUIRED, 0 },
        };
        struct client *c = *state;
        struct made made;

        prepare_credential(c, &made);
        for (size_t i = 0; i < 2 * ELEMENTSOF(cases); i++) {
                const uint32_t n_rows = c->fake->n_rows;

                if (i < ELEMENTSOF(cases))
                        ask_to_make(c);
                else
                        ask_to_use(c, &made);
                c->fake->answer = cases[i % ELEMENTSOF(cases)].answer;
                c->fake->n_mistyped = cases[i % ELEMENTSOF(cases)].n_mistyped;
                c->fake->settings.uv_retries = 3;
                ctap_power_up(c->ctap);
                assert_int_equal(send(c), cases[i % ELEMENTSOF(cases)].status);
                assert_int_equal(c->fake->settings.uv_retries,
                                 cases[i % ELEMENTSOF(cases)].uv_retries);
                if (c->reply[0] != CTAP_OK)
                        assert_int_equal(c->fake->n_rows, n_rows);
        }
}

/* Nothing is said of tries that are not there, and nothing asked. */
static void assert_blocked(struct client *c) {
        fake_forget_trace(c->fake);
        assert_int_equal(send(c), CTAP2_ERR_PUAT_REQUIRED);
        assert_string_equal(c->fake->trace, "pin_retries");
}

static void MC11b_where_no_try_is_left_nobody_is_asked(void **state) {
        struct client *c = *state;
        struct platform p;

        ask_to_make(c);
        c->fake->settings.uv_retries = 0;
        assert_blocked(c);
        c->fake->settings.uv_retries = 3;
        c->fake->pin_count = 8; /* CP27 */
        assert_blocked(c);
        c->fake->pin_count = 0;
        for (unsigned i = 0; i < 3; i++)
                (void)pin_get_token(c, &p, 1, "4321");
        ask_to_make(c);
        assert_blocked(c); /* CP4 */
        ctap_power_up(c->ctap);
        assert_int_equal(send(c), CTAP_OK);
}

static void grow_tired(struct fake *f) {
        if (f->prompt.again)
                f->answer = CTAP_ANSWER_NO;
}

static void MC11b_a_person_may_give_up_after_a_mistake(void **state) {
        struct client *c = *state;

        ask_to_make(c);
        c->fake->n_mistyped = 1;
        c->fake->on_wait = grow_tired;
        assert_int_equal(send(c), CTAP2_ERR_OPERATION_DENIED);
        assert_int_equal(c->fake->n_prompts, 2);
        assert_int_equal(c->fake->prompt.tries, 2);
        assert_int_equal(c->fake->settings.uv_retries, 2);
        assert_int_equal(c->fake->pin_count, 1);
        assert_int_equal(c->fake->n_rows, 0);
}

/* ---- tries ---- */

static void CP3_a_try_is_gone_before_the_pin_is_looked_at(void **state) {
        struct client *c = *state;

        ask_to_make(c);
        fake_fail(c->fake, "pin_verify", 1, -EIO);
        assert_int_equal(send(c), CTAP1_ERR_OTHER);
        assert_int_equal(c->fake->settings.uv_retries, 2);
        fake_fail(c->fake, "set_settings", 1, -EIO);
        assert_int_equal(send(c), CTAP1_ERR_OTHER);
        assert_int_equal(fake_calls(c->fake, "pin_verify"), 0);
        assert_int_equal(c->fake->settings.uv_retries, 2);
}

static void CP4_wrong_pins_count_wherever_they_are_typed(void **state) {
        struct client *c = *state;
        struct platform p;

        assert_int_equal(pin_get_token(c, &p, 2, "4321"), CTAP2_ERR_PIN_INVALID);
        ask_to_make(c);
        c->fake->n_mistyped = 8;
        assert_int_equal(send(c), CTAP2_ERR_PUAT_REQUIRED);
        assert_int_equal(c->fake->n_prompts, 2);
        assert_int_equal(c->fake->prompt.tries, 1);
        assert_int_equal(c->fake->settings.uv_retries, 1);
        assert_int_equal(c->fake->pin_count, 3);
        assert_int_equal(pin_get_token(c, &p, 2, CLIENT_PIN), CTAP2_ERR_PIN_AUTH_BLOCKED);

        ctap_power_up(c->ctap);
        ask_to_make(c);
        c->fake->n_mistyped = 8;
        assert_int_equal(send(c), CTAP2_ERR_PUAT_REQUIRED);
        assert_int_equal(c->fake->n_prompts, 1);
        assert_int_equal(pin_get_token(c, &p, 2, CLIENT_PIN), CTAP_OK);
        ask_to_make(c);
        c->fake->n_mistyped = 0;
        assert_int_equal(send(c), CTAP_OK);
}

static void CP5_the_last_wrong_pin_may_be_typed_here(void **state) {
        struct client *c = *state;
        struct platform p;

        assert_int_equal(pin_get_token(c, &p, 2, CLIENT_PIN), CTAP_OK);
        c->fake->pin_count = 7;
        ask_to_make(c);
        c->fake->n_mistyped = 8;
        assert_int_equal(send(c), CTAP2_ERR_PUAT_REQUIRED);
        assert_int_equal(c->fake->n_prompts, 1);
        assert_int_equal(c->fake->prompt.tries, 1);
        assert_false(pin_token_is_good(c, &p));
        assert_int_equal(pin_get_token(c, &p, 2, CLIENT_PIN), CTAP2_ERR_PIN_BLOCKED);
}

static void CP7_the_right_pin_gives_the_tries_back_wherever_it_is_typed(void **state) {
        struct client *c = *state;
        struct platform p;

        for (unsigned i = 0; i < 4; i++) {
                c->fake->settings.uv_retries = (uint8_t)i;
                if (i == 0)
                        assert_int_equal(pin_get_token(c, &p, 1, CLIENT_PIN), CTAP_OK);
                if (i == 1)
                        assert_int_equal(pin_change(c, &p, 2, CLIENT_PIN, CLIENT_PIN), CTAP_OK);
                if (i == 2)
                        assert_int_equal(ctap_pin_change(c->ctap, BYTES_TEXT(CLIENT_PIN),
                                                         BYTES_TEXT(CLIENT_PIN)),
                                         CTAP_OK);
                if (i == 3) {
                        ask_to_make(c);
                        c->fake->n_mistyped = 2;
                        assert_int_equal(send(c), CTAP_OK);
                        assert_int_equal(c->fake->pin_count, 0);
                }
                assert_int_equal(c->fake->settings.uv_retries, CTAP_UV_RETRIES_MAX);
        }
        c->fake->settings.uv_retries = 1;
        assert_int_equal(pin_get_token(c, &p, 1, "4321"), CTAP2_ERR_PIN_INVALID);
        assert_int_equal(c->fake->settings.uv_retries, 1);
}

static void CP6_a_pin_typed_here_leaves_the_agreements(void **state) {
        struct client *c = *state;
        struct platform p;

        pin_agree(c, &p, 2);
        ask_to_make(c);
        c->fake->n_mistyped = 1;
        assert_int_equal(send(c), CTAP_OK);
        pin_ask_for_token(c, &p, CLIENT_PIN);
        assert_int_equal(client_send(c), CTAP_OK);
}

/* The key device looks at no PIN for some time: that is no fault of who typed it. */
static void a_device_that_looks_at_no_pin_for_now(void **state) {
        struct client *c = *state;

        ask_to_make(c);
        c->fake->pin_later = true;
        for (unsigned i = 0; i < 4; i++) {
                assert_int_equal(send(c), CTAP2_ERR_PUAT_REQUIRED);
                assert_int_equal(c->fake->n_prompts, 1);
                assert_int_equal(c->fake->settings.uv_retries, 3);
        }
        fake_fail(c->fake, "set_settings", 2, -EIO);
        assert_int_equal(send(c), CTAP1_ERR_OTHER);
        assert_int_equal(c->fake->settings.uv_retries, 2);
        c->fake->pin_later = false;
        assert_int_equal(send(c), CTAP_OK);
}

static void what_can_be_no_pin_is_a_wrong_one(void **state) {
        static const char *const typed[] = {
                "",
                "123",
                "\xff\xfe\xfd",
                "012345678901234567890123456789012345678901234567890123456789012",
        };
        struct client *c = *state;

        for (size_t i = 0; i < ELEMENTSOF(typed); i++) {
                ask_to_make(c);
                c->fake->typed = typed[i];
                assert_int_equal(send(c), CTAP2_ERR_PUAT_REQUIRED);
                assert_int_equal(c->fake->pin_count, 3);
                c->fake->pin_count = 0;
                c->fake->settings.uv_retries = 3;
                ctap_power_up(c->ctap);
        }
        c->fake->typed = CLIENT_PIN;
        assert_int_equal(send(c), CTAP_OK);
}

/* What a tool tries for its owner is tried like what a person types, and nobody is asked. */
static void CP3_a_try_without_a_question_costs_the_same(void **state) {
        struct client *c = *state;

        fake_forget_trace(c->fake);
        assert_int_equal(ctap_uv_try(c->ctap, BYTES_TEXT("0000")), CTAP2_ERR_PIN_INVALID);
        assert_int_equal(c->fake->settings.uv_retries, 2);
        assert_int_equal(c->fake->pin_count, 1);
        assert_int_equal(ctap_uv_try(c->ctap, BYTES_TEXT(CLIENT_PIN)), CTAP_OK);
        assert_int_equal(c->fake->settings.uv_retries, CTAP_UV_RETRIES_MAX);
        assert_int_equal(c->fake->pin_count, 0);

        for (int i = 2; i > 0; i--)
                assert_int_equal(ctap_uv_try(c->ctap, BYTES_TEXT("0000")), CTAP2_ERR_PIN_INVALID);
        assert_int_equal(ctap_uv_try(c->ctap, BYTES_TEXT("0000")), CTAP2_ERR_UV_BLOCKED);
        fake_forget_trace(c->fake);
        assert_int_equal(ctap_uv_try(c->ctap, BYTES_TEXT(CLIENT_PIN)), CTAP2_ERR_UV_BLOCKED);
        assert_int_equal(fake_calls(c->fake, "pin_verify"), 0);
        assert_int_equal(fake_calls(c->fake, "set_settings"), 0);
        assert_int_equal(c->fake->n_prompts, 0);

        /* The latch is not a matter of the right PIN, and built-in verification is, elsewhere. */
        assert_int_equal(ctap_pin_try(c->ctap, BYTES_TEXT(CLIENT_PIN)), CTAP2_ERR_PIN_AUTH_BLOCKED);
        ctap_power_up(c->ctap);
        assert_int_equal(ctap_uv_try(c->ctap, BYTES_TEXT(CLIENT_PIN)), CTAP2_ERR_UV_BLOCKED);
        assert_int_equal(ctap_pin_try(c->ctap, BYTES_TEXT("0000")), CTAP2_ERR_PIN_INVALID);
        assert_int_equal(ctap_pin_try(c->ctap, BYTES_TEXT(CLIENT_PIN)), CTAP_OK);
        assert_int_equal(c->fake->settings.uv_retries, CTAP_UV_RETRIES_MAX);
        assert_int_equal(c->fake->pin_count, 0);
        ask_to_make(c);
        assert_int_equal(send(c), CTAP_OK);
}

static void refill(struct client *c) {
        c->fake->settings.uv_retries = CTAP_UV_RETRIES_MAX;
}

static void whatever_fails_is_said_and_nothing_is_kept(void **state) {
        struct client *c = *state;
        struct made made;

        ask_to_make(c);
        /* the id, the seal; tries, question, create, load, wait; spend, tries, verify, refill;
         * sign, insert */
        assert_int_equal(client_fail_everywhere_after(c, refill), 13);
        client_read_made(c, &made);
        ask_to_use(c, &made);
        /* find, tries, question, prepare_use, load, wait; spend, tries, verify, refill; use, sign */
        assert_int_equal(client_fail_everywhere_after(c, refill), 12);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                uv_test(MC5a_uv_is_invalid_unless_it_can_be_done_now),
                uv_test(MC5_with_a_token_nobody_types_a_pin),
                uv_test(MC7_uv_opens_the_way_to_a_discoverable_credential),
                uv_test(MC10_without_uv_nobody_types_a_pin),
                always_uv_test(MC6_under_always_uv_the_pin_is_asked_for_unasked),
                always_uv_test(GA4_under_always_uv_a_probe_asks_for_no_pin),
                uv_test(MC11b_the_question_says_what_it_is_for),
                uv_test(MC11b_only_the_signature_is_left_after_the_pin),
                uv_test(GA5_only_the_signature_is_left_after_the_pin),
                uv_test(MC11b_a_key_behind_the_pin_attests_to_itself),
                uv_test(GA5_hmac_secret_is_that_of_a_verified_person),
                uv_test(MC12_an_excluded_credential_is_told_to_who_is_verified),
                uv_test(GA5_that_nothing_matches_is_told_to_who_is_verified),
                uv_test(GA10_verification_without_presence),
                uv_test(GA10_the_pin_uses_a_token_up_as_a_yes_does),
                uv_test(GA8_a_person_who_is_being_verified_sees_all_levels),
                uv_test(GN5_a_walk_stays_verified_until_the_ticket_ends),
                uv_test(MC11b_every_way_in_which_it_can_end),
                uv_test(MC11b_where_no_try_is_left_nobody_is_asked),
                uv_test(MC11b_a_person_may_give_up_after_a_mistake),
                uv_test(CP3_a_try_is_gone_before_the_pin_is_looked_at),
                uv_test(CP4_wrong_pins_count_wherever_they_are_typed),
                uv_test(CP5_the_last_wrong_pin_may_be_typed_here),
                uv_test(CP7_the_right_pin_gives_the_tries_back_wherever_it_is_typed),
                uv_test(CP6_a_pin_typed_here_leaves_the_agreements),
                uv_test(a_device_that_looks_at_no_pin_for_now),
                uv_test(what_can_be_no_pin_is_a_wrong_one),
                uv_test(CP3_a_try_without_a_question_costs_the_same),
                uv_test(whatever_fails_is_said_and_nothing_is_kept),
        };

        return cmocka_run_group_tests_name("built-in-uv", tests, NULL, NULL);
}
