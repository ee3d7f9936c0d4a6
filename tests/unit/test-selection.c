/* SPDX-License-Identifier: BSD-2-Clause */

/* ctap/selection.c */

#include "tests/fake/client.h"
#include "tests/unit/test.h"

static void SE1_the_answer_becomes_the_status(void **state) {
        static const struct {
                enum ctap_answer answer;
                uint8_t status;
        } cases[] = {
                { CTAP_ANSWER_YES, CTAP_OK },
                { CTAP_ANSWER_NO, CTAP2_ERR_OPERATION_DENIED },
                { CTAP_ANSWER_TIMEOUT, CTAP2_ERR_USER_ACTION_TIMEOUT },
                { CTAP_ANSWER_CANCELLED, CTAP2_ERR_KEEPALIVE_CANCEL },
        };
        struct client *c = *state;

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                c->fake->answer = cases[i].answer;
                assert_int_equal(client_call(c, 0x0b, BYTES_NULL), cases[i].status);
                assert_int_equal(c->body.len, 0);
        }
}

static void SE1_the_question_is_passive_and_names_no_site(void **state) {
        struct client *c = *state;

        assert_int_equal(client_call(c, 0x0b, BYTES_NULL), CTAP_OK);
        assert_int_equal(c->fake->prompt.ask, CTAP_ASK_SELECT);
        assert_true(c->fake->prompt.passive);
        assert_int_equal(c->fake->prompt.rp_id.len, 0);
        assert_int_equal(c->fake->prompt.account.len, 0);
}

static void SE1_a_question_that_cannot_be_shown_or_answered_is_an_error(void **state) {
        struct client *c = *state;

        c->command = 0x0b;
        assert_int_equal(client_fail_everywhere(c), 2);
}

/* Clients that do not know this command ask by an empty pinUvAuthParam, and find it as neutral. */
static void SE3_the_old_way_of_asking_works_too(void **state) {
        struct client *c = *state;

        client_make_credential(c);
        client_set(c, 8, "h''");
        assert_int_equal(client_send(c), CTAP2_ERR_PIN_NOT_SET);
        assert_int_equal(c->fake->prompt.ask, CTAP_ASK_SELECT);
        assert_true(c->fake->prompt.passive);
        assert_int_equal(c->fake->n_rows, 0);
}

static void SE2_nothing_is_created_and_the_body_is_ignored(void **state) {
        struct client *c = *state;

        assert_int_equal(client_call(c, 0x0b, BYTES_TEXT("\xff\x00 not cbor")), CTAP_OK);
        assert_string_equal(c->fake->trace, "begin wait end");
        assert_int_equal(c->fake->n_rows, 0);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                client_unit_test(SE1_the_answer_becomes_the_status),
                client_unit_test(SE1_the_question_is_passive_and_names_no_site),
                client_unit_test(SE1_a_question_that_cannot_be_shown_or_answered_is_an_error),
                client_unit_test(SE3_the_old_way_of_asking_works_too),
                client_unit_test(SE2_nothing_is_created_and_the_body_is_ignored),
        };

        return cmocka_run_group_tests_name("selection", tests, NULL, NULL);
}
