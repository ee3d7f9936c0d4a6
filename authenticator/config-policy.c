/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * How the values of [policy] are read and written, and what locks mean: config-internal.h. A list is kept
 * as one text, with the place that each of its words was said at.
 */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "authenticator/config-internal.h"

/* ---- lists ---- */

#define BLANKS " \t"

void config_list_done(struct config_list *list) {
        free(list->text);
        free(list->from);
        *list = (struct config_list){ 0 };
}

static int empty(struct config_list *list) {
        char *none = strdup("");

        if (!none)
                return -ENOMEM;
        config_list_done(list);
        list->text = none;
        return 0;
}

/* A word of a text, which is gone over from word to word. */
static struct bytes next_word(const char **text) {
        return ctap_rp_rule_next(text);
}

static bool are_valid(const char *text, bool (*is_valid)(struct bytes word)) {
        struct bytes word;

        while ((word = next_word(&text)).len > 0)
                if (!is_valid(word))
                        return false;
        return true;
}

static int append(struct config_list *list, struct bytes word) {
        struct config_origin *from = reallocarray(list->from, list->n + 1, sizeof(*from));
        char *text;

        if (!from)
                return -ENOMEM;
        list->from = from;
        if (asprintf(&text, "%s%s%.*s", list->text, list->n > 0 ? " " : "", (int)word.len,
                     (const char *)word.data) < 0)
                return -ENOMEM;
        free(list->text);
        list->text = text;
        list->from[list->n++] = (struct config_origin){ 0 };
        return 0;
}

/* -EINVAL, or it is another one. */
static int parse_list(const char *text, struct config_list *list,
                      bool (*is_valid)(struct bytes word)) {
        struct bytes word;
        int r = 0;

        if (!are_valid(text, is_valid))
                return -EINVAL;
        if (text[strspn(text, BLANKS)] == '\0')
                return empty(list);
        while (r == 0 && (word = next_word(&text)).len > 0)
                r = append(list, word);
        return r;
}

void config_list_note(struct config_list *list, const struct config_origin *from) {
        for (size_t i = 0; i < list->n; i++)
                if (!list->from[i].path)
                        list->from[i] = *from;
}

struct bytes config_list_word(const struct config_list *list, size_t i) {
        const char *text = list->text;
        struct bytes word = next_word(&text);

        while (i-- > 0)
                word = next_word(&text);
        return word;
}

void config_print_list(const void *field, FILE *to) {
        const struct config_list *list = field;

        fputs(list->text, to);
}

int config_parse_rp_rules(const char *text, void *field) {
        return parse_list(text, field, ctap_rp_rule_is_valid);
}

/* ---- what is locked ---- */

#define ALL "all"

/* A key of [policy] by its name alone, any other as SECTION.KEY; or all of [policy]. */
static bool names_key(struct bytes word, const struct config_key *k) {
        char whole[128];

        snprintf(whole, sizeof(whole), "%s.%s", k->section, k->name);
        if (bytes_equal(word, BYTES_TEXT(whole)))
                return true;
        return strcmp(k->section, CONFIG_POLICY) == 0 &&
               (bytes_equal(word, BYTES_TEXT(k->name)) || bytes_equal(word, BYTES_TEXT(ALL)));
}

static bool is_lockable(struct bytes word) {
        size_t n;
        const struct config_key *keys = config_keys(&n);

        for (size_t i = 0; i < n; i++)
                if (names_key(word, &keys[i]))
                        return true;
        return false;
}

int config_parse_locked(const char *text, void *field) {
        return parse_list(text, field, is_lockable);
}

const struct config_origin *config_lock_of(const struct config *c, const struct config_key *k) {
        for (size_t i = 0; i < c->locked.n; i++)
                if (names_key(config_list_word(&c->locked, i), k))
                        return &c->locked.from[i];
        return NULL;
}

static bool locks_all(const struct config *c) {
        for (size_t i = 0; i < c->locked.n; i++)
                if (bytes_equal(config_list_word(&c->locked, i), BYTES_TEXT(ALL)))
                        return true;
        return false;
}

unsigned config_locks(const struct config *c) {
        static const struct {
                struct config_key key;
                unsigned lock;
        } locks[] = {
                { { .section = CONFIG_POLICY, .name = "enterprise-attestation" },
                  CTAP_LOCK_ENTERPRISE },
                { { .section = CONFIG_POLICY, .name = "always-uv" }, CTAP_LOCK_ALWAYS_UV },
                { { .section = CONFIG_POLICY, .name = "min-pin-length" },
                  CTAP_LOCK_MIN_PIN_LENGTH },
                { { .section = CONFIG_POLICY, .name = "pin-complexity" },
                  CTAP_LOCK_PIN_COMPLEXITY },
        };
        unsigned all = locks_all(c) ? CTAP_LOCK_ALL : 0;

        for (size_t i = 0; i < ELEMENTSOF(locks); i++)
                if (config_lock_of(c, &locks[i].key))
                        all |= locks[i].lock;
        return all;
}

/* ---- words ---- */

static int find_word(const char *const *words, size_t n, const char *text, unsigned *ret) {
        for (size_t i = 0; i < n; i++)
                if (strcmp(words[i], text) == 0) {
                        *ret = (unsigned)i;
                        return 0;
                }
        return -EINVAL;
}

static const char *const enterprise_words[_CTAP_ENTERPRISES] = {
        [CTAP_ENTERPRISE_CLIENT] = "client",
        [CTAP_ENTERPRISE_OFF] = "off",
        [CTAP_ENTERPRISE_LISTED] = "listed",
        [CTAP_ENTERPRISE_ON] = "on",
};

int config_parse_enterprise(const char *text, void *field) {
        unsigned i;
        int r = find_word(enterprise_words, _CTAP_ENTERPRISES, text, &i);

        if (r == 0)
                *(enum ctap_enterprise *)field = (enum ctap_enterprise)i;
        return r;
}

void config_print_enterprise(const void *field, FILE *to) {
        fputs(enterprise_words[*(const enum ctap_enterprise *)field], to);
}

static const char *const remote_words[_CONFIG_REMOTES] = {
        [CONFIG_REMOTE_QUIET] = "quiet",
        [CONFIG_REMOTE_DENY] = "deny",
};

int config_parse_remote(const char *text, void *field) {
        unsigned i;
        int r = find_word(remote_words, _CONFIG_REMOTES, text, &i);

        if (r == 0)
                *(enum config_remote *)field = (enum config_remote)i;
        return r;
}

void config_print_remote(const void *field, FILE *to) {
        fputs(remote_words[*(const enum config_remote *)field], to);
}

static const char *const reset_words[] = { "anyone", "administrator" };

int config_parse_reset(const char *text, void *field) {
        unsigned i;
        int r = find_word(reset_words, ELEMENTSOF(reset_words), text, &i);

        if (r == 0)
                *(bool *)field = i == 1;
        return r;
}

void config_print_reset(const void *field, FILE *to) {
        fputs(reset_words[*(const bool *)field], to);
}
