/* SPDX-License-Identifier: BSD-2-Clause */

/* Thirty-seven bytes, the new credential, a map of extensions: flags say which are there. */

#include "examples/site/auth-data.h"

#include "examples/site/cbor.h"

static bool take_map(struct reader *r, struct slice *ret) {
        struct item map;

        if (r->failed || !item_take(&r->left, &map) || map.kind != ITEM_MAP)
                return false;
        *ret = map.whole;
        return true;
}

enum refusal auth_data_parse(struct slice raw, struct auth_data *ret) {
        struct auth_data a = { .raw = raw };
        struct reader r = { .left = raw };

        if (raw.len > AUTH_DATA_MAX)
                return REFUSED_AUTHENTICATOR_DATA;
        a.rp_id_hash = reader_take(&r, 32);
        a.flags = reader_u8(&r);
        a.counter = reader_u32(&r);
        if (a.flags & FLAG_ATTESTED) {
                a.aaguid = reader_take(&r, AAGUID_LEN);
                a.credential_id = reader_sized(&r);
                if (!take_map(&r, &a.public_key))
                        return REFUSED_AUTHENTICATOR_DATA;
        }
        if (a.flags & FLAG_EXTENSIONS && !take_map(&r, &a.extensions))
                return REFUSED_AUTHENTICATOR_DATA;
        if (!reader_at_end(&r))
                return REFUSED_AUTHENTICATOR_DATA;
        *ret = a;
        return REFUSED_NOTHING;
}
