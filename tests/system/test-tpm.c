/* SPDX-License-Identifier: BSD-2-Clause */

/* tpm/ on a swtpm: what it makes, what each ceremony costs, what it survives. */

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <tss2/tss2_mu.h>
#include <unistd.h>

#include "tests/system/tpm-fixture.h"
#include "tpm/template.h"

/* ---- budgets ------------------------------------------------------------------------------ */

static void start_up(struct fixture *f) {
        uint64_t counter;

        fixture_reopen(f);
        assert_int_equal(fixture_unlock(f), 0);
        assert_int_equal(tpm_counter_read(f->tpm, &counter), 0);
}

static void start_up_and_register(struct fixture *f, struct credential *c) {
        start_up(f);
        assert_int_equal(credential_make(f, CTAP_KEY_P256, c), 0);
        tpm_settle(f->tpm);
        (void)watch_count(f);
}

static void unlock(struct fixture *f) {
        fixture_reopen(f);
        assert_int_equal(fixture_unlock(f), 0);
}

static void register_none(struct fixture *f) {
        struct credential c;

        assert_int_equal(credential_make(f, CTAP_KEY_P256, &c), 0);
}

static void register_packed(struct fixture *f) {
        struct credential c;

        assert_int_equal(credential_make(f, CTAP_KEY_P256, &c), 0);
        assert_int_equal(credential_use(f, &c), 0);
}

static void assertion(struct fixture *f) {
        struct credential c;

        start_up_and_register(f, &c);
        assert_int_equal(credential_use(f, &c), 0);
}

static void assertion_from_idle(struct fixture *f) {
        struct credential c;

        start_up_and_register(f, &c);
        tpm_idle(f->tpm);
        assert_int_equal(credential_use(f, &c), 0);
}

static void what_follows_the_yes(struct fixture *f) {
        struct ctap_keys *k = tpm_keys(f->tpm);
        struct ctap_loaded_key *key;
        struct ctap_signature signature;
        struct credential c;
        struct sha256 digest = { { 1 } };

        start_up_and_register(f, &c);
        k = tpm_keys(f->tpm);
        assert_int_equal(k->ops->load(k, BYTES(c.blob.data, c.blob.len), NULL, &key), 0);
        (void)watch_count(f);
        assert_int_equal(k->ops->sign(k, key, BYTES_OF(digest), &signature), 0);
        k->ops->unload(k, key);
}

static void nothing(struct fixture *f) {
        struct ctap_keys *k = tpm_keys(f->tpm);
        struct ctap_loaded_key *key;
        uint8_t foreign[100] = { 0, 50 };

        assert_int_equal(k->ops->offered(k),
                         1u << CTAP_KEY_P256 | 1u << CTAP_KEY_P384 | 1u << CTAP_KEY_RSA2048);
        for (int i = 0; i < 64; i++)
                assert_int_equal(k->ops->load(k, BYTES_OF(foreign), NULL, &key), -EKEYREJECTED);
        assert_non_null(tpm_store_key(f->tpm));
        tpm_settle(f->tpm);
        tpm_idle(f->tpm);
}

static void read_counter(struct fixture *f) {
        uint64_t value;

        assert_int_equal(tpm_counter_read(f->tpm, &value), 0);
}

static void advance_counter(struct fixture *f) {
        uint64_t before, after;

        assert_int_equal(tpm_counter_read(f->tpm, &before), 0);
        (void)watch_count(f);
        assert_int_equal(tpm_counter_advance(f->tpm, &after), 0);
        assert_true(after == before + 1);
}

static void erase(struct fixture *f) {
        struct tpm_state s = f->state;

        assert_int_equal(tpm_erase(f->tpm, &s, fixture_save, f), 0);
}

#define UNLOCK                                                                      \
        "Load StartAuthSession PolicySecret Load PolicySecret Unseal FlushContext " \
        "FlushContext Load Unseal FlushContext"

static const struct {
        const char *ceremony;
        void (*run)(struct fixture *f);
        unsigned budget;
        const char *commands;
} budgets[] = {
        { "register", register_none, 1, "Create" },
        { "register, packed", register_packed, 4, "Create Load Sign FlushContext" },
        { "assert", assertion, 3, "Load Sign FlushContext" },
        { "assert from idle", assertion_from_idle, 3, "Load Sign FlushContext" },
        { "assert, after yes", what_follows_the_yes, 1, "Sign" },
        { "64 foreign ids", nothing, 0, "" },
        { "counter read", read_counter, 1, "NV_Read" },
        { "counter advance", advance_counter, 1, "NV_Increment" },
        { "unlock", unlock, 11, UNLOCK },
        { "start-up", start_up, 12, UNLOCK " NV_Read" },
        { "reset, without provisioning anew", erase, 3,
          "NV_UndefineSpace NV_UndefineSpace EvictControl" },
};

/* The number in the table that users are shown, if this ceremony is in there. */
static unsigned published(const char *ceremony, unsigned otherwise) {
        size_t n;
        const struct tpm_budget *b = tpm_budgets(&n);

        for (size_t i = 0; i < n; i++)
                if (strcmp(b[i].ceremony, ceremony) == 0)
                        return b[i].commands;
        return otherwise;
}

static void every_ceremony_keeps_its_budget(void **state) {
        struct fixture *f = *state;

        for (size_t i = 0; i < ELEMENTSOF(budgets); i++) {
                char log[1024];

                tpm_settle(f->tpm);
                (void)watch_count(f);
                budgets[i].run(f);
                watch_log(f, log, sizeof(log));
                if (strcmp(log, budgets[i].commands) != 0)
                        fail_msg("%s: \"%s\" instead of \"%s\"", budgets[i].ceremony, log,
                                 budgets[i].commands);
                assert_in_range(n_commands(log), 0, budgets[i].budget);
                assert_int_equal(published(budgets[i].ceremony, budgets[i].budget),
                                 budgets[i].budget);
        }
}

/* ---- what is made ------------------------------------------------------------------------- */

static void provisioning_leaves_what_the_state_names_and_nothing_else(void **state) {
        struct fixture *f = *state;
        struct tpm_facts facts;

        assert_int_equal(fixture_provision(f), 0);
        assert_int_equal(f->state.phase, TPM_PHASE_READY);
        assert_int_equal(f->n_saves, 6);
        tpm_state_facts(&f->state, &facts);
        assert_int_equal(facts.anchor, 0x01800200);
        assert_int_equal(facts.counter, 0x01800201);
        assert_int_equal(facts.pin, 0x01800202);
        assert_int_equal(facts.tries, 0);
        assert_int_equal(facts.pin_kind, TPM_PIN_FAIL);
        assert_false(facts.is_firmware);
        assert_int_equal(facts.worker, 0x81018000);
        assert_nothing_else(f);
}

static void provisioning_of_a_ready_state_only_unlocks(void **state) {
        struct fixture *f = *state;

        fixture_reopen(f);
        assert_int_equal(fixture_provision(f), 0);
        assert_int_equal(watch_count(f), 11);
        assert_int_equal(f->n_saves, 6);
        assert_non_null(tpm_store_key(f->tpm));
}

static void removing_leaves_nothing(void **state) {
        struct fixture *f = *state;
        struct tpm_state s = f->state;

        assert_int_equal(tpm_remove(f->tpm, &s, fixture_save, f), 0);
        assert_int_equal(s.phase, TPM_PHASE_NONE);
        assert_int_equal(f->state.phase, TPM_PHASE_NONE);
        assert_null(tpm_store_key(f->tpm));
        assert_empty(f);
        assert_int_equal(tpm_remove(f->tpm, &s, fixture_save, f), 0);
}

static void the_store_key_is_the_same_after_every_unlock(void **state) {
        struct fixture *f = *state;
        struct secret32 key = *tpm_store_key(f->tpm);

        for (int orderly = 0; orderly < 2; orderly++) {
                tpm_idle(f->tpm);
                swtpm_restart(&f->swtpm, orderly);
                fixture_reopen(f);
                assert_null(tpm_store_key(f->tpm));
                assert_int_equal(fixture_unlock(f), 0);
                assert_memory_equal(tpm_store_key(f->tpm)->b, key.b, sizeof(key.b));
        }
}

static void signatures_of_every_type_and_class_verify(void **state) {
        struct fixture *f = *state;
        struct ctap_ticket ticket;

        assert_int_equal(pin_verify(f, "1234", &ticket), CTAP_PIN_RIGHT);
        for (enum ctap_key_type type = 0; type < _CTAP_KEY_TYPES; type++) {
                struct credential a, b;

                assert_int_equal(credential_make_of(f, type, CTAP_CLASS_A, &a), 0);
                assert_int_equal(a.public.type, type);
                assert_int_equal(credential_use(f, &a), 0);

                assert_int_equal(credential_make_of(f, type, CTAP_CLASS_B, &b), 0);
                assert_int_equal(b.public.type, type);
                assert_int_equal(credential_use(f, &b), -EKEYEXPIRED);
                assert_int_equal(credential_use_by(f, &b, &ticket), 0);
        }
        assert_nothing_else(f);
}

static void a_digest_of_the_wrong_size_is_not_signed(void **state) {
        struct fixture *f = *state;
        struct ctap_keys *k = tpm_keys(f->tpm);
        struct ctap_loaded_key *key;
        struct ctap_signature signature;
        struct credential c;
        uint8_t digest[48] = { 0 };

        assert_int_equal(credential_make(f, CTAP_KEY_P256, &c), 0);
        assert_int_equal(k->ops->load(k, BYTES(c.blob.data, c.blob.len), NULL, &key), 0);
        assert_int_equal(k->ops->sign(k, key, BYTES_OF(digest), &signature), -EINVAL);
        assert_int_equal(k->ops->sign(k, key, BYTES(digest, 31), &signature), -EINVAL);
        k->ops->unload(k, key);
}

static void unknown_keys_are_not_offered(void **state) {
        struct fixture *f = *state;
        struct ctap_keys *k = tpm_keys(f->tpm);
        struct credential c;

        assert_int_equal(k->ops->create(k, CTAP_KEY_P256, 0, &c.blob, &c.public), -EINVAL);
        assert_int_equal(k->ops->create(k, _CTAP_KEY_TYPES, CTAP_CLASS_A, &c.blob, &c.public),
                         -EINVAL);
        k->ops->unload(k, NULL);
}

static void the_worker_is_a_storage_key_that_cannot_leave(void **state) {
        struct fixture *f = *state;
        struct raw raw = raw_open(f);
        struct tpm_facts facts;
        TPM2B_PUBLIC *public;
        ESYS_TR tr;

        tpm_state_facts(&f->state, &facts);
        tr = raw_find(&raw, facts.worker);
        assert_int_equal(Esys_ReadPublic(raw.esys, tr, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE,
                                         &public, NULL, NULL),
                         0);
        assert_int_equal(public->publicArea.objectAttributes,
                         TPMA_OBJECT_FIXEDTPM | TPMA_OBJECT_FIXEDPARENT |
                                 TPMA_OBJECT_SENSITIVEDATAORIGIN | TPMA_OBJECT_USERWITHAUTH |
                                 TPMA_OBJECT_NODA | TPMA_OBJECT_RESTRICTED | TPMA_OBJECT_DECRYPT);
        Esys_Free(public);

        raw_close(&raw);
}

static void a_credential_key_is_of_the_tpm_and_bound_to_it(void **state) {
        struct fixture *f = *state;
        struct credential c;
        TPM2B_PRIVATE private = { 0 };
        TPM2B_PUBLIC public = { 0 };
        const TPMT_PUBLIC *p = &public.publicArea;
        size_t n = 0;

        assert_int_equal(credential_make(f, CTAP_KEY_P256, &c), 0);
        assert_int_equal(Tss2_MU_TPM2B_PRIVATE_Unmarshal(c.blob.data, c.blob.len, &n, &private), 0);
        assert_int_equal(Tss2_MU_TPM2B_PUBLIC_Unmarshal(c.blob.data, c.blob.len, &n, &public), 0);
        assert_int_equal(n, c.blob.len);
        assert_int_equal(p->objectAttributes, TPMA_OBJECT_FIXEDTPM | TPMA_OBJECT_FIXEDPARENT |
                                                      TPMA_OBJECT_SENSITIVEDATAORIGIN |
                                                      TPMA_OBJECT_USERWITHAUTH | TPMA_OBJECT_NODA |
                                                      TPMA_OBJECT_SIGN_ENCRYPT);
        assert_int_equal(p->parameters.eccDetail.scheme.scheme, TPM2_ALG_NULL);
        assert_int_equal(p->parameters.eccDetail.kdf.scheme, TPM2_ALG_NULL);
        assert_int_equal(p->parameters.eccDetail.symmetric.algorithm, TPM2_ALG_NULL);
        assert_int_equal(p->unique.ecc.x.size, 32);
        assert_int_equal(p->unique.ecc.y.size, 32);
        assert_memory_equal(p->unique.ecc.x.buffer, c.public.x, 32);
}

/* ---- bad blobs ---------------------------------------------------------------------------- */

static int load_bytes(struct fixture *f, struct bytes blob) {
        struct ctap_keys *k = tpm_keys(f->tpm);
        struct ctap_loaded_key *key = NULL;
        int r = k->ops->load(k, blob, NULL, &key);

        k->ops->unload(k, key);
        return r;
}

static void a_changed_blob_is_refused_wherever_it_was_changed(void **state) {
        struct fixture *f = *state;
        struct credential c;

        assert_int_equal(credential_make(f, CTAP_KEY_P256, &c), 0);
        for (size_t i = 0; i < c.blob.len; i++) {
                c.blob.data[i] ^= (uint8_t)(1u << (i % 8));
                assert_int_equal(load_bytes(f, BYTES(c.blob.data, c.blob.len)), -EKEYREJECTED);
                c.blob.data[i] ^= (uint8_t)(1u << (i % 8));
        }
        for (size_t n = 0; n < c.blob.len; n++)
                assert_int_equal(load_bytes(f, BYTES(c.blob.data, n)), -EKEYREJECTED);
        assert_int_equal(load_bytes(f, BYTES(c.blob.data, c.blob.len + 1)), -EKEYREJECTED);
        assert_int_equal(credential_use(f, &c), 0);
        assert_nothing_else(f);
}

static int read_public(struct fixture *f, struct bytes blob, struct ctap_public_key *ret) {
        struct ctap_keys *k = tpm_keys(f->tpm);

        memset(ret, 0, sizeof(*ret));
        return k->ops->public_key(k, blob, ret);
}

static void the_public_key_is_read_out_of_the_blob_without_asking(void **state) {
        struct fixture *f = *state;

        for (enum ctap_key_type type = 0; type < _CTAP_KEY_TYPES; type++)
                for (enum ctap_key_class class = CTAP_CLASS_A; class <= CTAP_CLASS_B; class ++) {
                        struct ctap_public_key public;
                        struct credential c;

                        memset(&c, 0, sizeof(c));
                        assert_int_equal(credential_make_of(f, type, class, &c), 0);
                        (void)watch_count(f);
                        assert_int_equal(read_public(f, BYTES(c.blob.data, c.blob.len), &public),
                                         0);
                        assert_memory_equal(&public, &c.public, sizeof(public));
                        assert_int_equal(watch_count(f), 0);
                }
}

/* What is changed in it is refused, or is seen in what is read: it is no longer the same key. */
static void read_what_was_changed(struct fixture *f, enum ctap_key_type type, size_t public_size) {
        struct ctap_public_key public;
        struct credential c;
        size_t n_read = 0;
        uint16_t private;

        memset(&c, 0, sizeof(c));
        assert_int_equal(credential_make_of(f, type, CTAP_CLASS_B, &c), 0);
        private = (uint16_t)(2 + (c.blob.data[0] << 8 | c.blob.data[1]));
        for (size_t i = 0; i < c.blob.len * 8u; i++) {
                int r;

                c.blob.data[i / 8] ^= (uint8_t)(1u << (i % 8));
                r = read_public(f, BYTES(c.blob.data, c.blob.len), &public);
                if (r == 0) {
                        n_read++;
                        assert_int_equal(public.type, type);
                        assert_int_equal(memcmp(&public, &c.public, sizeof(public)) == 0,
                                         i / 8 < private);
                } else {
                        assert_int_equal(r, -EKEYREJECTED);
                }
                c.blob.data[i / 8] ^= (uint8_t)(1u << (i % 8));
        }
        /* Every bit of the private part, which is opaque, and of the key itself. */
        assert_int_equal(n_read, (private - 2 + public_size) * 8);

        for (size_t n = 0; n < c.blob.len; n++)
                assert_int_equal(read_public(f, BYTES(c.blob.data, n), &public), -EKEYREJECTED);
        assert_int_equal(read_public(f, BYTES(c.blob.data, c.blob.len + 1), &public),
                         -EKEYREJECTED);
}

static void a_public_key_is_never_read_out_of_another_kind_of_blob(void **state) {
        struct fixture *f = *state;

        read_what_was_changed(f, CTAP_KEY_P384, 2 * 48);
        read_what_was_changed(f, CTAP_KEY_RSA2048, 256);
}

static void a_blob_of_another_tpm_is_refused(void **state) {
        struct fixture *f = *state, *other;
        void *other_state;
        struct credential c;

        assert_int_equal(fixture_setup_ready(&other_state), 0);
        other = other_state;
        assert_int_equal(credential_make(other, CTAP_KEY_P256, &c), 0);
        assert_int_equal(credential_use(f, &c), -EKEYREJECTED);
        assert_int_equal(credential_use(other, &c), 0);

        /* And so is its whole state. */
        fixture_reopen(f);
        assert_int_equal(tpm_unlock(f->tpm, &other->state), -ESTALE);
        assert_null(tpm_store_key(f->tpm));
        assert_int_equal(fixture_unlock(f), 0);
        assert_int_equal(fixture_teardown(&other_state), 0);
}

/* ---- accidents ---------------------------------------------------------------------------- */

static void credentials_survive_a_restart_of_the_tpm(void **state) {
        struct fixture *f = *state;
        struct credential c;

        assert_int_equal(credential_make(f, CTAP_KEY_P256, &c), 0);
        for (int orderly = 0; orderly < 2; orderly++) {
                tpm_idle(f->tpm);
                swtpm_restart(&f->swtpm, orderly);
                assert_int_equal(credential_use(f, &c), 0);
        }
        tpm_shutdown(f->tpm);
        swtpm_kill(&f->swtpm);
        swtpm_boot(&f->swtpm);
        fixture_reopen(f);
        assert_int_equal(fixture_unlock(f), 0);
        assert_int_equal(credential_use(f, &c), 0);
}

static void a_tpm_that_died_is_no_device_until_it_is_back(void **state) {
        struct fixture *f = *state;
        struct ctap_keys *k = tpm_keys(f->tpm);
        struct ctap_loaded_key *key;
        struct ctap_signature signature;
        struct credential c;
        struct sha256 digest = { { 2 } };
        uint64_t counter;

        assert_int_equal(credential_make(f, CTAP_KEY_P256, &c), 0);
        assert_int_equal(k->ops->load(k, BYTES(c.blob.data, c.blob.len), NULL, &key), 0);
        swtpm_kill(&f->swtpm);
        assert_int_equal(k->ops->sign(k, key, BYTES_OF(digest), &signature), -ENODEV);
        assert_int_equal(tpm_counter_read(f->tpm, &counter), -ENODEV);
        assert_int_equal(credential_use(f, &c), -ENODEV);

        swtpm_boot(&f->swtpm);
        assert_int_equal(k->ops->sign(k, key, BYTES_OF(digest), &signature), 0);
        assert_true(signature_verifies(&c.public, BYTES_OF(digest), &signature));
        k->ops->unload(k, key);
        assert_int_equal(tpm_counter_read(f->tpm, &counter), 0);
        assert_nothing_else(f);

        /* It was restarted while nothing was asked of it, but while we were connected. */
        assert_int_equal(k->ops->load(k, BYTES(c.blob.data, c.blob.len), NULL, &key), 0);
        swtpm_kill(&f->swtpm);
        swtpm_boot(&f->swtpm);
        assert_int_equal(k->ops->sign(k, key, BYTES_OF(digest), &signature), 0);
        k->ops->unload(k, key);
        assert_nothing_else(f);
}

static void a_cleared_tpm_is_stale(void **state) {
        struct fixture *f = *state;

        tpm_idle(f->tpm);
        swtpm_clear(&f->swtpm);
        fixture_reopen(f);
        assert_int_equal(fixture_unlock(f), -ESTALE);
        assert_null(tpm_store_key(f->tpm));
        assert_empty(f);
}

static void remove_all(struct fixture *f) {
        struct tpm_state s = f->state;

        assert_int_equal(tpm_remove(f->tpm, &s, fixture_save, f), 0);
        assert_empty(f);
}

static void an_evicted_worker_is_put_back(void **state) {
        struct fixture *f = *state;
        struct credential c;

        assert_int_equal(credential_make(f, CTAP_KEY_P256, &c), 0);
        for (int while_unlocked = 0; while_unlocked < 2; while_unlocked++) {
                raw_evict(f, 0x81018000);
                if (!while_unlocked) {
                        fixture_reopen(f);
                        assert_int_equal(fixture_unlock(f), 0);
                }
                assert_int_equal(credential_use(f, &c), 0);
                assert_nothing_else(f);
        }
}

static void an_evicted_worker_is_used_even_if_it_cannot_be_put_back(void **state) {
        struct fixture *f = *state;
        struct credential c;

        assert_int_equal(credential_make(f, CTAP_KEY_P256, &c), 0);
        raw_evict(f, 0x81018000);
        watch_plan(f, "answer EvictControl 0 14b\n");
        fixture_reopen(f);
        assert_int_equal(fixture_unlock(f), 0);
        assert_int_equal(credential_use(f, &c), 0);
        tpm_idle(f->tpm);
        assert_int_equal(credential_use(f, &c), 0);

        /* A reset finds nothing to evict, and does not mind. */
        watch_no_plan(f);
        remove_all(f);
}

static void another_key_at_the_workers_handle_is_not_taken_for_it(void **state) {
        struct fixture *f = *state;
        struct credential c;
        uint32_t persistent[4];

        assert_int_equal(credential_make(f, CTAP_KEY_P256, &c), 0);
        raw_evict(f, 0x81018000);
        raw_put_primary(f, &tpm_template_srk, 0x81018000);
        fixture_reopen(f);
        assert_int_equal(fixture_unlock(f), 0);
        assert_int_equal(credential_use(f, &c), 0);

        /* It is not evicted for ours. */
        {
                struct tpm_state s = f->state;

                assert_int_equal(tpm_remove(f->tpm, &s, fixture_save, f), 0);
        }
        tpm_idle(f->tpm);
        assert_int_equal(swtpm_handles(&f->swtpm, 0x81018000, persistent, ELEMENTSOF(persistent)),
                         1);
        assert_int_equal(persistent[0], 0x81018000);
}

static void a_full_range_is_named(void **state) {
        struct fixture *f = *state;
        struct tpm_options o = fixture_options(f);
        struct tpm_state s = { .phase = TPM_PHASE_NONE };
        struct tpm *second;

        tpm_idle(f->tpm);
        o.nv_last = o.nv_first + 2; /* two are in use; two more are needed */
        assert_int_equal(tpm_new(&o, &second), 0);
        assert_int_equal(tpm_provision(second, &s, fixture_save, f), -ENOSPC);
        assert_int_equal(s.phase, TPM_PHASE_NONE);
        second = tpm_free(second);
}

static void two_instances_share_a_tpm(void **state) {
        struct fixture *f = *state;
        const struct tpm_options o = fixture_options(f);
        struct tpm_state first = f->state, second = { .phase = TPM_PHASE_NONE };
        struct credential c;
        struct tpm *t;
        struct tpm_facts facts;

        tpm_idle(f->tpm);
        assert_int_equal(tpm_new(&o, &t), 0);
        assert_int_equal(tpm_provision(t, &second, fixture_save, f), 0);
        tpm_state_facts(&second, &facts);
        assert_int_equal(facts.anchor, 0x01800203);
        assert_int_equal(facts.counter, 0x01800204);
        assert_int_equal(facts.pin, 0x01800205);
        assert_int_equal(facts.worker, 0x81018001);
        tpm_idle(t);

        assert_int_equal(credential_make(f, CTAP_KEY_P256, &c), 0);
        tpm_idle(f->tpm);
        assert_int_equal(tpm_remove(t, &second, fixture_save, f), 0);
        t = tpm_free(t);
        f->state = first;
        assert_int_equal(credential_use(f, &c), 0);
        assert_nothing_else(f);
}

/* Another instance was quicker. 0x14c: TPM_RC_NV_DEFINED, of an index and of a persistent object. */
static void a_handle_that_is_taken_meanwhile_is_chosen_anew(void **state) {
        static const char *const taken[] = { "NV_DefineSpace 1", "NV_DefineSpace 2",
                                             "EvictControl 1" };
        struct fixture *f = *state;

        for (size_t i = 0; i < ELEMENTSOF(taken); i++) {
                watch_plan(f, "answer %s 14c\n", taken[i]);
                assert_int_equal(fixture_provision(f), 0);
                watch_no_plan(f);
                assert_nothing_else(f);
                remove_all(f);
        }

        watch_plan(f, "answer NV_DefineSpace 0 14c\n");
        assert_int_equal(fixture_provision(f), -EBUSY);
        watch_no_plan(f);
        assert_int_equal(fixture_provision(f), 0);
        assert_nothing_else(f);
}

static void an_srk_that_is_there_is_used_and_one_can_be_left_there(void **state) {
        struct fixture *f = *state;
        struct tpm_options o = fixture_options(f);
        struct tpm_info info;

        f->tpm = tpm_free(f->tpm);
        o.persist_srk = false;
        assert_int_equal(tpm_new(&o, &f->tpm), 0);
        assert_int_equal(fixture_provision(f), 0);
        assert_int_equal(tpm_describe(f->tpm, &info), 0);
        assert_false(info.srk_present);
        (void)watch_count(f);
        assert_int_equal(fixture_unlock(f), 0);
        assert_int_equal(watch_count(f), 13); /* CreatePrimary and FlushContext more */
        remove_all(f);

        fixture_reopen(f);
        assert_int_equal(fixture_provision(f), 0);
        assert_int_equal(tpm_describe(f->tpm, &info), 0);
        assert_true(info.srk_present);
        tpm_idle(f->tpm);

        /* Also if somebody removes it: the seed gives the same. */
        raw_evict(f, 0x81000001);
        fixture_reopen(f);
        assert_int_equal(fixture_unlock(f), 0);
        assert_nothing_else(f);
}

static void an_rsa_srk_is_used_as_it_is(void **state) {
        static const TPMT_PUBLIC rsa = {
                .type = TPM2_ALG_RSA,
                .nameAlg = TPM2_ALG_SHA256,
                .objectAttributes = TPMA_OBJECT_FIXEDTPM | TPMA_OBJECT_FIXEDPARENT |
                                    TPMA_OBJECT_SENSITIVEDATAORIGIN | TPMA_OBJECT_USERWITHAUTH |
                                    TPMA_OBJECT_NODA | TPMA_OBJECT_RESTRICTED | TPMA_OBJECT_DECRYPT,
                .parameters.rsaDetail = { .symmetric = { .algorithm = TPM2_ALG_AES,
                                                         .keyBits.aes = 128,
                                                         .mode.aes = TPM2_ALG_CFB },
                                          .scheme.scheme = TPM2_ALG_NULL,
                                          .keyBits = 2048 },
                .unique.rsa.size = 256,
        };
        struct fixture *f = *state;
        struct credential c;

        raw_put_primary(f, &rsa, 0x81000001);
        assert_int_equal(fixture_provision(f), 0);
        assert_int_equal(credential_make(f, CTAP_KEY_P256, &c), 0);
        fixture_reopen(f);
        (void)watch_count(f);
        assert_int_equal(fixture_unlock(f), 0);
        assert_int_equal(watch_count(f), 11);
        assert_int_equal(credential_use(f, &c), 0);

        /* Its template is not known here, so that this one cannot be made again. */
        raw_evict(f, 0x81000001);
        fixture_reopen(f);
        assert_int_equal(fixture_unlock(f), -ESTALE);
        assert_nothing_else(f);
}

static void what_is_no_srk_is_left_where_it_is_and_not_used(void **state) {
        struct fixture *f = *state;
        uint32_t persistent[4];

        raw_put_primary(f, tpm_key_types[CTAP_KEY_P256].template, 0x81000001);
        assert_int_equal(fixture_provision(f), 0);
        fixture_reopen(f);
        assert_int_equal(fixture_unlock(f), 0);
        assert_nothing_else(f);
        remove_all(f);
        assert_int_equal(swtpm_handles(&f->swtpm, 0x81000000, persistent, ELEMENTSOF(persistent)),
                         1);
}

static void the_tpm_is_described(void **state) {
        struct fixture *f = *state;
        struct tpm_info info;

        assert_int_equal(tpm_describe(f->tpm, &info), 0);
        assert_string_equal(info.manufacturer, "IBM ");
        assert_memory_equal(info.vendor, "SW  ", 4);
        assert_true(info.is_simulator);
        assert_true(info.has_p384);
        assert_false(info.in_lockout);
        assert_false(info.owner_auth_set);
        assert_true(info.revision >= 138);
}

static void a_tpm_that_is_not_there_is_no_device(void **state) {
        struct tpm_options o = TPM_OPTIONS_DEFAULT;
        struct tpm_info info;
        struct tpm *t;

        (void)state;
        assert_int_equal(tpm_new(&o, &t), -EINVAL);
        o.tcti = "device:/nonexistent/tpmrm0";
        assert_int_equal(tpm_new(&o, &t), 0);
        assert_int_equal(tpm_describe(t, &info), -ENODEV);
        t = tpm_free(t);
        assert_null(tpm_free(NULL));
}

static void a_simulator_can_be_reached_by_a_socket(void **state) {
        struct fixture *f = *state;
        struct tpm_options o = fixture_options(f);
        struct swtpm swtpm;
        struct tpm_state s = { .phase = TPM_PHASE_NONE };
        struct tpm_info info;
        struct tpm *t;

        o.tcti = NULL;
        o.fd = swtpm_start_on_socket(&swtpm);
        assert_int_equal(tpm_new(&o, &t), 0);
        assert_int_equal(tpm_provision(t, &s, fixture_save, f), 0);
        tpm_idle(t);
        assert_int_equal(tpm_unlock(t, &s), 0);
        swtpm_kill(&swtpm);
        assert_int_equal(tpm_describe(t, &info), -ENODEV);
        t = tpm_free(t);
        (void)close(o.fd);
        swtpm_end(&swtpm);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)
#define TEST_READY(name) \
        cmocka_unit_test_setup_teardown(name, fixture_setup_ready, fixture_teardown)
#define TEST_PIN(name) cmocka_unit_test_setup_teardown(name, fixture_setup_pin, fixture_teardown)

int main(void) {
        const struct CMUnitTest tests[] = {
                TEST(provisioning_leaves_what_the_state_names_and_nothing_else),
                TEST_READY(provisioning_of_a_ready_state_only_unlocks),
                TEST_READY(removing_leaves_nothing),
                TEST_READY(the_store_key_is_the_same_after_every_unlock),
                TEST_PIN(signatures_of_every_type_and_class_verify),
                TEST_READY(a_digest_of_the_wrong_size_is_not_signed),
                TEST_READY(unknown_keys_are_not_offered),
                TEST_READY(the_worker_is_a_storage_key_that_cannot_leave),
                TEST_READY(a_credential_key_is_of_the_tpm_and_bound_to_it),
                TEST_READY(a_changed_blob_is_refused_wherever_it_was_changed),
                TEST_READY(the_public_key_is_read_out_of_the_blob_without_asking),
                TEST_READY(a_public_key_is_never_read_out_of_another_kind_of_blob),
                TEST_READY(a_blob_of_another_tpm_is_refused),
                TEST_READY(credentials_survive_a_restart_of_the_tpm),
                TEST_READY(a_tpm_that_died_is_no_device_until_it_is_back),
                TEST_READY(a_cleared_tpm_is_stale),
                TEST_READY(an_evicted_worker_is_put_back),
                TEST_READY(an_evicted_worker_is_used_even_if_it_cannot_be_put_back),
                TEST_READY(another_key_at_the_workers_handle_is_not_taken_for_it),
                TEST_READY(a_full_range_is_named),
                TEST_READY(two_instances_share_a_tpm),
                TEST(a_handle_that_is_taken_meanwhile_is_chosen_anew),
                TEST(an_srk_that_is_there_is_used_and_one_can_be_left_there),
                TEST(an_rsa_srk_is_used_as_it_is),
                TEST(what_is_no_srk_is_left_where_it_is_and_not_used),
                TEST(the_tpm_is_described),
                cmocka_unit_test(a_tpm_that_is_not_there_is_no_device),
                TEST(a_simulator_can_be_reached_by_a_socket),
                TEST_READY(every_ceremony_keeps_its_budget),
        };

        return cmocka_run_group_tests_name("tpm", tests, NULL, NULL);
}
