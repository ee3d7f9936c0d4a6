/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Credential ids, tags and sealed records: layouts and reasons are in credential.h. Every key has
 * one use, and every MAC opens with what it is over, so that no value made here for one purpose can
 * be shown for another.
 */

#include <assert.h>
#include <errno.h>
#include <string.h>

#include "ctap/credential.h"
#include "ctap/crypto.h"

enum {
        ID_VERSION = 1,
        SEAL_VERSION = 1,
        RECORD_VERSION_1 = 1, /* without credBlob */
        RECORD_VERSION = 2,
};

#define ID_RANDOM_SIZE 16

/* In place of a length: the member was absent (CM11). */
#define TEXT_ABSENT 0xffff

#define RECORD_MAX                                                                          \
        (1 + 2 + CTAP_RP_ID_MAX + 2 + CTAP_USER_ID_MAX + 2 * (2 + CTAP_USER_TEXT_MAX) + 2 + \
         CTAP_CRED_BLOB_MAX)

static_assert(1 + sizeof(struct ctap_gcm_nonce) + RECORD_MAX + CTAP_GCM_TAG_SIZE <=
                      sizeof(((struct ctap_row *)NULL)->sealed),
              "a row has room for the largest record");

int ctap_credential_keys_derive(const struct secret32 *store_key,
                                struct ctap_credential_keys *ret) {
        _cleanup_(ctap_credential_keys_wipe) struct ctap_credential_keys made = { 0 };
        int r;

        r = ctap_hkdf_sha256(store_key, "tpmauthn credential id", &made.id_mac);
        if (r == 0)
                r = ctap_hkdf_sha256(store_key, "tpmauthn credential record", &made.record);
        if (r == 0)
                r = ctap_hkdf_sha256(store_key, "tpmauthn store tag", &made.tag);
        if (r == 0)
                r = ctap_hkdf_sha256(store_key, "tpmauthn large blob key", &made.large_blob);
        if (r < 0)
                return r;

        *ret = made;
        return 0;
}

void ctap_credential_keys_wipe(struct ctap_credential_keys *k) {
        OPENSSL_cleanse(k, sizeof(*k));
}

/* ---- ids ---- */

static int id_mac(const struct ctap_credential_keys *k, const struct ctap_credential_id *id,
                  const struct sha256 *rp_id_hash, struct sha256 *ret) {
        uint8_t storage[1 + ID_RANDOM_SIZE + sizeof(*rp_id_hash)];
        struct buf message = BUF_ON(storage);

        buf_put_u8(&message, ID_VERSION);
        buf_put(&message, BYTES(id->b, ID_RANDOM_SIZE));
        buf_put(&message, BYTES_OF(*rp_id_hash));
        return ctap_hmac_sha256(&k->id_mac, buf_bytes(&message), ret);
}

int ctap_credential_id_make(const struct ctap_credential_keys *k, struct ctap_rng *rng,
                            const struct sha256 *rp_id_hash, struct ctap_credential_id *ret) {
        struct ctap_credential_id id;
        struct sha256 mac;
        int r;

        r = rng->ops->fill(rng, id.b, ID_RANDOM_SIZE);
        if (r < 0)
                return r;
        r = id_mac(k, &id, rp_id_hash, &mac);
        if (r < 0)
                return r;

        memcpy(id.b + ID_RANDOM_SIZE, mac.b, sizeof(mac.b));
        *ret = id;
        return 0;
}

bool ctap_credential_id_open(const struct ctap_credential_keys *k, struct bytes id,
                             const struct sha256 *rp_id_hash, struct ctap_credential_id *ret) {
        struct cursor in = { id, false };
        struct ctap_credential_id seen;
        struct sha256 mac;

        if (id.len != sizeof(seen.b))
                return false;
        cursor_copy(&in, seen.b, sizeof(seen.b));
        if (id_mac(k, &seen, rp_id_hash, &mac) < 0 ||
            !bytes_equal_secret(BYTES_OF(mac), BYTES(seen.b + ID_RANDOM_SIZE, sizeof(mac))))
                return false;

        *ret = seen;
        return true;
}

/* ---- tags ---- */

int ctap_rp_tag(const struct ctap_credential_keys *k, const struct sha256 *rp_id_hash,
                struct sha256 *ret) {
        uint8_t storage[1 + sizeof(*rp_id_hash)];
        struct buf message = BUF_ON(storage);

        buf_put_u8(&message, 'R');
        buf_put(&message, BYTES_OF(*rp_id_hash));
        return ctap_hmac_sha256(&k->tag, buf_bytes(&message), ret);
}

int ctap_account_tag(const struct ctap_credential_keys *k, const struct sha256 *rp_id_hash,
                     struct bytes user_id, struct sha256 *ret) {
        uint8_t storage[1 + sizeof(*rp_id_hash) + CTAP_USER_ID_MAX];
        struct buf message = BUF_ON(storage);

        buf_put_u8(&message, 'A');
        buf_put(&message, BYTES_OF(*rp_id_hash));
        buf_put(&message, user_id);
        if (buf_error(&message) < 0)
                return -EMSGSIZE;
        return ctap_hmac_sha256(&k->tag, buf_bytes(&message), ret);
}

/* ---- large blob keys ---- */

int ctap_large_blob_key(const struct ctap_credential_keys *k, const struct ctap_credential_id *id,
                        struct secret32 *ret) {
        struct sha256 derived;
        int r;

        r = ctap_hmac_sha256(&k->large_blob, BYTES_OF(*id), &derived);
        if (r < 0)
                return r;

        memcpy(ret->b, derived.b, sizeof(ret->b));
        OPENSSL_cleanse(&derived, sizeof(derived));
        return 0;
}

/* ---- records ---- */

struct plain_record {
        uint8_t b[RECORD_MAX];
};

static void plain_record_wipe(struct plain_record *p) {
        OPENSSL_cleanse(p, sizeof(*p));
}

static void put_text(struct buf *b, bool present, struct bytes text) {
        if (present)
                buf_put_string16(b, bytes_utf8_prefix(text, CTAP_USER_TEXT_MAX));
        else
                buf_put_u16(b, TEXT_ABSENT);
}

static struct bytes take_text(struct cursor *c, bool *ret_present) {
        uint16_t len = cursor_u16(c);

        *ret_present = !c->failed && len != TEXT_ABSENT;
        return *ret_present ? cursor_take(c, len) : BYTES_NULL;
}

/* What a record is bound to. The tag stands for the RP, because a row knows its own. */
static int additional_data(const struct ctap_credential_keys *k, const struct ctap_row *row,
                           const struct sha256 *rp_id_hash, struct buf *to) {
        struct sha256 tag = row->rp_tag;
        int r = rp_id_hash ? ctap_rp_tag(k, rp_id_hash, &tag) : 0;

        if (r < 0)
                return r;
        buf_put(to, BYTES_OF(row->id));
        buf_put(to, BYTES_OF(tag));
        return buf_error(to);
}

#define ADDITIONAL_SIZE (CTAP_CREDENTIAL_ID_SIZE + sizeof(struct sha256))

struct bytes ctap_record_account(const struct ctap_record *record) {
        return record->user_name.len > 0 ? record->user_name : record->user_display_name;
}

int ctap_record_seal(const struct ctap_credential_keys *k, struct ctap_rng *rng,
                     const struct sha256 *rp_id_hash, const struct ctap_record *record,
                     struct ctap_row *row) {
        _cleanup_(plain_record_wipe) struct plain_record storage;
        uint8_t bound[ADDITIONAL_SIZE], sealed[sizeof(row->sealed)];
        struct buf plain = BUF_ON(storage.b), additional = BUF_ON(bound), out = BUF_ON(sealed);
        struct ctap_gcm_nonce nonce;
        int r;

        if (record->rp_id.len > CTAP_RP_ID_MAX || record->user_id.len > CTAP_USER_ID_MAX ||
            record->cred_blob.len > CTAP_CRED_BLOB_MAX)
                return -EMSGSIZE;

        buf_put_u8(&plain, RECORD_VERSION);
        buf_put_string16(&plain, record->rp_id);
        buf_put_string16(&plain, record->user_id);
        put_text(&plain, record->has_user_name, record->user_name);
        put_text(&plain, record->has_display_name, record->user_display_name);
        buf_put_string16(&plain, record->cred_blob);
        r = buf_error(&plain);
        if (r == 0)
                r = additional_data(k, row, rp_id_hash, &additional);
        if (r == 0)
                r = rng->ops->fill(rng, nonce.b, sizeof(nonce.b));
        if (r < 0)
                return r;

        buf_put_u8(&out, SEAL_VERSION);
        buf_put(&out, BYTES_OF(nonce));
        r = ctap_gcm_seal(&k->record, &nonce, buf_bytes(&additional), buf_bytes(&plain), &out);
        if (r < 0)
                return r;

        memcpy(row->sealed, out.data, out.len);
        row->sealed_len = (uint16_t)out.len;
        return 0;
}

static int record_decode(struct bytes plain, struct ctap_record *ret) {
        struct cursor in = { plain, false };
        struct ctap_record record = { 0 };
        uint8_t version = cursor_u8(&in);

        record.rp_id = cursor_string16(&in);
        record.user_id = cursor_string16(&in);
        record.user_name = take_text(&in, &record.has_user_name);
        record.user_display_name = take_text(&in, &record.has_display_name);
        if (version != RECORD_VERSION_1)
                record.cred_blob = cursor_string16(&in);
        if (cursor_end(&in) < 0 || (version != RECORD_VERSION_1 && version != RECORD_VERSION))
                return -EBADMSG;

        *ret = record;
        return 0;
}

int ctap_record_open(const struct ctap_credential_keys *k, const struct sha256 *rp_id_hash,
                     const struct ctap_row *row, struct buf *storage, struct ctap_record *ret) {
        uint8_t bound[ADDITIONAL_SIZE];
        struct buf additional = BUF_ON(bound);
        struct ctap_gcm_nonce nonce = { { 0 } };
        struct cursor in;
        size_t before = storage->len;
        int r;

        if (row->sealed_len > sizeof(row->sealed))
                return -EBADMSG;
        in = (struct cursor){ BYTES(row->sealed, row->sealed_len), false };
        if (cursor_u8(&in) != SEAL_VERSION)
                return -EBADMSG;
        cursor_copy(&in, nonce.b, sizeof(nonce.b));
        if (in.failed)
                return -EBADMSG;

        r = additional_data(k, row, rp_id_hash, &additional);
        if (r < 0)
                return r;
        r = ctap_gcm_open(&k->record, &nonce, buf_bytes(&additional), in.left, storage);
        if (r < 0)
                return r;
        return record_decode(BYTES(storage->data + before, storage->len - before), ret);
}
