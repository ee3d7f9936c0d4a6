/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/*
 * The real tpmauthnd as a child process, with a private swtpm, a device on a socket and all its
 * files in one temporary folder; and its three kinds of clients: raw reports, the control socket,
 * the command line.
 */

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct daemon_kit {
        char folder[48];
        char device[64], control[64];
        pid_t pid;
        int notify;
        int terminal; /* the master of the daemon's controlling terminal, or -1 */
        pid_t shell;  /* the leader of its session, which outlives the daemon, or -1 */
        uid_t run_as; /* the daemon's account, if this is root; 0: the test's own */
};

/* Makes the folder. kit_done() ends what runs and removes it. 0 or -1. */
int kit_init(struct daemon_kit *k);
void kit_done(struct daemon_kit *k);
/* For cmocka: the two of them around a test, whose state the kit is. */
int kit_setup(void **state);
int kit_teardown(void **state);

/*
 * Starts the daemon and waits until it says READY=1. `settings`: further "--option=value", ended by
 * NULL. kit_stop() ends it with SIGTERM and gives its exit status; -1 if it did not exit.
 */
void kit_start(struct daemon_kit *k, const char *const *settings);
int kit_stop(struct daemon_kit *k);
/* Fails the test if the daemon has ended. */
void kit_assert_alive(const struct daemon_kit *k);
/* The process id of the daemon's swtpm. */
pid_t kit_swtpm(const struct daemon_kit *k);

int kit_connect(const char *path, int type);

/* One request on the control socket; the whole answer, to be dropped. `params` is JSON or NULL. */
json_t *kit_control(const struct daemon_kit *k, const char *method, const char *params);
/* The state of device 0, as text that lives until the next call. */
const char *kit_state(const struct daemon_kit *k);
/* Whether it says that it can verify the person. */
bool kit_can_verify(const struct daemon_kit *k);
/* Waits until it is `want`. */
void kit_await_state(const struct daemon_kit *k, const char *want);

/* Runs tpmauthn with these arguments; its output goes to `out`; gives its exit status. */
int kit_cli(const struct daemon_kit *k, const char *arguments, char *out, size_t size);
/* The same with this text, which has no quotes, on its standard input. */
int kit_cli_with(const struct daemon_kit *k, const char *arguments, const char *input, char *out,
                 size_t size);

/* Milliseconds of the monotonic clock. */
uint64_t kit_now(void);
