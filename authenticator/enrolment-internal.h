/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* What the files of the enrolment have of each other. Each answer is a body of control.h. */

#include "authenticator/attestation-request.h"
#include "authenticator/enrolment.h"
#include "ctap/macro.h"
#include "tpm/tpm.h"

/* What went wrong, as an answer. */
json_t *enrolment_failed(const struct enrolment *e, int error);
json_t *enrolment_failed_endorsement(const struct enrolment *e, int error);
json_t *enrolment_failed_files(int error);

/* NULL, or the error. The log context is the TPM's for as long as that lives. */
json_t *enrolment_open_tpm(const struct enrolment *e, struct log_context *log, struct tpm **ret);

/* The request is about this key: its name is a hash of its public area behind the hash's number. */
void enrolment_set_key(struct enrolment *e, const struct tpm_attestation_facts *key);

static inline void tpm_free_pointer(struct tpm **t) {
        tpm_free(*t);
}

json_t *enrolment_activate(struct enrolment *e, const json_t *params);
json_t *enrolment_install(struct enrolment *e, const json_t *params);
/* The key, the certificates and the request, as they are kept; asks no TPM. */
json_t *enrolment_describe(const struct enrolment *e);
