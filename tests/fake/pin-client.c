/* SPDX-License-Identifier: BSD-2-Clause */

/* authenticatorClientPIN from the client's side: see pin-client.h. */

#include <string.h>

#include "ctap/command.h"
#include "tests/fake/pin-client.h"
#include "tests/unit/test.h"

enum { PARAM = 0x04, NEW_PIN = 0x05, PIN_HASH = 0x06 };

void pin_begin(struct client *c, enum pin_subcommand sub, unsigned protocol) {
        c->command = 0x06;
        for (unsigned i = 0; i < CLIENT_MEMBERS; i++)
                client_unset(c, i);
        if (protocol != 0)
                client_set(c, 0x01, "%u", protocol);
        client_set(c, 0x02, "%u", (unsigned)sub);
}

void pin_set_bytes(struct client *c, unsigned key, struct bytes value) {
        struct buf out = BUF_ON(c->members[key].data);
        struct cbor_writer w = { &out };

        cbor_put_bytes(&w, value);
        assert_int_equal(buf_error(&out), 0);
        c->members[key].len = out.len;
}

static void set_key(struct client *c, const struct platform *p) {
        struct buf out = BUF_ON(c->members[0x03].data);

        platform_put_key(p, &out);
        c->members[0x03].len = out.len;
}

void pin_agree(struct client *c, struct platform *p, unsigned protocol) {
        struct bytes body;
        struct cbor_value map;

        pin_begin(c, PIN_GET_KEY, protocol);
        assert_int_equal(client_send(c), CTAP_OK);
        body = c->body;
        map = cbor_next(&body);
        assert_int_equal(map.kind, CBOR_KIND_MAP);
        assert_int_equal(map.n, 1);
        assert_int_equal(cbor_next(&map.elements).integer, 1);
        platform_agree(p, protocol, cbor_next(&map.elements).raw);
}

/* ---- requests ---- */

/* What a member of bytes holds. */
static struct bytes content(struct client *c, unsigned key) {
        struct bytes raw = BYTES(c->members[key].data, c->members[key].len);

        return raw.len > 0 ? cbor_next(&raw).string : BYTES_NULL;
}

void pin_authenticate(struct client *c, const struct platform *p) {
        uint8_t storage[2048], mac[32];
        struct buf message = BUF_ON(storage), out = BUF_ON(mac);

        buf_put(&message, content(c, NEW_PIN));
        buf_put(&message, content(c, PIN_HASH));
        assert_int_equal(buf_error(&message), 0);
        platform_authenticate(p, buf_bytes(&message), &out);
        pin_set_bytes(c, PARAM, buf_bytes(&out));
}

static void set_encrypted(struct client *c, const struct platform *p, unsigned key,
                          struct bytes plain) {
        uint8_t storage[1100];
        struct buf out = BUF_ON(storage);

        platform_encrypt(p, plain, &out);
        assert_int_equal(buf_error(&out), 0);
        pin_set_bytes(c, key, buf_bytes(&out));
}

void pin_set_new(struct client *c, const struct platform *p, struct bytes padded) {
        set_encrypted(c, p, NEW_PIN, padded);
        pin_authenticate(c, p);
}

void pin_set_old(struct client *c, const struct platform *p, struct bytes hash) {
        set_encrypted(c, p, PIN_HASH, hash);
        if (c->members[PARAM].len > 0)
                pin_authenticate(c, p);
}

static void set_new_pin(struct client *c, const struct platform *p, const char *pin) {
        uint8_t storage[64];
        struct buf padded = BUF_ON(storage);

        platform_put_padded_pin(pin, &padded);
        pin_set_new(c, p, buf_bytes(&padded));
}

static void set_old_pin(struct client *c, const struct platform *p, const char *pin) {
        uint8_t storage[16];
        struct buf hash = BUF_ON(storage);

        platform_put_pin_hash(pin, &hash);
        pin_set_old(c, p, buf_bytes(&hash));
}

void pin_ask_to_set(struct client *c, const struct platform *p, const char *pin) {
        pin_begin(c, PIN_SET, p->protocol);
        set_key(c, p);
        set_new_pin(c, p, pin);
}

void pin_ask_to_change(struct client *c, const struct platform *p, const char *old,
                       const char *pin) {
        pin_ask_to_set(c, p, pin);
        client_set(c, 0x02, "%u", (unsigned)PIN_CHANGE);
        set_old_pin(c, p, old);
}

void pin_ask_for_token(struct client *c, const struct platform *p, const char *pin) {
        pin_begin(c, PIN_GET_TOKEN, p->protocol);
        set_key(c, p);
        set_old_pin(c, p, pin);
}

static void set_permissions(struct client *c, unsigned permissions, const char *rp_id) {
        client_set(c, 0x09, "%u", permissions);
        if (rp_id)
                client_set(c, 0x0a, "'%s'", rp_id);
}

void pin_ask_for_token_for(struct client *c, const struct platform *p, const char *pin,
                           unsigned permissions, const char *rp_id) {
        pin_ask_for_token(c, p, pin);
        client_set(c, 0x02, "%u", (unsigned)PIN_GET_TOKEN_FOR);
        set_permissions(c, permissions, rp_id);
}

void pin_ask_for_token_by_uv(struct client *c, const struct platform *p, unsigned permissions,
                             const char *rp_id) {
        pin_begin(c, PIN_GET_TOKEN_BY_UV, p->protocol);
        set_key(c, p);
        set_permissions(c, permissions, rp_id);
}

/* ---- replies ---- */

unsigned pin_read_retries(struct client *c, bool *ret_power_cycle) {
        struct bytes body = c->body;
        struct cbor_value map = cbor_next(&body), state;
        int64_t n;

        assert_int_equal(map.kind, CBOR_KIND_MAP);
        assert_in_range(map.n, 1, 2);
        assert_int_equal(cbor_next(&map.elements).integer, 3);
        n = cbor_next(&map.elements).integer;
        assert_in_range(n, 0, CTAP_PIN_TRIES_MAX);
        *ret_power_cycle = map.n == 2;
        if (map.n == 2) {
                assert_int_equal(cbor_next(&map.elements).integer, 4);
                state = cbor_next(&map.elements);
                assert_int_equal(state.kind, CBOR_KIND_BOOL);
                assert_true(state.boolean);
        }
        return (unsigned)n;
}

void pin_read_token(struct client *c, struct platform *p) {
        struct bytes body = c->body;
        struct cbor_value map = cbor_next(&body), token;
        struct buf out = BUF_ON(p->token);

        assert_int_equal(map.kind, CBOR_KIND_MAP);
        assert_int_equal(map.n, 1);
        assert_int_equal(cbor_next(&map.elements).integer, 2);
        token = cbor_next(&map.elements);
        assert_int_equal(token.kind, CBOR_KIND_BYTES);
        platform_decrypt(p, token.string, &out);
        assert_int_equal(buf_error(&out), 0);
        assert_int_equal(out.len, 32); /* CP15 */
}

/* ---- exchanges ---- */

uint8_t pin_set(struct client *c, struct platform *p, unsigned protocol, const char *pin) {
        uint8_t status;

        pin_agree(c, p, protocol);
        pin_ask_to_set(c, p, pin);
        status = client_send(c);
        assert_int_equal(c->body.len, 0);
        return status;
}

uint8_t pin_change(struct client *c, struct platform *p, unsigned protocol, const char *old,
                   const char *pin) {
        uint8_t status;

        pin_agree(c, p, protocol);
        pin_ask_to_change(c, p, old, pin);
        status = client_send(c);
        assert_int_equal(c->body.len, 0);
        return status;
}

static uint8_t send_for_token(struct client *c, struct platform *p) {
        uint8_t status = client_send(c);

        if (status == CTAP_OK)
                pin_read_token(c, p);
        return status;
}

uint8_t pin_get_token(struct client *c, struct platform *p, unsigned protocol, const char *pin) {
        pin_agree(c, p, protocol);
        pin_ask_for_token(c, p, pin);
        return send_for_token(c, p);
}

uint8_t pin_get_token_for(struct client *c, struct platform *p, unsigned protocol, const char *pin,
                          unsigned permissions, const char *rp_id) {
        pin_agree(c, p, protocol);
        pin_ask_for_token_for(c, p, pin, permissions, rp_id);
        return send_for_token(c, p);
}

uint8_t pin_get_token_by_uv(struct client *c, struct platform *p, unsigned protocol,
                            unsigned permissions, const char *rp_id) {
        pin_agree(c, p, protocol);
        pin_ask_for_token_by_uv(c, p, permissions, rp_id);
        return send_for_token(c, p);
}

unsigned pin_uv_retries(struct client *c) {
        struct bytes body;
        struct cbor_value map;

        pin_begin(c, PIN_GET_UV_RETRIES, 0);
        assert_int_equal(client_send(c), CTAP_OK);
        body = c->body;
        map = cbor_next(&body);
        assert_int_equal(map.kind, CBOR_KIND_MAP);
        assert_int_equal(map.n, 1);
        assert_int_equal(cbor_next(&map.elements).integer, 5);
        return (unsigned)cbor_next(&map.elements).integer;
}

unsigned pin_retries(struct client *c) {
        bool power_cycle;

        pin_begin(c, PIN_GET_RETRIES, 0);
        assert_int_equal(client_send(c), CTAP_OK);
        return pin_read_retries(c, &power_cycle);
}

bool pin_token_is_good(struct client *c, const struct platform *p) {
        const struct bytes message = BYTES_TEXT("anything");
        uint8_t storage[32];
        struct buf param = BUF_ON(storage);

        platform_token_param(p, message, &param);
        return ctap_token_verify(&c->ctap->token, p->protocol, message, buf_bytes(&param),
                                 c->fake->now_ms);
}
