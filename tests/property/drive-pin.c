/* SPDX-License-Identifier: BSD-2-Clause */

/* authenticatorClientPIN, written and read, and the owner's tool for the PIN: see driver.h. */

#include <string.h>

#include "ctap/ctap.h"
#include "tests/fake/pin-client.h"
#include "tests/property/driver.h"
#include "tests/unit/test.h"

static const char *const pins[] = {
        "1234",
        "12345",
        "123456",
        "8240",
        "84920153",
        "\xc3\xa4\xc3\xb6\xc3\xbc\xc3\x9f",
        "123",
        "\xf0\x9f\x94\x91\xf0\x9f\x94\x91\xf0\x9f\x94\x91",
        "012345678901234567890123456789012345678901234567890123456789012",
};

static const char *pick_pin(struct driver *d) {
        return pins[one_in(d, 3) ? pick(d, ELEMENTSOF(pins)) : pick(d, 6)];
}

/* Most often the right one. */
static const char *pick_old_pin(struct driver *d) {
        return d->model.pin.text && !one_in(d, 10) ? d->model.pin.text : pick_pin(d);
}

/* ---- the request ---- */

static unsigned members_of(unsigned subcommand) {
        static const unsigned members[] = {
                [1] = 0,
                [2] = HAS_PROTOCOL,
                [3] = HAS_PROTOCOL | HAS_KEY | HAS_PARAM | HAS_NEW_PIN,
                [4] = HAS_PROTOCOL | HAS_KEY | HAS_PARAM | HAS_NEW_PIN | HAS_PIN_HASH,
                [5] = HAS_PROTOCOL | HAS_KEY | HAS_PIN_HASH,
                [6] = HAS_PROTOCOL | HAS_KEY | HAS_PERMISSIONS | HAS_SITE,
                [9] = HAS_PROTOCOL | HAS_KEY | HAS_PIN_HASH | HAS_PERMISSIONS | HAS_SITE,
        };

        return subcommand < ELEMENTSOF(members) ? members[subcommand] : 0;
}

static unsigned pick_permissions(struct driver *d) {
        static const unsigned often[] = { PERMISSION_MC | PERMISSION_GA,
                                          PERMISSION_MC,
                                          PERMISSION_GA,
                                          PERMISSION_CM,
                                          PERMISSION_ACFG,
                                          PERMISSION_LBW,
                                          PERMISSION_LBW | PERMISSION_MC,
                                          PERMISSION_PCMR };

        return one_in(d, 8) ? pick(d, 256) : often[pick(d, ELEMENTSOF(often))];
}

static void pick_request(struct driver *d, struct driver_client *c, unsigned subcommand,
                         struct model_pin_request *rq) {
        const unsigned protocol = 1 + pick(d, 2);

        *rq = (struct model_pin_request){
                .subcommand = subcommand,
                .members = members_of(subcommand),
                .protocol = (int)protocol,
                .new_pin = pick_pin(d),
                .padding = one_in(d, 12) ? (enum model_padding)pick(d, _PADDINGS) : PADDING_GOOD,
                .old_pin = pick_old_pin(d),
                .permissions = pick_permissions(d),
                .site = pick_site(d, c),
                .bad_key = one_in(d, 50),
                .bad_mac = one_in(d, 30),
                .bad_cipher = one_in(d, 50),
        };
        if (one_in(d, 25))
                rq->members &= ~(1u << pick(d, 7));
        if (one_in(d, 40))
                rq->members |= HAS_PERMISSIONS | HAS_SITE;
        if (one_in(d, 40))
                rq->protocol = one_in(d, 2) ? 0 : 3;
        if ((rq->members & HAS_KEY) && (c->agreements[protocol].protocol == 0 || !one_in(d, 6)))
                agree(d, c, protocol);
        rq->by = c->agreements[protocol];
}

static void put_key(struct driver_client *c, const struct platform *p, bool bad) {
        uint8_t y[32];

        memcpy(y, p->y, sizeof(y));
        y[31] ^= bad; /* no point of the curve */
        client_set(&c->client, 3, "{1: 2, 3: -25, -1: 1, -2: h'%s', -3: h'%s'}",
                   client_hex(&c->client, BYTES_OF(p->x)), client_hex(&c->client, BYTES_OF(y)));
}

static void put_new_pin(struct driver_client *c, const struct platform *p,
                        const struct model_pin_request *rq) {
        uint8_t plain[80];
        struct buf padded = BUF_ON(plain), enc = BUF_ON(c->client.members[5].data);
        size_t len = 64;

        memset(plain, '7', sizeof(plain));
        if (rq->padding != PADDING_NO_END)
                platform_put_padded_pin(rq->new_pin, &padded);
        if (rq->padding == PADDING_SHORT)
                len = 48;
        if (rq->padding == PADDING_LONG)
                len = 80;
        enc = (struct buf){ (uint8_t[128]){ 0 }, 0, 128, false };
        platform_encrypt(p, BYTES(plain, len), &enc);
        pin_set_bytes(&c->client, 5,
                      rq->bad_cipher ? BYTES(enc.data, enc.len - 1) : buf_bytes(&enc));
}

static void put_old_pin(struct driver_client *c, const struct platform *p,
                        const struct model_pin_request *rq) {
        uint8_t hash[16], encrypted[32];
        struct buf plain = BUF_ON(hash), enc = BUF_ON(encrypted);

        platform_put_pin_hash(rq->old_pin, &plain);
        platform_encrypt(p, buf_bytes(&plain), &enc);
        pin_set_bytes(&c->client, 6,
                      rq->bad_cipher ? BYTES(enc.data, enc.len - 1) : buf_bytes(&enc));
}

static void write_request(struct driver *d, struct driver_client *c,
                          const struct model_pin_request *rq) {
        const struct platform *p = &c->platforms[rq->by.protocol];

        pin_begin(&c->client, rq->subcommand, 0);
        say(d, " clientPIN %u/%d members %02x old '%s' new '%s'/%d permissions %02x%s%s%s",
            rq->subcommand, rq->protocol, rq->members, rq->old_pin, rq->new_pin, rq->padding,
            rq->permissions, rq->bad_key ? " bad key" : "", rq->bad_mac ? " bad MAC" : "",
            rq->bad_cipher ? " bad cipher" : "");
        if (rq->members & HAS_PROTOCOL)
                client_set(&c->client, 1, "%d", rq->protocol);
        if (rq->members & HAS_KEY)
                put_key(c, p, rq->bad_key);
        if (rq->members & HAS_NEW_PIN)
                put_new_pin(c, p, rq);
        if (rq->members & HAS_PIN_HASH)
                put_old_pin(c, p, rq);
        if (rq->members & HAS_PARAM) {
                pin_authenticate(&c->client, p);
                c->client.members[4].data[5] ^= rq->bad_mac;
        }
        if (rq->members & HAS_PERMISSIONS)
                client_set(&c->client, 9, "%u", rq->permissions);
        if (rq->members & HAS_SITE)
                client_set(&c->client, 0x0a, "'%s'", model_sites[rq->site]);
}

/* ---- the reply ---- */

static void learn_token(struct driver *d, struct driver_client *c,
                        const struct model_pin_request *rq,
                        const struct model_pin_reply *foretold) {
        struct platform p = c->platforms[rq->by.protocol];
        struct model_copy copy = { .protocol = rq->by.protocol };

        if (foretold->unreadable)
                return;
        pin_read_token(&c->client, &p);
        memcpy(copy.value, p.token, sizeof(copy.value));
        if (foretold->persistent) {
                if (!model_persistent_is(&d->model, copy.value))
                        differ(d, "another persistent token, or the old one again");
                d->persistent = copy;
                return;
        }
        for (unsigned i = 0; i < d->n_tokens; i++)
                if (memcmp(d->tokens[i].value, copy.value, sizeof(copy.value)) == 0)
                        differ(d, "a token that was there before"); /* CP15, CP30 */
        model_token_is(&d->model, copy.value);
        if (d->n_tokens < DRIVER_TOKENS)
                d->n_tokens++;
        memmove(&d->tokens[1], &d->tokens[0], (d->n_tokens - 1) * sizeof(d->tokens[0]));
        d->tokens[0] = copy;
}

/* CP26 */
static void expect_uv_tries(struct driver *d, struct bytes body, unsigned foretold) {
        struct cbor_value map = cbor_next(&body);

        if (map.n != 1 || cbor_next(&map.elements).integer != 5 ||
            cbor_next(&map.elements).integer != foretold)
                differ(d, "uvRetries is not %u", foretold);
}

static void expect_reply(struct driver *d, struct driver_client *c,
                         const struct model_pin_request *rq,
                         const struct model_pin_reply *foretold) {
        bool power_cycle;
        unsigned tries;

        switch (rq->subcommand) {
        case 1:
                tries = pin_read_retries(&c->client, &power_cycle);
                if (tries != foretold->tries || power_cycle != foretold->power_cycle)
                        differ(d, "%u tries, and the model says %u", tries, foretold->tries);
                break;
        case 7:
                expect_uv_tries(d, c->client.body, foretold->tries);
                break;
        case 3:
        case 4:
                if (c->client.body.len > 0)
                        differ(d, "a body where none belongs");
                break;
        case 5:
        case 6:
        case 9:
                learn_token(d, c, rq, foretold);
                break;
        }
}

static void send(struct driver *d, struct driver_client *c, const struct model_pin_request *rq) {
        struct model_pin_reply foretold = { 0 };
        uint8_t status;

        write_request(d, c, rq);
        status = driver_send(d, c);
        expect_status(d, status, model_client_pin(&d->model, rq, &foretold));
        if (status == CTAP_OK)
                expect_reply(d, c, rq, &foretold);
}

static void run(struct driver *d, struct driver_client *c, unsigned subcommand) {
        struct model_pin_request rq;

        pick_request(d, c, subcommand, &rq);
        send(d, c, &rq);
}

void get_token(struct driver *d, struct driver_client *c, unsigned permissions, unsigned site) {
        struct model_pin_request rq;

        pick_request(d, c, model_uv_is_configured(&d->model) && one_in(d, 2) ? 6 : 9, &rq);
        rq.permissions = permissions;
        rq.site = site % MODEL_SITES;
        if (!(permissions & (PERMISSION_MC | PERMISSION_GA)) && !one_in(d, 4))
                rq.members &= ~(unsigned)HAS_SITE;
        send(d, c, &rq);
}

/* ---- steps ---- */

static void owner(struct driver *d) {
        const char *old = pick_old_pin(d), *pin = pick_pin(d);
        const bool sets = one_in(d, 2);
        enum ctap_status status;

        say(d, " the owner %s '%s' '%s'", sets ? "sets" : "changes", old, pin);
        if (sets)
                status = ctap_pin_set(d->ctap, BYTES_TEXT(pin));
        else
                status = ctap_pin_change(d->ctap, BYTES_TEXT(old), BYTES_TEXT(pin));
        expect_status(d, status,
                      sets ? model_owner_sets_pin(&d->model, pin)
                           : model_owner_changes_pin(&d->model, old, pin));
}

void step_client_pin(struct driver *d, struct driver_client *c) {
        static const unsigned often[] = { 1, 3, 3, 4, 4, 7 };

        if (one_in(d, 12))
                owner(d);
        else
                run(d, c, one_in(d, 4) ? pick(d, 12) : often[pick(d, ELEMENTSOF(often))]);
}

void step_get_token(struct driver *d, struct driver_client *c) {
        static const unsigned ways[] = { 5, 6, 9, 9 };

        run(d, c, ways[pick(d, ELEMENTSOF(ways))]);
}
