/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Canonical CBOR: see cbor.h. libcbor splits heads from contents; what CTAP2 demands on top of RFC
 * 8949 is added in one place, read_item(), which both the check and the later reading go through.
 * An item is never copied and never allocated for, so a count in a message costs nothing until as
 * many bytes have really come. The recursion ends at CBOR_DEPTH_MAX.
 */

#include <cbor/encoding.h>
#include <cbor/streaming.h>
#include <string.h>

#include "ctap/cbor.h"

/* ---- reading ---- */

static const struct cbor_value absent = { .kind = CBOR_KIND_ABSENT };

/* What libcbor says of the one head it was shown. ABSENT: nothing that CTAP2 knows. */
struct head {
        enum cbor_kind kind;
        bool negative;     /* of INT: the integer is -1 - argument */
        uint64_t argument; /* what stands in the head: integer, length or count */
        const uint8_t *string;
        bool boolean;
};

static void on_unsigned(struct head *h, uint64_t v) {
        h->kind = CBOR_KIND_INT;
        h->argument = v;
}

static void on_uint8(void *h, uint8_t v) {
        on_unsigned(h, v);
}

static void on_uint16(void *h, uint16_t v) {
        on_unsigned(h, v);
}

static void on_uint32(void *h, uint32_t v) {
        on_unsigned(h, v);
}

static void on_uint64(void *h, uint64_t v) {
        on_unsigned(h, v);
}

static void on_negative(struct head *h, uint64_t v) {
        on_unsigned(h, v);
        h->negative = true;
}

static void on_negint8(void *h, uint8_t v) {
        on_negative(h, v);
}

static void on_negint16(void *h, uint16_t v) {
        on_negative(h, v);
}

static void on_negint32(void *h, uint32_t v) {
        on_negative(h, v);
}

static void on_negint64(void *h, uint64_t v) {
        on_negative(h, v);
}

static void on_string(struct head *h, enum cbor_kind kind, cbor_data data, size_t len) {
        h->kind = kind;
        h->argument = len;
        h->string = data;
}

static void on_bytes(void *h, cbor_data data, size_t len) {
        on_string(h, CBOR_KIND_BYTES, data, len);
}

static void on_text(void *h, cbor_data data, size_t len) {
        on_string(h, CBOR_KIND_TEXT, data, len);
}

static void on_collection(struct head *h, enum cbor_kind kind, size_t n) {
        h->kind = kind;
        h->argument = n;
}

static void on_array(void *h, size_t n) {
        on_collection(h, CBOR_KIND_ARRAY, n);
}

static void on_map(void *h, size_t n) {
        on_collection(h, CBOR_KIND_MAP, n);
}

static void on_bool(void *ctx, bool v) {
        struct head *h = ctx;

        h->kind = CBOR_KIND_BOOL;
        h->boolean = v;
}

static void on_null(void *ctx) {
        struct head *h = ctx;

        h->kind = CBOR_KIND_NULL;
}

/* The rest is CBOR but not CTAP2 (B6, B8): the head stays ABSENT. */

static void on_other(_unused_ void *h) {
}

static void on_tag(_unused_ void *h, _unused_ uint64_t v) {
}

static void on_float(_unused_ void *h, _unused_ float v) {
}

static void on_double(_unused_ void *h, _unused_ double v) {
}

static const struct cbor_callbacks callbacks = {
        .uint8 = on_uint8,
        .uint16 = on_uint16,
        .uint32 = on_uint32,
        .uint64 = on_uint64,
        .negint8 = on_negint8,
        .negint16 = on_negint16,
        .negint32 = on_negint32,
        .negint64 = on_negint64,
        .byte_string = on_bytes,
        .byte_string_start = on_other,
        .string = on_text,
        .string_start = on_other,
        .array_start = on_array,
        .indef_array_start = on_other,
        .map_start = on_map,
        .indef_map_start = on_other,
        .tag = on_tag,
        .float2 = on_float,
        .float4 = on_float,
        .float8 = on_double,
        .undefined = on_other,
        .null = on_null,
        .boolean = on_bool,
        .indef_break = on_other,
};

static size_t shortest_head(uint64_t argument) {
        return argument < 24            ? 1
               : argument <= UINT8_MAX  ? 2
               : argument <= UINT16_MAX ? 3
               : argument <= UINT32_MAX ? 5
                                        : 9;
}

static bool read_item(struct bytes *left, unsigned depth, struct cbor_value *ret);

/* CTAP 2.3 §8: by major type, then by encoded length, then by bytes. Equal keys are not in order. */
static bool keys_ascend(struct bytes a, struct bytes b) {
        uint8_t major_a = a.data[0] >> 5, major_b = b.data[0] >> 5;

        if (major_a != major_b)
                return major_a < major_b;
        if (a.len != b.len)
                return a.len < b.len;
        return memcmp(a.data, b.data, a.len) < 0;
}

static bool skip_array(struct bytes *left, uint64_t n, unsigned depth) {
        struct cbor_value element;

        if (n > left->len) /* an element has at least one byte */
                return false;
        for (; n > 0; n--)
                if (!read_item(left, depth, &element))
                        return false;
        return true;
}

static bool skip_map(struct bytes *left, uint64_t n, unsigned depth) {
        struct bytes previous = BYTES_NULL;
        struct cbor_value key, value;

        if (n > left->len / 2)
                return false;
        for (; n > 0; n--) {
                if (!read_item(left, depth, &key) || !read_item(left, depth, &value))
                        return false;
                if (previous.len > 0 && !keys_ascend(previous, key.raw))
                        return false;
                previous = key.raw;
        }
        return true;
}

static bool skip_elements(struct bytes *left, const struct head *h, unsigned depth) {
        if (depth == 0 || h->argument > UINT32_MAX)
                return false;
        return h->kind == CBOR_KIND_MAP ? skip_map(left, h->argument, depth - 1)
                                        : skip_array(left, h->argument, depth - 1);
}

/*
 * Integers beyond int64_t are refused although RFC 8949 has them: no CTAP member comes near, and
 * what no struct cbor_value can hold must not pass as something else.
 */
static bool head_to_value(const struct head *h, struct cbor_value *v) {
        v->kind = h->kind;
        switch (h->kind) {
        case CBOR_KIND_INT:
                if (h->argument > INT64_MAX)
                        return false;
                v->integer = h->negative ? -1 - (int64_t)h->argument : (int64_t)h->argument;
                return true;
        case CBOR_KIND_BYTES:
                v->string = BYTES(h->string, (size_t)h->argument);
                return true;
        case CBOR_KIND_TEXT:
                v->string = BYTES(h->string, (size_t)h->argument);
                return bytes_is_utf8(v->string);
        case CBOR_KIND_BOOL:
                v->boolean = h->boolean;
                return true;
        case CBOR_KIND_NULL:
        case CBOR_KIND_ARRAY:
        case CBOR_KIND_MAP:
                return true;
        case CBOR_KIND_ABSENT:
        case CBOR_KIND_ANY:
                break;
        }
        return false;
}

/*
 * Reads one item with everything inside it; *left moves behind it. `depth` more arrays or maps may
 * be opened. False: it is not canonical CTAP2 CBOR; *left and *ret are then of no use.
 */
static bool read_item(struct bytes *left, unsigned depth, struct cbor_value *ret) {
        struct head h = { .kind = CBOR_KIND_ABSENT };
        struct cbor_value v = absent;
        const uint8_t *start = left->data;
        struct cbor_decoder_result r;
        size_t head_len;

        if (left->len == 0)
                return false;
        r = cbor_stream_decode(left->data, left->len, &callbacks, &h);
        if (r.status != CBOR_DECODER_FINISHED || !head_to_value(&h, &v))
                return false;

        head_len = h.string ? (size_t)(h.string - start) : r.read;
        if (head_len != shortest_head(h.argument))
                return false;

        left->data += r.read;
        left->len -= r.read;
        if (v.kind == CBOR_KIND_ARRAY || v.kind == CBOR_KIND_MAP) {
                v.elements.data = left->data;
                if (!skip_elements(left, &h, depth))
                        return false;
                v.elements.len = (size_t)(left->data - v.elements.data);
                v.n = (uint32_t)h.argument;
        }

        v.raw = BYTES(start, (size_t)(left->data - start));
        *ret = v;
        return true;
}

enum ctap_status cbor_check(struct bytes message) {
        struct cbor_value top;

        if (!read_item(&message, CBOR_DEPTH_MAX, &top) || message.len > 0)
                return CTAP2_ERR_INVALID_CBOR;
        return CTAP_OK;
}

struct cbor_value cbor_next(struct bytes *elements) {
        struct cbor_value v;

        if (read_item(elements, CBOR_DEPTH_MAX, &v))
                return v;
        *elements = BYTES_NULL;
        return absent;
}

static bool key_is(const struct cbor_value *key, const struct cbor_field *f) {
        if (f->name)
                return key->kind == CBOR_KIND_TEXT && bytes_equal(key->string, BYTES_TEXT(f->name));
        return key->kind == CBOR_KIND_INT && key->integer == f->key;
}

static const struct cbor_field *find_field(const struct cbor_value *key,
                                           const struct cbor_field *fields, size_t n_fields) {
        for (size_t i = 0; i < n_fields; i++)
                if (key_is(key, &fields[i]))
                        return &fields[i];
        return NULL;
}

static struct cbor_value *slot(void *target, const struct cbor_field *f) {
        return (struct cbor_value *)(void *)((uint8_t *)target + f->offset);
}

enum ctap_status cbor_read_map(const struct cbor_value *map, const struct cbor_field *fields,
                               size_t n_fields, void *target) {
        struct bytes left = map->elements;

        for (size_t i = 0; i < n_fields; i++)
                *slot(target, &fields[i]) = absent;
        if (map->kind != CBOR_KIND_MAP)
                return CTAP2_ERR_CBOR_UNEXPECTED_TYPE;

        for (uint32_t i = 0; i < map->n; i++) {
                struct cbor_value key = cbor_next(&left), value = cbor_next(&left);
                const struct cbor_field *f = find_field(&key, fields, n_fields);

                if (!f)
                        continue;
                if (f->kind != CBOR_KIND_ANY && f->kind != value.kind)
                        return CTAP2_ERR_CBOR_UNEXPECTED_TYPE;
                *slot(target, f) = value;
        }

        for (size_t i = 0; i < n_fields; i++)
                if (fields[i].required && slot(target, &fields[i])->kind == CBOR_KIND_ABSENT)
                        return CTAP2_ERR_MISSING_PARAMETER;
        return CTAP_OK;
}

enum ctap_status cbor_check_texts(const struct cbor_value *array) {
        struct bytes left = array->elements;

        while (left.len > 0)
                if (cbor_next(&left).kind != CBOR_KIND_TEXT)
                        return CTAP2_ERR_CBOR_UNEXPECTED_TYPE;
        return CTAP_OK;
}

struct cbor_value cbor_find_text(const struct cbor_value *map, const char *name) {
        const struct cbor_field wanted = { name, 0, CBOR_KIND_ANY, false, 0 };
        struct bytes left = map->kind == CBOR_KIND_MAP ? map->elements : BYTES_NULL;

        while (left.len > 0) {
                struct cbor_value key = cbor_next(&left), value = cbor_next(&left);

                if (key_is(&key, &wanted))
                        return value;
        }
        return absent;
}

/* ---- writing ---- */

#define HEAD_MAX 9

/* libcbor's encoders give the shortest head, or 0 if it has no room; HEAD_MAX is always enough. */
static void put_head(struct cbor_writer *w, const uint8_t head[static HEAD_MAX], size_t len) {
        buf_put(w->out, BYTES(head, len));
}

void cbor_put_map(struct cbor_writer *w, size_t n_pairs) {
        uint8_t head[HEAD_MAX];

        put_head(w, head, cbor_encode_map_start(n_pairs, head, sizeof(head)));
}

void cbor_put_array(struct cbor_writer *w, size_t n) {
        uint8_t head[HEAD_MAX];

        put_head(w, head, cbor_encode_array_start(n, head, sizeof(head)));
}

void cbor_put_int(struct cbor_writer *w, int64_t v) {
        uint8_t head[HEAD_MAX];
        size_t len;

        if (v < 0)
                len = cbor_encode_negint((uint64_t)(-1 - v), head, sizeof(head));
        else
                len = cbor_encode_uint((uint64_t)v, head, sizeof(head));
        put_head(w, head, len);
}

void cbor_put_bytes(struct cbor_writer *w, struct bytes b) {
        uint8_t head[HEAD_MAX];

        put_head(w, head, cbor_encode_bytestring_start(b.len, head, sizeof(head)));
        buf_put(w->out, b);
}

void cbor_put_text(struct cbor_writer *w, struct bytes utf8) {
        uint8_t head[HEAD_MAX];

        put_head(w, head, cbor_encode_string_start(utf8.len, head, sizeof(head)));
        buf_put(w->out, utf8);
}

void cbor_put_string(struct cbor_writer *w, const char *nul_terminated) {
        cbor_put_text(w, BYTES_TEXT(nul_terminated));
}

void cbor_put_bool(struct cbor_writer *w, bool v) {
        uint8_t head[HEAD_MAX];

        put_head(w, head, cbor_encode_bool(v, head, sizeof(head)));
}

void cbor_put_raw(struct cbor_writer *w, struct bytes item) {
        buf_put(w->out, item);
}
