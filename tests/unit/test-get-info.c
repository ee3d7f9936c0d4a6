/* SPDX-License-Identifier: BSD-2-Clause */

/* ctap/get-info.c: every byte of it, that it follows what is so, and that it never disturbs anybody. */

#include <errno.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdio.h>
#include <string.h>

#include "ctap/command.h"
#include "ctap/persistent-token.h"
#include "tests/fake/diag.h"
#include "tests/fake/pin-client.h"
#include "tests/unit/test.h"

#define ALG(id)    "{'alg': " #id ", 'type': 'public-key'}"
#define ALGORITHMS "[" ALG(-7) ", " ALG(-35) ", " ALG(-257) "]"
#define EXTENSIONS                                                                   \
        "['credBlob', 'credProtect', 'hmac-secret', 'largeBlobKey', 'minPinLength'," \
        " 'hmac-secret-mc', 'thirdPartyPayment', 'pinComplexityPolicy']"

static struct cbor_value get_info(struct client *c) {
        struct bytes body;

        assert_int_equal(client_call(c, 0x04, BYTES_NULL), CTAP_OK);
        body = c->body;
        return cbor_next(&body);
}

/* Of the last reply. */
static struct cbor_value member_of(const struct cbor_value *info, int64_t key) {
        const struct cbor_field fields[] = { { NULL, key, CBOR_KIND_ANY, false, 0 } };
        struct cbor_value found = { 0 };

        assert_int_equal(cbor_read_map(info, fields, 1, &found), CTAP_OK);
        return found;
}

static struct cbor_value member(struct client *c, int64_t key) {
        const struct cbor_value info = get_info(c);

        return member_of(&info, key);
}

static bool has(struct client *c, int64_t key) {
        return member(c, key).kind != CBOR_KIND_ABSENT;
}

static void assert_member(struct client *c, int64_t key, const char *notation) {
        uint8_t storage[512];
        struct buf want = BUF_ON(storage);

        diag_encode(notation, &want);
        assert_bytes_equal(member(c, key).raw, buf_bytes(&want));
}

enum state { ABSENT, OFF, ON };

static enum state option(struct client *c, const char *name) {
        const struct cbor_value options = member(c, 0x04);
        const struct cbor_value o = cbor_find_text(&options, name);

        if (o.kind == CBOR_KIND_ABSENT)
                return ABSENT;
        assert_int_equal(o.kind, CBOR_KIND_BOOL);
        return o.boolean ? ON : OFF;
}

static bool claims(struct client *c, const char *version) {
        struct cbor_value versions = member(c, 0x01);

        for (uint32_t i = 0; i < versions.n; i++)
                if (bytes_equal(cbor_next(&versions.elements).string, BYTES_TEXT(version)))
                        return true;
        return false;
}

static bool offers(struct client *c, const char *extension) {
        struct cbor_value extensions = member(c, 0x02);

        for (uint32_t i = 0; i < extensions.n; i++)
                if (bytes_equal(cbor_next(&extensions.elements).string, BYTES_TEXT(extension)))
                        return true;
        return false;
}

/* All that a presence can do, and an organisation's attester. */
static void make_able(struct client *c) {
        c->fake->abilities = CTAP_PRESENCE_DISPLAY | CTAP_PRESENCE_VERIFY | CTAP_PRESENCE_HOLD;
        c->ctap->env.attester = &c->fake->attester;
        c->ctap->options.ctap_2_3 = true;
}

static void GI1_asks_neither_the_person_nor_the_key_device(void **state) {
        struct client *c = *state;

        c->channel++;
        c->fake->answer = CTAP_ANSWER_NO;
        make_able(c);
        assert_int_equal(client_call(c, 0x04, BYTES_TEXT("\xffignored")), CTAP_OK); /* B15 */
        assert_string_equal(c->fake->trace, "");
}

/* What is encrypted with random bytes is taken from the reply, but for its place and its size. */
static void assert_info(struct client *c, const char *format) {
        const struct cbor_value info = get_info(c);
        const struct bytes id = member_of(&info, 0x19).string;
        const struct bytes store_state = member_of(&info, 0x1e).string;
        uint8_t storage[1024];
        struct buf want = BUF_ON(storage);
        char notation[2048];

        assert_int_equal(id.len, 32);
        assert_int_equal(store_state.len, 32);
        snprintf(notation, sizeof(notation), format, client_hex(c, id), client_hex(c, store_state));
        diag_encode(notation, &want);
        assert_int_equal(buf_error(&want), 0);
        assert_bytes_equal(c->body, buf_bytes(&want));
        assert_in_range(c->body.len, 1, 1024);
}

static void GI2_every_member_in_canonical_order(void **state) {
        assert_info(*state,
                    "{1: ['U2F_V2', 'FIDO_2_0', 'FIDO_2_1'], 2: " EXTENSIONS
                    ", 3: h'd00d206d6f64656c206f66206e650000', 4: {'rk': true, 'up': true,"
                    " 'alwaysUv': false, 'credMgmt': true, 'authnrCfg': true, 'clientPin': false,"
                    " 'largeBlobs': true, 'perCredMgmtRO': true, 'pinUvAuthToken': true,"
                    " 'setMinPINLength': true, 'makeCredUvNotRqd': true}, 5: 1536, 6: [2, 1],"
                    " 7: 10, 8: 48, 9: ['usb'], 10: " ALGORITHMS
                    ", 11: 4096, 12: false, 13: 4, 14: 7, 15: 32, 16: 16, 20: 32, 22: ['packed'],"
                    " 25: h'%s', 27: false, 29: 63, 30: h'%s', 31: [2, 3]}");
}

static void GI12_the_formats_are_those_of_who_attests(void **state) {
        static const char packed[] = "\x16\x81\x66"
                                     "packed";
        static const char both[] = "\x16\x82\x66"
                                   "packed\x63tpm";
        struct client *c = *state;
        struct ctap_attester *attesters[] = { NULL, &c->fake->attester, &c->fake->certifier };

        for (size_t i = 0; i < ELEMENTSOF(attesters); i++) {
                const char *want = i == 2 ? both : packed;

                c->ctap->env.attester = attesters[i];
                assert_int_equal(client_call(c, 0x04, BYTES_NULL), CTAP_OK);
                assert_non_null(memmem(c->body.data, c->body.len, want, strlen(want)));
        }
}

/* GI12: more there is not. */
static void GI12_all_that_a_present_day_key_reports(void **state) {
        struct client *c = *state;

        make_able(c);
        client_set_pin(c);
        c->fake->settings.long_touch_for_reset = true;
        c->fake->settings.enterprise_attestation = true;
        c->fake->settings.pin_complexity = true;
        assert_info(c, "{1: ['U2F_V2', 'FIDO_2_0', 'FIDO_2_1', 'FIDO_2_3'], 2: " EXTENSIONS
                       ", 3: h'd00d206d6f64656c206f66206e650000', 4: {'ep': true, 'rk': true,"
                       " 'up': true, 'uv': true, 'uvAcfg': true, 'alwaysUv': false,"
                       " 'credMgmt': true, 'authnrCfg': true, 'clientPin': true,"
                       " 'largeBlobs': true, 'perCredMgmtRO': true, 'pinUvAuthToken': true,"
                       " 'setMinPINLength': true, 'makeCredUvNotRqd': true}, 5: 1536, 6: [2, 1],"
                       " 7: 10, 8: 48, 9: ['usb'], 10: " ALGORITHMS
                       ", 11: 4096, 12: false, 13: 4, 14: 7, 15: 32, 16: 16, 17: 1, 18: 4, 20: 32,"
                       " 22: ['packed'], 24: true, 25: h'%s', 27: true, 29: 63, 30: h'%s',"
                       " 31: [1, 2, 3, 4]}");
}

static void GI2_remaining_follows_the_store(void **state) {
        struct client *c = *state;
        struct made made;

        client_register(c, true, "ann", &made);
        assert_member(c, 0x14, "31");
}

static void GI2_the_list_fits_into_a_message(void **state) {
        const uint32_t sizes[] = { 1024, 1200, 1536, CTAP_REPLY_MAX };
        struct ctap_options options = { 0 };
        struct client *c = *state;

        for (size_t i = 0; i < ELEMENTSOF(sizes); i++) {
                int64_t n;

                options.max_message = sizes[i];
                ctap_free(c->ctap);
                assert_int_equal(ctap_new(&c->fake->env, &options, &c->ctap), 0);
                n = member(c, 0x07).integer;
                assert_true(n > 0 && n * 70 + 300 <= sizes[i]);
        }
}

/* Chromium's ten (B18), and a name as long as sites make them. */
static const char ten_algorithms[] = "[" ALG(-7) ", " ALG(-8) ", " ALG(-35) ", " ALG(-36) ", " ALG(
        -37) ", " ALG(-257) ", " ALG(-47) ", " ALG(-48) ", " ALG(-49) ", " ALG(-50) "]";
#define LONG_NAME "somebody.with.a.long.name@example.com"

/* As many ids as fit into a list, none of them ours. */
static void set_full_list(struct client *c, unsigned key) {
        static const uint8_t id[CTAP_CREDENTIAL_ID_SIZE] = { 1 };
        struct made strangers[32];
        const int64_t n = member(c, 0x07).integer;

        assert_in_range(n, 1, ELEMENTSOF(strangers));
        for (int64_t i = 0; i < n; i++)
                strangers[i].id = BYTES_OF(id);
        client_set_list(c, key, strangers, (size_t)n);
}

/* Beside a token and both salts of the prf extension; a request that is too large ends in 39. */
static void GI2_a_full_list_fits_beside_what_browsers_send(void **state) {
        static const uint8_t salts[64] = { 0 }, user_id[64] = { 7 };
        struct client *c = *state;

        client_make_credential(c);
        client_verify(c);
        client_set(c, 3, "{'id': h'%s', 'name': '" LONG_NAME "', 'displayName': '" LONG_NAME "'}",
                   client_hex(c, BYTES_OF(user_id)));
        client_set(c, 4, "%s", ten_algorithms);
        set_full_list(c, 5);
        client_set(
                c, 6,
                "{'credBlob': h'%s', 'credProtect': 2, 'hmac-secret': true, 'largeBlobKey': true,"
                " 'minPinLength': true, 'hmac-secret-mc': %s}",
                client_hex(c, BYTES(salts, 32)), client_hmac_input(c, BYTES_OF(salts)));
        client_set(c, 7, "{'rk': true}");
        assert_int_equal(client_send(c), CTAP_OK);

        client_get_assertion(c);
        client_verify(c);
        set_full_list(c, 3);
        client_set(c, 4, "{'hmac-secret': %s}", client_hmac_input(c, BYTES_OF(salts)));
        client_set(c, 5, "{'up': true}");
        assert_int_equal(client_send(c), CTAP2_ERR_NO_CREDENTIALS);
}

static void GI3_only_algorithms_that_old_clients_know_and_2_3_can_be_turned_off(void **state) {
        struct client *c = *state;

        assert_member(c, 0x0a, ALGORITHMS);
        assert_member(c, 0x01, "['U2F_V2', 'FIDO_2_0', 'FIDO_2_1']");
        c->ctap->options.ctap_2_3 = true;
        assert_member(c, 0x01, "['U2F_V2', 'FIDO_2_0', 'FIDO_2_1', 'FIDO_2_3']");
}

static void GI2_algorithms_are_those_of_the_key_device(void **state) {
        struct client *c = *state;

        c->fake->offered = 1u << CTAP_KEY_P256;
        assert_member(c, 0x0a, "[" ALG(-7) "]");
}

/* Those that the conformance suite knows, less what there is not. */
static void GI4_only_options_that_exist(void **state) {
        static const char *const known[] = {
                "rk",
                "up",
                "uv",
                "ep",
                "uvAcfg",
                "alwaysUv",
                "credMgmt",
                "authnrCfg",
                "clientPin",
                "largeBlobs",
                "perCredMgmtRO",
                "pinUvAuthToken",
                "setMinPINLength",
                "makeCredUvNotRqd",
        };
        struct client *c = *state;
        struct cbor_value options;

        make_able(c);
        options = member(c, 0x04);
        assert_int_equal(options.n, ELEMENTSOF(known));
        for (size_t i = 0; i < ELEMENTSOF(known); i++)
                assert_int_equal(cbor_find_text(&options, known[i]).kind, CBOR_KIND_BOOL);
}

static void D11_every_extension_but_large_blob_is_offered(void **state) {
        assert_member(*state, 0x02, EXTENSIONS);
}

static void D7_without_a_large_blob_array_there_is_no_key_for_it(void **state) {
        struct client *c = *state;

        c->ctap->options.max_large_blobs = 0;
        assert_member(c, 0x02,
                      "['credBlob', 'credProtect', 'hmac-secret', 'minPinLength', 'hmac-secret-mc',"
                      " 'thirdPartyPayment', 'pinComplexityPolicy']");
}

static void RS3_any_transport_may_reset(void **state) {
        assert_false(has(*state, 0x1a));
}

static void RS3_a_long_touch_is_told_of_where_one_can_hold_on(void **state) {
        struct client *c = *state;

        assert_false(has(c, 0x18));
        c->fake->abilities = CTAP_PRESENCE_HOLD;
        assert_member(c, 0x18, "false");
        c->fake->settings.long_touch_for_reset = true;
        assert_member(c, 0x18, "true");
        c->fake->abilities = 0; /* and then nobody resets anything */
        assert_member(c, 0x18, "true");
}

static void GI5_what_is_not_supported_is_absent(void **state) {
        struct client *c = *state;

        assert_int_equal(option(c, "uv"), ABSENT);
        assert_int_equal(option(c, "uvAcfg"), ABSENT);
        assert_int_equal(option(c, "ep"), ABSENT);
        assert_int_equal(option(c, "bioEnroll"), ABSENT);
        assert_int_equal(option(c, "noMcGaPermissionsWithClientPin"), ABSENT);
        c->ctap->options.max_large_blobs = 0;
        assert_int_equal(option(c, "largeBlobs"), ABSENT);
}

static void GI5_the_pin_is_told_live(void **state) {
        struct client *c = *state;

        client_set_pin(c);
        c->fake->settings.min_pin_length = 6;
        c->fake->settings.force_pin_change = true;
        assert_int_equal(option(c, "clientPin"), ON);
        assert_member(c, 0x0c, "true");
        assert_member(c, 0x0d, "6");

        c->fake->settings = CTAP_SETTINGS_DEFAULT;
        assert_int_equal(option(c, "clientPin"), OFF);
        assert_member(c, 0x0c, "false");
        assert_member(c, 0x0d, "4");
}

static void GI5_built_in_verification_is_told_as_it_is_now(void **state) {
        struct client *c = *state;

        c->fake->abilities = CTAP_PRESENCE_VERIFY;
        assert_int_equal(option(c, "uv"), OFF);
        client_set_pin(c);
        assert_int_equal(option(c, "uv"), ON);
        c->fake->settings.force_pin_change = true;
        assert_int_equal(option(c, "uv"), OFF);
        c->fake->settings.force_pin_change = false;
        c->fake->settings.uv_retries = 0; /* a matter of 07, and no less configured */
        assert_int_equal(option(c, "uv"), ON);
        c->fake->abilities = 0;
        assert_int_equal(option(c, "uv"), ABSENT);
}

static void GI5_what_the_settings_turn_on_is_told_live(void **state) {
        struct client *c = *state;
        struct ctap_settings *s = &c->fake->settings;

        make_able(c);
        assert_int_equal(option(c, "ep"), OFF);
        assert_member(c, 0x18, "false");
        assert_member(c, 0x1b, "false");
        s->enterprise_attestation = true;
        s->long_touch_for_reset = true;
        s->pin_complexity = true;
        s->always_uv = true;
        assert_int_equal(option(c, "ep"), ON);
        assert_int_equal(option(c, "alwaysUv"), ON);
        assert_member(c, 0x18, "true");
        assert_member(c, 0x1b, "true");
}

static void assert_dependencies(struct client *c) {
        assert_int_equal(has(c, 0x0b), option(c, "largeBlobs") == ON);
        assert_int_equal(has(c, 0x10), option(c, "setMinPINLength") == ON);
        assert_int_equal(has(c, 0x11), option(c, "uv") != ABSENT);
        assert_int_equal(has(c, 0x12), option(c, "uv") != ABSENT);
        assert_int_equal(has(c, 0x1f), option(c, "authnrCfg") == ON);
        assert_int_equal(offers(c, "minPinLength"), option(c, "setMinPINLength") == ON);
        assert_int_equal(offers(c, "largeBlobKey"), option(c, "largeBlobs") == ON);
        assert_int_equal(offers(c, "credBlob"), has(c, 0x0f));
        assert_true(option(c, "uvAcfg") != ON || option(c, "authnrCfg") == ON);
        assert_true(option(c, "setMinPINLength") != ON || option(c, "authnrCfg") == ON);
        assert_int_equal(option(c, "pinUvAuthToken"), ON);
        assert_member(c, 0x06, "[2, 1]");
        assert_true(has(c, 0x0d) && has(c, 0x1b) && has(c, 0x1d)); /* clientPin */
        assert_false(has(c, 0x15) || has(c, 0x1a) || has(c, 0x1c));
}

static bool configures(struct client *c, int64_t subcommand) {
        struct cbor_value commands = member(c, 0x1f);

        for (uint32_t i = 0; i < commands.n; i++)
                if (cbor_next(&commands.elements).integer == subcommand)
                        return true;
        return false;
}

static void GI6_what_depends_on_something_else_comes_with_it(void **state) {
        struct client *c = *state;

        for (unsigned i = 0; i < 64; i++) {
                c->fake->abilities =
                        (i & 1 ? CTAP_PRESENCE_VERIFY : 0u) | (i & 2 ? CTAP_PRESENCE_HOLD : 0u);
                c->ctap->env.attester = i & 4 ? &c->fake->attester : NULL;
                c->ctap->options.max_large_blobs = i & 8 ? 2048 : 0;
                c->ctap->options.locks = i & 16 ? CTAP_LOCK_ALL : 0;
                c->fake->settings.pin_length = i & 32 ? 4 : 0;
                assert_dependencies(c);
                assert_int_equal(configures(c, 1), option(c, "ep") != ABSENT);
                assert_true(configures(c, 2));
                assert_int_equal(configures(c, 4), has(c, 0x18));
        }
}

static void GI7_under_always_uv_there_is_no_u2f_and_no_creation_without_uv(void **state) {
        struct client *c = *state;

        assert_false(claims(c, "U2F_V2"));
        assert_true(claims(c, "FIDO_2_0"));
        assert_int_equal(option(c, "alwaysUv"), ON);
        assert_int_equal(option(c, "makeCredUvNotRqd"), OFF);
}

static void GI7_always_uv_may_come_and_go(void **state) {
        struct client *c = *state;

        for (unsigned i = 0; i < 4; i++) {
                c->fake->settings.always_uv = i % 2;
                assert_int_equal(claims(c, "U2F_V2"), i % 2 == 0);
                assert_int_equal(option(c, "alwaysUv"), i % 2 ? ON : OFF);
                assert_int_equal(option(c, "makeCredUvNotRqd"), i % 2 ? OFF : ON);
        }
}

/* ---- what a holder of the persistent token reads ---- */

/* From the specification, and apart from ctap/: HKDF by two HMACs, and AES-128-CBC. */
static void decrypt(struct client *c, struct bytes told, const char *info, uint8_t *to) {
        static const uint8_t salt[32];
        uint8_t prk[32], okm[32], expand[64];
        const size_t n = strlen(info);
        EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
        int len, rest;

        assert_int_equal(told.len, 32);
        assert_non_null(HMAC(EVP_sha256(), salt, sizeof(salt), c->platform.token,
                             sizeof(c->platform.token), prk, NULL));
        memcpy(expand, info, n);
        expand[n] = 1;
        assert_non_null(HMAC(EVP_sha256(), prk, sizeof(prk), expand, n + 1, okm, NULL));
        assert_int_equal(EVP_DecryptInit_ex(ctx, EVP_aes_128_cbc(), NULL, okm, told.data), 1);
        EVP_CIPHER_CTX_set_padding(ctx, 0);
        assert_int_equal(EVP_DecryptUpdate(ctx, to, &len, told.data + 16, 16), 1);
        assert_int_equal(EVP_DecryptFinal_ex(ctx, to + len, &rest), 1);
        assert_int_equal(len + rest, 16);
        EVP_CIPHER_CTX_free(ctx);
}

struct told {
        uint8_t id[16], state[16];
};

static struct told read_told(struct client *c) {
        struct told t;

        decrypt(c, member(c, 0x19).string, "encIdentifier", t.id);
        decrypt(c, member(c, 0x1e).string, "encCredStoreState", t.state);
        return t;
}

static void get_persistent_token(struct client *c) {
        client_set_pin(c);
        assert_int_equal(pin_get_token_for(c, &c->platform, 2, CLIENT_PIN, CTAP_PERMISSION_PCMR,
                                           NULL),
                         CTAP_OK);
}

static void GI8_who_holds_the_token_recognises_the_device(void **state) {
        const struct ctap_options options = { .max_message = CLIENT_MESSAGE };
        struct client *c = *state;
        struct told first, again;
        uint8_t other[16];
        char iv[33];

        get_persistent_token(c);
        first = read_told(c);
        snprintf(iv, sizeof(iv), "%.32s", client_hex(c, member(c, 0x19).string));
        assert_string_not_equal(iv, client_hex(c, BYTES(member(c, 0x19).string.data, 16)));
        again = read_told(c);
        assert_memory_equal(first.id, again.id, sizeof(first.id));

        c->ctap = ctap_free(c->ctap);
        assert_int_equal(ctap_new(&c->fake->env, &options, &c->ctap), 0);
        again = read_told(c);
        assert_memory_equal(first.id, again.id, sizeof(first.id));
        assert_memory_not_equal(first.id, first.state, sizeof(first.id));

        /* another token reads nothing of it */
        c->platform.token[0] ^= 1;
        decrypt(c, member(c, 0x19).string, "encIdentifier", other);
        assert_memory_not_equal(first.id, other, sizeof(other));
}

static void GI8_after_a_reset_it_is_another_device(void **state) {
        struct client *c = *state;
        struct told before, after;

        get_persistent_token(c);
        before = read_told(c);
        assert_int_equal(client_call(c, 0x07, BYTES_NULL), CTAP_OK);
        get_persistent_token(c);
        after = read_told(c);
        assert_memory_not_equal(before.id, after.id, sizeof(after.id));
        assert_memory_not_equal(before.state, after.state, sizeof(after.state));
}

/* A new PIN is another token, and the same device. */
static void GI8_after_another_pin_it_is_the_same_device(void **state) {
        struct client *c = *state;
        struct told before, after;
        struct platform p;

        get_persistent_token(c);
        before = read_told(c);
        assert_int_equal(pin_change(c, &p, 2, CLIENT_PIN, CLIENT_PIN), CTAP_OK);
        after = read_told(c);
        assert_memory_not_equal(before.id, after.id, sizeof(after.id));
        get_persistent_token(c);
        after = read_told(c);
        assert_memory_equal(&before, &after, sizeof(after));
}

static void assert_state_changed(struct client *c, struct told *before, bool changed) {
        const struct told now = read_told(c);

        assert_int_equal(memcmp(now.state, before->state, sizeof(now.state)) != 0, changed);
        assert_memory_equal(now.id, before->id, sizeof(now.id));
        *before = now;
}

static void GI9_the_state_follows_the_discoverable_credentials(void **state) {
        struct client *c = *state;
        struct platform token;
        struct made ann, bob;
        struct told t;

        get_persistent_token(c);
        token = c->platform;
        t = read_told(c);
        client_register(c, true, "ann", &ann);
        c->platform = token;
        assert_state_changed(c, &t, true);
        assert_state_changed(c, &t, false);
        client_register(c, true, "ann", &ann); /* takes the place of the first */
        c->platform = token;
        assert_state_changed(c, &t, true);
        client_register(c, false, "bob", &bob);
        c->platform = token;
        assert_state_changed(c, &t, false);

        client_get_assertion(c);
        assert_int_equal(client_send(c), CTAP_OK);
        assert_state_changed(c, &t, false);
        fake_delete(c->fake, &c->fake->rows[1].id);
        assert_state_changed(c, &t, false);
        assert_int_equal(c->fake->store.ops->update(&c->fake->store, &c->fake->rows[0]), 0);
        assert_state_changed(c, &t, true);
        fake_delete(c->fake, &c->fake->rows[0].id);
        assert_state_changed(c, &t, true);
}

static void GI10_both_are_there_before_anybody_asked_for_the_token(void **state) {
        struct client *c = *state;

        assert_int_equal(member(c, 0x19).string.len, 32);
        assert_int_equal(member(c, 0x1e).string.len, 32);
        assert_int_equal(client_call(c, 0x07, BYTES_NULL), CTAP_OK);
        assert_int_equal(member(c, 0x19).string.len, 32);
        assert_int_equal(member(c, 0x1e).string.len, 32);
}

/* ---- what a version demands (CTAP 2.3 §9) ---- */

static void GI11_what_2_1_and_2_3_demand_is_there(void **state) {
        struct client *c = *state;

        for (unsigned i = 0; i < 16; i++) {
                make_able(c);
                c->ctap->options.ctap_2_3 = i & 1;
                c->fake->settings.pin_length = i & 2 ? 4 : 0;
                c->fake->settings.always_uv = i & 4;
                c->fake->settings.force_pin_change = i & 8;
                assert_true(claims(c, "FIDO_2_1"));
                assert_int_equal(claims(c, "FIDO_2_3"), (i & 1) != 0);
                assert_false(claims(c, "FIDO_2_2")); /* there is none */
                assert_true(offers(c, "hmac-secret"));
                assert_true(offers(c, "credProtect")); /* somebody can be verified */
                assert_int_equal(option(c, "rk"), ON);
                assert_int_not_equal(option(c, "clientPin"), ABSENT);
                assert_int_equal(option(c, "credMgmt"), ON);
                assert_int_equal(option(c, "pinUvAuthToken"), ON);
                assert_member(c, 0x06, "[2, 1]");
                assert_true(!offers(c, "minPinLength") || option(c, "setMinPINLength") == ON);
                assert_true(option(c, "ep") == ABSENT || configures(c, 1));
        }
}

/* And every command that they name is there: what is unknown is 01. */
static void GI11_what_is_claimed_is_there(void **state) {
        static const uint8_t commands[] = { 0x01, 0x02, 0x04, 0x06, 0x08, 0x0a, 0x0b, 0x0c, 0x0d };
        struct client *c = *state;

        for (size_t i = 0; i < ELEMENTSOF(commands); i++)
                assert_int_not_equal(client_call(c, commands[i], BYTES_NULL),
                                     CTAP1_ERR_INVALID_COMMAND);
}

static void H19_a_security_key_on_usb_and_no_platform_authenticator(void **state) {
        struct client *c = *state;

        assert_int_equal(option(c, "plat"), ABSENT);
        assert_member(c, 0x09, "['usb']");
}

static void without_random_bytes_nothing_is_told(void **state) {
        struct client *c = *state;

        c->command = 0x04;
        assert_int_equal(client_fail_everywhere(c), 2);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                client_unit_test(GI1_asks_neither_the_person_nor_the_key_device),
                client_unit_test(GI2_every_member_in_canonical_order),
                client_unit_test(GI2_remaining_follows_the_store),
                client_unit_test(D11_every_extension_but_large_blob_is_offered),
                client_unit_test(D7_without_a_large_blob_array_there_is_no_key_for_it),
                client_unit_test(RS3_any_transport_may_reset),
                client_unit_test(RS3_a_long_touch_is_told_of_where_one_can_hold_on),
                client_unit_test(GI2_the_list_fits_into_a_message),
                client_unit_test(GI2_a_full_list_fits_beside_what_browsers_send),
                client_unit_test(GI2_algorithms_are_those_of_the_key_device),
                client_unit_test(
                        GI3_only_algorithms_that_old_clients_know_and_2_3_can_be_turned_off),
                client_unit_test(GI4_only_options_that_exist),
                client_unit_test(GI5_what_is_not_supported_is_absent),
                client_unit_test(GI5_the_pin_is_told_live),
                client_unit_test(GI5_built_in_verification_is_told_as_it_is_now),
                client_unit_test(GI5_what_the_settings_turn_on_is_told_live),
                client_unit_test(GI6_what_depends_on_something_else_comes_with_it),
                always_uv_unit_test(GI7_under_always_uv_there_is_no_u2f_and_no_creation_without_uv),
                client_unit_test(GI7_always_uv_may_come_and_go),
                client_unit_test(GI8_who_holds_the_token_recognises_the_device),
                client_unit_test(GI8_after_a_reset_it_is_another_device),
                client_unit_test(GI8_after_another_pin_it_is_the_same_device),
                client_unit_test(GI9_the_state_follows_the_discoverable_credentials),
                client_unit_test(GI10_both_are_there_before_anybody_asked_for_the_token),
                client_unit_test(GI11_what_2_1_and_2_3_demand_is_there),
                client_unit_test(GI11_what_is_claimed_is_there),
                client_unit_test(GI12_the_formats_are_those_of_who_attests),
                client_unit_test(GI12_all_that_a_present_day_key_reports),
                client_unit_test(H19_a_security_key_on_usb_and_no_platform_authenticator),
                client_unit_test(without_random_bytes_nothing_is_told),
        };

        return cmocka_run_group_tests_name("get-info", tests, NULL, NULL);
}
