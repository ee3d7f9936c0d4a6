/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* What the page shows: an answer taken apart, its checks, and all that the site keeps of an account. */

#include "examples/site/call.h"

json_t *describe_refusal(enum refusal refusal, const char *member);

/* What a ceremony has read, whether accepted or not. */
json_t *describe_ceremony(const struct ceremony *c);
/* Its checks in their order; behind them one that the store makes, with its verdict. */
json_t *describe_checks(const struct ceremony *c, enum refusal refusal, const char *last_name,
                        const char *last_text);

/* Who is signed in, and that account's passkeys. */
_must_check_ int describe_state(const struct call *c, json_t **ret);
