/* SPDX-License-Identifier: BSD-2-Clause */

/* See stack.h: a client's requests written and its checks done by hand, with OpenSSL verifying. */

#include <errno.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <openssl/rand.h>
#include <openssl/sha.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "ctap/cbor.h"
#include "tests/system/stack.h"

#define FLAW 0xff

/* ---- ports ---- */

static int say_nothing(struct ctap_presence *p, const struct ctap_prompt *prompt) {
        (void)p;
        (void)prompt;
        return 0;
}

static int say_yes(struct ctap_presence *p, enum ctap_answer *ret) {
        struct stack *s = container_of(p, struct stack, presence);

        if (s->asked)
                s->asked(s->userdata);
        *ret = CTAP_ANSWER_YES;
        return 0;
}

static int type_pin(struct ctap_presence *p, enum ctap_answer *ret,
                    struct ctap_typed_pin *ret_pin) {
        const char *typed = container_of(p, struct stack, presence)->typed;

        ret_pin->len = (uint8_t)strlen(typed);
        memcpy(ret_pin->data, typed, ret_pin->len);
        return say_yes(p, ret);
}

static void end_nothing(struct ctap_presence *p) {
        (void)p;
}

static unsigned abilities(struct ctap_presence *p) {
        return CTAP_PRESENCE_DISPLAY |
               (container_of(p, struct stack, presence)->typed ? CTAP_PRESENCE_VERIFY : 0);
}

static const struct ctap_presence_ops presence_ops = {
        .begin = say_nothing,
        .wait = say_yes,
        .wait_verified = type_pin,
        .poll = say_yes,
        .end = end_nothing,
        .abilities = abilities,
};

static uint64_t boottime(struct ctap_clock *c) {
        struct timespec ts;

        (void)c;
        clock_gettime(CLOCK_BOOTTIME, &ts);
        return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

static const struct ctap_clock_ops clock_ops = { boottime };

static int fill(struct ctap_rng *r, uint8_t *to, size_t n) {
        (void)r;
        return RAND_bytes(to, (int)n) == 1 ? 0 : -EIO;
}

static const struct ctap_rng_ops rng_ops = { fill };

static void to_stderr(void *userdata, int priority, const char *message) {
        (void)userdata;
        if (priority <= 6)
                fprintf(stderr, "# %s\n", message);
}

/* ---- life ---- */

static int open_parts(struct stack *s, const char *tcti, uint32_t max_credentials) {
        struct tpm_options tpm = TPM_OPTIONS_DEFAULT;
        struct ctap_options options = { .aaguid = { 0x5a, 1 },
                                        .firmware_version = 1,
                                        .max_message = CTAP_REPLY_MAX };
        struct store_options store = { .path = s->path,
                                       .max_credentials = max_credentials,
                                       .log = to_stderr };
        int r;

        tpm.tcti = tcti;
        tpm.persist_srk = true;
        tpm.log = to_stderr;
        r = store_open(&store, &s->store);
        if (r == 0)
                r = tpm_new(&tpm, &s->tpm);
        if (r == 0)
                r = vault_open(s->store, s->tpm, BYTES_NULL, &s->vault);
        if (r < 0)
                return r;

        s->presence.ops = &presence_ops;
        s->clock.ops = &clock_ops;
        s->rng.ops = &rng_ops;
        s->env = (struct ctap_env){ .keys = vault_keys(s->vault),
                                    .store = vault_store(s->vault),
                                    .presence = &s->presence,
                                    .clock = &s->clock,
                                    .rng = &s->rng };
        return ctap_new(&s->env, &options, &s->ctap);
}

int stack_open(struct stack *s, const char *folder, const char *tcti) {
        return stack_open_for(s, folder, tcti, 200000);
}

int stack_open_for(struct stack *s, const char *folder, const char *tcti,
                   uint32_t max_credentials) {
        int r;

        *s = (struct stack){ 0 };
        snprintf(s->path, sizeof(s->path), "%s/store.db", folder);
        r = open_parts(s, tcti, max_credentials);
        if (r < 0)
                stack_close(s, false);
        return r;
}

void stack_close(struct stack *s, bool clean) {
        s->ctap = ctap_free(s->ctap);
        if (clean)
                s->vault = vault_close(s->vault);
        /* A crash tells neither the TPM nor the store; what is left of it is memory. */
        free(s->vault);
        s->vault = NULL;
        s->tpm = tpm_free(s->tpm);
        s->store = store_close(s->store);
}

/* ---- a client ---- */

static void put_descriptor(struct cbor_writer *w, const uint8_t id[48]) {
        cbor_put_map(w, 2);
        cbor_put_string(w, "id");
        cbor_put_bytes(w, BYTES(id, 48));
        cbor_put_string(w, "type");
        cbor_put_string(w, "public-key");
}

static void put_rp(struct cbor_writer *w, const char *rp_id) {
        cbor_put_map(w, 1);
        cbor_put_string(w, "id");
        cbor_put_string(w, rp_id);
}

static void put_user(struct cbor_writer *w, uint8_t user) {
        cbor_put_map(w, 2);
        cbor_put_string(w, "id");
        cbor_put_bytes(w, BYTES(&user, 1));
        cbor_put_string(w, "name");
        cbor_put_string(w, "alice");
}

static void put_algorithms(struct cbor_writer *w, int32_t alg) {
        cbor_put_array(w, 1);
        cbor_put_map(w, 2);
        cbor_put_string(w, "alg");
        cbor_put_int(w, alg);
        cbor_put_string(w, "type");
        cbor_put_string(w, "public-key");
}

static void put_option(struct cbor_writer *w, const char *name, bool value) {
        cbor_put_map(w, 1);
        cbor_put_string(w, name);
        cbor_put_bool(w, value);
}

static const uint8_t client_data_hash[32] = { 0xcd, 0x11 };

static double now(void) {
        struct timespec ts;

        clock_gettime(CLOCK_MONOTONIC, &ts);
        return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static uint8_t transact(struct stack *s, const struct buf *request, uint8_t *storage, size_t cap,
                        struct cbor_value *ret) {
        struct buf reply = { storage, 0, cap, false };
        struct bytes left;

        s->seconds = now();
        ctap_request(s->ctap, 1, buf_bytes(request), &reply);
        vault_settle(s->vault);
        s->seconds = now() - s->seconds;
        if (buf_error(&reply) < 0 || reply.len == 0)
                return FLAW;
        if (storage[0] == 0 && ret) {
                left = BYTES(storage + 1, reply.len - 1);
                if (cbor_check(left) != CTAP_OK)
                        return FLAW;
                *ret = cbor_next(&left);
        }
        return storage[0];
}

struct mc_reply {
        struct cbor_value fmt, auth_data, statement;
};

static const struct cbor_field mc_reply_fields[] = {
        { NULL, 1, CBOR_KIND_TEXT, true, offsetof(struct mc_reply, fmt) },
        { NULL, 2, CBOR_KIND_BYTES, true, offsetof(struct mc_reply, auth_data) },
        { NULL, 3, CBOR_KIND_MAP, true, offsetof(struct mc_reply, statement) },
};

/* A COSE_Key with 32-byte coordinates, or with a modulus of 256 bytes. */
static bool take_key(struct bytes key, struct ctap_public_key *ret) {
        if (key.len == 77) {
                ret->type = CTAP_KEY_P256;
                memcpy(ret->x, key.data + 10, 32);
                memcpy(ret->y, key.data + 45, 32);
                return true;
        }
        if (key.len == 272) {
                ret->type = CTAP_KEY_RSA2048;
                memcpy(ret->modulus, key.data + 11, 256);
                return true;
        }
        return false;
}

/* rpIdHash | flags | count | AAGUID | 48 as a length | id | COSE_Key */
static uint8_t take_attested(struct bytes auth_data, struct stack_credential *ret) {
        struct cursor c = { auth_data, false };
        struct stack_credential made = { 0 };

        (void)cursor_take(&c, 32);
        if (cursor_u8(&c) != 0x41)
                return FLAW;
        made.count = cursor_u32(&c);
        (void)cursor_take(&c, 16);
        if (cursor_u16(&c) != sizeof(made.id))
                return FLAW;
        cursor_copy(&c, made.id, sizeof(made.id));
        if (c.failed || !take_key(c.left, &made.key))
                return FLAW;
        *ret = made;
        return CTAP_OK;
}

static EVP_PKEY *rsa_key(const struct ctap_public_key *key) {
        OSSL_PARAM_BLD *bld = OSSL_PARAM_BLD_new();
        EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, "RSA", NULL);
        BIGNUM *n = BN_bin2bn(key->modulus, sizeof(key->modulus), NULL);
        OSSL_PARAM *params = NULL;
        EVP_PKEY *pkey = NULL;

        if (OSSL_PARAM_BLD_push_BN(bld, OSSL_PKEY_PARAM_RSA_N, n) == 1 &&
            OSSL_PARAM_BLD_push_uint(bld, OSSL_PKEY_PARAM_RSA_E, 65537) == 1)
                params = OSSL_PARAM_BLD_to_param(bld);
        if (!params || EVP_PKEY_fromdata_init(ctx) != 1 ||
            EVP_PKEY_fromdata(ctx, &pkey, EVP_PKEY_PUBLIC_KEY, params) != 1)
                pkey = NULL;
        OSSL_PARAM_free(params);
        OSSL_PARAM_BLD_free(bld);
        EVP_PKEY_CTX_free(ctx);
        BN_free(n);
        return pkey;
}

static EVP_PKEY *ec_key(const struct ctap_public_key *key) {
        uint8_t point[65] = { 4 };
        OSSL_PARAM params[3];
        EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, "EC", NULL);
        EVP_PKEY *pkey = NULL;
        char group[] = "P-256";

        memcpy(point + 1, key->x, 32);
        memcpy(point + 33, key->y, 32);
        params[0] = OSSL_PARAM_construct_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, group, 0);
        params[1] =
                OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PUB_KEY, point, sizeof(point));
        params[2] = OSSL_PARAM_construct_end();
        if (EVP_PKEY_fromdata_init(ctx) != 1 ||
            EVP_PKEY_fromdata(ctx, &pkey, EVP_PKEY_PUBLIC_KEY, params) != 1)
                pkey = NULL;
        EVP_PKEY_CTX_free(ctx);
        return pkey;
}

static bool verify(const struct ctap_public_key *key, struct bytes auth_data, struct bytes sig) {
        EVP_PKEY *pkey = key->type == CTAP_KEY_RSA2048 ? rsa_key(key) : ec_key(key);
        EVP_MD_CTX *md = EVP_MD_CTX_new();
        bool good = pkey && EVP_DigestVerifyInit(md, NULL, EVP_sha256(), NULL, pkey) == 1 &&
                    EVP_DigestVerifyUpdate(md, auth_data.data, auth_data.len) == 1 &&
                    EVP_DigestVerifyUpdate(md, client_data_hash, sizeof(client_data_hash)) == 1 &&
                    EVP_DigestVerifyFinal(md, sig.data, sig.len) == 1;

        EVP_MD_CTX_free(md);
        EVP_PKEY_free(pkey);
        return good;
}

uint8_t stack_register(struct stack *s, const char *rp_id, uint8_t user, bool discoverable,
                       bool attestation_none, struct stack_credential *ret) {
        uint8_t request[1536], storage[CTAP_REPLY_MAX];
        struct buf b = BUF_ON(request);
        struct cbor_writer w = { &b };
        struct stack_credential made;
        struct cbor_value reply = { 0 };
        struct mc_reply mc;
        uint8_t status;

        buf_put_u8(&b, 0x01);
        cbor_put_map(&w, 5u + attestation_none);
        cbor_put_int(&w, 1);
        cbor_put_bytes(&w, BYTES_OF(client_data_hash));
        cbor_put_int(&w, 2);
        put_rp(&w, rp_id);
        cbor_put_int(&w, 3);
        put_user(&w, user);
        cbor_put_int(&w, 4);
        put_algorithms(&w, s->alg != 0 ? s->alg : -7);
        cbor_put_int(&w, 7);
        put_option(&w, "rk", discoverable);
        if (attestation_none) {
                cbor_put_int(&w, 0x0b);
                cbor_put_array(&w, 1);
                cbor_put_string(&w, "none");
        }

        status = transact(s, &b, storage, sizeof(storage), &reply);
        if (status != CTAP_OK)
                return status;
        if (cbor_read_map(&reply, mc_reply_fields, ELEMENTSOF(mc_reply_fields), &mc) != CTAP_OK ||
            take_attested(mc.auth_data.string, &made) != CTAP_OK)
                return FLAW;
        if (!attestation_none &&
            !verify(&made.key, mc.auth_data.string, cbor_find_text(&mc.statement, "sig").string))
                return FLAW;
        *ret = made;
        return CTAP_OK;
}

struct ga_reply {
        struct cbor_value auth_data, signature;
};

static const struct cbor_field ga_reply_fields[] = {
        { NULL, 2, CBOR_KIND_BYTES, true, offsetof(struct ga_reply, auth_data) },
        { NULL, 3, CBOR_KIND_BYTES, true, offsetof(struct ga_reply, signature) },
};

uint8_t stack_assert(struct stack *s, const char *rp_id, struct stack_credential *c) {
        uint8_t request[1536], storage[CTAP_REPLY_MAX];
        struct buf b = BUF_ON(request);
        struct cbor_writer w = { &b };
        struct cbor_value reply = { 0 };
        struct ga_reply ga;
        struct cursor data;
        uint8_t status;

        buf_put_u8(&b, 0x02);
        cbor_put_map(&w, 3);
        cbor_put_int(&w, 1);
        cbor_put_string(&w, rp_id);
        cbor_put_int(&w, 2);
        cbor_put_bytes(&w, BYTES_OF(client_data_hash));
        cbor_put_int(&w, 3);
        cbor_put_array(&w, 1);
        put_descriptor(&w, c->id);

        status = transact(s, &b, storage, sizeof(storage), &reply);
        if (status != CTAP_OK)
                return status;
        if (cbor_read_map(&reply, ga_reply_fields, ELEMENTSOF(ga_reply_fields), &ga) != CTAP_OK ||
            ga.auth_data.string.len != 37 ||
            !verify(&c->key, ga.auth_data.string, ga.signature.string))
                return FLAW;
        data = (struct cursor){ ga.auth_data.string, false };
        (void)cursor_take(&data, 33);
        c->count = cursor_u32(&data);
        return CTAP_OK;
}

uint8_t stack_probe_foreign(struct stack *s, const char *rp_id, unsigned n) {
        uint8_t request[8192], storage[CTAP_REPLY_MAX], id[48];
        struct buf b = BUF_ON(request);
        struct cbor_writer w = { &b };

        buf_put_u8(&b, 0x02);
        cbor_put_map(&w, 4);
        cbor_put_int(&w, 1);
        cbor_put_string(&w, rp_id);
        cbor_put_int(&w, 2);
        cbor_put_bytes(&w, BYTES_OF(client_data_hash));
        cbor_put_int(&w, 3);
        cbor_put_array(&w, n);
        for (unsigned i = 0; i < n; i++) {
                if (RAND_bytes(id, sizeof(id)) != 1)
                        return FLAW;
                put_descriptor(&w, id);
        }
        cbor_put_int(&w, 5);
        put_option(&w, "up", false);
        return transact(s, &b, storage, sizeof(storage), NULL);
}

static uint8_t bare(struct stack *s, uint8_t command) {
        uint8_t request[1] = { command }, storage[CTAP_REPLY_MAX];
        struct buf b = { request, 1, 1, false };

        return transact(s, &b, storage, sizeof(storage), NULL);
}

uint8_t stack_get_info(struct stack *s) {
        return bare(s, 0x04);
}

uint8_t stack_reset(struct stack *s) {
        return bare(s, 0x07);
}
