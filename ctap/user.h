/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* The PublicKeyCredentialUserEntity of requests and replies: who a credential is for. */

#include <stdbool.h>

#include "ctap/cbor.h"
#include "ctap/credential.h"
#include "ctap/macro.h"
#include "ctap/status.h"

/* Names may be ABSENT (CM11). The icon is looked at no further (B19). */
struct ctap_user {
        struct cbor_value id, name, display_name, icon;
};

/* Errors as cbor_read_map() gives them. */
_must_check_ enum ctap_status ctap_read_user(const struct cbor_value *map, struct ctap_user *ret);

/* `named`: with the names, as they were stored. */
void ctap_put_user(struct cbor_writer *w, const struct ctap_record *record, bool named);
