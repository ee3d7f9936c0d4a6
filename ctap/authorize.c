/* SPDX-License-Identifier: BSD-2-Clause */

/* pinUvAuthParam and options: see authorize.h. */

#include "ctap/authorize.h"
#include "ctap/confirm.h"

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

        s = ctap_confirm(c, &prompt, NULL, NULL, CTAP2_ERR_OPERATION_DENIED);
        return s == CTAP_OK ? CTAP2_ERR_PIN_NOT_SET : s;
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
        if (a->protocol.integer != 1 && a->protocol.integer != 2)
                return CTAP1_ERR_INVALID_PARAMETER;
        return CTAP_OK; /* MC11c: nothing is protected, the value does not matter */
}

enum ctap_status ctap_authorize_uv(const struct ctap_authorization *a) {
        if (a->param.kind != CBOR_KIND_ABSENT)
                return CTAP_OK;
        return a->uv.boolean ? CTAP2_ERR_INVALID_OPTION : CTAP_OK; /* MC5a: no built-in method */
}
