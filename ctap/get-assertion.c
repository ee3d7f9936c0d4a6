/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * authenticatorGetAssertion and authenticatorGetNextAssertion (CTAP 2.3 §6.2, §6.3). Both end in
 * the same few steps, on a struct assertion: open the record, load the key, raise the counter,
 * sign. The next ones are found by what a walk remembers of the first.
 *
 * A silent request (up false) asks nobody and changes nothing: it signs the counter as it stands. A
 * request that matches nothing is not answered at once, for another key may be plugged in beside
 * this one, and clients take the answer for a touch of this one (GA9).
 */

#include <errno.h>
#include <string.h>

#include "ctap/auth-data.h"
#include "ctap/authorize.h"
#include "ctap/command.h"
#include "ctap/confirm.h"
#include "ctap/cose.h"
#include "ctap/crypto.h"
#include "ctap/descriptor.h"
#include "ctap/sign.h"

struct ga_request {
        struct cbor_value rp_id, client_data_hash, allow_list, extensions, options;
        struct ctap_authorization authorization;
        struct sha256 rp_id_hash;
        bool up;
};

/* One assertion in the making. */
struct assertion {
        struct ctap *ctap;
        struct ctap_row row;
        struct ctap_record record;
        uint8_t record_storage[sizeof(((struct ctap_row *)NULL)->sealed)];
        struct ctap_loaded_key *key;
        bool up;
        struct buf auth_data;
        uint8_t auth_data_storage[CTAP_AUTH_DATA_MAX];
        struct ctap_signature signature;
};

static void assertion_done(struct assertion *a) {
        struct ctap_keys *k = a->ctap->env.keys;

        k->ops->unload(k, a->key);
}

/* ---- what both commands do ---- */

static int open_record(struct assertion *a, const struct sha256 *rp_id_hash) {
        struct buf storage = BUF_ON(a->record_storage);

        return ctap_record_open(&a->ctap->credential_keys, rp_id_hash, &a->row, &storage,
                                &a->record);
}

/* While the person reads the question. */
static int assertion_prepare(void *userdata) {
        struct assertion *a = userdata;
        const struct ctap_env *env = &a->ctap->env;
        int r;

        if (a->up) {
                r = env->store->ops->prepare_use(env->store);
                if (r < 0)
                        return r;
        }
        return env->keys->ops->load(env->keys, BYTES(a->row.key.data, a->row.key.len), NULL,
                                    &a->key);
}

/* The counter is durable before the signature over it exists (F5). */
static int assertion_sign(struct assertion *a, const struct sha256 *rp_id_hash,
                          struct bytes client_data_hash) {
        const struct ctap_cose *alg = ctap_cose_find(a->row.alg, ~0u);
        const struct ctap_env *env = &a->ctap->env;
        struct ctap_auth_data d = {
                .rp_id_hash = *rp_id_hash,
                .flags = a->up ? CTAP_FLAG_UP : 0,
                .count = a->row.count,
        };
        int r;

        if (!alg)
                return -EBADMSG; /* not what was kept */
        if (a->up) {
                r = env->store->ops->use(env->store, &a->row.id, &d.count);
                if (r < 0)
                        return r;
        }
        a->auth_data = BUF_ON(a->auth_data_storage);
        ctap_auth_data_put(&d, &a->auth_data);
        r = buf_error(&a->auth_data);
        if (r < 0)
                return r;
        return ctap_sign(env->keys, a->key, alg, buf_bytes(&a->auth_data), client_data_hash,
                         &a->signature);
}

/* n_credentials: 0 to leave the member out (GA7, GA11, GN7). */
static void assertion_encode(const struct assertion *a, uint32_t n_credentials,
                             struct cbor_writer *out) {
        const bool has_user = a->row.flags & CTAP_ROW_DISCOVERABLE;

        cbor_put_map(out, 3u + has_user + (n_credentials > 0));
        cbor_put_int(out, 0x01);
        cbor_put_map(out, 2);
        cbor_put_string(out, "id");
        cbor_put_bytes(out, BYTES_OF(a->row.id));
        cbor_put_string(out, "type");
        cbor_put_string(out, "public-key");
        cbor_put_int(out, 0x02);
        cbor_put_bytes(out, buf_bytes(&a->auth_data));
        cbor_put_int(out, 0x03);
        cbor_put_bytes(out, BYTES(a->signature.data, a->signature.len));
        if (has_user) { /* GA12: no more than the id, for nobody was verified */
                cbor_put_int(out, 0x04);
                cbor_put_map(out, 1);
                cbor_put_string(out, "id");
                cbor_put_bytes(out, a->record.user_id);
        }
        if (n_credentials > 0) {
                cbor_put_int(out, 0x05);
                cbor_put_int(out, n_credentials);
        }
}

/* ---- getAssertion: decode ---- */

static const struct cbor_field ga_fields[] = {
        { NULL, 0x01, CBOR_KIND_TEXT, true, offsetof(struct ga_request, rp_id) },
        { NULL, 0x02, CBOR_KIND_BYTES, true, offsetof(struct ga_request, client_data_hash) },
        { NULL, 0x03, CBOR_KIND_ARRAY, false, offsetof(struct ga_request, allow_list) },
        { NULL, 0x04, CBOR_KIND_MAP, false, offsetof(struct ga_request, extensions) },
        { NULL, 0x05, CBOR_KIND_MAP, false, offsetof(struct ga_request, options) },
        { NULL, 0x06, CBOR_KIND_BYTES, false, offsetof(struct ga_request, authorization.param) },
        { NULL, 0x07, CBOR_KIND_INT, false, offsetof(struct ga_request, authorization.protocol) },
};

/* 02 for wrong lengths, as in makeCredential. */
static enum ctap_status check_values(const struct ga_request *rq) {
        const size_t rp_id = rq->rp_id.string.len;

        if (rq->client_data_hash.string.len != sizeof(struct sha256) || rp_id < 1 ||
            rp_id > CTAP_RP_ID_MAX)
                return CTAP1_ERR_INVALID_PARAMETER;
        return CTAP_OK;
}

static enum ctap_status ga_decode(const struct cbor_value *params, struct ga_request *rq) {
        enum ctap_status s;

        s = cbor_read_map(params, ga_fields, ELEMENTSOF(ga_fields), rq);
        if (s == CTAP_OK)
                s = ctap_check_descriptors(&rq->allow_list);
        if (s == CTAP_OK)
                s = ctap_read_options(&rq->options, &rq->authorization);
        if (s == CTAP_OK)
                s = check_values(rq);
        rq->up = rq->authorization.up.kind == CBOR_KIND_ABSENT || rq->authorization.up.boolean;
        return s;
}

/* ---- getAssertion: authorize ---- */

static enum ctap_status ga_authorize(struct ctap *c, struct ga_request *rq) {
        enum ctap_status s;

        s = ctap_authorize(c, &rq->authorization, rq->rp_id.string);
        if (s != CTAP_OK)
                return s;
        s = ctap_authorize_uv(&rq->authorization);
        if (s != CTAP_OK)
                return s;
        if (rq->authorization.rk.kind != CBOR_KIND_ABSENT)
                return CTAP2_ERR_UNSUPPORTED_OPTION; /* GA3 */
        return ctap_status_from_errno(ctap_sha256(&rq->rp_id.string, 1, &rq->rp_id_hash));
}

/*
 * The credential to use. With a list it is the first that matches and there is no other (GA7);
 * without one it is the newest, and the walk says how to find the rest (GA8). -ENOENT: there is
 * none.
 */
static int ga_select(struct ctap *c, const struct ga_request *rq, struct assertion *a,
                     struct ctap_assertions_walk *walk) {
        const bool named = rq->allow_list.n > 0;
        struct ctap_store *s = c->env.store;
        uint32_t n = 1;
        int r;

        walk->max_protect = ctap_max_protect(named, false);
        if (named) {
                r = ctap_find_listed(c, &rq->allow_list, &rq->rp_id_hash, walk->max_protect,
                                     &a->row);
        } else {
                r = ctap_rp_tag(&c->credential_keys, &rq->rp_id_hash, &walk->rp_tag);
                if (r == 0)
                        r = s->ops->count(s, &walk->rp_tag, walk->max_protect, &n);
                if (r == 0)
                        r = s->ops->newest(s, &walk->rp_tag, walk->max_protect, UINT64_MAX,
                                           &a->row);
        }
        if (r < 0)
                return r;

        walk->remaining = n - 1;
        walk->before = a->row.sequence;
        walk->up = rq->up;
        walk->rp_id_hash = rq->rp_id_hash;
        memcpy(&walk->client_data_hash, rq->client_data_hash.string.data,
               sizeof(walk->client_data_hash));
        return open_record(a, &rq->rp_id_hash);
}

/* ---- getAssertion: confirm ---- */

static enum ctap_status ga_nothing_matches(struct ctap *c, const struct ga_request *rq) {
        const struct ctap_prompt prompt = {
                .ask = CTAP_ASK_SELECT,
                .passive = true,
                .rp_id = rq->rp_id.string,
        };
        enum ctap_status s;

        if (!rq->up)
                return CTAP2_ERR_NO_CREDENTIALS;
        s = ctap_confirm(c, &prompt, NULL, NULL, CTAP2_ERR_NO_CREDENTIALS);
        return s == CTAP_OK ? CTAP2_ERR_NO_CREDENTIALS : s;
}

static enum ctap_status ga_confirm(struct ctap *c, const struct ga_request *rq, struct assertion *a,
                                   uint32_t n_accounts) {
        const struct ctap_prompt prompt = {
                .ask = CTAP_ASK_USE,
                .rp_id = rq->rp_id.string,
                .account = ctap_record_account(&a->record),
                .n_accounts = n_accounts,
        };

        a->up = rq->up;
        if (!a->up)
                return ctap_status_from_errno(assertion_prepare(a));
        return ctap_confirm(c, &prompt, assertion_prepare, a, CTAP2_ERR_OPERATION_DENIED);
}

/* ---- getAssertion ---- */

static void begin_walk(struct ctap *c, uint32_t channel, const struct ctap_assertions_walk *walk) {
        c->walk.kind = CTAP_WALK_ASSERTIONS;
        c->walk.channel = channel;
        c->walk.expires_ms = ctap_now_ms(c) + CTAP_WALK_MS;
        c->walk.assertions = *walk;
}

enum ctap_status ctap_get_assertion(struct ctap *c, const struct ctap_call *call,
                                    struct cbor_writer *out) {
        _cleanup_(assertion_done) struct assertion a = { .ctap = c };
        struct ctap_assertions_walk walk = { 0 };
        struct ga_request rq = { 0 };
        uint32_t n;
        enum ctap_status s;
        int r;

        s = ga_decode(&call->params, &rq);
        if (s == CTAP_OK)
                s = ga_authorize(c, &rq);
        if (s != CTAP_OK)
                return s;

        r = ga_select(c, &rq, &a, &walk);
        if (r == -ENOENT)
                return ga_nothing_matches(c, &rq);
        if (r < 0)
                return ctap_status_from_errno(r);
        n = walk.remaining + 1;

        s = ga_confirm(c, &rq, &a, n);
        if (s != CTAP_OK)
                return s;
        r = assertion_sign(&a, &rq.rp_id_hash, rq.client_data_hash.string);
        if (r < 0)
                return ctap_status_from_errno(r);

        assertion_encode(&a, n > 1 ? n : 0, out);
        if (n > 1)
                begin_walk(c, call->channel, &walk);
        return CTAP_OK;
}

/* ---- getNextAssertion ---- */

/* What one step of the walk has left to give; NULL once it is over (GN1 to GN3). */
static struct ctap_assertions_walk *current_walk(struct ctap *c, uint32_t channel) {
        struct ctap_walk *w = &c->walk;

        if (w->kind != CTAP_WALK_ASSERTIONS || w->channel != channel)
                return NULL;
        if (w->assertions.remaining == 0 || ctap_now_ms(c) >= w->expires_ms) {
                ctap_forget_walk(c);
                return NULL;
        }
        return &w->assertions;
}

enum ctap_status ctap_get_next_assertion(struct ctap *c, const struct ctap_call *call,
                                         struct cbor_writer *out) {
        struct ctap_assertions_walk *walk = current_walk(c, call->channel);
        _cleanup_(assertion_done) struct assertion a = { .ctap = c };
        struct ctap_store *s = c->env.store;
        int r;

        if (!walk)
                return CTAP2_ERR_NOT_ALLOWED;

        r = s->ops->newest(s, &walk->rp_tag, walk->max_protect, walk->before, &a.row);
        if (r == -ENOENT) { /* deleted since they were counted */
                ctap_forget_walk(c);
                return CTAP2_ERR_NOT_ALLOWED;
        }
        a.up = walk->up;
        if (r == 0)
                r = open_record(&a, &walk->rp_id_hash);
        if (r == 0)
                r = assertion_prepare(&a);
        if (r == 0)
                r = assertion_sign(&a, &walk->rp_id_hash, BYTES_OF(walk->client_data_hash));
        if (r < 0)
                return ctap_status_from_errno(r);

        assertion_encode(&a, 0, out);
        walk->before = a.row.sequence;
        walk->remaining--;
        c->walk.expires_ms = ctap_now_ms(c) + CTAP_WALK_MS;
        return CTAP_OK;
}
