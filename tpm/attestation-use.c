/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The attestation key in use. At its persistent handle it costs no command. It is not looked at there:
 * a command that is authorised by a password says nothing of Names, so that somebody else's key, put in
 * the place of ours, would sign. So every signature is verified here, and one that is none of ours is
 * answered by a look, after which the key is loaded for each use. Only a check puts it back: whoever
 * uses it cannot know that it was not removed, and what came back then would have no owner.
 */

#include <errno.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <string.h>
#include <syslog.h>
#include <tss2/tss2_mu.h>

#include "tpm/attestation.h"
#include "tpm/handle.h"
#include "tpm/key.h"
#include "tpm/nv.h"
#include "tpm/object.h"
#include "tpm/policy.h"
#include "tpm/srk.h"

/* ---- open and close ----------------------------------------------------------------------- */

void tpm_attestation_close(struct tpm *t) {
        if (t->attestation != ESYS_TR_NONE && t->attestation_is_loaded)
                tpm_flush(t, t->attestation);
        else if (t->attestation != ESYS_TR_NONE && t->esys)
                (void)Esys_TR_Close(t->esys, &t->attestation);
        t->attestation = ESYS_TR_NONE;
        t->attestation_is_loaded = false;
}

static TSS2_RC load_under(struct tpm *t, const struct tpm_srk *srk,
                          const struct tpm_attestation_record *record, struct tpm_handle *ret) {
        const struct tpm_auth by = { srk->handle.tr, ESYS_TR_PASSWORD, ESYS_TR_NONE };

        return tpm_object_load(t, &by, &record->key, ret);
}

/* As with P1: the SRK may be gone from its handle, or be another one. */
static int load(struct tpm *t, const struct tpm_attestation_record *record,
                struct tpm_handle *ret) {
        _cleanup_(tpm_srk_close) struct tpm_srk srk = TPM_SRK_NONE;
        TSS2_RC rc;
        int r;

        r = tpm_srk_open(t, &record->srk, &srk);
        if (r < 0)
                return r;
        rc = load_under(t, &srk, record, ret);
        if (tpm_rc_is_refusal(rc) && !srk.is_loaded) {
                tpm_srk_close(&srk);
                r = tpm_srk_make(t, &record->srk, &srk);
                if (r < 0)
                        return r;
                rc = load_under(t, &srk, record, ret);
        }
        return rc == TSS2_RC_SUCCESS ? 0
                                     : tpm_fail_stale(t, "TPM2_Load of the attestation key", rc);
}

/* As with P2: the TPM may not want it there. */
static int put_back(struct tpm *t, const struct tpm_attestation_record *record) {
        ESYS_TR tr;
        TSS2_RC rc;
        int r;

        rc = Esys_EvictControl(t->esys, ESYS_TR_RH_OWNER, t->attestation, ESYS_TR_PASSWORD,
                               ESYS_TR_NONE, ESYS_TR_NONE, record->handle, &tr);
        if (rc == TSS2_RC_SUCCESS) {
                tpm_log(t, LOG_NOTICE,
                        "TPM: the attestation key was gone from 0x%08x and is there again",
                        (unsigned)record->handle);
                tpm_attestation_close(t);
                t->attestation = tr;
                t->attestation_is_gone = false;
                return 0;
        }
        r = tpm_fail(t, "TPM2_EvictControl of the attestation key", rc);
        if (t->trouble != 0)
                return r;
        tpm_log(t, LOG_WARNING,
                "TPM: the attestation key is gone from 0x%08x and cannot be put back; to use it "
                "will take longer",
                (unsigned)record->handle);
        return 0;
}

static int load_and_keep(struct tpm *t, const struct tpm_attestation_record *record) {
        struct tpm_handle loaded = TPM_HANDLE_NONE;
        int r = load(t, record, &loaded);

        if (r < 0)
                return r;
        t->attestation = loaded.tr;
        t->attestation_is_loaded = true;
        return 0;
}

/* 1: it is at its persistent handle, and open. */
static int open_persistent(struct tpm *t, const struct tpm_attestation_record *record,
                           const TPM2B_NAME *name, enum tpm_attestation_look look) {
        struct tpm_handle found = TPM_HANDLE_NONE;
        int r;

        if (record->handle == 0 || (look == TPM_ATTESTATION_TRUST && t->attestation_is_gone))
                return 0;
        if (look == TPM_ATTESTATION_TRUST && record->ref.len > 0) {
                r = tpm_ref_open(t, &record->ref, record->handle, &t->attestation);
                return r < 0 ? r : 1;
        }
        r = tpm_persistent_find(t, record->handle, name, &found);
        if (r < 0)
                return r;
        t->attestation_is_gone = found.tr == ESYS_TR_NONE;
        if (t->attestation_is_gone)
                return 0;
        t->attestation = found.tr;
        return 1;
}

int tpm_attestation_open(struct tpm *t, const struct tpm_attestation_record *record,
                         enum tpm_attestation_look look, ESYS_TR *ret) {
        TPM2B_NAME name;
        int r = tpm_name_of_object(&record->key.public.publicArea, &name);

        if (r < 0)
                return r;
        if (!tpm_name_equal(&name, &t->attestation_name)) {
                tpm_attestation_close(t);
                t->attestation_name = name;
                t->attestation_is_gone = false;
        }
        if (look == TPM_ATTESTATION_LOOK && !t->attestation_is_loaded)
                tpm_attestation_close(t);
        if (t->attestation == ESYS_TR_NONE) {
                r = open_persistent(t, record, &name, look);
                if (r == 0)
                        r = load_and_keep(t, record);
                if (r < 0)
                        return r;
        }
        *ret = t->attestation;
        return 0;
}

/* ---- what it signed ----------------------------------------------------------------------- */

static void pkey_free(EVP_PKEY **key) {
        EVP_PKEY_free(*key);
}

static void md_free(EVP_MD_CTX **md) {
        EVP_MD_CTX_free(*md);
}

static EVP_PKEY *public_of(const TPMT_PUBLIC *ak) {
        EVP_PKEY_CTX *c = EVP_PKEY_CTX_new_from_name(NULL, "EC", NULL);
        char curve[] = "P-256";
        uint8_t point[65] = { 4 };
        OSSL_PARAM params[] = {
                OSSL_PARAM_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, curve, sizeof(curve) - 1),
                OSSL_PARAM_octet_string(OSSL_PKEY_PARAM_PUB_KEY, point, sizeof(point)),
                OSSL_PARAM_END,
        };
        EVP_PKEY *key = NULL;

        memcpy(point + 1, ak->unique.ecc.x.buffer, 32);
        memcpy(point + 33, ak->unique.ecc.y.buffer, 32);
        if (!c || EVP_PKEY_fromdata_init(c) != 1 ||
            EVP_PKEY_fromdata(c, &key, EVP_PKEY_PUBLIC_KEY, params) != 1)
                key = NULL;
        EVP_PKEY_CTX_free(c);
        return key;
}

bool tpm_attestation_verifies(const TPMT_PUBLIC *ak, struct bytes attest,
                              const TPMT_SIGNATURE *signature) {
        _cleanup_(pkey_free) EVP_PKEY *key = public_of(ak);
        _cleanup_(md_free) EVP_MD_CTX *md = EVP_MD_CTX_new();
        struct ctap_signature der;
        bool good;

        good = key && md && signature->sigAlg == TPM2_ALG_ECDSA &&
               signature->signature.ecdsa.hash == TPM2_ALG_SHA256 &&
               tpm_put_ecdsa(&signature->signature.ecdsa, &der) == 0 &&
               EVP_DigestVerifyInit(md, NULL, EVP_sha256(), NULL, key) == 1 &&
               EVP_DigestVerify(md, der.data, der.len, attest.data, attest.len) == 1;
        ERR_clear_error();
        return good;
}

/* It is a certificate of this key with this data, by nobody else than the AK. */
static bool is_of(const TPM2B_ATTEST *attest, const TPMT_SIGNATURE *signature,
                  const TPMT_PUBLIC *ak, const TPM2B_NAME *of, const TPM2B_DATA *data) {
        TPMS_ATTEST read = { 0 };
        size_t n = 0;

        return tpm_attestation_verifies(ak, BYTES(attest->attestationData, attest->size),
                                        signature) &&
               Tss2_MU_TPMS_ATTEST_Unmarshal(attest->attestationData, attest->size, &n, &read) ==
                       TSS2_RC_SUCCESS &&
               n == attest->size && read.magic == TPM2_GENERATED_VALUE &&
               read.type == TPM2_ST_ATTEST_CERTIFY &&
               tpm_name_equal(&read.attested.certify.name, of) &&
               bytes_equal(BYTES(read.extraData.buffer, read.extraData.size),
                           BYTES(data->buffer, data->size));
}

/* ---- certify ------------------------------------------------------------------------------ */

struct certifying {
        const struct tpm_attestation_record *record;
        struct ctap_loaded_key *of;
        TPM2B_NAME name; /* of that */
        TPM2B_DATA data;
        struct ctap_certification *ret;
};

static int keep(const struct certifying *c, const TPM2B_ATTEST *attest,
                const TPMT_SIGNATURE *signature) {
        struct ctap_certification made = { 0 };
        struct buf info = BUF_ON(made.info);
        size_t n = 0;
        int r;

        buf_put(&info, BYTES(attest->attestationData, attest->size));
        r = buf_error(&info);
        if (r >= 0)
                r = tpm_put_ecdsa(&signature->signature.ecdsa, &made.signature);
        if (r < 0)
                return r;
        if (Tss2_MU_TPMT_PUBLIC_Marshal(tpm_key_public(c->of), made.public_area,
                                        sizeof(made.public_area), &n) != TSS2_RC_SUCCESS)
                return -EMSGSIZE;
        made.info_len = (uint16_t)info.len;
        made.public_area_len = (uint16_t)n;
        *c->ret = made;
        return 0;
}

/* -ENOKEY: what is at the persistent handle may not be the AK; LOOK says whether it is. */
static int certify_by(struct tpm *t, const struct certifying *c, enum tpm_attestation_look look) {
        static const TPMT_SIG_SCHEME of_the_key = { .scheme = TPM2_ALG_NULL };
        TPMT_SIGNATURE *signature = NULL;
        TPM2B_ATTEST *attest = NULL;
        ESYS_TR ak, key;
        TSS2_RC rc;
        int r;

        r = tpm_attestation_open(t, c->record, look, &ak);
        if (r >= 0)
                r = tpm_key_handle(t, c->of, &key);
        if (r < 0)
                return r;
        rc = Esys_Certify(t->esys, key, ak, ESYS_TR_PASSWORD, ESYS_TR_PASSWORD, ESYS_TR_NONE,
                          &c->data, &of_the_key, &attest, &signature);
        if (tpm_rc_is_refusal(rc) && look == TPM_ATTESTATION_TRUST)
                return -ENOKEY;
        if (rc != TSS2_RC_SUCCESS)
                return tpm_fail(t, "TPM2_Certify", rc);

        if (is_of(attest, signature, &c->record->key.public.publicArea, &c->name, &c->data))
                r = keep(c, attest, signature);
        else
                r = -ENOKEY;
        Esys_Free(attest);
        Esys_Free(signature);
        return r;
}

static int certify_step(struct tpm *t, void *userdata) {
        const struct certifying *c = userdata;
        int r = certify_by(t, c, TPM_ATTESTATION_TRUST);

        if (r == -ENOKEY) {
                r = certify_by(t, c, TPM_ATTESTATION_LOOK);
                if (t->attestation_is_gone)
                        tpm_log(t, LOG_NOTICE,
                                "TPM: the attestation key is gone from 0x%08x; it is loaded for "
                                "each use",
                                (unsigned)c->record->handle);
        }
        if (r != -ENOKEY)
                return r;
        tpm_log(t, LOG_ERR, "TPM: TPM2_Certify gave what the attestation key did not sign");
        return -EIO;
}

int tpm_attestation_key_certify(struct tpm *t, const struct tpm_attestation_key *key,
                                struct ctap_loaded_key *of, struct bytes data,
                                struct ctap_certification *ret) {
        struct tpm_attestation_record record;
        struct certifying c = { .record = &record, .of = of, .ret = ret };
        int r;

        if (data.len > sizeof(c.data.buffer))
                return -EINVAL;
        r = tpm_attestation_decode(key, &record);
        if (r >= 0)
                r = tpm_name_of_object(tpm_key_public(of), &c.name);
        if (r < 0)
                return r;
        c.data.size = (uint16_t)data.len;
        if (data.len > 0)
                memcpy(c.data.buffer, data.data, data.len);
        return tpm_run(t, certify_step, &c);
}

static int open_step(struct tpm *t, void *userdata) {
        ESYS_TR ak;

        return tpm_attestation_open(t, userdata, TPM_ATTESTATION_TRUST, &ak);
}

int tpm_attestation_key_load(struct tpm *t, const struct tpm_attestation_key *key,
                             struct bytes blob, struct ctap_loaded_key **ret) {
        struct tpm_attestation_record record;
        int r = tpm_attestation_decode(key, &record);

        /* The TPM may have room for three objects only: this key, its parent and the AK. */
        tpm_flush_unloaded(t);
        if (r >= 0)
                r = tpm_run(t, open_step, &record);
        return r < 0 ? r : tpm_key_load_to_certify(t, blob, ret);
}

static int check_step(struct tpm *t, void *userdata) {
        const struct tpm_attestation_record *record = userdata;
        ESYS_TR ak;
        int r;

        tpm_attestation_close(t);
        r = tpm_attestation_open(t, record, TPM_ATTESTATION_LOOK, &ak);
        if (r >= 0 && t->attestation_is_gone)
                r = put_back(t, record);
        if (r >= 0 && t->attestation_is_loaded)
                tpm_attestation_close(t);
        return r;
}

int tpm_attestation_key_check(struct tpm *t, const struct tpm_attestation_key *key) {
        struct tpm_attestation_record record;
        int r = tpm_attestation_decode(key, &record);

        return r < 0 ? r : tpm_run(t, check_step, &record);
}
