/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Built-in verification from outside: libfido2, which is given no PIN and asks for none, and the one
 * who has it: a script over the control socket, or a person at a terminal.
 */

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include "tests/system/fido-kit.h"
#include "tests/unit/test.h"

#define PIN   "tan-2468"
#define WRONG "tan-8642"

static const char *const automatic[] = { "--presence=auto", "--log-level=debug", NULL };
static const char *const scripted[] = { "--presence=script", NULL };
static const char *const on_terminal[] = { "--presence=tty", "--log-level=debug", NULL };

static void cli(const struct daemon_kit *k, const char *arguments, const char *input,
                const char *says) {
        char out[8192];

        if (kit_cli_with(k, arguments, input, out, sizeof(out)) != 0 || !strstr(out, says))
                fail_msg("tpmauthn %s: %s", arguments, out);
}

/* What it takes for `uv`, and the key as a client finds it then. */
static fido_dev_t *start_with_pin(struct daemon_kit *k, const char *const *settings) {
        const struct timespec step = { .tv_nsec = 20000000 };
        fido_dev_t *dev;

        kit_start(k, settings);
        cli(k, "pin set", PIN "\n", "The PIN is set.");
        if (settings != on_terminal)
                cli(k, "presence pin", PIN "\n", "");
        /* It is plugged in anew some time after the script was told. */
        for (int i = 0; i < 500 && !kit_can_verify(k); i++)
                nanosleep(&step, NULL);
        dev = kit_open_key(k);
        assert_true(fido_dev_has_uv(dev));
        return dev;
}

/* ---- a script ---- */

/* The key is behind the PIN in the TPM, so that it cannot sign by a flag alone. */
static void CP25_a_client_that_is_given_no_pin_registers_and_signs_with_one(void **state) {
        struct daemon_kit *k = *state;
        struct kit_passkey p;
        fido_dev_t *dev = start_with_pin(k, automatic);
        char command[96];

        assert_int_equal(kit_make_passkey(dev, &p), FIDO_OK);
        assert_int_equal(kit_use_passkey(dev, &p), FIDO_OK);
        kit_close_key(dev);
        es256_pk_free(&p.public);
        assert_int_equal(kit_stop(k), 0);

        snprintf(command, sizeof(command), "grep -e " PIN " %s/log", k->folder);
        assert_int_not_equal(system(command), 0);
}

static void each_ceremony_is_one_question(void **state) {
        struct daemon_kit *k = *state;
        struct kit_passkey p;
        fido_dev_t *dev = start_with_pin(k, scripted);

        cli(k, "presence once", "", "");
        assert_int_equal(kit_make_passkey(dev, &p), FIDO_OK);
        cli(k, "presence once", "", "");
        assert_int_equal(kit_use_passkey(dev, &p), FIDO_OK);
        cli(k, "presence no", "", "");
        assert_int_equal(kit_use_passkey(dev, &p), FIDO_ERR_OPERATION_DENIED);
        assert_int_equal(kit_retries(dev), 8);
        kit_close_key(dev);
        es256_pk_free(&p.public);
        assert_int_equal(kit_stop(k), 0);
}

static void a_wrong_pin_is_asked_for_again(void **state) {
        struct daemon_kit *k = *state;
        struct kit_passkey p;
        fido_dev_t *dev = start_with_pin(k, automatic);

        assert_int_equal(kit_make_passkey(dev, &p), FIDO_OK);
        cli(k, "presence pin-once", WRONG "\n", "");
        assert_int_equal(kit_use_passkey(dev, &p), FIDO_OK);
        assert_int_equal(kit_retries(dev), 8);

        cli(k, "presence pin", WRONG "\n", "");
        assert_int_equal(kit_use_passkey(dev, &p), FIDO_ERR_UV_BLOCKED);
        assert_int_equal(kit_retries(dev), 5);
        kit_close_key(dev);
        cli(k, "doctor", "", "the PIN was typed wrong too often");

        /* The way back is the right PIN, which any client may give once the device was plugged in anew. */
        cli(k, "replug", "", "ready");
        cli(k, "presence pin", PIN "\n", "");
        dev = kit_open_key(k);
        assert_int_equal(kit_use_passkey(dev, &p), FIDO_ERR_UV_BLOCKED);
        cli(k, "pin change", PIN "\n1357\n", "changed");
        cli(k, "presence pin", "1357\n", "");
        assert_int_equal(kit_use_passkey(dev, &p), FIDO_OK);
        kit_close_key(dev);
        es256_pk_free(&p.public);
        assert_int_equal(kit_stop(k), 0);
}

/* Here clients ask for the PIN themselves, and some of them only say that it did not work. */
static void doctor_says_that_the_pin_must_be_changed(void **state) {
        static const char *const before[] = { "--presence=auto", NULL };
        static const char *const after[] = { "--presence=auto", "--set=policy.min-pin-length=9",
                                             NULL };
        struct daemon_kit *k = *state;

        kit_start(k, before);
        cli(k, "pin set", PIN "\n", "set");
        cli(k, "doctor", "", "clients ask for the PIN themselves");
        assert_int_equal(kit_stop(k), 0);
        kit_start(k, after);
        cli(k, "doctor", "", "the PIN must be changed before it can be used: tpmauthn pin change");
        cli(k, "pin change", PIN "\ntan-2468-1\n", "changed");
        cli(k, "doctor", "", "clients ask for the PIN themselves");
        assert_int_equal(kit_stop(k), 0);
}

static void the_pin_may_stand_in_a_file(void **state) {
        struct daemon_kit *k = *state;
        char setting[128], path[96];
        const char *settings[] = { "--presence=auto", setting, NULL };
        struct kit_passkey p;
        fido_dev_t *dev;
        FILE *f;

        snprintf(path, sizeof(path), "%s/pin", k->folder);
        snprintf(setting, sizeof(setting), "--set=presence.pin-file=%s", path);
        f = fopen(path, "w");
        assert_non_null(f);
        fputs(PIN "\n", f);
        fclose(f);

        kit_start(k, settings);
        dev = kit_open_key(k);
        assert_true(fido_dev_supports_uv(dev));
        assert_false(fido_dev_has_uv(dev));
        kit_close_key(dev);
        cli(k, "doctor", "", "there is no PIN. To set one");
        cli(k, "pin set", PIN "\n", "set");
        dev = kit_open_key(k);
        assert_true(fido_dev_has_uv(dev));
        assert_int_equal(kit_make_passkey(dev, &p), FIDO_OK);
        assert_int_equal(kit_use_passkey(dev, &p), FIDO_OK);
        cli(k, "doctor", "", "uv is on");
        cli(k, "status", "", "The PIN can be given here");
        kit_close_key(dev);
        es256_pk_free(&p.public);
        assert_int_equal(kit_stop(k), 0);
}

/* ---- a terminal ---- */

static void use_a_terminal(struct daemon_kit *k) {
        k->terminal = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
        assert_true(k->terminal >= 0);
        assert_int_equal(grantpt(k->terminal), 0);
        assert_int_equal(unlockpt(k->terminal), 0);
}

struct screen {
        char text[16384];
        size_t n;
        size_t awaited; /* up to here */
};

/* Reads the terminal until it shows this behind what was awaited before. */
static void await_text(struct screen *s, int terminal, const char *text) {
        const char *found;

        while (!(found = strstr(s->text + s->awaited, text))) {
                struct pollfd p = { .fd = terminal, .events = POLLIN };
                ssize_t got;

                if (poll(&p, 1, 10000) != 1)
                        fail_msg("'%s' was not seen in: %s", text, s->text + s->awaited);
                got = read(terminal, s->text + s->n, sizeof(s->text) - 1 - s->n);
                assert_true(got > 0);
                s->n += (size_t)got;
                s->text[s->n] = '\0';
        }
        s->awaited = (size_t)(found - s->text) + strlen(text);
}

static void type(const struct daemon_kit *k, const char *text) {
        assert_int_equal(write(k->terminal, text, strlen(text)), strlen(text));
}

static bool echoes(const struct daemon_kit *k) {
        struct termios modes;

        assert_int_equal(tcgetattr(k->terminal, &modes), 0);
        return modes.c_lflag & ECHO;
}

struct client {
        pthread_t thread;
        fido_dev_t *dev;
        struct kit_passkey *p;
        int result;
};

static void *run_make(void *userdata) {
        struct client *c = userdata;

        c->result = kit_make_passkey(c->dev, c->p);
        return NULL;
}

static void *run_use(void *userdata) {
        struct client *c = userdata;

        c->result = kit_use_passkey(c->dev, c->p);
        return NULL;
}

static void a_person_types_the_pin_on_the_terminal(void **state) {
        struct daemon_kit *k = *state;
        struct screen screen = { 0 };
        struct kit_passkey p = { 0 };
        struct client c = { .p = &p };

        use_a_terminal(k);
        c.dev = start_with_pin(k, on_terminal);
        assert_int_equal(pthread_create(&c.thread, NULL, run_make, &c), 0);
        await_text(&screen, k->terminal,
                   "TPM Passkey: Create or use a passkey of example.com on this "
                   "computer? Type the PIN, or only Enter to refuse: ");
        assert_false(echoes(k));
        type(k, PIN "\n");
        pthread_join(c.thread, NULL);
        assert_int_equal(c.result, FIDO_OK);
        assert_true(echoes(k));

        assert_int_equal(pthread_create(&c.thread, NULL, run_use, &c), 0);
        await_text(&screen, k->terminal, "to refuse: ");
        type(k, WRONG "\n");
        await_text(&screen, k->terminal, "Wrong PIN. 2 tries are left. Create or use a passkey");
        await_text(&screen, k->terminal, "to refuse: ");
        type(k, PIN "\n");
        pthread_join(c.thread, NULL);
        assert_int_equal(c.result, FIDO_OK);

        assert_int_equal(pthread_create(&c.thread, NULL, run_use, &c), 0);
        await_text(&screen, k->terminal, "to refuse: ");
        type(k, "\n");
        pthread_join(c.thread, NULL);
        assert_int_equal(c.result, FIDO_ERR_OPERATION_DENIED);
        assert_null(strstr(screen.text, PIN));
        assert_null(strstr(screen.text, WRONG));

        kit_close_key(c.dev);
        es256_pk_free(&p.public);
        assert_int_equal(kit_stop(k), 0);
}

static void the_terminal_echoes_again_when_the_daemon_ends(void **state) {
        struct daemon_kit *k = *state;
        struct screen screen = { 0 };
        struct kit_passkey p = { 0 };
        struct client c = { .p = &p };

        use_a_terminal(k);
        for (int hangs = 0; hangs < 2; hangs++) {
                kit_start(k, on_terminal);
                if (hangs == 0)
                        cli(k, "pin set", PIN "\n", "The PIN is set.");
                c.dev = kit_open_key(k);
                assert_int_equal(pthread_create(&c.thread, NULL, run_make, &c), 0);
                await_text(&screen, k->terminal, "to refuse: ");
                assert_false(echoes(k));
                if (hangs)
                        assert_int_equal(kill(kit_swtpm(k), SIGSTOP), 0);
                assert_int_equal(kit_stop(k), hangs);
                assert_true(echoes(k));
                pthread_join(c.thread, NULL);
                kit_close_key(c.dev);
        }
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, kit_setup, kit_teardown)

int main(void) {
        const struct CMUnitTest tests[] = {
                TEST(CP25_a_client_that_is_given_no_pin_registers_and_signs_with_one),
                TEST(each_ceremony_is_one_question),
                TEST(a_wrong_pin_is_asked_for_again),
                TEST(doctor_says_that_the_pin_must_be_changed),
                TEST(the_pin_may_stand_in_a_file),
                TEST(a_person_types_the_pin_on_the_terminal),
                TEST(the_terminal_echoes_again_when_the_daemon_ends),
        };

        fido_init(0);
        return cmocka_run_group_tests_name("daemon-verify", tests, NULL, NULL);
}
