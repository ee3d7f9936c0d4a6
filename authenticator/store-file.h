/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/*
 * The file of a store: found or made, known to be ours, locked, in WAL mode; and the names of what
 * can go wrong with it. Only store.c and store-aside.c
 * include this.
 */

#include <sqlite3.h>
#include <stdarg.h>
#include <stdint.h>

#include "authenticator/store.h"
#include "ctap/macro.h"

struct store_file {
        char *path;
        store_log_fn *log;
        void *userdata;
        sqlite3 *db;
};

/* Gives the version of the tables, 0 if there are none yet. On failure nothing needs closing. */
_must_check_ int store_file_open(struct store_file *f, const struct store_options *options,
                                 int *ret_version);
/* All statements are finalized by now. */
void store_file_close(struct store_file *f);

_printf_(3, 0) void store_file_vlog(const struct store_file *f, int priority, const char *format,
                                    va_list ap);
/* Logs once what could not be done, why, and what to do about it. Returns r. */
int store_file_fail(const struct store_file *f, int r, const char *doing, const char *why);
/* The same for an errno. */
int store_file_fail_system(const struct store_file *f, int e, const char *doing);
/* The same for an SQLite result code, which it turns into one of the errors of store.h. */
int store_file_fail_sqlite(const struct store_file *f, int rc, const char *doing);

/* What was created or renamed beside the file survives a power failure after this. */
_must_check_ int store_file_sync_folder(const struct store_file *f);

/* Runs statements that give no rows. */
_must_check_ int store_file_exec(const struct store_file *f, const char *sql, const char *doing);
/* The one number that a query gives. */
_must_check_ int store_file_ask(const struct store_file *f, const char *sql, const char *doing,
                                int64_t *ret);
