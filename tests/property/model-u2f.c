/* SPDX-License-Identifier: BSD-2-Clause */

/* U2F of the model (E): see model.h. */

#include <string.h>

#include "tests/property/model.h"

enum {
        OK = 0x9000,
        NOT_YET = 0x6985,
        WRONG_DATA = 0x6a80,
        WRONG_P1 = 0x6a86,
        UNKNOWN = 0x6d00,
        POLL_MS = 3000,   /* a client that does not come back for so long has gone */
        GRANT_MS = 10000, /* U4 */
};

static uint64_t name_of(const struct model_u2f_request *rq) {
        uint64_t name =
                (uint64_t)rq->ins << 56 | (uint64_t)rq->challenge << 48 | (uint64_t)rq->site << 40;

        if (rq->ins == U2F_AUTHENTICATE)
                for (unsigned i = 0; i < 5; i++)
                        name |= (uint64_t)rq->handle.b[i] << 8 * i;
        return name;
}

static bool holds(const struct model *m, const struct model_mark *mark, uint64_t request) {
        return m->now_ms < mark->until_ms && mark->request == request;
}

static bool take_grant(struct model *m, uint64_t request) {
        if (!holds(m, &m->u2f.granted, request))
                return false;
        m->u2f.granted = (struct model_mark){ 0 };
        return true;
}

/* U4: a question that is up belongs to one request; another client waits, the same one gives it up. */
static bool agreed(struct model *m, const struct model_u2f_request *rq, enum ctap_ask ask,
                   bool passive, int site, const char *account, unsigned n_accounts) {
        const uint64_t request = name_of(rq);
        struct model_u2f *u = &m->u2f;

        model_expire(m);
        if (take_grant(m, request))
                return true;
        if (holds(m, &u->denied, request))
                return false;
        if (u->asking.until_ms > 0 && u->asking.request != request) {
                if (u->channel != rq->channel)
                        return false;
                model_withdraw(m);
        }
        if (u->asking.until_ms == 0)
                model_note_question(m, ask, passive, site, account, n_accounts);
        u->asking = (struct model_mark){ m->now_ms + POLL_MS, request };
        u->channel = rq->channel;
        if (m->answer != CTAP_ANSWER_PENDING)
                model_withdraw(m);
        return take_grant(m, request);
}

static bool is_dummy(unsigned site) {
        return strcmp(model_sites[site], ".dummy") == 0;
}

static uint16_t enroll(struct model *m, const struct model_u2f_request *rq,
                       struct model_u2f_reply *ret) {
        const bool dummy = is_dummy(rq->site);

        if (model_always_uv(m))
                return NOT_YET; /* U11 */
        if (!agreed(m, rq, dummy ? CTAP_ASK_SELECT : CTAP_ASK_CREATE, dummy, MODEL_NO_SITE, NULL,
                    0))
                return NOT_YET;
        if (dummy)
                return OK;
        if (m->n_passkeys == MODEL_PASSKEYS)
                return 0x6f00;
        ret->kept = true;
        return OK;
}

/* U9, U10 */
static struct passkey *resolve(struct model *m, const struct model_u2f_request *rq) {
        struct passkey *p =
                rq->handle_len == sizeof(rq->handle) ? model_find(m, &rq->handle) : NULL;

        if (!p || p->site != rq->site || p->behind_pin || p->protect == 3)
                return NULL;
        return p->alg == -7 || p->alg == -9 ? p : NULL;
}

static uint16_t authenticate(struct model *m, const struct model_u2f_request *rq,
                             struct model_u2f_reply *ret) {
        struct passkey *p = resolve(m, rq);

        if (rq->p1 != 3 && rq->p1 != 7 && rq->p1 != 8)
                return WRONG_P1;
        if (model_always_uv(m))
                return NOT_YET;
        if (!p)
                return WRONG_DATA;
        if (rq->p1 == 7)
                return NOT_YET; /* U6: it is ours */
        if (rq->p1 == 3 && !agreed(m, rq, CTAP_ASK_USE, false,
                                   p->account == MODEL_NOBODY ? MODEL_NO_SITE : (int)p->site,
                                   model_account_shown(p), 1))
                return NOT_YET;
        ret->passkey = p;
        ret->up = rq->p1 == 3;
        return OK;
}

uint16_t model_u2f(struct model *m, const struct model_u2f_request *rq,
                   struct model_u2f_reply *ret) {
        m->walk.kind = WALK_NONE; /* GN4 */
        switch (rq->ins) {
        case U2F_REGISTER:
                return enroll(m, rq, ret);
        case U2F_AUTHENTICATE:
                return authenticate(m, rq, ret);
        case U2F_VERSION:
                return OK; /* U3 */
        default:
                return UNKNOWN;
        }
}
