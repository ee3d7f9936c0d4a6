/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Two clients against the model, on keys and a store in software.
 *
 *   test-property [--seed N] [--steps N]
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/property/driver.h"
#include "tests/unit/test.h"

struct world {
        uint64_t seed;
        unsigned n_steps;
        struct fake *fake;
        struct driver driver;
};

static void start(struct driver *d) {
        struct ctap_options options = { .firmware_version = 7,
                                        .max_message = CLIENT_MESSAGE,
                                        .max_large_blobs = MODEL_BLOBS };
        struct world *w = d->userdata;

        d->ctap = ctap_free(d->ctap);
        d->store = &w->fake->store;
        memcpy(options.aaguid, client_aaguid, sizeof(client_aaguid));
        assert_int_equal(ctap_new(&w->fake->env, &options, &d->ctap), 0);
        ctap_power_up(d->ctap);
}

static int setup(void **state) {
        struct world *w = *state;

        w->fake = fake_new();
        w->fake->env.attester = &w->fake->attester;
        w->fake->served = model_sites[0];
        driver_init(&w->driver, w->fake, w->fake->offered, w->seed);
        w->driver.userdata = w;
        w->driver.restart = start;
        w->driver.can_restart_keys = true;
        w->driver.model.same_clock = true;
        start(&w->driver);
        return 0;
}

static int teardown(void **state) {
        struct world *w = *state;

        driver_tell(&w->driver);
        w->driver.ctap = ctap_free(w->driver.ctap);
        w->fake = fake_free(w->fake);
        return 0;
}

static void the_authenticator_and_the_model_never_differ(void **state) {
        struct world *w = *state;

        printf("# seed %llu, %u steps\n", (unsigned long long)w->seed, w->n_steps);
        driver_run(&w->driver, w->n_steps);
}

int main(int argc, char **argv) {
        struct world *w = calloc(1, sizeof(*w));
        const struct CMUnitTest tests[] = {
                { "the_authenticator_and_the_model_never_differ",
                  the_authenticator_and_the_model_never_differ, setup, teardown, w },
        };
        int r;

        assert_non_null(w);
        w->seed = 1;
        w->n_steps = 200000;
        driver_read_arguments(argc, argv, &w->seed, &w->n_steps);
        r = cmocka_run_group_tests_name("property", tests, NULL, NULL);
        free(w);
        return r;
}
