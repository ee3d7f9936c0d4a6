/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/*
 * The CBOR that authenticators write (CTAP 2.1 §8), as far as a site reads it: definite lengths, each
 * number in its shortest form, no tags, no key of a map twice, four levels at most. What is not that is
 * refused as a whole before anything is looked up in it. (The names are not libcbor's, which libfido2 links.)
 */

#include "examples/site/slice.h"

enum item_kind {
        ITEM_UNSIGNED,
        ITEM_NEGATIVE, /* -1 - value */
        ITEM_BYTES,
        ITEM_TEXT,
        ITEM_ARRAY,
        ITEM_MAP,
        ITEM_TAG,
        ITEM_SIMPLE,
};

struct item {
        enum item_kind kind;
        uint64_t value;       /* the number, the count of elements, or which simple value */
        struct slice content; /* of a string: what it holds */
        struct slice whole;   /* all of it, with its elements */
};

#define ITEM_TRUE 21

/* The first item, of which more may follow. False: there is none that is sound. */
_must_check_ bool item_first(struct slice from, struct item *ret);
/* Takes one item off. */
_must_check_ bool item_take(struct slice *from, struct item *ret);
/* The one item that these bytes are. */
_must_check_ bool item_only(struct slice from, struct item *ret);

/* The value of this key. False: it is not there, or this is no map. */
_must_check_ bool item_by_text(struct slice map, const char *key, struct item *ret);
_must_check_ bool item_by_number(struct slice map, int64_t key, struct item *ret);

/* The elements of an array or a map, to be taken off one by one. */
struct slice item_elements(const struct item *item);

/* False: it is no integer, or none that fits. */
_must_check_ bool item_int(const struct item *item, int64_t *ret);
