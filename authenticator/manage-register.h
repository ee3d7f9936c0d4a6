/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* A passkey that an administrator makes for the owner of a device, by a site's creation options. */

#include <jansson.h>

#include "authenticator/backend.h"

json_t *manage_register(struct backend *b, const json_t *params);
