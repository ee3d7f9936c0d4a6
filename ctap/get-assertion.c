/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * authenticatorGetAssertion and authenticatorGetNextAssertion (CTAP 2.3 §6.2, §6.3). Both end in
 * the same few steps, on a struct assertion: find a record that opens, load the key, raise the counter,
 * sign. What they have in common is a struct ctap_assertions_walk from the beginning; with one
 * credential the walk is over at once.
 *
 * A silent request (up false) asks nobody and changes nothing: it signs the counter as it stands. A
 * request that matches nothing is not answered at once, for another key may be plugged in beside
 * this one, and clients take the answer for a touch of this one (GA9).
 *
 * hmac-secret is computed while the person reads the question, so that after the yes nothing is left
 * but the signature; a no throws it away.
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
#include "ctap/policy.h"
#include "ctap/sign.h"
#include "ctap/user.h"

struct ga_request {
        struct cbor_value rp_id, client_data_hash, allow_list, extensions, options;
        struct ctap_authorization authorization;
        bool up;
};

/* One assertion in the making. */
struct assertion {
        struct ctap *ctap;
        const struct ctap_assertions_walk *walk;
        struct ctap_row row;
        struct ctap_record record;
        uint8_t record_storage[sizeof(((struct ctap_row *)NULL)->sealed)];
        const struct ctap_cose *alg;
        struct ctap_loaded_key *key; /* NULL: it wants the PIN, and nobody gave it */
        struct buf hmac;             /* what hmac-secret answers */
        uint8_t hmac_storage[CTAP_HMAC_OUTPUT_MAX];
        bool has_large_blob_key; /* it was asked for, and there is one */
        struct secret32 large_blob_key;
        struct buf auth_data;
        uint8_t auth_data_storage[CTAP_AUTH_DATA_MAX];
        struct ctap_signature signature;
};

static void assertion_done(struct assertion *a) {
        struct ctap_keys *k = a->ctap->env.keys;

        k->ops->unload(k, a->key);
        secret32_wipe(&a->large_blob_key);
}

/* ---- what both commands do ---- */

static void walk_wipe(struct ctap_assertions_walk *w) {
        OPENSSL_cleanse(w, sizeof(*w));
}

/* -EBADMSG: it is damaged. */
static int open_row(struct assertion *a) {
        struct buf storage = BUF_ON(a->record_storage);

        a->alg = ctap_cose_find(a->row.alg, ~0u);
        if (!a->alg)
                return -EBADMSG;
        return ctap_record_open(&a->ctap->credential_keys, &a->walk->rp_id_hash, &a->row, &storage,
                                &a->record);
}

/*
 * The newest account below `before`. What was damaged is left out, as in the lists of
 * credentialManagement. -ENOENT: there is none. -EBADMSG: there is none that is whole.
 */
static int find_account(struct assertion *a, uint64_t before) {
        const struct ctap_assertions_walk *w = a->walk;
        struct ctap_store *s = a->ctap->env.store;
        int r, none = -ENOENT;

        do {
                r = s->ops->newest(s, &w->rp_tag, w->max_protect, before, &a->row);
                if (r < 0)
                        return r == -ENOENT ? none : r;
                before = a->row.sequence;
                none = r = open_row(a);
        } while (r == -EBADMSG);
        return r;
}

/* The key device would not sign: the PIN was not given, and will not be. */
static bool lacks_pin(const struct assertion *a) {
        const struct ctap_verification *v = &a->walk->verification;

        return a->row.class == CTAP_CLASS_B && !v->due && !(v->verified && v->ticket.len > 0);
}

static int load_key(struct assertion *a) {
        const struct ctap_env *env = &a->ctap->env;

        if (a->key || lacks_pin(a))
                return 0;
        return env->keys->ops->load(env->keys, BYTES(a->row.key.data, a->row.key.len),
                                    ctap_ticket_of(&a->walk->verification), &a->key);
}

static int compute_hmac(struct assertion *a) {
        const struct ctap_salts *salts = &a->walk->extensions.salts;
        const struct ctap_env *env = &a->ctap->env;

        a->hmac = BUF_ON(a->hmac_storage);
        if (salts->len == 0)
                return 0;
        return ctap_hmac_secret(env, salts, &a->row, ctap_ticket_of(&a->walk->verification),
                                &a->hmac);
}

/* GA16. What a site keeps with a key behind the PIN is behind it too. */
static int prepare_large_blob_key(struct assertion *a) {
        a->has_large_blob_key = a->walk->extensions.large_blob_key &&
                                (a->row.flags & CTAP_ROW_LARGE_BLOB_KEY) && !lacks_pin(a);
        if (!a->has_large_blob_key)
                return 0;
        return ctap_large_blob_key(&a->ctap->credential_keys, &a->row.id, &a->large_blob_key);
}

/* What takes the ticket of somebody who is verified. */
static int assertion_complete(struct assertion *a) {
        int r;

        r = compute_hmac(a);
        return r < 0 ? r : load_key(a);
}

/* While the person reads the question. The PIN that they may be typing is wanted later. */
static int assertion_prepare(void *userdata) {
        struct assertion *a = userdata;
        const struct ctap_env *env = &a->ctap->env;
        int r;

        if (a->walk->up) {
                r = env->store->ops->prepare_use(env->store);
                if (r < 0)
                        return r;
        }
        if (a->walk->extensions.salts.len > 0) {
                r = ctap_cred_random_need(env, &a->row);
                if (r < 0)
                        return r;
        }
        r = prepare_large_blob_key(a);
        if (r < 0)
                return r;
        if (!a->walk->verification.due)
                return assertion_complete(a);
        return a->row.class == CTAP_CLASS_A ? load_key(a) : 0;
}

static int put_auth_data(struct assertion *a, uint32_t count) {
        const struct ctap_assertions_walk *w = a->walk;
        const struct ctap_extension_outputs of_this = {
                .hmac = buf_bytes(&a->hmac),
                .cred_blob = lacks_pin(a) ? BYTES_NULL : a->record.cred_blob,
                .third_party_payment = a->row.flags & CTAP_ROW_THIRD_PARTY_PAYMENT,
        };
        uint8_t storage[CTAP_EXTENSIONS_MAX];
        struct buf outputs = BUF_ON(storage);
        struct ctap_auth_data d = { .rp_id_hash = w->rp_id_hash, .count = count };
        int r;

        ctap_extensions_put(&w->extensions, &of_this, &outputs);
        r = buf_error(&outputs);
        if (r < 0)
                return r;
        d.flags = (uint8_t)((w->up ? CTAP_FLAG_UP : 0) |
                            (w->verification.verified ? CTAP_FLAG_UV : 0));
        d.extensions = buf_bytes(&outputs);
        a->auth_data = BUF_ON(a->auth_data_storage);
        ctap_auth_data_put(&d, &a->auth_data);
        return buf_error(&a->auth_data);
}

/* A request that asks nobody is no use of a credential. */
static void note_used(const struct assertion *a) {
        if (!a->walk->up)
                return;
        ctap_note(&a->ctap->env, &(struct ctap_notice){
                                         .what = CTAP_NOTED_USED,
                                         .rp_id = a->record.rp_id,
                                         .credential = &a->row.id,
                                         .uv = a->walk->verification.verified,
                                 });
}

/* The counter is durable before the signature over it exists (F5). */
static int assertion_sign(struct assertion *a) {
        const struct bytes client_data_hash = BYTES_OF(a->walk->client_data_hash);
        const struct ctap_env *env = &a->ctap->env;
        uint32_t count = a->row.count;
        int r;

        if (a->walk->up) {
                r = env->store->ops->use(env->store, &a->row.id, &count);
                if (r < 0)
                        return r;
        }
        r = put_auth_data(a, count);
        if (r < 0)
                return r;
        if (!a->key)
                return ctap_sign_by_nobody(a->alg, buf_bytes(&a->auth_data), client_data_hash,
                                           &a->signature);
        r = ctap_sign(env->keys, a->key, a->alg, buf_bytes(&a->auth_data), client_data_hash,
                      &a->signature);
        if (r == 0)
                note_used(a);
        return r;
}

/* n_credentials: 0 to leave the member out (GA7, GA11, GN7). */
static void assertion_encode(const struct assertion *a, uint32_t n_credentials,
                             struct cbor_writer *out) {
        const bool has_user = a->row.flags & CTAP_ROW_DISCOVERABLE;
        /* GA12: who else has an account here is for a verified person to see, and only to choose by. */
        const bool named = a->walk->verification.verified && a->walk->n > 1;

        cbor_put_map(out, 3u + has_user + (n_credentials > 0) + a->has_large_blob_key);
        cbor_put_int(out, 0x01);
        ctap_put_descriptor(out, &a->row.id);
        cbor_put_int(out, 0x02);
        cbor_put_bytes(out, buf_bytes(&a->auth_data));
        cbor_put_int(out, 0x03);
        cbor_put_bytes(out, BYTES(a->signature.data, a->signature.len));
        if (has_user) {
                cbor_put_int(out, 0x04);
                ctap_put_user(out, &a->record, named);
        }
        if (n_credentials > 0) {
                cbor_put_int(out, 0x05);
                cbor_put_int(out, n_credentials);
        }
        if (a->has_large_blob_key) {
                cbor_put_int(out, 0x07);
                cbor_put_bytes(out, BYTES_OF(a->large_blob_key));
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

static enum ctap_status check_options(struct ctap *c, struct ga_request *rq) {
        enum ctap_status s;

        s = ctap_authorize_uv(c, &rq->authorization);
        if (s != CTAP_OK)
                return s;
        if (rq->authorization.rk.kind != CBOR_KIND_ABSENT)
                return CTAP2_ERR_UNSUPPORTED_OPTION; /* GA3 */
        if (!rq->up && ctap_extensions_need_presence(&rq->extensions))
                return CTAP2_ERR_UNSUPPORTED_OPTION; /* GA6 */
        if (ctap_always_uv(c) && rq->up)
                return ctap_demand_verification(c, &rq->authorization, true); /* GA4 */
        return CTAP_OK;
}

/* Begins the walk with what does not depend on the credential. */
static enum ctap_status ga_authorize(struct ctap *c, struct ga_request *rq,
                                     struct ctap_assertions_walk *walk) {
        const struct ctap_extension_scope scope = {
                .ceremony = CTAP_CEREMONY_USE,
                .rp_id_hash = &walk->rp_id_hash,
        };
        const struct bytes hash = rq->client_data_hash.string;
        enum ctap_status s;
        int r;

        s = ctap_authorize(c, &rq->authorization, rq->rp_id.string);
        if (s != CTAP_OK)
                return s;
        /* A silent request hears what it would if there were none (H7). */
        if (!ctap_rp_is_allowed(c, rq->rp_id.string))
                return rq->up ? ctap_refuse_rp(c, 0x02, rq->rp_id.string)
                              : CTAP2_ERR_NO_CREDENTIALS;
        s = check_options(c, rq);
        if (s != CTAP_OK)
                return s;

        r = ctap_sha256(&rq->rp_id.string, 1, &walk->rp_id_hash);
        if (r < 0)
                return ctap_status_from_errno(r);
        memcpy(&walk->client_data_hash, hash.data, sizeof(walk->client_data_hash));
        walk->up = rq->up;
        s = ctap_verify(c, &rq->authorization, hash, CTAP_PERMISSION_GA, &walk->rp_id_hash,
                        &walk->verification);
        if (s != CTAP_OK)
                return s;
        return ctap_extensions_read(c, &scope, &rq->extensions, &walk->extensions);
}

/* The next of the list that matches and is not damaged. Errors as of find_account(). */
static int find_next_listed(struct assertion *a, struct bytes *left) {
        const struct ctap_assertions_walk *w = a->walk;
        int r, none = -ENOENT;

        do {
                r = ctap_next_listed(a->ctap, left, &w->rp_id_hash, w->max_protect, &a->row);
                if (r < 0)
                        return r == -ENOENT ? none : r;
                none = r = open_row(a);
        } while (r == -EBADMSG);
        return r;
}

/* Back to a row that was looked at before others were. */
static int open_again(struct assertion *a, const struct ctap_row *row) {
        a->row = *row;
        return open_row(a);
}

/* The first one whose key would sign; if there is none, the first one. */
static int find_listed(struct assertion *a, const struct cbor_value *list) {
        struct bytes left = list->elements;
        struct ctap_row first;
        int r;

        r = find_next_listed(a, &left);
        if (r < 0)
                return r;
        first = a->row;
        while (r == 0 && lacks_pin(a))
                r = find_next_listed(a, &left);
        return r == -ENOENT || r == -EBADMSG ? open_again(a, &first) : r;
}

static void count_in(struct ctap_assertions_walk *walk, const struct ctap_row *row) {
        walk->n++;
        walk->takes_pin = walk->takes_pin || row->class == CTAP_CLASS_B;
}

/* The newest account, after all have been looked at. Errors as of find_account(). */
static int find_newest(struct assertion *a, struct ctap_assertions_walk *walk) {
        struct ctap_row newest;
        int r;

        r = ctap_rp_tag(&a->ctap->credential_keys, &walk->rp_id_hash, &walk->rp_tag);
        if (r == 0)
                r = find_account(a, UINT64_MAX);
        if (r < 0)
                return r;
        newest = a->row;
        do {
                count_in(walk, &a->row);
                r = find_account(a, a->row.sequence);
        } while (r == 0);
        return r == -ENOENT || r == -EBADMSG ? open_again(a, &newest) : r;
}

/*
 * The credential to use. With a list it is the only one (GA7); without one it is the newest, and the
 * walk says how to find the rest (GA8). -ENOENT: there is none.
 */
static int ga_select(const struct ga_request *rq, struct assertion *a,
                     struct ctap_assertions_walk *walk) {
        const bool named = rq->allow_list.n > 0;
        int r;

        walk->max_protect = ctap_max_protect(named, ctap_takes_verification(&walk->verification));
        r = named ? find_listed(a, &rq->allow_list) : find_newest(a, walk);
        if (r < 0)
                return r;
        if (named)
                count_in(walk, &a->row);
        walk->remaining = walk->n - 1;
        walk->before = a->row.sequence;
        return 0;
}

/* ---- getAssertion: confirm ---- */

/*
 * Who is to be verified is verified first (GA5): else a client could tell by the question whether
 * there is a credential that credProtect hides from it. Who was verified by this key has chosen it.
 */
static enum ctap_status ga_nothing_matches(struct ctap *c, const struct ga_request *rq,
                                           struct ctap_verification *v) {
        const struct ctap_prompt prompt = {
                .ask = v->due ? CTAP_ASK_USE : CTAP_ASK_SELECT,
                .passive = !v->due,
                .rp_id = rq->rp_id.string,
        };
        enum ctap_status s;

        if (v->due)
                s = ctap_consent(c, &prompt, NULL, NULL, v);
        else if (!rq->up || v->present)
                s = CTAP_OK;
        else
                s = ctap_confirm(c, &prompt, NULL, NULL, CTAP2_ERR_NO_CREDENTIALS);
        return s == CTAP_OK ? CTAP2_ERR_NO_CREDENTIALS : s;
}

/* A finger is, or may be, all that there is to say who it is, and there is a question to come. */
static bool may_be_a_finger(const struct ga_request *rq, const struct ctap_verification *v) {
        return v->due || (rq->up && v->verified && v->ticket.len == 0);
}

/* getNextAssertion asks nobody, so that who answers for the first one answers for all. */
static bool takes_ticket(const struct ctap_assertions_walk *w) {
        return w->extensions.salts.len > 0 || w->takes_pin;
}

static enum ctap_status ga_confirm(struct ctap *c, const struct ga_request *rq, struct assertion *a,
                                   struct ctap_verification *v) {
        const struct ctap_prompt prompt = {
                .ask = CTAP_ASK_USE,
                .rp_id = rq->rp_id.string,
                .account = ctap_record_account(&a->record),
                .n_accounts = a->walk->n,
        };
        enum ctap_status s;
        bool due;

        if (may_be_a_finger(rq, v) && takes_ticket(a->walk))
                ctap_take_ticket(v);
        due = v->due;

        if (!rq->up && !due)
                return ctap_status_from_keys(c, assertion_prepare(a));
        if (lacks_pin(a))
                return CTAP2_ERR_PUAT_REQUIRED;
        s = ctap_consent(c, &prompt, assertion_prepare, a, v);
        if (s != CTAP_OK)
                return s;
        if (rq->up)
                ctap_token_consume(&c->token); /* GA10 */
        return due ? ctap_status_from_keys(c, assertion_complete(a)) : CTAP_OK;
}

/* ---- getAssertion ---- */

enum ctap_status ctap_get_assertion(struct ctap *c, const struct ctap_call *call,
                                    struct cbor_writer *out) {
        _cleanup_(walk_wipe) struct ctap_assertions_walk walk = { 0 };
        _cleanup_(assertion_done) struct assertion a = { .ctap = c, .walk = &walk };
        struct ga_request rq = { 0 };
        enum ctap_status s;
        int r;

        s = ga_decode(&call->params, &rq);
        if (s == CTAP_OK)
                s = ga_authorize(c, &rq, &walk);
        if (s != CTAP_OK)
                return s;

        r = ga_select(&rq, &a, &walk);
        if (r == -ENOENT)
                return ga_nothing_matches(c, &rq, &walk.verification);
        if (r < 0)
                return ctap_status_from_errno(r);

        s = ga_confirm(c, &rq, &a, &walk.verification);
        if (s != CTAP_OK)
                return s;
        r = assertion_sign(&a);
        if (r < 0)
                return ctap_status_from_keys(c, r);

        assertion_encode(&a, walk.n > 1 ? walk.n : 0, out);
        if (walk.n > 1) {
                ctap_walk_begin(c, CTAP_WALK_ASSERTIONS, call->channel, &walk.verification);
                c->walk.assertions = walk;
        }
        return CTAP_OK;
}

/* ---- getNextAssertion ---- */

/*
 * What the next step needs, as a copy: the step may end the walk. False once it is over (GN1 to
 * GN4).
 */
static bool copy_walk(struct ctap *c, uint32_t channel, struct ctap_assertions_walk *ret) {
        if (!ctap_walk_goes_on(c, CTAP_WALK_ASSERTIONS, channel))
                return false;
        if (c->walk.assertions.remaining == 0) {
                ctap_forget_walk(c);
                return false;
        }
        *ret = c->walk.assertions;
        return true;
}

/* -ENOENT, -EBADMSG: what was left was deleted, or damaged, since it was counted. */
static int find_next(struct assertion *a) {
        const struct ctap_assertions_walk *w = a->walk;
        int r = ctap_ticket_check(a->ctap, &w->verification.ticket);

        return r < 0 ? r : find_account(a, w->before);
}

enum ctap_status ctap_get_next_assertion(struct ctap *c, const struct ctap_call *call,
                                         struct cbor_writer *out) {
        _cleanup_(walk_wipe) struct ctap_assertions_walk walk = { 0 };
        _cleanup_(assertion_done) struct assertion a = { .ctap = c, .walk = &walk };
        int r;

        if (!copy_walk(c, call->channel, &walk))
                return CTAP2_ERR_NOT_ALLOWED;

        r = find_next(&a);
        if (r == -ENOENT || r == -EBADMSG) {
                ctap_forget_walk(c);
                return CTAP2_ERR_NOT_ALLOWED;
        }
        if (r == 0 && walk.up && lacks_pin(&a)) {
                ctap_forget_walk(c);
                return CTAP2_ERR_PUAT_REQUIRED;
        }
        if (r == 0)
                r = assertion_prepare(&a);
        if (r == 0)
                r = assertion_sign(&a);
        if (r < 0)
                return ctap_status_from_keys(c, r);

        assertion_encode(&a, 0, out);
        c->walk.assertions.before = a.row.sequence;
        c->walk.assertions.remaining--;
        ctap_walk_stepped(c);
        return CTAP_OK;
}
