/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * authenticatorGetInfo (CTAP 2.3 §6.4): what this authenticator can do, now. It only claims what is
 * there: no credential management, hence no FIDO_2_1, which demands it (GI11). It asks neither the
 * key device nor the person.
 */

#include "ctap/command.h"
#include "ctap/cose.h"
#include "ctap/extension.h"
#include "ctap/pin.h"

/* A descriptor of ours: a map of "id" and "type" with an id of 48 bytes, in CBOR. */
#define DESCRIPTOR_SIZE (1 + 3 + 2 + CTAP_CREDENTIAL_ID_SIZE + 5 + 11)
/* Room for the other members of a browser's makeCredential: names, algorithms, salts, a token. */
#define OTHER_MEMBERS_SIZE 800

static void put_algorithms(struct cbor_writer *out, unsigned offered) {
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
}

/* GI7: U2F knows no PIN. */
static void put_versions(struct cbor_writer *out, bool always_uv) {
        cbor_put_array(out, always_uv ? 1 : 2);
        if (!always_uv)
                cbor_put_string(out, "U2F_V2");
        cbor_put_string(out, "FIDO_2_0");
}

static void put_extensions(struct cbor_writer *out, const struct ctap_options *o) {
        size_t n = 0;

        while (ctap_extension_name(o, n))
                n++;
        cbor_put_array(out, n);
        for (size_t i = 0; i < n; i++)
                cbor_put_string(out, ctap_extension_name(o, i));
}

/* Shorter names first (B2). `plat` stays away: clients then use the HID device. */
static void put_options(struct cbor_writer *out, const struct ctap *c) {
        const bool always_uv = ctap_always_uv(c);

        cbor_put_map(out, 5u + always_uv);
        cbor_put_string(out, "rk");
        cbor_put_bool(out, true);
        cbor_put_string(out, "up");
        cbor_put_bool(out, true);
        if (always_uv) {
                cbor_put_string(out, "alwaysUv");
                cbor_put_bool(out, true);
        }
        cbor_put_string(out, "clientPin");
        cbor_put_bool(out, c->env.store->ops->settings(c->env.store)->pin_length > 0);
        cbor_put_string(out, "pinUvAuthToken");
        cbor_put_bool(out, true);
        cbor_put_string(out, "makeCredUvNotRqd");
        cbor_put_bool(out, !always_uv);
}

/* The members that say what this authenticator is and takes, whatever its owner did with it. */
static void put_limits(struct cbor_writer *out, const struct ctap *c) {
        const struct ctap_options *o = &c->options;

        cbor_put_int(out, 0x05); /* maxMsgSize */
        cbor_put_int(out, o->max_message);

        cbor_put_int(out, 0x06); /* pinUvAuthProtocols, the better one first */
        cbor_put_array(out, 2);
        cbor_put_int(out, 2);
        cbor_put_int(out, 1);

        cbor_put_int(out, 0x07); /* maxCredentialCountInList */
        cbor_put_int(out, (o->max_message - OTHER_MEMBERS_SIZE) / DESCRIPTOR_SIZE);

        cbor_put_int(out, 0x08); /* maxCredentialIdLength */
        cbor_put_int(out, CTAP_CREDENTIAL_ID_SIZE);

        cbor_put_int(out, 0x09); /* transports */
        cbor_put_array(out, 1);
        cbor_put_string(out, "usb");

        cbor_put_int(out, 0x0a); /* algorithms */
        put_algorithms(out, c->env.keys->ops->offered(c->env.keys));
}

enum ctap_status ctap_get_info(struct ctap *c, const struct ctap_call *call _unused_,
                               struct cbor_writer *out) {
        const struct ctap_settings *settings = c->env.store->ops->settings(c->env.store);
        const struct ctap_options *o = &c->options;

        cbor_put_map(out, 17);

        cbor_put_int(out, 0x01); /* versions */
        put_versions(out, ctap_always_uv(c));

        cbor_put_int(out, 0x02); /* extensions */
        put_extensions(out, o);

        cbor_put_int(out, 0x03); /* aaguid */
        cbor_put_bytes(out, BYTES_OF(o->aaguid));

        cbor_put_int(out, 0x04); /* options */
        put_options(out, c);

        put_limits(out, c);

        cbor_put_int(out, 0x0c); /* forcePINChange */
        cbor_put_bool(out, settings->force_pin_change);

        cbor_put_int(out, 0x0d); /* minPINLength */
        cbor_put_int(out, settings->min_pin_length);

        cbor_put_int(out, 0x0e); /* firmwareVersion */
        cbor_put_int(out, o->firmware_version);

        cbor_put_int(out, 0x0f); /* maxCredBlobLength */
        cbor_put_int(out, CTAP_CRED_BLOB_MAX);

        cbor_put_int(out, 0x14); /* remainingDiscoverableCredentials */
        cbor_put_int(out, c->env.store->ops->remaining(c->env.store));

        cbor_put_int(out, 0x16); /* attestationFormats */
        cbor_put_array(out, 1);
        cbor_put_string(out, "packed");

        cbor_put_int(out, 0x1d); /* maxPINLength: bytes, and so at most as many code points */
        cbor_put_int(out, CTAP_PIN_BYTES_MAX);

        return CTAP_OK;
}
