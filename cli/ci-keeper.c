/* SPDX-License-Identifier: BSD-2-Clause */

/* See ci-keeper.h. Each step of the run gives 0, or the exit status with which the run ends. */

#include "cli/ci-keeper.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "cli/ci-authority.h"
#include "cli/ci-daemon.h"
#include "cli/ci-machine.h"
#include "cli/ci-nodes.h"
#include "cli/ci-tree.h"

#define READY_MS    120000 /* of sixteen devices on a machine that is emulated */
#define NODES_MS    30000
#define STEP_MS     5
#define RECORDER_MS 5000

static int on_stop(const struct keeper *k) {
        return CI_KILLED + k->stop;
}

static int on_daemon_end(const struct keeper *k, const char *when) {
        fprintf(stderr, "tpmauthn: the daemon ended %s. ", when);
        ci_daemon_print_log(k);
        return CI_FAILED;
}

static int await_ready(struct keeper *k) {
        switch (keeper_wait(k, READY_MS)) {
        case KEEPER_READY:
                return 0;
        case KEEPER_STOPPED:
                return on_stop(k);
        case KEEPER_DAEMON_ENDED:
                return on_daemon_end(k, "before it was ready");
        case KEEPER_CHILD_ENDED:
        case KEEPER_TIMEOUT:
                break;
        }
        fputs("tpmauthn: the daemon is not ready. ", stderr);
        ci_daemon_print_log(k);
        return CI_FAILED;
}

/* Until the child has ended, or the run has to. */
static int await_child(struct keeper *k) {
        for (;;)
                switch (keeper_wait(k, -1)) {
                case KEEPER_CHILD_ENDED:
                        k->child = -1;
                        return WIFEXITED(k->child_status) ? WEXITSTATUS(k->child_status)
                                                          : CI_KILLED + WTERMSIG(k->child_status);
                case KEEPER_STOPPED:
                        return on_stop(k);
                case KEEPER_DAEMON_ENDED:
                        return on_daemon_end(k, "too soon");
                case KEEPER_READY:
                case KEEPER_TIMEOUT:
                        break;
                }
}

static int set_up(struct keeper *k) {
        int status;

        k->child = keeper_fork(k);
        if (k->child < 0)
                return CI_FAILED;
        if (k->child == 0)
                _exit(ci_set_up(k));
        status = await_child(k);
        return status >= CI_KILLED && !k->stop ? CI_FAILED : status;
}

/* Its first word comes to where the daemon's came. */
static int start_recorder(struct keeper *k) {
        int status = 0;

        if (!k->options->trace)
                return 0;
        k->child = keeper_fork(k);
        if (k->child < 0)
                return CI_FAILED;
        if (k->child == 0)
                _exit(ci_record(k));
        switch (keeper_wait(k, READY_MS)) {
        case KEEPER_READY:
                break;
        case KEEPER_STOPPED:
                status = on_stop(k);
                break;
        case KEEPER_DAEMON_ENDED:
                status = on_daemon_end(k, "too soon");
                break;
        case KEEPER_CHILD_ENDED:
        case KEEPER_TIMEOUT:
                status = CI_FAILED;
                break;
        }
        k->recorder = k->child;
        k->child = -1;
        return status;
}

/* ---- nodes ---- */

/* NULL: all nodes are there and open; else what is missing. */
static const char *missing(const struct keeper *k, char (*nodes)[CI_NODE_MAX]) {
        static const char *const none = "the kernel has not made it";
        const unsigned n = k->options->n_devices;
        char name[32];

        snprintf(name, sizeof(name), " ci-%s", ci_folder_token(k->folder));
        if (ci_nodes_find("", name, n, nodes) < n)
                return none;
        for (unsigned i = 0; i < n; i++) {
                const char *lacks = ci_node_lacks("", nodes[i]);

                if (lacks)
                        return lacks;
        }
        return NULL;
}

static int await_nodes(struct keeper *k, char (*nodes)[CI_NODE_MAX]) {
        const char *what = missing(k, nodes);

        for (int ms = 0; what && ms < NODES_MS; ms += STEP_MS) {
                switch (keeper_wait(k, STEP_MS)) {
                case KEEPER_STOPPED:
                        return on_stop(k);
                case KEEPER_DAEMON_ENDED:
                        return on_daemon_end(k, "too soon");
                case KEEPER_CHILD_ENDED:
                case KEEPER_READY:
                case KEEPER_TIMEOUT:
                        break;
                }
                what = missing(k, nodes);
        }
        if (what)
                fprintf(stderr, "tpmauthn: the node of a device cannot be used: %s\n", what);
        return what ? CI_FAILED : 0;
}

static int set_nodes(struct keeper *k) {
        char nodes[CI_DEVICES_MAX][CI_NODE_MAX], all[CI_DEVICES_MAX * CI_PATH_MAX] = "";
        int status = k->options->on_socket ? 0 : await_nodes(k, nodes);

        for (unsigned i = 0; status == 0 && i < k->options->n_devices; i++) {
                char path[CI_PATH_MAX];

                ci_device_path(k, i, path);
                snprintf(all + strlen(all), sizeof(all) - strlen(all), "%s%s", i > 0 ? " " : "",
                         k->options->on_socket ? path : nodes[i]);
        }
        setenv("TPMAUTHN_HIDRAW", all, 1);
        return status;
}

/* ---- the command ---- */

/* Does not return. */
static void become_command(const struct keeper *k) {
        char control[CI_PATH_MAX];
        int status;

        ci_control_path(k, control);
        setenv("TPMAUTHN_CTL", control, 1);
        setenv("TPMAUTHN_SOCKET", control, 1);
        if (k->options->attested) {
                char authority[CI_PATH_MAX];

                snprintf(authority, sizeof(authority), "%s/" CI_AUTHORITY, k->folder->path);
                setenv("TPMAUTHN_CA", authority, 1);
        } else {
                unsetenv("TPMAUTHN_CA"); /* of a run around this one */
        }
        /* In front of the terminal, if that is where all this was started. */
        setpgid(0, k->group);
        execvp(k->options->command[0], k->options->command);
        status = errno == ENOENT ? CI_NOT_FOUND : CI_NOT_RUNNABLE;
        fprintf(stderr, "tpmauthn: %s could not be run: %s\n", k->options->command[0],
                strerror(errno));
        _exit(status);
}

static int run_child(struct keeper *k, void (*become)(const struct keeper *k)) {
        k->child_is_command = true;
        k->child = keeper_fork(k);
        if (k->child < 0)
                return CI_FAILED;
        if (k->child == 0)
                become(k);
        return await_child(k);
}

/* ---- all of it ---- */

static int run(struct keeper *k) {
        const bool in_machine = k->options->in_machine;
        int status = in_machine ? ci_machine_check() : 0;

        if (status == 0)
                status = ci_daemon_keep(k);
        if (status == 0 && in_machine)
                return run_child(k, ci_machine_become);
        if (status == 0)
                status = ci_daemon_start(k);
        if (status == 0)
                status = await_ready(k);
        if (status == 0)
                status = set_up(k);
        if (status == 0)
                status = start_recorder(k);
        if (status == 0)
                status = set_nodes(k);
        if (status == 0)
                status = run_child(k, become_command);
        return status;
}

/* It goes on until the daemon has nothing more to say, and then ends its files. */
static void await_recorder(struct keeper *k) {
        const struct timespec step = { .tv_nsec = STEP_MS * 1000000 };

        for (int ms = 0; k->recorder > 0 && ms < RECORDER_MS; ms += STEP_MS) {
                nanosleep(&step, NULL);
                keeper_reap(k);
        }
}

/* The command's processes first, while what they use is still there. */
static void end(struct keeper *k) {
        ci_tree_end((const pid_t[2]){ k->daemon, k->recorder }, keeper_reap, k);
        ci_daemon_stop(k);
        await_recorder(k);
        ci_tree_end((const pid_t[2]){ 0 }, keeper_reap, k);
        ci_folder_remove(k->folder);
}

/* The front has to know it as soon as it is there. */
static int make_folder(struct keeper *k) {
        if (ci_folder_make(k->folder) < 0 ||
            send(k->front, k->folder->path, sizeof(k->folder->path), MSG_NOSIGNAL) < 0)
                return CI_FAILED;
        return 0;
}

int keeper_main(const struct ci_options *o, int front, const sigset_t *heard,
                const sigset_t *mask) {
        struct ci_folder folder = { .fd = -1 };
        struct keeper k = { .options = o,
                            .folder = &folder,
                            .mask = mask,
                            .group = getpgrp(),
                            .front = front,
                            .notify = -1,
                            .kept = -1,
                            .daemon = -1,
                            .child = -1,
                            .recorder = -1 };
        int status = CI_FAILED;

        /* Who kills the front by its group or its name shall not reach this one. */
        setpgid(0, 0);
        prctl(PR_SET_NAME, "ci-keeper");
        prctl(PR_SET_CHILD_SUBREAPER, 1);
        k.signals = signalfd(-1, heard, SFD_CLOEXEC | SFD_NONBLOCK);
        if (k.signals >= 0)
                status = make_folder(&k);
        if (status == 0)
                status = run(&k);
        end(&k);
        return status;
}
