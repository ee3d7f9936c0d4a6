/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The state on disk: version, phase, fields in one fixed order, and a SHA-256 over all of it. The
 * digest is no protection against an attacker (who gains nothing: everything in here is wrapped
 * by the TPM, or compared with what is in the TPM) but makes sure that a damaged file is called
 * damaged, and is not taken for another TPM.
 */

#include <errno.h>
#include <openssl/sha.h>
#include <string.h>
#include <tss2/tss2_mu.h>

#include "tpm/state.h"

enum {
        STATE_MAGIC = 0x74706d61, /* "tpma" */
        STATE_VERSION = 3,
        STATE_HAS_P384 = 1 << 0,
        STATE_IS_FIRMWARE = 1 << 1,
        STATE_ASKED_RSA2048 = 1 << 2,
        STATE_HAS_RSA2048 = 1 << 3, /* only with STATE_ASKED_RSA2048 */
};

/* The flags that each version knows. */
static const uint8_t known_flags[] = {
        [1] = STATE_HAS_P384,
        [2] = STATE_HAS_P384 | STATE_IS_FIRMWARE,
        [3] = STATE_HAS_P384 | STATE_IS_FIRMWARE | STATE_ASKED_RSA2048 | STATE_HAS_RSA2048,
};

static void put_name(struct buf *b, const TPM2B_NAME *name) {
        buf_put_string16(b, BYTES(name->name, name->size));
}

static void put_ref(struct buf *b, const struct tpm_ref *ref) {
        buf_put_string16(b, BYTES(ref->data, ref->len));
}

struct nv_storage {
        uint8_t b[sizeof(TPM2B_NV_PUBLIC)];
};

/* Empty if there is none; a failed buffer if it cannot be written. */
static struct buf nv_encode(const TPM2B_NV_PUBLIC *public, struct nv_storage *storage) {
        struct buf b = BUF_ON(storage->b);

        if (public->size > 0 &&
            Tss2_MU_TPM2B_NV_PUBLIC_Marshal(public, b.data, b.cap, &b.len) != TSS2_RC_SUCCESS)
                b.failed = true;
        return b;
}

static void put_nv(struct buf *b, const struct tpm_nv *nv) {
        struct nv_storage storage;
        struct buf public = nv_encode(&nv->public, &storage);

        if (public.failed)
                b->failed = true;
        buf_put_string16(b, buf_bytes(&public));
        put_ref(b, &nv->ref);
}

static void put_blob(struct buf *b, const struct tpm_blob *blob) {
        uint8_t storage[sizeof(struct tpm_blob)];
        struct buf one = BUF_ON(storage);

        if (blob->private.size > 0)
                tpm_blob_encode(blob, &one);
        if (one.failed)
                b->failed = true;
        buf_put_string16(b, buf_bytes(&one));
}

struct ticket_storage {
        uint8_t b[sizeof(TPMT_TK_VERIFIED)];
};

/* Empty if there is none; a failed buffer if it cannot be written. */
static struct buf ticket_encode(const TPMT_TK_VERIFIED *ticket, struct ticket_storage *storage) {
        struct buf b = BUF_ON(storage->b);

        if (ticket->digest.size > 0 &&
            Tss2_MU_TPMT_TK_VERIFIED_Marshal(ticket, b.data, b.cap, &b.len) != TSS2_RC_SUCCESS)
                b.failed = true;
        return b;
}

static void put_approval(struct buf *b, const struct tpm_approval *approval) {
        struct ticket_storage storage;
        struct buf ticket = ticket_encode(&approval->ticket, &storage);

        if (ticket.failed)
                b->failed = true;
        put_name(b, &approval->writer);
        buf_put_string16(b, buf_bytes(&ticket));
}

/* What version 2 added. */
static void put_pin(struct buf *b, const struct tpm_record *record) {
        buf_put_u8(b, (uint8_t)record->pin_kind);
        buf_put_u8(b, (uint8_t)record->hmac_kind);
        put_nv(b, &record->pin);
        put_approval(b, &record->pin_change);
        buf_put(b, BYTES_OF(record->pin_salt));
        put_nv(b, &record->tries);
        buf_put_u64(b, record->tries_base);
        put_nv(b, &record->scratch);
}

static uint8_t flags_of(const struct tpm_record *record) {
        return (uint8_t)((record->has_p384 ? STATE_HAS_P384 : 0) |
                         (record->is_firmware ? STATE_IS_FIRMWARE : 0) |
                         (record->asked_rsa2048 ? STATE_ASKED_RSA2048 : 0) |
                         (record->has_rsa2048 ? STATE_HAS_RSA2048 : 0));
}

int tpm_state_encode(const struct tpm_record *record, struct tpm_state *ret) {
        struct tpm_state s = { .phase = record->phase };
        struct buf b = BUF_ON(s.data);
        struct sha256 digest;
        int r;

        buf_put_u32(&b, STATE_MAGIC);
        buf_put_u16(&b, STATE_VERSION);
        buf_put_u8(&b, (uint8_t)record->phase);
        buf_put_u8(&b, flags_of(record));
        put_name(&b, &record->srk.name);
        put_ref(&b, &record->srk.ref);
        put_nv(&b, &record->anchor);
        put_nv(&b, &record->counter);
        buf_put_u32(&b, record->worker_handle);
        put_name(&b, &record->worker_name);
        put_ref(&b, &record->worker);
        put_blob(&b, &record->gate_key);
        put_blob(&b, &record->worker_key);
        put_blob(&b, &record->sealed_auth);
        put_blob(&b, &record->sealed_store_key);
        put_pin(&b, record);
        SHA256(b.data, b.len, digest.b);
        buf_put(&b, BYTES_OF(digest));

        r = buf_error(&b);
        if (r < 0)
                return r;
        s.len = (uint16_t)b.len;
        *ret = s;
        return 0;
}

static void get_name(struct cursor *c, TPM2B_NAME *ret) {
        struct bytes b = cursor_string16(c);

        if (b.len > sizeof(ret->name)) {
                c->failed = true;
                return;
        }
        ret->size = (uint16_t)b.len;
        if (b.len > 0)
                memcpy(ret->name, b.data, b.len);
}

static void get_ref(struct cursor *c, struct tpm_ref *ret) {
        struct bytes b = cursor_string16(c);

        if (b.len > sizeof(ret->data)) {
                c->failed = true;
                return;
        }
        ret->len = (uint16_t)b.len;
        if (b.len > 0)
                memcpy(ret->data, b.data, b.len);
}

/* Written again it must be the same: unmarshalling does not look at the size in front. */
static void get_nv(struct cursor *c, struct tpm_nv *ret) {
        struct bytes b = cursor_string16(c);
        struct nv_storage storage;
        struct buf again;
        size_t n = 0;

        if (b.len > 0 &&
            Tss2_MU_TPM2B_NV_PUBLIC_Unmarshal(b.data, b.len, &n, &ret->public) != TSS2_RC_SUCCESS)
                c->failed = true;
        again = nv_encode(&ret->public, &storage);
        if (!bytes_equal(buf_bytes(&again), b) ||
            (b.len > 0 && ret->public.nvPublic.nvIndex >> 24 != TPM2_HT_NV_INDEX))
                c->failed = true;
        get_ref(c, &ret->ref);
}

static void get_blob(struct cursor *c, struct tpm_blob *ret) {
        struct bytes b = cursor_string16(c);

        if (b.len > 0 && tpm_blob_decode(b, ret) < 0)
                c->failed = true;
}

/* As with an index. */
static void get_ticket(struct cursor *c, TPMT_TK_VERIFIED *ret) {
        struct bytes b = cursor_string16(c);
        struct ticket_storage storage;
        struct buf again;
        size_t n = 0;

        if (b.len > 0 &&
            Tss2_MU_TPMT_TK_VERIFIED_Unmarshal(b.data, b.len, &n, ret) != TSS2_RC_SUCCESS)
                c->failed = true;
        again = ticket_encode(ret, &storage);
        if (!bytes_equal(buf_bytes(&again), b))
                c->failed = true;
}

static void get_pin(struct cursor *c, struct tpm_record *ret) {
        ret->pin_kind = cursor_u8(c);
        ret->hmac_kind = cursor_u8(c);
        get_nv(c, &ret->pin);
        get_name(c, &ret->pin_change.writer);
        get_ticket(c, &ret->pin_change.ticket);
        cursor_copy(c, ret->pin_salt, sizeof(ret->pin_salt));
        get_nv(c, &ret->tries);
        ret->tries_base = cursor_u64(c);
        get_nv(c, &ret->scratch);
        if (ret->pin_kind > TPM_PIN_ORDINARY || ret->hmac_kind > TPM_HMAC_UNSEAL)
                c->failed = true;
}

/* An index that was made can be used. */
static bool has_whole_pin(const struct tpm_record *r) {
        if (r->pin.ref.len == 0)
                return true;
        return tpm_nv_index(&r->pin) != 0 && r->pin_change.writer.size > 0 &&
               r->pin_change.ticket.digest.size > 0 && r->pin_kind != TPM_PIN_NONE &&
               (r->pin_kind != TPM_PIN_ORDINARY || r->tries.ref.len > 0);
}

static bool has_whole_worker(const struct tpm_record *r) {
        return r->worker_name.size > 0 && r->worker_key.private.size > 0 &&
               (r->worker.len > 0) == (r->worker_handle != 0);
}

/* What later code takes for granted in each phase. */
static bool is_whole(const struct tpm_record *r) {
        bool chosen = tpm_nv_index(&r->anchor) != 0 && tpm_nv_index(&r->counter) != 0;

        switch (r->phase) {
        case TPM_PHASE_PROVISIONING:
                return chosen;
        case TPM_PHASE_READY:
                return chosen && r->srk.name.size > 0 && r->anchor.ref.len > 0 &&
                       r->counter.ref.len > 0 && has_whole_worker(r) && has_whole_pin(r) &&
                       r->gate_key.private.size > 0 && r->sealed_auth.private.size > 0 &&
                       r->sealed_store_key.private.size > 0;
        case TPM_PHASE_ERASING:
                return true;
        case TPM_PHASE_NONE:
        default:
                return false;
        }
}

/* The content without its digest, which is right. */
static int open_envelope(const struct tpm_state *state, struct cursor *ret) {
        struct sha256 digest;
        size_t n;

        if (state->len < sizeof(digest) || state->len > sizeof(state->data))
                return -EBADMSG;

        n = state->len - sizeof(digest);
        SHA256(state->data, n, digest.b);
        if (memcmp(digest.b, state->data + n, sizeof(digest)) != 0)
                return -EBADMSG;

        *ret = (struct cursor){ BYTES(state->data, n), false };
        return 0;
}

static void get_record(struct cursor *c, uint16_t version, struct tpm_record *ret) {
        uint8_t flags;

        ret->phase = cursor_u8(c);
        flags = cursor_u8(c);
        if ((flags & ~known_flags[version]) ||
            (flags & (STATE_ASKED_RSA2048 | STATE_HAS_RSA2048)) == STATE_HAS_RSA2048)
                c->failed = true;
        ret->has_p384 = (flags & STATE_HAS_P384) != 0;
        ret->is_firmware = (flags & STATE_IS_FIRMWARE) != 0;
        ret->asked_rsa2048 = (flags & STATE_ASKED_RSA2048) != 0;
        ret->has_rsa2048 = (flags & STATE_HAS_RSA2048) != 0;
        get_name(c, &ret->srk.name);
        get_ref(c, &ret->srk.ref);
        get_nv(c, &ret->anchor);
        get_nv(c, &ret->counter);
        ret->worker_handle = cursor_u32(c);
        get_name(c, &ret->worker_name);
        get_ref(c, &ret->worker);
        get_blob(c, &ret->gate_key);
        get_blob(c, &ret->worker_key);
        get_blob(c, &ret->sealed_auth);
        get_blob(c, &ret->sealed_store_key);
        if (version >= 2)
                get_pin(c, ret);
}

int tpm_state_decode(const struct tpm_state *state, struct tpm_record *ret) {
        struct tpm_record r = { 0 };
        uint16_t version;
        struct cursor c;

        if (state->phase == TPM_PHASE_NONE && state->len == 0) {
                *ret = r;
                return 0;
        }
        if (open_envelope(state, &c) < 0 || cursor_u32(&c) != STATE_MAGIC)
                return -EBADMSG;
        version = cursor_u16(&c);
        if (version < 1 || version > STATE_VERSION)
                return -EBADMSG;

        get_record(&c, version, &r);
        if (cursor_end(&c) < 0 || r.phase != state->phase || !is_whole(&r) ||
            (r.worker_handle != 0 && r.worker_handle >> 24 != TPM2_HT_PERSISTENT))
                return -EBADMSG;

        *ret = r;
        return 0;
}

void tpm_state_facts(const struct tpm_state *state, struct tpm_facts *ret) {
        struct tpm_record r;

        if (tpm_state_decode(state, &r) < 0)
                r = (struct tpm_record){ 0 };
        *ret = (struct tpm_facts){
                .anchor = tpm_nv_index(&r.anchor),
                .counter = tpm_nv_index(&r.counter),
                .pin = tpm_nv_index(&r.pin),
                .tries = tpm_nv_index(&r.tries),
                .worker = r.worker_handle,
                .pin_kind = r.pin_kind,
                .hmac_kind = r.hmac_kind,
                .is_firmware = r.is_firmware,
                .srk_persistent = r.srk.ref.len > 0,
                .has_p384 = r.has_p384,
                .has_rsa2048 = r.has_rsa2048,
        };
}
