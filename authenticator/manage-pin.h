/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* The PIN, for the owner's own tool: bodies of control.h. Only manage.c includes this. */

#include <jansson.h>

#include "ctap/ctap.h"

/* NULL: out of memory. */
json_t *manage_pin_status(struct ctap *ctap);
/* Why a PIN was not taken, as a sentence. */
json_t *manage_pin_refusal(struct ctap *ctap, enum ctap_status s);
/* `params` has "pin", and for a change "old". */
json_t *manage_pin_set(struct ctap *ctap, const json_t *params);
json_t *manage_pin_change(struct ctap *ctap, const json_t *params);
