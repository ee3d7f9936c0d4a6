/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* The control socket's passkeys: bodies of control.h. */

#include <jansson.h>

#include "authenticator/backend.h"
#include "ctap/credential.h"
#include "ctap/env.h"
#include "ctap/macro.h"

/* A credential as an entry of a list. NULL: out of memory. */
typedef json_t *manage_describe_fn(struct backend *b, const struct ctap_credential_keys *keys,
                                   const struct ctap_row *row);

/* A page behind "after" as the members "credentials" and "next" of a result. */
_must_check_ int manage_list_page(struct backend *b, const json_t *params,
                                  manage_describe_fn *describe, json_t **ret);

json_t *manage_list(struct backend *b, const json_t *params);
json_t *manage_inventory(struct backend *b, const json_t *params);
json_t *manage_show(struct backend *b, const json_t *params);
json_t *manage_delete(struct backend *b, const json_t *params);
