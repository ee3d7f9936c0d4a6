/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * ctap/client-pin.c where the person types the PIN here (CP25 to CP27), and where the token is the one
 * for reading (CP34): what they are asked, and what the token is then good for.
 */

#include <errno.h>
#include <string.h>

#include "ctap/built-in-uv.h"
#include "ctap/command.h"
#include "ctap/persistent-token.h"
#include "tests/fake/pin-client.h"
#include "tests/unit/test.h"

enum {
        MC = CTAP_PERMISSION_MC,
        GA = CTAP_PERMISSION_GA,
        CM = CTAP_PERMISSION_CM,
        PCMR = CTAP_PERMISSION_PCMR,
};

static int setup(void **state) {
        int r = client_setup(state);
        struct client *c = *state;

        client_set_pin(c);
        c->fake->abilities = CTAP_PRESENCE_DISPLAY | CTAP_PRESENCE_VERIFY;
        c->fake->typed = CLIENT_PIN;
        return r;
}

#define uv_test(f) cmocka_unit_test_setup_teardown(f, setup, client_teardown)

static uint8_t get(struct client *c, unsigned permissions, const char *rp_id) {
        c->fake->n_prompts = 0;
        return pin_get_token_by_uv(c, &c->platform, 2, permissions, rp_id);
}

/* ---- the token ---- */

static void CP25_a_token_has_what_was_asked_for(void **state) {
        struct client *c = *state;
        const struct ctap_token *t = &c->ctap->token;

        for (unsigned protocol = 1; protocol <= 2; protocol++)
                for (unsigned permissions = 1; permissions <= 3; permissions++) {
                        assert_int_equal(pin_get_token_by_uv(c, &c->platform, protocol, permissions,
                                                             CLIENT_RP),
                                         CTAP_OK);
                        assert_true(pin_token_is_good(c, &c->platform));
                        assert_int_equal(t->permissions, permissions);
                        assert_int_equal(t->protocol, protocol);
                        assert_true(t->has_rp);
                        assert_true(t->user_verified);
                        assert_true(t->user_present);
                        assert_true(t->ticket.len > 0);
                }
        assert_int_equal(c->fake->pin_count, 0);
}

static void CP25_the_question_says_what_it_is_for(void **state) {
        static const struct {
                unsigned permissions;
                const char *rp_id;
                enum ctap_ask ask;
        } cases[] = {
                { MC, CLIENT_RP, CTAP_ASK_VERIFY },  { GA, CLIENT_RP, CTAP_ASK_VERIFY },
                { MC | GA, "b.c", CTAP_ASK_VERIFY }, { CM, NULL, CTAP_ASK_MANAGE },
                { CM, CLIENT_RP, CTAP_ASK_MANAGE },  { PCMR, NULL, CTAP_ASK_MANAGE },
                { MC | CM, "b.c", CTAP_ASK_MANAGE },
        };
        struct client *c = *state;
        const struct ctap_prompt *p = &c->fake->prompt;

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                fake_forget_trace(c->fake);
                assert_int_equal(get(c, cases[i].permissions, cases[i].rp_id), CTAP_OK);
                assert_int_equal(c->fake->n_prompts, 1);
                assert_int_equal(p->ask, cases[i].ask);
                assert_true(p->verify && !p->again && !p->passive);
                assert_int_equal(p->tries, 3);
                assert_bytes_equal(p->rp_id, BYTES_TEXT(cases[i].rp_id ? cases[i].rp_id : ""));
                assert_int_equal(fake_calls(c->fake, "wait_verified"), 1);
        }
}

static void CP25_every_way_in_which_it_can_end(void **state) {
        static const struct {
                enum ctap_answer answer;
                unsigned n_mistyped;
                uint8_t status;
                unsigned n_prompts;
        } cases[] = {
                { CTAP_ANSWER_NO, 0, CTAP2_ERR_OPERATION_DENIED, 1 },
                { CTAP_ANSWER_TIMEOUT, 0, CTAP2_ERR_USER_ACTION_TIMEOUT, 1 },
                { CTAP_ANSWER_CANCELLED, 0, CTAP2_ERR_KEEPALIVE_CANCEL, 1 },
                { CTAP_ANSWER_YES, 2, CTAP_OK, 3 },
                { CTAP_ANSWER_YES, 3, CTAP2_ERR_UV_BLOCKED, 3 },
        };
        struct client *c = *state;

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                c->fake->answer = cases[i].answer;
                c->fake->n_mistyped = cases[i].n_mistyped;
                ctap_power_up(c->ctap);
                assert_int_equal(get(c, GA, CLIENT_RP), cases[i].status);
                assert_int_equal(c->fake->n_prompts, cases[i].n_prompts);
                assert_int_equal(c->ctap->token.protocol != 0, cases[i].status == CTAP_OK);
        }
        /* The way back is the PIN, given to the client (CP4, CP7). */
        c->fake->pin_count = 0;
        assert_int_equal(pin_uv_retries(c), 0);
        assert_int_equal(pin_get_token(c, &c->platform, 2, CLIENT_PIN), CTAP2_ERR_PIN_AUTH_BLOCKED);
        ctap_power_up(c->ctap);
        assert_int_equal(pin_uv_retries(c), 0);
        assert_int_equal(get(c, GA, CLIENT_RP), CTAP2_ERR_UV_BLOCKED);
        assert_int_equal(c->fake->n_prompts, 0);
        assert_int_equal(pin_get_token(c, &c->platform, 2, CLIENT_PIN), CTAP_OK);
        assert_int_equal(pin_uv_retries(c), 3);
        assert_int_equal(get(c, GA, CLIENT_RP), CTAP_OK);
}

static void CP29_what_depends_on_built_in_verification(void **state) {
        struct client *c = *state;

        assert_int_equal(get(c, CTAP_PERMISSION_ACFG, NULL), CTAP_OK);
        assert_int_equal(c->fake->prompt.ask, CTAP_ASK_MANAGE);
        assert_int_equal(get(c, CTAP_PERMISSION_BE, NULL), CTAP2_ERR_UNAUTHORIZED_PERMISSION);
        c->fake->abilities = 0; /* no uvAcfg (GI6) */
        assert_int_equal(get(c, CTAP_PERMISSION_ACFG, NULL), CTAP2_ERR_UNAUTHORIZED_PERMISSION);
        assert_int_equal(get(c, CM, NULL), CTAP2_ERR_NOT_ALLOWED);
        assert_int_equal(pin_get_token_for(c, &c->platform, 2, CLIENT_PIN, CTAP_PERMISSION_ACFG,
                                           NULL),
                         CTAP_OK);
}

static void CP30_it_ends_another_token_and_a_no_does_not(void **state) {
        struct client *c = *state;
        struct platform other;

        assert_int_equal(pin_get_token(c, &other, 1, CLIENT_PIN), CTAP_OK);
        c->fake->answer = CTAP_ANSWER_NO;
        assert_int_equal(get(c, GA, CLIENT_RP), CTAP2_ERR_OPERATION_DENIED);
        assert_true(pin_token_is_good(c, &other));
        c->fake->answer = CTAP_ANSWER_YES;
        assert_int_equal(get(c, GA, CLIENT_RP), CTAP_OK);
        assert_false(pin_token_is_good(c, &other));
}

/* ---- tries ---- */

static void CP26_the_tries_are_told_wherever_there_is_a_way_to_ask(void **state) {
        struct client *c = *state;

        assert_int_equal(pin_uv_retries(c), 3);
        c->fake->settings.uv_retries = 1;
        assert_int_equal(pin_uv_retries(c), 1);
        c->fake->settings = CTAP_SETTINGS_DEFAULT; /* no PIN */
        c->fake->has_pin = false;
        assert_int_equal(pin_uv_retries(c), 3);
        assert_int_equal(client_fail_everywhere(c), 1);
        c->fake->abilities = CTAP_PRESENCE_DISPLAY;
        pin_begin(c, PIN_GET_UV_RETRIES, 0);
        assert_int_equal(client_send(c), CTAP2_ERR_NOT_ALLOWED);
}

static void CP27_the_tries_are_no_more_than_those_of_the_pin(void **state) {
        struct client *c = *state;
        struct platform p;

        for (unsigned tried = 0; tried <= 8; tried++) {
                c->fake->pin_count = (uint8_t)tried;
                assert_int_equal(pin_uv_retries(c), 8 - tried < 3 ? 8 - tried : 3);
        }
        assert_int_equal(get(c, GA, CLIENT_RP), CTAP2_ERR_UV_BLOCKED);
        assert_int_equal(c->fake->n_prompts, 0);

        c->fake->pin_count = 0;
        for (unsigned left = 3; left-- > 0;) {
                (void)pin_get_token(c, &p, 1, "4321");
                assert_int_equal(pin_uv_retries(c), left);
        }
        ctap_power_up(c->ctap);
        assert_int_equal(pin_uv_retries(c), 3);
        c->fake->settings.force_pin_change = true;
        assert_int_equal(pin_uv_retries(c), 0);
}

/* ---- presence ---- */

static void begin_use(struct client *c, const struct made *made) {
        client_get_assertion(c);
        client_set_list(c, 3, made, 1);
        client_authorize(c);
        c->fake->n_prompts = 0;
        fake_forget_trace(c->fake);
}

static void MC14_who_typed_the_pin_here_is_asked_no_more(void **state) {
        struct client *c = *state;
        struct made made;

        assert_int_equal(get(c, MC | GA, CLIENT_RP), CTAP_OK);
        client_make_credential(c);
        client_authorize(c);
        c->fake->n_prompts = 0;
        fake_forget_trace(c->fake);
        assert_int_equal(client_send(c), CTAP_OK);
        assert_string_equal(c->fake->trace, "ticket_check create load sign insert unload");
        client_read_made(c, &made);
        assert_int_equal(made.flags, 0x45);

        /* once */
        assert_int_equal(client_send(c), CTAP2_ERR_PIN_AUTH_INVALID);
        assert_false(c->ctap->token.user_present);
}

static void GA10_who_typed_the_pin_here_is_asked_no_more(void **state) {
        struct client *c = *state;
        struct given given;
        struct made made;

        client_register(c, false, "ann", &made);
        assert_int_equal(get(c, GA, CLIENT_RP), CTAP_OK);
        begin_use(c, &made);
        client_set(c, 5, "{'up': false}"); /* which spends nothing */
        assert_int_equal(client_send(c), CTAP_OK);
        client_read_given(c, &made, &given);
        assert_int_equal(given.flags, 0x04);

        client_unset(c, 5);
        fake_forget_trace(c->fake);
        assert_int_equal(client_send(c), CTAP_OK);
        assert_string_equal(c->fake->trace, "ticket_check find prepare_use load use sign unload");
        client_read_given(c, &made, &given);
        assert_int_equal(given.flags, 0x05);
        assert_int_equal(client_send(c), CTAP2_ERR_PIN_AUTH_INVALID);
}

static void CP31_presence_lasts_thirty_seconds(void **state) {
        struct client *c = *state;
        struct made made;

        client_register(c, false, "ann", &made);
        for (unsigned late = 0; late < 2; late++) {
                assert_int_equal(get(c, GA, CLIENT_RP), CTAP_OK);
                assert_true(pin_token_is_good(c, &c->platform)); /* used in time: CP32 */
                c->fake->now_ms += CTAP_TOKEN_PRESENT_MS - 1 + late;
                begin_use(c, &made);
                assert_int_equal(client_send(c), CTAP_OK);
                assert_int_equal(c->fake->n_prompts, late);
        }
}

static void CP31_a_pin_that_the_client_gave_shows_no_presence(void **state) {
        struct client *c = *state;
        struct made made;

        client_register(c, false, "ann", &made);
        assert_int_equal(pin_get_token_for(c, &c->platform, 2, CLIENT_PIN, GA, CLIENT_RP), CTAP_OK);
        assert_false(c->ctap->token.user_present);
        begin_use(c, &made);
        assert_int_equal(client_send(c), CTAP_OK);
        assert_int_equal(c->fake->n_prompts, 1);
}

/* They said yes to managing passkeys, and to no site. */
static void CP31_a_token_for_more_than_a_site_shows_no_presence(void **state) {
        struct client *c = *state;
        struct made made;

        client_register(c, false, "ann", &made);
        assert_int_equal(get(c, GA | CM, CLIENT_RP), CTAP_OK);
        begin_use(c, &made);
        assert_int_equal(client_send(c), CTAP_OK);
        assert_int_equal(c->fake->n_prompts, 1);
        assert_int_equal(c->fake->prompt.ask, CTAP_ASK_USE);
        assert_false(c->fake->prompt.verify);
}

static void MC12_who_typed_the_pin_here_is_told_of_an_excluded_credential_at_once(void **state) {
        struct client *c = *state;
        struct made made;

        client_register(c, false, "ann", &made);
        assert_int_equal(get(c, MC, CLIENT_RP), CTAP_OK);
        client_make_credential(c);
        client_set_list(c, 5, &made, 1);
        client_authorize(c);
        c->fake->n_prompts = 0;
        assert_int_equal(client_send(c), CTAP2_ERR_CREDENTIAL_EXCLUDED);
        assert_int_equal(c->fake->n_prompts, 0);
}

static void GA9_who_typed_the_pin_here_is_told_at_once_that_nothing_matches(void **state) {
        struct client *c = *state;

        assert_int_equal(get(c, GA, CLIENT_RP), CTAP_OK);
        client_get_assertion(c);
        client_authorize(c);
        c->fake->n_prompts = 0;
        assert_int_equal(client_send(c), CTAP2_ERR_NO_CREDENTIALS);
        assert_int_equal(c->fake->n_prompts, 0);
        assert_true(pin_token_is_good(c, &c->platform));
}

/* ---- what browsers make of it ---- */

/* The tries first; then the token; and where that is blocked, the PIN in its own dialog. */
static void H11_the_way_of_chromium(void **state) {
        struct client *c = *state;
        struct made made;

        assert_int_equal(pin_uv_retries(c), 3);
        assert_int_equal(get(c, MC, CLIENT_RP), CTAP_OK);
        client_make_credential(c);
        client_set(c, 7, "{'rk': true}");
        client_authorize(c);
        assert_int_equal(client_send(c), CTAP_OK);
        client_read_made(c, &made);

        c->fake->settings.uv_retries = 1;
        c->fake->n_mistyped = 1;
        assert_int_equal(pin_uv_retries(c), 1);
        assert_int_equal(get(c, GA, CLIENT_RP), CTAP2_ERR_UV_BLOCKED);
        assert_int_equal(pin_uv_retries(c), 0);
        assert_int_equal(pin_get_token_for(c, &c->platform, 2, CLIENT_PIN, GA, CLIENT_RP), CTAP_OK);
        begin_use(c, &made);
        assert_int_equal(client_send(c), CTAP_OK);
}

/* uv in the command, and 36 where that is of no use any more. */
static void H12_verification_without_tokens(void **state) {
        struct client *c = *state;

        client_make_credential(c);
        client_set(c, 7, "{'rk': true, 'uv': true}");
        assert_int_equal(client_send(c), CTAP_OK);
        c->fake->n_mistyped = 3;
        assert_int_equal(client_send(c), CTAP2_ERR_PUAT_REQUIRED);
}

/* It searches with the token before it uses it, without presence and over another hash. */
static void H25_the_way_of_firefox(void **state) {
        struct client *c = *state;
        struct given given;
        struct made made;

        client_register(c, false, "ann", &made);
        assert_int_equal(get(c, MC | GA, CLIENT_RP), CTAP_OK);
        memset(c->client_data_hash, 0xe3, sizeof(c->client_data_hash));
        begin_use(c, &made);
        client_set(c, 5, "{'up': false}");
        assert_int_equal(client_send(c), CTAP_OK);

        memset(c->client_data_hash, 0xcd, sizeof(c->client_data_hash));
        begin_use(c, &made);
        client_set(c, 5, "{'up': true}");
        assert_int_equal(client_send(c), CTAP_OK);
        client_read_given(c, &made, &given);
        assert_int_equal(given.flags, 0x05);
        assert_int_equal(c->fake->n_prompts, 0);
}

/* ---- the token for reading ---- */

static bool reads(struct client *c, const struct platform *p) {
        const struct bytes message = BYTES_TEXT("anything");
        uint8_t storage[32];
        struct buf param = BUF_ON(storage);

        platform_token_param(p, message, &param);
        return ctap_persistent_token_verify(c->ctap, p->protocol, message, buf_bytes(&param));
}

static void CP34_the_same_one_is_given_again_by_pin_and_by_uv(void **state) {
        struct client *c = *state;
        struct platform first, p;

        assert_int_equal(pin_get_token_for(c, &first, 1, CLIENT_PIN, PCMR, NULL), CTAP_OK);
        assert_true(reads(c, &first));
        for (unsigned protocol = 1; protocol <= 2; protocol++) {
                assert_int_equal(pin_get_token_for(c, &p, protocol, CLIENT_PIN, PCMR, CLIENT_RP),
                                 CTAP_OK);
                assert_memory_equal(p.token, first.token, sizeof(p.token));
                assert_int_equal(pin_get_token_by_uv(c, &p, protocol, PCMR, NULL), CTAP_OK);
                assert_memory_equal(p.token, first.token, sizeof(p.token));
                assert_true(reads(c, &p));
                ctap_power_up(c->ctap);
                assert_true(reads(c, &first));
        }
        assert_int_equal(pin_get_token_for(c, &p, 2, "4321", PCMR, NULL), CTAP2_ERR_PIN_INVALID);
        assert_int_equal(pin_change(c, &p, 2, CLIENT_PIN, "12345"), CTAP_OK);
        assert_false(reads(c, &first));
}

static void CP34_it_is_no_ordinary_token_and_ends_none(void **state) {
        struct client *c = *state;
        struct platform ordinary, persistent;

        assert_int_equal(pin_get_token(c, &ordinary, 2, CLIENT_PIN), CTAP_OK);
        assert_int_equal(pin_get_token_for(c, &persistent, 2, CLIENT_PIN, PCMR, NULL), CTAP_OK);
        assert_true(pin_token_is_good(c, &ordinary));
        assert_false(pin_token_is_good(c, &persistent));
        assert_false(reads(c, &ordinary));

        client_make_credential(c);
        c->platform = persistent;
        client_authorize(c);
        assert_int_equal(client_send(c), CTAP2_ERR_PIN_AUTH_INVALID);
}

static void CP34_a_forced_change_comes_first(void **state) {
        struct client *c = *state;
        struct platform p;

        c->fake->settings.force_pin_change = true;
        assert_int_equal(pin_get_token_for(c, &p, 2, CLIENT_PIN, PCMR, NULL),
                         CTAP2_ERR_PIN_POLICY_VIOLATION);
        assert_int_equal(pin_get_token_by_uv(c, &p, 2, PCMR, NULL), CTAP2_ERR_PIN_POLICY_VIOLATION);
}

/* ---- everything fails once ---- */

static void refill(struct client *c) {
        c->fake->settings.uv_retries = CTAP_UV_RETRIES_MAX;
}

static void a_token_is_whole_or_not_there(void **state) {
        struct client *c = *state;

        pin_agree(c, &c->platform, 2);
        pin_ask_for_token_by_uv(c, &c->platform, GA, CLIENT_RP);
        /* tries twice, question, wait; spend, tries, verify, refill; the token and the IV */
        assert_int_equal(client_fail_everywhere_after(c, refill), 10);
        pin_read_token(c, &c->platform);
        assert_true(pin_token_is_good(c, &c->platform));
}

int main(void) {
        const struct CMUnitTest tests[] = {
                uv_test(CP25_a_token_has_what_was_asked_for),
                uv_test(CP25_the_question_says_what_it_is_for),
                uv_test(CP25_every_way_in_which_it_can_end),
                uv_test(CP29_what_depends_on_built_in_verification),
                uv_test(CP30_it_ends_another_token_and_a_no_does_not),
                uv_test(CP26_the_tries_are_told_wherever_there_is_a_way_to_ask),
                uv_test(CP27_the_tries_are_no_more_than_those_of_the_pin),
                uv_test(MC14_who_typed_the_pin_here_is_asked_no_more),
                uv_test(GA10_who_typed_the_pin_here_is_asked_no_more),
                uv_test(CP31_presence_lasts_thirty_seconds),
                uv_test(CP31_a_pin_that_the_client_gave_shows_no_presence),
                uv_test(CP31_a_token_for_more_than_a_site_shows_no_presence),
                uv_test(MC12_who_typed_the_pin_here_is_told_of_an_excluded_credential_at_once),
                uv_test(GA9_who_typed_the_pin_here_is_told_at_once_that_nothing_matches),
                uv_test(H11_the_way_of_chromium),
                uv_test(H12_verification_without_tokens),
                uv_test(H25_the_way_of_firefox),
                uv_test(CP34_the_same_one_is_given_again_by_pin_and_by_uv),
                uv_test(CP34_it_is_no_ordinary_token_and_ends_none),
                uv_test(CP34_a_forced_change_comes_first),
                uv_test(a_token_is_whole_or_not_there),
        };

        return cmocka_run_group_tests_name("token-by-uv", tests, NULL, NULL);
}
