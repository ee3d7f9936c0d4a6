/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/*
 * Canonical CTAP2 CBOR (CTAP 2.3 §8, RFC 8949), over libcbor's streaming decoder and its encoders.
 * Reading is in two steps. cbor_check() accepts or refuses a whole message by its bytes: definite
 * lengths, shortest heads, sorted and unique keys, UTF-8, at most 4 levels, nothing left over. After
 * that, items are slices of the message: nothing is copied or allocated. Maps are read by table.
 */

#include <stdbool.h>
#include <stdint.h>

#include "ctap/bytes.h"
#include "ctap/macro.h"
#include "ctap/status.h"

#define CBOR_DEPTH_MAX 4

enum cbor_kind {
        CBOR_KIND_ABSENT, /* zero, so that an empty request has no members */
        CBOR_KIND_INT,    /* major types 0 and 1 that fit int64_t */
        CBOR_KIND_BYTES,
        CBOR_KIND_TEXT,
        CBOR_KIND_ARRAY,
        CBOR_KIND_MAP,
        CBOR_KIND_BOOL,
        CBOR_KIND_NULL,
        CBOR_KIND_ANY, /* in field tables only */
};

struct cbor_value {
        enum cbor_kind kind;
        struct bytes raw;      /* the whole item, head included */
        struct bytes string;   /* of BYTES and TEXT: the contents */
        struct bytes elements; /* of ARRAY and MAP: what follows the head */
        int64_t integer;
        uint32_t n; /* of ARRAY: elements; of MAP: pairs */
        bool boolean;
};

/* CTAP_OK, or CTAP2_ERR_INVALID_CBOR (B5-B8, B10, B21). The message is one item. */
_must_check_ enum ctap_status cbor_check(struct bytes message);

/* The first item of checked bytes; *elements moves behind it. ABSENT when they are used up. */
struct cbor_value cbor_next(struct bytes *elements);

/*
 * One member of a map whose keys are integers or texts. Members that no table names are passed over
 * (B12).
 */
struct cbor_field {
        const char *name; /* text key; NULL: the integer key */
        int64_t key;
        enum cbor_kind kind;
        bool required;
        size_t offset; /* of a struct cbor_value in the target */
};

/*
 * Fills the target's struct cbor_value members from a checked map. Every member named by the table
 * is first tested for its kind (CTAP2_ERR_CBOR_UNEXPECTED_TYPE, B9), then the required ones for
 * presence (CTAP2_ERR_MISSING_PARAMETER, B11). A value that is not a map is of the wrong type.
 * Members that are absent are left ABSENT.
 */
_must_check_ enum ctap_status cbor_read_map(const struct cbor_value *map,
                                            const struct cbor_field *fields, size_t n_fields,
                                            void *target);
/* CTAP2_ERR_CBOR_UNEXPECTED_TYPE: not every element of the array, which may be ABSENT, is text. */
_must_check_ enum ctap_status cbor_check_texts(const struct cbor_value *array);
/* The value under a text key of a checked map; ABSENT if there is none. */
struct cbor_value cbor_find_text(const struct cbor_value *map, const char *name);

/* ---- writing: the caller gives members in canonical order ---- */

struct cbor_writer {
        struct buf *out;
};

void cbor_put_map(struct cbor_writer *w, size_t n_pairs);
void cbor_put_array(struct cbor_writer *w, size_t n);
void cbor_put_int(struct cbor_writer *w, int64_t v);
void cbor_put_bytes(struct cbor_writer *w, struct bytes b);
void cbor_put_text(struct cbor_writer *w, struct bytes utf8);
void cbor_put_string(struct cbor_writer *w, const char *nul_terminated);
void cbor_put_bool(struct cbor_writer *w, bool v);
/* An item that is encoded already. */
void cbor_put_raw(struct cbor_writer *w, struct bytes item);
