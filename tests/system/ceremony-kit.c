/* SPDX-License-Identifier: BSD-2-Clause */

/* Requests in diagnostic notation, replies as they are; see ceremony-kit.h. */

#include "tests/system/ceremony-kit.h"

#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "ctap/cbor.h"
#include "ctap/hid.h"
#include "tests/fake/diag.h"
#include "tests/fake/platform.h"
#include "tests/unit/test.h"
#include "trace/assembly.h"
#include "trace/auth-data.h"

#define PIN        "sesame-77"
#define ASCII_MARK "Rumpelstiltskin"

struct key {
        int fd;
        uint32_t channel;
        struct trace_assembly *assembly;
        struct platform platform;
        uint8_t reply[HID_MESSAGE_MAX];
        size_t n_reply;

        struct ceremony_secrets *secrets;
};

static void note_as(struct key *key, const char *what, bool on_the_wire, struct bytes secret) {
        struct ceremony_secret *s = &key->secrets->all[key->secrets->n++];

        assert_true(key->secrets->n <= CEREMONY_SECRETS);
        assert_true(secret.len >= 8 && secret.len <= sizeof(s->bytes));
        s->what = what;
        s->on_the_wire = on_the_wire;
        s->len = secret.len;
        memcpy(s->bytes, secret.data, secret.len);
}

static void note(struct key *key, const char *what, struct bytes secret) {
        note_as(key, what, true, secret);
}

static void send_message(struct key *key, uint8_t command, struct bytes message) {
        struct hid_fragments f = hid_fragment(key->channel, command, message);
        uint8_t report[HID_REPORT_SIZE];

        while (hid_next_report(&f, report))
                assert_int_equal(send(key->fd, report, sizeof(report), 0), sizeof(report));
}

/* The next message that is no keepalive. */
static void receive_message(struct key *key, uint8_t command) {
        uint8_t report[HID_REPORT_SIZE];
        struct trace_frame f;

        do {
                do
                        assert_int_equal(recv(key->fd, report, sizeof(report), 0), sizeof(report));
                while (!trace_assembly_take(key->assembly, report, &f));
        } while (f.command == HID_KEEPALIVE);
        assert_int_equal(f.command, command);
        memcpy(key->reply, f.payload.data, f.payload.len);
        key->n_reply = f.payload.len;
}

static void open_key(struct key *key, const struct daemon_kit *k) {
        *key = (struct key){ .channel = HID_BROADCAST };
        key->fd = kit_connect(k->device, SOCK_SEQPACKET);
        assert_true(key->fd >= 0);
        key->assembly = trace_assembly_new();
        assert_non_null(key->assembly);
        send_message(key, HID_INIT, BYTES("12345678", 8));
        receive_message(key, HID_INIT);
        key->channel = (uint32_t)key->reply[8] << 24 | (uint32_t)key->reply[9] << 16 |
                       (uint32_t)key->reply[10] << 8 | key->reply[11];
}

static void close_key(struct key *key) {
        close(key->fd);
        trace_assembly_free(key->assembly);
}

/* Sends a command with this map, in diagnostic notation, and gives the reply's map. */
static struct cbor_value call(struct key *key, uint8_t command, const char *notation) {
        uint8_t storage[2048];
        struct buf b = BUF_ON(storage);
        struct bytes body;

        buf_put_u8(&b, command);
        diag_encode(notation, &b);
        send_message(key, HID_CBOR, buf_bytes(&b));
        receive_message(key, HID_CBOR);
        if (key->reply[0] != 0)
                fail_msg("%02x %s: status %02x", command, notation, key->reply[0]);
        body = BYTES(key->reply + 1, key->n_reply - 1);
        return body.len > 0 ? cbor_next(&body) : (struct cbor_value){ 0 };
}

static struct cbor_value member(struct cbor_value map, int64_t wanted) {
        for (uint32_t i = 0; i < map.n; i++) {
                int64_t key = cbor_next(&map.elements).integer;
                struct cbor_value value = cbor_next(&map.elements);

                if (key == wanted)
                        return value;
        }
        fail_msg("there is no member %d", (int)wanted);
        return (struct cbor_value){ 0 };
}

struct ceremony_hex ceremony_hex(struct bytes b) {
        struct ceremony_hex h = { { 0 } };

        assert_true(2 * b.len < sizeof(h.text));
        for (size_t i = 0; i < b.len; i++)
                snprintf(h.text + 2 * i, 3, "%02x", b.data[i]);
        return h;
}

/* What is encrypted or authenticated is noted as the secret that it is on the wire. */
static struct ceremony_hex encrypted(struct key *key, const char *what, struct bytes plain) {
        uint8_t storage[128];
        struct buf b = BUF_ON(storage);

        platform_encrypt(&key->platform, plain, &b);
        note(key, what, buf_bytes(&b));
        return ceremony_hex(buf_bytes(&b));
}

static struct ceremony_hex authenticated(struct key *key, const char *what, struct bytes message) {
        uint8_t storage[64];
        struct buf b = BUF_ON(storage);

        platform_authenticate(&key->platform, message, &b);
        note(key, what, buf_bytes(&b));
        return ceremony_hex(buf_bytes(&b));
}

static struct bytes unhexed(const struct ceremony_hex *h, uint8_t storage[static 150]) {
        size_t n = strlen(h->text) / 2;
        unsigned byte;

        for (size_t i = 0; i < n; i++) {
                assert_int_equal(sscanf(h->text + 2 * i, "%2x", &byte), 1);
                storage[i] = (uint8_t)byte;
        }
        return BYTES(storage, n);
}

/* Diagnostic notation has no way to say "these bytes": the key is spelled out. */
static void put_cose_key(const struct key *key, char *ret, size_t size) {
        const struct ceremony_hex x = ceremony_hex(BYTES(key->platform.x, 32)),
                                  y = ceremony_hex(BYTES(key->platform.y, 32));

        snprintf(ret, size, "{1: 2, 3: -25, -1: 1, -2: h'%s', -3: h'%s'}", x.text, y.text);
}

static void agree(struct key *key) {
        struct cbor_value map = call(key, 0x06, "{1: 2, 2: 2}");

        platform_agree(&key->platform, 2, member(map, 1).raw);
}

static void set_pin(struct key *key) {
        uint8_t padded[64], wire[150];
        struct buf pin = BUF_ON(padded);
        char request[3000], public[700];
        struct ceremony_hex new_pin, param;

        agree(key);
        platform_put_padded_pin(PIN, &pin);
        put_cose_key(key, public, sizeof(public));
        new_pin = encrypted(key, "newPinEnc", buf_bytes(&pin));
        param = authenticated(key, "pinUvAuthParam of setPIN", unhexed(&new_pin, wire));
        snprintf(request, sizeof(request), "{1: 2, 2: 3, 3: %s, 4: h'%s', 5: h'%s'}", public,
                 param.text, new_pin.text);
        call(key, 0x06, request);
}

/* For makeCredential and getAssertion at CEREMONY_RP. */
static void get_token(struct key *key) {
        uint8_t hash[16];
        struct buf plain = BUF_ON(hash), token = { key->platform.token, 0, 32, false };
        char request[3000], public[700];
        struct cbor_value reply;
        struct ceremony_hex pin_hash;

        agree(key);
        platform_put_pin_hash(PIN, &plain);
        note_as(key, "the hash of the PIN", false, buf_bytes(&plain));
        put_cose_key(key, public, sizeof(public));
        pin_hash = encrypted(key, "pinHashEnc", buf_bytes(&plain));
        snprintf(request, sizeof(request),
                 "{1: 2, 2: 9, 3: %s, 6: h'%s', 9: 3, 10: '" CEREMONY_RP "'}", public,
                 pin_hash.text);
        reply = member(call(key, 0x06, request), 2);
        note(key, "pinUvAuthToken", reply.string);
        platform_decrypt(&key->platform, reply.string, &token);
        note_as(key, "the token itself", false, BYTES(key->platform.token, 32));
}

static struct ceremony_hex token_param(struct key *key, const char *what, struct bytes message) {
        uint8_t storage[64];
        struct buf b = BUF_ON(storage);

        platform_token_param(&key->platform, message, &b);
        note(key, what, buf_bytes(&b));
        return ceremony_hex(buf_bytes(&b));
}

#define CLIENT_DATA_HASH "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

static struct bytes client_data_hash(uint8_t storage[static 32]) {
        memset(storage, 0xaa, 32);
        return BYTES(storage, 32);
}

/* A registration with hmac-secret and a large-blob key. Gives the credential's id. */
static struct ceremony_hex make_credential(struct key *key) {
        uint8_t hash[32];
        struct ceremony_hex param =
                token_param(key, "pinUvAuthParam of makeCredential", client_data_hash(hash));
        struct trace_auth_data d;
        struct cbor_value reply;
        char request[1024];

        snprintf(request, sizeof(request),
                 "{1: h'" CLIENT_DATA_HASH "', 2: {'id': '" CEREMONY_RP "', 'name': 'Trace'}, "
                 "3: {'id': h'0102', 'name': 'alice', 'displayName': 'Alice'}, "
                 "4: [{'alg': -7, 'type': 'public-key'}], "
                 "6: {'credBlob': h'%s', 'hmac-secret': true, 'largeBlobKey': true}, "
                 "7: {'rk': true}, 8: h'%s', 9: 2}",
                 "c0ffee00c0ffee11c0ffee22c0ffee33", param.text);
        note(key, "credBlob",
             BYTES("\xc0\xff\xee\x00\xc0\xff\xee\x11\xc0\xff\xee\x22\xc0\xff\xee\x33", 16));
        reply = call(key, 0x01, request);
        note(key, "largeBlobKey", member(reply, 5).string);
        assert_true(trace_auth_data_read(member(reply, 2).string, &d));
        return ceremony_hex(d.credential_id);
}

/* A login that takes what hmac-secret gives. */
static void get_assertion(struct key *key, const char *id) {
        uint8_t hash[32], wire[150], secret[64];
        struct ceremony_hex param = token_param(key, "pinUvAuthParam of getAssertion",
                                                client_data_hash(hash)),
                            salt, salt_auth;
        struct buf plain = BUF_ON(secret);
        char request[3000], public[700];
        struct trace_auth_data d;
        struct cbor_value reply, output;

        put_cose_key(key, public, sizeof(public));
        salt = encrypted(key, "saltEnc", BYTES("a salt of thirty-two bytes in it", 32));
        salt_auth = authenticated(key, "saltAuth", unhexed(&salt, wire));
        snprintf(request, sizeof(request),
                 "{1: '" CEREMONY_RP "', 2: h'" CLIENT_DATA_HASH "', "
                 "3: [{'id': h'%s', 'type': 'public-key'}], "
                 "4: {'credBlob': true, 'hmac-secret': {1: %s, 2: h'%s', 3: h'%s', 4: 2}, "
                 "'largeBlobKey': true}, 6: h'%s', 7: 2}",
                 id, public, salt.text, salt_auth.text, param.text);
        reply = call(key, 0x02, request);
        note(key, "largeBlobKey again", member(reply, 7).string);
        assert_true(trace_auth_data_read(member(reply, 2).string, &d));
        output = cbor_find_text(&d.extensions, "hmac-secret");
        note(key, "the output of hmac-secret", output.string);
        platform_decrypt(&key->platform, output.string, &plain);
        assert_int_equal(plain.len, 32);
        note_as(key, "what hmac-secret gives", false, buf_bytes(&plain));
}

/* What no client should send: a PIN in the clear, where it cannot be read, and in a U2F message. */
static void send_nonsense(struct key *key) {
        static const char cbor[] = "\x06\xa1\x04\x58\x0f" ASCII_MARK;
        static const char u2f[] = "\x00\x42\x00\x00\x0f" ASCII_MARK;

        note(key, "what is in bad CBOR", BYTES_TEXT(ASCII_MARK));
        send_message(key, HID_CBOR, BYTES(cbor, sizeof(cbor) - 1));
        receive_message(key, HID_CBOR);
        assert_int_equal(key->reply[0], 0x12);
        send_message(key, HID_MSG, BYTES(u2f, sizeof(u2f) - 1));
        receive_message(key, HID_MSG);
        send_message(key, HID_PING, BYTES_TEXT(ASCII_MARK));
        receive_message(key, HID_PING);
}

void ceremony_run(const struct daemon_kit *k, struct ceremony_secrets *ret) {
        struct ceremony_hex id;
        struct key key;

        open_key(&key, k);
        ret->n = 0;
        key.secrets = ret;
        set_pin(&key);
        get_token(&key);
        id = make_credential(&key);
        get_token(&key);
        get_assertion(&key, id.text);
        send_nonsense(&key);
        close_key(&key);
}

void ceremony_run_refused(const struct daemon_kit *k) {
        struct key key;

        open_key(&key, k);
        key.channel++;
        send_message(&key, HID_PING, BYTES("x", 1));
        receive_message(&key, HID_ERROR);
        close_key(&key);
}
