/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* The command line of tpmauthnd: which files are read, and what of them is overridden. */

#include "authenticator/config.h"
#include "ctap/macro.h"

enum options_verdict {
        OPTIONS_RUN,
        OPTIONS_DONE,       /* what was asked for is printed */
        OPTIONS_USAGE,      /* the command line is wrong, and the error printed */
        OPTIONS_BAD_CONFIG, /* a file or a value is, likewise */
};

/* Fills the config from files and arguments. */
_must_check_ enum options_verdict options_read(int argc, char **argv, struct config *config);
