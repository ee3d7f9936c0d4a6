/* SPDX-License-Identifier: BSD-2-Clause */

/* authenticator/presence*.c: who answers in each mode, when, and what a terminal is shown. */

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "authenticator/env.h"
#include "authenticator/presence-tty.h"
#include "authenticator/presence.h"
#include "tests/unit/test.h"

#define TIMEOUT_MS 300
#define PASSIVE_MS 120

struct fixture {
        struct presence *presence;
        struct ctap_presence *port;
        int tty[2]; /* the daemon's end, the person's end */
        bool waiting;
        unsigned n_changes;
};

static void on_waiting(void *userdata, bool waiting) {
        struct fixture *f = userdata;

        f->waiting = waiting;
        f->n_changes++;
}

static void begin_with(struct fixture *f, enum presence_mode mode, uint64_t timeout_ms) {
        const struct presence_options options = {
                .mode = mode,
                .timeout_ms = timeout_ms,
                .passive_ms = PASSIVE_MS,
                .device_name = "Test key",
                .tty_fd = f->tty[0],
                .waiting = on_waiting,
                .userdata = f,
        };

        assert_int_equal(presence_new(&options, &f->presence), 0);
        f->port = presence_port(f->presence);
}

static void begin_mode(struct fixture *f, enum presence_mode mode) {
        begin_with(f, mode, TIMEOUT_MS);
}

static int setup(void **state) {
        struct fixture *f = calloc(1, sizeof(*f));

        *state = f;
        return socketpair(AF_UNIX, SOCK_STREAM, 0, f->tty);
}

static int teardown(void **state) {
        struct fixture *f = *state;

        presence_free(f->presence);
        close(f->tty[0]);
        close(f->tty[1]);
        free(f);
        return 0;
}

static void ask(struct fixture *f, bool passive) {
        const struct ctap_prompt prompt = {
                .ask = CTAP_ASK_USE,
                .passive = passive,
                .rp_id = BYTES_TEXT("example.com"),
                .account = BYTES_TEXT("alice"),
                .n_accounts = 1,
        };

        assert_int_equal(f->port->ops->begin(f->port, &prompt), 0);
}

static enum ctap_answer wait_for(struct fixture *f, uint64_t *ret_ms) {
        uint64_t before = env_now_ms();
        enum ctap_answer a = CTAP_ANSWER_PENDING;

        assert_int_equal(f->port->ops->wait(f->port, &a), 0);
        *ret_ms = env_now_ms() - before;
        f->port->ops->end(f->port);
        return a;
}

static enum ctap_answer poll_now(struct fixture *f) {
        enum ctap_answer a;

        assert_int_equal(f->port->ops->poll(f->port, &a), 0);
        return a;
}

static void inject(struct fixture *f, enum presence_inject what) {
        const char byte = (char)what;

        assert_int_equal(write(presence_inject_fd(f->presence), &byte, 1), 1);
}

static void cancel(struct fixture *f) {
        const uint64_t one = 1;

        assert_int_equal(write(presence_cancel_fd(f->presence), &one, sizeof(one)), sizeof(one));
}

static void type(struct fixture *f, const char *text) {
        assert_int_equal(write(f->tty[1], text, strlen(text)), strlen(text));
}

/* Runs `act` on another thread 50 ms from now. */
struct later {
        pthread_t thread;
        struct fixture *f;
        void (*act)(struct fixture *f);
};

static void *run_later(void *userdata) {
        const struct timespec delay = { .tv_nsec = 50000000 };
        struct later *l = userdata;

        nanosleep(&delay, NULL);
        l->act(l->f);
        return NULL;
}

static void start_later(struct later *l, struct fixture *f, void (*act)(struct fixture *f)) {
        l->f = f;
        l->act = act;
        assert_int_equal(pthread_create(&l->thread, NULL, run_later, l), 0);
}

static void deny_says_no_at_once_and_nobody_is_waited_for(void **state) {
        struct fixture *f = *state;
        uint64_t ms;

        begin_mode(f, PRESENCE_DENY);
        ask(f, false);
        assert_int_equal(wait_for(f, &ms), CTAP_ANSWER_NO);
        assert_true(ms < PASSIVE_MS);
        assert_int_equal(f->n_changes, 0);
        assert_int_equal(f->port->ops->abilities(f->port), 0);
}

/* Who reads it must not think that it can still be answered. */
static void a_question_answered_elsewhere_is_taken_from_the_terminal(void **state) {
        struct fixture *f = *state;
        char seen[2048];
        uint64_t ms;
        ssize_t n;

        begin_mode(f, PRESENCE_TTY);
        ask(f, false);
        inject(f, PRESENCE_INJECT_DENY);
        assert_int_equal(wait_for(f, &ms), CTAP_ANSWER_NO);
        n = recv(f->tty[1], seen, sizeof(seen) - 1, MSG_DONTWAIT);
        assert_true(n > 0);
        seen[n] = '\0';
        assert_non_null(strstr(seen, "withdrawn"));
}

static void auto_says_yes_at_once(void **state) {
        struct fixture *f = *state;
        uint64_t ms;

        begin_mode(f, PRESENCE_AUTO);
        ask(f, false);
        assert_int_equal(wait_for(f, &ms), CTAP_ANSWER_YES);
        assert_true(ms < PASSIVE_MS);
}

static void auto_leaves_a_passive_question_to_other_keys_first(void **state) {
        struct fixture *f = *state;
        uint64_t ms;

        begin_mode(f, PRESENCE_AUTO);
        ask(f, true);
        assert_int_equal(poll_now(f), CTAP_ANSWER_PENDING);
        assert_int_equal(wait_for(f, &ms), CTAP_ANSWER_YES);
        assert_true(ms >= PASSIVE_MS - 10);
}

static void A36_cancel_ends_a_passive_wait_within_100_ms(void **state) {
        struct fixture *f = *state;
        struct later later;
        uint64_t ms;

        begin_mode(f, PRESENCE_AUTO);
        ask(f, true);
        start_later(&later, f, cancel);
        assert_int_equal(wait_for(f, &ms), CTAP_ANSWER_CANCELLED);
        pthread_join(later.thread, NULL);
        assert_true(ms < 50 + 100);
}

static void A35_cancel_ends_a_wait_and_is_seen_before_a_yes(void **state) {
        struct fixture *f = *state;
        uint64_t ms;

        begin_mode(f, PRESENCE_SCRIPT);
        ask(f, false);
        inject(f, PRESENCE_INJECT_ONCE);
        cancel(f);
        assert_int_equal(wait_for(f, &ms), CTAP_ANSWER_CANCELLED);
        assert_true(ms < 100);
}

static void A40_cancel_does_not_concern_a_polled_question(void **state) {
        struct fixture *f = *state;

        begin_mode(f, PRESENCE_SCRIPT);
        ask(f, false);
        cancel(f);
        assert_int_equal(poll_now(f), CTAP_ANSWER_PENDING);
        inject(f, PRESENCE_INJECT_ONCE);
        assert_int_equal(poll_now(f), CTAP_ANSWER_YES);
        assert_int_equal(poll_now(f), CTAP_ANSWER_YES);
}

static void inject_once(struct fixture *f) {
        inject(f, PRESENCE_INJECT_ONCE);
}

static void script_answers_the_question_that_waits(void **state) {
        struct fixture *f = *state;
        struct later later;
        uint64_t ms;

        begin_mode(f, PRESENCE_SCRIPT);
        ask(f, false);
        start_later(&later, f, inject_once);
        assert_int_equal(wait_for(f, &ms), CTAP_ANSWER_YES);
        pthread_join(later.thread, NULL);
        assert_true(ms >= 40);
}

static void script_answers_the_next_question_and_only_that(void **state) {
        struct fixture *f = *state;
        uint64_t ms;

        begin_mode(f, PRESENCE_SCRIPT);
        inject(f, PRESENCE_INJECT_ONCE);
        inject(f, PRESENCE_INJECT_NO);
        ask(f, false);
        assert_int_equal(wait_for(f, &ms), CTAP_ANSWER_YES);
        ask(f, true);
        assert_int_equal(wait_for(f, &ms), CTAP_ANSWER_NO);
        ask(f, false);
        assert_int_equal(poll_now(f), CTAP_ANSWER_PENDING);
}

static void a_question_times_out(void **state) {
        struct fixture *f = *state;
        uint64_t ms;

        begin_mode(f, PRESENCE_SCRIPT);
        ask(f, false);
        assert_int_equal(wait_for(f, &ms), CTAP_ANSWER_TIMEOUT);
        assert_true(ms >= TIMEOUT_MS - 10);
}

static void U4_a_polled_question_times_out_too(void **state) {
        const struct timespec delay = { .tv_nsec = (TIMEOUT_MS + 20) * 1000000L };
        struct fixture *f = *state;

        begin_mode(f, PRESENCE_SCRIPT);
        ask(f, false);
        assert_int_equal(poll_now(f), CTAP_ANSWER_PENDING);
        nanosleep(&delay, NULL);
        assert_int_equal(poll_now(f), CTAP_ANSWER_TIMEOUT);
}

static void modes_change_by_injection_and_back(void **state) {
        struct fixture *f = *state;
        uint64_t ms;

        begin_mode(f, PRESENCE_SCRIPT);
        inject(f, PRESENCE_INJECT_AUTO);
        ask(f, false);
        assert_int_equal(wait_for(f, &ms), CTAP_ANSWER_YES);
        inject(f, PRESENCE_INJECT_DENY);
        ask(f, false);
        assert_int_equal(wait_for(f, &ms), CTAP_ANSWER_NO);
        inject(f, PRESENCE_INJECT_ASK);
        ask(f, false);
        assert_int_equal(poll_now(f), CTAP_ANSWER_PENDING);
}

static void deny_forgets_answers_given_before(void **state) {
        struct fixture *f = *state;
        uint64_t ms;

        begin_mode(f, PRESENCE_SCRIPT);
        inject(f, PRESENCE_INJECT_ONCE);
        inject(f, PRESENCE_INJECT_DENY);
        ask(f, false);
        assert_int_equal(wait_for(f, &ms), CTAP_ANSWER_NO);
}

static void A44_waiting_is_told_only_while_a_person_is_asked(void **state) {
        struct fixture *f = *state;
        uint64_t ms;

        begin_mode(f, PRESENCE_SCRIPT);
        assert_false(f->waiting);
        ask(f, false);
        assert_true(f->waiting);
        inject(f, PRESENCE_INJECT_ONCE);
        assert_int_equal(wait_for(f, &ms), CTAP_ANSWER_YES);
        assert_false(f->waiting);
        assert_int_equal(f->n_changes, 2);
}

static void a_new_question_takes_the_place_of_the_old(void **state) {
        struct fixture *f = *state;

        begin_mode(f, PRESENCE_SCRIPT);
        ask(f, false);
        inject(f, PRESENCE_INJECT_ONCE);
        assert_int_equal(poll_now(f), CTAP_ANSWER_YES);
        ask(f, false);
        assert_int_equal(poll_now(f), CTAP_ANSWER_PENDING);
}

static void without_a_question_there_is_no_answer(void **state) {
        struct fixture *f = *state;
        enum ctap_answer a = CTAP_ANSWER_PENDING;

        begin_mode(f, PRESENCE_AUTO);
        assert_int_equal(f->port->ops->wait(f->port, &a), -EINVAL);
        assert_int_equal(f->port->ops->poll(f->port, &a), -EINVAL);
        f->port->ops->end(f->port);
}

static void assert_shown(struct fixture *f, const char *want) {
        char got[1024];
        ssize_t n = recv(f->tty[1], got, sizeof(got) - 1, 0);

        assert_true(n > 0);
        got[n] = '\0';
        assert_string_equal(got, want);
}

static void tty_shows_the_site_and_takes_yes(void **state) {
        struct fixture *f = *state;
        uint64_t ms;

        begin_mode(f, PRESENCE_TTY);
        assert_int_equal(f->port->ops->abilities(f->port), CTAP_PRESENCE_DISPLAY);
        ask(f, false);
        assert_shown(f, "Test key: Sign in to example.com as alice with this computer's passkey? "
                        "[y/N] ");
        type(f, "yes\n");
        assert_int_equal(wait_for(f, &ms), CTAP_ANSWER_YES);
}

static void tty_takes_everything_else_for_no(void **state) {
        static const char *const lines[] = {
                "\n", "n\n", "no\n", "yy\n", "yess\n", " yes and\n", "ye\n", "yes, do that please\n"
        };
        struct fixture *f = *state;
        uint64_t ms;

        begin_mode(f, PRESENCE_TTY);
        for (size_t i = 0; i < ELEMENTSOF(lines); i++) {
                ask(f, false);
                type(f, lines[i]);
                assert_int_equal(wait_for(f, &ms), CTAP_ANSWER_NO);
        }
        ask(f, false);
        type(f, "Y\n");
        assert_int_equal(wait_for(f, &ms), CTAP_ANSWER_YES);
}

static void tty_forgets_what_was_typed_before_the_question(void **state) {
        struct fixture *f = *state;

        begin_mode(f, PRESENCE_TTY);
        type(f, "y\n");
        ask(f, false);
        assert_int_equal(poll_now(f), CTAP_ANSWER_PENDING);
        type(f, "y");
        assert_int_equal(poll_now(f), CTAP_ANSWER_PENDING);
        type(f, "\n");
        assert_int_equal(poll_now(f), CTAP_ANSWER_YES);
}

/* The person answers the first question just as the second takes its place. */
static void tty_takes_no_answer_to_a_question_that_was_just_replaced(void **state) {
        const struct timespec a_moment = { .tv_nsec = 150000000 };
        struct fixture *f = *state;
        struct later later;
        uint64_t ms;

        begin_with(f, PRESENCE_TTY, 2000);
        ask(f, false);
        ask(f, false);
        type(f, "y\n");
        assert_int_equal(poll_now(f), CTAP_ANSWER_PENDING);
        nanosleep(&a_moment, NULL);
        type(f, "y\n"); /* nobody looks until the time is over */
        nanosleep(&a_moment, NULL);
        nanosleep(&a_moment, NULL);
        assert_int_equal(poll_now(f), CTAP_ANSWER_PENDING);
        type(f, "y\n");
        assert_int_equal(poll_now(f), CTAP_ANSWER_YES);
        f->port->ops->end(f->port);

        /* Answered, and not withdrawn: the next question listens at once. */
        ask(f, false);
        type(f, "n\n");
        assert_int_equal(poll_now(f), CTAP_ANSWER_NO);
        f->port->ops->end(f->port);

        /* While it waits it neither takes them nor misses what comes later. */
        ask(f, false);
        ask(f, false);
        type(f, "y\n");
        start_later(&later, f, cancel);
        assert_int_equal(wait_for(f, &ms), CTAP_ANSWER_CANCELLED);
        pthread_join(later.thread, NULL);
        assert_true(ms < 50 + 100);
}

static void tty_that_hung_up_is_a_failure_of_the_machine(void **state) {
        struct fixture *f = *state;
        enum ctap_answer a;

        begin_mode(f, PRESENCE_TTY);
        ask(f, false);
        shutdown(f->tty[1], SHUT_WR);
        assert_int_equal(f->port->ops->wait(f->port, &a), -EIO);
        f->port->ops->end(f->port);
}

static void tty_wait_is_cancelled_and_withdrawn(void **state) {
        struct fixture *f = *state;
        struct later later;
        uint64_t ms;

        begin_mode(f, PRESENCE_TTY);
        ask(f, true);
        assert_shown(f, "Test key: This is probably meant for another security key. Sign in to "
                        "example.com as alice with this computer's passkey? [y/N] ");
        start_later(&later, f, cancel);
        assert_int_equal(wait_for(f, &ms), CTAP_ANSWER_CANCELLED);
        pthread_join(later.thread, NULL);
        assert_true(ms < 50 + 100);
        assert_shown(f, "\n(The question was withdrawn.)\n");
}

static void assert_question(const struct ctap_prompt *prompt, const char *want) {
        uint8_t storage[PRESENCE_QUESTION_MAX];
        struct buf text = BUF_ON(storage);

        presence_question(prompt, "K", &text);
        assert_int_equal(buf_error(&text), 0);
        assert_bytes_equal(buf_bytes(&text), BYTES_TEXT(want));
}

static void questions_name_what_will_happen(void **state) {
        const struct ctap_prompt create = { .ask = CTAP_ASK_CREATE, .rp_id = BYTES_TEXT("a.b") };
        const struct ctap_prompt select = { .ask = CTAP_ASK_SELECT, .rp_id = BYTES_TEXT(".dummy") };
        const struct ctap_prompt reset = { .ask = CTAP_ASK_RESET };
        const struct ctap_prompt several = { .ask = CTAP_ASK_USE,
                                             .rp_id = BYTES_TEXT("a.b"),
                                             .account = BYTES_TEXT("bob"),
                                             .n_accounts = 2 };
        const struct ctap_prompt unnamed = { .ask = CTAP_ASK_USE };

        (void)state;
        assert_question(&create, "K: Create a passkey for a.b on this computer? [y/N] ");
        assert_question(&select, "K: Use this computer as the security key? Nothing is created and "
                                 "nobody is signed in by this. [y/N] ");
        assert_question(&reset, "K: ERASE ALL PASSKEYS of this computer? They cannot be brought "
                                "back. [y/N] ");
        assert_question(&several, "K: Sign in to a.b as bob (or another of your accounts there) "
                                  "with this computer's passkey? [y/N] ");
        assert_question(&unnamed, "K: Sign in to a site that it does not name with this computer's "
                                  "passkey? [y/N] ");
}

static void what_a_site_sends_cannot_steer_the_terminal(void **state) {
        const struct ctap_prompt p = {
                .ask = CTAP_ASK_USE,
                .rp_id = BYTES_TEXT("a\x1b[2J\n.b\xe2\x80\xae\xc2\x9b"),
                .account = BYTES_TEXT("m\xc3\xbcller\xff\x7f"),
        };

        (void)state;
        assert_question(&p,
                        "K: Sign in to a\xef\xbf\xbd[2J\xef\xbf\xbd.b\xef\xbf\xbd\xef\xbf\xbd "
                        "as m\xc3\xbcller\xef\xbf\xbd\xef\xbf\xbd with this computer's passkey? "
                        "[y/N] ");
}

static void a_long_site_keeps_its_end_and_a_long_account_its_beginning(void **state) {
        uint8_t storage[PRESENCE_QUESTION_MAX];
        struct buf text = BUF_ON(storage);
        char rp[400], account[400];
        struct ctap_prompt p = { .ask = CTAP_ASK_USE };
        char *shown = (char *)storage;

        (void)state;
        memset(rp, 'x', sizeof(rp));
        memcpy(rp + sizeof(rp) - 9, ".evil.com", 9);
        memset(account, '\x01', sizeof(account));
        account[0] = 'A';
        p.rp_id = BYTES(rp, sizeof(rp));
        p.account = BYTES(account, sizeof(account));
        presence_question(&p, "K", &text);
        assert_int_equal(buf_error(&text), 0);
        buf_put_u8(&text, 0);
        assert_non_null(strstr(shown, "Sign in to \xe2\x80\xa6xxx"));
        assert_non_null(strstr(shown, "xxx.evil.com as A\xef\xbf\xbd"));
        assert_true(text.len < 700);
}

static void modes_have_names(void **state) {
        enum presence_mode m;

        (void)state;
        for (unsigned i = 0; i < _PRESENCE_MODES; i++) {
                assert_int_equal(presence_mode_from_string(
                                         presence_mode_to_string((enum presence_mode)i), &m),
                                 0);
                assert_int_equal(m, i);
        }
        assert_int_equal(presence_mode_from_string("always", &m), -EINVAL);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
        const struct CMUnitTest tests[] = {
                TEST(deny_says_no_at_once_and_nobody_is_waited_for),
                TEST(a_question_answered_elsewhere_is_taken_from_the_terminal),
                TEST(auto_says_yes_at_once),
                TEST(auto_leaves_a_passive_question_to_other_keys_first),
                TEST(A36_cancel_ends_a_passive_wait_within_100_ms),
                TEST(A35_cancel_ends_a_wait_and_is_seen_before_a_yes),
                TEST(A40_cancel_does_not_concern_a_polled_question),
                TEST(script_answers_the_question_that_waits),
                TEST(script_answers_the_next_question_and_only_that),
                TEST(a_question_times_out),
                TEST(U4_a_polled_question_times_out_too),
                TEST(modes_change_by_injection_and_back),
                TEST(deny_forgets_answers_given_before),
                TEST(A44_waiting_is_told_only_while_a_person_is_asked),
                TEST(a_new_question_takes_the_place_of_the_old),
                TEST(without_a_question_there_is_no_answer),
                TEST(tty_shows_the_site_and_takes_yes),
                TEST(tty_takes_everything_else_for_no),
                TEST(tty_forgets_what_was_typed_before_the_question),
                TEST(tty_takes_no_answer_to_a_question_that_was_just_replaced),
                TEST(tty_that_hung_up_is_a_failure_of_the_machine),
                TEST(tty_wait_is_cancelled_and_withdrawn),
                TEST(questions_name_what_will_happen),
                TEST(what_a_site_sends_cannot_steer_the_terminal),
                TEST(a_long_site_keeps_its_end_and_a_long_account_its_beginning),
                TEST(modes_have_names),
        };

        return cmocka_run_group_tests_name("presence", tests, NULL, NULL);
}
