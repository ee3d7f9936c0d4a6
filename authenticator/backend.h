/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/*
 * What stands behind one virtual device: store, TPM, vault and authenticator, opened and closed as
 * one. A failure to open is told as a sentence that says what to do about it. One thread uses it.
 */

#include <stdbool.h>
#include <stdint.h>

#include "authenticator/log.h"
#include "authenticator/presence.h"
#include "authenticator/store.h"
#include "authenticator/vault.h"
#include "ctap/bytes.h"
#include "ctap/ctap.h"
#include "ctap/macro.h"
#include "tpm/tpm.h"

/* getInfo's maxMsgSize: any request then fits the kernel's queue of 31 reports. */
#define BACKEND_MESSAGE_MAX 1536

struct backend_options {
        const char *id; /* of the instance */
        const char *store_path;
        uint32_t max_credentials;
        struct tpm_options tpm; /* its log callback and its fd are set when it is opened */
        bool private_simulator; /* the TPM is a simulator that ends with this process */
        enum presence_mode presence_mode;
        struct ctap_presence *presence;
        const struct log *log;
};

struct backend;

/* Nothing is opened. The strings, the port and the log are borrowed. */
_must_check_ int backend_new(const struct backend_options *options, struct backend **ret);
/* NULL is fine. Returns NULL. */
struct backend *backend_free(struct backend *b);

/* What the loop shall know of a backend that opened. */
struct backend_facts {
        bool simulator;
        char tpm[64]; /* such as "IBM SW TPM" */
};

/*
 * Closes what is open and opens anew. `simulator_fd` is -1 or a descriptor of the private simulator,
 * which this takes, also on failure. `out` is then struct backend_facts, or else the reason.
 */
_must_check_ int backend_open(struct backend *b, int simulator_fd, struct buf *out);
/* Ends cleanly what is open. */
void backend_close(struct backend *b);
_must_check_ int backend_facts_read(struct bytes in, struct backend_facts *ret);

/* CTAP reset without its question: erases every credential, in the TPM first. */
_must_check_ int backend_reset(struct backend *b);

/* After an answer went out; and when nothing happened for a while. */
void backend_settle(struct backend *b);
void backend_idle(struct backend *b);

/* NULL while it is not open. */
struct ctap *backend_ctap(const struct backend *b);
struct store *backend_store(const struct backend *b);
struct tpm *backend_tpm(const struct backend *b);
struct vault *backend_vault(const struct backend *b);
