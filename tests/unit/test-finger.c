/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * A finger in the PIN's place, wherever built-in verification asks: what it opens, and what the key
 * device wants the PIN for all the same. And questions that a touch alone does not answer.
 */

#include <errno.h>
#include <string.h>

#include "ctap/built-in-uv.h"
#include "ctap/command.h"
#include "ctap/crypto.h"
#include "tests/fake/pin-client.h"
#include "tests/unit/test.h"

#define UP       0x01
#define UV_UP    0x05
#define WITH_KEY 0x40

enum {
        MC = CTAP_PERMISSION_MC,
        GA = CTAP_PERMISSION_GA,
        CM = CTAP_PERMISSION_CM,
        PCMR = CTAP_PERMISSION_PCMR,
        ACFG = CTAP_PERMISSION_ACFG,
};

static const uint8_t salt[32] = "thirty-two bytes of salt........";

/* Somebody who has a PIN, and gives a finger where they may. */
static void make_able(struct client *c) {
        client_set_pin(c);
        c->fake->abilities = CTAP_PRESENCE_DISPLAY | CTAP_PRESENCE_VERIFY | CTAP_PRESENCE_FINGER;
        c->fake->typed = CLIENT_PIN;
        c->fake->finger = true;
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

static int setup_verified_presence(void **state) {
        int r = setup(state);
        struct client *c = *state;

        c->ctap->options.verified_presence = true;
        return r;
}

#define finger_test(f)    cmocka_unit_test_setup_teardown(f, setup, client_teardown)
#define always_uv_test(f) cmocka_unit_test_setup_teardown(f, setup_always_uv, client_teardown)
#define verified_presence_test(f) \
        cmocka_unit_test_setup_teardown(f, setup_verified_presence, client_teardown)

static uint8_t get(struct client *c, unsigned permissions, const char *rp_id) {
        c->fake->n_prompts = 0;
        return pin_get_token_by_uv(c, &c->platform, 2, permissions, rp_id);
}

static uint8_t send(struct client *c) {
        c->fake->n_prompts = 0;
        fake_forget_trace(c->fake);
        return client_send(c);
}

static void ask_to_make(struct client *c) {
        client_make_credential(c);
        client_set(c, 7, "{'uv': true}");
}

static void ask_to_use(struct client *c, const struct made *made) {
        client_get_assertion(c);
        client_set_list(c, 3, made, 1);
        client_set(c, 5, "{'uv': true}");
}

static void ask_by_token(struct client *c, const struct made *made) {
        client_get_assertion(c);
        client_set_list(c, 3, made, 1);
        client_authorize(c);
}

/* One of class B: its key signs for who showed the PIN to the key device. */
static void make_behind_pin(struct client *c, bool discoverable, struct made *ret) {
        ask_to_make(c);
        client_set(c, 6, "{'credProtect': 3}");
        if (discoverable)
                client_set(c, 7, "{'rk': true, 'uv': true}");
        assert_int_equal(client_send(c), CTAP_OK);
        client_read_made(c, ret);
        assert_int_equal(c->fake->rows[c->fake->n_rows - 1].class, CTAP_CLASS_B);
}

static void assert_asked_for_pin_alone(const struct client *c, enum ctap_ask ask) {
        assert_int_equal(c->fake->n_prompts, 1);
        assert_int_equal(c->fake->prompt.ask, ask);
        assert_true(c->fake->prompt.verify && c->fake->prompt.pin_only);
        assert_false(c->fake->prompt.passive);
}

static void assert_finger_would_do(const struct client *c) {
        assert_int_equal(c->fake->n_prompts, 1);
        assert_true(c->fake->prompt.verify && !c->fake->prompt.pin_only);
        assert_int_equal(fake_calls(c->fake, "pin_verify"), 0);
}

/* ---- a token ---- */

static void CP25_a_token_for_a_finger_is_one_of_a_verified_person(void **state) {
        static const struct {
                unsigned permissions;
                const char *rp_id;
        } cases[] = { { MC, CLIENT_RP },
                      { GA, CLIENT_RP },
                      { MC | GA, "b.c" },
                      { CM, NULL },
                      { ACFG, NULL } };
        struct client *c = *state;
        const struct ctap_token *t = &c->ctap->token;

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                fake_forget_trace(c->fake);
                assert_int_equal(get(c, cases[i].permissions, cases[i].rp_id), CTAP_OK);
                assert_finger_would_do(c);
                assert_true(pin_token_is_good(c, &c->platform));
                assert_int_equal(t->permissions, cases[i].permissions);
                assert_true(t->user_verified);
                assert_int_equal(t->user_present, (cases[i].permissions & (MC | GA)) != 0);
                assert_int_equal(t->ticket.len, 0);
        }
}

static void CP34_the_token_for_reading_is_given_for_a_finger(void **state) {
        struct client *c = *state;

        fake_forget_trace(c->fake);
        assert_int_equal(get(c, PCMR, NULL), CTAP_OK);
        assert_finger_would_do(c);
}

/* The list of a person that a finger has opened goes on to its end. */
static void CM12_a_list_is_walked_by_a_finger(void **state) {
        const struct bytes rp = BYTES_TEXT(CLIENT_RP);
        struct client *c = *state;
        struct made made[2];
        struct sha256 hash;

        client_register(c, true, "ann", &made[0]);
        client_register(c, true, "bob", &made[1]);
        assert_int_equal(get(c, CM, NULL), CTAP_OK);
        assert_int_equal(ctap_sha256(&rp, 1, &hash), 0);
        client_manage(c, 0x0a, 0x04);
        client_set(c, 2, "{1: h'%s'}", client_hex(c, BYTES_OF(hash)));
        client_authorize(c);
        assert_int_equal(client_send(c), CTAP_OK);
        client_manage(c, 0x0a, 0x05);
        assert_int_equal(client_send(c), CTAP_OK);
        assert_int_equal(client_send(c), CTAP2_ERR_NOT_ALLOWED);
}

static void CP30_a_finger_after_the_pin_leaves_no_ticket(void **state) {
        struct client *c = *state;
        struct made made;

        make_behind_pin(c, false, &made);
        assert_int_equal(pin_get_token_for(c, &c->platform, 2, CLIENT_PIN, GA, CLIENT_RP), CTAP_OK);
        assert_true(c->ctap->token.ticket.len > 0);
        assert_int_equal(get(c, GA, CLIENT_RP), CTAP_OK);
        assert_int_equal(c->ctap->token.ticket.len, 0);
        ask_by_token(c, &made);
        assert_int_equal(send(c), CTAP_OK);
        assert_asked_for_pin_alone(c, CTAP_ASK_USE);
}

/* ---- where there is no PIN, there is no finger ---- */

static void GI5_a_finger_is_nothing_without_a_pin(void **state) {
        struct client *c = *state;

        c->fake->settings.force_pin_change = true;
        assert_int_equal(get(c, GA, CLIENT_RP), CTAP2_ERR_PIN_POLICY_VIOLATION);
        ask_to_make(c);
        assert_int_equal(send(c), CTAP2_ERR_INVALID_OPTION);
        c->fake->settings.force_pin_change = false;
        c->fake->settings.pin_length = 0;
        assert_int_equal(get(c, GA, CLIENT_RP), CTAP2_ERR_NOT_ALLOWED);
        ask_to_make(c);
        assert_int_equal(send(c), CTAP2_ERR_INVALID_OPTION);
        assert_int_equal(c->fake->n_prompts, 0);
}

static void CP27_a_finger_is_nothing_where_the_pin_is_not_tried(void **state) {
        struct client *c = *state;

        c->fake->pin_count = CTAP_PIN_TRIES_MAX;
        assert_int_equal(get(c, GA, CLIENT_RP), CTAP2_ERR_UV_BLOCKED);
        c->fake->pin_count = 0;
        c->fake->settings.uv_retries = 0;
        assert_int_equal(get(c, GA, CLIENT_RP), CTAP2_ERR_UV_BLOCKED);
        c->fake->settings.uv_retries = CTAP_UV_RETRIES_MAX;
        c->ctap->pin_mismatches = 3;
        assert_int_equal(get(c, GA, CLIENT_RP), CTAP2_ERR_UV_BLOCKED);
        assert_int_equal(c->fake->n_prompts, 0);
}

/* ---- tries ---- */

static void CP7_a_finger_gives_back_the_tries_of_built_in_verification_alone(void **state) {
        struct client *c = *state;

        c->fake->n_mistyped = 2;
        assert_int_equal(get(c, GA, CLIENT_RP), CTAP_OK);
        assert_int_equal(c->fake->n_prompts, 3);
        assert_int_equal(c->fake->settings.uv_retries, CTAP_UV_RETRIES_MAX);
        assert_int_equal(c->fake->pin_count, 2);
        assert_int_equal(c->ctap->pin_mismatches, 2);
        /* and so one more wrong PIN latches, wherever it is typed (CP4) */
        c->fake->n_mistyped = 1;
        assert_int_equal(get(c, GA, CLIENT_RP), CTAP2_ERR_UV_BLOCKED);
        assert_int_equal(c->fake->pin_count, 3);
}

/* What counts fingers that failed begins anew with each. */
static void a_finger_is_no_right_pin(void **state) {
        struct client *c = *state;
        struct platform p;
        uint32_t n;

        (void)pin_get_token(c, &p, 2, CLIENT_PIN);
        n = ctap_pins_given(c->ctap);
        assert_int_equal(get(c, GA, CLIENT_RP), CTAP_OK);
        assert_int_equal(pin_get_token(c, &p, 2, "4321"), CTAP2_ERR_PIN_INVALID);
        assert_int_equal(ctap_pins_given(c->ctap), n);
        assert_int_equal(pin_get_token(c, &p, 2, CLIENT_PIN), CTAP_OK);
        assert_int_equal(ctap_pins_given(c->ctap), n + 1);
        c->fake->finger = false;
        assert_int_equal(get(c, GA, CLIENT_RP), CTAP_OK);
        assert_int_equal(ctap_pins_given(c->ctap), n + 2);
}

static void CP25_every_way_in_which_a_finger_does_not_come(void **state) {
        static const struct {
                enum ctap_answer answer;
                uint8_t status;
        } cases[] = {
                { CTAP_ANSWER_NO, CTAP2_ERR_OPERATION_DENIED },
                { CTAP_ANSWER_TIMEOUT, CTAP2_ERR_USER_ACTION_TIMEOUT },
                { CTAP_ANSWER_CANCELLED, CTAP2_ERR_KEEPALIVE_CANCEL },
        };
        struct client *c = *state;

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                c->fake->answer = cases[i].answer;
                assert_int_equal(get(c, GA, CLIENT_RP), cases[i].status);
                assert_int_equal(c->ctap->token.protocol, 0);
        }
}

/* ---- what it opens ---- */

static void MC14_who_gave_a_finger_is_asked_no_more(void **state) {
        struct client *c = *state;
        struct given given;
        struct made made;

        assert_int_equal(get(c, MC, CLIENT_RP), CTAP_OK);
        client_make_credential(c);
        client_authorize(c);
        assert_int_equal(send(c), CTAP_OK);
        assert_int_equal(c->fake->n_prompts, 0);
        client_read_made(c, &made);
        assert_int_equal(made.flags, WITH_KEY | UV_UP);
        assert_bytes_equal(made.fmt, BYTES_TEXT("packed"));

        assert_int_equal(get(c, GA, CLIENT_RP), CTAP_OK);
        ask_by_token(c, &made); /* GA10 */
        assert_int_equal(send(c), CTAP_OK);
        assert_int_equal(c->fake->n_prompts, 0);
        client_read_given(c, &made, &given);
        assert_int_equal(given.flags, UV_UP);
}

static void MC11b_a_finger_is_built_in_verification(void **state) {
        struct client *c = *state;
        struct given given;
        struct made made;

        ask_to_make(c);
        client_set(c, 7, "{'rk': true, 'uv': true}");
        assert_int_equal(send(c), CTAP_OK);
        assert_finger_would_do(c);
        client_read_made(c, &made);
        assert_int_equal(made.flags, WITH_KEY | UV_UP);
        assert_int_equal(c->fake->rows[0].class, CTAP_CLASS_A);

        ask_to_use(c, &made); /* GA5 */
        assert_int_equal(send(c), CTAP_OK);
        assert_finger_would_do(c);
        client_read_given(c, &made, &given);
        assert_int_equal(given.flags, UV_UP);
}

static void MC12_an_excluded_credential_is_told_for_a_finger(void **state) {
        struct client *c = *state;
        struct made made;

        make_behind_pin(c, false, &made);
        ask_to_make(c);
        client_set(c, 6, "{'credProtect': 3}");
        client_set_list(c, 5, &made, 1);
        assert_int_equal(send(c), CTAP2_ERR_CREDENTIAL_EXCLUDED);
        assert_finger_would_do(c);
}

static void GA5_that_nothing_matches_is_told_for_a_finger(void **state) {
        struct client *c = *state;

        client_get_assertion(c);
        client_set(c, 5, "{'uv': true}");
        assert_int_equal(send(c), CTAP2_ERR_NO_CREDENTIALS);
        assert_finger_would_do(c);
}

/* ---- what takes the PIN ---- */

static void GA5_a_key_behind_the_pin_asks_for_it_after_a_finger(void **state) {
        struct client *c = *state;
        struct given given;
        struct made made;

        make_behind_pin(c, false, &made);
        assert_int_equal(get(c, GA, CLIENT_RP), CTAP_OK);
        ask_by_token(c, &made);
        assert_int_equal(send(c), CTAP_OK);
        assert_asked_for_pin_alone(c, CTAP_ASK_USE);
        assert_bytes_equal(c->fake->prompt.rp_id, BYTES_TEXT(CLIENT_RP));
        assert_int_equal(fake_calls(c->fake, "pin_verify"), 1);
        client_read_given(c, &made, &given);
        assert_int_equal(given.flags, UV_UP);
        /* In the command itself it is one question from the beginning. */
        ask_to_use(c, &made);
        assert_int_equal(send(c), CTAP_OK);
        assert_asked_for_pin_alone(c, CTAP_ASK_USE);
        client_read_given(c, &made, &given);
        assert_int_equal(given.flags, UV_UP);
}

/* H7, H24, H36: clients look for their credential so, with the token that they then use it by. */
static void GA10_a_probe_by_a_finger_asks_for_no_pin(void **state) {
        struct client *c = *state;
        struct given given;
        struct made made;

        make_behind_pin(c, true, &made);
        c->fake->rows[0].flags |= CTAP_ROW_LARGE_BLOB_KEY;
        for (unsigned listed = 0; listed < 2; listed++) {
                assert_int_equal(get(c, GA, CLIENT_RP), CTAP_OK);
                ask_by_token(c, &made);
                if (!listed)
                        client_unset(c, 3);
                client_set(c, 4, "{'credBlob': true, 'largeBlobKey': true}");
                client_set(c, 5, "{'up': false}");
                assert_int_equal(send(c), CTAP_OK);
                assert_int_equal(c->fake->n_prompts, 0);
                client_read_probe(c, &made, &given);
                assert_int_equal(given.flags & UV_UP, 0x04);
                assert_int_equal(given.large_blob_key.len, 0);
                assert_int_equal(c->fake->pin_count, 0);

                client_unset(c, 4);
                client_set(c, 5, "{'up': true}");
                assert_int_equal(send(c), CTAP_OK);
                assert_asked_for_pin_alone(c, CTAP_ASK_USE);
                client_read_given(c, &made, &given);
        }
}

/* The one behind the PIN comes second. */
static void GN5_a_silent_walk_by_a_finger_asks_for_no_pin(void **state) {
        struct made behind, newer;
        struct client *c = *state;
        struct given given;

        make_behind_pin(c, true, &behind);
        client_register(c, true, "bob", &newer);
        assert_int_equal(get(c, GA, CLIENT_RP), CTAP_OK);
        client_get_assertion(c);
        client_authorize(c);
        client_set(c, 5, "{'up': false}");
        assert_int_equal(send(c), CTAP_OK);
        client_read_given(c, &newer, &given);
        assert_int_equal(given.n_credentials, 2);
        assert_int_equal(client_call(c, 0x08, BYTES_NULL), CTAP_OK);
        client_read_probe(c, &behind, &given);
        assert_int_equal(given.flags, 0x04);
        assert_int_equal(c->fake->n_prompts, 0);
}

static void GA5_without_the_pin_a_finger_opens_no_key_behind_it(void **state) {
        static const struct {
                enum ctap_answer answer;
                unsigned n_mistyped;
                uint8_t status;
        } cases[] = {
                { CTAP_ANSWER_NO, 0, CTAP2_ERR_OPERATION_DENIED },
                { CTAP_ANSWER_TIMEOUT, 0, CTAP2_ERR_USER_ACTION_TIMEOUT },
                { CTAP_ANSWER_CANCELLED, 0, CTAP2_ERR_KEEPALIVE_CANCEL },
                { CTAP_ANSWER_YES, 3, CTAP2_ERR_PUAT_REQUIRED },
        };
        struct client *c = *state;
        struct made made;

        make_behind_pin(c, false, &made);
        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                c->fake->answer = CTAP_ANSWER_YES;
                assert_int_equal(get(c, GA, CLIENT_RP), CTAP_OK);
                c->fake->answer = cases[i].answer;
                c->fake->n_mistyped = cases[i].n_mistyped;
                ask_by_token(c, &made);
                assert_int_equal(send(c), cases[i].status);
                assert_int_equal(fake_calls(c->fake, "load"), 0);
                assert_int_equal(fake_calls(c->fake, "sign"), 0);
        }
}

/* Between the token and its use the terminal hung up, say. */
static void GA5_where_nobody_can_be_asked_any_more_a_finger_is_not_enough(void **state) {
        struct client *c = *state;
        struct made made;

        make_behind_pin(c, false, &made);
        assert_int_equal(get(c, GA, CLIENT_RP), CTAP_OK);
        c->fake->abilities = 0;
        ask_by_token(c, &made);
        assert_int_equal(send(c), CTAP2_ERR_PUAT_REQUIRED);
        assert_int_equal(c->fake->n_prompts, 0);
}

/* Who says so has not read the question. */
static void MC11b_a_finger_where_only_the_pin_will_do_is_refused(void **state) {
        struct client *c = *state;
        struct made made;

        make_behind_pin(c, false, &made);
        c->fake->forged_finger = true;
        ask_to_use(c, &made);
        assert_int_equal(send(c), CTAP1_ERR_OTHER);
        assert_int_equal(fake_calls(c->fake, "sign"), 0);
        ask_to_make(c);
        client_set(c, 6, "{'credProtect': 3}");
        assert_int_equal(send(c), CTAP1_ERR_OTHER);
        assert_int_equal(c->fake->n_rows, 1);
}

static void D3_hmac_secret_of_a_verified_person_takes_the_pin(void **state) {
        uint8_t by_pin[32], after_finger[32];
        struct buf out = BUF_ON(by_pin);
        struct client *c = *state;
        struct given given;
        struct made made;

        client_agree(c, 2);
        ask_to_make(c);
        client_set(c, 6, "{'hmac-secret': true, 'hmac-secret-mc': %s}",
                   client_hmac_input(c, BYTES_OF(salt)));
        assert_int_equal(send(c), CTAP_OK);
        assert_asked_for_pin_alone(c, CTAP_ASK_CREATE); /* D5 */
        client_read_made(c, &made);
        assert_int_equal(c->fake->rows[0].class, CTAP_CLASS_A);
        client_hmac_output(c, made.extensions, "hmac-secret-mc", &out);

        assert_int_equal(get(c, GA, CLIENT_RP), CTAP_OK);
        ask_by_token(c, &made);
        client_set(c, 4, "{'hmac-secret': %s}", client_hmac_input(c, BYTES_OF(salt)));
        assert_int_equal(send(c), CTAP_OK);
        assert_asked_for_pin_alone(c, CTAP_ASK_USE);
        client_read_given(c, &made, &given);
        assert_int_equal(given.flags & UV_UP, UV_UP);
        out = BUF_ON(after_finger);
        client_hmac_output(c, given.extensions, "hmac-secret", &out);
        assert_memory_equal(by_pin, after_finger, sizeof(by_pin));
}

static void MC11b_a_key_behind_the_pin_attests_to_itself_by_the_pin(void **state) {
        struct client *c = *state;
        struct made made;

        make_behind_pin(c, false, &made);
        assert_bytes_equal(made.fmt, BYTES_TEXT("packed"));
        assert_true(c->fake->prompt.pin_only);

        /* By a token, which needs one question more. */
        assert_int_equal(get(c, MC, CLIENT_RP), CTAP_OK);
        client_make_credential(c);
        client_set(c, 6, "{'credProtect': 3}");
        client_authorize(c);
        assert_int_equal(send(c), CTAP_OK);
        assert_asked_for_pin_alone(c, CTAP_ASK_CREATE);
        client_read_made(c, &made);
        assert_bytes_equal(made.fmt, BYTES_TEXT("packed"));

        /* Where nobody wants it to attest, it is made like any other. */
        ask_to_make(c);
        client_set(c, 6, "{'credProtect': 3}");
        client_set(c, 11, "['none']");
        assert_int_equal(send(c), CTAP_OK);
        assert_finger_would_do(c);
        client_read_made(c, &made);
        assert_int_equal(made.flags & UV_UP, UV_UP);
        assert_int_equal(c->fake->rows[2].class, CTAP_CLASS_B);
}

static void MC6_under_always_uv_it_is_the_pin(void **state) {
        struct client *c = *state;
        struct given given;
        struct made made;

        client_make_credential(c);
        assert_int_equal(send(c), CTAP_OK);
        assert_asked_for_pin_alone(c, CTAP_ASK_CREATE);
        client_read_made(c, &made);
        assert_int_equal(c->fake->rows[0].class, CTAP_CLASS_B);

        /* Nobody gives a finger first and the PIN then. */
        assert_int_equal(get(c, GA, CLIENT_RP), CTAP_OK);
        assert_asked_for_pin_alone(c, CTAP_ASK_VERIFY);
        ask_by_token(c, &made);
        assert_int_equal(send(c), CTAP_OK);
        assert_int_equal(c->fake->n_prompts, 0);
        client_read_given(c, &made, &given);
        assert_int_equal(given.flags, UV_UP);

        fake_forget_trace(c->fake);
        assert_int_equal(get(c, CM, NULL), CTAP_OK);
        assert_finger_would_do(c);
}

/* getNextAssertion asks nobody: one answer is for all of the accounts. */
static void GN5_one_key_behind_the_pin_makes_the_walk_take_it(void **state) {
        struct client *c = *state;
        struct made behind, newer[2];
        struct given given;

        make_behind_pin(c, true, &behind);
        client_register(c, true, "bob", &newer[0]);
        client_register(c, true, "cid", &newer[1]);
        assert_int_equal(get(c, GA, CLIENT_RP), CTAP_OK);
        client_get_assertion(c);
        client_authorize(c);
        assert_int_equal(send(c), CTAP_OK);
        assert_asked_for_pin_alone(c, CTAP_ASK_USE);
        client_read_given(c, &newer[1], &given);
        assert_int_equal(given.n_credentials, 3);
        c->fake->n_prompts = 0;
        assert_int_equal(client_call(c, 0x08, BYTES_NULL), CTAP_OK);
        client_read_given(c, &newer[0], &given);
        assert_int_equal(client_call(c, 0x08, BYTES_NULL), CTAP_OK);
        client_read_given(c, &behind, &given);
        assert_int_equal(given.flags, UV_UP);
        assert_int_equal(c->fake->n_prompts, 0);
}

static void GN5_a_finger_walks_through_accounts(void **state) {
        struct client *c = *state;
        struct made first, second;
        struct given given;

        client_register(c, true, "ann", &first);
        client_register(c, true, "bob", &second);
        client_get_assertion(c);
        client_set(c, 5, "{'uv': true}");
        assert_int_equal(send(c), CTAP_OK);
        assert_finger_would_do(c);
        client_read_given(c, &second, &given);
        assert_int_equal(given.n_credentials, 2);
        c->fake->epoch++; /* a restart of the key device, which had no part in it */
        assert_int_equal(client_call(c, 0x08, BYTES_NULL), CTAP_OK);
        client_read_given(c, &first, &given);
        assert_int_equal(given.flags, UV_UP);
}

static void whatever_fails_is_said_and_nothing_is_kept(void **state) {
        struct client *c = *state;
        struct made made[2];

        client_register(c, true, "ann", &made[0]);
        client_register(c, true, "bob", &made[1]);
        client_get_assertion(c);
        client_set(c, 5, "{'uv': true}");
        /* newest three times, tries, question, prepare_use, load, wait, use, sign */
        assert_int_equal(client_fail_everywhere(c), 10);
}

/* ---- getInfo ---- */

static int64_t modality(struct client *c) {
        struct cbor_value info;
        struct bytes body;

        assert_int_equal(client_call(c, 0x04, BYTES_NULL), CTAP_OK);
        body = c->body;
        info = cbor_next(&body);
        for (uint32_t i = 0; i < info.n; i++) {
                const struct cbor_value key = cbor_next(&info.elements);
                const struct cbor_value value = cbor_next(&info.elements);

                if (key.integer == 0x12)
                        return value.integer;
        }
        return -1;
}

static void GI1_the_modality_has_a_finger_while_one_can_be_given(void **state) {
        struct client *c = *state;

        assert_int_equal(modality(c), 0x06);
        c->fake->abilities &= ~(unsigned)CTAP_PRESENCE_FINGER;
        assert_int_equal(modality(c), 0x04);
        c->fake->abilities = 0;
        assert_int_equal(modality(c), -1);
}

/* ---- verified presence ---- */

static void MC10_a_touch_is_vouched_for_and_stays_a_touch(void **state) {
        struct client *c = *state;
        struct given given;
        struct made made;

        client_make_credential(c);
        assert_int_equal(send(c), CTAP_OK);
        assert_finger_would_do(c);
        client_read_made(c, &made);
        assert_int_equal(made.flags, WITH_KEY | UP);
        assert_int_equal(c->fake->rows[0].class, CTAP_CLASS_A);

        c->fake->finger = false;
        c->fake->n_mistyped = 1;
        client_get_assertion(c);
        client_set_list(c, 3, &made, 1);
        assert_int_equal(send(c), CTAP_OK);
        assert_int_equal(c->fake->n_prompts, 2);
        assert_true(c->fake->prompt.verify && c->fake->prompt.again);
        client_read_given(c, &made, &given);
        assert_int_equal(given.flags, UP);
}

/* What an unverified person's key makes of a salt is the same however presence is shown. */
static void D3_a_vouched_touch_has_hmac_secret_of_an_unverified_person(void **state) {
        uint8_t plain[32], vouched[32];
        struct client *c = *state;
        struct given given;
        struct buf out;
        struct made made;

        client_agree(c, 2);
        client_make_credential(c);
        client_set(c, 6, "{'hmac-secret': true}");
        assert_int_equal(send(c), CTAP_OK);
        client_read_made(c, &made);
        for (unsigned i = 0; i < 2; i++) {
                c->ctap->options.verified_presence = i > 0;
                client_get_assertion(c);
                client_set_list(c, 3, &made, 1);
                client_set(c, 4, "{'hmac-secret': %s}", client_hmac_input(c, BYTES_OF(salt)));
                assert_int_equal(send(c), CTAP_OK);
                assert_int_equal(c->fake->prompt.verify, i > 0);
                client_read_given(c, &made, &given);
                out = (struct buf){ i > 0 ? vouched : plain, 0, sizeof(plain), false };
                client_hmac_output(c, given.extensions, "hmac-secret", &out);
        }
        assert_memory_equal(plain, vouched, sizeof(plain));
}

static void MC14_no_touch_alone_makes_or_uses_anything(void **state) {
        static const struct {
                enum ctap_answer answer;
                unsigned n_mistyped;
                uint8_t status;
        } cases[] = {
                { CTAP_ANSWER_NO, 0, CTAP2_ERR_OPERATION_DENIED },
                { CTAP_ANSWER_TIMEOUT, 0, CTAP2_ERR_OPERATION_DENIED },
                { CTAP_ANSWER_CANCELLED, 0, CTAP2_ERR_KEEPALIVE_CANCEL },
                { CTAP_ANSWER_YES, 3, CTAP2_ERR_PUAT_REQUIRED },
        };
        struct client *c = *state;
        struct made made;

        client_register(c, false, "ann", &made);
        for (size_t i = 0; i < 2 * ELEMENTSOF(cases); i++) {
                c->fake->answer = cases[i / 2].answer;
                c->fake->n_mistyped = cases[i / 2].n_mistyped;
                if (i % 2 == 0)
                        client_make_credential(c);
                else {
                        client_get_assertion(c);
                        client_set_list(c, 3, &made, 1);
                }
                assert_int_equal(send(c), cases[i / 2].status);
                assert_int_equal(fake_calls(c->fake, "sign") + fake_calls(c->fake, "insert"), 0);
                c->fake->settings.uv_retries = CTAP_UV_RETRIES_MAX;
                c->fake->pin_count = 0;
                c->ctap->pin_mismatches = 0;
        }
        c->fake->abilities = CTAP_PRESENCE_DISPLAY;
        c->fake->answer = CTAP_ANSWER_YES;
        assert_int_equal(send(c), CTAP2_ERR_PUAT_REQUIRED);
        client_make_credential(c);
        assert_int_equal(send(c), CTAP2_ERR_PUAT_REQUIRED);
        c->fake->abilities |= CTAP_PRESENCE_VERIFY;
        c->fake->settings.pin_length = 0;
        c->fake->has_pin = false;
        assert_int_equal(send(c), CTAP2_ERR_PUAT_REQUIRED);
        assert_int_equal(c->fake->n_prompts, 0);
}

static void MC14_who_is_verified_is_not_verified_again(void **state) {
        struct client *c = *state;
        struct made made;

        assert_int_equal(pin_get_token_for(c, &c->platform, 2, CLIENT_PIN, MC, CLIENT_RP), CTAP_OK);
        client_make_credential(c);
        client_authorize(c);
        assert_int_equal(send(c), CTAP_OK);
        client_read_made(c, &made);
        assert_int_equal(c->fake->n_prompts, 1);
        assert_false(c->fake->prompt.verify);
}

/* They are about no credential: one may be asked for by every key that is plugged in. */
static void GA9_a_question_in_passing_is_answered_by_a_touch(void **state) {
        struct client *c = *state;

        client_get_assertion(c);
        assert_int_equal(send(c), CTAP2_ERR_NO_CREDENTIALS);
        assert_true(c->fake->prompt.passive && !c->fake->prompt.verify);
        assert_int_equal(client_call(c, 0x0b, BYTES_NULL), CTAP_OK);
        assert_false(c->fake->prompt.verify);
        client_make_credential(c);
        client_set(c, 2, "{'id': '.dummy', 'name': 'd'}");
        assert_int_equal(send(c), CTAP_OK);
        assert_true(c->fake->prompt.passive && !c->fake->prompt.verify);
}

static void GA4_a_probe_asks_nobody(void **state) {
        struct client *c = *state;
        struct made made;

        client_register(c, false, "ann", &made);
        client_get_assertion(c);
        client_set_list(c, 3, &made, 1);
        client_set(c, 5, "{'up': false}");
        assert_int_equal(send(c), CTAP_OK);
        assert_int_equal(c->fake->n_prompts, 0);
}

/* U2F asks for a touch, and there is nothing else that it could be given. */
static void GI7_where_a_touch_is_not_enough_there_is_no_u2f(void **state) {
        static const uint8_t reg[7 + 64] = { 0, 1, 0, 0, 0, 0, 64 };
        struct client *c = *state;
        uint8_t storage[CTAP_REPLY_MAX];
        struct buf reply = BUF_ON(storage);

        ctap_u2f(c->ctap, CLIENT_CHANNEL, BYTES_OF(reg), &reply);
        assert_bytes_equal(buf_bytes(&reply), BYTES_TEXT("\x69\x85"));
        assert_int_equal(c->fake->n_prompts, 0);
        assert_int_equal(client_call(c, 0x04, BYTES_NULL), CTAP_OK);
        assert_null(memmem(c->body.data, c->body.len, "U2F_V2", 6));
        c->ctap->options.verified_presence = false;
        assert_int_equal(client_call(c, 0x04, BYTES_NULL), CTAP_OK);
        assert_non_null(memmem(c->body.data, c->body.len, "U2F_V2", 6));
}

int main(void) {
        const struct CMUnitTest tests[] = {
                finger_test(CP25_a_token_for_a_finger_is_one_of_a_verified_person),
                finger_test(CP34_the_token_for_reading_is_given_for_a_finger),
                finger_test(CM12_a_list_is_walked_by_a_finger),
                finger_test(CP30_a_finger_after_the_pin_leaves_no_ticket),
                finger_test(GI5_a_finger_is_nothing_without_a_pin),
                finger_test(CP27_a_finger_is_nothing_where_the_pin_is_not_tried),
                finger_test(CP7_a_finger_gives_back_the_tries_of_built_in_verification_alone),
                finger_test(a_finger_is_no_right_pin),
                finger_test(CP25_every_way_in_which_a_finger_does_not_come),
                finger_test(MC14_who_gave_a_finger_is_asked_no_more),
                finger_test(MC11b_a_finger_is_built_in_verification),
                finger_test(MC12_an_excluded_credential_is_told_for_a_finger),
                finger_test(GA5_that_nothing_matches_is_told_for_a_finger),
                finger_test(GA5_a_key_behind_the_pin_asks_for_it_after_a_finger),
                finger_test(GA10_a_probe_by_a_finger_asks_for_no_pin),
                finger_test(GN5_a_silent_walk_by_a_finger_asks_for_no_pin),
                finger_test(GA5_without_the_pin_a_finger_opens_no_key_behind_it),
                finger_test(GA5_where_nobody_can_be_asked_any_more_a_finger_is_not_enough),
                finger_test(MC11b_a_finger_where_only_the_pin_will_do_is_refused),
                finger_test(D3_hmac_secret_of_a_verified_person_takes_the_pin),
                finger_test(MC11b_a_key_behind_the_pin_attests_to_itself_by_the_pin),
                always_uv_test(MC6_under_always_uv_it_is_the_pin),
                finger_test(GN5_one_key_behind_the_pin_makes_the_walk_take_it),
                finger_test(GN5_a_finger_walks_through_accounts),
                finger_test(whatever_fails_is_said_and_nothing_is_kept),
                finger_test(GI1_the_modality_has_a_finger_while_one_can_be_given),
                verified_presence_test(MC10_a_touch_is_vouched_for_and_stays_a_touch),
                verified_presence_test(D3_a_vouched_touch_has_hmac_secret_of_an_unverified_person),
                verified_presence_test(MC14_no_touch_alone_makes_or_uses_anything),
                verified_presence_test(MC14_who_is_verified_is_not_verified_again),
                verified_presence_test(GA9_a_question_in_passing_is_answered_by_a_touch),
                verified_presence_test(GA4_a_probe_asks_nobody),
                verified_presence_test(GI7_where_a_touch_is_not_enough_there_is_no_u2f),
        };

        return cmocka_run_group_tests_name("finger", tests, NULL, NULL);
}
