/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/*
 * SQLite's file layer, with faults: a write fails half way, a sync, a truncation or a deletion fails,
 * once or for good. It does not sync (a process that dies leaves its writes in the page cache, and
 * tests should be fast), but counts how often it was asked to. It is SQLite's default while it lives.
 */

#include <stdbool.h>

#include "tests/fake/fault.h"

struct fake_vfs;

struct fake_vfs *fake_vfs_new(struct fault *fault);
struct fake_vfs *fake_vfs_free(struct fake_vfs *v);

/* Files open read-only, as on a read-only file system. */
void fake_vfs_set_readonly(struct fake_vfs *v, bool readonly);
unsigned fake_vfs_n_syncs(const struct fake_vfs *v);
unsigned fake_vfs_n_reads(const struct fake_vfs *v);
unsigned fake_vfs_n_writes(const struct fake_vfs *v);
