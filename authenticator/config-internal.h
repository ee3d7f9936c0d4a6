/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/*
 * What the files of config.h share, and nobody else includes: config-keys.c has the keys,
 * config-policy.c the values of [policy], config-check.c what must hold of all together, config.c the
 * files.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "authenticator/config.h"
#include "ctap/bytes.h"
#include "ctap/macro.h"

#define CONFIG_POLICY "policy"

struct config_key {
        const char *section, *name;
        /* 0, -EINVAL or -ENOMEM. */
        int (*parse)(const char *text, void *field);
        void (*print)(const void *field, FILE *to);
        size_t field; /* where in struct config it is */
        const char *initial;
        const char *takes; /* what a value looks like, for the error message */
        const char *help;
};

/* All of them, those of a section together. */
const struct config_key *config_keys(size_t *ret_n);
/* The one that is most like what somebody wrote. */
const struct config_key *config_key_nearest(const char *section, const char *name);
/* Its field is a struct config_list. */
bool config_key_is_list(const struct config_key *k);

/* ---- config-policy.c ---- */

int config_parse_rp_rules(const char *text, void *field);
int config_parse_locked(const char *text, void *field);
void config_print_list(const void *field, FILE *to);
int config_parse_enterprise(const char *text, void *field);
void config_print_enterprise(const void *field, FILE *to);
int config_parse_remote(const char *text, void *field);
void config_print_remote(const void *field, FILE *to);
int config_parse_reset(const char *text, void *field);
void config_print_reset(const void *field, FILE *to);

void config_list_done(struct config_list *list);
/* The words that were added last were said there. */
void config_list_note(struct config_list *list, const struct config_origin *from);
struct bytes config_list_word(const struct config_list *list, size_t i);

/* Where it was said that this key is locked; NULL: it is not. */
const struct config_origin *config_lock_of(const struct config *c, const struct config_key *k);

/* ---- config.c ---- */

/* "FILE:LINE: ", what is known of it, and nothing for a default. */
void config_print_origin(const struct config_origin *from, FILE *to);
