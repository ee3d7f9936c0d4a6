/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/*
 * Where messages go: the journal, with fields, when stderr is connected to it; else stderr, one
 * line each. RP IDs are logged at LOG_DEBUG only; there is no function that logs bytes.
 */

#include <stdbool.h>

#include "ctap/macro.h"

struct log {
        int level; /* of syslog.h; what is above it is dropped */
        bool to_journal;
};

/* Set up once, before threads; afterwards only read, from any thread. */
void log_init(struct log *l, int level);

/* `instance` is the id of a virtual device, or NULL. One line, no newline. */
void log_write(const struct log *l, int priority, const char *instance, const char *format, ...)
        _printf_(4, 5);

/* What a callback with (userdata, priority, message) needs: store_log_fn, tpm_log_fn. */
struct log_context {
        const struct log *log;
        const char *instance;
};

void log_forward(void *context, int priority, const char *message);

/* "debug", "info", "notice", "warning", "err"; -EINVAL for anything else. */
_must_check_ int log_level_from_string(const char *s, int *ret);
const char *log_level_to_string(int level);
