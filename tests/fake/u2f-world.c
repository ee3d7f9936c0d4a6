/* SPDX-License-Identifier: BSD-2-Clause */

/* Five ports of a few lines each: see u2f-world.h. */

#include <errno.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <stdlib.h>
#include <string.h>

#include "tests/fake/u2f-world.h"

static bool fails(const struct u2f_world *w, const char *operation) {
        return w->fails && strcmp(w->fails, operation) == 0;
}

/* ---- keys ---- */

static struct u2f_world *of_keys(struct ctap_keys *k) {
        return container_of(k, struct u2f_world, keys);
}

static unsigned keys_offered(_unused_ struct ctap_keys *k) {
        return 1u << CTAP_KEY_P256;
}

static int keys_create(struct ctap_keys *k, enum ctap_key_type type, enum ctap_key_class class,
                       struct ctap_key_blob *ret_blob, struct ctap_public_key *ret_public) {
        struct u2f_world *w = of_keys(k);
        uint8_t point[65];
        EVP_PKEY *key;
        size_t n;

        if (fails(w, "create") || w->n_keys == U2F_WORLD_KEYS)
                return -EIO;
        if (type != CTAP_KEY_P256 || class != CTAP_CLASS_A)
                return -EINVAL;
        key = EVP_EC_gen("P-256");
        if (!key || EVP_PKEY_get_octet_string_param(key, OSSL_PKEY_PARAM_ENCODED_PUBLIC_KEY, point,
                                                    sizeof(point), &n) != 1)
                abort();

        *ret_public = (struct ctap_public_key){ .type = type };
        memcpy(ret_public->x, point + 1, 32);
        memcpy(ret_public->y, point + 33, 32);
        ret_blob->len = 1;
        ret_blob->data[0] = (uint8_t)w->n_keys;
        w->key[w->n_keys++] = key;
        return 0;
}

static int keys_load(struct ctap_keys *k, struct bytes blob, struct ctap_loaded_key **ret) {
        struct u2f_world *w = of_keys(k);

        if (fails(w, "load"))
                return -EIO;
        if (blob.len != 1 || blob.data[0] >= w->n_keys)
                return -EKEYREJECTED;
        w->n_loaded++;
        *ret = (struct ctap_loaded_key *)(void *)w->key[blob.data[0]];
        return 0;
}

static int keys_sign(struct ctap_keys *k, struct ctap_loaded_key *key, struct bytes digest,
                     struct ctap_signature *ret) {
        struct u2f_world *w = of_keys(k);
        EVP_PKEY_CTX *c;
        size_t n = sizeof(ret->data);

        if (fails(w, "sign"))
                return -EIO;
        c = EVP_PKEY_CTX_new((EVP_PKEY *)(void *)key, NULL);
        if (!c || EVP_PKEY_sign_init(c) != 1 ||
            EVP_PKEY_sign(c, ret->data, &n, digest.data, digest.len) != 1)
                abort();
        EVP_PKEY_CTX_free(c);
        ret->len = (uint8_t)n;
        w->n_signed++;
        return 0;
}

static void keys_unload(struct ctap_keys *k, struct ctap_loaded_key *key) {
        if (key)
                of_keys(k)->n_loaded--;
}

static const struct ctap_keys_ops keys_ops = {
        .offered = keys_offered,
        .create = keys_create,
        .load = keys_load,
        .sign = keys_sign,
        .unload = keys_unload,
};

/* ---- store ---- */

static struct u2f_world *of_store(struct ctap_store *s) {
        return container_of(s, struct u2f_world, store);
}

static int store_insert(struct ctap_store *s, const struct ctap_row *row) {
        struct u2f_world *w = of_store(s);

        if (fails(w, "insert"))
                return -ENOSPC;
        w->row[w->n_rows++] = *row;
        return 0;
}

static struct ctap_row *find_row(struct u2f_world *w, const struct ctap_credential_id *id) {
        for (unsigned i = 0; i < w->n_rows; i++)
                if (memcmp(&w->row[i].id, id, sizeof(*id)) == 0)
                        return &w->row[i];
        return NULL;
}

static int store_find(struct ctap_store *s, const struct ctap_credential_id *id,
                      struct ctap_row *ret) {
        struct u2f_world *w = of_store(s);
        const struct ctap_row *row = find_row(w, id);

        w->n_finds++;
        if (fails(w, "find"))
                return -EIO;
        if (!row)
                return -ENOENT;
        *ret = *row;
        return 0;
}

static int store_prepare_use(struct ctap_store *s) {
        return fails(of_store(s), "prepare_use") ? -EIO : 0;
}

static int store_use(struct ctap_store *s, const struct ctap_credential_id *id,
                     uint32_t *ret_count) {
        struct u2f_world *w = of_store(s);
        struct ctap_row *row = find_row(w, id);

        if (fails(w, "use"))
                return -EIO;
        if (!row)
                return -ENOENT;
        *ret_count = ++row->count;
        return 0;
}

static const struct ctap_store_ops store_ops = {
        .insert = store_insert,
        .find = store_find,
        .prepare_use = store_prepare_use,
        .use = store_use,
};

/* ---- presence ---- */

static struct u2f_world *of_presence(struct ctap_presence *p) {
        return container_of(p, struct u2f_world, presence);
}

static void copy_text(char *to, size_t size, struct bytes text) {
        if (text.len >= size)
                abort();
        if (text.len > 0)
                memcpy(to, text.data, text.len);
        to[text.len] = 0;
}

static int presence_begin(struct ctap_presence *p, const struct ctap_prompt *prompt) {
        struct u2f_world *w = of_presence(p);

        if (fails(w, "begin"))
                return -EIO;
        if (w->shown)
                abort();
        w->shown = true;
        w->n_shown++;
        w->prompt = *prompt;
        copy_text(w->rp_id, sizeof(w->rp_id), prompt->rp_id);
        copy_text(w->account, sizeof(w->account), prompt->account);
        return 0;
}

/* U2F never blocks. */
static int presence_wait(_unused_ struct ctap_presence *p, _unused_ enum ctap_answer *ret) {
        abort();
}

static int presence_poll(struct ctap_presence *p, enum ctap_answer *ret) {
        struct u2f_world *w = of_presence(p);

        if (fails(w, "poll"))
                return -EIO;
        if (!w->shown)
                abort();
        *ret = w->answer;
        return 0;
}

static void presence_end(struct ctap_presence *p) {
        of_presence(p)->shown = false;
}

static const struct ctap_presence_ops presence_ops = {
        .begin = presence_begin,
        .wait = presence_wait,
        .poll = presence_poll,
        .end = presence_end,
};

/* ---- clock and rng ---- */

static uint64_t clock_now(struct ctap_clock *c) {
        return container_of(c, struct u2f_world, clock)->now_ms;
}

static const struct ctap_clock_ops clock_ops = { .now_ms = clock_now };

static int rng_fill(struct ctap_rng *r, uint8_t *to, size_t n) {
        struct u2f_world *w = container_of(r, struct u2f_world, rng);

        if (fails(w, "fill"))
                return -EIO;
        for (size_t i = 0; i < n; i++)
                to[i] = w->next_random++;
        return 0;
}

static const struct ctap_rng_ops rng_ops = { .fill = rng_fill };

/* ---- the world ---- */

void u2f_world_init(struct u2f_world *w) {
        *w = (struct u2f_world){
                .keys = { &keys_ops },
                .store = { &store_ops },
                .store_key = { "a store key" },
                .presence = { &presence_ops },
                .answer = CTAP_ANSWER_PENDING,
                .clock = { &clock_ops },
                .now_ms = 1000,
                .rng = { &rng_ops },
        };
        w->env = (struct ctap_env){ &w->keys, &w->store, &w->presence, &w->clock, &w->rng };
}

void u2f_world_done(struct u2f_world *w) {
        for (unsigned i = 0; i < w->n_keys; i++)
                EVP_PKEY_free(w->key[i]);
        w->n_keys = 0;
}

bool u2f_world_verify(struct bytes point, struct bytes message, struct bytes signature) {
        OSSL_PARAM params[] = {
                OSSL_PARAM_construct_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME,
                                                 (char *)(uintptr_t) "P-256", 0),
                OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PUB_KEY,
                                                  (void *)(uintptr_t)point.data, point.len),
                OSSL_PARAM_construct_end(),
        };
        EVP_PKEY_CTX *from = EVP_PKEY_CTX_new_from_name(NULL, "EC", NULL);
        EVP_MD_CTX *md = EVP_MD_CTX_new();
        EVP_PKEY *key = NULL;
        bool good;

        good = from && md && EVP_PKEY_fromdata_init(from) == 1 &&
               EVP_PKEY_fromdata(from, &key, EVP_PKEY_PUBLIC_KEY, params) == 1 &&
               EVP_DigestVerifyInit(md, NULL, EVP_sha256(), NULL, key) == 1 &&
               EVP_DigestVerify(md, signature.data, signature.len, message.data, message.len) == 1;
        EVP_PKEY_free(key);
        EVP_MD_CTX_free(md);
        EVP_PKEY_CTX_free(from);
        return good;
}
