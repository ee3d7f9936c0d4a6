/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/*
 * Extensions of makeCredential and getAssertion (CTAP 2.3 §12): which there are, what a request asks
 * of them, and the outputs in the authenticator data. One that is unknown is passed over, as is
 * hmac-secret with false at creation; nobody gets an output that they did not ask for (B12, D).
 */

#include <stdbool.h>
#include <stdint.h>

#include "ctap/bytes.h"
#include "ctap/cbor.h"
#include "ctap/hmac-secret.h"
#include "ctap/macro.h"
#include "ctap/pin-protocol.h"
#include "ctap/status.h"

enum ctap_ceremony {
        CTAP_CEREMONY_CREATE, /* makeCredential */
        CTAP_CEREMONY_USE,    /* getAssertion and getNextAssertion */
        _CTAP_CEREMONIES,
};

/* What a request asks for. A secret. */
struct ctap_extensions {
        enum ctap_ceremony ceremony;
        unsigned asked;          /* one bit for each that has an output */
        uint8_t cred_protect;    /* 1..3; 0: not asked for */
        bool cred_random;        /* the new credential gets its CredRandom pair at once */
        struct ctap_salts salts; /* of hmac-secret and hmac-secret-mc */
};

void ctap_extensions_wipe(struct ctap_extensions *x);

/* The map may be ABSENT. */
_must_check_ enum ctap_status ctap_extensions_read(struct ctap_key_agreement *agreement,
                                                   enum ctap_ceremony ceremony,
                                                   const struct cbor_value *map,
                                                   struct ctap_extensions *ret);

/* True if getAssertion was asked for what it must not do without presence (GA6). */
bool ctap_extensions_need_presence(const struct cbor_value *map);

/* No map of outputs is longer. */
#define CTAP_EXTENSIONS_MAX (1 + 13 + 13 + 17 + CTAP_HMAC_OUTPUT_MAX)

/* Appends the map of outputs; nothing at all if there are none. */
void ctap_extensions_put(const struct ctap_extensions *x, struct bytes hmac_output,
                         struct buf *out);

/* The nth name of getInfo 02, NULL behind the last. */
const char *ctap_extension_name(size_t nth);
