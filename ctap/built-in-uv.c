/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Built-in user verification: see built-in-uv.h.
 *
 * Three counters stand before the one secret. The key device allows eight wrong PINs. The latch allows
 * three in a row until the next power-up, whoever typed them where, for a program could otherwise
 * use this question to try what a client may not (CP4). And uvRetries allows three here until somebody
 * gives the right one. The least of them counts: when the latch closes in the middle of a question,
 * verification is blocked, a client that then falls back to its own dialog is told to have the
 * device plugged in anew (CP4), and after that the right PIN in that dialog opens this way again.
 */

#include "ctap/built-in-uv.h"
#include "ctap/pin.h"

static const struct ctap_settings *settings(const struct ctap *c) {
        return c->env.store->ops->settings(c->env.store);
}

bool ctap_uv_is_supported(const struct ctap *c) {
        return c->env.presence->ops->abilities(c->env.presence) & CTAP_PRESENCE_VERIFY;
}

bool ctap_uv_is_configured(const struct ctap *c) {
        const struct ctap_settings *s = settings(c);

        return ctap_uv_is_supported(c) && s->pin_length > 0 && !s->force_pin_change;
}

static uint8_t least(uint8_t a, uint8_t b) {
        return a < b ? a : b;
}

int ctap_uv_retries(struct ctap *c, uint8_t *ret) {
        uint8_t n;
        int r;

        r = c->env.keys->ops->pin_retries(c->env.keys, &n);
        if (r < 0)
                return r;
        n = least(n, ctap_pin_tries_before_latch(c));
        *ret = settings(c)->force_pin_change ? 0 : least(n, settings(c)->uv_retries);
        return 0;
}

/* As with the PIN's own tries (CP3): it is gone for good before anything is compared. */
static int spend_try(struct ctap *c) {
        struct ctap_settings s = *settings(c);

        s.uv_retries--;
        return c->env.store->ops->set_settings(c->env.store, &s);
}

static int give_try_back(struct ctap *c) {
        struct ctap_settings s = *settings(c);

        s.uv_retries++;
        return c->env.store->ops->set_settings(c->env.store, &s);
}

static enum ctap_status compare(struct ctap *c, struct bytes typed, struct ctap_ticket *ret) {
        _cleanup_(ctap_pin_hash_wipe) struct ctap_pin_hash hash = { 0 };
        enum ctap_status s;
        int r;

        r = ctap_pin_hash(typed, &hash);
        if (r == 0)
                r = spend_try(c);
        if (r < 0)
                return ctap_status_from_errno(r);
        s = ctap_pin_verify(c, 0, &hash, ret);
        if (s != CTAP2_ERR_PIN_AUTH_BLOCKED && s != CTAP2_ERR_PIN_BLOCKED)
                return s;

        /* The key device looks at no PIN for some time, and has not looked at this one. */
        if (s == CTAP2_ERR_PIN_AUTH_BLOCKED && !ctap_pin_is_latched(c)) {
                r = give_try_back(c);
                if (r < 0)
                        return ctap_status_from_errno(r);
        }
        return CTAP2_ERR_UV_BLOCKED;
}

/* It gives back what the PIN would (CP7), but neither the PIN's own tries nor the latch's. */
static enum ctap_status take_finger(struct ctap *c, const struct ctap_prompt *prompt,
                                    struct ctap_ticket *ret) {
        if (prompt->pin_only)
                return CTAP1_ERR_OTHER;
        *ret = (struct ctap_ticket){ 0 };
        return ctap_status_from_errno(ctap_pin_refill_uv_retries(c));
}

/* CTAP2_ERR_PIN_INVALID: ask again. */
static enum ctap_status ask_once(struct ctap *c, const struct ctap_prompt *prompt,
                                 ctap_prepare_fn *prepare, void *userdata,
                                 struct ctap_ticket *ret) {
        _cleanup_(ctap_typed_pin_wipe) struct ctap_typed_pin typed = { 0 };
        enum ctap_answer answer;
        enum ctap_status s;
        int r;

        r = ctap_ask_for_pin(c, prompt, prepare, userdata, &answer, &typed);
        if (r < 0)
                return ctap_status_from_keys(c, r);
        if (answer == CTAP_ANSWER_FINGER)
                return take_finger(c, prompt, ret);
        s = ctap_status_from_answer(answer, CTAP2_ERR_USER_ACTION_TIMEOUT);
        return s == CTAP_OK ? compare(c, BYTES(typed.data, typed.len), ret) : s;
}

enum ctap_status ctap_verify_person(struct ctap *c, const struct ctap_prompt *prompt,
                                    ctap_prepare_fn *prepare, void *userdata,
                                    struct ctap_ticket *ret) {
        struct ctap_prompt asked = *prompt;
        enum ctap_status s;
        int r;

        asked.verify = true;
        asked.passive = false; /* nobody types a PIN in passing */
        do {
                r = ctap_uv_retries(c, &asked.tries);
                if (r < 0)
                        return ctap_status_from_errno(r);
                if (asked.tries == 0)
                        return CTAP2_ERR_UV_BLOCKED;
                s = ask_once(c, &asked, asked.again ? NULL : prepare, userdata, ret);
                asked.again = true;
        } while (s == CTAP2_ERR_PIN_INVALID);
        return s;
}

enum ctap_status ctap_uv_try(struct ctap *c, struct bytes pin) {
        _cleanup_(ctap_ticket_wipe) struct ctap_ticket ticket = { 0 };
        uint8_t tries;
        int r;

        r = ctap_uv_retries(c, &tries);
        if (r < 0)
                return ctap_status_from_errno(r);
        return tries > 0 ? compare(c, pin, &ticket) : CTAP2_ERR_UV_BLOCKED;
}
