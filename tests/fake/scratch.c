/* SPDX-License-Identifier: BSD-2-Clause */

/* A folder for the files of one test: see scratch.h. */

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ctap/macro.h"
#include "tests/fake/scratch.h"

static void must(bool ok, const char *what) {
        if (ok)
                return;
        perror(what);
        abort();
}

static void make_in(struct scratch *s, const char *base) {
        (void)snprintf(s->path, sizeof(s->path), "%s/tpmauthn-test.XXXXXX", base);
        must(mkdtemp(s->path) != NULL, s->path);
}

static const char *folder_or(const char *otherwise) {
        const char *base = getenv("TMPDIR");

        return base ? base : otherwise;
}

void scratch_make(struct scratch *s) {
        bool in_memory = access("/dev/shm", W_OK | X_OK) == 0;

        make_in(s, in_memory ? "/dev/shm" : folder_or("/tmp"));
}

void scratch_make_on_disk(struct scratch *s) {
        make_in(s, folder_or("/var/tmp"));
}

static int remove_one(const char *path, _unused_ const struct stat *st, _unused_ int type,
                      _unused_ struct FTW *ftw) {
        return remove(path);
}

void scratch_remove(struct scratch *s) {
        must(nftw(s->path, remove_one, 8, FTW_DEPTH | FTW_PHYS) == 0, s->path);
}

void scratch_read(const char *path, struct scratch_file *ret) {
        int fd = open(path, O_RDONLY | O_CLOEXEC);
        struct stat st;

        *ret = (struct scratch_file){ .exists = fd >= 0 };
        if (fd < 0) {
                must(errno == ENOENT, path);
                return;
        }
        must(fstat(fd, &st) == 0, path);
        ret->len = (size_t)st.st_size;
        ret->data = malloc(ret->len + 1);
        must(ret->data && read(fd, ret->data, ret->len) == st.st_size, path);
        (void)close(fd);
}

void scratch_write(const char *path, const struct scratch_file *f) {
        int fd;

        if (!f->exists) {
                must(unlink(path) == 0 || errno == ENOENT, path);
                return;
        }
        fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
        must(fd >= 0 && (f->len == 0 || write(fd, f->data, f->len) == (ssize_t)f->len), path);
        (void)close(fd);
}

void scratch_file_done(struct scratch_file *f) {
        free(f->data);
        *f = (struct scratch_file){ 0 };
}

bool scratch_file_has(const struct scratch_file *f, const void *what, size_t n) {
        return f->len >= n && memmem(f->data, f->len, what, n) != NULL;
}
