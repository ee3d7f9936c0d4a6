/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * authenticator/registration.c: the bytes of the client data and of the makeCredential, and of what an
 * authenticator answers the JSON.
 */

#include "authenticator/registration.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "authenticator/base64url.h"
#include "authenticator/control.h"
#include "authenticator/util.h"
#include "ctap/auth-data.h"
#include "ctap/cbor.h"
#include "tests/unit/test.h"

static struct creation_options make_options(void) {
        return (struct creation_options){
                .origin = "https://login.a.example",
                .rp_id = BYTES_TEXT("a.example"),
                .challenge = BYTES_TEXT("AAECAwQFBgcICQoLDA0ODw"),
                .user_id = BYTES_TEXT("id"),
                .user_name = BYTES_TEXT("alice"),
                .algorithms = { -7 },
                .n_algorithms = 1,
        };
}

static void client_data_is_written_as_the_specification_has_it(void **state) {
        const struct creation_options o = make_options();
        _cleanup_(free_pointer) char *text = registration_client_data(&o);

        (void)state;
        assert_string_equal(text, "{\"type\":\"webauthn.create\","
                                  "\"challenge\":\"AAECAwQFBgcICQoLDA0ODw\","
                                  "\"origin\":\"https://login.a.example\",\"crossOrigin\":false}");
}

/* ---- the request ---- */

static struct bytes put(const struct registration_request *rq, struct buf *out) {
        registration_put_request(rq, out);
        assert_int_equal(buf_error(out), 0);
        assert_int_equal(out->data[0], 0x01);
        assert_int_equal(cbor_check(BYTES(out->data + 1, out->len - 1)), CTAP_OK);
        return BYTES(out->data + 1, out->len - 1);
}

/* The member under an integer key; ABSENT if there is none. */
static struct cbor_value member(struct bytes params, int64_t key) {
        struct cbor_value found = { 0 };
        const struct cbor_field field = { NULL, key, CBOR_KIND_ANY, false, 0 };
        struct cbor_value map = cbor_next(&params);

        assert_int_equal(cbor_read_map(&map, &field, 1, &found), CTAP_OK);
        return found;
}

static void the_least_has_four_members(void **state) {
        const struct creation_options o = make_options();
        const struct registration_request rq = { .options = &o };
        uint8_t storage[REGISTRATION_REQUEST_MAX];
        struct buf out = BUF_ON(storage);
        struct bytes params = put(&rq, &out);
        static const uint8_t want[] = "\xa2\x62id\x42id\x64name\x65"
                                      "alice";

        (void)state;
        assert_int_equal(cbor_next(&(struct bytes){ params.data, params.len }).n, 4);
        assert_int_equal(member(params, 1).string.len, 32);
        assert_bytes_equal(member(params, 2).raw, BYTES_TEXT("\xa1\x62id\x69"
                                                             "a.example"));
        assert_bytes_equal(member(params, 3).raw, BYTES(want, sizeof(want) - 1));
        assert_bytes_equal(member(params, 4).raw, BYTES_TEXT("\x81\xa2\x63"
                                                             "alg\x26\x64type\x6apublic-key"));
}

static void all_that_there_is_stands_in_canonical_order(void **state) {
        static const uint8_t param[32] = { 9 };
        struct creation_options o = make_options();
        struct registration_request rq = {
                .options = &o, .n_excluded = 2, .enterprise = true, .param = BYTES_OF(param)
        };
        uint8_t storage[REGISTRATION_REQUEST_MAX];
        struct buf out = BUF_ON(storage);
        struct cbor_value x;
        struct bytes params;

        (void)state;
        o.user_display_name = BYTES_TEXT("Alice");
        o.discoverable = o.prf = o.large_blob = o.min_pin_length = o.has_cred_blob = true;
        o.cred_protect = 2;
        o.cred_blob = BYTES_TEXT("blob");
        o.formats[0] = BYTES_TEXT("tpm");
        o.n_formats = 1;
        rq.excluded[1].b[0] = 7;
        params = put(&rq, &out);

        assert_int_equal(member(params, 3).n, 3);
        assert_int_equal(member(params, 5).n, 2);
        x = member(params, 6);
        assert_int_equal(x.n, 5);
        assert_bytes_equal(cbor_find_text(&x, "credBlob").string, BYTES_TEXT("blob"));
        assert_int_equal(cbor_find_text(&x, "credProtect").integer, 2);
        assert_true(cbor_find_text(&x, "hmac-secret").boolean);
        assert_true(cbor_find_text(&x, "largeBlobKey").boolean);
        assert_true(cbor_find_text(&x, "minPinLength").boolean);
        assert_bytes_equal(member(params, 7).raw, BYTES_TEXT("\xa1\x62rk\xf5"));
        assert_bytes_equal(member(params, 8).string, BYTES_OF(param));
        assert_int_equal(member(params, 9).integer, 2);
        assert_int_equal(member(params, 10).integer, 2);
        assert_bytes_equal(member(params, 11).raw, BYTES_TEXT("\x81\x63tpm"));
}

static void who_wants_no_attestation_asks_for_none(void **state) {
        struct creation_options o = make_options();
        const struct registration_request rq = { .options = &o };
        uint8_t storage[REGISTRATION_REQUEST_MAX];
        struct buf out = BUF_ON(storage);

        (void)state;
        o.no_attestation = true;
        o.formats[0] = BYTES_TEXT("tpm");
        o.n_formats = 1;
        assert_bytes_equal(member(put(&rq, &out), 11).raw, BYTES_TEXT("\x81\x64none"));
}

/* Names, ids and lists as long as they can be. */
static void the_longest_request_fits(void **state) {
        static const uint8_t param[32];
        char longest[CTAP_RP_ID_MAX + 1];
        struct creation_options o = make_options();
        const struct registration_request rq = { .options = &o,
                                                 .n_excluded = REGISTRATION_EXCLUDED_MAX,
                                                 .enterprise = true,
                                                 .param = BYTES_OF(param) };
        uint8_t storage[REGISTRATION_REQUEST_MAX];
        struct buf out = BUF_ON(storage);

        (void)state;
        memset(longest, 'x', sizeof(longest));
        o.rp_id = BYTES(longest, CTAP_RP_ID_MAX);
        o.user_id = o.user_name = o.user_display_name = BYTES(longest, 64);
        o.discoverable = o.prf = o.large_blob = o.min_pin_length = o.has_cred_blob = true;
        o.cred_protect = 3;
        o.cred_blob = BYTES(longest, CTAP_CRED_BLOB_MAX);
        o.n_algorithms = CREATION_ALGORITHMS;
        for (size_t i = 0; i < CREATION_ALGORITHMS; i++)
                o.algorithms[i] = -65535;
        o.n_formats = CREATION_FORMATS;
        for (size_t i = 0; i < CREATION_FORMATS; i++)
                o.formats[i] = BYTES(longest, 32);
        (void)put(&rq, &out);
}

/* ---- the answer ---- */

struct answer {
        uint8_t storage[2048];
        struct buf body;
        uint8_t auth_data_storage[CTAP_AUTH_DATA_MAX];
        struct buf auth_data;
};

static void make_answer(struct answer *a, struct bytes extensions) {
        struct ctap_attested attested = { .alg = ctap_cose_find(-7, ~0u) };
        const struct ctap_auth_data d = { .flags = CTAP_FLAG_UP,
                                          .attested = &attested,
                                          .extensions = extensions };
        struct cbor_writer w = { &a->body };

        attested.id.b[0] = 0xaa;
        a->body = BUF_ON(a->storage);
        a->auth_data = BUF_ON(a->auth_data_storage);
        ctap_auth_data_put(&d, &a->auth_data);
        cbor_put_map(&w, 3);
        cbor_put_int(&w, 1);
        cbor_put_string(&w, "none");
        cbor_put_int(&w, 2);
        cbor_put_bytes(&w, buf_bytes(&a->auth_data));
        cbor_put_int(&w, 3);
        cbor_put_map(&w, 0);
        assert_int_equal(buf_error(&a->body), 0);
}

static json_t *a_credential(void) {
        return json_pack("{s:s,s:s,s:i,s:[s]}", "id", "qg", "publicKey", "cGs",
                         "publicKeyAlgorithm", -7, "transports", "usb");
}

static void assert_encodes(const json_t *value, struct bytes bytes) {
        uint8_t storage[4096];
        struct buf text = BUF_ON(storage);

        base64url_put(&text, bytes);
        assert_int_equal(buf_error(&text), 0);
        assert_bytes_equal(BYTES(json_string_value(value), json_string_length(value)),
                           buf_bytes(&text));
}

static void the_answer_has_what_the_specification_names(void **state) {
        static const char *const texts[] = { "id", "rawId", "type", "authenticatorAttachment" };
        const struct creation_options o = make_options();
        _cleanup_(json_drop) json_t *credential = a_credential(), *made = NULL;
        uint8_t object_storage[2048];
        struct buf object = BUF_ON(object_storage);
        struct cbor_writer w = { &object };
        const json_t *response;
        struct answer a;

        (void)state;
        make_answer(&a, BYTES_NULL);
        assert_int_equal(registration_response(&o, BYTES_TEXT("client data"), buf_bytes(&a.body),
                                               credential, &made),
                         0);
        assert_int_equal(json_object_size(made), 6);
        for (size_t i = 0; i < ELEMENTSOF(texts); i++)
                assert_true(json_is_string(json_object_get(made, texts[i])));
        assert_int_equal(json_object_size(json_object_get(made, "clientExtensionResults")), 0);
        response = json_object_get(made, "response");
        assert_int_equal(json_object_size(response), 6);
        assert_encodes(json_object_get(response, "clientDataJSON"), BYTES_TEXT("client data"));
        assert_encodes(json_object_get(response, "authenticatorData"), buf_bytes(&a.auth_data));
        cbor_put_map(&w, 3);
        cbor_put_string(&w, "fmt");
        cbor_put_string(&w, "none");
        cbor_put_string(&w, "attStmt");
        cbor_put_map(&w, 0);
        cbor_put_string(&w, "authData");
        cbor_put_bytes(&w, buf_bytes(&a.auth_data));
        assert_encodes(json_object_get(response, "attestationObject"), buf_bytes(&object));
}

static void results_of_extensions_are_those_of_the_authenticator(void **state) {
        static const struct {
                const char *outputs, *results;
        } cases[] = {
                { "\xa2\x68"
                  "credBlob\xf5\x6bhmac-secret\xf5",
                  "{\"credBlob\":true,\"credProps\":{\"rk\":true},\"hmacCreateSecret\":true,"
                  "\"largeBlob\":{\"supported\":true},\"prf\":{\"enabled\":true}}" },
                { "", "{\"credBlob\":false,\"credProps\":{\"rk\":true},\"hmacCreateSecret\":false,"
                      "\"largeBlob\":{\"supported\":true},\"prf\":{\"enabled\":false}}" },
        };
        struct creation_options o = make_options();
        struct answer a;

        (void)state;
        o.cred_props = o.discoverable = o.hmac_create_secret = o.prf = true;
        o.large_blob = o.has_cred_blob = true;
        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                _cleanup_(json_drop) json_t *credential = a_credential(), *made = NULL;
                _cleanup_(free_pointer) char *results = NULL;

                make_answer(&a, BYTES_TEXT(cases[i].outputs));
                assert_int_equal(registration_response(&o, BYTES_NULL, buf_bytes(&a.body),
                                                       credential, &made),
                                 0);
                results = json_dumps(json_object_get(made, "clientExtensionResults"),
                                     JSON_COMPACT | JSON_SORT_KEYS);
                assert_string_equal(results, cases[i].results);
        }
}

static void the_id_is_that_of_the_answer(void **state) {
        struct ctap_credential_id id;
        struct answer a;

        (void)state;
        make_answer(&a, BYTES_NULL);
        assert_int_equal(registration_read_id(buf_bytes(&a.body), &id), 0);
        assert_int_equal(id.b[0], 0xaa);
}

static void what_is_no_answer_to_a_make_credential_is_refused(void **state) {
        struct ctap_credential_id id;
        struct answer a;

        (void)state;
        make_answer(&a, BYTES_NULL);
        for (size_t n = 0; n < a.body.len; n++)
                assert_int_equal(registration_read_id(BYTES(a.storage, n), &id), -EBADMSG);
        /* an assertion's data, which has no credential in it */
        a.storage[1 + 1 + 5 + 1 + 2 + 32] &= (uint8_t)~CTAP_FLAG_AT;
        assert_int_equal(registration_read_id(buf_bytes(&a.body), &id), -EBADMSG);
        assert_int_equal(registration_read_id(BYTES_TEXT("\xa0"), &id), -EBADMSG);
        assert_int_equal(registration_read_id(BYTES_TEXT("\xa3\x01\x64none\x02\x41x\x03\xa0"), &id),
                         -EBADMSG);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(client_data_is_written_as_the_specification_has_it),
                cmocka_unit_test(the_least_has_four_members),
                cmocka_unit_test(all_that_there_is_stands_in_canonical_order),
                cmocka_unit_test(who_wants_no_attestation_asks_for_none),
                cmocka_unit_test(the_longest_request_fits),
                cmocka_unit_test(the_answer_has_what_the_specification_names),
                cmocka_unit_test(results_of_extensions_are_those_of_the_authenticator),
                cmocka_unit_test(the_id_is_that_of_the_answer),
                cmocka_unit_test(what_is_no_answer_to_a_make_credential_is_refused),
        };

        return cmocka_run_group_tests_name("registration", tests, NULL, NULL);
}
