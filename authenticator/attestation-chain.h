/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/*
 * The certificates of this machine's attestation key, checked as a whole before they are used: what a
 * site's server would refuse (WebAuthn §8.3.1, and what servers' libraries want beside it) is told to
 * the administrator in a sentence, rather than to a person at a login. Bytes in, a verdict out: no file,
 * no clock.
 */

#include <stdbool.h>
#include <stdint.h>

#include "ctap/bytes.h"
#include "ctap/macro.h"

#define ATTESTATION_CHAIN_MAX   4
#define ATTESTATION_CHAIN_BYTES 8192 /* of what is looked at; what is taken is less */

/* In DER, the key's own first; borrowed. */
struct attestation_chain {
        size_t n;
        struct bytes der[ATTESTATION_CHAIN_MAX];
};

struct attestation_wants {
        struct bytes key;      /* SubjectPublicKeyInfo in DER */
        const uint8_t *aaguid; /* what a certificate that names one must name; NULL: any */
        int64_t now;           /* seconds since the epoch */
        bool any_issuer;       /* else one of these has to have signed the last: */
        struct bytes roots;    /* PEM */
        size_t bytes_max;      /* all of them together */
};

/* -EINVAL: it is refused, and the sentence is in `reason`, without its end. */
_must_check_ int attestation_chain_check(const struct attestation_chain *chain,
                                         const struct attestation_wants *wants, struct buf *reason);

/* True if there is one to lead to in this PEM. */
bool attestation_has_roots(struct bytes pem);

/*
 * From PEM: `storage` gets the DER, which *ret borrows. Text between the certificates does not count.
 * -EINVAL, likewise: it is none, or too many.
 */
_must_check_ int attestation_chain_read(struct bytes pem, struct buf *storage,
                                        struct attestation_chain *ret, struct buf *reason);
/* Bytes of all of them together. */
size_t attestation_chain_size(const struct attestation_chain *chain);
/* When the first of them expires. -EBADMSG: one has no time, or is none. */
_must_check_ int attestation_chain_until(const struct attestation_chain *chain, int64_t *ret);
/* To PEM. -EMSGSIZE: it does not fit. */
_must_check_ int attestation_chain_write(const struct attestation_chain *chain, struct buf *pem);
