/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/*
 * An ESYS_TR that ends with its scope. It knows the connection it belongs to, so that one which was
 * closed in between does not matter.
 *
 *   _cleanup_(tpm_handle_flush) struct tpm_handle key = TPM_HANDLE_NONE;   loaded: tells the TPM
 *   _cleanup_(tpm_handle_close) struct tpm_handle nv = TPM_HANDLE_NONE;    persistent: ours alone
 */

#include "tpm/context.h"

struct tpm_handle {
        struct tpm *t;
        ESYS_TR tr;
        uint32_t connection;
};

#define TPM_HANDLE_NONE ((struct tpm_handle){ NULL, ESYS_TR_NONE, 0 })

static inline struct tpm_handle tpm_handle(struct tpm *t, ESYS_TR tr) {
        return (struct tpm_handle){ t, tr, t->connection };
}

void tpm_handle_flush(struct tpm_handle *h);
void tpm_handle_close(struct tpm_handle *h);

/* Sends FlushContext for what is loaded in this connection. */
void tpm_flush(struct tpm *t, ESYS_TR tr);

/*
 * Starts a policy session with SHA-256 and AES-128-CFB, salted with a storage key unless that is
 * ESYS_TR_NONE. It goes on until tpm_session_last() was said and a command with it succeeded.
 */
_must_check_ int tpm_session_start(struct tpm *t, ESYS_TR salt_key, struct tpm_handle *ret);
/* The same salted with P2; an HMAC session, or a policy session. */
_must_check_ int tpm_session_start_salted(struct tpm *t, TPM2_SE type, struct tpm_handle *ret);
/* What the session does in the next commands: 0, TPMA_SESSION_ENCRYPT, TPMA_SESSION_DECRYPT. */
_must_check_ int tpm_session_use(const struct tpm_handle *session, TPMA_SESSION attributes);
/* The next command with it ends it, if it succeeds; then tpm_handle_close() is what is due. */
_must_check_ int tpm_session_last(const struct tpm_handle *session, TPMA_SESSION attributes);

/* What ESYS keeps about a persistent object or an NV index, and back; no command is sent. */
_must_check_ int tpm_ref_save(struct tpm *t, ESYS_TR tr, struct tpm_ref *ret);
/* -EBADMSG: damaged, or it names another handle than this. */
_must_check_ int tpm_ref_open(struct tpm *t, const struct tpm_ref *ref, TPM2_HANDLE handle,
                              ESYS_TR *ret);
