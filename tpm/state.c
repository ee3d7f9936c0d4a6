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
        STATE_VERSION = 1,
        STATE_HAS_P384 = 1 << 0,
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

int tpm_state_encode(const struct tpm_record *record, struct tpm_state *ret) {
        struct tpm_state s = { .phase = record->phase };
        struct buf b = BUF_ON(s.data);
        struct sha256 digest;
        int r;

        buf_put_u32(&b, STATE_MAGIC);
        buf_put_u16(&b, STATE_VERSION);
        buf_put_u8(&b, (uint8_t)record->phase);
        buf_put_u8(&b, record->has_p384 ? STATE_HAS_P384 : 0);
        put_name(&b, &record->srk_name);
        put_ref(&b, &record->srk);
        put_nv(&b, &record->anchor);
        put_nv(&b, &record->counter);
        buf_put_u32(&b, record->worker_handle);
        put_name(&b, &record->worker_name);
        put_ref(&b, &record->worker);
        put_blob(&b, &record->gate_key);
        put_blob(&b, &record->worker_key);
        put_blob(&b, &record->sealed_auth);
        put_blob(&b, &record->sealed_store_key);
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

/* What later code takes for granted in each phase. */
static bool is_whole(const struct tpm_record *r) {
        bool chosen = tpm_nv_index(&r->anchor) != 0 && tpm_nv_index(&r->counter) != 0 &&
                      r->worker_handle != 0;

        switch (r->phase) {
        case TPM_PHASE_PROVISIONING:
                return chosen;
        case TPM_PHASE_READY:
                return chosen && r->srk_name.size > 0 && r->anchor.ref.len > 0 &&
                       r->counter.ref.len > 0 && r->worker_name.size > 0 && r->worker.len > 0 &&
                       r->gate_key.private.size > 0 && r->worker_key.private.size > 0 &&
                       r->sealed_auth.private.size > 0 && r->sealed_store_key.private.size > 0;
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

int tpm_state_decode(const struct tpm_state *state, struct tpm_record *ret) {
        struct tpm_record r = { 0 };
        struct cursor c;
        uint8_t flags;

        if (state->phase == TPM_PHASE_NONE && state->len == 0) {
                *ret = r;
                return 0;
        }
        if (open_envelope(state, &c) < 0)
                return -EBADMSG;
        if (cursor_u32(&c) != STATE_MAGIC || cursor_u16(&c) != STATE_VERSION)
                return -EBADMSG;

        r.phase = cursor_u8(&c);
        flags = cursor_u8(&c);
        r.has_p384 = (flags & STATE_HAS_P384) != 0;
        get_name(&c, &r.srk_name);
        get_ref(&c, &r.srk);
        get_nv(&c, &r.anchor);
        get_nv(&c, &r.counter);
        r.worker_handle = cursor_u32(&c);
        get_name(&c, &r.worker_name);
        get_ref(&c, &r.worker);
        get_blob(&c, &r.gate_key);
        get_blob(&c, &r.worker_key);
        get_blob(&c, &r.sealed_auth);
        get_blob(&c, &r.sealed_store_key);

        if (cursor_end(&c) < 0 || (flags & ~STATE_HAS_P384) != 0 || r.phase != state->phase ||
            !is_whole(&r) || (r.worker_handle != 0 && r.worker_handle >> 24 != TPM2_HT_PERSISTENT))
                return -EBADMSG;

        *ret = r;
        return 0;
}

void tpm_state_handles(const struct tpm_state *state, uint32_t *ret_anchor, uint32_t *ret_counter,
                       uint32_t *ret_worker) {
        struct tpm_record r;

        if (tpm_state_decode(state, &r) < 0)
                r = (struct tpm_record){ 0 };
        *ret_anchor = tpm_nv_index(&r.anchor);
        *ret_counter = tpm_nv_index(&r.counter);
        *ret_worker = r.worker_handle;
}
