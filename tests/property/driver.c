/* SPDX-License-Identifier: BSD-2-Clause */

/* Steps, and what they have in common: see driver.h. */

#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/property/driver.h"
#include "tests/unit/test.h"

/* ---- chance ---- */

/* splitmix64 */
static uint64_t draw(struct driver *d) {
        uint64_t z = d->random += UINT64_C(0x9e3779b97f4a7c15);

        z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
        z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
        return z ^ z >> 31;
}

unsigned pick(struct driver *d, unsigned n) {
        return (unsigned)(draw(d) >> 32) % n;
}

bool one_in(struct driver *d, unsigned n) {
        return pick(d, n) == 0;
}

unsigned channel_of(const struct driver *d, const struct driver_client *c) {
        return (unsigned)(c - d->clients);
}

unsigned pick_site(struct driver *d, struct driver_client *c) {
        if (one_in(d, 12))
                c->site = one_in(d, 10) ? MODEL_SITES - 1 : pick(d, MODEL_SITES - 1);
        return one_in(d, 8) ? pick(d, MODEL_SITES - 1) : c->site;
}

/* Most often one that there is. */
struct model_id pick_id(struct driver *d, unsigned site) {
        const struct model *m = &d->model;
        struct model_id id = { { 0 } };

        for (unsigned i = 0; m->n_passkeys > 0 && i < 4; i++) {
                const struct passkey *p = &m->passkeys[pick(d, m->n_passkeys)];

                id = p->id;
                if (p->site == site && !one_in(d, 12))
                        return id;
        }
        if (d->n_ids > 0 && !one_in(d, 4))
                return d->ids[pick(d, d->n_ids)];
        id.b[pick(d, sizeof(id.b))] ^= (uint8_t)(1u << pick(d, 8));
        return id;
}

void remember_id(struct driver *d, const struct model_id *id) {
        for (unsigned i = 0; i < d->n_ids; i++)
                if (memcmp(&d->ids[i], id, sizeof(*id)) == 0)
                        differ(d, "a new passkey has the id of another one");
        if (d->n_ids < DRIVER_IDS)
                d->ids[d->n_ids++] = *id;
        else
                d->ids[pick(d, DRIVER_IDS)] = *id;
}

const uint8_t *site_hash(const struct driver *d, unsigned site) {
        return d->site_hashes[site];
}

/* ---- the story so far ---- */

void say(struct driver *d, const char *format, ...) {
        char *line = d->log[d->step % DRIVER_LOG];
        const size_t used = strlen(line);
        va_list args;

        va_start(args, format);
        vsnprintf(line + used, sizeof(d->log[0]) - used, format, args);
        va_end(args);
}

static void tell_seen(const struct driver *d) {
        for (unsigned command = 0; command < ELEMENTSOF(d->seen); command++) {
                bool begun = false;

                for (unsigned status = 0; status < ELEMENTSOF(d->seen[0]); status++)
                        if (d->seen[command][status] > 0) {
                                if (!begun)
                                        printf("# %02x:", command);
                                begun = true;
                                printf(" %02x*%u", status, d->seen[command][status]);
                        }
                if (begun)
                        printf("\n");
        }
}

void driver_tell(const struct driver *d) {
        tell_seen(d);
        if (d->done)
                return;
        for (unsigned i = d->step < DRIVER_LOG ? 0 : d->step - DRIVER_LOG + 1; i <= d->step; i++)
                fprintf(stderr, "# %u:%s\n", i, d->log[i % DRIVER_LOG]);
        fprintf(stderr, "# %s\n", d->difference);
}

void differ(struct driver *d, const char *format, ...) {
        va_list args;

        va_start(args, format);
        vsnprintf(d->difference, sizeof(d->difference), format, args);
        va_end(args);
        fail_msg("step %u: %s", d->step, d->difference);
        __builtin_unreachable();
}

void expect_status(struct driver *d, unsigned is, unsigned foretold) {
        say(d, " -> %02x", is);
        if (is != foretold)
                differ(d, "the status is %02x, and the model says %02x", is, foretold);
}

/* ---- messages ---- */

static void expect_reply_form(struct driver *d, struct client *c, const struct buf *reply) {
        if (buf_error(reply) < 0 || reply->len < 1)
                differ(d, "no reply");
        c->body = BYTES(reply->data + 1, reply->len - 1);
        if (reply->data[0] != CTAP_OK && reply->len != 1)
                differ(d, "an error with a body"); /* B14 */
        if (c->body.len > 0 && cbor_check(c->body) != CTAP_OK)
                differ(d, "a reply that is not canonical"); /* B1 */
}

uint8_t driver_send_bytes(struct driver *d, struct driver_client *c, struct bytes message) {
        struct buf reply = BUF_ON(c->client.reply);

        ctap_request(d->ctap, channel_of(d, c) + 1, message, &reply);
        if (d->settle)
                d->settle(d->userdata);
        expect_reply_form(d, &c->client, &reply);
        d->seen[message.data[0]][reply.data[0]]++;
        return reply.data[0];
}

static struct bytes write_message(struct client *c, struct buf *out) {
        uint8_t n = 0;

        out->len = 0;
        for (unsigned i = 0; i < CLIENT_MEMBERS; i++)
                n = (uint8_t)(n + (c->members[i].len > 0));
        buf_put_u8(out, c->command);
        buf_put_u8(out, 0xa0 | n);
        for (uint8_t i = 0; i < CLIENT_MEMBERS; i++)
                if (c->members[i].len > 0) {
                        buf_put_u8(out, i);
                        buf_put(out, BYTES(c->members[i].data, c->members[i].len));
                }
        assert_int_equal(buf_error(out), 0);
        return buf_bytes(out);
}

/* The request with something wrong about its form: nothing is done, whatever it asks for (B). */
static void send_spoiled(struct driver *d, struct driver_client *c) {
        static const uint8_t null = 0xf6;
        uint8_t storage[8192], expected = CTAP2_ERR_INVALID_CBOR;
        const unsigned key = pick(d, CLIENT_MEMBERS), way = pick(d, 3);
        struct client other = c->client;
        struct buf b = BUF_ON(storage);

        if (way == 0 && other.members[key].len > 0) { /* B9 */
                other.members[key].data[0] = null;
                other.members[key].len = 1;
                expected = CTAP2_ERR_CBOR_UNEXPECTED_TYPE;
        }
        (void)write_message(&other, &b);
        if (expected == CTAP2_ERR_INVALID_CBOR && way == 1) /* B7 */
                buf_put_u8(&b, null);
        else if (expected == CTAP2_ERR_INVALID_CBOR) /* B10 */
                b.len = 2 + pick(d, (unsigned)b.len - 2);
        say(d, " spoiled");
        expect_status(d, driver_send_bytes(d, c, buf_bytes(&b)), expected);
        d->model.walk.kind = WALK_NONE; /* GN4, CM12: whatever it was, it was not the next step */
}

uint8_t driver_send(struct driver *d, struct driver_client *c) {
        struct client *cl = &c->client;
        uint8_t storage[8192];
        struct buf b = BUF_ON(storage);

        if (one_in(d, 50))
                send_spoiled(d, c);
        if (one_in(d, 20)) /* B12 */
                client_set(cl, CLIENT_MEMBERS - 1, "{'unknown': [null, 1]}");
        return driver_send_bytes(d, c, write_message(cl, &b));
}

void begin_request(struct driver_client *c, uint8_t command) {
        c->client.command = command;
        for (unsigned i = 0; i < CLIENT_MEMBERS; i++)
                client_unset(&c->client, i);
}

/* A new platform key for the authenticator's present one. */
void agree(struct driver *d, struct driver_client *c, unsigned protocol) {
        struct model_pin_request rq = { .subcommand = 2,
                                        .members = HAS_PROTOCOL,
                                        .protocol = (int)protocol };
        struct model_pin_reply foretold = { 0 };
        struct cbor_value map;
        struct bytes body;

        begin_request(c, 0x06);
        client_set(&c->client, 1, "%u", protocol);
        client_set(&c->client, 2, "2");
        say(d, " agree %u", protocol);
        expect_status(d, driver_send(d, c), model_client_pin(&d->model, &rq, &foretold));
        body = c->client.body;
        map = cbor_next(&body);
        if (map.n != 1 || cbor_next(&map.elements).integer != 1)
                differ(d, "not one key");
        platform_agree(&c->platforms[protocol], protocol, cbor_next(&map.elements).raw);
        c->agreements[protocol] =
                (struct model_agreement){ protocol, d->model.agreements[protocol] };
}

/* ---- who may ---- */

/* The newest token, as far as its holder can know: it may have run out. */
static bool has_good_token(const struct driver *d, unsigned permission, unsigned site) {
        const struct model_token *t = &d->model.token;

        return t->protocol != 0 && (t->permissions & permission) &&
               (t->site == MODEL_NO_SITE || t->site == (int)site);
}

static void pick_token(struct driver *d, struct model_proof *ret) {
        ret->kind = PROOF_GIVEN;
        ret->by.protocol = 1 + pick(d, 2); /* if there never was one */
        if (d->n_tokens > 0)
                ret->by = d->tokens[one_in(d, 12) ? pick(d, d->n_tokens) : 0];
        ret->protocol = one_in(d, 40) ? (int)pick(d, 4) : (int)ret->by.protocol;
        ret->spoiled = one_in(d, 40);
}

void pick_proof(struct driver *d, struct driver_client *c, unsigned permission, unsigned site,
                struct model_proof *ret) {
        *ret = (struct model_proof){ .kind = PROOF_NONE };
        if (d->model.pin.text && !has_good_token(d, permission, site) && !one_in(d, 3))
                get_token(d, c, permission, site);
        if (one_in(d, 40)) {
                ret->kind = PROOF_EMPTY;
                ret->protocol = (int)pick(d, 4);
        } else if (has_good_token(d, permission, site) ? !one_in(d, 6) : one_in(d, 6)) {
                pick_token(d, ret);
        }
}

void put_proof(struct driver *d, struct driver_client *c, const struct model_proof *p,
               unsigned param_key, unsigned protocol_key, struct bytes message) {
        struct platform by = { .protocol = p->by.protocol };
        uint8_t storage[32];
        struct buf param = BUF_ON(storage);

        if (p->kind == PROOF_NONE)
                return;
        say(d, p->kind == PROOF_EMPTY ? " empty" : " token/%d%s", p->protocol,
            p->spoiled ? " spoiled" : "");
        if (p->protocol != 0)
                client_set(&c->client, protocol_key, "%d", p->protocol);
        if (p->kind == PROOF_GIVEN) {
                memcpy(by.token, p->by.value, sizeof(by.token));
                platform_token_param(&by, p->spoiled ? BYTES_TEXT("another message") : message,
                                     &param);
        }
        client_set(&c->client, param_key, "h'%s'", client_hex(&c->client, buf_bytes(&param)));
}

/* ---- the world ---- */

/* When something ends by itself, as far as the model knows: one of them, or 0. */
static uint64_t pick_edge(struct driver *d) {
        const struct model *m = &d->model;
        const uint64_t edges[] = {
                m->powered_ms + 10000,       m->token.issued_ms + 30000,
                m->token.issued_ms + 600000, m->walk.kind == WALK_NONE ? 0 : m->walk.ends_ms,
                m->u2f.asking.until_ms,      m->u2f.granted.until_ms,
                m->u2f.denied.until_ms,
        };

        return edges[pick(d, ELEMENTSOF(edges))];
}

/* To the last moment before it, to the first one after, or some steps ahead of it. */
static unsigned pick_time(struct driver *d) {
        static const unsigned before[] = { 0, 1, 5000 };
        static const unsigned ms[] = { 1, 200, 3100, 29000, 31000, 600000 };
        const uint64_t edge = pick_edge(d) - before[pick(d, ELEMENTSOF(before))];
        const uint64_t now = d->model.now_ms;

        if (edge > now && edge < UINT64_MAX / 2 && !one_in(d, 3))
                return (unsigned)(edge - now);
        return ms[one_in(d, 10) ? pick(d, ELEMENTSOF(ms)) : pick(d, 3)];
}

static void step_time(struct driver *d, struct driver_client *c) {
        const unsigned n = pick_time(d);

        (void)c;
        say(d, " %u ms pass", n);
        d->fake->now_ms += n;
        d->model.now_ms += n;
        ctap_expire(d->ctap);
        model_expire(&d->model);
}

static void step_power_up(struct driver *d, struct driver_client *c) {
        (void)c;
        say(d, " power-up");
        ctap_power_up(d->ctap);
        model_power_up(&d->model);
}

static void step_sleep(struct driver *d, struct driver_client *c) {
        (void)c;
        say(d, " sleep");
        ctap_suspend(d->ctap);
        model_sleep(&d->model);
}

static void step_start(struct driver *d, struct driver_client *c) {
        (void)c;
        if (!d->restart)
                return;
        say(d, " another process");
        d->restart(d);
        model_start(&d->model);
}

static void step_restart_keys(struct driver *d, struct driver_client *c) {
        (void)c;
        if (!d->can_restart_keys)
                return;
        say(d, " the key device restarts");
        d->fake->epoch++;
        d->model.restarts++;
}

static void look_at_person(struct driver *d) {
        d->model.display = d->fake->abilities & CTAP_PRESENCE_DISPLAY;
        d->model.verifies = d->fake->abilities & CTAP_PRESENCE_VERIFY;
        d->model.holds = d->fake->abilities & CTAP_PRESENCE_HOLD;
        d->model.fingers = d->fake->abilities & CTAP_PRESENCE_FINGER;
}

static void step_display(struct driver *d, struct driver_client *c) {
        (void)c;
        d->fake->abilities = pick(d, 16);
        look_at_person(d);
        say(d, " display %d, verifies %d, holds %d, fingers %d", d->model.display,
            d->model.verifies, d->model.holds, d->model.fingers);
}

static void step_owner_deletes(struct driver *d, struct driver_client *c) {
        const struct passkey *p;
        struct ctap_credential_id id;

        (void)c;
        if (d->model.n_passkeys == 0)
                return;
        say(d, " the owner deletes");
        p = &d->model.passkeys[pick(d, d->model.n_passkeys)];
        memcpy(id.b, p->id.b, sizeof(id.b));
        assert_int_equal(d->store->ops->remove(d->store, &id), 0);
        model_delete(&d->model, p);
}

/* ---- commands without parameters ---- */

static uint8_t send_bare(struct driver *d, struct driver_client *c, uint8_t command) {
        return driver_send_bytes(d, c, BYTES_OF(command));
}

static void step_reset(struct driver *d, struct driver_client *c) {
        say(d, " reset");
        d->model.walk.kind = WALK_NONE;
        expect_status(d, send_bare(d, c, 0x07), model_reset(&d->model));
}

static void step_selection(struct driver *d, struct driver_client *c) {
        say(d, " selection");
        d->model.walk.kind = WALK_NONE;
        expect_status(d, send_bare(d, c, 0x0b), model_selection(&d->model));
}

static void step_unknown(struct driver *d, struct driver_client *c) {
        static const uint8_t commands[] = { 0x00, 0x03, 0x05, 0x09, 0x3f, 0x40, 0xc0, 0xff };

        say(d, " unknown command");
        d->model.walk.kind = WALK_NONE; /* GN4, CM12 */
        expect_status(d, send_bare(d, c, commands[pick(d, ELEMENTSOF(commands))]),
                      CTAP1_ERR_INVALID_COMMAND);
}

/* ---- all steps ---- */

typedef void step_fn(struct driver *d, struct driver_client *c);

static const struct {
        unsigned weight;
        step_fn *run;
} steps[] = {
        { 200, step_make_credential },
        { 260, step_get_assertion },
        { 15, step_get_next_assertion },
        { 60, step_get_token },
        { 60, step_client_pin },
        { 60, step_manage },
        { 40, step_config },
        { 40, step_blobs },
        { 100, step_u2f },
        { 60, step_time },
        { 30, step_get_info },
        { 10, step_selection },
        { 5, step_reset },
        { 8, step_power_up },
        { 4, step_start },
        { 4, step_restart_keys },
        { 3, step_sleep },
        { 5, step_display },
        { 5, step_owner_deletes },
        { 4, step_unknown },
};

static step_fn *next_step(const struct driver *d) {
        switch (d->model.walk.kind) {
        case WALK_ASSERTIONS:
                return step_get_next_assertion;
        case WALK_BLOBS:
                return step_blobs_next;
        default:
                return step_manage_next;
        }
}

static step_fn *pick_step(struct driver *d) {
        unsigned total = 0, n;

        if (d->model.walk.kind != WALK_NONE && one_in(d, 12))
                return step_time;
        /* Whoever was told that there is more asks for it. */
        if (d->model.walk.kind != WALK_NONE && !one_in(d, 3))
                return next_step(d);
        for (size_t i = 0; i < ELEMENTSOF(steps); i++)
                total += steps[i].weight;
        n = pick(d, total);
        for (size_t i = 0;; n -= steps[i++].weight)
                if (n < steps[i].weight)
                        return steps[i].run;
}

static void prepare_person(struct driver *d) {
        static const enum ctap_answer answers[] = { CTAP_ANSWER_NO, CTAP_ANSWER_TIMEOUT,
                                                    CTAP_ANSWER_CANCELLED };

        d->fake->answer = one_in(d, 10) ? answers[pick(d, ELEMENTSOF(answers))] : CTAP_ANSWER_YES;
        d->fake->thinking_ms = one_in(d, 20) ? 1000 * pick(d, 40) : 0;
        d->fake->typed = d->model.pin.text ? d->model.pin.text : "1234";
        d->fake->n_mistyped = one_in(d, 8) ? 1 + pick(d, 3) : 0;
        d->fake->finger = one_in(d, 2);
        d->fake->n_prompts = 0;
        fake_forget_trace(d->fake);
        d->model.gives_finger = d->fake->finger;
        d->model.answer = d->fake->answer;
        d->model.thinking_ms = d->fake->thinking_ms;
        d->model.typed = d->fake->typed;
        d->model.n_mistyped = d->fake->n_mistyped;
        d->model.question.n = 0;
}

/* What the person was asked, and what the world looks like now. */
static void expect_world(struct driver *d) {
        const struct model_question *q = &d->model.question;
        const struct ctap_prompt *p = &d->fake->prompt;
        const char *site = q->site == MODEL_NO_SITE ? "" : model_sites[q->site];

        if (d->fake->now_ms != d->model.now_ms)
                differ(d, "it took another time");
        if (d->fake->n_prompts != q->n)
                differ(d, "%u questions, and the model says %u", d->fake->n_prompts, q->n);
        if (q->n > 0 &&
            (p->ask != q->ask || p->passive != q->passive ||
             !bytes_equal(p->rp_id, BYTES_TEXT(site)) ||
             !bytes_equal(p->account, BYTES_TEXT(q->account)) || p->n_accounts != q->n_accounts))
                differ(d,
                       "the question is %d %d '%.*s' '%.*s' %u, and the model says %d %d '%s' '%s' %u",
                       p->ask, p->passive, (int)p->rp_id.len, (const char *)p->rp_id.data,
                       (int)p->account.len, (const char *)p->account.data, p->n_accounts, q->ask,
                       q->passive, site, q->account, q->n_accounts);
        if (q->n > 0 && (p->verify != q->verify || p->again != q->again || p->tries != q->tries ||
                         p->pin_only != q->pin_only))
                differ(d, "it asks for the PIN %d %d %u %d, and the model says %d %d %u %d",
                       p->verify, p->again, p->tries, p->pin_only, q->verify, q->again, q->tries,
                       q->pin_only);
        if (d->fake->shown != (d->model.u2f.asking.until_ms > 0))
                differ(d, "a question is up: %d", d->fake->shown);
        if (d->fake->n_loaded != 0)
                differ(d, "a key stays loaded");
}

void driver_read_arguments(int argc, char **argv, uint64_t *seed, unsigned *n_steps) {
        for (int i = 1; i + 1 < argc; i += 2)
                if (strcmp(argv[i], "--seed") == 0)
                        *seed = strtoull(argv[i + 1], NULL, 0);
                else if (strcmp(argv[i], "--steps") == 0)
                        *n_steps = (unsigned)strtoul(argv[i + 1], NULL, 0);
}

void driver_init(struct driver *d, struct fake *f, unsigned offered, uint64_t seed) {
        *d = (struct driver){ .fake = f, .random = seed };
        for (unsigned i = 0; i < MODEL_CHANNELS; i++)
                d->clients[i].client = (struct client){ .fake = f, .channel = i + 1 };
        for (unsigned i = 0; i < MODEL_SITES; i++)
                assert_int_equal(EVP_Digest(model_sites[i], strlen(model_sites[i]),
                                            d->site_hashes[i], NULL, EVP_sha256(), NULL),
                                 1);
        model_init(&d->model, f->now_ms);
        d->model.algorithms = offered;
        look_at_person(d);
}

void driver_run(struct driver *d, unsigned n_steps) {
        d->n_steps = n_steps;
        for (d->step = 0; d->step < n_steps; d->step++) {
                struct driver_client *c = &d->clients[pick(d, MODEL_CHANNELS)];

                d->log[d->step % DRIVER_LOG][0] = '\0';
                say(d, " [%u]", channel_of(d, c));
                prepare_person(d);
                pick_step(d)(d, c);
                expect_world(d);
        }
        d->done = true;
}
