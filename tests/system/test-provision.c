/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Passkeys that an administrator makes, in the real daemon: for users who are not logged in, as a logind
 * tells it that is this test; for whom polkit lets, which is python3-dbusmock's; and what the user finds who
 * logs in then. What a site's server says of the answer says python-fido2.
 */

#include <fido.h>
#include <fido/es256.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "ctap/bytes.h"
#include "tests/system/fido-kit.h"
#include "tests/system/users-kit.h"
#include "tests/unit/test.h"

/* Accounts that every machine has. */
#define ALICE   2
#define BOB     3
#define WAIT_MS 20000
#define SECRET  "one-time 4711"
#define PIN     "a PIN of mine"

#define OPTIONS(selection, more)                                                      \
        "{\"rp\":{\"id\":\"example.com\",\"name\":\"Example\"},"                      \
        "\"user\":{\"id\":\"YWxpY2U\",\"name\":\"alice\",\"displayName\":\"Alice\"}," \
        "\"challenge\":\"AAECAwQFBgcICQoLDA0ODw\",\"attestation\":\"direct\","        \
        "\"pubKeyCredParams\":[{\"type\":\"public-key\",\"alg\":-7}],"                \
        "\"extensions\":{\"hmacCreateSecret\":true,\"credProps\":true},"              \
        "\"authenticatorSelection\":{\"residentKey\":\"required\"" selection "}" more "}"
#define VERIFIED   OPTIONS(",\"userVerification\":\"required\"", "")
#define UNVERIFIED OPTIONS("", "")

static void write_file(const struct world *w, const char *name, const char *text) {
        char path[80];
        FILE *f;

        snprintf(path, sizeof(path), "%s/%s", w->kit.folder, name);
        f = fopen(path, "w");
        assert_non_null(f);
        fputs(text, f);
        assert_int_equal(fclose(f), 0);
}

static int setup(void **state) {
        struct world *w;

        if (world_setup(state) < 0)
                return -1;
        w = *state;
        write_file(w, "tpmauthn.secret", SECRET "\nand no more\n");
        write_file(w, "guess", "4711");
        write_file(w, "verified", VERIFIED);
        write_file(w, "unverified", UNVERIFIED);
        return 0;
}

/* ---- what is asked, and what is there ---- */

/* tpmauthn with these arguments, in which @ is the folder. Its output, and its exit status. */
static int cli(const struct world *w, uid_t uid, const char *arguments, char *out, size_t size) {
        char command[1024];
        size_t n = (size_t)snprintf(command, sizeof(command),
                                    "CREDENTIALS_DIRECTORY=/nowhere TPMAUTHN_SOCKET=%s ",
                                    w->kit.control);
        int status;
        FILE *f;

        if (uid != 0)
                n += (size_t)snprintf(command + n, sizeof(command) - n,
                                      "setpriv --reuid=%u --clear-groups ", (unsigned)uid);
        n += (size_t)snprintf(command + n, sizeof(command) - n, TPMAUTHN " ");
        for (; *arguments; arguments++)
                n += (size_t)snprintf(command + n, sizeof(command) - n,
                                      *arguments == '@' ? "%s" : "%.1s",
                                      *arguments == '@' ? w->kit.folder : arguments);
        snprintf(command + n, sizeof(command) - n, " 2>&1");
        f = popen(command, "r");
        assert_non_null(f);
        n = fread(out, 1, size - 1, f);
        out[n] = '\0';
        status = pclose(f);
        return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void assert_cli(const struct world *w, const char *arguments, int status, const char *says) {
        char out[8192];
        int got = cli(w, 0, arguments, out, sizeof(out));

        if (got != status || !strstr(out, says))
                fail_msg("%s: %d, not %d with '%s': %s", arguments, got, status, says, out);
}

/* Sends `register` for this user; the answer comes when it comes. */
static int send_register(const struct world *w, uid_t uid) {
        int fd = kit_connect(w->kit.control, SOCK_STREAM);

        assert_true(fd >= 0);
        dprintf(fd,
                "{\"v\":1,\"id\":7,\"method\":\"register\",\"params\":{\"user\":%u,\"options\":%s}}\n",
                (unsigned)uid, UNVERIFIED);
        return fd;
}

static void assert_registered(int fd) {
        struct pollfd p = { .fd = fd, .events = POLLIN };
        char answer[16384];
        ssize_t n;

        assert_int_equal(poll(&p, 1, WAIT_MS), 1);
        n = recv(fd, answer, sizeof(answer) - 1, 0);
        assert_true(n > 0);
        answer[n] = '\0';
        if (!strstr(answer, "clientDataJSON"))
                fail_msg("%s", answer);
        close(fd);
}

static size_t count_passkeys(const struct world *w, uid_t uid) {
        char params[32];
        json_t *answer;
        size_t n;

        snprintf(params, sizeof(params), "{\"user\":%u}", (unsigned)uid);
        answer = kit_control(&w->kit, "list", params);
        n = json_array_size(json_object_get(json_object_get(answer, "result"), "credentials"));
        json_decref(answer);
        return n;
}

static bool has_no_tpm(const struct world *w, uid_t uid) {
        (void)uid;
        return kit_swtpm(&w->kit) < 0;
}

static void await(const struct world *w, bool (*holds)(const struct world *w, uid_t uid),
                  uid_t uid) {
        const struct timespec step = { .tv_nsec = 20000000 };
        uint64_t until = kit_now() + WAIT_MS;

        while (!holds(w, uid)) {
                kit_assert_alive(&w->kit);
                assert_true(kit_now() < until);
                nanosleep(&step, NULL);
        }
}

/* Whoever logs in says yes to everything. */
static void log_in_willing(const struct world *w, const char *session, uid_t uid) {
        log_in(w, session, uid);
        always_yes(w, uid);
}

/* ---- a client of the user's ---- */

/* Signs in with verification by this PIN; the key is the one that was registered. */
static int sign_in(fido_dev_t *dev, const es256_pk_t *key, const char *pin) {
        static const unsigned char challenge[32] = "a challenge of thirty-two bytes";
        fido_assert_t *a = fido_assert_new();
        int r;

        assert_int_equal(fido_assert_set_clientdata_hash(a, challenge, sizeof(challenge)), FIDO_OK);
        assert_int_equal(fido_assert_set_rp(a, "example.com"), FIDO_OK);
        r = fido_dev_get_assert(dev, a, pin);
        if (r == FIDO_OK) {
                assert_int_equal(fido_assert_count(a), 1);
                assert_int_equal(fido_assert_flags(a, 0) & 0x05, 0x05);
                assert_int_equal(fido_assert_set_up(a, FIDO_OPT_TRUE), FIDO_OK);
                assert_int_equal(fido_assert_set_uv(a, FIDO_OPT_TRUE), FIDO_OK);
                r = fido_assert_verify(a, 0, COSE_ES256, key);
        }
        fido_assert_free(&a);
        return r;
}

/* What a server says; *ret is the public key that it keeps. */
static void assert_server_takes(const struct world *w, es256_pk_t *ret) {
        uint8_t key[64];
        char command[256], hex[256] = "";
        FILE *f;

        snprintf(command, sizeof(command),
                 "/usr/bin/python3 " VERIFY_REGISTRATION " %s/verified < %s/made", w->kit.folder,
                 w->kit.folder);
        f = popen(command, "r");
        assert_non_null(f);
        assert_non_null(fgets(hex, sizeof(hex), f));
        assert_int_equal(pclose(f), 0);
        for (size_t i = 0; i < sizeof(key); i++)
                assert_int_equal(sscanf(hex + 2 * i, "%2hhx", &key[i]), 1);
        assert_int_equal(es256_pk_from_ptr(ret, key, sizeof(key)), FIDO_OK);
}

/* ---- a user who is not there ---- */

static void who_logs_in_first_finds_the_passkey_and_has_to_change_the_pin(void **state) {
        es256_pk_t *key = es256_pk_new();
        struct world *w = *state;
        fido_dev_t *dev;

        world_start(w);
        assert_cli(w, "provision --user 2 < @/verified", 1, "there is no secret to verify by");
        assert_cli(w, "pin set --user 2 --secret-file @/tpmauthn.secret", 0,
                   "one-time secret is set");
        assert_cli(w, "pin set --user 2 --secret-file @/tpmauthn.secret", 1, "a PIN already");
        assert_cli(w, "provision --user 2 < @/verified", 1, "takes verification by the enrolment");
        assert_cli(w, "provision --user 2 --secret-file @/guess < @/verified", 1, "is wrong");
        assert_cli(w, "provision --user 2 --secret-file @/tpmauthn.secret < @/verified > @/made", 0,
                   "");
        assert_int_equal(count_devices(w), 0);
        assert_server_takes(w, key);
        await(w, has_no_tpm, ALICE);

        log_in_willing(w, "1", ALICE);
        dev = open_key_of(w, ALICE);
        assert_int_equal(sign_in(dev, key, SECRET), FIDO_ERR_PIN_POLICY_VIOLATION);
        assert_int_equal(fido_dev_set_pin(dev, SECRET, SECRET), FIDO_ERR_PIN_POLICY_VIOLATION);
        assert_cli(w, "--user 2 pin status", 0, "It is the one-time secret");
        assert_int_equal(fido_dev_set_pin(dev, PIN, SECRET), FIDO_OK);
        assert_int_equal(sign_in(dev, key, PIN), FIDO_OK);
        assert_int_equal(sign_in(dev, key, SECRET), FIDO_ERR_PIN_INVALID);
        kit_close_key(dev);
        assert_cli(w, "provision --user 2 --secret-file @/tpmauthn.secret < @/verified", 1,
                   "of no use any more");
        write_file(w, "mine", PIN);
        assert_cli(w, "provision --user 2 --secret-file @/mine < @/verified", 1,
                   "a PIN of their own");
        es256_pk_free(&key);
        assert_int_equal(kit_stop(&w->kit), 0);
}

static void the_secret_comes_from_the_service_manager_too(void **state) {
        struct world *w = *state;
        char out[4096];

        world_start(w);
        assert_cli(w, "pin set --user 2 --from-credential", 1, "No such file");
        assert_int_equal(cli(w, 0,
                             "--version; export TPMAUTHN_SOCKET=@/run/control.sock"
                             " CREDENTIALS_DIRECTORY=@; " TPMAUTHN
                             " pin set --user 2 --from-credential && " TPMAUTHN
                             " provision --user 2 < @/verified",
                             out, sizeof(out)),
                         0);
        assert_non_null(strstr(out, "clientDataJSON"));
        assert_int_equal(kit_stop(&w->kit), 0);
}

static void what_is_wrong_is_said_and_makes_nothing(void **state) {
        static const struct {
                const char *options, *says;
        } cases[] = {
                { "{", "standard input: line 1" },
                { "[]", "wrong type" },
                { "{\"rp\":{\"id\":\"example.com\"}}", "user is missing" },
                { OPTIONS("", ",\"challenge\":\"AAEC\""), "duplicate" },
                { OPTIONS(",\"authenticatorAttachment\":\"platform\"", ""), "cross-platform" },
        };
        struct world *w = *state;

        world_start(w);
        assert_cli(w, "provision < @/verified", 2, "takes --user");
        assert_cli(w, "provision --user 4294967294 < @/verified", 2, "no account with the uid");
        assert_cli(w, "provision --user nobody-of-that-name < @/verified", 2, "there is no user");
        assert_cli(w, "list --origin https://example.com", 2, "--origin is for provision");
        assert_cli(w, "list --secret-file /dev/null", 2, "is for provision and pin set");
        assert_cli(w, "pin change --secret-file /dev/null", 2, "are for pin set");
        assert_cli(w, "pin set --user 2 --secret-file /dev/null", 1, "it is empty");
        assert_cli(w, "pin set --user 2 --secret-file /dev/zero", 1, "its first line is empty");
        assert_cli(w, "provision --user 2 --origin https://example.org < @/unverified", 1,
                   "not the host of the origin");
        assert_cli(
                w,
                "provision --user 2 --origin \"$(printf 'https://example.com/\\377')\" < @/unverified",
                2, "--origin takes a text in UTF-8");
        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                write_file(w, "wrong", cases[i].options);
                assert_cli(w, "provision --user 2 < @/wrong", 1, cases[i].says);
        }
        assert_int_equal(count_passkeys(w, ALICE), 0);
        assert_int_equal(kit_stop(&w->kit), 0);
}

/* It also keeps what was made for nobody out of the TPM. */
static void only_a_store_that_is_there_is_opened_to_be_looked_at(void **state) {
        struct world *w = *state;
        char path[80];

        world_start(w);
        assert_cli(w, "list --user 3", 4, "uid 3 never had a passkey here");
        assert_cli(w, "--device 1 list --user 3", 1, "logind knows of no session");
        snprintf(path, sizeof(path), "%s/state/users/3", w->kit.folder);
        assert_int_equal(access(path, F_OK), -1);
        assert_int_equal(kit_swtpm(&w->kit), -1);

        assert_cli(w, "provision --user 3 < @/unverified", 0, "clientDataJSON");
        assert_cli(w, "list --user 3", 0, "example.com");
        await(w, has_no_tpm, BOB);
        assert_cli(w, "list --user 3", 0, "example.com");
        assert_cli(w, "replug --user 3", 1, "logind knows of no session");
        assert_cli(w, "backup --user 3 @/backup", 1, "logind knows of no session");
        assert_cli(w, "reset --yes --user 3", 0, "");
        assert_cli(w, "list --user 3", 0, "");
        assert_int_equal(count_passkeys(w, BOB), 0);
        assert_int_equal(kit_stop(&w->kit), 0);
}

static void move(const struct world *w, const char *from, const char *to) {
        char old[100], new[100];

        snprintf(old, sizeof(old), "%s/%s", w->kit.folder, from);
        snprintf(new, sizeof(new), "%s/%s", w->kit.folder, to);
        assert_int_equal(rename(old, new), 0);
}

static bool has_failed(const struct world *w, uid_t uid) {
        char params[32];
        json_t *answer, *error;
        const char *code;
        bool failed;

        snprintf(params, sizeof(params), "{\"user\":%u}", (unsigned)uid);
        answer = kit_control(&w->kit, "list", params);
        error = json_object_get(answer, "error");
        code = json_string_value(json_object_get(error, "code"));
        failed = code && strcmp(code, "not-ready") == 0 &&
                 strstr(json_string_value(json_object_get(error, "message")), "store");
        json_decref(answer);
        return failed;
}

static bool has_one(const struct world *w, uid_t uid) {
        return count_passkeys(w, uid) == 1;
}

static void a_store_that_failed_is_opened_anew_however_often_it_is_asked_for(void **state) {
        struct world *w = *state;

        world_start(w);
        assert_cli(w, "provision --user 3 < @/unverified", 0, "clientDataJSON");
        await(w, has_no_tpm, BOB);
        move(w, "state/users/3/store.db", "good");
        write_file(w, "state/users/3/store.db", "this is no database, and nothing like one");
        await(w, has_failed, BOB);
        move(w, "good", "state/users/3/store.db");
        await(w, has_one, BOB);
        assert_int_equal(kit_stop(&w->kit), 0);
}

static void a_passkey_that_is_there_is_excluded(void **state) {
        struct world *w = *state;
        json_t *answer, *made, *error;
        char params[2048], id[128];

        world_start(w);
        snprintf(params, sizeof(params), "{\"user\":2,\"options\":%s}", UNVERIFIED);
        answer = kit_control(&w->kit, "register", params);
        made = json_object_get(answer, "result");
        snprintf(id, sizeof(id), "%s", json_string_value(json_object_get(made, "id")));
        json_decref(answer);
        snprintf(params, sizeof(params),
                 "{\"user\":2,\"options\":%.*s,\"excludeCredentials\":"
                 "[{\"type\":\"public-key\",\"id\":\"YQ\"},"
                 "{\"type\":\"public-key\",\"id\":\"%s\"}]}}",
                 (int)strlen(UNVERIFIED) - 1, UNVERIFIED, id);
        answer = kit_control(&w->kit, "register", params);
        error = json_object_get(answer, "error");
        assert_string_equal(json_string_value(json_object_get(error, "code")), "excluded");
        json_decref(answer);
        assert_int_equal(count_passkeys(w, ALICE), 1);
        assert_int_equal(kit_stop(&w->kit), 0);
}

static void who_logs_in_meanwhile_cuts_nothing_off(void **state) {
        struct world *w = *state;
        pid_t tpm;
        int fd;

        world_start(w);
        assert_cli(w, "provision --user 2 < @/unverified", 0, "clientDataJSON");
        tpm = kit_swtpm(&w->kit);
        assert_true(tpm > 0);
        assert_int_equal(kill(tpm, SIGSTOP), 0);
        fd = send_register(w, ALICE);
        logind_login(w->logind, "1", ALICE);
        await_state(w, ALICE, "ready");
        assert_int_equal(count_devices(w), 1);
        assert_int_equal(kill(tpm, SIGCONT), 0);
        assert_registered(fd);
        assert_int_equal(kit_swtpm(&w->kit), tpm);

        /* And it is a device like any other: it goes with the last session. */
        logind_logout(w->logind, "1");
        await(w, has_no_tpm, ALICE);
        assert_int_equal(count_devices(w), 0);
        assert_int_equal(kit_stop(&w->kit), 0);
}

static bool log_says(const struct world *w, const char *what) {
        static char text[262144];
        char path[80];
        FILE *f;

        snprintf(path, sizeof(path), "%s/log", w->kit.folder);
        f = fopen(path, "re");
        assert_non_null(f);
        text[fread(text, 1, sizeof(text) - 1, f)] = '\0';
        (void)fclose(f);
        return strstr(text, what);
}

static bool was_opened_anew(const struct world *w, uid_t uid) {
        (void)uid;
        return log_says(w, "this machine's attestation is another: opened anew");
}

/* What is kept of an attestation key, and too long to be one: to remove that takes no TPM. */
static void what_is_open_without_a_device_hears_of_another_attestation(void **state) {
        static char key[5000];
        struct world *w = *state;
        char path[80];

        memset(key, 'x', sizeof(key) - 1);
        world_start(w);
        snprintf(path, sizeof(path), "%s/state/attestation", w->kit.folder);
        assert_int_equal(mkdir(path, 0700), 0);
        write_file(w, "state/attestation/key", key);
        assert_cli(w, "provision --user 2 < @/unverified", 0, "clientDataJSON");
        assert_true(kit_swtpm(&w->kit) > 0);
        assert_cli(w, "attestation remove --yes", 0, "is removed");
        await(w, was_opened_anew, ALICE);

        /* Whatever comes next is served by what was opened then, and so is its owner. */
        assert_cli(w, "provision --user 2 < @/unverified", 0, "clientDataJSON");
        log_in_willing(w, "1", ALICE);
        assert_int_equal(count_devices(w), 1);
        assert_int_equal(count_passkeys(w, ALICE), 1);
        assert_int_equal(kit_stop(&w->kit), 0);
}

static void who_is_logged_in_has_it_at_once(void **state) {
        struct world *w = *state;

        world_start(w);
        log_in_willing(w, "1", ALICE);
        assert_cli(w, "provision --user 2 < @/unverified", 0, "clientDataJSON");
        assert_int_equal(count_passkeys(w, ALICE), 1);
        assert_int_equal(count_devices(w), 1);
        assert_int_equal(kit_stop(&w->kit), 0);
}

/* What has not begun never does; what has begun ends, and its store is let go. */
static void whose_client_hangs_up_makes_nothing_more(void **state) {
        struct world *w = *state;
        pid_t tpm;
        int running, waiting;

        world_start(w);
        assert_cli(w, "provision --user 2 < @/unverified", 0, "clientDataJSON");
        assert_cli(w, "reset --yes --user 2", 0, "");
        tpm = kit_swtpm(&w->kit);
        assert_int_equal(kill(tpm, SIGSTOP), 0);
        running = send_register(w, ALICE);
        json_decref(kit_control(&w->kit, "status", NULL));
        waiting = send_register(w, ALICE);
        json_decref(kit_control(&w->kit, "status", NULL));
        close(waiting);
        json_decref(kit_control(&w->kit, "status", NULL));
        assert_int_equal(kill(tpm, SIGCONT), 0);
        assert_registered(running);
        assert_int_equal(count_passkeys(w, ALICE), 1);
        await(w, has_no_tpm, ALICE);
        assert_int_equal(kit_stop(&w->kit), 0);
}

static void a_tpm_that_hangs_holds_up_nobody_else(void **state) {
        struct world *w = *state;
        pid_t tpm;
        int fd;

        world_start(w);
        assert_cli(w, "provision --user 2 < @/unverified", 0, "clientDataJSON");
        tpm = kit_swtpm(&w->kit);
        assert_int_equal(kill(tpm, SIGSTOP), 0);
        fd = send_register(w, ALICE);
        log_in_willing(w, "1", BOB);
        close(fd);
        assert_int_equal(count_devices(w), 1);
        assert_cli(w, "provision --user 3 < @/unverified", 0, "clientDataJSON");
        assert_int_equal(kill(tpm, SIGCONT), 0);
        assert_cli(w, "list --user 2", 0, "example.com");
        assert_int_equal(kit_stop(&w->kit), 0);
}

/* ---- who may ---- */

static void call_polkit(sd_bus *bus, const char *method, const char *argument, const char *types,
                        void *ret) {
        sd_bus_message *reply = NULL;

        assert_true(sd_bus_call_method(bus, "org.freedesktop.PolicyKit1",
                                       "/org/freedesktop/PolicyKit1/Authority",
                                       "org.freedesktop.DBus.Mock", method, NULL, &reply,
                                       argument ? "s" : NULL, argument) >= 0);
        if (types && *types == 's') {
                const char *text;

                assert_true(sd_bus_message_read(reply, "s", &text) >= 0);
                snprintf(ret, 128, "%s", text);
        } else if (types)
                assert_true(sd_bus_message_read(reply, types, ret) >= 0);
        sd_bus_message_unref(reply);
}

/* A folder that everybody may enter, as a service manager makes it. */
static void let_in(const struct world *w) {
        char path[80];

        snprintf(path, sizeof(path), "%s/run", w->kit.folder);
        assert_int_equal(chmod(w->kit.folder, 0755), 0);
        assert_int_equal(chmod(path, 0755), 0);
}

static void assert_refused_to(const struct world *w, uid_t uid, const char *arguments) {
        char out[8192];

        assert_int_equal(cli(w, uid, arguments, out, sizeof(out)), 1);
        if (!strstr(out, "This is for administrators: root, and who polkit lets"))
                fail_msg("%s", out);
}

static void without_polkit_it_is_for_root_alone(void **state) {
        struct world *w = *state;

        if (getuid() != 0)
                skip();
        world_start(w);
        log_in_willing(w, "1", ALICE);
        let_in(w);
        assert_refused_to(w, ALICE, "provision --user 2 < @/unverified");
        assert_refused_to(w, ALICE, "provision --user 3 < @/unverified");
        assert_refused_to(w, ALICE, "pin set --user 2 --secret-file @/tpmauthn.secret");
        assert_int_equal(count_passkeys(w, ALICE), 0);
        assert_int_equal(count_devices(w), 1);
        assert_int_equal(kit_stop(&w->kit), 0);
}

static void polkit_says_who_is_an_administrator(void **state) {
        struct world *w = *state;
        char out[8192], asked[128], action[64];
        unsigned pid, uid, flags;
        sd_bus *bus;

        if (getuid() != 0)
                skip();
        w->mock = bus_kit_mock(&w->bus, MOCK_POLKIT, "org.freedesktop.PolicyKit1");
        world_start(w);
        log_in_willing(w, "1", ALICE);
        let_in(w);
        bus = bus_kit_connect(&w->bus);
        assert_refused_to(w, ALICE, "provision --user 3 < @/unverified");
        call_polkit(bus, "Asked", NULL, "s", asked);
        assert_int_equal(sscanf(asked, "%63s %u %u %u", action, &pid, &uid, &flags), 4);
        assert_string_equal(action, "org.tpmauthn.provision");
        assert_true(pid > 1);
        assert_int_equal(uid, ALICE);
        assert_int_equal(flags, 1);
        call_polkit(bus, "Answer", "error", NULL, NULL);
        assert_refused_to(w, ALICE, "provision --user 3 < @/unverified");

        call_polkit(bus, "Answer", "yes", NULL, NULL);
        assert_int_equal(cli(w, ALICE, "pin set --user 3 --secret-file @/tpmauthn.secret", out,
                             sizeof(out)),
                         0);
        assert_int_equal(cli(w, ALICE,
                             "provision --user 3 --secret-file @/tpmauthn.secret < @/verified", out,
                             sizeof(out)),
                         0);
        /* For that alone. */
        assert_int_equal(cli(w, ALICE, "list --user 3", out, sizeof(out)), 1);
        assert_int_equal(cli(w, ALICE, "reset --yes --user 3", out, sizeof(out)), 1);
        assert_int_equal(count_passkeys(w, BOB), 1);
        sd_bus_flush_close_unref(bus);
        assert_int_equal(kit_stop(&w->kit), 0);
}

/* Asks as this user from a process of its own, which ends well if it is refused; needs root. */
static pid_t start_client(const struct world *w, uid_t uid) {
        char answer[1024];
        pid_t pid = fork();
        ssize_t n;
        int fd;

        assert_true(pid >= 0);
        if (pid > 0)
                return pid;
        alarm(WAIT_MS / 1000);
        if (setresuid(uid, uid, uid) < 0)
                _exit(1);
        fd = send_register(w, BOB);
        n = recv(fd, answer, sizeof(answer) - 1, 0);
        answer[n > 0 ? n : 0] = '\0';
        _exit(strstr(answer, "not-allowed") ? 0 : 2);
}

static bool polkit_was_asked(const struct world *w, uid_t uid) {
        sd_bus *bus = bus_kit_connect(&w->bus);
        char asked[128];

        (void)uid;
        call_polkit(bus, "Asked", NULL, "s", asked);
        sd_bus_flush_close_unref(bus);
        return *asked;
}

static bool question_was_taken_back(const struct world *w, uid_t uid) {
        sd_bus *bus = bus_kit_connect(&w->bus);
        uint32_t n;

        (void)uid;
        call_polkit(bus, "Cancelled", NULL, "u", &n);
        sd_bus_flush_close_unref(bus);
        return n == 1;
}

static void polkit_is_not_waited_for_by_anybody_else(void **state) {
        struct world *w = *state;
        int status = -1;
        sd_bus *bus;
        pid_t client;

        if (getuid() != 0)
                skip();
        w->mock = bus_kit_mock(&w->bus, MOCK_POLKIT, "org.freedesktop.PolicyKit1");
        world_start(w);
        log_in_willing(w, "1", ALICE);
        let_in(w);
        bus = bus_kit_connect(&w->bus);
        call_polkit(bus, "Answer", "nothing", NULL, NULL);
        client = start_client(w, ALICE);
        await(w, polkit_was_asked, 0);
        assert_cli(w, "provision --user 3 < @/unverified", 0, "clientDataJSON");
        kill(client, SIGKILL);
        waitpid(client, NULL, 0);
        await(w, question_was_taken_back, 0);

        /* A bus that ends answers whoever waits. */
        client = start_client(w, ALICE);
        await(w, polkit_was_asked, 0);
        sd_bus_flush_close_unref(bus);
        bus_kit_end_mock(&w->mock);
        bus_kit_end(&w->bus);
        assert_int_equal(waitpid(client, &status, 0), client);
        assert_true(WIFEXITED(status));
        assert_int_equal(WEXITSTATUS(status), 0);
        assert_int_equal(count_passkeys(w, BOB), 1);
        assert_int_equal(kit_stop(&w->kit), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, world_teardown)

int main(void) {
        const struct CMUnitTest tests[] = {
                TEST(who_logs_in_first_finds_the_passkey_and_has_to_change_the_pin),
                TEST(the_secret_comes_from_the_service_manager_too),
                TEST(what_is_wrong_is_said_and_makes_nothing),
                TEST(only_a_store_that_is_there_is_opened_to_be_looked_at),
                TEST(a_store_that_failed_is_opened_anew_however_often_it_is_asked_for),
                TEST(a_passkey_that_is_there_is_excluded),
                TEST(who_logs_in_meanwhile_cuts_nothing_off),
                TEST(what_is_open_without_a_device_hears_of_another_attestation),
                TEST(who_is_logged_in_has_it_at_once),
                TEST(whose_client_hangs_up_makes_nothing_more),
                TEST(a_tpm_that_hangs_holds_up_nobody_else),
                TEST(without_polkit_it_is_for_root_alone),
                TEST(polkit_says_who_is_an_administrator),
                TEST(polkit_is_not_waited_for_by_anybody_else),
        };

        return cmocka_run_group_tests_name("provision", tests, NULL, NULL);
}
