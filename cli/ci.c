/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The front of a run: what was started, and what its starter waits for and sends signals to. It forks the
 * keeper, and if that is killed, does what the keeper would have done at the end.
 */

#include "cli/ci.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/ci-folder.h"
#include "cli/ci-keeper.h"
#include "cli/ci-tree.h"
#include "cli/ci-uhid.h"
#include "cli/cli.h"

/* What means something to the command, and what must not end or stop the two processes. */
static void choose_signals(sigset_t *heard, sigset_t *blocked) {
        static const int passed_on[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2 };
        struct sigaction now;

        sigemptyset(heard);
        sigaddset(heard, SIGCHLD);
        for (size_t i = 0; i < sizeof(passed_on) / sizeof(passed_on[0]); i++)
                /* As under nohup: the command does not hear of it either. */
                if (sigaction(passed_on[i], NULL, &now) == 0 && now.sa_handler != SIG_IGN)
                        sigaddset(heard, passed_on[i]);
        *blocked = *heard;
        sigaddset(blocked, SIGPIPE);
        sigaddset(blocked, SIGTTOU);
}

static void reap(void *userdata) {
        (void)userdata;
        while (waitpid(-1, NULL, WNOHANG) > 0)
                ;
}

/*
 * The keeper was killed; what it kept is this process's now, which is a subreaper for it. The keeper has
 * said which folder it made.
 */
static int clean_up(int link) {
        struct ci_folder folder = { .fd = -1 };

        fputs("tpmauthn: the process that kept the run was killed\n", stderr);
        ci_tree_end((const pid_t[2]){ 0 }, reap, NULL);
        if (recv(link, folder.path, sizeof(folder.path), MSG_DONTWAIT) ==
            (ssize_t)sizeof(folder.path))
                ci_folder_remove(&folder);
        return CI_FAILED;
}

static void pass_on(int keeper, const struct signalfd_siginfo *info) {
        const struct ci_signal s = { .number = (int32_t)info->ssi_signo,
                                     .from_terminal = info->ssi_code > 0 };

        (void)!send(keeper, &s, sizeof(s), MSG_NOSIGNAL | MSG_DONTWAIT);
}

static int wait_for(pid_t keeper, int link, int signals) {
        struct signalfd_siginfo info;
        int status;

        for (;;) {
                ssize_t n = read(signals, &info, sizeof(info));

                if (n == (ssize_t)sizeof(info) && info.ssi_signo != SIGCHLD)
                        pass_on(link, &info);
                if (waitpid(keeper, &status, WNOHANG) == keeper)
                        return WIFEXITED(status) ? WEXITSTATUS(status) : clean_up(link);
        }
}

static int run(const struct ci_options *o) {
        sigset_t heard, blocked, before;
        int pair[2], signals;
        pid_t keeper;

        signal(SIGCHLD, SIG_DFL); /* or nobody could be waited for */
        choose_signals(&heard, &blocked);
        sigprocmask(SIG_BLOCK, &blocked, &before);
        prctl(PR_SET_CHILD_SUBREAPER, 1);
        signals = signalfd(-1, &heard, SFD_CLOEXEC);
        if (signals < 0 || socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
                return CI_FAILED;
        keeper = fork();
        if (keeper < 0)
                return CI_FAILED;
        if (keeper == 0) {
                close(pair[0]);
                close(signals);
                _exit(keeper_main(o, pair[1], &heard, &before));
        }
        close(pair[1]);
        return wait_for(keeper, pair[0], signals);
}

int ci_main(int argc, char **argv) {
        struct ci_options o;
        int status;

        switch (ci_options_read(argc, argv, &o)) {
        case CI_DONE:
                return EXIT_OK;
        case CI_USAGE:
                return CI_FAILED;
        case CI_RUN:
                break;
        }
        status = o.on_socket || o.in_machine ? 0 : ci_uhid_prepare();
        if (status == 0)
                status = run(&o);
        ci_options_done(&o);
        return status;
}

int cmd_ci(const struct options *o, char **operands) {
        (void)o;
        (void)operands;
        fputs("tpmauthn: ci run takes options of its own: tpmauthn ci run --help\n", stderr);
        return EXIT_USAGE;
}
