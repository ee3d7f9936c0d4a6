/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/*
 * What every fuzz program is: one function that must cope with any bytes, and that ends the process
 * when what it tests has broken a promise. libFuzzer calls it, and so does replay.c with each file of
 * the corpus.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define require(promise) require_at((promise), #promise, __FILE__, __LINE__)

static inline void require_at(bool kept, const char *promise, const char *file, int line) {
        if (kept)
                return;
        fprintf(stderr, "%s:%d: broken promise: %s\n", file, line, promise);
        abort();
}
