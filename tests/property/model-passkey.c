/* SPDX-License-Identifier: BSD-2-Clause */

/* makeCredential, getAssertion and getNextAssertion of the model (C.1 to C.3, D): see model.h. */

#include <string.h>

#include "tests/property/model.h"

static bool is_dummy(unsigned site) {
        return strcmp(model_sites[site], ".dummy") == 0;
}

/* ---- authorization ---- */

/* Whether a person was verified, or will be when they are asked. */
struct verification {
        bool uv;
        bool due;      /* by typing the PIN here, or by a finger */
        bool finger;   /* it was one */
        bool pin_only; /* which is not enough */
        bool present;  /* they were there a moment ago and are not asked again */
        uint64_t ends_ms;
};

/* MC5a */
static uint8_t read_uv(const struct model *m, const struct model_proof *p, enum maybe uv,
                       struct verification *v) {
        if (uv != TRUE || p->kind != PROOF_NONE)
                return CTAP_OK;
        v->due = model_uv_is_configured(m);
        return v->due ? CTAP_OK : CTAP2_ERR_INVALID_OPTION;
}

/* MC6, MC7, GA4; `always`: under alwaysUv, which takes built-in verification unasked. */
static uint8_t demand(const struct model *m, const struct model_proof *p, bool always,
                      struct verification *v) {
        if (!m->pin.text)
                return always ? CTAP2_ERR_PUAT_REQUIRED : CTAP_OK;
        if (p->kind != PROOF_NONE)
                return CTAP_OK;
        v->due = v->due || (always && model_uv_is_configured(m));
        return v->due ? CTAP_OK : CTAP2_ERR_PUAT_REQUIRED;
}

/* MC11, GA5; without a PIN a proof is ignored (MC11c). */
static uint8_t verify(struct model *m, const struct model_proof *p, unsigned permission,
                      unsigned site, struct verification *v) {
        uint8_t status;

        if (p->kind == PROOF_NONE || !m->pin.text)
                return CTAP_OK;
        status = model_prove(m, p);
        if (status == CTAP_OK)
                status = model_permit(m, permission, site);
        v->uv = true;
        v->finger = m->token.by_finger;
        v->present = m->token.present && m->now_ms - m->token.issued_ms < 30000; /* CP32 */
        v->ends_ms = model_token_ends_ms(m);
        return status;
}

static bool gave_pin(const struct verification *v) {
        return v->uv && !v->finger;
}

/* The key device wants the PIN for what is to be done; a finger is none. */
static void take_pin(struct verification *v) {
        v->pin_only = true;
        v->due = v->due || (v->uv && v->finger);
}

/* MC11b, MC14, GA10 */
static uint8_t consent(struct model *m, struct verification *v, enum ctap_ask ask, bool passive,
                       int site, const char *account, unsigned n_accounts) {
        uint8_t status;

        if (!v->due && v->present)
                return CTAP_OK;
        if (!v->due)
                return model_status(model_ask(m, ask, passive, site, account, n_accounts),
                                    CTAP2_ERR_OPERATION_DENIED);
        if (!model_uv_is_configured(m))
                return CTAP2_ERR_PUAT_REQUIRED;
        status = model_verify_person(m, ask, v->pin_only, site, account, n_accounts, &v->finger);
        if (status == CTAP2_ERR_UV_BLOCKED)
                return CTAP2_ERR_PUAT_REQUIRED;
        v->uv = status == CTAP_OK;
        v->ends_ms = m->now_ms + 600000;
        return status;
}

/*
 * A key behind the PIN signs for as long as the token stands that it was proven with. Who thinks beyond
 * that is told that it has run out, when the count has risen already.
 */
static uint8_t sign(struct model *m, struct passkey *p, const struct verification *v) {
        if (!p->behind_pin || !gave_pin(v) || !m->same_clock || m->now_ms < v->ends_ms)
                return CTAP_OK;
        p->may_have_risen = true;
        model_end_token(m);
        return CTAP2_ERR_PIN_AUTH_INVALID;
}

static void consume_token(struct model *m) {
        m->token.permissions &= PERMISSION_LBW; /* MC14, GA10, LB11 */
        m->token.present = false;
}

/* D3 */
static uint8_t check_salts(const struct model *m, const struct model_salts *s) {
        if (!s->there)
                return CTAP_OK;
        if (s->bad_mac || m->agreements[s->by.protocol] != s->by.serial)
                return CTAP2_ERR_PIN_AUTH_INVALID;
        return s->bad_length ? CTAP1_ERR_INVALID_PARAMETER : CTAP_OK;
}

/*
 * The first passkey of the list that is the site's and shows itself (MC12, GA7); `open`: one whose key is
 * not behind the PIN goes before the others.
 */
static struct passkey *find_listed(struct model *m, const struct model_list *list, unsigned site,
                                   bool uv, bool open) {
        struct passkey *found = NULL;

        for (unsigned i = 0; i < list->n; i++) {
                struct passkey *p = model_find(m, &list->ids[i]);

                if (!p || list->other_type[i] || p->site != site || (!uv && p->protect == 3))
                        continue;
                if (!open || !p->behind_pin)
                        return p;
                found = found ? found : p;
        }
        return found;
}

/* ---- makeCredential ---- */

static bool is_offered(const struct model *m, int alg) {
        switch (alg) {
        case -7:
        case -9:
                return m->algorithms & 1u << CTAP_KEY_P256;
        case -35:
        case -51:
                return m->algorithms & 1u << CTAP_KEY_P384;
        default:
                return alg == -257 && (m->algorithms & 1u << CTAP_KEY_RSA2048);
        }
}

/* MC3: the first, but RSA only if there is no other. 0 if there is none. */
static int choose_alg(const struct model *m, const struct model_creation *rq) {
        int chosen = 0;

        for (unsigned i = 0; i < rq->n_algs; i++)
                if (is_offered(m, rq->algs[i]) &&
                    (chosen == 0 || (chosen == -257 && rq->algs[i] != -257)))
                        chosen = rq->algs[i];
        return chosen;
}

/* D6 to D10; outputs and what the new passkey is like. */
static void foretell_outputs(const struct model *m, const struct model_creation *rq,
                             struct model_created *ret) {
        const bool told = m->least_pin_sites & 1u << rq->site;
        struct passkey *p = &ret->passkey;

        ret->protect = rq->protect;
        ret->hmac_secret = rq->hmac_secret == TRUE;
        ret->salts = rq->salts;
        if (rq->blob_len >= 0)
                ret->keeps_blob = rq->rk == TRUE && rq->blob_len <= 32 ? TRUE : FALSE;
        if (ret->keeps_blob == TRUE)
                p->blob_len = (size_t)rq->blob_len;
        memset(p->blob, 'b', p->blob_len);
        ret->large_blob_key = p->has_large_blob_key = rq->large_blob_key == TRUE;
        p->payment = rq->payment == TRUE;
        if (told && rq->least_pin == TRUE)
                ret->least_pin = m->least_pin;
        if (told && rq->complexity == TRUE)
                ret->complexity = m->complexity ? TRUE : FALSE;
}

/* In the canonical order of their names. */
static uint8_t read_extensions(const struct model *m, const struct model_creation *rq) {
        if (rq->protect == 0 || rq->protect > 3)
                return CTAP1_ERR_INVALID_PARAMETER; /* D1 */
        if (rq->large_blob_key == FALSE || (rq->large_blob_key == TRUE && rq->rk != TRUE))
                return CTAP2_ERR_INVALID_OPTION; /* D7 */
        if (rq->salts.there && rq->hmac_secret != TRUE)
                return CTAP2_ERR_MISSING_PARAMETER; /* D5 */
        return check_salts(m, &rq->salts);
}

/* MC9: the organisation's key attests for the first site whenever that asks, for others if the platform does. */
static uint8_t read_enterprise(const struct model *m, const struct model_creation *rq,
                               struct model_created *ret) {
        if (rq->enterprise == 0)
                return CTAP_OK;
        if (!m->enterprise)
                return CTAP1_ERR_INVALID_PARAMETER;
        if (rq->enterprise > 2)
                return CTAP2_ERR_INVALID_OPTION;
        ret->enterprise = rq->format != FORMAT_NONE && !is_dummy(rq->site) &&
                          (rq->enterprise == 2 || rq->site == 0);
        return CTAP_OK;
}

/* Steps 1 to 11, in their order. */
static uint8_t authorize_creation(struct model *m, const struct model_creation *rq,
                                  struct model_created *ret, struct verification *v) {
        const int shown = is_dummy(rq->site) ? MODEL_NO_SITE : (int)rq->site;
        uint8_t status = model_proof_shape(m, &rq->proof, shown);

        if (status != CTAP_OK)
                return status;
        ret->alg = choose_alg(m, rq);
        if (ret->alg == 0)
                return CTAP2_ERR_UNSUPPORTED_ALGORITHM;
        status = read_uv(m, &rq->proof, rq->uv, v);
        if (status != CTAP_OK)
                return status;
        if (rq->up == FALSE)
                return CTAP2_ERR_INVALID_OPTION; /* MC5c */
        if (model_always_uv(m) || rq->rk == TRUE)
                status = demand(m, &rq->proof, model_always_uv(m), v);
        if (status != CTAP_OK)
                return status;
        status = read_enterprise(m, rq, ret);
        if (status != CTAP_OK)
                return status;
        status = verify(m, &rq->proof, PERMISSION_MC, rq->site, v);
        if (status == CTAP_OK)
                status = read_extensions(m, rq);
        /* A key behind the PIN cannot attest to itself without it. */
        if (status == CTAP_OK && rq->protect == 3)
                status = demand(m, &rq->proof, false, v);
        return status;
}

/* MC12: the person is asked, and what they say to that makes no difference, unless it verifies. */
static uint8_t report_excluded(struct model *m, struct verification *v, enum ctap_ask ask,
                               bool passive, int site, const char *account, unsigned n_accounts) {
        const bool counts = v->due || v->present;
        const uint8_t status = consent(m, v, ask, passive, site, account, n_accounts);

        if (counts ? status != CTAP_OK : status == CTAP2_ERR_KEEPALIVE_CANCEL)
                return status;
        return CTAP2_ERR_CREDENTIAL_EXCLUDED;
}

/* MC16: room is for all passkeys, and the one that is replaced makes some. */
static bool has_room(struct model *m, const struct passkey *p) {
        for (unsigned i = 0; p->discoverable && i < m->n_passkeys; i++)
                if (m->passkeys[i].discoverable && m->passkeys[i].site == p->site &&
                    m->passkeys[i].account == p->account) {
                        model_delete(m, &m->passkeys[i]);
                        return true;
                }
        return m->n_passkeys < MODEL_PASSKEYS;
}

static uint8_t confirm_creation(struct model *m, const struct model_creation *rq,
                                const struct model_created *made, struct verification *v) {
        const struct passkey *p = &made->passkey;
        const bool attests = rq->format != FORMAT_NONE && !made->enterprise;
        const bool dummy = is_dummy(rq->site);
        const enum ctap_ask ask = dummy ? CTAP_ASK_SELECT : CTAP_ASK_CREATE;
        const int site = dummy ? MODEL_NO_SITE : (int)rq->site;
        const char *account = dummy ? NULL : model_account_shown(p);
        uint8_t status;

        if (find_listed(m, &rq->exclude, rq->site, v->uv || v->due, false))
                return report_excluded(m, v, ask, dummy, site, account, !dummy);
        if (rq->salts.there || (p->behind_pin && attests))
                take_pin(v);
        status = consent(m, v, ask, dummy, site, account, !dummy);
        if (status == CTAP_OK)
                consume_token(m);
        return status;
}

uint8_t model_make_credential(struct model *m, const struct model_creation *rq,
                              struct model_created *ret) {
        struct verification v = { 0 };
        uint8_t status;

        *ret = (struct model_created){ .protect = -1 };
        m->walk.kind = WALK_NONE;
        status = authorize_creation(m, rq, ret, &v);
        if (status != CTAP_OK)
                return status;

        ret->passkey = (struct passkey){
                .site = rq->site,
                .account = rq->account,
                .discoverable = rq->rk == TRUE,
                .behind_pin = model_always_uv(m) || rq->protect == 3,
                .protect = rq->protect > 0 ? (uint8_t)rq->protect : 1,
                .alg = ret->alg,
        };
        model_set_names(&ret->passkey, model_accounts[rq->account].name,
                        model_accounts[rq->account].display_name);
        foretell_outputs(m, rq, ret);
        status = confirm_creation(m, rq, ret, &v);
        if (status != CTAP_OK)
                return status;

        ret->uv = v.uv;
        ret->packed =
                rq->format != FORMAT_NONE && (!ret->passkey.behind_pin || v.uv || ret->enterprise);
        ret->kept = !is_dummy(rq->site);
        if (ret->packed && !ret->enterprise)
                status = sign(m, &ret->passkey, &v);
        if (status != CTAP_OK)
                return status;
        return !ret->kept || has_room(m, &ret->passkey) ? CTAP_OK : CTAP2_ERR_KEY_STORE_FULL;
}

void model_keep(struct model *m, const struct passkey *p) {
        m->n_changes += p->discoverable;
        m->passkeys[m->n_passkeys] = *p;
        m->passkeys[m->n_passkeys++].number = ++m->n_made;
}

/* ---- assertions ---- */

bool model_is_open(const struct passkey *p, bool pin) {
        return pin || !p->behind_pin;
}

static uint8_t authorize_use(struct model *m, const struct model_use *rq, bool up,
                             struct verification *v) {
        uint8_t status = model_proof_shape(m, &rq->proof, (int)rq->site);

        if (status == CTAP_OK)
                status = read_uv(m, &rq->proof, rq->uv, v);
        if (status != CTAP_OK)
                return status;
        if (rq->rk != LEFT_OUT || (rq->wants.salts.there && !up))
                return CTAP2_ERR_UNSUPPORTED_OPTION; /* GA3, GA6 */
        if (model_always_uv(m) && up)
                status = demand(m, &rq->proof, true, v);
        if (status == CTAP_OK)
                status = verify(m, &rq->proof, PERMISSION_GA, rq->site, v);
        if (status == CTAP_OK)
                status = check_salts(m, &rq->wants.salts);
        if (status == CTAP_OK && rq->wants.large_blob_key == FALSE)
                status = CTAP2_ERR_INVALID_OPTION; /* D7 */
        return status;
}

/* GA5, GA9: only who wants neither presence nor verification, or gave it before, is told at once. */
static uint8_t nothing_matches(struct model *m, const struct model_use *rq, bool up,
                               struct verification *v) {
        uint8_t status;

        if (v->due) {
                status = consent(m, v, CTAP_ASK_USE, false, (int)rq->site, NULL, 0);
                return status == CTAP_OK ? CTAP2_ERR_NO_CREDENTIALS : status;
        }
        if (!up || v->present)
                return CTAP2_ERR_NO_CREDENTIALS;
        status = model_status(model_ask(m, CTAP_ASK_SELECT, true, (int)rq->site, NULL, 0),
                              CTAP2_ERR_NO_CREDENTIALS);
        return status == CTAP_OK ? CTAP2_ERR_NO_CREDENTIALS : status;
}

/* What any of the walk takes is asked for at its beginning. */
static bool takes_pin(struct model *m, const struct model_use *rq, const struct passkey *p,
                      unsigned n) {
        bool takes = rq->wants.salts.there;

        for (; p && n > 0; n--) {
                takes = takes || p->behind_pin;
                p = model_newest(m, rq->site, 3, p->number);
        }
        return takes;
}

static uint8_t confirm_use(struct model *m, const struct model_use *rq, const struct passkey *p,
                           bool up, unsigned n, struct verification *v) {
        uint8_t status;

        if ((v->due || (up && v->uv)) && takes_pin(m, rq, p, n)) /* GA10 */
                take_pin(v);
        if (!up && !v->due)
                return CTAP_OK;
        if (p->behind_pin && !v->uv && !v->due)
                return CTAP2_ERR_PUAT_REQUIRED;
        status = consent(m, v, CTAP_ASK_USE, false, (int)rq->site, model_account_shown(p), n);
        if (status == CTAP_OK && up)
                consume_token(m);
        return status;
}

static void begin_walk(struct model *m, const struct model_use *rq, const struct model_used *used,
                       const struct verification *v) {
        model_begin_walk(m, WALK_ASSERTIONS, rq->channel, gave_pin(v),
                         v->uv ? v->ends_ms : UINT64_MAX);
        m->walk.site = rq->site;
        m->walk.remaining = used->n - 1;
        m->walk.below = used->passkey->number;
        m->walk.up = used->up;
        m->walk.uv = used->uv;
        m->walk.wants = rq->wants;
}

uint8_t model_get_assertion(struct model *m, const struct model_use *rq, struct model_used *ret) {
        const bool named = rq->allow.n > 0, up = rq->up != FALSE;
        struct verification v = { 0 };
        unsigned protect, n = 1;
        uint8_t status;

        *ret = (struct model_used){ .up = up, .wants = rq->wants };
        m->walk.kind = WALK_NONE;
        status = authorize_use(m, rq, up, &v);
        if (status != CTAP_OK)
                return status;

        protect = v.uv || v.due ? 3 : 1; /* GA8 */
        if (named)
                ret->passkey = find_listed(m, &rq->allow, rq->site, v.uv || v.due,
                                           !v.due && !gave_pin(&v));
        else
                ret->passkey = model_newest(m, rq->site, protect, UINT64_MAX);
        if (!ret->passkey)
                return nothing_matches(m, rq, up, &v);
        if (!named)
                n = model_count(m, rq->site, protect);
        status = confirm_use(m, rq, ret->passkey, up, n, &v);
        ret->uv = v.uv;
        ret->pin = gave_pin(&v);
        if (status == CTAP_OK)
                status = sign(m, ret->passkey, &v);
        if (status != CTAP_OK || n == 1)
                return status;

        ret->n = n;
        ret->names = ret->uv; /* GA12 */
        begin_walk(m, rq, ret, &v);
        return CTAP_OK;
}

uint8_t model_get_next_assertion(struct model *m, unsigned channel, struct model_used *ret) {
        struct model_walk *w = &m->walk;
        struct passkey *p;

        if (!model_walk_goes_on(m, WALK_ASSERTIONS, channel))
                return CTAP2_ERR_NOT_ALLOWED;
        if (w->remaining == 0) {
                w->kind = WALK_NONE; /* GN3 */
                return CTAP2_ERR_NOT_ALLOWED;
        }
        if (w->by_token && w->restarts != m->restarts) {
                model_end_token(m);
                return CTAP2_ERR_PIN_AUTH_INVALID;
        }
        p = model_newest(m, w->site, w->uv ? 3 : 1, w->below);
        if (!p || (w->up && !model_is_open(p, w->by_token))) {
                w->kind = WALK_NONE;
                return p ? CTAP2_ERR_PUAT_REQUIRED : CTAP2_ERR_NOT_ALLOWED;
        }
        *ret = (struct model_used){
                .passkey = p,
                .up = w->up,
                .uv = w->uv,
                .pin = w->by_token,
                .names = w->uv,
                .wants = w->wants,
        };
        w->below = p->number;
        w->remaining--;
        model_walk_stepped(m);
        return CTAP_OK;
}
