/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * swtpm takes one end of a socketpair (--fd), so that there is no path and no port that anybody else
 * could reach. It starts up by itself (--flags not-need-init,startup-clear), ends when the other end
 * is closed, and is killed with this process. The child changes into the folder first, because
 * swtpm's option syntax knows no escapes for the characters of a path.
 */

#include "authenticator/simulator.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "authenticator/util.h"

#define STOP_MS      2000
#define LOCK_MS      3000
#define LOCK_STEP_MS 20
#define CHILD_FD     3
#define CHILD_FD_ARG "3"

struct simulator {
        pid_t pid;
        int pidfd;
        int fd;
};

/*
 * A simulator whose daemon was killed a moment ago may not be gone yet, and swtpm does not wait for the
 * lock on its state. One that keeps it is told of by swtpm itself.
 */
static void await_lock(void) {
        const struct timespec step = { .tv_nsec = LOCK_STEP_MS * 1000000 };
        int fd = open(".lock", O_RDWR | O_CLOEXEC | O_NOFOLLOW);

        for (int i = 0; fd >= 0 && i < LOCK_MS / LOCK_STEP_MS; i++) {
                struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };

                if (fcntl(fd, F_GETLK, &lock) < 0 || lock.l_type == F_UNLCK)
                        break;
                nanosleep(&step, NULL);
        }
        close_fd(fd);
}

/* In the child, between fork and exec: system calls only. Returns if something failed. */
static void become_swtpm(const char *folder, int socket, pid_t parent) {
        static const char *const argv[] = { "swtpm",
                                            "socket",
                                            "--tpm2",
                                            "--fd",
                                            CHILD_FD_ARG,
                                            "--tpmstate",
                                            "dir=.,mode=0600",
                                            "--flags",
                                            "not-need-init,startup-clear",
                                            NULL };
        int out;

        if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || getppid() != parent)
                return;
        /* Away from the terminal: Ctrl-C is for the daemon, which shuts the TPM down first. */
        if (setsid() < 0)
                return;
        if (chdir(folder) < 0)
                return;
        await_lock();
        out = open("swtpm.log", O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW, 0600);
        if (out < 0 || dup2(out, STDOUT_FILENO) < 0 || dup2(out, STDERR_FILENO) < 0)
                return;
        if (dup2(socket, CHILD_FD) < 0)
                return;
        execvp(argv[0], (char *const *)(uintptr_t)argv);
}

static _Noreturn void run_child(const char *folder, int socket, int status, pid_t parent) {
        sigset_t none;
        int e;

        /* The loop takes its signals by signalfd; swtpm wants to be ended by them. */
        sigemptyset(&none);
        sigprocmask(SIG_SETMASK, &none, NULL);
        /* Away from the number that the socket is about to get. */
        status = fcntl(status, F_DUPFD_CLOEXEC, CHILD_FD + 1);
        socket = fcntl(socket, F_DUPFD_CLOEXEC, CHILD_FD + 1);
        become_swtpm(folder, socket, parent);
        e = errno != 0 ? errno : ESRCH;
        (void)!write(status, &e, sizeof(e));
        _exit(127);
}

static void explain(struct buf *reason, const char *folder, int error) {
        char text[512];

        if (error == ENOENT)
                snprintf(text, sizeof(text),
                         "the program swtpm was not found: install the package swtpm "
                         "(apt-get install swtpm), or set [tpm] tpm to a real TPM");
        else
                snprintf(text, sizeof(text), "swtpm could not be started with its state in %s: %s",
                         folder, strerror(error));
        buf_put(reason, BYTES_TEXT(text));
}

/* 0 once the child runs swtpm, else the errno of what it could not do. */
static int child_errno(int status) {
        int e = 0;
        ssize_t n;

        do
                n = read(status, &e, sizeof(e));
        while (n < 0 && errno == EINTR);

        return n == (ssize_t)sizeof(e) ? e : 0;
}

static int start(const char *folder, struct simulator *s) {
        _cleanup_(close_fd_pointer) int theirs = -1, status_read = -1, status_write = -1;
        int pair[2], status[2], e;
        pid_t parent = getpid();

        if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
                return -errno;
        s->fd = pair[0];
        theirs = pair[1];
        if (pipe2(status, O_CLOEXEC) < 0)
                return -errno;
        status_read = status[0];
        status_write = status[1];

        s->pid = fork();
        if (s->pid < 0)
                return -errno;
        if (s->pid == 0)
                run_child(folder, theirs, status_write, parent);

        s->pidfd = pidfd_open(s->pid, 0);
        if (s->pidfd < 0)
                return -errno;
        status_write = close_fd(status_write);
        e = child_errno(status_read);
        return -e;
}

int simulator_start(const char *folder, struct simulator **ret, struct buf *reason) {
        struct simulator *s = malloc(sizeof(*s));
        int r;

        if (!s)
                return -ENOMEM;
        *s = (struct simulator){ .pid = -1, .pidfd = -1, .fd = -1 };

        r = start(folder, s);
        if (r < 0) {
                explain(reason, folder, -r);
                simulator_stop(s);
                return r;
        }

        *ret = s;
        return 0;
}

/* One that hangs hears of no SIGTERM. */
static bool ends_in_time(const struct simulator *s) {
        struct pollfd p = { .fd = s->pidfd, .events = POLLIN };

        return s->pidfd >= 0 && poll(&p, 1, STOP_MS) == 1;
}

struct simulator *simulator_stop(struct simulator *s) {
        if (!s)
                return NULL;
        close_fd(s->fd);
        if (s->pid > 0) {
                kill(s->pid, SIGTERM);
                if (!ends_in_time(s))
                        kill(s->pid, SIGKILL);
                while (waitpid(s->pid, NULL, 0) < 0 && errno == EINTR)
                        ;
        }
        close_fd(s->pidfd);
        free(s);
        return NULL;
}

int simulator_fd(const struct simulator *s) {
        return s->fd;
}

int simulator_pidfd(const struct simulator *s) {
        return s->pidfd;
}
