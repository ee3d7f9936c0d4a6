/* SPDX-License-Identifier: BSD-2-Clause */

/* Users, in and out: see user.h. */

#include "ctap/user.h"

static const struct cbor_field user_fields[] = {
        { "id", 0, CBOR_KIND_BYTES, true, offsetof(struct ctap_user, id) },
        { "name", 0, CBOR_KIND_TEXT, false, offsetof(struct ctap_user, name) },
        { "displayName", 0, CBOR_KIND_TEXT, false, offsetof(struct ctap_user, display_name) },
        { "icon", 0, CBOR_KIND_TEXT, false, offsetof(struct ctap_user, icon) },
};

enum ctap_status ctap_read_user(const struct cbor_value *map, struct ctap_user *ret) {
        return cbor_read_map(map, user_fields, ELEMENTSOF(user_fields), ret);
}

void ctap_put_user(struct cbor_writer *w, const struct ctap_record *record, bool named) {
        const bool name = named && record->has_user_name;
        const bool display_name = named && record->has_display_name;

        cbor_put_map(w, 1u + name + display_name);
        cbor_put_string(w, "id");
        cbor_put_bytes(w, record->user_id);
        if (name) {
                cbor_put_string(w, "name");
                cbor_put_text(w, record->user_name);
        }
        if (display_name) {
                cbor_put_string(w, "displayName");
                cbor_put_text(w, record->user_display_name);
        }
}
