/* SPDX-License-Identifier: BSD-2-Clause */

/* authenticatorCredentialManagement, written and read: see driver.h. */

#include <stdio.h>
#include <string.h>

#include "tests/fake/pin-client.h"
#include "tests/property/driver.h"
#include "tests/unit/test.h"

/* ---- the request ---- */

static const char *pick_name(struct driver *d) {
        static const char *const names[] = { NULL, "", "eve", "another name" };

        return names[pick(d, ELEMENTSOF(names))];
}

static unsigned params_of(unsigned subcommand) {
        static const unsigned params[] = {
                [4] = HAS_SITE_HASH, [6] = HAS_ID, [7] = HAS_ID | HAS_USER
        };

        return subcommand < ELEMENTSOF(params) ? params[subcommand] : 0;
}

static void pick_request(struct driver *d, struct driver_client *c, unsigned subcommand,
                         struct model_management *rq) {
        const struct passkey *p;

        *rq = (struct model_management){
                .channel = channel_of(d, c),
                .subcommand = subcommand,
                .params = params_of(subcommand),
                .site = one_in(d, 20) ? MODEL_SITES : pick_site(d, c),
                .account = pick(d, MODEL_ACCOUNTS),
                .name = pick_name(d),
                .display_name = pick_name(d),
        };
        rq->id = pick_id(d, rq->site);
        p = model_find(&d->model, &rq->id);
        if (p && p->account != MODEL_NOBODY && !one_in(d, 8))
                rq->account = p->account;
        if (one_in(d, 40))
                rq->params &= pick(d, 8);
        pick_proof(d, c, PERMISSION_CM, rq->site, &rq->proof);
        if (rq->proof.kind == PROOF_EMPTY)
                rq->proof.kind = PROOF_NONE;
        if (d->persistent.protocol != 0 && one_in(d, 3)) {
                rq->proof = (struct model_proof){ .kind = PROOF_GIVEN, .by = d->persistent };
                rq->proof.by.protocol = 1 + pick(d, 2); /* it belongs to none (CP34) */
                rq->proof.protocol = (int)rq->proof.by.protocol;
                rq->proof.spoiled = one_in(d, 20);
        }
}

static const uint8_t *hash_of(const struct driver *d, unsigned site) {
        static const uint8_t nobody[32] = { 0x4e };

        return site == MODEL_SITES ? nobody : site_hash(d, site);
}

static void put_params(struct driver *d, struct driver_client *c,
                       const struct model_management *rq) {
        const struct model_account *a = &model_accounts[rq->account];
        char map[2048] = "{";
        size_t n = 1;

        if (rq->params & HAS_SITE_HASH)
                n += (size_t)snprintf(map + n, sizeof(map) - n, "1: h'%s'",
                                      client_hex(&c->client, BYTES(hash_of(d, rq->site), 32)));
        if (rq->params & HAS_ID)
                n += (size_t)snprintf(map + n, sizeof(map) - n,
                                      "%s2: {'id': h'%s', 'type': 'public-key'}", n > 1 ? ", " : "",
                                      client_hex(&c->client, BYTES_OF(rq->id)));
        if (rq->params & HAS_USER) {
                n += (size_t)snprintf(map + n, sizeof(map) - n, "%s3: {'id': h'%s'",
                                      n > 1 ? ", " : "", client_hex(&c->client, BYTES_TEXT(a->id)));
                if (rq->name)
                        n += (size_t)snprintf(map + n, sizeof(map) - n, ", 'name': '%s'", rq->name);
                if (rq->display_name)
                        n += (size_t)snprintf(map + n, sizeof(map) - n, ", 'displayName': '%s'",
                                              rq->display_name);
                n += (size_t)snprintf(map + n, sizeof(map) - n, "}");
        }
        if (params_of(rq->subcommand) != 0 && rq->params != 0)
                client_set(&c->client, 2, "%s}", map);
}

/* CM1 */
static void write_request(struct driver *d, struct driver_client *c,
                          const struct model_management *rq) {
        uint8_t storage[2048];
        struct buf message = BUF_ON(storage);

        begin_request(c, 0x0a);
        say(d, " credentialManagement %u params %x site %u account %u", rq->subcommand, rq->params,
            rq->site, rq->account);
        client_set(&c->client, 1, "%u", rq->subcommand);
        put_params(d, c, rq);
        buf_put_u8(&message, (uint8_t)rq->subcommand);
        buf_put(&message, BYTES(c->client.members[2].data, c->client.members[2].len));
        put_proof(d, c, &rq->proof, 4, 3, buf_bytes(&message));
}

/* ---- the reply ---- */

enum { MEMBERS = 0x0d };

/* By their keys, all of which are small. */
static unsigned read_members(struct driver *d, struct driver_client *c,
                             struct cbor_value ret[static MEMBERS]) {
        struct bytes body = c->client.body;
        const struct cbor_value map = body.len > 0 ? cbor_next(&body) : (struct cbor_value){ 0 };
        struct bytes left = map.elements;

        memset(ret, 0, MEMBERS * sizeof(*ret));
        for (uint32_t i = 0; i < map.n; i++) {
                const int64_t key = cbor_next(&left).integer;

                if (key < 1 || key >= MEMBERS)
                        differ(d, "a member %d", (int)key);
                ret[key] = cbor_next(&left);
        }
        return map.n;
}

static void expect_int(struct driver *d, const struct cbor_value *v, unsigned foretold) {
        if (v->kind != CBOR_KIND_INT || v->integer != foretold)
                differ(d, "it is %d, and the model says %u", (int)v->integer, foretold);
}

/* n: 0 if it must not be there. */
static void expect_total(struct driver *d, const struct cbor_value *v, unsigned n) {
        if (n > 0)
                expect_int(d, v, n);
        else if (v->kind != CBOR_KIND_ABSENT)
                differ(d, "a total where none belongs");
}

static void expect_site(struct driver *d, struct driver_client *c,
                        const struct model_managed *foretold) {
        struct cbor_value m[MEMBERS], id;
        const unsigned n = read_members(d, c, m);

        expect_total(d, &m[5], foretold->n);
        id = cbor_find_text(&m[3], "id");
        for (unsigned site = 0; site < MODEL_SITES; site++)
                if (bytes_equal(id.string, BYTES_TEXT(model_sites[site]))) {
                        if (!(foretold->sites & 1u << site))
                                differ(d, "%s is not what comes next", model_sites[site]);
                        if (!bytes_equal(m[4].string, BYTES(site_hash(d, site), 32)) ||
                            n != 2u + (foretold->n > 0) || m[3].n != 1)
                                differ(d, "a site of another form");
                        model_listed(&d->model, site);
                        return;
                }
        differ(d, "an unknown site");
}

static void expect_names(struct driver *d, const struct cbor_value *user, const struct passkey *p) {
        const struct cbor_value id = cbor_find_text(user, "id"),
                                name = cbor_find_text(user, "name");
        const struct cbor_value display_name = cbor_find_text(user, "displayName");

        if (user->n != 1u + p->has_name + p->has_display_name ||
            !bytes_equal(id.string, BYTES_TEXT(model_accounts[p->account].id)) ||
            !bytes_equal(name.string, BYTES_TEXT(p->has_name ? p->name : "")) ||
            !bytes_equal(display_name.string,
                         BYTES_TEXT(p->has_display_name ? p->display_name : "")))
                differ(d, "another user"); /* CM11 */
}

/* The key as it was when the passkey was made. */
static void expect_key(struct driver *d, struct cbor_value map, const struct passkey *p) {
        int64_t alg = 0;
        bool found = false;

        for (uint32_t i = 0; i < map.n; i++) {
                const struct cbor_value key = cbor_next(&map.elements);
                const struct cbor_value v = cbor_next(&map.elements);

                if (key.integer == 3)
                        alg = v.integer;
                if (v.kind == CBOR_KIND_BYTES && key.integer == (p->field == 0 ? -1 : -2))
                        found = bytes_equal(v.string, p->field == 0 ? BYTES_OF(p->modulus)
                                                                    : BYTES(p->x, p->field));
        }
        if (alg != p->alg || !found)
                differ(d, "another public key");
}

static void expect_passkey(struct driver *d, struct driver_client *c,
                           const struct model_managed *foretold) {
        const struct passkey *p = foretold->passkey;
        struct cbor_value m[MEMBERS], id;
        const unsigned n = read_members(d, c, m);

        if (n != 5u + (foretold->n > 0) + p->has_large_blob_key)
                differ(d, "%u members", n);
        expect_total(d, &m[9], foretold->n);
        id = cbor_find_text(&m[7], "id");
        if (!bytes_equal(id.string, BYTES_OF(p->id)) || m[7].n != 2)
                differ(d, "another passkey");
        expect_names(d, &m[6], p);
        expect_key(d, m[8], p);
        expect_int(d, &m[0x0a], p->protect);
        if (!bytes_equal(m[0x0b].string,
                         p->has_large_blob_key ? BYTES_OF(p->large_blob_key) : BYTES_NULL))
                differ(d, "another large blob key");
        if (m[0x0c].kind != CBOR_KIND_BOOL || m[0x0c].boolean != p->payment)
                differ(d, "thirdPartyPayment is another");
}

static void expect_metadata(struct driver *d, struct driver_client *c,
                            const struct model_managed *foretold) {
        struct cbor_value m[MEMBERS];

        if (read_members(d, c, m) != 2)
                differ(d, "other members");
        expect_int(d, &m[1], foretold->n);
        expect_int(d, &m[2], foretold->remaining);
}

static void run(struct driver *d, struct driver_client *c, unsigned subcommand) {
        struct model_management rq;
        struct model_managed foretold = { 0 };
        uint8_t status;

        pick_request(d, c, subcommand, &rq);
        write_request(d, c, &rq);
        status = driver_send(d, c);
        expect_status(d, status, model_manage(&d->model, &rq, &foretold));
        if (status != CTAP_OK)
                return;
        if (subcommand == 1)
                expect_metadata(d, c, &foretold);
        else if (subcommand <= 3)
                expect_site(d, c, &foretold);
        else if (subcommand <= 5)
                expect_passkey(d, c, &foretold);
        else if (c->client.body.len > 0)
                differ(d, "a body where none belongs");
}

void step_manage(struct driver *d, struct driver_client *c) {
        static const unsigned often[] = { 1, 2, 2, 4, 4, 6, 7 };

        run(d, c, one_in(d, 8) ? pick(d, 9) : often[pick(d, ELEMENTSOF(often))]);
}

/* Most often the client that was told that there is more. */
void step_manage_next(struct driver *d, struct driver_client *c) {
        const bool sites = d->model.walk.kind == WALK_SITES;

        if (!one_in(d, 20))
                c = &d->clients[d->model.walk.channel];
        say(d, " [%u]", channel_of(d, c));
        run(d, c, sites != one_in(d, 40) ? 3 : 5);
}
