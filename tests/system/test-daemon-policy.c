/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The policy of an administrator as a client sees it that knows nothing of us, over the daemon's
 * socket; what the files say to it, and who may erase everything.
 */

#include <errno.h>
#include <fido/config.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/system/control-kit.h"
#include "tests/system/fido-kit.h"
#include "tests/unit/test.h"

#define PIN   "1739"
#define SITE  "example.com"
#define OTHER "a.example"

static const unsigned char challenge[32] = "a challenge of thirty-two bytes";

static void start(struct daemon_kit *k, const char *a, const char *b, const char *c) {
        const char *settings[] = { "--presence=auto", a, b, c, NULL };

        kit_start(k, settings);
}

static void cli(const struct daemon_kit *k, const char *arguments, const char *input, int status,
                const char *says) {
        char out[8192];
        const int got = kit_cli_with(k, arguments, input, out, sizeof(out));

        if (got != status || !strstr(out, says))
                fail_msg("tpmauthn %s: %d, %s", arguments, got, out);
}

/* ---- a client ---- */

static int make(const struct daemon_kit *k, const char *site, struct kit_passkey *ret) {
        fido_dev_t *dev = kit_open_key(k);
        fido_cred_t *cred = fido_cred_new();
        int r;

        assert_int_equal(fido_cred_set_type(cred, COSE_ES256), FIDO_OK);
        assert_int_equal(fido_cred_set_clientdata_hash(cred, challenge, sizeof(challenge)),
                         FIDO_OK);
        assert_int_equal(fido_cred_set_rp(cred, site, NULL), FIDO_OK);
        assert_int_equal(fido_cred_set_user(cred, (const unsigned char *)"u1", 2, "alice", NULL,
                                            NULL),
                         FIDO_OK);
        r = fido_dev_make_cred(dev, cred, NULL);
        if (r == FIDO_OK && ret) {
                ret->id_len = fido_cred_id_len(cred);
                memcpy(ret->id, fido_cred_id_ptr(cred), ret->id_len);
        }
        fido_cred_free(&cred);
        kit_close_key(dev);
        return r;
}

static int use(const struct daemon_kit *k, const char *site, const struct kit_passkey *p,
               bool silently) {
        fido_dev_t *dev = kit_open_key(k);
        fido_assert_t *a = fido_assert_new();
        int r;

        assert_int_equal(fido_assert_set_clientdata_hash(a, challenge, sizeof(challenge)), FIDO_OK);
        assert_int_equal(fido_assert_set_rp(a, site), FIDO_OK);
        if (p)
                assert_int_equal(fido_assert_allow_cred(a, p->id, p->id_len), FIDO_OK);
        if (silently)
                assert_int_equal(fido_assert_set_up(a, FIDO_OPT_FALSE), FIDO_OK);
        r = fido_dev_get_assert(dev, a, NULL);
        fido_assert_free(&a);
        kit_close_key(dev);
        return r;
}

/* By U2F: libfido2 speaks it where it is told to. */
static int use_by_u2f(const struct daemon_kit *k, const char *site, const struct kit_passkey *p) {
        fido_dev_t *dev = kit_open_key(k);
        fido_assert_t *a = fido_assert_new();
        int r;

        fido_dev_force_u2f(dev);
        assert_int_equal(fido_assert_set_clientdata_hash(a, challenge, sizeof(challenge)), FIDO_OK);
        assert_int_equal(fido_assert_set_rp(a, site), FIDO_OK);
        assert_int_equal(fido_assert_allow_cred(a, p->id, p->id_len), FIDO_OK);
        r = fido_dev_get_assert(dev, a, NULL);
        fido_assert_free(&a);
        kit_close_key(dev);
        return r;
}

struct told {
        uint64_t min_pin_length;
        bool force_pin_change, always_uv, u2f;
        bool has_ep, ep;
};

static struct told ask(const struct daemon_kit *k) {
        fido_dev_t *dev = kit_open_key(k);
        fido_cbor_info_t *info = fido_cbor_info_new();
        struct told t = { 0 };
        char **names, **versions;
        const bool *values;

        assert_int_equal(fido_dev_get_cbor_info(dev, info), FIDO_OK);
        t.min_pin_length = fido_cbor_info_minpinlen(info);
        t.force_pin_change = fido_cbor_info_new_pin_required(info);
        names = fido_cbor_info_options_name_ptr(info);
        values = fido_cbor_info_options_value_ptr(info);
        for (size_t i = 0; i < fido_cbor_info_options_len(info); i++) {
                if (strcmp(names[i], "alwaysUv") == 0)
                        t.always_uv = values[i];
                if (strcmp(names[i], "ep") == 0) {
                        t.has_ep = true;
                        t.ep = values[i];
                }
        }
        versions = fido_cbor_info_versions_ptr(info);
        for (size_t i = 0; i < fido_cbor_info_versions_len(info); i++)
                t.u2f = t.u2f || strcmp(versions[i], "U2F_V2") == 0;
        fido_cbor_info_free(&info);
        kit_close_key(dev);
        return t;
}

/* ---- PINs ---- */

static void the_least_length_of_a_pin_can_only_be_raised(void **state) {
        struct daemon_kit *k = *state;
        fido_dev_t *dev;

        start(k, "--set=policy.min-pin-length=6", NULL, NULL);
        assert_int_equal(ask(k).min_pin_length, 6);
        cli(k, "pin set", "12345\n", 1, "at least 6 characters");
        cli(k, "pin set", "173946\n", 0, "The PIN is set");
        dev = kit_open_key(k);
        assert_int_equal(fido_dev_set_pin_minlen(dev, 5, "173946"), FIDO_ERR_PIN_POLICY_VIOLATION);
        assert_int_equal(fido_dev_set_pin_minlen(dev, 8, "173946"), FIDO_OK);
        kit_close_key(dev);
        assert_int_equal(ask(k).min_pin_length, 8);
        assert_true(ask(k).force_pin_change);
        assert_int_equal(kit_stop(k), 0);
}

static void a_pin_of_before_the_policy_has_to_be_changed(void **state) {
        struct daemon_kit *k = *state;
        fido_dev_t *dev;

        start(k, NULL, NULL, NULL);
        cli(k, "pin set", "1234\n", 0, "The PIN is set");
        assert_false(ask(k).force_pin_change);
        assert_int_equal(kit_stop(k), 0);

        start(k, "--set=policy.pin-complexity=yes", NULL, NULL);
        assert_true(ask(k).force_pin_change);
        dev = kit_open_key(k);
        assert_int_equal(fido_dev_set_pin(dev, "4321", "1234"), FIDO_ERR_PIN_POLICY_VIOLATION);
        assert_int_equal(fido_dev_set_pin(dev, PIN, "1234"), FIDO_OK);
        kit_close_key(dev);
        assert_false(ask(k).force_pin_change);
        assert_int_equal(kit_stop(k), 0);

        start(k, "--set=policy.pin-complexity=yes", "--set=policy.min-pin-length=4", NULL);
        assert_false(ask(k).force_pin_change);
        assert_int_equal(kit_stop(k), 0);
}

/* ---- locks ---- */

static void a_lock_is_of_one_setting(void **state) {
        struct daemon_kit *k = *state;
        fido_dev_t *dev;

        start(k, "--set=policy.always-uv=yes", "--set=policy.locked=always-uv min-pin-length",
              NULL);
        assert_true(ask(k).always_uv);
        cli(k, "pin set", PIN "\n", 0, "The PIN is set");
        dev = kit_open_key(k);
        assert_int_equal(fido_dev_toggle_always_uv(dev, PIN), FIDO_ERR_OPERATION_DENIED);
        assert_int_equal(fido_dev_set_pin_minlen(dev, 6, PIN), FIDO_ERR_OPERATION_DENIED);
        assert_int_equal(fido_dev_force_pin_change(dev, PIN), FIDO_OK);
        kit_close_key(dev);
        assert_true(ask(k).force_pin_change);
        assert_true(ask(k).always_uv);
        assert_int_equal(kit_stop(k), 0);
}

/* ---- sites ---- */

static void a_forbidden_site_is_refused_whatever_is_there(void **state) {
        const struct kit_passkey no_passkey = { .id = { 7 }, .id_len = 48 };
        struct daemon_kit *k = *state;
        struct kit_passkey p = { 0 };

        start(k, NULL, NULL, NULL);
        assert_int_equal(make(k, SITE, &p), FIDO_OK);
        assert_int_equal(use(k, SITE, &p, false), FIDO_OK);
        assert_int_equal(kit_stop(k), 0);

        start(k, "--set=policy.rp-deny=" SITE, NULL, NULL);
        assert_true(ask(k).u2f);
        assert_int_equal(make(k, SITE, NULL), FIDO_ERR_OPERATION_DENIED);
        assert_int_equal(use(k, SITE, &p, false), FIDO_ERR_OPERATION_DENIED);
        assert_int_equal(use(k, SITE, &no_passkey, false), FIDO_ERR_OPERATION_DENIED);
        assert_int_equal(use(k, SITE, &p, true), FIDO_ERR_NO_CREDENTIALS);
        assert_int_equal(use(k, SITE, &no_passkey, true), FIDO_ERR_NO_CREDENTIALS);
        assert_int_equal(use_by_u2f(k, SITE, &p), use_by_u2f(k, SITE, &no_passkey));
        assert_int_not_equal(use_by_u2f(k, SITE, &p), FIDO_OK);
        assert_int_equal(make(k, OTHER, NULL), FIDO_OK);
        cli(k, "events", "", 0, "forbidden");
        cli(k, "list", "", 0, SITE); /* and it can be deleted */
        assert_int_equal(kit_stop(k), 0);

        /* It comes back with the policy's end. */
        start(k, "--set=policy.rp-allow=*.example " SITE, NULL, NULL);
        assert_int_equal(use(k, SITE, &p, false), FIDO_OK);
        assert_int_equal(use_by_u2f(k, SITE, &p), FIDO_OK);
        assert_int_equal(make(k, OTHER, NULL), FIDO_OK);
        assert_int_equal(make(k, "evil.com", NULL), FIDO_ERR_OPERATION_DENIED);
        assert_int_equal(kit_stop(k), 0);

        start(k, "--set=policy.rp-deny=*.evil.com", NULL, NULL);
        assert_false(ask(k).u2f);
        assert_int_equal(use(k, SITE, &p, false), FIDO_OK);
        assert_int_equal(kit_stop(k), 0);
}

static void the_person_is_told_that_a_site_is_forbidden(void **state) {
        static struct kit_follower f;
        struct daemon_kit *k = *state;

        start(k, "--set=policy.rp-deny=" SITE, NULL, NULL);
        kit_follow(&f, k, "{}");
        assert_int_equal(make(k, SITE, NULL), FIDO_ERR_OPERATION_DENIED);
        kit_expect_event(&f, "question forbidden " SITE " - passive");
        close(f.fd);
        assert_int_equal(kit_stop(k), 0);
}

/* ---- reset ---- */

static void reset_by_ctap(const struct daemon_kit *k, int want) {
        fido_dev_t *dev = kit_open_key(k);

        assert_int_equal(fido_dev_reset(dev), want);
        kit_close_key(dev);
}

static void a_reset_of_the_administrator_s_is_no_client_s(void **state) {
        struct daemon_kit *k = *state;
        struct kit_passkey p = { 0 };

        start(k, "--set=policy.reset=administrator", NULL, NULL);
        assert_int_equal(make(k, SITE, &p), FIDO_OK);
        reset_by_ctap(k, FIDO_ERR_OPERATION_DENIED);
        assert_int_equal(use(k, SITE, &p, false), FIDO_OK);
        cli(k, "reset --yes", "", 0, "erased");
        assert_int_equal(use(k, SITE, &p, true), FIDO_ERR_NO_CREDENTIALS);
        assert_int_equal(kit_stop(k), 0);

        start(k, NULL, NULL, NULL);
        reset_by_ctap(k, FIDO_OK);
        assert_int_equal(kit_stop(k), 0);
}

/* ---- files ---- */

static void write_text(const struct daemon_kit *k, const char *name, const char *text) {
        char path[128];
        FILE *f;

        snprintf(path, sizeof(path), "%s/%s", k->folder, name);
        f = fopen(path, "w");
        assert_non_null(f);
        fputs(text, f);
        fclose(f);
}

static void verify(const struct daemon_kit *k, const char *action, int status, const char *says) {
        char arguments[160], command[256];

        snprintf(command, sizeof(command), "%s", TPMAUTHND);
        setenv("TPMAUTHND", command, 1);
        snprintf(arguments, sizeof(arguments), "config %s %s/c.conf", action, k->folder);
        cli(k, arguments, "", status, says);
}

static void a_policy_that_contradicts_itself_is_refused_with_its_place(void **state) {
        static const struct {
                const char *text, *says;
        } cases[] = {
                { "[policy]\nrp-allow = " SITE "\nrp-deny = *.com\n",
                  "c.conf:2: [policy] rp-allow: " SITE " is denied by rp-deny\n" },
                { "[policy]\nmin-pin-length = 6\nmin-pin-length = 4\n",
                  "c.conf:3: [policy] min-pin-length = 4: line 2 of this file says 6\n" },
                { "[policy]\nenterprise-attestation = listed\n",
                  "c.conf:2: [policy] enterprise-attestation = listed needs" },
        };
        struct daemon_kit *k = *state;

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                char command[256], out[1024];
                FILE *f;
                size_t n;

                write_text(k, "c.conf", cases[i].text);
                verify(k, "verify", 78, cases[i].says);
                verify(k, "verify", 78, "nothing was started");

                /* The daemon itself does not start either. */
                snprintf(command, sizeof(command), TPMAUTHND " --config %s/c.conf 2>&1", k->folder);
                f = popen(command, "r");
                assert_non_null(f);
                n = fread(out, 1, sizeof(out) - 1, f);
                out[n] = '\0';
                assert_int_equal(WEXITSTATUS(pclose(f)), 78);
                assert_non_null(strstr(out, cases[i].says));
        }
}

static void what_is_locked_is_shown_and_no_drop_in_changes_it(void **state) {
        struct daemon_kit *k = *state;
        char path[128];

        write_text(k, "c.conf", "[policy]\nalways-uv = yes\nlocked = always-uv\n");
        verify(k, "cat", 0, "# locked: no later file changes it, and no client\nalways-uv = yes\n");
        verify(k, "verify", 0, "");
        snprintf(path, sizeof(path), "%s/c.conf.d", k->folder);
        assert_int_equal(mkdir(path, 0700), 0);
        write_text(k, "c.conf.d/site.conf", "[policy]\nalways-uv = no\n");
        verify(k, "verify", 78, "c.conf.d/site.conf:2: [policy] always-uv = no: ");
        verify(k, "verify", 78, "c.conf:3 has locked it\n");
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, kit_setup, kit_teardown)

int main(void) {
        const struct CMUnitTest tests[] = {
                TEST(the_least_length_of_a_pin_can_only_be_raised),
                TEST(a_pin_of_before_the_policy_has_to_be_changed),
                TEST(a_lock_is_of_one_setting),
                TEST(a_forbidden_site_is_refused_whatever_is_there),
                TEST(the_person_is_told_that_a_site_is_forbidden),
                TEST(a_reset_of_the_administrator_s_is_no_client_s),
                TEST(a_policy_that_contradicts_itself_is_refused_with_its_place),
                TEST(what_is_locked_is_shown_and_no_drop_in_changes_it),
        };

        fido_init(0);
        return cmocka_run_group_tests_name("daemon-policy", tests, NULL, NULL);
}
