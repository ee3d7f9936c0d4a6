/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Tickets and the policy sessions they satisfy. That a ticket is dead after a restart of the TPM only
 * the TPM knows for certain; but a token that is used for a key without a PIN policy has to end then
 * too. So the counts of TPM2_ReadClock are compared: those on the connection that the newest ticket
 * was given on, read once the answer went out, with those on the connection of now.
 */

#include <errno.h>
#include <string.h>
#include <syslog.h>

#include "tpm/policy.h"
#include "tpm/ticket.h"

enum { TICKET_VERSION = 1 };

struct content {
        uint32_t connection; /* that it was given on */
        TPM2B_TIMEOUT timeout;
        TPMT_TK_AUTH auth;
};

static void content_wipe(struct content *c) {
        OPENSSL_cleanse(c, sizeof(*c));
}

int tpm_ticket_encode(struct tpm *t, const TPM2B_TIMEOUT *timeout, const TPMT_TK_AUTH *auth,
                      struct ctap_ticket *ret) {
        struct ctap_ticket ticket = { 0 };
        struct buf b = BUF_ON(ticket.data);

        buf_put_u8(&b, TICKET_VERSION);
        buf_put_u32(&b, t->connection);
        buf_put_string16(&b, BYTES(timeout->buffer, timeout->size));
        buf_put_u16(&b, auth->tag);
        buf_put_u32(&b, auth->hierarchy);
        buf_put_string16(&b, BYTES(auth->digest.buffer, auth->digest.size));
        if (buf_error(&b) < 0) {
                tpm_log(t, LOG_ERR, "TPM: TPM2_PolicySecret: the ticket is too large");
                ctap_ticket_wipe(&ticket);
                return -EIO;
        }
        ticket.len = (uint16_t)b.len;
        *ret = ticket;
        ctap_ticket_wipe(&ticket);
        t->given = (struct tpm_clock){ .connection = t->connection };
        return 0;
}

static void get_digest(struct cursor *c, TPM2B_DIGEST *ret) {
        struct bytes b = cursor_string16(c);

        if (b.len > sizeof(ret->buffer)) {
                c->failed = true;
                return;
        }
        ret->size = (uint16_t)b.len;
        if (b.len > 0)
                memcpy(ret->buffer, b.data, b.len);
}

static int decode(const struct ctap_ticket *ticket, struct content *ret) {
        struct cursor c;

        if (!ticket || ticket->len == 0 || ticket->len > sizeof(ticket->data))
                return -EKEYEXPIRED;
        c = (struct cursor){ BYTES(ticket->data, ticket->len), false };
        if (cursor_u8(&c) != TICKET_VERSION)
                return -EKEYEXPIRED;
        ret->connection = cursor_u32(&c);
        get_digest(&c, &ret->timeout);
        ret->auth.tag = cursor_u16(&c);
        ret->auth.hierarchy = cursor_u32(&c);
        get_digest(&c, &ret->auth.digest);
        return cursor_end(&c) < 0 ? -EKEYEXPIRED : 0;
}

int tpm_ticket_fail(struct tpm *t, const char *command, TSS2_RC rc) {
        TSS2_RC base = tpm_rc_base(rc);

        if (base != TPM2_RC_EXPIRED && base != TPM2_RC_TICKET)
                return tpm_fail(t, command, rc);
        tpm_log(t, LOG_NOTICE, "TPM: %s: the PIN has to be given again (0x%x)", command,
                (unsigned)rc);
        return -EKEYEXPIRED;
}

/* ---- sessions ----------------------------------------------------------------------------- */

static bool is_open(const struct tpm *t) {
        return t->policy.tr != ESYS_TR_NONE && t->esys && t->policy.connection == t->connection;
}

static struct tpm_handle handle_of(struct tpm *t) {
        return (struct tpm_handle){ t, t->policy.tr, t->policy.connection };
}

static void forget(struct tpm *t) {
        ctap_ticket_wipe(&t->policy.ticket);
        t->policy = (struct tpm_policy){ .tr = ESYS_TR_NONE };
}

void tpm_ticket_session_drop(struct tpm *t) {
        struct tpm_handle h = handle_of(t);

        tpm_handle_flush(&h);
        forget(t);
}

void tpm_ticket_session_ended(struct tpm *t) {
        struct tpm_handle h = handle_of(t);

        tpm_handle_close(&h);
        forget(t);
}

void tpm_ticket_session_used(struct tpm *t) {
        t->policy.satisfied = false;
}

static bool is_satisfied_by(const struct tpm *t, const struct ctap_ticket *ticket) {
        return t->policy.satisfied &&
               bytes_equal_secret(BYTES(t->policy.ticket.data, t->policy.ticket.len),
                                  BYTES(ticket->data, ticket->len));
}

static int open_session(struct tpm *t) {
        struct tpm_handle session;
        int r;

        r = tpm_sessions_are_salted(t) ? tpm_session_start_salted(t, TPM2_SE_POLICY, &session)
                                       : tpm_session_start(t, ESYS_TR_NONE, &session);
        if (r < 0)
                return r;
        t->policy = (struct tpm_policy){ .tr = session.tr, .connection = session.connection };
        return 0;
}

static int satisfy(struct tpm *t, const struct content *c) {
        TPM2B_NAME name;
        TSS2_RC rc;
        int r;

        r = tpm_name_of_written(&t->record->pin.public.nvPublic, &name);
        if (r < 0)
                return r;
        rc = Esys_PolicyTicket(t->esys, t->policy.tr, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE,
                               &c->timeout, NULL, NULL, &name, &c->auth);
        return rc == TSS2_RC_SUCCESS ? 0 : tpm_ticket_fail(t, "TPM2_PolicyTicket", rc);
}

int tpm_ticket_session(struct tpm *t, const struct ctap_ticket *ticket, struct tpm_handle *ret) {
        _cleanup_(content_wipe) struct content c = { 0 };
        int r;

        r = decode(ticket, &c);
        if (r < 0)
                return r;
        if (!is_open(t) || (t->policy.satisfied && !is_satisfied_by(t, ticket)))
                tpm_ticket_session_drop(t);
        if (t->policy.tr == ESYS_TR_NONE)
                r = open_session(t);
        if (r >= 0 && !t->policy.satisfied)
                r = satisfy(t, &c);
        if (r < 0) {
                tpm_ticket_session_drop(t);
                return r;
        }
        t->policy.satisfied = true;
        t->policy.ticket = *ticket;
        *ret = handle_of(t);
        return 0;
}

/* ---- restarts ----------------------------------------------------------------------------- */

static int read_clock(struct tpm *t, struct tpm_clock *ret) {
        TPMS_TIME_INFO *info = NULL;
        TSS2_RC rc = Esys_ReadClock(t->esys, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE, &info);

        if (rc != TSS2_RC_SUCCESS)
                return tpm_fail(t, "TPM2_ReadClock", rc);
        *ret = (struct tpm_clock){ .connection = t->connection,
                                   .known = true,
                                   .resets = info->clockInfo.resetCount,
                                   .restarts = info->clockInfo.restartCount };
        Esys_Free(info);
        return 0;
}

void tpm_ticket_settle(struct tpm *t) {
        struct tpm_clock clock;

        if (t->given.connection != t->connection || t->given.known)
                return;
        /* Where that fails the ticket ends with the connection. */
        if (read_clock(t, &clock) < 0)
                t->given.connection = 0;
        else
                t->given = t->now = clock;
}

static int check_step(struct tpm *t, _unused_ void *userdata) {
        int r = 0;

        if (t->now.connection != t->connection || !t->now.known)
                r = read_clock(t, &t->now);
        if (r < 0)
                return r;
        return t->now.resets == t->given.resets && t->now.restarts == t->given.restarts
                       ? 0
                       : -EKEYEXPIRED;
}

int tpm_ticket_check(struct ctap_keys *k, const struct ctap_ticket *ticket) {
        struct tpm *t = container_of(k, struct tpm, keys);
        _cleanup_(content_wipe) struct content c = { 0 };
        int r;

        r = decode(ticket, &c);
        if (r < 0)
                return r;
        if (c.connection != t->given.connection)
                return -EKEYEXPIRED;
        if (t->esys && c.connection == t->connection)
                return 0;
        return t->given.known ? tpm_run(t, check_step, NULL) : -EKEYEXPIRED;
}
