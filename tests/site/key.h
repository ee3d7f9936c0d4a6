/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/*
 * An authenticator in software for the tests of examples/site: it makes answers as a real one would, and
 * ones that are wrong in one thing. What cannot be made ends the test.
 */

#include <openssl/evp.h>
#include <openssl/x509.h>

#include "examples/site/cbor.h"
#include "examples/site/ceremony.h"

struct block {
        uint8_t data[16384];
        size_t len;
};

void put(struct block *b, struct slice what);
void put_number(struct block *b, uint64_t value, unsigned n_bytes);
/* CBOR */
void put_head(struct block *b, enum item_kind kind, uint64_t value);
void put_text(struct block *b, const char *text);
void put_bytes(struct block *b, struct slice bytes);
void put_int(struct block *b, int64_t value);
struct slice block_slice(const struct block *b);

/* How the attestation is made, and what it says wrongly. */
enum attested_by {
        BY_NOBODY,
        BY_ITSELF,
        BY_CERTIFICATE,
        BY_TPM,
        BY_SOMETHING, /* an unknown format */
};

enum fault {
        FAULT_NONE,
        FAULT_SIGNATURE,      /* a bit of it */
        FAULT_ALGORITHM,      /* of the statement */
        FAULT_STATEMENT,      /* something in a statement that has to be empty; a member missing */
        FAULT_NO_CERTIFICATE, /* x5c is empty */
        FAULT_BROKEN_CERTIFICATE,
        FAULT_LATER_CERTIFICATE, /* bytes behind it */
        FAULT_UNIT,      /* a subject that is not an authenticator's, or not empty of a TPM */
        FAULT_AUTHORITY, /* CA:TRUE */
        FAULT_VERSION,   /* an X.509 certificate of version 1 */
        FAULT_AAGUID,    /* of another model */
        FAULT_AAGUID_CRITICAL,
        FAULT_PURPOSE,      /* none that a TPM's has to have */
        FAULT_TPM_NAME,     /* no manufacturer, model and version */
        FAULT_TPM_VERSION,  /* "1.2" */
        FAULT_MAGIC,        /* not made by a TPM */
        FAULT_QUOTE,        /* a quote and no certification */
        FAULT_EXTRA,        /* of another ceremony */
        FAULT_OTHER_KEY,    /* certified is another key's name */
        FAULT_OTHER_AREA,   /* and the public area is another key's as well */
        FAULT_WRAPPING_KEY, /* a public area with a symmetric algorithm */
        FAULT_LONGER,       /* bytes behind certInfo */
};

struct form {
        /* Client data. */
        const char *type, *origin, *client_data;
        struct slice challenge;
        bool is_cross_origin, has_top_origin;

        /* Authenticator data. */
        const char *rp_id;
        uint8_t flags;
        uint32_t counter;
        struct slice extensions;
        struct slice tail;       /* bytes behind */
        struct slice public_key; /* in place of its own */
        struct slice handle;

        enum attested_by by;
        enum fault fault;
        struct slice object; /* in place of the attestation object */
};

struct key {
        int64_t algorithm;
        EVP_PKEY *pair;
        uint8_t id[32];
        uint8_t aaguid[AAGUID_LEN];
        struct block cose;

        /* Who vouches. */
        EVP_PKEY *attester, *authority;
        X509 *root;
};

struct key *key_new(int64_t algorithm);
void key_free(struct key **k);
X509_STORE *key_roots(const struct key *k);
void free_roots(X509_STORE **roots);

/* The good ones, to be changed. The challenge has 32 bytes. */
struct form form_of_registration(struct slice challenge);
struct form form_of_login(struct slice challenge, uint32_t counter);

#define FORM_RP_ID  "localhost"
#define FORM_ORIGIN "http://localhost:8080"

/* As the browser's JSON. */
json_t *key_register(struct key *k, const struct form *f);
json_t *key_sign_in(struct key *k, const struct form *f);
