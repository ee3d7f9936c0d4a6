/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/*
 * Text that sites and clients chose, made fit to be shown to a person: control, bidirectional,
 * invisible and malformed characters become U+FFFD, so that none of it acts on a terminal or on
 * the order of what is read.
 */

#include <stddef.h>

#include "ctap/bytes.h"

#define TEXT_ELLIPSIS "\xe2\x80\xa6"

/* The bytes that `max` bytes of text can become, an ellipsis included. */
#define TEXT_SHOWN_MAX(max) (3 * (max) + 3)

void text_put_harmless(struct buf *to, struct bytes from);
/* Of what is longer than `max` bytes, only its start, or only its end, with an ellipsis. */
void text_put_start(struct buf *to, struct bytes from, size_t max);
void text_put_end(struct buf *to, struct bytes from, size_t max);
