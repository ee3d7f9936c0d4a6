/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/*
 * A visitor of examples/site without its server, on a database in memory and with a clock of the test's, who has an
 * authenticator in software.
 */

#include "examples/site/site.h"
#include "tests/site/key.h"
#include "tests/site/test.h"

struct visit {
        struct site site;
        struct token token;
        int64_t now;
        struct key *key;
        json_t *last; /* the last reply */
};

int set_up(void **state);
int tear_down(void **state);

/* Takes the body over. What it was refused for, or "accepted". */
const char *call(struct visit *v, const char *path, json_t *body);
/* Begins, and gives the challenge. */
struct slice begin(struct visit *v, const char *path, json_t *body,
                   uint8_t challenge[static CHALLENGE_LEN]);

/* What a registration begins with. */
json_t *who(const char *name);
const char *register_key(struct visit *v, struct key *key, const char *name);
/* Without a name the login is for whoever has the passkey. */
json_t *make_login(struct visit *v, const char *name, uint32_t counter);
const char *sign_in(struct visit *v, const char *name, uint32_t counter);
/* One of those that the last reply had, or NULL. */
json_t *credential(const struct visit *v, size_t i);

#define with_visit(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
