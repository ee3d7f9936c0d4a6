/* SPDX-License-Identifier: BSD-2-Clause */

/* Weak stand-ins for what tpm.h declares and is not there yet; removed when it is. */

#include "tpm/tpm.h"

__attribute__((weak)) int tpm_complete(struct tpm *t, struct tpm_state *state, tpm_save_fn *save,
                                       void *userdata) {
        (void)t;
        (void)state;
        (void)save;
        (void)userdata;
        return 0;
}

__attribute__((weak)) bool tpm_sessions_are_salted(const struct tpm *t) {
        (void)t;
        return true;
}

__attribute__((weak)) const struct tpm_budget *tpm_budgets(size_t *ret_n) {
        static const struct tpm_budget budgets[] = { { "makeCredential", 1 } };

        *ret_n = 1;
        return budgets;
}
