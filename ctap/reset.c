/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * authenticatorReset (CTAP 2.3 §6.6): erases every credential for good. The store port erases in
 * the key device first; here is only who may ask for it, and that nothing of the old state stays in
 * use.
 */

#include "ctap/command.h"
#include "ctap/confirm.h"
#include "ctap/policy.h"

#define LONG_TOUCH_SECONDS 5 /* RS3 */

static bool takes_long_touch(const struct ctap *c) {
        return c->env.store->ops->settings(c->env.store)->long_touch_for_reset;
}

/*
 * A person who reads "erase everything?" needs no time window to be protected by (RS1). Where nobody
 * can hold on for long, and that was asked for, no client resets anything; the owner's tool does.
 */
static bool reset_is_allowed(const struct ctap *c) {
        const unsigned abilities = c->env.presence->ops->abilities(c->env.presence);

        if (takes_long_touch(c) && !(abilities & CTAP_PRESENCE_HOLD))
                return false;
        return (abilities & CTAP_PRESENCE_DISPLAY) || ctap_now_ms(c) < c->reset_until_ms;
}

static int erase(struct ctap *c) {
        int r;

        r = c->env.store->ops->reset(c->env.store);
        /* Also if it failed: half way through it may have changed the store key. */
        ctap_forget_credential_keys(c);
        ctap_forget_answers(c);
        ctap_forget_verification(c);
        if (r == 0)
                c->pin_mismatches = 0;
        return r;
}

enum ctap_status ctap_reset(struct ctap *c, const struct ctap_call *call _unused_,
                            struct cbor_writer *out _unused_) {
        const struct ctap_prompt prompt = {
                .ask = CTAP_ASK_RESET,
                .hold_s = takes_long_touch(c) ? LONG_TOUCH_SECONDS : 0,
        };
        enum ctap_status s;

        /* As on a transport that resets nothing (RS3): it is no question of time or of the person. */
        if (c->options.reset_by_administrator) {
                ctap_note_policy(&c->env, &c->policy_told_until_ms[0x07],
                                 &(struct ctap_notice){ .command = 0x07,
                                                        .status = CTAP2_ERR_OPERATION_DENIED });
                return CTAP2_ERR_OPERATION_DENIED;
        }
        if (!reset_is_allowed(c))
                return CTAP2_ERR_NOT_ALLOWED;
        s = ctap_confirm(c, &prompt, NULL, NULL, CTAP2_ERR_USER_ACTION_TIMEOUT);
        if (s != CTAP_OK)
                return s;
        return ctap_status_from_errno(erase(c));
}
