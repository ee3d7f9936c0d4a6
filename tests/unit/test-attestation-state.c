/* SPDX-License-Identifier: BSD-2-Clause */

/* authenticator/attestation-state.c: files that are whole, or not there, or not taken. */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "authenticator/attestation-state.h"
#include "tests/unit/test.h"

struct fixture {
        char state[64], folder[96];
        uint8_t storage[ATTESTATION_FILE_MAX];
        struct buf read;
};

static int setup(void **state) {
        struct fixture *f = calloc(1, sizeof(*f));

        assert_non_null(f);
        strcpy(f->state, "/tmp/test-attestation-state-XXXXXX");
        assert_non_null(mkdtemp(f->state));
        snprintf(f->folder, sizeof(f->folder), "%s/attestation", f->state);
        f->read = BUF_ON(f->storage);
        *state = f;
        return 0;
}

static void remove_file(const struct fixture *f, const char *name) {
        char path[160];

        snprintf(path, sizeof(path), "%s/%s", f->folder, name);
        (void)unlink(path);
        (void)rmdir(path);
}

static int teardown(void **state) {
        static const char *const names[] = { "key",         "key.new",   "request",
                                             "request.new", "chain.pem", "chain.pem.new" };
        struct fixture *f = *state;

        /* A link goes first, before anything follows it. */
        (void)unlink(f->folder);
        (void)chmod(f->folder, 0700);
        for (size_t i = 0; i < ELEMENTSOF(names); i++)
                remove_file(f, names[i]);
        (void)rmdir(f->folder);
        assert_int_equal(rmdir(f->state), 0);
        free(f);
        return 0;
}

static int read_again(struct fixture *f, enum attestation_file file) {
        f->read.len = 0;
        f->read.failed = false;
        return attestation_state_read(f->state, file, &f->read);
}

static void assert_reads(struct fixture *f, enum attestation_file file, const char *what) {
        assert_int_equal(read_again(f, file), 0);
        assert_true(bytes_equal(buf_bytes(&f->read), BYTES_TEXT(what)));
}

static void what_is_written_is_read_until_it_is_removed(void **state) {
        static const char *const texts[_ATTESTATION_FILES] = { "a key", "a request", "a chain" };
        struct fixture *f = *state;
        struct stat st;

        for (unsigned i = 0; i < _ATTESTATION_FILES; i++) {
                assert_int_equal(read_again(f, i), -ENOENT);
                assert_int_equal(attestation_state_remove(f->state, i), 0);
        }
        for (unsigned i = 0; i < _ATTESTATION_FILES; i++)
                assert_int_equal(attestation_state_write(f->state, i, BYTES_TEXT(texts[i])), 0);
        assert_int_equal(stat(f->folder, &st), 0);
        assert_int_equal(st.st_mode & 07777, 0700);
        for (unsigned i = 0; i < _ATTESTATION_FILES; i++)
                assert_reads(f, i, texts[i]);
        assert_int_equal(attestation_state_write(f->state, 0, BYTES_TEXT("another")), 0);
        assert_reads(f, 0, "another");
        assert_int_equal(attestation_state_remove(f->state, 0), 0);
        assert_int_equal(read_again(f, 0), -ENOENT);
        assert_reads(f, 1, texts[1]);
}

/* A crash while one was written leaves the old one, and something that the next one replaces. */
static void what_was_begun_does_not_count(void **state) {
        struct fixture *f = *state;
        char path[128];
        FILE *begun;

        assert_int_equal(attestation_state_write(f->state, ATTESTATION_CHAIN, BYTES_TEXT("old")),
                         0);
        snprintf(path, sizeof(path), "%s/chain.pem.new", f->folder);
        begun = fopen(path, "w");
        assert_non_null(begun);
        fputs("ne", begun);
        assert_int_equal(fclose(begun), 0);
        assert_reads(f, ATTESTATION_CHAIN, "old");
        assert_int_equal(attestation_state_write(f->state, ATTESTATION_CHAIN, BYTES_TEXT("new")),
                         0);
        assert_reads(f, ATTESTATION_CHAIN, "new");
        assert_int_equal(access(path, F_OK), -1);
}

static void what_others_may_have_written_is_not_taken(void **state) {
        struct fixture *f = *state;
        char path[128];

        assert_int_equal(attestation_state_write(f->state, ATTESTATION_KEY, BYTES_TEXT("x")), 0);
        snprintf(path, sizeof(path), "%s/key", f->folder);
        assert_int_equal(chmod(path, 0620), 0);
        assert_int_equal(read_again(f, ATTESTATION_KEY), -EPERM);
        assert_int_equal(chmod(path, 0600), 0);
        assert_int_equal(chmod(f->folder, 0770), 0);
        assert_int_equal(read_again(f, ATTESTATION_KEY), -EPERM);
        assert_int_equal(attestation_state_write(f->state, ATTESTATION_KEY, BYTES_TEXT("y")),
                         -EPERM);
        assert_int_equal(attestation_state_remove(f->state, ATTESTATION_KEY), -EPERM);
        assert_int_equal(chmod(f->folder, 0700), 0);
        assert_reads(f, ATTESTATION_KEY, "x");
}

static void neither_links_nor_folders_are_taken_for_files(void **state) {
        struct fixture *f = *state;
        char path[128];

        assert_int_equal(attestation_state_write(f->state, ATTESTATION_KEY, BYTES_TEXT("x")), 0);
        snprintf(path, sizeof(path), "%s/request", f->folder);
        assert_int_equal(symlink("key", path), 0);
        assert_int_equal(read_again(f, ATTESTATION_REQUEST), -EPERM);
        assert_int_equal(attestation_state_write(f->state, ATTESTATION_REQUEST, BYTES_TEXT("y")),
                         0);
        assert_reads(f, ATTESTATION_KEY, "x");
        assert_reads(f, ATTESTATION_REQUEST, "y");
        snprintf(path, sizeof(path), "%s/chain.pem", f->folder);
        assert_int_equal(mkdir(path, 0700), 0);
        assert_int_equal(read_again(f, ATTESTATION_CHAIN), -EPERM);
        assert_int_equal(attestation_state_write(f->state, ATTESTATION_CHAIN, BYTES_TEXT("z")),
                         -EISDIR);
        assert_int_equal(attestation_state_remove(f->state, ATTESTATION_CHAIN), -EISDIR);
}

static void the_folder_itself_is_no_link(void **state) {
        struct fixture *f = *state;

        assert_int_equal(symlink("/tmp", f->folder), 0);
        assert_int_equal(read_again(f, ATTESTATION_KEY), -EPERM);
        assert_int_equal(attestation_state_write(f->state, ATTESTATION_KEY, BYTES_TEXT("x")),
                         -EPERM);
}

static void what_is_too_large_is_not_written_and_not_read(void **state) {
        static uint8_t large[ATTESTATION_FILE_MAX + 1];
        struct fixture *f = *state;
        struct tpm_attestation_key key;

        assert_int_equal(attestation_state_write(f->state, ATTESTATION_KEY, BYTES_OF(large)),
                         -EMSGSIZE);
        assert_int_equal(read_again(f, ATTESTATION_KEY), -ENOENT);
        assert_int_equal(attestation_state_write(f->state, ATTESTATION_KEY,
                                                 BYTES(large, ATTESTATION_FILE_MAX)),
                         0);
        assert_int_equal(read_again(f, ATTESTATION_KEY), 0);
        f->read.cap = ATTESTATION_FILE_MAX - 1;
        assert_int_equal(read_again(f, ATTESTATION_KEY), -EMSGSIZE);
        assert_int_equal(attestation_state_read_key(f->state, &key), -EBADMSG);
}

static void a_key_is_kept_as_it_is(void **state) {
        struct fixture *f = *state;
        struct tpm_attestation_key key = { .len = 3, .data = { 1, 2, 3 } }, read;

        assert_int_equal(attestation_state_read_key(f->state, &read), -ENOENT);
        assert_int_equal(attestation_state_save_key(f->state, &key), 0);
        assert_int_equal(attestation_state_read_key(f->state, &read), 0);
        assert_int_equal(read.len, 3);
        assert_memory_equal(read.data, key.data, 3);
}

static void without_a_state_directory_nothing_is_made(void **state) {
        const char *nowhere = "/nonexistent/state";
        struct fixture *f = *state;

        assert_int_equal(attestation_state_read(nowhere, ATTESTATION_KEY, &f->read), -ENOENT);
        assert_int_equal(attestation_state_write(nowhere, ATTESTATION_KEY, BYTES_TEXT("x")),
                         -ENOENT);
}

#define state_test(t) cmocka_unit_test_setup_teardown(t, setup, teardown)

int main(void) {
        const struct CMUnitTest tests[] = {
                state_test(what_is_written_is_read_until_it_is_removed),
                state_test(what_was_begun_does_not_count),
                state_test(what_others_may_have_written_is_not_taken),
                state_test(neither_links_nor_folders_are_taken_for_files),
                state_test(the_folder_itself_is_no_link),
                state_test(what_is_too_large_is_not_written_and_not_read),
                state_test(a_key_is_kept_as_it_is),
                state_test(without_a_state_directory_nothing_is_made),
        };

        return cmocka_run_group_tests_name("attestation-state", tests, NULL, NULL);
}
