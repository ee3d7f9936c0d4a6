/* SPDX-License-Identifier: BSD-2-Clause */

/* Statements of attestation, good ones and ones with one fault. */

#include "tests/site/key-statement.h"

#include <openssl/core_names.h>
#include <openssl/sha.h>
#include <openssl/x509v3.h>
#include <string.h>

#include "tests/site/test.h"

static void add_name(X509_NAME *name, const char *member, const char *text) {
        assert_int_equal(X509_NAME_add_entry_by_txt(name, member, MBSTRING_UTF8,
                                                    (const unsigned char *)text, -1, -1, 0),
                         1);
}

static void add_extension(X509 *x, int nid, const char *value) {
        X509_EXTENSION *e = X509V3_EXT_conf_nid(NULL, NULL, nid, value);

        assert_non_null(e);
        assert_int_equal(X509_add_ext(x, e, -1), 1);
        X509_EXTENSION_free(e);
}

static X509 *new_certificate(EVP_PKEY *of, const char *issuer) {
        X509 *x = X509_new();
        X509_NAME *by = X509_NAME_new();

        X509_set_version(x, X509_VERSION_3);
        ASN1_INTEGER_set(X509_get_serialNumber(x), 7);
        X509_gmtime_adj(X509_getm_notBefore(x), -60);
        X509_gmtime_adj(X509_getm_notAfter(x), 86400);
        add_name(by, "CN", issuer);
        X509_set_issuer_name(x, by);
        X509_NAME_free(by);
        X509_set_pubkey(x, of);
        return x;
}

X509 *statement_root(const struct key *k) {
        X509 *x = new_certificate(k->authority, "Root");

        add_name(X509_get_subject_name(x), "CN", "Root");
        add_extension(x, NID_basic_constraints, "critical,CA:TRUE");
        assert_true(X509_sign(x, k->authority, EVP_sha256()) > 0);
        return x;
}

static void add_aaguid(X509 *x, const struct key *k, enum fault fault) {
        uint8_t der[2 + AAGUID_LEN] = { V_ASN1_OCTET_STRING, AAGUID_LEN };
        ASN1_OBJECT *id = OBJ_txt2obj("1.3.6.1.4.1.45724.1.1.4", 1);
        ASN1_OCTET_STRING *value = ASN1_OCTET_STRING_new();
        X509_EXTENSION *e;

        memcpy(der + 2, k->aaguid, AAGUID_LEN);
        if (fault == FAULT_AAGUID)
                der[2] ^= 1;
        ASN1_OCTET_STRING_set(value, der, sizeof(der));
        e = X509_EXTENSION_create_by_OBJ(NULL, id, fault == FAULT_AAGUID_CRITICAL, value);
        assert_int_equal(X509_add_ext(x, e, -1), 1);
        X509_EXTENSION_free(e);
        ASN1_OCTET_STRING_free(value);
        ASN1_OBJECT_free(id);
}

static void add_attribute(X509_NAME *name, const char *oid, const char *text) {
        ASN1_OBJECT *id = OBJ_txt2obj(oid, 1);

        assert_int_equal(X509_NAME_add_entry_by_OBJ(name, id, MBSTRING_UTF8,
                                                    (const unsigned char *)text, -1, -1, 0),
                         1);
        ASN1_OBJECT_free(id);
}

/* TCG EK Credential Profile 3.1.2: manufacturer, model, version. */
static void add_tpm_name(X509 *x, enum fault fault) {
        GENERAL_NAMES *names = GENERAL_NAMES_new();
        GENERAL_NAME *one = GENERAL_NAME_new();
        X509_NAME *name = X509_NAME_new();

        add_attribute(name, "2.23.133.2.1", "id:53574F00");
        if (fault != FAULT_TPM_NAME)
                add_attribute(name, "2.23.133.2.2", "swtpm");
        add_attribute(name, "2.23.133.2.3", "id:20191023");
        GENERAL_NAME_set0_value(one, GEN_DIRNAME, name);
        sk_GENERAL_NAME_push(names, one);
        assert_int_equal(X509_add1_ext_i2d(x, NID_subject_alt_name, names, 1, 0), 1);
        GENERAL_NAMES_free(names);
}

static void dress_for_authenticator(X509 *x, const struct key *k, enum fault fault) {
        X509_NAME *subject = X509_get_subject_name(x);

        add_name(subject, "C", "XY");
        add_name(subject, "O", "An Organisation");
        add_name(subject, "OU", fault == FAULT_UNIT ? "Something" : "Authenticator Attestation");
        add_name(subject, "CN", "A Key");
        add_aaguid(x, k, fault);
}

static void dress_for_tpm(X509 *x, enum fault fault) {
        if (fault == FAULT_UNIT)
                add_name(X509_get_subject_name(x), "CN", "A TPM");
        add_tpm_name(x, fault);
        add_extension(x, NID_ext_key_usage, fault == FAULT_PURPOSE ? "clientAuth" : "2.23.133.8.3");
}

static struct slice write_certificate(const struct key *k, const struct form *f,
                                      struct block *storage) {
        X509 *x = new_certificate(k->attester, "Root");
        uint8_t *at = storage->data;

        if (f->by == BY_TPM)
                dress_for_tpm(x, f->fault);
        else
                dress_for_authenticator(x, k, f->fault);
        add_extension(x, NID_basic_constraints,
                      f->fault == FAULT_AUTHORITY ? "critical,CA:TRUE" : "critical,CA:FALSE");
        if (f->fault == FAULT_VERSION)
                X509_set_version(x, X509_VERSION_1);
        assert_true(X509_sign(x, k->authority, EVP_sha256()) > 0);
        storage->len = (size_t)i2d_X509(x, &at);
        if (f->fault == FAULT_LATER_CERTIFICATE)
                storage->len++;
        if (f->fault == FAULT_BROKEN_CERTIFICATE)
                storage->data[0] ^= 0xff;
        X509_free(x);
        return block_slice(storage);
}

static void put_chain(const struct key *k, const struct form *f, struct block *to) {
        struct block storage;

        put_text(to, "x5c");
        if (f->fault == FAULT_NO_CERTIFICATE) {
                put_head(to, ITEM_ARRAY, 0);
                return;
        }
        put_head(to, ITEM_ARRAY, 1);
        put_bytes(to, write_certificate(k, f, &storage));
}

static void put_packed(struct key *k, const struct form *f, struct slice auth_data,
                       struct slice hash, struct block *to) {
        const bool is_self = f->by == BY_ITSELF;
        const int64_t algorithm = is_self ? k->algorithm : ALGORITHM_ES256;
        uint8_t storage[512];
        struct slice signature = sign(is_self ? k->pair : k->attester, algorithm, auth_data, hash,
                                      storage, sizeof(storage));

        if (f->fault == FAULT_SIGNATURE)
                storage[signature.len - 1] ^= 1;
        put_head(to, ITEM_MAP, (is_self ? 2u : 3u) - (f->fault == FAULT_STATEMENT));
        put_text(to, "alg");
        put_int(to, f->fault == FAULT_ALGORITHM ? ALGORITHM_ES384 : algorithm);
        if (f->fault != FAULT_STATEMENT) {
                put_text(to, "sig");
                put_bytes(to, signature);
        }
        if (!is_self)
                put_chain(k, f, to);
}

static void put_sized(struct block *to, struct slice what) {
        put_number(to, what.len, 2);
        put(to, what);
}

static void put_coordinate(struct block *to, EVP_PKEY *pair, const char *name, int len) {
        BIGNUM *n = NULL;
        uint8_t bytes[256];

        assert_int_equal(EVP_PKEY_get_bn_param(pair, name, &n), 1);
        assert_int_equal(BN_bn2binpad(n, bytes, len), len);
        put_sized(to, SLICE(bytes, (size_t)len));
        BN_free(n);
}

/* TPMT_PUBLIC, as tpm2-tss writes it. */
static void put_area(int64_t algorithm, EVP_PKEY *pair, const struct form *f, struct block *to) {
        const bool is_rsa = algorithm == ALGORITHM_RS256;
        const int len = algorithm == ALGORITHM_ES384 ? 48 : 32;

        put_number(to, is_rsa ? 0x0001 : 0x0023, 2);
        put_number(to, 0x000b, 2);
        put_number(to, 0x00040072, 4);
        put_sized(to, SLICE_NULL);
        put_number(to, f->fault == FAULT_WRAPPING_KEY ? 0x0006 : 0x0010, 2);
        if (is_rsa) {
                put_number(to, 0x0014, 2); /* RSASSA */
                put_number(to, 0x000b, 2);
                put_number(to, 2048, 2);
                put_number(to, 0, 4);
                put_coordinate(to, pair, OSSL_PKEY_PARAM_RSA_N, 256);
                return;
        }
        put_number(to, 0x0010, 2);
        put_number(to, len == 48 ? 0x0004 : 0x0003, 2);
        put_number(to, 0x0010, 2);
        put_coordinate(to, pair, OSSL_PKEY_PARAM_EC_PUB_X, len);
        put_coordinate(to, pair, OSSL_PKEY_PARAM_EC_PUB_Y, len);
}

static void put_name(struct block *to, const struct block *area) {
        uint8_t name[2 + SHA256_DIGEST_LENGTH] = { 0x00, 0x0b };

        SHA256(area->data, area->len, name + 2);
        put_sized(to, SLICE_OF(name));
}

/* TPMS_ATTEST of TPM2_Certify. */
static void put_certified(const struct form *f, const struct block *area, struct slice auth_data,
                          struct slice hash, struct block *to) {
        uint8_t extra[SHA256_DIGEST_LENGTH];
        struct block signed_over = { .len = 0 };

        put(&signed_over, auth_data);
        put(&signed_over, hash);
        SHA256(signed_over.data, signed_over.len, extra);
        if (f->fault == FAULT_EXTRA)
                extra[0] ^= 1;
        put_number(to, f->fault == FAULT_MAGIC ? 0xff544348 : 0xff544347, 4);
        put_number(to, f->fault == FAULT_QUOTE ? 0x8018 : 0x8017, 2);
        put_name(to, area); /* of whom: no matter */
        put_sized(to, SLICE_OF(extra));
        put_number(to, 0, 8);
        put_number(to, 0, 8);
        put_number(to, 1, 1);
        put_number(to, 0, 8);
        put_name(to, area);
        put_name(to, area);
        if (f->fault == FAULT_LONGER)
                put_number(to, 0, 1);
}

static void put_tpm(struct key *k, const struct form *f, struct slice auth_data, struct slice hash,
                    struct block *to) {
        EVP_PKEY *other = EVP_EC_gen("P-256");
        struct block area = { .len = 0 }, other_area = { .len = 0 }, certified = { .len = 0 };
        uint8_t storage[512];
        struct slice signature;

        put_area(k->algorithm, k->pair, f, &area);
        put_area(ALGORITHM_ES256, other, f, &other_area);
        put_certified(f,
                      f->fault == FAULT_OTHER_KEY || f->fault == FAULT_OTHER_AREA ? &other_area
                                                                                  : &area,
                      auth_data, hash, &certified);
        signature = sign(k->attester, ALGORITHM_ES256, block_slice(&certified), SLICE_NULL, storage,
                         sizeof(storage));
        if (f->fault == FAULT_SIGNATURE)
                storage[signature.len - 1] ^= 1;

        put_head(to, ITEM_MAP, f->fault == FAULT_STATEMENT ? 5 : 6);
        put_text(to, "alg");
        put_int(to, f->fault == FAULT_ALGORITHM ? -65535 : ALGORITHM_ES256);
        put_text(to, "sig");
        put_bytes(to, signature);
        put_text(to, "ver");
        put_text(to, f->fault == FAULT_TPM_VERSION ? "1.2" : "2.0");
        put_chain(k, f, to);
        put_text(to, "pubArea");
        put_bytes(to, block_slice(f->fault == FAULT_OTHER_AREA ? &other_area : &area));
        if (f->fault != FAULT_STATEMENT) {
                put_text(to, "certInfo");
                put_bytes(to, block_slice(&certified));
        }
        EVP_PKEY_free(other);
}

static void put_none(const struct form *f, struct block *to) {
        put_head(to, ITEM_MAP, f->fault == FAULT_STATEMENT);
        if (f->fault == FAULT_STATEMENT) {
                put_text(to, "alg");
                put_int(to, ALGORITHM_ES256);
        }
}

void statement_write(struct key *k, const struct form *f, struct slice auth_data,
                     struct slice client_data_hash, struct block *to) {
        static const char *const formats[] = {
                [BY_NOBODY] = "none", [BY_ITSELF] = "packed",   [BY_CERTIFICATE] = "packed",
                [BY_TPM] = "tpm",     [BY_SOMETHING] = "apple",
        };

        put_text(to, formats[f->by]);
        put_text(to, "attStmt");
        if (f->by == BY_NOBODY || f->by == BY_SOMETHING)
                put_none(f, to);
        else if (f->by == BY_TPM)
                put_tpm(k, f, auth_data, client_data_hash, to);
        else
                put_packed(k, f, auth_data, client_data_hash, to);
}
