/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * examples/site: answers as JSON with one member missing, of the wrong type, too long, or not in the one
 * form of base64url; the refusal names the member.
 */

#include "examples/site/answer.h"

#include <string.h>

#include "tests/site/key.h"
#include "tests/site/test.h"

static const uint8_t challenge[CHALLENGE_LEN] = "thirty-two bytes that nobody kno";

struct kind {
        bool is_registration;
        json_t *good;
        struct answer answer;
        const char *member;
};

static struct kind *new_kind(bool is_registration) {
        struct kind *k = calloc(1, sizeof(*k));
        struct key *key = key_new(ALGORITHM_ES256);
        struct form f = is_registration ? form_of_registration(SLICE_OF(challenge))
                                        : form_of_login(SLICE_OF(challenge), 1);

        f.handle = SLICE_OF(challenge);
        k->is_registration = is_registration;
        k->good = is_registration ? key_register(key, &f) : key_sign_in(key, &f);
        key_free(&key);
        return k;
}

static void free_kind(struct kind **k) {
        json_decref((*k)->good);
        free(*k);
}

static enum refusal read(struct kind *k, const json_t *json) {
        return k->is_registration ? answer_read_registration(json, &k->answer, &k->member)
                                  : answer_read_login(json, &k->answer, &k->member);
}

static const char *const outer[] = { "id", "rawId", "type", "response", NULL };
static const char *const of_registration[] = { "clientDataJSON", "attestationObject", NULL };
static const char *const of_login[] = { "clientDataJSON", "authenticatorData", "signature", NULL };

/* Tries a value (NULL: none) in the place of each member that has to be there. */
static void try_all(bool is_registration, json_t *value, enum refusal refusal,
                    const char *const *except) {
        _cleanup_(free_kind) struct kind *k = new_kind(is_registration);
        const char *const *inner = is_registration ? of_registration : of_login;

        for (int level = 0; level < 2; level++)
                for (const char *const *name = level ? inner : outer; *name; name++) {
                        _cleanup_(free_json) json_t *bad = json_deep_copy(k->good);
                        json_t *o = level ? json_object_get(bad, "response") : bad;
                        bool is_excepted = false;

                        for (const char *const *e = except; *e; e++)
                                is_excepted |= strcmp(*e, *name) == 0;
                        if (is_excepted)
                                continue;
                        if (value)
                                json_object_set(o, *name, value);
                        else
                                json_object_del(o, *name);
                        assert_string_equal(refusal_name(read(k, bad)), refusal_name(refusal));
                        assert_string_equal(k->member, *name);
                }
}

static void try_both(json_t *value, enum refusal refusal, const char *const *except) {
        try_all(true, value, refusal, except);
        try_all(false, value, refusal, except);
        json_decref(value);
}

static const char *const none[] = { NULL };
static const char *const no_bytes[] = { "type", "response", NULL };

static void good_answers_are_read(_unused_ void **state) {
        for (int is_registration = 0; is_registration < 2; is_registration++) {
                _cleanup_(free_kind) struct kind *k = new_kind(is_registration);

                assert_int_equal(read(k, k->good), REFUSED_NOTHING);
                assert_int_equal(k->answer.id.len, 32);
                assert_true(k->answer.client_data.len > 0);
                if (!is_registration)
                        assert_true(slice_equal(k->answer.user_handle, SLICE_OF(challenge)));
        }
}

static void a_missing_member_is_named(_unused_ void **state) {
        try_both(NULL, REFUSED_FIELD_MISSING, none);
}

static void a_member_of_the_wrong_type_is_named(_unused_ void **state) {
        try_both(json_integer(7), REFUSED_FIELD_TYPE, none);
        try_both(json_null(), REFUSED_FIELD_TYPE, none);
        try_both(json_array(), REFUSED_FIELD_TYPE, none);
}

static void a_member_that_is_too_long_is_named(_unused_ void **state) {
        size_t len = ATTESTATION_OBJECT_MAX * 2;
        _cleanup_(free_pointer) char *text = calloc(1, len + 1);

        memset(text, 'A', len);
        try_both(json_string(text), REFUSED_FIELD_TOO_LONG, no_bytes);
}

static void base64url_has_one_form(_unused_ void **state) {
        static const char *const wrong[] = {
                "AA==", /* padded */
                "AB",   /* bits behind the last byte */
                "AAAAA", "AA+A", "AA/A", "AA A", "AA\n",
        };

        for (size_t i = 0; i < ELEMENTSOF(wrong); i++)
                try_both(json_string(wrong[i]), REFUSED_BASE64URL, no_bytes);
        try_both(json_string(""), REFUSED_FIELD_VALUE, no_bytes);
}

static void two_ids_are_refused(_unused_ void **state) {
        _cleanup_(free_kind) struct kind *k = new_kind(false);

        json_object_set_new(k->good, "rawId", json_string("AAAA"));
        assert_int_equal(read(k, k->good), REFUSED_ID_TWICE);
}

static void another_type_of_credential_is_refused(_unused_ void **state) {
        _cleanup_(free_kind) struct kind *k = new_kind(false);

        json_object_set_new(k->good, "type", json_string("password"));
        assert_int_equal(read(k, k->good), REFUSED_FIELD_VALUE);
        assert_string_equal(k->member, "type");
}

static void transports_are_words_and_few(_unused_ void **state) {
        _cleanup_(free_kind) struct kind *k = new_kind(true);
        json_t *response = json_object_get(k->good, "response");
        json_t *many = json_array();

        json_object_set_new(response, "transports", json_pack("[s]", "usb\" onload=\""));
        assert_int_equal(read(k, k->good), REFUSED_FIELD_VALUE);
        json_object_set_new(response, "transports", json_string("usb"));
        assert_int_equal(read(k, k->good), REFUSED_FIELD_TYPE);
        for (int i = 0; i <= TRANSPORTS_MAX; i++)
                json_array_append_new(many, json_string("nfc"));
        json_object_set_new(response, "transports", many);
        assert_int_equal(read(k, k->good), REFUSED_FIELD_TOO_LONG);
        json_object_set_new(response, "transports", json_pack("[s]", "smart-card"));
        assert_int_equal(read(k, k->good), REFUSED_NOTHING);
        assert_string_equal(k->answer.transports, "smart-card");
}

static void a_user_handle_may_be_missing_or_null(_unused_ void **state) {
        _cleanup_(free_kind) struct kind *k = new_kind(false);
        json_t *response = json_object_get(k->good, "response");

        json_object_set_new(response, "userHandle", json_null());
        assert_int_equal(read(k, k->good), REFUSED_NOTHING);
        assert_int_equal(k->answer.user_handle.len, 0);
        json_object_set_new(response, "userHandle", json_integer(1));
        assert_int_equal(read(k, k->good), REFUSED_FIELD_TYPE);
}

static void what_is_no_object_is_refused(_unused_ void **state) {
        _cleanup_(free_kind) struct kind *k = new_kind(false);
        _cleanup_(free_json) json_t *array = json_array();

        assert_int_equal(read(k, array), REFUSED_NOT_JSON);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(good_answers_are_read),
                cmocka_unit_test(a_missing_member_is_named),
                cmocka_unit_test(a_member_of_the_wrong_type_is_named),
                cmocka_unit_test(a_member_that_is_too_long_is_named),
                cmocka_unit_test(base64url_has_one_form),
                cmocka_unit_test(two_ids_are_refused),
                cmocka_unit_test(another_type_of_credential_is_refused),
                cmocka_unit_test(transports_are_words_and_few),
                cmocka_unit_test(a_user_handle_may_be_missing_or_null),
                cmocka_unit_test(what_is_no_object_is_refused),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
