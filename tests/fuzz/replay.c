/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Runs a fuzz program once on each file of the directories given, with any compiler: what a fuzzer
 * has found stays found. The input is copied to memory of its exact size, so that reading past its
 * end is seen by valgrind and AddressSanitizer. A corpus without files is a failure.
 */

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/fuzz/fuzz.h"

static int run_descriptor(int fd) {
        uint8_t *data = NULL;
        struct stat st;
        size_t size;

        if (fstat(fd, &st) < 0)
                return -errno;
        if (!S_ISREG(st.st_mode))
                return -EINVAL;

        size = (size_t)st.st_size;
        data = malloc(size > 0 ? size : 1);
        if (!data)
                return -ENOMEM;
        if (read(fd, data, size) != st.st_size) {
                free(data);
                return -EIO;
        }
        (void)LLVMFuzzerTestOneInput(data, size);
        free(data);
        return 0;
}

static int run_file(int dir, const char *name) {
        int fd = openat(dir, name, O_RDONLY | O_CLOEXEC), r;

        if (fd < 0)
                return -errno;
        r = run_descriptor(fd);
        close(fd);
        return r;
}

/* The number of files, or a negative errno. */
static int run_directory(const char *path) {
        DIR *dir = opendir(path);
        int n = 0, r = 0;

        if (!dir)
                return -errno;
        for (struct dirent *e = readdir(dir); e && r == 0; e = readdir(dir)) {
                if (e->d_name[0] == '.')
                        continue;
                printf("%s/%s\n", path, e->d_name);
                fflush(stdout); /* the last line names the file that broke it */
                r = run_file(dirfd(dir), e->d_name);
                n++;
        }
        closedir(dir);
        return r < 0 ? r : n;
}

int main(int argc, char **argv) {
        int total = 0;

        for (int i = 1; i < argc; i++) {
                int n = run_directory(argv[i]);

                if (n < 0) {
                        fprintf(stderr, "%s: cannot replay it: %s\n", argv[i], strerror(-n));
                        return EXIT_FAILURE;
                }
                total += n;
        }
        if (total == 0) {
                fprintf(stderr, "usage: %s DIRECTORY-WITH-INPUTS...\n", argv[0]);
                return EXIT_FAILURE;
        }
        printf("%d inputs\n", total);
        return EXIT_SUCCESS;
}
