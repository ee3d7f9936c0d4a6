/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/*
 * K: a key whose private half exists in memory only, for as long as it takes to write an NV index
 * once. What K did nobody does again.
 */

#include <openssl/evp.h>

#include "ctap/bytes.h"
#include "tpm/handle.h"

struct tpm_writer {
        EVP_PKEY *key;
        TPM2B_PUBLIC public;
        TPM2B_NAME name;
};

_must_check_ int tpm_writer_new(struct tpm_writer *ret);
void tpm_writer_destroy(struct tpm_writer *k);

/* PolicyCommandCode(NV_Write) and PolicySigned(K): a write by K alone. */
void tpm_writer_policy(const TPM2B_NAME *k, struct sha256 *ret);

/* Shows the TPM the public half. */
_must_check_ int tpm_writer_load(struct tpm *t, const struct tpm_writer *k, struct tpm_handle *ret);
/* Makes a fresh policy session satisfy tpm_writer_policy(), for one write. */
_must_check_ int tpm_writer_satisfy(struct tpm *t, const struct tpm_writer *k,
                                    const struct tpm_handle *loaded,
                                    const struct tpm_handle *session);
/* A signature over a digest, the way the TPM takes it. */
_must_check_ int tpm_writer_sign(const struct tpm_writer *k, const struct sha256 *digest,
                                 TPMT_SIGNATURE *ret);
