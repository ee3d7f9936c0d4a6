/* SPDX-License-Identifier: BSD-2-Clause */

/* One head after the other, with a bound for depth and for the number of keys: see cbor.h. */

#include "examples/site/cbor.h"

#define DEPTH_MAX 4 /* CTAP 2.1 §8 */
#define KEYS_MAX  32

static bool take_item(struct slice *from, unsigned depth, struct item *ret);

/* The number in or behind the first byte. */
static bool take_argument(struct reader *r, uint8_t info, uint64_t *ret) {
        static const uint64_t least[] = { 24, 0x100, 0x10000, 0x100000000 };
        uint64_t value = 0;

        if (info < 24) {
                *ret = info;
                return true;
        }
        if (info > 27)
                return false;
        for (size_t i = 0; i < (size_t)1 << (info - 24); i++)
                value = value << 8 | reader_u8(r);
        if (r->failed || value < least[info - 24])
                return false;
        *ret = value;
        return true;
}

static bool is_key(const struct item *item) {
        return item->kind <= ITEM_TEXT;
}

static bool take_map(struct slice *from, uint64_t n, unsigned depth) {
        struct slice keys[KEYS_MAX];
        struct item key, value;

        if (n > KEYS_MAX)
                return false;
        for (size_t i = 0; i < n; i++) {
                if (!take_item(from, depth, &key) || !is_key(&key))
                        return false;
                for (size_t k = 0; k < i; k++)
                        if (slice_equal(keys[k], key.whole))
                                return false;
                keys[i] = key.whole;
                if (!take_item(from, depth, &value))
                        return false;
        }
        return true;
}

static bool take_array(struct slice *from, uint64_t n, unsigned depth) {
        struct item element;

        for (uint64_t i = 0; i < n; i++)
                if (!take_item(from, depth, &element))
                        return false;
        return true;
}

static bool take_content(struct reader *r, unsigned depth, struct item *item) {
        switch (item->kind) {
        case ITEM_BYTES:
        case ITEM_TEXT:
                if (item->value > r->left.len)
                        return false;
                item->content = reader_take(r, (size_t)item->value);
                return true;
        case ITEM_ARRAY:
                return depth > 0 && take_array(&r->left, item->value, depth - 1);
        case ITEM_MAP:
                return depth > 0 && take_map(&r->left, item->value, depth - 1);
        case ITEM_TAG:
                return false;
        case ITEM_SIMPLE:
                return item->value >= 20 && item->value <= 22;
        default:
                return true;
        }
}

static bool take_item(struct slice *from, unsigned depth, struct item *ret) {
        struct item item = { .content = SLICE_NULL };
        struct reader r = { .left = *from };
        uint8_t first = reader_u8(&r);

        if (r.failed)
                return false;
        item.kind = (enum item_kind)(first >> 5);
        if (!take_argument(&r, first & 0x1f, &item.value) || !take_content(&r, depth, &item))
                return false;
        item.whole = SLICE(from->data, from->len - r.left.len);
        *from = r.left;
        *ret = item;
        return true;
}

bool item_take(struct slice *from, struct item *ret) {
        return take_item(from, DEPTH_MAX, ret);
}

bool item_first(struct slice from, struct item *ret) {
        return item_take(&from, ret);
}

bool item_only(struct slice from, struct item *ret) {
        struct item item;

        if (!item_take(&from, &item) || from.len > 0)
                return false;
        *ret = item;
        return true;
}

struct slice item_elements(const struct item *item) {
        struct reader r = { .left = item->whole };
        uint64_t n;

        if (item->kind != ITEM_ARRAY && item->kind != ITEM_MAP)
                return SLICE_NULL;
        return take_argument(&r, reader_u8(&r) & 0x1f, &n) ? r.left : SLICE_NULL;
}

bool item_int(const struct item *item, int64_t *ret) {
        if (item->kind > ITEM_NEGATIVE || item->value > INT64_MAX)
                return false;
        *ret = item->kind == ITEM_UNSIGNED ? (int64_t)item->value : -1 - (int64_t)item->value;
        return true;
}

static bool is_text(const struct item *key, const char *text) {
        return key->kind == ITEM_TEXT && slice_equal(key->content, SLICE_TEXT(text));
}

static bool is_int(const struct item *key, int64_t number) {
        int64_t n;

        return item_int(key, &n) && n == number;
}

/* By text if there is one, else by number. */
static bool get(struct slice map, const char *text, int64_t number, struct item *ret) {
        struct item whole, key, value;
        struct slice left;

        if (!item_only(map, &whole) || whole.kind != ITEM_MAP)
                return false;
        left = item_elements(&whole);
        for (uint64_t i = 0; i < whole.value; i++) {
                if (!item_take(&left, &key) || !item_take(&left, &value))
                        return false;
                if (text ? is_text(&key, text) : is_int(&key, number)) {
                        *ret = value;
                        return true;
                }
        }
        return false;
}

bool item_by_text(struct slice map, const char *key, struct item *ret) {
        return get(map, key, 0, ret);
}

bool item_by_number(struct slice map, int64_t key, struct item *ret) {
        return get(map, NULL, key, ret);
}
