/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * ctap/cbor.c on any message. Canonical means that there is one encoding of a value: so whatever is
 * accepted, read item by item and written again must come out as the same bytes, and neither a
 * message that ends early nor one that goes on may be accepted.
 */

#include <string.h>

#include "ctap/cbor.h"
#include "tests/fuzz/fuzz.h"

static void inside(struct bytes part, struct bytes whole) {
        if (part.len == 0)
                return;
        require(part.data >= whole.data);
        require((size_t)(part.data - whole.data) <= whole.len);
        require(part.len <= whole.len - (size_t)(part.data - whole.data));
}

static void write_again(struct cbor_writer *w, const struct cbor_value *v, unsigned depth) {
        struct bytes left = v->elements;
        size_t n = v->n;

        inside(v->string, v->raw);
        inside(v->elements, v->raw);
        switch (v->kind) {
        case CBOR_KIND_INT:
                cbor_put_int(w, v->integer);
                return;
        case CBOR_KIND_BYTES:
                cbor_put_bytes(w, v->string);
                return;
        case CBOR_KIND_TEXT:
                require(bytes_is_utf8(v->string));
                cbor_put_text(w, v->string);
                return;
        case CBOR_KIND_BOOL:
                cbor_put_bool(w, v->boolean);
                return;
        case CBOR_KIND_NULL:
                cbor_put_raw(w, v->raw);
                return;
        case CBOR_KIND_ARRAY:
                cbor_put_array(w, n);
                break;
        case CBOR_KIND_MAP:
                cbor_put_map(w, n);
                n *= 2;
                break;
        case CBOR_KIND_ABSENT:
        case CBOR_KIND_ANY:
                require(false); /* an item of a checked message has a kind */
        }

        require(depth < CBOR_DEPTH_MAX);
        for (; n > 0; n--) {
                struct cbor_value element = cbor_next(&left);

                inside(element.raw, v->elements);
                write_again(w, &element, depth + 1);
        }
        require(left.len == 0);
        require(cbor_next(&left).kind == CBOR_KIND_ABSENT);
}

/* Round trip, and the same with one byte less and one more. */
static void check_canonical(struct bytes message, const struct cbor_value *top) {
        uint8_t *again = malloc(message.len + 1);
        struct buf out = { again, 0, message.len, false };
        struct cbor_writer w = { &out };

        require(again);
        write_again(&w, top, 0);
        require(buf_error(&out) == 0);
        require(bytes_equal(buf_bytes(&out), message));

        require(cbor_check(BYTES(again, message.len - 1)) == CTAP2_ERR_INVALID_CBOR);
        again[message.len] = 0;
        require(cbor_check(BYTES(again, message.len + 1)) == CTAP2_ERR_INVALID_CBOR);
        free(again);
}

struct request {
        struct cbor_value hash, rp, list, up, any, name;
};

static const struct cbor_field fields[] = {
        { NULL, 1, CBOR_KIND_BYTES, true, offsetof(struct request, hash) },
        { NULL, 2, CBOR_KIND_MAP, true, offsetof(struct request, rp) },
        { NULL, 3, CBOR_KIND_ARRAY, false, offsetof(struct request, list) },
        { NULL, -1, CBOR_KIND_BOOL, false, offsetof(struct request, up) },
        { NULL, 24, CBOR_KIND_ANY, false, offsetof(struct request, any) },
        { "name", 0, CBOR_KIND_TEXT, false, offsetof(struct request, name) },
};

static const struct cbor_value *member(const struct request *rq, size_t i) {
        return (const struct cbor_value *)(const void *)((const char *)rq + fields[i].offset);
}

static void check_table(struct bytes message, const struct cbor_value *top) {
        struct request rq = { 0 };
        enum ctap_status s = cbor_read_map(top, fields, ELEMENTSOF(fields), &rq);
        struct cbor_value name = cbor_find_text(top, "name");

        require(s == CTAP_OK || s == CTAP2_ERR_CBOR_UNEXPECTED_TYPE ||
                s == CTAP2_ERR_MISSING_PARAMETER);
        if (top->kind != CBOR_KIND_MAP) {
                require(s == CTAP2_ERR_CBOR_UNEXPECTED_TYPE);
                require(name.kind == CBOR_KIND_ABSENT);
        }
        if (s != CTAP_OK)
                return;

        for (size_t i = 0; i < ELEMENTSOF(fields); i++) {
                const struct cbor_value *v = member(&rq, i);

                inside(v->raw, message);
                require(v->kind != CBOR_KIND_ABSENT || !fields[i].required);
                require(v->kind == CBOR_KIND_ABSENT || fields[i].kind == CBOR_KIND_ANY ||
                        v->kind == fields[i].kind);
        }
        require(bytes_equal(name.raw, rq.name.raw));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        struct bytes message = BYTES(data, size), left = message;
        struct cbor_value top;

        if (cbor_check(message) != CTAP_OK)
                return 0;

        top = cbor_next(&left);
        require(top.kind != CBOR_KIND_ABSENT && left.len == 0);
        require(bytes_equal(top.raw, message));
        check_canonical(message, &top);
        check_table(message, &top);
        return 0;
}
