/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * authenticatorGetInfo (CTAP 2.3 §6.4): what this authenticator can do, now. A table of members, in
 * the order of their keys, each of which is there or not. Nothing of it is kept: settings, store and
 * presence are looked at each time. It asks neither the key device nor the person (GI1). A lock on the
 * settings takes nothing away: what hangs together here would come apart (GI6), and authenticatorConfig
 * says no by itself.
 */

#include "ctap/attestation.h"
#include "ctap/built-in-uv.h"
#include "ctap/command.h"
#include "ctap/cose.h"
#include "ctap/crypto.h"
#include "ctap/extension.h"
#include "ctap/persistent-token.h"
#include "ctap/pin.h"
#include "ctap/policy.h"

/* A descriptor of ours: a map of "id" and "type" with an id of 48 bytes, in CBOR. */
#define DESCRIPTOR_SIZE (1 + 3 + 2 + CTAP_CREDENTIAL_ID_SIZE + 5 + 11)
/* Room for the other members of a browser's makeCredential: names, algorithms, salts, a token. */
#define OTHER_MEMBERS_SIZE 800

/* FIDO Registry of Predefined Values §3.1: a finger, and a code that is typed into the authenticator. */
#define USER_VERIFY_FINGERPRINT_INTERNAL 0x02
#define USER_VERIFY_PASSCODE_INTERNAL    0x04

static const struct ctap_settings *settings(const struct ctap *c) {
        return c->env.store->ops->settings(c->env.store);
}

/* ---- what is offered ---- */

enum {
        ENABLE_ENTERPRISE_ATTESTATION = 0x01,
        SET_MIN_PIN_LENGTH = 0x03,
        ENABLE_LONG_TOUCH = 0x04,
};

/* Also where nobody can hold on any more: nobody can reset then (RS3). */
static bool has_long_touch(const struct ctap *c) {
        return ctap_config_has(c, ENABLE_LONG_TOUCH) || settings(c)->long_touch_for_reset;
}

static bool has_min_pin_length_rps(const struct ctap *c) {
        return ctap_config_has(c, SET_MIN_PIN_LENGTH);
}

/* ---- texts and numbers ---- */

/* One of a list that is there or not. */
struct item {
        const char *name;
        bool is_there;
        bool value; /* of options */
};

static size_t count(const struct item *items, size_t n) {
        size_t n_there = 0;

        for (size_t i = 0; i < n; i++)
                n_there += items[i].is_there;
        return n_there;
}

/* GI7 */
static int put_versions(const struct ctap *c, struct cbor_writer *out) {
        const struct item versions[] = {
                { "U2F_V2", ctap_has_u2f(c), true },
                { "FIDO_2_0", true, true },
                { "FIDO_2_1", true, true },
                { "FIDO_2_3", c->options.ctap_2_3, true },
        };

        cbor_put_array(out, count(versions, ELEMENTSOF(versions)));
        for (size_t i = 0; i < ELEMENTSOF(versions); i++)
                if (versions[i].is_there)
                        cbor_put_string(out, versions[i].name);
        return 0;
}

static int put_extensions(const struct ctap *c, struct cbor_writer *out) {
        size_t n = 0;

        while (ctap_extension_name(&c->options, n))
                n++;
        cbor_put_array(out, n);
        for (size_t i = 0; i < n; i++)
                cbor_put_string(out, ctap_extension_name(&c->options, i));
        return 0;
}

static int put_aaguid(const struct ctap *c, struct cbor_writer *out) {
        cbor_put_bytes(out, BYTES_OF(c->options.aaguid));
        return 0;
}

/*
 * Shorter names first (B2). `plat` stays away: clients then use the HID device. Built-in
 * verification can always show what it asks for, so that acfg is given for it too (uvAcfg).
 */
static int put_options(const struct ctap *c, struct cbor_writer *out) {
        const bool always_uv = ctap_always_uv(c), uv = ctap_uv_is_supported(c);
        const struct item options[] = {
                { "ep", ctap_config_has(c, ENABLE_ENTERPRISE_ATTESTATION),
                  ctap_enterprise_is_on(c) },
                { "rk", true, true },
                { "up", true, true },
                { "uv", uv, ctap_uv_is_configured(c) },
                { "uvAcfg", uv, true },
                { "alwaysUv", true, always_uv },
                { "credMgmt", true, true },
                { "authnrCfg", true, true },
                { "clientPin", true, settings(c)->pin_length > 0 },
                { "largeBlobs", ctap_has_large_blobs(c), true },
                { "perCredMgmtRO", true, true },
                { "pinUvAuthToken", true, true },
                { "setMinPINLength", ctap_config_has(c, SET_MIN_PIN_LENGTH), true },
                { "makeCredUvNotRqd", true, !always_uv },
        };

        cbor_put_map(out, count(options, ELEMENTSOF(options)));
        for (size_t i = 0; i < ELEMENTSOF(options); i++)
                if (options[i].is_there) {
                        cbor_put_string(out, options[i].name);
                        cbor_put_bool(out, options[i].value);
                }
        return 0;
}

static int put_max_message(const struct ctap *c, struct cbor_writer *out) {
        cbor_put_int(out, c->options.max_message);
        return 0;
}

/* The better one first. */
static int put_protocols(const struct ctap *c _unused_, struct cbor_writer *out) {
        cbor_put_array(out, 2);
        cbor_put_int(out, 2);
        cbor_put_int(out, 1);
        return 0;
}

static int put_max_list(const struct ctap *c, struct cbor_writer *out) {
        cbor_put_int(out, (c->options.max_message - OTHER_MEMBERS_SIZE) / DESCRIPTOR_SIZE);
        return 0;
}

static int put_id_size(const struct ctap *c _unused_, struct cbor_writer *out) {
        cbor_put_int(out, CTAP_CREDENTIAL_ID_SIZE);
        return 0;
}

static int put_transports(const struct ctap *c _unused_, struct cbor_writer *out) {
        cbor_put_array(out, 1);
        cbor_put_string(out, "usb");
        return 0;
}

static int put_algorithms(const struct ctap *c, struct cbor_writer *out) {
        const unsigned offered = c->env.keys->ops->offered(c->env.keys);
        const struct ctap_cose *alg;
        size_t n = 0;

        while (ctap_cose_listed(n, offered))
                n++;
        cbor_put_array(out, n);
        for (size_t i = 0; (alg = ctap_cose_listed(i, offered)); i++) {
                cbor_put_map(out, 2);
                cbor_put_string(out, "alg");
                cbor_put_int(out, alg->id);
                cbor_put_string(out, "type");
                cbor_put_string(out, "public-key");
        }
        return 0;
}

static int put_max_large_blobs(const struct ctap *c, struct cbor_writer *out) {
        cbor_put_int(out, c->options.max_large_blobs);
        return 0;
}

static int put_force_pin_change(const struct ctap *c, struct cbor_writer *out) {
        cbor_put_bool(out, settings(c)->force_pin_change);
        return 0;
}

static int put_min_pin_length(const struct ctap *c, struct cbor_writer *out) {
        cbor_put_int(out, ctap_min_pin_length(c));
        return 0;
}

static int put_firmware_version(const struct ctap *c, struct cbor_writer *out) {
        cbor_put_int(out, c->options.firmware_version);
        return 0;
}

static int put_max_cred_blob(const struct ctap *c _unused_, struct cbor_writer *out) {
        cbor_put_int(out, CTAP_CRED_BLOB_MAX);
        return 0;
}

static int put_max_rps(const struct ctap *c _unused_, struct cbor_writer *out) {
        cbor_put_int(out, CTAP_MIN_PIN_LENGTH_RPS);
        return 0;
}

/* One question goes on until there are no tries left. */
static int put_uv_attempts(const struct ctap *c _unused_, struct cbor_writer *out) {
        cbor_put_int(out, 1);
        return 0;
}

static int put_uv_modality(const struct ctap *c, struct cbor_writer *out) {
        const bool finger = c->env.presence->ops->abilities(c->env.presence) & CTAP_PRESENCE_FINGER;

        cbor_put_int(out, USER_VERIFY_PASSCODE_INTERNAL |
                                  (finger ? USER_VERIFY_FINGERPRINT_INTERNAL : 0));
        return 0;
}

static int put_remaining(const struct ctap *c, struct cbor_writer *out) {
        cbor_put_int(out, c->env.store->ops->remaining(c->env.store));
        return 0;
}

static int put_attestation_formats(const struct ctap *c, struct cbor_writer *out) {
        const bool tpm = ctap_attester_is_tpm(c->env.attester);

        cbor_put_array(out, tpm ? 2 : 1);
        cbor_put_string(out, "packed");
        if (tpm)
                cbor_put_string(out, "tpm");
        return 0;
}

static int put_long_touch(const struct ctap *c, struct cbor_writer *out) {
        cbor_put_bool(out, settings(c)->long_touch_for_reset);
        return 0;
}

static int put_complexity(const struct ctap *c, struct cbor_writer *out) {
        cbor_put_bool(out, ctap_pin_complexity(c));
        return 0;
}

/* Bytes, and so at most as many code points. */
static int put_max_pin_length(const struct ctap *c _unused_, struct cbor_writer *out) {
        cbor_put_int(out, CTAP_PIN_BYTES_MAX);
        return 0;
}

static int put_config_commands(const struct ctap *c, struct cbor_writer *out) {
        size_t n = 0;

        for (unsigned sub = 0; sub <= UINT8_MAX; sub++)
                n += ctap_config_has(c, sub);
        cbor_put_array(out, n);
        for (unsigned sub = 0; sub <= UINT8_MAX; sub++)
                if (ctap_config_has(c, sub))
                        cbor_put_int(out, sub);
        return 0;
}

/* ---- what only a holder of the persistent token can read (GI8, GI9) ---- */

/* HKDF to 16 bytes is the first half of HKDF to 32 (RFC 5869 §2.3). */
static int put_for_holder(const struct ctap *c, const char *info, const struct ctap_block *plain,
                          struct cbor_writer *out) {
        _cleanup_(secret32_wipe) struct secret32 token = { { 0 } }, key = { { 0 } };
        struct ctap_rng *rng = c->env.rng;
        struct {
                struct ctap_block iv, cipher;
        } told;
        int r;

        r = ctap_persistent_token(c, &token);
        if (r == 0)
                r = ctap_hkdf_sha256(&token, info, &key);
        if (r == 0)
                r = rng->ops->fill(rng, told.iv.b, sizeof(told.iv.b));
        if (r == 0)
                r = ctap_cbc_encrypt_block(&key, &told.iv, plain, &told.cipher);
        if (r < 0)
                return r;
        cbor_put_bytes(out, BYTES_OF(told));
        return 0;
}

/* It follows from the store key, and so another one follows a reset. */
static int put_enc_identifier(const struct ctap *c, struct cbor_writer *out) {
        _cleanup_(secret32_wipe) struct secret32 derived = { { 0 } };
        struct ctap_block id;
        int r;

        r = ctap_hkdf_sha256(c->env.store->ops->key(c->env.store), "tpmauthn device identifier",
                             &derived);
        if (r < 0)
                return r;
        cursor_copy(&(struct cursor){ BYTES_OF(derived), false }, id.b, sizeof(id.b));
        return put_for_holder(c, "encIdentifier", &id, out);
}

static int put_enc_store_state(const struct ctap *c, struct cbor_writer *out) {
        const struct ctap_store_state *state = c->env.store->ops->state(c->env.store);
        struct ctap_block plain;

        cursor_copy(&(struct cursor){ BYTES_OF(*state), false }, plain.b, sizeof(plain.b));
        return put_for_holder(c, "encCredStoreState", &plain, out);
}

/* ---- the table ---- */

static const struct member {
        uint8_t key;
        bool (*is_there)(const struct ctap *c); /* NULL: ever */
        int (*put)(const struct ctap *c, struct cbor_writer *out);
} members[] = {
        { 0x01, NULL, put_versions },
        { 0x02, NULL, put_extensions },
        { 0x03, NULL, put_aaguid },
        { 0x04, NULL, put_options },
        { 0x05, NULL, put_max_message },
        { 0x06, NULL, put_protocols },
        { 0x07, NULL, put_max_list },
        { 0x08, NULL, put_id_size },
        { 0x09, NULL, put_transports },
        { 0x0a, NULL, put_algorithms },
        { 0x0b, ctap_has_large_blobs, put_max_large_blobs },
        { 0x0c, NULL, put_force_pin_change },
        { 0x0d, NULL, put_min_pin_length },
        { 0x0e, NULL, put_firmware_version },
        { 0x0f, NULL, put_max_cred_blob },
        { 0x10, has_min_pin_length_rps, put_max_rps },
        { 0x11, ctap_uv_is_supported, put_uv_attempts },
        { 0x12, ctap_uv_is_supported, put_uv_modality },
        { 0x14, NULL, put_remaining },
        { 0x16, NULL, put_attestation_formats },
        { 0x18, has_long_touch, put_long_touch },
        { 0x19, NULL, put_enc_identifier },
        { 0x1b, NULL, put_complexity },
        { 0x1d, NULL, put_max_pin_length },
        { 0x1e, NULL, put_enc_store_state },
        { 0x1f, NULL, put_config_commands },
};

static bool is_there(const struct ctap *c, const struct member *m) {
        return !m->is_there || m->is_there(c);
}

enum ctap_status ctap_get_info(struct ctap *c, const struct ctap_call *call _unused_,
                               struct cbor_writer *out) {
        size_t n = 0;

        for (size_t i = 0; i < ELEMENTSOF(members); i++)
                n += is_there(c, &members[i]);
        cbor_put_map(out, n);
        for (size_t i = 0; i < ELEMENTSOF(members); i++) {
                int r;

                if (!is_there(c, &members[i]))
                        continue;
                cbor_put_int(out, members[i].key);
                r = members[i].put(c, out);
                if (r < 0)
                        return ctap_status_from_errno(r);
        }
        return CTAP_OK;
}
