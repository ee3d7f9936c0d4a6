/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* One request to the daemon at a time, over its control socket (authenticator/protocol.h). */

#include <jansson.h>

#include "cli/cli.h"

struct client;

/* NULL, with errno, if nobody listens there. */
struct client *client_open(const char *path);
struct client *client_close(struct client *c);

/*
 * Sends a request and waits for its answer. Takes `params` (NULL: none). The answer's body, to be
 * dropped: an object with "result" or "error"; NULL with errno if the connection failed.
 */
json_t *client_call(struct client *c, const char *method, json_t *params);

/*
 * What comes by itself, after a request that is answered so. 1: *ret is the next line, to be dropped; 0:
 * there is none yet, which the descriptor can be polled for; -1 with errno: there will be none.
 */
int client_fd(const struct client *c);
int client_take(struct client *c, json_t **ret);

/*
 * The same for a command: connects, adds "device", prints whatever goes wrong. EXIT_OK: *ret is the
 * result.
 */
int client_run(const struct options *o, const char *method, json_t *params, json_t **ret);

/*
 * The same for what may take the password of the TPM's owner hierarchy: it is asked for once the
 * daemon says so.
 */
int client_run_as_owner(const struct options *o, const char *method, json_t **ret);

/* The same for what is of the machine, and of no device and no user. Takes `params`. */
int client_run_on_machine(const struct options *o, const char *method, json_t *params,
                          json_t **ret);

/*
 * The same for what only reads, and for who may: EXIT_OK with *ret untouched for who may not. The daemon
 * does one thing for the machine at a time; another's is waited for a while.
 */
int client_look_at_machine(const struct options *o, const char *method, json_t **ret);

/*
 * Follows what happens at the device, or all of them. EXIT_OK: *ret is the connection that events come
 * on, for client_take(), and *ret_result, to be dropped, the daemon's answer. Takes `params`.
 */
int client_follow(const struct options *o, bool all, json_t *params, struct client **ret,
                  json_t **ret_result);

/* Prints a value as --json does. */
void print_json(const json_t *value);
