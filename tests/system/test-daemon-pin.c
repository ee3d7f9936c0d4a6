/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The PIN from outside: libfido2 sets it, uses it and guesses it, while the daemon is killed,
 * restarted and plugged in anew, and while its disk is put back to an older copy. The TPM is a
 * swtpm whose state stays as it is: that is what no attacker can put back.
 */

#include <glob.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "tests/system/fido-kit.h"
#include "tests/unit/test.h"

#define PIN   "1234"
#define WRONG "4321"

static const char *const automatic[] = { "--presence=auto", NULL };
static const unsigned char challenge[32] = "a challenge of thirty-two bytes";
static const unsigned char salt[32] = "a salt of exactly 32 bytes, yes";

/* ---- the client ---- */

struct passkey {
        unsigned char id[256];
        size_t id_len;
        es256_pk_t *public;
};

static void passkey_done(struct passkey *p) {
        es256_pk_free(&p->public);
}

static int make(fido_dev_t *dev, int extensions, int protect, const char *pin,
                struct passkey *ret) {
        fido_cred_t *cred = fido_cred_new();
        int r;

        assert_non_null(cred);
        assert_int_equal(fido_cred_set_type(cred, COSE_ES256), FIDO_OK);
        assert_int_equal(fido_cred_set_clientdata_hash(cred, challenge, sizeof(challenge)),
                         FIDO_OK);
        assert_int_equal(fido_cred_set_rp(cred, "example.com", "Example"), FIDO_OK);
        assert_int_equal(fido_cred_set_user(cred, (const unsigned char *)"u1", 2, "alice", "Alice",
                                            NULL),
                         FIDO_OK);
        assert_int_equal(fido_cred_set_extensions(cred, extensions), FIDO_OK);
        if (protect)
                assert_int_equal(fido_cred_set_prot(cred, protect), FIDO_OK);
        r = fido_dev_make_cred(dev, cred, pin);
        if (r == FIDO_OK) {
                assert_int_equal(fido_cred_verify_self(cred), FIDO_OK);
                assert_int_equal((fido_cred_flags(cred) & 0x04) != 0, pin != NULL);
                ret->id_len = fido_cred_id_len(cred);
                memcpy(ret->id, fido_cred_id_ptr(cred), ret->id_len);
                ret->public = es256_pk_new();
                assert_int_equal(es256_pk_from_ptr(ret->public, fido_cred_pubkey_ptr(cred),
                                                   fido_cred_pubkey_len(cred)),
                                 FIDO_OK);
        }
        fido_cred_free(&cred);
        return r;
}

/* `ret_secret`: 32 bytes of hmac-secret, or NULL if it is not asked for. */
static int use(fido_dev_t *dev, const struct passkey *p, const char *pin, uint8_t *ret_secret) {
        fido_assert_t *a = fido_assert_new();
        int r;

        assert_non_null(a);
        assert_int_equal(fido_assert_set_clientdata_hash(a, challenge, sizeof(challenge)), FIDO_OK);
        assert_int_equal(fido_assert_set_rp(a, "example.com"), FIDO_OK);
        assert_int_equal(fido_assert_allow_cred(a, p->id, p->id_len), FIDO_OK);
        if (ret_secret) {
                assert_int_equal(fido_assert_set_extensions(a, FIDO_EXT_HMAC_SECRET), FIDO_OK);
                assert_int_equal(fido_assert_set_hmac_salt(a, salt, sizeof(salt)), FIDO_OK);
        }
        r = fido_dev_get_assert(dev, a, pin);
        if (r == FIDO_OK) {
                assert_int_equal((fido_assert_flags(a, 0) & 0x04) != 0, pin != NULL);
                assert_int_equal(fido_assert_set_up(a, FIDO_OPT_TRUE), FIDO_OK);
                assert_int_equal(fido_assert_verify(a, 0, COSE_ES256, p->public), FIDO_OK);
                if (ret_secret) {
                        assert_int_equal(fido_assert_hmac_secret_len(a, 0), 32);
                        memcpy(ret_secret, fido_assert_hmac_secret_ptr(a, 0), 32);
                }
        }
        fido_assert_free(&a);
        return r;
}

static int retries(fido_dev_t *dev) {
        int n = -1;

        assert_int_equal(fido_dev_get_retry_count(dev, &n), FIDO_OK);
        return n;
}

static void start(struct daemon_kit *k, fido_dev_t **ret) {
        kit_start(k, automatic);
        *ret = kit_open_key(k);
}

/* A client that knows of the PIN. */
static fido_dev_t *start_with_pin(struct daemon_kit *k) {
        fido_dev_t *dev;

        start(k, &dev);
        assert_int_equal(fido_dev_set_pin(dev, PIN, NULL), FIDO_OK);
        kit_close_key(dev);
        return kit_open_key(k);
}

static void stop(struct daemon_kit *k, fido_dev_t *dev) {
        kit_close_key(dev);
        assert_int_equal(kit_stop(k), 0);
}

static void kill_it(struct daemon_kit *k, fido_dev_t *dev) {
        kit_close_key(dev);
        kill(k->pid, SIGKILL);
        assert_true(kit_stop(k) != 0);
}

static fido_dev_t *replug(struct daemon_kit *k, fido_dev_t *dev) {
        kit_close_key(dev);
        json_decref(kit_control(k, "replug", NULL));
        kit_await_state(k, "ready");
        return kit_open_key(k);
}

static void shell(const struct daemon_kit *k, const char *command) {
        char line[512];

        snprintf(line, sizeof(line), "cd %s/state/users/* && %s", k->folder, command);
        assert_int_equal(system(line), 0);
}

static void assert_control_error(const struct daemon_kit *k, const char *method, const char *params,
                                 const char *code) {
        json_t *answer = kit_control(k, method, params);
        const json_t *error = json_object_get(answer, "error");

        assert_string_equal(json_string_value(json_object_get(error, "code")), code);
        json_decref(answer);
}

/* ---- what the owner does ---- */

static void the_pin_is_set_used_and_changed(void **state) {
        struct daemon_kit *k = *state;
        char out[4096];
        struct passkey p;
        fido_dev_t *dev;

        start(k, &dev);
        assert_false(fido_dev_has_pin(dev));
        assert_int_equal(make(dev, 0, 0, PIN, &p), FIDO_ERR_PIN_NOT_SET);
        assert_int_equal(fido_dev_set_pin(dev, "123", NULL), FIDO_ERR_PIN_POLICY_VIOLATION);
        assert_int_equal(fido_dev_set_pin(dev, PIN, NULL), FIDO_OK);
        kit_close_key(dev);

        dev = kit_open_key(k);
        assert_true(fido_dev_has_pin(dev));
        assert_int_equal(retries(dev), 8);
        assert_int_equal(make(dev, 0, 0, PIN, &p), FIDO_OK);
        assert_int_equal(use(dev, &p, PIN, NULL), FIDO_OK);
        assert_int_equal(use(dev, &p, NULL, NULL), FIDO_OK);
        assert_int_equal(use(dev, &p, WRONG, NULL), FIDO_ERR_PIN_INVALID);
        assert_int_equal(retries(dev), 7);

        assert_int_equal(fido_dev_set_pin(dev, "new " PIN, WRONG), FIDO_ERR_PIN_INVALID);
        assert_int_equal(fido_dev_set_pin(dev, "new " PIN, PIN), FIDO_OK);
        assert_int_equal(retries(dev), 8);
        stop(k, dev);

        start(k, &dev);
        assert_int_equal(use(dev, &p, PIN, NULL), FIDO_ERR_PIN_INVALID);
        assert_int_equal(use(dev, &p, "new " PIN, NULL), FIDO_OK);
        assert_int_equal(kit_cli(k, "pin status", out, sizeof(out)), 0);
        passkey_done(&p);
        stop(k, dev);
}

static void credProtect_3_is_hidden_without_the_pin(void **state) {
        struct daemon_kit *k = *state;
        struct passkey p;
        fido_dev_t *dev;

        dev = start_with_pin(k);
        assert_int_equal(make(dev, FIDO_EXT_CRED_PROTECT, FIDO_CRED_PROT_UV_REQUIRED, PIN, &p),
                         FIDO_OK);
        assert_int_equal(use(dev, &p, NULL, NULL), FIDO_ERR_NO_CREDENTIALS);
        assert_int_equal(use(dev, &p, PIN, NULL), FIDO_OK);
        kill_it(k, dev);

        start(k, &dev);
        assert_int_equal(use(dev, &p, NULL, NULL), FIDO_ERR_NO_CREDENTIALS);
        assert_int_equal(use(dev, &p, PIN, NULL), FIDO_OK);
        passkey_done(&p);
        stop(k, dev);
}

static void hmac_secret_repeats_and_knows_the_pin(void **state) {
        struct daemon_kit *k = *state;
        uint8_t with[2][32], without[2][32];
        struct passkey p;
        fido_dev_t *dev;

        dev = start_with_pin(k);
        assert_int_equal(make(dev, FIDO_EXT_HMAC_SECRET, 0, PIN, &p), FIDO_OK);
        assert_int_equal(use(dev, &p, PIN, with[0]), FIDO_OK);
        assert_int_equal(use(dev, &p, NULL, without[0]), FIDO_OK);
        assert_memory_not_equal(with[0], without[0], 32);
        stop(k, dev);

        start(k, &dev);
        assert_int_equal(use(dev, &p, PIN, with[1]), FIDO_OK);
        assert_int_equal(use(dev, &p, NULL, without[1]), FIDO_OK);
        assert_memory_equal(with[0], with[1], 32);
        assert_memory_equal(without[0], without[1], 32);

        /* A credential that never asked for it has it all the same. */
        passkey_done(&p);
        assert_int_equal(make(dev, 0, 0, NULL, &p), FIDO_OK);
        assert_int_equal(use(dev, &p, NULL, without[0]), FIDO_OK);
        kill_it(k, dev);
        start(k, &dev);
        assert_int_equal(use(dev, &p, NULL, without[1]), FIDO_OK);
        assert_memory_equal(without[0], without[1], 32);
        passkey_done(&p);
        stop(k, dev);
}

/* ---- guessing ---- */

static void guess(fido_dev_t *dev, int expected_left) {
        int r = fido_dev_set_pin(dev, "5678", WRONG);

        assert_int_equal(r, expected_left == 0 ? FIDO_ERR_PIN_BLOCKED : FIDO_ERR_PIN_INVALID);
        assert_int_equal(retries(dev), expected_left);
}

static void assert_blocked(struct daemon_kit *k, fido_dev_t **dev) {
        struct passkey p;

        assert_int_equal(make(*dev, 0, 0, PIN, &p), FIDO_ERR_PIN_BLOCKED);
        assert_int_equal(fido_dev_set_pin(*dev, "5678", PIN), FIDO_ERR_PIN_BLOCKED);
        *dev = replug(k, *dev);
        assert_int_equal(retries(*dev), 0);
        assert_int_equal(make(*dev, 0, 0, PIN, &p), FIDO_ERR_PIN_BLOCKED);
}

static void eight_wrong_pins_block_whatever_happens_between_them(void **state) {
        struct daemon_kit *k = *state;
        fido_dev_t *dev, *other;

        dev = start_with_pin(k);

        guess(dev, 7);
        other = kit_open_key(k);
        guess(other, 6);
        kit_close_key(other);
        dev = replug(k, dev);
        guess(dev, 5);
        guess(dev, 4);
        kill_it(k, dev);
        start(k, &dev);
        assert_int_equal(retries(dev), 4);
        guess(dev, 3);
        stop(k, dev);
        start(k, &dev);
        guess(dev, 2);
        dev = replug(k, dev);
        guess(dev, 1);
        kill_it(k, dev);
        start(k, &dev);
        guess(dev, 0);
        assert_blocked(k, &dev);
        stop(k, dev);
        start(k, &dev);
        assert_blocked(k, &dev);
        stop(k, dev);
}

/* Three in a row wait for a new plug-in, and the right one among them costs nothing. */
static void three_wrong_pins_in_a_row_wait_for_a_new_plug_in(void **state) {
        struct daemon_kit *k = *state;
        struct passkey p;
        fido_dev_t *dev;

        dev = start_with_pin(k);
        guess(dev, 7);
        guess(dev, 6);
        assert_int_equal(fido_dev_set_pin(dev, "5678", WRONG), FIDO_ERR_PIN_AUTH_BLOCKED);
        assert_int_equal(make(dev, 0, 0, PIN, &p), FIDO_ERR_PIN_AUTH_BLOCKED);
        assert_int_equal(retries(dev), 5);
        dev = replug(k, dev);
        assert_int_equal(make(dev, 0, 0, PIN, &p), FIDO_OK);
        assert_int_equal(retries(dev), 8);
        passkey_done(&p);
        stop(k, dev);
}

/* A reset that is refused, and a backup that is: each may be had by whoever guesses, as often as wanted. */
static void what_is_refused_gives_no_guess_before_a_new_plug_in(void **state) {
        struct daemon_kit *k = *state;
        char out[4096], params[256], arguments[160];
        struct passkey p;
        fido_dev_t *dev;

        dev = start_with_pin(k);
        snprintf(arguments, sizeof(arguments), "backup %s/state/backup", k->folder);
        assert_int_equal(kit_cli(k, arguments, out, sizeof(out)), 0);
        guess(dev, 7);
        guess(dev, 6);
        assert_int_equal(fido_dev_set_pin(dev, "5678", WRONG), FIDO_ERR_PIN_AUTH_BLOCKED);

        snprintf(params, sizeof(params), "{\"owner_auth\":\"%0200d\"}", 0);
        assert_control_error(k, "reset", params, "owner-auth");
        assert_int_equal(make(dev, 0, 0, PIN, &p), FIDO_ERR_PIN_AUTH_BLOCKED);

        shell(k, "printf Z | dd of=../../backup bs=1 conv=notrunc seek=20000 status=none");
        snprintf(arguments, sizeof(arguments), "--yes restore %s/state/backup", k->folder);
        assert_int_equal(kit_cli(k, arguments, out, sizeof(out)), 1);
        assert_non_null(strstr(out, "or it was changed"));
        assert_int_equal(make(dev, 0, 0, PIN, &p), FIDO_ERR_PIN_AUTH_BLOCKED);
        assert_int_equal(retries(dev), 5);

        /* One that is carried out does. */
        json_decref(kit_control(k, "reset", NULL));
        kit_close_key(dev);
        dev = kit_open_key(k);
        assert_int_equal(fido_dev_set_pin(dev, PIN, NULL), FIDO_OK);
        assert_int_equal(retries(dev), 8);
        stop(k, dev);
}

/* ---- an older disk ---- */

static void keep_a_copy(const struct daemon_kit *k) {
        shell(k, "cp store.db ../copy");
}

static void put_the_copy_back(const struct daemon_kit *k) {
        shell(k, "rm -f store.db store.db-* && cp ../copy store.db");
}

static void an_older_disk_gives_no_try_back(void **state) {
        struct daemon_kit *k = *state;
        fido_dev_t *dev;
        int n = 8;

        start(k, &dev);
        assert_int_equal(fido_dev_set_pin(dev, PIN, NULL), FIDO_OK);
        stop(k, dev);
        keep_a_copy(k);
        while (n > 0) {
                put_the_copy_back(k);
                start(k, &dev);
                assert_int_equal(retries(dev), n);
                guess(dev, --n);
                stop(k, dev);
        }
        put_the_copy_back(k);
        start(k, &dev);
        assert_blocked(k, &dev);
        stop(k, dev);
}

static void an_older_disk_does_not_bring_an_old_pin_back(void **state) {
        struct daemon_kit *k = *state;
        struct passkey p;
        fido_dev_t *dev;

        start(k, &dev);
        stop(k, dev);
        keep_a_copy(k); /* of a time when there was no PIN */
        start(k, &dev);
        assert_int_equal(fido_dev_set_pin(dev, PIN, NULL), FIDO_OK);
        stop(k, dev);
        put_the_copy_back(k);
        start(k, &dev);
        assert_int_equal(fido_dev_set_pin(dev, WRONG, NULL), FIDO_ERR_PIN_AUTH_INVALID);
        kit_close_key(dev);
        dev = kit_open_key(k);
        assert_true(fido_dev_has_pin(dev));
        assert_int_equal(make(dev, 0, 0, PIN, &p), FIDO_OK);
        stop(k, dev);

        keep_a_copy(k); /* of a time before the PIN was changed */
        start(k, &dev);
        assert_int_equal(fido_dev_set_pin(dev, "5678", PIN), FIDO_OK);
        stop(k, dev);
        put_the_copy_back(k);
        start(k, &dev);
        assert_int_equal(use(dev, &p, PIN, NULL), FIDO_ERR_PIN_INVALID);
        assert_int_equal(use(dev, &p, "5678", NULL), FIDO_OK);
        passkey_done(&p);
        stop(k, dev);
}

/* The keys of before the reset are dead; their store is set aside, and an empty one begun. */
static void an_older_disk_does_not_undo_a_reset(void **state) {
        struct daemon_kit *k = *state;
        char out[8192], pattern[128];
        struct passkey p;
        fido_dev_t *dev;
        glob_t found;

        dev = start_with_pin(k);
        assert_int_equal(make(dev, 0, 0, PIN, &p), FIDO_OK);
        stop(k, dev);
        keep_a_copy(k);
        start(k, &dev);
        assert_int_equal(kit_cli(k, "reset --yes", out, sizeof(out)), 0);
        stop(k, dev);
        put_the_copy_back(k);

        start(k, &dev);
        assert_false(fido_dev_has_pin(dev));
        assert_int_equal(use(dev, &p, NULL, NULL), FIDO_ERR_NO_CREDENTIALS);
        assert_int_equal(kit_cli(k, "status", out, sizeof(out)), 0);
        snprintf(pattern, sizeof(pattern), "%s/state/users/*/store.db.replaced-*", k->folder);
        assert_int_equal(glob(pattern, 0, NULL, &found), 0);
        assert_int_equal(found.gl_pathc, 1);
        assert_non_null(strstr(out, strrchr(found.gl_pathv[0], '/') + 1));
        globfree(&found);
        passkey_done(&p);
        stop(k, dev);
}

/* ---- typed here, and not to the client ---- */

/* Status and flags of a registration that asks for verification and gives no PIN. */
static int make_by_uv(fido_dev_t *dev, uint8_t *ret_flags) {
        fido_cred_t *cred = fido_cred_new();
        int r;

        assert_non_null(cred);
        assert_int_equal(fido_cred_set_type(cred, COSE_ES256), FIDO_OK);
        assert_int_equal(fido_cred_set_clientdata_hash(cred, challenge, sizeof(challenge)),
                         FIDO_OK);
        assert_int_equal(fido_cred_set_rp(cred, "example.com", "Example"), FIDO_OK);
        assert_int_equal(fido_cred_set_user(cred, (const unsigned char *)"u1", 2, "alice", "Alice",
                                            NULL),
                         FIDO_OK);
        assert_int_equal(fido_cred_set_rk(cred, FIDO_OPT_TRUE), FIDO_OK);
        assert_int_equal(fido_cred_set_uv(cred, FIDO_OPT_TRUE), FIDO_OK);
        r = fido_dev_make_cred(dev, cred, NULL);
        if (r == FIDO_OK) {
                assert_int_equal(fido_cred_verify_self(cred), FIDO_OK);
                *ret_flags = fido_cred_flags(cred);
        }
        fido_cred_free(&cred);
        return r;
}

static int uv_retries(fido_dev_t *dev) {
        int n = -1;

        assert_int_equal(fido_dev_get_uv_retry_count(dev, &n), FIDO_OK);
        return n;
}

/* A daemon that types the PIN when it is asked for it, as the line of a file says. */
static void start_typing(struct daemon_kit *k) {
        char path[80], setting[128];
        const char *const settings[] = { "--presence=auto", setting, NULL };
        FILE *f;

        snprintf(path, sizeof(path), "%s/typed", k->folder);
        snprintf(setting, sizeof(setting), "--set=presence.pin-file=%s", path);
        f = fopen(path, "we");
        assert_non_null(f);
        assert_true(fputs(PIN "\n", f) >= 0);
        assert_int_equal(fclose(f), 0);
        kit_start(k, settings);
}

/* And from now on another one. */
static void type(const struct daemon_kit *k, const char *pin) {
        char out[1024], line[64];

        snprintf(line, sizeof(line), "%s\n", pin);
        assert_int_equal(kit_cli_with(k, "presence pin", line, out, sizeof(out)), 0);
}

/*
 * libfido2 takes a token by built-in verification, and where that is blocked says so: the way back is
 * the PIN, given to a client.
 */
static void CP25_libfido2_has_the_pin_typed_here(void **state) {
        struct daemon_kit *k = *state;
        struct passkey p = { .public = NULL };
        uint8_t flags = 0;
        fido_dev_t *dev;

        start_typing(k);
        dev = kit_open_key(k);
        assert_false(fido_dev_has_uv(dev)); /* nothing to type yet */
        assert_int_equal(fido_dev_set_pin(dev, PIN, NULL), FIDO_OK);
        kit_close_key(dev);
        dev = kit_open_key(k);
        assert_true(fido_dev_has_uv(dev));
        assert_int_equal(uv_retries(dev), 3);
        assert_int_equal(make_by_uv(dev, &flags), FIDO_OK);
        assert_int_equal(flags & 0x05, 0x05);

        type(k, WRONG);
        assert_int_equal(make_by_uv(dev, &flags), FIDO_ERR_UV_BLOCKED);
        assert_int_equal(uv_retries(dev), 0);
        assert_int_equal(retries(dev), 5);
        assert_int_equal(make(dev, 0, 0, PIN, &p), FIDO_ERR_PIN_AUTH_BLOCKED);

        dev = replug(k, dev);
        assert_int_equal(uv_retries(dev), 0);
        type(k, PIN);
        assert_int_equal(make_by_uv(dev, &flags), FIDO_ERR_UV_BLOCKED);
        assert_int_equal(make(dev, 0, 0, PIN, &p), FIDO_OK);
        assert_int_equal(uv_retries(dev), 3);
        assert_int_equal(make_by_uv(dev, &flags), FIDO_OK);
        passkey_done(&p);
        stop(k, dev);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, kit_setup, kit_teardown)

int main(void) {
        const struct CMUnitTest tests[] = {
                TEST(the_pin_is_set_used_and_changed),
                TEST(credProtect_3_is_hidden_without_the_pin),
                TEST(hmac_secret_repeats_and_knows_the_pin),
                TEST(eight_wrong_pins_block_whatever_happens_between_them),
                TEST(three_wrong_pins_in_a_row_wait_for_a_new_plug_in),
                TEST(what_is_refused_gives_no_guess_before_a_new_plug_in),
                TEST(an_older_disk_gives_no_try_back),
                TEST(an_older_disk_does_not_bring_an_old_pin_back),
                TEST(an_older_disk_does_not_undo_a_reset),
                TEST(CP25_libfido2_has_the_pin_typed_here),
        };

        return cmocka_run_group_tests_name("daemon-pin", tests, NULL, NULL);
}
