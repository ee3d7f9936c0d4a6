/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Files of the machine's attestation: see attestation-state.h. Everything is done in the folder that was
 * opened and looked at, whatever becomes of its path meanwhile.
 */

#include "authenticator/attestation-state.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "authenticator/util.h"

#define FOLDER "attestation"

static const struct {
        const char *name, *temporary;
} names[_ATTESTATION_FILES] = {
        [ATTESTATION_KEY] = { "key", "key.new" },
        [ATTESTATION_REQUEST] = { "request", "request.new" },
        [ATTESTATION_CHAIN] = { "chain.pem", "chain.pem.new" },
};

/* Of this account or root, and writable for nobody else. */
static bool is_ours(const struct stat *st) {
        return (st->st_uid == 0 || st->st_uid == geteuid()) &&
               (st->st_mode & (S_IWGRP | S_IWOTH)) == 0;
}

static int open_folder(const char *state_directory, bool make, int *ret) {
        _cleanup_(close_fd_pointer) int above = -1, fd = -1;
        struct stat st;

        above = open(state_directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (above < 0)
                return -errno;
        if (make && mkdirat(above, FOLDER, 0700) < 0 && errno != EEXIST)
                return -errno;
        fd = openat(above, FOLDER, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (fd < 0 && (errno == ENOTDIR || errno == ELOOP))
                return -EPERM;
        if (fd < 0 || fstat(fd, &st) < 0 || (make && fsync(above) < 0 && errno != EINVAL))
                return -errno;
        if (!is_ours(&st))
                return -EPERM;
        *ret = take_fd(&fd);
        return 0;
}

static int read_all(int fd, struct buf *to) {
        uint8_t part[4096];
        ssize_t n;

        while ((n = read(fd, part, sizeof(part))) > 0)
                buf_put(to, BYTES(part, (size_t)n));
        return n < 0 ? -errno : buf_error(to);
}

int attestation_state_read(const char *state_directory, enum attestation_file file,
                           struct buf *to) {
        _cleanup_(close_fd_pointer) int folder = -1, fd = -1;
        struct stat st;
        int r;

        r = open_folder(state_directory, false, &folder);
        if (r < 0)
                return r;
        fd = openat(folder, names[file].name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
        if (fd < 0)
                return errno == ELOOP ? -EPERM : -errno;
        if (fstat(fd, &st) < 0)
                return -errno;
        if (!S_ISREG(st.st_mode) || !is_ours(&st))
                return -EPERM;
        return read_all(fd, to);
}

static int write_all(int fd, struct bytes what) {
        while (what.len > 0) {
                const ssize_t n = write(fd, what.data, what.len);

                if (n < 0 && errno != EINTR)
                        return -errno;
                if (n > 0)
                        what = BYTES(what.data + n, what.len - (size_t)n);
        }
        return 0;
}

static int write_file(int folder, const char *name, struct bytes what) {
        _cleanup_(close_fd_pointer) int fd = -1;
        int r;

        /* What a crash left there. */
        if (unlinkat(folder, name, 0) < 0 && errno != ENOENT)
                return -errno;
        fd = openat(folder, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
        if (fd < 0)
                return -errno;
        r = write_all(fd, what);
        if (r < 0)
                return r;
        return fsync(fd) < 0 && errno != EINVAL ? -errno : 0;
}

/* EINVAL: this file system has nothing to sync. */
static int sync_folder(int folder) {
        return fsync(folder) < 0 && errno != EINVAL ? -errno : 0;
}

int attestation_state_write(const char *state_directory, enum attestation_file file,
                            struct bytes what) {
        const char *name = names[file].name, *temporary = names[file].temporary;
        _cleanup_(close_fd_pointer) int folder = -1;
        int r;

        if (what.len > ATTESTATION_FILE_MAX)
                return -EMSGSIZE;
        r = open_folder(state_directory, true, &folder);
        if (r < 0)
                return r;
        r = write_file(folder, temporary, what);
        if (r == 0 && renameat(folder, temporary, folder, name) < 0)
                r = -errno;
        if (r < 0) {
                (void)unlinkat(folder, temporary, 0);
                return r;
        }
        return sync_folder(folder);
}

int attestation_state_remove(const char *state_directory, enum attestation_file file) {
        _cleanup_(close_fd_pointer) int folder = -1;
        int r = open_folder(state_directory, false, &folder);

        if (r < 0)
                return r == -ENOENT ? 0 : r;
        if (unlinkat(folder, names[file].name, 0) < 0)
                return errno == ENOENT ? 0 : -errno;
        return sync_folder(folder);
}

int attestation_state_read_key(const char *state_directory, struct tpm_attestation_key *ret) {
        struct tpm_attestation_key key = { 0 };
        struct buf to = BUF_ON(key.data);
        int r = attestation_state_read(state_directory, ATTESTATION_KEY, &to);

        if (r < 0)
                return r == -EMSGSIZE ? -EBADMSG : r;
        key.len = (uint16_t)to.len;
        *ret = key;
        return 0;
}

int attestation_state_save_key(void *state_directory, const struct tpm_attestation_key *key) {
        return attestation_state_write(state_directory, ATTESTATION_KEY,
                                       BYTES(key->data, key->len));
}
