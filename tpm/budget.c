/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * How many TPM commands a ceremony may take, with P2 and the AK persistent and a PIN that the TPM counts itself.
 * A test holds each of them to it.
 */

#include "tpm/tpm.h"

static const struct tpm_budget budgets[] = {
        { "start-up", 12 },
        { "register", 1 },
        { "register RS256, with a key made ahead", 0 },
        { "register with tpm attestation", 4 },
        { "register with tpm attestation, after the yes", 2 },
        { "assert", 3 },
        { "assert with a PIN in the TPM's policy", 5 },
        { "PIN, password session", 3 },
        { "PIN, salted session", 4 },
        { "set or change the PIN, password session", 6 },
        { "set or change the PIN, salted session", 7 },
        { "tries of the PIN", 0 },
        { "hmac-secret of two salts, password session", 4 },
        { "hmac-secret of two salts, salted session", 5 },
        { "hmac-secret of two salts, with a PIN in the TPM's policy", 8 },
        { "reset, without provisioning anew", 3 },
};

const struct tpm_budget *tpm_budgets(size_t *ret_n) {
        *ret_n = ELEMENTSOF(budgets);
        return budgets;
}
