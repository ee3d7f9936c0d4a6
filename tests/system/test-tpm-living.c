/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * A TPM that others use too: it has an owner, no room, a lockout; things of ours vanish from it.
 * What can go on goes on, and what cannot says so and leaves nothing behind.
 */

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "tests/system/tpm-fixture.h"
#include "tpm/state.h"
#include "tpm/template.h"

static void live_without_a_pin(struct fixture *f) {
        struct ctap_secret_blob blob;
        struct secret64 first, again;
        struct credential c;

        assert_int_equal(credential_make(f, CTAP_KEY_P256, &c), 0);
        assert_int_equal(credential_use(f, &c), 0);
        assert_int_equal(secret_make(f, CTAP_CLASS_A, &blob), 0);
        assert_int_equal(secret_use(f, &blob, NULL, &first), 0);
        tpm_idle(f->tpm);
        assert_int_equal(credential_use(f, &c), 0);
        assert_int_equal(secret_use(f, &blob, NULL, &again), 0);
        assert_memory_equal(&first, &again, sizeof(first));
}

/* Puts the PIN of another day in place of the first. */
static void live_with_a_pin(struct fixture *f) {
        bool has_pin = pin_verify(f, "1234", NULL) == CTAP_PIN_RIGHT;
        struct ctap_secret_blob blob;
        struct secret64 output;
        struct ctap_ticket ticket;
        struct credential c;

        assert_int_equal(pin_change(f, has_pin ? "1234" : NULL, "4321"), CTAP_PIN_RIGHT);
        assert_int_equal(pin_verify(f, "1234", NULL), CTAP_PIN_WRONG);
        assert_int_equal(pin_change(f, "4321", "1234"), CTAP_PIN_RIGHT);
        assert_int_equal(pin_verify(f, "1234", &ticket), CTAP_PIN_RIGHT);
        assert_int_equal(pin_retries(f), CTAP_PIN_TRIES_MAX);
        assert_int_equal(credential_make_of(f, CTAP_KEY_P256, CTAP_CLASS_B, &c), 0);
        assert_int_equal(secret_make(f, CTAP_CLASS_B, &blob), 0);
        assert_int_equal(credential_use_by(f, &c, &ticket), 0);
        tpm_idle(f->tpm);
        assert_int_equal(secret_use(f, &blob, &ticket, &output), 0);
        assert_int_equal(credential_use_by(f, &c, &ticket), 0);
}

/* An ordinary day, with the connection closed in between. */
static void live(struct fixture *f) {
        uint64_t before, after;

        live_without_a_pin(f);
        live_with_a_pin(f);
        assert_int_equal(tpm_counter_read(f->tpm, &before), 0);
        assert_int_equal(tpm_counter_advance(f->tpm, &after), 0);
        assert_true(after > before);
}

static int erase(struct fixture *f) {
        struct tpm_state s = f->state;
        int r = tpm_erase(f->tpm, &s, fixture_save, f);

        assert_memory_equal(&s, &f->state, sizeof(s));
        return r;
}

static int remove_all(struct fixture *f) {
        struct tpm_state s = f->state;

        return tpm_remove(f->tpm, &s, fixture_save, f);
}

static void undefine(struct fixture *f, uint32_t index) {
        struct raw raw = raw_open(f);

        assert_int_equal(Esys_NV_UndefineSpace(raw.esys, ESYS_TR_RH_OWNER, raw_find(&raw, index),
                                               ESYS_TR_PASSWORD, ESYS_TR_NONE, ESYS_TR_NONE),
                         0);
        raw_close(&raw);
}

static uint32_t handle_of_worker(const struct fixture *f) {
        struct tpm_facts facts;

        tpm_state_facts(&f->state, &facts);
        return facts.worker;
}

/* ---- an owner ----------------------------------------------------------------------------- */

static TPM2B_AUTH auth_of(const char *password) {
        TPM2B_AUTH auth = { .size = (uint16_t)strlen(password) };

        memcpy(auth.buffer, password, auth.size);
        return auth;
}

static void change_owner(struct fixture *f, const char *from, const char *to) {
        const TPM2B_AUTH old = auth_of(from), new = auth_of(to);
        struct raw raw = raw_open(f);

        assert_int_equal(Esys_TR_SetAuth(raw.esys, ESYS_TR_RH_OWNER, &old), 0);
        assert_int_equal(Esys_HierarchyChangeAuth(raw.esys, ESYS_TR_RH_OWNER, ESYS_TR_PASSWORD,
                                                  ESYS_TR_NONE, ESYS_TR_NONE, &new),
                         0);
        raw_close(&raw);
}

static void give(struct fixture *f, const char *password) {
        const struct bytes b = { (const uint8_t *)password, strlen(password) };

        assert_int_equal(tpm_set_owner_auth(f->tpm, b), 0);
}

static void an_owner_is_asked_before_anything_is_made(void **state) {
        struct fixture *f = *state;

        change_owner(f, "", "abc");
        assert_int_equal(fixture_provision(f), -EACCES);
        assert_non_null(strstr(f->last_message, "was not given"));
        give(f, "abd");
        assert_int_equal(fixture_provision(f), -EACCES);
        assert_non_null(strstr(f->last_message, "not its owner authorisation"));
        assert_int_equal(f->n_saves, 0);
        assert_empty(f);

        give(f, "abc");
        assert_int_equal(fixture_provision(f), 0);
        live(f);
        assert_nothing_else(f);

        /* Nothing but a reset needs it. */
        fixture_restart(f);
        live(f);
        give(f, "abc");
        assert_int_equal(remove_all(f), 0);
        assert_empty(f);
}

static void a_password_where_there_is_none_is_wrong(void **state) {
        struct fixture *f = *state;
        uint8_t long_one[65] = { 1 };

        give(f, "abc");
        assert_int_equal(fixture_provision(f), -EACCES);
        assert_int_equal(f->n_saves, 0);
        give(f, "");
        assert_int_equal(fixture_provision(f), 0);
        assert_int_equal(tpm_set_owner_auth(f->tpm, BYTES_OF(long_one)), -EMSGSIZE);
}

static void with_an_owner_the_srk_stays(void **state) {
        struct fixture *f = *state;
        struct tpm_options o = fixture_options(f);
        struct tpm_facts facts;

        o.persist_srk = false;
        f->tpm = tpm_free(f->tpm);
        assert_int_equal(tpm_new(&o, &f->tpm), 0);
        change_owner(f, "", "abc");
        give(f, "abc");
        assert_int_equal(fixture_provision(f), 0);
        tpm_state_facts(&f->state, &facts);
        assert_true(facts.srk_persistent);
        fixture_restart(f);
        live(f);
}

static void with_an_owner_the_srk_needs_its_place(void **state) {
        struct fixture *f = *state;

        raw_put_primary(f, tpm_key_types[CTAP_KEY_P256].template, 0x81000001);
        change_owner(f, "", "abc");
        give(f, "abc");
        assert_int_equal(fixture_provision(f), -ENOTSUP);
        assert_int_equal(f->state.phase, TPM_PHASE_NONE);
        assert_empty(f);
}

static void assert_reset_is_refused(struct fixture *f) {
        const struct tpm_state before = f->state;

        (void)watch_count(f);
        assert_int_equal(erase(f), -EACCES);
        assert_non_null(strstr(f->last_message, "nothing was erased"));
        assert_memory_equal(&f->state, &before, sizeof(before));
        assert_non_null(tpm_store_key(f->tpm));
        live(f);
}

static void a_reset_without_the_owner_changes_nothing(void **state) {
        struct fixture *f = *state;

        change_owner(f, "", "abc");
        fixture_restart(f);
        assert_reset_is_refused(f);
        give(f, "abd");
        assert_reset_is_refused(f);
        fixture_restart(f);
        live(f);
        assert_nothing_else(f);

        /* A state that is not unlocked. */
        fixture_reopen(f);
        assert_int_equal(erase(f), -EACCES);
        assert_int_equal(f->state.phase, TPM_PHASE_READY);

        give(f, "abc");
        assert_int_equal(erase(f), 0);
        assert_int_equal(f->state.phase, TPM_PHASE_ERASING);

        /* It was wiped. */
        assert_int_equal(fixture_provision(f), -EACCES);
        give(f, "abc");
        assert_int_equal(fixture_provision(f), 0);
        live(f);
        assert_nothing_else(f);
}

static void a_reset_with_the_owner_keeps_its_budget(void **state) {
        struct fixture *f = *state;

        change_owner(f, "", "abc");
        give(f, "abc");
        (void)watch_count(f);
        assert_int_equal(erase(f), 0);
        assert_in_range(watch_count(f), 1, 3);
}

static void a_reset_that_cannot_be_taken_back_leaves_nothing_to_use(void **state) {
        struct fixture *f = *state;

        change_owner(f, "", "abc");
        f->fail_save = 2;
        assert_int_equal(erase(f), -EACCES);
        assert_int_equal(f->state.phase, TPM_PHASE_ERASING);
        assert_null(tpm_store_key(f->tpm));
        give(f, "abc");
        assert_int_equal(fixture_provision(f), 0);
        live(f);
        assert_nothing_else(f);
}

/* The password was set when the PIN was gone and the anchor was not. */
static void a_reset_that_began_is_not_taken_back(void **state) {
        struct fixture *f = *state;

        watch_plan(f, "answer NV_UndefineSpace 2 9a2\n");
        assert_int_equal(erase(f), -EACCES);
        assert_int_equal(f->state.phase, TPM_PHASE_ERASING);
        assert_null(tpm_store_key(f->tpm));
        watch_no_plan(f);
        assert_int_equal(fixture_provision(f), 0);
        live(f);
        assert_nothing_else(f);
}

static void an_owner_who_changes_between_is_asked_again(void **state) {
        struct fixture *f = *state;

        change_owner(f, "", "abc");
        give(f, "abc");
        assert_int_equal(erase(f), 0);
        change_owner(f, "abc", "xyz");
        give(f, "abc");
        assert_int_equal(fixture_provision(f), -EACCES);
        assert_int_equal(f->state.phase, TPM_PHASE_ERASING);
        give(f, "xyz");
        assert_int_equal(fixture_provision(f), 0);
        live(f);
        change_owner(f, "xyz", "");
        assert_int_equal(remove_all(f), 0);
        assert_empty(f);
}

static void an_srk_that_is_not_kept_needs_the_owner_or_its_place(void **state) {
        struct fixture *f = *state;
        struct tpm_options o = fixture_options(f);

        o.persist_srk = false;
        f->tpm = tpm_free(f->tpm);
        assert_int_equal(tpm_new(&o, &f->tpm), 0);
        assert_int_equal(fixture_provision(f), 0);
        change_owner(f, "", "abc");
        assert_int_equal(fixture_unlock(f), -EACCES);
        assert_non_null(strstr(f->last_message, "0x81000001"));

        give(f, "abc");
        assert_int_equal(fixture_unlock(f), 0);
        give(f, "");

        change_owner(f, "abc", "");
        raw_put_primary(f, &tpm_template_srk, 0x81000001);
        change_owner(f, "", "abc");
        fixture_restart(f);
        live(f);
}

/* A state of before there were PINs. */
static void forget_pin(struct fixture *f) {
        struct tpm_record record;

        assert_int_equal(tpm_state_decode(&f->state, &record), 0);
        undefine(f, tpm_nv_index(&record.pin));
        record.pin = (struct tpm_nv){ 0 };
        record.pin_kind = TPM_PIN_NONE;
        record.hmac_kind = TPM_HMAC_NONE;
        assert_int_equal(tpm_state_encode(&record, &f->state), 0);
}

/* That the owner refuses says nothing of what the TPM can do. */
static void without_the_owner_no_pin_is_added(void **state) {
        struct fixture *f = *state;
        struct ctap_secret_blob blob;
        struct tpm_facts facts;
        struct tpm_state s;

        forget_pin(f);
        change_owner(f, "", "abc");
        fixture_reopen(f);
        assert_int_equal(fixture_unlock(f), 0);
        s = f->state;
        assert_int_equal(tpm_complete(f->tpm, &s, fixture_save, f), -EACCES);
        tpm_state_facts(&f->state, &facts);
        assert_int_equal(facts.pin_kind, TPM_PIN_NONE);
        assert_int_equal(secret_make(f, CTAP_CLASS_A, &blob), -ENOTSUP);

        give(f, "abc");
        assert_int_equal(tpm_complete(f->tpm, &s, fixture_save, f), 0);
        tpm_state_facts(&f->state, &facts);
        assert_int_equal(facts.pin_kind, TPM_PIN_FAIL);
        assert_int_equal(facts.hmac_kind, TPM_HMAC_COMMAND);
        live(f);
        assert_nothing_else(f);
}

/* Such as another system's, from another template. That is no other TPM: nothing is given up. */
static void another_srk_in_its_place_keeps_nothing_from_starting(void **state) {
        struct fixture *f = *state;
        struct tpm_options o = fixture_options(f);
        TPMT_PUBLIC other = tpm_template_srk;

        o.persist_srk = true;
        f->tpm = tpm_free(f->tpm);
        assert_int_equal(tpm_new(&o, &f->tpm), 0);
        assert_int_equal(fixture_provision(f), 0);

        other.unique.ecc.x = (TPM2B_ECC_PARAMETER){ .size = 32, .buffer = { 9 } };
        other.unique.ecc.y.size = 32;
        raw_evict(f, 0x81000001);
        raw_put_primary(f, &other, 0x81000001);
        fixture_restart(f);
        live(f);
        assert_nothing_else(f);
}

static void without_the_owner_p2_is_not_put_back(void **state) {
        struct fixture *f = *state;
        char log[4096];

        raw_evict(f, handle_of_worker(f));
        change_owner(f, "", "abc");
        (void)watch_count(f);
        live(f);
        live(f);
        watch_log(f, log, sizeof(log));
        assert_non_null(strstr(log, "EvictControl"));
        assert_null(strstr(strstr(log, "EvictControl") + 1, "EvictControl"));

        change_owner(f, "abc", "");
        fixture_restart(f);
        live(f);
        assert_nothing_else(f);
}

/* ---- no room ------------------------------------------------------------------------------ */

static void without_a_slot_p2_is_loaded_when_it_is_needed(void **state) {
        struct fixture *f = *state;
        struct tpm_options o = fixture_options(f);

        raw_put_primary(f, &tpm_template_srk, 0x81018000);
        o.persistent_last = o.persistent_first;
        f->tpm = tpm_free(f->tpm);
        assert_int_equal(tpm_new(&o, &f->tpm), 0);
        assert_int_equal(fixture_provision(f), 0);
        assert_int_equal(handle_of_worker(f), 0);
        live(f);
        fixture_restart(f);
        live(f);
        tpm_idle(f->tpm);
        swtpm_restart(&f->swtpm, false);
        live(f);

        assert_int_equal(erase(f), 0);
        assert_int_equal(fixture_provision(f), 0);
        live(f);
        raw_evict(f, 0x81018000);
        assert_nothing_else(f);

        /* After that P2 has a place again. */
        assert_int_equal(erase(f), 0);
        assert_int_equal(fixture_provision(f), 0);
        assert_int_equal(handle_of_worker(f), 0x81018000);
        live(f);
        assert_nothing_else(f);
        assert_int_equal(remove_all(f), 0);
        assert_empty(f);
}

static void without_a_slot_and_without_the_owner_nothing_changes(void **state) {
        struct fixture *f = *state;

        f->without_slot = true;
        fixture_reopen(f);
        change_owner(f, "", "abc");
        give(f, "abc");
        assert_int_equal(fixture_provision(f), 0);
        assert_int_equal(handle_of_worker(f), 0);
        assert_reset_is_refused(f);
        fixture_restart(f);
        assert_reset_is_refused(f);
        give(f, "abc");
        assert_int_equal(remove_all(f), 0);
        assert_empty(f);
}

static void without_space_p2_is_loaded_when_it_is_needed(void **state) {
        struct fixture *f = *state;

        raw_put_primary(f, &tpm_template_srk, 0x81000001);
        watch_plan(f, "answer EvictControl 0 14b\n");
        assert_int_equal(fixture_provision(f), 0);
        watch_no_plan(f);
        assert_int_equal(handle_of_worker(f), 0);
        live(f);
        fixture_restart(f);
        live(f);
        assert_nothing_else(f);
        assert_int_equal(remove_all(f), 0);
        assert_empty(f);
}

/* Somebody's indexes; ever smaller ones, until there is no room for any. */
static unsigned fill_nv(struct fixture *f) {
        struct raw raw = raw_open(f);
        const TPM2B_AUTH none = { 0 };
        unsigned n = 0;

        for (uint16_t size = 2048; size >= 8; size /= 2)
                for (;;) {
                        const TPM2B_NV_PUBLIC public = {
                                .nvPublic = { .nvIndex = 0x01900000 + n,
                                              .nameAlg = TPM2_ALG_SHA256,
                                              .attributes = TPMA_NV_OWNERWRITE | TPMA_NV_OWNERREAD,
                                              .dataSize = size },
                        };
                        ESYS_TR tr;
                        TSS2_RC rc = Esys_NV_DefineSpace(raw.esys, ESYS_TR_RH_OWNER,
                                                         ESYS_TR_PASSWORD, ESYS_TR_NONE,
                                                         ESYS_TR_NONE, &none, &public, &tr);

                        if (rc == TPM2_RC_NV_SPACE)
                                break;
                        assert_int_equal(rc, 0);
                        n++;
                }
        raw_close(&raw);
        return n;
}

static size_t n_indexes(struct fixture *f) {
        uint32_t found[256];

        tpm_idle(f->tpm);
        return swtpm_handles(&f->swtpm, 0x01000000, found, ELEMENTSOF(found));
}

static void a_full_tpm_is_named_and_left_as_it_was(void **state) {
        struct fixture *f = *state;
        unsigned n = fill_nv(f), failed = 0;
        int r;

        for (;;) {
                assert_int_equal(n_indexes(f), n);
                r = fixture_provision(f);
                if (r == 0)
                        break;
                assert_int_equal(r, -ENOSPC);
                assert_int_equal(f->state.phase, TPM_PHASE_NONE);
                failed++;
                assert_true(n > 0);
                undefine(f, 0x01900000 + --n);
        }
        assert_in_range(failed, 1, 20);
        live(f);
        fixture_restart(f);
        live(f);
        while (n > 0)
                undefine(f, 0x01900000 + --n);
        assert_nothing_else(f);
}

/* The space ends at each of the indexes in turn. */
static void what_does_not_fit_as_a_whole_is_taken_away_again(void **state) {
        struct fixture *f = *state;

        for (unsigned n = 1;; n++) {
                int r;

                watch_plan(f, "answer NV_DefineSpace %u 14b\n", n);
                r = fixture_provision(f);
                watch_no_plan(f);
                if (r == 0)
                        break;
                assert_int_equal(r, -ENOSPC);
                assert_int_equal(f->state.phase, TPM_PHASE_NONE);
                assert_empty(f);
        }
        assert_nothing_else(f);

        /* A counter that was there before stays. */
        assert_int_equal(erase(f), 0);
        watch_plan(f, "answer NV_DefineSpace 1 14b\n");
        assert_int_equal(fixture_provision(f), -ENOSPC);
        watch_no_plan(f);
        assert_int_equal(f->state.phase, TPM_PHASE_ERASING);
        assert_int_equal(n_indexes(f), 1);
        assert_int_equal(fixture_provision(f), 0);
        live(f);
        assert_nothing_else(f);
}

/* ---- lockout ------------------------------------------------------------------------------ */

/* Wrong passwords for a key of somebody else. */
static void lock_out(struct fixture *f) {
        static const TPMT_TK_HASHCHECK no_ticket = { .tag = TPM2_ST_HASHCHECK,
                                                     .hierarchy = TPM2_RH_NULL };
        const struct tpm_key_type *type = &tpm_key_types[CTAP_KEY_P256];
        const TPM2B_SENSITIVE_CREATE sensitive = { .sensitive.userAuth = auth_of("good") };
        const TPM2B_AUTH bad = auth_of("bad");
        const TPM2B_DIGEST digest = { .size = 32 };
        const TPM2B_DATA outside = { 0 };
        const TPML_PCR_SELECTION pcrs = { 0 };
        TPM2B_PUBLIC in = { .publicArea = *type->template };
        struct raw raw = raw_open(f);
        ESYS_TR key;
        TSS2_RC rc;

        in.publicArea.objectAttributes &= ~TPMA_OBJECT_NODA;
        assert_int_equal(Esys_CreatePrimary(raw.esys, ESYS_TR_RH_OWNER, ESYS_TR_PASSWORD,
                                            ESYS_TR_NONE, ESYS_TR_NONE, &sensitive, &in, &outside,
                                            &pcrs, &key, NULL, NULL, NULL, NULL),
                         0);
        assert_int_equal(Esys_TR_SetAuth(raw.esys, key, &bad), 0);
        do {
                TPMT_SIGNATURE *signature;

                rc = Esys_Sign(raw.esys, key, ESYS_TR_PASSWORD, ESYS_TR_NONE, ESYS_TR_NONE, &digest,
                               &type->scheme, &no_ticket, &signature);
                assert_int_not_equal(rc, 0);
        } while (rc != TPM2_RC_LOCKOUT);
        assert_int_equal(Esys_FlushContext(raw.esys, key), 0);
        raw_close(&raw);
}

static void a_lockout_stops_nothing_of_ours(void **state) {
        struct fixture *f = *state;
        struct tpm_info info;

        lock_out(f);
        assert_int_equal(tpm_describe(f->tpm, &info), 0);
        assert_true(info.in_lockout);
        live(f);
        fixture_restart(f);
        live(f);
        raw_evict(f, handle_of_worker(f)); /* P2 comes through the gate */
        live(f);
        assert_int_equal(erase(f), 0);
        assert_int_equal(fixture_provision(f), 0);
        live(f);
        assert_nothing_else(f);
}

/* ---- what vanishes ------------------------------------------------------------------------ */

static void without_the_anchor_nothing_starts_again(void **state) {
        struct fixture *f = *state;
        const struct tpm_state before = f->state;
        struct tpm_facts facts;

        tpm_state_facts(&f->state, &facts);
        undefine(f, facts.anchor);
        live(f); /* it stands before P2, which was let in */
        fixture_reopen(f);
        assert_int_equal(fixture_unlock(f), -ESTALE);
        assert_int_equal(fixture_provision(f), -ESTALE);
        assert_memory_equal(&f->state, &before, sizeof(before));

        assert_int_equal(erase(f), 0);
        assert_int_equal(fixture_provision(f), 0);
        live(f);
        assert_nothing_else(f);
}

static void without_the_anchor_a_p2_that_is_not_kept_is_lost(void **state) {
        struct fixture *f = *state;
        struct tpm_facts facts;
        struct credential c;

        assert_int_equal(credential_make(f, CTAP_KEY_P256, &c), 0);
        tpm_state_facts(&f->state, &facts);
        raw_evict(f, facts.worker);
        undefine(f, facts.anchor);
        assert_int_equal(credential_use(f, &c), -ESTALE);
        assert_int_equal(credential_make(f, CTAP_KEY_P256, &c), -ESTALE);
        tpm_idle(f->tpm);
        assert_int_equal(erase(f), 0);
        assert_int_equal(fixture_provision(f), 0);
        assert_nothing_else(f);
}

static void without_the_counter_there_is_no_count(void **state) {
        struct fixture *f = *state;
        struct tpm_facts facts;
        struct credential c;
        uint64_t value;

        assert_int_equal(credential_make(f, CTAP_KEY_P256, &c), 0);
        tpm_state_facts(&f->state, &facts);
        undefine(f, facts.counter);
        assert_int_equal(tpm_counter_read(f->tpm, &value), -ESTALE);
        assert_non_null(strstr(f->last_message, "the counter"));
        assert_int_equal(tpm_counter_advance(f->tpm, &value), -ESTALE);
        assert_int_equal(credential_use(f, &c), 0);

        assert_int_equal(erase(f), 0);
        assert_int_equal(fixture_provision(f), 0);
        live(f);
        assert_nothing_else(f);
}

static void a_cleared_tpm_is_told_and_can_begin_anew(void **state) {
        struct fixture *f = *state;
        const struct tpm_state before = f->state;
        unsigned n_saves = f->n_saves;

        live(f);
        tpm_idle(f->tpm);
        swtpm_clear(&f->swtpm);
        fixture_reopen(f);
        assert_int_equal(fixture_unlock(f), -ESTALE);
        assert_int_equal(fixture_provision(f), -ESTALE);
        assert_memory_equal(&f->state, &before, sizeof(before));
        assert_int_equal(f->n_saves, n_saves);
        assert_empty(f);

        assert_int_equal(erase(f), 0);
        assert_int_equal(fixture_provision(f), 0);
        live(f);
        assert_nothing_else(f);
}

static void without_the_pin_index_there_is_no_pin(void **state) {
        struct fixture *f = *state;
        const struct ctap_pin_hash pin = pin_hash("1234");
        struct ctap_keys *k = tpm_keys(f->tpm);
        enum ctap_pin_verdict verdict;
        struct ctap_ticket ticket;
        struct tpm_facts facts;
        uint8_t left;

        live(f);
        tpm_state_facts(&f->state, &facts);
        undefine(f, facts.pin);
        assert_int_equal(k->ops->pin_verify(k, &pin, 600, &verdict, &ticket), -ESTALE);
        assert_non_null(strstr(f->last_message, "PIN"));
        assert_int_equal(k->ops->pin_change(k, &pin, &pin, &verdict), -ESTALE);
        live_without_a_pin(f);

        fixture_restart(f);
        k = tpm_keys(f->tpm);
        assert_int_equal(k->ops->pin_retries(k, &left), -ESTALE);
        live_without_a_pin(f);
        assert_int_equal(erase(f), 0);
        assert_int_equal(fixture_provision(f), 0);
        live(f);
        assert_nothing_else(f);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)
#define TEST_READY(name) \
        cmocka_unit_test_setup_teardown(name, fixture_setup_ready, fixture_teardown)

int main(void) {
        const struct CMUnitTest tests[] = {
                TEST(an_owner_is_asked_before_anything_is_made),
                TEST(a_password_where_there_is_none_is_wrong),
                TEST(with_an_owner_the_srk_stays),
                TEST(with_an_owner_the_srk_needs_its_place),
                TEST_READY(a_reset_without_the_owner_changes_nothing),
                TEST_READY(a_reset_with_the_owner_keeps_its_budget),
                TEST_READY(a_reset_that_cannot_be_taken_back_leaves_nothing_to_use),
                TEST_READY(a_reset_that_began_is_not_taken_back),
                TEST_READY(an_owner_who_changes_between_is_asked_again),
                TEST(an_srk_that_is_not_kept_needs_the_owner_or_its_place),
                TEST_READY(without_the_owner_no_pin_is_added),
                TEST(another_srk_in_its_place_keeps_nothing_from_starting),
                TEST_READY(without_the_owner_p2_is_not_put_back),
                TEST(without_a_slot_p2_is_loaded_when_it_is_needed),
                TEST(without_a_slot_and_without_the_owner_nothing_changes),
                TEST(without_space_p2_is_loaded_when_it_is_needed),
                TEST(a_full_tpm_is_named_and_left_as_it_was),
                TEST(what_does_not_fit_as_a_whole_is_taken_away_again),
                TEST_READY(a_lockout_stops_nothing_of_ours),
                TEST_READY(without_the_anchor_nothing_starts_again),
                TEST_READY(without_the_anchor_a_p2_that_is_not_kept_is_lost),
                TEST_READY(without_the_counter_there_is_no_count),
                TEST_READY(a_cleared_tpm_is_told_and_can_begin_anew),
                TEST_READY(without_the_pin_index_there_is_no_pin),
        };

        return cmocka_run_group_tests_name("tpm-living", tests, NULL, NULL);
}
