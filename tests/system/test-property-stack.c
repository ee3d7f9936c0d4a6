/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The two clients of tests/property on the whole stack: a database, a TPM, and now and then another
 * process, orderly or not, on a TPM that may have been off.
 *
 *   test-property-stack [--seed N] [--steps N]
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/property/driver.h"
#include "tests/system/stack.h"
#include "tests/system/swtpm.h"
#include "tests/unit/test.h"

struct world {
        uint64_t seed;
        unsigned n_steps;
        struct swtpm tpm;
        struct stack stack;
        struct fake *fake; /* person, clock, rng */
        char folder[64];
        struct driver driver;
};

static void open_stack(struct driver *d) {
        struct ctap_options options = { .firmware_version = 7,
                                        .max_message = CLIENT_MESSAGE,
                                        .max_large_blobs = MODEL_BLOBS };
        struct world *w = d->userdata;
        struct stack *s = &w->stack;
        struct ctap_env env;

        assert_int_equal(stack_open_for(s, w->folder, w->tpm.tcti, MODEL_PASSKEYS), 0);
        s->ctap = ctap_free(s->ctap);
        env = w->fake->env;
        env.keys = s->env.keys;
        env.store = s->env.store;
        env.witness = NULL; /* the fake one knows the fake store */
        memcpy(options.aaguid, client_aaguid, sizeof(client_aaguid));
        assert_int_equal(ctap_new(&env, &options, &s->ctap), 0);
        ctap_power_up(s->ctap);
        d->ctap = s->ctap;
        d->store = env.store;
}

static void restart(struct driver *d) {
        struct world *w = d->userdata;

        const bool clean = one_in(d, 2);

        stack_close(&w->stack, clean);
        if (!clean)
                model_crash(&d->model);
        if (one_in(d, 2))
                swtpm_restart(&w->tpm, one_in(d, 2));
        open_stack(d);
}

static void settle(void *userdata) {
        struct world *w = userdata;

        vault_settle(w->stack.vault);
}

static int setup(void **state) {
        struct world *w = *state;

        (void)setenv("TSS2_LOG", "all+NONE", 0);
        swtpm_start(&w->tpm);
        snprintf(w->folder, sizeof(w->folder), "/tmp/tpmauthn-property-XXXXXX");
        assert_non_null(mkdtemp(w->folder));
        w->fake = fake_new();
        w->fake->env.attester = &w->fake->attester;
        w->fake->served = model_sites[0];
        driver_init(&w->driver, w->fake, 0, w->seed);
        w->driver.userdata = w;
        w->driver.restart = restart;
        w->driver.settle = settle;
        open_stack(&w->driver);
        w->driver.model.algorithms = w->stack.env.keys->ops->offered(w->stack.env.keys);
        return 0;
}

static int teardown(void **state) {
        static const char *const files[] = { "store.db", "store.db-wal", "store.db-shm" };
        struct world *w = *state;
        char path[100];

        driver_tell(&w->driver);
        stack_close(&w->stack, false);
        w->fake = fake_free(w->fake);
        for (size_t i = 0; i < ELEMENTSOF(files); i++) {
                snprintf(path, sizeof(path), "%s/%s", w->folder, files[i]);
                (void)unlink(path);
        }
        (void)rmdir(w->folder);
        swtpm_end(&w->tpm);
        return 0;
}

static void the_whole_stack_and_the_model_never_differ(void **state) {
        struct world *w = *state;

        printf("# seed %llu, %u steps\n", (unsigned long long)w->seed, w->n_steps);
        driver_run(&w->driver, w->n_steps);
}

int main(int argc, char **argv) {
        struct world *w = calloc(1, sizeof(*w));
        const struct CMUnitTest tests[] = {
                { "the_whole_stack_and_the_model_never_differ",
                  the_whole_stack_and_the_model_never_differ, setup, teardown, w },
        };
        int r;

        assert_non_null(w);
        w->n_steps = 2000;
        w->seed = 1;
        driver_read_arguments(argc, argv, &w->seed, &w->n_steps);
        r = cmocka_run_group_tests_name("property-stack", tests, NULL, NULL);
        free(w);
        return r;
}
