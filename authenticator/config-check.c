/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * What only makes sense together: a row of checks, each of which says where the line stands that cannot
 * be meant, and why.
 */

#include <errno.h>
#include <stdarg.h>
#include <string.h>

#include "authenticator/config-internal.h"

struct check {
        const struct config *config;
        FILE *errors;
        int result;
};

static void _printf_(3, 4)
        complain(struct check *c, const struct config_origin *from, const char *format, ...) {
        va_list ap;

        config_print_origin(from, c->errors);
        va_start(ap, format);
        vfprintf(c->errors, format, ap);
        va_end(ap);
        fputc('\n', c->errors);
        c->result = -EINVAL;
}

/* Where the key was last set that has this field. */
static const struct config_origin *origin(const struct config *c, size_t field) {
        size_t n, i = 0;
        const struct config_key *keys = config_keys(&n);

        while (keys[i].field != field)
                i++;
        return &c->origins[i];
}

#define ORIGIN(c, member) origin((c)->config, offsetof(struct config, member))

static void check_attestation(struct check *c) {
        const struct config *o = c->config;

        if (!*o->attestation_key != !*o->attestation_certificates)
                complain(c,
                         *o->attestation_key ? ORIGIN(c, attestation_key)
                                             : ORIGIN(c, attestation_certificates),
                         "[attestation] key, certificates: one is of no use without the other");
}

static void check_enterprise(struct check *c) {
        const struct config *o = c->config;

        if (o->enterprise == CTAP_ENTERPRISE_LISTED && !*o->attestation_rp_ids)
                complain(c, ORIGIN(c, enterprise),
                         "[policy] enterprise-attestation = listed needs [attestation] rp-ids: "
                         "no site is listed");
        /* The TPM's own key attests for them in any case. */
        if (o->enterprise == CTAP_ENTERPRISE_OFF && *o->attestation_key)
                complain(c, ORIGIN(c, enterprise),
                         "[policy] enterprise-attestation = off leaves nothing to do for "
                         "[attestation] key");
}

static void check_presence(struct check *c) {
        const struct config *o = c->config;

        if (o->presence == PRESENCE_TTY && o->count > 1)
                complain(c, ORIGIN(c, presence),
                         "[presence] presence = tty asks on one terminal, for one device: "
                         "set [device] count = 1");
        if (o->presence_verified && !o->presence_verify)
                complain(c, ORIGIN(c, presence_verified),
                         "[presence] require = verify needs verify = yes: where nobody is "
                         "asked for the PIN here, nothing could be used");
        if (*o->presence_pin_file && o->presence != PRESENCE_AUTO && o->presence != PRESENCE_SCRIPT)
                complain(c, ORIGIN(c, presence_pin_file),
                         "[presence] pin-file is for presence = auto and presence = script, "
                         "which answer in place of a person");
}

/* Only of those who have a device of their own is it known where they are. */
static void check_remote(struct check *c) {
        const struct config *o = c->config;

        if (o->remote == CONFIG_REMOTE_DENY && (o->presence != PRESENCE_AGENT || o->per_seat))
                complain(c, ORIGIN(c, remote),
                         "[policy] remote = deny needs [presence] presence = agent and [device] "
                         "access = owner: else a device is nobody's in particular");
}

/* The rule of rp-deny that is about all that this is about; -1: none is. */
static ssize_t denied_by(const struct config *o, struct bytes what) {
        for (size_t i = 0; i < o->rp_deny.n; i++)
                if (ctap_rp_rule_covers(config_list_word(&o->rp_deny, i), what))
                        return (ssize_t)i;
        return -1;
}

static void print_word(struct bytes word, FILE *to) {
        fprintf(to, "%.*s", (int)word.len, (const char *)word.data);
}

/* What is allowed and denied at once is denied: nobody writes that down to be without effect. */
static void check_rps(struct check *c) {
        const struct config *o = c->config;

        for (size_t i = 0; i < o->rp_allow.n; i++) {
                const struct bytes word = config_list_word(&o->rp_allow, i);
                const ssize_t rule = denied_by(o, word);

                if (rule < 0)
                        continue;
                complain(c, &o->rp_allow.from[i], "[policy] rp-allow: %.*s is denied by rp-deny",
                         (int)word.len, (const char *)word.data);
                config_print_origin(&o->rp_deny.from[rule], c->errors);
                fputs("[policy] rp-deny: ", c->errors);
                print_word(config_list_word(&o->rp_deny, (size_t)rule), c->errors);
                fputs(" is what denies it\n", c->errors);
        }
}

/* A site that is to be attested to, and may not have a passkey. */
static void check_attested_rps(struct check *c) {
        const struct ctap_rp_rules rules = { c->config->rp_allow.text, c->config->rp_deny.text };
        const char *left = c->config->attestation_rp_ids;
        struct bytes rp;

        while ((rp = ctap_rp_rule_next(&left)).len > 0)
                if (!ctap_rp_rules_allow(&rules, rp))
                        complain(c, ORIGIN(c, attestation_rp_ids),
                                 "[attestation] rp-ids: [policy] allows no passkeys of %.*s",
                                 (int)rp.len, (const char *)rp.data);
}

int config_check(const struct config *config, FILE *errors) {
        struct check c = { .config = config, .errors = errors };

        check_attestation(&c);
        check_enterprise(&c);
        check_presence(&c);
        check_remote(&c);
        check_rps(&c);
        check_attested_rps(&c);
        return c.result;
}
