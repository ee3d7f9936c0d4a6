/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/*
 * The endorsement key (EK): what the TPM's maker vouches for, by a certificate that lies in the TPM
 * (TCG EK Credential Profile, 2.2.1). It decrypts one thing only: a secret that somebody made for a
 * key in the same TPM (TPM2_ActivateCredential). Who gets that secret back knows that this key and the
 * EK are of one TPM.
 *
 * The EK is not ours: it is found where it is persistent, or made anew by the profile's template, which
 * gives the same key each time. Nothing of it stays in the TPM.
 */

#include <stdint.h>

#include "ctap/bytes.h"
#include "ctap/macro.h"
#include "ctap/spki.h"
#include "tpm/attestation-key.h"
#include "tpm/tpm.h"

/* By the profile's templates. Kept in files: the numbers stay. */
enum tpm_ek_kind {
        TPM_EK_RSA2048 = 0,      /* L-1 */
        TPM_EK_P256 = 1,         /* L-2 */
        TPM_EK_RSA2048_HIGH = 2, /* H-1 */
        TPM_EK_P256_HIGH = 3,    /* H-2 */
        TPM_EK_P384_HIGH = 4,    /* H-3 */
        _TPM_EKS,
};

#define TPM_EK_CERTIFICATE_MAX 4096

struct tpm_ek {
        enum tpm_ek_kind kind;
        uint16_t public_len, certificate_len;
        uint8_t public[CTAP_SPKI_MAX];               /* SubjectPublicKeyInfo in DER */
        uint8_t certificate[TPM_EK_CERTIFICATE_MAX]; /* X.509 in DER; empty: the TPM holds none */
};

/*
 * The first EK that the TPM holds a certificate for, or else the RSA key or the one on P-256 without
 * any.
 *   -EKEYREJECTED  a certificate is there, and is for another key
 *   -EACCES        the endorsement hierarchy has a password
 *   -ENOTSUP       the TPM makes none of these
 */
_must_check_ int tpm_ek_read(struct tpm *t, struct tpm_ek *ret);

/* Which EK that was, to find it again. */
struct tpm_ek_ref {
        enum tpm_ek_kind kind;
        struct sha256 id; /* of its SubjectPublicKeyInfo */
};

_must_check_ int tpm_ek_ref(const struct tpm_ek *ek, struct tpm_ek_ref *ret);

/* What was made for a key: a secret; it has _cleanup_(tpm_activated_wipe). */
struct tpm_activated {
        uint16_t len;
        uint8_t b[64]; /* no digest is longer */
};

void tpm_activated_wipe(struct tpm_activated *a);

/* A TPM2B_ID_OBJECT and a TPM2B_ENCRYPTED_SECRET, as they go over the wire. */
struct tpm_challenge {
        struct bytes credential, secret;
};

/*
 * TPM2_ActivateCredential.
 *   -EBADMSG       the challenge is none
 *   -EKEYREJECTED  it was made for another TPM, or for another key than this one, or was changed
 *   -ESTALE        the TPM's EK is another one now, or the attestation key is not of this TPM
 *   -EACCES        the endorsement hierarchy has a password
 */
_must_check_ int tpm_ek_activate(struct tpm *t, const struct tpm_ek_ref *ek,
                                 const struct tpm_attestation_key *ak,
                                 const struct tpm_challenge *challenge, struct tpm_activated *ret);
