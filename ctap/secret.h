/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* Key material. A secret is a typed array, declared with _cleanup_(secret32_wipe). */

#include <openssl/crypto.h>
#include <stdint.h>

#include "ctap/macro.h"

struct secret32 {
        uint8_t b[32];
};

static inline void secret32_wipe(struct secret32 *s) {
        OPENSSL_cleanse(s, sizeof(*s));
}

struct secret64 {
        uint8_t b[64];
};

static inline void secret64_wipe(struct secret64 *s) {
        OPENSSL_cleanse(s, sizeof(*s));
}
