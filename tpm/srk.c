/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The SRK comes out of the owner seed and the template: the same template gives the same key until
 * TPM2_Clear changes the seed. What is at 0x81000001 may be ECC or RSA and is taken as it is, if
 * it is a storage key that a password can use; else a key of our own template is made when
 * needed. That is for the owner to do; so where a password is set the key has to be persistent.
 */

#include <errno.h>
#include <syslog.h>

#include "tpm/policy.h"
#include "tpm/srk.h"
#include "tpm/template.h"

void tpm_srk_close(struct tpm_srk *srk) {
        if (srk->is_loaded)
                tpm_handle_flush(&srk->handle);
        else
                tpm_handle_close(&srk->handle);
        srk->is_loaded = false;
}

static bool is_usable(const TPMT_PUBLIC *public) {
        static const TPMA_OBJECT must = TPMA_OBJECT_FIXEDTPM | TPMA_OBJECT_FIXEDPARENT |
                                        TPMA_OBJECT_USERWITHAUTH | TPMA_OBJECT_RESTRICTED |
                                        TPMA_OBJECT_DECRYPT;

        return (public->type == TPM2_ALG_ECC || public->type == TPM2_ALG_RSA) &&
               (public->objectAttributes & must) == must &&
               !(public->objectAttributes & TPMA_OBJECT_SIGN_ENCRYPT);
}

static int name_of(struct tpm *t, ESYS_TR tr, TPM2B_NAME *ret) {
        TPM2B_NAME *name = NULL;
        TSS2_RC rc = Esys_TR_GetName(t->esys, tr, &name);

        if (rc != TSS2_RC_SUCCESS)
                return tpm_fail(t, "Esys_TR_GetName", rc);

        *ret = *name;
        Esys_Free(name);
        return 0;
}

static int create_primary(struct tpm *t, struct tpm_srk *ret) {
        const TPM2B_PUBLIC in = { .publicArea = tpm_template_srk };
        const TPM2B_SENSITIVE_CREATE sensitive = { 0 };
        const TPM2B_DATA outside = { 0 };
        const TPML_PCR_SELECTION pcrs = { 0 };
        ESYS_TR tr;
        TSS2_RC rc;

        rc = Esys_CreatePrimary(t->esys, ESYS_TR_RH_OWNER, ESYS_TR_PASSWORD, ESYS_TR_NONE,
                                ESYS_TR_NONE, &sensitive, &in, &outside, &pcrs, &tr, NULL, NULL,
                                NULL, NULL);
        if (rc != TSS2_RC_SUCCESS)
                return tpm_fail(t, "TPM2_CreatePrimary", rc);

        *ret = (struct tpm_srk){ tpm_handle(t, tr), true };
        return 0;
}

/* Takes what is at the well-known handle. 1: did so; 0: it is empty, or not usable. */
static int find(struct tpm *t, bool *ret_occupied, struct tpm_srk *ret) {
        _cleanup_(tpm_srk_close) struct tpm_srk srk = TPM_SRK_NONE;
        TPM2B_PUBLIC *public = NULL;
        bool usable;
        ESYS_TR tr;
        TSS2_RC rc;

        rc = Esys_TR_FromTPMPublic(t->esys, TPM_SRK_HANDLE, ESYS_TR_NONE, ESYS_TR_NONE,
                                   ESYS_TR_NONE, &tr);
        *ret_occupied = !tpm_rc_is_absent(rc);
        if (tpm_rc_is_absent(rc))
                return 0;
        if (rc != TSS2_RC_SUCCESS)
                return tpm_fail(t, "TPM2_ReadPublic", rc);

        srk.handle = tpm_handle(t, tr);
        rc = Esys_ReadPublic(t->esys, tr, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE, &public, NULL,
                             NULL);
        if (rc != TSS2_RC_SUCCESS)
                return tpm_fail(t, "TPM2_ReadPublic", rc);

        usable = is_usable(&public->publicArea);
        if (usable && !(public->publicArea.objectAttributes & TPMA_OBJECT_NODA))
                tpm_log(t, LOG_WARNING,
                        "TPM: the storage root key 0x%08x lacks noDA: while the TPM is locked out "
                        "by somebody's wrong passwords, nothing can be unlocked",
                        TPM_SRK_HANDLE);
        Esys_Free(public);
        if (!usable) {
                tpm_log(t, LOG_WARNING,
                        "TPM: 0x%08x is no storage root key; making one when it is needed",
                        TPM_SRK_HANDLE);
                return 0;
        }

        *ret = srk;
        srk = TPM_SRK_NONE;
        return 1;
}

static int persist(struct tpm *t, struct tpm_srk *srk) {
        ESYS_TR tr;
        TSS2_RC rc;

        rc = Esys_EvictControl(t->esys, ESYS_TR_RH_OWNER, srk->handle.tr, ESYS_TR_PASSWORD,
                               ESYS_TR_NONE, ESYS_TR_NONE, TPM_SRK_HANDLE, &tr);
        if (rc != TSS2_RC_SUCCESS)
                return tpm_fail(t, "TPM2_EvictControl", rc);

        tpm_srk_close(srk);
        *srk = (struct tpm_srk){ tpm_handle(t, tr), false };
        return 0;
}

/* One of our template; persistent if it was asked for or if it could not be made again later. */
static int make_first(struct tpm *t, bool occupied, struct tpm_srk *ret) {
        bool must_stay = t->owner_auth.size > 0;
        int r;

        if (must_stay && occupied) {
                tpm_log(t, LOG_ERR,
                        "TPM: 0x%08x is taken by something else, and with an owner authorisation "
                        "no storage root key can be made at each start",
                        TPM_SRK_HANDLE);
                return -ENOTSUP;
        }
        r = create_primary(t, ret);
        if (r < 0 || occupied || !(t->options.persist_srk || must_stay))
                return r;
        r = persist(t, ret);
        return r == -ENOSPC && !must_stay ? 0 : r;
}

int tpm_srk_choose(struct tpm *t, struct tpm_root *ret) {
        _cleanup_(tpm_srk_close) struct tpm_srk srk = TPM_SRK_NONE;
        bool occupied;
        int r;

        r = find(t, &occupied, &srk);
        if (r == 0)
                r = make_first(t, occupied, &srk);
        if (r < 0)
                return r;

        ret->ref.len = 0;
        if (!srk.is_loaded) {
                r = tpm_ref_save(t, srk.handle.tr, &ret->ref);
                if (r < 0)
                        return r;
        }
        return name_of(t, srk.handle.tr, &ret->name);
}

/* Somebody may have made it persistent meanwhile; the Name tells if it is the same. */
static int make_or_find(struct tpm *t, struct tpm_srk *ret) {
        bool occupied;
        int r = create_primary(t, ret);

        if (r != -EACCES)
                return r;
        if (find(t, &occupied, ret) > 0)
                return 0;

        tpm_log(t, LOG_ERR,
                "TPM: an owner authorisation was set; without it, and without the storage root key "
                "at 0x%08x, nothing can be unlocked",
                TPM_SRK_HANDLE);
        return r;
}

int tpm_srk_make(struct tpm *t, const struct tpm_root *root, struct tpm_srk *ret) {
        _cleanup_(tpm_srk_close) struct tpm_srk srk = TPM_SRK_NONE;
        TPM2B_NAME name;
        int r;

        r = make_or_find(t, &srk);
        if (r >= 0)
                r = name_of(t, srk.handle.tr, &name);
        if (r < 0)
                return r;
        if (!tpm_name_equal(&name, &root->name)) {
                tpm_log(t, LOG_ERR,
                        "TPM: its owner seed gives another storage root key than before: "
                        "the TPM was cleared or replaced, or a key was removed from 0x%08x",
                        TPM_SRK_HANDLE);
                return -ESTALE;
        }

        *ret = srk;
        srk = TPM_SRK_NONE;
        return 0;
}

int tpm_srk_open(struct tpm *t, const struct tpm_root *root, struct tpm_srk *ret) {
        ESYS_TR tr;
        int r;

        if (root->ref.len == 0)
                return tpm_srk_make(t, root, ret);

        r = tpm_ref_open(t, &root->ref, TPM_SRK_HANDLE, &tr);
        if (r < 0)
                return r;

        *ret = (struct tpm_srk){ tpm_handle(t, tr), false };
        return 0;
}
