/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Managing from outside: libfido2 lists, renames and deletes passkeys, keeps large blobs and changes
 * the settings of a daemon with a real TPM and a real store, which is restarted in between.
 */

#include <fido/config.h>
#include <fido/credman.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/system/fido-kit.h"
#include "tests/unit/test.h"

#define PIN "1234"

static const unsigned char challenge[32] = "a challenge of thirty-two bytes";

static fido_dev_t *start(struct daemon_kit *k, const char *setting) {
        const char *const settings[] = { "--presence=auto", setting, NULL };

        kit_start(k, settings);
        return kit_open_key(k);
}

static void stop(struct daemon_kit *k, fido_dev_t *dev) {
        kit_close_key(dev);
        assert_int_equal(kit_stop(k), 0);
}

static fido_dev_t *restart(struct daemon_kit *k, fido_dev_t *dev, bool kill_it) {
        kit_close_key(dev);
        if (kill_it)
                kill(k->pid, SIGKILL);
        (void)kit_stop(k);
        return start(k, NULL);
}

/* Opened anew, for libfido2 asks once whether there is a PIN. */
static fido_dev_t *set_pin(struct daemon_kit *k, fido_dev_t *dev) {
        assert_int_equal(fido_dev_set_pin(dev, PIN, NULL), FIDO_OK);
        kit_close_key(dev);
        return kit_open_key(k);
}

static int make(fido_dev_t *dev, const char *rp, const char *user, int extensions, const char *pin,
                fido_cred_t **ret) {
        fido_cred_t *cred = fido_cred_new();
        int r;

        assert_non_null(cred);
        assert_int_equal(fido_cred_set_type(cred, COSE_ES256), FIDO_OK);
        assert_int_equal(fido_cred_set_clientdata_hash(cred, challenge, sizeof(challenge)),
                         FIDO_OK);
        assert_int_equal(fido_cred_set_rp(cred, rp, NULL), FIDO_OK);
        assert_int_equal(fido_cred_set_user(cred, (const unsigned char *)user, strlen(user), user,
                                            user, NULL),
                         FIDO_OK);
        assert_int_equal(fido_cred_set_extensions(cred, extensions), FIDO_OK);
        assert_int_equal(fido_cred_set_rk(cred, FIDO_OPT_TRUE), FIDO_OK);
        r = fido_dev_make_cred(dev, cred, pin);
        *ret = cred;
        return r;
}

static void count(fido_dev_t *dev, uint64_t existing) {
        fido_credman_metadata_t *m = fido_credman_metadata_new();

        assert_int_equal(fido_credman_get_dev_metadata(dev, m, PIN), FIDO_OK);
        assert_int_equal(fido_credman_rk_existing(m), existing);
        assert_true(fido_credman_rk_remaining(m) > 0);
        fido_credman_metadata_free(&m);
}

/* The sites that are listed, as bits: 1 a.example, 2 b.example; and how many there are. */
static unsigned sites(fido_dev_t *dev, size_t *ret_n) {
        fido_credman_rp_t *rps = fido_credman_rp_new();
        unsigned seen = 0;

        *ret_n = 0;
        if (fido_credman_get_dev_rp(dev, rps, PIN) == FIDO_OK)
                *ret_n = fido_credman_rp_count(rps);
        for (size_t i = 0; i < *ret_n; i++)
                seen |= strcmp(fido_credman_rp_id(rps, i), "a.example") == 0   ? 1u
                        : strcmp(fido_credman_rp_id(rps, i), "b.example") == 0 ? 2u
                                                                               : 4u;
        fido_credman_rp_free(&rps);
        return seen;
}

static void assert_listed(fido_dev_t *dev, const char *rp, size_t nth, size_t n,
                          const fido_cred_t *made, const char *name) {
        fido_credman_rk_t *rks = fido_credman_rk_new();
        const fido_cred_t *rk;

        assert_int_equal(fido_credman_get_dev_rk(dev, rp, rks, PIN), FIDO_OK);
        assert_int_equal(fido_credman_rk_count(rks), n);
        rk = fido_credman_rk(rks, nth);
        assert_bytes_equal(BYTES(fido_cred_id_ptr(rk), fido_cred_id_len(rk)),
                           BYTES(fido_cred_id_ptr(made), fido_cred_id_len(made)));
        assert_bytes_equal(BYTES(fido_cred_pubkey_ptr(rk), fido_cred_pubkey_len(rk)),
                           BYTES(fido_cred_pubkey_ptr(made), fido_cred_pubkey_len(made)));
        assert_bytes_equal(BYTES(fido_cred_largeblob_key_ptr(rk), fido_cred_largeblob_key_len(rk)),
                           BYTES(fido_cred_largeblob_key_ptr(made),
                                 fido_cred_largeblob_key_len(made)));
        if (name)
                assert_string_equal(fido_cred_user_name(rk), name);
        else
                assert_null(fido_cred_user_name(rk));
        fido_credman_rk_free(&rks);
}

static void rename_to(fido_dev_t *dev, const fido_cred_t *made, const char *user,
                      const char *name) {
        fido_cred_t *cred = fido_cred_new();

        assert_int_equal(fido_cred_set_id(cred, fido_cred_id_ptr(made), fido_cred_id_len(made)),
                         FIDO_OK);
        assert_int_equal(fido_cred_set_user(cred, (const unsigned char *)user, strlen(user), name,
                                            NULL, NULL),
                         FIDO_OK);
        assert_int_equal(fido_credman_set_dev_rk(dev, cred, PIN), FIDO_OK);
        fido_cred_free(&cred);
}

static int delete (fido_dev_t *dev, const fido_cred_t *made) {
        return fido_credman_del_dev_rk(dev, fido_cred_id_ptr(made), fido_cred_id_len(made), PIN);
}

static void passkeys_are_listed_renamed_and_deleted(void **state) {
        struct daemon_kit *k = *state;
        fido_cred_t *ann, *bob, *cat;
        fido_dev_t *dev;
        size_t n;

        dev = set_pin(k, start(k, NULL));
        count(dev, 0);
        assert_int_equal(sites(dev, &n), 0);
        assert_int_equal(make(dev, "a.example", "ann", 0, PIN, &ann), FIDO_OK);
        assert_int_equal(make(dev, "b.example", "cat", 0, PIN, &cat), FIDO_OK);
        assert_int_equal(make(dev, "a.example", "bob", 0, PIN, &bob), FIDO_OK);

        count(dev, 3);
        assert_int_equal(sites(dev, &n), 3);
        assert_int_equal(n, 2);
        assert_listed(dev, "a.example", 0, 2, bob, "bob");
        assert_listed(dev, "a.example", 1, 2, ann, "ann");
        assert_listed(dev, "b.example", 0, 1, cat, "cat");

        rename_to(dev, ann, "ann", "anna");
        rename_to(dev, bob, "bob", NULL);
        dev = restart(k, dev, true); /* what was said to be done is done */
        assert_listed(dev, "a.example", 0, 2, bob, NULL);
        assert_listed(dev, "a.example", 1, 2, ann, "anna");

        assert_int_equal(delete (dev, cat), FIDO_OK);
        dev = restart(k, dev, true);
        assert_int_equal(delete (dev, cat), FIDO_ERR_NO_CREDENTIALS);
        assert_int_equal(sites(dev, &n), 1);
        assert_int_equal(delete (dev, bob), FIDO_OK);
        assert_int_equal(delete (dev, ann), FIDO_OK);
        count(dev, 0);
        assert_int_equal(sites(dev, &n), 0);

        fido_cred_free(&ann);
        fido_cred_free(&bob);
        fido_cred_free(&cat);
        stop(k, dev);
}

static void large_blobs_are_kept_over_restarts_and_go_with_a_reset(void **state) {
        static const unsigned char text[] = "what a site wants to have with its passkey";
        struct daemon_kit *k = *state;
        unsigned char *blob = NULL;
        size_t len = 0;
        fido_cred_t *ann;
        fido_dev_t *dev;
        char out[4096];

        dev = set_pin(k, start(k, NULL));
        assert_int_equal(make(dev, "a.example", "ann", FIDO_EXT_LARGEBLOB_KEY, PIN, &ann), FIDO_OK);
        assert_int_equal(fido_cred_largeblob_key_len(ann), 32);
        assert_listed(dev, "a.example", 0, 1, ann, "ann");
        assert_int_equal(fido_dev_largeblob_set(dev, fido_cred_largeblob_key_ptr(ann), 32, text,
                                                sizeof(text), PIN),
                         FIDO_OK);
        dev = restart(k, dev, true);
        assert_int_equal(fido_dev_largeblob_get(dev, fido_cred_largeblob_key_ptr(ann), 32, &blob,
                                                &len),
                         FIDO_OK);
        assert_bytes_equal(BYTES(blob, len), BYTES_OF(text));
        free(blob);

        assert_int_equal(kit_cli(k, "reset --yes", out, sizeof(out)), 0);
        kit_close_key(dev);
        dev = kit_open_key(k);
        assert_int_equal(fido_dev_largeblob_get_array(dev, &blob, &len), FIDO_OK);
        assert_bytes_equal(BYTES(blob, len), BYTES("\x80", 1));
        free(blob);
        fido_cred_free(&ann);
        stop(k, dev);
}

/* Of many fragments; and one that does not fit. */
static void the_array_of_large_blobs_may_fill_its_room(void **state) {
        static unsigned char array[8000];
        struct daemon_kit *k = *state;
        unsigned char *blob = NULL;
        size_t len = 0;
        fido_dev_t *dev;

        array[0] = 0x81; /* one byte string, in CBOR */
        array[1] = 0x59;
        array[2] = (sizeof(array) - 4) >> 8;
        array[3] = (sizeof(array) - 4) & 0xff;
        for (size_t i = 4; i < sizeof(array); i++)
                array[i] = (unsigned char)(i * 7);
        dev = set_pin(k, start(k, "--set=policy.large-blobs=8016"));
        assert_int_equal(fido_dev_largeblob_set_array(dev, array, sizeof(array), PIN), FIDO_OK);
        assert_int_equal(fido_dev_largeblob_get_array(dev, &blob, &len), FIDO_OK);
        assert_bytes_equal(BYTES(blob, len), BYTES_OF(array));
        free(blob);
        stop(k, dev);

        dev = start(k, "--set=policy.large-blobs=8015");
        assert_int_equal(fido_dev_largeblob_set_array(dev, array, sizeof(array), PIN),
                         FIDO_ERR_LARGEBLOB_STORAGE_FULL);
        stop(k, dev);
}

static void settings_are_changed_for_good(void **state) {
        static const char *const rps[] = { "a.example", "b.example" };
        struct daemon_kit *k = *state;
        fido_cred_t *cred;
        fido_dev_t *dev;

        dev = set_pin(k, start(k, NULL));
        assert_int_equal(fido_dev_set_pin_minlen(dev, 3, PIN), FIDO_ERR_PIN_POLICY_VIOLATION);
        assert_int_equal(fido_dev_set_pin_minlen_rpid(dev, rps, 2, PIN), FIDO_OK);
        assert_int_equal(fido_dev_set_pin_minlen(dev, 6, PIN), FIDO_OK);

        /* The PIN is too short now. */
        dev = restart(k, dev, true);
        assert_int_equal(make(dev, "a.example", "ann", 0, PIN, &cred),
                         FIDO_ERR_PIN_POLICY_VIOLATION);
        fido_cred_free(&cred);
        assert_int_equal(fido_dev_set_pin(dev, "12345", PIN), FIDO_ERR_PIN_POLICY_VIOLATION);
        assert_int_equal(fido_dev_set_pin(dev, "123456", PIN), FIDO_OK);
        assert_int_equal(make(dev, "a.example", "ann", 0, "123456", &cred), FIDO_OK);
        fido_cred_free(&cred);

        assert_int_equal(fido_dev_toggle_always_uv(dev, "123456"), FIDO_OK);
        dev = restart(k, dev, false);
        assert_int_equal(make(dev, "a.example", "bob", 0, NULL, &cred), FIDO_ERR_PIN_REQUIRED);
        fido_cred_free(&cred);
        assert_int_equal(fido_dev_toggle_always_uv(dev, "123456"), FIDO_OK);
        stop(k, dev);
}

static void settings_that_are_locked_stay(void **state) {
        struct daemon_kit *k = *state;
        fido_dev_t *dev;

        dev = set_pin(k, start(k, "--set=policy.locked=all"));
        assert_int_equal(fido_dev_set_pin_minlen(dev, 6, PIN), FIDO_ERR_OPERATION_DENIED);
        assert_int_equal(fido_dev_toggle_always_uv(dev, PIN), FIDO_ERR_OPERATION_DENIED);
        stop(k, dev);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, kit_setup, kit_teardown)

int main(void) {
        const struct CMUnitTest tests[] = {
                TEST(passkeys_are_listed_renamed_and_deleted),
                TEST(large_blobs_are_kept_over_restarts_and_go_with_a_reset),
                TEST(the_array_of_large_blobs_may_fill_its_room),
                TEST(settings_are_changed_for_good),
                TEST(settings_that_are_locked_stay),
        };

        return cmocka_run_group_tests_name("daemon-manage", tests, NULL, NULL);
}
