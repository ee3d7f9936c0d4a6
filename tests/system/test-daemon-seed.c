/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Passkeys of a fixture: the real daemon makes them in a real TPM, and libfido2, which was at no
 * registration, signs in with them as with any other. What the daemon told of them is all that a site has.
 */

#include <fido.h>
#include <fido/credman.h>
#include <fido/es256.h>
#include <openssl/evp.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "authenticator/base64url.h"
#include "authenticator/control.h"
#include "authenticator/protocol.h"
#include "authenticator/util.h"
#include "tests/system/fido-kit.h"
#include "tests/unit/test.h"

#define PIN "1234"

#define ALICE "\"user\":{\"id\":\"YWxpY2U\",\"name\":\"alice\",\"displayName\":\"Alice\"}"
#define BOB   "\"user\":{\"id\":\"Ym9i\",\"name\":\"bob\"}"
#define SITE  "\"rp_id\":\"example.com\""

static const unsigned char challenge[32] = "a challenge of thirty-two bytes";

struct world {
        struct daemon_kit kit;
        fido_dev_t *dev;
        json_t *answer; /* the last one */
};

static int setup(void **state) {
        struct world *w = calloc(1, sizeof(*w));

        *state = w;
        return w ? kit_init(&w->kit) : -1;
}

static int teardown(void **state) {
        struct world *w = *state;

        kit_done(&w->kit);
        json_decref(w->answer);
        free(w);
        return 0;
}

static void start(struct world *w, const char *setting) {
        const char *const settings[] = { "--presence=auto", setting, NULL };

        kit_start(&w->kit, settings);
        w->dev = kit_open_key(&w->kit);
}

static void stop(struct world *w) {
        kit_close_key(w->dev);
        assert_int_equal(kit_stop(&w->kit), 0);
}

/* libfido2 asks once whether there is a PIN. */
static void set_pin(struct world *w) {
        assert_int_equal(fido_dev_set_pin(w->dev, PIN, NULL), FIDO_OK);
        kit_close_key(w->dev);
        w->dev = kit_open_key(&w->kit);
}

/* ---- what the daemon says ---- */

static void ask(struct world *w, const char *method, const char *params) {
        json_decref(w->answer);
        w->answer = kit_control(&w->kit, method, params);
        assert_non_null(w->answer);
}

/* The list of the last answer. */
static json_t *credentials(const struct world *w) {
        json_t *list = json_object_get(json_object_get(w->answer, "result"), "credentials");

        if (!list)
                fail_msg("%s", json_dumps(w->answer, 0));
        return list;
}

static const json_t *nth(const struct world *w, size_t i) {
        return json_array_get(credentials(w), i);
}

static void seed(struct world *w, const char *entries) {
        char params[PROTOCOL_LINE_MAX];

        snprintf(params, sizeof(params), "{\"credentials\":[%s]}", entries);
        ask(w, PROTOCOL_SEED, params);
}

static void assert_refused(const struct world *w, const char *code, const char *says) {
        const json_t *error = json_object_get(w->answer, "error");

        assert_string_equal(json_string_value(json_object_get(error, "code")), code);
        if (!strstr(json_string_value(json_object_get(error, "message")), says))
                fail_msg("not '%s': %s", says,
                         json_string_value(json_object_get(error, "message")));
}

static const char *text(const json_t *c, const char *name) {
        const char *s = json_string_value(json_object_get(c, name));

        assert_non_null(s);
        return s;
}

struct decoded {
        unsigned char b[512];
        size_t len;
};

static struct decoded decode(const json_t *c, const char *name) {
        struct decoded d;
        struct buf out = BUF_ON(d.b);

        assert_int_equal(base64url_get(BYTES_TEXT(text(c, name)), &out), 0);
        d.len = out.len;
        return d;
}

/* ---- what a site does ---- */

struct login {
        const json_t *allowed; /* NULL: whoever is discoverable */
        const char *rp_id;     /* NULL: example.com */
        const char *pin;
        int extensions;
        const unsigned char *salt; /* of 32 bytes */
};

static int log_in(struct world *w, const struct login *l, fido_assert_t **ret) {
        fido_assert_t *a = fido_assert_new();

        *ret = a;
        assert_int_equal(fido_assert_set_clientdata_hash(a, challenge, sizeof(challenge)), FIDO_OK);
        assert_int_equal(fido_assert_set_rp(a, l->rp_id ? l->rp_id : "example.com"), FIDO_OK);
        if (l->allowed) {
                const struct decoded id = decode(l->allowed, "id");

                assert_int_equal(fido_assert_allow_cred(a, id.b, id.len), FIDO_OK);
        }
        if (l->extensions)
                assert_int_equal(fido_assert_set_extensions(a, l->extensions), FIDO_OK);
        if (l->salt)
                assert_int_equal(fido_assert_set_hmac_salt(a, l->salt, 32), FIDO_OK);
        return fido_dev_get_assert(w->dev, a, l->pin);
}

/* By the key as the daemon gave it in DER, and with nothing else of ours. */
static void assert_signed_by(const fido_assert_t *a, size_t i, const json_t *c) {
        const struct decoded spki = decode(c, "publicKey");
        const unsigned char *p = spki.b, *data = fido_assert_authdata_ptr(a, i);
        const size_t head = data[0] == 0x58 ? 2 : 3; /* of its CBOR */
        EVP_PKEY *key = d2i_PUBKEY(NULL, &p, (long)spki.len);
        EVP_MD_CTX *ctx = EVP_MD_CTX_new();
        const int alg = (int)json_integer_value(json_object_get(c, "publicKeyAlgorithm"));

        assert_non_null(key);
        assert_ptr_equal(p, spki.b + spki.len);
        assert_int_equal(EVP_DigestVerifyInit(ctx, NULL, alg == -35 ? EVP_sha384() : EVP_sha256(),
                                              NULL, key),
                         1);
        assert_int_equal(EVP_DigestVerifyUpdate(ctx, data + head,
                                                fido_assert_authdata_len(a, i) - head),
                         1);
        assert_int_equal(EVP_DigestVerifyUpdate(ctx, challenge, sizeof(challenge)), 1);
        assert_int_equal(EVP_DigestVerifyFinal(ctx, fido_assert_sig_ptr(a, i),
                                               fido_assert_sig_len(a, i)),
                         1);
        EVP_MD_CTX_free(ctx);
        EVP_PKEY_free(key);
}

/* The counter that was shown. */
static uint32_t assert_logs_in(struct world *w, const json_t *c, const char *pin) {
        const struct login l = { .allowed = c, .pin = pin };
        fido_assert_t *a;
        uint32_t counter;

        assert_int_equal(log_in(w, &l, &a), FIDO_OK);
        assert_int_equal(fido_assert_count(a), 1);
        assert_signed_by(a, 0, c);
        counter = fido_assert_sigcount(a, 0);
        fido_assert_free(&a);
        return counter;
}

/* ---- signing in ---- */

static void a_seeded_passkey_signs_in_and_counts(void **state) {
        struct world *w = *state;
        json_t *made;
        uint32_t first, second;

        start(w, NULL);
        seed(w, "{" SITE "," ALICE "},{" SITE "," BOB ",\"discoverable\":false}");
        assert_int_equal(json_array_size(credentials(w)), 2);
        made = json_incref(credentials(w));
        assert_string_equal(text(json_array_get(made, 0), "type"), "public-key");
        assert_int_equal(json_integer_value(json_object_get(json_array_get(made, 0), "counter")),
                         0);

        first = assert_logs_in(w, json_array_get(made, 0), NULL);
        second = assert_logs_in(w, json_array_get(made, 0), NULL);
        assert_true(first > 0 && second > first);
        assert_logs_in(w, json_array_get(made, 1), NULL);

        stop(w);
        start(w, NULL);
        assert_true(assert_logs_in(w, json_array_get(made, 0), NULL) > second);
        json_decref(made);
        stop(w);
}

static void several_on_one_site_are_found_by_who_asks_for_any(void **state) {
        struct world *w = *state;
        const struct login any = { 0 };
        fido_assert_t *a;

        start(w, NULL);
        seed(w, "{" SITE "," ALICE "},{\"rp_id\":\"other.example\"," ALICE "},{" SITE "," BOB "},"
                "{" SITE ",\"user\":{\"id\":\"Y2F0\"},\"discoverable\":false}");
        set_pin(w);
        /* With the PIN, for names are told to nobody else. The newest is first. */
        assert_int_equal(log_in(w, &(struct login){ .pin = PIN }, &a), FIDO_OK);
        assert_int_equal(fido_assert_count(a), 2);
        assert_signed_by(a, 0, nth(w, 2));
        assert_signed_by(a, 1, nth(w, 0));
        assert_string_equal(fido_assert_user_name(a, 0), "bob");
        assert_null(fido_assert_user_display_name(a, 0));
        assert_string_equal(fido_assert_user_name(a, 1), "alice");
        assert_string_equal(fido_assert_user_display_name(a, 1), "Alice");
        assert_bytes_equal(BYTES(fido_assert_user_id_ptr(a, 1), fido_assert_user_id_len(a, 1)),
                           BYTES_TEXT("alice"));
        fido_assert_free(&a);
        assert_int_equal(log_in(w, &any, &a), FIDO_OK);
        fido_assert_free(&a);
        stop(w);
}

static void every_kind_of_key_signs_in(void **state) {
        struct world *w = *state;

        start(w, NULL);
        seed(w, "{" SITE "," ALICE ",\"algorithm\":-257},{" SITE "," BOB ",\"algorithm\":-35},"
                "{" SITE ",\"user\":{\"id\":\"Y2F0\"},\"algorithm\":-9}");
        for (size_t i = 0; i < 3; i++)
                assert_logs_in(w, nth(w, i), NULL);
        stop(w);
}

/* ---- extensions ---- */

static void get_secret(struct world *w, const json_t *c, const char *pin, uint8_t salt,
                       unsigned char ret[static 32]) {
        unsigned char salts[32];
        const struct login l = {
                .allowed = c, .pin = pin, .extensions = FIDO_EXT_HMAC_SECRET, .salt = salts
        };
        fido_assert_t *a;

        memset(salts, salt, sizeof(salts));
        assert_int_equal(log_in(w, &l, &a), FIDO_OK);
        assert_int_equal(fido_assert_hmac_secret_len(a, 0), 32);
        memcpy(ret, fido_assert_hmac_secret_ptr(a, 0), 32);
        fido_assert_free(&a);
}

/* By either name; also one that did not ask for it has it when it is first wanted (D2). */
static void the_prf_of_a_seeded_passkey_stays_the_same(void **state) {
        struct world *w = *state;
        unsigned char first[32], again[32], other[32], late[32], verified[32];
        json_t *made;

        start(w, NULL);
        seed(w, "{" SITE "," ALICE ",\"extensions\":{\"prf\":true}},"
                "{" SITE "," BOB ",\"extensions\":{\"hmac-secret\":true}},"
                "{" SITE ",\"user\":{\"id\":\"Y2F0\"}}");
        made = json_incref(credentials(w));
        get_secret(w, json_array_get(made, 0), NULL, 1, first);
        get_secret(w, json_array_get(made, 0), NULL, 2, other);
        assert_memory_not_equal(first, other, 32);
        get_secret(w, json_array_get(made, 1), NULL, 1, other);
        assert_memory_not_equal(first, other, 32);
        get_secret(w, json_array_get(made, 2), NULL, 1, late);

        set_pin(w);
        get_secret(w, json_array_get(made, 0), PIN, 1, verified);
        assert_memory_not_equal(first, verified, 32);
        stop(w);
        start(w, NULL);
        get_secret(w, json_array_get(made, 0), NULL, 1, again);
        assert_memory_equal(first, again, 32);
        get_secret(w, json_array_get(made, 0), PIN, 1, again);
        assert_memory_equal(verified, again, 32);
        get_secret(w, json_array_get(made, 1), NULL, 1, again);
        assert_memory_equal(other, again, 32);
        get_secret(w, json_array_get(made, 2), NULL, 1, again);
        assert_memory_equal(late, again, 32);
        json_decref(made);
        stop(w);
}

/* Whether the PIN is set before the fixture or after it. */
static void a_passkey_of_credprotect_3_takes_the_pin(void **state) {
        struct world *w = *state;
        struct login l = { 0 };
        fido_assert_t *a;

        start(w, NULL);
        for (int i = 0; i < 2; i++) {
                seed(w, "{" SITE "," ALICE ",\"extensions\":{\"credProtect\":3,\"prf\":true}}");
                if (i == 0)
                        set_pin(w);
                l.allowed = nth(w, 0);
                assert_int_equal(log_in(w, &l, &a), FIDO_ERR_NO_CREDENTIALS);
                fido_assert_free(&a);
                assert_logs_in(w, nth(w, 0), PIN);
        }
        ask(w, PROTOCOL_LIST, NULL);
        assert_int_equal(json_array_size(credentials(w)), 1);
        assert_string_equal(text(nth(w, 0), "class"), "pin");
        stop(w);
}

static void a_passkey_of_credprotect_2_is_found_by_its_id_alone(void **state) {
        struct world *w = *state;
        struct login l = { 0 };
        fido_assert_t *a;

        start(w, NULL);
        seed(w, "{" SITE "," ALICE ",\"extensions\":{\"credProtect\":2}}");
        assert_int_equal(log_in(w, &l, &a), FIDO_ERR_NO_CREDENTIALS);
        fido_assert_free(&a);
        assert_logs_in(w, nth(w, 0), NULL);
        stop(w);
}

static void blobs_are_there(void **state) {
        static const unsigned char note[] = "what a site wants to have with its passkey";
        struct world *w = *state;
        struct login l = { .pin = PIN, .extensions = FIDO_EXT_CRED_BLOB | FIDO_EXT_LARGEBLOB_KEY };
        unsigned char *blob = NULL;
        fido_assert_t *a;
        size_t len;

        start(w, NULL);
        set_pin(w);
        seed(w, "{" SITE "," ALICE ",\"extensions\":{\"credBlob\":\"aGVsbG8\","
                "\"largeBlobKey\":true,\"thirdPartyPayment\":true}}");
        assert_int_equal(log_in(w, &l, &a), FIDO_OK);
        assert_bytes_equal(BYTES(fido_assert_blob_ptr(a, 0), fido_assert_blob_len(a, 0)),
                           BYTES_TEXT("hello"));
        assert_int_equal(fido_assert_largeblob_key_len(a, 0), 32);
        assert_int_equal(fido_dev_largeblob_set(w->dev, fido_assert_largeblob_key_ptr(a, 0), 32,
                                                note, sizeof(note), PIN),
                         FIDO_OK);
        assert_int_equal(fido_dev_largeblob_get(w->dev, fido_assert_largeblob_key_ptr(a, 0), 32,
                                                &blob, &len),
                         FIDO_OK);
        assert_bytes_equal(BYTES(blob, len), BYTES_OF(note));
        free(blob);
        fido_assert_free(&a);

        ask(w, PROTOCOL_LIST, NULL);
        assert_true(json_is_true(json_object_get(nth(w, 0), "large_blob_key")));
        assert_true(json_is_true(json_object_get(nth(w, 0), "third_party_payment")));
        stop(w);
}

/* ---- beside what clients make ---- */

static int make(struct world *w, const char *user, const json_t *excluded) {
        fido_cred_t *cred = fido_cred_new();
        int r;

        assert_int_equal(fido_cred_set_type(cred, COSE_ES256), FIDO_OK);
        assert_int_equal(fido_cred_set_clientdata_hash(cred, challenge, sizeof(challenge)),
                         FIDO_OK);
        assert_int_equal(fido_cred_set_rp(cred, "example.com", NULL), FIDO_OK);
        assert_int_equal(fido_cred_set_user(cred, (const unsigned char *)user, strlen(user), user,
                                            NULL, NULL),
                         FIDO_OK);
        assert_int_equal(fido_cred_set_rk(cred, FIDO_OPT_TRUE), FIDO_OK);
        if (excluded) {
                const struct decoded id = decode(excluded, "id");

                assert_int_equal(fido_cred_exclude(cred, id.b, id.len), FIDO_OK);
        }
        r = fido_dev_make_cred(w->dev, cred, NULL);
        fido_cred_free(&cred);
        return r;
}

static void a_client_that_excludes_it_registers_no_other(void **state) {
        struct world *w = *state;

        start(w, NULL);
        seed(w, "{" SITE "," ALICE "}");
        assert_int_equal(make(w, "bob", nth(w, 0)), FIDO_ERR_CREDENTIAL_EXCLUDED);
        assert_int_equal(make(w, "bob", NULL), FIDO_OK);
        stop(w);
}

static size_t count(struct world *w) {
        ask(w, PROTOCOL_CREDENTIALS, NULL);
        return json_array_size(credentials(w));
}

static void one_of_the_same_account_takes_its_place(void **state) {
        struct world *w = *state;
        json_t *first;
        fido_assert_t *a;

        start(w, NULL);
        assert_int_equal(make(w, "alice", NULL), FIDO_OK);
        seed(w, "{" SITE "," ALICE "}"); /* in the place of a client's */
        first = json_incref(credentials(w));
        assert_int_equal(count(w), 1);
        seed(w, "{" SITE "," BOB "},{" SITE "," ALICE "}"); /* and of a fixture's */
        assert_int_equal(log_in(w, &(struct login){ .allowed = json_array_get(first, 0) }, &a),
                         FIDO_ERR_NO_CREDENTIALS);
        fido_assert_free(&a);
        assert_logs_in(w, nth(w, 1), NULL);
        /* What is not discoverable has no account that it could take. */
        seed(w, "{" SITE "," ALICE ",\"discoverable\":false}");
        assert_int_equal(count(w), 3);
        assert_int_equal(make(w, "alice", NULL), FIDO_OK); /* and a client's of a fixture's */
        assert_int_equal(count(w), 3);
        json_decref(first);
        stop(w);
}

static void a_client_lists_and_deletes_it(void **state) {
        struct world *w = *state;
        fido_credman_rk_t *rks = fido_credman_rk_new();
        const fido_cred_t *rk;
        struct decoded id;

        start(w, NULL);
        set_pin(w);
        seed(w, "{" SITE "," ALICE "}");
        assert_int_equal(fido_credman_get_dev_rk(w->dev, "example.com", rks, PIN), FIDO_OK);
        assert_int_equal(fido_credman_rk_count(rks), 1);
        rk = fido_credman_rk(rks, 0);
        id = decode(nth(w, 0), "id");
        assert_bytes_equal(BYTES(fido_cred_id_ptr(rk), fido_cred_id_len(rk)), BYTES(id.b, id.len));
        assert_string_equal(fido_cred_user_name(rk), "alice");
        assert_int_equal(fido_credman_del_dev_rk(w->dev, id.b, id.len, PIN), FIDO_OK);
        fido_credman_rk_free(&rks);
        assert_int_equal(count(w), 0);
        stop(w);
}

/* ---- credentials ---- */

static void passkeys_are_told_as_webauthn_has_them(void **state) {
        struct world *w = *state;
        json_t *seeded, *user;
        const json_t *c;

        start(w, NULL);
        seed(w, "{" SITE "," ALICE "},{" SITE "," BOB ",\"discoverable\":false}");
        seeded = json_incref(credentials(w));
        assert_true(assert_logs_in(w, json_array_get(seeded, 1), NULL) > 0);
        assert_int_equal(make(w, "cat", NULL), FIDO_OK);

        assert_int_equal(count(w), 3);
        for (size_t i = 0; i < 2; i++)
                for (const char *const *name =
                             (const char *const[]){ "id", "publicKey", "publicKeyCose", NULL };
                     *name; name++)
                        assert_string_equal(text(nth(w, i), *name),
                                            text(json_array_get(seeded, i), *name));
        c = nth(w, 0);
        user = json_object_get(c, "user");
        assert_string_equal(text(c, "rp_id"), "example.com");
        assert_string_equal(text(user, "id"), "YWxpY2U");
        assert_string_equal(text(user, "name"), "alice");
        assert_string_equal(text(user, "displayName"), "Alice");
        assert_true(json_is_true(json_object_get(c, "discoverable")));
        assert_int_equal(json_integer_value(json_object_get(c, "publicKeyAlgorithm")), -7);
        assert_int_equal(json_integer_value(json_object_get(c, "counter")), 0);
        assert_string_equal(json_string_value(json_array_get(json_object_get(c, "transports"), 0)),
                            "usb");
        c = nth(w, 1);
        assert_null(json_object_get(json_object_get(c, "user"), "displayName"));
        assert_true(json_is_false(json_object_get(c, "discoverable")));
        assert_true(json_integer_value(json_object_get(c, "counter")) > 0);
        assert_logs_in(w, nth(w, 2), NULL); /* of a client's registration too */
        json_decref(seeded);
        stop(w);
}

/* ---- refusals ---- */

static void what_is_wrong_is_named_and_nothing_is_made(void **state) {
        struct world *w = *state;

        start(w, NULL);
        seed(w, "{" SITE "," ALICE "},{" SITE "," BOB ",\"extensions\":{\"credProtect\":4}}");
        assert_refused(w, PROTOCOL_E_BAD_REQUEST, "credentials[1].extensions.credProtect must be");
        seed(w, "{" SITE "," ALICE ",\"privateKey\":\"MIGHAgEAMBMGByqGSM49\"}");
        assert_refused(w, PROTOCOL_E_BAD_REQUEST,
                       "credentials[0].privateKey looks like a private key");
        ask(w, PROTOCOL_SEED, "{\"credentials\":{}}");
        assert_refused(w, PROTOCOL_E_BAD_REQUEST, "wrong type");
        ask(w, PROTOCOL_SEED, NULL);
        assert_refused(w, PROTOCOL_E_BAD_REQUEST, "seed needs \"credentials\"");
        ask(w, PROTOCOL_SEED, "{\"credentials\":[],\"after\":1}");
        assert_refused(w, PROTOCOL_E_BAD_REQUEST, "no such parameter");
        ask(w, PROTOCOL_CREDENTIALS, "{\"after\":\"1\"}");
        assert_refused(w, PROTOCOL_E_BAD_REQUEST, "wrong type");
        assert_int_equal(count(w), 0);
        seed(w, "");
        assert_int_equal(json_array_size(credentials(w)), 0);
        stop(w);
}

/* jansson writes each of its numbers with seventeen digits. */
static void a_fixture_that_grows_too_long_is_refused_and_the_device_lives(void **state) {
        struct world *w = *state;
        char entries[60001];

        start(w, NULL);
        for (size_t n = 0; n < sizeof(entries) - 1; n += 4)
                memcpy(entries + n, "0.1,", 4);
        entries[sizeof(entries) - 2] = '\0';
        seed(w, entries);
        assert_refused(w, PROTOCOL_E_TOO_LONG, "too long for the worker");
        assert_int_equal(count(w), 0);
        seed(w, "{" SITE "," ALICE "}");
        assert_logs_in(w, nth(w, 0), NULL);
        stop(w);
}

static void a_store_without_room_for_all_takes_none(void **state) {
        struct world *w = *state;

        start(w, "--set=store.max-credentials=2");
        seed(w, "{" SITE "," ALICE "}");
        seed(w, "{" SITE "," BOB "},{\"rp_id\":\"other.example\"," BOB "}");
        assert_refused(w, PROTOCOL_E_FULL, "credentials[1] does not fit: there is room for 1 more");
        assert_int_equal(count(w), 1);
        /* What takes another's place takes no room. */
        seed(w, "{" SITE "," BOB "},{" SITE "," ALICE "}");
        assert_int_equal(json_array_size(credentials(w)), 2);
        assert_logs_in(w, nth(w, 0), NULL);
        stop(w);
}

static void a_device_without_large_blobs_refuses_a_key_for_them(void **state) {
        struct world *w = *state;

        start(w, "--set=policy.large-blobs=0");
        seed(w, "{" SITE "," ALICE ",\"extensions\":{\"largeBlobKey\":true}}");
        assert_refused(w, PROTOCOL_E_BAD_REQUEST, "[policy] large-blobs is 0");
        stop(w);
}

/* ---- the command line ---- */

static void assert_cli(struct world *w, const char *arguments, const char *input, int status,
                       const char *says) {
        char out[8192];
        int got = kit_cli_with(&w->kit, arguments, input, out, sizeof(out));

        if (got != status || !strstr(out, says))
                fail_msg("tpmauthn %s: exit %d and not %d, or not '%s': %s", arguments, got, status,
                         says, out);
}

static void write_fixture(const struct world *w, char path[static 80], const char *fixture) {
        FILE *f;

        snprintf(path, 80, "%s/fixture", w->kit.folder);
        f = fopen(path, "we");
        assert_non_null(f);
        fputs(fixture, f);
        assert_int_equal(fclose(f), 0);
}

static void the_command_line_seeds_and_lists(void **state) {
        struct world *w = *state;
        char path[80], arguments[128], longest[70000];

        start(w, NULL);
        write_fixture(w, path, "{ \"credentials\": [ {" SITE "," ALICE "} ] }\n");
        snprintf(arguments, sizeof(arguments), "seed %s", path);
        assert_cli(w, "list --webauthn", "", 0, "[]");
        assert_cli(w, arguments, "", 0, "");
        assert_cli(w, "list --webauthn", "", 0, "\"displayName\": \"Alice\"");
        assert_cli(w, "list", "", 0, "alice");
        snprintf(arguments, sizeof(arguments), "--json seed - <%s", path);
        assert_cli(w, arguments, "", 0, "\"publicKeyCose\": \"pQECAyYgASFYI");
        assert_cli(w, "events", "", 0, "example.com");

        assert_cli(w, "seed /nowhere", "", 1, "No such file");
        assert_cli(w, "seed -", "x", 1, "-:1: ");
        assert_cli(w, "seed -", "[]", 1, "a fixture is a JSON object with one member");
        assert_cli(w, "seed", "", 2, "wrong number of operands");
        assert_cli(w, "show --webauthn 1234", "", 2, "--webauthn is for list");
        snprintf(arguments, sizeof(arguments), "seed %s", path);
        write_fixture(w, path, "{\"credentials\":[],\"device\":0}");
        assert_cli(w, arguments, "", 1, "a fixture is a JSON object with one member");
        write_fixture(w, path, "{\"credentials\":[{" SITE "," ALICE ",\"id\":\"AAAA\"}]}");
        assert_cli(w, arguments, "", 1, "credentials[0].id cannot be chosen");
        snprintf(longest, sizeof(longest), "{\"credentials\":[\"%066000d\"]}", 0);
        write_fixture(w, path, longest);
        assert_cli(w, arguments, "", 1, "longer than the 64 KiB of one request");
        stop(w);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void) {
        const struct CMUnitTest tests[] = {
                TEST(a_seeded_passkey_signs_in_and_counts),
                TEST(several_on_one_site_are_found_by_who_asks_for_any),
                TEST(every_kind_of_key_signs_in),
                TEST(the_prf_of_a_seeded_passkey_stays_the_same),
                TEST(a_passkey_of_credprotect_3_takes_the_pin),
                TEST(a_passkey_of_credprotect_2_is_found_by_its_id_alone),
                TEST(blobs_are_there),
                TEST(a_client_that_excludes_it_registers_no_other),
                TEST(one_of_the_same_account_takes_its_place),
                TEST(a_client_lists_and_deletes_it),
                TEST(passkeys_are_told_as_webauthn_has_them),
                TEST(what_is_wrong_is_named_and_nothing_is_made),
                TEST(a_fixture_that_grows_too_long_is_refused_and_the_device_lives),
                TEST(a_store_without_room_for_all_takes_none),
                TEST(a_device_without_large_blobs_refuses_a_key_for_them),
                TEST(the_command_line_seeds_and_lists),
        };

        return cmocka_run_group_tests_name("daemon-seed", tests, NULL, NULL);
}
