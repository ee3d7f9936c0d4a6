/* SPDX-License-Identifier: BSD-2-Clause */

/* ctap/attestation.c: which format is chosen, and how each looks. */

#include "ctap/attestation.h"
#include "tests/unit/hex.h"
#include "tests/unit/test.h"

static void assert_choice(const char *hex, enum ctap_status want_status,
                          enum ctap_attestation want) {
        _cleanup_(release) struct bytes message = unhex(hex);
        enum ctap_attestation untouched = (enum ctap_attestation)99, got = untouched;
        struct bytes left = message;
        struct cbor_value v;

        assert_int_equal(cbor_check(message), CTAP_OK);
        v = cbor_next(&left);
        assert_int_equal(ctap_attestation_choose(&v, &got), want_status);
        assert_int_equal(got, want_status == CTAP_OK ? want : untouched);
}

static void MC18_without_a_preference_it_is_packed(void **state) {
        struct cbor_value v = { .kind = CBOR_KIND_ABSENT };
        enum ctap_attestation got = CTAP_ATTESTATION_NONE;

        (void)state;
        assert_int_equal(ctap_attestation_choose(&v, &got), CTAP_OK);
        assert_int_equal(got, CTAP_ATTESTATION_PACKED);
        assert_choice("80", CTAP_OK, CTAP_ATTESTATION_PACKED);
}

static void MC18_a_preference_that_is_no_array_of_text_is_of_the_wrong_type(void **state) {
        static const char *const wrong[] = { "a0",
                                             "00",
                                             "f6",
                                             "f5",
                                             "646e6f6e65",
                                             "40",
                                             "81 00",
                                             "81 f6",
                                             "81 446e6f6e65",
                                             "82 667061636b6564 00",
                                             "82 646e6f6e65 80" };

        (void)state;
        for (size_t i = 0; i < ELEMENTSOF(wrong); i++)
                assert_choice(wrong[i], CTAP2_ERR_CBOR_UNEXPECTED_TYPE, CTAP_ATTESTATION_NONE);
}

static void MC18_the_first_supported_format_is_taken(void **state) {
        (void)state;
        assert_choice("81 667061636b6564", CTAP_OK, CTAP_ATTESTATION_PACKED);
        assert_choice("82 6374706d 667061636b6564", CTAP_OK, CTAP_ATTESTATION_PACKED);
        assert_choice("82 646e6f6e65 667061636b6564", CTAP_OK, CTAP_ATTESTATION_PACKED);
        assert_choice("82 667061636b6564 646e6f6e65", CTAP_OK, CTAP_ATTESTATION_PACKED);
}

static void MC18_none_alone_means_none(void **state) {
        (void)state;
        assert_choice("81 646e6f6e65", CTAP_OK, CTAP_ATTESTATION_NONE);
        assert_choice("82 646e6f6e65 646e6f6e65", CTAP_OK, CTAP_ATTESTATION_PACKED);
        assert_choice("82 6374706d 646e6f6e65", CTAP_OK, CTAP_ATTESTATION_PACKED);
}

static void MC18_unknown_formats_alone_leave_the_default(void **state) {
        (void)state;
        assert_choice("81 6374706d", CTAP_OK, CTAP_ATTESTATION_PACKED);
        assert_choice("81 644e4f4e45", CTAP_OK, CTAP_ATTESTATION_PACKED);
        assert_choice("82 60 6374706d", CTAP_OK, CTAP_ATTESTATION_PACKED);
}

static void MC19_packed_self_attestation_is_alg_and_sig(void **state) {
        uint8_t storage[64] = { 0xa3 };
        struct buf out = { storage, 1, sizeof(storage), false };
        struct cbor_writer w = { &out };

        (void)state;
        ctap_attestation_put(&w, CTAP_ATTESTATION_PACKED, BYTES("\1\2", 2), -35,
                             BYTES("\3\4\5", 3));
        assert_int_equal(cbor_check(buf_bytes(&out)), CTAP_OK);
        assert_hex_equal(buf_bytes(&out), "a3 01 667061636b6564 02 420102"
                                          " 03 a2 63616c67 3822 63736967 43030405");
}

static void B3_alg_comes_before_sig(void **state) {
        uint8_t storage[64] = { 0xa3 };
        struct buf out = { storage, 1, sizeof(storage), false };
        struct cbor_writer w = { &out };
        uint8_t *alg, *sig;

        (void)state;
        ctap_attestation_put(&w, CTAP_ATTESTATION_PACKED, BYTES_NULL, -7, BYTES("\3", 1));
        alg = memmem(storage, out.len,
                     "\x63"
                     "alg",
                     4);
        sig = memmem(storage, out.len,
                     "\x63"
                     "sig",
                     4);
        assert_non_null(alg);
        assert_non_null(sig);
        assert_true(alg < sig);
        assert_int_equal(cbor_check(buf_bytes(&out)), CTAP_OK);
}

static void MC18_none_has_an_empty_statement(void **state) {
        uint8_t storage[64] = { 0xa3 };
        struct buf out = { storage, 1, sizeof(storage), false };
        struct cbor_writer w = { &out };

        (void)state;
        ctap_attestation_put(&w, CTAP_ATTESTATION_NONE, BYTES("\1\2", 2), -7, BYTES("\3\4\5", 3));
        assert_int_equal(cbor_check(buf_bytes(&out)), CTAP_OK);
        assert_hex_equal(buf_bytes(&out), "a3 01 646e6f6e65 02 420102 03 a0");
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(MC18_without_a_preference_it_is_packed),
                cmocka_unit_test(MC18_a_preference_that_is_no_array_of_text_is_of_the_wrong_type),
                cmocka_unit_test(MC18_the_first_supported_format_is_taken),
                cmocka_unit_test(MC18_none_alone_means_none),
                cmocka_unit_test(MC18_unknown_formats_alone_leave_the_default),
                cmocka_unit_test(MC19_packed_self_attestation_is_alg_and_sig),
                cmocka_unit_test(B3_alg_comes_before_sig),
                cmocka_unit_test(MC18_none_has_an_empty_statement),
        };

        return cmocka_run_group_tests_name("attestation", tests, NULL, NULL);
}
