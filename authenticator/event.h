/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/*
 * What happens at a simulator, as the events of protocol.h, without "device" and "time". NULL: out of
 * memory.
 */

#include <jansson.h>

#include "ctap/bytes.h"
#include "ctap/env.h"

json_t *event_question(const struct ctap_prompt *prompt);
json_t *event_verdict(enum ctap_answer answer);
/* Of a CTAP2 message or a U2F one, and what was answered. */
json_t *event_ctap_done(struct bytes request, struct bytes answer);
json_t *event_u2f_done(struct bytes request, struct bytes answer);
