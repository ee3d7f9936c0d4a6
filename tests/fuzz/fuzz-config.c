/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * authenticator/config.c on any file. Either the file is taken without a word, and then what is
 * printed of it is taken again and prints the same; or something is said about it. The first line is
 * also tried as an assignment of the command line.
 */

#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "authenticator/config.h"
#include "tests/fuzz/fuzz.h"

/* What was printed or complained about. */
struct text {
        FILE *to;
        char *data;
        size_t size;
};

static void text_open(struct text *t) {
        *t = (struct text){ 0 };
        t->to = open_memstream(&t->data, &t->size);
        require(t->to);
}

static void text_close(struct text *t) {
        require(fclose(t->to) == 0);
        t->to = NULL;
}

static int read_config(struct config *c, const void *data, size_t n, struct text *complaints) {
        int fd = memfd_create("config", MFD_CLOEXEC), r;
        struct config_places places = { .file_required = true };
        char path[64];

        require(fd >= 0);
        require(write(fd, data, n) == (ssize_t)n);
        snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
        places.file = path;
        require(config_init(c) == 0);
        text_open(complaints);
        r = config_read(c, &places, complaints->to);
        text_close(complaints);
        close(fd);
        return r;
}

static void check_values(const struct config *c) {
        require(c->state_directory && c->runtime_directory && c->device && c->name && c->tpm);
        require(c->count >= 1 && c->count <= CONFIG_DEVICES_MAX);
        require(c->nv.first <= c->nv.last && c->persistent.first <= c->persistent.last);
        require(c->large_blobs == 0 || (c->large_blobs >= 1024 && c->large_blobs <= 1048576));
}

static void print_config(const struct config *c, struct text *ret) {
        text_open(ret);
        config_print(c, ret->to);
        text_close(ret);
}

static void try_file(const void *data, size_t n) {
        struct text complaints, printed, again;
        struct config c, d;
        int r = read_config(&c, data, n, &complaints);

        require((r < 0) == (complaints.size > 0));
        free(complaints.data);
        check_values(&c); /* also of a file that is wrong in places */
        print_config(&c, &printed);
        config_done(&c);

        r = read_config(&d, printed.data, printed.size, &complaints);
        require(r == 0 && complaints.size == 0);
        print_config(&d, &again);
        require(printed.size == again.size);
        require(memcmp(printed.data, again.data, printed.size) == 0);
        config_done(&d);
        free(complaints.data);
        free(printed.data);
        free(again.data);
}

static void try_assignment(const uint8_t *data, size_t n) {
        struct text complaints;
        struct config c;
        char *text = strndup((const char *)data, n);
        int r;

        require(text && config_init(&c) == 0);
        text_open(&complaints);
        text[strcspn(text, "\n")] = '\0';
        r = config_set(&c, text, complaints.to);
        text_close(&complaints);
        require((r < 0) == (complaints.size > 0));
        check_values(&c);
        config_done(&c);
        free(complaints.data);
        free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        try_file(data, size);
        if (size > 0)
                try_assignment(data, size);
        return 0;
}
