/* SPDX-License-Identifier: BSD-2-Clause */

/* ctap/credential.c: what is ours opens, and nothing else does, down to one changed bit. */

#include <errno.h>
#include <time.h>

#include "ctap/credential.h"
#include "tests/unit/hex.h"
#include "tests/unit/test.h"

static const struct secret32 store_key = { "the key of this store" };
static const struct secret32 other_store_key = { "the key of another store" };
static const struct sha256 rp = { "the hash of an RP" }, other_rp = { "the hash of another RP" };

struct counting_rng {
        struct ctap_rng base;
        uint8_t next;
        int error;
};

static int counting_fill(struct ctap_rng *base, uint8_t *to, size_t n) {
        struct counting_rng *r = container_of(base, struct counting_rng, base);

        if (r->error)
                return r->error;
        for (size_t i = 0; i < n; i++)
                to[i] = r->next++;
        return 0;
}

static const struct ctap_rng_ops counting_ops = { counting_fill };

struct fixture {
        struct ctap_credential_keys keys;
        struct counting_rng rng;
        struct ctap_credential_id id;
};

static int set_up(void **state) {
        static struct fixture f;

        f = (struct fixture){ .rng = { { &counting_ops }, 1, 0 } };
        *state = &f;
        if (ctap_credential_keys_derive(&store_key, &f.keys) < 0)
                return -1;
        return ctap_credential_id_make(&f.keys, &f.rng.base, &rp, &f.id);
}

static struct bytes id_bytes(const struct fixture *f) {
        return BYTES_OF(f->id);
}

/* ---- keys and ids ---- */

static void each_use_has_its_own_key(void **state) {
        struct fixture *f = *state;
        struct ctap_credential_keys again, other;

        assert_false(bytes_equal(BYTES_OF(f->keys.id_mac), BYTES_OF(f->keys.record)));
        assert_false(bytes_equal(BYTES_OF(f->keys.id_mac), BYTES_OF(f->keys.tag)));
        assert_false(bytes_equal(BYTES_OF(f->keys.record), BYTES_OF(f->keys.tag)));
        assert_false(bytes_equal(BYTES_OF(f->keys.large_blob), BYTES_OF(f->keys.tag)));
        assert_false(bytes_equal(BYTES_OF(f->keys.large_blob), BYTES_OF(f->keys.id_mac)));
        assert_false(bytes_equal(BYTES_OF(f->keys.large_blob), BYTES_OF(f->keys.record)));
        assert_int_equal(ctap_credential_keys_derive(&store_key, &again), 0);
        assert_bytes_equal(BYTES_OF(again), BYTES_OF(f->keys));
        assert_int_equal(ctap_credential_keys_derive(&other_store_key, &other), 0);
        assert_false(bytes_equal(BYTES_OF(other.id_mac), BYTES_OF(f->keys.id_mac)));
}

static void wiped_keys_are_gone(void **state) {
        static const struct ctap_credential_keys zero;
        struct fixture *f = *state;

        ctap_credential_keys_wipe(&f->keys);
        assert_bytes_equal(BYTES_OF(f->keys), BYTES_OF(zero));
}

static void an_id_is_known_again_for_its_rp(void **state) {
        struct fixture *f = *state;
        struct ctap_credential_id opened;

        assert_true(ctap_credential_id_open(&f->keys, id_bytes(f), &rp, &opened));
        assert_bytes_equal(BYTES_OF(opened), id_bytes(f));
        assert_int_equal(f->id.b[0], 1);
        assert_int_equal(f->id.b[15], 16);
}

/* Stored credentials outlive this version of the program: the layout must never move. */
static void the_layout_of_an_id_is_fixed(void **state) {
        struct fixture *f = *state;

        assert_hex_equal(id_bytes(f),
                         "0102030405060708090a0b0c0d0e0f10"
                         "06ea9b37cf7fc54be453418025135c959ac2900cbb0de85e98b16ea9e590cbf1");
}

static void two_ids_for_one_rp_differ(void **state) {
        struct fixture *f = *state;
        struct ctap_credential_id second;

        assert_int_equal(ctap_credential_id_make(&f->keys, &f->rng.base, &rp, &second), 0);
        assert_false(bytes_equal(BYTES_OF(second), id_bytes(f)));
}

static void without_randomness_there_is_no_id(void **state) {
        struct fixture *f = *state;
        struct ctap_credential_id untouched = f->id;

        f->rng.error = -EIO;
        assert_int_equal(ctap_credential_id_make(&f->keys, &f->rng.base, &rp, &untouched), -EIO);
        assert_bytes_equal(BYTES_OF(untouched), id_bytes(f));
}

static void GA7_an_id_of_another_rp_is_not_opened(void **state) {
        struct fixture *f = *state;
        struct ctap_credential_id opened = { { 7 } }, was = opened;

        assert_false(ctap_credential_id_open(&f->keys, id_bytes(f), &other_rp, &opened));
        assert_bytes_equal(BYTES_OF(opened), BYTES_OF(was));
}

static void GA7_an_id_of_another_store_is_not_opened(void **state) {
        struct fixture *f = *state;
        struct ctap_credential_keys other;
        struct ctap_credential_id opened;

        assert_int_equal(ctap_credential_keys_derive(&other_store_key, &other), 0);
        assert_false(ctap_credential_id_open(&other, id_bytes(f), &rp, &opened));
}

static void GA7_one_changed_bit_makes_an_id_foreign(void **state) {
        struct fixture *f = *state;

        for (size_t i = 0; i < sizeof(f->id.b) * 8; i++) {
                struct ctap_credential_id changed = f->id, opened;

                changed.b[i / 8] ^= (uint8_t)(1 << i % 8);
                assert_false(ctap_credential_id_open(&f->keys, BYTES_OF(changed), &rp, &opened));
        }
}

static void MC21_ids_of_any_other_length_are_foreign(void **state) {
        struct fixture *f = *state;
        struct ctap_credential_id opened;
        uint8_t longer[1100] = { 0 };

        memcpy(longer, f->id.b, sizeof(f->id.b));
        for (size_t n = 0; n < sizeof(longer); n++) {
                _cleanup_(release) struct bytes id = copied(BYTES(longer, n));

                assert_int_equal(ctap_credential_id_open(&f->keys, id, &rp, &opened),
                                 n == sizeof(f->id.b));
        }
        assert_false(ctap_credential_id_open(&f->keys, BYTES_NULL, &rp, &opened));
}

/* A list of 60 foreign ids must take less than 100 ms, also on a slow and busy machine. */
static void GA17_a_foreign_id_is_refused_by_computing_alone(void **state) {
        struct fixture *f = *state;
        struct ctap_credential_id foreign = f->id, opened;
        clock_t begin = clock();
        double ms;

        foreign.b[47] ^= 1;
        for (unsigned i = 0; i < 60; i++)
                assert_false(ctap_credential_id_open(&f->keys, BYTES_OF(foreign), &rp, &opened));
        ms = (double)(clock() - begin) * 1000 / CLOCKS_PER_SEC;
        assert_true(ms < 100);
}

/* ---- tags ---- */

static void tags_depend_on_rp_account_and_store(void **state) {
        struct fixture *f = *state;
        struct ctap_credential_keys other;
        struct sha256 tags[7];

        assert_int_equal(ctap_credential_keys_derive(&other_store_key, &other), 0);
        assert_int_equal(ctap_rp_tag(&f->keys, &rp, &tags[0]), 0);
        assert_int_equal(ctap_rp_tag(&f->keys, &other_rp, &tags[1]), 0);
        assert_int_equal(ctap_rp_tag(&other, &rp, &tags[2]), 0);
        assert_int_equal(ctap_account_tag(&f->keys, &rp, BYTES_TEXT("u"), &tags[3]), 0);
        assert_int_equal(ctap_account_tag(&f->keys, &rp, BYTES_TEXT("v"), &tags[4]), 0);
        assert_int_equal(ctap_account_tag(&f->keys, &other_rp, BYTES_TEXT("u"), &tags[5]), 0);
        assert_int_equal(ctap_account_tag(&f->keys, &rp, BYTES_NULL, &tags[6]), 0);
        for (size_t i = 0; i < ELEMENTSOF(tags); i++)
                for (size_t j = 0; j < i; j++)
                        assert_false(bytes_equal(BYTES_OF(tags[i]), BYTES_OF(tags[j])));
}

static void B20_a_user_id_longer_than_64_has_no_tag(void **state) {
        static const uint8_t id[65];
        struct fixture *f = *state;
        struct sha256 tag;

        assert_int_equal(ctap_account_tag(&f->keys, &rp, BYTES(id, 64), &tag), 0);
        assert_int_equal(ctap_account_tag(&f->keys, &rp, BYTES(id, 65), &tag), -EMSGSIZE);
}

/* ---- large blob keys ---- */

static void a_large_blob_key_is_of_one_credential_and_store(void **state) {
        struct fixture *f = *state;
        struct ctap_credential_keys other_keys;
        struct ctap_credential_id other_id;
        struct secret32 key, again, of_other_id, of_other_store;

        assert_int_equal(ctap_credential_id_make(&f->keys, &f->rng.base, &rp, &other_id), 0);
        assert_int_equal(ctap_credential_keys_derive(&other_store_key, &other_keys), 0);
        assert_int_equal(ctap_large_blob_key(&f->keys, &f->id, &key), 0);
        assert_int_equal(ctap_large_blob_key(&f->keys, &f->id, &again), 0);
        assert_int_equal(ctap_large_blob_key(&f->keys, &other_id, &of_other_id), 0);
        assert_int_equal(ctap_large_blob_key(&other_keys, &f->id, &of_other_store), 0);
        assert_bytes_equal(BYTES_OF(again), BYTES_OF(key));
        assert_false(bytes_equal(BYTES_OF(of_other_id), BYTES_OF(key)));
        assert_false(bytes_equal(BYTES_OF(of_other_store), BYTES_OF(key)));
}

/* What a site encrypted under it must open for ever. */
static void a_large_blob_key_never_changes(void **state) {
        struct fixture *f = *state;
        struct secret32 key;

        assert_int_equal(ctap_large_blob_key(&f->keys, &f->id, &key), 0);
        assert_hex_equal(BYTES_OF(key),
                         "4d455a34e671fa66a2c6a6004406c4cea0cd7a27c573d6624337b75077a75f31");
}

/* ---- records ---- */

struct opened {
        uint8_t storage[sizeof(((struct ctap_row *)NULL)->sealed)];
        struct ctap_record record;
};

static int open_row(const struct fixture *f, const struct ctap_row *row, struct opened *ret) {
        struct buf storage = BUF_ON(ret->storage);

        return ctap_record_open(&f->keys, &rp, row, &storage, &ret->record);
}

static struct ctap_record full_record(void) {
        return (struct ctap_record){
                BYTES_TEXT("example.com"),
                BYTES_TEXT("\x01\x02"),
                BYTES_TEXT("ada@example.com"),
                BYTES_TEXT("Ada"),
                true,
                true,
                BYTES_TEXT("blob"),
        };
}

static void seal(struct fixture *f, const struct ctap_record *record, struct ctap_row *row) {
        memset(row, 0, sizeof(*row));
        row->id = f->id;
        assert_int_equal(ctap_record_seal(&f->keys, &f->rng.base, &rp, record, row), 0);
}

static void a_record_comes_back_as_it_was(void **state) {
        struct fixture *f = *state;
        struct ctap_record record = full_record();
        struct ctap_row row;
        struct opened o;

        seal(f, &record, &row);
        assert_int_equal(open_row(f, &row, &o), 0);
        assert_bytes_equal(o.record.rp_id, record.rp_id);
        assert_bytes_equal(o.record.user_id, record.user_id);
        assert_bytes_equal(o.record.user_name, record.user_name);
        assert_bytes_equal(o.record.user_display_name, record.user_display_name);
        assert_true(o.record.has_user_name);
        assert_true(o.record.has_display_name);
        assert_bytes_equal(o.record.cred_blob, record.cred_blob);
}

static void the_layout_of_a_sealed_record_is_fixed(void **state) {
        struct fixture *f = *state;
        struct ctap_record record = { .rp_id = BYTES_TEXT("a.b"),
                                      .user_id = BYTES_TEXT("u"),
                                      .has_user_name = true,
                                      .user_name = BYTES_TEXT("n"),
                                      .cred_blob = BYTES_TEXT("blob") };
        struct ctap_row row;

        seal(f, &record, &row);
        assert_hex_equal(
                BYTES(row.sealed, row.sealed_len),
                "011112131415161718191a1b1c"
                "d611fc2d29eff09556df461f0f213a053fb4bfd212c168eaebb71241968ff12f4afcc51c");
}

/* Of credentials that were made before there was a credBlob. */
static void a_record_of_the_first_version_opens(void **state) {
        _cleanup_(release) struct bytes sealed =
                unhex("011112131415161718191a1b1c"
                      "d511fc2d29eff09556df461f0f210ce044ca98d9cd3934190ba7a1a6a5d5");
        struct fixture *f = *state;
        struct ctap_row row = { .id = f->id, .sealed_len = (uint16_t)sealed.len };
        struct opened o;

        memcpy(row.sealed, sealed.data, sealed.len);
        assert_int_equal(open_row(f, &row, &o), 0);
        assert_bytes_equal(o.record.rp_id, BYTES_TEXT("a.b"));
        assert_bytes_equal(o.record.user_id, BYTES_TEXT("u"));
        assert_bytes_equal(o.record.user_name, BYTES_TEXT("n"));
        assert_false(o.record.has_display_name);
        assert_int_equal(o.record.cred_blob.len, 0);
}

static void D6_a_blob_is_kept_whole_or_not_at_all(void **state) {
        static const uint8_t blob[CTAP_CRED_BLOB_MAX + 1] = { 0, 1, 2 };
        struct fixture *f = *state;
        struct ctap_record record = full_record();
        struct ctap_row row, before;
        struct opened o;

        for (size_t n = 0; n < sizeof(blob); n++) {
                record.cred_blob = BYTES(blob, n);
                seal(f, &record, &row);
                assert_int_equal(open_row(f, &row, &o), 0);
                assert_bytes_equal(o.record.cred_blob, record.cred_blob);
        }
        before = row;
        record.cred_blob = BYTES_OF(blob);
        assert_int_equal(ctap_record_seal(&f->keys, &f->rng.base, &rp, &record, &row), -EMSGSIZE);
        assert_memory_equal(&row, &before, sizeof(row));
}

static void nothing_of_a_record_is_readable(void **state) {
        struct fixture *f = *state;
        struct ctap_record record = full_record();
        struct ctap_row row;

        seal(f, &record, &row);
        assert_null(memmem(row.sealed, row.sealed_len, "example", 7));
        assert_null(memmem(row.sealed, row.sealed_len, "Ada", 3));
}

static void CM11_absent_and_empty_names_are_told_apart(void **state) {
        struct fixture *f = *state;

        for (unsigned bits = 0; bits < 4; bits++) {
                struct ctap_record record = { .rp_id = BYTES_TEXT("a.b"),
                                              .user_id = BYTES_TEXT("u"),
                                              .has_user_name = bits & 1,
                                              .has_display_name = bits & 2 };
                struct ctap_row row;
                struct opened o;

                seal(f, &record, &row);
                assert_int_equal(open_row(f, &row, &o), 0);
                assert_int_equal(o.record.has_user_name, record.has_user_name);
                assert_int_equal(o.record.has_display_name, record.has_display_name);
                assert_int_equal(o.record.user_name.len, 0);
                assert_int_equal(o.record.user_display_name.len, 0);
        }
}

static void B19_long_names_are_cut_between_characters(void **state) {
        struct fixture *f = *state;
        char name[CTAP_USER_TEXT_MAX + 10], display[CTAP_USER_TEXT_MAX + 1];
        struct ctap_record record = full_record();
        struct ctap_row row;
        struct opened o;

        memset(name, 'n', sizeof(name));
        memcpy(name + CTAP_USER_TEXT_MAX - 2, "\xe2\x82\xac", 3);
        memset(display, 'd', sizeof(display));
        record.user_name = BYTES_OF(name);
        record.user_display_name = BYTES_OF(display);

        seal(f, &record, &row);
        assert_int_equal(open_row(f, &row, &o), 0);
        assert_bytes_equal(o.record.user_name, BYTES(name, CTAP_USER_TEXT_MAX - 2));
        assert_bytes_equal(o.record.user_display_name, BYTES(display, CTAP_USER_TEXT_MAX));
        assert_true(bytes_is_utf8(o.record.user_name));
}

static void B20_ids_are_kept_whole_or_not_at_all(void **state) {
        static const uint8_t rp_id[CTAP_RP_ID_MAX + 1], user_id[CTAP_USER_ID_MAX + 1];
        static char text[2 * CTAP_USER_TEXT_MAX];
        struct fixture *f = *state;
        struct ctap_record record = full_record();
        struct ctap_row row, before;
        struct opened o;

        memset(text, 't', sizeof(text));
        record.rp_id = BYTES(rp_id, CTAP_RP_ID_MAX);
        record.user_id = BYTES(user_id, CTAP_USER_ID_MAX);
        record.user_name = BYTES_OF(text);
        record.user_display_name = BYTES_OF(text);
        record.cred_blob = BYTES(text, CTAP_CRED_BLOB_MAX);
        seal(f, &record, &row);
        assert_int_equal(open_row(f, &row, &o), 0);
        assert_bytes_equal(o.record.rp_id, record.rp_id);
        assert_bytes_equal(o.record.user_id, record.user_id);

        before = row;
        record.rp_id = BYTES_OF(rp_id);
        assert_int_equal(ctap_record_seal(&f->keys, &f->rng.base, &rp, &record, &row), -EMSGSIZE);
        record.rp_id = BYTES_TEXT("a");
        record.user_id = BYTES_OF(user_id);
        assert_int_equal(ctap_record_seal(&f->keys, &f->rng.base, &rp, &record, &row), -EMSGSIZE);
        assert_memory_equal(&row, &before, sizeof(row));
}

static void without_randomness_nothing_is_sealed(void **state) {
        struct fixture *f = *state;
        struct ctap_record record = full_record();
        struct ctap_row row = { .id = f->id };

        f->rng.error = -EIO;
        assert_int_equal(ctap_record_seal(&f->keys, &f->rng.base, &rp, &record, &row), -EIO);
        assert_int_equal(row.sealed_len, 0);
}

static void a_record_opens_only_where_it_belongs(void **state) {
        struct fixture *f = *state;
        struct ctap_record record = full_record();
        struct ctap_credential_keys other_keys;
        struct ctap_row row, moved;
        struct opened o;
        struct buf storage = BUF_ON(o.storage);

        seal(f, &record, &row);
        assert_int_equal(ctap_record_open(&f->keys, &other_rp, &row, &storage, &o.record),
                         -EBADMSG);

        moved = row;
        assert_int_equal(ctap_credential_id_make(&f->keys, &f->rng.base, &rp, &moved.id), 0);
        assert_int_equal(open_row(f, &moved, &o), -EBADMSG);

        assert_int_equal(ctap_credential_keys_derive(&other_store_key, &other_keys), 0);
        assert_int_equal(ctap_record_open(&other_keys, &rp, &row, &storage, &o.record), -EBADMSG);
}

static void a_row_opens_by_its_own_tag(void **state) {
        struct fixture *f = *state;
        struct ctap_record record = full_record();
        struct ctap_row row;
        struct opened o;
        struct buf storage = BUF_ON(o.storage);

        seal(f, &record, &row);
        assert_int_equal(ctap_rp_tag(&f->keys, &rp, &row.rp_tag), 0);
        assert_int_equal(ctap_record_open(&f->keys, NULL, &row, &storage, &o.record), 0);
        assert_bytes_equal(o.record.rp_id, record.rp_id);

        storage.len = 0;
        row.rp_tag.b[0] ^= 1;
        assert_int_equal(ctap_record_open(&f->keys, NULL, &row, &storage, &o.record), -EBADMSG);
}

static void one_changed_bit_spoils_a_record(void **state) {
        struct fixture *f = *state;
        struct ctap_record record = full_record();
        struct ctap_row row;
        struct opened o;

        seal(f, &record, &row);
        for (size_t i = 0; i < (size_t)row.sealed_len * 8; i++) {
                row.sealed[i / 8] ^= (uint8_t)(1 << i % 8);
                assert_int_equal(open_row(f, &row, &o), -EBADMSG);
                row.sealed[i / 8] ^= (uint8_t)(1 << i % 8);
        }
        assert_int_equal(open_row(f, &row, &o), 0);
}

static void a_record_of_any_other_length_is_refused(void **state) {
        struct fixture *f = *state;
        struct ctap_record record = full_record();
        struct ctap_row row;
        struct opened o;
        uint16_t whole;

        seal(f, &record, &row);
        whole = row.sealed_len;
        for (unsigned n = 0; n <= sizeof(row.sealed) + 1; n++) {
                row.sealed_len = (uint16_t)n;
                assert_int_equal(open_row(f, &row, &o), n == whole ? 0 : -EBADMSG);
        }
        row.sealed_len = UINT16_MAX;
        assert_int_equal(open_row(f, &row, &o), -EBADMSG);
}

#define TEST(f) cmocka_unit_test_setup(f, set_up)

int main(void) {
        const struct CMUnitTest tests[] = {
                TEST(each_use_has_its_own_key),
                TEST(wiped_keys_are_gone),
                TEST(an_id_is_known_again_for_its_rp),
                TEST(the_layout_of_an_id_is_fixed),
                TEST(two_ids_for_one_rp_differ),
                TEST(without_randomness_there_is_no_id),
                TEST(GA7_an_id_of_another_rp_is_not_opened),
                TEST(GA7_an_id_of_another_store_is_not_opened),
                TEST(GA7_one_changed_bit_makes_an_id_foreign),
                TEST(MC21_ids_of_any_other_length_are_foreign),
                TEST(GA17_a_foreign_id_is_refused_by_computing_alone),
                TEST(tags_depend_on_rp_account_and_store),
                TEST(B20_a_user_id_longer_than_64_has_no_tag),
                TEST(a_large_blob_key_is_of_one_credential_and_store),
                TEST(a_large_blob_key_never_changes),
                TEST(a_record_comes_back_as_it_was),
                TEST(the_layout_of_a_sealed_record_is_fixed),
                TEST(a_record_of_the_first_version_opens),
                TEST(D6_a_blob_is_kept_whole_or_not_at_all),
                TEST(nothing_of_a_record_is_readable),
                TEST(CM11_absent_and_empty_names_are_told_apart),
                TEST(B19_long_names_are_cut_between_characters),
                TEST(B20_ids_are_kept_whole_or_not_at_all),
                TEST(without_randomness_nothing_is_sealed),
                TEST(a_record_opens_only_where_it_belongs),
                TEST(a_row_opens_by_its_own_tag),
                TEST(one_changed_bit_spoils_a_record),
                TEST(a_record_of_any_other_length_is_refused),
        };

        return cmocka_run_group_tests_name("credential", tests, NULL, NULL);
}
