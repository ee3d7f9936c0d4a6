/* SPDX-License-Identifier: BSD-2-Clause */

/* The attestation key on a swtpm: how it comes and goes, what it certifies, what that costs. */

#include <errno.h>
#include <openssl/sha.h>
#include <stdio.h>
#include <string.h>

#include "tests/system/tpm-fixture.h"
#include "tpm/attestation-key.h"
#include "tpm/key.h"
#include "tpm/template.h"

#define AK_HANDLE 0x81018001u /* the first that is free: P2 is at the one before */

static const uint8_t data[32] = "what goes into the certificate";

struct keeper {
        struct tpm_attestation_key key;
        unsigned n_saves, fail_save;
};

static int keep(void *userdata, const struct tpm_attestation_key *key) {
        struct keeper *k = userdata;

        if (k->fail_save > 0 && --k->fail_save == 0)
                return -EIO;
        k->key = *key;
        k->n_saves++;
        return 0;
}

static void create(struct fixture *f, bool persistent, struct tpm_attestation_key *ret) {
        struct keeper k = { .n_saves = 0 };

        assert_int_equal(tpm_attestation_key_create(f->tpm, persistent, keep, &k, ret), 0);
        assert_int_equal(k.key.len, ret->len);
        assert_memory_equal(k.key.data, ret->data, ret->len);
}

/* ---- what a certificate says, read field by field (TPM 2.0 Part 2, 10.12.12) ---------------- */

struct attest {
        uint16_t type;
        struct bytes extra, name, rest; /* rest: behind the Name of what is certified */
};

static struct attest read_attest(struct bytes from) {
        struct cursor c = { from, false };
        struct attest a;

        assert_int_equal(cursor_u32(&c), 0xff544347);
        a.type = cursor_u16(&c);
        assert_int_equal(cursor_string16(&c).len, 34); /* qualifiedSigner */
        a.extra = cursor_string16(&c);
        (void)cursor_take(&c, 17 + 8); /* clockInfo, firmwareVersion */
        a.name = cursor_string16(&c);
        a.rest = c.left;
        assert_false(c.failed);
        return a;
}

static void assert_is_name_of(struct bytes name, struct bytes public_area) {
        static const uint8_t sha256[] = { 0x00, 0x0b };
        struct sha256 hash;

        SHA256(public_area.data, public_area.len, hash.b);
        assert_int_equal(name.len, 34);
        assert_memory_equal(name.data, sha256, 2);
        assert_memory_equal(name.data + 2, hash.b, 32);
}

static bool is_signed(const struct tpm_attestation_facts *ak, struct bytes what,
                      const struct ctap_signature *signature) {
        struct sha256 hash;

        SHA256(what.data, what.len, hash.b);
        return signature_verifies(&ak->public_key, BYTES_OF(hash), signature);
}

/* What verifiers read as if it could be nothing else: all NULL, and the key's own bytes at the end. */
static void assert_is_public_area_of(struct bytes area, const struct credential *c, bool class_b) {
        const bool is_rsa = c->public.type == CTAP_KEY_RSA2048;
        const uint16_t size = c->public.type == CTAP_KEY_P384 ? 48 : 32;
        struct cursor in = { area, false };

        assert_int_equal(cursor_u16(&in), is_rsa ? TPM2_ALG_RSA : TPM2_ALG_ECC);
        assert_int_equal(cursor_u16(&in), TPM2_ALG_SHA256);
        /* sign, fixedTPM, fixedParent, sensitiveDataOrigin, noDA; class A also userWithAuth */
        assert_int_equal(cursor_u32(&in), class_b ? 0x00040432 : 0x00040472);
        assert_int_equal(cursor_string16(&in).len, class_b ? 32 : 0);
        assert_int_equal(cursor_u16(&in), TPM2_ALG_NULL); /* symmetric */
        assert_int_equal(cursor_u16(&in), TPM2_ALG_NULL); /* scheme */
        if (is_rsa) {
                assert_int_equal(cursor_u16(&in), 2048);
                assert_int_equal(cursor_u32(&in), 0); /* 65537 */
                assert_true(bytes_equal(cursor_string16(&in), BYTES_OF(c->public.modulus)));
        } else {
                assert_int_equal(cursor_u16(&in),
                                 size == 32 ? TPM2_ECC_NIST_P256 : TPM2_ECC_NIST_P384);
                assert_int_equal(cursor_u16(&in), TPM2_ALG_NULL); /* kdf */
                assert_true(bytes_equal(cursor_string16(&in), BYTES(c->public.x, size)));
                assert_true(bytes_equal(cursor_string16(&in), BYTES(c->public.y, size)));
        }
        assert_int_equal(cursor_end(&in), 0);
}

static int certify(struct fixture *f, const struct tpm_attestation_key *ak,
                   const struct credential *c, struct ctap_certification *ret) {
        struct ctap_keys *k = tpm_keys(f->tpm);
        struct ctap_loaded_key *loaded;
        int r;

        r = tpm_attestation_key_load(f->tpm, ak, BYTES(c->blob.data, c->blob.len), &loaded);
        if (r < 0)
                return r;
        r = tpm_attestation_key_certify(f->tpm, ak, loaded, BYTES_OF(data), ret);
        k->ops->unload(k, loaded);
        return r;
}

static void assert_certifies(struct fixture *f, const struct tpm_attestation_key *key,
                             const struct credential *c, bool class_b) {
        struct tpm_attestation_facts ak;
        struct ctap_certification made;
        struct attest attest;
        struct bytes info, area;

        assert_int_equal(tpm_attestation_key_facts(key, &ak), 0);
        assert_int_equal(certify(f, key, c, &made), 0);
        info = BYTES(made.info, made.info_len);
        area = BYTES(made.public_area, made.public_area_len);
        assert_true(is_signed(&ak, info, &made.signature));
        attest = read_attest(info);
        assert_int_equal(attest.type, TPM2_ST_ATTEST_CERTIFY);
        assert_true(bytes_equal(attest.extra, BYTES_OF(data)));
        assert_is_name_of(attest.name, area);
        assert_is_public_area_of(area, c, class_b);
}

/* ---- what is made ------------------------------------------------------------------------- */

static void it_certifies_its_own_creation(void **state) {
        struct fixture *f = *state;
        struct tpm_attestation_key key;
        struct tpm_attestation_facts ak;
        struct ctap_signature signature;
        struct attest attest;
        struct cursor rest, raw;
        struct sha256 hash;
        TPMS_SIGNATURE_ECDSA ecdsa = { 0 };
        struct bytes part;

        create(f, true, &key);
        assert_int_equal(tpm_attestation_key_facts(&key, &ak), 0);
        assert_int_equal(ak.handle, AK_HANDLE);
        assert_is_name_of(BYTES_OF(ak.name), BYTES(ak.public.data, ak.public.len));
        attest = read_attest(BYTES(ak.certificate.data, ak.certificate.len));
        assert_int_equal(attest.type, TPM2_ST_ATTEST_CREATION);
        assert_true(bytes_equal(attest.name, BYTES_OF(ak.name)));
        SHA256(ak.creation.data, ak.creation.len, hash.b);
        rest = (struct cursor){ attest.rest, false };
        assert_true(bytes_equal(cursor_string16(&rest), BYTES_OF(hash)));
        assert_int_equal(cursor_end(&rest), 0);

        /* TPMT_SIGNATURE: the algorithms, r, s */
        raw = (struct cursor){ BYTES(ak.signature.data, ak.signature.len), false };
        assert_int_equal(cursor_u16(&raw), TPM2_ALG_ECDSA);
        assert_int_equal(cursor_u16(&raw), TPM2_ALG_SHA256);
        part = cursor_string16(&raw);
        ecdsa.signatureR.size = (uint16_t)part.len;
        memcpy(ecdsa.signatureR.buffer, part.data, part.len);
        part = cursor_string16(&raw);
        ecdsa.signatureS.size = (uint16_t)part.len;
        memcpy(ecdsa.signatureS.buffer, part.data, part.len);
        assert_int_equal(cursor_end(&raw), 0);
        assert_int_equal(tpm_put_ecdsa(&ecdsa, &signature), 0);
        assert_true(is_signed(&ak, BYTES(ak.certificate.data, ak.certificate.len), &signature));
}

/* fixedTPM, fixedParent, sensitiveDataOrigin, userWithAuth, noDA, restricted, sign; P-256, ECDSA. */
static void it_can_do_nothing_but_sign_what_the_tpm_says(void **state) {
        static const uint8_t head[] = { 0x00, 0x23, 0x00, 0x0b, 0x00, 0x05, 0x04, 0x72,
                                        0x00, 0x00, 0x00, 0x10, 0x00, 0x18, 0x00, 0x0b,
                                        0x00, 0x03, 0x00, 0x10, 0x00, 0x20 };
        struct fixture *f = *state;
        struct tpm_attestation_key key;
        struct tpm_attestation_facts ak;

        create(f, true, &key);
        assert_int_equal(tpm_attestation_key_facts(&key, &ak), 0);
        assert_int_equal(ak.public.len, sizeof(head) + 32 + 2 + 32);
        assert_memory_equal(ak.public.data, head, sizeof(head));
}

static void removing_it_leaves_nothing(void **state) {
        struct fixture *f = *state;
        struct tpm_attestation_key key;

        create(f, true, &key);
        assert_int_equal(tpm_attestation_key_check(f->tpm, &key), 0);
        assert_int_equal(tpm_attestation_key_remove(f->tpm, &key), 0);
        assert_nothing_else(f);
        assert_int_equal(tpm_attestation_key_remove(f->tpm, &key), 0);
        create(f, false, &key);
        tpm_settle(f->tpm);
        assert_nothing_else(f);
        assert_int_equal(tpm_attestation_key_remove(f->tpm, &key), 0);
        assert_nothing_else(f);
}

/* What was saved before the TPM was changed is enough to use it or to be rid of it. */
static void a_crash_while_it_is_made_leaves_nothing_without_an_owner(void **state) {
        struct fixture *f = *state;
        struct tpm_attestation_key key;
        struct tpm_attestation_facts ak;
        struct keeper k = { .fail_save = 1 };
        struct credential c;

        assert_int_equal(tpm_attestation_key_create(f->tpm, true, keep, &k, &key), -EIO);
        assert_nothing_else(f);
        k.fail_save = 2;
        assert_int_equal(tpm_attestation_key_create(f->tpm, true, keep, &k, &key), -EIO);
        assert_int_equal(k.n_saves, 1);
        assert_int_equal(tpm_attestation_key_facts(&k.key, &ak), 0);
        assert_int_equal(ak.handle, AK_HANDLE);
        assert_int_equal(credential_make(f, CTAP_KEY_P256, &c), 0);
        assert_certifies(f, &k.key, &c, false);
        assert_int_equal(tpm_attestation_key_remove(f->tpm, &k.key), 0);
        assert_nothing_else(f);
}

static void an_answer_that_is_lost_leaves_one_key_and_not_two(void **state) {
        struct fixture *f = *state;
        struct tpm_attestation_key key;
        struct credential c;

        watch_plan(f, "lose EvictControl 1\n");
        create(f, true, &key);
        watch_no_plan(f);
        /* ESYS remembers the Name of the one that was at this handle as long as it is connected. */
        tpm_idle(f->tpm);
        assert_int_equal(credential_make(f, CTAP_KEY_P256, &c), 0);
        assert_certifies(f, &key, &c, false);
        assert_int_equal(tpm_attestation_key_remove(f->tpm, &key), 0);
        assert_nothing_else(f);
}

static void without_a_slot_it_is_loaded_for_each_use(void **state) {
        struct fixture *f = *state;
        struct tpm_attestation_key key;
        struct tpm_attestation_facts ak;
        struct credential c;

        f->without_slot = true;
        fixture_restart(f);
        create(f, true, &key);
        assert_int_equal(tpm_attestation_key_facts(&key, &ak), 0);
        assert_int_equal(ak.handle, 0);
        assert_int_equal(credential_make(f, CTAP_KEY_P256, &c), 0);
        assert_certifies(f, &key, &c, false);
        tpm_settle(f->tpm);
        assert_nothing_else(f);
}

/* ---- what it certifies -------------------------------------------------------------------- */

static void it_certifies_keys_of_both_classes_and_all_types(void **state) {
        struct fixture *f = *state;
        struct tpm_attestation_key key;

        create(f, true, &key);
        for (unsigned type = 0; type < _CTAP_KEY_TYPES; type++)
                for (unsigned class = CTAP_CLASS_A; class <= CTAP_CLASS_B; class ++) {
                        struct credential c;

                        assert_int_equal(credential_make_of(f, type, class, &c), 0);
                        assert_certifies(f, &key, &c, class == CTAP_CLASS_B);
                }
}

static void what_was_loaded_to_be_certified_does_not_sign(void **state) {
        struct fixture *f = *state;
        struct ctap_keys *k = tpm_keys(f->tpm);
        struct tpm_attestation_key key;
        struct ctap_loaded_key *loaded;
        struct ctap_signature signature;
        struct sha256 digest = { { 1 } };
        struct credential c;

        create(f, true, &key);
        assert_int_equal(credential_make_of(f, CTAP_KEY_P256, CTAP_CLASS_B, &c), 0);
        assert_int_equal(tpm_attestation_key_load(f->tpm, &key, BYTES(c.blob.data, c.blob.len),
                                                  &loaded),
                         0);
        assert_int_equal(k->ops->sign(k, loaded, BYTES_OF(digest), &signature), -EKEYEXPIRED);
        k->ops->unload(k, loaded);
}

static void a_reset_leaves_it_alone(void **state) {
        struct fixture *f = *state;
        struct tpm_attestation_key key;
        struct tpm_state s = f->state;
        struct credential c;

        create(f, true, &key);
        assert_int_equal(tpm_erase(f->tpm, &s, fixture_save, f), 0);
        assert_int_equal(fixture_provision(f), 0);
        assert_int_equal(tpm_attestation_key_check(f->tpm, &key), 0);
        assert_int_equal(credential_make(f, CTAP_KEY_P256, &c), 0);
        assert_certifies(f, &key, &c, false);
}

/* ---- what it costs ------------------------------------------------------------------------ */

/* Up to the yes, and from there to the end. */
static void register_in_two_halves(struct fixture *f, const struct tpm_attestation_key *ak,
                                   char before[static 256], char after[static 256]) {
        struct ctap_keys *k = tpm_keys(f->tpm);
        struct ctap_loaded_key *loaded;
        struct ctap_certification made;
        struct credential c;

        tpm_settle(f->tpm);
        (void)watch_count(f);
        assert_int_equal(credential_make(f, CTAP_KEY_P256, &c), 0);
        assert_int_equal(tpm_attestation_key_load(f->tpm, ak, BYTES(c.blob.data, c.blob.len),
                                                  &loaded),
                         0);
        watch_log(f, before, 256);
        assert_int_equal(tpm_attestation_key_certify(f->tpm, ak, loaded, BYTES_OF(data), &made), 0);
        k->ops->unload(k, loaded);
        tpm_settle(f->tpm);
        watch_log(f, after, 256);
}

static void a_registration_takes_four_commands_two_of_them_after_the_yes(void **state) {
        struct fixture *f = *state;
        struct tpm_attestation_key key;
        char before[256], after[256];

        create(f, true, &key);
        fixture_restart(f);
        register_in_two_halves(f, &key, before, after);
        assert_string_equal(before, "Create Load");
        assert_string_equal(after, "Certify FlushContext");
        assert_int_equal(n_commands(before) + n_commands(after),
                         budget_of("register with tpm attestation"));
        assert_int_equal(n_commands(after),
                         budget_of("register with tpm attestation, after the yes"));
}

static void where_it_is_not_persistent_it_is_loaded_before_the_yes(void **state) {
        struct fixture *f = *state;
        struct tpm_attestation_key key;
        char before[256], after[256];

        create(f, false, &key);
        fixture_restart(f);
        register_in_two_halves(f, &key, before, after);
        assert_string_equal(before, "Create Load Load");
        assert_string_equal(after, "Certify FlushContext FlushContext");
        assert_nothing_else(f);
}

/* ---- what may befall it ------------------------------------------------------------------- */

/* Whoever removes a key gives away its last owner: what is at its handle after that nobody removes. */
static void one_that_was_removed_before_the_yes_does_not_come_back(void **state) {
        struct fixture *f = *state;
        struct ctap_keys *k = tpm_keys(f->tpm);
        struct tpm_attestation_key key;
        struct ctap_certification made;
        struct ctap_loaded_key *loaded;
        struct credential c;

        create(f, true, &key);
        assert_int_equal(credential_make(f, CTAP_KEY_P256, &c), 0);
        assert_int_equal(tpm_attestation_key_load(f->tpm, &key, BYTES(c.blob.data, c.blob.len),
                                                  &loaded),
                         0);
        raw_evict(f, AK_HANDLE);
        assert_int_equal(tpm_attestation_key_certify(f->tpm, &key, loaded, BYTES_OF(data), &made),
                         0);
        k->ops->unload(k, loaded);
        tpm_settle(f->tpm);
        assert_nothing_else(f);
        assert_certifies(f, &key, &c, false);
        tpm_settle(f->tpm);
        assert_nothing_else(f);
}

/* It is found out once, and loaded before the yes from then on. */
static void one_that_was_evicted_is_loaded_for_each_use_until_it_is_checked(void **state) {
        struct fixture *f = *state;
        struct tpm_attestation_key key;
        char before[256], after[256];
        struct credential c;

        create(f, true, &key);
        assert_int_equal(credential_make(f, CTAP_KEY_P256, &c), 0);
        raw_evict(f, AK_HANDLE);
        assert_certifies(f, &key, &c, false);
        assert_string_equal(f->last_message,
                            "TPM: the attestation key is gone from 0x81018001; it is loaded for "
                            "each use");
        register_in_two_halves(f, &key, before, after);
        assert_string_equal(before, "Create Load Load");
        assert_string_equal(after, "Certify FlushContext FlushContext");
        assert_int_equal(tpm_attestation_key_check(f->tpm, &key), 0);
        assert_string_equal(f->last_message,
                            "TPM: the attestation key was gone from 0x81018001 and is there again");
        register_in_two_halves(f, &key, before, after);
        assert_string_equal(before, "Create Load");
        assert_string_equal(after, "Certify FlushContext");
        raw_evict(f, AK_HANDLE); /* there it was */
        assert_int_equal(tpm_attestation_key_check(f->tpm, &key), 0);
        assert_int_equal(tpm_attestation_key_remove(f->tpm, &key), 0);
        assert_nothing_else(f);
}

/* A key of somebody else's at our handle signs just as well, and is found out. */
static void a_foreign_key_in_its_place_attests_to_nothing(void **state) {
        struct fixture *f = *state;
        struct tpm_attestation_key key;
        struct credential c;

        create(f, true, &key);
        assert_int_equal(credential_make(f, CTAP_KEY_P256, &c), 0);
        raw_evict(f, AK_HANDLE);
        raw_put_primary(f, &tpm_template_attestation, AK_HANDLE);
        for (int i = 0; i < 2; i++)
                assert_certifies(f, &key, &c, false);
        assert_int_equal(tpm_attestation_key_remove(f->tpm, &key), 0);
        raw_evict(f, AK_HANDLE); /* it stayed */
        assert_nothing_else(f);
}

static void a_cleared_tpm_does_not_know_it(void **state) {
        struct fixture *f = *state;
        struct tpm_attestation_key persistent, loaded;
        struct tpm_state s = f->state;
        struct credential c;
        struct raw raw;

        create(f, true, &persistent);
        create(f, false, &loaded);
        tpm_settle(f->tpm);
        raw = raw_open(f);
        assert_int_equal(Esys_Clear(raw.esys, ESYS_TR_RH_LOCKOUT, ESYS_TR_PASSWORD, ESYS_TR_NONE,
                                    ESYS_TR_NONE),
                         0);
        raw_close(&raw);
        s.phase = TPM_PHASE_NONE;
        s.len = 0;
        f->state = s;
        fixture_reopen(f);
        assert_int_equal(fixture_provision(f), 0);
        assert_int_equal(tpm_attestation_key_check(f->tpm, &persistent), -ESTALE);
        assert_int_equal(tpm_attestation_key_check(f->tpm, &loaded), -ESTALE);
        assert_int_equal(credential_make(f, CTAP_KEY_P256, &c), 0);
        assert_int_equal(certify(f, &persistent, &c, &(struct ctap_certification){ 0 }), -ESTALE);
        assert_int_equal(tpm_attestation_key_remove(f->tpm, &persistent), 0);
        assert_nothing_else(f);
}

static void one_of_another_tpm_is_refused(void **state) {
        struct fixture *f = *state, *other;
        struct tpm_attestation_key key;
        struct credential c;

        (void)fixture_setup_ready((void **)&other);
        create(other, true, &key);
        assert_int_equal(tpm_attestation_key_check(f->tpm, &key), -ESTALE);
        assert_int_equal(credential_make(f, CTAP_KEY_P256, &c), 0);
        assert_int_equal(certify(f, &key, &c, &(struct ctap_certification){ 0 }), -ESTALE);
        assert_nothing_else(f);
        (void)fixture_teardown((void **)&other);
}

static void a_damaged_one_is_called_damaged(void **state) {
        struct fixture *f = *state;
        struct tpm_attestation_key key, damaged;
        struct tpm_attestation_facts ak;

        create(f, true, &key);
        for (size_t i = 0; i < key.len; i++) {
                damaged = key;
                damaged.data[i] ^= 0x10;
                assert_int_equal(tpm_attestation_key_facts(&damaged, &ak), -EBADMSG);
                damaged = key;
                damaged.len = (uint16_t)i;
                assert_int_equal(tpm_attestation_key_facts(&damaged, &ak), -EBADMSG);
        }
        assert_int_equal(tpm_attestation_key_check(f->tpm, &damaged), -EBADMSG);
        assert_int_equal(tpm_attestation_key_remove(f->tpm, &damaged), -EBADMSG);
}

#define attestation_test(t) \
        cmocka_unit_test_setup_teardown(t, fixture_setup_ready, fixture_teardown)

int main(void) {
        const struct CMUnitTest tests[] = {
                attestation_test(it_certifies_its_own_creation),
                attestation_test(it_can_do_nothing_but_sign_what_the_tpm_says),
                attestation_test(removing_it_leaves_nothing),
                attestation_test(a_crash_while_it_is_made_leaves_nothing_without_an_owner),
                attestation_test(an_answer_that_is_lost_leaves_one_key_and_not_two),
                attestation_test(without_a_slot_it_is_loaded_for_each_use),
                attestation_test(it_certifies_keys_of_both_classes_and_all_types),
                attestation_test(what_was_loaded_to_be_certified_does_not_sign),
                attestation_test(a_reset_leaves_it_alone),
                attestation_test(a_registration_takes_four_commands_two_of_them_after_the_yes),
                attestation_test(where_it_is_not_persistent_it_is_loaded_before_the_yes),
                attestation_test(one_that_was_removed_before_the_yes_does_not_come_back),
                attestation_test(one_that_was_evicted_is_loaded_for_each_use_until_it_is_checked),
                attestation_test(a_foreign_key_in_its_place_attests_to_nothing),
                attestation_test(a_cleared_tpm_does_not_know_it),
                attestation_test(one_of_another_tpm_is_refused),
                attestation_test(a_damaged_one_is_called_damaged),
        };

        return cmocka_run_group_tests_name("tpm-attestation", tests, NULL, NULL);
}
