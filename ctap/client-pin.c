/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * authenticatorClientPIN (CTAP 2.3 §6.5.5): a table of subcommands with the members each must have,
 * and what each does. The PIN itself is pin.c's.
 *
 * A ciphertext that cannot be read is no try of the PIN: nobody has named one yet.
 */

#include <errno.h>

#include "ctap/built-in-uv.h"
#include "ctap/crypto.h"
#include "ctap/persistent-token.h"
#include "ctap/pin.h"
#include "ctap/policy.h"

/* These are for one site, and all that the old way gives (CP23). */
#define FOR_A_SITE (CTAP_PERMISSION_MC | CTAP_PERMISSION_GA)
/* What has a meaning; other bits are ignored (CP28). */
#define DEFINED 0x7f

#define PADDED_PIN_SIZE 64

struct request {
        struct cbor_value protocol, subcommand, key_agreement, param, new_pin, pin_hash;
        struct cbor_value permissions, rp_id;
};

static const struct cbor_field request_fields[] = {
        { NULL, 0x01, CBOR_KIND_INT, false, offsetof(struct request, protocol) },
        { NULL, 0x02, CBOR_KIND_INT, true, offsetof(struct request, subcommand) },
        { NULL, 0x03, CBOR_KIND_MAP, false, offsetof(struct request, key_agreement) },
        { NULL, 0x04, CBOR_KIND_BYTES, false, offsetof(struct request, param) },
        { NULL, 0x05, CBOR_KIND_BYTES, false, offsetof(struct request, new_pin) },
        { NULL, 0x06, CBOR_KIND_BYTES, false, offsetof(struct request, pin_hash) },
        { NULL, 0x09, CBOR_KIND_INT, false, offsetof(struct request, permissions) },
        { NULL, 0x0a, CBOR_KIND_TEXT, false, offsetof(struct request, rp_id) },
};

static bool has(const struct cbor_value *v) {
        return v->kind != CBOR_KIND_ABSENT;
}

static bool must_change_pin(const struct ctap *c) {
        return c->env.store->ops->settings(c->env.store)->force_pin_change;
}

/* ---- what was encrypted ---- */

static enum ctap_status agree(struct ctap *c, const struct request *rq,
                              struct ctap_shared_secret *ret) {
        return ctap_decapsulate(&c->agreement, (unsigned)rq->protocol.integer, &rq->key_agreement,
                                ret);
}

static enum ctap_status decrypt_pin_hash(const struct ctap_shared_secret *secret,
                                         const struct request *rq, struct ctap_pin_hash *ret) {
        struct buf out = BUF_ON(ret->b);
        int r;

        r = ctap_secret_decrypt(secret, rq->pin_hash.string, &out);
        if (r == -EBADMSG || r == -EMSGSIZE)
                return CTAP2_ERR_PIN_AUTH_INVALID; /* CP12; no shorter than one block is read */
        return ctap_status_from_errno(r);
}

/* CP20: too long, or without a terminator, breaks a rule of PINs; too short is no PIN at all. */
static enum ctap_status decrypt_new_pin(const struct ctap_shared_secret *secret,
                                        const struct request *rq, struct buf *padded,
                                        struct bytes *ret) {
        struct bytes pin;
        int r;

        r = ctap_secret_decrypt(secret, rq->new_pin.string, padded);
        if (r == -EBADMSG)
                return CTAP2_ERR_PIN_AUTH_INVALID;
        if (r == -EMSGSIZE)
                return CTAP2_ERR_PIN_POLICY_VIOLATION;
        if (r < 0)
                return ctap_status_from_errno(r);
        if (padded->len < PADDED_PIN_SIZE)
                return CTAP1_ERR_INVALID_PARAMETER;

        pin = buf_bytes(padded);
        while (pin.len > 0 && pin.data[pin.len - 1] == 0)
                pin.len--;
        *ret = pin;
        return CTAP_OK;
}

struct padded_pin {
        uint8_t b[PADDED_PIN_SIZE];
};

static void padded_pin_wipe(struct padded_pin *p) {
        OPENSSL_cleanse(p, sizeof(*p));
}

/* ---- tries and keys ---- */

static enum ctap_status get_pin_retries(struct ctap *c, const struct request *rq _unused_,
                                        struct cbor_writer *out) {
        const bool latched = ctap_pin_is_latched(c);
        uint8_t n;
        int r;

        r = c->env.keys->ops->pin_retries(c->env.keys, &n);
        if (r < 0)
                return ctap_status_from_errno(r);

        cbor_put_map(out, latched ? 2 : 1);
        cbor_put_int(out, 0x03); /* pinRetries */
        cbor_put_int(out, n);
        if (latched) {
                cbor_put_int(out, 0x04); /* powerCycleState */
                cbor_put_bool(out, true);
        }
        return CTAP_OK;
}

static enum ctap_status get_key_agreement(struct ctap *c, const struct request *rq,
                                          struct cbor_writer *out) {
        cbor_put_map(out, 1);
        cbor_put_int(out, 0x01);
        return ctap_status_from_errno(
                ctap_key_agreement_put(&c->agreement, (unsigned)rq->protocol.integer, out));
}

/* ---- a new PIN ---- */

static enum ctap_status set_pin(struct ctap *c, const struct request *rq,
                                struct cbor_writer *out _unused_) {
        _cleanup_(ctap_shared_secret_wipe) struct ctap_shared_secret secret = { 0 };
        _cleanup_(padded_pin_wipe) struct padded_pin padded = { { 0 } };
        struct buf room = BUF_ON(padded.b);
        enum ctap_status s;
        struct bytes pin;
        bool is_set;

        s = ctap_pin_is_set(c, &is_set);
        if (s != CTAP_OK)
                return s;
        if (is_set)
                return CTAP2_ERR_PIN_AUTH_INVALID;
        s = agree(c, rq, &secret);
        if (s != CTAP_OK)
                return s;
        if (!ctap_secret_verify(&secret, rq->new_pin.string, rq->param.string))
                return CTAP2_ERR_PIN_AUTH_INVALID;
        s = decrypt_new_pin(&secret, rq, &room, &pin);
        if (s != CTAP_OK)
                return s;
        return ctap_pin_set(c, pin);
}

/* The MAC is over newPinEnc and pinHashEnc, one after the other. */
static bool change_is_authentic(const struct ctap_shared_secret *secret, const struct request *rq) {
        uint8_t storage[1024]; /* ten times what a good request has */
        struct buf message = BUF_ON(storage);

        buf_put(&message, rq->new_pin.string);
        buf_put(&message, rq->pin_hash.string);
        return buf_error(&message) == 0 &&
               ctap_secret_verify(secret, buf_bytes(&message), rq->param.string);
}

static enum ctap_status change_pin(struct ctap *c, const struct request *rq,
                                   struct cbor_writer *out _unused_) {
        _cleanup_(ctap_shared_secret_wipe) struct ctap_shared_secret secret = { 0 };
        _cleanup_(ctap_pin_hash_wipe) struct ctap_pin_hash old = { 0 };
        _cleanup_(padded_pin_wipe) struct padded_pin padded = { { 0 } };
        struct buf room = BUF_ON(padded.b);
        enum ctap_status s, readable;
        struct bytes pin = BYTES_NULL;

        s = ctap_pin_ready(c);
        if (s != CTAP_OK)
                return s;
        s = agree(c, rq, &secret);
        if (s != CTAP_OK)
                return s;
        if (!change_is_authentic(&secret, rq))
                return CTAP2_ERR_PIN_AUTH_INVALID;
        s = decrypt_pin_hash(&secret, rq, &old);
        if (s != CTAP_OK)
                return s;

        readable = decrypt_new_pin(&secret, rq, &room, &pin);
        if (readable == CTAP_OK)
                return ctap_pin_replace(c, secret.protocol, &old, pin);
        s = ctap_pin_check(c, secret.protocol, &old);
        return s == CTAP_OK ? readable : s;
}

/* ---- a token ---- */

/* The right PIN, or an error; CP22 to CP24 have these steps in common. */
static enum ctap_status verify_pin(struct ctap *c, const struct request *rq,
                                   const struct ctap_shared_secret *secret,
                                   struct ctap_ticket *ret) {
        _cleanup_(ctap_pin_hash_wipe) struct ctap_pin_hash pin = { 0 };
        enum ctap_status s;

        s = decrypt_pin_hash(secret, rq, &pin);
        if (s != CTAP_OK)
                return s;
        return ctap_pin_verify(c, secret->protocol, &pin, ret);
}

static int put_token(struct ctap *c, const struct ctap_shared_secret *secret,
                     const struct secret32 *token, struct cbor_writer *out) {
        uint8_t storage[48];
        struct buf cipher = BUF_ON(storage);
        int r;

        r = ctap_secret_encrypt(secret, c->env.rng, BYTES_OF(*token), &cipher);
        if (r < 0)
                return r;
        cbor_put_map(out, 1);
        cbor_put_int(out, 0x02);
        cbor_put_bytes(out, buf_bytes(&cipher));
        return 0;
}

/* What is given to whom. */
struct gift {
        uint8_t permissions;
        bool present; /* the person was asked here, and for no more than this */
        struct ctap_shared_secret secret;
        struct ctap_ticket ticket;
};

static void gift_wipe(struct gift *g) {
        OPENSSL_cleanse(g, sizeof(*g));
}

/* The same one whoever asks (CP34); a token that somebody else has goes on. */
static int give_persistent_token(struct ctap *c, const struct gift *g, struct cbor_writer *out) {
        _cleanup_(secret32_wipe) struct secret32 token = { { 0 } };
        int r;

        r = ctap_persistent_token(c, &token);
        return r < 0 ? r : put_token(c, &g->secret, &token, out);
}

static int give_token(struct ctap *c, const struct request *rq, const struct gift *g,
                      struct cbor_writer *out) {
        struct sha256 rp_id_hash;
        int r;

        if (g->permissions == CTAP_PERMISSION_PCMR)
                return give_persistent_token(c, g, out);
        r = ctap_sha256(&rq->rp_id.string, 1, &rp_id_hash);
        if (r < 0)
                return r;
        r = ctap_token_issue(&c->token, c->env.rng, g->secret.protocol, g->permissions,
                             has(&rq->rp_id) ? &rp_id_hash : NULL, &g->ticket, ctap_now_ms(c));
        if (r < 0)
                return r;
        c->token.user_present = g->present;
        r = put_token(c, &g->secret, &c->token.value, out);
        if (r < 0)
                ctap_end_token(c); /* nobody will know it */
        return r;
}

/* `if_forced` is the answer while the PIN has to be changed first. */
static enum ctap_status exchange_pin_for_token(struct ctap *c, const struct request *rq,
                                               uint8_t permissions, enum ctap_status if_forced,
                                               struct cbor_writer *out) {
        _cleanup_(gift_wipe) struct gift g = { .permissions = permissions };
        enum ctap_status s;

        s = ctap_pin_ready(c);
        if (s != CTAP_OK)
                return s;
        s = agree(c, rq, &g.secret);
        if (s != CTAP_OK)
                return s;
        s = verify_pin(c, rq, &g.secret, &g.ticket);
        if (s != CTAP_OK)
                return s;
        if (must_change_pin(c))
                return if_forced;
        return ctap_status_from_errno(give_token(c, rq, &g, out));
}

/* The old way (CP23). Its tokens are for no site until first used. */
static enum ctap_status get_pin_token(struct ctap *c, const struct request *rq,
                                      struct cbor_writer *out) {
        if (has(&rq->permissions) || has(&rq->rp_id))
                return CTAP1_ERR_INVALID_PARAMETER;
        return exchange_pin_for_token(c, rq, FOR_A_SITE, CTAP2_ERR_PIN_INVALID, out);
}

/* What is there to be given (CP29): be is not, for there is no bioEnrollment. */
static uint8_t available(const struct ctap *c, bool by_uv) {
        return FOR_A_SITE | CTAP_PERMISSION_CM | CTAP_PERMISSION_PCMR |
               (ctap_has_large_blobs(c) ? CTAP_PERMISSION_LBW : 0) |
               (by_uv && !ctap_uv_is_supported(c) ? 0 : CTAP_PERMISSION_ACFG); /* uvAcfg */
}

/* CP24, CP28, CP29, in this order. */
static enum ctap_status read_permissions(const struct ctap *c, const struct request *rq, bool by_uv,
                                         uint8_t *ret) {
        const uint8_t asked = (uint8_t)(rq->permissions.integer & DEFINED);

        if (rq->permissions.integer < 0 || asked == 0)
                return CTAP1_ERR_INVALID_PARAMETER;
        if ((asked & FOR_A_SITE) && !has(&rq->rp_id))
                return CTAP2_ERR_MISSING_PARAMETER;
        if (rq->rp_id.string.len > CTAP_RP_ID_MAX)
                return CTAP1_ERR_INVALID_PARAMETER; /* makeCredential takes no longer one */
        if (asked & ~available(c, by_uv))
                return CTAP2_ERR_UNAUTHORIZED_PERMISSION;
        if ((asked & CTAP_PERMISSION_PCMR) && asked != CTAP_PERMISSION_PCMR)
                return CTAP2_ERR_UNAUTHORIZED_PERMISSION;
        *ret = asked;
        return CTAP_OK;
}

static enum ctap_status get_token_by_pin(struct ctap *c, const struct request *rq,
                                         struct cbor_writer *out) {
        enum ctap_status s;
        uint8_t permissions;

        s = read_permissions(c, rq, false, &permissions);
        if (s != CTAP_OK)
                return s;
        return exchange_pin_for_token(c, rq, permissions, CTAP2_ERR_PIN_POLICY_VIOLATION, out);
}

/* ---- built-in verification ---- */

/* CP25. Who has to change the PIN is told so, for nothing that they type here would help. */
static enum ctap_status check_uv(struct ctap *c) {
        enum ctap_status s;
        uint8_t retries;
        bool is_set;
        int r;

        s = ctap_pin_is_set(c, &is_set);
        if (s != CTAP_OK)
                return s;
        if (!is_set || !ctap_uv_is_supported(c))
                return CTAP2_ERR_NOT_ALLOWED;
        if (must_change_pin(c))
                return CTAP2_ERR_PIN_POLICY_VIOLATION;
        r = ctap_uv_retries(c, &retries);
        if (r < 0)
                return ctap_status_from_errno(r);
        return retries > 0 ? CTAP_OK : CTAP2_ERR_UV_BLOCKED;
}

/*
 * A token that opens more than one site is asked for as that, except for large blobs: a site that
 * keeps one cannot do without, and what others keep there is encrypted. Should it be for making or
 * using a credential too, then that has its own question: this one did not say so.
 *
 * Under alwaysUv the keys of a site want the PIN: who gave a finger would be asked a second time.
 */
static enum ctap_status ask_for_pin(struct ctap *c, const struct request *rq, struct gift *g) {
        const bool for_a_site = (g->permissions & FOR_A_SITE) &&
                                !(g->permissions & ~(FOR_A_SITE | CTAP_PERMISSION_LBW));
        const struct ctap_prompt prompt = {
                .ask = for_a_site ? CTAP_ASK_VERIFY : CTAP_ASK_MANAGE,
                .pin_only = for_a_site && ctap_always_uv(c),
                .rp_id = rq->rp_id.string,
        };

        g->present = for_a_site;
        return ctap_verify_person(c, &prompt, NULL, NULL, &g->ticket);
}

static enum ctap_status get_token_by_uv(struct ctap *c, const struct request *rq,
                                        struct cbor_writer *out) {
        _cleanup_(gift_wipe) struct gift g = { 0 };
        enum ctap_status s;

        s = read_permissions(c, rq, true, &g.permissions);
        if (s == CTAP_OK && (g.permissions & FOR_A_SITE) &&
            !ctap_rp_is_allowed(c, rq->rp_id.string))
                s = ctap_refuse_rp(c, 0x06, rq->rp_id.string);
        if (s == CTAP_OK)
                s = check_uv(c);
        if (s == CTAP_OK)
                s = agree(c, rq, &g.secret);
        if (s == CTAP_OK)
                s = ask_for_pin(c, rq, &g);
        return s == CTAP_OK ? ctap_status_from_errno(give_token(c, rq, &g, out)) : s;
}

/* CP26 */
static enum ctap_status get_uv_retries(struct ctap *c, const struct request *rq _unused_,
                                       struct cbor_writer *out) {
        uint8_t n;
        int r;

        if (!ctap_uv_is_supported(c))
                return CTAP2_ERR_NOT_ALLOWED;
        r = ctap_uv_retries(c, &n);
        if (r < 0)
                return ctap_status_from_errno(r);

        cbor_put_map(out, 1);
        cbor_put_int(out, 0x05); /* uvRetries */
        cbor_put_int(out, n);
        return CTAP_OK;
}

/* ---- the table ---- */

enum {
        NEEDS_PROTOCOL = 1 << 0,
        NEEDS_KEY = 1 << 1,
        NEEDS_PARAM = 1 << 2,
        NEEDS_NEW_PIN = 1 << 3,
        NEEDS_PIN_HASH = 1 << 4,
        NEEDS_PERMISSIONS = 1 << 5,
};

static const struct subcommand {
        enum ctap_status (*run)(struct ctap *c, const struct request *rq, struct cbor_writer *out);
        unsigned needs;
} subcommands[] = {
        [0x01] = { get_pin_retries, 0 },
        [0x02] = { get_key_agreement, NEEDS_PROTOCOL },
        [0x03] = { set_pin, NEEDS_PROTOCOL | NEEDS_KEY | NEEDS_PARAM | NEEDS_NEW_PIN },
        [0x04] = { change_pin,
                   NEEDS_PROTOCOL | NEEDS_KEY | NEEDS_PARAM | NEEDS_NEW_PIN | NEEDS_PIN_HASH },
        [0x05] = { get_pin_token, NEEDS_PROTOCOL | NEEDS_KEY | NEEDS_PIN_HASH },
        [0x06] = { get_token_by_uv, NEEDS_PROTOCOL | NEEDS_KEY | NEEDS_PERMISSIONS },
        [0x07] = { get_uv_retries, 0 },
        [0x09] = { get_token_by_pin,
                   NEEDS_PROTOCOL | NEEDS_KEY | NEEDS_PIN_HASH | NEEDS_PERMISSIONS },
};

static unsigned what_it_has(const struct request *rq) {
        return (has(&rq->protocol) ? NEEDS_PROTOCOL : 0u) |
               (has(&rq->key_agreement) ? NEEDS_KEY : 0u) | (has(&rq->param) ? NEEDS_PARAM : 0u) |
               (has(&rq->new_pin) ? NEEDS_NEW_PIN : 0u) |
               (has(&rq->pin_hash) ? NEEDS_PIN_HASH : 0u) |
               (has(&rq->permissions) ? NEEDS_PERMISSIONS : 0u);
}

static const struct subcommand *find_subcommand(int64_t number) {
        if (number < 0 || number >= (int64_t)ELEMENTSOF(subcommands) || !subcommands[number].run)
                return NULL;
        return &subcommands[number];
}

enum ctap_status ctap_client_pin(struct ctap *c, const struct ctap_call *call,
                                 struct cbor_writer *out) {
        const struct subcommand *sub;
        struct request rq;
        enum ctap_status s;

        s = cbor_read_map(&call->params, request_fields, ELEMENTSOF(request_fields), &rq);
        if (s != CTAP_OK)
                return s;
        sub = find_subcommand(rq.subcommand.integer);
        if (!sub)
                return CTAP2_ERR_INVALID_SUBCOMMAND;
        if (sub->needs & ~what_it_has(&rq))
                return CTAP2_ERR_MISSING_PARAMETER;
        if ((sub->needs & NEEDS_PROTOCOL) && !ctap_pin_protocol_exists(rq.protocol.integer))
                return CTAP1_ERR_INVALID_PARAMETER;
        return sub->run(c, &rq, out);
}
