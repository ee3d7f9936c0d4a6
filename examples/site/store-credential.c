/* SPDX-License-Identifier: BSD-2-Clause */

/* Accounts, their passkeys, and the counters of those. */

#include <errno.h>
#include <string.h>

#include "examples/site/store-internal.h"

#define COLUMNS                                                                       \
        "SELECT credential.id, public_key, counter, aaguid, transports, attestation," \
        " is_trusted, is_backup_eligible, is_marked, created, used, note,"            \
        " account.id, handle, name FROM credential"                                   \
        " JOIN account ON account.id = credential.account "

int store_find_account(struct store *s, const char *name, struct account *ret) {
        _cleanup_(free_statement) sqlite3_stmt *q = NULL;
        struct account found;
        int r = store_prepare(s, "SELECT id, handle, name FROM account WHERE name = ?", &q);

        if (r < 0)
                return r;
        store_bind_text(q, 1, name);
        r = store_step(s, q);
        if (r <= 0)
                return r < 0 ? r : -ENOENT;
        if (!store_read_account(q, 0, &found))
                return -EUCLEAN;
        *ret = found;
        return 0;
}

int store_delete_account(struct store *s, int64_t account) {
        _cleanup_(free_statement) sqlite3_stmt *q = NULL;
        int r = store_prepare(s, "DELETE FROM account WHERE id = ?", &q);

        if (r < 0)
                return r;
        (void)sqlite3_bind_int64(q, 1, account);
        return store_run(s, q);
}

/* -ENOSPC if a count is at its limit. */
static int check_count(struct store *s, const char *sql, int64_t account, int64_t max) {
        _cleanup_(free_statement) sqlite3_stmt *q = NULL;
        int r = store_prepare(s, sql, &q);

        if (r < 0)
                return r;
        (void)sqlite3_bind_int64(q, 1, account);
        r = store_step(s, q);
        if (r < 0)
                return r;
        return sqlite3_column_int64(q, 0) >= max ? -ENOSPC : 0;
}

static int add_account(struct store *s, struct account *account) {
        _cleanup_(free_statement) sqlite3_stmt *q = NULL;
        int r = check_count(s, "SELECT count(*) FROM account WHERE ? NOT NULL", 0, ACCOUNTS_MAX);

        if (r < 0)
                return r == -ENOSPC ? -EDQUOT : r;
        r = store_prepare(s, "INSERT INTO account (handle, name) VALUES (?, ?)", &q);
        if (r < 0)
                return r;
        store_bind_bytes(q, 1, SLICE_OF(account->handle));
        store_bind_text(q, 2, account->name);
        r = store_run(s, q);
        if (r < 0)
                return r == -EEXIST ? -EADDRINUSE : r;
        account->id = sqlite3_last_insert_rowid(s->db);
        return 0;
}

static int insert_credential(struct store *s, const struct credential *c, int64_t account) {
        _cleanup_(free_statement) sqlite3_stmt *q = NULL;
        int r = check_count(s, "SELECT count(*) FROM credential WHERE account = ?", account,
                            CREDENTIALS_MAX);

        if (r == 0)
                r = store_prepare(
                        s,
                        "INSERT INTO credential (id, account, public_key, counter, aaguid,"
                        " transports, attestation, is_trusted, is_backup_eligible,"
                        " created, used) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                        &q);
        if (r < 0)
                return r;
        store_bind_bytes(q, 1, SLICE(c->id, c->id_len));
        (void)sqlite3_bind_int64(q, 2, account);
        store_bind_bytes(q, 3, SLICE(c->public_key, c->public_key_len));
        (void)sqlite3_bind_int64(q, 4, c->counter);
        store_bind_bytes(q, 5, SLICE_OF(c->aaguid));
        store_bind_text(q, 6, c->transports);
        store_bind_text(q, 7, c->attestation);
        (void)sqlite3_bind_int(q, 8, c->is_trusted);
        (void)sqlite3_bind_int(q, 9, c->is_backup_eligible);
        (void)sqlite3_bind_int64(q, 10, c->created);
        (void)sqlite3_bind_int64(q, 11, c->used);
        return store_run(s, q);
}

int store_add_credential(struct store *s, const struct credential *c, struct account *ret_account) {
        struct account account = c->account;
        int r = store_begin(s);

        if (r < 0)
                return r;
        if (account.id == 0)
                r = add_account(s, &account);
        if (r == 0)
                r = insert_credential(s, c, account.id);
        r = store_end(s, r);
        if (r == 0)
                *ret_account = account;
        return r;
}

static bool read_credential(sqlite3_stmt *q, struct credential *ret) {
        *ret = (struct credential){
                .counter = (uint32_t)sqlite3_column_int64(q, 2),
                .is_trusted = sqlite3_column_int(q, 6),
                .is_backup_eligible = sqlite3_column_int(q, 7),
                .is_marked = sqlite3_column_int(q, 8),
                .created = sqlite3_column_int64(q, 9),
                .used = sqlite3_column_int64(q, 10),
        };
        return store_read_bytes(q, 0, ret->id, sizeof(ret->id), &ret->id_len) &&
               store_read_bytes(q, 1, ret->public_key, sizeof(ret->public_key),
                                &ret->public_key_len) &&
               store_read_exactly(q, 3, ret->aaguid, AAGUID_LEN) &&
               store_read_text(q, 4, ret->transports, sizeof(ret->transports)) &&
               store_read_text(q, 5, ret->attestation, sizeof(ret->attestation)) &&
               store_read_bytes(q, 11, ret->note, sizeof(ret->note), &ret->note_len) &&
               store_read_account(q, 12, &ret->account);
}

int store_find_credential(struct store *s, struct slice id, struct credential *ret) {
        _cleanup_(free_statement) sqlite3_stmt *q = NULL;
        struct credential found;
        int r = store_prepare(s, COLUMNS "WHERE credential.id = ?", &q);

        if (r < 0)
                return r;
        store_bind_bytes(q, 1, id);
        r = store_step(s, q);
        if (r <= 0)
                return r < 0 ? r : -ENOENT;
        if (!read_credential(q, &found))
                return -EUCLEAN;
        *ret = found;
        return 0;
}

int store_each_credential(struct store *s, int64_t account,
                          int (*call)(void *userdata, const struct credential *c), void *userdata) {
        _cleanup_(free_statement) sqlite3_stmt *q = NULL;
        struct credential c;
        int r = store_prepare(s, COLUMNS "WHERE account.id = ? ORDER BY created, credential.rowid",
                              &q);

        if (r < 0)
                return r;
        (void)sqlite3_bind_int64(q, 1, account);
        while ((r = store_step(s, q)) > 0) {
                if (!read_credential(q, &c))
                        return -EUCLEAN;
                r = call(userdata, &c);
                if (r < 0)
                        return r;
        }
        return r;
}

static int read_counter(struct store *s, struct slice id, uint32_t *ret) {
        _cleanup_(free_statement) sqlite3_stmt *q = NULL;
        int r = store_prepare(s, "SELECT counter FROM credential WHERE id = ?", &q);

        if (r < 0)
                return r;
        store_bind_bytes(q, 1, id);
        r = store_step(s, q);
        if (r <= 0)
                return r < 0 ? r : -ENOENT;
        *ret = (uint32_t)sqlite3_column_int64(q, 0);
        return 0;
}

static int write_counter(struct store *s, struct slice id, uint32_t counter, int64_t now) {
        _cleanup_(free_statement) sqlite3_stmt *q = NULL;
        int r = store_prepare(s, "UPDATE credential SET counter = ?, used = ? WHERE id = ?", &q);

        if (r < 0)
                return r;
        (void)sqlite3_bind_int64(q, 1, counter);
        (void)sqlite3_bind_int64(q, 2, now);
        store_bind_bytes(q, 3, id);
        return store_run(s, q);
}

static int mark(struct store *s, struct slice id) {
        _cleanup_(free_statement) sqlite3_stmt *q = NULL;
        int r = store_prepare(s, "UPDATE credential SET is_marked = 1 WHERE id = ?", &q);

        if (r < 0)
                return r;
        store_bind_bytes(q, 1, id);
        return store_run(s, q);
}

int store_count(struct store *s, struct slice id, uint32_t counter, int64_t now,
                enum refusal *ret) {
        uint32_t stored;
        bool rose;
        int r = store_begin(s);

        if (r < 0)
                return r;
        r = read_counter(s, id, &stored);
        if (r < 0)
                return store_end(s, r);
        /* Zero and zero: an authenticator without a counter. */
        rose = counter > stored || (counter == 0 && stored == 0);
        r = store_end(s, rose ? write_counter(s, id, counter, now) : mark(s, id));
        if (r == 0)
                *ret = rose ? REFUSED_NOTHING : REFUSED_COUNTER;
        return r;
}

int store_write_note(struct store *s, int64_t account, struct slice id, struct slice note) {
        _cleanup_(free_statement) sqlite3_stmt *q = NULL;
        int r = store_prepare(s, "UPDATE credential SET note = ? WHERE id = ? AND account = ?", &q);

        if (r < 0)
                return r;
        store_bind_bytes(q, 1, note);
        store_bind_bytes(q, 2, id);
        (void)sqlite3_bind_int64(q, 3, account);
        r = store_run(s, q);
        if (r < 0)
                return r;
        return sqlite3_changes(s->db) > 0 ? 0 : -ENOENT;
}
