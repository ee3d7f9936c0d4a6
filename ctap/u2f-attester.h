/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/*
 * Who vouches for a U2F registration. The format wants a certificate and a signature by its key, so
 * each registration gets a key in software that is forgotten with the answer, and a certificate
 * that it signed itself. Two registrations cannot be linked by it and it proves nothing, which is
 * what self attestation says in CTAP2.
 */

#include "ctap/bytes.h"
#include "ctap/env.h"
#include "ctap/macro.h"

struct evp_pkey_st;

struct u2f_attester {
        struct evp_pkey_st *key; /* P-256 */
};

/* All functions give 0 or -errno, -EIO if OpenSSL refused. */
_must_check_ int u2f_attester_init(struct u2f_attester *a);
void u2f_attester_done(struct u2f_attester *a);

_must_check_ int u2f_attester_public(const struct u2f_attester *a, struct ctap_public_key *ret);
/* Appends a self-signed X.509 certificate of version 3 in DER. */
_must_check_ int u2f_attester_certificate(const struct u2f_attester *a, struct buf *out);
/* ECDSA over SHA-256 of the message. */
_must_check_ int u2f_attester_sign(const struct u2f_attester *a, struct bytes message,
                                   struct ctap_signature *ret);
