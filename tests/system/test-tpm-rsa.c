/* SPDX-License-Identifier: BSD-2-Clause */

/* RSA keys on a swtpm: whether there are any, and one that is made ahead. */

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "tests/system/tpm-fixture.h"
#include "tpm/state.h"

#define EC (1u << CTAP_KEY_P256 | 1u << CTAP_KEY_P384)

/*
 * One signature in 256 begins with a zero, which is part of it. As many as are tried here hold one but
 * for one run in a million; each of them has to verify as 256 bytes.
 */
static void an_rsa_signature_keeps_its_leading_zeros(void **state) {
        struct fixture *f = *state;
        struct ctap_keys *k = tpm_keys(f->tpm);
        struct ctap_loaded_key *key;
        struct credential c;
        unsigned n_zeros = 0;

        assert_int_equal(credential_make(f, CTAP_KEY_RSA2048, &c), 0);
        assert_int_equal(k->ops->load(k, BYTES(c.blob.data, c.blob.len), NULL, &key), 0);
        for (uint32_t i = 0; i < 3600 && n_zeros == 0; i++) {
                struct ctap_signature signature;
                struct sha256 digest = { { (uint8_t)i, (uint8_t)(i >> 8) } };

                assert_int_equal(k->ops->sign(k, key, BYTES_OF(digest), &signature), 0);
                assert_true(signature_verifies(&c.public, BYTES_OF(digest), &signature));
                n_zeros += signature.data[0] == 0;
        }
        assert_int_equal(n_zeros, 1);
        k->ops->unload(k, key);
}

static unsigned offers(struct fixture *f) {
        struct ctap_keys *k = tpm_keys(f->tpm);

        return k->ops->offered(k);
}

/* A TPM that refuses the parameters, and one that does not know the question. */
static void a_tpm_without_rsa_offers_none(void **state) {
        static const unsigned answers[] = { 0x2c4, 0x282, 0x143, 0xb0143 };
        struct fixture *f = *state;
        struct ctap_keys *k;
        struct tpm_facts facts;
        struct tpm_state s;
        struct credential c;

        for (size_t i = 0; i < ELEMENTSOF(answers); i++) {
                s = f->state;
                if (i > 0)
                        assert_int_equal(tpm_remove(f->tpm, &s, fixture_save, f), 0);
                watch_plan(f, "answer TestParms 0 %x\n", answers[i]);
                assert_int_equal(fixture_provision(f), 0);
                tpm_state_facts(&f->state, &facts);
                assert_false(facts.has_rsa2048);
                assert_int_equal(offers(f), EC);
                k = tpm_keys(f->tpm);
                assert_int_equal(k->ops->create(k, CTAP_KEY_RSA2048, CTAP_CLASS_A, &c.blob,
                                                &c.public),
                                 -ENOTSUP);
        }
        /* It is asked once, and again after a reset. */
        watch_no_plan(f);
        fixture_restart(f);
        assert_int_equal(offers(f), EC);
        s = f->state;
        assert_int_equal(tpm_erase(f->tpm, &s, fixture_save, f), 0);
        assert_int_equal(fixture_provision(f), 0);
        assert_int_equal(offers(f), EC | 1u << CTAP_KEY_RSA2048);
}

/* As version 2 left it, which never asked. */
static void forget_about_rsa(struct fixture *f) {
        struct tpm_record record;

        assert_int_equal(tpm_state_decode(&f->state, &record), 0);
        assert_true(record.asked_rsa2048 && record.has_rsa2048);
        record.asked_rsa2048 = record.has_rsa2048 = false;
        assert_int_equal(tpm_state_encode(&record, &f->state), 0);
}

static void an_older_state_is_asked_about_rsa_once(void **state) {
        struct fixture *f = *state;
        const struct tpm_state before = f->state;
        unsigned n_saves = f->n_saves;
        struct tpm_state s;
        char log[256];

        forget_about_rsa(f);
        fixture_reopen(f);
        assert_int_equal(fixture_unlock(f), 0);
        assert_int_equal(offers(f), EC);
        (void)watch_count(f);
        s = f->state;
        assert_int_equal(tpm_complete(f->tpm, &s, fixture_save, f), 0);
        watch_log(f, log, sizeof(log));
        assert_non_null(strstr(log, "TestParms"));
        assert_true(offers(f) & 1u << CTAP_KEY_RSA2048);
        assert_int_equal(f->n_saves, n_saves + 1);
        assert_bytes_equal(BYTES(f->state.data, f->state.len), BYTES(before.data, before.len));
        assert_nothing_else(f);

        fixture_restart(f);
        watch_log(f, log, sizeof(log));
        assert_null(strstr(log, "TestParms"));
        assert_true(offers(f) & 1u << CTAP_KEY_RSA2048);
}

/* What cannot be asked now is asked at the next start. */
static void an_older_state_whose_question_fails_stays_as_it_was(void **state) {
        struct fixture *f = *state;
        struct tpm_state s;

        forget_about_rsa(f);
        fixture_reopen(f);
        assert_int_equal(fixture_unlock(f), 0);
        watch_plan(f, "answer TestParms 0 101\n"); /* TPM_RC_FAILURE */
        s = f->state;
        assert_int_equal(tpm_complete(f->tpm, &s, fixture_save, f), -EIO);
        assert_bytes_equal(BYTES(s.data, s.len), BYTES(f->state.data, f->state.len));
        watch_no_plan(f);
        fixture_restart(f);
        assert_true(offers(f) & 1u << CTAP_KEY_RSA2048);
}

/* ---- a key that was made ahead ------------------------------------------------------------ */

struct shelf {
        struct ctap_key_blob key; /* len 0: it is empty */
        unsigned n_asked;
        int error;
};

static int take(void *userdata, struct ctap_key_blob *ret) {
        struct shelf *s = userdata;

        s->n_asked++;
        if (s->error < 0)
                return s->error;
        if (s->key.len == 0)
                return -ENOENT;
        *ret = s->key;
        s->key.len = 0;
        return 0;
}

static void a_key_made_ahead_costs_no_command_to_register(void **state) {
        struct fixture *f = *state;
        struct shelf shelf = { .n_asked = 0 };
        struct credential c, first;
        char log[256];

        tpm_take_spares_from(f->tpm, take, &shelf);
        (void)watch_count(f);
        assert_int_equal(credential_make(f, CTAP_KEY_RSA2048, &first), 0);
        watch_log(f, log, sizeof(log));
        assert_string_equal(log, "Create"); /* the shelf was empty */
        assert_int_equal(tpm_make_spare(f->tpm, &shelf.key), 0);
        watch_log(f, log, sizeof(log));
        assert_string_equal(log, "Create");
        assert_int_equal(shelf.n_asked, 1);

        assert_int_equal(credential_make(f, CTAP_KEY_RSA2048, &c), 0);
        assert_int_equal(watch_count(f), budget_of("register RS256, with a key made ahead"));
        assert_memory_not_equal(c.public.modulus, first.public.modulus, 256);
        assert_int_equal(credential_use(f, &c), 0); /* verifies */
        watch_log(f, log, sizeof(log));
        assert_string_equal(log, "Load Sign FlushContext");
        assert_int_equal(shelf.n_asked, 2);
        tpm_take_spares_from(f->tpm, NULL, NULL);
        assert_int_equal(credential_make(f, CTAP_KEY_RSA2048, &c), 0);
        assert_int_equal(shelf.n_asked, 2);
}

static void nothing_else_is_taken_from_what_was_made_ahead(void **state) {
        struct fixture *f = *state;
        struct shelf shelf = { .n_asked = 0 };
        struct credential c;

        tpm_take_spares_from(f->tpm, take, &shelf);
        assert_int_equal(tpm_make_spare(f->tpm, &shelf.key), 0);
        assert_int_equal(credential_make_of(f, CTAP_KEY_RSA2048, CTAP_CLASS_B, &c), 0);
        assert_int_equal(credential_make_of(f, CTAP_KEY_P256, CTAP_CLASS_A, &c), 0);
        assert_int_equal(credential_make_of(f, CTAP_KEY_P384, CTAP_CLASS_A, &c), 0);
        assert_int_equal(shelf.n_asked, 0);
}

/* Of another kind or class, of nobody: what is no key for this gives way to a new one. */
static void what_was_kept_is_looked_at_before_it_is_used(void **state) {
        struct fixture *f = *state;
        struct shelf shelf = { .n_asked = 0 };
        struct credential c, others[3];

        assert_int_equal(credential_make_of(f, CTAP_KEY_RSA2048, CTAP_CLASS_B, &others[0]), 0);
        assert_int_equal(credential_make_of(f, CTAP_KEY_P256, CTAP_CLASS_A, &others[1]), 0);
        assert_int_equal(credential_make_of(f, CTAP_KEY_RSA2048, CTAP_CLASS_A, &others[2]), 0);
        others[2].blob.len--;
        tpm_take_spares_from(f->tpm, take, &shelf);
        for (size_t i = 0; i < ELEMENTSOF(others); i++) {
                shelf.key = others[i].blob;
                assert_int_equal(credential_make(f, CTAP_KEY_RSA2048, &c), 0);
                assert_int_equal(shelf.n_asked, i + 1);
                assert_int_equal(credential_use(f, &c), 0);
                assert_memory_not_equal(c.public.modulus, others[2].public.modulus, 256);
                assert_non_null(strstr(f->last_message, "made ahead"));
        }
        shelf.error = -EIO;
        assert_int_equal(credential_make(f, CTAP_KEY_RSA2048, &c), -EIO);
}

static void a_tpm_without_rsa_makes_nothing_ahead(void **state) {
        struct fixture *f = *state;
        struct ctap_key_blob blob;

        watch_plan(f, "answer TestParms 0 2c4\n");
        assert_int_equal(fixture_provision(f), 0);
        (void)watch_count(f);
        assert_int_equal(tpm_make_spare(f->tpm, &blob), -ENOTSUP);
        assert_int_equal(watch_count(f), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)
#define TEST_READY(name) \
        cmocka_unit_test_setup_teardown(name, fixture_setup_ready, fixture_teardown)

int main(void) {
        const struct CMUnitTest tests[] = {
                TEST_READY(an_rsa_signature_keeps_its_leading_zeros),
                TEST(a_tpm_without_rsa_offers_none),
                TEST_READY(an_older_state_is_asked_about_rsa_once),
                TEST_READY(an_older_state_whose_question_fails_stays_as_it_was),
                TEST_READY(a_key_made_ahead_costs_no_command_to_register),
                TEST_READY(nothing_else_is_taken_from_what_was_made_ahead),
                TEST_READY(what_was_kept_is_looked_at_before_it_is_used),
                TEST(a_tpm_without_rsa_makes_nothing_ahead),
        };

        return cmocka_run_group_tests_name("tpm-rsa", tests, NULL, NULL);
}
