/* SPDX-License-Identifier: BSD-2-Clause */

/* ctap/get-assertion.c: ctap.md C.2 and C.3, and the request errors of B.2. */

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "ctap/command.h"
#include "tests/fake/client.h"
#include "tests/unit/test.h"

#define NEXT 0x08

static const uint8_t salt[32] = "thirty-two bytes of salt........";

struct wrong {
        unsigned key;
        const char *notation;
        uint8_t status;
};

static void assert_refused(struct client *c, const struct wrong *cases, size_t n) {
        for (size_t i = 0; i < n; i++) {
                uint8_t status;

                client_get_assertion(c);
                if (cases[i].notation)
                        client_set(c, cases[i].key, "%s", cases[i].notation);
                else
                        client_unset(c, cases[i].key);
                fake_forget_trace(c->fake);
                status = client_send(c);
                if (status != cases[i].status)
                        fail_msg("%02x: %s: status %02x, not %02x", cases[i].key,
                                 cases[i].notation ? cases[i].notation : "absent", status,
                                 cases[i].status);
                assert_string_equal(c->fake->trace, "");
        }
}

/* Asks for an assertion by the credential, and reads it. */
static void use(struct client *c, const struct made *made, struct given *ret) {
        client_get_assertion(c);
        client_set_list(c, 3, made, 1);
        fake_forget_trace(c->fake);
        assert_int_equal(client_send(c), CTAP_OK);
        client_read_given(c, made, ret);
}

static void register_three(struct client *c, bool discoverable, struct made made[static 3]) {
        client_register(c, discoverable, "ann", &made[0]);
        client_register(c, discoverable, "bob", &made[1]);
        client_register(c, discoverable, "cat", &made[2]);
}

/* What is prepared is answered with this one, by a probe and by a person. */
static void read_silent_and_loud(struct client *c, const struct made *want) {
        struct given given;

        for (unsigned up = 0; up < 2; up++) {
                client_set(c, 5, "{'up': %s}", up ? "true" : "false");
                assert_int_equal(client_send(c), CTAP_OK);
                client_read_given(c, want, &given);
        }
}

static uint8_t next(struct client *c) {
        fake_forget_trace(c->fake);
        return client_call(c, NEXT, BYTES_NULL);
}

/* ---- the request ---- */

static void B9_members_of_the_wrong_type(void **state) {
        static const struct wrong cases[] = {
                { 1, "h'61'", CTAP2_ERR_CBOR_UNEXPECTED_TYPE },
                { 2, "'text'", CTAP2_ERR_CBOR_UNEXPECTED_TYPE },
                { 3, "{}", CTAP2_ERR_CBOR_UNEXPECTED_TYPE },
                { 4, "[]", CTAP2_ERR_CBOR_UNEXPECTED_TYPE },
                { 5, "[]", CTAP2_ERR_CBOR_UNEXPECTED_TYPE },
                { 5, "{'up': 1}", CTAP2_ERR_CBOR_UNEXPECTED_TYPE },
                { 5, "{'uv': 'no'}", CTAP2_ERR_CBOR_UNEXPECTED_TYPE },
                { 5, "{'rk': null}", CTAP2_ERR_CBOR_UNEXPECTED_TYPE },
                { 6, "1", CTAP2_ERR_CBOR_UNEXPECTED_TYPE },
                { 7, "h'01'", CTAP2_ERR_CBOR_UNEXPECTED_TYPE },
        };

        assert_refused(*state, cases, ELEMENTSOF(cases));
}

static void B11_mandatory_members_missing(void **state) {
        static const struct wrong cases[] = {
                { 1, NULL, CTAP2_ERR_MISSING_PARAMETER },
                { 2, NULL, CTAP2_ERR_MISSING_PARAMETER },
        };

        assert_refused(*state, cases, ELEMENTSOF(cases));
}

static void B12_unknown_members_options_and_extensions_are_ignored(void **state) {
        static const struct wrong cases[] = {
                { 8, "'what'", 0 },
                { 15, "{}", 0 },
                { 4, "{'x': {}, 'hmac-x': true}", 0 },
                { 5, "{'x': 1, 'plat': true}", 0 },
        };
        struct client *c = *state;
        struct made made;
        struct given given;

        client_register(c, true, "ann", &made);
        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                client_get_assertion(c);
                client_set(c, cases[i].key, "%s", cases[i].notation);
                assert_int_equal(client_send(c), CTAP_OK);
                client_read_given(c, &made, &given);
                assert_int_equal(given.flags, 0x01); /* no ED: D */
        }
}

static void B17_descriptors_of_the_wrong_shape(void **state) {
        static const struct wrong cases[] = {
                { 3, "['x']", CTAP2_ERR_CBOR_UNEXPECTED_TYPE },
                { 3, "[{'id': 1, 'type': 'public-key'}]", CTAP2_ERR_CBOR_UNEXPECTED_TYPE },
                { 3, "[{'id': h'00', 'type': null}]", CTAP2_ERR_CBOR_UNEXPECTED_TYPE },
                { 3, "[{'id': h'00', 'type': 'public-key', 'transports': 'usb'}]",
                  CTAP2_ERR_CBOR_UNEXPECTED_TYPE },
                { 3, "[{'id': h'00', 'type': 'public-key', 'transports': ['usb', 1]}]",
                  CTAP2_ERR_CBOR_UNEXPECTED_TYPE },
                { 3, "[{'type': 'public-key'}]", CTAP2_ERR_MISSING_PARAMETER },
                { 3, "[{'id': h'00'}]", CTAP2_ERR_MISSING_PARAMETER },
        };

        assert_refused(*state, cases, ELEMENTSOF(cases));
}

static void B17_the_whole_list_is_checked_even_behind_a_match(void **state) {
        struct client *c = *state;
        struct made made;

        client_register(c, true, "ann", &made);
        client_get_assertion(c);
        client_set(c, 3, "[{'id': h'%s', 'type': 'public-key'}, 7]", client_hex(c, made.id));
        assert_int_equal(client_send(c), CTAP2_ERR_CBOR_UNEXPECTED_TYPE);
        assert_string_equal(c->fake->trace, "");
}

static void B20_rp_ids_and_hashes_of_the_wrong_length(void **state) {
        static const struct wrong cases[] = {
                { 1, "''", CTAP1_ERR_INVALID_PARAMETER },
                { 2, "h''", CTAP1_ERR_INVALID_PARAMETER },
                { 2, "h'0011'", CTAP1_ERR_INVALID_PARAMETER },
        };
        struct client *c = *state;
        char id[257];

        assert_refused(c, cases, ELEMENTSOF(cases));
        memset(id, 'a', sizeof(id));
        id[256] = '\0';
        client_get_assertion(c);
        client_set(c, 1, "'%s'", id);
        assert_int_equal(client_send(c), CTAP1_ERR_INVALID_PARAMETER);
}

/* ---- pinUvAuthParam and options ---- */

static void GA1_empty_auth_param_asks_and_says_there_is_no_pin(void **state) {
        static const struct {
                enum ctap_answer answer;
                uint8_t status;
        } cases[] = {
                { CTAP_ANSWER_YES, CTAP2_ERR_PIN_NOT_SET },
                { CTAP_ANSWER_NO, CTAP2_ERR_OPERATION_DENIED },
                { CTAP_ANSWER_TIMEOUT, CTAP2_ERR_OPERATION_DENIED },
                { CTAP_ANSWER_CANCELLED, CTAP2_ERR_KEEPALIVE_CANCEL },
        };
        struct client *c = *state;
        struct made made;

        client_register(c, true, "ann", &made);
        client_get_assertion(c);
        client_set(c, 5, "{'rk': true, 'uv': true}"); /* not looked at yet */
        client_set(c, 6, "h''");
        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                fake_forget_trace(c->fake);
                c->fake->answer = cases[i].answer;
                assert_int_equal(client_send(c), cases[i].status);
                assert_string_equal(c->fake->trace, "begin wait end");
                assert_int_equal(c->fake->prompt.ask, CTAP_ASK_SELECT);
                assert_true(c->fake->prompt.passive);
                assert_string_equal(c->fake->rp_id, "example.com");
        }
}

static void GA1_empty_auth_param_with_a_pin_says_that_there_is_one(void **state) {
        struct client *c = *state;

        client_set_pin(c);
        client_get_assertion(c);
        client_set(c, 6, "h''");
        assert_int_equal(client_send(c), CTAP2_ERR_PIN_INVALID);
        assert_string_equal(c->fake->trace, "begin wait end");
}

static void GA2_the_protocol_of_an_auth_param(void **state) {
        static const struct {
                const char *protocol;
                uint8_t status;
        } cases[] = {
                { NULL, CTAP2_ERR_MISSING_PARAMETER },
                { "0", CTAP1_ERR_INVALID_PARAMETER },
                { "3", CTAP1_ERR_INVALID_PARAMETER },
                { "1", CTAP_OK },
                { "2", CTAP_OK },
        };
        struct client *c = *state;
        struct made made;

        client_register(c, true, "ann", &made);
        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                client_get_assertion(c);
                client_set(c, 6, "h'0011'");
                if (cases[i].protocol)
                        client_set(c, 7, "%s", cases[i].protocol);
                assert_int_equal(client_send(c), cases[i].status);
        }
}

static void GA3_options(void **state) {
        static const struct wrong cases[] = {
                { 5, "{'uv': true}", CTAP2_ERR_INVALID_OPTION },
                { 5, "{'rk': true}", CTAP2_ERR_UNSUPPORTED_OPTION },
                { 5, "{'rk': false}", CTAP2_ERR_UNSUPPORTED_OPTION },
        };
        struct client *c = *state;
        struct made made;
        struct given given;

        assert_refused(c, cases, ELEMENTSOF(cases));
        client_register(c, true, "ann", &made);
        client_get_assertion(c);
        client_set(c, 5, "{'up': true, 'uv': false}");
        assert_int_equal(client_send(c), CTAP_OK);
        client_read_given(c, &made, &given);
        assert_int_equal(given.flags, 0x01);
}

static void GA3_an_auth_param_makes_uv_false(void **state) {
        struct client *c = *state;
        struct made made;
        struct given given;

        client_register(c, true, "ann", &made);
        client_get_assertion(c);
        client_set(c, 5, "{'uv': true}");
        client_set(c, 6, "h'0011'");
        client_set(c, 7, "2");
        assert_int_equal(client_send(c), CTAP_OK);
        client_read_given(c, &made, &given);
        assert_int_equal(given.flags, 0x01); /* F6 */
}

/* ---- verification ---- */

/* Puts a credential behind the PIN, as one that was made so. */
static void put_behind_pin(struct client *c, uint8_t level) {
        struct ctap_row *row = &c->fake->rows[c->fake->n_rows - 1];

        row->class = CTAP_CLASS_B;
        row->cred_protect = level;
        row->key.data[3] = CTAP_CLASS_B; /* the key device's own note */
}

static void GA4_under_always_uv_nothing_is_signed_without_the_pin(void **state) {
        struct client *c = *state;
        struct made made;
        struct given given;

        client_get_assertion(c);
        assert_int_equal(client_send(c), CTAP2_ERR_PUAT_REQUIRED); /* no PIN at all */
        client_set(c, 6, "h'0011'");
        client_set(c, 7, "1");
        assert_int_equal(client_send(c), CTAP2_ERR_PUAT_REQUIRED);
        client_set_pin(c);
        client_register(c, true, "ann", &made);
        client_get_assertion(c);
        fake_forget_trace(c->fake);
        assert_int_equal(client_send(c), CTAP2_ERR_PUAT_REQUIRED);
        assert_string_equal(c->fake->trace, "");

        client_verify(c);
        assert_int_equal(client_send(c), CTAP_OK);
        client_read_given(c, &made, &given);
        assert_int_equal(given.flags, 0x05);
}

/* openssh and systemd find their key so (H31), and look at no signature. */
static void GA4_under_always_uv_a_silent_probe_is_answered(void **state) {
        struct client *c = *state;
        struct made made;
        struct given given;

        client_set_pin(c);
        client_register(c, true, "ann", &made);
        client_get_assertion(c);
        client_set_list(c, 3, &made, 1);
        client_set(c, 5, "{'up': false}");
        fake_forget_trace(c->fake);
        assert_int_equal(client_send(c), CTAP_OK);
        client_read_probe(c, &made, &given);
        assert_int_equal(given.flags, 0);
        assert_string_equal(c->fake->trace, "find");

        client_set(c, 3, "[{'id': h'00', 'type': 'public-key'}]");
        assert_int_equal(client_send(c), CTAP2_ERR_NO_CREDENTIALS);
}

static void GA4_a_key_behind_the_pin_signs_for_nobody_else(void **state) {
        struct client *c = *state;
        struct made made;
        struct given given;

        client_register(c, true, "ann", &made);
        for (uint8_t level = 1; level <= 2; level++) {
                put_behind_pin(c, level);
                client_get_assertion(c);
                client_set_list(c, 3, &made, 1);
                fake_forget_trace(c->fake);
                assert_int_equal(client_send(c), CTAP2_ERR_PUAT_REQUIRED);
                assert_string_equal(c->fake->trace, "find");

                client_set(c, 5, "{'up': false}");
                assert_int_equal(client_send(c), CTAP_OK);
                client_read_probe(c, &made, &given);
                assert_int_equal(given.flags, 0);

                client_verify(c); /* with the PIN it is a real one */
                assert_int_equal(client_send(c), CTAP_OK);
                client_read_given(c, &made, &given);
                assert_int_equal(given.flags, 0x04); /* F6 */
        }
        put_behind_pin(c, 3); /* and this one hides itself as well */
        client_get_assertion(c);
        client_set_list(c, 3, &made, 1);
        client_set(c, 5, "{'up': false}");
        assert_int_equal(client_send(c), CTAP2_ERR_NO_CREDENTIALS);
}

/* More than once, as half of all numbers are below a modulus by chance. */
static void GA4_a_probe_of_any_kind_of_key_behind_the_pin(void **state) {
        static const int algs[] = { -35, -257 };
        struct client *c = *state;
        struct made made;
        struct given given;

        for (size_t i = 0; i < ELEMENTSOF(algs); i++) {
                client_make_credential(c);
                client_set(c, 4, "[{'alg': %d, 'type': 'public-key'}]", algs[i]);
                client_verify(c);
                assert_int_equal(client_send(c), CTAP_OK);
                client_read_made(c, &made);
                assert_int_equal(made.alg, algs[i]);
                for (unsigned n = 0; n < 32; n++) {
                        client_get_assertion(c);
                        client_set_list(c, 3, &made, 1);
                        client_set(c, 5, "{'up': false}");
                        assert_int_equal(client_send(c), CTAP_OK);
                        client_read_probe(c, &made, &given);
                }
        }
}

static void GA5_either_protocol_verifies(void **state) {
        struct client *c = *state;
        struct made made;
        struct given given;

        client_register(c, true, "ann", &made);
        for (unsigned protocol = 1; protocol <= 2; protocol++) {
                client_get_assertion(c);
                client_get_token(c, protocol, 0x02, CLIENT_RP);
                client_authorize(c);
                assert_int_equal(client_send(c), CTAP_OK);
                client_read_given(c, &made, &given);
                assert_int_equal(given.flags, 0x05); /* F6 */
        }
}

static void GA5_a_token_that_does_not_count(void **state) {
        static const char *const options[] = { "{}", "{'up': false}", "{'uv': true}" };
        struct client *c = *state;
        struct made made;

        client_register(c, true, "ann", &made);
        for (size_t i = 0; i < ELEMENTSOF(options); i++)
                for (enum client_flaw flaw = 0; flaw < _CLIENT_FLAWS; flaw++) {
                        client_get_assertion(c);
                        client_set(c, 5, "%s", options[i]);
                        client_verify_badly(c, flaw);
                        fake_forget_trace(c->fake);
                        assert_int_equal(client_send(c), CTAP2_ERR_PIN_AUTH_INVALID);
                        assert_int_equal(fake_calls(c->fake, "begin"), 0);
                        assert_int_equal(fake_calls(c->fake, "load"), 0);
                }
}

static void F6_the_uv_flag_is_for_the_command_that_the_token_came_with(void **state) {
        struct client *c = *state;
        struct made made;
        struct given given;

        client_register(c, true, "ann", &made);
        client_get_assertion(c);
        client_set(c, 5, "{'up': false}");
        client_verify(c);
        assert_int_equal(client_send(c), CTAP_OK);
        client_read_given(c, &made, &given);
        assert_int_equal(given.flags, 0x04);
        client_unset(c, 6); /* the token is good still, but nobody showed it */
        client_unset(c, 7);
        assert_int_equal(client_send(c), CTAP_OK);
        client_read_given(c, &made, &given);
        assert_int_equal(given.flags, 0);
}

static void GA5_without_a_token_a_pin_changes_nothing(void **state) {
        struct client *c = *state;
        struct made made;
        struct given given;

        client_set_pin(c);
        client_register(c, true, "ann", &made);
        use(c, &made, &given);
        assert_int_equal(given.flags, 0x01);
}

static void GA5_a_token_of_no_site_becomes_that_of_the_first(void **state) {
        struct client *c = *state;
        struct made made;

        client_register(c, true, "ann", &made);
        client_get_assertion(c);
        client_set(c, 5, "{'up': false}");
        client_get_token(c, 2, 0x03, NULL);
        client_authorize(c);
        assert_int_equal(client_send(c), CTAP_OK);
        client_set(c, 1, "'other.example'");
        assert_int_equal(client_send(c), CTAP2_ERR_PIN_AUTH_INVALID);
}

/* ---- which credential ---- */

static void GA7_a_listed_credential_of_any_kind(void **state) {
        struct client *c = *state;
        struct made made[3];
        struct given given;

        client_register(c, true, "ann", &made[0]);
        client_register(c, false, "bob", &made[1]);
        client_register(c, true, "cat", &made[2]);
        for (size_t i = 0; i < ELEMENTSOF(made); i++)
                use(c, &made[i], &given);

        /* Exactly one results, and no count. */
        client_get_assertion(c);
        client_set_list(c, 3, made, ELEMENTSOF(made));
        assert_int_equal(client_send(c), CTAP_OK);
        client_read_given(c, &made[0], &given);
        assert_int_equal(given.n_credentials, 0);
        assert_int_equal(next(c), CTAP2_ERR_NOT_ALLOWED);
}

static void GA7_what_does_not_match(void **state) {
        struct client *c = *state;
        struct made made;

        client_register(c, true, "ann", &made);

        /* A list that only holds other types is not an empty list. */
        client_get_assertion(c);
        client_set(c, 3, "[{'id': h'%s', 'type': 'password'}]", client_hex(c, made.id));
        assert_int_equal(client_send(c), CTAP2_ERR_NO_CREDENTIALS);

        client_get_assertion(c);
        client_set(c, 1, "'other.example'");
        client_set_list(c, 3, &made, 1);
        assert_int_equal(client_send(c), CTAP2_ERR_NO_CREDENTIALS);

        fake_delete(c->fake, &c->fake->rows[0].id);
        client_get_assertion(c);
        client_set_list(c, 3, &made, 1);
        assert_int_equal(client_send(c), CTAP2_ERR_NO_CREDENTIALS);
}

static void GA7_what_does_not_match_is_passed_over(void **state) {
        struct client *c = *state;
        struct made made[3];
        struct given given;

        register_three(c, false, made);
        c->fake->rows[1].cred_protect = 3;
        fake_delete(c->fake, &c->fake->rows[0].id);
        client_get_assertion(c);
        client_set_list(c, 3, made, ELEMENTSOF(made));
        assert_int_equal(client_send(c), CTAP_OK);
        client_read_given(c, &made[2], &given);
}

/* The key of one behind the PIN would not sign, that of another would. */
static void GA7_a_key_that_signs_goes_before_one_behind_the_pin(void **state) {
        struct client *c = *state;
        struct made made[3];
        struct given given;

        client_register(c, false, "ann", &made[0]);
        put_behind_pin(c, 1);
        client_register(c, false, "bob", &made[1]);
        put_behind_pin(c, 1);
        client_register(c, false, "cat", &made[2]);
        client_get_assertion(c);
        client_set_list(c, 3, made, 3);
        read_silent_and_loud(c, &made[2]);

        /* With the PIN it is the first one, and so it is where all are behind it. */
        client_verify(c);
        assert_int_equal(client_send(c), CTAP_OK);
        client_read_given(c, &made[0], &given);
        client_get_assertion(c);
        client_set_list(c, 3, made, 2);
        assert_int_equal(client_send(c), CTAP2_ERR_PUAT_REQUIRED);
        client_set(c, 5, "{'up': false}");
        assert_int_equal(client_send(c), CTAP_OK);
        client_read_probe(c, &made[0], &given);
}

static void GA7_what_is_damaged_is_passed_over(void **state) {
        struct client *c = *state;
        struct made made[3];

        register_three(c, false, made);
        c->fake->rows[0].sealed[20] ^= 1;
        c->fake->rows[1].alg = -8;
        client_get_assertion(c);
        client_set_list(c, 3, made, 3);
        read_silent_and_loud(c, &made[2]);
        client_set_list(c, 3, made, 2);
        assert_int_equal(client_send(c), CTAP1_ERR_OTHER);
}

static void GA7_level_3_hides_itself_from_a_list(void **state) {
        struct client *c = *state;
        struct made made;
        struct given given;

        client_register(c, true, "ann", &made);
        c->fake->rows[0].cred_protect = 2;
        use(c, &made, &given);
        c->fake->rows[0].cred_protect = 3;
        client_get_assertion(c);
        client_set_list(c, 3, &made, 1);
        assert_int_equal(client_send(c), CTAP2_ERR_NO_CREDENTIALS);
}

static void GA7_a_verified_person_sees_level_3(void **state) {
        struct client *c = *state;
        struct made made;
        struct given given;

        client_register(c, false, "ann", &made);
        put_behind_pin(c, 3);
        client_get_assertion(c);
        client_set_list(c, 3, &made, 1);
        client_verify(c);
        assert_int_equal(client_send(c), CTAP_OK);
        client_read_given(c, &made, &given);
        assert_int_equal(given.flags, 0x05);
}

static void U9_a_u2f_registration_signs_for_ctap2(void **state) {
        struct client *c = *state;
        struct made made;
        struct given given;

        client_u2f_register(c, &made);
        use(c, &made, &given);
        assert_false(given.has_user);
        assert_int_equal(given.count, 1);
        assert_string_equal(c->fake->account, "");

        client_get_assertion(c); /* but only if it is named */
        assert_int_equal(client_send(c), CTAP2_ERR_NO_CREDENTIALS);
}

static void GA8_without_a_list_the_newest_discoverable_one(void **state) {
        struct client *c = *state;
        struct made made[3];
        struct given given;

        client_register(c, true, "ann", &made[0]);
        client_register(c, true, "bob", &made[1]);
        client_register(c, false, "cat", &made[2]);
        client_get_assertion(c);
        assert_int_equal(client_send(c), CTAP_OK);
        client_read_given(c, &made[1], &given);
        assert_bytes_equal(given.user_id, BYTES_TEXT("bob"));
        assert_int_equal(given.n_credentials, 2);

        client_set(c, 3, "[]");
        assert_int_equal(client_send(c), CTAP_OK);
        client_read_given(c, &made[1], &given);
}

static void GA8_levels_2_and_3_hide_themselves(void **state) {
        struct client *c = *state;
        struct made made[3];
        struct given given;

        register_three(c, true, made);
        c->fake->rows[1].cred_protect = 2;
        c->fake->rows[2].cred_protect = 3;
        client_get_assertion(c);
        assert_int_equal(client_send(c), CTAP_OK);
        client_read_given(c, &made[0], &given);
        assert_int_equal(given.n_credentials, 0);

        c->fake->rows[0].cred_protect = 2;
        assert_int_equal(client_send(c), CTAP2_ERR_NO_CREDENTIALS);
}

static void GA8_a_verified_person_sees_all_levels(void **state) {
        struct client *c = *state;
        struct made made[3];
        struct given given;

        register_three(c, true, made);
        put_behind_pin(c, 3);
        c->fake->rows[1].cred_protect = 2;
        client_get_assertion(c);
        client_verify(c);
        assert_int_equal(client_send(c), CTAP_OK);
        client_read_given(c, &made[2], &given);
        assert_int_equal(given.n_credentials, 3);
        for (unsigned i = 2; i > 0; i--) {
                assert_int_equal(next(c), CTAP_OK);
                client_read_given(c, &made[i - 1], &given);
                assert_int_equal(given.flags, 0x05);
        }
}

/* As credentialManagement has it: not shown, not counted. */
static void GA8_what_is_damaged_is_left_out_and_not_counted(void **state) {
        struct client *c = *state;
        struct made made[4];
        struct given given;

        register_three(c, true, made);
        client_register(c, true, "dan", &made[3]);
        c->fake->rows[3].sealed[20] ^= 1;
        c->fake->rows[1].alg = -8;
        client_get_assertion(c);
        assert_int_equal(client_send(c), CTAP_OK);
        client_read_given(c, &made[2], &given);
        assert_int_equal(given.n_credentials, 2);
        assert_int_equal(c->fake->prompt.n_accounts, 2);
        assert_int_equal(next(c), CTAP_OK);
        client_read_given(c, &made[0], &given);
        assert_int_equal(next(c), CTAP2_ERR_NOT_ALLOWED);

        c->fake->rows[0].sealed[20] ^= 1;
        assert_int_equal(client_send(c), CTAP_OK);
        client_read_given(c, &made[2], &given);
        assert_int_equal(given.n_credentials, 0);
        c->fake->rows[2].sealed[20] ^= 1;
        assert_int_equal(client_send(c), CTAP1_ERR_OTHER);
}

static void GA9_nothing_matches_is_said_after_a_passive_question(void **state) {
        static const struct {
                enum ctap_answer answer;
                uint8_t status;
        } cases[] = {
                { CTAP_ANSWER_YES, CTAP2_ERR_NO_CREDENTIALS },
                { CTAP_ANSWER_NO, CTAP2_ERR_OPERATION_DENIED },
                { CTAP_ANSWER_TIMEOUT, CTAP2_ERR_NO_CREDENTIALS },
                { CTAP_ANSWER_CANCELLED, CTAP2_ERR_KEEPALIVE_CANCEL },
        };
        struct client *c = *state;

        client_get_assertion(c);
        client_set(c, 3, "[{'id': h'00', 'type': 'public-key'}]");
        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                fake_forget_trace(c->fake);
                c->fake->answer = cases[i].answer;
                assert_int_equal(client_send(c), cases[i].status);
                assert_string_equal(c->fake->trace, "begin wait end");
                assert_int_equal(c->fake->prompt.ask, CTAP_ASK_SELECT);
                assert_true(c->fake->prompt.passive);
                assert_string_equal(c->fake->rp_id, "example.com");
        }
}

static void GA9_a_silent_probe_is_told_at_once(void **state) {
        struct client *c = *state;

        client_get_assertion(c);
        client_set(c, 5, "{'up': false}");
        assert_int_equal(client_send(c), CTAP2_ERR_NO_CREDENTIALS);
        assert_string_equal(c->fake->trace, "newest");
        client_set(c, 3, "[{'id': h'00', 'type': 'public-key'}]");
        fake_forget_trace(c->fake);
        assert_int_equal(client_send(c), CTAP2_ERR_NO_CREDENTIALS);
        assert_string_equal(c->fake->trace, "");
}

/* ---- presence ---- */

static void GA10_the_question_names_site_and_account(void **state) {
        struct client *c = *state;
        struct made made[2];
        struct given given;

        client_register(c, true, "ann", &made[0]);
        use(c, &made[0], &given);
        assert_int_equal(c->fake->prompt.ask, CTAP_ASK_USE);
        assert_false(c->fake->prompt.passive);
        assert_string_equal(c->fake->rp_id, "example.com");
        assert_string_equal(c->fake->account, "ann");
        assert_int_equal(c->fake->prompt.n_accounts, 1);

        client_register(c, true, "bob", &made[1]);
        client_get_assertion(c);
        assert_int_equal(client_send(c), CTAP_OK);
        assert_string_equal(c->fake->account, "bob");
        assert_int_equal(c->fake->prompt.n_accounts, 2);
}

static void GA10_the_key_is_loaded_while_the_person_reads(void **state) {
        struct client *c = *state;
        struct made made;
        struct given given;

        client_register(c, false, "ann", &made);
        use(c, &made, &given);
        assert_string_equal(c->fake->trace, "find begin prepare_use load wait end use sign unload");
}

static void GA10_without_a_yes_nothing_is_counted(void **state) {
        static const struct {
                enum ctap_answer answer;
                uint8_t status;
        } cases[] = {
                { CTAP_ANSWER_NO, CTAP2_ERR_OPERATION_DENIED },
                { CTAP_ANSWER_TIMEOUT, CTAP2_ERR_OPERATION_DENIED },
                { CTAP_ANSWER_CANCELLED, CTAP2_ERR_KEEPALIVE_CANCEL },
        };
        struct client *c = *state;
        struct made made;

        client_register(c, true, "ann", &made);
        client_get_assertion(c);
        client_set_list(c, 3, &made, 1);
        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                fake_forget_trace(c->fake);
                c->fake->answer = cases[i].answer;
                assert_int_equal(client_send(c), cases[i].status);
                assert_string_equal(c->fake->trace, "find begin prepare_use load wait end unload");
        }
        assert_int_equal(c->fake->rows[0].count, 0);
}

static void GA10_up_false_asks_nobody_and_changes_nothing(void **state) {
        struct client *c = *state;
        struct made made;
        struct given given;

        client_register(c, true, "ann", &made);
        use(c, &made, &given);
        c->fake->answer = CTAP_ANSWER_NO;
        client_set(c, 5, "{'up': false}");
        for (unsigned i = 0; i < 2; i++) {
                fake_forget_trace(c->fake);
                assert_int_equal(client_send(c), CTAP_OK);
                assert_string_equal(c->fake->trace, "find load sign unload");
                client_read_given(c, &made, &given);
                assert_int_equal(given.flags, 0);
                assert_int_equal(given.count, 1); /* as it stands */
        }
        assert_int_equal(c->fake->rows[0].count, 1);
}

static void GA10_a_yes_uses_the_token_up_and_a_probe_does_not(void **state) {
        struct client *c = *state;
        struct made made;

        client_register(c, true, "ann", &made);
        client_get_assertion(c);
        client_verify(c);
        for (unsigned i = 0; i < 3; i++) { /* H24: as Firefox does before it asks in earnest */
                client_set(c, 5, "{'up': false}");
                assert_int_equal(client_send(c), CTAP_OK);
        }
        c->fake->answer = CTAP_ANSWER_NO;
        client_set(c, 5, "{'up': true}");
        assert_int_equal(client_send(c), CTAP2_ERR_OPERATION_DENIED);
        c->fake->answer = CTAP_ANSWER_YES;
        assert_int_equal(client_send(c), CTAP_OK);
        assert_int_equal(client_send(c), CTAP2_ERR_PIN_AUTH_INVALID);
        client_set(c, 5, "{'up': false}");
        assert_int_equal(client_send(c), CTAP2_ERR_PIN_AUTH_INVALID);
}

static void GA10_a_search_that_finds_nothing_leaves_the_token(void **state) {
        struct client *c = *state;
        struct made made;

        client_register(c, true, "ann", &made);
        client_get_assertion(c);
        client_set(c, 3, "[{'id': h'00', 'type': 'public-key'}]");
        client_verify(c);
        assert_int_equal(client_send(c), CTAP2_ERR_NO_CREDENTIALS);
        client_set_list(c, 3, &made, 1);
        assert_int_equal(client_send(c), CTAP_OK);
}

/* ---- what is given ---- */

static void GA11_the_number_of_credentials_is_in_the_first_reply_if_above_one(void **state) {
        struct client *c = *state;
        struct made made[2];
        struct given given;

        client_register(c, true, "ann", &made[0]);
        client_get_assertion(c);
        assert_int_equal(client_send(c), CTAP_OK);
        client_read_given(c, &made[0], &given);
        assert_int_equal(given.n_credentials, 0);

        client_register(c, true, "bob", &made[1]);
        client_get_assertion(c);
        assert_int_equal(client_send(c), CTAP_OK);
        client_read_given(c, &made[1], &given);
        assert_int_equal(given.n_credentials, 2);
}

static void GA12_the_user_is_an_id_and_only_of_discoverable_credentials(void **state) {
        struct client *c = *state;
        struct made made;
        struct given given;

        client_register(c, true, "ann", &made);
        use(c, &made, &given);
        assert_true(given.has_user);
        assert_int_equal(given.n_user_members, 1);
        assert_bytes_equal(given.user_id, BYTES_TEXT("ann"));

        client_register(c, true, "bob", &made);
        client_get_assertion(c); /* two accounts match, yet nobody is verified */
        assert_int_equal(client_send(c), CTAP_OK);
        client_read_given(c, &made, &given);
        assert_int_equal(given.n_user_members, 1);

        client_register(c, false, "cat", &made);
        use(c, &made, &given);
        assert_false(given.has_user);
}

static void GA12_a_verified_person_chooses_among_accounts_by_name(void **state) {
        struct client *c = *state;
        struct made made[2];
        struct given given;

        client_make_credential(c);
        client_set(c, 7, "{'rk': true}");
        assert_int_equal(client_send(c), CTAP_OK);
        client_read_made(c, &made[0]);
        client_get_assertion(c); /* one account is no choice */
        client_verify(c);
        assert_int_equal(client_send(c), CTAP_OK);
        client_read_given(c, &made[0], &given);
        assert_int_equal(given.n_user_members, 1);

        client_register(c, true, "bob", &made[1]);
        client_get_assertion(c);
        client_verify(c);
        assert_int_equal(client_send(c), CTAP_OK);
        client_read_given(c, &made[1], &given);
        assert_int_equal(given.n_user_members, 2); /* it was given no display name */
        assert_bytes_equal(given.user_name, BYTES_TEXT("bob"));
        assert_int_equal(next(c), CTAP_OK);
        client_read_given(c, &made[0], &given);
        assert_int_equal(given.n_user_members, 3);
        assert_bytes_equal(given.user_name, BYTES_TEXT("ann"));
        assert_bytes_equal(given.user_display_name, BYTES_TEXT("Ann Example"));

        client_set_list(c, 3, made, 2); /* nor is one that was named */
        client_verify(c);
        assert_int_equal(client_send(c), CTAP_OK);
        client_read_given(c, &made[0], &given);
        assert_int_equal(given.n_user_members, 1);
}

static void GA13_the_credential_is_always_named(void **state) {
        struct client *c = *state;
        struct made made;
        struct given given;

        client_register(c, false, "ann", &made);
        use(c, &made, &given); /* reads {id, type} and nothing else */
        assert_bytes_equal(given.id, made.id);
}

static void GA14_nothing_but_flags_and_counter(void **state) {
        struct client *c = *state;
        struct made made;
        struct given given;

        memset(c->client_data_hash, 0x77, sizeof(c->client_data_hash));
        client_register(c, false, "ann", &made);
        use(c, &made, &given); /* verifies */
        assert_int_equal(given.flags, 0x01);
        assert_int_equal(given.auth_data.len, 37);
        assert_memory_equal(given.auth_data.data, made.auth_data.data, 32);
}

static void GA15_the_counter_rises(void **state) {
        struct client *c = *state;
        struct made made;
        struct given given;

        client_register(c, true, "ann", &made);
        for (uint32_t i = 1; i <= 3; i++) {
                use(c, &made, &given);
                assert_int_equal(given.count, i);
        }
}

static void GA15_a_counter_at_its_end_gives_nothing(void **state) {
        struct client *c = *state;
        struct made made;

        client_register(c, true, "ann", &made);
        c->fake->rows[0].count = UINT32_MAX;
        client_get_assertion(c);
        assert_int_equal(client_send(c), CTAP1_ERR_OTHER);
        assert_int_equal(fake_calls(c->fake, "sign"), 0);
}

static void GA17_foreign_ids_cost_no_query_and_no_key_command(void **state) {
        char list[4096] = "[";
        struct client *c = *state;
        uint8_t foreign[48];

        for (uint8_t i = 0; i < 16; i++) {
                memset(foreign, i, sizeof(foreign));
                snprintf(list + strlen(list), sizeof(list) - strlen(list),
                         "%s{'id': h'%s', 'type': 'public-key'}", i > 0 ? ", " : "",
                         client_hex(c, BYTES_OF(foreign)));
        }
        strcat(list, "]");
        client_get_assertion(c);
        client_set(c, 3, "%s", list);
        client_set(c, 5, "{'up': false}");
        assert_int_equal(client_send(c), CTAP2_ERR_NO_CREDENTIALS);
        assert_string_equal(c->fake->trace, "");
}

/* ---- what fails ---- */

static void GA_every_failure_is_an_error_and_changes_nothing(void **state) {
        struct client *c = *state;
        struct made made;

        client_register(c, true, "ann", &made);
        client_get_assertion(c);
        /* newest twice, begin, prepare_use, load, wait, use, sign. */
        assert_int_equal(client_fail_everywhere(c), 8);
        client_set_list(c, 3, &made, 1);
        assert_int_equal(client_fail_everywhere(c), 7); /* find instead of two */
        client_set(c, 5, "{'up': false}");
        assert_int_equal(client_fail_everywhere(c), 3); /* find, load, sign */
}

/* 28 is about credentials that are to be kept. */
static void GA_a_full_disk_is_an_error_like_others(void **state) {
        static const char *const calls[] = { "newest", "prepare_use", "load", "use", "sign" };
        struct client *c = *state;
        struct made made;

        client_register(c, true, "ann", &made);
        client_get_assertion(c);
        for (size_t i = 0; i < ELEMENTSOF(calls); i++) {
                fake_fail(c->fake, calls[i], 1, -ENOSPC);
                assert_int_equal(client_send(c), CTAP1_ERR_OTHER);
                assert_false(fake_mend(c->fake));
        }
}

static void GA_a_question_that_cannot_be_shown_is_an_error(void **state) {
        struct client *c = *state;

        client_get_assertion(c);
        for (unsigned i = 0; i < 2; i++) {
                fake_fail(c->fake, i == 0 ? "begin" : "wait", 1, -EIO);
                assert_int_equal(client_send(c), CTAP1_ERR_OTHER);
        }
}

static void GA_a_damaged_record_is_an_error(void **state) {
        struct client *c = *state;
        struct made made;

        client_register(c, true, "ann", &made);
        client_get_assertion(c);
        c->fake->rows[0].sealed[20] ^= 1;
        assert_int_equal(client_send(c), CTAP1_ERR_OTHER);
        c->fake->rows[0].sealed[20] ^= 1;
        c->fake->rows[0].sealed_len = 0;
        assert_int_equal(client_send(c), CTAP1_ERR_OTHER);
        assert_int_equal(fake_calls(c->fake, "begin"), 0);
}

static void GA_a_damaged_row_is_an_error(void **state) {
        struct client *c = *state;
        struct made made;

        client_register(c, true, "ann", &made);
        client_get_assertion(c);
        c->fake->rows[0].alg = -8;
        assert_int_equal(client_send(c), CTAP1_ERR_OTHER);
        c->fake->rows[0].alg = -7;
        c->fake->rows[0].key.data[0] = 0; /* not a key of this device */
        assert_int_equal(client_send(c), CTAP1_ERR_OTHER);
        assert_int_equal(c->fake->rows[0].count, 0);
}

/* ---- getNextAssertion ---- */

/* Three accounts and the first assertion, that of the newest. */
static void begin_walk(struct client *c, struct made made[static 3]) {
        struct given given;

        register_three(c, true, made);
        client_get_assertion(c);
        assert_int_equal(client_send(c), CTAP_OK);
        client_read_given(c, &made[2], &given);
        assert_int_equal(given.n_credentials, 3);
}

static void GN1_only_after_a_first_one_with_more_to_come(void **state) {
        struct client *c = *state;
        struct made made;
        struct given given;

        assert_int_equal(next(c), CTAP2_ERR_NOT_ALLOWED);
        client_register(c, true, "ann", &made);
        client_get_assertion(c);
        assert_int_equal(client_send(c), CTAP_OK);
        client_read_given(c, &made, &given);
        assert_int_equal(next(c), CTAP2_ERR_NOT_ALLOWED);
        assert_string_equal(c->fake->trace, "");
}

static void GN1_another_channel_is_refused_and_disturbs_nothing(void **state) {
        struct client *c = *state;
        struct made made[3];
        struct given given;

        begin_walk(c, made);
        c->channel++;
        assert_int_equal(next(c), CTAP2_ERR_NOT_ALLOWED);
        c->channel--;
        assert_int_equal(next(c), CTAP_OK);
        client_read_given(c, &made[1], &given);
}

static void GN2_thirty_seconds_after_the_last_one(void **state) {
        struct client *c = *state;
        struct made made[3];
        struct given given;

        c->fake->thinking_ms = 60000; /* time to decide does not count */
        begin_walk(c, made);
        c->fake->now_ms += 29999;
        assert_int_equal(next(c), CTAP_OK);
        client_read_given(c, &made[1], &given);
        c->fake->now_ms += 29999;
        assert_int_equal(next(c), CTAP_OK);
        client_read_given(c, &made[0], &given);

        begin_walk(c, made);
        c->fake->now_ms += 30000;
        assert_int_equal(next(c), CTAP2_ERR_NOT_ALLOWED);
        c->fake->now_ms -= 30000; /* over is over */
        assert_int_equal(next(c), CTAP2_ERR_NOT_ALLOWED);
}

static void GN3_no_more_than_were_announced(void **state) {
        struct client *c = *state;
        struct made made[3];
        struct given given;

        begin_walk(c, made);
        for (unsigned i = 2; i > 0; i--) {
                assert_int_equal(next(c), CTAP_OK);
                client_read_given(c, &made[i - 1], &given);
        }
        assert_int_equal(next(c), CTAP2_ERR_NOT_ALLOWED);
        assert_string_equal(c->fake->trace, "");
}

static void GN3_one_that_was_deleted_meanwhile_is_not_given(void **state) {
        struct client *c = *state;
        struct made made[3];
        struct given given;

        begin_walk(c, made);
        fake_delete(c->fake, &c->fake->rows[1].id);
        assert_int_equal(next(c), CTAP_OK);
        client_read_given(c, &made[0], &given);
        assert_int_equal(next(c), CTAP2_ERR_NOT_ALLOWED);
}

static void GN3_one_that_was_damaged_meanwhile_is_not_given(void **state) {
        struct client *c = *state;
        struct made made[3];
        struct given given;

        begin_walk(c, made);
        c->fake->rows[1].sealed[20] ^= 1;
        assert_int_equal(next(c), CTAP_OK);
        client_read_given(c, &made[0], &given);
        assert_int_equal(next(c), CTAP2_ERR_NOT_ALLOWED);

        begin_walk(c, made);
        c->fake->rows[0].sealed[20] ^= 1;
        c->fake->rows[1].sealed[20] ^= 1;
        assert_int_equal(next(c), CTAP2_ERR_NOT_ALLOWED);
}

static void GN4_any_other_command_ends_it(void **state) {
        static const uint8_t others[] = { 0x04, 0x06, 0x0b, 0x01, 0x02, 0x07, 0x09, 0xbf };
        struct client *c = *state;
        struct made made[3];

        for (size_t i = 0; i < ELEMENTSOF(others); i++) {
                begin_walk(c, made);
                c->fake->answer = CTAP_ANSWER_NO;
                c->channel++;
                client_call(c, others[i], BYTES_NULL);
                c->channel--;
                c->fake->answer = CTAP_ANSWER_YES;
                assert_int_equal(next(c), CTAP2_ERR_NOT_ALLOWED);
        }
}

static void GN4_so_does_one_that_is_too_long(void **state) {
        static const uint8_t message[CLIENT_MESSAGE + 1] = { NEXT };
        struct client *c = *state;
        struct made made[3];

        begin_walk(c, made);
        assert_int_equal(client_message(c, BYTES_OF(message)), CTAP2_ERR_REQUEST_TOO_LARGE);
        assert_int_equal(next(c), CTAP2_ERR_NOT_ALLOWED);
}

static void GN4_a_u2f_message_ends_it(void **state) {
        static const uint8_t version[] = { 0, 3, 0, 0, 0, 0, 0 };
        uint8_t storage[CTAP_REPLY_MAX];
        struct buf reply = BUF_ON(storage);
        struct client *c = *state;
        struct made made[3];

        begin_walk(c, made);
        ctap_u2f(c->ctap, c->channel, BYTES_OF(version), &reply);
        assert_int_equal(next(c), CTAP2_ERR_NOT_ALLOWED);
}

static void GN4_plugging_in_anew_ends_it(void **state) {
        struct client *c = *state;
        struct made made[3];

        begin_walk(c, made);
        ctap_power_up(c->ctap);
        assert_int_equal(next(c), CTAP2_ERR_NOT_ALLOWED);
}

/* Three accounts, one of them behind the PIN, and the first assertion of a verified person. */
static void begin_verified_walk(struct client *c, struct made made[static 3]) {
        struct given given;

        client_register(c, true, "ann", &made[0]);
        client_register(c, true, "bob", &made[1]);
        put_behind_pin(c, 3);
        client_register(c, true, "cat", &made[2]);
        client_get_assertion(c);
        client_verify(c);
        client_set(c, 4, "{'hmac-secret': %s}", client_hmac_input(c, BYTES_OF(salt)));
        assert_int_equal(client_send(c), CTAP_OK);
        client_read_given(c, &made[2], &given);
        assert_int_equal(given.n_credentials, 3);
}

static void GN4_the_end_of_the_token_ends_it(void **state) {
        struct client *c = *state;
        struct made made[3];
        struct given given;

        c->fake->thinking_ms = 580000;
        begin_verified_walk(c, made);
        c->fake->now_ms += 19999;
        assert_int_equal(next(c), CTAP_OK);
        client_read_given(c, &made[1], &given);
        c->fake->now_ms += 1; /* far from the thirty seconds of a walk */
        assert_int_equal(next(c), CTAP2_ERR_NOT_ALLOWED);
        assert_string_equal(c->fake->trace, "");
}

static void GN4_a_restart_of_the_key_device_ends_it(void **state) {
        struct client *c = *state;
        struct made made[3];

        begin_verified_walk(c, made);
        c->fake->epoch++;
        assert_int_equal(next(c), CTAP2_ERR_PIN_AUTH_INVALID);
        assert_int_equal(fake_calls(c->fake, "load"), 0);
        assert_int_equal(next(c), CTAP2_ERR_NOT_ALLOWED);
}

static void GN4_a_ticket_that_is_refused_ends_it(void **state) {
        static const char *const calls[] = { "secret_hmac", "load", "sign" };
        struct client *c = *state;
        struct made made[3];

        for (size_t i = 0; i < ELEMENTSOF(calls); i++) {
                begin_verified_walk(c, made);
                fake_fail(c->fake, calls[i], 1, -EKEYEXPIRED);
                assert_int_equal(next(c), CTAP2_ERR_PIN_AUTH_INVALID);
                assert_false(fake_mend(c->fake));
                assert_int_equal(next(c), CTAP2_ERR_NOT_ALLOWED);
        }
}

static void GN4_nothing_of_it_stays_in_memory(void **state) {
        struct client *c = *state;
        struct made made[3];
        struct ctap_walk nothing;

        begin_verified_walk(c, made);
        assert_int_equal(client_call(c, 0x04, BYTES_NULL), CTAP_OK);
        memset(&nothing, 0, sizeof(nothing));
        assert_memory_equal(&c->ctap->walk, &nothing, sizeof(nothing));
}

static void GN5_same_flags_and_hash_and_its_own_counter(void **state) {
        struct client *c = *state;
        struct made made[3];
        struct given given;

        begin_walk(c, made);
        assert_int_equal(next(c), CTAP_OK);
        client_read_given(c, &made[1], &given); /* verifies with the first one's hash */
        assert_int_equal(given.flags, 0x01);
        assert_int_equal(given.count, 1);
        assert_int_equal(c->fake->rows[1].count, 1);
        assert_int_equal(c->fake->rows[0].count, 0);
        assert_bytes_equal(given.user_id, BYTES_TEXT("bob"));
        assert_int_equal(given.n_user_members, 1);
}

static void GN5_a_silent_walk_stays_silent(void **state) {
        struct client *c = *state;
        struct made made[2];
        struct given given;

        client_register(c, true, "ann", &made[0]);
        client_register(c, true, "bob", &made[1]);
        client_get_assertion(c);
        client_set(c, 5, "{'up': false}");
        assert_int_equal(client_send(c), CTAP_OK);
        client_read_given(c, &made[1], &given);
        assert_int_equal(next(c), CTAP_OK);
        assert_string_equal(c->fake->trace, "newest load sign unload");
        client_read_given(c, &made[0], &given);
        assert_int_equal(given.flags, 0);
        assert_int_equal(c->fake->rows[0].count, 0);
}

static void GN5_a_verified_person_stays_so_and_hmacs_are_of_each_credential(void **state) {
        uint8_t storage[3][32];
        struct buf by_itself = BUF_ON(storage[0]);
        struct client *c = *state;
        struct made made[3];
        struct given given;

        begin_verified_walk(c, made);
        for (unsigned i = 2; i > 0; i--) {
                struct buf output = BUF_ON(storage[i]);

                assert_int_equal(next(c), CTAP_OK);
                client_read_given(c, &made[i - 1], &given);
                assert_int_equal(given.flags, 0x85);
                client_hmac_output(c, given.extensions, "hmac-secret", &output);
                assert_int_equal(output.len, 32);
        }
        assert_memory_not_equal(storage[1], storage[2], 32);

        /* The same as by its own request. */
        client_get_assertion(c);
        client_set_list(c, 3, &made[0], 1);
        client_verify(c);
        client_set(c, 4, "{'hmac-secret': %s}", client_hmac_input(c, BYTES_OF(salt)));
        assert_int_equal(client_send(c), CTAP_OK);
        client_read_given(c, &made[0], &given);
        client_hmac_output(c, given.extensions, "hmac-secret", &by_itself);
        assert_memory_equal(storage[1], storage[0], 32);
}

static void assert_outputs_of(const struct given *given, const struct made *made, unsigned nth,
                              bool has_all) {
        const uint8_t blob[] = { 0, 0, 0, (uint8_t)nth };
        struct bytes outputs = given->extensions;
        const struct cbor_value map = cbor_next(&outputs);

        assert_int_equal(map.n, 2);
        assert_bytes_equal(cbor_find_text(&map, "credBlob").string,
                           has_all ? BYTES_OF(blob) : BYTES_NULL);
        assert_int_equal(cbor_find_text(&map, "thirdPartyPayment").boolean, has_all);
        assert_int_equal(given->large_blob_key.len, has_all ? 32 : 0);
        assert_bytes_equal(given->large_blob_key, made->large_blob_key);
}

/* Each second one has all that a credential can have; its blob is not that of another one. */
static void GN5_outputs_and_large_blob_keys_are_of_each_credential(void **state) {
        struct client *c = *state;
        struct made made[4];
        struct given given;

        for (uint8_t i = 0; i < 4; i++) {
                client_make_credential(c);
                client_set(c, 3, "{'id': h'0%u'}", i);
                client_set(c, 7, "{'rk': true}");
                if (i % 2)
                        client_set(c, 6,
                                   "{'credBlob': h'000000%02x', 'largeBlobKey': true,"
                                   " 'thirdPartyPayment': true}",
                                   i);
                assert_int_equal(client_send(c), CTAP_OK);
                client_read_made(c, &made[i]);
        }
        client_get_assertion(c);
        client_set(c, 4, "{'credBlob': true, 'largeBlobKey': true, 'thirdPartyPayment': true}");
        assert_int_equal(client_send(c), CTAP_OK);
        for (unsigned i = 4; i-- > 0;) {
                client_read_given(c, &made[i], &given);
                assert_int_equal(given.flags, 0x81);
                assert_outputs_of(&given, &made[i], i, i % 2);
                assert_int_equal(next(c), i > 0 ? CTAP_OK : CTAP2_ERR_NOT_ALLOWED);
        }
}

/* There was another one that needed no PIN, hence no 36 at first. */
static void GN5_a_key_behind_the_pin_ends_a_walk_without_the_pin(void **state) {
        struct client *c = *state;
        struct made made[2];
        struct given given;

        client_register(c, true, "ann", &made[0]);
        put_behind_pin(c, 1);
        client_register(c, true, "bob", &made[1]);
        client_get_assertion(c);
        assert_int_equal(client_send(c), CTAP_OK);
        assert_int_equal(next(c), CTAP2_ERR_PUAT_REQUIRED);
        assert_int_equal(next(c), CTAP2_ERR_NOT_ALLOWED);

        client_set(c, 5, "{'up': false}");
        assert_int_equal(client_send(c), CTAP_OK);
        assert_int_equal(next(c), CTAP_OK);
        client_read_probe(c, &made[0], &given);
        assert_int_equal(given.flags, 0);
}

static void GN6_asks_nobody(void **state) {
        struct client *c = *state;
        struct made made[3];

        begin_walk(c, made);
        c->fake->answer = CTAP_ANSWER_NO;
        assert_int_equal(next(c), CTAP_OK);
        assert_string_equal(c->fake->trace, "newest prepare_use load use sign unload");
}

static void GN7_the_number_is_not_repeated(void **state) {
        struct client *c = *state;
        struct made made[3];
        struct given given;

        begin_walk(c, made);
        assert_int_equal(next(c), CTAP_OK);
        client_read_given(c, &made[1], &given);
        assert_int_equal(given.n_credentials, 0);
}

static void GN_every_failure_is_an_error_and_the_walk_goes_on(void **state) {
        static const char *const calls[] = { "newest", "prepare_use", "load", "use", "sign" };
        struct client *c = *state;
        struct made made[3];
        struct given given;

        begin_walk(c, made);
        for (size_t i = 0; i < ELEMENTSOF(calls); i++) {
                fake_fail(c->fake, calls[i], 1, -EIO);
                assert_int_equal(next(c), CTAP1_ERR_OTHER);
                assert_false(fake_mend(c->fake));
        }
        assert_int_equal(next(c), CTAP_OK);
        client_read_given(c, &made[1], &given);
}

static void GN_every_failure_of_a_verified_walk_too(void **state) {
        static const char *const calls[] = {
                "ticket_check", "newest", "prepare_use", "secret_create", "set_cred_random",
                "secret_hmac",  "fill",   "load",        "use",           "sign"
        };
        struct client *c = *state;
        struct made made[3];
        struct given given;

        begin_verified_walk(c, made);
        for (size_t i = 0; i < ELEMENTSOF(calls); i++) {
                fake_fail(c->fake, calls[i], 1, -EIO);
                assert_int_equal(next(c), CTAP1_ERR_OTHER);
                assert_false(fake_mend(c->fake));
        }
        assert_int_equal(next(c), CTAP_OK);
        client_read_given(c, &made[1], &given);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                client_unit_test(B9_members_of_the_wrong_type),
                client_unit_test(B11_mandatory_members_missing),
                client_unit_test(B12_unknown_members_options_and_extensions_are_ignored),
                client_unit_test(B17_descriptors_of_the_wrong_shape),
                client_unit_test(B17_the_whole_list_is_checked_even_behind_a_match),
                client_unit_test(B20_rp_ids_and_hashes_of_the_wrong_length),
                client_unit_test(GA1_empty_auth_param_asks_and_says_there_is_no_pin),
                client_unit_test(GA1_empty_auth_param_with_a_pin_says_that_there_is_one),
                client_unit_test(GA2_the_protocol_of_an_auth_param),
                client_unit_test(GA3_options),
                client_unit_test(GA3_an_auth_param_makes_uv_false),
                always_uv_unit_test(GA4_under_always_uv_nothing_is_signed_without_the_pin),
                always_uv_unit_test(GA4_under_always_uv_a_silent_probe_is_answered),
                client_unit_test(GA4_a_key_behind_the_pin_signs_for_nobody_else),
                always_uv_unit_test(GA4_a_probe_of_any_kind_of_key_behind_the_pin),
                client_unit_test(GA5_either_protocol_verifies),
                client_unit_test(GA5_a_token_that_does_not_count),
                client_unit_test(F6_the_uv_flag_is_for_the_command_that_the_token_came_with),
                client_unit_test(GA5_without_a_token_a_pin_changes_nothing),
                client_unit_test(GA5_a_token_of_no_site_becomes_that_of_the_first),
                client_unit_test(GA7_a_listed_credential_of_any_kind),
                client_unit_test(GA7_what_does_not_match),
                client_unit_test(GA7_what_does_not_match_is_passed_over),
                client_unit_test(GA7_a_key_that_signs_goes_before_one_behind_the_pin),
                client_unit_test(GA7_what_is_damaged_is_passed_over),
                client_unit_test(GA7_level_3_hides_itself_from_a_list),
                client_unit_test(GA7_a_verified_person_sees_level_3),
                client_unit_test(U9_a_u2f_registration_signs_for_ctap2),
                client_unit_test(GA8_without_a_list_the_newest_discoverable_one),
                client_unit_test(GA8_levels_2_and_3_hide_themselves),
                client_unit_test(GA8_a_verified_person_sees_all_levels),
                client_unit_test(GA8_what_is_damaged_is_left_out_and_not_counted),
                client_unit_test(GA9_nothing_matches_is_said_after_a_passive_question),
                client_unit_test(GA9_a_silent_probe_is_told_at_once),
                client_unit_test(GA10_the_question_names_site_and_account),
                client_unit_test(GA10_the_key_is_loaded_while_the_person_reads),
                client_unit_test(GA10_without_a_yes_nothing_is_counted),
                client_unit_test(GA10_up_false_asks_nobody_and_changes_nothing),
                client_unit_test(GA10_a_yes_uses_the_token_up_and_a_probe_does_not),
                client_unit_test(GA10_a_search_that_finds_nothing_leaves_the_token),
                client_unit_test(GA11_the_number_of_credentials_is_in_the_first_reply_if_above_one),
                client_unit_test(GA12_the_user_is_an_id_and_only_of_discoverable_credentials),
                client_unit_test(GA12_a_verified_person_chooses_among_accounts_by_name),
                client_unit_test(GA13_the_credential_is_always_named),
                client_unit_test(GA14_nothing_but_flags_and_counter),
                client_unit_test(GA15_the_counter_rises),
                client_unit_test(GA15_a_counter_at_its_end_gives_nothing),
                client_unit_test(GA17_foreign_ids_cost_no_query_and_no_key_command),
                client_unit_test(GA_every_failure_is_an_error_and_changes_nothing),
                client_unit_test(GA_a_full_disk_is_an_error_like_others),
                client_unit_test(GA_a_question_that_cannot_be_shown_is_an_error),
                client_unit_test(GA_a_damaged_record_is_an_error),
                client_unit_test(GA_a_damaged_row_is_an_error),
                client_unit_test(GN1_only_after_a_first_one_with_more_to_come),
                client_unit_test(GN1_another_channel_is_refused_and_disturbs_nothing),
                client_unit_test(GN2_thirty_seconds_after_the_last_one),
                client_unit_test(GN3_no_more_than_were_announced),
                client_unit_test(GN3_one_that_was_deleted_meanwhile_is_not_given),
                client_unit_test(GN3_one_that_was_damaged_meanwhile_is_not_given),
                client_unit_test(GN4_any_other_command_ends_it),
                client_unit_test(GN4_so_does_one_that_is_too_long),
                client_unit_test(GN4_a_u2f_message_ends_it),
                client_unit_test(GN4_plugging_in_anew_ends_it),
                client_unit_test(GN4_the_end_of_the_token_ends_it),
                client_unit_test(GN4_a_restart_of_the_key_device_ends_it),
                client_unit_test(GN4_a_ticket_that_is_refused_ends_it),
                client_unit_test(GN4_nothing_of_it_stays_in_memory),
                client_unit_test(GN5_same_flags_and_hash_and_its_own_counter),
                client_unit_test(GN5_a_silent_walk_stays_silent),
                client_unit_test(GN5_a_verified_person_stays_so_and_hmacs_are_of_each_credential),
                client_unit_test(GN5_outputs_and_large_blob_keys_are_of_each_credential),
                client_unit_test(GN5_a_key_behind_the_pin_ends_a_walk_without_the_pin),
                client_unit_test(GN6_asks_nobody),
                client_unit_test(GN7_the_number_is_not_repeated),
                client_unit_test(GN_every_failure_is_an_error_and_the_walk_goes_on),
                client_unit_test(GN_every_failure_of_a_verified_walk_too),
        };

        return cmocka_run_group_tests_name("get-assertion", tests, NULL, NULL);
}
