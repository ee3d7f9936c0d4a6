/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* The command APDU of ISO 7816-4 §5.1, as U2F has it. */

#include <stdbool.h>

#include "ctap/bytes.h"
#include "ctap/macro.h"

#define CTAP_APDU_HEADER 4 /* CLA, INS, P1, P2 */

/*
 * What follows the header: Lc, data and Le, short or extended, each of them optional. Clients send all
 * of these forms (U1), VERSION even with an extended Lc of zero. Le is not looked at: HID carries any
 * answer whole. False: it is none of them.
 */
_must_check_ bool ctap_apdu_data(struct bytes body, struct bytes *ret);
