/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/*
 * The TPM's word that it was given the right PIN: what TPM2_PolicySecret gave, and on which
 * connection. It ends when the TPM is restarted or resumes from suspend.
 */

#include "tpm/handle.h"

/* A fresh one, in this connection. */
_must_check_ int tpm_ticket_encode(struct tpm *t, const TPM2B_TIMEOUT *timeout,
                                   const TPMT_TK_AUTH *auth, struct ctap_ticket *ret);

/*
 * A policy session that satisfies PolicySecret(PIN) by a ticket, for the next command that it
 * authorises; it carries encryption if sessions are salted. The same session serves all commands of
 * a ceremony: StartAuthSession the first time, PolicyTicket each time unless the last one was not
 * used up. It belongs to t: say what became of it, and tpm_settle() drops what is left.
 * -EKEYEXPIRED: the ticket is not good any more, or is none (NULL, empty).
 */
_must_check_ int tpm_ticket_session(struct tpm *t, const struct ctap_ticket *ticket,
                                    struct tpm_handle *ret);
/* A command with it succeeded, and it goes on. */
void tpm_ticket_session_used(struct tpm *t);
/* A command with it succeeded after tpm_session_last(). */
void tpm_ticket_session_ended(struct tpm *t);
/* A command with it failed, or nothing more is to be done with it: tells the TPM. */
void tpm_ticket_session_drop(struct tpm *t);
/* What tpm_fail() gives, but -EKEYEXPIRED for a ticket that ended, which is no error. */
_must_check_ int tpm_ticket_fail(struct tpm *t, const char *command, TSS2_RC rc);

/* ctap_keys_ops.ticket_check */
_must_check_ int tpm_ticket_check(struct ctap_keys *k, const struct ctap_ticket *ticket);
/* tpm_settle(): reads the TPM's count of restarts, if a ticket was given since it was read. */
void tpm_ticket_settle(struct tpm *t);
