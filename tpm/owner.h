/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* The owner hierarchy's password, which few TPMs have and which is kept no longer than needed. */

#include "tpm/context.h"

/* Tells ESYS, in a connection that was opened just now. No command. */
_must_check_ int tpm_owner_apply(struct tpm *t);
/* Three commands, which change nothing. -EACCES: the TPM has another one. */
_must_check_ int tpm_owner_check(struct tpm *t);
/* Wipes it, here and in the connection. */
void tpm_owner_forget(struct tpm *t);
