/* SPDX-License-Identifier: BSD-2-Clause */

/* kill -9 around every single TPM command that a PIN takes. */

#include <unistd.h>

#include "tests/system/crash-kit.h"
#include "tpm/state.h"

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

/* As an older version left it, but for the kind. */
static void put_state_without_a_pin(struct fixture *f) {
        struct tpm_record r;
        struct raw raw;

        set_up_pin(f, true);
        assert_int_equal(tpm_state_decode(&f->state, &r), 0);
        raw = raw_open(f);
        assert_int_equal(Esys_NV_UndefineSpace(raw.esys, ESYS_TR_RH_OWNER,
                                               raw_find(&raw, tpm_nv_index(&r.pin)),
                                               ESYS_TR_PASSWORD, ESYS_TR_NONE, ESYS_TR_NONE),
                         0);
        raw_close(&raw);
        r.pin = (struct tpm_nv){ 0 };
        assert_int_equal(tpm_state_encode(&r, &f->state), 0);
        assert_int_equal(save_to_file(f, &f->state), 0);
}

/* Provisioning, which is killed everywhere too, makes the other kind. */
static void making_an_ordinary_index_killed_after_any_command_recovers(void **state) {
        struct fixture *f = *state;
        bool killed = true;

        for (unsigned n = N_UNLOCK + 1; killed; n++) {
                put_state_without_a_pin(f);
                watch_plan(f, "kill-after %u\n", n);
                killed = child_is_killed(f, tpm_complete, true);
                go_on(f);
                f->state = state_from_file(f);
                assert_int_equal(pin_change(f, NULL, "1234"), CTAP_PIN_RIGHT);
                assert_int_equal(pin_retries(f), 8);
                assert_nothing_else_is_kept(f);
                tidy_up(f);
        }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)

int main(void) {
        const struct CMUnitTest tests[] = {
                TEST(setting_a_pin_killed_around_any_command_leaves_none_or_it),
                TEST(changing_a_pin_killed_around_any_command_leaves_old_or_new),
                TEST(the_same_where_the_daemon_counts_the_tries),
                TEST(a_wrong_pin_killed_around_any_command_gives_no_try_back),
                TEST(a_right_pin_killed_after_any_command_is_right_again),
                TEST(making_an_ordinary_index_killed_after_any_command_recovers),
        };

        return cmocka_run_group_tests_name("tpm-pin-crash", tests, NULL, NULL);
}
