/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/*
 * A run in a virtual machine: a program of its own (tpmauthn-vm) boots it, and in it this one does what it
 * would have done here.
 */

#include "cli/ci-keeper.h"

/* 0 if that program is there; else an exit status, after printing where it was looked for. */
int ci_machine_check(void);
/* In a child of the keeper. Does not return. */
void ci_machine_become(const struct keeper *k);
