/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * PIN/UV auth protocols one and two: see pin-protocol.h. What differs between them is a row of a
 * table: how the keys follow from the point that was agreed on, and the sizes of IV and MAC.
 *
 * The pairs are OpenSSL's own, and so is its random source for them: a pair lives until the next
 * wrong PIN or power-up and is never written down.
 */

#include <errno.h>
#include <limits.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/params.h>

#include "ctap/command.h"
#include "ctap/cose.h"
#include "ctap/crypto.h"
#include "ctap/pin-protocol.h"

#define BLOCK_SIZE 16

enum {
        KEY_TYPE_EC2 = 2,
        CURVE_P256 = 1,
        ALG_ECDH_ES_HKDF_256 = -25, /* what the specification writes; the KDF is not COSE's */
        ALG_ES256 = -7,             /* what some clients write instead */
};

/* An uncompressed point (SEC 1 §2.3.3). */
struct point {
        uint8_t form; /* 04 */
        uint8_t x[32];
        uint8_t y[32];
};

static void pkey_free(EVP_PKEY **k) {
        EVP_PKEY_free(*k);
}

static void pkey_ctx_free(EVP_PKEY_CTX **c) {
        EVP_PKEY_CTX_free(*c);
}

static void cipher_ctx_free(EVP_CIPHER_CTX **c) {
        EVP_CIPHER_CTX_free(*c);
}

static int refused(void) {
        ERR_clear_error();
        return -EIO;
}

/* ---- the table ---- */

static int keys_of_one(const struct secret32 *z, struct ctap_shared_secret *ret) {
        const struct bytes part = BYTES_OF(*z);
        struct sha256 hash;
        int r;

        r = ctap_sha256(&part, 1, &hash);
        if (r < 0)
                return r;
        cursor_copy(&(struct cursor){ BYTES_OF(hash), false }, ret->mac.b, sizeof(ret->mac.b));
        ret->aes = ret->mac;
        OPENSSL_cleanse(&hash, sizeof(hash));
        return 0;
}

/* No salt is the salt of 32 zeros that §6.5.7 asks for (RFC 5869 §2.2). */
static int keys_of_two(const struct secret32 *z, struct ctap_shared_secret *ret) {
        int r;

        r = ctap_hkdf_sha256(z, "CTAP2 HMAC key", &ret->mac);
        if (r < 0)
                return r;
        return ctap_hkdf_sha256(z, "CTAP2 AES key", &ret->aes);
}

static const struct protocol {
        int (*keys_of)(const struct secret32 *z, struct ctap_shared_secret *ret);
        size_t iv_size; /* in front of a ciphertext; 0: the IV is zero */
        size_t mac_size;
} protocols[CTAP_PIN_PROTOCOLS] = {
        { keys_of_one, 0, 16 },
        { keys_of_two, BLOCK_SIZE, 32 },
};

static const struct protocol *row(unsigned protocol) {
        return &protocols[protocol - 1];
}

bool ctap_pin_protocol_exists(int64_t protocol) {
        return protocol >= 1 && protocol <= CTAP_PIN_PROTOCOLS;
}

/* ---- key agreement ---- */

void ctap_key_agreement_renew(struct ctap_key_agreement *a, unsigned protocol) {
        EVP_PKEY_free(a->pairs[protocol - 1]);
        a->pairs[protocol - 1] = NULL;
}

void ctap_key_agreement_wipe(struct ctap_key_agreement *a) {
        for (unsigned p = 1; p <= CTAP_PIN_PROTOCOLS; p++)
                ctap_key_agreement_renew(a, p);
}

static int need_pair(struct ctap_key_agreement *a, unsigned protocol, EVP_PKEY **ret) {
        EVP_PKEY **pair = &a->pairs[protocol - 1];

        if (!*pair)
                *pair = EVP_EC_gen("P-256");
        if (!*pair)
                return refused();
        *ret = *pair;
        return 0;
}

int ctap_key_agreement_put(struct ctap_key_agreement *a, unsigned protocol,
                           struct cbor_writer *out) {
        static const struct ctap_cose ecdh = { .id = ALG_ECDH_ES_HKDF_256,
                                               .type = CTAP_KEY_P256,
                                               .curve = CURVE_P256,
                                               .field_size = 32 };
        struct ctap_public_key public = { .type = CTAP_KEY_P256 };
        uint8_t point[sizeof(struct point)];
        struct cursor c = { BYTES_OF(point), false };
        EVP_PKEY *pair;
        size_t len;
        int r;

        r = need_pair(a, protocol, &pair);
        if (r < 0)
                return r;
        if (EVP_PKEY_get_octet_string_param(pair, OSSL_PKEY_PARAM_ENCODED_PUBLIC_KEY, point,
                                            sizeof(point), &len) != 1 ||
            len != sizeof(point))
                return refused();

        (void)cursor_u8(&c);
        cursor_copy(&c, public.x, ecdh.field_size);
        cursor_copy(&c, public.y, ecdh.field_size);
        ctap_cose_put_key(out, &ecdh, &public);
        return 0;
}

void ctap_shared_secret_wipe(struct ctap_shared_secret *s) {
        OPENSSL_cleanse(s, sizeof(*s));
}

struct peer_key {
        struct cbor_value kty, alg, crv, x, y;
};

static const struct cbor_field peer_key_fields[] = {
        { NULL, 1, CBOR_KIND_INT, true, offsetof(struct peer_key, kty) },
        { NULL, 3, CBOR_KIND_INT, false, offsetof(struct peer_key, alg) },
        { NULL, -1, CBOR_KIND_INT, true, offsetof(struct peer_key, crv) },
        { NULL, -2, CBOR_KIND_BYTES, true, offsetof(struct peer_key, x) },
        { NULL, -3, CBOR_KIND_BYTES, true, offsetof(struct peer_key, y) },
};

/* Sizes and names only; the point itself is OpenSSL's to judge. */
static enum ctap_status read_peer_key(const struct cbor_value *cose_key, struct point *ret) {
        struct peer_key key;
        enum ctap_status s;

        s = cbor_read_map(cose_key, peer_key_fields, ELEMENTSOF(peer_key_fields), &key);
        if (s != CTAP_OK)
                return s;

        if (key.kty.integer != KEY_TYPE_EC2 || key.crv.integer != CURVE_P256 ||
            key.x.string.len != sizeof(ret->x) || key.y.string.len != sizeof(ret->y))
                return CTAP1_ERR_INVALID_PARAMETER;
        if (key.alg.kind != CBOR_KIND_ABSENT && key.alg.integer != ALG_ECDH_ES_HKDF_256 &&
            key.alg.integer != ALG_ES256)
                return CTAP1_ERR_INVALID_PARAMETER;

        ret->form = 0x04;
        cursor_copy(&(struct cursor){ key.x.string, false }, ret->x, sizeof(ret->x));
        cursor_copy(&(struct cursor){ key.y.string, false }, ret->y, sizeof(ret->y));
        return CTAP_OK;
}

/* -EINVAL: it is not on the curve. The point of infinity has no form that comes here. */
static int import_peer(const struct point *point, EVP_PKEY **ret) {
        _cleanup_(pkey_ctx_free) EVP_PKEY_CTX *c = EVP_PKEY_CTX_new_from_name(NULL, "EC", NULL);
        /* OSSL_PARAM has no const form; these are only read. */
        OSSL_PARAM params[] = {
                OSSL_PARAM_construct_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME,
                                                 (char *)(uintptr_t) "P-256", 0),
                OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PUB_KEY, (void *)(uintptr_t)point,
                                                  sizeof(*point)),
                OSSL_PARAM_construct_end(),
        };
        EVP_PKEY *peer = NULL;

        if (!c || EVP_PKEY_fromdata_init(c) != 1)
                return refused();
        if (EVP_PKEY_fromdata(c, &peer, EVP_PKEY_PUBLIC_KEY, params) != 1) {
                ERR_clear_error();
                return -EINVAL;
        }
        *ret = peer;
        return 0;
}

static int agree(EVP_PKEY *pair, const struct point *point, struct secret32 *ret_z) {
        _cleanup_(pkey_free) EVP_PKEY *peer = NULL;
        _cleanup_(pkey_ctx_free) EVP_PKEY_CTX *c = NULL;
        size_t len = sizeof(ret_z->b);
        int r;

        r = import_peer(point, &peer);
        if (r < 0)
                return r;
        c = EVP_PKEY_CTX_new_from_pkey(NULL, pair, NULL);
        if (!c || EVP_PKEY_derive_init(c) != 1)
                return refused();
        if (EVP_PKEY_derive_set_peer_ex(c, peer, 1) != 1) {
                ERR_clear_error();
                return -EINVAL;
        }
        if (EVP_PKEY_derive(c, ret_z->b, &len) != 1 || len != sizeof(ret_z->b))
                return refused();
        return 0;
}

static int agree_on_keys(struct ctap_key_agreement *a, unsigned protocol, const struct point *point,
                         struct ctap_shared_secret *ret) {
        _cleanup_(ctap_shared_secret_wipe) struct ctap_shared_secret made = {
                .protocol = protocol,
        };
        _cleanup_(secret32_wipe) struct secret32 z = { { 0 } };
        EVP_PKEY *pair;
        int r;

        r = need_pair(a, protocol, &pair);
        if (r < 0)
                return r;
        r = agree(pair, point, &z);
        if (r < 0)
                return r;
        r = row(protocol)->keys_of(&z, &made);
        if (r < 0)
                return r;

        *ret = made;
        return 0;
}

enum ctap_status ctap_decapsulate(struct ctap_key_agreement *a, unsigned protocol,
                                  const struct cbor_value *cose_key,
                                  struct ctap_shared_secret *ret) {
        struct point point;
        enum ctap_status s;
        int r;

        s = read_peer_key(cose_key, &point);
        if (s != CTAP_OK)
                return s;

        r = agree_on_keys(a, protocol, &point, ret);
        if (r == -EINVAL)
                return CTAP1_ERR_INVALID_PARAMETER; /* CP13 */
        return ctap_status_from_errno(r);
}

/* ---- cipher ---- */

/* Whole blocks in, as many out, at the end of `out`, which has the room. */
static int crypt_blocks(const struct secret32 *key, const uint8_t *iv, bool encrypt,
                        struct bytes in, struct buf *out) {
        _cleanup_(cipher_ctx_free) EVP_CIPHER_CTX *c = EVP_CIPHER_CTX_new();
        uint8_t *to = out->data + out->len;
        int n, rest;

        if (!c)
                return -ENOMEM;
        if (EVP_CipherInit_ex(c, EVP_aes_256_cbc(), NULL, key->b, iv, encrypt) != 1 ||
            EVP_CIPHER_CTX_set_padding(c, 0) != 1 ||
            EVP_CipherUpdate(c, to, &n, in.data, (int)in.len) != 1 ||
            EVP_CipherFinal_ex(c, to + n, &rest) != 1)
                return refused();

        out->len += in.len;
        return 0;
}

static bool has_room(const struct buf *b, size_t n) {
        return !b->failed && n <= INT_MAX && n <= b->cap - b->len;
}

int ctap_secret_encrypt(const struct ctap_shared_secret *s, struct ctap_rng *rng,
                        struct bytes plain, struct buf *out) {
        const size_t iv_size = row(s->protocol)->iv_size, before = out->len;
        uint8_t iv[BLOCK_SIZE] = { 0 };
        int r;

        if (plain.len % BLOCK_SIZE != 0)
                return -EINVAL;
        if (!has_room(out, plain.len) || !has_room(out, plain.len + iv_size))
                return -EMSGSIZE;

        if (iv_size > 0) {
                r = rng->ops->fill(rng, iv, iv_size);
                if (r < 0)
                        return r;
        }
        buf_put(out, BYTES(iv, iv_size));
        r = crypt_blocks(&s->aes, iv, true, plain, out);
        if (r < 0)
                out->len = before;
        return r;
}

int ctap_secret_decrypt(const struct ctap_shared_secret *s, struct bytes cipher, struct buf *out) {
        const size_t iv_size = row(s->protocol)->iv_size;
        struct cursor c = { cipher, false };
        uint8_t iv[BLOCK_SIZE] = { 0 };

        cursor_copy(&c, iv, iv_size);
        if (c.failed || c.left.len == 0 || c.left.len % BLOCK_SIZE != 0)
                return -EBADMSG;
        if (!has_room(out, c.left.len))
                return -EMSGSIZE;
        return crypt_blocks(&s->aes, iv, false, c.left, out);
}

/* ---- MAC ---- */

static bool mac_verify(unsigned protocol, const struct secret32 *key, struct bytes message,
                       struct bytes param) {
        struct sha256 mac;
        bool right;

        if (ctap_hmac_sha256(key, message, &mac) < 0)
                return false;
        right = bytes_equal_secret(BYTES(mac.b, row(protocol)->mac_size), param);
        OPENSSL_cleanse(&mac, sizeof(mac));
        return right;
}

bool ctap_secret_verify(const struct ctap_shared_secret *s, struct bytes message,
                        struct bytes param) {
        return mac_verify(s->protocol, &s->mac, message, param);
}

bool ctap_token_mac_verify(unsigned protocol, const struct secret32 *token, struct bytes message,
                           struct bytes param) {
        return mac_verify(protocol, token, message, param);
}
