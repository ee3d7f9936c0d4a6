/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/*
 * A trace for a person: a block for each message, with who sent it, when, on which channel, what command
 * or status it is, and what it holds, by the names of the specification. It copes with any bytes.
 */

#include <stdint.h>
#include <stdio.h>

#include "trace/frame.h"

struct transcript;

/* The stream is borrowed. Times are shown since `start_ns`. NULL: out of memory. */
struct transcript *transcript_new(FILE *to, uint64_t start_ns);
/* Ends it; NULL is fine. Returns NULL. */
struct transcript *transcript_free(struct transcript *t);

/* What stands above it all. */
void transcript_head(struct transcript *t, const char *device, bool secrets);
/* Keepalives that say the same thing again are only counted. */
void transcript_put(struct transcript *t, const struct trace_frame *f);
