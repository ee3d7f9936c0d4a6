/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * For any device, not for simulators alone: what is in it the owner knows by `list` already, or is known
 * to the site and to each program that ever asked for the passkey.
 */

#include "authenticator/manage-webauthn.h"

#include "authenticator/control.h"
#include "authenticator/manage-credential.h"
#include "authenticator/manage-reply.h"
#include "authenticator/webauthn.h"
#include "ctap/credential.h"

static json_t *user_of(const struct ctap_record *record) {
        json_t *user = json_pack("{s:o}", "id", webauthn_bytes(record->user_id));

        if (record->has_user_name)
                json_object_set_new(user, "name", manage_text(record->user_name));
        if (record->has_display_name)
                json_object_set_new(user, "displayName", manage_text(record->user_display_name));
        return user;
}

/* U2F names neither site nor account. */
static void set_record(json_t *entry, const struct ctap_record *record) {
        const bool named = record->rp_id.len > 0;

        json_object_set_new(entry, "rp_id", named ? manage_text(record->rp_id) : json_null());
        json_object_set_new(entry, "user", named ? user_of(record) : json_null());
}

static json_t *describe(struct backend *b, const struct ctap_credential_keys *keys,
                        const struct ctap_row *row) {
        struct ctap_keys *port = vault_keys(backend_vault(b));
        uint8_t storage[sizeof(row->sealed)];
        struct buf opened = BUF_ON(storage);
        struct ctap_public_key key;
        struct ctap_record record;
        bool damaged;
        json_t *entry;

        damaged = port->ops->public_key(port, BYTES(row->key.data, row->key.len), &key) < 0;
        entry = webauthn_credential(row, damaged ? NULL : &key);
        if (!entry)
                return NULL;
        json_object_set_new(entry, "discoverable",
                            json_boolean(row->flags & CTAP_ROW_DISCOVERABLE));
        if (ctap_record_open(keys, NULL, row, &opened, &record) == 0)
                set_record(entry, &record);
        else
                damaged = true;
        if (damaged)
                json_object_set_new(entry, "damaged", json_true());
        return entry;
}

json_t *manage_credentials(struct backend *b, const json_t *params) {
        json_t *result;
        int r = manage_list_page(b, params, describe, &result);

        return r < 0 ? manage_failed("The passkeys could not be listed", r)
                     : control_result(result);
}
