/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/*
 * What a certificate authority answers to a request of this machine (attestation-request.h), as JSON.
 * Read and taken apart, with no I/O. Three forms are known:
 *
 *   { "v": 1, "type": "tpmauthn-attestation-answer", "request": base64url, "ek": hex, "ak": hex,
 *     "created": "2026-11-29T21:11:00Z", "expires": ..., "credential": base64, "secret": base64,
 *     "chain": { "alg": "A256GCM", "nonce": base64, "ciphertext": base64 } }
 *   { "credential": base64, "secret": base64 }
 *   { "chain": [ base64, ... ] }
 *
 * The first is whole: the secret, which the TPM alone gets out of `credential` and `secret`, is the key to
 * the chain. The others are what smallstep's protocol has for the two halves of that.
 */

#include <jansson.h>
#include <stdint.h>

#include "authenticator/attestation-chain.h"
#include "ctap/bytes.h"
#include "ctap/crypto.h"
#include "ctap/macro.h"
#include "ctap/secret.h"

#define ATTESTATION_REQUEST_SIZE 16 /* bytes of the nonce that stands for a request */
#define ATTESTATION_NAME_SIZE    34 /* of a key's Name: its hash's algorithm, and SHA-256 */
#define ATTESTATION_BLOB_MAX     1024
#define ATTESTATION_SEALED_MAX   12288 /* of a chain in PEM, encrypted */

/* "2026-11-29T21:11:00Z" (RFC 3339), in UTC, to the second. */
#define ATTESTATION_TIME_SIZE 20

enum attestation_answer_kind {
        ATTESTATION_ANSWER_WHOLE,      /* everything */
        ATTESTATION_ANSWER_CREDENTIAL, /* credential and secret alone */
        ATTESTATION_ANSWER_CHAIN,      /* chain alone */
};

struct attestation_answer {
        enum attestation_answer_kind kind;
        /* Of the whole. */
        uint8_t request[ATTESTATION_REQUEST_SIZE];
        struct sha256 ek;
        uint8_t ak[ATTESTATION_NAME_SIZE];
        int64_t created, expires;
        struct ctap_gcm_nonce nonce;
        struct bytes sealed;
        uint8_t additional[512]; /* what the chain is sealed with beside the key */
        size_t additional_len;
        /* Of the whole, or of that half: TPM2B_ID_OBJECT and TPM2B_ENCRYPTED_SECRET. */
        struct bytes credential, secret;
        struct attestation_chain chain; /* of that half alone */

        uint8_t storage[ATTESTATION_SEALED_MAX + 2 * ATTESTATION_BLOB_MAX];
};

/* NULL: it is in `answer`. Else the error as a body (control.h), which names the member that is wrong. */
json_t *attestation_answer_read(const json_t *from, struct attestation_answer *answer);

/*
 * Opens the chain of a whole answer with what the TPM gave for its secret: appends PEM. -EBADMSG: it was
 * changed, or is not of this secret.
 */
_must_check_ int attestation_answer_open(const struct attestation_answer *answer,
                                         const struct secret32 *activated, struct buf *pem);

/* -EBADMSG: it is no such text. */
_must_check_ int attestation_time_read(const char *text, int64_t *ret);
/* Of years with four digits, which all are that anybody lives in. */
void attestation_time_write(int64_t seconds, char ret[static ATTESTATION_TIME_SIZE + 1]);
