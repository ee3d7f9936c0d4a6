/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* What a device has, for the lists of a fleet: docs/inventory.schema.json. No name is in it. */

#include <jansson.h>

#include "cli/cli.h"

/* Prints whatever goes wrong. EXIT_OK: *ret is to be dropped. */
int inventory_fetch(const struct options *o, json_t **ret);

/* How many passkeys that are. */
json_int_t inventory_count(const json_t *inventory, const char *of_each_site);
