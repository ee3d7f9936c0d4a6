/* SPDX-License-Identifier: BSD-2-Clause */

/* ctap/make-credential.c: ctap.md C.1, the request errors of B.2, and what clients really send. */

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "ctap/command.h"
#include "tests/fake/client.h"
#include "tests/unit/test.h"

#define NOTHING_DONE "begin wait end"

/* Sends a good request with one member changed (NULL: left out). */
static uint8_t send_with(struct client *c, unsigned key, const char *notation) {
        client_make_credential(c);
        if (notation)
                client_set(c, key, "%s", notation);
        else
                client_unset(c, key);
        fake_forget_trace(c->fake);
        return client_send(c);
}

struct wrong {
        unsigned key;
        const char *notation;
        uint8_t status;
};

/* Each is refused before anybody is asked or anything is done. */
static void assert_refused(struct client *c, const struct wrong *cases, size_t n) {
        for (size_t i = 0; i < n; i++) {
                uint8_t status = send_with(c, cases[i].key, cases[i].notation);

                if (status != cases[i].status)
                        fail_msg("%02x: %s: status %02x, not %02x", cases[i].key,
                                 cases[i].notation ? cases[i].notation : "absent", status,
                                 cases[i].status);
                assert_string_equal(c->fake->trace, "");
        }
        assert_int_equal(c->fake->n_rows, 0);
}

/* ---- the request ---- */

static void B9_members_of_the_wrong_type(void **state) {
        static const struct wrong cases[] = {
                { 0x01, "'text'", CTAP2_ERR_CBOR_UNEXPECTED_TYPE },
                { 0x02, "'text'", CTAP2_ERR_CBOR_UNEXPECTED_TYPE },
                { 0x02, "{'id': h'61'}", CTAP2_ERR_CBOR_UNEXPECTED_TYPE },
                { 0x02, "{'id': 'a', 'name': 1}", CTAP2_ERR_CBOR_UNEXPECTED_TYPE },
                { 0x02, "{'id': 'a', 'icon': 1}", CTAP2_ERR_CBOR_UNEXPECTED_TYPE },
                { 0x03, "[]", CTAP2_ERR_CBOR_UNEXPECTED_TYPE },
                { 0x03, "{'id': 'a'}", CTAP2_ERR_CBOR_UNEXPECTED_TYPE },
                { 0x03, "{'id': h'01', 'name': 1}", CTAP2_ERR_CBOR_UNEXPECTED_TYPE },
                { 0x03, "{'id': h'01', 'icon': h'00'}", CTAP2_ERR_CBOR_UNEXPECTED_TYPE },
                { 0x03, "{'id': h'01', 'displayName': null}", CTAP2_ERR_CBOR_UNEXPECTED_TYPE },
                { 0x04, "{}", CTAP2_ERR_CBOR_UNEXPECTED_TYPE },
                { 0x05, "{}", CTAP2_ERR_CBOR_UNEXPECTED_TYPE },
                { 0x06, "[]", CTAP2_ERR_CBOR_UNEXPECTED_TYPE },
                { 0x07, "[]", CTAP2_ERR_CBOR_UNEXPECTED_TYPE },
                { 0x08, "'text'", CTAP2_ERR_CBOR_UNEXPECTED_TYPE },
                { 0x09, "'text'", CTAP2_ERR_CBOR_UNEXPECTED_TYPE },
                { 0x0a, "true", CTAP2_ERR_CBOR_UNEXPECTED_TYPE },
                { 0x0b, "'packed'", CTAP2_ERR_CBOR_UNEXPECTED_TYPE },
        };

        assert_refused(*state, cases, ELEMENTSOF(cases));
}

static void B11_mandatory_members_missing(void **state) {
        static const struct wrong cases[] = {
                { 0x01, NULL, CTAP2_ERR_MISSING_PARAMETER },
                { 0x02, NULL, CTAP2_ERR_MISSING_PARAMETER },
                { 0x03, NULL, CTAP2_ERR_MISSING_PARAMETER },
                { 0x04, NULL, CTAP2_ERR_MISSING_PARAMETER },
                { 0x02, "{'name': 'x'}", CTAP2_ERR_MISSING_PARAMETER },
                { 0x03, "{'name': 'ann'}", CTAP2_ERR_MISSING_PARAMETER },
        };

        assert_refused(*state, cases, ELEMENTSOF(cases));
}

static void B12_unknown_members_options_and_extensions_are_ignored(void **state) {
        static const struct wrong cases[] = {
                { 0x0c, "'what'", CTAP_OK },
                { 0x0f, "[[]]", CTAP_OK },
                { 0x06, "{'x-unknown': {'a': 1}}", CTAP_OK },
                { 0x06, "{}", CTAP_OK },
                { 0x07, "{'x': true, 'yy': 7, 'plat': 'laptop'}", CTAP_OK },
                { 0x02, "{'id': 'a', 'xx': 1}", CTAP_OK },
                { 0x03, "{'id': h'01', 'xx': 1}", CTAP_OK },
        };
        struct client *c = *state;
        struct made made;

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                assert_int_equal(send_with(c, cases[i].key, cases[i].notation), CTAP_OK);
                client_read_made(c, &made);
        }
}

static void D_unasked_or_unknown_extensions_have_no_output(void **state) {
        struct client *c = *state;
        struct made made;

        assert_int_equal(
                send_with(c, 6,
                          "{'credBlobs': h'00', 'hmac-secret': false, 'minPinLength': false,"
                          " 'thirdPartyPayment': false, 'pinComplexityPolicy': false}"),
                CTAP_OK);
        client_read_made(c, &made);
        assert_int_equal(made.flags & 0x80, 0);
}

static void MC15_without_extensions_there_are_no_outputs(void **state) {
        struct client *c = *state;
        struct made made;

        client_make_credential(c);
        assert_int_equal(client_send(c), CTAP_OK);
        client_read_made(c, &made);
        assert_int_equal(made.flags, 0x41);
}

static void B17_descriptors_of_the_wrong_shape(void **state) {
        static const struct wrong cases[] = {
                { 0x05, "[7]", CTAP2_ERR_CBOR_UNEXPECTED_TYPE },
                { 0x05, "[{'id': 'a', 'type': 'public-key'}]", CTAP2_ERR_CBOR_UNEXPECTED_TYPE },
                { 0x05, "[{'id': h'00', 'type': h'00'}]", CTAP2_ERR_CBOR_UNEXPECTED_TYPE },
                { 0x05, "[{'id': h'00', 'type': 'public-key', 'transports': {}}]",
                  CTAP2_ERR_CBOR_UNEXPECTED_TYPE },
                { 0x05, "[{'id': h'00', 'type': 'public-key', 'transports': [h'75']}]",
                  CTAP2_ERR_CBOR_UNEXPECTED_TYPE },
                { 0x05, "[{'type': 'public-key'}]", CTAP2_ERR_MISSING_PARAMETER },
                { 0x05, "[{'id': h'00'}]", CTAP2_ERR_MISSING_PARAMETER },
                { 0x05, "[{'id': h'00', 'type': 'x'}, null]", CTAP2_ERR_CBOR_UNEXPECTED_TYPE },
        };

        assert_refused(*state, cases, ELEMENTSOF(cases));
}

static void B18_every_algorithm_is_checked_after_a_match_too(void **state) {
#define GOOD "{'alg': -7, 'type': 'public-key'}"
        static const struct wrong cases[] = {
                { 0x04, "[" GOOD ", 7]", CTAP2_ERR_CBOR_UNEXPECTED_TYPE },
                { 0x04, "[" GOOD ", {'alg': 'x', 'type': 'y'}]", CTAP2_ERR_CBOR_UNEXPECTED_TYPE },
                { 0x04, "[" GOOD ", {'alg': -7, 'type': 1}]", CTAP2_ERR_CBOR_UNEXPECTED_TYPE },
                { 0x04, "[" GOOD ", {'alg': -7}]", CTAP2_ERR_MISSING_PARAMETER },
                { 0x04, "[" GOOD ", {'type': 'public-key'}]", CTAP2_ERR_MISSING_PARAMETER },
                { 0x04, "[{}]", CTAP2_ERR_MISSING_PARAMETER },
        };
#undef GOOD

        assert_refused(*state, cases, ELEMENTSOF(cases));
}

static void B18_the_list_of_algorithms_has_no_limit(void **state) {
        char list[2048] = "[{'alg': -8, 'type': 'public-key'}";
        struct client *c = *state;
        struct made made;

        for (unsigned i = 0; i < 30; i++)
                strcat(list, ", {'alg': -50, 'type': 'public-key'}");
        strcat(list, ", {'alg': -7, 'type': 'public-key'}]");
        assert_int_equal(send_with(c, 4, list), CTAP_OK);
        client_read_made(c, &made);
        assert_int_equal(made.alg, -7);
}

static void B19_names_and_icons_are_taken_and_long_ones_are_cut(void **state) {
        char user[1024], name[300];
        struct client *c = *state;
        struct made made;

        memset(name, 'n', sizeof(name) - 1);
        name[sizeof(name) - 1] = '\0';
        client_make_credential(c);
        client_set(c, 2, "{'id': 'example.com', 'icon': 'x', 'name': '%s'}", name);
        snprintf(user, sizeof(user),
                 "{'id': h'01', 'icon': '%.100s', 'name': '%s', 'displayName': '%s'}", name, name,
                 name);
        client_set(c, 3, "%s", user);
        assert_int_equal(client_send(c), CTAP_OK);
        client_read_made(c, &made);
        /* The person reads what the client sent; presence decides how much of it. */
        assert_int_equal(c->fake->prompt.account.len, sizeof(name) - 1);
}

static void B20_user_ids_have_1_to_64_bytes(void **state) {
        static const struct {
                size_t len;
                uint8_t status;
        } cases[] = {
                { 0, CTAP1_ERR_INVALID_PARAMETER },
                { 1, CTAP_OK },
                { 64, CTAP_OK },
                { 65, CTAP1_ERR_INVALID_PARAMETER },
        };
        const uint8_t id[65] = { 0 };
        struct client *c = *state;

        for (size_t i = 0; i < ELEMENTSOF(cases); i++)
                for (unsigned rk = 0; rk < 2; rk++) {
                        client_make_credential(c);
                        client_set(c, 3, "{'id': h'%s'}", client_hex(c, BYTES(id, cases[i].len)));
                        client_set(c, 7, "{'rk': %s}", rk ? "true" : "false");
                        assert_int_equal(client_send(c), cases[i].status);
                }
}

static void B20_rp_ids_have_1_to_255_bytes(void **state) {
        char id[257];
        struct client *c = *state;

        memset(id, 'a', sizeof(id));
        id[256] = '\0';
        client_make_credential(c);
        client_set(c, 2, "{'id': '%s'}", id);
        assert_int_equal(client_send(c), CTAP1_ERR_INVALID_PARAMETER);
        client_set(c, 2, "{'id': '%s'}", id + 1);
        assert_int_equal(client_send(c), CTAP_OK);
        client_set(c, 2, "{'id': ''}");
        assert_int_equal(client_send(c), CTAP1_ERR_INVALID_PARAMETER);
}

static void B21_text_that_is_not_utf8(void **state) {
        static const struct wrong cases[] = {
                { 0x02, "{'id': '\xff'}", CTAP2_ERR_INVALID_CBOR },
                { 0x03, "{'id': h'01', 'name': '\xc3'}", CTAP2_ERR_INVALID_CBOR },
        };

        assert_refused(*state, cases, ELEMENTSOF(cases));
}

static void MC24_a_client_data_hash_has_32_bytes(void **state) {
        const uint8_t hash[33] = { 0 };
        const size_t lengths[] = { 0, 31, 33 };
        struct client *c = *state;

        client_make_credential(c);
        for (size_t i = 0; i < ELEMENTSOF(lengths); i++) {
                client_set(c, 1, "h'%s'", client_hex(c, BYTES(hash, lengths[i])));
                assert_int_equal(client_send(c), CTAP1_ERR_INVALID_PARAMETER); /* 02, not 03 */
        }
        assert_string_equal(c->fake->trace, "");
}

/* ---- pinUvAuthParam, algorithms, options ---- */

static void MC1_empty_auth_param_asks_a_neutral_question_and_says_there_is_no_pin(void **state) {
        static const struct wrong beside[] = {
                { 0x09, NULL, 0 },
                { 0x09, "1", 0 },
                { 0x09, "2", 0 },
                { 0x09, "77", 0 },
                { 0x04, "[{'alg': -1, 'type': 'public-key'}]", 0 },
                { 0x07, "{'up': false, 'uv': true}", 0 },
                { 0x07, "{'rk': true}", 0 },
                { 0x0a, "1", 0 },
        };
        struct client *c = *state;

        for (size_t i = 0; i < ELEMENTSOF(beside); i++) {
                client_make_credential(c);
                client_set(c, 8, "h''");
                if (beside[i].notation)
                        client_set(c, beside[i].key, "%s", beside[i].notation);
                fake_forget_trace(c->fake);
                assert_int_equal(client_send(c), CTAP2_ERR_PIN_NOT_SET);
                assert_string_equal(c->fake->trace, NOTHING_DONE);
                assert_int_equal(c->fake->prompt.ask, CTAP_ASK_SELECT);
                assert_true(c->fake->prompt.passive);
                assert_string_equal(c->fake->rp_id, "example.com");
        }
        assert_int_equal(c->fake->n_rows, 0);
}

static void MC1_empty_auth_param_without_a_yes(void **state) {
        struct client *c = *state;

        client_make_credential(c);
        client_set(c, 8, "h''");
        c->fake->answer = CTAP_ANSWER_NO;
        assert_int_equal(client_send(c), CTAP2_ERR_OPERATION_DENIED);
        c->fake->answer = CTAP_ANSWER_TIMEOUT;
        assert_int_equal(client_send(c), CTAP2_ERR_OPERATION_DENIED);
        c->fake->answer = CTAP_ANSWER_CANCELLED;
        assert_int_equal(client_send(c), CTAP2_ERR_KEEPALIVE_CANCEL);
}

static void MC1_empty_auth_param_with_a_pin_says_that_there_is_one(void **state) {
        struct client *c = *state;

        client_set_pin(c);
        client_make_credential(c);
        client_set(c, 7, "{'rk': true, 'uv': true}");
        client_set(c, 8, "h''");
        assert_int_equal(client_send(c), CTAP2_ERR_PIN_INVALID);
        assert_string_equal(c->fake->trace, NOTHING_DONE);
        c->fake->answer = CTAP_ANSWER_NO;
        assert_int_equal(client_send(c), CTAP2_ERR_OPERATION_DENIED);
}

static void MC2_the_protocol_of_an_auth_param(void **state) {
        static const struct {
                const char *protocol;
                uint8_t status;
        } cases[] = {
                { NULL, CTAP2_ERR_MISSING_PARAMETER },
                { "0", CTAP1_ERR_INVALID_PARAMETER },
                { "3", CTAP1_ERR_INVALID_PARAMETER },
                { "-1", CTAP1_ERR_INVALID_PARAMETER },
        };
        struct client *c = *state;

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                client_make_credential(c);
                client_set(c, 8, "h'0011'");
                if (cases[i].protocol)
                        client_set(c, 9, "%s", cases[i].protocol);
                assert_int_equal(client_send(c), cases[i].status);
        }
        assert_string_equal(c->fake->trace, "");
}

static void MC2_comes_before_the_algorithm(void **state) {
        struct client *c = *state;

        client_make_credential(c);
        client_set(c, 4, "[]");
        client_set(c, 8, "h'0011'");
        assert_int_equal(client_send(c), CTAP2_ERR_MISSING_PARAMETER);
}

static void MC3_the_first_supported_algorithm_wins_and_keeps_its_id(void **state) {
        static const struct {
                const char *params;
                int64_t alg;
        } cases[] = {
                { "[{'alg': -7, 'type': 'public-key'}]", -7 },
                { "[{'alg': -9, 'type': 'public-key'}]", -9 },
                { "[{'alg': -35, 'type': 'public-key'}, {'alg': -7, 'type': 'public-key'}]", -35 },
                { "[{'alg': -51, 'type': 'public-key'}]", -51 },
                { "[{'alg': -8, 'type': 'public-key'}, {'alg': -9, 'type': 'public-key'}]", -9 },
                { "[{'alg': -257, 'type': 'public-key'}]", -257 },
                { "[{'alg': -35, 'type': 'password'}, {'alg': -7, 'type': 'public-key'}]", -7 },
        };
        struct client *c = *state;
        struct made made;
        struct given given;

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                assert_int_equal(send_with(c, 4, cases[i].params), CTAP_OK);
                client_read_made(c, &made);
                assert_int_equal(made.alg, cases[i].alg);
                if (cases[i].alg != -257)
                        assert_int_equal(made.field,
                                         cases[i].alg == -35 || cases[i].alg == -51 ? 48 : 32);

                client_get_assertion(c);
                client_set_list(c, 3, &made, 1);
                assert_int_equal(client_send(c), CTAP_OK);
                client_read_given(c, &made, &given);
        }
}

static void MC3_rsa_is_made_only_where_nothing_else_will_do(void **state) {
        static const struct {
                const char *params;
                int64_t alg;
        } cases[] = {
                { "[{'alg': -257, 'type': 'public-key'}, {'alg': -9, 'type': 'public-key'}]", -9 },
                { "[{'alg': -257, 'type': 'public-key'}, {'alg': -35, 'type': 'public-key'},"
                  " {'alg': -7, 'type': 'public-key'}]",
                  -35 },
                { "[{'alg': -7, 'type': 'public-key'}, {'alg': -257, 'type': 'public-key'}]", -7 },
                { "[{'alg': -8, 'type': 'public-key'}, {'alg': -257, 'type': 'public-key'},"
                  " {'alg': -36, 'type': 'public-key'}]",
                  -257 },
                { "[{'alg': -257, 'type': 'public-key'}, {'alg': -7, 'type': 'password'}]", -257 },
        };
        struct client *c = *state;
        struct made made;

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                assert_int_equal(send_with(c, 4, cases[i].params), CTAP_OK);
                client_read_made(c, &made);
                assert_int_equal(made.alg, cases[i].alg);
        }
        c->fake->offered = 1u << CTAP_KEY_P256 | 1u << CTAP_KEY_RSA2048;
        assert_int_equal(send_with(c, 4, cases[1].params), CTAP_OK);
        client_read_made(c, &made);
        assert_int_equal(made.alg, -7);
}

static void MC3_no_supported_algorithm(void **state) {
        static const char *const params[] = {
                "[]", "[{'alg': -8, 'type': 'public-key'}]", "[{'alg': -7, 'type': 'password'}]",
                "[{'alg': 4294967289, 'type': 'public-key'}]", /* -7 if cut to 32 bits */
        };
        struct client *c = *state;

        for (size_t i = 0; i < ELEMENTSOF(params); i++) {
                assert_int_equal(send_with(c, 4, params[i]), CTAP2_ERR_UNSUPPORTED_ALGORITHM);
                assert_string_equal(c->fake->trace, "");
        }
}

static void MC3_a_kind_of_key_that_the_key_device_lacks(void **state) {
        struct client *c = *state;

        c->fake->offered = 1u << CTAP_KEY_P256;
        assert_int_equal(send_with(c, 4, "[{'alg': -35, 'type': 'public-key'}]"),
                         CTAP2_ERR_UNSUPPORTED_ALGORITHM);
        assert_int_equal(send_with(c, 4, "[{'alg': -257, 'type': 'public-key'}]"),
                         CTAP2_ERR_UNSUPPORTED_ALGORITHM);
}

static void MC4_without_verification_uv_is_not_set(void **state) {
        struct client *c = *state;
        struct made made;

        assert_int_equal(send_with(c, 7, "{'uv': false}"), CTAP_OK);
        client_read_made(c, &made);
        assert_int_equal(made.flags & 0x04, 0);
}

static void MC5_an_auth_param_makes_uv_false(void **state) {
        struct client *c = *state;
        struct made made;

        client_make_credential(c);
        client_set(c, 7, "{'uv': true}");
        client_set(c, 8, "h'0011'");
        client_set(c, 9, "2");
        assert_int_equal(client_send(c), CTAP_OK);
        client_read_made(c, &made);
        assert_int_equal(made.flags, 0x41);
}

static void MC5a_uv_is_not_supported(void **state) {
        static const struct wrong cases[] = {
                { 0x07, "{'uv': true}", CTAP2_ERR_INVALID_OPTION },
        };

        assert_refused(*state, cases, ELEMENTSOF(cases));
}

static void MC5b_rk_is_supported(void **state) {
        struct client *c = *state;

        assert_int_equal(send_with(c, 7, "{'rk': true}"), CTAP_OK);
        assert_int_equal(c->fake->rows[0].flags, CTAP_ROW_DISCOVERABLE);
}

static void MC5c_up_false_is_refused(void **state) {
        static const struct wrong cases[] = {
                { 0x07, "{'up': false}", CTAP2_ERR_INVALID_OPTION },
                { 0x07, "{'rk': true, 'up': false}", CTAP2_ERR_INVALID_OPTION },
        };
        struct client *c = *state;

        assert_refused(c, cases, ELEMENTSOF(cases));
        assert_int_equal(send_with(c, 7, "{'up': true}"), CTAP_OK);
}

static void MC5d_options_are_boolean(void **state) {
        static const struct wrong cases[] = {
                { 0x07, "{'rk': 1}", CTAP2_ERR_CBOR_UNEXPECTED_TYPE },
                { 0x07, "{'up': 'true'}", CTAP2_ERR_CBOR_UNEXPECTED_TYPE },
                { 0x07, "{'uv': null}", CTAP2_ERR_CBOR_UNEXPECTED_TYPE },
        };

        assert_refused(*state, cases, ELEMENTSOF(cases));
}

static void MC10_without_auth_param_a_credential_is_made_without_uv(void **state) {
        struct client *c = *state;
        struct made made;

        client_register(c, true, "ann", &made);
        assert_int_equal(made.flags, 0x41);
        client_register(c, false, "ann", &made);
        assert_int_equal(made.flags, 0x41);
}

static void MC11c_an_auth_param_is_ignored_where_nothing_is_protected(void **state) {
        struct client *c = *state;
        struct made made;

        for (unsigned protocol = 1; protocol <= 2; protocol++) {
                client_make_credential(c);
                client_set(c, 8, "h'00112233'");
                client_set(c, 9, "%u", protocol);
                assert_int_equal(client_send(c), CTAP_OK);
                client_read_made(c, &made);
                assert_int_equal(made.flags, 0x41);
        }
}

/* ---- verification ---- */

static void MC5_a_token_stands_above_the_uv_option(void **state) {
        static const char *const options[] = { "{'uv': true}", "{'uv': false}", "{}" };
        struct client *c = *state;
        struct made made;

        for (size_t i = 0; i < ELEMENTSOF(options); i++) {
                client_make_credential(c);
                client_set(c, 7, "%s", options[i]);
                client_verify(c);
                assert_int_equal(client_send(c), CTAP_OK);
                client_read_made(c, &made);
                assert_int_equal(made.flags, 0x45);
        }
}

/* What each kind of credential gets without a pinUvAuthParam. */
static void assert_without_param(struct client *c, bool discoverable, uint8_t status) {
        client_make_credential(c);
        client_set(c, 7, "{'rk': %s}", discoverable ? "true" : "false");
        fake_forget_trace(c->fake);
        assert_int_equal(client_send(c), status);
        if (status != CTAP_OK)
                assert_string_equal(c->fake->trace, "");
}

static void MC6_under_always_uv_there_is_no_way_without_a_pin(void **state) {
        struct client *c = *state;

        assert_without_param(c, false, CTAP2_ERR_PUAT_REQUIRED);
        assert_without_param(c, true, CTAP2_ERR_PUAT_REQUIRED);
        client_make_credential(c); /* not even with what would be ignored */
        client_set(c, 8, "h'0011'");
        client_set(c, 9, "2");
        assert_int_equal(client_send(c), CTAP2_ERR_PUAT_REQUIRED);
        client_set(c, 8, "h''");
        assert_int_equal(client_send(c), CTAP2_ERR_PIN_NOT_SET); /* MC1 */
}

static void MC6_under_always_uv_every_key_is_behind_the_pin(void **state) {
        struct client *c = *state;
        struct made made;

        client_make_credential(c);
        client_verify(c);
        assert_int_equal(client_send(c), CTAP_OK);
        client_read_made(c, &made); /* packed: the ticket made it sign */
        assert_int_equal(made.flags, 0x45);
        assert_bytes_equal(made.fmt, BYTES_TEXT("packed"));
        assert_int_equal(c->fake->rows[0].class, CTAP_CLASS_B);
        assert_int_equal(c->fake->rows[0].cred_protect, 1);
}

static void MC7_what_is_discoverable_needs_the_pin_once_there_is_one(void **state) {
        struct client *c = *state;

        assert_without_param(c, true, CTAP_OK);
        client_set_pin(c);
        assert_without_param(c, true, CTAP2_ERR_PUAT_REQUIRED);
        assert_without_param(c, false, CTAP_OK);
        assert_int_equal(c->fake->n_rows, 2);
}

/* A power cut left the settings behind the key device: what that knows, counts. */
static void MC7_a_pin_that_is_in_doubt_is_asked_for(void **state) {
        struct client *c = *state;

        client_set_pin(c);
        c->fake->settings.pin_length = 0;
        c->fake->settings.pin_in_doubt = true;
        client_make_credential(c);
        assert_int_equal(client_send(c), CTAP_OK); /* of no interest to this kind */
        assert_int_equal(fake_calls(c->fake, "pin_verify"), 0);

        client_set(c, 7, "{'rk': true}");
        fake_fail(c->fake, "pin_verify", 1, -EIO);
        assert_int_equal(client_send(c), CTAP1_ERR_OTHER);
        assert_int_equal(client_send(c), CTAP2_ERR_PUAT_REQUIRED);
        assert_int_equal(c->fake->n_rows, 1);
}

static void MC8_under_always_uv_a_pin_that_is_set_must_be_used(void **state) {
        struct client *c = *state;

        client_set_pin(c);
        assert_without_param(c, false, CTAP2_ERR_PUAT_REQUIRED);
        assert_without_param(c, true, CTAP2_ERR_PUAT_REQUIRED);
}

static void MC10_with_a_pin_what_is_not_discoverable_needs_none(void **state) {
        struct client *c = *state;
        struct made made;

        client_set_pin(c);
        client_register(c, false, "ann", &made);
        assert_int_equal(made.flags, 0x41); /* F6 */
        assert_int_equal(c->fake->rows[0].class, CTAP_CLASS_A);
}

static void MC11_either_protocol_verifies(void **state) {
        struct client *c = *state;
        struct made made;

        for (unsigned protocol = 1; protocol <= 2; protocol++) {
                client_make_credential(c);
                client_set(c, 7, "{'rk': true}");
                client_get_token(c, protocol, 0x01, CLIENT_RP);
                client_authorize(c);
                assert_int_equal(client_send(c), CTAP_OK);
                client_read_made(c, &made);
                assert_int_equal(made.flags, 0x45); /* F6 */
        }
}

static void MC11a_a_token_that_does_not_count(void **state) {
        struct client *c = *state;

        for (enum client_flaw flaw = 0; flaw < _CLIENT_FLAWS; flaw++) {
                client_make_credential(c);
                client_verify_badly(c, flaw);
                fake_forget_trace(c->fake);
                assert_int_equal(client_send(c), CTAP2_ERR_PIN_AUTH_INVALID);
                assert_int_equal(fake_calls(c->fake, "begin"), 0);
        }
        assert_int_equal(c->fake->n_rows, 0);
}

static void MC11a_a_token_of_no_site_becomes_that_of_the_first(void **state) {
        struct client *c = *state;

        client_make_credential(c);
        client_get_token(c, 2, 0x03, NULL);
        client_authorize(c);
        c->fake->answer = CTAP_ANSWER_NO;
        assert_int_equal(client_send(c), CTAP2_ERR_OPERATION_DENIED);
        c->fake->answer = CTAP_ANSWER_YES;
        client_set(c, 2, "{'id': 'other.example'}");
        assert_int_equal(client_send(c), CTAP2_ERR_PIN_AUTH_INVALID);
        client_set(c, 2, "{'id': '" CLIENT_RP "'}");
        assert_int_equal(client_send(c), CTAP_OK);
}

static void MC11a_a_token_that_is_used_in_time_lasts_ten_minutes(void **state) {
        struct client *c = *state;

        client_make_credential(c);
        client_verify(c);
        c->fake->answer = CTAP_ANSWER_NO;
        c->fake->now_ms += 29999;
        assert_int_equal(client_send(c), CTAP2_ERR_OPERATION_DENIED);
        c->fake->now_ms += 570000;
        assert_int_equal(client_send(c), CTAP2_ERR_OPERATION_DENIED);
        c->fake->now_ms += 1;
        assert_int_equal(client_send(c), CTAP2_ERR_PIN_AUTH_INVALID);
}

/* A key device that forgot the PIN ends the token for good, even if it came to remember. */
static void MC11a_a_restart_of_the_key_device_ends_the_token(void **state) {
        struct client *c = *state;

        client_make_credential(c);
        client_verify(c);
        c->fake->epoch++;
        assert_int_equal(client_send(c), CTAP2_ERR_PIN_AUTH_INVALID);
        c->fake->epoch--;
        assert_int_equal(client_send(c), CTAP2_ERR_PIN_AUTH_INVALID);
        assert_int_equal(fake_calls(c->fake, "ticket_check"), 1);
}

static void MC11a_a_key_device_that_does_not_answer_ends_nothing(void **state) {
        struct client *c = *state;

        client_make_credential(c);
        client_verify(c);
        fake_fail(c->fake, "ticket_check", 1, -EIO);
        assert_int_equal(client_send(c), CTAP1_ERR_OTHER);
        assert_int_equal(client_send(c), CTAP_OK);
}

/* ---- excludeList ---- */

static uint8_t send_excluding(struct client *c, const struct made *made) {
        client_make_credential(c);
        client_set_list(c, 5, made, 1);
        fake_forget_trace(c->fake);
        return client_send(c);
}

static void MC12_excluded_credential_is_reported_after_presence(void **state) {
        static const struct {
                enum ctap_answer answer;
                uint8_t status;
        } cases[] = {
                { CTAP_ANSWER_YES, CTAP2_ERR_CREDENTIAL_EXCLUDED },
                { CTAP_ANSWER_NO, CTAP2_ERR_CREDENTIAL_EXCLUDED },
                { CTAP_ANSWER_TIMEOUT, CTAP2_ERR_CREDENTIAL_EXCLUDED },
                { CTAP_ANSWER_CANCELLED, CTAP2_ERR_KEEPALIVE_CANCEL },
        };
        struct client *c = *state;
        struct made made[2];

        client_register(c, true, "ann", &made[0]);
        client_register(c, false, "bob", &made[1]);
        for (size_t i = 0; i < ELEMENTSOF(cases); i++)
                for (size_t k = 0; k < ELEMENTSOF(made); k++) {
                        c->fake->answer = cases[i].answer;
                        assert_int_equal(send_excluding(c, &made[k]), cases[i].status);
                        assert_string_equal(c->fake->trace, "find begin wait end");
                        assert_int_equal(c->fake->prompt.ask, CTAP_ASK_CREATE);
                }
        assert_int_equal(c->fake->n_rows, 2);
}

static void MC12_what_does_not_exclude(void **state) {
        struct client *c = *state;
        struct made made[2];

        /* An entry of another type, though its id is one of ours. */
        client_register(c, true, "ann", &made[0]);
        client_make_credential(c);
        client_set(c, 5, "[{'id': h'%s', 'type': 'password'}]", client_hex(c, made[0].id));
        assert_int_equal(client_send(c), CTAP_OK);

        /* A credential of another RP: refused by its MAC, without a query. */
        client_make_credential(c);
        client_set(c, 2, "{'id': 'other.example'}");
        assert_int_equal(client_send(c), CTAP_OK);
        client_read_made(c, &made[1]);
        assert_int_equal(send_excluding(c, &made[1]), CTAP_OK);
        assert_int_equal(fake_calls(c->fake, "find"), 0);

        /* One that its owner has deleted. */
        client_register(c, true, "ann", &made[0]);
        fake_delete(c->fake, &c->fake->rows[c->fake->n_rows - 1].id);
        assert_int_equal(send_excluding(c, &made[0]), CTAP_OK);

        assert_int_equal(send_with(c, 5, "[]"), CTAP_OK);
}

static void MC12_a_u2f_registration_excludes(void **state) {
        struct client *c = *state;
        struct made made;

        client_u2f_register(c, &made);
        assert_int_equal(send_excluding(c, &made), CTAP2_ERR_CREDENTIAL_EXCLUDED);
}

static void MC12_one_match_among_strangers_is_enough(void **state) {
        struct client *c = *state;
        struct made made;

        client_register(c, false, "ann", &made);
        client_make_credential(c);
        client_set(c, 5,
                   "[{'id': h'', 'type': 'public-key'}, {'id': h'0102', 'type': 'public-key'},"
                   " {'id': h'%s', 'type': 'public-key', 'transports': ['usb']}]",
                   client_hex(c, made.id));
        assert_int_equal(client_send(c), CTAP2_ERR_CREDENTIAL_EXCLUDED);
}

static void MC12_a_credential_of_level_3_hides_itself(void **state) {
        struct client *c = *state;
        struct made made;

        client_register(c, true, "ann", &made);
        c->fake->rows[0].cred_protect = 2;
        assert_int_equal(send_excluding(c, &made), CTAP2_ERR_CREDENTIAL_EXCLUDED);
        c->fake->rows[0].cred_protect = 3;
        assert_int_equal(send_excluding(c, &made), CTAP_OK);
}

static void MC12_a_verified_person_is_told_of_level_3(void **state) {
        struct client *c = *state;
        struct made made;

        client_register(c, true, "ann", &made);
        c->fake->rows[0].cred_protect = 3;
        client_make_credential(c);
        client_set_list(c, 5, &made, 1);
        client_verify(c);
        assert_int_equal(client_send(c), CTAP2_ERR_CREDENTIAL_EXCLUDED);
        assert_int_equal(c->fake->n_prompts, 2);
        assert_int_equal(c->fake->n_rows, 1);
}

static void MC12_a_key_behind_the_pin_is_found_without_the_pin(void **state) {
        struct client *c = *state;
        struct made made;

        client_register(c, true, "ann", &made);
        c->fake->rows[0].class = CTAP_CLASS_B; /* as made under alwaysUv */
        assert_int_equal(send_excluding(c, &made), CTAP2_ERR_CREDENTIAL_EXCLUDED);
}

static void MC12_comes_after_the_options(void **state) {
        struct client *c = *state;
        struct made made;

        client_register(c, true, "ann", &made);
        client_make_credential(c);
        client_set_list(c, 5, &made, 1);
        client_set(c, 7, "{'up': false}");
        assert_int_equal(client_send(c), CTAP2_ERR_INVALID_OPTION);
}

/* 2.0 had it the other way round; no host minds. */
static void MC13_a_wrong_token_is_told_before_an_excluded_credential(void **state) {
        struct client *c = *state;
        struct made made;

        client_register(c, true, "ann", &made);
        client_make_credential(c);
        client_set_list(c, 5, &made, 1);
        client_verify_badly(c, CLIENT_FLAW_OTHER_VALUE);
        assert_int_equal(client_send(c), CTAP2_ERR_PIN_AUTH_INVALID);
        assert_string_equal(c->fake->trace, "");
}

/* ---- presence ---- */

static void MC14_the_question_names_site_and_account(void **state) {
        struct client *c = *state;

        client_make_credential(c);
        assert_int_equal(client_send(c), CTAP_OK);
        assert_int_equal(c->fake->prompt.ask, CTAP_ASK_CREATE);
        assert_false(c->fake->prompt.passive);
        assert_string_equal(c->fake->rp_id, "example.com");
        assert_string_equal(c->fake->account, "ann");

        client_set(c, 3, "{'id': h'01', 'displayName': 'Ann Example'}");
        assert_int_equal(client_send(c), CTAP_OK);
        assert_string_equal(c->fake->account, "Ann Example");
        client_set(c, 3, "{'id': h'01'}");
        assert_int_equal(client_send(c), CTAP_OK);
        assert_string_equal(c->fake->account, "");
}

static void MC14_the_key_is_made_while_the_person_reads(void **state) {
        struct client *c = *state;

        client_make_credential(c);
        assert_int_equal(client_send(c), CTAP_OK);
        assert_string_equal(c->fake->trace, "begin create load wait end sign insert unload");
}

static void MC14_without_a_yes_nothing_is_kept(void **state) {
        static const struct {
                enum ctap_answer answer;
                uint8_t status;
        } cases[] = {
                { CTAP_ANSWER_NO, CTAP2_ERR_OPERATION_DENIED },
                { CTAP_ANSWER_TIMEOUT, CTAP2_ERR_OPERATION_DENIED },
                { CTAP_ANSWER_CANCELLED, CTAP2_ERR_KEEPALIVE_CANCEL },
        };
        struct client *c = *state;

        client_make_credential(c);
        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                fake_forget_trace(c->fake);
                c->fake->answer = cases[i].answer;
                assert_int_equal(client_send(c), cases[i].status);
                assert_string_equal(c->fake->trace, "begin create load wait end unload");
        }
        assert_int_equal(c->fake->n_rows, 0);
}

static void MC14_a_yes_uses_the_token_up(void **state) {
        struct client *c = *state;

        client_make_credential(c);
        client_verify(c);
        assert_int_equal(client_send(c), CTAP_OK);
        assert_int_equal(client_send(c), CTAP2_ERR_PIN_AUTH_INVALID);
        client_get_assertion(c);
        client_authorize(c);
        assert_int_equal(client_send(c), CTAP2_ERR_PIN_AUTH_INVALID);
}

static void MC14_a_yes_uses_the_token_up_even_if_nothing_comes_of_it(void **state) {
        struct client *c = *state;

        client_make_credential(c);
        client_verify(c);
        fake_fail(c->fake, "sign", 1, -EIO);
        assert_int_equal(client_send(c), CTAP1_ERR_OTHER);
        assert_int_equal(client_send(c), CTAP2_ERR_PIN_AUTH_INVALID);
}

static void MC14_without_a_yes_the_token_stays(void **state) {
        static const enum ctap_answer answers[] = { CTAP_ANSWER_NO, CTAP_ANSWER_TIMEOUT,
                                                    CTAP_ANSWER_CANCELLED };
        struct client *c = *state;

        client_make_credential(c);
        client_verify(c);
        for (size_t i = 0; i < ELEMENTSOF(answers); i++) {
                c->fake->answer = answers[i];
                assert_int_not_equal(client_send(c), CTAP2_ERR_PIN_AUTH_INVALID);
        }
        c->fake->answer = CTAP_ANSWER_YES;
        assert_int_equal(client_send(c), CTAP_OK);
}

/* The specification does not ask whose yes it was. */
static void MC14_a_yes_to_somebody_else_uses_the_token_up_too(void **state) {
        struct client *c = *state;

        client_make_credential(c);
        client_get_token(c, 2, 0x01, CLIENT_RP);
        assert_int_equal(client_send(c), CTAP_OK);
        client_authorize(c);
        assert_int_equal(client_send(c), CTAP2_ERR_PIN_AUTH_INVALID);
}

/* LB11: what the token says of large blobs is not spent by this. */
static void MC14_permissions_of_other_kinds(void **state) {
        struct client *c = *state;

        client_make_credential(c);
        client_verify(c);
        c->ctap->token.permissions = 0x7f;
        assert_int_equal(client_send(c), CTAP_OK);
        assert_int_equal(c->ctap->token.permissions, CTAP_PERMISSION_LBW);
}

static void MC14_the_ticket_goes_to_the_key_device_and_no_further(void **state) {
        struct client *c = *state;

        client_make_credential(c);
        client_set(c, 6, "{'credProtect': 3}");
        client_verify(c);
        assert_int_equal(client_send(c), CTAP_OK);
        assert_string_equal(c->fake->trace,
                            "ticket_check begin create load wait end sign insert unload");
}

/* ---- what is made ---- */

static void MC16_a_discoverable_credential_replaces_that_of_the_same_account(void **state) {
        struct client *c = *state;
        struct made old, new;
        struct given given;

        client_register(c, true, "ann", &old);
        client_register(c, true, "ann", &new);
        assert_int_equal(c->fake->n_rows, 1);
        assert_false(bytes_equal(old.id, new.id));

        client_get_assertion(c);
        client_set_list(c, 3, &old, 1);
        assert_int_equal(client_send(c), CTAP2_ERR_NO_CREDENTIALS);
        client_set_list(c, 3, &new, 1);
        assert_int_equal(client_send(c), CTAP_OK);
        client_read_given(c, &new, &given);
}

static void MC16_another_account_or_a_non_discoverable_one_replaces_nothing(void **state) {
        struct client *c = *state;
        struct made made;

        client_register(c, true, "ann", &made);
        client_register(c, true, "bob", &made);
        client_register(c, false, "ann", &made);
        client_make_credential(c);
        client_set(c, 2, "{'id': 'other.example'}");
        client_set(c, 3, "{'id': h'%s'}", client_hex(c, BYTES_TEXT("ann")));
        client_set(c, 7, "{'rk': true}");
        assert_int_equal(client_send(c), CTAP_OK);
        assert_int_equal(c->fake->n_rows, 4);
}

static void MC16_a_full_store(void **state) {
        struct client *c = *state;
        struct made made;

        c->fake->capacity = 1;
        client_register(c, true, "ann", &made);
        client_make_credential(c);
        assert_int_equal(client_send(c), CTAP2_ERR_KEY_STORE_FULL);
        assert_int_equal(c->fake->n_rows, 1);
        client_register(c, true, "ann", &made); /* one in place of another fits */
}

static void MC17_without_rk_it_is_not_discoverable(void **state) {
        struct client *c = *state;
        struct made made;
        struct given given;

        client_make_credential(c);
        assert_int_equal(client_send(c), CTAP_OK);
        client_read_made(c, &made);
        assert_int_equal(c->fake->rows[0].flags, 0);

        client_get_assertion(c);
        assert_int_equal(client_send(c), CTAP2_ERR_NO_CREDENTIALS);
        client_set_list(c, 3, &made, 1);
        assert_int_equal(client_send(c), CTAP_OK);
        client_read_given(c, &made, &given);
}

static void MC18_the_preferred_attestation(void **state) {
        static const struct {
                const char *preference, *fmt;
        } cases[] = {
                { "[]", "packed" },
                { "['tpm']", "packed" },
                { "['tpm', 'packed']", "packed" },
                { "['none']", "none" },
        };
        struct client *c = *state;
        struct made made;

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                assert_int_equal(send_with(c, 0x0b, cases[i].preference), CTAP_OK);
                client_read_made(c, &made);
                assert_bytes_equal(made.fmt, BYTES_TEXT(cases[i].fmt));
        }
        assert_int_equal(send_with(c, 0x0b, "[1]"), CTAP2_ERR_CBOR_UNEXPECTED_TYPE);
}

static void MC18_none_needs_no_signature(void **state) {
        struct client *c = *state;
        struct made made;
        struct given given;

        assert_int_equal(send_with(c, 0x0b, "['none']"), CTAP_OK);
        assert_string_equal(c->fake->trace, "begin create wait end insert");
        client_read_made(c, &made);
        client_get_assertion(c);
        client_set_list(c, 3, &made, 1);
        assert_int_equal(client_send(c), CTAP_OK);
        client_read_given(c, &made, &given);
}

static void MC19_self_attestation_names_the_algorithm_of_the_key(void **state) {
        struct client *c = *state;
        struct made made;

        assert_int_equal(send_with(c, 4, "[{'alg': -9, 'type': 'public-key'}]"), CTAP_OK);
        client_read_made(c, &made); /* exactly alg and sig, and alg that of the key */
        assert_int_equal(made.alg, -9);
        assert_int_equal(send_with(c, 4, "[{'alg': -257, 'type': 'public-key'}]"), CTAP_OK);
        client_read_made(c, &made);
        assert_int_equal(made.alg, -257);
}

static void MC20_the_signature_covers_the_client_data_hash(void **state) {
        struct client *c = *state;
        struct made made;

        memset(c->client_data_hash, 0x11, sizeof(c->client_data_hash));
        client_make_credential(c);
        assert_int_equal(client_send(c), CTAP_OK);
        client_read_made(c, &made); /* verifies */
        assert_bytes_equal(made.fmt, BYTES_TEXT("packed"));
}

static void MC21_flags_and_id(void **state) {
        struct client *c = *state;
        struct made made;

        client_register(c, true, "ann", &made);
        assert_int_equal(made.flags, 0x41);
        assert_int_equal(made.id.len, 48);
        assert_int_equal(made.count, 0);
}

static void MC22_only_the_three_members(void **state) {
        struct client *c = *state;
        struct bytes body;

        client_make_credential(c);
        assert_int_equal(client_send(c), CTAP_OK);
        body = c->body;
        assert_int_equal(cbor_next(&body).n, 3);
}

static void MC23_every_failure_leaves_no_credential(void **state) {
        struct client *c = *state;
        struct made made;

        client_register(c, true, "ann", &made);
        client_make_credential(c);
        client_set(c, 7, "{'rk': true}");
        client_set(c, 3, "{'id': h'%s'}", client_hex(c, BYTES_TEXT("ann")));
        /* The rng twice, begin, create, load, wait, sign, insert. */
        assert_int_equal(client_fail_everywhere(c), 8);
        assert_int_equal(c->fake->n_rows, 1);
}

static void MC23_a_failing_query_of_the_exclude_list_is_no_miss(void **state) {
        struct client *c = *state;
        struct made made;

        client_register(c, true, "ann", &made);
        client_make_credential(c);
        client_set_list(c, 5, &made, 1);
        fake_fail(c->fake, "find", 1, -EIO);
        assert_int_equal(client_send(c), CTAP1_ERR_OTHER);
        assert_string_equal(c->fake->trace, "find");
        for (unsigned n = 1; n <= 2; n++) { /* then begin and wait */
                fake_fail(c->fake, n == 1 ? "begin" : "wait", 1, -EIO);
                assert_int_equal(client_send(c), CTAP1_ERR_OTHER);
        }
}

static void MC23_a_full_disk_is_a_full_store(void **state) {
        struct client *c = *state;

        client_make_credential(c);
        fake_fail(c->fake, "insert", 1, -ENOSPC);
        assert_int_equal(client_send(c), CTAP2_ERR_KEY_STORE_FULL);
        assert_int_equal(c->fake->n_rows, 0);
}

static void F3_backup_flags_are_zero(void **state) {
        struct client *c = *state;
        struct made made;

        client_register(c, true, "ann", &made);
        assert_int_equal(made.flags & 0x18, 0);
}

/* ---- what clients send to find out which key is meant ---- */

static void assert_dummy(struct client *c) {
        struct made made;

        fake_forget_trace(c->fake);
        assert_int_equal(client_send(c), CTAP_OK);
        client_read_made(c, &made);
        assert_string_equal(c->fake->trace, "begin create load wait end sign unload");
        assert_int_equal(c->fake->prompt.ask, CTAP_ASK_SELECT);
        assert_true(c->fake->prompt.passive);
        assert_int_equal(c->fake->prompt.rp_id.len, 0);
        assert_int_equal(c->fake->prompt.account.len, 0);
        assert_int_equal(c->fake->n_rows, 0);
}

static void H5_the_dummy_of_chromium(void **state) {
        struct client *c = *state;

        client_make_credential(c);
        client_set(c, 2, "{'id': '.dummy'}");
        client_set(c, 3, "{'id': h'01', 'name': 'dummy'}");
        assert_dummy(c);
        c->fake->capacity = 0; /* a full store makes no difference */
        assert_dummy(c);
        client_set(c, 8, "h''");
        client_set(c, 9, "1");
        assert_int_equal(client_send(c), CTAP2_ERR_PIN_NOT_SET);
        assert_int_equal(c->fake->prompt.rp_id.len, 0);
}

static void H22_the_dummy_of_firefox(void **state) {
        struct client *c = *state;

        client_make_credential(c);
        client_set(c, 2, "{'id': 'make.me.blink'}");
        client_set(c, 3, "{'id': h'00', 'name': 'make.me.blink'}");
        assert_dummy(c);
}

/* SHA-256 of no bytes. */
static const uint8_t hash_of_nothing[32] = {
        0xe3, 0xb0, 0xc4, 0x42, 0x98, 0xfc, 0x1c, 0x14, 0x9a, 0xfb, 0xf4,
        0xc8, 0x99, 0x6f, 0xb9, 0x24, 0x27, 0xae, 0x41, 0xe4, 0x64, 0x9b,
        0x93, 0x4c, 0xa4, 0x95, 0x99, 0x1b, 0x78, 0x52, 0xb8, 0x55,
};

static void H30_the_dummy_of_libfido2(void **state) {
        struct client *c = *state;

        memcpy(c->client_data_hash, hash_of_nothing, sizeof(hash_of_nothing));
        client_make_credential(c);
        client_set(c, 2, "{'id': 'localhost'}");
        client_set(c, 3, "{'id': h'01', 'name': 'dummy'}");
        assert_dummy(c);
}

static void H30_a_developer_at_localhost_is_no_dummy(void **state) {
        struct client *c = *state;

        client_make_credential(c); /* another client data hash */
        client_set(c, 2, "{'id': 'localhost'}");
        client_set(c, 3, "{'id': h'01', 'name': 'dummy'}");
        assert_int_equal(client_send(c), CTAP_OK);
        assert_int_equal(c->fake->prompt.ask, CTAP_ASK_CREATE);

        client_set(c, 1, "h'%s'", client_hex(c, BYTES_OF(hash_of_nothing)));
        client_set(c, 3, "{'id': h'02', 'name': 'dummy'}");
        assert_int_equal(client_send(c), CTAP_OK);
        assert_int_equal(c->fake->prompt.ask, CTAP_ASK_CREATE);
        client_set(c, 3, "{'id': h'01', 'name': 'dummies'}");
        assert_int_equal(client_send(c), CTAP_OK);
        assert_int_equal(c->fake->prompt.ask, CTAP_ASK_CREATE);
        assert_int_equal(c->fake->n_rows, 3);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                client_unit_test(B9_members_of_the_wrong_type),
                client_unit_test(B11_mandatory_members_missing),
                client_unit_test(B12_unknown_members_options_and_extensions_are_ignored),
                client_unit_test(D_unasked_or_unknown_extensions_have_no_output),
                client_unit_test(B17_descriptors_of_the_wrong_shape),
                client_unit_test(B18_every_algorithm_is_checked_after_a_match_too),
                client_unit_test(B18_the_list_of_algorithms_has_no_limit),
                client_unit_test(B19_names_and_icons_are_taken_and_long_ones_are_cut),
                client_unit_test(B20_user_ids_have_1_to_64_bytes),
                client_unit_test(B20_rp_ids_have_1_to_255_bytes),
                client_unit_test(B21_text_that_is_not_utf8),
                client_unit_test(
                        MC1_empty_auth_param_asks_a_neutral_question_and_says_there_is_no_pin),
                client_unit_test(MC1_empty_auth_param_without_a_yes),
                client_unit_test(MC1_empty_auth_param_with_a_pin_says_that_there_is_one),
                client_unit_test(MC2_the_protocol_of_an_auth_param),
                client_unit_test(MC2_comes_before_the_algorithm),
                client_unit_test(MC3_the_first_supported_algorithm_wins_and_keeps_its_id),
                client_unit_test(MC3_no_supported_algorithm),
                client_unit_test(MC3_rsa_is_made_only_where_nothing_else_will_do),
                client_unit_test(MC3_a_kind_of_key_that_the_key_device_lacks),
                client_unit_test(MC4_without_verification_uv_is_not_set),
                client_unit_test(MC5_an_auth_param_makes_uv_false),
                client_unit_test(MC5a_uv_is_not_supported),
                client_unit_test(MC5b_rk_is_supported),
                client_unit_test(MC5c_up_false_is_refused),
                client_unit_test(MC5d_options_are_boolean),
                client_unit_test(MC10_without_auth_param_a_credential_is_made_without_uv),
                client_unit_test(MC11c_an_auth_param_is_ignored_where_nothing_is_protected),
                client_unit_test(MC5_a_token_stands_above_the_uv_option),
                always_uv_unit_test(MC6_under_always_uv_there_is_no_way_without_a_pin),
                always_uv_unit_test(MC6_under_always_uv_every_key_is_behind_the_pin),
                client_unit_test(MC7_what_is_discoverable_needs_the_pin_once_there_is_one),
                client_unit_test(MC7_a_pin_that_is_in_doubt_is_asked_for),
                always_uv_unit_test(MC8_under_always_uv_a_pin_that_is_set_must_be_used),
                client_unit_test(MC10_with_a_pin_what_is_not_discoverable_needs_none),
                client_unit_test(MC11_either_protocol_verifies),
                client_unit_test(MC11a_a_token_that_does_not_count),
                client_unit_test(MC11a_a_token_of_no_site_becomes_that_of_the_first),
                client_unit_test(MC11a_a_token_that_is_used_in_time_lasts_ten_minutes),
                client_unit_test(MC11a_a_restart_of_the_key_device_ends_the_token),
                client_unit_test(MC11a_a_key_device_that_does_not_answer_ends_nothing),
                client_unit_test(MC12_excluded_credential_is_reported_after_presence),
                client_unit_test(MC12_what_does_not_exclude),
                client_unit_test(MC12_a_u2f_registration_excludes),
                client_unit_test(MC12_one_match_among_strangers_is_enough),
                client_unit_test(MC12_a_credential_of_level_3_hides_itself),
                client_unit_test(MC12_a_verified_person_is_told_of_level_3),
                client_unit_test(MC12_a_key_behind_the_pin_is_found_without_the_pin),
                client_unit_test(MC12_comes_after_the_options),
                client_unit_test(MC13_a_wrong_token_is_told_before_an_excluded_credential),
                client_unit_test(MC14_the_question_names_site_and_account),
                client_unit_test(MC14_the_key_is_made_while_the_person_reads),
                client_unit_test(MC14_without_a_yes_nothing_is_kept),
                client_unit_test(MC14_a_yes_uses_the_token_up),
                client_unit_test(MC14_a_yes_uses_the_token_up_even_if_nothing_comes_of_it),
                client_unit_test(MC14_without_a_yes_the_token_stays),
                client_unit_test(MC14_a_yes_to_somebody_else_uses_the_token_up_too),
                client_unit_test(MC14_permissions_of_other_kinds),
                client_unit_test(MC14_the_ticket_goes_to_the_key_device_and_no_further),
                client_unit_test(MC15_without_extensions_there_are_no_outputs),
                client_unit_test(MC16_a_discoverable_credential_replaces_that_of_the_same_account),
                client_unit_test(MC16_another_account_or_a_non_discoverable_one_replaces_nothing),
                client_unit_test(MC16_a_full_store),
                client_unit_test(MC17_without_rk_it_is_not_discoverable),
                client_unit_test(MC18_the_preferred_attestation),
                client_unit_test(MC18_none_needs_no_signature),
                client_unit_test(MC19_self_attestation_names_the_algorithm_of_the_key),
                client_unit_test(MC20_the_signature_covers_the_client_data_hash),
                client_unit_test(MC21_flags_and_id),
                client_unit_test(MC22_only_the_three_members),
                client_unit_test(MC23_every_failure_leaves_no_credential),
                client_unit_test(MC23_a_failing_query_of_the_exclude_list_is_no_miss),
                client_unit_test(MC23_a_full_disk_is_a_full_store),
                client_unit_test(MC24_a_client_data_hash_has_32_bytes),
                client_unit_test(F3_backup_flags_are_zero),
                client_unit_test(H5_the_dummy_of_chromium),
                client_unit_test(H22_the_dummy_of_firefox),
                client_unit_test(H30_the_dummy_of_libfido2),
                client_unit_test(H30_a_developer_at_localhost_is_no_dummy),
        };

        return cmocka_run_group_tests_name("make-credential", tests, NULL, NULL);
}
