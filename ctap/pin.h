/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/*
 * The PIN: what is known of it, and what may be done with it, whoever asks. Whether a PIN is right,
 * and how many tries are left, only the key device says. Here are the rules around that: what a PIN
 * must look like, the latch of three wrong ones in a row, and what the settings remember.
 */

#include <stdbool.h>

#include "ctap/bytes.h"
#include "ctap/command.h"
#include "ctap/env.h"
#include "ctap/macro.h"
#include "ctap/status.h"

/*
 * The settings know; the key device is asked if a cut-off setPIN left them in doubt. Then it may
 * cost a try, never the last one; the right PIN gives it back.
 */
_must_check_ enum ctap_status ctap_pin_is_set(struct ctap *c, bool *ret);

/* Three wrong ones in a row: none is tried until the next power-up (CP4). */
bool ctap_pin_is_latched(const struct ctap *c);
/* How many more there can be until then. */
uint8_t ctap_pin_tries_before_latch(const struct ctap *c);

/* As a PIN comes over the wire (CP1): LEFT(SHA-256(PIN), 16). */
_must_check_ int ctap_pin_hash(struct bytes pin, struct ctap_pin_hash *ret);

/*
 * CTAP_OK if a PIN can be tried: it is set (CTAP2_ERR_PIN_NOT_SET), there are tries left
 * (CTAP2_ERR_PIN_BLOCKED, CP5) and it is not latched (CTAP2_ERR_PIN_AUTH_BLOCKED). Asking costs no
 * try, but for a doubt as above. Where no tries are left there is no token afterwards.
 */
_must_check_ enum ctap_status ctap_pin_ready(struct ctap *c);

/*
 * All below: `protocol` is that of the key agreement by which the old PIN came, and which a wrong
 * one ends (CP6); 0 if it came by none. What ctap_pin_ready() refuses is refused. A wrong PIN:
 * CTAP2_ERR_PIN_INVALID; CTAP2_ERR_PIN_BLOCKED if it was the last try; else
 * CTAP2_ERR_PIN_AUTH_BLOCKED if it was the third.
 */

/*
 * The ticket is good for CTAP_TOKEN_SECONDS. The right PIN gives back the tries of built-in verification
 * too (CP7).
 */
_must_check_ enum ctap_status ctap_pin_verify(struct ctap *c, unsigned protocol,
                                              const struct ctap_pin_hash *pin,
                                              struct ctap_ticket *ret);
/* Those tries alone, which a finger gives back too. */
_must_check_ int ctap_pin_refill_uv_retries(struct ctap *c);
/* The same for nothing but the answer. */
_must_check_ enum ctap_status ctap_pin_check(struct ctap *c, unsigned protocol,
                                             const struct ctap_pin_hash *pin);
/*
 * CTAP2_ERR_PIN_POLICY_VIOLATION for a new PIN that is not allowed, which is told only to who knows
 * the old one. Afterwards there is no token (CP22).
 */
_must_check_ enum ctap_status ctap_pin_replace(struct ctap *c, unsigned protocol,
                                               const struct ctap_pin_hash *old, struct bytes pin);
