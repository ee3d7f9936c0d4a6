/* SPDX-License-Identifier: BSD-2-Clause */

/* Packets are read one by one, and one that was not to come fails the test. */

#include "tests/system/agent-kit.h"

#include <fcntl.h>
#include <jansson.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "authenticator/agent-protocol.h"
#include "tests/unit/test.h"

#define PATIENCE_MS 10000

/* The next packet, to be dropped; NULL: the connection has ended, or none came. */
static json_t *receive(int fd) {
        struct pollfd p = { .fd = fd, .events = POLLIN };
        char text[AGENT_PACKET_MAX];
        ssize_t n;

        if (poll(&p, 1, PATIENCE_MS) != 1)
                return NULL;
        n = recv(fd, text, sizeof(text), 0);
        return n > 0 ? json_loadb(text, (size_t)n, 0, NULL) : NULL;
}

static bool is_of_type(const json_t *packet, const char *type) {
        const char *is = json_string_value(json_object_get(packet, "type"));

        return is && strcmp(is, type) == 0;
}

static json_t *await(int fd, const char *type) {
        json_t *packet = receive(fd);

        if (!is_of_type(packet, type))
                fail_msg("no %s came", type);
        return packet;
}

void agent_say(int fd, const char *text) {
        assert_int_equal(send(fd, text, strlen(text), MSG_NOSIGNAL), strlen(text));
}

static int say_hello(const struct daemon_kit *k) {
        static const char hello[] = "{\"type\":\"hello\",\"v\":1,\"ui\":\"test\",\"pin\":true}";
        char path[96];
        int fd;

        snprintf(path, sizeof(path), "%s/run/" AGENT_SOCKET, k->folder);
        fd = kit_connect(path, SOCK_SEQPACKET);
        if (fd < 0 || send(fd, hello, strlen(hello), MSG_NOSIGNAL) < 0)
                return -1;
        return fd;
}

int agent_connect(const struct daemon_kit *k) {
        int fd = say_hello(k);

        assert_true(fd >= 0);
        json_decref(await(fd, AGENT_WELCOME));
        return fd;
}

static void copy(const json_t *packet, const char *name, char *to, size_t size) {
        snprintf(to, size, "%s", json_string_value(json_object_get(packet, name)));
}

static struct agent_question read_question(const json_t *packet) {
        struct agent_question q = {
                .id = (uint32_t)json_integer_value(json_object_get(packet, "id")),
                .passive = json_is_true(json_object_get(packet, "passive")),
                .verify = json_is_true(json_object_get(packet, "verify")),
                .again = json_is_true(json_object_get(packet, "again")),
                .finger = json_is_true(json_object_get(packet, "finger")),
                .tries = (int)json_integer_value(json_object_get(packet, "tries")),
                .timeout_ms = (int)json_integer_value(json_object_get(packet, "timeout")),
        };

        copy(packet, "verb", q.verb, sizeof(q.verb));
        copy(packet, "rp_id", q.rp_id, sizeof(q.rp_id));
        copy(packet, "account", q.account, sizeof(q.account));
        return q;
}

struct agent_question agent_await(int fd) {
        json_t *packet = await(fd, AGENT_ASK);
        struct agent_question q = read_question(packet);

        json_decref(packet);
        return q;
}

void agent_shown(int fd, const struct agent_question *q) {
        char text[64];

        snprintf(text, sizeof(text), "{\"type\":\"shown\",\"id\":%u}", q->id);
        agent_say(fd, text);
}

void agent_answer(int fd, const struct agent_question *q, bool yes, const char *pin) {
        char text[256];

        snprintf(text, sizeof(text), "{\"type\":\"answer\",\"id\":%u,\"answer\":\"%s\"%s%s%s}",
                 q->id, yes ? "yes" : "no", pin ? ",\"pin\":\"" : "", pin ? pin : "",
                 pin ? "\"" : "");
        agent_say(fd, text);
}

struct agent_question agent_serve(int fd, bool yes, const char *pin) {
        struct agent_question q = agent_await(fd);

        agent_shown(fd, &q);
        agent_answer(fd, &q, yes, pin);
        return q;
}

uint64_t agent_await_withdrawal(int fd, const struct agent_question *q, const char *why) {
        uint64_t before = kit_now();
        json_t *packet = await(fd, AGENT_WITHDRAW);

        assert_int_equal(json_integer_value(json_object_get(packet, "id")), q->id);
        assert_string_equal(json_string_value(json_object_get(packet, "why")), why);
        json_decref(packet);
        return kit_now() - before;
}

void agent_await_end(int fd) {
        struct pollfd p = { .fd = fd, .events = POLLIN };
        char text[AGENT_PACKET_MAX];
        ssize_t n;

        do {
                assert_int_equal(poll(&p, 1, PATIENCE_MS), 1);
                n = recv(fd, text, sizeof(text), 0);
        } while (n > 0);
}

static void run_agent(const struct daemon_kit *k, int tell) {
        struct agent_question q;
        json_t *packet;
        int fd;

        prctl(PR_SET_PDEATHSIG, SIGKILL);
        fd = say_hello(k);
        packet = fd < 0 ? NULL : receive(fd);
        if (!is_of_type(packet, AGENT_WELCOME) || write(tell, "w", 1) != 1)
                _exit(1);
        do
                packet = receive(fd);
        while (packet && !is_of_type(packet, AGENT_ASK));
        if (!packet)
                _exit(0);
        q = read_question(packet);
        agent_shown(fd, &q);
        if (write(tell, "s", 1) != 1)
                _exit(1);
        for (;;)
                pause();
}

pid_t agent_spawn(const struct daemon_kit *k, int *ret_told) {
        int tell[2];
        char byte;
        pid_t pid;

        assert_int_equal(pipe2(tell, O_CLOEXEC), 0);
        pid = fork();
        assert_true(pid >= 0);
        if (pid == 0)
                run_agent(k, tell[1]);
        close(tell[1]);
        assert_int_equal(read(tell[0], &byte, 1), 1);
        *ret_told = tell[0];
        return pid;
}

void agent_kill(pid_t pid) {
        kill(pid, SIGKILL);
        waitpid(pid, NULL, 0);
}
