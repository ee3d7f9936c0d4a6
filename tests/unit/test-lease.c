/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * authenticator/lease.c: the promise that no credential ever shows a value that is not above every
 * one it showed before, whatever happens to the file.
 *
 * A history is some boots of the real code on a real file: credentials are made, used and deleted,
 * copies of the file are taken at any moment and put back later in any order, and the process dies
 * at a random write, sync or step of the counter. The world remembers what each credential showed.
 * The same histories are run with schemes that look right and are not, to see that they are caught.
 */

#include <errno.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "authenticator/lease.h"
#include "tests/fake/scratch.h"
#include "tests/fake/vfs.h"
#include "tests/unit/test.h"

#define N_HISTORIES 2000
#define N_BOOTS     6
#define MAX_CREDS   12
#define MAX_COPIES  8

struct scheme {
        int (*begin)(struct store *s, struct lease_counter *c);
        int (*renew)(struct store *s, struct lease_counter *c);
        int (*base)(struct store *s, int64_t *ret);
        int (*end)(struct store *s, struct lease_counter *c);
};

struct world {
        struct lease_counter counter;
        uint64_t g;
        unsigned n_advances;
        uint64_t random;
        struct fault fault;
        struct fake_vfs *vfs;
        struct scratch folder;
        char path[300], wal[310];
        struct store *store;
        const struct scheme *scheme;
        struct {
                struct scratch_file db, wal;
        } copies[MAX_COPIES];
        unsigned n_copies;
        uint32_t shown[MAX_CREDS]; /* the highest value each credential ever showed */
        unsigned n_creds;
        unsigned n_shown, n_crashes, n_restores; /* what happened, over all histories */
};

static int counter_read(struct lease_counter *c, uint64_t *ret) {
        struct world *w = container_of(c, struct world, counter);

        if (fault_step(&w->fault) != FAULT_GO_ON)
                return -ECANCELED;
        *ret = w->g;
        return 0;
}

static int counter_advance(struct lease_counter *c, uint64_t *ret) {
        struct world *w = container_of(c, struct world, counter);
        enum fault_verdict verdict = fault_step(&w->fault);

        if (verdict == FAULT_FAIL)
                return -ECANCELED;
        w->g++;
        w->n_advances++;
        if (verdict == FAULT_FAIL_AFTER)
                return -ECANCELED;
        *ret = w->g;
        return 0;
}

static int setup(void **state) {
        struct world *w = calloc(1, sizeof(*w));

        assert_non_null(w);
        w->counter = (struct lease_counter){ .read = counter_read, .advance = counter_advance };
        w->g = 5;
        scratch_make(&w->folder);
        (void)snprintf(w->path, sizeof(w->path), "%s/store.db", w->folder.path);
        (void)snprintf(w->wal, sizeof(w->wal), "%s-wal", w->path);
        w->fault.sqlite_code = SQLITE_IOERR_WRITE;
        w->vfs = fake_vfs_new(&w->fault);
        *state = w;
        return 0;
}

static void forget_copies(struct world *w) {
        while (w->n_copies > 0) {
                w->n_copies--;
                scratch_file_done(&w->copies[w->n_copies].db);
                scratch_file_done(&w->copies[w->n_copies].wal);
        }
}

static int teardown(void **state) {
        struct world *w = *state;

        w->store = store_close(w->store);
        w->vfs = fake_vfs_free(w->vfs);
        forget_copies(w);
        scratch_remove(&w->folder);
        free(w);
        return 0;
}

static int try_open(struct world *w) {
        const struct store_options options = { .path = w->path, .max_credentials = 1000 };

        return store_open(&options, &w->store);
}

static struct ctap_row make_row(unsigned n) {
        struct ctap_row row = { .class = CTAP_CLASS_A, .cred_protect = 1, .key.len = 64 };

        row.id.b[0] = (uint8_t)n;
        return row;
}

/* ---- histories -------------------------------------------------------------------------- */

/* xorshift64*: a history is its seed. */
static unsigned dice(struct world *w, unsigned sides) {
        w->random ^= w->random >> 12;
        w->random ^= w->random << 25;
        w->random ^= w->random >> 27;
        return (unsigned)((w->random * 0x2545f4914f6cdd1dULL) >> 33) % sides;
}

static void take_copy(struct world *w) {
        unsigned k = w->n_copies < MAX_COPIES ? w->n_copies++ : dice(w, MAX_COPIES);

        scratch_file_done(&w->copies[k].db);
        scratch_file_done(&w->copies[k].wal);
        scratch_read(w->path, &w->copies[k].db);
        scratch_read(w->wal, &w->copies[k].wal);
}

static void put_back_a_copy(struct world *w) {
        unsigned k;

        if (w->n_copies == 0)
                return;
        k = dice(w, w->n_copies);
        scratch_write(w->path, &w->copies[k].db);
        scratch_write(w->wal, &w->copies[k].wal);
        w->n_restores++;
}

/* The outcome of an act: the history goes on, the process died, or the promise is broken. */
enum outcome { FINE, DEAD, BROKEN };

static enum outcome outcome_of(const struct world *w, int r) {
        if (r == 0 || r == -ENOENT)
                return FINE;
        return w->fault.hit ? DEAD : BROKEN;
}

static enum outcome create_one(struct world *w) {
        struct ctap_row row = make_row(w->n_creds);
        int64_t base;
        int r;

        if (w->n_creds == MAX_CREDS)
                return FINE;
        r = w->scheme->base(w->store, &base);
        if (r < 0)
                return outcome_of(w, r);
        w->shown[w->n_creds++] = 0;
        return outcome_of(w, store_insert(w->store, &row, base));
}

static enum outcome use_one(struct world *w) {
        unsigned i = dice(w, w->n_creds);
        struct ctap_row row = make_row(i);
        uint32_t count;
        int r;

        r = w->scheme->renew(w->store, &w->counter);
        if (r < 0)
                return outcome_of(w, r);
        r = store_use(w->store, &row.id, &count);
        if (r < 0)
                return outcome_of(w, r);
        if (count <= w->shown[i])
                return BROKEN;
        w->shown[i] = count;
        w->n_shown++;
        return FINE;
}

static enum outcome act(struct world *w) {
        struct ctap_row row;
        unsigned what = dice(w, 100);

        if (w->n_creds == 0 || what < 8)
                return create_one(w);
        if (what < 11) {
                row = make_row(dice(w, w->n_creds));
                return outcome_of(w, store_delete(w->store, &row.id));
        }
        if (what < 18)
                take_copy(w);
        if (what < 22)
                store_settle(w->store);
        return use_one(w);
}

static enum outcome boot(struct world *w) {
        unsigned n = dice(w, 5) == 0 ? 40 : dice(w, 16);
        enum outcome o;
        int r;

        r = try_open(w);
        if (r < 0)
                return outcome_of(w, r);
        o = outcome_of(w, w->scheme->begin(w->store, &w->counter));
        for (unsigned i = 0; o == FINE && i < n; i++)
                o = act(w);
        if (o == FINE && dice(w, 2) == 0)
                o = outcome_of(w, w->scheme->end(w->store, &w->counter));
        return o;
}

/* True if the promise was kept. */
static bool history(struct world *w, const struct scheme *scheme, unsigned seed) {
        enum outcome o = FINE;

        w->scheme = scheme;
        w->random = 0x9e3779b97f4a7c15ULL * (seed + 1);
        w->n_creds = 0;
        forget_copies(w);
        (void)unlink(w->path);
        (void)unlink(w->wal);
        for (unsigned i = 0; o != BROKEN && i < N_BOOTS; i++) {
                if (dice(w, 3) == 0)
                        put_back_a_copy(w);
                w->fault.n = 0;
                w->fault.at = dice(w, 2) == 0 ? 1 + dice(w, 60) : 0;
                w->fault.mode = FAULT_CRASH;
                w->fault.late = dice(w, 2) == 0;
                o = boot(w);
                w->n_crashes += o == DEAD;
                /* Half of those that simply stop leave their WAL behind. */
                if (dice(w, 2) == 0 && !w->fault.hit)
                        w->fault = (struct fault){ .at = 1, .mode = FAULT_CRASH };
                w->fault.sqlite_code = SQLITE_IOERR_WRITE;
                w->store = store_close(w->store);
                w->fault.at = 0;
                w->fault.hit = false;
                if (dice(w, 3) == 0 && o == FINE)
                        take_copy(w);
        }
        return o != BROKEN;
}

static const struct scheme the_scheme = { lease_begin, lease_renew, lease_base, lease_end };

static void no_credential_repeats_a_count_in_any_history(void **state) {
        struct world *w = *state;

        for (unsigned seed = 0; seed < N_HISTORIES; seed++)
                if (!history(w, &the_scheme, seed))
                        fail_msg("history %u shows a count twice", seed);

        /* They were histories worth the name. */
        assert_true(w->n_shown > N_HISTORIES * 20);
        assert_true(w->n_crashes > N_HISTORIES);
        assert_true(w->n_restores > N_HISTORIES / 2);
        print_message("# %u counts shown, %u steps of the counter, %u crashes, %u restores\n",
                      w->n_shown, w->n_advances, w->n_crashes, w->n_restores);
}

/* ---- schemes that look right ------------------------------------------------------------ */

/* The base of a credential made under an open lease, as if the lease had not begun yet. */
static int base_of_the_present(struct store *s, int64_t *ret) {
        struct store_lease lease;
        int r = store_get_lease(s, &lease);

        if (r == 0)
                *ret = -(int64_t)(LEASE_USES * lease.counter);
        return r;
}

/* A lease that is committed before the step it stands for. */
static int renew_before_the_step(struct store *s, struct lease_counter *c) {
        struct store_lease lease;
        uint64_t g;
        int r;

        r = store_get_lease(s, &lease);
        if (r < 0 || (!lease.clean && lease.used < LEASE_USES))
                return r;
        lease = (struct store_lease){ .counter = lease.counter + 1 };
        r = store_set_lease(s, &lease);
        return r < 0 ? r : c->advance(c, &g);
}

/* A start that begins a new lease, but raises nothing. */
static int begin_without_raising(struct store *s, struct lease_counter *c) {
        struct store_lease lease = { 0 };
        int r;

        r = store_get_lease(s, &lease);
        if (r == -ENOENT)
                return lease_begin(s, c);
        r = c->advance(c, &lease.counter);
        if (r < 0)
                return r;
        lease.used = 0;
        return store_set_lease(s, &lease);
}

/* The relative bump: a step for each signature, and all counts go up by the steps that were missed. */
struct bump {
        struct store *store;
        uint64_t by;
};

static int bump_one(void *userdata, const struct ctap_row *row) {
        struct bump *b = userdata;
        uint32_t count;
        int r = 0;

        for (uint64_t i = 0; r == 0 && i < b->by; i++)
                r = store_use(b->store, &row->id, &count);
        return r;
}

static int bump_begin(struct store *s, struct lease_counter *c) {
        struct store_lease lease;
        struct bump b = { .store = s };
        uint64_t g;
        int r;

        r = store_get_lease(s, &lease);
        if (r == -ENOENT)
                return lease_begin(s, c);
        r = c->read(c, &g);
        if (r < 0)
                return r;
        b.by = g - lease.counter;
        r = store_each(s, bump_one, &b);
        if (r < 0)
                return r;
        lease = (struct store_lease){ .counter = g };
        return store_set_lease(s, &lease);
}

static int bump_renew(struct store *s, struct lease_counter *c) {
        struct store_lease lease = { 0 };
        int r = c->advance(c, &lease.counter);

        return r < 0 ? r : store_set_lease(s, &lease);
}

static int bump_end(_unused_ struct store *s, _unused_ struct lease_counter *c) {
        return 0;
}

static void expect_caught(struct world *w, const struct scheme *scheme) {
        unsigned seed = 0;

        while (seed < N_HISTORIES && history(w, scheme, seed))
                seed++;
        assert_true(seed < N_HISTORIES);
        print_message("# caught in history %u\n", seed);
}

static void a_base_of_the_present_is_caught(void **state) {
        const struct scheme wrong = { lease_begin, lease_renew, base_of_the_present, lease_end };

        expect_caught(*state, &wrong);
}

static void a_lease_before_its_step_is_caught(void **state) {
        const struct scheme wrong = { lease_begin, renew_before_the_step, lease_base, lease_end };

        expect_caught(*state, &wrong);
}

static void a_start_without_raising_is_caught(void **state) {
        const struct scheme wrong = { begin_without_raising, lease_renew, lease_base, lease_end };

        expect_caught(*state, &wrong);
}

static void the_relative_bump_is_caught(void **state) {
        const struct scheme wrong = { bump_begin, bump_renew, lease_base, bump_end };

        expect_caught(*state, &wrong);
}

/* ---- single steps ----------------------------------------------------------------------- */

static struct store_lease lease_of(struct world *w) {
        struct store_lease lease;

        assert_int_equal(store_get_lease(w->store, &lease), 0);
        return lease;
}

static uint32_t use_number(struct world *w, unsigned n) {
        struct ctap_row row = make_row(n);
        uint32_t count = 0;

        assert_int_equal(lease_renew(w->store, &w->counter), 0);
        assert_int_equal(store_use(w->store, &row.id, &count), 0);
        return count;
}

static void insert_number(struct world *w, unsigned n) {
        struct ctap_row row = make_row(n);
        int64_t base;

        assert_int_equal(lease_base(w->store, &base), 0);
        assert_int_equal(store_insert(w->store, &row, base), 0);
}

static void a_new_store_begins_clean_where_the_counter_is(void **state) {
        struct world *w = *state;
        int64_t base;

        assert_int_equal(try_open(w), 0);
        assert_int_equal(lease_base(w->store, &base), -ENOENT);
        assert_int_equal(lease_end(w->store, &w->counter), 0);
        assert_int_equal(lease_begin(w->store, &w->counter), 0);
        assert_true(lease_of(w).clean);
        assert_int_equal(lease_of(w).counter, 5);
        assert_int_equal(lease_base(w->store, &base), 0);
        assert_true(base == -5 * LEASE_USES);
        assert_int_equal(lease_end(w->store, &w->counter), 0);
        assert_int_equal(w->n_advances, 0);
}

static void a_step_is_taken_once_in_32_uses(void **state) {
        struct world *w = *state;

        assert_int_equal(try_open(w), 0);
        assert_int_equal(lease_begin(w->store, &w->counter), 0);
        insert_number(w, 1);
        for (uint32_t i = 1; i <= 3 * LEASE_USES; i++) {
                assert_int_equal(use_number(w, 1), i);
                assert_int_equal(w->n_advances, 1 + (i - 1) / LEASE_USES);
        }
        assert_int_equal(lease_end(w->store, &w->counter), 0);
        assert_int_equal(lease_end(w->store, &w->counter), 0);
        assert_int_equal(w->n_advances, 4);
        w->store = store_close(w->store);
        assert_int_equal(try_open(w), 0);
        assert_int_equal(lease_begin(w->store, &w->counter), 0);
        assert_int_equal(w->n_advances, 4);
        assert_int_equal(use_number(w, 1), 3 * LEASE_USES + 1);
}

static void a_credential_made_under_a_lease_starts_low_and_is_raised_enough(void **state) {
        struct world *w = *state;
        struct ctap_row row = make_row(2);

        assert_int_equal(try_open(w), 0);
        assert_int_equal(lease_begin(w->store, &w->counter), 0);
        insert_number(w, 1);
        assert_int_equal(use_number(w, 1), 1);
        insert_number(w, 2);
        assert_int_equal(use_number(w, 2), 1);
        w->store = store_close(w->store); /* without an end */

        assert_int_equal(try_open(w), 0);
        assert_int_equal(lease_begin(w->store, &w->counter), 0);
        assert_int_equal(store_find(w->store, &row.id, &row), 0);
        assert_int_equal(row.count, LEASE_USES);
        insert_number(w, 3);
        assert_int_equal(use_number(w, 3), 1);
        assert_int_equal(use_number(w, 2), LEASE_USES + 1);
}

static void a_counter_that_went_back_is_another_tpm(void **state) {
        struct world *w = *state;
        struct store_lease before, after;

        assert_int_equal(try_open(w), 0);
        assert_int_equal(lease_begin(w->store, &w->counter), 0);
        insert_number(w, 1);
        assert_int_equal(use_number(w, 1), 1);
        before = lease_of(w);
        w->g = 3;
        assert_int_equal(lease_begin(w->store, &w->counter), -ENOTRECOVERABLE);
        w->g = before.counter - 1; /* now a step leads to where we are already */
        before.used = LEASE_USES;
        assert_int_equal(store_set_lease(w->store, &before), 0);
        assert_int_equal(lease_renew(w->store, &w->counter), -ENOTRECOVERABLE);
        after = lease_of(w);
        assert_true(after.counter == before.counter && after.used == before.used);
}

/* Another copy of the store is in use beside this one: seen by the steps that are missing. */
static void steps_that_somebody_else_took_raise_the_counts(void **state) {
        struct world *w = *state;
        struct ctap_row row = make_row(1);

        assert_int_equal(try_open(w), 0);
        assert_int_equal(lease_begin(w->store, &w->counter), 0);
        insert_number(w, 1);
        w->g += 3;
        assert_int_equal(lease_renew(w->store, &w->counter), 0);
        assert_int_equal(store_find(w->store, &row.id, &row), 0);
        assert_int_equal(row.count, 3 * LEASE_USES);
        w->g += 1;
        assert_int_equal(lease_end(w->store, &w->counter), 0);
        assert_int_equal(store_find(w->store, &row.id, &row), 0);
        assert_int_equal(row.count, 5 * LEASE_USES);
}

static void a_step_that_could_not_be_committed_is_not_taken_again(void **state) {
        struct world *w = *state;

        assert_int_equal(try_open(w), 0);
        assert_int_equal(lease_begin(w->store, &w->counter), 0);
        insert_number(w, 1);
        w->n_advances = 0;
        w->fault = (struct fault){ .sqlite_code = SQLITE_FULL };
        for (unsigned i = 0; i < 5; i++) {
                /* The first try takes a step before it writes, the later ones only write. */
                w->fault.at = w->fault.n + (i == 0 ? 2 : 1);
                assert_int_equal(lease_renew(w->store, &w->counter), -ENOSPC);
        }
        w->fault.at = 0;
        assert_int_equal(use_number(w, 1), 1);
        assert_int_equal(w->n_advances, 1);
        assert_int_equal(lease_of(w).counter, w->g);
        assert_int_equal(lease_end(w->store, &w->counter), 0);
        assert_int_equal(w->n_advances, 2);
}

static void a_counter_beyond_counting_is_refused(void **state) {
        struct world *w = *state;
        int64_t base;

        w->g = (uint64_t)INT64_MAX / LEASE_USES + 1;
        assert_int_equal(try_open(w), 0);
        assert_int_equal(lease_begin(w->store, &w->counter), 0);
        assert_int_equal(lease_base(w->store, &base), -EOVERFLOW);
        w->g += 2;
        assert_int_equal(lease_begin(w->store, &w->counter), -EOVERFLOW);
        w->g = (uint64_t)INT64_MAX + 1;
        assert_int_equal(lease_renew(w->store, &w->counter), -EOVERFLOW);
}

/* After 2^32 / 32 steps the bound no longer fits the wire: that credential is at its end. */
static void a_count_raised_beyond_32_bits_is_not_shown(void **state) {
        struct world *w = *state;
        struct ctap_row row = make_row(1);
        uint32_t count;

        assert_int_equal(try_open(w), 0);
        assert_int_equal(lease_begin(w->store, &w->counter), 0);
        insert_number(w, 1);
        w->g += UINT32_MAX / LEASE_USES + 1;
        assert_int_equal(lease_begin(w->store, &w->counter), 0);
        assert_int_equal(store_use(w->store, &row.id, &count), -EOVERFLOW);
        insert_number(w, 2);
        assert_int_equal(use_number(w, 2), 1);
}

int main(void) {
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
        const struct CMUnitTest tests[] = {
                TEST(a_new_store_begins_clean_where_the_counter_is),
                TEST(a_step_is_taken_once_in_32_uses),
                TEST(a_credential_made_under_a_lease_starts_low_and_is_raised_enough),
                TEST(a_counter_that_went_back_is_another_tpm),
                TEST(steps_that_somebody_else_took_raise_the_counts),
                TEST(a_step_that_could_not_be_committed_is_not_taken_again),
                TEST(a_counter_beyond_counting_is_refused),
                TEST(a_count_raised_beyond_32_bits_is_not_shown),
                TEST(a_base_of_the_present_is_caught),
                TEST(a_lease_before_its_step_is_caught),
                TEST(a_start_without_raising_is_caught),
                TEST(the_relative_bump_is_caught),
                TEST(no_credential_repeats_a_count_in_any_history),
        };

        return cmocka_run_group_tests_name("lease", tests, NULL, NULL);
}
