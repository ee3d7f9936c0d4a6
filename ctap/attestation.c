/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Attestation: see attestation.h. Self attestation is the default because some clients refuse
 * "none" from a key that was not asked for it.
 */

#include "ctap/attestation.h"
#include "ctap/cose.h"

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

enum ctap_status ctap_attestation_grant(struct ctap_attester *attester, bool enabled,
                                        const struct cbor_value *enterprise, struct bytes rp_id,
                                        struct ctap_attester **ret) {
        enum { VENDOR_FACILITATED = 1, PLATFORM_MANAGED = 2 };

        if (enterprise->kind == CBOR_KIND_ABSENT) {
                *ret = NULL;
                return CTAP_OK;
        }
        if (!attester || !enabled)
                return CTAP1_ERR_INVALID_PARAMETER;
        switch (enterprise->integer) {
        case VENDOR_FACILITATED:
                *ret = attester->ops->serves(attester, rp_id) ? attester : NULL;
                return CTAP_OK;
        case PLATFORM_MANAGED: /* the platform knows the RPs, and has decided */
                *ret = attester;
                return CTAP_OK;
        default:
                return CTAP2_ERR_INVALID_OPTION;
        }
}

static void put_certificates(struct cbor_writer *w, struct ctap_attester *a) {
        size_t n = 0;

        while (a->ops->certificate(a, n).len > 0)
                n++;
        cbor_put_string(w, "x5c");
        cbor_put_array(w, n);
        for (size_t i = 0; i < n; i++)
                cbor_put_bytes(w, a->ops->certificate(a, i));
}

void ctap_attestation_put(struct cbor_writer *w, const struct ctap_statement *statement,
                          struct bytes auth_data) {
        cbor_put_int(w, 1);
        cbor_put_string(w, names[statement->format]);
        cbor_put_int(w, 2);
        cbor_put_bytes(w, auth_data);
        cbor_put_int(w, 3);
        if (statement->format == CTAP_ATTESTATION_NONE) {
                cbor_put_map(w, 0);
                return;
        }

        cbor_put_map(w, statement->attester ? 3 : 2);
        cbor_put_string(w, "alg");
        cbor_put_int(w, statement->attester ? CTAP_COSE_ES256 : statement->alg);
        cbor_put_string(w, "sig");
        cbor_put_bytes(w, statement->signature);
        if (statement->attester)
                put_certificates(w, statement->attester);
}
