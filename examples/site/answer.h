/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/*
 * What a browser sends back at the end of a ceremony: WebAuthn's RegistrationResponseJSON (§5.1.8.1) and
 * AuthenticationResponseJSON (§5.1.8.2). The slices are of the answer's own storage, so it is not to be copied.
 */

#include "examples/site/auth-data.h"
#include "examples/site/client-data.h"
#include "examples/site/refusal.h"
#include "examples/site/slice.h"

#define ATTESTATION_OBJECT_MAX 16384
#define SIGNATURE_MAX          1024
#define USER_HANDLE_MAX        64 /* WebAuthn §5.4.3 */
#define TRANSPORTS_MAX         8
#define TRANSPORTS_TEXT_MAX    128

#define ANSWER_STORAGE                                                                      \
        (2 * CREDENTIAL_ID_MAX + CLIENT_DATA_MAX + ATTESTATION_OBJECT_MAX + AUTH_DATA_MAX + \
         SIGNATURE_MAX + USER_HANDLE_MAX)

struct answer {
        uint8_t storage[ANSWER_STORAGE];
        size_t used;

        bool is_registration;
        struct slice id;
        struct slice client_data;

        /* Of a registration. */
        struct slice attestation_object;
        char transports[TRANSPORTS_TEXT_MAX]; /* "usb,hybrid" */

        /* Of a login. */
        struct slice auth_data;
        struct slice signature;
        struct slice user_handle; /* may be empty */
};

/* After a refusal `ret_member` is the member that it is about, or NULL. */
_must_check_ enum refusal answer_read_registration(const json_t *json, struct answer *ret,
                                                   const char **ret_member);
_must_check_ enum refusal answer_read_login(const json_t *json, struct answer *ret,
                                            const char **ret_member);
