/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* The files that a browser gets, read once. */

#include <stdbool.h>
#include <stddef.h>

struct page {
        const char *path; /* "/" */
        const char *file;
        const char *type;
        char *text;
        size_t len;
};

#define N_PAGES 5

struct pages {
        struct page list[N_PAGES];
};

/* From a folder; says which it cannot read. */
int pages_read(const char *folder, struct pages *ret);
void pages_done(struct pages *p);
/* NULL: there is none. The look-alike has its own and no others. */
const struct page *pages_find(const struct pages *p, const char *path, bool is_other);
