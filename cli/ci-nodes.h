/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/*
 * The device nodes of a run. The kernel chooses their numbers; which are of this run is in the devices'
 * name, since another daemon may have devices of the same user.
 */

#include <stdbool.h>
#include <stddef.h>

#define CI_NODE_MAX 32

/*
 * `root`: "" or where another machine's files are. The nodes of the devices with this in their name, in
 * their order; an empty one is not there (yet). How many are.
 */
unsigned ci_nodes_find(const char *root, const char *name, unsigned n, char (*ret)[CI_NODE_MAX]);

/* What a node lacks for who opens it or looks for it, as a sentence; NULL: nothing. */
const char *ci_node_lacks(const char *root, const char *node);
