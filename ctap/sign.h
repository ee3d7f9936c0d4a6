/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/*
 * The one kind of signature of CTAP2: by a credential's key, over the authenticator data and the
 * client data hash (MC20, GA14).
 */

#include "ctap/bytes.h"
#include "ctap/cose.h"
#include "ctap/env.h"
#include "ctap/macro.h"

_must_check_ int ctap_sign(struct ctap_keys *keys, struct ctap_loaded_key *key,
                           const struct ctap_cose *alg, struct bytes auth_data,
                           struct bytes client_data_hash, struct ctap_signature *ret);
