/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * authenticator/creation-options.c on any JSON that somebody may call a site's options, with and without an
 * origin. What it takes is within every bound, its client data is JSON, and of it registration.c makes one
 * canonical message that fits; what it refuses it says in a message that is text.
 */

#include <stdlib.h>
#include <string.h>

#include "authenticator/base64url.h"
#include "authenticator/control.h"
#include "authenticator/creation-options.h"
#include "authenticator/protocol.h"
#include "authenticator/registration.h"
#include "authenticator/util.h"
#include "ctap/cbor.h"
#include "ctap/cose.h"
#include "tests/fuzz/fuzz.h"

static void check_client_data(const struct creation_options *o) {
        _cleanup_(free_pointer) char *text = registration_client_data(o);
        json_t *data = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
        const json_t *challenge = json_object_get(data, "challenge");

        require(json_object_size(data) == 4);
        require(bytes_equal(o->challenge,
                            BYTES(json_string_value(challenge), json_string_length(challenge))));
        require(strcmp(json_string_value(json_object_get(data, "origin")), o->origin) == 0);
        json_decref(data);
}

static void check_request(const struct creation_options *o) {
        static const uint8_t param[32];
        uint8_t storage[REGISTRATION_REQUEST_MAX];
        struct buf out = BUF_ON(storage);
        struct registration_request rq = { .options = o,
                                           .enterprise = o->enterprise,
                                           .param = BYTES_OF(param) };

        for (size_t i = 0; i < creation_n_excluded(o); i++)
                if (rq.n_excluded < REGISTRATION_EXCLUDED_MAX &&
                    creation_excluded(o, i, &rq.excluded[rq.n_excluded]))
                        rq.n_excluded++;
        registration_put_request(&rq, &out);
        require(buf_error(&out) == 0);
        require(cbor_check(BYTES(storage + 1, out.len - 1)) == CTAP_OK);
}

static void check(const struct creation_options *o, const struct creation_limits *limits) {
        require(o->rp_id.len > 0 && o->rp_id.len <= CTAP_RP_ID_MAX);
        require(o->user_id.len > 0 && o->user_id.len <= CTAP_USER_ID_MAX);
        require(bytes_is_utf8(o->user_name) && bytes_is_utf8(o->user_display_name));
        require(o->challenge.len >= BASE64URL_SIZE(CREATION_CHALLENGE_MIN));
        require(o->n_algorithms > 0 && o->n_algorithms <= CREATION_ALGORITHMS);
        for (size_t i = 0; i < o->n_algorithms; i++)
                require(ctap_cose_find(o->algorithms[i], limits->key_types));
        require(o->cred_protect <= 3 && o->cred_blob.len <= CTAP_CRED_BLOB_MAX);
        require(!o->large_blob || (limits->large_blobs && o->discoverable));
        check_client_data(o);
        check_request(o);
}

static void run(const json_t *options, const char *origin, const struct creation_limits *limits) {
        struct creation_options o;
        json_t *error = creation_options_read(options, origin, limits, &o);
        const json_t *body = json_object_get(error, "error");

        if (!error) {
                check(&o, limits);
                return;
        }
        require(strcmp(json_string_value(json_object_get(body, "code")), PROTOCOL_E_BAD_REQUEST) ==
                0);
        require(json_string_length(json_object_get(body, "message")) > 0);
        json_decref(error);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        json_t *options = json_loadb((const char *)data, size, JSON_REJECT_DUPLICATES, NULL);
        const char *origin = json_string_value(json_object_get(options, "origin"));

        if (json_is_object(options)) {
                run(options, NULL, &(struct creation_limits){ ~0u, true });
                run(options, "https://a.example", &(struct creation_limits){ ~0u, false });
                run(options, origin, &(struct creation_limits){ 1u << CTAP_KEY_P256, true });
        }
        json_decref(options);
        return 0;
}
