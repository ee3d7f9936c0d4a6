/* SPDX-License-Identifier: BSD-2-Clause */

/* The daemon hides its environment, but names the folder in its command line. */

#include "tests/system/ci-kit.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tests/unit/test.h"

#define WAIT_MS 60000
#define STEP_MS 10

static void nap(void) {
        const struct timespec step = { .tv_nsec = STEP_MS * 1000000 };

        nanosleep(&step, NULL);
}

int kit_begin(struct ci_kit *k) {
        *k = (struct ci_kit){ .folder = "/tmp/tpmauthn-cik-XXXXXX", .pid = -1 };
        strcpy(k->marks, "/tmp/tpmauthn-marks-XXXXXX");
        if (!mkdtemp(k->folder) || !mkdtemp(k->marks))
                return -1;
        snprintf(k->mark, sizeof(k->mark), "CI_MARK=%s", k->folder);
        return 0;
}

/* ---- processes ---- */

static size_t read_proc(pid_t pid, const char *file, char *to, size_t size) {
        char path[64];
        ssize_t n;
        int fd;

        snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, file);
        fd = open(path, O_RDONLY | O_CLOEXEC);
        n = fd < 0 ? 0 : read(fd, to, size - 1);
        if (fd >= 0)
                close(fd);
        to[n > 0 ? n : 0] = '\0';
        return n > 0 ? (size_t)n : 0;
}

static bool belongs(const struct ci_kit *k, pid_t pid) {
        static char text[262144];
        size_t n = read_proc(pid, "environ", text, sizeof(text));

        if (memmem(text, n, k->mark, strlen(k->mark)))
                return true;
        n = read_proc(pid, "cmdline", text, sizeof(text));
        return memmem(text, n, k->folder, strlen(k->folder)) != NULL;
}

static bool is_named(pid_t pid, const char *want) {
        char text[8192], comm[64];
        size_t n = read_proc(pid, "cmdline", text, sizeof(text));

        if (memmem(text, n, want, strlen(want)))
                return true;
        read_proc(pid, "comm", comm, sizeof(comm));
        return strstr(comm, want) != NULL;
}

pid_t kit_find(const struct ci_kit *k, const char *text) {
        DIR *proc = opendir("/proc");
        struct dirent *entry;
        pid_t found = 0;

        assert_non_null(proc);
        while (!found && (entry = readdir(proc)) != NULL) {
                pid_t pid = (pid_t)strtol(entry->d_name, NULL, 10);

                if (pid > 0 && pid != getpid() && belongs(k, pid) && is_named(pid, text))
                        found = pid;
        }
        closedir(proc);
        return found;
}

bool kit_folder_is_empty(const struct ci_kit *k) {
        DIR *folder = opendir(k->folder);
        struct dirent *entry;
        unsigned n = 0;

        assert_non_null(folder);
        while ((entry = readdir(folder)) != NULL)
                n += strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
        closedir(folder);
        return n == 0;
}

void kit_nothing_is_left(struct ci_kit *k) {
        for (int ms = 0; ms < 20000; ms += STEP_MS) {
                if (kit_find(k, "") == 0 && kit_folder_is_empty(k))
                        return;
                nap();
        }
        fail_msg("left: process %d, folder %s", (int)kit_find(k, ""),
                 kit_folder_is_empty(k) ? "empty" : "not empty");
}

void kit_end(struct ci_kit *k) {
        char command[128];
        pid_t pid;

        while ((pid = kit_find(k, "")) > 0) {
                kill(pid, SIGKILL);
                waitpid(pid, NULL, WNOHANG);
                nap();
        }
        snprintf(command, sizeof(command), "rm -rf %s %s", k->folder, k->marks);
        if (system(command) != 0)
                fprintf(stderr, "%s could not be removed\n", k->folder);
}

/* ---- a run ---- */

static _Noreturn void become(const struct ci_kit *k, const char *options, const char *command) {
        static const int heard[] = { SIGHUP, SIGINT, SIGQUIT, SIGTERM };
        char out[64], words[4096];
        char *argv[256] = { (char *)(uintptr_t)TPMAUTHN, (char *)(uintptr_t) "ci",
                            (char *)(uintptr_t) "run", (char *)(uintptr_t) "--transport=socket" };
        size_t n = 4;
        int fd;

        prctl(PR_SET_PDEATHSIG, SIGKILL);
        setpgid(0, 0);
        /* Whoever runs the tests may ignore them, and the command then would too. */
        for (size_t i = 0; i < sizeof(heard) / sizeof(heard[0]); i++)
                signal(heard[i], SIG_DFL);
        snprintf(out, sizeof(out), "%s/out", k->marks);
        fd = open(out, O_WRONLY | O_CREAT | O_TRUNC, 0600);
        dup2(fd, STDOUT_FILENO);
        dup2(fd, STDERR_FILENO);
        setenv("TMPDIR", k->folder, 1);
        setenv("CI_MARK", k->folder, 1);
        setenv("MARKS", k->marks, 1);
        setenv("TPMAUTHN", TPMAUTHN, 1);
        setenv("TPMAUTHND", TPMAUTHND, 0);
        setenv("DBUS_SYSTEM_BUS_ADDRESS", "unix:path=/nonexistent/bus", 0);
        snprintf(words, sizeof(words), "%s", options);
        for (char *w = strtok(words, " "); w && n < 250; w = strtok(NULL, " "))
                argv[n++] = w;
        if (*command) {
                argv[n++] = (char *)(uintptr_t) "--";
                argv[n++] = (char *)(uintptr_t) "sh";
                argv[n++] = (char *)(uintptr_t) "-c";
                argv[n++] = (char *)(uintptr_t)command;
        }
        execv(TPMAUTHN, argv);
        _exit(99);
}

void kit_run(struct ci_kit *k, const char *options, const char *command) {
        fflush(stdout);
        k->pid = fork();
        assert_true(k->pid >= 0);
        if (k->pid == 0)
                become(k, options, command);
}

static void read_out(struct ci_kit *k) {
        char path[64];
        FILE *out;
        size_t n;

        snprintf(path, sizeof(path), "%s/out", k->marks);
        out = fopen(path, "re");
        n = out ? fread(k->said, 1, sizeof(k->said) - 1, out) : 0;
        k->said[n] = '\0';
        if (out)
                fclose(out);
}

int kit_status(struct ci_kit *k) {
        int status;

        for (int ms = 0; ms < WAIT_MS; ms += STEP_MS) {
                if (waitpid(k->pid, &status, WNOHANG) == k->pid) {
                        k->pid = -1;
                        read_out(k);
                        return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
                }
                nap();
        }
        read_out(k);
        fail_msg("it does not end; it said: %s", k->said);
        return -1;
}

int kit_runs(struct ci_kit *k, const char *options, const char *command) {
        kit_run(k, options, command);
        return kit_status(k);
}

void kit_await(struct ci_kit *k, const char *name) {
        char path[128];

        snprintf(path, sizeof(path), "%s/%s", k->marks, name);
        for (int ms = 0; ms < WAIT_MS; ms += STEP_MS) {
                if (access(path, F_OK) == 0)
                        return;
                nap();
        }
        read_out(k);
        fail_msg("the command did not make %s; it said: %s", name, k->said);
}

void kit_says(const struct ci_kit *k, const char *text) {
        if (!strstr(k->said, text))
                fail_msg("\"%s\" is not in: %s", text, k->said);
}
