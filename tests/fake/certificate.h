/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/*
 * Certificates that attest, and those that a test wants to be wrong in one thing. Made with OpenSSL;
 * what cannot be made ends the test.
 */

#include <openssl/evp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* A subject in this order; a NULL is left out. */
struct certificate_names {
        const char *c, *o, *ou, *cn;
};

/* What a certificate says; zero is a good leaf. */
struct certificate_form {
        bool v1;
        struct certificate_names names;
        const char *constraints; /* NULL: CA:FALSE; "": the extension is left out */
        const uint8_t *aaguid;   /* NULL: none */
        bool aaguid_is_critical;
        size_t aaguid_len; /* 0: 16 */
        size_t padding;    /* bytes of a comment */
        bool second_unit;
};

/* An authority that signs leaves, and one that signs authorities. */
extern const struct certificate_form certificate_authority, certificate_root;

/* In PEM, of the key `of`; by the authority of that form with that key. */
void certificate_write(FILE *to, EVP_PKEY *of, const struct certificate_form *f,
                       const struct certificate_form *issuer, EVP_PKEY *issuer_key);
/* In PEM, for its owner only; `password`: NULL for none. */
void certificate_write_key(const char *path, EVP_PKEY *key, const char *password);

/* A new key, and its certificates: a good leaf and the authority's that signed it. */
void certificate_write_good(const char *key_path, const char *chain_path);
