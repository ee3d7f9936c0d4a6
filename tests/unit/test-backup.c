/* SPDX-License-Identifier: BSD-2-Clause */

/* authenticator/backup.c: what a backup says comes back, and nothing else is taken for one. */

#include <errno.h>
#include <string.h>

#include "authenticator/backup.h"
#include "tests/unit/test.h"

static const struct secret32 key = { .b = "a store key" }, other = { .b = "another store key" };

static struct buf make(uint8_t *storage, size_t size, size_t n_image) {
        struct tpm_state state = { .phase = TPM_PHASE_READY, .len = 700 };
        struct buf b = { storage, 0, size, false };

        memset(state.data, 's', state.len);
        for (size_t i = 0; i < n_image; i++)
                buf_put_u8(&b, (uint8_t)i);
        assert_int_equal(backup_finish(&b, 1795000000, "1000", &state, &key), 0);
        return b;
}

static void what_a_backup_says_comes_back(void **state) {
        uint8_t storage[8192];
        struct buf b = make(storage, sizeof(storage), 5000);
        struct backup got;

        (void)state;
        assert_true(b.len <= 5000 + BACKUP_TRAILER_MAX);
        assert_int_equal(backup_read(buf_bytes(&b), &got), 0);
        assert_bytes_equal(got.image, BYTES(storage, 5000));
        assert_int_equal(got.time, 1795000000);
        assert_bytes_equal(got.instance, BYTES_TEXT("1000"));
        assert_int_equal(got.state.phase, TPM_PHASE_READY);
        assert_int_equal(got.state.len, 700);
        assert_int_equal(got.state.data[699], 's');
        assert_true(backup_is_genuine(&got, &key));
        assert_false(backup_is_genuine(&got, &other));
}

static void a_changed_byte_is_no_backup_or_not_genuine(void **state) {
        uint8_t storage[2048];
        struct buf b = make(storage, sizeof(storage), 300);
        struct backup got;

        (void)state;
        for (size_t i = 0; i < b.len; i++) {
                storage[i] ^= 0x10;
                if (backup_read(buf_bytes(&b), &got) == 0)
                        assert_false(backup_is_genuine(&got, &key));
                storage[i] ^= 0x10;
        }
        assert_int_equal(backup_read(buf_bytes(&b), &got), 0);
        assert_true(backup_is_genuine(&got, &key));
}

static void what_is_cut_or_has_more_is_no_backup(void **state) {
        uint8_t storage[2048];
        struct buf b = make(storage, sizeof(storage), 300);
        struct backup got;

        (void)state;
        for (size_t n = 0; n < b.len; n++)
                assert_int_equal(backup_read(BYTES(storage, n), &got), -EBADMSG);
        storage[b.len] = 0;
        assert_int_equal(backup_read(BYTES(storage, b.len + 1), &got), -EBADMSG);
        /* Cut at the front its end is right, and its MAC is not. */
        for (size_t n = 1; n < b.len; n++)
                if (backup_read(BYTES(storage + n, b.len - n), &got) == 0)
                        assert_false(backup_is_genuine(&got, &key));
}

static void a_trailer_that_does_not_fit_is_no_backup(void **state) {
        uint8_t storage[2048];
        struct buf b = make(storage, sizeof(storage), 0);
        uint8_t *length = storage + b.len - 32 - 16 - 4;
        struct backup got;

        (void)state;
        assert_int_equal(backup_read(buf_bytes(&b), &got), 0);
        assert_int_equal(got.image.len, 0);
        memset(length, 0xff, 4);
        assert_int_equal(backup_read(buf_bytes(&b), &got), -EBADMSG);
        memset(length, 0, 4);
        assert_int_equal(backup_read(buf_bytes(&b), &got), -EBADMSG);
}

static void what_has_no_room_is_an_error(void **state) {
        struct tpm_state tpm = { .len = 100 };
        uint8_t storage[100 + 90];

        (void)state;
        for (size_t cap = 0; cap < 100 + 8 + 2 + 4 + 2 + 4 + 16 + 32; cap++) {
                struct buf b = { storage, 0, cap, false };

                assert_int_equal(backup_finish(&b, 1, "1000", &tpm, &key), -EMSGSIZE);
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(what_a_backup_says_comes_back),
                cmocka_unit_test(a_changed_byte_is_no_backup_or_not_genuine),
                cmocka_unit_test(what_is_cut_or_has_more_is_no_backup),
                cmocka_unit_test(a_trailer_that_does_not_fit_is_no_backup),
                cmocka_unit_test(what_has_no_room_is_an_error),
        };

        return cmocka_run_group_tests_name("backup", tests, NULL, NULL);
}
