/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * authenticator/seed.c: what a fixture may have, what its members become, and that whatever is wrong with
 * it is named; and authenticator/webauthn.c, for the room that the answer takes.
 */

#include "authenticator/seed.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "authenticator/control.h"
#include "authenticator/util.h"
#include "authenticator/webauthn.h"
#include "ctap/env.h"
#include "tests/unit/test.h"

#define ALL_KEYS (1u << CTAP_KEY_P256 | 1u << CTAP_KEY_P384 | 1u << CTAP_KEY_RSA2048)

/* A good entry, and one with these members more. */
#define GOOD       "{'rp_id':'a.example','user':{'id':'YQ'}}"
#define WITH(more) "{'rp_id':'a.example','user':{'id':'YQ'}," more "}"
#define USER(user) "{'rp_id':'a.example','user':{" user "}}"
#define EXT(x)     WITH("'extensions':{" x "}")

static const struct seed_limits everything = { ALL_KEYS, true };

struct reading {
        json_t *list;
        struct seed_fixture *fixture; /* NULL: it was refused */
        json_t *error;
};

static void reading_done(struct reading *r) {
        json_decref(r->list);
        json_decref(r->error);
        free(r->fixture);
}

/* Entries in JSON with ' in the place of ". */
static struct reading read_with(const struct seed_limits *limits, const char *entries) {
        struct reading r = { 0 };
        json_error_t where;
        char *text;

        assert_true(asprintf(&text, "[%s]", entries) > 0);
        for (char *p = text; *p; p++)
                if (*p == '\'')
                        *p = '"';
        r.list = json_loads(text, JSON_REJECT_DUPLICATES, &where);
        if (!r.list)
                fail_msg("%s: %s", text, where.text);
        free(text);
        r.error = seed_read(r.list, limits, &r.fixture);
        assert_true((r.error == NULL) == (r.fixture != NULL));
        return r;
}

static const char *message(const struct reading *r, const char **ret_code) {
        const json_t *error = json_object_get(r->error, "error");

        *ret_code = json_string_value(json_object_get(error, "code"));
        return json_string_value(json_object_get(error, "message"));
}

static void assert_refused_by(const struct seed_limits *limits, const char *entries,
                              const char *says) {
        _cleanup_(reading_done) struct reading r = read_with(limits, entries);
        const char *code, *text;

        if (!r.error)
                fail_msg("taken: %s", entries);
        text = message(&r, &code);
        assert_string_equal(code, PROTOCOL_E_BAD_REQUEST);
        if (strncmp(text, says, strlen(says)) != 0 || !strstr(text, " None was made."))
                fail_msg("%s: not '%s' but '%s'", entries, says, text);
}

static void assert_refused(const char *entries, const char *says) {
        assert_refused_by(&everything, entries, says);
}

static void the_least_has_defaults(void **state) {
        _cleanup_(reading_done) struct reading r = read_with(&everything, GOOD);
        const struct ctap_new_credential *what = &r.fixture->seeds[0].what;

        (void)state;
        assert_int_equal(r.fixture->n, 1);
        assert_int_equal(what->alg->id, CTAP_COSE_ES256);
        assert_int_equal(what->flags, CTAP_ROW_DISCOVERABLE);
        assert_int_equal(what->cred_protect, 0);
        assert_false(what->cred_random);
        assert_bytes_equal(what->record.rp_id, BYTES_TEXT("a.example"));
        assert_bytes_equal(what->record.user_id, BYTES_TEXT("a"));
        assert_false(what->record.has_user_name);
        assert_false(what->record.has_display_name);
        assert_int_equal(what->record.cred_blob.len, 0);
}

static void every_member_arrives(void **state) {
        _cleanup_(reading_done) struct reading r = read_with(
                &everything,
                GOOD ",{'rp_id':'b.example','user':{'id':'Yg','name':'','displayName':'B\\u00e9'},"
                     "'discoverable':true,'algorithm':-257,'extensions':{'hmac-secret':true,"
                     "'credProtect':2,'credBlob':'aGVsbG8','largeBlobKey':true,"
                     "'thirdPartyPayment':true}}");
        const struct ctap_new_credential *what = &r.fixture->seeds[1].what;

        (void)state;
        assert_int_equal(r.fixture->n, 2);
        assert_int_equal(what->alg->id, CTAP_COSE_RS256);
        assert_int_equal(what->flags, CTAP_ROW_DISCOVERABLE | CTAP_ROW_LARGE_BLOB_KEY |
                                              CTAP_ROW_THIRD_PARTY_PAYMENT);
        assert_int_equal(what->cred_protect, 2);
        assert_true(what->cred_random);
        assert_true(what->record.has_user_name);
        assert_int_equal(what->record.user_name.len, 0);
        assert_bytes_equal(what->record.user_display_name, BYTES_TEXT("B\xc3\xa9"));
        assert_bytes_equal(what->record.cred_blob, BYTES_TEXT("hello"));
}

static void no_is_as_good_as_nothing(void **state) {
        _cleanup_(reading_done) struct reading r =
                read_with(&(struct seed_limits){ .key_types = 1u << CTAP_KEY_P256 },
                          WITH("'discoverable':false,'extensions':{'prf':false,'hmac-secret':false,"
                               "'largeBlobKey':false,'thirdPartyPayment':false}"));

        (void)state;
        assert_int_equal(r.fixture->seeds[0].what.flags, 0);
        assert_false(r.fixture->seeds[0].what.cred_random);
}

static void prf_and_hmac_secret_are_one(void **state) {
        static const char *const entries[] = { EXT("'prf':true"), EXT("'hmac-secret':true"),
                                               EXT("'prf':true,'hmac-secret':true"),
                                               EXT("'prf':true,'hmac-secret':false") };

        (void)state;
        for (size_t i = 0; i < ELEMENTSOF(entries); i++) {
                _cleanup_(reading_done) struct reading r = read_with(&everything, entries[i]);

                assert_true(r.fixture->seeds[0].what.cred_random);
        }
}

static void what_has_a_wrong_type_or_is_missing_is_named(void **state) {
        static const char *const cases[][2] = {
                { "7", "credentials[0] must be an object" },
                { GOOD ",[]", "credentials[1] must be an object" },
                { GOOD ",null", "credentials[1] must be an object" },
                { "{}", "credentials[0].rp_id is missing" },
                { "{'rp_id':'a'}", "credentials[0].user is missing" },
                { "{'user':{'id':'YQ'}}", "credentials[0].rp_id is missing" },
                { "{'rp_id':7,'user':{'id':'YQ'}}", "credentials[0].rp_id must be a text" },
                { "{'rp_id':'a','user':'YQ'}", "credentials[0].user must be an object" },
                { USER(""), "credentials[0].user.id is missing" },
                { USER("'id':7"), "credentials[0].user.id must be a text" },
                { USER("'id':'YQ','name':null"), "credentials[0].user.name must be a text" },
                { USER("'id':'YQ','displayName':1"), "credentials[0].user.displayName must be a" },
                { WITH("'discoverable':1"), "credentials[0].discoverable must be true or false" },
                { WITH("'algorithm':'ES256'"), "credentials[0].algorithm must be an integer" },
                { WITH("'algorithm':-7.0"), "credentials[0].algorithm must be an integer" },
                { WITH("'extensions':[]"), "credentials[0].extensions must be an object" },
                { EXT("'prf':{}"), "credentials[0].extensions.prf must be true or false" },
                { EXT("'hmac-secret':1"), "credentials[0].extensions.hmac-secret must be true" },
                { EXT("'credProtect':'3'"),
                  "credentials[0].extensions.credProtect must be an int" },
                { EXT("'credBlob':true"), "credentials[0].extensions.credBlob must be a text" },
                { EXT("'largeBlobKey':'x'"), "credentials[0].extensions.largeBlobKey must be tr" },
                { EXT("'thirdPartyPayment':0"), "credentials[0].extensions.thirdPartyPayment mu" },
        };

        (void)state;
        for (size_t i = 0; i < ELEMENTSOF(cases); i++)
                assert_refused(cases[i][0], cases[i][1]);
}

static void what_is_out_of_its_range_is_named(void **state) {
        static const char *const cases[][2] = {
                { "{'rp_id':'','user':{'id':'YQ'}}", "credentials[0].rp_id must have 1 to 255" },
                { USER("'id':''"), "credentials[0].user.id must be 1 to 64 bytes" },
                { USER("'id':'YQ=='"), "credentials[0].user.id must be 1 to 64 bytes" },
                { USER("'id':'a+b/'"), "credentials[0].user.id must be 1 to 64 bytes" },
                { EXT("'credProtect':0"), "credentials[0].extensions.credProtect must be 1, 2 or" },
                { EXT("'credProtect':4"), "credentials[0].extensions.credProtect must be 1, 2 or" },
                { EXT("'credProtect':257"), "credentials[0].extensions.credProtect must be 1, 2" },
                { EXT("'credBlob':'A'"), "credentials[0].extensions.credBlob must be 0 to 32" },
                { WITH("'algorithm':-8"), "credentials[0].algorithm is none that this device" },
                { WITH("'algorithm':4294967289"), "credentials[0].algorithm is none that this" },
                { WITH("'discoverable':false,'extensions':{'credBlob':''}"),
                  "credentials[0].extensions.credBlob is for a discoverable passkey" },
                { WITH("'discoverable':false,'extensions':{'largeBlobKey':true}"),
                  "credentials[0].extensions.largeBlobKey is for a discoverable passkey" },
        };

        (void)state;
        for (size_t i = 0; i < ELEMENTSOF(cases); i++)
                assert_refused(cases[i][0], cases[i][1]);
}

/* `n` times A in the place of %s: as base64url, three bytes of four. */
static struct reading read_long(const char *format, int n) {
        char as[400], entry[600];

        memset(as, 'A', sizeof(as));
        snprintf(entry, sizeof(entry), format, n, as);
        return read_with(&everything, entry);
}

static void the_longest_are_taken_and_no_longer_ones(void **state) {
        static const struct {
                const char *format, *member;
                int longest, longer;
        } cases[] = {
                { "{'rp_id':'%.*s','user':{'id':'YQ'}}", "rp_id", 255, 256 },
                { USER("'id':'%.*s'"), "user.id", 86, 87 },
                { EXT("'credBlob':'%.*s'"), "extensions.credBlob", 43, 44 },
        };

        (void)state;
        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                _cleanup_(reading_done) struct reading good =
                        read_long(cases[i].format, cases[i].longest);
                _cleanup_(reading_done) struct reading bad =
                        read_long(cases[i].format, cases[i].longer);
                const char *code;

                assert_null(good.error);
                assert_non_null(bad.error);
                assert_non_null(strstr(message(&bad, &code), cases[i].member));
        }
}

static void a_private_key_is_refused_as_such(void **state) {
        static const char *const names[] = { "privateKey", "private_key", "PrivateKeyPem", "pkcs8",
                                             "jwk",        "d",           "key",           "PEM" };
        char entry[200], says[200];

        (void)state;
        for (size_t i = 0; i < ELEMENTSOF(names); i++) {
                snprintf(entry, sizeof(entry), WITH("'%s':'MIGHAgEAMBMGByqGSM49AgEGCCqGSM49'"),
                         names[i]);
                snprintf(says, sizeof(says), "credentials[0].%s looks like a private key",
                         names[i]);
                assert_refused(entry, says);
        }
        /* Of a fixture for a virtual authenticator; wherever it is. */
        assert_refused("{'credentialId':'AAAA','isResidentCredential':true,'rpId':'a.example',"
                       "'privateKey':'MIGHAgEA','signCount':1}",
                       "credentials[0].");
        assert_refused(USER("'id':'YQ','privateKey':'x'"), "credentials[0].user.privateKey looks");
        assert_refused(EXT("'privateKey':null"), "credentials[0].extensions.privateKey looks");
}

/* What list --webauthn prints has a key and an id, which can be none of another passkey. */
static void what_is_made_with_the_key_cannot_be_chosen(void **state) {
        static const char *const names[] = { "id",        "rawId",   "credentialId",
                                             "publicKey", "counter", "publicKeyCose",
                                             "signCount" };
        char entry[200], says[200];

        (void)state;
        for (size_t i = 0; i < ELEMENTSOF(names); i++) {
                snprintf(entry, sizeof(entry), WITH("'%s':0"), names[i]);
                snprintf(says, sizeof(says), "credentials[0].%s cannot be chosen", names[i]);
                assert_refused(entry, says);
        }
}

static void other_members_are_refused(void **state) {
        (void)state;
        assert_refused(WITH("'rpId':'a'"), "credentials[0].rpId is no member of a fixture");
        assert_refused(WITH("'':1"), "credentials[0]. is no member of a fixture");
        assert_refused(USER("'id':'YQ','icon':'x'"), "credentials[0].user.icon is no member");
        assert_refused(EXT("'minPinLength':true"), "credentials[0].extensions.minPinLength is no");
        assert_refused(EXT("'credprotect':1"), "credentials[0].extensions.credprotect is no");
}

/* A name of a client's is quoted as far as a message has room, and as text. */
static void a_long_name_is_cut(void **state) {
        _cleanup_(reading_done) struct reading r = { 0 };
        char entry[700], name[401] = "";
        const char *code, *text;

        (void)state;
        memset(name, 'n', sizeof(name) - 1);
        snprintf(entry, sizeof(entry), WITH("'%.63s\xe2\x82\xac%s':1"), name, name);
        r = read_with(&everything, entry);
        assert_non_null(r.error);
        text = message(&r, &code);
        assert_true(strlen(text) < 200);
        assert_true(bytes_is_utf8(BYTES_TEXT(text)));
}

static void a_device_that_cannot_is_taken_at_its_word(void **state) {
        const struct seed_limits no_rsa = { 1u << CTAP_KEY_P256, true },
                                 no_blobs = { ALL_KEYS, false };

        (void)state;
        assert_refused_by(&no_rsa, WITH("'algorithm':-257"), "credentials[0].algorithm is none");
        assert_refused_by(&no_rsa, WITH("'algorithm':-35"), "credentials[0].algorithm is none");
        assert_refused_by(&no_blobs, EXT("'largeBlobKey':true"),
                          "credentials[0].extensions.largeBlobKey is not possible");
}

static void one_account_is_in_it_once(void **state) {
        _cleanup_(reading_done) struct reading r = read_with(
                &everything,
                GOOD ",{'rp_id':'b.example','user':{'id':'YQ'}},{'rp_id':'a.example','user':{'id':"
                     "'Yg'}}," WITH("'discoverable':false") "," WITH("'discoverable':false"));

        (void)state;
        assert_null(r.error);
        assert_int_equal(r.fixture->n, 5);
        assert_refused(USER("'id':'Yg'") "," GOOD "," WITH("'algorithm':-35"),
                       "credentials[2].user.id has a passkey already in credentials[1].");
}

static json_t *many(size_t n) {
        json_t *list = json_array();
        char id[8];

        for (size_t i = 0; i < n; i++) {
                snprintf(id, sizeof(id), "A%c%cA", (char)('A' + i / 26), (char)('A' + i % 26));
                json_array_append_new(list, json_pack("{s:s,s:{s:s}}", "rp_id", "a.example", "user",
                                                      "id", id));
        }
        return list;
}

static void as_many_as_the_protocol_says_are_taken(void **state) {
        _cleanup_(json_drop) json_t *most = many(PROTOCOL_SEED_MAX), *more = many(65), *error;
        struct seed_fixture *fixture = NULL;

        (void)state;
        assert_null(seed_read(most, &everything, &fixture));
        assert_int_equal(fixture->n, PROTOCOL_SEED_MAX);
        free(fixture);
        error = seed_read(more, &everything, &fixture);
        assert_non_null(error);
        assert_non_null(strstr(json_string_value(
                                       json_object_get(json_object_get(error, "error"), "message")),
                               "credentials has 65 entries, and at most 64"));
}

static void none_is_a_fixture_too(void **state) {
        _cleanup_(reading_done) struct reading r = read_with(&everything, "");

        (void)state;
        assert_int_equal(r.fixture->n, 0);
}

/* The answer to a seed has no pages. */
static void the_answer_for_the_most_and_longest_fits_into_a_line(void **state) {
        const struct ctap_row row = { .alg = CTAP_COSE_RS256, .count = UINT32_MAX };
        const struct ctap_public_key key = { .type = CTAP_KEY_RSA2048, .modulus = { 0xff } };
        _cleanup_(json_drop) json_t *list = json_array(), *id = json_integer(INT64_MIN);
        _cleanup_(free_pointer) char *line = NULL;

        (void)state;
        for (size_t i = 0; i < PROTOCOL_SEED_MAX; i++)
                json_array_append_new(list, webauthn_credential(&row, &key));
        line = control_line(id, control_result(json_pack("{s:O}", "credentials", list)));
        assert_true(strlen(line) <= PROTOCOL_LINE_MAX);
        assert_true(strlen(line) > 50000);
}

/* A row whose key another device made, or whose algorithm there is not, is told as far as it goes. */
static void what_a_row_does_not_say_is_null(void **state) {
        const struct ctap_row row = { .alg = -8 }, other = { .alg = CTAP_COSE_RS256 };
        const struct ctap_public_key key = { .type = CTAP_KEY_P256 };
        _cleanup_(json_drop) json_t *unknown = webauthn_credential(&row, &key),
                                    *none = webauthn_credential(&other, NULL),
                                    *unlike = webauthn_credential(&other, &key);

        (void)state;
        assert_true(json_is_null(json_object_get(unknown, "publicKeyCose")));
        assert_true(json_is_string(json_object_get(unknown, "publicKey")));
        assert_true(json_is_null(json_object_get(none, "publicKeyCose")));
        assert_true(json_is_null(json_object_get(none, "publicKey")));
        assert_true(json_is_string(json_object_get(none, "id")));
        assert_true(json_is_null(json_object_get(unlike, "publicKeyCose")));
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(the_least_has_defaults),
                cmocka_unit_test(every_member_arrives),
                cmocka_unit_test(no_is_as_good_as_nothing),
                cmocka_unit_test(prf_and_hmac_secret_are_one),
                cmocka_unit_test(what_has_a_wrong_type_or_is_missing_is_named),
                cmocka_unit_test(what_is_out_of_its_range_is_named),
                cmocka_unit_test(the_longest_are_taken_and_no_longer_ones),
                cmocka_unit_test(a_private_key_is_refused_as_such),
                cmocka_unit_test(what_is_made_with_the_key_cannot_be_chosen),
                cmocka_unit_test(other_members_are_refused),
                cmocka_unit_test(a_long_name_is_cut),
                cmocka_unit_test(a_device_that_cannot_is_taken_at_its_word),
                cmocka_unit_test(one_account_is_in_it_once),
                cmocka_unit_test(as_many_as_the_protocol_says_are_taken),
                cmocka_unit_test(none_is_a_fixture_too),
                cmocka_unit_test(the_answer_for_the_most_and_longest_fits_into_a_line),
                cmocka_unit_test(what_a_row_does_not_say_is_null),
        };

        return cmocka_run_group_tests_name("seed", tests, NULL, NULL);
}
