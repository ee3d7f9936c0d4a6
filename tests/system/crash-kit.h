/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/*
 * kill -9 around a TPM command. A child does the work with the state in a file; the watching TCTI
 * kills it; then this process goes on from the file, as the daemon would at its next start.
 */

#include "tests/system/tpm-fixture.h"

typedef int ceremony_fn(struct tpm *t, struct tpm_state *state, tpm_save_fn *save, void *userdata);

/* A tpm_save_fn; userdata is the fixture. */
int save_to_file(void *userdata, const struct tpm_state *state);
struct tpm_state state_from_file(const struct fixture *f);
/* True if the child was killed by its plan, false if it got to the end. */
bool child_is_killed(struct fixture *f, ceremony_fn *ceremony, bool unlock_first);
/*
 * The next start: provisions, and everything is as if nothing had happened. *counter is what the
 * counter was at least, and becomes what it is.
 */
void recover(struct fixture *f, uint64_t *counter);
void remove_all(struct fixture *f);
