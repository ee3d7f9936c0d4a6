/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * examples/site: the two paths that verify answers, on any body. The first byte says which, and how the rest
 * becomes one: as JSON, or as the bytes that JSON would hold. A refusal has a reason of a client's fault and
 * stores nothing; what is accepted is in the store.
 */

#include <string.h>

#include "examples/site/site.h"
#include "tests/fuzz/fuzz.h"

#define NOW 1700000000

/* The corpus has answers by the private key of this one. */
static const uint8_t public_key[] = {
#include "tests/fuzz/site-key.inc"
};
static const uint8_t challenge[CHALLENGE_LEN] = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
static const uint8_t credential_id[16] = "iiiiiiiiiiiiiiii";
static const uint8_t handle[HANDLE_LEN] = "hhhhhhhhhhhhhhhh";

enum mode {
        MODE_LOGIN = 0x01, /* else a registration */
        MODE_BYTES = 0x02, /* else JSON */
};

struct world {
        struct site site;
        struct token token;
        int64_t account;
        bool is_login;
};

static void open_challenge(struct world *w) {
        struct begun begun = { .is_registration = !w->is_login,
                               .algorithms = { ALGORITHM_ES256, ALGORITHM_EDDSA, ALGORITHM_ES384,
                                               ALGORITHM_RS256 },
                               .n_algorithms = 4 };
        struct session session;

        require(store_new_session(w->site.store, NOW, &w->token) == 0);
        require(store_find_session(w->site.store, &w->token, NOW, &session) == 0);
        if (!w->is_login) {
                memcpy(begun.account.handle, "another handle..", HANDLE_LEN);
                strcpy(begun.account.name, "new");
        }
        require(store_open_challenge(w->site.store, session.id, NOW, &begun, challenge) == 0);
}

/* One database for all inputs, for it takes longer to make than to use. */
static struct store *store(void) {
        static struct store *opened;

        if (!opened)
                require(store_open(":memory:", &opened) == 0);
        return opened;
}

static void forget(struct store *s, const char *name) {
        struct account account;

        if (store_find_account(s, name, &account) == 0)
                require(store_delete_account(s, account.id) == 0);
}

/* What an earlier input has left is taken away. */
static void open_world(struct world *w) {
        struct credential known = { .id_len = sizeof(credential_id),
                                    .public_key_len = sizeof(public_key),
                                    .attestation = "none",
                                    .created = NOW };
        struct account account;

        w->site.origin = "http://localhost:8080";
        w->site.rp_id = "localhost";
        w->site.other_origin = "http://localhost:8081";
        w->site.store = store();
        forget(w->site.store, "known");
        forget(w->site.store, "new");
        require(store_forget_challenges(w->site.store) == 0);
        memcpy(known.id, credential_id, sizeof(credential_id));
        memcpy(known.public_key, public_key, sizeof(public_key));
        memcpy(known.account.handle, handle, HANDLE_LEN);
        strcpy(known.account.name, "known");
        require(store_add_credential(w->site.store, &known, &account) == 0);
        w->account = account.id;
        open_challenge(w);
}

static void set(json_t *o, const char *member, struct slice bytes) {
        char *text = base64url_encode(bytes);

        json_object_set_new(o, member, json_string(text));
        free(text);
}

/* Up to three strings of the input, each behind its length, as the members of a response. */
static json_t *wrap(struct slice input, bool is_login) {
        static const char *const members[2][3] = {
                { "clientDataJSON", "attestationObject", NULL },
                { "clientDataJSON", "authenticatorData", "signature" },
        };
        json_t *response = json_object();
        json_t *o = json_pack("{s:s, s:o}", "type", "public-key", "response", response);
        struct reader r = { .left = input };

        for (int i = 0; i < 3 && members[is_login][i]; i++)
                set(response, members[is_login][i], reader_sized(&r));
        if (is_login)
                set(response, "userHandle", SLICE_OF(handle));
        set(o, "id", SLICE_OF(credential_id));
        set(o, "rawId", SLICE_OF(credential_id));
        return o;
}

static int count(void *userdata, const struct credential *c) {
        size_t *n = userdata;

        require(c->id_len > 0 && c->id_len <= CREDENTIAL_ID_MAX);
        require(!c->is_marked || c->counter == 0);
        (*n)++;
        return 0;
}

static void check(struct world *w, const struct reply *reply) {
        struct account new;
        size_t n = 0;
        bool is_accepted = reply->refusal == REFUSED_NOTHING;
        json_t *checks = json_object_get(reply->body, "checks");
        char *text = json_dumps(reply->body, 0);

        require(text);
        free(text);
        require(json_is_true(json_object_get(reply->body, "accepted")) == is_accepted);
        require(is_accepted ||
                (refusal_status(reply->refusal) >= 400 && refusal_status(reply->refusal) < 500));
        require(is_accepted == !json_object_get(reply->body, "refusal"));
        require(!is_accepted || json_array_size(checks) > 0);
        require(is_accepted == reply->has_token);
        require((store_find_account(w->site.store, "new", &new) == 0) ==
                (is_accepted && !w->is_login));
        require(store_each_credential(w->site.store, w->account, count, &n) == 0);
        require(n == 1);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        struct world w = { .account = 0 };
        struct request request = { .now = NOW + 1 };
        struct reply reply;
        json_t *body;

        if (size == 0 || size > BODY_MAX)
                return 0;
        w.is_login = data[0] & MODE_LOGIN;
        body = data[0] & MODE_BYTES
                       ? wrap(SLICE(data + 1, size - 1), w.is_login)
                       : json_loadb((const char *)data + 1, size - 1, JSON_REJECT_DUPLICATES, NULL);
        open_world(&w);
        request.path = w.is_login ? "/api/login/finish" : "/api/register/finish";
        request.token = &w.token;
        request.body = body;
        require(site_answer(&w.site, &request, &reply) == 0);
        check(&w, &reply);
        reply_done(&reply);
        json_decref(body);
        return 0;
}
