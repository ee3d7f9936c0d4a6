/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/*
 * The few primitives of OpenSSL that CTAP needs, on our slices and typed arrays. One call does one
 * whole operation; there are no contexts to own. 0 or -errno: -EIO if OpenSSL refused, which leaves
 * nothing in its error queue.
 */

#include <stddef.h>
#include <stdint.h>

#include "ctap/bytes.h"
#include "ctap/macro.h"
#include "ctap/secret.h"

struct sha384 {
        uint8_t b[48];
};

/* Over the parts one after the other. */
_must_check_ int ctap_sha256(const struct bytes *parts, size_t n_parts, struct sha256 *ret);
_must_check_ int ctap_sha384(const struct bytes *parts, size_t n_parts, struct sha384 *ret);

_must_check_ int ctap_hmac_sha256(const struct secret32 *key, struct bytes message,
                                  struct sha256 *ret);
/* HKDF-SHA-256 (RFC 5869) without salt: one independent key per `info`. */
_must_check_ int ctap_hkdf_sha256(const struct secret32 *key, const char *info,
                                  struct secret32 *ret);

/* Of AES. */
struct ctap_block {
        uint8_t b[16];
};

/* One block of AES-128-CBC, which is the whole message; the key is the first half of `key`. */
_must_check_ int ctap_cbc_encrypt_block(const struct secret32 *key, const struct ctap_block *iv,
                                        const struct ctap_block *plain, struct ctap_block *ret);

#define CTAP_GCM_TAG_SIZE 16

/* Must never repeat under one key. */
struct ctap_gcm_nonce {
        uint8_t b[12];
};

/* AES-256-GCM: appends ciphertext and tag. -EMSGSIZE if `out` has no room. */
_must_check_ int ctap_gcm_seal(const struct secret32 *key, const struct ctap_gcm_nonce *nonce,
                               struct bytes additional, struct bytes plain, struct buf *out);
/* Appends the plaintext. -EBADMSG if anything was changed; `out` then holds nothing of it. */
_must_check_ int ctap_gcm_open(const struct secret32 *key, const struct ctap_gcm_nonce *nonce,
                               struct bytes additional, struct bytes sealed, struct buf *out);
