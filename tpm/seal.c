/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The two sealed secrets. All that travels between here and the TPM may be seen on the bus of a
 * discrete TPM, so what is sealed and unsealed is encrypted in the session that satisfies the gate's
 * policy anyway: it is salted with the SRK, whose public part was recorded when provisioning.
 */

#include <errno.h>
#include <openssl/rand.h>
#include <openssl/sha.h>
#include <string.h>
#include <syslog.h>

#include "tpm/seal.h"
#include "tpm/template.h"

static void wipe_storage(uint8_t (*storage)[64]) {
        OPENSSL_cleanse(*storage, sizeof(*storage));
}

int tpm_random_secret(struct tpm *t, struct secret32 *ret) {
        _cleanup_(wipe_storage) uint8_t mixed[64] = { 0 };
        TPM2B_DIGEST *random = NULL;
        TSS2_RC rc;
        bool enough;

        if (RAND_bytes(mixed, 32) != 1) {
                tpm_log(t, LOG_ERR, "cannot get random bytes");
                return -EIO;
        }
        rc = Esys_GetRandom(t->esys, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE, 32, &random);
        if (rc != TSS2_RC_SUCCESS)
                return tpm_fail(t, "TPM2_GetRandom", rc);

        enough = random->size > 0 && random->size <= 32;
        if (enough)
                memcpy(mixed + 32, random->buffer, random->size);
        OPENSSL_cleanse(random, sizeof(*random));
        Esys_Free(random);
        if (!enough) {
                tpm_log(t, LOG_ERR, "TPM: TPM2_GetRandom gave nothing");
                return -EIO;
        }
        SHA256(mixed, sizeof(mixed), ret->b);
        return 0;
}

int tpm_seal_auth(struct tpm *t, const struct tpm_gate *gate, const struct sha256 *policy,
                  const struct secret32 *auth, struct tpm_blob *ret) {
        const TPMT_PUBLIC template = tpm_template_with_policy(&tpm_template_sealed, policy);
        const struct tpm_auth by = tpm_gate_auth(gate);
        TSS2_RC rc;
        int r;

        r = tpm_session_use(&gate->session, TPMA_SESSION_DECRYPT);
        if (r < 0)
                return r;
        rc = tpm_object_create(t, &by, &template, NULL, auth, ret);
        return rc == TSS2_RC_SUCCESS ? 0 : tpm_fail(t, "TPM2_Create of P2's authorisation", rc);
}

static int take(struct tpm *t, TPM2B_SENSITIVE_DATA *data, struct secret32 *ret) {
        bool fits = data->size == sizeof(ret->b);

        if (fits)
                memcpy(ret->b, data->buffer, sizeof(ret->b));
        else
                tpm_log(t, LOG_ERR, "TPM: what was unsealed has %u bytes instead of 32",
                        data->size);
        OPENSSL_cleanse(data, sizeof(*data));
        Esys_Free(data);
        return fits ? 0 : -ESTALE;
}

int tpm_unseal_auth(struct tpm *t, const struct tpm_gate *gate, const struct tpm_blob *blob,
                    struct secret32 *ret) {
        _cleanup_(tpm_handle_flush) struct tpm_handle sealed = TPM_HANDLE_NONE;
        const struct tpm_auth by = tpm_gate_auth(gate);
        TPM2B_SENSITIVE_DATA *data = NULL;
        TSS2_RC rc;
        int r;

        r = tpm_gate_pass(t, gate);
        if (r >= 0)
                r = tpm_session_use(&gate->session, 0);
        if (r < 0)
                return r;
        rc = tpm_object_load(t, &by, blob, &sealed);
        if (rc != TSS2_RC_SUCCESS)
                return tpm_fail_stale(t, "TPM2_Load of P2's authorisation", rc);

        r = tpm_gate_pass(t, gate);
        if (r >= 0)
                r = tpm_session_use(&gate->session, TPMA_SESSION_ENCRYPT);
        if (r < 0)
                return r;
        rc = Esys_Unseal(t->esys, sealed.tr, gate->session.tr, ESYS_TR_NONE, ESYS_TR_NONE, &data);
        if (rc != TSS2_RC_SUCCESS)
                return tpm_fail_stale(t, "TPM2_Unseal of P2's authorisation", rc);
        return take(t, data, ret);
}

int tpm_seal_store_key(struct tpm *t, const struct tpm_gate *gate, const struct secret32 *key,
                       struct tpm_blob *ret) {
        struct tpm_auth by;
        TSS2_RC rc;
        int r;

        r = tpm_worker(t, &by);
        if (r >= 0)
                r = tpm_session_use(&gate->session, TPMA_SESSION_DECRYPT);
        if (r < 0)
                return r;

        by.extra = gate->session.tr;
        rc = tpm_object_create(t, &by, &tpm_template_sealed, NULL, key, ret);
        return rc == TSS2_RC_SUCCESS ? 0 : tpm_fail(t, "TPM2_Create of the store key", rc);
}

int tpm_unseal_store_key(struct tpm *t, struct tpm_gate *gate, const struct tpm_blob *blob,
                         struct secret32 *ret) {
        _cleanup_(tpm_handle_flush) struct tpm_handle sealed = TPM_HANDLE_NONE;
        TPM2B_SENSITIVE_DATA *data = NULL;
        struct tpm_auth by;
        TSS2_RC rc;
        int r;

        r = tpm_worker(t, &by);
        if (r < 0)
                return r;
        rc = tpm_object_load(t, &by, blob, &sealed);
        if (rc != TSS2_RC_SUCCESS) {
                r = tpm_fail_worker(t, "TPM2_Load of the store key", rc);
                return tpm_rc_is_refusal(rc) ? -ESTALE : r;
        }

        r = tpm_session_last(&gate->session, TPMA_SESSION_ENCRYPT);
        if (r < 0)
                return r;
        rc = Esys_Unseal(t->esys, sealed.tr, ESYS_TR_PASSWORD, gate->session.tr, ESYS_TR_NONE,
                         &data);
        if (rc != TSS2_RC_SUCCESS)
                return tpm_fail_stale(t, "TPM2_Unseal of the store key", rc);

        tpm_handle_close(&gate->session);
        return take(t, data, ret);
}
