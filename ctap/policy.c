/* SPDX-License-Identifier: BSD-2-Clause */

/* The administrator's part and the clients' part of the settings as one: see policy.h. */

#include "ctap/policy.h"
#include "ctap/confirm.h"
#include "ctap/persistent-token.h"

static const struct ctap_settings *settings(const struct ctap *c) {
        return c->env.store->ops->settings(c->env.store);
}

uint8_t ctap_min_pin_length(const struct ctap *c) {
        const uint8_t set = settings(c)->min_pin_length;

        return set > c->options.min_pin_length ? set : c->options.min_pin_length;
}

bool ctap_pin_complexity(const struct ctap *c) {
        return c->options.pin_complexity || settings(c)->pin_complexity;
}

/* What clients demand was looked at when they did. */
static bool breaks_policy(const struct ctap_options *o, const struct ctap_settings *s) {
        return s->pin_length > 0 &&
               (s->pin_length < o->min_pin_length || (o->pin_complexity && !s->pin_is_complex));
}

int ctap_policy_look_at_pin(struct ctap *c) {
        struct ctap_settings s = *settings(c);

        if (s.force_pin_change || !breaks_policy(&c->options, &s))
                return 0;
        s.force_pin_change = true;
        ctap_persistent_token_end(&s); /* AC5e */
        return c->env.store->ops->set_settings(c->env.store, &s);
}

bool ctap_has_enterprise(const struct ctap *c) {
        return c->env.attester && c->options.enterprise != CTAP_ENTERPRISE_OFF;
}

bool ctap_enterprise_is_on(const struct ctap *c) {
        switch (c->options.enterprise) {
        case CTAP_ENTERPRISE_CLIENT:
                return settings(c)->enterprise_attestation;
        case CTAP_ENTERPRISE_LISTED:
        case CTAP_ENTERPRISE_ON:
                return true;
        case CTAP_ENTERPRISE_OFF:
        case _CTAP_ENTERPRISES:
                break;
        }
        return false;
}

bool ctap_enterprise_is_for(const struct ctap *c, struct bytes rp_id) {
        struct ctap_attester *a = c->env.attester;

        return c->options.enterprise != CTAP_ENTERPRISE_LISTED || a->ops->serves(a, rp_id);
}

bool ctap_rp_is_allowed(const struct ctap *c, struct bytes rp_id) {
        return ctap_rp_rules_allow(&c->options.rp_rules, rp_id);
}

void ctap_note_policy(const struct ctap_env *env, uint64_t *told_until_ms,
                      const struct ctap_notice *refused) {
        const uint64_t now = env->clock->ops->now_ms(env->clock);
        struct ctap_notice notice = *refused;

        if (now < *told_until_ms)
                return;
        *told_until_ms = now + CTAP_POLICY_PAUSE_MS;
        notice.what = CTAP_NOTED_POLICY;
        ctap_note(env, &notice);
}

enum ctap_status ctap_refuse_rp(struct ctap *c, uint8_t command, struct bytes rp_id) {
        const struct ctap_prompt prompt = {
                .ask = CTAP_ASK_FORBIDDEN,
                .passive = true,
                .rp_id = rp_id,
        };
        enum ctap_status s = ctap_confirm(c, &prompt, NULL, NULL, CTAP2_ERR_OPERATION_DENIED);

        if (s == CTAP_OK)
                s = CTAP2_ERR_OPERATION_DENIED;
        ctap_note_policy(&c->env, &c->policy_told_until_ms[command],
                         &(struct ctap_notice){ .rp_id = rp_id, .command = command, .status = s });
        return s;
}
