/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The plug is pulled after every single TPM command, and at every single write and sync of the
 * database, of provisioning, registration, assertion and reset. A child process plays one life of
 * the authenticator and writes down, in a journal that is synced before it goes on, what a client
 * was told; it dies by SIGKILL at the n-th step. After each death another child starts on the same
 * disk and the same TPM and holds the survivors against the journal:
 *
 *   - every credential that was reported still signs, unless a reset was under way or done;
 *   - no signature counter is ever shown twice;
 *   - after a reset that was reported no credential of before signs;
 *   - the TPM holds the handles of the store's state and no others.
 */

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/fake/vfs.h"
#include "tests/system/stack.h"
#include "tests/system/tpm-fixture.h"

#define CREDENTIALS_MAX 8

/* What clients were told, as it stands in the journal. */
struct journal {
        uint32_t n;
        struct stack_credential credentials[CREDENTIALS_MAX];
        uint32_t resetting; /* a reset was asked for and not answered */
        uint32_t n_erased;  /* of `erased`: what a reset that was reported took away */
        struct stack_credential erased[CREDENTIALS_MAX];
        uint32_t flaw; /* a line of this file: a promise that did not hold */
};

struct life {
        char folder[256];
        char journal_path[300];
        struct journal journal;
        struct stack stack;
};

static void save(struct life *l) {
        char path[320];
        int fd;

        snprintf(path, sizeof(path), "%s.new", l->journal_path);
        fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
        if (fd < 0 || write(fd, &l->journal, sizeof(l->journal)) != (ssize_t)sizeof(l->journal) ||
            fsync(fd) < 0 || rename(path, l->journal_path) < 0)
                _exit(3);
        close(fd);
}

static void load(struct life *l) {
        int fd = open(l->journal_path, O_RDONLY | O_CLOEXEC);

        l->journal = (struct journal){ 0 };
        if (fd < 0)
                return;
        if (read(fd, &l->journal, sizeof(l->journal)) != (ssize_t)sizeof(l->journal))
                _exit(3);
        close(fd);
}

static void broken(struct life *l, unsigned line) {
        l->journal.flaw = line;
        save(l);
        _exit(4);
}

#define PROMISE(l, condition)                  \
        do {                                   \
                if (!(condition))              \
                        broken((l), __LINE__); \
        } while (0)

static void use_all(struct life *l) {
        for (uint32_t i = 0; i < l->journal.n; i++) {
                struct stack_credential *c = &l->journal.credentials[i];
                uint32_t before = c->count;

                PROMISE(l, stack_assert(&l->stack, "crash.test", c) == 0);
                PROMISE(l, c->count > before);
                save(l);
        }
}

static void make(struct life *l, uint8_t user, bool discoverable, bool none) {
        struct stack_credential c;

        PROMISE(l, l->journal.n < CREDENTIALS_MAX);
        PROMISE(l, stack_register(&l->stack, "crash.test", user, discoverable, none, &c) == 0);
        l->journal.credentials[l->journal.n++] = c;
        save(l);
}

static void reset(struct life *l) {
        l->journal.resetting = 1;
        save(l);
        PROMISE(l, stack_reset(&l->stack) == 0);
        memcpy(l->journal.erased, l->journal.credentials, sizeof(l->journal.erased));
        l->journal.n_erased = l->journal.n;
        l->journal.n = 0;
        l->journal.resetting = 0;
        save(l);
}

/* A reset that was cut short is either done or was never begun, for all credentials alike. */
static void settle_reset(struct life *l) {
        struct stack_credential copy = l->journal.credentials[0];
        bool erased = l->journal.n > 0 && stack_assert(&l->stack, "crash.test", &copy) == 0x2e;

        if (erased) {
                memcpy(l->journal.erased, l->journal.credentials, sizeof(l->journal.erased));
                l->journal.n_erased = l->journal.n;
                l->journal.n = 0;
        } else if (l->journal.n > 0) {
                PROMISE(l, copy.count > l->journal.credentials[0].count);
                l->journal.credentials[0].count = copy.count;
        }
        l->journal.resetting = 0;
        save(l);
}

static void check_survivors(struct life *l) {
        if (l->journal.resetting)
                settle_reset(l);
        use_all(l);
        for (uint32_t i = 0; i < l->journal.n_erased; i++) {
                struct stack_credential c = l->journal.erased[i];

                PROMISE(l, stack_assert(&l->stack, "crash.test", &c) == 0x2e);
        }
}

static void open_stack(struct life *l, const char *tcti) {
        PROMISE(l, stack_open(&l->stack, l->folder, tcti) == 0);
}

/* One life: whatever is there is used, more is made, everything is erased, and more is made. */
static void live(struct life *l, const char *tcti) {
        open_stack(l, tcti);
        if (l->journal.resetting)
                settle_reset(l);
        use_all(l);
        make(l, 1, false, true);
        make(l, 2, false, false);
        use_all(l);
        reset(l);
        make(l, 3, false, true);
        use_all(l);
        stack_close(&l->stack, true);
}

/* Another life, after a death: nobody pulls the plug. It leaves every next life the same start. */
static void survive(struct life *l, const char *tcti) {
        open_stack(l, tcti);
        check_survivors(l);
        if (l->journal.n > 0)
                reset(l);
        stack_close(&l->stack, true);
}

/* ---- the parent ---- */

struct crash {
        struct fixture *tpm;
        struct life life;
        char scratch[64];
};

static int crash_setup(void **state) {
        struct crash *c = calloc(1, sizeof(*c));
        void *fixture = NULL;

        assert_non_null(c);
        assert_int_equal(fixture_setup(&fixture), 0);
        c->tpm = fixture;
        c->tpm->tpm = tpm_free(c->tpm->tpm); /* the children have their own */
        snprintf(c->scratch, sizeof(c->scratch), "/tmp/tpmauthn-crash-XXXXXX");
        assert_non_null(mkdtemp(c->scratch));
        snprintf(c->life.folder, sizeof(c->life.folder), "%s", c->scratch);
        snprintf(c->life.journal_path, sizeof(c->life.journal_path), "%s/journal", c->scratch);
        *state = c;
        return 0;
}

static int crash_teardown(void **state) {
        struct crash *c = *state;
        static const char *const files[] = { "store.db",         "store.db-wal", "store.db-shm",
                                             "store.db-journal", "journal",      "journal.new" };
        void *fixture = c->tpm;
        char path[160];

        for (size_t i = 0; i < ELEMENTSOF(files); i++) {
                snprintf(path, sizeof(path), "%s/%s", c->scratch, files[i]);
                (void)unlink(path);
        }
        (void)rmdir(c->scratch);
        assert_int_equal(fixture_teardown(&fixture), 0);
        free(c);
        return 0;
}

typedef void life_fn(struct life *l, const char *tcti);

/*
 * Runs a life in a child, which dies at the n-th write or sync of the database if disk_fault is not
 * 0. True if it was killed; otherwise it must have got through.
 */
static bool run(struct crash *c, life_fn *fn, unsigned disk_fault) {
        struct fault fault = { .at = disk_fault, .mode = FAULT_KILL };
        struct fake_vfs *vfs;
        int status;
        pid_t pid;

        pid = fork();
        assert_true(pid >= 0);
        if (pid == 0) {
                prctl(PR_SET_PDEATHSIG, SIGKILL);
                vfs = disk_fault > 0 ? fake_vfs_new(&fault) : NULL;
                load(&c->life);
                fn(&c->life, c->tpm->tcti);
                (void)fake_vfs_free(vfs);
                _exit(0);
        }
        assert_int_equal(waitpid(pid, &status, 0), pid);
        if (WIFSIGNALED(status)) {
                assert_int_equal(WTERMSIG(status), SIGKILL);
                return true;
        }
        load(&c->life);
        if (WEXITSTATUS(status) != 0)
                fail_msg("the promise in line %u did not hold (exit %d)",
                         (unsigned)c->life.journal.flaw, WEXITSTATUS(status));
        return false;
}

/* After each survival: what is in the TPM is what the store says. */
static void check_handles(struct crash *c) {
        struct store_options o = { .path = NULL, .max_credentials = 100 };
        struct store *store = NULL;
        char path[160];

        snprintf(path, sizeof(path), "%s/store.db", c->scratch);
        o.path = path;
        assert_int_equal(store_open(&o, &store), 0);
        assert_int_equal(store_get_tpm_state(store, &c->tpm->state), 0);
        store = store_close(store);
        assert_int_equal(c->tpm->state.phase, TPM_PHASE_READY);
        fixture_reopen(c->tpm);
        assert_nothing_else_is_kept(c->tpm);
        c->tpm->tpm = tpm_free(c->tpm->tpm);
}

static void after_a_death(struct crash *c) {
        assert_false(run(c, survive, 0));
        check_handles(c);
}

static void pull_the_plug_at_every_command(void **state, const char *when) {
        struct crash *c = *state;
        unsigned n = 1;

        for (;; n++) {
                bool killed;

                watch_plan(c->tpm, "%s %u\n", when, n);
                killed = run(c, live, 0);
                watch_no_plan(c->tpm);
                after_a_death(c);
                if (!killed)
                        break;
        }
        print_message("# %u TPM commands, a death %s at each\n", n - 1, when);
        assert_true(n > 40);
}

static void RS6_a_kill_after_any_tpm_command_breaks_no_promise(void **state) {
        pull_the_plug_at_every_command(state, "kill-after");
}

static void RS6_a_kill_before_any_tpm_command_breaks_no_promise(void **state) {
        pull_the_plug_at_every_command(state, "kill-before");
}

static void MC23_a_kill_at_any_write_to_the_disk_breaks_no_promise(void **state) {
        struct crash *c = *state;
        unsigned n = 1;

        for (;; n++) {
                bool killed = run(c, live, n);

                after_a_death(c);
                if (!killed)
                        break;
        }
        print_message("# %u writes and syncs, a death at each\n", n - 1);
        assert_true(n > 40);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(RS6_a_kill_after_any_tpm_command_breaks_no_promise,
                                                crash_setup, crash_teardown),
                cmocka_unit_test_setup_teardown(RS6_a_kill_before_any_tpm_command_breaks_no_promise,
                                                crash_setup, crash_teardown),
                cmocka_unit_test_setup_teardown(
                        MC23_a_kill_at_any_write_to_the_disk_breaks_no_promise, crash_setup,
                        crash_teardown),
        };

        return cmocka_run_group_tests_name("crash", tests, NULL, NULL);
}
