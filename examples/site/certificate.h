/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* The certificates of an attestation: what the first one has to be, and where they lead. */

#include <openssl/x509.h>

#include "examples/site/refusal.h"
#include "examples/site/slice.h"

enum certificate_kind {
        CERTIFICATE_OF_AUTHENTICATOR, /* WebAuthn §8.2.1 */
        CERTIFICATE_OF_TPM,           /* WebAuthn §8.3.1 */
};

/* The first of a CBOR array of certificates, or NULL; for X509_free(). */
X509 *certificate_first(struct slice chain);

/*
 * Looks at the first certificate of a CBOR array, and follows the chain to one of the roots. Without roots
 * (NULL) nothing is trusted, which is no refusal.
 */
_must_check_ enum refusal certificates_verify(struct slice chain, enum certificate_kind kind,
                                              struct slice aaguid, X509_STORE *roots,
                                              bool *ret_is_trusted);
