/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* What the answer to a client means to the owner of the passkeys, for the journal. */

#include "authenticator/journal.h"
#include "authenticator/presence.h"
#include "ctap/bytes.h"

/*
 * Notes a failure worth knowing of a CTAP2 request. What succeeded the store tells of. A refusal, a
 * timeout and a cancel count only where a person was really asked: browsers send requests to every key
 * and take them back, and ask some keys only to see whether they are there.
 */
void outcome_note(struct journal *j, const struct presence_asked *asked, struct bytes request,
                  struct bytes answer);

/* What `tpmauthn events` calls them. */
const char *outcome_what(enum journal_what what);
const char *outcome_result(uint8_t status);
