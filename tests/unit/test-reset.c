/* SPDX-License-Identifier: BSD-2-Clause */

/* ctap/reset.c */

#include <errno.h>

#include "ctap/command.h"
#include "tests/fake/pin-client.h"
#include "tests/unit/test.h"

static uint8_t reset(struct client *c) {
        fake_forget_trace(c->fake);
        return client_call(c, 0x07, BYTES_NULL);
}

static void RS1_only_within_ten_seconds_of_power_up(void **state) {
        struct client *c = *state;

        c->fake->now_ms += 9999;
        assert_int_equal(reset(c), CTAP_OK);
        c->fake->now_ms += 1;
        assert_int_equal(reset(c), CTAP2_ERR_NOT_ALLOWED);
        assert_string_equal(c->fake->trace, "");

        ctap_power_up(c->ctap);
        assert_int_equal(reset(c), CTAP_OK);
}

static void RS1_the_window_is_for_asking_not_for_answering(void **state) {
        struct client *c = *state;

        c->fake->now_ms += 9000;
        c->fake->thinking_ms = 20000;
        assert_int_equal(reset(c), CTAP_OK);
}

static void RS1_never_plugged_in_is_no_window(void **state) {
        const struct ctap_options options = { .max_message = CLIENT_MESSAGE };
        struct client *c = *state;

        ctap_free(c->ctap);
        assert_int_equal(ctap_new(&c->fake->env, &options, &c->ctap), 0);
        assert_int_equal(reset(c), CTAP2_ERR_NOT_ALLOWED);
}

static void RS1_with_a_display_at_any_time(void **state) {
        struct client *c = *state;

        c->fake->abilities = CTAP_PRESENCE_DISPLAY;
        c->fake->now_ms += 3600 * 1000;
        assert_int_equal(reset(c), CTAP_OK);
        assert_int_equal(c->fake->prompt.ask, CTAP_ASK_RESET);
        assert_false(c->fake->prompt.passive);
}

static void RS2_nothing_is_erased_without_a_yes(void **state) {
        static const struct {
                enum ctap_answer answer;
                uint8_t status;
        } cases[] = {
                { CTAP_ANSWER_NO, CTAP2_ERR_OPERATION_DENIED },
                { CTAP_ANSWER_TIMEOUT, CTAP2_ERR_USER_ACTION_TIMEOUT },
                { CTAP_ANSWER_CANCELLED, CTAP2_ERR_KEEPALIVE_CANCEL },
        };
        struct client *c = *state;
        struct made made;

        client_register(c, true, "ann", &made);
        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                c->fake->answer = cases[i].answer;
                assert_int_equal(reset(c), cases[i].status);
                assert_string_equal(c->fake->trace, "begin wait end");
                assert_int_equal(c->fake->n_rows, 1);
        }
}

static void RS3_a_long_touch_is_asked_for_where_it_was_turned_on(void **state) {
        struct client *c = *state;

        c->fake->abilities = CTAP_PRESENCE_DISPLAY | CTAP_PRESENCE_HOLD;
        assert_int_equal(reset(c), CTAP_OK);
        assert_int_equal(c->fake->prompt.hold_s, 0);
        c->fake->settings.long_touch_for_reset = true;
        assert_int_equal(reset(c), CTAP_OK);
        assert_int_equal(c->fake->prompt.hold_s, 5);
        assert_int_equal(reset(c), CTAP_OK); /* which turned it off */
        assert_int_equal(c->fake->prompt.hold_s, 0);
}

static void RS3_where_nobody_can_hold_on_that_long_there_is_no_reset(void **state) {
        struct client *c = *state;

        c->fake->abilities = CTAP_PRESENCE_DISPLAY;
        c->fake->settings.long_touch_for_reset = true;
        assert_int_equal(reset(c), CTAP2_ERR_NOT_ALLOWED);
        assert_string_equal(c->fake->trace, "");
}

static void RS4_erases_after_the_question(void **state) {
        struct client *c = *state;
        struct made made;

        client_register(c, true, "ann", &made);
        client_register(c, false, "bob", &made);
        assert_int_equal(reset(c), CTAP_OK);
        assert_string_equal(c->fake->trace, "begin wait end reset");
        assert_int_equal(c->body.len, 0);
        assert_int_equal(c->fake->n_rows, 0);
}

/* What there is of an owner, all of it turned away from how it was made. */
static void leave_traces(struct client *c) {
        static const uint8_t blobs[64] = { 1 };
        struct ctap_settings *s = &c->fake->settings;
        struct made made;

        client_register(c, true, "ann", &made);
        client_u2f_register(c, &made);
        client_set_pin(c);
        c->fake->pin_count = 4;
        c->ctap->pin_mismatches = 2;
        s->min_pin_length = 6;
        s->force_pin_change = true;
        s->uv_retries = 0;
        s->always_uv = true;
        s->enterprise_attestation = true;
        s->pin_complexity = true;
        s->persistent_token_epoch = 7;
        s->n_min_pin_length_rps = 1;
        assert_int_equal(c->fake->store.ops->large_blobs_write(&c->fake->store, BYTES_OF(blobs)),
                         0);
}

static void RS4_nothing_of_its_owner_is_left(void **state) {
        const struct ctap_settings fresh = CTAP_SETTINGS_DEFAULT;
        struct client *c = *state;
        struct ctap_pin_info pin;

        leave_traces(c);
        assert_int_equal(reset(c), CTAP_OK);
        assert_int_equal(c->fake->n_rows, 0);
        assert_memory_equal(&c->fake->settings, &fresh, sizeof(fresh));
        assert_int_equal(c->fake->large_blobs_len, CTAP_LARGE_BLOBS_EMPTY_SIZE);
        assert_int_equal(ctap_pin_describe(c->ctap, &pin), CTAP_OK);
        assert_false(pin.is_set);
        assert_false(pin.is_latched);
        assert_int_equal(pin.retries, CTAP_PIN_TRIES_MAX);
        assert_int_equal(pin.uv_retries, CTAP_UV_RETRIES_MAX);
        assert_int_equal(c->ctap->pin_mismatches, 0);
}

/* The latch is of the PIN that was: the next owner has their own three. */
static void RS4_the_latch_opens(void **state) {
        struct client *c = *state;
        struct platform p;

        client_set_pin(c);
        c->ctap->pin_mismatches = 3;
        assert_int_equal(reset(c), CTAP_OK);
        assert_int_equal(pin_set(c, &p, 2, CLIENT_PIN), CTAP_OK);
        assert_int_equal(pin_get_token(c, &p, 2, CLIENT_PIN), CTAP_OK);
}

/* Neither that for a ceremony nor that for reading, also where the next PIN is the same. */
static void RS5_an_old_token_is_no_token(void **state) {
        struct client *c = *state;
        struct platform p, ordinary, persistent;

        client_set_pin(c);
        assert_int_equal(pin_get_token_for(c, &persistent, 2, CLIENT_PIN, CTAP_PERMISSION_PCMR,
                                           NULL),
                         CTAP_OK);
        assert_int_equal(pin_get_token(c, &ordinary, 2, CLIENT_PIN), CTAP_OK);
        assert_int_equal(reset(c), CTAP_OK);
        assert_int_equal(pin_set(c, &p, 2, CLIENT_PIN), CTAP_OK);
        for (unsigned i = 0; i < 2; i++) {
                c->platform = i == 0 ? ordinary : persistent;
                client_make_credential(c);
                client_authorize(c);
                assert_int_equal(client_send(c), CTAP2_ERR_PIN_AUTH_INVALID);
                client_manage(c, 0x0a, 0x01);
                client_authorize(c);
                assert_int_equal(client_send(c), CTAP2_ERR_PIN_AUTH_INVALID);
        }
}

/* The yes was to a registration among the credentials that there were then. */
static void RS4_what_was_said_to_u2f_is_forgotten(void **state) {
        uint8_t apdu[7 + 64 + 2] = { 0x00, 0x01, 0x03, 0x00, 0x00, 0x00, 0x40, 0x01 };
        uint8_t storage[CTAP_REPLY_MAX];
        struct buf reply = BUF_ON(storage);
        struct client *c = *state;

        c->fake->answer = CTAP_ANSWER_PENDING;
        ctap_u2f(c->ctap, c->channel, BYTES_OF(apdu), &reply);
        c->fake->answer = CTAP_ANSWER_YES;
        assert_int_equal(reset(c), CTAP_OK);
        c->fake->answer = CTAP_ANSWER_PENDING;
        ctap_u2f(c->ctap, c->channel, BYTES_OF(apdu), &reply);
        assert_bytes_equal(buf_bytes(&reply), BYTES("\x69\x85", 2));
        assert_int_equal(c->fake->n_rows, 0);
}

static void RS4_a_failure_is_said_and_keeps_what_there_was(void **state) {
        struct client *c = *state;
        struct made made;
        struct given given;

        client_register(c, true, "ann", &made);
        c->command = 0x07;
        fake_fail(c->fake, "reset", 1, -ENOSPC);
        assert_int_equal(client_call(c, 0x07, BYTES_NULL), CTAP1_ERR_OTHER);
        fake_fail(c->fake, "reset", 1, -EIO);
        assert_int_equal(client_call(c, 0x07, BYTES_NULL), CTAP1_ERR_OTHER);

        client_get_assertion(c);
        assert_int_equal(client_send(c), CTAP_OK);
        client_read_given(c, &made, &given);

        c->command = 0x07;
        for (unsigned i = 0; i < CLIENT_MEMBERS; i++)
                client_unset(c, i);
        assert_int_equal(client_fail_everywhere(c), 3);
}

static void RS6_nothing_new_is_made_under_a_former_store_key(void **state) {
        const struct ctap_options options = { .max_message = CLIENT_MESSAGE };
        struct client *c = *state;
        struct made made;
        struct given given;

        c->fake->store_key.b[0]++; /* as far as it came before it failed */
        fake_fail(c->fake, "reset", 1, -EIO);
        assert_int_equal(reset(c), CTAP1_ERR_OTHER);

        client_register(c, true, "ann", &made);
        ctap_free(c->ctap);
        assert_int_equal(ctap_new(&c->fake->env, &options, &c->ctap), 0);
        client_get_assertion(c);
        assert_int_equal(client_send(c), CTAP_OK);
        client_read_given(c, &made, &given);
}

static void RS5_an_old_credential_is_a_foreign_one(void **state) {
        struct client *c = *state;
        struct made made;

        client_register(c, false, "ann", &made);
        assert_int_equal(reset(c), CTAP_OK);

        fake_forget_trace(c->fake);
        client_get_assertion(c);
        client_set_list(c, 3, &made, 1);
        client_set(c, 5, "{'up': false}");
        assert_int_equal(client_send(c), CTAP2_ERR_NO_CREDENTIALS);
        assert_string_equal(c->fake->trace, "");
}

static void RS5_new_credentials_work(void **state) {
        struct client *c = *state;
        struct made made;
        struct given given;

        assert_int_equal(reset(c), CTAP_OK);
        client_register(c, true, "ann", &made);
        client_get_assertion(c);
        assert_int_equal(client_send(c), CTAP_OK);
        client_read_given(c, &made, &given);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                client_unit_test(RS1_only_within_ten_seconds_of_power_up),
                client_unit_test(RS1_the_window_is_for_asking_not_for_answering),
                client_unit_test(RS1_never_plugged_in_is_no_window),
                client_unit_test(RS1_with_a_display_at_any_time),
                client_unit_test(RS2_nothing_is_erased_without_a_yes),
                client_unit_test(RS3_a_long_touch_is_asked_for_where_it_was_turned_on),
                client_unit_test(RS3_where_nobody_can_hold_on_that_long_there_is_no_reset),
                client_unit_test(RS4_erases_after_the_question),
                client_unit_test(RS4_nothing_of_its_owner_is_left),
                client_unit_test(RS4_the_latch_opens),
                client_unit_test(RS4_what_was_said_to_u2f_is_forgotten),
                client_unit_test(RS4_a_failure_is_said_and_keeps_what_there_was),
                client_unit_test(RS5_an_old_credential_is_a_foreign_one),
                client_unit_test(RS5_an_old_token_is_no_token),
                client_unit_test(RS5_new_credentials_work),
                client_unit_test(RS6_nothing_new_is_made_under_a_former_store_key),
        };

        return cmocka_run_group_tests_name("reset", tests, NULL, NULL);
}
