/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * authenticatorLargeBlobs (CTAP 2.3 §6.10): one array of bytes that platforms keep here, read and
 * written in fragments. What is in it is theirs: each element is encrypted under a credential's
 * largeBlobKey. A write is put together in memory, as a walk, and reaches the store when it is whole
 * and its checksum fits; until then the old array stands. A fragment that is refused changes nothing
 * about the write that it was for.
 */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "ctap/authorize.h"
#include "ctap/crypto.h"

/* What is left of a message beside a fragment (CTAP 2.3 §6.10.2). */
#define OTHER_MEMBERS_SIZE 64
/* At the end of the array: LEFT(SHA-256(the rest), 16). */
#define CHECKSUM_SIZE 16

struct request {
        struct cbor_value get, set, offset, length;
        struct ctap_authorization authorization;
};

static const struct cbor_field request_fields[] = {
        { NULL, 0x01, CBOR_KIND_INT, false, offsetof(struct request, get) },
        { NULL, 0x02, CBOR_KIND_BYTES, false, offsetof(struct request, set) },
        { NULL, 0x03, CBOR_KIND_INT, false, offsetof(struct request, offset) },
        { NULL, 0x04, CBOR_KIND_INT, false, offsetof(struct request, length) },
        { NULL, 0x05, CBOR_KIND_BYTES, false, offsetof(struct request, authorization.param) },
        { NULL, 0x06, CBOR_KIND_INT, false, offsetof(struct request, authorization.protocol) },
};

static bool has(const struct cbor_value *v) {
        return v->kind != CBOR_KIND_ABSENT;
}

static int64_t max_fragment(const struct ctap *c) {
        return c->options.max_message - OTHER_MEMBERS_SIZE;
}

/* LB1 */
static enum ctap_status decode(const struct cbor_value *params, struct request *rq) {
        enum ctap_status s;

        s = cbor_read_map(params, request_fields, ELEMENTSOF(request_fields), rq);
        if (s != CTAP_OK)
                return s;
        if (!has(&rq->offset) || rq->offset.integer < 0 || has(&rq->get) == has(&rq->set))
                return CTAP1_ERR_INVALID_PARAMETER;
        return CTAP_OK;
}

/* ---- reading (LB2) ---- */

static enum ctap_status check_get(const struct ctap *c, const struct request *rq, uint32_t size) {
        if (has(&rq->length) || has(&rq->authorization.param) || has(&rq->authorization.protocol) ||
            rq->get.integer < 0)
                return CTAP1_ERR_INVALID_PARAMETER;
        if (rq->get.integer > max_fragment(c))
                return CTAP1_ERR_INVALID_LENGTH;
        return rq->offset.integer > size ? CTAP1_ERR_INVALID_PARAMETER : CTAP_OK;
}

static enum ctap_status get(struct ctap *c, const struct request *rq, struct cbor_writer *out) {
        struct ctap_store *store = c->env.store;
        const uint32_t size = store->ops->large_blobs_size(store);
        uint8_t storage[CTAP_REPLY_MAX];
        struct buf fragment = BUF_ON(storage);
        enum ctap_status s;
        uint32_t offset, n;
        int r;

        s = check_get(c, rq, size);
        if (s != CTAP_OK)
                return s;
        offset = (uint32_t)rq->offset.integer;
        n = (uint32_t)rq->get.integer;
        if (n > size - offset)
                n = size - offset;
        r = store->ops->large_blobs_read(store, offset, n, &fragment);
        if (r < 0)
                return ctap_status_from_errno(r);

        cbor_put_map(out, 1);
        cbor_put_int(out, 0x01); /* config */
        cbor_put_bytes(out, buf_bytes(&fragment));
        return CTAP_OK;
}

/* ---- writing ---- */

/* LB4 */
static enum ctap_status check_first(const struct ctap *c, const struct request *rq) {
        if (!has(&rq->length))
                return CTAP1_ERR_INVALID_PARAMETER;
        if (rq->length.integer > c->options.max_large_blobs)
                return CTAP2_ERR_LARGE_BLOB_STORAGE_FULL;
        return rq->length.integer < CTAP_LARGE_BLOBS_EMPTY_SIZE ? CTAP1_ERR_INVALID_PARAMETER
                                                                : CTAP_OK;
}

/* LB5 */
static enum ctap_status check_following(struct ctap *c, uint32_t channel,
                                        const struct request *rq) {
        if (has(&rq->length))
                return CTAP1_ERR_INVALID_PARAMETER;
        return ctap_walk_goes_on(c, CTAP_WALK_LARGE_BLOBS, channel) &&
                               rq->offset.integer == c->walk.large_blobs.n
                       ? CTAP_OK
                       : CTAP1_ERR_INVALID_SEQ;
}

/* LB6 */
static enum ctap_status authorize(struct ctap *c, const struct request *rq,
                                  struct ctap_grant *ret) {
        const uint32_t offset = (uint32_t)rq->offset.integer;
        struct ctap_management m = {
                .demand = CTAP_DEMAND_UNLESS_OPEN,
                .permission = CTAP_PERMISSION_LBW,
        };
        uint8_t storage[32 + 2 + 4];
        struct buf opening = BUF_ON(storage);
        struct sha256 fragment_hash;
        int r;

        r = ctap_sha256(&rq->set.string, 1, &fragment_hash);
        if (r < 0)
                return ctap_status_from_errno(r);
        for (unsigned i = 0; i < 32; i++)
                buf_put_u8(&opening, 0xff);
        buf_put_u8(&opening, 0x0c);
        buf_put_u8(&opening, 0x00);
        for (unsigned i = 0; i < 32; i += 8) /* the least significant byte first */
                buf_put_u8(&opening, (uint8_t)(offset >> i));

        m.message[0] = buf_bytes(&opening);
        m.message[1] = BYTES_OF(fragment_hash);
        return ctap_authorize_management(c, &rq->authorization, &m, ret);
}

static enum ctap_status begin(struct ctap *c, uint32_t channel, uint32_t length,
                              const struct ctap_grant *g) {
        uint8_t *data = calloc(1, length);

        if (!data)
                return ctap_status_from_errno(-ENOMEM);
        ctap_walk_begin(c, CTAP_WALK_LARGE_BLOBS, channel, &g->verification);
        c->walk.large_blobs = (struct ctap_large_blobs_walk){ .data = data, .length = length };
        return CTAP_OK;
}

/* LB8 */
static int is_whole(struct bytes array, bool *ret) {
        const struct bytes content = BYTES(array.data, array.len - CHECKSUM_SIZE);
        struct sha256 hash;
        int r;

        r = ctap_sha256(&content, 1, &hash);
        if (r < 0)
                return r;
        *ret = memcmp(array.data + content.len, hash.b, CHECKSUM_SIZE) == 0;
        return 0;
}

/* LB8, LB9: whatever comes of it, the write is over. */
static enum ctap_status finish(struct ctap *c) {
        const struct bytes array = BYTES(c->walk.large_blobs.data, c->walk.large_blobs.length);
        struct ctap_store *store = c->env.store;
        bool whole = false;
        int r;

        r = is_whole(array, &whole);
        if (r == 0 && whole)
                r = store->ops->large_blobs_write(store, array);
        ctap_forget_walk(c);
        if (r == -ENOSPC)
                return CTAP2_ERR_LARGE_BLOB_STORAGE_FULL;
        if (r < 0)
                return ctap_status_from_errno(r);
        return whole ? CTAP_OK : CTAP2_ERR_INTEGRITY_FAILURE;
}

static enum ctap_status append(struct ctap *c, struct bytes fragment) {
        struct ctap_large_blobs_walk *w = &c->walk.large_blobs;

        if (fragment.len > 0)
                memcpy(w->data + w->n, fragment.data, fragment.len);
        w->n += (uint32_t)fragment.len;
        ctap_walk_stepped(c);
        return w->n == w->length ? finish(c) : CTAP_OK;
}

static enum ctap_status set(struct ctap *c, uint32_t channel, const struct request *rq) {
        _cleanup_(ctap_grant_wipe) struct ctap_grant grant = { 0 };
        const struct bytes fragment = rq->set.string;
        const bool first = rq->offset.integer == 0;
        enum ctap_status s;
        uint32_t length, offset;

        if ((int64_t)fragment.len > max_fragment(c))
                return CTAP1_ERR_INVALID_LENGTH; /* LB3 */
        s = first ? check_first(c, rq) : check_following(c, channel, rq);
        if (s == CTAP_OK)
                s = authorize(c, rq, &grant);
        if (s != CTAP_OK)
                return s;

        offset = (uint32_t)rq->offset.integer;
        length = first ? (uint32_t)rq->length.integer : c->walk.large_blobs.length;
        if (fragment.len > length - offset)
                return CTAP1_ERR_INVALID_PARAMETER; /* LB7 */
        if (first)
                s = begin(c, channel, length, &grant);
        return s == CTAP_OK ? append(c, fragment) : s;
}

enum ctap_status ctap_large_blobs(struct ctap *c, const struct ctap_call *call,
                                  struct cbor_writer *out) {
        struct request rq = { 0 };
        enum ctap_status s;

        s = decode(&call->params, &rq);
        if (s != CTAP_OK || has(&rq.get) || rq.offset.integer == 0 ||
            c->walk.kind != CTAP_WALK_LARGE_BLOBS)
                ctap_forget_walk(c); /* LB10, CM12: it is not the rest of a write */
        if (!ctap_has_large_blobs(c))
                return CTAP1_ERR_INVALID_COMMAND;
        if (s != CTAP_OK)
                return s;
        return has(&rq.get) ? get(c, &rq, out) : set(c, call->channel, &rq);
}
