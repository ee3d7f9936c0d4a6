/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/*
 * Which programs hold a virtual device open. The kernel does not tell the device who speaks to it, so
 * that this is a hint: a program that has the node open may not be the one that asks, and one of
 * another user, or one that hides from its own, is not found.
 */

#include <sys/types.h>

#include "ctap/macro.h"

#define HOLDERS_MAX     3
#define HOLDER_NAME_MAX 64 /* bytes */

struct holders {
        unsigned n;
        char names[HOLDERS_MAX][HOLDER_NAME_MAX + 1]; /* as the programs are called: not harmless */
};

/*
 * The programs of `uid` that hold the hidraw node of the device with this HID_PHYS open, each name
 * once. `sys` and `proc` are where these are mounted. None are found if anything fails.
 */
void holders_find(const char *sys, const char *proc, const char *phys, uid_t uid,
                  struct holders *ret);
