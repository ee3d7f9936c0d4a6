/* SPDX-License-Identifier: BSD-2-Clause */

/* pinUvAuthParam and options: see authorize.h. */

#include "ctap/authorize.h"
#include "ctap/built-in-uv.h"
#include "ctap/confirm.h"
#include "ctap/persistent-token.h"
#include "ctap/pin.h"

static const struct cbor_field option_fields[] = {
        { "rk", 0, CBOR_KIND_BOOL, false, offsetof(struct ctap_authorization, rk) },
        { "up", 0, CBOR_KIND_BOOL, false, offsetof(struct ctap_authorization, up) },
        { "uv", 0, CBOR_KIND_BOOL, false, offsetof(struct ctap_authorization, uv) },
};

enum ctap_status ctap_read_options(const struct cbor_value *options,
                                   struct ctap_authorization *ret) {
        if (options->kind == CBOR_KIND_ABSENT)
                return CTAP_OK;
        return cbor_read_map(options, option_fields, ELEMENTSOF(option_fields), ret);
}

/* It may belong to another key that is plugged in beside this one, hence passive. */
static enum ctap_status legacy_selection(struct ctap *c, struct bytes rp_id) {
        const struct ctap_prompt prompt = {
                .ask = CTAP_ASK_SELECT,
                .passive = true,
                .rp_id = rp_id,
        };
        enum ctap_status s;
        bool is_set;

        s = ctap_confirm(c, &prompt, NULL, NULL, CTAP2_ERR_OPERATION_DENIED);
        if (s == CTAP_OK)
                s = ctap_pin_is_set(c, &is_set);
        if (s != CTAP_OK)
                return s;
        return is_set ? CTAP2_ERR_PIN_INVALID : CTAP2_ERR_PIN_NOT_SET;
}

enum ctap_status ctap_authorize(struct ctap *c, const struct ctap_authorization *a,
                                struct bytes rp_id) {
        if (a->param.kind == CBOR_KIND_ABSENT)
                return CTAP_OK;

        /* Before anything else: hosts send any protocol, or none, with it (MC1). */
        if (a->param.string.len == 0)
                return legacy_selection(c, rp_id);

        if (a->protocol.kind == CBOR_KIND_ABSENT)
                return CTAP2_ERR_MISSING_PARAMETER; /* MC2, GA2 */
        return ctap_pin_protocol_exists(a->protocol.integer) ? CTAP_OK
                                                             : CTAP1_ERR_INVALID_PARAMETER;
}

enum ctap_status ctap_authorize_uv(struct ctap *c, struct ctap_authorization *a) {
        if (a->param.kind != CBOR_KIND_ABSENT || !a->uv.boolean)
                return CTAP_OK;
        if (!ctap_uv_is_configured(c))
                return CTAP2_ERR_INVALID_OPTION;
        a->built_in = true;
        return CTAP_OK;
}

enum ctap_status ctap_demand_verification(struct ctap *c, struct ctap_authorization *a,
                                          bool always) {
        enum ctap_status s;
        bool is_set;

        s = ctap_pin_is_set(c, &is_set);
        if (s != CTAP_OK)
                return s;
        if (!is_set)
                return always ? CTAP2_ERR_PUAT_REQUIRED : CTAP_OK;
        if (a->param.kind != CBOR_KIND_ABSENT)
                return CTAP_OK;
        a->built_in = a->built_in || (always && ctap_uv_is_configured(c)); /* MC6 */
        return a->built_in ? CTAP_OK : CTAP2_ERR_PUAT_REQUIRED;
}

static enum ctap_status verify_token(struct ctap *c, const struct ctap_authorization *a,
                                     struct bytes message) {
        struct ctap_token *t = &c->token;

        if (!ctap_token_verify(t, a->protocol.integer, message, a->param.string, ctap_now_ms(c)))
                return CTAP2_ERR_PIN_AUTH_INVALID;
        /* Also where no key will ask for the ticket: what a restart ended is ended everywhere. */
        return ctap_status_from_keys(c, ctap_ticket_check(c, &t->ticket));
}

static void verified_by(const struct ctap_token *t, struct ctap_verification *ret) {
        ret->verified = true;
        ret->ticket = t->ticket;
        ret->ends_ms = t->issued_ms + UINT64_C(1000) * CTAP_TOKEN_SECONDS;
}

enum ctap_status ctap_verify(struct ctap *c, const struct ctap_authorization *a,
                             struct bytes client_data_hash, enum ctap_permission permission,
                             const struct sha256 *rp_id_hash, struct ctap_verification *ret) {
        bool is_set = false;
        enum ctap_status s = CTAP_OK;

        if (a->param.kind != CBOR_KIND_ABSENT)
                s = ctap_pin_is_set(c, &is_set);
        if (s == CTAP_OK && is_set)
                s = verify_token(c, a, client_data_hash);
        if (s != CTAP_OK)
                return s;
        if (is_set && !ctap_token_permits(&c->token, permission, rp_id_hash))
                return CTAP2_ERR_PIN_AUTH_INVALID;

        *ret = (struct ctap_verification){ .due = a->built_in };
        if (is_set) { /* MC11c */
                verified_by(&c->token, ret);
                ret->present = ctap_token_shows_presence(&c->token, ctap_now_ms(c));
        }
        return CTAP_OK;
}

void ctap_verification_wipe(struct ctap_verification *v) {
        OPENSSL_cleanse(v, sizeof(*v));
}

/* ---- commands that manage: credentials, settings, large blobs ---- */

void ctap_grant_wipe(struct ctap_grant *g) {
        OPENSSL_cleanse(g, sizeof(*g));
}

static enum ctap_status is_demanded(struct ctap *c, enum ctap_demand demand, bool *ret) {
        enum ctap_status s = CTAP_OK;
        bool is_set = true;

        if (demand != CTAP_DEMAND_ALWAYS) /* a doubt, which may cost a try, is not asked about */
                s = ctap_pin_is_set(c, &is_set);
        if (s != CTAP_OK)
                return s;
        *ret = is_set || (demand == CTAP_DEMAND_UNLESS_OPEN && ctap_always_uv(c));
        return CTAP_OK;
}

static enum ctap_status open_by_token(struct ctap *c, const struct ctap_authorization *a,
                                      enum ctap_permission permission, struct bytes message,
                                      struct ctap_grant *ret) {
        const struct ctap_token *t = &c->token;
        enum ctap_status s;

        s = verify_token(c, a, message);
        if (s != CTAP_OK)
                return s;
        if (!ctap_token_has(t, permission))
                return CTAP2_ERR_PIN_AUTH_INVALID;

        *ret = (struct ctap_grant){ .has_rp = t->has_rp, .rp_id_hash = t->rp_id_hash };
        verified_by(t, &ret->verification);
        return CTAP_OK;
}

/* CM3: the persistent token first. It has neither ticket nor end. */
static enum ctap_status open_by_any_token(struct ctap *c, const struct ctap_authorization *a,
                                          const struct ctap_management *m, struct ctap_grant *ret) {
        uint8_t storage[64 + CTAP_REPLY_MAX]; /* nor is a request longer */
        struct buf message = BUF_ON(storage);
        int r;

        for (size_t i = 0; i < ELEMENTSOF(m->message); i++)
                buf_put(&message, m->message[i]);
        r = buf_error(&message);
        if (r < 0)
                return ctap_status_from_errno(r);

        if (m->persistent && ctap_persistent_token_verify(c, a->protocol.integer,
                                                          buf_bytes(&message), a->param.string)) {
                *ret = (struct ctap_grant){
                        .verification = { .verified = true, .ends_ms = UINT64_MAX },
                };
                return CTAP_OK;
        }
        return open_by_token(c, a, m->permission, buf_bytes(&message), ret);
}

enum ctap_status ctap_authorize_management(struct ctap *c, const struct ctap_authorization *a,
                                           const struct ctap_management *m,
                                           struct ctap_grant *ret) {
        enum ctap_status s;
        bool demanded;

        s = is_demanded(c, m->demand, &demanded);
        if (s != CTAP_OK)
                return s;
        if (!demanded) {
                *ret = (struct ctap_grant){ 0 };
                return m->parameters;
        }

        if (a->param.kind == CBOR_KIND_ABSENT)
                return CTAP2_ERR_PUAT_REQUIRED;
        if (m->parameters != CTAP_OK)
                return m->parameters;
        if (a->protocol.kind == CBOR_KIND_ABSENT)
                return CTAP2_ERR_MISSING_PARAMETER;
        if (!ctap_pin_protocol_exists(a->protocol.integer))
                return CTAP1_ERR_INVALID_PARAMETER;
        return open_by_any_token(c, a, m, ret);
}
