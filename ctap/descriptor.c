/* SPDX-License-Identifier: BSD-2-Clause */

/* Descriptors, allowList and excludeList: see descriptor.h. */

#include <errno.h>

#include "ctap/descriptor.h"

static const struct cbor_field descriptor_fields[] = {
        { "id", 0, CBOR_KIND_BYTES, true, offsetof(struct ctap_descriptor, id) },
        { "type", 0, CBOR_KIND_TEXT, true, offsetof(struct ctap_descriptor, type) },
        { "transports", 0, CBOR_KIND_ARRAY, false, offsetof(struct ctap_descriptor, transports) },
};

enum ctap_status ctap_read_descriptor(const struct cbor_value *item, struct ctap_descriptor *ret) {
        enum ctap_status s;

        *ret = (struct ctap_descriptor){ 0 };
        s = cbor_read_map(item, descriptor_fields, ELEMENTSOF(descriptor_fields), ret);
        return s == CTAP_OK ? cbor_check_texts(&ret->transports) : s;
}

void ctap_put_descriptor(struct cbor_writer *w, const struct ctap_credential_id *id) {
        cbor_put_map(w, 2);
        cbor_put_string(w, "id");
        cbor_put_bytes(w, BYTES_OF(*id));
        cbor_put_string(w, "type");
        cbor_put_string(w, "public-key");
}

bool ctap_is_public_key(const struct cbor_value *type) {
        return bytes_equal(type->string, BYTES_TEXT("public-key"));
}

enum ctap_status ctap_check_descriptors(const struct cbor_value *list) {
        struct bytes left = list->elements;
        struct ctap_descriptor d;

        for (uint32_t i = 0; i < list->n; i++) {
                const struct cbor_value item = cbor_next(&left);
                enum ctap_status s = ctap_read_descriptor(&item, &d);

                if (s != CTAP_OK)
                        return s;
        }
        return CTAP_OK;
}

int ctap_next_listed(struct ctap *c, struct bytes *left, const struct sha256 *rp_id_hash,
                     uint8_t max_protect, struct ctap_row *ret) {
        struct ctap_credential_id id;
        struct ctap_row row;
        struct ctap_descriptor d;
        int r;

        while (left->len > 0) {
                const struct cbor_value item = cbor_next(left);

                if (ctap_read_descriptor(&item, &d) != CTAP_OK || !ctap_is_public_key(&d.type))
                        continue;
                if (!ctap_credential_id_open(&c->credential_keys, d.id.string, rp_id_hash, &id))
                        continue;

                r = c->env.store->ops->find(c->env.store, &id, &row);
                if (r == -ENOENT || (r == 0 && row.cred_protect > max_protect))
                        continue;
                if (r < 0)
                        return r;
                *ret = row;
                return 0;
        }
        return -ENOENT;
}

uint8_t ctap_max_protect(bool named, bool verified) {
        return verified ? 3 : named ? 2 : 1;
}
