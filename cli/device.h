/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* One virtual device as a thing that is plugged in. */

#include "cli/cli.h"

/* Unplugs it, plugs it in again and waits until it is ready or has failed; says so if told to. */
int device_replug(const struct options *o, bool say);
