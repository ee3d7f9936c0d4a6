/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Every object carries noDA, so that a TPM in dictionary attack lockout, which anybody can cause,
 * still signs. Credential keys have scheme, symmetric and kdf NULL: several verifiers of the
 * "tpm" attestation format read the public area as if that were the only possibility. To certify one
 * takes the ADMIN role (Part 3, 18.2), which an object without adminWithPolicy gives to its authValue:
 * these have an empty one, so that the keys of class B, which it does not let sign, are certified too.
 */

#include <string.h>
#include <tss2/tss2_mu.h>

#include "tpm/template.h"

#define MADE_HERE                                                                           \
        (TPMA_OBJECT_FIXEDTPM | TPMA_OBJECT_FIXEDPARENT | TPMA_OBJECT_SENSITIVEDATAORIGIN | \
         TPMA_OBJECT_NODA)

#define STORAGE_ECC                                                            \
        {                                                                      \
                .symmetric = { .algorithm = TPM2_ALG_AES,                      \
                               .keyBits.aes = 128,                             \
                               .mode.aes = TPM2_ALG_CFB },                     \
                .scheme.scheme = TPM2_ALG_NULL, .curveID = TPM2_ECC_NIST_P256, \
                .kdf.scheme = TPM2_ALG_NULL,                                   \
        }

#define SIGNING_ECC(curve)                                                            \
        {                                                                             \
                .symmetric.algorithm = TPM2_ALG_NULL, .scheme.scheme = TPM2_ALG_NULL, \
                .curveID = (curve), .kdf.scheme = TPM2_ALG_NULL,                      \
        }

const TPMT_PUBLIC tpm_template_srk = {
        .type = TPM2_ALG_ECC,
        .nameAlg = TPM2_ALG_SHA256,
        .objectAttributes =
                MADE_HERE | TPMA_OBJECT_USERWITHAUTH | TPMA_OBJECT_RESTRICTED | TPMA_OBJECT_DECRYPT,
        .parameters.eccDetail = STORAGE_ECC,
        .unique.ecc = { .x.size = 32, .y.size = 32 },
};

const TPMT_PUBLIC tpm_template_storage = {
        .type = TPM2_ALG_ECC,
        .nameAlg = TPM2_ALG_SHA256,
        .objectAttributes =
                MADE_HERE | TPMA_OBJECT_USERWITHAUTH | TPMA_OBJECT_RESTRICTED | TPMA_OBJECT_DECRYPT,
        .parameters.eccDetail = STORAGE_ECC,
};

const TPMT_PUBLIC tpm_template_sealed = {
        .type = TPM2_ALG_KEYEDHASH,
        .nameAlg = TPM2_ALG_SHA256,
        .objectAttributes = TPMA_OBJECT_FIXEDTPM | TPMA_OBJECT_FIXEDPARENT | TPMA_OBJECT_NODA |
                            TPMA_OBJECT_USERWITHAUTH,
        .parameters.keyedHashDetail.scheme.scheme = TPM2_ALG_NULL,
};

const TPMT_PUBLIC tpm_template_hmac = {
        .type = TPM2_ALG_KEYEDHASH,
        .nameAlg = TPM2_ALG_SHA256,
        .objectAttributes = MADE_HERE | TPMA_OBJECT_USERWITHAUTH | TPMA_OBJECT_SIGN_ENCRYPT,
        .parameters.keyedHashDetail.scheme = { .scheme = TPM2_ALG_HMAC,
                                               .details.hmac.hashAlg = TPM2_ALG_SHA256 },
};

/*
 * The policy is of no use, as no policy has such a digest. It is there so that no other sealed blob,
 * least of all the store key's, can be passed off as a CredRandom.
 */
const TPMT_PUBLIC tpm_template_cred_random = {
        .type = TPM2_ALG_KEYEDHASH,
        .nameAlg = TPM2_ALG_SHA256,
        .objectAttributes = TPMA_OBJECT_FIXEDTPM | TPMA_OBJECT_FIXEDPARENT | TPMA_OBJECT_NODA |
                            TPMA_OBJECT_USERWITHAUTH,
        .authPolicy = { 32, "CredRandom of tpmauthn, unsealed" },
        .parameters.keyedHashDetail.scheme.scheme = TPM2_ALG_NULL,
};

const TPMT_PUBLIC tpm_template_writer = {
        .type = TPM2_ALG_ECC,
        .nameAlg = TPM2_ALG_SHA256,
        .objectAttributes = TPMA_OBJECT_SIGN_ENCRYPT | TPMA_OBJECT_USERWITHAUTH | TPMA_OBJECT_NODA,
        .parameters.eccDetail = { .symmetric.algorithm = TPM2_ALG_NULL,
                                  .scheme = { .scheme = TPM2_ALG_ECDSA,
                                              .details.ecdsa.hashAlg = TPM2_ALG_SHA256 },
                                  .curveID = TPM2_ECC_NIST_P256,
                                  .kdf.scheme = TPM2_ALG_NULL },
};

const TPMT_PUBLIC tpm_template_attestation = {
        .type = TPM2_ALG_ECC,
        .nameAlg = TPM2_ALG_SHA256,
        .objectAttributes = MADE_HERE | TPMA_OBJECT_USERWITHAUTH | TPMA_OBJECT_RESTRICTED |
                            TPMA_OBJECT_SIGN_ENCRYPT,
        .parameters.eccDetail = { .symmetric.algorithm = TPM2_ALG_NULL,
                                  .scheme = { .scheme = TPM2_ALG_ECDSA,
                                              .details.ecdsa.hashAlg = TPM2_ALG_SHA256 },
                                  .curveID = TPM2_ECC_NIST_P256,
                                  .kdf.scheme = TPM2_ALG_NULL },
};

static const TPMT_PUBLIC template_p256 = {
        .type = TPM2_ALG_ECC,
        .nameAlg = TPM2_ALG_SHA256,
        .objectAttributes = MADE_HERE | TPMA_OBJECT_USERWITHAUTH | TPMA_OBJECT_SIGN_ENCRYPT,
        .parameters.eccDetail = SIGNING_ECC(TPM2_ECC_NIST_P256),
};

static const TPMT_PUBLIC template_p384 = {
        .type = TPM2_ALG_ECC,
        .nameAlg = TPM2_ALG_SHA256,
        .objectAttributes = MADE_HERE | TPMA_OBJECT_USERWITHAUTH | TPMA_OBJECT_SIGN_ENCRYPT,
        .parameters.eccDetail = SIGNING_ECC(TPM2_ECC_NIST_P384),
};

/* Exponent 0 stands for 65537 (Part 2, 12.2.3.5), which is what every TPM can do. */
static const TPMT_PUBLIC template_rsa2048 = {
        .type = TPM2_ALG_RSA,
        .nameAlg = TPM2_ALG_SHA256,
        .objectAttributes = MADE_HERE | TPMA_OBJECT_USERWITHAUTH | TPMA_OBJECT_SIGN_ENCRYPT,
        .parameters.rsaDetail = { .symmetric.algorithm = TPM2_ALG_NULL,
                                  .scheme.scheme = TPM2_ALG_NULL,
                                  .keyBits = 2048,
                                  .exponent = 0 },
};

const TPMS_NV_PUBLIC tpm_template_anchor = {
        .nameAlg = TPM2_ALG_SHA256,
        .attributes = TPMA_NV_POLICYWRITE | TPMA_NV_AUTHREAD | TPMA_NV_OWNERREAD | TPMA_NV_NO_DA,
        .dataSize = 8,
};

const TPMS_NV_PUBLIC tpm_template_counter = {
        .nameAlg = TPM2_ALG_SHA256,
        .attributes = (TPM2_NT_COUNTER << TPMA_NV_TPM2_NT_SHIFT) | TPMA_NV_AUTHWRITE |
                      TPMA_NV_AUTHREAD | TPMA_NV_NO_DA,
        .dataSize = 8,
};

#define PIN_READ_AND_WRITTEN \
        (TPMA_NV_POLICYWRITE | TPMA_NV_POLICYREAD | TPMA_NV_OWNERREAD | TPMA_NV_AUTHREAD)

/* A TPM refuses this type without NO_DA: it counts by itself (Part 2, 13.4). */
const TPMS_NV_PUBLIC tpm_template_pin_fail = {
        .nameAlg = TPM2_ALG_SHA256,
        .attributes =
                (TPM2_NT_PIN_FAIL << TPMA_NV_TPM2_NT_SHIFT) | PIN_READ_AND_WRITTEN | TPMA_NV_NO_DA,
        .dataSize = 8,
};

/* Here dictionary attack protection is all that the TPM has against guessing. */
const TPMS_NV_PUBLIC tpm_template_pin_ordinary = {
        .nameAlg = TPM2_ALG_SHA256,
        .attributes = PIN_READ_AND_WRITTEN,
        .dataSize = 8,
};

/* The owner writes it, which sets the count back, and which is why no PIN is kept in one like it. */
const TPMS_NV_PUBLIC tpm_template_pin_trial = {
        .nameAlg = TPM2_ALG_SHA256,
        .attributes = (TPM2_NT_PIN_FAIL << TPMA_NV_TPM2_NT_SHIFT) | TPMA_NV_OWNERWRITE |
                      TPMA_NV_OWNERREAD | TPMA_NV_AUTHREAD | TPMA_NV_NO_DA,
        .dataSize = 8,
};

const struct tpm_key_type tpm_key_types[_CTAP_KEY_TYPES] = {
        [CTAP_KEY_P256] = { &template_p256,
                            { .scheme = TPM2_ALG_ECDSA, .details.ecdsa.hashAlg = TPM2_ALG_SHA256 },
                            32,
                            32 },
        [CTAP_KEY_P384] = { &template_p384,
                            { .scheme = TPM2_ALG_ECDSA, .details.ecdsa.hashAlg = TPM2_ALG_SHA384 },
                            48,
                            48 },
        [CTAP_KEY_RSA2048] = { &template_rsa2048,
                               { .scheme = TPM2_ALG_RSASSA,
                                 .details.rsassa.hashAlg = TPM2_ALG_SHA256 },
                               32,
                               256 },
};

TPMT_PUBLIC tpm_template_with_policy(const TPMT_PUBLIC *template, const struct sha256 *policy) {
        TPMT_PUBLIC p = *template;

        p.objectAttributes &= ~TPMA_OBJECT_USERWITHAUTH;
        p.authPolicy.size = sizeof(policy->b);
        memcpy(p.authPolicy.buffer, policy->b, sizeof(policy->b));
        return p;
}

bool tpm_template_matches(const TPMT_PUBLIC *template, const TPMT_PUBLIC *public) {
        TPMT_PUBLIC want = *template;
        uint8_t a[sizeof(TPMT_PUBLIC)], b[sizeof(TPMT_PUBLIC)];
        size_t n_a = 0, n_b = 0;

        if (public->type != want.type)
                return false;

        want.unique = public->unique;
        return Tss2_MU_TPMT_PUBLIC_Marshal(&want, a, sizeof(a), &n_a) == TSS2_RC_SUCCESS &&
               Tss2_MU_TPMT_PUBLIC_Marshal(public, b, sizeof(b), &n_b) == TSS2_RC_SUCCESS &&
               bytes_equal(BYTES(a, n_a), BYTES(b, n_b));
}
