/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/*
 * A client that speaks CTAPHID and PIN/UV auth protocol two itself and goes through a few ceremonies, so
 * that it knows every secret that went over the wire.
 */

#include <stdbool.h>

#include "ctap/bytes.h"
#include "tests/system/test-daemon-kit.h"

#define CEREMONY_RP      "trace.example"
#define CEREMONY_SECRETS 32

struct ceremony_secret {
        const char *what;
        bool on_the_wire; /* or nowhere */
        uint8_t bytes[128];
        size_t len;
};

struct ceremony_secrets {
        struct ceremony_secret all[CEREMONY_SECRETS];
        size_t n;
};

struct ceremony_hex {
        char text[300];
};

struct ceremony_hex ceremony_hex(struct bytes b);

/*
 * Sets a PIN, registers with hmac-secret, credBlob and a large-blob key, logs in with all of them, and
 * sends nonsense that holds a secret: bad CBOR, no message of U2F, and a PING.
 */
void ceremony_run(const struct daemon_kit *k, struct ceremony_secrets *ret);
/* Sends a PING on a channel that nobody allocated, and sees it refused. */
void ceremony_run_refused(const struct daemon_kit *k);
