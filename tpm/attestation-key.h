/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/*
 * The attestation key (AK): what this TPM vouches with for keys that it made. There is one for each
 * machine, under the SRK and outside of P1, so that a reset of a user's leaves it alone. It is
 * restricted: what it signs are structures that the TPM made itself.
 *
 * What is kept of it is no secret: all in it is public or wrapped by the TPM. Functions fail as those
 * of tpm.h do; none of them needs tpm_unlock() but the two at the end.
 */

#include "tpm/tpm.h"

#define TPM_ATTESTATION_KEY_MAX 4096

/* Opaque; written field by field, versioned (attestation-record.c). */
struct tpm_attestation_key {
        uint16_t len;
        uint8_t data[TPM_ATTESTATION_KEY_MAX];
};

/* Makes it durable before it returns. A negative errno ends what was going on. */
typedef int tpm_save_attestation_key_fn(void *userdata, const struct tpm_attestation_key *key);

/*
 * Makes one and has it certify its own creation. With `persistent` it is put at a free handle of the
 * options' range; where there is none, or where that takes an owner's password which was not given
 * (tpm_set_owner_auth()), it is loaded for each use instead. It is saved before there is anything of it
 * in the TPM, and again when it is whole. A crash in between leaves one that can be used or removed.
 */
_must_check_ int tpm_attestation_key_create(struct tpm *t, bool persistent,
                                            tpm_save_attestation_key_fn *save, void *userdata,
                                            struct tpm_attestation_key *ret);
/* Takes it out of the TPM, where nothing of it is left then. What is kept of it loads still. */
_must_check_ int tpm_attestation_key_remove(struct tpm *t, const struct tpm_attestation_key *key);
/*
 * Whether it can be used: at most four commands, and one to put it back where it is gone from its
 * persistent handle. Nothing else does that: a key that is removed while others use it stays away.
 * -ESTALE: it is not of this TPM, or this TPM was cleared since. -EBADMSG: damaged.
 */
_must_check_ int tpm_attestation_key_check(struct tpm *t, const struct tpm_attestation_key *key);

/* A structure of the TPM, as it goes over the wire and without a size in front. */
struct tpm_structure {
        uint16_t len;
        uint8_t data[512];
};

/* What an attestation CA is told of it, and what tells it from others. */
struct tpm_attestation_facts {
        uint32_t handle; /* persistent; 0: it is loaded for each use */
        uint8_t name[34];
        struct ctap_public_key public_key;
        struct tpm_structure public;      /* TPMT_PUBLIC */
        struct tpm_structure creation;    /* TPMS_CREATION_DATA */
        struct tpm_structure certificate; /* TPMS_ATTEST of TPM2_CertifyCreation, by itself */
        struct tpm_structure signature;   /* TPMT_SIGNATURE over that */
};

/* Asks no TPM. -EBADMSG: damaged. */
_must_check_ int tpm_attestation_key_facts(const struct tpm_attestation_key *key,
                                           struct tpm_attestation_facts *ret);

/* ---- use, after tpm_unlock() -------------------------------------------------------------- */

/*
 * Makes both ready: the AK, and a key of tpm_keys(), of either class and without a ticket, which can be
 * certified and nothing else. Give that up with the keys port's unload.
 */
_must_check_ int tpm_attestation_key_load(struct tpm *t, const struct tpm_attestation_key *key,
                                          struct bytes blob, struct ctap_loaded_key **ret);
/*
 * TPM2_Certify; `data` goes into it and has at most 64 bytes. What comes back was checked: it is of
 * this key, with this data, by the AK. One command if the AK is persistent or was loaded just now.
 */
_must_check_ int tpm_attestation_key_certify(struct tpm *t, const struct tpm_attestation_key *key,
                                             struct ctap_loaded_key *of, struct bytes data,
                                             struct ctap_certification *ret);
