/* SPDX-License-Identifier: BSD-2-Clause */

/* U2F messages, written and read: see driver.h. */

#include <openssl/evp.h>
#include <openssl/x509.h>
#include <string.h>

#include "ctap/ctap.h"
#include "tests/property/driver.h"
#include "tests/unit/test.h"

static void pick_request(struct driver *d, struct driver_client *c, struct model_u2f_request *rq) {
        static const uint8_t p1[] = { 3, 3, 3, 7, 8, 0 };

        *rq = (struct model_u2f_request){
                .channel = channel_of(d, c),
                .ins = one_in(d, 10) ? (uint8_t)(1 + pick(d, 4)) : (uint8_t)(1 + pick(d, 2)),
                .p1 = p1[pick(d, ELEMENTSOF(p1))],
                .site = one_in(d, 10) ? MODEL_SITES - 1 : pick_site(d, c),
                .challenge = (uint8_t)pick(d, 3),
                .handle_len = one_in(d, 30) ? 40 : 48,
        };
        rq->handle = pick_id(d, rq->site);
}

static void write_request(struct driver *d, const struct model_u2f_request *rq, struct buf *out) {
        uint8_t challenge[32];

        memset(challenge, rq->challenge, sizeof(challenge));
        buf_put(out, BYTES(((const uint8_t[]){ 0, rq->ins, rq->p1, 0, 0 }), 5));
        if (rq->ins == U2F_VERSION) {
                buf_put_u16(out, 0);
                return;
        }
        buf_put_u16(out, (uint16_t)(64 + (rq->ins == U2F_AUTHENTICATE ? 1 + rq->handle_len : 0)));
        buf_put(out, BYTES_OF(challenge));
        buf_put(out, BYTES(site_hash(d, rq->site), 32));
        if (rq->ins == U2F_AUTHENTICATE) {
                buf_put_u8(out, (uint8_t)rq->handle_len);
                buf_put(out, BYTES(rq->handle.b, rq->handle_len));
        }
}

static void expect_signature(struct driver *d, EVP_PKEY *key, struct bytes message,
                             struct bytes signature) {
        EVP_MD_CTX *ctx = EVP_MD_CTX_new();
        int good;

        assert_int_equal(EVP_DigestVerifyInit(ctx, NULL, EVP_sha256(), NULL, key), 1);
        good = EVP_DigestVerify(ctx, signature.data, signature.len, message.data, message.len);
        EVP_MD_CTX_free(ctx);
        if (good != 1)
                differ(d, "the signature is wrong");
}

/* U5 */
static void expect_registration(struct driver *d, const struct model_u2f_request *rq,
                                struct bytes body, struct passkey *ret) {
        struct cursor in = { body, false };
        uint8_t storage[256], challenge[32];
        struct buf message = BUF_ON(storage);
        struct bytes point, id;
        const uint8_t *at;
        X509 *certificate;
        EVP_PKEY *key;

        if (cursor_u8(&in) != 5)
                differ(d, "no registration");
        point = cursor_take(&in, 65);
        id = cursor_take(&in, cursor_u8(&in));
        if (in.failed || id.len != sizeof(ret->id) || point.data[0] != 4)
                differ(d, "a registration of another form");
        at = in.left.data;
        certificate = d2i_X509(NULL, &at, (long)in.left.len);
        if (!certificate)
                differ(d, "no certificate");

        memset(challenge, rq->challenge, sizeof(challenge));
        buf_put_u8(&message, 0);
        buf_put(&message, BYTES(site_hash(d, rq->site), 32));
        buf_put(&message, BYTES_OF(challenge));
        buf_put(&message, id);
        buf_put(&message, point);
        key = X509_get_pubkey(certificate);
        expect_signature(d, key, buf_bytes(&message),
                         BYTES(at, (size_t)(in.left.data + in.left.len - at)));
        EVP_PKEY_free(key);
        X509_free(certificate);

        *ret = (struct passkey){
                .site = rq->site, .account = MODEL_NOBODY, .protect = 1, .alg = -7, .field = 32
        };
        memcpy(ret->id.b, id.data, sizeof(ret->id));
        memcpy(ret->x, point.data + 1, 32);
        memcpy(ret->y, point.data + 33, 32);
        remember_id(d, &ret->id);
}

/* U7 */
static void expect_authentication(struct driver *d, const struct model_u2f_request *rq,
                                  struct bytes body, const struct model_u2f_reply *foretold) {
        struct passkey *p = foretold->passkey;
        struct cursor in = { body, false };
        uint8_t storage[128], challenge[32], up;
        struct buf message = BUF_ON(storage);
        uint32_t count;
        struct made made;

        up = cursor_u8(&in);
        count = cursor_u32(&in);
        if (in.failed || up != foretold->up)
                differ(d, "presence is %u", up);
        expect_count(d, p, count, foretold->up);

        memset(challenge, rq->challenge, sizeof(challenge));
        buf_put(&message, BYTES(site_hash(d, rq->site), 32));
        buf_put(&message, BYTES(body.data, 5));
        buf_put(&message, BYTES_OF(challenge));
        as_made(p, &made);
        if (!client_is_signed(&made, buf_bytes(&message), in.left))
                differ(d, "the signature is wrong");
}

static void expect_reply(struct driver *d, const struct model_u2f_request *rq, struct bytes body,
                         const struct model_u2f_reply *foretold) {
        struct passkey made;

        switch (rq->ins) {
        case U2F_REGISTER:
                expect_registration(d, rq, body, &made);
                if (foretold->kept)
                        model_keep(&d->model, &made);
                break;
        case U2F_AUTHENTICATE:
                expect_authentication(d, rq, body, foretold);
                break;
        default:
                if (!bytes_equal(body, BYTES_TEXT("U2F_V2")))
                        differ(d, "another version");
        }
}

static void send(struct driver *d, struct driver_client *c, const struct model_u2f_request *rq) {
        uint8_t storage[256];
        struct buf apdu = BUF_ON(storage), reply = BUF_ON(c->client.reply);
        struct model_u2f_reply foretold = { 0 };
        unsigned status;

        /* The person may not have answered yet. */
        if (one_in(d, 2))
                d->fake->answer = d->model.answer = CTAP_ANSWER_PENDING;
        write_request(d, rq, &apdu);
        say(d, " U2F %u/%u %s challenge %u handle %02x%02x", rq->ins, rq->p1, model_sites[rq->site],
            rq->challenge, rq->handle.b[0], rq->handle.b[1]);
        ctap_u2f(d->ctap, channel_of(d, c) + 1, buf_bytes(&apdu), &reply);
        if (d->settle)
                d->settle(d->userdata);
        if (buf_error(&reply) < 0 || reply.len < 2)
                differ(d, "no reply");
        status = (unsigned)reply.data[reply.len - 2] << 8 | reply.data[reply.len - 1];
        d->seen[0x80u + rq->ins][status >> 8]++;
        expect_status(d, status, model_u2f(&d->model, rq, &foretold));
        if (status == 0x9000)
                expect_reply(d, rq, BYTES(reply.data, reply.len - 2), &foretold);
        else if (reply.len != 2)
                differ(d, "an error with data");
}

/* A client that hears "not yet" comes back. */
void step_u2f(struct driver *d, struct driver_client *c) {
        if (c->u2f.ins == 0 || one_in(d, 4))
                pick_request(d, c, &c->u2f);
        send(d, c, &c->u2f);
}
