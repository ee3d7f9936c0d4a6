/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* A credential's public key: read from COSE (RFC 9053), and made into what libfido2 verifies with. */

#include "examples/site/refusal.h"
#include "examples/site/slice.h"

#define PUBLIC_KEY_MAX 512 /* in COSE: RSA takes 272 */

/* COSE's numbers, for those that libfido2 verifies. */
enum algorithm {
        ALGORITHM_ES256 = -7,
        ALGORITHM_EDDSA = -8,
        ALGORITHM_ES384 = -35,
        ALGORITHM_RS256 = -257,
};

struct public_key {
        enum algorithm algorithm;
        struct slice x; /* of a point; of Ed25519 the key; of RSA the modulus */
        struct slice y; /* of a point; of RSA the exponent */
};

/* "ES256", or NULL if this site verifies no such thing. */
const char *algorithm_name(int64_t algorithm);

_must_check_ enum refusal public_key_parse(struct slice cose, struct public_key *ret);

/* libfido2's form of it, to be given to free_fido_key() with the same algorithm; NULL if the key is none. */
void *public_key_to_fido(const struct public_key *k);
void free_fido_key(enum algorithm algorithm, void *key);
