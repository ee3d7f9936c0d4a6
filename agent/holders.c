/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * From HID_PHYS to the node by sysfs, from the node to the programs by /proc. A link in /proc/PID/fd
 * names the node as the program opened it, which is /dev/hidrawN inside of a sandbox too.
 */

#include "agent/holders.h"

#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void close_directory(DIR **d) {
        if (*d)
                closedir(*d);
}

static DIR *open_directory(int at, const char *path) {
        int fd = openat(at, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        DIR *d = fd >= 0 ? fdopendir(fd) : NULL;

        if (!d && fd >= 0)
                close(fd);
        return d;
}

/* A small file, as text; its length, 0 if it cannot be read. */
static size_t read_file(int at, const char *path, char *to, size_t size) {
        int fd = openat(at, path, O_RDONLY | O_CLOEXEC);
        ssize_t n = fd >= 0 ? read(fd, to, size - 1) : 0;

        if (fd >= 0)
                close(fd);
        to[n > 0 ? n : 0] = '\0';
        return n > 0 ? (size_t)n : 0;
}

static bool has_line(char *text, const char *key, const char *value) {
        char *rest = text, *line;
        size_t n = strlen(key);

        while ((line = strsep(&rest, "\n")))
                if (strncmp(line, key, n) == 0 && strcmp(line + n, value) == 0)
                        return true;
        return false;
}

/* "/dev/hidrawN" of the device. */
static bool find_node(const char *sys, const char *phys, char *to, size_t size) {
        _cleanup_(close_directory) DIR *nodes = NULL;
        const struct dirent *e;
        char path[512], uevent[4096];

        snprintf(path, sizeof(path), "%s/class/hidraw", sys);
        nodes = open_directory(AT_FDCWD, path);
        while (nodes && (e = readdir(nodes))) {
                if (strncmp(e->d_name, "hidraw", 6) != 0)
                        continue;
                snprintf(path, sizeof(path), "%s/device/uevent", e->d_name);
                if (read_file(dirfd(nodes), path, uevent, sizeof(uevent)) == 0 ||
                    !has_line(uevent, "HID_PHYS=", phys))
                        continue;
                snprintf(to, size, "/dev/%s", e->d_name);
                return true;
        }
        return false;
}

static bool holds(int process, const char *node) {
        _cleanup_(close_directory) DIR *fds = open_directory(process, "fd");
        const struct dirent *e;
        char target[64];

        while (fds && (e = readdir(fds))) {
                ssize_t n = readlinkat(dirfd(fds), e->d_name, target, sizeof(target));

                if (n > 0 && (size_t)n == strlen(node) && memcmp(target, node, (size_t)n) == 0)
                        return true;
        }
        return false;
}

static const char *last_part(const char *path) {
        const char *slash = strrchr(path, '/');

        return slash ? slash + 1 : path;
}

/* Programs that are named after what they run. */
static bool is_interpreter(const char *name) {
        static const char *const names[] = { "python", "perl", "ruby", "node", "java", "bash" };

        for (size_t i = 0; i < ELEMENTSOF(names); i++)
                if (strncmp(name, names[i], strlen(names[i])) == 0)
                        return true;
        return false;
}

/* The file that is executed, or the script, or what the program calls itself. */
static bool name_of(int process, char *to, size_t size) {
        char exe[4096], line[4096];
        ssize_t n = readlinkat(process, "exe", exe, sizeof(exe) - 1);
        size_t length = read_file(process, "cmdline", line, sizeof(line));
        const char *second = length > 0 ? line + strlen(line) + 1 : line;
        const char *name = last_part(line);

        if (n > 0) {
                exe[n] = '\0';
                /* A program that was updated since. */
                if (n > 10 && strcmp(exe + n - 10, " (deleted)") == 0)
                        exe[n - 10] = '\0';
                name = last_part(exe);
                if (is_interpreter(name) && second < line + length && *second && *second != '-')
                        name = last_part(second);
        }
        snprintf(to, size, "%.*s", (int)size - 1, name);
        return *to;
}

static void look_at(int process, const char *node, uid_t uid, struct holders *h) {
        char *name = h->names[h->n];
        struct stat st;

        if (fstat(process, &st) < 0 || st.st_uid != uid || !holds(process, node) ||
            !name_of(process, name, sizeof(h->names[0])))
                return;
        for (unsigned i = 0; i < h->n; i++)
                if (strcmp(h->names[i], name) == 0)
                        return;
        h->n++;
}

void holders_find(const char *sys, const char *proc, const char *phys, uid_t uid,
                  struct holders *ret) {
        _cleanup_(close_directory) DIR *processes = NULL;
        const struct dirent *e;
        char node[300];

        *ret = (struct holders){ 0 };
        if (!find_node(sys, phys, node, sizeof(node)))
                return;
        processes = open_directory(AT_FDCWD, proc);
        while (processes && ret->n < HOLDERS_MAX && (e = readdir(processes))) {
                int process;

                if (!isdigit((unsigned char)*e->d_name))
                        continue;
                process = openat(dirfd(processes), e->d_name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
                if (process < 0)
                        continue;
                look_at(process, node, uid, ret);
                close(process);
        }
}
