/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Templates, indexes and handles are those of the TCG EK Credential Profile (2.2.1.4, 2.2.1.5, B.3 and
 * B.4). A persistent key is believed if its public area came from the template; whether it is the EK the
 * certificate says.
 */

#include <errno.h>
#include <openssl/err.h>
#include <openssl/x509.h>
#include <string.h>
#include <syslog.h>
#include <tss2/tss2_mu.h>

#include "ctap/crypto.h"
#include "tpm/attestation.h"
#include "tpm/endorsement.h"
#include "tpm/handle.h"
#include "tpm/template.h"

/* What every TPM reads at once (TPM2_PT_NV_BUFFER_MAX). */
#define NV_PIECE 512

#define EK_ATTRIBUTES                                                                       \
        (TPMA_OBJECT_FIXEDTPM | TPMA_OBJECT_FIXEDPARENT | TPMA_OBJECT_SENSITIVEDATAORIGIN | \
         TPMA_OBJECT_ADMINWITHPOLICY | TPMA_OBJECT_RESTRICTED | TPMA_OBJECT_DECRYPT)

/* PolicySecret of the endorsement hierarchy. */
#define POLICY_A                                                                                  \
        {                                                                                         \
                32, {                                                                             \
                        0x83, 0x71, 0x97, 0x67, 0x44, 0x84, 0xb3, 0xf8, 0x1a, 0x90, 0xcc, 0x8d,   \
                                0x46, 0xa5, 0xd7, 0x24, 0xfd, 0x52, 0xd7, 0x6e, 0x06, 0x52, 0x0b, \
                                0x64, 0xf2, 0xa1, 0xda, 0x1b, 0x33, 0x14, 0x69, 0xaa              \
                }                                                                                 \
        }

/* That, or what an index says. Nobody needs it: these keys can be used by their empty authValue. */
#define POLICY_B                                                                                  \
        {                                                                                         \
                32, {                                                                             \
                        0xca, 0x3d, 0x0a, 0x99, 0xa2, 0xb9, 0x39, 0x06, 0xf7, 0xa3, 0x34, 0x24,   \
                                0x14, 0xef, 0xcf, 0xb3, 0xa3, 0x85, 0xd4, 0x4c, 0xd1, 0xfd, 0x45, \
                                0x90, 0x89, 0xd1, 0x9b, 0x50, 0x71, 0xc0, 0xb7, 0xa0              \
                }                                                                                 \
        }

#define POLICY_B_SHA384                                                                           \
        {                                                                                         \
                48, {                                                                             \
                        0xb2, 0x6e, 0x7d, 0x28, 0xd1, 0x1a, 0x50, 0xbc, 0x53, 0xd8, 0x82, 0xbc,   \
                                0xf5, 0xfd, 0x3a, 0x1a, 0x07, 0x41, 0x48, 0xbb, 0x35, 0xd3, 0xb4, \
                                0xe4, 0xcb, 0x1c, 0x0a, 0xd9, 0xbd, 0xe4, 0x19, 0xca, 0xcb, 0x47, \
                                0xba, 0x09, 0x69, 0x96, 0x46, 0x15, 0x0f, 0x9f, 0xc0, 0x00, 0xf3, \
                                0xf8, 0x0e, 0x12                                                  \
                }                                                                                 \
        }

#define AES(bits) \
        { .algorithm = TPM2_ALG_AES, .keyBits.aes = (bits), .mode.aes = TPM2_ALG_CFB }

#define STORAGE_RSA \
        { .symmetric = AES(128), .scheme.scheme = TPM2_ALG_NULL, .keyBits = 2048, .exponent = 0 }

#define STORAGE_ECC(curve, bits)                                                            \
        {                                                                                   \
                .symmetric = AES(bits), .scheme.scheme = TPM2_ALG_NULL, .curveID = (curve), \
                .kdf.scheme = TPM2_ALG_NULL                                                 \
        }

static const struct profile {
        TPM2_HANDLE index;      /* of the certificate */
        TPM2_HANDLE persistent; /* where platforms put the key */
        bool by_password;       /* else its use takes the policy */
        enum ctap_key_type type;
        TPMT_PUBLIC template;
} profiles[_TPM_EKS] = {
        [TPM_EK_RSA2048] = { 0x01c00002,
                             0x81010001,
                             false,
                             CTAP_KEY_RSA2048,
                             { .type = TPM2_ALG_RSA,
                               .nameAlg = TPM2_ALG_SHA256,
                               .objectAttributes = EK_ATTRIBUTES,
                               .authPolicy = POLICY_A,
                               .parameters.rsaDetail = STORAGE_RSA,
                               .unique.rsa.size = 256 } },
        [TPM_EK_P256] = { 0x01c0000a,
                          0x81010002,
                          false,
                          CTAP_KEY_P256,
                          { .type = TPM2_ALG_ECC,
                            .nameAlg = TPM2_ALG_SHA256,
                            .objectAttributes = EK_ATTRIBUTES,
                            .authPolicy = POLICY_A,
                            .parameters.eccDetail = STORAGE_ECC(TPM2_ECC_NIST_P256, 128),
                            .unique.ecc = { .x.size = 32, .y.size = 32 } } },
        [TPM_EK_RSA2048_HIGH] = { 0x01c00012,
                                  0x81010012,
                                  true,
                                  CTAP_KEY_RSA2048,
                                  { .type = TPM2_ALG_RSA,
                                    .nameAlg = TPM2_ALG_SHA256,
                                    .objectAttributes = EK_ATTRIBUTES | TPMA_OBJECT_USERWITHAUTH,
                                    .authPolicy = POLICY_B,
                                    .parameters.rsaDetail = STORAGE_RSA } },
        [TPM_EK_P256_HIGH] = { 0x01c00014,
                               0x81010014,
                               true,
                               CTAP_KEY_P256,
                               { .type = TPM2_ALG_ECC,
                                 .nameAlg = TPM2_ALG_SHA256,
                                 .objectAttributes = EK_ATTRIBUTES | TPMA_OBJECT_USERWITHAUTH,
                                 .authPolicy = POLICY_B,
                                 .parameters.eccDetail = STORAGE_ECC(TPM2_ECC_NIST_P256, 128) } },
        [TPM_EK_P384_HIGH] = { 0x01c00016,
                               0x81010016,
                               true,
                               CTAP_KEY_P384,
                               { .type = TPM2_ALG_ECC,
                                 .nameAlg = TPM2_ALG_SHA384,
                                 .objectAttributes = EK_ATTRIBUTES | TPMA_OBJECT_USERWITHAUTH,
                                 .authPolicy = POLICY_B_SHA384,
                                 .parameters.eccDetail = STORAGE_ECC(TPM2_ECC_NIST_P384, 256) } },
};

int tpm_ek_ref(const struct tpm_ek *ek, struct tpm_ek_ref *ret) {
        struct sha256 id;
        int r = ctap_sha256(&BYTES(ek->public, ek->public_len), 1, &id);

        if (r == 0)
                *ret = (struct tpm_ek_ref){ ek->kind, id };
        return r;
}

void tpm_activated_wipe(struct tpm_activated *a) {
        OPENSSL_cleanse(a, sizeof(*a));
}

/* ---- certificates -------------------------------------------------------------------------- */

static int open_index(struct tpm *t, TPM2_HANDLE index, struct tpm_handle *ret,
                      uint16_t *ret_size) {
        TPM2B_NV_PUBLIC *public = NULL;
        ESYS_TR tr;
        TSS2_RC rc;

        *ret_size = 0;
        rc = Esys_TR_FromTPMPublic(t->esys, index, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE, &tr);
        if (tpm_rc_is_absent(rc))
                return 0;
        if (rc != TSS2_RC_SUCCESS)
                return tpm_fail(t, "TPM2_NV_ReadPublic", rc);

        *ret = tpm_handle(t, tr);
        rc = Esys_NV_ReadPublic(t->esys, tr, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE, &public,
                                NULL);
        if (rc != TSS2_RC_SUCCESS)
                return tpm_fail(t, "TPM2_NV_ReadPublic", rc);
        if (public->nvPublic.attributes & TPMA_NV_WRITTEN)
                *ret_size = public->nvPublic.dataSize;
        Esys_Free(public);
        return 0;
}

static int read_index(struct tpm *t, const struct tpm_handle *index, uint16_t size,
                      struct buf *to) {
        while (to->len < size) {
                const size_t left = size - to->len;
                const uint16_t n = (uint16_t)(left < NV_PIECE ? left : NV_PIECE);
                TPM2B_MAX_NV_BUFFER *piece = NULL;
                TSS2_RC rc = Esys_NV_Read(t->esys, index->tr, index->tr, ESYS_TR_PASSWORD,
                                          ESYS_TR_NONE, ESYS_TR_NONE, n, (uint16_t)to->len, &piece);

                if (rc != TSS2_RC_SUCCESS)
                        return tpm_fail(t, "TPM2_NV_Read", rc);
                buf_put(to, BYTES(piece->buffer, piece->size));
                Esys_Free(piece);
                if (buf_error(to) < 0)
                        return -EIO;
        }
        return 0;
}

/* Makers fill an index up behind the certificate. */
static uint16_t certificate_size(struct bytes b) {
        const unsigned char *end = b.data;
        X509 *x = d2i_X509(NULL, &end, (long)b.len);

        X509_free(x);
        ERR_clear_error();
        return x ? (uint16_t)(end - b.data) : 0;
}

/* Of length 0 if there is none. */
static int read_certificate(struct tpm *t, TPM2_HANDLE index, struct tpm_ek *ek) {
        _cleanup_(tpm_handle_close) struct tpm_handle h = TPM_HANDLE_NONE;
        struct buf b = BUF_ON(ek->certificate);
        uint16_t size;
        int r;

        ek->certificate_len = 0;
        r = open_index(t, index, &h, &size);
        if (r < 0 || size == 0)
                return r;
        if (size > sizeof(ek->certificate)) {
                tpm_log(t, LOG_WARNING, "TPM: what is at 0x%08x is too long for an EK certificate",
                        (unsigned)index);
                return 0;
        }
        r = read_index(t, &h, size, &b);
        if (r < 0)
                return r;
        ek->certificate_len = certificate_size(buf_bytes(&b));
        if (ek->certificate_len == 0)
                tpm_log(t, LOG_WARNING, "TPM: what is at 0x%08x is no certificate in DER",
                        (unsigned)index);
        return 0;
}

/*
 * By the bits of the key alone: some makers' certificates call it a key for RSAES-OAEP, which nobody
 * else does.
 */
static bool is_of_key(const struct tpm_ek *ek) {
        const unsigned char *certificate = ek->certificate, *public = ek->public;
        X509 *x = d2i_X509(NULL, &certificate, ek->certificate_len);
        X509_PUBKEY *key = d2i_X509_PUBKEY(NULL, &public, ek->public_len);
        const ASN1_BIT_STRING *bits = x ? X509_get0_pubkey_bitstr(x) : NULL;
        const unsigned char *wanted = NULL;
        int n = 0;
        bool is;

        is = bits && key && X509_PUBKEY_get0_param(NULL, &wanted, &n, NULL, key) == 1 &&
             bytes_equal(BYTES(wanted, (size_t)n),
                         BYTES(ASN1_STRING_get0_data(bits), (size_t)ASN1_STRING_length(bits)));
        X509_free(x);
        X509_PUBKEY_free(key);
        ERR_clear_error();
        return is;
}

/* ---- the key ------------------------------------------------------------------------------- */

static int make_key(struct tpm *t, const struct profile *p, struct tpm_handle *ret,
                    TPM2B_PUBLIC **ret_public) {
        const TPM2B_PUBLIC in = { .publicArea = p->template };
        const TPM2B_SENSITIVE_CREATE sensitive = { 0 };
        const TPM2B_DATA outside = { 0 };
        const TPML_PCR_SELECTION pcrs = { 0 };
        ESYS_TR tr;
        TSS2_RC rc;

        rc = Esys_CreatePrimary(t->esys, ESYS_TR_RH_ENDORSEMENT, ESYS_TR_PASSWORD, ESYS_TR_NONE,
                                ESYS_TR_NONE, &sensitive, &in, &outside, &pcrs, &tr, ret_public,
                                NULL, NULL, NULL);
        if (rc != TSS2_RC_SUCCESS)
                return tpm_fail(t, "TPM2_CreatePrimary of the endorsement key", rc);

        *ret = tpm_handle(t, tr);
        return 0;
}

/* *ret_public stays NULL if there is none, or one of another template. */
static int find_key(struct tpm *t, const struct profile *p, struct tpm_handle *ret,
                    TPM2B_PUBLIC **ret_public) {
        TPM2B_PUBLIC *public = NULL;
        struct tpm_handle h;
        ESYS_TR tr;
        TSS2_RC rc;

        rc = Esys_TR_FromTPMPublic(t->esys, p->persistent, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE,
                                   &tr);
        if (tpm_rc_is_absent(rc))
                return 0;
        if (rc != TSS2_RC_SUCCESS)
                return tpm_fail(t, "TPM2_ReadPublic", rc);
        h = tpm_handle(t, tr);
        rc = Esys_ReadPublic(t->esys, tr, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE, &public, NULL,
                             NULL);
        if (rc == TSS2_RC_SUCCESS && tpm_template_matches(&p->template, &public->publicArea)) {
                *ret = h;
                *ret_public = public;
                return 0;
        }
        tpm_handle_close(&h);
        Esys_Free(public);
        return rc == TSS2_RC_SUCCESS ? 0 : tpm_fail(t, "TPM2_ReadPublic", rc);
}

/* A TPM may leave leading zeros out. */
static void put_padded(struct bytes from, uint8_t *to, size_t size) {
        const size_t n = from.len < size ? from.len : size;

        memset(to, 0, size - n);
        memcpy(to + size - n, from.data, n);
}

static void put_public(const struct profile *p, const TPM2B_PUBLIC *from, struct tpm_ek *ek) {
        const TPMU_PUBLIC_ID *unique = &from->publicArea.unique;
        struct ctap_public_key key = { .type = p->type };
        const size_t size = tpm_key_types[p->type].public_size;
        struct buf b = BUF_ON(ek->public);

        if (p->type == CTAP_KEY_RSA2048) {
                put_padded(BYTES(unique->rsa.buffer, unique->rsa.size), key.modulus, size);
        } else {
                put_padded(BYTES(unique->ecc.x.buffer, unique->ecc.x.size), key.x, size);
                put_padded(BYTES(unique->ecc.y.buffer, unique->ecc.y.size), key.y, size);
        }
        ctap_spki_put(&b, &key);
        ek->public_len = (uint16_t)b.len;
}

enum source { SOURCE_PERSISTENT, SOURCE_TEMPLATE, _SOURCES };

/* Loaded or persistent, until it is dropped. */
struct endorsement_key {
        struct tpm_handle handle;
        bool is_loaded;
};

static void drop_key(struct endorsement_key *k) {
        if (k->is_loaded)
                tpm_handle_flush(&k->handle);
        else
                tpm_handle_close(&k->handle);
}

/* 1: *ret is it, and `ek` has its public half. 0: there is none of this source. */
static int open_key(struct tpm *t, enum source source, struct tpm_ek *ek,
                    struct endorsement_key *ret) {
        const struct profile *p = &profiles[ek->kind];
        TPM2B_PUBLIC *public = NULL;
        int r;

        ret->is_loaded = source == SOURCE_TEMPLATE;
        r = source == SOURCE_TEMPLATE ? make_key(t, p, &ret->handle, &public)
                                      : find_key(t, p, &ret->handle, &public);
        if (r < 0 || !public)
                return r;
        put_public(p, public, ek);
        Esys_Free(public);
        return 1;
}

/* 1: `ek` is whole. 0: the certificate is of another key. */
static int match(struct tpm *t, struct tpm_ek *ek) {
        for (unsigned i = 0; i < _SOURCES; i++) {
                _cleanup_(drop_key) struct endorsement_key key = { .handle = TPM_HANDLE_NONE };
                int r = open_key(t, i, ek, &key);

                if (r < 0)
                        return r;
                if (r > 0 && is_of_key(ek))
                        return 1;
        }
        tpm_log(t, LOG_ERR, "TPM: the EK certificate at 0x%08x is for another key than this TPM's",
                (unsigned)profiles[ek->kind].index);
        return 0;
}

/* 1: `ek` is whole, without a certificate. 0: the TPM makes no such key. */
static int take_uncertified(struct tpm *t, struct tpm_ek *ek) {
        const TPMT_PUBLIC *template = &profiles[ek->kind].template;
        const TPMT_PUBLIC_PARMS parameters = { template->type, template->parameters };
        TSS2_RC rc = Esys_TestParms(t->esys, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE, &parameters);
        int r = 0;

        if (rc != TSS2_RC_SUCCESS)
                return tpm_rc_is_refusal(rc) ? 0 : tpm_fail(t, "TPM2_TestParms", rc);
        ek->certificate_len = 0;
        for (unsigned i = 0; r == 0 && i < _SOURCES; i++) {
                _cleanup_(drop_key) struct endorsement_key key = { .handle = TPM_HANDLE_NONE };

                r = open_key(t, i, ek, &key);
        }
        return r;
}

static int read_step(struct tpm *t, void *userdata) {
        struct tpm_ek *ek = userdata;
        bool mismatch = false;
        int r;

        for (unsigned i = 0; i < _TPM_EKS; i++) {
                ek->kind = i;
                r = read_certificate(t, profiles[i].index, ek);
                if (r < 0)
                        return r;
                if (ek->certificate_len == 0)
                        continue;
                r = match(t, ek);
                if (r != 0)
                        return r;
                mismatch = true;
        }
        if (mismatch)
                return -EKEYREJECTED;
        for (unsigned i = TPM_EK_RSA2048; i <= TPM_EK_P256; i++) {
                ek->kind = i;
                r = take_uncertified(t, ek);
                if (r != 0)
                        return r;
        }
        tpm_log(t, LOG_ERR, "TPM: it makes no endorsement key that is known here");
        return -ENOTSUP;
}

int tpm_ek_read(struct tpm *t, struct tpm_ek *ret) {
        struct tpm_ek ek;
        int r = tpm_run(t, read_step, &ek);

        if (r > 0)
                *ret = ek;
        return r < 0 ? r : 0;
}

/* ---- a secret for a key --------------------------------------------------------------------- */

struct activation {
        struct tpm_attestation_record ak;
        const struct tpm_ek_ref *ek;
        TPM2B_ID_OBJECT credential;
        TPM2B_ENCRYPTED_SECRET secret;
        struct tpm_activated result;
};

/* -ESTALE: the TPM has it no more. */
static int open_again(struct tpm *t, const struct tpm_ek_ref *ref, struct endorsement_key *ret) {
        struct tpm_ek ek = { .kind = ref->kind };

        for (unsigned i = 0; i < _SOURCES; i++) {
                _cleanup_(drop_key) struct endorsement_key key = { .handle = TPM_HANDLE_NONE };
                struct tpm_ek_ref found;
                int r = open_key(t, i, &ek, &key);

                if (r == 0)
                        continue;
                if (r > 0)
                        r = tpm_ek_ref(&ek, &found);
                if (r < 0)
                        return r;
                if (bytes_equal(BYTES_OF(found.id), BYTES_OF(ref->id))) {
                        *ret = key;
                        key.handle = TPM_HANDLE_NONE;
                        return 0;
                }
        }
        tpm_log(t, LOG_ERR, "TPM: its endorsement key is another one than before");
        return -ESTALE;
}

/* *ret is ESYS_TR_PASSWORD's place: empty, if a password does. */
static int authorise(struct tpm *t, const struct profile *p, struct tpm_handle *ret) {
        _cleanup_(tpm_handle_flush) struct tpm_handle session = TPM_HANDLE_NONE;
        TSS2_RC rc;
        int r;

        if (p->by_password)
                return 0;
        r = tpm_session_start(t, ESYS_TR_NONE, &session);
        if (r < 0)
                return r;
        rc = Esys_PolicySecret(t->esys, ESYS_TR_RH_ENDORSEMENT, session.tr, ESYS_TR_PASSWORD,
                               ESYS_TR_NONE, ESYS_TR_NONE, NULL, NULL, NULL, 0, NULL, NULL);
        if (rc != TSS2_RC_SUCCESS)
                return tpm_fail(t, "TPM2_PolicySecret of the endorsement hierarchy", rc);
        *ret = session;
        session = TPM_HANDLE_NONE;
        return 0;
}

static void take_result(const TPM2B_DIGEST *from, struct tpm_activated *ret) {
        ret->len = from->size;
        memcpy(ret->b, from->buffer, from->size);
}

/*
 * libtpms has TPM_RC_FAILURE for a secret that was encrypted for another RSA key. One that is in failure
 * mode had not come as far as this.
 */
static bool is_refusal_of_challenge(TSS2_RC rc) {
        return (tpm_rc_is_refusal(rc) && (rc & TPM2_RC_P)) || tpm_rc_base(rc) == TPM2_RC_FAILURE;
}

static int activate_step(struct tpm *t, void *userdata) {
        _cleanup_(tpm_handle_flush) struct tpm_handle session = TPM_HANDLE_NONE;
        _cleanup_(drop_key) struct endorsement_key ek = { .handle = TPM_HANDLE_NONE };
        struct activation *a = userdata;
        TPM2B_DIGEST *digest = NULL;
        ESYS_TR ak;
        TSS2_RC rc;
        int r;

        r = tpm_attestation_open(t, &a->ak, TPM_ATTESTATION_LOOK, &ak);
        if (r >= 0)
                r = open_again(t, a->ek, &ek);
        if (r >= 0)
                r = authorise(t, &profiles[a->ek->kind], &session);
        if (r < 0)
                return r;

        rc = Esys_ActivateCredential(t->esys, ak, ek.handle.tr, ESYS_TR_PASSWORD,
                                     session.tr == ESYS_TR_NONE ? ESYS_TR_PASSWORD : session.tr,
                                     ESYS_TR_NONE, &a->credential, &a->secret, &digest);
        if (rc != TSS2_RC_SUCCESS) {
                r = tpm_fail(t, "TPM2_ActivateCredential", rc);
                return is_refusal_of_challenge(rc) ? -EKEYREJECTED : r;
        }
        take_result(digest, &a->result);
        OPENSSL_cleanse(digest, sizeof(*digest));
        Esys_Free(digest);
        return 0;
}

/* Each of them, and nothing behind. */
static int read_challenge(const struct tpm_challenge *from, struct activation *a) {
        size_t n_credential = 0, n_secret = 0;

        if (Tss2_MU_TPM2B_ID_OBJECT_Unmarshal(from->credential.data, from->credential.len,
                                              &n_credential, &a->credential) != TSS2_RC_SUCCESS ||
            Tss2_MU_TPM2B_ENCRYPTED_SECRET_Unmarshal(from->secret.data, from->secret.len, &n_secret,
                                                     &a->secret) != TSS2_RC_SUCCESS)
                return -EBADMSG;
        return n_credential == from->credential.len && n_secret == from->secret.len ? 0 : -EBADMSG;
}

static void activation_wipe(struct activation *a) {
        tpm_activated_wipe(&a->result);
}

int tpm_ek_activate(struct tpm *t, const struct tpm_ek_ref *ek,
                    const struct tpm_attestation_key *ak, const struct tpm_challenge *challenge,
                    struct tpm_activated *ret) {
        _cleanup_(activation_wipe) struct activation a = { .ek = ek };
        int r;

        if (ek->kind >= _TPM_EKS)
                return -EBADMSG;
        r = read_challenge(challenge, &a);
        if (r >= 0)
                r = tpm_attestation_decode(ak, &a.ak);
        if (r >= 0)
                r = tpm_run(t, activate_step, &a);
        if (r < 0)
                return r;
        *ret = a.result;
        return 0;
}
