/* SPDX-License-Identifier: BSD-2-Clause */

/* examples/site: who vouches for a new passkey, and each thing that can be wrong with it. */

#include "tests/site/court.h"

static void certificates_are_trusted_when_they_lead_to_the_root(_unused_ void **state) {
        static const enum attested_by by[] = { BY_CERTIFICATE, BY_TPM };

        for (size_t i = 0; i < ELEMENTSOF(by); i++) {
                _cleanup_(free_world) struct world *w = new_world(ALGORITHM_ES256);
                _cleanup_(free_roots) X509_STORE *roots = key_roots(w->key);
                struct form f = form_of_registration(SLICE_OF(challenge));

                f.by = by[i];
                assert_refused(judge_registration(w, &f), REFUSED_NOTHING);
                assert_false(w->ceremony.attestation.is_trusted);
                w->asked.roots = roots;
                assert_refused(judge_registration(w, &f), REFUSED_NOTHING);
                assert_true(w->ceremony.attestation.is_trusted);
                assert_int_equal(w->ceremony.attestation.kind,
                                 by[i] == BY_TPM ? ATTESTATION_TPM : ATTESTATION_CERTIFICATES);
        }
}

static void a_tpm_vouches_for_all_keys_that_tpms_have(_unused_ void **state) {
        static const int64_t algorithms[] = { ALGORITHM_ES256, ALGORITHM_ES384, ALGORITHM_RS256 };

        for (size_t i = 0; i < ELEMENTSOF(algorithms); i++) {
                _cleanup_(free_world) struct world *w = new_world(algorithms[i]);
                struct form f = form_of_registration(SLICE_OF(challenge));

                f.by = BY_TPM;
                assert_refused(judge_registration(w, &f), REFUSED_NOTHING);
        }
}

static void certificates_of_another_root_are_refused(_unused_ void **state) {
        static const enum attested_by by[] = { BY_CERTIFICATE, BY_TPM };

        for (size_t i = 0; i < ELEMENTSOF(by); i++) {
                _cleanup_(free_world) struct world *w = new_world(ALGORITHM_ES256);
                _cleanup_(free_world) struct world *other = new_world(ALGORITHM_ES256);
                _cleanup_(free_roots) X509_STORE *roots = key_roots(other->key);
                struct form f = form_of_registration(SLICE_OF(challenge));

                f.by = by[i];
                w->asked.roots = roots;
                assert_refused(judge_registration(w, &f), REFUSED_ATTESTATION_ROOT);
        }
}

/* Each fault of an attestation, and what the site says to it. */
static void attestations_with_one_fault_are_refused(_unused_ void **state) {
        static const struct {
                enum attested_by by;
                enum fault fault;
                enum refusal refusal;
        } faults[] = {
                { BY_NOBODY, FAULT_STATEMENT, REFUSED_ATTESTATION },
                { BY_SOMETHING, FAULT_NONE, REFUSED_ATTESTATION_FORMAT },
                { BY_ITSELF, FAULT_SIGNATURE, REFUSED_ATTESTATION_SIGNATURE },
                { BY_ITSELF, FAULT_ALGORITHM, REFUSED_ATTESTATION_SIGNATURE },
                { BY_ITSELF, FAULT_STATEMENT, REFUSED_ATTESTATION },
                { BY_CERTIFICATE, FAULT_SIGNATURE, REFUSED_ATTESTATION_SIGNATURE },
                { BY_CERTIFICATE, FAULT_ALGORITHM, REFUSED_ATTESTATION_SIGNATURE },
                { BY_CERTIFICATE, FAULT_STATEMENT, REFUSED_ATTESTATION },
                { BY_CERTIFICATE, FAULT_NO_CERTIFICATE, REFUSED_ATTESTATION_SIGNATURE },
                { BY_CERTIFICATE, FAULT_BROKEN_CERTIFICATE, REFUSED_ATTESTATION_SIGNATURE },
                { BY_CERTIFICATE, FAULT_LATER_CERTIFICATE, REFUSED_ATTESTATION },
                { BY_CERTIFICATE, FAULT_UNIT, REFUSED_ATTESTATION_CERTIFICATE },
                { BY_CERTIFICATE, FAULT_AUTHORITY, REFUSED_ATTESTATION_CERTIFICATE },
                { BY_CERTIFICATE, FAULT_VERSION, REFUSED_ATTESTATION_CERTIFICATE },
                { BY_CERTIFICATE, FAULT_AAGUID, REFUSED_ATTESTATION_CERTIFICATE },
                { BY_CERTIFICATE, FAULT_AAGUID_CRITICAL, REFUSED_ATTESTATION_CERTIFICATE },
                { BY_TPM, FAULT_SIGNATURE, REFUSED_ATTESTATION_SIGNATURE },
                { BY_TPM, FAULT_ALGORITHM, REFUSED_ATTESTATION_SIGNATURE },
                { BY_TPM, FAULT_STATEMENT, REFUSED_ATTESTATION },
                { BY_TPM, FAULT_NO_CERTIFICATE, REFUSED_ATTESTATION },
                { BY_TPM, FAULT_BROKEN_CERTIFICATE, REFUSED_ATTESTATION },
                { BY_TPM, FAULT_UNIT, REFUSED_ATTESTATION_CERTIFICATE },
                { BY_TPM, FAULT_AUTHORITY, REFUSED_ATTESTATION_CERTIFICATE },
                { BY_TPM, FAULT_VERSION, REFUSED_ATTESTATION_CERTIFICATE },
                { BY_TPM, FAULT_PURPOSE, REFUSED_ATTESTATION_CERTIFICATE },
                { BY_TPM, FAULT_TPM_NAME, REFUSED_ATTESTATION_CERTIFICATE },
                { BY_TPM, FAULT_TPM_VERSION, REFUSED_ATTESTATION },
                { BY_TPM, FAULT_MAGIC, REFUSED_ATTESTATION_TPM },
                { BY_TPM, FAULT_QUOTE, REFUSED_ATTESTATION_TPM },
                { BY_TPM, FAULT_EXTRA, REFUSED_ATTESTATION_TPM },
                { BY_TPM, FAULT_OTHER_KEY, REFUSED_ATTESTATION_TPM },
                { BY_TPM, FAULT_OTHER_AREA, REFUSED_ATTESTATION_TPM },
                { BY_TPM, FAULT_WRAPPING_KEY, REFUSED_ATTESTATION_TPM },
                { BY_TPM, FAULT_LONGER, REFUSED_ATTESTATION_TPM },
        };
        _cleanup_(free_world) struct world *w = new_world(ALGORITHM_ES256);

        for (size_t i = 0; i < ELEMENTSOF(faults); i++) {
                struct form f = form_of_registration(SLICE_OF(challenge));

                f.by = faults[i].by;
                f.fault = faults[i].fault;
                if (judge_registration(w, &f) != faults[i].refusal)
                        fail_msg("fault %zu: %s and not %s", i,
                                 refusal_name(judge_registration(w, &f)),
                                 refusal_name(faults[i].refusal));
                assert_string_equal(ceremony_check_name(true, w->ceremony.n_passed), "attestation");
        }
}

static void an_attestation_object_that_is_none_is_refused(_unused_ void **state) {
        static const char *const objects[] = {
                "\x80", /* an array */
                "\xa1\x63"
                "fmt\x64none", /* no more than that */
                "\xbf\xff",    /* an indefinite map */
                "\xa1\x61"
                "a\x18\x01", /* a number in a longer form */
                "\xa2\x61"
                "a\x01\x61"
                "a\x02", /* a key twice */
                "\xc0\xa1\x61"
                "a\x01",                    /* a tag */
                "\x81\x81\x81\x81\x81\x01", /* too deep */
                "\xa1\x61"
                "a\xf9\x3c",                            /* half of a float */
                "\x9b\x7f\xff\xff\xff\xff\xff\xff\xff", /* more elements than bytes */
        };
        _cleanup_(free_world) struct world *w = new_world(ALGORITHM_ES256);

        for (size_t i = 0; i < ELEMENTSOF(objects); i++) {
                struct form f = form_of_registration(SLICE_OF(challenge));

                f.object = SLICE_TEXT(objects[i]);
                assert_refused(judge_registration(w, &f), REFUSED_ATTESTATION);
        }
}

/* And half of one, with either attestation that has something in it. */
static void half_of_an_attestation_object_is_refused(_unused_ void **state) {
        static const enum attested_by by[] = { BY_ITSELF, BY_TPM };

        for (size_t i = 0; i < ELEMENTSOF(by); i++) {
                _cleanup_(free_world) struct world *w = new_world(ALGORITHM_ES256);
                struct form f = form_of_registration(SLICE_OF(challenge));
                struct slice whole;

                f.by = by[i];
                assert_refused(judge_registration(w, &f), REFUSED_NOTHING);
                whole = w->answer.attestation_object;
                for (size_t len = 0; len < whole.len; len++) {
                        w->answer.attestation_object = SLICE(whole.data, len);
                        assert_refused(judge(w), REFUSED_ATTESTATION);
                }
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(certificates_are_trusted_when_they_lead_to_the_root),
                cmocka_unit_test(a_tpm_vouches_for_all_keys_that_tpms_have),
                cmocka_unit_test(certificates_of_another_root_are_refused),
                cmocka_unit_test(attestations_with_one_fault_are_refused),
                cmocka_unit_test(an_attestation_object_that_is_none_is_refused),
                cmocka_unit_test(half_of_an_attestation_object_is_refused),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
