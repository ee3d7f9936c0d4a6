/* SPDX-License-Identifier: BSD-2-Clause */

/* tpmauthnd: argv → config → log → daemon → exit status. What argv may say is in options.h. */

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <syslog.h>
#include <unistd.h>

#include "authenticator/config.h"
#include "authenticator/control.h"
#include "authenticator/daemon.h"
#include "authenticator/log.h"
#include "authenticator/options.h"

/* A descriptor that is opened later must not become a standard one: the log would be written into it. */
static int fill_standard_fds(void) {
        int fd;

        do
                fd = open("/dev/null", O_RDWR);
        while (fd >= 0 && fd < STDERR_FILENO);
        if (fd < 0)
                return -errno;
        if (fd > STDERR_FILENO)
                close(fd);
        return 0;
}

/* What this process holds in memory must not reach a disk, and what it makes is its own. */
static int harden(void) {
        const struct rlimit no_core = { 0, 0 };

        umask(077);
        control_wipe_json();
        if (setrlimit(RLIMIT_CORE, &no_core) < 0 || prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
                return -errno;
        if (signal(SIGPIPE, SIG_IGN) == SIG_ERR)
                return -errno;
        /* libtss2 writes to stderr by itself; what matters of it is logged by tpm/. */
        if (setenv("TSS2_LOG", "all+NONE", 0) < 0)
                return -errno;
        return 0;
}

static int run(const struct config *config) {
        struct daemon *daemon;
        struct log log;
        int r;

        log_init(&log, config->log_level);
        r = harden();
        if (r == 0)
                r = daemon_new(config, &log, &daemon);
        if (r < 0) {
                log_write(&log, LOG_ERR, NULL, "tpmauthnd could not start: %s", strerror(-r));
                return EXIT_FAILURE;
        }

        r = daemon_run(daemon);
        daemon_free(daemon);
        if (r < 0)
                log_write(&log, LOG_ERR, NULL, "the event loop failed: %s", strerror(-r));
        return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}

int main(int argc, char **argv) {
        struct config config;
        enum options_verdict verdict;
        int status = EXIT_SUCCESS;

        if (fill_standard_fds() < 0)
                return EXIT_FAILURE;
        if (config_init(&config) < 0) {
                fprintf(stderr, "tpmauthnd: out of memory\n");
                return EXIT_FAILURE;
        }

        verdict = options_read(argc, argv, &config);
        if (verdict == OPTIONS_RUN)
                status = run(&config);
        else if (verdict == OPTIONS_USAGE)
                status = 2;
        else if (verdict == OPTIONS_BAD_CONFIG)
                status = 78; /* EX_CONFIG: systemd shows it as such */

        config_done(&config);
        return status;
}
