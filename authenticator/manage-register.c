/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Read, verify, make, tell: what a browser and a person do for a registration is done by the options
 * and the administrator's word, and all else by makeCredential itself. An answer that reaches nobody
 * leaves a passkey that no site knows. Where it is discoverable, the next one for that account takes
 * its place.
 */

#include "authenticator/manage-register.h"

#include <errno.h>

#include "authenticator/control.h"
#include "authenticator/creation-options.h"
#include "authenticator/manage-pin.h"
#include "authenticator/manage-reply.h"
#include "authenticator/protocol.h"
#include "authenticator/registration.h"
#include "authenticator/util.h"
#include "authenticator/webauthn.h"
#include "ctap/cbor.h"
#include "ctap/crypto.h"
#include "ctap/ctap.h"

#define GET_INFO 0x04

/* ---- what is refused, in words ---- */

static json_t *refuse_unverified(struct ctap *ctap) {
        struct ctap_pin_info info;

        if (ctap_pin_describe(ctap, &info) != CTAP_OK || !info.is_set)
                return control_error(
                        PROTOCOL_E_PIN,
                        "This takes verification, and there is no secret to verify by. "
                        "Run: tpmauthn pin set --from-credential, for that user.");
        if (info.is_for_enrolment)
                return control_error(PROTOCOL_E_PIN,
                                     "This takes verification by the enrolment secret. Give it by "
                                     "--secret-file or $CREDENTIALS_DIRECTORY.");
        return control_error(
                PROTOCOL_E_PIN,
                "This takes verification, and the PIN is the user's own: who enrols "
                "others cannot be verified by it. The user can register with the site.");
}

static json_t *refuse(struct ctap *ctap, const struct creation_options *o, enum ctap_status s) {
        switch (s) {
        case CTAP2_ERR_PUAT_REQUIRED:
                return refuse_unverified(ctap);
        case CTAP2_ERR_CREDENTIAL_EXCLUDED:
                return control_error(PROTOCOL_E_EXCLUDED,
                                     "There is a passkey already that excludeCredentials names. "
                                     "None was made.");
        case CTAP2_ERR_KEY_STORE_FULL:
                return control_error(PROTOCOL_E_FULL,
                                     "There is no room for another passkey. None was made.");
        case CTAP2_ERR_NOT_ALLOWED:
        case CTAP2_ERR_OPERATION_DENIED:
                return control_error(PROTOCOL_E_NOT_ALLOWED,
                                     "The policy of this computer forbids passkeys of %.*s. None "
                                     "was made.",
                                     (int)o->rp_id.len, (const char *)o->rp_id.data);
        default:
                return control_error(PROTOCOL_E_FAILED,
                                     "The passkey could not be made (%s). The daemon's log says "
                                     "more.",
                                     ctap_status_name((uint8_t)s));
        }
}

/* Of a secret that did not verify. */
static json_t *refuse_secret(struct ctap *ctap, enum ctap_status s) {
        struct ctap_pin_info info;

        if (s != CTAP2_ERR_NOT_ALLOWED)
                return manage_pin_refusal(ctap, s);
        if (ctap_pin_describe(ctap, &info) == CTAP_OK && info.is_set)
                return control_error(PROTOCOL_E_PIN,
                                     "The user has a PIN of their own: the enrolment secret, if "
                                     "there was one, is of no use any more.");
        return control_error(PROTOCOL_E_PIN, "There is no enrolment secret. Run: tpmauthn pin set "
                                             "--from-credential, for that user.");
}

/* ---- the request ---- */

/* As a browser asks before: the authenticator has it and it is turned on. */
static bool attests_enterprise(struct ctap *ctap) {
        const uint8_t message[] = { GET_INFO };
        uint8_t storage[CTAP_REPLY_MAX];
        struct buf reply = BUF_ON(storage);
        struct {
                struct cbor_value options;
        } info = { 0 };
        const struct cbor_field field = { NULL, 0x04, CBOR_KIND_MAP, true, 0 };
        struct cbor_value map;
        struct bytes body;

        ctap_request(ctap, 0, BYTES_OF(message), &reply);
        body = BYTES(storage + 1, reply.len - 1);
        map = cbor_next(&body);
        if (storage[0] != CTAP_OK || cbor_read_map(&map, &field, 1, &info) != CTAP_OK)
                return false;
        map = cbor_find_text(&info.options, "ep");
        return map.kind == CBOR_KIND_BOOL && map.boolean;
}

/* However many the site names, those are named to the authenticator that it may have. */
static int find_excluded(struct backend *b, const struct creation_options *o,
                         struct registration_request *rq) {
        struct ctap_credential_id id;
        struct ctap_row row;

        for (size_t i = 0; i < creation_n_excluded(o) && rq->n_excluded < REGISTRATION_EXCLUDED_MAX;
             i++) {
                int r;

                if (!creation_excluded(o, i, &id))
                        continue;
                r = store_find(backend_store(b), &id, &row);
                if (r == 0)
                        rq->excluded[rq->n_excluded++] = id;
                else if (r != -ENOENT)
                        return r;
        }
        return 0;
}

/* ---- the answer ---- */

static json_t *tell(struct backend *b, const struct creation_options *o, struct bytes client_data,
                    struct bytes body) {
        struct ctap_keys *keys = vault_keys(backend_vault(b));
        _cleanup_(json_drop) json_t *credential = NULL;
        struct ctap_credential_id id;
        struct ctap_public_key key;
        struct ctap_row row;
        json_t *response;
        int r;

        r = registration_read_id(body, &id);
        if (r == 0)
                r = store_find(backend_store(b), &id, &row);
        if (r == 0)
                r = keys->ops->public_key(keys, BYTES(row.key.data, row.key.len), &key);
        if (r == 0) {
                credential = webauthn_credential(&row, &key);
                r = registration_response(o, client_data, body, credential, &response);
        }
        return r < 0 ? manage_failed("The passkey was made, and could not be told", r)
                     : control_result(response);
}

static json_t *make(struct backend *b, struct registration_request *rq, struct bytes client_data) {
        uint8_t request_storage[REGISTRATION_REQUEST_MAX], storage[CTAP_REPLY_MAX];
        struct buf request = BUF_ON(request_storage), reply = BUF_ON(storage);

        registration_put_request(rq, &request);
        if (buf_error(&request) < 0)
                return control_error(PROTOCOL_E_BAD_REQUEST,
                                     "The creation options are too long for one request.");
        ctap_enrol(backend_ctap(b), buf_bytes(&request), &reply);
        if (storage[0] != CTAP_OK)
                return refuse(backend_ctap(b), rq->options, storage[0]);
        return tell(b, rq->options, client_data, BYTES(storage + 1, reply.len - 1));
}

static json_t *verify_and_make(struct backend *b, struct registration_request *rq,
                               const char *secret, struct bytes client_data) {
        _cleanup_(ctap_enrolment_param_wipe) struct ctap_enrolment_param param = { { 0 } };
        struct ctap *ctap = backend_ctap(b);
        enum ctap_status s;

        if (!secret && rq->options->verify)
                return refuse_unverified(ctap);
        if (secret) {
                s = ctap_enrolment_verify(ctap, BYTES_TEXT(secret), rq->options->rp_id,
                                          &rq->client_data_hash, &param);
                if (s != CTAP_OK)
                        return refuse_secret(ctap, s);
                rq->param = BYTES_OF(param);
        }
        return make(b, rq, client_data);
}

json_t *manage_register(struct backend *b, const json_t *params) {
        const char *origin = json_string_value(json_object_get(params, "origin"));
        const char *secret = json_string_value(json_object_get(params, "secret"));
        struct ctap_keys *keys = vault_keys(backend_vault(b));
        const struct creation_limits limits = {
                .key_types = keys->ops->offered(keys),
                .large_blobs = ctap_has_large_blobs(backend_ctap(b)),
        };
        _cleanup_(free_pointer) char *client_data = NULL;
        struct creation_options o;
        struct registration_request rq = { .options = &o };
        struct bytes data;
        json_t *error;
        int r;

        error = creation_options_read(json_object_get(params, "options"), origin, &limits, &o);
        if (error)
                return error;
        client_data = registration_client_data(&o);
        if (!client_data)
                return NULL;
        data = BYTES_TEXT(client_data);
        rq.enterprise = o.enterprise && attests_enterprise(backend_ctap(b));
        r = ctap_sha256(&data, 1, &rq.client_data_hash);
        if (r == 0)
                r = find_excluded(b, &o, &rq);
        if (r < 0)
                return manage_failed("The passkey could not be made", r);
        return verify_and_make(b, &rq, secret, data);
}
