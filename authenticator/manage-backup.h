/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/*
 * The control socket's backup and restore: the bytes go over it in pages of hex, so that a person's
 * program never opens the daemon's files, nor the daemon a person's. What is between two pages is kept
 * with the backend until it is idle.
 */

#include <jansson.h>

#include "authenticator/backend.h"

json_t *manage_backup(struct backend *b, const json_t *params);
json_t *manage_restore(struct backend *b, const json_t *params);
