/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/*
 * What the control socket asks of a store and a TPM: list, show, delete, reset, doctor-info. Runs on
 * the worker thread, between two commands. JSON text in and out, for it crosses the worker's socket.
 */

#include <jansson.h>

#include "authenticator/backend.h"
#include "authenticator/control.h"
#include "ctap/bytes.h"
#include "ctap/macro.h"

/* The job for a checked request, as text to be freed. NULL: out of memory. */
char *manage_job(const struct control_request *rq);

/* Runs it; the reply is a body of control.h as text. Always replies. */
void manage_run(struct backend *b, struct bytes job, struct buf *reply);
