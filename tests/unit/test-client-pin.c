/* SPDX-License-Identifier: BSD-2-Clause */

/* ctap/client-pin.c: the subcommands, what each wants, and in which order it looks at it. */

#include <errno.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>

#include "ctap/command.h"
#include "tests/fake/pin-client.h"
#include "tests/unit/hex.h"
#include "tests/unit/test.h"

#define PIN   "1234"
#define OTHER "a longer one"
#define WRONG "4321"

#define assert_status(got, expected) assert_int_equal((got), (expected))

static int setup_with_pin(void **state) {
        struct platform p;
        int r;

        r = client_setup(state);
        if (r == 0)
                assert_status(pin_set(*state, &p, 2, PIN), CTAP_OK);
        return r;
}

static int teardown(void **state) {
        assert_int_equal(ERR_peek_error(), 0);
        return client_teardown(state);
}

#define bare_test(f)     cmocka_unit_test_setup_teardown(f, client_setup, teardown)
#define test_with_pin(f) cmocka_unit_test_setup_teardown(f, setup_with_pin, teardown)

/* ---- what every subcommand has in common ---- */

static void CP17_the_subcommand_is_missing(void **state) {
        struct client *c = *state;

        pin_begin(c, PIN_GET_RETRIES, 1);
        client_unset(c, 2);
        assert_status(client_send(c), CTAP2_ERR_MISSING_PARAMETER);
        assert_status(client_call(c, 0x06, BYTES_NULL), CTAP2_ERR_MISSING_PARAMETER);
        assert_status(client_call(c, 0x06, BYTES("\xa0", 1)), CTAP2_ERR_MISSING_PARAMETER);
}

static void CP17_unknown_subcommands(void **state) {
        static const char *const unknown[] = {
                "0",
                "8",
                "10",
                "11",
                "16",
                "255",
                "256",
                "257",
                "-1",
                "4294967297",
                "9223372036854775807",
                "-9223372036854775807",
        };
        struct client *c = *state;
        struct platform p;

        pin_agree(c, &p, 1);
        fake_forget_trace(c->fake);
        for (size_t i = 0; i < ELEMENTSOF(unknown); i++) {
                pin_ask_for_token(c, &p, PIN);
                client_set(c, 2, "%s", unknown[i]);
                assert_status(client_send(c), CTAP2_ERR_INVALID_SUBCOMMAND);
                pin_begin(c, PIN_GET_RETRIES, 9);
                client_set(c, 2, "%s", unknown[i]);
                assert_status(client_send(c), CTAP2_ERR_INVALID_SUBCOMMAND);
        }
        assert_string_equal(c->fake->trace, "");
}

static void B9_client_pin_members_of_the_wrong_type(void **state) {
        static const struct {
                unsigned key;
                const char *notation;
        } wrong[] = {
                { 0x01, "'1'" },    { 0x01, "h'01'" },  { 0x02, "'1'" },         { 0x02, "true" },
                { 0x03, "h'00'" },  { 0x03, "[]" },     { 0x04, "'mac'" },       { 0x04, "1" },
                { 0x05, "'1234'" }, { 0x06, "'1234'" }, { 0x06, "{}" },          { 0x09, "h'01'" },
                { 0x09, "[1]" },    { 0x0a, "h'61'" },  { 0x0a, "{'id': 'a'}" },
        };
        static const enum pin_subcommand subs[] = { PIN_GET_RETRIES, PIN_GET_KEY,
                                                    PIN_SET,         PIN_CHANGE,
                                                    PIN_GET_TOKEN,   PIN_GET_TOKEN_FOR };
        struct client *c = *state;

        for (size_t i = 0; i < ELEMENTSOF(wrong); i++)
                for (size_t k = 0; k < ELEMENTSOF(subs); k++) {
                        pin_begin(c, subs[k], 1);
                        client_set(c, wrong[i].key, "%s", wrong[i].notation);
                        assert_status(client_send(c), CTAP2_ERR_CBOR_UNEXPECTED_TYPE);
                }
        assert_status(client_call(c, 0x06, BYTES("\x80", 1)), CTAP2_ERR_CBOR_UNEXPECTED_TYPE);
        assert_status(client_call(c, 0x06, BYTES("\xa1\x02", 2)), CTAP2_ERR_INVALID_CBOR);
}

static void B12_client_pin_unknown_members_are_ignored(void **state) {
        struct client *c = *state;

        pin_begin(c, PIN_GET_RETRIES, 0);
        client_set(c, 0x07, "true");
        client_set(c, 0x08, "'what'");
        client_set(c, 0x0f, "[]");
        assert_status(client_send(c), CTAP_OK);
}

static void CP18_tries_are_told_without_a_protocol(void **state) {
        struct client *c = *state;
        bool power_cycle;

        pin_begin(c, PIN_GET_RETRIES, 0);
        assert_status(client_send(c), CTAP_OK);
        assert_hex_equal(c->body, "a10308");
        pin_begin(c, PIN_GET_RETRIES, 77);
        assert_status(client_send(c), CTAP_OK);

        c->fake->pin_count = 3;
        c->ctap->pin_mismatches = 3;
        pin_begin(c, PIN_GET_RETRIES, 0);
        assert_status(client_send(c), CTAP_OK);
        assert_int_equal(pin_read_retries(c, &power_cycle), 5);
        assert_true(power_cycle);
        assert_hex_equal(c->body, "a2030504f5");
        assert_int_equal(client_fail_everywhere(c), 1);
}

static void CP19_the_key_is_told_for_a_protocol(void **state) {
        static const char *const unsupported[] = { "0", "3", "-1", "4294967297", "258" };
        struct client *c = *state;
        struct platform p;

        pin_begin(c, PIN_GET_KEY, 0);
        assert_status(client_send(c), CTAP2_ERR_MISSING_PARAMETER);
        for (size_t i = 0; i < ELEMENTSOF(unsupported); i++) {
                pin_begin(c, PIN_GET_KEY, 1);
                client_set(c, 1, "%s", unsupported[i]);
                assert_status(client_send(c), CTAP1_ERR_INVALID_PARAMETER);
        }
        assert_string_equal(c->fake->trace, "");
        for (unsigned protocol = 1; protocol <= 2; protocol++)
                pin_agree(c, &p, protocol);
        assert_int_equal(client_fail_everywhere(c), 0);
}

static void CP14_the_reply_holds_the_key_and_nothing_else(void **state) {
        uint8_t storage[128];
        struct buf last = BUF_ON(storage);
        struct client *c = *state;

        for (unsigned protocol = 1; protocol <= 2; protocol++) {
                pin_begin(c, PIN_GET_KEY, protocol);
                assert_status(client_send(c), CTAP_OK);
                assert_int_equal(c->body.len, 13 + 32 + 3 + 32);
                assert_hex_equal(BYTES(c->body.data, 12), "a101a5010203381820012158");
                assert_false(bytes_equal(c->body, buf_bytes(&last)));
                last.len = 0;
                buf_put(&last, c->body);
                assert_status(client_send(c), CTAP_OK);
                assert_bytes_equal(c->body, buf_bytes(&last));
        }
}

/* ---- faults, in the order in which they are found ---- */

typedef void fault_fn(struct client *c, const struct platform *p);

struct fault {
        fault_fn *make;
        uint8_t status;
};

static void no_protocol(struct client *c, const struct platform *p _unused_) {
        client_unset(c, 1);
}

static void no_key(struct client *c, const struct platform *p _unused_) {
        client_unset(c, 3);
}

static void no_param(struct client *c, const struct platform *p _unused_) {
        client_unset(c, 4);
}

static void no_new_pin(struct client *c, const struct platform *p _unused_) {
        client_unset(c, 5);
}

static void no_pin_hash(struct client *c, const struct platform *p _unused_) {
        client_unset(c, 6);
}

static void no_permissions(struct client *c, const struct platform *p _unused_) {
        client_unset(c, 9);
}

static void empty_permissions(struct client *c, const struct platform *p _unused_) {
        client_set(c, 9, "0");
}

static void some_permissions(struct client *c, const struct platform *p _unused_) {
        client_set(c, 9, "3");
}

static void too_many_permissions(struct client *c, const struct platform *p _unused_) {
        client_set(c, 9, "11");
}

static void no_rp_id(struct client *c, const struct platform *p _unused_) {
        client_unset(c, 10);
}

static void a_long_rp_id(struct client *c, const struct platform *p _unused_) {
        char id[257];

        memset(id, 'a', 256);
        id[256] = '\0';
        client_set(c, 10, "'%s'", id);
}

static void an_rp_id(struct client *c, const struct platform *p _unused_) {
        client_set(c, 10, "'example.com'");
}

static void another_protocol(struct client *c, const struct platform *p _unused_) {
        client_set(c, 1, "3");
}

static void pin_is_set(struct client *c, const struct platform *p _unused_) {
        c->fake->settings.pin_length = 4;
}

static void pin_is_not_set(struct client *c, const struct platform *p _unused_) {
        c->fake->settings.pin_length = 0;
}

static void no_tries_are_left(struct client *c, const struct platform *p _unused_) {
        c->fake->pin_count = 8;
}

static void it_is_latched(struct client *c, const struct platform *p _unused_) {
        c->ctap->pin_mismatches = 3;
}

static void a_point_off_the_curve(struct client *c, const struct platform *p _unused_) {
        c->members[3].data[c->members[3].len - 1] ^= 1;
}

static void a_wrong_mac(struct client *c, const struct platform *p _unused_) {
        c->members[4].data[5] ^= 1;
}

/* One byte more, and the MAC over it. */
static void lengthen(struct client *c, const struct platform *p, unsigned key) {
        uint8_t storage[256] = { 0 };
        struct bytes raw = BYTES(c->members[key].data, c->members[key].len);
        struct bytes old = cbor_next(&raw).string;

        memcpy(storage, old.data, old.len);
        pin_set_bytes(c, key, BYTES(storage, old.len + 1));
        if (c->members[4].len > 0)
                pin_authenticate(c, p);
}

static void a_pin_hash_of_no_blocks(struct client *c, const struct platform *p) {
        lengthen(c, p, 6);
}

static void a_new_pin_of_no_blocks(struct client *c, const struct platform *p) {
        lengthen(c, p, 5);
}

static void a_wrong_pin(struct client *c, const struct platform *p) {
        pin_set_old(c, p, BYTES("0123456789abcdef", 16));
}

static void a_new_pin_without_end(struct client *c, const struct platform *p) {
        pin_set_new(c, p,
                    BYTES("0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef", 64));
}

static void a_new_pin_that_is_too_short(struct client *c, const struct platform *p) {
        pin_set_new(c, p,
                    BYTES("123\0\0\0\0\0\0\0\0\0\0\0\0\0"
                          "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"
                          "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0",
                          64));
}

static void it_must_be_changed(struct client *c, const struct platform *p _unused_) {
        c->fake->settings.force_pin_change = true;
}

static void nobody_can_type_it(struct client *c, const struct platform *p _unused_) {
        c->fake->abilities = 0;
}

static void no_uv_tries_are_left(struct client *c, const struct platform *p _unused_) {
        c->fake->settings.uv_retries = 0;
}

static void the_person_says_no(struct client *c, const struct platform *p _unused_) {
        c->fake->answer = CTAP_ANSWER_NO;
}

static void ask(struct client *c, const struct platform *p, enum pin_subcommand sub) {
        switch (sub) {
        case PIN_SET:
                pin_ask_to_set(c, p, PIN);
                return;
        case PIN_CHANGE:
                pin_ask_to_change(c, p, PIN, OTHER);
                return;
        case PIN_GET_TOKEN:
                pin_ask_for_token(c, p, PIN);
                return;
        case PIN_GET_TOKEN_FOR:
                pin_ask_for_token_for(c, p, PIN, 3, CLIENT_RP);
                return;
        case PIN_GET_TOKEN_BY_UV:
                c->fake->abilities = CTAP_PRESENCE_VERIFY;
                c->fake->typed = PIN;
                pin_ask_for_token_by_uv(c, p, 3, CLIENT_RP);
                return;
        case PIN_GET_RETRIES:
        case PIN_GET_KEY:
        case PIN_GET_UV_RETRIES:
                pin_begin(c, sub, p->protocol);
                return;
        }
}

/*
 * Each fault alone, and each together with all that come after it: the answer is that of the first.
 * Only a wrong PIN, as the first fault, costs a try.
 */
static void assert_order(enum pin_subcommand sub, const struct fault *faults, size_t n) {
        for (unsigned protocol = 1; protocol <= 2; protocol++)
                for (size_t i = 0; i < 2 * n; i++) {
                        const size_t first = i % n, last = i < n ? first : n - 1;
                        struct platform p;
                        struct client *c;
                        struct ctap_pin_hash before;
                        uint8_t status;
                        void *state;

                        assert_int_equal(sub == PIN_SET ? client_setup(&state)
                                                        : setup_with_pin(&state),
                                         0);
                        c = state;
                        pin_agree(c, &p, protocol);
                        ask(c, &p, sub);
                        for (size_t k = last + 1; k-- > first;)
                                faults[k].make(c, &p);
                        before = c->fake->pin;
                        status = client_send(c);
                        if (status != faults[first].status)
                                fail_msg("fault %zu to %zu, protocol %u: status %02x, not %02x",
                                         first, last, protocol, status, faults[first].status);
                        if (c->fake->pin_count % 8 != (faults[first].make == a_wrong_pin))
                                fail_msg("fault %zu to %zu: %u tries", first, last,
                                         c->fake->pin_count);
                        assert_int_equal(c->fake->has_pin, sub != PIN_SET);
                        assert_memory_equal(&c->fake->pin, &before, sizeof(before));
                        assert_int_equal(c->ctap->token.protocol, 0);
                        teardown(&state);
                }
}

static void CP20_set_pin_looks_in_this_order(void **state) {
        static const struct fault faults[] = {
                { no_protocol, CTAP2_ERR_MISSING_PARAMETER },
                { no_key, CTAP2_ERR_MISSING_PARAMETER },
                { no_param, CTAP2_ERR_MISSING_PARAMETER },
                { no_new_pin, CTAP2_ERR_MISSING_PARAMETER },
                { another_protocol, CTAP1_ERR_INVALID_PARAMETER },
                { pin_is_set, CTAP2_ERR_PIN_AUTH_INVALID },
                { a_point_off_the_curve, CTAP1_ERR_INVALID_PARAMETER },
                { a_wrong_mac, CTAP2_ERR_PIN_AUTH_INVALID },
                { a_new_pin_of_no_blocks, CTAP2_ERR_PIN_AUTH_INVALID },
                { a_new_pin_without_end, CTAP2_ERR_PIN_POLICY_VIOLATION },
                { a_new_pin_that_is_too_short, CTAP2_ERR_PIN_POLICY_VIOLATION },
        };

        (void)state;
        assert_order(PIN_SET, faults, ELEMENTSOF(faults));
}

static void CP22_change_pin_looks_in_this_order(void **state) {
        static const struct fault faults[] = {
                { no_protocol, CTAP2_ERR_MISSING_PARAMETER },
                { no_key, CTAP2_ERR_MISSING_PARAMETER },
                { no_param, CTAP2_ERR_MISSING_PARAMETER },
                { no_new_pin, CTAP2_ERR_MISSING_PARAMETER },
                { no_pin_hash, CTAP2_ERR_MISSING_PARAMETER },
                { another_protocol, CTAP1_ERR_INVALID_PARAMETER },
                { pin_is_not_set, CTAP2_ERR_PIN_NOT_SET },
                { no_tries_are_left, CTAP2_ERR_PIN_BLOCKED },
                { it_is_latched, CTAP2_ERR_PIN_AUTH_BLOCKED },
                { a_point_off_the_curve, CTAP1_ERR_INVALID_PARAMETER },
                { a_wrong_mac, CTAP2_ERR_PIN_AUTH_INVALID },
                { a_pin_hash_of_no_blocks, CTAP2_ERR_PIN_AUTH_INVALID },
                { a_wrong_pin, CTAP2_ERR_PIN_INVALID },
                { a_new_pin_of_no_blocks, CTAP2_ERR_PIN_AUTH_INVALID },
                { a_new_pin_without_end, CTAP2_ERR_PIN_POLICY_VIOLATION },
                { a_new_pin_that_is_too_short, CTAP2_ERR_PIN_POLICY_VIOLATION },
        };

        (void)state;
        assert_order(PIN_CHANGE, faults, ELEMENTSOF(faults));
}

static void CP23_the_old_way_looks_in_this_order(void **state) {
        static const struct fault faults[] = {
                { no_protocol, CTAP2_ERR_MISSING_PARAMETER },
                { no_key, CTAP2_ERR_MISSING_PARAMETER },
                { no_pin_hash, CTAP2_ERR_MISSING_PARAMETER },
                { some_permissions, CTAP1_ERR_INVALID_PARAMETER },
                { an_rp_id, CTAP1_ERR_INVALID_PARAMETER },
                { another_protocol, CTAP1_ERR_INVALID_PARAMETER },
                { pin_is_not_set, CTAP2_ERR_PIN_NOT_SET },
                { no_tries_are_left, CTAP2_ERR_PIN_BLOCKED },
                { it_is_latched, CTAP2_ERR_PIN_AUTH_BLOCKED },
                { a_point_off_the_curve, CTAP1_ERR_INVALID_PARAMETER },
                { a_pin_hash_of_no_blocks, CTAP2_ERR_PIN_AUTH_INVALID },
                { a_wrong_pin, CTAP2_ERR_PIN_INVALID },
                { it_must_be_changed, CTAP2_ERR_PIN_INVALID },
        };

        (void)state;
        assert_order(PIN_GET_TOKEN, faults, ELEMENTSOF(faults));
}

static void CP24_the_new_way_looks_in_this_order(void **state) {
        static const struct fault faults[] = {
                { no_protocol, CTAP2_ERR_MISSING_PARAMETER },
                { no_key, CTAP2_ERR_MISSING_PARAMETER },
                { no_pin_hash, CTAP2_ERR_MISSING_PARAMETER },
                { no_permissions, CTAP2_ERR_MISSING_PARAMETER },
                { another_protocol, CTAP1_ERR_INVALID_PARAMETER },
                { empty_permissions, CTAP1_ERR_INVALID_PARAMETER },
                { no_rp_id, CTAP2_ERR_MISSING_PARAMETER },
                { a_long_rp_id, CTAP1_ERR_INVALID_PARAMETER },
                { too_many_permissions, CTAP2_ERR_UNAUTHORIZED_PERMISSION },
                { pin_is_not_set, CTAP2_ERR_PIN_NOT_SET },
                { no_tries_are_left, CTAP2_ERR_PIN_BLOCKED },
                { it_is_latched, CTAP2_ERR_PIN_AUTH_BLOCKED },
                { a_point_off_the_curve, CTAP1_ERR_INVALID_PARAMETER },
                { a_pin_hash_of_no_blocks, CTAP2_ERR_PIN_AUTH_INVALID },
                { a_wrong_pin, CTAP2_ERR_PIN_INVALID },
                { it_must_be_changed, CTAP2_ERR_PIN_POLICY_VIOLATION },
        };

        (void)state;
        assert_order(PIN_GET_TOKEN_FOR, faults, ELEMENTSOF(faults));
}

/* Nobody is asked before all of it was looked at. */
static void CP25_the_way_by_uv_looks_in_this_order(void **state) {
        static const struct fault faults[] = {
                { no_protocol, CTAP2_ERR_MISSING_PARAMETER },
                { no_key, CTAP2_ERR_MISSING_PARAMETER },
                { no_permissions, CTAP2_ERR_MISSING_PARAMETER },
                { another_protocol, CTAP1_ERR_INVALID_PARAMETER },
                { empty_permissions, CTAP1_ERR_INVALID_PARAMETER },
                { no_rp_id, CTAP2_ERR_MISSING_PARAMETER },
                { a_long_rp_id, CTAP1_ERR_INVALID_PARAMETER },
                { too_many_permissions, CTAP2_ERR_UNAUTHORIZED_PERMISSION },
                { pin_is_not_set, CTAP2_ERR_NOT_ALLOWED },
                { nobody_can_type_it, CTAP2_ERR_NOT_ALLOWED },
                { it_must_be_changed, CTAP2_ERR_PIN_POLICY_VIOLATION },
                { no_tries_are_left, CTAP2_ERR_UV_BLOCKED },
                { it_is_latched, CTAP2_ERR_UV_BLOCKED },
                { no_uv_tries_are_left, CTAP2_ERR_UV_BLOCKED },
                { a_point_off_the_curve, CTAP1_ERR_INVALID_PARAMETER },
                { the_person_says_no, CTAP2_ERR_OPERATION_DENIED },
        };

        (void)state;
        assert_order(PIN_GET_TOKEN_BY_UV, faults, ELEMENTSOF(faults));
}

/* ---- setPIN and changePIN ---- */

static void CP20_a_pin_is_set(void **state) {
        struct client *c = *state;
        struct platform p;

        c->fake->settings.force_pin_change = true;
        for (unsigned protocol = 1; protocol <= 2; protocol++) {
                assert_status(pin_set(c, &p, protocol, PIN), CTAP_OK);
                assert_int_equal(c->fake->settings.pin_length, 4);
                assert_false(c->fake->settings.force_pin_change);
                assert_int_equal(pin_retries(c), 8);
                assert_status(pin_set(c, &p, protocol, OTHER), CTAP2_ERR_PIN_AUTH_INVALID);
                assert_status(pin_get_token(c, &p, protocol, PIN), CTAP_OK);
                assert_status(client_call(c, 0x07, BYTES_NULL), CTAP_OK);
        }
}

static void CP20_the_padded_pin_is_64_bytes_with_an_end(void **state) {
        uint8_t padded[1024] = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcde";
        struct client *c = *state;
        struct platform p;

        for (unsigned protocol = 1; protocol <= 2; protocol++) {
                pin_agree(c, &p, protocol);
                pin_ask_to_set(c, &p, PIN);
                for (size_t n = 16; n <= sizeof(padded) - 32; n += 16) {
                        if (n == 64)
                                continue;
                        pin_set_new(c, &p, BYTES(padded, n));
                        assert_status(client_send(c), n < 64 ? CTAP1_ERR_INVALID_PARAMETER
                                                             : CTAP2_ERR_PIN_POLICY_VIOLATION);
                }
                padded[63] = 'f';
                pin_set_new(c, &p, BYTES(padded, 64));
                assert_status(client_send(c), CTAP2_ERR_PIN_POLICY_VIOLATION);
                assert_false(c->fake->has_pin);

                padded[63] = '\0';
                pin_set_new(c, &p, BYTES(padded, 64));
                assert_status(client_send(c), CTAP_OK);
                assert_int_equal(c->fake->settings.pin_length, 63);
                assert_status(pin_get_token(c, &p, protocol, (const char *)padded), CTAP_OK);
                assert_status(client_call(c, 0x07, BYTES_NULL), CTAP_OK);
        }
}

static void CP12_ciphertexts_of_a_wrong_length_are_refused(void **state) {
        const uint8_t zeros[128] = { 0 };
        struct client *c = *state;
        struct platform p;

        for (unsigned protocol = 1; protocol <= 2; protocol++) {
                const size_t right = protocol == 1 ? 16 : 32;

                pin_agree(c, &p, protocol);
                for (size_t n = 0; n <= sizeof(zeros); n++) {
                        if (n == right)
                                continue;
                        pin_ask_for_token(c, &p, PIN);
                        pin_set_bytes(c, 6, BYTES(zeros, n));
                        assert_status(client_send(c), CTAP2_ERR_PIN_AUTH_INVALID);
                        pin_ask_to_change(c, &p, PIN, OTHER);
                        pin_set_bytes(c, 6, BYTES(zeros, n));
                        pin_authenticate(c, &p);
                        assert_status(client_send(c), CTAP2_ERR_PIN_AUTH_INVALID);
                }
        }
        assert_int_equal(pin_retries(c), 8);
        assert_int_equal(fake_calls(c->fake, "pin_verify"), 0);
}

static void CP22_a_pin_is_changed(void **state) {
        struct client *c = *state;
        struct platform p, token;

        for (unsigned protocol = 1; protocol <= 2; protocol++) {
                const char *old = protocol == 1 ? PIN : OTHER, *new = protocol == 1 ? OTHER : PIN;

                assert_status(pin_get_token(c, &token, 3 - protocol, old), CTAP_OK);
                assert_true(pin_token_is_good(c, &token));
                assert_status(pin_change(c, &p, protocol, WRONG, new), CTAP2_ERR_PIN_INVALID);
                assert_true(pin_token_is_good(c, &token));
                c->fake->settings.force_pin_change = true;
                assert_status(pin_change(c, &p, protocol, old, new), CTAP_OK);
                assert_false(pin_token_is_good(c, &token));
                assert_false(c->fake->settings.force_pin_change);
                assert_int_equal(c->fake->settings.pin_length, strlen(new));
                assert_int_equal(pin_retries(c), 8);
                assert_status(pin_get_token(c, &p, protocol, old), CTAP2_ERR_PIN_INVALID);
                assert_status(pin_get_token(c, &p, protocol, new), CTAP_OK);
        }
}

static void CP22_a_wrong_mac_costs_no_try(void **state) {
        struct client *c = *state;
        struct platform p;

        pin_agree(c, &p, 2);
        for (unsigned i = 0; i < 10; i++) {
                pin_ask_to_change(c, &p, WRONG, OTHER);
                a_wrong_mac(c, &p);
                assert_status(client_send(c), CTAP2_ERR_PIN_AUTH_INVALID);
        }
        assert_int_equal(pin_retries(c), 8);
        pin_ask_to_change(c, &p, PIN, OTHER); /* and the agreement is still good */
        assert_status(client_send(c), CTAP_OK);
}

/* The MAC is over both; half of it is not enough. */
static void CP22_the_mac_covers_both_ciphertexts(void **state) {
        struct client *c = *state;
        struct platform p;

        for (unsigned protocol = 1; protocol <= 2; protocol++) {
                pin_agree(c, &p, protocol);
                for (unsigned key = 5; key <= 6; key++) {
                        pin_ask_to_change(c, &p, PIN, OTHER);
                        c->members[key].data[c->members[key].len - 1] ^= 1;
                        assert_status(client_send(c), CTAP2_ERR_PIN_AUTH_INVALID);
                }
                pin_ask_to_set(c, &p, OTHER); /* a MAC over newPinEnc alone */
                client_set(c, 2, "%u", (unsigned)PIN_CHANGE);
                pin_set_bytes(c, 6, BYTES("0123456789abcdef0123456789abcdef", 16 * protocol));
                assert_status(client_send(c), CTAP2_ERR_PIN_AUTH_INVALID);
        }
        assert_int_equal(pin_retries(c), 8);
}

static void CP22_who_must_change_a_pin_cannot_keep_it(void **state) {
        struct client *c = *state;
        struct platform p;

        assert_status(pin_change(c, &p, 1, PIN, PIN), CTAP_OK);
        c->fake->settings.force_pin_change = true;
        assert_status(pin_change(c, &p, 1, PIN, PIN), CTAP2_ERR_PIN_POLICY_VIOLATION);
        assert_status(pin_change(c, &p, 1, WRONG, WRONG), CTAP2_ERR_PIN_INVALID);
        assert_true(c->fake->settings.force_pin_change);
        assert_status(pin_change(c, &p, 1, PIN, OTHER), CTAP_OK);
        assert_status(pin_change(c, &p, 1, OTHER, OTHER), CTAP_OK);
}

/* Nothing is learnt about what is allowed by who does not know the PIN. */
static void CP22_what_is_wrong_with_a_new_pin_hears_only_who_knows_the_old_one(void **state) {
        struct client *c = *state;
        struct platform p;

        fake_forget_trace(c->fake);
        assert_status(pin_change(c, &p, 2, WRONG, "123"), CTAP2_ERR_PIN_INVALID);
        assert_int_equal(pin_retries(c), 7);
        assert_status(pin_change(c, &p, 2, PIN, "123"), CTAP2_ERR_PIN_POLICY_VIOLATION);
        assert_int_equal(pin_retries(c), 8);
        assert_int_equal(fake_calls(c->fake, "pin_verify"), 2);
        assert_int_equal(fake_calls(c->fake, "pin_change"), 0);
}

/* ---- tokens ---- */

static struct sha256 hash_of(const char *rp_id) {
        struct sha256 hash;

        assert_int_equal(EVP_Digest(rp_id, strlen(rp_id), hash.b, NULL, EVP_sha256(), NULL), 1);
        return hash;
}

static void CP23_the_old_way_gives_two_permissions_and_no_site(void **state) {
        struct client *c = *state;
        const struct ctap_token *t = &c->ctap->token;
        struct platform p;

        for (unsigned protocol = 1; protocol <= 2; protocol++) {
                assert_status(pin_get_token(c, &p, protocol, PIN), CTAP_OK);
                assert_true(pin_token_is_good(c, &p));
                assert_int_equal(t->permissions, CTAP_PERMISSION_MC | CTAP_PERMISSION_GA);
                assert_false(t->has_rp);
                assert_true(t->user_verified);
                assert_int_equal(t->protocol, protocol);
                assert_true(t->ticket.len > 0);
        }
}

static void CP24_a_token_has_what_was_asked_for(void **state) {
        struct client *c = *state;
        const struct ctap_token *t = &c->ctap->token;
        const struct sha256 hash = hash_of(CLIENT_RP);
        struct platform p;

        for (unsigned protocol = 1; protocol <= 2; protocol++)
                for (unsigned permissions = 1; permissions <= 3; permissions++) {
                        assert_status(pin_get_token_for(c, &p, protocol, PIN, permissions,
                                                        CLIENT_RP),
                                      CTAP_OK);
                        assert_int_equal(t->permissions, permissions);
                        assert_true(t->has_rp);
                        assert_memory_equal(&t->rp_id_hash, &hash, sizeof(hash));
                        assert_true(t->ticket.len > 0);
                        assert_true(pin_token_is_good(c, &p));
                }
}

static void CP24_a_forced_change_comes_before_any_token(void **state) {
        struct client *c = *state;
        struct platform p;

        c->fake->settings.force_pin_change = true;
        assert_status(pin_get_token(c, &p, 1, WRONG), CTAP2_ERR_PIN_INVALID);
        assert_status(pin_get_token(c, &p, 1, PIN), CTAP2_ERR_PIN_INVALID);
        assert_int_equal(pin_retries(c), 8); /* it was the right one */
        assert_status(pin_get_token_for(c, &p, 2, PIN, 1, CLIENT_RP),
                      CTAP2_ERR_PIN_POLICY_VIOLATION);
        assert_int_equal(c->ctap->token.protocol, 0);
        assert_status(pin_change(c, &p, 2, PIN, OTHER), CTAP_OK);
        assert_status(pin_get_token_for(c, &p, 2, OTHER, 1, CLIENT_RP), CTAP_OK);
}

static uint8_t permit(struct client *c, const char *permissions, const char *rp_id) {
        struct platform p;

        pin_agree(c, &p, 2);
        pin_ask_for_token_for(c, &p, PIN, 0, rp_id);
        client_set(c, 9, "%s", permissions);
        return client_send(c);
}

static void CP28_making_and_using_credentials_needs_a_site(void **state) {
        static const char *const needs[] = { "1", "2", "3", "5", "6", "65", "127" };
        struct client *c = *state;

        for (size_t i = 0; i < ELEMENTSOF(needs); i++)
                assert_status(permit(c, needs[i], NULL), CTAP2_ERR_MISSING_PARAMETER);
        assert_status(permit(c, "4", NULL), CTAP_OK);
        assert_false(c->ctap->token.has_rp);
        assert_status(permit(c, "4", CLIENT_RP), CTAP_OK);
        assert_true(c->ctap->token.has_rp);
        assert_status(permit(c, "64", NULL), CTAP_OK);
        assert_status(permit(c, "64", CLIENT_RP), CTAP_OK);
}

static void CP28_undefined_bits_are_ignored(void **state) {
        static const struct {
                const char *permissions;
                uint8_t status, granted;
        } cases[] = {
                { "129", CTAP_OK, 1 },
                { "259", CTAP_OK, 3 },
                { "4294967298", CTAP_OK, 2 },
                { "128", CTAP1_ERR_INVALID_PARAMETER, 0 }, /* nothing remains */
                { "-1", CTAP1_ERR_INVALID_PARAMETER, 0 },
                { "136", CTAP2_ERR_UNAUTHORIZED_PERMISSION, 0 },
        };
        struct client *c = *state;

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                assert_status(permit(c, cases[i].permissions, CLIENT_RP), cases[i].status);
                if (cases[i].status == CTAP_OK)
                        assert_int_equal(c->ctap->token.permissions, cases[i].granted);
        }
}

static void CP29_what_cannot_be_granted_is_refused_whatever_else_is_asked(void **state) {
        const unsigned there = CTAP_PERMISSION_MC | CTAP_PERMISSION_GA | CTAP_PERMISSION_CM |
                               CTAP_PERMISSION_LBW | CTAP_PERMISSION_ACFG;
        struct client *c = *state;
        unsigned n_granted = 0;
        char text[8];

        for (unsigned permissions = 1; permissions < 128; permissions++) {
                const bool good = !(permissions & ~there) || permissions == CTAP_PERMISSION_PCMR;

                snprintf(text, sizeof(text), "%u", permissions);
                assert_status(permit(c, text, CLIENT_RP),
                              good ? CTAP_OK : CTAP2_ERR_UNAUTHORIZED_PERMISSION);
                n_granted += good;
        }
        c->ctap->options.max_large_blobs = 0;
        assert_status(permit(c, "16", NULL), CTAP2_ERR_UNAUTHORIZED_PERMISSION);
        assert_status(permit(c, "20", NULL), CTAP2_ERR_UNAUTHORIZED_PERMISSION);
        assert_int_equal(fake_calls(c->fake, "pin_verify"), n_granted);
}

static void CP30_a_new_token_ends_that_of_another_client(void **state) {
        struct client *c = *state;
        struct platform one, two;

        for (unsigned before = 1; before <= 2; before++)
                for (unsigned after = 1; after <= 2; after++) {
                        assert_status(pin_get_token(c, &one, before, PIN), CTAP_OK);
                        c->channel++;
                        assert_status(pin_get_token_for(c, &two, after, PIN, 2, CLIENT_RP),
                                      CTAP_OK);
                        assert_false(pin_token_is_good(c, &one));
                        assert_true(pin_token_is_good(c, &two));
                }
        /* who fails to get one takes none away */
        assert_status(pin_get_token(c, &one, 1, WRONG), CTAP2_ERR_PIN_INVALID);
        assert_true(pin_token_is_good(c, &two));
}

static void CP32_token_and_ticket_end_together(void **state) {
        struct client *c = *state;
        struct ctap_ticket ticket;
        struct platform p;

        assert_status(pin_get_token(c, &p, 1, PIN), CTAP_OK);
        c->fake->now_ms += 29999;
        assert_true(pin_token_is_good(c, &p));
        ticket = c->ctap->token.ticket;
        c->fake->now_ms += 570000;
        assert_true(pin_token_is_good(c, &p));
        assert_int_equal(c->fake->keys.ops->ticket_check(&c->fake->keys, &ticket), 0);
        c->fake->now_ms++;
        assert_false(pin_token_is_good(c, &p));
        assert_int_equal(c->fake->keys.ops->ticket_check(&c->fake->keys, &ticket), -EKEYEXPIRED);
}

/* ---- everything fails once ---- */

static void a_token_is_whole_or_not_there(void **state) {
        struct client *c = *state;
        struct platform p;

        for (unsigned protocol = 1; protocol <= 2; protocol++) {
                assert_status(pin_get_token(c, &p, protocol, PIN), CTAP_OK);
                pin_ask_for_token_for(c, &p, PIN, 3, CLIENT_RP);
                /* tries twice, verify, the token; in protocol two the IV */
                assert_int_equal(client_fail_everywhere(c), protocol == 1 ? 4 : 5);
                pin_read_token(c, &p);
                assert_true(pin_token_is_good(c, &p));
                assert_int_equal(pin_retries(c), 8);
        }
        pin_ask_for_token(c, &p, PIN);
        fake_fail(c->fake, "fill", 2, -EIO);
        assert_status(client_send(c), CTAP1_ERR_OTHER);
        assert_int_equal(c->ctap->token.protocol, 0);
}

static bool change_fails(unsigned nth, unsigned protocol) {
        struct platform p;
        struct client *c;
        uint8_t status;
        void *state;
        bool failed;

        assert_int_equal(setup_with_pin(&state), 0);
        c = state;
        pin_agree(c, &p, protocol);
        pin_ask_to_change(c, &p, PIN, OTHER);
        fake_fail(c->fake, NULL, nth, -EIO);
        status = client_send(c);
        failed = !fake_mend(c->fake);
        assert_status(status, failed ? CTAP1_ERR_OTHER : CTAP_OK);
        if (pin_get_token(c, &p, protocol, OTHER) != CTAP_OK) {
                assert_true(failed);
                assert_status(pin_change(c, &p, protocol, PIN, OTHER), CTAP_OK);
        }
        assert_int_equal(pin_retries(c), 8);
        teardown(&state);
        return failed;
}

static void a_change_is_one_or_the_other(void **state) {
        (void)state;
        for (unsigned protocol = 1; protocol <= 2; protocol++) {
                unsigned n = 1;

                while (change_fails(n, protocol))
                        n++;
                assert_in_range(n - 1, 4, 5); /* tries twice, doubt, change, truth */
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                bare_test(CP17_the_subcommand_is_missing),
                bare_test(CP17_unknown_subcommands),
                bare_test(B9_client_pin_members_of_the_wrong_type),
                bare_test(B12_client_pin_unknown_members_are_ignored),
                bare_test(CP18_tries_are_told_without_a_protocol),
                bare_test(CP19_the_key_is_told_for_a_protocol),
                bare_test(CP14_the_reply_holds_the_key_and_nothing_else),
                cmocka_unit_test(CP20_set_pin_looks_in_this_order),
                cmocka_unit_test(CP22_change_pin_looks_in_this_order),
                cmocka_unit_test(CP23_the_old_way_looks_in_this_order),
                cmocka_unit_test(CP24_the_new_way_looks_in_this_order),
                cmocka_unit_test(CP25_the_way_by_uv_looks_in_this_order),
                bare_test(CP20_a_pin_is_set),
                bare_test(CP20_the_padded_pin_is_64_bytes_with_an_end),
                test_with_pin(CP12_ciphertexts_of_a_wrong_length_are_refused),
                test_with_pin(CP22_a_pin_is_changed),
                test_with_pin(CP22_a_wrong_mac_costs_no_try),
                test_with_pin(CP22_the_mac_covers_both_ciphertexts),
                test_with_pin(CP22_who_must_change_a_pin_cannot_keep_it),
                test_with_pin(CP22_what_is_wrong_with_a_new_pin_hears_only_who_knows_the_old_one),
                test_with_pin(CP23_the_old_way_gives_two_permissions_and_no_site),
                test_with_pin(CP24_a_token_has_what_was_asked_for),
                test_with_pin(CP24_a_forced_change_comes_before_any_token),
                test_with_pin(CP28_making_and_using_credentials_needs_a_site),
                test_with_pin(CP28_undefined_bits_are_ignored),
                test_with_pin(CP29_what_cannot_be_granted_is_refused_whatever_else_is_asked),
                test_with_pin(CP30_a_new_token_ends_that_of_another_client),
                test_with_pin(CP32_token_and_ticket_end_together),
                test_with_pin(a_token_is_whole_or_not_there),
                cmocka_unit_test(a_change_is_one_or_the_other),
        };

        return cmocka_run_group_tests_name("client-pin", tests, NULL, NULL);
}
