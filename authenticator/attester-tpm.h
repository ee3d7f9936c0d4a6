/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/*
 * The attester port (ctap/env.h) on this machine's own attestation key, by what is kept of it and of
 * its certificates (attestation-state.h). Whatever is wrong with these ends no start and no
 * registration: there is no attester then, or the new key attests to itself, and a note for the owner
 * says why. One thread uses it.
 */

#include "ctap/bytes.h"
#include "ctap/env.h"
#include "ctap/macro.h"
#include "tpm/tpm.h"

#define ATTESTER_NOTE_MAX 512

struct attester_tpm_options {
        const char *state_directory;
        const char *rp_ids; /* those that are served; separated by blanks */
        struct tpm *tpm;    /* unlocked */
};

struct attester_tpm;

/*
 * Looks at what is kept, and asks the TPM whether the key is its own. Never NULL but for want of memory.
 * The strings and the TPM are borrowed.
 */
_must_check_ struct attester_tpm *attester_tpm_open(const struct attester_tpm_options *options);
/* NULL is fine. Returns NULL. */
struct attester_tpm *attester_tpm_close(struct attester_tpm *a);

/* NULL: nothing can be attested. */
struct ctap_attester *attester_tpm_port(struct attester_tpm *a);
/* A sentence or two, or empty: what is wrong, and what to do. It changes with use, and with time. */
const char *attester_tpm_note(const struct attester_tpm *a);
/* How long until its certificates expire, and the note says so; UINT64_MAX: there is nothing to await. */
uint64_t attester_tpm_lifetime_ms(const struct attester_tpm *a);
