/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* What the files of the store share: statements, always prepared, and transactions. */

#include <sqlite3.h>

#include "examples/site/store.h"

struct store {
        sqlite3 *db;
};

/* Ends itself; NULL is none. */
static inline void free_statement(sqlite3_stmt **statement) {
        sqlite3_finalize(*statement);
}

_must_check_ int store_prepare(struct store *s, const char *sql, sqlite3_stmt **ret);
void store_bind_bytes(sqlite3_stmt *statement, int at, struct slice bytes);
void store_bind_text(sqlite3_stmt *statement, int at, const char *text);
/* 1: there is a row; 0: there is none (any more). */
_must_check_ int store_step(struct store *s, sqlite3_stmt *statement);
/* Of a statement that has no rows. */
_must_check_ int store_run(struct store *s, sqlite3_stmt *statement);

/* A column of at most, or of exactly, so many bytes; false: what lies there is not ours. */
_must_check_ bool store_read_bytes(sqlite3_stmt *statement, int at, uint8_t *to, size_t max,
                                   size_t *ret_len);
_must_check_ bool store_read_exactly(sqlite3_stmt *statement, int at, uint8_t *to, size_t len);
_must_check_ bool store_read_text(sqlite3_stmt *statement, int at, char *to, size_t size);

/* Three columns; NULL in the first is nobody. */
_must_check_ bool store_read_account(sqlite3_stmt *statement, int at, struct account *ret);

_must_check_ int store_begin(struct store *s);
/* Commits if r is 0 and rolls back otherwise; returns r, or why it could not commit. */
_must_check_ int store_end(struct store *s, int r);
