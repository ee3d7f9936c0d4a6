/* SPDX-License-Identifier: BSD-2-Clause */

/* authenticator/presence*.c: who answers in each mode, when, and what a terminal is shown. */

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <openssl/crypto.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include "authenticator/env.h"
#include "authenticator/presence-script.h"
#include "authenticator/presence-tty.h"
#include "authenticator/presence.h"
#include "tests/unit/test.h"

#define TIMEOUT_MS 300
#define PASSIVE_MS 120

struct fixture {
        struct presence *presence;
        struct ctap_presence *port;
        int tty[2]; /* the daemon's end, the person's end */
        bool verify_off;
        struct ctap_typed_pin pin; /* that the configuration gives */
        bool waiting;
        unsigned n_changes;
        char told[256]; /* of questions and answers */
};

static void on_waiting(void *userdata, bool waiting) {
        struct fixture *f = userdata;

        f->waiting = waiting;
        f->n_changes++;
}

static void on_asked(void *userdata, const struct ctap_prompt *prompt) {
        struct fixture *f = userdata;
        size_t n = strlen(f->told);

        snprintf(f->told + n, sizeof(f->told) - n, "%.*s?", (int)prompt->rp_id.len,
                 (const char *)prompt->rp_id.data);
}

static void on_answered(void *userdata, enum ctap_answer answer) {
        static const char *const words[] = { "pending", "yes", "no", "timeout", "cancelled" };
        struct fixture *f = userdata;
        size_t n = strlen(f->told);

        snprintf(f->told + n, sizeof(f->told) - n, " %s ", words[answer]);
}

static void begin_with(struct fixture *f, enum presence_mode mode, uint64_t timeout_ms) {
        const struct presence_options options = {
                .mode = mode,
                .verify = !f->verify_off,
                .pin = f->pin.len > 0 ? &f->pin : NULL,
                .timeout_ms = timeout_ms,
                .passive_ms = PASSIVE_MS,
                .device_name = "Test key",
                .tty_fd = f->tty[0],
                .waiting = on_waiting,
                .asked = on_asked,
                .answered = on_answered,
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
        if (f->tty[1] >= 0)
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

static void ask_pin_again(struct fixture *f, bool again) {
        const struct ctap_prompt prompt = {
                .ask = CTAP_ASK_USE,
                .verify = true,
                .again = again,
                .tries = 3,
                .rp_id = BYTES_TEXT("example.com"),
                .account = BYTES_TEXT("alice"),
                .n_accounts = 1,
        };

        assert_int_equal(f->port->ops->begin(f->port, &prompt), 0);
}

static void ask_pin(struct fixture *f) {
        ask_pin_again(f, false);
}

/* The answer, and with a YES the PIN, which is then to be wiped. */
static enum ctap_answer wait_verified(struct fixture *f, struct ctap_typed_pin *ret_pin) {
        enum ctap_answer a = CTAP_ANSWER_PENDING;

        assert_int_equal(f->port->ops->wait_verified(f->port, &a, ret_pin), 0);
        f->port->ops->end(f->port);
        return a;
}

static void assert_yes_with(struct fixture *f, const char *pin) {
        struct ctap_typed_pin typed = { 0 };

        assert_int_equal(wait_verified(f, &typed), CTAP_ANSWER_YES);
        assert_bytes_equal(BYTES(typed.data, typed.len), BYTES_TEXT(pin));
}

static void assert_no_pin(struct fixture *f, enum ctap_answer want) {
        struct ctap_typed_pin typed = { .len = 99 };

        assert_int_equal(wait_verified(f, &typed), want);
        assert_int_equal(typed.len, 99);
}

static unsigned abilities(struct fixture *f) {
        return f->port->ops->abilities(f->port);
}

static void sleep_ms(long ms) {
        const struct timespec t = { .tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000 };

        nanosleep(&t, NULL);
}

static enum ctap_answer poll_now(struct fixture *f) {
        enum ctap_answer a;

        assert_int_equal(f->port->ops->poll(f->port, &a), 0);
        return a;
}

static void inject(struct fixture *f, enum presence_inject what) {
        assert_int_equal(presence_inject(f->presence, what, BYTES_NULL), 0);
}

static void inject_pin(struct fixture *f, enum presence_inject what, const char *pin) {
        assert_int_equal(presence_inject(f->presence, what, BYTES_TEXT(pin)), 0);
}

static void cancel(struct fixture *f) {
        const uint64_t one = 1;

        assert_int_equal(write(presence_cancel_fd(f->presence), &one, sizeof(one)), sizeof(one));
}

static void type(struct fixture *f, const char *text) {
        assert_int_equal(write(f->tty[1], text, strlen(text)), strlen(text));
}

static void use_a_terminal(struct fixture *f) {
        int person = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);

        assert_true(person >= 0);
        assert_int_equal(grantpt(person), 0);
        assert_int_equal(unlockpt(person), 0);
        close(f->tty[0]);
        close(f->tty[1]);
        f->tty[0] = open(ptsname(person), O_RDWR | O_NOCTTY | O_CLOEXEC);
        assert_true(f->tty[0] >= 0);
        f->tty[1] = person;
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
        assert_true(abilities(f) & CTAP_PRESENCE_DISPLAY);
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

        use_a_terminal(f);
        begin_mode(f, PRESENCE_TTY);
        ask(f, false);
        close(f->tty[1]);
        f->tty[1] = -1;
        assert_int_equal(f->port->ops->wait(f->port, &a), -EIO);
        f->port->ops->end(f->port);
}

/* Ctrl-D: nothing more is typed, which is no yes. */
static void tty_takes_the_end_of_what_is_typed_for_the_end_of_a_line(void **state) {
        struct fixture *f = *state;
        uint64_t ms;

        begin_mode(f, PRESENCE_TTY);
        ask(f, false);
        shutdown(f->tty[1], SHUT_WR);
        assert_int_equal(wait_for(f, &ms), CTAP_ANSWER_NO);
        ask_pin(f);
        assert_no_pin(f, CTAP_ANSWER_NO);
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
        const struct ctap_prompt verify = { .ask = CTAP_ASK_VERIFY, .rp_id = BYTES_TEXT("a.b") };
        const struct ctap_prompt manage = { .ask = CTAP_ASK_MANAGE };
        const struct ctap_prompt forbidden = { .ask = CTAP_ASK_FORBIDDEN,
                                               .passive = true,
                                               .rp_id = BYTES_TEXT("a.b") };

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
        assert_question(&verify, "K: Create or use a passkey of a.b on this computer? [y/N] ");
        assert_question(&forbidden,
                        "K: Whoever administers this computer allows no passkeys of a.b "
                        "here. End the request? [y/N] ");
        assert_question(&manage, "K: Let a program see, change and delete all passkeys of this "
                                 "computer, and change the settings of this key? [y/N] ");
}

/* Whatever is asked, a yes may take the PIN. */
static void questions_for_the_pin_say_so_and_how_many_tries_are_left(void **state) {
        struct ctap_prompt p = { .verify = true, .tries = 3 };
        char text[PRESENCE_QUESTION_MAX];

        (void)state;
        for (unsigned i = 0; i < _CTAP_ASKS; i++) {
                struct buf b = { (uint8_t *)text, 0, sizeof(text) - 1, false };

                p.ask = (enum ctap_ask)i;
                presence_question(&p, "K", &b);
                text[b.len] = '\0';
                assert_non_null(
                        strstr(text, "? Type the PIN, or only Enter to refuse: ")
                                ?: strstr(text, ". Type the PIN, or only Enter to refuse: "));
                assert_null(strstr(text, "[y/N]"));
                assert_null(strstr(text, "left"));
        }

        p.ask = CTAP_ASK_VERIFY;
        p.rp_id = BYTES_TEXT("a.b");
        p.again = true;
        p.tries = 2;
        assert_question(&p,
                        "K: Wrong PIN. 2 tries are left. Create or use a passkey of a.b on this "
                        "computer? Type the PIN, or only Enter to refuse: ");
        p.tries = 1;
        assert_question(&p, "K: Wrong PIN. 1 try is left. Create or use a passkey of a.b on this "
                            "computer? Type the PIN, or only Enter to refuse: ");
        p.again = false;
        p.passive = true;
        assert_question(&p,
                        "K: This is probably meant for another security key. 1 try is left. "
                        "Create or use a passkey of a.b on this computer? Type the PIN, or only "
                        "Enter to refuse: ");
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

static void inject_delay(struct fixture *f, uint32_t ms) {
        const uint8_t with[] = { (uint8_t)(ms >> 24), (uint8_t)(ms >> 16), (uint8_t)(ms >> 8),
                                 (uint8_t)ms };

        assert_int_equal(presence_inject(f->presence, PRESENCE_INJECT_DELAY, BYTES_OF(with)), 0);
}

static void a_question_that_is_ignored_ends_by_itself_and_the_next_is_not_ignored(void **state) {
        static const enum presence_mode modes[] = { PRESENCE_AUTO, PRESENCE_SCRIPT, PRESENCE_DENY };
        struct fixture *f = *state;
        uint64_t ms;

        for (size_t i = 0; i < ELEMENTSOF(modes); i++) {
                begin_mode(f, modes[i]);
                inject(f, PRESENCE_INJECT_IGNORE);
                ask(f, false);
                /* Not even for who says so. */
                inject(f, PRESENCE_INJECT_ONCE);
                assert_int_equal(wait_for(f, &ms), CTAP_ANSWER_TIMEOUT);
                assert_true(ms >= TIMEOUT_MS - 10);
                ask(f, false);
                assert_int_equal(wait_for(f, &ms), CTAP_ANSWER_YES);
                f->presence = presence_free(f->presence);
        }
}

static void inject_ignore(struct fixture *f) {
        inject(f, PRESENCE_INJECT_IGNORE);
}

static void the_question_that_waits_can_be_ignored_and_cancelled(void **state) {
        struct fixture *f = *state;
        struct later ignore, cancelled;
        uint64_t ms;

        begin_with(f, PRESENCE_SCRIPT, 3000);
        ask(f, false);
        start_later(&ignore, f, inject_ignore);
        pthread_join(ignore.thread, NULL);
        inject(f, PRESENCE_INJECT_ONCE);
        start_later(&cancelled, f, cancel);
        assert_int_equal(wait_for(f, &ms), CTAP_ANSWER_CANCELLED);
        pthread_join(cancelled.thread, NULL);
        assert_true(ms >= 40 && ms < 1000);
}

/* Whoever waits for what is ignored sleeps meanwhile, also where a person goes on typing. */
static void what_a_person_types_to_a_question_that_is_ignored_wakes_nobody(void **state) {
        struct fixture *f = *state;
        struct timespec before, after;
        uint64_t ms;

        begin_mode(f, PRESENCE_TTY);
        ask(f, false);
        inject(f, PRESENCE_INJECT_IGNORE);
        type(f, "y\n");
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &before);
        assert_int_equal(wait_for(f, &ms), CTAP_ANSWER_TIMEOUT);
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &after);
        assert_true(ms >= TIMEOUT_MS - 10);
        assert_true((after.tv_sec - before.tv_sec) * 1000 +
                            (after.tv_nsec - before.tv_nsec) / 1000000 <
                    TIMEOUT_MS / 3);
}

static void a_yes_is_delayed_until_the_delay_ends_and_a_no_is_not(void **state) {
        struct fixture *f = *state;
        uint64_t ms;

        begin_mode(f, PRESENCE_AUTO);
        inject_delay(f, 150);
        for (int i = 0; i < 2; i++) {
                ask(f, false);
                assert_int_equal(wait_for(f, &ms), CTAP_ANSWER_YES);
                assert_in_range(ms, 140, TIMEOUT_MS - 1);
        }
        inject(f, PRESENCE_INJECT_NO);
        ask(f, false);
        assert_int_equal(wait_for(f, &ms), CTAP_ANSWER_NO);
        assert_true(ms < 100);

        inject(f, PRESENCE_INJECT_ONCE);
        inject_pin(f, PRESENCE_INJECT_PIN_ONCE, "1234");
        ask(f, false);
        assert_int_equal(poll_now(f), CTAP_ANSWER_PENDING);
        assert_int_equal(wait_for(f, &ms), CTAP_ANSWER_YES);
        assert_in_range(ms, 140, TIMEOUT_MS - 1);
        ask_pin(f);
        assert_yes_with(f, "1234");

        inject_delay(f, 0);
        ask(f, false);
        assert_int_equal(wait_for(f, &ms), CTAP_ANSWER_YES);
        assert_true(ms < 100);
}

static void a_delay_beyond_the_timeout_is_a_timeout(void **state) {
        struct fixture *f = *state;
        uint64_t ms;

        begin_mode(f, PRESENCE_AUTO);
        inject_delay(f, 2 * TIMEOUT_MS);
        ask(f, false);
        assert_int_equal(wait_for(f, &ms), CTAP_ANSWER_TIMEOUT);
        inject(f, PRESENCE_INJECT_ONCE);
        ask(f, false);
        assert_int_equal(wait_for(f, &ms), CTAP_ANSWER_TIMEOUT);
}

static void deny_forgets_a_yes_that_is_delayed(void **state) {
        struct fixture *f = *state;
        uint64_t ms;

        begin_mode(f, PRESENCE_SCRIPT);
        inject_delay(f, 150);
        inject(f, PRESENCE_INJECT_ONCE);
        ask(f, false);
        assert_int_equal(poll_now(f), CTAP_ANSWER_PENDING);
        inject(f, PRESENCE_INJECT_DENY);
        assert_int_equal(wait_for(f, &ms), CTAP_ANSWER_NO);
        assert_true(ms < 100);
}

static void what_was_said_can_be_forgotten_but_for_the_mode(void **state) {
        struct fixture *f = *state;
        uint64_t ms;

        begin_mode(f, PRESENCE_SCRIPT);
        inject(f, PRESENCE_INJECT_NO);
        inject(f, PRESENCE_INJECT_IGNORE);
        inject(f, PRESENCE_INJECT_AUTO);
        inject_delay(f, 2 * TIMEOUT_MS);
        presence_set_uv(f->presence, PRESENCE_UV_FAIL);
        presence_forget_said(f->presence);
        ask(f, false);
        assert_int_equal(wait_for(f, &ms), CTAP_ANSWER_YES);
        assert_true(ms < TIMEOUT_MS);
}

static void each_question_is_told_and_its_answer_once(void **state) {
        struct fixture *f = *state;
        uint64_t ms;

        begin_mode(f, PRESENCE_SCRIPT);
        inject(f, PRESENCE_INJECT_ONCE);
        ask(f, false);
        assert_int_equal(poll_now(f), CTAP_ANSWER_YES);
        assert_int_equal(wait_for(f, &ms), CTAP_ANSWER_YES);
        ask(f, false);
        cancel(f);
        assert_int_equal(wait_for(f, &ms), CTAP_ANSWER_CANCELLED);
        assert_int_equal(read(presence_cancel_fd(f->presence), &(uint64_t){ 0 }, 8), 8);
        /* One that another takes the place of, or that is taken back. */
        ask(f, false);
        inject(f, PRESENCE_INJECT_DENY);
        ask(f, false);
        assert_int_equal(wait_for(f, &ms), CTAP_ANSWER_NO);
        ask(f, false);
        f->port->ops->end(f->port);
        f->port->ops->end(f->port);
        assert_string_equal(f->told,
                            "example.com? yes example.com? cancelled example.com? cancelled "
                            "example.com? no example.com? cancelled ");
}

/* ---- the PIN ---- */

static void a_script_gives_the_pin_with_each_yes(void **state) {
        struct fixture *f = *state;

        begin_mode(f, PRESENCE_SCRIPT);
        inject_pin(f, PRESENCE_INJECT_PIN, "1234");
        inject(f, PRESENCE_INJECT_ONCE);
        ask_pin(f);
        assert_yes_with(f, "1234");

        /* The PIN is no answer. */
        ask_pin(f);
        assert_no_pin(f, CTAP_ANSWER_TIMEOUT);

        inject(f, PRESENCE_INJECT_NO);
        inject(f, PRESENCE_INJECT_ONCE);
        ask_pin(f);
        assert_no_pin(f, CTAP_ANSWER_NO);
        inject_pin(f, PRESENCE_INJECT_PIN, "5678");
        ask_pin(f);
        assert_yes_with(f, "5678");
}

static void a_wrong_pin_is_said_once(void **state) {
        struct fixture *f = *state;
        uint64_t ms;

        begin_mode(f, PRESENCE_AUTO);
        inject_pin(f, PRESENCE_INJECT_PIN, "1234");
        inject_pin(f, PRESENCE_INJECT_PIN_ONCE, "4321");
        /* It waits for a question that takes it. */
        ask(f, false);
        assert_int_equal(wait_for(f, &ms), CTAP_ANSWER_YES);
        ask_pin(f);
        assert_yes_with(f, "4321");
        ask_pin(f);
        assert_yes_with(f, "1234");

        inject_pin(f, PRESENCE_INJECT_PIN_ONCE, "4321");
        inject(f, PRESENCE_INJECT_DENY);
        inject(f, PRESENCE_INJECT_AUTO);
        ask_pin(f);
        assert_yes_with(f, "1234");
}

static void a_yes_without_the_pin_is_none(void **state) {
        struct fixture *f = *state;
        uint64_t ms;

        begin_mode(f, PRESENCE_SCRIPT);
        inject(f, PRESENCE_INJECT_ONCE);
        ask_pin(f);
        assert_no_pin(f, CTAP_ANSWER_TIMEOUT);
        ask(f, false);
        assert_int_equal(wait_for(f, &ms), CTAP_ANSWER_YES);

        inject(f, PRESENCE_INJECT_AUTO);
        ask_pin(f);
        assert_no_pin(f, CTAP_ANSWER_NO);
        inject_pin(f, PRESENCE_INJECT_PIN, "1234");
        inject(f, PRESENCE_INJECT_NO_PIN);
        ask_pin(f);
        assert_no_pin(f, CTAP_ANSWER_NO);
}

static void a_verification_that_is_to_fail_is_given_a_wrong_pin_and_then_refused(void **state) {
        static const enum presence_mode modes[] = { PRESENCE_AUTO, PRESENCE_SCRIPT };
        struct fixture *f = *state;
        uint64_t ms;

        f->pin = (struct ctap_typed_pin){ 4, "2468" };
        for (size_t i = 0; i < ELEMENTSOF(modes); i++) {
                begin_mode(f, modes[i]);
                presence_set_uv(f->presence, PRESENCE_UV_FAIL);
                inject(f, PRESENCE_INJECT_ONCE);
                ask_pin(f);
                assert_yes_with(f, "0000");
                ask_pin_again(f, true);
                assert_no_pin(f, CTAP_ANSWER_NO);
                /* What takes no PIN is no verification. */
                inject(f, PRESENCE_INJECT_ONCE);
                ask(f, false);
                assert_int_equal(wait_for(f, &ms), CTAP_ANSWER_YES);
                inject_pin(f, PRESENCE_INJECT_PIN_ONCE, "2468");
                ask_pin(f);
                assert_yes_with(f, "2468");

                presence_set_uv(f->presence, PRESENCE_UV_OK);
                inject(f, PRESENCE_INJECT_ONCE);
                ask_pin_again(f, true);
                assert_yes_with(f, "2468");
                f->presence = presence_free(f->presence);
        }
}

static void a_verification_that_is_blocked_is_given_wrong_pins_only(void **state) {
        struct fixture *f = *state;

        begin_mode(f, PRESENCE_AUTO);
        assert_int_equal(presence_known_pin(f->presence)->len, 0);
        inject_pin(f, PRESENCE_INJECT_PIN, "0000");
        assert_true(abilities(f) & CTAP_PRESENCE_VERIFY);
        presence_set_uv(f->presence, PRESENCE_UV_BLOCKED);
        for (int i = 0; i < 3; i++) {
                ask_pin_again(f, i > 0);
                assert_yes_with(f, "1111");
        }
        assert_bytes_equal(BYTES(presence_known_pin(f->presence)->data,
                                 presence_known_pin(f->presence)->len),
                           BYTES_TEXT("0000"));
        inject(f, PRESENCE_INJECT_NO_PIN);
        ask_pin(f);
        assert_no_pin(f, CTAP_ANSWER_NO);
}

static void the_pin_may_come_from_the_configuration(void **state) {
        struct fixture *f = *state;
        uint64_t before;

        f->pin = (struct ctap_typed_pin){ 4, "2468" };
        begin_mode(f, PRESENCE_AUTO);
        assert_true(abilities(f) & CTAP_PRESENCE_VERIFY);
        ask_pin(f);
        assert_yes_with(f, "2468");

        before = env_now_ms();
        assert_int_equal(f->port->ops->begin(f->port,
                                             &(const struct ctap_prompt){ .ask = CTAP_ASK_USE,
                                                                          .verify = true,
                                                                          .passive = true }),
                         0);
        assert_yes_with(f, "2468");
        assert_true(env_now_ms() - before >= PASSIVE_MS - 10);
}

static void a_pin_is_of_at_most_63_bytes(void **state) {
        struct fixture *f = *state;
        char pin[CTAP_PIN_BYTES_MAX + 2] = { 0 };

        memset(pin, 'x', CTAP_PIN_BYTES_MAX + 1);
        begin_mode(f, PRESENCE_AUTO);
        assert_int_equal(presence_inject(f->presence, PRESENCE_INJECT_PIN, BYTES_TEXT(pin)),
                         -EMSGSIZE);
        assert_false(abilities(f) & CTAP_PRESENCE_VERIFY);
        pin[CTAP_PIN_BYTES_MAX] = '\0';
        inject_pin(f, PRESENCE_INJECT_PIN, pin);
        ask_pin(f);
        assert_yes_with(f, pin);
}

/* Memory for what is said does not grow, and nothing of it is lost without a word. */
static void who_says_too_much_is_told(void **state) {
        struct fixture *f = *state;
        int r = 0;

        begin_mode(f, PRESENCE_SCRIPT);
        for (unsigned i = 0; r == 0; i++) {
                assert_true(i < 100000);
                r = presence_inject(f->presence, PRESENCE_INJECT_ASK, BYTES_NULL);
        }
        assert_int_equal(r, -EAGAIN);
        presence_attend(f->presence);
        inject(f, PRESENCE_INJECT_DENY);
        assert_int_equal(abilities(f), 0);
}

static void assert_full(struct fixture *f) {
        assert_int_equal(presence_inject(f->presence, PRESENCE_INJECT_ONCE, BYTES_NULL), -EAGAIN);
        assert_int_equal(presence_inject(f->presence, PRESENCE_INJECT_NO, BYTES_NULL), -EAGAIN);
}

static void an_answer_that_would_be_forgotten_is_refused(void **state) {
        struct fixture *f = *state;
        uint64_t ms;

        begin_mode(f, PRESENCE_SCRIPT);
        for (unsigned i = 0; i < PRESENCE_QUEUED_MAX; i++)
                inject(f, PRESENCE_INJECT_NO);
        assert_full(f);
        presence_attend(f->presence);
        assert_full(f);
        /* What is no answer takes no place of one. */
        inject(f, PRESENCE_INJECT_ASK);

        ask(f, false);
        assert_int_equal(wait_for(f, &ms), CTAP_ANSWER_NO);
        inject(f, PRESENCE_INJECT_NO);
        assert_full(f);
        inject(f, PRESENCE_INJECT_DENY);
        presence_attend(f->presence);
        for (unsigned i = 0; i < PRESENCE_QUEUED_MAX; i++)
                inject(f, PRESENCE_INJECT_IGNORE);
        assert_full(f);
}

static void each_mode_can_verify_or_not(void **state) {
        const unsigned on_tty = CTAP_PRESENCE_DISPLAY | CTAP_PRESENCE_VERIFY;
        struct fixture *f = *state;

        begin_mode(f, PRESENCE_TTY);
        assert_int_equal(abilities(f), on_tty);
        inject(f, PRESENCE_INJECT_DENY);
        assert_int_equal(abilities(f), 0);
        inject(f, PRESENCE_INJECT_ASK);
        assert_int_equal(abilities(f), on_tty);
        inject(f, PRESENCE_INJECT_AUTO);
        assert_int_equal(abilities(f), CTAP_PRESENCE_HOLD);
        inject_pin(f, PRESENCE_INJECT_PIN, "1234");
        assert_int_equal(abilities(f), CTAP_PRESENCE_HOLD | CTAP_PRESENCE_VERIFY);
        inject(f, PRESENCE_INJECT_NO_PIN);
        assert_int_equal(abilities(f), CTAP_PRESENCE_HOLD);
        f->presence = presence_free(f->presence);

        f->verify_off = true;
        begin_mode(f, PRESENCE_TTY);
        assert_int_equal(abilities(f), CTAP_PRESENCE_DISPLAY);
        f->presence = presence_free(f->presence);

        begin_mode(f, PRESENCE_SCRIPT);
        inject_pin(f, PRESENCE_INJECT_PIN, "1234");
        assert_int_equal(abilities(f), CTAP_PRESENCE_HOLD);
}

/* The yes of the simulator, which needs nobody's finger for it. */
static void RS3_auto_holds_on_for_as_long_as_it_takes(void **state) {
        const struct ctap_prompt prompt = { .ask = CTAP_ASK_RESET, .hold_s = 1 };
        struct fixture *f = *state;
        uint64_t ms;

        begin_with(f, PRESENCE_AUTO, 3000);
        assert_int_equal(f->port->ops->begin(f->port, &prompt), 0);
        assert_int_equal(wait_for(f, &ms), CTAP_ANSWER_YES);
        assert_in_range(ms, 990, 2000);
}

static void a_question_is_waited_for_as_it_was_asked(void **state) {
        struct ctap_typed_pin pin = { .len = 99 };
        struct fixture *f = *state;
        enum ctap_answer a;

        begin_mode(f, PRESENCE_AUTO);
        assert_int_equal(f->port->ops->wait_verified(f->port, &a, &pin), -EINVAL);
        ask(f, false);
        assert_int_equal(f->port->ops->wait_verified(f->port, &a, &pin), -EINVAL);
        ask_pin(f);
        assert_int_equal(f->port->ops->wait(f->port, &a), -EINVAL);
        assert_int_equal(f->port->ops->poll(f->port, &a), -EINVAL);
        assert_int_equal(pin.len, 99);
}

static void A36_cancel_ends_the_wait_for_a_pin_within_100_ms(void **state) {
        struct fixture *f = *state;
        struct later later;
        uint64_t before;

        begin_mode(f, PRESENCE_TTY);
        ask_pin(f);
        type(f, "12");
        before = env_now_ms();
        start_later(&later, f, cancel);
        assert_no_pin(f, CTAP_ANSWER_CANCELLED);
        pthread_join(later.thread, NULL);
        assert_true(env_now_ms() - before < 50 + 100);
}

static void A44_waiting_is_told_while_a_pin_is_asked_for(void **state) {
        struct fixture *f = *state;

        begin_mode(f, PRESENCE_TTY);
        ask_pin(f);
        assert_true(f->waiting);
        type(f, "1234\n");
        assert_yes_with(f, "1234");
        assert_false(f->waiting);
        assert_int_equal(f->n_changes, 2);
}

static void tty_takes_a_line_for_the_pin_as_it_is(void **state) {
        static const char *const pins[] = {
                "1234",
                "yes!",
                " no ",
                "m\xc3\xbcll",
                "\xff\xfe\xff\xfe",
                "123456789012345678901234567890123456789012345678901234567890123"
        };
        struct fixture *f = *state;

        begin_mode(f, PRESENCE_TTY);
        for (size_t i = 0; i < ELEMENTSOF(pins); i++) {
                ask_pin(f);
                type(f, pins[i]);
                type(f, "\n");
                assert_yes_with(f, pins[i]);
        }
}

static void tty_takes_nothing_and_no_for_a_refusal_that_costs_no_try(void **state) {
        static const char *const lines[] = { "\n", "n\n", "No\n" };
        struct fixture *f = *state;

        begin_mode(f, PRESENCE_TTY);
        for (size_t i = 0; i < ELEMENTSOF(lines); i++) {
                ask_pin(f);
                type(f, lines[i]);
                assert_no_pin(f, CTAP_ANSWER_NO);
        }
}

static void type_the_pin(struct fixture *f) {
        type(f, "1234\n");
}

static void type_no(struct fixture *f) {
        type(f, "no\n");
}

static void tty_asks_once_more_for_what_can_be_no_pin(void **state) {
        static const char again[] =
                "A PIN has at least 4 characters and at most 63 bytes. Type it, or "
                "only Enter to refuse: ";
        char line[5001] = { 0 }, just_too_long[65] = { 0 };
        const char *const lines[] = { "123",         "y",  "yes",         "m\xc3\xbc\xc3\xbc",
                                      just_too_long, line, "\xff\x80\x80" };
        struct fixture *f = *state;
        struct later later;

        memset(line, 'x', sizeof(line) - 1);
        memset(just_too_long, 'x', sizeof(just_too_long) - 1);
        begin_with(f, PRESENCE_TTY, 5000);
        for (size_t i = 0; i < ELEMENTSOF(lines); i++) {
                ask_pin(f);
                assert_shown(f, "Test key: Sign in to example.com as alice with this computer's "
                                "passkey? Type the PIN, or only Enter to refuse: ");
                type(f, lines[i]);
                type(f, "\n");
                start_later(&later, f, type_the_pin);
                assert_yes_with(f, "1234");
                pthread_join(later.thread, NULL);
                assert_shown(f, again);
        }

        ask_pin(f);
        type(f, "123\n");
        start_later(&later, f, type_no);
        assert_no_pin(f, CTAP_ANSWER_NO);
        pthread_join(later.thread, NULL);
}

/* What is typed in the first second was meant for the question before, of whatever kind that was. */
static void tty_takes_no_pin_for_a_question_that_was_just_replaced(void **state) {
        struct fixture *f = *state;
        struct later later;
        uint64_t before;

        begin_with(f, PRESENCE_TTY, 5000);
        ask_pin(f);
        ask_pin(f);
        before = env_now_ms();
        type(f, "1234\n");
        start_later(&later, f, cancel);
        assert_no_pin(f, CTAP_ANSWER_CANCELLED);
        pthread_join(later.thread, NULL);
        assert_int_equal(read(presence_cancel_fd(f->presence), &(uint64_t){ 0 }, 8), 8);

        ask(f, false);
        type(f, "34\n");
        sleep_ms(500);
        assert_int_equal(poll_now(f), CTAP_ANSWER_PENDING);
        sleep_ms(600);
        assert_int_equal(poll_now(f), CTAP_ANSWER_PENDING);
        type(f, "y\n");
        assert_int_equal(poll_now(f), CTAP_ANSWER_YES);
        assert_true(env_now_ms() - before < 3000);
        f->port->ops->end(f->port);

        /* Nothing was withdrawn: a second try is listened to at once. */
        ask_pin(f);
        type(f, "1234\n");
        assert_yes_with(f, "1234");
        ask_pin(f);
        type(f, "5678\n");
        assert_yes_with(f, "5678");
}

/* ---- a real terminal ---- */

static bool echoes(struct fixture *f) {
        struct termios modes;

        assert_int_equal(tcgetattr(f->tty[0], &modes), 0);
        return modes.c_lflag & ECHO;
}

/* All that the terminal shows by now. */
static void read_screen(struct fixture *f, char *to, size_t size) {
        struct pollfd p = { .fd = f->tty[1], .events = POLLIN };
        size_t n = 0;
        ssize_t got;

        while (n < size - 1 && poll(&p, 1, 50) > 0 && (p.revents & POLLIN)) {
                got = read(f->tty[1], to + n, size - 1 - n);
                assert_true(got > 0);
                n += (size_t)got;
        }
        to[n] = '\0';
}

static void a_pin_is_typed_without_echo_and_nothing_else_is(void **state) {
        struct fixture *f = *state;
        struct termios before, after;
        char seen[4096];
        uint64_t ms;

        use_a_terminal(f);
        begin_mode(f, PRESENCE_TTY);
        assert_int_equal(tcgetattr(f->tty[0], &before), 0);
        ask(f, false);
        assert_true(echoes(f));
        type(f, "y\n");
        assert_int_equal(wait_for(f, &ms), CTAP_ANSWER_YES);

        ask_pin(f);
        assert_false(echoes(f));
        type(f, "97\x7f"
                "531\n");
        assert_yes_with(f, "9531");
        read_screen(f, seen, sizeof(seen));
        assert_non_null(strstr(seen, "[y/N] y\r\n"));
        assert_non_null(strstr(seen, "only Enter to refuse: \r\n"));
        assert_null(strstr(seen, "9"));
        assert_null(strstr(seen, "531"));

        assert_int_equal(tcgetattr(f->tty[0], &after), 0);
        assert_int_equal(after.c_lflag, before.c_lflag);
        assert_memory_equal(after.c_cc, before.c_cc, sizeof(after.c_cc));
}

/* A shell that gets the terminal in between would have it echo. */
static void while_a_pin_is_typed_no_key_stops_the_daemon(void **state) {
        struct fixture *f = *state;
        struct termios modes;

        use_a_terminal(f);
        begin_mode(f, PRESENCE_TTY);
        ask_pin(f);
        assert_int_equal(tcgetattr(f->tty[0], &modes), 0);
        assert_int_equal(modes.c_cc[VSUSP], _POSIX_VDISABLE);
        assert_int_equal(modes.c_cc[VQUIT], _POSIX_VDISABLE);
        assert_int_not_equal(modes.c_cc[VINTR], _POSIX_VDISABLE);
}

/* Whoever types has not seen yet that the question is gone, and nothing of a PIN shall be read. */
static void echo_comes_back_some_time_after_a_question_for_the_pin_went(void **state) {
        struct fixture *f = *state;
        char seen[4096];
        uint64_t left;

        use_a_terminal(f);
        begin_mode(f, PRESENCE_TTY);
        assert_int_equal(presence_deadline(f->presence), UINT64_MAX);
        ask_pin(f);
        type(f, "97");
        cancel(f);
        assert_no_pin(f, CTAP_ANSWER_CANCELLED);
        type(f, "531");
        presence_attend(f->presence);
        assert_false(echoes(f));
        left = presence_deadline(f->presence) - env_now_ms();
        assert_in_range(left, 1, 1000);
        sleep_ms((long)left + 1);
        presence_attend(f->presence);
        assert_true(echoes(f));
        assert_int_equal(presence_deadline(f->presence), UINT64_MAX);
        read_screen(f, seen, sizeof(seen));
        assert_null(strstr(seen, "9"));
        assert_null(strstr(seen, "5"));

        /* Nor is it there for who reads the terminal next. */
        assert_int_equal(fcntl(f->tty[0], F_SETFL, O_NONBLOCK), 0);
        type(f, "\n");
        assert_int_equal(read(f->tty[0], seen, sizeof(seen)), 1);
}

static void echo_comes_back_with_the_next_question_and_with_the_end(void **state) {
        struct fixture *f = *state;
        uint64_t ms;

        use_a_terminal(f);
        begin_with(f, PRESENCE_TTY, 3000);
        ask_pin(f);
        ask(f, false);
        assert_false(echoes(f));
        sleep_ms(1010);
        assert_int_equal(poll_now(f), CTAP_ANSWER_PENDING);
        assert_true(echoes(f));
        type(f, "y\n");
        assert_int_equal(wait_for(f, &ms), CTAP_ANSWER_YES);

        ask_pin(f);
        assert_false(echoes(f));
        f->presence = presence_free(f->presence);
        assert_true(echoes(f));

        begin_mode(f, PRESENCE_TTY);
        presence_abandon(f->presence);
        assert_true(echoes(f));
        ask_pin(f);
        assert_false(echoes(f));
        presence_abandon(f->presence);
        assert_true(echoes(f));
}

static void a_terminal_that_is_silent_by_itself_stays_so(void **state) {
        struct fixture *f = *state;
        struct termios modes;

        use_a_terminal(f);
        assert_int_equal(tcgetattr(f->tty[0], &modes), 0);
        modes.c_lflag &= ~(tcflag_t)ECHO;
        assert_int_equal(tcsetattr(f->tty[0], TCSANOW, &modes), 0);
        begin_mode(f, PRESENCE_TTY);
        ask_pin(f);
        type(f, "1234\n");
        assert_yes_with(f, "1234");
        assert_false(echoes(f));
}

static void a_terminal_that_hung_up_verifies_nobody(void **state) {
        const struct ctap_prompt prompt = { .ask = CTAP_ASK_SELECT, .verify = true };
        struct pollfd watched[PRESENCE_WATCHED];
        struct ctap_typed_pin pin;
        struct fixture *f = *state;
        enum ctap_answer a;

        use_a_terminal(f);
        begin_mode(f, PRESENCE_TTY);
        presence_watch(f->presence, watched);
        assert_int_equal(poll(watched, PRESENCE_WATCHED, 0), 0);
        ask_pin(f);
        close(f->tty[1]);
        f->tty[1] = -1;
        assert_int_equal(f->port->ops->wait_verified(f->port, &a, &pin), -EIO);
        f->port->ops->end(f->port);

        assert_int_equal(poll(watched, PRESENCE_WATCHED, 1000), 1);
        presence_attend(f->presence);
        assert_int_equal(abilities(f), 0);
        /* And nobody is woken by it for ever. */
        presence_watch(f->presence, watched);
        assert_int_equal(poll(watched, PRESENCE_WATCHED, 0), 0);
        assert_int_equal(f->port->ops->begin(f->port, &prompt), -EIO);
        assert_int_equal(f->port->ops->wait_verified(f->port, &a, &pin), -EINVAL);
}

/* ---- nothing of a PIN stays ---- */

#define MASK 0x5a

static const uint8_t masked_pin[16] = { 0x2b, 0x6d, 0x00, 0x11, 0x2d, 0x68, 0x77, 0x37,
                                        0x08, 0x63, 0x22, 0x16, 0x2a, 0x6e, 0x0e, 0x20 };

/* The sanitizer has memory of its own, and does not like its ends to be looked at. */
static __attribute__((no_sanitize("address"))) bool range_holds_pin(const uint8_t *from,
                                                                    const uint8_t *to) {
        for (; from + sizeof(masked_pin) <= to; from++) {
                size_t n = 0;

                while (n < sizeof(masked_pin) && (from[n] ^ MASK) == masked_pin[n])
                        n++;
                if (n == sizeof(masked_pin))
                        return true;
        }
        return false;
}

static bool memory_holds_pin(void) {
        FILE *maps = fopen("/proc/self/maps", "re");
        bool found = false;
        char line[512];

        assert_non_null(maps);
        while (fgets(line, sizeof(line), maps)) {
                uintptr_t from, to;

                if (sscanf(line, "%" SCNxPTR "-%" SCNxPTR " rw", &from, &to) == 2 &&
                    strstr(line, " rw") && to - from < 64 << 20)
                        found = found ||
                                range_holds_pin((const uint8_t *)from, (const uint8_t *)to);
        }
        fclose(maps);
        return found;
}

static void unmask(uint8_t pin[static sizeof(masked_pin)]) {
        for (size_t i = 0; i < sizeof(masked_pin); i++)
                pin[i] = masked_pin[i] ^ MASK;
}

static void expect_the_masked_pin(struct fixture *f) {
        struct ctap_typed_pin typed;

        assert_int_equal(wait_verified(f, &typed), CTAP_ANSWER_YES);
        assert_int_equal(typed.len, sizeof(masked_pin));
        for (size_t i = 0; i < sizeof(masked_pin); i++)
                assert_int_equal(typed.data[i] ^ MASK, masked_pin[i]);
        ctap_typed_pin_wipe(&typed);
}

static void nothing_of_a_pin_stays_in_memory(void **state) {
        struct fixture *f = *state;
        uint8_t pin[sizeof(masked_pin)];
        struct later later;

        use_a_terminal(f);
        begin_with(f, PRESENCE_TTY, 3000);
        ask_pin(f);
        unmask(pin);
        assert_true(memory_holds_pin());
        assert_int_equal(write(f->tty[1], pin, sizeof(pin)), sizeof(pin));
        OPENSSL_cleanse(pin, sizeof(pin));
        type(f, "\n");
        expect_the_masked_pin(f);
        assert_false(memory_holds_pin());

        /* Half of a line, which nobody ends: Ctrl-D hands it over. */
        ask_pin(f);
        unmask(pin);
        assert_int_equal(write(f->tty[1], pin, sizeof(pin)), sizeof(pin));
        OPENSSL_cleanse(pin, sizeof(pin));
        type(f, "\x04");
        start_later(&later, f, cancel);
        assert_no_pin(f, CTAP_ANSWER_CANCELLED);
        pthread_join(later.thread, NULL);
        assert_false(memory_holds_pin());

        unmask(pin);
        assert_int_equal(presence_inject(f->presence, PRESENCE_INJECT_PIN_ONCE, BYTES_OF(pin)), 0);
        OPENSSL_cleanse(pin, sizeof(pin));
        assert_int_equal(read(presence_cancel_fd(f->presence), &(uint64_t){ 0 }, 8), 8);
        ask_pin(f);
        expect_the_masked_pin(f);
        assert_false(memory_holds_pin());

        /* One that is known for as long as it is wanted. */
        unmask(pin);
        assert_int_equal(presence_inject(f->presence, PRESENCE_INJECT_PIN, BYTES_OF(pin)), 0);
        OPENSSL_cleanse(pin, sizeof(pin));
        presence_attend(f->presence);
        assert_true(memory_holds_pin());
        inject(f, PRESENCE_INJECT_AUTO);
        ask_pin(f);
        expect_the_masked_pin(f);
        inject(f, PRESENCE_INJECT_NO_PIN);
        presence_attend(f->presence);
        assert_false(memory_holds_pin());
}

/* ---- files ---- */

static void a_file_gives_its_first_line_as_the_pin(void **state) {
        static const struct {
                const char *text;
                int r;
                const char *pin;
        } cases[] = {
                { "1234\n", 0, "1234" },
                { "1234", 0, "1234" },
                { "1234\nmore\n", 0, "1234" },
                { "", -EINVAL, "" },
                { "\n1234\n", -EINVAL, "" },
                { "123456789012345678901234567890123456789012345678901234567890123\n", 0,
                  "123456789012345678901234567890123456789012345678901234567890123" },
                { "1234567890123456789012345678901234567890123456789012345678901234\n", -EINVAL,
                  "" },
        };
        char path[] = "/tmp/tpmauthn-pin-XXXXXX";
        int fd = mkstemp(path);

        (void)state;
        assert_true(fd >= 0);
        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                struct ctap_typed_pin pin = { 0 };

                assert_int_equal(ftruncate(fd, 0), 0);
                assert_int_equal(pwrite(fd, cases[i].text, strlen(cases[i].text), 0),
                                 strlen(cases[i].text));
                assert_int_equal(presence_pin_read(path, &pin), cases[i].r);
                assert_bytes_equal(BYTES(pin.data, pin.len), BYTES_TEXT(cases[i].pin));
        }
        close(fd);
        unlink(path);
        assert_int_equal(presence_pin_read(path, &(struct ctap_typed_pin){ 0 }), -ENOENT);
        assert_int_equal(presence_pin_read("/tmp", &(struct ctap_typed_pin){ 0 }), -EINVAL);
        assert_int_equal(mkfifo(path, 0600), 0);
        assert_int_equal(presence_pin_read(path, &(struct ctap_typed_pin){ 0 }), -EINVAL);
        unlink(path);
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
                TEST(tty_takes_the_end_of_what_is_typed_for_the_end_of_a_line),
                TEST(tty_wait_is_cancelled_and_withdrawn),
                TEST(questions_name_what_will_happen),
                TEST(what_a_site_sends_cannot_steer_the_terminal),
                TEST(a_long_site_keeps_its_end_and_a_long_account_its_beginning),
                TEST(questions_for_the_pin_say_so_and_how_many_tries_are_left),
                TEST(modes_have_names),
                TEST(a_question_that_is_ignored_ends_by_itself_and_the_next_is_not_ignored),
                TEST(the_question_that_waits_can_be_ignored_and_cancelled),
                TEST(what_a_person_types_to_a_question_that_is_ignored_wakes_nobody),
                TEST(a_yes_is_delayed_until_the_delay_ends_and_a_no_is_not),
                TEST(a_delay_beyond_the_timeout_is_a_timeout),
                TEST(deny_forgets_a_yes_that_is_delayed),
                TEST(what_was_said_can_be_forgotten_but_for_the_mode),
                TEST(each_question_is_told_and_its_answer_once),
                TEST(a_script_gives_the_pin_with_each_yes),
                TEST(a_wrong_pin_is_said_once),
                TEST(a_yes_without_the_pin_is_none),
                TEST(a_verification_that_is_to_fail_is_given_a_wrong_pin_and_then_refused),
                TEST(a_verification_that_is_blocked_is_given_wrong_pins_only),
                TEST(the_pin_may_come_from_the_configuration),
                TEST(a_pin_is_of_at_most_63_bytes),
                TEST(who_says_too_much_is_told),
                TEST(an_answer_that_would_be_forgotten_is_refused),
                TEST(each_mode_can_verify_or_not),
                TEST(RS3_auto_holds_on_for_as_long_as_it_takes),
                TEST(a_question_is_waited_for_as_it_was_asked),
                TEST(A36_cancel_ends_the_wait_for_a_pin_within_100_ms),
                TEST(A44_waiting_is_told_while_a_pin_is_asked_for),
                TEST(tty_takes_a_line_for_the_pin_as_it_is),
                TEST(tty_takes_nothing_and_no_for_a_refusal_that_costs_no_try),
                TEST(tty_asks_once_more_for_what_can_be_no_pin),
                TEST(tty_takes_no_pin_for_a_question_that_was_just_replaced),
                TEST(a_pin_is_typed_without_echo_and_nothing_else_is),
                TEST(while_a_pin_is_typed_no_key_stops_the_daemon),
                TEST(echo_comes_back_some_time_after_a_question_for_the_pin_went),
                TEST(echo_comes_back_with_the_next_question_and_with_the_end),
                TEST(a_terminal_that_is_silent_by_itself_stays_so),
                TEST(a_terminal_that_hung_up_verifies_nobody),
                TEST(nothing_of_a_pin_stays_in_memory),
                TEST(a_file_gives_its_first_line_as_the_pin),
        };

        return cmocka_run_group_tests_name("presence", tests, NULL, NULL);
}
