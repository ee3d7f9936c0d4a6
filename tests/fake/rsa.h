/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* RSA keys of 2048 bits at once, where generating one takes so long that tests would be felt. */

#include <openssl/evp.h>

#define FAKE_RSA_KEYS 15

/* The nth is another key than the FAKE_RSA_KEYS - 1 before it. The caller frees it. */
EVP_PKEY *fake_rsa_key(unsigned nth);
