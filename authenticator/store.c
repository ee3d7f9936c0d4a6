/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * A store on SQLite: see store.h for what it keeps, store-schema.c for the tables, store-query.c for
 * the statements, store-file.c for how the file is opened. Here is everything but the credentials.
 *
 * What is reported is durable: WAL with synchronous=FULL syncs the WAL once per commit. A commit is
 * that one sync, whatever the number of rows; moving pages into the main file is left to
 * store_settle() and to the close. The first commit after the WAL was emptied syncs its new header
 * as well, once in SETTLE_COMMITS.
 *
 * What is erased is gone: secure_delete zeroes it in the main file, and the WAL that may still hold
 * it is cut to nothing at once after an erasure, and at the next store_settle() after a replacement.
 */

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>

#include "authenticator/store-file.h"
#include "authenticator/store-query.h"
#include "authenticator/store-schema.h"
#include "authenticator/store.h"

/* Commits between two checkpoints; about half a megabyte of WAL. */
#define SETTLE_COMMITS 64

/* An empty CBOR array and the first 16 bytes of its SHA-256 (LB9). */
static const uint8_t empty_large_blobs[CTAP_LARGE_BLOBS_EMPTY_SIZE] = {
        0x80, 0x76, 0xbe, 0x8b, 0x52, 0x8d, 0x00, 0x75, 0xf7,
        0xaa, 0xe9, 0x8d, 0x6f, 0xa5, 0x7a, 0x6d, 0x3c,
};

void store_log(struct store *s, int priority, const char *format, ...) {
        va_list ap;

        va_start(ap, format);
        store_file_vlog(&s->file, priority, format, ap);
        va_end(ap);
}

/* ---- settings --------------------------------------------------------------------------- */

static bool settings_are_valid(const struct ctap_settings *p) {
        return p->min_pin_length >= CTAP_MIN_PIN_LENGTH && p->min_pin_length <= 63 &&
               p->uv_retries <= CTAP_UV_RETRIES_MAX &&
               p->n_min_pin_length_rps <= CTAP_MIN_PIN_LENGTH_RPS;
}

/* The ranges are the schema's; a file that was changed by hand may break them. */
static bool read_settings(sqlite3_stmt *q, struct ctap_settings *ret) {
        struct ctap_settings got = {
                .pin_length = (uint8_t)sqlite3_column_int(q, 0),
                .min_pin_length = (uint8_t)sqlite3_column_int(q, 1),
                .force_pin_change = sqlite3_column_int(q, 2) != 0,
                .pin_in_doubt = sqlite3_column_int(q, 3) != 0,
                .uv_retries = (uint8_t)sqlite3_column_int(q, 4),
                .always_uv = sqlite3_column_int(q, 5) != 0,
                .enterprise_attestation = sqlite3_column_int(q, 6) != 0,
                .long_touch_for_reset = sqlite3_column_int(q, 7) != 0,
                .pin_complexity = sqlite3_column_int(q, 8) != 0,
                .persistent_token_epoch = (uint32_t)sqlite3_column_int64(q, 9),
                .pin_is_for_enrolment = sqlite3_column_int(q, 11) != 0,
                .pin_is_complex = sqlite3_column_int(q, 12) != 0,
        };
        const void *rps = sqlite3_column_blob(q, 10);
        size_t len = (size_t)sqlite3_column_bytes(q, 10);

        if (len > sizeof(got.min_pin_length_rps) || len % sizeof(struct sha256) != 0)
                return false;
        got.n_min_pin_length_rps = (uint8_t)(len / sizeof(struct sha256));
        if (len > 0)
                memcpy(got.min_pin_length_rps, rps, len);
        if (!settings_are_valid(&got))
                return false;
        *ret = got;
        return true;
}

static int load_settings(struct store *s) {
        static const char doing[] = "read the settings";
        _cleanup_(store_query_return) sqlite3_stmt *q = s->stmt[Q_GET_SETTINGS];
        int r = store_query_step(s, q, doing);

        if (r < 0)
                return r;
        if (r == 0 || !read_settings(q, &s->settings))
                return store_file_fail(&s->file, -EUCLEAN, doing, "they are missing or damaged");
        return 0;
}

/* As part of a transaction, or one of its own. */
static int put_settings(struct store *s, const struct ctap_settings *p, const char *doing) {
        _cleanup_(store_query_return) sqlite3_stmt *q = s->stmt[Q_SET_SETTINGS];

        store_bind_int(q, 1, p->pin_length);
        store_bind_int(q, 2, p->min_pin_length);
        store_bind_int(q, 3, p->force_pin_change);
        store_bind_int(q, 4, p->pin_in_doubt);
        store_bind_int(q, 5, p->uv_retries);
        store_bind_int(q, 6, p->always_uv);
        store_bind_int(q, 7, p->enterprise_attestation);
        store_bind_int(q, 8, p->long_touch_for_reset);
        store_bind_int(q, 9, p->pin_complexity);
        store_bind_int(q, 10, p->persistent_token_epoch);
        store_bind_bytes(q, 11,
                         BYTES(p->min_pin_length_rps,
                               p->n_min_pin_length_rps * sizeof(struct sha256)));
        store_bind_int(q, 12, p->pin_is_for_enrolment);
        store_bind_int(q, 13, p->pin_is_complex);
        return store_query_step(s, q, doing);
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

/* ---- large blobs ------------------------------------------------------------------------ */

static bool large_blobs_size_is_valid(uint64_t size) {
        return size >= CTAP_LARGE_BLOBS_EMPTY_SIZE && size <= STORE_LARGE_BLOBS_MAX;
}

static int load_large_blobs_size(struct store *s) {
        static const char doing[] = "read the size of the large blobs";
        _cleanup_(store_query_return) sqlite3_stmt *q = s->stmt[Q_GET_LARGE_BLOBS_SIZE];
        int64_t size = 0;
        int r = store_query_step(s, q, doing);

        if (r < 0)
                return r;
        if (r > 0)
                size = sqlite3_column_int64(q, 0);
        if (size < 0 || !large_blobs_size_is_valid((uint64_t)size))
                return store_file_fail(&s->file, -EUCLEAN, doing, "they are missing or damaged");
        s->large_blobs_size = (uint32_t)size;
        return 0;
}

/* As part of a transaction, or one of its own. */
static int put_large_blobs(struct store *s, struct bytes array, const char *doing) {
        _cleanup_(store_query_return) sqlite3_stmt *q = s->stmt[Q_SET_LARGE_BLOBS];

        store_bind_bytes(q, 1, array);
        return store_query_step(s, q, doing);
}

uint32_t store_large_blobs_size(const struct store *s) {
        return s->large_blobs_size;
}

static void blob_close(sqlite3_blob **blob) {
        (void)sqlite3_blob_close(*blob);
}

int store_large_blobs_read(struct store *s, uint32_t offset, uint32_t n, struct buf *out) {
        static const char doing[] = "read the large blobs";
        _cleanup_(blob_close) sqlite3_blob *blob = NULL;
        int rc;

        if (offset > s->large_blobs_size || n > s->large_blobs_size - offset)
                return -EINVAL;
        if (out->failed || n > out->cap - out->len) {
                out->failed = true;
                return -EMSGSIZE;
        }

        rc = sqlite3_blob_open(s->file.db, "main", "large_blobs", "array", 1, 0, &blob);
        if (rc == SQLITE_OK)
                rc = sqlite3_blob_read(blob, out->data + out->len, (int)n, (int)offset);
        if (rc != SQLITE_OK)
                return store_file_fail_sqlite(&s->file, rc, doing);
        out->len += n;
        return 0;
}

int store_large_blobs_write(struct store *s, struct bytes array) {
        int r;

        if (!large_blobs_size_is_valid(array.len))
                return -EINVAL;
        r = put_large_blobs(s, array, "write the large blobs");
        if (r < 0)
                return r;
        s->n_commits++;
        s->residue = true;
        s->large_blobs_size = (uint32_t)array.len;
        return 0;
}

/* ---- opening ---------------------------------------------------------------------------- */

static int open_steps(struct store *s, const struct store_options *options) {
        int r, rc, version;
        int64_t n;

        r = store_file_open(&s->file, options, &version);
        if (r < 0)
                return r;
        rc = store_migrate(s->file.db, &store_schema, version);
        if (rc != SQLITE_OK)
                return store_file_fail_sqlite(&s->file, rc,
                                              "bring the store to the present format");
        r = store_queries_prepare(s);
        if (r == 0)
                r = load_settings(s);
        if (r == 0)
                r = load_large_blobs_size(s);
        if (r == 0)
                r = store_load_discoverable(s);
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
        s->changed = options->changed;
        s->changed_userdata = options->changed_userdata;
        r = open_steps(s, options);
        if (r < 0)
                return r;

        *ret = TAKE_PTR(s);
        return 0;
}

struct store *store_close(struct store *s) {
        if (!s)
                return NULL;
        store_queries_finalize(s);
        store_file_close(&s->file);
        free(s);
        return NULL;
}

/* ---- housekeeping ----------------------------------------------------------------------- */

static int checkpoint(struct store *s, int mode, const char *doing) {
        int rc = sqlite3_wal_checkpoint_v2(s->file.db, "main", mode, NULL, NULL);

        if (rc != SQLITE_OK)
                return store_file_fail_sqlite(&s->file, rc, doing);
        s->n_commits = 0;
        return 0;
}

int store_drop_residue(struct store *s) {
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
                (void)store_drop_residue(s);
        else if (s->n_commits >= SETTLE_COMMITS)
                (void)checkpoint(s, SQLITE_CHECKPOINT_PASSIVE, "move commits into the main file");
        (void)sqlite3_db_release_memory(s->file.db);
}

/* ---- lease and TPM state ---------------------------------------------------------------- */

int store_get_lease(struct store *s, struct store_lease *ret) {
        _cleanup_(store_query_return) sqlite3_stmt *q = s->stmt[Q_GET_LEASE];
        int r = store_query_step(s, q, "read the counter lease");

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
        store_bind_int(q, 1, (int64_t)lease->counter);
        store_bind_int(q, 2, lease->used);
        store_bind_int(q, 3, lease->clean);
        return 0;
}

int store_set_lease(struct store *s, const struct store_lease *lease) {
        _cleanup_(store_query_return) sqlite3_stmt *q = s->stmt[Q_SET_LEASE];
        int r = bind_lease(q, lease);

        if (r < 0)
                return r;
        return store_query_commit(s, q, "write the counter lease");
}

int store_raise_counts(struct store *s, int64_t bound, const struct store_lease *lease) {
        _cleanup_(store_query_return) sqlite3_stmt *q = s->stmt[Q_RAISE];
        int r = bind_lease(q, lease);

        if (r < 0)
                return r;
        store_bind_int(q, 4, bound > 0 ? bound : 0);
        return store_query_commit(s, q, "raise the signature counters");
}

int store_get_tpm_state(struct store *s, struct tpm_state *ret) {
        _cleanup_(store_query_return) sqlite3_stmt *q = s->stmt[Q_GET_TPM];
        const void *data;
        int len, r;

        r = store_query_step(s, q, "read the TPM state");
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
        _cleanup_(store_query_return) sqlite3_stmt *q = s->stmt[Q_SET_TPM];

        store_bind_int(q, 1, state->phase);
        store_bind_bytes(q, 2, BYTES(state->data, state->len));
        return store_query_step(s, q, doing);
}

int store_set_tpm_state(struct store *s, const struct tpm_state *state) {
        int r = put_tpm_state(s, state, "write the TPM state");

        if (r < 0)
                return r;
        s->n_commits++;
        return 0;
}

/* ---- the spare key ----------------------------------------------------------------------- */

int store_get_spare(struct store *s, struct store_spare *ret) {
        static const char doing[] = "read the spare key";
        _cleanup_(store_query_return) sqlite3_stmt *q = s->stmt[Q_GET_SPARE];
        int r = store_query_step(s, q, doing), len;

        if (r < 0)
                return r;
        if (r == 0)
                return -ENOENT;

        ret->key.len = 0;
        len = sqlite3_column_bytes(q, 0);
        if (len == 0)
                return 0;
        if ((size_t)len > sizeof(ret->key.data) ||
            store_column_exactly(q, 1, ret->tag.b, sizeof(ret->tag.b)) < 0)
                return store_file_fail(&s->file, -EUCLEAN, doing, "a field has a wrong length");
        memcpy(ret->key.data, sqlite3_column_blob(q, 0), (size_t)len);
        ret->key.len = (uint16_t)len;
        return 0;
}

int store_set_spare(struct store *s, const struct store_spare *spare) {
        _cleanup_(store_query_return) sqlite3_stmt *q = s->stmt[Q_SET_SPARE];

        if (spare->key.len > sizeof(spare->key.data))
                return -EINVAL;
        if (spare->key.len > 0) { /* else both are NULL, as cleared */
                store_bind_bytes(q, 1, BYTES(spare->key.data, spare->key.len));
                store_bind_bytes(q, 2, BYTES_OF(spare->tag));
        }
        return store_query_commit(s, q, "write the spare key");
}

/* ---- erasing ----------------------------------------------------------------------------- */

/* In the transaction of its caller; what is in memory is then not yet so. */
static int erase_tables(struct store *s, const struct tpm_state *state, const char *doing,
                        struct store_discoverable *ret) {
        const struct ctap_settings settings = CTAP_SETTINGS_DEFAULT;
        int r = store_file_exec(&s->file,
                                "DELETE FROM credential; DELETE FROM sqlite_sequence;"
                                "DELETE FROM lease; DELETE FROM spare_key; DELETE FROM event;"
                                "UPDATE discoverable SET n_rps = 0, n_credentials = 0;",
                                doing);

        if (r == 0)
                r = store_put_discoverable(s, 0, 0, doing, ret);
        if (r == 0)
                r = put_tpm_state(s, state, doing);
        if (r == 0)
                r = put_settings(s, &settings, doing);
        if (r == 0)
                r = put_large_blobs(s, BYTES_OF(empty_large_blobs), doing);
        return r;
}

int store_erase(struct store *s, const struct tpm_state *state) {
        static const char doing[] = "erase the store";
        struct store_discoverable none;
        int r;

        r = store_query_run(s, Q_BEGIN, doing);
        if (r < 0)
                return r;

        _cleanup_(store_txn_end) struct store *txn = s;

        r = erase_tables(s, state, doing, &none);
        if (r == 0)
                r = store_txn_commit(txn, doing);
        if (r < 0)
                return r;
        s->settings = CTAP_SETTINGS_DEFAULT;
        s->large_blobs_size = sizeof(empty_large_blobs);
        s->discoverable = none;
        s->n_credentials = 0;
        s->residue = true;
        store_tell(s, STORE_ERASED, NULL, NULL);

        /* The commit zeroed the pages; the WAL that still has them is cut, the file then shrinks. */
        r = store_drop_residue(s);
        if (r == 0)
                r = store_file_exec(&s->file, "VACUUM", doing);
        if (r == 0)
                r = store_drop_residue(s);
        return r;
}
