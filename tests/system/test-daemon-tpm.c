/* SPDX-License-Identifier: BSD-2-Clause */

/* The daemon on a TPM that is not its own: it sleeps, it is gone for a while, it is cleared. */

#include <fido.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "ctap/bytes.h"
#include "tests/system/fido-kit.h"
#include "tests/system/swtpm.h"
#include "tests/system/test-daemon-kit.h"
#include "tests/unit/test.h"

struct world {
        struct daemon_kit kit;
        struct swtpm tpm;
};

static void start(struct world *w) {
        char setting[96];
        const char *settings[] = { "--presence=auto", "--log-level=debug", setting, NULL };

        snprintf(setting, sizeof(setting), "--tpm=%s", w->tpm.tcti);
        kit_start(&w->kit, settings);
}

static int setup(void **state) {
        struct world *w = calloc(1, sizeof(*w));

        *state = w;
        swtpm_start(&w->tpm);
        if (kit_init(&w->kit) < 0)
                return -1;
        start(w);
        return 0;
}

static int teardown(void **state) {
        struct world *w = *state;

        kit_done(&w->kit);
        swtpm_end(&w->tpm);
        free(w);
        return 0;
}

static void assert_cli(struct world *w, const char *arguments, const char *input, int status,
                       const char *says) {
        char out[8192];
        int got = kit_cli_with(&w->kit, arguments, input, out, sizeof(out));

        if (got != status || !strstr(out, says))
                fail_msg("tpmauthn %s: exit %d and not %d, or not '%s': %s", arguments, got, status,
                         says, out);
}

/* The status of a registration. */
static int register_one(fido_dev_t *dev) {
        static const unsigned char hash[32] = "thirty-two bytes of client data";
        fido_cred_t *c = fido_cred_new();
        int r;

        fido_cred_set_type(c, COSE_ES256);
        fido_cred_set_rp(c, "sleep.test", NULL);
        fido_cred_set_user(c, (const unsigned char *)"u", 1, "u", NULL, NULL);
        fido_cred_set_clientdata_hash(c, hash, sizeof(hash));
        fido_cred_set_rk(c, FIDO_OPT_TRUE);
        r = fido_dev_make_cred(dev, c, NULL);
        fido_cred_free(&c);
        return r;
}

static void a_tpm_that_slept_works_on(void **state) {
        const struct timespec until_idle = { .tv_sec = 1, .tv_nsec = 300000000 };
        struct world *w = *state;
        fido_dev_t *dev = kit_open_key(&w->kit);

        for (int i = 0; i < 2; i++) {
                assert_int_equal(register_one(dev), FIDO_OK);
                nanosleep(&until_idle, NULL); /* it lets the connection go, which swtpm waits for */
                swtpm_sleep(&w->tpm, i == 0);
        }
        assert_int_equal(register_one(dev), FIDO_OK);
        assert_cli(w, "pin set", "1234\n", 0, "set");
        nanosleep(&until_idle, NULL);
        swtpm_sleep(&w->tpm, false);
        assert_cli(w, "pin change", "1234\n5678\n", 0, "changed");
        assert_cli(w, "status", "", 0, "ready");
        kit_close_key(dev);
        assert_int_equal(kit_stop(&w->kit), 0);
}

static void a_tpm_that_is_gone_is_told_by_status_and_comes_back(void **state) {
        struct world *w = *state;
        fido_dev_t *dev = kit_open_key(&w->kit);

        swtpm_kill(&w->tpm);
        assert_int_equal(register_one(dev), FIDO_ERR_ERR_OTHER);
        kit_await_state(&w->kit, "failed");
        assert_cli(w, "status", "", 5, "No TPM 2.0 answers at swtpm:");
        assert_cli(w, "doctor", "", 1, "device 0 is failed");

        /* It is noticed by itself with the next request. */
        swtpm_boot(&w->tpm);
        assert_int_equal(register_one(dev), FIDO_OK);
        kit_await_state(&w->kit, "ready");

        /* Or when somebody says so. */
        swtpm_kill(&w->tpm);
        assert_int_equal(register_one(dev), FIDO_ERR_ERR_OTHER);
        kit_await_state(&w->kit, "failed");
        kit_close_key(dev);
        assert_cli(w, "replug", "", 5, "No TPM 2.0 answers");
        swtpm_boot(&w->tpm);
        assert_cli(w, "replug", "", 0, "ready");
        assert_int_equal(kit_stop(&w->kit), 0);
}

static void a_tpm_that_was_cleared_begins_anew(void **state) {
        struct world *w = *state;
        fido_dev_t *dev = kit_open_key(&w->kit);

        assert_int_equal(register_one(dev), FIDO_OK);
        kit_close_key(dev);
        assert_int_equal(kit_stop(&w->kit), 0);
        swtpm_clear(&w->tpm);
        start(w);
        assert_cli(w, "status", "", 0, "store.db.replaced-2");
        assert_cli(w, "list", "", 0, "There are no passkeys");
        dev = kit_open_key(&w->kit);
        assert_int_equal(register_one(dev), FIDO_OK);
        kit_close_key(dev);
        assert_int_equal(kit_stop(&w->kit), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
        const struct CMUnitTest tests[] = {
                TEST(a_tpm_that_slept_works_on),
                TEST(a_tpm_that_is_gone_is_told_by_status_and_comes_back),
                TEST(a_tpm_that_was_cleared_begins_anew),
        };

        return cmocka_run_group_tests_name("daemon-tpm", tests, NULL, NULL);
}
