/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/*
 * What a TPM says of a key (TPM 2.0 Part 2, 10.12 and 12.2): made for a key in software, and read as a
 * server reads it. Neither is by the code under test.
 */

#include "ctap/env.h"
#include "tests/fake/client.h"

/* All but the signature. */
void attest_write(const struct ctap_public_key *key, enum ctap_key_class class, struct bytes data,
                  struct ctap_certification *ret);
/* It is of the key that was made, with this data. */
void attest_read(struct bytes info, struct bytes public_area, struct bytes data,
                 const struct made *made);
