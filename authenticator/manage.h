/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/*
 * What the control socket asks of a store and a TPM: passkeys, the PIN, what the TPM holds. Runs on
 * the worker thread, between two commands. JSON text in and out, for it crosses the worker's socket.
 */

#include <jansson.h>

#include "authenticator/backend.h"
#include "authenticator/control.h"
#include "authenticator/presence.h"
#include "ctap/bytes.h"
#include "ctap/macro.h"

/* The job for a checked request, as text to be wiped and freed. NULL: out of memory. */
char *manage_job(const struct control_request *rq);

/* Runs it; the reply is a body of control.h as text. Always replies. `p`: who the person is asked by. */
void manage_run(struct backend *b, struct presence *p, struct bytes job, struct buf *reply);

/* What replies call them: "tpm" or "daemon"; "hmac", "sign" or "unseal"; "none". */
const char *manage_pin_kind(enum tpm_pin_kind kind);
const char *manage_hmac_kind(enum tpm_hmac_kind kind);
