/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * authenticator/store.c and store-schema.c: what is kept, what a file may look like, and what a disk
 * may do. The last part runs every operation once for each write, sync, truncation and deletion it
 * causes, with that one failing, and with the process killed there.
 */

#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "authenticator/store-copy.h"
#include "authenticator/store-schema.h"
#include "authenticator/store.h"
#include "tests/fake/scratch.h"
#include "tests/fake/vfs.h"
#include "tests/unit/test.h"

struct fixture {
        struct scratch folder;
        char path[300], wal[310];
        char message[5000]; /* the last line that was logged */
        unsigned n_messages;
        struct fault fault;
        struct fake_vfs *vfs;
        struct store *store;
        uint32_t max_credentials;
        struct ctap_store_state before; /* what is to be done next */
};

static void note(void *userdata, _unused_ int priority, const char *message) {
        struct fixture *f = userdata;

        f->n_messages++;
        (void)snprintf(f->message, sizeof(f->message), "%s", message);
        assert_null(strchr(message, '\n'));
}

static int try_open(struct fixture *f) {
        const struct store_options options = {
                .path = f->path,
                .max_credentials = f->max_credentials,
                .log = note,
                .userdata = f,
        };
        int r;

        f->message[0] = '\0';
        f->n_messages = 0;
        r = store_open(&options, &f->store);
        if (r < 0 && r != -ENOMEM) {
                /* What, why, and what to do: three parts, and the file is named. */
                assert_int_equal(f->n_messages, 1);
                assert_non_null(strstr(f->message, f->path));
                assert_non_null(strstr(f->message, ": cannot "));
                assert_non_null(strchr(f->message, ';'));
        }
        return r;
}

static void reopen(struct fixture *f) {
        f->store = store_close(f->store);
        f->fault.at = 0;
        f->fault.hit = false;
        assert_int_equal(try_open(f), 0);
}

static int setup(void **state) {
        struct fixture *f = calloc(1, sizeof(*f));

        assert_non_null(f);
        scratch_make(&f->folder);
        (void)snprintf(f->path, sizeof(f->path), "%s/store.db", f->folder.path);
        (void)snprintf(f->wal, sizeof(f->wal), "%s-wal", f->path);
        f->max_credentials = 10000;
        f->fault.sqlite_code = SQLITE_IOERR_WRITE;
        f->vfs = fake_vfs_new(&f->fault);
        *state = f;
        return 0;
}

static int teardown(void **state) {
        struct fixture *f = *state;

        f->store = store_close(f->store);
        f->vfs = fake_vfs_free(f->vfs);
        scratch_remove(&f->folder);
        free(f);
        return 0;
}

/* Credential number n of account number `account` (0: not discoverable) at site number `site`. */
static struct ctap_row make_row(uint32_t n, uint8_t site, uint32_t account) {
        struct ctap_row row = { .alg = -7, .class = CTAP_CLASS_A, .cred_protect = 1 };
        char text[64];

        memset(row.id.b, 'i', sizeof(row.id.b));
        (void)snprintf(text, sizeof(text), "<credential %u>", n);
        memcpy(row.id.b, text, strlen(text));
        memset(row.rp_tag.b, site, sizeof(row.rp_tag.b));
        if (account > 0) {
                row.flags |= CTAP_ROW_DISCOVERABLE;
                memcpy(row.account_tag.b, &account, sizeof(account));
                row.account_tag.b[31] = site;
        }
        row.key.len = 216;
        memset(row.key.data, 'k', row.key.len);
        memcpy(row.key.data, text, strlen(text));
        row.sealed_len = 300;
        memset(row.sealed, 's', row.sealed_len);
        memcpy(row.sealed, text, strlen(text));
        return row;
}

static int insert(struct fixture *f, uint32_t n, uint8_t site, uint32_t account) {
        struct ctap_row row = make_row(n, site, account);

        return store_insert(f->store, &row, 0);
}

static int find(struct fixture *f, uint32_t n, struct ctap_row *ret) {
        struct ctap_row row = make_row(n, 0, 0);

        return store_find(f->store, &row.id, ret);
}

static int use(struct fixture *f, uint32_t n, uint32_t *ret) {
        struct ctap_row row = make_row(n, 0, 0);

        return store_use(f->store, &row.id, ret);
}

static int drop(struct fixture *f, uint32_t n) {
        struct ctap_row row = make_row(n, 0, 0);

        return store_delete(f->store, &row.id);
}

/* Gives credential number n a record of `len` bytes. */
static int update(struct fixture *f, uint32_t n, char fill, uint16_t len) {
        struct ctap_row row = make_row(n, 0, 0);

        memset(row.sealed, fill, sizeof(row.sealed));
        row.sealed_len = len;
        return store_update(f->store, &row);
}

static bool has_text(const char *path, const char *text) {
        struct scratch_file file;
        bool has;

        scratch_read(path, &file);
        has = scratch_file_has(&file, text, strlen(text));
        scratch_file_done(&file);
        return has;
}

static bool traces_of(const char *path, uint32_t n) {
        char text[64];

        (void)snprintf(text, sizeof(text), "<credential %u>", n);
        return has_text(path, text);
}

static void note_state(struct fixture *f) {
        f->before = *store_state(f->store);
}

static bool state_changed(struct fixture *f) {
        return memcmp(&f->before, store_state(f->store), sizeof(f->before)) != 0;
}

static void assert_totals(struct fixture *f, uint32_t rps, uint32_t credentials) {
        uint32_t n_rps, n;

        store_totals(f->store, &n_rps, &n);
        assert_int_equal(n_rps, rps);
        assert_int_equal(n, credentials);
}

static const uint8_t no_large_blobs[CTAP_LARGE_BLOBS_EMPTY_SIZE] = {
        0x80, 0x76, 0xbe, 0x8b, 0x52, 0x8d, 0x00, 0x75, 0xf7,
        0xaa, 0xe9, 0x8d, 0x6f, 0xa5, 0x7a, 0x6d, 0x3c,
};

static void assert_large_blobs(struct fixture *f, struct bytes want) {
        uint32_t n = store_large_blobs_size(f->store);
        uint8_t *storage = malloc(n);
        struct buf got = { storage, 0, n, false };

        assert_non_null(storage);
        assert_int_equal(store_large_blobs_read(f->store, 0, n, &got), 0);
        assert_bytes_equal(buf_bytes(&got), want);
        free(storage);
}

/* ---- what is kept ----------------------------------------------------------------------- */

static void a_credential_comes_back_as_it_was_given(void **state) {
        struct fixture *f = *state;
        struct ctap_row row = make_row(1, 7, 9), got;

        assert_int_equal(try_open(f), 0);
        row.alg = -35;
        row.class = CTAP_CLASS_B;
        row.cred_protect = 3;
        row.flags |= CTAP_ROW_U2F | CTAP_ROW_LARGE_BLOB_KEY | CTAP_ROW_THIRD_PARTY_PAYMENT;
        row.key.len = CTAP_KEY_BLOB_MAX;
        row.sealed_len = sizeof(row.sealed);
        assert_int_equal(store_insert(f->store, &row, -640), 0);
        reopen(f);

        assert_int_equal(store_find(f->store, &row.id, &got), 0);
        assert_memory_equal(&got.id, &row.id, sizeof(row.id));
        assert_memory_equal(&got.rp_tag, &row.rp_tag, sizeof(row.rp_tag));
        assert_memory_equal(&got.account_tag, &row.account_tag, sizeof(row.account_tag));
        assert_int_equal(got.alg, -35);
        assert_int_equal(got.class, CTAP_CLASS_B);
        assert_int_equal(got.cred_protect, 3);
        assert_int_equal(got.flags, CTAP_ROW_DISCOVERABLE | CTAP_ROW_U2F | CTAP_ROW_LARGE_BLOB_KEY |
                                            CTAP_ROW_THIRD_PARTY_PAYMENT);
        assert_int_equal(got.count, 0);
        assert_int_equal(got.sequence, 1);
        assert_true(got.created > 1700000000);
        assert_int_equal(got.last_used, 0);
        assert_bytes_equal(BYTES(got.key.data, got.key.len), BYTES(row.key.data, row.key.len));
        assert_bytes_equal(BYTES(got.sealed, got.sealed_len), BYTES(row.sealed, row.sealed_len));
}

static void a_row_that_breaks_a_rule_is_refused(void **state) {
        struct fixture *f = *state;
        struct ctap_row row = make_row(1, 7, 0);

        assert_int_equal(try_open(f), 0);
        assert_int_equal(store_insert(f->store, &row, 1), -EINVAL);
        row.cred_protect = 4;
        assert_int_equal(store_insert(f->store, &row, 0), -EINVAL);
        row.cred_protect = 1;
        row.class = 0;
        assert_int_equal(store_insert(f->store, &row, 0), -EINVAL);
        row.class = CTAP_CLASS_A;
        row.sealed_len = sizeof(row.sealed) + 1;
        assert_int_equal(store_insert(f->store, &row, 0), -EINVAL);
        assert_int_equal(insert(f, 1, 7, 0), 0);
        assert_int_equal(insert(f, 1, 8, 0), -EEXIST);
        assert_int_equal(store_remaining(f->store), 9999);
}

static void the_newest_of_an_rp_come_first(void **state) {
        struct fixture *f = *state;
        struct ctap_row row, want = make_row(0, 7, 1);
        static const struct sha256 nobody;
        uint64_t before = UINT64_MAX;

        assert_int_equal(try_open(f), 0);
        for (uint32_t i = 1; i <= 6; i++) {
                row = make_row(i, i == 3 ? 8 : 7, i == 4 ? 0 : i);
                row.cred_protect = i == 5 ? 3 : 1;
                assert_int_equal(store_insert(f->store, &row, 0), 0);
        }

        /* 3 is another site's, 4 is not discoverable, 5 is protected. */
        static const uint64_t order[] = { 6, 2, 1 };

        for (size_t i = 0; i < ELEMENTSOF(order); i++) {
                assert_int_equal(store_newest(f->store, &want.rp_tag, 2, before, &row), 0);
                assert_int_equal(row.sequence, order[i]);
                before = row.sequence;
        }
        assert_int_equal(store_newest(f->store, &want.rp_tag, 2, before, &row), -ENOENT);
        assert_int_equal(store_newest(f->store, &want.rp_tag, 3, 6, &row), 0);
        assert_int_equal(row.sequence, 5);
        assert_int_equal(find(f, 4, &row), 0);
        assert_bytes_equal(BYTES_OF(row.account_tag), BYTES_OF(nobody));
}

static void a_discoverable_credential_replaces_that_of_its_account(void **state) {
        struct fixture *f = *state;
        struct ctap_row row;

        f->max_credentials = 2;
        assert_int_equal(try_open(f), 0);
        assert_int_equal(insert(f, 1, 7, 1), 0);
        assert_int_equal(insert(f, 2, 7, 2), 0);
        assert_int_equal(insert(f, 3, 7, 1), 0); /* also when the store is full */
        assert_int_equal(find(f, 1, &row), -ENOENT);
        assert_int_equal(find(f, 2, &row), 0);
        assert_int_equal(find(f, 3, &row), 0);
        assert_int_equal(row.sequence, 3);
        assert_int_equal(store_remaining(f->store), 0);
}

static void the_limit_counts_all_kinds_and_loses_nothing(void **state) {
        struct fixture *f = *state;
        struct ctap_row row;

        f->max_credentials = 2;
        assert_int_equal(try_open(f), 0);
        assert_int_equal(insert(f, 1, 7, 0), 0);
        assert_int_equal(insert(f, 2, 7, 1), 0);
        assert_int_equal(insert(f, 3, 7, 2), -ENOSPC);
        assert_non_null(strstr(f->message, "delete some"));
        assert_int_equal(insert(f, 3, 7, 0), -ENOSPC);
        assert_int_equal(drop(f, 1), 0);
        assert_int_equal(store_remaining(f->store), 1);
        assert_int_equal(insert(f, 3, 7, 2), 0);
        assert_int_equal(find(f, 2, &row), 0);

        /* A limit that was lowered keeps what is there. */
        f->max_credentials = 1;
        reopen(f);
        assert_int_equal(store_remaining(f->store), 0);
        assert_int_equal(find(f, 3, &row), 0);
}

static int insert_all(struct fixture *f, const struct ctap_row *rows, size_t n, size_t *n_added) {
        *n_added = 99;
        return store_insert_all(f->store, rows, n, 0, n_added);
}

static void several_are_added_at_once_or_none(void **state) {
        const struct ctap_row rows[] = { make_row(3, 7, 1), make_row(4, 7, 0), make_row(5, 8, 2),
                                         make_row(6, 8, 3) };
        struct fixture *f = *state;
        struct ctap_row row;
        size_t n_added;

        f->max_credentials = 4;
        assert_int_equal(try_open(f), 0);
        assert_int_equal(insert(f, 1, 7, 1), 0);
        assert_int_equal(insert(f, 2, 9, 0), 0);
        note_state(f);

        /* The first takes the place of one, so that three fit and the last does not. */
        assert_int_equal(insert_all(f, rows, 4, &n_added), -ENOSPC);
        assert_int_equal(n_added, 3);
        assert_non_null(strstr(f->message, "delete some"));
        assert_false(state_changed(f));
        assert_totals(f, 1, 1);
        assert_int_equal(store_remaining(f->store), 2);
        for (uint32_t i = 3; i <= 6; i++)
                assert_int_equal(find(f, i, &row), -ENOENT);
        assert_int_equal(find(f, 1, &row), 0);

        assert_int_equal(insert_all(f, rows, 3, &n_added), 0);
        assert_int_equal(n_added, 3);
        assert_true(state_changed(f));
        assert_totals(f, 2, 2);
        assert_int_equal(store_remaining(f->store), 0);
        assert_int_equal(find(f, 1, &row), -ENOENT);
        reopen(f);
        assert_totals(f, 2, 2);
        assert_int_equal(store_remaining(f->store), 0);
        for (uint32_t i = 3; i <= 5; i++) {
                assert_int_equal(find(f, i, &row), 0);
                assert_int_equal(row.sequence, i);
        }
}

static void one_that_is_wrong_keeps_the_others_out(void **state) {
        struct ctap_row rows[] = { make_row(1, 7, 1), make_row(2, 7, 2), make_row(1, 9, 0) };
        struct fixture *f = *state;
        struct ctap_row row;
        size_t n_added;

        assert_int_equal(try_open(f), 0);
        assert_int_equal(insert_all(f, rows, 3, &n_added), -EEXIST);
        assert_int_equal(n_added, 2);
        rows[1].cred_protect = 4;
        assert_int_equal(insert_all(f, rows, 2, &n_added), -EINVAL);
        assert_int_equal(n_added, 1);
        assert_int_equal(find(f, 1, &row), -ENOENT);
        assert_totals(f, 0, 0);
        assert_int_equal(insert_all(f, rows, 0, &n_added), 0);
        assert_int_equal(n_added, 0);
        assert_int_equal(store_remaining(f->store), 10000);
}

static int delete_odd(void *userdata, const struct ctap_row *row) {
        struct fixture *f = userdata;

        return row->sequence % 2 == 1 ? store_delete(f->store, &row->id) : 0;
}

static int stop_at_four(void *userdata, const struct ctap_row *row) {
        unsigned *n = userdata;

        (*n)++;
        return row->sequence == 4 ? 44 : 0;
}

static void a_walk_sees_each_credential_and_may_delete(void **state) {
        struct fixture *f = *state;
        unsigned n = 0;

        assert_int_equal(try_open(f), 0);
        for (uint32_t i = 1; i <= 6; i++)
                assert_int_equal(insert(f, i, 7, i % 3), 0);
        reopen(f);
        assert_int_equal(store_each(f->store, delete_odd, f), 0);
        assert_int_equal(store_each(f->store, stop_at_four, &n), 44);
        assert_in_range(n, 1, 2);
        assert_int_equal(drop(f, 1), -ENOENT);
}

static void a_number_is_not_given_to_a_second_credential(void **state) {
        struct fixture *f = *state;
        struct ctap_row row;

        assert_int_equal(try_open(f), 0);
        assert_int_equal(insert(f, 1, 7, 1), 0);
        assert_int_equal(drop(f, 1), 0);
        assert_int_equal(insert(f, 2, 7, 1), 0);
        assert_int_equal(find(f, 2, &row), 0);
        assert_int_equal(row.sequence, 2);
}

static void a_use_raises_the_count_and_the_lease_with_one_sync(void **state) {
        struct fixture *f = *state;
        struct store_lease lease = { .counter = 5 };
        struct ctap_row row;
        uint32_t count;
        unsigned n;

        assert_int_equal(try_open(f), 0);
        assert_int_equal(insert(f, 1, 7, 1), 0);
        assert_int_equal(store_set_lease(f->store, &lease), 0);
        for (uint32_t i = 1; i <= 3; i++) {
                n = fake_vfs_n_syncs(f->vfs);
                assert_int_equal(use(f, 1, &count), 0);
                assert_int_equal(count, i);
                assert_int_equal(fake_vfs_n_syncs(f->vfs), n + 1);
        }
        assert_int_equal(use(f, 2, &count), -ENOENT);
        assert_int_equal(store_get_lease(f->store, &lease), 0);
        assert_int_equal(lease.used, 3);
        assert_int_equal(find(f, 1, &row), 0);
        assert_int_equal(row.count, 3);
        assert_true(row.last_used >= row.created);
}

static void raising_reaches_every_credential_and_never_lowers(void **state) {
        struct fixture *f = *state;
        struct store_lease lease = { .counter = 10, .clean = false };
        struct ctap_row row = make_row(1, 7, 1);
        uint32_t count;

        assert_int_equal(try_open(f), 0);
        assert_int_equal(store_insert(f->store, &row, -100), 0);
        row = make_row(2, 7, 0);
        assert_int_equal(store_insert(f->store, &row, -300), 0);
        for (int i = 0; i < 60; i++)
                assert_int_equal(use(f, 2, &count), 0);
        assert_int_equal(store_raise_counts(f->store, 150, &lease), 0);
        assert_int_equal(store_raise_counts(f->store, 110, &lease), 0);
        reopen(f);

        assert_int_equal(find(f, 1, &row), 0);
        assert_int_equal(row.count, 50);
        assert_int_equal(find(f, 2, &row), 0);
        assert_int_equal(row.count, 60);
        assert_int_equal(use(f, 1, &count), 0);
        assert_int_equal(count, 51);
        assert_int_equal(use(f, 2, &count), 0);
        assert_int_equal(count, 61);
        assert_int_equal(store_get_lease(f->store, &lease), 0);
        assert_int_equal(lease.counter, 10);
}

static void a_count_ends_at_32_bits(void **state) {
        struct fixture *f = *state;
        const struct store_lease lease = { .counter = 1 };
        const struct store_lease beyond = { .counter = UINT64_MAX };
        struct ctap_row row;
        uint32_t count = 77;

        assert_int_equal(try_open(f), 0);
        assert_int_equal(insert(f, 1, 7, 1), 0);
        assert_int_equal(store_raise_counts(f->store, (int64_t)UINT32_MAX - 1, &lease), 0);
        assert_int_equal(use(f, 1, &count), 0);
        assert_int_equal(count, UINT32_MAX);
        assert_int_equal(use(f, 1, &count), -EOVERFLOW);
        assert_int_equal(store_raise_counts(f->store, INT64_MAX, &lease), 0);
        assert_int_equal(find(f, 1, &row), 0);
        assert_int_equal(row.count, UINT32_MAX);
        assert_int_equal(use(f, 1, &count), -EOVERFLOW);
        assert_int_equal(count, UINT32_MAX);
        assert_int_equal(store_set_lease(f->store, &beyond), -EOVERFLOW);
}

static void lease_and_tpm_state_come_back(void **state) {
        struct fixture *f = *state;
        struct store_lease lease = { .counter = INT64_MAX, .used = UINT32_MAX, .clean = true }, got;
        static struct tpm_state tpm, tpm_got;

        assert_int_equal(try_open(f), 0);
        assert_int_equal(store_get_lease(f->store, &got), -ENOENT);
        tpm_got.phase = TPM_PHASE_READY;
        assert_int_equal(store_get_tpm_state(f->store, &tpm_got), 0);
        assert_int_equal(tpm_got.phase, TPM_PHASE_NONE);

        tpm.phase = TPM_PHASE_PROVISIONING;
        tpm.len = TPM_STATE_MAX;
        memset(tpm.data, 0xa5, sizeof(tpm.data));
        assert_int_equal(store_set_lease(f->store, &lease), 0);
        assert_int_equal(store_set_tpm_state(f->store, &tpm), 0);
        reopen(f);
        assert_int_equal(store_get_lease(f->store, &got), 0);
        assert_true(got.counter == INT64_MAX && got.used == UINT32_MAX && got.clean);
        assert_int_equal(store_get_tpm_state(f->store, &tpm_got), 0);
        assert_int_equal(tpm_got.phase, TPM_PHASE_PROVISIONING);
        assert_bytes_equal(BYTES(tpm_got.data, tpm_got.len), BYTES(tpm.data, tpm.len));
}

static struct ctap_settings make_settings(void) {
        struct ctap_settings all = { .pin_length = 63,
                                     .min_pin_length = 8,
                                     .force_pin_change = true,
                                     .pin_in_doubt = true,
                                     .uv_retries = 1,
                                     .always_uv = true,
                                     .enterprise_attestation = true,
                                     .long_touch_for_reset = true,
                                     .pin_complexity = true,
                                     .pin_is_for_enrolment = true,
                                     .pin_is_complex = true,
                                     .persistent_token_epoch = UINT32_MAX,
                                     .n_min_pin_length_rps = CTAP_MIN_PIN_LENGTH_RPS };

        for (uint8_t i = 0; i < CTAP_MIN_PIN_LENGTH_RPS; i++)
                memset(all.min_pin_length_rps[i].b, i + 1, sizeof(struct sha256));
        return all;
}

static void assert_settings(const struct ctap_settings *got, const struct ctap_settings *want) {
        assert_int_equal(got->pin_length, want->pin_length);
        assert_int_equal(got->min_pin_length, want->min_pin_length);
        assert_int_equal(got->force_pin_change, want->force_pin_change);
        assert_int_equal(got->pin_in_doubt, want->pin_in_doubt);
        assert_int_equal(got->uv_retries, want->uv_retries);
        assert_int_equal(got->always_uv, want->always_uv);
        assert_int_equal(got->enterprise_attestation, want->enterprise_attestation);
        assert_int_equal(got->long_touch_for_reset, want->long_touch_for_reset);
        assert_int_equal(got->pin_complexity, want->pin_complexity);
        assert_int_equal(got->pin_is_for_enrolment, want->pin_is_for_enrolment);
        assert_int_equal(got->pin_is_complex, want->pin_is_complex);
        assert_int_equal(got->persistent_token_epoch, want->persistent_token_epoch);
        assert_int_equal(got->n_min_pin_length_rps, want->n_min_pin_length_rps);
        assert_memory_equal(got->min_pin_length_rps, want->min_pin_length_rps,
                            sizeof(got->min_pin_length_rps));
}

static void settings_come_back(void **state) {
        const struct ctap_settings all = make_settings(), none = CTAP_SETTINGS_DEFAULT;
        struct fixture *f = *state;

        assert_int_equal(try_open(f), 0);
        assert_settings(store_settings(f->store), &none);
        assert_int_equal(store_set_settings(f->store, &none), 0);
        reopen(f);
        assert_settings(store_settings(f->store), &none);
        assert_int_equal(store_set_settings(f->store, &all), 0);
        assert_settings(store_settings(f->store), &all);
        reopen(f);
        assert_settings(store_settings(f->store), &all);

        /* What is borrowed may be given back. */
        assert_int_equal(store_set_settings(f->store, store_settings(f->store)), 0);
        assert_settings(store_settings(f->store), &all);
}

static void no_setting_is_kept_in_the_place_of_another(void **state) {
        static const struct ctap_settings each[] = {
                { .min_pin_length = 4, .force_pin_change = true },
                { .min_pin_length = 4, .pin_in_doubt = true },
                { .min_pin_length = 4, .always_uv = true },
                { .min_pin_length = 4, .enterprise_attestation = true },
                { .min_pin_length = 4, .long_touch_for_reset = true },
                { .min_pin_length = 4, .pin_complexity = true },
                { .min_pin_length = 4, .pin_is_for_enrolment = true },
                { .min_pin_length = 4, .pin_is_complex = true },
                { .min_pin_length = 4, .persistent_token_epoch = 300 },
                { .min_pin_length = 4, .uv_retries = 2 },
                { .min_pin_length = 4, .n_min_pin_length_rps = 1 },
        };
        struct fixture *f = *state;

        assert_int_equal(try_open(f), 0);
        for (size_t i = 0; i < ELEMENTSOF(each); i++) {
                assert_int_equal(store_set_settings(f->store, &each[i]), 0);
                reopen(f);
                assert_settings(store_settings(f->store), &each[i]);
        }
}

static void a_setting_out_of_its_range_is_refused(void **state) {
        const struct ctap_settings all = make_settings();
        struct fixture *f = *state;
        struct ctap_settings bad[] = { all, all, all, all };

        bad[0].min_pin_length = CTAP_MIN_PIN_LENGTH - 1;
        bad[1].min_pin_length = 64;
        bad[2].uv_retries = CTAP_UV_RETRIES_MAX + 1;
        bad[3].n_min_pin_length_rps = CTAP_MIN_PIN_LENGTH_RPS + 1;
        assert_int_equal(try_open(f), 0);
        assert_int_equal(store_set_settings(f->store, &all), 0);
        for (size_t i = 0; i < ELEMENTSOF(bad); i++)
                assert_int_equal(store_set_settings(f->store, &bad[i]), -EINVAL);
        assert_settings(store_settings(f->store), &all);
}

static struct ctap_secret_blob make_secret(uint8_t fill, uint16_t len) {
        struct ctap_secret_blob blob = { .len = len };

        memset(blob.data, fill, len);
        return blob;
}

static void assert_secret(const struct ctap_secret_blob *got, const struct ctap_secret_blob *want) {
        assert_bytes_equal(BYTES(got->data, got->len), BYTES(want->data, want->len));
}

static void a_credential_gets_its_secrets_once(void **state) {
        const struct ctap_secret_blob first = make_secret('a', 1), second = make_secret('b', 768),
                                      none = { 0 }, long_one = { .len = 769 };
        struct fixture *f = *state;
        struct ctap_row row = make_row(2, 7, 2), got;

        assert_int_equal(try_open(f), 0);
        assert_int_equal(insert(f, 1, 7, 1), 0);
        row.cred_random = second;
        assert_int_equal(store_insert(f->store, &row, 0), -EINVAL);
        row.cred_random_uv = first;
        assert_int_equal(store_insert(f->store, &row, 0), 0);
        assert_int_equal(store_set_cred_random(f->store, &row.id, &first, &second), -EEXIST);
        row = make_row(3, 7, 3);
        assert_int_equal(store_set_cred_random(f->store, &row.id, &first, &second), -ENOENT);

        row = make_row(1, 7, 1);
        assert_int_equal(store_set_cred_random(f->store, &row.id, &first, &none), -EINVAL);
        assert_int_equal(store_set_cred_random(f->store, &row.id, &none, &second), -EINVAL);
        assert_int_equal(store_set_cred_random(f->store, &row.id, &long_one, &second), -EINVAL);
        assert_int_equal(find(f, 1, &got), 0);
        assert_true(got.cred_random.len == 0 && got.cred_random_uv.len == 0);
        assert_int_equal(store_set_cred_random(f->store, &row.id, &first, &second), 0);
        reopen(f);
        assert_int_equal(find(f, 1, &got), 0);
        assert_secret(&got.cred_random, &first);
        assert_secret(&got.cred_random_uv, &second);
        assert_int_equal(find(f, 2, &got), 0);
        assert_secret(&got.cred_random, &second);
        assert_secret(&got.cred_random_uv, &first);
}

/* Sites in the order of their tags, each given once. */
static void CM5_each_site_with_discoverable_credentials_is_given_once(void **state) {
        static const uint8_t sites[] = { 9, 255, 0, 9, 128, 0 };
        static const struct {
                uint8_t site;
                uint64_t oldest;
        } want[] = { { 0, 3 }, { 9, 1 }, { 128, 5 }, { 255, 2 } };
        struct fixture *f = *state;
        const struct sha256 *after = NULL;
        struct ctap_row row;

        assert_int_equal(try_open(f), 0);
        assert_int_equal(store_next_rp(f->store, NULL, &row), -ENOENT);
        for (uint32_t i = 0; i < ELEMENTSOF(sites); i++)
                assert_int_equal(insert(f, i + 1, sites[i], i + 1), 0);
        assert_int_equal(insert(f, 100, 50, 0), 0); /* CM13: this one is not discoverable */

        for (size_t i = 0; i < ELEMENTSOF(want); i++) {
                assert_int_equal(store_next_rp(f->store, after, &row), 0);
                assert_int_equal(row.rp_tag.b[0], want[i].site);
                assert_int_equal(row.sequence, want[i].oldest);
                after = &row.rp_tag;
        }
        assert_int_equal(store_next_rp(f->store, after, &row), -ENOENT);
        assert_int_equal(row.rp_tag.b[0], 255);
}

static void CM4_the_totals_follow_every_change(void **state) {
        static const struct tpm_state tpm = { .phase = TPM_PHASE_ERASING };
        struct ctap_row row = make_row(8, 7, 1);
        struct fixture *f = *state;

        f->max_credentials = 5;
        assert_int_equal(try_open(f), 0);
        assert_totals(f, 0, 0);
        assert_int_equal(insert(f, 1, 7, 1), 0);
        assert_totals(f, 1, 1);
        assert_int_equal(insert(f, 2, 7, 2), 0);
        assert_totals(f, 1, 2);
        assert_int_equal(insert(f, 3, 7, 0), 0);
        assert_int_equal(insert(f, 4, 9, 0), 0);
        assert_totals(f, 1, 2);
        assert_int_equal(insert(f, 5, 8, 1), 0);
        assert_totals(f, 2, 3);
        assert_int_equal(insert(f, 6, 8, 1), 0); /* in the place of 5 */
        assert_int_equal(insert(f, 7, 8, 2), -ENOSPC);
        assert_int_equal(update(f, 6, 'u', 30), 0);
        assert_totals(f, 2, 3);
        reopen(f);
        assert_totals(f, 2, 3);

        assert_int_equal(drop(f, 4), 0);
        assert_int_equal(drop(f, 2), 0);
        assert_totals(f, 2, 2);
        assert_int_equal(drop(f, 2), -ENOENT);
        assert_int_equal(insert(f, 6, 9, 9), -EEXIST);
        row.rp_tag.b[0] = 8; /* the account of one site at another: no account tag is so */
        assert_int_equal(store_insert(f->store, &row, 0), -EEXIST);
        assert_totals(f, 2, 2);
        assert_int_equal(drop(f, 6), 0);
        assert_totals(f, 1, 1);
        reopen(f);
        assert_totals(f, 1, 1);
        assert_int_equal(store_erase(f->store, &tpm), 0);
        assert_totals(f, 0, 0);
        assert_int_equal(insert(f, 1, 7, 1), 0);
        assert_totals(f, 1, 1);
}

static void CM10_an_update_puts_the_record_and_touches_nothing_else(void **state) {
        static const uint16_t lengths[] = { 1, 1024, 300 };
        struct fixture *f = *state;
        struct ctap_row before, after;
        uint32_t count;

        assert_int_equal(try_open(f), 0);
        for (uint32_t i = 1; i <= 3; i++)
                assert_int_equal(insert(f, i, 7, i), 0);
        assert_int_equal(use(f, 2, &count), 0);
        assert_int_equal(find(f, 2, &before), 0);
        for (size_t i = 0; i < ELEMENTSOF(lengths); i++) {
                assert_int_equal(update(f, 2, 'u', lengths[i]), 0);
                reopen(f);
                assert_int_equal(find(f, 2, &after), 0);
                assert_int_equal(after.sealed_len, lengths[i]);
                for (uint16_t k = 0; k < lengths[i]; k++)
                        assert_int_equal(after.sealed[k], 'u');
                assert_int_equal(after.sequence, before.sequence);
                assert_int_equal(after.count, 1);
                assert_int_equal(after.last_used, before.last_used);
                assert_bytes_equal(BYTES(after.key.data, after.key.len),
                                   BYTES(before.key.data, before.key.len));
        }
        assert_int_equal(find(f, 3, &after), 0);
        assert_int_equal(after.sealed[20], 's');
        assert_int_equal(update(f, 4, 'u', 30), -ENOENT);
        assert_int_equal(update(f, 2, 'u', 1025), -EINVAL);
}

static int op_insert_other(struct fixture *f) {
        return insert(f, 20, 9, 0);
}

static int op_use_once(struct fixture *f) {
        uint32_t count;

        return use(f, 1, &count);
}

static int op_update_other(struct fixture *f) {
        return update(f, 2, 'u', 30);
}

static int op_keep_secrets(struct fixture *f) {
        const struct ctap_secret_blob secret = make_secret('c', 400);
        struct ctap_row row = make_row(1, 0, 0);

        return store_set_cred_random(f->store, &row.id, &secret, &secret);
}

static int op_keep_settings(struct fixture *f) {
        const struct ctap_settings settings = make_settings();

        return store_set_settings(f->store, &settings);
}

static int op_keep_large_blobs(struct fixture *f) {
        return store_large_blobs_write(f->store, BYTES("seventeen bytes, and more", 25));
}

static int op_delete_other(struct fixture *f) {
        return drop(f, 2);
}

static int op_insert_new(struct fixture *f) {
        return insert(f, 21, 9, 21);
}

static int op_insert_again(struct fixture *f) {
        return insert(f, 22, 9, 21);
}

static int op_update_one(struct fixture *f) {
        return update(f, 1, 'u', 30);
}

static int op_delete_one(struct fixture *f) {
        return drop(f, 22);
}

static int op_erase_all(struct fixture *f) {
        static const struct tpm_state tpm = { .phase = TPM_PHASE_ERASING };

        return store_erase(f->store, &tpm);
}

static void GI9_the_state_changes_with_discoverable_credentials_and_nothing_else(void **state) {
        static int (*const leaving[])(struct fixture * f) = {
                op_insert_other, op_use_once,      op_update_other,     op_keep_secrets,
                op_delete_other, op_keep_settings, op_keep_large_blobs,
        };
        static int (*const changing[])(struct fixture * f) = {
                op_insert_new, op_insert_again, op_update_one, op_update_one,
                op_delete_one, op_erase_all,    op_erase_all,
        };
        struct ctap_store_state seen[ELEMENTSOF(changing) + 1];
        struct fixture *f = *state;

        assert_int_equal(try_open(f), 0);
        assert_int_equal(insert(f, 1, 7, 1), 0);
        assert_int_equal(insert(f, 2, 7, 0), 0);
        note_state(f);
        for (size_t i = 0; i < ELEMENTSOF(leaving); i++) {
                assert_int_equal(leaving[i](f), 0);
                assert_false(state_changed(f));
                reopen(f);
                assert_false(state_changed(f));
        }
        assert_int_equal(insert(f, 1, 7, 3), -EEXIST);
        assert_int_equal(update(f, 99, 'u', 30), -ENOENT);
        assert_int_equal(drop(f, 99), -ENOENT);
        assert_false(state_changed(f));

        seen[0] = *store_state(f->store);
        for (size_t i = 0; i < ELEMENTSOF(changing); i++) {
                assert_int_equal(changing[i](f), 0);
                seen[i + 1] = *store_state(f->store);
                for (size_t k = 0; k <= i; k++)
                        assert_memory_not_equal(&seen[k], &seen[i + 1], sizeof(seen[k]));
                note_state(f);
                reopen(f);
                assert_false(state_changed(f));
        }
}

static void LB9_large_blobs_begin_empty_and_are_replaced_whole(void **state) {
        static const struct tpm_state tpm = { .phase = TPM_PHASE_ERASING };
        static const uint32_t sizes[] = { STORE_LARGE_BLOBS_MAX, 17, 5000, 65536, 18 };
        uint8_t *array = malloc(STORE_LARGE_BLOBS_MAX);
        struct fixture *f = *state;

        assert_non_null(array);
        for (uint32_t i = 0; i < STORE_LARGE_BLOBS_MAX; i++)
                array[i] = (uint8_t)(i * 31 + (i >> 8));
        assert_int_equal(try_open(f), 0);
        assert_large_blobs(f, BYTES_OF(no_large_blobs));
        for (size_t i = 0; i < ELEMENTSOF(sizes); i++) {
                assert_int_equal(store_large_blobs_write(f->store, BYTES(array + i, sizes[i] - i)),
                                 sizes[i] - i < 17 ? -EINVAL : 0);
                if (sizes[i] - i < 17)
                        continue;
                assert_large_blobs(f, BYTES(array + i, sizes[i] - i));
                store_settle(f->store);
                reopen(f);
                assert_large_blobs(f, BYTES(array + i, sizes[i] - i));
        }
        assert_int_equal(store_large_blobs_write(f->store, BYTES(array, 16)), -EINVAL);
        assert_int_equal(store_large_blobs_write(f->store, BYTES(array, STORE_LARGE_BLOBS_MAX + 1)),
                         -EINVAL);
        assert_int_equal(store_erase(f->store, &tpm), 0);
        assert_large_blobs(f, BYTES_OF(no_large_blobs));
        reopen(f);
        assert_large_blobs(f, BYTES_OF(no_large_blobs));
        free(array);
}

static void LB2_large_blobs_are_read_in_fragments(void **state) {
        static uint8_t array[10000], storage[4000];
        struct fixture *f = *state;
        struct buf out = BUF_ON(storage);

        for (size_t i = 0; i < sizeof(array); i++)
                array[i] = (uint8_t)(i * 31 + (i >> 8));
        assert_int_equal(try_open(f), 0);
        assert_int_equal(store_large_blobs_write(f->store, BYTES_OF(array)), 0);
        assert_int_equal(store_large_blobs_size(f->store), sizeof(array));

        /* What is there already stays in front. */
        buf_put_u8(&out, 0xa1);
        assert_int_equal(store_large_blobs_read(f->store, 4090, 12, &out), 0);
        assert_int_equal(store_large_blobs_read(f->store, 9999, 1, &out), 0);
        assert_int_equal(store_large_blobs_read(f->store, 10000, 0, &out), 0);
        assert_int_equal(out.len, 14);
        assert_int_equal(storage[0], 0xa1);
        assert_memory_equal(storage + 1, array + 4090, 12);
        assert_int_equal(storage[13], array[9999]);

        assert_int_equal(store_large_blobs_read(f->store, 9999, 2, &out), -EINVAL);
        assert_int_equal(store_large_blobs_read(f->store, 10001, 0, &out), -EINVAL);
        assert_int_equal(store_large_blobs_read(f->store, UINT32_MAX, UINT32_MAX, &out), -EINVAL);
        assert_int_equal(out.len, 14);
        assert_int_equal(buf_error(&out), 0);
        assert_int_equal(store_large_blobs_read(f->store, 0, 3987, &out), -EMSGSIZE);
        assert_int_equal(buf_error(&out), -EMSGSIZE);
}

static struct store_spare make_spare(uint8_t fill, uint16_t len) {
        struct store_spare spare = { .key.len = len };

        memset(spare.key.data, fill, len);
        memset(spare.tag.b, fill + 1, sizeof(spare.tag.b));
        return spare;
}

static void assert_spare(struct fixture *f, const struct store_spare *want) {
        struct store_spare got;

        assert_int_equal(store_get_spare(f->store, &got), 0);
        assert_bytes_equal(BYTES(got.key.data, got.key.len), BYTES(want->key.data, want->key.len));
        if (want->key.len > 0)
                assert_memory_equal(&got.tag, &want->tag, sizeof(got.tag));
}

static void the_spare_key_is_kept_or_wanted_or_neither(void **state) {
        static const struct tpm_state tpm = { .phase = TPM_PHASE_ERASING };
        static const uint16_t lens[] = { 506, 0, CTAP_KEY_BLOB_MAX, 1 };
        struct fixture *f = *state;
        struct store_spare spare;

        assert_int_equal(try_open(f), 0);
        assert_int_equal(store_get_spare(f->store, &spare), -ENOENT);
        for (size_t i = 0; i < ELEMENTSOF(lens); i++) {
                spare = make_spare((uint8_t)('a' + i), lens[i]);
                assert_int_equal(store_set_spare(f->store, &spare), 0);
                assert_spare(f, &spare);
                reopen(f);
                assert_spare(f, &spare);
        }
        spare.key.len = CTAP_KEY_BLOB_MAX + 1;
        assert_int_equal(store_set_spare(f->store, &spare), -EINVAL);
        assert_int_equal(store_erase(f->store, &tpm), 0);
        assert_int_equal(store_get_spare(f->store, &spare), -ENOENT);
        reopen(f);
        assert_int_equal(store_get_spare(f->store, &spare), -ENOENT);
}

static void what_is_erased_leaves_no_trace(void **state) {
        struct fixture *f = *state;
        static struct tpm_state tpm = { .phase = TPM_PHASE_ERASING };
        const struct store_spare spare = make_spare('s', 506);
        struct store_lease lease = { .counter = 5 };
        static uint8_t blobs[30000];
        struct stat st;

        assert_int_equal(try_open(f), 0);
        for (uint32_t i = 1; i <= 100; i++)
                assert_int_equal(insert(f, i, 7, i), 0);
        assert_int_equal(store_set_lease(f->store, &lease), 0);
        assert_true(traces_of(f->wal, 50));

        assert_int_equal(drop(f, 50), 0);
        assert_false(traces_of(f->wal, 50) || traces_of(f->path, 50));
        assert_true(traces_of(f->path, 51));

        assert_int_equal(insert(f, 200, 7, 51), 0);
        store_settle(f->store);
        assert_false(traces_of(f->wal, 51) || traces_of(f->path, 51));

        assert_int_equal(update(f, 60, 'o', 200), 0);
        store_settle(f->store);
        assert_true(has_text(f->path, "oooooooooooooooo"));
        assert_int_equal(update(f, 60, 'n', 200), 0);
        store_settle(f->store);
        assert_false(has_text(f->wal, "oooooooooooooooo") || has_text(f->path, "oooooooooooooooo"));

        memset(blobs, 'b', sizeof(blobs));
        assert_int_equal(store_large_blobs_write(f->store, BYTES_OF(blobs)), 0);
        store_settle(f->store);
        assert_true(has_text(f->path, "bbbbbbbbbbbbbbbb"));
        memset(blobs, 'c', sizeof(blobs));
        assert_int_equal(store_large_blobs_write(f->store, BYTES_OF(blobs)), 0);
        store_settle(f->store);
        assert_false(has_text(f->wal, "bbbbbbbbbbbbbbbb") || has_text(f->path, "bbbbbbbbbbbbbbbb"));

        assert_int_equal(store_set_spare(f->store, &spare), 0);
        assert_true(has_text(f->wal, "ssssssssssssssss"));

        assert_int_equal(store_erase(f->store, &tpm), 0);
        assert_false(has_text(f->wal, "ssssssssssssssss") || has_text(f->path, "ssssssssssssssss"));
        for (uint32_t i = 1; i <= 100; i++)
                assert_false(traces_of(f->wal, i) || traces_of(f->path, i));
        assert_false(has_text(f->wal, "cccccccccccccccc") || has_text(f->path, "cccccccccccccccc"));
        assert_int_equal(stat(f->path, &st), 0);
        assert_true(st.st_size < 60000);
        assert_int_equal(store_get_lease(f->store, &lease), -ENOENT);
        assert_int_equal(store_get_tpm_state(f->store, &tpm), 0);
        assert_int_equal(tpm.phase, TPM_PHASE_ERASING);
        assert_int_equal(store_remaining(f->store), 10000);
}

static void what_a_use_reads_does_not_grow_with_the_store(void **state) {
        struct fixture *f = *state;
        struct ctap_row row = make_row(0, 7, 1);
        uint32_t count;
        unsigned n;

        assert_int_equal(try_open(f), 0);
        for (uint32_t i = 1; i <= 3000; i++) {
                assert_int_equal(insert(f, i, (uint8_t)(i % 200), i), 0);
                store_settle(f->store);
        }
        reopen(f);
        n = fake_vfs_n_reads(f->vfs);
        assert_int_equal(store_newest(f->store, &row.rp_tag, 3, UINT64_MAX, &row), 0);
        assert_int_equal(row.sequence, 2807);
        assert_int_equal(use(f, 1234, &count), 0);
        assert_in_range(fake_vfs_n_reads(f->vfs) - n, 1, 16);
}

/* Pages; the WAL is read none of, for it was emptied. */
static unsigned reads_of(struct fixture *f, int (*op)(struct fixture *f)) {
        unsigned n;

        reopen(f);
        n = fake_vfs_n_reads(f->vfs);
        assert_int_equal(op(f), 0);
        return fake_vfs_n_reads(f->vfs) - n;
}

static int op_next_rp(struct fixture *f) {
        struct ctap_row before = make_row(0, 100, 1), row;

        return store_next_rp(f->store, &before.rp_tag, &row);
}

static int op_first_rp(struct fixture *f) {
        struct ctap_row row;

        return store_next_rp(f->store, NULL, &row);
}

static int op_totals(struct fixture *f) {
        assert_totals(f, 200, 3000);
        return 0;
}

static int op_update_middle(struct fixture *f) {
        return update(f, 1500, 'u', 300);
}

static int op_delete_middle(struct fixture *f) {
        return drop(f, 1501);
}

static int op_read_fragment(struct fixture *f) {
        uint8_t storage[1000];
        struct buf out = BUF_ON(storage);

        return store_large_blobs_read(f->store, 3000, 1000, &out);
}

static void what_managing_reads_does_not_grow_with_the_store(void **state) {
        static uint8_t blobs[STORE_LARGE_BLOBS_MAX];
        struct fixture *f = *state;

        assert_int_equal(try_open(f), 0);
        for (uint32_t i = 1; i <= 3000; i++) {
                assert_int_equal(insert(f, i, (uint8_t)(i % 200), i), 0);
                store_settle(f->store);
        }
        assert_int_equal(store_large_blobs_write(f->store, BYTES_OF(blobs)), 0);

        assert_int_equal(reads_of(f, op_totals), 0);
        assert_in_range(reads_of(f, op_first_rp), 1, 8);
        assert_in_range(reads_of(f, op_next_rp), 1, 8);
        assert_in_range(reads_of(f, op_read_fragment), 1, 4);
        assert_in_range(reads_of(f, op_update_middle), 1, 12);
        assert_in_range(reads_of(f, op_delete_middle), 1, 24);
}

/* ---- what a file may look like ---------------------------------------------------------- */

static void the_files_are_private_whatever_the_umask(void **state) {
        struct fixture *f = *state;
        static const mode_t masks[] = { 0, 0777 };
        struct stat st;

        for (size_t i = 0; i < ELEMENTSOF(masks); i++) {
                mode_t before = umask(masks[i]);
                int r = try_open(f), i1 = r == 0 ? insert(f, 1, 7, 1) : r;

                (void)umask(before);
                assert_int_equal(r, 0);
                assert_int_equal(i1, 0);
                assert_int_equal(stat(f->path, &st), 0);
                assert_int_equal(st.st_mode & 07777, 0600);
                assert_int_equal(stat(f->wal, &st), 0);
                assert_int_equal(st.st_mode & 07777, 0600);
                f->store = store_close(f->store);
                assert_int_equal(unlink(f->path), 0);
        }
}

static void a_copy_that_others_could_read_is_narrowed(void **state) {
        struct fixture *f = *state;
        struct stat st;

        assert_int_equal(try_open(f), 0);
        f->store = store_close(f->store);
        assert_int_equal(chmod(f->path, 0664), 0);
        assert_int_equal(try_open(f), 0);
        assert_int_equal(stat(f->path, &st), 0);
        assert_int_equal(st.st_mode & 07777, 0600);
}

/* By the system's own file layer: without an exclusive lock a WAL needs more than the fake has. */
static int open_by_hand(struct fixture *f, sqlite3 **ret) {
        return sqlite3_open_v2(f->path, ret, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, "unix");
}

static void by_hand(struct fixture *f, const char *sql) {
        sqlite3 *db;

        assert_int_equal(open_by_hand(f, &db), SQLITE_OK);
        assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
        assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

static int64_t ask_by_hand(struct fixture *f, const char *sql) {
        sqlite3_stmt *q;
        sqlite3 *db;
        int64_t v;

        assert_int_equal(open_by_hand(f, &db), SQLITE_OK);
        assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &q, NULL), SQLITE_OK);
        assert_int_equal(sqlite3_step(q), SQLITE_ROW);
        v = sqlite3_column_int64(q, 0);
        assert_int_equal(sqlite3_finalize(q), SQLITE_OK);
        assert_int_equal(sqlite3_close(db), SQLITE_OK);
        return v;
}

static void a_file_of_version_0_becomes_a_present_one(void **state) {
        struct fixture *f = *state;
        struct ctap_row row;

        by_hand(f, "PRAGMA application_id = 0x74706d61; PRAGMA user_version = 0; VACUUM;");
        assert_int_equal(try_open(f), 0);
        assert_int_equal(insert(f, 1, 7, 1), 0);
        reopen(f);
        assert_int_equal(find(f, 1, &row), 0);
        f->store = store_close(f->store);
        assert_int_equal(ask_by_hand(f, "PRAGMA user_version"), store_schema.version);
        assert_int_equal(ask_by_hand(f, "PRAGMA application_id"), STORE_APPLICATION_ID);
}

static void a_file_of_version_1_keeps_its_credentials(void **state) {
        const struct store_schema of_1 = { store_schema.steps, 1 };
        struct fixture *f = *state;
        struct ctap_row row;
        uint32_t count;
        sqlite3 *db;

        assert_int_equal(open_by_hand(f, &db), SQLITE_OK);
        assert_int_equal(store_migrate(db, &of_1, 0), SQLITE_OK);
        assert_int_equal(sqlite3_exec(db,
                                      "INSERT INTO lease VALUES (1, 5, 0, 0, 0);"
                                      "INSERT INTO credential VALUES (3, zeroblob(48),"
                                      " zeroblob(32), NULL, -7, 1, 2, 0, 41, 0, 1700000001,"
                                      " 1700000002, x'0102', x'03');",
                                      NULL, NULL, NULL),
                         SQLITE_OK);
        assert_int_equal(sqlite3_close(db), SQLITE_OK);
        assert_int_equal(ask_by_hand(f, "PRAGMA user_version"), 1);

        assert_int_equal(try_open(f), 0);
        memset(row.id.b, 0, sizeof(row.id.b));
        assert_int_equal(store_use(f->store, &row.id, &count), 0);
        assert_int_equal(count, 42);
        assert_int_equal(store_find(f->store, &row.id, &row), 0);
        assert_int_equal(row.sequence, 3);
        assert_int_equal(row.cred_protect, 2);
        assert_int_equal(row.key.len, 2);
        assert_int_equal(row.cred_random.len, 0);
        assert_int_equal(row.cred_random_uv.len, 0);
        assert_int_equal(store_settings(f->store)->min_pin_length, CTAP_MIN_PIN_LENGTH);
        assert_totals(f, 0, 0);
        f->store = store_close(f->store);
        assert_int_equal(ask_by_hand(f, "PRAGMA user_version"), store_schema.version);
}

static void a_file_of_version_2_keeps_its_settings_and_is_counted(void **state) {
        const struct store_schema of_2 = { store_schema.steps, 2 };
        struct ctap_settings want = CTAP_SETTINGS_DEFAULT;
        struct fixture *f = *state;
        sqlite3 *db;

        assert_int_equal(open_by_hand(f, &db), SQLITE_OK);
        assert_int_equal(store_migrate(db, &of_2, 0), SQLITE_OK);
        assert_int_equal(
                sqlite3_exec(db,
                             "INSERT OR REPLACE INTO settings VALUES (1, 8, 6, 1, 0);"
                             "WITH RECURSIVE c (i) AS (SELECT 1 UNION SELECT i + 1 FROM c"
                             "  WHERE i < 9)"
                             "INSERT INTO credential"
                             "  SELECT i, randomblob(48), unhex_tag, iif(i = 9, NULL,"
                             "         randomblob(32)), -7, 1, 1, i <> 9, 0, 0, 0, 0, x'01', x'02',"
                             "         NULL, NULL"
                             "  FROM c JOIN (SELECT 0 AS site, zeroblob(32) AS unhex_tag UNION"
                             "    SELECT 1, CAST(printf('%032d', 1) AS BLOB) UNION"
                             "    SELECT 2, CAST(printf('%032d', 2) AS BLOB)) ON site = i % 3;",
                             NULL, NULL, NULL),
                SQLITE_OK);
        assert_int_equal(sqlite3_close(db), SQLITE_OK);

        assert_int_equal(try_open(f), 0);
        want.pin_length = 8;
        want.min_pin_length = 6;
        want.force_pin_change = true;
        assert_settings(store_settings(f->store), &want);
        assert_totals(f, 3, 8);
        assert_large_blobs(f, BYTES_OF(no_large_blobs));
        note_state(f);
        reopen(f);
        assert_false(state_changed(f));
        f->store = store_close(f->store);
        assert_int_equal(ask_by_hand(f, "PRAGMA user_version"), store_schema.version);
}

static void a_file_of_version_3_wants_no_spare_key(void **state) {
        const struct store_schema of_3 = { store_schema.steps, 3 };
        struct fixture *f = *state;
        struct store_spare spare = make_spare('a', 506);
        sqlite3 *db;

        assert_int_equal(open_by_hand(f, &db), SQLITE_OK);
        assert_int_equal(store_migrate(db, &of_3, 0), SQLITE_OK);
        assert_int_equal(sqlite3_close(db), SQLITE_OK);

        assert_int_equal(try_open(f), 0);
        assert_int_equal(store_get_spare(f->store, &spare), -ENOENT);
        assert_int_equal(store_set_spare(f->store, &spare), 0);
        reopen(f);
        assert_spare(f, &spare);
        f->store = store_close(f->store);
        assert_int_equal(ask_by_hand(f, "PRAGMA user_version"), store_schema.version);
}

static int count_event(void *userdata, uint64_t sequence, struct bytes sealed) {
        (void)sequence;
        assert_true(sealed.len > 0);
        ++*(unsigned *)userdata;
        return 0;
}

static unsigned n_events(struct fixture *f) {
        unsigned n = 0;

        assert_int_equal(store_each_event(f->store, 0, count_event, &n), 0);
        return n;
}

static void a_file_of_version_4_has_no_events_yet(void **state) {
        const struct store_schema of_4 = { store_schema.steps, 4 };
        const struct bytes event = BYTES_TEXT("an event");
        struct fixture *f = *state;
        sqlite3 *db;

        assert_int_equal(open_by_hand(f, &db), SQLITE_OK);
        assert_int_equal(store_migrate(db, &of_4, 0), SQLITE_OK);
        assert_int_equal(sqlite3_close(db), SQLITE_OK);

        assert_int_equal(try_open(f), 0);
        assert_int_equal(n_events(f), 0);
        assert_int_equal(store_add_events(f->store, &event, 1), 0);
        reopen(f);
        assert_int_equal(n_events(f), 1);
        f->store = store_close(f->store);
        assert_int_equal(ask_by_hand(f, "PRAGMA user_version"), store_schema.version);
}

static void a_file_of_version_5_has_no_secret_for_enrolment(void **state) {
        const struct store_schema of_5 = { store_schema.steps, 5 };
        struct ctap_settings want = CTAP_SETTINGS_DEFAULT;
        struct fixture *f = *state;
        sqlite3 *db;

        assert_int_equal(open_by_hand(f, &db), SQLITE_OK);
        assert_int_equal(store_migrate(db, &of_5, 0), SQLITE_OK);
        assert_int_equal(sqlite3_exec(db,
                                      "UPDATE settings SET pin_length = 8,"
                                      " force_pin_change = 1, min_pin_length = 7;",
                                      NULL, NULL, NULL),
                         SQLITE_OK);
        assert_int_equal(sqlite3_close(db), SQLITE_OK);

        assert_int_equal(try_open(f), 0);
        want.pin_length = 8;
        want.min_pin_length = 7;
        want.force_pin_change = true;
        assert_settings(store_settings(f->store), &want);
        f->store = store_close(f->store);
        assert_int_equal(ask_by_hand(f, "PRAGMA user_version"), store_schema.version);
}

/* The number of each must be what is left from the one before; below the newest none is missing. */
static int expect_event(void *userdata, uint64_t sequence, struct bytes sealed) {
        unsigned *next = userdata;
        char text[16];

        assert_int_equal(sequence, *next);
        snprintf(text, sizeof(text), "event %u", *next);
        assert_bytes_equal(sealed, BYTES_TEXT(text));
        --*next;
        return *next == 60 ? 7 : 0;
}

static void the_newest_events_are_kept_and_come_first(void **state) {
        static const uint8_t long_one[STORE_EVENT_MAX + 1];
        struct bytes events[3] = { BYTES_TEXT("a"), BYTES(long_one, sizeof(long_one)) };
        struct fixture *f = *state;
        unsigned next = 250;
        char text[16];

        assert_int_equal(try_open(f), 0);
        /* All or none. */
        assert_int_equal(store_add_events(f->store, events, 2), -EINVAL);
        events[1] = BYTES_NULL;
        assert_int_equal(store_add_events(f->store, events, 2), -EINVAL);
        assert_int_equal(n_events(f), 0);

        for (unsigned i = 1; i <= 250; i++) {
                snprintf(text, sizeof(text), "event %u", i);
                events[0] = BYTES_TEXT(text);
                assert_int_equal(store_add_events(f->store, events, 1), 0);
        }
        assert_int_equal(n_events(f), STORE_EVENTS);
        reopen(f);
        assert_int_equal(store_each_event(f->store, 0, expect_event, &next), 7);
        next = 99;
        assert_int_equal(store_each_event(f->store, 100, expect_event, &next), 7);
        next = 0;
        assert_int_equal(store_each_event(f->store, 51, count_event, &next), 0);
        assert_int_equal(next, 0);
}

static void a_damaged_spare_key_is_damage(void **state) {
        static const char *const changes[] = {
                "UPDATE spare_key SET key = zeroblob(2049)",
                "UPDATE spare_key SET tag = zeroblob(31)",
                "UPDATE spare_key SET tag = NULL",
        };
        const struct store_spare good = make_spare('a', 506);
        struct fixture *f = *state;
        struct store_spare spare;

        for (size_t i = 0; i < ELEMENTSOF(changes); i++) {
                char sql[128];

                assert_int_equal(try_open(f), 0);
                assert_int_equal(store_set_spare(f->store, &good), 0);
                f->store = store_close(f->store);
                (void)snprintf(sql, sizeof(sql), "PRAGMA ignore_check_constraints = 1; %s",
                               changes[i]);
                by_hand(f, sql);
                assert_int_equal(try_open(f), 0);
                assert_int_equal(store_get_spare(f->store, &spare), -EUCLEAN);
                f->store = store_close(f->store);
        }
}

static void single_rows_that_are_missing_or_wrong_are_damage(void **state) {
#define UNCHECKED "PRAGMA ignore_check_constraints = 1; UPDATE "
        static const struct {
                const char *sql, *hint;
        } changes[] = {
                { "DELETE FROM settings", "settings" },
                { UNCHECKED "settings SET min_pin_length = 0", "settings" },
                { UNCHECKED "settings SET uv_retries = 4", "settings" },
                { UNCHECKED "settings SET min_pin_length_rps = zeroblob(33)", "settings" },
                { UNCHECKED "settings SET min_pin_length_rps = zeroblob(544)", "settings" },
                { "DELETE FROM large_blobs", "large blobs" },
                { UNCHECKED "large_blobs SET array = x'80'", "large blobs" },
                { UNCHECKED "large_blobs SET array = zeroblob(1048577)", "large blobs" },
                { "DELETE FROM discoverable", "state" },
                { UNCHECKED "discoverable SET state = x'01'", "state" },
        };
        struct fixture *f = *state;

        for (size_t i = 0; i < ELEMENTSOF(changes); i++) {
                (void)unlink(f->path);
                assert_int_equal(try_open(f), 0);
                f->store = store_close(f->store);
                by_hand(f, changes[i].sql);
                assert_int_equal(try_open(f), -EUCLEAN);
                assert_non_null(strstr(f->message, changes[i].hint));
        }
#undef UNCHECKED
}

static int step_makes_a(sqlite3 *db) {
        return sqlite3_exec(db, "CREATE TABLE a (x); INSERT INTO a VALUES (1);", NULL, NULL, NULL);
}

static int step_changes_a(sqlite3 *db) {
        return sqlite3_exec(db, "ALTER TABLE a ADD COLUMN y; UPDATE a SET y = x + 1;", NULL, NULL,
                            NULL);
}

static int step_breaks_off(sqlite3 *db) {
        (void)sqlite3_exec(db, "DROP TABLE a; CREATE TABLE b (z);", NULL, NULL, NULL);
        return SQLITE_FULL;
}

static void a_migration_step_happens_whole_or_not_at_all(void **state) {
        static store_step_fn *const good[] = { step_makes_a, step_changes_a };
        static store_step_fn *const bad[] = { step_makes_a, step_changes_a, step_breaks_off };
        const struct store_schema upto_2 = { good, 2 }, upto_3 = { bad, 3 };
        struct fixture *f = *state;
        sqlite3 *db;

        assert_int_equal(open_by_hand(f, &db), SQLITE_OK);
        assert_int_equal(store_migrate(db, &upto_3, 0), SQLITE_FULL);
        assert_int_equal(sqlite3_close(db), SQLITE_OK);
        assert_int_equal(ask_by_hand(f, "PRAGMA user_version"), 2);
        assert_int_equal(ask_by_hand(f, "SELECT y FROM a"), 2);

        assert_int_equal(open_by_hand(f, &db), SQLITE_OK);
        assert_int_equal(store_migrate(db, &upto_2, 2), SQLITE_OK);
        assert_int_equal(sqlite3_close(db), SQLITE_OK);
        assert_int_equal(ask_by_hand(f, "SELECT count(*) FROM sqlite_schema"), 1);
}

/* Opens what is at the path, expects a failure, and that it left every byte alone. */
static void refuse(struct fixture *f, int want, const char *hint) {
        struct scratch_file before, after;
        struct stat st = { 0 };
        mode_t mode;

        assert_true(stat(f->path, &st) == 0 || errno == ENOENT);
        mode = st.st_mode;
        scratch_read(f->path, &before);
        assert_int_equal(try_open(f), want);
        assert_non_null(strstr(f->message, hint));
        if (before.exists) {
                assert_int_equal(stat(f->path, &st), 0);
                assert_int_equal(st.st_mode, mode);
        }
        scratch_read(f->path, &after);
        assert_true(before.exists == after.exists);
        assert_bytes_equal(BYTES(before.data, before.len), BYTES(after.data, after.len));
        scratch_file_done(&before);
        scratch_file_done(&after);
}

static void a_file_from_the_future_is_left_alone(void **state) {
        struct fixture *f = *state;

        assert_int_equal(try_open(f), 0);
        f->store = store_close(f->store);
        by_hand(f, "PRAGMA user_version = 99;");
        refuse(f, -EPROTO, "newer version of tpmauthn");
}

static void another_programs_database_is_left_alone(void **state) {
        struct fixture *f = *state;

        by_hand(f, "CREATE TABLE diary (entry); INSERT INTO diary VALUES ('dear diary');");
        refuse(f, -EUCLEAN, "another program");
        by_hand(f, "PRAGMA application_id = 12345; PRAGMA user_version = 1;");
        refuse(f, -EUCLEAN, "another program");
        by_hand(f, "PRAGMA journal_mode = WAL;");
        refuse(f, -EUCLEAN, "another program");
}

/* What its owner has committed and not yet moved into the main file stays where it is. */
static void another_programs_wal_is_left_alone(void **state) {
        struct fixture *f = *state;
        struct scratch_file before, after;
        int on = 0;
        sqlite3 *db;

        assert_int_equal(open_by_hand(f, &db), SQLITE_OK);
        assert_int_equal(sqlite3_db_config(db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, &on),
                         SQLITE_OK);
        assert_int_equal(sqlite3_exec(db,
                                      "PRAGMA journal_mode = WAL; CREATE TABLE diary (entry);"
                                      "INSERT INTO diary VALUES ('dear diary');",
                                      NULL, NULL, NULL),
                         SQLITE_OK);
        assert_int_equal(sqlite3_close(db), SQLITE_OK);
        scratch_read(f->wal, &before);
        assert_true(before.len > 0);
        refuse(f, -EUCLEAN, "another program");
        scratch_read(f->wal, &after);
        assert_bytes_equal(BYTES(before.data, before.len), BYTES(after.data, after.len));
        scratch_file_done(&before);
        scratch_file_done(&after);
}

static void a_store_without_its_tables_is_damaged(void **state) {
        struct fixture *f = *state;

        by_hand(f, "PRAGMA application_id = 0x74706d61; PRAGMA user_version = 1; VACUUM;");
        assert_int_equal(try_open(f), -EUCLEAN);
}

static void a_text_file_is_left_alone(void **state) {
        struct fixture *f = *state;
        char text[3000];
        const struct scratch_file file = { true, sizeof(text), (uint8_t *)text };

        memset(text, 'x', sizeof(text));
        for (size_t n = 1; n <= sizeof(text); n = n * 3 + 1) {
                struct scratch_file cut = file;

                cut.len = n;
                scratch_write(f->path, &cut);
                refuse(f, -EUCLEAN, "move it");
        }
}

static void an_empty_file_becomes_a_store(void **state) {
        struct fixture *f = *state;
        const struct scratch_file empty = { .exists = true };
        struct ctap_row row;

        /* What a process leaves that is killed right after creating the file. */
        scratch_write(f->path, &empty);
        assert_int_equal(try_open(f), 0);
        assert_int_equal(insert(f, 1, 7, 1), 0);
        reopen(f);
        assert_int_equal(find(f, 1, &row), 0);
}

static void a_file_that_is_not_regular_is_refused(void **state) {
        struct fixture *f = *state;

        assert_int_equal(mkdir(f->path, 0700), 0);
        assert_int_equal(try_open(f), -EUCLEAN);
        assert_int_equal(rmdir(f->path), 0);
        assert_int_equal(mkfifo(f->path, 0600), 0);
        assert_int_equal(try_open(f), -EUCLEAN);
}

static void a_missing_folder_is_named(void **state) {
        struct fixture *f = *state;

        (void)snprintf(f->path, sizeof(f->path), "%s/none/store.db", f->folder.path);
        assert_int_equal(try_open(f), -EIO);
        assert_non_null(strstr(f->message, "No such file"));
}

static void a_truncated_file_is_damaged(void **state) {
        struct fixture *f = *state;
        struct scratch_file whole, cut;
        static struct tpm_state tpm = { .phase = TPM_PHASE_READY, .len = TPM_STATE_MAX };

        assert_int_equal(try_open(f), 0);
        for (uint32_t i = 1; i <= 20; i++)
                assert_int_equal(insert(f, i, 7, i), 0);
        assert_int_equal(store_set_tpm_state(f->store, &tpm), 0);
        f->store = store_close(f->store);
        scratch_read(f->path, &whole);
        assert_true(whole.len > 16384);
        for (cut = whole; cut.len > 512;) {
                cut.len -= 512;
                scratch_write(f->path, &cut);
                refuse(f, -EUCLEAN, "backup");
        }
        scratch_write(f->path, &whole);
        scratch_file_done(&whole);
        assert_int_equal(try_open(f), 0);
}

static void a_wal_without_its_store_is_not_thrown_away(void **state) {
        struct fixture *f = *state;
        struct scratch_file wal, wal_after;

        assert_int_equal(try_open(f), 0);
        assert_int_equal(insert(f, 1, 7, 1), 0);
        f->fault =
                (struct fault){ .at = 1, .mode = FAULT_CRASH, .sqlite_code = SQLITE_IOERR_WRITE };
        f->store = store_close(f->store);
        f->fault = (struct fault){ .sqlite_code = SQLITE_IOERR_WRITE };
        scratch_read(f->wal, &wal);
        assert_true(wal.len > 0);
        assert_int_equal(unlink(f->path), 0);
        refuse(f, -EUCLEAN, "-wal");
        scratch_read(f->wal, &wal_after);
        assert_bytes_equal(BYTES(wal.data, wal.len), BYTES(wal_after.data, wal_after.len));
        scratch_file_done(&wal);
        scratch_file_done(&wal_after);
}

/* Overwrites the middle of a page that holds credentials. */
static void damage(struct fixture *f) {
        struct scratch_file file;
        const uint8_t *at;

        scratch_read(f->path, &file);
        at = memmem(file.data, file.len, "<credential 20>sss", 18);
        assert_non_null(at);
        memset(file.data + ((size_t)(at - file.data) / 4096) * 4096, 0xff, 64);
        scratch_write(f->path, &file);
        scratch_file_done(&file);
}

static void damage_is_found_after_a_crash_or_when_read(void **state) {
        struct fixture *f = *state;
        struct scratch_file wal;
        struct ctap_row row;

        assert_int_equal(try_open(f), 0);
        for (uint32_t i = 1; i <= 40; i++)
                assert_int_equal(insert(f, i, 7, i), 0);
        reopen(f);
        assert_int_equal(insert(f, 41, 7, 41), 0);
        scratch_read(f->wal, &wal);
        f->store = store_close(f->store);
        damage(f);

        assert_int_equal(try_open(f), 0);
        assert_int_equal(find(f, 20, &row), -EUCLEAN);
        assert_int_equal(find(f, 1, &row), 0);
        f->store = store_close(f->store);

        assert_true(wal.len > 0);
        scratch_write(f->wal, &wal);
        assert_int_equal(try_open(f), -EUCLEAN);
        scratch_file_done(&wal);
}

static void a_read_only_file_is_named(void **state) {
        struct fixture *f = *state;

        assert_int_equal(try_open(f), 0);
        assert_int_equal(insert(f, 1, 7, 1), 0);
        f->store = store_close(f->store);
        assert_int_equal(chmod(f->path, 0400), 0);
        refuse(f, -EROFS, "only be read");
        assert_int_equal(chmod(f->path, 0600), 0);
        fake_vfs_set_readonly(f->vfs, true);
        refuse(f, -EROFS, "only be read");
        fake_vfs_set_readonly(f->vfs, false);
        assert_int_equal(try_open(f), 0);
}

static void a_second_process_is_refused_at_once(void **state) {
        struct fixture *f = *state;
        struct store *first;
        pid_t child;
        int status;

        assert_int_equal(try_open(f), 0);
        first = f->store;
        f->store = NULL;
        assert_int_equal(try_open(f), -EBUSY);
        f->store = first;
        child = fork();
        assert_true(child >= 0);
        if (child == 0) {
                const struct store_options options = { .path = f->path };
                struct store *s;

                _exit(store_open(&options, &s) == -EBUSY ? 7 : 1);
        }
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_true(WIFEXITED(status));
        assert_int_equal(WEXITSTATUS(status), 7);
        assert_int_equal(insert(f, 1, 7, 1), 0);
        reopen(f);
}

/* ---- what a disk may do ----------------------------------------------------------------- */

/*
 * An operation, how to see whether it has happened, and the store before it: credentials 1 to 8 of
 * accounts 1 to 8, each used once, at lease 5.
 */
struct operation {
        const char *name;
        int (*run)(struct fixture *f);
        bool (*happened)(struct fixture *f);
        bool undetailed; /* may report a failure of what follows the commit */
        bool renews;     /* the state changes with it */
};

static int op_insert(struct fixture *f) {
        return insert(f, 9, 7, 9);
}

static bool did_insert(struct fixture *f) {
        struct ctap_row row;

        return find(f, 9, &row) == 0;
}

static int op_replace(struct fixture *f) {
        return insert(f, 9, 7, 3);
}

static bool did_replace(struct fixture *f) {
        struct ctap_row row;
        bool is_old = find(f, 3, &row) == 0, is_new = find(f, 9, &row) == 0;

        assert_true(is_old != is_new);
        return is_new;
}

static int op_use(struct fixture *f) {
        uint32_t count = 0;
        int r = use(f, 4, &count);

        assert_true(r == 0 ? count == 2 : count == 0);
        return r;
}

static bool did_use(struct fixture *f) {
        struct store_lease lease;
        struct ctap_row row;

        assert_int_equal(find(f, 4, &row), 0);
        assert_int_equal(store_get_lease(f->store, &lease), 0);
        assert_int_equal(lease.used, row.count + 7);
        return row.count == 2;
}

static int op_delete(struct fixture *f) {
        return drop(f, 5);
}

static bool did_delete(struct fixture *f) {
        struct ctap_row row;

        return find(f, 5, &row) == -ENOENT;
}

static int op_update(struct fixture *f) {
        return update(f, 6, 'u', 900);
}

static bool did_update(struct fixture *f) {
        struct ctap_row row;

        assert_int_equal(find(f, 6, &row), 0);
        assert_true((row.sealed[0] == 'u') == (row.sealed_len == 900));
        return row.sealed_len == 900;
}

static int op_raise(struct fixture *f) {
        const struct store_lease lease = { .counter = 6 };

        return store_raise_counts(f->store, 1000, &lease);
}

static bool did_raise(struct fixture *f) {
        struct store_lease lease;
        struct ctap_row row;

        assert_int_equal(store_get_lease(f->store, &lease), 0);
        assert_int_equal(find(f, 8, &row), 0);
        assert_true((lease.counter == 6) == (row.count == 1000));
        return lease.counter == 6;
}

static int op_state(struct fixture *f) {
        static const struct tpm_state tpm = { .phase = TPM_PHASE_READY, .len = TPM_STATE_MAX };

        return store_set_tpm_state(f->store, &tpm);
}

static bool did_state(struct fixture *f) {
        static struct tpm_state tpm;

        assert_int_equal(store_get_tpm_state(f->store, &tpm), 0);
        assert_true((tpm.phase == TPM_PHASE_READY) == (tpm.len == TPM_STATE_MAX));
        return tpm.phase == TPM_PHASE_READY;
}

static int op_settings(struct fixture *f) {
        const struct ctap_settings settings = { .pin_length = 9,
                                                .min_pin_length = 6,
                                                .always_uv = true,
                                                .persistent_token_epoch = 1,
                                                .n_min_pin_length_rps = 9 };

        return store_set_settings(f->store, &settings);
}

static bool did_settings(struct fixture *f) {
        const struct ctap_settings *s = store_settings(f->store);

        assert_true((s->pin_length == 9) == (s->min_pin_length == 6));
        assert_true((s->pin_length == 9) == (s->n_min_pin_length_rps == 9));
        assert_true((s->pin_length == 9) == s->always_uv);
        return s->pin_length == 9;
}

static int op_large_blobs(struct fixture *f) {
        static uint8_t array[20000];

        memset(array, 'n', sizeof(array));
        return store_large_blobs_write(f->store, BYTES_OF(array));
}

static bool did_large_blobs(struct fixture *f) {
        bool is_new = store_large_blobs_size(f->store) == 20000;
        static uint8_t array[20000];

        memset(array, is_new ? 'n' : 'o', sizeof(array));
        assert_large_blobs(f, BYTES(array, is_new ? 20000 : 9000));
        return is_new;
}

static int op_secrets(struct fixture *f) {
        const struct ctap_secret_blob secret = make_secret('c', 400);
        struct ctap_row row = make_row(6, 0, 0);

        return store_set_cred_random(f->store, &row.id, &secret, &secret);
}

static bool did_secrets(struct fixture *f) {
        struct ctap_row row;

        assert_int_equal(find(f, 6, &row), 0);
        assert_int_equal(row.cred_random.len, row.cred_random_uv.len);
        return row.cred_random.len == 400;
}

static int op_spare(struct fixture *f) {
        const struct store_spare spare = make_spare('n', 700);

        return store_set_spare(f->store, &spare);
}

static bool did_spare(struct fixture *f) {
        struct store_spare spare;

        assert_int_equal(store_get_spare(f->store, &spare), 0);
        assert_true((spare.key.len == 700) == (spare.key.data[0] == 'n'));
        assert_true((spare.key.len == 700) == (spare.tag.b[0] == 'n' + 1));
        return spare.key.len == 700;
}

/* Two at once, where the oldest of those that are there goes for each. */
static int op_events(struct fixture *f) {
        const struct bytes two[] = { BYTES_TEXT("new"), BYTES_TEXT("newer") };

        return store_add_events(f->store, two, 2);
}

static int newest_is(void *userdata, uint64_t sequence, struct bytes sealed) {
        *(unsigned *)userdata = (unsigned)sequence;
        assert_true(sequence == STORE_EVENTS ? bytes_equal(sealed, BYTES_TEXT("old"))
                                             : bytes_equal(sealed, BYTES_TEXT("newer")));
        return 1;
}

static bool did_events(struct fixture *f) {
        unsigned newest = 0;

        assert_int_equal(n_events(f), STORE_EVENTS);
        assert_int_equal(store_each_event(f->store, 0, newest_is, &newest), 1);
        assert_true(newest == STORE_EVENTS || newest == STORE_EVENTS + 2);
        return newest > STORE_EVENTS;
}

/* A backup with credential 9, and with 10 of an account that has another here. */
static const char *other_path(const struct fixture *f) {
        static char path[320];

        (void)snprintf(path, sizeof(path), "%s.other", f->path);
        return path;
}

static void make_other(struct fixture *f) {
        const struct store_options options = { .path = other_path(f), .max_credentials = 10 };
        const struct ctap_row new = make_row(9, 7, 9), known = make_row(10, 7, 3);
        struct store *other;

        assert_int_equal(store_open(&options, &other), 0);
        assert_int_equal(store_insert(other, &new, 0), 0);
        assert_int_equal(store_insert(other, &known, 0), 0);
        assert_int_equal(store_close_whole(other), 0);
}

static int op_merge(struct fixture *f) {
        uint32_t added = 0;
        int r = store_merge(f->store, other_path(f), &added);

        assert_true(r < 0 || added == 1);
        return r;
}

static bool did_merge(struct fixture *f) {
        struct ctap_row row;

        assert_int_equal(find(f, 10, &row), -ENOENT);
        return find(f, 9, &row) == 0;
}

static int op_take_spare(struct fixture *f) {
        const struct store_spare none = { .key.len = 0 };

        return store_set_spare(f->store, &none);
}

static bool did_take_spare(struct fixture *f) {
        struct store_spare spare;

        assert_int_equal(store_get_spare(f->store, &spare), 0);
        return spare.key.len == 0;
}

static int op_erase(struct fixture *f) {
        static const struct tpm_state tpm = { .phase = TPM_PHASE_ERASING };

        return store_erase(f->store, &tpm);
}

static bool did_erase(struct fixture *f) {
        static struct tpm_state tpm;
        struct store_lease lease;
        struct store_spare spare;
        struct ctap_row row;
        bool erased = find(f, 1, &row) == -ENOENT;

        assert_int_equal(store_get_spare(f->store, &spare), erased ? -ENOENT : 0);
        assert_int_equal(n_events(f), erased ? 0 : STORE_EVENTS);
        assert_int_equal(store_get_tpm_state(f->store, &tpm), 0);
        assert_true(erased == (tpm.phase == TPM_PHASE_ERASING));
        assert_int_equal(store_get_lease(f->store, &lease), erased ? -ENOENT : 0);
        assert_int_equal(store_settings(f->store)->pin_length, erased ? 0 : 5);
        assert_int_equal(store_large_blobs_size(f->store), erased ? 17 : 9000);
        return erased;
}

static int op_insert_all(struct fixture *f) {
        const struct ctap_row rows[] = { make_row(9, 7, 9), make_row(20, 7, 0) };
        size_t n_added;

        return store_insert_all(f->store, rows, 2, 0, &n_added);
}

static bool did_insert_all(struct fixture *f) {
        struct ctap_row row;
        bool first = find(f, 9, &row) == 0;

        assert_int_equal(find(f, 20, &row), first ? 0 : -ENOENT);
        return first;
}

static const struct operation operations[] = {
        { .name = "insert all", .run = op_insert_all, .happened = did_insert_all, .renews = true },
        { .name = "insert", .run = op_insert, .happened = did_insert, .renews = true },
        { .name = "replace", .run = op_replace, .happened = did_replace, .renews = true },
        { .name = "use", .run = op_use, .happened = did_use },
        { .name = "delete", .run = op_delete, .happened = did_delete, .renews = true },
        { .name = "update", .run = op_update, .happened = did_update, .renews = true },
        { .name = "raise", .run = op_raise, .happened = did_raise },
        { .name = "set state", .run = op_state, .happened = did_state },
        { .name = "settings", .run = op_settings, .happened = did_settings },
        { .name = "large blobs", .run = op_large_blobs, .happened = did_large_blobs },
        { .name = "secrets", .run = op_secrets, .happened = did_secrets },
        { .name = "spare key", .run = op_spare, .happened = did_spare },
        { .name = "events", .run = op_events, .happened = did_events },
        { .name = "merge", .run = op_merge, .happened = did_merge, .renews = true },
        { .name = "take the spare key", .run = op_take_spare, .happened = did_take_spare },
        { .name = "erase",
          .run = op_erase,
          .happened = did_erase,
          .undetailed = true,
          .renews = true },
};

static void fill(struct fixture *f) {
        const struct ctap_settings settings = { .pin_length = 5, .min_pin_length = 4 };
        const struct store_lease lease = { .counter = 5 };
        const struct store_spare spare = make_spare('o', 300);
        static uint8_t blobs[9000];
        struct bytes events[STORE_EVENTS];
        uint32_t count;

        for (size_t i = 0; i < STORE_EVENTS; i++)
                events[i] = BYTES_TEXT("old");
        assert_int_equal(store_add_events(f->store, events, STORE_EVENTS), 0);
        assert_int_equal(store_set_spare(f->store, &spare), 0);
        memset(blobs, 'o', sizeof(blobs));
        assert_int_equal(store_large_blobs_write(f->store, BYTES_OF(blobs)), 0);
        assert_int_equal(store_set_settings(f->store, &settings), 0);
        assert_int_equal(store_set_lease(f->store, &lease), 0);
        for (uint32_t i = 1; i <= 8; i++) {
                assert_int_equal(insert(f, i, 7, i), 0);
                assert_int_equal(use(f, i, &count), 0);
        }
}

/* What is in one row of its own agrees with the rows it is about. */
static void check_sums(struct fixture *f, const struct operation *op, bool happened) {
        uint32_t n = 0;
        struct ctap_row row;

        for (uint32_t i = 1; i <= 9; i++)
                n += find(f, i, &row) == 0;
        assert_totals(f, n > 0, n);
        assert_int_equal(state_changed(f), happened && op->renews);
}

/* What no operation may touch is still there, and the store takes more. */
static void check_rest(struct fixture *f, const struct operation *op, bool happened) {
        struct ctap_row row;
        uint32_t n_found = 0;

        check_sums(f, op, happened);
        for (uint32_t i = 1; i <= 8; i++)
                n_found += find(f, i, &row) == 0;
        assert_true(happened && op->run == op_erase ? n_found == 0 : n_found >= 7);
        assert_int_equal(insert(f, 1000, 7, 1000), 0);
        assert_int_equal(drop(f, 1000), 0);
}

static void make_template(struct fixture *f, struct scratch_file *ret) {
        make_other(f);
        assert_int_equal(try_open(f), 0);
        fill(f);
        f->store = store_close(f->store);
        scratch_read(f->path, ret);
}

static void begin_from(struct fixture *f, const struct scratch_file *template) {
        f->store = store_close(f->store);
        (void)unlink(f->wal);
        scratch_write(f->path, template);
        f->fault.at = 0;
        f->fault.hit = false;
        assert_int_equal(try_open(f), 0);
        note_state(f);
}

/* Fails step `at` of an operation. False if the operation has no such step. */
static bool fail_once(struct fixture *f, const struct operation *op, unsigned at, int want) {
        bool happened;
        int r;

        f->fault.n = 0;
        f->fault.at = at;
        f->fault.hit = false;
        f->n_messages = 0;
        r = op->run(f);
        if (!f->fault.hit) {
                assert_int_equal(r, 0);
                assert_true(op->happened(f));
                return false;
        }

        assert_true(r == 0 || r == want);
        assert_true(f->n_messages > 0 || r == 0);
        /* In this process a failure is one: its caller sees the state before. */
        f->fault.at = 0;
        happened = op->happened(f);
        assert_true(r == 0 ? happened : !happened || op->undetailed);
        check_rest(f, op, happened);
        return true;
}

static void loop_over_failures(struct fixture *f, int sqlite_code, int want, bool late) {
        struct scratch_file template;

        make_template(f, &template);
        f->fault.mode = FAULT_ONCE;
        f->fault.sqlite_code = sqlite_code;
        f->fault.late = late;
        for (size_t i = 0; i < ELEMENTSOF(operations); i++) {
                unsigned at = 1;

                for (begin_from(f, &template); fail_once(f, &operations[i], at, want); at++)
                        begin_from(f, &template);
                assert_true(at > 2); /* a write and a sync at least */
        }
        scratch_file_done(&template);
}

static void a_full_disk_is_named_and_changes_nothing(void **state) {
        loop_over_failures(*state, SQLITE_FULL, -ENOSPC, false);
        assert_non_null(strstr(((struct fixture *)*state)->path, "store.db"));
}

static void a_failing_disk_is_named_and_changes_nothing(void **state) {
        loop_over_failures(*state, SQLITE_IOERR_WRITE, -EIO, false);
}

static void a_sync_that_fails_late_is_a_failure(void **state) {
        loop_over_failures(*state, SQLITE_IOERR_FSYNC, -EIO, true);
}

/* The disk fails at a step and for good: after reopening it is before or after, never between. */
static void after_a_crash_the_state_is_before_or_after(void **state) {
        struct fixture *f = *state;
        struct scratch_file template;

        make_template(f, &template);
        for (size_t i = 0; i < ELEMENTSOF(operations); i++) {
                const struct operation *op = &operations[i];

                for (unsigned at = 1;; at++) {
                        bool happened;
                        int r;

                        begin_from(f, &template);
                        f->fault = (struct fault){ .at = at,
                                                   .mode = FAULT_CRASH,
                                                   .sqlite_code = SQLITE_IOERR_FSYNC,
                                                   .late = at % 2 };
                        r = op->run(f);
                        if (!f->fault.hit)
                                break;
                        reopen(f);
                        happened = op->happened(f);
                        assert_true(r < 0 || happened);
                        check_rest(f, op, happened);
                }
        }
        scratch_file_done(&template);
}

static void a_store_that_could_not_be_made_can_be_made_later(void **state) {
        struct fixture *f = *state;
        static const struct {
                int sqlite_code, want;
        } faults[] = {
                { SQLITE_FULL, -ENOSPC },
                { SQLITE_IOERR_WRITE, -EIO },
        };

        for (unsigned at = 1;; at++) {
                bool all_hit = true;

                for (size_t i = 0; i < ELEMENTSOF(faults); i++) {
                        int r;

                        f->fault = (struct fault){ .at = at,
                                                   .mode = i == 0 ? FAULT_ONCE : FAULT_CRASH,
                                                   .sqlite_code = faults[i].sqlite_code };
                        r = try_open(f);
                        all_hit &= f->fault.hit;
                        assert_true(r == 0 || r == faults[i].want);
                        reopen(f);
                        assert_int_equal(insert(f, 1, 7, 1), 0);
                        f->store = store_close(f->store);
                        assert_int_equal(unlink(f->path), 0);
                }
                if (!all_hit)
                        break;
        }
}

/* The process dies at its n-th step; what it had reported through the pipe must be there. */
static void die_at(struct fixture *f, unsigned at, int report) {
        uint32_t count;

        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        f->fault = (struct fault){ .at = at, .mode = FAULT_KILL };
        if (try_open(f) < 0)
                _exit(1);
        for (uint8_t i = 1; i <= 6; i++) {
                if (insert(f, i, 7, i) < 0 || use(f, i, &count) < 0)
                        _exit(1);
                store_settle(f->store);
                if (i == 3 && drop(f, 2) < 0)
                        _exit(1);
                if (i == 4 && update(f, 1, 'u', 77) < 0)
                        _exit(1);
                if (i == 5 && store_large_blobs_write(f->store, BYTES_OF(f->message)) < 0)
                        _exit(1);
                if (write(report, &i, 1) != 1)
                        _exit(1);
        }
        f->store = store_close(f->store);
        _exit(0);
}

static bool killed_at(struct fixture *f, unsigned at) {
        uint8_t n_done = 0;
        struct ctap_row row;
        int fds[2], status;
        pid_t child;

        assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
        child = fork();
        assert_true(child >= 0);
        if (child == 0)
                die_at(f, at, fds[1]);
        (void)close(fds[1]);
        while (read(fds[0], &n_done, 1) == 1)
                continue;
        (void)close(fds[0]);
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_true(WIFSIGNALED(status) ? WTERMSIG(status) == SIGKILL : WEXITSTATUS(status) == 0);

        f->fault = (struct fault){ 0 };
        assert_int_equal(try_open(f), 0);
        for (uint32_t i = 1; i <= n_done; i++) {
                int r = find(f, i, &row);

                if (i == 2 && n_done == 2 && r == -ENOENT)
                        continue; /* deleted, but died before saying so */
                assert_int_equal(r, i == 2 && n_done >= 3 ? -ENOENT : 0);
                assert_true(r < 0 || row.count == 1);
                assert_true(r < 0 || i > 1 || n_done < 4 || row.sealed_len == 77);
        }
        assert_true(n_done < 5 || store_large_blobs_size(f->store) == sizeof(f->message));
        f->store = store_close(f->store);
        assert_int_equal(unlink(f->path), 0);
        return WIFSIGNALED(status);
}

static void a_killed_process_loses_nothing_it_reported(void **state) {
        unsigned at = 1;

        while (killed_at(*state, at))
                at++;
        assert_true(at > 30);
}

int main(void) {
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
        const struct CMUnitTest tests[] = {
                TEST(a_credential_comes_back_as_it_was_given),
                TEST(a_row_that_breaks_a_rule_is_refused),
                TEST(the_newest_of_an_rp_come_first),
                TEST(a_discoverable_credential_replaces_that_of_its_account),
                TEST(the_limit_counts_all_kinds_and_loses_nothing),
                TEST(several_are_added_at_once_or_none),
                TEST(one_that_is_wrong_keeps_the_others_out),
                TEST(a_walk_sees_each_credential_and_may_delete),
                TEST(a_number_is_not_given_to_a_second_credential),
                TEST(a_use_raises_the_count_and_the_lease_with_one_sync),
                TEST(raising_reaches_every_credential_and_never_lowers),
                TEST(a_count_ends_at_32_bits),
                TEST(lease_and_tpm_state_come_back),
                TEST(settings_come_back),
                TEST(no_setting_is_kept_in_the_place_of_another),
                TEST(a_setting_out_of_its_range_is_refused),
                TEST(a_credential_gets_its_secrets_once),
                TEST(CM5_each_site_with_discoverable_credentials_is_given_once),
                TEST(CM4_the_totals_follow_every_change),
                TEST(CM10_an_update_puts_the_record_and_touches_nothing_else),
                TEST(GI9_the_state_changes_with_discoverable_credentials_and_nothing_else),
                TEST(LB9_large_blobs_begin_empty_and_are_replaced_whole),
                TEST(LB2_large_blobs_are_read_in_fragments),
                TEST(the_spare_key_is_kept_or_wanted_or_neither),
                TEST(what_is_erased_leaves_no_trace),
                TEST(what_managing_reads_does_not_grow_with_the_store),
                TEST(what_a_use_reads_does_not_grow_with_the_store),
                TEST(the_files_are_private_whatever_the_umask),
                TEST(a_copy_that_others_could_read_is_narrowed),
                TEST(a_file_of_version_0_becomes_a_present_one),
                TEST(a_file_of_version_1_keeps_its_credentials),
                TEST(a_file_of_version_2_keeps_its_settings_and_is_counted),
                TEST(a_file_of_version_3_wants_no_spare_key),
                TEST(a_file_of_version_4_has_no_events_yet),
                TEST(a_file_of_version_5_has_no_secret_for_enrolment),
                TEST(the_newest_events_are_kept_and_come_first),
                TEST(a_damaged_spare_key_is_damage),
                TEST(single_rows_that_are_missing_or_wrong_are_damage),
                TEST(a_migration_step_happens_whole_or_not_at_all),
                TEST(a_file_from_the_future_is_left_alone),
                TEST(another_programs_database_is_left_alone),
                TEST(another_programs_wal_is_left_alone),
                TEST(a_store_without_its_tables_is_damaged),
                TEST(a_text_file_is_left_alone),
                TEST(an_empty_file_becomes_a_store),
                TEST(a_file_that_is_not_regular_is_refused),
                TEST(a_missing_folder_is_named),
                TEST(a_truncated_file_is_damaged),
                TEST(a_wal_without_its_store_is_not_thrown_away),
                TEST(damage_is_found_after_a_crash_or_when_read),
                TEST(a_read_only_file_is_named),
                TEST(a_second_process_is_refused_at_once),
                TEST(a_full_disk_is_named_and_changes_nothing),
                TEST(a_failing_disk_is_named_and_changes_nothing),
                TEST(a_sync_that_fails_late_is_a_failure),
                TEST(after_a_crash_the_state_is_before_or_after),
                TEST(a_store_that_could_not_be_made_can_be_made_later),
                TEST(a_killed_process_loses_nothing_it_reported),
        };

        return cmocka_run_group_tests_name("store", tests, NULL, NULL);
}
