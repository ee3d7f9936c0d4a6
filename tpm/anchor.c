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
#include <openssl/rand.h>

#include "tpm/anchor.h"
#include "tpm/template.h"

void tpm_anchor_plan(const struct tpm_writer *k, TPM2_HANDLE index, struct tpm_nv *ret) {
        struct sha256 policy;

        tpm_writer_policy(&k->name, &policy);
        tpm_nv_plan(&tpm_template_anchor, index, &policy, ret);
}

static int write_once(struct tpm *t, const struct tpm_writer *k, const struct tpm_handle *anchor) {
        _cleanup_(tpm_handle_flush) struct tpm_handle session = TPM_HANDLE_NONE;
        _cleanup_(tpm_handle_flush) struct tpm_handle writer = TPM_HANDLE_NONE;
        TPM2B_MAX_NV_BUFFER content = { .size = tpm_template_anchor.dataSize };
        TSS2_RC rc;
        int r;

        if (RAND_bytes(content.buffer, content.size) != 1)
                return -EIO;

        r = tpm_session_start(t, ESYS_TR_NONE, &session);
        if (r >= 0)
                r = tpm_writer_load(t, k, &writer);
        if (r >= 0)
                r = tpm_writer_satisfy(t, k, &writer, &session);
        tpm_handle_flush(&writer);
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
