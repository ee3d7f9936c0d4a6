/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * examples/site without its server, on a database in memory and with a clock of the test's: challenges,
 * sessions, accounts and counters, by an authenticator in software.
 */

#include "examples/site/site.h"

#include <string.h>

#include "tests/site/key.h"
#include "tests/site/test.h"

struct world {
        struct site site;
        struct token token;
        int64_t now;
        struct key *key;
        json_t *last; /* the last reply */
};

static int set_up(void **state) {
        struct world *w = calloc(1, sizeof(*w));

        assert_non_null(w);
        w->now = 1700000000;
        w->site = (struct site){ .origin = FORM_ORIGIN,
                                 .rp_id = FORM_RP_ID,
                                 .other_origin = "http://localhost:8081" };
        assert_int_equal(store_open(":memory:", &w->site.store), 0);
        assert_int_equal(store_new_session(w->site.store, w->now, &w->token), 0);
        w->key = key_new(ALGORITHM_ES256);
        *state = w;
        return 0;
}

static int tear_down(void **state) {
        struct world *w = *state;

        store_close(&w->site.store);
        key_free(&w->key);
        json_decref(w->last);
        free(w);
        return 0;
}

/* Takes the body over. What it was refused for, or "accepted". */
static const char *call(struct world *w, const char *path, json_t *body) {
        struct request request = { .path = path, .token = &w->token, .body = body, .now = w->now };
        struct reply reply;

        assert_int_equal(site_answer(&w->site, &request, &reply), 0);
        json_decref(body);
        json_decref(w->last);
        w->last = reply.body;
        if (reply.has_token)
                w->token = reply.token;
        if (reply.refusal != REFUSED_NOTHING) {
                assert_true(json_is_false(json_object_get(w->last, "accepted")));
                assert_non_null(json_object_get(w->last, "refusal"));
        }
        return refusal_name(reply.refusal);
}

/* Begins, and gives the challenge. */
static struct slice begin(struct world *w, const char *path, json_t *body,
                          uint8_t challenge[static CHALLENGE_LEN]) {
        const char *text;
        size_t len;

        assert_string_equal(call(w, path, body), "accepted");
        text = json_string_value(
                json_object_get(json_object_get(w->last, "publicKey"), "challenge"));
        assert_non_null(text);
        assert_true(base64url_decode(SLICE_TEXT(text), challenge, &len));
        assert_int_equal(len, CHALLENGE_LEN);
        return SLICE(challenge, CHALLENGE_LEN);
}

static json_t *who(const char *name) {
        return json_pack("{s:s, s:[i, i]}", "name", name, "algorithms", ALGORITHM_ES256,
                         ALGORITHM_RS256);
}

static const char *register_key(struct world *w, struct key *key, const char *name) {
        uint8_t challenge[CHALLENGE_LEN];
        struct form f = form_of_registration(begin(w, "/api/register/begin", who(name), challenge));

        return call(w, "/api/register/finish", key_register(key, &f));
}

static json_t *make_login(struct world *w, const char *name, uint32_t counter) {
        uint8_t challenge[CHALLENGE_LEN];
        struct form f = form_of_login(begin(w, "/api/login/begin",
                                            name ? json_pack("{s:s}", "name", name) : json_object(),
                                            challenge),
                                      counter);

        return key_sign_in(w->key, &f);
}

static const char *sign_in(struct world *w, const char *name, uint32_t counter) {
        return call(w, "/api/login/finish", make_login(w, name, counter));
}

static json_t *credential(const struct world *w, size_t i) {
        return json_array_get(json_object_get(json_object_get(w->last, "state"), "credentials"), i);
}

static void an_account_is_made_by_its_first_passkey(void **state) {
        struct world *w = *state;

        assert_string_equal(register_key(w, w->key, "ann"), "accepted");
        assert_string_equal(call(w, "/api/state", json_object()), "accepted");
        assert_non_null(credential(w, 0));
        assert_null(credential(w, 1));
        assert_string_equal(call(w, "/api/logout", json_object()), "accepted");
        assert_null(credential(w, 0));
        assert_string_equal(sign_in(w, "ann", 1), "accepted");
        assert_int_equal(json_integer_value(json_object_get(credential(w, 0), "counter")), 1);
}

static void what_a_registration_asks_for_has_the_form_of_webauthn(void **state) {
        struct world *w = *state;
        const char *verification, *resident;
        json_t *o, *list;

        assert_string_equal(call(w, "/api/register/begin",
                                 json_pack("{s:s, s:[i], s:s, s:s, s:s}", "name", "ann",
                                           "algorithms", -35, "residentKey", "discouraged",
                                           "userVerification", "required", "attestation",
                                           "direct")),
                            "accepted");
        o = json_object_get(w->last, "publicKey");
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
        assert_string_equal(register_key(w, w->key, "ann"), "accepted");
        assert_string_equal(call(w, "/api/register/begin", who("ann")), "accepted");
        o = json_object_get(w->last, "publicKey");
        assert_int_equal(json_array_size(json_object_get(o, "excludeCredentials")), 1);
}

static void options_that_mean_nothing_are_refused(void **state) {
        static const char *const members[] = { "residentKey", "userVerification", "attestation" };
        struct world *w = *state;
        char long_name[NAME_MAX_BYTES + 2] = { 0 };

        for (size_t i = 0; i < ELEMENTSOF(members); i++) {
                json_t *body = who("ann");

                json_object_set_new(body, members[i], json_string("maybe"));
                assert_string_equal(call(w, "/api/register/begin", body), "field-value");
                body = who("ann");
                json_object_set_new(body, members[i], json_true());
                assert_string_equal(call(w, "/api/register/begin", body), "field-type");
        }
        memset(long_name, 'a', NAME_MAX_BYTES + 1);
        assert_string_equal(call(w, "/api/register/begin", who(long_name)), "field-too-long");
        assert_string_equal(call(w, "/api/register/begin", who("")), "field-value");
        assert_string_equal(call(w, "/api/register/begin", who("a\nb")), "field-value");
        assert_string_equal(call(w, "/api/register/begin", json_object()), "field-missing");
        assert_string_equal(call(w, "/api/register/begin", json_pack("{s:s}", "name", "ann")),
                            "field-missing");
        assert_string_equal(call(w, "/api/register/begin",
                                 json_pack("{s:s, s:[i]}", "name", "ann", "algorithms", -65535)),
                            "field-value");
        assert_string_equal(call(w, "/api/login/begin", json_pack("{s:s}", "prf", "yes")),
                            "field-type");
        assert_string_equal(call(w, "/api/login/begin", json_pack("{s:s}", "name", "nobody")),
                            "account-unknown");
}

static void a_challenge_is_used_once(void **state) {
        struct world *w = *state;
        json_t *answer;

        assert_string_equal(register_key(w, w->key, "ann"), "accepted");
        answer = make_login(w, "ann", 1);
        json_incref(answer);
        assert_string_equal(call(w, "/api/login/finish", answer), "accepted");
        assert_string_equal(call(w, "/api/login/finish", answer), "challenge-used");
}

/* Also when the answer to it was refused. */
static void a_challenge_is_used_up_by_a_refusal(void **state) {
        struct world *w = *state;
        uint8_t challenge[CHALLENGE_LEN];
        struct form f;

        assert_string_equal(register_key(w, w->key, "ann"), "accepted");
        f = form_of_login(begin(w, "/api/login/begin", json_pack("{s:s}", "name", "ann"),
                                challenge),
                          1);
        f.fault = FAULT_SIGNATURE;
        assert_string_equal(call(w, "/api/login/finish", key_sign_in(w->key, &f)), "signature");
        f.fault = FAULT_NONE;
        assert_string_equal(call(w, "/api/login/finish", key_sign_in(w->key, &f)),
                            "challenge-used");
}

static void a_challenge_expires_after_five_minutes(void **state) {
        struct world *w = *state;
        json_t *answer;

        assert_string_equal(register_key(w, w->key, "ann"), "accepted");
        answer = make_login(w, "ann", 1);
        w->now += CHALLENGE_SECONDS - 1;
        assert_string_equal(call(w, "/api/login/finish", answer), "accepted");
        answer = make_login(w, "ann", 2);
        w->now += CHALLENGE_SECONDS;
        assert_string_equal(call(w, "/api/login/finish", answer), "challenge-expired");
}

static void a_challenge_is_bound_to_its_session(void **state) {
        struct world *w = *state;
        json_t *answer;

        assert_string_equal(register_key(w, w->key, "ann"), "accepted");
        answer = make_login(w, "ann", 1);
        assert_int_equal(store_new_session(w->site.store, w->now, &w->token), 0);
        assert_string_equal(call(w, "/api/login/finish", answer), "challenge-unknown");
}

static void a_challenge_is_bound_to_its_ceremony(void **state) {
        struct world *w = *state;
        uint8_t challenge[CHALLENGE_LEN];
        struct form f;

        assert_string_equal(register_key(w, w->key, "ann"), "accepted");
        f = form_of_registration(begin(w, "/api/login/begin", json_object(), challenge));
        assert_string_equal(call(w, "/api/register/finish", key_register(w->key, &f)),
                            "challenge-unknown");
        /* And it is used up by that. */
        assert_string_equal(call(w, "/api/register/finish", key_register(w->key, &f)),
                            "challenge-used");
}

/* Ten thousand, of one session and of many: from some point on none is opened, and then they are gone. */
static void open_challenges_are_bounded(void **state) {
        struct world *w = *state;
        size_t n_opened = CHALLENGES_EACH_MAX;
        const char *got = "";

        for (int i = 0; i < CHALLENGES_EACH_MAX; i++)
                assert_string_equal(call(w, "/api/login/begin", json_object()), "accepted");
        for (int i = 0; i < 100; i++)
                assert_string_equal(call(w, "/api/login/begin", json_object()),
                                    "too-many-challenges");
        for (int i = 0; i < 10000; i++) {
                if (i % CHALLENGES_EACH_MAX == 0)
                        assert_int_equal(store_new_session(w->site.store, w->now, &w->token), 0);
                got = call(w, "/api/login/begin", json_object());
                n_opened += strcmp(got, "accepted") == 0;
        }
        assert_string_equal(got, "too-many-challenges");
        assert_int_equal(n_opened, CHALLENGES_MAX);
        w->now += 2 * CHALLENGE_SECONDS;
        assert_string_equal(call(w, "/api/login/begin", json_object()), "accepted");
}

/* The oldest session goes that nobody is signed in to. */
static void sessions_are_bounded(void **state) {
        struct world *w = *state;
        struct token first = w->token, other;

        assert_int_equal(store_new_session(w->site.store, w->now, &first), 0);
        assert_string_equal(register_key(w, w->key, "ann"), "accepted");
        for (int i = 0; i < SESSIONS_MAX; i++)
                assert_int_equal(store_new_session(w->site.store, w->now + 1, &other), 0);
        assert_string_equal(call(w, "/api/state", json_object()), "accepted");
        assert_non_null(credential(w, 0));
        w->token = first;
        assert_string_equal(call(w, "/api/state", json_object()), "no-session");
}

static void a_session_ends(void **state) {
        struct world *w = *state;

        w->now += SESSION_SECONDS;
        assert_string_equal(call(w, "/api/state", json_object()), "no-session");
}

/* Who knew the cookie from before is not signed in with it. */
static void signing_in_changes_the_session(void **state) {
        struct world *w = *state;
        struct token before = w->token;

        assert_string_equal(register_key(w, w->key, "ann"), "accepted");
        assert_memory_not_equal(&before, &w->token, sizeof(before));
        w->token = before;
        assert_string_equal(call(w, "/api/state", json_object()), "no-session");
}

static void a_taken_name_is_refused(void **state) {
        struct world *w = *state;

        assert_string_equal(register_key(w, w->key, "ann"), "accepted");
        assert_string_equal(call(w, "/api/logout", json_object()), "accepted");
        assert_string_equal(call(w, "/api/register/begin", who("ann")), "name-taken");
}

/* Two began with the same name, and one was faster. */
static void a_name_that_was_taken_meanwhile_is_refused(void **state) {
        struct world *w = *state;
        uint8_t challenge[CHALLENGE_LEN];
        struct key *other = key_new(ALGORITHM_ES256);
        struct form f =
                form_of_registration(begin(w, "/api/register/begin", who("ann"), challenge));
        struct token slow = w->token;

        assert_int_equal(store_new_session(w->site.store, w->now, &w->token), 0);
        assert_string_equal(register_key(w, other, "ann"), "accepted");
        w->token = slow;
        assert_string_equal(call(w, "/api/register/finish", key_register(w->key, &f)),
                            "name-taken");
        key_free(&other);
}

static void a_passkey_is_registered_once(void **state) {
        struct world *w = *state;

        assert_string_equal(register_key(w, w->key, "ann"), "accepted");
        assert_string_equal(register_key(w, w->key, "ann"), "credential-known");
        assert_string_equal(call(w, "/api/logout", json_object()), "accepted");
        assert_string_equal(register_key(w, w->key, "bob"), "credential-known");
        /* And no account was made of it. */
        assert_string_equal(call(w, "/api/login/begin", json_pack("{s:s}", "name", "bob")),
                            "account-unknown");
}

static void an_account_has_so_many_passkeys(void **state) {
        struct world *w = *state;

        for (int i = 0; i <= CREDENTIALS_MAX; i++) {
                struct key *key = key_new(ALGORITHM_ES256);

                assert_string_equal(register_key(w, key, "ann"),
                                    i < CREDENTIALS_MAX ? "accepted" : "too-many-credentials");
                key_free(&key);
        }
}

static void a_counter_that_does_not_rise_marks_the_passkey(void **state) {
        struct world *w = *state;

        assert_string_equal(register_key(w, w->key, "ann"), "accepted");
        assert_string_equal(sign_in(w, "ann", 5), "accepted");
        assert_string_equal(sign_in(w, "ann", 6), "accepted");
        assert_string_equal(sign_in(w, "ann", 6), "counter");
        assert_true(json_is_true(json_object_get(credential(w, 0), "isMarked")));
        assert_int_equal(json_integer_value(json_object_get(credential(w, 0), "counter")), 6);
        assert_string_equal(sign_in(w, "ann", 7), "credential-marked");
}

static void a_counter_may_stay_at_zero_and_not_return_to_it(void **state) {
        struct world *w = *state;

        assert_string_equal(register_key(w, w->key, "ann"), "accepted");
        assert_string_equal(sign_in(w, "ann", 0), "accepted");
        assert_string_equal(sign_in(w, "ann", 0), "accepted");
        assert_string_equal(sign_in(w, "ann", UINT32_MAX), "accepted");
        assert_string_equal(sign_in(w, "ann", 0), "counter");
}

static void a_discoverable_login_finds_its_account(void **state) {
        struct world *w = *state;
        uint8_t challenge[CHALLENGE_LEN], handle[USER_HANDLE_MAX];
        const char *text;
        struct form f;
        size_t len;

        assert_string_equal(register_key(w, w->key, "ann"), "accepted");
        text = json_string_value(
                json_object_get(json_object_get(json_object_get(w->last, "state"), "account"),
                                "handle"));
        assert_true(base64url_decode(SLICE_TEXT(text), handle, &len));
        f = form_of_login(begin(w, "/api/login/begin", json_object(), challenge), 1);
        f.handle = SLICE(handle, len);
        assert_string_equal(call(w, "/api/login/finish", key_sign_in(w->key, &f)), "accepted");
}

/* The way a passkey of somebody else's is refused where a name was given. */
static void a_passkey_of_another_account_is_refused_by_the_site(void **state) {
        struct world *w = *state;
        struct key *other = key_new(ALGORITHM_ES256);

        assert_string_equal(register_key(w, w->key, "ann"), "accepted");
        assert_string_equal(call(w, "/api/logout", json_object()), "accepted");
        assert_string_equal(register_key(w, other, "bob"), "accepted");
        assert_string_equal(sign_in(w, "bob", 1), "credential-not-asked");
        key_free(&other);
}

static void an_account_is_forgotten_with_its_passkeys(void **state) {
        struct world *w = *state;

        assert_string_equal(call(w, "/api/forget", json_object()), "not-signed-in");
        assert_string_equal(register_key(w, w->key, "ann"), "accepted");
        assert_string_equal(call(w, "/api/forget", json_object()), "accepted");
        assert_string_equal(call(w, "/api/login/begin", json_pack("{s:s}", "name", "ann")),
                            "account-unknown");
        assert_string_equal(register_key(w, w->key, "ann"), "accepted");
}

/* Nor does who is somebody else by then. */
static void who_signed_out_adds_no_passkey(void **state) {
        struct world *w = *state;
        uint8_t challenge[CHALLENGE_LEN];
        struct key *other = key_new(ALGORITHM_ES256), *late = key_new(ALGORITHM_ES256);
        struct form f;

        assert_string_equal(register_key(w, w->key, "ann"), "accepted");
        f = form_of_registration(begin(w, "/api/register/begin", who("ann"), challenge));
        assert_string_equal(call(w, "/api/logout", json_object()), "accepted");
        assert_string_equal(call(w, "/api/register/finish", key_register(late, &f)),
                            "not-signed-in");
        assert_string_equal(sign_in(w, "ann", 1), "accepted");
        assert_null(credential(w, 1));
        f = form_of_registration(begin(w, "/api/register/begin", who("ann"), challenge));
        assert_string_equal(call(w, "/api/logout", json_object()), "accepted");
        assert_string_equal(register_key(w, other, "bob"), "accepted");
        assert_string_equal(call(w, "/api/register/finish", key_register(late, &f)),
                            "not-signed-in");
        key_free(&other);
        key_free(&late);
}

/* SQLite gives the number of a deleted account to the next one. What was begun for the old one does not end there. */
static void what_was_begun_for_a_deleted_account_ends_in_no_other(void **state) {
        struct world *w = *state;
        uint8_t challenge[CHALLENGE_LEN];
        struct key *mine = key_new(ALGORITHM_ES256), *other = key_new(ALGORITHM_ES256);
        struct token token;
        struct form f;

        assert_string_equal(register_key(w, w->key, "ann"), "accepted");
        f = form_of_registration(begin(w, "/api/register/begin", who("ann"), challenge));
        assert_string_equal(call(w, "/api/forget", json_object()), "accepted");
        token = w->token;
        assert_int_equal(store_new_session(w->site.store, w->now, &w->token), 0);
        assert_string_equal(register_key(w, other, "bob"), "accepted");
        w->token = token;
        assert_string_equal(call(w, "/api/register/finish", key_register(mine, &f)),
                            "not-signed-in");
        assert_null(credential(w, 0));
        key_free(&mine);
        key_free(&other);
}

/* Who has no key learns nothing of the one that it takes. */
static void a_refused_login_tells_no_public_key(void **state) {
        struct world *w = *state;
        uint8_t challenge[CHALLENGE_LEN];
        struct form f;

        assert_string_equal(register_key(w, w->key, "ann"), "accepted");
        assert_non_null(json_object_get(json_object_get(w->last, "seen"), "publicKey"));
        assert_int_equal(store_new_session(w->site.store, w->now, &w->token), 0);
        f = form_of_login(begin(w, "/api/login/begin", json_pack("{s:s}", "name", "ann"),
                                challenge),
                          1);
        f.fault = FAULT_SIGNATURE;
        assert_string_equal(call(w, "/api/login/finish", key_sign_in(w->key, &f)), "signature");
        assert_null(json_object_get(json_object_get(w->last, "seen"), "publicKey"));
        assert_null(credential(w, 0));
}

static void a_note_is_kept_for_its_owner(void **state) {
        struct world *w = *state;
        char id[64], longest[2100] = { 0 };

        assert_string_equal(call(w, "/api/note", json_object()), "not-signed-in");
        assert_string_equal(register_key(w, w->key, "ann"), "accepted");
        strcpy(id, json_string_value(json_object_get(credential(w, 0), "id")));
        assert_string_equal(call(w, "/api/note",
                                 json_pack("{s:s, s:s}", "credential", id, "note", "c2VhbGVk")),
                            "accepted");
        assert_string_equal(json_string_value(json_object_get(credential(w, 0), "note")),
                            "c2VhbGVk");
        assert_string_equal(call(w, "/api/note",
                                 json_pack("{s:s, s:s}", "credential", id, "note", "c2V hbGVk")),
                            "base64url");
        assert_string_equal(call(w, "/api/note",
                                 json_pack("{s:s, s:s}", "credential", "AAAA", "note", "c2VhbGVk")),
                            "credential-unknown");
        /* As many characters as the page takes, of three bytes each, and what seals them. */
        memset(longest, 'A', (500 * 3 + 12 + 16) / 3 * 4 + 2);
        assert_string_equal(call(w, "/api/note",
                                 json_pack("{s:s, s:s}", "credential", id, "note", longest)),
                            "accepted");
        memset(longest, 'A', NOTE_MAX / 3 * 4 + 1);
        assert_string_equal(call(w, "/api/note",
                                 json_pack("{s:s, s:s}", "credential", id, "note", longest)),
                            "field-too-long");
}

static void without_a_session_nothing_is_done(void **state) {
        struct world *w = *state;

        memset(&w->token, 0, sizeof(w->token));
        assert_string_equal(call(w, "/api/register/begin", who("ann")), "no-session");
        assert_string_equal(call(w, "/api/login/finish", json_object()), "no-session");
}

#define with_world(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void) {
        const struct CMUnitTest tests[] = {
                with_world(an_account_is_made_by_its_first_passkey),
                with_world(what_a_registration_asks_for_has_the_form_of_webauthn),
                with_world(options_that_mean_nothing_are_refused),
                with_world(a_challenge_is_used_once),
                with_world(a_challenge_is_used_up_by_a_refusal),
                with_world(a_challenge_expires_after_five_minutes),
                with_world(a_challenge_is_bound_to_its_session),
                with_world(a_challenge_is_bound_to_its_ceremony),
                with_world(open_challenges_are_bounded),
                with_world(sessions_are_bounded),
                with_world(a_session_ends),
                with_world(signing_in_changes_the_session),
                with_world(a_taken_name_is_refused),
                with_world(a_name_that_was_taken_meanwhile_is_refused),
                with_world(a_passkey_is_registered_once),
                with_world(an_account_has_so_many_passkeys),
                with_world(a_counter_that_does_not_rise_marks_the_passkey),
                with_world(a_counter_may_stay_at_zero_and_not_return_to_it),
                with_world(a_discoverable_login_finds_its_account),
                with_world(a_passkey_of_another_account_is_refused_by_the_site),
                with_world(an_account_is_forgotten_with_its_passkeys),
                with_world(who_signed_out_adds_no_passkey),
                with_world(what_was_begun_for_a_deleted_account_ends_in_no_other),
                with_world(a_refused_login_tells_no_public_key),
                with_world(a_note_is_kept_for_its_owner),
                with_world(without_a_session_nothing_is_done),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
