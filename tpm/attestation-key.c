/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The attestation key comes and goes. The order is that of provisioning: what will be at a persistent
 * handle is saved, with its Name, before it is put there, so that a crash leaves nothing without an
 * owner.
 *
 *   SRK; Create; save; Load; CertifyCreation; EvictControl; save
 */

#include "tpm/attestation-key.h"

#include <errno.h>
#include <syslog.h>
#include <tss2/tss2_mu.h>

#include "tpm/attestation.h"
#include "tpm/capability.h"
#include "tpm/handle.h"
#include "tpm/nv.h"
#include "tpm/object.h"
#include "tpm/policy.h"
#include "tpm/srk.h"
#include "tpm/template.h"

/* A TPM that strips leading zeros of a coordinate does so for one key in 128. */
#define CREATE_ATTEMPTS_MAX 8
/* As with provisioning: somebody may take the handle in the meantime. */
#define TRIES 16

struct creation {
        bool persistent;
        tpm_save_attestation_key_fn *save;
        void *userdata;
        struct tpm_attestation_key key;
};

/* What TPM2_Create says of a new key, for TPM2_CertifyCreation. */
struct birth {
        TPM2B_DIGEST hash;
        TPMT_TK_CREATION ticket;
};

static int save(const struct creation *c, const struct tpm_attestation_record *record,
                struct tpm_attestation_key *ret) {
        int r = tpm_attestation_encode(record, ret);

        return r < 0 ? r : c->save(c->userdata, ret);
}

static int keep_creation(struct tpm *t, const TPM2B_CREATION_DATA *data,
                         struct tpm_structure *ret) {
        size_t n = 0;
        TSS2_RC rc = Tss2_MU_TPMS_CREATION_DATA_Marshal(&data->creationData, ret->data,
                                                        sizeof(ret->data), &n);

        if (rc != TSS2_RC_SUCCESS)
                return tpm_fail(t, "TPM2_Create: TPMS_CREATION_DATA", rc);
        ret->len = (uint16_t)n;
        return 0;
}

/* -ERANGE: the TPM left leading zeros of a coordinate out. */
static int make_one(struct tpm *t, const struct tpm_srk *srk, struct tpm_attestation_record *record,
                    struct birth *ret) {
        const TPM2B_PUBLIC in = { .publicArea = tpm_template_attestation };
        const TPM2B_SENSITIVE_CREATE sensitive = { 0 };
        const TPM2B_DATA outside = { 0 };
        const TPML_PCR_SELECTION pcrs = { 0 };
        TPM2B_CREATION_DATA *data = NULL;
        TPMT_TK_CREATION *ticket = NULL;
        TPM2B_PRIVATE *private = NULL;
        TPM2B_PUBLIC *public = NULL;
        TPM2B_DIGEST *hash = NULL;
        TSS2_RC rc;
        int r;

        rc = Esys_Create(t->esys, srk->handle.tr, ESYS_TR_PASSWORD, ESYS_TR_NONE, ESYS_TR_NONE,
                         &sensitive, &in, &outside, &pcrs, &private, &public, &data, &hash,
                         &ticket);
        if (rc != TSS2_RC_SUCCESS)
                return tpm_fail(t, "TPM2_Create of the attestation key", rc);

        record->key = (struct tpm_blob){ *private, *public };
        *ret = (struct birth){ *hash, *ticket };
        r = keep_creation(t, data, &record->creation);
        Esys_Free(private);
        Esys_Free(public);
        Esys_Free(data);
        Esys_Free(hash);
        Esys_Free(ticket);
        if (r < 0)
                return r;
        if (!tpm_template_matches(&tpm_template_attestation, &record->key.public.publicArea)) {
                tpm_log(t, LOG_ERR, "TPM: TPM2_Create made another key than it was asked for");
                return -EIO;
        }
        return record->key.public.publicArea.unique.ecc.x.size == 32 &&
                               record->key.public.publicArea.unique.ecc.y.size == 32
                       ? 0
                       : -ERANGE;
}

static int make(struct tpm *t, const struct tpm_srk *srk, struct tpm_attestation_record *record,
                struct birth *ret) {
        for (unsigned i = 0; i < CREATE_ATTEMPTS_MAX; i++) {
                int r = make_one(t, srk, record, ret);

                if (r != -ERANGE)
                        return r;
        }
        tpm_log(t, LOG_ERR, "TPM: TPM2_Create: the public key never has its full size");
        return -EIO;
}

static int keep_certificate(struct tpm *t, const TPM2B_ATTEST *attest,
                            const TPMT_SIGNATURE *signature,
                            struct tpm_attestation_record *record) {
        const struct bytes signed_bytes = BYTES(attest->attestationData, attest->size);
        struct buf to = BUF_ON(record->certificate.data);
        size_t n = 0;

        buf_put(&to, signed_bytes);
        if (!tpm_attestation_verifies(&record->key.public.publicArea, signed_bytes, signature) ||
            buf_error(&to) < 0 ||
            Tss2_MU_TPMT_SIGNATURE_Marshal(signature, record->signature.data,
                                           sizeof(record->signature.data), &n) != TSS2_RC_SUCCESS) {
                tpm_log(t, LOG_ERR,
                        "TPM: TPM2_CertifyCreation gave what the attestation key did not sign");
                return -EIO;
        }
        record->certificate.len = (uint16_t)to.len;
        record->signature.len = (uint16_t)n;
        return 0;
}

static int certify_creation(struct tpm *t, ESYS_TR ak, const struct birth *birth,
                            struct tpm_attestation_record *record) {
        static const TPMT_SIG_SCHEME of_the_key = { .scheme = TPM2_ALG_NULL };
        const TPM2B_DATA nothing = { 0 };
        TPMT_SIGNATURE *signature = NULL;
        TPM2B_ATTEST *attest = NULL;
        TSS2_RC rc;
        int r;

        rc = Esys_CertifyCreation(t->esys, ak, ak, ESYS_TR_PASSWORD, ESYS_TR_NONE, ESYS_TR_NONE,
                                  &nothing, &birth->hash, &of_the_key, &birth->ticket, &attest,
                                  &signature);
        if (rc != TSS2_RC_SUCCESS)
                return tpm_fail(t, "TPM2_CertifyCreation", rc);
        r = keep_certificate(t, attest, signature, record);
        Esys_Free(attest);
        Esys_Free(signature);
        return r;
}

/* Without a slot, or without the authority to use one, it is loaded for each use. */
static int plan_handle(struct tpm *t, const struct creation *c,
                       struct tpm_attestation_record *record) {
        const struct tpm_options *o = &t->options;
        int r;

        record->handle = 0;
        if (!c->persistent)
                return 0;
        r = tpm_look_for_handle(t, o->persistent_first, o->persistent_last, 0, &record->handle);
        if (r != -ENOSPC)
                return r;
        tpm_log(t, LOG_NOTICE,
                "TPM: every handle from 0x%08x to 0x%08x is in use, so the attestation key will not "
                "be persistent; to use it will take longer",
                (unsigned)o->persistent_first, (unsigned)o->persistent_last);
        record->handle = 0;
        return 0;
}

static int make_persistent(struct tpm *t, const struct tpm_handle *loaded,
                           struct tpm_attestation_record *record) {
        _cleanup_(tpm_handle_close) struct tpm_handle persistent = TPM_HANDLE_NONE;
        ESYS_TR tr;
        TSS2_RC rc;
        int r;

        rc = Esys_EvictControl(t->esys, ESYS_TR_RH_OWNER, loaded->tr, ESYS_TR_PASSWORD,
                               ESYS_TR_NONE, ESYS_TR_NONE, record->handle, &tr);
        if (rc == TSS2_RC_SUCCESS) {
                persistent = tpm_handle(t, tr);
                return tpm_ref_save(t, persistent.tr, &record->ref);
        }
        r = tpm_fail(t, "TPM2_EvictControl of the attestation key", rc);
        if (r != -ENOSPC && r != -EACCES)
                return r;
        tpm_log(t, LOG_NOTICE,
                "TPM: the attestation key cannot be made persistent; to use it will take longer");
        record->handle = 0;
        return 0;
}

static int remove_key(struct tpm *t, const struct tpm_attestation_record *record) {
        TPM2B_NAME name;
        int r;

        if (record->handle == 0)
                return 0;
        r = tpm_name_of_object(&record->key.public.publicArea, &name);
        return r < 0 ? r : tpm_persistent_remove(t, record->handle, &name);
}

/* An answer may have been lost: what was saved is in the TPM then, and is about to be forgotten. */
static int remove_last_try(struct tpm *t, const struct creation *c) {
        struct tpm_attestation_record record;
        int r;

        if (c->key.len == 0)
                return 0;
        r = tpm_attestation_decode(&c->key, &record);
        return r < 0 ? r : remove_key(t, &record);
}

static int create_step(struct tpm *t, void *userdata) {
        _cleanup_(tpm_srk_close) struct tpm_srk srk = TPM_SRK_NONE;
        _cleanup_(tpm_handle_flush) struct tpm_handle loaded = TPM_HANDLE_NONE;
        struct creation *c = userdata;
        struct tpm_attestation_record record = { 0 };
        struct tpm_auth by = { .session = ESYS_TR_PASSWORD, .extra = ESYS_TR_NONE };
        struct birth birth;
        TSS2_RC rc;
        int r;

        r = remove_last_try(t, c);
        if (r >= 0)
                r = tpm_srk_choose(t, &record.srk);
        if (r >= 0)
                r = tpm_srk_open(t, &record.srk, &srk);
        if (r >= 0)
                r = make(t, &srk, &record, &birth);
        if (r >= 0)
                r = plan_handle(t, c, &record);
        if (r < 0)
                return r;

        by.parent = srk.handle.tr;
        rc = tpm_object_load(t, &by, &record.key, &loaded);
        if (rc != TSS2_RC_SUCCESS)
                return tpm_fail(t, "TPM2_Load of the attestation key", rc);
        r = certify_creation(t, loaded.tr, &birth, &record);
        if (r >= 0 && record.handle != 0) {
                r = save(c, &record, &c->key);
                if (r >= 0)
                        r = make_persistent(t, &loaded, &record);
        }
        return r < 0 ? r : save(c, &record, &c->key);
}

int tpm_attestation_key_create(struct tpm *t, bool persistent, tpm_save_attestation_key_fn *save_fn,
                               void *userdata, struct tpm_attestation_key *ret) {
        struct creation c = { .persistent = persistent, .save = save_fn, .userdata = userdata };
        int r, n = 0;

        do
                r = tpm_run(t, create_step, &c);
        while (r == -EEXIST && ++n < TRIES);
        if (r == -EEXIST)
                r = -EBUSY;
        if (r < 0)
                return r;
        *ret = c.key;
        return 0;
}

static int remove_step(struct tpm *t, void *userdata) {
        tpm_attestation_close(t);
        return remove_key(t, userdata);
}

int tpm_attestation_key_remove(struct tpm *t, const struct tpm_attestation_key *key) {
        struct tpm_attestation_record record;
        int r = tpm_attestation_decode(key, &record);

        return r < 0 ? r : tpm_run(t, remove_step, &record);
}
