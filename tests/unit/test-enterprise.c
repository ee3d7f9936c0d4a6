/* SPDX-License-Identifier: BSD-2-Clause */

/* Enterprise attestation through ctap/make-credential.c: who gets it, what it signs, how large it is. */

#include <errno.h>
#include <string.h>

#include "ctap/attestation.h"
#include "ctap/command.h"
#include "ctap/crypto.h"
#include "tests/fake/client.h"
#include "tests/unit/test.h"

/* Before anybody is asked or anything is done. */
static void assert_refused(struct client *c, const char *value, uint8_t status) {
        client_make_credential(c);
        client_set(c, 0x0a, "%s", value);
        fake_forget_trace(c->fake);
        assert_int_equal(client_send(c), status);
        assert_string_equal(c->fake->trace, "");
}

/* The organisation has given an attester, and turned it on. */
static void enable_attester(struct client *c) {
        c->ctap->env.attester = &c->fake->attester;
        c->fake->settings.enterprise_attestation = true;
}

static void MC9_without_an_attester_it_is_an_invalid_parameter_whatever_its_value(void **state) {
        static const char *const values[] = { "1", "2", "99" };
        struct client *c = *state;

        for (unsigned lacks = 1; lacks < 4; lacks++) {
                c->ctap->env.attester = lacks & 1 ? NULL : &c->fake->attester;
                c->fake->settings.enterprise_attestation = !(lacks & 2);
                for (size_t i = 0; i < ELEMENTSOF(values); i++)
                        assert_refused(c, values[i], CTAP1_ERR_INVALID_PARAMETER);
        }
}

static void MC9_any_other_value_is_an_invalid_option(void **state) {
        struct client *c = *state;

        enable_attester(c);
        assert_refused(c, "0", CTAP2_ERR_INVALID_OPTION);
        assert_refused(c, "3", CTAP2_ERR_INVALID_OPTION);
        assert_refused(c, "-1", CTAP2_ERR_INVALID_OPTION);
        assert_refused(c, "true", CTAP2_ERR_CBOR_UNEXPECTED_TYPE);
}

static void MC9_it_is_granted_to_sites_that_are_served_or_that_the_platform_knows(void **state) {
        static const struct {
                const char *value, *rp_id;
                bool granted;
        } cases[] = {
                { NULL, "served.example", false },    { "1", "served.example", true },
                { "1", "www.served.example", false }, { "1", "example.com", false },
                { "2", "example.com", true },         { "2", "served.example", true },
        };
        struct client *c = *state;
        struct made made;

        enable_attester(c);
        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                client_make_credential(c);
                client_set(c, 2, "{'id': '%s'}", cases[i].rp_id);
                if (cases[i].value)
                        client_set(c, 0x0a, "%s", cases[i].value);
                fake_forget_trace(c->fake);
                assert_int_equal(client_send(c), CTAP_OK);
                client_read_made(c, &made); /* verifies, and looks at the certificates */
                assert_int_equal(made.enterprise, cases[i].granted);
                assert_string_equal(c->fake->trace,
                                    cases[i].granted ? "begin create wait end attest insert"
                                                     : "begin create load wait end sign insert"
                                                       " unload");
        }
}

/* The attester's key vouches for any key, also for one of another kind, and one behind the PIN. */
static void MC9_the_attester_signs_for_any_key(void **state) {
        struct client *c = *state;
        struct made made;

        enable_attester(c);
        client_make_credential(c);
        client_set(c, 4, "[{'alg': -35, 'type': 'public-key'}]");
        client_set(c, 6, "{'credProtect': 3}");
        client_set(c, 0x0a, "2");
        assert_int_equal(client_send(c), CTAP_OK);
        client_read_made(c, &made);
        assert_true(made.enterprise);
        assert_int_equal(made.alg, -35);
        assert_int_equal(c->fake->rows[0].class, CTAP_CLASS_B);
}

static void MC9_who_wants_no_attestation_gets_none(void **state) {
        struct client *c = *state;
        struct made made;

        enable_attester(c);
        client_make_credential(c);
        client_set(c, 0x0a, "2");
        client_set(c, 0x0b, "['none']");
        assert_int_equal(client_send(c), CTAP_OK);
        client_read_made(c, &made);
        assert_bytes_equal(made.fmt, BYTES_TEXT("none"));
        assert_int_equal(fake_calls(c->fake, "attest"), 0);
}

static void MC9_a_dummy_is_not_attested(void **state) {
        struct client *c = *state;
        struct made made;

        enable_attester(c);
        client_make_credential(c);
        client_set(c, 2, "{'id': '.dummy'}");
        client_set(c, 0x0a, "2");
        assert_int_equal(client_send(c), CTAP_OK);
        client_read_made(c, &made);
        assert_false(made.enterprise);
        assert_int_equal(fake_calls(c->fake, "attest"), 0);
}

static void MC9_without_a_yes_nothing_is_attested(void **state) {
        static const char *const calls[] = { "fill", "begin", "create", "wait", "insert" };
        struct client *c = *state;

        enable_attester(c);
        client_make_credential(c);
        client_set(c, 0x0a, "2");
        c->fake->answer = CTAP_ANSWER_NO;
        assert_int_equal(client_send(c), CTAP2_ERR_OPERATION_DENIED);
        assert_int_equal(fake_calls(c->fake, "attest"), 0);
        c->fake->answer = CTAP_ANSWER_YES;
        for (size_t i = 0; i < ELEMENTSOF(calls); i++) {
                fake_fail(c->fake, calls[i], 1, -EIO);
                assert_int_equal(client_send(c), CTAP1_ERR_OTHER);
                assert_false(fake_mend(c->fake));
                assert_int_equal(c->fake->n_rows, 0);
        }
}

/* As where it was not granted; and no attestation at all by a key whose PIN was not given. */
static void MC9_where_the_attester_fails_there_is_an_ordinary_attestation(void **state) {
        struct client *c = *state;
        struct made made;

        enable_attester(c);
        for (unsigned pin = 0; pin < 2; pin++)
                for (int protect = 1; protect <= 3; protect += 2) {
                        client_make_credential(c);
                        client_set(c, 6, "{'credProtect': %d}", protect);
                        client_set(c, 0x0a, "2");
                        if (pin)
                                client_verify(c);
                        fake_fail(c->fake, "attest", 1, -EIO);
                        assert_int_equal(client_send(c), CTAP_OK);
                        assert_false(fake_mend(c->fake));
                        client_read_made(c, &made);
                        assert_false(made.enterprise);
                        assert_bytes_equal(made.fmt,
                                           BYTES_TEXT(pin || protect == 1 ? "packed" : "none"));
                        assert_int_equal(c->fake->n_loaded, 0);
                }
        assert_int_equal(c->fake->n_rows, 4);
}

/* ---- by the key device's own key: "tpm" ---- */

/* The administrator has named a site; nobody turned anything on. */
static void install_certifier(struct client *c) {
        c->ctap->env.attester = &c->fake->certifier;
}

static void MC18_a_site_that_is_named_gets_tpm_unless_it_prefers_another(void **state) {
        static const struct {
                const char *rp_id, *formats, *fmt, *trace;
        } cases[] = {
#define TPM    "begin create attest_load wait end certify insert unload"
#define PACKED "begin create load wait end sign insert unload"
#define NONE   "begin create wait end insert"
                { "served.example", NULL, "tpm", TPM },
                { "served.example", "['tpm']", "tpm", TPM },
                { "served.example", "['none', 'tpm', 'packed']", "tpm", TPM },
                { "served.example", "['packed', 'tpm']", "packed", PACKED },
                { "served.example", "['none']", "none", NONE },
                { "www.served.example", NULL, "packed", PACKED },
                { "www.served.example", "['tpm']", "packed", PACKED },
                { "www.served.example", "['none']", "none", NONE },
#undef TPM
#undef PACKED
#undef NONE
        };
        struct client *c = *state;
        struct made made;

        install_certifier(c);
        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                client_make_credential(c);
                client_set(c, 2, "{'id': '%s'}", cases[i].rp_id);
                if (cases[i].formats)
                        client_set(c, 0x0b, "%s", cases[i].formats);
                fake_forget_trace(c->fake);
                assert_int_equal(client_send(c), CTAP_OK);
                client_read_made(c, &made); /* verifies */
                assert_bytes_equal(made.fmt, BYTES_TEXT(cases[i].fmt));
                assert_false(made.enterprise);
                assert_string_equal(c->fake->trace, cases[i].trace);
        }
}

static void MC9_enterprise_attestation_is_tpm_where_the_key_device_attests(void **state) {
        static const struct {
                const char *value, *rp_id, *formats, *fmt;
        } cases[] = {
                { "1", "served.example", NULL, "tpm" },
                { "1", "served.example", "['packed']", "packed" },
                { "1", "other.example", NULL, "packed" },
                { "2", "other.example", NULL, "tpm" },
                { "2", "other.example", "['tpm', 'packed']", "tpm" },
                { "2", "other.example", "['packed']", "packed" },
                { "2", "served.example", "['none']", "none" },
        };
        struct client *c = *state;
        struct made made;

        install_certifier(c);
        assert_refused(c, "1", CTAP1_ERR_INVALID_PARAMETER);
        c->fake->settings.enterprise_attestation = true;
        assert_refused(c, "3", CTAP2_ERR_INVALID_OPTION);
        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                client_make_credential(c);
                client_set(c, 2, "{'id': '%s'}", cases[i].rp_id);
                client_set(c, 0x0a, "%s", cases[i].value);
                if (cases[i].formats)
                        client_set(c, 0x0b, "%s", cases[i].formats);
                assert_int_equal(client_send(c), CTAP_OK);
                client_read_made(c, &made);
                assert_bytes_equal(made.fmt, BYTES_TEXT(cases[i].fmt));
                assert_int_equal(made.enterprise, strcmp(cases[i].fmt, "tpm") == 0);
        }
}

/* A key behind the PIN, which nobody has given: it cannot sign, and can be certified. */
static void MC19_tpm_attests_to_keys_of_every_type_and_class(void **state) {
        static const int algs[] = { -7, -35, -257 };
        struct client *c = *state;
        struct made made;

        install_certifier(c);
        c->fake->settings.enterprise_attestation = true;
        for (size_t i = 0; i < ELEMENTSOF(algs); i++)
                for (int protect = 1; protect <= 3; protect += 2) {
                        client_make_credential(c);
                        client_set(c, 4, "[{'alg': %d, 'type': 'public-key'}]", algs[i]);
                        client_set(c, 6, "{'credProtect': %d}", protect);
                        client_set(c, 0x0a, "2");
                        assert_int_equal(client_send(c), CTAP_OK);
                        client_read_made(c, &made);
                        assert_bytes_equal(made.fmt, BYTES_TEXT("tpm"));
                        assert_int_equal(made.alg, algs[i]);
                        assert_int_equal(c->fake->rows[c->fake->n_rows - 1].class,
                                         protect == 3 ? CTAP_CLASS_B : CTAP_CLASS_A);
                }
}

static void MC9_a_dummy_is_not_certified_either(void **state) {
        struct client *c = *state;
        struct made made;

        install_certifier(c);
        c->fake->served = ".dummy";
        client_make_credential(c);
        client_set(c, 2, "{'id': '.dummy'}");
        assert_int_equal(client_send(c), CTAP_OK);
        client_read_made(c, &made);
        assert_bytes_equal(made.fmt, BYTES_TEXT("packed"));
}

/* By itself; or nobody, where it is behind a PIN that was not given. */
static void MC19_without_its_attester_a_key_attests_as_if_there_were_none(void **state) {
        static const char *const calls[] = { "attest_load", "certify" };
        struct client *c = *state;
        struct made made;

        install_certifier(c);
        for (size_t i = 0; i < ELEMENTSOF(calls); i++)
                for (int protect = 1; protect <= 3; protect += 2) {
                        client_make_credential(c);
                        client_set(c, 2, "{'id': 'served.example'}");
                        client_set(c, 6, "{'credProtect': %d}", protect);
                        fake_fail(c->fake, calls[i], 1, -ESTALE);
                        assert_int_equal(client_send(c), CTAP_OK);
                        assert_false(fake_mend(c->fake));
                        client_read_made(c, &made);
                        assert_bytes_equal(made.fmt, BYTES_TEXT(protect == 3 ? "none" : "packed"));
                        assert_int_equal(c->fake->n_loaded, 0);
                }
}

static void MC19_with_the_pin_a_key_behind_it_attests_without_its_attester(void **state) {
        static const char *const calls[] = { "attest_load", "certify" };
        struct client *c = *state;
        struct made made;

        install_certifier(c);
        c->fake->served = CLIENT_RP;
        for (size_t i = 0; i < ELEMENTSOF(calls); i++) {
                client_make_credential(c);
                client_set(c, 6, "{'credProtect': 3}");
                client_verify(c);
                fake_fail(c->fake, calls[i], 1, -EIO);
                assert_int_equal(client_send(c), CTAP_OK);
                assert_false(fake_mend(c->fake));
                client_read_made(c, &made);
                assert_bytes_equal(made.fmt, BYTES_TEXT("packed"));
                assert_int_equal(c->fake->n_loaded, 0);
        }
}

static void let_tickets_end(struct fake *f) {
        f->epoch++;
}

/* What comes in the place of a certificate may fail as well: then nothing is made. */
static void MC19_where_neither_attester_nor_key_works_nothing_is_made(void **state) {
        struct client *c = *state;

        install_certifier(c);
        c->fake->served = CLIENT_RP;
        client_make_credential(c);
        client_set(c, 6, "{'credProtect': 3}");
        client_verify(c);
        c->fake->on_wait = let_tickets_end;
        fake_fail(c->fake, "certify", 1, -EIO);
        assert_int_equal(client_send(c), CTAP2_ERR_PIN_AUTH_INVALID);
        assert_int_equal(c->fake->n_rows, 0);
        assert_int_equal(c->fake->n_loaded, 0);
}

/* libfido2 has 2048 bytes for a reply; the largest one has all that there is. */
static void make_the_largest(struct client *c, int alg, int protect, size_t chain_size,
                             struct made *ret) {
        static const uint8_t chain[CTAP_CERTIFICATES_MAX], salts[64], blob[CTAP_CRED_BLOB_MAX];
        const size_t part = chain_size / FAKE_CERTIFICATES;
        const struct bytes rp_id = BYTES_TEXT(CLIENT_RP);
        struct sha256 hash;

        for (size_t i = 0; i < FAKE_CERTIFICATES; i++)
                c->fake->certificates[i] = BYTES(chain + i * part, part);
        c->fake->settings.n_min_pin_length_rps = 1;
        c->fake->settings.min_pin_length = CTAP_PIN_BYTES_MAX;
        assert_int_equal(ctap_sha256(&rp_id, 1, &hash), 0);
        assert_int_equal(ctap_rp_tag(&c->ctap->credential_keys, &hash,
                                     &c->fake->settings.min_pin_length_rps[0]),
                         0);
        client_agree(c, 2);
        client_make_credential(c);
        client_set(c, 4, "[{'alg': %d, 'type': 'public-key'}]", alg);
        client_set(c, 6,
                   "{'credBlob': h'%s', 'credProtect': %d, 'hmac-secret': true,"
                   " 'largeBlobKey': true, 'minPinLength': true, 'hmac-secret-mc': %s,"
                   " 'pinComplexityPolicy': true}",
                   client_hex(c, BYTES_OF(blob)), protect, client_hmac_input(c, BYTES_OF(salts)));
        client_set(c, 7, "{'rk': true}");
        client_set(c, 0x0a, "2");
        assert_int_equal(client_send(c), CTAP_OK);
        client_read_made(c, ret);
        assert_true(ret->enterprise);
        assert_int_equal(ret->large_blob_key.len, 32);
}

static void H39_the_largest_reply_fits_into_2048_bytes(void **state) {
        struct client *c = *state;
        struct made made;

        enable_attester(c);
        make_the_largest(c, -257, 2, CTAP_CERTIFICATES_MAX, &made);
        assert_in_range(1 + c->body.len, 1900, 2048);
}

static void H39_the_largest_tpm_statement_fits_into_2048_bytes(void **state) {
        static const int algs[_CTAP_KEY_TYPES] = { -7, -35, -257 };
        struct client *c = *state;
        struct made made;

        install_certifier(c);
        c->fake->settings.enterprise_attestation = true;
        for (unsigned type = 0; type < _CTAP_KEY_TYPES; type++) {
                make_the_largest(c, algs[type], 3, ctap_attestation_room(type), &made);
                assert_bytes_equal(made.fmt, BYTES_TEXT("tpm"));
                assert_in_range(1 + c->body.len, 2000, 2048);
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                client_unit_test(
                        MC9_without_an_attester_it_is_an_invalid_parameter_whatever_its_value),
                client_unit_test(MC9_any_other_value_is_an_invalid_option),
                client_unit_test(
                        MC9_it_is_granted_to_sites_that_are_served_or_that_the_platform_knows),
                client_unit_test(MC9_the_attester_signs_for_any_key),
                client_unit_test(MC9_who_wants_no_attestation_gets_none),
                client_unit_test(MC9_a_dummy_is_not_attested),
                client_unit_test(MC9_without_a_yes_nothing_is_attested),
                client_unit_test(MC9_where_the_attester_fails_there_is_an_ordinary_attestation),
                client_unit_test(MC18_a_site_that_is_named_gets_tpm_unless_it_prefers_another),
                client_unit_test(MC9_enterprise_attestation_is_tpm_where_the_key_device_attests),
                client_unit_test(MC19_tpm_attests_to_keys_of_every_type_and_class),
                client_unit_test(MC9_a_dummy_is_not_certified_either),
                client_unit_test(MC19_without_its_attester_a_key_attests_as_if_there_were_none),
                client_unit_test(MC19_with_the_pin_a_key_behind_it_attests_without_its_attester),
                client_unit_test(MC19_where_neither_attester_nor_key_works_nothing_is_made),
                client_unit_test(H39_the_largest_reply_fits_into_2048_bytes),
                client_unit_test(H39_the_largest_tpm_statement_fits_into_2048_bytes),
        };

        return cmocka_run_group_tests_name("enterprise", tests, NULL, NULL);
}
