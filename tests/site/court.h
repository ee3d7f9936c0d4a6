/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* One answer before the site's checks: a key in software, what the site asked for, and what it knows. */

#include "examples/site/ceremony.h"
#include "tests/site/key.h"
#include "tests/site/test.h"

extern const uint8_t challenge[CHALLENGE_LEN];
extern const uint8_t handle[16];

struct world {
        struct key *key;
        struct asked asked;
        struct known_credential known;
        struct answer answer;
        struct ceremony ceremony;
        const char *member;
};

struct world *new_world(int64_t algorithm);
void free_world(struct world **w);

/* What the site says to the answer that is there. */
enum refusal judge(struct world *w);
/* And to one that is made so. */
enum refusal judge_registration(struct world *w, const struct form *f);
enum refusal judge_login(struct world *w, const struct form *f);

#define assert_refused(got, wanted) assert_string_equal(refusal_name(got), refusal_name(wanted))
