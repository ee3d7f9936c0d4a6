/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The formats, one function each. libfido2 does what is packed; its certificates are looked at in
 * certificate.c, for libfido2 does not, and a TPM's statement in tpm-statement.c, for libfido2 1.12
 * knows only that of RSA with SHA-1.
 */

#include "examples/site/attestation.h"

#include <fido.h>
#include <string.h>

#include "examples/site/cbor.h"
#include "examples/site/certificate.h"
#include "examples/site/tpm-statement.h"

static bool get_of_kind(struct slice map, const char *name, enum item_kind kind, struct item *ret) {
        return item_by_text(map, name, ret) && ret->kind == kind;
}

enum refusal attestation_parse(struct slice object, struct attestation *ret) {
        struct item format, statement, data;

        if (!get_of_kind(object, "fmt", ITEM_TEXT, &format) ||
            !get_of_kind(object, "attStmt", ITEM_MAP, &statement) ||
            !get_of_kind(object, "authData", ITEM_BYTES, &data))
                return REFUSED_ATTESTATION;
        *ret = (struct attestation){
                .format = format.content,
                .statement = statement.whole,
                .auth_data = data.content,
        };
        return REFUSED_NOTHING;
}

static void free_cred(fido_cred_t **cred) {
        fido_cred_free(cred);
}

/* libfido2 wants to be told what it will find: what is there is asked for (§7.1: others may be ignored). */
static int expect_extensions(fido_cred_t *cred, struct slice extensions) {
        struct item item;
        int mask = 0, r = FIDO_OK;

        if (item_by_text(extensions, "hmac-secret", &item) && item.value == ITEM_TRUE)
                mask |= FIDO_EXT_HMAC_SECRET;
        if (item_by_text(extensions, "credBlob", &item) && item.value == ITEM_TRUE)
                mask |= FIDO_EXT_CRED_BLOB;
        if (mask)
                r = fido_cred_set_extensions(cred, mask);
        if (r == FIDO_OK && item_by_text(extensions, "credProtect", &item) && item.value <= 3)
                r = fido_cred_set_prot(cred, (int)item.value);
        if (r == FIDO_OK && item_by_text(extensions, "minPinLength", &item) && item.value <= 63)
                r = fido_cred_set_pin_minlen(cred, (size_t)item.value);
        return r;
}

static int fill_cred(fido_cred_t *cred, const struct attestation *a, const struct attested *about) {
        struct slice statement = a->statement, data = a->auth_data;
        int r = fido_cred_set_type(cred, about->key->algorithm);

        if (r == FIDO_OK)
                r = fido_cred_set_rp(cred, about->rp_id, NULL);
        if (r == FIDO_OK)
                r = fido_cred_set_clientdata_hash(cred, about->client_data_hash, 32);
        if (r == FIDO_OK)
                r = fido_cred_set_authdata_raw(cred, data.data, data.len);
        if (r == FIDO_OK)
                r = fido_cred_set_fmt(cred, "packed");
        if (r == FIDO_OK)
                r = fido_cred_set_attstmt(cred, statement.data, statement.len);
        if (r == FIDO_OK)
                r = expect_extensions(cred, about->auth_data->extensions);
        return r;
}

static enum refusal verify_packed_signature(const struct attestation *a,
                                            const struct attested *about, bool is_self) {
        _cleanup_(free_cred) fido_cred_t *cred = fido_cred_new();

        if (!cred || fill_cred(cred, a, about) != FIDO_OK)
                return REFUSED_ATTESTATION;
        if ((is_self ? fido_cred_verify_self(cred) : fido_cred_verify(cred)) != FIDO_OK)
                return REFUSED_ATTESTATION_SIGNATURE;
        return REFUSED_NOTHING;
}

/* §8.2 */
static enum refusal verify_packed(struct attestation *a, const struct attested *about,
                                  X509_STORE *roots) {
        struct item algorithm, signature, chain;
        bool is_self = !item_by_text(a->statement, "x5c", &chain);
        enum refusal refusal;
        int64_t number;

        if (!item_by_text(a->statement, "alg", &algorithm) || !item_int(&algorithm, &number) ||
            !get_of_kind(a->statement, "sig", ITEM_BYTES, &signature))
                return REFUSED_ATTESTATION;
        if (is_self && number != about->key->algorithm)
                return REFUSED_ATTESTATION_SIGNATURE;
        refusal = verify_packed_signature(a, about, is_self);
        if (refusal != REFUSED_NOTHING)
                return refusal;
        a->kind = is_self ? ATTESTATION_SELF : ATTESTATION_CERTIFICATES;
        if (is_self)
                return REFUSED_NOTHING;
        return certificates_verify(chain.whole, CERTIFICATE_OF_AUTHENTICATOR,
                                   about->auth_data->aaguid, roots, &a->is_trusted);
}

/* §8.3 */
static enum refusal verify_tpm(struct attestation *a, const struct attested *about,
                               X509_STORE *roots) {
        struct item chain;
        enum refusal refusal;

        if (!item_by_text(a->statement, "x5c", &chain))
                return REFUSED_ATTESTATION;
        refusal = tpm_statement_verify(a->statement, about);
        if (refusal != REFUSED_NOTHING)
                return refusal;
        a->kind = ATTESTATION_TPM;
        return certificates_verify(chain.whole, CERTIFICATE_OF_TPM, about->auth_data->aaguid, roots,
                                   &a->is_trusted);
}

/* §8.7 */
static enum refusal verify_none(struct attestation *a, _unused_ const struct attested *about,
                                _unused_ X509_STORE *roots) {
        struct item statement;

        if (!item_only(a->statement, &statement) || statement.value != 0)
                return REFUSED_ATTESTATION;
        a->kind = ATTESTATION_NONE;
        return REFUSED_NOTHING;
}

enum refusal attestation_verify(struct attestation *a, const struct attested *about,
                                X509_STORE *roots) {
        static const struct {
                const char *name;
                enum refusal (*verify)(struct attestation *, const struct attested *, X509_STORE *);
        } formats[] = {
                { "none", verify_none },
                { "packed", verify_packed },
                { "tpm", verify_tpm },
        };

        for (size_t i = 0; i < ELEMENTSOF(formats); i++)
                if (slice_equal(a->format, SLICE_TEXT(formats[i].name)))
                        return formats[i].verify(a, about, roots);
        return REFUSED_ATTESTATION_FORMAT;
}

const char *attestation_kind_name(enum attestation_kind kind) {
        static const char *const names[] = {
                [ATTESTATION_NONE] = "none",
                [ATTESTATION_SELF] = "self",
                [ATTESTATION_CERTIFICATES] = "certificates",
                [ATTESTATION_TPM] = "tpm",
        };

        return names[kind];
}
