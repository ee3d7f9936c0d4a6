/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * For LD_PRELOAD under pamu2fcfg 1.1.0, as Debian 12 has it: it verifies every attestation as one
 * with a certificate. From 1.1.1 on it verifies one without a certificate by the credential's own
 * key, and so does this.
 */

#include <dlfcn.h>
#include <fido.h>

typedef int verify_fn(const fido_cred_t *cred);

int fido_cred_verify(const fido_cred_t *cred) {
        verify_fn *verify;

        if (!fido_cred_x5c_ptr(cred))
                return fido_cred_verify_self(cred);

        verify = (verify_fn *)dlsym(RTLD_NEXT, "fido_cred_verify");
        return verify ? verify(cred) : FIDO_ERR_INTERNAL;
}
