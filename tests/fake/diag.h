/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/*
 * CBOR from its diagnostic notation, so that a test shows what it sends: {1: h'cd01', 2: {'id':
 * 'example.com'}, 7: {'rk': true}}. Texts are in single quotes. It writes what it is told, sorted
 * or not, and shares no code with the encoder under test. Notation that makes no sense ends the
 * test.
 */

#include "ctap/bytes.h"

void diag_encode(const char *notation, struct buf *out);
