/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * ctap/cbor.c: what a message may look like, byte by byte. Messages are written in hexadecimal,
 * spaced by item.
 */

#include <stdlib.h>
#include <string.h>

#include "ctap/cbor.h"
#include "tests/unit/hex.h"
#include "tests/unit/test.h"

static enum ctap_status check_hex(const char *text) {
        _cleanup_(release) struct bytes message = unhex(text);

        return cbor_check(message);
}

static void assert_all(const char *const *messages, size_t n, enum ctap_status want) {
        for (size_t i = 0; i < n; i++)
                if (check_hex(messages[i]) != want)
                        fail_msg("%s: status is not %02x", messages[i], want);
}

#define ASSERT_ALL_GOOD(m) assert_all((m), ELEMENTSOF(m), CTAP_OK)
#define ASSERT_ALL_BAD(m)  assert_all((m), ELEMENTSOF(m), CTAP2_ERR_INVALID_CBOR)

/* The shape of a makeCredential request, with an entry of every kind and all depths. */
static const char request[] =
        "a5"
        " 01 5820 000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"
        " 02 a1 626964 6b6578616d706c652e636f6d"
        " 03 a2 626964 4101 646e616d65 63c3a965"
        " 04 82 a2 63616c67 26 6474797065 6a7075626c69632d6b6579"
        "       a2 63616c67 390100 6474797065 6a7075626c69632d6b6579"
        " 06 a1 6b686d61632d736563726574 a1 01 a2 01 02 20 f5";

static void B1_what_the_writer_writes_is_canonical(void **state) {
        static const char want[] = "ab 00 17 01 1818 02 18ff 03 190100 04 1affffffff"
                                   " 05 1b7fffffffffffffff 20 37 21 3818 22 3b7fffffffffffffff"
                                   " 23 82 f5 f4 62c3a9 43010203";
        _cleanup_(release) struct bytes expected = unhex(want);
        uint8_t storage[256];
        struct buf out = BUF_ON(storage);
        struct cbor_writer w = { &out };

        (void)state;
        cbor_put_map(&w, 11);
        cbor_put_int(&w, 0);
        cbor_put_int(&w, 23);
        cbor_put_int(&w, 1);
        cbor_put_int(&w, 24);
        cbor_put_int(&w, 2);
        cbor_put_int(&w, 255);
        cbor_put_int(&w, 3);
        cbor_put_int(&w, 256);
        cbor_put_int(&w, 4);
        cbor_put_int(&w, UINT32_MAX);
        cbor_put_int(&w, 5);
        cbor_put_int(&w, INT64_MAX);
        cbor_put_int(&w, -1);
        cbor_put_int(&w, -24);
        cbor_put_int(&w, -2);
        cbor_put_int(&w, -25);
        cbor_put_int(&w, -3);
        cbor_put_int(&w, INT64_MIN);
        cbor_put_int(&w, -4);
        cbor_put_array(&w, 2);
        cbor_put_bool(&w, true);
        cbor_put_bool(&w, false);
        cbor_put_string(&w, "\xc3\xa9");
        cbor_put_bytes(&w, BYTES("\1\2\3", 3));

        assert_int_equal(buf_error(&out), 0);
        assert_bytes_equal(buf_bytes(&out), expected);
        assert_int_equal(cbor_check(buf_bytes(&out)), CTAP_OK);
}

static void B1_long_strings_have_the_shortest_head(void **state) {
        static const struct {
                size_t len;
                const char *head;
        } cases[] = {
                { 0, "40" },       { 23, "57" },        { 24, "5818" },          { 255, "58ff" },
                { 256, "590100" }, { 65535, "59ffff" }, { 65536, "5a00010000" },
        };
        static uint8_t contents[65536], storage[65536 + 9];

        (void)state;
        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                _cleanup_(release) struct bytes head = unhex(cases[i].head);
                struct buf out = BUF_ON(storage);
                struct cbor_writer w = { &out };

                cbor_put_bytes(&w, BYTES(contents, cases[i].len));
                assert_int_equal(buf_bytes(&out).len, head.len + cases[i].len);
                assert_memory_equal(out.data, head.data, head.len);
                assert_int_equal(cbor_check(buf_bytes(&out)), CTAP_OK);
        }
}

static void B1_raw_items_and_texts_are_written_as_they_are(void **state) {
        _cleanup_(release) struct bytes expected = unhex("83 a0 6161 187b"), item = unhex("187b");
        uint8_t storage[16];
        struct buf out = BUF_ON(storage);
        struct cbor_writer w = { &out };

        (void)state;
        cbor_put_array(&w, 3);
        cbor_put_map(&w, 0);
        cbor_put_text(&w, BYTES_TEXT("a"));
        cbor_put_raw(&w, item);
        assert_bytes_equal(buf_bytes(&out), expected);
}

static void B1_an_answer_that_does_not_fit_is_noticed(void **state) {
        uint8_t storage[4];
        struct buf out = BUF_ON(storage);
        struct cbor_writer w = { &out };

        (void)state;
        cbor_put_int(&w, UINT32_MAX);
        assert_true(out.failed);
        assert_int_equal(buf_bytes(&out).len, 0);
}

static void B5_four_levels_are_read_and_five_are_not(void **state) {
        static const char *const good[] = { "81 81 81 80", "81 81 81 81 00",
                                            "a1 00 a1 00 a1 00 a1 00 00", "a1 00 81 a1 00 80",
                                            "82 81 81 80 81 81 80" };
        static const char *const bad[] = {
                "81 81 81 81 80",       "81 81 81 81 a0",       "a1 00 a1 00 a1 00 a1 00 a0",
                "81 a1 00 81 a1 00 80", "82 00 81 81 81 81 00", "a1 81 81 81 81 00 00"
        };

        (void)state;
        ASSERT_ALL_GOOD(good);
        ASSERT_ALL_BAD(bad);
}

static void B5_a_tower_of_arrays_does_not_exhaust_the_stack(void **state) {
        static uint8_t tower[1 << 20];

        (void)state;
        memset(tower, 0x81, sizeof(tower));
        assert_int_equal(cbor_check(BYTES_OF(tower)), CTAP2_ERR_INVALID_CBOR);
        memset(tower, 0xa1, sizeof(tower));
        assert_int_equal(cbor_check(BYTES_OF(tower)), CTAP2_ERR_INVALID_CBOR);
}

static void B6_floats_and_other_simple_values_are_refused(void **state) {
        static const char *const good[] = { "f4", "f5", "f6" };
        static const char *const bad[] = { "e0",       "f3",          "f7",
                                           "f800",     "f814",        "f815",
                                           "f8ff",     "f8",          "fc",
                                           "fd",       "fe",          "f90000",
                                           "f97e00",   "fa3f800000",  "fb3ff0000000000000",
                                           "a1 01 f7", "82 00 f93c00" };

        (void)state;
        ASSERT_ALL_GOOD(good);
        ASSERT_ALL_BAD(bad);
}

static void B7_bytes_after_the_item_are_refused(void **state) {
        static const char *const bad[] = {
                "a0 00", "a0 a0", "00 00", "4101 02", "f5 f5", "81 00 ff"
        };
        char longer[sizeof(request) + 3];

        (void)state;
        ASSERT_ALL_BAD(bad);
        assert_int_equal(check_hex(request), CTAP_OK);
        memcpy(longer, request, sizeof(request) - 1);
        memcpy(longer + sizeof(request) - 1, " 00", 4);
        assert_int_equal(check_hex(longer), CTAP2_ERR_INVALID_CBOR);
}

static void B8_indefinite_lengths_are_refused(void **state) {
        static const char *const bad[] = { "5f ff",          "5f 4101 ff", "7f ff", "7f 6161 ff",
                                           "9f ff",          "9f 00 ff",   "bf ff", "bf 00 00 ff",
                                           "a1 00 9f 00 ff", "ff",         "81 ff" };

        (void)state;
        ASSERT_ALL_BAD(bad);
}

static void B8_heads_longer_than_needed_are_refused(void **state) {
        static const char *const good[] = { "17",
                                            "1818",
                                            "18ff",
                                            "190100",
                                            "37",
                                            "3818",
                                            "39ffff",
                                            "1a00010000",
                                            "1b0000000100000000",
                                            "3b0000000100000000" };
        static const char *const bad[] = {
                "1800",
                "1817",
                "190018",
                "1900ff",
                "1a0000ffff",
                "1b00000000ffffffff",
                "3800",
                "3817",
                "3900ff",
                "3a0000ffff",
                "3b00000000ffffffff",
                "5800",
                "580101",
                "59000101",
                "5a0000000101",
                "5b000000000000000101",
                "7800",
                "780161",
                "79000161",
                "7a0000000161",
                "7b000000000000000161",
                "9800",
                "980100",
                "99000100",
                "9a0000000100",
                "9b000000000000000100",
                "b800",
                "b8010000",
                "b900010000",
                "ba000000010000",
                "bb00000000000000010000",
        };

        (void)state;
        ASSERT_ALL_GOOD(good);
        ASSERT_ALL_BAD(bad);
}

static void B8_keys_are_sorted_and_unique(void **state) {
        static const char *const good[] = {
                "a2 00 00 01 00",           "a2 17 00 1818 00",
                "a2 18ff 00 190100 00",     "a2 00 00 20 00",
                "a2 1903e8 00 20 00",       "a2 20 00 21 00",
                "a2 37 00 3818 00",         "a2 20 00 4100 00",
                "a2 420000 00 6161 00",     "a2 6161 00 6162 00",
                "a2 617a 00 626161 00",     "a3 627270 00 627570 00 64706c6174 00",
                "a2 60 00 f4 00",           "a2 6161 00 80 00",
                "a2 820000 00 81190100 00",
        };
        static const char *const bad[] = {
                "a2 00 00 00 00",       "a2 01 00 00 00",           "a2 1818 00 17 00",
                "a2 190100 00 18ff 00", "a2 20 00 00 00",           "a2 21 00 20 00",
                "a2 3818 00 37 00",     "a2 6161 00 6161 00",       "a2 6162 00 6161 00",
                "a2 626161 00 617a 00", "a2 6161 00 420000 00",     "a2 4100 00 20 00",
                "a2 60 00 60 00",       "a3 00 00 01 00 01 00",     "a1 00 a2 02 00 01 00",
                "81 a2 02 00 01 00",    "a2 81190100 00 820000 00",
        };

        (void)state;
        ASSERT_ALL_GOOD(good);
        ASSERT_ALL_BAD(bad);
}

static void B8_tags_are_refused(void **state) {
        static const char *const bad[] = {
                "c0 6161",     "c1 00",         "d9d9f7 a0",
                "d81c 80",     "c6 00",         "81 c2 41ff",
                "a1 c0 00 00", "da00000001 00", "db0000000000000001 00"
        };

        (void)state;
        ASSERT_ALL_BAD(bad);
}

static void B10_every_truncation_of_a_request_is_refused(void **state) {
        _cleanup_(release) struct bytes whole = unhex(request);

        (void)state;
        assert_int_equal(cbor_check(whole), CTAP_OK);
        for (size_t n = 0; n < whole.len; n++) {
                uint8_t *part = malloc(n > 0 ? n : 1);

                assert_non_null(part);
                memcpy(part, whole.data, n);
                assert_int_equal(cbor_check(BYTES(part, n)), CTAP2_ERR_INVALID_CBOR);
                free(part);
        }
        assert_int_equal(cbor_check(BYTES_NULL), CTAP2_ERR_INVALID_CBOR);
}

static void B10_broken_heads_are_refused(void **state) {
        static const char *const bad[] = {
                "",      "18",         "19 00", "1a 000000", "1b 00000000000000",
                "1c",    "1d",         "1e",    "1f",        "3c",
                "3f",    "5c",         "7c",    "9c",        "bc",
                "dc",    "df",         "58",    "78",        "98",
                "b8",    "41",         "61",    "81",        "a1",
                "a1 00", "a2 00 00 01"
        };

        (void)state;
        ASSERT_ALL_BAD(bad);
}

static void B10_lengths_beyond_the_message_are_refused_at_once(void **state) {
        static const char *const bad[] = {
                "5818 00",
                "59ffff 00",
                "5affffffff 00",
                "5bffffffffffffffff 00",
                "5b7fffffffffffffff 00",
                "7affffffff 61",
                "7bffffffffffffffff 61",
                "9a00010000 00",
                "9affffffff 00",
                "9bffffffffffffffff 00",
                "9b0000000100000000 00",
                "ba00010000 00 00",
                "baffffffff 00 00",
                "bb8000000000000000 00 00",
                "bbffffffffffffffff 00 00",
                "bb0000000100000001 00 00",
                "81 baffffffff 00 00",
                "a1 00 9affffffff 00",
        };

        (void)state;
        ASSERT_ALL_BAD(bad);
}

static void B10_integers_beyond_64_bits_with_sign_are_refused(void **state) {
        static const char *const good[] = { "1b7fffffffffffffff", "3b7fffffffffffffff" };
        static const char *const bad[] = { "1b8000000000000000", "1bffffffffffffffff",
                                           "3b8000000000000000", "3bffffffffffffffff" };
        _cleanup_(release) struct bytes lowest = unhex(good[1]), highest = unhex(good[0]);
        struct bytes low = lowest, high = highest;

        (void)state;
        ASSERT_ALL_GOOD(good);
        ASSERT_ALL_BAD(bad);
        assert_true(cbor_next(&low).integer == INT64_MIN);
        assert_true(cbor_next(&high).integer == INT64_MAX);
}

/* Every byte of the request at every value: whatever is accepted can be walked to its end. */
static size_t walk(struct bytes elements) {
        size_t n = 0;

        while (elements.len > 0) {
                struct cbor_value v = cbor_next(&elements);

                assert_int_not_equal(v.kind, CBOR_KIND_ABSENT);
                n += 1 + walk(v.elements);
        }
        return n;
}

static void B10_no_changed_byte_leads_astray(void **state) {
        _cleanup_(release) struct bytes message = unhex(request);
        uint8_t *at = (uint8_t *)(uintptr_t)message.data;
        size_t accepted = 0;

        (void)state;
        for (size_t i = 0; i < message.len; i++) {
                uint8_t was = at[i];

                for (unsigned v = 0; v < 256; v++) {
                        at[i] = (uint8_t)v;
                        if (cbor_check(message) != CTAP_OK)
                                continue;
                        accepted++;
                        assert_true(walk(message) > 0);
                }
                at[i] = was;
        }
        assert_true(accepted > message.len);
}

static void B21_text_is_utf8(void **state) {
        static const char *const good[] = { "60", "62c3a9", "63e282ac", "64f09f9491",
                                            "41ff" /* bytes are not text */ };
        static const char *const bad[] = { "6180",      "61c3",       "62c0af",     "63e080af",
                                           "63eda080",  "64f4908080", "64f5808080", "a1 61ff 00",
                                           "81 62e282", "a1 00 61ff" };

        (void)state;
        ASSERT_ALL_GOOD(good);
        ASSERT_ALL_BAD(bad);
}

/* ---- reading by table ---- */

struct parsed {
        struct cbor_value hash, name, list, any, flag;
};

static const struct cbor_field fields[] = {
        { NULL, 1, CBOR_KIND_BYTES, true, offsetof(struct parsed, hash) },
        { NULL, -3, CBOR_KIND_ARRAY, false, offsetof(struct parsed, list) },
        { "name", 0, CBOR_KIND_TEXT, true, offsetof(struct parsed, name) },
        { "flag", 0, CBOR_KIND_BOOL, false, offsetof(struct parsed, flag) },
        { NULL, 7, CBOR_KIND_ANY, false, offsetof(struct parsed, any) },
};

static enum ctap_status read_hex(struct bytes message, struct parsed *ret) {
        struct cbor_value top;

        assert_int_equal(cbor_check(message), CTAP_OK);
        top = cbor_next(&message);
        assert_int_equal(message.len, 0);
        memset(ret, 0xff, sizeof(*ret));
        return cbor_read_map(&top, fields, ELEMENTSOF(fields), ret);
}

static void assert_read(const char *hex, enum ctap_status want) {
        _cleanup_(release) struct bytes message = unhex(hex);
        struct parsed p;

        if (read_hex(message, &p) != want)
                fail_msg("%s: status is not %02x", hex, want);
}

static void members_are_found_by_number_and_by_name(void **state) {
        _cleanup_(release) struct bytes message =
                unhex("a4 01 43010203 07 1903e8 22 82 20 a1 00 00 646e616d65 626a6f");
        struct parsed p;
        struct bytes left;
        struct cbor_value v;

        (void)state;
        assert_int_equal(read_hex(message, &p), CTAP_OK);
        assert_bytes_equal(p.hash.string, BYTES("\1\2\3", 3));
        assert_bytes_equal(p.hash.raw, BYTES("\x43\1\2\3", 4));
        assert_bytes_equal(p.name.string, BYTES_TEXT("jo"));
        assert_int_equal(p.any.kind, CBOR_KIND_INT);
        assert_int_equal(p.any.integer, 1000);
        assert_int_equal(p.flag.kind, CBOR_KIND_ABSENT);
        assert_int_equal(p.list.n, 2);

        left = p.list.elements;
        v = cbor_next(&left);
        assert_int_equal(v.kind, CBOR_KIND_INT);
        assert_int_equal(v.integer, -1);
        v = cbor_next(&left);
        assert_int_equal(v.kind, CBOR_KIND_MAP);
        assert_int_equal(v.n, 1);
        assert_bytes_equal(v.raw, BYTES("\xa1\0\0", 3));
        assert_int_equal(cbor_next(&left).kind, CBOR_KIND_ABSENT);
        assert_int_equal(cbor_next(&left).kind, CBOR_KIND_ABSENT);
}

static void B9_a_member_of_the_wrong_type_is_named_so(void **state) {
        static const char *const wrong[] = {
                "a1 01 60",
                "a1 01 00",
                "a1 01 f6",
                "a1 01 80",
                "a1 01 a0",
                "a1 01 f5",
                "a2 01 40 22 a0",
                "a2 01 40 22 f6",
                "a2 01 40 646e616d65 40",
                "a3 01 40 64666c6167 01 646e616d65 60",
        };

        (void)state;
        for (size_t i = 0; i < ELEMENTSOF(wrong); i++)
                assert_read(wrong[i], CTAP2_ERR_CBOR_UNEXPECTED_TYPE);
}

static void B9_what_is_not_a_map_is_of_the_wrong_type(void **state) {
        static const char *const wrong[] = { "00", "20", "40", "60", "80", "f5", "f6" };

        (void)state;
        for (size_t i = 0; i < ELEMENTSOF(wrong); i++)
                assert_read(wrong[i], CTAP2_ERR_CBOR_UNEXPECTED_TYPE);
}

static void B9_a_wrong_type_is_told_before_a_missing_member(void **state) {
        (void)state;
        assert_read("a1 646e616d65 00", CTAP2_ERR_CBOR_UNEXPECTED_TYPE);
        assert_read("a1 22 00", CTAP2_ERR_CBOR_UNEXPECTED_TYPE);
}

static void B11_a_missing_member_is_named_so(void **state) {
        (void)state;
        assert_read("a0", CTAP2_ERR_MISSING_PARAMETER);
        assert_read("a1 01 40", CTAP2_ERR_MISSING_PARAMETER);
        assert_read("a1 646e616d65 60", CTAP2_ERR_MISSING_PARAMETER);
        assert_read("a2 01 40 646e616d65 60", CTAP_OK);
}

static void B12_members_that_nobody_knows_are_passed_over(void **state) {
        static const char *const known_and_more[] = {
                "a3 01 40 02 a1 00 81 00 646e616d65 60",
                "a3 01 40 40 f6 646e616d65 60",
                "a3 01 40 646e616d65 60 f5 00",
                "a4 01 40 646e616d65 60 656f74686572 00 80 00",
        };

        (void)state;
        for (size_t i = 0; i < ELEMENTSOF(known_and_more); i++)
                assert_read(known_and_more[i], CTAP_OK);
}

static void a_text_key_is_found_in_a_map_only(void **state) {
        _cleanup_(release) struct bytes message = unhex("a3 00 01 627570 f4 64706c6174 a0");
        _cleanup_(release) struct bytes array = unhex("82 627570 f4");
        struct bytes left = message, other = array;
        struct cbor_value map = cbor_next(&left), list = cbor_next(&other), v;

        (void)state;
        v = cbor_find_text(&map, "up");
        assert_int_equal(v.kind, CBOR_KIND_BOOL);
        assert_false(v.boolean);
        assert_int_equal(cbor_find_text(&map, "plat").kind, CBOR_KIND_MAP);
        assert_int_equal(cbor_find_text(&map, "uv").kind, CBOR_KIND_ABSENT);
        assert_int_equal(cbor_find_text(&map, "upp").kind, CBOR_KIND_ABSENT);
        assert_int_equal(cbor_find_text(&list, "up").kind, CBOR_KIND_ABSENT);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(B1_what_the_writer_writes_is_canonical),
                cmocka_unit_test(B1_long_strings_have_the_shortest_head),
                cmocka_unit_test(B1_raw_items_and_texts_are_written_as_they_are),
                cmocka_unit_test(B1_an_answer_that_does_not_fit_is_noticed),
                cmocka_unit_test(B5_four_levels_are_read_and_five_are_not),
                cmocka_unit_test(B5_a_tower_of_arrays_does_not_exhaust_the_stack),
                cmocka_unit_test(B6_floats_and_other_simple_values_are_refused),
                cmocka_unit_test(B7_bytes_after_the_item_are_refused),
                cmocka_unit_test(B8_indefinite_lengths_are_refused),
                cmocka_unit_test(B8_heads_longer_than_needed_are_refused),
                cmocka_unit_test(B8_keys_are_sorted_and_unique),
                cmocka_unit_test(B8_tags_are_refused),
                cmocka_unit_test(B10_every_truncation_of_a_request_is_refused),
                cmocka_unit_test(B10_broken_heads_are_refused),
                cmocka_unit_test(B10_lengths_beyond_the_message_are_refused_at_once),
                cmocka_unit_test(B10_integers_beyond_64_bits_with_sign_are_refused),
                cmocka_unit_test(B10_no_changed_byte_leads_astray),
                cmocka_unit_test(B21_text_is_utf8),
                cmocka_unit_test(members_are_found_by_number_and_by_name),
                cmocka_unit_test(B9_a_member_of_the_wrong_type_is_named_so),
                cmocka_unit_test(B9_what_is_not_a_map_is_of_the_wrong_type),
                cmocka_unit_test(B9_a_wrong_type_is_told_before_a_missing_member),
                cmocka_unit_test(B11_a_missing_member_is_named_so),
                cmocka_unit_test(B12_members_that_nobody_knows_are_passed_over),
                cmocka_unit_test(a_text_key_is_found_in_a_map_only),
        };

        return cmocka_run_group_tests_name("cbor", tests, NULL, NULL);
}
