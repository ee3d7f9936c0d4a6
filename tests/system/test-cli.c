/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The command line over a real daemon, TPM simulator and store: what each command prints, what it
 * refuses, and that what it says it did is done. libfido2 makes and uses the passkeys.
 */

#include <signal.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "authenticator/store-schema.h"
#include "build-config.h"
#include "tests/system/fido-kit.h"
#include "tests/unit/test.h"

static const unsigned char challenge[32] = "a challenge of thirty-two bytes";

static void start(struct daemon_kit *k) {
        static const char *const automatic[] = { "--presence=auto", NULL };

        kit_start(k, automatic);
}

static fido_cred_t *make_with_pin(fido_dev_t *dev, const char *rp, const char *user,
                                  const char *pin) {
        fido_cred_t *cred = fido_cred_new();

        assert_non_null(cred);
        assert_int_equal(fido_cred_set_type(cred, COSE_ES256), FIDO_OK);
        assert_int_equal(fido_cred_set_clientdata_hash(cred, challenge, sizeof(challenge)),
                         FIDO_OK);
        assert_int_equal(fido_cred_set_rp(cred, rp, NULL), FIDO_OK);
        assert_int_equal(fido_cred_set_user(cred, (const unsigned char *)user, strlen(user), user,
                                            user, NULL),
                         FIDO_OK);
        assert_int_equal(fido_cred_set_rk(cred, FIDO_OPT_TRUE), FIDO_OK);
        assert_int_equal(fido_dev_make_cred(dev, cred, pin), FIDO_OK);
        return cred;
}

static fido_cred_t *make(fido_dev_t *dev, const char *rp, const char *user) {
        return make_with_pin(dev, rp, user, NULL);
}

/* The signature counter, or the error as a negative number. */
static int64_t use(fido_dev_t *dev, const char *rp, const fido_cred_t *cred) {
        fido_assert_t *a = fido_assert_new();
        int64_t count;
        int r;

        assert_non_null(a);
        assert_int_equal(fido_assert_set_clientdata_hash(a, challenge, sizeof(challenge)), FIDO_OK);
        assert_int_equal(fido_assert_set_rp(a, rp), FIDO_OK);
        assert_int_equal(fido_assert_allow_cred(a, fido_cred_id_ptr(cred), fido_cred_id_len(cred)),
                         FIDO_OK);
        r = fido_dev_get_assert(dev, a, NULL);
        count = r == FIDO_OK ? (int64_t)fido_assert_sigcount(a, 0) : -r;
        fido_assert_free(&a);
        return count;
}

static const char *cli(const struct daemon_kit *k, int want, const char *arguments) {
        static char out[1 << 18];
        int got = kit_cli(k, arguments, out, sizeof(out));

        if (got != want)
                fail_msg("tpmauthn %s: %d, not %d: %s", arguments, got, want, out);
        return out;
}

static json_t *cli_json(const struct daemon_kit *k, const char *arguments) {
        json_t *j = json_loads(cli(k, 0, arguments), 0, NULL);

        assert_non_null(j);
        return j;
}

static void assert_says(const char *text, const char *what) {
        if (!text || !strstr(text, what))
                fail_msg("\"%s\" is not in: %s", what, text ? text : "nothing");
}

static void the_list_is_a_table_of_80_columns(void **state) {
        struct daemon_kit *k = *state;
        fido_cred_t *a, *b;
        fido_dev_t *dev;
        const char *out;

        start(k);
        assert_string_equal(cli(k, 0, "list"), "There are no passkeys on this device.\n");
        dev = kit_open_key(k);
        a = make(dev, "a-site-with-a-name-that-is-far-too-long-for-a-column.example", "ann");
        b = make(dev, "b.example", "an-account-with-a-name-that-is-too-long@b.example");
        assert_int_equal(use(dev, "b.example", b), 1);

        out = cli(k, 0, "list");
        assert_says(out, "ID       SITE                   ACCOUNT          CREATED    LAST USED  "
                         "COUNT ASK\n");
        assert_says(out, " a-site-with-a-name-th~ ann              20");
        assert_says(out, " never          0 yes\n");
        assert_says(out, " b.example              an-account-with~ 20");
        assert_says(out, "     1 yes\n");
        for (const char *line = out, *end; (end = strchr(line, '\n')) != NULL; line = end + 1)
                assert_true(end - line <= 80);
        assert_null(strchr(out, '\033'));

        fido_cred_free(&a);
        fido_cred_free(&b);
        kit_close_key(dev);
}

static void retire_names_the_sites_and_then_erases(void **state) {
        struct daemon_kit *k = *state;
        fido_cred_t *a, *b;
        fido_dev_t *dev;
        const char *out, *first;
        char line[512];
        json_t *list;

        start(k);
        assert_says(cli(k, 1, "retire"), "There are no passkeys");
        dev = kit_open_key(k);
        b = make(dev, "b.example", "bob");
        a = make(dev, "a.example", "ann");

        /* Without a terminal and without --yes it only says what there is. */
        out = cli(k, 1, "retire");
        first = strstr(out, "a.example");
        assert_non_null(first);
        assert_says(first, "ann");
        assert_says(first, "b.example");
        assert_says(out, "say --yes");
        assert_true(use(dev, "a.example", a) > 0);

        /* What could not be told is not erased. */
        cli(k, 1, "retire --yes >/dev/full");
        assert_true(use(dev, "b.example", b) > 0);

        list = cli_json(k, "retire --json --yes");
        assert_int_equal(json_array_size(list), 2);
        snprintf(line, sizeof(line), "%s",
                 json_string_value(json_object_get(json_array_get(list, 1), "rp_id")));
        assert_string_equal(line, "b.example");
        json_decref(list);
        assert_int_equal(use(dev, "a.example", a), -FIDO_ERR_NO_CREDENTIALS);
        assert_says(cli(k, 0, "list"), "no passkeys");

        fido_cred_free(&a);
        fido_cred_free(&b);
        kit_close_key(dev);
}

/* What was kept of the store before, as on a disk that somebody copied, is worth nothing either. */
static void after_retire_neither_backups_nor_copies_work(void **state) {
        struct daemon_kit *k = *state;
        char command[400], arguments[128];
        fido_cred_t *a;
        fido_dev_t *dev;

        start(k);
        dev = kit_open_key(k);
        a = make(dev, "a.example", "ann");
        assert_true(use(dev, "a.example", a) > 0);
        kit_close_key(dev);
        snprintf(arguments, sizeof(arguments), "backup %s/backup", k->folder);
        cli(k, 0, arguments);
        assert_int_equal(kit_stop(k), 0);
        snprintf(command, sizeof(command), "cp %s/state/users/%u/store.db %s/copy", k->folder,
                 getuid(), k->folder);
        assert_int_equal(system(command), 0);

        start(k);
        cli(k, 0, "retire --yes");
        snprintf(arguments, sizeof(arguments), "restore --yes %s/backup", k->folder);
        assert_says(cli(k, 1, arguments), "of before a reset");
        assert_says(cli(k, 0, "list"), "no passkeys");
        assert_int_equal(kit_stop(k), 0);

        snprintf(command, sizeof(command),
                 "rm %s/state/users/%u/store.db* && cp %s/copy %s/state/users/%u/store.db",
                 k->folder, getuid(), k->folder, k->folder, getuid());
        assert_int_equal(system(command), 0);
        start(k);
        assert_says(cli(k, 0, "list"), "no passkeys");
        dev = kit_open_key(k);
        assert_int_equal(use(dev, "a.example", a), -FIDO_ERR_NO_CREDENTIALS);
        kit_close_key(dev);
        fido_cred_free(&a);
}

/* The nth event, newest first, as "what result site account". */
static const char *event(const json_t *events, size_t nth) {
        static char text[256];
        const json_t *e = json_array_get(events, nth);
        const char *account = json_string_value(json_object_get(e, "account"));
        const char *site = json_string_value(json_object_get(e, "rp_id"));

        assert_true(json_integer_value(json_object_get(e, "time")) > 1700000000);
        snprintf(text, sizeof(text), "%s %s %s %s", json_string_value(json_object_get(e, "what")),
                 json_string_value(json_object_get(e, "result")), site ? site : "-",
                 account ? account : "-");
        return text;
}

static void events_tell_of_uses_and_failures(void **state) {
        const struct timespec idle = { .tv_sec = 2 };
        struct daemon_kit *k = *state;
        fido_cred_t *a, *b;
        fido_dev_t *dev;
        json_t *events;
        char arguments[64];

        start(k);
        assert_string_equal(cli(k, 0, "events"), "Nothing has happened on this device yet.\n");
        dev = kit_open_key(k);
        a = make(dev, "a.example", "ann");
        b = make(dev, "b.example", "bob");
        assert_int_equal(use(dev, "b.example", b), 1);
        cli(k, 0, "presence deny");
        assert_true(use(dev, "a.example", a) < 0);
        cli(k, 0, "presence auto");
        assert_int_equal(fido_dev_set_pin(dev, "1234", NULL), FIDO_OK);
        kit_close_key(dev);
        dev = kit_open_key(k);
        assert_int_equal(fido_dev_set_pin(dev, "5678", "4321"), FIDO_ERR_PIN_INVALID);
        snprintf(arguments, sizeof(arguments), "--yes delete %02x%02x%02x", fido_cred_id_ptr(a)[0],
                 fido_cred_id_ptr(a)[1], fido_cred_id_ptr(a)[2]);
        cli(k, 0, arguments);

        /* What is a second old is kept whatever happens. */
        nanosleep(&idle, NULL);
        kit_close_key(dev);
        kill(k->pid, SIGKILL);
        assert_true(kit_stop(k) != 0);
        start(k);

        events = cli_json(k, "events --json");
        assert_int_equal(json_array_size(events), 6);
        assert_string_equal(event(events, 0), "delete ok a.example ann");
        assert_string_equal(event(events, 1), "pin wrong-pin - -");
        assert_string_equal(event(events, 2), "use refused a.example ann");
        assert_string_equal(event(events, 3), "use ok b.example bob");
        assert_string_equal(event(events, 4), "create ok b.example bob");
        assert_string_equal(event(events, 5), "create ok a.example ann");
        assert_int_equal(strlen(json_string_value(
                                 json_object_get(json_array_get(events, 3), "credential"))),
                         96);
        json_decref(events);
        assert_says(cli(k, 0, "events"), "WHEN             WHAT    RESULT         SITE");
        assert_says(cli(k, 0, "events"), "use     refused        a.example              ann\n");

        /* A reset erases them too, and is the first of those after it. */
        cli(k, 0, "reset --yes");
        events = cli_json(k, "events --json");
        assert_int_equal(json_array_size(events), 1);
        assert_string_equal(event(events, 0), "reset ok - -");
        json_decref(events);
        fido_cred_free(&a);
        fido_cred_free(&b);
}

static void more_events_than_one_page_come_in_order(void **state) {
        struct daemon_kit *k = *state;
        json_int_t before = INT64_MAX;
        fido_cred_t *cred;
        fido_dev_t *dev;
        json_t *events, *e;
        char rp[250];
        size_t i;

        start(k);
        dev = kit_open_key(k);
        memset(rp, 'x', sizeof(rp));
        memcpy(rp + sizeof(rp) - 9, ".example", 9);
        cred = make(dev, rp, "ann");
        for (i = 0; i < 220; i++)
                assert_true(use(dev, rp, cred) > 0);
        kit_close_key(dev);

        events = cli_json(k, "events --json");
        assert_int_equal(json_array_size(events), 200);
        json_array_foreach(events, i, e) {
                assert_true(json_integer_value(json_object_get(e, "sequence")) < before);
                before = json_integer_value(json_object_get(e, "sequence"));
        }
        json_decref(events);
        fido_cred_free(&cred);
}

static void a_report_is_a_line_for_each_device(void **state) {
        static const char *const two[] = { "--presence=auto", "--set=device.count=2", NULL };
        struct daemon_kit *k = *state;
        char host[256] = "", line[400];
        json_t *rows, *row;
        fido_cred_t *a, *b;
        fido_dev_t *dev;
        const char *out;

        kit_start(k, two);
        dev = kit_open_key(k);
        a = make(dev, "a.example", "ann");
        b = make(dev, "b.example", "bob");
        assert_int_equal(use(dev, "a.example", a), 1);
        kit_close_key(dev);

        assert_int_equal(gethostname(host, sizeof(host) - 1), 0);
        out = cli(k, 0, "report");
        assert_says(out, "host,version,user,device,state,tpm,simulator,aaguid,sites,passkeys,"
                         "passkeys_with_pin,first_created,last_created,last_used,attestation,"
                         "attestation_key,ek\r\n");
        assert_null(strstr(out, "example"));
        snprintf(line, sizeof(line), "\r\n%s," TPMAUTHN_VERSION ",%u,0,ready,", host, getuid());
        assert_says(out, line);
        assert_says(out, ",true,37c07f0225c24cd9a6330fbd53267e82,2,2,0,20");
        snprintf(line, sizeof(line), "\r\n%s," TPMAUTHN_VERSION ",%u,1,ready,", host, getuid());
        assert_says(out, line);
        assert_says(out, ",true,37c07f0225c24cd9a6330fbd53267e82,0,0,0,,,");

        rows = cli_json(k, "report --json");
        assert_int_equal(json_array_size(rows), 2);
        row = json_array_get(rows, 0);
        assert_int_equal(json_integer_value(json_object_get(row, "passkeys")), 2);
        assert_true(json_integer_value(json_object_get(row, "first_created")) > 1700000000);
        assert_true(json_integer_value(json_object_get(row, "last_used")) >=
                    json_integer_value(json_object_get(row, "first_created")));
        assert_true(json_is_null(json_object_get(json_array_get(rows, 1), "last_used")));
        json_decref(rows);
        fido_cred_free(&a);
        fido_cred_free(&b);
}

static void the_inventory_names_nobody(void **state) {
        struct daemon_kit *k = *state;
        fido_cred_t *a, *b, *c;
        fido_dev_t *dev;
        json_t *inventory, *sites, *site;

        start(k);
        dev = kit_open_key(k);
        a = make(dev, "a.example", "ann");
        b = make(dev, "a.example", "bob");
        c = make(dev, "c.example", "cat");
        assert_int_equal(use(dev, "a.example", b), 1);
        kit_close_key(dev);

        assert_null(strstr(cli(k, 0, "inventory --json"), "example"));
        assert_null(strstr(cli(k, 0, "inventory --json"), "ann"));
        inventory = cli_json(k, "inventory --json");
        assert_string_equal(json_string_value(json_object_get(inventory, "aaguid")),
                            "37c07f0225c24cd9a6330fbd53267e82");
        assert_true(json_is_null(json_object_get(inventory, "attestation_key_id")));
        sites = json_object_get(inventory, "sites");
        assert_int_equal(json_array_size(sites), 2);
        site = json_array_get(sites, 0);
        assert_string_equal(json_string_value(json_object_get(site, "rp_id_hash")),
                            "b8e7453371a024daae06f3164492c0afcde134c7747c155b3d83c20de341e855");
        assert_int_equal(json_integer_value(json_object_get(site, "passkeys")), 2);
        assert_int_equal(json_integer_value(json_object_get(site, "with_pin")), 0);
        assert_int_equal(json_array_size(json_object_get(site, "created")), 2);
        assert_true(json_integer_value(json_object_get(site, "last_used")) > 1700000000);
        json_decref(inventory);
        assert_says(cli(k, 0, "inventory"), "3, for 2 sites\n");
        fido_cred_free(&a);
        fido_cred_free(&b);
        fido_cred_free(&c);
}

/* Words in the order: what, path, what, path. */
static const char *in_folder(const struct daemon_kit *k, const char *format, ...) {
        static char text[512];
        char inside[256];
        va_list ap;

        va_start(ap, format);
        vsnprintf(inside, sizeof(inside), format, ap);
        va_end(ap);
        text[0] = '\0';
        for (const char *p = inside; *p; p++) {
                size_t n = strlen(text);

                if (*p == '@')
                        snprintf(text + n, sizeof(text) - n, "%s/", k->folder);
                else
                        snprintf(text + n, sizeof(text) - n, "%c", *p);
        }
        return text;
}

static void shell(const struct daemon_kit *k, const char *command) {
        assert_int_equal(system(in_folder(k, "%s", command)), 0);
}

static const char *backup_cli(const struct daemon_kit *k, int want, const char *arguments) {
        return cli(k, want, in_folder(k, "%s", arguments));
}

static void a_backup_brings_back_what_was_deleted(void **state) {
        struct daemon_kit *k = *state;
        fido_cred_t *a, *b, *c;
        fido_dev_t *dev;
        int64_t before;
        char id[64];
        json_t *done;

        start(k);
        dev = kit_open_key(k);
        a = make(dev, "a.example", "ann");
        b = make(dev, "b.example", "bob");
        for (int i = 0; i < 3; i++)
                before = use(dev, "a.example", a);
        assert_int_equal(before, 3);
        assert_says(backup_cli(k, 0, "backup @b1"), "this computer's TPM");
        before = use(dev, "a.example", a);
        assert_int_equal(before, 4);
        c = make(dev, "c.example", "cat");
        snprintf(id, sizeof(id), "--yes delete %02x%02x%02x", fido_cred_id_ptr(a)[0],
                 fido_cred_id_ptr(a)[1], fido_cred_id_ptr(a)[2]);
        cli(k, 0, id);
        assert_int_equal(use(dev, "a.example", a), -FIDO_ERR_NO_CREDENTIALS);
        assert_int_equal(fido_dev_set_pin(dev, "1234", NULL), FIDO_OK);
        kit_close_key(dev);

        /* Nobody says yes; then nothing happens. */
        assert_says(backup_cli(k, 1, "restore @b1"), "All signature counters are raised");
        assert_null(strstr(cli(k, 0, "list"), "a.example"));
        assert_says(backup_cli(k, 0, "--yes restore @b1"), "came back: 1,");

        dev = kit_open_key(k);
        assert_true(use(dev, "a.example", a) > before);
        assert_true(use(dev, "b.example", b) > 0);
        assert_true(use(dev, "c.example", c) > 0);
        assert_says(cli(k, 0, "pin status"), "8 tries");
        kit_close_key(dev);
        done = cli_json(k, "events --json");
        assert_string_equal(event(done, 3), "restore ok - -");
        json_decref(done);

        /* Again there is nothing to bring back; the TPM's counter is not stepped for it. */
        dev = kit_open_key(k);
        before = use(dev, "a.example", a);
        kit_close_key(dev);
        done = json_loads(backup_cli(k, 0, "--yes --json restore @b1"), 0, NULL);
        assert_int_equal(json_integer_value(json_object_get(done, "added")), 0);
        assert_true(json_is_null(json_object_get(done, "aside")));
        json_decref(done);
        dev = kit_open_key(k);
        assert_int_equal(use(dev, "a.example", a), before + 1);
        kit_close_key(dev);

        assert_int_equal(kit_stop(k), 0);
        start(k);
        dev = kit_open_key(k);
        assert_true(use(dev, "a.example", a) > 0);
        kit_close_key(dev);
        fido_cred_free(&a);
        fido_cred_free(&b);
        fido_cred_free(&c);
}

static void no_other_file_is_restored(void **state) {
        struct daemon_kit *k = *state, other;
        fido_cred_t *a;
        fido_dev_t *dev;

        start(k);
        dev = kit_open_key(k);
        a = make(dev, "a.example", "ann");
        backup_cli(k, 0, "backup @b1");

        /* One bit of it was changed, at its beginning, in its middle, at its end; or some is missing. */
        shell(k,
              "for at in 0 20000 end; do"
              " cp @b1 @bad-$at; printf Z | dd of=@bad-$at bs=1 conv=notrunc seek=$(echo $at | sed s/end/$(($(stat -c %s @b1) - 1))/)"
              " status=none; done; head -c 20000 @b1 >@bad-short; : >@bad-empty; echo x >@bad-x;"
              " mkdir @bad-folder");
        assert_says(backup_cli(k, 1, "--yes restore @bad-0"), "was changed");
        assert_says(backup_cli(k, 1, "--yes restore @bad-20000"), "was changed");
        assert_says(backup_cli(k, 1, "--yes restore @bad-short"), "no backup of tpmauthn");
        assert_says(backup_cli(k, 1, "--yes restore @bad-end"), "was changed");
        assert_says(backup_cli(k, 1, "--yes restore @bad-x"), "no backup of tpmauthn");
        backup_cli(k, 1, "--yes restore @bad-empty");
        backup_cli(k, 1, "--yes restore @bad-folder");
        backup_cli(k, 1, "--yes restore @nowhere");
        assert_true(use(dev, "a.example", a) > 0);

        /* A reset ends it, though the device has no passkeys now. */
        cli(k, 0, "reset --yes");
        assert_says(backup_cli(k, 1, "--yes restore @b1"), "before a reset");
        assert_int_equal(use(dev, "a.example", a), -FIDO_ERR_NO_CREDENTIALS);
        fido_cred_free(&a);
        a = make(dev, "a.example", "ann");
        assert_true(use(dev, "a.example", a) > 0);
        assert_says(backup_cli(k, 1, "--yes restore @b1"), "before a reset");
        backup_cli(k, 0, "backup @b1");
        kit_close_key(dev);

        /* In another TPM it opens nothing. */
        assert_int_equal(kit_init(&other), 0);
        start(&other);
        assert_says(cli(&other, 1, in_folder(k, "--yes restore @b1")), "not of this TPM");
        dev = kit_open_key(&other);
        assert_int_equal(use(dev, "a.example", a), -FIDO_ERR_NO_CREDENTIALS);
        fido_cred_free(&a);
        a = make(dev, "a.example", "ann");
        assert_true(use(dev, "a.example", a) > 0);
        kit_close_key(dev);
        assert_says(cli(&other, 1, in_folder(k, "--yes restore @b1")), "there are passkeys");
        fido_cred_free(&a);
        kit_done(&other);
}

/* The store is gone and the TPM is not: an installation anew. */
static void a_backup_outlives_the_store(void **state) {
        struct daemon_kit *k = *state;
        fido_cred_t *a;
        fido_dev_t *dev;
        int64_t before = 0;
        json_t *done;

        start(k);
        dev = kit_open_key(k);
        assert_int_equal(fido_dev_set_pin(dev, "1234", NULL), FIDO_OK);
        kit_close_key(dev);
        dev = kit_open_key(k);
        a = make_with_pin(dev, "a.example", "ann", "1234");
        backup_cli(k, 0, "backup @b1");
        for (int i = 0; i < 3; i++)
                before = use(dev, "a.example", a);
        kit_close_key(dev);
        assert_int_equal(kit_stop(k), 0);
        shell(k, "find @ -name 'store.db*' -exec rm {} +");
        start(k);
        assert_says(cli(k, 0, "list"), "no passkeys");
        dev = kit_open_key(k);
        assert_int_equal(use(dev, "a.example", a), -FIDO_ERR_NO_CREDENTIALS);
        kit_close_key(dev);

        done = json_loads(backup_cli(k, 0, "--yes --json restore @b1"), 0, NULL);
        assert_int_equal(json_integer_value(json_object_get(done, "added")), 1);
        assert_true(json_is_true(json_object_get(done, "replaced")));
        assert_true(json_is_null(json_object_get(done, "aside")));
        json_decref(done);
        shell(k, "test $(find @ -name 'store.db.before-restore-*' | wc -l) = 0");
        kit_await_state(k, "ready");
        dev = kit_open_key(k);
        assert_true(use(dev, "a.example", a) > before);
        assert_int_equal(fido_dev_set_pin(dev, "5678", "1234"), FIDO_OK);
        kit_close_key(dev);
        assert_int_equal(kit_stop(k), 0);
        /* As after a crash just before a restore gave its place away: the store has a second name. */
        shell(k, "s=$(find @ -name store.db) && ln $s $s.before-restore-2026-11-30T120000Z");
        start(k);
        shell(k, "test $(find @ -name 'store.db.before-restore-*' | wc -l) = 0");
        dev = kit_open_key(k);
        assert_true(use(dev, "a.example", a) > before);
        kit_close_key(dev);
        fido_cred_free(&a);
}

/* There is room for the TPM's part of two stores, and not of three. */
static void an_empty_store_that_makes_room_leaves_nothing_in_the_tpm(void **state) {
        static const char *const narrow[] = { "--presence=auto",
                                              "--set=tpm.nv-range=0x01800200-0x01800208", NULL };
        struct daemon_kit *k = *state;
        fido_cred_t *a;
        fido_dev_t *dev;

        kit_start(k, narrow);
        dev = kit_open_key(k);
        a = make(dev, "a.example", "ann");
        kit_close_key(dev);
        backup_cli(k, 0, "backup @b1");
        for (int i = 0; i < 3; i++) {
                assert_int_equal(kit_stop(k), 0);
                shell(k, "find @ -name 'store.db*' -exec rm {} +");
                kit_start(k, narrow);
                assert_string_equal(kit_state(k), "ready");
                assert_says(backup_cli(k, 0, "--yes restore @b1"), "came back: 1,");
                dev = kit_open_key(k);
                assert_true(use(dev, "a.example", a) > 0);
                kit_close_key(dev);
        }
        fido_cred_free(&a);
}

static void a_restore_that_is_cut_short_loses_nothing(void **state) {
        struct daemon_kit *k = *state;
        fido_cred_t *a, *b;
        fido_dev_t *dev;
        char id[64];

        start(k);
        dev = kit_open_key(k);
        a = make(dev, "a.example", "ann");
        b = make(dev, "b.example", "bob");
        kit_close_key(dev);
        backup_cli(k, 0, "backup @b1");
        snprintf(id, sizeof(id), "--yes delete %02x%02x%02x", fido_cred_id_ptr(a)[0],
                 fido_cred_id_ptr(a)[1], fido_cred_id_ptr(a)[2]);

        for (int i = 0; i < 12; i++) {
                struct timespec wait = { .tv_nsec = i * 4000000L };
                int64_t count;

                shell(k, "(TPMAUTHN_SOCKET=@control.sock " TPMAUTHN
                         " --yes restore @b1 >/dev/null 2>&1 &)");
                nanosleep(&wait, NULL);
                kill(k->pid, SIGKILL);
                assert_true(kit_stop(k) != 0);
                start(k);
                dev = kit_open_key(k);
                assert_true(use(dev, "b.example", b) > 0);
                count = use(dev, "a.example", a);
                assert_true(count > 0 || count == -FIDO_ERR_NO_CREDENTIALS);
                kit_close_key(dev);
                if (count > 0)
                        cli(k, 0, id);
        }
        /* One that nobody cuts short still works. */
        assert_says(backup_cli(k, 0, "--yes restore @b1"), "came back: 1,");
        fido_cred_free(&a);
        fido_cred_free(&b);
}

static void assert_refused(const struct daemon_kit *k, const char *method, const char *params,
                           const char *code) {
        json_t *answer = kit_control(k, method, params);
        const json_t *error = json_object_get(answer, "error");

        if (!error || strcmp(json_string_value(json_object_get(error, "code")), code) != 0)
                fail_msg("%s %s is not %s", method, params, code);
        json_decref(answer);
}

static void pages_that_do_not_belong_together_are_refused(void **state) {
        struct daemon_kit *k = *state;
        json_t *answer;
        char params[96];

        start(k);
        assert_refused(k, "backup", "{}", "bad-request");
        assert_refused(k, "backup", "{\"offset\":24576,\"copy\":1}", "failed");
        answer = kit_control(k, "backup", "{\"offset\":0}");
        snprintf(params, sizeof(params), "{\"offset\":24576,\"copy\":%d}",
                 (int)json_integer_value(
                         json_object_get(json_object_get(answer, "result"), "copy")));
        json_decref(answer);
        assert_refused(k, "backup", "{\"offset\":24576}", "failed");
        assert_refused(k, "backup", "{\"offset\":24576,\"copy\":99}", "failed");
        answer = kit_control(k, "backup", params);
        assert_non_null(json_object_get(answer, "result"));
        json_decref(answer);
        /* Another begins: the copy of the first is gone. */
        json_decref(kit_control(k, "backup", "{\"offset\":0}"));
        assert_refused(k, "backup", params, "failed");

        assert_refused(k, "restore", "{\"offset\":0,\"size\":0,\"data\":\"\"}", "bad-request");
        assert_refused(k, "restore", "{\"offset\":0,\"size\":99999999999,\"data\":\"00\"}",
                       "bad-request");
        assert_refused(k, "restore", "{\"offset\":0,\"size\":4,\"data\":\"0\"}", "bad-request");
        assert_refused(k, "restore", "{\"offset\":0,\"size\":4,\"data\":\"0X\"}", "bad-request");
        assert_refused(k, "restore", "{\"offset\":0,\"size\":1,\"data\":\"0000\"}", "bad-request");
        assert_refused(k, "restore", "{\"offset\":2,\"size\":4,\"data\":\"0000\"}", "failed");
        json_decref(kit_control(k, "restore", "{\"offset\":0,\"size\":4,\"data\":\"0000\"}"));
        assert_refused(k, "restore", "{\"offset\":3,\"size\":4,\"data\":\"00\"}", "failed");
        assert_refused(k, "restore", "{\"offset\":2,\"size\":5,\"data\":\"00\"}", "failed");
        assert_refused(k, "restore", "{\"offset\":2,\"size\":4,\"data\":\"0000\"}", "foreign");
        assert_refused(k, "restore", "{\"offset\":2,\"size\":4,\"data\":\"0000\"}", "failed");
}

/* ---- JSON and its description ---- */

static bool is_word(const char *text, size_t at, const char *word) {
        size_t n = strlen(word);

        return strncmp(text + at, word, n) == 0 &&
               !strchr("abcdefghijklmnopqrstuvwxyz_0123456789", text[at + n]) &&
               (at == 0 || !strchr("abcdefghijklmnopqrstuvwxyz_0123456789", text[at - 1]));
}

/* What tpmauthn(1) says of the JSON of a command: its lines of members. */
static const char *described(const char *command) {
        static char page[1 << 16], members[4096], begin[64];
        FILE *f = fopen(MANUAL, "r");
        const char *p, *end;
        size_t n;

        assert_non_null(f);
        n = fread(page, 1, sizeof(page) - 1, f);
        page[n] = '\0';
        fclose(f);
        p = strstr(page, "\n.Sh JSON");
        assert_non_null(p);
        snprintf(begin, sizeof(begin), "\n.Cm %s\n", command);
        p = strstr(p, begin);
        assert_non_null(p);
        end = strstr(p, "\n.Pp");
        if (strcmp(command, "backup") == 0)
                end = strstr(p, "\n.Cm restore");
        assert_non_null(end);
        members[0] = '\0';
        for (const char *line = p + 1; line < end; line = strchr(line, '\n') + 1) {
                size_t length = (size_t)(strchr(line, '\n') - line), used = strlen(members);

                if (strncmp(line, ".It Va ", 7) == 0 || strncmp(line, ".Va ", 4) == 0)
                        snprintf(members + used, sizeof(members) - used, "%.*s\n", (int)length,
                                 line);
        }
        return members;
}

static void assert_described(const char *command, const char *members, const json_t *value) {
        const char *key;
        json_t *inside;
        size_t i;

        if (json_is_array(value))
                json_array_foreach(value, i, inside) assert_described(command, members, inside);
        json_object_foreach((json_t *)(uintptr_t)value, key, inside) {
                bool found = false;

                for (i = 0; members[i] && !found; i++)
                        found = is_word(members, i, key);
                if (!found)
                        fail_msg("tpmauthn(1) does not describe %s of %s --json", key, command);
                assert_described(command, members, inside);
        }
}

static bool has_member(const json_t *value, const char *name) {
        const char *key;
        json_t *inside;
        bool found = false;
        size_t i;

        if (json_is_array(value))
                json_array_foreach(value, i, inside) found = found || has_member(inside, name);
        json_object_foreach((json_t *)(uintptr_t)value, key, inside) {
                found = found || strcmp(key, name) == 0 || has_member(inside, name);
        }
        return found;
}

/* Those that are printed only where there is something to say. */
static bool is_rare(const char *member) {
        static const char *const rare[] = { "damaged",           "reason", "note", "verify_off",
                                            "owner_auth_wanted", "seat",   "It",   "Va" };

        for (size_t i = 0; i < ELEMENTSOF(rare); i++)
                if (strcmp(rare[i], member) == 0)
                        return true;
        return false;
}

static void check_json(const struct daemon_kit *k, const char *command, const char *arguments) {
        json_t *value = json_loads(backup_cli(k, 0, arguments), 0, NULL);
        char members[4096], *rest = members, *word;

        assert_non_null(value);
        assert_described(command, described(command), value);
        snprintf(members, sizeof(members), "%s", described(command));
        while ((word = strsep(&rest, " ,.:;\n")) != NULL)
                if (*word && !is_rare(word) && !has_member(value, word))
                        fail_msg("%s --json has no %s, which tpmauthn(1) describes", command, word);
        json_decref(value);
}

static void json_is_what_the_manual_page_says(void **state) {
        struct daemon_kit *k = *state;
        fido_cred_t *a;
        fido_dev_t *dev;

        start(k);
        dev = kit_open_key(k);
        a = make(dev, "a.example", "ann");
        kit_close_key(dev);
        check_json(k, "list", "list --json");
        check_json(k, "events", "events --json");
        check_json(k, "pin status", "pin status --json");
        check_json(k, "status", "status --json");
        check_json(k, "inventory", "inventory --json");
        check_json(k, "report", "report --json");
        check_json(k, "doctor", "doctor --json");
        check_json(k, "tpm", "tpm --json");
        check_json(k, "backup", "backup @b1 --json");
        check_json(k, "restore", "restore @b1 --json --yes");
        check_json(k, "retire", "retire --json --yes");
        fido_cred_free(&a);
}

/* ---- a store of the version before ---- */

static void exec(sqlite3 *db, const char *sql) {
        if (sqlite3_exec(db, sql, NULL, NULL, NULL) != SQLITE_OK)
                fail_msg("%s: %s", sql, sqlite3_errmsg(db));
}

/* The columns that a table of the version before has; one of now may have more. */
static void put_columns(sqlite3 *db, const char *table, char *to, size_t size) {
        char sql[128];
        sqlite3_stmt *q;

        snprintf(sql, sizeof(sql), "SELECT group_concat(name) FROM pragma_table_info('%s', 'main')",
                 table);
        assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &q, NULL), SQLITE_OK);
        assert_int_equal(sqlite3_step(q), SQLITE_ROW);
        snprintf(to, size, "%s", (const char *)sqlite3_column_text(q, 0));
        sqlite3_finalize(q);
}

/* A file that the steps up to the version before made, with what is in this one. */
static void make_old(const char *path, const char *old_path) {
        static const char *const tables[] = { "credential",   "lease",       "tpm",      "settings",
                                              "discoverable", "large_blobs", "spare_key" };
        const struct store_schema before = { store_schema.steps, store_schema.version - 1 };
        char sql[1536], columns[512];
        sqlite3 *db;

        assert_int_equal(sqlite3_open(old_path, &db), SQLITE_OK);
        assert_int_equal(store_migrate(db, &before, 0), SQLITE_OK);
        snprintf(sql, sizeof(sql), "ATTACH '%s' AS now", path);
        exec(db, sql);
        for (size_t i = 0; i < ELEMENTSOF(tables); i++) {
                put_columns(db, tables[i], columns, sizeof(columns));
                snprintf(sql, sizeof(sql),
                         "DELETE FROM main.%s; INSERT INTO main.%s(%s) SELECT %s FROM now.%s",
                         tables[i], tables[i], columns, columns, tables[i]);
                exec(db, sql);
        }
        assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

static void a_store_of_the_version_before_still_signs(void **state) {
        struct daemon_kit *k = *state;
        char path[512] = "", old_path[512];
        fido_cred_t *a, *b;
        fido_dev_t *dev;
        int64_t before;
        FILE *f;

        start(k);
        dev = kit_open_key(k);
        assert_int_equal(fido_dev_set_pin(dev, "1234", NULL), FIDO_OK);
        kit_close_key(dev);
        dev = kit_open_key(k);
        a = make_with_pin(dev, "a.example", "ann", "1234");
        before = use(dev, "a.example", a);
        kit_close_key(dev);
        assert_int_equal(kit_stop(k), 0);

        shell(k, "find @ -name store.db >@path");
        f = fopen(in_folder(k, "@path"), "r");
        assert_non_null(f);
        assert_non_null(fgets(path, sizeof(path), f));
        fclose(f);
        path[strcspn(path, "\n")] = '\0';
        snprintf(old_path, sizeof(old_path), "%s", in_folder(k, "@old.db"));
        make_old(path, old_path);
        assert_int_equal(rename(old_path, path), 0);

        start(k);
        assert_says(cli(k, 0, "list"), "a.example");
        dev = kit_open_key(k);
        assert_true(use(dev, "a.example", a) > before);
        b = make_with_pin(dev, "b.example", "bob", "1234");
        assert_true(use(dev, "b.example", b) > 0);
        kit_close_key(dev);
        assert_says(cli(k, 0, "events"), "b.example");
        fido_cred_free(&a);
        fido_cred_free(&b);
}

static void help_tells_of_every_command(void **state) {
        struct daemon_kit *k = *state;
        static char help[1 << 18];
        char *line, *rest = help, name[32], arguments[64];
        unsigned n = 0;

        snprintf(help, sizeof(help), "%s", cli(k, 0, "--help"));
        assert_string_equal(cli(k, 0, "help"), help);
        while ((line = strsep(&rest, "\n")) != NULL) {
                assert_true(strlen(line) <= 80);
                if (sscanf(line, "  %31[a-z-]", name) != 1 || strncmp(line, "  ", 2) != 0 ||
                    line[2] == ' ' || name[0] == '-')
                        continue;
                n++;
                snprintf(arguments, sizeof(arguments), "help %s", name);
                assert_says(cli(k, 0, arguments), name);
                for (const char *s = cli(k, 0, arguments), *e; (e = strchr(s, '\n')); s = e + 1)
                        assert_true(e - s <= 80);
        }
        assert_true(n >= 14);
        assert_says(cli(k, 2, "help sing"), "no command sing");
        cli(k, 2, "help list show");
        cli(k, 2, "list all");
        cli(k, 2, "show");
        cli(k, 2, "");
}

static void the_configuration_is_read_without_a_daemon(void **state) {
        struct daemon_kit *k = *state;
        char path[80], arguments[120];
        FILE *f;

        setenv("TPMAUTHND", TPMAUTHND, 1);
        snprintf(path, sizeof(path), "%s/some.conf", k->folder);
        f = fopen(path, "w");
        assert_non_null(f);
        fputs("[policy]\nalways-uv = yes\n", f);
        assert_int_equal(fclose(f), 0);
        snprintf(arguments, sizeof(arguments), "config cat %s", path);
        assert_says(cli(k, 0, arguments), "always-uv = yes");
        snprintf(arguments, sizeof(arguments), "config verify %s", path);
        assert_string_equal(cli(k, 0, arguments), "");

        f = fopen(path, "w");
        assert_non_null(f);
        fputs("[policy]\nalways-uf = yes\n", f);
        assert_int_equal(fclose(f), 0);
        assert_says(cli(k, 78, arguments), "always-uv");
        cli(k, 2, "config sing");
        cli(k, 2, "config");
        setenv("TPMAUTHND", "/nowhere/tpmauthnd", 1);
        assert_says(cli(k, 1, arguments), "/nowhere/tpmauthnd");
        unsetenv("TPMAUTHND");
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, kit_setup, kit_teardown)

int main(void) {
        const struct CMUnitTest tests[] = {
                TEST(the_list_is_a_table_of_80_columns),
                TEST(retire_names_the_sites_and_then_erases),
                TEST(after_retire_neither_backups_nor_copies_work),
                TEST(events_tell_of_uses_and_failures),
                TEST(more_events_than_one_page_come_in_order),
                TEST(the_inventory_names_nobody),
                TEST(a_report_is_a_line_for_each_device),
                TEST(a_backup_brings_back_what_was_deleted),
                TEST(no_other_file_is_restored),
                TEST(a_backup_outlives_the_store),
                TEST(an_empty_store_that_makes_room_leaves_nothing_in_the_tpm),
                TEST(a_restore_that_is_cut_short_loses_nothing),
                TEST(pages_that_do_not_belong_together_are_refused),
                TEST(json_is_what_the_manual_page_says),
                TEST(a_store_of_the_version_before_still_signs),
                TEST(help_tells_of_every_command),
                TEST(the_configuration_is_read_without_a_daemon),
        };

        return cmocka_run_group_tests_name("cli", tests, NULL, NULL);
}
