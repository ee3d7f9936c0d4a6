/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * authenticator/agents*.c and agent-message.c over real sockets: agents on one side, workers on the
 * other, and a loop in between that this test turns.
 */

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <jansson.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <syslog.h>
#include <unistd.h>

#include "authenticator/agent-link.h"
#include "authenticator/agent-protocol.h"
#include "authenticator/agents.h"
#include "authenticator/control.h"
#include "authenticator/env.h"
#include "authenticator/util.h"
#include "tests/unit/test.h"

#define CLIENTS_MAX 8
#define LINKS       2
#define BOTH        (AGENT_LINK_ATTACHED | AGENT_LINK_PIN)

struct fixture {
        char folder[40], path[64];
        struct log log;
        sd_event *event;
        struct agents *agents;
        struct agents_link *links[LINKS];
        int workers[LINKS];
        int clients[CLIENTS_MAX];
        size_t n_clients;
        uint8_t storage[AGENT_LINK_PACKET_MAX];
        char text[AGENT_PACKET_MAX + 1];
        int wanted; /* fingers: -1 never told, else as told last */
};

static void on_finger(void *userdata, bool wanted) {
        struct fixture *f = userdata;

        f->wanted = wanted;
}

static void add_link(struct fixture *f, size_t i, uid_t uid) {
        const struct agents_link_options options = { .uid = uid,
                                                     .id = "7",
                                                     .device = "Test key",
                                                     .phys = i == 0 ? "tpmauthn/7" : "tpmauthn/7.1",
                                                     .on_finger = on_finger,
                                                     .userdata = f };

        assert_int_equal(agents_link_new(f->agents, &options, &f->links[i], &f->workers[i]), 0);
}

static int setup(void **state) {
        struct fixture *f = calloc(1, sizeof(*f));
        struct agents_options options = { 0 };

        *state = f;
        strcpy(f->folder, "/tmp/tpmauthn-agents-XXXXXX");
        assert_non_null(mkdtemp(f->folder));
        assert_int_equal(chmod(f->folder, 0755), 0);
        snprintf(f->path, sizeof(f->path), "%s/agent.sock", f->folder);
        f->log.level = LOG_ERR;
        f->wanted = -1;
        for (size_t i = 0; i < LINKS; i++)
                f->workers[i] = -1;
        assert_true(sd_event_new(&f->event) >= 0);
        options.event = f->event;
        options.path = f->path;
        options.log = &f->log;
        assert_int_equal(agents_new(&options, &f->agents), 0);
        add_link(f, 0, getuid());
        return 0;
}

static int teardown(void **state) {
        struct fixture *f = *state;

        for (size_t i = 0; i < f->n_clients; i++)
                close_fd(f->clients[i]);
        for (size_t i = 0; i < LINKS; i++) {
                agents_link_free(f->links[i]);
                close_fd(f->workers[i]);
        }
        agents_free(f->agents);
        sd_event_unref(f->event);
        rmdir(f->folder);
        free(f);
        return 0;
}

/* Until nothing happens any more. */
static void turn(struct fixture *f) {
        while (sd_event_run(f->event, 0) > 0)
                ;
}

static void turn_for(struct fixture *f, uint64_t ms) {
        uint64_t until = env_now_ms() + ms;

        while (env_now_ms() < until)
                sd_event_run(f->event, 20000);
}

/* ---- agents ---- */

static int connect_to(const char *path) {
        struct sockaddr_un a = { .sun_family = AF_UNIX };
        int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

        snprintf(a.sun_path, sizeof(a.sun_path), "%s", path);
        if (fd < 0 || connect(fd, (const struct sockaddr *)&a, sizeof(a)) < 0)
                return close_fd(fd);
        return fd;
}

static int connect_agent(struct fixture *f) {
        int fd = connect_to(f->path);

        assert_true(fd >= 0);
        assert_true(f->n_clients < CLIENTS_MAX);
        f->clients[f->n_clients++] = fd;
        turn(f);
        return fd;
}

static void send_bytes(struct fixture *f, int fd, const void *data, size_t n) {
        assert_int_equal(send(fd, data, n, MSG_NOSIGNAL), n);
        turn(f);
}

static void send_text(struct fixture *f, int fd, const char *text) {
        send_bytes(f, fd, text, strlen(text));
}

static bool is_closed(int fd) {
        char byte;

        return recv(fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) == 0;
}

static bool is_silent(int fd) {
        char byte;

        return recv(fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) < 0 && errno == EAGAIN;
}

/* The next packet, which is of this type; to be dropped. */
static json_t *next(struct fixture *f, int fd, const char *type) {
        ssize_t n = recv(fd, f->text, sizeof(f->text) - 1, MSG_DONTWAIT);
        json_t *o;

        assert_true(n > 0);
        f->text[n] = '\0';
        o = json_loads(f->text, 0, NULL);
        assert_non_null(o);
        if (strcmp(json_string_value(json_object_get(o, "type")), type) != 0)
                fail_msg("%s is no %s", f->text, type);
        return o;
}

static void drop(struct fixture *f, int fd, const char *type) {
        json_decref(next(f, fd, type));
}

static uint32_t next_ask(struct fixture *f, int fd) {
        json_t *o = next(f, fd, AGENT_ASK);
        uint32_t id = (uint32_t)json_integer_value(json_object_get(o, "id"));

        json_decref(o);
        return id;
}

static void assert_withdrawn(struct fixture *f, int fd, uint32_t id, const char *why) {
        json_t *o = next(f, fd, AGENT_WITHDRAW);

        assert_int_equal(json_integer_value(json_object_get(o, "id")), id);
        assert_string_equal(json_string_value(json_object_get(o, "why")), why);
        json_decref(o);
}

#define HELLO "{\"type\":\"hello\",\"v\":1,\"ui\":\"gtk4\",\"pin\":true}"

static int new_agent(struct fixture *f) {
        int fd = connect_agent(f);

        send_text(f, fd, HELLO);
        drop(f, fd, AGENT_WELCOME);
        return fd;
}

static void say_shown(struct fixture *f, int fd, uint32_t id) {
        char text[96];

        snprintf(text, sizeof(text), "{\"type\":\"shown\",\"id\":%u}", id);
        send_text(f, fd, text);
}

static void say_answer(struct fixture *f, int fd, uint32_t id, const char *answer,
                       const char *more) {
        char text[512];

        snprintf(text, sizeof(text), "{\"type\":\"answer\",\"id\":%u,\"answer\":\"%s\"%s}", id,
                 answer, more);
        send_text(f, fd, text);
}

/* ---- workers ---- */

static struct agent_link_packet hear(struct fixture *f, size_t link, enum agent_link_word word) {
        struct agent_link_packet p = { 0 };

        assert_int_equal(agent_link_receive(f->workers[link], f->storage, &p), 0);
        assert_int_equal(p.word, word);
        return p;
}

static void hear_state(struct fixture *f, unsigned state) {
        assert_int_equal(hear(f, 0, AGENT_LINK_STATE).state, state);
}

static void assert_nothing_heard(struct fixture *f, size_t link) {
        struct agent_link_packet p;

        assert_int_equal(agent_link_receive(f->workers[link], f->storage, &p), -EAGAIN);
}

static void say(struct fixture *f, size_t link, const struct agent_link_packet *p) {
        assert_int_equal(agent_link_send(f->workers[link], p), 0);
        turn(f);
}

static const struct agent_link_packet simple = {
        .word = AGENT_LINK_ASK,
        .id = 3,
        .prompt = { .ask = CTAP_ASK_USE,
                    .rp_id = { (const uint8_t *)"example.com", 11 },
                    .account = { (const uint8_t *)"alice", 5 },
                    .n_accounts = 1 },
        .timeout_ms = 30000,
};

static void ask(struct fixture *f, uint32_t id, bool verify) {
        struct agent_link_packet p = simple;

        p.id = id;
        p.prompt.verify = verify;
        say(f, 0, &p);
}

/* An agent at which a question is up and shown, and the number that it has there. */
static int asked_agent(struct fixture *f, bool verify, uint32_t *ret_number) {
        int fd = new_agent(f);

        hear_state(f, BOTH);
        ask(f, 3, verify);
        *ret_number = next_ask(f, fd);
        say_shown(f, fd, *ret_number);
        assert_int_equal(hear(f, 0, AGENT_LINK_SHOWN).id, 3);
        return fd;
}

/* ---- connecting ---- */

static void an_agent_is_welcomed_and_can_be_asked(void **state) {
        struct fixture *f = *state;
        int fd = connect_agent(f);
        char machine[256];
        json_t *o;

        /* Nothing before hello. */
        assert_true(is_silent(fd));
        assert_nothing_heard(f, 0);
        send_text(f, fd, HELLO);
        o = next(f, fd, AGENT_WELCOME);
        assert_int_equal(json_integer_value(json_object_get(o, "v")), AGENT_PROTOCOL_VERSION);
        assert_string_equal(json_string_value(json_object_get(o, "device")), "Test key");
        assert_string_equal(json_string_value(json_object_get(o, "phys")), "tpmauthn/7");
        assert_int_equal(gethostname(machine, sizeof(machine)), 0);
        assert_string_equal(json_string_value(json_object_get(o, "machine")), machine);
        json_decref(o);
        hear_state(f, BOTH);

        close(fd);
        f->clients[0] = -1;
        turn(f);
        hear_state(f, 0);
        send_text(f, connect_agent(f),
                  "{\"type\":\"hello\",\"v\":1,\"ui\":\"tty\",\"pin\":false,\"new\":[]}");
        hear_state(f, AGENT_LINK_ATTACHED);
}

static void an_agent_says_if_it_has_a_yes_held_on_for(void **state) {
        struct fixture *f = *state;

        send_text(f, connect_agent(f),
                  "{\"type\":\"hello\",\"v\":1,\"ui\":\"gtk4\",\"pin\":true,\"hold\":true}");
        hear_state(f, BOTH | AGENT_LINK_HOLD);
}

static void who_does_not_say_hello_is_dropped(void **state) {
        static const char *const bad[] = {
                "{\"type\":\"hello\"}",
                "{\"type\":\"hello\",\"v\":2,\"ui\":\"gtk4\",\"pin\":true}",
                "{\"type\":\"hello\",\"v\":1,\"ui\":\"gtk4\"}",
                "{\"type\":\"hello\",\"v\":1,\"ui\":\"a\\nb\",\"pin\":true}",
                "{\"type\":\"hello\",\"v\":1,\"ui\":\"gtk4\",\"pin\":true,\"hold\":1}",
                "{\"type\":\"shown\",\"id\":1}",
                "{\"type\":\"something\"}",
        };
        struct fixture *f = *state;

        for (size_t i = 0; i < ELEMENTSOF(bad); i++) {
                int fd = connect_agent(f);

                send_text(f, fd, bad[i]);
                assert_true(is_closed(fd));
        }
        assert_nothing_heard(f, 0);
}

static void who_says_nothing_is_dropped_in_time(void **state) {
        struct fixture *f = *state;
        int silent = connect_agent(f), polite = new_agent(f);

        turn_for(f, AGENT_HELLO_MS - 500);
        assert_true(is_silent(silent));
        turn_for(f, 1000);
        assert_true(is_closed(silent));
        assert_true(is_silent(polite));
}

static void who_says_hello_twice_is_dropped(void **state) {
        struct fixture *f = *state;
        int fd = new_agent(f);

        hear_state(f, BOTH);
        send_text(f, fd, HELLO);
        assert_true(is_closed(fd));
        hear_state(f, 0);
}

#define TOO_LONG                                                      \
        "{\"type\":\"answer\",\"id\":1,\"answer\":\"yes\",\"pin\":\"" \
        "0123456789012345678901234567890123456789012345678901234567890123\"}"

static void packets_that_cannot_be_read_end_the_connection(void **state) {
        static const char *const bad[] = {
                "{",
                "[]",
                "7",
                "{}",
                "{\"type\":7}",
                "{\"type\":\"shown\"}",
                "{\"type\":\"shown\",\"id\":0}",
                "{\"type\":\"shown\",\"id\":-1}",
                "{\"type\":\"shown\",\"id\":4294967296}",
                "{\"type\":\"shown\",\"id\":\"1\"}",
                "{\"type\":\"shown\",\"id\":1,\"id\":1}",
                "{\"type\":\"answer\",\"id\":1}",
                "{\"type\":\"answer\",\"id\":1,\"answer\":\"maybe\"}",
                "{\"type\":\"answer\",\"id\":1,\"answer\":\"yes\",\"pin\":1234}",
                "{\"type\":\"answer\",\"id\":1,\"answer\":\"yes\",\"pin\":\"\"}",
                "{\"type\":\"answer\",\"id\":1,\"answer\":\"yes\",\"pin\":\"123\"}",
                "{\"type\":\"answer\",\"id\":1,\"answer\":\"yes\",\"pin\":\"12\\u00003\"}",
                "{\"type\":\"answer\",\"id\":1,\"answer\":\"yes\",\"pin\":\"\xc3\xa9\xc3\xa9\"}",
                "{\"type\":\"answer\",\"id\":1,\"answer\":\"yes\",\"pin\":\"\xff\xff\xff\xff\"}",
                TOO_LONG,
                "{\"type\":\"shown\",\"id\":1} ",
                "{\"type\":\"shown\",\"id\":1}{}",
        };
        struct fixture *f = *state;

        for (size_t i = 0; i < ELEMENTSOF(bad); i++) {
                int fd = new_agent(f);

                hear_state(f, BOTH);
                send_text(f, fd, bad[i]);
                /* Blanks at the end are JSON's. */
                if (bad[i][strlen(bad[i]) - 1] == ' ') {
                        assert_true(is_silent(fd));
                        close(fd);
                        turn(f);
                } else {
                        if (!is_closed(fd))
                                fail_msg("%s is taken", bad[i]);
                        close(fd);
                }
                f->n_clients = 0;
                hear_state(f, 0);
        }
}

static void a_packet_that_is_too_long_ends_the_connection(void **state) {
        struct fixture *f = *state;
        char packet[AGENT_PACKET_MAX + 1];
        int fd = new_agent(f);

        memset(packet, ' ', sizeof(packet));
        memcpy(packet, "{\"type\":\"what\"}", 15);
        send_bytes(f, fd, packet, AGENT_PACKET_MAX);
        assert_true(is_silent(fd));
        send_bytes(f, fd, packet, sizeof(packet));
        assert_true(is_closed(fd));
}

static void another_user_is_turned_away(void **state) {
        struct fixture *f = *state;
        int status, fd;
        pid_t pid;

        if (getuid() != 0)
                skip();
        pid = fork();
        assert_true(pid >= 0);
        if (pid == 0) {
                struct pollfd p = { .events = POLLIN };
                char byte;

                if (setgroups(0, NULL) < 0 || setresgid(65534, 65534, 65534) < 0 ||
                    setresuid(65534, 65534, 65534) < 0)
                        _exit(2);
                p.fd = connect_to(f->path);
                if (p.fd < 0)
                        _exit(3);
                (void)!send(p.fd, HELLO, strlen(HELLO), MSG_NOSIGNAL);
                _exit(poll(&p, 1, 10000) == 1 && recv(p.fd, &byte, 1, 0) <= 0 ? 0 : 1);
        }
        while (waitpid(pid, &status, WNOHANG) == 0)
                sd_event_run(f->event, 20000);
        assert_true(WIFEXITED(status));
        assert_int_equal(WEXITSTATUS(status), 0);
        assert_nothing_heard(f, 0);

        /* Nor can it keep others out. */
        fd = new_agent(f);
        assert_true(is_silent(fd));
}

static void a_user_has_so_many_agents_and_no_more(void **state) {
        struct fixture *f = *state;
        int fds[AGENTS_PER_USER_MAX + 1];

        for (size_t i = 0; i < ELEMENTSOF(fds); i++)
                fds[i] = new_agent(f);
        assert_true(is_closed(fds[0]));
        for (size_t i = 1; i < ELEMENTSOF(fds); i++)
                assert_true(is_silent(fds[i]));
}

static void the_one_with_a_question_is_not_one_too_many(void **state) {
        struct fixture *f = *state;
        uint32_t number;
        int fds[AGENTS_PER_USER_MAX + 1];

        fds[0] = asked_agent(f, false, &number);
        for (size_t i = 1; i < ELEMENTSOF(fds); i++)
                fds[i] = new_agent(f);
        assert_true(is_silent(fds[0]));
        assert_true(is_closed(fds[1]));
        say_answer(f, fds[0], number, "yes", "");
        assert_true(hear(f, 0, AGENT_LINK_ANSWER).yes);
}

static void an_agent_goes_with_the_last_device_of_its_user(void **state) {
        struct fixture *f = *state;
        int fd;

        add_link(f, 1, getuid());
        fd = new_agent(f);
        f->links[0] = agents_link_free(f->links[0]);
        assert_true(is_silent(fd));
        f->links[1] = agents_link_free(f->links[1]);
        assert_true(is_closed(fd));
        fd = connect_agent(f);
        assert_true(is_closed(fd));
}

/* ---- questions ---- */

static void a_question_is_put_to_the_agent_whole(void **state) {
        struct fixture *f = *state;
        const struct agent_link_packet p = {
                .word = AGENT_LINK_ASK,
                .id = 9,
                .prompt = { .ask = CTAP_ASK_MANAGE,
                            .verify = true,
                            .again = true,
                            .tries = 2,
                            .hold_s = 5,
                            .rp_id = { (const uint8_t *)"a\0\"\xc3\xa9\x1b", 6 },
                            .n_accounts = 3000000000u },
                .timeout_ms = 1234,
        };
        int fd = new_agent(f);
        json_t *o;

        say(f, 0, &p);
        o = next(f, fd, AGENT_ASK);
        assert_true(json_integer_value(json_object_get(o, "id")) > 0);
        assert_string_equal(json_string_value(json_object_get(o, "phys")), "tpmauthn/7");
        assert_string_equal(json_string_value(json_object_get(o, "verb")), AGENT_VERB_MANAGE);
        assert_string_equal(json_string_value(json_object_get(o, "rp_id")),
                            "a\xef\xbf\xbd\"\xc3\xa9\x1b");
        assert_string_equal(json_string_value(json_object_get(o, "account")), "");
        assert_int_equal(json_integer_value(json_object_get(o, "accounts")), 3000000000);
        assert_true(json_is_false(json_object_get(o, "passive")));
        assert_true(json_is_true(json_object_get(o, "verify")));
        assert_true(json_is_true(json_object_get(o, "again")));
        assert_int_equal(json_integer_value(json_object_get(o, "tries")), 2);
        assert_int_equal(json_integer_value(json_object_get(o, "hold")), 5);
        assert_true(json_is_false(json_object_get(o, "finger")));
        assert_int_equal(json_integer_value(json_object_get(o, "timeout")), 1234);
        json_decref(o);
}

static void the_verbs_are_those_of_the_questions(void **state) {
        static const char *const verbs[_CTAP_ASKS] = {
                AGENT_VERB_CREATE, AGENT_VERB_USE,    AGENT_VERB_SELECT,    AGENT_VERB_RESET,
                AGENT_VERB_VERIFY, AGENT_VERB_MANAGE, AGENT_VERB_FORBIDDEN,
        };
        struct fixture *f = *state;
        int fd = new_agent(f);

        for (uint32_t i = 0; i < _CTAP_ASKS; i++) {
                struct agent_link_packet p = simple;
                json_t *o;

                p.id = i + 1;
                p.prompt.ask = (enum ctap_ask)i;
                p.prompt.passive = i % 2;
                say(f, 0, &p);
                if (i > 0)
                        drop(f, fd, AGENT_WITHDRAW);
                o = next(f, fd, AGENT_ASK);
                assert_string_equal(json_string_value(json_object_get(o, "verb")), verbs[i]);
                assert_int_equal(json_is_true(json_object_get(o, "passive")), i % 2);
                json_decref(o);
        }
}

static void the_longest_texts_fit_into_a_packet(void **state) {
        struct fixture *f = *state;
        uint8_t worst[AGENT_RP_ID_MAX];
        struct agent_link_packet p = simple;
        int fd = new_agent(f);

        /* Each byte is six in JSON. */
        memset(worst, 0x01, sizeof(worst));
        p.prompt.rp_id = BYTES_OF(worst);
        p.prompt.account = BYTES(worst, AGENT_ACCOUNT_MAX);
        say(f, 0, &p);
        drop(f, fd, AGENT_ASK);

        memset(worst, 0, sizeof(worst));
        p.id++;
        say(f, 0, &p);
        drop(f, fd, AGENT_WITHDRAW);
        drop(f, fd, AGENT_ASK);
}

static void what_the_person_says_reaches_the_worker(void **state) {
        struct fixture *f = *state;
        struct agent_link_packet p;
        uint32_t number;
        int fd = asked_agent(f, true, &number);

        say_answer(f, fd, number, "yes",
                   ",\"pin\":\"2\xc3\xa9"
                   "68\"");
        p = hear(f, 0, AGENT_LINK_ANSWER);
        assert_int_equal(p.id, 3);
        assert_true(p.yes);
        assert_int_equal(p.pin.len, 5);
        assert_memory_equal(p.pin.data,
                            "2\xc3\xa9"
                            "68",
                            5);

        /* Once. */
        say_answer(f, fd, number, "yes", ",\"pin\":\"2468\"");
        assert_nothing_heard(f, 0);
        assert_true(is_silent(fd));

        ask(f, 4, false);
        number = next_ask(f, fd);
        say_shown(f, fd, number);
        hear(f, 0, AGENT_LINK_SHOWN);
        say_answer(f, fd, number, "no", "");
        assert_false(hear(f, 0, AGENT_LINK_ANSWER).yes);
}

static void a_pin_that_nobody_asked_for_goes_nowhere(void **state) {
        struct fixture *f = *state;
        struct agent_link_packet p;
        uint32_t number;
        int fd = asked_agent(f, false, &number);

        say_answer(f, fd, number, "yes", ",\"pin\":\"2468\"");
        p = hear(f, 0, AGENT_LINK_ANSWER);
        assert_true(p.yes);
        assert_int_equal(p.pin.len, 0);

        ask(f, 4, true);
        number = next_ask(f, fd);
        say_shown(f, fd, number);
        hear(f, 0, AGENT_LINK_SHOWN);
        say_answer(f, fd, number, "no", ",\"pin\":\"2468\"");
        p = hear(f, 0, AGENT_LINK_ANSWER);
        assert_false(p.yes);
        assert_int_equal(p.pin.len, 0);
}

static void a_yes_without_the_pin_ends_the_connection(void **state) {
        struct fixture *f = *state;
        uint32_t number;
        int fd = asked_agent(f, true, &number);

        say_answer(f, fd, number, "yes", "");
        assert_true(is_closed(fd));
        assert_int_equal(hear(f, 0, AGENT_LINK_LOST).id, 3);
        hear_state(f, 0);
}

static void an_answer_before_it_was_shown_ends_the_connection(void **state) {
        struct fixture *f = *state;
        int fd = new_agent(f);

        hear_state(f, BOTH);
        ask(f, 3, false);
        say_answer(f, fd, next_ask(f, fd), "yes", "");
        assert_true(is_closed(fd));
        hear(f, 0, AGENT_LINK_LOST);
}

static void what_is_not_about_the_question_is_ignored(void **state) {
        static const char *const others[] = {
                "{\"type\":\"finger\",\"id\":%u,\"state\":\"match\"}",
                "{\"type\":\"withdraw\",\"id\":%u,\"why\":\"finger\"}",
                "{\"type\":\"ask\",\"id\":%u}",
                "{\"type\":\"match\",\"id\":%u}",
                "{\"type\":\"shown\",\"id\":1%u}",
                "{\"type\":\"answer\",\"id\":1%u,\"answer\":\"yes\",\"pin\":\"2468\"}",
        };
        struct fixture *f = *state;
        uint32_t number;
        int fd = asked_agent(f, true, &number);
        char text[128];

        for (size_t i = 0; i < ELEMENTSOF(others); i++) {
                snprintf(text, sizeof(text), others[i], number);
                send_text(f, fd, text);
                assert_true(is_silent(fd));
        }
        assert_nothing_heard(f, 0);
        say_answer(f, fd, number, "no", "");
        hear(f, 0, AGENT_LINK_ANSWER);
}

static void a_worker_takes_its_question_back(void **state) {
        struct agent_link_packet p = { .word = AGENT_LINK_WITHDRAW,
                                       .id = 2,
                                       .why = AGENT_GOES_TIMEOUT };
        struct fixture *f = *state;
        uint32_t number;
        int fd = asked_agent(f, false, &number);

        say(f, 0, &p);
        assert_true(is_silent(fd));
        p.id = 3;
        say(f, 0, &p);
        assert_withdrawn(f, fd, number, AGENT_WHY_TIMEOUT);
        say_answer(f, fd, number, "yes", "");
        assert_nothing_heard(f, 0);
        say(f, 0, &p);
        assert_true(is_silent(fd));
}

static void A38_what_the_client_takes_back_goes_at_once(void **state) {
        struct fixture *f = *state;
        uint32_t number;
        int fd = asked_agent(f, true, &number);

        agents_link_cancel(f->links[0]);
        assert_withdrawn(f, fd, number, AGENT_WHY_CANCELLED);
        assert_int_equal(hear(f, 0, AGENT_LINK_CANCELLED).id, 3);
        say_answer(f, fd, number, "yes", ",\"pin\":\"2468\"");
        assert_nothing_heard(f, 0);
        agents_link_cancel(f->links[0]);
        assert_nothing_heard(f, 0);
        assert_true(is_silent(fd));
}

static void a_question_for_which_there_is_no_agent_is_lost(void **state) {
        struct fixture *f = *state;

        ask(f, 3, false);
        assert_int_equal(hear(f, 0, AGENT_LINK_LOST).id, 3);
        assert_nothing_heard(f, 0);
}

/* ---- agents that go wrong ---- */

static void a_question_goes_with_its_agent(void **state) {
        struct fixture *f = *state;
        uint32_t number;
        int fd = asked_agent(f, true, &number);

        close(fd);
        f->clients[0] = -1;
        turn(f);
        assert_int_equal(hear(f, 0, AGENT_LINK_LOST).id, 3);
        hear_state(f, 0);
}

static void an_agent_that_hangs_is_dropped(void **state) {
        struct agent_link_packet p = { .word = AGENT_LINK_HUNG, .id = 2 };
        struct fixture *f = *state;
        int fd = new_agent(f);

        ask(f, 3, false);
        next_ask(f, fd);
        say(f, 0, &p);
        assert_true(is_silent(fd));
        p.id = 3;
        say(f, 0, &p);
        assert_true(is_closed(fd));
}

static void an_agent_that_does_not_read_is_dropped(void **state) {
        struct fixture *f = *state;
        int fd = new_agent(f);
        uint32_t id = 1;

        hear_state(f, BOTH);
        for (; id < 10000; id++) {
                struct agent_link_packet p;

                ask(f, id, false);
                if (agent_link_receive(f->workers[0], f->storage, &p) == 0)
                        break; /* LOST */
        }
        assert_true(id < 10000);
        hear_state(f, 0);
        while (recv(fd, f->text, sizeof(f->text), MSG_DONTWAIT) > 0)
                ;
        assert_true(is_closed(fd));
}

static void an_agent_that_floods_is_dropped(void **state) {
        static const char *const floods[] = {
                "{\"type\":\"nothing\"}", "{\"type\":\"shown\",\"id\":77777}",
                NULL, /* the question's own, again and again */
        };
        struct fixture *f = *state;

        for (size_t i = 0; i < ELEMENTSOF(floods); i++) {
                uint32_t number;
                int fd = asked_agent(f, false, &number), n = 0;
                char text[64];

                snprintf(text, sizeof(text), "{\"type\":\"shown\",\"id\":%u}", number);
                while (n < 1000 && !is_closed(fd)) {
                        (void)!send(fd, floods[i] ? floods[i] : text,
                                    strlen(floods[i] ? floods[i] : text), MSG_NOSIGNAL);
                        turn(f);
                        n++;
                }
                assert_in_range(n, 50, 500);
                hear(f, 0, AGENT_LINK_LOST);
                hear_state(f, 0);
        }
}

/* ---- one after another ---- */

static void the_one_that_came_last_is_asked(void **state) {
        struct fixture *f = *state;
        int first = new_agent(f), second = new_agent(f);

        ask(f, 3, false);
        next_ask(f, second);
        assert_true(is_silent(first));

        /* The question goes with it, and the next one is for the one before. */
        hear_state(f, BOTH);
        close(second);
        f->clients[1] = -1;
        turn(f);
        hear(f, 0, AGENT_LINK_LOST);
        assert_nothing_heard(f, 0);
        assert_true(is_silent(first));
        ask(f, 4, false);
        next_ask(f, first);
}

static void one_that_comes_in_between_waits_for_the_next_question(void **state) {
        struct fixture *f = *state;
        uint32_t number;
        int first = asked_agent(f, false, &number), second = new_agent(f);

        assert_true(is_silent(second));
        /* It cannot answer for the other either. */
        say_shown(f, second, number);
        say_answer(f, second, number, "yes", "");
        assert_nothing_heard(f, 0);
        say_answer(f, first, number, "yes", "");
        hear(f, 0, AGENT_LINK_ANSWER);
        ask(f, 4, false);
        next_ask(f, second);
        assert_true(is_silent(first));
}

static void two_devices_of_one_user_take_turns(void **state) {
        struct agent_link_packet p = simple;
        struct fixture *f = *state;
        uint32_t first, second;
        json_t *o;
        int fd;

        add_link(f, 1, getuid());
        fd = asked_agent(f, false, &first);
        hear(f, 1, AGENT_LINK_STATE);
        say(f, 1, &p);
        assert_withdrawn(f, fd, first, AGENT_WHY_CANCELLED);
        assert_int_equal(hear(f, 0, AGENT_LINK_LOST).id, 3);
        o = next(f, fd, AGENT_ASK);
        assert_string_equal(json_string_value(json_object_get(o, "phys")), "tpmauthn/7.1");
        second = (uint32_t)json_integer_value(json_object_get(o, "id"));
        json_decref(o);
        assert_int_not_equal(first, second);
        say_shown(f, fd, second);
        say_answer(f, fd, second, "yes", "");
        hear(f, 1, AGENT_LINK_SHOWN);
        assert_true(hear(f, 1, AGENT_LINK_ANSWER).yes);
        assert_nothing_heard(f, 0);
}

/* ---- sessions ---- */

static void a_session_that_is_locked_is_not_asked(void **state) {
        struct fixture *f = *state;
        uint32_t number;
        int fd = asked_agent(f, true, &number);

        agents_set_usable(f->agents, getuid() + 1, false);
        assert_true(is_silent(fd));
        agents_set_usable(f->agents, getuid(), false);
        assert_withdrawn(f, fd, number, AGENT_WHY_LOCKED);
        assert_int_equal(hear(f, 0, AGENT_LINK_LOST).id, 3);
        hear_state(f, 0);
        say_answer(f, fd, number, "yes", ",\"pin\":\"2468\"");
        assert_nothing_heard(f, 0);

        ask(f, 4, false);
        assert_int_equal(hear(f, 0, AGENT_LINK_LOST).id, 4);
        assert_true(is_silent(fd));
        new_agent(f);
        assert_nothing_heard(f, 0);

        agents_set_usable(f->agents, getuid(), true);
        hear_state(f, BOTH);
        agents_set_usable(f->agents, getuid(), true);
        assert_nothing_heard(f, 0);
}

static void a_device_may_change_hands(void **state) {
        struct fixture *f = *state;
        uint32_t number;
        int fd = asked_agent(f, true, &number);

        agents_link_set_uid(f->links[0], getuid() + 1);
        assert_withdrawn(f, fd, number, AGENT_WHY_LOCKED);
        hear(f, 0, AGENT_LINK_LOST);
        hear_state(f, 0);
        /* Its user has no device any more. It comes back once there is one again. */
        assert_true(is_closed(fd));
        fd = connect_agent(f);
        assert_true(is_closed(fd));
        agents_link_set_uid(f->links[0], getuid());
        fd = new_agent(f);
        hear_state(f, BOTH);
        ask(f, 4, false);
        next_ask(f, fd);
}

/* Another device is there still. */
static void an_agent_of_two_devices_stays_when_one_changes_hands(void **state) {
        struct fixture *f = *state;
        int fd;

        add_link(f, 1, getuid());
        fd = new_agent(f);
        hear_state(f, BOTH);
        hear(f, 1, AGENT_LINK_STATE);
        agents_link_set_uid(f->links[0], getuid() + 1);
        hear_state(f, 0);
        assert_true(is_silent(fd));
        assert_nothing_heard(f, 1);
}

/* The worker is at something and reads nothing for long. */
static void a_worker_that_is_busy_hears_the_last_state(void **state) {
        struct agent_link_packet p = { 0 };
        struct fixture *f = *state;

        new_agent(f);
        for (unsigned i = 0; i < 20000; i++)
                agents_set_usable(f->agents, getuid(), i % 2);
        turn(f);
        for (unsigned i = 0; agent_link_receive(f->workers[0], f->storage, &p) == 0; i++) {
                assert_true(i < 20000);
                turn(f);
        }
        assert_int_equal(p.state, BOTH);
}

/* ---- fingers ---- */

static void ask_for_finger(struct fixture *f, uint32_t id, bool pin_only) {
        struct agent_link_packet p = simple;

        p.id = id;
        p.prompt.verify = true;
        p.prompt.pin_only = pin_only;
        say(f, 0, &p);
}

static void a_finger_answers_where_a_reader_is(void **state) {
        struct fixture *f = *state;
        uint32_t number;
        json_t *o;
        int fd;

        agents_link_set_finger(f->links[0], true);
        fd = new_agent(f);
        hear_state(f, BOTH | AGENT_LINK_FINGER);
        ask_for_finger(f, 3, false);
        o = next(f, fd, AGENT_ASK);
        assert_true(json_is_true(json_object_get(o, "finger")));
        number = (uint32_t)json_integer_value(json_object_get(o, "id"));
        json_decref(o);

        /* Not before a person can see what for. */
        assert_int_equal(f->wanted, -1);
        agents_link_finger(f->links[0], AGENT_FINGER_MATCHED);
        assert_nothing_heard(f, 0);
        say_shown(f, fd, number);
        hear(f, 0, AGENT_LINK_SHOWN);
        assert_int_equal(f->wanted, true);

        agents_link_finger(f->links[0], AGENT_FINGER_DID_NOT_MATCH);
        o = next(f, fd, AGENT_FINGER);
        assert_string_equal(json_string_value(json_object_get(o, "state")), AGENT_FINGER_NO_MATCH);
        json_decref(o);
        assert_nothing_heard(f, 0);
        agents_link_finger(f->links[0], AGENT_FINGER_MATCHED);
        drop(f, fd, AGENT_FINGER);
        assert_withdrawn(f, fd, number, AGENT_WHY_FINGER);
        assert_int_equal(hear(f, 0, AGENT_LINK_MATCH).id, 3);
        assert_int_equal(f->wanted, false);

        /* Whoever was slower is too late. */
        say_answer(f, fd, number, "no", "");
        agents_link_finger(f->links[0], AGENT_FINGER_MATCHED);
        assert_nothing_heard(f, 0);
}

static void no_finger_is_wanted_where_only_the_pin_will_do(void **state) {
        struct fixture *f = *state;
        uint32_t number;
        json_t *o;
        int fd;

        agents_link_set_finger(f->links[0], true);
        fd = new_agent(f);
        hear_state(f, BOTH | AGENT_LINK_FINGER);
        ask_for_finger(f, 3, true);
        o = next(f, fd, AGENT_ASK);
        assert_true(json_is_false(json_object_get(o, "finger")));
        number = (uint32_t)json_integer_value(json_object_get(o, "id"));
        json_decref(o);
        say_shown(f, fd, number);
        hear(f, 0, AGENT_LINK_SHOWN);
        assert_int_equal(f->wanted, -1);
        agents_link_finger(f->links[0], AGENT_FINGER_MATCHED);
        assert_nothing_heard(f, 0);
        assert_true(is_silent(fd));
}

static void a_finger_is_not_wanted_longer_than_its_question(void **state) {
        struct fixture *f = *state;
        int fd;

        agents_link_set_finger(f->links[0], true);
        fd = new_agent(f);
        ask_for_finger(f, 3, false);
        say_shown(f, fd, next_ask(f, fd));
        assert_int_equal(f->wanted, true);
        close(fd);
        f->clients[0] = -1;
        turn(f);
        assert_int_equal(f->wanted, false);
        agents_link_finger(f->links[0], AGENT_FINGER_MATCHED);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void) {
        const struct CMUnitTest tests[] = {
                TEST(an_agent_is_welcomed_and_can_be_asked),
                TEST(an_agent_says_if_it_has_a_yes_held_on_for),
                TEST(who_does_not_say_hello_is_dropped),
                TEST(who_says_nothing_is_dropped_in_time),
                TEST(who_says_hello_twice_is_dropped),
                TEST(packets_that_cannot_be_read_end_the_connection),
                TEST(a_packet_that_is_too_long_ends_the_connection),
                TEST(another_user_is_turned_away),
                TEST(a_user_has_so_many_agents_and_no_more),
                TEST(the_one_with_a_question_is_not_one_too_many),
                TEST(an_agent_goes_with_the_last_device_of_its_user),
                TEST(a_question_is_put_to_the_agent_whole),
                TEST(the_verbs_are_those_of_the_questions),
                TEST(the_longest_texts_fit_into_a_packet),
                TEST(what_the_person_says_reaches_the_worker),
                TEST(a_pin_that_nobody_asked_for_goes_nowhere),
                TEST(a_yes_without_the_pin_ends_the_connection),
                TEST(an_answer_before_it_was_shown_ends_the_connection),
                TEST(what_is_not_about_the_question_is_ignored),
                TEST(a_worker_takes_its_question_back),
                TEST(A38_what_the_client_takes_back_goes_at_once),
                TEST(a_question_for_which_there_is_no_agent_is_lost),
                TEST(a_question_goes_with_its_agent),
                TEST(an_agent_that_hangs_is_dropped),
                TEST(an_agent_that_does_not_read_is_dropped),
                TEST(an_agent_that_floods_is_dropped),
                TEST(the_one_that_came_last_is_asked),
                TEST(one_that_comes_in_between_waits_for_the_next_question),
                TEST(two_devices_of_one_user_take_turns),
                TEST(a_session_that_is_locked_is_not_asked),
                TEST(a_device_may_change_hands),
                TEST(an_agent_of_two_devices_stays_when_one_changes_hands),
                TEST(a_worker_that_is_busy_hears_the_last_state),
                TEST(a_finger_answers_where_a_reader_is),
                TEST(no_finger_is_wanted_where_only_the_pin_will_do),
                TEST(a_finger_is_not_wanted_longer_than_its_question),
        };

        control_wipe_json();
        return cmocka_run_group_tests_name("agents", tests, NULL, NULL);
}
