/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * authenticatorConfig (CTAP 2.3 §6.11): a table of subcommands, each of which changes a copy of the
 * settings; the copy is then kept in one piece, or nothing has happened. Whether there is a token to
 * be shown depends on whether a PIN is set: without one, everybody may turn things on.
 *
 * What the administrator demands is a floor that no subcommand gets below. Where they have locked a
 * setting it stays as it is, and getInfo goes on to say what that is.
 */

#include "ctap/authorize.h"
#include "ctap/crypto.h"
#include "ctap/persistent-token.h"
#include "ctap/policy.h"

struct request {
        struct cbor_value subcommand, params;
        struct ctap_authorization authorization;
        struct cbor_value min_pin_length, rp_ids, force_change, complexity; /* of the params */
};

static bool has(const struct cbor_value *v) {
        return v->kind != CBOR_KIND_ABSENT;
}

/* ---- enableEnterpriseAttestation (AC3), enableLongTouchForReset (AC6) ---- */

static enum ctap_status enable_enterprise_attestation(struct ctap *c,
                                                      const struct request *rq _unused_,
                                                      struct ctap_settings *s) {
        if ((c->options.locks & CTAP_LOCK_ENTERPRISE) && !ctap_enterprise_is_on(c))
                return CTAP2_ERR_OPERATION_DENIED;
        s->enterprise_attestation = true;
        return CTAP_OK;
}

static bool can_hold(const struct ctap *c) {
        return c->env.presence->ops->abilities(c->env.presence) & CTAP_PRESENCE_HOLD;
}

static enum ctap_status enable_long_touch(struct ctap *c _unused_,
                                          const struct request *rq _unused_,
                                          struct ctap_settings *s) {
        s->long_touch_for_reset = true;
        return CTAP_OK;
}

/* ---- toggleAlwaysUv (AC4) ---- */

static enum ctap_status toggle_always_uv(struct ctap *c, const struct request *rq _unused_,
                                         struct ctap_settings *s) {
        if (c->options.always_uv || (c->options.locks & CTAP_LOCK_ALWAYS_UV))
                return CTAP2_ERR_OPERATION_DENIED; /* the administrator's: it is not turned off */
        s->always_uv = !s->always_uv;
        return CTAP_OK;
}

/* ---- setMinPINLength (AC5) ---- */

/* AC5b. They are kept as tags: a stolen disk names no site. */
static enum ctap_status set_rp_ids(struct ctap *c, const struct cbor_value *ids,
                                   struct ctap_settings *s) {
        struct bytes left = ids->elements;
        struct sha256 hash;
        int r = 0;

        if (!has(ids))
                return CTAP_OK;
        if (ids->n > CTAP_MIN_PIN_LENGTH_RPS)
                return CTAP2_ERR_KEY_STORE_FULL;
        for (uint32_t i = 0; i < ids->n && r == 0; i++) {
                const struct bytes id = cbor_next(&left).string;

                r = ctap_sha256(&id, 1, &hash);
                if (r == 0)
                        r = ctap_rp_tag(&c->credential_keys, &hash, &s->min_pin_length_rps[i]);
        }
        s->n_min_pin_length_rps = (uint8_t)ids->n;
        return ctap_status_from_errno(r);
}

/* What it says now may be said again. */
static bool is_locked(const struct ctap *c, const struct request *rq, int64_t length) {
        const unsigned locks = c->options.locks;

        if ((locks & CTAP_LOCK_MIN_PIN_LENGTH) &&
            (length != ctap_min_pin_length(c) || has(&rq->rp_ids)))
                return true;
        return (locks & CTAP_LOCK_PIN_COMPLEXITY) && rq->complexity.boolean &&
               !ctap_pin_complexity(c);
}

/* AC5c to AC5f */
static bool must_change(const struct request *rq, const struct ctap_settings *before,
                        const struct ctap_settings *s) {
        return rq->force_change.boolean || s->pin_length < s->min_pin_length ||
               (s->pin_complexity && !before->pin_complexity && !s->pin_is_complex);
}

static enum ctap_status set_min_pin_length(struct ctap *c, const struct request *rq,
                                           struct ctap_settings *s) {
        const struct ctap_settings before = *s;
        const bool is_set = before.pin_length > 0; /* in no doubt: authorize() looked */
        const int64_t length =
                has(&rq->min_pin_length) ? rq->min_pin_length.integer : ctap_min_pin_length(c);
        enum ctap_status status;

        if (length < ctap_min_pin_length(c) || length > CTAP_PIN_BYTES_MAX)
                return CTAP2_ERR_PIN_POLICY_VIOLATION; /* AC5a */
        if (is_locked(c, rq, length))
                return CTAP2_ERR_OPERATION_DENIED;
        if (rq->force_change.boolean && !is_set)
                return CTAP2_ERR_PIN_NOT_SET;
        status = set_rp_ids(c, &rq->rp_ids, s);
        if (status != CTAP_OK)
                return status;

        if (has(&rq->min_pin_length))
                s->min_pin_length = (uint8_t)length;
        if (rq->complexity.boolean)
                s->pin_complexity = true; /* AC5f: for good */
        if (is_set && must_change(rq, &before, s)) {
                s->force_pin_change = true;
                ctap_persistent_token_end(s);
        }
        return CTAP_OK;
}

static const struct cbor_field min_pin_length_params[] = {
        { NULL, 0x01, CBOR_KIND_INT, false, offsetof(struct request, min_pin_length) },
        { NULL, 0x02, CBOR_KIND_ARRAY, false, offsetof(struct request, rp_ids) },
        { NULL, 0x03, CBOR_KIND_BOOL, false, offsetof(struct request, force_change) },
        { NULL, 0x04, CBOR_KIND_BOOL, false, offsetof(struct request, complexity) },
};

/* ---- the table ---- */

static const struct subcommand {
        enum ctap_status (*change)(struct ctap *c, const struct request *rq,
                                   struct ctap_settings *s);
        bool (*is_there)(const struct ctap *c); /* NULL: ever */
        enum ctap_demand demand;
        const struct cbor_field *params; /* NULL: none are read */
        size_t n_params;
} subcommands[] = {
        [0x01] = { enable_enterprise_attestation, ctap_has_enterprise, CTAP_DEMAND_UNLESS_OPEN,
                   NULL, 0 },
        /* AC2: who has no PIN has no token either, and may still turn alwaysUv off. */
        [0x02] = { toggle_always_uv, NULL, CTAP_DEMAND_IF_PROTECTED, NULL, 0 },
        [0x03] = { set_min_pin_length, NULL, CTAP_DEMAND_UNLESS_OPEN, min_pin_length_params,
                   ELEMENTSOF(min_pin_length_params) },
        [0x04] = { enable_long_touch, can_hold, CTAP_DEMAND_UNLESS_OPEN, NULL, 0 },
};

static const struct subcommand *find_subcommand(const struct ctap *c, int64_t number) {
        const struct subcommand *sub;

        if (number < 1 || number >= (int64_t)ELEMENTSOF(subcommands))
                return NULL;
        sub = &subcommands[number];
        return !sub->is_there || sub->is_there(c) ? sub : NULL;
}

bool ctap_config_has(const struct ctap *c, unsigned subcommand) {
        return find_subcommand(c, subcommand);
}

/* ---- decode and authorize ---- */

static const struct cbor_field request_fields[] = {
        { NULL, 0x01, CBOR_KIND_INT, true, offsetof(struct request, subcommand) },
        { NULL, 0x02, CBOR_KIND_MAP, false, offsetof(struct request, params) },
        { NULL, 0x03, CBOR_KIND_INT, false, offsetof(struct request, authorization.protocol) },
        { NULL, 0x04, CBOR_KIND_BYTES, false, offsetof(struct request, authorization.param) },
};

static enum ctap_status read_params(const struct subcommand *sub, struct request *rq) {
        enum ctap_status s;

        if (!sub->params)
                return CTAP_OK;
        if (!has(&rq->params))
                return CTAP2_ERR_MISSING_PARAMETER;
        s = cbor_read_map(&rq->params, sub->params, sub->n_params, rq);
        return s == CTAP_OK ? cbor_check_texts(&rq->rp_ids) : s;
}

/* AC2. What comes as subCommandParams is under the MAC whether it is read or not. */
static enum ctap_status authorize(struct ctap *c, const struct subcommand *sub,
                                  struct request *rq) {
        _cleanup_(ctap_grant_wipe) struct ctap_grant grant = { 0 };
        struct ctap_management m = {
                .demand = sub->demand,
                .permission = CTAP_PERMISSION_ACFG,
                .parameters = read_params(sub, rq),
        };
        uint8_t storage[32 + 2];
        struct buf opening = BUF_ON(storage);

        for (unsigned i = 0; i < 32; i++)
                buf_put_u8(&opening, 0xff);
        buf_put_u8(&opening, 0x0d);
        buf_put_u8(&opening, (uint8_t)rq->subcommand.integer);
        m.message[0] = buf_bytes(&opening);
        m.message[1] = rq->params.raw;
        return ctap_authorize_management(c, &rq->authorization, &m, &grant);
}

/* ---- act ---- */

static enum ctap_status keep(struct ctap *c, const struct ctap_settings *s) {
        struct ctap_store *store = c->env.store;
        const struct ctap_settings before = *store->ops->settings(store);
        int r;

        r = store->ops->set_settings(store, s);
        if (r < 0)
                return ctap_status_from_errno(r);
        if (s->persistent_token_epoch != before.persistent_token_epoch)
                ctap_end_token(c); /* AC5e */
        if (s->always_uv && !before.always_uv)
                ctap_forget_answers(c); /* what was said to U2F, which is over */
        return CTAP_OK;
}

static void note_change(const struct ctap *c, const struct request *rq) {
        ctap_note(&c->env, &(struct ctap_notice){
                                   .what = CTAP_NOTED_SETTING,
                                   .number = (uint8_t)rq->subcommand.integer,
                           });
}

/* What the administrator's options leave open is changed and kept. */
static enum ctap_status change(struct ctap *c, const struct subcommand *sub,
                               const struct request *rq) {
        struct ctap_settings settings = *c->env.store->ops->settings(c->env.store);
        enum ctap_status s = CTAP2_ERR_OPERATION_DENIED;

        if (c->options.locks != CTAP_LOCK_ALL)
                s = sub->change(c, rq, &settings);
        if (s == CTAP2_ERR_OPERATION_DENIED)
                ctap_note_policy(&c->env, &c->policy_told_until_ms[0x0d],
                                 &(struct ctap_notice){ .command = 0x0d, .status = s });
        if (s == CTAP_OK)
                s = keep(c, &settings);
        if (s == CTAP_OK)
                note_change(c, rq);
        return s;
}

enum ctap_status ctap_config(struct ctap *c, const struct ctap_call *call,
                             struct cbor_writer *out _unused_) {
        const struct subcommand *sub;
        struct request rq = { 0 };
        enum ctap_status s;

        s = cbor_read_map(&call->params, request_fields, ELEMENTSOF(request_fields), &rq);
        if (s != CTAP_OK)
                return s;
        sub = find_subcommand(c, rq.subcommand.integer);
        if (!sub)
                return CTAP2_ERR_INVALID_SUBCOMMAND;
        s = authorize(c, sub, &rq);
        if (s != CTAP_OK)
                return s;
        return change(c, sub, &rq);
}
