/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * As many registrations and then logins as there is time for, on several keys at once: as a client of
 * devices that are sockets, or as bare TPM commands on simulators of their own. Prints how many a second of
 * each all keys did together, and the milliseconds of a login that nothing disturbed.
 *
 *   bench-load client SECONDS    a command of tpmauthn ci run
 *   bench-load bare N SECONDS
 */

#include <fido.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "ctap/env.h"
#include "tests/system/fido-kit.h"
#include "tests/system/swtpm.h"
#include "tpm/tpm.h"

#define KEYS_MAX  16
#define TIMES_MAX 4096

struct figures {
        double registrations, logins; /* a second */
        double login;                 /* seconds */
};

/* One key with a way to use it. */
struct key {
        const char *path; /* of the client's device; NULL: bare */
        fido_dev_t *dev;
        fido_cred_t *cred;
        struct tpm *tpm;
        struct swtpm swtpm;
        struct ctap_key_blob blob;
};

static double now(void) {
        struct timespec ts;

        clock_gettime(CLOCK_MONOTONIC, &ts);
        return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static void must(bool good, const char *what) {
        if (good)
                return;
        fprintf(stderr, "bench-load: %s failed\n", what);
        exit(1);
}

/* ---- a client ---- */

static const unsigned char challenge[32] = "a challenge of thirty-two bytes";

static void client_register(struct key *k) {
        fido_cred_free(&k->cred);
        k->cred = fido_cred_new();
        must(k->cred && fido_cred_set_type(k->cred, COSE_ES256) == FIDO_OK &&
                     fido_cred_set_clientdata_hash(k->cred, challenge, sizeof(challenge)) ==
                             FIDO_OK &&
                     fido_cred_set_rp(k->cred, "bench.test", NULL) == FIDO_OK &&
                     fido_cred_set_user(k->cred, (const unsigned char *)"u", 1, "u", NULL, NULL) ==
                             FIDO_OK &&
                     fido_dev_make_cred(k->dev, k->cred, NULL) == FIDO_OK,
             "a registration");
}

static void client_log_in(struct key *k) {
        fido_assert_t *a = fido_assert_new();

        must(a && fido_assert_set_clientdata_hash(a, challenge, sizeof(challenge)) == FIDO_OK &&
                     fido_assert_set_rp(a, "bench.test") == FIDO_OK &&
                     fido_assert_allow_cred(a, fido_cred_id_ptr(k->cred),
                                            fido_cred_id_len(k->cred)) == FIDO_OK &&
                     fido_dev_get_assert(k->dev, a, NULL) == FIDO_OK,
             "a login");
        fido_assert_free(&a);
}

static void client_open(struct key *k) {
        struct daemon_kit d = { 0 };

        snprintf(d.device, sizeof(d.device), "%s", k->path);
        k->dev = kit_open_key(&d);
}

/* ---- the TPM commands that neither can do without ---- */

static void bare_log_in(struct key *k) {
        static const uint8_t digest[32] = { 1 };
        struct ctap_keys *keys = tpm_keys(k->tpm);
        struct ctap_loaded_key *loaded;
        struct ctap_signature signature;

        must(keys->ops->load(keys, BYTES(k->blob.data, k->blob.len), NULL, &loaded) == 0, "load");
        must(keys->ops->sign(keys, loaded, BYTES_OF(digest), &signature) == 0, "sign");
        keys->ops->unload(keys, loaded);
        tpm_settle(k->tpm);
}

/* A passkey attests to itself, so its key signs once. */
static void bare_register(struct key *k) {
        struct ctap_keys *keys = tpm_keys(k->tpm);
        struct ctap_public_key pub;

        must(keys->ops->create(keys, CTAP_KEY_P256, CTAP_CLASS_A, &k->blob, &pub) == 0, "create");
        bare_log_in(k);
}

static int save_nothing(void *userdata, const struct tpm_state *state) {
        (void)userdata;
        (void)state;
        return 0;
}

static void bare_open(struct key *k) {
        static struct tpm_state state;
        struct tpm_options options = TPM_OPTIONS_DEFAULT;

        options.fd = swtpm_start_on_socket(&k->swtpm);
        options.persist_srk = true;
        must(tpm_new(&options, &k->tpm) == 0 &&
                     tpm_provision(k->tpm, &state, save_nothing, NULL) == 0,
             "provisioning");
}

/* ---- measuring ---- */

static int by_value(const void *a, const void *b) {
        double x = *(const double *)a, y = *(const double *)b;

        return (x > y) - (x < y);
}

static void measure(struct key *k, double seconds, struct figures *ret) {
        static double times[TIMES_MAX];
        double began = now(), t;
        size_t n = 0, n_times = 0;

        while (n == 0 || now() - began < seconds) {
                k->path ? client_register(k) : bare_register(k);
                n++;
        }
        ret->registrations = (double)n / (now() - began);

        began = now();
        for (n = 0; n == 0 || now() - began < seconds; n++) {
                t = now();
                k->path ? client_log_in(k) : bare_log_in(k);
                times[n_times < TIMES_MAX ? n_times++ : n % TIMES_MAX] = now() - t;
        }
        ret->logins = (double)n / (now() - began);
        qsort(times, n_times, sizeof(times[0]), by_value);
        ret->login = times[n_times / 10];
}

/* A process for each key; they begin together. */
static _Noreturn void run_key(struct key *k, double seconds, int ready, int go,
                              struct figures *ret) {
        char c = 0;

        k->path ? client_open(k) : bare_open(k);
        must(write(ready, &c, 1) == 1 && read(go, &c, 1) == 0, "the start");
        measure(k, seconds, ret);
        tpm_free(k->tpm);
        swtpm_end(&k->swtpm);
        _exit(0);
}

static void start_together(unsigned n, int ready, int go) {
        char c;

        for (unsigned i = 0; i < n; i++)
                must(read(ready, &c, 1) == 1, "a key");
        close(go);
}

static void run_all(struct key *keys, unsigned n, double seconds) {
        struct figures *f = mmap(NULL, n * sizeof(*f), PROT_READ | PROT_WRITE,
                                 MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        struct figures all = { 0 };
        int ready[2], go[2], status;

        must(f != MAP_FAILED && pipe(ready) == 0 && pipe(go) == 0, "memory");
        for (unsigned i = 0; i < n; i++) {
                pid_t pid = fork();

                must(pid >= 0, "fork");
                if (pid > 0)
                        continue;
                close(ready[0]);
                close(go[1]);
                run_key(&keys[i], seconds, ready[1], go[0], &f[i]);
        }
        close(ready[1]);
        start_together(n, ready[0], go[1]);
        for (unsigned i = 0; i < n; i++) {
                must(wait(&status) > 0 && status == 0, "a key");
        }
        for (unsigned i = 0; i < n; i++) {
                all.registrations += f[i].registrations;
                all.logins += f[i].logins;
                all.login += f[i].login / n;
        }
        printf("%.2f %.2f %.3f\n", all.registrations, all.logins, all.login * 1e3);
}

int main(int argc, char **argv) {
        static struct key keys[KEYS_MAX];
        char *nodes = getenv("TPMAUTHN_HIDRAW");
        unsigned n = 0;

        if (argc == 3 && strcmp(argv[1], "client") == 0 && nodes) {
                for (char *p = strtok(nodes, " "); p && n < KEYS_MAX; p = strtok(NULL, " "))
                        keys[n++].path = p;
                run_all(keys, n, strtod(argv[2], NULL));
                return 0;
        }
        if (argc == 4 && strcmp(argv[1], "bare") == 0 &&
            (n = (unsigned)strtoul(argv[2], NULL, 10)) >= 1 && n <= KEYS_MAX) {
                run_all(keys, n, strtod(argv[3], NULL));
                return 0;
        }
        fprintf(stderr, "usage: bench-load client SECONDS | bench-load bare N SECONDS\n");
        return 2;
}
