/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * What an attacker may try against the PIN who has the owner hierarchy, every file of before and of
 * now, and what the daemon keeps in memory: everything but the PIN.
 */

#include <errno.h>
#include <openssl/sha.h>
#include <stdio.h>
#include <string.h>

#include "tests/system/tpm-fixture.h"
#include "tpm/context.h"
#include "tpm/pin-index.h"
#include "tpm/pin.h"
#include "tpm/policy.h"
#include "tpm/template.h"

enum {
        AUTH_UNAVAILABLE = 0x12f,
        NO_AUTHORITY = 0x149, /* NV_AUTHORIZATION */
        TICKET = 0x5e0,
        POLICY_FAIL = 0x99d,
        WRONG = 0x9a2,         /* BAD_AUTH */
        WRONG_COMMAND = 0x9a4, /* POLICY_CC */
};

static struct tpm_record record_of(const struct tpm_state *s) {
        struct tpm_record r;

        assert_int_equal(tpm_state_decode(s, &r), 0);
        return r;
}

static void put_state(struct fixture *f, const struct tpm_record *r) {
        assert_int_equal(tpm_state_encode(r, &f->state), 0);
}

static TPM2B_AUTH auth_of(const struct tpm_record *r, const char *pin) {
        const struct ctap_pin_hash hash = pin_hash(pin);
        TPM2B_AUTH auth;

        assert_int_equal(tpm_pin_auth(r->pin_salt, &hash, &auth), 0);
        return auth;
}

static TSS2_RC raw_define(const struct raw *r, const TPM2B_NV_PUBLIC *public,
                          const TPM2B_AUTH *auth, ESYS_TR *ret) {
        return Esys_NV_DefineSpace(r->esys, ESYS_TR_RH_OWNER, ESYS_TR_PASSWORD, ESYS_TR_NONE,
                                   ESYS_TR_NONE, auth, public, ret);
}

static void raw_undefine(const struct raw *r, ESYS_TR nv) {
        assert_int_equal(Esys_NV_UndefineSpace(r->esys, ESYS_TR_RH_OWNER, nv, ESYS_TR_PASSWORD,
                                               ESYS_TR_NONE, ESYS_TR_NONE),
                         0);
}

static ESYS_TR raw_policy(const struct raw *r) {
        static const TPMT_SYM_DEF none = { .algorithm = TPM2_ALG_NULL };
        ESYS_TR session;

        assert_int_equal(Esys_StartAuthSession(r->esys, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE,
                                               ESYS_TR_NONE, ESYS_TR_NONE, NULL, TPM2_SE_POLICY,
                                               &none, TPM2_ALG_SHA256, &session),
                         0);
        return session;
}

static void raw_flush(const struct raw *r, ESYS_TR tr) {
        assert_int_equal(Esys_FlushContext(r->esys, tr), 0);
}

static TSS2_RC raw_secret(const struct raw *r, ESYS_TR nv, const TPM2B_AUTH *auth) {
        ESYS_TR session = raw_policy(r);
        TSS2_RC rc;

        assert_int_equal(Esys_TR_SetAuth(r->esys, nv, auth), 0);
        rc = Esys_PolicySecret(r->esys, nv, session, ESYS_TR_PASSWORD, ESYS_TR_NONE, ESYS_TR_NONE,
                               NULL, NULL, NULL, 0, NULL, NULL);
        raw_flush(r, session);
        return rc;
}

/* pinCount, by the owner. */
static uint32_t raw_count(const struct raw *r, ESYS_TR nv) {
        TPM2B_MAX_NV_BUFFER *data;
        struct cursor c;
        uint32_t count;

        assert_int_equal(Esys_NV_Read(r->esys, ESYS_TR_RH_OWNER, nv, ESYS_TR_PASSWORD, ESYS_TR_NONE,
                                      ESYS_TR_NONE, 8, 0, &data),
                         0);
        c = (struct cursor){ BYTES(data->buffer, data->size), false };
        count = cursor_u32(&c);
        Esys_Free(data);
        return count;
}

static TSS2_RC raw_write(const struct raw *r, ESYS_TR by, ESYS_TR nv, ESYS_TR session) {
        const TPM2B_MAX_NV_BUFFER all_tries = { .size = 8, .buffer = { 0, 0, 0, 0, 0, 0, 0, 200 } };

        return Esys_NV_Write(r->esys, by, nv, session, ESYS_TR_NONE, ESYS_TR_NONE, &all_tries, 0);
}

/* ---- guessing without being counted ------------------------------------------------------- */

static TSS2_RC change_by_auth_value(const struct raw *r, ESYS_TR nv, const TPM2B_AUTH *guess,
                                    bool as_password) {
        const TPM2B_AUTH own = { .size = 3, .buffer = "own" };
        ESYS_TR session = raw_policy(r);
        TSS2_RC rc;

        assert_int_equal(Esys_TR_SetAuth(r->esys, nv, guess), 0);
        assert_int_equal(Esys_PolicyCommandCode(r->esys, session, ESYS_TR_NONE, ESYS_TR_NONE,
                                                ESYS_TR_NONE, TPM2_CC_NV_ChangeAuth),
                         0);
        rc = as_password ? Esys_PolicyPassword(r->esys, session, ESYS_TR_NONE, ESYS_TR_NONE,
                                               ESYS_TR_NONE)
                         : Esys_PolicyAuthValue(r->esys, session, ESYS_TR_NONE, ESYS_TR_NONE,
                                                ESYS_TR_NONE);
        assert_int_equal(rc, 0);
        rc = Esys_NV_ChangeAuth(r->esys, nv, session, ESYS_TR_NONE, ESYS_TR_NONE, &own);
        if (rc != TSS2_RC_SUCCESS)
                raw_flush(r, session);
        return rc;
}

/* The change branch that everybody would write first. */
static TPM2B_NV_PUBLIC broken_design(void) {
        TPM2B_NV_PUBLIC p = { .nvPublic = tpm_template_pin_fail };
        struct sha256 policy = { 0 };
        uint8_t extension[36];
        struct buf b = BUF_ON(extension);

        tpm_policy_command_code(&policy, TPM2_CC_NV_ChangeAuth);
        buf_put(&b, BYTES_OF(policy));
        buf_put_u32(&b, TPM2_CC_PolicyAuthValue);
        p.nvPublic.attributes |= TPMA_NV_OWNERWRITE;
        p.nvPublic.nvIndex = 0x01800300;
        p.nvPublic.authPolicy.size = 32;
        SHA256(b.data, b.len, p.nvPublic.authPolicy.buffer);
        return p;
}

static void guessing_by_nv_change_auth_is_unlimited_in_the_broken_design_and_not_here(
        void **state) {
        struct fixture *f = *state;
        const struct tpm_record rec = record_of(&f->state);
        const TPM2B_AUTH right = auth_of(&rec, "1234"), wrong = auth_of(&rec, "0000");
        const TPM2B_NV_PUBLIC broken = broken_design();
        struct raw r = raw_open(f);
        ESYS_TR nv;

        /* That the attack is one: pinLimit is not looked at in a policy session. */
        assert_int_equal(raw_define(&r, &broken, &right, &nv), 0);
        assert_int_equal(raw_write(&r, ESYS_TR_RH_OWNER, nv, ESYS_TR_PASSWORD), 0);
        for (int i = 0; i < 200; i++)
                assert_int_equal(raw_secret(&r, nv, &wrong), WRONG);
        assert_int_equal(raw_secret(&r, nv, &right), AUTH_UNAVAILABLE);
        for (int i = 0; i < 20; i++)
                assert_int_equal(change_by_auth_value(&r, nv, &wrong, false), WRONG);
        assert_int_equal(change_by_auth_value(&r, nv, &right, false), 0);
        raw_undefine(&r, nv);

        /* Ours does not compare at all in that way, right or wrong. */
        nv = raw_find(&r, tpm_nv_index(&rec.pin));
        for (int i = 0; i < 20; i++) {
                assert_int_equal(change_by_auth_value(&r, nv, &wrong, i % 2), POLICY_FAIL);
                assert_int_equal(change_by_auth_value(&r, nv, &right, i % 2), POLICY_FAIL);
        }
        assert_int_equal(raw_count(&r, nv), 0);
        raw_close(&r);
        assert_int_equal(pin_verify(f, "1234", NULL), CTAP_PIN_RIGHT);
}

static TSS2_RC read_by_auth(const struct raw *r, ESYS_TR nv, const TPM2B_AUTH *guess) {
        TPM2B_MAX_NV_BUFFER *data = NULL;
        TSS2_RC rc;

        assert_int_equal(Esys_TR_SetAuth(r->esys, nv, guess), 0);
        rc = Esys_NV_Read(r->esys, nv, nv, ESYS_TR_PASSWORD, ESYS_TR_NONE, ESYS_TR_NONE, 8, 0,
                          &data);
        Esys_Free(data);
        return rc;
}

static void every_other_way_to_show_a_pin_is_counted(void **state) {
        struct fixture *f = *state;
        const struct tpm_record rec = record_of(&f->state);
        const TPM2B_AUTH right = auth_of(&rec, "1234"), wrong = auth_of(&rec, "0000");
        struct raw r = raw_open(f);
        ESYS_TR nv = raw_find(&r, tpm_nv_index(&rec.pin));

        for (uint32_t i = 1; i <= 8; i++) {
                assert_int_equal(i % 2 ? read_by_auth(&r, nv, &wrong) : raw_secret(&r, nv, &wrong),
                                 WRONG);
                assert_int_equal(raw_count(&r, nv), i);
        }
        assert_int_equal(read_by_auth(&r, nv, &right), AUTH_UNAVAILABLE);
        assert_int_equal(raw_secret(&r, nv, &right), AUTH_UNAVAILABLE);
        raw_close(&r);
        assert_int_equal(pin_verify(f, "1234", NULL), CTAP_PIN_BLOCKED);
        assert_int_equal(pin_retries(f), 0);
}

/* A session salted with a value of the attacker's that is bound to the index would test a PIN. */
static void no_session_can_be_bound_to_the_index(void **state) {
        static const TPMT_SYM_DEF none = { .algorithm = TPM2_ALG_NULL };
        struct fixture *f = *state;
        const struct tpm_record rec = record_of(&f->state);
        struct raw r = raw_open(f);
        ESYS_TR nv = raw_find(&r, tpm_nv_index(&rec.pin)), session;

        assert_int_equal(Esys_StartAuthSession(r.esys, ESYS_TR_NONE, nv, ESYS_TR_NONE, ESYS_TR_NONE,
                                               ESYS_TR_NONE, NULL, TPM2_SE_HMAC, &none,
                                               TPM2_ALG_SHA256, &session),
                         0x28b);
        raw_close(&r);
}

/* ---- another index in its place ----------------------------------------------------------- */

static void an_index_defined_again_with_the_same_public_area_is_not_the_index(void **state) {
        struct fixture *f = *state;
        const struct tpm_record rec = record_of(&f->state);
        const TPM2B_AUTH own = auth_of(&rec, "6666");
        struct ctap_ticket ticket;
        struct credential c;
        struct raw r;
        ESYS_TR nv, session;

        assert_int_equal(credential_make_of(f, CTAP_KEY_P256, CTAP_CLASS_B, &c), 0);
        assert_int_equal(pin_verify(f, "1234", &ticket), CTAP_PIN_RIGHT);
        r = raw_open(f);
        raw_undefine(&r, raw_find(&r, tpm_nv_index(&rec.pin)));
        assert_int_equal(raw_define(&r, &rec.pin.public, &own, &nv), 0);
        assert_int_equal(raw_secret(&r, nv, &own), AUTH_UNAVAILABLE);
        assert_int_equal(raw_write(&r, ESYS_TR_RH_OWNER, nv, ESYS_TR_PASSWORD), NO_AUTHORITY);
        assert_int_equal(raw_write(&r, nv, nv, ESYS_TR_PASSWORD), AUTH_UNAVAILABLE);
        session = raw_policy(&r);
        assert_int_equal(Esys_PolicyCommandCode(r.esys, session, ESYS_TR_NONE, ESYS_TR_NONE,
                                                ESYS_TR_NONE, TPM2_CC_NV_Write),
                         0);
        assert_int_equal(raw_write(&r, nv, nv, session), POLICY_FAIL);
        raw_flush(&r, session);
        raw_close(&r);

        for (int i = 0; i < 2; i++) {
                assert_int_equal(pin_verify(f, "6666", NULL), -ESTALE);
                assert_int_equal(pin_verify(f, "1234", NULL), -ESTALE);
                assert_int_equal(pin_change(f, "6666", "0000"), -ESTALE);
                fixture_restart(f);
        }
        /* What else the daemon holds is not lost. */
        assert_int_equal(credential_make(f, CTAP_KEY_P256, &c), 0);
        assert_int_equal(credential_use(f, &c), 0);
}

/* The attacker's own index, which he can write: PolicySecret succeeds, for another Name. */
static void an_index_of_the_attackers_own_making_satisfies_no_policy(void **state) {
        struct fixture *f = *state;
        const struct tpm_record rec = record_of(&f->state);
        const TPM2B_AUTH own = auth_of(&rec, "6666");
        TPM2B_NV_PUBLIC public = rec.pin.public;
        struct ctap_ticket ticket;
        struct credential c;
        struct raw r;
        ESYS_TR nv;

        assert_int_equal(credential_make_of(f, CTAP_KEY_P256, CTAP_CLASS_B, &c), 0);
        r = raw_open(f);
        raw_undefine(&r, raw_find(&r, tpm_nv_index(&rec.pin)));
        public.nvPublic.attributes |= TPMA_NV_OWNERWRITE;
        assert_int_equal(raw_define(&r, &public, &own, &nv), 0);
        assert_int_equal(raw_write(&r, ESYS_TR_RH_OWNER, nv, ESYS_TR_PASSWORD), 0);
        raw_close(&r);

        /* A salted session notices the Name; a password session does not, but the keys do. */
        f->sessions = TPM_SESSIONS_SALTED;
        fixture_restart(f);
        assert_int_not_equal(pin_verify(f, "6666", &ticket), CTAP_PIN_RIGHT);
        f->sessions = TPM_SESSIONS_PASSWORD;
        fixture_restart(f);
        assert_int_equal(pin_verify(f, "6666", &ticket), CTAP_PIN_RIGHT);
        assert_int_equal(credential_use_by(f, &c, &ticket), -EKEYEXPIRED);
        tpm_idle(f->tpm);
}

/* ---- the count ---------------------------------------------------------------------------- */

static ESYS_TR session_of_branch(const struct raw *r, TPM2_CC command) {
        ESYS_TR session = raw_policy(r);

        assert_int_equal(Esys_PolicyCommandCode(r->esys, session, ESYS_TR_NONE, ESYS_TR_NONE,
                                                ESYS_TR_NONE, command),
                         0);
        return session;
}

static TPML_DIGEST branches_of(const struct tpm_record *rec) {
        const TPM2B_NAME *k = &rec->pin_change.writer;
        struct sha256 b[3] = { 0 };
        TPML_DIGEST list = { .count = 3 };

        tpm_writer_policy(k, &b[0]);
        tpm_policy_authorize(&b[1], k, BYTES_TEXT("chg"));
        tpm_policy_command_code(&b[1], TPM2_CC_NV_ChangeAuth);
        tpm_policy_command_code(&b[2], TPM2_CC_NV_Read);
        for (size_t i = 0; i < 3; i++) {
                list.digests[i].size = 32;
                memcpy(list.digests[i].buffer, b[i].b, 32);
        }
        return list;
}

static TSS2_RC policy_or(const struct raw *r, ESYS_TR session, const struct tpm_record *rec) {
        const TPML_DIGEST list = branches_of(rec);

        return Esys_PolicyOR(r->esys, session, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE, &list);
}

static void the_count_cannot_be_written(void **state) {
        struct fixture *f = *state;
        const struct tpm_record rec = record_of(&f->state);
        const TPM2B_AUTH right = auth_of(&rec, "1234");
        struct raw r;
        ESYS_TR nv, session;

        for (int i = 0; i < 5; i++)
                assert_int_equal(pin_verify(f, "0000", NULL), CTAP_PIN_WRONG);
        r = raw_open(f);
        nv = raw_find(&r, tpm_nv_index(&rec.pin));
        assert_int_equal(raw_write(&r, ESYS_TR_RH_OWNER, nv, ESYS_TR_PASSWORD), NO_AUTHORITY);
        assert_int_equal(raw_write(&r, nv, nv, ESYS_TR_PASSWORD), AUTH_UNAVAILABLE);

        /* The branch for reading does read, and does not write. */
        session = session_of_branch(&r, TPM2_CC_NV_Read);
        assert_int_equal(policy_or(&r, session, &rec), 0);
        assert_int_equal(raw_write(&r, nv, nv, session), WRONG_COMMAND);
        raw_flush(&r, session);

        /* The branch for writing wants K. */
        session = session_of_branch(&r, TPM2_CC_NV_Write);
        assert_int_not_equal(policy_or(&r, session, &rec), 0);
        assert_int_equal(raw_write(&r, nv, nv, session), POLICY_FAIL);
        raw_flush(&r, session);
        assert_int_equal(raw_count(&r, nv), 5);

        /* Even who knows the PIN writes nothing, which is his last try but two. */
        assert_int_equal(Esys_TR_SetAuth(r.esys, nv, &right), 0);
        assert_int_equal(raw_write(&r, nv, nv, ESYS_TR_PASSWORD), AUTH_UNAVAILABLE);
        raw_close(&r);
        assert_int_equal(pin_retries(f), 3);
}

static void the_limit_stays_with_the_branch_for_changing(void **state) {
        struct fixture *f = *state;
        const struct tpm_record rec = record_of(&f->state);
        const TPM2B_AUTH right = auth_of(&rec, "1234");
        const TPM2B_NONCE ref = { .size = 3, .buffer = "chg" };
        TPM2B_DIGEST approved = { .size = 32 };
        struct sha256 policy;
        struct raw r;
        ESYS_TR nv, session;

        assert_int_equal(tpm_policy_of_written(&rec.pin.public.nvPublic, &policy), 0);
        memcpy(approved.buffer, policy.b, 32);
        r = raw_open(f);
        nv = raw_find(&r, tpm_nv_index(&rec.pin));
        assert_int_equal(Esys_TR_SetAuth(r.esys, nv, &right), 0);

        /* With the PIN: everything is right but the command. */
        session = raw_policy(&r);
        assert_int_equal(Esys_PolicySecret(r.esys, nv, session, ESYS_TR_PASSWORD, ESYS_TR_NONE,
                                           ESYS_TR_NONE, NULL, NULL, NULL, 0, NULL, NULL),
                         0);
        assert_int_equal(Esys_PolicyAuthorize(r.esys, session, ESYS_TR_NONE, ESYS_TR_NONE,
                                              ESYS_TR_NONE, &approved, &ref, &rec.pin_change.writer,
                                              &rec.pin_change.ticket),
                         0);
        assert_int_equal(Esys_PolicyCommandCode(r.esys, session, ESYS_TR_NONE, ESYS_TR_NONE,
                                                ESYS_TR_NONE, TPM2_CC_NV_ChangeAuth),
                         0);
        assert_int_equal(policy_or(&r, session, &rec), 0);
        assert_int_equal(raw_write(&r, nv, nv, session), WRONG_COMMAND);
        raw_flush(&r, session);

        /* Without: the approval is of a policy that the session does not have. */
        session = raw_policy(&r);
        assert_int_not_equal(Esys_PolicyAuthorize(r.esys, session, ESYS_TR_NONE, ESYS_TR_NONE,
                                                  ESYS_TR_NONE, &approved, &ref,
                                                  &rec.pin_change.writer, &rec.pin_change.ticket),
                             0);
        raw_flush(&r, session);
        raw_close(&r);
}

static void eight_wrong_pins_block_through_every_kind_of_restart(void **state) {
        struct fixture *f = *state;

        for (unsigned i = 0; i < 8; i++) {
                assert_int_equal(pin_verify(f, "0000", NULL), CTAP_PIN_WRONG);
                if (i % 4 == 0) {
                        tpm_idle(f->tpm);
                        swtpm_restart(&f->swtpm, false);
                } else if (i % 4 == 1) {
                        fixture_restart(f);
                } else if (i % 4 == 2) {
                        tpm_idle(f->tpm);
                        swtpm_restart(&f->swtpm, true);
                        fixture_restart(f);
                } else {
                        tpm_idle(f->tpm);
                        swtpm_sleep(&f->swtpm, true);
                }
                assert_int_equal(pin_retries(f), 7 - i);
        }
        assert_int_equal(pin_verify(f, "1234", NULL), CTAP_PIN_BLOCKED);
        tpm_idle(f->tpm);
        swtpm_restart(&f->swtpm, true);
        fixture_restart(f);
        assert_int_equal(pin_verify(f, "1234", NULL), CTAP_PIN_BLOCKED);
        assert_int_equal(pin_retries(f), 0);
        assert_nothing_else(f);
}

/* ---- a disk of before --------------------------------------------------------------------- */

static bool is_on_the_disk(const struct fixture *f, struct bytes what) {
        return memmem(f->state.data, f->state.len, what.data, what.len) != NULL;
}

/* Nothing of the PIN is kept but by the TPM: there is nothing to try PINs against without it. */
static void the_disk_holds_nothing_to_guess_the_pin_against(void **state) {
        struct fixture *f = *state;
        static const char *const pins[] = { "1234", "5678" };

        for (size_t i = 0; i < ELEMENTSOF(pins); i++) {
                const struct tpm_record rec = record_of(&f->state);
                const struct ctap_pin_hash hash = pin_hash(pins[i]);
                const TPM2B_AUTH auth = auth_of(&rec, pins[i]);

                assert_int_equal(pin_verify(f, pins[i], NULL), CTAP_PIN_RIGHT);
                assert_true(is_on_the_disk(f, BYTES(rec.pin_salt, sizeof(rec.pin_salt))));
                assert_false(is_on_the_disk(f, BYTES(hash.b, sizeof(hash.b))));
                assert_false(is_on_the_disk(f, BYTES(auth.buffer, auth.size)));
                if (i == 0)
                        assert_int_equal(pin_change(f, pins[0], pins[1]), CTAP_PIN_RIGHT);
        }
}

static void a_restored_disk_unblocks_no_pin(void **state) {
        struct fixture *f = *state;
        const struct tpm_state backup = f->state;

        for (int i = 0; i < 8; i++)
                assert_int_equal(pin_verify(f, "0000", NULL), CTAP_PIN_WRONG);
        f->state = backup;
        fixture_restart(f);
        assert_int_equal(pin_retries(f), 0);
        assert_int_equal(pin_verify(f, "1234", NULL), CTAP_PIN_BLOCKED);
}

static void a_restored_disk_brings_no_old_pin_back(void **state) {
        struct fixture *f = *state;
        const struct tpm_state backup = f->state;
        struct ctap_ticket ticket;
        struct credential c;

        assert_int_equal(credential_make_of(f, CTAP_KEY_P256, CTAP_CLASS_B, &c), 0);
        assert_int_equal(pin_change(f, "1234", "5678"), CTAP_PIN_RIGHT);
        f->state = backup;
        fixture_restart(f);
        assert_int_equal(pin_verify(f, "1234", NULL), CTAP_PIN_WRONG);
        assert_int_equal(pin_change(f, "1234", "0000"), CTAP_PIN_WRONG);
        assert_int_equal(pin_verify(f, "5678", &ticket), CTAP_PIN_RIGHT);
        assert_int_equal(credential_use_by(f, &c, &ticket), 0);
}

static void a_restored_disk_revives_nothing_after_a_reset(void **state) {
        struct fixture *f = *state;
        const struct tpm_state backup = f->state;
        struct ctap_ticket before, after;
        struct credential c;
        struct tpm_state s = f->state, now;
        struct tpm_record mixed;

        assert_int_equal(credential_make_of(f, CTAP_KEY_P256, CTAP_CLASS_B, &c), 0);
        assert_int_equal(pin_verify(f, "1234", &before), CTAP_PIN_RIGHT);
        assert_int_equal(tpm_erase(f->tpm, &s, fixture_save, f), 0);
        assert_int_equal(fixture_provision(f), 0);
        assert_int_equal(pin_change(f, NULL, "1234"), CTAP_PIN_RIGHT);
        assert_int_equal(pin_verify(f, "1234", &after), CTAP_PIN_RIGHT);
        now = f->state;

        /* Under the new keys the old credential is none, whatever the ticket. */
        assert_int_equal(credential_use_by(f, &c, &before), -EKEYREJECTED);
        assert_int_equal(credential_use_by(f, &c, &after), -EKEYREJECTED);

        /* Neither is it with the PIN of before as the state's own. */
        mixed = record_of(&now);
        mixed.pin = record_of(&backup).pin;
        mixed.pin_change = record_of(&backup).pin_change;
        memcpy(mixed.pin_salt, record_of(&backup).pin_salt, sizeof(mixed.pin_salt));
        put_state(f, &mixed);
        fixture_restart(f);
        assert_int_not_equal(credential_use_by(f, &c, &before), 0);
        assert_int_not_equal(pin_verify(f, "1234", NULL), CTAP_PIN_RIGHT);

        /* And the old state as a whole opens nothing. */
        fixture_reopen(f);
        assert_int_equal(tpm_unlock(f->tpm, &backup), -ESTALE);

        f->state = now;
        fixture_restart(f);
        assert_int_equal(pin_verify(f, "1234", &after), CTAP_PIN_RIGHT);
}

/* ---- signing without the PIN -------------------------------------------------------------- */

static TSS2_RC raw_sign(const struct raw *r, ESYS_TR key, ESYS_TR session) {
        static const TPMT_TK_HASHCHECK no_ticket = { .tag = TPM2_ST_HASHCHECK,
                                                     .hierarchy = TPM2_RH_NULL };
        const TPM2B_DIGEST digest = { .size = 32 };
        TPMT_SIGNATURE *signature = NULL;
        TSS2_RC rc = Esys_Sign(r->esys, key, session, ESYS_TR_NONE, ESYS_TR_NONE, &digest,
                               &tpm_key_types[CTAP_KEY_P256].scheme, &no_ticket, &signature);

        Esys_Free(signature);
        return rc;
}

/* By somebody who has the worker's authorisation too: from the daemon's memory. */
static ESYS_TR raw_load(const struct raw *r, const struct fixture *f, const struct tpm_blob *blob) {
        ESYS_TR worker = raw_find(r, f->tpm->record->worker_handle), key;
        TPM2B_AUTH auth = { .size = 32 };

        memcpy(auth.buffer, f->tpm->worker_auth.b, 32);
        assert_int_equal(Esys_TR_SetAuth(r->esys, worker, &auth), 0);
        assert_int_equal(Esys_Load(r->esys, worker, ESYS_TR_PASSWORD, ESYS_TR_NONE, ESYS_TR_NONE,
                                   &blob->private, &blob->public, &key),
                         0);
        return key;
}

typedef TSS2_RC raw_use_fn(const struct raw *r, ESYS_TR object, ESYS_TR session);

/* Whatever somebody may show who does not know the PIN. */
static void assert_wants_the_pin(const struct raw *r, const struct tpm_record *rec, ESYS_TR object,
                                 raw_use_fn *use) {
        TPM2B_TIMEOUT timeout = { .size = 8 };
        TPMT_TK_AUTH forged = { .tag = TPM2_ST_AUTH_SECRET,
                                .hierarchy = TPM2_RH_OWNER,
                                .digest.size = 64 };
        TPM2B_NAME name;
        ESYS_TR session;

        assert_int_equal(tpm_name_of_written(&rec->pin.public.nvPublic, &name), 0);
        assert_int_equal(use(r, object, ESYS_TR_PASSWORD), AUTH_UNAVAILABLE);

        session = raw_policy(r);
        assert_int_equal(use(r, object, session), POLICY_FAIL);
        assert_int_equal(Esys_PolicyTicket(r->esys, session, ESYS_TR_NONE, ESYS_TR_NONE,
                                           ESYS_TR_NONE, &timeout, NULL, NULL, &name, &forged),
                         TICKET);
        forged.hierarchy = TPM2_RH_NULL;
        assert_int_equal(Esys_PolicyTicket(r->esys, session, ESYS_TR_NONE, ESYS_TR_NONE,
                                           ESYS_TR_NONE, &timeout, NULL, NULL, &name, &forged),
                         TICKET);
        /* What everybody may show: the anchor. */
        assert_int_equal(Esys_PolicySecret(r->esys, raw_find(r, tpm_nv_index(&rec->anchor)),
                                           session, ESYS_TR_PASSWORD, ESYS_TR_NONE, ESYS_TR_NONE,
                                           NULL, NULL, NULL, 0, NULL, NULL),
                         0);
        assert_int_equal(use(r, object, session), POLICY_FAIL);
        raw_flush(r, session);
}

static void a_key_of_class_b_does_not_sign_without_the_pin(void **state) {
        struct fixture *f = *state;
        const struct tpm_record rec = record_of(&f->state);
        struct credential c;
        struct tpm_blob blob;
        struct raw r;
        ESYS_TR key;

        assert_int_equal(credential_make_of(f, CTAP_KEY_P256, CTAP_CLASS_B, &c), 0);
        assert_int_equal(tpm_blob_decode(BYTES(c.blob.data, c.blob.len), &blob), 0);
        r = raw_open(f);
        key = raw_load(&r, f, &blob);
        assert_wants_the_pin(&r, &rec, key, raw_sign);
        raw_flush(&r, key);
        raw_close(&r);
}

/* ---- hmac-secret without the PIN ---------------------------------------------------------- */

static TSS2_RC raw_hmac(const struct raw *r, ESYS_TR key, ESYS_TR session) {
        const TPM2B_MAX_BUFFER salt = { .size = 32 };
        TPM2B_DIGEST *output = NULL;
        TSS2_RC rc = Esys_HMAC(r->esys, key, session, ESYS_TR_NONE, ESYS_TR_NONE, &salt,
                               TPM2_ALG_NULL, &output);

        Esys_Free(output);
        return rc;
}

/* TPM2_Sign computes the same. */
static TSS2_RC raw_hmac_by_sign(const struct raw *r, ESYS_TR key, ESYS_TR session) {
        static const TPMT_TK_HASHCHECK no_ticket = { .tag = TPM2_ST_HASHCHECK,
                                                     .hierarchy = TPM2_RH_NULL };
        static const TPMT_SIG_SCHEME of_key = { .scheme = TPM2_ALG_NULL };
        const TPM2B_DIGEST salt = { .size = 32 };
        TPMT_SIGNATURE *output = NULL;
        TSS2_RC rc = Esys_Sign(r->esys, key, session, ESYS_TR_NONE, ESYS_TR_NONE, &salt, &of_key,
                               &no_ticket, &output);

        Esys_Free(output);
        return rc;
}

static TSS2_RC raw_unseal(const struct raw *r, ESYS_TR object, ESYS_TR session) {
        TPM2B_SENSITIVE_DATA *output = NULL;
        TSS2_RC rc = Esys_Unseal(r->esys, object, session, ESYS_TR_NONE, ESYS_TR_NONE, &output);

        Esys_Free(output);
        return rc;
}

static TSS2_RC raw_show_ticket(const struct raw *r, ESYS_TR session, const TPM2B_NAME *name,
                               const struct ctap_ticket *ticket) {
        struct cursor c = { BYTES(ticket->data, ticket->len), false };
        TPMT_TK_AUTH auth = { 0 };
        TPM2B_TIMEOUT timeout = { 0 };
        struct bytes b;

        (void)cursor_take(&c, 1 + sizeof(uint32_t)); /* what is ours */
        b = cursor_string16(&c);
        timeout.size = (uint16_t)b.len;
        memcpy(timeout.buffer, b.data, b.len);
        auth.tag = cursor_u16(&c);
        auth.hierarchy = cursor_u32(&c);
        b = cursor_string16(&c);
        auth.digest.size = (uint16_t)b.len;
        memcpy(auth.digest.buffer, b.data, b.len);
        assert_int_equal(cursor_end(&c), 0);
        return Esys_PolicyTicket(r->esys, session, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE,
                                 &timeout, NULL, NULL, name, &auth);
}

/* That it was the PIN that was missing. */
static void assert_answers_by(const struct raw *r, const struct tpm_record *rec, ESYS_TR object,
                              raw_use_fn *use, const struct ctap_ticket *ticket) {
        ESYS_TR session = raw_policy(r);
        TPM2B_NAME name;

        assert_int_equal(tpm_name_of_written(&rec->pin.public.nvPublic, &name), 0);
        assert_int_equal(raw_show_ticket(r, session, &name, ticket), 0);
        assert_int_equal(use(r, object, session), 0);
}

static void a_secret_behind_the_pin_is_not_computed_without_it(void **state) {
        static const struct {
                enum tpm_hmac_kind kind;
                raw_use_fn *uses[2];
        } cases[] = {
                { TPM_HMAC_COMMAND, { raw_hmac, raw_hmac_by_sign } },
                { TPM_HMAC_UNSEAL, { raw_unseal, raw_unseal } },
        };
        struct fixture *f = *state;

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                struct tpm_record rec = record_of(&f->state);
                struct ctap_secret_blob secret;
                struct ctap_ticket ticket;
                struct tpm_blob blob;
                struct raw r;
                ESYS_TR object;

                rec.hmac_kind = cases[i].kind;
                put_state(f, &rec);
                fixture_restart(f);
                assert_int_equal(secret_make(f, CTAP_CLASS_B, &secret), 0);
                assert_int_equal(tpm_blob_decode(BYTES(secret.data, secret.len), &blob), 0);
                assert_int_equal(pin_verify(f, "1234", &ticket), CTAP_PIN_RIGHT);
                r = raw_open(f);
                object = raw_load(&r, f, &blob);
                for (size_t k = 0; k < ELEMENTSOF(cases[i].uses); k++) {
                        assert_wants_the_pin(&r, &rec, object, cases[i].uses[k]);
                        assert_answers_by(&r, &rec, object, cases[i].uses[k], &ticket);
                }
                raw_flush(&r, object);
                raw_close(&r);
        }
}

/* ---- what a blob can be made into --------------------------------------------------------- */

/* Its authValue, which is empty, allows to change it, but gives no more than it gave. */
static void an_authvalue_of_the_attackers_is_of_no_use(void **state) {
        const TPM2B_AUTH own = { .size = 3, .buffer = "own" };
        struct fixture *f = *state;
        TPM2B_PRIVATE *changed = NULL;
        struct credential c;
        struct tpm_blob blob;
        struct raw r;
        ESYS_TR key, worker;

        assert_int_equal(credential_make_of(f, CTAP_KEY_P256, CTAP_CLASS_B, &c), 0);
        assert_int_equal(tpm_blob_decode(BYTES(c.blob.data, c.blob.len), &blob), 0);
        r = raw_open(f);
        key = raw_load(&r, f, &blob);
        worker = raw_find(&r, f->tpm->record->worker_handle);
        if (Esys_ObjectChangeAuth(r.esys, key, worker, ESYS_TR_PASSWORD, ESYS_TR_NONE, ESYS_TR_NONE,
                                  &own, &changed) == TSS2_RC_SUCCESS) {
                blob.private = *changed;
                Esys_Free(changed);
                raw_flush(&r, key);
                key = raw_load(&r, f, &blob);
                assert_int_equal(Esys_TR_SetAuth(r.esys, key, &own), 0);
                assert_int_equal(raw_sign(&r, key, ESYS_TR_PASSWORD), AUTH_UNAVAILABLE);
        }
        raw_flush(&r, key);
        raw_close(&r);
}

static void ask_for_less(struct tpm_blob *blob) {
        blob->public.publicArea.objectAttributes |= TPMA_OBJECT_USERWITHAUTH;
        blob->public.publicArea.authPolicy.size = 0;
}

/* A blob whose public area was made to ask for less is another key to the TPM, and none. */
static void a_policy_cannot_be_taken_off_a_key(void **state) {
        struct fixture *f = *state;
        struct credential c;
        struct tpm_blob blob;
        struct buf b;

        assert_int_equal(credential_make_of(f, CTAP_KEY_P256, CTAP_CLASS_B, &c), 0);
        assert_int_equal(tpm_blob_decode(BYTES(c.blob.data, c.blob.len), &blob), 0);
        ask_for_less(&blob);
        b = (struct buf)BUF_ON(c.blob.data);
        tpm_blob_encode(&blob, &b);
        assert_int_equal(buf_error(&b), 0);
        c.blob.len = (uint16_t)b.len;
        assert_int_equal(credential_use(f, &c), -EKEYREJECTED);
        assert_int_equal(credential_use_by(f, &c, NULL), -EKEYREJECTED);
}

static void a_policy_cannot_be_taken_off_a_secret(void **state) {
        struct fixture *f = *state;
        struct ctap_secret_blob secret;
        struct tpm_blob blob;
        struct secret64 output;
        struct buf b;

        assert_int_equal(secret_make(f, CTAP_CLASS_B, &secret), 0);
        assert_int_equal(tpm_blob_decode(BYTES(secret.data, secret.len), &blob), 0);
        ask_for_less(&blob);
        b = (struct buf)BUF_ON(secret.data);
        tpm_blob_encode(&blob, &b);
        assert_int_equal(buf_error(&b), 0);
        secret.len = (uint16_t)b.len;
        assert_int_equal(secret_use(f, &secret, NULL, &output), -EKEYREJECTED);
}

/* ---- tickets that root took --------------------------------------------------------------- */

static void take_ticket(struct fixture *f, const char *pin, struct ctap_ticket *ret) {
        const struct ctap_pin_hash hash = pin ? pin_hash(pin) : (struct ctap_pin_hash){ 0 };
        struct ctap_keys *k = tpm_keys(f->tpm);
        enum ctap_pin_verdict verdict;

        assert_int_equal(k->ops->pin_verify(k, pin ? &hash : NULL, INT32_MAX, &verdict, ret), 0);
        assert_int_equal(verdict, CTAP_PIN_RIGHT);
}

/*
 * How long a ticket is good for says who asks for it, and the TPM does not take it back when the PIN
 * is set or changed. Who was root while there was no PIN, or has seen it typed, has class B until the
 * TPM is restarted: docs/security.md.
 */
static void a_ticket_that_root_took_ends_when_the_tpm_is_restarted(void **state) {
        struct fixture *f = *state;
        struct ctap_ticket tickets[2];
        struct credential c;

        assert_int_equal(credential_make_of(f, CTAP_KEY_P256, CTAP_CLASS_B, &c), 0);
        take_ticket(f, NULL, &tickets[0]);
        assert_int_equal(pin_change(f, NULL, "1234"), CTAP_PIN_RIGHT);
        take_ticket(f, "1234", &tickets[1]);
        assert_int_equal(pin_change(f, "1234", "5678"), CTAP_PIN_RIGHT);
        for (size_t i = 0; i < ELEMENTSOF(tickets); i++)
                assert_int_equal(credential_use_by(f, &c, &tickets[i]), 0);

        tpm_idle(f->tpm);
        swtpm_restart(&f->swtpm, true);
        for (size_t i = 0; i < ELEMENTSOF(tickets); i++)
                assert_int_equal(credential_use_by(f, &c, &tickets[i]), -EKEYEXPIRED);
}

/* A ticket names the PIN index and asks for none to be there. */
static void a_key_and_a_ticket_that_root_took_outlive_a_reset_until_a_restart(void **state) {
        struct fixture *f = *state;
        const struct tpm_record rec = record_of(&f->state);
        struct tpm_state s = f->state;
        TPMS_CONTEXT *context = NULL;
        struct ctap_ticket ticket;
        struct tpm_blob blob;
        struct credential c;
        TPM2B_NAME name;
        ESYS_TR key, session;
        struct raw r;

        assert_int_equal(tpm_name_of_written(&rec.pin.public.nvPublic, &name), 0);
        assert_int_equal(credential_make_of(f, CTAP_KEY_P256, CTAP_CLASS_B, &c), 0);
        assert_int_equal(tpm_blob_decode(BYTES(c.blob.data, c.blob.len), &blob), 0);
        take_ticket(f, "1234", &ticket);
        r = raw_open(f);
        key = raw_load(&r, f, &blob);
        assert_int_equal(Esys_ContextSave(r.esys, key, &context), 0);
        raw_flush(&r, key);
        raw_close(&r);

        assert_int_equal(tpm_erase(f->tpm, &s, fixture_save, f), 0);
        assert_int_equal(fixture_provision(f), 0);
        r = raw_open(f);
        assert_int_equal(Esys_ContextLoad(r.esys, context, &key), 0);
        session = raw_policy(&r);
        assert_int_equal(raw_show_ticket(&r, session, &name, &ticket), 0);
        assert_int_equal(raw_sign(&r, key, session), 0);
        raw_flush(&r, key);
        raw_close(&r);

        swtpm_restart(&f->swtpm, true);
        r = raw_open(f);
        assert_int_not_equal(Esys_ContextLoad(r.esys, context, &key), 0);
        session = raw_policy(&r);
        assert_int_equal(raw_show_ticket(&r, session, &name, &ticket), TICKET);
        raw_flush(&r, session);
        raw_close(&r);
        Esys_Free(context);
}

/* ---- a state that was altered ------------------------------------------------------------- */

static void alter_ticket(struct tpm_record *r) {
        r->pin_change.ticket.digest.buffer[5] ^= 1;
}

static void alter_writer(struct tpm_record *r) {
        r->pin_change.writer.name[5] ^= 1;
}

static void alter_policy(struct tpm_record *r) {
        r->pin.public.nvPublic.authPolicy.buffer[5] ^= 1;
}

static void alter_size(struct tpm_record *r) {
        r->pin.public.nvPublic.dataSize = 9;
}

static void an_altered_state_changes_no_pin_and_loses_nothing(void **state) {
        void (*const ways[])(struct tpm_record *) = { alter_ticket, alter_writer, alter_policy,
                                                      alter_size };
        struct fixture *f = *state;
        const struct tpm_state good = f->state;

        for (size_t i = 0; i < ELEMENTSOF(ways); i++) {
                struct tpm_record r = record_of(&good);

                ways[i](&r);
                put_state(f, &r);
                fixture_restart(f);
                f->last_message[0] = '\0';
                assert_int_equal(pin_change(f, "1234", "5678"), -ESTALE);
                assert_non_null(strstr(f->last_message, "TPM2_Policy"));
                tpm_idle(f->tpm);

                f->state = good;
                fixture_restart(f);
                assert_int_equal(pin_retries(f), 8);
                assert_int_equal(pin_verify(f, "1234", NULL), CTAP_PIN_RIGHT);
                assert_nothing_else(f);
        }
}

static void keys_of_an_altered_name_are_refused_and_not_lost(void **state) {
        struct fixture *f = *state;
        const struct tpm_state good = f->state;
        struct tpm_record r = record_of(&good);
        struct ctap_ticket ticket;
        struct credential c;

        assert_int_equal(credential_make_of(f, CTAP_KEY_P256, CTAP_CLASS_B, &c), 0);
        alter_policy(&r);
        put_state(f, &r);
        fixture_restart(f);
        assert_int_equal(pin_verify(f, "1234", &ticket), CTAP_PIN_RIGHT);
        assert_int_equal(credential_use_by(f, &c, &ticket), -EKEYREJECTED);

        f->state = good;
        fixture_restart(f);
        assert_int_equal(pin_verify(f, "1234", &ticket), CTAP_PIN_RIGHT);
        assert_int_equal(credential_use_by(f, &c, &ticket), 0);

        c.blob.data[20] ^= 1;
        assert_int_equal(credential_use_by(f, &c, &ticket), -EKEYREJECTED);
        c.blob.data[20] ^= 1;
        assert_int_equal(credential_use_by(f, &c, &ticket), 0);
        assert_nothing_else(f);
}

static void an_altered_ticket_is_refused_and_not_lost(void **state) {
        struct fixture *f = *state;
        struct ctap_ticket ticket;
        struct credential c;

        assert_int_equal(credential_make_of(f, CTAP_KEY_P256, CTAP_CLASS_B, &c), 0);
        assert_int_equal(pin_verify(f, "1234", &ticket), CTAP_PIN_RIGHT);
        for (uint16_t i = 0; i < ticket.len; i++) {
                struct ctap_ticket bad = ticket;

                bad.data[i] ^= 0x10;
                /* The number of the connection is a note for ourselves. */
                if (i >= 1 && i < 5)
                        continue;
                assert_int_not_equal(credential_use_by(f, &c, &bad), 0);
        }
        assert_int_equal(credential_use_by(f, &c, &ticket), 0);
        assert_nothing_else(f);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup_pin, fixture_teardown)

int main(void) {
        const struct CMUnitTest tests[] = {
                TEST(guessing_by_nv_change_auth_is_unlimited_in_the_broken_design_and_not_here),
                TEST(every_other_way_to_show_a_pin_is_counted),
                TEST(no_session_can_be_bound_to_the_index),
                TEST(an_index_defined_again_with_the_same_public_area_is_not_the_index),
                TEST(an_index_of_the_attackers_own_making_satisfies_no_policy),
                TEST(the_count_cannot_be_written),
                TEST(the_limit_stays_with_the_branch_for_changing),
                TEST(eight_wrong_pins_block_through_every_kind_of_restart),
                TEST(the_disk_holds_nothing_to_guess_the_pin_against),
                TEST(a_restored_disk_unblocks_no_pin),
                TEST(a_restored_disk_brings_no_old_pin_back),
                TEST(a_restored_disk_revives_nothing_after_a_reset),
                TEST(a_key_of_class_b_does_not_sign_without_the_pin),
                TEST(a_secret_behind_the_pin_is_not_computed_without_it),
                TEST(an_authvalue_of_the_attackers_is_of_no_use),
                TEST(a_policy_cannot_be_taken_off_a_key),
                TEST(a_policy_cannot_be_taken_off_a_secret),
                cmocka_unit_test_setup_teardown(
                        a_ticket_that_root_took_ends_when_the_tpm_is_restarted, fixture_setup_ready,
                        fixture_teardown),
                TEST(a_key_and_a_ticket_that_root_took_outlive_a_reset_until_a_restart),
                TEST(an_altered_state_changes_no_pin_and_loses_nothing),
                TEST(keys_of_an_altered_name_are_refused_and_not_lost),
                TEST(an_altered_ticket_is_refused_and_not_lost),
        };

        return cmocka_run_group_tests_name("pin-attack", tests, NULL, NULL);
}
