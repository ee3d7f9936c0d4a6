/* SPDX-License-Identifier: BSD-2-Clause */

/* authenticatorGetInfo, member by member: see driver.h. */

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdio.h>
#include <string.h>

#include "tests/fake/diag.h"
#include "tests/property/driver.h"
#include "tests/unit/test.h"

struct info {
        struct driver *d;
        struct bytes left; /* members that nobody has looked at */
};

static struct cbor_value next_value(struct info *i, int64_t key) {
        const struct cbor_value k = cbor_next(&i->left);

        if (k.kind != CBOR_KIND_INT || k.integer != key)
                differ(i->d, "member %02x, and the model says %02x", (unsigned)k.integer,
                       (unsigned)key);
        return cbor_next(&i->left);
}

_printf_(3, 4) static void expect(struct info *i, int64_t key, const char *format, ...) {
        uint8_t storage[1024];
        struct buf want = BUF_ON(storage);
        char notation[1024];
        va_list args;

        va_start(args, format);
        vsnprintf(notation, sizeof(notation), format, args);
        va_end(args);
        diag_encode(notation, &want);
        if (!bytes_equal(next_value(i, key).raw, buf_bytes(&want)))
                differ(i->d, "member %02x is not %s", (unsigned)key, notation);
}

/* ---- what only the holder of the persistent token can read (GI8, GI9) ---- */

static void hmac(const uint8_t *key, const void *message, size_t n, uint8_t ret[static 32]) {
        unsigned len = 32;

        assert_non_null(HMAC(EVP_sha256(), key, 32, message, n, ret, &len));
}

static void decrypt(const struct driver *d, const char *info, const struct cbor_value *member,
                    uint8_t ret[static 16]) {
        static const uint8_t salt[32] = { 0 };
        uint8_t prk[32], key[32];
        char message[64];
        EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
        int n = snprintf(message, sizeof(message), "%s\x01", info);

        hmac(salt, d->persistent.value, sizeof(d->persistent.value), prk);
        hmac(prk, message, (size_t)n, key);
        assert_int_equal(EVP_DecryptInit_ex(ctx, EVP_aes_128_cbc(), NULL, key, member->string.data),
                         1);
        assert_int_equal(EVP_CIPHER_CTX_set_padding(ctx, 0), 1);
        assert_int_equal(EVP_DecryptUpdate(ctx, ret, &n, member->string.data + 16, 16), 1);
        EVP_CIPHER_CTX_free(ctx);
}

/* The same as long as the model knows of no change, and another one after it. */
static void expect_told(struct driver *d, const char *info, const struct cbor_value *member,
                        struct driver_told *last, uint64_t version) {
        uint8_t plain[16];
        bool same;

        if (member->kind != CBOR_KIND_BYTES || member->string.len != 32)
                differ(d, "%s is not 32 bytes long", info);
        if (!d->model.knows_persistent)
                return;
        decrypt(d, info, member, plain);
        same = memcmp(plain, last->plain, sizeof(plain)) == 0;
        if (last->known && same != (version == last->version))
                differ(d, "%s is %s", info, same ? "the same as before" : "another one");
        *last = (struct driver_told){ .known = true, .version = version };
        memcpy(last->plain, plain, sizeof(plain));
}

/* ---- all of it ---- */

static void expect_options(struct info *i, const struct model *m) {
        char map[4096] = "{";
        const struct {
                const char *name;
                enum maybe value;
        } options[] = {
                { "ep", m->enterprise ? TRUE : FALSE },
                { "rk", TRUE },
                { "up", TRUE },
                { "uv", !m->verifies                ? LEFT_OUT
                        : model_uv_is_configured(m) ? TRUE
                                                    : FALSE },
                { "uvAcfg", m->verifies ? TRUE : LEFT_OUT },
                { "alwaysUv", m->always_uv ? TRUE : FALSE },
                { "credMgmt", TRUE },
                { "authnrCfg", TRUE },
                { "clientPin", m->pin.text ? TRUE : FALSE },
                { "largeBlobs", TRUE },
                { "perCredMgmtRO", TRUE },
                { "pinUvAuthToken", TRUE },
                { "setMinPINLength", TRUE },
                { "makeCredUvNotRqd", m->always_uv ? FALSE : TRUE },
        };

        for (size_t j = 0; j < ELEMENTSOF(options); j++)
                if (options[j].value != LEFT_OUT)
                        add(map, "'%s': %s", options[j].name,
                            options[j].value == TRUE ? "true" : "false");
        expect(i, 0x04, "%s}", map);
}

static void expect_algorithms(struct info *i, const struct model *m) {
        static const int listed[] = {
                [CTAP_KEY_P256] = -7, [CTAP_KEY_P384] = -35, [CTAP_KEY_RSA2048] = -257
        };
        char list[4096] = "[";

        for (unsigned type = 0; type < ELEMENTSOF(listed); type++)
                if (m->algorithms & 1u << type)
                        add(list, "{'alg': %d, 'type': 'public-key'}", listed[type]);
        expect(i, 0x0a, "%s]", list);
}

void step_get_info(struct driver *d, struct driver_client *c) {
        const uint8_t command = 0x04;
        struct model *m = &d->model;
        struct info i = { .d = d };
        struct cbor_value v;

        say(d, " getInfo");
        m->walk.kind = WALK_NONE;
        expect_status(d, driver_send_bytes(d, c, BYTES_OF(command)), CTAP_OK);
        i.left = c->client.body;
        i.left = cbor_next(&i.left).elements;
        expect(&i, 0x01, "[%s'FIDO_2_0', 'FIDO_2_1']", m->always_uv ? "" : "'U2F_V2', ");
        expect(&i, 0x02,
               "['credBlob', 'credProtect', 'hmac-secret', 'largeBlobKey', 'minPinLength',"
               " 'hmac-secret-mc', 'thirdPartyPayment', 'pinComplexityPolicy']");
        expect(&i, 0x03, "h'%s'", client_hex(&c->client, BYTES(client_aaguid, 16)));
        expect_options(&i, m);
        expect(&i, 0x05, "%u", CLIENT_MESSAGE);
        expect(&i, 0x06, "[2, 1]");
        (void)next_value(&i, 0x07);
        expect(&i, 0x08, "48");
        expect(&i, 0x09, "['usb']");
        expect_algorithms(&i, m);
        expect(&i, 0x0b, "%u", (unsigned)MODEL_BLOBS);
        expect(&i, 0x0c, "%s", m->must_change_pin ? "true" : "false");
        expect(&i, 0x0d, "%u", m->least_pin);
        expect(&i, 0x0e, "7");
        expect(&i, 0x0f, "32");
        expect(&i, 0x10, "16");
        if (m->verifies)
                expect(&i, 0x11, "1");
        if (m->verifies)
                expect(&i, 0x12, m->fingers ? "6" : "4");
        expect(&i, 0x14, "%u", MODEL_PASSKEYS - m->n_passkeys);
        expect(&i, 0x16, "['packed']");
        if (m->holds || m->long_touch)
                expect(&i, 0x18, "%s", m->long_touch ? "true" : "false");
        v = next_value(&i, 0x19);
        expect_told(d, "encIdentifier", &v, &d->identifier, m->n_resets);
        expect(&i, 0x1b, "%s", m->complexity ? "true" : "false");
        expect(&i, 0x1d, "63");
        v = next_value(&i, 0x1e);
        expect_told(d, "encCredStoreState", &v, &d->state, m->n_changes);
        expect(&i, 0x1f, m->holds ? "[1, 2, 3, 4]" : "[1, 2, 3]");
        if (i.left.len > 0)
                differ(d, "more members than the model knows");
}
