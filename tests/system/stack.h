/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/*
 * The whole authenticator but for the device: CTAP commands over a real database and a real TPM, in
 * this process, so that a test can count commands, pull the plug and start again. Whoever is asked
 * says yes.
 */

#include <stdbool.h>
#include <stdint.h>

#include "authenticator/store.h"
#include "authenticator/vault.h"
#include "ctap/ctap.h"
#include "ctap/env.h"
#include "tpm/tpm.h"

struct stack {
        char path[4096]; /* of store.db */
        struct store *store;
        struct tpm *tpm;
        struct vault *vault;
        struct ctap *ctap;
        struct ctap_presence presence;
        struct ctap_clock clock;
        struct ctap_rng rng;
        struct ctap_env env;
        int32_t alg;       /* of stack_register(); 0: ES256 */
        const char *typed; /* the PIN, where the question asks for it; NULL: it cannot */
        void (*asked)(void *userdata); /* called when a question is waited for; may be NULL */
        void *userdata;
        double seconds; /* what the last command took, without the client's own work */
};

/* 0 or the errno of the part that failed; the stack is then closed again. */
int stack_open(struct stack *s, const char *folder, const char *tcti);
/* The same with room for so many credentials. */
int stack_open_for(struct stack *s, const char *folder, const char *tcti, uint32_t max_credentials);
/* clean: as a daemon stops; otherwise everything is dropped as it is. */
void stack_close(struct stack *s, bool clean);

struct stack_credential {
        uint8_t id[48];
        struct ctap_public_key key;
        uint32_t count; /* last one shown */
};

/* Status byte of the answer. Signatures and authenticatorData are checked; a flaw is 0xff. */
uint8_t stack_register(struct stack *s, const char *rp_id, uint8_t user, bool discoverable,
                       bool attestation_none, struct stack_credential *ret);
uint8_t stack_assert(struct stack *s, const char *rp_id, struct stack_credential *c);
/* getAssertion with up:false for `n` ids of 48 bytes that no authenticator made. */
uint8_t stack_probe_foreign(struct stack *s, const char *rp_id, unsigned n);
uint8_t stack_get_info(struct stack *s);
uint8_t stack_reset(struct stack *s);
