/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* The control socket's passkeys: bodies of control.h. */

#include <jansson.h>

#include "authenticator/backend.h"

json_t *manage_list(struct backend *b, const json_t *params);
json_t *manage_inventory(struct backend *b, const json_t *params);
json_t *manage_show(struct backend *b, const json_t *params);
json_t *manage_delete(struct backend *b, const json_t *params);
