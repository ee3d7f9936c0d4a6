/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* A folder for the files of one test, in memory where the system has a place for that. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct scratch {
        char path[256];
};

struct scratch_file {
        bool exists;
        size_t len;
        uint8_t *data;
};

/* These abort the test program if the system refuses: nothing can be tested then. */
void scratch_make(struct scratch *s);
/* On a disk, for what is to be measured with its syncs. */
void scratch_make_on_disk(struct scratch *s);
void scratch_remove(struct scratch *s);

/* The whole file; one that is not there is read, and written back, as not there. */
void scratch_read(const char *path, struct scratch_file *ret);
void scratch_write(const char *path, const struct scratch_file *f);
void scratch_file_done(struct scratch_file *f);
bool scratch_file_has(const struct scratch_file *f, const void *what, size_t n);
