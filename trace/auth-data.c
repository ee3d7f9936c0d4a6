/* SPDX-License-Identifier: BSD-2-Clause */

/* Fixed fields, then two maps of CBOR that say themselves where they end. */

#include "trace/auth-data.h"

#include "ctap/auth-data.h"

static bool read_map(struct cursor *c, struct cbor_value *ret) {
        *ret = cbor_next(&c->left);
        return ret->kind == CBOR_KIND_MAP;
}

bool trace_auth_data_read(struct bytes data, struct trace_auth_data *ret) {
        struct trace_auth_data d = { 0 };
        struct cursor c = { data, false };

        d.rp_id_hash = cursor_take(&c, 32);
        d.flags = cursor_u8(&c);
        d.count = cursor_u32(&c);
        if (d.flags & CTAP_FLAG_AT) {
                d.aaguid = cursor_take(&c, 16);
                d.credential_id = cursor_take(&c, cursor_u16(&c));
                if (!read_map(&c, &d.key))
                        return false;
        }
        if (d.flags & CTAP_FLAG_ED && !read_map(&c, &d.extensions))
                return false;
        if (cursor_end(&c) < 0)
                return false;
        *ret = d;
        return true;
}
