/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Time and randomness for the protocol. CLOCK_BOOTTIME, because a laptop that sleeps must not
 * stretch a window that a specification gives in seconds.
 */

#include "authenticator/env.h"

#include <errno.h>
#include <sys/random.h>
#include <time.h>

enum {
        CLOCK_TRIES = 16,
        CLOCK_APART_MS = 10,
};

static uint64_t read_ms(clockid_t clock) {
        struct timespec now = { 0 };

        clock_gettime(clock, &now);
        return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

uint64_t env_now_ms(void) {
        return read_ms(CLOCK_BOOTTIME);
}

uint64_t env_awake_ms(void) {
        return read_ms(CLOCK_MONOTONIC);
}

/*
 * A thread that lost the processor between the two clocks reads them again. The one that is never
 * behind is read last: the difference of a machine that never slept is not to wrap.
 */
uint64_t env_slept_ms(void) {
        uint64_t awake = 0, now = 0;

        for (unsigned i = 0; i < CLOCK_TRIES; i++) {
                awake = env_awake_ms();
                now = env_now_ms();
                if (env_awake_ms() - awake <= CLOCK_APART_MS)
                        break;
        }
        return now - awake;
}

static uint64_t now_ms(struct ctap_clock *clock) {
        (void)clock;
        return env_now_ms();
}

static int fill(struct ctap_rng *rng, uint8_t *to, size_t n) {
        (void)rng;

        while (n > 0) {
                ssize_t got = getrandom(to, n, 0);

                if (got < 0 && errno == EINTR)
                        continue;
                if (got < 0)
                        return -errno;
                to += got;
                n -= (size_t)got;
        }

        return 0;
}

void env_clock_init(struct ctap_clock *clock) {
        static const struct ctap_clock_ops ops = { .now_ms = now_ms };

        clock->ops = &ops;
}

void env_rng_init(struct ctap_rng *rng) {
        static const struct ctap_rng_ops ops = { .fill = fill };

        rng->ops = &ops;
}
