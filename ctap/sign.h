/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/*
 * The one kind of signature of CTAP2: over the authenticator data and the client data hash (MC20,
 * GA14), by a credential's key or by who attests to it.
 */

#include "ctap/bytes.h"
#include "ctap/cose.h"
#include "ctap/env.h"
#include "ctap/macro.h"

/* By a loaded key. */
_must_check_ int ctap_sign(struct ctap_keys *keys, struct ctap_loaded_key *key,
                           const struct ctap_cose *alg, struct bytes auth_data,
                           struct bytes client_data_hash, struct ctap_signature *ret);

/* By the attester, with ES256. */
_must_check_ int ctap_sign_by_attester(struct ctap_attester *attester, struct bytes auth_data,
                                       struct bytes client_data_hash, struct ctap_signature *ret);

/* By an attester of the other kind: what it certifies of the loaded key has their hash in it. */
_must_check_ int ctap_certify(struct ctap_attester *attester, struct ctap_loaded_key *key,
                              struct bytes auth_data, struct bytes client_data_hash,
                              struct ctap_certification *ret);

/*
 * By a key in software that is made for this one signature and forgotten, or by none at all: it is
 * well-formed and proves nothing. Platforms find out by a silent assertion which credentials there are, without a
 * PIN (GA4, H31), and look at everything but the signature; a key that signs for nobody without its
 * PIN cannot give another one. -EIO if OpenSSL refused.
 */
_must_check_ int ctap_sign_by_nobody(const struct ctap_cose *alg, struct bytes auth_data,
                                     struct bytes client_data_hash, struct ctap_signature *ret);
