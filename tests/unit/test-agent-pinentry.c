/* SPDX-License-Identifier: BSD-2-Clause */

/* agent/assuan.c, ui-pinentry.c: with a program that says what a test has it say. */

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "agent/assuan.h"
#include "agent/ui.h"
#include "tests/unit/test.h"

#define TEXT(s) ((char[]){ s })

struct fixture {
        char directory[64];
        sd_event *event;
        struct ui *ui;
        unsigned n_shown, n_answers;
        bool yes;
        char pin[256];
        char heard[16384]; /* what the program was told */
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

/*
 * A pinentry that writes down its number and what it is told. `replies` are lines of shell that
 * answer GETPIN, CONFIRM and MESSAGE; everything else is answered OK.
 */
static void install(struct fixture *f, const char *replies) {
        char path[128];
        FILE *to;

        snprintf(path, sizeof(path), "%s/pinentry", f->directory);
        to = fopen(path, "w");
        assert_non_null(to);
        fprintf(to,
                "#!/bin/sh\n"
                "d=%s\n"
                "echo $$ >$d/pid\n"
                "echo '# a comment'\n"
                "echo 'OK Pleased to meet you'\n"
                "n=0\n"
                "while IFS= read -r line; do\n"
                "  printf '%%s\\n' \"$line\" >>$d/heard\n"
                "  echo 'S ERROR some.status 1'\n"
                "  case $line in\n"
                "  GETPIN*|CONFIRM*|MESSAGE*) n=$((n+1))\n%s\n  ;;\n"
                "  'OPTION ttytype'*) echo 'ERR 83886254 Unknown option' ;;\n"
                "  *) echo OK ;;\n"
                "  esac\n"
                "done\n"
                "echo end >>$d/heard\n",
                f->directory, replies);
        fclose(to);
        chmod(path, 0700);
        setenv("PINENTRY_PROGRAM", path, 1);
}

static uint64_t now_ms(void) {
        struct timespec t;

        clock_gettime(CLOCK_MONOTONIC, &t);
        return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

static void run_for(struct fixture *f, uint64_t ms) {
        uint64_t end = now_ms() + ms;

        for (uint64_t now = now_ms(); now < end; now = now_ms())
                assert_true(sd_event_run(f->event, (end - now) * 1000) >= 0);
}

static void run_until_answered(struct fixture *f) {
        uint64_t end = now_ms() + 10000;

        while (f->n_answers == 0 && now_ms() < end)
                assert_true(sd_event_run(f->event, 100000) >= 0);
        assert_int_equal(f->n_answers, 1);
}

static void run_until_shown(struct fixture *f) {
        uint64_t end = now_ms() + 10000;

        while (f->n_shown == 0 && now_ms() < end)
                assert_true(sd_event_run(f->event, 100000) >= 0);
        assert_int_equal(f->n_shown, 1);
}

static void read_text(const struct fixture *f, const char *name, char *to, size_t size) {
        char path[128];
        ssize_t n;
        int fd;

        snprintf(path, sizeof(path), "%s/%s", f->directory, name);
        fd = open(path, O_RDONLY | O_CLOEXEC);
        n = fd >= 0 ? read(fd, to, size - 1) : 0;
        to[n > 0 ? n : 0] = '\0';
        if (fd >= 0)
                close(fd);
}

static void assert_told(struct fixture *f, const char *what) {
        read_text(f, "heard", f->heard, sizeof(f->heard));
        assert_non_null(strstr(f->heard, what));
}

static pid_t process(struct fixture *f) {
        char number[32];

        read_text(f, "pid", number, sizeof(number));
        assert_true(atoi(number) > 1);
        return atoi(number);
}

static int setup(void **state) {
        struct fixture *f = calloc(1, sizeof(*f));
        sigset_t mask;

        strcpy(f->directory, "/tmp/test-pinentry-XXXXXX");
        assert_non_null(mkdtemp(f->directory));
        sigemptyset(&mask);
        sigaddset(&mask, SIGCHLD);
        sigprocmask(SIG_BLOCK, &mask, NULL);
        setenv("DISPLAY", ":77", 1);
        assert_int_equal(sd_event_new(&f->event), 0);
        *state = f;
        return 0;
}

static int teardown(void **state) {
        static const char *const names[] = { "pinentry", "heard", "pid" };
        struct fixture *f = *state;
        char path[128];

        if (f->ui)
                f->ui->ops->free(f->ui);
        sd_event_unref(f->event);
        for (size_t i = 0; i < ELEMENTSOF(names); i++) {
                snprintf(path, sizeof(path), "%s/%s", f->directory, names[i]);
                unlink(path);
        }
        rmdir(f->directory);
        free(f);
        return 0;
}

static void ask(struct fixture *f, const char *replies, const struct question *q) {
        const struct holders none = { 0 };
        struct prompt p;

        install(f, replies);
        assert_int_equal(ui_pinentry_new(f->event, &events, f, &f->ui), 0);
        prompt_make(q, "lab", &none, &p);
        assert_int_equal(f->ui->ops->ask(f->ui, q, &p), 0);
}

static const struct question use = { .verb = VERB_USE,
                                     .rp_id = TEXT("a.b"),
                                     .account = TEXT("50% & more") };
static const struct question verified = { .verb = VERB_USE,
                                          .rp_id = TEXT("a.b"),
                                          .account = TEXT(""),
                                          .verify = true,
                                          .again = true,
                                          .tries = 3,
                                          .timeout_ms = 30000 };

static void assert_answer(struct fixture *f, bool yes, const char *pin) {
        run_until_answered(f);
        assert_int_equal(f->yes, yes);
        assert_string_equal(f->pin, pin);
}

/* Texts and bytes of the wire. */
static void commands_are_escaped_and_cut_between_characters(void **state) {
        char line[ASSUAN_LINE_MAX + 1], text[3000];

        (void)state;
        assert_int_equal(assuan_command("SETDESC", "a%b\nc\rd", line), 22);
        assert_string_equal(line, "SETDESC a%25b%0Ac%0Dd\n");
        assert_int_equal(assuan_command("BYE", "", line), 4);
        assert_string_equal(line, "BYE\n");
        for (size_t i = 0; i < 2999; i += 3)
                memcpy(text + i, "\xe2\x80\xa6", 3);
        text[2999] = '\0';
        assuan_command("SETDESC", text, line);
        assert_true(strlen(line) <= ASSUAN_LINE_MAX && strlen(line) > ASSUAN_LINE_MAX - 20);
        assert_int_equal((strlen(line) - strlen("SETDESC \n")) % 3, 0);
        memset(text, '%', 2999);
        assuan_command("SETDESC", text, line);
        assert_true(strlen(line) <= ASSUAN_LINE_MAX);
}

static void replies_are_told_apart(void **state) {
        const char *rest;

        (void)state;
        assert_int_equal(assuan_parse("OK", &rest), ASSUAN_OK);
        assert_int_equal(assuan_parse("OK Pleased to meet you", &rest), ASSUAN_OK);
        assert_int_equal(assuan_parse("OKAY", &rest), ASSUAN_UNKNOWN);
        assert_int_equal(assuan_parse("S ERROR gnome3.isatty 83918950", &rest), ASSUAN_NOTHING);
        assert_int_equal(assuan_parse("# hello", &rest), ASSUAN_NOTHING);
        assert_int_equal(assuan_parse("D 12 34", &rest), ASSUAN_DATA);
        assert_string_equal(rest, "12 34");
        assert_int_equal(assuan_parse("INQUIRE QUALITY x", &rest), ASSUAN_UNKNOWN);
        assert_int_equal(assuan_parse("ERR 83886142 Timeout <Pinentry>", &rest), ASSUAN_ERR);
        assert_true(assuan_is_timeout(rest));
        assert_int_equal(assuan_parse("ERR 83886179 Operation cancelled", &rest), ASSUAN_ERR);
        assert_false(assuan_is_timeout(rest));
}

static void data_is_unescaped_or_refused(void **state) {
        char data[] = "a%25b%C3%a4 c", nul[] = "a%00b", cut[] = "a%2", odd[] = "a%zz";

        (void)state;
        assert_int_equal(assuan_unescape(data), 7);
        assert_string_equal(data, "a%b\xc3\xa4 c");
        assert_int_equal(assuan_unescape(nul), -1);
        assert_int_equal(assuan_unescape(cut), -1);
        assert_int_equal(assuan_unescape(odd), -1);
}

static void a_question_is_confirmed(void **state) {
        struct fixture *f = *state;

        ask(f, "sleep 0.8; echo OK", &use);
        assert_answer(f, true, "(none)");
        assert_int_equal(f->n_shown, 1);
        assert_told(f, "SETDESC Use a passkey for%0Aa.b%0AAccount: 50%25 & more%0AComputer: lab\n");
        assert_told(f, "SETTITLE Use a passkey\n");
        assert_told(f, "SETOK _Use\n");
        assert_told(f, "SETCANCEL _Refuse\n");
        assert_told(f, "OPTION lc-ctype=");
        assert_told(f, "\nCONFIRM\n");
        assert_null(strstr(f->heard, "GETPIN"));
}

static void a_pin_is_given_and_nothing_is_kept_of_it(void **state) {
        struct fixture *f = *state;

        ask(f, "sleep 0.8; echo 'S PIN_REPEATED'; echo 'D 12%25'; echo 'D 34%C3%A4'; echo OK",
            &verified);
        assert_answer(f, true, "12%34\xc3\xa4");
        assert_told(f, "SETERROR Wrong PIN. 3 tries are left.\n");
        assert_told(f, "SETPROMPT PIN:\n");
        assert_told(f, "SETTIMEOUT 30\n");
        assert_told(f, "\nGETPIN\n");
        assert_null(strstr(f->heard, "12%34"));
}

static void a_refusal_is_a_no(void **state) {
        struct fixture *f = *state;

        ask(f, "echo 'ERR 83886179 Operation cancelled <Pinentry>'", &verified);
        assert_answer(f, false, "(none)");
}

static void a_yes_that_is_too_quick_is_asked_for_again(void **state) {
        struct fixture *f = *state;

        ask(f, "[ $n = 1 ] || sleep 0.8; echo OK", &use);
        run_for(f, 400);
        assert_int_equal(f->n_answers, 0);
        assert_answer(f, true, "(none)");
        assert_told(f, "SETERROR That was too quick");
        assert_int_equal(f->n_shown, 1);
}

static unsigned count(const char *text, const char *what) {
        unsigned n = 0;

        for (; (text = strstr(text, what)); text++)
                n++;
        return n;
}

/* The second yes comes late after the first dialog, and at once after the one that came up again. */
static void the_time_begins_again_when_it_is_asked_again(void **state) {
        struct fixture *f = *state;

        ask(f,
            "if [ $n = 1 ]; then echo OK; read -r line; sleep 0.8; echo \"$line\" >>$d/heard; "
            "elif [ $n = 3 ]; then sleep 0.8; fi; echo OK",
            &use);
        assert_answer(f, true, "(none)");
        assert_told(f, "SETERROR That was too quick");
        assert_int_equal(count(f->heard, "\nCONFIRM\n"), 3);
        assert_int_equal(f->n_shown, 1);
}

static void what_is_no_pin_is_asked_for_again(void **state) {
        struct fixture *f = *state;

        ask(f, "sleep 0.8; [ $n = 1 ] && echo 'D 123' || echo 'D 12345678'; echo OK", &verified);
        assert_answer(f, true, "12345678");
        assert_told(f, "SETERROR A PIN has at least 4");
}

/* More than fits, and none at all. */
static void a_pin_of_any_length_does_no_harm(void **state) {
        struct fixture *f = *state;

        ask(f,
            "if [ $n = 1 ]; then for i in 1 2 3 4 5 6 7 8; do printf 'D '; "
            "printf '%0900d\\n' 1; done; echo OK; elif [ $n = 2 ]; then echo OK; "
            "else sleep 0.8; echo 'D 1234'; echo OK; fi",
            &verified);
        assert_answer(f, true, "1234");
}

static void a_question_that_times_out_there_is_left_to_the_daemon(void **state) {
        struct fixture *f = *state;

        ask(f, "echo 'ERR 83886142 Timeout <Pinentry>'", &verified);
        run_until_shown(f);
        run_for(f, 300);
        assert_int_equal(f->n_answers, 0);
        f->ui->ops->withdraw(f->ui, WITHDRAWN_TIMEOUT);
}

static void a_pinentry_that_cannot_ask_or_dies_says_no(void **state) {
        static const char *const replies[] = {
                "echo 'ERR 83918950 Inappropriate ioctl for device <Pinentry>'",
                "exit 0",
                "kill -9 $$",
                "echo 'D 1234'; exit 0",
                "echo 'INQUIRE WHAT'",
                "printf '%08000d' 1; sleep 5",
        };
        struct fixture *f = *state;

        for (size_t i = 0; i < ELEMENTSOF(replies); i++) {
                f->n_answers = 0;
                ask(f, replies[i], &verified);
                assert_answer(f, false, "(none)");
                f->ui->ops->free(f->ui);
                f->ui = NULL;
        }
}

static bool is_running(pid_t pid) {
        return kill(pid, 0) == 0;
}

static void a_withdrawn_question_ends_its_process(void **state) {
        struct fixture *f = *state;
        pid_t pid;

        ask(f, "exec sleep 30", &verified);
        run_until_shown(f);
        pid = process(f);
        assert_true(is_running(pid));
        f->ui->ops->withdraw(f->ui, WITHDRAWN_CANCELLED);
        run_for(f, 200);
        assert_false(is_running(pid));
        assert_int_equal(f->n_answers, 0);
}

static void a_process_that_does_not_listen_is_killed(void **state) {
        struct fixture *f = *state;
        pid_t pid;

        ask(f, "trap '' TERM; while :; do :; done", &verified);
        run_until_shown(f);
        run_for(f, 100);
        pid = process(f);
        f->ui->ops->withdraw(f->ui, WITHDRAWN_CANCELLED);
        run_for(f, 1000);
        assert_false(is_running(pid));
}

static void the_next_question_has_a_process_of_its_own(void **state) {
        const struct holders none = { 0 };
        struct fixture *f = *state;
        struct prompt p;
        pid_t first;

        ask(f, "trap '' TERM; sleep 1; echo OK", &use);
        run_until_shown(f);
        first = process(f);
        f->ui->ops->withdraw(f->ui, WITHDRAWN_CANCELLED);
        prompt_make(&use, "lab", &none, &p);
        assert_int_equal(f->ui->ops->ask(f->ui, &use, &p), 0);
        assert_false(is_running(first));
        assert_answer(f, true, "(none)");
}

static void where_the_pin_is_blocked_nothing_says_yes(void **state) {
        struct question q = verified;
        struct fixture *f = *state;

        q.tries = 0;
        ask(f, "sleep 0.8; echo OK", &q);
        assert_answer(f, false, "(none)");
        assert_told(f, "\nMESSAGE\n");
}

static void nobody_is_disturbed_by_a_passive_question(void **state) {
        const struct holders none = { 0 };
        struct question q = use;
        struct fixture *f = *state;
        struct prompt p;

        q.passive = true;
        install(f, "echo OK");
        assert_int_equal(ui_pinentry_new(f->event, &events, f, &f->ui), 0);
        prompt_make(&q, "lab", &none, &p);
        assert_int_equal(f->ui->ops->ask(f->ui, &q, &p), -ENOTSUP);
}

static void without_the_program_or_a_place_for_it_there_is_none(void **state) {
        struct fixture *f = *state;
        struct ui *ui;

        setenv("PINENTRY_PROGRAM", "/nowhere/pinentry", 1);
        assert_int_equal(ui_pinentry_new(f->event, &events, f, &ui), -ENOTSUP);
        setenv("PINENTRY_PROGRAM", "there-is-no-such-pinentry", 1);
        assert_int_equal(ui_pinentry_new(f->event, &events, f, &ui), -ENOTSUP);
}

#define WITH_FIXTURE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(commands_are_escaped_and_cut_between_characters),
                cmocka_unit_test(replies_are_told_apart),
                cmocka_unit_test(data_is_unescaped_or_refused),
                WITH_FIXTURE(a_question_is_confirmed),
                WITH_FIXTURE(a_pin_is_given_and_nothing_is_kept_of_it),
                WITH_FIXTURE(a_refusal_is_a_no),
                WITH_FIXTURE(a_yes_that_is_too_quick_is_asked_for_again),
                WITH_FIXTURE(the_time_begins_again_when_it_is_asked_again),
                WITH_FIXTURE(what_is_no_pin_is_asked_for_again),
                WITH_FIXTURE(a_pin_of_any_length_does_no_harm),
                WITH_FIXTURE(a_question_that_times_out_there_is_left_to_the_daemon),
                WITH_FIXTURE(a_pinentry_that_cannot_ask_or_dies_says_no),
                WITH_FIXTURE(a_withdrawn_question_ends_its_process),
                WITH_FIXTURE(a_process_that_does_not_listen_is_killed),
                WITH_FIXTURE(the_next_question_has_a_process_of_its_own),
                WITH_FIXTURE(where_the_pin_is_blocked_nothing_says_yes),
                WITH_FIXTURE(nobody_is_disturbed_by_a_passive_question),
                WITH_FIXTURE(without_the_program_or_a_place_for_it_there_is_none),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
