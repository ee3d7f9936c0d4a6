/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The counter lease: see lease.h for the rule. Why it holds:
 *
 * A step of G is handed to one taker only, and at most LEASE_USES signatures are made under it. So
 * whatever branch of the store's history made them, no count is above base + LEASE_USES * G for the
 * highest G taken so far. Raising every count to that bound therefore passes every branch, and the
 * next value is shown under a G of its own.
 *
 * The counter is always advanced first and the store committed after: a crash between the two leaves
 * a store that is behind the counter, which lease_begin() takes for what it is and raises. The other
 * order would leave a lease in the store that another branch is still going to get.
 *
 * The bound of a raise is that of the step before our own, not of the G that was read earlier: if
 * another copy of this store took steps in between, its signatures are passed as well. For the same
 * reason a step that is not the one after ours raises, whenever it is noticed.
 */

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <syslog.h>

#include "authenticator/lease.h"

/* LEASE_USES * g, in what a base is counted in. */
static int uses_until(uint64_t g, int64_t *ret) {
        int64_t n;

        if (__builtin_mul_overflow(g, (uint64_t)LEASE_USES, &n))
                return -EOVERFLOW;
        *ret = n;
        return 0;
}

/* Takes the next step of the counter and commits the lease it stands for. */
static int take_step(struct store *s, struct lease_counter *c, uint64_t known, bool raise,
                     bool clean) {
        struct store_lease lease = { .clean = clean };
        int64_t bound;
        int r;

        if (c->taken == 0) {
                r = c->advance(c, &c->taken);
                if (r < 0)
                        return r;
        }
        lease.counter = c->taken;
        if (lease.counter <= known) {
                c->taken = 0;
                store_log(s, LOG_ERR,
                          "the TPM's counter went from %" PRIu64 " to %" PRIu64
                          ": this TPM cannot be relied on",
                          known, lease.counter);
                return -ENOTRECOVERABLE;
        }

        if (!raise && lease.counter == known + 1) {
                r = store_set_lease(s, &lease);
        } else {
                r = uses_until(lease.counter - 1, &bound);
                if (r == 0)
                        r = store_raise_counts(s, bound, &lease);
        }
        if (r == 0)
                c->taken = 0;
        return r;
}

int lease_begin(struct store *s, struct lease_counter *c) {
        struct store_lease lease;
        uint64_t g;
        int r;

        c->taken = 0; /* what is raised now passes that step as well */
        r = c->read(c, &g);
        if (r < 0)
                return r;
        r = store_get_lease(s, &lease);
        if (r == -ENOENT) {
                lease = (struct store_lease){ .counter = g, .clean = true };
                return store_set_lease(s, &lease);
        }
        if (r < 0)
                return r;

        if (g < lease.counter) {
                store_log(s, LOG_ERR,
                          "it was last used at %" PRIu64 " of the TPM's counter, which stands at "
                          "%" PRIu64 ": this is not the TPM that the credentials were made in",
                          lease.counter, g);
                return -ENOTRECOVERABLE;
        }
        if (g == lease.counter && lease.clean)
                return 0;

        store_log(s, LOG_NOTICE,
                  "it was not closed, or restored from a copy: raising the "
                  "signature counters");
        return take_step(s, c, g, true, false);
}

int lease_renew(struct store *s, struct lease_counter *c) {
        struct store_lease lease;
        int r;

        r = store_get_lease(s, &lease);
        if (r < 0)
                return r;
        if (!lease.clean && lease.used < LEASE_USES)
                return 0;
        return take_step(s, c, lease.counter, false, false);
}

int lease_raise(struct store *s, struct lease_counter *c) {
        struct store_lease lease;
        int r = store_get_lease(s, &lease);

        return r < 0 ? r : take_step(s, c, lease.counter, true, false);
}

int lease_base(struct store *s, int64_t *ret) {
        struct store_lease lease;
        uint64_t g;
        int64_t n;
        int r;

        r = store_get_lease(s, &lease);
        if (r < 0)
                return r;

        /* A lease that is open came from a step, so its counter is at least 1. */
        g = lease.clean || lease.counter == 0 ? lease.counter : lease.counter - 1;
        r = uses_until(g, &n);
        if (r < 0)
                return r;
        *ret = -n;
        return 0;
}

int lease_end(struct store *s, struct lease_counter *c) {
        struct store_lease lease;
        int r;

        r = store_get_lease(s, &lease);
        if (r == -ENOENT)
                return 0;
        if (r < 0 || lease.clean)
                return r;
        return take_step(s, c, lease.counter, false, true);
}
