/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * authenticatorCredentialManagement (CTAP 2.3 §6.8): a table of subcommands with the parameters each
 * must have, and what each does. Whoever is let in was verified: credProtect hides nothing here.
 *
 * The two lists are walks, in the order of the RPs' tags and of the credentials' age, so that what
 * comes or goes meanwhile changes nothing about the rest. A row that was damaged is left out, and not
 * counted: hosts give a whole list up at the first error, and the owner's tool shows such a row and
 * can delete it. An RP is listed if anything of it can be shown.
 */

#include <errno.h>
#include <string.h>

#include "ctap/authorize.h"
#include "ctap/cose.h"
#include "ctap/crypto.h"
#include "ctap/descriptor.h"
#include "ctap/user.h"

struct request {
        uint32_t channel;
        struct cbor_value subcommand, params;
        struct ctap_authorization authorization;
        struct cbor_value rp_id_hash_bytes, credential_map, user_map; /* of the params */
        struct sha256 rp_id_hash;
        struct ctap_descriptor credential;
        struct ctap_user user;
        struct ctap_grant grant;
};

static void request_wipe(struct request *rq) {
        ctap_grant_wipe(&rq->grant);
}

/* A credential that can be shown. */
struct entry {
        struct ctap_row row;
        struct ctap_record record;
        uint8_t record_storage[sizeof(((struct ctap_row *)NULL)->sealed)];
        const struct ctap_cose *alg;
        struct ctap_public_key public_key;
};

#define ALL UINT8_MAX /* levels of credProtect */

/* ---- finding what can be shown ---- */

/* -EBADMSG: it is damaged. */
static int open_entry(struct ctap *c, struct entry *e) {
        struct buf storage = BUF_ON(e->record_storage);
        struct ctap_keys *k = c->env.keys;
        int r;

        r = ctap_record_open(&c->credential_keys, NULL, &e->row, &storage, &e->record);
        if (r < 0)
                return r;
        e->alg = ctap_cose_find(e->row.alg, ~0u);
        if (!e->alg || e->record.rp_id.len == 0 || e->row.key.len > sizeof(e->row.key.data))
                return -EBADMSG;
        r = k->ops->public_key(k, BYTES(e->row.key.data, e->row.key.len), &e->public_key);
        if (r == -EKEYREJECTED || (r == 0 && e->public_key.type != e->alg->type))
                return -EBADMSG;
        return r;
}

/* The newest of an RP below `before`. -ENOENT: there is none. */
static int find_credential(struct ctap *c, const struct sha256 *rp_tag, uint64_t before,
                           struct entry *ret) {
        struct ctap_store *s = c->env.store;
        int r;

        do {
                r = s->ops->newest(s, rp_tag, ALL, before, &ret->row);
                if (r < 0)
                        return r;
                before = ret->row.sequence;
                r = open_entry(c, ret);
        } while (r == -EBADMSG);
        return r;
}

/* One of the first RP above `after`. -ENOENT: there is none. */
static int find_rp(struct ctap *c, struct sha256 after, struct entry *ret) {
        struct ctap_store *s = c->env.store;
        int r;

        do {
                r = s->ops->next_rp(s, &after, &ret->row);
                if (r < 0)
                        return r;
                after = ret->row.rp_tag;
                r = open_entry(c, ret);
                if (r == -EBADMSG)
                        r = find_credential(c, &after, UINT64_MAX, ret);
        } while (r == -ENOENT);
        return r;
}

/* ---- the steps of a list ---- */

/* From before the first one on. No tag is all zero. */
static const struct ctap_list_walk all_rps = { .rp_tag = { { 0 } } };

static int find_next(struct ctap *c, enum ctap_walk_kind kind, const struct ctap_list_walk *w,
                     struct entry *ret) {
        return kind == CTAP_WALK_RPS ? find_rp(c, w->rp_tag, ret)
                                     : find_credential(c, &w->rp_tag, w->before, ret);
}

static void step(struct ctap_list_walk *w, const struct entry *e) {
        w->rp_tag = e->row.rp_tag;
        w->before = e->row.sequence;
}

static int count(struct ctap *c, enum ctap_walk_kind kind, const struct ctap_list_walk *from,
                 uint32_t *ret) {
        struct ctap_list_walk w = *from;
        struct entry e;
        uint32_t n = 0;
        int r;

        while ((r = find_next(c, kind, &w, &e)) == 0) {
                step(&w, &e);
                n++;
        }
        if (r != -ENOENT)
                return r;
        *ret = n;
        return 0;
}

/* ---- encode ---- */

/* n: 0 to leave the member out. */
static int put_rp(struct cbor_writer *out, const struct entry *e, uint32_t n) {
        struct sha256 rp_id_hash;
        int r;

        r = ctap_sha256(&e->record.rp_id, 1, &rp_id_hash);
        if (r < 0)
                return r;

        cbor_put_map(out, 2u + (n > 0));
        cbor_put_int(out, 0x03); /* rp */
        cbor_put_map(out, 1);
        cbor_put_string(out, "id");
        cbor_put_text(out, e->record.rp_id);
        cbor_put_int(out, 0x04); /* rpIDHash */
        cbor_put_bytes(out, BYTES_OF(rp_id_hash));
        if (n > 0) {
                cbor_put_int(out, 0x05); /* totalRPs */
                cbor_put_int(out, n);
        }
        return 0;
}

/* n: 0 to leave the member out. */
static int put_credential(const struct ctap *c, struct cbor_writer *out, const struct entry *e,
                          uint32_t n) {
        _cleanup_(secret32_wipe) struct secret32 large_blob_key = { { 0 } };
        const bool has_key = e->row.flags & CTAP_ROW_LARGE_BLOB_KEY;
        int r;

        r = ctap_large_blob_key(&c->credential_keys, &e->row.id, &large_blob_key);
        if (r < 0)
                return r;

        cbor_put_map(out, 5u + (n > 0) + has_key);
        cbor_put_int(out, 0x06); /* user */
        ctap_put_user(out, &e->record, true);
        cbor_put_int(out, 0x07); /* credentialID */
        ctap_put_descriptor(out, &e->row.id);
        cbor_put_int(out, 0x08); /* publicKey */
        ctap_cose_put_key(out, e->alg, &e->public_key);
        if (n > 0) {
                cbor_put_int(out, 0x09); /* totalCredentials */
                cbor_put_int(out, n);
        }
        cbor_put_int(out, 0x0a); /* credProtect */
        cbor_put_int(out, e->row.cred_protect);
        if (has_key) {
                cbor_put_int(out, 0x0b); /* largeBlobKey */
                cbor_put_bytes(out, BYTES_OF(large_blob_key));
        }
        cbor_put_int(out, 0x0c); /* thirdPartyPayment */
        cbor_put_bool(out, e->row.flags & CTAP_ROW_THIRD_PARTY_PAYMENT);
        return 0;
}

static int put_entry(const struct ctap *c, enum ctap_walk_kind kind, struct cbor_writer *out,
                     const struct entry *e, uint32_t n) {
        return kind == CTAP_WALK_RPS ? put_rp(out, e, n) : put_credential(c, out, e, n);
}

/* ---- how many (CM4) ---- */

static enum ctap_status get_metadata(struct ctap *c, const struct request *rq,
                                     struct cbor_writer *out) {
        struct ctap_store *s = c->env.store;
        uint32_t n_rps, n;
        int r;

        if (rq->grant.has_rp)
                return CTAP2_ERR_PIN_AUTH_INVALID;
        r = s->ops->totals(s, &n_rps, &n);
        if (r < 0)
                return ctap_status_from_errno(r);

        cbor_put_map(out, 2);
        cbor_put_int(out, 0x01); /* existingResidentCredentialsCount */
        cbor_put_int(out, n);
        cbor_put_int(out, 0x02); /* maxPossibleRemainingResidentCredentialsCount */
        cbor_put_int(out, s->ops->remaining(s));
        return CTAP_OK;
}

/* ---- lists (CM5 to CM8) ---- */

static enum ctap_status begin(struct ctap *c, const struct request *rq, enum ctap_walk_kind kind,
                              struct ctap_list_walk *w, struct cbor_writer *out) {
        struct entry first;
        int r;

        r = count(c, kind, w, &w->remaining);
        if (r == 0)
                r = find_next(c, kind, w, &first);
        if (r == -ENOENT)
                return CTAP2_ERR_NO_CREDENTIALS;
        if (r == 0)
                r = put_entry(c, kind, out, &first, w->remaining);
        if (r < 0)
                return ctap_status_from_errno(r);

        step(w, &first);
        w->remaining--;
        ctap_walk_begin(c, kind, rq->channel, &rq->grant.verification);
        c->walk.list = *w;
        c->walk.list.verification = rq->grant.verification;
        return CTAP_OK;
}

static enum ctap_status list_rps(struct ctap *c, const struct request *rq,
                                 struct cbor_writer *out) {
        struct ctap_list_walk w = all_rps;

        if (rq->grant.has_rp)
                return CTAP2_ERR_PIN_AUTH_INVALID;
        return begin(c, rq, CTAP_WALK_RPS, &w, out);
}

static enum ctap_status list_credentials(struct ctap *c, const struct request *rq,
                                         struct cbor_writer *out) {
        struct ctap_list_walk w = { .before = UINT64_MAX };
        const struct ctap_grant *g = &rq->grant;
        int r;

        if (g->has_rp && !bytes_equal(BYTES_OF(g->rp_id_hash), BYTES_OF(rq->rp_id_hash)))
                return CTAP2_ERR_PIN_AUTH_INVALID;
        r = ctap_rp_tag(&c->credential_keys, &rq->rp_id_hash, &w.rp_tag);
        if (r < 0)
                return ctap_status_from_errno(r);
        return begin(c, rq, CTAP_WALK_CREDENTIALS, &w, out);
}

/* What is next, if the key device still stands by the token. */
static int continue_list(struct ctap *c, struct entry *ret) {
        const struct ctap_list_walk *w = &c->walk.list;
        int r;

        if (w->remaining == 0)
                return -ENOENT;
        r = ctap_ticket_check(c, &w->verification.ticket);
        return r < 0 ? r : find_next(c, c->walk.kind, w, ret);
}

static enum ctap_status go_on(struct ctap *c, enum ctap_walk_kind kind, uint32_t channel,
                              struct cbor_writer *out) {
        struct entry next;
        int r;

        if (!ctap_walk_goes_on(c, kind, channel))
                return CTAP2_ERR_NOT_ALLOWED;
        r = continue_list(c, &next);
        if (r == -ENOENT) { /* also where what was counted was deleted since */
                ctap_forget_walk(c);
                return CTAP2_ERR_NOT_ALLOWED;
        }
        if (r == 0)
                r = put_entry(c, kind, out, &next, 0);
        if (r < 0)
                return ctap_status_from_keys(c, r);

        step(&c->walk.list, &next);
        c->walk.list.remaining--;
        ctap_walk_stepped(c);
        return CTAP_OK;
}

/* ---- one credential (CM9, CM10) ---- */

/* -ENOENT: there is no such discoverable credential. */
static int find_discoverable(struct ctap *c, const struct ctap_descriptor *d,
                             struct ctap_row *ret) {
        struct cursor in = { d->id.string, false };
        struct ctap_store *s = c->env.store;
        struct ctap_credential_id id;
        int r;

        cursor_copy(&in, id.b, sizeof(id.b));
        if (cursor_end(&in) < 0 || !ctap_is_public_key(&d->type))
                return -ENOENT;
        r = s->ops->find(s, &id, ret);
        if (r < 0)
                return r;
        return ret->flags & CTAP_ROW_DISCOVERABLE ? 0 : -ENOENT;
}

/* Who was let in for one RP is not told what there is beside it (CP33). */
static enum ctap_status find_named(struct ctap *c, const struct request *rq, struct ctap_row *ret) {
        struct sha256 tag;
        int found, r;

        found = find_discoverable(c, &rq->credential, ret);
        if (found < 0 && found != -ENOENT)
                return ctap_status_from_errno(found);
        if (!rq->grant.has_rp)
                return found < 0 ? CTAP2_ERR_NO_CREDENTIALS : CTAP_OK;

        r = ctap_rp_tag(&c->credential_keys, &rq->grant.rp_id_hash, &tag);
        if (r < 0)
                return ctap_status_from_errno(r);
        return found == 0 && bytes_equal(BYTES_OF(tag), BYTES_OF(ret->rp_tag))
                       ? CTAP_OK
                       : CTAP2_ERR_PIN_AUTH_INVALID;
}

static enum ctap_status delete_credential(struct ctap *c, const struct request *rq,
                                          struct cbor_writer *out _unused_) {
        struct ctap_store *store = c->env.store;
        struct ctap_row row;
        enum ctap_status s;

        s = find_named(c, rq, &row);
        if (s != CTAP_OK)
                return s;
        return ctap_status_from_errno(store->ops->remove(store, &row.id));
}

/* A name that is absent or empty is taken away. */
static void rename_user(struct ctap_record *record, const struct ctap_user *user) {
        record->user_name = user->name.string;
        record->has_user_name = user->name.string.len > 0;
        record->user_display_name = user->display_name.string;
        record->has_display_name = user->display_name.string.len > 0;
}

static enum ctap_status update_user(struct ctap *c, const struct request *rq,
                                    struct cbor_writer *out _unused_) {
        struct ctap_store *store = c->env.store;
        struct ctap_record record;
        struct ctap_row row;
        uint8_t storage[sizeof(row.sealed)];
        struct buf opened = BUF_ON(storage);
        enum ctap_status s;
        int r;

        s = find_named(c, rq, &row);
        if (s != CTAP_OK)
                return s;
        r = ctap_record_open(&c->credential_keys, NULL, &row, &opened, &record);
        if (r < 0)
                return ctap_status_from_errno(r);
        if (!bytes_equal(record.user_id, rq->user.id.string))
                return CTAP1_ERR_INVALID_PARAMETER;

        rename_user(&record, &rq->user);
        r = ctap_record_seal(&c->credential_keys, c->env.rng, NULL, &record, &row);
        if (r == 0)
                r = store->ops->update(store, &row);
        return ctap_status_from_keeping(r);
}

/* ---- the table ---- */

static const struct cbor_field rp_params[] = {
        { NULL, 0x01, CBOR_KIND_BYTES, true, offsetof(struct request, rp_id_hash_bytes) },
};

static const struct cbor_field credential_params[] = {
        { NULL, 0x02, CBOR_KIND_MAP, true, offsetof(struct request, credential_map) },
};

static const struct cbor_field user_params[] = {
        { NULL, 0x02, CBOR_KIND_MAP, true, offsetof(struct request, credential_map) },
        { NULL, 0x03, CBOR_KIND_MAP, true, offsetof(struct request, user_map) },
};

static const struct subcommand {
        enum ctap_status (*run)(struct ctap *c, const struct request *rq, struct cbor_writer *out);
        const struct cbor_field *params; /* NULL: none are looked at */
        size_t n_params;
        bool only_reads;          /* CM3 */
        enum ctap_walk_kind next; /* in place of all this: the walk that it goes on with */
} subcommands[] = {
        [0x01] = { .run = get_metadata, .only_reads = true },
        [0x02] = { .run = list_rps, .only_reads = true },
        [0x03] = { .next = CTAP_WALK_RPS },
        [0x04] = { list_credentials, rp_params, ELEMENTSOF(rp_params), true, 0 },
        [0x05] = { .next = CTAP_WALK_CREDENTIALS },
        [0x06] = { delete_credential, credential_params, ELEMENTSOF(credential_params), false, 0 },
        [0x07] = { update_user, user_params, ELEMENTSOF(user_params), false, 0 },
};

static const struct subcommand *find_subcommand(int64_t number) {
        if (number < 1 || number >= (int64_t)ELEMENTSOF(subcommands))
                return NULL;
        return &subcommands[number];
}

/* ---- decode and authorize ---- */

static const struct cbor_field request_fields[] = {
        { NULL, 0x01, CBOR_KIND_INT, true, offsetof(struct request, subcommand) },
        { NULL, 0x02, CBOR_KIND_MAP, false, offsetof(struct request, params) },
        { NULL, 0x03, CBOR_KIND_INT, false, offsetof(struct request, authorization.protocol) },
        { NULL, 0x04, CBOR_KIND_BYTES, false, offsetof(struct request, authorization.param) },
};

static enum ctap_status read_rp_id_hash(struct request *rq) {
        struct cursor in = { rq->rp_id_hash_bytes.string, false };

        cursor_copy(&in, rq->rp_id_hash.b, sizeof(rq->rp_id_hash.b));
        return cursor_end(&in) < 0 ? CTAP1_ERR_INVALID_PARAMETER : CTAP_OK;
}

static enum ctap_status read_params(const struct subcommand *sub, struct request *rq) {
        enum ctap_status s;

        if (!sub->params)
                return CTAP_OK;
        if (rq->params.kind == CBOR_KIND_ABSENT)
                return CTAP2_ERR_MISSING_PARAMETER;
        s = cbor_read_map(&rq->params, sub->params, sub->n_params, rq);
        if (s == CTAP_OK && rq->rp_id_hash_bytes.kind != CBOR_KIND_ABSENT)
                s = read_rp_id_hash(rq);
        if (s == CTAP_OK && rq->credential_map.kind != CBOR_KIND_ABSENT)
                s = ctap_read_descriptor(&rq->credential_map, &rq->credential);
        if (s == CTAP_OK && rq->user_map.kind != CBOR_KIND_ABSENT)
                s = ctap_read_user(&rq->user_map, &rq->user);
        return s;
}

/* CM1, CM2 */
static enum ctap_status authorize(struct ctap *c, const struct subcommand *sub,
                                  struct request *rq) {
        const uint8_t number = (uint8_t)rq->subcommand.integer;
        const struct ctap_management m = {
                .demand = CTAP_DEMAND_ALWAYS,
                .permission = CTAP_PERMISSION_CM,
                .persistent = sub->only_reads,
                .parameters = read_params(sub, rq),
                .message = { BYTES_OF(number), sub->params ? rq->params.raw : BYTES_NULL },
        };

        return ctap_authorize_management(c, &rq->authorization, &m, &rq->grant);
}

enum ctap_status ctap_credential_management(struct ctap *c, const struct ctap_call *call,
                                            struct cbor_writer *out) {
        _cleanup_(request_wipe) struct request rq = { .channel = call->channel };
        const struct subcommand *sub = NULL;
        enum ctap_status s;

        s = cbor_read_map(&call->params, request_fields, ELEMENTSOF(request_fields), &rq);
        if (s == CTAP_OK)
                sub = find_subcommand(rq.subcommand.integer);
        if (sub && sub->next != CTAP_WALK_NONE)
                return go_on(c, sub->next, call->channel, out);

        ctap_forget_walk(c); /* CM12 */
        if (s != CTAP_OK)
                return s;
        if (!sub)
                return CTAP2_ERR_INVALID_SUBCOMMAND;
        s = authorize(c, sub, &rq);
        return s == CTAP_OK ? sub->run(c, &rq, out) : s;
}
