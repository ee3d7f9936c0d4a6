/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/*
 * Signature counters that survive crashes and restored backups. Each credential has an immutable
 * base; every value it ever shows is at most base + LEASE_USES * G, where G is the TPM's monotonic
 * counter, which nobody can roll back. A lease is one step of G and allows LEASE_USES signatures.
 * After anything but a clean stop all counts are raised to that bound and a new lease begins, so
 * that no branch of a restored history can show a value twice.
 *
 * A credential that is created while a lease is open may be shown LEASE_USES times before G moves
 * again: its base counts from the G before the lease.
 */

#include <stdint.h>

#include "authenticator/store.h"
#include "ctap/macro.h"

#define LEASE_USES 32

/* The monotonic counter. 0 or a negative errno; a value is given only after it is durable. */
struct lease_counter {
        int (*read)(struct lease_counter *c, uint64_t *ret);
        int (*advance)(struct lease_counter *c, uint64_t *ret);
        /* A step that was taken and could not be committed yet: the next lease's. 0: none. */
        uint64_t taken;
};

/* At start, once the store is open. -ENOTRECOVERABLE: the counter is behind the store. */
_must_check_ int lease_begin(struct store *s, struct lease_counter *c);
/*
 * Opens a lease if there is none to use. At most one advance(), and none if the last step could not be
 * committed: a disk that is full does not wear the TPM. -ENOTRECOVERABLE as above. Before a signature, or
 * when idle.
 */
_must_check_ int lease_renew(struct store *s, struct lease_counter *c);
/* Takes a step and raises all counts to the bound: what is then put back repeats none. */
_must_check_ int lease_raise(struct store *s, struct lease_counter *c);
/* The base of a credential that is created now with count 0. */
_must_check_ int lease_base(struct store *s, int64_t *ret);
/* At a clean stop: closes a lease that is open. */
_must_check_ int lease_end(struct store *s, struct lease_counter *c);
