/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * OpenSSL 3 behind plain functions: see crypto.h. HMAC() is taken in its one-shot form: it costs a
 * few microseconds, which is what refusing a foreign credential id may cost (GA17), and there is no
 * fetched algorithm to keep in a global.
 */

#include <errno.h>
#include <limits.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/kdf.h>
#include <openssl/params.h>

#include "ctap/crypto.h"

static void md_ctx_free(EVP_MD_CTX **c) {
        EVP_MD_CTX_free(*c);
}

static void kdf_free(EVP_KDF **k) {
        EVP_KDF_free(*k);
}

static void kdf_ctx_free(EVP_KDF_CTX **c) {
        EVP_KDF_CTX_free(*c);
}

static void cipher_ctx_free(EVP_CIPHER_CTX **c) {
        EVP_CIPHER_CTX_free(*c);
}

static int refused(void) {
        ERR_clear_error();
        return -EIO;
}

static int digest(const EVP_MD *md, const struct bytes *parts, size_t n_parts, uint8_t *to) {
        _cleanup_(md_ctx_free) EVP_MD_CTX *c = EVP_MD_CTX_new();

        if (!c)
                return -ENOMEM;
        if (EVP_DigestInit_ex(c, md, NULL) != 1)
                return refused();
        for (size_t i = 0; i < n_parts; i++)
                if (EVP_DigestUpdate(c, parts[i].data, parts[i].len) != 1)
                        return refused();
        return EVP_DigestFinal_ex(c, to, NULL) == 1 ? 0 : refused();
}

/* A hash can be a secret: of a PIN, or of the point that two sides agreed on. */
static void sha256_wipe(struct sha256 *h) {
        OPENSSL_cleanse(h, sizeof(*h));
}

int ctap_sha256(const struct bytes *parts, size_t n_parts, struct sha256 *ret) {
        _cleanup_(sha256_wipe) struct sha256 made = { { 0 } };
        int r;

        r = digest(EVP_sha256(), parts, n_parts, made.b);
        if (r < 0)
                return r;

        *ret = made;
        return 0;
}

int ctap_sha384(const struct bytes *parts, size_t n_parts, struct sha384 *ret) {
        struct sha384 made;
        int r;

        r = digest(EVP_sha384(), parts, n_parts, made.b);
        if (r < 0)
                return r;

        *ret = made;
        return 0;
}

int ctap_hmac_sha256(const struct secret32 *key, struct bytes message, struct sha256 *ret) {
        _cleanup_(sha256_wipe) struct sha256 made = { { 0 } };

        if (!HMAC(EVP_sha256(), key->b, (int)sizeof(key->b), message.data, message.len, made.b,
                  NULL))
                return refused();

        *ret = made;
        return 0;
}

int ctap_hkdf_sha256(const struct secret32 *key, const char *info, struct secret32 *ret) {
        _cleanup_(secret32_wipe) struct secret32 made = { { 0 } };
        _cleanup_(kdf_free) EVP_KDF *kdf = EVP_KDF_fetch(NULL, "HKDF", NULL);
        _cleanup_(kdf_ctx_free) EVP_KDF_CTX *c = kdf ? EVP_KDF_CTX_new(kdf) : NULL;
        struct bytes text = bytes_text(info);
        /* OSSL_PARAM has no const form; these are only read. */
        OSSL_PARAM params[] = {
                OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST,
                                                 (char *)(uintptr_t) "SHA256", 0),
                OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_KEY, (void *)(uintptr_t)key->b,
                                                  sizeof(key->b)),
                OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_INFO, (void *)(uintptr_t)text.data,
                                                  text.len),
                OSSL_PARAM_construct_end(),
        };

        if (!c || EVP_KDF_derive(c, made.b, sizeof(made.b), params) != 1)
                return refused();

        *ret = made;
        return 0;
}

int ctap_cbc_encrypt_block(const struct secret32 *key, const struct ctap_block *iv,
                           const struct ctap_block *plain, struct ctap_block *ret) {
        _cleanup_(cipher_ctx_free) EVP_CIPHER_CTX *c = EVP_CIPHER_CTX_new();
        struct ctap_block made;
        int n, rest;

        if (!c)
                return -ENOMEM;
        if (EVP_EncryptInit_ex(c, EVP_aes_128_cbc(), NULL, key->b, iv->b) != 1 ||
            EVP_CIPHER_CTX_set_padding(c, 0) != 1 ||
            EVP_EncryptUpdate(c, made.b, &n, plain->b, (int)sizeof(plain->b)) != 1 ||
            EVP_EncryptFinal_ex(c, made.b + n, &rest) != 1 || n + rest != (int)sizeof(made.b))
                return refused();

        *ret = made;
        return 0;
}

int ctap_gcm_seal(const struct secret32 *key, const struct ctap_gcm_nonce *nonce,
                  struct bytes additional, struct bytes plain, struct buf *out) {
        _cleanup_(cipher_ctx_free) EVP_CIPHER_CTX *c = EVP_CIPHER_CTX_new();
        uint8_t tag[CTAP_GCM_TAG_SIZE];
        uint8_t *to;
        int n;

        if (!c)
                return -ENOMEM;
        if (plain.len > INT_MAX || additional.len > INT_MAX || out->failed ||
            plain.len > out->cap - out->len || out->cap - out->len - plain.len < sizeof(tag))
                return -EMSGSIZE;

        to = out->data + out->len;
        if (EVP_EncryptInit_ex(c, EVP_aes_256_gcm(), NULL, key->b, nonce->b) != 1 ||
            EVP_EncryptUpdate(c, NULL, &n, additional.data, (int)additional.len) != 1 ||
            EVP_EncryptUpdate(c, to, &n, plain.data, (int)plain.len) != 1 ||
            EVP_EncryptFinal_ex(c, to + plain.len, &n) != 1 ||
            EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_AEAD_GET_TAG, sizeof(tag), tag) != 1)
                return refused();

        out->len += plain.len;
        buf_put(out, BYTES_OF(tag));
        return 0;
}

int ctap_gcm_open(const struct secret32 *key, const struct ctap_gcm_nonce *nonce,
                  struct bytes additional, struct bytes sealed, struct buf *out) {
        _cleanup_(cipher_ctx_free) EVP_CIPHER_CTX *c = EVP_CIPHER_CTX_new();
        uint8_t tag[CTAP_GCM_TAG_SIZE];
        struct cursor in = { sealed, false };
        struct bytes secret;
        uint8_t *to;
        int n;

        if (!c)
                return -ENOMEM;
        if (sealed.len < sizeof(tag))
                return -EBADMSG;
        secret = cursor_take(&in, sealed.len - sizeof(tag));
        cursor_copy(&in, tag, sizeof(tag));
        if (secret.len > INT_MAX || additional.len > INT_MAX || out->failed ||
            secret.len > out->cap - out->len)
                return -EMSGSIZE;

        to = out->data + out->len;
        if (EVP_DecryptInit_ex(c, EVP_aes_256_gcm(), NULL, key->b, nonce->b) != 1 ||
            EVP_DecryptUpdate(c, NULL, &n, additional.data, (int)additional.len) != 1 ||
            EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_AEAD_SET_TAG, sizeof(tag), tag) != 1)
                return refused();
        if (EVP_DecryptUpdate(c, to, &n, secret.data, (int)secret.len) != 1 ||
            EVP_DecryptFinal_ex(c, to + secret.len, &n) != 1) {
                OPENSSL_cleanse(to, secret.len);
                ERR_clear_error();
                return -EBADMSG;
        }

        out->len += secret.len;
        return 0;
}
