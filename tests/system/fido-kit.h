/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* libfido2, the client that knows nothing of us, on the daemon's socket. */

#include <fido.h>
#include <fido/es256.h>

#include "tests/system/test-daemon-kit.h"

fido_dev_t *kit_open_key(const struct daemon_kit *k);
void kit_close_key(fido_dev_t *dev);
