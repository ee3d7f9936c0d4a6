/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * authenticator/journal.c and outcome.c: what is noted is what comes back, and only under the store
 * key it was written with; which answers to a client are worth noting.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "authenticator/journal.h"
#include "authenticator/outcome.h"
#include "authenticator/util.h"
#include "ctap/status.h"
#include "tests/fake/scratch.h"
#include "tests/unit/test.h"

struct fixture {
        struct scratch folder;
        char path[300];
        struct store *store;
        struct journal *journal;
        struct secret32 key;
};

static int setup(void **state) {
        struct fixture *f = calloc(1, sizeof(*f));
        struct store_options options = { .max_credentials = 10 };

        assert_non_null(f);
        scratch_make(&f->folder);
        snprintf(f->path, sizeof(f->path), "%s/store.db", f->folder.path);
        options.path = f->path;
        assert_int_equal(store_open(&options, &f->store), 0);
        assert_int_equal(journal_new(&f->journal), 0);
        memset(&f->key, 'k', sizeof(f->key));
        *state = f;
        return 0;
}

static int teardown(void **state) {
        struct fixture *f = *state;

        journal_free(f->journal);
        store_close(f->store);
        scratch_remove(&f->folder);
        free(f);
        return 0;
}

struct seen {
        unsigned n;
        struct journal_event e[64]; /* newest first */
};

static int see(void *userdata, const struct journal_event *e) {
        struct seen *seen = userdata;

        assert_true(seen->n < ELEMENTSOF(seen->e));
        seen->e[seen->n++] = *e;
        return 0;
}

static struct seen *read_back(struct fixture *f) {
        static struct seen seen;

        seen.n = 0;
        journal_write(f->journal, f->store, &f->key);
        assert_int_equal(journal_each(f->store, &f->key, 0, see, &seen), 0);
        return &seen;
}

static void note(struct fixture *f, enum journal_what what, uint8_t status, const char *rp_id,
                 const char *account) {
        journal_note(f->journal, what, status, NULL, BYTES_TEXT(rp_id), BYTES_TEXT(account));
}

static void assert_event(const struct journal_event *e, enum journal_what what, uint8_t status,
                         const char *rp_id, const char *account) {
        assert_int_equal(e->what, what);
        assert_int_equal(e->status, status);
        assert_true(e->time > 1700000000);
        assert_bytes_equal(BYTES(e->rp_id, e->rp_id_len), BYTES_TEXT(rp_id));
        assert_bytes_equal(BYTES(e->account, e->account_len), BYTES_TEXT(account));
}

static void what_is_noted_comes_back(void **state) {
        static const struct ctap_credential_id id = { .b = "an id" };
        struct fixture *f = *state;
        char longest[256], name[129];
        struct seen *seen;

        memset(longest, 'l', 255);
        longest[255] = '\0';
        memset(name, 'n', 128);
        name[128] = '\0';
        note(f, JOURNAL_CREATE, CTAP_OK, "a.example", "ann");
        note(f, JOURNAL_PIN, CTAP2_ERR_PIN_INVALID, "", "");
        note(f, JOURNAL_USE, CTAP1_ERR_OTHER, longest, name);
        journal_note(f->journal, JOURNAL_USE, CTAP_OK, &id, BYTES_NULL, BYTES_NULL);

        seen = read_back(f);
        assert_int_equal(seen->n, 4);
        assert_event(&seen->e[0], JOURNAL_USE, CTAP_OK, "", "");
        assert_true(seen->e[0].has_id);
        assert_bytes_equal(BYTES_OF(seen->e[0].id), BYTES_OF(id));
        assert_event(&seen->e[1], JOURNAL_USE, CTAP1_ERR_OTHER, longest, name);
        assert_event(&seen->e[2], JOURNAL_PIN, CTAP2_ERR_PIN_INVALID, "", "");
        assert_event(&seen->e[3], JOURNAL_CREATE, CTAP_OK, "a.example", "ann");
        assert_false(seen->e[3].has_id);

        /* What was written is not written again. */
        assert_int_equal(read_back(f)->n, 4);
        note(f, JOURNAL_RESET, CTAP_OK, "", "");
        journal_drop(f->journal);
        assert_int_equal(read_back(f)->n, 4);
}

static void a_name_that_is_too_long_is_cut_between_characters(void **state) {
        struct fixture *f = *state;
        char name[131] = "";

        memset(name, 'n', 127);
        strcat(name, "\u00e9");
        note(f, JOURNAL_USE, CTAP_OK, "a.example", name);
        assert_int_equal(read_back(f)->e[0].account_len, 127);
}

static void the_newest_of_too_many_are_kept(void **state) {
        struct fixture *f = *state;
        struct seen *seen;
        char name[16];

        for (unsigned i = 0; i < 88; i++) {
                assert_true(journal_is_full(f->journal) == (i >= 64));
                snprintf(name, sizeof(name), "%u", i);
                note(f, JOURNAL_USE, CTAP_OK, name, "");
        }
        seen = read_back(f);
        assert_false(journal_is_full(f->journal));
        assert_int_equal(seen->n, 64);
        assert_event(&seen->e[0], JOURNAL_USE, CTAP_OK, "87", "");
        assert_event(&seen->e[63], JOURNAL_USE, CTAP_OK, "24", "");
}

static int ignore(void *userdata, uint64_t sequence, struct bytes sealed) {
        (void)sequence;
        /* Padded: sites with names of about the same length look the same. */
        assert_int_equal(sealed.len, 1 + 12 + 64 + 16);
        ++*(unsigned *)userdata;
        return 0;
}

static void the_file_names_no_site_and_no_account(void **state) {
        struct fixture *f = *state;
        struct scratch_file file;
        unsigned n = 0;

        note(f, JOURNAL_USE, CTAP_OK, "secret.example", "ann");
        note(f, JOURNAL_USE, CTAP_OK, "b.example", "barbara");
        journal_write(f->journal, f->store, &f->key);
        assert_int_equal(store_each_event(f->store, 0, ignore, &n), 0);
        assert_int_equal(n, 2);
        f->store = store_close(f->store);
        scratch_read(f->path, &file);
        assert_true(file.len > 0);
        assert_false(scratch_file_has(&file, "secret.example", 14));
        assert_false(scratch_file_has(&file, "barbara", 7));
        scratch_file_done(&file);
}

static void what_another_key_sealed_or_somebody_changed_is_left_out(void **state) {
        struct fixture *f = *state;
        const struct bytes garbage[] = { BYTES_TEXT("\x01garbage"), BYTES_TEXT("\x02") };
        struct seen *seen;

        note(f, JOURNAL_USE, CTAP_OK, "a.example", "ann");
        journal_write(f->journal, f->store, &f->key);
        memset(&f->key, 'K', sizeof(f->key));
        assert_int_equal(read_back(f)->n, 0);
        note(f, JOURNAL_USE, CTAP_OK, "b.example", "bob");
        journal_write(f->journal, f->store, &f->key);
        assert_int_equal(store_add_events(f->store, garbage, 2), 0);
        seen = read_back(f);
        assert_int_equal(seen->n, 1);
        assert_event(&seen->e[0], JOURNAL_USE, CTAP_OK, "b.example", "bob");
}

/* The status that is noted for a command and its answer; -1: none. */
static int noted(struct fixture *f, const struct presence_asked *asked, uint8_t command,
                 uint8_t status) {
        struct seen *seen;

        outcome_note(f->journal, asked, BYTES(&command, 1), BYTES(&status, 1));
        seen = read_back(f);
        store_close(f->store);
        scratch_remove(&f->folder);
        scratch_make(&f->folder);
        snprintf(f->path, sizeof(f->path), "%s/store.db", f->folder.path);
        assert_int_equal(store_open(&(struct store_options){ .path = f->path,
                                                             .max_credentials = 1 },
                                    &f->store),
                         0);
        if (seen->n > 0 && asked->put)
                assert_bytes_equal(BYTES(seen->e[0].rp_id, seen->e[0].rp_id_len),
                                   BYTES_TEXT("a.example"));
        return seen->n > 0 ? seen->e[0].status : -1;
}

static void only_failures_worth_knowing_are_noted(void **state) {
        struct presence_asked none = { 0 },
                              asked = { .put = true, .rp_id_len = 9, .rp_id = "a.example" },
                              passive = { .put = true, .passive = true },
                              forbidden = { .put = true,
                                            .passive = true,
                                            .forbidden = true,
                                            .rp_id_len = 9,
                                            .rp_id = "a.example" };
        struct fixture *f = *state;

        assert_int_equal(noted(f, &asked, 0x01, CTAP2_ERR_OPERATION_DENIED), 0x27);
        assert_int_equal(noted(f, &asked, 0x02, CTAP2_ERR_USER_ACTION_TIMEOUT), 0x2f);
        assert_int_equal(noted(f, &asked, 0x02, CTAP2_ERR_KEEPALIVE_CANCEL), 0x2d);
        assert_int_equal(noted(f, &none, 0x06, CTAP2_ERR_PIN_INVALID), 0x31);
        assert_int_equal(noted(f, &none, 0x06, CTAP2_ERR_PIN_BLOCKED), 0x32);
        assert_int_equal(noted(f, &none, 0x01, CTAP2_ERR_KEY_STORE_FULL), 0x28);
        assert_int_equal(noted(f, &none, 0x0c, CTAP2_ERR_LARGE_BLOB_STORAGE_FULL), 0x18);
        assert_int_equal(noted(f, &none, 0x07, CTAP1_ERR_OTHER), 0x7f);
        assert_int_equal(noted(f, &forbidden, 0x01, CTAP2_ERR_OPERATION_DENIED), 0x30);
        assert_int_equal(noted(f, &forbidden, 0x02, CTAP2_ERR_KEEPALIVE_CANCEL), 0x30);

        /* Nobody was asked, or by the way; it is no failure, or one that tells the owner nothing. */
        assert_int_equal(noted(f, &none, 0x02, CTAP2_ERR_OPERATION_DENIED), -1);
        assert_int_equal(noted(f, &passive, 0x02, CTAP2_ERR_KEEPALIVE_CANCEL), -1);
        assert_int_equal(noted(f, &asked, 0x02, CTAP2_ERR_NO_CREDENTIALS), -1);
        assert_int_equal(noted(f, &asked, 0x01, CTAP_OK), -1);
        assert_int_equal(noted(f, &none, 0x08, CTAP2_ERR_NOT_ALLOWED), -1);
        assert_int_equal(noted(f, &asked, 0x04, CTAP1_ERR_OTHER), -1);
        assert_int_equal(noted(f, &asked, 0x0b, CTAP2_ERR_OPERATION_DENIED), -1);
}

static void everything_has_a_name(void **state) {
        (void)state;
        assert_string_equal(outcome_what(JOURNAL_CREATE), "create");
        assert_string_equal(outcome_what(JOURNAL_MANAGE), "manage");
        assert_string_equal(outcome_what((enum journal_what)0), "unknown");
        assert_string_equal(outcome_what((enum journal_what)200), "unknown");
        assert_string_equal(outcome_result(CTAP_OK), "ok");
        assert_string_equal(outcome_result(CTAP2_ERR_NOT_ALLOWED), "forbidden");
        assert_string_equal(outcome_result(CTAP2_ERR_PIN_INVALID), "wrong-pin");
        assert_string_equal(outcome_result(0xee), "failed");
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void) {
        const struct CMUnitTest tests[] = {
                TEST(what_is_noted_comes_back),
                TEST(a_name_that_is_too_long_is_cut_between_characters),
                TEST(the_newest_of_too_many_are_kept),
                TEST(the_file_names_no_site_and_no_account),
                TEST(what_another_key_sealed_or_somebody_changed_is_left_out),
                TEST(only_failures_worth_knowing_are_noted),
                cmocka_unit_test(everything_has_a_name),
        };

        return cmocka_run_group_tests_name("journal", tests, NULL, NULL);
}
