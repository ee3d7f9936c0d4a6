/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* What every file of the daemon wants for _cleanup_: pointers, descriptors, streams. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ctap/macro.h"

static inline void free_pointer(void *pointer_to_pointer) {
        free(*(void **)pointer_to_pointer);
}

/* For text that must not stay in memory. */
static inline void free_secret(void *pointer_to_text) {
        char *text = *(char **)pointer_to_text;

        if (text)
                explicit_bzero(text, strlen(text));
        free(text);
}

static inline void close_stream(FILE **f) {
        if (*f)
                fclose(*f);
}

/* Closes a descriptor if there is one; gives -1 for the variable that held it. */
static inline int close_fd(int fd) {
        if (fd >= 0)
                close(fd);
        return -1;
}

static inline void close_fd_pointer(int *fd) {
        *fd = close_fd(*fd);
}

/* The descriptor's number; the variable becomes -1, so that its cleanup has nothing to do. */
static inline int take_fd(int *fd) {
        int taken = *fd;

        *fd = -1;
        return taken;
}
