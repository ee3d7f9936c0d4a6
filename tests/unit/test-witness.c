/* SPDX-License-Identifier: BSD-2-Clause */

/* What the witness of ctap/env.h is told by each command, and what it is not. */

#include <errno.h>
#include <stdio.h>

#include "ctap/command.h"
#include "ctap/crypto.h"
#include "ctap/policy.h"
#include "tests/fake/client.h"
#include "tests/fake/pin-client.h"
#include "tests/unit/test.h"

/* Since this was asked last. */
static void assert_noted(struct client *c, const char *want) {
        assert_string_equal(c->fake->noted, want);
        *c->fake->noted = '\0';
}

static void making_and_using_is_told_with_its_site(void **state) {
        struct client *c = *state;
        struct made made;

        client_make_credential(c);
        assert_int_equal(client_send(c), CTAP_OK);
        client_read_made(c, &made);
        assert_noted(c, "created example.com; ");
        client_get_assertion(c);
        client_set_list(c, 3, &made, 1);
        assert_int_equal(client_send(c), CTAP_OK);
        assert_noted(c, "used example.com; ");

        client_get_token(c, 2, CTAP_PERMISSION_GA, CLIENT_RP);
        client_get_assertion(c);
        client_set_list(c, 3, &made, 1);
        client_authorize(c);
        assert_int_equal(client_send(c), CTAP_OK);
        assert_noted(c, "used example.com uv; ");
}

static void what_was_refused_or_kept_nowhere_is_not_told(void **state) {
        struct client *c = *state;
        struct made made;

        client_register(c, false, "ann", &made);
        *c->fake->noted = '\0';
        client_get_assertion(c);
        client_set_list(c, 3, &made, 1);
        client_set(c, 5, "{'up': false}");
        assert_int_equal(client_send(c), CTAP_OK);
        client_make_credential(c);
        client_set(c, 2, "{'id': '.dummy', 'name': ''}");
        assert_int_equal(client_send(c), CTAP_OK);
        c->fake->answer = CTAP_ANSWER_NO;
        client_make_credential(c);
        assert_int_equal(client_send(c), CTAP2_ERR_OPERATION_DENIED);
        c->fake->answer = CTAP_ANSWER_YES;
        client_make_credential(c);
        fake_fail(c->fake, "insert", 1, -EIO);
        assert_int_equal(client_send(c), CTAP1_ERR_OTHER);
        client_get_assertion(c);
        client_set_list(c, 3, &made, 1);
        fake_fail(c->fake, "sign", 1, -EIO);
        assert_int_equal(client_send(c), CTAP1_ERR_OTHER);
        assert_noted(c, "");
}

static void u2f_tells_no_site(void **state) {
        struct client *c = *state;
        uint8_t apdu[7 + 65 + CTAP_CREDENTIAL_ID_SIZE + 2] = { 0, 2, 3, 0, 0, 0, 0 };
        struct buf message = { apdu, 7, sizeof(apdu), false };
        uint8_t reply[CTAP_REPLY_MAX];
        struct buf out = BUF_ON(reply);
        const struct bytes rp_id = BYTES_TEXT(CLIENT_RP);
        struct sha256 app;
        struct made made;

        client_u2f_register(c, &made);
        assert_noted(c, "created; created; "); /* it asks twice, and the person says yes at once */

        apdu[6] = 65 + CTAP_CREDENTIAL_ID_SIZE;
        buf_put(&message, BYTES(c->client_data_hash, 32));
        assert_int_equal(ctap_sha256(&rp_id, 1, &app), 0);
        buf_put(&message, BYTES_OF(app));
        buf_put_u8(&message, (uint8_t)made.id.len);
        buf_put(&message, made.id);
        buf_put_u16(&message, 0);
        ctap_u2f(c->ctap, c->channel, buf_bytes(&message), &out);
        assert_bytes_equal(BYTES(out.data + out.len - 2, 2), BYTES("\x90\x00", 2));
        assert_noted(c, "used; ");
}

static void pins_are_told_with_the_tries_that_are_left(void **state) {
        struct client *c = *state;

        assert_int_equal(ctap_pin_set(c->ctap, BYTES_TEXT("1234")), CTAP_OK);
        assert_int_equal(ctap_pin_set(c->ctap, BYTES_TEXT("1234")), CTAP2_ERR_PIN_AUTH_INVALID);
        assert_noted(c, "pin-set; ");
        assert_int_equal(ctap_pin_change(c->ctap, BYTES_TEXT("1234"), BYTES_TEXT("5678")), CTAP_OK);
        assert_noted(c, "pin-changed; ");
        assert_int_equal(ctap_pin_try(c->ctap, BYTES_TEXT("5678")), CTAP_OK);
        assert_noted(c, "");
        assert_int_equal(ctap_pin_change(c->ctap, BYTES_TEXT("1234"), BYTES_TEXT("9999")),
                         CTAP2_ERR_PIN_INVALID);
        assert_noted(c, "pin-wrong 7; ");
        for (unsigned n = 6; n > 0; n--) {
                char want[20];

                ctap_power_up(c->ctap);
                assert_int_equal(ctap_pin_try(c->ctap, BYTES_TEXT("1234")), CTAP2_ERR_PIN_INVALID);
                snprintf(want, sizeof(want), "pin-wrong %u; ", n);
                assert_noted(c, want);
        }
        ctap_power_up(c->ctap);
        assert_int_equal(ctap_pin_try(c->ctap, BYTES_TEXT("1234")), CTAP2_ERR_PIN_BLOCKED);
        assert_noted(c, "pin-wrong 0; pin-blocked; ");
        assert_int_equal(ctap_pin_try(c->ctap, BYTES_TEXT("1234")), CTAP2_ERR_PIN_BLOCKED);
        assert_noted(c, "");
}

static void settings_are_told_and_what_the_administrator_locked(void **state) {
        struct client *c = *state;

        client_manage(c, 0x0d, 3);
        client_set(c, 2, "{1: 6}");
        assert_int_equal(client_send(c), CTAP_OK);
        assert_noted(c, "setting 3; ");
        client_manage(c, 0x0d, 3);
        client_set(c, 2, "{1: 5}");
        assert_int_equal(client_send(c), CTAP2_ERR_PIN_POLICY_VIOLATION);
        fake_fail(c->fake, "set_settings", 1, -EIO);
        client_manage(c, 0x0d, 2);
        assert_int_equal(client_send(c), CTAP1_ERR_OTHER);
        assert_noted(c, "");

        c->ctap->options.locks = CTAP_LOCK_ALL;
        client_manage(c, 0x0d, 2);
        assert_int_equal(client_send(c), CTAP2_ERR_OPERATION_DENIED);
        assert_noted(c, "policy 0d:27; ");
        c->ctap->options.locks = 0;
        c->ctap->options.always_uv = true;
        c->fake->now_ms += CTAP_POLICY_PAUSE_MS;
        client_manage(c, 0x0d, 2);
        assert_int_equal(client_send(c), CTAP2_ERR_OPERATION_DENIED);
        assert_noted(c, "policy 0d:27; ");
}

static void what_is_refused_in_a_loop_is_told_now_and_then(void **state) {
        struct client *c = *state;

        c->ctap->options.reset_by_administrator = true;
        c->ctap->options.locks = CTAP_LOCK_ALL;
        for (unsigned n = 0; n < 100; n++)
                assert_int_equal(client_call(c, 0x07, BYTES_NULL), CTAP2_ERR_OPERATION_DENIED);
        assert_noted(c, "policy 07:27; ");
        /* One command takes nothing from another. */
        client_manage(c, 0x0d, 2);
        assert_int_equal(client_send(c), CTAP2_ERR_OPERATION_DENIED);
        assert_noted(c, "policy 0d:27; ");

        /* From when it was told last, and not from the last try. */
        c->fake->now_ms += CTAP_POLICY_PAUSE_MS - 1;
        assert_int_equal(client_call(c, 0x07, BYTES_NULL), CTAP2_ERR_OPERATION_DENIED);
        assert_noted(c, "");
        c->fake->now_ms++;
        assert_int_equal(client_call(c, 0x07, BYTES_NULL), CTAP2_ERR_OPERATION_DENIED);
        assert_int_equal(client_call(c, 0x07, BYTES_NULL), CTAP2_ERR_OPERATION_DENIED);
        assert_noted(c, "policy 07:27; ");
}

static void sites_that_are_refused_one_after_the_other_are_told_now_and_then(void **state) {
        struct client *c = *state;

        c->ctap->options.rp_rules.deny = "*.example";
        c->fake->answer = CTAP_ANSWER_CANCELLED;
        for (unsigned n = 0; n < 10; n++) {
                client_make_credential(c);
                client_set(c, 2,
                           n % 2 ? "{'id': 'a.example', 'name': ''}"
                                 : "{'id': 'b.example', 'name': ''}");
                assert_int_equal(client_send(c), CTAP2_ERR_KEEPALIVE_CANCEL);
        }
        assert_noted(c, "policy b.example 01:2d; ");
}

static void nobody_has_to_listen(void **state) {
        struct client *c = *state;
        struct made made;

        c->ctap->env.witness = NULL;
        client_register(c, false, "ann", &made);
        assert_int_equal(ctap_pin_set(c->ctap, BYTES_TEXT("1234")), CTAP_OK);
        assert_noted(c, "");
}

int main(void) {
        const struct CMUnitTest tests[] = {
                client_unit_test(making_and_using_is_told_with_its_site),
                client_unit_test(what_was_refused_or_kept_nowhere_is_not_told),
                client_unit_test(u2f_tells_no_site),
                client_unit_test(pins_are_told_with_the_tries_that_are_left),
                client_unit_test(settings_are_told_and_what_the_administrator_locked),
                client_unit_test(what_is_refused_in_a_loop_is_told_now_and_then),
                client_unit_test(sites_that_are_refused_one_after_the_other_are_told_now_and_then),
                client_unit_test(nobody_has_to_listen),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
