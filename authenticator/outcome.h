/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* What the answer to a client means to the owner of the passkeys, for the journal. */

#include "authenticator/audit-event.h"
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

/*
 * The same for the administrator. False: it is no event. Nor is that a site knows this key already, or a
 * wrong PIN, which the witness of ctap/env.h tells of wherever it was given.
 */
bool outcome_audit(const struct presence_asked *asked, struct bytes request, struct bytes answer,
                   struct audit_event *ret);

/* What `tpmauthn events` calls them. */
const char *outcome_what(enum journal_what what);
const char *outcome_result(uint8_t status);

/* What one of the authenticator's commands asks for. */
enum audit_op outcome_op(uint8_t command);
