/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* The control socket's way to put passkeys of a fixture (seed.h) into a simulator. */

#include <jansson.h>

#include "authenticator/backend.h"

json_t *manage_seed(struct backend *b, const json_t *params);
