/* SPDX-License-Identifier: BSD-2-Clause */

/* ctap/pin-token.c: what a token is good for, and until when. */

#include <errno.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <string.h>

#include "ctap/pin-token.h"
#include "tests/fake/fake.h"
#include "tests/unit/test.h"

#define NOW 5000000u

static const struct sha256 here = { "here" }, there = { "there" };
static const struct ctap_ticket ticket = { 3, "abc" };

struct held {
        struct fake *fake;
        struct ctap_token token;
};

static int setup(void **state) {
        struct held *h = calloc(1, sizeof(*h));

        assert_non_null(h);
        h->fake = fake_new();
        *state = h;
        return 0;
}

static int teardown(void **state) {
        struct held *h = *state;

        h->fake = fake_free(h->fake);
        free(h);
        return 0;
}

static void issue(struct held *h, unsigned protocol, uint8_t permissions,
                  const struct sha256 *rp_id_hash) {
        assert_int_equal(ctap_token_issue(&h->token, h->fake->env.rng, protocol, permissions,
                                          rp_id_hash, &ticket, NOW),
                         0);
}

/* What the platform would send, had it this token. */
static bool verifies(struct held *h, const struct ctap_token *of, int64_t protocol, uint64_t at) {
        const struct bytes message = BYTES_TEXT("client data hash");
        struct sha256 mac;

        assert_non_null(
                HMAC(EVP_sha256(), of->value.b, 32, message.data, message.len, mac.b, NULL));
        return ctap_token_verify(&h->token, protocol, message,
                                 BYTES(mac.b, protocol == 1 ? 16 : 32), at);
}

static bool now(struct held *h, uint64_t after) {
        return verifies(h, &h->token, h->token.protocol, NOW + after);
}

static void CP15_a_token_is_32_bytes_that_never_come_again(void **state) {
        struct held *h = *state;
        struct secret32 first;

        issue(h, 1, CTAP_PERMISSION_MC, &here);
        first = h->token.value;
        issue(h, 1, CTAP_PERMISSION_MC, &here);
        assert_int_equal(sizeof(first), 32);
        assert_memory_not_equal(&first, &h->token.value, 32);
        assert_memory_not_equal(h->token.value.b, h->token.value.b + 16, 16);
}

static void CP16_any_difference_is_one(void **state) {
        const struct bytes message = BYTES_TEXT("m");
        struct held *h = *state;
        struct sha256 mac;

        issue(h, 2, CTAP_PERMISSION_MC, &here);
        assert_non_null(
                HMAC(EVP_sha256(), h->token.value.b, 32, message.data, message.len, mac.b, NULL));
        for (unsigned bit = 0; bit < 256; bit++) {
                mac.b[bit / 8] ^= (uint8_t)(1u << bit % 8);
                assert_false(ctap_token_verify(&h->token, 2, message, BYTES_OF(mac), NOW));
                mac.b[bit / 8] ^= (uint8_t)(1u << bit % 8);
        }
        assert_false(h->token.was_used);
        assert_true(ctap_token_verify(&h->token, 2, message, BYTES_OF(mac), NOW));
        assert_true(h->token.was_used);
}

static void CP30_a_new_token_ends_the_old_one_of_either_protocol(void **state) {
        struct held *h = *state;
        struct ctap_token old;

        for (unsigned before = 1; before <= 2; before++)
                for (unsigned after = 1; after <= 2; after++) {
                        issue(h, before, CTAP_PERMISSION_MC, &here);
                        assert_true(now(h, 0));
                        old = h->token;
                        issue(h, after, CTAP_PERMISSION_GA, NULL);
                        assert_false(verifies(h, &old, before, NOW));
                        assert_false(verifies(h, &old, after, NOW));
                        assert_true(now(h, 0));
                        assert_false(ctap_token_permits(&h->token, CTAP_PERMISSION_MC, &here));
                }
}

static void CP30_a_token_is_of_one_protocol(void **state) {
        struct held *h = *state;

        issue(h, 1, CTAP_PERMISSION_MC, &here);
        assert_false(verifies(h, &h->token, 2, NOW));
        assert_false(verifies(h, &h->token, 0, NOW));
        assert_true(verifies(h, &h->token, 1, NOW));
        issue(h, 2, CTAP_PERMISSION_MC, &here);
        assert_false(verifies(h, &h->token, 1, NOW));
        assert_false(verifies(h, &h->token, INT64_C(0x100000002), NOW));
        assert_true(verifies(h, &h->token, 2, NOW));
}

static void CP31_a_token_carries_what_it_was_issued_for(void **state) {
        struct held *h = *state;
        const struct ctap_token *t = &h->token;

        issue(h, 2, CTAP_PERMISSION_MC | CTAP_PERMISSION_GA, &here);
        assert_int_equal(t->protocol, 2);
        assert_int_equal(t->permissions, 0x03);
        assert_true(t->has_rp);
        assert_memory_equal(&t->rp_id_hash, &here, sizeof(here));
        assert_true(t->user_verified);
        assert_false(t->was_used);
        assert_memory_equal(&t->ticket, &ticket, sizeof(ticket));
        assert_int_equal(t->issued_ms, NOW);
}

static void CP31_permissions_and_site_are_asked_for(void **state) {
        struct held *h = *state;

        issue(h, 1, CTAP_PERMISSION_MC, &here);
        assert_true(ctap_token_permits(&h->token, CTAP_PERMISSION_MC, &here));
        assert_false(ctap_token_permits(&h->token, CTAP_PERMISSION_MC, &there));
        assert_false(ctap_token_permits(&h->token, CTAP_PERMISSION_GA, &here));
        h->token.user_verified = false;
        assert_false(ctap_token_permits(&h->token, CTAP_PERMISSION_MC, &here));
}

static void CP31_a_token_for_no_site_is_for_the_first_that_it_serves(void **state) {
        struct held *h = *state;

        issue(h, 1, CTAP_PERMISSION_MC | CTAP_PERMISSION_GA, NULL);
        assert_false(ctap_token_permits(&h->token, CTAP_PERMISSION_CM, &there)); /* binds nothing */
        assert_false(h->token.has_rp);
        assert_true(ctap_token_permits(&h->token, CTAP_PERMISSION_GA, &here));
        assert_true(ctap_token_permits(&h->token, CTAP_PERMISSION_MC, &here));
        assert_false(ctap_token_permits(&h->token, CTAP_PERMISSION_MC, &there));
}

static void CP31_a_used_up_token_may_still_write_large_blobs(void **state) {
        struct held *h = *state;

        issue(h, 1, CTAP_PERMISSION_MC | CTAP_PERMISSION_GA | CTAP_PERMISSION_LBW, &here);
        ctap_token_consume(&h->token);
        assert_int_equal(h->token.permissions, CTAP_PERMISSION_LBW);
        assert_false(ctap_token_permits(&h->token, CTAP_PERMISSION_MC, &here));
        assert_false(ctap_token_permits(&h->token, CTAP_PERMISSION_GA, &here));
        assert_true(now(h, 0));
}

static void CP32_the_first_use_is_within_30_seconds(void **state) {
        struct held *h = *state;

        issue(h, 1, CTAP_PERMISSION_MC, &here);
        assert_true(now(h, 29999));
        issue(h, 1, CTAP_PERMISSION_MC, &here);
        assert_false(now(h, 30000));
        assert_int_equal(h->token.protocol, 0);
        assert_int_equal(h->token.ticket.len, 0);
        assert_false(now(h, 0));
}

static void CP32_a_wrong_mac_is_no_use(void **state) {
        struct held *h = *state;

        issue(h, 1, CTAP_PERMISSION_MC, &here);
        assert_false(ctap_token_verify(&h->token, 1, BYTES_NULL, BYTES("0123456789abcdef", 16),
                                       NOW + 10000));
        assert_false(now(h, 30000));
}

static void CP32_the_end_is_after_600_seconds(void **state) {
        struct held *h = *state;

        issue(h, 2, CTAP_PERMISSION_MC, &here);
        assert_true(now(h, 10000));
        assert_true(now(h, 599999));
        assert_false(now(h, 600000));
        assert_int_equal(h->token.protocol, 0);
        assert_int_equal(h->token.value.b[0] | h->token.value.b[31], 0);
}

static void CP33_a_token_for_one_site_is_for_no_other(void **state) {
        struct held *h = *state;

        issue(h, 2, CTAP_PERMISSION_CM, &here);
        assert_true(ctap_token_permits(&h->token, CTAP_PERMISSION_CM, &here));
        assert_false(ctap_token_permits(&h->token, CTAP_PERMISSION_CM, &there));
}

static void no_token_verifies_nothing(void **state) {
        struct held *h = *state;

        for (int64_t protocol = -1; protocol <= 3; protocol++)
                assert_false(verifies(h, &h->token, protocol, NOW));
        issue(h, 1, 0xff, &here);
        ctap_token_wipe(&h->token);
        for (int64_t protocol = 0; protocol <= 2; protocol++)
                assert_false(verifies(h, &h->token, protocol, NOW));
        assert_false(ctap_token_permits(&h->token, CTAP_PERMISSION_MC, &here));
}

static void without_random_bytes_the_old_token_stays(void **state) {
        struct held *h = *state;

        issue(h, 1, CTAP_PERMISSION_MC, &here);
        fake_fail(h->fake, "fill", 1, -EIO);
        assert_int_equal(ctap_token_issue(&h->token, h->fake->env.rng, 2, CTAP_PERMISSION_GA, NULL,
                                          &ticket, NOW),
                         -EIO);
        assert_true(now(h, 0));
        assert_int_equal(h->token.permissions, CTAP_PERMISSION_MC);
}

#define held_test(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void) {
        const struct CMUnitTest tests[] = {
                held_test(no_token_verifies_nothing),
                held_test(without_random_bytes_the_old_token_stays),
                held_test(CP15_a_token_is_32_bytes_that_never_come_again),
                held_test(CP16_any_difference_is_one),
                held_test(CP30_a_new_token_ends_the_old_one_of_either_protocol),
                held_test(CP30_a_token_is_of_one_protocol),
                held_test(CP31_a_token_carries_what_it_was_issued_for),
                held_test(CP31_permissions_and_site_are_asked_for),
                held_test(CP31_a_token_for_no_site_is_for_the_first_that_it_serves),
                held_test(CP31_a_used_up_token_may_still_write_large_blobs),
                held_test(CP32_the_first_use_is_within_30_seconds),
                held_test(CP32_a_wrong_mac_is_no_use),
                held_test(CP32_the_end_is_after_600_seconds),
                held_test(CP33_a_token_for_one_site_is_for_no_other),
        };

        return cmocka_run_group_tests_name("pin-token", tests, NULL, NULL);
}
