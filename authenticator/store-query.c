/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The SQL of a store in one table, and the few ways to run it: see store-query.h. The tables are
 * those of store-schema.c.
 */

#include <assert.h>
#include <errno.h>
#include <string.h>

#include "authenticator/store-query.h"

/* The signature counter last shown, or what the last lease raised it to (store-schema.c). */
#define COUNT_NOW "min(max(count, base + ifnull((SELECT raised FROM lease), 0)), 4294967295)"

#define ROW                                                                           \
        "SELECT id, rp_tag, account_tag, alg, class, cred_protect, flags, " COUNT_NOW \
        ", sequence, created, last_used, key, sealed, cred_random, cred_random_uv FROM credential "

#define TEXT_OF(x)  #x
#define TEXT(x)     TEXT_OF(x)
#define EVENTS_TEXT TEXT(STORE_EVENTS)

static const char *const queries[_QUERIES] = {
        [Q_BEGIN] = "BEGIN IMMEDIATE",
        [Q_COMMIT] = "COMMIT",
        [Q_ROLLBACK] = "ROLLBACK",
        [Q_FIND] = ROW "WHERE id = ?1",
        [Q_NEWEST] = ROW "WHERE rp_tag = ?1 AND account_tag IS NOT NULL AND sequence < ?2"
                         " AND cred_protect <= ?3 ORDER BY sequence DESC LIMIT 1",
        [Q_NEXT] = ROW "WHERE sequence > ?1 ORDER BY sequence LIMIT 1",
        [Q_NEXT_RP] = ROW "WHERE account_tag IS NOT NULL AND rp_tag > ?1"
                          " ORDER BY rp_tag, sequence LIMIT 1",
        [Q_HAS_RP] = "SELECT 1 FROM credential WHERE rp_tag = ?1 AND account_tag IS NOT NULL"
                     " LIMIT 1",
        [Q_REPLACE] = "DELETE FROM credential WHERE account_tag = ?1 AND rp_tag = ?2",
        [Q_INSERT] = "INSERT INTO credential (id, rp_tag, account_tag, alg, class, cred_protect,"
                     " flags, count, base, created, last_used, key, sealed, cred_random,"
                     " cred_random_uv)"
                     " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, 0, ?8, ?9, 0, ?10, ?11, ?12, ?13)",
        [Q_UPDATE] = "UPDATE credential SET sealed = ?2 WHERE id = ?1"
                     " RETURNING account_tag IS NOT NULL",
        [Q_COUNTER] = "SELECT sequence, " COUNT_NOW " FROM credential WHERE id = ?1",
        [Q_USE] = "UPDATE credential SET count = ?2, last_used = ?3 WHERE sequence = ?1",
        [Q_USE_LEASE] = "UPDATE lease SET used = used + 1",
        [Q_DELETE] = "DELETE FROM credential WHERE id = ?1"
                     " RETURNING account_tag IS NOT NULL, rp_tag",
        [Q_GET_DISCOVERABLE] = "SELECT n_rps, n_credentials, state FROM discoverable",
        [Q_SET_DISCOVERABLE] = "UPDATE discoverable SET n_rps = n_rps + ?1,"
                               " n_credentials = n_credentials + ?2, state = randomblob(16)"
                               " RETURNING n_rps, n_credentials, state",
        [Q_GET_LEASE] = "SELECT counter, used, clean FROM lease",
        [Q_SET_LEASE] = "INSERT INTO lease (one, counter, used, clean, raised)"
                        " VALUES (1, ?1, ?2, ?3, 0) ON CONFLICT (one) DO UPDATE"
                        " SET counter = ?1, used = ?2, clean = ?3",
        [Q_RAISE] = "INSERT INTO lease (one, counter, used, clean, raised)"
                    " VALUES (1, ?1, ?2, ?3, ?4) ON CONFLICT (one) DO UPDATE"
                    " SET counter = ?1, used = ?2, clean = ?3, raised = max(raised, ?4)",
        [Q_GET_TPM] = "SELECT phase, state FROM tpm",
        [Q_SET_TPM] = "INSERT OR REPLACE INTO tpm (one, phase, state) VALUES (1, ?1, ?2)",
        [Q_GET_SPARE] = "SELECT key, tag FROM spare_key",
        [Q_SET_SPARE] = "INSERT OR REPLACE INTO spare_key (one, key, tag) VALUES (1, ?1, ?2)",
        [Q_SET_CRED_RANDOM] = "UPDATE credential SET cred_random = ?2, cred_random_uv = ?3"
                              " WHERE id = ?1 AND cred_random IS NULL AND cred_random_uv IS NULL",
        [Q_GET_SETTINGS] =
                "SELECT pin_length, min_pin_length, force_pin_change, pin_in_doubt,"
                " uv_retries, always_uv, enterprise_attestation,"
                " long_touch_for_reset, pin_complexity, persistent_token_epoch,"
                " min_pin_length_rps, pin_is_for_enrolment, pin_is_complex FROM settings",
        [Q_SET_SETTINGS] = "INSERT OR REPLACE INTO settings (one, pin_length, min_pin_length,"
                           " force_pin_change, pin_in_doubt, uv_retries, always_uv,"
                           " enterprise_attestation, long_touch_for_reset, pin_complexity,"
                           " persistent_token_epoch, min_pin_length_rps,"
                           " pin_is_for_enrolment, pin_is_complex)"
                           " VALUES (1, ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)",
        [Q_GET_LARGE_BLOBS_SIZE] = "SELECT length(array) FROM large_blobs",
        [Q_SET_LARGE_BLOBS] = "UPDATE large_blobs SET array = ?1",
        [Q_ADD_EVENT] = "INSERT INTO event (sealed) VALUES (?1)",
        [Q_TRIM_EVENTS] = "DELETE FROM event WHERE sequence <="
                          " (SELECT max(sequence) FROM event) - " EVENTS_TEXT,
        [Q_NEXT_EVENT] = "SELECT sequence, sealed FROM event WHERE sequence < ?1"
                         " ORDER BY sequence DESC LIMIT 1",
};

int store_queries_prepare(struct store *s) {
        for (size_t i = 0; i < _QUERIES; i++) {
                int rc = sqlite3_prepare_v3(s->file.db, queries[i], -1, SQLITE_PREPARE_PERSISTENT,
                                            &s->stmt[i], NULL);

                if (rc != SQLITE_OK)
                        return store_file_fail_sqlite(&s->file, rc, "read the tables of the store");
        }
        return 0;
}

void store_queries_finalize(struct store *s) {
        for (size_t i = 0; i < _QUERIES; i++)
                (void)sqlite3_finalize(s->stmt[i]);
}

void store_query_return(sqlite3_stmt **q) {
        (void)sqlite3_reset(*q); /* repeats the failure that store_query_step() has told */
        (void)sqlite3_clear_bindings(*q);
}

/* Binding a number or borrowed bytes cannot fail but for a mistake in these files. */
void store_bind_int(sqlite3_stmt *q, int i, int64_t v) {
        int rc = sqlite3_bind_int64(q, i, v);

        assert(rc == SQLITE_OK);
}

void store_bind_bytes(sqlite3_stmt *q, int i, struct bytes b) {
        int rc = sqlite3_bind_blob64(q, i, b.data, b.len, SQLITE_STATIC);

        assert(rc == SQLITE_OK);
}

int store_column_exactly(sqlite3_stmt *q, int i, uint8_t *to, size_t want) {
        if ((size_t)sqlite3_column_bytes(q, i) != want)
                return -EUCLEAN;
        memcpy(to, sqlite3_column_blob(q, i), want);
        return 0;
}

int store_query_step(struct store *s, sqlite3_stmt *q, const char *doing) {
        int rc = sqlite3_step(q);

        if (rc == SQLITE_ROW)
                return 1;
        if (rc == SQLITE_DONE)
                return 0;
        return store_file_fail_sqlite(&s->file, rc, doing);
}

int store_query_run(struct store *s, enum store_query which, const char *doing) {
        _cleanup_(store_query_return) sqlite3_stmt *q = s->stmt[which];

        return store_query_step(s, q, doing);
}

int store_query_commit(struct store *s, sqlite3_stmt *q, const char *doing) {
        int r = store_query_step(s, q, doing);

        if (r < 0)
                return r;
        s->n_commits++;
        return 0;
}

void store_txn_end(struct store **s) {
        if (*s && !sqlite3_get_autocommit((*s)->file.db)) {
                _cleanup_(store_query_return) sqlite3_stmt *q = (*s)->stmt[Q_ROLLBACK];

                (void)sqlite3_step(q); /* the failure that led here has been told */
        }
}

int store_txn_commit(struct store *s, const char *doing) {
        int r = store_query_run(s, Q_COMMIT, doing);

        if (r < 0)
                return r;
        s->n_commits++;
        return 0;
}
