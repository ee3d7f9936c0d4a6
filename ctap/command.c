/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * What commands exist, what each needs and what it may disturb: a table. The way of a CTAP2 request
 * through ctap_request() is the same for all of them, and whatever goes wrong ends as one status
 * byte.
 */

#include <errno.h>
#include <openssl/crypto.h>
#include <stdlib.h>
#include <string.h>

#include "ctap/command.h"
#include "ctap/ctap.h"
#include "ctap/policy.h"

enum {
        TAKES_PARAMS = 1 << 0,
        /* Goes on with a walk, or gives it up; any other command gives it up (GN4, CM12). */
        GOES_ON = 1 << 1,
};

static const struct ctap_command {
        const char *name; /* as the specification has it, without "authenticator" */
        ctap_run_fn *run;
        unsigned flags;
} commands[] = {
        [0x01] = { "makeCredential", ctap_make_credential, TAKES_PARAMS },
        [0x02] = { "getAssertion", ctap_get_assertion, TAKES_PARAMS },
        [0x04] = { "getInfo", ctap_get_info, 0 },
        [0x06] = { "clientPIN", ctap_client_pin, TAKES_PARAMS },
        [0x07] = { "reset", ctap_reset, 0 },
        [0x08] = { "getNextAssertion", ctap_get_next_assertion, GOES_ON },
        [0x0a] = { "credentialManagement", ctap_credential_management, TAKES_PARAMS | GOES_ON },
        [0x0b] = { "selection", ctap_selection, 0 },
        [0x0c] = { "largeBlobs", ctap_large_blobs, TAKES_PARAMS | GOES_ON },
        [0x0d] = { "config", ctap_config, TAKES_PARAMS },
        /* What it was called before CTAP 2.1, and what libfido2 calls it still. */
        [0x41] = { "credentialManagement", ctap_credential_management, TAKES_PARAMS | GOES_ON },
};

const char *ctap_command_name(uint8_t code) {
        return code < ELEMENTSOF(commands) ? commands[code].name : NULL;
}

enum ctap_status ctap_status_from_errno(int r) {
        switch (r) {
        case 0:
                return CTAP_OK;
        case -EKEYEXPIRED:
                return CTAP2_ERR_PIN_AUTH_INVALID;
        default:
                return CTAP1_ERR_OTHER;
        }
}

enum ctap_status ctap_status_from_keeping(int r) {
        return r == -ENOSPC ? CTAP2_ERR_KEY_STORE_FULL : ctap_status_from_errno(r);
}

enum ctap_status ctap_status_from_keys(struct ctap *c, int r) {
        if (r == -EKEYEXPIRED)
                ctap_end_token(c);
        return ctap_status_from_errno(r);
}

int ctap_ticket_check(struct ctap *c, const struct ctap_ticket *ticket) {
        return ticket->len > 0 ? c->env.keys->ops->ticket_check(c->env.keys, ticket) : 0;
}

uint64_t ctap_now_ms(const struct ctap *c) {
        return c->env.clock->ops->now_ms(c->env.clock);
}

bool ctap_has_large_blobs(const struct ctap *c) {
        return c->options.max_large_blobs > 0;
}

bool ctap_always_uv(const struct ctap *c) {
        return c->options.always_uv || c->env.store->ops->settings(c->env.store)->always_uv;
}

/* A site that only a part of its name forbids is not known by its hash. */
bool ctap_has_u2f(const struct ctap *c) {
        return !ctap_always_uv(c) && !c->options.verified_presence &&
               !ctap_rp_rules_deny_by_star(&c->options.rp_rules);
}

void ctap_walk_begin(struct ctap *c, enum ctap_walk_kind kind, uint32_t channel,
                     const struct ctap_verification *v) {
        ctap_forget_walk(c);
        c->walk.kind = kind;
        c->walk.channel = channel;
        c->walk.ends_ms = v->verified ? v->ends_ms : UINT64_MAX;
        ctap_walk_stepped(c);
}

bool ctap_walk_goes_on(struct ctap *c, enum ctap_walk_kind kind, uint32_t channel) {
        const uint64_t now = ctap_now_ms(c);

        if (c->walk.kind == kind && c->walk.channel != channel)
                return false;
        if (c->walk.kind == kind && now < c->walk.expires_ms && now < c->walk.ends_ms)
                return true;
        ctap_forget_walk(c);
        return false;
}

void ctap_walk_stepped(struct ctap *c) {
        c->walk.expires_ms = ctap_now_ms(c) + CTAP_WALK_MS;
}

void ctap_forget_walk(struct ctap *c) {
        struct ctap_large_blobs_walk *w = &c->walk.large_blobs;

        if (c->walk.kind == CTAP_WALK_LARGE_BLOBS) {
                OPENSSL_cleanse(w->data, w->length);
                free(w->data);
        }
        OPENSSL_cleanse(&c->walk, sizeof(c->walk));
        c->walk.kind = CTAP_WALK_NONE;
}

void ctap_end_token(struct ctap *c) {
        ctap_token_wipe(&c->token);
        ctap_forget_walk(c);
}

void ctap_forget_credential_keys(struct ctap *c) {
        ctap_credential_keys_wipe(&c->credential_keys);
        c->has_credential_keys = false;
}

void ctap_forget_verification(struct ctap *c) {
        ctap_end_token(c);
        ctap_key_agreement_wipe(&c->agreement);
}

void ctap_forget_answers(struct ctap *c) {
        u2f_withdraw(&c->u2f, &c->env);
        u2f_init(&c->u2f);
}

int ctap_need_credential_keys(struct ctap *c) {
        int r;

        if (c->has_credential_keys)
                return 0;
        r = ctap_credential_keys_derive(c->env.store->ops->key(c->env.store), &c->credential_keys);
        if (r < 0)
                return r;
        c->has_credential_keys = true;
        return 0;
}

/*
 * 1024 is what a client may assume that has not asked, of messages as of large blobs (CTAP 2.3 §6.4
 * maxMsgSize, maxSerializedLargeBlobArray). A fragment of those fills an answer as it does a request.
 */
static bool are_possible(const struct ctap_options *o) {
        return o->min_pin_length <= CTAP_PIN_BYTES_MAX && o->max_message >= 1024 &&
               o->max_message <= CTAP_REPLY_MAX &&
               (o->max_large_blobs == 0 || o->max_large_blobs >= 1024);
}

int ctap_new(const struct ctap_env *env, const struct ctap_options *options, struct ctap **ret) {
        struct ctap *c;
        int r;

        if (!are_possible(options))
                return -EINVAL;

        c = calloc(1, sizeof(*c));
        if (!c)
                return -ENOMEM;
        c->env = *env;
        c->options = *options;
        u2f_init(&c->u2f);

        r = ctap_need_credential_keys(c);
        if (r == 0)
                r = ctap_policy_look_at_pin(c);
        if (r < 0) {
                ctap_free(c);
                return r;
        }
        *ret = c;
        return 0;
}

struct ctap *ctap_free(struct ctap *c) {
        if (!c)
                return NULL;
        u2f_withdraw(&c->u2f, &c->env);
        ctap_forget_walk(c);
        ctap_key_agreement_wipe(&c->agreement);
        OPENSSL_cleanse(c, sizeof(*c));
        free(c);
        return NULL;
}

void ctap_power_up(struct ctap *c) {
        ctap_forget_answers(c);
        ctap_forget_verification(c);
        c->pin_mismatches = 0;
        c->reset_until_ms = ctap_now_ms(c) + CTAP_RESET_WINDOW_MS;
}

/* The parameters as one checked map, for a command that takes some. */
static enum ctap_status read_params(struct bytes params, struct cbor_value *ret) {
        enum ctap_status s;

        if (params.len == 0)
                return CTAP2_ERR_MISSING_PARAMETER;
        s = cbor_check(params);
        if (s != CTAP_OK)
                return s;
        *ret = cbor_next(&params);
        return ret->kind == CBOR_KIND_MAP ? CTAP_OK : CTAP2_ERR_CBOR_UNEXPECTED_TYPE;
}

static enum ctap_status dispatch(struct ctap *c, uint8_t code, struct bytes params,
                                 struct ctap_call *call, struct cbor_writer *out) {
        const struct ctap_command *cmd = code < ELEMENTSOF(commands) ? &commands[code] : NULL;
        enum ctap_status s;

        if (!cmd || !(cmd->flags & GOES_ON))
                ctap_forget_walk(c);
        if (!cmd || !cmd->run)
                return CTAP1_ERR_INVALID_COMMAND;

        if (cmd->flags & TAKES_PARAMS) {
                s = read_params(params, &call->params);
                if (s != CTAP_OK) {
                        ctap_forget_walk(c);
                        return s;
                }
        }

        s = ctap_status_from_errno(ctap_need_credential_keys(c));
        if (s != CTAP_OK)
                return s;
        return cmd->run(c, call, out);
}

static enum ctap_status answer(struct ctap *c, uint32_t channel, struct bytes message,
                               struct buf *reply) {
        struct cbor_writer out = { reply };
        struct ctap_call call = { .channel = channel };
        enum ctap_status s;

        if (message.len == 0)
                return CTAP1_ERR_INVALID_LENGTH;
        if (message.len > c->options.max_message) {
                ctap_forget_walk(c); /* whatever command it was to be */
                return CTAP2_ERR_REQUEST_TOO_LARGE;
        }
        /* Looked at first: a credential must not be made whose reply then has no room. */
        if (reply->cap < CTAP_REPLY_MAX)
                return CTAP1_ERR_OTHER;

        buf_put_u8(reply, CTAP_OK);
        s = dispatch(c, message.data[0], BYTES(message.data + 1, message.len - 1), &call, &out);
        if (s != CTAP_OK)
                return s;
        return ctap_status_from_errno(buf_error(reply));
}

void ctap_request(struct ctap *c, uint32_t channel, struct bytes message, struct buf *reply) {
        enum ctap_status s;

        reply->len = 0;
        reply->failed = false;
        s = answer(c, channel, message, reply);
        if (s == CTAP_OK)
                return;

        reply->len = 0;
        reply->failed = false;
        buf_put_u8(reply, (uint8_t)s);
}

void ctap_u2f(struct ctap *c, uint32_t channel, struct bytes apdu, struct buf *reply) {
        const struct u2f_rules rules = { .off = !ctap_has_u2f(c), .rps = &c->options.rp_rules };

        reply->len = 0;
        reply->failed = false;
        ctap_forget_walk(c);
        if (ctap_need_credential_keys(c) < 0) {
                buf_put_u16(reply, 0x6f00);
                return;
        }
        u2f_message(&c->u2f, &c->env, &c->credential_keys, &rules, channel, apdu, reply);
}

uint64_t ctap_deadline(const struct ctap *c) {
        return u2f_deadline(&c->u2f);
}

void ctap_expire(struct ctap *c) {
        u2f_expire(&c->u2f, &c->env);
}
