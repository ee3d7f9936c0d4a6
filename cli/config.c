/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * config: what the daemon would read, asked of the daemon's program itself, which needs neither to
 * run nor to be allowed to start. $TPMAUTHND is for one that is not where it was installed to.
 */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "build-config.h"
#include "cli/cli.h"

int cmd_config(const struct options *o, char **operands) {
        const char *daemon = getenv("TPMAUTHND");
        const char *action = strcmp(operands[0], "cat") == 0      ? "--print-config"
                             : strcmp(operands[0], "verify") == 0 ? "--check-config"
                                                                  : NULL;

        (void)o;
        if (!action) {
                fputs("tpmauthn: config takes cat or verify\n", stderr);
                return EXIT_USAGE;
        }
        if (!daemon)
                daemon = TPMAUTHN_LIBEXEC_DIR "/tpmauthnd";

        if (operands[1])
                execl(daemon, daemon, action, "--config", operands[1], (char *)NULL);
        else
                execl(daemon, daemon, action, (char *)NULL);
        fprintf(stderr, "tpmauthn: %s could not be run: %s\n", daemon, strerror(errno));
        return EXIT_FAILED;
}
