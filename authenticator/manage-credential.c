/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * A credential is named by its id in hex, or by a prefix that only one has. A list is given in
 * pages that end where the next entry might not fit into a line of the protocol; "next" is what
 * "after" of the following request must be.
 */

#include "authenticator/manage-credential.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "authenticator/control.h"
#include "authenticator/manage-reply.h"
#include "authenticator/protocol.h"
#include "build-config.h"
#include "ctap/credential.h"
#include "ctap/crypto.h"

#define STOP_WALK 1

/* ---- one credential as JSON ---- */

static void set_record(json_t *entry, const struct ctap_record *record) {
        json_object_set_new(entry, "rp_id",
                            record->rp_id.len > 0 ? manage_text(record->rp_id) : json_null());
        json_object_set_new(entry, "user_id", manage_hex(record->user_id));
        if (record->has_user_name)
                json_object_set_new(entry, "user_name", manage_text(record->user_name));
        if (record->has_display_name)
                json_object_set_new(entry, "user_display_name",
                                    manage_text(record->user_display_name));
}

static json_t *describe(struct backend *b _unused_, const struct ctap_credential_keys *keys,
                        const struct ctap_row *row) {
        uint8_t storage[sizeof(row->sealed)];
        struct buf opened = BUF_ON(storage);
        struct ctap_record record;
        json_t *entry;

        entry = json_pack("{s:o,s:I,s:I,s:I,s:I,s:i,s:i,s:s,s:b,s:b,s:b,s:b}", "credential",
                          manage_hex(BYTES_OF(row->id)), "sequence", (json_int_t)row->sequence,
                          "created", (json_int_t)row->created, "last_used",
                          (json_int_t)row->last_used, "count", (json_int_t)row->count, "algorithm",
                          (int)row->alg, "cred_protect", (int)row->cred_protect, "class",
                          row->class == CTAP_CLASS_B ? "pin" : "presence", "discoverable",
                          (row->flags & CTAP_ROW_DISCOVERABLE) != 0, "u2f",
                          (row->flags & CTAP_ROW_U2F) != 0, "large_blob_key",
                          (row->flags & CTAP_ROW_LARGE_BLOB_KEY) != 0, "third_party_payment",
                          (row->flags & CTAP_ROW_THIRD_PARTY_PAYMENT) != 0);
        if (!entry)
                return NULL;

        if (ctap_record_open(keys, NULL, row, &opened, &record) == 0)
                set_record(entry, &record);
        else
                json_object_set_new(entry, "damaged", json_true());
        return entry;
}

static int derive_keys(struct backend *b, struct ctap_credential_keys *ret) {
        struct ctap_store *store = vault_store(backend_vault(b));

        return ctap_credential_keys_derive(store->ops->key(store), ret);
}

/* ---- list ---- */

struct page {
        struct backend *backend;
        const struct ctap_credential_keys *keys;
        manage_describe_fn *describe;
        uint64_t after;
        json_t *entries;
        size_t bytes;
        uint64_t last;
        bool more;
};

static int add_to_page(void *userdata, const struct ctap_row *row) {
        struct page *page = userdata;
        json_t *entry;

        if (row->sequence <= page->after)
                return 0;
        if (page->bytes > MANAGE_PAGE_BYTES) {
                page->more = true;
                return STOP_WALK;
        }

        entry = page->describe(page->backend, page->keys, row);
        if (!entry)
                return -ENOMEM;
        page->bytes += manage_size(entry);
        page->last = row->sequence;
        return json_array_append_new(page->entries, entry) < 0 ? -ENOMEM : 0;
}

int manage_list_page(struct backend *b, const json_t *params, manage_describe_fn *describe_one,
                     json_t **ret) {
        _cleanup_(ctap_credential_keys_wipe) struct ctap_credential_keys keys;
        json_int_t after = json_integer_value(json_object_get(params, "after"));
        struct page page = { .backend = b,
                             .keys = &keys,
                             .describe = describe_one,
                             .after = after > 0 ? (uint64_t)after : 0 };
        json_t *result;
        int r;

        r = derive_keys(b, &keys);
        if (r < 0)
                return r;

        page.entries = json_array();
        r = store_each(backend_store(b), add_to_page, &page);
        if (r < 0) {
                json_decref(page.entries);
                return r;
        }

        result = json_pack("{s:o}", "credentials", page.entries);
        if (page.more)
                json_object_set_new(result, "next", json_integer((json_int_t)page.last));
        *ret = result;
        return 0;
}

json_t *manage_list(struct backend *b, const json_t *params) {
        json_t *result;
        int r = manage_list_page(b, params, describe, &result);

        return r < 0 ? manage_failed("The passkeys could not be listed", r)
                     : control_result(result);
}

/* ---- inventory ---- */

/* What a fleet's list may have: a site as its hash, nobody's name. */
static json_t *take_stock(struct backend *b _unused_, const struct ctap_credential_keys *keys,
                          const struct ctap_row *row) {
        uint8_t storage[sizeof(row->sealed)];
        struct buf opened = BUF_ON(storage);
        struct ctap_record record;
        struct sha256 hash;
        json_t *site = NULL;

        if (ctap_record_open(keys, NULL, row, &opened, &record) == 0 && record.rp_id.len > 0 &&
            ctap_sha256(&record.rp_id, 1, &hash) == 0)
                site = manage_hex(BYTES_OF(hash));
        return json_pack("{s:o,s:I,s:I,s:s}", "rp_id_hash", site ? site : json_null(), "created",
                         (json_int_t)row->created, "last_used", (json_int_t)row->last_used, "class",
                         row->class == CTAP_CLASS_B ? "pin" : "presence");
}

/* An organisation's key is named by the hash of its certificate; without one there is none to name. */
static json_t *attestation_id(const struct backend *b) {
        struct bytes certificate = backend_certificate(b);
        struct sha256 hash;

        return certificate.len > 0 && ctap_sha256(&certificate, 1, &hash) == 0
                       ? manage_hex(BYTES_OF(hash))
                       : json_null();
}

json_t *manage_inventory(struct backend *b, const json_t *params) {
        json_t *result;
        int r = manage_list_page(b, params, take_stock, &result);

        if (r < 0)
                return manage_failed("The passkeys could not be counted", r);
        json_object_set_new(result, "aaguid", manage_hex(BYTES(backend_aaguid(b), 16)));
        json_object_set_new(result, "version", json_string(TPMAUTHN_VERSION));
        json_object_set_new(result, "attestation_key_id", attestation_id(b));
        return control_result(result);
}

/* ---- one credential ---- */

struct search {
        const char *prefix;
        unsigned n; /* how many have it, up to 2 */
        struct ctap_row row;
};

static int compare_prefix(void *userdata, const struct ctap_row *row) {
        struct search *s = userdata;
        char text_of_id[2 * CTAP_CREDENTIAL_ID_SIZE + 1];

        for (size_t i = 0; i < sizeof(row->id.b); i++)
                snprintf(text_of_id + 2 * i, 3, "%02x", row->id.b[i]);
        if (strncmp(text_of_id, s->prefix, strlen(s->prefix)) != 0)
                return 0;
        s->row = *row;
        return ++s->n > 1 ? STOP_WALK : 0;
}

/* NULL if exactly one credential is meant, else the error. */
static json_t *find(struct backend *b, const json_t *params, struct search *ret) {
        const char *id = json_string_value(json_object_get(params, "credential"));
        struct search s = { .prefix = id };
        int r;

        if (strlen(id) < PROTOCOL_PREFIX_MIN || strspn(id, "0123456789abcdef") != strlen(id))
                return control_error(PROTOCOL_E_BAD_REQUEST,
                                     "A passkey is named by at least %d hex digits (0-9, a-f).",
                                     PROTOCOL_PREFIX_MIN);

        r = store_each(backend_store(b), compare_prefix, &s);
        if (r < 0)
                return manage_failed("The passkeys could not be searched", r);
        if (s.n == 0)
                return control_error(PROTOCOL_E_NOT_FOUND,
                                     "There is no passkey whose id begins so.");
        if (s.n > 1)
                return control_error(PROTOCOL_E_AMBIGUOUS,
                                     "More than one passkey begins so; give more digits.");
        *ret = s;
        return NULL;
}

json_t *manage_show(struct backend *b, const json_t *params) {
        _cleanup_(ctap_credential_keys_wipe) struct ctap_credential_keys keys;
        struct search s;
        json_t *error;
        int r;

        r = derive_keys(b, &keys);
        if (r < 0)
                return manage_failed("The passkey could not be read", r);
        error = find(b, params, &s);
        return error ? error : control_result(describe(b, &keys, &s.row));
}

json_t *manage_delete(struct backend *b, const json_t *params) {
        struct search s;
        json_t *error;
        int r;

        error = find(b, params, &s);
        if (error)
                return error;
        r = store_delete(backend_store(b), &s.row.id);
        if (r < 0)
                return manage_failed("The passkey could not be deleted", r);
        return control_result(json_pack("{s:o}", "credential", manage_hex(BYTES_OF(s.row.id))));
}
