/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* The kernel's uhid, which makes virtual devices: is it there, and what to do where it is not. */

#include <stddef.h>

/* 0, or CI_NO_UHID after printing what to do. Loads the module if that can be done without asking. */
int ci_uhid_prepare(void);

/*
 * What to do about an open of /dev/uhid that ended with this errno, on the machine whose files are at
 * `root` ("" for this one) and whose kernel is `release`. Some lines of text.
 */
void ci_uhid_advise(const char *root, const char *release, int error, char *ret, size_t size);
