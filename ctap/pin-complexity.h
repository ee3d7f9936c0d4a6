/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/*
 * What a new PIN must be like while the complexity policy is on (CTAP 2.3 §6.11.4, §12.6). The
 * specification leaves the rule to the authenticator. The key device stops guessing after eight tries,
 * so the rule keeps out what is guessed first, and no more:
 *
 *   fewer than three different characters   1111, 1212
 *   each the same step from the last one    1234, 9876, 2468
 */

#include <stdbool.h>

#include "ctap/bytes.h"

/* The PIN is UTF-8, of at most CTAP_PIN_BYTES_MAX bytes. */
bool ctap_pin_is_complex(struct bytes pin);
