/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/*
 * Credential descriptors, and lists of them: allowList and excludeList. A list is first checked as a whole;
 * then the credential in it that is ours is looked for. An id of another authenticator, or of
 * another RP, is refused by its MAC, so that a list of sixty costs neither a query nor a command to
 * the key device (GA17).
 */

#include <stdbool.h>
#include <stdint.h>

#include "ctap/bytes.h"
#include "ctap/cbor.h"
#include "ctap/command.h"
#include "ctap/env.h"
#include "ctap/macro.h"
#include "ctap/status.h"

/* True for the only type of credential there is. */
bool ctap_is_public_key(const struct cbor_value *type);

struct ctap_descriptor {
        struct cbor_value id;
        struct cbor_value type;
        struct cbor_value transports; /* of texts; nothing is done about them */
};

/* Errors as cbor_read_map() gives them (B17). */
_must_check_ enum ctap_status ctap_read_descriptor(const struct cbor_value *item,
                                                   struct ctap_descriptor *ret);
/* Of one of ours: id and type only (GA13). */
void ctap_put_descriptor(struct cbor_writer *w, const struct ctap_credential_id *id);

/* The shape of every element (B17). The list may be ABSENT. */
_must_check_ enum ctap_status ctap_check_descriptors(const struct cbor_value *list);

/*
 * The next credential of a list that was made here for this RP, still exists, and whose credProtect is
 * at most `max_protect`; *left, the elements to begin with, moves behind it. -ENOENT: there is none.
 */
_must_check_ int ctap_next_listed(struct ctap *c, struct bytes *left,
                                  const struct sha256 *rp_id_hash, uint8_t max_protect,
                                  struct ctap_row *ret);

/*
 * The highest credProtect level that may show itself (D1): 3 to a verified user, 2 to who names the
 * credential, 1 to everybody.
 */
uint8_t ctap_max_protect(bool named, bool verified);
