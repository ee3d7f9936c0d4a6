/* SPDX-License-Identifier: BSD-2-Clause */

/* makeCredential, getAssertion, getNextAssertion, written and read: see driver.h. */

#include <stdio.h>
#include <string.h>

#include "tests/property/driver.h"
#include "tests/unit/test.h"

static const char *const option_values[] = { NULL, "false", "true" };

static void pick_hash(struct driver *d, struct driver_client *c) {
        for (size_t i = 0; i < sizeof(c->client.client_data_hash); i++)
                c->client.client_data_hash[i] = (uint8_t)pick(d, 256);
}

enum maybe pick_option(struct driver *d, unsigned n) {
        return one_in(d, n) ? (enum maybe)(FALSE + pick(d, 2)) : LEFT_OUT;
}

static void put_options(struct driver *d, struct driver_client *c, unsigned key, enum maybe rk,
                        enum maybe up, enum maybe uv) {
        const enum maybe values[] = { rk, up, uv };
        static const char *const names[] = { "rk", "up", "uv" };
        char notation[128] = "{";
        size_t n = 1;

        for (size_t i = 0; i < ELEMENTSOF(names); i++)
                if (values[i] != LEFT_OUT) {
                        say(d, " %s=%s", names[i], option_values[values[i]]);
                        n += (size_t)snprintf(notation + n, sizeof(notation) - n, "%s'%s': %s",
                                              n > 1 ? ", " : "", names[i],
                                              option_values[values[i]]);
                }
        if (n > 1)
                client_set(&c->client, key, "%s}", notation);
}

/* ---- lists ---- */

static void pick_list(struct driver *d, unsigned site, struct model_list *ret) {
        *ret = (struct model_list){ .there = true, .n = pick(d, MODEL_LIST + 1) };
        for (unsigned i = 0; i < ret->n; i++) {
                ret->ids[i] = pick_id(d, site);
                ret->other_type[i] = one_in(d, 30);
        }
}

static void put_list(struct driver *d, struct driver_client *c, unsigned key,
                     const struct model_list *l) {
        char notation[MODEL_LIST * 160] = "[";
        size_t n = 1;

        if (!l->there)
                return;
        say(d, " list of %u", l->n);
        for (unsigned i = 0; i < l->n; i++)
                n += (size_t)snprintf(notation + n, sizeof(notation) - n,
                                      "%s{'id': h'%s', 'type': '%s'}", i > 0 ? ", " : "",
                                      client_hex(&c->client, BYTES_OF(l->ids[i])),
                                      l->other_type[i] ? "some-thing" : "public-key");
        client_set(&c->client, key, "%s]", notation);
}

/* ---- hmac-secret ---- */

static void pick_salts(struct driver *d, struct driver_client *c, struct model_salts *ret) {
        const unsigned protocol = 1 + pick(d, 2);

        if (c->agreements[protocol].protocol == 0 || one_in(d, 10))
                agree(d, c, protocol);
        *ret = (struct model_salts){
                .there = true,
                .by = c->agreements[protocol],
                .n = 1 + pick(d, 2),
                .salt = { pick(d, MODEL_SALTS), pick(d, MODEL_SALTS) },
                .bad_mac = one_in(d, 30),
                .bad_length = one_in(d, 30),
        };
}

/* In diagnostic notation. */
static void write_salts(struct driver *d, struct driver_client *c, const struct model_salts *s,
                        char *to, size_t room) {
        const struct platform *p = &c->platforms[s->by.protocol];
        uint8_t salts[80], encrypted[96], mac[32];
        struct buf enc = BUF_ON(encrypted), auth = BUF_ON(mac);

        for (unsigned i = 0; i < s->n; i++)
                memset(salts + 32 * i, (int)s->salt[i], 32);
        memset(salts + 32 * s->n, 0, sizeof(salts) - 32 * s->n);
        platform_encrypt(p, BYTES(salts, 32 * s->n + (s->bad_length ? 16 : 0)), &enc);
        platform_authenticate(p, buf_bytes(&enc), &auth);
        mac[0] ^= s->bad_mac;
        say(d, " salts %u/%u%s%s", s->n, s->by.protocol, s->bad_mac ? " bad MAC" : "",
            s->bad_length ? " bad length" : "");
        snprintf(to, room, "{1: {1: 2, 3: -25, -1: 1, -2: h'%s', -3: h'%s'}, 2: h'%s', 3: h'%s'%s}",
                 client_hex(&c->client, BYTES_OF(p->x)), client_hex(&c->client, BYTES_OF(p->y)),
                 client_hex(&c->client, buf_bytes(&enc)), client_hex(&c->client, buf_bytes(&auth)),
                 s->by.protocol == 2 ? ", 4: 2"
                 : one_in(d, 2)      ? ", 4: 1"
                                     : ""); /* the first if none is named (D3) */
}

/* The same salts give the same answer for ever, and another one to a verified person (D3). */
static void expect_hmac(struct driver *d, const struct platform *p, const struct model_salts *s,
                        struct passkey *key, bool uv, const struct cbor_value *output) {
        uint8_t storage[96];
        struct buf plain = BUF_ON(storage);

        if (output->kind != CBOR_KIND_BYTES || output->string.len % 16 != 0 ||
            output->string.len != 32 * s->n + (p->protocol == 2 ? 16 : 0))
                differ(d, "no output of hmac-secret");
        platform_decrypt(p, output->string, &plain);
        for (unsigned i = 0; i < s->n; i++) {
                uint8_t *known = key->hmac[uv][s->salt[i]];

                if (key->knows_hmac[uv][s->salt[i]] && memcmp(known, storage + 32 * i, 32) != 0)
                        differ(d, "hmac-secret gives something else than before");
                key->knows_hmac[uv][s->salt[i]] = true;
                memcpy(known, storage + 32 * i, 32);
                for (unsigned j = 0; j < MODEL_SALTS; j++)
                        if (key->knows_hmac[!uv][j] && memcmp(key->hmac[!uv][j], known, 32) == 0)
                                differ(d, "hmac-secret gives the same with verification");
        }
}

/* ---- makeCredential: the request ---- */

static void pick_algs(struct driver *d, struct model_creation *rq) {
        static const int algs[] = { -7, -9, -35, -51, -257, -8 };

        rq->n_algs = 1;
        rq->algs[0] = -7;
        if (!one_in(d, 8))
                return;
        rq->n_algs = pick(d, 4);
        for (unsigned i = 0; i < rq->n_algs; i++)
                rq->algs[i] = algs[pick(d, ELEMENTSOF(algs))];
}

static void pick_creation(struct driver *d, struct driver_client *c, struct model_creation *rq) {
        *rq = (struct model_creation){
                .channel = channel_of(d, c),
                .site = pick_site(d, c),
                .account = pick(d, MODEL_ACCOUNTS),
                .rk = one_in(d, 4) ? pick_option(d, 2) : TRUE,
                .up = pick_option(d, 20),
                .uv = pick_option(d, 20),
                .enterprise = one_in(d, d->model.enterprise ? 6 : 60) ? 1 + (int)pick(d, 3) : 0,
                .format = one_in(d, 4) ? (enum model_format)pick(d, _FORMATS) : FORMAT_LEFT_OUT,
                .protect = one_in(d, 3) ? 1 + (int)pick(d, 3) : -1,
                .hmac_secret = pick_option(d, 6),
                .blob_len = one_in(d, 5) ? (int)pick(d, 36) : -1,
                .large_blob_key = one_in(d, 5) ? TRUE : pick_option(d, 60),
                .least_pin = pick_option(d, 6),
                .complexity = pick_option(d, 6),
                .payment = pick_option(d, 6),
        };
        if (one_in(d, 60))
                rq->protect = one_in(d, 2) ? 0 : 4;
        pick_algs(d, rq);
        pick_proof(d, c, PERMISSION_MC, rq->site, &rq->proof);
        if (one_in(d, 6))
                pick_list(d, rq->site, &rq->exclude);
        if (one_in(d, 10)) {
                pick_salts(d, c, &rq->salts);
                if (!one_in(d, 8))
                        rq->hmac_secret = TRUE;
        }
}

static void put_names(struct driver_client *c, const struct model_creation *rq) {
        const struct model_account *a = &model_accounts[rq->account];
        char notation[512];
        int n;

        client_set(&c->client, 2, "{'id': '%s'}", model_sites[rq->site]);
        n = snprintf(notation, sizeof(notation), "{'id': h'%s'",
                     client_hex(&c->client, BYTES_TEXT(a->id)));
        if (a->name)
                n += snprintf(notation + n, sizeof(notation) - (size_t)n, ", 'name': '%s'",
                              a->name);
        if (a->display_name)
                n += snprintf(notation + n, sizeof(notation) - (size_t)n, ", 'displayName': '%s'",
                              a->display_name);
        client_set(&c->client, 3, "%s}", notation);
}

static void put_algs(struct driver_client *c, const struct model_creation *rq) {
        char notation[256] = "[";
        size_t n = 1;

        for (unsigned i = 0; i < rq->n_algs; i++)
                n += (size_t)snprintf(notation + n, sizeof(notation) - n,
                                      "%s{'alg': %d, 'type': 'public-key'}", i > 0 ? ", " : "",
                                      rq->algs[i]);
        client_set(&c->client, 4, "%s]", notation);
}

void add(char map[static 4096], const char *format, ...) {
        size_t n = strlen(map);
        va_list args;

        n += (size_t)snprintf(map + n, 4096 - n, n > 1 ? ", " : "");
        va_start(args, format);
        vsnprintf(map + n, 4096 - n, format, args);
        va_end(args);
}

void add_option(struct driver *d, char map[static 4096], const char *name, enum maybe value) {
        if (value == LEFT_OUT)
                return;
        say(d, " %s=%s", name, option_values[value]);
        add(map, "'%s': %s", name, option_values[value]);
}

static void add_blob(struct driver *d, struct driver_client *c, char map[static 4096], int len) {
        uint8_t blob[64];

        if (len < 0)
                return;
        memset(blob, 'b', sizeof(blob));
        say(d, " credBlob of %d", len);
        add(map, "'credBlob': h'%s'", client_hex(&c->client, BYTES(blob, (size_t)len)));
}

static void put_creation_extensions(struct driver *d, struct driver_client *c,
                                    const struct model_creation *rq) {
        char map[4096] = "{", salts[2048];

        add_blob(d, c, map, rq->blob_len);
        if (rq->protect >= 0) {
                say(d, " protect %d", rq->protect);
                add(map, "'credProtect': %d", rq->protect);
        }
        add_option(d, map, "hmac-secret", rq->hmac_secret);
        add_option(d, map, "largeBlobKey", rq->large_blob_key);
        add_option(d, map, "minPinLength", rq->least_pin);
        if (rq->salts.there) {
                write_salts(d, c, &rq->salts, salts, sizeof(salts));
                add(map, "'hmac-secret-mc': %s", salts);
        }
        add_option(d, map, "thirdPartyPayment", rq->payment);
        add_option(d, map, "pinComplexityPolicy", rq->complexity);
        if (map[1] != '\0')
                client_set(&c->client, 6, "%s}", map);
}

static void put_wants(struct driver *d, struct driver_client *c, const struct model_wants *w) {
        char map[4096] = "{", salts[2048];

        add_option(d, map, "credBlob", w->blob);
        if (w->salts.there) {
                write_salts(d, c, &w->salts, salts, sizeof(salts));
                add(map, "'hmac-secret': %s", salts);
        }
        add_option(d, map, "largeBlobKey", w->large_blob_key);
        add_option(d, map, "thirdPartyPayment", w->payment);
        if (map[1] != '\0')
                client_set(&c->client, 4, "%s}", map);
}

static void write_creation(struct driver *d, struct driver_client *c,
                           const struct model_creation *rq) {
        static const char *const formats[] = { NULL, "['none']", "['tpm', 'none', 'x']",
                                               "['packed', 'none']" };

        begin_request(c, 0x01);
        say(d, " makeCredential %s %u", model_sites[rq->site], rq->account);
        pick_hash(d, c);
        client_set(&c->client, 1, "h'%s'",
                   client_hex(&c->client, BYTES_OF(c->client.client_data_hash)));
        put_names(c, rq);
        put_algs(c, rq);
        put_list(d, c, 5, &rq->exclude);
        put_creation_extensions(d, c, rq);
        put_options(d, c, 7, rq->rk, rq->up, rq->uv);
        put_proof(d, c, &rq->proof, 8, 9, BYTES_OF(c->client.client_data_hash));
        if (rq->enterprise != 0)
                say(d, " enterprise %d", rq->enterprise);
        if (rq->enterprise != 0)
                client_set(&c->client, 0x0a, "%d", rq->enterprise);
        if (formats[rq->format])
                client_set(&c->client, 0x0b, "%s", formats[rq->format]);
}

/* ---- makeCredential: the reply ---- */

static void expect_site(struct driver *d, struct bytes auth_data, unsigned site) {
        if (memcmp(auth_data.data, site_hash(d, site), 32) != 0)
                differ(d, "it is of another site");
}

static struct cbor_value read_outputs(struct driver *d, struct bytes outputs, unsigned foretold) {
        struct cbor_value map = { 0 };

        if (outputs.len > 0)
                map = cbor_next(&outputs);
        if (map.n != foretold)
                differ(d, "%u outputs, and the model says %u", map.n, foretold);
        return map;
}

/* LEFT_OUT says nothing: the number of outputs is right. */
static void expect_flag(struct driver *d, const struct cbor_value *outputs, const char *name,
                        enum maybe foretold) {
        const struct cbor_value v = cbor_find_text(outputs, name);

        if (foretold != LEFT_OUT && (v.kind != CBOR_KIND_BOOL || v.boolean != (foretold == TRUE)))
                differ(d, "%s is another", name);
}

/* 0: nothing is foretold. */
static void expect_number(struct driver *d, const struct cbor_value *outputs, const char *name,
                          unsigned foretold) {
        const struct cbor_value v = cbor_find_text(outputs, name);

        if (foretold > 0 && (v.kind != CBOR_KIND_INT || v.integer != foretold))
                differ(d, "%s is another than %u", name, foretold);
}

static void expect_creation_outputs(struct driver *d, const struct driver_client *c,
                                    struct model_created *f, struct bytes outputs) {
        const unsigned n = 0u + (f->protect > 0) + f->hmac_secret + f->salts.there +
                           (f->keeps_blob != LEFT_OUT) + (f->least_pin > 0) +
                           (f->complexity != LEFT_OUT);
        const struct cbor_value map = read_outputs(d, outputs, n);
        struct cbor_value v;

        expect_number(d, &map, "credProtect", f->protect > 0 ? (unsigned)f->protect : 0);
        expect_number(d, &map, "minPinLength", f->least_pin);
        expect_flag(d, &map, "credBlob", f->keeps_blob);
        expect_flag(d, &map, "hmac-secret", f->hmac_secret ? TRUE : LEFT_OUT);
        expect_flag(d, &map, "pinComplexityPolicy", f->complexity);
        if (!f->salts.there)
                return;
        v = cbor_find_text(&map, "hmac-secret-mc");
        expect_hmac(d, &c->platforms[f->salts.by.protocol], &f->salts, &f->passkey, f->uv, &v);
}

static void expect_use_outputs(struct driver *d, const struct platform *platform,
                               struct model_used *f, struct bytes outputs) {
        const struct model_wants *w = &f->wants;
        const unsigned n = 0u + w->salts.there + (w->blob == TRUE) + (w->payment == TRUE);
        const struct cbor_value map = read_outputs(d, outputs, n);
        struct passkey *p = f->passkey;
        struct bytes blob = BYTES_NULL;
        struct cbor_value v;

        if (model_is_open(p, f->pin))
                blob = BYTES(p->blob, p->blob_len);
        v = cbor_find_text(&map, "credBlob");
        if (w->blob == TRUE && (v.kind != CBOR_KIND_BYTES || !bytes_equal(v.string, blob)))
                differ(d, "another credBlob");
        if (w->payment == TRUE)
                expect_flag(d, &map, "thirdPartyPayment", p->payment ? TRUE : FALSE);
        v = cbor_find_text(&map, "hmac-secret");
        if (w->salts.there)
                expect_hmac(d, platform, &w->salts, p, f->uv, &v);
}

static void expect_large_blob_key(struct driver *d, struct bytes is, const struct passkey *p,
                                  bool wanted) {
        const bool there = wanted && p->has_large_blob_key;

        if (!bytes_equal(is, there ? BYTES_OF(p->large_blob_key) : BYTES_NULL))
                differ(d, "another large blob key"); /* GA16 */
}

/* MC22; it is as random as the id. */
static void learn_large_blob_key(struct driver *d, struct bytes is, struct passkey *p) {
        if ((is.len == sizeof(p->large_blob_key)) != p->has_large_blob_key)
                differ(d, "a large blob key of %zu bytes", is.len);
        if (p->has_large_blob_key)
                memcpy(p->large_blob_key, is.data, sizeof(p->large_blob_key));
}

static void expect_created(struct driver *d, struct driver_client *c,
                           const struct model_creation *rq, struct model_created *foretold) {
        const unsigned flags = 0x41u | (foretold->uv ? 0x04u : 0);
        struct passkey *p = &foretold->passkey;
        struct made made;

        client_read_made(&c->client, &made);
        expect_site(d, made.auth_data, rq->site);
        if ((made.flags & ~0x80u) != flags || made.count != 0)
                differ(d, "flags %02x, count %u", made.flags, made.count);
        if (made.alg != foretold->alg || made.id.len != sizeof(p->id))
                differ(d, "alg %d, id of %zu", (int)made.alg, made.id.len);
        if (bytes_equal(made.fmt, BYTES_TEXT("packed")) != foretold->packed ||
            made.enterprise != foretold->enterprise)
                differ(d, "another attestation");
        memcpy(&p->id, made.id.data, sizeof(p->id));
        memcpy(p->x, made.x, sizeof(p->x));
        memcpy(p->y, made.y, sizeof(p->y));
        memcpy(p->modulus, made.modulus, sizeof(p->modulus));
        p->field = made.field;
        learn_large_blob_key(d, made.large_blob_key, p);
        expect_creation_outputs(d, c, foretold, made.extensions);
        remember_id(d, &p->id);
}

void step_make_credential(struct driver *d, struct driver_client *c) {
        struct model_creation rq;
        struct model_created foretold;
        uint8_t status;

        pick_creation(d, c, &rq);
        write_creation(d, c, &rq);
        status = driver_send(d, c);
        expect_status(d, status, model_make_credential(&d->model, &rq, &foretold));
        if (status != CTAP_OK)
                return;
        expect_created(d, c, &rq, &foretold);
        if (foretold.kept)
                model_keep(&d->model, &foretold.passkey);
}

/* ---- assertions ---- */

static void pick_use(struct driver *d, struct driver_client *c, struct model_use *rq) {
        *rq = (struct model_use){
                .channel = channel_of(d, c),
                .site = pick_site(d, c),
                .rk = pick_option(d, 60),
                .up = one_in(d, 4) ? FALSE : pick_option(d, 4),
                .uv = pick_option(d, 20),
        };
        pick_proof(d, c, PERMISSION_GA, rq->site, &rq->proof);
        if (one_in(d, 2))
                pick_list(d, rq->site, &rq->allow);
        if (one_in(d, 6))
                pick_salts(d, c, &rq->wants.salts);
        rq->wants.blob = pick_option(d, 8);
        rq->wants.large_blob_key = one_in(d, 8) ? TRUE : pick_option(d, 80);
        rq->wants.payment = pick_option(d, 8);
}

static void write_use(struct driver *d, struct driver_client *c, const struct model_use *rq) {
        begin_request(c, 0x02);
        say(d, " getAssertion %s", model_sites[rq->site]);
        pick_hash(d, c);
        client_set(&c->client, 1, "'%s'", model_sites[rq->site]);
        client_set(&c->client, 2, "h'%s'",
                   client_hex(&c->client, BYTES_OF(c->client.client_data_hash)));
        put_list(d, c, 3, &rq->allow);
        put_wants(d, c, &rq->wants);
        put_options(d, c, 5, rq->rk, rq->up, rq->uv);
        put_proof(d, c, &rq->proof, 6, 7, BYTES_OF(c->client.client_data_hash));
}

/* GA12: NULL is a name that must not be there. */
static void expect_name(struct driver *d, struct bytes is, const char *foretold) {
        if (!bytes_equal(is, foretold ? BYTES_TEXT(foretold) : BYTES_NULL))
                differ(d, "the name is '%.*s'", (int)is.len, (const char *)is.data);
}

static void expect_user(struct driver *d, const struct given *g,
                        const struct model_used *foretold) {
        const struct passkey *p = foretold->passkey;
        const bool name = foretold->names && p->has_name;
        const bool display_name = foretold->names && p->has_display_name;

        if (g->has_user != p->discoverable)
                differ(d, "a user is told: %d", g->has_user);
        if (!g->has_user)
                return;
        if (!bytes_equal(g->user_id, BYTES_TEXT(model_accounts[p->account].id)))
                differ(d, "another user");
        if (g->n_user_members != 1u + name + display_name)
                differ(d, "%u things about the user", g->n_user_members);
        expect_name(d, g->user_name, name ? p->name : NULL);
        expect_name(d, g->user_display_name, display_name ? p->display_name : NULL);
}

/* F5, GA15: with presence it grows, without it stays, but for a crash or a signature that failed. */
void expect_count(struct driver *d, struct passkey *p, uint32_t count, bool up) {
        if (up ? count <= p->count : count < p->count || (count > p->count && !p->may_have_risen))
                differ(d, "the count is %u after %u", count, p->count);
        p->count = count;
        p->may_have_risen = false;
}

void as_made(const struct passkey *p, struct made *ret) {
        *ret = (struct made){ .alg = p->alg, .field = p->field, .id = BYTES_OF(p->id) };
        memcpy(ret->x, p->x, sizeof(ret->x));
        memcpy(ret->y, p->y, sizeof(ret->y));
        memcpy(ret->modulus, p->modulus, sizeof(ret->modulus));
}

static void read_given(struct driver_client *c, const struct model_used *foretold,
                       struct given *ret) {
        const struct passkey *p = foretold->passkey;
        struct made made;

        as_made(p, &made);
        if (model_is_open(p, foretold->pin))
                client_read_given(&c->client, &made, ret);
        else
                client_read_probe(&c->client, &made, ret);
}

static void expect_given(struct driver *d, struct driver_client *c, const struct platform *platform,
                         struct model_used *foretold, unsigned site) {
        const unsigned flags = (foretold->up ? 1u : 0) | (foretold->uv ? 4u : 0);
        struct given g;

        read_given(c, foretold, &g);
        expect_site(d, g.auth_data, site);
        if ((g.flags & ~0x80u) != flags) /* ED is looked at where it was read */
                differ(d, "flags %02x, and the model says %02x", g.flags, flags);
        if (g.n_credentials != foretold->n)
                differ(d, "%u credentials, and the model says %u", g.n_credentials, foretold->n);
        expect_count(d, foretold->passkey, g.count, foretold->up);
        expect_user(d, &g, foretold);
        expect_use_outputs(d, platform, foretold, g.extensions);
        expect_large_blob_key(d, g.large_blob_key, foretold->passkey,
                              foretold->wants.large_blob_key == TRUE &&
                                      model_is_open(foretold->passkey, foretold->pin));
}

void step_get_assertion(struct driver *d, struct driver_client *c) {
        struct model_use rq;
        struct model_used foretold;
        uint8_t status;

        pick_use(d, c, &rq);
        write_use(d, c, &rq);
        c->walk = c->platforms[rq.wants.salts.by.protocol];
        status = driver_send(d, c);
        expect_status(d, status, model_get_assertion(&d->model, &rq, &foretold));
        if (status == CTAP_OK)
                expect_given(d, c, &c->walk, &foretold, rq.site);
}

void step_get_next_assertion(struct driver *d, struct driver_client *c) {
        const uint8_t command = 0x08;
        struct model_used foretold;
        const unsigned site = d->model.walk.site;
        uint8_t status;

        /* Most often the client that was told that there is more. */
        if (d->model.walk.kind != WALK_NONE && !one_in(d, 20))
                c = &d->clients[d->model.walk.channel];
        say(d, " getNextAssertion [%u]", channel_of(d, c));
        status = driver_send_bytes(d, c, BYTES_OF(command));
        expect_status(d, status, model_get_next_assertion(&d->model, channel_of(d, c), &foretold));
        if (status == CTAP_OK)
                expect_given(d, c, &c->walk, &foretold, site);
}
