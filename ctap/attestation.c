/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Attestation: see attestation.h. Self attestation is the default because some clients refuse
 * "none" from a key that was not asked for it.
 */

#include "ctap/attestation.h"
#include "ctap/auth-data.h"
#include "ctap/cose.h"

/* The least that clients have for a reply, by libfido2. */
#define REPLY_MAX 2048
/*
 * A reply in the format "tpm" without certificates, COSE key and public area, as long as it can be: the
 * authenticator data with all extensions, certInfo of 173 bytes, a signature of 72, and CBOR around
 * them, of four certificates too.
 */
#define TPM_REPLY_BASE (CTAP_AUTH_DATA_MAX - CTAP_COSE_KEY_MAX + 173 + 72 + 108)

static const char *const names[] = {
        [CTAP_ATTESTATION_PACKED] = "packed",
        [CTAP_ATTESTATION_TPM] = "tpm",
        [CTAP_ATTESTATION_NONE] = "none",
};

bool ctap_attester_is_tpm(const struct ctap_attester *a) {
        return a && a->ops->certify;
}

size_t ctap_attestation_room(enum ctap_key_type type) {
        /* COSE key and TPMT_PUBLIC of class B, which has a policy. */
        static const uint16_t keys[_CTAP_KEY_TYPES] = {
                [CTAP_KEY_P256] = 77 + 118,
                [CTAP_KEY_P384] = 110 + 150,
                [CTAP_KEY_RSA2048] = 272 + 310,
        };

        return (size_t)(REPLY_MAX - TPM_REPLY_BASE - keys[type]);
}

static bool is_format(const struct cbor_value *v, enum ctap_attestation format) {
        return bytes_equal(v->string, BYTES_TEXT(names[format]));
}

static enum ctap_attestation format_of(const struct cbor_value *v, bool alone) {
        if (is_format(v, CTAP_ATTESTATION_PACKED))
                return CTAP_ATTESTATION_PACKED;
        if (is_format(v, CTAP_ATTESTATION_TPM))
                return CTAP_ATTESTATION_TPM;
        return alone && is_format(v, CTAP_ATTESTATION_NONE) ? CTAP_ATTESTATION_NONE
                                                            : CTAP_ATTESTATION_ANY;
}

enum ctap_status ctap_attestation_prefer(const struct cbor_value *preference,
                                         enum ctap_attestation *ret) {
        enum ctap_attestation chosen = CTAP_ATTESTATION_ANY;
        struct bytes left = preference->elements;

        if (preference->kind == CBOR_KIND_ABSENT) {
                *ret = CTAP_ATTESTATION_ANY;
                return CTAP_OK;
        }
        if (preference->kind != CBOR_KIND_ARRAY)
                return CTAP2_ERR_CBOR_UNEXPECTED_TYPE;

        /*
         * "none" counts only where it stands alone. In a longer list it is no format that getInfo
         * could offer and is skipped like an unknown one. What remains is the first that is known:
         * where that is "tpm" and cannot be given, "packed" is what is left, wherever it stands.
         */
        for (uint32_t i = 0; i < preference->n; i++) {
                struct cbor_value v = cbor_next(&left);

                if (v.kind != CBOR_KIND_TEXT)
                        return CTAP2_ERR_CBOR_UNEXPECTED_TYPE;
                if (chosen == CTAP_ATTESTATION_ANY)
                        chosen = format_of(&v, preference->n == 1);
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

/* ---- who attests, and how ---- */

static bool fits(struct ctap_attester *a, enum ctap_key_type type) {
        size_t size = 0, n;

        for (size_t i = 0; (n = a->ops->certificate(a, i).len) > 0; i++)
                size += n;
        return size <= ctap_attestation_room(type);
}

static bool is_good(struct ctap_attester *a) {
        return !a->ops->is_good || a->ops->is_good(a);
}

/* By the device's own key: whose certificate names this machine, so that not every site gets it. */
static bool is_for_tpm(const struct ctap_attestation_question *q) {
        return ctap_attester_is_tpm(q->there) && q->preference != CTAP_ATTESTATION_PACKED &&
               (q->granted || q->there->ops->serves(q->there, q->rp_id)) &&
               fits(q->there, q->type) && is_good(q->there);
}

struct ctap_attesting ctap_attestation_decide(const struct ctap_attestation_question *q) {
        if (q->preference == CTAP_ATTESTATION_NONE)
                return (struct ctap_attesting){ .format = CTAP_ATTESTATION_NONE };
        if (is_for_tpm(q))
                return (struct ctap_attesting){ CTAP_ATTESTATION_TPM, q->there, q->granted };
        if (!q->granted || ctap_attester_is_tpm(q->granted))
                return (struct ctap_attesting){ .format = CTAP_ATTESTATION_PACKED };
        return (struct ctap_attesting){ CTAP_ATTESTATION_PACKED, q->granted, true };
}

/* ---- the statement ---- */

static void put_certificates(struct cbor_writer *w, struct ctap_attester *a) {
        size_t n = 0;

        while (a->ops->certificate(a, n).len > 0)
                n++;
        cbor_put_string(w, "x5c");
        cbor_put_array(w, n);
        for (size_t i = 0; i < n; i++)
                cbor_put_bytes(w, a->ops->certificate(a, i));
}

static void put_certification(struct cbor_writer *w, const struct ctap_certification *c) {
        cbor_put_string(w, "pubArea");
        cbor_put_bytes(w, BYTES(c->public_area, c->public_area_len));
        cbor_put_string(w, "certInfo");
        cbor_put_bytes(w, BYTES(c->info, c->info_len));
}

void ctap_attestation_put(struct cbor_writer *w, const struct ctap_statement *statement,
                          struct bytes auth_data) {
        const struct ctap_attesting *by = &statement->by;
        const bool is_tpm = by->format == CTAP_ATTESTATION_TPM;

        cbor_put_int(w, 1);
        cbor_put_string(w, names[by->format]);
        cbor_put_int(w, 2);
        cbor_put_bytes(w, auth_data);
        cbor_put_int(w, 3);
        if (by->format == CTAP_ATTESTATION_NONE) {
                cbor_put_map(w, 0);
                return;
        }

        cbor_put_map(w, is_tpm ? 6 : by->attester ? 3 : 2);
        cbor_put_string(w, "alg");
        cbor_put_int(w, by->attester ? CTAP_COSE_ES256 : statement->alg);
        cbor_put_string(w, "sig");
        cbor_put_bytes(w, statement->signature);
        if (is_tpm) {
                cbor_put_string(w, "ver");
                cbor_put_string(w, "2.0");
        }
        if (by->attester)
                put_certificates(w, by->attester);
        if (is_tpm)
                put_certification(w, statement->certification);
}
