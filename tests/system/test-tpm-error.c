/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * A TPM that answers an error to any one command, or breaks off: each ceremony gives an errno,
 * leaves nothing behind, and succeeds when it is done again.
 */

#include <errno.h>
#include <string.h>

#include "tests/system/tpm-fixture.h"

/* What a TPM may say to anything. */
enum {
        FAILURE = 0x101,
        NO_OBJECT_MEMORY = 0x902,
        LOCKOUT = 0x921,
        RETRY = 0x922,
        REFUSAL = 0x1c4, /* a value of the first parameter */
};

typedef int ceremony_fn(struct fixture *f);

static int provision(struct fixture *f) {
        return fixture_provision(f);
}

static int unlock(struct fixture *f) {
        return fixture_unlock(f);
}

static int erase(struct fixture *f) {
        struct tpm_state s = f->state;

        return tpm_erase(f->tpm, &s, fixture_save, f);
}

static int remove_all(struct fixture *f) {
        struct tpm_state s = f->state;

        return tpm_remove(f->tpm, &s, fixture_save, f);
}

static int make(struct fixture *f) {
        struct credential c;

        return credential_make(f, CTAP_KEY_P256, &c);
}

static int make_and_use(struct fixture *f) {
        struct credential c;
        int r = credential_make(f, CTAP_KEY_P256, &c);

        return r < 0 ? r : credential_use(f, &c);
}

static int make_and_use_secret(struct fixture *f) {
        struct ctap_secret_blob blob;
        struct secret64 output;
        int r = secret_make(f, CTAP_CLASS_A, &blob);

        return r < 0 ? r : secret_use(f, &blob, NULL, &output);
}

static int count(struct fixture *f) {
        uint64_t value;
        int r = tpm_counter_advance(f->tpm, &value);

        return r < 0 ? r : tpm_counter_read(f->tpm, &value);
}

/* What the TPM says of a PIN is an answer; that it cannot look at it now is one too. */
static int answer(int verdict, enum ctap_pin_verdict want) {
        if (verdict >= 0)
                assert_true(verdict == (int)want || verdict == CTAP_PIN_LATER);
        return verdict < 0 ? verdict : 0;
}

static int show_pin(struct fixture *f) {
        return answer(pin_verify(f, "1234", NULL), CTAP_PIN_RIGHT);
}

static int change_pin(struct fixture *f) {
        return answer(pin_change(f, "1234", "1234"), CTAP_PIN_RIGHT);
}

static int show_wrong_pin(struct fixture *f) {
        struct ctap_keys *k = tpm_keys(f->tpm);
        uint8_t left;
        int r = answer(pin_verify(f, "0000", NULL), CTAP_PIN_WRONG);

        return r < 0 ? r : k->ops->pin_retries(k, &left);
}

static int make_and_use_by_pin(struct fixture *f) {
        struct ctap_ticket ticket = { .len = 0 };
        struct credential c;
        int r = credential_make_of(f, CTAP_KEY_P256, CTAP_CLASS_B, &c);

        if (r >= 0)
                r = answer(pin_verify(f, "1234", &ticket), CTAP_PIN_RIGHT);
        return r < 0 ? r : credential_use_by(f, &c, &ticket);
}

static int describe(struct fixture *f) {
        struct tpm_info info;

        return tpm_describe(f->tpm, &info);
}

static bool is_documented(int r) {
        static const int documented[] = { 0,           -ENODEV, -EACCES,  -ESTALE, -EKEYREJECTED,
                                          -EDQUOT,     -ENOSPC, -ENOTSUP, -EBUSY,  -EIO,
                                          -EKEYEXPIRED };

        for (size_t i = 0; i < ELEMENTSOF(documented); i++)
                if (r == documented[i])
                        return true;
        return false;
}

/* After whatever went wrong: nothing is loaded, and the ceremony succeeds. */
static void assert_recovers(struct fixture *f, ceremony_fn *ceremony) {
        watch_no_plan(f);
        assert_int_equal(ceremony(f), 0);
        if (f->state.phase == TPM_PHASE_READY)
                assert_nothing_else(f);
        else if (f->state.phase == TPM_PHASE_NONE)
                assert_empty(f);
}

struct ceremony {
        const char *name;
        ceremony_fn *before; /* brings about what it begins with */
        ceremony_fn *run;
        bool is_daily; /* and short */
};

/* Code 0: the connection breaks, and does not come back until the plan is gone. */
static void survives(struct fixture *f, const struct ceremony *c, unsigned code) {
        for (unsigned n = 1;; n++) {
                unsigned sent;
                int r;

                assert_int_equal(c->before(f), 0);
                tpm_idle(f->tpm);
                (void)watch_count(f);
                if (code != 0)
                        watch_plan(f, "answer %u %x\n", n, code);
                else
                        watch_plan(f, "break %u\n", n);
                r = c->run(f);
                tpm_settle(f->tpm);
                if (!is_documented(r))
                        fail_msg("%s: command %u with 0x%x: %d", c->name, n, code, r);
                sent = watch_count(f);
                assert_recovers(f, c->run);
                if (sent < n)
                        break;
        }
}

static int start_over(struct fixture *f) {
        int r = remove_all(f);

        fixture_reopen(f);
        return r;
}

static int reopen(struct fixture *f) {
        fixture_reopen(f);
        return 0;
}

static int be_ready(struct fixture *f) {
        return fixture_provision(f);
}

/* With 1234 as PIN and all tries left. */
static int be_ready_with_pin(struct fixture *f) {
        int r = fixture_provision(f);

        if (r < 0)
                return r;
        if (pin_verify(f, "1234", NULL) == CTAP_PIN_RIGHT)
                return 0;
        return pin_change(f, NULL, "1234") == CTAP_PIN_RIGHT ? 0 : -EIO;
}

static const struct ceremony ceremonies[] = {
        { "unlock", reopen, unlock, true },
        { "create", be_ready, make, true },
        { "create, use", be_ready, make_and_use, true },
        { "secret", be_ready, make_and_use_secret, true },
        { "count", be_ready, count, true },
        { "PIN", be_ready_with_pin, show_pin, true },
        { "wrong PIN", be_ready_with_pin, show_wrong_pin, true },
        { "change PIN", be_ready_with_pin, change_pin, true },
        { "create, use by PIN", be_ready_with_pin, make_and_use_by_pin, true },
        { "describe", be_ready, describe, true },
        { "erase", be_ready, erase, false },
        { "provision", start_over, provision, false },
        { "remove", be_ready, remove_all, false },
};

static void any_command_may_fail(struct fixture *f, unsigned code, bool daily_only) {
        for (size_t i = 0; i < ELEMENTSOF(ceremonies); i++) {
                if (daily_only && !ceremonies[i].is_daily)
                        continue;
                assert_int_equal(fixture_provision(f), 0);
                survives(f, &ceremonies[i], code);
        }
}

static void any_command_may_fail_with_failure(void **state) {
        any_command_may_fail(*state, FAILURE, false);
}

static void any_command_may_fail_with_no_object_memory(void **state) {
        any_command_may_fail(*state, NO_OBJECT_MEMORY, false);
}

static void any_command_may_fail_with_lockout(void **state) {
        any_command_may_fail(*state, LOCKOUT, true);
}

static void any_command_may_fail_with_retry(void **state) {
        any_command_may_fail(*state, RETRY, true);
}

static void any_command_may_fail_with_a_refusal(void **state) {
        any_command_may_fail(*state, REFUSAL, true);
}

static void the_connection_may_break_at_any_command(void **state) {
        any_command_may_fail(*state, 0, false);
}

/* An answer that is lost may have been given: nothing is sent a second time. */
static void a_try_whose_answer_is_lost_is_one_try(void **state) {
        struct fixture *f = *state;

        for (unsigned i = 1; i <= 4; i++) {
                watch_plan(f, "lose PolicySecret 1\n");
                assert_int_equal(pin_verify(f, "0000", NULL), -ENODEV);
                watch_no_plan(f);
                assert_int_equal(pin_retries(f), 8 - i);
        }
        watch_plan(f, "lose PolicySecret 1\n");
        assert_int_equal(pin_verify(f, "1234", NULL), -ENODEV);
        watch_no_plan(f);
        assert_int_equal(pin_retries(f), 8);
        watch_plan(f, "lose NV_ChangeAuth 1\n");
        assert_int_equal(pin_change(f, "1234", "5678"), -ENODEV);
        watch_no_plan(f);
        assert_int_equal(pin_retries(f), 8);
        assert_int_equal(pin_verify(f, "5678", NULL), CTAP_PIN_RIGHT);
}

/* Waits a little and asks again: the ceremony does not notice. */
static void a_busy_nv_memory_is_waited_for(void **state) {
        static const unsigned busy[] = { 0x920, 0x923 };
        struct fixture *f = *state;

        for (size_t i = 0; i < ELEMENTSOF(busy); i++) {
                uint64_t before, after;

                assert_int_equal(tpm_counter_read(f->tpm, &before), 0);
                (void)watch_count(f);
                watch_plan(f, "answer 1 %x\nanswer 2 %x\n", busy[i], busy[i]);
                assert_int_equal(tpm_counter_advance(f->tpm, &after), 0);
                assert_true(after == before + 1);
                assert_int_equal(watch_count(f), 3);
        }
}

static void an_nv_memory_that_stays_busy_is_an_error(void **state) {
        struct fixture *f = *state;
        uint64_t value;

        watch_plan(f, "answer NV_Increment 0 920\n");
        assert_int_equal(tpm_counter_advance(f->tpm, &value), -EBUSY);
        assert_in_range(watch_count(f), 4, 12);
        watch_no_plan(f);
        assert_int_equal(tpm_counter_advance(f->tpm, &value), 0);
}

/*
 * A TPM full of somebody's objects: on a simulator they are a crashed process's, and are flushed.
 */
static void a_full_tpm_is_tidied_once(void **state) {
        struct fixture *f = *state;
        struct credential c[2];
        struct tpm *other;
        const struct tpm_options o = fixture_options(f);
        struct ctap_keys *k = tpm_keys(f->tpm);
        struct ctap_loaded_key *keys[2];

        for (size_t i = 0; i < ELEMENTSOF(c); i++)
                assert_int_equal(credential_make(f, CTAP_KEY_P256, &c[i]), 0);
        for (size_t i = 0; i < ELEMENTSOF(keys); i++)
                assert_int_equal(k->ops->load(k, BYTES(c[i].blob.data, c[i].blob.len), NULL,
                                              &keys[i]),
                                 0);
        /* As if this process died: its connection breaks, nothing is flushed. */
        watch_plan(f, "break 1\n");
        tpm_idle(f->tpm);
        watch_no_plan(f);

        assert_int_equal(tpm_new(&o, &other), 0);
        assert_int_equal(tpm_unlock(other, &f->state), 0);
        other = tpm_free(other);
        for (size_t i = 0; i < ELEMENTSOF(keys); i++)
                k->ops->unload(k, keys[i]);
        assert_nothing_else(f);
}

/* What was to be done first when the connection was opened is done before it is used. */
static void a_connection_that_did_not_open_whole_is_opened_anew(void **state) {
        struct fixture *f = *state;
        struct ctap_keys *k = tpm_keys(f->tpm);
        struct ctap_loaded_key *key;
        struct credential c;
        uint64_t value;

        assert_int_equal(credential_make(f, CTAP_KEY_P256, &c), 0);
        assert_int_equal(k->ops->load(k, BYTES(c.blob.data, c.blob.len), NULL, &key), 0);
        watch_plan(f, "break 1\n");
        tpm_idle(f->tpm);
        watch_plan(f, "answer GetCapability 1 101\n");
        assert_int_equal(tpm_counter_read(f->tpm, &value), -EIO);
        watch_no_plan(f);
        assert_int_equal(tpm_counter_read(f->tpm, &value), 0);
        assert_nothing_else(f);
        k->ops->unload(k, key);
}

static void lockout_is_named(void **state) {
        struct fixture *f = *state;

        fixture_reopen(f);
        watch_plan(f, "answer Load 1 921\n");
        assert_int_equal(fixture_unlock(f), -EDQUOT);
        watch_plan(f, "answer Load 1 b0921\n");
        assert_int_equal(fixture_unlock(f), -EDQUOT);
        assert_non_null(strstr(f->last_message, "TPM2_Load of P1"));
        watch_no_plan(f);
        assert_int_equal(fixture_unlock(f), 0);
}

static void no_space_and_no_such_command_are_named(void **state) {
        struct fixture *f = *state;

        watch_plan(f, "answer NV_DefineSpace 1 14b\n");
        assert_int_equal(fixture_provision(f), -ENOSPC);
        watch_plan(f, "answer LoadExternal 1 b0143\n");
        assert_int_equal(fixture_provision(f), -ENOTSUP);
        assert_non_null(strstr(f->last_message, "TPM2_LoadExternal"));
        watch_no_plan(f);
        assert_int_equal(fixture_provision(f), 0);
        assert_nothing_else(f);
}

static void what_cannot_be_saved_does_not_happen(void **state) {
        struct fixture *f = *state;
        struct tpm_state s = { .phase = TPM_PHASE_NONE };

        f->fail_save = 1;
        assert_int_equal(tpm_provision(f->tpm, &s, fixture_save, f), -EIO);
        assert_int_equal(s.phase, TPM_PHASE_NONE);
        assert_empty(f);

        for (unsigned n = 2; n <= 3; n++) {
                f->fail_save = n;
                assert_int_equal(tpm_provision(f->tpm, &s, fixture_save, f), -EIO);
                assert_int_equal(s.phase, TPM_PHASE_PROVISIONING);
                assert_null(tpm_store_key(f->tpm));
        }
        assert_int_equal(tpm_provision(f->tpm, &s, fixture_save, f), 0);
        assert_nothing_else(f);

        f->fail_save = 1;
        (void)watch_count(f);
        assert_int_equal(tpm_erase(f->tpm, &s, fixture_save, f), -EIO);
        assert_int_equal(s.phase, TPM_PHASE_READY);
        assert_non_null(tpm_store_key(f->tpm));
        assert_int_equal(watch_count(f), 0);
        assert_int_equal(make_and_use(f), 0);
}

static void a_locked_tpm_makes_and_counts_nothing(void **state) {
        struct fixture *f = *state;
        uint64_t value;

        fixture_reopen(f);
        assert_int_equal(make(f), -ESTALE);
        assert_int_equal(tpm_counter_read(f->tpm, &value), -ESTALE);
        assert_int_equal(tpm_counter_advance(f->tpm, &value), -ESTALE);
        assert_null(tpm_store_key(f->tpm));
}

static void a_damaged_state_is_refused_by_everything(void **state) {
        struct fixture *f = *state;
        struct tpm_state s = f->state;

        s.data[100] ^= 1;
        fixture_reopen(f);
        (void)watch_count(f);
        assert_int_equal(tpm_unlock(f->tpm, &s), -EBADMSG);
        assert_int_equal(tpm_provision(f->tpm, &s, fixture_save, f), -EBADMSG);
        assert_int_equal(tpm_erase(f->tpm, &s, fixture_save, f), -EBADMSG);
        assert_int_equal(tpm_remove(f->tpm, &s, fixture_save, f), -EBADMSG);
        assert_int_equal(watch_count(f), 0);
        assert_int_equal(fixture_unlock(f), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)
#define TEST_READY(name) \
        cmocka_unit_test_setup_teardown(name, fixture_setup_ready, fixture_teardown)
#define TEST_PIN(name) cmocka_unit_test_setup_teardown(name, fixture_setup_pin, fixture_teardown)

int main(void) {
        const struct CMUnitTest tests[] = {
                TEST(any_command_may_fail_with_failure),
                TEST(any_command_may_fail_with_lockout),
                TEST(any_command_may_fail_with_retry),
                TEST(any_command_may_fail_with_no_object_memory),
                TEST(any_command_may_fail_with_a_refusal),
                TEST(the_connection_may_break_at_any_command),
                TEST_PIN(a_try_whose_answer_is_lost_is_one_try),
                TEST_READY(a_busy_nv_memory_is_waited_for),
                TEST_READY(an_nv_memory_that_stays_busy_is_an_error),
                TEST_READY(a_full_tpm_is_tidied_once),
                TEST_READY(a_connection_that_did_not_open_whole_is_opened_anew),
                TEST_READY(lockout_is_named),
                TEST(no_space_and_no_such_command_are_named),
                TEST(what_cannot_be_saved_does_not_happen),
                TEST_READY(a_locked_tpm_makes_and_counts_nothing),
                TEST_READY(a_damaged_state_is_refused_by_everything),
        };

        return cmocka_run_group_tests_name("tpm-error", tests, NULL, NULL);
}
