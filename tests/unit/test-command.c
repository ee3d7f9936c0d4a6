/* SPDX-License-Identifier: BSD-2-Clause */

/* ctap/command.c and ctap/confirm.c: what holds for every command. */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "ctap/command.h"
#include "ctap/confirm.h"
#include "tests/fake/client.h"
#include "tests/fake/diag.h"
#include "tests/unit/test.h"

static void failures_of_the_machine_have_one_name(void **state) {
        (void)state;
        assert_int_equal(ctap_status_from_errno(0), CTAP_OK);
        assert_int_equal(ctap_status_from_errno(-ENOSPC), CTAP1_ERR_OTHER);
        assert_int_equal(ctap_status_from_errno(-EIO), CTAP1_ERR_OTHER);
        assert_int_equal(ctap_status_from_errno(-ENOENT), CTAP1_ERR_OTHER);
        assert_int_equal(ctap_status_from_errno(-EKEYREJECTED), CTAP1_ERR_OTHER);
        assert_int_equal(ctap_status_from_errno(-EOVERFLOW), CTAP1_ERR_OTHER);
}

static void a_full_store_has_its_own_where_a_credential_was_to_be_kept(void **state) {
        (void)state;
        assert_int_equal(ctap_status_from_keeping(0), CTAP_OK);
        assert_int_equal(ctap_status_from_keeping(-ENOSPC), CTAP2_ERR_KEY_STORE_FULL);
        assert_int_equal(ctap_status_from_keeping(-EIO), CTAP1_ERR_OTHER);
}

static void answers_of_a_person(void **state) {
        (void)state;
        assert_int_equal(ctap_status_from_answer(CTAP_ANSWER_YES, CTAP1_ERR_TIMEOUT), CTAP_OK);
        assert_int_equal(ctap_status_from_answer(CTAP_ANSWER_NO, CTAP1_ERR_TIMEOUT),
                         CTAP2_ERR_OPERATION_DENIED);
        assert_int_equal(ctap_status_from_answer(CTAP_ANSWER_TIMEOUT, CTAP1_ERR_TIMEOUT),
                         CTAP1_ERR_TIMEOUT);
        assert_int_equal(ctap_status_from_answer(CTAP_ANSWER_CANCELLED, CTAP1_ERR_TIMEOUT),
                         CTAP2_ERR_KEEPALIVE_CANCEL);
        assert_int_equal(ctap_status_from_answer(CTAP_ANSWER_PENDING, CTAP1_ERR_TIMEOUT),
                         CTAP1_ERR_OTHER);
}

static int refuse(void *userdata) {
        *(bool *)userdata = true;
        return -ENODEV;
}

static void a_preparation_that_fails_takes_the_question_away(void **state) {
        const struct ctap_prompt prompt = { .ask = CTAP_ASK_USE };
        struct client *c = *state;
        enum ctap_answer answer = CTAP_ANSWER_PENDING;
        bool was_asked = false;

        assert_int_equal(ctap_ask(c->ctap, &prompt, refuse, &was_asked, &answer), -ENODEV);
        assert_true(was_asked);
        assert_int_equal(answer, CTAP_ANSWER_PENDING);
        assert_string_equal(c->fake->trace, "begin end");
}

static void a_question_that_cannot_be_shown_prepares_nothing(void **state) {
        const struct ctap_prompt prompt = { .ask = CTAP_ASK_USE };
        struct client *c = *state;
        bool was_asked = false;

        fake_fail(c->fake, "begin", 1, -EIO);
        assert_int_equal(ctap_confirm(c->ctap, &prompt, refuse, &was_asked, CTAP1_ERR_TIMEOUT),
                         CTAP1_ERR_OTHER);
        assert_false(was_asked);
        assert_string_equal(c->fake->trace, "begin");
}

static void B9_parameters_that_are_no_map(void **state) {
        static const char *const notations[] = { "[]", "1", "'text'", "null", "h'a0'" };
        struct client *c = *state;

        for (size_t i = 0; i < ELEMENTSOF(notations); i++) {
                uint8_t storage[64];
                struct buf params = BUF_ON(storage);

                diag_encode(notations[i], &params);
                assert_int_equal(client_call(c, 0x01, buf_bytes(&params)),
                                 CTAP2_ERR_CBOR_UNEXPECTED_TYPE);
                assert_int_equal(client_call(c, 0x02, buf_bytes(&params)),
                                 CTAP2_ERR_CBOR_UNEXPECTED_TYPE);
        }
}

static void B10_broken_cbor(void **state) {
        static const char *const broken[] = {
                "\xa1",         /* cut short */
                "\xa1\x01",     /* a key without a value */
                "\xff",         /* a stop code */
                "\xbf\xff",     /* of indefinite length */
                "\xa1\x18\x01", /* not the shortest head */
                "\xf9\x3c\x01", /* a float */
        };
        struct client *c = *state;

        for (size_t i = 0; i < ELEMENTSOF(broken); i++) {
                assert_int_equal(client_call(c, 0x01, BYTES_TEXT(broken[i])),
                                 CTAP2_ERR_INVALID_CBOR);
                assert_int_equal(client_call(c, 0x02, BYTES_TEXT(broken[i])),
                                 CTAP2_ERR_INVALID_CBOR);
        }
}

static void B10_every_truncation_of_a_good_request(void **state) {
        uint8_t storage[1024];
        struct client *c = *state;

        for (unsigned command = 1; command <= 2; command++) {
                struct buf params = BUF_ON(storage);

                diag_encode(command == 1 ? "{1: h'00', 2: {'id': 'a'}, 3: {'id': h'01'}, 4: []}"
                                         : "{1: 'example.com', 2: h'00', 3: []}",
                            &params);
                for (size_t n = 1; n < params.len; n++)
                        assert_int_equal(client_call(c, (uint8_t)command, BYTES(storage, n)),
                                         CTAP2_ERR_INVALID_CBOR);
        }
        assert_string_equal(c->fake->trace, "");
}

static void B7_bytes_behind_the_parameters(void **state) {
        struct client *c = *state;

        assert_int_equal(client_call(c, 0x01, BYTES("\xa0\x00", 2)), CTAP2_ERR_INVALID_CBOR);
}

static void B11_no_parameters_at_all(void **state) {
        struct client *c = *state;

        assert_int_equal(client_call(c, 0x01, BYTES_NULL), CTAP2_ERR_MISSING_PARAMETER);
        assert_int_equal(client_call(c, 0x02, BYTES_NULL), CTAP2_ERR_MISSING_PARAMETER);
        assert_int_equal(client_call(c, 0x01, BYTES("\xa0", 1)), CTAP2_ERR_MISSING_PARAMETER);
        assert_int_equal(client_call(c, 0x02, BYTES("\xa0", 1)), CTAP2_ERR_MISSING_PARAMETER);
}

static void B13_unknown_commands(void **state) {
        static const uint8_t known[] = { 0x01, 0x02, 0x04, 0x06, 0x07, 0x08,
                                         0x0a, 0x0b, 0x0c, 0x0d, 0x41 };
        struct client *c = *state;

        for (unsigned code = 0; code <= UINT8_MAX; code++) {
                if (memchr(known, (int)code, sizeof(known)))
                        continue;
                assert_int_equal(client_call(c, (uint8_t)code, BYTES_NULL),
                                 CTAP1_ERR_INVALID_COMMAND);
                assert_int_equal(client_call(c, (uint8_t)code, BYTES("\xff", 1)),
                                 CTAP1_ERR_INVALID_COMMAND);
        }
        assert_string_equal(c->fake->trace, "");
}

/* Neither the command nor the preview of it, and no option that would make somebody send them. */
static void BE1_enrolment_is_not_offered(void **state) {
        static const char *const options[] = { "bioEnroll", "uvBioEnroll",
                                               "userVerificationMgmtPreview" };
        static const struct cbor_field field = { NULL, 4, CBOR_KIND_MAP, true, 0 };
        struct client *c = *state;
        struct cbor_value info, listed;

        assert_int_equal(client_call(c, 0x09, BYTES("\xa1\x01\x01", 3)), CTAP1_ERR_INVALID_COMMAND);
        assert_int_equal(client_call(c, 0x40, BYTES("\xa1\x01\x01", 3)), CTAP1_ERR_INVALID_COMMAND);
        assert_int_equal(client_call(c, 0x04, BYTES_NULL), CTAP_OK);
        info = cbor_next(&c->body);
        assert_int_equal(cbor_read_map(&info, &field, 1, &listed), CTAP_OK);
        for (size_t i = 0; i < ELEMENTSOF(options); i++)
                assert_int_equal(cbor_find_text(&listed, options[i]).kind, CBOR_KIND_ABSENT);
}

static void B14_an_error_is_one_byte(void **state) {
        uint8_t storage[CTAP_REPLY_MAX];
        struct buf reply = BUF_ON(storage);
        struct client *c = *state;

        ctap_request(c->ctap, c->channel, BYTES("\xee", 1), &reply);
        assert_int_equal(reply.len, 1);
        assert_int_equal(storage[0], CTAP1_ERR_INVALID_COMMAND);
}

static void B15_commands_without_parameters_ignore_a_body(void **state) {
        static const uint8_t codes[] = { 0x04, 0x07, 0x0b };
        struct client *c = *state;

        for (size_t i = 0; i < ELEMENTSOF(codes); i++) {
                assert_int_equal(client_call(c, codes[i], BYTES("\xa0", 1)), CTAP_OK);
                assert_int_equal(client_call(c, codes[i], BYTES("\xff\xff", 2)), CTAP_OK);
        }
        assert_int_equal(client_call(c, 0x08, BYTES("\xff", 1)), CTAP2_ERR_NOT_ALLOWED);
}

static void B16_a_message_above_the_announced_size(void **state) {
        uint8_t message[CLIENT_MESSAGE + 1] = { 0x04 };
        struct client *c = *state;

        assert_int_equal(client_message(c, BYTES(message, CLIENT_MESSAGE)), CTAP_OK);
        assert_int_equal(client_message(c, BYTES(message, CLIENT_MESSAGE + 1)),
                         CTAP2_ERR_REQUEST_TOO_LARGE);
}

static void a_message_of_no_bytes(void **state) {
        struct client *c = *state;

        assert_int_equal(client_message(c, BYTES_NULL), CTAP1_ERR_INVALID_LENGTH);
}

/* Nothing is asked or made for a reply that might not fit. */
static void a_reply_without_room_is_an_error_before_anything_is_done(void **state) {
        uint8_t message[1024] = { 0x0b }, storage[CTAP_REPLY_MAX - 1];
        struct buf reply = BUF_ON(storage);
        struct client *c = *state;

        ctap_request(c->ctap, c->channel, BYTES(message, 1), &reply);
        assert_int_equal(reply.len, 1);
        assert_int_equal(storage[0], CTAP1_ERR_OTHER);
        assert_string_equal(c->fake->trace, "");
}

static void a_reply_begins_at_the_front_of_its_buffer(void **state) {
        uint8_t storage[CTAP_REPLY_MAX];
        struct buf reply = { storage, 100, sizeof(storage), true };
        struct client *c = *state;

        ctap_request(c->ctap, c->channel, BYTES("\x0b", 1), &reply);
        assert_int_equal(buf_error(&reply), 0);
        assert_int_equal(reply.len, 1);
        assert_int_equal(storage[0], CTAP_OK);
}

static void an_announced_size_that_cannot_be_is_refused(void **state) {
        static const uint32_t sizes[] = { 0, 1023, CTAP_REPLY_MAX + 1, UINT32_MAX };
        struct client *c = *state;
        struct ctap *none = NULL;

        for (size_t i = 0; i < ELEMENTSOF(sizes); i++) {
                const struct ctap_options options = { .max_message = sizes[i] };

                assert_int_equal(ctap_new(&c->fake->env, &options, &none), -EINVAL);
                assert_null(none);
        }
        assert_null(ctap_free(NULL));
}

static void ask_by_u2f(struct client *c, uint8_t challenge) {
        uint8_t apdu[7 + 64 + 2] = { 0x00, 0x01, 0x03, 0x00, 0x00, 0x00, 0x40, challenge };
        uint8_t storage[CTAP_REPLY_MAX];
        struct buf reply = BUF_ON(storage);

        c->fake->answer = CTAP_ANSWER_PENDING;
        ctap_u2f(c->ctap, c->channel, BYTES_OF(apdu), &reply);
        assert_bytes_equal(buf_bytes(&reply), BYTES("\x69\x85", 2));
        assert_true(c->fake->shown);
        assert_true(ctap_deadline(c->ctap) != UINT64_MAX);
        c->fake->answer = CTAP_ANSWER_YES;
}

/* A client of U2F polls; its question must not cover that of a CTAP2 command. */
static void U4_a_ctap2_question_withdraws_a_u2f_question(void **state) {
        static const uint8_t without_members[] = { 0x0b, 0x07 };
        struct client *c = *state;

        client_make_credential(c);
        client_set(c, 7, "{'rk': true}");
        ask_by_u2f(c, 1);
        assert_int_equal(client_send(c), CTAP_OK); /* asserts that nothing is shown */
        assert_true(ctap_deadline(c->ctap) == UINT64_MAX);

        client_get_assertion(c);
        ask_by_u2f(c, 2);
        assert_int_equal(client_send(c), CTAP_OK);
        assert_true(ctap_deadline(c->ctap) == UINT64_MAX);

        for (size_t i = 0; i < ELEMENTSOF(without_members); i++) {
                ask_by_u2f(c, (uint8_t)(3 + i));
                assert_int_equal(client_call(c, without_members[i], BYTES_NULL), CTAP_OK);
                assert_true(ctap_deadline(c->ctap) == UINT64_MAX);
        }
}

/* Else every client that looks at what keys there are would make it flicker. */
static void U4_a_ctap2_command_that_asks_nobody_leaves_a_u2f_question_alone(void **state) {
        static const uint8_t codes[] = { 0x01, 0x02, 0x04, 0x08, 0x63 };
        uint8_t storage[CTAP_REPLY_MAX];
        struct client *c = *state;

        ask_by_u2f(c, 1);
        for (size_t i = 0; i < ELEMENTSOF(codes); i++) {
                struct buf reply = BUF_ON(storage);

                ctap_request(c->ctap, c->channel + 1, BYTES(&codes[i], 1), &reply);
                assert_true(c->fake->shown);
                assert_int_equal(c->fake->n_prompts, 1);
        }
        assert_true(ctap_deadline(c->ctap) != UINT64_MAX);
}

static void U4_unplugging_takes_a_u2f_question_away(void **state) {
        uint8_t apdu[7 + 64 + 2] = { 0x00, 0x01, 0x03, 0x00, 0x00, 0x00, 0x40 };
        uint8_t storage[CTAP_REPLY_MAX];
        struct buf reply = BUF_ON(storage);
        struct client *c = *state;

        c->fake->answer = CTAP_ANSWER_PENDING;
        ctap_u2f(c->ctap, c->channel, BYTES_OF(apdu), &reply);
        assert_true(c->fake->shown);
        ctap_power_up(c->ctap);
        assert_false(c->fake->shown);

        ctap_u2f(c->ctap, c->channel, BYTES_OF(apdu), &reply);
        assert_true(c->fake->shown);
        c->ctap = ctap_free(c->ctap);
        assert_false(c->fake->shown);
}

static void U4_a_yes_does_not_outlive_the_device_it_was_said_to(void **state) {
        uint8_t apdu[7 + 64 + 2] = { 0x00, 0x01, 0x03, 0x00, 0x00, 0x00, 0x40 };
        uint8_t storage[CTAP_REPLY_MAX];
        struct buf reply = BUF_ON(storage);
        struct client *c = *state;

        apdu[7] = 1;
        c->fake->answer = CTAP_ANSWER_PENDING;
        ctap_u2f(c->ctap, c->channel, BYTES_OF(apdu), &reply);
        c->fake->answer = CTAP_ANSWER_YES;
        ctap_power_up(c->ctap);
        c->fake->answer = CTAP_ANSWER_PENDING;
        ctap_u2f(c->ctap, c->channel, BYTES_OF(apdu), &reply);
        assert_bytes_equal(buf_bytes(&reply), BYTES("\x69\x85", 2));
        assert_int_equal(c->fake->n_prompts, 2);
        assert_int_equal(c->fake->n_rows, 0);
}

/* As it is at each message: the settings may change between two of them. */
static void U11_what_the_settings_say_of_always_uv_counts_at_once(void **state) {
        uint8_t apdu[7 + 64 + 2] = { 0x00, 0x01, 0x03, 0x00, 0x00, 0x00, 0x40 };
        uint8_t storage[CTAP_REPLY_MAX];
        struct buf reply = BUF_ON(storage);
        struct client *c = *state;

        apdu[7 + 32] = 1; /* a site, not a dummy */
        c->fake->settings.always_uv = true;
        ctap_u2f(c->ctap, c->channel, BYTES_OF(apdu), &reply);
        assert_bytes_equal(buf_bytes(&reply), BYTES("\x69\x85", 2));
        assert_int_equal(c->fake->n_prompts, 0);
        c->fake->settings.always_uv = false;
        ctap_u2f(c->ctap, c->channel, BYTES_OF(apdu), &reply);
        assert_int_equal(c->fake->n_rows, 1);
}

static void U4_a_u2f_question_expires(void **state) {
        uint8_t apdu[7 + 64 + 2] = { 0x00, 0x01, 0x03, 0x00, 0x00, 0x00, 0x40 };
        uint8_t storage[CTAP_REPLY_MAX];
        struct buf reply = BUF_ON(storage);
        struct client *c = *state;

        assert_true(ctap_deadline(c->ctap) == UINT64_MAX);
        c->fake->answer = CTAP_ANSWER_PENDING;
        ctap_u2f(c->ctap, c->channel, BYTES_OF(apdu), &reply);
        assert_true(c->fake->shown);
        c->fake->now_ms = ctap_deadline(c->ctap);
        ctap_expire(c->ctap);
        assert_false(c->fake->shown);
}

static void every_command_that_is_known_has_a_name(void **state) {
        struct client *c = *state;

        for (unsigned code = 0; code <= UINT8_MAX; code++) {
                uint8_t storage[CTAP_REPLY_MAX], message = (uint8_t)code;
                struct buf reply = BUF_ON(storage);

                ctap_request(c->ctap, c->channel, BYTES(&message, 1), &reply);
                assert_int_equal(storage[0] != CTAP1_ERR_INVALID_COMMAND,
                                 ctap_command_name(message) != NULL);
        }
        assert_string_equal(ctap_command_name(0x01), "makeCredential");
        assert_string_equal(ctap_command_name(0x06), "clientPIN");
        assert_string_equal(ctap_command_name(0x41), ctap_command_name(0x0a));
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(failures_of_the_machine_have_one_name),
                cmocka_unit_test(a_full_store_has_its_own_where_a_credential_was_to_be_kept),
                cmocka_unit_test(answers_of_a_person),
                client_unit_test(a_preparation_that_fails_takes_the_question_away),
                client_unit_test(a_question_that_cannot_be_shown_prepares_nothing),
                client_unit_test(B7_bytes_behind_the_parameters),
                client_unit_test(B9_parameters_that_are_no_map),
                client_unit_test(B10_broken_cbor),
                client_unit_test(B10_every_truncation_of_a_good_request),
                client_unit_test(B11_no_parameters_at_all),
                client_unit_test(B13_unknown_commands),
                client_unit_test(every_command_that_is_known_has_a_name),
                client_unit_test(B14_an_error_is_one_byte),
                client_unit_test(BE1_enrolment_is_not_offered),
                client_unit_test(B15_commands_without_parameters_ignore_a_body),
                client_unit_test(B16_a_message_above_the_announced_size),
                client_unit_test(a_message_of_no_bytes),
                client_unit_test(a_reply_without_room_is_an_error_before_anything_is_done),
                client_unit_test(a_reply_begins_at_the_front_of_its_buffer),
                client_unit_test(an_announced_size_that_cannot_be_is_refused),
                client_unit_test(U4_a_ctap2_command_that_asks_nobody_leaves_a_u2f_question_alone),
                client_unit_test(U4_a_ctap2_question_withdraws_a_u2f_question),
                client_unit_test(U11_what_the_settings_say_of_always_uv_counts_at_once),
                client_unit_test(U4_a_u2f_question_expires),
                client_unit_test(U4_a_yes_does_not_outlive_the_device_it_was_said_to),
                client_unit_test(U4_unplugging_takes_a_u2f_question_away),
        };

        return cmocka_run_group_tests_name("command", tests, NULL, NULL);
}
