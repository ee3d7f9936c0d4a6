/* SPDX-License-Identifier: BSD-2-Clause */

/* authenticatorConfig and authenticatorLargeBlobs, written and read: see driver.h. */

#include <openssl/evp.h>
#include <string.h>

#include "tests/fake/pin-client.h"
#include "tests/property/driver.h"
#include "tests/unit/test.h"

/* ---- authenticatorConfig ---- */

static void pick_config(struct driver *d, struct driver_client *c, struct model_config *rq) {
        const unsigned least = d->model.least_pin;

        *rq = (struct model_config){
                .subcommand = one_in(d, 12) ? pick(d, 7) : 1 + pick(d, 4),
                .has_params = !one_in(d, 30),
                .least = one_in(d, 2) ? -1 : (int)(least + pick(d, 2)) - one_in(d, 6),
                .has_sites = one_in(d, 2),
                .too_many_sites = one_in(d, 12),
                .sites = pick(d, 1u << MODEL_SITES),
                .force = pick_option(d, 6),
                .complexity = one_in(d, 20) ? TRUE : pick_option(d, 30),
        };
        if (one_in(d, 60))
                rq->least = 60 + (int)pick(d, 6);
        pick_proof(d, c, PERMISSION_ACFG, MODEL_SITES, &rq->proof);
        if (rq->proof.kind == PROOF_EMPTY)
                rq->proof.kind = PROOF_NONE;
}

static void put_params(struct driver *d, struct driver_client *c, const struct model_config *rq) {
        char map[4096] = "{", sites[4096] = "[";

        if (rq->least >= 0)
                add(map, "1: %d", rq->least);
        for (unsigned i = 0; i < MODEL_SITES; i++)
                if (rq->sites & 1u << i)
                        add(sites, "'%s'", model_sites[i]);
        for (unsigned i = 0; rq->too_many_sites && i < 17; i++)
                add(sites, "'%u.example'", i);
        if (rq->has_sites)
                add(map, "2: %s]", sites);
        if (rq->force != LEFT_OUT)
                add(map, "3: %s", rq->force == TRUE ? "true" : "false");
        if (rq->complexity != LEFT_OUT)
                add(map, "4: %s", rq->complexity == TRUE ? "true" : "false");
        say(d, " %s}", map);
        client_set(&c->client, 2, "%s}", map);
}

void step_config(struct driver *d, struct driver_client *c) {
        uint8_t storage[2048];
        struct buf message = BUF_ON(storage);
        struct model_config rq;
        uint8_t status;

        pick_config(d, c, &rq);
        begin_request(c, 0x0d);
        say(d, " config %u", rq.subcommand);
        client_set(&c->client, 1, "%u", rq.subcommand);
        if (rq.subcommand == 3 && rq.has_params)
                put_params(d, c, &rq);
        for (unsigned i = 0; i < 32; i++)
                buf_put_u8(&message, 0xff);
        buf_put_u8(&message, 0x0d);
        buf_put_u8(&message, (uint8_t)rq.subcommand);
        buf_put(&message, BYTES(c->client.members[2].data, c->client.members[2].len));
        put_proof(d, c, &rq.proof, 4, 3, buf_bytes(&message));
        status = driver_send(d, c);
        expect_status(d, status, model_configure(&d->model, &rq));
        if (c->client.body.len > 0)
                differ(d, "a body where none belongs");
}

/* ---- authenticatorLargeBlobs ---- */

/* LB6 */
static void put_blobs_proof(struct driver *d, struct driver_client *c,
                            const struct model_blobs *rq) {
        uint8_t storage[128], hash[32];
        struct buf message = BUF_ON(storage);
        const uint32_t offset = (uint32_t)rq->offset;

        assert_int_equal(EVP_Digest(rq->fragment.data, rq->fragment.len, hash, NULL, EVP_sha256(),
                                    NULL),
                         1);
        for (unsigned i = 0; i < 32; i++)
                buf_put_u8(&message, 0xff);
        buf_put(&message, BYTES("\x0c\x00", 2));
        for (unsigned i = 0; i < 32; i += 8)
                buf_put_u8(&message, (uint8_t)(offset >> i));
        buf_put(&message, BYTES_OF(hash));
        put_proof(d, c, &rq->proof, 5, 6, buf_bytes(&message));
}

static void send_blobs(struct driver *d, struct driver_client *c, const struct model_blobs *rq) {
        struct bytes foretold = BYTES_NULL, body;
        struct cbor_value map;
        uint8_t status;

        begin_request(c, 0x0c);
        say(d, " largeBlobs get %d set %d/%zu offset %d length %d", rq->get, rq->has_set,
            rq->fragment.len, rq->offset, rq->length);
        if (rq->get >= 0)
                client_set(&c->client, 1, "%d", rq->get);
        if (rq->has_set)
                pin_set_bytes(&c->client, 2, rq->fragment);
        if (rq->offset >= 0)
                client_set(&c->client, 3, "%d", rq->offset);
        if (rq->length >= 0)
                client_set(&c->client, 4, "%d", rq->length);
        put_blobs_proof(d, c, rq);
        status = driver_send(d, c);
        expect_status(d, status, model_large_blobs(&d->model, rq, &foretold));
        body = c->client.body;
        if (status != CTAP_OK || rq->get < 0) {
                if (body.len > 0)
                        differ(d, "a body where none belongs");
                return;
        }
        map = cbor_next(&body);
        if (map.n != 1 || cbor_next(&map.elements).integer != 1 ||
            !bytes_equal(cbor_next(&map.elements).string, foretold))
                differ(d, "another array");
}

static struct model_blobs nothing(struct driver *d, struct driver_client *c) {
        return (struct model_blobs){
                .channel = channel_of(d, c), .get = -1, .offset = -1, .length = -1
        };
}

static void pick_blobs_proof(struct driver *d, struct driver_client *c, struct model_proof *ret) {
        pick_proof(d, c, PERMISSION_LBW, MODEL_SITES, ret);
        if (ret->kind == PROOF_EMPTY)
                ret->kind = PROOF_NONE;
}

/* One thing of the request is another than it should be. */
static void spoil(struct driver *d, struct model_blobs *rq) {
        switch (pick(d, 6)) {
        case 0:
                rq->offset = (int)pick(d, MODEL_BLOBS + 100) - 1;
                break;
        case 1:
                rq->length = (int)pick(d, MODEL_BLOBS + 100) - 1;
                break;
        case 2:
                rq->get = (int)pick(d, 1600) - 1;
                break;
        case 3:
                rq->has_set = !rq->has_set;
                break;
        case 4:
                rq->length = (int)pick(d, 20);
                break;
        default:
                rq->proof.kind = PROOF_NONE;
        }
}

static void get(struct driver *d, struct driver_client *c) {
        struct model_blobs rq = nothing(d, c);

        rq.get = one_in(d, 20) ? 1472 + (int)pick(d, 2) : (int)pick(d, 1473);
        rq.offset = one_in(d, 3) ? 0 : (int)pick(d, (unsigned)d->model.n_blobs + 1);
        if (one_in(d, 10))
                spoil(d, &rq);
        if (one_in(d, 20))
                pick_blobs_proof(d, c, &rq.proof);
        send_blobs(d, c, &rq);
}

/* An array of any length, most often with the right checksum. */
static void make_array(struct driver *d, struct driver_client *c) {
        uint8_t hash[32];

        c->n_blobs = one_in(d, 3) ? 17 + pick(d, MODEL_BLOBS - 16) : 17 + pick(d, 40);
        for (size_t i = 0; i < c->n_blobs; i++)
                c->blobs[i] = (uint8_t)pick(d, 256);
        assert_int_equal(EVP_Digest(c->blobs, c->n_blobs - 16, hash, NULL, EVP_sha256(), NULL), 1);
        if (!one_in(d, 8))
                memcpy(c->blobs + c->n_blobs - 16, hash, 16);
}

/* A part of the array from an offset on, or more than is left. */
static struct bytes fragment(struct driver *d, struct driver_client *c, size_t offset) {
        size_t left = offset < c->n_blobs ? c->n_blobs - offset : 0, n = left;

        if (one_in(d, 2))
                n = pick(d, (unsigned)left + 1);
        if (one_in(d, 30))
                n = left + 1 + pick(d, 10);
        if (one_in(d, 60))
                n = 1472 + pick(d, 3);
        else if (n > 1472)
                n = 1472;
        if (offset + n > MODEL_BLOBS)
                offset = MODEL_BLOBS - n;
        return BYTES(c->blobs + offset, n);
}

static void set(struct driver *d, struct driver_client *c, size_t offset) {
        struct model_blobs rq = nothing(d, c);

        pick_blobs_proof(d, c, &rq.proof);
        rq.has_set = true;
        rq.offset = (int)offset;
        if (offset == 0)
                rq.length = (int)c->n_blobs;
        rq.fragment = fragment(d, c, offset);
        if (one_in(d, 12))
                spoil(d, &rq);
        if (!rq.has_set)
                rq.fragment = BYTES_NULL;
        send_blobs(d, c, &rq);
}

void step_blobs(struct driver *d, struct driver_client *c) {
        if (one_in(d, 3)) {
                get(d, c);
                return;
        }
        make_array(d, c);
        set(d, c, 0);
}

/* Most often the client that has begun to write. */
void step_blobs_next(struct driver *d, struct driver_client *c) {
        if (!one_in(d, 20))
                c = &d->clients[d->model.walk.channel];
        say(d, " [%u]", channel_of(d, c));
        set(d, c, d->model.n_coming);
}
