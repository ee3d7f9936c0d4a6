/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Each look at /proc is a picture of a moment: what was forked behind its back is in the next one. A
 * process group would not do, since every shell makes more of them.
 */

#include "cli/ci-tree.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define ASKED_MS  2000
#define KILLED_MS 5000
#define STEP_MS   10

struct process {
        pid_t pid, parent;
        bool ours;
};

struct picture {
        struct process *processes;
        size_t n, room;
};

long ci_now(void) {
        struct timespec t;

        clock_gettime(CLOCK_BOOTTIME, &t);
        return (long)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* False: it has ended. */
static bool read_parent(pid_t pid, pid_t *ret) {
        char path[40], text[512], state;
        const char *behind_name;
        ssize_t n;
        int fd, parent;

        snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
        fd = open(path, O_RDONLY | O_CLOEXEC);
        if (fd < 0)
                return false;
        n = read(fd, text, sizeof(text) - 1);
        close(fd);
        text[n > 0 ? n : 0] = '\0';
        behind_name = strrchr(text, ')');
        if (!behind_name || sscanf(behind_name, ") %c %d", &state, &parent) != 2 || state == 'Z' ||
            state == 'X')
                return false;
        *ret = parent;
        return true;
}

static void add(struct picture *p, pid_t pid, pid_t parent) {
        if (p->n == p->room) {
                size_t room = p->room ? p->room * 2 : 256;
                void *more = realloc(p->processes, room * sizeof(*p->processes));

                if (!more)
                        return;
                p->processes = more;
                p->room = room;
        }
        p->processes[p->n++] = (struct process){ .pid = pid, .parent = parent };
}

static bool is_ours(const struct picture *p, pid_t pid) {
        for (size_t i = 0; i < p->n; i++)
                if (p->processes[i].pid == pid)
                        return p->processes[i].ours;
        return false;
}

/* Parents may stand behind their children, so until nothing is new. */
static void mark_ours(struct picture *p, const pid_t spare[static 2]) {
        const pid_t self = getpid();
        bool again;

        do {
                again = false;
                for (size_t i = 0; i < p->n; i++) {
                        struct process *x = &p->processes[i];

                        if (x->ours || x->pid == spare[0] || x->pid == spare[1] ||
                            (x->parent != self && !is_ours(p, x->parent)))
                                continue;
                        x->ours = again = true;
                }
        } while (again);
}

static void take(struct picture *p, const pid_t spare[static 2]) {
        DIR *proc = opendir("/proc");
        struct dirent *entry;
        pid_t parent;

        p->n = 0;
        while (proc && (entry = readdir(proc)) != NULL) {
                pid_t pid = (pid_t)strtol(entry->d_name, NULL, 10);

                if (isdigit((unsigned char)*entry->d_name) && read_parent(pid, &parent))
                        add(p, pid, parent);
        }
        if (proc)
                closedir(proc);
        mark_ours(p, spare);
}

static unsigned count(const struct picture *p) {
        unsigned n = 0;

        for (size_t i = 0; i < p->n; i++)
                n += p->processes[i].ours;
        return n;
}

/* How many there are that may not be sent a signal. */
static unsigned send(const struct picture *p, int sig) {
        unsigned n = 0;

        for (size_t i = 0; i < p->n; i++) {
                const struct process *x = &p->processes[i];

                if (!x->ours)
                        continue;
                n += kill(x->pid, sig) < 0 && errno == EPERM;
                if (sig == SIGTERM)
                        kill(x->pid, SIGCONT); /* or a stopped one would not hear of it */
        }
        return n;
}

static void nap(void) {
        const struct timespec step = { .tv_nsec = STEP_MS * 1000000 };

        nanosleep(&step, NULL);
}

static void name_them(const struct picture *p) {
        for (size_t i = 0; i < p->n; i++)
                if (p->processes[i].ours)
                        fprintf(stderr,
                                "tpmauthn: process %d could not be ended. Is it another user's?\n",
                                (int)p->processes[i].pid);
}

unsigned ci_tree_end(const pid_t spare[static 2], void (*reap)(void *userdata), void *userdata) {
        struct picture p = { 0 };
        long since = ci_now();
        unsigned n;

        reap(userdata);
        take(&p, spare);
        send(&p, SIGTERM);
        while ((n = count(&p)) > 0 && ci_now() - since < ASKED_MS) {
                nap();
                reap(userdata);
                take(&p, spare);
        }
        while (n > 0 && ci_now() - since < ASKED_MS + KILLED_MS) {
                if (send(&p, SIGKILL) == n)
                        break;
                nap();
                reap(userdata);
                take(&p, spare);
                n = count(&p);
        }
        if (n > 0)
                name_them(&p);
        free(p.processes);
        return n;
}
