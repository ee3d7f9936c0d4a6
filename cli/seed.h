/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* Passkeys of a test fixture, for who starts a simulator with some. */

#include <jansson.h>

#include "cli/cli.h"

/*
 * Has the passkeys of a file made; prints whatever goes wrong. "-" is standard input. EXIT_OK: *ret is
 * what was made, an array.
 */
int seed_from(const struct options *o, const char *file, json_t **ret);
