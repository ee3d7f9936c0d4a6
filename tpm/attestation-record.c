/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * What is kept of the attestation key: version, fields in one fixed order, and a SHA-256 over all of it,
 * which tells damage from a key of another TPM. As with the state of a user, it is no protection and
 * needs none: what was put there by somebody else the TPM does not load.
 */

#include <errno.h>
#include <openssl/sha.h>
#include <string.h>
#include <tss2/tss2_mu.h>

#include "tpm/attestation.h"
#include "tpm/key.h"
#include "tpm/policy.h"
#include "tpm/template.h"

enum {
        RECORD_MAGIC = 0x7470616b, /* "tpak" */
        RECORD_VERSION = 1,
};

static void put_structure(struct buf *b, const struct tpm_structure *s) {
        buf_put_string16(b, BYTES(s->data, s->len));
}

int tpm_attestation_encode(const struct tpm_attestation_record *record,
                           struct tpm_attestation_key *ret) {
        struct tpm_attestation_key key = { 0 };
        uint8_t storage[sizeof(struct tpm_blob)];
        struct buf b = BUF_ON(key.data), blob = BUF_ON(storage);
        struct sha256 digest;
        int r;

        tpm_blob_encode(&record->key, &blob);
        buf_put_u32(&b, RECORD_MAGIC);
        buf_put_u16(&b, RECORD_VERSION);
        buf_put_string16(&b, BYTES(record->srk.name.name, record->srk.name.size));
        buf_put_string16(&b, BYTES(record->srk.ref.data, record->srk.ref.len));
        buf_put_string16(&b, buf_bytes(&blob));
        buf_put_u32(&b, record->handle);
        buf_put_string16(&b, BYTES(record->ref.data, record->ref.len));
        put_structure(&b, &record->creation);
        put_structure(&b, &record->certificate);
        put_structure(&b, &record->signature);
        SHA256(b.data, b.len, digest.b);
        buf_put(&b, BYTES_OF(digest));

        r = blob.failed ? -EMSGSIZE : buf_error(&b);
        if (r < 0)
                return r;
        key.len = (uint16_t)b.len;
        *ret = key;
        return 0;
}

/* A string of at most `room` bytes. */
static uint16_t get(struct cursor *c, uint8_t *to, size_t room) {
        const struct bytes b = cursor_string16(c);

        if (b.len > room)
                c->failed = true;
        if (c->failed || b.len == 0)
                return 0;
        memcpy(to, b.data, b.len);
        return (uint16_t)b.len;
}

static void get_structure(struct cursor *c, struct tpm_structure *ret) {
        ret->len = get(c, ret->data, sizeof(ret->data));
}

/* The content without its digest, which is right. */
static int open_envelope(const struct tpm_attestation_key *key, struct cursor *ret) {
        struct sha256 digest;
        size_t n;

        if (key->len < sizeof(digest) || key->len > sizeof(key->data))
                return -EBADMSG;
        n = key->len - sizeof(digest);
        SHA256(key->data, n, digest.b);
        if (memcmp(digest.b, key->data + n, sizeof(digest)) != 0)
                return -EBADMSG;
        *ret = (struct cursor){ BYTES(key->data, n), false };
        return 0;
}

/* What later code takes for granted. */
static bool is_whole(const struct tpm_attestation_record *r) {
        const TPMT_PUBLIC *public = &r->key.public.publicArea;
        const bool certified = r->creation.len > 0;

        return r->srk.name.size > 0 && tpm_template_matches(&tpm_template_attestation, public) &&
               public->unique.ecc.x.size == 32 && public->unique.ecc.y.size == 32 &&
               (r->handle == 0 || r->handle >> 24 == TPM2_HT_PERSISTENT) &&
               (r->handle != 0 || r->ref.len == 0) && (r->certificate.len > 0) == certified &&
               (r->signature.len > 0) == certified;
}

int tpm_attestation_decode(const struct tpm_attestation_key *key,
                           struct tpm_attestation_record *ret) {
        struct tpm_attestation_record r = { 0 };
        struct cursor c;

        if (open_envelope(key, &c) < 0 || cursor_u32(&c) != RECORD_MAGIC ||
            cursor_u16(&c) != RECORD_VERSION)
                return -EBADMSG;
        r.srk.name.size = get(&c, r.srk.name.name, sizeof(r.srk.name.name));
        r.srk.ref.len = get(&c, r.srk.ref.data, sizeof(r.srk.ref.data));
        if (tpm_blob_decode(cursor_string16(&c), &r.key) < 0)
                return -EBADMSG;
        r.handle = cursor_u32(&c);
        r.ref.len = get(&c, r.ref.data, sizeof(r.ref.data));
        get_structure(&c, &r.creation);
        get_structure(&c, &r.certificate);
        get_structure(&c, &r.signature);
        if (cursor_end(&c) < 0 || !is_whole(&r))
                return -EBADMSG;

        *ret = r;
        return 0;
}

int tpm_attestation_key_facts(const struct tpm_attestation_key *key,
                              struct tpm_attestation_facts *ret) {
        struct tpm_attestation_facts facts = { .public_key.type = CTAP_KEY_P256 };
        struct tpm_attestation_record r;
        const TPMS_ECC_POINT *point = &r.key.public.publicArea.unique.ecc;
        TPM2B_NAME name;
        size_t n = 0;

        if (tpm_attestation_decode(key, &r) < 0 || r.creation.len == 0 ||
            tpm_name_of_object(&r.key.public.publicArea, &name) < 0 ||
            Tss2_MU_TPMT_PUBLIC_Marshal(&r.key.public.publicArea, facts.public.data,
                                        sizeof(facts.public.data), &n) != TSS2_RC_SUCCESS)
                return -EBADMSG;

        facts.public.len = (uint16_t)n;
        facts.handle = r.handle;
        memcpy(facts.name, name.name, sizeof(facts.name));
        memcpy(facts.public_key.x, point->x.buffer, 32);
        memcpy(facts.public_key.y, point->y.buffer, 32);
        facts.creation = r.creation;
        facts.certificate = r.certificate;
        facts.signature = r.signature;
        *ret = facts;
        return 0;
}
