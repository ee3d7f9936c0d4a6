/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/*
 * The persistentPinUvAuthToken (CTAP 2.3 §6.5.2.1, CP34): whoever once gave the PIN for it may look
 * at the passkeys, and do nothing else, for as long as the PIN stays. It is written down nowhere: it
 * follows from the store key and the number of its forerunners. So it is there from the first start
 * on (GI10), outlives restarts, and a reset ends it with the store key.
 */

#include <stdbool.h>

#include "ctap/bytes.h"
#include "ctap/command.h"
#include "ctap/env.h"
#include "ctap/macro.h"
#include "ctap/secret.h"

_must_check_ int ctap_persistent_token(const struct ctap *c, struct secret32 *ret);

/*
 * True if `param` is its MAC over the message, under a protocol that exists. Without a PIN nobody
 * was ever given it, and nothing is its MAC.
 */
bool ctap_persistent_token_verify(const struct ctap *c, int64_t protocol, struct bytes message,
                                  struct bytes param);

/* There is another one from the moment on that these settings are saved. */
void ctap_persistent_token_end(struct ctap_settings *settings);
