/* SPDX-License-Identifier: BSD-2-Clause */

/* A private swtpm: see swtpm.h. */

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "ctap/bytes.h"
#include "tests/system/swtpm.h"

static void die(const char *what) {
        fprintf(stderr, "swtpm: %s: %s\n", what, strerror(errno));
        abort();
}

static void nap(void) {
        const struct timespec ms = { .tv_nsec = 5000000 };

        (void)nanosleep(&ms, NULL);
}

static void run(const char *const argv[]) {
        pid_t pid = fork();
        int status;

        if (pid < 0)
                die("fork");
        if (pid == 0) {
                (void)execvp(argv[0], (char *const *)argv);
                _exit(127);
        }
        if (waitpid(pid, &status, 0) < 0 || status != 0)
                die(argv[0]);
}

/* Becomes swtpm, which ends with us. Its chatter goes to a file beside its state. */
static void become(const char *dir, const char *const argv[], pid_t parent) {
        char log[128];
        int fd;

        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (getppid() != parent)
                _exit(1);
        (void)snprintf(log, sizeof(log), "%s/log", dir);
        fd = open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
        if (fd >= 0) {
                (void)dup2(fd, STDOUT_FILENO);
                (void)dup2(fd, STDERR_FILENO);
        }
        (void)execvp("swtpm", (char *const *)argv);
        _exit(127);
}

static int connect_to(int port) {
        const struct sockaddr_in to = { .sin_family = AF_INET,
                                        .sin_port = htons((uint16_t)port),
                                        .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

        if (fd < 0)
                die("socket");
        if (connect(fd, (const struct sockaddr *)&to, sizeof(to)) == 0)
                return fd;
        (void)close(fd);
        return -1;
}

static bool is_free(int port) {
        const struct sockaddr_in at = { .sin_family = AF_INET,
                                        .sin_port = htons((uint16_t)port),
                                        .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        const int on = 1;
        bool ok;

        (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
        ok = bind(fd, (const struct sockaddr *)&at, sizeof(at)) == 0;
        (void)close(fd);
        return ok;
}

static int choose_port(void) {
        for (;;) {
                uint16_t random;
                int port;

                if (getrandom(&random, sizeof(random), 0) != sizeof(random))
                        die("getrandom");
                port = 20000 + random % 12000; /* below what the kernel hands out */
                if (is_free(port) && is_free(port + 1))
                        return port;
        }
}

static bool listens_at(int port) {
        int fd = connect_to(port);

        if (fd < 0)
                return false;
        (void)close(fd);
        return true;
}

/*
 * False if it ended at once: somebody else took the port. It opens the control port before the one
 * for commands, so that both have to answer.
 */
static bool try_boot(struct swtpm *s) {
        char state[80], server[80], ctrl[80];
        const char *const argv[] = { "swtpm",
                                     "socket",
                                     "--tpm2",
                                     "--tpmstate",
                                     state,
                                     "--server",
                                     server,
                                     "--ctrl",
                                     ctrl,
                                     "--flags",
                                     s->resumes ? "not-need-init,startup-state"
                                                : "not-need-init,startup-clear",
                                     NULL };
        pid_t parent = getpid();

        (void)snprintf(state, sizeof(state), "dir=%s/state", s->dir);
        (void)snprintf(server, sizeof(server), "type=tcp,port=%d,bindaddr=127.0.0.1", s->port);
        (void)snprintf(ctrl, sizeof(ctrl), "type=tcp,port=%d,bindaddr=127.0.0.1", s->port + 1);
        s->pid = fork();
        if (s->pid < 0)
                die("fork");
        if (s->pid == 0)
                become(s->dir, argv, parent);

        for (;;) {
                int status;

                if (listens_at(s->port + 1) && listens_at(s->port))
                        return true;
                if (waitpid(s->pid, &status, WNOHANG) == s->pid) {
                        s->pid = 0;
                        return false;
                }
                nap();
        }
}

static void make_dir(struct swtpm *s) {
        char state[80];

        *s = (struct swtpm){ .dir = "/tmp/tpmauthn-swtpm-XXXXXX" };
        if (!mkdtemp(s->dir))
                die("mkdtemp");
        (void)snprintf(state, sizeof(state), "%s/state", s->dir);
        if (mkdir(state, 0700) < 0)
                die("mkdir");
}

void swtpm_start(struct swtpm *s) {
        make_dir(s);
        for (int tries = 0; tries < 20; tries++) {
                s->port = choose_port();
                if (try_boot(s)) {
                        (void)snprintf(s->tcti, sizeof(s->tcti), "swtpm:host=127.0.0.1,port=%d",
                                       s->port);
                        return;
                }
        }
        die("cannot be started");
}

int swtpm_start_on_socket(struct swtpm *s) {
        char state[80], number[16];
        const char *const argv[] = { "swtpm",      "socket",  "--tpm2",
                                     "--tpmstate", state,     "--fd",
                                     number,       "--flags", "not-need-init,startup-clear",
                                     NULL };
        pid_t parent = getpid();
        int pair[2];

        make_dir(s);
        (void)snprintf(state, sizeof(state), "dir=%s/state", s->dir);
        if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
                die("socketpair");
        s->pid = fork();
        if (s->pid < 0)
                die("fork");
        if (s->pid == 0) {
                int fd = fcntl(pair[1], F_DUPFD, 3);

                (void)snprintf(number, sizeof(number), "%d", fd);
                become(s->dir, argv, parent);
        }
        (void)close(pair[1]);
        return pair[0];
}

/* One that ended by itself is worth a word: what failed then is not what was tested. */
static void report_if_ended(const struct swtpm *s) {
        char path[128], line[256];
        siginfo_t info = { 0 };
        FILE *log;

        if (waitid(P_PID, (id_t)s->pid, &info, WEXITED | WNOHANG | WNOWAIT) < 0 || info.si_pid == 0)
                return;

        fprintf(stderr, "swtpm: ended by itself: %s %d\n",
                info.si_code == CLD_EXITED ? "status" : "signal", info.si_status);
        (void)snprintf(path, sizeof(path), "%s/log", s->dir);
        log = fopen(path, "re");
        while (log && fgets(line, sizeof(line), log))
                fprintf(stderr, "swtpm: %s", line);
        if (log)
                (void)fclose(log);
}

void swtpm_kill(struct swtpm *s) {
        if (s->pid <= 0)
                return;
        report_if_ended(s);
        (void)kill(s->pid, SIGKILL);
        (void)waitpid(s->pid, NULL, 0);
        s->pid = 0;
}

void swtpm_boot(struct swtpm *s) {
        for (int tries = 0; tries < 100; tries++) {
                if (try_boot(s))
                        return;
                nap();
        }
        die("cannot be started again");
}

static void expect_success(struct swtpm *s, const uint8_t *command, size_t len) {
        uint8_t response[4096];
        size_t n = swtpm_command(s, command, len, response, sizeof(response));

        if (n < 10 || response[6] != 0 || response[7] != 0 || response[8] != 0 ||
            response[9] != 0) {
                errno = EPROTO;
                die("a command of the test itself was refused");
        }
}

void swtpm_restart(struct swtpm *s, bool orderly) {
        static const uint8_t shutdown_clear[] = { 0x80, 1, 0, 0, 0, 12, 0, 0, 1, 0x45, 0, 0 };

        if (orderly)
                expect_success(s, shutdown_clear, sizeof(shutdown_clear));
        swtpm_kill(s);
        swtpm_boot(s);
}

void swtpm_sleep(struct swtpm *s, bool resumes) {
        static const uint8_t shutdown_state[] = { 0x80, 1, 0, 0, 0, 12, 0, 0, 1, 0x45, 0, 1 };

        expect_success(s, shutdown_state, sizeof(shutdown_state));
        swtpm_kill(s);
        s->resumes = resumes;
        swtpm_boot(s);
        s->resumes = false;
}

void swtpm_clear(struct swtpm *s) {
        static const uint8_t clear[] = { 0x80, 2, 0, 0,    0, 27, 0, 0, 1, 0x26, /* header */
                                         0x40, 0, 0, 0x0a,                       /* lockout */
                                         0,    0, 0, 9,                          /* sessions */
                                         0x40, 0, 0, 9,    0, 0,  0, 0, 0 }; /* password, empty */

        expect_success(s, clear, sizeof(clear));
}

static void copy_state(struct swtpm *s, const char *from, const char *to) {
        char a[96], b[96];
        const char *const clean[] = { "rm", "-rf", b, NULL };
        const char *const copy[] = { "cp", "-a", a, b, NULL };

        (void)snprintf(a, sizeof(a), "%s/%s", s->dir, from);
        (void)snprintf(b, sizeof(b), "%s/%s", s->dir, to);
        run(clean);
        run(copy);
}

void swtpm_snapshot(struct swtpm *s) {
        copy_state(s, "state", "snapshot");
}

void swtpm_restore(struct swtpm *s) {
        swtpm_kill(s);
        copy_state(s, "snapshot", "state");
        swtpm_boot(s);
}

static int remove_one(const char *path, _unused_ const struct stat *st, _unused_ int type,
                      _unused_ struct FTW *walk) {
        return remove(path);
}

void swtpm_end(struct swtpm *s) {
        swtpm_kill(s);
        if (s->dir[0] != '\0')
                (void)nftw(s->dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);
        *s = (struct swtpm){ 0 };
}

static void receive_all(int fd, uint8_t *to, size_t len) {
        while (len > 0) {
                ssize_t n = recv(fd, to, len, 0);

                if (n <= 0)
                        die("the connection broke");
                to += n;
                len -= (size_t)n;
        }
}

size_t swtpm_command(struct swtpm *s, const uint8_t *command, size_t len, uint8_t *response,
                     size_t room) {
        struct cursor header;
        size_t size;
        int fd = connect_to(s->port);

        if (fd < 0)
                die("connect");
        if (send(fd, command, len, MSG_NOSIGNAL) != (ssize_t)len)
                die("send");
        receive_all(fd, response, 10);
        header = (struct cursor){ BYTES(response, 10), false };
        (void)cursor_u16(&header);
        size = cursor_u32(&header);
        if (size < 10 || size > room) {
                errno = EPROTO;
                die("a response of no use");
        }
        receive_all(fd, response + 10, size - 10);
        (void)close(fd);
        return size;
}

size_t swtpm_handles(struct swtpm *s, uint32_t first, uint32_t *ret, size_t room) {
        uint8_t command[22], response[4096];
        struct buf b = BUF_ON(command);
        struct cursor c;
        size_t n;

        buf_put_u16(&b, 0x8001);
        buf_put_u32(&b, sizeof(command));
        buf_put_u32(&b, 0x17a); /* TPM2_GetCapability */
        buf_put_u32(&b, 1);     /* TPM_CAP_HANDLES */
        buf_put_u32(&b, first);
        buf_put_u32(&b, 254);
        n = swtpm_command(s, b.data, b.len, response, sizeof(response));

        c = (struct cursor){ BYTES(response, n), false };
        (void)cursor_take(&c, 6);
        if (cursor_u32(&c) != 0 || cursor_u8(&c) != 0 || cursor_u32(&c) != 1)
                die("TPM2_GetCapability");
        n = cursor_u32(&c);
        for (size_t i = 0; i < n && i < room; i++)
                ret[i] = cursor_u32(&c);
        if (c.failed || n > room) {
                errno = EPROTO;
                die("TPM2_GetCapability");
        }
        return n;
}
