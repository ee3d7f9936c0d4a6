/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The schema of a store as the history of how it came about: an array of steps, index = version.
 * A step that was released is never edited; a change is a new step at the end. The version is kept
 * in user_version, which SQLite changes in the same transaction as the tables.
 *
 * credential: rows of 500 to 900 bytes, five to a page. `sequence` is the rowid, so that rows lie in
 * the order of creation and an insertion appends; AUTOINCREMENT keeps the number of a deleted
 * credential from coming back. A row is reached by its id (unique index) or by its RP, newest first
 * (partial index, which also holds cred_protect so that counting reads no row). account_tag is NULL
 * unless discoverable: one per RP and account. No index holds what a signature changes: that writes
 * one page of credential and the one page of lease.
 *
 * lease: `raised` stands in for a write to every row: the count of a credential is the greater of
 * `count` and base + raised, so that raising 100,000 counts costs one page. base is never above 0 and
 * raised never below, so that their sum cannot overflow.
 *
 * cred_random, cred_random_uv (from version 2): both or none. Most credentials have none, and then a
 * row is as long as before; with them it still fits its page many times over, so that a signature
 * writes no page more.
 *
 * discoverable (from version 3): what would take a walk over an index to find out, kept with every
 * change, and the state that such a change renews. SQLite's own generator makes it, seeded by the
 * system: it is no secret, it must only never be one that was before.
 *
 * large_blobs (from version 3): the array as clients see it. One row is replaced as a whole, by
 * SQLite's atomic commit; a fragment of it is read without the rest.
 *
 * spare_key (from version 4): no row until a site first asks for what a spare key is good for.
 *
 * event (from version 5): the newest STORE_EVENTS of them, sealed above the store. The sequence goes on
 * from the newest, which is never the one that is dropped.
 *
 * pin_is_complex (from version 7): of a PIN of before nobody knows it.
 */

#include <stdio.h>

#include "authenticator/store-schema.h"

static int from_0(sqlite3 *db) {
        return sqlite3_exec(
                db,
                "CREATE TABLE credential ("
                "  sequence INTEGER PRIMARY KEY AUTOINCREMENT,"
                "  id BLOB NOT NULL CHECK (length(id) = 48),"
                "  rp_tag BLOB NOT NULL CHECK (length(rp_tag) = 32),"
                "  account_tag BLOB CHECK (length(account_tag) = 32),"
                "  alg INTEGER NOT NULL CHECK (alg BETWEEN -2147483648 AND 2147483647),"
                "  class INTEGER NOT NULL CHECK (class BETWEEN 1 AND 2),"
                "  cred_protect INTEGER NOT NULL CHECK (cred_protect BETWEEN 1 AND 3),"
                "  flags INTEGER NOT NULL CHECK (flags BETWEEN 0 AND 4294967295),"
                "  count INTEGER NOT NULL CHECK (count BETWEEN 0 AND 4294967295),"
                "  base INTEGER NOT NULL CHECK (base <= 0),"
                "  created INTEGER NOT NULL,"
                "  last_used INTEGER NOT NULL,"
                "  key BLOB NOT NULL CHECK (length(key) <= 2048),"
                "  sealed BLOB NOT NULL CHECK (length(sealed) <= 1024),"
                "  CHECK ((flags & 1) = (account_tag IS NOT NULL))"
                ") STRICT;"
                "CREATE UNIQUE INDEX credential_by_id ON credential (id);"
                "CREATE INDEX credential_by_rp ON credential (rp_tag, sequence, cred_protect)"
                "  WHERE account_tag IS NOT NULL;"
                "CREATE UNIQUE INDEX credential_by_account ON credential (account_tag)"
                "  WHERE account_tag IS NOT NULL;"
                "CREATE TABLE lease ("
                "  one INTEGER PRIMARY KEY CHECK (one = 1),"
                "  counter INTEGER NOT NULL CHECK (counter >= 0),"
                "  used INTEGER NOT NULL CHECK (used BETWEEN 0 AND 4294967295),"
                "  clean INTEGER NOT NULL CHECK (clean BETWEEN 0 AND 1),"
                "  raised INTEGER NOT NULL CHECK (raised >= 0)"
                ") STRICT;"
                "CREATE TABLE tpm ("
                "  one INTEGER PRIMARY KEY CHECK (one = 1),"
                "  phase INTEGER NOT NULL CHECK (phase BETWEEN 0 AND 3),"
                "  state BLOB NOT NULL CHECK (length(state) <= 8192)"
                ") STRICT;",
                NULL, NULL, NULL);
}

static int from_1(sqlite3 *db) {
        return sqlite3_exec(
                db,
                "ALTER TABLE credential ADD COLUMN cred_random BLOB"
                "  CHECK (length(cred_random) BETWEEN 1 AND 768);"
                "ALTER TABLE credential ADD COLUMN cred_random_uv BLOB"
                "  CHECK (length(cred_random_uv) BETWEEN 1 AND 768);"
                "CREATE TABLE settings ("
                "  one INTEGER PRIMARY KEY CHECK (one = 1),"
                "  pin_length INTEGER NOT NULL CHECK (pin_length BETWEEN 0 AND 255),"
                "  min_pin_length INTEGER NOT NULL CHECK (min_pin_length BETWEEN 4 AND 63),"
                "  force_pin_change INTEGER NOT NULL CHECK (force_pin_change BETWEEN 0 AND 1),"
                "  pin_in_doubt INTEGER NOT NULL CHECK (pin_in_doubt BETWEEN 0 AND 1)"
                ") STRICT;"
                "INSERT INTO settings VALUES (1, 0, 4, 0, 0);",
                NULL, NULL, NULL);
}

static int from_2(sqlite3 *db) {
        return sqlite3_exec(
                db,
                "ALTER TABLE settings ADD COLUMN uv_retries INTEGER NOT NULL DEFAULT 3"
                "  CHECK (uv_retries BETWEEN 0 AND 3);"
                "ALTER TABLE settings ADD COLUMN always_uv INTEGER NOT NULL DEFAULT 0"
                "  CHECK (always_uv BETWEEN 0 AND 1);"
                "ALTER TABLE settings ADD COLUMN enterprise_attestation INTEGER NOT NULL DEFAULT 0"
                "  CHECK (enterprise_attestation BETWEEN 0 AND 1);"
                "ALTER TABLE settings ADD COLUMN long_touch_for_reset INTEGER NOT NULL DEFAULT 0"
                "  CHECK (long_touch_for_reset BETWEEN 0 AND 1);"
                "ALTER TABLE settings ADD COLUMN pin_complexity INTEGER NOT NULL DEFAULT 0"
                "  CHECK (pin_complexity BETWEEN 0 AND 1);"
                "ALTER TABLE settings ADD COLUMN persistent_token_epoch INTEGER NOT NULL DEFAULT 0"
                "  CHECK (persistent_token_epoch BETWEEN 0 AND 4294967295);"
                "ALTER TABLE settings ADD COLUMN min_pin_length_rps BLOB NOT NULL DEFAULT x''"
                "  CHECK (length(min_pin_length_rps) <= 512 AND"
                "         length(min_pin_length_rps) % 32 = 0);"
                "CREATE TABLE discoverable ("
                "  one INTEGER PRIMARY KEY CHECK (one = 1),"
                "  n_rps INTEGER NOT NULL CHECK (n_rps BETWEEN 0 AND 4294967295),"
                "  n_credentials INTEGER NOT NULL CHECK (n_credentials BETWEEN 0 AND 4294967295),"
                "  state BLOB NOT NULL CHECK (length(state) = 16)"
                ") STRICT;"
                "INSERT INTO discoverable"
                "  SELECT 1, count(DISTINCT rp_tag), count(*), randomblob(16) FROM credential"
                "  WHERE account_tag IS NOT NULL;"
                "CREATE TABLE large_blobs ("
                "  one INTEGER PRIMARY KEY CHECK (one = 1),"
                "  array BLOB NOT NULL CHECK (length(array) BETWEEN 17 AND 1048576)"
                ") STRICT;"
                "INSERT INTO large_blobs VALUES (1, x'8076be8b528d0075f7aae98d6fa57a6d3c');",
                NULL, NULL, NULL);
}

static int from_3(sqlite3 *db) {
        return sqlite3_exec(db,
                            "CREATE TABLE spare_key ("
                            "  one INTEGER PRIMARY KEY CHECK (one = 1),"
                            "  key BLOB CHECK (length(key) BETWEEN 1 AND 2048),"
                            "  tag BLOB CHECK (length(tag) = 32),"
                            "  CHECK ((key IS NULL) = (tag IS NULL))"
                            ") STRICT;",
                            NULL, NULL, NULL);
}

static int from_4(sqlite3 *db) {
        return sqlite3_exec(db,
                            "CREATE TABLE event ("
                            "  sequence INTEGER PRIMARY KEY,"
                            "  sealed BLOB NOT NULL CHECK (length(sealed) BETWEEN 1 AND 512)"
                            ") STRICT;",
                            NULL, NULL, NULL);
}

static int from_5(sqlite3 *db) {
        return sqlite3_exec(
                db,
                "ALTER TABLE settings ADD COLUMN pin_is_for_enrolment INTEGER NOT NULL DEFAULT 0"
                "  CHECK (pin_is_for_enrolment BETWEEN 0 AND 1);",
                NULL, NULL, NULL);
}

static int from_6(sqlite3 *db) {
        return sqlite3_exec(db,
                            "ALTER TABLE settings ADD COLUMN pin_is_complex INTEGER NOT NULL"
                            "  DEFAULT 0 CHECK (pin_is_complex BETWEEN 0 AND 1);",
                            NULL, NULL, NULL);
}

static store_step_fn *const steps[] = {
        from_0, from_1, from_2, from_3, from_4, from_5, from_6,
};

const struct store_schema store_schema = { steps, ELEMENTSOF(steps) };

/* Numbers cannot be bound in a PRAGMA. */
static int mark(sqlite3 *db, int version) {
        char sql[96];

        (void)snprintf(sql, sizeof(sql), "PRAGMA application_id = %d; PRAGMA user_version = %d;",
                       STORE_APPLICATION_ID, version);
        return sqlite3_exec(db, sql, NULL, NULL, NULL);
}

int store_migrate(sqlite3 *db, const struct store_schema *schema, int from) {
        for (int v = from; v < schema->version; v++) {
                int rc = sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL);

                if (rc == SQLITE_OK)
                        rc = schema->steps[v](db);
                if (rc == SQLITE_OK)
                        rc = mark(db, v + 1);
                if (rc == SQLITE_OK)
                        rc = sqlite3_exec(db, "COMMIT", NULL, NULL, NULL);
                if (rc != SQLITE_OK) {
                        if (!sqlite3_get_autocommit(db))
                                (void)sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL);
                        return rc;
                }
        }
        return SQLITE_OK;
}
