/* SPDX-License-Identifier: BSD-2-Clause */

/* agent/ui-tty.c on a pseudo terminal, whose other end is the person. */

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include "agent/ui.h"
#include "tests/unit/test.h"

/* A text that nobody writes to, where one is owned otherwise. */
#define TEXT(s) ((char[]){ s })

struct fixture {
        int person, terminal, stdin_before;
        sd_event *event;
        struct ui *ui;
        unsigned n_shown, n_answers;
        bool yes;
        char pin[128];
        char seen[8192];
        size_t n_seen;
};

static void on_shown(void *userdata) {
        ((struct fixture *)userdata)->n_shown++;
}

static void on_answered(void *userdata, bool yes, const char *pin) {
        struct fixture *f = userdata;

        f->n_answers++;
        f->yes = yes;
        snprintf(f->pin, sizeof(f->pin), "%s", pin ? pin : "(none)");
}

static const struct ui_events events = { on_shown, on_answered };

static uint64_t now_ms(void) {
        struct timespec t;

        clock_gettime(CLOCK_MONOTONIC, &t);
        return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

static void look(struct fixture *f) {
        struct pollfd p = { .fd = f->person, .events = POLLIN };
        ssize_t n;

        while (poll(&p, 1, 0) > 0 && f->n_seen < sizeof(f->seen) - 1) {
                n = read(f->person, f->seen + f->n_seen, sizeof(f->seen) - 1 - f->n_seen);
                if (n <= 0)
                        return;
                f->n_seen += (size_t)n;
                f->seen[f->n_seen] = '\0';
        }
}

static void run_for(struct fixture *f, uint64_t ms) {
        uint64_t end = now_ms() + ms;

        for (uint64_t now = now_ms(); now < end; now = now_ms())
                assert_true(sd_event_run(f->event, (end - now) * 1000) >= 0);
        look(f);
}

static void type(struct fixture *f, const char *text) {
        assert_int_equal(write(f->person, text, strlen(text)), strlen(text));
        run_for(f, 50);
}

static bool echoes(const struct fixture *f) {
        struct termios modes;

        assert_int_equal(tcgetattr(f->terminal, &modes), 0);
        return modes.c_lflag & ECHO;
}

/* Asks, and lets the time pass in which no answer counts. */
static void ask_now(struct fixture *f, const struct question *q) {
        const struct holders none = { 0 };
        struct prompt p;

        f->n_seen = f->n_answers = 0;
        f->seen[0] = '\0';
        prompt_make(q, "lab", &none, &p);
        assert_int_equal(f->ui->ops->ask(f->ui, q, &p), 0);
        run_for(f, 20);
}

static void ask(struct fixture *f, const struct question *q) {
        ask_now(f, q);
        run_for(f, UI_ARM_MS);
}

static const struct question use = { .verb = VERB_USE,
                                     .rp_id = TEXT("a.b"),
                                     .account = TEXT("alice") };
static const struct question verified = {
        .verb = VERB_USE, .rp_id = TEXT("a.b"), .account = TEXT(""), .verify = true, .tries = 3
};

static int setup(void **state) {
        struct fixture *f = calloc(1, sizeof(*f));

        f->person = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
        assert_true(f->person >= 0);
        assert_int_equal(grantpt(f->person), 0);
        assert_int_equal(unlockpt(f->person), 0);
        f->terminal = open(ptsname(f->person), O_RDWR | O_NOCTTY | O_CLOEXEC);
        assert_true(f->terminal >= 0);
        f->stdin_before = dup(STDIN_FILENO);
        assert_int_equal(dup2(f->terminal, STDIN_FILENO), STDIN_FILENO);
        assert_int_equal(sd_event_new(&f->event), 0);
        assert_int_equal(ui_tty_new(f->event, &events, f, &f->ui), 0);
        *state = f;
        return 0;
}

static int teardown(void **state) {
        struct fixture *f = *state;

        if (f->ui)
                f->ui->ops->free(f->ui);
        sd_event_unref(f->event);
        dup2(f->stdin_before, STDIN_FILENO);
        close(f->stdin_before);
        close(f->terminal);
        if (f->person >= 0)
                close(f->person);
        free(f);
        return 0;
}

static void assert_answer(struct fixture *f, bool yes, const char *pin) {
        assert_int_equal(f->n_answers, 1);
        assert_int_equal(f->yes, yes);
        assert_string_equal(f->pin, pin);
}

static void only_yes_says_yes(void **state) {
        static const char *const yes[] = { "y\n", "yes\n", "YES\n" };
        static const char *const no[] = { "\n", "n\n", "no\n", "sure\n", "\x04" };
        struct fixture *f = *state;

        for (size_t i = 0; i < ELEMENTSOF(yes); i++) {
                ask(f, &use);
                assert_non_null(strstr(f->seen, "Use a passkey for"));
                assert_non_null(strstr(f->seen, "Account: alice"));
                type(f, yes[i]);
                assert_answer(f, true, "(none)");
        }
        for (size_t i = 0; i < ELEMENTSOF(no); i++) {
                ask_now(f, &use);
                type(f, no[i]);
                assert_answer(f, false, "(none)");
        }
        assert_int_equal(f->n_shown, ELEMENTSOF(yes) + ELEMENTSOF(no));
}

static void a_yes_that_is_too_quick_does_not_count(void **state) {
        struct fixture *f = *state;
        struct question reset = {
                .verb = VERB_RESET, .rp_id = TEXT(""), .account = TEXT(""), .hold_s = 1
        };

        ask_now(f, &use);
        type(f, "yes\n");
        assert_int_equal(f->n_answers, 0);
        assert_non_null(strstr(f->seen, "too quick"));
        run_for(f, UI_ARM_MS);
        type(f, "yes\n");
        assert_answer(f, true, "(none)");

        /* What would be held on for takes that long to be read. */
        ask(f, &reset);
        type(f, "yes\n");
        assert_int_equal(f->n_answers, 0);
        run_for(f, 400);
        type(f, "yes\n");
        assert_answer(f, true, "(none)");
}

static void a_pin_is_typed_without_echo(void **state) {
        struct fixture *f = *state;

        assert_true(echoes(f));
        ask(f, &verified);
        assert_false(echoes(f));
        type(f, "12345678\n");
        assert_answer(f, true, "12345678");
        assert_null(strstr(f->seen, "1234"));
        assert_true(echoes(f));

        ask(f, &verified);
        type(f, "\n");
        assert_answer(f, false, "(none)");
        assert_true(echoes(f));
}

static void what_is_no_pin_costs_no_try(void **state) {
        struct fixture *f = *state;
        char line[400];

        ask(f, &verified);
        type(f, "123\n");
        assert_int_equal(f->n_answers, 0);
        assert_non_null(strstr(f->seen, "at least 4"));
        memset(line, '1', sizeof(line));
        strcpy(line + 300, "\n");
        type(f, line);
        assert_int_equal(f->n_answers, 0);
        type(f, "1234\n");
        assert_answer(f, true, "1234");
}

static void what_was_typed_before_the_question_is_dropped(void **state) {
        struct fixture *f = *state;

        type(f, "yes\nyes");
        ask(f, &use);
        type(f, "\n");
        assert_answer(f, false, "(none)");
}

static void a_withdrawn_question_says_so_and_echoes_later(void **state) {
        struct fixture *f = *state;

        ask(f, &verified);
        type(f, "1234");
        f->ui->ops->withdraw(f->ui, WITHDRAWN_TIMEOUT);
        run_for(f, 20);
        assert_non_null(strstr(f->seen, "Nobody answered in time."));
        /* The rest of the PIN is on its way. */
        assert_false(echoes(f));
        type(f, "5678\n");
        assert_int_equal(f->n_answers, 0);
        run_for(f, 1100);
        assert_true(echoes(f));
        assert_null(strstr(f->seen, "5678"));
}

static void fingers_are_told_of(void **state) {
        struct question q = verified;
        struct fixture *f = *state;

        q.finger = FINGER_WAITING;
        ask(f, &q);
        assert_non_null(strstr(f->seen, "or touch the fingerprint reader"));
        f->ui->ops->finger(f->ui, FINGER_NO_MATCH);
        run_for(f, 20);
        assert_non_null(strstr(f->seen, "not known"));
        type(f, "1234\n");
        assert_answer(f, true, "1234");
}

static void where_the_pin_is_blocked_nothing_says_yes(void **state) {
        struct question q = verified;
        struct fixture *f = *state;

        q.tries = 0;
        ask(f, &q);
        assert_non_null(strstr(f->seen, "Too many wrong PINs"));
        type(f, "12345678\n");
        assert_answer(f, false, "(none)");
}

static void the_end_of_the_terminal_ends_the_program(void **state) {
        struct fixture *f = *state;

        ask(f, &verified);
        close(f->person);
        f->person = -1;
        assert_int_equal(f->ui->ops->run(f->ui, f->event), 0);
        assert_int_equal(f->n_answers, 0);
}

static void without_a_terminal_there_is_no_asking_on_it(void **state) {
        struct fixture *f = *state;
        int null = open("/dev/null", O_RDWR | O_CLOEXEC);
        struct ui *ui;

        dup2(null, STDIN_FILENO);
        close(null);
        assert_int_equal(ui_tty_new(f->event, &events, f, &ui), -ENOTSUP);
        dup2(f->terminal, STDIN_FILENO);
}

static void the_echo_comes_back_with_the_end_of_the_program(void **state) {
        struct fixture *f = *state;

        ask(f, &verified);
        assert_false(echoes(f));
        f->ui->ops->free(f->ui);
        f->ui = NULL;
        assert_true(echoes(f));
}

#define WITH_FIXTURE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void) {
        const struct CMUnitTest tests[] = {
                WITH_FIXTURE(only_yes_says_yes),
                WITH_FIXTURE(a_yes_that_is_too_quick_does_not_count),
                WITH_FIXTURE(a_pin_is_typed_without_echo),
                WITH_FIXTURE(what_is_no_pin_costs_no_try),
                WITH_FIXTURE(what_was_typed_before_the_question_is_dropped),
                WITH_FIXTURE(a_withdrawn_question_says_so_and_echoes_later),
                WITH_FIXTURE(fingers_are_told_of),
                WITH_FIXTURE(where_the_pin_is_blocked_nothing_says_yes),
                WITH_FIXTURE(the_end_of_the_terminal_ends_the_program),
                WITH_FIXTURE(without_a_terminal_there_is_no_asking_on_it),
                WITH_FIXTURE(the_echo_comes_back_with_the_end_of_the_program),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
