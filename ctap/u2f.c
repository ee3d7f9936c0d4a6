/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * U2F: see u2f.h. Credentials are the same as in CTAP2 (U9): a key handle is a credential id, the
 * application parameter is the RP's hash. A grant belongs to the one request it was given for,
 * named by a digest, and is used up before anything is done with it.
 */

#include <errno.h>
#include <string.h>

#include "ctap/apdu.h"
#include "ctap/auth-data.h"
#include "ctap/cose.h"
#include "ctap/crypto.h"
#include "ctap/policy.h"
#include "ctap/u2f-attester.h"
#include "ctap/u2f.h"

enum {
        INS_REGISTER = 0x01,
        INS_AUTHENTICATE = 0x02,
        INS_VERSION = 0x03,
};

enum {
        P1_ENFORCE = 0x03,
        P1_CHECK_ONLY = 0x07,
        P1_DONT_ENFORCE = 0x08,
};

enum status_word {
        SW_OK = 0x9000,
        SW_WRONG_LENGTH = 0x6700,
        SW_CONDITIONS_NOT_SATISFIED = 0x6985,
        SW_WRONG_DATA = 0x6a80,
        SW_WRONG_P1 = 0x6a86,
        SW_UNKNOWN_INS = 0x6d00,
        SW_UNKNOWN_CLA = 0x6e00,
        SW_FAILED = 0x6f00,
};

/* One message on its way through. */
struct call {
        struct u2f *u2f;
        const struct ctap_env *env;
        const struct ctap_credential_keys *keys;
        const struct u2f_rules *rules;
        uint32_t channel;
        uint8_t ins, p1;
        struct bytes data;
        struct buf *reply;
};

/* ---- asking the person ---- */

void u2f_init(struct u2f *u) {
        *u = (struct u2f){ 0 };
}

static uint64_t now_ms(const struct ctap_env *env) {
        return env->clock->ops->now_ms(env->clock);
}

static bool is_asking(const struct u2f *u) {
        return u->asking.until_ms > 0;
}

static bool is_for(const struct u2f_mark *m, const struct sha256 *request) {
        return bytes_equal(BYTES_OF(m->request), BYTES_OF(*request));
}

static bool holds(const struct u2f_mark *m, const struct sha256 *request, uint64_t now) {
        return now < m->until_ms && is_for(m, request);
}

static void end_question(struct u2f *u, const struct ctap_env *env) {
        u->asking = (struct u2f_mark){ 0 };
        env->presence->ops->end(env->presence);
}

/* Notes what was said; the question goes as soon as there is an answer of any kind. */
static int look_for_answer(struct u2f *u, const struct ctap_env *env) {
        const struct u2f_mark said = { u->asking.request, now_ms(env) + U2F_GRANT_MS };
        enum ctap_answer answer = CTAP_ANSWER_PENDING;
        int r;

        r = env->presence->ops->poll(env->presence, &answer);
        if (r == 0 && answer == CTAP_ANSWER_PENDING)
                return 0;
        if (r == 0 && answer == CTAP_ANSWER_YES)
                u->granted = said;
        if (r == 0 && answer == CTAP_ANSWER_NO)
                u->denied = said;
        end_question(u, env);
        return r;
}

void u2f_withdraw(struct u2f *u, const struct ctap_env *env) {
        /* An answer that came since the last message still counts; one that failed does not. */
        if (is_asking(u) && look_for_answer(u, env) == 0 && is_asking(u))
                end_question(u, env);
}

uint64_t u2f_deadline(const struct u2f *u) {
        return is_asking(u) ? u->asking.until_ms : UINT64_MAX;
}

void u2f_expire(struct u2f *u, const struct ctap_env *env) {
        if (now_ms(env) >= u2f_deadline(u))
                u2f_withdraw(u, env);
}

static int request_digest(const struct call *c, struct bytes challenge, const struct sha256 *app,
                          struct bytes handle, struct sha256 *ret) {
        const struct bytes parts[] = { BYTES_OF(c->ins), challenge, BYTES_OF(*app), handle };

        return ctap_sha256(parts, ELEMENTSOF(parts), ret);
}

static bool take_grant(struct u2f *u, const struct sha256 *request, uint64_t now) {
        if (!holds(&u->granted, request, now))
                return false;
        u->granted = (struct u2f_mark){ 0 };
        return true;
}

/* Puts the question up, or notes that its client is still there. */
static int ask(const struct call *c, const struct sha256 *request, const struct ctap_prompt *prompt,
               uint64_t now) {
        struct ctap_presence *presence = c->env->presence;
        int r;

        if (!is_asking(c->u2f)) {
                r = presence->ops->begin(presence, prompt);
                if (r < 0)
                        return r;
        }
        c->u2f->asking = (struct u2f_mark){ *request, now + U2F_POLL_MS };
        c->u2f->channel = c->channel;
        return look_for_answer(c->u2f, c->env);
}

/*
 * Whether the person has agreed to this request; a grant is used up by being seen here (U4). There
 * is one person: while another client's question is up, this one waits for its turn. A client that
 * asks for something else has given up what it asked before. Browsers come back on another channel,
 * so the request, not the channel, tells whose answer it is.
 */
static int confirm(const struct call *c, const struct sha256 *request,
                   const struct ctap_prompt *prompt, bool *ret_granted) {
        uint64_t now = now_ms(c->env);
        struct u2f *u = c->u2f;
        bool granted;
        int r;

        u2f_expire(u, c->env);
        granted = take_grant(u, request, now);
        if (granted || holds(&u->denied, request, now)) {
                *ret_granted = granted;
                return 0;
        }

        if (is_asking(u) && !is_for(&u->asking, request)) {
                if (u->channel != c->channel) {
                        *ret_granted = false;
                        return 0;
                }
                u2f_withdraw(u, c->env);
        }

        r = ask(c, request, prompt, now);
        if (r < 0)
                return r;
        *ret_granted = take_grant(u, request, now);
        return 0;
}

/* Which site it is nobody says in U2F. */
static void note(const struct call *c, enum ctap_noted what, const struct ctap_credential_id *id) {
        ctap_note(c->env, &(struct ctap_notice){ .what = what, .credential = id });
}

/* ---- REGISTER ---- */

#define CHALLENGE_SIZE 32
#define RESERVED_BYTE  0x05 /* opens a registration response */
#define UNCOMPRESSED   0x04 /* opens a point */
#define POINT_SIZE     65

struct register_request {
        struct bytes challenge;
        struct sha256 app;
        bool dummy; /* somebody asks which key is meant: nothing is made */
};

/*
 * Application parameters that name no site (U13): Chromium's 32 times 'A' and the SHA-256 of
 * ".dummy", Firefox's zeros and the SHA-256 of "make.me.blink".
 */
static bool is_dummy(const struct sha256 *app) {
        static const struct sha256 dummies[] = {
                { { [0 ... 31] = 'A' } },
                { { 0 } },
                { { 0xda, 0x27, 0x1d, 0x56, 0x55, 0xa7, 0x3b, 0xef, 0x8d, 0xfa, 0x28,
                    0x1d, 0x3b, 0xbf, 0x98, 0x4f, 0x2a, 0x08, 0xa1, 0xb1, 0x4e, 0xf9,
                    0x8d, 0x92, 0x37, 0xe9, 0xea, 0x98, 0x9b, 0xa5, 0x87, 0x8b } },
                { { 0xe8, 0x45, 0x41, 0xea, 0xf2, 0x07, 0xf7, 0xd7, 0x5a, 0xd0, 0x51,
                    0x43, 0x47, 0x70, 0xf6, 0xd1, 0xa9, 0xbf, 0x62, 0xf7, 0xea, 0x9b,
                    0xe5, 0x14, 0xfd, 0x4e, 0x0c, 0xa8, 0x27, 0x2b, 0x1d, 0xeb } },
        };

        for (size_t i = 0; i < ELEMENTSOF(dummies); i++)
                if (bytes_equal(BYTES_OF(*app), BYTES_OF(dummies[i])))
                        return true;
        return false;
}

static bool register_decode(struct bytes data, struct register_request *ret) {
        struct cursor in = { data, false };

        ret->challenge = cursor_take(&in, CHALLENGE_SIZE);
        cursor_copy(&in, ret->app.b, sizeof(ret->app.b));
        if (cursor_end(&in) < 0)
                return false;
        ret->dummy = is_dummy(&ret->app);
        return true;
}

static int register_confirm(const struct call *c, const struct register_request *rq,
                            bool *ret_granted) {
        const struct ctap_prompt prompt = {
                .ask = rq->dummy ? CTAP_ASK_SELECT : CTAP_ASK_CREATE,
                .passive = rq->dummy,
        };
        struct sha256 request;
        int r;

        r = request_digest(c, rq->challenge, &rq->app, BYTES_NULL, &request);
        if (r < 0)
                return r;
        return confirm(c, &request, &prompt, ret_granted);
}

/* The row of a new credential but for the key and the id. */
static int fill_row(const struct call *c, const struct sha256 *app, struct ctap_row *row) {
        const struct ctap_record nobody = { 0 };
        int r;

        row->alg = CTAP_COSE_ES256;
        row->class = CTAP_CLASS_A;
        row->cred_protect = 1;
        row->flags = CTAP_ROW_U2F;
        r = ctap_rp_tag(c->keys, app, &row->rp_tag);
        if (r < 0)
                return r;
        return ctap_record_seal(c->keys, c->env->rng, app, &nobody, row);
}

static void put_point(struct buf *out, const struct ctap_public_key *key) {
        buf_put_u8(out, UNCOMPRESSED);
        buf_put(out, BYTES(key->x, 32));
        buf_put(out, BYTES(key->y, 32));
}

static int register_encode(const struct call *c, const struct register_request *rq,
                           const struct u2f_attester *attester, const struct ctap_credential_id *id,
                           const struct ctap_public_key *key) {
        uint8_t storage[1 + sizeof(rq->app) + CHALLENGE_SIZE + sizeof(*id) + POINT_SIZE];
        struct buf message = BUF_ON(storage);
        struct ctap_signature signature;
        int r;

        buf_put_u8(&message, 0);
        buf_put(&message, BYTES_OF(rq->app));
        buf_put(&message, rq->challenge);
        buf_put(&message, BYTES_OF(*id));
        put_point(&message, key);
        r = u2f_attester_sign(attester, buf_bytes(&message), &signature);
        if (r < 0)
                return r;

        buf_put_u8(c->reply, RESERVED_BYTE);
        put_point(c->reply, key);
        buf_put_u8(c->reply, (uint8_t)sizeof(*id));
        buf_put(c->reply, BYTES_OF(*id));
        r = u2f_attester_certificate(attester, c->reply);
        if (r < 0)
                return r;
        buf_put(c->reply, BYTES(signature.data, signature.len));
        return buf_error(c->reply);
}

/*
 * Makes the credential and the answer, and keeps the credential last of all, so that nothing is
 * kept of a registration that failed. The key of a dummy is the attester's: it is a real point, and
 * nobody will ever be able to sign with it.
 */
static int register_act(const struct call *c, const struct register_request *rq) {
        _cleanup_(u2f_attester_done) struct u2f_attester attester = { NULL };
        struct ctap_keys *keys = c->env->keys;
        struct ctap_store *store = c->env->store;
        struct ctap_row row = { 0 };
        struct ctap_public_key key;
        int r;

        r = ctap_credential_id_make(c->keys, c->env->rng, &rq->app, &row.id);
        if (r < 0)
                return r;
        r = u2f_attester_init(&attester);
        if (r < 0)
                return r;
        if (rq->dummy)
                r = u2f_attester_public(&attester, &key);
        else
                r = keys->ops->create(keys, CTAP_KEY_P256, CTAP_CLASS_A, &row.key, &key);
        if (r < 0)
                return r;
        r = register_encode(c, rq, &attester, &row.id, &key);
        if (r < 0 || rq->dummy)
                return r;

        r = fill_row(c, &rq->app, &row);
        if (r < 0)
                return r;
        r = store->ops->insert(store, &row);
        if (r == 0)
                note(c, CTAP_NOTED_CREATED, &row.id);
        return r;
}

/* A client asks again and again; that is one request. */
static enum status_word refuse(const struct call *c, const struct register_request *rq) {
        struct u2f_mark *denied = &c->u2f->denied;
        const uint64_t now = now_ms(c->env);
        struct sha256 request;

        if (request_digest(c, rq->challenge, &rq->app, BYTES_NULL, &request) < 0)
                return SW_FAILED;
        if (!holds(denied, &request, now))
                ctap_note_policy(c->env, &c->u2f->policy_told_until_ms,
                                 &(struct ctap_notice){ .command = 0x01 });
        *denied = (struct u2f_mark){ request, now + U2F_GRANT_MS };
        return SW_CONDITIONS_NOT_SATISFIED;
}

static enum status_word run_register(const struct call *c) {
        struct register_request rq;
        bool allowed = true, granted;

        if (!register_decode(c->data, &rq))
                return SW_WRONG_LENGTH;
        if (!rq.dummy && ctap_rp_rules_allow_hash(c->rules->rps, &rq.app, &allowed) < 0)
                return SW_FAILED;
        if (c->rules->off)
                return SW_CONDITIONS_NOT_SATISFIED;
        if (!allowed)
                return refuse(c, &rq);
        if (register_confirm(c, &rq, &granted) < 0)
                return SW_FAILED;
        if (!granted)
                return SW_CONDITIONS_NOT_SATISFIED;
        return register_act(c, &rq) < 0 ? SW_FAILED : SW_OK;
}

/* ---- AUTHENTICATE ---- */

struct authenticate_request {
        struct bytes challenge;
        struct sha256 app;
        struct bytes handle;
};

static bool authenticate_decode(struct bytes data, struct authenticate_request *ret) {
        struct cursor in = { data, false };

        ret->challenge = cursor_take(&in, CHALLENGE_SIZE);
        cursor_copy(&in, ret->app.b, sizeof(ret->app.b));
        ret->handle = cursor_take(&in, cursor_u8(&in));
        return cursor_end(&in) == 0;
}

/* U2F has P-256 alone, and no way to give the PIN that credProtect 3 or the key asks for (U10). */
static bool serves_u2f(const struct ctap_row *row) {
        return ctap_cose_find(row->alg, 1u << CTAP_KEY_P256) && row->class == CTAP_CLASS_A &&
               row->cred_protect < 3;
}

/* -ENOENT: the handle is not one of this application's. */
static int resolve(const struct call *c, const struct authenticate_request *rq,
                   struct ctap_row *ret) {
        struct ctap_store *store = c->env->store;
        struct ctap_credential_id id;
        int r;

        if (!ctap_credential_id_open(c->keys, rq->handle, &rq->app, &id))
                return -ENOENT;
        r = store->ops->find(store, &id, ret);
        if (r < 0)
                return r;
        return serves_u2f(ret) ? 0 : -ENOENT;
}

/* A credential of CTAP2 knows whose it is, and the person is told. */
static int authenticate_confirm(const struct call *c, const struct authenticate_request *rq,
                                const struct ctap_row *row, bool *ret_granted) {
        uint8_t storage[sizeof(row->sealed)];
        struct buf opened = BUF_ON(storage);
        struct ctap_prompt prompt = { .ask = CTAP_ASK_USE, .n_accounts = 1 };
        struct ctap_record record;
        struct sha256 request;
        int r;

        r = ctap_record_open(c->keys, &rq->app, row, &opened, &record);
        if (r < 0)
                return r;
        r = request_digest(c, rq->challenge, &rq->app, rq->handle, &request);
        if (r < 0)
                return r;

        prompt.rp_id = record.rp_id;
        prompt.account = ctap_record_account(&record);
        return confirm(c, &request, &prompt, ret_granted);
}

/* U7: UP byte, counter, signature over app, UP byte, counter and challenge. */
static int authenticate_encode(const struct call *c, const struct authenticate_request *rq,
                               struct ctap_loaded_key *key, uint8_t up, uint32_t count) {
        uint8_t storage[1 + 4];
        struct buf presence = BUF_ON(storage);
        struct ctap_signature signature;
        struct sha256 digest;
        int r;

        buf_put_u8(&presence, up);
        buf_put_u32(&presence, count);
        r = ctap_sha256((const struct bytes[]){ BYTES_OF(rq->app), buf_bytes(&presence),
                                                rq->challenge },
                        3, &digest);
        if (r < 0)
                return r;
        r = c->env->keys->ops->sign(c->env->keys, key, BYTES_OF(digest), &signature);
        if (r < 0)
                return r;

        buf_put(c->reply, buf_bytes(&presence));
        buf_put(c->reply, BYTES(signature.data, signature.len));
        return buf_error(c->reply);
}

/* Without presence nothing is used up: the counter shows what it last showed. */
static int authenticate_act(const struct call *c, const struct authenticate_request *rq,
                            const struct ctap_row *row, bool present) {
        struct ctap_keys *keys = c->env->keys;
        struct ctap_store *store = c->env->store;
        struct ctap_loaded_key *key = NULL;
        uint32_t count = row->count;
        int r;

        r = keys->ops->load(keys, BYTES(row->key.data, row->key.len), NULL, &key);
        if (r < 0)
                return r;
        if (present)
                r = store->ops->use(store, &row->id, &count);
        if (r == 0)
                r = authenticate_encode(c, rq, key, present ? CTAP_FLAG_UP : 0, count);
        keys->ops->unload(keys, key);
        if (r == 0 && present)
                note(c, CTAP_NOTED_USED, &row->id);
        return r;
}

static enum status_word run_enforced(const struct call *c, const struct authenticate_request *rq,
                                     const struct ctap_row *row) {
        struct ctap_store *store = c->env->store;
        bool granted;

        if (authenticate_confirm(c, rq, row, &granted) < 0)
                return SW_FAILED;
        /* While the person thinks, or now if the answer came at once. */
        if (store->ops->prepare_use(store) < 0) {
                u2f_withdraw(c->u2f, c->env);
                return SW_FAILED;
        }
        if (!granted)
                return SW_CONDITIONS_NOT_SATISFIED;
        return authenticate_act(c, rq, row, true) < 0 ? SW_FAILED : SW_OK;
}

static enum status_word run_authenticate(const struct call *c) {
        struct authenticate_request rq;
        struct ctap_row row;
        bool allowed;
        int r;

        if (!authenticate_decode(c->data, &rq))
                return SW_WRONG_LENGTH;
        if (c->p1 != P1_ENFORCE && c->p1 != P1_CHECK_ONLY && c->p1 != P1_DONT_ENFORCE)
                return SW_WRONG_P1;
        if (c->rules->off)
                return SW_CONDITIONS_NOT_SATISFIED;
        if (ctap_rp_rules_allow_hash(c->rules->rps, &rq.app, &allowed) < 0)
                return SW_FAILED;
        if (!allowed)
                return SW_WRONG_DATA; /* as where there is none (U6) */

        r = resolve(c, &rq, &row);
        if (r < 0)
                return r == -ENOENT ? SW_WRONG_DATA : SW_FAILED;
        if (c->p1 == P1_CHECK_ONLY)
                return SW_CONDITIONS_NOT_SATISFIED; /* the good news: the handle is ours (U6) */
        if (c->p1 == P1_ENFORCE)
                return run_enforced(c, &rq, &row);
        return authenticate_act(c, &rq, &row, false) < 0 ? SW_FAILED : SW_OK;
}

/* ---- VERSION ---- */

static enum status_word run_version(const struct call *c) {
        if (c->data.len > 0)
                return SW_WRONG_LENGTH;
        buf_put(c->reply, BYTES_TEXT("U2F_V2"));
        return SW_OK;
}

/* ---- APDU ---- */

static enum status_word run(struct call *c, struct bytes apdu) {
        static const struct {
                uint8_t ins;
                enum status_word (*run)(const struct call *c);
        } instructions[] = {
                { INS_REGISTER, run_register },
                { INS_AUTHENTICATE, run_authenticate },
                { INS_VERSION, run_version },
        };
        struct cursor in = { apdu, false };
        uint8_t cla = cursor_u8(&in);

        c->ins = cursor_u8(&in);
        c->p1 = cursor_u8(&in);
        cursor_u8(&in); /* P2 says nothing in U2F */
        if (in.failed)
                return SW_WRONG_LENGTH;
        if (cla != 0)
                return SW_UNKNOWN_CLA;

        for (size_t i = 0; i < ELEMENTSOF(instructions); i++)
                if (instructions[i].ins == c->ins)
                        return ctap_apdu_data(in.left, &c->data) ? instructions[i].run(c)
                                                                 : SW_WRONG_LENGTH;
        return SW_UNKNOWN_INS;
}

void u2f_message(struct u2f *u, const struct ctap_env *env, const struct ctap_credential_keys *keys,
                 const struct u2f_rules *rules, uint32_t channel, struct bytes apdu,
                 struct buf *reply) {
        struct call c = {
                .u2f = u,
                .env = env,
                .keys = keys,
                .rules = rules,
                .channel = channel,
                .reply = reply,
        };
        size_t start = reply->len;
        enum status_word sw;

        sw = run(&c, apdu);
        if (sw != SW_OK) {
                reply->len = start;
                reply->failed = false;
        }
        buf_put_u16(reply, (uint16_t)sw);
}
