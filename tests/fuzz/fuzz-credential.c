/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * ctap/credential.c: ids and sealed records. Whoever sends an id, or writes to the disk, must not be
 * able to make one that opens; what was sealed must come back as it was; and a plaintext of any
 * shape, which only another version of this program could have sealed, must be read with care. The
 * first byte of the input chooses what is tried.
 *
 *   i AT MASK LEN AT MASK   an id of ours, LEN bytes of it, with bits flipped in it and in the RP
 *   I ID                    any id at all
 *   r AT AT MASK TEXTS      a record of five texts (16-bit length and bytes; ffff: absent), the last
 *                           one its credBlob, opened again, as it is and with bits flipped in the row
 *   p PLAIN                 any plaintext, properly sealed
 *   s SEALED                any sealed record
 */

#include <errno.h>
#include <string.h>

#include "ctap/credential.h"
#include "ctap/crypto.h"
#include "tests/fuzz/fuzz.h"

#define SEAL_VERSION 1

/* Counts: different bytes each time, the same ones in every run. */
struct counting_rng {
        struct ctap_rng rng;
        uint8_t next;
};

static int count(struct ctap_rng *r, uint8_t *to, size_t n) {
        struct counting_rng *c = container_of(r, struct counting_rng, rng);

        for (size_t i = 0; i < n; i++)
                to[i] = c->next++;
        return 0;
}

static const struct ctap_rng_ops counting = { .fill = count };

struct fixture {
        struct counting_rng random;
        struct ctap_credential_keys keys;
        struct sha256 rp;
        struct ctap_row row;
};

static void set_up(struct fixture *f) {
        static const struct secret32 store_key = { "a store key of thirty-two bytes" };

        *f = (struct fixture){ .random = { { &counting }, 0 }, .rp = { "an RP" } };
        require(ctap_credential_keys_derive(&store_key, &f->keys) == 0);
        require(ctap_credential_id_make(&f->keys, &f->random.rng, &f->rp, &f->row.id) == 0);
}

/* ---- ids ---- */

static void try_made_id(struct fixture *f, struct cursor *c) {
        struct ctap_credential_id id = f->row.id, opened = { { 0 } };
        uint8_t at = cursor_u8(c), mask = cursor_u8(c), len = cursor_u8(c);
        uint8_t rp_at = cursor_u8(c), rp_mask = cursor_u8(c);
        struct sha256 rp = f->rp;
        bool ours;

        id.b[at % sizeof(id.b)] ^= mask;
        rp.b[rp_at % sizeof(rp.b)] ^= rp_mask;
        ours = mask == 0 && rp_mask == 0 && len >= sizeof(id.b);
        require(ctap_credential_id_open(&f->keys,
                                        BYTES(id.b, len < sizeof(id.b) ? len : sizeof(id.b)), &rp,
                                        &opened) == ours);
        if (ours)
                require(bytes_equal(BYTES_OF(opened), BYTES_OF(f->row.id)));
}

static void try_any_id(struct fixture *f, struct bytes id) {
        struct ctap_credential_id opened;

        if (bytes_equal(id, BYTES_OF(f->row.id)))
                return;
        require(!ctap_credential_id_open(&f->keys, id, &f->rp, &opened));
}

/* ---- records ---- */

static void inside(struct bytes part, const struct buf *whole) {
        if (part.len == 0)
                return;
        require(part.data >= whole->data);
        require((size_t)(part.data - whole->data) <= whole->len);
        require(part.len <= whole->len - (size_t)(part.data - whole->data));
}

/* 0 or -errno; what comes out borrows from the storage. */
static int open_row(const struct fixture *f, const struct ctap_row *row, struct buf *storage,
                    struct ctap_record *ret) {
        int r = ctap_record_open(&f->keys, &f->rp, row, storage, ret);

        require(r == 0 || r == -EBADMSG);
        if (r < 0)
                return r;
        inside(ret->rp_id, storage);
        inside(ret->user_id, storage);
        inside(ret->user_name, storage);
        inside(ret->user_display_name, storage);
        inside(ret->cred_blob, storage);
        require(ret->has_user_name || ret->user_name.len == 0);
        require(ret->has_display_name || ret->user_display_name.len == 0);
        return 0;
}

static struct bytes take_text(struct cursor *c, bool *ret_present) {
        uint16_t n = cursor_u16(c);

        *ret_present = n != UINT16_MAX && !c->failed;
        return *ret_present ? cursor_take(c, n < c->left.len ? n : c->left.len) : BYTES_NULL;
}

static void same_text(struct bytes in, struct bytes out) {
        require(out.len <= CTAP_USER_TEXT_MAX);
        require(bytes_equal(out, bytes_utf8_prefix(in, CTAP_USER_TEXT_MAX)));
        require(!bytes_is_utf8(in) || bytes_is_utf8(out));
}

static void same_record(const struct ctap_record *in, const struct ctap_record *out) {
        require(bytes_equal(in->rp_id, out->rp_id));
        require(bytes_equal(in->user_id, out->user_id));
        require(in->has_user_name == out->has_user_name);
        require(in->has_display_name == out->has_display_name);
        require(bytes_equal(in->cred_blob, out->cred_blob));
        same_text(in->user_name, out->user_name);
        same_text(in->user_display_name, out->user_display_name);
}

static void try_record(struct fixture *f, struct cursor *c) {
        uint16_t at = cursor_u16(c);
        uint8_t mask = cursor_u8(c), storage[sizeof(f->row.sealed)];
        struct buf opened = BUF_ON(storage);
        struct ctap_record in = { 0 }, out;
        bool present;
        int r;

        in.rp_id = take_text(c, &present);
        in.user_id = take_text(c, &present);
        in.user_name = take_text(c, &in.has_user_name);
        in.user_display_name = take_text(c, &in.has_display_name);
        in.cred_blob = take_text(c, &present);

        r = ctap_record_seal(&f->keys, &f->random.rng, &f->rp, &in, &f->row);
        if (in.rp_id.len > CTAP_RP_ID_MAX || in.user_id.len > CTAP_USER_ID_MAX ||
            in.cred_blob.len > CTAP_CRED_BLOB_MAX) {
                require(r == -EMSGSIZE && f->row.sealed_len == 0);
                return;
        }
        require(r == 0);
        require(open_row(f, &f->row, &opened, &out) == 0);
        same_record(&in, &out);

        opened.len = 0;
        if (mask == 0)
                f->row.sealed_len = at % f->row.sealed_len;
        else
                f->row.sealed[at % f->row.sealed_len] ^= mask;
        require(open_row(f, &f->row, &opened, &out) == -EBADMSG);
        require(opened.len == 0);
}

static void try_plain(struct fixture *f, struct bytes plain) {
        const struct ctap_gcm_nonce nonce = { "a nonce" };
        uint8_t storage[sizeof(f->row.sealed)], bound[sizeof(f->row.id) + sizeof(struct sha256)];
        struct buf sealed = BUF_ON(f->row.sealed), additional = BUF_ON(bound);
        struct buf opened = BUF_ON(storage);
        struct ctap_record out;
        struct sha256 tag;

        require(ctap_rp_tag(&f->keys, &f->rp, &tag) == 0);
        buf_put(&additional, BYTES_OF(f->row.id));
        buf_put(&additional, BYTES_OF(tag));
        buf_put_u8(&sealed, SEAL_VERSION);
        buf_put(&sealed, BYTES_OF(nonce));
        if (ctap_gcm_seal(&f->keys.record, &nonce, buf_bytes(&additional), plain, &sealed) < 0)
                return;
        f->row.sealed_len = (uint16_t)sealed.len;
        if (open_row(f, &f->row, &opened, &out) == 0) {
                require(plain.data[0] == 1 || plain.data[0] == 2);
                require(plain.data[0] == 2 || out.cred_blob.len == 0);
        }
        require(bytes_equal(buf_bytes(&opened), plain));
}

static void try_sealed(struct fixture *f, struct bytes sealed) {
        uint8_t storage[sizeof(f->row.sealed)];
        struct buf opened = BUF_ON(storage);
        struct ctap_record out;
        size_t n = sealed.len < sizeof(f->row.sealed) ? sealed.len : sizeof(f->row.sealed);

        if (n > 0)
                memcpy(f->row.sealed, sealed.data, n);
        f->row.sealed_len = (uint16_t)(sealed.len < UINT16_MAX ? sealed.len : UINT16_MAX);
        require(open_row(f, &f->row, &opened, &out) == -EBADMSG);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        struct cursor c = { BYTES(data, size), false };
        struct fixture f;

        set_up(&f);
        switch (cursor_u8(&c)) {
        case 'i':
                try_made_id(&f, &c);
                break;
        case 'I':
                try_any_id(&f, c.left);
                break;
        case 'r':
                try_record(&f, &c);
                break;
        case 'p':
                try_plain(&f, c.left);
                break;
        case 's':
                try_sealed(&f, c.left);
                break;
        default:
                break;
        }
        ctap_credential_keys_wipe(&f.keys);
        return 0;
}
