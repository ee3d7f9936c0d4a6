/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * An NV index can be undefined and defined again by the owner, which is everybody with access to
 * the TPM, with the same public area and thus the same Name. So a policy that names an index
 * protects nothing, unless the index cannot be brought into the same state again. TPMA_NV_WRITTEN
 * is part of the Name; the first write of A needs a signature by K over a nonce of the TPM; and K
 * is destroyed when A was written. What is bound to the Name of the written A dies with A, for
 * good.
 */

#include <errno.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/ecdsa.h>
#include <openssl/rand.h>
#include <openssl/sha.h>
#include <string.h>
#include <syslog.h>

#include "tpm/anchor.h"
#include "tpm/policy.h"
#include "tpm/template.h"

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

/* A signature over a digest, the way TPM2_PolicySigned takes it. */
static int sign(const struct tpm_writer *k, const struct sha256 *digest, TPMT_SIGNATURE *ret) {
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

/* PolicyCommandCode(NV_Write) and PolicySigned(K). */
static void write_policy(const struct tpm_writer *k, struct sha256 *ret) {
        *ret = (struct sha256){ 0 };
        tpm_policy_command_code(ret, TPM2_CC_NV_Write);
        tpm_policy_signed(ret, &k->name);
}

void tpm_anchor_plan(const struct tpm_writer *k, TPM2_HANDLE index, struct tpm_nv *ret) {
        TPMS_NV_PUBLIC public = tpm_template_anchor;
        struct sha256 policy;

        write_policy(k, &policy);
        public.nvIndex = index;
        public.authPolicy.size = sizeof(policy.b);
        memcpy(public.authPolicy.buffer, policy.b, sizeof(policy.b));
        *ret = (struct tpm_nv){ .public = { .size = sizeof(public), .nvPublic = public } };
}

int tpm_anchor_policy(const struct tpm_nv *nv, struct sha256 *ret) {
        TPMS_NV_PUBLIC public = nv->public.nvPublic;
        TPM2B_NAME name;
        int r;

        public.attributes |= TPMA_NV_WRITTEN;
        r = tpm_name_of_nv(&public, &name);
        if (r < 0)
                return r;

        *ret = (struct sha256){ 0 };
        tpm_policy_secret(ret, &name);
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

static int satisfy(struct tpm *t, const struct tpm_writer *k, const struct tpm_handle *session) {
        _cleanup_(tpm_handle_flush) struct tpm_handle writer = TPM_HANDLE_NONE;
        TPM2B_NONCE *nonce = NULL;
        TPMT_SIGNATURE signature;
        struct sha256 digest;
        ESYS_TR tr;
        TSS2_RC rc;
        int r;

        rc = Esys_LoadExternal(t->esys, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE, NULL, &k->public,
                               ESYS_TR_RH_OWNER, &tr);
        if (rc != TSS2_RC_SUCCESS)
                return tpm_fail(t, "TPM2_LoadExternal", rc);
        writer = tpm_handle(t, tr);

        rc = Esys_PolicyCommandCode(t->esys, session->tr, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE,
                                    TPM2_CC_NV_Write);
        if (rc != TSS2_RC_SUCCESS)
                return tpm_fail(t, "TPM2_PolicyCommandCode", rc);

        rc = Esys_TRSess_GetNonceTPM(t->esys, session->tr, &nonce);
        if (rc != TSS2_RC_SUCCESS)
                return tpm_fail(t, "Esys_TRSess_GetNonceTPM", rc);
        authorization_hash(nonce, &digest);
        r = sign(k, &digest, &signature);
        if (r >= 0) {
                rc = Esys_PolicySigned(t->esys, writer.tr, session->tr, ESYS_TR_NONE, ESYS_TR_NONE,
                                       ESYS_TR_NONE, nonce, NULL, NULL, 0, &signature, NULL, NULL);
                if (rc != TSS2_RC_SUCCESS)
                        r = tpm_fail(t, "TPM2_PolicySigned", rc);
        }
        Esys_Free(nonce);
        return r;
}

static int write_once(struct tpm *t, const struct tpm_writer *k, const struct tpm_handle *anchor) {
        _cleanup_(tpm_handle_flush) struct tpm_handle session = TPM_HANDLE_NONE;
        TPM2B_MAX_NV_BUFFER content = { .size = tpm_template_anchor.dataSize };
        TSS2_RC rc;
        int r;

        if (RAND_bytes(content.buffer, content.size) != 1)
                return -EIO;

        r = tpm_session_start(t, ESYS_TR_NONE, &session);
        if (r >= 0)
                r = satisfy(t, k, &session);
        if (r >= 0)
                r = tpm_session_last(&session, 0);
        if (r < 0)
                return r;

        rc = Esys_NV_Write(t->esys, anchor->tr, anchor->tr, session.tr, ESYS_TR_NONE, ESYS_TR_NONE,
                           &content, 0);
        if (rc != TSS2_RC_SUCCESS)
                return tpm_fail(t, "TPM2_NV_Write of the anchor", rc);

        tpm_handle_close(&session);
        return 0;
}

int tpm_anchor_make(struct tpm *t, const struct tpm_writer *k, struct tpm_nv *nv) {
        _cleanup_(tpm_handle_close) struct tpm_handle anchor = TPM_HANDLE_NONE;
        int r;

        r = tpm_nv_define(t, nv, &anchor);
        if (r >= 0)
                r = write_once(t, k, &anchor);
        return r < 0 ? r : tpm_ref_save(t, anchor.tr, &nv->ref);
}
