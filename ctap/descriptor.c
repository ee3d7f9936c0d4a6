/* SPDX-License-Identifier: BSD-2-Clause */

/* allowList and excludeList: see descriptor.h. */

#include <errno.h>

#include "ctap/descriptor.h"

struct descriptor {
        struct cbor_value id;
        struct cbor_value type;
};

static const struct cbor_field descriptor_fields[] = {
        { "id", 0, CBOR_KIND_BYTES, true, offsetof(struct descriptor, id) },
        { "type", 0, CBOR_KIND_TEXT, true, offsetof(struct descriptor, type) },
};

static enum ctap_status read_descriptor(const struct cbor_value *item, struct descriptor *ret) {
        *ret = (struct descriptor){ 0 };
        return cbor_read_map(item, descriptor_fields, ELEMENTSOF(descriptor_fields), ret);
}

bool ctap_is_public_key(const struct cbor_value *type) {
        return bytes_equal(type->string, BYTES_TEXT("public-key"));
}

enum ctap_status ctap_check_descriptors(const struct cbor_value *list) {
        struct bytes left = list->elements;
        struct descriptor d;

        for (uint32_t i = 0; i < list->n; i++) {
                const struct cbor_value item = cbor_next(&left);
                enum ctap_status s = read_descriptor(&item, &d);

                if (s != CTAP_OK)
                        return s;
        }
        return CTAP_OK;
}

int ctap_find_listed(struct ctap *c, const struct cbor_value *list, const struct sha256 *rp_id_hash,
                     uint8_t max_protect, struct ctap_row *ret) {
        struct bytes left = list->elements;
        struct ctap_credential_id id;
        struct ctap_row row;
        struct descriptor d;
        int r;

        for (uint32_t i = 0; i < list->n; i++) {
                const struct cbor_value item = cbor_next(&left);

                if (read_descriptor(&item, &d) != CTAP_OK || !ctap_is_public_key(&d.type))
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
