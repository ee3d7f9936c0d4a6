/* SPDX-License-Identifier: BSD-2-Clause */

/* trace: writes down what is said until it is told to stop. */

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "cli/cli.h"
#include "cli/client.h"
#include "cli/trace-recorder.h"

/* Ctrl-C, a service manager, and the end of a terminal; not what who started this ignores. */
static int catch_stop(void) {
        static const int numbers[] = { SIGINT, SIGTERM, SIGHUP };
        struct sigaction now;
        sigset_t all;

        sigemptyset(&all);
        for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
                if (sigaction(numbers[i], NULL, &now) == 0 && now.sa_handler != SIG_IGN)
                        sigaddset(&all, numbers[i]);
        sigprocmask(SIG_BLOCK, &all, NULL);
        return signalfd(-1, &all, SFD_CLOEXEC);
}

/* EXIT_OK: it was stopped. */
static int record(struct trace_recorder *r, int stop) {
        struct pollfd fds[] = { { .fd = stop, .events = POLLIN },
                                { .fd = trace_recorder_fd(r), .events = POLLIN } };

        for (;;) {
                if (poll(fds, 2, -1) < 0 && errno != EINTR)
                        return EXIT_FAILED;
                if (fds[1].revents != 0 && !trace_recorder_read(r)) {
                        fputs("tpmauthn: the daemon has ended the trace\n", stderr);
                        return EXIT_UNREACHABLE;
                }
                if (fds[0].revents != 0)
                        return EXIT_OK;
        }
}

static void print_end(const struct options *o, const char *path, unsigned long n) {
        json_t *done;

        if (!o->json) {
                printf("%lu messages.\n", n);
                return;
        }
        done = json_pack("{s:s,s:I}", "file", path, "messages", (json_int_t)n);
        print_json(done);
        json_decref(done);
}

int cmd_trace(const struct options *o, char **operands) {
        struct trace_recorder *r = NULL;
        int stop, status, closed;
        unsigned long n;

        if (!trace_recorder_knows(operands[0])) {
                fprintf(stderr,
                        "tpmauthn: trace writes files whose names end in .pcapng or .txt, and not "
                        "%s\n",
                        operands[0]);
                return EXIT_USAGE;
        }
        stop = catch_stop();
        status = trace_recorder_open(o, false, o->secrets, &r);
        if (status != EXIT_OK)
                return status;
        status = trace_recorder_add(r, (unsigned)o->device, operands[0]);
        if (status == EXIT_OK) {
                /* Programs that wait for it need not guess. */
                fprintf(stderr, "tpmauthn: writing to %s until Ctrl-C\n", operands[0]);
                status = record(r, stop);
        }
        n = trace_recorder_count(r);
        closed = trace_recorder_close(r);
        close(stop);
        if (closed == EXIT_OK && status == EXIT_OK)
                print_end(o, operands[0], n);
        return status == EXIT_OK ? closed : status;
}
