/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/*
 * Which RPs an administrator allows. A rule is an RP ID, or a part of some with a star in the place of
 * the rest: "*.example.com" is every RP ID that ends in ".example.com", "ssh:*" every one that begins
 * with "ssh:". What is denied is denied also where it is allowed.
 */

#include <stdbool.h>

#include "ctap/bytes.h"
#include "ctap/macro.h"

/* Rules with blanks between them. NULL or "": there is no such list. */
struct ctap_rp_rules {
        const char *allow; /* if there is a list, nothing else is */
        const char *deny;
};

/*
 * A rule that can mean what it says: lower case and ASCII, as browsers send RP IDs. A star stands for
 * whole names only: before a dot, or behind a colon or a slash.
 */
bool ctap_rp_rule_is_valid(struct bytes rule);
/* True if `rule` is about every RP ID that `what` is about, which is a rule or an RP ID itself. */
bool ctap_rp_rule_covers(struct bytes rule, struct bytes what);

bool ctap_rp_rules_allow(const struct ctap_rp_rules *rules, struct bytes rp_id);

/*
 * The same of the hash that is all that U2F knows of an RP. A rule with a star is about none: what only
 * that allows is not allowed. Where one denies, nobody can say; see the next.
 */
_must_check_ int ctap_rp_rules_allow_hash(const struct ctap_rp_rules *rules,
                                          const struct sha256 *rp_id_hash, bool *ret);
bool ctap_rp_rules_deny_by_star(const struct ctap_rp_rules *rules);

/* Takes the next of a list off its begin; empty: there is no more. */
struct bytes ctap_rp_rule_next(const char **list);
