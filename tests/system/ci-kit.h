/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/*
 * `tpmauthn ci run` as a child process, with devices that are sockets, in a folder that is empty before
 * and has to be empty behind it. Every process of a run is known by a mark in its environment.
 */

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct ci_kit {
        char folder[40]; /* $TMPDIR of the run */
        char marks[48];  /* another folder: what a command leaves for the test to find */
        char mark[48];   /* CI_MARK=... */
        pid_t pid;
        char said[16384]; /* standard output and error, once it has ended */
};

/* 0 or -1. kit_end() ends what still runs and removes the folders. */
int kit_begin(struct ci_kit *k);
void kit_end(struct ci_kit *k);

/* Starts it: `options` are words, and a shell runs `command` if that is not "". In a process group of its own. */
void kit_run(struct ci_kit *k, const char *options, const char *command);
/* Waits for it: its exit status, or 1000 and the signal that killed it. */
int kit_status(struct ci_kit *k);
/* Both. */
int kit_runs(struct ci_kit *k, const char *options, const char *command);

/* Waits until the command has made this file in $MARKS. */
void kit_await(struct ci_kit *k, const char *name);
/* A process of the run whose command line has this text; 0 if there is none. */
pid_t kit_find(const struct ci_kit *k, const char *text);

void kit_says(const struct ci_kit *k, const char *text);
/* Waits a moment for it: no process, and nothing in the folder. */
void kit_nothing_is_left(struct ci_kit *k);
bool kit_folder_is_empty(const struct ci_kit *k);
