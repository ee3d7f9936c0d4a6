/* SPDX-License-Identifier: BSD-2-Clause */

/* kill -9 around every single TPM command of provisioning, using, erasing. */

#include <errno.h>

#include "tests/system/crash-kit.h"

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
        };

        return cmocka_run_group_tests_name("tpm-crash", tests, NULL, NULL);
}
