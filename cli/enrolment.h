/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* What an administrator gives who enrols somebody: whom, and that user's one-time secret. */

#include <stdbool.h>

#include "cli/ask.h"
#include "cli/cli.h"
#include "ctap/macro.h"

/* Of the service manager (systemd.exec(5), LoadCredential=). */
#define ENROLMENT_CREDENTIAL "tpmauthn.secret"

/* EXIT_OK if --user names an account. What is made for none would stay in the TPM. */
int enrolment_check_user(const struct options *o, const char *command);

/* Whether --secret-file or --from-credential asks for one, or the service manager has given one. */
bool enrolment_has_secret(const struct options *o);
/* The first line of it. 0, or -1 after saying why not; then nothing is left in *ret. */
_must_check_ int enrolment_read_secret(const struct options *o, struct secret_text *ret);
