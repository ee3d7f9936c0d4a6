/* SPDX-License-Identifier: BSD-2-Clause */

/* The one place where the keeper waits. What it has heard stays in the struct until it is asked for. */

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/ci-keeper.h"
#include "cli/ci-tree.h"

/* Orphans come here too. */
void keeper_reap(void *userdata) {
        struct keeper *k = userdata;
        int status;
        pid_t pid;

        while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
                if (pid == k->daemon)
                        k->daemon = 0;
                if (pid == k->recorder)
                        k->recorder = 0;
                if (pid == k->child) {
                        k->child = 0;
                        k->child_status = status;
                }
        }
}

/* The command decides what a signal means to it; before and after it, a signal ends the run. */
static void on_signal(struct keeper *k, struct ci_signal s) {
        if (k->child <= 0 || !k->child_is_command)
                k->stop = s.number;
        else if (!s.from_terminal)
                kill(k->child, s.number);
}

static void hear_front(struct keeper *k) {
        struct ci_signal s;
        ssize_t n = recv(k->front, &s, sizeof(s), MSG_DONTWAIT);

        if (n == (ssize_t)sizeof(s))
                on_signal(k, s);
        else if (n == 0)
                k->stop = SIGKILL;
}

static void hear_signals(struct keeper *k) {
        struct signalfd_siginfo info;

        while (read(k->signals, &info, sizeof(info)) == (ssize_t)sizeof(info))
                if (info.ssi_signo != SIGCHLD)
                        on_signal(k, (struct ci_signal){ .number = (int32_t)info.ssi_signo });
        keeper_reap(k);
}

/* It says more than that; all of it has to be read, or else the daemon stands still. */
static void hear_daemon(struct keeper *k) {
        char text[1024];
        ssize_t n;

        while ((n = recv(k->notify, text, sizeof(text) - 1, MSG_DONTWAIT)) > 0) {
                text[n] = '\0';
                if (strncmp(text, "READY=1", 7) == 0 || strstr(text, "\nREADY=1"))
                        k->ready = true;
        }
}

enum keeper_event keeper_wait(struct keeper *k, int ms) {
        const long until = ci_now() + ms;

        for (;;) {
                struct pollfd p[] = { { .fd = k->front, .events = POLLIN },
                                      { .fd = k->signals, .events = POLLIN },
                                      { .fd = k->notify, .events = POLLIN } };
                long left = until - ci_now();

                if (k->stop)
                        return KEEPER_STOPPED;
                if (k->child == 0)
                        return KEEPER_CHILD_ENDED;
                if (k->daemon == 0)
                        return KEEPER_DAEMON_ENDED;
                if (k->ready) {
                        k->ready = false;
                        return KEEPER_READY;
                }
                if (ms >= 0 && left <= 0)
                        return KEEPER_TIMEOUT;

                poll(p, 3, ms < 0 ? -1 : (int)left);
                if (p[0].revents)
                        hear_front(k);
                if (p[1].revents)
                        hear_signals(k);
                if (p[2].revents)
                        hear_daemon(k);
        }
}

pid_t keeper_fork(const struct keeper *k) {
        const pid_t self = getpid();
        pid_t pid = fork();

        if (pid < 0)
                fprintf(stderr, "tpmauthn: no process could be made: %s\n", strerror(errno));
        if (pid != 0)
                return pid;
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (getppid() != self)
                _exit(CI_FAILED);
        sigprocmask(SIG_SETMASK, k->mask, NULL);
        return 0;
}
