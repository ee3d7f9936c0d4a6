/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * ctap/enrolment.c, and what ctap/pin.c does for it: passkeys that an administrator makes, and the
 * one-time secret, from when it is set until its owner has changed it.
 */

#include <errno.h>
#include <string.h>

#include "ctap/auth-data.h"
#include "ctap/command.h"
#include "tests/fake/pin-client.h"
#include "tests/unit/test.h"

#define SECRET "one-time 4711"
#define PIN    "a PIN of mine"
#define OTHER  "another one"
#define WRONG  "4321"

static uint8_t set_secret(struct client *c) {
        return (uint8_t)ctap_pin_set_for_enrolment(c->ctap, BYTES_TEXT(SECRET));
}

static int setup_with_secret(void **state) {
        int r = client_setup(state);
        struct client *c = *state;

        if (r == 0)
                assert_int_equal(set_secret(c), CTAP_OK);
        fake_forget_trace(c->fake);
        return r;
}

#define test_with_secret(f) cmocka_unit_test_setup_teardown(f, setup_with_secret, client_teardown)

/* What the client's request is to be allowed by. */
static uint8_t verify(struct client *c, const char *secret, const char *rp_id) {
        _cleanup_(ctap_enrolment_param_wipe) struct ctap_enrolment_param param = { { 0 } };
        struct sha256 hash;
        enum ctap_status s;

        memcpy(hash.b, c->client_data_hash, sizeof(hash.b));
        s = ctap_enrolment_verify(c->ctap, BYTES_TEXT(secret), BYTES_TEXT(rp_id), &hash, &param);
        if (s == CTAP_OK) {
                client_set(c, 8, "h'%s'", client_hex(c, BYTES_OF(param)));
                client_set(c, 9, "2");
        }
        return (uint8_t)s;
}

/* A request for a discoverable passkey by the administrator. */
static void begin(struct client *c) {
        client_make_credential(c);
        client_set(c, 7, "{'rk': true}");
        c->by_administrator = true;
}

static uint8_t enrol(struct client *c, const char *secret) {
        begin(c);
        assert_int_equal(verify(c, secret, CLIENT_RP), CTAP_OK);
        return client_send(c);
}

static struct ctap_pin_info describe(struct client *c) {
        struct ctap_pin_info info;

        assert_int_equal(ctap_pin_describe(c->ctap, &info), CTAP_OK);
        return info;
}

/* ---- without a secret ---- */

static void nobody_is_asked_and_nobody_is_verified(void **state) {
        struct client *c = *state;
        struct made made;

        c->fake->answer = CTAP_ANSWER_NO;
        begin(c);
        assert_int_equal(client_send(c), CTAP_OK);
        client_read_made(c, &made);
        assert_int_equal(made.flags & (CTAP_FLAG_UP | CTAP_FLAG_UV), CTAP_FLAG_UP);
        assert_int_equal(c->fake->n_prompts, 0);
        assert_int_equal(c->fake->n_rows, 1);
        assert_true(c->fake->rows[0].flags & CTAP_ROW_DISCOVERABLE);

        /* Whoever comes next is asked as ever. */
        c->by_administrator = false;
        assert_int_equal(client_send(c), CTAP2_ERR_OPERATION_DENIED);
        assert_int_equal(c->fake->n_prompts, 1);
}

static void where_a_pin_is_set_it_takes_that(void **state) {
        struct client *c = *state;

        client_set_pin(c);
        begin(c);
        assert_int_equal(client_send(c), CTAP2_ERR_PUAT_REQUIRED);
        /* Nor can the administrator have its owner type it. */
        c->fake->abilities = CTAP_PRESENCE_VERIFY;
        c->fake->typed = CLIENT_PIN;
        client_set(c, 7, "{'rk': true, 'uv': true}");
        assert_int_equal(client_send(c), CTAP2_ERR_INVALID_OPTION);
        assert_int_equal(c->fake->n_rows, 0);
        assert_int_equal(c->fake->n_prompts, 0);
}

static void where_no_touch_alone_will_do_the_administrators_does_not(void **state) {
        struct client *c = *state;

        c->ctap->options.verified_presence = true;
        begin(c);
        assert_int_equal(client_send(c), CTAP2_ERR_PUAT_REQUIRED);
        assert_int_equal(c->fake->n_rows, 0);

        assert_int_equal(set_secret(c), CTAP_OK);
        assert_int_equal(enrol(c, SECRET), CTAP_OK);
}

static void it_is_for_nothing_but_making_a_passkey(void **state) {
        struct client *c = *state;

        begin(c);
        for (unsigned code = 0; code <= UINT8_MAX; code++)
                if (code != 0x01)
                        assert_int_equal(client_call(c, (uint8_t)code, BYTES_NULL),
                                         CTAP1_ERR_INVALID_COMMAND);
        assert_int_equal(client_message(c, BYTES_NULL), CTAP1_ERR_INVALID_COMMAND);
}

static void a_question_of_u2f_is_withdrawn(void **state) {
        uint8_t apdu[7 + 64] = { 0x00, 0x01, 0x00, 0x00, 0x00, 0x00, 0x40 };
        uint8_t storage[CTAP_REPLY_MAX];
        struct buf reply = BUF_ON(storage);
        struct client *c = *state;

        c->fake->answer = CTAP_ANSWER_PENDING;
        ctap_u2f(c->ctap, c->channel, BYTES_OF(apdu), &reply);
        assert_true(c->fake->shown);
        begin(c);
        assert_int_equal(client_send(c), CTAP_OK); /* which looks that nothing is shown */
        assert_int_equal(ctap_deadline(c->ctap), UINT64_MAX);
}

/* ---- the secret ---- */

static void it_verifies_without_a_question(void **state) {
        struct client *c = *state;
        struct made made;

        c->fake->answer = CTAP_ANSWER_NO;
        for (unsigned i = 0; i < 3; i++) {
                assert_int_equal(enrol(c, SECRET), CTAP_OK);
                client_read_made(c, &made);
                assert_int_equal(made.flags & (CTAP_FLAG_UP | CTAP_FLAG_UV),
                                 CTAP_FLAG_UP | CTAP_FLAG_UV);
        }
        assert_int_equal(c->fake->n_prompts, 0);
        assert_int_equal(c->ctap->token.protocol, 0);
}

/* The key device has seen it, so that a key behind the PIN attests to itself. */
static void it_opens_a_key_behind_the_pin(void **state) {
        struct client *c = *state;
        struct made made;

        begin(c);
        client_set(c, 6, "{'credProtect': 3}");
        assert_int_equal(verify(c, SECRET, CLIENT_RP), CTAP_OK);
        assert_int_equal(client_send(c), CTAP_OK);
        client_read_made(c, &made);
        assert_bytes_equal(made.fmt, BYTES_TEXT("packed"));
        assert_int_equal(c->fake->rows[0].class, CTAP_CLASS_B);
}

static void an_excluded_passkey_is_told_of_without_a_question(void **state) {
        struct client *c = *state;
        struct made made;

        assert_int_equal(enrol(c, SECRET), CTAP_OK);
        client_read_made(c, &made);
        begin(c);
        client_set_list(c, 5, &made, 1);
        assert_int_equal(verify(c, SECRET, CLIENT_RP), CTAP_OK);
        assert_int_equal(client_send(c), CTAP2_ERR_CREDENTIAL_EXCLUDED);
        assert_int_equal(c->fake->n_prompts, 0);
}

static void CP21_the_secret_obeys_the_rules_of_pins(void **state) {
        struct client *c = *state;

        assert_int_equal(ctap_pin_set_for_enrolment(c->ctap, BYTES_TEXT("123")),
                         CTAP2_ERR_PIN_POLICY_VIOLATION);
        assert_false(describe(c).is_set);
        client_set_pin(c);
        assert_int_equal(set_secret(c), CTAP2_ERR_PIN_AUTH_INVALID);
        assert_false(describe(c).must_change);
        assert_false(describe(c).is_for_enrolment);
}

static void CP22_no_client_gets_a_token_for_it(void **state) {
        struct client *c = *state;
        struct platform p;

        c->fake->abilities = CTAP_PRESENCE_VERIFY;
        c->fake->typed = SECRET;
        assert_true(describe(c).must_change);
        assert_true(describe(c).is_for_enrolment);
        assert_int_equal(pin_get_token(c, &p, 1, SECRET), CTAP2_ERR_PIN_INVALID);
        assert_int_equal(pin_get_token_for(c, &p, 2, SECRET, CTAP_PERMISSION_GA, CLIENT_RP),
                         CTAP2_ERR_PIN_POLICY_VIOLATION);
        assert_int_equal(pin_get_token_by_uv(c, &p, 2, CTAP_PERMISSION_GA, CLIENT_RP),
                         CTAP2_ERR_PIN_POLICY_VIOLATION);
        assert_int_equal(c->fake->n_prompts, 0);
}

static void it_is_dead_once_it_was_changed(void **state) {
        struct client *c = *state;
        struct platform p;

        assert_int_equal(pin_change(c, &p, 2, SECRET, SECRET), CTAP2_ERR_PIN_POLICY_VIOLATION);
        assert_int_equal(pin_change(c, &p, 2, SECRET, PIN), CTAP_OK);
        assert_false(describe(c).must_change);
        assert_false(describe(c).is_for_enrolment);
        begin(c);
        assert_int_equal(verify(c, SECRET, CLIENT_RP), CTAP2_ERR_NOT_ALLOWED);
        assert_int_equal(verify(c, PIN, CLIENT_RP), CTAP2_ERR_NOT_ALLOWED);
        assert_int_equal(describe(c).retries, 8);
        c->by_administrator = false;
        assert_int_equal(pin_get_token(c, &p, 2, PIN), CTAP_OK);
}

/* Who has to change a PIN of their own has not become the administrator's. */
static void a_pin_that_has_to_be_changed_is_no_secret(void **state) {
        struct client *c = *state;

        client_set_pin(c);
        c->fake->settings.force_pin_change = true;
        begin(c);
        assert_int_equal(verify(c, CLIENT_PIN, CLIENT_RP), CTAP2_ERR_NOT_ALLOWED);
        assert_int_equal(describe(c).retries, 8);
}

static void without_a_pin_there_is_no_secret(void **state) {
        struct client *c = *state;

        begin(c);
        assert_int_equal(verify(c, SECRET, CLIENT_RP), CTAP2_ERR_NOT_ALLOWED);
        assert_int_equal(c->fake->trace[0], '\0');
}

static void CP3_a_wrong_secret_costs_a_try(void **state) {
        struct client *c = *state;

        begin(c);
        assert_int_equal(verify(c, WRONG, CLIENT_RP), CTAP2_ERR_PIN_INVALID);
        assert_int_equal(verify(c, WRONG, CLIENT_RP), CTAP2_ERR_PIN_INVALID);
        assert_int_equal(verify(c, WRONG, CLIENT_RP), CTAP2_ERR_PIN_AUTH_BLOCKED);
        assert_int_equal(verify(c, SECRET, CLIENT_RP), CTAP2_ERR_PIN_AUTH_BLOCKED);
        assert_int_equal(describe(c).retries, 5);
        ctap_power_up(c->ctap);
        assert_int_equal(enrol(c, SECRET), CTAP_OK);
        assert_int_equal(describe(c).retries, 8);
}

static void what_it_gave_is_for_one_site_and_one_message(void **state) {
        struct client *c = *state;

        begin(c);
        assert_int_equal(verify(c, SECRET, "example.org"), CTAP_OK);
        assert_int_equal(client_send(c), CTAP2_ERR_PIN_AUTH_INVALID);

        begin(c);
        assert_int_equal(verify(c, SECRET, CLIENT_RP), CTAP_OK);
        assert_int_equal(client_send(c), CTAP_OK);
        assert_int_equal(client_send(c), CTAP2_ERR_PIN_AUTH_INVALID);

        begin(c);
        assert_int_equal(verify(c, SECRET, CLIENT_RP), CTAP_OK);
        client_set(c, 1, "h'0000000000000000000000000000000000000000000000000000000000000000'");
        assert_int_equal(client_send(c), CTAP2_ERR_PIN_AUTH_INVALID);
        assert_int_equal(c->fake->n_rows, 1);
}

static void a_reset_ends_it(void **state) {
        struct client *c = *state;

        assert_int_equal(client_call(c, 0x07, BYTES_NULL), CTAP_OK);
        assert_false(describe(c).is_for_enrolment);
        begin(c);
        assert_int_equal(verify(c, SECRET, CLIENT_RP), CTAP2_ERR_NOT_ALLOWED);
}

/* ---- failures ---- */

static void verify_again(struct client *c) {
        assert_int_equal(verify(c, SECRET, CLIENT_RP), CTAP_OK);
}

static void whatever_fails_makes_no_passkey(void **state) {
        struct client *c = *state;

        begin(c);
        /* The ticket, the rng twice, create, load, sign, insert. */
        assert_int_equal(client_fail_everywhere_after(c, verify_again), 7);
}

static void a_verification_that_fails_gives_nothing(void **state) {
        static const char *const calls[] = { "pin_retries", "pin_verify", "fill" };
        struct client *c = *state;

        for (size_t i = 0; i < ELEMENTSOF(calls); i++) {
                begin(c);
                fake_fail(c->fake, calls[i], 1, -EIO);
                assert_int_equal(verify(c, SECRET, CLIENT_RP), CTAP1_ERR_OTHER);
                fake_mend(c->fake);
                assert_int_equal(c->ctap->token.protocol, 0);
        }
}

/* The power goes when the device has the secret and the settings do not say so yet. */
static void a_cut_leaves_no_secret_that_need_not_be_changed(void **state) {
        struct client *c = *state;
        struct platform p;

        c->fake->pin_unheard = true;
        assert_int_equal(set_secret(c), CTAP1_ERR_OTHER);
        assert_true(describe(c).is_set);
        assert_true(describe(c).must_change);
        assert_int_equal(pin_get_token_for(c, &p, 2, SECRET, CTAP_PERMISSION_GA, CLIENT_RP),
                         CTAP2_ERR_PIN_POLICY_VIOLATION);
        assert_int_equal(enrol(c, SECRET), CTAP_OK);
        c->by_administrator = false;
        assert_int_equal(pin_change(c, &p, 2, SECRET, PIN), CTAP_OK);
        assert_int_equal(pin_get_token(c, &p, 2, PIN), CTAP_OK);
}

static void a_cut_before_the_device_has_it_leaves_nothing(void **state) {
        struct client *c = *state;
        struct platform p;

        fake_fail(c->fake, "pin_change", 1, -EIO);
        assert_int_equal(set_secret(c), CTAP1_ERR_OTHER);
        fake_mend(c->fake);
        assert_false(describe(c).is_set);
        assert_false(describe(c).must_change);
        assert_false(describe(c).is_for_enrolment);
        assert_int_equal(pin_set(c, &p, 2, PIN), CTAP_OK);
        assert_int_equal(pin_get_token(c, &p, 2, PIN), CTAP_OK);
}

/* An older disk was put back: the device has a PIN that the settings know nothing of. */
static void a_pin_that_was_there_after_all_is_no_secret(void **state) {
        struct client *c = *state;
        struct platform p;

        for (unsigned lost = 0; lost <= 7; lost += 7) {
                client_set_pin(c);
                c->fake->settings.pin_length = 0;
                c->fake->pin_count = (uint8_t)lost;
                assert_int_equal(set_secret(c), CTAP2_ERR_PIN_AUTH_INVALID);
                assert_true(describe(c).is_set);
                assert_false(describe(c).must_change);
                assert_false(describe(c).is_for_enrolment);
                assert_int_equal(pin_get_token(c, &p, 2, CLIENT_PIN), CTAP_OK);
                assert_int_equal(client_call(c, 0x07, BYTES_NULL), CTAP_OK);
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                client_unit_test(nobody_is_asked_and_nobody_is_verified),
                client_unit_test(where_a_pin_is_set_it_takes_that),
                client_unit_test(where_no_touch_alone_will_do_the_administrators_does_not),
                client_unit_test(it_is_for_nothing_but_making_a_passkey),
                client_unit_test(a_question_of_u2f_is_withdrawn),
                test_with_secret(it_verifies_without_a_question),
                test_with_secret(it_opens_a_key_behind_the_pin),
                test_with_secret(an_excluded_passkey_is_told_of_without_a_question),
                client_unit_test(CP21_the_secret_obeys_the_rules_of_pins),
                test_with_secret(CP22_no_client_gets_a_token_for_it),
                test_with_secret(it_is_dead_once_it_was_changed),
                client_unit_test(a_pin_that_has_to_be_changed_is_no_secret),
                client_unit_test(without_a_pin_there_is_no_secret),
                test_with_secret(CP3_a_wrong_secret_costs_a_try),
                test_with_secret(what_it_gave_is_for_one_site_and_one_message),
                test_with_secret(a_reset_ends_it),
                test_with_secret(whatever_fails_makes_no_passkey),
                test_with_secret(a_verification_that_fails_gives_nothing),
                client_unit_test(a_cut_leaves_no_secret_that_need_not_be_changed),
                client_unit_test(a_cut_before_the_device_has_it_leaves_nothing),
                client_unit_test(a_pin_that_was_there_after_all_is_no_secret),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
