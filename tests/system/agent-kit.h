/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* An agent that does what a test says: in this process, or in one of its own that can be killed. */

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "tests/system/test-daemon-kit.h"

struct agent_question {
        uint32_t id;
        char verb[16], rp_id[64], account[64];
        bool passive, verify, again, finger;
        int tries, timeout_ms;
};

/* Connects and says hello; gives the descriptor. Waits until the daemon took it in. */
int agent_connect(const struct daemon_kit *k);
/* The next question; fails the test if none comes within ten seconds. */
struct agent_question agent_await(int fd);
void agent_shown(int fd, const struct agent_question *q);
/* pin: NULL: none. */
void agent_answer(int fd, const struct agent_question *q, bool yes, const char *pin);
/* Awaits, shows and answers. */
struct agent_question agent_serve(int fd, bool yes, const char *pin);
/* Waits for "withdraw" of this question, and checks why. Gives how many ms it took. */
uint64_t agent_await_withdrawal(int fd, const struct agent_question *q, const char *why);
/* Any packet, as it is. */
void agent_say(int fd, const char *text);
/* The daemon ends the connection within ten seconds. */
void agent_await_end(int fd);

/* A process that shows the first question, writes a byte to *ret_told, and answers nothing. */
pid_t agent_spawn(const struct daemon_kit *k, int *ret_told);
void agent_kill(pid_t pid);
