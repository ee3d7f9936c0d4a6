/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* The machine's attestation key, for who retires the machine. */

#include <stdbool.h>

#include "cli/cli.h"

/* Removes it; prints whatever goes wrong. EXIT_OK: *ret_removed says whether there was one. */
int attestation_remove(const struct options *o, bool *ret_removed);
