/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/*
 * What makes a credential ours and keeps it private. The id is 16 random bytes and an HMAC-SHA-256
 * over (version, random, rpIdHash): a foreign id, or one of another RP, is refused in microseconds,
 * without a query or a TPM command (GA17). The record (who, where) is sealed with AES-256-GCM. RP
 * and account are looked up by tags. The keys for all this come from the store key by HKDF.
 *
 * id      = random(16) | HMAC(id key, 01 | random | rpIdHash)
 * sealed  = 01 | nonce(12) | ciphertext | tag(16), additional data: id | RP tag
 * record  = 02 | rp.id, user.id, user.name, user.displayName, credBlob as 16-bit length and bytes,
 *           in clear; length ffff: the name was absent. 01 is the same without credBlob.
 */

#include <stdbool.h>

#include "ctap/bytes.h"
#include "ctap/env.h"
#include "ctap/macro.h"
#include "ctap/secret.h"

struct ctap_credential_keys {
        struct secret32 id_mac;
        struct secret32 record;
        struct secret32 tag;
        struct secret32 large_blob;
};

_must_check_ int ctap_credential_keys_derive(const struct secret32 *store_key,
                                             struct ctap_credential_keys *ret);
void ctap_credential_keys_wipe(struct ctap_credential_keys *k);

_must_check_ int ctap_credential_id_make(const struct ctap_credential_keys *k, struct ctap_rng *rng,
                                         const struct sha256 *rp_id_hash,
                                         struct ctap_credential_id *ret);
/* True if `id` was made here for this RP; only then *ret is set. Any length may be asked for. */
bool ctap_credential_id_open(const struct ctap_credential_keys *k, struct bytes id,
                             const struct sha256 *rp_id_hash, struct ctap_credential_id *ret);

_must_check_ int ctap_rp_tag(const struct ctap_credential_keys *k, const struct sha256 *rp_id_hash,
                             struct sha256 *ret);
_must_check_ int ctap_account_tag(const struct ctap_credential_keys *k,
                                  const struct sha256 *rp_id_hash, struct bytes user_id,
                                  struct sha256 *ret);

/*
 * The largeBlobKey of a credential (CTAP 2.3 §12.3), which its site encrypts a large blob with. It
 * is always the same and is kept nowhere.
 */
_must_check_ int ctap_large_blob_key(const struct ctap_credential_keys *k,
                                     const struct ctap_credential_id *id, struct secret32 *ret);

/* Who a credential belongs to, and what its site left with it. The slices borrow; texts are UTF-8; absent members are empty. */
struct ctap_record {
        struct bytes rp_id; /* empty for U2F, which knows only the hash */
        struct bytes user_id;
        struct bytes user_name;
        struct bytes user_display_name;
        bool has_user_name; /* CM11: absent is not the same as empty */
        bool has_display_name;
        struct bytes cred_blob; /* D6: what the site wants to get back */
};

/* What a person knows the account by; empty if it was given no name. */
struct bytes ctap_record_account(const struct ctap_record *record);

/* What a record may hold; texts are cut on a UTF-8 boundary (B19), nothing else is cut. */
#define CTAP_RP_ID_MAX     255
#define CTAP_USER_ID_MAX   64
#define CTAP_USER_TEXT_MAX 128
#define CTAP_CRED_BLOB_MAX 32

/* Fills row->sealed for row->id. -EMSGSIZE if an id or the credBlob is too long. */
_must_check_ int ctap_record_seal(const struct ctap_credential_keys *k, struct ctap_rng *rng,
                                  const struct sha256 *rp_id_hash, const struct ctap_record *record,
                                  struct ctap_row *row);
/*
 * Opens row->sealed into storage, which the record then borrows from. -EBADMSG: the row was changed
 * or belongs to another RP or store key. `storage` has room for sizeof(row->sealed). Without an
 * rp_id_hash (NULL) the row's own rp_tag says whose it must be: for a list of all credentials.
 */
_must_check_ int ctap_record_open(const struct ctap_credential_keys *k,
                                  const struct sha256 *rp_id_hash, const struct ctap_row *row,
                                  struct buf *storage, struct ctap_record *ret);
