/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Handles and sessions. A session lives within one function: one that stays open costs the kernel's
 * resource manager two commands around every other, and in the end runs into the TPM's context gap.
 */

#include <errno.h>
#include <string.h>
#include <syslog.h>

#include "tpm/gate.h"
#include "tpm/handle.h"

void tpm_flush(struct tpm *t, ESYS_TR tr) {
        TSS2_RC rc;

        if (tr == ESYS_TR_NONE || !t->esys || (t->trouble & TPM_TROUBLE_CONNECTION))
                return;

        rc = Esys_FlushContext(t->esys, tr);
        if (rc == TSS2_RC_SUCCESS)
                return;

        /* Closing is the other way to be rid of it; a simulator is cleaned when next opened. */
        if (tpm_fail(t, "TPM2_FlushContext", rc) < 0)
                t->trouble |= TPM_TROUBLE_CROWDED;
        (void)Esys_TR_Close(t->esys, &tr);
}

static bool is_open(const struct tpm_handle *h) {
        return h->t && h->t->esys && h->tr != ESYS_TR_NONE && h->connection == h->t->connection;
}

void tpm_handle_flush(struct tpm_handle *h) {
        if (is_open(h))
                tpm_flush(h->t, h->tr);
        *h = TPM_HANDLE_NONE;
}

void tpm_handle_close(struct tpm_handle *h) {
        if (is_open(h))
                (void)Esys_TR_Close(h->t->esys, &h->tr);
        *h = TPM_HANDLE_NONE;
}

static TSS2_RC start(struct tpm *t, TPM2_SE type, ESYS_TR salt_key, struct tpm_handle *ret) {
        static const TPMT_SYM_DEF aes = { .algorithm = TPM2_ALG_AES,
                                          .keyBits.aes = 128,
                                          .mode.aes = TPM2_ALG_CFB };
        static const TPMT_SYM_DEF none = { .algorithm = TPM2_ALG_NULL };
        ESYS_TR tr;
        TSS2_RC rc;

        rc = Esys_StartAuthSession(t->esys, salt_key, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE,
                                   ESYS_TR_NONE, NULL, type,
                                   salt_key == ESYS_TR_NONE ? &none : &aes, TPM2_ALG_SHA256, &tr);
        if (rc == TSS2_RC_SUCCESS)
                *ret = tpm_handle(t, tr);
        return rc;
}

static int give(struct tpm_handle *session, struct tpm_handle *ret) {
        int r = tpm_session_use(session, 0);

        if (r < 0)
                return r;
        *ret = *session;
        *session = TPM_HANDLE_NONE;
        return 0;
}

int tpm_session_start(struct tpm *t, ESYS_TR salt_key, struct tpm_handle *ret) {
        _cleanup_(tpm_handle_flush) struct tpm_handle session = TPM_HANDLE_NONE;
        TSS2_RC rc = start(t, TPM2_SE_POLICY, salt_key, &session);

        return rc == TSS2_RC_SUCCESS ? give(&session, ret)
                                     : tpm_fail(t, "TPM2_StartAuthSession", rc);
}

bool tpm_sessions_are_salted(const struct tpm *t) {
        switch (t->options.sessions) {
        case TPM_SESSIONS_SALTED:
                return true;
        case TPM_SESSIONS_PASSWORD:
                return false;
        case TPM_SESSIONS_AUTO:
        case _TPM_SESSIONS:
        default:
                return !t->record || !t->record->is_firmware;
        }
}

int tpm_session_start_salted(struct tpm *t, TPM2_SE type, struct tpm_handle *ret) {
        _cleanup_(tpm_handle_flush) struct tpm_handle session = TPM_HANDLE_NONE;
        struct tpm_auth worker;
        TSS2_RC rc;
        int r;

        r = tpm_worker(t, &worker);
        if (r < 0)
                return r;
        rc = start(t, type, worker.parent, &session);
        return rc == TSS2_RC_SUCCESS ? give(&session, ret)
                                     : tpm_fail_worker(t, "TPM2_StartAuthSession", rc);
}

static int set_attributes(const struct tpm_handle *session, TPMA_SESSION attributes) {
        TSS2_RC rc = Esys_TRSess_SetAttributes(session->t->esys, session->tr, attributes, 0xff);

        return rc == TSS2_RC_SUCCESS ? 0 : tpm_fail(session->t, "Esys_TRSess_SetAttributes", rc);
}

int tpm_session_use(const struct tpm_handle *session, TPMA_SESSION attributes) {
        return set_attributes(session, attributes | TPMA_SESSION_CONTINUESESSION);
}

int tpm_session_last(const struct tpm_handle *session, TPMA_SESSION attributes) {
        return set_attributes(session, attributes);
}

int tpm_ref_save(struct tpm *t, ESYS_TR tr, struct tpm_ref *ret) {
        uint8_t *data = NULL;
        size_t n = 0;
        TSS2_RC rc;
        int r = 0;

        rc = Esys_TR_Serialize(t->esys, tr, &data, &n);
        if (rc != TSS2_RC_SUCCESS)
                return tpm_fail(t, "Esys_TR_Serialize", rc);

        if (n <= sizeof(ret->data)) {
                memcpy(ret->data, data, n);
                ret->len = (uint16_t)n;
        } else {
                r = -EIO;
        }
        Esys_Free(data);
        return r;
}

int tpm_ref_open(struct tpm *t, const struct tpm_ref *ref, TPM2_HANDLE handle, ESYS_TR *ret) {
        TPM2_HANDLE found;
        ESYS_TR tr;

        if (Esys_TR_Deserialize(t->esys, ref->data, ref->len, &tr) != TSS2_RC_SUCCESS) {
                tpm_log(t, LOG_ERR, "TPM state: the reference to 0x%08x is damaged",
                        (unsigned)handle);
                return -EBADMSG;
        }
        if (Esys_TR_GetTpmHandle(t->esys, tr, &found) != TSS2_RC_SUCCESS || found != handle) {
                tpm_log(t, LOG_ERR, "TPM state: the reference to 0x%08x names something else",
                        (unsigned)handle);
                (void)Esys_TR_Close(t->esys, &tr);
                return -EBADMSG;
        }
        *ret = tr;
        return 0;
}
