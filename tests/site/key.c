/* SPDX-License-Identifier: BSD-2-Clause */

/* Answers of an authenticator in software: see key.h. The statement of a TPM is in key-statement.c. */

#include "tests/site/key.h"

#include <openssl/core_names.h>
#include <openssl/rand.h>
#include <openssl/sha.h>
#include <stdio.h>
#include <string.h>

#include "tests/site/key-statement.h"
#include "tests/site/test.h"

void put(struct block *b, struct slice what) {
        assert_true(what.len <= sizeof(b->data) - b->len);
        if (what.len > 0)
                memcpy(b->data + b->len, what.data, what.len);
        b->len += what.len;
}

void put_number(struct block *b, uint64_t value, unsigned n_bytes) {
        while (n_bytes-- > 0) {
                uint8_t byte = (uint8_t)(value >> (8 * n_bytes));

                put(b, SLICE(&byte, 1));
        }
}

void put_head(struct block *b, enum item_kind kind, uint64_t value) {
        unsigned major = (unsigned)kind << 5;

        if (value < 24) {
                put_number(b, major | (unsigned)value, 1);
        } else if (value < 0x100) {
                put_number(b, major | 24, 1);
                put_number(b, value, 1);
        } else {
                put_number(b, major | 25, 1);
                put_number(b, value, 2);
        }
}

void put_text(struct block *b, const char *text) {
        put_head(b, ITEM_TEXT, strlen(text));
        put(b, SLICE_TEXT(text));
}

void put_bytes(struct block *b, struct slice bytes) {
        put_head(b, ITEM_BYTES, bytes.len);
        put(b, bytes);
}

void put_int(struct block *b, int64_t value) {
        if (value < 0)
                put_head(b, ITEM_NEGATIVE, (uint64_t)(-1 - value));
        else
                put_head(b, ITEM_UNSIGNED, (uint64_t)value);
}

struct slice block_slice(const struct block *b) {
        return SLICE(b->data, b->len);
}

static void put_parameter(struct block *b, EVP_PKEY *pair, const char *name, int len) {
        BIGNUM *n = NULL;
        uint8_t bytes[256];

        assert_int_equal(EVP_PKEY_get_bn_param(pair, name, &n), 1);
        assert_int_equal(BN_bn2binpad(n, bytes, len), len);
        put_bytes(b, SLICE(bytes, (size_t)len));
        BN_free(n);
}

static void put_point(struct block *b, EVP_PKEY *pair, int64_t algorithm, int64_t curve, int len) {
        put_head(b, ITEM_MAP, 5);
        put_int(b, 1);
        put_int(b, 2);
        put_int(b, 3);
        put_int(b, algorithm);
        put_int(b, -1);
        put_int(b, curve);
        put_int(b, -2);
        put_parameter(b, pair, OSSL_PKEY_PARAM_EC_PUB_X, len);
        put_int(b, -3);
        put_parameter(b, pair, OSSL_PKEY_PARAM_EC_PUB_Y, len);
}

static void put_rsa(struct block *b, EVP_PKEY *pair) {
        put_head(b, ITEM_MAP, 4);
        put_int(b, 1);
        put_int(b, 3);
        put_int(b, 3);
        put_int(b, ALGORITHM_RS256);
        put_int(b, -1);
        put_parameter(b, pair, OSSL_PKEY_PARAM_RSA_N, 256);
        put_int(b, -2);
        put_parameter(b, pair, OSSL_PKEY_PARAM_RSA_E, 3);
}

static void put_edwards(struct block *b, EVP_PKEY *pair) {
        uint8_t raw[32];
        size_t len = sizeof(raw);

        assert_int_equal(EVP_PKEY_get_raw_public_key(pair, raw, &len), 1);
        put_head(b, ITEM_MAP, 4);
        put_int(b, 1);
        put_int(b, 1);
        put_int(b, 3);
        put_int(b, ALGORITHM_EDDSA);
        put_int(b, -1);
        put_int(b, 6);
        put_int(b, -2);
        put_bytes(b, SLICE_OF(raw));
}

static void make_pair(struct key *k) {
        switch (k->algorithm) {
        case ALGORITHM_ES384:
                k->pair = EVP_EC_gen("P-384");
                put_point(&k->cose, k->pair, k->algorithm, 2, 48);
                break;
        case ALGORITHM_RS256:
                k->pair = EVP_RSA_gen(2048);
                put_rsa(&k->cose, k->pair);
                break;
        case ALGORITHM_EDDSA:
                k->pair = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
                put_edwards(&k->cose, k->pair);
                break;
        default:
                k->pair = EVP_EC_gen("P-256");
                put_point(&k->cose, k->pair, k->algorithm, 1, 32);
        }
}

struct key *key_new(int64_t algorithm) {
        struct key *k = calloc(1, sizeof(*k));

        assert_non_null(k);
        k->algorithm = algorithm;
        make_pair(k);
        assert_non_null(k->pair);
        assert_int_equal(RAND_bytes(k->id, sizeof(k->id)), 1);
        assert_int_equal(RAND_bytes(k->aaguid, sizeof(k->aaguid)), 1);
        k->attester = EVP_EC_gen("P-256");
        k->authority = EVP_EC_gen("P-256");
        k->root = statement_root(k);
        return k;
}

void key_free(struct key **k) {
        if (!*k)
                return;
        EVP_PKEY_free((*k)->pair);
        EVP_PKEY_free((*k)->attester);
        EVP_PKEY_free((*k)->authority);
        X509_free((*k)->root);
        free(*k);
}

X509_STORE *key_roots(const struct key *k) {
        X509_STORE *roots = X509_STORE_new();

        assert_int_equal(X509_STORE_add_cert(roots, k->root), 1);
        return roots;
}

void free_roots(X509_STORE **roots) {
        X509_STORE_free(*roots);
}

struct form form_of_registration(struct slice challenge) {
        return (struct form){
                .type = "webauthn.create",
                .origin = FORM_ORIGIN,
                .challenge = challenge,
                .rp_id = FORM_RP_ID,
                .flags = FLAG_USER_PRESENT | FLAG_USER_VERIFIED | FLAG_ATTESTED,
        };
}

struct form form_of_login(struct slice challenge, uint32_t counter) {
        struct form f = form_of_registration(challenge);

        f.type = "webauthn.get";
        f.flags = FLAG_USER_PRESENT | FLAG_USER_VERIFIED;
        f.counter = counter;
        return f;
}

static void write_client_data(const struct form *f, struct block *to) {
        _cleanup_(free_pointer) char *challenge = base64url_encode(f->challenge);
        char text[2048];
        int n = snprintf(
                text, sizeof(text),
                "{\"type\":\"%s\",\"challenge\":\"%s\",\"origin\":\"%s\",\"crossOrigin\":%s%s}",
                f->type, challenge, f->origin, f->is_cross_origin ? "true" : "false",
                f->has_top_origin ? ",\"topOrigin\":\"https://a.example\"" : "");

        assert_true(n > 0 && (size_t)n < sizeof(text));
        put(to, f->client_data ? SLICE_TEXT(f->client_data) : SLICE(text, (size_t)n));
}

static void write_auth_data(const struct key *k, const struct form *f, struct block *to) {
        struct slice rp_id = SLICE_TEXT(f->rp_id);
        uint8_t hash[SHA256_DIGEST_LENGTH];

        SHA256(rp_id.data, rp_id.len, hash);
        put(to, SLICE_OF(hash));
        put_number(to, f->flags, 1);
        put_number(to, f->counter, 4);
        if (f->flags & FLAG_ATTESTED) {
                put(to, SLICE_OF(k->aaguid));
                put_number(to, sizeof(k->id), 2);
                put(to, SLICE_OF(k->id));
                put(to, f->public_key.len > 0 ? f->public_key : block_slice(&k->cose));
        }
        put(to, f->extensions);
        put(to, f->tail);
}

struct slice sign(EVP_PKEY *pair, int64_t algorithm, struct slice a, struct slice b,
                  uint8_t *storage, size_t size) {
        const EVP_MD *md = algorithm == ALGORITHM_EDDSA   ? NULL
                           : algorithm == ALGORITHM_ES384 ? EVP_sha384()
                                                          : EVP_sha256();
        EVP_MD_CTX *context = EVP_MD_CTX_new();
        struct block all = { .len = 0 };

        put(&all, a);
        put(&all, b);
        assert_int_equal(EVP_DigestSignInit(context, NULL, md, NULL, pair), 1);
        assert_int_equal(EVP_DigestSign(context, storage, &size, all.data, all.len), 1);
        EVP_MD_CTX_free(context);
        return SLICE(storage, size);
}

static void set(json_t *o, const char *member, struct slice bytes) {
        _cleanup_(free_pointer) char *text = base64url_encode(bytes);

        assert_int_equal(json_object_set_new(o, member, json_string(text)), 0);
}

static json_t *wrap(const struct key *k, json_t *response) {
        json_t *o = json_pack("{s:s, s:o}", "type", "public-key", "response", response);

        assert_non_null(o);
        set(o, "id", SLICE_OF(k->id));
        set(o, "rawId", SLICE_OF(k->id));
        return o;
}

json_t *key_register(struct key *k, const struct form *f) {
        struct block client = { .len = 0 }, data = { .len = 0 }, object = { .len = 0 };
        json_t *response = json_pack("{s:[s, s]}", "transports", "usb", "internal");
        uint8_t hash[SHA256_DIGEST_LENGTH];

        write_client_data(f, &client);
        SHA256(client.data, client.len, hash);
        write_auth_data(k, f, &data);
        put_head(&object, ITEM_MAP, 3);
        put_text(&object, "fmt");
        statement_write(k, f, block_slice(&data), SLICE_OF(hash), &object);
        put_text(&object, "authData");
        put_bytes(&object, block_slice(&data));
        set(response, "clientDataJSON", block_slice(&client));
        set(response, "attestationObject", f->object.len > 0 ? f->object : block_slice(&object));
        return wrap(k, response);
}

json_t *key_sign_in(struct key *k, const struct form *f) {
        struct block client = { .len = 0 }, data = { .len = 0 };
        uint8_t hash[SHA256_DIGEST_LENGTH], storage[512];
        json_t *response = json_object();
        struct slice signature;

        write_client_data(f, &client);
        SHA256(client.data, client.len, hash);
        write_auth_data(k, f, &data);
        signature = sign(k->pair, k->algorithm, block_slice(&data), SLICE_OF(hash), storage,
                         sizeof(storage));
        if (f->fault == FAULT_SIGNATURE)
                storage[signature.len - 1] ^= 1;
        set(response, "clientDataJSON", block_slice(&client));
        set(response, "authenticatorData", block_slice(&data));
        set(response, "signature", signature);
        if (f->handle.len > 0)
                set(response, "userHandle", f->handle);
        return wrap(k, response);
}
