/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * A passkey that an administrator makes for somebody who is not there yet. It is an ordinary
 * makeCredential; what differs is who is asked for the yes, and that there is a one-time secret in the
 * PIN's place. That one is the PIN to the key device, which compares it and counts its tries, and it has
 * to be changed: no client gets a token for it. Once its owner has changed it, it is no PIN any more,
 * and the PIN that took its place is not the administrator's: it verifies nobody here.
 */

#include "ctap/command.h"
#include "ctap/crypto.h"
#include "ctap/pin.h"

#define PROTOCOL        2
#define CHANNEL         0 /* no client's */
#define MAKE_CREDENTIAL 0x01

/* ---- who says yes ---- */

static int ask_nobody(struct ctap_presence *p _unused_, const struct ctap_prompt *prompt _unused_) {
        return 0;
}

static int say_yes(struct ctap_presence *p _unused_, enum ctap_answer *ret) {
        *ret = CTAP_ANSWER_YES;
        return 0;
}

static void end_nothing(struct ctap_presence *p _unused_) {
}

static unsigned verify_nobody(struct ctap_presence *p _unused_) {
        return 0;
}

/* Nobody is asked for a PIN where the abilities say so, and only U2F polls. */
static const struct ctap_presence_ops administrator_ops = {
        .begin = ask_nobody,
        .wait = say_yes,
        .end = end_nothing,
        .abilities = verify_nobody,
};

/* ---- the secret ---- */

void ctap_enrolment_param_wipe(struct ctap_enrolment_param *p) {
        OPENSSL_cleanse(p, sizeof(*p));
}

static enum ctap_status check_secret(struct ctap *c, struct bytes secret, struct ctap_ticket *ret) {
        _cleanup_(ctap_pin_hash_wipe) struct ctap_pin_hash hash = { 0 };
        int r;

        if (!c->env.store->ops->settings(c->env.store)->pin_is_for_enrolment)
                return CTAP2_ERR_NOT_ALLOWED;
        r = ctap_pin_hash(secret, &hash);
        return r < 0 ? ctap_status_from_errno(r) : ctap_pin_verify(c, 0, &hash, ret);
}

static int issue_token(struct ctap *c, struct bytes rp_id, const struct ctap_ticket *ticket) {
        struct sha256 rp_id_hash;
        int r;

        r = ctap_sha256(&rp_id, 1, &rp_id_hash);
        if (r == 0)
                r = ctap_token_issue(&c->token, c->env.rng, PROTOCOL, CTAP_PERMISSION_MC,
                                     &rp_id_hash, ticket, ctap_now_ms(c));
        if (r == 0)
                c->token.user_present = true;
        return r;
}

enum ctap_status ctap_enrolment_verify(struct ctap *c, struct bytes secret, struct bytes rp_id,
                                       const struct sha256 *client_data_hash,
                                       struct ctap_enrolment_param *ret) {
        _cleanup_(ctap_ticket_wipe) struct ctap_ticket ticket = { 0 };
        struct sha256 mac;
        enum ctap_status s;
        int r;

        s = check_secret(c, secret, &ticket);
        if (s != CTAP_OK)
                return s;
        r = issue_token(c, rp_id, &ticket);
        if (r == 0)
                r = ctap_hmac_sha256(&c->token.value, BYTES_OF(*client_data_hash), &mac);
        if (r < 0)
                return ctap_status_from_errno(r);
        cursor_copy(&(struct cursor){ BYTES_OF(mac), false }, ret->b, sizeof(ret->b));
        OPENSSL_cleanse(&mac, sizeof(mac));
        return CTAP_OK;
}

/* ---- the passkey ---- */

void ctap_enrol(struct ctap *c, struct bytes message, struct buf *reply) {
        struct ctap_presence administrator = { &administrator_ops }, *person = c->env.presence;

        if (message.len == 0 || message.data[0] != MAKE_CREDENTIAL) {
                reply->len = 0;
                buf_put_u8(reply, CTAP1_ERR_INVALID_COMMAND);
                return;
        }
        /* A question of U2F's is still up, and its answer is no answer to this. */
        ctap_forget_answers(c);
        c->env.presence = &administrator;
        ctap_request(c, CHANNEL, message, reply);
        c->env.presence = person;
        ctap_end_token(c);
}
