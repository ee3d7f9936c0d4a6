/* SPDX-License-Identifier: BSD-2-Clause */

/* ctap/extension.c and ctap/hmac-secret.c: ctap.md D, through the commands that they are part of. */

#include <errno.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdio.h>
#include <string.h>

#include "ctap/command.h"
#include "ctap/crypto.h"
#include "tests/fake/client.h"
#include "tests/fake/diag.h"
#include "tests/unit/test.h"

static const uint8_t salts[64] = "a salt of thirty-two bytes......and another one of the same size";

#define ONE_SALT  BYTES(salts, 32)
#define TWO_SALTS BYTES_OF(salts)

static void assert_outputs(struct bytes extensions, const char *notation) {
        uint8_t storage[256];
        struct buf want = BUF_ON(storage);

        diag_encode(notation, &want);
        assert_bytes_equal(extensions, buf_bytes(&want));
}

static uint8_t create_with(struct client *c, const char *extensions) {
        client_make_credential(c);
        client_set(c, 6, "%s", extensions);
        fake_forget_trace(c->fake);
        return client_send(c);
}

/* The last credential that was made. */
static struct ctap_row *newest(struct client *c) {
        assert_true(c->fake->n_rows > 0);
        return &c->fake->rows[c->fake->n_rows - 1];
}

/* ---- credProtect ---- */

static void D1_the_level_is_kept_and_told_to_who_asked(void **state) {
        static const struct {
                const char *extensions;
                const char *outputs; /* NULL: none */
                uint8_t level;
                uint8_t class;
        } cases[] = {
                { "{}", NULL, 1, CTAP_CLASS_A },
                { "{'credProtect': 1}", "{'credProtect': 1}", 1, CTAP_CLASS_A },
                { "{'credProtect': 2}", "{'credProtect': 2}", 2, CTAP_CLASS_A },
                { "{'credProtect': 3}", "{'credProtect': 3}", 3, CTAP_CLASS_B },
        };
        struct client *c = *state;
        struct made made;

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                client_make_credential(c);
                client_set(c, 6, "%s", cases[i].extensions);
                client_verify(c);
                assert_int_equal(client_send(c), CTAP_OK);
                client_read_made(c, &made);
                assert_int_equal(made.flags, cases[i].outputs ? 0xc5 : 0x45);
                if (cases[i].outputs)
                        assert_outputs(made.extensions, cases[i].outputs);
                assert_int_equal(newest(c)->cred_protect, cases[i].level);
                assert_int_equal(newest(c)->class, cases[i].class);
                assert_bytes_equal(made.fmt, BYTES_TEXT("packed"));
        }
}

static void D1_any_other_level_is_an_invalid_parameter(void **state) {
        static const struct {
                const char *extensions;
                uint8_t status;
        } cases[] = {
                { "{'credProtect': 0}", CTAP1_ERR_INVALID_PARAMETER },
                { "{'credProtect': 4}", CTAP1_ERR_INVALID_PARAMETER },
                { "{'credProtect': -1}", CTAP1_ERR_INVALID_PARAMETER },
                { "{'credProtect': 257}", CTAP1_ERR_INVALID_PARAMETER },
                { "{'credProtect': true}", CTAP2_ERR_CBOR_UNEXPECTED_TYPE },
                { "{'credProtect': '3'}", CTAP2_ERR_CBOR_UNEXPECTED_TYPE },
                { "{'credProtect': null}", CTAP2_ERR_CBOR_UNEXPECTED_TYPE },
        };
        struct client *c = *state;

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                assert_int_equal(create_with(c, cases[i].extensions), cases[i].status);
                assert_string_equal(c->fake->trace, "");
        }
}

static void D1_it_is_nothing_to_an_assertion(void **state) {
        struct client *c = *state;
        struct made made;
        struct given given;

        client_register(c, true, "ann", &made);
        client_get_assertion(c);
        client_set(c, 4, "{'credProtect': 9}");
        assert_int_equal(client_send(c), CTAP_OK);
        client_read_given(c, &made, &given);
        assert_int_equal(given.flags, 0x01);
}

/* Without a PIN it signs for nobody yet: the site gets the key without a statement about it. */
static void D1_a_key_behind_the_pin_vouches_for_itself_only_with_the_pin(void **state) {
        struct client *c = *state;
        struct made made;

        assert_int_equal(create_with(c, "{'credProtect': 3}"), CTAP_OK);
        client_read_made(c, &made);
        assert_bytes_equal(made.fmt, BYTES_TEXT("none"));
        assert_int_equal(made.flags, 0xc1);
        assert_int_equal(newest(c)->class, CTAP_CLASS_B);
        assert_int_equal(fake_calls(c->fake, "load"), 0);
}

static void D1_a_key_behind_the_pin_is_not_made_behind_its_back(void **state) {
        struct client *c = *state;
        struct made made;

        client_set_pin(c);
        assert_int_equal(create_with(c, "{'credProtect': 3}"), CTAP2_ERR_PUAT_REQUIRED);
        assert_int_equal(fake_calls(c->fake, "create"), 0);
        assert_int_equal(create_with(c, "{'credProtect': 2}"), CTAP_OK);

        client_make_credential(c);
        client_set(c, 6, "{'credProtect': 3}");
        client_verify(c);
        assert_int_equal(client_send(c), CTAP_OK);
        client_read_made(c, &made);
        assert_bytes_equal(made.fmt, BYTES_TEXT("packed"));
}

/* ---- hmac-secret at creation ---- */

static void D2_both_keys_are_made_while_the_person_reads(void **state) {
        struct client *c = *state;
        struct made made;

        assert_int_equal(create_with(c, "{'hmac-secret': true}"), CTAP_OK);
        client_read_made(c, &made);
        assert_int_equal(made.flags, 0xc1);
        assert_outputs(made.extensions, "{'hmac-secret': true}");
        assert_string_equal(c->fake->trace, "begin create secret_create secret_create load wait end"
                                            " sign insert unload");
        assert_true(newest(c)->cred_random.len > 0);
        assert_true(newest(c)->cred_random_uv.len > 0);
        assert_memory_not_equal(&newest(c)->cred_random, &newest(c)->cred_random_uv,
                                sizeof(struct ctap_secret_blob));
}

static void D2_whoever_does_not_ask_gets_neither_key_nor_output(void **state) {
        struct client *c = *state;
        struct made made;

        assert_int_equal(create_with(c, "{'hmac-secret': false}"), CTAP_OK);
        client_read_made(c, &made);
        assert_int_equal(made.flags, 0x41);
        assert_int_equal(newest(c)->cred_random.len, 0);
        assert_int_equal(newest(c)->cred_random_uv.len, 0);
}

static void D2_anything_but_a_boolean_is_of_the_wrong_type(void **state) {
        static const char *const cases[] = { "{'hmac-secret': 1}", "{'hmac-secret': {}}",
                                             "{'hmac-secret': null}" };
        struct client *c = *state;

        for (size_t i = 0; i < ELEMENTSOF(cases); i++)
                assert_int_equal(create_with(c, cases[i]), CTAP2_ERR_CBOR_UNEXPECTED_TYPE);
        assert_int_equal(c->fake->n_rows, 0);
}

/* ---- credBlob ---- */

#define BLOB "65786163746c79207468697274792d74776f206279746573206f6620626c6f62"

static void create_discoverable(struct client *c, const char *user, const char *extensions,
                                struct made *ret) {
        client_make_credential(c);
        client_set(c, 3, "{'id': h'%s', 'name': '%s'}", client_hex(c, BYTES_TEXT(user)), user);
        client_set(c, 6, "%s", extensions);
        client_set(c, 7, "{'rk': true}");
        assert_int_equal(client_send(c), CTAP_OK);
        client_read_made(c, ret);
}

/* By a list of one, without a PIN. */
static void use_with(struct client *c, const struct made *made, const char *extensions,
                     struct given *ret) {
        client_get_assertion(c);
        client_set_list(c, 3, made, 1);
        client_set(c, 4, "%s", extensions);
        assert_int_equal(client_send(c), CTAP_OK);
        client_read_given(c, made, ret);
}

static void D6_a_discoverable_credential_keeps_and_gives_its_blob(void **state) {
        static const struct {
                const char *input, *output;
        } cases[] = {
                { "{'credBlob': h'" BLOB "'}", "{'credBlob': h'" BLOB "'}" },
                { "{'credBlob': h'00'}", "{'credBlob': h'00'}" },
                { "{'credBlob': h''}", "{'credBlob': h''}" },
        };
        struct client *c = *state;
        struct made made;
        struct given given;

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                create_discoverable(c, "ann", cases[i].input, &made);
                assert_int_equal(made.flags, 0xc1);
                assert_outputs(made.extensions, "{'credBlob': true}");
                use_with(c, &made, "{'credBlob': true}", &given);
                assert_int_equal(given.flags, 0x81);
                assert_outputs(given.extensions, cases[i].output);
        }
}

static void D6_what_is_not_kept_is_said(void **state) {
        struct client *c = *state;
        struct made made;
        struct given given;

        create_discoverable(c, "ann", "{'credBlob': h'" BLOB "00'}", &made);
        assert_outputs(made.extensions, "{'credBlob': false}");
        use_with(c, &made, "{'credBlob': true}", &given);
        assert_outputs(given.extensions, "{'credBlob': h''}");

        assert_int_equal(create_with(c, "{'credBlob': h'" BLOB "'}"), CTAP_OK);
        client_read_made(c, &made);
        assert_outputs(made.extensions, "{'credBlob': false}");
        use_with(c, &made, "{'credBlob': true}", &given);
        assert_outputs(given.extensions, "{'credBlob': h''}");
}

static void D6_without_a_blob_it_is_empty_and_unasked_there_is_none(void **state) {
        struct client *c = *state;
        struct made made;
        struct given given;

        client_register(c, true, "ann", &made);
        use_with(c, &made, "{'credBlob': true}", &given);
        assert_outputs(given.extensions, "{'credBlob': h''}");
        create_discoverable(c, "bob", "{'credBlob': h'01'}", &made);
        use_with(c, &made, "{'credBlob': false}", &given);
        assert_int_equal(given.flags, 0x01);
        use_with(c, &made, "{}", &given);
        assert_int_equal(given.flags, 0x01);
}

static void refuse_creation(struct client *c, const char *extensions, uint8_t status) {
        client_make_credential(c);
        client_set(c, 6, "%s", extensions);
        client_set(c, 7, "{'rk': true}");
        fake_forget_trace(c->fake);
        assert_int_equal(client_send(c), status);
        assert_string_equal(c->fake->trace, "");
}

static void refuse_use(struct client *c, const char *extensions, uint8_t status) {
        client_get_assertion(c);
        client_set(c, 4, "%s", extensions);
        fake_forget_trace(c->fake);
        assert_int_equal(client_send(c), status);
        assert_string_equal(c->fake->trace, "");
}

static void D6_anything_but_bytes_is_of_the_wrong_type(void **state) {
        struct client *c = *state;

        refuse_creation(c, "{'credBlob': true}", CTAP2_ERR_CBOR_UNEXPECTED_TYPE);
        refuse_creation(c, "{'credBlob': 'text'}", CTAP2_ERR_CBOR_UNEXPECTED_TYPE);
        refuse_use(c, "{'credBlob': h'00'}", CTAP2_ERR_CBOR_UNEXPECTED_TYPE);
        refuse_use(c, "{'credBlob': 1}", CTAP2_ERR_CBOR_UNEXPECTED_TYPE);
}

/* A probe of a key behind the PIN is signed by nobody; it gets nothing that is behind the PIN. */
static void D6_a_blob_behind_the_pin_is_given_to_a_verified_person_only(void **state) {
        static const char ask[] = "{'credBlob': true, 'largeBlobKey': true}";
        struct client *c = *state;
        struct made made;
        struct given given;

        client_make_credential(c);
        client_set(c, 6, "{'credBlob': h'01', 'largeBlobKey': true}");
        client_set(c, 7, "{'rk': true}");
        client_verify(c);
        assert_int_equal(client_send(c), CTAP_OK);
        client_read_made(c, &made);
        assert_int_equal(newest(c)->class, CTAP_CLASS_B);

        client_get_assertion(c);
        client_set(c, 4, ask);
        client_set(c, 5, "{'up': false}");
        assert_int_equal(client_send(c), CTAP_OK);
        client_read_probe(c, &made, &given);
        assert_outputs(given.extensions, "{'credBlob': h''}");
        assert_int_equal(given.large_blob_key.len, 0);

        client_get_assertion(c);
        client_set(c, 4, ask);
        client_verify(c);
        assert_int_equal(client_send(c), CTAP_OK);
        client_read_given(c, &made, &given);
        assert_outputs(given.extensions, "{'credBlob': h'01'}");
        assert_bytes_equal(given.large_blob_key, made.large_blob_key);
}

/* ---- largeBlobKey ---- */

static void D7_the_key_is_a_member_of_the_replies_and_no_output(void **state) {
        struct client *c = *state;
        struct made made, other;
        struct given given;

        create_discoverable(c, "ann", "{'largeBlobKey': true}", &made);
        assert_int_equal(made.flags, 0x41);
        assert_int_equal(made.large_blob_key.len, 32);
        create_discoverable(c, "bob", "{'largeBlobKey': true}", &other);
        assert_false(bytes_equal(made.large_blob_key, other.large_blob_key));

        use_with(c, &made, "{'largeBlobKey': true}", &given);
        assert_int_equal(given.flags, 0x01);
        assert_bytes_equal(given.large_blob_key, made.large_blob_key);
        use_with(c, &other, "{'largeBlobKey': true}", &given);
        assert_bytes_equal(given.large_blob_key, other.large_blob_key);
}

static void D7_only_true_is_asked_with(void **state) {
        static const struct {
                const char *input;
                uint8_t status;
        } cases[] = {
                { "{'largeBlobKey': false}", CTAP2_ERR_INVALID_OPTION },
                { "{'largeBlobKey': 1}", CTAP2_ERR_CBOR_UNEXPECTED_TYPE },
                { "{'largeBlobKey': 'not-a-boolean'}", CTAP2_ERR_CBOR_UNEXPECTED_TYPE },
                { "{'largeBlobKey': {}}", CTAP2_ERR_CBOR_UNEXPECTED_TYPE },
                { "{'largeBlobKey': null}", CTAP2_ERR_CBOR_UNEXPECTED_TYPE },
        };
        struct client *c = *state;

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                refuse_creation(c, cases[i].input, cases[i].status);
                refuse_use(c, cases[i].input, cases[i].status);
        }
}

static void D7_it_is_of_discoverable_credentials(void **state) {
        struct client *c = *state;

        assert_int_equal(create_with(c, "{'largeBlobKey': true}"), CTAP2_ERR_INVALID_OPTION);
        assert_string_equal(c->fake->trace, "");
        client_set(c, 7, "{'rk': false}");
        assert_int_equal(client_send(c), CTAP2_ERR_INVALID_OPTION);
}

static void D7_without_a_large_blob_array_it_is_unknown(void **state) {
        struct client *c = *state;
        struct made made;
        struct given given;

        c->ctap->options.max_large_blobs = 0;
        create_discoverable(c, "ann", "{'largeBlobKey': false}", &made);
        create_discoverable(c, "ann", "{'largeBlobKey': true}", &made);
        assert_int_equal(made.large_blob_key.len, 0);
        assert_int_equal(newest(c)->flags, CTAP_ROW_DISCOVERABLE);
        use_with(c, &made, "{'largeBlobKey': true}", &given);
        assert_int_equal(given.large_blob_key.len, 0);
}

static void GA16_a_credential_that_was_made_without_one_has_none(void **state) {
        struct client *c = *state;
        struct made made;
        struct given given;

        client_register(c, true, "ann", &made);
        use_with(c, &made, "{'largeBlobKey': true}", &given);
        assert_int_equal(given.large_blob_key.len, 0);
        create_discoverable(c, "bob", "{'largeBlobKey': true}", &made);
        use_with(c, &made, "{}", &given);
        assert_int_equal(given.large_blob_key.len, 0);
}

/* CM10: what a site left with a credential is not part of the account's name. */
static void D6_a_blob_and_its_large_one_s_key_outlive_a_new_name(void **state) {
        struct client *c = *state;
        struct made made;
        struct given given;

        create_discoverable(c, "ann", "{'credBlob': h'" BLOB "', 'largeBlobKey': true}", &made);
        client_manage(c, 0x0a, 7);
        client_set(c, 2,
                   "{2: {'id': h'%s', " CLIENT_PUBLIC_KEY "}, 3: {'id': h'%s', 'name': 'new'}}",
                   client_hex(c, made.id), client_hex(c, BYTES_TEXT("ann")));
        client_verify(c);
        assert_int_equal(client_send(c), CTAP_OK);

        use_with(c, &made, "{'credBlob': true, 'largeBlobKey': true}", &given);
        assert_outputs(given.extensions, "{'credBlob': h'" BLOB "'}");
        assert_bytes_equal(given.large_blob_key, made.large_blob_key);
}

/* ---- largeBlob ---- */

static void D8_large_blob_is_ignored_like_any_unknown_extension(void **state) {
        static const char *const inputs[] = { "{'largeBlob': {'support': 'required'}}",
                                              "{'largeBlob': {'support': 'preferred'}}",
                                              "{'largeBlob': {'read': true}}",
                                              "{'largeBlob': {'write': h'00', 'originalSize': 1}}",
                                              "{'largeBlob': 7}" };
        struct client *c = *state;
        struct made made;
        struct given given;

        for (size_t i = 0; i < ELEMENTSOF(inputs); i++) {
                create_discoverable(c, "ann", inputs[i], &made); /* no member 6, no output */
                assert_int_equal(made.flags, 0x41);
                use_with(c, &made, inputs[i], &given); /* no member 8 */
                assert_int_equal(given.flags, 0x01);
        }
}

/* ---- minPinLength and pinComplexityPolicy ---- */

/* As authenticatorConfig leaves it behind. */
static void list_rp(struct client *c, const char *rp_id) {
        struct ctap_settings *s = &c->fake->settings;
        const struct bytes id = BYTES_TEXT(rp_id);
        struct sha256 hash;

        assert_int_equal(ctap_sha256(&id, 1, &hash), 0);
        assert_int_equal(ctap_rp_tag(&c->ctap->credential_keys, &hash,
                                     &s->min_pin_length_rps[s->n_min_pin_length_rps++]),
                         0);
}

static void D9_a_site_that_is_listed_is_told(void **state) {
        struct client *c = *state;
        struct made made;

        list_rp(c, "other.example");
        list_rp(c, CLIENT_RP);
        assert_int_equal(create_with(c, "{'minPinLength': true, 'pinComplexityPolicy': true}"),
                         CTAP_OK);
        client_read_made(c, &made);
        assert_outputs(made.extensions, "{'minPinLength': 4, 'pinComplexityPolicy': false}");

        c->fake->settings.min_pin_length = 63;
        c->fake->settings.pin_complexity = true;
        assert_int_equal(create_with(c, "{'minPinLength': true, 'pinComplexityPolicy': true}"),
                         CTAP_OK);
        client_read_made(c, &made);
        assert_outputs(made.extensions, "{'minPinLength': 63, 'pinComplexityPolicy': true}");

        assert_int_equal(create_with(c, "{'minPinLength': false, 'pinComplexityPolicy': true}"),
                         CTAP_OK);
        client_read_made(c, &made);
        assert_outputs(made.extensions, "{'pinComplexityPolicy': true}");
}

static void D9_other_sites_get_neither_an_answer_nor_an_error(void **state) {
        struct client *c = *state;
        struct made made;

        for (unsigned listed = 0; listed < 2; listed++) {
                assert_int_equal(create_with(c, "{'minPinLength': true,"
                                                " 'pinComplexityPolicy': true}"),
                                 CTAP_OK);
                client_read_made(c, &made);
                assert_int_equal(made.flags, 0x41);
                list_rp(c, "www." CLIENT_RP);
        }
        assert_int_equal(create_with(c, "{'credProtect': 1, 'minPinLength': true}"), CTAP_OK);
        client_read_made(c, &made);
        assert_outputs(made.extensions, "{'credProtect': 1}");
}

static void D9_anything_but_a_boolean_is_of_the_wrong_type(void **state) {
        struct client *c = *state;

        for (unsigned listed = 0; listed < 2; listed++) {
                refuse_creation(c, "{'minPinLength': 4}", CTAP2_ERR_CBOR_UNEXPECTED_TYPE);
                refuse_creation(c, "{'pinComplexityPolicy': 'x'}", CTAP2_ERR_CBOR_UNEXPECTED_TYPE);
                list_rp(c, CLIENT_RP);
        }
}

static void D9_they_are_nothing_to_an_assertion(void **state) {
        struct client *c = *state;
        struct made made;
        struct given given;

        list_rp(c, CLIENT_RP);
        client_register(c, true, "ann", &made);
        use_with(c, &made, "{'minPinLength': true, 'pinComplexityPolicy': true}", &given);
        assert_int_equal(given.flags, 0x01);
}

/* ---- thirdPartyPayment ---- */

static void D10_it_is_kept_at_creation_and_told_in_assertions(void **state) {
        static const struct {
                const char *input, *output;
        } cases[] = {
                { "{'thirdPartyPayment': true}", "{'thirdPartyPayment': true}" },
                { "{'thirdPartyPayment': false}", "{'thirdPartyPayment': false}" },
                { "{}", "{'thirdPartyPayment': false}" },
        };
        struct client *c = *state;
        struct made made;
        struct given given;

        for (size_t i = 0; i < 2 * ELEMENTSOF(cases); i++) {
                client_make_credential(c);
                client_set(c, 6, "%s", cases[i / 2].input);
                client_set(c, 7, i % 2 ? "{'rk': true}" : "{'rk': false}");
                assert_int_equal(client_send(c), CTAP_OK);
                client_read_made(c, &made);
                assert_int_equal(made.flags, 0x41);
                use_with(c, &made, "{'thirdPartyPayment': true}", &given);
                assert_int_equal(given.flags, 0x81);
                assert_outputs(given.extensions, cases[i / 2].output);
                use_with(c, &made, "{'thirdPartyPayment': false}", &given);
                assert_int_equal(given.flags, 0x01);
        }
}

static void D10_anything_but_a_boolean_is_of_the_wrong_type(void **state) {
        struct client *c = *state;

        refuse_creation(c, "{'thirdPartyPayment': 1}", CTAP2_ERR_CBOR_UNEXPECTED_TYPE);
        refuse_use(c, "{'thirdPartyPayment': {}}", CTAP2_ERR_CBOR_UNEXPECTED_TYPE);
}

/* ---- all of them ---- */

static void D_outputs_are_in_canonical_order(void **state) {
        struct client *c = *state;
        struct cbor_value map;
        struct bytes outputs;
        struct made made;
        struct given given;

        list_rp(c, CLIENT_RP);
        c->fake->settings.min_pin_length = 24;
        client_agree(c, 2);
        client_make_credential(c);
        client_set(c, 6,
                   "{'credBlob': h'" BLOB "', 'credProtect': 2, 'hmac-secret': true,"
                   " 'largeBlobKey': true, 'minPinLength': true, 'hmac-secret-mc': %s,"
                   " 'thirdPartyPayment': true, 'pinComplexityPolicy': true}",
                   client_hmac_input(c, TWO_SALTS));
        client_set(c, 7, "{'rk': true}");
        assert_int_equal(client_send(c), CTAP_OK);
        client_read_made(c, &made);
        outputs = made.extensions;
        map = cbor_next(&outputs);
        assert_int_equal(map.n, 6);
        assert_int_equal(made.extensions.len, CTAP_EXTENSIONS_MAX); /* none is longer */

        client_get_assertion(c);
        client_set_list(c, 3, &made, 1);
        client_set(c, 4,
                   "{'credBlob': true, 'hmac-secret': %s, 'largeBlobKey': true,"
                   " 'thirdPartyPayment': true}",
                   client_hmac_input(c, TWO_SALTS));
        assert_int_equal(client_send(c), CTAP_OK);
        client_read_given(c, &made, &given);
        outputs = given.extensions;
        map = cbor_next(&outputs);
        assert_int_equal(map.n, 3);
        assert_bytes_equal(given.large_blob_key, made.large_blob_key);
        assert_true(given.extensions.len <= CTAP_EXTENSIONS_MAX);
}

/* ---- hmac-secret in an assertion ---- */

/* What the key device must have computed. */
static void assert_hmac(const struct ctap_secret_blob *key, struct bytes of, struct bytes output) {
        uint8_t want[64];
        unsigned n = 32;

        for (size_t i = 0; i < of.len; i += 32)
                assert_non_null(
                        HMAC(EVP_sha256(), key->data + 3, 32, of.data + i, 32, want + i, &n));
        assert_bytes_equal(output, BYTES(want, of.len));
}

/* Asks for the HMACs, by the agreement and with the token that the client has. */
static void get_hmac(struct client *c, const struct made *made, struct bytes of, bool verified,
                     struct buf *ret) {
        struct given given;

        client_get_assertion(c);
        client_set_list(c, 3, made, 1);
        if (verified)
                client_verify(c);
        client_set(c, 4, "{'hmac-secret': %s}", client_hmac_input(c, of));
        fake_forget_trace(c->fake);
        assert_int_equal(client_send(c), CTAP_OK);
        client_read_given(c, made, &given);
        assert_int_equal(given.flags, verified ? 0x85 : 0x81);
        client_hmac_output(c, given.extensions, "hmac-secret", ret);
}

static void D3_one_salt_or_two_under_either_protocol(void **state) {
        const struct bytes inputs[] = { ONE_SALT, TWO_SALTS };
        struct client *c = *state;
        struct made made;

        client_register(c, false, "ann", &made);
        for (unsigned protocol = 1; protocol <= 2; protocol++)
                for (size_t i = 0; i < ELEMENTSOF(inputs); i++) {
                        uint8_t storage[64];
                        struct buf output = BUF_ON(storage);

                        client_agree(c, protocol);
                        get_hmac(c, &made, inputs[i], false, &output);
                        assert_hmac(&newest(c)->cred_random, inputs[i], buf_bytes(&output));
                }
}

static void D3_a_verified_person_has_another_secret(void **state) {
        uint8_t storage[2][64];
        struct buf without = BUF_ON(storage[0]), with = BUF_ON(storage[1]);
        struct client *c = *state;
        struct made made;

        client_register(c, false, "ann", &made);
        client_agree(c, 2);
        get_hmac(c, &made, TWO_SALTS, false, &without);
        get_hmac(c, &made, TWO_SALTS, true, &with);
        assert_hmac(&newest(c)->cred_random, TWO_SALTS, buf_bytes(&without));
        assert_hmac(&newest(c)->cred_random_uv, TWO_SALTS, buf_bytes(&with));
        assert_memory_not_equal(storage[0], storage[1], 64);
}

static void D3_without_a_protocol_it_is_the_first(void **state) {
        uint8_t storage[64];
        struct buf output = BUF_ON(storage);
        struct client *c = *state;
        struct made made;
        struct given given;
        const char *input;

        client_register(c, false, "ann", &made);
        client_agree(c, 1);
        client_get_assertion(c);
        client_set_list(c, 3, &made, 1);
        input = client_hmac_input(c, ONE_SALT);
        client_set(c, 4, "{'hmac-secret': %.*s}}", (int)(strlen(input) - strlen(", 4: 1}")), input);
        assert_int_equal(client_send(c), CTAP_OK);
        client_read_given(c, &made, &given);
        client_hmac_output(c, given.extensions, "hmac-secret", &output);
        assert_hmac(&newest(c)->cred_random, ONE_SALT, buf_bytes(&output));
}

static void D3_it_is_computed_while_the_person_reads(void **state) {
        uint8_t storage[64];
        struct buf output = BUF_ON(storage);
        struct client *c = *state;
        struct made made;

        client_register(c, false, "ann", &made);
        client_agree(c, 2);
        get_hmac(c, &made, ONE_SALT, false, &output);
        assert_string_equal(c->fake->trace,
                            "find begin prepare_use secret_create secret_create set_cred_random"
                            " secret_hmac load wait end use sign unload");
        output.len = 0;
        get_hmac(c, &made, ONE_SALT, true, &output);
        assert_string_equal(c->fake->trace, "ticket_check find begin prepare_use secret_hmac load"
                                            " wait end use sign unload");
}

/* As luks and pam do it: what is made at first use is there for good before anybody gets it. */
static void D3_a_credential_that_was_made_without_it_answers_the_same_for_ever(void **state) {
        uint8_t storage[2][64];
        struct buf first = BUF_ON(storage[0]), second = BUF_ON(storage[1]);
        struct client *c = *state;
        struct made made;

        client_u2f_register(c, &made);
        client_agree(c, 2);
        get_hmac(c, &made, TWO_SALTS, false, &first);
        client_agree(c, 1);
        get_hmac(c, &made, TWO_SALTS, false, &second);
        assert_memory_equal(storage[0], storage[1], 64);

        fake_fail(c->fake, "set_cred_random", 1, -EIO);
        client_register(c, false, "bob", &made);
        client_get_assertion(c);
        client_set_list(c, 3, &made, 1);
        client_set(c, 4, "{'hmac-secret': %s}", client_hmac_input(c, ONE_SALT));
        assert_int_equal(client_send(c), CTAP1_ERR_OTHER);
        assert_int_equal(fake_calls(c->fake, "secret_hmac"), 0);
}

/* Asks with an input of that shape; MAC and cipher are those of one salt. */
static uint8_t ask(struct client *c, const char *format, const char *enc, const char *auth) {
        const struct platform *p = &c->platform;
        char input[1024];

        snprintf(input, sizeof(input), format, client_hex(c, BYTES_OF(p->x)),
                 client_hex(c, BYTES_OF(p->y)), enc, auth);
        client_get_assertion(c);
        client_set(c, 4, "{'hmac-secret': %s}", input);
        fake_forget_trace(c->fake);
        return client_send(c);
}

static const char *mac_of(struct client *c, struct bytes message) {
        uint8_t storage[32];
        struct buf mac = BUF_ON(storage);

        platform_authenticate(&c->platform, message, &mac);
        return client_hex(c, buf_bytes(&mac));
}

#define KEY "{1: 2, 3: -25, -1: 1, -2: h'%s', -3: h'%s'}"

static void D3_what_is_wrong_with_its_input(void **state) {
        static const struct {
                const char *format;
                uint8_t status;
        } cases[] = {
                { "{1: " KEY ", 2: h'%s', 3: h'%s', 4: 3}", CTAP1_ERR_INVALID_PARAMETER },
                { "{1: " KEY ", 2: h'%s', 3: h'%s', 4: 0}", CTAP1_ERR_INVALID_PARAMETER },
                { "{1: " KEY ", 2: h'%s', 3: h'%s', 4: 1}", CTAP2_ERR_PIN_AUTH_INVALID },
                { "{1: " KEY ", 2: h'00%s', 3: h'%s', 4: 2}", CTAP2_ERR_PIN_AUTH_INVALID },
                { "{1: " KEY ", 2: h'%s', 3: h'00%s', 4: 2}", CTAP2_ERR_PIN_AUTH_INVALID },
                { "{1: {1: 2, 3: -25, -1: 1, -2: h'00%s', -3: h'%s'}, 2: h'%s', 3: h'%s', 4: 2}",
                  CTAP1_ERR_INVALID_PARAMETER },
                { "{1: " KEY ", 2: '%s', 3: h'%s', 4: 2}", CTAP2_ERR_CBOR_UNEXPECTED_TYPE },
                { "{1: " KEY ", 2: h'%s', 3: '%s', 4: 2}", CTAP2_ERR_CBOR_UNEXPECTED_TYPE },
                { "{1: " KEY ", 2: h'%s', 3: h'%s', 4: 'x'}", CTAP2_ERR_CBOR_UNEXPECTED_TYPE },
                { "{1: h'%s', 2: h'%s', 3: h'%s', 4: 2, 5: h'%s'}",
                  CTAP2_ERR_CBOR_UNEXPECTED_TYPE },
                { "[" KEY ", h'%s', h'%s']", CTAP2_ERR_CBOR_UNEXPECTED_TYPE },
                { "{2: h'%s', 3: h'%s', 5: h'%s', 6: h'%s'}", CTAP2_ERR_MISSING_PARAMETER },
                { "{1: " KEY ", 3: h'%s', 5: h'%s'}", CTAP2_ERR_MISSING_PARAMETER },
                { "{1: " KEY ", 2: h'%s', 5: h'%s'}", CTAP2_ERR_MISSING_PARAMETER },
                { "{1: " KEY ", 2: h'%s', 3: h'%s', 4: 2}", CTAP_OK },
        };
        struct client *c = *state;
        uint8_t storage[48];
        struct buf enc = BUF_ON(storage);
        struct made made;

        client_register(c, true, "ann", &made);
        client_agree(c, 2);
        platform_encrypt(&c->platform, ONE_SALT, &enc);
        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                assert_int_equal(ask(c, cases[i].format, client_hex(c, buf_bytes(&enc)),
                                     mac_of(c, buf_bytes(&enc))),
                                 cases[i].status);
                if (cases[i].status != CTAP_OK)
                        assert_string_equal(c->fake->trace, "");
        }
}

static void D3_salts_of_any_other_size_are_an_invalid_parameter(void **state) {
        static const size_t sizes[] = { 0, 1, 16, 31, 33, 48, 63, 65, 80, 96, 112, 128 };
        static const uint8_t cipher[128 + 16] = { 1 };
        struct client *c = *state;
        struct made made;

        client_register(c, true, "ann", &made);
        for (unsigned protocol = 1; protocol <= 2; protocol++) {
                client_agree(c, protocol);
                for (size_t i = 0; i < ELEMENTSOF(sizes); i++) {
                        const struct bytes enc =
                                BYTES(cipher, sizes[i] + (protocol == 2 && sizes[i] > 0 ? 16 : 0));

                        assert_int_equal(ask(c,
                                             protocol == 1
                                                     ? "{1: " KEY ", 2: h'%s', 3: h'%s', 4: 1}"
                                                     : "{1: " KEY ", 2: h'%s', 3: h'%s', 4: 2}",
                                             client_hex(c, enc), mac_of(c, enc)),
                                         CTAP1_ERR_INVALID_PARAMETER);
                }
        }
}

static void D3_a_no_throws_it_away(void **state) {
        struct client *c = *state;
        struct made made;

        client_register(c, true, "ann", &made);
        client_agree(c, 2);
        client_get_assertion(c);
        client_set(c, 4, "{'hmac-secret': %s}", client_hmac_input(c, TWO_SALTS));
        c->fake->answer = CTAP_ANSWER_NO;
        assert_int_equal(client_send(c), CTAP2_ERR_OPERATION_DENIED);
        assert_int_equal(fake_calls(c->fake, "secret_hmac"), 1);
}

static void GA6_without_presence_it_is_an_unsupported_option(void **state) {
        struct client *c = *state;
        struct made made;

        client_register(c, true, "ann", &made);
        client_agree(c, 2);
        client_get_assertion(c);
        client_set(c, 4, "{'hmac-secret': %s}", client_hmac_input(c, ONE_SALT));
        client_set(c, 5, "{'up': false}");
        assert_int_equal(client_send(c), CTAP2_ERR_UNSUPPORTED_OPTION);
        client_verify(c); /* H32 */
        assert_int_equal(client_send(c), CTAP2_ERR_UNSUPPORTED_OPTION);
        client_set(c, 4, "{'hmac-secret': true}");
        assert_int_equal(client_send(c), CTAP2_ERR_UNSUPPORTED_OPTION);
}

static void D4_it_needs_no_pin(void **state) {
        uint8_t storage[64];
        struct buf output = BUF_ON(storage);
        struct client *c = *state;
        struct made made;

        assert_int_equal(create_with(c, "{'hmac-secret': true}"), CTAP_OK);
        client_read_made(c, &made);
        client_agree(c, 2);
        get_hmac(c, &made, ONE_SALT, false, &output);
        assert_int_equal(c->fake->settings.pin_length, 0);
        assert_hmac(&newest(c)->cred_random, ONE_SALT, buf_bytes(&output));
}

/* ---- hmac-secret-mc ---- */

static uint8_t create_with_salts(struct client *c, struct bytes of, bool verified) {
        client_make_credential(c);
        if (verified)
                client_verify(c);
        client_set(c, 6, "{'hmac-secret': true, 'hmac-secret-mc': %s}", client_hmac_input(c, of));
        fake_forget_trace(c->fake);
        return client_send(c);
}

static void D5_creation_answers_what_assertions_will(void **state) {
        struct client *c = *state;

        client_agree(c, 1);
        for (unsigned verified = 0; verified < 2; verified++) {
                uint8_t storage[2][64];
                struct buf created = BUF_ON(storage[0]), given = BUF_ON(storage[1]);
                struct made made;

                assert_int_equal(create_with_salts(c, TWO_SALTS, verified), CTAP_OK);
                client_read_made(c, &made);
                assert_int_equal(made.flags, verified ? 0xc5 : 0xc1);
                client_hmac_output(c, made.extensions, "hmac-secret-mc", &created);
                assert_int_equal(created.len, 64);
                get_hmac(c, &made, TWO_SALTS, verified, &given);
                assert_memory_equal(storage[0], storage[1], 64);
        }
}

static void D5_both_are_answered(void **state) {
        struct client *c = *state;
        struct made made;
        struct cbor_value map;

        client_agree(c, 2);
        assert_int_equal(create_with_salts(c, ONE_SALT, false), CTAP_OK);
        client_read_made(c, &made);
        map = cbor_next(&(struct bytes){ made.extensions.data, made.extensions.len });
        assert_int_equal(map.n, 2);
        assert_true(cbor_find_text(&map, "hmac-secret").boolean);
        assert_int_equal(cbor_find_text(&map, "hmac-secret-mc").string.len, 48);
        assert_string_equal(c->fake->trace, "begin create secret_create secret_create secret_hmac"
                                            " load wait end sign insert unload");
}

static void D5_it_needs_hmac_secret_beside_it(void **state) {
        static const char *const beside[] = { "", "'hmac-secret': false, " };
        struct client *c = *state;

        client_agree(c, 2);
        for (size_t i = 0; i < ELEMENTSOF(beside); i++) {
                client_make_credential(c);
                client_set(c, 6, "{%s'hmac-secret-mc': %s}", beside[i],
                           client_hmac_input(c, ONE_SALT));
                assert_int_equal(client_send(c), CTAP2_ERR_MISSING_PARAMETER);
        }
        assert_int_equal(create_with(c, "{'hmac-secret': true, 'hmac-secret-mc': true}"),
                         CTAP2_ERR_CBOR_UNEXPECTED_TYPE);
        assert_int_equal(create_with(c, "{'hmac-secret': true, 'hmac-secret-mc': {}}"),
                         CTAP2_ERR_MISSING_PARAMETER);
        c->platform.mac_key[0] ^= 1;
        assert_int_equal(create_with_salts(c, ONE_SALT, false), CTAP2_ERR_PIN_AUTH_INVALID);
        assert_int_equal(c->fake->n_rows, 0);
}

static void D5_it_is_nothing_to_an_assertion(void **state) {
        struct client *c = *state;
        struct made made;
        struct given given;

        client_register(c, true, "ann", &made);
        client_get_assertion(c);
        client_set(c, 4, "{'hmac-secret-mc': true}");
        assert_int_equal(client_send(c), CTAP_OK);
        client_read_given(c, &made, &given);
        assert_int_equal(given.flags, 0x01);
}

/* ---- what fails ---- */

static void create_anew(struct client *c) {
        client_verify(c);
        client_set(c, 6, "{'credProtect': 3, 'hmac-secret': true, 'hmac-secret-mc': %s}",
                   client_hmac_input(c, TWO_SALTS));
}

static void assert_anew(struct client *c) {
        client_verify(c);
        client_set(c, 4, "{'hmac-secret': %s}", client_hmac_input(c, TWO_SALTS));
}

/* As if hmac-secret had never been asked for. */
static void assert_first(struct client *c) {
        memset(&newest(c)->cred_random, 0, sizeof(newest(c)->cred_random));
        memset(&newest(c)->cred_random_uv, 0, sizeof(newest(c)->cred_random_uv));
        assert_anew(c);
}

static void every_failure_is_an_error_and_changes_nothing(void **state) {
        struct client *c = *state;

        client_make_credential(c);
        client_set(c, 7, "{'rk': true}");
        /*
         * ticket_check, begin, the rng twice, create, secret_create twice, secret_hmac, the rng for
         * an IV, load, wait, sign, insert.
         */
        assert_int_equal(client_fail_everywhere_after(c, create_anew), 13);

        client_get_assertion(c);
        /* ticket_check, newest twice, begin, prepare_use, secret_hmac, rng, load, wait, use, sign. */
        assert_int_equal(client_fail_everywhere_after(c, assert_anew), 11);
        /* And at first use secret_create twice and set_cred_random. */
        assert_first(c);
        assert_int_equal(client_fail_everywhere_after(c, assert_first), 14);
}

/* Wherever the key device says that it knows of no PIN, the token is at its end. */
static void a_refused_ticket_ends_the_token(void **state) {
        static const char *const calls[] = { "ticket_check", "secret_hmac", "load", "sign" };
        struct client *c = *state;
        struct made made;

        for (size_t i = 0; i < 2 * ELEMENTSOF(calls); i++) {
                if (i % 2 == 0) {
                        client_make_credential(c);
                        create_anew(c);
                } else {
                        assert_int_equal(create_with(c, "{'hmac-secret': true}"), CTAP_OK);
                        client_read_made(c, &made);
                        client_get_assertion(c);
                        client_set_list(c, 3, &made, 1);
                        assert_anew(c);
                }
                fake_fail(c->fake, calls[i / 2], 1, -EKEYEXPIRED);
                assert_int_equal(client_send(c), CTAP2_ERR_PIN_AUTH_INVALID);
                assert_false(fake_mend(c->fake));
                assert_int_equal(client_send(c), CTAP2_ERR_PIN_AUTH_INVALID);
                assert_int_equal(fake_calls(c->fake, "ticket_check"), 1);
        }
}

static void a_ticket_that_is_refused_to_a_silent_request_ends_the_token_too(void **state) {
        static const char *const calls[] = { "load", "sign" };
        struct client *c = *state;
        struct made made;

        client_register(c, true, "ann", &made);
        for (size_t i = 0; i < ELEMENTSOF(calls); i++) {
                client_get_assertion(c);
                client_set(c, 5, "{'up': false}");
                client_verify(c);
                fake_fail(c->fake, calls[i], 1, -EKEYEXPIRED);
                assert_int_equal(client_send(c), CTAP2_ERR_PIN_AUTH_INVALID);
                assert_false(fake_mend(c->fake));
                assert_int_equal(c->ctap->token.protocol, 0);
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                client_unit_test(D1_the_level_is_kept_and_told_to_who_asked),
                client_unit_test(D1_any_other_level_is_an_invalid_parameter),
                client_unit_test(D1_it_is_nothing_to_an_assertion),
                client_unit_test(D1_a_key_behind_the_pin_vouches_for_itself_only_with_the_pin),
                client_unit_test(D1_a_key_behind_the_pin_is_not_made_behind_its_back),
                client_unit_test(D2_both_keys_are_made_while_the_person_reads),
                client_unit_test(D2_whoever_does_not_ask_gets_neither_key_nor_output),
                client_unit_test(D2_anything_but_a_boolean_is_of_the_wrong_type),
                client_unit_test(D6_a_discoverable_credential_keeps_and_gives_its_blob),
                client_unit_test(D6_what_is_not_kept_is_said),
                client_unit_test(D6_without_a_blob_it_is_empty_and_unasked_there_is_none),
                client_unit_test(D6_anything_but_bytes_is_of_the_wrong_type),
                always_uv_unit_test(D6_a_blob_behind_the_pin_is_given_to_a_verified_person_only),
                client_unit_test(D7_the_key_is_a_member_of_the_replies_and_no_output),
                client_unit_test(D7_only_true_is_asked_with),
                client_unit_test(D7_it_is_of_discoverable_credentials),
                client_unit_test(D7_without_a_large_blob_array_it_is_unknown),
                client_unit_test(GA16_a_credential_that_was_made_without_one_has_none),
                client_unit_test(D6_a_blob_and_its_large_one_s_key_outlive_a_new_name),
                client_unit_test(D8_large_blob_is_ignored_like_any_unknown_extension),
                client_unit_test(D9_a_site_that_is_listed_is_told),
                client_unit_test(D9_other_sites_get_neither_an_answer_nor_an_error),
                client_unit_test(D9_anything_but_a_boolean_is_of_the_wrong_type),
                client_unit_test(D9_they_are_nothing_to_an_assertion),
                client_unit_test(D10_it_is_kept_at_creation_and_told_in_assertions),
                client_unit_test(D10_anything_but_a_boolean_is_of_the_wrong_type),
                client_unit_test(D_outputs_are_in_canonical_order),
                client_unit_test(D3_one_salt_or_two_under_either_protocol),
                client_unit_test(D3_a_verified_person_has_another_secret),
                client_unit_test(D3_without_a_protocol_it_is_the_first),
                client_unit_test(D3_it_is_computed_while_the_person_reads),
                client_unit_test(
                        D3_a_credential_that_was_made_without_it_answers_the_same_for_ever),
                client_unit_test(D3_what_is_wrong_with_its_input),
                client_unit_test(D3_salts_of_any_other_size_are_an_invalid_parameter),
                client_unit_test(D3_a_no_throws_it_away),
                client_unit_test(GA6_without_presence_it_is_an_unsupported_option),
                client_unit_test(D4_it_needs_no_pin),
                client_unit_test(D5_creation_answers_what_assertions_will),
                client_unit_test(D5_both_are_answered),
                client_unit_test(D5_it_needs_hmac_secret_beside_it),
                client_unit_test(D5_it_is_nothing_to_an_assertion),
                client_unit_test(every_failure_is_an_error_and_changes_nothing),
                client_unit_test(a_refused_ticket_ends_the_token),
                client_unit_test(a_ticket_that_is_refused_to_a_silent_request_ends_the_token_too),
        };

        return cmocka_run_group_tests_name("extension", tests, NULL, NULL);
}
