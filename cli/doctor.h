/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/*
 * What doctor says of the machine around the daemon: rules, nodes, packages, the session. Each look is
 * at files below a root, so that a test can show it any machine.
 */

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

enum level { LEVEL_OK, LEVEL_WARN, LEVEL_FAIL };

typedef void doctor_say_fn(void *userdata, enum level level, const char *subject, const char *text);

struct doctor_machine {
        const char *root; /* "" for this one */
        uid_t user;       /* who wants to use it */
        bool uses_uhid, uses_agent;
        doctor_say_fn *say;
        void *userdata;
};

/* The value of NAME= in a file of such lines, or "" if it is not there. */
void doctor_read_value(const char *path, const char *name, char *value, size_t size);

/* Who can type on the keyboard; and that the rule which says so is there. */
void doctor_check_uhid_group(const struct doctor_machine *m);
void doctor_check_rule(const struct doctor_machine *m);
/* That each of our nodes belongs to the user who is named in it. */
void doctor_check_owners(const struct doctor_machine *m);
/* Browsers packed as snaps. */
void doctor_check_snaps(const struct doctor_machine *m);
void doctor_check_agent(const struct doctor_machine *m);
void doctor_check_fprintd(const struct doctor_machine *m);
