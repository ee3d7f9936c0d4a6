/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/*
 * The enrolment of this machine: its attestation key, a request to a certificate authority, the answer,
 * the certificates. One step at a time, on any thread, with nothing but the TPM and the folder of the
 * state (attestation-state.h): no store, no user, no device. Nothing is changed by what is refused, and
 * what is cut short anywhere can be done again.
 */

#include <jansson.h>
#include <stdbool.h>

#include "authenticator/audit-event.h"
#include "authenticator/config.h"
#include "authenticator/control.h"
#include "authenticator/log.h"
#include "ctap/bytes.h"
#include "ctap/macro.h"

struct enrolment {
        const struct config *config;
        const struct log *log;
        bool changed;      /* what devices attest with is another thing than before */
        bool has_key;      /* it was about this one */
        struct sha256 key; /* of its public area */
};

/* A method of the machine (control_is_of_machine()). Always answers; NULL: out of memory. */
json_t *enrolment_run(struct enrolment *e, enum control_call call, const json_t *params);

/* What an administrator is to know of a request that was answered so. False: nothing. */
bool enrolment_audit(const struct enrolment *e, enum control_call call, const json_t *body,
                     struct audit_event *ret);

#define ENROLMENT_ROOTS_MAX 65536

/* The file of [attestation] root; nothing, if none is configured. -EMSGSIZE: it is too long. */
_must_check_ int enrolment_read_roots(const char *path, struct buf *to);
