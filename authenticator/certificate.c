/* SPDX-License-Identifier: BSD-2-Clause */

/* Extensions of a certificate, by OpenSSL. */

#include "authenticator/certificate.h"

#include <openssl/x509v3.h>

#define OID_AAGUID "1.3.6.1.4.1.45724.1.1.4" /* id-fido-gen-ce-aaguid */

bool certificate_is_no_authority(const X509 *leaf) {
        BASIC_CONSTRAINTS *c = X509_get_ext_d2i(leaf, NID_basic_constraints, NULL, NULL);
        const bool is = c && !c->ca;

        BASIC_CONSTRAINTS_free(c);
        return is;
}

bool certificate_has_no_other_aaguid(const X509 *leaf, const uint8_t aaguid[16]) {
        static const uint8_t head[] = { V_ASN1_OCTET_STRING, 16 };
        ASN1_OBJECT *id = OBJ_txt2obj(OID_AAGUID, 1);
        const int at = id ? X509_get_ext_by_OBJ(leaf, id, -1) : -1;
        X509_EXTENSION *extension = at < 0 ? NULL : X509_get_ext(leaf, at);
        const ASN1_OCTET_STRING *value;
        struct cursor in;

        ASN1_OBJECT_free(id);
        if (!extension)
                return true;
        value = X509_EXTENSION_get_data(extension);
        in = (struct cursor){
                BYTES(ASN1_STRING_get0_data(value), (size_t)ASN1_STRING_length(value)),
                false,
        };
        return !X509_EXTENSION_get_critical(extension) &&
               bytes_equal(cursor_take(&in, sizeof(head)), BYTES_OF(head)) && in.left.len == 16 &&
               (!aaguid || bytes_equal(in.left, BYTES(aaguid, 16)));
}
