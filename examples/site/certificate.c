/* SPDX-License-Identifier: BSD-2-Clause */

/* OpenSSL reads them and builds the path; what WebAuthn wants besides is checked here. */

#include "examples/site/certificate.h"

#include <openssl/asn1.h>
#include <openssl/objects.h>
#include <openssl/x509v3.h>
#include <string.h>

#include "examples/site/attestation.h"
#include "examples/site/cbor.h"

#define OID_AAGUID          "1.3.6.1.4.1.45724.1.1.4" /* id-fido-gen-ce-aaguid */
#define OID_AIK             "2.23.133.8.3"            /* tcg-kp-AIKCertificate */
#define OID_TPM_ATTRIBUTE   "2.23.133.2."             /* manufacturer 1, model 2, version 3 */
#define N_TPM_ATTRIBUTES    3
#define VERSION_3           2 /* as it is written */
#define OID_TEXT_MAX        64
#define ORGANISATIONAL_UNIT "Authenticator Attestation"

static void free_stack(STACK_OF(X509) * *stack) {
        sk_X509_pop_free(*stack, X509_free);
}

static void free_context(X509_STORE_CTX **context) {
        X509_STORE_CTX_free(*context);
}

static void free_names(GENERAL_NAMES **names) {
        GENERAL_NAMES_free(*names);
}

static void free_purposes(EXTENDED_KEY_USAGE **purposes) {
        EXTENDED_KEY_USAGE_free(*purposes);
}

static void free_object(ASN1_OBJECT **object) {
        ASN1_OBJECT_free(*object);
}

/* Nothing may be behind the certificate. */
static X509 *read_one(struct slice der) {
        const uint8_t *at = der.data;
        X509 *certificate = d2i_X509(NULL, &at, (long)der.len);

        if (certificate && at != der.data + der.len) {
                X509_free(certificate);
                return NULL;
        }
        return certificate;
}

static STACK_OF(X509) * read_all(struct slice array) {
        _cleanup_(free_stack) STACK_OF(X509) *stack = sk_X509_new_null();
        struct item list, one;
        struct slice left;

        if (!stack || !item_only(array, &list) || list.kind != ITEM_ARRAY || list.value == 0 ||
            list.value > ATTESTATION_CERTIFICATES_MAX)
                return NULL;
        left = item_elements(&list);
        for (uint64_t i = 0; i < list.value; i++) {
                X509 *certificate;

                if (!item_take(&left, &one) || one.kind != ITEM_BYTES)
                        return NULL;
                certificate = read_one(one.content);
                if (!certificate)
                        return NULL;
                if (sk_X509_push(stack, certificate) <= 0) {
                        X509_free(certificate);
                        return NULL;
                }
        }
        return TAKE_PTR(stack);
}

X509 *certificate_first(struct slice chain) {
        _cleanup_(free_stack) STACK_OF(X509) *stack = read_all(chain);

        return stack ? sk_X509_shift(stack) : NULL;
}

/* There, and the only one of its kind. */
static bool has_name(X509_NAME *subject, int nid, const char *value) {
        int at = X509_NAME_get_index_by_NID(subject, nid, -1);
        ASN1_STRING *text;

        if (at < 0 || X509_NAME_get_index_by_NID(subject, nid, at) >= 0)
                return false;
        text = X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, at));
        if (ASN1_STRING_length(text) == 0)
                return false;
        return !value ||
               slice_equal(SLICE(ASN1_STRING_get0_data(text), (size_t)ASN1_STRING_length(text)),
                           SLICE_TEXT(value));
}

static bool is_no_authority(X509 *certificate) {
        int critical;
        BASIC_CONSTRAINTS *c =
                X509_get_ext_d2i(certificate, NID_basic_constraints, &critical, NULL);
        bool is_none = c && !c->ca;

        BASIC_CONSTRAINTS_free(c);
        return is_none;
}

/* Where a certificate says for which AAGUID it is, it has to be this one, in an extension that is not critical. */
static bool fits_aaguid(X509 *certificate, struct slice aaguid) {
        _cleanup_(free_object) ASN1_OBJECT *oid = OBJ_txt2obj(OID_AAGUID, 1);
        const ASN1_OCTET_STRING *value;
        X509_EXTENSION *extension;
        struct reader r;
        int at;

        if (!oid)
                return false;
        at = X509_get_ext_by_OBJ(certificate, oid, -1);
        if (at < 0)
                return true;
        extension = X509_get_ext(certificate, at);
        value = X509_EXTENSION_get_data(extension);
        r.left = SLICE(ASN1_STRING_get0_data(value), (size_t)ASN1_STRING_length(value));
        r.failed = false;
        /* An OCTET STRING in the extension's own. */
        if (reader_u8(&r) != V_ASN1_OCTET_STRING || reader_u8(&r) != AAGUID_LEN)
                return false;
        return !X509_EXTENSION_get_critical(extension) &&
               slice_equal(reader_take(&r, AAGUID_LEN), aaguid) && reader_at_end(&r);
}

static bool is_of_authenticator(X509 *certificate) {
        X509_NAME *subject = X509_get_subject_name(certificate);

        return has_name(subject, NID_countryName, NULL) &&
               has_name(subject, NID_organizationName, NULL) &&
               has_name(subject, NID_organizationalUnitName, ORGANISATIONAL_UNIT) &&
               has_name(subject, NID_commonName, NULL);
}

static bool has_purpose(X509 *certificate, const char *wanted) {
        _cleanup_(free_purposes) EXTENDED_KEY_USAGE *purposes =
                X509_get_ext_d2i(certificate, NID_ext_key_usage, NULL, NULL);
        char oid[OID_TEXT_MAX];

        for (int i = 0; purposes && i < sk_ASN1_OBJECT_num(purposes); i++)
                if (OBJ_obj2txt(oid, sizeof(oid), sk_ASN1_OBJECT_value(purposes, i), 1) > 0 &&
                    strcmp(oid, wanted) == 0)
                        return true;
        return false;
}

/* Counts the three attributes of the TCG's in a directory name, each as one bit. */
static unsigned tpm_attributes(X509_NAME *name) {
        unsigned found = 0;

        for (int i = 0; i < X509_NAME_entry_count(name); i++) {
                X509_NAME_ENTRY *entry = X509_NAME_get_entry(name, i);
                size_t prefix = strlen(OID_TPM_ATTRIBUTE);
                char oid[OID_TEXT_MAX];

                if (OBJ_obj2txt(oid, sizeof(oid), X509_NAME_ENTRY_get_object(entry), 1) <= 0 ||
                    strncmp(oid, OID_TPM_ATTRIBUTE, prefix) != 0 || oid[prefix + 1] != '\0')
                        continue;
                if (oid[prefix] >= '1' && oid[prefix] < '1' + N_TPM_ATTRIBUTES)
                        found |= 1u << (oid[prefix] - '1');
        }
        return found;
}

static bool names_a_tpm(X509 *certificate) {
        _cleanup_(free_names) GENERAL_NAMES *names =
                X509_get_ext_d2i(certificate, NID_subject_alt_name, NULL, NULL);
        unsigned found = 0;

        for (int i = 0; names && i < sk_GENERAL_NAME_num(names); i++) {
                const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, i);

                if (name->type == GEN_DIRNAME)
                        found |= tpm_attributes(name->d.directoryName);
        }
        return found == (1u << N_TPM_ATTRIBUTES) - 1;
}

static bool is_of_tpm(X509 *certificate) {
        return X509_NAME_entry_count(X509_get_subject_name(certificate)) == 0 &&
               names_a_tpm(certificate) && has_purpose(certificate, OID_AIK);
}

static bool leads_to(STACK_OF(X509) * stack, X509_STORE *roots) {
        _cleanup_(free_context) X509_STORE_CTX *context = X509_STORE_CTX_new();

        if (!context || X509_STORE_CTX_init(context, roots, sk_X509_value(stack, 0), stack) != 1)
                return false;
        X509_STORE_CTX_set_flags(context, X509_V_FLAG_PARTIAL_CHAIN);
        return X509_verify_cert(context) == 1;
}

enum refusal certificates_verify(struct slice chain, enum certificate_kind kind,
                                 struct slice aaguid, X509_STORE *roots, bool *ret_is_trusted) {
        _cleanup_(free_stack) STACK_OF(X509) *stack = read_all(chain);
        X509 *first;

        if (!stack)
                return REFUSED_ATTESTATION;
        first = sk_X509_value(stack, 0);
        if (X509_get_version(first) != VERSION_3 || !is_no_authority(first) ||
            !fits_aaguid(first, aaguid))
                return REFUSED_ATTESTATION_CERTIFICATE;
        if (!(kind == CERTIFICATE_OF_TPM ? is_of_tpm(first) : is_of_authenticator(first)))
                return REFUSED_ATTESTATION_CERTIFICATE;
        if (roots && !leads_to(stack, roots))
                return REFUSED_ATTESTATION_ROOT;
        *ret_is_trusted = roots;
        return REFUSED_NOTHING;
}
