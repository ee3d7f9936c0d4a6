/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * What people type into tpmauthn: the PIN, and the password of the TPM's owner hierarchy. From a
 * terminal, where it is not shown, and from standard input; with the real daemon behind it.
 */

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "ctap/bytes.h"
#include "tests/system/swtpm.h"
#include "tests/system/test-daemon-kit.h"
#include "tests/unit/test.h"

static const char *const automatic[] = { "--presence=auto", "--log-level=debug", NULL };

static void assert_cli(const struct daemon_kit *k, const char *arguments, const char *input,
                       int status, const char *says) {
        char out[8192];
        int got = kit_cli_with(k, arguments, input, out, sizeof(out));

        if (got != status || !strstr(out, says))
                fail_msg("tpmauthn %s: exit %d and not %d, or not '%s': %s", arguments, got, status,
                         says, out);
}

static void assert_log_lacks(const struct daemon_kit *k, const char *what) {
        char command[128];

        snprintf(command, sizeof(command), "grep -q '%s' %s/log", what, k->folder);
        assert_int_not_equal(system(command), 0);
}

/* ---- the PIN ---- */

static void a_pin_is_set_changed_and_shown(void **state) {
        struct daemon_kit *k = *state;

        kit_start(k, automatic);
        assert_cli(k, "pin status", "", 0, "There is no PIN.");
        assert_cli(k, "pin change", "1234\n5678\n", 1, "there is no PIN yet");
        assert_cli(k, "pin set", "123\n", 1, "at least 4 characters and at most 63 bytes");
        assert_cli(k, "pin set", "", 1, "nothing could be read");
        assert_cli(k, "pin set", "1234\\0005678\n", 1, "holds a NUL");
        assert_cli(k, "pin set", "sekret-1\n", 0, "The PIN is set.");
        assert_cli(k, "pin set", "sekret-2\n", 1, "there is a PIN already");
        assert_cli(k, "pin status", "", 0, "A PIN is set; 8 tries are left.");
        assert_cli(k, "pin change", "wrong\nsekret-2\n", 1, "The PIN is wrong. 7 tries are left.");
        assert_cli(k, "pin change", "sekret-1\nsekret-2", 0, "The PIN is changed.");
        assert_cli(k, "pin status --json", "", 0, "\"retries\": 8");

        for (int i = 0; i < 2; i++)
                assert_cli(k, "pin change", "sekret-1\nsekret-3\n", 1, "The PIN is wrong.");
        assert_cli(k, "pin change", "sekret-1\nsekret-3\n", 1, "Three wrong PINs in a row");
        assert_cli(k, "pin change", "sekret-2\nsekret-3\n", 1, "Three wrong PINs in a row");
        assert_cli(k, "pin status", "", 0, "no more is tried until tpmauthn replug");
        assert_cli(k, "replug", "", 0, "ready");
        assert_cli(k, "pin change", "sekret-2\nsekret-3\n", 0, "The PIN is changed.");

        assert_cli(k, "reset --yes", "", 0, "erased");
        assert_cli(k, "pin status", "", 0, "There is no PIN.");
        assert_cli(k, "pin", "", 2, "wrong number of operands");
        assert_cli(k, "pin guess", "", 2, "status, set or change");
        assert_int_equal(kit_stop(k), 0);
        assert_log_lacks(k, "sekret");
}

static void a_blocked_pin_says_what_is_left_to_do(void **state) {
        struct daemon_kit *k = *state;

        kit_start(k, automatic);
        assert_cli(k, "pin set", "1234\n", 0, "set");
        for (int i = 0; i < 8; i++) {
                assert_cli(k, "pin change", "4321\n5678\n", 1, "tpmauthn: ");
                if (i % 2 == 1)
                        assert_cli(k, "replug", "", 0, "ready");
        }
        assert_cli(k, "pin change", "1234\n5678\n", 1, "tpmauthn reset");
        assert_cli(k, "pin status", "", 0, "The PIN is blocked");
        assert_int_equal(kit_stop(k), 0);
}

/* ---- a terminal ---- */

struct terminal {
        int fd;
        pid_t pid;
        char seen[4096];
        size_t n;
};

static void run_on_terminal(struct terminal *t, const struct daemon_kit *k, const char *arguments) {
        char command[512];

        snprintf(command, sizeof(command), "TPMAUTHN_SOCKET=%s exec %s %s", k->control, TPMAUTHN,
                 arguments);
        *t = (struct terminal){ .fd = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC) };
        assert_true(t->fd >= 0);
        assert_int_equal(grantpt(t->fd), 0);
        assert_int_equal(unlockpt(t->fd), 0);
        t->pid = fork();
        assert_true(t->pid >= 0);
        if (t->pid == 0) {
                int fd;

                setsid();
                fd = open(ptsname(t->fd), O_RDWR);
                dup2(fd, 0);
                dup2(fd, 1);
                dup2(fd, 2);
                execl("/bin/sh", "sh", "-c", command, (char *)NULL);
                _exit(127);
        }
}

/* Reads until this is seen, or the terminal hangs up if it is NULL. */
static void await_seen(struct terminal *t, const char *what) {
        while (!what || !strstr(t->seen, what)) {
                struct pollfd p = { .fd = t->fd, .events = POLLIN };
                ssize_t got;

                assert_int_equal(poll(&p, 1, 10000), 1);
                got = read(t->fd, t->seen + t->n, sizeof(t->seen) - 1 - t->n);
                if (got <= 0 && !what)
                        return;
                if (got <= 0)
                        fail_msg("'%s' was not seen in: %s", what, t->seen);
                t->n += (size_t)got;
                t->seen[t->n] = '\0';
        }
}

static void type(struct terminal *t, const char *text) {
        assert_int_equal(write(t->fd, text, strlen(text)), strlen(text));
}

static int end_terminal(struct terminal *t) {
        int status;

        await_seen(t, NULL);
        assert_int_equal(waitpid(t->pid, &status, 0), t->pid);
        close(t->fd);
        return status;
}

static void a_pin_is_typed_twice_and_never_shown(void **state) {
        struct daemon_kit *k = *state;
        struct terminal t;

        kit_start(k, automatic);
        run_on_terminal(&t, k, "pin set");
        await_seen(&t, "New PIN: ");
        type(&t, "sekret-1\n");
        await_seen(&t, "The new PIN again: ");
        type(&t, "sekret-2\n");
        await_seen(&t, "the two are not the same; nothing was changed");
        assert_int_equal(WEXITSTATUS(end_terminal(&t)), 1);
        assert_null(strstr(t.seen, "sekret"));
        assert_cli(k, "pin status", "", 0, "There is no PIN.");

        run_on_terminal(&t, k, "pin set");
        await_seen(&t, "New PIN: ");
        type(&t, "sekret-1\n");
        await_seen(&t, "The new PIN again: ");
        type(&t, "sekret-1\n");
        await_seen(&t, "The PIN is set.");
        assert_int_equal(WEXITSTATUS(end_terminal(&t)), 0);
        assert_null(strstr(t.seen, "sekret"));
        assert_int_equal(kit_stop(k), 0);
}

static void ctrl_c_at_a_question_ends_it(void **state) {
        struct daemon_kit *k = *state;
        struct terminal t;
        int status;

        kit_start(k, automatic);
        run_on_terminal(&t, k, "pin set");
        await_seen(&t, "New PIN: ");
        type(&t, "sek\x03");
        status = end_terminal(&t);
        assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGINT);
        assert_null(strstr(t.seen, "sek"));
        assert_int_equal(kit_stop(k), 0);
}

/* ---- the owner's password ---- */

/* TPM2_HierarchyChangeAuth: the owner hierarchy gets the password "sesame". */
static void give_the_owner_a_password(struct swtpm *tpm) {
        static const uint8_t command[] = {
                0x80, 0x02, 0, 0, 0,    0x23, 0,    0,   0x01, 0x29, 0x40, 0x00,
                0x00, 0x01, 0, 0, 0,    0x09, 0x40, 0,   0,    0x09, 0,    0,
                0,    0,    0, 0, 0x06, 's',  'e',  's', 'a',  'm',  'e',
        };
        uint8_t response[64];

        assert_true(swtpm_command(tpm, command, sizeof(command), response, sizeof(response)) >= 10);
        assert_int_equal(response[6] | response[7] | response[8] | response[9], 0);
}

static void an_owner_with_a_password_is_asked_for_it(void **state) {
        struct daemon_kit *k = *state;
        struct swtpm tpm = { 0 };
        char setting[96];
        const char *settings[] = { "--presence=auto", "--log-level=debug", setting, NULL };

        swtpm_start(&tpm);
        give_the_owner_a_password(&tpm);
        snprintf(setting, sizeof(setting), "--tpm=%s", tpm.tcti);
        kit_start(k, settings);
        assert_string_equal(kit_state(k), "failed");
        assert_cli(k, "status", "", 5, "Run: tpmauthn owner-password.");
        assert_cli(k, "owner-password", "", 1, "nothing could be read");
        assert_cli(k, "owner-password", "simsalabim\n", 1, "password");
        assert_string_equal(kit_state(k), "failed");
        assert_cli(k, "owner-password", "sesame\n", 0, "Device 0 is provisioned and ready.");
        assert_cli(k, "owner-password", "", 0, "ready");
        assert_cli(k, "tpm", "", 0, "set: owner-password and reset ask for it");

        assert_cli(k, "pin set", "1234\n", 0, "set");
        assert_cli(k, "reset --yes", "", 1, "nothing could be read");
        assert_cli(k, "reset --yes", "simsalabim\n", 1, "has another password: nothing was erased");
        assert_cli(k, "pin status", "", 0, "A PIN is set");
        assert_cli(k, "reset --yes", "sesame\n", 0, "erased");
        assert_cli(k, "pin status", "", 0, "There is no PIN.");
        assert_int_equal(kit_stop(k), 0);
        assert_log_lacks(k, "sesame");
        assert_log_lacks(k, "simsalabim");
        swtpm_end(&tpm);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, kit_setup, kit_teardown)

int main(void) {
        const struct CMUnitTest tests[] = {
                TEST(a_pin_is_set_changed_and_shown),
                TEST(a_blocked_pin_says_what_is_left_to_do),
                TEST(a_pin_is_typed_twice_and_never_shown),
                TEST(ctrl_c_at_a_question_ends_it),
                TEST(an_owner_with_a_password_is_asked_for_it),
        };

        return cmocka_run_group_tests_name("secrets", tests, NULL, NULL);
}
