/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Blobs come back from a disk. What is decoded is encoded again and compared, so that nothing hangs on
 * how lenient the unmarshalling library is.
 */

#include <errno.h>
#include <tss2/tss2_mu.h>

#include "tpm/blob.h"

void tpm_blob_encode(const struct tpm_blob *blob, struct buf *to) {
        size_t n = to->len;

        if (to->failed)
                return;
        if (Tss2_MU_TPM2B_PRIVATE_Marshal(&blob->private, to->data, to->cap, &n) !=
                    TSS2_RC_SUCCESS ||
            Tss2_MU_TPM2B_PUBLIC_Marshal(&blob->public, to->data, to->cap, &n) != TSS2_RC_SUCCESS) {
                to->failed = true;
                return;
        }
        to->len = n;
}

int tpm_blob_decode(struct bytes from, struct tpm_blob *ret) {
        struct tpm_blob blob = { 0 };
        uint8_t storage[sizeof(struct tpm_blob)];
        struct buf again = BUF_ON(storage);
        size_t n = 0;

        if (from.len == 0 ||
            Tss2_MU_TPM2B_PRIVATE_Unmarshal(from.data, from.len, &n, &blob.private) !=
                    TSS2_RC_SUCCESS ||
            Tss2_MU_TPM2B_PUBLIC_Unmarshal(from.data, from.len, &n, &blob.public) !=
                    TSS2_RC_SUCCESS ||
            n != from.len || blob.private.size == 0)
                return -EBADMSG;

        tpm_blob_encode(&blob, &again);
        if (!bytes_equal(buf_bytes(&again), from))
                return -EBADMSG;

        *ret = blob;
        return 0;
}
