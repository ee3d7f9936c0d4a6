/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * What a ceremony costs over what it cannot do without. Times are noisy, so that each figure is a
 * ratio of two things done in turn in one run; the goal stands beside it. Usage: bench-stack
 * FOLDER TCTI, on a TPM of its own.
 */

#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "ctap/credential.h"
#include "tests/system/stack.h"

#define ROUNDS 200

static double seconds(void) {
        struct timespec ts;

        clock_gettime(CLOCK_MONOTONIC, &ts);
        return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static int by_value(const void *a, const void *b) {
        double x = *(const double *)a, y = *(const double *)b;

        return (x > y) - (x < y);
}

/* The tenth lowest of a hundred: what it takes when nothing else happens on the machine. */
static double undisturbed(double *values, size_t n) {
        qsort(values, n, sizeof(*values), by_value);
        return values[n / 10];
}

static void must(bool good, const char *what) {
        if (good)
                return;
        fprintf(stderr, "bench-stack: %s failed\n", what);
        exit(1);
}

/* The least an assertion needs: Load, Sign, Flush in the TPM and one page made durable. */
static void bare_assertion(struct stack *s, struct bytes blob, int fd) {
        static const uint8_t digest[32], page[4096];
        struct ctap_loaded_key *key;
        struct ctap_signature signature;

        must(s->env.keys->ops->load(s->env.keys, blob, NULL, &key) == 0, "load");
        must(s->env.keys->ops->sign(s->env.keys, key, BYTES_OF(digest), &signature) == 0, "sign");
        s->env.keys->ops->unload(s->env.keys, key);
        tpm_settle(s->tpm);
        must(pwrite(fd, page, sizeof(page), 0) == sizeof(page) && fsync(fd) == 0, "fsync");
}

static void bench_assertion(struct stack *s, const char *folder) {
        static double bare[ROUNDS], whole[ROUNDS];
        struct ctap_public_key pub;
        struct stack_credential c;
        struct ctap_key_blob blob;
        char path[4200];
        int fd;

        snprintf(path, sizeof(path), "%s/page", folder);
        fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
        must(fd >= 0, "open");
        must(stack_register(s, "bench.test", 1, false, true, &c) == 0, "register");
        must(s->env.keys->ops->create(s->env.keys, CTAP_KEY_P256, CTAP_CLASS_A, &blob, &pub) == 0,
             "create");

        for (size_t i = 0; i < ROUNDS; i++) {
                double t = seconds();

                bare_assertion(s, BYTES(blob.data, blob.len), fd);
                bare[i] = seconds() - t;
                must(stack_assert(s, "bench.test", &c) == 0, "assert");
                whole[i] = s->seconds;
        }
        close(fd);
        printf("assertion / bare TPM commands and one fsync: %.3f (goal 1.10; %.2f ms / %.2f ms)\n",
               undisturbed(whole, ROUNDS) / undisturbed(bare, ROUNDS),
               undisturbed(whole, ROUNDS) * 1e3, undisturbed(bare, ROUNDS) * 1e3);
}

static void bench_foreign_id(void) {
        struct secret32 store_key = { { 7 } };
        struct ctap_credential_keys keys;
        struct ctap_credential_id out;
        struct sha256 rp = { { 1 } };
        uint8_t foreign[48] = { 3 };
        const unsigned n = 20000;
        unsigned opened = 0;
        double t;

        must(ctap_credential_keys_derive(&store_key, &keys) == 0, "derive");
        t = seconds();
        for (unsigned i = 0; i < n; i++) {
                foreign[0] = (uint8_t)i;
                opened += ctap_credential_id_open(&keys, BYTES_OF(foreign), &rp, &out);
        }
        t = seconds() - t;
        must(opened == 0, "refusal");
        printf("refusal of a foreign id: %.2f us (goal below 20)\n", t / n * 1e6);
        ctap_credential_keys_wipe(&keys);
}

/* Multiplies what is in the store, behind its back, up to n credentials. */
static void fill(const char *path, unsigned n) {
        sqlite3 *db = NULL;
        char sql[1024];

        snprintf(sql, sizeof(sql),
                 "WITH RECURSIVE i(x) AS (SELECT (SELECT count(*) FROM credential)"
                 " UNION ALL SELECT x + 1 FROM i WHERE x + 1 < %u)"
                 "INSERT INTO credential (id, rp_tag, account_tag, alg, class, cred_protect, flags,"
                 " count, base, created, last_used, key, sealed)"
                 " SELECT randomblob(48), randomblob(32), NULL, alg, class, cred_protect, 0, 0,"
                 " base, created, 0, key, sealed"
                 " FROM i, (SELECT * FROM credential LIMIT 1)",
                 n);
        must(sqlite3_open(path, &db) == SQLITE_OK &&
                     sqlite3_exec(db, sql, NULL, NULL, NULL) == SQLITE_OK,
             "filling the store");
        sqlite3_close(db);
}

static void bench_sizes(const char *folder, const char *tcti, struct stack *s) {
        static const unsigned sizes[] = { 10, 1000, 100000 };
        static double t[ROUNDS];
        double first = 0;

        for (size_t k = 0; k < ELEMENTSOF(sizes); k++) {
                struct stack_credential c;
                double m;

                stack_close(s, true);
                fill(s->path, sizes[k] - 1);
                must(stack_open(s, folder, tcti) == 0, "open");
                must(stack_register(s, "sizes.test", 1, false, true, &c) == 0, "register");
                for (size_t i = 0; i < ROUNDS; i++) {
                        must(stack_assert(s, "sizes.test", &c) == 0, "assert");
                        t[i] = s->seconds;
                }
                m = undisturbed(t, ROUNDS);
                if (k == 0)
                        first = m;
                printf("assertion with %u credentials: %.2f ms, %.2f of the first%s\n", sizes[k],
                       m * 1e3, m / first, k + 1 == ELEMENTSOF(sizes) ? " (goal 1.2)" : "");
        }
}

int main(int argc, char **argv) {
        struct stack s;

        if (argc != 3) {
                fprintf(stderr, "usage: bench-stack FOLDER TCTI\n");
                return 2;
        }
        bench_foreign_id();
        must(stack_open(&s, argv[1], argv[2]) == 0, "open");
        bench_assertion(&s, argv[1]);
        bench_sizes(argv[1], argv[2], &s);
        stack_close(&s, true);
        return 0;
}
