/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/*
 * TPM2_Create and TPM2_Load. They give the TPM's own code and leave the reading of it to their caller,
 * who knows what a refusal means.
 */

#include "tpm/handle.h"

/* How a command on a parent is authorised, and what protects its parameters on the bus. */
struct tpm_auth {
        ESYS_TR parent;
        ESYS_TR session; /* ESYS_TR_PASSWORD: by the parent's authValue */
        ESYS_TR extra;   /* a session that only encrypts, or ESYS_TR_NONE */
};

/* `auth` becomes the authValue and `data` what is sealed; either may be NULL. */
TSS2_RC tpm_object_create(struct tpm *t, const struct tpm_auth *by, const TPMT_PUBLIC *template,
                          const struct secret32 *auth, const struct secret32 *data,
                          struct tpm_blob *ret);
TSS2_RC tpm_object_load(struct tpm *t, const struct tpm_auth *by, const struct tpm_blob *blob,
                        struct tpm_handle *ret);
