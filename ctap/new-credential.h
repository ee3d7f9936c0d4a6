/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/*
 * How a credential comes to be, whoever asked for it: a client by authenticatorMakeCredential, which
 * asks a person first, or the owner's tool from a fixture (authenticator/seed.h), which asks nobody.
 */

#include <stdbool.h>
#include <stdint.h>

#include "ctap/cose.h"
#include "ctap/credential.h"
#include "ctap/ctap.h"
#include "ctap/env.h"
#include "ctap/macro.h"

/* What it is to be. The slices of the record borrow. */
struct ctap_new_credential {
        const struct ctap_cose *alg;
        struct ctap_record record;
        uint32_t flags;       /* CTAP_ROW_* */
        uint8_t cred_protect; /* 1..3; 0: it was not asked for */
        bool cred_random;     /* its CredRandom pair is made at once */
};

/* credProtect 3, and all that is made under alwaysUv, has a key that takes the PIN. */
enum ctap_key_class ctap_new_credential_class(const struct ctap *c, uint8_t cred_protect);

/*
 * Makes id, key and record. Nothing is kept: that it is a credential begins when its row is in the
 * store, and what becomes of one that is thrown away leaves no trace in the key device.
 */
_must_check_ int ctap_new_credential_make(struct ctap *c, const struct ctap_new_credential *what,
                                          struct ctap_row *ret_row,
                                          struct ctap_public_key *ret_public);
