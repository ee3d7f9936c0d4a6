/* SPDX-License-Identifier: BSD-2-Clause */

/* The beginning of a ceremony: a fresh challenge, and the options for the browser in WebAuthn's JSON (§5.1.8). */

#include <errno.h>
#include <openssl/rand.h>
#include <string.h>

#include "examples/site/call.h"

#define SITE_NAME "A site of your own"
/* PRF makes of this, of the passkey and of the site one secret (WebAuthn §10.1.4). Any constant does. */
#define PRF_SALT "a note in the keeping of this site"

static bool is_one_of(const char *word, const char *const *words) {
        for (; *words; words++)
                if (strcmp(word, *words) == 0)
                        return true;
        return false;
}

/* A word of a list, or the first one if the member is missing. NULL: it was refused. */
static const char *read_word(struct call *c, const char *member, const char *const *words,
                             int *ret) {
        const json_t *value = json_object_get(c->request->body, member);

        *ret = 0;
        if (!value)
                return words[0];
        if (!json_is_string(value)) {
                *ret = call_refuse(c, REFUSED_FIELD_TYPE, member);
                return NULL;
        }
        if (!is_one_of(json_string_value(value), words)) {
                *ret = call_refuse(c, REFUSED_FIELD_VALUE, member);
                return NULL;
        }
        return json_string_value(value);
}

static const char *const verifications[] = { "preferred", "required", "discouraged", NULL };

/* Into `begun`, and as WebAuthn's pubKeyCredParams. NULL: it was refused. */
static json_t *read_algorithms(struct call *c, struct begun *begun, int *ret) {
        const json_t *list = json_object_get(c->request->body, "algorithms");
        size_t n = json_array_size(list);
        json_t *parameters;

        if (!json_is_array(list) || n == 0 || n > N_ALGORITHMS_MAX) {
                *ret = call_refuse(c, list ? REFUSED_FIELD_VALUE : REFUSED_FIELD_MISSING,
                                   "algorithms");
                return NULL;
        }
        parameters = json_array();
        for (size_t i = 0; i < n; i++) {
                json_int_t number = json_integer_value(json_array_get(list, i));

                if (!algorithm_name(number)) {
                        json_decref(parameters);
                        *ret = call_refuse(c, REFUSED_FIELD_VALUE, "algorithms");
                        return NULL;
                }
                begun->algorithms[begun->n_algorithms++] = number;
                (void)json_array_append_new(parameters, json_pack("{s:s, s:I}", "type",
                                                                  "public-key", "alg", number));
        }
        return parameters;
}

/* "usb,internal" as an array. */
static json_t *list_words(const char *text) {
        json_t *list = json_array();

        while (*text) {
                size_t len = strcspn(text, ",");

                (void)json_array_append_new(list, json_stringn(text, len));
                text += len + (text[len] == ',');
        }
        return list;
}

static int add_descriptor(void *userdata, const struct credential *c) {
        _cleanup_(free_pointer) char *id = base64url_encode(SLICE(c->id, c->id_len));
        json_t *list = userdata;
        json_t *o = json_pack("{s:s, s:s, s:o}", "type", "public-key", "id", id, "transports",
                              list_words(c->transports));

        return json_array_append_new(list, o) == 0 ? 0 : -ENOMEM;
}

static int describe_credentials(struct call *c, int64_t account, json_t **ret) {
        json_t *list = json_array();
        int r = list ? 0 : -ENOMEM;

        if (r == 0 && account)
                r = store_each_credential(c->site->store, account, add_descriptor, list);
        if (r < 0) {
                json_decref(list);
                return r;
        }
        *ret = list;
        return 0;
}

/* Opens a challenge and puts it into the options, which it takes over. */
static int begin(struct call *c, const struct begun *begun, json_t *options) {
        _cleanup_(free_json) json_t *owned = options;
        _cleanup_(free_pointer) char *text = NULL;
        uint8_t challenge[CHALLENGE_LEN];
        int r;

        if (!owned)
                return -ENOMEM;
        if (RAND_bytes(challenge, sizeof(challenge)) != 1)
                return -EIO;
        r = store_open_challenge(c->site->store, c->session.id, c->request->now, begun, challenge);
        if (r == -ENOSPC)
                return call_refuse(c, REFUSED_TOO_MANY_CHALLENGES, NULL);
        if (r < 0)
                return r;
        text = base64url_encode(SLICE_OF(challenge));
        if (!text || json_object_set_new(owned, "challenge", json_string(text)) < 0 ||
            json_object_set_new(owned, "timeout", json_integer(CHALLENGE_SECONDS * 1000)) < 0)
                return -ENOMEM;
        return call_reply(c, json_pack("{s:O}", "publicKey", owned));
}

/* Whose the new passkey will be: whoever is signed in, or somebody new. */
static int choose_account(struct call *c, struct account *ret, bool *ret_is_chosen) {
        const char *name;
        int r;

        *ret_is_chosen = true;
        if (c->session.account.id) {
                *ret = c->session.account;
                return 0;
        }
        name = call_text(c, "name", NAME_MAX_BYTES, &r);
        *ret_is_chosen = name;
        if (!name)
                return r;
        r = store_find_account(c->site->store, name, ret);
        if (r == 0) {
                *ret_is_chosen = false;
                return call_refuse(c, REFUSED_NAME_TAKEN, "name");
        }
        if (r != -ENOENT)
                return r;
        *ret = (struct account){ .id = 0 };
        memcpy(ret->name, name, strlen(name));
        return RAND_bytes(ret->handle, sizeof(ret->handle)) == 1 ? 0 : -EIO;
}

static int describe_user(const struct account *account, json_t **ret) {
        _cleanup_(free_pointer) char *handle = base64url_encode(SLICE_OF(account->handle));

        *ret = json_pack("{s:s, s:s, s:s}", "id", handle, "name", account->name, "displayName",
                         account->name);
        return *ret ? 0 : -ENOMEM;
}

int call_begin_registration(struct call *c) {
        static const char *const residents[] = { "required", "preferred", "discouraged", NULL };
        static const char *const attestations[] = { "none", "indirect", "direct", "enterprise",
                                                    NULL };
        struct begun begun = { .is_registration = true };
        const char *resident, *verification, *attestation;
        json_t *parameters, *user, *excluded;
        bool is_chosen;
        int r;

        resident = read_word(c, "residentKey", residents, &r);
        if (!resident)
                return r;
        verification = read_word(c, "userVerification", verifications, &r);
        if (!verification)
                return r;
        attestation = read_word(c, "attestation", attestations, &r);
        if (!attestation)
                return r;
        r = choose_account(c, &begun.account, &is_chosen);
        if (r < 0 || !is_chosen)
                return r;
        r = describe_credentials(c, begun.account.id, &excluded);
        if (r < 0)
                return r;
        parameters = read_algorithms(c, &begun, &r);
        if (!parameters) {
                json_decref(excluded);
                return r;
        }
        begun.needs_verification = strcmp(verification, "required") == 0;
        (void)describe_user(&begun.account, &user);
        return begin(c, &begun,
                     json_pack("{s:{s:s, s:s}, s:o, s:o, s:o, s:{s:s, s:b, s:s}, s:s, s:{s:{}}}",
                               "rp", "id", c->site->rp_id, "name", SITE_NAME, "user", user,
                               "pubKeyCredParams", parameters, "excludeCredentials", excluded,
                               "authenticatorSelection", "residentKey", resident,
                               "requireResidentKey", strcmp(resident, "required") == 0,
                               "userVerification", verification, "attestation", attestation,
                               "extensions", "prf"));
}

/* Whose passkey is wanted; nobody if there is no name. */
static int read_account(struct call *c, struct account *ret, bool *ret_is_read) {
        const char *name;
        int r;

        *ret_is_read = true;
        if (!json_object_get(c->request->body, "name"))
                return 0;
        name = call_text(c, "name", NAME_MAX_BYTES, &r);
        *ret_is_read = name;
        if (!name)
                return r;
        r = store_find_account(c->site->store, name, ret);
        if (r == -ENOENT) {
                /* A site in the open would not tell. Here it is what one wants to know. */
                *ret_is_read = false;
                return call_refuse(c, REFUSED_ACCOUNT_UNKNOWN, "name");
        }
        return r;
}

int call_begin_login(struct call *c) {
        struct begun begun = { .is_registration = false };
        const json_t *prf = json_object_get(c->request->body, "prf");
        json_t *allowed, *options;
        const char *verification;
        bool is_read;
        int r;

        verification = read_word(c, "userVerification", verifications, &r);
        if (!verification)
                return r;
        if (prf && !json_is_boolean(prf))
                return call_refuse(c, REFUSED_FIELD_TYPE, "prf");
        r = read_account(c, &begun.account, &is_read);
        if (r < 0 || !is_read)
                return r;
        r = describe_credentials(c, begun.account.id, &allowed);
        if (r < 0)
                return r;
        begun.needs_verification = strcmp(verification, "required") == 0;
        options = json_pack("{s:s, s:o, s:s}", "rpId", c->site->rp_id, "allowCredentials", allowed,
                            "userVerification", verification);
        if (options && json_is_true(prf)) {
                _cleanup_(free_pointer) char *salt = base64url_encode(SLICE_TEXT(PRF_SALT));

                (void)json_object_set_new(options, "extensions",
                                          json_pack("{s:{s:{s:s}}}", "prf", "eval", "first", salt));
        }
        return begin(c, &begun, options);
}
