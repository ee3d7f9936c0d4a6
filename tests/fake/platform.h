/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/*
 * The platform's side of PIN/UV auth protocols one and two (CTAP 2.3 §6.5.6, §6.5.7), written from
 * the specification and apart from ctap/: nothing of what it tests is in it. It trusts its caller;
 * what cannot be done ends the test.
 */

#include <stdbool.h>
#include <stdint.h>

#include "ctap/bytes.h"

struct platform {
        unsigned protocol;    /* 1 or 2 */
        uint8_t x[32], y[32]; /* its own public key, new for each agreement */
        uint8_t mac_key[32];  /* what was agreed on */
        uint8_t aes_key[32];  /* the same one in protocol 1 */
        uint8_t token[32];    /* pinUvAuthToken */
};

/* A new key pair, and the secrets that it gives with the authenticator's COSE_Key. */
void platform_agree(struct platform *p, unsigned protocol, struct bytes cose_key);

/* All of them append. The IV of protocol 2 is new each time. */
void platform_put_key(const struct platform *p, struct buf *out); /* the COSE_Key, in CBOR */
void platform_encrypt(const struct platform *p, struct bytes plain, struct buf *out);
void platform_decrypt(const struct platform *p, struct bytes cipher, struct buf *out);
/* Under what was agreed on: saltAuth, and pinUvAuthParam of setPIN and changePIN. */
void platform_authenticate(const struct platform *p, struct bytes message, struct buf *out);
/* Under the token: pinUvAuthParam of everything else. */
void platform_token_param(const struct platform *p, struct bytes message, struct buf *out);

/* LEFT(SHA-256(PIN), 16). */
void platform_put_pin_hash(const char *pin, struct buf *out);
/* The PIN and zeros, 64 bytes. */
void platform_put_padded_pin(const char *pin, struct buf *out);
