/* SPDX-License-Identifier: BSD-2-Clause */

/* authenticator/store-copy.c and store-aside.c: a store as bytes, merged, or in the place of another. */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "authenticator/store-aside.h"
#include "authenticator/store-copy.h"
#include "authenticator/store-schema.h"
#include "tests/fake/scratch.h"
#include "tests/unit/test.h"

struct fixture {
        struct scratch folder;
        char path[300], other[310];
        struct store_options options;
        struct store *store;
        struct buf image;
};

static int setup(void **state) {
        struct fixture *f = calloc(1, sizeof(*f));

        assert_non_null(f);
        scratch_make(&f->folder);
        snprintf(f->path, sizeof(f->path), "%s/store.db", f->folder.path);
        snprintf(f->other, sizeof(f->other), "%s.restore", f->path);
        f->options = (struct store_options){ .path = f->path, .max_credentials = 5 };
        assert_int_equal(store_open(&f->options, &f->store), 0);
        *state = f;
        return 0;
}

static int teardown(void **state) {
        struct fixture *f = *state;

        free(f->image.data);
        store_close(f->store);
        scratch_remove(&f->folder);
        free(f);
        return 0;
}

static struct ctap_row make_row(uint8_t n, uint8_t account) {
        struct ctap_row row = { .alg = -7, .class = CTAP_CLASS_A, .cred_protect = 1 };

        memset(row.id.b, n, sizeof(row.id.b));
        memset(row.rp_tag.b, 7, sizeof(row.rp_tag.b));
        if (account > 0) {
                row.flags |= CTAP_ROW_DISCOVERABLE;
                memset(row.account_tag.b, account, sizeof(row.account_tag.b));
        }
        row.key.len = 200;
        row.sealed_len = 300;
        return row;
}

static void insert(struct store *s, uint8_t n, uint8_t account) {
        const struct ctap_row row = make_row(n, account);

        assert_int_equal(store_insert(s, &row, 0), 0);
}

static bool has(struct store *s, uint8_t n) {
        const struct ctap_row row = make_row(n, 0);
        struct ctap_row got;

        return store_find(s, &row.id, &got) == 0;
}

static uint32_t use(struct store *s, uint8_t n) {
        const struct ctap_row row = make_row(n, 0);
        uint32_t count;

        assert_int_equal(store_use(s, &row.id, &count), 0);
        return count;
}

static void take_image(struct fixture *f) {
        free(f->image.data);
        assert_int_equal(store_image(f->store, 100, &f->image), 0);
        assert_int_equal(f->image.cap, f->image.len + 100);
}

static void an_image_is_the_store_of_that_moment(void **state) {
        struct fixture *f = *state;
        struct store_options options = f->options;
        struct store *copy;
        struct stat st;

        insert(f->store, 1, 1);
        insert(f->store, 2, 0);
        assert_int_equal(use(f->store, 1), 1);
        take_image(f);
        insert(f->store, 3, 3);

        assert_int_equal(store_unpack(buf_bytes(&f->image), f->other, &f->options), 0);
        assert_int_equal(stat(f->other, &st), 0);
        assert_int_equal(st.st_mode & 0777, 0600);
        options.path = f->other;
        assert_int_equal(store_open(&options, &copy), 0);
        assert_true(has(copy, 1) && has(copy, 2) && !has(copy, 3));
        assert_int_equal(use(copy, 1), 2);
        store_close(copy);
        store_discard(f->other);
        assert_int_equal(access(f->other, F_OK), -1);
}

static void what_is_no_store_is_not_unpacked(void **state) {
        struct fixture *f = *state;

        assert_true(store_unpack(BYTES_TEXT("no store at all"), f->other, &f->options) < 0);
        assert_int_equal(access(f->other, F_OK), -1);
        insert(f->store, 1, 1);
        take_image(f);
        assert_int_equal(store_unpack(BYTES(f->image.data, f->image.len / 2), f->other,
                                      &f->options),
                         -EUCLEAN);
        assert_int_equal(access(f->other, F_OK), -1);
        /* Over what a restore that was cut short left there. */
        assert_int_equal(symlink("/nowhere", f->other), 0);
        assert_int_equal(store_unpack(buf_bytes(&f->image), f->other, &f->options), 0);
}

static void unpack(struct fixture *f) {
        assert_int_equal(store_unpack(buf_bytes(&f->image), f->other, &f->options), 0);
}

static void a_merge_adds_what_is_missing_and_changes_nothing(void **state) {
        static uint8_t blobs[500];
        const struct ctap_settings settings = { .pin_length = 6, .min_pin_length = 4 };
        struct store_lease lease = { .counter = 9, .used = 3 };
        struct fixture *f = *state;
        uint32_t added, rps, credentials;
        struct ctap_store_state before;
        uint8_t storage[500];
        struct buf read = BUF_ON(storage);

        insert(f->store, 1, 1);
        insert(f->store, 2, 2);
        insert(f->store, 3, 0);
        memset(blobs, 'b', sizeof(blobs));
        assert_int_equal(store_large_blobs_write(f->store, BYTES_OF(blobs)), 0);
        take_image(f);
        unpack(f);

        /* Since then: 1 was used, 2 has a successor, 3 was deleted, 4 is new. */
        assert_int_equal(store_erase(f->store, &(struct tpm_state){ .phase = TPM_PHASE_READY }), 0);
        insert(f->store, 1, 1);
        insert(f->store, 5, 2);
        insert(f->store, 4, 4);
        assert_int_equal(store_set_settings(f->store, &settings), 0);
        assert_int_equal(store_set_lease(f->store, &lease), 0);
        assert_int_equal(use(f->store, 1), 1);
        before = *store_state(f->store);

        assert_int_equal(store_count_missing(f->store, f->other, &added), 0);
        assert_int_equal(added, 1);
        assert_memory_equal(store_state(f->store), &before, sizeof(before));
        assert_false(has(f->store, 3));
        assert_int_equal(store_merge(f->store, f->other, &added), 0);
        assert_int_equal(added, 1);
        assert_true(has(f->store, 1) && !has(f->store, 2) && has(f->store, 3));
        assert_true(has(f->store, 4) && has(f->store, 5));
        store_totals(f->store, &rps, &credentials);
        assert_int_equal(rps, 1);
        assert_int_equal(credentials, 3);
        assert_int_equal(store_remaining(f->store), 1);
        assert_memory_not_equal(store_state(f->store), &before, sizeof(before));
        assert_int_equal(store_settings(f->store)->pin_length, 6);
        assert_int_equal(store_get_lease(f->store, &lease), 0);
        assert_int_equal(lease.counter, 9);
        assert_int_equal(lease.used, 4);
        assert_int_equal(use(f->store, 1), 2);
        assert_int_equal(store_large_blobs_size(f->store), sizeof(blobs));
        assert_int_equal(store_large_blobs_read(f->store, 0, sizeof(blobs), &read), 0);
        assert_bytes_equal(buf_bytes(&read), BYTES_OF(blobs));

        /* Large blobs that are there stay; and again there is nothing to add. */
        assert_int_equal(store_large_blobs_write(f->store, BYTES(blobs, 100)), 0);
        assert_int_equal(store_count_missing(f->store, f->other, &added), 0);
        assert_int_equal(added, 0);
        assert_int_equal(store_merge(f->store, f->other, &added), 0);
        assert_int_equal(added, 0);
        assert_int_equal(store_large_blobs_size(f->store), 100);
}

static void a_merge_that_does_not_fit_changes_nothing(void **state) {
        struct fixture *f = *state;
        uint32_t added, rps, credentials;

        for (uint8_t i = 1; i <= 4; i++)
                insert(f->store, i, i);
        take_image(f);
        unpack(f);
        assert_int_equal(store_erase(f->store, &(struct tpm_state){ .phase = TPM_PHASE_READY }), 0);
        for (uint8_t i = 5; i <= 7; i++)
                insert(f->store, i, i);
        assert_int_equal(store_count_missing(f->store, f->other, &added), -ENOSPC);
        assert_int_equal(store_merge(f->store, f->other, &added), -ENOSPC);
        for (uint8_t i = 1; i <= 4; i++)
                assert_false(has(f->store, i));
        store_totals(f->store, &rps, &credentials);
        assert_int_equal(credentials, 3);
        insert(f->store, 8, 8);
}

/* A backup of a version of long ago is brought to the present format first. */
static void an_image_of_an_older_version_is_merged(void **state) {
        const struct store_schema of_1 = { store_schema.steps, 1 };
        struct fixture *f = *state;
        struct scratch_file file;
        uint32_t added;
        sqlite3 *db;

        assert_int_equal(sqlite3_open(f->other, &db), SQLITE_OK);
        assert_int_equal(store_migrate(db, &of_1, 0), SQLITE_OK);
        assert_int_equal(
                sqlite3_exec(db,
                             "INSERT INTO credential (id, rp_tag, alg, class, cred_protect, flags,"
                             " count, base, created, last_used, key, sealed) VALUES"
                             " (zeroblob(48), zeroblob(32), -7, 1, 1, 0, 3, 0, 1, 2, x'00', x'00')",
                             NULL, NULL, NULL),
                SQLITE_OK);
        assert_int_equal(sqlite3_close(db), SQLITE_OK);
        scratch_read(f->other, &file);
        assert_int_equal(store_unpack(BYTES(file.data, file.len), f->other, &f->options), 0);
        scratch_file_done(&file);
        assert_int_equal(store_merge(f->store, f->other, &added), 0);
        assert_int_equal(added, 1);
        assert_true(has(f->store, 0));
}

static void a_store_takes_the_place_of_another_which_is_kept(void **state) {
        struct fixture *f = *state;
        char name[NAME_MAX + 1], again[NAME_MAX + 1], aside[700];
        struct store_options options = f->options;
        struct store *old;
        unsigned n;

        insert(f->store, 1, 1);
        take_image(f);
        unpack(f);
        insert(f->store, 2, 2);
        assert_int_equal(store_replace(f->store, &f->options, f->other, 1795000000, name), 0);
        assert_non_null(strstr(name, "store.db.before-restore-2026-11-"));
        assert_int_equal(access(f->other, F_OK), -1);
        assert_int_equal(store_open(&f->options, &f->store), 0);
        assert_true(has(f->store, 1) && !has(f->store, 2));

        snprintf(aside, sizeof(aside), "%s/%s", f->folder.path, name);
        options.path = aside;
        assert_int_equal(store_open(&options, &old), 0);
        assert_true(has(old, 1) && has(old, 2));
        store_close(old);
        /* It is not what tells of a TPM that was replaced. */
        assert_int_equal(store_find_aside(f->path, again, &n), -ENOENT);

        /* Within the same minute it gets another name. */
        unpack(f);
        assert_int_equal(store_replace(f->store, &f->options, f->other, 1795000000, again), 0);
        assert_string_not_equal(again, name);
        assert_int_equal(store_open(&f->options, &f->store), 0);
}

static void a_store_that_cannot_be_replaced_stays(void **state) {
        struct fixture *f = *state;
        char name[NAME_MAX + 1];

        insert(f->store, 1, 1);
        assert_true(store_replace(f->store, &f->options, f->other, 1795000000, name) < 0);
        assert_int_equal(store_open(&f->options, &f->store), 0);
        assert_true(has(f->store, 1));
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void) {
        const struct CMUnitTest tests[] = {
                TEST(an_image_is_the_store_of_that_moment),
                TEST(what_is_no_store_is_not_unpacked),
                TEST(a_merge_adds_what_is_missing_and_changes_nothing),
                TEST(a_merge_that_does_not_fit_changes_nothing),
                TEST(an_image_of_an_older_version_is_merged),
                TEST(a_store_takes_the_place_of_another_which_is_kept),
                TEST(a_store_that_cannot_be_replaced_stays),
        };

        return cmocka_run_group_tests_name("store-copy", tests, NULL, NULL);
}
