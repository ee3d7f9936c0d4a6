/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The order is: everything into the one file, closed, its new name, the folder synced. A crash in
 * between leaves the store under the one name or the other, whole.
 */

#include "authenticator/store-aside.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "authenticator/store-file.h"
#include "authenticator/util.h"

#define MARK      ".replaced-"
#define RESTORED  ".before-restore-"
#define NAMES_MAX 100 /* within one minute */

/* Where the last part of a path begins. */
static const char *name_of(const char *path) {
        const char *slash = strrchr(path, '/');

        return slash ? slash + 1 : path;
}

static int fail(const struct store_file *f, int e) {
        return store_file_fail_system(f, e, "set the store aside");
}

/* Somebody else opened it meanwhile if there is a -wal again: its newest commits are in there. */
static int check_whole(const struct store_file *f) {
        char path[PATH_MAX];
        struct stat st;

        if (snprintf(path, sizeof(path), "%s-wal", f->path) >= (int)sizeof(path))
                return fail(f, ENAMETOOLONG);
        if (stat(path, &st) < 0)
                return errno == ENOENT ? 0 : fail(f, errno);
        if (st.st_size > 0)
                return store_file_fail(f, -EBUSY, "set the store aside", "its -wal is in use");
        return 0;
}

/* Some file systems know no RENAME_NOREPLACE; the folder is ours alone, so that looking is enough. */
static int rename_to_free_name(const char *from, const char *to) {
        struct stat st;

        if (renameat2(AT_FDCWD, from, AT_FDCWD, to, RENAME_NOREPLACE) == 0)
                return 0;
        if (errno != EINVAL && errno != ENOSYS)
                return -errno;
        if (lstat(to, &st) == 0)
                return -EEXIST;
        return rename(from, to) < 0 ? -errno : 0;
}

/* Under both names, until the old one is another file's. */
static int link_to_free_name(const char *from, const char *to) {
        return link(from, to) < 0 ? -errno : 0;
}

typedef int give_name_fn(const char *from, const char *to);

static int give_name(const struct store_file *f, give_name_fn *give, const char *mark, time_t now,
                     char *ret_name) {
        char to[PATH_MAX], stamp[32];
        struct tm tm;
        int r = -EEXIST;

        if (!localtime_r(&now, &tm) || strftime(stamp, sizeof(stamp), "%Y-%m-%dT%H%M", &tm) == 0)
                snprintf(stamp, sizeof(stamp), "%lld", (long long)now);

        for (int i = 1; r == -EEXIST && i < NAMES_MAX; i++) {
                int n = i == 1 ? snprintf(to, sizeof(to), "%s%s%s", f->path, mark, stamp)
                               : snprintf(to, sizeof(to), "%s%s%s-%d", f->path, mark, stamp, i);

                if (n < 0 || (size_t)n >= sizeof(to) || strlen(name_of(to)) > NAME_MAX)
                        return fail(f, ENAMETOOLONG);
                r = give(f->path, to);
        }
        if (r < 0)
                return fail(f, -r);
        strcpy(ret_name, name_of(to)); /* not longer than NAME_MAX, as seen above */
        return 0;
}

static struct store_file file_of(const struct store_options *options) {
        return (struct store_file){ .path = (char *)(uintptr_t)options->path,
                                    .log = options->log,
                                    .userdata = options->userdata };
}

int store_set_aside(struct store *s, const struct store_options *options, time_t now,
                    char ret_name[static NAME_MAX + 1]) {
        const struct store_file f = file_of(options);
        char name[NAME_MAX + 1];
        int r;

        r = store_close_whole(s);
        if (r == 0)
                r = check_whole(&f);
        if (r == 0)
                r = give_name(&f, rename_to_free_name, MARK, now, name);
        if (r == 0)
                r = store_file_sync_folder(&f);
        if (r < 0)
                return r;
        strcpy(ret_name, name);
        return 0;
}

int store_replace(struct store *s, const struct store_options *options, const char *path,
                  time_t now, char ret_name[static NAME_MAX + 1]) {
        const struct store_file f = file_of(options);
        char name[NAME_MAX + 1];
        int r;

        r = store_close_whole(s);
        if (r == 0)
                r = check_whole(&f);
        if (r == 0)
                r = give_name(&f, link_to_free_name, RESTORED, now, name);
        if (r == 0)
                r = store_file_sync_folder(&f);
        if (r == 0 && rename(path, f.path) < 0)
                r = fail(&f, errno);
        if (r == 0)
                r = store_file_sync_folder(&f);
        if (r < 0)
                return r;
        strcpy(ret_name, name);
        return 0;
}

static void close_dir(DIR **d) {
        if (*d)
                (void)closedir(*d);
}

/* After a crash while it was read. */
static bool is_wal(const char *name) {
        const char *dash = strrchr(name, '-');

        return dash && (strcmp(dash, "-wal") == 0 || strcmp(dash, "-shm") == 0);
}

static int find(const char *path, const char *mark, char ret_name[static NAME_MAX + 1],
                unsigned *ret_n) {
        size_t base = strlen(name_of(path));
        char folder[PATH_MAX], newest[NAME_MAX + 1] = "";
        _cleanup_(close_dir) DIR *d = NULL;
        struct dirent *entry;
        unsigned n = 0;

        snprintf(folder, sizeof(folder), "%.*s.", (int)(name_of(path) - path), path);
        d = opendir(folder);
        if (!d)
                return -errno;
        while ((entry = readdir(d)) != NULL) {
                if (strncmp(entry->d_name, name_of(path), base) != 0 ||
                    strncmp(entry->d_name + base, mark, strlen(mark)) != 0 || is_wal(entry->d_name))
                        continue;
                n++;
                if (strverscmp(entry->d_name, newest) > 0)
                        strcpy(newest, entry->d_name);
        }
        if (n == 0)
                return -ENOENT;
        strcpy(ret_name, newest);
        *ret_n = n;
        return 0;
}

int store_find_aside(const char *path, char ret_name[static NAME_MAX + 1], unsigned *ret_n) {
        return find(path, MARK, ret_name, ret_n);
}

int store_find_replaced(const char *path, char ret_path[static PATH_MAX]) {
        char name[NAME_MAX + 1];
        unsigned n;
        int length, r = find(path, RESTORED, name, &n);

        if (r < 0)
                return r;
        length = snprintf(ret_path, PATH_MAX, "%.*s%s", (int)(name_of(path) - path), path, name);
        return length < 0 || length >= PATH_MAX ? -ENAMETOOLONG : 0;
}
