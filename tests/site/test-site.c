/* SPDX-License-Identifier: BSD-2-Clause */

/* examples/site without its server: accounts, their passkeys, and what belongs to those. */

#include <string.h>

#include "tests/site/visit.h"

static void an_account_is_made_by_its_first_passkey(void **state) {
        struct visit *v = *state;

        assert_string_equal(register_key(v, v->key, "ann"), "accepted");
        assert_string_equal(call(v, "/api/state", json_object()), "accepted");
        assert_non_null(credential(v, 0));
        assert_null(credential(v, 1));
        assert_string_equal(call(v, "/api/logout", json_object()), "accepted");
        assert_null(credential(v, 0));
        assert_string_equal(sign_in(v, "ann", 1), "accepted");
        assert_int_equal(json_integer_value(json_object_get(credential(v, 0), "counter")), 1);
}

static void what_a_registration_asks_for_has_the_form_of_webauthn(void **state) {
        struct visit *v = *state;
        const char *verification, *resident;
        json_t *o, *list;

        assert_string_equal(call(v, "/api/register/begin",
                                 json_pack("{s:s, s:[i], s:s, s:s, s:s}", "name", "ann",
                                           "algorithms", -35, "residentKey", "discouraged",
                                           "userVerification", "required", "attestation",
                                           "direct")),
                            "accepted");
        o = json_object_get(v->last, "publicKey");
        assert_int_equal(json_unpack(o, "{s:{s:s, s:s}}", "authenticatorSelection",
                                     "userVerification", &verification, "residentKey", &resident),
                         0);
        assert_string_equal(verification, "required");
        assert_string_equal(resident, "discouraged");
        assert_string_equal(json_string_value(json_object_get(o, "attestation")), "direct");
        list = json_object_get(o, "pubKeyCredParams");
        assert_int_equal(json_array_size(list), 1);
        assert_int_equal(json_integer_value(json_object_get(json_array_get(list, 0), "alg")), -35);
        assert_int_equal(json_array_size(json_object_get(o, "excludeCredentials")), 0);

        /* With a passkey there, that one is excluded. */
        assert_string_equal(register_key(v, v->key, "ann"), "accepted");
        assert_string_equal(call(v, "/api/register/begin", who("ann")), "accepted");
        o = json_object_get(v->last, "publicKey");
        assert_int_equal(json_array_size(json_object_get(o, "excludeCredentials")), 1);
}

static void options_that_mean_nothing_are_refused(void **state) {
        static const char *const members[] = { "residentKey", "userVerification", "attestation" };
        struct visit *v = *state;
        char long_name[NAME_MAX_BYTES + 2] = { 0 };

        for (size_t i = 0; i < ELEMENTSOF(members); i++) {
                json_t *body = who("ann");

                json_object_set_new(body, members[i], json_string("maybe"));
                assert_string_equal(call(v, "/api/register/begin", body), "field-value");
                body = who("ann");
                json_object_set_new(body, members[i], json_true());
                assert_string_equal(call(v, "/api/register/begin", body), "field-type");
        }
        memset(long_name, 'a', NAME_MAX_BYTES + 1);
        assert_string_equal(call(v, "/api/register/begin", who(long_name)), "field-too-long");
        assert_string_equal(call(v, "/api/register/begin", who("")), "field-value");
        assert_string_equal(call(v, "/api/register/begin", who("a\nb")), "field-value");
        assert_string_equal(call(v, "/api/register/begin", json_object()), "field-missing");
        assert_string_equal(call(v, "/api/register/begin", json_pack("{s:s}", "name", "ann")),
                            "field-missing");
        assert_string_equal(call(v, "/api/register/begin",
                                 json_pack("{s:s, s:[i]}", "name", "ann", "algorithms", -65535)),
                            "field-value");
        assert_string_equal(call(v, "/api/login/begin", json_pack("{s:s}", "prf", "yes")),
                            "field-type");
        assert_string_equal(call(v, "/api/login/begin", json_pack("{s:s}", "name", "nobody")),
                            "account-unknown");
}

static void a_taken_name_is_refused(void **state) {
        struct visit *v = *state;

        assert_string_equal(register_key(v, v->key, "ann"), "accepted");
        assert_string_equal(call(v, "/api/logout", json_object()), "accepted");
        assert_string_equal(call(v, "/api/register/begin", who("ann")), "name-taken");
}

/* Two began with the same name, and one was faster. */
static void a_name_that_was_taken_meanwhile_is_refused(void **state) {
        struct visit *v = *state;
        uint8_t challenge[CHALLENGE_LEN];
        struct key *other = key_new(ALGORITHM_ES256);
        struct form f =
                form_of_registration(begin(v, "/api/register/begin", who("ann"), challenge));
        struct token slow = v->token;

        assert_int_equal(store_new_session(v->site.store, v->now, &v->token), 0);
        assert_string_equal(register_key(v, other, "ann"), "accepted");
        v->token = slow;
        assert_string_equal(call(v, "/api/register/finish", key_register(v->key, &f)),
                            "name-taken");
        key_free(&other);
}

static void a_passkey_is_registered_once(void **state) {
        struct visit *v = *state;

        assert_string_equal(register_key(v, v->key, "ann"), "accepted");
        assert_string_equal(register_key(v, v->key, "ann"), "credential-known");
        assert_string_equal(call(v, "/api/logout", json_object()), "accepted");
        assert_string_equal(register_key(v, v->key, "bob"), "credential-known");
        /* And no account was made of it. */
        assert_string_equal(call(v, "/api/login/begin", json_pack("{s:s}", "name", "bob")),
                            "account-unknown");
}

static void an_account_has_so_many_passkeys(void **state) {
        struct visit *v = *state;

        for (int i = 0; i <= CREDENTIALS_MAX; i++) {
                struct key *key = key_new(ALGORITHM_ES256);

                assert_string_equal(register_key(v, key, "ann"),
                                    i < CREDENTIALS_MAX ? "accepted" : "too-many-credentials");
                key_free(&key);
        }
}

static void a_counter_that_does_not_rise_marks_the_passkey(void **state) {
        struct visit *v = *state;

        assert_string_equal(register_key(v, v->key, "ann"), "accepted");
        assert_string_equal(sign_in(v, "ann", 5), "accepted");
        assert_string_equal(sign_in(v, "ann", 6), "accepted");
        assert_string_equal(sign_in(v, "ann", 6), "counter");
        assert_true(json_is_true(json_object_get(credential(v, 0), "isMarked")));
        assert_int_equal(json_integer_value(json_object_get(credential(v, 0), "counter")), 6);
        assert_string_equal(sign_in(v, "ann", 7), "credential-marked");
}

static void a_counter_may_stay_at_zero_and_not_return_to_it(void **state) {
        struct visit *v = *state;

        assert_string_equal(register_key(v, v->key, "ann"), "accepted");
        assert_string_equal(sign_in(v, "ann", 0), "accepted");
        assert_string_equal(sign_in(v, "ann", 0), "accepted");
        assert_string_equal(sign_in(v, "ann", UINT32_MAX), "accepted");
        assert_string_equal(sign_in(v, "ann", 0), "counter");
}

static void a_discoverable_login_finds_its_account(void **state) {
        struct visit *v = *state;
        uint8_t challenge[CHALLENGE_LEN], handle[USER_HANDLE_MAX];
        const char *text;
        struct form f;
        size_t len;

        assert_string_equal(register_key(v, v->key, "ann"), "accepted");
        text = json_string_value(
                json_object_get(json_object_get(json_object_get(v->last, "state"), "account"),
                                "handle"));
        assert_true(base64url_decode(SLICE_TEXT(text), handle, &len));
        f = form_of_login(begin(v, "/api/login/begin", json_object(), challenge), 1);
        f.handle = SLICE(handle, len);
        assert_string_equal(call(v, "/api/login/finish", key_sign_in(v->key, &f)), "accepted");
}

/* The way a passkey of somebody else's is refused where a name was given. */
static void a_passkey_of_another_account_is_refused_by_the_site(void **state) {
        struct visit *v = *state;
        struct key *other = key_new(ALGORITHM_ES256);

        assert_string_equal(register_key(v, v->key, "ann"), "accepted");
        assert_string_equal(call(v, "/api/logout", json_object()), "accepted");
        assert_string_equal(register_key(v, other, "bob"), "accepted");
        assert_string_equal(sign_in(v, "bob", 1), "credential-not-asked");
        key_free(&other);
}

static void an_account_is_forgotten_with_its_passkeys(void **state) {
        struct visit *v = *state;

        assert_string_equal(call(v, "/api/forget", json_object()), "not-signed-in");
        assert_string_equal(register_key(v, v->key, "ann"), "accepted");
        assert_string_equal(call(v, "/api/forget", json_object()), "accepted");
        assert_string_equal(call(v, "/api/login/begin", json_pack("{s:s}", "name", "ann")),
                            "account-unknown");
        assert_string_equal(register_key(v, v->key, "ann"), "accepted");
}

/* Nor does who is somebody else by then. */
static void who_signed_out_adds_no_passkey(void **state) {
        struct visit *v = *state;
        uint8_t challenge[CHALLENGE_LEN];
        struct key *other = key_new(ALGORITHM_ES256), *late = key_new(ALGORITHM_ES256);
        struct form f;

        assert_string_equal(register_key(v, v->key, "ann"), "accepted");
        f = form_of_registration(begin(v, "/api/register/begin", who("ann"), challenge));
        assert_string_equal(call(v, "/api/logout", json_object()), "accepted");
        assert_string_equal(call(v, "/api/register/finish", key_register(late, &f)),
                            "not-signed-in");
        assert_string_equal(sign_in(v, "ann", 1), "accepted");
        assert_null(credential(v, 1));
        f = form_of_registration(begin(v, "/api/register/begin", who("ann"), challenge));
        assert_string_equal(call(v, "/api/logout", json_object()), "accepted");
        assert_string_equal(register_key(v, other, "bob"), "accepted");
        assert_string_equal(call(v, "/api/register/finish", key_register(late, &f)),
                            "not-signed-in");
        key_free(&other);
        key_free(&late);
}

/* SQLite gives the number of a deleted account to the next one. What was begun for the old one does not end there. */
static void what_was_begun_for_a_deleted_account_ends_in_no_other(void **state) {
        struct visit *v = *state;
        uint8_t challenge[CHALLENGE_LEN];
        struct key *mine = key_new(ALGORITHM_ES256), *other = key_new(ALGORITHM_ES256);
        struct token token;
        struct form f;

        assert_string_equal(register_key(v, v->key, "ann"), "accepted");
        f = form_of_registration(begin(v, "/api/register/begin", who("ann"), challenge));
        assert_string_equal(call(v, "/api/forget", json_object()), "accepted");
        token = v->token;
        assert_int_equal(store_new_session(v->site.store, v->now, &v->token), 0);
        assert_string_equal(register_key(v, other, "bob"), "accepted");
        v->token = token;
        assert_string_equal(call(v, "/api/register/finish", key_register(mine, &f)),
                            "not-signed-in");
        assert_null(credential(v, 0));
        key_free(&mine);
        key_free(&other);
}

/* Nor in one session, which then is of the account with that number. */
static void what_was_begun_for_a_deleted_account_ends_not_in_the_next(void **state) {
        struct visit *v = *state;
        uint8_t challenge[CHALLENGE_LEN];
        struct key *mine = key_new(ALGORITHM_ES256), *other = key_new(ALGORITHM_ES256);
        struct form f;

        assert_string_equal(register_key(v, v->key, "ann"), "accepted");
        f = form_of_registration(begin(v, "/api/register/begin", who("ann"), challenge));
        assert_string_equal(call(v, "/api/forget", json_object()), "accepted");
        assert_string_equal(register_key(v, other, "bob"), "accepted");
        assert_string_equal(call(v, "/api/register/finish", key_register(mine, &f)),
                            "not-signed-in");
        assert_non_null(credential(v, 0));
        assert_null(credential(v, 1));
        key_free(&mine);
        key_free(&other);
}

/* Who has no key learns nothing of the one that it takes. */
static void a_refused_login_tells_no_public_key(void **state) {
        struct visit *v = *state;
        uint8_t challenge[CHALLENGE_LEN];
        struct form f;

        assert_string_equal(register_key(v, v->key, "ann"), "accepted");
        assert_non_null(json_object_get(json_object_get(v->last, "seen"), "publicKey"));
        assert_int_equal(store_new_session(v->site.store, v->now, &v->token), 0);
        f = form_of_login(begin(v, "/api/login/begin", json_pack("{s:s}", "name", "ann"),
                                challenge),
                          1);
        f.fault = FAULT_SIGNATURE;
        assert_string_equal(call(v, "/api/login/finish", key_sign_in(v->key, &f)), "signature");
        assert_null(json_object_get(json_object_get(v->last, "seen"), "publicKey"));
        assert_null(credential(v, 0));
}

static void a_note_is_kept_for_its_owner(void **state) {
        struct visit *v = *state;
        char id[64], longest[2100] = { 0 };

        assert_string_equal(call(v, "/api/note", json_object()), "not-signed-in");
        assert_string_equal(register_key(v, v->key, "ann"), "accepted");
        strcpy(id, json_string_value(json_object_get(credential(v, 0), "id")));
        assert_string_equal(call(v, "/api/note",
                                 json_pack("{s:s, s:s}", "credential", id, "note", "c2VhbGVk")),
                            "accepted");
        assert_string_equal(json_string_value(json_object_get(credential(v, 0), "note")),
                            "c2VhbGVk");
        assert_string_equal(call(v, "/api/note",
                                 json_pack("{s:s, s:s}", "credential", id, "note", "c2V hbGVk")),
                            "base64url");
        assert_string_equal(call(v, "/api/note",
                                 json_pack("{s:s, s:s}", "credential", "AAAA", "note", "c2VhbGVk")),
                            "credential-unknown");
        /* As many characters as the page takes, of three bytes each, and what seals them. */
        memset(longest, 'A', (500 * 3 + 12 + 16) / 3 * 4 + 2);
        assert_string_equal(call(v, "/api/note",
                                 json_pack("{s:s, s:s}", "credential", id, "note", longest)),
                            "accepted");
        memset(longest, 'A', NOTE_MAX / 3 * 4 + 1);
        assert_string_equal(call(v, "/api/note",
                                 json_pack("{s:s, s:s}", "credential", id, "note", longest)),
                            "field-too-long");
}

int main(void) {
        const struct CMUnitTest tests[] = {
                with_visit(an_account_is_made_by_its_first_passkey),
                with_visit(what_a_registration_asks_for_has_the_form_of_webauthn),
                with_visit(options_that_mean_nothing_are_refused),
                with_visit(a_taken_name_is_refused),
                with_visit(a_name_that_was_taken_meanwhile_is_refused),
                with_visit(a_passkey_is_registered_once),
                with_visit(an_account_has_so_many_passkeys),
                with_visit(a_counter_that_does_not_rise_marks_the_passkey),
                with_visit(a_counter_may_stay_at_zero_and_not_return_to_it),
                with_visit(a_discoverable_login_finds_its_account),
                with_visit(a_passkey_of_another_account_is_refused_by_the_site),
                with_visit(an_account_is_forgotten_with_its_passkeys),
                with_visit(who_signed_out_adds_no_passkey),
                with_visit(what_was_begun_for_a_deleted_account_ends_in_no_other),
                with_visit(what_was_begun_for_a_deleted_account_ends_not_in_the_next),
                with_visit(a_refused_login_tells_no_public_key),
                with_visit(a_note_is_kept_for_its_owner),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
