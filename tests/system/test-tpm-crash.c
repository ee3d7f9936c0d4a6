/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * kill -9 around every single TPM command. A child does the work with the state in a file; the
 * watching TCTI kills it; then this process goes on from the file, as the daemon would at its
 * next start.
 */

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/system/tpm-fixture.h"
#include "tpm/state.h"

typedef int ceremony_fn(struct tpm *t, struct tpm_state *state, tpm_save_fn *save, void *userdata);

/* The phase and the bytes: this file is the test's own, so it may be the struct itself. */
static void state_path(const struct fixture *f, char ret[static 128]) {
        (void)snprintf(ret, 128, "%s/state-file", f->swtpm.dir);
}

static int save_to_file(void *userdata, const struct tpm_state *state) {
        char path[128], temporary[140];
        int fd;

        state_path(userdata, path);
        (void)snprintf(temporary, sizeof(temporary), "%s.new", path);
        fd = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
        if (fd < 0 || write(fd, state, sizeof(*state)) != sizeof(*state) || fsync(fd) < 0)
                return -EIO;
        (void)close(fd);
        return rename(temporary, path) < 0 ? -errno : 0;
}

static struct tpm_state state_from_file(const struct fixture *f) {
        struct tpm_state s = { .phase = TPM_PHASE_NONE };
        char path[128];
        int fd;

        state_path(f, path);
        fd = open(path, O_RDONLY | O_CLOEXEC);
        if (fd >= 0) {
                assert_int_equal(read(fd, &s, sizeof(s)), sizeof(s));
                (void)close(fd);
        }
        return s;
}

/* True if the child was killed by its plan, false if it got to the end. */
static bool child_is_killed(struct fixture *f, ceremony_fn *ceremony, bool unlock_first) {
        pid_t pid;
        int status;

        tpm_idle(f->tpm);
        pid = fork();
        assert_true(pid >= 0);
        if (pid == 0) {
                struct tpm_state s = state_from_file(f);
                int r;

                (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
                fixture_reopen(f);
                if (unlock_first && tpm_unlock(f->tpm, &s) < 0)
                        _exit(2);
                r = ceremony(f->tpm, &s, save_to_file, f);
                f->tpm = tpm_free(f->tpm);
                _exit(r < 0 ? 1 : 0);
        }
        assert_int_equal(waitpid(pid, &status, 0), pid);
        if (WIFSIGNALED(status)) {
                assert_int_equal(WTERMSIG(status), SIGKILL);
                return true;
        }
        assert_int_equal(WEXITSTATUS(status), 0);
        return false;
}

/* The next start: provisions, and everything is as if nothing had happened. */
static void recover(struct fixture *f, uint64_t *counter) {
        struct tpm_state s = state_from_file(f);
        bool was_ready = s.phase == TPM_PHASE_READY;
        struct credential c;
        uint64_t now;

        watch_no_plan(f);
        fixture_reopen(f);
        assert_int_equal(tpm_provision(f->tpm, &s, save_to_file, f), 0);
        f->state = state_from_file(f);
        assert_int_equal(f->state.phase, TPM_PHASE_READY);
        assert_int_equal(credential_make(f, CTAP_KEY_P256, &c), 0);
        assert_int_equal(credential_use(f, &c), 0);
        assert_int_equal(tpm_counter_read(f->tpm, &now), 0);
        assert_true(now >= *counter);
        *counter = now;

        /*
         * A start-up looks for nothing that a crash may have left loaded: only a simulator keeps
         * that, and it is flushed there once it is in the way (a_full_tpm_is_tidied_once).
         */
        if (was_ready)
                assert_nothing_else_is_kept(f);
        else
                assert_nothing_else(f);
}

static void remove_all(struct fixture *f) {
        struct tpm_state s = state_from_file(f);

        assert_int_equal(tpm_remove(f->tpm, &s, save_to_file, f), 0);
        assert_empty(f);
}

static void provisioning_recovers(struct fixture *f, const char *when) {
        uint64_t counter = 0;
        unsigned n;

        for (n = 1;; n++) {
                bool killed;

                watch_plan(f, "%s %u\n", when, n);
                killed = child_is_killed(f, tpm_provision, false);
                recover(f, &counter);
                remove_all(f);
                if (!killed)
                        break;
        }
        assert_in_range(n, 60, 120);
}

static void provisioning_killed_before_any_command_recovers(void **state) {
        provisioning_recovers(*state, "kill-before");
}

static void provisioning_killed_after_any_command_recovers(void **state) {
        provisioning_recovers(*state, "kill-after");
}

static void provisioning_without_a_slot_killed_after_any_command_recovers(void **state) {
        struct fixture *f = *state;

        f->without_slot = true;
        provisioning_recovers(f, "kill-after");
}

/* The plan counts the commands of the unlock too: those crashes have to do no harm either. */
static void erasing_recovers(struct fixture *f, const char *when, ceremony_fn *erase,
                             unsigned n_unlock) {
        uint64_t counter = 0;
        unsigned n;

        recover(f, &counter);
        for (n = 1;; n++) {
                const struct tpm_state before = state_from_file(f);
                bool killed;

                watch_plan(f, "%s %u\n", when, n);
                killed = child_is_killed(f, erase, n_unlock > 0);
                recover(f, &counter);

                /* What was there before never works again once erasing began. */
                fixture_reopen(f);
                if (n > n_unlock + 1)
                        assert_int_equal(tpm_unlock(f->tpm, &before), -ESTALE);
                tpm_idle(f->tpm);
                if (!killed)
                        break;
        }
        assert_in_range(n, n_unlock + 3, n_unlock + 8);
}

static void a_reset_killed_before_any_command_recovers(void **state) {
        erasing_recovers(*state, "kill-before", tpm_erase, 11);
}

static void a_reset_killed_after_any_command_recovers(void **state) {
        erasing_recovers(*state, "kill-after", tpm_erase, 11);
}

static void a_reset_of_a_locked_state_killed_after_any_command_recovers(void **state) {
        erasing_recovers(*state, "kill-after", tpm_erase, 0);
}

/* Six commands more to load P2 for the store key. */
static void a_reset_without_a_slot_killed_after_any_command_recovers(void **state) {
        struct fixture *f = *state;

        f->without_slot = true;
        erasing_recovers(f, "kill-after", tpm_erase, 17);
}

/* After a crash while removing, removing again leaves nothing. */
static void removing_killed_after_any_command_can_be_repeated(void **state) {
        struct fixture *f = *state;
        uint64_t counter = 0;
        bool killed = true;

        for (unsigned n = 1; killed; n++) {
                recover(f, &counter);
                watch_plan(f, "kill-after %u\n", n);
                killed = child_is_killed(f, tpm_remove, false);
                watch_no_plan(f);
                fixture_reopen(f);
                remove_all(f);
        }
}

/* Registration and assertion: what was made before is still there, nothing is left over. */
static int register_and_use(struct tpm *t, struct tpm_state *state, _unused_ tpm_save_fn *save,
                            void *userdata) {
        struct fixture *f = userdata;
        struct credential c;
        uint64_t counter;
        int r;

        f->tpm = t;
        (void)state;
        r = credential_make(f, CTAP_KEY_P256, &c);
        if (r >= 0)
                r = credential_use(f, &c);
        return r < 0 ? r : tpm_counter_advance(t, &counter);
}

static void use_killed_after_any_command_loses_nothing(void **state) {
        struct fixture *f = *state;
        uint64_t counter = 0;
        struct credential c;
        struct tpm_state s;
        bool killed = true;

        recover(f, &counter);
        s = state_from_file(f);
        assert_int_equal(credential_make(f, CTAP_KEY_P256, &c), 0);
        for (unsigned n = 1; killed; n++) {
                uint64_t now;

                watch_plan(f, "kill-after %u\n", n);
                killed = child_is_killed(f, register_and_use, true);
                watch_no_plan(f);

                fixture_reopen(f);
                assert_int_equal(tpm_unlock(f->tpm, &s), 0);
                assert_int_equal(credential_use(f, &c), 0);
                assert_int_equal(tpm_counter_read(f->tpm, &now), 0);
                assert_true(now >= counter);
                counter = now;
        }
}

/* ---- the PIN ------------------------------------------------------------------------------ */

/* The commands of tpm_unlock(), after which the PIN is asked for. */
#define N_UNLOCK 11

static void begin_pin(struct fixture *f, struct tpm *t, struct tpm_state *s, tpm_save_fn *save) {
        f->tpm = t;
        if (tpm_complete(t, s, save, f) < 0)
                _exit(3);
}

static int set_pin(struct tpm *t, struct tpm_state *s, tpm_save_fn *save, void *userdata) {
        begin_pin(userdata, t, s, save);
        return pin_change(userdata, NULL, "1234");
}

static int change_pin(struct tpm *t, struct tpm_state *s, tpm_save_fn *save, void *userdata) {
        begin_pin(userdata, t, s, save);
        return pin_change(userdata, "1234", "5678");
}

static int show_the_right_pin(struct tpm *t, struct tpm_state *s, tpm_save_fn *save,
                              void *userdata) {
        begin_pin(userdata, t, s, save);
        return pin_verify(userdata, "1234", NULL);
}

static int show_a_wrong_pin(struct tpm *t, struct tpm_state *s, tpm_save_fn *save, void *userdata) {
        begin_pin(userdata, t, s, save);
        return pin_verify(userdata, "0000", NULL);
}

static void go_on(struct fixture *f) {
        struct tpm_state s = state_from_file(f);

        watch_no_plan(f);
        fixture_reopen(f);
        assert_int_equal(tpm_unlock(f->tpm, &s), 0);
        assert_int_equal(tpm_complete(f->tpm, &s, save_to_file, f), 0);
}

/* Switched off and on, a TPM has none of what a crash left loaded in it. */
static void tidy_up(struct fixture *f) {
        tpm_idle(f->tpm);
        swtpm_restart(&f->swtpm, true);
        remove_all(f);
}

static void set_up_pin(struct fixture *f, bool ordinary) {
        uint64_t counter = 0;

        recover(f, &counter);
        if (ordinary)
                fixture_make_ordinary(f);
        assert_int_equal(save_to_file(f, &f->state), 0);
        go_on(f);
}

/* Exactly one of the two is right; then it is `want` again. */
static void assert_old_or_new(struct fixture *f, const char *old, const char *new,
                              const char *want) {
        const char *now = new;

        if (pin_verify(f, new, NULL) != CTAP_PIN_RIGHT) {
                now = old;
                if (old)
                        assert_int_equal(pin_verify(f, old, NULL), CTAP_PIN_RIGHT);
        } else if (old) {
                assert_int_equal(pin_verify(f, old, NULL), CTAP_PIN_WRONG);
        }
        assert_int_equal(pin_change(f, now, want), CTAP_PIN_RIGHT);
        assert_int_equal(pin_retries(f), 8);
}

static void changing_recovers(struct fixture *f, const char *when, bool ordinary) {
        bool killed = true;
        unsigned n;

        set_up_pin(f, ordinary);
        assert_int_equal(pin_change(f, NULL, "1234"), CTAP_PIN_RIGHT);
        for (n = N_UNLOCK + 1; killed; n++) {
                tpm_idle(f->tpm);
                watch_plan(f, "%s %u\n", when, n);
                killed = child_is_killed(f, change_pin, true);
                go_on(f);
                assert_old_or_new(f, "1234", "5678", "1234");
        }
        assert_in_range(n - N_UNLOCK, 7, 12);
}

static void setting_recovers(struct fixture *f, const char *when) {
        bool killed = true;

        for (unsigned n = N_UNLOCK + 1; killed; n++) {
                set_up_pin(f, false);
                watch_plan(f, "%s %u\n", when, n);
                killed = child_is_killed(f, set_pin, true);
                go_on(f);
                assert_old_or_new(f, NULL, "1234", "5678");
                tidy_up(f);
        }
}

static void setting_a_pin_killed_around_any_command_leaves_none_or_it(void **state) {
        setting_recovers(*state, "kill-before");
        setting_recovers(*state, "kill-after");
}

static void changing_a_pin_killed_around_any_command_leaves_old_or_new(void **state) {
        changing_recovers(*state, "kill-before", false);
        tidy_up(*state);
        changing_recovers(*state, "kill-after", false);
}

static void the_same_where_the_daemon_counts_the_tries(void **state) {
        changing_recovers(*state, "kill-before", true);
        tidy_up(*state);
        changing_recovers(*state, "kill-after", true);
}

/* Whatever a crash cuts short gives no try back, and takes one at most. */
static void a_wrong_pin_costs(struct fixture *f, const char *when, bool ordinary) {
        bool killed = true;
        unsigned before = 8;

        set_up_pin(f, ordinary);
        assert_int_equal(pin_change(f, NULL, "1234"), CTAP_PIN_RIGHT);
        for (unsigned n = N_UNLOCK + 1; killed; n++) {
                unsigned now;

                if (before < 4) {
                        assert_int_equal(pin_verify(f, "1234", NULL), CTAP_PIN_RIGHT);
                        before = 8;
                }
                tpm_idle(f->tpm);
                watch_plan(f, "%s %u\n", when, n);
                killed = child_is_killed(f, show_a_wrong_pin, true);
                go_on(f);
                now = pin_retries(f);
                assert_in_range(now, before - 1, before);
                if (!killed)
                        assert_int_equal(now, before - 1);
                before = now;
        }
        assert_int_equal(pin_verify(f, "1234", NULL), CTAP_PIN_RIGHT);
        tidy_up(f);
}

static void a_wrong_pin_killed_around_any_command_gives_no_try_back(void **state) {
        a_wrong_pin_costs(*state, "kill-before", false);
        a_wrong_pin_costs(*state, "kill-after", false);
        a_wrong_pin_costs(*state, "kill-before", true);
        a_wrong_pin_costs(*state, "kill-after", true);
}

static void a_right_pin_costs_at_most_a_try(struct fixture *f, bool ordinary) {
        bool killed = true;

        set_up_pin(f, ordinary);
        assert_int_equal(pin_change(f, NULL, "1234"), CTAP_PIN_RIGHT);
        for (unsigned n = N_UNLOCK + 1; killed; n++) {
                tpm_idle(f->tpm);
                watch_plan(f, "kill-after %u\n", n);
                killed = child_is_killed(f, show_the_right_pin, true);
                go_on(f);
                assert_in_range(pin_retries(f), 7, 8);
                assert_int_equal(pin_verify(f, "1234", NULL), CTAP_PIN_RIGHT);
                assert_int_equal(pin_retries(f), 8);
        }
        tidy_up(f);
}

static void a_right_pin_killed_after_any_command_is_right_again(void **state) {
        a_right_pin_costs_at_most_a_try(*state, false);
        a_right_pin_costs_at_most_a_try(*state, true);
}

/* The index where an ordinary one is made, and of a state of before. */
static void completing_killed_around_any_command_recovers(void **state) {
        static const char *const when[] = { "kill-before", "kill-after" };
        struct fixture *f = *state;

        for (size_t i = 0; i < ELEMENTSOF(when); i++) {
                struct tpm_record r;
                bool killed = true;

                for (unsigned n = N_UNLOCK + 1; killed; n++) {
                        set_up_pin(f, true);
                        assert_int_equal(tpm_state_decode(&f->state, &r), 0);
                        {
                                struct raw raw = raw_open(f);

                                assert_int_equal(
                                        Esys_NV_UndefineSpace(raw.esys, ESYS_TR_RH_OWNER,
                                                              raw_find(&raw, tpm_nv_index(&r.pin)),
                                                              ESYS_TR_PASSWORD, ESYS_TR_NONE,
                                                              ESYS_TR_NONE),
                                        0);
                                raw_close(&raw);
                        }
                        r.pin = (struct tpm_nv){ 0 };
                        assert_int_equal(tpm_state_encode(&r, &f->state), 0);
                        assert_int_equal(save_to_file(f, &f->state), 0);
                        watch_plan(f, "%s %u\n", when[i], n);
                        killed = child_is_killed(f, tpm_complete, true);
                        go_on(f);
                        f->state = state_from_file(f);
                        assert_int_equal(pin_change(f, NULL, "1234"), CTAP_PIN_RIGHT);
                        assert_int_equal(pin_retries(f), 8);
                        assert_nothing_else_is_kept(f);
                        tidy_up(f);
                }
        }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)

int main(void) {
        const struct CMUnitTest tests[] = {
                TEST(provisioning_killed_before_any_command_recovers),
                TEST(provisioning_killed_after_any_command_recovers),
                TEST(provisioning_without_a_slot_killed_after_any_command_recovers),
                TEST(a_reset_killed_before_any_command_recovers),
                TEST(a_reset_killed_after_any_command_recovers),
                TEST(a_reset_of_a_locked_state_killed_after_any_command_recovers),
                TEST(a_reset_without_a_slot_killed_after_any_command_recovers),
                TEST(removing_killed_after_any_command_can_be_repeated),
                TEST(use_killed_after_any_command_loses_nothing),
                TEST(setting_a_pin_killed_around_any_command_leaves_none_or_it),
                TEST(changing_a_pin_killed_around_any_command_leaves_old_or_new),
                TEST(the_same_where_the_daemon_counts_the_tries),
                TEST(a_wrong_pin_killed_around_any_command_gives_no_try_back),
                TEST(a_right_pin_killed_after_any_command_is_right_again),
                TEST(completing_killed_around_any_command_recovers),
        };

        return cmocka_run_group_tests_name("tpm-crash", tests, NULL, NULL);
}
