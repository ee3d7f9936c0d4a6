/* SPDX-License-Identifier: BSD-2-Clause */

/* What all commands of the model share: the person, the token, the owner, power: see model.h. */

#include <stdio.h>
#include <string.h>

#include "tests/property/model.h"

enum {
        UV_TRIES = 3,
        TOKEN_MS = 600000,          /* CP32 */
        TOKEN_FIRST_USE_MS = 30000, /* CP32 */
};

const char *const model_sites[MODEL_SITES] = { "a.example", "b.example", "c.example", ".dummy" };

const struct model_account model_accounts[MODEL_ACCOUNTS] = {
        { "1", "ann", "Ann Example" },
        { "2", "ben", NULL },
        { "3", NULL, "Cleo" },
        { "an id of sixty-four bytes, which is the most that there can be..", NULL, NULL },
        { "5", "", "" },
        { "6", "d\xc3\xb6rte", "D\xc3\xb6rte \xf0\x9f\x94\x91" },
};

void model_init(struct model *m, uint64_t now_ms) {
        *m = (struct model){
                .now_ms = now_ms,
                .answer = CTAP_ANSWER_YES,
                .pin = { .tries = 8, .uv_tries = UV_TRIES },
                .least_pin = 4,
        };
        model_empty_blobs(m);
        model_power_up(m);
}

bool model_always_uv(const struct model *m) {
        return m->always_uv;
}

/* ---- the person ---- */

/* An answer that came since U2F was last heard of still counts (U4). */
void model_withdraw(struct model *m) {
        const struct model_mark said = { m->now_ms + 10000, m->u2f.asking.request };

        if (m->u2f.asking.until_ms == 0)
                return;
        if (m->answer == CTAP_ANSWER_YES)
                m->u2f.granted = said;
        if (m->answer == CTAP_ANSWER_NO)
                m->u2f.denied = said;
        m->u2f.asking = (struct model_mark){ 0 };
}

void model_expire(struct model *m) {
        if (m->u2f.asking.until_ms > 0 && m->now_ms >= m->u2f.asking.until_ms)
                model_withdraw(m);
}

void model_note_question(struct model *m, enum ctap_ask ask, bool passive, int site,
                         const char *account, unsigned n_accounts) {
        struct model_question *q = &m->question;

        q->n++;
        q->ask = ask;
        q->passive = passive;
        q->verify = q->again = q->pin_only = false;
        q->tries = 0;
        q->hold_s = 0;
        q->site = site;
        q->n_accounts = n_accounts;
        snprintf(q->account, sizeof(q->account), "%s", account ? account : "");
}

enum ctap_answer model_ask(struct model *m, enum ctap_ask ask, bool passive, int site,
                           const char *account, unsigned n_accounts) {
        model_withdraw(m);
        model_note_question(m, ask, passive, site, account, n_accounts);
        m->now_ms += m->thinking_ms;
        return m->answer;
}

/* ---- built-in verification ---- */

bool model_uv_is_configured(const struct model *m) {
        return m->verifies && m->pin.text && !m->must_change_pin;
}

/* CP26, CP27: the least of the tries that stand before the one PIN. */
unsigned model_uv_tries(const struct model *m) {
        unsigned n = m->pin.wrong >= 3 ? 0 : 3 - m->pin.wrong;

        if (m->pin.tries < n)
                n = m->pin.tries;
        if (m->pin.uv_tries < n)
                n = m->pin.uv_tries;
        return m->must_change_pin ? 0 : n;
}

uint8_t model_verify_person(struct model *m, enum ctap_ask ask, bool pin_only, int site,
                            const char *account, unsigned n_accounts, bool *ret_finger) {
        *ret_finger = false;
        for (bool again = false;; again = true) {
                const unsigned tries = model_uv_tries(m);
                uint8_t status;

                if (tries == 0)
                        return CTAP2_ERR_UV_BLOCKED;
                status = model_status(model_ask(m, ask, false, site, account, n_accounts),
                                      CTAP2_ERR_USER_ACTION_TIMEOUT);
                m->question.verify = true;
                m->question.again = again;
                m->question.tries = tries;
                m->question.pin_only = pin_only;
                if (status != CTAP_OK)
                        return status;
                if (m->n_mistyped == 0 && m->gives_finger && m->fingers && !pin_only) {
                        m->pin.uv_tries = 3;
                        *ret_finger = true;
                        return CTAP_OK;
                }
                m->pin.uv_tries--;
                if (m->n_mistyped > 0) {
                        m->n_mistyped--;
                        status = model_try_pin(m, 0, NULL);
                } else {
                        status = model_try_pin(m, 0, m->typed);
                }
                if (status == CTAP_OK)
                        return CTAP_OK;
                if (status != CTAP2_ERR_PIN_INVALID)
                        return CTAP2_ERR_UV_BLOCKED;
        }
}

uint8_t model_status(enum ctap_answer answer, uint8_t on_timeout) {
        switch (answer) {
        case CTAP_ANSWER_YES:
                return CTAP_OK;
        case CTAP_ANSWER_NO:
                return CTAP2_ERR_OPERATION_DENIED;
        case CTAP_ANSWER_CANCELLED:
                return CTAP2_ERR_KEEPALIVE_CANCEL; /* A35 */
        default:
                return on_timeout;
        }
}

/* ---- power and owner ---- */

void model_end_token(struct model *m) {
        m->token = (struct model_token){ 0 };
        m->walk.kind = WALK_NONE; /* CP35 */
}

void model_end_agreement(struct model *m, unsigned protocol) {
        m->agreements[protocol] = ++m->n_agreements;
}

void model_forget_answers(struct model *m) {
        m->u2f = (struct model_u2f){ 0 };
}

/* CP4, CP9, RS1 */
void model_power_up(struct model *m) {
        model_forget_answers(m);
        model_end_token(m);
        model_end_agreement(m, 1);
        model_end_agreement(m, 2);
        m->pin.wrong = 0;
        m->powered_ms = m->now_ms;
}

void model_start(struct model *m) {
        model_power_up(m);
}

void model_crash(struct model *m) {
        for (unsigned i = 0; i < m->n_passkeys; i++)
                m->passkeys[i].may_have_risen = true;
}

void model_sleep(struct model *m) {
        model_end_token(m);
}

struct passkey *model_find(struct model *m, const struct model_id *id) {
        for (unsigned i = 0; i < m->n_passkeys; i++)
                if (memcmp(&m->passkeys[i].id, id, sizeof(*id)) == 0)
                        return &m->passkeys[i];
        return NULL;
}

void model_delete(struct model *m, const struct passkey *p) {
        unsigned i = (unsigned)(p - m->passkeys);

        m->n_changes += p->discoverable;
        memmove(&m->passkeys[i], &m->passkeys[i + 1], (m->n_passkeys - i - 1) * sizeof(*p));
        m->n_passkeys--;
}

const char *model_account_shown(const struct passkey *p) {
        return p->name[0] != '\0' ? p->name : p->display_name;
}

void model_set_names(struct passkey *p, const char *name, const char *display_name) {
        p->has_name = name;
        p->has_display_name = display_name;
        snprintf(p->name, sizeof(p->name), "%s", name ? name : "");
        snprintf(p->display_name, sizeof(p->display_name), "%s", display_name ? display_name : "");
}

/* ---- the token ---- */

/* CP34 */
void model_end_persistent(struct model *m) {
        m->knows_persistent = false;
}

static bool is_over(const struct model *m) {
        const uint64_t age = m->now_ms - m->token.issued_ms;

        return age >= TOKEN_MS || (!m->token.used && age >= TOKEN_FIRST_USE_MS);
}

uint64_t model_token_ends_ms(const struct model *m) {
        return m->token.issued_ms + TOKEN_MS;
}

void model_token_is(struct model *m, const uint8_t value[32]) {
        memcpy(m->token.value, value, sizeof(m->token.value));
}

/* CP34 */
bool model_persistent_is(struct model *m, const uint8_t value[32]) {
        const bool known = m->knows_persistent;
        const bool same = memcmp(m->persistent, value, sizeof(m->persistent)) == 0;

        m->knows_persistent = true;
        memcpy(m->persistent, value, sizeof(m->persistent));
        return known == same;
}

uint8_t model_proof_shape(struct model *m, const struct model_proof *p, int site) {
        uint8_t status;

        if (p->kind == PROOF_NONE)
                return CTAP_OK;
        if (p->kind == PROOF_EMPTY) {
                status = model_status(model_ask(m, CTAP_ASK_SELECT, true, site, NULL, 0),
                                      CTAP2_ERR_OPERATION_DENIED);
                if (status != CTAP_OK)
                        return status;
                return m->pin.text ? CTAP2_ERR_PIN_INVALID : CTAP2_ERR_PIN_NOT_SET;
        }
        if (p->protocol == 0)
                return CTAP2_ERR_MISSING_PARAMETER;
        return p->protocol <= 2 ? CTAP_OK : CTAP1_ERR_INVALID_PARAMETER;
}

uint8_t model_prove(struct model *m, const struct model_proof *p) {
        struct model_token *t = &m->token;

        if (t->protocol != 0 && is_over(m))
                *t = (struct model_token){ 0 };
        if (t->protocol == 0 || p->protocol != (int)t->protocol || p->by.protocol != t->protocol ||
            memcmp(p->by.value, t->value, sizeof(t->value)) != 0 || p->spoiled)
                return CTAP2_ERR_PIN_AUTH_INVALID;
        t->used = true;
        if (!t->by_finger && t->restarts != m->restarts) {
                model_end_token(m); /* whatever the key device knew of the person is gone */
                return CTAP2_ERR_PIN_AUTH_INVALID;
        }
        return CTAP_OK;
}

uint8_t model_permit(struct model *m, unsigned permission, unsigned site) {
        struct model_token *t = &m->token;

        if (!(t->permissions & permission))
                return CTAP2_ERR_PIN_AUTH_INVALID;
        if (t->site == MODEL_NO_SITE)
                t->site = (int)site;
        return t->site == (int)site ? CTAP_OK : CTAP2_ERR_PIN_AUTH_INVALID;
}

/* ---- walks ---- */

enum { WALK_MS = 30000 /* GN2, CM12 */ };

void model_begin_walk(struct model *m, enum walk_kind kind, unsigned channel, bool by_token,
                      uint64_t token_ends_ms) {
        m->walk = (struct model_walk){
                .kind = kind,
                .channel = channel,
                .ends_ms = m->now_ms + WALK_MS,
                .token_ends_ms = token_ends_ms,
                .by_token = by_token,
                .restarts = m->restarts,
        };
}

bool model_walk_goes_on(struct model *m, int kind, unsigned channel) {
        struct model_walk *w = &m->walk;

        if ((int)w->kind == kind && w->channel != channel)
                return false; /* GN1 */
        if ((int)w->kind == kind && m->now_ms < w->ends_ms && m->now_ms < w->token_ends_ms)
                return true;
        w->kind = WALK_NONE;
        return false;
}

void model_walk_stepped(struct model *m) {
        m->walk.ends_ms = m->now_ms + WALK_MS;
}

struct passkey *model_newest(struct model *m, unsigned site, unsigned protect, uint64_t below) {
        for (unsigned i = m->n_passkeys; i > 0; i--) {
                struct passkey *p = &m->passkeys[i - 1];

                if (p->discoverable && p->site == site && p->protect <= protect &&
                    p->number < below)
                        return p;
        }
        return NULL;
}

unsigned model_count(struct model *m, unsigned site, unsigned protect) {
        const struct passkey *p = NULL;
        unsigned n = 0;

        while ((p = model_newest(m, site, protect, p ? p->number : UINT64_MAX)))
                n++;
        return n;
}

/* ---- commands of a line ---- */

/* C.6; a person who reads the question needs no window. */
uint8_t model_reset(struct model *m) {
        uint8_t status;

        if (!m->display && m->now_ms >= m->powered_ms + 10000)
                return CTAP2_ERR_NOT_ALLOWED;
        if (m->long_touch && !m->holds)
                return CTAP2_ERR_NOT_ALLOWED; /* RS3 */
        status = model_status(model_ask(m, CTAP_ASK_RESET, false, MODEL_NO_SITE, NULL, 0),
                              CTAP2_ERR_USER_ACTION_TIMEOUT);
        m->question.hold_s = m->long_touch ? 5 : 0;
        if (status != CTAP_OK)
                return status;
        model_forget_answers(m);
        model_end_token(m);
        model_end_agreement(m, 1);
        model_end_agreement(m, 2);
        m->n_passkeys = 0;
        m->n_changes++;
        m->n_resets++;
        m->pin = (struct model_pin){ .tries = 8, .uv_tries = UV_TRIES };
        m->least_pin = 4;
        m->must_change_pin = false;
        m->complexity = m->always_uv = m->enterprise = m->long_touch = false;
        m->least_pin_sites = 0;
        model_empty_blobs(m);
        model_end_persistent(m);
        return CTAP_OK;
}

uint8_t model_selection(struct model *m) {
        return model_status(model_ask(m, CTAP_ASK_SELECT, true, MODEL_NO_SITE, NULL, 0),
                            CTAP2_ERR_USER_ACTION_TIMEOUT);
}
