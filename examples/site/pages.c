/* SPDX-License-Identifier: BSD-2-Clause */

/* Five files, none of which is long. */

#include "examples/site/pages.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PAGE_MAX_BYTES 262144
#define N_OTHER        2 /* the last ones are the look-alike's */

static const struct page files[N_PAGES] = {
        { "/", "page.html", "text/html; charset=utf-8", NULL, 0 },
        { "/page.css", "page.css", "text/css; charset=utf-8", NULL, 0 },
        { "/page.js", "page.js", "text/javascript; charset=utf-8", NULL, 0 },
        { "/", "look-alike.html", "text/html; charset=utf-8", NULL, 0 },
        { "/look-alike.js", "look-alike.js", "text/javascript; charset=utf-8", NULL, 0 },
};

static int read_stream(FILE *from, struct page *to) {
        to->text = malloc(PAGE_MAX_BYTES);
        if (!to->text)
                return -ENOMEM;
        to->len = fread(to->text, 1, PAGE_MAX_BYTES, from);
        if (ferror(from))
                return -EIO;
        return to->len == PAGE_MAX_BYTES ? -EFBIG : 0;
}

static int read_page(const char *folder, struct page *page) {
        char path[PATH_MAX];
        FILE *from = NULL;
        int n = snprintf(path, sizeof(path), "%s/%s", folder, page->file), r;

        if (n > 0 && (size_t)n < sizeof(path))
                from = fopen(path, "re");
        r = from ? read_stream(from, page) : errno ? -errno : -ENAMETOOLONG;
        if (from)
                fclose(from);
        if (r < 0)
                fprintf(stderr, "site: %s: %s\n", path, strerror(-r));
        return r;
}

int pages_read(const char *folder, struct pages *ret) {
        int r = 0;

        memcpy(ret->list, files, sizeof(files));
        for (size_t i = 0; i < N_PAGES && r == 0; i++)
                r = read_page(folder, &ret->list[i]);
        return r;
}

void pages_done(struct pages *p) {
        for (size_t i = 0; i < N_PAGES; i++)
                free(p->list[i].text);
}

const struct page *pages_find(const struct pages *p, const char *path, bool is_other) {
        size_t from = is_other ? N_PAGES - N_OTHER : 0, to = is_other ? N_PAGES : N_PAGES - N_OTHER;

        for (size_t i = from; i < to; i++)
                if (strcmp(p->list[i].path, path) == 0)
                        return &p->list[i];
        return NULL;
}
