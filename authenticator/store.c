/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * A store on SQLite: see store.h for what it keeps, store-schema.c for the tables, store-file.c for
 * how the file is opened.
 *
 * What is reported is durable: WAL with synchronous=FULL syncs the WAL once per commit. A commit is
 * that one sync, whatever the number of rows; moving pages into the main file is left to
 * store_settle() and to the close. The first commit after the WAL was emptied syncs its new header
 * as well, once in SETTLE_COMMITS.
 *
 * What is erased is gone: secure_delete zeroes it in the main file, and the WAL that may still hold
 * it is cut to nothing at once after an erasure, and at the next store_settle() after a replacement.
 */

#include <assert.h>
#include <errno.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>
#include <time.h>

#include "authenticator/store-file.h"
#include "authenticator/store-schema.h"
#include "authenticator/store.h"

/* Commits between two checkpoints; about half a megabyte of WAL. */
#define SETTLE_COMMITS 64

/* The signature counter last shown, or what the last lease raised it to (store-schema.c). */
#define COUNT_NOW "min(max(count, base + ifnull((SELECT raised FROM lease), 0)), 4294967295)"

#define ROW                                                                           \
        "SELECT id, rp_tag, account_tag, alg, class, cred_protect, flags, " COUNT_NOW \
        ", sequence, created, last_used, key, sealed, cred_random, cred_random_uv FROM credential "

enum query {
        Q_BEGIN,
        Q_COMMIT,
        Q_ROLLBACK,
        Q_FIND,
        Q_NEWEST,
        Q_NEXT,
        Q_COUNT,
        Q_REPLACE,
        Q_INSERT,
        Q_COUNTER,
        Q_USE,
        Q_USE_LEASE,
        Q_DELETE,
        Q_GET_LEASE,
        Q_SET_LEASE,
        Q_RAISE,
        Q_GET_TPM,
        Q_SET_TPM,
        Q_SET_CRED_RANDOM,
        Q_GET_SETTINGS,
        Q_SET_SETTINGS,
        _QUERIES,
};

static const char *const queries[_QUERIES] = {
        [Q_BEGIN] = "BEGIN IMMEDIATE",
        [Q_COMMIT] = "COMMIT",
        [Q_ROLLBACK] = "ROLLBACK",
        [Q_FIND] = ROW "WHERE id = ?1",
        [Q_NEWEST] = ROW "WHERE rp_tag = ?1 AND account_tag IS NOT NULL AND sequence < ?2"
                         " AND cred_protect <= ?3 ORDER BY sequence DESC LIMIT 1",
        [Q_NEXT] = ROW "WHERE sequence > ?1 ORDER BY sequence LIMIT 1",
        [Q_COUNT] = "SELECT count(*) FROM credential WHERE rp_tag = ?1"
                    " AND account_tag IS NOT NULL AND cred_protect <= ?2",
        [Q_REPLACE] = "DELETE FROM credential WHERE account_tag = ?1",
        [Q_INSERT] = "INSERT INTO credential (id, rp_tag, account_tag, alg, class, cred_protect,"
                     " flags, count, base, created, last_used, key, sealed, cred_random,"
                     " cred_random_uv)"
                     " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, 0, ?8, ?9, 0, ?10, ?11, ?12, ?13)",
        [Q_COUNTER] = "SELECT sequence, " COUNT_NOW " FROM credential WHERE id = ?1",
        [Q_USE] = "UPDATE credential SET count = ?2, last_used = ?3 WHERE sequence = ?1",
        [Q_USE_LEASE] = "UPDATE lease SET used = used + 1",
        [Q_DELETE] = "DELETE FROM credential WHERE id = ?1",
        [Q_GET_LEASE] = "SELECT counter, used, clean FROM lease",
        [Q_SET_LEASE] = "INSERT INTO lease (one, counter, used, clean, raised)"
                        " VALUES (1, ?1, ?2, ?3, 0) ON CONFLICT (one) DO UPDATE"
                        " SET counter = ?1, used = ?2, clean = ?3",
        [Q_RAISE] = "INSERT INTO lease (one, counter, used, clean, raised)"
                    " VALUES (1, ?1, ?2, ?3, ?4) ON CONFLICT (one) DO UPDATE"
                    " SET counter = ?1, used = ?2, clean = ?3, raised = max(raised, ?4)",
        [Q_GET_TPM] = "SELECT phase, state FROM tpm",
        [Q_SET_TPM] = "INSERT OR REPLACE INTO tpm (one, phase, state) VALUES (1, ?1, ?2)",
        [Q_SET_CRED_RANDOM] = "UPDATE credential SET cred_random = ?2, cred_random_uv = ?3"
                              " WHERE id = ?1 AND cred_random IS NULL AND cred_random_uv IS NULL",
        [Q_GET_SETTINGS] = "SELECT pin_length, min_pin_length, force_pin_change, pin_in_doubt"
                           " FROM settings",
        [Q_SET_SETTINGS] = "INSERT OR REPLACE INTO settings (one, pin_length, min_pin_length,"
                           " force_pin_change, pin_in_doubt) VALUES (1, ?1, ?2, ?3, ?4)",
};

struct store {
        struct store_file file;
        sqlite3_stmt *stmt[_QUERIES];
        uint32_t max_credentials;
        uint32_t n_credentials; /* counted when opened, then kept with every commit */
        unsigned n_commits;     /* since the last checkpoint */
        bool residue;           /* the WAL may hold what was deleted */
        struct ctap_settings settings;
};

void store_log(struct store *s, int priority, const char *format, ...) {
        va_list ap;

        va_start(ap, format);
        store_file_vlog(&s->file, priority, format, ap);
        va_end(ap);
}

static int fail_sqlite(struct store *s, int rc, const char *doing) {
        return store_file_fail_sqlite(&s->file, rc, doing);
}

/* ---- statements ------------------------------------------------------------------------- */

/* A cached statement goes back as it was found when the scope ends. */
static void stmt_return(sqlite3_stmt **q) {
        (void)sqlite3_reset(*q); /* repeats the failure that step() has told */
        (void)sqlite3_clear_bindings(*q);
}

/* Binding a number or borrowed bytes cannot fail but for a mistake in this file. */
static void bind_int(sqlite3_stmt *q, int i, int64_t v) {
        int rc = sqlite3_bind_int64(q, i, v);

        assert(rc == SQLITE_OK);
}

static void bind_bytes(sqlite3_stmt *q, int i, struct bytes b) {
        int rc = sqlite3_bind_blob64(q, i, b.data, b.len, SQLITE_STATIC);

        assert(rc == SQLITE_OK);
}

/* 1: there is a row; 0: done; or a negative errno. */
static int step(struct store *s, sqlite3_stmt *q, const char *doing) {
        int rc = sqlite3_step(q);

        if (rc == SQLITE_ROW)
                return 1;
        if (rc == SQLITE_DONE)
                return 0;
        return fail_sqlite(s, rc, doing);
}

static int step_plain(struct store *s, enum query which, const char *doing) {
        _cleanup_(stmt_return) sqlite3_stmt *q = s->stmt[which];

        return step(s, q, doing);
}

/* A transaction that is still open when its scope ends is rolled back. */
static void txn_end(struct store **s) {
        if (*s && !sqlite3_get_autocommit((*s)->file.db)) {
                _cleanup_(stmt_return) sqlite3_stmt *q = (*s)->stmt[Q_ROLLBACK];

                (void)sqlite3_step(q); /* the failure that led here has been told */
        }
}

static int txn_commit(struct store *s, const char *doing) {
        int r = step_plain(s, Q_COMMIT, doing);

        if (r < 0)
                return r;
        s->n_commits++;
        return 0;
}

/* One statement that gives no row, as a transaction of its own. */
static int change(struct store *s, sqlite3_stmt *q, const char *doing) {
        int r = step(s, q, doing);

        if (r < 0)
                return r;
        s->n_commits++;
        return 0;
}

/* ---- settings --------------------------------------------------------------------------- */

static bool settings_are_valid(const struct ctap_settings *p) {
        return p->min_pin_length >= CTAP_MIN_PIN_LENGTH && p->min_pin_length <= 63;
}

/* The ranges are the schema's; a file that was changed by hand may break them. */
static int load_settings(struct store *s) {
        static const char doing[] = "read the settings";
        _cleanup_(stmt_return) sqlite3_stmt *q = s->stmt[Q_GET_SETTINGS];
        struct ctap_settings got;
        int r = step(s, q, doing);

        if (r < 0)
                return r;
        if (r > 0) {
                got = (struct ctap_settings){
                        .pin_length = (uint8_t)sqlite3_column_int(q, 0),
                        .min_pin_length = (uint8_t)sqlite3_column_int(q, 1),
                        .force_pin_change = sqlite3_column_int(q, 2) != 0,
                        .pin_in_doubt = sqlite3_column_int(q, 3) != 0,
                };
        }
        if (r == 0 || !settings_are_valid(&got))
                return store_file_fail(&s->file, -EUCLEAN, doing, "they are missing or damaged");
        s->settings = got;
        return 0;
}

/* As part of a transaction, or one of its own. */
static int put_settings(struct store *s, const struct ctap_settings *p, const char *doing) {
        _cleanup_(stmt_return) sqlite3_stmt *q = s->stmt[Q_SET_SETTINGS];

        bind_int(q, 1, p->pin_length);
        bind_int(q, 2, p->min_pin_length);
        bind_int(q, 3, p->force_pin_change);
        bind_int(q, 4, p->pin_in_doubt);
        return step(s, q, doing);
}

const struct ctap_settings *store_settings(const struct store *s) {
        return &s->settings;
}

int store_set_settings(struct store *s, const struct ctap_settings *settings) {
        const struct ctap_settings given = *settings; /* may be the ones in s */
        int r;

        if (!settings_are_valid(&given))
                return -EINVAL;
        r = put_settings(s, &given, "write the settings");
        if (r < 0)
                return r;
        s->n_commits++;
        s->settings = given;
        return 0;
}

/* ---- opening ---------------------------------------------------------------------------- */

static int prepare_queries(struct store *s) {
        for (size_t i = 0; i < _QUERIES; i++) {
                int rc = sqlite3_prepare_v3(s->file.db, queries[i], -1, SQLITE_PREPARE_PERSISTENT,
                                            &s->stmt[i], NULL);

                if (rc != SQLITE_OK)
                        return fail_sqlite(s, rc, "read the tables of the store");
        }
        return 0;
}

static int open_steps(struct store *s, const struct store_options *options) {
        int r, rc, version;
        int64_t n;

        r = store_file_open(&s->file, options, &version);
        if (r < 0)
                return r;
        rc = store_migrate(s->file.db, &store_schema, version);
        if (rc != SQLITE_OK)
                return fail_sqlite(s, rc, "bring the store to the present format");
        r = prepare_queries(s);
        if (r == 0)
                r = load_settings(s);
        if (r == 0)
                r = store_file_ask(&s->file, "SELECT count(*) FROM credential",
                                   "count the credentials", &n);
        if (r < 0)
                return r;
        s->n_credentials = n < UINT32_MAX ? (uint32_t)n : UINT32_MAX;
        return 0;
}

static void store_closep(struct store **s) {
        (void)store_close(*s);
}

int store_open(const struct store_options *options, struct store **ret) {
        _cleanup_(store_closep) struct store *s = calloc(1, sizeof(*s));
        int r;

        if (!s)
                return -ENOMEM;
        s->max_credentials = options->max_credentials;
        r = open_steps(s, options);
        if (r < 0)
                return r;

        *ret = TAKE_PTR(s);
        return 0;
}

struct store *store_close(struct store *s) {
        if (!s)
                return NULL;
        for (size_t i = 0; i < _QUERIES; i++)
                (void)sqlite3_finalize(s->stmt[i]);
        store_file_close(&s->file);
        free(s);
        return NULL;
}

/* ---- housekeeping ----------------------------------------------------------------------- */

static int checkpoint(struct store *s, int mode, const char *doing) {
        int rc = sqlite3_wal_checkpoint_v2(s->file.db, "main", mode, NULL, NULL);

        if (rc != SQLITE_OK)
                return fail_sqlite(s, rc, doing);
        s->n_commits = 0;
        return 0;
}

/* Moves everything into the main file and cuts the WAL to nothing. */
static int drop_residue(struct store *s) {
        int r = checkpoint(s, SQLITE_CHECKPOINT_TRUNCATE, "wipe what was erased from the -wal");

        if (r == 0)
                s->residue = false;
        return r;
}

int store_close_whole(struct store *s) {
        int r = checkpoint(s, SQLITE_CHECKPOINT_TRUNCATE, "move everything into the main file");

        (void)store_close(s);
        return r;
}

void store_settle(struct store *s) {
        /* What fails here is told in the log; nothing is lost, and the next time will do. */
        if (s->residue)
                (void)drop_residue(s);
        else if (s->n_commits >= SETTLE_COMMITS)
                (void)checkpoint(s, SQLITE_CHECKPOINT_PASSIVE, "move commits into the main file");
        (void)sqlite3_db_release_memory(s->file.db);
}

/* ---- lease and TPM state ---------------------------------------------------------------- */

int store_get_lease(struct store *s, struct store_lease *ret) {
        _cleanup_(stmt_return) sqlite3_stmt *q = s->stmt[Q_GET_LEASE];
        int r = step(s, q, "read the counter lease");

        if (r < 0)
                return r;
        if (r == 0)
                return -ENOENT;
        *ret = (struct store_lease){
                .counter = (uint64_t)sqlite3_column_int64(q, 0),
                .used = (uint32_t)sqlite3_column_int64(q, 1),
                .clean = sqlite3_column_int64(q, 2) != 0,
        };
        return 0;
}

static int bind_lease(sqlite3_stmt *q, const struct store_lease *lease) {
        if (lease->counter > INT64_MAX)
                return -EOVERFLOW;
        bind_int(q, 1, (int64_t)lease->counter);
        bind_int(q, 2, lease->used);
        bind_int(q, 3, lease->clean);
        return 0;
}

int store_set_lease(struct store *s, const struct store_lease *lease) {
        _cleanup_(stmt_return) sqlite3_stmt *q = s->stmt[Q_SET_LEASE];
        int r = bind_lease(q, lease);

        if (r < 0)
                return r;
        return change(s, q, "write the counter lease");
}

int store_raise_counts(struct store *s, int64_t bound, const struct store_lease *lease) {
        _cleanup_(stmt_return) sqlite3_stmt *q = s->stmt[Q_RAISE];
        int r = bind_lease(q, lease);

        if (r < 0)
                return r;
        bind_int(q, 4, bound > 0 ? bound : 0);
        return change(s, q, "raise the signature counters");
}

int store_get_tpm_state(struct store *s, struct tpm_state *ret) {
        _cleanup_(stmt_return) sqlite3_stmt *q = s->stmt[Q_GET_TPM];
        const void *data;
        int len, r;

        r = step(s, q, "read the TPM state");
        if (r < 0)
                return r;
        if (r == 0) {
                ret->phase = TPM_PHASE_NONE;
                ret->len = 0;
                return 0;
        }

        data = sqlite3_column_blob(q, 1);
        len = sqlite3_column_bytes(q, 1);
        if (len < 0 || (size_t)len > sizeof(ret->data))
                return store_file_fail(&s->file, -EUCLEAN, "read the TPM state", "it is too long");
        ret->phase = (enum tpm_phase)sqlite3_column_int(q, 0);
        ret->len = (uint16_t)len;
        if (len > 0)
                memcpy(ret->data, data, (size_t)len);
        return 0;
}

static int put_tpm_state(struct store *s, const struct tpm_state *state, const char *doing) {
        _cleanup_(stmt_return) sqlite3_stmt *q = s->stmt[Q_SET_TPM];

        bind_int(q, 1, state->phase);
        bind_bytes(q, 2, BYTES(state->data, state->len));
        return step(s, q, doing);
}

int store_set_tpm_state(struct store *s, const struct tpm_state *state) {
        int r = put_tpm_state(s, state, "write the TPM state");

        if (r < 0)
                return r;
        s->n_commits++;
        return 0;
}

/* ---- credentials ------------------------------------------------------------------------ */

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

static int column_exactly(sqlite3_stmt *q, int i, uint8_t *to, size_t want) {
        if ((size_t)sqlite3_column_bytes(q, i) != want)
                return -EUCLEAN;
        memcpy(to, sqlite3_column_blob(q, i), want);
        return 0;
}

static int column_secret(sqlite3_stmt *q, int i, struct ctap_secret_blob *ret) {
        return column_bytes(q, i, ret->data, sizeof(ret->data), &ret->len);
}

/* The columns of ROW. The ranges are the schema's; a changed file must not lead past an array. */
static int read_row(struct store *s, sqlite3_stmt *q, struct ctap_row *ret) {
        int r;

        memset(&ret->account_tag, 0, sizeof(ret->account_tag));
        r = column_exactly(q, 0, ret->id.b, sizeof(ret->id.b));
        if (r == 0)
                r = column_exactly(q, 1, ret->rp_tag.b, sizeof(ret->rp_tag.b));
        if (r == 0 && sqlite3_column_type(q, 2) != SQLITE_NULL)
                r = column_exactly(q, 2, ret->account_tag.b, sizeof(ret->account_tag.b));
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
        int r = step(s, q, "look up a credential");

        if (r < 0)
                return r;
        return r == 0 ? -ENOENT : read_row(s, q, ret);
}

int store_find(struct store *s, const struct ctap_credential_id *id, struct ctap_row *ret) {
        _cleanup_(stmt_return) sqlite3_stmt *q = s->stmt[Q_FIND];

        bind_bytes(q, 1, BYTES_OF(*id));
        return one_row(s, q, ret);
}

int store_newest(struct store *s, const struct sha256 *rp_tag, uint8_t max_protect, uint64_t before,
                 struct ctap_row *ret) {
        _cleanup_(stmt_return) sqlite3_stmt *q = s->stmt[Q_NEWEST];

        bind_bytes(q, 1, BYTES_OF(*rp_tag));
        bind_int(q, 2, before < INT64_MAX ? (int64_t)before : INT64_MAX);
        bind_int(q, 3, max_protect);
        return one_row(s, q, ret);
}

int store_count(struct store *s, const struct sha256 *rp_tag, uint8_t max_protect, uint32_t *ret) {
        _cleanup_(stmt_return) sqlite3_stmt *q = s->stmt[Q_COUNT];
        int r;

        bind_bytes(q, 1, BYTES_OF(*rp_tag));
        bind_int(q, 2, max_protect);
        r = step(s, q, "count credentials");
        if (r < 0)
                return r;
        *ret = r == 0 ? 0 : (uint32_t)sqlite3_column_int64(q, 0);
        return 0;
}

static int next_row(struct store *s, uint64_t after, struct ctap_row *ret) {
        _cleanup_(stmt_return) sqlite3_stmt *q = s->stmt[Q_NEXT];

        bind_int(q, 1, (int64_t)after);
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

/* Takes away the credential whose place this one is to take. */
static int replace(struct store *s, const struct ctap_row *row, uint32_t *ret_n) {
        _cleanup_(stmt_return) sqlite3_stmt *q = s->stmt[Q_REPLACE];
        int r;

        if (!(row->flags & CTAP_ROW_DISCOVERABLE)) {
                *ret_n = 0;
                return 0;
        }
        bind_bytes(q, 1, BYTES_OF(row->account_tag));
        r = step(s, q, "replace a credential");
        if (r < 0)
                return r;
        *ret_n = (uint32_t)sqlite3_changes(s->file.db);
        return 0;
}

static void bind_secret(sqlite3_stmt *q, int i, const struct ctap_secret_blob *blob) {
        bind_bytes(q, i, BYTES(blob->data, blob->len));
}

static int add(struct store *s, const struct ctap_row *row, int64_t base) {
        _cleanup_(stmt_return) sqlite3_stmt *q = s->stmt[Q_INSERT];

        bind_bytes(q, 1, BYTES_OF(row->id));
        bind_bytes(q, 2, BYTES_OF(row->rp_tag));
        if (row->flags & CTAP_ROW_DISCOVERABLE)
                bind_bytes(q, 3, BYTES_OF(row->account_tag)); /* else NULL, as cleared */
        bind_int(q, 4, row->alg);
        bind_int(q, 5, row->class);
        bind_int(q, 6, row->cred_protect);
        bind_int(q, 7, row->flags);
        bind_int(q, 8, base);
        bind_int(q, 9, now_seconds());
        bind_bytes(q, 10, BYTES(row->key.data, row->key.len));
        bind_bytes(q, 11, BYTES(row->sealed, row->sealed_len));
        if (row->cred_random.len > 0) {
                bind_secret(q, 12, &row->cred_random);
                bind_secret(q, 13, &row->cred_random_uv);
        }
        return step(s, q, "add a credential");
}

int store_insert(struct store *s, const struct ctap_row *row, int64_t base) {
        static const char doing[] = "add a credential";
        uint32_t n_replaced;
        int r;

        if (!row_is_valid(row, base))
                return -EINVAL;

        r = step_plain(s, Q_BEGIN, doing);
        if (r < 0)
                return r;

        _cleanup_(txn_end) struct store *txn = s;

        r = replace(s, row, &n_replaced);
        if (r < 0)
                return r;
        if (s->n_credentials - n_replaced >= s->max_credentials) {
                store_log(s, LOG_WARNING,
                          "cannot add a credential: all %u are taken; delete some of them",
                          s->max_credentials);
                return -ENOSPC;
        }
        r = add(s, row, base);
        if (r < 0)
                return r;
        r = txn_commit(txn, doing);
        if (r < 0)
                return r;

        s->n_credentials = s->n_credentials - n_replaced + 1;
        if (n_replaced > 0)
                s->residue = true;
        return 0;
}

/* The rowid of a credential and the count last shown. */
static int counter_of(struct store *s, const struct ctap_credential_id *id, int64_t *ret_sequence,
                      uint32_t *ret_count) {
        _cleanup_(stmt_return) sqlite3_stmt *q = s->stmt[Q_COUNTER];
        int r;

        bind_bytes(q, 1, BYTES_OF(*id));
        r = step(s, q, "read a signature counter");
        if (r < 0)
                return r;
        if (r == 0)
                return -ENOENT;
        *ret_sequence = sqlite3_column_int64(q, 0);
        *ret_count = (uint32_t)sqlite3_column_int64(q, 1);
        return 0;
}

static int set_counter(struct store *s, int64_t sequence, uint32_t count) {
        _cleanup_(stmt_return) sqlite3_stmt *q = s->stmt[Q_USE];

        bind_int(q, 1, sequence);
        bind_int(q, 2, count);
        bind_int(q, 3, now_seconds());
        return step(s, q, "raise a signature counter");
}

int store_use(struct store *s, const struct ctap_credential_id *id, uint32_t *ret_count) {
        static const char doing[] = "raise a signature counter";
        int64_t sequence;
        uint32_t count;
        int r;

        r = step_plain(s, Q_BEGIN, doing);
        if (r < 0)
                return r;

        _cleanup_(txn_end) struct store *txn = s;

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
                r = step_plain(s, Q_USE_LEASE, doing);
        if (r == 0)
                r = txn_commit(txn, doing);
        if (r < 0)
                return r;

        *ret_count = count + 1;
        return 0;
}

static bool secret_is_valid(const struct ctap_secret_blob *blob) {
        return blob->len > 0 && blob->len <= sizeof(blob->data);
}

int store_set_cred_random(struct store *s, const struct ctap_credential_id *id,
                          const struct ctap_secret_blob *cred_random,
                          const struct ctap_secret_blob *cred_random_uv) {
        _cleanup_(stmt_return) sqlite3_stmt *q = s->stmt[Q_SET_CRED_RANDOM];
        int64_t sequence;
        uint32_t count;
        int r;

        if (!secret_is_valid(cred_random) || !secret_is_valid(cred_random_uv))
                return -EINVAL;
        bind_bytes(q, 1, BYTES_OF(*id));
        bind_secret(q, 2, cred_random);
        bind_secret(q, 3, cred_random_uv);
        r = step(s, q, "keep the hmac-secret of a credential");
        if (r < 0)
                return r;
        if (sqlite3_changes(s->file.db) > 0) {
                s->n_commits++;
                return 0;
        }
        r = counter_of(s, id, &sequence, &count);
        return r < 0 ? r : -EEXIST;
}

int store_delete(struct store *s, const struct ctap_credential_id *id) {
        _cleanup_(stmt_return) sqlite3_stmt *q = s->stmt[Q_DELETE];
        int r;

        bind_bytes(q, 1, BYTES_OF(*id));
        r = change(s, q, "delete a credential");
        if (r < 0)
                return r;
        if (sqlite3_changes(s->file.db) == 0)
                return -ENOENT;
        s->n_credentials--;

        /* It is deleted; if its traces in the WAL cannot be wiped now, store_settle() tries again. */
        s->residue = true;
        (void)sqlite3_reset(q);
        r = drop_residue(s);
        if (r < 0)
                store_log(
                        s, LOG_WARNING,
                        "the credential is deleted; traces stay in the -wal until the disk works");
        return 0;
}

int store_erase(struct store *s, const struct tpm_state *state) {
        static const char doing[] = "erase the store";
        const struct ctap_settings settings = CTAP_SETTINGS_DEFAULT;
        int r;

        r = step_plain(s, Q_BEGIN, doing);
        if (r < 0)
                return r;

        _cleanup_(txn_end) struct store *txn = s;

        r = store_file_exec(
                &s->file, "DELETE FROM credential; DELETE FROM sqlite_sequence; DELETE FROM lease;",
                doing);
        if (r == 0)
                r = put_tpm_state(s, state, doing);
        if (r == 0)
                r = put_settings(s, &settings, doing);
        if (r == 0)
                r = txn_commit(txn, doing);
        if (r < 0)
                return r;
        s->settings = settings;
        s->n_credentials = 0;
        s->residue = true;

        /* The commit zeroed the pages; the WAL that still has them is cut, the file then shrinks. */
        r = drop_residue(s);
        if (r == 0)
                r = store_file_exec(&s->file, "VACUUM", doing);
        if (r == 0)
                r = drop_residue(s);
        return r;
}
