/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * An image is made in memory: a store of a thousand passkeys has less than a megabyte. To merge one it
 * has to lie in a file, for a file in WAL mode cannot be opened anywhere else.
 */

#include "authenticator/store-copy.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "authenticator/store-query.h"
#include "authenticator/util.h"

int store_image(struct store *s, size_t spare, struct buf *ret) {
        sqlite3_int64 size = 0;
        unsigned char *image = sqlite3_serialize(s->file.db, "main", &size, 0);
        uint8_t *data;

        if (!image)
                return store_file_fail(&s->file, -ENOMEM, "copy the store", "out of memory");
        data = malloc((size_t)size + spare);
        if (data)
                memcpy(data, image, (size_t)size);
        sqlite3_free(image);
        if (!data)
                return store_file_fail(&s->file, -ENOMEM, "copy the store", "out of memory");
        *ret = (struct buf){ data, (size_t)size, (size_t)size + spare, false };
        return 0;
}

/* ---- unpacking -------------------------------------------------------------------------- */

void store_discard(const char *path) {
        char wal[PATH_MAX];

        (void)unlink(path);
        if (snprintf(wal, sizeof(wal), "%s-wal", path) < (int)sizeof(wal))
                (void)unlink(wal);
}

static int write_all(int fd, struct bytes b) {
        while (b.len > 0) {
                ssize_t n = write(fd, b.data, b.len);

                if (n < 0 && errno == EINTR)
                        continue;
                if (n < 0)
                        return -errno;
                b = BYTES(b.data + n, b.len - (size_t)n);
        }
        return fsync(fd) < 0 ? -errno : 0;
}

int store_unpack(struct bytes image, const char *path, const struct store_options *options) {
        struct store_options own = *options;
        struct store *s;
        int fd, r;

        store_discard(path);
        fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
        if (fd < 0)
                return -errno;
        r = write_all(fd, image);
        if (close(fd) < 0 && r == 0)
                r = -errno;
        own.path = path;
        own.changed = NULL;
        if (r == 0)
                r = store_open(&own, &s);
        if (r == 0)
                r = store_close_whole(s);
        if (r < 0)
                store_discard(path);
        return r;
}

/* ---- merging ---------------------------------------------------------------------------- */

static const char doing[] = "take passkeys out of a backup";

static void finalize(sqlite3_stmt **q) {
        (void)sqlite3_finalize(*q);
}

static int attach(struct store *s, const char *path) {
        _cleanup_(finalize) sqlite3_stmt *q = NULL;
        int rc = sqlite3_prepare_v2(s->file.db, "ATTACH ?1 AS backup", -1, &q, NULL);

        if (rc == SQLITE_OK)
                rc = sqlite3_bind_text(q, 1, path, -1, SQLITE_STATIC);
        if (rc == SQLITE_OK)
                rc = sqlite3_step(q);
        return rc == SQLITE_DONE ? 0 : store_file_fail_sqlite(&s->file, rc, doing);
}

#define COLUMNS                                                                           \
        "id, rp_tag, account_tag, alg, class, cred_protect, flags, count, base, created," \
        " last_used, key, sealed, cred_random, cred_random_uv"

static int add_credentials(struct store *s, uint32_t *ret_added) {
        int r = store_file_exec(&s->file,
                                "INSERT OR IGNORE INTO main.credential (" COLUMNS
                                ") SELECT " COLUMNS " FROM backup.credential ORDER BY sequence",
                                doing);
        uint32_t added;

        if (r < 0)
                return r;
        added = (uint32_t)sqlite3_changes(s->file.db);
        if (added > store_remaining(s))
                return store_file_fail(&s->file, -ENOSPC, doing, "they are too many");
        r = store_file_exec(&s->file,
                            "UPDATE main.discoverable SET (n_rps, n_credentials) ="
                            " (SELECT count(DISTINCT rp_tag), count(*) FROM main.credential"
                            "  WHERE account_tag IS NOT NULL), state = randomblob(16)",
                            doing);
        *ret_added = added;
        return r;
}

static int add_large_blobs(struct store *s, uint32_t *ret_size) {
        int64_t size;
        int r = 0;

        if (s->large_blobs_size == CTAP_LARGE_BLOBS_EMPTY_SIZE)
                r = store_file_exec(&s->file,
                                    "UPDATE main.large_blobs SET array ="
                                    " (SELECT array FROM backup.large_blobs)",
                                    doing);
        if (r == 0)
                r = store_file_ask(&s->file, "SELECT length(array) FROM main.large_blobs", doing,
                                   &size);
        if (r == 0)
                *ret_size = (uint32_t)size;
        return r;
}

static int merge_attached(struct store *s, uint32_t *ret_added) {
        uint32_t added = 0, size = 0;
        int r = store_query_run(s, Q_BEGIN, doing);

        if (r < 0)
                return r;

        _cleanup_(store_txn_end) struct store *txn = s;

        r = add_credentials(s, &added);
        if (r == 0)
                r = add_large_blobs(s, &size);
        if (r == 0)
                r = store_txn_commit(txn, doing);
        if (r < 0)
                return r;
        s->large_blobs_size = size;
        s->n_credentials += added;
        *ret_added = added;
        return store_load_discoverable(s);
}

/* They are added, and the transaction is taken back. */
static int count_attached(struct store *s, uint32_t *ret) {
        int r = store_query_run(s, Q_BEGIN, doing);

        if (r < 0)
                return r;

        _cleanup_(store_txn_end) _unused_ struct store *txn = s;

        return add_credentials(s, ret);
}

static int with_attached(struct store *s, const char *path,
                         int (*run)(struct store *s, uint32_t *ret), uint32_t *ret) {
        uint32_t n = 0;
        int r = attach(s, path), detached;

        if (r < 0)
                return r;
        r = run(s, &n);
        detached = store_file_exec(&s->file, "DETACH backup", doing);
        if (r < 0 || detached < 0)
                return r < 0 ? r : detached;
        *ret = n;
        return 0;
}

int store_count_missing(struct store *s, const char *path, uint32_t *ret) {
        return with_attached(s, path, count_attached, ret);
}

int store_merge(struct store *s, const char *path, uint32_t *ret_added) {
        return with_attached(s, path, merge_attached, ret_added);
}
