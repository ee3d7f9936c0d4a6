/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* P1, which obeys nobody but the anchor, and P2 behind it. */

#include "tpm/object.h"

struct tpm_gate {
        struct tpm_handle key;     /* P1, loaded */
        struct tpm_handle session; /* a policy session, salted with the SRK */
        struct tpm_handle anchor;
};

#define TPM_GATE_NONE ((struct tpm_gate){ TPM_HANDLE_NONE, TPM_HANDLE_NONE, TPM_HANDLE_NONE })

/* Two commands with a persistent SRK. -ESTALE: P1 is not of this TPM. */
_must_check_ int tpm_gate_open(struct tpm *t, const struct tpm_record *record,
                               struct tpm_gate *ret);
/* Makes the session satisfy PolicySecret(A), for one use. -ESTALE: there is no such anchor. */
_must_check_ int tpm_gate_pass(struct tpm *t, const struct tpm_gate *gate);
void tpm_gate_close(struct tpm_gate *gate);
/* P1 as the parent, by the session; after tpm_gate_pass(). */
struct tpm_auth tpm_gate_auth(const struct tpm_gate *gate);

/*
 * P2 of t->record with t->worker_auth set: at its persistent handle, which costs no command, or
 * through the gate if it is gone from there or never was.
 */
_must_check_ int tpm_worker(struct tpm *t, struct tpm_auth *ret);
