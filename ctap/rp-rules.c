/* SPDX-License-Identifier: BSD-2-Clause */

/* Rules about RPs: see rp-rules.h. Lists are short, and walked as they are. */

#include <string.h>

#include "ctap/crypto.h"
#include "ctap/rp-rules.h"

#define BLANKS " \t"

static bool is_in(uint8_t c, const char *set) {
        return c != '\0' && strchr(set, c);
}

static bool begins_with_star(struct bytes rule) {
        return rule.len > 1 && rule.data[0] == '*';
}

static bool ends_with_star(struct bytes rule) {
        return rule.len > 1 && rule.data[rule.len - 1] == '*';
}

bool ctap_rp_rule_is_valid(struct bytes rule) {
        struct bytes name = rule;

        if (begins_with_star(rule)) {
                name = BYTES(rule.data + 1, rule.len - 1);
                if (name.len < 2 || name.data[0] != '.')
                        return false;
        } else if (ends_with_star(rule)) {
                name = BYTES(rule.data, rule.len - 1);
                if (!is_in(name.data[name.len - 1], ":/"))
                        return false;
        }
        for (size_t i = 0; i < name.len; i++)
                if (!is_in(name.data[i], "abcdefghijklmnopqrstuvwxyz0123456789-_.:/"))
                        return false;
        return name.len > 0;
}

bool ctap_rp_rule_covers(struct bytes rule, struct bytes what) {
        const size_t n = rule.len > 0 ? rule.len - 1 : 0; /* without its star */

        if (begins_with_star(rule))
                return what.len >= n &&
                       bytes_equal(BYTES(rule.data + 1, n), BYTES(what.data + what.len - n, n));
        if (ends_with_star(rule))
                return what.len >= n && bytes_equal(BYTES(rule.data, n), BYTES(what.data, n));
        return bytes_equal(rule, what);
}

struct bytes ctap_rp_rule_next(const char **list) {
        const char *begin = *list + strspn(*list, BLANKS);
        const size_t n = strcspn(begin, BLANKS);

        *list = begin + n;
        return BYTES(begin, n);
}

static bool is_there(const char *list) {
        return list && ctap_rp_rule_next(&list).len > 0;
}

static bool covers(const char *list, struct bytes rp_id) {
        struct bytes rule;

        while (list && (rule = ctap_rp_rule_next(&list)).len > 0)
                if (ctap_rp_rule_covers(rule, rp_id))
                        return true;
        return false;
}

bool ctap_rp_rules_allow(const struct ctap_rp_rules *rules, struct bytes rp_id) {
        return (!is_there(rules->allow) || covers(rules->allow, rp_id)) &&
               !covers(rules->deny, rp_id);
}

static int has_hash(const char *list, const struct sha256 *rp_id_hash, bool *ret) {
        struct sha256 hash;
        struct bytes rule;
        bool has = false;
        int r = 0;

        while (r == 0 && !has && list && (rule = ctap_rp_rule_next(&list)).len > 0) {
                r = ctap_sha256(&rule, 1, &hash);
                has = r == 0 && bytes_equal(BYTES_OF(hash), BYTES_OF(*rp_id_hash));
        }
        *ret = has;
        return r;
}

int ctap_rp_rules_allow_hash(const struct ctap_rp_rules *rules, const struct sha256 *rp_id_hash,
                             bool *ret) {
        bool allowed, denied;
        int r;

        r = has_hash(rules->allow, rp_id_hash, &allowed);
        if (r == 0)
                r = has_hash(rules->deny, rp_id_hash, &denied);
        if (r < 0)
                return r;
        *ret = (allowed || !is_there(rules->allow)) && !denied;
        return 0;
}

bool ctap_rp_rules_deny_by_star(const struct ctap_rp_rules *rules) {
        return rules->deny && strchr(rules->deny, '*');
}
