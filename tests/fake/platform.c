/* SPDX-License-Identifier: BSD-2-Clause */

/* The other side of the PIN protocols: see platform.h. OpenSSL and cmocka's assertions, no more. */

#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/kdf.h>
#include <openssl/param_build.h>
#include <openssl/params.h>
#include <openssl/rand.h>
#include <string.h>

#include "ctap/cbor.h"
#include "ctap/macro.h"
#include "tests/fake/platform.h"
#include "tests/unit/test.h"

#define BLOCK 16

/* ---- key agreement ---- */

static void read_point(struct bytes cose_key, uint8_t point[static 65]) {
        struct cbor_value map = cbor_next(&cose_key);
        struct bytes left = map.elements;

        assert_int_equal(map.kind, CBOR_KIND_MAP);
        point[0] = POINT_CONVERSION_UNCOMPRESSED;
        for (uint32_t i = 0; i < map.n; i++) {
                const struct cbor_value key = cbor_next(&left), value = cbor_next(&left);

                if (key.integer != -2 && key.integer != -3)
                        continue;
                assert_int_equal(value.string.len, 32);
                memcpy(point + (key.integer == -2 ? 1 : 33), value.string.data, 32);
        }
}

static EVP_PKEY *public_key(const uint8_t point[static 65]) {
        EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, "EC", NULL);
        OSSL_PARAM_BLD *bld = OSSL_PARAM_BLD_new();
        EVP_PKEY *key = NULL;
        OSSL_PARAM *params;

        assert_int_equal(OSSL_PARAM_BLD_push_utf8_string(bld, OSSL_PKEY_PARAM_GROUP_NAME, "P-256",
                                                         0),
                         1);
        assert_int_equal(OSSL_PARAM_BLD_push_octet_string(bld, OSSL_PKEY_PARAM_PUB_KEY, point, 65),
                         1);
        params = OSSL_PARAM_BLD_to_param(bld);
        assert_int_equal(EVP_PKEY_fromdata_init(ctx), 1);
        assert_int_equal(EVP_PKEY_fromdata(ctx, &key, EVP_PKEY_PUBLIC_KEY, params), 1);
        OSSL_PARAM_free(params);
        OSSL_PARAM_BLD_free(bld);
        EVP_PKEY_CTX_free(ctx);
        return key;
}

static void derive(EVP_PKEY *own, EVP_PKEY *peer, uint8_t z[static 32]) {
        EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(own, NULL);
        size_t n = 32;

        assert_int_equal(EVP_PKEY_derive_init(ctx), 1);
        assert_int_equal(EVP_PKEY_derive_set_peer(ctx, peer), 1);
        assert_int_equal(EVP_PKEY_derive(ctx, z, &n), 1);
        assert_int_equal(n, 32);
        EVP_PKEY_CTX_free(ctx);
}

/* RFC 5869, by hand: one block of output, and a salt of zeros. */
static void hkdf(const uint8_t z[static 32], const char *info, uint8_t to[static 32]) {
        static const uint8_t salt[32] = { 0 };
        uint8_t prk[32], message[64];
        unsigned n = 32;
        size_t len = strlen(info);

        assert_true(len < sizeof(message));
        memcpy(message, info, len);
        message[len] = 1;
        assert_non_null(HMAC(EVP_sha256(), salt, sizeof(salt), z, 32, prk, &n));
        assert_non_null(HMAC(EVP_sha256(), prk, sizeof(prk), message, len + 1, to, &n));
}

void platform_agree(struct platform *p, unsigned protocol, struct bytes cose_key) {
        uint8_t theirs[65], ours[65], z[32];
        EVP_PKEY *own = EVP_EC_gen("P-256"), *peer;
        size_t n;

        assert_in_range(protocol, 1, 2);
        read_point(cose_key, theirs);
        peer = public_key(theirs);
        derive(own, peer, z);
        assert_int_equal(EVP_PKEY_get_octet_string_param(own, OSSL_PKEY_PARAM_ENCODED_PUBLIC_KEY,
                                                         ours, sizeof(ours), &n),
                         1);
        EVP_PKEY_free(own);
        EVP_PKEY_free(peer);

        p->protocol = protocol;
        memcpy(p->x, ours + 1, 32);
        memcpy(p->y, ours + 33, 32);
        if (protocol == 1) {
                assert_int_equal(EVP_Digest(z, sizeof(z), p->mac_key, NULL, EVP_sha256(), NULL), 1);
                memcpy(p->aes_key, p->mac_key, 32);
        } else {
                hkdf(z, "CTAP2 HMAC key", p->mac_key);
                hkdf(z, "CTAP2 AES key", p->aes_key);
        }
}

void platform_put_key(const struct platform *p, struct buf *out) {
        struct cbor_writer w = { out };

        cbor_put_map(&w, 5);
        cbor_put_int(&w, 1);
        cbor_put_int(&w, 2);
        cbor_put_int(&w, 3);
        cbor_put_int(&w, -25);
        cbor_put_int(&w, -1);
        cbor_put_int(&w, 1);
        cbor_put_int(&w, -2);
        cbor_put_bytes(&w, BYTES_OF(p->x));
        cbor_put_int(&w, -3);
        cbor_put_bytes(&w, BYTES_OF(p->y));
}

/* ---- cipher and MAC ---- */

static void aes(const struct platform *p, const uint8_t *iv, struct bytes in, int encrypt,
                struct buf *out) {
        EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
        uint8_t storage[1024];
        int n;

        assert_true(in.len % BLOCK == 0 && in.len < sizeof(storage) - BLOCK);
        assert_int_equal(EVP_CipherInit_ex(ctx, EVP_aes_256_cbc(), NULL, p->aes_key, iv, encrypt),
                         1);
        assert_int_equal(EVP_CIPHER_CTX_set_padding(ctx, 0), 1);
        assert_int_equal(EVP_CipherUpdate(ctx, storage, &n, in.data, (int)in.len), 1);
        assert_int_equal(n, in.len);
        buf_put(out, BYTES(storage, in.len));
        EVP_CIPHER_CTX_free(ctx);
}

void platform_encrypt(const struct platform *p, struct bytes plain, struct buf *out) {
        uint8_t iv[BLOCK] = { 0 };

        if (p->protocol == 2) {
                assert_int_equal(RAND_bytes(iv, sizeof(iv)), 1);
                buf_put(out, BYTES_OF(iv));
        }
        aes(p, iv, plain, 1, out);
}

void platform_decrypt(const struct platform *p, struct bytes cipher, struct buf *out) {
        static const uint8_t zeros[BLOCK] = { 0 };

        if (p->protocol == 1) {
                aes(p, zeros, cipher, 0, out);
                return;
        }
        assert_true(cipher.len >= BLOCK);
        aes(p, cipher.data, BYTES(cipher.data + BLOCK, cipher.len - BLOCK), 0, out);
}

static void put_mac(const struct platform *p, const uint8_t key[static 32], struct bytes message,
                    struct buf *out) {
        uint8_t mac[32];
        unsigned n = sizeof(mac);

        assert_non_null(HMAC(EVP_sha256(), key, 32, message.data, message.len, mac, &n));
        buf_put(out, BYTES(mac, p->protocol == 1 ? 16 : 32));
}

void platform_authenticate(const struct platform *p, struct bytes message, struct buf *out) {
        put_mac(p, p->mac_key, message, out);
}

void platform_token_param(const struct platform *p, struct bytes message, struct buf *out) {
        put_mac(p, p->token, message, out);
}

/* ---- PINs ---- */

void platform_put_pin_hash(const char *pin, struct buf *out) {
        uint8_t hash[32];

        assert_int_equal(EVP_Digest(pin, strlen(pin), hash, NULL, EVP_sha256(), NULL), 1);
        buf_put(out, BYTES(hash, 16));
}

void platform_put_padded_pin(const char *pin, struct buf *out) {
        size_t len = strlen(pin);

        assert_true(len <= 64);
        buf_put(out, BYTES_TEXT(pin));
        for (; len < 64; len++)
                buf_put_u8(out, 0);
}
