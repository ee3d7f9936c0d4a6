/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/*
 * PublicKeyCredentialCreationOptionsJSON (WebAuthn Level 3 §5.1.8), as a site's server makes it for
 * navigator.credentials.create(), read and checked with no I/O; alone or as the member "publicKey" of
 * an object. Members that WebAuthn does not name are passed over, as a browser does, and so are
 * extensions that are not known here. What a browser would have to know is checked as it would: the
 * origin against the RP ID.
 */

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ctap/bytes.h"
#include "ctap/credential.h"

/* Servers are to take 16 at least (WebAuthn §13.4.3). Some have whole tokens there. */
#define CREATION_CHALLENGE_MIN 16
#define CREATION_CHALLENGE_MAX 12288
#define CREATION_ALGORITHMS    8
#define CREATION_FORMATS       8
#define CREATION_ORIGIN_MAX    300

/* What this device can do. */
struct creation_limits {
        unsigned key_types; /* ctap_keys_ops.offered */
        bool large_blobs;
};

struct creation_options {
        char origin[CREATION_ORIGIN_MAX];
        struct bytes rp_id;
        struct bytes challenge; /* in base64url, as it came */
        uint8_t user_id_storage[CTAP_USER_ID_MAX];
        struct bytes user_id, user_name, user_display_name;
        int32_t algorithms[CREATION_ALGORITHMS]; /* that the device can do, in their order */
        size_t n_algorithms;
        const json_t *exclude; /* an array, or NULL: see creation_excluded() */
        bool discoverable;
        bool verify; /* userVerification is "required" */
        bool no_attestation, enterprise;
        struct bytes formats[CREATION_FORMATS]; /* what it is to be attested in */
        size_t n_formats;

        /* extensions */
        uint8_t cred_protect; /* 1..3; 0: it was not asked for */
        bool hmac_create_secret, prf, cred_props, min_pin_length, large_blob, has_cred_blob;
        uint8_t cred_blob_storage[CTAP_CRED_BLOB_MAX];
        struct bytes cred_blob;
};

/*
 * NULL: *ret is filled in, and borrows from `options`, from `origin` (NULL: https:// and the RP ID)
 * and from itself: it stays where it is. Else the error as a body (control.h), which names the member
 * that is wrong.
 */
json_t *creation_options_read(const json_t *options, const char *origin,
                              const struct creation_limits *limits, struct creation_options *ret);

/* The nth of excludeCredentials, from 0 on. False: it cannot be one of this device's. */
bool creation_excluded(const struct creation_options *o, size_t nth,
                       struct ctap_credential_id *ret);
size_t creation_n_excluded(const struct creation_options *o);
