/* SPDX-License-Identifier: BSD-2-Clause */

/* pinUvAuthParam and options: see authorize.h. */

#include "ctap/authorize.h"
#include "ctap/confirm.h"
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

enum ctap_status ctap_authorize_uv(const struct ctap_authorization *a) {
        if (a->param.kind != CBOR_KIND_ABSENT)
                return CTAP_OK;
        return a->uv.boolean ? CTAP2_ERR_INVALID_OPTION : CTAP_OK; /* MC5a: no built-in method */
}

enum ctap_status ctap_demand_verification(struct ctap *c, const struct ctap_authorization *a,
                                          bool always) {
        enum ctap_status s;
        bool is_set;

        s = ctap_pin_is_set(c, &is_set);
        if (s != CTAP_OK)
                return s;
        if (is_set)
                return a->param.kind == CBOR_KIND_ABSENT ? CTAP2_ERR_PUAT_REQUIRED : CTAP_OK;
        return always ? CTAP2_ERR_PUAT_REQUIRED : CTAP_OK;
}

static enum ctap_status verify_token(struct ctap *c, const struct ctap_authorization *a,
                                     struct bytes client_data_hash, enum ctap_permission permission,
                                     const struct sha256 *rp_id_hash) {
        struct ctap_token *t = &c->token;
        int r;

        if (!ctap_token_verify(t, a->protocol.integer, client_data_hash, a->param.string,
                               ctap_now_ms(c)))
                return CTAP2_ERR_PIN_AUTH_INVALID;
        /* Also where no key will ask for the ticket: what a restart ended is ended everywhere. */
        r = c->env.keys->ops->ticket_check(c->env.keys, &t->ticket);
        if (r < 0)
                return ctap_status_from_keys(c, r);
        return ctap_token_permits(t, permission, rp_id_hash) ? CTAP_OK : CTAP2_ERR_PIN_AUTH_INVALID;
}

enum ctap_status ctap_verify(struct ctap *c, const struct ctap_authorization *a,
                             struct bytes client_data_hash, enum ctap_permission permission,
                             const struct sha256 *rp_id_hash, struct ctap_verification *ret) {
        const struct ctap_token *t = &c->token;
        bool is_set = false;
        enum ctap_status s = CTAP_OK;

        if (a->param.kind != CBOR_KIND_ABSENT)
                s = ctap_pin_is_set(c, &is_set);
        if (s == CTAP_OK && is_set)
                s = verify_token(c, a, client_data_hash, permission, rp_id_hash);
        if (s != CTAP_OK)
                return s;

        *ret = (struct ctap_verification){ .verified = is_set }; /* MC11c */
        if (is_set) {
                ret->ticket = t->ticket;
                ret->ends_ms = t->issued_ms + UINT64_C(1000) * CTAP_TOKEN_SECONDS;
        }
        return CTAP_OK;
}

void ctap_verification_wipe(struct ctap_verification *v) {
        OPENSSL_cleanse(v, sizeof(*v));
}
