/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/*
 * Base64url without padding (RFC 4648, 5), which is how WebAuthn writes bytes in JSON. There is one
 * text for some bytes and no other: what a client gives comes back as it was.
 */

#include "ctap/bytes.h"
#include "ctap/macro.h"

#define BASE64URL_SIZE(n) (((n)*4 + 2) / 3)

/* Appends the text of these bytes. */
void base64url_put(struct buf *out, struct bytes b);

/*
 * Appends the bytes of a text. -EBADMSG: it is none, or not the one that base64url_put() would have
 * written; -EMSGSIZE: they do not fit.
 */
_must_check_ int base64url_get(struct bytes text, struct buf *out);
