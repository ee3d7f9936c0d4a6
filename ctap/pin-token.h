/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/*
 * The pinUvAuthToken (CTAP 2.3 §6.5.2.1): what a platform got for a verified person, what it may be used
 * for, for which site, and until when. There is one at a time, of one protocol: issuing it ends any
 * other (CP30). With it goes the ticket by which the key device knows of the PIN,
 * unless it was a finger.
 */

#include <stdbool.h>
#include <stdint.h>

#include "ctap/bytes.h"
#include "ctap/env.h"
#include "ctap/macro.h"
#include "ctap/secret.h"

/* CP28 */
enum ctap_permission {
        CTAP_PERMISSION_MC = 0x01,
        CTAP_PERMISSION_GA = 0x02,
        CTAP_PERMISSION_CM = 0x04,
        CTAP_PERMISSION_BE = 0x08,
        CTAP_PERMISSION_LBW = 0x10,
        CTAP_PERMISSION_ACFG = 0x20,
        CTAP_PERMISSION_PCMR = 0x40,
};

/* CP32: until the first use, and altogether; and how long its owner is taken to be still there. */
#define CTAP_TOKEN_FIRST_USE_MS 30000
#define CTAP_TOKEN_SECONDS      600
#define CTAP_TOKEN_PRESENT_MS   30000

struct ctap_token {
        unsigned protocol; /* 0: there is none */
        struct secret32 value;
        struct ctap_ticket ticket; /* empty: it was given for a finger */
        uint8_t permissions;       /* enum ctap_permission */
        bool has_rp;
        struct sha256 rp_id_hash; /* the only site it is for, if has_rp */
        bool user_verified;
        bool user_present; /* to be set by who issued it: they were verified here, not at the client */
        bool was_used;
        uint64_t issued_ms;
};

void ctap_token_wipe(struct ctap_token *t);

/*
 * A new value in place of whatever there was; user_verified, not yet used. rp_id_hash: NULL if it is
 * for no site yet. The ticket is copied.
 */
_must_check_ int ctap_token_issue(struct ctap_token *t, struct ctap_rng *rng, unsigned protocol,
                                  uint8_t permissions, const struct sha256 *rp_id_hash,
                                  const struct ctap_ticket *ticket, uint64_t now_ms);

/*
 * True if `param` is this token's MAC over the message. It then counts as used. A token whose time
 * is over is wiped first.
 */
bool ctap_token_verify(struct ctap_token *t, int64_t protocol, struct bytes message,
                       struct bytes param, uint64_t now_ms);
/* True if it has the permission, and the user was verified. */
bool ctap_token_has(const struct ctap_token *t, enum ctap_permission permission);
/*
 * The same, and it is for this site. One that is for no site yet is for this one from now on.
 */
bool ctap_token_permits(struct ctap_token *t, enum ctap_permission permission,
                        const struct sha256 *rp_id_hash);
/* True if the person who got it need not be asked whether they are there (MC14, GA10). */
bool ctap_token_shows_presence(const struct ctap_token *t, uint64_t now_ms);
/* After a person said yes (MC14, GA10): nothing is left but the permission to write large blobs. */
void ctap_token_consume(struct ctap_token *t);
