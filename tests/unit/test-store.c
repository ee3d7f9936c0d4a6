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

static bool traces_of(const char *path, uint32_t n) {
        struct scratch_file file;
        char text[64];
        bool has;

        (void)snprintf(text, sizeof(text), "<credential %u>", n);
        scratch_read(path, &file);
        has = scratch_file_has(&file, text, strlen(text));
        scratch_file_done(&file);
        return has;
}

/* ---- what is kept ----------------------------------------------------------------------- */

static void a_credential_comes_back_as_it_was_given(void **state) {
        struct fixture *f = *state;
        struct ctap_row row = make_row(1, 7, 9), got;

        assert_int_equal(try_open(f), 0);
        row.alg = -35;
        row.class = CTAP_CLASS_B;
        row.cred_protect = 3;
        row.flags |= CTAP_ROW_U2F;
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
        assert_int_equal(got.flags, CTAP_ROW_DISCOVERABLE | CTAP_ROW_U2F);
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
        uint32_t n;

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
        assert_int_equal(store_count(f->store, &want.rp_tag, 2, &n), 0);
        assert_int_equal(n, 3);
        assert_int_equal(store_count(f->store, &want.rp_tag, 3, &n), 0);
        assert_int_equal(n, 4);
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

static void settings_come_back_and_a_bad_one_is_refused(void **state) {
        const struct ctap_settings all = { .pin_length = 63,
                                           .min_pin_length = 8,
                                           .force_pin_change = true,
                                           .pin_in_doubt = true };
        struct ctap_settings bad = all;
        struct fixture *f = *state;
        const struct ctap_settings *got;

        assert_int_equal(try_open(f), 0);
        got = store_settings(f->store);
        assert_true(got->pin_length == 0 && got->min_pin_length == CTAP_MIN_PIN_LENGTH);
        assert_true(!got->force_pin_change && !got->pin_in_doubt);

        assert_int_equal(store_set_settings(f->store, &all), 0);
        bad.min_pin_length = 3;
        assert_int_equal(store_set_settings(f->store, &bad), -EINVAL);
        reopen(f);
        got = store_settings(f->store);
        assert_true(got->pin_length == 63 && got->min_pin_length == 8);
        assert_true(got->force_pin_change && got->pin_in_doubt);

        /* What is borrowed may be given back. */
        assert_int_equal(store_set_settings(f->store, got), 0);
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

static void what_is_erased_leaves_no_trace(void **state) {
        struct fixture *f = *state;
        static struct tpm_state tpm = { .phase = TPM_PHASE_ERASING };
        struct store_lease lease = { .counter = 5 };
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

        assert_int_equal(store_erase(f->store, &tpm), 0);
        for (uint32_t i = 1; i <= 100; i++)
                assert_false(traces_of(f->wal, i) || traces_of(f->path, i));
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
        f->store = store_close(f->store);
        assert_int_equal(ask_by_hand(f, "PRAGMA user_version"), store_schema.version);
}

static void settings_that_are_missing_or_wrong_are_damage(void **state) {
        static const char *const changes[] = {
                "DELETE FROM settings",
                "PRAGMA ignore_check_constraints = 1; UPDATE settings SET min_pin_length = 0",
        };
        struct fixture *f = *state;

        for (size_t i = 0; i < ELEMENTSOF(changes); i++) {
                (void)unlink(f->path);
                assert_int_equal(try_open(f), 0);
                f->store = store_close(f->store);
                by_hand(f, changes[i]);
                assert_int_equal(try_open(f), -EUCLEAN);
                assert_non_null(strstr(f->message, "settings"));
        }
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
        const struct ctap_settings settings = { .pin_length = 9, .min_pin_length = 6 };

        return store_set_settings(f->store, &settings);
}

static bool did_settings(struct fixture *f) {
        const struct ctap_settings *s = store_settings(f->store);

        assert_true((s->pin_length == 9) == (s->min_pin_length == 6));
        return s->pin_length == 9;
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

static int op_erase(struct fixture *f) {
        static const struct tpm_state tpm = { .phase = TPM_PHASE_ERASING };

        return store_erase(f->store, &tpm);
}

static bool did_erase(struct fixture *f) {
        static struct tpm_state tpm;
        struct store_lease lease;
        struct ctap_row row;
        bool erased = find(f, 1, &row) == -ENOENT;

        assert_int_equal(store_get_tpm_state(f->store, &tpm), 0);
        assert_true(erased == (tpm.phase == TPM_PHASE_ERASING));
        assert_int_equal(store_get_lease(f->store, &lease), erased ? -ENOENT : 0);
        assert_int_equal(store_settings(f->store)->pin_length, erased ? 0 : 5);
        return erased;
}

static const struct operation operations[] = {
        { "insert", op_insert, did_insert, false },
        { "replace", op_replace, did_replace, false },
        { "use", op_use, did_use, false },
        { "delete", op_delete, did_delete, false },
        { "raise", op_raise, did_raise, false },
        { "set state", op_state, did_state, false },
        { "settings", op_settings, did_settings, false },
        { "secrets", op_secrets, did_secrets, false },
        { "erase", op_erase, did_erase, true },
};

static void fill(struct fixture *f) {
        const struct ctap_settings settings = { .pin_length = 5, .min_pin_length = 4 };
        const struct store_lease lease = { .counter = 5 };
        uint32_t count;

        assert_int_equal(store_set_settings(f->store, &settings), 0);
        assert_int_equal(store_set_lease(f->store, &lease), 0);
        for (uint32_t i = 1; i <= 8; i++) {
                assert_int_equal(insert(f, i, 7, i), 0);
                assert_int_equal(use(f, i, &count), 0);
        }
}

/* What no operation may touch is still there, and the store takes more. */
static void check_rest(struct fixture *f, bool erased) {
        struct ctap_row row;
        uint32_t n_found = 0;

        for (uint32_t i = 1; i <= 8; i++)
                n_found += find(f, i, &row) == 0;
        assert_true(erased ? n_found == 0 : n_found >= 7);
        assert_int_equal(insert(f, 1000, 7, 1000), 0);
        assert_int_equal(drop(f, 1000), 0);
}

static void make_template(struct fixture *f, struct scratch_file *ret) {
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
        check_rest(f, happened && op->run == op_erase);
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
                        check_rest(f, happened && op->run == op_erase);
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
        }
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
                TEST(a_walk_sees_each_credential_and_may_delete),
                TEST(a_number_is_not_given_to_a_second_credential),
                TEST(a_use_raises_the_count_and_the_lease_with_one_sync),
                TEST(raising_reaches_every_credential_and_never_lowers),
                TEST(a_count_ends_at_32_bits),
                TEST(lease_and_tpm_state_come_back),
                TEST(settings_come_back_and_a_bad_one_is_refused),
                TEST(a_credential_gets_its_secrets_once),
                TEST(what_is_erased_leaves_no_trace),
                TEST(what_a_use_reads_does_not_grow_with_the_store),
                TEST(the_files_are_private_whatever_the_umask),
                TEST(a_copy_that_others_could_read_is_narrowed),
                TEST(a_file_of_version_0_becomes_a_present_one),
                TEST(a_file_of_version_1_keeps_its_credentials),
                TEST(settings_that_are_missing_or_wrong_are_damage),
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
