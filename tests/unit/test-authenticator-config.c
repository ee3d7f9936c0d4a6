/* SPDX-License-Identifier: BSD-2-Clause */

/* ctap/config.c: AC1 to AC7, and what follows from its settings. */

#include <errno.h>
#include <openssl/evp.h>
#include <string.h>

#include "ctap/command.h"
#include "ctap/persistent-token.h"
#include "tests/fake/client.h"
#include "tests/fake/pin-client.h"
#include "tests/unit/test.h"

enum {
        ENTERPRISE = 0x01,
        ALWAYS_UV = 0x02,
        MIN_PIN_LENGTH = 0x03,
        LONG_TOUCH = 0x04,
        VENDOR = 0xff,
};

static const unsigned all[] = { ENTERPRISE, ALWAYS_UV, MIN_PIN_LENGTH, LONG_TOUCH };

/* ---- an authenticator that can do all of it ---- */

static int setup(void **state) {
        struct client *c;

        client_setup(state);
        c = *state;
        c->ctap->env.attester = &c->fake->attester;
        c->fake->abilities |= CTAP_PRESENCE_HOLD;
        return 0;
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, client_teardown)

static void begin(struct client *c, unsigned sub) {
        client_manage(c, 0x0d, sub);
        if (sub == MIN_PIN_LENGTH)
                client_set(c, 2, "{1: 4}");
}

/* `params` in diagnostic notation. */
static void ask_for_length(struct client *c, const char *params) {
        begin(c, MIN_PIN_LENGTH);
        client_set(c, 2, "%s", params);
}

static uint8_t send_verified(struct client *c) {
        client_verify(c);
        return client_send(c);
}

static uint8_t set_length(struct client *c, const char *params) {
        ask_for_length(c, params);
        return send_verified(c);
}

static void assert_nothing_changed(const struct client *c, const struct ctap_settings *before) {
        assert_memory_equal(&c->fake->settings, before, sizeof(*before));
        assert_int_equal(fake_calls(c->fake, "set_settings"), 0);
}

static bool has_persistent_token(struct client *c, const struct secret32 *token) {
        struct secret32 now;

        assert_int_equal(ctap_persistent_token(c->ctap, &now), 0);
        return memcmp(&now, token, sizeof(now)) == 0;
}

/* ---- the request ---- */

static void B9_parameters_of_the_wrong_type(void **state) {
        static const struct {
                unsigned key;
                const char *notation;
        } cases[] = {
                { 1, "'x'" },        { 2, "[]" },         { 3, "h'02'" },
                { 4, "'x'" },        { 2, "{1: 'six'}" }, { 2, "{2: {}}" },
                { 2, "{2: 'a.b'}" }, { 2, "{2: [1]}" },   { 2, "{2: ['a', h'62']}" },
                { 2, "{3: 1}" },     { 2, "{4: 'yes'}" },
        };
        struct client *c = *state;

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                begin(c, MIN_PIN_LENGTH);
                client_set(c, cases[i].key, "%s", cases[i].notation);
                assert_int_equal(client_send(c), CTAP2_ERR_CBOR_UNEXPECTED_TYPE);
        }
        assert_string_equal(c->fake->trace, "");
}

static void AC1_no_subcommand(void **state) {
        struct client *c = *state;

        begin(c, ALWAYS_UV);
        client_unset(c, 1);
        assert_int_equal(client_send(c), CTAP2_ERR_MISSING_PARAMETER);
        assert_int_equal(client_call(c, 0x0d, BYTES_NULL), CTAP2_ERR_MISSING_PARAMETER);
}

static void AC1_subcommands_that_are_not_there(void **state) {
        static const char *const numbers[] = { "0", "5", "254", "258", "4294967298", "-1", "-2" };
        struct client *c = *state;

        for (size_t i = 0; i < ELEMENTSOF(numbers); i++) {
                begin(c, ALWAYS_UV);
                client_set(c, 1, "%s", numbers[i]);
                assert_int_equal(client_send(c), CTAP2_ERR_INVALID_SUBCOMMAND);
                client_set_pin(c); /* a token is not asked for first */
                assert_int_equal(client_send(c), CTAP2_ERR_INVALID_SUBCOMMAND);
        }
        assert_false(ctap_config_has(c->ctap, 0));
        assert_false(ctap_config_has(c->ctap, 5));
}

static void AC1_subcommands_that_need_what_is_not_there(void **state) {
        struct client *c = *state;

        for (unsigned i = 0; i < 2; i++) {
                const bool there = i == 1;

                c->ctap->env.attester = there ? &c->fake->attester : NULL;
                c->fake->abilities = there ? CTAP_PRESENCE_HOLD : 0;
                assert_int_equal(ctap_config_has(c->ctap, ENTERPRISE), there);
                assert_int_equal(ctap_config_has(c->ctap, LONG_TOUCH), there);
                assert_true(ctap_config_has(c->ctap, ALWAYS_UV));
                assert_true(ctap_config_has(c->ctap, MIN_PIN_LENGTH));
                begin(c, ENTERPRISE);
                assert_int_equal(client_send(c), there ? CTAP_OK : CTAP2_ERR_INVALID_SUBCOMMAND);
                begin(c, LONG_TOUCH);
                assert_int_equal(client_send(c), there ? CTAP_OK : CTAP2_ERR_INVALID_SUBCOMMAND);
        }
}

static void AC7_there_are_no_vendor_commands(void **state) {
        struct client *c = *state;

        begin(c, VENDOR);
        assert_int_equal(client_send(c), CTAP2_ERR_INVALID_SUBCOMMAND);
        client_set(c, 2, "{1: 1}");
        assert_int_equal(client_send(c), CTAP2_ERR_INVALID_SUBCOMMAND);
        assert_false(ctap_config_has(c->ctap, VENDOR));
}

/* ---- who may ---- */

static void AC2_the_order_of_errors_where_a_pin_is_set(void **state) {
        struct client *c = *state;
        struct ctap_settings before;

        client_set_pin(c);
        before = c->fake->settings;
        for (size_t i = 0; i < ELEMENTSOF(all); i++) {
                begin(c, all[i]);
                assert_int_equal(client_send(c), CTAP2_ERR_PUAT_REQUIRED);
                client_set(c, 3, "9");
                assert_int_equal(client_send(c), CTAP2_ERR_PUAT_REQUIRED);
                client_set(c, 4, "h'00'");
                client_unset(c, 3);
                assert_int_equal(client_send(c), CTAP2_ERR_MISSING_PARAMETER);
                client_set(c, 3, "9");
                assert_int_equal(client_send(c), CTAP1_ERR_INVALID_PARAMETER);
                client_set(c, 3, "2");
                assert_int_equal(client_send(c), CTAP2_ERR_PIN_AUTH_INVALID);
        }
        assert_nothing_changed(c, &before);
}

static void AC2_a_token_that_does_not_count(void **state) {
        struct client *c = *state;
        struct ctap_settings before;

        client_set_pin(c);
        before = c->fake->settings;
        for (unsigned flaw = 0; flaw < _CLIENT_FLAWS; flaw++)
                for (size_t i = 0; i < ELEMENTSOF(all); i++) {
                        if (flaw == CLIENT_FLAW_OTHER_SITE)
                                continue; /* it is for no site, whatever site it was asked for */
                        begin(c, all[i]);
                        client_verify_badly(c, flaw);
                        assert_int_equal(client_send(c), CTAP2_ERR_PIN_AUTH_INVALID);
                        assert_nothing_changed(c, &before);
                }
}

static void AC2_the_mac_covers_subcommand_and_parameters(void **state) {
        struct client *c = *state;
        struct ctap_settings before;

        client_set_pin(c);
        before = c->fake->settings;
        ask_for_length(c, "{1: 6, 9: 'more'}");
        client_verify(c);
        client_set(c, 2, "{1: 7, 9: 'more'}");
        assert_int_equal(client_send(c), CTAP2_ERR_PIN_AUTH_INVALID);
        client_set(c, 2, "{1: 6}");
        assert_int_equal(client_send(c), CTAP2_ERR_PIN_AUTH_INVALID);
        begin(c, ENTERPRISE);
        client_verify(c);
        client_set(c, 1, "%u", ALWAYS_UV);
        assert_int_equal(client_send(c), CTAP2_ERR_PIN_AUTH_INVALID);
        assert_nothing_changed(c, &before);

        ask_for_length(c, "{1: 4, 9: 'more'}");
        assert_int_equal(send_verified(c), CTAP_OK);
}

static void AC2_the_persistent_token_changes_nothing(void **state) {
        struct client *c = *state;
        struct ctap_settings before;
        struct secret32 token;

        client_set_pin(c);
        before = c->fake->settings;
        assert_int_equal(ctap_persistent_token(c->ctap, &token), 0);
        memcpy(c->platform.token, token.b, sizeof(token.b));
        c->platform.protocol = 2;
        for (size_t i = 0; i < ELEMENTSOF(all); i++) {
                begin(c, all[i]);
                client_authorize(c);
                assert_int_equal(client_send(c), CTAP2_ERR_PIN_AUTH_INVALID);
        }
        assert_nothing_changed(c, &before);
}

static void AC2_without_a_pin_none_is_needed(void **state) {
        struct client *c = *state;

        ask_for_length(c, "{1: 6}");
        assert_int_equal(client_send(c), CTAP_OK);
        assert_int_equal(c->body.len, 0);
        assert_int_equal(c->fake->settings.min_pin_length, 6);
        begin(c, ALWAYS_UV);
        client_set(c, 4, "h'00'"); /* and none is looked at */
        assert_int_equal(client_send(c), CTAP_OK);
        assert_true(c->fake->settings.always_uv);
}

static void AC2_always_uv_without_a_pin_can_only_be_turned_off(void **state) {
        struct client *c = *state;

        c->fake->settings.always_uv = true;
        for (size_t i = 0; i < ELEMENTSOF(all); i++) {
                if (all[i] == ALWAYS_UV)
                        continue;
                begin(c, all[i]);
                assert_int_equal(client_send(c), CTAP2_ERR_PUAT_REQUIRED);
        }
        begin(c, ALWAYS_UV);
        assert_int_equal(client_send(c), CTAP_OK);
        assert_false(c->fake->settings.always_uv);
        begin(c, ENTERPRISE);
        assert_int_equal(client_send(c), CTAP_OK);
}

static void AC2_what_the_administrator_locked_stays(void **state) {
        struct client *c = *state;
        struct ctap_settings before;

        c->ctap->options.locks = CTAP_LOCK_ALL;
        before = c->fake->settings;
        for (size_t i = 0; i < ELEMENTSOF(all); i++) {
                begin(c, all[i]);
                assert_int_equal(client_send(c), CTAP2_ERR_OPERATION_DENIED);
        }
        client_set_pin(c);
        before = c->fake->settings;
        for (size_t i = 0; i < ELEMENTSOF(all); i++) {
                begin(c, all[i]);
                assert_int_equal(client_send(c), CTAP2_ERR_PUAT_REQUIRED);
                assert_int_equal(send_verified(c), CTAP2_ERR_OPERATION_DENIED);
        }
        assert_nothing_changed(c, &before);
}

/* ---- what it changes ---- */

static void AC3_enterprise_attestation_is_turned_on(void **state) {
        struct client *c = *state;
        struct ctap_settings expected;

        client_set_pin(c);
        expected = c->fake->settings;
        expected.enterprise_attestation = true;
        for (unsigned i = 0; i < 2; i++) { /* once more is fine */
                begin(c, ENTERPRISE);
                assert_int_equal(send_verified(c), CTAP_OK);
                assert_memory_equal(&c->fake->settings, &expected, sizeof(expected));
        }
}

static void AC4_always_uv_goes_on_and_off(void **state) {
        struct client *c = *state;

        client_set_pin(c);
        for (unsigned i = 0; i < 4; i++) {
                begin(c, ALWAYS_UV);
                assert_int_equal(send_verified(c), CTAP_OK);
                assert_int_equal(c->fake->settings.always_uv, i % 2 == 0);
                assert_int_equal(ctap_always_uv(c->ctap), i % 2 == 0);

                client_make_credential(c);
                assert_int_equal(client_send(c), i % 2 == 0 ? CTAP2_ERR_PUAT_REQUIRED : CTAP_OK);
        }
}

static void AC4_what_the_administrator_turned_on_stays_on(void **state) {
        struct client *c = *state;
        struct ctap_settings before;

        c->ctap->options.always_uv = true;
        for (unsigned i = 0; i < 2; i++) {
                c->fake->settings.always_uv = i == 1;
                before = c->fake->settings;
                begin(c, ALWAYS_UV);
                assert_int_equal(client_send(c), CTAP2_ERR_OPERATION_DENIED);
                assert_memory_equal(&c->fake->settings, &before, sizeof(before));
        }
}

static void AC4_a_yes_to_u2f_does_not_outlive_it(void **state) {
        uint8_t apdu[7 + 64 + 2] = { 0x00, 0x01, 0x03, 0x00, 0x00, 0x00, 0x40 };
        uint8_t storage[CTAP_REPLY_MAX];
        struct buf reply = BUF_ON(storage);
        struct client *c = *state;

        c->fake->answer = CTAP_ANSWER_PENDING;
        ctap_u2f(c->ctap, c->channel, BYTES_OF(apdu), &reply);
        assert_true(c->fake->shown);
        begin(c, ALWAYS_UV);
        assert_int_equal(client_send(c), CTAP_OK); /* asserts that nothing is shown */
}

static void AC5_all_of_it_in_one_write(void **state) {
        struct client *c = *state;

        client_set_pin(c);
        ask_for_length(c, "{1: 8, 2: ['a.example', 'b.example'], 3: true, 4: true}");
        client_verify(c);
        fake_forget_trace(c->fake);
        assert_int_equal(client_send(c), CTAP_OK);
        assert_int_equal(c->body.len, 0);
        assert_int_equal(fake_calls(c->fake, "set_settings"), 1);
        assert_int_equal(c->fake->settings.min_pin_length, 8);
        assert_int_equal(c->fake->settings.n_min_pin_length_rps, 2);
        assert_true(c->fake->settings.force_pin_change);
        assert_true(c->fake->settings.pin_complexity);
        assert_int_equal(c->fake->settings.pin_length, strlen(CLIENT_PIN));
}

static void AC5_it_takes_parameters_though_none_of_them_is_mandatory(void **state) {
        struct client *c = *state;
        struct ctap_settings before;

        client_set_pin(c);
        before = c->fake->settings;
        begin(c, MIN_PIN_LENGTH);
        client_unset(c, 2);
        assert_int_equal(send_verified(c), CTAP2_ERR_MISSING_PARAMETER);
        assert_int_equal(set_length(c, "{}"), CTAP_OK);
        assert_memory_equal(&c->fake->settings, &before, sizeof(before));
        assert_int_equal(set_length(c, "{3: false, 4: false}"), CTAP_OK);
        assert_memory_equal(&c->fake->settings, &before, sizeof(before));
}

static void AC5a_it_only_grows_and_not_above_the_longest_pin(void **state) {
        static const struct {
                const char *params;
                uint8_t status, length;
        } steps[] = {
                { "{1: 3}", CTAP2_ERR_PIN_POLICY_VIOLATION, 4 },
                { "{1: 4}", CTAP_OK, 4 },
                { "{1: 6}", CTAP_OK, 6 },
                { "{}", CTAP_OK, 6 },
                { "{1: 5}", CTAP2_ERR_PIN_POLICY_VIOLATION, 6 },
                { "{1: -1}", CTAP2_ERR_PIN_POLICY_VIOLATION, 6 },
                { "{1: 64}", CTAP2_ERR_PIN_POLICY_VIOLATION, 6 },
                { "{1: 262}", CTAP2_ERR_PIN_POLICY_VIOLATION, 6 },
                { "{1: 4294967302}", CTAP2_ERR_PIN_POLICY_VIOLATION, 6 },
                { "{1: 63}", CTAP_OK, 63 },
        };
        struct client *c = *state;

        for (size_t i = 0; i < ELEMENTSOF(steps); i++) {
                ask_for_length(c, steps[i].params);
                assert_int_equal(client_send(c), steps[i].status);
                assert_int_equal(c->fake->settings.min_pin_length, steps[i].length);
        }
}

static struct sha256 tag_of(struct client *c, const char *rp) {
        struct sha256 hash, tag;

        assert_int_equal(EVP_Digest(rp, strlen(rp), hash.b, NULL, EVP_sha256(), NULL), 1);
        assert_int_equal(ctap_rp_tag(&c->ctap->credential_keys, &hash, &tag), 0);
        return tag;
}

static void AC5b_the_list_of_sites_replaces_the_old_one(void **state) {
        const struct ctap_settings *s;
        struct client *c = *state;
        struct sha256 tags[2];

        s = &c->fake->settings;
        tags[0] = tag_of(c, "a.example");
        tags[1] = tag_of(c, "b.example");
        ask_for_length(c, "{2: ['a.example', 'b.example']}");
        assert_int_equal(client_send(c), CTAP_OK);
        assert_int_equal(s->n_min_pin_length_rps, 2);
        assert_memory_equal(s->min_pin_length_rps, tags, sizeof(tags));
        ask_for_length(c, "{1: 6}");
        assert_int_equal(client_send(c), CTAP_OK);
        assert_int_equal(s->n_min_pin_length_rps, 2);
        ask_for_length(c, "{2: ['b.example']}");
        assert_int_equal(client_send(c), CTAP_OK);
        assert_int_equal(s->n_min_pin_length_rps, 1);
        assert_memory_equal(s->min_pin_length_rps, &tags[1], sizeof(tags[1]));
        ask_for_length(c, "{2: []}");
        assert_int_equal(client_send(c), CTAP_OK);
        assert_int_equal(s->n_min_pin_length_rps, 0);
}

static void AC5b_there_is_room_for_so_many_and_no_more(void **state) {
        struct client *c = *state;
        struct ctap_settings before;

        ask_for_length(c, "{2: ['0','1','2','3','4','5','6','7','8','9','a','b','c','d','e','f']}");
        assert_int_equal(client_send(c), CTAP_OK);
        assert_int_equal(c->fake->settings.n_min_pin_length_rps, CTAP_MIN_PIN_LENGTH_RPS);
        before = c->fake->settings;
        ask_for_length(
                c,
                "{1: 9, 2: ['0','1','2','3','4','5','6','7','8','9','a','b','c','d','e','f','g']}");
        fake_forget_trace(c->fake);
        assert_int_equal(client_send(c), CTAP2_ERR_KEY_STORE_FULL);
        assert_nothing_changed(c, &before);
}

static void AC5c_a_change_can_be_forced_where_there_is_a_pin(void **state) {
        struct client *c = *state;
        struct ctap_settings before;

        before = c->fake->settings;
        ask_for_length(c, "{1: 6, 3: true}");
        assert_int_equal(client_send(c), CTAP2_ERR_PIN_NOT_SET);
        assert_nothing_changed(c, &before);
        client_set_pin(c);
        assert_int_equal(set_length(c, "{3: true}"), CTAP_OK);
        assert_true(c->fake->settings.force_pin_change);
        assert_int_equal(c->fake->settings.min_pin_length, 4);
}

static void AC5d_a_pin_that_became_too_short_must_be_changed(void **state) {
        struct client *c = *state;

        client_set_pin(c);
        assert_int_equal(set_length(c, "{1: 4}"), CTAP_OK);
        assert_false(c->fake->settings.force_pin_change);
        assert_int_equal(set_length(c, "{1: 5}"), CTAP_OK);
        assert_true(c->fake->settings.force_pin_change);
}

static void AC5d_one_that_is_as_long_need_not(void **state) {
        struct client *c = *state;

        client_set_pin(c);
        c->fake->settings.pin_length = 6;
        ask_for_length(c, "{1: 6}");
        client_verify(c);
        c->fake->settings.pin_length = 6;
        assert_int_equal(client_send(c), CTAP_OK);
        assert_false(c->fake->settings.force_pin_change);
        assert_true(c->ctap->token.protocol != 0);
}

static void AC5e_a_forced_change_ends_all_tokens(void **state) {
        static const char *const params[] = { "{3: true}", "{1: 5}", "{4: true}" };
        struct client *c = *state;
        struct secret32 persistent;

        for (size_t i = 0; i < ELEMENTSOF(params); i++) {
                const struct ctap_settings fresh = CTAP_SETTINGS_DEFAULT;
                const uint32_t epoch = c->fake->settings.persistent_token_epoch;

                c->fake->settings = fresh;
                c->fake->settings.persistent_token_epoch = epoch;
                client_set_pin(c);
                assert_int_equal(ctap_persistent_token(c->ctap, &persistent), 0);
                assert_int_equal(set_length(c, params[i]), CTAP_OK);
                assert_true(c->fake->settings.force_pin_change);
                assert_int_equal(c->ctap->token.protocol, 0);
                assert_false(has_persistent_token(c, &persistent));
                assert_int_equal(client_send(c), CTAP2_ERR_PIN_AUTH_INVALID);
        }
}

static void AC5e_what_forces_nothing_ends_none(void **state) {
        struct client *c = *state;
        struct secret32 persistent;

        client_set_pin(c);
        assert_int_equal(ctap_persistent_token(c->ctap, &persistent), 0);
        client_get_token(c, 2, CTAP_PERMISSION_ACFG, NULL);
        for (size_t i = 0; i < ELEMENTSOF(all); i++) {
                begin(c, all[i]);
                client_authorize(c);
                assert_int_equal(client_send(c), CTAP_OK);
        }
        assert_true(has_persistent_token(c, &persistent));
}

static void AC5f_the_complexity_policy_is_turned_on_for_good(void **state) {
        struct client *c = *state;

        ask_for_length(c, "{4: true}");
        assert_int_equal(client_send(c), CTAP_OK);
        assert_true(c->fake->settings.pin_complexity);
        ask_for_length(c, "{4: false}");
        assert_int_equal(client_send(c), CTAP_OK);
        assert_true(c->fake->settings.pin_complexity);
        assert_int_equal(client_call(c, 0x07, BYTES_NULL), CTAP_OK);
        assert_false(c->fake->settings.pin_complexity);
}

static void AC5f_a_new_pin_obeys_it(void **state) {
        struct client *c = *state;
        struct platform p;

        ask_for_length(c, "{4: true}");
        assert_int_equal(client_send(c), CTAP_OK);
        assert_int_equal(pin_set(c, &p, 2, "1234"), CTAP2_ERR_PIN_POLICY_VIOLATION);
        assert_int_equal(pin_set(c, &p, 2, "12341"), CTAP_OK);
        assert_int_equal(pin_change(c, &p, 2, "12341", "999999"), CTAP2_ERR_PIN_POLICY_VIOLATION);
        assert_int_equal(pin_change(c, &p, 2, "12341", "2580"), CTAP_OK);
        assert_int_equal(ctap_pin_change(c->ctap, BYTES_TEXT("2580"), BYTES_TEXT("4321")),
                         CTAP2_ERR_PIN_POLICY_VIOLATION);
}

static void AC5f_the_pin_that_is_set_is_changed_once(void **state) {
        struct client *c = *state;
        struct platform p;

        assert_int_equal(pin_set(c, &p, 2, CLIENT_PIN), CTAP_OK);
        assert_int_equal(set_length(c, "{4: true}"), CTAP_OK);
        assert_true(c->fake->settings.force_pin_change);
        assert_int_equal(pin_change(c, &p, 2, CLIENT_PIN, "2580"), CTAP_OK);
        assert_false(c->fake->settings.force_pin_change);

        client_manage(c, 0x0d, MIN_PIN_LENGTH);
        client_set(c, 2, "{4: true}");
        client_verify(c); /* sets another PIN, of no matter */
        assert_int_equal(client_send(c), CTAP_OK);
        assert_false(c->fake->settings.force_pin_change);
}

static void AC5f_a_pin_that_obeys_it_stays(void **state) {
        struct client *c = *state;

        client_set_pin(c);
        c->fake->settings.pin_is_complex = true;
        assert_int_equal(set_length(c, "{4: true}"), CTAP_OK);
        assert_true(c->fake->settings.pin_complexity);
        assert_false(c->fake->settings.force_pin_change);
        assert_true(c->ctap->token.protocol != 0);
}

static void AC6_a_long_touch_for_reset_is_turned_on(void **state) {
        struct client *c = *state;
        struct ctap_settings expected;

        client_set_pin(c);
        expected = c->fake->settings;
        expected.long_touch_for_reset = true;
        for (unsigned i = 0; i < 2; i++) {
                begin(c, LONG_TOUCH);
                assert_int_equal(send_verified(c), CTAP_OK);
                assert_memory_equal(&c->fake->settings, &expected, sizeof(expected));
        }
}

/* ---- failures ---- */

static void AC_every_failure_is_an_error_that_changes_nothing(void **state) {
        struct client *c = *state;
        struct ctap_settings before;

        for (size_t i = 0; i < ELEMENTSOF(all); i++) {
                client_set_pin(c);
                before = c->fake->settings;
                begin(c, all[i]);
                client_verify(c);
                for (unsigned n = 1; n <= 2; n++) { /* ticket_check, set_settings */
                        fake_fail(c->fake, NULL, n, -ENOSPC);
                        assert_true(client_send(c) != CTAP_OK);
                        assert_false(fake_mend(c->fake));
                        assert_memory_equal(&c->fake->settings, &before, sizeof(before));
                }
                assert_int_equal(client_send(c), CTAP_OK);
        }
}

static void AC_a_change_that_could_not_be_kept_ends_no_token(void **state) {
        struct client *c = *state;

        client_set_pin(c);
        ask_for_length(c, "{1: 6, 3: true}");
        client_verify(c);
        fake_fail(c->fake, "set_settings", 1, -ENOSPC);
        assert_int_equal(client_send(c), CTAP1_ERR_OTHER); /* and not "key store full" */
        assert_int_equal(c->fake->settings.min_pin_length, 4);
        assert_int_equal(client_send(c), CTAP_OK);
        assert_int_equal(c->fake->settings.min_pin_length, 6);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                TEST(B9_parameters_of_the_wrong_type),
                TEST(AC1_no_subcommand),
                TEST(AC1_subcommands_that_are_not_there),
                TEST(AC1_subcommands_that_need_what_is_not_there),
                TEST(AC7_there_are_no_vendor_commands),
                TEST(AC2_the_order_of_errors_where_a_pin_is_set),
                TEST(AC2_a_token_that_does_not_count),
                TEST(AC2_the_mac_covers_subcommand_and_parameters),
                TEST(AC2_the_persistent_token_changes_nothing),
                TEST(AC2_without_a_pin_none_is_needed),
                TEST(AC2_always_uv_without_a_pin_can_only_be_turned_off),
                TEST(AC2_what_the_administrator_locked_stays),
                TEST(AC3_enterprise_attestation_is_turned_on),
                TEST(AC4_always_uv_goes_on_and_off),
                TEST(AC4_what_the_administrator_turned_on_stays_on),
                TEST(AC4_a_yes_to_u2f_does_not_outlive_it),
                TEST(AC5_all_of_it_in_one_write),
                TEST(AC5_it_takes_parameters_though_none_of_them_is_mandatory),
                TEST(AC5a_it_only_grows_and_not_above_the_longest_pin),
                TEST(AC5b_the_list_of_sites_replaces_the_old_one),
                TEST(AC5b_there_is_room_for_so_many_and_no_more),
                TEST(AC5c_a_change_can_be_forced_where_there_is_a_pin),
                TEST(AC5d_a_pin_that_became_too_short_must_be_changed),
                TEST(AC5d_one_that_is_as_long_need_not),
                TEST(AC5e_a_forced_change_ends_all_tokens),
                TEST(AC5e_what_forces_nothing_ends_none),
                TEST(AC5f_the_complexity_policy_is_turned_on_for_good),
                TEST(AC5f_a_new_pin_obeys_it),
                TEST(AC5f_the_pin_that_is_set_is_changed_once),
                TEST(AC5f_a_pin_that_obeys_it_stays),
                TEST(AC6_a_long_touch_for_reset_is_turned_on),
                TEST(AC_every_failure_is_an_error_that_changes_nothing),
                TEST(AC_a_change_that_could_not_be_kept_ends_no_token),
        };

        return cmocka_run_group_tests_name("authenticator-config", tests, NULL, NULL);
}
