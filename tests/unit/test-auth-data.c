/* SPDX-License-Identifier: BSD-2-Clause */

/* ctap/auth-data.c: the bytes that RPs parse and keys sign. */

#include "ctap/auth-data.h"
#include "tests/unit/hex.h"
#include "tests/unit/test.h"

#define RP_HASH "a1a2a3a4a5a6a7a8a9aaabacadaeafb0b1b2b3b4b5b6b7b8b9babbbcbdbebfc0"
#define KEY_X   "1111111111111111111111111111111111111111111111111111111111111111"
#define KEY_Y   "2222222222222222222222222222222222222222222222222222222222222222"

static struct ctap_auth_data plain(uint8_t flags, uint32_t count) {
        struct ctap_auth_data d = { .flags = flags, .count = count };

        for (uint8_t i = 0; i < sizeof(d.rp_id_hash.b); i++)
                d.rp_id_hash.b[i] = (uint8_t)(0xa1 + i);
        return d;
}

static struct ctap_attested some_attested(int64_t alg) {
        struct ctap_attested a = { .alg = ctap_cose_find(alg, ~0u) };

        memset(a.aaguid, 0x77, sizeof(a.aaguid));
        memset(a.id.b, 0x88, sizeof(a.id.b));
        a.key.type = a.alg->type;
        memset(a.key.x, 0x11, sizeof(a.key.x));
        memset(a.key.y, 0x22, sizeof(a.key.y));
        return a;
}

static struct buf written(const struct ctap_auth_data *d) {
        static uint8_t storage[CTAP_AUTH_DATA_MAX + 32];
        struct buf out = BUF_ON(storage);

        ctap_auth_data_put(d, &out);
        assert_int_equal(buf_error(&out), 0);
        return out;
}

static uint8_t flags_of(const struct ctap_auth_data *d) {
        struct buf out = written(d);

        return out.data[32];
}

static void F1_an_assertion_is_hash_flags_and_counter(void **state) {
        struct ctap_auth_data d = plain(CTAP_FLAG_UP, 0x01020304);
        struct buf out = written(&d);

        (void)state;
        assert_hex_equal(buf_bytes(&out), RP_HASH "01 01020304");
}

static void F1_a_new_credential_follows_the_counter(void **state) {
        struct ctap_attested a = some_attested(-7);
        struct ctap_auth_data d = plain(CTAP_FLAG_UP | CTAP_FLAG_UV, 1);
        struct buf out;

        (void)state;
        d.attested = &a;
        out = written(&d);
        assert_hex_equal(buf_bytes(&out),
                         RP_HASH "45 00000001 77777777777777777777777777777777 0030"
                                 " 888888888888888888888888888888888888888888888888"
                                 " 888888888888888888888888888888888888888888888888"
                                 " a5 01 02 03 26 20 01 21 5820 " KEY_X " 22 5820 " KEY_Y);
}

static void F1_extensions_come_last(void **state) {
        struct ctap_attested a = some_attested(-7);
        struct ctap_auth_data d = plain(CTAP_FLAG_UP, 1);
        struct bytes outputs = BYTES("\xa1\x61x\xf5", 4);
        struct buf out;

        (void)state;
        d.extensions = outputs;
        out = written(&d);
        assert_hex_equal(buf_bytes(&out), RP_HASH "81 00000001 a16178f5");

        d.attested = &a;
        out = written(&d);
        assert_int_equal(out.data[32], 0xc1);
        assert_bytes_equal(BYTES(out.data + out.len - 4, 4), outputs);
}

static void F2_flags_say_what_is_inside(void **state) {
        struct ctap_attested a = some_attested(-7);
        struct ctap_auth_data d = plain(0, 0);

        (void)state;
        assert_int_equal(flags_of(&d), 0);
        d.flags = CTAP_FLAG_UP | CTAP_FLAG_UV;
        assert_int_equal(flags_of(&d), 0x05);
        d.attested = &a;
        assert_int_equal(flags_of(&d), 0x45);
        d.extensions = BYTES("\xa0", 1);
        assert_int_equal(flags_of(&d), 0xc5);
}

static void F2_reserved_bits_and_idle_claims_stay_zero(void **state) {
        struct ctap_auth_data d = plain(0xff, 0);

        (void)state;
        assert_int_equal(flags_of(&d), CTAP_FLAG_UP | CTAP_FLAG_UV);
}

static void F3_no_key_is_ever_said_to_be_backed_up(void **state) {
        struct ctap_attested a = some_attested(-7);
        struct ctap_auth_data d = plain(CTAP_FLAG_BE | CTAP_FLAG_BS | CTAP_FLAG_UP, 9);

        (void)state;
        assert_int_equal(flags_of(&d) & (CTAP_FLAG_BE | CTAP_FLAG_BS), 0);
        d.attested = &a;
        assert_int_equal(flags_of(&d) & (CTAP_FLAG_BE | CTAP_FLAG_BS), 0);
}

static void F4_the_aaguid_is_the_one_given(void **state) {
        struct ctap_attested a = some_attested(-7);
        struct ctap_auth_data d = plain(CTAP_FLAG_UP, 9);
        struct buf out;

        (void)state;
        d.attested = &a;
        for (uint8_t i = 0; i < sizeof(a.aaguid); i++)
                a.aaguid[i] = i;
        out = written(&d);
        assert_hex_equal(BYTES(out.data + 37, 16), "000102030405060708090a0b0c0d0e0f");
}

static void F5_the_counter_has_four_bytes(void **state) {
        struct ctap_auth_data d = plain(CTAP_FLAG_UP, UINT32_MAX);
        struct buf out = written(&d);

        (void)state;
        assert_hex_equal(BYTES(out.data + 33, out.len - 33), "ffffffff");
}

static void F6_nothing_is_claimed_that_was_not_given(void **state) {
        struct ctap_auth_data d = plain(0, 1);

        (void)state;
        assert_int_equal(flags_of(&d) & (CTAP_FLAG_UP | CTAP_FLAG_UV), 0);
        d.flags = CTAP_FLAG_UP;
        assert_int_equal(flags_of(&d) & CTAP_FLAG_UV, 0);
        d.flags = CTAP_FLAG_UV;
        assert_int_equal(flags_of(&d) & CTAP_FLAG_UP, 0);
}

static void F7_the_attested_key_has_the_id_asked_for(void **state) {
        struct ctap_attested a = some_attested(-9);
        struct ctap_auth_data d = plain(CTAP_FLAG_UP, 1);
        struct buf out;

        (void)state;
        d.attested = &a;
        out = written(&d);
        assert_hex_equal(BYTES(out.data + 37 + 16 + 2 + 48, 5), "a501020328");
}

static void the_largest_one_fits(void **state) {
        static const uint8_t outputs[CTAP_EXTENSIONS_MAX] = { 0xa0 };
        struct ctap_attested a = some_attested(-257);
        struct ctap_auth_data d = plain(CTAP_FLAG_UP, 1);
        uint8_t storage[CTAP_AUTH_DATA_MAX];
        struct buf out = BUF_ON(storage);

        (void)state;
        d.attested = &a;
        d.extensions = BYTES_OF(outputs);
        ctap_auth_data_put(&d, &out);
        assert_int_equal(buf_error(&out), 0);
        assert_int_equal(out.len, CTAP_AUTH_DATA_MAX);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(F1_an_assertion_is_hash_flags_and_counter),
                cmocka_unit_test(F1_a_new_credential_follows_the_counter),
                cmocka_unit_test(F1_extensions_come_last),
                cmocka_unit_test(F2_flags_say_what_is_inside),
                cmocka_unit_test(F2_reserved_bits_and_idle_claims_stay_zero),
                cmocka_unit_test(F3_no_key_is_ever_said_to_be_backed_up),
                cmocka_unit_test(F4_the_aaguid_is_the_one_given),
                cmocka_unit_test(F5_the_counter_has_four_bytes),
                cmocka_unit_test(F6_nothing_is_claimed_that_was_not_given),
                cmocka_unit_test(F7_the_attested_key_has_the_id_asked_for),
                cmocka_unit_test(the_largest_one_fits),
        };

        return cmocka_run_group_tests_name("auth-data", tests, NULL, NULL);
}
