/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* libfido2, the client that knows nothing of us, on the daemon's socket. */

#include <fido.h>
#include <fido/es256.h>

#include "tests/system/test-daemon-kit.h"

fido_dev_t *kit_open_key(const struct daemon_kit *k);
void kit_close_key(fido_dev_t *dev);

/* What a site keeps of a registration. */
struct kit_passkey {
        unsigned char id[256];
        size_t id_len;
        es256_pk_t *public;
};

/*
 * Registers a passkey of alice at example.com that takes the PIN, and signs in with it; the client is
 * given no PIN. What comes back is checked; the result is of libfido2.
 */
int kit_make_passkey(fido_dev_t *dev, struct kit_passkey *ret);
int kit_use_passkey(fido_dev_t *dev, const struct kit_passkey *p);
/* PINs that may still be tried. */
int kit_retries(fido_dev_t *dev);
