/* SPDX-License-Identifier: BSD-2-Clause */

/* The recorder of a run, in a process of its own, so that no disk keeps the keeper waiting. */

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "cli/ci-daemon.h"
#include "cli/cli.h"
#include "cli/trace-recorder.h"

static const char *const kinds[] = { "pcapng", "txt" };

static void name_file(const char *folder, unsigned device, const char *kind,
                      char ret[static PATH_MAX]) {
        snprintf(ret, PATH_MAX, "%s/key-%u.%s", folder, device, kind);
}

/* Those that an earlier run with more devices left would be taken for this one's. */
static void remove_older(const char *folder, unsigned n_devices) {
        char path[PATH_MAX];

        for (unsigned i = 2 * n_devices; i < 2 * CI_DEVICES_MAX; i++) {
                name_file(folder, i / 2, kinds[i % 2], path);
                (void)unlink(path);
        }
}

static int add_files(struct trace_recorder *r, const char *folder, unsigned n_devices) {
        char path[PATH_MAX];
        int status = EXIT_OK;

        if (mkdir(folder, 0700) < 0 && errno != EEXIST) {
                fprintf(stderr, "tpmauthn: %s could not be made: %s\n", folder, strerror(errno));
                return EXIT_FAILED;
        }
        for (unsigned i = 0; status == EXIT_OK && i < 2 * n_devices; i++) {
                name_file(folder, i / 2, kinds[i % 2], path);
                status = trace_recorder_add(r, i / 2, path);
        }
        if (status == EXIT_OK)
                remove_older(folder, n_devices);
        return status;
}

static void say_ready(const struct keeper *k) {
        static const char ready[] = "READY=1";
        struct sockaddr_un to = { .sun_family = AF_UNIX };
        char path[CI_PATH_MAX];

        ci_notify_path(k, path);
        snprintf(to.sun_path, sizeof(to.sun_path), "%s", path);
        (void)!sendto(k->notify, ready, sizeof(ready) - 1, 0, (const struct sockaddr *)&to,
                      sizeof(to));
}

int ci_record(const struct keeper *k) {
        const struct ci_options *o = k->options;
        char control[CI_PATH_MAX];
        const struct options client = { .socket = control };
        struct trace_recorder *r = NULL;
        int status;

        ci_control_path(k, control);
        status = trace_recorder_open(&client, true, o->trace_secrets, &r);
        if (status == EXIT_OK)
                status = add_files(r, o->trace, o->n_devices);
        if (status == EXIT_OK) {
                struct pollfd p = { .fd = trace_recorder_fd(r), .events = POLLIN };

                say_ready(k);
                do
                        poll(&p, 1, -1);
                while (trace_recorder_read(r));
        }
        if (r && trace_recorder_close(r) != EXIT_OK)
                status = EXIT_FAILED;
        return status == EXIT_OK ? 0 : CI_FAILED;
}
