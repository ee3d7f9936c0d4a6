/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* What the replies of manage-*.c have in common. */

#include <jansson.h>

#include "authenticator/protocol.h"
#include "ctap/bytes.h"

/* A page is closed above this. The longest entry is about 4 KiB: 447 bytes, escaped sixfold. */
#define MANAGE_PAGE_BYTES (PROTOCOL_LINE_MAX - 8192)

/* At most 64 bytes. */
json_t *manage_hex(struct bytes b);
/*
 * At most 255 bytes of UTF-8; null for what is none. A site may put a NUL into a name. JSON has a way
 * to write it, but its readers in C, ours among them, refuse the whole line or end the text there, so
 * that it is shown as what cannot be shown.
 */
json_t *manage_text(struct bytes b);

/* Bytes that an entry takes in a page. */
size_t manage_size(const json_t *entry);

json_t *manage_failed(const char *what, int error);
