/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Commands from a client's bytes down to a real TPM: what each ceremony may cost there, what is left
 * to do once the person has said yes, and what a backup of the disk is worth after a reset.
 */

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ctap/cose.h"
#include "tests/system/stack.h"
#include "tests/system/tpm-fixture.h"

struct world {
        struct fixture *tpm;
        struct stack stack;
        char folder[64];
        unsigned at_yes; /* TPM commands that had been sent when the person said yes */
};

static void remember_yes(void *userdata) {
        struct world *w = userdata;

        w->at_yes = watch_count(w->tpm);
}

static void open_again(struct world *w) {
        assert_int_equal(stack_open(&w->stack, w->folder, w->tpm->tcti), 0);
        w->stack.asked = remember_yes;
        w->stack.userdata = w;
}

static int world_setup(void **state) {
        struct world *w = calloc(1, sizeof(*w));
        void *fixture = NULL;

        assert_non_null(w);
        assert_int_equal(fixture_setup(&fixture), 0);
        w->tpm = fixture;
        w->tpm->tpm = tpm_free(w->tpm->tpm);
        snprintf(w->folder, sizeof(w->folder), "/tmp/tpmauthn-stack-XXXXXX");
        assert_non_null(mkdtemp(w->folder));
        open_again(w);
        (void)watch_count(w->tpm);
        *state = w;
        return 0;
}

static void remove_files(const char *folder) {
        static const char *const files[] = { "store.db", "store.db-wal", "store.db-shm",
                                             "store.db.old" };
        char path[100];

        for (size_t i = 0; i < ELEMENTSOF(files); i++) {
                snprintf(path, sizeof(path), "%s/%s", folder, files[i]);
                (void)unlink(path);
        }
        (void)rmdir(folder);
}

static int world_teardown(void **state) {
        struct world *w = *state;
        void *fixture = w->tpm;

        stack_close(&w->stack, false);
        remove_files(w->folder);
        assert_int_equal(fixture_teardown(&fixture), 0);
        free(w);
        return 0;
}

/* The budgets, as a reader looks for them. */
enum {
        BUDGET_REGISTER_NONE = 1,
        BUDGET_REGISTER_PACKED = 4,
        BUDGET_REGISTER_PACKED_SPARE = 3,
        BUDGET_ASSERT = 3,
        BUDGET_GET_INFO = 0,
        BUDGET_FOREIGN_IDS = 0,
        BUDGET_RESET = 3,
        BUDGET_START = 12,
};

static void GA17_ceremonies_keep_their_tpm_budgets(void **state) {
        struct world *w = *state;
        struct stack_credential c;

        assert_int_equal(stack_register(&w->stack, "budget.test", 1, false, true, &c), 0);
        assert_int_equal(w->at_yes, BUDGET_REGISTER_NONE); /* all of it while the prompt was up */
        assert_int_equal(watch_count(w->tpm), 0);

        assert_int_equal(stack_register(&w->stack, "budget.test", 2, true, false, &c), 0);
        assert_int_equal(w->at_yes + watch_count(w->tpm), BUDGET_REGISTER_PACKED);

        /* The first signature after a clean start opens a counter lease, the others do not. */
        assert_int_equal(stack_assert(&w->stack, "budget.test", &c), 0);
        (void)watch_count(w->tpm);
        assert_int_equal(stack_assert(&w->stack, "budget.test", &c), 0);
        assert_int_equal(w->at_yes + watch_count(w->tpm), BUDGET_ASSERT);

        assert_int_equal(stack_get_info(&w->stack), 0);
        assert_int_equal(watch_count(w->tpm), BUDGET_GET_INFO);
        assert_int_equal(stack_probe_foreign(&w->stack, "budget.test", 48), 0x2e);
        assert_int_equal(watch_count(w->tpm), BUDGET_FOREIGN_IDS);
}

/* The key was made ahead: Load, Sign and FlushContext are left. */
static void GA17_rsa_with_a_spare_key_keeps_its_tpm_budgets(void **state) {
        struct world *w = *state;
        struct stack_credential c[4];
        char log[256];

        w->stack.alg = CTAP_COSE_RS256;
        assert_int_equal(stack_register(&w->stack, "rsa.test", 1, false, false, &c[0]), 0);
        assert_int_equal(w->at_yes + watch_count(w->tpm), BUDGET_REGISTER_PACKED);
        assert_int_equal(stack_assert(&w->stack, "rsa.test", &c[0]), 0); /* with a lease */
        (void)watch_count(w->tpm);
        assert_true(vault_wants_spare(w->stack.vault));
        vault_make_spare(w->stack.vault);
        watch_log(w->tpm, log, sizeof(log));
        assert_string_equal(log, "Create");

        assert_int_equal(stack_register(&w->stack, "rsa.test", 2, true, false, &c[1]), 0);
        assert_int_equal(w->at_yes + watch_count(w->tpm), BUDGET_REGISTER_PACKED_SPARE);
        assert_int_equal(stack_assert(&w->stack, "rsa.test", &c[1]), 0);
        assert_int_equal(w->at_yes + watch_count(w->tpm), BUDGET_ASSERT);

        /* A restart makes no other, and has no command for it. */
        vault_make_spare(w->stack.vault);
        stack_close(&w->stack, true);
        (void)watch_count(w->tpm);
        open_again(w);
        assert_in_range(watch_count(w->tpm), 1, BUDGET_START);
        assert_false(vault_wants_spare(w->stack.vault));
        vault_settle(w->stack.vault); /* reads the tries of the PIN */
        (void)watch_count(w->tpm);
        w->stack.alg = CTAP_COSE_RS256;
        assert_int_equal(stack_register(&w->stack, "rsa.test", 3, false, true, &c[2]), 0);
        assert_int_equal(w->at_yes, 1); /* the lease, which the next assertion finds */
        assert_int_equal(watch_count(w->tpm), 0);
        assert_int_equal(stack_assert(&w->stack, "rsa.test", &c[2]), 0);
        assert_int_equal(w->at_yes + watch_count(w->tpm), BUDGET_ASSERT);
        assert_int_equal(stack_assert(&w->stack, "rsa.test", &c[0]), 0);

        for (int i = 0; i < 3; i++)
                for (int j = 0; j < i; j++)
                        assert_memory_not_equal(c[i].key.modulus, c[j].key.modulus, 256);
}

static void RS5_after_reset_a_spare_key_is_unknown(void **state) {
        struct world *w = *state;
        struct stack_credential before, after;

        w->stack.alg = CTAP_COSE_RS256;
        assert_int_equal(stack_register(&w->stack, "reset.test", 1, false, true, &before), 0);
        vault_make_spare(w->stack.vault);
        assert_int_equal(stack_reset(&w->stack), 0);
        assert_false(vault_wants_spare(w->stack.vault));
        (void)watch_count(w->tpm);
        assert_int_equal(stack_register(&w->stack, "reset.test", 1, false, true, &after), 0);
        assert_int_equal(w->at_yes, 1); /* Create */
        assert_int_equal(stack_assert(&w->stack, "reset.test", &after), 0);
}

static void GA10_after_presence_an_assertion_sends_one_command_before_its_answer(void **state) {
        struct world *w = *state;
        struct stack_credential c;
        char log[256];

        assert_int_equal(stack_register(&w->stack, "yes.test", 1, false, true, &c), 0);
        assert_int_equal(stack_assert(&w->stack, "yes.test", &c), 0);
        /* stack_assert() settles only after it has the answer: Sign before it, FlushContext after. */
        watch_log(w->tpm, log, sizeof(log));
        assert_string_equal(log, "Sign FlushContext");
}

static void a_lease_costs_one_command_in_32_assertions(void **state) {
        struct world *w = *state;
        struct stack_credential c;
        unsigned n = 0;

        assert_int_equal(stack_register(&w->stack, "lease.test", 1, false, true, &c), 0);
        for (unsigned i = 0; i < 3 * LEASE_USES; i++) {
                assert_int_equal(stack_assert(&w->stack, "lease.test", &c), 0);
                n += w->at_yes + watch_count(w->tpm);
        }
        /* One ahead is taken in idle time once a lease is used up. */
        assert_int_equal(n, 3 * LEASE_USES * BUDGET_ASSERT + 4);
}

static void start_of_a_provisioned_instance_keeps_its_budget(void **state) {
        struct world *w = *state;

        stack_close(&w->stack, true);
        (void)watch_count(w->tpm);
        open_again(w);
        assert_in_range(watch_count(w->tpm), 1, BUDGET_START);
}

static void RS4_reset_erases_in_the_tpm_within_its_budget(void **state) {
        struct world *w = *state;
        char log[4096], *provision;
        unsigned n = 1;

        assert_int_equal(stack_reset(&w->stack), 0);
        watch_log(w->tpm, log, sizeof(log));
        /* What comes before the first look for free handles is the erasure. */
        provision = strstr(log, "GetCapability");
        assert_non_null(provision);
        *provision = '\0';
        for (const char *p = log; *p; p++)
                n += *p == ' ' && p[1] != '\0';
        assert_in_range(n, 2, BUDGET_RESET);
        assert_non_null(strstr(log, "NV_UndefineSpace"));
        assert_non_null(strstr(log, "EvictControl"));
}

static void RS5_after_reset_an_old_credential_is_unknown(void **state) {
        struct world *w = *state;
        struct stack_credential before, after;

        assert_int_equal(stack_register(&w->stack, "reset.test", 1, true, false, &before), 0);
        assert_int_equal(stack_reset(&w->stack), 0);
        assert_int_equal(stack_assert(&w->stack, "reset.test", &before), 0x2e);
        assert_int_equal(stack_register(&w->stack, "reset.test", 1, true, false, &after), 0);
        assert_int_equal(stack_assert(&w->stack, "reset.test", &after), 0);
}

static void copy(const char *folder, const char *from, const char *to) {
        char command[256];

        snprintf(command, sizeof(command), "cp '%s/%s' '%s/%s'", folder, from, folder, to);
        assert_int_equal(system(command), 0);
}

static void RS4_after_reset_no_backup_of_the_disk_makes_an_old_credential_sign(void **state) {
        struct world *w = *state;
        struct stack_credential c;
        char path[100];

        assert_int_equal(stack_register(&w->stack, "backup.test", 1, false, false, &c), 0);
        stack_close(&w->stack, true);
        copy(w->folder, "store.db", "store.db.old");
        open_again(w);
        assert_int_equal(stack_assert(&w->stack, "backup.test", &c), 0);
        assert_int_equal(stack_reset(&w->stack), 0);
        stack_close(&w->stack, true);

        snprintf(path, sizeof(path), "%s/store.db-wal", w->folder);
        (void)unlink(path);
        copy(w->folder, "store.db.old", "store.db");
        assert_int_equal(stack_open(&w->stack, w->folder, w->tpm->tcti), -ESTALE);
}

static void F5_a_restored_copy_of_the_store_repeats_no_counter(void **state) {
        struct world *w = *state;
        struct stack_credential c;
        uint32_t highest;
        char path[100];

        assert_int_equal(stack_register(&w->stack, "copy.test", 1, false, true, &c), 0);
        assert_int_equal(stack_assert(&w->stack, "copy.test", &c), 0);
        stack_close(&w->stack, true);
        copy(w->folder, "store.db", "store.db.old");
        open_again(w);
        for (unsigned i = 0; i < LEASE_USES + 5; i++)
                assert_int_equal(stack_assert(&w->stack, "copy.test", &c), 0);
        highest = c.count;
        stack_close(&w->stack, false);

        snprintf(path, sizeof(path), "%s/store.db-wal", w->folder);
        (void)unlink(path);
        copy(w->folder, "store.db.old", "store.db");
        open_again(w);
        assert_int_equal(stack_assert(&w->stack, "copy.test", &c), 0);
        assert_true(c.count > highest);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(GA17_ceremonies_keep_their_tpm_budgets, world_setup,
                                                world_teardown),
                cmocka_unit_test_setup_teardown(GA17_rsa_with_a_spare_key_keeps_its_tpm_budgets,
                                                world_setup, world_teardown),
                cmocka_unit_test_setup_teardown(RS5_after_reset_a_spare_key_is_unknown, world_setup,
                                                world_teardown),
                cmocka_unit_test_setup_teardown(
                        GA10_after_presence_an_assertion_sends_one_command_before_its_answer,
                        world_setup, world_teardown),
                cmocka_unit_test_setup_teardown(a_lease_costs_one_command_in_32_assertions,
                                                world_setup, world_teardown),
                cmocka_unit_test_setup_teardown(start_of_a_provisioned_instance_keeps_its_budget,
                                                world_setup, world_teardown),
                cmocka_unit_test_setup_teardown(RS4_reset_erases_in_the_tpm_within_its_budget,
                                                world_setup, world_teardown),
                cmocka_unit_test_setup_teardown(RS5_after_reset_an_old_credential_is_unknown,
                                                world_setup, world_teardown),
                cmocka_unit_test_setup_teardown(
                        RS4_after_reset_no_backup_of_the_disk_makes_an_old_credential_sign,
                        world_setup, world_teardown),
                cmocka_unit_test_setup_teardown(F5_a_restored_copy_of_the_store_repeats_no_counter,
                                                world_setup, world_teardown),
        };

        return cmocka_run_group_tests_name("stack", tests, NULL, NULL);
}
