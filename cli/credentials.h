/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* What the daemon says of a passkey (tpmauthn(1)), for the commands that speak of passkeys. */

#include <jansson.h>

#include "cli/cli.h"

/* Every page of a method that gives "credentials", as one array. As client_run(). */
int credentials_fetch(const struct options *o, const char *method, json_t **ret);

/* What to call them, never empty: an RP ID, an account's name. */
const char *credential_site(const json_t *c);
const char *credential_account(const json_t *c);
