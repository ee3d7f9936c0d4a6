/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Handles are numbers in a space that all software on the machine shares. What is found at one of
 * ours is ours only if its Name says so: the public area of each index holds a digest that was
 * made for it (anchor.c, counter.c), and that of a key holds its public key.
 */

#include <errno.h>
#include <openssl/rand.h>
#include <string.h>
#include <syslog.h>

#include "tpm/nv.h"
#include "tpm/policy.h"

void tpm_nv_plan(const TPMS_NV_PUBLIC *template, TPM2_HANDLE index, const struct sha256 *policy,
                 struct tpm_nv *ret) {
        TPMS_NV_PUBLIC public = *template;

        public.nvIndex = index;
        public.authPolicy.size = sizeof(policy->b);
        memcpy(public.authPolicy.buffer, policy->b, sizeof(policy->b));
        *ret = (struct tpm_nv){ .public = { .size = sizeof(public), .nvPublic = public } };
}

int tpm_nv_plan_random(const TPMS_NV_PUBLIC *template, TPM2_HANDLE index, struct tpm_nv *ret) {
        struct sha256 random;

        if (RAND_bytes(random.b, sizeof(random.b)) != 1)
                return -EIO;
        tpm_nv_plan(template, index, &random, ret);
        return 0;
}

static int open_handle(struct tpm *t, TPM2_HANDLE handle, const char *command, bool *ret_absent,
                       struct tpm_handle *ret) {
        ESYS_TR tr;
        TSS2_RC rc;

        rc = Esys_TR_FromTPMPublic(t->esys, handle, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE, &tr);
        *ret_absent = tpm_rc_is_absent(rc);
        if (*ret_absent)
                return 0;
        if (rc != TSS2_RC_SUCCESS)
                return tpm_fail(t, command, rc);

        *ret = tpm_handle(t, tr);
        return 0;
}

static int name_of_handle(const struct tpm_handle *h, TPM2B_NAME *ret) {
        TPM2B_NAME *name = NULL;
        TSS2_RC rc = Esys_TR_GetName(h->t->esys, h->tr, &name);

        if (rc != TSS2_RC_SUCCESS)
                return tpm_fail(h->t, "Esys_TR_GetName", rc);

        *ret = *name;
        Esys_Free(name);
        return 0;
}

int tpm_nv_find(struct tpm *t, const struct tpm_nv *nv, enum tpm_found *ret,
                struct tpm_handle *ret_handle) {
        _cleanup_(tpm_handle_close) struct tpm_handle h = TPM_HANDLE_NONE;
        TPM2B_NAME found, unwritten, written;
        bool absent;
        int r;

        r = open_handle(t, tpm_nv_index(nv), "TPM2_NV_ReadPublic", &absent, &h);
        if (r < 0)
                return r;
        if (absent) {
                *ret = TPM_FOUND_NOTHING;
                return 0;
        }

        r = name_of_handle(&h, &found);
        if (r >= 0)
                r = tpm_name_of_nv(&nv->public.nvPublic, &unwritten);
        if (r >= 0)
                r = tpm_name_of_written(&nv->public.nvPublic, &written);
        if (r < 0)
                return r;

        *ret = tpm_name_equal(&found, &written)     ? TPM_FOUND_OURS
               : tpm_name_equal(&found, &unwritten) ? TPM_FOUND_UNWRITTEN
                                                    : TPM_FOUND_FOREIGN;
        if (*ret != TPM_FOUND_FOREIGN) {
                *ret_handle = h;
                h = TPM_HANDLE_NONE;
        }
        return 0;
}

int tpm_nv_define(struct tpm *t, const struct tpm_nv *nv, struct tpm_handle *ret) {
        const TPM2B_AUTH none = { 0 };
        ESYS_TR tr;
        TSS2_RC rc;

        rc = Esys_NV_DefineSpace(t->esys, ESYS_TR_RH_OWNER, ESYS_TR_PASSWORD, ESYS_TR_NONE,
                                 ESYS_TR_NONE, &none, &nv->public, &tr);
        if (rc != TSS2_RC_SUCCESS)
                return tpm_fail(t, "TPM2_NV_DefineSpace", rc);

        *ret = tpm_handle(t, tr);
        return 0;
}

static void say_foreign(struct tpm *t, TPM2_HANDLE handle) {
        tpm_log(t, LOG_WARNING, "TPM: what is at 0x%08x was not made here; it stays",
                (unsigned)handle);
}

static int find_to_remove(struct tpm *t, const struct tpm_nv *nv, struct tpm_handle *ret) {
        enum tpm_found found;
        int r;

        r = tpm_nv_find(t, nv, &found, ret);
        if (r >= 0 && found == TPM_FOUND_FOREIGN)
                say_foreign(t, tpm_nv_index(nv));
        return r;
}

int tpm_nv_remove(struct tpm *t, const struct tpm_nv *nv, bool proven) {
        _cleanup_(tpm_handle_close) struct tpm_handle h = TPM_HANDLE_NONE;
        TSS2_RC rc;
        int r;

        if (tpm_nv_index(nv) == 0)
                return 0;

        if (proven && nv->ref.len > 0) {
                ESYS_TR tr;

                r = tpm_ref_open(t, &nv->ref, tpm_nv_index(nv), &tr);
                if (r >= 0)
                        h = tpm_handle(t, tr);
        } else {
                r = find_to_remove(t, nv, &h);
        }
        if (r < 0 || h.tr == ESYS_TR_NONE)
                return r;

        rc = Esys_NV_UndefineSpace(t->esys, ESYS_TR_RH_OWNER, h.tr, ESYS_TR_PASSWORD, ESYS_TR_NONE,
                                   ESYS_TR_NONE);
        if (rc == TSS2_RC_SUCCESS)
                h = TPM_HANDLE_NONE; /* ESYS closed it */
        else if (!tpm_rc_is_absent(rc))
                return tpm_fail(t, "TPM2_NV_UndefineSpace", rc);
        return 0;
}

int tpm_persistent_find(struct tpm *t, TPM2_HANDLE handle, const TPM2B_NAME *want,
                        struct tpm_handle *ret) {
        _cleanup_(tpm_handle_close) struct tpm_handle h = TPM_HANDLE_NONE;
        TPM2B_NAME name;
        bool absent;
        int r;

        r = open_handle(t, handle, "TPM2_ReadPublic", &absent, &h);
        if (r < 0 || absent)
                return r;
        r = name_of_handle(&h, &name);
        if (r < 0)
                return r;
        if (!tpm_name_equal(&name, want)) {
                say_foreign(t, handle);
                return 0;
        }

        *ret = h;
        h = TPM_HANDLE_NONE;
        return 0;
}

static int evict(struct tpm *t, TPM2_HANDLE handle, struct tpm_handle *h) {
        ESYS_TR none;
        TSS2_RC rc = Esys_EvictControl(t->esys, ESYS_TR_RH_OWNER, h->tr, ESYS_TR_PASSWORD,
                                       ESYS_TR_NONE, ESYS_TR_NONE, handle, &none);

        if (rc == TSS2_RC_SUCCESS)
                *h = TPM_HANDLE_NONE; /* ESYS closed it */
        else if (!tpm_rc_is_absent(rc))
                return tpm_fail(t, "TPM2_EvictControl", rc);
        return 0;
}

int tpm_persistent_remove(struct tpm *t, TPM2_HANDLE handle, const TPM2B_NAME *name) {
        _cleanup_(tpm_handle_close) struct tpm_handle h = TPM_HANDLE_NONE;
        int r = tpm_persistent_find(t, handle, name, &h);

        return r < 0 || h.tr == ESYS_TR_NONE ? r : evict(t, handle, &h);
}

int tpm_worker_remove(struct tpm *t, const struct tpm_record *record, bool proven) {
        _cleanup_(tpm_handle_close) struct tpm_handle h = TPM_HANDLE_NONE;
        int r;

        /* The Name is recorded before the key is made persistent. */
        if (record->worker_handle == 0 || record->worker_name.size == 0)
                return 0;

        if (proven) {
                ESYS_TR tr;

                r = tpm_ref_open(t, &record->worker, record->worker_handle, &tr);
                if (r >= 0)
                        h = tpm_handle(t, tr);
        } else {
                r = tpm_persistent_find(t, record->worker_handle, &record->worker_name, &h);
        }
        return r < 0 || h.tr == ESYS_TR_NONE ? r : evict(t, record->worker_handle, &h);
}
