/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * It is told everything by its command line and reads no file but its own. It says over NOTIFY_SOCKET
 * when it is ready, as to a service manager.
 */

#include "cli/ci-daemon.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "authenticator/protocol.h"
#include "build-config.h"
#include "cli/ci-authority.h"
#include "cli/ci-tree.h"

#define PIN_FILE  "pin"
#define STOP_MS   6000
#define LOG_LINES 20
#define ARGS_MAX  16

/* Every argument of it, and then the user's settings in front of ours, which they may not change. */
struct arguments {
        char text[ARGS_MAX][PATH_MAX + 64];
        size_t n;
};

static void __attribute__((format(printf, 2, 3)))
add(struct arguments *a, const char *format, ...) {
        va_list ap;

        va_start(ap, format);
        vsnprintf(a->text[a->n++], sizeof(a->text[0]), format, ap);
        va_end(ap);
}

static const char *state_folder(const struct keeper *k) {
        return k->options->keep ? k->options->keep : k->folder->path;
}

static void log_path(const struct keeper *k, char ret[static PATH_MAX]) {
        snprintf(ret, PATH_MAX, "%s/tpmauthnd.log", state_folder(k));
}

void ci_notify_path(const struct keeper *k, char ret[static CI_PATH_MAX]) {
        snprintf(ret, CI_PATH_MAX, "%s/notify", k->folder->path);
}

void ci_control_path(const struct keeper *k, char ret[static CI_PATH_MAX]) {
        snprintf(ret, CI_PATH_MAX, "%s/run/" PROTOCOL_SOCKET, k->folder->path);
}

void ci_device_path(const struct keeper *k, unsigned index, char ret[static CI_PATH_MAX]) {
        if (index == 0)
                snprintf(ret, CI_PATH_MAX, "%s/key", k->folder->path);
        else
                snprintf(ret, CI_PATH_MAX, "%s/key.%u", k->folder->path, index);
}

static void set_attestation(const struct keeper *k, struct arguments *a) {
        const char *folder = k->folder->path;

        add(a, "--set=attestation.key=%s/" CI_ATTESTATION_KEY, folder);
        add(a, "--set=attestation.certificates=%s/" CI_ATTESTATION_CERTIFICATE, folder);
        add(a, "--set=attestation.rp-ids=%s", k->options->attested);
        add(a, "--set=policy.enterprise-attestation=listed");
}

static void set_arguments(const struct keeper *k, struct arguments *a) {
        const struct ci_options *o = k->options;
        char key[CI_PATH_MAX];

        ci_device_path(k, 0, key);
        a->n = 0;
        add(a, "--set=daemon.state-directory=%s/state", state_folder(k));
        add(a, "--set=daemon.runtime-directory=%s/run", k->folder->path);
        add(a, "--set=device.device=%s%s", o->on_socket ? "socket:" : "uhid",
            o->on_socket ? key : "");
        add(a, "--set=device.count=%u", o->n_devices);
        add(a, "--set=device.name=TPM Passkey ci-%s", ci_folder_token(k->folder));
        add(a, "--set=tpm.tpm=swtpm");
        add(a, "--set=presence.presence=%s", o->presence);
        if (o->uv)
                add(a, "--set=presence.pin-file=%s/" PIN_FILE, k->folder->path);
        if (o->attested)
                set_attestation(k, a);
}

static const char *daemon_path(void) {
        const char *path = getenv("TPMAUTHND");

        return path ? path : TPMAUTHN_LIBEXEC_DIR "/tpmauthnd";
}

/* Sixteen devices and their simulators take more than some shells leave to a process. */
static void allow_descriptors(void) {
        struct rlimit limit;

        if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
                return;
        limit.rlim_cur = limit.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &limit);
}

/* In the child. The log is where whoever started this finds out why it failed. */
static _Noreturn void become_daemon(const struct keeper *k, int log) {
        static const char *const strange[] = { "WATCHDOG_USEC", "WATCHDOG_PID",  "LISTEN_PID",
                                               "LISTEN_FDS",    "INVOCATION_ID", "JOURNAL_STREAM" };
        char *const *settings = k->options->settings;
        struct arguments ours;
        char *argv[2 + 2 * CI_SETTINGS_MAX + ARGS_MAX + 1] = {
                (char *)(uintptr_t)daemon_path(), (char *)(uintptr_t) "--config=/dev/null"
        };
        size_t n = 2;
        int null = open("/dev/null", O_RDWR | O_CLOEXEC);
        char notify[CI_PATH_MAX];

        set_arguments(k, &ours);
        for (; *settings; settings++) {
                argv[n++] = (char *)(uintptr_t) "--set";
                argv[n++] = *settings;
        }
        for (size_t i = 0; i < ours.n; i++)
                argv[n++] = ours.text[i];

        for (size_t i = 0; i < sizeof(strange) / sizeof(strange[0]); i++)
                unsetenv(strange[i]);
        ci_notify_path(k, notify);
        setenv("NOTIFY_SOCKET", notify, 1);
        allow_descriptors();
        setsid();
        dup2(null, STDIN_FILENO);
        dup2(log, STDOUT_FILENO);
        dup2(log, STDERR_FILENO);
        execv(argv[0], argv);
        fprintf(stderr,
                "%s could not be run: %s. TPMAUTHND in the environment is where another is\n",
                argv[0], strerror(errno));
        _exit(CI_NOT_FOUND);
}

static int complain(const char *path) {
        fprintf(stderr, "tpmauthn: %s could not be made: %s\n", path, strerror(errno));
        return CI_FAILED;
}

static int open_notify(struct keeper *k) {
        struct sockaddr_un at = { .sun_family = AF_UNIX };

        snprintf(at.sun_path, sizeof(at.sun_path), "%s/notify", k->folder->path);
        k->notify = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        if (k->notify < 0 || bind(k->notify, (const struct sockaddr *)&at, sizeof(at)) < 0)
                return complain(at.sun_path);
        return 0;
}

static int write_pin(const struct keeper *k) {
        const char *pin = k->options->pin;

        if (!k->options->uv)
                return 0;
        return ci_folder_write(k->folder, PIN_FILE, pin, strlen(pin)) < 0 ? CI_FAILED : 0;
}

int ci_daemon_keep(struct keeper *k) {
        const char *path = k->options->keep;

        if (!path)
                return 0;
        if (mkdir(path, 0700) < 0 && errno != EEXIST)
                return complain(path);
        k->kept = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (k->kept < 0)
                return complain(path);
        if (flock(k->kept, LOCK_EX | LOCK_NB) == 0 || errno != EWOULDBLOCK)
                return 0;
        fprintf(stderr,
                "tpmauthn: another run keeps its state in %s. Wait for its end, or name another folder\n",
                path);
        return CI_FAILED;
}

int ci_daemon_start(struct keeper *k) {
        char path[PATH_MAX];
        int log, status;

        log_path(k, path);
        log = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
        if (log < 0)
                return complain(path);
        status = open_notify(k);
        if (status == 0)
                status = write_pin(k);
        if (status == 0 && k->options->attested)
                status = ci_authority_make(k);
        if (status == 0) {
                k->daemon = keeper_fork(k);
                if (k->daemon == 0)
                        become_daemon(k, log);
                status = k->daemon < 0 ? CI_FAILED : 0;
        }
        close(log);
        return status;
}

void ci_daemon_stop(struct keeper *k) {
        const struct timespec step = { .tv_nsec = 5000000 };
        long until = ci_now() + STOP_MS;

        /* It does not wait for a reader that is not there. */
        if (k->notify >= 0)
                close(k->notify);
        k->notify = -1;
        if (k->daemon > 0)
                kill(k->daemon, SIGTERM);
        keeper_reap(k);
        while (k->daemon > 0 && ci_now() < until) {
                nanosleep(&step, NULL);
                keeper_reap(k);
        }
        if (k->daemon > 0)
                kill(k->daemon, SIGKILL);
}

void ci_daemon_print_log(const struct keeper *k) {
        char lines[LOG_LINES][512], path[PATH_MAX];
        size_t n = 0;
        FILE *log;

        log_path(k, path);
        log = fopen(path, "re");
        fputs("The daemon's last words:\n", stderr);
        while (log && fgets(lines[n % LOG_LINES], sizeof(lines[0]), log))
                n++;
        if (log)
                fclose(log);
        if (n == 0)
                fputs("    (none)\n", stderr);
        for (size_t i = n > LOG_LINES ? n - LOG_LINES : 0; i < n; i++)
                fprintf(stderr, "    %s", lines[i % LOG_LINES]);
}
