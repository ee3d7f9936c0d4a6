/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/*
 * tpmauthn ci run: a command beside a daemon of its own, with simulators for TPMs, of which nothing
 * stays. Two processes see to that. The one that was started (ci.c, the front) passes signals on and
 * waits; its child (ci-keeper.c) starts the daemon and the command and is where their orphans go. Each
 * of the two cleans up when the other is killed.
 */

#include <stdbool.h>
#include <stddef.h>

#define CI_DEVICES_MAX  16
#define CI_SETTINGS_MAX 100
#define CI_SITES_MAX    4000 /* bytes */

/* Beside those of the command, which are passed on. */
enum ci_status {
        CI_NO_UHID = 120,      /* no virtual device can be made on this machine */
        CI_FAILED = 125,       /* wrong usage, or the daemon did not start or ended too soon */
        CI_NOT_RUNNABLE = 126, /* the command is no program */
        CI_NOT_FOUND = 127,
        CI_KILLED = 128, /* plus the signal */
};

struct ci_options {
        unsigned n_devices;
        bool on_socket;       /* the devices are sockets and no nodes */
        const char *presence; /* as the daemon's configuration has it */
        const char *pin;      /* set on each device; NULL: none is */
        const char *uv;       /* what comes of verification by a device; NULL: none can do it */
        const char *attested; /* sites that get attestation by an authority of the run, or NULL */
        const char *seed;     /* a fixture for the first device, or NULL */
        char *keep;           /* a folder for state and log that stays; NULL: none does */
        char *trace;          /* a folder for what is said to the devices, or NULL */
        bool trace_secrets;   /* with what is secret of it */
        char **settings;      /* "section.key=value", ended by NULL */
        char **command;       /* ended by NULL */
        bool in_machine;      /* all this happens in a virtual machine */
        char **words;         /* the options as they were given, up to the command */
        char *machine_word;   /* the one of them that asks for the machine */
};

enum ci_verdict { CI_RUN, CI_DONE, CI_USAGE };

/* `argv` begins with "ci". What is wrong is printed. The result points into argv; the two folders are absolute. */
enum ci_verdict ci_options_read(int argc, char **argv, struct ci_options *ret);
void ci_options_done(struct ci_options *o);

/* All of it. An exit status. */
int ci_main(int argc, char **argv);
