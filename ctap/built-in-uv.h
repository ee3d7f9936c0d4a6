/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/*
 * Built-in user verification (CTAP 2.3 §6.5.3): the person types the PIN into a question of this
 * authenticator's own, and no client comes to know it. It is the same PIN that clients give, so the
 * key device counts its tries, and what stands in the way of that stands in the way of this.
 *
 * Where the presence can, a finger answers the question in the PIN's place. It is a shorter way for who
 * has a PIN, not another one: where none is set, or tried, no finger is. To the key device it is nothing:
 * no ticket comes of it.
 */

#include <stdbool.h>
#include <stdint.h>

#include "ctap/command.h"
#include "ctap/confirm.h"
#include "ctap/env.h"
#include "ctap/macro.h"
#include "ctap/status.h"

/* There is a way to ask for the PIN. */
bool ctap_uv_is_supported(const struct ctap *c);
/* And a PIN that can be asked for: one that has to be changed first is no good (GI5). */
bool ctap_uv_is_configured(const struct ctap *c);

/*
 * How many wrong PINs in a row it can still take (CP26): the tries of its own that are left, or less
 * if the PIN has less (CP27). 0 also while the PIN has to be changed.
 */
_must_check_ int ctap_uv_retries(struct ctap *c, uint8_t *ret);

/*
 * Asks for the PIN until it is right, or a finger came; `prepare` runs beside the first question, as
 * with ctap_ask(). The ticket is good for CTAP_TOKEN_SECONDS; it is empty after a finger, which the
 * prompt's pin_only rules out. CTAP2_ERR_OPERATION_DENIED: the person said no;
 * CTAP2_ERR_USER_ACTION_TIMEOUT; CTAP2_ERR_KEEPALIVE_CANCEL; CTAP2_ERR_UV_BLOCKED: there are no
 * tries, or no more. It must be configured.
 */
_must_check_ enum ctap_status ctap_verify_person(struct ctap *c, const struct ctap_prompt *prompt,
                                                 ctap_prepare_fn *prepare, void *userdata,
                                                 struct ctap_ticket *ret);
