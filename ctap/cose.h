/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/*
 * The COSE algorithms this authenticator knows: one table row each, and what follows from a row:
 * which key to make, which hash to sign, how the public key is written.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ctap/bytes.h"
#include "ctap/cbor.h"
#include "ctap/env.h"
#include "ctap/macro.h"
#include "ctap/status.h"

enum {
        CTAP_COSE_ES256 = -7,
        CTAP_COSE_ESP256 = -9,
        CTAP_COSE_ES384 = -35,
        CTAP_COSE_ESP384 = -51,
        CTAP_COSE_RS256 = -257,
};

struct ctap_cose {
        int32_t id;
        enum ctap_key_type type;
        uint8_t curve;      /* IANA COSE Elliptic Curves; 0: it is no key on one */
        uint8_t field_size; /* bytes of a coordinate */
        bool listed;        /* in getInfo 0A */
        bool last_resort;   /* for a request that asks for nothing else that is offered */
};

/* What a key signs. */
struct ctap_digest {
        uint8_t len;
        uint8_t b[48];
};

/* NULL: not known, or none of the key types in `offered` (ctap_keys_ops.offered) can do it. */
const struct ctap_cose *ctap_cose_find(int64_t id, unsigned offered);
/*
 * The first algorithm of pubKeyCredParams, an array, that the key device can do and that is not its
 * last resort (MC3); NULL: none. All elements are checked, also behind the match, and their number
 * has no limit but the message's (B18).
 */
_must_check_ enum ctap_status ctap_cose_choose(const struct cbor_value *params, unsigned offered,
                                               const struct ctap_cose **ret);
/* The algorithms of getInfo 0A in order of preference: the nth from 0 on, NULL behind the last. */
const struct ctap_cose *ctap_cose_listed(size_t nth, unsigned offered);

_must_check_ int ctap_cose_hash(const struct ctap_cose *alg, const struct bytes *parts,
                                size_t n_parts, struct ctap_digest *ret);
struct bytes ctap_digest_bytes(const struct ctap_digest *d);

/* No COSE_Key that this writes is longer. */
#define CTAP_COSE_KEY_MAX 272

/* A COSE_Key with the id that was asked for, which is the row's (F7). */
void ctap_cose_put_key(struct cbor_writer *w, const struct ctap_cose *alg,
                       const struct ctap_public_key *key);
