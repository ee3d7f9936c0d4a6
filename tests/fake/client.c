/* SPDX-License-Identifier: BSD-2-Clause */

/* The tests' client: see client.h. */

#include <errno.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <openssl/sha.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ctap/command.h"
#include "tests/fake/attest.h"
#include "tests/fake/client.h"
#include "tests/fake/diag.h"
#include "tests/unit/test.h"

const uint8_t client_aaguid[16] = "\xd0\x0d model of ne";

static int setup(void **state, bool always_uv) {
        struct ctap_options options = {
                .firmware_version = 7,
                .max_message = CLIENT_MESSAGE,
                .max_large_blobs = CLIENT_BLOBS,
                .always_uv = always_uv,
        };
        struct client *c = calloc(1, sizeof(*c));

        assert_non_null(c);
        memcpy(options.aaguid, client_aaguid, sizeof(client_aaguid));
        c->fake = fake_new();
        c->channel = CLIENT_CHANNEL;
        memset(c->client_data_hash, 0xcd, sizeof(c->client_data_hash));
        assert_int_equal(ctap_new(&c->fake->env, &options, &c->ctap), 0);
        ctap_power_up(c->ctap);
        *state = c;
        return 0;
}

int client_setup(void **state) {
        return setup(state, false);
}

int client_setup_always_uv(void **state) {
        return setup(state, true);
}

int client_teardown(void **state) {
        struct client *c = *state;

        c->ctap = ctap_free(c->ctap);
        c->fake = fake_free(c->fake);
        free(c);
        return 0;
}

const char *client_hex(struct client *c, struct bytes b) {
        char *to = c->hex[c->hex_turn++ % ELEMENTSOF(c->hex)];

        assert_true(b.len * 2 < sizeof(c->hex[0]));
        to[0] = '\0';
        for (size_t i = 0; i < b.len; i++)
                snprintf(to + 2 * i, 3, "%02x", b.data[i]);
        return to;
}

/* ---- requests ---- */

void client_set(struct client *c, unsigned key, const char *format, ...) {
        char notation[8192];
        struct buf out = BUF_ON(c->members[key].data);
        va_list args;
        int n;

        assert_true(key < CLIENT_MEMBERS);
        va_start(args, format);
        n = vsnprintf(notation, sizeof(notation), format, args);
        va_end(args);
        assert_true(n > 0 && (size_t)n < sizeof(notation));
        diag_encode(notation, &out);
        c->members[key].len = out.len;
}

void client_unset(struct client *c, unsigned key) {
        assert_true(key < CLIENT_MEMBERS);
        c->members[key].len = 0;
}

static void begin(struct client *c, uint8_t command) {
        c->command = command;
        for (unsigned i = 0; i < CLIENT_MEMBERS; i++)
                c->members[i].len = 0;
}

void client_make_credential(struct client *c) {
        begin(c, 0x01);
        client_set(c, 1, "h'%s'", client_hex(c, BYTES_OF(c->client_data_hash)));
        client_set(c, 2, "{'id': '" CLIENT_RP "', 'name': 'Example'}");
        client_set(c, 3, "{'id': h'0102', 'name': 'ann', 'displayName': 'Ann Example'}");
        client_set(c, 4, "[{'alg': -7, " CLIENT_PUBLIC_KEY "}]");
}

void client_get_assertion(struct client *c) {
        begin(c, 0x02);
        client_set(c, 1, "'" CLIENT_RP "'");
        client_set(c, 2, "h'%s'", client_hex(c, BYTES_OF(c->client_data_hash)));
}

void client_manage(struct client *c, uint8_t command, unsigned subcommand) {
        begin(c, command);
        client_set(c, 1, "%u", subcommand);
}

void client_write_blobs(struct client *c, uint32_t offset, struct bytes fragment) {
        struct buf set = BUF_ON(c->members[2].data);
        struct cbor_writer w = { &set };

        begin(c, 0x0c);
        cbor_put_bytes(&w, fragment);
        assert_int_equal(buf_error(&set), 0);
        c->members[2].len = set.len;
        client_set(c, 3, "%u", offset);
}

void client_set_list(struct client *c, unsigned key, const struct made *made, size_t n_made) {
        char notation[8192] = "[";
        size_t used = 1;

        for (size_t i = 0; i < n_made; i++) {
                int n = snprintf(notation + used, sizeof(notation) - used,
                                 "%s{'id': h'%s', " CLIENT_PUBLIC_KEY "}", i > 0 ? ", " : "",
                                 client_hex(c, made[i].id));

                assert_true(n > 0 && (size_t)n + 2 < sizeof(notation) - used);
                used += (size_t)n;
        }
        notation[used] = ']';
        notation[used + 1] = '\0';
        client_set(c, key, "%s", notation);
}

uint8_t client_message(struct client *c, struct bytes message) {
        struct buf reply = BUF_ON(c->reply);

        if (c->by_administrator)
                ctap_enrol(c->ctap, message, &reply);
        else
                ctap_request(c->ctap, c->channel, message, &reply);

        assert_int_equal(buf_error(&reply), 0);
        assert_true(reply.len >= 1);
        c->body = BYTES(reply.data + 1, reply.len - 1);
        if (reply.data[0] != CTAP_OK)
                assert_int_equal(reply.len, 1);
        else if (c->body.len > 0)
                assert_int_equal(cbor_check(c->body), CTAP_OK);
        assert_int_equal(c->fake->n_loaded, 0);
        assert_false(c->fake->shown);
        return reply.data[0];
}

uint8_t client_call(struct client *c, uint8_t command, struct bytes params) {
        uint8_t storage[8192];
        struct buf message = BUF_ON(storage);

        buf_put_u8(&message, command);
        buf_put(&message, params);
        assert_int_equal(buf_error(&message), 0);
        return client_message(c, buf_bytes(&message));
}

uint8_t client_send(struct client *c) {
        uint8_t storage[8192];
        struct buf params = BUF_ON(storage);
        uint8_t n = 0;

        for (unsigned i = 0; i < CLIENT_MEMBERS; i++)
                n = (uint8_t)(n + (c->members[i].len > 0));
        buf_put_u8(&params, 0xa0 | n);
        for (uint8_t i = 0; i < CLIENT_MEMBERS; i++)
                if (c->members[i].len > 0) {
                        buf_put_u8(&params, i);
                        buf_put(&params, BYTES(c->members[i].data, c->members[i].len));
                }
        assert_int_equal(buf_error(&params), 0);
        return client_call(c, c->command, buf_bytes(&params));
}

/* ---- replies ---- */

static EVP_PKEY *from_params(const char *kind, OSSL_PARAM_BLD *bld) {
        EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, kind, NULL);
        OSSL_PARAM *params = OSSL_PARAM_BLD_to_param(bld);
        EVP_PKEY *pkey = NULL;

        assert_int_equal(EVP_PKEY_fromdata_init(ctx), 1);
        assert_int_equal(EVP_PKEY_fromdata(ctx, &pkey, EVP_PKEY_PUBLIC_KEY, params), 1);
        OSSL_PARAM_free(params);
        OSSL_PARAM_BLD_free(bld);
        EVP_PKEY_CTX_free(ctx);
        return pkey;
}

static EVP_PKEY *rsa_key(const struct made *made) {
        BIGNUM *n = BN_bin2bn(made->modulus, sizeof(made->modulus), NULL);
        OSSL_PARAM_BLD *bld = OSSL_PARAM_BLD_new();
        EVP_PKEY *pkey;

        assert_int_equal(OSSL_PARAM_BLD_push_BN(bld, OSSL_PKEY_PARAM_RSA_N, n), 1);
        assert_int_equal(OSSL_PARAM_BLD_push_uint(bld, OSSL_PKEY_PARAM_RSA_E, 65537), 1);
        pkey = from_params("RSA", bld);
        BN_free(n);
        return pkey;
}

static EVP_PKEY *ec_key(const struct made *made) {
        const char *group = made->field == 32 ? "P-256" : "P-384";
        uint8_t point[1 + 2 * 48] = { 4 };
        OSSL_PARAM_BLD *bld = OSSL_PARAM_BLD_new();

        memcpy(point + 1, made->x, made->field);
        memcpy(point + 1 + made->field, made->y, made->field);
        assert_int_equal(OSSL_PARAM_BLD_push_utf8_string(bld, OSSL_PKEY_PARAM_GROUP_NAME, group, 0),
                         1);
        assert_int_equal(OSSL_PARAM_BLD_push_octet_string(bld, OSSL_PKEY_PARAM_PUB_KEY, point,
                                                          1 + 2 * made->field),
                         1);
        return from_params("EC", bld);
}

static bool is_signed_by(EVP_PKEY *pkey, const EVP_MD *hash, struct bytes message,
                         struct bytes signature) {
        EVP_MD_CTX *ctx = EVP_MD_CTX_new();
        int good;

        assert_int_equal(EVP_DigestVerifyInit(ctx, NULL, hash, NULL, pkey), 1);
        good = EVP_DigestVerify(ctx, signature.data, signature.len, message.data, message.len);
        EVP_MD_CTX_free(ctx);
        return good == 1;
}

bool client_is_signed(const struct made *made, struct bytes message, struct bytes signature) {
        EVP_PKEY *pkey = made->field == 0 ? rsa_key(made) : ec_key(made);
        bool good;

        good = is_signed_by(pkey, made->field == 48 ? EVP_sha384() : EVP_sha256(), message,
                            signature);
        EVP_PKEY_free(pkey);
        return good;
}

/* MC20, GA14: over authData || clientDataHash. */
static struct bytes signed_message(struct client *c, struct bytes auth_data, struct buf *out) {
        buf_put(out, auth_data);
        buf_put(out, BYTES_OF(c->client_data_hash));
        assert_int_equal(buf_error(out), 0);
        return buf_bytes(out);
}

static void verify_by(struct client *c, EVP_PKEY *pkey, const EVP_MD *hash, struct bytes auth_data,
                      struct bytes signature) {
        uint8_t storage[CTAP_REPLY_MAX];
        struct buf message = BUF_ON(storage);

        assert_true(is_signed_by(pkey, hash, signed_message(c, auth_data, &message), signature));
}

static void verify(struct client *c, const struct made *made, struct bytes auth_data,
                   struct bytes signature) {
        uint8_t storage[CTAP_REPLY_MAX];
        struct buf message = BUF_ON(storage);

        assert_true(client_is_signed(made, signed_message(c, auth_data, &message), signature));
}

/* Two INTEGERs in a SEQUENCE and no more; or a number below the modulus and as long as that. */
static void assert_well_formed(const struct made *made, struct bytes signature) {
        const uint8_t *at = signature.data;
        ECDSA_SIG *sig;

        if (made->field == 0) {
                assert_int_equal(signature.len, sizeof(made->modulus));
                assert_true(memcmp(signature.data, made->modulus, signature.len) < 0);
                return;
        }
        sig = d2i_ECDSA_SIG(NULL, &at, (long)signature.len);
        assert_non_null(sig);
        assert_ptr_equal(at, signature.data + signature.len);
        ECDSA_SIG_free(sig);
}

/* The map of the last reply, on a copy that the caller keeps. */
static struct cbor_value copy_of_reply(struct client *c, uint8_t *storage) {
        struct bytes copy = BYTES(storage, c->body.len);
        struct cbor_value map;

        assert_int_equal(c->reply[0], CTAP_OK);
        memcpy(storage, c->body.data, c->body.len);
        map = cbor_next(&copy);
        assert_int_equal(map.kind, CBOR_KIND_MAP);
        return map;
}

static struct cbor_value next_of(struct bytes *members, int64_t key, enum cbor_kind kind) {
        struct cbor_value k = cbor_next(members), v = cbor_next(members);

        assert_int_equal(k.kind, CBOR_KIND_INT);
        assert_int_equal(k.integer, key);
        assert_int_equal(v.kind, kind);
        return v;
}

static bool is_next(const struct bytes *members, uint8_t key) {
        return members->len > 0 && members->data[0] == key;
}

/* H16: of 32 bytes; empty if it is not there. */
static struct bytes read_large_blob_key(struct bytes *members, uint8_t key) {
        struct bytes value;

        if (!is_next(members, key))
                return BYTES_NULL;
        value = next_of(members, key, CBOR_KIND_BYTES).string;
        assert_int_equal(value.len, 32);
        return value;
}

/* F1: the fixed part. */
static struct cursor read_auth_data(struct bytes auth_data, uint8_t *ret_flags,
                                    uint32_t *ret_count) {
        struct cursor at = { auth_data, false };

        cursor_take(&at, 32);
        *ret_flags = cursor_u8(&at);
        *ret_count = cursor_u32(&at);
        assert_false(at.failed);
        return at;
}

/* What is left of it: a map of outputs if the flags say so (ED), else nothing. */
static struct bytes read_extensions(struct bytes left, uint8_t flags) {
        if (!(flags & 0x80)) {
                assert_int_equal(left.len, 0);
                return BYTES_NULL;
        }
        assert_int_equal(cbor_check(left), CTAP_OK);
        assert_true((left.data[0] & 0xe0) == 0xa0 && left.data[0] > 0xa0);
        return left;
}

/* n, e */
static void read_rsa_key(struct cbor_value map, struct made *ret) {
        struct cbor_value n, e;

        assert_int_equal(map.n, 4);
        n = next_of(&map.elements, -1, CBOR_KIND_BYTES);
        e = next_of(&map.elements, -2, CBOR_KIND_BYTES);
        ret->field = 0;
        assert_int_equal(n.string.len, sizeof(ret->modulus));
        assert_true(n.string.data[0] >= 0x80);
        memcpy(ret->modulus, n.string.data, n.string.len);
        assert_bytes_equal(e.string, BYTES("\1\0\1", 3));
}

/* crv, x, y */
static void read_ec2_key(struct cbor_value map, struct made *ret) {
        struct cbor_value x, y;
        int64_t crv;

        assert_int_equal(map.n, 5);
        crv = next_of(&map.elements, -1, CBOR_KIND_INT).integer;
        assert_in_range(crv, 1, 2);
        x = next_of(&map.elements, -2, CBOR_KIND_BYTES);
        y = next_of(&map.elements, -3, CBOR_KIND_BYTES);
        ret->field = crv == 1 ? 32 : 48;
        assert_int_equal(x.string.len, ret->field);
        assert_int_equal(y.string.len, ret->field);
        memcpy(ret->x, x.string.data, ret->field);
        memcpy(ret->y, y.string.data, ret->field);
}

struct bytes client_read_key(struct bytes left, struct made *ret) {
        struct cbor_value map = cbor_next(&left);
        int64_t type;

        assert_int_equal(cbor_check(map.raw), CTAP_OK);
        type = next_of(&map.elements, 1, CBOR_KIND_INT).integer;
        assert_in_range(type, 2, 3);
        ret->alg = next_of(&map.elements, 3, CBOR_KIND_INT).integer;
        if (type == 3)
                read_rsa_key(map, ret);
        else
                read_ec2_key(map, ret);
        return left;
}

static void read_certificates(struct client *c, const struct cbor_value *statement) {
        struct cbor_value x5c = cbor_find_text(statement, "x5c");

        for (uint32_t i = 0; i < x5c.n; i++)
                assert_bytes_equal(cbor_next(&x5c.elements).string, c->fake->certificates[i]);
        assert_int_equal(x5c.n == FAKE_CERTIFICATES ? 0 : c->fake->certificates[x5c.n].len, 0);
}

/* WebAuthn §8.3 */
static void read_tpm_statement(struct client *c, const struct cbor_value *statement,
                               const struct made *made) {
        const struct bytes info = cbor_find_text(statement, "certInfo").string;
        uint8_t storage[CTAP_REPLY_MAX];
        struct buf message = BUF_ON(storage);
        const struct bytes attested = signed_message(c, made->auth_data, &message);
        struct sha256 data;

        assert_int_equal(statement->n, 6);
        assert_bytes_equal(cbor_find_text(statement, "ver").string, BYTES_TEXT("2.0"));
        assert_int_equal(cbor_find_text(statement, "alg").integer, -7);
        SHA256(attested.data, attested.len, data.b);
        attest_read(info, cbor_find_text(statement, "pubArea").string, BYTES_OF(data), made);
        assert_true(is_signed_by(c->fake->attester_key, EVP_sha256(), info,
                                 cbor_find_text(statement, "sig").string));
        read_certificates(c, statement);
}

/* MC19: whoever has certificates attests with them, and with ES256. */
static void read_statement(struct client *c, const struct cbor_value *statement,
                           const struct made *made) {
        const struct bytes signature = cbor_find_text(statement, "sig").string;
        const int64_t alg = cbor_find_text(statement, "alg").integer;

        if (bytes_equal(made->fmt, BYTES_TEXT("none"))) {
                assert_int_equal(statement->n, 0);
                assert_false(made->enterprise);
                return;
        }
        if (bytes_equal(made->fmt, BYTES_TEXT("tpm"))) {
                read_tpm_statement(c, statement, made);
                return;
        }
        assert_bytes_equal(made->fmt, BYTES_TEXT("packed"));
        assert_int_equal(statement->n, made->enterprise ? 3 : 2);
        if (!made->enterprise) {
                assert_int_equal(alg, made->alg);
                verify(c, made, made->auth_data, signature);
                return;
        }
        assert_int_equal(alg, -7);
        verify_by(c, c->fake->attester_key, EVP_sha256(), made->auth_data, signature);
        read_certificates(c, statement);
}

void client_read_made(struct client *c, struct made *ret) {
        struct cbor_value map = copy_of_reply(c, ret->reply);
        struct cbor_value statement;
        struct cursor at;

        ret->fmt = next_of(&map.elements, 1, CBOR_KIND_TEXT).string;
        ret->auth_data = next_of(&map.elements, 2, CBOR_KIND_BYTES).string;
        statement = next_of(&map.elements, 3, CBOR_KIND_MAP);
        ret->enterprise = is_next(&map.elements, 4);
        if (ret->enterprise)
                assert_true(next_of(&map.elements, 4, CBOR_KIND_BOOL).boolean);
        ret->large_blob_key = read_large_blob_key(&map.elements, 5);
        assert_int_equal(map.elements.len, 0); /* MC22 */

        at = read_auth_data(ret->auth_data, &ret->flags, &ret->count);
        assert_bytes_equal(cursor_take(&at, 16), BYTES_OF(client_aaguid)); /* F4 */
        ret->id = cursor_string16(&at);
        ret->extensions = read_extensions(client_read_key(at.left, ret), ret->flags);

        read_statement(c, &statement, ret);
}

static void read_user(struct bytes *members, struct given *ret) {
        struct cbor_value user = next_of(members, 4, CBOR_KIND_MAP);

        ret->n_user_members = user.n;
        ret->user_id = cbor_find_text(&user, "id").string;
        ret->user_name = cbor_find_text(&user, "name").string;
        ret->user_display_name = cbor_find_text(&user, "displayName").string;
}

static void read_given(struct client *c, const struct made *made, bool by_nobody,
                       struct given *ret) {
        struct cbor_value map = copy_of_reply(c, ret->reply);
        struct cbor_value credential, signature;
        struct cursor at;

        credential = next_of(&map.elements, 1, CBOR_KIND_MAP);
        assert_int_equal(credential.n, 2); /* GA13 */
        assert_bytes_equal(cbor_find_text(&credential, "type").string, BYTES_TEXT("public-key"));
        ret->id = cbor_find_text(&credential, "id").string;
        assert_bytes_equal(ret->id, made->id);
        ret->auth_data = next_of(&map.elements, 2, CBOR_KIND_BYTES).string;
        signature = next_of(&map.elements, 3, CBOR_KIND_BYTES);
        if (by_nobody)
                assert_well_formed(made, signature.string);
        else
                verify(c, made, ret->auth_data, signature.string);

        at = read_auth_data(ret->auth_data, &ret->flags, &ret->count);
        ret->extensions = read_extensions(at.left, ret->flags);
        assert_false(ret->flags & 0x40); /* GA14 */

        ret->has_user = is_next(&map.elements, 4);
        if (ret->has_user)
                read_user(&map.elements, ret);
        ret->n_credentials = 0;
        if (is_next(&map.elements, 5)) {
                ret->n_credentials = (uint32_t)next_of(&map.elements, 5, CBOR_KIND_INT).integer;
                assert_true(ret->n_credentials > 1); /* GA11 */
        }
        ret->large_blob_key = read_large_blob_key(&map.elements, 7);
        assert_int_equal(map.elements.len, 0);
}

void client_read_given(struct client *c, const struct made *made, struct given *ret) {
        read_given(c, made, false, ret);
}

void client_read_probe(struct client *c, const struct made *made, struct given *ret) {
        read_given(c, made, true, ret);
}

void client_register(struct client *c, bool discoverable, const char *user, struct made *ret) {
        const struct ctap_token token = c->ctap->token;
        const struct platform platform = c->platform;

        client_make_credential(c);
        client_set(c, 3, "{'id': h'%s', 'name': '%s'}", client_hex(c, BYTES_TEXT(user)), user);
        client_set(c, 7, "{'rk': %s}", discoverable ? "true" : "false");
        if (discoverable && c->fake->settings.pin_length > 0)
                client_verify(c); /* MC7 */
        assert_int_equal(client_send(c), CTAP_OK);
        client_read_made(c, ret);
        c->ctap->token = token;
        c->platform = platform;
        fake_forget_trace(c->fake);
}

void client_u2f_register(struct client *c, struct made *ret) {
        uint8_t apdu[7 + 64] = { 0x00, 0x01, 0x00, 0x00, 0x00, 0x00, 0x40 };
        const enum ctap_answer answer = c->fake->answer;
        struct buf reply = BUF_ON(ret->reply);
        struct cursor at;

        assert_int_equal(EVP_Digest(CLIENT_RP, strlen(CLIENT_RP), apdu + 39, NULL, EVP_sha256(),
                                    NULL),
                         1);
        c->fake->answer = CTAP_ANSWER_YES;
        for (unsigned i = 0; i < 2; i++) /* the first one only puts the question up: U4 */
                ctap_u2f(c->ctap, c->channel, BYTES_OF(apdu), &reply);
        c->fake->answer = answer;

        at = (struct cursor){ buf_bytes(&reply), false };
        assert_int_equal(cursor_u8(&at), 0x05);
        assert_int_equal(cursor_u8(&at), 0x04);
        cursor_copy(&at, ret->x, 32);
        cursor_copy(&at, ret->y, 32);
        ret->id = cursor_take(&at, cursor_u8(&at));
        assert_false(at.failed);
        ret->alg = -7;
        ret->field = 32;
        fake_forget_trace(c->fake);
}

/* ---- the PIN, and what it gives ---- */

void client_set_pin(struct client *c) {
        struct buf hash = BUF_ON(c->fake->pin.b);

        platform_put_pin_hash(CLIENT_PIN, &hash);
        c->fake->has_pin = true;
        c->fake->settings.pin_length = (uint8_t)strlen(CLIENT_PIN);
}

void client_agree(struct client *c, unsigned protocol) {
        uint8_t storage[128];
        struct buf key = BUF_ON(storage);
        struct cbor_writer w = { &key };

        assert_int_equal(ctap_key_agreement_put(&c->ctap->agreement, protocol, &w), 0);
        platform_agree(&c->platform, protocol, buf_bytes(&key));
}

void client_get_token(struct client *c, unsigned protocol, uint8_t permissions, const char *rp_id) {
        struct ctap_keys *keys = &c->fake->keys;
        enum ctap_pin_verdict verdict = CTAP_PIN_WRONG;
        struct ctap_ticket ticket = { 0 };
        struct sha256 rp_id_hash;

        client_set_pin(c);
        client_agree(c, protocol);
        assert_int_equal(keys->ops->pin_verify(keys, &c->fake->pin, CTAP_TOKEN_SECONDS, &verdict,
                                               &ticket),
                         0);
        assert_int_equal(verdict, CTAP_PIN_RIGHT);
        if (rp_id)
                assert_int_equal(EVP_Digest(rp_id, strlen(rp_id), rp_id_hash.b, NULL, EVP_sha256(),
                                            NULL),
                                 1);
        assert_int_equal(ctap_token_issue(&c->ctap->token, &c->fake->rng, protocol, permissions,
                                          rp_id ? &rp_id_hash : NULL, &ticket, c->fake->now_ms),
                         0);
        memcpy(c->platform.token, c->ctap->token.value.b, sizeof(c->platform.token));
        fake_forget_trace(c->fake);
}

/* Of each command: where pinUvAuthParam and pinUvAuthProtocol stand, and what they are for. */
static const struct authorized {
        uint8_t command;
        uint8_t param, protocol;
        uint8_t permission; /* enum ctap_permission */
        const char *rp_id;  /* of a token for it; NULL: of none */
} authorized[] = {
        { 0x01, 8, 9, CTAP_PERMISSION_MC, CLIENT_RP },
        { 0x02, 6, 7, CTAP_PERMISSION_GA, CLIENT_RP },
        { 0x0a, 4, 3, CTAP_PERMISSION_CM, NULL },
        { 0x0c, 5, 6, CTAP_PERMISSION_LBW, NULL },
        { 0x0d, 4, 3, CTAP_PERMISSION_ACFG, NULL },
        { 0x41, 4, 3, CTAP_PERMISSION_CM, NULL },
};

static const struct authorized *authorized_of(const struct client *c) {
        for (size_t i = 0; i < ELEMENTSOF(authorized); i++)
                if (authorized[i].command == c->command)
                        return &authorized[i];
        fail_msg("command %02x takes no pinUvAuthParam", c->command);
        return NULL;
}

static void put_member(const struct client *c, unsigned key, struct buf *out) {
        buf_put(out, BYTES(c->members[key].data, c->members[key].len));
}

static void put_ones(struct buf *out) {
        for (unsigned i = 0; i < 32; i++)
                buf_put_u8(out, 0xff);
}

/* 32 x ff, 0c 00, the offset with its least byte first, the hash of the fragment. */
static void put_fragment(const struct client *c, struct buf *out) {
        struct bytes set = BYTES(c->members[2].data, c->members[2].len);
        struct bytes offset = BYTES(c->members[3].data, c->members[3].len);
        const struct bytes fragment = cbor_next(&set).string;
        const uint32_t at = (uint32_t)cbor_next(&offset).integer;
        struct sha256 hash;

        put_ones(out);
        buf_put_u16(out, 0x0c00);
        buf_put_u32(out, __builtin_bswap32(at));
        assert_int_equal(EVP_Digest(fragment.data, fragment.len, hash.b, NULL, EVP_sha256(), NULL),
                         1);
        buf_put(out, BYTES_OF(hash));
}

/* What the pinUvAuthParam is over. */
static void put_message(const struct client *c, struct buf *out) {
        switch (c->command) {
        case 0x01:
        case 0x02:
                buf_put(out, BYTES_OF(c->client_data_hash));
                break;
        case 0x0c:
                put_fragment(c, out);
                break;
        case 0x0d:
                put_ones(out);
                buf_put_u8(out, 0x0d);
                put_member(c, 1, out);
                put_member(c, 2, out);
                break;
        default: /* the subcommand, which is one byte in CBOR too, and its parameters */
                put_member(c, 1, out);
                put_member(c, 2, out);
                break;
        }
        assert_int_equal(buf_error(out), 0);
}

static void authorize(struct client *c, struct bytes message) {
        const struct authorized *a = authorized_of(c);
        uint8_t storage[32];
        struct buf param = BUF_ON(storage);

        platform_token_param(&c->platform, message, &param);
        client_set(c, a->param, "h'%s'", client_hex(c, buf_bytes(&param)));
        client_set(c, a->protocol, "%u", c->platform.protocol);
}

void client_authorize(struct client *c) {
        uint8_t storage[4200];
        struct buf message = BUF_ON(storage);

        put_message(c, &message);
        authorize(c, buf_bytes(&message));
}

void client_verify(struct client *c) {
        const struct authorized *a = authorized_of(c);

        client_get_token(c, 2, a->permission, a->rp_id);
        client_authorize(c);
}

/* What can be wrong with a token before it is used. */
static void get_bad_token(struct client *c, const struct authorized *a, enum client_flaw flaw) {
        const uint8_t all = 0x37; /* that may come together */

        client_get_token(c, 2,
                         flaw == CLIENT_FLAW_NO_PERMISSION ? all & (uint8_t)~a->permission
                                                           : a->permission,
                         flaw == CLIENT_FLAW_OTHER_SITE ? "other.example" : a->rp_id);
        if (flaw == CLIENT_FLAW_OTHER_VALUE)
                c->platform.token[31] ^= 1;
        if (flaw == CLIENT_FLAW_OTHER_PROTOCOL)
                c->platform.protocol = 1;
}

static void authorize_badly(struct client *c, const struct authorized *a, enum client_flaw flaw) {
        uint8_t storage[4200];
        struct buf message = BUF_ON(storage);

        put_message(c, &message);
        if (flaw == CLIENT_FLAW_OTHER_MESSAGE)
                storage[0] ^= 1;
        authorize(c, buf_bytes(&message));
        if (flaw == CLIENT_FLAW_SHORT)
                client_set(c, a->param, "h'0011'");
}

void client_verify_badly(struct client *c, enum client_flaw flaw) {
        const struct authorized *a = authorized_of(c);
        struct platform old;

        get_bad_token(c, a, flaw);
        authorize_badly(c, a, flaw);
        if (flaw == CLIENT_FLAW_NO_TOKEN)
                ctap_end_token(c->ctap);
        if (flaw == CLIENT_FLAW_REPLACED) {
                old = c->platform;
                client_get_token(c, 2, a->permission, a->rp_id);
                c->platform = old;
        }
        if (flaw == CLIENT_FLAW_LATE)
                c->fake->now_ms += CTAP_TOKEN_FIRST_USE_MS;
        if (flaw == CLIENT_FLAW_OLD) {
                c->ctap->token.was_used = true;
                c->fake->now_ms += 1000 * CTAP_TOKEN_SECONDS;
        }
        if (flaw == CLIENT_FLAW_RESTART)
                c->fake->epoch++;
        if (flaw == CLIENT_FLAW_POWER_CYCLE)
                ctap_power_up(c->ctap);
}

/* ---- hmac-secret ---- */

const char *client_hmac_input(struct client *c, struct bytes salts) {
        const struct platform *p = &c->platform;
        uint8_t cipher[64 + 16], mac[32];
        struct buf salt_enc = BUF_ON(cipher), salt_auth = BUF_ON(mac);
        int n;

        platform_encrypt(p, salts, &salt_enc);
        platform_authenticate(p, buf_bytes(&salt_enc), &salt_auth);
        n = snprintf(c->hmac_input, sizeof(c->hmac_input),
                     "{1: {1: 2, 3: -25, -1: 1, -2: h'%s', -3: h'%s'}, 2: h'%s', 3: h'%s', 4: %u}",
                     client_hex(c, BYTES_OF(p->x)), client_hex(c, BYTES_OF(p->y)),
                     client_hex(c, buf_bytes(&salt_enc)), client_hex(c, buf_bytes(&salt_auth)),
                     p->protocol);
        assert_true(n > 0 && (size_t)n < sizeof(c->hmac_input));
        return c->hmac_input;
}

void client_hmac_output(struct client *c, struct bytes extensions, const char *name,
                        struct buf *ret) {
        const struct cbor_value map = cbor_next(&extensions);
        const struct cbor_value output = cbor_find_text(&map, name);

        assert_int_equal(output.kind, CBOR_KIND_BYTES);
        platform_decrypt(&c->platform, output.string, ret);
}

/* ---- failures ---- */

/*
 * Counters apart, for a value that was made durable is never taken back, and CredRandom, which is
 * made once and then stays.
 */
static void assert_same_rows(const struct fake *now, const struct ctap_row *before, uint32_t n) {
        assert_int_equal(now->n_rows, n);
        for (uint32_t i = 0; i < n; i++) {
                struct ctap_row row = now->rows[i];

                assert_true(row.count >= before[i].count);
                row.count = before[i].count;
                assert_int_equal(row.cred_random.len > 0, row.cred_random_uv.len > 0);
                if (before[i].cred_random.len == 0) {
                        row.cred_random = before[i].cred_random;
                        row.cred_random_uv = before[i].cred_random_uv;
                }
                assert_memory_equal(&row, &before[i], sizeof(row));
        }
}

unsigned client_fail_everywhere(struct client *c) {
        return client_fail_everywhere_after(c, NULL);
}

unsigned client_fail_everywhere_after(struct client *c, void (*before_each)(struct client *c)) {
        struct ctap_row *before = malloc(sizeof(c->fake->rows));
        const uint32_t n_rows = c->fake->n_rows;

        assert_non_null(before);
        memcpy(before, c->fake->rows, sizeof(c->fake->rows));
        for (unsigned n = 1;; n++) {
                uint8_t status;

                if (before_each)
                        before_each(c);
                fake_forget_trace(c->fake);
                fake_fail(c->fake, NULL, n, -EIO);
                status = client_send(c);
                if (fake_mend(c->fake)) {
                        assert_int_equal(status, CTAP_OK);
                        free(before);
                        return n - 1;
                }
                assert_int_equal(status, CTAP1_ERR_OTHER);
                assert_same_rows(c->fake, before, n_rows);
        }
}
