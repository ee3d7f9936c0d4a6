/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * authenticator/presence-agent.c and agent-link.c behind the presence port: what a worker says and
 * believes, with this test in the place of the loop.
 */

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "authenticator/agent-link.h"
#include "authenticator/agent-protocol.h"
#include "authenticator/env.h"
#include "authenticator/presence.h"
#include "authenticator/util.h"
#include "tests/unit/test.h"

#define TIMEOUT_MS 400
#define SHOWN_MS   150
#define SOON_MS    100 /* what "at once" may take on a busy machine */

struct fixture {
        struct presence *presence;
        struct ctap_presence *port;
        int loop;
        bool verify_off;
        uint8_t storage[AGENT_LINK_PACKET_MAX];
        pthread_t later;
        bool is_later;
        uint64_t later_ms, later_at;
        bool later_cancel; /* and else: */
        struct agent_link_packet later_says;
};

static void say(const struct fixture *f, const struct agent_link_packet *p) {
        assert_int_equal(agent_link_send(f->loop, p), 0);
}

static void say_word(const struct fixture *f, enum agent_link_word word, uint32_t id) {
        say(f, &(struct agent_link_packet){ .word = word, .id = id });
}

static void say_state(const struct fixture *f, unsigned state) {
        say(f, &(struct agent_link_packet){ .word = AGENT_LINK_STATE, .state = state });
}

static void say_answer(const struct fixture *f, uint32_t id, bool yes, const char *pin) {
        struct agent_link_packet p = { .word = AGENT_LINK_ANSWER, .id = id, .yes = yes };

        p.pin.len = (uint8_t)strlen(pin);
        memcpy(p.pin.data, pin, p.pin.len);
        say(f, &p);
}

/* The next thing that the worker said, of this kind. */
static struct agent_link_packet hear(struct fixture *f, enum agent_link_word word) {
        struct agent_link_packet p = { 0 };

        assert_int_equal(agent_link_receive(f->loop, f->storage, &p), 0);
        assert_int_equal(p.word, word);
        return p;
}

static void assert_silence(struct fixture *f) {
        struct agent_link_packet p = { 0 };

        assert_int_equal(agent_link_receive(f->loop, f->storage, &p), -EAGAIN);
}

static void begin_mode(struct fixture *f, unsigned state) {
        struct presence_options options = {
                .mode = PRESENCE_AGENT,
                .verify = !f->verify_off,
                .timeout_ms = TIMEOUT_MS,
                .shown_ms = SHOWN_MS,
                .device_name = "Test key",
                .tty_fd = -1,
        };

        assert_int_equal(agent_link_new(&f->loop, &options.agent_link), 0);
        assert_int_equal(presence_new(&options, &f->presence), 0);
        close(options.agent_link);
        f->port = presence_port(f->presence);
        if (state)
                say_state(f, state);
}

static int setup(void **state) {
        struct fixture *f = calloc(1, sizeof(*f));

        *state = f;
        f->loop = -1;
        return 0;
}

static int teardown(void **state) {
        struct fixture *f = *state;

        if (f->is_later)
                pthread_join(f->later, NULL);
        presence_free(f->presence);
        close_fd(f->loop);
        free(f);
        return 0;
}

static void *run_later(void *userdata) {
        struct fixture *f = userdata;
        const struct timespec t = { .tv_nsec = (long)f->later_ms * 1000000 };
        const uint64_t one = 1;

        nanosleep(&t, NULL);
        f->later_at = env_now_ms();
        if (f->later_cancel)
                (void)!write(presence_cancel_fd(f->presence), &one, sizeof(one));
        else
                (void)!agent_link_send(f->loop, &f->later_says);
        return NULL;
}

static void start_later(struct fixture *f, uint64_t ms) {
        f->later_ms = ms;
        assert_int_equal(pthread_create(&f->later, NULL, run_later, f), 0);
        f->is_later = true;
}

static const struct ctap_prompt simple = {
        .ask = CTAP_ASK_USE,
        .rp_id = { (const uint8_t *)"example.com", 11 },
        .account = { (const uint8_t *)"alice", 5 },
        .n_accounts = 1,
};

static struct ctap_prompt with(bool passive, bool verify, bool pin_only) {
        struct ctap_prompt p = simple;

        p.passive = passive;
        p.verify = verify;
        p.pin_only = pin_only;
        p.tries = verify ? 3 : 0;
        return p;
}

/* Begins a question, which goes to the loop, and gives its id. */
static uint32_t ask(struct fixture *f, struct ctap_prompt prompt) {
        assert_int_equal(f->port->ops->begin(f->port, &prompt), 0);
        return hear(f, AGENT_LINK_ASK).id;
}

/* And the agent has shown it. */
static uint32_t ask_shown(struct fixture *f, struct ctap_prompt prompt) {
        uint32_t id = ask(f, prompt);

        say_word(f, AGENT_LINK_SHOWN, id);
        return id;
}

static enum ctap_answer wait_for(struct fixture *f, uint64_t *ret_ms) {
        uint64_t before = env_now_ms();
        enum ctap_answer a = CTAP_ANSWER_PENDING;

        assert_int_equal(f->port->ops->wait(f->port, &a), 0);
        *ret_ms = env_now_ms() - before;
        f->port->ops->end(f->port);
        return a;
}

/* How long ago it was said. */
static uint64_t since_later(struct fixture *f) {
        uint64_t now = env_now_ms();

        pthread_join(f->later, NULL);
        f->is_later = false;
        return now - f->later_at;
}

static enum ctap_answer answer(struct fixture *f) {
        uint64_t ms;

        return wait_for(f, &ms);
}

static enum ctap_answer answer_with_pin(struct fixture *f, struct ctap_typed_pin *ret) {
        enum ctap_answer a = CTAP_ANSWER_PENDING;

        *ret = (struct ctap_typed_pin){ .len = 99 };
        assert_int_equal(f->port->ops->wait_verified(f->port, &a, ret), 0);
        f->port->ops->end(f->port);
        return a;
}

static unsigned abilities(struct fixture *f) {
        return f->port->ops->abilities(f->port);
}

#define BOTH (AGENT_LINK_ATTACHED | AGENT_LINK_PIN)

/* ---- questions and answers ---- */

static void a_question_goes_to_the_loop_whole(void **state) {
        struct fixture *f = *state;
        const struct ctap_prompt prompt = { .ask = CTAP_ASK_MANAGE,
                                            .verify = true,
                                            .pin_only = true,
                                            .again = true,
                                            .tries = 5,
                                            .hold_s = 7,
                                            .rp_id = BYTES_TEXT("example.org"),
                                            .account = BYTES_TEXT("b\xc3\xb6"
                                                                  "b"),
                                            .n_accounts = 70000 };
        struct agent_link_packet p;

        begin_mode(f, BOTH);
        assert_int_equal(f->port->ops->begin(f->port, &prompt), 0);
        p = hear(f, AGENT_LINK_ASK);
        assert_int_not_equal(p.id, 0);
        assert_int_equal(p.timeout_ms, TIMEOUT_MS);
        assert_int_equal(p.prompt.ask, CTAP_ASK_MANAGE);
        assert_false(p.prompt.passive);
        assert_true(p.prompt.verify);
        assert_true(p.prompt.pin_only);
        assert_true(p.prompt.again);
        assert_int_equal(p.prompt.tries, 5);
        assert_int_equal(p.prompt.hold_s, 7);
        assert_int_equal(p.prompt.n_accounts, 70000);
        assert_true(bytes_equal(p.prompt.rp_id, prompt.rp_id));
        assert_true(bytes_equal(p.prompt.account, prompt.account));
}

static void what_is_too_long_is_cut(void **state) {
        struct fixture *f = *state;
        char rp_id[1200], account[1200];
        struct ctap_prompt prompt = simple;
        struct agent_link_packet p;

        memset(rp_id, 'a', sizeof(rp_id));
        memcpy(rp_id + sizeof(rp_id) - 12, ".example.com", 12);
        /* Two bytes each, so that one would be cut in its middle. */
        for (size_t i = 0; i < sizeof(account); i += 2)
                memcpy(account + i, "\xc3\xa9", 2);
        memmove(account + 1, account, sizeof(account) - 1);
        account[0] = 'x';
        prompt.rp_id = BYTES(rp_id, sizeof(rp_id));
        prompt.account = BYTES(account, sizeof(account) - 1);

        begin_mode(f, BOTH);
        assert_int_equal(f->port->ops->begin(f->port, &prompt), 0);
        p = hear(f, AGENT_LINK_ASK);
        assert_int_equal(p.prompt.rp_id.len, AGENT_RP_ID_MAX);
        assert_memory_equal(p.prompt.rp_id.data + AGENT_RP_ID_MAX - 12, ".example.com", 12);
        assert_true(p.prompt.account.len <= AGENT_ACCOUNT_MAX);
        assert_true(p.prompt.account.len > AGENT_ACCOUNT_MAX - 2);
        assert_true(bytes_is_utf8(p.prompt.account));
}

static void the_end_of_an_rp_id_is_whole_characters(void **state) {
        struct fixture *f = *state;
        char rp_id[1025];
        struct ctap_prompt prompt = simple;
        struct agent_link_packet p;

        for (size_t i = 0; i + 1 < sizeof(rp_id); i += 2)
                memcpy(rp_id + i, "\xc3\xa9", 2);
        rp_id[1024] = 'x';
        prompt.rp_id = BYTES(rp_id, sizeof(rp_id));

        begin_mode(f, BOTH);
        assert_int_equal(f->port->ops->begin(f->port, &prompt), 0);
        p = hear(f, AGENT_LINK_ASK);
        assert_int_equal(p.prompt.rp_id.len, AGENT_RP_ID_MAX - 1);
        assert_true(bytes_is_utf8(p.prompt.rp_id));
}

static void yes_and_no_come_from_the_loop(void **state) {
        struct fixture *f = *state;
        uint32_t id;

        begin_mode(f, BOTH);
        for (int yes = 0; yes < 2; yes++) {
                id = ask_shown(f, simple);
                say_answer(f, id, yes, "");
                assert_int_equal(answer(f), yes ? CTAP_ANSWER_YES : CTAP_ANSWER_NO);
                /* The agent took it away itself. */
                assert_silence(f);
        }
}

static void a_pin_comes_with_a_yes_that_needs_one(void **state) {
        struct fixture *f = *state;
        struct ctap_typed_pin pin;
        uint32_t id;

        begin_mode(f, BOTH);
        id = ask_shown(f, with(false, true, false));
        say_answer(f, id, true, "2468");
        assert_int_equal(answer_with_pin(f, &pin), CTAP_ANSWER_YES);
        assert_int_equal(pin.len, 4);
        assert_memory_equal(pin.data, "2468", 4);

        /* And goes with its question. */
        id = ask(f, with(false, true, false));
        say_answer(f, id, true, "");
        assert_int_equal(answer_with_pin(f, &pin), CTAP_ANSWER_NO);
        assert_int_equal(pin.len, 99);
        id = ask(f, with(false, true, false));
        say_answer(f, id, false, "2468");
        assert_int_equal(answer_with_pin(f, &pin), CTAP_ANSWER_NO);
        assert_int_equal(pin.len, 99);
}

static void a_pin_may_be_as_long_as_any(void **state) {
        struct fixture *f = *state;
        char longest[CTAP_PIN_BYTES_MAX + 1] = "";
        struct ctap_typed_pin pin;
        uint32_t id;

        memset(longest, '7', CTAP_PIN_BYTES_MAX);
        begin_mode(f, BOTH);
        id = ask(f, with(false, true, false));
        say_answer(f, id, true, longest);
        assert_int_equal(answer_with_pin(f, &pin), CTAP_ANSWER_YES);
        assert_int_equal(pin.len, CTAP_PIN_BYTES_MAX);
        assert_memory_equal(pin.data, longest, CTAP_PIN_BYTES_MAX);
}

static void a_pin_that_is_longer_than_any_ends_the_link(void **state) {
        struct fixture *f = *state;
        uint8_t packet[80] = { AGENT_LINK_ANSWER };
        struct ctap_typed_pin pin;

        begin_mode(f, BOTH);
        packet[4] = (uint8_t)ask(f, with(false, true, false));
        packet[5] = 1;
        packet[7] = 64;
        assert_int_equal(send(f->loop, packet, 8 + 64, 0), 8 + 64);
        assert_int_equal(answer_with_pin(f, &pin), CTAP_ANSWER_NO);
        assert_int_equal(abilities(f), 0);
}

static void an_answer_to_another_question_is_none(void **state) {
        struct fixture *f = *state;
        uint32_t first, second;
        uint64_t ms;

        begin_mode(f, BOTH);
        first = ask(f, simple);
        f->port->ops->end(f->port);
        assert_int_equal(hear(f, AGENT_LINK_WITHDRAW).id, first);
        second = ask(f, simple);
        assert_int_not_equal(first, second);
        say_word(f, AGENT_LINK_SHOWN, second);
        say_answer(f, first, true, "");
        say_answer(f, second + 1, true, "");
        say_answer(f, 0, true, "");
        say_word(f, AGENT_LINK_LOST, first);
        say_word(f, AGENT_LINK_CANCELLED, first);
        assert_int_equal(wait_for(f, &ms), CTAP_ANSWER_TIMEOUT);
        assert_true(ms >= TIMEOUT_MS - 20);
}

static void an_answer_that_comes_too_late_is_none(void **state) {
        struct fixture *f = *state;
        enum ctap_answer a = CTAP_ANSWER_PENDING;
        uint32_t id;

        begin_mode(f, BOTH);
        id = ask_shown(f, simple);
        assert_int_equal(answer(f), CTAP_ANSWER_TIMEOUT);
        say_answer(f, id, true, "");
        hear(f, AGENT_LINK_WITHDRAW);

        ask(f, simple);
        assert_int_equal(f->port->ops->poll(f->port, &a), 0);
        assert_int_equal(a, CTAP_ANSWER_PENDING);
}

/* U2F looks in between, and CANCEL does not concern it. */
static void U4_an_answer_can_be_polled_for(void **state) {
        struct fixture *f = *state;
        enum ctap_answer a = CTAP_ANSWER_YES;
        uint32_t id;

        begin_mode(f, BOTH);
        id = ask(f, simple);
        assert_int_equal(f->port->ops->poll(f->port, &a), 0);
        assert_int_equal(a, CTAP_ANSWER_PENDING);
        say_word(f, AGENT_LINK_SHOWN, id);
        say_answer(f, id, true, "");
        assert_int_equal(f->port->ops->poll(f->port, &a), 0);
        assert_int_equal(a, CTAP_ANSWER_YES);
}

/* ---- fingers ---- */

static void a_finger_answers_a_question_that_allows_it(void **state) {
        struct fixture *f = *state;
        struct ctap_typed_pin pin;
        uint32_t id;

        begin_mode(f, BOTH | AGENT_LINK_FINGER);
        assert_int_equal(abilities(f),
                         CTAP_PRESENCE_DISPLAY | CTAP_PRESENCE_VERIFY | CTAP_PRESENCE_FINGER);
        id = ask_shown(f, with(false, true, false));
        say_word(f, AGENT_LINK_MATCH, id);
        assert_int_equal(answer_with_pin(f, &pin), CTAP_ANSWER_FINGER);
        assert_int_equal(pin.len, 99);
        assert_silence(f);

        /* And only that one. */
        id = ask(f, with(false, true, false));
        say_answer(f, id, true, "2468");
        assert_int_equal(answer_with_pin(f, &pin), CTAP_ANSWER_YES);
        assert_int_equal(pin.len, 4);
}

static void a_finger_does_not_answer_any_other(void **state) {
        struct fixture *f = *state;
        struct ctap_typed_pin pin;
        uint32_t id;

        begin_mode(f, BOTH | AGENT_LINK_FINGER);
        id = ask_shown(f, with(false, true, true));
        say_word(f, AGENT_LINK_MATCH, id);
        assert_int_equal(answer_with_pin(f, &pin), CTAP_ANSWER_TIMEOUT);
        hear(f, AGENT_LINK_WITHDRAW);

        id = ask_shown(f, simple);
        say_word(f, AGENT_LINK_MATCH, id);
        assert_int_equal(answer(f), CTAP_ANSWER_TIMEOUT);
        hear(f, AGENT_LINK_WITHDRAW);

        id = ask_shown(f, with(false, true, false));
        say_word(f, AGENT_LINK_MATCH, id - 1);
        say_word(f, AGENT_LINK_MATCH, id + 1);
        assert_int_equal(answer_with_pin(f, &pin), CTAP_ANSWER_TIMEOUT);
}

/* ---- nobody ---- */

static void without_an_agent_the_answer_is_no_at_once(void **state) {
        struct fixture *f = *state;
        const struct ctap_prompt verify = with(false, true, false);
        struct ctap_typed_pin pin;
        uint64_t ms;

        begin_mode(f, 0);
        assert_int_equal(abilities(f), 0);
        assert_int_equal(f->port->ops->begin(f->port, &simple), 0);
        hear(f, AGENT_LINK_UNASKED);
        assert_int_equal(wait_for(f, &ms), CTAP_ANSWER_NO);
        assert_true(ms < SOON_MS);
        assert_silence(f);

        /* Nor is one asked for a PIN that has no field for it. */
        say_state(f, AGENT_LINK_ATTACHED);
        assert_int_equal(f->port->ops->begin(f->port, &verify), 0);
        hear(f, AGENT_LINK_UNASKED);
        assert_int_equal(answer_with_pin(f, &pin), CTAP_ANSWER_NO);
}

static void what_can_be_asked_follows_the_agent(void **state) {
        struct fixture *f = *state;

        begin_mode(f, AGENT_LINK_ATTACHED);
        assert_int_equal(abilities(f), CTAP_PRESENCE_DISPLAY);
        say_state(f, BOTH);
        assert_int_equal(abilities(f), CTAP_PRESENCE_DISPLAY | CTAP_PRESENCE_VERIFY);
        say_state(f, AGENT_LINK_ATTACHED | AGENT_LINK_HOLD);
        assert_int_equal(abilities(f), CTAP_PRESENCE_DISPLAY | CTAP_PRESENCE_HOLD);
        say_state(f, AGENT_LINK_HOLD);
        assert_int_equal(abilities(f), 0);
        say_state(f, 0);
        assert_int_equal(abilities(f), 0);
}

static void with_verify_off_no_agent_is_asked_for_a_pin(void **state) {
        struct fixture *f = *state;

        f->verify_off = true;
        begin_mode(f, BOTH);
        assert_int_equal(abilities(f), CTAP_PRESENCE_DISPLAY);
}

static void a_worker_that_is_idle_hears_that_an_agent_comes(void **state) {
        struct fixture *f = *state;
        struct pollfd fds[PRESENCE_WATCHED];

        begin_mode(f, 0);
        presence_watch(f->presence, fds);
        assert_int_equal(poll(fds, PRESENCE_WATCHED, 0), 0);
        say_state(f, BOTH);
        presence_watch(f->presence, fds);
        assert_int_equal(poll(fds, PRESENCE_WATCHED, 0), 1);
        presence_attend(f->presence);
        assert_int_equal(poll(fds, PRESENCE_WATCHED, 0), 0);

        /* That the loop has ended is no reason to wake for ever. */
        f->loop = close_fd(f->loop);
        assert_int_equal(poll(fds, PRESENCE_WATCHED, 0), 1);
        presence_attend(f->presence);
        presence_watch(f->presence, fds);
        assert_int_equal(poll(fds, PRESENCE_WATCHED, 0), 0);
        assert_int_equal(abilities(f), 0);
}

static void without_an_agent_a_passive_question_is_nobodys(void **state) {
        struct fixture *f = *state;
        const struct ctap_prompt passive = with(true, false, false);
        uint64_t ms;

        begin_mode(f, 0);
        assert_int_equal(f->port->ops->begin(f->port, &passive), 0);
        hear(f, AGENT_LINK_UNASKED);
        assert_int_equal(wait_for(f, &ms), CTAP_ANSWER_TIMEOUT);
        assert_true(ms >= TIMEOUT_MS - 20);

        assert_int_equal(f->port->ops->begin(f->port, &passive), 0);
        f->later_cancel = true;
        start_later(f, 50);
        assert_int_equal(wait_for(f, &ms), CTAP_ANSWER_CANCELLED);
        assert_true(since_later(f) < SOON_MS);
}

static void an_agent_that_goes_has_said_no(void **state) {
        struct fixture *f = *state;
        uint64_t ms;
        uint32_t id;

        begin_mode(f, BOTH);
        id = ask_shown(f, simple);
        f->later_says = (struct agent_link_packet){ .word = AGENT_LINK_LOST, .id = id };
        start_later(f, 50);
        assert_int_equal(wait_for(f, &ms), CTAP_ANSWER_NO);
        assert_true(since_later(f) < SOON_MS);
        assert_silence(f);
}

static void an_agent_that_goes_leaves_a_passive_question_to_other_keys(void **state) {
        struct fixture *f = *state;
        uint64_t ms;
        uint32_t id;

        begin_mode(f, BOTH);
        id = ask_shown(f, with(true, false, false));
        say_word(f, AGENT_LINK_LOST, id);
        say_answer(f, id, true, "");
        assert_int_equal(wait_for(f, &ms), CTAP_ANSWER_TIMEOUT);
        assert_true(ms >= TIMEOUT_MS - 20);
}

static void an_agent_that_hangs_has_said_no(void **state) {
        struct fixture *f = *state;
        uint64_t ms;
        uint32_t id;

        begin_mode(f, BOTH);
        id = ask(f, simple);
        assert_int_equal(wait_for(f, &ms), CTAP_ANSWER_NO);
        assert_true(ms >= SHOWN_MS - 20 && ms < SHOWN_MS + SOON_MS);
        assert_int_equal(hear(f, AGENT_LINK_HUNG).id, id);
        assert_silence(f);

        ask(f, with(true, false, false));
        assert_int_equal(wait_for(f, &ms), CTAP_ANSWER_TIMEOUT);
        hear(f, AGENT_LINK_HUNG);
}

/* What is made ready beside a question may take longer than an agent has to show it. */
static void an_agent_is_not_held_to_hang_while_nobody_listens(void **state) {
        struct fixture *f = *state;
        const struct timespec t = { .tv_nsec = (SHOWN_MS + 50) * 1000000 };
        uint32_t id;

        begin_mode(f, BOTH);
        id = ask_shown(f, simple);
        nanosleep(&t, NULL);
        say_answer(f, id, true, "");
        assert_int_equal(answer(f), CTAP_ANSWER_YES);
}

static void a_loop_that_ends_has_said_no(void **state) {
        struct fixture *f = *state;
        uint64_t ms;

        begin_mode(f, BOTH);
        ask(f, simple);
        f->loop = close_fd(f->loop);
        assert_int_equal(wait_for(f, &ms), CTAP_ANSWER_NO);
        assert_true(ms < SOON_MS);
        assert_int_equal(f->port->ops->begin(f->port, &simple), 0);
        assert_int_equal(answer(f), CTAP_ANSWER_NO);
}

static void words_that_make_no_sense_end_the_link(void **state) {
        struct fixture *f = *state;
        static const struct {
                size_t n;
                uint8_t packet[8];
        } bad[] = {
                { 1, { 0 } },
                { 1, { 99 } },
                { 3, { AGENT_LINK_SHOWN, 0, 0 } },
                { 6, { AGENT_LINK_SHOWN, 0, 0, 0, 1, 0 } },
                { 5, { AGENT_LINK_STATE, 0, 0, 0, 0 } },
                { 8, { AGENT_LINK_ANSWER, 0, 0, 0, 1, 1, 0, 9 } },
                { 6, { AGENT_LINK_WITHDRAW, 0, 0, 0, 1, 99 } },
        };

        for (size_t i = 0; i < ELEMENTSOF(bad); i++) {
                begin_mode(f, BOTH);
                assert_int_equal(abilities(f), CTAP_PRESENCE_DISPLAY | CTAP_PRESENCE_VERIFY);
                assert_int_equal(send(f->loop, bad[i].packet, bad[i].n, 0), bad[i].n);
                assert_int_equal(abilities(f), 0);
                f->presence = presence_free(f->presence);
                f->loop = close_fd(f->loop);
        }
}

/* ---- ends that are not the agent's ---- */

static void A38_a_cancel_ends_the_question_at_once(void **state) {
        struct fixture *f = *state;
        struct agent_link_packet p;
        uint64_t ms;
        uint32_t id;

        begin_mode(f, BOTH);
        id = ask_shown(f, simple);
        f->later_cancel = true;
        start_later(f, 50);
        assert_int_equal(wait_for(f, &ms), CTAP_ANSWER_CANCELLED);
        assert_true(since_later(f) < SOON_MS);
        p = hear(f, AGENT_LINK_WITHDRAW);
        assert_int_equal(p.id, id);
        assert_int_equal(p.why, AGENT_GOES_CANCELLED);
}

/* The loop took it away before the worker came to know of it. */
static void a_question_that_the_loop_took_away_is_cancelled(void **state) {
        struct fixture *f = *state;
        uint32_t id;

        begin_mode(f, BOTH);
        id = ask(f, simple);
        say_word(f, AGENT_LINK_CANCELLED, id);
        assert_int_equal(answer(f), CTAP_ANSWER_CANCELLED);
        assert_silence(f);
}

static void a_client_that_has_gone_already_has_nobody_asked(void **state) {
        struct fixture *f = *state;
        const uint64_t one = 1;
        enum ctap_answer a = CTAP_ANSWER_PENDING;

        begin_mode(f, BOTH);
        assert_int_equal(write(presence_cancel_fd(f->presence), &one, sizeof(one)), sizeof(one));
        assert_int_equal(f->port->ops->begin(f->port, &simple), 0);
        assert_silence(f);
        assert_int_equal(f->port->ops->poll(f->port, &a), 0);
        assert_int_equal(a, CTAP_ANSWER_CANCELLED);
        assert_int_equal(answer(f), CTAP_ANSWER_CANCELLED);
        assert_silence(f);
}

static void a_question_ends_with_its_time(void **state) {
        struct fixture *f = *state;
        struct agent_link_packet p;
        uint64_t ms;
        uint32_t id;

        begin_mode(f, BOTH);
        id = ask_shown(f, simple);
        assert_int_equal(wait_for(f, &ms), CTAP_ANSWER_TIMEOUT);
        assert_true(ms >= TIMEOUT_MS - 20 && ms < TIMEOUT_MS + SOON_MS);
        p = hear(f, AGENT_LINK_WITHDRAW);
        assert_int_equal(p.id, id);
        assert_int_equal(p.why, AGENT_GOES_TIMEOUT);
}

static void deny_and_ask_are_obeyed_here_too(void **state) {
        struct fixture *f = *state;
        uint64_t ms;
        uint32_t id;

        begin_mode(f, BOTH);
        id = ask_shown(f, simple);
        assert_int_equal(presence_inject(f->presence, PRESENCE_INJECT_DENY, BYTES_NULL), 0);
        assert_int_equal(wait_for(f, &ms), CTAP_ANSWER_NO);
        assert_true(ms < SOON_MS);
        assert_int_equal(hear(f, AGENT_LINK_WITHDRAW).id, id);
        assert_int_equal(abilities(f), 0);
        assert_int_equal(f->port->ops->begin(f->port, &simple), 0);
        assert_int_equal(answer(f), CTAP_ANSWER_NO);
        assert_silence(f);

        assert_int_equal(presence_inject(f->presence, PRESENCE_INJECT_ASK, BYTES_NULL), 0);
        assert_int_equal(abilities(f), CTAP_PRESENCE_DISPLAY | CTAP_PRESENCE_VERIFY);
        id = ask(f, simple);
        say_answer(f, id, true, "");
        assert_int_equal(answer(f), CTAP_ANSWER_YES);
}

static void a_presence_that_is_freed_takes_its_question_with_it(void **state) {
        struct fixture *f = *state;
        struct agent_link_packet p;

        begin_mode(f, BOTH);
        ask(f, simple);
        f->presence = presence_free(f->presence);
        hear(f, AGENT_LINK_WITHDRAW);
        assert_int_equal(agent_link_receive(f->loop, f->storage, &p), -EPIPE);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void) {
        const struct CMUnitTest tests[] = {
                TEST(a_question_goes_to_the_loop_whole),
                TEST(what_is_too_long_is_cut),
                TEST(the_end_of_an_rp_id_is_whole_characters),
                TEST(yes_and_no_come_from_the_loop),
                TEST(a_pin_comes_with_a_yes_that_needs_one),
                TEST(a_pin_may_be_as_long_as_any),
                TEST(a_pin_that_is_longer_than_any_ends_the_link),
                TEST(an_answer_to_another_question_is_none),
                TEST(an_answer_that_comes_too_late_is_none),
                TEST(U4_an_answer_can_be_polled_for),
                TEST(a_finger_answers_a_question_that_allows_it),
                TEST(a_finger_does_not_answer_any_other),
                TEST(without_an_agent_the_answer_is_no_at_once),
                TEST(what_can_be_asked_follows_the_agent),
                TEST(with_verify_off_no_agent_is_asked_for_a_pin),
                TEST(a_worker_that_is_idle_hears_that_an_agent_comes),
                TEST(without_an_agent_a_passive_question_is_nobodys),
                TEST(an_agent_that_goes_has_said_no),
                TEST(an_agent_that_goes_leaves_a_passive_question_to_other_keys),
                TEST(an_agent_that_hangs_has_said_no),
                TEST(an_agent_is_not_held_to_hang_while_nobody_listens),
                TEST(a_loop_that_ends_has_said_no),
                TEST(words_that_make_no_sense_end_the_link),
                TEST(A38_a_cancel_ends_the_question_at_once),
                TEST(a_question_that_the_loop_took_away_is_cancelled),
                TEST(a_client_that_has_gone_already_has_nobody_asked),
                TEST(a_question_ends_with_its_time),
                TEST(deny_and_ask_are_obeyed_here_too),
                TEST(a_presence_that_is_freed_takes_its_question_with_it),
        };

        return cmocka_run_group_tests_name("presence-agent", tests, NULL, NULL);
}
