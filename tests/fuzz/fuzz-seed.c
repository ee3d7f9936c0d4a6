/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * authenticator/seed.c on any list that a client of the control socket may call a fixture, with base64url.c
 * under it. What it takes the code behind can make without checks, and nothing is in it that it does not
 * take: what it refuses, it says of an entry that is there, in a message that is text.
 */

#include <stdlib.h>
#include <string.h>

#include "authenticator/base64url.h"
#include "authenticator/control.h"
#include "authenticator/protocol.h"
#include "authenticator/seed.h"
#include "tests/fuzz/fuzz.h"

/* The text that stands for these bytes is the one in the fixture. */
static void check_bytes(struct bytes b, const json_t *text) {
        uint8_t storage[BASE64URL_SIZE(CTAP_USER_ID_MAX)];
        struct buf again = BUF_ON(storage);

        base64url_put(&again, b);
        require(buf_error(&again) == 0);
        require(bytes_equal(buf_bytes(&again),
                            BYTES(json_string_value(text), json_string_length(text))));
}

static void check_record(const struct ctap_record *r, const json_t *entry) {
        const json_t *blob = json_object_get(json_object_get(entry, "extensions"), "credBlob");

        require(r->rp_id.len > 0 && r->rp_id.len <= CTAP_RP_ID_MAX && bytes_is_utf8(r->rp_id));
        require(r->user_id.len > 0 && r->user_id.len <= CTAP_USER_ID_MAX);
        require(bytes_is_utf8(r->user_name) && bytes_is_utf8(r->user_display_name));
        require(r->cred_blob.len <= CTAP_CRED_BLOB_MAX);
        check_bytes(r->user_id, json_object_get(json_object_get(entry, "user"), "id"));
        require(blob || r->cred_blob.len == 0);
        if (blob)
                check_bytes(r->cred_blob, blob);
}

static void check_seed(const struct ctap_new_credential *what, const json_t *entry,
                       const struct seed_limits *limits) {
        const uint32_t with_blob = CTAP_ROW_LARGE_BLOB_KEY;

        require(what->alg && limits->key_types & 1u << what->alg->type);
        require(what->cred_protect <= 3);
        require((what->flags & ~(uint32_t)(CTAP_ROW_DISCOVERABLE | CTAP_ROW_LARGE_BLOB_KEY |
                                           CTAP_ROW_THIRD_PARTY_PAYMENT)) == 0);
        require(!(what->flags & with_blob) || limits->large_blobs);
        require(what->flags & CTAP_ROW_DISCOVERABLE ||
                (!(what->flags & with_blob) && what->record.cred_blob.len == 0));
        check_record(&what->record, entry);
}

static void check_error(const json_t *body) {
        const json_t *error = json_object_get(body, "error");
        const char *message = json_string_value(json_object_get(error, "message"));

        require(strcmp(json_string_value(json_object_get(error, "code")), PROTOCOL_E_BAD_REQUEST) ==
                0);
        require(message && strstr(message, "None was made."));
}

static void run(const json_t *list, const struct seed_limits *limits) {
        struct seed_fixture *fixture = NULL;
        json_t *error = seed_read(list, limits, &fixture);

        require((error == NULL) == (fixture != NULL));
        if (error)
                check_error(error);
        for (size_t i = 0; fixture && i < fixture->n; i++)
                check_seed(&fixture->seeds[i].what, json_array_get(list, i), limits);
        require(!fixture || fixture->n == json_array_size(list));
        json_decref(error);
        free(fixture);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        json_t *list = json_loadb((const char *)data, size, JSON_REJECT_DUPLICATES, NULL);

        if (json_is_array(list)) {
                run(list, &(struct seed_limits){ ~0u, true });
                run(list, &(struct seed_limits){ 1u << CTAP_KEY_P256, false });
        }
        json_decref(list);
        return 0;
}
