/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/*
 * A store whose TPM is not there any more: it is moved to a name beside it and kept, for the TPM may
 * come back. PATH becomes PATH.replaced-2026-11-24T0245, in local time, with -2 and so on where that
 * name is taken.
 */

#include <limits.h>
#include <time.h>

#include "authenticator/store.h"
#include "ctap/macro.h"

/*
 * Closes the store so that one file holds all of it, and gives that its new name, of which the last
 * part is returned. Nothing is overwritten. On failure it is closed and is where it was, or, if the
 * folder cannot be synced, at its new name. `options` are those it was opened with.
 */
_must_check_ int store_set_aside(struct store *s, const struct store_options *options, time_t now,
                                 char ret_name[static NAME_MAX + 1]);

/*
 * Puts the store at `path`, which is closed, in the place of this one, which is closed and kept as
 * PATH.before-restore-2026-11-24T0245. There is a whole store at its path at any moment.
 */
_must_check_ int store_replace(struct store *s, const struct store_options *options,
                               const char *path, time_t now, char ret_name[static NAME_MAX + 1]);

/* The newest that store_set_aside() left beside `path`, and how many there are. -ENOENT: there is none. */
_must_check_ int store_find_aside(const char *path, char ret_name[static NAME_MAX + 1],
                                  unsigned *ret_n);
/* The path of the newest that store_replace() left there. -ENOENT: there is none. */
_must_check_ int store_find_replaced(const char *path, char ret_path[static PATH_MAX]);
