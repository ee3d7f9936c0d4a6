/* SPDX-License-Identifier: BSD-2-Clause */

/* The credentials of a store: see store.h. */

#include <errno.h>
#include <string.h>
#include <syslog.h>
#include <time.h>

#include "authenticator/store-query.h"
#include "authenticator/store.h"

/* Has an RP discoverable credentials? 1, 0, or a negative errno. */
static int has_rp(struct store *s, const struct sha256 *rp_tag, const char *doing) {
        _cleanup_(store_query_return) sqlite3_stmt *q = s->stmt[Q_HAS_RP];

        store_bind_bytes(q, 1, BYTES_OF(*rp_tag));
        return store_query_step(s, q, doing);
}

/* ---- looking up ------------------------------------------------------------------------- */

/* A blob of at most `max` bytes; *ret_len is its length. */
static int column_bytes(sqlite3_stmt *q, int i, uint8_t *to, size_t max, uint16_t *ret_len) {
        const void *data = sqlite3_column_blob(q, i);
        size_t len = (size_t)sqlite3_column_bytes(q, i);

        if (len > max)
                return -EUCLEAN;
        if (len > 0)
                memcpy(to, data, len);
        *ret_len = (uint16_t)len;
        return 0;
}

static int column_secret(sqlite3_stmt *q, int i, struct ctap_secret_blob *ret) {
        return column_bytes(q, i, ret->data, sizeof(ret->data), &ret->len);
}

/* The columns of ROW. The ranges are the schema's; a changed file must not lead past an array. */
static int read_row(struct store *s, sqlite3_stmt *q, struct ctap_row *ret) {
        int r;

        memset(&ret->account_tag, 0, sizeof(ret->account_tag));
        r = store_column_exactly(q, 0, ret->id.b, sizeof(ret->id.b));
        if (r == 0)
                r = store_column_exactly(q, 1, ret->rp_tag.b, sizeof(ret->rp_tag.b));
        if (r == 0 && sqlite3_column_type(q, 2) != SQLITE_NULL)
                r = store_column_exactly(q, 2, ret->account_tag.b, sizeof(ret->account_tag.b));
        if (r == 0)
                r = column_bytes(q, 11, ret->key.data, sizeof(ret->key.data), &ret->key.len);
        if (r == 0)
                r = column_bytes(q, 12, ret->sealed, sizeof(ret->sealed), &ret->sealed_len);
        if (r == 0)
                r = column_secret(q, 13, &ret->cred_random);
        if (r == 0)
                r = column_secret(q, 14, &ret->cred_random_uv);
        if (r < 0)
                return store_file_fail(&s->file, r, "read a credential",
                                       "a field has a wrong length");

        ret->alg = sqlite3_column_int(q, 3);
        ret->class = (uint8_t)sqlite3_column_int(q, 4);
        ret->cred_protect = (uint8_t)sqlite3_column_int(q, 5);
        ret->flags = (uint32_t)sqlite3_column_int64(q, 6);
        ret->count = (uint32_t)sqlite3_column_int64(q, 7);
        ret->sequence = (uint64_t)sqlite3_column_int64(q, 8);
        ret->created = sqlite3_column_int64(q, 9);
        ret->last_used = sqlite3_column_int64(q, 10);
        return 0;
}

/* The row a bound query gives; -ENOENT if none. */
static int one_row(struct store *s, sqlite3_stmt *q, struct ctap_row *ret) {
        int r = store_query_step(s, q, "look up a credential");

        if (r < 0)
                return r;
        return r == 0 ? -ENOENT : read_row(s, q, ret);
}

int store_find(struct store *s, const struct ctap_credential_id *id, struct ctap_row *ret) {
        _cleanup_(store_query_return) sqlite3_stmt *q = s->stmt[Q_FIND];

        store_bind_bytes(q, 1, BYTES_OF(*id));
        return one_row(s, q, ret);
}

int store_newest(struct store *s, const struct sha256 *rp_tag, uint8_t max_protect, uint64_t before,
                 struct ctap_row *ret) {
        _cleanup_(store_query_return) sqlite3_stmt *q = s->stmt[Q_NEWEST];

        store_bind_bytes(q, 1, BYTES_OF(*rp_tag));
        store_bind_int(q, 2, before < INT64_MAX ? (int64_t)before : INT64_MAX);
        store_bind_int(q, 3, max_protect);
        return one_row(s, q, ret);
}

int store_next_rp(struct store *s, const struct sha256 *after, struct ctap_row *ret) {
        static const uint8_t least[1]; /* of length 0: below every tag, which NULL is not */
        _cleanup_(store_query_return) sqlite3_stmt *q = s->stmt[Q_NEXT_RP];

        store_bind_bytes(q, 1, after ? BYTES_OF(*after) : BYTES(least, 0));
        return one_row(s, q, ret);
}

static int next_row(struct store *s, uint64_t after, struct ctap_row *ret) {
        _cleanup_(store_query_return) sqlite3_stmt *q = s->stmt[Q_NEXT];

        store_bind_int(q, 1, (int64_t)after);
        return one_row(s, q, ret);
}

int store_each(struct store *s, store_each_fn *each, void *userdata) {
        struct ctap_row row = { 0 };

        for (;;) {
                int r = next_row(s, row.sequence, &row);

                if (r == -ENOENT)
                        return 0;
                if (r < 0)
                        return r;
                r = each(userdata, &row);
                if (r != 0)
                        return r;
        }
}

uint32_t store_remaining(struct store *s) {
        return s->n_credentials < s->max_credentials ? s->max_credentials - s->n_credentials : 0;
}

/* ---- changing --------------------------------------------------------------------------- */

static int64_t now_seconds(void) {
        return (int64_t)time(NULL);
}

static bool row_is_valid(const struct ctap_row *row, int64_t base) {
        return base <= 0 && row->key.len <= sizeof(row->key.data) &&
               row->sealed_len <= sizeof(row->sealed) &&
               row->cred_random.len <= sizeof(row->cred_random.data) &&
               row->cred_random_uv.len <= sizeof(row->cred_random_uv.data) &&
               (row->cred_random.len > 0) == (row->cred_random_uv.len > 0) &&
               (row->class == CTAP_CLASS_A || row->class == CTAP_CLASS_B) &&
               row->cred_protect >= 1 && row->cred_protect <= 3;
}

static const char adding[] = "add a credential";

/* Takes away the credential whose place this one is to take. */
static int replace(struct store *s, const struct ctap_row *row, uint32_t *ret_n) {
        _cleanup_(store_query_return) sqlite3_stmt *q = s->stmt[Q_REPLACE];
        int r;

        store_bind_bytes(q, 1, BYTES_OF(row->account_tag));
        store_bind_bytes(q, 2, BYTES_OF(row->rp_tag));
        r = store_query_step(s, q, "replace a credential");
        if (r < 0)
                return r;
        *ret_n = (uint32_t)sqlite3_changes(s->file.db);
        return 0;
}

static void bind_secret(sqlite3_stmt *q, int i, const struct ctap_secret_blob *blob) {
        store_bind_bytes(q, i, BYTES(blob->data, blob->len));
}

static int add(struct store *s, const struct ctap_row *row, int64_t base) {
        _cleanup_(store_query_return) sqlite3_stmt *q = s->stmt[Q_INSERT];

        store_bind_bytes(q, 1, BYTES_OF(row->id));
        store_bind_bytes(q, 2, BYTES_OF(row->rp_tag));
        if (row->flags & CTAP_ROW_DISCOVERABLE)
                store_bind_bytes(q, 3, BYTES_OF(row->account_tag)); /* else NULL, as cleared */
        store_bind_int(q, 4, row->alg);
        store_bind_int(q, 5, row->class);
        store_bind_int(q, 6, row->cred_protect);
        store_bind_int(q, 7, row->flags);
        store_bind_int(q, 8, base);
        store_bind_int(q, 9, now_seconds());
        store_bind_bytes(q, 10, BYTES(row->key.data, row->key.len));
        store_bind_bytes(q, 11, BYTES(row->sealed, row->sealed_len));
        if (row->cred_random.len > 0) {
                bind_secret(q, 12, &row->cred_random);
                bind_secret(q, 13, &row->cred_random_uv);
        }
        return store_query_step(s, q, adding);
}

/* What will be known of the rows together once a transaction that adds some is committed. */
struct addition {
        uint32_t n_credentials;
        bool replaced; /* some row has gone */
        struct store_discoverable discoverable;
};

static int check_room(struct store *s, const struct addition *a) {
        if (a->n_credentials < s->max_credentials)
                return 0;
        store_log(s, LOG_WARNING, "cannot add a credential: all %u are taken; delete some of them",
                  s->max_credentials);
        return -ENOSPC;
}

/* In the transaction of its caller. */
static int add_discoverable(struct store *s, const struct ctap_row *row, int64_t base,
                            struct addition *a) {
        int known = has_rp(s, &row->rp_tag, adding), r;
        uint32_t n_replaced;

        if (known < 0)
                return known;
        r = replace(s, row, &n_replaced);
        if (r < 0)
                return r;
        a->n_credentials -= n_replaced;
        a->replaced |= n_replaced > 0;

        r = check_room(s, a);
        if (r == 0)
                r = add(s, row, base);
        if (r < 0)
                return r;
        return store_put_discoverable(s, 1 - known, 1 - (int)n_replaced, adding, &a->discoverable);
}

/* Likewise. */
static int add_other(struct store *s, const struct ctap_row *row, int64_t base,
                     struct addition *a) {
        int r = check_room(s, a);

        return r < 0 ? r : add(s, row, base);
}

/* Likewise. */
static int add_all(struct store *s, const struct ctap_row *rows, size_t n, int64_t base,
                   struct addition *a, size_t *n_added) {
        for (*n_added = 0; *n_added < n; ++*n_added) {
                const struct ctap_row *row = &rows[*n_added];
                int r = row->flags & CTAP_ROW_DISCOVERABLE ? add_discoverable(s, row, base, a)
                                                           : add_other(s, row, base, a);

                if (r < 0)
                        return r;
                a->n_credentials++;
        }
        return 0;
}

int store_insert_all(struct store *s, const struct ctap_row *rows, size_t n, int64_t base,
                     size_t *n_added) {
        struct addition after = { s->n_credentials, false, s->discoverable };
        int r;

        for (*n_added = 0; *n_added < n; ++*n_added)
                if (!row_is_valid(&rows[*n_added], base))
                        return -EINVAL;

        r = store_query_run(s, Q_BEGIN, adding);
        if (r < 0)
                return r;

        _cleanup_(store_txn_end) struct store *txn = s;

        r = add_all(s, rows, n, base, &after, n_added);
        if (r == 0)
                r = store_txn_commit(txn, adding);
        if (r < 0)
                return r;

        s->discoverable = after.discoverable;
        s->n_credentials = after.n_credentials;
        s->residue |= after.replaced;
        for (size_t i = 0; i < n; i++)
                store_tell(s, STORE_INSERTED, &rows[i].id, NULL);
        return 0;
}

int store_insert(struct store *s, const struct ctap_row *row, int64_t base) {
        size_t n_added;

        return store_insert_all(s, row, 1, base, &n_added);
}

/* In the transaction of its caller. */
static int put_record(struct store *s, const struct ctap_row *row, const char *doing,
                      bool *ret_discoverable) {
        _cleanup_(store_query_return) sqlite3_stmt *q = s->stmt[Q_UPDATE];
        int r;

        store_bind_bytes(q, 1, BYTES_OF(row->id));
        store_bind_bytes(q, 2, BYTES(row->sealed, row->sealed_len));
        r = store_query_step(s, q, doing);
        if (r < 0)
                return r;
        if (r == 0)
                return -ENOENT;
        *ret_discoverable = sqlite3_column_int(q, 0) != 0;
        return 0;
}

int store_update(struct store *s, const struct ctap_row *row) {
        static const char doing[] = "change a credential";
        struct store_discoverable after = s->discoverable;
        bool discoverable = false;
        int r;

        if (row->sealed_len > sizeof(row->sealed))
                return -EINVAL;

        r = store_query_run(s, Q_BEGIN, doing);
        if (r < 0)
                return r;

        _cleanup_(store_txn_end) struct store *txn = s;

        r = put_record(s, row, doing, &discoverable);
        if (r == 0 && discoverable)
                r = store_put_discoverable(s, 0, 0, doing, &after);
        if (r == 0)
                r = store_txn_commit(txn, doing);
        if (r < 0)
                return r;

        s->discoverable = after;
        s->residue = true;
        return 0;
}

/* The rowid of a credential and the count last shown. */
static int counter_of(struct store *s, const struct ctap_credential_id *id, int64_t *ret_sequence,
                      uint32_t *ret_count) {
        _cleanup_(store_query_return) sqlite3_stmt *q = s->stmt[Q_COUNTER];
        int r;

        store_bind_bytes(q, 1, BYTES_OF(*id));
        r = store_query_step(s, q, "read a signature counter");
        if (r < 0)
                return r;
        if (r == 0)
                return -ENOENT;
        *ret_sequence = sqlite3_column_int64(q, 0);
        *ret_count = (uint32_t)sqlite3_column_int64(q, 1);
        return 0;
}

static int set_counter(struct store *s, int64_t sequence, uint32_t count) {
        _cleanup_(store_query_return) sqlite3_stmt *q = s->stmt[Q_USE];

        store_bind_int(q, 1, sequence);
        store_bind_int(q, 2, count);
        store_bind_int(q, 3, now_seconds());
        return store_query_step(s, q, "raise a signature counter");
}

int store_use(struct store *s, const struct ctap_credential_id *id, uint32_t *ret_count) {
        static const char doing[] = "raise a signature counter";
        int64_t sequence;
        uint32_t count;
        int r;

        r = store_query_run(s, Q_BEGIN, doing);
        if (r < 0)
                return r;

        _cleanup_(store_txn_end) struct store *txn = s;

        r = counter_of(s, id, &sequence, &count);
        if (r < 0)
                return r;
        if (count == UINT32_MAX) {
                store_log(s, LOG_ERR,
                          "a signature counter is at its end: delete that credential and register "
                          "the account again");
                return -EOVERFLOW;
        }
        r = set_counter(s, sequence, count + 1);
        if (r == 0)
                r = store_query_run(s, Q_USE_LEASE, doing);
        if (r == 0)
                r = store_txn_commit(txn, doing);
        if (r < 0)
                return r;

        *ret_count = count + 1;
        store_tell(s, STORE_USED, id, NULL);
        return 0;
}

static bool secret_is_valid(const struct ctap_secret_blob *blob) {
        return blob->len > 0 && blob->len <= sizeof(blob->data);
}

int store_set_cred_random(struct store *s, const struct ctap_credential_id *id,
                          const struct ctap_secret_blob *cred_random,
                          const struct ctap_secret_blob *cred_random_uv) {
        _cleanup_(store_query_return) sqlite3_stmt *q = s->stmt[Q_SET_CRED_RANDOM];
        int64_t sequence;
        uint32_t count;
        int r;

        if (!secret_is_valid(cred_random) || !secret_is_valid(cred_random_uv))
                return -EINVAL;
        store_bind_bytes(q, 1, BYTES_OF(*id));
        bind_secret(q, 2, cred_random);
        bind_secret(q, 3, cred_random_uv);
        r = store_query_step(s, q, "keep the hmac-secret of a credential");
        if (r < 0)
                return r;
        if (sqlite3_changes(s->file.db) > 0) {
                s->n_commits++;
                return 0;
        }
        r = counter_of(s, id, &sequence, &count);
        return r < 0 ? r : -EEXIST;
}

/* In the transaction of its caller. */
static int take_away(struct store *s, const struct ctap_credential_id *id, const char *doing,
                     bool *ret_discoverable, struct sha256 *ret_rp_tag) {
        _cleanup_(store_query_return) sqlite3_stmt *q = s->stmt[Q_DELETE];
        struct sha256 rp_tag;
        int r;

        store_bind_bytes(q, 1, BYTES_OF(*id));
        r = store_query_step(s, q, doing);
        if (r < 0)
                return r;
        if (r == 0)
                return -ENOENT;
        r = store_column_exactly(q, 1, rp_tag.b, sizeof(rp_tag.b));
        if (r < 0)
                return store_file_fail(&s->file, r, doing, "a field has a wrong length");
        *ret_discoverable = sqlite3_column_int(q, 0) != 0;
        *ret_rp_tag = rp_tag;
        return 0;
}

static int forget_discoverable(struct store *s, const struct sha256 *rp_tag, const char *doing,
                               struct store_discoverable *ret) {
        int others = has_rp(s, rp_tag, doing);

        return others < 0 ? others : store_put_discoverable(s, others - 1, -1, doing, ret);
}

int store_delete(struct store *s, const struct ctap_credential_id *id) {
        static const char doing[] = "delete a credential";
        struct store_discoverable after = s->discoverable;
        struct sha256 rp_tag;
        bool discoverable = false;
        struct ctap_row row;
        int r;

        r = s->changed ? store_find(s, id, &row) : 0;
        if (r == 0)
                r = store_query_run(s, Q_BEGIN, doing);
        if (r < 0)
                return r;

        _cleanup_(store_txn_end) struct store *txn = s;

        r = take_away(s, id, doing, &discoverable, &rp_tag);
        if (r == 0 && discoverable)
                r = forget_discoverable(s, &rp_tag, doing, &after);
        if (r == 0)
                r = store_txn_commit(txn, doing);
        if (r < 0)
                return r;
        s->discoverable = after;
        s->n_credentials--;
        store_tell(s, STORE_DELETED, &row.id, &row);

        /* It is deleted; if its traces in the WAL cannot be wiped now, store_settle() tries again. */
        s->residue = true;
        if (store_drop_residue(s) < 0)
                store_log(
                        s, LOG_WARNING,
                        "the credential is deleted; traces stay in the -wal until the disk works");
        return 0;
}
