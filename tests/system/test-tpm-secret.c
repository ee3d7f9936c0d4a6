/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * hmac-secret, and the whole life of an authenticator on TPMs that lack something: each way of
 * computing it, and each way of counting PINs.
 */

#include <errno.h>
#include <string.h>

#include "tests/system/tpm-fixture.h"
#include "tpm/context.h"
#include "tpm/state.h"

static const uint8_t salts[64] = { [0] = 1, [31] = 2, [32] = 3, [63] = 4 };

static const char right_pin[] = "1234", wrong_pin[] = "0000";

static int use(struct fixture *f, const struct ctap_secret_blob *blob,
               const struct ctap_ticket *ticket, size_t n_salts, struct secret64 *ret) {
        struct ctap_keys *k = tpm_keys(f->tpm);

        return k->ops->secret_hmac(k, BYTES(blob->data, blob->len), ticket,
                                   BYTES(salts, n_salts * 32), ret);
}

static void set_pin_and_get_ticket(struct fixture *f, struct ctap_ticket *ret) {
        assert_int_equal(pin_change(f, NULL, right_pin), CTAP_PIN_RIGHT);
        assert_int_equal(pin_verify(f, right_pin, ret), CTAP_PIN_RIGHT);
}

static void provision_with(struct fixture *f, enum tpm_sessions sessions) {
        f->sessions = sessions;
        fixture_reopen(f);
        assert_int_equal(fixture_provision(f), 0);
}

static struct tpm_facts facts_of(const struct fixture *f) {
        struct tpm_facts facts;

        tpm_state_facts(&f->state, &facts);
        return facts;
}

/* ---- what it is --------------------------------------------------------------------------- */

static void assert_is_hmac(struct fixture *f, const struct ctap_secret_blob *blob,
                           const struct ctap_ticket *ticket, struct secret64 *ret) {
        struct secret64 two, one = { 0 };

        assert_int_equal(use(f, blob, ticket, 2, &two), 0);
        assert_int_equal(use(f, blob, ticket, 1, &one), 0);
        assert_memory_equal(one.b, two.b, 32);
        assert_memory_not_equal(two.b, two.b + 32, 32);
        assert_memory_not_equal(two.b, salts, 32);
        *ret = two;
}

static void a_secret_is_the_same_for_ever_and_its_own(void **state) {
        struct fixture *f = *state;
        struct ctap_secret_blob a, b;
        struct secret64 first, again, other;

        assert_int_equal(secret_make(f, CTAP_CLASS_A, &a), 0);
        assert_int_equal(secret_make(f, CTAP_CLASS_A, &b), 0);
        assert_is_hmac(f, &a, NULL, &first);
        assert_is_hmac(f, &b, NULL, &other);
        assert_memory_not_equal(first.b, other.b, 32);

        tpm_idle(f->tpm);
        assert_is_hmac(f, &a, NULL, &again);
        assert_memory_equal(&first, &again, sizeof(first));
        tpm_idle(f->tpm);
        swtpm_restart(&f->swtpm, false);
        fixture_restart(f);
        assert_is_hmac(f, &a, NULL, &again);
        assert_memory_equal(&first, &again, sizeof(first));
        assert_nothing_else(f);
}

static void set_hmac_kind(struct fixture *f, enum tpm_hmac_kind kind) {
        struct tpm_record record;

        assert_int_equal(tpm_state_decode(&f->state, &record), 0);
        record.hmac_kind = kind;
        assert_int_equal(tpm_state_encode(&record, &f->state), 0);
}

/* The same key, whichever command uses it. */
static void sign_computes_what_hmac_computes(void **state) {
        struct fixture *f = *state;
        struct ctap_secret_blob a, b;
        struct ctap_ticket ticket;
        struct secret64 by_hmac[2], by_sign[2];

        provision_with(f, TPM_SESSIONS_PASSWORD);
        set_pin_and_get_ticket(f, &ticket);
        assert_int_equal(facts_of(f).hmac_kind, TPM_HMAC_COMMAND);
        assert_int_equal(secret_make(f, CTAP_CLASS_A, &a), 0);
        assert_int_equal(secret_make(f, CTAP_CLASS_B, &b), 0);
        assert_is_hmac(f, &a, NULL, &by_hmac[0]);
        assert_is_hmac(f, &b, &ticket, &by_hmac[1]);

        set_hmac_kind(f, TPM_HMAC_SIGN);
        watch_plan(f, "answer HMAC 0 143\n");
        fixture_restart(f);
        assert_int_equal(pin_verify(f, right_pin, &ticket), CTAP_PIN_RIGHT);
        assert_is_hmac(f, &a, NULL, &by_sign[0]);
        assert_is_hmac(f, &b, &ticket, &by_sign[1]);
        assert_memory_equal(by_hmac, by_sign, sizeof(by_hmac));

        /* Old ones go on when new ones are sealed; a sealed one says so itself. */
        set_hmac_kind(f, TPM_HMAC_UNSEAL);
        watch_no_plan(f);
        fixture_restart(f);
        assert_is_hmac(f, &a, NULL, &by_sign[0]);
        assert_memory_equal(&by_hmac[0], &by_sign[0], sizeof(by_hmac[0]));
        assert_int_equal(secret_make(f, CTAP_CLASS_A, &a), 0);
        set_hmac_kind(f, TPM_HMAC_COMMAND);
        fixture_restart(f);
        assert_is_hmac(f, &a, NULL, &by_sign[0]);
}

/* ---- budgets ------------------------------------------------------------------------------ */

struct costs {
        struct fixture *f;
        struct ctap_secret_blob a, b;
        struct ctap_ticket ticket;
};

static void cost_create(struct costs *c) {
        assert_int_equal(secret_make(c->f, CTAP_CLASS_A, &c->a), 0);
}

static void cost_create_with_pin(struct costs *c) {
        assert_int_equal(secret_make(c->f, CTAP_CLASS_B, &c->b), 0);
}

static void cost_one(struct costs *c) {
        struct secret64 output;

        assert_int_equal(use(c->f, &c->a, NULL, 1, &output), 0);
}

static void cost_two(struct costs *c) {
        struct secret64 output;

        assert_int_equal(use(c->f, &c->a, NULL, 2, &output), 0);
}

static void cost_two_with_pin(struct costs *c) {
        struct secret64 output;

        assert_int_equal(use(c->f, &c->b, &c->ticket, 2, &output), 0);
        tpm_settle(c->f->tpm);
}

static const struct {
        const char *ceremony; /* in tpm_budgets(); NULL: only a part */
        enum tpm_sessions sessions;
        void (*run)(struct costs *);
        const char *commands;
} costs[] = {
        { NULL, TPM_SESSIONS_PASSWORD, cost_create, "Create" },
        { NULL, TPM_SESSIONS_PASSWORD, cost_create_with_pin, "Create" },
        { NULL, TPM_SESSIONS_PASSWORD, cost_one, "Load HMAC FlushContext" },
        { "hmac-secret of two salts, password session", TPM_SESSIONS_PASSWORD, cost_two,
          "Load HMAC HMAC FlushContext" },
        { "hmac-secret of two salts, salted session", TPM_SESSIONS_SALTED, cost_two,
          "StartAuthSession Load HMAC HMAC FlushContext" },
        { "hmac-secret of two salts, with a PIN in the TPM's policy", TPM_SESSIONS_PASSWORD,
          cost_two_with_pin,
          "StartAuthSession PolicyTicket Load HMAC PolicyTicket HMAC FlushContext FlushContext" },
        { "hmac-secret of two salts, with a PIN in the TPM's policy", TPM_SESSIONS_SALTED,
          cost_two_with_pin,
          "StartAuthSession PolicyTicket Load HMAC PolicyTicket HMAC FlushContext FlushContext" },
};

static void hmac_secret_keeps_its_budget(void **state) {
        struct fixture *f = *state;
        struct costs c = { .f = f };
        char log[1024];

        assert_int_equal(pin_change(f, NULL, right_pin), CTAP_PIN_RIGHT);
        for (size_t i = 0; i < ELEMENTSOF(costs); i++) {
                f->sessions = costs[i].sessions;
                fixture_restart(f);
                assert_int_equal(pin_verify(f, right_pin, &c.ticket), CTAP_PIN_RIGHT);
                tpm_settle(f->tpm);
                (void)watch_count(f);
                costs[i].run(&c);
                watch_log(f, log, sizeof(log));
                if (strcmp(log, costs[i].commands) != 0)
                        fail_msg("row %zu: \"%s\" instead of \"%s\"", i, log, costs[i].commands);
                if (costs[i].ceremony)
                        assert_in_range(n_commands(log), 0, budget_of(costs[i].ceremony));
        }
        assert_nothing_else(f);
}

/* While a key is loaded: a TPM may have room for three objects, and swtpm has no more. */
static void an_assertion_with_a_secret(struct fixture *f) {
        struct ctap_keys *k = tpm_keys(f->tpm);
        const struct sha256 digest = { { 1 } };
        struct ctap_loaded_key *key;
        struct ctap_signature signature;
        struct ctap_secret_blob blob;
        struct secret64 output;
        struct credential c;

        assert_int_equal(credential_make(f, CTAP_KEY_P256, &c), 0);
        assert_int_equal(secret_make(f, CTAP_CLASS_A, &blob), 0);
        (void)watch_count(f);
        for (int i = 0; i < 2; i++) {
                assert_int_equal(k->ops->load(k, BYTES(c.blob.data, c.blob.len), NULL, &key), 0);
                assert_int_equal(use(f, &blob, NULL, 2, &output), 0);
                assert_int_equal(k->ops->sign(k, key, BYTES_OF(digest), &signature), 0);
                k->ops->unload(k, key);
        }
        assert_int_equal(watch_count(f), 2 * 8 - 1); /* the last FlushContext waits */
        assert_nothing_else(f);
}

static void there_is_room_for_a_secret_beside_a_key(void **state) {
        struct fixture *f = *state;
        struct tpm_state s;

        provision_with(f, TPM_SESSIONS_SALTED);
        an_assertion_with_a_secret(f);

        /* P2 takes a place as well where it is not persistent. */
        s = f->state;
        assert_int_equal(tpm_erase(f->tpm, &s, fixture_save, f), 0);
        watch_plan(f, "answer EvictControl 0 14b\n");
        assert_int_equal(fixture_provision(f), 0);
        watch_no_plan(f);
        assert_int_equal(facts_of(f).worker, 0);
        an_assertion_with_a_secret(f);
}

/* ---- what is not to be seen --------------------------------------------------------------- */

/* A salt, or what comes of it. */
static bool is_read_on_the_bus(struct fixture *f, const struct ctap_secret_blob *blob,
                               const struct ctap_ticket *ticket) {
        struct secret64 output;

        watch_listen(f);
        assert_int_equal(use(f, blob, ticket, 2, &output), 0);
        for (size_t i = 0; i < 64; i += 32)
                if (watch_heard(f, BYTES(salts + i, 32)) || watch_heard(f, BYTES(output.b + i, 32)))
                        return true;
        return false;
}

static void nobody_reads_it_on_the_bus(void **state) {
        static const enum tpm_hmac_kind kinds[] = { TPM_HMAC_COMMAND, TPM_HMAC_UNSEAL };
        struct fixture *f = *state;
        struct ctap_secret_blob a, b;
        struct ctap_ticket ticket;

        provision_with(f, TPM_SESSIONS_SALTED);
        assert_int_equal(pin_change(f, NULL, right_pin), CTAP_PIN_RIGHT);
        for (size_t i = 0; i < ELEMENTSOF(kinds); i++) {
                set_hmac_kind(f, kinds[i]);
                fixture_restart(f);
                assert_int_equal(pin_verify(f, right_pin, &ticket), CTAP_PIN_RIGHT);
                assert_int_equal(secret_make(f, CTAP_CLASS_A, &a), 0);
                assert_int_equal(secret_make(f, CTAP_CLASS_B, &b), 0);
                assert_false(is_read_on_the_bus(f, &a, NULL));
                assert_false(is_read_on_the_bus(f, &b, &ticket));
        }

        /* Where the trial had chosen TPM2_Sign what is made now is sealed. */
        set_hmac_kind(f, TPM_HMAC_SIGN);
        fixture_restart(f);
        assert_int_equal(secret_make(f, CTAP_CLASS_A, &a), 0);
        assert_false(is_read_on_the_bus(f, &a, NULL));

        /* The trap works: a TPM in firmware has no bus, and there they travel as they are. */
        f->sessions = TPM_SESSIONS_PASSWORD;
        set_hmac_kind(f, TPM_HMAC_COMMAND);
        fixture_restart(f);
        assert_int_equal(secret_make(f, CTAP_CLASS_A, &a), 0);
        assert_true(is_read_on_the_bus(f, &a, NULL));
}

/* A start, and a whole new life. */
static void nobody_reads_the_store_key_on_the_bus(void **state) {
        /* TPM2_StartAuthSession without a key to salt it. */
        static const uint8_t unsalted[] = { 0, 0, 0x01, 0x76, 0x40, 0, 0, 0x07 };
        struct fixture *f = *state;
        struct tpm_state s = f->state;

        watch_listen(f);
        fixture_restart(f);
        assert_true(watch_heard(f, BYTES_OF(f->tpm->worker_auth))); /* the trap works */
        assert_false(watch_heard(f, BYTES_OF(*tpm_store_key(f->tpm))));
        assert_false(watch_heard(f, BYTES_OF(unsalted)));

        assert_int_equal(tpm_erase(f->tpm, &s, fixture_save, f), 0);
        watch_listen(f);
        assert_int_equal(fixture_provision(f), 0);
        assert_true(watch_heard(f, BYTES_OF(unsalted)));
        assert_false(watch_heard(f, BYTES_OF(*tpm_store_key(f->tpm))));
}

/* ---- what is refused ---------------------------------------------------------------------- */

/* What TPM2_Sign answers cannot be encrypted. */
static void a_tpm_that_signs_tells_the_bus_nothing_once_sessions_are_salted(void **state) {
        struct fixture *f = *state;
        struct ctap_secret_blob a, b, new_a, new_b;
        struct ctap_ticket ticket;
        struct secret64 before, output;

        watch_plan(f, "answer HMAC 0 143\n");
        provision_with(f, TPM_SESSIONS_PASSWORD);
        assert_int_equal(facts_of(f).hmac_kind, TPM_HMAC_SIGN);
        set_pin_and_get_ticket(f, &ticket);
        assert_int_equal(secret_make(f, CTAP_CLASS_A, &a), 0);
        assert_int_equal(secret_make(f, CTAP_CLASS_B, &b), 0);
        assert_is_hmac(f, &a, NULL, &before);

        f->sessions = TPM_SESSIONS_SALTED;
        fixture_restart(f);
        assert_int_equal(pin_verify(f, right_pin, &ticket), CTAP_PIN_RIGHT);
        (void)watch_count(f);
        assert_int_equal(use(f, &a, NULL, 2, &output), -ENOTSUP);
        assert_int_equal(use(f, &b, &ticket, 2, &output), -ENOTSUP);
        assert_non_null(strstr(f->last_message, "sessions = password"));
        assert_int_equal(watch_count(f), 0);
        assert_int_equal(secret_make(f, CTAP_CLASS_A, &new_a), 0);
        assert_int_equal(secret_make(f, CTAP_CLASS_B, &new_b), 0);
        assert_false(is_read_on_the_bus(f, &new_a, NULL));
        assert_false(is_read_on_the_bus(f, &new_b, &ticket));

        /* Nothing is lost by that. */
        f->sessions = TPM_SESSIONS_PASSWORD;
        fixture_restart(f);
        assert_is_hmac(f, &a, NULL, &output);
        assert_memory_equal(&before, &output, sizeof(before));
        assert_is_hmac(f, &new_a, NULL, &output);
        watch_no_plan(f);
}

static int use_bytes(struct fixture *f, struct bytes blob, const struct ctap_ticket *ticket) {
        struct ctap_keys *k = tpm_keys(f->tpm);
        struct secret64 output;

        return k->ops->secret_hmac(k, blob, ticket, BYTES(salts, 32), &output);
}

static void refuses_every_change(struct fixture *f, struct ctap_secret_blob *blob,
                                 const struct ctap_ticket *ticket) {
        for (size_t i = 0; i < blob->len; i += 3) {
                blob->data[i] ^= (uint8_t)(1u << (i % 8));
                assert_int_equal(use_bytes(f, BYTES(blob->data, blob->len), ticket), -EKEYREJECTED);
                blob->data[i] ^= (uint8_t)(1u << (i % 8));
        }
        for (size_t n = 0; n < blob->len; n += 5)
                assert_int_equal(use_bytes(f, BYTES(blob->data, n), ticket), -EKEYREJECTED);
        assert_int_equal(use_bytes(f, BYTES(blob->data, blob->len), ticket), 0);
}

static void a_changed_blob_is_refused(void **state) {
        static const enum tpm_hmac_kind kinds[] = { TPM_HMAC_COMMAND, TPM_HMAC_UNSEAL };
        struct fixture *f = *state;
        struct ctap_secret_blob a, b;
        struct ctap_ticket ticket;

        assert_int_equal(pin_change(f, NULL, right_pin), CTAP_PIN_RIGHT);
        for (size_t i = 0; i < ELEMENTSOF(kinds); i++) {
                set_hmac_kind(f, kinds[i]);
                fixture_restart(f);
                assert_int_equal(pin_verify(f, right_pin, &ticket), CTAP_PIN_RIGHT);
                assert_int_equal(secret_make(f, CTAP_CLASS_A, &a), 0);
                assert_int_equal(secret_make(f, CTAP_CLASS_B, &b), 0);
                refuses_every_change(f, &a, NULL);
                refuses_every_change(f, &b, &ticket);
        }
        assert_nothing_else(f);
}

static int load_bytes(struct fixture *f, struct bytes blob) {
        struct ctap_keys *k = tpm_keys(f->tpm);
        struct ctap_loaded_key *key = NULL;
        int r = k->ops->load(k, blob, NULL, &key);

        k->ops->unload(k, key);
        return r;
}

/* Each wrapped thing is good for what it was made for only. */
static void a_blob_of_another_thing_is_refused(void **state) {
        struct fixture *f = *state;
        struct ctap_secret_blob secret, sealed;
        uint8_t storage[1024];
        struct buf store_key = BUF_ON(storage);
        struct tpm_record record;
        struct credential c;

        assert_int_equal(credential_make(f, CTAP_KEY_P256, &c), 0);
        assert_int_equal(secret_make(f, CTAP_CLASS_A, &secret), 0);
        set_hmac_kind(f, TPM_HMAC_UNSEAL);
        fixture_restart(f);
        assert_int_equal(secret_make(f, CTAP_CLASS_A, &sealed), 0);
        assert_int_equal(tpm_state_decode(&f->state, &record), 0);
        tpm_blob_encode(&record.sealed_store_key, &store_key);

        assert_int_equal(use_bytes(f, BYTES(c.blob.data, c.blob.len), NULL), -EKEYREJECTED);
        assert_int_equal(use_bytes(f, buf_bytes(&store_key), NULL), -EKEYREJECTED);
        assert_int_equal(load_bytes(f, BYTES(secret.data, secret.len)), -EKEYREJECTED);
        assert_int_equal(load_bytes(f, BYTES(sealed.data, sealed.len)), -EKEYREJECTED);
        assert_int_equal(load_bytes(f, buf_bytes(&store_key)), -EKEYREJECTED);
}

static void a_blob_of_another_tpm_is_refused(void **state) {
        struct fixture *f = *state, *other;
        void *other_state;
        struct ctap_secret_blob a, b;
        struct ctap_ticket ticket;

        assert_int_equal(fixture_setup_ready(&other_state), 0);
        other = other_state;
        assert_int_equal(secret_make(other, CTAP_CLASS_A, &a), 0);
        assert_int_equal(secret_make(other, CTAP_CLASS_B, &b), 0);
        set_pin_and_get_ticket(f, &ticket);
        assert_int_equal(use_bytes(f, BYTES(a.data, a.len), NULL), -EKEYREJECTED);
        assert_int_equal(use_bytes(f, BYTES(b.data, b.len), &ticket), -EKEYREJECTED);
        assert_int_equal(fixture_teardown(&other_state), 0);
}

static void a_secret_of_class_b_wants_a_ticket(void **state) {
        struct fixture *f = *state;
        struct ctap_ticket ticket, forged, none = { 0 };
        struct ctap_secret_blob b;
        struct bytes blob;

        assert_int_equal(secret_make(f, CTAP_CLASS_B, &b), 0);
        blob = BYTES(b.data, b.len);
        set_pin_and_get_ticket(f, &ticket);
        forged = ticket;
        forged.data[forged.len - 1] ^= 1;
        assert_int_equal(use_bytes(f, blob, NULL), -EKEYEXPIRED);
        assert_int_equal(use_bytes(f, blob, &none), -EKEYEXPIRED);
        assert_int_equal(use_bytes(f, blob, &forged), -EKEYEXPIRED);
        assert_int_equal(use_bytes(f, blob, &ticket), 0);
        assert_int_equal(use_bytes(f, blob, &forged), -EKEYEXPIRED);

        tpm_idle(f->tpm);
        swtpm_restart(&f->swtpm, true);
        assert_int_equal(use_bytes(f, blob, &ticket), -EKEYEXPIRED);
        assert_int_equal(pin_verify(f, right_pin, &ticket), CTAP_PIN_RIGHT);
        assert_int_equal(use_bytes(f, blob, &ticket), 0);
        assert_nothing_else(f);
}

static void salts_of_another_size_are_refused(void **state) {
        static const size_t sizes[] = { 0, 31, 33, 63, 65 };
        struct fixture *f = *state;
        struct ctap_keys *k = tpm_keys(f->tpm);
        struct ctap_secret_blob a;
        struct secret64 output;
        uint8_t many[65] = { 0 };

        assert_int_equal(secret_make(f, CTAP_CLASS_A, &a), 0);
        for (size_t i = 0; i < ELEMENTSOF(sizes); i++)
                assert_int_equal(k->ops->secret_hmac(k, BYTES(a.data, a.len), NULL,
                                                     BYTES(many, sizes[i]), &output),
                                 -EINVAL);
        assert_int_equal(secret_make(f, 3, &a), -EINVAL);
        fixture_reopen(f);
        k = tpm_keys(f->tpm);
        assert_int_equal(secret_make(f, CTAP_CLASS_A, &a), -ESTALE);
        assert_int_equal(use_bytes(f, BYTES(many, 32), NULL), -ESTALE);
}

/* ---- a whole life ------------------------------------------------------------------------- */

static const struct kind_of_tpm {
        const char *plan;
        enum tpm_sessions sessions;
        enum tpm_pin_kind pin_kind;
        enum tpm_hmac_kind hmac_kind;
} kinds_of_tpm[] = {
        { NULL, TPM_SESSIONS_SALTED, TPM_PIN_FAIL, TPM_HMAC_COMMAND },
        { NULL, TPM_SESSIONS_PASSWORD, TPM_PIN_FAIL, TPM_HMAC_COMMAND },
        { "no-pin-fail\n", TPM_SESSIONS_SALTED, TPM_PIN_ORDINARY, TPM_HMAC_COMMAND },
        { "uncounted-pin-fail\n", TPM_SESSIONS_PASSWORD, TPM_PIN_ORDINARY, TPM_HMAC_COMMAND },
        { "answer HMAC 0 143\n", TPM_SESSIONS_SALTED, TPM_PIN_FAIL, TPM_HMAC_UNSEAL },
        { "answer HMAC 0 b0143\n", TPM_SESSIONS_PASSWORD, TPM_PIN_FAIL, TPM_HMAC_SIGN },
        { "answer HMAC 0 143\nanswer Sign 1 2c4\n", TPM_SESSIONS_PASSWORD, TPM_PIN_FAIL,
          TPM_HMAC_UNSEAL },
        { "no-pin-fail\nanswer HMAC 0 143\n", TPM_SESSIONS_SALTED, TPM_PIN_ORDINARY,
          TPM_HMAC_UNSEAL },
};

/* What an administrator does about the TPM's own lockout. */
static void end_lockout(struct fixture *f) {
        struct raw raw = raw_open(f);

        assert_int_equal(Esys_DictionaryAttackLockReset(raw.esys, ESYS_TR_RH_LOCKOUT,
                                                        ESYS_TR_PASSWORD, ESYS_TR_NONE,
                                                        ESYS_TR_NONE),
                         0);
        raw_close(&raw);
}

/* A try that the TPM's own protection puts off is none. */
static int try(struct fixture *f, const char *pin) {
        unsigned before = pin_retries(f);
        int verdict = pin_verify(f, pin, NULL);

        if (verdict == CTAP_PIN_LATER) {
                assert_int_equal(pin_retries(f), before);
                end_lockout(f);
                verdict = pin_verify(f, pin, NULL);
        }
        if (verdict == CTAP_PIN_WRONG)
                assert_int_equal(pin_retries(f), before - 1);
        return verdict;
}

static void guess_until_blocked(struct fixture *f) {
        assert_int_equal(pin_retries(f), CTAP_PIN_TRIES_MAX);
        assert_int_equal(try(f, wrong_pin), CTAP_PIN_WRONG);
        assert_int_equal(try(f, right_pin), CTAP_PIN_RIGHT);
        assert_int_equal(pin_retries(f), CTAP_PIN_TRIES_MAX);
        for (uint8_t left = CTAP_PIN_TRIES_MAX; left > 0; left--) {
                assert_int_equal(try(f, wrong_pin), CTAP_PIN_WRONG);
                if (left == 5)
                        fixture_restart(f);
        }
        end_lockout(f);
        assert_int_equal(try(f, right_pin), CTAP_PIN_BLOCKED);
        fixture_restart(f);
        assert_int_equal(pin_retries(f), 0);
        assert_int_equal(try(f, right_pin), CTAP_PIN_BLOCKED);
}

static void use_everything(struct fixture *f, struct ctap_secret_blob *ret_a,
                           struct ctap_secret_blob *ret_b) {
        struct ctap_ticket ticket;
        struct credential c, with_pin;
        struct secret64 a, b;

        assert_int_equal(credential_make(f, CTAP_KEY_P256, &c), 0);
        assert_int_equal(credential_use(f, &c), 0);
        assert_int_equal(credential_make_of(f, CTAP_KEY_P256, CTAP_CLASS_B, &with_pin), 0);
        assert_int_equal(secret_make(f, CTAP_CLASS_A, ret_a), 0);
        assert_int_equal(secret_make(f, CTAP_CLASS_B, ret_b), 0);
        set_pin_and_get_ticket(f, &ticket);
        assert_int_equal(credential_use_by(f, &with_pin, &ticket), 0);
        assert_int_equal(credential_use(f, &with_pin), -EKEYEXPIRED);
        assert_is_hmac(f, ret_a, NULL, &a);
        assert_is_hmac(f, ret_b, &ticket, &b);
        assert_memory_not_equal(a.b, b.b, 32);
        assert_nothing_else(f);
}

static void live(struct fixture *f, const struct kind_of_tpm *kind) {
        struct tpm_state s = { .phase = TPM_PHASE_NONE };
        struct ctap_secret_blob a, b, new_a, new_b;
        struct ctap_ticket ticket;
        struct secret64 output;

        f->sessions = kind->sessions;
        f->state = s;
        if (kind->plan)
                watch_plan(f, "%s", kind->plan);
        fixture_reopen(f);
        assert_int_equal(fixture_provision(f), 0);
        assert_int_equal(facts_of(f).pin_kind, kind->pin_kind);
        assert_int_equal(facts_of(f).hmac_kind, kind->hmac_kind);
        assert_nothing_else(f);
        use_everything(f, &a, &b);
        guess_until_blocked(f);
        assert_int_equal(use(f, &a, NULL, 2, &output), 0);

        s = f->state;
        assert_int_equal(tpm_erase(f->tpm, &s, fixture_save, f), 0);
        assert_int_equal(fixture_provision(f), 0);
        assert_int_equal(facts_of(f).pin_kind, kind->pin_kind);
        assert_int_equal(facts_of(f).hmac_kind, kind->hmac_kind);
        assert_int_equal(use(f, &a, NULL, 2, &output), -EKEYREJECTED);
        use_everything(f, &new_a, &new_b);
        assert_int_equal(pin_verify(f, right_pin, &ticket), CTAP_PIN_RIGHT);
        assert_int_equal(use(f, &b, &ticket, 2, &output), -EKEYREJECTED);

        s = f->state;
        assert_int_equal(tpm_remove(f->tpm, &s, fixture_save, f), 0);
        watch_no_plan(f);
        assert_empty(f);
}

static void a_life_on_every_kind_of_tpm(void **state) {
        for (size_t i = 0; i < ELEMENTSOF(kinds_of_tpm); i++) {
                print_message("# kind of TPM: %zu\n", i);
                live(*state, &kinds_of_tpm[i]);
        }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)
#define TEST_READY(name) \
        cmocka_unit_test_setup_teardown(name, fixture_setup_ready, fixture_teardown)

int main(void) {
        const struct CMUnitTest tests[] = {
                TEST_READY(a_secret_is_the_same_for_ever_and_its_own),
                TEST(sign_computes_what_hmac_computes),
                TEST_READY(hmac_secret_keeps_its_budget),
                TEST(there_is_room_for_a_secret_beside_a_key),
                TEST(nobody_reads_it_on_the_bus),
                TEST_READY(nobody_reads_the_store_key_on_the_bus),
                TEST(a_tpm_that_signs_tells_the_bus_nothing_once_sessions_are_salted),
                TEST_READY(a_changed_blob_is_refused),
                TEST_READY(a_blob_of_another_thing_is_refused),
                TEST_READY(a_blob_of_another_tpm_is_refused),
                TEST_READY(a_secret_of_class_b_wants_a_ticket),
                TEST_READY(salts_of_another_size_are_refused),
                TEST(a_life_on_every_kind_of_tpm),
        };

        return cmocka_run_group_tests_name("tpm-secret", tests, NULL, NULL);
}
