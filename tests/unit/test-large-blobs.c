/* SPDX-License-Identifier: BSD-2-Clause */

/* ctap/large-blobs.c: LB1 to LB11. */

#include <errno.h>
#include <openssl/evp.h>
#include <string.h>

#include "ctap/command.h"
#include "tests/fake/client.h"
#include "tests/unit/test.h"

#define FRAGMENT (CLIENT_MESSAGE - 64)

/* An array of this many bytes, checksum included. */
struct array {
        uint8_t b[CLIENT_BLOBS];
        uint32_t len;
};

static void make_array(struct array *a, uint32_t len, uint8_t seed) {
        uint8_t hash[32];

        assert_in_range(len, 17, sizeof(a->b));
        a->len = len;
        for (uint32_t i = 0; i < len - 16; i++)
                a->b[i] = (uint8_t)(seed + i * 7);
        assert_int_equal(EVP_Digest(a->b, len - 16, hash, NULL, EVP_sha256(), NULL), 1);
        memcpy(a->b + len - 16, hash, 16);
}

static void assert_kept(const struct client *c, const struct array *a) {
        assert_bytes_equal(BYTES(c->fake->large_blobs, c->fake->large_blobs_len),
                           BYTES(a->b, a->len));
}

static void assert_empty(const struct client *c) {
        static const uint8_t empty[] = { 0x80, 0x76, 0xbe, 0x8b, 0x52, 0x8d, 0x00, 0x75, 0xf7,
                                         0xaa, 0xe9, 0x8d, 0x6f, 0xa5, 0x7a, 0x6d, 0x3c };

        assert_bytes_equal(BYTES(c->fake->large_blobs, c->fake->large_blobs_len), BYTES_OF(empty));
}

static void ask(struct client *c, int64_t n, int64_t offset) {
        client_manage(c, 0x0c, 0);
        client_set(c, 1, "%lld", (long long)n);
        client_set(c, 3, "%lld", (long long)offset);
}

/* The fragment [from, to) of an array, in the making. */
static void write_part(struct client *c, const struct array *a, uint32_t from, uint32_t to) {
        client_write_blobs(c, from, BYTES(a->b + from, to - from));
        if (from == 0)
                client_set(c, 4, "%u", a->len);
}

static uint8_t put_part(struct client *c, const struct array *a, uint32_t from, uint32_t to) {
        write_part(c, a, from, to);
        return client_send(c);
}

static void put_all(struct client *c, const struct array *a) {
        for (uint32_t at = 0; at < a->len; at += FRAGMENT)
                assert_int_equal(put_part(c, a, at,
                                          at + FRAGMENT < a->len ? at + FRAGMENT : a->len),
                                 CTAP_OK);
}

/* ---- the request ---- */

static void B9_members_of_the_wrong_type(void **state) {
        static const struct {
                unsigned key;
                const char *notation;
        } cases[] = { { 1, "'x'" },  { 2, "'x'" }, { 3, "h'00'" },
                      { 4, "null" }, { 5, "1" },   { 6, "true" } };
        struct client *c = *state;

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                ask(c, 17, 0);
                client_set(c, cases[i].key, "%s", cases[i].notation);
                assert_int_equal(client_send(c), CTAP2_ERR_CBOR_UNEXPECTED_TYPE);
        }
}

static void LB1_an_offset_and_one_of_get_and_set(void **state) {
        struct client *c = *state;
        struct array a;

        make_array(&a, 17, 1);
        ask(c, 17, 0);
        client_unset(c, 3);
        assert_int_equal(client_send(c), CTAP1_ERR_INVALID_PARAMETER);
        write_part(c, &a, 0, 17);
        client_unset(c, 3);
        assert_int_equal(client_send(c), CTAP1_ERR_INVALID_PARAMETER);
        client_manage(c, 0x0c, 0);
        client_unset(c, 1);
        client_set(c, 3, "0");
        assert_int_equal(client_send(c), CTAP1_ERR_INVALID_PARAMETER);
        client_set(c, 4, "17");
        assert_int_equal(client_send(c), CTAP1_ERR_INVALID_PARAMETER);
        write_part(c, &a, 0, 17);
        client_set(c, 1, "17");
        assert_int_equal(client_send(c), CTAP1_ERR_INVALID_PARAMETER);
        write_part(c, &a, 0, 17);
        client_set(c, 3, "-1");
        assert_int_equal(client_send(c), CTAP1_ERR_INVALID_PARAMETER);
        ask(c, 17, -1);
        assert_int_equal(client_send(c), CTAP1_ERR_INVALID_PARAMETER);
        assert_string_equal(c->fake->trace, "");
        assert_empty(c);
}

static void LB_where_there_is_no_room_there_is_no_command(void **state) {
        struct client *c = *state;

        c->ctap->options.max_large_blobs = 0;
        ask(c, 17, 0);
        assert_int_equal(client_send(c), CTAP1_ERR_INVALID_COMMAND);
        client_unset(c, 3);
        assert_int_equal(client_send(c), CTAP1_ERR_INVALID_COMMAND);
        assert_string_equal(c->fake->trace, "");
}

/* ---- reading ---- */

static void assert_read(struct client *c, int64_t n, int64_t offset, struct bytes expected) {
        struct bytes body;
        struct cbor_value map;

        ask(c, n, offset);
        assert_int_equal(client_send(c), CTAP_OK);
        body = c->body;
        map = cbor_next(&body);
        assert_int_equal(map.n, 1);
        assert_int_equal(cbor_next(&map.elements).integer, 1);
        assert_bytes_equal(cbor_next(&map.elements).string, expected);
}

static void LB2_what_is_there_is_read_without_a_token(void **state) {
        struct client *c = *state;
        struct array a;

        make_array(&a, 3000, 1);
        put_all(c, &a);
        client_set_pin(c);
        assert_read(c, FRAGMENT, 0, BYTES(a.b, FRAGMENT));
        assert_read(c, FRAGMENT, FRAGMENT, BYTES(a.b + FRAGMENT, FRAGMENT));
        assert_read(c, FRAGMENT, 2 * FRAGMENT, BYTES(a.b + 2 * FRAGMENT, 3000 - 2 * FRAGMENT));
        assert_read(c, 1, 2999, BYTES(a.b + 2999, 1));
        assert_read(c, 2, 2999, BYTES(a.b + 2999, 1));
        assert_read(c, 0, 5, BYTES_NULL);
        assert_read(c, 10, 3000, BYTES_NULL);
}

static void LB2_the_largest_fragment_fits_into_an_answer(void **state) {
        struct client *c = *state;
        const uint32_t largest = CTAP_REPLY_MAX - 64;

        c->ctap->options.max_message = CTAP_REPLY_MAX;
        c->fake->large_blobs_len = 20000;
        memset(c->fake->large_blobs, 0x5a, 20000);
        assert_read(c, largest, 100, BYTES(c->fake->large_blobs + 100, largest));
}

static void LB2_what_cannot_be_read(void **state) {
        static const struct {
                int64_t n, offset;
                uint8_t status;
        } cases[] = {
                { FRAGMENT + 1, 0, CTAP1_ERR_INVALID_LENGTH },
                { INT64_MAX, 0, CTAP1_ERR_INVALID_LENGTH },
                { FRAGMENT + 1, 18, CTAP1_ERR_INVALID_LENGTH },
                { -1, 0, CTAP1_ERR_INVALID_PARAMETER },
                { 1, 18, CTAP1_ERR_INVALID_PARAMETER },
                { 0, 18, CTAP1_ERR_INVALID_PARAMETER },
                { 1, 0x100000000, CTAP1_ERR_INVALID_PARAMETER },
                { 1, INT64_MAX, CTAP1_ERR_INVALID_PARAMETER },
        };
        static const struct {
                unsigned key;
                const char *notation;
        } extra[] = { { 4, "17" }, { 5, "h'00'" }, { 6, "2" } };
        struct client *c = *state;

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                ask(c, cases[i].n, cases[i].offset);
                assert_int_equal(client_send(c), cases[i].status);
        }
        for (size_t i = 0; i < ELEMENTSOF(extra); i++) {
                ask(c, 17, 0);
                client_set(c, extra[i].key, "%s", extra[i].notation);
                assert_int_equal(client_send(c), CTAP1_ERR_INVALID_PARAMETER);
        }
        assert_string_equal(c->fake->trace, "");
}

/* ---- writing ---- */

static void LB3_a_fragment_fits_into_a_message(void **state) {
        struct client *c = *state;
        struct array a;

        make_array(&a, 4000, 1);
        assert_int_equal(put_part(c, &a, 0, FRAGMENT + 1), CTAP1_ERR_INVALID_LENGTH);
        assert_int_equal(put_part(c, &a, 0, FRAGMENT), CTAP_OK);
        assert_int_equal(put_part(c, &a, FRAGMENT, 2 * FRAGMENT + 1), CTAP1_ERR_INVALID_LENGTH);
        assert_int_equal(put_part(c, &a, FRAGMENT, 2 * FRAGMENT), CTAP_OK);
}

static void LB4_the_first_fragment_says_how_much_will_come(void **state) {
        static const struct {
                const char *length;
                uint8_t status;
        } cases[] = {
                { "4097", CTAP2_ERR_LARGE_BLOB_STORAGE_FULL },
                { "4294967313", CTAP2_ERR_LARGE_BLOB_STORAGE_FULL },
                { "9223372036854775807", CTAP2_ERR_LARGE_BLOB_STORAGE_FULL },
                { "16", CTAP1_ERR_INVALID_PARAMETER },
                { "0", CTAP1_ERR_INVALID_PARAMETER },
                { "-1", CTAP1_ERR_INVALID_PARAMETER },
        };
        struct client *c = *state;
        struct array a;

        make_array(&a, 17, 1);
        write_part(c, &a, 0, 17);
        client_unset(c, 4);
        assert_int_equal(client_send(c), CTAP1_ERR_INVALID_PARAMETER);
        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                write_part(c, &a, 0, 17);
                client_set(c, 4, "%s", cases[i].length);
                assert_int_equal(client_send(c), cases[i].status);
                assert_int_equal(c->ctap->walk.kind, CTAP_WALK_NONE);
        }
        make_array(&a, CLIENT_BLOBS, 1);
        put_all(c, &a);
        assert_kept(c, &a);
}

static void LB4_it_begins_anew_whatever_was_under_way(void **state) {
        struct client *c = *state;
        struct array a, b;

        make_array(&a, 2000, 1);
        make_array(&b, 500, 2);
        assert_int_equal(put_part(c, &a, 0, 1000), CTAP_OK);
        assert_int_equal(put_part(c, &b, 0, 100), CTAP_OK);
        assert_int_equal(put_part(c, &a, 1000, 2000), CTAP1_ERR_INVALID_SEQ);
        assert_int_equal(put_part(c, &b, 100, 500), CTAP_OK);
        assert_kept(c, &b);

        assert_int_equal(put_part(c, &a, 0, 1000), CTAP_OK);
        write_part(c, &b, 0, 100);
        client_set(c, 4, "16");
        assert_int_equal(client_send(c), CTAP1_ERR_INVALID_PARAMETER);
        assert_int_equal(put_part(c, &a, 1000, 2000), CTAP1_ERR_INVALID_SEQ);
        assert_kept(c, &b);
}

static void LB5_the_others_come_in_their_order(void **state) {
        struct client *c = *state;
        struct array a;

        make_array(&a, 2000, 1);
        assert_int_equal(put_part(c, &a, 1000, 2000), CTAP1_ERR_INVALID_SEQ); /* of nothing */
        assert_int_equal(put_part(c, &a, 0, 1000), CTAP_OK);
        write_part(c, &a, 1000, 2000);
        client_set(c, 4, "2000");
        assert_int_equal(client_send(c), CTAP1_ERR_INVALID_PARAMETER);
        assert_int_equal(put_part(c, &a, 999, 2000), CTAP1_ERR_INVALID_SEQ);
        assert_int_equal(put_part(c, &a, 1001, 2000), CTAP1_ERR_INVALID_SEQ);
        write_part(c, &a, 1000, 2000);
        client_set(c, 3, "4294968296"); /* 2^32 + 1000 */
        assert_int_equal(client_send(c), CTAP1_ERR_INVALID_SEQ);
        assert_int_equal(put_part(c, &a, 1000, 1500), CTAP_OK);
        assert_int_equal(put_part(c, &a, 1000, 1500), CTAP1_ERR_INVALID_SEQ);
        assert_int_equal(put_part(c, &a, 1500, 1500), CTAP_OK); /* nothing, at the right place */
        assert_empty(c);
        assert_int_equal(put_part(c, &a, 1500, 2000), CTAP_OK);
        assert_kept(c, &a);
        assert_int_equal(put_part(c, &a, 2000, 2000), CTAP1_ERR_INVALID_SEQ);
}

static void LB6_the_order_of_errors_where_a_pin_is_set(void **state) {
        struct client *c = *state;
        struct array a;

        make_array(&a, 100, 1);
        client_set_pin(c);
        write_part(c, &a, 0, 100);
        assert_int_equal(client_send(c), CTAP2_ERR_PUAT_REQUIRED);
        client_set(c, 6, "9");
        assert_int_equal(client_send(c), CTAP2_ERR_PUAT_REQUIRED);
        client_set(c, 5, "h'00'");
        client_unset(c, 6);
        assert_int_equal(client_send(c), CTAP2_ERR_MISSING_PARAMETER);
        client_set(c, 6, "9");
        assert_int_equal(client_send(c), CTAP1_ERR_INVALID_PARAMETER);
        client_set(c, 6, "2");
        assert_int_equal(client_send(c), CTAP2_ERR_PIN_AUTH_INVALID);
        client_set(c, 4, "16"); /* what is wrong with the fragment comes first */
        assert_int_equal(client_send(c), CTAP1_ERR_INVALID_PARAMETER);

        write_part(c, &a, 0, 100);
        client_verify(c);
        assert_int_equal(client_send(c), CTAP_OK);
        assert_kept(c, &a);
}

static void LB6_a_token_that_does_not_count(void **state) {
        struct client *c = *state;
        struct array a;

        make_array(&a, 100, 1);
        for (unsigned flaw = 0; flaw < _CLIENT_FLAWS; flaw++) {
                write_part(c, &a, 0, 100);
                client_verify_badly(c, flaw);
                /* It is for no site, whatever site it was asked for. */
                assert_int_equal(client_send(c), flaw == CLIENT_FLAW_OTHER_SITE
                                                         ? CTAP_OK
                                                         : CTAP2_ERR_PIN_AUTH_INVALID);
                if (flaw == CLIENT_FLAW_OTHER_SITE)
                        c->fake->large_blobs_len = 17;
        }
        assert_int_equal(c->fake->large_blobs_len, 17);
}

static void LB6_the_mac_covers_fragment_and_offset(void **state) {
        struct client *c = *state;
        struct array a;

        make_array(&a, 2000, 1);
        write_part(c, &a, 0, 1000);
        client_verify(c);
        assert_int_equal(client_send(c), CTAP_OK);
        write_part(c, &a, 999, 2000);
        client_authorize(c);
        client_set(c, 3, "1000");
        assert_int_equal(client_send(c), CTAP2_ERR_PIN_AUTH_INVALID);
        write_part(c, &a, 1000, 1500);
        client_authorize(c);
        c->members[2].data[10] ^= 1;
        assert_int_equal(client_send(c), CTAP2_ERR_PIN_AUTH_INVALID);
        write_part(c, &a, 1000, 2000); /* it is still under way */
        client_authorize(c);
        assert_int_equal(client_send(c), CTAP_OK);
        assert_kept(c, &a);
}

static void LB6_without_a_pin_none_is_needed_and_none_is_looked_at(void **state) {
        struct client *c = *state;
        struct array a;

        make_array(&a, 100, 1);
        write_part(c, &a, 0, 100);
        client_set(c, 5, "h'00'");
        client_set(c, 6, "9");
        assert_int_equal(client_send(c), CTAP_OK);
        assert_kept(c, &a);
}

static void LB6_under_always_uv_there_is_no_way_without_a_pin(void **state) {
        struct client *c = *state;
        struct array a;

        make_array(&a, 100, 1);
        write_part(c, &a, 0, 100);
        assert_int_equal(client_send(c), CTAP2_ERR_PUAT_REQUIRED);
        client_set(c, 5, "h'%032x'", 0);
        client_set(c, 6, "1");
        assert_int_equal(client_send(c), CTAP2_ERR_PIN_AUTH_INVALID);
        client_verify(c);
        assert_int_equal(client_send(c), CTAP_OK);
}

static void LB7_no_more_than_was_announced(void **state) {
        struct client *c = *state;
        struct array a;

        make_array(&a, 2000, 1);
        write_part(c, &a, 0, 101);
        client_set(c, 4, "100");
        assert_int_equal(client_send(c), CTAP1_ERR_INVALID_PARAMETER);
        assert_int_equal(c->ctap->walk.kind, CTAP_WALK_NONE);
        assert_int_equal(put_part(c, &a, 0, 1000), CTAP_OK);
        client_write_blobs(c, 1000, BYTES(a.b, 1001));
        assert_int_equal(client_send(c), CTAP1_ERR_INVALID_PARAMETER);
        assert_int_equal(put_part(c, &a, 1000, 2000), CTAP_OK);
        assert_kept(c, &a);
}

static void LB8_the_checksum_decides(void **state) {
        struct client *c = *state;
        struct array old, a;

        make_array(&old, 700, 1);
        put_all(c, &old);
        for (unsigned i = 0; i < 3; i++) {
                make_array(&a, 900, 2);
                a.b[i == 0 ? 0 : i == 1 ? 883 : 899] ^= 1;
                assert_int_equal(put_part(c, &a, 0, 800), CTAP_OK);
                assert_int_equal(put_part(c, &a, 800, 900), CTAP2_ERR_INTEGRITY_FAILURE);
                assert_kept(c, &old);
                assert_int_equal(put_part(c, &a, 800, 900), CTAP1_ERR_INVALID_SEQ);
        }
        make_array(&a, 17, 3);
        put_all(c, &a);
        assert_kept(c, &a);
}

static void LB9_a_write_that_fails_leaves_the_old_array(void **state) {
        static const struct {
                int error;
                uint8_t status;
        } cases[] = { { -EIO, CTAP1_ERR_OTHER }, { -ENOSPC, CTAP2_ERR_LARGE_BLOB_STORAGE_FULL } };
        struct client *c = *state;
        struct array old, a;

        make_array(&old, 700, 1);
        put_all(c, &old);
        make_array(&a, 2000, 2);
        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                assert_int_equal(put_part(c, &a, 0, 1000), CTAP_OK);
                assert_kept(c, &old);
                fake_fail(c->fake, "large_blobs_write", 1, cases[i].error);
                assert_int_equal(put_part(c, &a, 1000, 2000), cases[i].status);
                assert_false(fake_mend(c->fake));
                assert_kept(c, &old);
                assert_int_equal(put_part(c, &a, 1000, 2000), CTAP1_ERR_INVALID_SEQ);
        }
        put_all(c, &a);
        assert_kept(c, &a);
}

static void LB9_at_first_and_after_a_reset_it_is_empty(void **state) {
        struct client *c = *state;
        struct array a;

        assert_empty(c);
        make_array(&a, 700, 1);
        put_all(c, &a);
        assert_int_equal(client_call(c, 0x07, BYTES_NULL), CTAP_OK);
        assert_empty(c);
}

static void LB9_every_failure_is_an_error(void **state) {
        struct client *c = *state;
        struct array a;

        make_array(&a, 700, 1);
        write_part(c, &a, 0, 700);
        client_verify(c);
        assert_int_equal(client_fail_everywhere(c), 2); /* ticket_check, large_blobs_write */
        assert_kept(c, &a);
        ask(c, 100, 0);
        assert_int_equal(client_fail_everywhere(c), 1);
}

static void LB10_any_other_command_ends_it(void **state) {
        static const uint8_t codes[] = { 0x01, 0x02, 0x04, 0x06, 0x08, 0x0a, 0x0b, 0x0c, 0x41 };
        struct client *c = *state;
        struct array a;

        make_array(&a, 2000, 1);
        for (size_t i = 0; i < ELEMENTSOF(codes); i++) {
                assert_int_equal(put_part(c, &a, 0, 1000), CTAP_OK);
                client_call(c, codes[i], BYTES_NULL);
                assert_int_equal(c->ctap->walk.kind, CTAP_WALK_NONE);
                assert_int_equal(put_part(c, &a, 1000, 2000), CTAP1_ERR_INVALID_SEQ);
        }
        assert_int_equal(put_part(c, &a, 0, 1000), CTAP_OK);
        ask(c, 17, 0);
        assert_int_equal(client_send(c), CTAP_OK);
        assert_int_equal(put_part(c, &a, 1000, 2000), CTAP1_ERR_INVALID_SEQ);
        assert_empty(c);
}

static void LB10_time_ends_it(void **state) {
        struct client *c = *state;
        struct array a;

        make_array(&a, 3000, 1);
        assert_int_equal(put_part(c, &a, 0, 1000), CTAP_OK);
        c->fake->now_ms += 29999;
        assert_int_equal(put_part(c, &a, 1000, 2000), CTAP_OK);
        c->fake->now_ms += 30000;
        assert_int_equal(put_part(c, &a, 2000, 3000), CTAP1_ERR_INVALID_SEQ);
        c->fake->now_ms -= 30000;
        assert_int_equal(put_part(c, &a, 2000, 3000), CTAP1_ERR_INVALID_SEQ);

        write_part(c, &a, 0, 1000);
        client_verify(c);
        c->ctap->token.was_used = true;
        c->fake->now_ms += 1000 * CTAP_TOKEN_SECONDS - 1;
        assert_int_equal(client_send(c), CTAP_OK);
        c->fake->now_ms += 1;
        write_part(c, &a, 1000, 2000);
        client_authorize(c);
        assert_int_equal(client_send(c), CTAP1_ERR_INVALID_SEQ);
}

static void LB10_another_channel_does_not_write_on(void **state) {
        struct client *c = *state;
        struct array a;

        make_array(&a, 2000, 1);
        assert_int_equal(put_part(c, &a, 0, 1000), CTAP_OK);
        c->channel++;
        assert_int_equal(put_part(c, &a, 1000, 2000), CTAP1_ERR_INVALID_SEQ);
        c->channel--;
        assert_int_equal(put_part(c, &a, 1000, 2000), CTAP_OK);
        assert_kept(c, &a);
}

static void LB10_a_fragment_ends_what_else_was_under_way(void **state) {
        struct client *c = *state;
        struct made made[2];
        struct array a;

        make_array(&a, 2000, 1);
        client_register(c, true, "ann", &made[0]);
        client_register(c, true, "bob", &made[1]);
        client_get_assertion(c);
        assert_int_equal(client_send(c), CTAP_OK);
        assert_int_equal(put_part(c, &a, 1000, 2000), CTAP1_ERR_INVALID_SEQ);
        assert_int_equal(client_call(c, 0x08, BYTES_NULL), CTAP2_ERR_NOT_ALLOWED);
}

/* Also one that cannot be the rest of any write. */
static void CM12_a_fragment_that_is_refused_ends_an_enumeration(void **state) {
        struct client *c = *state;
        struct made made[2];
        struct array a;

        make_array(&a, 2000, 1);
        client_register(c, true, "ann", &made[0]);
        client_register(c, true, "bob", &made[1]);
        for (size_t i = 0; i < 2; i++) {
                client_get_assertion(c);
                assert_int_equal(client_send(c), CTAP_OK);
                if (i == 0) {
                        write_part(c, &a, 1000, 1500);
                        client_set(c, 4, "2000");
                        assert_int_equal(client_send(c), CTAP1_ERR_INVALID_PARAMETER);
                } else
                        assert_int_equal(put_part(c, &a, 1, FRAGMENT + 2),
                                         CTAP1_ERR_INVALID_LENGTH);
                assert_int_equal(client_call(c, 0x08, BYTES_NULL), CTAP2_ERR_NOT_ALLOWED);
        }
}

/* Whoever was asked in between got a token for other things as well. */
static void LB11_a_token_that_was_used_up_still_writes(void **state) {
        struct client *c = *state;
        struct given given;
        struct made made;
        struct array a;

        client_register(c, true, "ann", &made);
        client_get_assertion(c);
        client_get_token(c, 2, CTAP_PERMISSION_GA | CTAP_PERMISSION_LBW, CLIENT_RP);
        client_authorize(c);
        assert_int_equal(client_send(c), CTAP_OK);
        client_read_given(c, &made, &given);
        assert_int_equal(given.flags & 0x04, 0x04);

        make_array(&a, 2000, 1);
        write_part(c, &a, 0, 1000);
        client_authorize(c);
        assert_int_equal(client_send(c), CTAP_OK);
        write_part(c, &a, 1000, 2000);
        client_authorize(c);
        assert_int_equal(client_send(c), CTAP_OK);
        assert_kept(c, &a);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                client_unit_test(B9_members_of_the_wrong_type),
                client_unit_test(LB1_an_offset_and_one_of_get_and_set),
                client_unit_test(LB_where_there_is_no_room_there_is_no_command),
                client_unit_test(LB2_what_is_there_is_read_without_a_token),
                client_unit_test(LB2_the_largest_fragment_fits_into_an_answer),
                client_unit_test(LB2_what_cannot_be_read),
                client_unit_test(LB3_a_fragment_fits_into_a_message),
                client_unit_test(LB4_the_first_fragment_says_how_much_will_come),
                client_unit_test(LB4_it_begins_anew_whatever_was_under_way),
                client_unit_test(LB5_the_others_come_in_their_order),
                client_unit_test(LB6_the_order_of_errors_where_a_pin_is_set),
                client_unit_test(LB6_a_token_that_does_not_count),
                client_unit_test(LB6_the_mac_covers_fragment_and_offset),
                client_unit_test(LB6_without_a_pin_none_is_needed_and_none_is_looked_at),
                always_uv_unit_test(LB6_under_always_uv_there_is_no_way_without_a_pin),
                client_unit_test(LB7_no_more_than_was_announced),
                client_unit_test(LB8_the_checksum_decides),
                client_unit_test(LB9_a_write_that_fails_leaves_the_old_array),
                client_unit_test(LB9_at_first_and_after_a_reset_it_is_empty),
                client_unit_test(LB9_every_failure_is_an_error),
                client_unit_test(LB10_any_other_command_ends_it),
                client_unit_test(LB10_time_ends_it),
                client_unit_test(LB10_another_channel_does_not_write_on),
                client_unit_test(LB10_a_fragment_ends_what_else_was_under_way),
                client_unit_test(CM12_a_fragment_that_is_refused_ends_an_enumeration),
                client_unit_test(LB11_a_token_that_was_used_up_still_writes),
        };

        return cmocka_run_group_tests_name("large-blobs", tests, NULL, NULL);
}
