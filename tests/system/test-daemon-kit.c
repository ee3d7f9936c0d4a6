/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Readiness comes over NOTIFY_SOCKET, as from systemd, so that no test guesses with sleeps. The
 * child dies with the test (PR_SET_PDEATHSIG), and its swtpm with the child.
 */

#include "tests/system/test-daemon-kit.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tests/unit/test.h"

#define READY_MS 30000
#define ARGS_MAX 24

uint64_t kit_now(void) {
        struct timespec t;

        clock_gettime(CLOCK_MONOTONIC, &t);
        return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

static struct sockaddr_un address_of(const char *path) {
        struct sockaddr_un a = { .sun_family = AF_UNIX };

        snprintf(a.sun_path, sizeof(a.sun_path), "%s", path);
        return a;
}

int kit_init(struct daemon_kit *k) {
        struct sockaddr_un a;
        char path[80];

        *k = (struct daemon_kit){ .pid = -1, .notify = -1, .terminal = -1, .shell = -1 };
        strcpy(k->folder, "/tmp/tpmauthn-daemon-XXXXXX");
        if (!mkdtemp(k->folder))
                return -1;
        snprintf(k->device, sizeof(k->device), "%s/hid", k->folder);
        snprintf(k->control, sizeof(k->control), "%s/run/control.sock", k->folder);

        snprintf(path, sizeof(path), "%s/notify", k->folder);
        a = address_of(path);
        k->notify = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        return k->notify < 0 ? -1 : bind(k->notify, (const struct sockaddr *)&a, sizeof(a));
}

static void end_process(pid_t *pid) {
        if (*pid > 0) {
                kill(*pid, SIGKILL);
                waitpid(*pid, NULL, 0);
        }
        *pid = -1;
}

void kit_done(struct daemon_kit *k) {
        char command[80];

        end_process(&k->pid);
        end_process(&k->shell);
        if (k->notify >= 0)
                close(k->notify);
        if (k->terminal >= 0)
                close(k->terminal);
        snprintf(command, sizeof(command), "rm -rf %s", k->folder);
        if (system(command) != 0)
                fprintf(stderr, "%s could not be removed\n", k->folder);
        k->notify = k->terminal = -1;
}

int kit_setup(void **state) {
        struct daemon_kit *k = malloc(sizeof(*k));

        *state = k;
        return k ? kit_init(k) : -1;
}

int kit_teardown(void **state) {
        kit_done(*state);
        free(*state);
        return 0;
}

static void run_daemon(const struct daemon_kit *k, char *const *argv) {
        char path[80];
        int log;

        snprintf(path, sizeof(path), "%s/log", k->folder);
        log = open(path, O_WRONLY | O_CREAT | O_APPEND, 0600);
        dup2(log, STDOUT_FILENO);
        dup2(log, STDERR_FILENO);
        snprintf(path, sizeof(path), "%s/notify", k->folder);
        setenv("NOTIFY_SOCKET", path, 1);
        /* A test that wants a bus starts one; this machine's is none of a test's business. */
        setenv("DBUS_SYSTEM_BUS_ADDRESS", "unix:path=/nonexistent/bus", 0);
        if (k->run_as != 0 &&
            (setgroups(0, NULL) < 0 || setresgid(k->run_as, k->run_as, k->run_as) < 0 ||
             setresuid(k->run_as, k->run_as, k->run_as) < 0))
                _exit(126);
        prctl(PR_SET_PDEATHSIG, SIGKILL); /* which another account takes away */
        execv(TPMAUTHND, argv);
        _exit(127);
}

/*
 * Where the leader of a session ends, its terminal hangs up and is as new. The daemon is started by
 * one that stays, as from a shell, and is the test's own child all the same.
 */
static void run_shell(const struct daemon_kit *k, char *const *argv, int tell) {
        pid_t pid;

        prctl(PR_SET_PDEATHSIG, SIGKILL);
        /* The first terminal that the leader of a session opens is the session's. */
        if (setsid() < 0 || open(ptsname(k->terminal), O_RDWR) < 0)
                _exit(126);
        pid = (pid_t)syscall(SYS_clone, CLONE_PARENT | SIGCHLD, NULL, NULL, NULL, 0UL);
        if (pid == 0)
                run_daemon(k, argv);
        signal(SIGINT, SIG_IGN);
        if (write(tell, &pid, sizeof(pid)) != sizeof(pid))
                _exit(126);
        for (;;)
                pause();
}

static void start_in_shell(struct daemon_kit *k, char *const *argv) {
        int tell[2];

        end_process(&k->shell);
        assert_int_equal(pipe2(tell, O_CLOEXEC), 0);
        k->shell = fork();
        assert_true(k->shell >= 0);
        if (k->shell == 0)
                run_shell(k, argv, tell[1]);
        close(tell[1]);
        assert_int_equal(read(tell[0], &k->pid, sizeof(k->pid)), sizeof(k->pid));
        close(tell[0]);
        assert_true(k->pid > 0);
}

static void print_log(const struct daemon_kit *k) {
        char path[80], line[1024];
        FILE *f;

        snprintf(path, sizeof(path), "%s/log", k->folder);
        f = fopen(path, "r");
        while (f && fgets(line, sizeof(line), f))
                fprintf(stderr, "# %s", line);
        if (f)
                fclose(f);
}

static void await_ready(const struct daemon_kit *k) {
        uint64_t until = kit_now() + READY_MS;

        while (kit_now() < until) {
                struct pollfd p = { .fd = k->notify, .events = POLLIN };
                char text[512];
                ssize_t n;

                if (waitpid(k->pid, NULL, WNOHANG) != 0) {
                        print_log(k);
                        fail_msg("the daemon ended before it was ready");
                }
                if (poll(&p, 1, 100) <= 0)
                        continue;
                n = recv(k->notify, text, sizeof(text) - 1, 0);
                if (n <= 0)
                        continue;
                text[n] = '\0';
                if (strstr(text, "READY=1"))
                        return;
        }
        print_log(k);
        fail_msg("the daemon was not ready in time");
}

void kit_start(struct daemon_kit *k, const char *const *settings) {
        char device[96], state[96], run[96];
        const char *argv[ARGS_MAX] = { TPMAUTHND,     "--config=/dev/null",
                                       "--tpm=swtpm", device,
                                       state,         run };
        size_t n = 6;

        snprintf(device, sizeof(device), "--device=socket:%s", k->device);
        snprintf(state, sizeof(state), "--state-dir=%s/state", k->folder);
        snprintf(run, sizeof(run), "--runtime-dir=%s/run", k->folder);
        for (; *settings && n < ARGS_MAX - 1; settings++)
                argv[n++] = *settings;

        if (k->terminal >= 0)
                start_in_shell(k, (char *const *)(uintptr_t)argv);
        else
                k->pid = fork();
        assert_true(k->pid >= 0);
        if (k->pid == 0)
                run_daemon(k, (char *const *)(uintptr_t)argv);
        await_ready(k);
}

int kit_stop(struct daemon_kit *k) {
        int status = -1;

        assert_true(k->pid > 0);
        kill(k->pid, SIGTERM);
        assert_int_equal(waitpid(k->pid, &status, 0), k->pid);
        k->pid = -1;
        return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

void kit_assert_alive(const struct daemon_kit *k) {
        if (waitpid(k->pid, NULL, WNOHANG) != 0) {
                print_log(k);
                fail_msg("the daemon has ended");
        }
}

pid_t kit_swtpm(const struct daemon_kit *k) {
        char path[64];
        int pid = -1;
        FILE *f;

        snprintf(path, sizeof(path), "/proc/%d/task/%d/children", (int)k->pid, (int)k->pid);
        f = fopen(path, "r");
        if (!f || fscanf(f, "%d", &pid) != 1)
                pid = -1;
        if (f)
                fclose(f);
        return pid;
}

int kit_connect(const char *path, int type) {
        struct sockaddr_un a = address_of(path);
        int fd = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);

        if (fd >= 0 && connect(fd, (const struct sockaddr *)&a, sizeof(a)) == 0)
                return fd;
        if (fd >= 0)
                close(fd);
        return -1;
}

/* What the daemon says of its state waits for a reader, and at last the daemon does too. */
static void drop_notifications(const struct daemon_kit *k) {
        char text[512];

        while (recv(k->notify, text, sizeof(text), MSG_DONTWAIT) > 0)
                ;
}

json_t *kit_control(const struct daemon_kit *k, const char *method, const char *params) {
        static char in[131072];
        int fd = kit_connect(k->control, SOCK_STREAM);
        json_t *answer = NULL;
        size_t n = 0;
        ssize_t got;

        assert_true(fd >= 0);
        drop_notifications(k);
        dprintf(fd, "{\"v\":1,\"id\":4,\"method\":\"%s\",\"params\":%s}\n", method,
                params ? params : "{}");
        while (n < sizeof(in) && !memchr(in, '\n', n)) {
                struct pollfd p = { .fd = fd, .events = POLLIN };

                drop_notifications(k);
                if (poll(&p, 1, 20) == 0)
                        continue;
                got = recv(fd, in + n, sizeof(in) - n, 0);
                if (got <= 0)
                        break;
                n += (size_t)got;
        }
        close(fd);
        answer = json_loadb(in, n, 0, NULL);
        memset(in, 0, n);
        assert_non_null(answer);
        assert_int_equal(json_integer_value(json_object_get(answer, "id")), 4);
        return answer;
}

const char *kit_state(const struct daemon_kit *k) {
        static char state[16];
        json_t *a = kit_control(k, "status", NULL), *d;

        d = json_array_get(json_object_get(json_object_get(a, "result"), "devices"), 0);
        snprintf(state, sizeof(state), "%s", json_string_value(json_object_get(d, "state")));
        json_decref(a);
        return state;
}

bool kit_can_verify(const struct daemon_kit *k) {
        json_t *a = kit_control(k, "status", NULL), *d;
        bool can;

        d = json_array_get(json_object_get(json_object_get(a, "result"), "devices"), 0);
        can = json_is_true(json_object_get(d, "verify"));
        json_decref(a);
        return can;
}

void kit_await_state(const struct daemon_kit *k, const char *want) {
        const struct timespec step = { .tv_nsec = 20000000 };
        uint64_t until = kit_now() + READY_MS;

        while (strcmp(kit_state(k), want) != 0) {
                if (kit_now() > until)
                        fail_msg("the device is %s and not %s", kit_state(k), want);
                nanosleep(&step, NULL);
        }
}

int kit_cli(const struct daemon_kit *k, const char *arguments, char *out, size_t size) {
        return kit_cli_with(k, arguments, "", out, size);
}

int kit_cli_with(const struct daemon_kit *k, const char *arguments, const char *input, char *out,
                 size_t size) {
        char command[1024];
        size_t n;
        int status;
        FILE *f;

        snprintf(command, sizeof(command), "printf '%s' | TPMAUTHN_SOCKET=%s " TPMAUTHN " %s 2>&1",
                 input, k->control, arguments);
        f = popen(command, "r");
        assert_non_null(f);
        n = fread(out, 1, size - 1, f);
        out[n] = '\0';
        status = pclose(f);
        return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}
