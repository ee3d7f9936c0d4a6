/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* The control socket's events (journal.h), newest first. */

#include <jansson.h>

#include "authenticator/backend.h"

json_t *manage_events(struct backend *b, const json_t *params);
