/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/*
 * The private folder of a run, below $TMPDIR. A lock on it lives as long as a process of the run does, so
 * that the next run can tell a folder that is in use from one that even a power cut left.
 */

#include "ctap/macro.h"

struct ci_folder {
        char path[64]; /* "": none */
        int fd;        /* which is locked, or -1 */
};

/* Removes what earlier runs left, makes one. 0, or -1 after printing why not. */
_must_check_ int ci_folder_make(struct ci_folder *ret);
/* With all that is in it. */
void ci_folder_remove(struct ci_folder *f);

/* A new file in it, for nobody else to read. 0, or -1 after printing why not. */
_must_check_ int ci_folder_write(const struct ci_folder *f, const char *name, const void *data,
                                 size_t size);

/* What tells this run from another in the name of its devices. */
const char *ci_folder_token(const struct ci_folder *f);
