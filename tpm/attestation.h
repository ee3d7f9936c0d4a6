/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* The attestation key from the inside: what is kept of it, decoded, and how a step gets at it. */

#include "tpm/attestation-key.h"
#include "tpm/context.h"

struct tpm_attestation_record {
        struct tpm_root srk;
        struct tpm_blob key;
        TPM2_HANDLE handle; /* 0: it is loaded for each use */
        struct tpm_ref ref; /* empty: it was not put at the handle, or that is not known */
        struct tpm_structure creation, certificate, signature; /* empty at first, all of them */
};

/* -EBADMSG: damaged, or written by a later version. */
_must_check_ int tpm_attestation_decode(const struct tpm_attestation_key *key,
                                        struct tpm_attestation_record *ret);
/* -EMSGSIZE: the TPM's blobs are too large. */
_must_check_ int tpm_attestation_encode(const struct tpm_attestation_record *record,
                                        struct tpm_attestation_key *ret);

enum tpm_attestation_look {
        TPM_ATTESTATION_TRUST, /* it is at its persistent handle: no command, and it may be wrong */
        TPM_ATTESTATION_LOOK,  /* see whether it is, and load it if not */
};

/*
 * Part of a step, such as one with TPM2_ActivateCredential. The handle is good until the step ends; it
 * is closed by others, and its authValue is empty.
 */
_must_check_ int tpm_attestation_open(struct tpm *t, const struct tpm_attestation_record *record,
                                      enum tpm_attestation_look look, ESYS_TR *ret);
/* Takes it out of the TPM's memory. */
void tpm_attestation_close(struct tpm *t);

/* True if the AK signed these bytes, which a TPM made. */
bool tpm_attestation_verifies(const TPMT_PUBLIC *ak, struct bytes attest,
                              const TPMT_SIGNATURE *signature);
