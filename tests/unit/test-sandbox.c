/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * authenticator/sandbox*.c: what a process in the sandbox still can do, and what it cannot. Each try is
 * a child of its own that enters and then tries; its exit status says what became of it. Where the
 * kernel has no Landlock, and nobody demands one (TPMAUTHN_LANDLOCK), that it is told of is all that
 * can be tested.
 */

#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <syslog.h>
#include <unistd.h>

#include "authenticator/sandbox.h"
#include "build-config.h"
#include "tests/fake/scratch.h"
#include "tests/unit/test.h"

#define BROKEN 255 /* of a child: the sandbox could not be entered */

struct world {
        struct scratch folder;
        char state[300], run[300], etc[300], key[310], tpm[310], uhid[310], foreign[310];
        struct config config;
};

static void make_file(const char *path) {
        const struct scratch_file file = { true, 4, (uint8_t *)(uintptr_t) "text" };

        scratch_write(path, &file);
}

static void set(struct world *w, const char *key, const char *before, const char *value) {
        char assignment[500];

        snprintf(assignment, sizeof(assignment), "%s=%s%s", key, before, value);
        assert_int_equal(config_set(&w->config, assignment, stderr), 0);
}

static int set_up(void **state) {
        struct world *w = calloc(1, sizeof(*w));

        assert_non_null(w);
        scratch_make(&w->folder);
        snprintf(w->state, sizeof(w->state), "%s/state", w->folder.path);
        snprintf(w->run, sizeof(w->run), "%s/run", w->folder.path);
        snprintf(w->etc, sizeof(w->etc), "%s/etc", w->folder.path);
        snprintf(w->key, sizeof(w->key), "%s/key", w->etc);
        snprintf(w->tpm, sizeof(w->tpm), "%s/tpm", w->folder.path);
        snprintf(w->uhid, sizeof(w->uhid), "%s/uhid", w->folder.path);
        snprintf(w->foreign, sizeof(w->foreign), "%s/foreign", w->folder.path);
        assert_int_equal(mkdir(w->state, 0700), 0);
        assert_int_equal(mkdir(w->run, 0700), 0);
        assert_int_equal(mkdir(w->etc, 0700), 0);
        make_file(w->key);
        make_file(w->tpm);
        make_file(w->uhid);
        make_file(w->foreign);

        assert_int_equal(config_init(&w->config), 0);
        set(w, "daemon.state-directory", "", w->state);
        set(w, "daemon.runtime-directory", "", w->run);
        set(w, "device.device", "uhid:", w->uhid);
        set(w, "tpm.tpm", "device:", w->tpm);
        set(w, "attestation.key", "", w->key);
        *state = w;
        return 0;
}

static int tear_down(void **state) {
        struct world *w = *state;

        config_done(&w->config);
        scratch_remove(&w->folder);
        free(w);
        return 0;
}

/* In a child that entered. Returns its exit status. */
typedef int attempt(struct world *w);

enum half { FILES, CALLS, CALLS_WITH_NETWORK };

static int enter(struct world *w, enum half half) {
        return half == FILES ? sandbox_limit_files(&w->config)
                             : sandbox_limit_calls(half == CALLS_WITH_NETWORK);
}

/* The exit status, or minus the signal that ended it. */
static int outcome(struct world *w, enum half half, attempt *try) {
        pid_t pid = fork();
        int status;

        assert_true(pid >= 0);
        if (pid == 0)
                _exit(enter(w, half) < 0 ? BROKEN : try(w));
        assert_int_equal(waitpid(pid, &status, 0), pid);
        return WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
}

/* 0, or the errno of open(). */
static int opens(const char *path, int flags) {
        int fd = open(path, flags | O_CLOEXEC, 0600);

        return fd < 0 ? errno : close(fd);
}

/* ---- files ---- */

static bool has_landlock(struct world *w) {
        if (syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION) > 0)
                return true;
        assert_null(getenv("TPMAUTHN_LANDLOCK"));
        assert_int_equal(sandbox_limit_files(&w->config), -EOPNOTSUPP);
        return false;
}

static int read_foreign(struct world *w) {
        return opens(w->foreign, O_RDONLY);
}

static int write_foreign(struct world *w) {
        return opens(w->foreign, O_WRONLY);
}

static int make_foreign(struct world *w) {
        char path[330];

        snprintf(path, sizeof(path), "%s/new", w->folder.path);
        return opens(path, O_WRONLY | O_CREAT);
}

static int remove_foreign(struct world *w) {
        return unlink(w->foreign) < 0 ? errno : 0;
}

static int list_foreign(struct world *w) {
        return opens(w->folder.path, O_RDONLY | O_DIRECTORY);
}

static int read_passwords(struct world *w) {
        (void)w;
        return opens("/etc/passwd", O_RDONLY);
}

static int read_another_process(struct world *w) {
        (void)w;
        return opens("/proc/1/environ", O_RDONLY);
}

static int write_key(struct world *w) {
        return opens(w->key, O_WRONLY);
}

static int make_link(struct world *w) {
        char path[330];

        snprintf(path, sizeof(path), "%s/link", w->state);
        return symlink("/etc/passwd", path) < 0 ? errno : 0;
}

static int run_program(struct world *w) {
        static char *const argv[] = { (char *)(uintptr_t) "true", NULL };

        (void)w;
        execv("/bin/true", argv);
        return errno;
}

static void test_other_files_are_closed(void **state) {
        static const struct {
                const char *what;
                attempt *try;
        } tries[] = {
                { "read a file", read_foreign },   { "write it", write_foreign },
                { "make one", make_foreign },      { "remove one", remove_foreign },
                { "list a folder", list_foreign }, { "read who there is", read_passwords },
                { "write the key", write_key },    { "read of a process", read_another_process },
                { "make a link", make_link },      { "run a program", run_program },
        };
        struct world *w = *state;

        if (!has_landlock(w))
                return;
        for (size_t i = 0; i < ELEMENTSOF(tries); i++) {
                int got = outcome(w, FILES, tries[i].try);

                if (got != EACCES)
                        fail_msg("%s: %s", tries[i].what, got < 0 ? "ended" : strerror(got));
        }
}

/* The store's life: folder, journal, backup by rename, removal. */
static int use_store(struct world *w) {
        char folder[330], path[340], other[350];
        sqlite3 *db = NULL;
        int r;

        snprintf(folder, sizeof(folder), "%s/users", w->state);
        snprintf(path, sizeof(path), "%s/store.db", folder);
        snprintf(other, sizeof(other), "%s.old", path);
        if (mkdir(folder, 0700) < 0)
                return errno;
        r = sqlite3_open(path, &db);
        if (r == SQLITE_OK)
                r = sqlite3_exec(db,
                                 "PRAGMA journal_mode = WAL; CREATE TABLE t (a);"
                                 "INSERT INTO t VALUES (1); PRAGMA wal_checkpoint(TRUNCATE);",
                                 NULL, NULL, NULL);
        sqlite3_close(db);
        if (r != SQLITE_OK)
                return 100 + r;
        if (opens(folder, O_RDONLY | O_DIRECTORY) != 0 || link(path, other) < 0 ||
            rename(other, path) < 0 || unlink(other) < 0 || rename(path, other) < 0 ||
            opens(other, O_WRONLY | O_TRUNC) != 0 || unlink(other) < 0 || rmdir(folder) < 0)
                return errno;
        return 0;
}

/* As it is made, found and removed. */
static int use_socket(struct world *w) {
        struct sockaddr_un a = { .sun_family = AF_UNIX };
        int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        int client = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

        if ((size_t)snprintf(a.sun_path, sizeof(a.sun_path), "%s/s", w->run) >= sizeof(a.sun_path))
                return ENAMETOOLONG;
        if (bind(fd, (struct sockaddr *)&a, sizeof(a)) < 0 || chmod(a.sun_path, 0666) < 0 ||
            listen(fd, 1) < 0 || connect(client, (struct sockaddr *)&a, sizeof(a)) < 0 ||
            unlink(a.sun_path) < 0)
                return errno;
        return 0;
}

static int use_devices(struct world *w) {
        int r = opens(w->tpm, O_RDWR);

        if (r == 0)
                r = opens(w->uhid, O_RDWR);
        return r ? r : opens("/dev/null", O_RDWR);
}

/* An administrator renews it in the way of editors: another file takes the name. */
static int read_renewed_key(struct world *w) {
        int r;

        while ((r = opens(w->key, O_RDONLY)) == ENOENT)
                sched_yield();
        return r;
}

static int read_libraries(struct world *w) {
        DIR *d = opendir("/usr/lib");

        (void)w;
        if (!d)
                return errno;
        closedir(d);
        return opens("/etc/ssl/openssl.cnf", O_RDONLY);
}

static void test_what_the_daemon_needs_is_open(void **state) {
        static attempt *const tries[] = { use_store, use_socket, use_devices, read_libraries };
        struct world *w = *state;

        if (!has_landlock(w))
                return;
        for (size_t i = 0; i < ELEMENTSOF(tries); i++)
                assert_int_equal(outcome(w, FILES, tries[i]), 0);
}

/* The file is made only when the child is in the sandbox, and waits for it. */
static void assert_opens_later(struct world *w, const char *path, attempt *try) {
        int gate[2], status;
        char byte;
        pid_t pid;

        assert_int_equal(unlink(path), 0);
        assert_int_equal(pipe(gate), 0);
        pid = fork();
        assert_true(pid >= 0);
        if (pid == 0) {
                if (sandbox_limit_files(&w->config) < 0 || write(gate[1], "", 1) != 1)
                        _exit(BROKEN);
                _exit(try(w));
        }
        close(gate[1]);
        assert_int_equal(read(gate[0], &byte, 1), 1);
        close(gate[0]);
        make_file(path);
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_true(WIFEXITED(status));
        assert_int_equal(WEXITSTATUS(status), 0);
}

static void test_file_that_is_replaced_stays_open(void **state) {
        struct world *w = *state;

        if (has_landlock(w))
                assert_opens_later(w, w->key, read_renewed_key);
}

static int open_late_device(struct world *w) {
        int r;

        while ((r = opens(w->uhid, O_RDWR)) == ENOENT)
                sched_yield();
        return r;
}

/* The module that makes it is loaded later. */
static void test_device_that_comes_later_can_be_opened(void **state) {
        struct world *w = *state;

        if (has_landlock(w))
                assert_opens_later(w, w->uhid, open_late_device);
}

/* ---- system calls ---- */

static int try_ptrace(struct world *w) {
        (void)w;
        return ptrace(PTRACE_TRACEME, 0, NULL, NULL) < 0 ? errno : 0;
}

static int try_fork(struct world *w) {
        (void)w;
        return (int)syscall(SYS_clone, SIGCHLD, NULL, NULL, NULL, 0);
}

static int try_kill(struct world *w) {
        (void)w;
        return kill(getppid(), 0) < 0 ? errno : 0;
}

static int try_memory_of_another(struct world *w) {
        char byte;
        struct iovec to = { &byte, 1 }, from = { (void *)&byte, 1 };

        (void)w;
        return process_vm_readv(getppid(), &to, 1, &from, 1, 0) < 0 ? errno : 0;
}

static int try_module(struct world *w) {
        (void)w;
        return (int)syscall(SYS_init_module, NULL, 0, "");
}

static int try_setuid(struct world *w) {
        (void)w;
        return setresuid(0, 0, 0) < 0 ? errno : 0;
}

static void test_calls_of_an_intruder_end_the_process(void **state) {
        static const struct {
                const char *what;
                attempt *try;
        } tries[] = {
                { "execve", run_program },     { "ptrace", try_ptrace },
                { "kill", try_kill },          { "process_vm_readv", try_memory_of_another },
                { "init_module", try_module }, { "setresuid", try_setuid },
        };
        struct world *w = *state;

        for (size_t i = 0; i < ELEMENTSOF(tries); i++) {
                int got = outcome(w, CALLS, tries[i].try);

                if (got != -SIGSYS)
                        fail_msg("%s: %d", tries[i].what, got);
        }
}

static int try_internet(struct world *w) {
        (void)w;
        return socket(AF_INET, SOCK_STREAM, 0) < 0 ? errno : 0;
}

static int try_packets(struct world *w) {
        (void)w;
        return socket(AF_PACKET, SOCK_RAW, 0) < 0 ? errno : 0;
}

static int try_code(struct world *w) {
        (void)w;
        return mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1,
                    0) == MAP_FAILED
                       ? errno
                       : 0;
}

static int try_to_run_data(struct world *w) {
        void *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

        (void)w;
        if (page == MAP_FAILED)
                return BROKEN;
        return mprotect(page, 4096, PROT_READ | PROT_EXEC) < 0 ? errno : 0;
}

/* Whether a file that was written can be mapped to be run. */
static int run_file(int fd) {
        static const char code[4096];
        void *page;

        if (fd < 0 || write(fd, code, sizeof(code)) != sizeof(code))
                return BROKEN;
        page = mmap(NULL, sizeof(code), PROT_READ | PROT_EXEC, MAP_PRIVATE, fd, 0);
        return page == MAP_FAILED ? errno : 0;
}

static int try_file_in_memory(struct world *w) {
        (void)w;
        return run_file(memfd_create("code", MFD_CLOEXEC));
}

static int try_file_of_the_state(struct world *w) {
        char path[330];

        snprintf(path, sizeof(path), "%s/code", w->state);
        return run_file(open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0700));
}

static int try_to_be_dumpable(struct world *w) {
        (void)w;
        return prctl(PR_SET_DUMPABLE, 1, 0, 0, 0) < 0 ? errno : 0;
}

static int try_limits(struct world *w) {
        const struct rlimit limit = { RLIM_INFINITY, RLIM_INFINITY };

        (void)w;
        return setrlimit(RLIMIT_CORE, &limit) < 0 ? errno : 0;
}

static int try_new_clone(struct world *w) {
        (void)w;
        return syscall(SYS_clone3, NULL, 0) < 0 ? errno : 0;
}

static void test_other_calls_do_not_exist(void **state) {
        static const struct {
                const char *what;
                attempt *try;
        } tries[] = {
                { "socket(AF_INET)", try_internet },
                { "socket(AF_PACKET)", try_packets },
                { "mmap of code", try_code },
                { "mprotect of data", try_to_run_data },
                { "mmap of a file in memory", try_file_in_memory },
                { "mmap of a file in the state", try_file_of_the_state },
                { "PR_SET_DUMPABLE", try_to_be_dumpable },
                { "setrlimit", try_limits },
                { "clone3", try_new_clone },
                { "fork", try_fork },
        };
        struct world *w = *state;

        for (size_t i = 0; i < ELEMENTSOF(tries); i++) {
                int got = outcome(w, CALLS, tries[i].try);

                if (tries[i].try == try_fork ? got == 0 : got != ENOSYS)
                        fail_msg("%s: %d", tries[i].what, got);
        }
}

static void test_simulator_is_reached_by_the_network(void **state) {
        struct world *w = *state;

        assert_int_equal(outcome(w, CALLS_WITH_NETWORK, try_internet), 0);
        assert_int_equal(outcome(w, CALLS_WITH_NETWORK, try_packets), ENOSYS);
}

static void *in_thread(void *userdata) {
        struct world *w = userdata;

        return (void *)(intptr_t)use_store(w);
}

/* As the worker does: threads, the store, a socket. */
static int use_thread(struct world *w) {
        pthread_t thread;
        void *result;
        int r = pthread_create(&thread, NULL, in_thread, w);

        if (r != 0)
                return r;
        pthread_join(thread, &result);
        return (int)(intptr_t)result;
}

static void test_calls_of_the_daemon_are_allowed(void **state) {
        static attempt *const tries[] = { use_store, use_socket, use_devices, read_libraries,
                                          use_thread };
        struct world *w = *state;

        for (size_t i = 0; i < ELEMENTSOF(tries); i++)
                assert_int_equal(outcome(w, CALLS, tries[i]), 0);
}

static void *wait_and_try(void *userdata) {
        const int *gate = userdata;
        char byte;

        (void)!read(*gate, &byte, 1);
        return (void *)(intptr_t)try_internet(NULL);
}

/* The filter holds for threads too that were there before. */
static int thread_of_before(struct world *w) {
        pthread_t thread;
        void *result;
        int gate[2];

        if (pipe(gate) < 0 || pthread_create(&thread, NULL, wait_and_try, &gate[0]) != 0 ||
            sandbox_limit_calls(false) < 0 || write(gate[1], "", 1) != 1)
                return BROKEN;
        (void)w;
        pthread_join(thread, &result);
        return (int)(intptr_t)result;
}

static void test_every_thread_is_in_it(void **state) {
        pid_t pid = fork();
        int status;

        assert_true(pid >= 0);
        if (pid == 0)
                _exit(thread_of_before(*state));
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_true(WIFEXITED(status));
        assert_int_equal(WEXITSTATUS(status), ENOSYS);
}

/* ---- the whole ---- */

/* 1: in the sandbox, 0: not. */
static int is_limited(struct world *w, const char *tpm) {
        pid_t pid = fork();
        struct log log;
        int status;

        assert_true(pid >= 0);
        if (pid == 0) {
                log_init(&log, LOG_ERR);
                set(w, "tpm.tpm", "", tpm);
                if (sandbox_enter(&w->config, &log) < 0)
                        _exit(BROKEN);
                _exit(try_packets(w) == ENOSYS);
        }
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_true(WIFEXITED(status));
        return WEXITSTATUS(status);
}

static void test_tpms_that_the_list_is_written_for(void **state) {
        const int in = TPMAUTHN_INSTRUMENTED ? 0 : 1;
        struct world *w = *state;

        assert_int_equal(is_limited(w, "device:/dev/tpmrm0"), in);
        assert_int_equal(is_limited(w, "device"), in);
        assert_int_equal(is_limited(w, "swtpm:path=/nowhere"), in);
        assert_int_equal(is_limited(w, "mssim"), in);
        assert_int_equal(is_limited(w, "swtpm"), 0);
        assert_int_equal(is_limited(w, "tabrmd:bus_name=x"), 0);
        assert_int_equal(is_limited(w, "/lib/module.so"), 0);
        assert_int_equal(is_limited(w, "devices"), 0);
}

/* Loads it as libtss2 does. */
static bool can_load(const char *name) {
        void *module = dlopen(name, RTLD_NOW);

        return module && dlclose(module) == 0;
}

/* Opening the TPM again after its connection broke is loading the module again. */
static void load_in_the_sandbox(struct world *w) {
        struct log log;

        log_init(&log, LOG_ERR);
        set(w, "tpm.tpm", "", "device:/dev/tpmrm0");
        if (sandbox_enter(&w->config, &log) < 0)
                _exit(BROKEN);
        _exit(can_load("libtss2-tcti-device.so.0") && can_load("libtss2-tcti-device.so.0")
                      ? can_load("libtss2-tcti-swtpm.so.0")
                      : BROKEN);
}

static void test_the_tpms_module_is_the_only_one_there(void **state) {
        pid_t pid = fork();
        int status;

        assert_true(pid >= 0);
        if (pid == 0)
                load_in_the_sandbox(*state);
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_true(WIFEXITED(status));
        assert_int_equal(WEXITSTATUS(status), TPMAUTHN_INSTRUMENTED ? 1 : 0);
}

static void test_it_can_be_switched_off(void **state) {
        struct world *w = *state;

        set(w, "daemon.sandbox", "", "no");
        assert_int_equal(is_limited(w, "device:/dev/tpmrm0"), 0);
}

int main(void) {
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(test_other_files_are_closed, set_up, tear_down),
                cmocka_unit_test_setup_teardown(test_what_the_daemon_needs_is_open, set_up,
                                                tear_down),
                cmocka_unit_test_setup_teardown(test_file_that_is_replaced_stays_open, set_up,
                                                tear_down),
                cmocka_unit_test_setup_teardown(test_device_that_comes_later_can_be_opened, set_up,
                                                tear_down),
                cmocka_unit_test_setup_teardown(test_calls_of_an_intruder_end_the_process, set_up,
                                                tear_down),
                cmocka_unit_test_setup_teardown(test_other_calls_do_not_exist, set_up, tear_down),
                cmocka_unit_test_setup_teardown(test_simulator_is_reached_by_the_network, set_up,
                                                tear_down),
                cmocka_unit_test_setup_teardown(test_calls_of_the_daemon_are_allowed, set_up,
                                                tear_down),
                cmocka_unit_test_setup_teardown(test_every_thread_is_in_it, set_up, tear_down),
                cmocka_unit_test_setup_teardown(test_tpms_that_the_list_is_written_for, set_up,
                                                tear_down),
                cmocka_unit_test_setup_teardown(test_the_tpms_module_is_the_only_one_there, set_up,
                                                tear_down),
                cmocka_unit_test_setup_teardown(test_it_can_be_switched_off, set_up, tear_down),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
