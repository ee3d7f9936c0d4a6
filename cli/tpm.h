/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* What the TPM was found able to do, in words, from the members "pin_kind" and "hmac_kind". */

#include <jansson.h>

/* A sentence each; NULL where nothing is known yet. */
const char *pin_kind_sentence(const json_t *from);
const char *hmac_kind_sentence(const json_t *from);
