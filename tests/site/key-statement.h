/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* What vouches for a key in software, and the certificates for that. */

#include "tests/site/key.h"

X509 *statement_root(const struct key *k);
/* The format's name, "attStmt" and the statement. */
void statement_write(struct key *k, const struct form *f, struct slice auth_data,
                     struct slice client_data_hash, struct block *to);

/* Over one slice and the other. */
struct slice sign(EVP_PKEY *pair, int64_t algorithm, struct slice a, struct slice b,
                  uint8_t *storage, size_t size);
