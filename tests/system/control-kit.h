/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* Clients of the control socket that ask for one thing, or that follow what happens. */

#include "tests/system/test-daemon-kit.h"

struct kit_follower {
        int fd;
        size_t n;
        char in[131072];
};

/* Fails the test unless the answer is the result, or this error. `params` is JSON. */
void kit_assert_done(const struct daemon_kit *k, const char *method, const char *params);
void kit_assert_refused(const struct daemon_kit *k, const char *method, const char *params,
                        const char *code);

/* Its descriptor is to be closed. */
void kit_follow(struct kit_follower *f, const struct daemon_kit *k, const char *params);
/* The next line, to be dropped; NULL: the daemon has closed the connection. */
json_t *kit_next_line(struct kit_follower *f);
/* The next event as a text that lives until the next call: its type, and what it says. */
const char *kit_next_event(struct kit_follower *f);
/* The next one that is not the end of a getInfo. */
void kit_expect_event(struct kit_follower *f, const char *want);
