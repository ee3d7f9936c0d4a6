/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/*
 * The statements of a store, prepared once and kept with it, and what runs them. Only store.c,
 * store-credential.c and store-event.c include this.
 */

#include <sqlite3.h>
#include <stdbool.h>
#include <stdint.h>

#include "authenticator/store-file.h"
#include "authenticator/store.h"
#include "ctap/bytes.h"
#include "ctap/env.h"
#include "ctap/macro.h"

enum store_query {
        Q_BEGIN,
        Q_COMMIT,
        Q_ROLLBACK,
        Q_FIND,
        Q_NEWEST,
        Q_NEXT,
        Q_NEXT_RP,
        Q_HAS_RP,
        Q_REPLACE,
        Q_INSERT,
        Q_UPDATE,
        Q_COUNTER,
        Q_USE,
        Q_USE_LEASE,
        Q_SET_CRED_RANDOM,
        Q_DELETE,
        Q_GET_DISCOVERABLE,
        Q_SET_DISCOVERABLE,
        Q_GET_LEASE,
        Q_SET_LEASE,
        Q_RAISE,
        Q_GET_TPM,
        Q_SET_TPM,
        Q_GET_SPARE,
        Q_SET_SPARE,
        Q_GET_SETTINGS,
        Q_SET_SETTINGS,
        Q_GET_LARGE_BLOBS_SIZE,
        Q_SET_LARGE_BLOBS,
        Q_ADD_EVENT,
        Q_TRIM_EVENTS,
        Q_NEXT_EVENT,
        _QUERIES,
};

/* Of the discoverable credentials together. */
struct store_discoverable {
        uint32_t n_rps, n_credentials;
        struct ctap_store_state state;
};

/* What is in memory of the tables is what was committed last. */
struct store {
        struct store_file file;
        sqlite3_stmt *stmt[_QUERIES];
        uint32_t max_credentials;
        uint32_t n_credentials; /* counted when opened, then kept with every commit */
        unsigned n_commits;     /* since the last checkpoint */
        bool residue;           /* the WAL may hold what was deleted */
        struct store_discoverable discoverable;
        struct ctap_settings settings;
        uint32_t large_blobs_size;
        store_changed_fn *changed;
        void *changed_userdata;
};

_must_check_ int store_queries_prepare(struct store *s);
void store_queries_finalize(struct store *s);

/* A statement of a store goes back as it was found when the scope ends. */
void store_query_return(sqlite3_stmt **q);
/* Numbers, and bytes that are borrowed until the statement goes back. */
void store_bind_int(sqlite3_stmt *q, int i, int64_t v);
void store_bind_bytes(sqlite3_stmt *q, int i, struct bytes b);
/* A column of exactly so many bytes. -EUCLEAN: it has more or fewer. */
_must_check_ int store_column_exactly(sqlite3_stmt *q, int i, uint8_t *to, size_t want);

/* 1: there is a row; 0: done; or a negative errno, which was told in the log. */
_must_check_ int store_query_step(struct store *s, sqlite3_stmt *q, const char *doing);
/* A statement that takes and gives nothing. */
_must_check_ int store_query_run(struct store *s, enum store_query which, const char *doing);
/* One statement that gives no row, as a transaction of its own. */
_must_check_ int store_query_commit(struct store *s, sqlite3_stmt *q, const char *doing);

/* A transaction that is still open when its scope ends is rolled back. */
void store_txn_end(struct store **s);
/* The statements that changed something have gone back. */
_must_check_ int store_txn_commit(struct store *s, const char *doing);

/*
 * Moves everything into the main file and cuts the WAL to nothing. What fails is told in the log, and
 * store_settle() tries again.
 */
int store_drop_residue(struct store *s);

static inline void store_tell(const struct store *s, enum store_change change,
                              const struct ctap_credential_id *id, const struct ctap_row *row) {
        if (s->changed)
                s->changed(s->changed_userdata, change, id, row);
}

/* Of store-credential.c: what is read when opening, and what every change of one brings with it. */
_must_check_ int store_load_discoverable(struct store *s);
/*
 * As part of a transaction: counts what was added or taken away, and takes a new state, all for when
 * it is committed.
 */
_must_check_ int store_put_discoverable(struct store *s, int rps, int credentials,
                                        const char *doing, struct store_discoverable *ret);
