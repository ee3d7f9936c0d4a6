/* SPDX-License-Identifier: BSD-2-Clause */

/* Requests in JSON, and what came back: see visit.h. */

#include "tests/site/visit.h"

#include <string.h>

int set_up(void **state) {
        struct visit *v = calloc(1, sizeof(*v));

        assert_non_null(v);
        v->now = 1700000000;
        v->site = (struct site){ .origin = FORM_ORIGIN,
                                 .rp_id = FORM_RP_ID,
                                 .other_origin = "http://localhost:8081" };
        assert_int_equal(store_open(":memory:", &v->site.store), 0);
        assert_int_equal(store_new_session(v->site.store, v->now, &v->token), 0);
        v->key = key_new(ALGORITHM_ES256);
        *state = v;
        return 0;
}

int tear_down(void **state) {
        struct visit *v = *state;

        store_close(&v->site.store);
        key_free(&v->key);
        json_decref(v->last);
        free(v);
        return 0;
}

const char *call(struct visit *v, const char *path, json_t *body) {
        struct request request = { .path = path, .token = &v->token, .body = body, .now = v->now };
        struct reply reply;

        assert_int_equal(site_answer(&v->site, &request, &reply), 0);
        json_decref(body);
        json_decref(v->last);
        v->last = reply.body;
        if (reply.has_token)
                v->token = reply.token;
        if (reply.refusal != REFUSED_NOTHING) {
                assert_true(json_is_false(json_object_get(v->last, "accepted")));
                assert_non_null(json_object_get(v->last, "refusal"));
        }
        return refusal_name(reply.refusal);
}

struct slice begin(struct visit *v, const char *path, json_t *body,
                   uint8_t challenge[static CHALLENGE_LEN]) {
        const char *text;
        size_t len;

        assert_string_equal(call(v, path, body), "accepted");
        text = json_string_value(
                json_object_get(json_object_get(v->last, "publicKey"), "challenge"));
        assert_non_null(text);
        assert_true(base64url_decode(SLICE_TEXT(text), challenge, &len));
        assert_int_equal(len, CHALLENGE_LEN);
        return SLICE(challenge, CHALLENGE_LEN);
}

json_t *who(const char *name) {
        return json_pack("{s:s, s:[i, i]}", "name", name, "algorithms", ALGORITHM_ES256,
                         ALGORITHM_RS256);
}

const char *register_key(struct visit *v, struct key *key, const char *name) {
        uint8_t challenge[CHALLENGE_LEN];
        struct form f = form_of_registration(begin(v, "/api/register/begin", who(name), challenge));

        return call(v, "/api/register/finish", key_register(key, &f));
}

json_t *make_login(struct visit *v, const char *name, uint32_t counter) {
        uint8_t challenge[CHALLENGE_LEN];
        struct form f = form_of_login(begin(v, "/api/login/begin",
                                            name ? json_pack("{s:s}", "name", name) : json_object(),
                                            challenge),
                                      counter);

        return key_sign_in(v->key, &f);
}

const char *sign_in(struct visit *v, const char *name, uint32_t counter) {
        return call(v, "/api/login/finish", make_login(v, name, counter));
}

json_t *credential(const struct visit *v, size_t i) {
        return json_array_get(json_object_get(json_object_get(v->last, "state"), "credentials"), i);
}
