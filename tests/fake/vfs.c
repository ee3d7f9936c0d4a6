/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * A file of ours wraps one of the real file system, which lies in the same allocation behind it.
 * The methods are those of version 1: a store neither maps files nor shares a WAL index.
 */

#include <sqlite3.h>
#include <stdlib.h>

#include "ctap/macro.h"
#include "tests/fake/vfs.h"

struct fake_vfs {
        sqlite3_vfs vfs;
        sqlite3_vfs *real;
        struct fault *fault;
        bool readonly;
        unsigned n_syncs, n_reads, n_writes;
};

struct fake_file {
        sqlite3_file base;
        struct fake_vfs *owner;
        sqlite3_file *real;
};

static struct fake_file *file_of(sqlite3_file *f) {
        return container_of(f, struct fake_file, base);
}

static int f_close(sqlite3_file *f) {
        sqlite3_file *real = file_of(f)->real;

        return real->pMethods ? real->pMethods->xClose(real) : SQLITE_OK;
}

static int f_read(sqlite3_file *f, void *to, int n, sqlite3_int64 at) {
        struct fake_file *x = file_of(f);

        x->owner->n_reads++;
        return x->real->pMethods->xRead(x->real, to, n, at);
}

static int f_write(sqlite3_file *f, const void *from, int n, sqlite3_int64 at) {
        struct fake_file *x = file_of(f);
        enum fault_verdict verdict = fault_step(x->owner->fault);
        bool crashed = verdict == FAULT_FAIL && x->owner->fault->n != x->owner->fault->at;
        int rc;

        x->owner->n_writes++;
        if (crashed)
                return x->owner->fault->sqlite_code;
        rc = x->real->pMethods->xWrite(x->real, from, verdict == FAULT_FAIL ? n / 2 : n, at);
        return verdict == FAULT_GO_ON ? rc : x->owner->fault->sqlite_code;
}

static int f_truncate(sqlite3_file *f, sqlite3_int64 size) {
        struct fake_file *x = file_of(f);
        enum fault_verdict verdict = fault_step(x->owner->fault);
        int rc = SQLITE_OK;

        if (verdict != FAULT_FAIL)
                rc = x->real->pMethods->xTruncate(x->real, size);
        return verdict == FAULT_GO_ON ? rc : x->owner->fault->sqlite_code;
}

static int f_sync(sqlite3_file *f, _unused_ int flags) {
        struct fake_file *x = file_of(f);

        x->owner->n_syncs++;
        return fault_step(x->owner->fault) == FAULT_GO_ON ? SQLITE_OK
                                                          : x->owner->fault->sqlite_code;
}

static int f_size(sqlite3_file *f, sqlite3_int64 *ret) {
        sqlite3_file *real = file_of(f)->real;

        return real->pMethods->xFileSize(real, ret);
}

static int f_lock(sqlite3_file *f, int level) {
        sqlite3_file *real = file_of(f)->real;

        return real->pMethods->xLock(real, level);
}

static int f_unlock(sqlite3_file *f, int level) {
        sqlite3_file *real = file_of(f)->real;

        return real->pMethods->xUnlock(real, level);
}

static int f_check_lock(sqlite3_file *f, int *ret) {
        sqlite3_file *real = file_of(f)->real;

        return real->pMethods->xCheckReservedLock(real, ret);
}

static int f_control(sqlite3_file *f, int op, void *arg) {
        sqlite3_file *real = file_of(f)->real;

        return real->pMethods->xFileControl(real, op, arg);
}

static int f_sector_size(sqlite3_file *f) {
        sqlite3_file *real = file_of(f)->real;

        return real->pMethods->xSectorSize(real);
}

static int f_characteristics(sqlite3_file *f) {
        sqlite3_file *real = file_of(f)->real;

        return real->pMethods->xDeviceCharacteristics(real);
}

static const sqlite3_io_methods methods = {
        .iVersion = 1,
        .xClose = f_close,
        .xRead = f_read,
        .xWrite = f_write,
        .xTruncate = f_truncate,
        .xSync = f_sync,
        .xFileSize = f_size,
        .xLock = f_lock,
        .xUnlock = f_unlock,
        .xCheckReservedLock = f_check_lock,
        .xFileControl = f_control,
        .xSectorSize = f_sector_size,
        .xDeviceCharacteristics = f_characteristics,
};

static int v_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *f, int flags, int *ret_flags) {
        struct fake_vfs *v = vfs->pAppData;
        struct fake_file *x = file_of(f);
        int rc;

        if (v->readonly && (flags & SQLITE_OPEN_READWRITE)) {
                flags &= ~(SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE);
                flags |= SQLITE_OPEN_READONLY;
        }
        x->owner = v;
        x->real = (sqlite3_file *)(void *)(x + 1);
        x->base.pMethods = NULL;
        rc = v->real->xOpen(v->real, name, x->real, flags, ret_flags);
        if (rc == SQLITE_OK)
                x->base.pMethods = &methods;
        return rc;
}

static int v_delete(sqlite3_vfs *vfs, const char *name, int sync_folder) {
        struct fake_vfs *v = vfs->pAppData;
        enum fault_verdict verdict = fault_step(v->fault);
        int rc = SQLITE_OK;

        if (verdict != FAULT_FAIL)
                rc = v->real->xDelete(v->real, name, sync_folder);
        return verdict == FAULT_GO_ON ? rc : v->fault->sqlite_code;
}

/* Faults are not the system's: without this an old errno would name them. */
static int v_last_error(_unused_ sqlite3_vfs *vfs, _unused_ int n, _unused_ char *text) {
        return 0;
}

struct fake_vfs *fake_vfs_new(struct fault *fault) {
        struct fake_vfs *v = calloc(1, sizeof(*v));

        if (!v)
                abort();
        v->real = sqlite3_vfs_find(NULL);
        v->fault = fault;
        v->vfs = *v->real;
        v->vfs.iVersion = 1;
        v->vfs.szOsFile = (int)sizeof(struct fake_file) + v->real->szOsFile;
        v->vfs.zName = "fake";
        v->vfs.pNext = NULL;
        v->vfs.pAppData = v;
        v->vfs.xOpen = v_open;
        v->vfs.xDelete = v_delete;
        v->vfs.xGetLastError = v_last_error;
        if (sqlite3_vfs_register(&v->vfs, 1) != SQLITE_OK)
                abort();
        return v;
}

struct fake_vfs *fake_vfs_free(struct fake_vfs *v) {
        if (!v)
                return NULL;
        (void)sqlite3_vfs_unregister(&v->vfs);
        (void)sqlite3_vfs_register(v->real, 1);
        free(v);
        return NULL;
}

void fake_vfs_set_readonly(struct fake_vfs *v, bool readonly) {
        v->readonly = readonly;
}

unsigned fake_vfs_n_syncs(const struct fake_vfs *v) {
        return v->n_syncs;
}

unsigned fake_vfs_n_reads(const struct fake_vfs *v) {
        return v->n_reads;
}

unsigned fake_vfs_n_writes(const struct fake_vfs *v) {
        return v->n_writes;
}
