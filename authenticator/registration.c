/* SPDX-License-Identifier: BSD-2-Clause */

/* What a browser does between a site and a security key: see registration.h. */

#include "authenticator/registration.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "authenticator/control.h"
#include "authenticator/util.h"
#include "authenticator/webauthn.h"
#include "ctap/auth-data.h"
#include "ctap/cbor.h"

#define MAKE_CREDENTIAL 0x01

/* Nothing in it has to be escaped: base64url, and an origin that was looked at. */
char *registration_client_data(const struct creation_options *o) {
        char *text = NULL;

        if (asprintf(&text,
                     "{\"type\":\"webauthn.create\",\"challenge\":\"%.*s\",\"origin\":\"%s\","
                     "\"crossOrigin\":false}",
                     (int)o->challenge.len, (const char *)o->challenge.data, o->origin) < 0)
                return NULL;
        return text;
}

/* ---- the request ---- */

static void put_type(struct cbor_writer *w) {
        cbor_put_string(w, "type");
        cbor_put_string(w, "public-key");
}

static void put_rp(struct cbor_writer *w, const struct creation_options *o) {
        cbor_put_map(w, 1);
        cbor_put_string(w, "id");
        cbor_put_text(w, o->rp_id);
}

static void put_user(struct cbor_writer *w, const struct creation_options *o) {
        const bool named = o->user_display_name.len > 0;

        cbor_put_map(w, 2u + named);
        cbor_put_string(w, "id");
        cbor_put_bytes(w, o->user_id);
        cbor_put_string(w, "name");
        cbor_put_text(w, o->user_name);
        if (named) {
                cbor_put_string(w, "displayName");
                cbor_put_text(w, o->user_display_name);
        }
}

static void put_algorithms(struct cbor_writer *w, const struct creation_options *o) {
        cbor_put_array(w, o->n_algorithms);
        for (size_t i = 0; i < o->n_algorithms; i++) {
                cbor_put_map(w, 2);
                cbor_put_string(w, "alg");
                cbor_put_int(w, o->algorithms[i]);
                put_type(w);
        }
}

static void put_excluded(struct cbor_writer *w, const struct registration_request *rq) {
        cbor_put_array(w, rq->n_excluded);
        for (size_t i = 0; i < rq->n_excluded; i++) {
                cbor_put_map(w, 2);
                cbor_put_string(w, "id");
                cbor_put_bytes(w, BYTES_OF(rq->excluded[i]));
                put_type(w);
        }
}

/* §10.1.4: a PRF is hmac-secret to the authenticator. */
static bool wants_hmac_secret(const struct creation_options *o) {
        return o->hmac_create_secret || o->prf;
}

static unsigned n_extensions(const struct creation_options *o) {
        return 0u + o->has_cred_blob + (o->cred_protect > 0) + wants_hmac_secret(o) +
               o->large_blob + o->min_pin_length;
}

static void put_true(struct cbor_writer *w, const char *name, bool wanted) {
        if (!wanted)
                return;
        cbor_put_string(w, name);
        cbor_put_bool(w, true);
}

static void put_extensions(struct cbor_writer *w, const struct creation_options *o) {
        cbor_put_map(w, n_extensions(o));
        if (o->has_cred_blob) {
                cbor_put_string(w, "credBlob");
                cbor_put_bytes(w, o->cred_blob);
        }
        if (o->cred_protect > 0) {
                cbor_put_string(w, "credProtect");
                cbor_put_int(w, o->cred_protect);
        }
        put_true(w, "hmac-secret", wants_hmac_secret(o));
        put_true(w, "largeBlobKey", o->large_blob);
        put_true(w, "minPinLength", o->min_pin_length);
}

static size_t n_formats(const struct creation_options *o) {
        return o->no_attestation ? 1 : o->n_formats;
}

static void put_formats(struct cbor_writer *w, const struct creation_options *o) {
        cbor_put_array(w, n_formats(o));
        if (o->no_attestation)
                cbor_put_string(w, "none");
        for (size_t i = 0; !o->no_attestation && i < o->n_formats; i++)
                cbor_put_text(w, o->formats[i]);
}

/* CTAP 2.3 §6.1.2: 6 to 11. */
static void put_optional(struct cbor_writer *w, const struct registration_request *rq) {
        const struct creation_options *o = rq->options;

        if (n_extensions(o) > 0) {
                cbor_put_int(w, 0x06);
                put_extensions(w, o);
        }
        if (o->discoverable) {
                cbor_put_int(w, 0x07);
                cbor_put_map(w, 1);
                put_true(w, "rk", true);
        }
        if (rq->param.len > 0) {
                cbor_put_int(w, 0x08);
                cbor_put_bytes(w, rq->param);
                cbor_put_int(w, 0x09);
                cbor_put_int(w, 2);
        }
        if (rq->enterprise) {
                /* 2: it is the platform, not a list of ours, that knows who may have it. */
                cbor_put_int(w, 0x0a);
                cbor_put_int(w, 2);
        }
        if (n_formats(o) > 0) {
                cbor_put_int(w, 0x0b);
                put_formats(w, o);
        }
}

void registration_put_request(const struct registration_request *rq, struct buf *out) {
        const struct creation_options *o = rq->options;
        struct cbor_writer w = { out };

        buf_put_u8(out, MAKE_CREDENTIAL);
        cbor_put_map(&w, 4u + (rq->n_excluded > 0) + (n_extensions(o) > 0) + o->discoverable +
                                 2u * (rq->param.len > 0) + rq->enterprise + (n_formats(o) > 0));
        cbor_put_int(&w, 0x01);
        cbor_put_bytes(&w, BYTES_OF(rq->client_data_hash));
        cbor_put_int(&w, 0x02);
        put_rp(&w, o);
        cbor_put_int(&w, 0x03);
        put_user(&w, o);
        cbor_put_int(&w, 0x04);
        put_algorithms(&w, o);
        if (rq->n_excluded > 0) {
                cbor_put_int(&w, 0x05);
                put_excluded(&w, rq);
        }
        put_optional(&w, rq);
}

/* ---- the answer ---- */

struct answer {
        struct cbor_value fmt, auth_data, statement;
        struct ctap_credential_id id;
        struct cbor_value outputs; /* of extensions; ABSENT: there are none */
};

static const struct cbor_field answer_fields[] = {
        { NULL, 0x01, CBOR_KIND_TEXT, true, offsetof(struct answer, fmt) },
        { NULL, 0x02, CBOR_KIND_BYTES, true, offsetof(struct answer, auth_data) },
        { NULL, 0x03, CBOR_KIND_MAP, true, offsetof(struct answer, statement) },
};

/* WebAuthn §6.1 */
static int read_auth_data(struct answer *a) {
        struct cursor at = { a->auth_data.string, false };
        uint8_t flags;

        (void)cursor_take(&at, sizeof(struct sha256));
        flags = cursor_u8(&at);
        (void)cursor_take(&at, 4 + 16); /* counter, AAGUID */
        if (!(flags & CTAP_FLAG_AT) || cursor_u16(&at) != sizeof(a->id.b))
                return -EBADMSG;
        cursor_copy(&at, a->id.b, sizeof(a->id.b));
        if (at.failed)
                return -EBADMSG;
        (void)cbor_next(&at.left); /* the key */
        a->outputs = cbor_next(&at.left);
        return 0;
}

static int read_answer(struct bytes body, struct answer *ret) {
        struct cbor_value map;

        if (cbor_check(body) != CTAP_OK)
                return -EBADMSG;
        map = cbor_next(&body);
        if (cbor_read_map(&map, answer_fields, ELEMENTSOF(answer_fields), ret) != CTAP_OK)
                return -EBADMSG;
        return read_auth_data(ret);
}

int registration_read_id(struct bytes body, struct ctap_credential_id *ret) {
        struct answer a = { 0 };
        int r = read_answer(body, &a);

        if (r < 0)
                return r;
        *ret = a.id;
        return 0;
}

/* §6.5.4 */
static json_t *attestation_object(const struct answer *a) {
        const size_t size = a->fmt.raw.len + a->auth_data.raw.len + a->statement.raw.len + 32;
        _cleanup_(free_pointer) void *storage = malloc(size);
        struct buf out = { storage, 0, size, false };
        struct cbor_writer w = { &out };

        if (!storage)
                return NULL;
        cbor_put_map(&w, 3);
        cbor_put_string(&w, "fmt");
        cbor_put_raw(&w, a->fmt.raw);
        cbor_put_string(&w, "attStmt");
        cbor_put_raw(&w, a->statement.raw);
        cbor_put_string(&w, "authData");
        cbor_put_raw(&w, a->auth_data.raw);
        return webauthn_bytes(buf_bytes(&out));
}

static bool is_true(const struct answer *a, const char *output) {
        const struct cbor_value v = a->outputs.kind == CBOR_KIND_MAP
                                            ? cbor_find_text(&a->outputs, output)
                                            : (struct cbor_value){ 0 };

        return v.kind == CBOR_KIND_BOOL && v.boolean;
}

/* What a client adds to what the authenticator says itself. */
static json_t *extension_results(const struct creation_options *o, const struct answer *a) {
        json_t *x = json_object();

        if (o->cred_props)
                json_object_set_new(x, "credProps", json_pack("{s:b}", "rk", (int)o->discoverable));
        if (o->hmac_create_secret)
                json_object_set_new(x, "hmacCreateSecret", json_boolean(is_true(a, "hmac-secret")));
        if (o->prf)
                json_object_set_new(x, "prf",
                                    json_pack("{s:b}", "enabled", (int)is_true(a, "hmac-secret")));
        if (o->large_blob)
                json_object_set_new(x, "largeBlob", json_pack("{s:b}", "supported", 1));
        if (o->has_cred_blob)
                json_object_set_new(x, "credBlob", json_boolean(is_true(a, "credBlob")));
        return x;
}

static json_t *member(json_t *credential, const char *name) {
        return json_incref(json_object_get(credential, name));
}

int registration_response(const struct creation_options *o, struct bytes client_data,
                          struct bytes body, json_t *credential, json_t **ret) {
        struct answer a = { 0 };
        json_t *response;
        int r = read_answer(body, &a);

        if (r < 0)
                return r;
        response =
                json_pack("{s:o,s:o,s:o,s:o,s:o,s:o}", "clientDataJSON",
                          webauthn_bytes(client_data), "attestationObject", attestation_object(&a),
                          "authenticatorData", webauthn_bytes(a.auth_data.string), "transports",
                          member(credential, "transports"), "publicKey",
                          member(credential, "publicKey"), "publicKeyAlgorithm",
                          member(credential, "publicKeyAlgorithm"));
        *ret = json_pack("{s:o,s:o,s:s,s:s,s:o,s:o}", "id", member(credential, "id"), "rawId",
                         member(credential, "id"), "type", "public-key", "authenticatorAttachment",
                         "cross-platform", "clientExtensionResults", extension_results(o, &a),
                         "response", response);
        return *ret ? 0 : -ENOMEM;
}
