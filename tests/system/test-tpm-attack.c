/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * What an attacker may try who has the owner hierarchy (that is: access to the TPM), a copy of
 * the disk from before a reset, and time.
 */

#include <errno.h>
#include <string.h>

#include "tests/system/tpm-fixture.h"
#include "tpm/state.h"

static TSS2_RC raw_define(const struct raw *r, const TPM2B_NV_PUBLIC *public, ESYS_TR *ret) {
        const TPM2B_AUTH none = { 0 };

        return Esys_NV_DefineSpace(r->esys, ESYS_TR_RH_OWNER, ESYS_TR_PASSWORD, ESYS_TR_NONE,
                                   ESYS_TR_NONE, &none, public, ret);
}

static TSS2_RC raw_undefine(const struct raw *r, ESYS_TR nv) {
        return Esys_NV_UndefineSpace(r->esys, ESYS_TR_RH_OWNER, nv, ESYS_TR_PASSWORD, ESYS_TR_NONE,
                                     ESYS_TR_NONE);
}

/* What the state from before the reset says, with every secret that it wraps still wrapped. */
static struct tpm_record record_of(const struct tpm_state *s) {
        struct tpm_record r;

        assert_int_equal(tpm_state_decode(s, &r), 0);
        return r;
}

struct victim {
        struct tpm_state before;
        struct credential credential;
};

/* A device with a credential; a copy of its disk; then a reset. */
static struct victim reset_victim(struct fixture *f) {
        struct victim v;
        struct tpm_state s;

        assert_int_equal(credential_make(f, CTAP_KEY_P256, &v.credential), 0);
        assert_int_equal(credential_use(f, &v.credential), 0);
        v.before = f->state;
        s = f->state;
        assert_int_equal(tpm_erase(f->tpm, &s, fixture_save, f), 0);
        assert_null(tpm_store_key(f->tpm));
        return v;
}

static void assert_dead(struct fixture *f, const struct victim *v) {
        fixture_reopen(f);
        assert_int_equal(tpm_unlock(f->tpm, &v->before), -ESTALE);
        assert_null(tpm_store_key(f->tpm));
        assert_int_equal(credential_use(f, &v->credential), -ESTALE);
        tpm_idle(f->tpm);
}

static void after_a_reset_the_old_state_unlocks_nothing(void **state) {
        struct fixture *f = *state;
        const struct victim v = reset_victim(f);

        assert_dead(f, &v);
        swtpm_restart(&f->swtpm, true);
        assert_dead(f, &v);
}

static void a_key_loaded_before_the_reset_does_not_sign_after_it(void **state) {
        struct fixture *f = *state;
        struct ctap_keys *k = tpm_keys(f->tpm);
        struct ctap_loaded_key *key;
        struct ctap_signature signature;
        struct credential c;
        struct sha256 digest = { { 1 } };
        struct tpm_state s = f->state;

        assert_int_equal(credential_make(f, CTAP_KEY_P256, &c), 0);
        assert_int_equal(k->ops->load(k, BYTES(c.blob.data, c.blob.len), NULL, &key), 0);
        assert_int_equal(tpm_erase(f->tpm, &s, fixture_save, f), 0);
        assert_int_equal(k->ops->sign(k, key, BYTES_OF(digest), &signature), -ESTALE);
        k->ops->unload(k, key);
}

static TSS2_RC write_by(const struct raw *r, ESYS_TR by, ESYS_TR nv, ESYS_TR session) {
        const TPM2B_MAX_NV_BUFFER content = { .size = 8, .buffer = "attacker" };

        return Esys_NV_Write(r->esys, by, nv, session, ESYS_TR_NONE, ESYS_TR_NONE, &content, 0);
}

static ESYS_TR write_session(const struct raw *r) {
        static const TPMT_SYM_DEF none = { .algorithm = TPM2_ALG_NULL };
        ESYS_TR session;

        assert_int_equal(Esys_StartAuthSession(r->esys, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE,
                                               ESYS_TR_NONE, ESYS_TR_NONE, NULL, TPM2_SE_POLICY,
                                               &none, TPM2_ALG_SHA256, &session),
                         0);
        assert_int_equal(Esys_PolicyCommandCode(r->esys, session, ESYS_TR_NONE, ESYS_TR_NONE,
                                                ESYS_TR_NONE, TPM2_CC_NV_Write),
                         0);
        return session;
}

/* The Name of an index has no content and no authValue in it: only WRITTEN stands in the way. */
static void an_anchor_defined_again_is_not_the_anchor(void **state) {
        struct fixture *f = *state;
        const struct victim v = reset_victim(f);
        const struct tpm_record old = record_of(&v.before);
        struct raw r = raw_open(f);
        ESYS_TR nv, session;

        assert_int_equal(raw_define(&r, &old.anchor.public, &nv), 0);
        assert_int_equal(write_by(&r, ESYS_TR_RH_OWNER, nv, ESYS_TR_PASSWORD), 0x149);
        assert_int_equal(write_by(&r, nv, nv, ESYS_TR_PASSWORD), 0x12f);
        session = write_session(&r);
        assert_int_equal(write_by(&r, nv, nv, session), 0x99d);
        assert_int_equal(Esys_FlushContext(r.esys, session), 0);
        raw_close(&r);
        assert_dead(f, &v);

        /* Nor if its public area says from the start that it was written. */
        r = raw_open(f);
        {
                TPM2B_NV_PUBLIC written = old.anchor.public;

                assert_int_equal(raw_undefine(&r, raw_find(&r, tpm_nv_index(&old.anchor))), 0);
                written.nvPublic.attributes |= TPMA_NV_WRITTEN;
                assert_int_not_equal(raw_define(&r, &written, &nv), 0);
                assert_int_equal(raw_define(&r, &old.anchor.public, &nv), 0);
        }
        raw_close(&r);

        /* The owner of the state finds the foreign index and leaves only what is of use. */
        fixture_reopen(f);
        assert_int_equal(fixture_provision(f), 0);
        assert_dead(f, &v);
}

static void an_anchor_of_the_attackers_own_making_does_not_open_the_gate(void **state) {
        struct fixture *f = *state;
        const struct victim v = reset_victim(f);
        const struct tpm_record old = record_of(&v.before);
        TPM2B_NV_PUBLIC own = old.anchor.public;
        struct raw r = raw_open(f);
        ESYS_TR nv;

        own.nvPublic.attributes |= TPMA_NV_OWNERWRITE;
        own.nvPublic.authPolicy.size = 0;
        assert_int_equal(raw_define(&r, &own, &nv), 0);
        assert_int_equal(write_by(&r, ESYS_TR_RH_OWNER, nv, ESYS_TR_PASSWORD), 0);
        raw_close(&r);
        assert_dead(f, &v);
}

static void after_provisioning_anew_old_keys_stay_dead(void **state) {
        struct fixture *f = *state;
        const struct victim v = reset_victim(f);
        struct credential c;

        assert_int_equal(fixture_provision(f), 0);

        /* Under the new P2. */
        assert_int_equal(credential_use(f, &v.credential), -EKEYREJECTED);
        assert_int_equal(credential_make(f, CTAP_KEY_P256, &c), 0);

        /* And with the old state, at whose handles there now is something else. */
        assert_dead(f, &v);
        assert_int_equal(fixture_unlock(f), 0);
        assert_int_equal(credential_use(f, &c), 0);
        assert_nothing_else(f);
}

/*
 * Old blobs spliced into the new state: the new anchor does not open the old gate, nor the other
 * way.
 */
static void parts_of_two_lives_do_not_fit_together(void **state) {
        struct fixture *f = *state;
        const struct victim v = reset_victim(f);
        const struct tpm_record old = record_of(&v.before);

        assert_int_equal(fixture_provision(f), 0);
        for (int part = 0; part < 5; part++) {
                struct tpm_record mixed = record_of(&f->state);
                struct tpm_state s;

                if (part == 0)
                        mixed.gate_key = old.gate_key;
                else if (part == 1)
                        mixed.sealed_auth = old.sealed_auth;
                else if (part == 2)
                        mixed.sealed_store_key = old.sealed_store_key;
                else if (part == 3)
                        mixed.anchor = old.anchor;
                else {
                        mixed = old;
                        mixed.anchor = record_of(&f->state).anchor;
                }
                assert_int_equal(tpm_state_encode(&mixed, &s), 0);
                fixture_reopen(f);
                /* The anchor's entry only says where to look: what P1 wants is in P1. */
                if (part == 3)
                        assert_int_equal(tpm_unlock(f->tpm, &s), 0);
                else
                        assert_int_equal(tpm_unlock(f->tpm, &s), -ESTALE);
                tpm_idle(f->tpm);
        }
}

/* The worker's authValue is what keeps others off it, and it is in no file. */
static void stolen_blobs_are_of_no_use_under_the_persistent_worker(void **state) {
        struct fixture *f = *state;
        struct credential c;
        struct tpm_blob blob;
        struct raw r;
        ESYS_TR worker, loaded;

        assert_int_equal(credential_make(f, CTAP_KEY_P256, &c), 0);
        assert_int_equal(tpm_blob_decode(BYTES(c.blob.data, c.blob.len), &blob), 0);
        r = raw_open(f);
        worker = raw_find(&r, record_of(&f->state).worker_handle);
        assert_int_equal(Esys_Load(r.esys, worker, ESYS_TR_PASSWORD, ESYS_TR_NONE, ESYS_TR_NONE,
                                   &blob.private, &blob.public, &loaded),
                         0x9a2);
        raw_close(&r);
}

static void the_counter_outlives_a_reset(void **state) {
        struct fixture *f = *state;
        struct tpm_facts then, now;
        uint64_t before, after;

        for (int i = 0; i < 3; i++)
                assert_int_equal(tpm_counter_advance(f->tpm, &before), 0);
        tpm_state_facts(&f->state, &then);
        (void)reset_victim(f);
        assert_int_equal(fixture_provision(f), 0);
        tpm_state_facts(&f->state, &now);
        assert_int_equal(now.counter, then.counter);
        assert_int_equal(tpm_counter_read(f->tpm, &after), 0);
        assert_true(after == before);
}

static void the_counter_never_goes_back_when_it_is_defined_again(void **state) {
        struct fixture *f = *state;
        const struct tpm_record rec = record_of(&f->state);
        uint64_t before, after;
        struct raw r;
        ESYS_TR nv;

        for (int i = 0; i < 5; i++)
                assert_int_equal(tpm_counter_advance(f->tpm, &before), 0);
        r = raw_open(f);
        assert_int_equal(raw_undefine(&r, raw_find(&r, tpm_nv_index(&rec.counter))), 0);
        raw_close(&r);
        assert_int_equal(tpm_counter_read(f->tpm, &after), -ESTALE);

        r = raw_open(f);
        assert_int_equal(raw_define(&r, &rec.counter.public, &nv), 0);
        assert_int_equal(Esys_NV_Increment(r.esys, nv, nv, ESYS_TR_PASSWORD, ESYS_TR_NONE,
                                           ESYS_TR_NONE),
                         0);
        raw_close(&r);
        assert_int_equal(tpm_counter_read(f->tpm, &after), 0);
        assert_true(after > before);

        /* A counter that is gone at the next reset is made anew, above the old one. */
        r = raw_open(f);
        assert_int_equal(raw_undefine(&r, raw_find(&r, tpm_nv_index(&rec.counter))), 0);
        raw_close(&r);
        before = after;
        fixture_reopen(f);
        {
                struct tpm_state s = f->state;

                assert_int_equal(tpm_erase(f->tpm, &s, fixture_save, f), 0);
        }
        assert_int_equal(fixture_provision(f), 0);
        assert_int_equal(tpm_counter_read(f->tpm, &after), 0);
        assert_true(after > before);
        assert_nothing_else(f);
}

/* What others put at our handles is not removed with what is ours. */
static void a_foreign_index_at_our_handle_stays(void **state) {
        struct fixture *f = *state;
        const struct tpm_record rec = record_of(&f->state);
        TPM2B_NV_PUBLIC foreign = rec.anchor.public;
        struct tpm_state s = f->state;
        struct raw r = raw_open(f);
        ESYS_TR nv;

        assert_int_equal(raw_undefine(&r, raw_find(&r, tpm_nv_index(&rec.anchor))), 0);
        foreign.nvPublic.authPolicy.buffer[0] ^= 1;
        assert_int_equal(raw_define(&r, &foreign, &nv), 0);
        raw_close(&r);

        fixture_reopen(f);
        assert_int_equal(tpm_remove(f->tpm, &s, fixture_save, f), 0);
        r = raw_open(f);
        nv = raw_find(&r, tpm_nv_index(&rec.anchor));
        assert_int_equal(raw_undefine(&r, nv), 0);
        raw_close(&r);
        assert_empty(f);
}

#define TEST_READY(name) \
        cmocka_unit_test_setup_teardown(name, fixture_setup_ready, fixture_teardown)

int main(void) {
        const struct CMUnitTest tests[] = {
                TEST_READY(after_a_reset_the_old_state_unlocks_nothing),
                TEST_READY(a_key_loaded_before_the_reset_does_not_sign_after_it),
                TEST_READY(an_anchor_defined_again_is_not_the_anchor),
                TEST_READY(an_anchor_of_the_attackers_own_making_does_not_open_the_gate),
                TEST_READY(after_provisioning_anew_old_keys_stay_dead),
                TEST_READY(parts_of_two_lives_do_not_fit_together),
                TEST_READY(stolen_blobs_are_of_no_use_under_the_persistent_worker),
                TEST_READY(the_counter_outlives_a_reset),
                TEST_READY(the_counter_never_goes_back_when_it_is_defined_again),
                TEST_READY(a_foreign_index_at_our_handle_stays),
        };

        return cmocka_run_group_tests_name("tpm-attack", tests, NULL, NULL);
}
