/* SPDX-License-Identifier: BSD-2-Clause */

/* Paths and what is behind them: see site.h. */

#include "examples/site/site.h"

#include <errno.h>
#include <string.h>

#include "examples/site/call.h"
#include "examples/site/describe.h"

int call_refuse(struct call *c, enum refusal refusal, const char *member) {
        json_t *body = json_pack("{s:b, s:o}", "accepted", 0, "refusal",
                                 describe_refusal(refusal, member));

        c->reply->refusal = refusal;
        return call_reply(c, body);
}

int call_reply(struct call *c, json_t *body) {
        json_decref(c->reply->body);
        c->reply->body = body;
        return body ? 0 : -ENOMEM;
}

const char *call_text(struct call *c, const char *member, size_t max, int *ret) {
        const json_t *value = json_object_get(c->request->body, member);
        const char *text = json_string_value(value);
        enum refusal refusal = REFUSED_NOTHING;

        if (!text)
                refusal = value ? REFUSED_FIELD_TYPE : REFUSED_FIELD_MISSING;
        else if (strlen(text) > max)
                refusal = REFUSED_FIELD_TOO_LONG;
        else if (!*text)
                refusal = REFUSED_FIELD_VALUE;
        for (const char *t = text; refusal == REFUSED_NOTHING && *t; t++)
                if ((unsigned char)*t < 0x20 || *t == 0x7f)
                        refusal = REFUSED_FIELD_VALUE;
        if (refusal == REFUSED_NOTHING)
                return text;
        *ret = call_refuse(c, refusal, member);
        return NULL;
}

static int call_state(struct call *c) {
        json_t *state = NULL;
        int r = describe_state(c, &state);

        if (r < 0)
                return r;
        return call_reply(c, json_pack("{s:b, s:o}", "accepted", 1, "state", state));
}

static int call_logout(struct call *c) {
        int r = store_sign_out(c->site->store, c->session.id);

        if (r < 0)
                return r;
        c->session.account.id = 0;
        return call_state(c);
}

static int call_forget(struct call *c) {
        int r;

        if (!c->session.account.id)
                return call_refuse(c, REFUSED_NOT_SIGNED_IN, NULL);
        r = store_delete_account(c->site->store, c->session.account.id);
        if (r < 0)
                return r;
        c->session.account.id = 0;
        return call_state(c);
}

/* A member in base64url. The refusal's reply is made; 1: it was read. */
static int read_bytes(struct call *c, const char *member, uint8_t *to, size_t max,
                      size_t *ret_len) {
        const char *text;
        int r;

        text = call_text(c, member, (max * 4 + 2) / 3, &r);
        if (!text)
                return r;
        if (!base64url_decode(SLICE_TEXT(text), to, ret_len))
                return call_refuse(c, REFUSED_BASE64URL, member);
        return 1;
}

/* The page seals it: what comes here cannot be opened without the passkey. */
static int call_note(struct call *c) {
        uint8_t id[CREDENTIAL_ID_MAX], note[NOTE_MAX];
        size_t id_len, note_len;
        int r;

        if (!c->session.account.id)
                return call_refuse(c, REFUSED_NOT_SIGNED_IN, NULL);
        r = read_bytes(c, "credential", id, sizeof(id), &id_len);
        if (r <= 0)
                return r;
        r = read_bytes(c, "note", note, sizeof(note), &note_len);
        if (r <= 0)
                return r;
        r = store_write_note(c->site->store, c->session.account.id, SLICE(id, id_len),
                             SLICE(note, note_len));
        if (r == -ENOENT)
                return call_refuse(c, REFUSED_CREDENTIAL_UNKNOWN, "credential");
        return r < 0 ? r : call_state(c);
}

static const struct {
        const char *path;
        int (*run)(struct call *c);
} calls[] = {
        { "/api/state", call_state },
        { "/api/register/begin", call_begin_registration },
        { "/api/register/finish", call_finish_registration },
        { "/api/login/begin", call_begin_login },
        { "/api/login/finish", call_finish_login },
        { "/api/logout", call_logout },
        { "/api/forget", call_forget },
        { "/api/note", call_note },
};

static int run(struct call *c) {
        const struct request *request = c->request;
        int r = -ENOENT;

        if (!json_is_object(request->body))
                return call_refuse(c, REFUSED_NOT_JSON, NULL);
        if (request->token)
                r = store_find_session(c->site->store, request->token, request->now, &c->session);
        if (r == -ENOENT)
                return call_refuse(c, REFUSED_NO_SESSION, NULL);
        if (r < 0)
                return r;
        for (size_t i = 0; i < ELEMENTSOF(calls); i++)
                if (strcmp(calls[i].path, request->path) == 0)
                        return calls[i].run(c);
        return call_refuse(c, REFUSED_NOT_FOUND, NULL);
}

int site_answer(struct site *site, const struct request *request, struct reply *ret) {
        struct reply reply = { .refusal = REFUSED_NOTHING };
        struct call c = { .site = site, .request = request, .reply = &reply };
        int r = run(&c);

        if (r < 0) {
                reply_done(&reply);
                return r;
        }
        *ret = reply;
        return 0;
}

void reply_done(struct reply *r) {
        json_decref(r->body);
        r->body = NULL;
}
