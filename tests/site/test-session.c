/* SPDX-License-Identifier: BSD-2-Clause */

/* examples/site without its server: sessions, and the challenges that they are given. */

#include <string.h>

#include "tests/site/visit.h"

static void a_challenge_is_used_once(void **state) {
        struct visit *v = *state;
        json_t *answer;

        assert_string_equal(register_key(v, v->key, "ann"), "accepted");
        answer = make_login(v, "ann", 1);
        json_incref(answer);
        assert_string_equal(call(v, "/api/login/finish", answer), "accepted");
        assert_string_equal(call(v, "/api/login/finish", answer), "challenge-used");
}

/* Also when the answer to it was refused. */
static void a_challenge_is_used_up_by_a_refusal(void **state) {
        struct visit *v = *state;
        uint8_t challenge[CHALLENGE_LEN];
        struct form f;

        assert_string_equal(register_key(v, v->key, "ann"), "accepted");
        f = form_of_login(begin(v, "/api/login/begin", json_pack("{s:s}", "name", "ann"),
                                challenge),
                          1);
        f.fault = FAULT_SIGNATURE;
        assert_string_equal(call(v, "/api/login/finish", key_sign_in(v->key, &f)), "signature");
        f.fault = FAULT_NONE;
        assert_string_equal(call(v, "/api/login/finish", key_sign_in(v->key, &f)),
                            "challenge-used");
}

static void a_challenge_expires_after_five_minutes(void **state) {
        struct visit *v = *state;
        json_t *answer;

        assert_string_equal(register_key(v, v->key, "ann"), "accepted");
        answer = make_login(v, "ann", 1);
        v->now += CHALLENGE_SECONDS - 1;
        assert_string_equal(call(v, "/api/login/finish", answer), "accepted");
        answer = make_login(v, "ann", 2);
        v->now += CHALLENGE_SECONDS;
        assert_string_equal(call(v, "/api/login/finish", answer), "challenge-expired");
}

static void a_challenge_is_bound_to_its_session(void **state) {
        struct visit *v = *state;
        json_t *answer;

        assert_string_equal(register_key(v, v->key, "ann"), "accepted");
        answer = make_login(v, "ann", 1);
        assert_int_equal(store_new_session(v->site.store, v->now, &v->token), 0);
        assert_string_equal(call(v, "/api/login/finish", answer), "challenge-unknown");
}

static void a_challenge_is_bound_to_its_ceremony(void **state) {
        struct visit *v = *state;
        uint8_t challenge[CHALLENGE_LEN];
        struct form f;

        assert_string_equal(register_key(v, v->key, "ann"), "accepted");
        f = form_of_registration(begin(v, "/api/login/begin", json_object(), challenge));
        assert_string_equal(call(v, "/api/register/finish", key_register(v->key, &f)),
                            "challenge-unknown");
        /* And it is used up by that. */
        assert_string_equal(call(v, "/api/register/finish", key_register(v->key, &f)),
                            "challenge-used");
}

/* Ten thousand, of one session and of many: from some point on none is opened, and then they are gone. */
static void open_challenges_are_bounded(void **state) {
        struct visit *v = *state;
        size_t n_opened = CHALLENGES_EACH_MAX;
        const char *got = "";

        for (int i = 0; i < CHALLENGES_EACH_MAX; i++)
                assert_string_equal(call(v, "/api/login/begin", json_object()), "accepted");
        for (int i = 0; i < 100; i++)
                assert_string_equal(call(v, "/api/login/begin", json_object()),
                                    "too-many-challenges");
        for (int i = 0; i < 10000; i++) {
                if (i % CHALLENGES_EACH_MAX == 0)
                        assert_int_equal(store_new_session(v->site.store, v->now, &v->token), 0);
                got = call(v, "/api/login/begin", json_object());
                n_opened += strcmp(got, "accepted") == 0;
        }
        assert_string_equal(got, "too-many-challenges");
        assert_int_equal(n_opened, CHALLENGES_MAX);
        v->now += 2 * CHALLENGE_SECONDS;
        assert_string_equal(call(v, "/api/login/begin", json_object()), "accepted");
}

/* The oldest session goes that nobody is signed in to. */
static void sessions_are_bounded(void **state) {
        struct visit *v = *state;
        struct token first = v->token, other;

        assert_int_equal(store_new_session(v->site.store, v->now, &first), 0);
        assert_string_equal(register_key(v, v->key, "ann"), "accepted");
        for (int i = 0; i < SESSIONS_MAX; i++)
                assert_int_equal(store_new_session(v->site.store, v->now + 1, &other), 0);
        assert_string_equal(call(v, "/api/state", json_object()), "accepted");
        assert_non_null(credential(v, 0));
        v->token = first;
        assert_string_equal(call(v, "/api/state", json_object()), "no-session");
}

static void a_session_ends(void **state) {
        struct visit *v = *state;

        v->now += SESSION_SECONDS;
        assert_string_equal(call(v, "/api/state", json_object()), "no-session");
}

/* Who knew the cookie from before is not signed in with it. */
static void signing_in_changes_the_session(void **state) {
        struct visit *v = *state;
        struct token before = v->token;

        assert_string_equal(register_key(v, v->key, "ann"), "accepted");
        assert_memory_not_equal(&before, &v->token, sizeof(before));
        v->token = before;
        assert_string_equal(call(v, "/api/state", json_object()), "no-session");
}

static void without_a_session_nothing_is_done(void **state) {
        struct visit *v = *state;

        memset(&v->token, 0, sizeof(v->token));
        assert_string_equal(call(v, "/api/register/begin", who("ann")), "no-session");
        assert_string_equal(call(v, "/api/login/finish", json_object()), "no-session");
}

int main(void) {
        const struct CMUnitTest tests[] = {
                with_visit(a_challenge_is_used_once),
                with_visit(a_challenge_is_used_up_by_a_refusal),
                with_visit(a_challenge_expires_after_five_minutes),
                with_visit(a_challenge_is_bound_to_its_session),
                with_visit(a_challenge_is_bound_to_its_ceremony),
                with_visit(open_challenges_are_bounded),
                with_visit(sessions_are_bounded),
                with_visit(a_session_ends),
                with_visit(signing_in_changes_the_session),
                with_visit(without_a_session_nothing_is_done),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
