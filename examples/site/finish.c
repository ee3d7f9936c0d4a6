/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The end of a ceremony: the answer is read, its challenge used up, the checks are done, and the store has
 * the last word. A challenge is used up whatever comes of it.
 */

#include <errno.h>
#include <string.h>

#include "examples/site/call.h"
#include "examples/site/describe.h"

/* What happens behind the checks, and what it is called. */
struct last_check {
        const char *name;
        const char *text;
        int (*run)(struct call *c, const struct ceremony *ceremony, const struct begun *begun,
                   enum refusal *ret);
};

struct finish {
        struct call *call;
        struct answer answer;
        struct credential known;
        struct begun begun;
        struct asked asked;
        struct ceremony ceremony;
        struct known_credential known_slices;
};

/* Finds what the challenge was given out for. What cannot be read is refused later, by a check. */
static int use_challenge(struct finish *f) {
        struct client_data client;
        int r = 0;

        f->asked.challenge = CHALLENGE_UNKNOWN;
        if (client_data_parse(f->answer.client_data, &client) == REFUSED_NOTHING &&
            client.has_challenge)
                r = store_use_challenge(f->call->site->store, f->call->session.id,
                                        f->call->request->now, client.challenge, &f->begun,
                                        &f->asked.challenge);
        /* It was given out for the other ceremony. */
        if (r == 0 && f->asked.challenge == CHALLENGE_OPEN &&
            f->begun.is_registration != f->answer.is_registration)
                f->asked.challenge = CHALLENGE_UNKNOWN;
        return r;
}

static void fill_asked(struct finish *f) {
        const struct site *site = f->call->site;

        f->asked.origin = site->origin;
        f->asked.rp_id = site->rp_id;
        f->asked.roots = site->roots;
        f->asked.needs_verification = f->begun.needs_verification;
        memcpy(f->asked.algorithms, f->begun.algorithms, sizeof(f->asked.algorithms));
        f->asked.n_algorithms = f->begun.n_algorithms;
        if (f->begun.account.id)
                f->asked.account = SLICE_OF(f->begun.account.handle);
}

static int find_known(struct finish *f) {
        int r = store_find_credential(f->call->site->store, f->answer.id, &f->known);

        if (r == -ENOENT)
                return 0;
        if (r < 0)
                return r;
        f->known_slices = (struct known_credential){
                .public_key = SLICE(f->known.public_key, f->known.public_key_len),
                .account = SLICE_OF(f->known.account.handle),
                .is_backup_eligible = f->known.is_backup_eligible,
                .is_marked = f->known.is_marked,
        };
        f->ceremony.known = &f->known_slices;
        return 0;
}

static int add_state(struct call *c, json_t *body) {
        json_t *state = NULL;
        int r = describe_state(c, &state);

        if (r == 0 && json_object_set_new(body, "state", state) < 0)
                r = -ENOMEM;
        return r;
}

static int report(struct finish *f, enum refusal refusal, const struct last_check *last) {
        json_t *body =
                json_pack("{s:b, s:o, s:o}", "accepted", refusal == REFUSED_NOTHING, "checks",
                          describe_checks(&f->ceremony, refusal, last->name, last->text), "seen",
                          describe_ceremony(&f->ceremony));
        int r = call_reply(f->call, body);

        if (r < 0)
                return r;
        f->call->reply->refusal = refusal;
        if (refusal != REFUSED_NOTHING &&
            json_object_set_new(body, "refusal", describe_refusal(refusal, NULL)) < 0)
                return -ENOMEM;
        return add_state(f->call, body);
}

static int finish(struct finish *f, const struct last_check *last) {
        enum refusal refusal;
        int r;

        f->ceremony.asked = &f->asked;
        f->ceremony.answer = &f->answer;
        r = use_challenge(f);
        if (r == 0 && !f->answer.is_registration)
                r = find_known(f);
        if (r < 0)
                return r;
        fill_asked(f);
        refusal = ceremony_verify(&f->ceremony);
        if (refusal == REFUSED_NOTHING)
                r = last->run(f->call, &f->ceremony, &f->begun, &refusal);
        return r < 0 ? r : report(f, refusal, last);
}

static int sign_in(struct call *c, const struct account *account) {
        int r = store_sign_in(c->site->store, c->session.id, account->id, c->request->now,
                              &c->reply->token);

        if (r < 0)
                return r;
        c->reply->has_token = true;
        c->session.account = *account;
        return 0;
}

static void fill_credential(const struct ceremony *c, const struct account *account, int64_t now,
                            struct credential *ret) {
        ret->id_len = c->auth.credential_id.len;
        memcpy(ret->id, c->auth.credential_id.data, ret->id_len);
        ret->public_key_len = c->auth.public_key.len;
        memcpy(ret->public_key, c->auth.public_key.data, ret->public_key_len);
        memcpy(ret->aaguid, c->auth.aaguid.data, AAGUID_LEN);
        memcpy(ret->transports, c->answer->transports, sizeof(ret->transports));
        strcpy(ret->attestation, attestation_kind_name(c->attestation.kind));
        ret->is_trusted = c->attestation.is_trusted;
        ret->is_backup_eligible = c->auth.flags & FLAG_BACKUP_ELIGIBLE;
        ret->counter = c->auth.counter;
        ret->created = ret->used = now;
        ret->account = *account;
}

/*
 * Whoever adds a passkey to an account is signed in to it at the end as well. By the handle, for SQLite gives the
 * number of a deleted account to the next one.
 */
static bool may_add_to(const struct call *c, const struct account *account) {
        return account->id == 0 ||
               slice_equal(SLICE_OF(account->handle), SLICE_OF(c->session.account.handle));
}

static int keep_credential(struct call *c, const struct ceremony *ceremony,
                           const struct begun *begun, enum refusal *ret) {
        struct credential credential = { .id_len = 0 };
        struct account account;
        int r;

        if (!may_add_to(c, &begun->account)) {
                *ret = REFUSED_NOT_SIGNED_IN;
                return 0;
        }
        fill_credential(ceremony, &begun->account, c->request->now, &credential);
        r = store_add_credential(c->site->store, &credential, &account);
        switch (r) {
        case 0:
                *ret = REFUSED_NOTHING;
                return sign_in(c, &account);
        case -EEXIST:
                *ret = REFUSED_CREDENTIAL_KNOWN;
                return 0;
        case -EADDRINUSE:
                *ret = REFUSED_NAME_TAKEN;
                return 0;
        case -ENOENT:
                *ret = REFUSED_ACCOUNT_UNKNOWN;
                return 0;
        case -ENOSPC:
                *ret = REFUSED_TOO_MANY_CREDENTIALS;
                return 0;
        case -EDQUOT:
                *ret = REFUSED_TOO_MANY_ACCOUNTS;
                return 0;
        default:
                return r;
        }
}

static int count(struct call *c, const struct ceremony *ceremony,
                 _unused_ const struct begun *begun, enum refusal *ret) {
        struct credential known;
        int r = store_count(c->site->store, ceremony->answer->id, ceremony->auth.counter,
                            c->request->now, ret);

        if (r < 0 || *ret != REFUSED_NOTHING)
                return r;
        r = store_find_credential(c->site->store, ceremony->answer->id, &known);
        return r < 0 ? r : sign_in(c, &known.account);
}

static int read_and_finish(struct call *c, const struct last_check *last,
                           enum refusal (*read)(const json_t *, struct answer *, const char **)) {
        _cleanup_(free_pointer) struct finish *f = calloc(1, sizeof(*f));
        enum refusal refusal;
        const char *member;

        if (!f)
                return -ENOMEM;
        f->call = c;
        refusal = read(c->request->body, &f->answer, &member);
        return refusal == REFUSED_NOTHING ? finish(f, last) : call_refuse(c, refusal, member);
}

int call_finish_registration(struct call *c) {
        static const struct last_check last = { "stored", "Nobody has registered this passkey yet",
                                                keep_credential };

        return read_and_finish(c, &last, answer_read_registration);
}

int call_finish_login(struct call *c) {
        static const struct last_check last = { "counter",
                                                "The counter is higher than the stored one",
                                                count };

        return read_and_finish(c, &last, answer_read_login);
}
