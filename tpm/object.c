/* SPDX-License-Identifier: BSD-2-Clause */

/* Objects under a parent: see object.h. */

#include <string.h>

#include "tpm/object.h"

static void wipe_sensitive(TPM2B_SENSITIVE_CREATE *s) {
        OPENSSL_cleanse(s, sizeof(*s));
}

TSS2_RC tpm_object_create(struct tpm *t, const struct tpm_auth *by, const TPMT_PUBLIC *template,
                          const struct secret32 *auth, const struct secret32 *data,
                          struct tpm_blob *ret) {
        _cleanup_(wipe_sensitive) TPM2B_SENSITIVE_CREATE sensitive = { 0 };
        const TPM2B_PUBLIC in = { .publicArea = *template };
        const TPM2B_DATA outside = { 0 };
        const TPML_PCR_SELECTION pcrs = { 0 };
        TPM2B_PRIVATE *private = NULL;
        TPM2B_PUBLIC *public = NULL;
        TSS2_RC rc;

        if (auth) {
                sensitive.sensitive.userAuth.size = sizeof(auth->b);
                memcpy(sensitive.sensitive.userAuth.buffer, auth->b, sizeof(auth->b));
        }
        if (data) {
                sensitive.sensitive.data.size = sizeof(data->b);
                memcpy(sensitive.sensitive.data.buffer, data->b, sizeof(data->b));
        }
        rc = Esys_Create(t->esys, by->parent, by->session, by->extra, ESYS_TR_NONE, &sensitive, &in,
                         &outside, &pcrs, &private, &public, NULL, NULL, NULL);
        if (rc != TSS2_RC_SUCCESS)
                return rc;

        *ret = (struct tpm_blob){ *private, *public };
        Esys_Free(private);
        Esys_Free(public);
        return TSS2_RC_SUCCESS;
}

TSS2_RC tpm_object_load(struct tpm *t, const struct tpm_auth *by, const struct tpm_blob *blob,
                        struct tpm_handle *ret) {
        ESYS_TR tr;
        TSS2_RC rc;

        rc = Esys_Load(t->esys, by->parent, by->session, by->extra, ESYS_TR_NONE, &blob->private,
                       &blob->public, &tr);
        if (rc == TSS2_RC_SUCCESS)
                *ret = tpm_handle(t, tr);
        return rc;
}
