/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Whoever may define and undefine indexes and persistent objects is the owner. On most machines
 * that is everybody with access to the TPM; where it is not, a person gives the password for
 * provisioning and for a reset. Nothing that happens in between needs it.
 *
 * It travels as it is: whoever reads the bus of a discrete TPM during a reset can read it.
 */

#include <errno.h>
#include <string.h>
#include <syslog.h>

#include "tpm/handle.h"
#include "tpm/owner.h"

int tpm_set_owner_auth(struct tpm *t, struct bytes auth) {
        if (auth.len > sizeof(t->owner_auth.buffer))
                return -EMSGSIZE;

        tpm_owner_forget(t);
        if (auth.len > 0)
                memcpy(t->owner_auth.buffer, auth.data, auth.len);
        t->owner_auth.size = (uint16_t)auth.len;
        t->trouble = 0;
        return t->esys ? tpm_owner_apply(t) : 0;
}

int tpm_owner_apply(struct tpm *t) {
        TSS2_RC rc;

        if (t->owner_auth.size == 0)
                return 0;

        rc = Esys_TR_SetAuth(t->esys, ESYS_TR_RH_OWNER, &t->owner_auth);
        return rc == TSS2_RC_SUCCESS ? 0 : tpm_fail(t, "Esys_TR_SetAuth", rc);
}

int tpm_owner_check(struct tpm *t) {
        _cleanup_(tpm_handle_flush) struct tpm_handle session = TPM_HANDLE_NONE;
        TSS2_RC rc;
        int r;

        r = tpm_session_start(t, ESYS_TR_NONE, &session);
        if (r < 0)
                return r;

        rc = Esys_PolicySecret(t->esys, ESYS_TR_RH_OWNER, session.tr, ESYS_TR_PASSWORD,
                               ESYS_TR_NONE, ESYS_TR_NONE, NULL, NULL, NULL, 0, NULL, NULL);
        if (rc == TSS2_RC_SUCCESS)
                return 0;

        r = tpm_fail(t, "TPM2_PolicySecret of the owner", rc);
        if (r == -EACCES)
                tpm_log(t, LOG_ERR,
                        t->owner_auth.size == 0
                                ? "TPM: an owner authorisation is set and was not given"
                                : "TPM: this is not its owner authorisation");
        return r;
}

void tpm_owner_forget(struct tpm *t) {
        static const TPM2B_AUTH zeroes = { .size = sizeof(zeroes.buffer) };

        OPENSSL_cleanse(&t->owner_auth, sizeof(t->owner_auth));
        if (!t->esys)
                return;

        /* ESYS wipes nothing by itself. */
        (void)Esys_TR_SetAuth(t->esys, ESYS_TR_RH_OWNER, &zeroes);
        (void)Esys_TR_SetAuth(t->esys, ESYS_TR_RH_OWNER, NULL);
}
