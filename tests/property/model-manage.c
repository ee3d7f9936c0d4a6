/* SPDX-License-Identifier: BSD-2-Clause */

/* authenticatorCredentialManagement of the model (C.8): see model.h. */

#include <string.h>

#include "tests/property/model.h"

enum {
        SUB_METADATA = 1,
        SUB_SITES = 2,
        SUB_NEXT_SITE = 3,
        SUB_PASSKEYS = 4,
        SUB_NEXT_PASSKEY = 5,
        SUB_DELETE = 6,
        SUB_RENAME = 7,
};

/* What a token lets somebody do here. */
struct grant {
        bool by_token; /* an ordinary one, for the PIN */
        int site;
        uint64_t ends_ms;
};

/* ---- authorization ---- */

/* CP34 */
static bool is_persistent(const struct model *m, const struct model_proof *p) {
        return m->pin.text && m->knows_persistent && !p->spoiled &&
               p->protocol == (int)p->by.protocol &&
               memcmp(p->by.value, m->persistent, sizeof(m->persistent)) == 0;
}

static unsigned needed(unsigned subcommand) {
        switch (subcommand) {
        case SUB_PASSKEYS:
                return HAS_SITE_HASH;
        case SUB_DELETE:
                return HAS_ID;
        case SUB_RENAME:
                return HAS_ID | HAS_USER;
        default:
                return 0;
        }
}

/* CM2, CM3 */
static uint8_t authorize(struct model *m, const struct model_management *rq, struct grant *ret) {
        uint8_t status;

        if (rq->proof.kind == PROOF_NONE)
                return CTAP2_ERR_PUAT_REQUIRED;
        if ((needed(rq->subcommand) & ~rq->params) || rq->proof.protocol == 0)
                return CTAP2_ERR_MISSING_PARAMETER;
        if (rq->proof.protocol > 2)
                return CTAP1_ERR_INVALID_PARAMETER;
        *ret = (struct grant){ .site = MODEL_NO_SITE, .ends_ms = UINT64_MAX };
        if (rq->subcommand <= SUB_NEXT_PASSKEY && is_persistent(m, &rq->proof))
                return CTAP_OK;
        status = model_prove(m, &rq->proof);
        if (status == CTAP_OK && !(m->token.permissions & PERMISSION_CM))
                status = CTAP2_ERR_PIN_AUTH_INVALID;
        if (status != CTAP_OK)
                return status;
        *ret = (struct grant){ !m->token.by_finger, m->token.site, model_token_ends_ms(m) };
        return CTAP_OK;
}

/* ---- lists ---- */

static unsigned sites_with_passkeys(struct model *m) {
        unsigned sites = 0;

        for (unsigned i = 0; i < m->n_passkeys; i++)
                if (m->passkeys[i].discoverable)
                        sites |= 1u << m->passkeys[i].site;
        return sites;
}

static uint8_t list_sites(struct model *m, const struct model_management *rq, const struct grant *g,
                          struct model_managed *ret) {
        ret->sites = sites_with_passkeys(m);
        ret->n = (unsigned)__builtin_popcount(ret->sites);
        if (g->site != MODEL_NO_SITE)
                return CTAP2_ERR_PIN_AUTH_INVALID;
        if (ret->n == 0)
                return CTAP2_ERR_NO_CREDENTIALS;
        model_begin_walk(m, WALK_SITES, rq->channel, g->by_token, g->ends_ms);
        m->walk.remaining = ret->n - 1;
        return CTAP_OK;
}

void model_listed(struct model *m, unsigned site) {
        m->walk.sites |= 1u << site;
}

static uint8_t list_passkeys(struct model *m, const struct model_management *rq,
                             const struct grant *g, struct model_managed *ret) {
        if (g->site != MODEL_NO_SITE && g->site != (int)rq->site)
                return CTAP2_ERR_PIN_AUTH_INVALID;
        ret->n = model_count(m, rq->site, 3);
        if (ret->n == 0)
                return CTAP2_ERR_NO_CREDENTIALS;
        ret->passkey = model_newest(m, rq->site, 3, UINT64_MAX);
        model_begin_walk(m, WALK_PASSKEYS, rq->channel, g->by_token, g->ends_ms);
        m->walk.remaining = ret->n - 1;
        m->walk.site = rq->site;
        m->walk.below = ret->passkey->number;
        return CTAP_OK;
}

/* CM6, CM8, CM12; what was deleted since is not there. */
static uint8_t go_on(struct model *m, const struct model_management *rq,
                     struct model_managed *ret) {
        const int kind = rq->subcommand == SUB_NEXT_SITE ? WALK_SITES : WALK_PASSKEYS;
        struct model_walk *w = &m->walk;

        if (!model_walk_goes_on(m, kind, rq->channel))
                return CTAP2_ERR_NOT_ALLOWED;
        if (w->remaining > 0 && w->by_token && w->restarts != m->restarts) {
                model_end_token(m);
                return CTAP2_ERR_PIN_AUTH_INVALID;
        }
        if (w->remaining > 0 && kind == WALK_SITES)
                ret->sites = sites_with_passkeys(m) & ~w->sites;
        else if (w->remaining > 0)
                ret->passkey = model_newest(m, w->site, 3, w->below);
        if (ret->sites == 0 && !ret->passkey) {
                w->kind = WALK_NONE;
                return CTAP2_ERR_NOT_ALLOWED;
        }
        w->remaining--;
        model_walk_stepped(m);
        if (ret->passkey)
                w->below = ret->passkey->number;
        return CTAP_OK;
}

/* ---- one passkey ---- */

/* CM9, CM10, CP33 */
static uint8_t find(struct model *m, const struct model_management *rq, const struct grant *g,
                    struct passkey **ret) {
        struct passkey *p = model_find(m, &rq->id);

        if (p && !p->discoverable)
                p = NULL;
        if (g->site == MODEL_NO_SITE && !p)
                return CTAP2_ERR_NO_CREDENTIALS;
        if (g->site != MODEL_NO_SITE && (!p || g->site != (int)p->site))
                return CTAP2_ERR_PIN_AUTH_INVALID;
        *ret = p;
        return CTAP_OK;
}

static const char *unless_empty(const char *name) {
        return name && name[0] != '\0' ? name : NULL;
}

static uint8_t change(struct model *m, const struct model_management *rq, const struct grant *g) {
        struct passkey *p;
        const uint8_t status = find(m, rq, g, &p);

        if (status != CTAP_OK)
                return status;
        if (rq->subcommand == SUB_DELETE) {
                model_delete(m, p);
                return CTAP_OK;
        }
        if (rq->account != p->account)
                return CTAP1_ERR_INVALID_PARAMETER;
        m->n_changes++;
        model_set_names(p, unless_empty(rq->name), unless_empty(rq->display_name));
        return CTAP_OK;
}

/* ---- all ---- */

static uint8_t tell(struct model *m, const struct grant *g, struct model_managed *ret) {
        if (g->site != MODEL_NO_SITE)
                return CTAP2_ERR_PIN_AUTH_INVALID;
        for (unsigned i = 0; i < MODEL_SITES; i++)
                ret->n += model_count(m, i, 3);
        ret->remaining = MODEL_PASSKEYS - m->n_passkeys;
        return CTAP_OK;
}

uint8_t model_manage(struct model *m, const struct model_management *rq,
                     struct model_managed *ret) {
        struct grant g;
        uint8_t status;

        if (rq->subcommand == SUB_NEXT_SITE || rq->subcommand == SUB_NEXT_PASSKEY)
                return go_on(m, rq, ret);
        m->walk.kind = WALK_NONE;
        if (rq->subcommand == 0 || rq->subcommand > SUB_RENAME)
                return CTAP2_ERR_INVALID_SUBCOMMAND;
        status = authorize(m, rq, &g);
        if (status != CTAP_OK)
                return status;
        switch (rq->subcommand) {
        case SUB_METADATA:
                return tell(m, &g, ret);
        case SUB_SITES:
                return list_sites(m, rq, &g, ret);
        case SUB_PASSKEYS:
                return list_passkeys(m, rq, &g, ret);
        default:
                return change(m, rq, &g);
        }
}
