/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* A store as bytes, and bytes as a store again. */

#include <limits.h>
#include <time.h>

#include "authenticator/store.h"
#include "ctap/bytes.h"
#include "ctap/macro.h"

/*
 * The file of the store as it is now, of one moment, with room for `spare` bytes more behind it;
 * ret->data is to be freed.
 */
_must_check_ int store_image(struct store *s, size_t spare, struct buf *ret);

/*
 * Writes an image to `path`, over whatever is there, and brings it to the present format. -EUCLEAN and
 * so on as store_open(). `options` say what else a store needs; their path is not used.
 */
_must_check_ int store_unpack(struct bytes image, const char *path,
                              const struct store_options *options);
/* Takes it away again. */
void store_discard(const char *path);

/*
 * In one transaction: adds the credentials of the store at `path` that this one has neither by id nor
 * by account; and its large blobs, if there are none here. Settings, leases and the rest stay. The
 * counts of what was there may have to be raised before, if the number of credentials to come is not 0.
 * -ENOSPC, of both: there is no room for them.
 */
_must_check_ int store_count_missing(struct store *s, const char *path, uint32_t *ret);
_must_check_ int store_merge(struct store *s, const char *path, uint32_t *ret_added);
