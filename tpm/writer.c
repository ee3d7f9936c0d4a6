/* SPDX-License-Identifier: BSD-2-Clause */

/* K: see writer.h. Its signature is over a nonce of the TPM, so that none can be replayed. */

#include <errno.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/ecdsa.h>
#include <openssl/sha.h>

#include "tpm/policy.h"
#include "tpm/template.h"
#include "tpm/writer.h"

static void cleanup_bn(BIGNUM **n) {
        BN_free(*n);
}

static void cleanup_signature(ECDSA_SIG **s) {
        ECDSA_SIG_free(*s);
}

static void cleanup_pkey_ctx(EVP_PKEY_CTX **c) {
        EVP_PKEY_CTX_free(*c);
}

static bool put_coordinate(const EVP_PKEY *key, const char *which, TPM2B_ECC_PARAMETER *ret) {
        _cleanup_(cleanup_bn) BIGNUM *n = NULL;

        ret->size = 32;
        return EVP_PKEY_get_bn_param(key, which, &n) == 1 && BN_bn2binpad(n, ret->buffer, 32) == 32;
}

int tpm_writer_new(struct tpm_writer *ret) {
        struct tpm_writer k = { .key = EVP_EC_gen("P-256"),
                                .public.publicArea = tpm_template_writer };
        TPMS_ECC_POINT *point = &k.public.publicArea.unique.ecc;

        if (!k.key || !put_coordinate(k.key, OSSL_PKEY_PARAM_EC_PUB_X, &point->x) ||
            !put_coordinate(k.key, OSSL_PKEY_PARAM_EC_PUB_Y, &point->y) ||
            tpm_name_of_object(&k.public.publicArea, &k.name) < 0) {
                tpm_writer_destroy(&k);
                return -EIO;
        }
        *ret = k;
        return 0;
}

void tpm_writer_destroy(struct tpm_writer *k) {
        EVP_PKEY_free(k->key); /* clears the private number */
        *k = (struct tpm_writer){ 0 };
}

int tpm_writer_sign(const struct tpm_writer *k, const struct sha256 *digest, TPMT_SIGNATURE *ret) {
        _cleanup_(cleanup_pkey_ctx) EVP_PKEY_CTX *c = EVP_PKEY_CTX_new(k->key, NULL);
        _cleanup_(cleanup_signature) ECDSA_SIG *parsed = NULL;
        TPMT_SIGNATURE s = { .sigAlg = TPM2_ALG_ECDSA };
        TPMS_SIGNATURE_ECDSA *e = &s.signature.ecdsa;
        uint8_t der[128];
        const uint8_t *p = der;
        size_t n = sizeof(der);

        if (!c || EVP_PKEY_sign_init(c) != 1 ||
            EVP_PKEY_sign(c, der, &n, digest->b, sizeof(digest->b)) != 1)
                return -EIO;
        parsed = d2i_ECDSA_SIG(NULL, &p, (long)n);
        if (!parsed)
                return -EIO;

        e->hash = TPM2_ALG_SHA256;
        e->signatureR.size = e->signatureS.size = 32;
        if (BN_bn2binpad(ECDSA_SIG_get0_r(parsed), e->signatureR.buffer, 32) != 32 ||
            BN_bn2binpad(ECDSA_SIG_get0_s(parsed), e->signatureS.buffer, 32) != 32)
                return -EIO;

        *ret = s;
        return 0;
}

void tpm_writer_policy(const TPM2B_NAME *k, struct sha256 *ret) {
        *ret = (struct sha256){ 0 };
        tpm_policy_command_code(ret, TPM2_CC_NV_Write);
        tpm_policy_signed(ret, k);
}

int tpm_writer_load(struct tpm *t, const struct tpm_writer *k, struct tpm_handle *ret) {
        ESYS_TR tr;
        TSS2_RC rc = Esys_LoadExternal(t->esys, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE, NULL,
                                       &k->public, ESYS_TR_RH_OWNER, &tr);

        if (rc != TSS2_RC_SUCCESS)
                return tpm_fail(t, "TPM2_LoadExternal", rc);
        *ret = tpm_handle(t, tr);
        return 0;
}

/*
 * aHash of TPM2_PolicySigned with our nonce, no expiration, no cpHash, no policyRef: Part 3,
 * 23.3.
 */
static void authorization_hash(const TPM2B_NONCE *nonce, struct sha256 *ret) {
        uint8_t storage[sizeof(nonce->buffer) + sizeof(uint32_t)];
        struct buf b = BUF_ON(storage);

        buf_put(&b, BYTES(nonce->buffer, nonce->size));
        buf_put_u32(&b, 0);
        SHA256(b.data, b.len, ret->b);
}

int tpm_writer_satisfy(struct tpm *t, const struct tpm_writer *k, const struct tpm_handle *loaded,
                       const struct tpm_handle *session) {
        TPM2B_NONCE *nonce = NULL;
        TPMT_SIGNATURE signature;
        struct sha256 digest;
        TSS2_RC rc;
        int r;

        rc = Esys_PolicyCommandCode(t->esys, session->tr, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE,
                                    TPM2_CC_NV_Write);
        if (rc != TSS2_RC_SUCCESS)
                return tpm_fail(t, "TPM2_PolicyCommandCode", rc);

        rc = Esys_TRSess_GetNonceTPM(t->esys, session->tr, &nonce);
        if (rc != TSS2_RC_SUCCESS)
                return tpm_fail(t, "Esys_TRSess_GetNonceTPM", rc);
        authorization_hash(nonce, &digest);
        r = tpm_writer_sign(k, &digest, &signature);
        if (r >= 0) {
                rc = Esys_PolicySigned(t->esys, loaded->tr, session->tr, ESYS_TR_NONE, ESYS_TR_NONE,
                                       ESYS_TR_NONE, nonce, NULL, NULL, 0, &signature, NULL, NULL);
                if (rc != TSS2_RC_SUCCESS)
                        r = tpm_fail(t, "TPM2_PolicySigned", rc);
        }
        Esys_Free(nonce);
        return r;
}
