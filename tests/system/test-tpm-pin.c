/* SPDX-License-Identifier: BSD-2-Clause */

/* The PIN in the TPM on a swtpm: its tries, its tickets, keys of class B, what each costs. */

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <tss2/tss2_tctildr.h>
#include <unistd.h>

#include "tests/system/tpm-fixture.h"
#include "tpm/pin.h"
#include "tpm/state.h"

static struct tpm_record record_of(const struct tpm_state *s) {
        struct tpm_record r;

        assert_int_equal(tpm_state_decode(s, &r), 0);
        return r;
}

/* ---- the tries ---------------------------------------------------------------------------- */

static void no_pin_is_right_before_one_is_set(void **state) {
        struct fixture *f = *state;

        assert_int_equal(pin_retries(f), 8);
        assert_int_equal(pin_verify(f, "1234", NULL), CTAP_PIN_WRONG);
        assert_int_equal(pin_retries(f), 7);
        assert_int_equal(pin_change(f, NULL, "1234"), CTAP_PIN_RIGHT);
        assert_int_equal(pin_verify(f, "1234", NULL), CTAP_PIN_RIGHT);
        assert_int_equal(pin_retries(f), 8);
        /* Setting is no way round knowing it. */
        assert_int_equal(pin_change(f, NULL, "0000"), CTAP_PIN_WRONG);
        assert_int_equal(pin_verify(f, "1234", NULL), CTAP_PIN_RIGHT);
        assert_nothing_else(f);
}

static void the_right_pin_gives_the_tries_back(void **state) {
        struct fixture *f = *state;

        for (unsigned i = 1; i < 8; i++) {
                assert_int_equal(pin_verify(f, "0000", NULL), CTAP_PIN_WRONG);
                assert_int_equal(pin_retries(f), 8 - i);
        }
        assert_int_equal(pin_verify(f, "1234", NULL), CTAP_PIN_RIGHT);
        assert_int_equal(pin_retries(f), 8);
        assert_int_equal(pin_change(f, "0000", "5678"), CTAP_PIN_WRONG);
        assert_int_equal(pin_retries(f), 7);
        assert_int_equal(pin_change(f, "1234", "5678"), CTAP_PIN_RIGHT);
        assert_int_equal(pin_retries(f), 8);
        assert_int_equal(pin_verify(f, "1234", NULL), CTAP_PIN_WRONG);
        assert_int_equal(pin_verify(f, "5678", NULL), CTAP_PIN_RIGHT);
        assert_nothing_else(f);
}

static void after_eight_wrong_ones_the_right_pin_is_refused(void **state) {
        struct fixture *f = *state;

        for (int i = 0; i < 8; i++)
                assert_int_equal(pin_verify(f, "0000", NULL), CTAP_PIN_WRONG);
        assert_int_equal(pin_retries(f), 0);
        assert_int_equal(pin_verify(f, "1234", NULL), CTAP_PIN_BLOCKED);
        assert_int_equal(pin_change(f, "1234", "5678"), CTAP_PIN_BLOCKED);
        assert_int_equal(pin_retries(f), 0);
        fixture_restart(f);
        assert_int_equal(pin_retries(f), 0);
        assert_int_equal(pin_verify(f, "1234", NULL), CTAP_PIN_BLOCKED);
        assert_nothing_else(f);
}

static void any_pin_can_be_set(void **state) {
        struct fixture *f = *state;
        static const char *const pins[] = {
                "", "0", "\xf0\x9f\x94\x91\xf0\x9f\x94\x91",
                "a text of sixty-three bytes is the longest that a PIN may be ..."
        };
        const char *old = "1234";

        for (size_t i = 0; i < ELEMENTSOF(pins); i++) {
                assert_int_equal(pin_change(f, old, pins[i]), CTAP_PIN_RIGHT);
                assert_int_equal(pin_verify(f, pins[i], NULL), CTAP_PIN_RIGHT);
                old = pins[i];
        }
}

/* A TPM drops the zeros at the end of an authValue, and then has another one than we. */
static void an_authvalue_never_ends_in_zero(void **state) {
        uint8_t salt[TPM_PIN_SALT_SIZE] = { 0 };
        bool found = false;

        (void)state;
        for (unsigned i = 0; i < 2000; i++) {
                const struct ctap_pin_hash pin = { { (uint8_t)i, (uint8_t)(i >> 8) } };
                TPM2B_AUTH auth;

                assert_int_equal(tpm_pin_auth(salt, &pin, &auth), 0);
                assert_int_equal(auth.size, 32);
                assert_int_not_equal(auth.buffer[31], 0);
                found = found || auth.buffer[30] == 0;
        }
        assert_true(found); /* so that zeros do come up */
}

static void two_devices_have_different_authvalues_for_one_pin(void **state) {
        struct fixture *f = *state;
        const struct tpm_record before = record_of(&f->state);
        struct tpm_state s = f->state;

        assert_int_equal(tpm_erase(f->tpm, &s, fixture_save, f), 0);
        assert_int_equal(fixture_provision(f), 0);
        assert_memory_not_equal(record_of(&f->state).pin_salt, before.pin_salt, 32);
        assert_int_equal(pin_verify(f, "1234", NULL), CTAP_PIN_WRONG);
        assert_int_equal(pin_change(f, NULL, "1234"), CTAP_PIN_RIGHT);
}

/* The index is read by its policy where the owner does not let anybody read. */
static void the_tries_are_known_under_an_owner_authorisation(void **state) {
        const TPM2B_AUTH auth = { .size = 3, .buffer = "own" };
        struct fixture *f = *state;
        struct raw r = raw_open(f);

        assert_int_equal(Esys_HierarchyChangeAuth(r.esys, ESYS_TR_RH_OWNER, ESYS_TR_PASSWORD,
                                                  ESYS_TR_NONE, ESYS_TR_NONE, &auth),
                         0);
        raw_close(&r);
        fixture_restart(f);
        assert_int_equal(pin_verify(f, "0000", NULL), CTAP_PIN_WRONG);
        assert_int_equal(pin_retries(f), 7);
        fixture_restart(f);
        assert_int_equal(pin_retries(f), 7);
        assert_int_equal(pin_change(f, "1234", "5678"), CTAP_PIN_RIGHT);
        assert_nothing_else(f);
}

static void somebody_elses_wrong_guesses_are_seen(void **state) {
        struct fixture *f = *state;
        struct tpm *other;
        struct tpm_options o;
        struct tpm_state s = f->state;
        struct fixture second = { .tcti = "" };

        assert_int_equal(pin_retries(f), 8);
        tpm_idle(f->tpm);
        o = fixture_options(f);
        assert_int_equal(tpm_new(&o, &other), 0);
        assert_int_equal(tpm_unlock(other, &s), 0);
        second.tpm = other;
        for (int i = 0; i < 7; i++)
                assert_int_equal(pin_verify(&second, "0000", NULL), CTAP_PIN_WRONG);
        tpm_idle(other);

        assert_int_equal(pin_verify(f, "0000", NULL), CTAP_PIN_WRONG);
        assert_int_equal(pin_retries(f), 0);
        other = tpm_free(other);
}

/* ---- keys of class B ---------------------------------------------------------------------- */

static void a_key_of_class_b_signs_by_a_ticket_alone(void **state) {
        struct fixture *f = *state;
        struct credential c[2];
        struct ctap_ticket ticket;

        for (size_t i = 0; i < ELEMENTSOF(c); i++)
                assert_int_equal(credential_make_of(f, (enum ctap_key_type)i, CTAP_CLASS_B, &c[i]),
                                 0);
        assert_int_equal(pin_change(f, NULL, "1234"), CTAP_PIN_RIGHT);
        assert_int_equal(pin_verify(f, "1234", &ticket), CTAP_PIN_RIGHT);
        for (int n = 0; n < 3; n++)
                for (size_t i = 0; i < ELEMENTSOF(c); i++)
                        assert_int_equal(credential_use_by(f, &c[i], &ticket), 0);
        assert_nothing_else(f);
}

static void without_a_ticket_a_key_of_class_b_is_not_even_loaded(void **state) {
        struct fixture *f = *state;
        struct ctap_ticket none = { .len = 0 }, rubbish = { .len = 5,
                                                            .data = "\x01"
                                                                    "abcd" };
        struct credential b, a;
        struct ctap_ticket ticket;

        assert_int_equal(credential_make_of(f, CTAP_KEY_P256, CTAP_CLASS_B, &b), 0);
        assert_int_equal(credential_make(f, CTAP_KEY_P256, &a), 0);
        tpm_settle(f->tpm);
        (void)watch_count(f);
        assert_int_equal(credential_use_by(f, &b, NULL), -EKEYEXPIRED);
        assert_int_equal(credential_use_by(f, &b, &none), -EKEYEXPIRED);
        assert_int_equal(credential_use_by(f, &b, &rubbish), -EKEYEXPIRED);
        assert_int_equal(watch_count(f), 0);
        /* One of class A does not look at it. */
        assert_int_equal(credential_use_by(f, &a, &rubbish), 0);
        assert_int_equal(pin_verify(f, "1234", &ticket), CTAP_PIN_RIGHT);
        assert_int_equal(credential_use_by(f, &a, &ticket), 0);
        assert_nothing_else(f);
}

static struct ctap_loaded_key *load(struct fixture *f, const struct credential *c,
                                    const struct ctap_ticket *ticket) {
        struct ctap_keys *k = tpm_keys(f->tpm);
        struct ctap_loaded_key *key = NULL;

        assert_int_equal(k->ops->load(k, BYTES(c->blob.data, c->blob.len), ticket, &key), 0);
        return key;
}

static int sign(struct fixture *f, const struct credential *c, struct ctap_loaded_key *key) {
        struct ctap_keys *k = tpm_keys(f->tpm);
        struct ctap_signature signature;
        struct sha256 digest = { { 1 } };
        int r = k->ops->sign(k, key, BYTES_OF(digest), &signature);

        if (r >= 0)
                assert_true(signature_verifies(&c->public, BYTES_OF(digest), &signature));
        return r;
}

static void unload(struct fixture *f, struct ctap_loaded_key *key) {
        struct ctap_keys *k = tpm_keys(f->tpm);

        k->ops->unload(k, key);
        tpm_settle(f->tpm);
}

static void assert_nothing_is_loaded(struct fixture *f) {
        uint32_t found[8];

        /* Beside a connection that stays open: swtpm serves one at a time, so this closes it. */
        watch_plan(f, "break 1\n");
        tpm_idle(f->tpm);
        watch_no_plan(f);
        assert_int_equal(swtpm_handles(&f->swtpm, 0x80000000, found, ELEMENTSOF(found)), 0);
        assert_int_equal(swtpm_handles(&f->swtpm, 0x02000000, found, ELEMENTSOF(found)), 0);
        assert_int_equal(swtpm_handles(&f->swtpm, 0x03000000, found, ELEMENTSOF(found)), 0);
}

static void what_was_loaded_and_not_signed_with_leaves_no_session(void **state) {
        struct fixture *f = *state;
        struct credential c;
        struct ctap_ticket ticket;

        assert_int_equal(credential_make_of(f, CTAP_KEY_P256, CTAP_CLASS_B, &c), 0);
        assert_int_equal(pin_verify(f, "1234", &ticket), CTAP_PIN_RIGHT);
        unload(f, load(f, &c, &ticket));
        assert_nothing_is_loaded(f);

        {
                struct ctap_loaded_key *key = load(f, &c, &ticket);

                assert_int_equal(sign(f, &c, key), 0);
                unload(f, key);
        }
        assert_nothing_is_loaded(f);
}

static void a_connection_lost_between_load_and_sign_is_made_good(void **state) {
        struct fixture *f = *state;
        struct ctap_loaded_key *key;
        struct credential c;
        struct ctap_ticket ticket;
        char log[256];

        assert_int_equal(credential_make_of(f, CTAP_KEY_P256, CTAP_CLASS_B, &c), 0);
        assert_int_equal(pin_verify(f, "1234", &ticket), CTAP_PIN_RIGHT);
        key = load(f, &c, &ticket);
        tpm_idle(f->tpm);
        watch_log(f, log, sizeof(log));
        assert_int_equal(sign(f, &c, key), 0);
        watch_log(f, log, sizeof(log));
        assert_string_equal(log, "StartAuthSession PolicyTicket Load Sign");
        unload(f, key);
        assert_nothing_else(f);

        /* The same when it breaks under the command itself. */
        key = load(f, &c, &ticket);
        watch_plan(f, "answer Sign 1 910\n");
        assert_int_equal(sign(f, &c, key), 0);
        watch_no_plan(f);
        unload(f, key);
        assert_nothing_else(f);
}

static void two_loaded_keys_take_one_session_after_the_other(void **state) {
        struct fixture *f = *state;
        struct ctap_loaded_key *key[2];
        struct credential c[2];
        struct ctap_ticket ticket;

        assert_int_equal(pin_verify(f, "1234", &ticket), CTAP_PIN_RIGHT);
        for (size_t i = 0; i < 2; i++) {
                assert_int_equal(credential_make_of(f, CTAP_KEY_P256, CTAP_CLASS_B, &c[i]), 0);
                key[i] = load(f, &c[i], &ticket);
        }
        for (size_t i = 0; i < 2; i++)
                assert_int_equal(sign(f, &c[i], key[i]), 0);
        for (size_t i = 0; i < 2; i++)
                unload(f, key[i]);
        assert_nothing_else(f);
}

/* Within one ceremony, too: a session that the one satisfied is not used for the other. */
static void a_ticket_gives_nothing_to_a_key_with_another(void **state) {
        struct fixture *f = *state;
        struct ctap_keys *k;
        struct ctap_loaded_key *key, *other = NULL;
        struct ctap_ticket ticket, forged;
        struct credential c;

        k = tpm_keys(f->tpm);
        assert_int_equal(credential_make_of(f, CTAP_KEY_P256, CTAP_CLASS_B, &c), 0);
        assert_int_equal(pin_verify(f, "1234", &ticket), CTAP_PIN_RIGHT);
        forged = ticket;
        forged.data[forged.len - 1] ^= 1;
        key = load(f, &c, &ticket);
        assert_int_equal(k->ops->load(k, BYTES(c.blob.data, c.blob.len), &forged, &other),
                         -EKEYEXPIRED);
        assert_null(other);
        assert_int_equal(sign(f, &c, key), 0);
        unload(f, key);
        assert_nothing_else(f);
}

static void a_key_of_class_b_has_no_other_use(void **state) {
        struct fixture *f = *state;
        struct credential c;
        struct tpm_blob blob;

        assert_int_equal(credential_make_of(f, CTAP_KEY_P256, CTAP_CLASS_B, &c), 0);
        assert_int_equal(tpm_blob_decode(BYTES(c.blob.data, c.blob.len), &blob), 0);
        assert_int_equal(blob.public.publicArea.objectAttributes & TPMA_OBJECT_USERWITHAUTH, 0);
        assert_int_equal(blob.public.publicArea.authPolicy.size, 32);
        assert_int_equal(c.blob.len, 248);
}

/* ---- tickets ------------------------------------------------------------------------------ */

static int check(struct fixture *f, const struct ctap_ticket *ticket) {
        struct ctap_keys *k = tpm_keys(f->tpm);

        return k->ops->ticket_check(k, ticket);
}

static void a_ticket_is_checked_once_for_each_connection(void **state) {
        struct fixture *f = *state;
        struct ctap_ticket ticket;
        char log[256];

        assert_int_equal(pin_verify(f, "1234", &ticket), CTAP_PIN_RIGHT);
        (void)watch_count(f);
        assert_int_equal(check(f, &ticket), 0);
        assert_int_equal(watch_count(f), 0);
        tpm_settle(f->tpm);
        watch_log(f, log, sizeof(log));
        assert_string_equal(log, "ReadClock");
        tpm_settle(f->tpm);
        for (int i = 0; i < 3; i++) {
                tpm_idle(f->tpm);
                assert_int_equal(watch_count(f), 0);
                for (int j = 0; j < 3; j++)
                        assert_int_equal(check(f, &ticket), 0);
                watch_log(f, log, sizeof(log));
                assert_string_equal(log, "ReadClock");
        }
}

static void a_ticket_without_a_known_connection_is_none(void **state) {
        struct fixture *f = *state;
        struct ctap_ticket ticket, none = { .len = 0 };

        assert_int_equal(check(f, NULL), -EKEYEXPIRED);
        assert_int_equal(check(f, &none), -EKEYEXPIRED);
        assert_int_equal(pin_verify(f, "1234", &ticket), CTAP_PIN_RIGHT);
        /* The connection broke before the TPM was asked how often it was restarted. */
        watch_plan(f, "break 1\n");
        tpm_idle(f->tpm);
        watch_no_plan(f);
        assert_int_equal(check(f, &ticket), -EKEYEXPIRED);
        /* What another process was given is no ticket either. */
        assert_int_equal(pin_verify(f, "1234", &ticket), CTAP_PIN_RIGHT);
        fixture_restart(f);
        assert_int_equal(check(f, &ticket), -EKEYEXPIRED);
        assert_int_equal(check(f, &(struct ctap_ticket){ .len = 300 }), -EKEYEXPIRED);
}

static void off_and_on(struct fixture *f) {
        swtpm_restart(&f->swtpm, true);
}

static void pull_the_plug(struct fixture *f) {
        swtpm_restart(&f->swtpm, false);
}

static void suspend(struct fixture *f) {
        swtpm_sleep(&f->swtpm, true);
}

static void hibernate(struct fixture *f) {
        swtpm_sleep(&f->swtpm, false);
}

static void a_ticket_ends_when_the_tpm_is_restarted(void **state) {
        void (*const ways[])(struct fixture *) = { off_and_on, pull_the_plug, suspend, hibernate };
        struct fixture *f = *state;
        struct credential c;

        assert_int_equal(credential_make_of(f, CTAP_KEY_P256, CTAP_CLASS_B, &c), 0);
        for (size_t i = 0; i < ELEMENTSOF(ways); i++) {
                struct ctap_ticket ticket;

                assert_int_equal(pin_verify(f, "1234", &ticket), CTAP_PIN_RIGHT);
                assert_int_equal(credential_use_by(f, &c, &ticket), 0);
                tpm_idle(f->tpm);
                ways[i](f);
                /* The TPM says so itself, and so does the count of its restarts. */
                assert_int_equal(credential_use_by(f, &c, &ticket), -EKEYEXPIRED);
                assert_non_null(strstr(f->last_message, "TPM2_PolicyTicket"));
                assert_int_equal(check(f, &ticket), -EKEYEXPIRED);
                tpm_idle(f->tpm);
                assert_int_equal(check(f, &ticket), -EKEYEXPIRED);
                assert_nothing_else(f);
        }
}

static void a_ticket_ends_between_load_and_sign(void **state) {
        struct fixture *f = *state;
        struct ctap_loaded_key *key;
        struct credential c;
        struct ctap_ticket ticket;

        assert_int_equal(credential_make_of(f, CTAP_KEY_P256, CTAP_CLASS_B, &c), 0);
        assert_int_equal(pin_verify(f, "1234", &ticket), CTAP_PIN_RIGHT);
        key = load(f, &c, &ticket);
        tpm_idle(f->tpm);
        suspend(f);
        assert_int_equal(sign(f, &c, key), -EKEYEXPIRED);
        unload(f, key);
        assert_nothing_else(f);
}

static void a_ticket_ends_after_its_time(void **state) {
        struct fixture *f = *state;
        const struct ctap_pin_hash pin = pin_hash("1234");
        struct ctap_keys *k = tpm_keys(f->tpm);
        struct ctap_loaded_key *key;
        enum ctap_pin_verdict verdict;
        struct credential c;
        struct ctap_ticket ticket;

        assert_int_equal(credential_make_of(f, CTAP_KEY_P256, CTAP_CLASS_B, &c), 0);
        assert_int_equal(k->ops->pin_verify(k, &pin, 2, &verdict, &ticket), 0);
        assert_int_equal(verdict, CTAP_PIN_RIGHT);
        key = load(f, &c, &ticket);
        sleep(3);
        assert_int_equal(sign(f, &c, key), -EKEYEXPIRED);
        unload(f, key);
        assert_int_equal(credential_use_by(f, &c, &ticket), -EKEYEXPIRED);
        assert_nothing_else(f);
        assert_int_equal(k->ops->pin_verify(k, &pin, 0, &verdict, &ticket), -EINVAL);
        assert_int_equal(k->ops->pin_verify(k, &pin, UINT32_MAX, &verdict, &ticket), -EINVAL);
}

/* ---- what it costs ------------------------------------------------------------------------ */

struct costs {
        struct fixture *f;
        struct credential c;
        struct ctap_ticket ticket;
        struct ctap_loaded_key *key;
};

static void cost_verify(struct costs *c) {
        assert_int_equal(pin_verify(c->f, "1234", &c->ticket), CTAP_PIN_RIGHT);
}

static void cost_change(struct costs *c) {
        assert_int_equal(pin_change(c->f, "1234", "1234"), CTAP_PIN_RIGHT);
}

static void cost_retries(struct costs *c) {
        assert_int_equal(pin_retries(c->f), 8);
}

static void cost_create(struct costs *c) {
        assert_int_equal(credential_make_of(c->f, CTAP_KEY_P256, CTAP_CLASS_B, &c->c), 0);
}

static void cost_assert(struct costs *c) {
        assert_int_equal(credential_use_by(c->f, &c->c, &c->ticket), 0);
}

static void cost_load(struct costs *c) {
        c->key = load(c->f, &c->c, &c->ticket);
}

static void cost_sign(struct costs *c) {
        assert_int_equal(sign(c->f, &c->c, c->key), 0);
}

static void cost_unload(struct costs *c) {
        unload(c->f, c->key);
}

static const struct {
        const char *ceremony; /* in tpm_budgets(); NULL: only a part */
        enum tpm_sessions sessions;
        void (*run)(struct costs *);
        const char *commands;
} costs[] = {
        { "PIN, password session", TPM_SESSIONS_PASSWORD, cost_verify,
          "StartAuthSession PolicySecret FlushContext" },
        { "set or change the PIN, password session", TPM_SESSIONS_PASSWORD, cost_change,
          "StartAuthSession PolicySecret PolicyAuthorize PolicyCommandCode PolicyOR "
          "NV_ChangeAuth" },
        { "tries of the PIN", TPM_SESSIONS_PASSWORD, cost_retries, "" },
        { "register", TPM_SESSIONS_PASSWORD, cost_create, "Create" },
        { "assert with a PIN in the TPM's policy", TPM_SESSIONS_PASSWORD, cost_assert,
          "StartAuthSession PolicyTicket Load Sign FlushContext" },
        { "PIN, salted session", TPM_SESSIONS_SALTED, cost_verify,
          "StartAuthSession StartAuthSession PolicySecret FlushContext" },
        { "set or change the PIN, salted session", TPM_SESSIONS_SALTED, cost_change,
          "StartAuthSession StartAuthSession PolicySecret PolicyAuthorize PolicyCommandCode "
          "PolicyOR NV_ChangeAuth" },
        { "assert with a PIN in the TPM's policy", TPM_SESSIONS_SALTED, cost_assert,
          "StartAuthSession PolicyTicket Load Sign FlushContext" },
        { NULL, TPM_SESSIONS_SALTED, cost_load, "StartAuthSession PolicyTicket Load" },
        { NULL, TPM_SESSIONS_SALTED, cost_sign, "Sign" },
        { NULL, TPM_SESSIONS_SALTED, cost_unload, "FlushContext" },
};

static void every_ceremony_with_a_pin_keeps_its_budget(void **state) {
        struct fixture *f = *state;
        struct costs c = { .f = f };

        for (size_t i = 0; i < ELEMENTSOF(costs); i++) {
                char log[1024];

                if (f->sessions != costs[i].sessions) {
                        f->sessions = costs[i].sessions;
                        fixture_restart(f);
                }
                if (costs[i].ceremony)
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

/* ---- the bus ------------------------------------------------------------------------------ */

struct bus {
        uint8_t data[65536];
        size_t len;
};

static void listen(struct fixture *f) {
        char path[128];
        FILE *out;

        (void)snprintf(path, sizeof(path), "%s/bytes", f->watch_dir);
        out = fopen(path, "we");
        assert_non_null(out);
        assert_int_equal(fclose(out), 0);
}

static void hear(struct fixture *f, struct bus *ret) {
        char path[128];
        FILE *in;

        (void)snprintf(path, sizeof(path), "%s/bytes", f->watch_dir);
        in = fopen(path, "re");
        assert_non_null(in);
        ret->len = fread(ret->data, 1, sizeof(ret->data), in);
        assert_true(ret->len < sizeof(ret->data));
        (void)fclose(in);
}

static bool contains(const struct bus *bus, const void *what, size_t n) {
        for (size_t i = 0; i + n <= bus->len; i++)
                if (memcmp(bus->data + i, what, n) == 0)
                        return true;
        return false;
}

/* Every command and response in its place; `each` is told of the commands. */
static void for_each_command(const struct bus *bus,
                             void (*each)(uint32_t code, struct bytes body, void *userdata),
                             void *userdata) {
        struct cursor c = { BYTES(bus->data, bus->len), false };

        for (bool is_command = true; c.left.len > 0; is_command = !is_command) {
                uint32_t n, code;

                (void)cursor_u16(&c);
                n = cursor_u32(&c);
                code = cursor_u32(&c);
                assert_true(n >= 10);
                {
                        struct bytes body = cursor_take(&c, n - 10);

                        if (is_command)
                                each(code, body, userdata);
                }
                assert_false(c.failed);
        }
}

/* What authorises the PIN index: every session but one salted with a key tells something. */
static void assert_salted(uint32_t code, struct bytes body, void *userdata) {
        struct cursor c = { body, false };
        unsigned *n = userdata;

        if (code == TPM2_CC_PolicySecret) {
                (void)cursor_u32(&c); /* the index */
                (void)cursor_u32(&c); /* the policy session */
                (void)cursor_u32(&c); /* the size of the authorisation area */
                assert_int_equal(cursor_u32(&c) >> 24, TPM2_HT_HMAC_SESSION);
                n[0]++;
        } else if (code == TPM2_CC_StartAuthSession) {
                uint32_t salt_key = cursor_u32(&c), bind = cursor_u32(&c);
                uint8_t type;

                (void)cursor_string16(&c); /* nonce */
                (void)cursor_string16(&c); /* salt */
                type = cursor_u8(&c);
                assert_int_equal(bind, TPM2_RH_NULL);
                if (type == TPM2_SE_HMAC) {
                        assert_int_equal(salt_key, 0x81018000);
                        n[1]++;
                }
        }
        assert_false(c.failed);
}

static void use_pins(struct fixture *f) {
        assert_int_equal(pin_verify(f, "0000", NULL), CTAP_PIN_WRONG);
        assert_int_equal(pin_verify(f, "1234", NULL), CTAP_PIN_RIGHT);
        assert_int_equal(pin_change(f, "1234", "5678"), CTAP_PIN_RIGHT);
        assert_int_equal(pin_verify(f, "5678", NULL), CTAP_PIN_RIGHT);
        assert_int_equal(pin_change(f, "5678", "1234"), CTAP_PIN_RIGHT);
}

/* How many of the PINs of use_pins() can be read off the bus. */
static unsigned pins_on(const struct bus *bus, const struct tpm_state *s) {
        static const char *const pins[] = { "0000", "1234", "5678" };
        const struct tpm_record r = record_of(s);
        unsigned n = 0;

        for (size_t i = 0; i < ELEMENTSOF(pins); i++) {
                const struct ctap_pin_hash hash = pin_hash(pins[i]);
                TPM2B_AUTH auth;

                assert_int_equal(tpm_pin_auth(r.pin_salt, &hash, &auth), 0);
                assert_false(contains(bus, hash.b, sizeof(hash.b)));
                n += contains(bus, auth.buffer, auth.size);
        }
        return n;
}

static void the_bus_of_a_discrete_tpm_tells_nothing_of_the_pin(void **state) {
        struct fixture *f = *state;
        static struct bus bus;
        unsigned n[2] = { 0 };

        f->sessions = TPM_SESSIONS_SALTED;
        fixture_restart(f);
        listen(f);
        use_pins(f);
        hear(f, &bus);
        assert_int_equal(pins_on(&bus, &f->state), 0);
        for_each_command(&bus, assert_salted, n);
        assert_int_equal(n[0], 5);
        assert_int_equal(n[1], 5);

        /* That the search can find something. */
        f->sessions = TPM_SESSIONS_PASSWORD;
        fixture_restart(f);
        listen(f);
        use_pins(f);
        hear(f, &bus);
        assert_int_equal(pins_on(&bus, &f->state), 3);
}

static void sessions_are_salted_unless_the_tpm_is_in_firmware(void **state) {
        struct fixture *f = *state;
        struct tpm_record r = record_of(&f->state);

        assert_false(r.is_firmware); /* "IBM " */
        assert_true(tpm_sessions_are_salted(f->tpm));
        r.is_firmware = true;
        assert_int_equal(tpm_state_encode(&r, &f->state), 0);
        fixture_restart(f);
        assert_false(tpm_sessions_are_salted(f->tpm));
        f->sessions = TPM_SESSIONS_SALTED;
        fixture_restart(f);
        assert_true(tpm_sessions_are_salted(f->tpm));
        f->sessions = TPM_SESSIONS_PASSWORD;
        fixture_reopen(f);
        assert_false(tpm_sessions_are_salted(f->tpm));
}

/* P2 was evicted: the salt finds its key again. */
static void a_salt_key_that_is_gone_is_put_back(void **state) {
        struct fixture *f = *state;
        const uint32_t worker = record_of(&f->state).worker_handle;

        f->sessions = TPM_SESSIONS_SALTED;
        fixture_restart(f);
        raw_evict(f, worker);
        assert_int_equal(pin_verify(f, "1234", NULL), CTAP_PIN_RIGHT);
        assert_nothing_else(f);
}

/* ---- completing --------------------------------------------------------------------------- */

static void put_state(struct fixture *f, const struct tpm_record *r) {
        assert_int_equal(tpm_state_encode(r, &f->state), 0);
}

/* What an older version left: READY and no word of a PIN. */
static void a_state_without_a_pin_gets_one(void **state) {
        struct fixture *f = *state;
        struct tpm_record r = record_of(&f->state);
        struct credential a, b;
        struct raw raw = raw_open(f);

        assert_int_equal(Esys_NV_UndefineSpace(raw.esys, ESYS_TR_RH_OWNER,
                                               raw_find(&raw, tpm_nv_index(&r.pin)),
                                               ESYS_TR_PASSWORD, ESYS_TR_NONE, ESYS_TR_NONE),
                         0);
        raw_close(&raw);
        r.pin = (struct tpm_nv){ 0 };
        r.pin_change = (struct tpm_approval){ 0 };
        r.pin_kind = TPM_PIN_NONE;
        put_state(f, &r);
        fixture_reopen(f);
        assert_int_equal(fixture_unlock(f), 0);
        assert_int_equal(credential_make(f, CTAP_KEY_P256, &a), 0);
        assert_int_equal(credential_make_of(f, CTAP_KEY_P256, CTAP_CLASS_B, &b), -ENOTSUP);
        assert_int_equal(pin_verify(f, "1234", NULL), -ESTALE);
        fixture_restart(f);
        assert_int_equal(pin_change(f, NULL, "1234"), CTAP_PIN_RIGHT);
        assert_int_equal(credential_use(f, &a), 0);
        assert_int_equal(credential_make_of(f, CTAP_KEY_P256, CTAP_CLASS_B, &b), 0);
        assert_nothing_else(f);
}

static void completing_what_is_complete_sends_nothing(void **state) {
        struct fixture *f = *state;
        struct tpm_state s = f->state;
        unsigned n = f->n_saves;

        fixture_reopen(f);
        assert_int_equal(tpm_complete(f->tpm, &s, fixture_save, f), -EINVAL);
        assert_int_equal(fixture_unlock(f), 0);
        (void)watch_count(f);
        assert_int_equal(tpm_complete(f->tpm, &s, fixture_save, f), 0);
        assert_int_equal(watch_count(f), 0);
        assert_int_equal(f->n_saves, n);
}

static void a_handle_that_somebody_takes_is_left_to_him(void **state) {
        struct fixture *f = *state;

        watch_plan(f, "answer NV_DefineSpace 3 14c\n");
        assert_int_equal(fixture_provision(f), 0);
        watch_no_plan(f);
        assert_int_equal(pin_change(f, NULL, "1234"), CTAP_PIN_RIGHT);
        assert_nothing_else(f);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)
#define TEST_READY(name) \
        cmocka_unit_test_setup_teardown(name, fixture_setup_ready, fixture_teardown)
#define TEST_PIN(name) cmocka_unit_test_setup_teardown(name, fixture_setup_pin, fixture_teardown)

int main(void) {
        const struct CMUnitTest tests[] = {
                TEST_READY(no_pin_is_right_before_one_is_set),
                TEST_PIN(the_right_pin_gives_the_tries_back),
                TEST_PIN(after_eight_wrong_ones_the_right_pin_is_refused),
                TEST_PIN(any_pin_can_be_set),
                cmocka_unit_test(an_authvalue_never_ends_in_zero),
                TEST_PIN(two_devices_have_different_authvalues_for_one_pin),
                TEST_PIN(the_tries_are_known_under_an_owner_authorisation),
                TEST_PIN(somebody_elses_wrong_guesses_are_seen),
                TEST_READY(a_key_of_class_b_signs_by_a_ticket_alone),
                TEST_PIN(without_a_ticket_a_key_of_class_b_is_not_even_loaded),
                TEST_PIN(what_was_loaded_and_not_signed_with_leaves_no_session),
                TEST_PIN(a_connection_lost_between_load_and_sign_is_made_good),
                TEST_PIN(two_loaded_keys_take_one_session_after_the_other),
                TEST_PIN(a_ticket_gives_nothing_to_a_key_with_another),
                TEST_PIN(a_key_of_class_b_has_no_other_use),
                TEST_PIN(a_ticket_is_checked_once_for_each_connection),
                TEST_PIN(a_ticket_without_a_known_connection_is_none),
                TEST_PIN(a_ticket_ends_when_the_tpm_is_restarted),
                TEST_PIN(a_ticket_ends_between_load_and_sign),
                TEST_PIN(a_ticket_ends_after_its_time),
                TEST_PIN(every_ceremony_with_a_pin_keeps_its_budget),
                TEST_PIN(the_bus_of_a_discrete_tpm_tells_nothing_of_the_pin),
                TEST_READY(sessions_are_salted_unless_the_tpm_is_in_firmware),
                TEST_PIN(a_salt_key_that_is_gone_is_put_back),
                TEST_READY(a_state_without_a_pin_gets_one),
                TEST_READY(completing_what_is_complete_sends_nothing),
                TEST(a_handle_that_somebody_takes_is_left_to_him),
        };

        return cmocka_run_group_tests_name("tpm-pin", tests, NULL, NULL);
}
