/* SPDX-License-Identifier: BSD-2-Clause */

/* A lock on the folder itself takes no file, and a full disk cannot prevent it. */

#include "cli/ci-folder.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define NAME   "/tpmauthn-ci-"
#define RANDOM "XXXXXX"

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *walk) {
        (void)st;
        (void)type;
        (void)walk;
        /* What is left in it keeps a folder; the others go all the same. */
        (void)!remove(path);
        return 0;
}

static void remove_all(const char *path) {
        nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS | FTW_MOUNT);
}

/* -1 if another has it, or it is no folder of this user's. */
static int lock(const char *path) {
        int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        struct stat st;

        if (fd < 0)
                return -1;
        if (fstat(fd, &st) == 0 && st.st_uid == geteuid() && flock(fd, LOCK_EX | LOCK_NB) == 0)
                return fd;
        close(fd);
        return -1;
}

/* What was locked may have been removed by then, by who took it for forgotten. */
static bool is_at(int fd, const char *path) {
        struct stat a, b;

        return fstat(fd, &a) == 0 && stat(path, &b) == 0 && a.st_ino == b.st_ino &&
               a.st_dev == b.st_dev;
}

static void sweep(const char *in) {
        const char *prefix = &NAME[1];
        struct dirent *entry;
        char path[PATH_MAX];
        DIR *dir = opendir(in);

        if (!dir)
                return;
        while ((entry = readdir(dir)) != NULL) {
                int fd = -1;

                if (strncmp(entry->d_name, prefix, strlen(prefix)) == 0 &&
                    strlen(entry->d_name + strlen(prefix)) == strlen(RANDOM) &&
                    (size_t)snprintf(path, sizeof(path), "%s/%s", in, entry->d_name) < sizeof(path))
                        fd = lock(path);
                if (fd < 0)
                        continue;
                remove_all(path);
                close(fd);
        }
        closedir(dir);
}

int ci_folder_make(struct ci_folder *ret) {
        const char *in = getenv("TMPDIR");
        struct ci_folder f = { .fd = -1 };
        int n;

        if (!in || *in != '/')
                in = "/tmp";
        n = snprintf(f.path, sizeof(f.path), "%s" NAME RANDOM, in);
        if (n < 0 || (size_t)n >= sizeof(f.path)) {
                fprintf(stderr,
                        "tpmauthn: the path $TMPDIR is too long for sockets below it: %s. Set it "
                        "to one of at most %zu bytes\n",
                        in, sizeof(f.path) - sizeof(NAME RANDOM));
                return -1;
        }

        sweep(in);
        for (int tries = 0; tries < 10; tries++) {
                snprintf(f.path, sizeof(f.path), "%s" NAME RANDOM, in);
                if (!mkdtemp(f.path)) {
                        fprintf(stderr, "tpmauthn: no folder could be made in %s: %s\n", in,
                                strerror(errno));
                        return -1;
                }
                f.fd = lock(f.path);
                if (f.fd >= 0 && is_at(f.fd, f.path)) {
                        *ret = f;
                        return 0;
                }
                if (f.fd >= 0)
                        close(f.fd);
                rmdir(f.path);
        }
        fprintf(stderr, "tpmauthn: the folder %s cannot be locked\n", f.path);
        return -1;
}

void ci_folder_remove(struct ci_folder *f) {
        if (!*f->path)
                return;
        remove_all(f->path);
        if (f->fd >= 0)
                close(f->fd);
        *f = (struct ci_folder){ .fd = -1 };
}

static int write_all(int fd, const char *data, size_t size) {
        while (size > 0) {
                ssize_t n = write(fd, data, size);

                if (n < 0)
                        return -1;
                data += n;
                size -= (size_t)n;
        }
        return 0;
}

int ci_folder_write(const struct ci_folder *f, const char *name, const void *data, size_t size) {
        char path[sizeof(f->path) + NAME_MAX + 1];
        int fd, r;

        snprintf(path, sizeof(path), "%s/%s", f->path, name);
        fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
        r = fd < 0 ? -1 : write_all(fd, data, size);
        if (r < 0)
                fprintf(stderr, "tpmauthn: %s could not be written: %s\n", path, strerror(errno));
        if (fd >= 0)
                close(fd);
        return r;
}

const char *ci_folder_token(const struct ci_folder *f) {
        return strrchr(f->path, '-') + 1;
}
