/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * tpmauthn ci run: what the command finds, what its exit status is, and that nothing is left, no process
 * and no file, whoever is killed in whatever way. The devices are sockets.
 */

#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/system/ci-kit.h"
#include "tests/system/fido-kit.h"
#include "tests/unit/test.h"

static char self[4096];

static int setup(void **state) {
        struct ci_kit *k = malloc(sizeof(*k));

        *state = k;
        return k ? kit_begin(k) : -1;
}

static int teardown(void **state) {
        kit_end(*state);
        free(*state);
        return 0;
}

static void expect(struct ci_kit *k, int want, const char *options, const char *command) {
        int got = kit_runs(k, options, command);

        if (got != want)
                fail_msg("%s, %s: %d, not %d: %s", options, command, got, want, k->said);
        kit_nothing_is_left(k);
}

/* ---- what the command finds ---- */

static void the_command_finds_the_daemon_and_its_status_is_passed_on(void **state) {
        struct ci_kit *k = *state;

        expect(k, 7, "",
               "test \"$TPMAUTHN_CTL\" = \"$TPMAUTHN_SOCKET\" && test -S $TPMAUTHN_CTL && "
               "test -S $TPMAUTHN_HIDRAW && $TPMAUTHN status && exit 7");
        kit_says(k, "device 0: ready");
        expect(k, 0, "", "true");
        expect(k, 255, "", "exit 255");
}

static void the_device_of_the_command_is_a_simulator_that_says_so(void **state) {
        struct ci_kit *k = *state;

        expect(k, 0, "",
               "$TPMAUTHN status; $TPMAUTHN --json status | grep '\"simulator\": true'; "
               "$TPMAUTHN inventory");
        kit_says(k, "(simulator)\n");
        kit_says(k, "SW TPM");
        kit_says(k, "37c07f0225c24cd9a6330fbd53267e82");
}

static void each_of_several_devices_has_its_socket(void **state) {
        struct ci_kit *k = *state;

        expect(k, 3, "--devices 3",
               "for d in $TPMAUTHN_HIDRAW; do test -S $d || exit 9; done; set -- $TPMAUTHN_HIDRAW; "
               "$TPMAUTHN status; exit $#");
        kit_says(k, "device 2: ready");
}

static void the_command_reads_what_the_run_is_given(void **state) {
        struct ci_kit *k = *state;
        char command[4200];
        FILE *pipe;
        char line[32] = "";

        snprintf(command, sizeof(command),
                 "printf 'over here\\n' | TPMAUTHND=%s TMPDIR=%s " TPMAUTHN
                 " ci run --transport socket cat",
                 TPMAUTHND, k->folder);
        pipe = popen(command, "r");
        assert_non_null(pipe);
        assert_non_null(fgets(line, sizeof(line), pipe));
        assert_string_equal(line, "over here\n");
        assert_int_equal(pclose(pipe), 0);
        assert_true(kit_folder_is_empty(k));
}

/* What this program does as a command: registers a passkey without a PIN of its own, and logs in. */
static int register_and_log_in(void) {
        struct daemon_kit d = { 0 };
        struct kit_passkey passkey;
        fido_dev_t *dev;
        int status;

        snprintf(d.device, sizeof(d.device), "%s", getenv("TPMAUTHN_HIDRAW"));
        dev = kit_open_key(&d);
        if (kit_make_passkey(dev, &passkey) != FIDO_OK)
                status = 41;
        else {
                status = kit_use_passkey(dev, &passkey) == FIDO_OK ? 40 : 42;
                es256_pk_free(&passkey.public);
        }
        kit_close_key(dev);
        return status;
}

static void a_device_that_verifies_registers_and_logs_in(void **state) {
        struct ci_kit *k = *state;
        char command[4200];

        snprintf(command, sizeof(command), "%s register", self);
        expect(k, 40, "--uv ok", command);
        expect(k, 40, "--uv ok --pin 987654 --presence auto", command);
        /* With a PIN that is only set, a client that asks for none gets nowhere. */
        expect(k, 41, "--pin 987654", command);
        expect(k, 41, "--presence deny", command);
        expect(k, 0, "--pin 987654", "$TPMAUTHN pin status | grep -q '8 tries'");
}

static void a_device_that_does_not_verify_says_so_to_the_client(void **state) {
        struct ci_kit *k = *state;
        char command[4200];

        snprintf(command, sizeof(command), "%s register", self);
        expect(k, 41, "--uv fail", command);
        expect(k, 41, "--devices 2 --uv blocked",
               "$TPMAUTHN --json -d 0 pin status | grep '\"uv_retries\": 0' && "
               "$TPMAUTHN --json -d 1 pin status | grep '\"uv_retries\": 0' && exit 41");
        expect(k, 42, "--uv fail",
               "$TPMAUTHN --json pin status | grep '\"uv_retries\": [^0]' && exit 42");
}

static void what_is_seeded_is_there(void **state) {
        static const char *const fixture =
                "{\"credentials\":[{\"rp_id\":\"a.example\",\"user\":{\"id\":\"YWxp\","
                "\"name\":\"alice\",\"displayName\":\"Alice\"},\"discoverable\":true}]}";
        struct ci_kit *k = *state;
        char path[128], options[192];
        FILE *f;

        snprintf(path, sizeof(path), "%s/fixture", k->marks);
        f = fopen(path, "w");
        assert_non_null(f);
        fputs(fixture, f);
        assert_int_equal(fclose(f), 0);
        snprintf(options, sizeof(options), "--seed %s --devices 2", path);
        expect(k, 0, options, "$TPMAUTHN list; $TPMAUTHN -d 1 list");
        kit_says(k, "a.example");
        kit_says(k, "There are no passkeys on this device.");

        f = fopen(path, "w");
        assert_non_null(f);
        fputs("{\"credentials\":[{\"privateKey\":\"AAAA\"}]}", f);
        assert_int_equal(fclose(f), 0);
        expect(k, 125, options, "touch $MARKS/ran");
        expect(k, 125, "--seed /nonexistent/fixture", "touch $MARKS/ran");
        kit_says(k, "/nonexistent/fixture");
        snprintf(path, sizeof(path), "%s/ran", k->marks);
        assert_true(access(path, F_OK) < 0);
}

static void assert_in_file(const char *path, const char *text, bool is_there) {
        char content[65536];
        FILE *f = fopen(path, "re");
        size_t n;

        assert_non_null(f);
        n = fread(content, 1, sizeof(content), f);
        fclose(f);
        if ((memmem(content, n, text, strlen(text)) != NULL) != is_there)
                fail_msg("%s in %s: %s", text, path, is_there ? "no" : "yes");
}

static void a_trace_has_all_that_the_command_said(void **state) {
        struct ci_kit *k = *state;
        char command[4200], options[128], path[160];

        snprintf(command, sizeof(command), "%s register", self);
        snprintf(options, sizeof(options), "--uv ok --trace %s/trace", k->marks);
        expect(k, 40, options, command);
        snprintf(path, sizeof(path), "%s/trace/key-0.txt", k->marks);
        assert_in_file(path, "authenticatorMakeCredential", true);
        assert_in_file(path, "CTAP2_OK (0x00) to authenticatorGetAssertion", true);
        assert_in_file(path, "example.com", true);
        assert_in_file(path, "Secrets were taken out of it", true);
        snprintf(path, sizeof(path), "%s/trace/key-0.pcapng", k->marks);
        assert_in_file(path, "example.com", true);

        /* Also of a run that comes to a bad end; each key has its files. */
        snprintf(options, sizeof(options), "--devices 2 --trace %s/trace-2 --trace-secrets",
                 k->marks);
        snprintf(command, sizeof(command),
                 "TPMAUTHN_HIDRAW=${TPMAUTHN_HIDRAW#* } %s register; "
                 "kill -KILL $PPID",
                 self);
        expect(k, 125, options, command);
        snprintf(path, sizeof(path), "%s/trace-2/key-1.txt", k->marks);
        assert_in_file(path, "authenticatorGetInfo", true);
        assert_in_file(path, "Secrets were taken out of it", false);
        snprintf(path, sizeof(path), "%s/trace-2/key-0.txt", k->marks);
        assert_in_file(path, "authenticatorGetInfo", false);

        expect(k, 125, "--trace /proc/trace", "touch $MARKS/ran");
        kit_says(k, "/proc/trace");
}

static void a_folder_of_traces_has_those_of_one_run(void **state) {
        struct ci_kit *k = *state;
        char options[128], command[512], path[160];

        snprintf(options, sizeof(options), "--devices 2 --trace %s/trace", k->marks);
        snprintf(command, sizeof(command),
                 "cat %s/trace/* >$MARKS/before; "
                 "$TPMAUTHN ci run --transport socket --trace %s/trace -- touch $MARKS/ran; "
                 "test $? = 125 && cat %s/trace/* | cmp - $MARKS/before",
                 k->marks, k->marks, k->marks);
        expect(k, 0, options, command);
        kit_says(k, "is being written by another process");
        snprintf(path, sizeof(path), "%s/trace/key-1.txt", k->marks);
        assert_int_equal(access(path, F_OK), 0);

        snprintf(options, sizeof(options), "--trace %s/trace", k->marks);
        expect(k, 0, options, "true");
        assert_int_equal(access(path, F_OK), -1);
}

static void what_is_kept_is_there_the_next_time(void **state) {
        struct ci_kit *k = *state;
        char options[128], path[128];

        snprintf(options, sizeof(options), "--pin 1234 --keep %s/kept", k->marks);
        expect(k, 0, options, "$TPMAUTHN pin status");
        snprintf(path, sizeof(path), "%s/kept/tpmauthnd.log", k->marks);
        assert_int_equal(access(path, F_OK), 0);
        snprintf(options, sizeof(options), "--keep %s/kept", k->marks);
        expect(k, 0, options, "$TPMAUTHN --json pin status | grep '\"set\": true'");
        /* The PIN that is there stays. */
        snprintf(options, sizeof(options), "--pin 9999 --keep %s/kept", k->marks);
        expect(k, 0, options, "printf '1234\\n4321\\n' | $TPMAUTHN pin change");
        snprintf(options, sizeof(options), "--uv ok --pin 9999 --keep %s/kept", k->marks);
        expect(k, 125, options, "touch $MARKS/ran");
        kit_says(k, "have another PIN than --pin?");
        /* What that try has cost comes back. */
        snprintf(options, sizeof(options), "--uv ok --pin 4321 --keep %s/kept", k->marks);
        expect(k, 0, options, "$TPMAUTHN --json pin status | grep '\"retries\": 8'");
}

static void a_folder_that_is_kept_is_one_runs_at_a_time(void **state) {
        struct ci_kit *k = *state;
        char options[128], command[512];

        snprintf(options, sizeof(options), "--keep %s/kept", k->marks);
        snprintf(command, sizeof(command),
                 "$TPMAUTHN ci run --transport socket %s -- touch $MARKS/ran; test $? = 125 && "
                 "grep ready %s/kept/tpmauthnd.log",
                 options, k->marks);
        expect(k, 0, options, command);
        kit_says(k, "another run keeps its state in");
}

static void a_folder_may_be_named_from_the_working_folder(void **state) {
        struct ci_kit *k = *state;
        char path[128];
        int here = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

        assert_int_equal(chdir(k->marks), 0);
        expect(k, 0, "--keep kept --trace ./trace", "cd /; $TPMAUTHN status");
        assert_int_equal(fchdir(here), 0);
        close(here);
        snprintf(path, sizeof(path), "%s/kept/tpmauthnd.log", k->marks);
        assert_int_equal(access(path, F_OK), 0);
        snprintf(path, sizeof(path), "%s/trace/key-0.txt", k->marks);
        assert_int_equal(access(path, F_OK), 0);
}

/* ---- in a virtual machine ---- */

/* What takes the place of the program that boots one: the rest is tested where that can be. */
static void use_runner(const struct ci_kit *k, const char *text) {
        char path[128];
        FILE *f;

        snprintf(path, sizeof(path), "%s/runner", k->marks);
        f = fopen(path, "w");
        assert_non_null(f);
        fprintf(f, "#!/bin/sh\n%s\n", text);
        assert_int_equal(fclose(f), 0);
        assert_int_equal(chmod(path, 0700), 0);
        setenv("TPMAUTHN_VM", path, 1);
}

static void a_machine_is_given_the_folders_and_the_same_run(void **state) {
        struct ci_kit *k = *state;
        char options[128], want[512];

        use_runner(k, "test -z \"$(ls -A $1)\" || exit 9; shift; echo \"$@\"; exit 77");
        snprintf(options, sizeof(options), "--pin 123456 --vm --keep %s/kept --devices 2",
                 k->marks);
        expect(k, 77, options, "true");
        snprintf(want, sizeof(want),
                 " --share %s/kept -- %s ci run --transport=socket --pin 123456 --keep %s/kept "
                 "--devices 2 -- sh -c true\n",
                 k->marks, TPMAUTHN, k->marks);
        kit_says(k, want);
        assert_int_equal(kit_find(k, "tpmauthnd"), 0);
}

static void a_machine_ends_with_its_run(void **state) {
        struct ci_kit *k = *state;

        use_runner(k, "touch $MARKS/up; sleep 1000 & touch $1/file; wait");
        kit_run(k, "--vm", "true");
        kit_await(k, "up");
        kill(k->pid, SIGTERM);
        assert_int_equal(kit_status(k), 128 + SIGTERM);
        kit_nothing_is_left(k);

        use_runner(k, "touch $MARKS/up.2; sleep 1000 & wait");
        kit_run(k, "--vm", "true");
        kit_await(k, "up.2");
        kill(k->pid, SIGKILL);
        assert_int_equal(kit_status(k), 1000 + SIGKILL);
        kit_nothing_is_left(k);
}

static void a_machine_that_cannot_be_started_is_told_of(void **state) {
        struct ci_kit *k = *state;

        setenv("TPMAUTHN_VM", "/nonexistent/tpmauthn-vm", 1);
        expect(k, 125, "--vm --keep /nonexistent/kept", "true");
        kit_says(k, "/nonexistent/tpmauthn-vm");
        kit_says(k, "TPMAUTHN_VM in the environment");
}

/* ---- exit statuses ---- */

static void a_command_that_is_killed_gives_128_and_the_signal(void **state) {
        struct ci_kit *k = *state;

        expect(k, 128 + SIGKILL, "", "kill -KILL $$");
        expect(k, 128 + SIGSEGV, "", "ulimit -c 0; kill -SEGV $$");
}

static void what_is_wrong_before_the_command_has_a_status_of_its_own(void **state) {
        static const char *const wrong[] = {
                "--devices 0",
                "--devices 17",
                "--devices x",
                "--device 2",
                "--presence ask",
                "--uv perhaps",
                "--nonsense",
                "-d",
                "--transport usb",
                "--pin 123",
                "--keep=",
                "--trace=",
                "--trace-secrets",
                "--uv ok --presence deny",
                "--set device",
                "--set device.count=2",
                "--set tpm.tpm=device:/dev/tpmrm0",
                "--set presence.presence=deny",
                "--uv ok --set presence.pin-file=/tmp/pin",
                "--set attestation.rp-ids=a.example --attestation b.example",
        };
        struct ci_kit *k = *state;
        char many[4096] = "";

        for (size_t i = 0; i < ELEMENTSOF(wrong); i++) {
                expect(k, 125, wrong[i], "touch $MARKS/ran");
                kit_says(k, "tpmauthn ci run --help");
        }
        for (size_t i = 0; i <= 100; i++)
                strcat(many, "--set policy.ctap-2.3=no ");
        expect(k, 125, many, "touch $MARKS/ran");
        kit_says(k, "too often");
        expect(k, 125, "", "");
        kit_says(k, "a command is missing");
        expect(k, 125, "--pin", "");
        kit_says(k, "a value is missing after --pin");
        expect(k, 0, "--help", "");
        kit_says(k, "Usage: tpmauthn ci run");
        expect(k, 127, "/nonexistent/program", "");
        expect(k, 126, "/tmp", "");
        expect(k, 125, "--set device.nonsense=1", "touch $MARKS/ran");
        kit_says(k, "nonsense");
        /* Refused by the device, once it is there. */
        expect(k, 125, "--pin 12345 --set policy.min-pin-length=6", "touch $MARKS/ran");
        expect(k, 125, "--keep /proc/kept", "touch $MARKS/ran");
}

static void a_daemon_that_does_not_start_is_told_of(void **state) {
        struct ci_kit *k = *state;

        setenv("TPMAUTHND", "/nonexistent/tpmauthnd", 1);
        expect(k, 125, "", "touch $MARKS/ran");
        kit_says(k, "/nonexistent/tpmauthnd could not be run");
        kit_says(k, "TPMAUTHND in the environment");
        setenv("TPMAUTHND", "/bin/false", 1);
        expect(k, 125, "", "touch $MARKS/ran");
        kit_says(k, "before it was ready. The daemon's last words:\n    (none)\n");
        unsetenv("TPMAUTHND");

        /* No swtpm: the daemon says what to install. */
        setenv("PATH_BEFORE", getenv("PATH"), 1);
        setenv("PATH", "/nonexistent", 1);
        expect(k, 125, "", "touch $MARKS/ran");
        kit_says(k, "apt-get install swtpm");
        setenv("PATH", getenv("PATH_BEFORE"), 1);
}

/* The kit waits for half as long as the run would for a daemon that never is ready. */
static void one_of_several_devices_that_does_not_start_is_told_of_at_once(void **state) {
        struct ci_kit *k = *state;
        char options[128], path[128];
        FILE *store;

        snprintf(options, sizeof(options), "--devices 3 --keep %s/kept", k->marks);
        expect(k, 0, options, "true");
        snprintf(path, sizeof(path), "%s/kept/state/users/%u.1/store.db", k->marks, getuid());
        store = fopen(path, "we");
        assert_non_null(store);
        assert_true(fputs("this is no database", store) >= 0);
        assert_int_equal(fclose(store), 0);

        expect(k, 125, options, "touch $MARKS/ran");
        kit_says(k, "device 1 is failed. ");
        kit_says(k, "The daemon's last words:\n");
}

/* ---- what the command leaves behind ---- */

static const char *const deaf =
        "sh -c \"trap '' TERM HUP INT; touch $MARKS/deaf; sleep 1000 & wait; sleep 1000\" & "
        "while ! test -e $MARKS/deaf; do sleep 0.01; done; exit 5";

static void processes_in_the_background_end_with_the_command(void **state) {
        const char *const commands[] = {
                "sleep 1000 & exit 5",
                "setsid sleep 1000 & exit 5",
                "(setsid sh -c '(sleep 1000 & sleep 1000) & sleep 1000' &); sleep 0.1; exit 5",
                deaf,
                "sleep 1000 & kill -STOP $!; exit 5",
                "$TPMAUTHN ci run --transport socket sleep 1000 & sleep 0.6; exit 5",
        };
        struct ci_kit *k = *state;

        for (size_t i = 0; i < ELEMENTSOF(commands); i++) {
                assert_int_equal(kit_runs(k, "", commands[i]), 5);
                /* At once: whoever waits for the run may count on it. */
                if (kit_find(k, "") != 0 || !kit_folder_is_empty(k))
                        fail_msg("left after: %s", commands[i]);
        }
}

static void a_process_in_the_background_may_tidy_up(void **state) {
        struct ci_kit *k = *state;
        char path[128];

        expect(k, 0, "",
               "sh -c 'trap \"$TPMAUTHN status && touch $MARKS/tidied; exit\" TERM; touch "
               "$MARKS/up; while :; do sleep 0.05; done' & "
               "while ! test -e $MARKS/up; do sleep 0.01; done");
        snprintf(path, sizeof(path), "%s/tidied", k->marks);
        assert_int_equal(access(path, F_OK), 0);
}

/* ---- signals ---- */

static const int signals[] = { SIGINT, SIGTERM, SIGHUP };

static void a_signal_is_passed_on_to_the_command(void **state) {
        struct ci_kit *k = *state;
        char command[256];

        for (size_t i = 0; i < ELEMENTSOF(signals); i++) {
                snprintf(command, sizeof(command),
                         "trap 'exit 9' %d; touch $MARKS/up.%zu; while :; do sleep 0.02; done",
                         signals[i], i);
                kit_run(k, "", command);
                snprintf(command, sizeof(command), "up.%zu", i);
                kit_await(k, command);
                kill(k->pid, signals[i]);
                assert_int_equal(kit_status(k), 9);
                kit_nothing_is_left(k);
        }
}

static void a_signal_that_the_command_does_not_expect_ends_both(void **state) {
        struct ci_kit *k = *state;
        char command[64];

        for (size_t i = 0; i < ELEMENTSOF(signals); i++) {
                snprintf(command, sizeof(command), "touch $MARKS/on.%zu; exec sleep 1000", i);
                kit_run(k, "--devices 2", command);
                snprintf(command, sizeof(command), "on.%zu", i);
                kit_await(k, command);
                kill(k->pid, signals[i]);
                assert_int_equal(kit_status(k), 128 + signals[i]);
                kit_nothing_is_left(k);
        }
}

static void a_signal_before_the_command_ends_the_run(void **state) {
        struct ci_kit *k = *state;
        char path[128];
        int status;

        for (int ms = 0; ms < 160; ms += 10) {
                kit_run(k, "--uv ok", "touch $MARKS/began; exec sleep 1000");
                usleep((useconds_t)ms * 1000);
                kill(k->pid, SIGTERM);
                status = kit_status(k);
                /* Likewise to who waits for it: before it could take signals. */
                if (status != 128 + SIGTERM && status != 1000 + SIGTERM)
                        fail_msg("status %d after %d ms", status, ms);
                kit_nothing_is_left(k);
        }
        snprintf(path, sizeof(path), "%s/began", k->marks);
        (void)unlink(path);
}

/* ---- kill -9 ---- */

static const char *const stubborn = "trap '' TERM HUP INT; setsid sh -c 'trap \"\" TERM; touch "
                                    "$MARKS/up; while :; do sleep 1; done' & wait; sleep 1000";

static void start_stubborn(struct ci_kit *k) {
        char path[128];

        snprintf(path, sizeof(path), "%s/up", k->marks);
        (void)unlink(path);
        kit_run(k, "--devices 2", stubborn);
        kit_await(k, "up");
        assert_true(kit_find(k, "tpmauthnd") > 0);
        assert_true(kit_find(k, "swtpm") > 0);
        assert_false(kit_folder_is_empty(k));
}

static void nothing_is_left_by_a_run_that_is_killed(void **state) {
        struct ci_kit *k = *state;

        start_stubborn(k);
        kill(k->pid, SIGKILL);
        assert_int_equal(kit_status(k), 1000 + SIGKILL);
        kit_nothing_is_left(k);
}

static void nothing_is_left_by_a_process_group_that_is_killed(void **state) {
        struct ci_kit *k = *state;

        start_stubborn(k);
        kill(-k->pid, SIGKILL);
        assert_int_equal(kit_status(k), 1000 + SIGKILL);
        kit_nothing_is_left(k);
}

static void nothing_is_left_by_a_run_that_is_killed_while_it_starts(void **state) {
        struct ci_kit *k = *state;

        for (int ms = 5; ms < 150; ms += 8) {
                kit_run(k, "", "exec sleep 1000");
                usleep((useconds_t)ms * 1000);
                kill(k->pid, SIGKILL);
                assert_int_equal(kit_status(k), 1000 + SIGKILL);
                kit_nothing_is_left(k);
        }
}

static void nothing_is_left_by_a_keeper_that_is_killed(void **state) {
        struct ci_kit *k = *state;

        start_stubborn(k);
        kill(kit_find(k, "ci-keeper"), SIGKILL);
        assert_int_equal(kit_status(k), 125);
        kit_says(k, "was killed");
        assert_int_equal(kit_find(k, ""), 0);
        assert_true(kit_folder_is_empty(k));
}

/* Only a folder can be left then, and only until somebody runs anything again. */
static void what_is_left_when_all_are_killed_goes_with_the_next_run(void **state) {
        struct ci_kit *k = *state;
        pid_t keeper;

        kit_run(k, "", "touch $MARKS/up; exec sleep 1000");
        kit_await(k, "up");
        keeper = kit_find(k, "ci-keeper");
        kill(k->pid, SIGSTOP);
        kill(keeper, SIGKILL);
        kill(k->pid, SIGKILL);
        assert_int_equal(kit_status(k), 1000 + SIGKILL);
        while (kit_find(k, "") != 0)
                usleep(10000);
        assert_false(kit_folder_is_empty(k));
        expect(k, 0, "", "true");
}

static void a_folder_that_is_only_called_alike_stays(void **state) {
        struct ci_kit *k = *state;
        char path[128];

        snprintf(path, sizeof(path), "%s/tpmauthn-ci-results", k->folder);
        assert_int_equal(mkdir(path, 0700), 0);
        kit_run(k, "", "true");
        assert_int_equal(kit_status(k), 0);
        assert_int_equal(rmdir(path), 0);
}

static void two_runs_at_once_leave_each_other_alone(void **state) {
        struct ci_kit *k = *state;
        pid_t first;

        kit_run(k, "",
                "touch $MARKS/up; while ! test -e $MARKS/go; do sleep 0.02; done; $TPMAUTHN "
                "status && exit 6");
        first = k->pid;
        kit_await(k, "up");
        assert_int_equal(kit_runs(k, "", "touch $MARKS/go"), 0);
        k->pid = first;
        assert_int_equal(kit_status(k), 6);
        kit_nothing_is_left(k);
}

/* ---- the daemon, the disk ---- */

static void a_daemon_that_crashes_ends_the_run(void **state) {
        struct ci_kit *k = *state;

        start_stubborn(k);
        kill(kit_find(k, "tpmauthnd"), SIGKILL);
        assert_int_equal(kit_status(k), 125);
        kit_says(k, "the daemon ended too soon");
        assert_int_equal(kit_find(k, ""), 0);
        assert_true(kit_folder_is_empty(k));
}

/* Of a mount namespace of one's own, a disk of so many KiB at the folder of the run. */
static int run_on_disk(struct ci_kit *k, unsigned kib, const char *command) {
        char options[32];
        int status;
        pid_t pid = fork();

        if (pid == 0) {
                snprintf(options, sizeof(options), "size=%uk,mode=700", kib);
                if (unshare(geteuid() == 0 ? CLONE_NEWNS : CLONE_NEWNS | CLONE_NEWUSER) < 0 ||
                    mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
                    mount("disk", k->folder, "tmpfs", 0, options) < 0)
                        _exit(98);
                status = kit_runs(k, "", command);
                kit_nothing_is_left(k);
                fputs(k->said, stderr);
                _exit(status);
        }
        assert_int_equal(waitpid(pid, &status, 0), pid);
        return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void a_full_disk_ends_the_run_and_leaves_nothing(void **state) {
        struct ci_kit *k = *state;

        /* At each step of the start. */
        for (unsigned kib = 4; kib <= 64; kib += 12)
                assert_int_equal(run_on_disk(k, kib, "touch $MARKS/ran"), 125);
        assert_int_equal(run_on_disk(k, 8192,
                                     "dd if=/dev/zero of=$TMPDIR/ballast bs=4k 2>/dev/null; "
                                     "$TPMAUTHN status; rm $TMPDIR/ballast; exit 3"),
                         3);
}

static void a_full_disk_is_not_blamed_on_a_fixture(void **state) {
        struct ci_kit *k = *state;

        assert_int_equal(
                run_on_disk(
                        k, 8192,
                        "echo '{\"credentials\":[{\"rp_id\":\"a.example\",\"user\":{\"id\":\"YWxp\"}}]}' >$MARKS/fixture; "
                        "cat /dev/zero >$TMPDIR/ballast; $TPMAUTHN seed $MARKS/fixture 2>$MARKS/said; "
                        "rm $TMPDIR/ballast; cat $MARKS/said; "
                        "! grep -q 'does not fit' $MARKS/said && grep -q 'No space left' $MARKS/said && exit 3"),
                3);
}

static void a_trace_that_a_full_disk_cuts_off_is_told_of(void **state) {
        struct ci_kit *k = *state;
        char command[4600];

        snprintf(
                command, sizeof(command),
                "mkdir $TMPDIR/t && $TPMAUTHN ci run --transport socket --uv ok --trace $TMPDIR/t -- "
                "sh -c 'cat /dev/zero >$TMPDIR/ballast; %s register' 2>$MARKS/said; "
                "rm -r $TMPDIR/ballast $TMPDIR/t; cat $MARKS/said; "
                "grep -q 'key-0.txt is cut off: No space left on device' $MARKS/said && exit 3",
                self);
        assert_int_equal(run_on_disk(k, 8192, command), 3);
}

int main(int argc, char **argv) {
        const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
                T(the_command_finds_the_daemon_and_its_status_is_passed_on),
                T(the_device_of_the_command_is_a_simulator_that_says_so),
                T(each_of_several_devices_has_its_socket),
                T(the_command_reads_what_the_run_is_given),
                T(a_device_that_verifies_registers_and_logs_in),
                T(a_device_that_does_not_verify_says_so_to_the_client),
                T(what_is_seeded_is_there),
                T(a_trace_has_all_that_the_command_said),
                T(a_folder_of_traces_has_those_of_one_run),
                T(what_is_kept_is_there_the_next_time),
                T(a_folder_that_is_kept_is_one_runs_at_a_time),
                T(a_folder_may_be_named_from_the_working_folder),
                T(a_machine_is_given_the_folders_and_the_same_run),
                T(a_machine_ends_with_its_run),
                T(a_machine_that_cannot_be_started_is_told_of),
                T(a_command_that_is_killed_gives_128_and_the_signal),
                T(what_is_wrong_before_the_command_has_a_status_of_its_own),
                T(a_daemon_that_does_not_start_is_told_of),
                T(one_of_several_devices_that_does_not_start_is_told_of_at_once),
                T(processes_in_the_background_end_with_the_command),
                T(a_process_in_the_background_may_tidy_up),
                T(a_signal_is_passed_on_to_the_command),
                T(a_signal_that_the_command_does_not_expect_ends_both),
                T(a_signal_before_the_command_ends_the_run),
                T(nothing_is_left_by_a_run_that_is_killed),
                T(nothing_is_left_by_a_process_group_that_is_killed),
                T(nothing_is_left_by_a_run_that_is_killed_while_it_starts),
                T(nothing_is_left_by_a_keeper_that_is_killed),
                T(what_is_left_when_all_are_killed_goes_with_the_next_run),
                T(a_folder_that_is_only_called_alike_stays),
                T(two_runs_at_once_leave_each_other_alone),
                T(a_daemon_that_crashes_ends_the_run),
                T(a_full_disk_ends_the_run_and_leaves_nothing),
                T(a_full_disk_is_not_blamed_on_a_fixture),
                T(a_trace_that_a_full_disk_cuts_off_is_told_of),
#undef T
        };

        if (argc > 1)
                return register_and_log_in();
        if (!realpath(argv[0], self))
                return 1;
        return cmocka_run_group_tests(tests, NULL, NULL);
}
