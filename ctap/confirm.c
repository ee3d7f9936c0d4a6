/* SPDX-License-Identifier: BSD-2-Clause */

/* Begin, prepare, wait: see confirm.h. No other file of the CTAP2 commands asks a person. */

#include "ctap/confirm.h"
#include "ctap/built-in-uv.h"

/* ret_pin: NULL if none is asked for. */
static int prepare_and_wait(struct ctap_presence *p, ctap_prepare_fn *prepare, void *userdata,
                            enum ctap_answer *ret, struct ctap_typed_pin *ret_pin) {
        int r;

        if (prepare) {
                r = prepare(userdata);
                if (r < 0)
                        return r;
        }
        return ret_pin ? p->ops->wait_verified(p, ret, ret_pin) : p->ops->wait(p, ret);
}

int ctap_ask_for_pin(struct ctap *c, const struct ctap_prompt *prompt, ctap_prepare_fn *prepare,
                     void *userdata, enum ctap_answer *ret, struct ctap_typed_pin *ret_pin) {
        struct ctap_presence *p = c->env.presence;
        int r;

        /*
         * There is one person and one question at a time. Commands that ask nothing leave a question
         * of U2F alone: whoever looks at what keys there are would make it flicker.
         */
        u2f_withdraw(&c->u2f, &c->env);
        r = p->ops->begin(p, prompt);
        if (r < 0)
                return r;

        r = prepare_and_wait(p, prepare, userdata, ret, ret_pin);
        p->ops->end(p);
        return r;
}

int ctap_ask(struct ctap *c, const struct ctap_prompt *prompt, ctap_prepare_fn *prepare,
             void *userdata, enum ctap_answer *ret) {
        return ctap_ask_for_pin(c, prompt, prepare, userdata, ret, NULL);
}

enum ctap_status ctap_status_from_answer(enum ctap_answer answer, enum ctap_status on_timeout) {
        switch (answer) {
        case CTAP_ANSWER_YES:
                return CTAP_OK;
        case CTAP_ANSWER_NO:
                return CTAP2_ERR_OPERATION_DENIED;
        case CTAP_ANSWER_TIMEOUT:
                return on_timeout;
        case CTAP_ANSWER_CANCELLED:
                return CTAP2_ERR_KEEPALIVE_CANCEL;
        case CTAP_ANSWER_PENDING:
        case CTAP_ANSWER_FINGER:
                break;
        }
        return CTAP1_ERR_OTHER;
}

enum ctap_status ctap_confirm(struct ctap *c, const struct ctap_prompt *prompt,
                              ctap_prepare_fn *prepare, void *userdata,
                              enum ctap_status on_timeout) {
        enum ctap_answer answer;
        int r;

        r = ctap_ask(c, prompt, prepare, userdata, &answer);
        if (r < 0)
                return ctap_status_from_keys(c, r);
        return ctap_status_from_answer(answer, on_timeout);
}

/* Where the question is of no use, or none any more, clients can ask for the PIN themselves. */
static enum ctap_status ask_who_it_is(struct ctap *c, const struct ctap_prompt *prompt,
                                      ctap_prepare_fn *prepare, void *userdata,
                                      struct ctap_ticket *ret) {
        enum ctap_status s;

        if (!ctap_uv_is_configured(c))
                return CTAP2_ERR_PUAT_REQUIRED;
        s = ctap_verify_person(c, prompt, prepare, userdata, ret);
        return s == CTAP2_ERR_UV_BLOCKED ? CTAP2_ERR_PUAT_REQUIRED : s;
}

/* MC11b */
static enum ctap_status verify(struct ctap *c, const struct ctap_prompt *prompt,
                               ctap_prepare_fn *prepare, void *userdata,
                               struct ctap_verification *v) {
        struct ctap_prompt asked = *prompt;
        enum ctap_status s;

        asked.pin_only = v->pin_only;
        s = ask_who_it_is(c, &asked, prepare, userdata, &v->ticket);
        if (s != CTAP_OK)
                return s;
        v->due = false;
        v->verified = true;
        v->present = true;
        v->ends_ms = ctap_now_ms(c) + UINT64_C(1000) * CTAP_TOKEN_SECONDS;
        return CTAP_OK;
}

/* A touch that PIN or finger vouch for, and no more than a touch. */
static enum ctap_status confirm_verified(struct ctap *c, const struct ctap_prompt *prompt,
                                         ctap_prepare_fn *prepare, void *userdata) {
        _cleanup_(ctap_ticket_wipe) struct ctap_ticket ticket = { 0 };
        enum ctap_status s = ask_who_it_is(c, prompt, prepare, userdata, &ticket);

        return s == CTAP2_ERR_USER_ACTION_TIMEOUT ? CTAP2_ERR_OPERATION_DENIED : s;
}

enum ctap_status ctap_consent(struct ctap *c, const struct ctap_prompt *prompt,
                              ctap_prepare_fn *prepare, void *userdata,
                              struct ctap_verification *v) {
        if (v->due)
                return verify(c, prompt, prepare, userdata, v);
        if (v->present)
                return prepare ? ctap_status_from_keys(c, prepare(userdata)) : CTAP_OK;
        if (c->options.verified_presence && !v->verified && !prompt->passive)
                return confirm_verified(c, prompt, prepare, userdata);
        return ctap_confirm(c, prompt, prepare, userdata, CTAP2_ERR_OPERATION_DENIED);
}
