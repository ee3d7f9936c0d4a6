/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * How the enrolment stands, by what is kept of it. "state" is one word: none, without a key; key, with one
 * that attests to nothing yet; installed; or expired or unusable, which no site takes.
 */

#include "authenticator/enrolment-internal.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <string.h>
#include <time.h>

#include "authenticator/attestation-state.h"
#include "authenticator/manage-reply.h"
#include "ctap/attestation.h"

/* ---- certificates ---- */

static json_t *name_of(const X509_NAME *name) {
        BIO *bio = BIO_new(BIO_s_mem());
        json_t *text = NULL;
        char *data;
        long n;

        if (bio && X509_NAME_print_ex(bio, name, 0, XN_FLAG_RFC2253 & ~ASN1_STRFLGS_ESC_MSB) >= 0) {
                n = BIO_get_mem_data(bio, &data);
                text = json_stringn(data, (size_t)n);
        }
        BIO_free(bio);
        return text ? text : json_string("");
}

static json_t *time_of(const ASN1_TIME *t, int64_t *ret) {
        char text[ATTESTATION_TIME_SIZE + 1];
        struct tm parts = { 0 };

        if (ASN1_TIME_to_tm(t, &parts) != 1)
                return json_null();
        *ret = timegm(&parts);
        attestation_time_write(*ret, text);
        return json_string(text);
}

static json_t *serial_of(X509 *x) {
        const ASN1_INTEGER *serial = X509_get0_serialNumber(x);

        return manage_hex(BYTES(ASN1_STRING_get0_data(serial), (size_t)ASN1_STRING_length(serial)));
}

static json_t *describe_certificate(struct bytes der, int64_t *until) {
        const unsigned char *at = der.data;
        X509 *x = d2i_X509(NULL, &at, (long)der.len);
        struct sha256 digest = { { 0 } };
        int64_t from = 0;
        json_t *j = NULL;

        if (x && ctap_sha256(&der, 1, &digest) == 0)
                j = json_pack("{s:o,s:o,s:o,s:o,s:o,s:o}", "subject",
                              name_of(X509_get_subject_name(x)), "issuer",
                              name_of(X509_get_issuer_name(x)), "serial", serial_of(x), "from",
                              time_of(X509_get0_notBefore(x), &from), "until",
                              time_of(X509_get0_notAfter(x), until), "sha256",
                              manage_hex(BYTES_OF(digest)));
        X509_free(x);
        ERR_clear_error();
        return j;
}

/* The certificates that are kept. */
struct kept {
        uint8_t pem[ATTESTATION_FILE_MAX], der[ATTESTATION_FILE_MAX];
        struct attestation_chain chain; /* borrows from there */
};

static bool read_kept(const struct enrolment *e, struct kept *ret) {
        struct buf pem = BUF_ON(ret->pem), der = BUF_ON(ret->der);
        uint8_t why[512];
        struct buf reason = BUF_ON(why);

        return attestation_state_read(e->config->state_directory, ATTESTATION_CHAIN, &pem) == 0 &&
               attestation_chain_read(buf_bytes(&pem), &der, &ret->chain, &reason) == 0;
}

/* Until when the first to expire is valid goes into *ret_until. */
static json_t *describe_chain(const struct attestation_chain *chain, int64_t *ret_until) {
        json_t *list = json_array();

        *ret_until = INT64_MAX;
        for (size_t i = 0; i < chain->n; i++) {
                int64_t of_this = INT64_MAX;

                json_array_append_new(list, describe_certificate(chain->der[i], &of_this));
                *ret_until = of_this < *ret_until ? of_this : *ret_until;
        }
        return list;
}

/* The first one is of this key. */
static bool is_of_key(const struct attestation_chain *chain,
                      const struct tpm_attestation_facts *key) {
        const unsigned char *at = chain->der[0].data;
        X509 *x = d2i_X509(NULL, &at, (long)chain->der[0].len);
        uint8_t public[CTAP_SPKI_MAX];
        struct buf spki = BUF_ON(public);
        unsigned char *encoded = NULL;
        const int n = x ? i2d_X509_PUBKEY(X509_get_X509_PUBKEY(x), &encoded) : -1;
        bool is;

        ctap_spki_put(&spki, &key->public_key);
        is = n > 0 && bytes_equal(BYTES(encoded, (size_t)n), buf_bytes(&spki));
        OPENSSL_free(encoded);
        X509_free(x);
        ERR_clear_error();
        return is;
}

/* ---- all of it ---- */

static json_t *describe_key(const struct tpm_attestation_facts *key) {
        uint8_t public[CTAP_SPKI_MAX];
        struct buf spki = BUF_ON(public);

        ctap_spki_put(&spki, &key->public_key);
        return json_pack("{s:o,s:o,s:I}", "name", manage_hex(BYTES_OF(key->name)), "public",
                         attestation_base64(buf_bytes(&spki)), "handle", (json_int_t)key->handle);
}

static json_t *describe_request(const struct attestation_request *request) {
        char created[ATTESTATION_TIME_SIZE + 1];

        attestation_time_write(request->created, created);
        return json_pack("{s:o,s:s}", "id", attestation_request_text(request), "created", created);
}

/* H39: what has room beside a key on a curve may have none beside an RSA key, which is longer. */
static void put_note(const struct attestation_chain *chain, json_t *to) {
        const size_t size = attestation_chain_size(chain);
        const size_t room = ctap_attestation_room(CTAP_KEY_RSA2048);

        if (size > room)
                json_object_set_new(
                        to, "note",
                        json_sprintf("The certificates have %zu bytes together. Beside an RSA key "
                                     "clients have room for %zu, so that passkeys for sites that "
                                     "take nothing else (RS256) attest to themselves.",
                                     size, room));
}

static void put_expiry(json_t *to) {
        json_object_set_new(
                to, "note",
                json_string(
                        "The certificates have expired: the TPM does not attest to new passkeys, "
                        "and sites that want that refuse them."));
}

static void put_key(const struct enrolment *e, const struct tpm_attestation_facts *key,
                    json_t *to) {
        const char *state = "key";
        struct kept kept;
        int64_t until;

        json_object_set_new(to, "key", describe_key(key));
        if (read_kept(e, &kept)) {
                json_object_set_new(to, "chain", describe_chain(&kept.chain, &until));
                state = !is_of_key(&kept.chain, key)   ? "unusable"
                        : until <= (int64_t)time(NULL) ? "expired"
                                                       : "installed";
                if (strcmp(state, "expired") == 0)
                        put_expiry(to);
                else
                        put_note(&kept.chain, to);
        }
        json_object_set_new(to, "state", json_string(state));
}

json_t *enrolment_describe(const struct enrolment *e) {
        struct attestation_request request;
        struct tpm_attestation_facts facts;
        struct tpm_attestation_key key;
        json_t *result = json_pack("{s:s}", "state", "none");
        int r;

        r = attestation_state_read_key(e->config->state_directory, &key);
        if (r == 0)
                r = tpm_attestation_key_facts(&key, &facts);
        if (r < 0 && r != -ENOENT && r != -EBADMSG) {
                json_decref(result);
                return enrolment_failed_files(r);
        }
        if (r == 0)
                put_key(e, &facts, result);
        if (attestation_request_read(e->config->state_directory, &request) == 0) {
                json_object_set_new(result, "ek", manage_hex(BYTES_OF(request.ek.id)));
                if (request.open)
                        json_object_set_new(result, "request", describe_request(&request));
        }
        return control_result(result);
}
