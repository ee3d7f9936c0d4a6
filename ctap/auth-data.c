/* SPDX-License-Identifier: BSD-2-Clause */

/* Authenticator data, written field by field: see auth-data.h. */

#include "ctap/auth-data.h"

static uint8_t flags(const struct ctap_auth_data *d) {
        unsigned said = d->flags & (CTAP_FLAG_UP | CTAP_FLAG_UV);

        if (d->attested)
                said |= CTAP_FLAG_AT;
        if (d->extensions.len > 0)
                said |= CTAP_FLAG_ED;
        return (uint8_t)said;
}

static void put_attested(const struct ctap_attested *a, struct buf *out) {
        struct cbor_writer w = { out };

        buf_put(out, BYTES_OF(a->aaguid));
        buf_put_string16(out, BYTES_OF(a->id));
        ctap_cose_put_key(&w, a->alg, &a->key);
}

void ctap_auth_data_put(const struct ctap_auth_data *d, struct buf *out) {
        buf_put(out, BYTES_OF(d->rp_id_hash));
        buf_put_u8(out, flags(d));
        buf_put_u32(out, d->count);
        if (d->attested)
                put_attested(d->attested, out);
        buf_put(out, d->extensions);
}
