/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/*
 * Base64url without padding (RFC 4648, 5), which is how WebAuthn writes bytes in JSON. There is one
 * text for some bytes and no other: what a client gives comes back as it was.
 */

#include "ctap/bytes.h"
#include "ctap/macro.h"

#define BASE64URL_SIZE(n) (((n)*4 + 2) / 3)
#define BASE64_SIZE(n)    (((n) + 2) / 3 * 4)

/* Appends the text of these bytes. */
void base64url_put(struct buf *out, struct bytes b);

/*
 * Appends the bytes of a text. -EBADMSG: it is none, or not the one that base64url_put() would have
 * written; -EMSGSIZE: they do not fit.
 */
_must_check_ int base64url_get(struct bytes text, struct buf *out);

/* The same of base64 with padding (RFC 4648, 4), which is how others' programs have bytes in JSON. */
void base64_put(struct buf *out, struct bytes b);
_must_check_ int base64_get(struct bytes text, struct buf *out);
