/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/*
 * The hmac-secret extension (CTAP 2.3 §12.7, §12.8): a site gives one salt or two and gets their
 * HMACs under a key of the credential that never leaves the key device. Salts and results travel
 * encrypted under what clientPIN's key agreement gave, with or without a PIN (D4). A credential has
 * two such keys (CredRandom): one for everybody, and one for a verified person, which the device
 * itself keeps behind the PIN.
 */

#include "ctap/bytes.h"
#include "ctap/cbor.h"
#include "ctap/env.h"
#include "ctap/macro.h"
#include "ctap/pin-protocol.h"
#include "ctap/secret.h"
#include "ctap/status.h"

/* What a platform wants to have computed. A secret. */
struct ctap_salts {
        uint8_t len; /* 32 or 64; 0: nothing */
        struct secret64 salts;
        struct ctap_shared_secret shared;
};

void ctap_salts_wipe(struct ctap_salts *s);

/*
 * From the extension's input, a map. Wrong kinds and missing members as cbor_read_map() has them;
 * CTAP1_ERR_INVALID_PARAMETER: an unknown protocol, a key that is no point, salts that are not 32 or
 * 64 bytes; CTAP2_ERR_PIN_AUTH_INVALID: a wrong saltAuth (D3).
 */
_must_check_ enum ctap_status ctap_salts_open(struct ctap_key_agreement *agreement,
                                              const struct cbor_value *input,
                                              struct ctap_salts *ret);

/* Makes both keys for a row that is yet to be kept. */
_must_check_ int ctap_cred_random_make(struct ctap_keys *keys, struct ctap_row *row);
/* The same for a row that is kept and has none; they are durable when it returns (D2). */
_must_check_ int ctap_cred_random_need(const struct ctap_env *env, struct ctap_row *row);

/* Two HMACs and an IV. */
#define CTAP_HMAC_OUTPUT_MAX (64 + 16)

/*
 * Appends the extension's output, which is encrypted. A ticket stands for a verified person and
 * chooses the key (D3); NULL: nobody was verified. Errors as those of the keys port.
 */
_must_check_ int ctap_hmac_secret(const struct ctap_env *env, const struct ctap_salts *s,
                                  const struct ctap_row *row, const struct ctap_ticket *ticket,
                                  struct buf *out);
