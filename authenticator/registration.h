/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/*
 * A registration from a browser's side, where there is no browser: of a site's creation options the
 * client data and the makeCredential (WebAuthn Level 3 §5.1.3), and of the authenticator's answer the
 * RegistrationResponseJSON (§5.1) that the site's server takes. No I/O.
 */

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "authenticator/creation-options.h"
#include "ctap/bytes.h"
#include "ctap/env.h"
#include "ctap/macro.h"

/* clientDataJSON (§5.8.1), to be freed. NULL: out of memory. */
char *registration_client_data(const struct creation_options *o);

#define REGISTRATION_EXCLUDED_MAX 4
/* No request is longer. */
#define REGISTRATION_REQUEST_MAX 1536

struct registration_request {
        const struct creation_options *options;
        struct sha256 client_data_hash;
        struct ctap_credential_id excluded[REGISTRATION_EXCLUDED_MAX];
        size_t n_excluded;
        bool enterprise;    /* the authenticator has that turned on, and is asked for it */
        struct bytes param; /* pinUvAuthParam of protocol two; empty: there is none */
};

/* The message, command byte included. */
void registration_put_request(const struct registration_request *rq, struct buf *out);

/* Whose body (an answer without its status) it is. -EBADMSG. */
_must_check_ int registration_read_id(struct bytes body, struct ctap_credential_id *ret);

/*
 * `credential`: webauthn_credential() of the new one, borrowed. -EBADMSG: the body is not that of a
 * makeCredential; -ENOMEM.
 */
_must_check_ int registration_response(const struct creation_options *o, struct bytes client_data,
                                       struct bytes body, json_t *credential, json_t **ret);
