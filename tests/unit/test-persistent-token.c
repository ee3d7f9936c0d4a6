/* SPDX-License-Identifier: BSD-2-Clause */

/* ctap/persistent-token.c: since when it is there, whom it lets in, and what ends it. */

#include <errno.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <string.h>

#include "ctap/persistent-token.h"
#include "ctap/pin.h"
#include "tests/fake/client.h"
#include "tests/unit/test.h"

#define OTHER "a longer one"
#define WRONG "4321"

static struct secret32 token_of(struct client *c) {
        struct secret32 token;

        assert_int_equal(ctap_persistent_token(c->ctap, &token), 0);
        return token;
}

static bool is_token(struct client *c, const struct secret32 *token) {
        const struct secret32 now = token_of(c);

        return memcmp(&now, token, sizeof(now)) == 0;
}

/* What somebody would send who holds this token. */
static bool opens(struct client *c, const struct secret32 *token, int64_t protocol) {
        const struct bytes message = BYTES_TEXT("anything");
        uint8_t mac[32];

        assert_non_null(HMAC(EVP_sha256(), token->b, 32, message.data, message.len, mac, NULL));
        return ctap_persistent_token_verify(c->ctap, protocol, message,
                                            BYTES(mac, protocol == 1 ? 16 : 32));
}

static uint8_t change(struct client *c, const char *old, const char *pin) {
        return (uint8_t)ctap_pin_change(c->ctap, BYTES_TEXT(old), BYTES_TEXT(pin));
}

static void restart(struct client *c) {
        const struct ctap_options options = { .max_message = CLIENT_MESSAGE };

        c->ctap = ctap_free(c->ctap);
        assert_int_equal(ctap_new(&c->fake->env, &options, &c->ctap), 0);
        ctap_power_up(c->ctap);
}

static void GI10_it_is_there_from_the_start_and_another_after_a_reset(void **state) {
        struct client *c = *state;
        const struct secret32 first = token_of(c);

        assert_true(is_token(c, &first));
        assert_memory_not_equal(first.b, first.b + 16, 16);
        assert_memory_not_equal(&first, &c->fake->store_key, sizeof(first));
        assert_int_equal(client_call(c, 0x07, BYTES_NULL), CTAP_OK);
        assert_false(is_token(c, &first));
}

static void CP34_it_is_the_same_one_for_ever(void **state) {
        struct client *c = *state;
        const struct secret32 first = token_of(c);

        restart(c);
        assert_true(is_token(c, &first));
        ctap_suspend(c->ctap);
        c->fake->now_ms += UINT64_C(1000) * 3600 * 24 * 365;
        c->fake->epoch++;
        assert_true(is_token(c, &first));
        client_set_pin(c);
        assert_true(is_token(c, &first));
        assert_string_equal(c->fake->trace, "");
}

static void CP34_it_opens_by_either_protocol_and_any_number_of_times(void **state) {
        struct client *c = *state;
        const struct secret32 token = token_of(c);
        struct secret32 near = token;

        client_set_pin(c);
        for (unsigned i = 0; i < 3; i++)
                for (int64_t protocol = 1; protocol <= 2; protocol++)
                        assert_true(opens(c, &token, protocol));
        assert_false(opens(c, &token, 0));
        assert_false(opens(c, &token, 3));
        assert_false(opens(c, &token, -1));
        assert_false(opens(c, &token, INT64_C(0x100000001)));
        near.b[31] ^= 1;
        assert_false(opens(c, &near, 1));
        assert_false(opens(c, &near, 2));
        assert_false(ctap_persistent_token_verify(c->ctap, 1, BYTES_NULL, BYTES_NULL));
}

static void CP34_without_a_pin_it_was_given_to_nobody(void **state) {
        struct client *c = *state;
        const struct secret32 token = token_of(c);

        assert_false(opens(c, &token, 1));
        client_set_pin(c);
        assert_true(opens(c, &token, 1));
        assert_int_equal(client_call(c, 0x07, BYTES_NULL), CTAP_OK);
        client_set_pin(c);
        assert_false(opens(c, &token, 1));
}

static void CP34_a_new_pin_ends_it(void **state) {
        struct client *c = *state;
        struct secret32 token;

        client_set_pin(c);
        token = token_of(c);
        assert_int_equal(change(c, WRONG, OTHER), CTAP2_ERR_PIN_INVALID);
        assert_int_equal(change(c, CLIENT_PIN, "123"), CTAP2_ERR_PIN_POLICY_VIOLATION);
        assert_true(opens(c, &token, 2));
        assert_int_equal(change(c, CLIENT_PIN, OTHER), CTAP_OK);
        assert_false(opens(c, &token, 2));

        token = token_of(c);
        assert_int_equal(change(c, OTHER, OTHER), CTAP_OK);
        assert_false(opens(c, &token, 2));
}

/* Whatever fails, and also if it is the power: no new PIN with an old token. */
static void CP34_there_is_no_moment_at_which_it_outlives_its_pin(void **state) {
        struct client *c = *state;

        for (unsigned nth = 1; nth <= 5; nth++) {
                struct ctap_pin_hash before;
                struct secret32 token;
                bool changed;

                c->fake->settings = CTAP_SETTINGS_DEFAULT;
                client_set_pin(c);
                before = c->fake->pin;
                token = token_of(c);
                fake_fail(c->fake, NULL, nth, -EIO);
                (void)change(c, CLIENT_PIN, OTHER);
                assert_int_equal(fake_mend(c->fake), nth == 5);
                restart(c);
                changed = memcmp(&before, &c->fake->pin, sizeof(before)) != 0;
                assert_int_equal(changed, nth >= 4);
                assert_true(!changed || !opens(c, &token, 2));
        }
        c->fake->settings = CTAP_SETTINGS_DEFAULT;
        client_set_pin(c);
        c->fake->pin_unheard = true;
        assert_int_equal(change(c, CLIENT_PIN, OTHER), CTAP1_ERR_OTHER);
        assert_int_equal(c->fake->settings.persistent_token_epoch, 1);
}

static void CP34_settings_can_end_it_by_themselves(void **state) {
        struct client *c = *state;
        const struct secret32 token = token_of(c);
        struct ctap_settings settings;

        client_set_pin(c);
        settings = c->fake->settings;
        ctap_persistent_token_end(&settings);
        assert_true(opens(c, &token, 1));
        assert_int_equal(c->fake->store.ops->set_settings(&c->fake->store, &settings), 0);
        assert_false(opens(c, &token, 1));
}

int main(void) {
        const struct CMUnitTest tests[] = {
                client_unit_test(GI10_it_is_there_from_the_start_and_another_after_a_reset),
                client_unit_test(CP34_it_is_the_same_one_for_ever),
                client_unit_test(CP34_it_opens_by_either_protocol_and_any_number_of_times),
                client_unit_test(CP34_without_a_pin_it_was_given_to_nobody),
                client_unit_test(CP34_a_new_pin_ends_it),
                client_unit_test(CP34_there_is_no_moment_at_which_it_outlives_its_pin),
                client_unit_test(CP34_settings_can_end_it_by_themselves),
        };

        return cmocka_run_group_tests_name("persistent-token", tests, NULL, NULL);
}
