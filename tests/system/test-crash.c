/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The plug is pulled after every single TPM command, and at every single write and sync of the
 * database, of provisioning, registration, assertion, management and reset. A child process plays one life of
 * the authenticator and writes down, in a journal that is synced before it goes on, what a client
 * was told; it dies by SIGKILL at the n-th step. After each death another child starts on the same
 * disk and the same TPM and holds the survivors against the journal:
 *
 *   - every credential that was reported still signs, unless a reset was under way or done;
 *   - no signature counter is ever shown twice;
 *   - a name, the large blobs and the settings are what was reported last, or what was asked for
 *     and not answered;
 *   - a credential whose deletion was reported does not sign;
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

#include "ctap/credential.h"
#include "ctap/crypto.h"
#include "tests/fake/vfs.h"
#include "tests/system/stack.h"
#include "tests/system/tpm-fixture.h"

#define CREDENTIALS_MAX 8

/* What is changed as a whole: how often, as it was reported and as it was asked for. */
struct changed {
        uint32_t told, asked;
};

/* What clients were told, as it stands in the journal. */
struct journal {
        uint32_t n;
        struct stack_credential credentials[CREDENTIALS_MAX];
        uint32_t resetting; /* a reset was asked for and not answered */
        uint32_t n_erased;  /* of `erased`: what a reset that was reported took away */
        struct stack_credential erased[CREDENTIALS_MAX];
        uint32_t deleting;   /* the last of `credentials` is */
        struct changed name; /* of the first of `credentials` */
        struct changed large_blobs, settings;
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

/* ---- management, as CTAP's commands for it do it ---- */

static struct ctap_store *store_of(struct life *l) {
        return vault_store(l->stack.vault);
}

static struct bytes nth_name(char storage[static 32], uint32_t n) {
        snprintf(storage, 32, "alice %u", (unsigned)n);
        return BYTES_TEXT(storage);
}

/* A row and what is in it, which borrows from `storage`. */
static int read_credential(struct life *l, const struct stack_credential *c,
                           struct ctap_credential_keys *ret_keys, struct ctap_row *ret_row,
                           struct buf *storage, struct ctap_record *ret) {
        struct ctap_store *s = store_of(l);
        struct ctap_credential_id id;
        int r;

        memcpy(id.b, c->id, sizeof(id.b));
        r = s->ops->find(s, &id, ret_row);
        if (r == 0)
                r = ctap_credential_keys_derive(s->ops->key(s), ret_keys);
        return r < 0 ? r : ctap_record_open(ret_keys, NULL, ret_row, storage, ret);
}

static int put_name(struct life *l, uint32_t n) {
        _cleanup_(ctap_credential_keys_wipe) struct ctap_credential_keys keys = { 0 };
        struct ctap_store *s = store_of(l);
        struct ctap_record record;
        struct sha256 rp_id_hash;
        struct ctap_row row;
        uint8_t opened[sizeof(row.sealed)];
        struct buf storage = BUF_ON(opened);
        char name[32];
        int r;

        r = read_credential(l, &l->journal.credentials[0], &keys, &row, &storage, &record);
        if (r == 0)
                r = ctap_sha256(&record.rp_id, 1, &rp_id_hash);
        if (r < 0)
                return r;
        record.user_name = nth_name(name, n);
        record.has_user_name = true;
        r = ctap_record_seal(&keys, &l->stack.rng, &rp_id_hash, &record, &row);
        return r < 0 ? r : s->ops->update(s, &row);
}

static bool has_name(struct life *l, uint32_t n) {
        _cleanup_(ctap_credential_keys_wipe) struct ctap_credential_keys keys = { 0 };
        struct ctap_record record;
        struct ctap_row row;
        uint8_t opened[sizeof(row.sealed)];
        struct buf storage = BUF_ON(opened);
        char name[32];

        if (l->journal.n == 0)
                return n == 0;
        if (read_credential(l, &l->journal.credentials[0], &keys, &row, &storage, &record) < 0)
                return false;
        return n == 0 || bytes_equal(record.user_name, nth_name(name, n));
}

/* An array of some pages, each time another one. */
static struct bytes nth_large_blobs(uint8_t storage[static 8192], uint32_t n) {
        memset(storage, (int)n, 8192);
        return BYTES(storage, 5000 + 100 * n);
}

static int put_large_blobs(struct life *l, uint32_t n) {
        struct ctap_store *s = store_of(l);
        uint8_t storage[8192];

        return s->ops->large_blobs_write(s, nth_large_blobs(storage, n));
}

static bool has_large_blobs(struct life *l, uint32_t n) {
        struct ctap_store *s = store_of(l);
        uint8_t storage[8192], want[8192];
        struct buf got = BUF_ON(storage);
        uint32_t size = s->ops->large_blobs_size(s);

        if (n == 0)
                return size == CTAP_LARGE_BLOBS_EMPTY_SIZE;
        return s->ops->large_blobs_read(s, 0, size, &got) == 0 &&
               bytes_equal(buf_bytes(&got), nth_large_blobs(want, n));
}

static int put_settings(struct life *l, uint32_t n) {
        struct ctap_store *s = store_of(l);
        struct ctap_settings settings = *s->ops->settings(s);

        settings.persistent_token_epoch = n;
        settings.n_min_pin_length_rps = 1;
        memset(settings.min_pin_length_rps[0].b, (int)n, sizeof(struct sha256));
        return s->ops->set_settings(s, &settings);
}

static bool has_settings(struct life *l, uint32_t n) {
        struct ctap_store *s = store_of(l);
        const struct ctap_settings *settings = s->ops->settings(s);

        return settings->persistent_token_epoch == n && settings->n_min_pin_length_rps == (n > 0) &&
               settings->min_pin_length_rps[0].b[0] == n;
}

typedef int put_fn(struct life *l, uint32_t n);
typedef bool has_fn(struct life *l, uint32_t n);

static void change(struct life *l, struct changed *what, put_fn *put) {
        what->asked = what->told + 1;
        save(l);
        PROMISE(l, put(l, what->asked) == 0);
        what->told = what->asked;
        save(l);
}

static void check(struct life *l, struct changed *what, has_fn *has) {
        if (!has(l, what->told)) {
                PROMISE(l, has(l, what->asked));
                what->told = what->asked;
        }
        what->asked = what->told;
}

static void forget_last(struct life *l) {
        struct journal *j = &l->journal;

        j->n--;
        j->deleting = 0;
        PROMISE(l, j->n_erased < CREDENTIALS_MAX);
        j->erased[j->n_erased++] = j->credentials[j->n];
        save(l);
}

static void delete_last(struct life *l) {
        struct ctap_store *s = store_of(l);
        struct ctap_credential_id id;

        l->journal.deleting = 1;
        save(l);
        memcpy(id.b, l->journal.credentials[l->journal.n - 1].id, sizeof(id.b));
        PROMISE(l, s->ops->remove(s, &id) == 0);
        forget_last(l);
}

static void manage(struct life *l) {
        change(l, &l->journal.name, put_name);
        change(l, &l->journal.large_blobs, put_large_blobs);
        change(l, &l->journal.settings, put_settings);
        delete_last(l);
}

/* A deletion that was cut short has happened or has not. */
static void settle_deletion(struct life *l) {
        struct stack_credential copy = l->journal.credentials[l->journal.n - 1];

        if (stack_assert(&l->stack, "crash.test", &copy) == 0x2e) {
                forget_last(l);
                return;
        }
        PROMISE(l, copy.count > l->journal.credentials[l->journal.n - 1].count);
        l->journal.credentials[l->journal.n - 1].count = copy.count;
        l->journal.deleting = 0;
        save(l);
}

static void check_managed(struct life *l) {
        if (l->journal.deleting)
                settle_deletion(l);
        check(l, &l->journal.name, has_name);
        check(l, &l->journal.large_blobs, has_large_blobs);
        check(l, &l->journal.settings, has_settings);
        save(l);
}

/* ---- reset ---- */

static void forget_all(struct life *l) {
        memcpy(l->journal.erased, l->journal.credentials, sizeof(l->journal.erased));
        l->journal.n_erased = l->journal.n;
        l->journal.n = 0;
        l->journal.deleting = 0;
        l->journal.name = (struct changed){ 0 };
        l->journal.large_blobs = (struct changed){ 0 };
        l->journal.settings = (struct changed){ 0 };
}

static void reset(struct life *l) {
        l->journal.resetting = 1;
        save(l);
        PROMISE(l, stack_reset(&l->stack) == 0);
        forget_all(l);
        l->journal.resetting = 0;
        save(l);
}

/* A reset that was cut short is either done or was never begun, for all credentials alike. */
static void settle_reset(struct life *l) {
        struct stack_credential copy = l->journal.credentials[0];
        bool erased = l->journal.n > 0 && stack_assert(&l->stack, "crash.test", &copy) == 0x2e;

        if (erased) {
                forget_all(l);
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
        check_managed(l);
        use_all(l);
        for (uint32_t i = 0; i < l->journal.n_erased; i++) {
                struct stack_credential c = l->journal.erased[i];

                PROMISE(l, stack_assert(&l->stack, "crash.test", &c) == 0x2e);
        }
}

static void open_stack(struct life *l, const char *tcti) {
        PROMISE(l, stack_open(&l->stack, l->folder, tcti) == 0);
}

/* One life: whatever is there is used, more is made, changed, all is erased, and more is made. */
static void live(struct life *l, const char *tcti) {
        open_stack(l, tcti);
        if (l->journal.resetting)
                settle_reset(l);
        use_all(l);
        make(l, 1, false, true);
        make(l, 2, true, false);
        use_all(l);
        manage(l);
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
