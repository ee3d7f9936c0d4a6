/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Policy digests in software. The TPM could compute them in trial sessions, but then the policy
 * of a key would be whatever the TPM, or who sits between, says it is; and it would cost
 * commands.
 */

#include <errno.h>
#include <openssl/evp.h>
#include <openssl/sha.h>
#include <string.h>
#include <tss2/tss2_mu.h>

#include "tpm/policy.h"

/* What a policy is extended by: a command code and a Name, or eight digests. */
#define OPERAND_MAX (sizeof(TPM2_CC) + 8 * sizeof(struct sha256))

/* policy = H(policy || what) */
static void extend(struct sha256 *policy, struct bytes what) {
        uint8_t storage[sizeof(struct sha256) + OPERAND_MAX];
        struct buf b = BUF_ON(storage);

        buf_put(&b, BYTES_OF(*policy));
        buf_put(&b, what);
        SHA256(b.data, b.len, policy->b);
}

static void extend_command(struct sha256 *policy, TPM2_CC command, struct bytes what) {
        uint8_t storage[OPERAND_MAX];
        struct buf b = BUF_ON(storage);

        buf_put_u32(&b, command);
        buf_put(&b, what);
        extend(policy, buf_bytes(&b));
}

void tpm_policy_command_code(struct sha256 *policy, TPM2_CC code) {
        uint8_t storage[sizeof(TPM2_CC)];
        struct buf b = BUF_ON(storage);

        buf_put_u32(&b, code);
        extend_command(policy, TPM2_CC_PolicyCommandCode, buf_bytes(&b));
}

void tpm_policy_secret(struct sha256 *policy, const TPM2B_NAME *name) {
        extend_command(policy, TPM2_CC_PolicySecret, tpm_name_bytes(name));
        extend(policy,
               BYTES_NULL); /* PolicyUpdate() hashes an empty policyRef too: Part 3, 23.2.3 */
}

void tpm_policy_signed(struct sha256 *policy, const TPM2B_NAME *name) {
        extend_command(policy, TPM2_CC_PolicySigned, tpm_name_bytes(name));
        extend(policy, BYTES_NULL);
}

void tpm_policy_authorize(struct sha256 *policy, const TPM2B_NAME *key, struct bytes ref) {
        *policy = (struct sha256){ 0 };
        extend_command(policy, TPM2_CC_PolicyAuthorize, tpm_name_bytes(key));
        extend(policy, ref);
}

void tpm_policy_or(struct sha256 *policy, const struct tpm_branches *branches) {
        *policy = (struct sha256){ 0 };
        extend_command(policy, TPM2_CC_PolicyOR,
                       BYTES(branches->digest, branches->n * sizeof(branches->digest[0])));
}

static void name_of(struct bytes marshalled, TPM2B_NAME *ret) {
        *ret = (TPM2B_NAME){ .size = 2 + SHA256_DIGEST_LENGTH };
        ret->name[0] = TPM2_ALG_SHA256 >> 8;
        ret->name[1] = TPM2_ALG_SHA256 & 0xff;
        SHA256(marshalled.data, marshalled.len, ret->name + 2);
}

int tpm_name_of_object(const TPMT_PUBLIC *public, TPM2B_NAME *ret) {
        uint8_t storage[sizeof(*public)];
        size_t n = 0;

        if (Tss2_MU_TPMT_PUBLIC_Marshal(public, storage, sizeof(storage), &n) != TSS2_RC_SUCCESS)
                return -EIO;

        name_of(BYTES(storage, n), ret);
        return 0;
}

int tpm_name_of_nv(const TPMS_NV_PUBLIC *public, TPM2B_NAME *ret) {
        uint8_t storage[sizeof(*public)];
        size_t n = 0;

        if (Tss2_MU_TPMS_NV_PUBLIC_Marshal(public, storage, sizeof(storage), &n) != TSS2_RC_SUCCESS)
                return -EIO;

        name_of(BYTES(storage, n), ret);
        return 0;
}

int tpm_name_of_written(const TPMS_NV_PUBLIC *public, TPM2B_NAME *ret) {
        TPMS_NV_PUBLIC written = *public;

        written.attributes |= TPMA_NV_WRITTEN;
        return tpm_name_of_nv(&written, ret);
}

int tpm_policy_of_written(const TPMS_NV_PUBLIC *public, struct sha256 *ret) {
        TPM2B_NAME name;
        int r;

        r = tpm_name_of_written(public, &name);
        if (r < 0)
                return r;
        *ret = (struct sha256){ 0 };
        tpm_policy_secret(ret, &name);
        return 0;
}

bool tpm_name_equal(const TPM2B_NAME *a, const TPM2B_NAME *b) {
        return bytes_equal(tpm_name_bytes(a), tpm_name_bytes(b));
}
