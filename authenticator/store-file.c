/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The file of a store. SQLite would open almost anything: make a store of a file of one byte, throw
 * a WAL away whose file is missing, move the WAL of somebody else's database. So what lies at the
 * path is looked at first, nothing is written before the file is known to be ours, and every failure
 * gets one of the names of store.h and a line that says what to do.
 *
 * One writer, and it is us: locking_mode=EXCLUSIVE is set before the first read, so that a second
 * daemon is refused at once, the WAL's index lives in our memory and there is no -shm file.
 *
 * Damage: a file is examined whole (quick_check) only if a WAL was left behind, which is the mark of
 * an unclean stop. After a clean close its size is compared with what its header says, which finds
 * every truncation; whatever else is wrong turns up as SQLITE_CORRUPT when it is read, and the
 * contents of a row are authenticated above us. So start-up does not grow with the file.
 *
 * auto_vacuum stays off: its pointer map would cost every commit a page, and free pages hold zeroes.
 */

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <syslog.h>
#include <unistd.h>

#include "authenticator/store-file.h"
#include "authenticator/store-schema.h"

/* The page cache. Two lookups of a large store touch 12 pages; what is more the kernel caches. */
#define CACHE_PRAGMA "PRAGMA cache_size = -256"

void store_file_vlog(const struct store_file *f, int priority, const char *format, va_list ap) {
        char what[512], line[PATH_MAX + sizeof(what)];

        if (!f->log)
                return;
        (void)vsnprintf(what, sizeof(what), format, ap);
        (void)snprintf(line, sizeof(line), "%s: %s", f->path, what);
        f->log(f->userdata, priority, line);
}

_printf_(3, 4) static void store_file_log(const struct store_file *f, int priority,
                                          const char *format, ...) {
        va_list ap;

        va_start(ap, format);
        store_file_vlog(f, priority, format, ap);
        va_end(ap);
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
        case EEXIST:
                return "try again";
        default:
                return "check the disk and the kernel's log";
        }
}

int store_file_fail(const struct store_file *f, int r, const char *doing, const char *why) {
        store_file_log(f, LOG_ERR, "cannot %s: %s; %s", doing, why, advice(r));
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

int store_file_fail_system(const struct store_file *f, int e, const char *doing) {
        return store_file_fail(f, errno_of_system(e), doing, strerror(e));
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

int store_file_fail_sqlite(const struct store_file *f, int rc, const char *doing) {
        int system = f->db ? sqlite3_system_errno(f->db) : 0;

        return store_file_fail(f, errno_of_sqlite(rc, system), doing, sqlite3_errstr(rc));
}

int store_file_exec(const struct store_file *f, const char *sql, const char *doing) {
        int rc = sqlite3_exec(f->db, sql, NULL, NULL, NULL);

        return rc == SQLITE_OK ? 0 : store_file_fail_sqlite(f, rc, doing);
}

static void stmt_finalize(sqlite3_stmt **q) {
        (void)sqlite3_finalize(*q);
}

int store_file_ask(const struct store_file *f, const char *sql, const char *doing, int64_t *ret) {
        _cleanup_(stmt_finalize) sqlite3_stmt *q = NULL;
        int rc = sqlite3_prepare_v2(f->db, sql, -1, &q, NULL);

        if (rc == SQLITE_OK)
                rc = sqlite3_step(q);
        if (rc != SQLITE_ROW)
                return store_file_fail_sqlite(f, rc, doing);
        *ret = sqlite3_column_int64(q, 0);
        return 0;
}

/* True if a query gives exactly this text. */
static int ask_text(const struct store_file *f, const char *sql, const char *want,
                    const char *doing, bool *ret) {
        _cleanup_(stmt_finalize) sqlite3_stmt *q = NULL;
        int rc = sqlite3_prepare_v2(f->db, sql, -1, &q, NULL);
        const unsigned char *got;

        if (rc == SQLITE_OK)
                rc = sqlite3_step(q);
        if (rc != SQLITE_ROW)
                return store_file_fail_sqlite(f, rc, doing);
        got = sqlite3_column_text(q, 0);
        *ret = got && strcmp((const char *)got, want) == 0;
        return 0;
}

/* ---- opening ---------------------------------------------------------------------------- */

struct found {
        bool exists;
        bool wide; /* others than its owner may open it, as with a copy put back by hand */
        bool wal;  /* is there and not empty: the last process did not close the file */
        off_t size;
};

static int inspect_wal(const struct store_file *f, struct found *there) {
        char path[PATH_MAX];
        struct stat st;
        int n = snprintf(path, sizeof(path), "%s-wal", f->path);

        if (n < 0 || (size_t)n >= sizeof(path))
                return store_file_fail_system(f, ENAMETOOLONG, "open the store");
        if (stat(path, &st) < 0) {
                if (errno != ENOENT && errno != ENOTDIR)
                        return store_file_fail_system(f, errno, "examine the -wal of the store");
                return 0;
        }
        there->wal = st.st_size > 0;
        return 0;
}

/* What lies at the path, before SQLite is let near it. */
static int inspect(const struct store_file *f, struct found *ret) {
        struct found there = { 0 };
        struct stat st;
        int r;

        r = inspect_wal(f, &there);
        if (r < 0)
                return r;

        if (stat(f->path, &st) == 0) {
                there.exists = true;
                there.size = st.st_size;
        } else if (errno != ENOENT) {
                return store_file_fail_system(f, errno, "examine the store");
        }

        if (there.exists && !S_ISREG(st.st_mode))
                return store_file_fail(f, -EUCLEAN, "open the store", "it is not a regular file");
        /* SQLite would throw such a WAL away, and with it the newest commits. */
        if (there.size == 0 && there.wal)
                return store_file_fail(f, -EUCLEAN, "open the store",
                                       "it is missing but its -wal is there");
        /* SQLite takes it for an empty one. */
        if (there.size == 1)
                return store_file_fail(f, -EUCLEAN, "open the store", "it is too short");
        /* Root may write it all the same, but whoever took the permission away meant it. */
        if (there.exists && !(st.st_mode & S_IWUSR))
                return store_file_fail(f, -EROFS, "open the store", "it can only be read");
        there.wide = there.exists && (st.st_mode & 077);

        *ret = there;
        return 0;
}

static void close_fd(int *fd) {
        if (*fd >= 0)
                (void)close(*fd);
}

/* A name in a folder survives a power failure once the folder is synced. */
int store_file_sync_folder(const struct store_file *f) {
        _cleanup_(close_fd) int fd = -1;
        char path[PATH_MAX];

        (void)snprintf(path, sizeof(path), "%s", f->path);
        fd = open(dirname(path), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (fd < 0)
                return store_file_fail_system(f, errno, "open the store's folder");
        if (fsync(fd) < 0 && errno != EINVAL) /* EINVAL: this file system has nothing to sync */
                return store_file_fail_system(f, errno, "sync the store's folder");
        return 0;
}

/* SQLite derives the modes of the files beside it from this one. */
static int create_file(const struct store_file *f) {
        _cleanup_(close_fd) int fd =
                open(f->path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);

        if (fd < 0 && errno == EEXIST)
                return 0; /* somebody was quicker; the lock decides */
        if (fd < 0)
                return store_file_fail_system(f, errno, "create the store");
        if (fchmod(fd, 0600) < 0)
                return store_file_fail_system(f, errno, "create the store");
        return store_file_sync_folder(f);
}

/* Opens without changing the file; the lock is taken with the first read. */
static int connect_file(struct store_file *f) {
        int on = 0, rc;

        rc = sqlite3_open_v2(f->path, &f->db,
                             SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX |
                                     SQLITE_OPEN_PRIVATECACHE | SQLITE_OPEN_EXRESCODE,
                             NULL);
        if (rc != SQLITE_OK)
                return store_file_fail_sqlite(f, rc, "open the store");
        if (sqlite3_db_readonly(f->db, "main") == 1)
                return store_file_fail(f, -EROFS, "open the store", "it can only be read");
        /* Until the file is known to be ours its WAL is not touched either. */
        (void)sqlite3_db_config(f->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, &on);
        (void)sqlite3_db_config(f->db, SQLITE_DBCONFIG_DEFENSIVE, 1, &on);
        (void)sqlite3_db_config(f->db, SQLITE_DBCONFIG_ENABLE_TRIGGER, 0, &on);
        (void)sqlite3_db_config(f->db, SQLITE_DBCONFIG_ENABLE_VIEW, 0, &on);
        (void)sqlite3_busy_timeout(f->db, 0);

        return store_file_exec(f,
                               "PRAGMA locking_mode = EXCLUSIVE; PRAGMA trusted_schema = OFF;"
                               "PRAGMA foreign_keys = ON; PRAGMA cell_size_check = ON;"
                               "PRAGMA secure_delete = ON; PRAGMA temp_store = MEMORY;"
                               "PRAGMA mmap_size = 0;" CACHE_PRAGMA,
                               "set up the store");
}

/* Whose file it is, and of which version. An empty database is taken as ours, of version 0. */
static int identify(const struct store_file *f, int *ret_version) {
        static const char doing[] = "read the head of the store";
        int64_t application, version, n_objects;
        int r;

        r = store_file_ask(f, "PRAGMA application_id", doing, &application);
        if (r == 0)
                r = store_file_ask(f, "PRAGMA user_version", doing, &version);
        if (r == 0)
                r = store_file_ask(f, "SELECT count(*) FROM sqlite_schema", doing, &n_objects);
        if (r < 0)
                return r;

        if (application == 0 && version == 0 && n_objects == 0) {
                *ret_version = 0;
                return 0;
        }
        if (application != STORE_APPLICATION_ID || version < 0)
                return store_file_fail(f, -EUCLEAN, "open the store",
                                       "it is another program's database");
        if (version > store_schema.version)
                return store_file_fail(f, -EPROTO, "open the store", "it has a newer format");
        *ret_version = (int)version;
        return 0;
}

static int narrow(const struct store_file *f, const struct found *there) {
        if (there->wide && chmod(f->path, 0600) < 0)
                return store_file_fail_system(f, errno, "take the store from other accounts");
        return 0;
}

static int use_wal(const struct store_file *f) {
        bool wal;
        int r, off = 0;

        r = ask_text(f, "PRAGMA journal_mode = WAL", "wal", "set up the store", &wal);
        if (r < 0)
                return r;
        if (!wal)
                return store_file_fail(f, -EIO, "set up the store",
                                       "its file system does not allow a WAL");
        r = store_file_exec(f, "PRAGMA synchronous = FULL", "set up the store");
        if (r < 0)
                return r;
        (void)sqlite3_db_config(f->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 0, &off);
        return 0;
}

static int check_damage(const struct store_file *f, const struct found *there) {
        static const char doing[] = "check the store";
        int64_t n_pages, page_size;
        bool ok;
        int r;

        if (there->wal) {
                r = ask_text(f, "PRAGMA quick_check(1)", "ok", doing, &ok);
                if (r < 0)
                        return r;
                return ok ? 0 : store_file_fail(f, -EUCLEAN, doing, "it is damaged");
        }

        r = store_file_ask(f, "PRAGMA page_count", doing, &n_pages);
        if (r == 0)
                r = store_file_ask(f, "PRAGMA page_size", doing, &page_size);
        if (r < 0)
                return r;
        if (there->size > 0 && there->size < n_pages * page_size)
                return store_file_fail(f, -EUCLEAN, doing, "its end is missing");
        return 0;
}

static int open_steps(struct store_file *f, int *ret_version) {
        struct found there = { 0 };
        int version = 0, r;

        r = inspect(f, &there);
        if (r == 0 && !there.exists)
                r = create_file(f);
        if (r == 0)
                r = connect_file(f);
        if (r == 0)
                r = identify(f, &version);
        if (r == 0)
                r = check_damage(f, &there);
        if (r == 0)
                r = narrow(f, &there);
        if (r == 0)
                r = use_wal(f);
        if (r < 0)
                return r;
        *ret_version = version;
        return 0;
}

int store_file_open(struct store_file *f, const struct store_options *options, int *ret_version) {
        int r;

        f->log = options->log;
        f->userdata = options->userdata;
        f->path = strdup(options->path);
        if (!f->path)
                return -ENOMEM;

        r = open_steps(f, ret_version);
        if (r < 0)
                store_file_close(f);
        return r;
}

void store_file_close(struct store_file *f) {
        /* A checkpoint that fails leaves the WAL for the next opening. */
        (void)sqlite3_close(f->db);
        free(f->path);
        *f = (struct store_file){ 0 };
}
