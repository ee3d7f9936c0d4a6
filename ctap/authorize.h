/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/*
 * Who may run a command, and with which options: what makeCredential and getAssertion have in
 * common, and what the commands that manage have, written once. The authenticator is protected once
 * a PIN is set. Two ways lead to the uv bit: a pinUvAuthParam, which proves a token, and built-in
 * verification in the command itself.
 */

#include <stdbool.h>

#include "ctap/cbor.h"
#include "ctap/command.h"
#include "ctap/macro.h"
#include "ctap/pin-token.h"
#include "ctap/status.h"

/* The members of a request that bear on it. ABSENT where the client left them out. */
struct ctap_authorization {
        struct cbor_value param;    /* pinUvAuthParam, bytes */
        struct cbor_value protocol; /* pinUvAuthProtocol, integer */
        struct cbor_value rk, up, uv;
        bool built_in; /* built-in verification is to be done in this command */
};

/* Takes rk, up and uv out of `options`, which may be ABSENT. Others are ignored (B12). */
_must_check_ enum ctap_status ctap_read_options(const struct cbor_value *options,
                                                struct ctap_authorization *ret);

/*
 * The shape of the pinUvAuthParam. One of length zero is the old way of asking "is this the key you
 * mean?" (MC1, GA1): the person is asked, and the answer is an error whatever they say. `rp_id` is
 * what the person is told, and may be empty.
 */
_must_check_ enum ctap_status ctap_authorize(struct ctap *c, const struct ctap_authorization *a,
                                             struct bytes rp_id);

/*
 * The uv option as it counts: a pinUvAuthParam makes it false (MC5, GA3). CTAP2_ERR_INVALID_OPTION:
 * there is no built-in verification (MC5a).
 */
_must_check_ enum ctap_status ctap_authorize_uv(struct ctap *c, struct ctap_authorization *a);

/*
 * CTAP2_ERR_PUAT_REQUIRED: what is asked for is done after verification only (MC6, MC7, GA4), and
 * there is neither a pinUvAuthParam nor the uv option. `always`: nor is it done where no PIN is set;
 * but built-in verification, if there is one, is taken unasked.
 */
_must_check_ enum ctap_status ctap_demand_verification(struct ctap *c, struct ctap_authorization *a,
                                                       bool always);

/*
 * Is the pinUvAuthParam one over the client data hash, by a token that is still good, for this
 * permission and site (MC11, GA5)? Without protection, or without a pinUvAuthParam, nobody is
 * verified and nothing is wrong; built-in verification is then still due, if it is to be done.
 */
_must_check_ enum ctap_status ctap_verify(struct ctap *c, const struct ctap_authorization *a,
                                          struct bytes client_data_hash,
                                          enum ctap_permission permission,
                                          const struct sha256 *rp_id_hash,
                                          struct ctap_verification *ret);
void ctap_verification_wipe(struct ctap_verification *v);

/* ---- commands that manage: credentials, settings, large blobs ---- */

/* Without a pinUvAuthParam it is not done: */
enum ctap_demand {
        CTAP_DEMAND_ALWAYS,       /* ever (CM2) */
        CTAP_DEMAND_UNLESS_OPEN,  /* where a PIN is set, or alwaysUv is on (AC2, LB6) */
        CTAP_DEMAND_IF_PROTECTED, /* where a PIN is set */
};

struct ctap_management {
        enum ctap_demand demand;
        enum ctap_permission permission;
        bool persistent; /* the persistent token opens it as well (CM3) */
        /* CTAP_OK, or what is wrong with the other parameters: looked at after it was demanded. */
        enum ctap_status parameters;
        struct bytes message[2]; /* what it is a MAC over, one after the other */
};

/* What was allowed. A secret. */
struct ctap_grant {
        struct ctap_verification verification;
        bool has_rp; /* what is not of this RP is out of bounds (CP33) */
        struct sha256 rp_id_hash;
};

void ctap_grant_wipe(struct ctap_grant *g);

/*
 * Errors in this order: CTAP2_ERR_PUAT_REQUIRED, those of the parameters,
 * CTAP2_ERR_MISSING_PARAMETER and CTAP1_ERR_INVALID_PARAMETER for the protocol,
 * CTAP2_ERR_PIN_AUTH_INVALID. A token of no RP stays one. Nobody is verified where nothing is demanded.
 */
_must_check_ enum ctap_status ctap_authorize_management(struct ctap *c,
                                                        const struct ctap_authorization *a,
                                                        const struct ctap_management *m,
                                                        struct ctap_grant *ret);
