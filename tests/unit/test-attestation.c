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
        assert_int_equal(ctap_attestation_prefer(&v, &got), want_status);
        assert_int_equal(got, want_status == CTAP_OK ? want : untouched);
}

static void MC18_without_a_preference_any_will_do(void **state) {
        struct cbor_value v = { .kind = CBOR_KIND_ABSENT };
        enum ctap_attestation got = CTAP_ATTESTATION_NONE;

        (void)state;
        assert_int_equal(ctap_attestation_prefer(&v, &got), CTAP_OK);
        assert_int_equal(got, CTAP_ATTESTATION_ANY);
        assert_choice("80", CTAP_OK, CTAP_ATTESTATION_ANY);
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

static void MC18_the_first_format_that_is_known_is_preferred(void **state) {
        (void)state;
        assert_choice("81 667061636b6564", CTAP_OK, CTAP_ATTESTATION_PACKED);
        assert_choice("81 6374706d", CTAP_OK, CTAP_ATTESTATION_TPM);
        assert_choice("82 6374706d 667061636b6564", CTAP_OK, CTAP_ATTESTATION_TPM);
        assert_choice("82 667061636b6564 6374706d", CTAP_OK, CTAP_ATTESTATION_PACKED);
        assert_choice("82 646e6f6e65 667061636b6564", CTAP_OK, CTAP_ATTESTATION_PACKED);
        assert_choice("82 667061636b6564 646e6f6e65", CTAP_OK, CTAP_ATTESTATION_PACKED);
}

static void MC18_none_alone_means_none(void **state) {
        (void)state;
        assert_choice("81 646e6f6e65", CTAP_OK, CTAP_ATTESTATION_NONE);
        assert_choice("82 646e6f6e65 646e6f6e65", CTAP_OK, CTAP_ATTESTATION_ANY);
        assert_choice("82 6374706d 646e6f6e65", CTAP_OK, CTAP_ATTESTATION_TPM);
}

static void MC18_unknown_formats_alone_leave_the_default(void **state) {
        (void)state;
        assert_choice("81 644e4f4e45", CTAP_OK, CTAP_ATTESTATION_ANY);
        assert_choice("81 6354504d", CTAP_OK, CTAP_ATTESTATION_ANY);
        assert_choice("82 60 6374706d", CTAP_OK, CTAP_ATTESTATION_TPM);
}

static void MC19_packed_self_attestation_is_alg_and_sig(void **state) {
        const struct ctap_statement statement = {
                .by = { .format = CTAP_ATTESTATION_PACKED },
                .alg = -35,
                .signature = BYTES("\3\4\5", 3),
        };
        uint8_t storage[64] = { 0xa3 };
        struct buf out = { storage, 1, sizeof(storage), false };
        struct cbor_writer w = { &out };

        (void)state;
        ctap_attestation_put(&w, &statement, BYTES("\1\2", 2));
        assert_int_equal(cbor_check(buf_bytes(&out)), CTAP_OK);
        assert_hex_equal(buf_bytes(&out), "a3 01 667061636b6564 02 420102"
                                          " 03 a2 63616c67 3822 63736967 43030405");
}

/* Certificates of 2 and 3 bytes: nobody here looks into them. */
static struct bytes certificate(struct ctap_attester *a _unused_, size_t nth) {
        static const struct bytes chain[] = { BYTES("\xaa\xbb", 2), BYTES("\xcc\xdd\xee", 3) };

        return nth < ELEMENTSOF(chain) ? chain[nth] : BYTES_NULL;
}

static bool serves(struct ctap_attester *a _unused_, struct bytes rp_id) {
        return bytes_equal(rp_id, BYTES_TEXT("served.example"));
}

static const struct ctap_attester_ops attester_ops = { .certificate = certificate,
                                                       .serves = serves };

static int certify(struct ctap_attester *a _unused_, struct ctap_loaded_key *key _unused_,
                   struct bytes data _unused_, struct ctap_certification *ret _unused_) {
        return -1;
}

static const struct ctap_attester_ops tpm_ops = { .certificate = certificate,
                                                  .serves = serves,
                                                  .certify = certify };

static void MC19_a_tpm_statement_has_what_the_tpm_said_and_who_signed_it(void **state) {
        struct ctap_attester attester = { &tpm_ops };
        const struct ctap_certification certification = {
                .info_len = 2,
                .public_area_len = 3,
                .info = { 0xff, 0x54 },
                .public_area = { 0x00, 0x23, 0x00 },
        };
        const struct ctap_statement statement = {
                .by = { CTAP_ATTESTATION_TPM, &attester, false },
                .alg = -257,
                .signature = BYTES("\3\4\5", 3),
                .certification = &certification,
        };
        uint8_t storage[96] = { 0xa3 };
        struct buf out = { storage, 1, sizeof(storage), false };
        struct cbor_writer w = { &out };

        (void)state;
        ctap_attestation_put(&w, &statement, BYTES("\1\2", 2));
        assert_int_equal(cbor_check(buf_bytes(&out)), CTAP_OK);
        assert_hex_equal(buf_bytes(&out), "a3 01 6374706d 02 420102 03 a6"
                                          " 63616c67 26 63736967 43030405 63766572 63322e30"
                                          " 63783563 82 42aabb 43ccddee"
                                          " 6770756241726561 43002300"
                                          " 6863657274496e666f 42ff54");
}

/* ---- who attests, and how ---- */

static void MC18_what_is_preferred_granted_and_there_decides(void **state) {
        static const struct {
                unsigned there; /* nobody, who signs, who certifies */
                bool granted;
                enum ctap_attestation preference;
                const char *rp_id;
                enum ctap_attestation format;
                bool by_attester, enterprise;
        } cases[] = {
                { 0, false, CTAP_ATTESTATION_ANY, "served.example", CTAP_ATTESTATION_PACKED, false,
                  false },
                { 0, false, CTAP_ATTESTATION_TPM, "served.example", CTAP_ATTESTATION_PACKED, false,
                  false },
                { 0, false, CTAP_ATTESTATION_NONE, "served.example", CTAP_ATTESTATION_NONE, false,
                  false },
                { 1, false, CTAP_ATTESTATION_ANY, "served.example", CTAP_ATTESTATION_PACKED, false,
                  false },
                { 1, true, CTAP_ATTESTATION_ANY, "served.example", CTAP_ATTESTATION_PACKED, true,
                  true },
                { 1, true, CTAP_ATTESTATION_TPM, "served.example", CTAP_ATTESTATION_PACKED, true,
                  true },
                { 1, true, CTAP_ATTESTATION_PACKED, "other.example", CTAP_ATTESTATION_PACKED, true,
                  true },
                { 1, true, CTAP_ATTESTATION_NONE, "served.example", CTAP_ATTESTATION_NONE, false,
                  false },
                { 2, false, CTAP_ATTESTATION_ANY, "served.example", CTAP_ATTESTATION_TPM, true,
                  false },
                { 2, false, CTAP_ATTESTATION_TPM, "served.example", CTAP_ATTESTATION_TPM, true,
                  false },
                { 2, false, CTAP_ATTESTATION_PACKED, "served.example", CTAP_ATTESTATION_PACKED,
                  false, false },
                { 2, false, CTAP_ATTESTATION_NONE, "served.example", CTAP_ATTESTATION_NONE, false,
                  false },
                { 2, false, CTAP_ATTESTATION_ANY, "other.example", CTAP_ATTESTATION_PACKED, false,
                  false },
                { 2, false, CTAP_ATTESTATION_TPM, "other.example", CTAP_ATTESTATION_PACKED, false,
                  false },
                { 2, true, CTAP_ATTESTATION_ANY, "other.example", CTAP_ATTESTATION_TPM, true,
                  true },
                { 2, true, CTAP_ATTESTATION_TPM, "served.example", CTAP_ATTESTATION_TPM, true,
                  true },
                { 2, true, CTAP_ATTESTATION_PACKED, "served.example", CTAP_ATTESTATION_PACKED,
                  false, false },
                { 2, true, CTAP_ATTESTATION_NONE, "served.example", CTAP_ATTESTATION_NONE, false,
                  false },
        };
        struct ctap_attester signer = { &attester_ops }, certifier = { &tpm_ops };
        struct ctap_attester *all[] = { NULL, &signer, &certifier };

        (void)state;
        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                struct ctap_attester *there = all[cases[i].there];
                const struct ctap_attestation_question q = {
                        .preference = cases[i].preference,
                        .there = there,
                        .granted = cases[i].granted ? there : NULL,
                        .rp_id = BYTES_TEXT(cases[i].rp_id),
                };
                const struct ctap_attesting by = ctap_attestation_decide(&q);

                assert_int_equal(by.format, cases[i].format);
                assert_ptr_equal(by.attester, cases[i].by_attester ? there : NULL);
                assert_int_equal(by.enterprise, cases[i].enterprise);
        }
}

static bool is_no_good(struct ctap_attester *a _unused_) {
        return false;
}

static bool is_good(struct ctap_attester *a _unused_) {
        return true;
}

/* Asked for or not, and granted or not: it is as if there were no certificates. */
static void MC18_what_has_expired_attests_to_nothing(void **state) {
        static const struct ctap_attester_ops good = { .certificate = certificate,
                                                       .serves = serves,
                                                       .is_good = is_good,
                                                       .certify = certify },
                                              expired = { .certificate = certificate,
                                                          .serves = serves,
                                                          .is_good = is_no_good,
                                                          .certify = certify };
        struct ctap_attester a = { &good };

        (void)state;
        for (unsigned granted = 0; granted <= 1; granted++) {
                const struct ctap_attestation_question q = {
                        .preference = CTAP_ATTESTATION_TPM,
                        .there = &a,
                        .granted = granted ? &a : NULL,
                        .rp_id = BYTES_TEXT("served.example"),
                };
                struct ctap_attesting by;

                a.ops = &good;
                assert_int_equal(ctap_attestation_decide(&q).format, CTAP_ATTESTATION_TPM);
                a.ops = &expired;
                by = ctap_attestation_decide(&q);
                assert_int_equal(by.format, CTAP_ATTESTATION_PACKED);
                assert_null(by.attester);
                assert_false(by.enterprise);
        }
}

/* Certificates of the size that the test set. */
struct sized {
        struct ctap_attester port;
        size_t size;
};

static struct bytes sized_certificate(struct ctap_attester *a, size_t nth) {
        static const uint8_t zeros[2048];

        return nth < 2 ? BYTES(zeros, container_of(a, struct sized, port)->size / 2) : BYTES_NULL;
}

static void H39_what_does_not_fit_beside_a_key_of_that_type_does_not_attest_to_it(void **state) {
        static const struct ctap_attester_ops sized_ops = { .certificate = sized_certificate,
                                                            .serves = serves,
                                                            .certify = certify };
        static const size_t rooms[] = { 1226, 1162, 840 };

        (void)state;
        for (unsigned type = 0; type < _CTAP_KEY_TYPES; type++)
                for (size_t more = 0; more <= 2; more += 2) {
                        struct sized sized = { { &sized_ops }, rooms[type] + more };
                        const struct ctap_attestation_question q = {
                                .there = &sized.port,
                                .granted = &sized.port,
                                .type = type,
                        };

                        assert_in_range(ctap_attestation_room(type), rooms[type], rooms[type] + 1);
                        assert_int_equal(ctap_attestation_decide(&q).format,
                                         more > 0 ? CTAP_ATTESTATION_PACKED : CTAP_ATTESTATION_TPM);
                }
}

static void B3_alg_comes_before_sig_and_sig_before_x5c(void **state) {
        static const char *const order[] = { "alg", "sig", "x5c" };
        struct ctap_attester attester = { &attester_ops };
        const struct ctap_statement statement = {
                .by = { CTAP_ATTESTATION_PACKED, &attester, true },
                .alg = -7,
        };
        uint8_t storage[64] = { 0xa3 };
        struct buf out = { storage, 1, sizeof(storage), false };
        struct cbor_writer w = { &out };
        struct bytes left;
        struct cbor_value map;

        (void)state;
        ctap_attestation_put(&w, &statement, BYTES_NULL);
        left = buf_bytes(&out);
        map = cbor_next(&left);
        for (unsigned i = 0; i < 5; i++)
                (void)cbor_next(&map.elements);
        map = cbor_next(&map.elements);
        for (size_t i = 0; i < ELEMENTSOF(order); i++) {
                assert_bytes_equal(cbor_next(&map.elements).string, BYTES_TEXT(order[i]));
                (void)cbor_next(&map.elements);
        }
        assert_int_equal(map.elements.len, 0);
}

static void MC19_an_attester_signs_with_es256_and_adds_its_certificates(void **state) {
        struct ctap_attester attester = { &attester_ops };
        const struct ctap_statement statement = {
                .by = { CTAP_ATTESTATION_PACKED, &attester, true },
                .alg = -35,
                .signature = BYTES("\3\4\5", 3),
        };
        uint8_t storage[64] = { 0xa3 };
        struct buf out = { storage, 1, sizeof(storage), false };
        struct cbor_writer w = { &out };

        (void)state;
        ctap_attestation_put(&w, &statement, BYTES("\1\2", 2));
        assert_int_equal(cbor_check(buf_bytes(&out)), CTAP_OK);
        assert_hex_equal(buf_bytes(&out), "a3 01 667061636b6564 02 420102"
                                          " 03 a3 63616c67 26 63736967 43030405"
                                          " 63783563 82 42aabb 43ccddee");
}

static void MC9_capability_is_tested_before_the_value(void **state) {
        struct ctap_attester attester = { &attester_ops }, *got = &attester;
        const int64_t values[] = { 0, 1, 2, 3, -1 };

        (void)state;
        for (size_t i = 0; i < ELEMENTSOF(values); i++) {
                struct cbor_value v = { .kind = CBOR_KIND_INT, .integer = values[i] };

                assert_int_equal(ctap_attestation_grant(&attester, false, &v,
                                                        BYTES_TEXT("served.example"), &got),
                                 CTAP1_ERR_INVALID_PARAMETER);
                assert_int_equal(ctap_attestation_grant(NULL, true, &v,
                                                        BYTES_TEXT("served.example"), &got),
                                 CTAP1_ERR_INVALID_PARAMETER);
        }
        assert_ptr_equal(got, &attester);
}

static void MC9_who_is_granted_it(void **state) {
        static const struct {
                int64_t value;
                const char *rp_id;
                enum ctap_status status;
                bool granted;
        } cases[] = {
                { 1, "served.example", CTAP_OK, true },
                { 1, "www.served.example", CTAP_OK, false },
                { 1, "other.example", CTAP_OK, false },
                { 2, "other.example", CTAP_OK, true },
                { 0, "served.example", CTAP2_ERR_INVALID_OPTION, false },
                { 3, "served.example", CTAP2_ERR_INVALID_OPTION, false },
                { -2, "served.example", CTAP2_ERR_INVALID_OPTION, false },
                { INT64_C(1) << 32 | 1, "served.example", CTAP2_ERR_INVALID_OPTION, false },
        };
        struct ctap_attester attester = { &attester_ops }, *got;
        struct cbor_value absent = { 0 };

        (void)state;
        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                struct cbor_value v = { .kind = CBOR_KIND_INT, .integer = cases[i].value };

                got = NULL;
                assert_int_equal(ctap_attestation_grant(&attester, true, &v,
                                                        BYTES_TEXT(cases[i].rp_id), &got),
                                 cases[i].status);
                assert_ptr_equal(got, cases[i].granted ? &attester : NULL);
        }
        got = &attester;
        assert_int_equal(ctap_attestation_grant(&attester, true, &absent,
                                                BYTES_TEXT("served.example"), &got),
                         CTAP_OK);
        assert_null(got);
        got = &attester;
        assert_int_equal(ctap_attestation_grant(NULL, false, &absent, BYTES_TEXT("a"), &got),
                         CTAP_OK);
        assert_null(got);
}

static void MC18_none_has_an_empty_statement(void **state) {
        const struct ctap_statement statement = {
                .by = { .format = CTAP_ATTESTATION_NONE },
                .alg = -7,
                .signature = BYTES("\3\4\5", 3),
        };
        uint8_t storage[64] = { 0xa3 };
        struct buf out = { storage, 1, sizeof(storage), false };
        struct cbor_writer w = { &out };

        (void)state;
        ctap_attestation_put(&w, &statement, BYTES("\1\2", 2));
        assert_int_equal(cbor_check(buf_bytes(&out)), CTAP_OK);
        assert_hex_equal(buf_bytes(&out), "a3 01 646e6f6e65 02 420102 03 a0");
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(MC18_without_a_preference_any_will_do),
                cmocka_unit_test(MC18_a_preference_that_is_no_array_of_text_is_of_the_wrong_type),
                cmocka_unit_test(MC18_the_first_format_that_is_known_is_preferred),
                cmocka_unit_test(MC18_none_alone_means_none),
                cmocka_unit_test(MC18_unknown_formats_alone_leave_the_default),
                cmocka_unit_test(MC19_packed_self_attestation_is_alg_and_sig),
                cmocka_unit_test(B3_alg_comes_before_sig_and_sig_before_x5c),
                cmocka_unit_test(MC19_an_attester_signs_with_es256_and_adds_its_certificates),
                cmocka_unit_test(MC19_a_tpm_statement_has_what_the_tpm_said_and_who_signed_it),
                cmocka_unit_test(MC18_what_is_preferred_granted_and_there_decides),
                cmocka_unit_test(MC18_what_has_expired_attests_to_nothing),
                cmocka_unit_test(
                        H39_what_does_not_fit_beside_a_key_of_that_type_does_not_attest_to_it),
                cmocka_unit_test(MC9_capability_is_tested_before_the_value),
                cmocka_unit_test(MC9_who_is_granted_it),
                cmocka_unit_test(MC18_none_has_an_empty_statement),
        };

        return cmocka_run_group_tests_name("attestation", tests, NULL, NULL);
}
