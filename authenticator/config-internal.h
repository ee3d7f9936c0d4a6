/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/*
 * What the two files of config.h share, and nobody else includes: config-keys.c has the keys, config.c
 * the files.
 */

#include <stddef.h>
#include <stdio.h>

#include "authenticator/config.h"
#include "ctap/macro.h"

struct config_key {
        const char *section, *name;
        /* 0, -EINVAL or -ENOMEM. */
        int (*parse)(const char *text, void *field);
        void (*print)(const void *field, FILE *to);
        size_t field; /* where in struct config it is */
        const char *initial;
        const char *takes; /* what a value looks like, for the error message */
        const char *help;
};

/* All of them, those of a section together. */
const struct config_key *config_keys(size_t *ret_n);
/* The one that is most like what somebody wrote. */
const struct config_key *config_key_nearest(const char *section, const char *name);
