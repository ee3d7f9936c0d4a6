/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * What the number of credentials does to an assertion's part in the store: newest, count, find and
 * use, the last with its sync to a real disk; to looking at what there is, for credential management:
 * totals, next_rp, newest; and to changing a name. Prints times; the goal is that 100,000 credentials
 * cost at most 1.2 of what 10 cost, in one run, taking turns so that both see the same disk. Looking
 * is a few page reads and no sync: a larger tree is seen there.
 */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "authenticator/store.h"
#include "tests/fake/scratch.h"
#include "tests/fake/vfs.h"

#define N_ROUNDS 300

enum measure {
        ASSERTION,
        LOOKING,
        CHANGING,
        _MEASURES,
};

static const char *const names[_MEASURES] = { "an assertion", "looking", "changing" };

struct bench {
        uint32_t n;
        struct scratch folder;
        char path[300];
        struct store *store;
        double us[_MEASURES][N_ROUNDS];
};

static void must(bool ok, const char *what) {
        if (ok)
                return;
        (void)fprintf(stderr, "cannot %s\n", what);
        exit(1);
}

static struct ctap_row make_row(uint32_t n) {
        struct ctap_row row = { .class = CTAP_CLASS_A,
                                .cred_protect = 1,
                                .alg = -7,
                                .flags = CTAP_ROW_DISCOVERABLE,
                                .key.len = 216,
                                .sealed_len = 200 };
        uint32_t site = n / 3, spread = n * 2654435761U;

        /* Ids and tags look random, so that neighbours in an index lie apart. */
        memcpy(row.id.b, &spread, sizeof(spread));
        spread = site * 2246822519U;
        memcpy(row.rp_tag.b, &spread, sizeof(spread));
        memcpy(row.rp_tag.b + 4, &site, sizeof(site));
        row.account_tag = row.rp_tag;
        row.account_tag.b[31] = (uint8_t)(n % 3 + 1);
        return row;
}

static void open_store(struct bench *b) {
        const struct store_options options = { .path = b->path, .max_credentials = 1000000 };

        must(store_open(&options, &b->store) == 0, "open a store");
}

static void fill(struct bench *b) {
        struct fault none = { 0 };
        struct fake_vfs *no_sync = fake_vfs_new(&none);

        scratch_make_on_disk(&b->folder);
        (void)snprintf(b->path, sizeof(b->path), "%s/store.db", b->folder.path);
        open_store(b);
        for (uint32_t i = 0; i < b->n; i++) {
                struct ctap_row row = make_row(i);

                must(store_insert(b->store, &row, 0) == 0, "insert");
        }
        b->store = store_close(b->store);
        no_sync = fake_vfs_free(no_sync);
        open_store(b);
}

static double now_us(void) {
        struct timespec t;

        (void)clock_gettime(CLOCK_MONOTONIC, &t);
        return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static void assert_once(struct bench *b, int round) {
        struct ctap_row row = make_row((uint32_t)rand() % b->n), other;
        uint32_t count;
        double start = now_us();

        must(store_newest(b->store, &row.rp_tag, 3, UINT64_MAX, &row) == 0, "look up");
        must(store_newest(b->store, &row.rp_tag, 3, row.sequence, &other) == -ENOENT, "count");
        must(store_find(b->store, &row.id, &row) == 0, "find");
        must(store_use(b->store, &row.id, &count) == 0, "use");
        b->us[ASSERTION][round] = now_us() - start;
        store_settle(b->store);
}

static void look_once(struct bench *b, int round) {
        struct ctap_row row = make_row((uint32_t)rand() % b->n);
        uint32_t n_rps, n;
        double start = now_us();

        store_totals(b->store, &n_rps, &n);
        must(n == b->n, "count all");
        if (store_next_rp(b->store, &row.rp_tag, &row) == -ENOENT)
                must(store_next_rp(b->store, NULL, &row) == 0, "find the first site");
        must(store_newest(b->store, &row.rp_tag, 3, UINT64_MAX, &row) == 0, "look up");
        b->us[LOOKING][round] = now_us() - start;
}

static void change_once(struct bench *b, int round) {
        struct ctap_row row = make_row((uint32_t)rand() % b->n);
        double start;

        memset(row.sealed, round, row.sealed_len);
        start = now_us();
        must(store_update(b->store, &row) == 0, "change");
        b->us[CHANGING][round] = now_us() - start;
        store_settle(b->store);
}

static int compare(const void *a, const void *b) {
        double x = *(const double *)a, y = *(const double *)b;

        return (x > y) - (x < y);
}

static void print(struct bench *b, const double *first, double opening_us) {
        (void)printf("%6u credentials: ", b->n);
        for (size_t m = 0; m < _MEASURES; m++) {
                double us = b->us[m][N_ROUNDS / 2];

                (void)printf("%s %.1f us, %.2f of the first; ", names[m], us, us / first[m]);
        }
        (void)printf("opens in %.1f ms\n", opening_us / 1e3);
}

int main(void) {
        static struct bench benches[] = { { .n = 10 }, { .n = 1000 }, { .n = 100000 } };
        double first[_MEASURES] = { 0 };

        srand(1);
        for (size_t i = 0; i < ELEMENTSOF(benches); i++)
                fill(&benches[i]);
        for (int round = 0; round < N_ROUNDS; round++)
                for (size_t i = 0; i < ELEMENTSOF(benches); i++) {
                        assert_once(&benches[i], round);
                        look_once(&benches[i], round);
                }
        /* By themselves: the WAL is cut after each, and has to grow anew for the next commit. */
        for (int round = 0; round < N_ROUNDS; round++)
                for (size_t i = 0; i < ELEMENTSOF(benches); i++)
                        change_once(&benches[i], round);
        for (size_t i = 0; i < ELEMENTSOF(benches); i++) {
                struct bench *b = &benches[i];
                double start;

                for (size_t m = 0; m < _MEASURES; m++) {
                        qsort(b->us[m], N_ROUNDS, sizeof(b->us[m][0]), compare);
                        if (i == 0)
                                first[m] = b->us[m][N_ROUNDS / 2];
                }
                b->store = store_close(b->store);
                start = now_us();
                open_store(b);
                print(b, first, now_us() - start);
                b->store = store_close(b->store);
                scratch_remove(&b->folder);
        }
        return 0;
}
