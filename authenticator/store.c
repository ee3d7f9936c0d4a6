/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * A store on SQLite: see store.h for what it keeps and store-schema.c for the tables.
 *
 * One writer, and it is us: locking_mode=EXCLUSIVE is set before the first read, so that a second
 * daemon is refused at once, the WAL's index lives in our memory and there is no -shm file.
 *
 * What is reported is durable: WAL with synchronous=FULL syncs the WAL once per commit. A commit is
 * that one sync, whatever the number of rows; moving pages into the main file is left to
 * store_settle() and to the close. The first commit after the WAL was emptied syncs its new header
 * as well, once in SETTLE_COMMITS.
 *
 * What is erased is gone: secure_delete zeroes it in the main file, and the WAL that may still hold
 * it is cut to nothing at once after an erasure, and at the next store_settle() after a replacement.
 * auto_vacuum stays off: its pointer map would cost every commit a page, and free pages hold zeroes.
 *
 * Damage: a file is examined whole (quick_check) only if a WAL was left behind, which is the mark of
 * an unclean stop. After a clean close its size is compared with what its header says, which finds
 * every truncation; whatever else is wrong turns up as SQLITE_CORRUPT when it is read, and the
 * contents of a row are authenticated above us. So start-up does not grow with the file.
 */

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#include "authenticator/store-schema.h"
#include "authenticator/store.h"

/* Commits between two checkpoints; about half a megabyte of WAL. */
#define SETTLE_COMMITS 64

/* The page cache. Two lookups of a large store touch 12 pages; what is more the kernel caches. */
#define CACHE_PRAGMA "PRAGMA cache_size = -256"

/* The signature counter last shown, or what the last lease raised it to (store-schema.c). */
#define COUNT_NOW "min(max(count, base + ifnull((SELECT raised FROM lease), 0)), 4294967295)"

#define ROW                                                                           \
        "SELECT id, rp_tag, account_tag, alg, class, cred_protect, flags, " COUNT_NOW \
        ", sequence, created, last_used, key, sealed FROM credential "

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
                     " flags, count, base, created, last_used, key, sealed)"
                     " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, 0, ?8, ?9, 0, ?10, ?11)",
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
};

struct store {
        char *path;
        store_log_fn *log;
        void *userdata;
        sqlite3 *db;
        sqlite3_stmt *stmt[_QUERIES];
        uint32_t max_credentials;
        uint32_t n_credentials; /* counted when opened, then kept with every commit */
        unsigned n_commits;     /* since the last checkpoint */
        bool residue;           /* the WAL may hold what was deleted */
};

/* ---- failures --------------------------------------------------------------------------- */

void store_log(struct store *s, int priority, const char *format, ...) {
        char what[512], line[PATH_MAX + sizeof(what)];
        va_list ap;

        if (!s->log)
                return;
        va_start(ap, format);
        (void)vsnprintf(what, sizeof(what), format, ap);
        va_end(ap);
        (void)snprintf(line, sizeof(line), "%s: %s", s->path, what);
        s->log(s->userdata, priority, line);
}

static const char *advice(int r) {
        switch (-r) {
        case EUCLEAN:
                return "restore it from a backup, or move it and its -wal away to begin anew";
        case EPROTO:
                return "install the newer version of tpmauthn that wrote it";
        case EROFS:
                return "make the file and its folder writable for this account";
        case ENOSPC:
                return "make room on its file system";
        case EBUSY:
                return "another process has it open; stop that one first";
        case ENOMEM:
                return "free some memory";
        default:
                return "check the disk and the kernel's log";
        }
}

/* Logs once what could not be done, why, and what to do. Returns r. */
static int fail(struct store *s, int r, const char *doing, const char *why) {
        store_log(s, LOG_ERR, "cannot %s: %s; %s", doing, why, advice(r));
        return r;
}

static int errno_of_system(int e) {
        switch (e) {
        case EROFS:
        case EACCES:
        case EPERM:
                return -EROFS;
        case ENOSPC:
        case EDQUOT:
                return -ENOSPC;
        case ENOMEM:
                return -ENOMEM;
        default:
                return -EIO;
        }
}

static int fail_system(struct store *s, int e, const char *doing) {
        return fail(s, errno_of_system(e), doing, strerror(e));
}

static int errno_of_sqlite(int rc, int system) {
        if (rc == SQLITE_CONSTRAINT_UNIQUE)
                return -EEXIST;

        switch (rc & 0xff) {
        case SQLITE_NOTADB:
        case SQLITE_CORRUPT:
        case SQLITE_CONSTRAINT: /* the caller's values were checked: a row on disk breaks a rule */
        case SQLITE_ERROR:      /* such as a table that is missing */
                return -EUCLEAN;
        case SQLITE_READONLY:
                return -EROFS;
        case SQLITE_FULL:
                return -ENOSPC;
        case SQLITE_BUSY:
        case SQLITE_LOCKED:
                return -EBUSY;
        case SQLITE_NOMEM:
                return -ENOMEM;
        case SQLITE_IOERR:
        case SQLITE_CANTOPEN:
                return errno_of_system(system);
        default:
                return -EIO;
        }
}

static int fail_sqlite(struct store *s, int rc, const char *doing) {
        int system = s->db ? sqlite3_system_errno(s->db) : 0;

        return fail(s, errno_of_sqlite(rc, system), doing, sqlite3_errstr(rc));
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

static int exec(struct store *s, const char *sql, const char *doing) {
        int rc = sqlite3_exec(s->db, sql, NULL, NULL, NULL);

        return rc == SQLITE_OK ? 0 : fail_sqlite(s, rc, doing);
}

static void stmt_finalize(sqlite3_stmt **q) {
        (void)sqlite3_finalize(*q);
}

/* The one number that a query gives. */
static int ask(struct store *s, const char *sql, const char *doing, int64_t *ret) {
        _cleanup_(stmt_finalize) sqlite3_stmt *q = NULL;
        int rc = sqlite3_prepare_v2(s->db, sql, -1, &q, NULL);

        if (rc == SQLITE_OK)
                rc = sqlite3_step(q);
        if (rc != SQLITE_ROW)
                return fail_sqlite(s, rc, doing);
        *ret = sqlite3_column_int64(q, 0);
        return 0;
}

/* True if a query gives exactly this text. */
static int ask_text(struct store *s, const char *sql, const char *want, const char *doing,
                    bool *ret) {
        _cleanup_(stmt_finalize) sqlite3_stmt *q = NULL;
        int rc = sqlite3_prepare_v2(s->db, sql, -1, &q, NULL);
        const unsigned char *got;

        if (rc == SQLITE_OK)
                rc = sqlite3_step(q);
        if (rc != SQLITE_ROW)
                return fail_sqlite(s, rc, doing);
        got = sqlite3_column_text(q, 0);
        *ret = got && strcmp((const char *)got, want) == 0;
        return 0;
}

/* A transaction that is still open when its scope ends is rolled back. */
static void txn_end(struct store **s) {
        if (*s && !sqlite3_get_autocommit((*s)->db)) {
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

/* ---- opening ---------------------------------------------------------------------------- */

struct found {
        bool exists;
        bool wal; /* and it is not empty: the last process did not close the file */
        off_t size;
};

static int inspect_wal(struct store *s, struct found *f) {
        char path[PATH_MAX];
        struct stat st;
        int n = snprintf(path, sizeof(path), "%s-wal", s->path);

        if (n < 0 || (size_t)n >= sizeof(path))
                return fail_system(s, ENAMETOOLONG, "open the store");
        if (stat(path, &st) < 0) {
                if (errno != ENOENT && errno != ENOTDIR)
                        return fail_system(s, errno, "examine the -wal of the store");
                return 0;
        }
        f->wal = st.st_size > 0;
        return 0;
}

/* What lies at the path, before SQLite is let near it. Narrows a mode that is too wide. */
static int inspect(struct store *s, struct found *ret) {
        struct found f = { 0 };
        struct stat st;
        int r;

        r = inspect_wal(s, &f);
        if (r < 0)
                return r;

        if (stat(s->path, &st) == 0) {
                f.exists = true;
                f.size = st.st_size;
        } else if (errno != ENOENT) {
                return fail_system(s, errno, "examine the store");
        }

        if (f.exists && !S_ISREG(st.st_mode))
                return fail(s, -EUCLEAN, "open the store", "it is not a regular file");
        /* SQLite would throw such a WAL away, and with it the newest commits. */
        if (f.size == 0 && f.wal)
                return fail(s, -EUCLEAN, "open the store", "it is missing but its -wal is there");
        /* SQLite takes it for an empty one. */
        if (f.size == 1)
                return fail(s, -EUCLEAN, "open the store", "it is too short");
        /* Root may write it all the same, but whoever took the permission away meant it. */
        if (f.exists && !(st.st_mode & S_IWUSR))
                return fail(s, -EROFS, "open the store", "it can only be read");
        if (f.exists && (st.st_mode & 077) && chmod(s->path, 0600) < 0)
                return fail_system(s, errno, "take the file from other accounts");

        *ret = f;
        return 0;
}

static void close_fd(int *fd) {
        if (*fd >= 0)
                (void)close(*fd);
}

/* A name in a folder survives a power failure once the folder is synced. */
static int sync_folder(struct store *s) {
        _cleanup_(close_fd) int fd = -1;
        char path[PATH_MAX];

        (void)snprintf(path, sizeof(path), "%s", s->path);
        fd = open(dirname(path), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (fd < 0)
                return fail_system(s, errno, "open the store's folder");
        if (fsync(fd) < 0 && errno != EINVAL) /* EINVAL: this file system has nothing to sync */
                return fail_system(s, errno, "sync the store's folder");
        return 0;
}

/* SQLite derives the modes of the files beside it from this one. */
static int create_file(struct store *s) {
        _cleanup_(close_fd) int fd =
                open(s->path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);

        if (fd < 0 && errno == EEXIST)
                return 0; /* somebody was quicker; the lock decides */
        if (fd < 0)
                return fail_system(s, errno, "create the store");
        if (fchmod(fd, 0600) < 0)
                return fail_system(s, errno, "create the store");
        return sync_folder(s);
}

/* Opens without changing the file; the lock is taken with the first read. */
static int connect_file(struct store *s) {
        int on = 0, rc;

        rc = sqlite3_open_v2(s->path, &s->db,
                             SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX |
                                     SQLITE_OPEN_PRIVATECACHE | SQLITE_OPEN_EXRESCODE,
                             NULL);
        if (rc != SQLITE_OK)
                return fail_sqlite(s, rc, "open the store");
        if (sqlite3_db_readonly(s->db, "main") == 1)
                return fail(s, -EROFS, "open the store", "it can only be read");
        /* Until the file is known to be ours its WAL is not touched either. */
        (void)sqlite3_db_config(s->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, &on);
        (void)sqlite3_db_config(s->db, SQLITE_DBCONFIG_DEFENSIVE, 1, &on);
        (void)sqlite3_db_config(s->db, SQLITE_DBCONFIG_ENABLE_TRIGGER, 0, &on);
        (void)sqlite3_db_config(s->db, SQLITE_DBCONFIG_ENABLE_VIEW, 0, &on);
        (void)sqlite3_busy_timeout(s->db, 0);

        return exec(s,
                    "PRAGMA locking_mode = EXCLUSIVE; PRAGMA trusted_schema = OFF;"
                    "PRAGMA foreign_keys = ON; PRAGMA cell_size_check = ON;"
                    "PRAGMA secure_delete = ON; PRAGMA temp_store = MEMORY;"
                    "PRAGMA mmap_size = 0;" CACHE_PRAGMA,
                    "set up the store");
}

/* Whose file it is, and of which version. An empty database is taken as ours, of version 0. */
static int identify(struct store *s, int *ret_version) {
        static const char doing[] = "read the head of the store";
        int64_t application, version, n_objects;
        int r;

        r = ask(s, "PRAGMA application_id", doing, &application);
        if (r == 0)
                r = ask(s, "PRAGMA user_version", doing, &version);
        if (r == 0)
                r = ask(s, "SELECT count(*) FROM sqlite_schema", doing, &n_objects);
        if (r < 0)
                return r;

        if (application == 0 && version == 0 && n_objects == 0) {
                *ret_version = 0;
                return 0;
        }
        if (application != STORE_APPLICATION_ID || version < 0)
                return fail(s, -EUCLEAN, "open the store", "it is another program's database");
        if (version > store_schema.version)
                return fail(s, -EPROTO, "open the store", "it has a newer format");
        *ret_version = (int)version;
        return 0;
}

static int use_wal(struct store *s) {
        bool wal;
        int r, off = 0;

        r = ask_text(s, "PRAGMA journal_mode = WAL", "wal", "set up the store", &wal);
        if (r < 0)
                return r;
        if (!wal)
                return fail(s, -EIO, "set up the store", "its file system does not allow a WAL");
        r = exec(s, "PRAGMA synchronous = FULL", "set up the store");
        if (r < 0)
                return r;
        (void)sqlite3_db_config(s->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 0, &off);
        return 0;
}

static int check_damage(struct store *s, const struct found *f) {
        static const char doing[] = "check the store";
        int64_t n_pages, page_size;
        bool ok;
        int r;

        if (f->wal) {
                r = ask_text(s, "PRAGMA quick_check(1)", "ok", doing, &ok);
                if (r < 0)
                        return r;
                return ok ? 0 : fail(s, -EUCLEAN, doing, "it is damaged");
        }

        r = ask(s, "PRAGMA page_count", doing, &n_pages);
        if (r == 0)
                r = ask(s, "PRAGMA page_size", doing, &page_size);
        if (r < 0)
                return r;
        if (f->size > 0 && f->size < n_pages * page_size)
                return fail(s, -EUCLEAN, doing, "its end is missing");
        return 0;
}

static int prepare_queries(struct store *s) {
        for (size_t i = 0; i < _QUERIES; i++) {
                int rc = sqlite3_prepare_v3(s->db, queries[i], -1, SQLITE_PREPARE_PERSISTENT,
                                            &s->stmt[i], NULL);

                if (rc != SQLITE_OK)
                        return fail_sqlite(s, rc, "read the tables of the store");
        }
        return 0;
}

static int open_steps(struct store *s) {
        struct found f = { 0 };
        int64_t n;
        int r, rc, version = 0;

        r = inspect(s, &f);
        if (r == 0 && !f.exists)
                r = create_file(s);
        if (r == 0)
                r = connect_file(s);
        if (r == 0)
                r = identify(s, &version);
        if (r == 0)
                r = check_damage(s, &f);
        if (r == 0)
                r = use_wal(s);
        if (r < 0)
                return r;

        rc = store_migrate(s->db, &store_schema, version);
        if (rc != SQLITE_OK)
                return fail_sqlite(s, rc, "bring the store to the present format");
        r = prepare_queries(s);
        if (r == 0)
                r = ask(s, "SELECT count(*) FROM credential", "count the credentials", &n);
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
        s->log = options->log;
        s->userdata = options->userdata;
        s->max_credentials = options->max_credentials;
        s->path = strdup(options->path);
        if (!s->path)
                return -ENOMEM;

        r = open_steps(s);
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
        (void)sqlite3_close(
                s->db); /* a checkpoint that fails leaves the WAL for the next opening */
        free(s->path);
        free(s);
        return NULL;
}

/* ---- housekeeping ----------------------------------------------------------------------- */

static int checkpoint(struct store *s, int mode, const char *doing) {
        int rc = sqlite3_wal_checkpoint_v2(s->db, "main", mode, NULL, NULL);

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

void store_settle(struct store *s) {
        int r = 0;

        if (s->residue)
                r = drop_residue(s);
        else if (s->n_commits >= SETTLE_COMMITS)
                r = checkpoint(s, SQLITE_CHECKPOINT_PASSIVE, "move commits into the main file");
        if (r < 0) {
                /* Told in the log; nothing is lost and the next time will do. */
        }
        (void)sqlite3_db_release_memory(s->db);
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
                return fail(s, -EUCLEAN, "read the TPM state", "it is too long");
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
        if (r < 0)
                return fail(s, r, "read a credential", "a field has a wrong length");

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
        *ret_n = (uint32_t)sqlite3_changes(s->db);
        return 0;
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

int store_delete(struct store *s, const struct ctap_credential_id *id) {
        _cleanup_(stmt_return) sqlite3_stmt *q = s->stmt[Q_DELETE];
        int r;

        bind_bytes(q, 1, BYTES_OF(*id));
        r = change(s, q, "delete a credential");
        if (r < 0)
                return r;
        if (sqlite3_changes(s->db) == 0)
                return -ENOENT;
        s->n_credentials--;

        /* It is deleted; if its traces in the WAL cannot be wiped now, store_settle() tries again. */
        s->residue = true;
        (void)sqlite3_reset(q);
        r = drop_residue(s);
        if (r < 0)
                store_log(s, LOG_WARNING, "the credential is deleted, but traces remain for now");
        return 0;
}

int store_erase(struct store *s, const struct tpm_state *state) {
        static const char doing[] = "erase the store";
        int r;

        r = step_plain(s, Q_BEGIN, doing);
        if (r < 0)
                return r;

        _cleanup_(txn_end) struct store *txn = s;

        r = exec(s, "DELETE FROM credential; DELETE FROM sqlite_sequence; DELETE FROM lease;",
                 doing);
        if (r == 0)
                r = put_tpm_state(s, state, doing);
        if (r == 0)
                r = txn_commit(txn, doing);
        if (r < 0)
                return r;
        s->n_credentials = 0;
        s->residue = true;

        /* The commit zeroed the pages; the WAL that still has them is cut, the file then shrinks. */
        r = drop_residue(s);
        if (r == 0)
                r = exec(s, "VACUUM", doing);
        if (r == 0)
                r = drop_residue(s);
        return r;
}
