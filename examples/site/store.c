/* SPDX-License-Identifier: BSD-2-Clause */

/* The database's file, its tables, and its statements: see store.h. */

#include "examples/site/store.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "examples/site/store-internal.h"

#define VERSION      1
#define BUSY_TIMEOUT 2000 /* ms */

static const char schema[] =
        "CREATE TABLE account ("
        "  id INTEGER PRIMARY KEY,"
        "  handle BLOB NOT NULL UNIQUE,"
        "  name TEXT NOT NULL UNIQUE"
        ") STRICT;"
        "CREATE TABLE credential ("
        "  id BLOB NOT NULL PRIMARY KEY,"
        "  account INTEGER NOT NULL REFERENCES account ON DELETE CASCADE,"
        "  public_key BLOB NOT NULL,"
        "  counter INTEGER NOT NULL,"
        "  aaguid BLOB NOT NULL,"
        "  transports TEXT NOT NULL,"
        "  attestation TEXT NOT NULL,"
        "  is_trusted INTEGER NOT NULL,"
        "  is_backup_eligible INTEGER NOT NULL,"
        "  is_marked INTEGER NOT NULL DEFAULT 0,"
        "  created INTEGER NOT NULL,"
        "  used INTEGER NOT NULL,"
        "  note BLOB NOT NULL DEFAULT x''"
        ") STRICT;"
        "CREATE INDEX credential_account ON credential (account);"
        "CREATE TABLE session ("
        "  id INTEGER PRIMARY KEY,"
        "  token BLOB NOT NULL UNIQUE," /* its SHA-256: a thief cannot use it */
        "  account INTEGER REFERENCES account ON DELETE SET NULL,"
        "  created INTEGER NOT NULL"
        ") STRICT;"
        "CREATE TABLE challenge ("
        "  value BLOB NOT NULL PRIMARY KEY,"
        "  session INTEGER NOT NULL REFERENCES session ON DELETE CASCADE,"
        "  created INTEGER NOT NULL,"
        "  is_used INTEGER NOT NULL DEFAULT 0,"
        "  is_registration INTEGER NOT NULL,"
        "  needs_verification INTEGER NOT NULL,"
        "  algorithms BLOB NOT NULL,"
        "  account INTEGER,"
        "  handle BLOB,"
        "  name TEXT"
        ") STRICT;"
        "CREATE INDEX challenge_session ON challenge (session);"
        "PRAGMA user_version = 1;";

static int fail(const struct store *s, int rc, const char *doing) {
        if (rc == SQLITE_CONSTRAINT_FOREIGNKEY)
                return -ENOENT;
        if ((rc & 0xff) == SQLITE_CONSTRAINT)
                return -EEXIST;
        fprintf(stderr, "site: %s: %s\n", doing,
                s->db ? sqlite3_errmsg(s->db) : sqlite3_errstr(rc));
        return rc == SQLITE_NOMEM ? -ENOMEM : -EIO;
}

static int execute(struct store *s, const char *sql) {
        int rc = sqlite3_exec(s->db, sql, NULL, NULL, NULL);

        return rc == SQLITE_OK ? 0 : fail(s, rc, sql);
}

int store_prepare(struct store *s, const char *sql, sqlite3_stmt **ret) {
        int rc = sqlite3_prepare_v2(s->db, sql, -1, ret, NULL);

        return rc == SQLITE_OK ? 0 : fail(s, rc, sql);
}

/* What could not be bound is NULL, which no column takes: the statement fails. */
void store_bind_bytes(sqlite3_stmt *statement, int at, struct slice bytes) {
        (void)sqlite3_bind_blob64(statement, at, bytes.len > 0 ? (const void *)bytes.data : "",
                                  bytes.len, SQLITE_TRANSIENT);
}

void store_bind_text(sqlite3_stmt *statement, int at, const char *text) {
        (void)sqlite3_bind_text(statement, at, text, -1, SQLITE_TRANSIENT);
}

int store_step(struct store *s, sqlite3_stmt *statement) {
        int rc = sqlite3_step(statement);

        return rc == SQLITE_ROW ? 1 : rc == SQLITE_DONE ? 0 : fail(s, rc, sqlite3_sql(statement));
}

int store_run(struct store *s, sqlite3_stmt *statement) {
        int r = store_step(s, statement);

        return r > 0 ? 0 : r;
}

bool store_read_bytes(sqlite3_stmt *statement, int at, uint8_t *to, size_t max, size_t *ret_len) {
        const void *bytes = sqlite3_column_blob(statement, at);
        size_t len = (size_t)sqlite3_column_bytes(statement, at);

        if (len > max)
                return false;
        if (len > 0)
                memcpy(to, bytes, len);
        *ret_len = len;
        return true;
}

bool store_read_exactly(sqlite3_stmt *statement, int at, uint8_t *to, size_t len) {
        size_t n;

        return store_read_bytes(statement, at, to, len, &n) && n == len;
}

bool store_read_text(sqlite3_stmt *statement, int at, char *to, size_t size) {
        const char *text = (const char *)sqlite3_column_text(statement, at);

        if (!text || strlen(text) >= size)
                return false;
        memcpy(to, text, strlen(text) + 1);
        return true;
}

bool store_read_account(sqlite3_stmt *statement, int at, struct account *ret) {
        *ret = (struct account){ 0 };
        if (sqlite3_column_type(statement, at + 1) == SQLITE_NULL)
                return true;
        ret->id = sqlite3_column_int64(statement, at);
        return store_read_exactly(statement, at + 1, ret->handle, HANDLE_LEN) &&
               store_read_text(statement, at + 2, ret->name, sizeof(ret->name));
}

int store_begin(struct store *s) {
        return execute(s, "BEGIN IMMEDIATE");
}

int store_end(struct store *s, int r) {
        if (r == 0)
                r = execute(s, "COMMIT");
        if (r < 0 && !sqlite3_get_autocommit(s->db))
                (void)sqlite3_exec(s->db, "ROLLBACK", NULL, NULL, NULL);
        return r;
}

static int read_version(struct store *s, int *ret) {
        _cleanup_(free_statement) sqlite3_stmt *q = NULL;
        int r = store_prepare(s, "PRAGMA user_version", &q);

        if (r == 0)
                r = store_step(s, q);
        if (r < 0)
                return r;
        *ret = sqlite3_column_int(q, 0);
        return 0;
}

static int open_file(struct store *s, const char *path) {
        int rc = sqlite3_open_v2(path, &s->db,
                                 SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX |
                                         SQLITE_OPEN_EXRESCODE,
                                 NULL);

        if (rc != SQLITE_OK)
                return fail(s, rc, path);
        (void)sqlite3_busy_timeout(s->db, BUSY_TIMEOUT);
        return execute(s, "PRAGMA foreign_keys = ON");
}

int store_forget_challenges(struct store *s) {
        return execute(s, "DELETE FROM challenge");
}

static int make_tables(struct store *s) {
        int version = 0, r;

        r = read_version(s, &version);
        if (r < 0)
                return r;
        if (version == VERSION)
                return 0;
        if (version != 0)
                return -EPROTO;
        r = store_begin(s);
        if (r < 0)
                return r;
        return store_end(s, execute(s, schema));
}

int store_open(const char *path, struct store **ret) {
        _cleanup_(store_close) struct store *s = calloc(1, sizeof(*s));
        int r;

        if (!s)
                return -ENOMEM;
        r = open_file(s, path);
        if (r == 0)
                r = make_tables(s);
        /* In a restored copy of the file, challenges may be open that were answered since. */
        if (r == 0)
                r = store_forget_challenges(s);
        if (r == 0)
                *ret = TAKE_PTR(s);
        return r;
}

void store_close(struct store **s) {
        if (!*s)
                return;
        (void)sqlite3_close((*s)->db);
        free(*s);
        *s = NULL;
}
