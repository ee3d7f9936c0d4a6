/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/*
 * A request to a certificate authority for this machine's attestation key: what of it is kept until the
 * answer comes, and the bundle that is sent. The bundle's names and encodings are those of smallstep's
 * and go-attestation's JSON, with a few of our own beside them:
 *
 *   { "v": 1, "type": "tpmauthn-attestation-request", "request": base64url, "created": RFC 3339,
 *     "machine": text,
 *     "tpmInfo": { "version": 2, "manufacturer": decimal, "model": text, "firmwareVersion": "1.2" },
 *     "ek": SubjectPublicKeyInfo, "ekCerts": [ X.509 ],
 *     "params": { "public": TPMT_PUBLIC, "useTCSDActivationFormat": false,
 *                 "createData": TPMS_CREATION_DATA, "createAttestation": TPMS_ATTEST,
 *                 "createSignature": TPMT_SIGNATURE } }
 *
 * Bytes are base64 with padding. Nothing in it is secret, and nothing in it makes the key sign.
 */

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "authenticator/attestation-answer.h"
#include "ctap/macro.h"
#include "tpm/endorsement.h"
#include "tpm/tpm.h"

#define ATTESTATION_REQUEST_DAYS 30 /* that an answer is waited for */
#define ATTESTATION_MACHINE_MAX  128

struct attestation_request {
        bool open;      /* else it was answered, and is kept for what it says of the EK */
        bool activated; /* the TPM opened a challenge for it: its CA may send a bare chain */
        uint8_t nonce[ATTESTATION_REQUEST_SIZE];
        int64_t created;
        struct tpm_ek_ref ek;
};

/* -ENOENT: there was none yet. -EBADMSG: the file is damaged. */
_must_check_ int attestation_request_read(const char *state_directory,
                                          struct attestation_request *ret);
_must_check_ int attestation_request_write(const char *state_directory,
                                           const struct attestation_request *request);

/* What goes into a bundle beside the request. */
struct attestation_subject {
        const struct tpm_info *info;
        const struct tpm_ek *ek;
        const struct tpm_attestation_facts *key;
        const char *machine; /* NULL: it says no name */
};

/* NULL: out of memory. */
json_t *attestation_bundle(const struct attestation_request *request,
                           const struct attestation_subject *subject);

/* The texts that stand for a request in bundles and answers, and for bytes in others' JSON. */
json_t *attestation_request_text(const struct attestation_request *request);
json_t *attestation_base64(struct bytes b);
