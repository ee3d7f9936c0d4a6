/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* The commands of tpmauthn and what is said of them: one table for running, help and completions. */

#include "cli/cli.h"

struct command {
        const char *name;
        const char *operands; /* as the help shows them, with a blank before */
        int n_min, n_max;     /* of them */
        int (*run)(const struct options *o, char **operands);
        const char *summary;
        const char *details; /* lines of at most 80 columns */
};

/* NULL if there is none of that name. */
const struct command *command_find(const char *name);

void command_print_help(void);
int cmd_help(const struct options *o, char **operands);
