/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * A day of use, and what an administrator finds of it in the journal: each event once, and at no level
 * an account, a PIN or what a key is used by. The journal is a socket of the test's.
 */

#include <errno.h>
#include <fido/config.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "tests/system/control-kit.h"
#include "tests/system/fido-kit.h"
#include "tests/unit/test.h"

#define BANK       "bank.example"
#define SHOP       "shop.example"
#define ACCOUNT    "wilhelmina"
#define DISPLAY    "Wilhelmina of the Accounts"
#define USER_ID    "user-handle-of-w"
#define USER_ID_64 "dXNlci1oYW5kbGUtb2Ytdw" /* the same in base64url */
#define PIN        "correct-horse"
#define NEW_PIN    "battery-staple"
#define WRONG      "not-the-pin"

/* printf bank.example | sha256sum */
#define BANK_HASH "05be55af508c5555d806d5bd5490f5e21dab9a101b88367f8d1d063f8c3bfc3f"

static const unsigned char challenge[32] = "a challenge of thirty-two bytes";

struct fixture {
        struct daemon_kit kit;
        int journal;
        size_t n;
        char all[1 << 17];     /* what came, with an empty line behind each event */
        char events[4096];     /* the name of each, with a blank behind it */
        char secrets[16][130]; /* what must not be in it */
        size_t n_secrets;
};

static int setup(void **state) {
        struct fixture *f = calloc(1, sizeof(*f));
        struct sockaddr_un a = { .sun_family = AF_UNIX };

        *state = f;
        if (!f || kit_init(&f->kit) < 0)
                return -1;
        snprintf(a.sun_path, sizeof(a.sun_path), "%s/journal", f->kit.folder);
        f->journal = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        return f->journal < 0 ? -1 : bind(f->journal, (struct sockaddr *)&a, sizeof(a));
}

static int teardown(void **state) {
        struct fixture *f = *state;

        kit_done(&f->kit);
        close(f->journal);
        free(f);
        return 0;
}

/* ---- the journal ---- */

static void take_name(struct fixture *f, const char *event) {
        const char *at = strstr(event, "\nFIDO_EVENT=");
        size_t n = strlen(f->events);

        assert_non_null(at);
        at += strlen("\nFIDO_EVENT=");
        snprintf(f->events + n, sizeof(f->events) - n, "%.*s ", (int)strcspn(at, "\n"), at);
}

/* What was sent until now; more than `wait_ms` lie between no two. */
static void drain(struct fixture *f, int wait_ms) {
        struct pollfd p = { .fd = f->journal, .events = POLLIN };

        while (poll(&p, 1, wait_ms) == 1) {
                char *at = f->all + f->n;
                ssize_t n = recv(f->journal, at, sizeof(f->all) - f->n - 2, 0);

                assert_return_code(n, errno);
                assert_int_equal(at[n - 1], '\n');
                at[n] = '\n';
                at[n + 1] = '\0';
                f->n += (size_t)n + 1;
                take_name(f, at);
        }
}

/* These, and nothing else, since this was asked last. */
static void assert_events(struct fixture *f, const char *want) {
        const uint64_t until = kit_now() + 5000;

        do
                drain(f, 100);
        while (strcmp(f->events, want) != 0 && kit_now() < until);
        assert_string_equal(f->events, want);
        *f->events = '\0';
}

/* The nth event of this name has this line. */
static void assert_line(const struct fixture *f, const char *name, const char *line) {
        char key[64], whole[200];
        const char *event = f->all, *end;

        snprintf(key, sizeof(key), "\nFIDO_EVENT=%s\n", name);
        snprintf(whole, sizeof(whole), "\n%s\n", line);
        for (; (end = strstr(event, "\n\n")) != NULL; event = end + 2) {
                const size_t n = (size_t)(end + 1 - event);

                if (memmem(event, n, key, strlen(key)) && memmem(event, n, whole, strlen(whole)))
                        return;
        }
        fail_msg("no event %s has %s: %s", name, line, f->all);
}

static bool has(const struct fixture *f, const char *what) {
        return strcasestr(f->all, what) != NULL;
}

/* ---- the day ---- */

static void start(struct fixture *f, const char *level, const char *rp_ids) {
        char socket[100], level_arg[60], rp_ids_arg[60];
        const char *settings[] = { "--presence=auto", socket, NULL, NULL, NULL };

        snprintf(socket, sizeof(socket), "--set=audit.socket=%s/journal", f->kit.folder);
        if (level) {
                snprintf(level_arg, sizeof(level_arg), "--set=audit.level=%s", level);
                snprintf(rp_ids_arg, sizeof(rp_ids_arg), "--set=audit.rp-ids=%s", rp_ids);
                settings[2] = level_arg;
                settings[3] = rp_ids_arg;
        }
        kit_start(&f->kit, settings);
}

static void keep_secret(struct fixture *f, const char *text) {
        snprintf(f->secrets[f->n_secrets++], sizeof(f->secrets[0]), "%s", text);
}

static fido_cred_t *make(struct fixture *f, fido_dev_t *dev, const char *rp, const char *pin) {
        fido_cred_t *cred = fido_cred_new();
        char id[130] = "";

        assert_non_null(cred);
        assert_int_equal(fido_cred_set_type(cred, COSE_ES256), FIDO_OK);
        assert_int_equal(fido_cred_set_clientdata_hash(cred, challenge, sizeof(challenge)),
                         FIDO_OK);
        assert_int_equal(fido_cred_set_rp(cred, rp, NULL), FIDO_OK);
        assert_int_equal(fido_cred_set_user(cred, (const unsigned char *)USER_ID, strlen(USER_ID),
                                            ACCOUNT, DISPLAY, NULL),
                         FIDO_OK);
        assert_int_equal(fido_cred_set_rk(cred, FIDO_OPT_TRUE), FIDO_OK);
        assert_int_equal(fido_cred_set_extensions(cred, FIDO_EXT_HMAC_SECRET), FIDO_OK);
        assert_int_equal(fido_dev_make_cred(dev, cred, pin), FIDO_OK);
        for (size_t i = 0; i < fido_cred_id_len(cred); i++)
                snprintf(id + 2 * i, 3, "%02x", fido_cred_id_ptr(cred)[i]);
        id[16] = '\0'; /* the beginning of it is enough to be found by */
        keep_secret(f, id);
        return cred;
}

static int use(fido_dev_t *dev, const char *rp, const fido_cred_t *cred, const char *pin) {
        fido_assert_t *a = fido_assert_new();
        int r;

        assert_non_null(a);
        assert_int_equal(fido_assert_set_clientdata_hash(a, challenge, sizeof(challenge)), FIDO_OK);
        assert_int_equal(fido_assert_set_rp(a, rp), FIDO_OK);
        assert_int_equal(fido_assert_allow_cred(a, fido_cred_id_ptr(cred), fido_cred_id_len(cred)),
                         FIDO_OK);
        r = fido_dev_get_assert(dev, a, pin);
        fido_assert_free(&a);
        return r;
}

static void cli(struct fixture *f, const char *format, const char *operand) {
        char arguments[256], out[8192];

        snprintf(arguments, sizeof(arguments), format, operand);
        if (kit_cli(&f->kit, arguments, out, sizeof(out)) != 0)
                fail_msg("tpmauthn %s: %s", arguments, out);
}

/* What is told if `wanted`, and else nothing. */
static void told(struct fixture *f, bool wanted, const char *events) {
        assert_events(f, wanted ? events : "");
}

static void live_a_day(struct fixture *f, bool notable, bool all) {
        struct daemon_kit *k = &f->kit;
        fido_cred_t *bank, *shop;
        fido_dev_t *dev;
        char path[100];

        told(f, notable, "plugged ");
        kit_assert_done(k, "pin-set", "{\"pin\":\"" PIN "\"}");
        told(f, notable, "pin-set ");
        dev = kit_open_key(k);
        bank = make(f, dev, BANK, PIN);
        shop = make(f, dev, SHOP, PIN);
        told(f, notable, "created created ");
        assert_int_equal(use(dev, BANK, bank, PIN), FIDO_OK);
        assert_int_equal(use(dev, SHOP, shop, NULL), FIDO_OK);
        told(f, all, "used used ");
        assert_int_equal(use(dev, BANK, bank, WRONG), FIDO_ERR_PIN_INVALID);
        told(f, notable, "pin-wrong ");
        cli(f, "presence %s", "deny");
        assert_int_equal(use(dev, BANK, bank, NULL), FIDO_ERR_OPERATION_DENIED);
        told(f, notable, "refused ");
        cli(f, "presence %s", "auto");
        kit_assert_done(k, "pin-change", "{\"old\":\"" PIN "\",\"pin\":\"" NEW_PIN "\"}");
        told(f, notable, "pin-changed ");
        assert_int_equal(fido_dev_toggle_always_uv(dev, NEW_PIN), FIDO_OK);
        told(f, notable, "config-changed ");

        snprintf(path, sizeof(path), "%s/backup", k->folder);
        cli(f, "backup %s", path);
        cli(f, "delete --yes %s", f->secrets[1]);
        told(f, notable, "deleted ");
        cli(f, "restore --yes %s", path);
        told(f, notable, "restored ");
        kit_close_key(dev);

        assert_return_code(kill(kit_swtpm(k), SIGKILL), errno);
        kit_await_state(k, "failed");
        told(f, notable, "device-failed ");
        kit_assert_done(k, "replug", "{}");
        kit_await_state(k, "ready");
        told(f, notable, "plugged ");
        dev = kit_open_key(k);
        assert_int_equal(use(dev, BANK, bank, NEW_PIN), FIDO_OK);
        told(f, all, "used ");
        kit_close_key(dev);
        cli(f, "reset --yes%s", "");
        told(f, notable, "reset ");
        assert_int_equal(kit_stop(k), 0);
        told(f, false, "");

        keep_secret(f, ACCOUNT);
        keep_secret(f, "Accounts");
        keep_secret(f, USER_ID);
        keep_secret(f, PIN);
        keep_secret(f, NEW_PIN);
        keep_secret(f, WRONG);
        for (size_t i = 0; i < f->n_secrets; i++)
                if (has(f, f->secrets[i]))
                        fail_msg("%s is in the journal: %s", f->secrets[i], f->all);
        fido_cred_free(&bank);
        fido_cred_free(&shop);
}

static void the_default_level_names_no_site_and_tells_no_use(void **state) {
        struct fixture *f = *state;
        char line[60];

        start(f, NULL, NULL);
        live_a_day(f, true, false);
        assert_false(has(f, "example"));
        assert_false(has(f, "FIDO_RP_ID"));
        assert_false(has(f, BANK_HASH));

        snprintf(line, sizeof(line), "FIDO_USER=%u", getuid());
        assert_line(f, "plugged", line);
        assert_line(f, "created", "FIDO_UV=1");
        assert_line(f, "created", "FIDO_OP=create");
        assert_line(f, "pin-wrong", "FIDO_TRIES_LEFT=7");
        assert_line(f, "refused", "FIDO_RESULT=refused");
        assert_line(f, "refused", "FIDO_OP=use");
        assert_line(f, "config-changed", "FIDO_SUBCOMMAND=2");
        assert_line(f, "restored", "FIDO_COUNT=1");
        assert_line(f, "device-failed", "FIDO_RESULT=failed");
        snprintf(line, sizeof(line), "FIDO_CALLER=%u", getuid());
        assert_line(f, "pin-changed", line);
        assert_line(f, "deleted", line);
        assert_line(f, "reset", line);
}

static void hashes_name_sites_to_who_knows_them(void **state) {
        struct fixture *f = *state;

        start(f, "all", "hashed");
        live_a_day(f, true, true);
        assert_false(has(f, "example"));
        assert_line(f, "created", "FIDO_RP_ID_HASH=" BANK_HASH);
        assert_line(f, "used", "FIDO_RP_ID_HASH=" BANK_HASH);
        assert_line(f, "refused", "FIDO_RP_ID_HASH=" BANK_HASH);
        assert_line(f, "used", "FIDO_UV=0");
        assert_line(f, "used", "FIDO_UV=1");
}

static void full_names_sites_and_never_accounts(void **state) {
        struct fixture *f = *state;

        start(f, "all", "full");
        live_a_day(f, true, true);
        assert_line(f, "created", "FIDO_RP_ID=" SHOP);
        assert_line(f, "used", "FIDO_RP_ID=" BANK);
        assert_line(f, "refused", "FIDO_RP_ID=" BANK);
        assert_false(has(f, BANK_HASH));
}

static void off_writes_nothing(void **state) {
        struct fixture *f = *state;

        start(f, "off", "full");
        live_a_day(f, false, false);
        assert_int_equal(f->n, 0);
}

/* It is told as what it is, with who did it; and what the policy refuses is no failure. */
static void what_an_administrator_does_and_forbids_is_told(void **state) {
        static const char options[] =
                "{\"options\":{\"rp\":{\"id\":\"" BANK "\",\"name\":\"" BANK "\"},"
                "\"user\":{\"id\":\"" USER_ID_64 "\",\"name\":\"" ACCOUNT
                "\",\"displayName\":\"" DISPLAY "\"},\"challenge\":\"AAECAwQFBgcICQoLDA0ODw\","
                "\"pubKeyCredParams\":[{\"type\":\"public-key\",\"alg\":-7}]}}";
        struct fixture *f = *state;
        char socket[100], line[60];
        const char *const settings[] = { "--presence=auto", socket, "--set=policy.locked=all",
                                         NULL };
        fido_dev_t *dev;

        snprintf(socket, sizeof(socket), "--set=audit.socket=%s/journal", f->kit.folder);
        kit_start(&f->kit, settings);
        kit_assert_done(&f->kit, "register", options);
        assert_events(f, "plugged registered ");
        snprintf(line, sizeof(line), "FIDO_CALLER=%u", getuid());
        assert_line(f, "registered", line);
        assert_line(f, "registered", "FIDO_UV=0");
        assert_false(has(f, "example") || has(f, ACCOUNT) || has(f, "Accounts"));

        dev = kit_open_key(&f->kit);
        assert_int_not_equal(fido_dev_toggle_always_uv(dev, NULL), FIDO_OK);
        assert_events(f, "policy-refused ");
        assert_line(f, "policy-refused", "FIDO_RESULT=forbidden");
        assert_line(f, "policy-refused", "FIDO_OP=manage");
        assert_line(f, "policy-refused", "FIDO_STATUS=CTAP2_ERR_OPERATION_DENIED");
        kit_close_key(dev);
}

static void a_journal_that_goes_away_stops_nothing(void **state) {
        struct fixture *f = *state;
        fido_cred_t *cred;
        fido_dev_t *dev;

        start(f, NULL, NULL);
        assert_events(f, "plugged ");
        close(f->journal);
        dev = kit_open_key(&f->kit);
        for (int i = 0; i < 3; i++) {
                cred = make(f, dev, BANK, NULL);
                fido_cred_free(&cred);
        }
        kit_close_key(dev);
        kit_assert_alive(&f->kit);
        assert_string_equal(kit_state(&f->kit), "ready");
        assert_int_equal(kit_stop(&f->kit), 0);
        f->journal = -1;
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void) {
        const struct CMUnitTest tests[] = {
                TEST(the_default_level_names_no_site_and_tells_no_use),
                TEST(hashes_name_sites_to_who_knows_them),
                TEST(full_names_sites_and_never_accounts),
                TEST(off_writes_nothing),
                TEST(what_an_administrator_does_and_forbids_is_told),
                TEST(a_journal_that_goes_away_stops_nothing),
        };

        fido_init(0);
        return cmocka_run_group_tests(tests, NULL, NULL);
}
