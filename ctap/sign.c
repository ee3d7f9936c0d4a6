/* SPDX-License-Identifier: BSD-2-Clause */

/* Hash here, sign in the key device: see sign.h. */

#include <errno.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/rand.h>

#include "ctap/crypto.h"
#include "ctap/sign.h"

static int digest_of(const struct ctap_cose *alg, struct bytes auth_data,
                     struct bytes client_data_hash, struct ctap_digest *ret) {
        const struct bytes parts[] = { auth_data, client_data_hash };

        return ctap_cose_hash(alg, parts, ELEMENTSOF(parts), ret);
}

int ctap_sign(struct ctap_keys *keys, struct ctap_loaded_key *key, const struct ctap_cose *alg,
              struct bytes auth_data, struct bytes client_data_hash, struct ctap_signature *ret) {
        struct ctap_digest digest;
        int r;

        r = digest_of(alg, auth_data, client_data_hash, &digest);
        if (r < 0)
                return r;
        return keys->ops->sign(keys, key, ctap_digest_bytes(&digest), ret);
}

int ctap_sign_by_attester(struct ctap_attester *attester, struct bytes auth_data,
                          struct bytes client_data_hash, struct ctap_signature *ret) {
        const struct bytes parts[] = { auth_data, client_data_hash };
        struct sha256 digest;
        int r;

        r = ctap_sha256(parts, ELEMENTSOF(parts), &digest);
        if (r < 0)
                return r;
        return attester->ops->sign(attester, BYTES_OF(digest), ret);
}

/* WebAuthn §8.3: extraData is a hash of attToBeSigned, by the algorithm of `alg`, which is ES256. */
int ctap_certify(struct ctap_attester *attester, struct ctap_loaded_key *key,
                 struct bytes auth_data, struct bytes client_data_hash,
                 struct ctap_certification *ret) {
        const struct bytes parts[] = { auth_data, client_data_hash };
        struct sha256 digest;
        int r;

        r = ctap_sha256(parts, ELEMENTSOF(parts), &digest);
        if (r < 0)
                return r;
        return attester->ops->certify(attester, key, BYTES_OF(digest), ret);
}

static void pkey_free(EVP_PKEY **k) {
        EVP_PKEY_free(*k);
}

static void pkey_ctx_free(EVP_PKEY_CTX **c) {
        EVP_PKEY_CTX_free(*c);
}

static int ecdsa_by_nobody(const char *curve, struct bytes digest, struct ctap_signature *ret) {
        _cleanup_(pkey_free) EVP_PKEY *key = EVP_EC_gen(curve);
        _cleanup_(pkey_ctx_free) EVP_PKEY_CTX *c = key ? EVP_PKEY_CTX_new(key, NULL) : NULL;
        struct ctap_signature made = { 0 };
        size_t n = sizeof(made.data);

        if (!c || EVP_PKEY_sign_init(c) != 1 ||
            EVP_PKEY_sign(c, made.data, &n, digest.data, digest.len) != 1) {
                ERR_clear_error();
                return -EIO;
        }
        made.len = (uint16_t)n;
        *ret = made;
        return 0;
}

/*
 * Making a key takes too long for a probe, and no key is needed: any number below the modulus is
 * somebody's signature of something (RFC 8017, 8.2.2), and every modulus is above 2^2047.
 */
static int rsa_by_nobody(struct ctap_signature *ret) {
        struct ctap_signature made = { .len = sizeof(made.data) };

        if (RAND_bytes(made.data, sizeof(made.data)) != 1) {
                ERR_clear_error();
                return -EIO;
        }
        made.data[0] &= 0x7f;
        *ret = made;
        return 0;
}

int ctap_sign_by_nobody(const struct ctap_cose *alg, struct bytes auth_data,
                        struct bytes client_data_hash, struct ctap_signature *ret) {
        struct ctap_digest digest;
        int r;

        if (alg->type == CTAP_KEY_RSA2048)
                return rsa_by_nobody(ret);
        r = digest_of(alg, auth_data, client_data_hash, &digest);
        if (r < 0)
                return r;
        return ecdsa_by_nobody(alg->type == CTAP_KEY_P256 ? "P-256" : "P-384",
                               ctap_digest_bytes(&digest), ret);
}
