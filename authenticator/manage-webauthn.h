/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* The control socket's list of passkeys as WebAuthn has them. */

#include <jansson.h>

#include "authenticator/backend.h"

json_t *manage_credentials(struct backend *b, const json_t *params);
