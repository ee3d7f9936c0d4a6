/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/*
 * A daemon that serves the users of a logind, which is logind-kit.h. Each user has a swtpm; devices are
 * on sockets, PATH.UID. Questions go to agents.
 */

#include <fido.h>
#include <jansson.h>
#include <stdbool.h>
#include <sys/types.h>

#include "tests/system/bus-kit.h"
#include "tests/system/logind-kit.h"
#include "tests/system/test-daemon-kit.h"

struct world {
        struct daemon_kit kit;
        struct bus_kit bus;
        struct logind_kit *logind;
        pid_t mock;
};

/* A bus, and nothing on it. For cmocka. */
int world_setup(void **state);
int world_teardown(void **state);

/* "--presence=agent" and all that the log can tell. */
extern const char *const by_agent[];
/* A logind in which nobody is, and the daemon. */
void world_start(struct world *w);

#define ANYBODY ((uid_t)-1) /* whose device it is plays no part: there is only one */

/* Device 0 of this user as `status` has it, to be dropped; NULL: there is none. */
json_t *device_of(const struct world *w, uid_t uid);
/* It is in this state; NULL: there is none. */
bool is_in_state(const struct world *w, uid_t uid, const char *want);
void await_state(const struct world *w, uid_t uid, const char *want);
size_t count_devices(const struct world *w);

/* Until the device is there. */
void log_in(const struct world *w, const char *session, uid_t uid);
/* From now on every question to this user is answered with yes. */
void always_yes(const struct world *w, uid_t uid);
fido_dev_t *open_key_of(const struct world *w, uid_t uid);
