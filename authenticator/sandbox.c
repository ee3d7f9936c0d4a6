/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The list of calls is written for the modules of libtss2 that are named here. Another one may do
 * anything (tabrmd speaks D-Bus with threads of its own), and a private simulator is a child that would
 * inherit it all: with these there is no sandbox, and keys of a simulator are worth none.
 *
 * No code can be mapped in it, so what libraries load on first use is loaded before.
 */

#include "authenticator/sandbox.h"

#include <dlfcn.h>
#include <errno.h>
#include <openssl/crypto.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <syslog.h>

#include "build-config.h"

static const struct {
        const char *name;
        bool network;
} known_tpms[] = { { "device", false }, { "swtpm", true }, { "mssim", true } };

/* `swtpm` alone is the private simulator. */
static bool is_known(const char *tpm, bool *ret_network) {
        for (size_t i = 0; strcmp(tpm, "swtpm") != 0 && i < ELEMENTSOF(known_tpms); i++) {
                size_t n = strlen(known_tpms[i].name);

                if (strncmp(tpm, known_tpms[i].name, n) != 0 || (tpm[n] && tpm[n] != ':'))
                        continue;
                *ret_network = known_tpms[i].network;
                return true;
        }
        return false;
}

/*
 * The module that libtss2 opens the TPM by, which stays loaded, and the providers that OpenSSL's
 * configuration names. What is not there now is missed, and told of, when the TPM is opened.
 */
static void load_code(const char *tpm, const struct log *log) {
        char name[64];

        snprintf(name, sizeof(name), "libtss2-tcti-%.*s.so.0", (int)strcspn(tpm, ":"), tpm);
        if (!dlopen(name, RTLD_NOW | RTLD_NODELETE))
                log_write(log, LOG_DEBUG, NULL, "sandbox: %s", dlerror());
        if (OPENSSL_init_crypto(OPENSSL_INIT_LOAD_CONFIG, NULL) != 1)
                log_write(log, LOG_DEBUG, NULL, "sandbox: OpenSSL could not be set up");
}

static int tell(const struct log *log, const char *which, int r) {
        if (r == -EOPNOTSUPP) {
                log_write(log, LOG_DEBUG, NULL, "sandbox: this kernel has no %s", which);
                return 0;
        }
        if (r < 0)
                log_write(log, LOG_ERR, NULL, "The sandbox could not be entered: %s: %s", which,
                          strerror(-r));
        return r;
}

int sandbox_enter(const struct config *config, const struct log *log) {
        bool network;
        int r;

        if (!config->sandbox || TPMAUTHN_INSTRUMENTED) {
                log_write(log, LOG_DEBUG, NULL, "sandbox: %s",
                          config->sandbox ? "not in an instrumented build" : "none, as configured");
                return 0;
        }
        if (!is_known(config->tpm, &network)) {
                log_write(log, LOG_DEBUG, NULL, "sandbox: none with tpm = %s", config->tpm);
                return 0;
        }
        load_code(config->tpm, log);
        r = tell(log, "Landlock", sandbox_limit_files(config));
        return r < 0 ? r : tell(log, "seccomp", sandbox_limit_calls(network));
}
