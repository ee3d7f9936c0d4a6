/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/*
 * Extensions of makeCredential and getAssertion (CTAP 2.3 §12): which there are, what a request asks
 * of them, and the outputs in the authenticator data. One that is unknown, or not offered here, is
 * passed over, and one that is asked for with false has no effect unless the specification says
 * otherwise; nobody gets an output that they did not ask for (B12, D).
 *
 * largeBlob is unknown: an authenticator has either that or largeBlobKey (D8), and this one has the
 * one that every platform can use.
 */

#include <stdbool.h>
#include <stdint.h>

#include "ctap/bytes.h"
#include "ctap/cbor.h"
#include "ctap/ctap.h"
#include "ctap/hmac-secret.h"
#include "ctap/macro.h"
#include "ctap/status.h"

enum ctap_ceremony {
        CTAP_CEREMONY_CREATE, /* makeCredential */
        CTAP_CEREMONY_USE,    /* getAssertion and getNextAssertion */
        _CTAP_CEREMONIES,
};

/* What the inputs are read against. */
struct ctap_extension_scope {
        enum ctap_ceremony ceremony;
        bool discoverable; /* the credential that is to be made */
        const struct sha256 *rp_id_hash;
};

/* What a request asks for. A secret. */
struct ctap_extensions {
        enum ctap_ceremony ceremony;
        unsigned asked;           /* one bit for each that has an output */
        uint8_t cred_protect;     /* 1..3; 0: not asked for */
        bool cred_random;         /* the new credential gets its CredRandom pair at once */
        struct ctap_salts salts;  /* of hmac-secret and hmac-secret-mc */
        bool keeps_blob;          /* the new credential gets */
        struct bytes cred_blob;   /* this one; borrowed */
        bool large_blob_key;      /* is a member of the reply */
        bool third_party_payment; /* the new credential is for that too */
        uint8_t min_pin_length;   /* as they are now, for an RP that may be told */
        bool pin_complexity;
};

void ctap_extensions_wipe(struct ctap_extensions *x);

/* The map may be ABSENT. */
_must_check_ enum ctap_status ctap_extensions_read(struct ctap *c,
                                                   const struct ctap_extension_scope *scope,
                                                   const struct cbor_value *map,
                                                   struct ctap_extensions *ret);

/* True if getAssertion was asked for what it must not do without presence (GA6). */
bool ctap_extensions_need_presence(const struct cbor_value *map);

/* What depends on the credential. */
struct ctap_extension_outputs {
        struct bytes hmac;        /* of hmac-secret and hmac-secret-mc */
        struct bytes cred_blob;   /* in an assertion; empty if it has none */
        bool third_party_payment; /* likewise */
};

/* No map of outputs is longer: this is one of creation, with all of them. */
#define CTAP_EXTENSIONS_MAX (1 + 10 + 13 + 13 + 15 + 17 + CTAP_HMAC_OUTPUT_MAX + 21)

/* Appends the map of outputs; nothing at all if there are none. */
void ctap_extensions_put(const struct ctap_extensions *x,
                         const struct ctap_extension_outputs *outputs, struct buf *out);

/* The nth name of getInfo 02, NULL behind the last. */
const char *ctap_extension_name(const struct ctap_options *options, size_t nth);
