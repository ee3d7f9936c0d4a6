/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* What struct tpm_state holds, once it is decoded. */

#include <tss2/tss2_tpm2_types.h>

#include "tpm/blob.h"
#include "tpm/tpm.h"

#define TPM_REF_MAX 1024

/* What Esys_TR_Serialize gave: with it no command is needed to name an object later. */
struct tpm_ref {
        uint16_t len;
        uint8_t data[TPM_REF_MAX];
};

/* The SRK, by which everything of ours begins. */
struct tpm_root {
        TPM2B_NAME name;
        struct tpm_ref ref; /* empty: it is made anew whenever it is needed */
};

/* An NV index of ours. Its public area is unlike that of any other index, ours or not. */
struct tpm_nv {
        TPM2B_NV_PUBLIC public; /* as it was defined: without WRITTEN. size 0: there is none */
        struct tpm_ref ref;     /* empty until it was written */
};

/* Why this TPM lets the PIN be changed: what K signed, as the TPM verified it (pin-index.h). */
struct tpm_approval {
        TPM2B_NAME writer;       /* K */
        TPMT_TK_VERIFIED ticket; /* digest.size 0: there is none */
};

#define TPM_PIN_SALT_SIZE 32

struct tpm_record {
        enum tpm_phase phase;
        bool has_p384;
        bool is_firmware;   /* by the manufacturer; false in states of version 1 */
        bool asked_rsa2048; /* false in states of version 1 and 2: it is not known then */
        bool has_rsa2048;

        struct tpm_root srk;

        struct tpm_nv anchor, counter;

        uint32_t worker_handle; /* 0: none, P2 is loaded from its blob for each connection */
        TPM2B_NAME worker_name; /* empty until P2 exists */
        struct tpm_ref worker;  /* empty if there is no handle */

        struct tpm_blob gate_key, worker_key, sealed_auth, sealed_store_key;

        enum tpm_pin_kind pin_kind; /* NONE: not decided yet */
        enum tpm_hmac_kind hmac_kind;
        struct tpm_nv pin; /* without a ref: planned, and maybe begun */
        struct tpm_approval pin_change;
        uint8_t pin_salt[TPM_PIN_SALT_SIZE];
        struct tpm_nv tries;   /* TPM_PIN_ORDINARY: a counter that goes up with each try */
        uint64_t tries_base;   /* where it was when all tries were left */
        struct tpm_nv scratch; /* an index for a trial; gone when that is over */
};

static inline uint32_t tpm_nv_index(const struct tpm_nv *nv) {
        return nv->public.size > 0 ? nv->public.nvPublic.nvIndex : 0;
}

/*
 * Reads version 1 too, which knew of no PIN and no hmac-secret, and version 2, which did not ask for
 * RSA. -EBADMSG: damaged, or written by a later version.
 */
_must_check_ int tpm_state_decode(const struct tpm_state *state, struct tpm_record *ret);
/* -EMSGSIZE: the TPM's blobs are too large. */
_must_check_ int tpm_state_encode(const struct tpm_record *record, struct tpm_state *ret);
