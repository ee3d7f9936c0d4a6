/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/*
 * What holds when what the administrator demands (struct ctap_options) and what was set by a client
 * (struct ctap_settings) come together: the stricter of the two. The settings are kept as clients made
 * them, so that what the administrator takes back is gone, and what a client chose is still there.
 */

#include <stdbool.h>
#include <stdint.h>

#include "ctap/bytes.h"
#include "ctap/command.h"
#include "ctap/macro.h"
#include "ctap/status.h"

/* Code points. */
uint8_t ctap_min_pin_length(const struct ctap *c);
bool ctap_pin_complexity(const struct ctap *c);

/*
 * The PIN that is set was chosen before the administrator asked for more, or nobody knows what it is
 * like: it has to be changed (AC5d), and the settings say so from now on.
 */
_must_check_ int ctap_policy_look_at_pin(struct ctap *c);

/* There is enterprise attestation to be had, and it is on (CTAP 2.3 §7.1). */
bool ctap_has_enterprise(const struct ctap *c);
bool ctap_enterprise_is_on(const struct ctap *c);
/* Where it is for listed RPs alone, 2 asks for no more than 1 does (MC9). */
bool ctap_enterprise_is_for(const struct ctap *c, struct bytes rp_id);

#define CTAP_POLICY_PAUSE_MS 5000

/*
 * The witness is told that something was refused for what the administrator said. A client asks for the
 * same in a loop, or for one site after the other, and needs nobody for it: of one command, of which
 * *told_until_ms is, it is told once in CTAP_POLICY_PAUSE_MS.
 */
void ctap_note_policy(const struct ctap_env *env, uint64_t *told_until_ms,
                      const struct ctap_notice *refused);

/*
 * Refuses a request, of this command, that is for an RP which is not allowed. The answer is a no that
 * the person gave (CTAP2_ERR_OPERATION_DENIED, "not authorized for requested operation"), whatever
 * credentials there are. Clients take it for the end of the request at every key that is plugged in
 * (H9), so it comes after the person, who is told why, has turned to this one.
 */
_must_check_ enum ctap_status ctap_refuse_rp(struct ctap *c, uint8_t command, struct bytes rp_id);
