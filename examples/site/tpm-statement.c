/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * pubArea is the TPM's TPMT_PUBLIC of the credential's key, certInfo its TPMS_ATTEST about that (TPM 2.0
 * Library, part 2, 12.2.4 and 10.12.8). Of the credential it has to be the key; of the ceremony, the digest
 * of what an authenticator signs.
 */

#include "examples/site/tpm-statement.h"

#include <openssl/evp.h>
#include <string.h>

#include "examples/site/cbor.h"
#include "examples/site/certificate.h"

enum {
        TPM_ALG_RSA = 0x0001,
        TPM_ALG_SHA256 = 0x000b,
        TPM_ALG_SHA384 = 0x000c,
        TPM_ALG_NULL = 0x0010,
        TPM_ALG_ECC = 0x0023,
        TPM_ECC_NIST_P256 = 0x0003,
        TPM_ECC_NIST_P384 = 0x0004,
        TPM_ST_ATTEST_CERTIFY = 0x8017,
};

#define TPM_GENERATED_VALUE 0xff544347u
#define CLOCK_INFO_LEN      17

struct digest {
        uint8_t b[EVP_MAX_MD_SIZE];
        unsigned len;
};

struct statement {
        int64_t algorithm;
        struct slice signature;
        struct slice public_area;
        struct slice certified;
        struct slice chain;
};

static void free_certificate(X509 **certificate) {
        X509_free(*certificate);
}

static void free_key(EVP_PKEY **key) {
        EVP_PKEY_free(*key);
}

static void free_digest_context(EVP_MD_CTX **context) {
        EVP_MD_CTX_free(*context);
}

static bool get(struct slice map, const char *name, enum item_kind kind, struct item *ret) {
        return item_by_text(map, name, ret) && ret->kind == kind;
}

static bool read_statement(struct slice map, struct statement *ret) {
        struct item version, algorithm, signature, public_area, certified, chain;

        if (!get(map, "ver", ITEM_TEXT, &version) ||
            !slice_equal(version.content, SLICE_TEXT("2.0")) ||
            !item_by_text(map, "alg", &algorithm) || !item_int(&algorithm, &ret->algorithm))
                return false;
        if (!get(map, "sig", ITEM_BYTES, &signature) ||
            !get(map, "pubArea", ITEM_BYTES, &public_area) ||
            !get(map, "certInfo", ITEM_BYTES, &certified) || !get(map, "x5c", ITEM_ARRAY, &chain))
                return false;
        ret->signature = signature.content;
        ret->public_area = public_area.content;
        ret->certified = certified.content;
        ret->chain = chain.whole;
        return true;
}

/* The digest that goes with an algorithm of COSE, or NULL: SHA-1 is not believed any more. */
static const EVP_MD *digest_of(int64_t algorithm) {
        switch (algorithm) {
        case ALGORITHM_ES256:
        case ALGORITHM_RS256:
                return EVP_sha256();
        case ALGORITHM_ES384:
                return EVP_sha384();
        default:
                return NULL;
        }
}

static const EVP_MD *digest_of_tpm(uint16_t algorithm) {
        return algorithm == TPM_ALG_SHA256   ? EVP_sha256()
               : algorithm == TPM_ALG_SHA384 ? EVP_sha384()
                                             : NULL;
}

/* Two numbers, of which a TPM may leave out the zeros in front. */
static bool is_same_number(struct slice a, struct slice b) {
        while (a.len > b.len && a.data[0] == 0)
                a = SLICE(a.data + 1, a.len - 1);
        while (b.len > a.len && b.data[0] == 0)
                b = SLICE(b.data + 1, b.len - 1);
        return slice_equal(a, b);
}

/* A scheme, and what it has with it. */
static void skip_scheme(struct reader *r) {
        if (reader_u16(r) != TPM_ALG_NULL)
                reader_u16(r);
}

static bool is_point(struct reader *r, const struct public_key *key) {
        uint16_t curve, kdf;

        skip_scheme(r);
        curve = reader_u16(r);
        kdf = reader_u16(r);
        if (kdf != TPM_ALG_NULL)
                return false;
        if (!(key->algorithm == ALGORITHM_ES256 && curve == TPM_ECC_NIST_P256) &&
            !(key->algorithm == ALGORITHM_ES384 && curve == TPM_ECC_NIST_P384))
                return false;
        return is_same_number(reader_sized(r), key->x) && is_same_number(reader_sized(r), key->y);
}

static bool is_rsa(struct reader *r, const struct public_key *key) {
        uint8_t exponent[] = { 0, 1, 0, 1 };
        uint32_t e;

        skip_scheme(r);
        if (reader_u16(r) != key->x.len * 8)
                return false;
        e = reader_u32(r);
        if (e != 0) /* else 2^16 + 1 */
                for (int i = 0; i < 4; i++)
                        exponent[i] = (uint8_t)(e >> (24 - 8 * i));
        return key->algorithm == ALGORITHM_RS256 && is_same_number(SLICE_OF(exponent), key->y) &&
               is_same_number(reader_sized(r), key->x);
}

/* The public area is that of the credential's key. Its name's algorithm comes back. */
static bool is_of_key(struct slice area, const struct public_key *key, uint16_t *ret_name) {
        struct reader r = { .left = area };
        uint16_t type = reader_u16(&r);
        bool is_same;

        *ret_name = reader_u16(&r);
        reader_u32(&r);   /* attributes */
        reader_sized(&r); /* policy */
        if (reader_u16(&r) != TPM_ALG_NULL)
                return false; /* symmetric: a key that wraps others */
        is_same = type == TPM_ALG_ECC   ? is_point(&r, key)
                  : type == TPM_ALG_RSA ? is_rsa(&r, key)
                                        : false;
        return is_same && reader_at_end(&r);
}

static bool digest(const EVP_MD *md, struct slice a, struct slice b, struct digest *ret) {
        _cleanup_(free_digest_context) EVP_MD_CTX *context = EVP_MD_CTX_new();

        return context && EVP_DigestInit_ex(context, md, NULL) == 1 &&
               EVP_DigestUpdate(context, a.data, a.len) == 1 &&
               EVP_DigestUpdate(context, b.data, b.len) == 1 &&
               EVP_DigestFinal_ex(context, ret->b, &ret->len) == 1;
}

static bool is_name_of(struct slice name, uint16_t algorithm, struct slice area) {
        const EVP_MD *md = digest_of_tpm(algorithm);
        struct reader r = { .left = name };
        struct digest d;

        return md && digest(md, area, SLICE_NULL, &d) && reader_u16(&r) == algorithm &&
               slice_equal(r.left, SLICE(d.b, d.len));
}

/* It says that a TPM holds the object of that name, in this ceremony. */
static bool is_about(struct slice certified, uint16_t name_algorithm, struct slice area,
                     const struct digest *ceremony) {
        struct reader r = { .left = certified };
        struct slice extra, name;

        if (reader_u32(&r) != TPM_GENERATED_VALUE || reader_u16(&r) != TPM_ST_ATTEST_CERTIFY)
                return false;
        reader_sized(&r); /* qualifiedSigner */
        extra = reader_sized(&r);
        reader_take(&r, CLOCK_INFO_LEN);
        reader_u32(&r); /* firmwareVersion */
        reader_u32(&r);
        name = reader_sized(&r);
        reader_sized(&r); /* qualifiedName */
        return reader_at_end(&r) && slice_equal(extra, SLICE(ceremony->b, ceremony->len)) &&
               is_name_of(name, name_algorithm, area);
}

static bool is_signed(const struct statement *s, X509 *certificate, const EVP_MD *md) {
        _cleanup_(free_key) EVP_PKEY *key = X509_get_pubkey(certificate);
        _cleanup_(free_digest_context) EVP_MD_CTX *context = EVP_MD_CTX_new();
        int wanted = s->algorithm == ALGORITHM_RS256 ? EVP_PKEY_RSA : EVP_PKEY_EC;

        return key && context && EVP_PKEY_get_base_id(key) == wanted &&
               EVP_DigestVerifyInit(context, NULL, md, NULL, key) == 1 &&
               EVP_DigestVerify(context, s->signature.data, s->signature.len, s->certified.data,
                                s->certified.len) == 1;
}

enum refusal tpm_statement_verify(struct slice statement, const struct attested *about) {
        _cleanup_(free_certificate) X509 *certificate = NULL;
        struct digest ceremony;
        const EVP_MD *md;
        struct statement s;
        uint16_t name;

        if (!read_statement(statement, &s))
                return REFUSED_ATTESTATION;
        certificate = certificate_first(s.chain);
        if (!certificate)
                return REFUSED_ATTESTATION;
        md = digest_of(s.algorithm);
        if (!md || !is_signed(&s, certificate, md))
                return REFUSED_ATTESTATION_SIGNATURE;
        if (!is_of_key(s.public_area, about->key, &name))
                return REFUSED_ATTESTATION_TPM;
        if (!digest(md, about->auth_data->raw, SLICE(about->client_data_hash, 32), &ceremony) ||
            !is_about(s.certified, name, s.public_area, &ceremony))
                return REFUSED_ATTESTATION_TPM;
        return REFUSED_NOTHING;
}
