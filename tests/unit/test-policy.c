/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * What the administrator demands (ctap/policy.c), as clients meet it: in getInfo, at the PIN, in
 * authenticatorConfig, at a reset, and where a passkey is made or used of a site that is not allowed.
 */

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "ctap/command.h"
#include "ctap/crypto.h"
#include "ctap/persistent-token.h"
#include "ctap/policy.h"
#include "tests/fake/pin-client.h"
#include "tests/unit/test.h"

enum {
        ENTERPRISE = 0x01,
        ALWAYS_UV = 0x02,
        MIN_PIN_LENGTH = 0x03,
        LONG_TOUCH = 0x04,
};

/* The program is started again with another policy. */
static int restart_with(struct client *c, const struct ctap_options *policy) {
        struct ctap_options options = *policy;
        int r;

        options.max_message = CLIENT_MESSAGE;
        memcpy(options.aaguid, client_aaguid, sizeof(client_aaguid));
        c->ctap = ctap_free(c->ctap);
        r = ctap_new(&c->fake->env, &options, &c->ctap);
        if (r == 0)
                ctap_power_up(c->ctap);
        return r;
}

static void restart(struct client *c, const struct ctap_options *policy) {
        assert_int_equal(restart_with(c, policy), 0);
}

static struct cbor_value info(struct client *c, int64_t key) {
        struct bytes left;
        struct cbor_value map, k, v = { 0 };

        assert_int_equal(client_call(c, 0x04, BYTES_NULL), CTAP_OK);
        left = c->body;
        map = cbor_next(&left);
        left = map.elements;
        for (uint32_t i = 0; i < map.n; i++) {
                k = cbor_next(&left);
                v = cbor_next(&left);
                if (k.integer == key)
                        return v;
        }
        fail_msg("getInfo has no %d", (int)key);
        return v;
}

static struct cbor_value option(struct client *c, const char *name) {
        const struct cbor_value options = info(c, 0x04);

        return cbor_find_text(&options, name);
}

static uint8_t set_pin(struct client *c, const char *pin) {
        return (uint8_t)ctap_pin_set(c->ctap, BYTES_TEXT(pin));
}

static uint8_t change_pin(struct client *c, const char *old, const char *pin) {
        return (uint8_t)ctap_pin_change(c->ctap, BYTES_TEXT(old), BYTES_TEXT(pin));
}

static uint8_t configure(struct client *c, unsigned subcommand, const char *params) {
        client_manage(c, 0x0d, subcommand);
        if (params)
                client_set(c, 2, "%s", params);
        if (c->fake->settings.pin_length > 0)
                client_verify(c);
        return client_send(c);
}

/* ---- the least length of a PIN ---- */

static void AC5a_the_policy_is_a_floor_that_clients_can_only_raise(void **state) {
        const struct ctap_options policy = { .min_pin_length = 6 };
        struct client *c = *state;

        restart(c, &policy);
        assert_int_equal(info(c, 0x0d).integer, 6);
        assert_int_equal(set_pin(c, "12345"), CTAP2_ERR_PIN_POLICY_VIOLATION);
        assert_int_equal(configure(c, MIN_PIN_LENGTH, "{1: 5}"), CTAP2_ERR_PIN_POLICY_VIOLATION);
        assert_int_equal(configure(c, MIN_PIN_LENGTH, "{}"), CTAP_OK);
        assert_int_equal(c->fake->settings.min_pin_length, CTAP_MIN_PIN_LENGTH);
        assert_int_equal(configure(c, MIN_PIN_LENGTH, "{1: 8}"), CTAP_OK);
        assert_int_equal(info(c, 0x0d).integer, 8);
        assert_int_equal(set_pin(c, "1234567"), CTAP2_ERR_PIN_POLICY_VIOLATION);
        assert_int_equal(set_pin(c, "12345678"), CTAP_OK);

        /* The client's own choice stays when the administrator takes theirs back, and the other way. */
        restart(c, &(struct ctap_options){ 0 });
        assert_int_equal(info(c, 0x0d).integer, 8);
        c->fake->settings.min_pin_length = CTAP_MIN_PIN_LENGTH;
        assert_int_equal(info(c, 0x0d).integer, CTAP_MIN_PIN_LENGTH);
}

static void AC5a_the_policy_is_within_what_a_pin_can_be(void **state) {
        struct client *c = *state;
        struct ctap_options policy = { .min_pin_length = 63 };

        restart(c, &policy);
        assert_int_equal(info(c, 0x0d).integer, 63);
        policy.min_pin_length = 64;
        assert_int_equal(restart_with(c, &policy), -EINVAL);
}

static bool must_change(struct client *c) {
        struct ctap_pin_info pin;

        assert_int_equal(ctap_pin_describe(c->ctap, &pin), CTAP_OK);
        assert_int_equal(info(c, 0x0c).boolean, pin.must_change);
        return pin.must_change;
}

static void AC5d_a_pin_that_is_too_short_for_the_policy_has_to_be_changed(void **state) {
        const struct ctap_options four = { .min_pin_length = 4 }, six = { .min_pin_length = 6 };
        struct client *c = *state;
        struct secret32 before, after;
        struct platform p;

        client_set_pin(c); /* of four */
        assert_int_equal(ctap_persistent_token(c->ctap, &before), 0);
        restart(c, &four);
        assert_false(must_change(c));
        assert_int_equal(fake_calls(c->fake, "set_settings"), 0);

        restart(c, &six);
        assert_true(must_change(c));
        assert_int_equal(ctap_persistent_token(c->ctap, &after), 0); /* AC5e */
        assert_memory_not_equal(&before, &after, sizeof(before));
        assert_int_equal(pin_get_token_for(c, &p, 2, CLIENT_PIN, CTAP_PERMISSION_CM, NULL),
                         CTAP2_ERR_PIN_POLICY_VIOLATION);
        fake_forget_trace(c->fake);
        restart(c, &six); /* once is enough */
        assert_int_equal(fake_calls(c->fake, "set_settings"), 0);

        assert_int_equal(change_pin(c, CLIENT_PIN, "12345"), CTAP2_ERR_PIN_POLICY_VIOLATION);
        assert_int_equal(change_pin(c, CLIENT_PIN, "123456"), CTAP_OK);
        assert_false(must_change(c));
        restart(c, &six);
        assert_false(must_change(c));
}

static void AC5d_a_change_that_cannot_be_written_down_is_no_start(void **state) {
        const struct ctap_options six = { .min_pin_length = 6 };
        struct client *c = *state;

        client_set_pin(c);
        fake_fail(c->fake, "set_settings", 1, -EIO);
        assert_int_equal(restart_with(c, &six), -EIO);
        assert_false(c->fake->settings.force_pin_change);
        restart(c, &six);
        assert_true(must_change(c));
}

/* ---- PINs that are guessed first ---- */

static void AC5f_the_policy_takes_no_pin_that_is_guessed_first(void **state) {
        const struct ctap_options policy = { .pin_complexity = true };
        struct client *c = *state;

        restart(c, &policy);
        assert_true(info(c, 0x1b).boolean);
        assert_int_equal(set_pin(c, "1234"), CTAP2_ERR_PIN_POLICY_VIOLATION);
        assert_int_equal(set_pin(c, "1739"), CTAP_OK);
        assert_int_equal(change_pin(c, "1739", "2222"), CTAP2_ERR_PIN_POLICY_VIOLATION);
        assert_false(c->fake->settings.pin_complexity); /* which only a client sets */
        restart(c, &(struct ctap_options){ 0 });
        assert_false(info(c, 0x1b).boolean);
        assert_int_equal(change_pin(c, "1739", "2222"), CTAP_OK);
}

static void AC5f_a_pin_of_before_is_changed_unless_it_was_a_good_one(void **state) {
        static const struct {
                const char *pin;
                bool must;
        } cases[] = { { "1234", true }, { "1739", false } };
        const struct ctap_options policy = { .pin_complexity = true };
        struct client *c = *state;

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                restart(c, &(struct ctap_options){ 0 });
                assert_int_equal(client_call(c, 0x07, BYTES_NULL), CTAP_OK);
                assert_int_equal(set_pin(c, cases[i].pin), CTAP_OK);
                restart(c, &policy);
                assert_int_equal(must_change(c), cases[i].must);
        }
        /* One that was set by a program that did not look. */
        c->fake->settings.pin_is_complex = false;
        restart(c, &policy);
        assert_true(must_change(c));
        assert_int_equal(change_pin(c, "1739", "9371"), CTAP_OK);
        restart(c, &policy);
        assert_false(must_change(c));
}

static void AC5f_a_change_that_was_cut_off_leaves_no_pin_unlooked_at(void **state) {
        const struct ctap_options policy = { .pin_complexity = true, .min_pin_length = 6 };
        struct client *c = *state;

        assert_int_equal(set_pin(c, "173946"), CTAP_OK);
        c->fake->pin_unheard = true;
        assert_int_equal(change_pin(c, "173946", "2222"), CTAP1_ERR_OTHER);
        restart(c, &policy);
        assert_true(must_change(c));
}

/* The first PIN was being set when the power went; that there is one is seen later. */
static void AC5d_a_pin_that_nothing_is_known_of_is_taken_for_the_shortest(void **state) {
        const struct ctap_options policy = { .min_pin_length = 6 };
        struct client *c = *state;

        c->fake->pin_unheard = true;
        assert_int_equal(set_pin(c, "123456"), CTAP1_ERR_OTHER);
        assert_int_equal(c->fake->settings.pin_length, 0);
        restart(c, &policy);
        assert_true(must_change(c));
        assert_int_equal(c->fake->settings.pin_length, CTAP_MIN_PIN_LENGTH);
}

/* What a site that may know it is told. */
static void sites_are_told_of_the_policy(void **state) {
        const struct ctap_options policy = { .min_pin_length = 9, .pin_complexity = true };
        struct client *c = *state;
        struct made made;
        struct cbor_value outputs;
        struct bytes left;

        assert_int_equal(configure(c, MIN_PIN_LENGTH, "{2: ['" CLIENT_RP "']}"), CTAP_OK);
        restart(c, &policy);
        client_make_credential(c);
        client_set(c, 6, "{'minPinLength': true, 'pinComplexityPolicy': true}");
        assert_int_equal(client_send(c), CTAP_OK);
        client_read_made(c, &made);
        left = made.extensions;
        outputs = cbor_next(&left);
        assert_int_equal(cbor_find_text(&outputs, "minPinLength").integer, 9);
        assert_true(cbor_find_text(&outputs, "pinComplexityPolicy").boolean);
}

/* ---- locks ---- */

static void AC2_a_lock_keeps_one_thing_as_it_is(void **state) {
        static const struct {
                unsigned lock, subcommand;
                const char *params;
                uint8_t status;
        } cases[] = {
                { CTAP_LOCK_ALWAYS_UV, ALWAYS_UV, NULL, CTAP2_ERR_OPERATION_DENIED },
                { CTAP_LOCK_ENTERPRISE, ALWAYS_UV, NULL, CTAP_OK },
                { CTAP_LOCK_ENTERPRISE, ENTERPRISE, NULL, CTAP2_ERR_OPERATION_DENIED },
                { CTAP_LOCK_ALWAYS_UV, ENTERPRISE, NULL, CTAP_OK },
                { CTAP_LOCK_MIN_PIN_LENGTH, MIN_PIN_LENGTH, "{1: 6}", CTAP2_ERR_OPERATION_DENIED },
                { CTAP_LOCK_MIN_PIN_LENGTH, MIN_PIN_LENGTH, "{2: ['a.b']}",
                  CTAP2_ERR_OPERATION_DENIED },
                { CTAP_LOCK_MIN_PIN_LENGTH, MIN_PIN_LENGTH, "{2: []}", CTAP2_ERR_OPERATION_DENIED },
                { CTAP_LOCK_MIN_PIN_LENGTH, MIN_PIN_LENGTH, "{1: 4, 4: true}", CTAP_OK },
                { CTAP_LOCK_MIN_PIN_LENGTH, MIN_PIN_LENGTH, "{1: 3}",
                  CTAP2_ERR_PIN_POLICY_VIOLATION },
                { CTAP_LOCK_PIN_COMPLEXITY, MIN_PIN_LENGTH, "{4: true}",
                  CTAP2_ERR_OPERATION_DENIED },
                { CTAP_LOCK_PIN_COMPLEXITY, MIN_PIN_LENGTH, "{1: 6, 4: false}", CTAP_OK },
                { CTAP_LOCK_ALL & ~CTAP_LOCK_ALWAYS_UV, LONG_TOUCH, NULL, CTAP_OK },
                { CTAP_LOCK_ALL, LONG_TOUCH, NULL, CTAP2_ERR_OPERATION_DENIED },
        };
        struct client *c = *state;

        c->fake->abilities |= CTAP_PRESENCE_HOLD;
        c->fake->env.attester = &c->fake->attester;
        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                const struct ctap_options policy = { .locks = cases[i].lock };
                struct ctap_settings before;

                c->fake->settings = CTAP_SETTINGS_DEFAULT;
                before = c->fake->settings;
                restart(c, &policy);
                assert_int_equal(configure(c, cases[i].subcommand, cases[i].params),
                                 cases[i].status);
                if (cases[i].status != CTAP_OK)
                        assert_memory_equal(&c->fake->settings, &before, sizeof(before));
        }
}

static void AC2_what_is_locked_as_it_is_may_be_asked_for(void **state) {
        const struct ctap_options policy = {
                .locks = CTAP_LOCK_PIN_COMPLEXITY | CTAP_LOCK_MIN_PIN_LENGTH | CTAP_LOCK_ENTERPRISE,
                .enterprise = CTAP_ENTERPRISE_ON,
                .pin_complexity = true,
                .min_pin_length = 7,
        };
        struct client *c = *state;

        c->fake->env.attester = &c->fake->attester;
        restart(c, &policy);
        assert_int_equal(configure(c, MIN_PIN_LENGTH, "{1: 7, 4: true}"), CTAP_OK);
        assert_int_equal(configure(c, ENTERPRISE, NULL), CTAP_OK);
        assert_int_equal(set_pin(c, "17394628"), CTAP_OK);
        /* A person can be made to change the PIN whatever else is locked. */
        assert_int_equal(configure(c, MIN_PIN_LENGTH, "{3: true}"), CTAP_OK);
        assert_true(must_change(c));
}

/* ---- enterprise attestation ---- */

static void GI5_enterprise_attestation_is_told_as_the_policy_has_it(void **state) {
        static const struct {
                enum ctap_enterprise policy;
                bool by_client;
                int ep; /* -1: not there */
        } cases[] = {
                { CTAP_ENTERPRISE_CLIENT, false, 0 }, { CTAP_ENTERPRISE_CLIENT, true, 1 },
                { CTAP_ENTERPRISE_OFF, true, -1 },    { CTAP_ENTERPRISE_LISTED, false, 1 },
                { CTAP_ENTERPRISE_ON, false, 1 },
        };
        struct client *c = *state;

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                const struct ctap_options policy = { .enterprise = cases[i].policy };
                struct cbor_value ep;

                c->fake->env.attester = &c->fake->attester;
                c->fake->settings.enterprise_attestation = cases[i].by_client;
                restart(c, &policy);
                ep = option(c, "ep");
                assert_int_equal(ep.kind != CBOR_KIND_ABSENT, cases[i].ep >= 0);
                if (cases[i].ep >= 0)
                        assert_int_equal(ep.boolean, cases[i].ep);
                assert_int_equal(configure(c, ENTERPRISE, NULL),
                                 cases[i].ep >= 0 ? CTAP_OK : CTAP2_ERR_INVALID_SUBCOMMAND);
                c->fake->env.attester = NULL;
                restart(c, &policy);
                assert_int_equal(option(c, "ep").kind, CBOR_KIND_ABSENT);
        }
}

static void MC9_the_policy_says_who_gets_enterprise_attestation(void **state) {
        static const struct {
                enum ctap_enterprise policy;
                const char *value, *rp_id;
                uint8_t status;
                bool granted;
        } cases[] = {
                { CTAP_ENTERPRISE_CLIENT, "1", "served.example", CTAP1_ERR_INVALID_PARAMETER,
                  false },
                { CTAP_ENTERPRISE_OFF, "1", "served.example", CTAP1_ERR_INVALID_PARAMETER, false },
                { CTAP_ENTERPRISE_LISTED, "1", "served.example", CTAP_OK, true },
                { CTAP_ENTERPRISE_LISTED, "2", "served.example", CTAP_OK, true },
                { CTAP_ENTERPRISE_LISTED, "2", "example.com", CTAP_OK, false },
                { CTAP_ENTERPRISE_LISTED, "3", "served.example", CTAP2_ERR_INVALID_OPTION, false },
                { CTAP_ENTERPRISE_ON, "2", "example.com", CTAP_OK, true },
                { CTAP_ENTERPRISE_ON, "1", "example.com", CTAP_OK, false },
        };
        struct client *c = *state;
        struct made made;

        c->fake->env.attester = &c->fake->attester;
        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                const struct ctap_options policy = { .enterprise = cases[i].policy };

                restart(c, &policy);
                client_make_credential(c);
                client_set(c, 2, "{'id': '%s'}", cases[i].rp_id);
                client_set(c, 0x0a, "%s", cases[i].value);
                assert_int_equal(client_send(c), cases[i].status);
                if (cases[i].status != CTAP_OK)
                        continue;
                client_read_made(c, &made);
                assert_int_equal(made.enterprise, cases[i].granted);
        }
}

/* ---- reset ---- */

static void RS3_a_reset_of_the_administrator_s_is_no_client_s(void **state) {
        const struct ctap_options policy = { .reset_by_administrator = true };
        struct client *c = *state;
        struct made made;

        c->fake->abilities = CTAP_PRESENCE_DISPLAY;
        restart(c, &policy);
        client_register(c, true, "ann", &made);
        fake_forget_trace(c->fake);
        assert_int_equal(client_call(c, 0x07, BYTES_NULL), CTAP2_ERR_OPERATION_DENIED);
        assert_string_equal(c->fake->trace, ""); /* and nobody is asked */
        assert_non_null(strstr(c->fake->noted, "policy 07:27; "));
        assert_int_equal(c->fake->n_rows, 1);
}

/* ---- sites that are not allowed ---- */

static const struct ctap_options denies = { .rp_rules = { .deny = "evil.example " CLIENT_RP } };
static const struct ctap_options allows = { .rp_rules = { .allow = "*.example " } };

static const struct {
        enum ctap_answer answer;
        uint8_t status;
} answers[] = {
        { CTAP_ANSWER_YES, CTAP2_ERR_OPERATION_DENIED },
        { CTAP_ANSWER_NO, CTAP2_ERR_OPERATION_DENIED },
        { CTAP_ANSWER_TIMEOUT, CTAP2_ERR_OPERATION_DENIED },
        { CTAP_ANSWER_CANCELLED, CTAP2_ERR_KEEPALIVE_CANCEL },
};

/* H9: after a person turned to this key, who reads why. Nothing else is looked at or done. */
static void assert_forbidden(struct client *c, uint8_t command) {
        char want[64];

        for (size_t i = 0; i < ELEMENTSOF(answers); i++) {
                fake_forget_trace(c->fake);
                c->fake->noted[0] = '\0';
                c->fake->now_ms += CTAP_POLICY_PAUSE_MS;
                c->fake->answer = answers[i].answer;
                assert_int_equal(client_send(c), answers[i].status);
                snprintf(want, sizeof(want), "policy %s %02x:%02x; ", CLIENT_RP, command,
                         answers[i].status);
                assert_string_equal(c->fake->noted, want);
                assert_string_equal(c->fake->trace, "begin wait end");
                assert_int_equal(c->fake->prompt.ask, CTAP_ASK_FORBIDDEN);
                assert_true(c->fake->prompt.passive);
                assert_false(c->fake->prompt.verify);
                assert_bytes_equal(c->fake->prompt.rp_id, BYTES_TEXT(CLIENT_RP));
        }
        c->fake->answer = CTAP_ANSWER_YES;
}

/* With a passkey of that site, which was there before, and without. */
static void assert_all_is_forbidden(struct client *c, const struct ctap_options *policy) {
        struct made made = { 0 };

        for (unsigned i = 0; i < 4; i++) {
                const bool is_there = i & 1, has_pin = i & 2;

                restart(c, &(struct ctap_options){ 0 });
                assert_int_equal(client_call(c, 0x07, BYTES_NULL), CTAP_OK);
                client_register(c, true, "ann", &made);
                if (!is_there)
                        fake_delete(c->fake, &c->fake->rows[0].id);
                if (has_pin)
                        client_set_pin(c);
                restart(c, policy);

                client_make_credential(c);
                assert_forbidden(c, 0x01);
                client_set_list(c, 5, &made, 1);
                client_set(c, 7, "{'rk': true}");
                assert_forbidden(c, 0x01);
                client_get_assertion(c);
                assert_forbidden(c, 0x02);
                client_set_list(c, 3, &made, 1);
                assert_forbidden(c, 0x02);
                fake_forget_trace(c->fake);
                c->fake->noted[0] = '\0';
                client_set(c, 5, "{'up': false}");
                assert_int_equal(client_send(c), CTAP2_ERR_NO_CREDENTIALS);
                assert_string_equal(c->fake->noted, "");
                assert_string_equal(c->fake->trace, "");
        }
}

static void a_site_that_is_denied_gets_no_passkey_and_no_hint(void **state) {
        assert_all_is_forbidden(*state, &denies);
}

static void a_site_that_is_not_on_the_list_gets_no_passkey_and_no_hint(void **state) {
        assert_all_is_forbidden(*state, &allows);
}

static void other_sites_are_served_as_before(void **state) {
        const struct ctap_options policy = { .rp_rules = { .allow = "*.com", .deny = "evil.com" } };
        struct client *c = *state;
        struct made made;
        struct given given;

        assert_true(ctap_rp_is_allowed(c->ctap, BYTES_TEXT("evil.com")));
        restart(c, &policy);
        assert_false(ctap_rp_is_allowed(c->ctap, BYTES_TEXT("evil.com")));
        assert_true(ctap_rp_is_allowed(c->ctap, BYTES_TEXT(CLIENT_RP)));
        client_register(c, true, "ann", &made);
        client_get_assertion(c);
        assert_int_equal(client_send(c), CTAP_OK);
        client_read_given(c, &made, &given);
}

/* H5: by these a client asks which key is meant, and makes nothing. */
static void a_question_for_the_key_itself_is_no_site(void **state) {
        struct client *c = *state;

        restart(c, &allows);
        client_make_credential(c);
        client_set(c, 2, "{'id': '.dummy'}");
        assert_int_equal(client_send(c), CTAP_OK);
        assert_int_equal(c->fake->prompt.ask, CTAP_ASK_SELECT);
        assert_int_equal(c->fake->n_rows, 0);
}

/* Before the PIN is typed in vain. */
static void CP25_no_token_is_given_for_a_site_that_is_not_allowed(void **state) {
        struct client *c = *state;
        struct platform p;

        client_set_pin(c);
        c->fake->abilities = CTAP_PRESENCE_VERIFY | CTAP_PRESENCE_DISPLAY;
        c->fake->typed = CLIENT_PIN;
        restart(c, &denies);
        assert_int_equal(pin_get_token_by_uv(c, &p, 2, CTAP_PERMISSION_GA, CLIENT_RP),
                         CTAP2_ERR_OPERATION_DENIED);
        assert_int_equal(c->fake->prompt.ask, CTAP_ASK_FORBIDDEN);
        assert_int_equal(pin_get_token_by_uv(c, &p, 2, CTAP_PERMISSION_GA, "a.example"), CTAP_OK);
        /* Whoever manages passkeys may delete what is of no use any more. */
        assert_int_equal(pin_get_token_by_uv(c, &p, 2, CTAP_PERMISSION_CM, CLIENT_RP), CTAP_OK);
}

/* ---- the same by U2F ---- */

static unsigned u2f(struct client *c, uint8_t ins, uint8_t p1, struct bytes data) {
        uint8_t storage[512], answer[CTAP_REPLY_MAX];
        struct buf apdu = BUF_ON(storage), reply = BUF_ON(answer);

        buf_put(&apdu, BYTES(((const uint8_t[]){ 0, ins, p1, 0, 0 }), 5));
        buf_put_u16(&apdu, (uint16_t)data.len);
        buf_put(&apdu, data);
        ctap_u2f(c->ctap, c->channel, buf_bytes(&apdu), &reply);
        assert_true(reply.len >= 2);
        return (unsigned)(answer[reply.len - 2] << 8 | answer[reply.len - 1]);
}

static struct bytes u2f_data(struct buf *to, const char *rp_id, const struct bytes *handle) {
        static const uint8_t challenge[32];
        const struct bytes id = BYTES_TEXT(rp_id);
        struct sha256 hash;

        assert_int_equal(ctap_sha256(&id, 1, &hash), 0);
        buf_put(to, BYTES_OF(challenge));
        buf_put(to, BYTES_OF(hash));
        if (handle) {
                buf_put_u8(to, (uint8_t)handle->len);
                buf_put(to, *handle);
        }
        return buf_bytes(to);
}

static unsigned u2f_register(struct client *c, const char *rp_id) {
        uint8_t storage[64];
        struct buf data = BUF_ON(storage);

        return u2f(c, 0x01, 0x03, u2f_data(&data, rp_id, NULL));
}

static unsigned u2f_authenticate(struct client *c, uint8_t p1, const char *rp_id,
                                 struct bytes handle) {
        uint8_t storage[160];
        struct buf data = BUF_ON(storage);

        return u2f(c, 0x02, p1, u2f_data(&data, rp_id, &handle));
}

static void U11_a_site_that_is_not_allowed_gets_nothing_by_u2f(void **state) {
        static const uint8_t modes[] = { 0x03, 0x07, 0x08 };
        struct client *c = *state;
        struct made made;

        client_register(c, false, "ann", &made);
        restart(c, &denies);
        for (size_t i = 0; i < ELEMENTSOF(modes); i++) {
                /* As if it were no handle of this key. */
                assert_int_equal(u2f_authenticate(c, modes[i], CLIENT_RP, made.id), 0x6a80);
                assert_int_equal(u2f_authenticate(c, modes[i], CLIENT_RP, BYTES(modes, 3)), 0x6a80);
        }
        c->fake->noted[0] = '\0';
        assert_int_equal(u2f_register(c, CLIENT_RP), 0x6985);
        assert_int_equal(u2f_register(c, CLIENT_RP), 0x6985); /* and stays so */
        assert_int_equal(u2f_register(c, "evil.example"), 0x6985);
        assert_string_equal(c->fake->noted, "policy 01:00; ");
        assert_int_equal(c->fake->n_rows, 1);
        assert_int_equal(u2f_register(c, "a.example"), 0x9000);

        /* A list that allows by names alone is one that U2F can follow. */
        restart(c, &(struct ctap_options){ .rp_rules = { .allow = "b.example " CLIENT_RP } });
        assert_int_equal(u2f_authenticate(c, 0x07, CLIENT_RP, made.id), 0x6985);
        assert_int_equal(u2f_register(c, "a.example"), 0x6985);
        assert_int_equal(u2f_register(c, "b.example"), 0x9000);
        restart(c, &allows);
        assert_int_equal(u2f_authenticate(c, 0x07, CLIENT_RP, made.id), 0x6a80);
}

static bool claims_u2f(struct client *c) {
        struct cbor_value versions = info(c, 0x01);

        return bytes_equal(cbor_next(&versions.elements).string, BYTES_TEXT("U2F_V2"));
}

/* A hash does not show what it ends in. */
static void GI7_where_a_part_of_a_name_is_denied_there_is_no_u2f(void **state) {
        const struct ctap_options policy = { .rp_rules = { .deny = "*.evil.example" } };
        struct client *c = *state;

        restart(c, &denies);
        assert_true(claims_u2f(c));
        restart(c, &policy);
        assert_false(claims_u2f(c));
        assert_int_equal(u2f_register(c, "a.example"), 0x6985);
        client_make_credential(c);
        assert_int_equal(client_send(c), CTAP_OK);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                client_unit_test(AC5a_the_policy_is_a_floor_that_clients_can_only_raise),
                client_unit_test(AC5a_the_policy_is_within_what_a_pin_can_be),
                client_unit_test(AC5d_a_pin_that_is_too_short_for_the_policy_has_to_be_changed),
                client_unit_test(AC5d_a_change_that_cannot_be_written_down_is_no_start),
                client_unit_test(AC5f_the_policy_takes_no_pin_that_is_guessed_first),
                client_unit_test(AC5f_a_pin_of_before_is_changed_unless_it_was_a_good_one),
                client_unit_test(AC5f_a_change_that_was_cut_off_leaves_no_pin_unlooked_at),
                client_unit_test(AC5d_a_pin_that_nothing_is_known_of_is_taken_for_the_shortest),
                client_unit_test(sites_are_told_of_the_policy),
                client_unit_test(AC2_a_lock_keeps_one_thing_as_it_is),
                client_unit_test(AC2_what_is_locked_as_it_is_may_be_asked_for),
                client_unit_test(GI5_enterprise_attestation_is_told_as_the_policy_has_it),
                client_unit_test(MC9_the_policy_says_who_gets_enterprise_attestation),
                client_unit_test(RS3_a_reset_of_the_administrator_s_is_no_client_s),
                client_unit_test(a_site_that_is_denied_gets_no_passkey_and_no_hint),
                client_unit_test(a_site_that_is_not_on_the_list_gets_no_passkey_and_no_hint),
                client_unit_test(other_sites_are_served_as_before),
                client_unit_test(a_question_for_the_key_itself_is_no_site),
                client_unit_test(CP25_no_token_is_given_for_a_site_that_is_not_allowed),
                client_unit_test(U11_a_site_that_is_not_allowed_gets_nothing_by_u2f),
                client_unit_test(GI7_where_a_part_of_a_name_is_denied_there_is_no_u2f),
        };

        return cmocka_run_group_tests_name("policy", tests, NULL, NULL);
}
