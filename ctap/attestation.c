/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Attestation: see attestation.h. Self attestation is the default because some clients refuse
 * "none" from a key that was not asked for it.
 */

#include "ctap/attestation.h"

static const char *const names[] = {
        [CTAP_ATTESTATION_PACKED] = "packed",
        [CTAP_ATTESTATION_NONE] = "none",
};

static bool is_format(const struct cbor_value *v, enum ctap_attestation format) {
        return bytes_equal(v->string, BYTES_TEXT(names[format]));
}

enum ctap_status ctap_attestation_choose(const struct cbor_value *preference,
                                         enum ctap_attestation *ret) {
        enum ctap_attestation chosen = CTAP_ATTESTATION_PACKED;
        struct bytes left = preference->elements;

        if (preference->kind == CBOR_KIND_ABSENT) {
                *ret = CTAP_ATTESTATION_PACKED;
                return CTAP_OK;
        }
        if (preference->kind != CBOR_KIND_ARRAY)
                return CTAP2_ERR_CBOR_UNEXPECTED_TYPE;

        /*
         * "none" counts only where it stands alone. In a longer list it is no format that getInfo
         * could offer and is skipped like an unknown one; what remains is "packed", either as the
         * first that is supported or as the default.
         */
        for (uint32_t i = 0; i < preference->n; i++) {
                struct cbor_value v = cbor_next(&left);

                if (v.kind != CBOR_KIND_TEXT)
                        return CTAP2_ERR_CBOR_UNEXPECTED_TYPE;
                if (preference->n == 1 && is_format(&v, CTAP_ATTESTATION_NONE))
                        chosen = CTAP_ATTESTATION_NONE;
        }

        *ret = chosen;
        return CTAP_OK;
}

void ctap_attestation_put(struct cbor_writer *w, enum ctap_attestation format,
                          struct bytes auth_data, int32_t alg, struct bytes signature) {
        cbor_put_int(w, 1);
        cbor_put_string(w, names[format]);
        cbor_put_int(w, 2);
        cbor_put_bytes(w, auth_data);
        cbor_put_int(w, 3);
        if (format == CTAP_ATTESTATION_NONE) {
                cbor_put_map(w, 0);
                return;
        }

        cbor_put_map(w, 2);
        cbor_put_string(w, "alg");
        cbor_put_int(w, alg);
        cbor_put_string(w, "sig");
        cbor_put_bytes(w, signature);
}
