/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* What becomes of built-in verification by a simulator: a body of control.h. Only manage.c includes this. */

#include <jansson.h>

#include "authenticator/backend.h"
#include "authenticator/presence.h"

/* `params` has "result". NULL: out of memory. */
json_t *manage_uv(struct backend *b, struct presence *p, const json_t *params);
