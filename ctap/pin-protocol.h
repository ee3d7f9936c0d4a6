/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/*
 * PIN/UV auth protocols one and two (CTAP 2.3 §6.5.4 to §6.5.7): a key agreement, and what is done
 * with the secret that comes of it. Which protocol it is, is a row of a table; callers only pass its
 * number on.
 */

#include <openssl/evp.h>
#include <stdbool.h>

#include "ctap/bytes.h"
#include "ctap/cbor.h"
#include "ctap/env.h"
#include "ctap/macro.h"
#include "ctap/secret.h"
#include "ctap/status.h"

#define CTAP_PIN_PROTOCOLS 2 /* 1 and 2 */

/* True for the numbers of protocols that there are. */
bool ctap_pin_protocol_exists(int64_t protocol);

/* The authenticator's key pairs, one for each protocol; NULL until first needed. */
struct ctap_key_agreement {
        EVP_PKEY *pairs[CTAP_PIN_PROTOCOLS];
};

/* Forgets the pair of one protocol: secrets that were agreed on with it are of no use (CP6). */
void ctap_key_agreement_renew(struct ctap_key_agreement *a, unsigned protocol);
void ctap_key_agreement_wipe(struct ctap_key_agreement *a);
/* Writes the public key as a COSE_Key (CP14). */
_must_check_ int ctap_key_agreement_put(struct ctap_key_agreement *a, unsigned protocol,
                                        struct cbor_writer *out);

/* What platform and authenticator agreed on. */
struct ctap_shared_secret {
        unsigned protocol;
        struct secret32 mac, aes; /* the same one in protocol 1 */
};

void ctap_shared_secret_wipe(struct ctap_shared_secret *s);

/*
 * From the platform's COSE_Key. CTAP1_ERR_INVALID_PARAMETER: not a point of P-256 (CP13); other
 * errors as cbor_read_map() gives them.
 */
_must_check_ enum ctap_status ctap_decapsulate(struct ctap_key_agreement *a, unsigned protocol,
                                               const struct cbor_value *cose_key,
                                               struct ctap_shared_secret *ret);

/* AES-256-CBC; protocol 2 puts a random IV in front. Appends to `out`. `plain` is whole blocks. */
_must_check_ int ctap_secret_encrypt(const struct ctap_shared_secret *s, struct ctap_rng *rng,
                                     struct bytes plain, struct buf *out);
/* Appends the plaintext, at least one block. -EBADMSG: not whole blocks, or too short (CP12). */
_must_check_ int ctap_secret_decrypt(const struct ctap_shared_secret *s, struct bytes cipher,
                                     struct buf *out);

/* What a pinUvAuthParam or a saltAuth is checked against; in constant time (CP10, CP11, CP16). */
bool ctap_secret_verify(const struct ctap_shared_secret *s, struct bytes message,
                        struct bytes param);
/* The same with a pinUvAuthToken as the key. */
bool ctap_token_mac_verify(unsigned protocol, const struct secret32 *token, struct bytes message,
                           struct bytes param);
