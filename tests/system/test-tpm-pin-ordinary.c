/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The PIN where the TPM has no index that counts wrong tries: the daemon counts, with a counter that
 * never goes back, and the TPM's dictionary attack protection stands behind it.
 */

#include <errno.h>
#include <string.h>

#include "tests/system/tpm-fixture.h"
#include "tpm/state.h"

static struct tpm_record record_of(const struct tpm_state *s) {
        struct tpm_record r;

        assert_int_equal(tpm_state_decode(s, &r), 0);
        return r;
}

static void put_state(struct fixture *f, const struct tpm_record *r) {
        assert_int_equal(tpm_state_encode(r, &f->state), 0);
}

static void raw_undefine(struct fixture *f, const struct tpm_nv *nv) {
        struct raw raw = raw_open(f);

        assert_int_equal(Esys_NV_UndefineSpace(raw.esys, ESYS_TR_RH_OWNER,
                                               raw_find(&raw, tpm_nv_index(nv)), ESYS_TR_PASSWORD,
                                               ESYS_TR_NONE, ESYS_TR_NONE),
                         0);
        raw_close(&raw);
}

/* Takes back what failed authorisations did to the TPM: the owner may. */
static void reset_lockout(struct fixture *f) {
        struct raw raw = raw_open(f);

        assert_int_equal(Esys_DictionaryAttackLockReset(raw.esys, ESYS_TR_RH_LOCKOUT,
                                                        ESYS_TR_PASSWORD, ESYS_TR_NONE,
                                                        ESYS_TR_NONE),
                         0);
        raw_close(&raw);
}

static int setup(void **state) {
        struct fixture *f;

        (void)fixture_setup_ready(state);
        f = *state;
        fixture_make_ordinary(f);
        assert_int_equal(pin_change(f, NULL, "1234"), CTAP_PIN_RIGHT);
        (void)watch_count(f);
        return 0;
}

static void tries_are_counted_by_a_counter_of_their_own(void **state) {
        struct fixture *f = *state;
        struct tpm_facts facts;

        tpm_state_facts(&f->state, &facts);
        assert_int_equal(facts.pin_kind, TPM_PIN_ORDINARY);
        assert_int_not_equal(facts.tries, 0);
        assert_int_not_equal(facts.tries, facts.pin);
        assert_int_equal(record_of(&f->state).pin.public.nvPublic.attributes & TPMA_NV_NO_DA, 0);
        assert_nothing_else(f);
}

static void the_right_pin_gives_the_tries_back(void **state) {
        struct fixture *f = *state;

        for (unsigned i = 1; i < 8; i++) {
                assert_int_equal(pin_verify(f, "0000", NULL), CTAP_PIN_WRONG);
                assert_int_equal(pin_retries(f), 8 - i);
                fixture_restart(f);
                assert_int_equal(pin_retries(f), 8 - i);
        }
        assert_int_equal(pin_verify(f, "1234", NULL), CTAP_PIN_RIGHT);
        assert_int_equal(pin_retries(f), 8);
        fixture_restart(f);
        assert_int_equal(pin_retries(f), 8);
        assert_int_equal(pin_change(f, "0000", "5678"), CTAP_PIN_WRONG);
        assert_int_equal(pin_retries(f), 7);
        assert_int_equal(pin_change(f, "1234", "5678"), CTAP_PIN_RIGHT);
        assert_int_equal(pin_retries(f), 8);
        assert_nothing_else(f);
}

static void after_eight_wrong_ones_the_tpm_is_not_asked_any_more(void **state) {
        struct fixture *f = *state;

        for (int i = 0; i < 8; i++) {
                assert_int_equal(pin_verify(f, "0000", NULL), CTAP_PIN_WRONG);
                if (i % 3 == 0)
                        fixture_restart(f);
        }
        reset_lockout(f);
        tpm_settle(f->tpm);
        assert_int_equal(pin_retries(f), 0);
        (void)watch_count(f);
        assert_int_equal(pin_verify(f, "1234", NULL), CTAP_PIN_BLOCKED);
        assert_int_equal(pin_change(f, "1234", "5678"), CTAP_PIN_BLOCKED);
        assert_int_equal(watch_count(f), 0);
        fixture_restart(f);
        (void)watch_count(f);
        assert_int_equal(pin_verify(f, "1234", NULL), CTAP_PIN_BLOCKED);
        assert_int_equal(watch_count(f), 1);
        assert_int_equal(pin_retries(f), 0);
}

static void keys_of_class_b_work_as_ever(void **state) {
        struct fixture *f = *state;
        struct ctap_ticket ticket;
        struct credential c;

        assert_int_equal(credential_make_of(f, CTAP_KEY_P256, CTAP_CLASS_B, &c), 0);
        assert_int_equal(credential_use(f, &c), -EKEYEXPIRED);
        assert_int_equal(pin_verify(f, "1234", &ticket), CTAP_PIN_RIGHT);
        assert_int_equal(credential_use_by(f, &c, &ticket), 0);
        assert_nothing_else(f);
}

static void a_tpm_in_lockout_costs_no_try(void **state) {
        struct fixture *f = *state;

        raw_set_max_tries(f, 2);
        for (int i = 0; i < 2; i++)
                assert_int_equal(pin_verify(f, "0000", NULL), CTAP_PIN_WRONG);
        assert_int_equal(pin_retries(f), 6);
        for (int i = 0; i < 10; i++) {
                assert_int_equal(pin_verify(f, "1234", NULL), CTAP_PIN_LATER);
                assert_int_equal(pin_change(f, "1234", "5678"), CTAP_PIN_LATER);
                assert_int_equal(pin_retries(f), 6);
        }
        fixture_restart(f);
        assert_int_equal(pin_retries(f), 6);
        assert_int_equal(pin_verify(f, "1234", NULL), CTAP_PIN_LATER);
        reset_lockout(f);
        assert_int_equal(pin_verify(f, "1234", NULL), CTAP_PIN_RIGHT);
        assert_int_equal(pin_retries(f), 8);
        assert_nothing_else(f);
}

static void a_tpm_that_fails_costs_no_try(void **state) {
        static const unsigned codes[] = { 0x101, 0x904, 0x910, 0x1c4, 0x12f, 0x922 };
        struct fixture *f = *state;

        f->sessions = TPM_SESSIONS_SALTED;
        fixture_restart(f);
        for (size_t i = 0; i < ELEMENTSOF(codes); i++)
                for (unsigned n = 1; n <= 4; n++) {
                        watch_plan(f, "answer %u %x\n", n, codes[i]);
                        (void)pin_verify(f, "1234", NULL);
                        watch_no_plan(f);
                        fixture_restart(f);
                        assert_int_equal(pin_retries(f), 8);
                }
}

/* A backup of the disk from when all tries were left. */
static void a_restored_disk_gives_no_try_back(void **state) {
        struct fixture *f = *state;
        const struct tpm_state backup = f->state;

        for (int i = 0; i < 5; i++)
                assert_int_equal(pin_verify(f, "0000", NULL), CTAP_PIN_WRONG);
        f->state = backup;
        fixture_restart(f);
        assert_int_equal(pin_retries(f), 3);
        assert_int_equal(pin_verify(f, "1234", NULL), CTAP_PIN_RIGHT);
        assert_int_equal(pin_retries(f), 8);

        /* Nor does one from before the PIN was right last: it rather takes some. */
        f->state = backup;
        fixture_restart(f);
        assert_int_equal(pin_retries(f), 2);
        for (int i = 0; i < 2; i++)
                assert_int_equal(pin_verify(f, "0000", NULL), CTAP_PIN_WRONG);
        f->state = backup;
        fixture_restart(f);
        assert_int_equal(pin_verify(f, "1234", NULL), CTAP_PIN_BLOCKED);
}

static void a_counter_that_does_not_go_with_the_state_leaves_no_try(void **state) {
        struct fixture *f = *state;
        struct tpm_record r = record_of(&f->state);

        r.tries_base += 100;
        put_state(f, &r);
        fixture_restart(f);
        assert_int_equal(pin_verify(f, "1234", NULL), CTAP_PIN_BLOCKED);
        assert_non_null(strstr(f->last_message, "do not go with their counter"));
        assert_int_equal(pin_retries(f), 0);
}

static void a_counter_that_is_gone_is_told_and_never_goes_back(void **state) {
        struct fixture *f = *state;
        const struct tpm_record r = record_of(&f->state);
        const TPM2B_AUTH none = { 0 };
        struct raw raw;
        ESYS_TR nv;

        for (int i = 0; i < 6; i++)
                assert_int_equal(pin_verify(f, "0000", NULL), CTAP_PIN_WRONG);
        raw_undefine(f, &r.tries);
        fixture_restart(f);
        assert_int_equal(pin_verify(f, "1234", NULL), -ESTALE);

        raw = raw_open(f);
        assert_int_equal(Esys_NV_DefineSpace(raw.esys, ESYS_TR_RH_OWNER, ESYS_TR_PASSWORD,
                                             ESYS_TR_NONE, ESYS_TR_NONE, &none, &r.tries.public,
                                             &nv),
                         0);
        assert_int_equal(Esys_NV_Increment(raw.esys, nv, nv, ESYS_TR_PASSWORD, ESYS_TR_NONE,
                                           ESYS_TR_NONE),
                         0);
        raw_close(&raw);
        fixture_restart(f);
        assert_in_range(pin_retries(f), 0, 1);
}

/* The owner may define the index again, but not write it: it is not the index that keys name. */
static void an_index_defined_again_opens_no_key(void **state) {
        struct fixture *f = *state;
        const struct tpm_record r = record_of(&f->state);
        const TPM2B_AUTH none = { 0 };
        struct ctap_ticket ticket = { .len = 0 };
        struct credential c;
        struct raw raw;
        ESYS_TR nv;

        assert_int_equal(credential_make_of(f, CTAP_KEY_P256, CTAP_CLASS_B, &c), 0);
        raw_undefine(f, &r.pin);
        raw = raw_open(f);
        assert_int_equal(Esys_NV_DefineSpace(raw.esys, ESYS_TR_RH_OWNER, ESYS_TR_PASSWORD,
                                             ESYS_TR_NONE, ESYS_TR_NONE, &none, &r.pin.public, &nv),
                         0);
        raw_close(&raw);
        assert_int_not_equal(pin_verify(f, "1234", &ticket), CTAP_PIN_RIGHT);
        assert_int_equal(credential_use_by(f, &c, &ticket), -EKEYEXPIRED);
        assert_int_not_equal(pin_change(f, NULL, "1234"), CTAP_PIN_RIGHT);
}

static void a_reset_keeps_the_counter_and_begins_with_all_tries(void **state) {
        struct fixture *f = *state;
        struct tpm_record before = record_of(&f->state), after;
        struct tpm_state s = f->state;

        for (int i = 0; i < 8; i++)
                assert_int_equal(pin_verify(f, "0000", NULL), CTAP_PIN_WRONG);
        (void)watch_count(f);
        assert_int_equal(tpm_erase(f->tpm, &s, fixture_save, f), 0);
        assert_int_equal(watch_count(f), 3);
        assert_int_equal(fixture_provision(f), 0);
        after = record_of(&f->state);
        assert_int_equal(after.pin_kind, TPM_PIN_ORDINARY);
        assert_memory_equal(&after.tries, &before.tries, sizeof(after.tries));
        assert_true(after.tries_base >= before.tries_base + 8);
        reset_lockout(f);
        assert_int_equal(pin_retries(f), 8);
        assert_int_equal(pin_change(f, NULL, "5678"), CTAP_PIN_RIGHT);
        assert_nothing_else(f);

        s = f->state;
        assert_int_equal(tpm_remove(f->tpm, &s, fixture_save, f), 0);
        assert_empty(f);
}

static void tries_that_cannot_be_saved_are_not_there_later(void **state) {
        struct fixture *f = *state;

        for (int i = 0; i < 3; i++)
                assert_int_equal(pin_verify(f, "0000", NULL), CTAP_PIN_WRONG);
        f->fail_save = 1;
        assert_int_equal(pin_verify(f, "1234", NULL), CTAP_PIN_RIGHT);
        assert_non_null(strstr(f->last_message, "could not be saved"));
        assert_int_equal(pin_retries(f), 8);
        fixture_restart(f);
        assert_int_equal(pin_retries(f), 4);
}

static void counting_costs_one_command_more(void **state) {
        struct fixture *f = *state;
        char log[256];

        f->sessions = TPM_SESSIONS_PASSWORD;
        fixture_restart(f);
        assert_int_equal(pin_retries(f), 8);
        (void)watch_count(f);
        assert_int_equal(pin_verify(f, "1234", NULL), CTAP_PIN_RIGHT);
        watch_log(f, log, sizeof(log));
        assert_string_equal(log, "StartAuthSession NV_Increment PolicySecret FlushContext");
        assert_int_equal(pin_retries(f), 8);
        assert_int_equal(watch_count(f), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, fixture_teardown)

int main(void) {
        const struct CMUnitTest tests[] = {
                TEST(tries_are_counted_by_a_counter_of_their_own),
                TEST(the_right_pin_gives_the_tries_back),
                TEST(after_eight_wrong_ones_the_tpm_is_not_asked_any_more),
                TEST(keys_of_class_b_work_as_ever),
                TEST(a_tpm_in_lockout_costs_no_try),
                TEST(a_tpm_that_fails_costs_no_try),
                TEST(a_restored_disk_gives_no_try_back),
                TEST(a_counter_that_does_not_go_with_the_state_leaves_no_try),
                TEST(a_counter_that_is_gone_is_told_and_never_goes_back),
                TEST(an_index_defined_again_opens_no_key),
                TEST(a_reset_keeps_the_counter_and_begins_with_all_tries),
                TEST(tries_that_cannot_be_saved_are_not_there_later),
                TEST(counting_costs_one_command_more),
        };

        return cmocka_run_group_tests_name("tpm-pin-ordinary", tests, NULL, NULL);
}
