/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/*
 * The tables of a store and how an older file becomes a present one. Only store.c, store-file.c and
 * their test include this.
 */

#include <sqlite3.h>
#include <stddef.h>

#include "ctap/macro.h"

/* "tpma", in the header of the file: what file(1) and a foreign daemon see. */
#define STORE_APPLICATION_ID 0x74706d61

/* One step, inside a transaction that its caller holds. Returns an SQLite result code. */
typedef int store_step_fn(sqlite3 *db);

/* steps[v] brings a file of version v to version v + 1; an empty file has version 0. */
struct store_schema {
        store_step_fn *const *steps;
        int version; /* the number of steps: the version they lead to */
};

extern const struct store_schema store_schema;

/*
 * Brings the file from user_version `from` to schema->version, each step in its own transaction, so
 * that a failure leaves a file of some version, never one between. Returns an SQLite result code.
 */
_must_check_ int store_migrate(sqlite3 *db, const struct store_schema *schema, int from);
