/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/*
 * CTAP1/U2F raw messages (U2F Raw Message Formats 1.2, CTAP 2.3 §7). A message never waits for a
 * person: the first one puts up the question and is told 6985, the client asks again until there
 * is an answer. So what outlives a message is kept here: the question that is up, a yes that the
 * client has not come back for, and a no that it does not take for an answer.
 */

#include <stdbool.h>
#include <stdint.h>

#include "ctap/bytes.h"
#include "ctap/credential.h"
#include "ctap/env.h"
#include "ctap/rp-rules.h"

#define U2F_POLL_MS  3000  /* a client that has not asked again for so long has gone */
#define U2F_GRANT_MS 10000 /* how long a yes, and a no, hold for the request they were said to */

/* Something said of one request, until a time; 0: nothing. */
struct u2f_mark {
        struct sha256 request;
        uint64_t until_ms;
};

struct u2f {
        struct u2f_mark asking; /* the question that is up; until the client has gone */
        uint32_t channel;       /* who asks */
        struct u2f_mark granted;
        struct u2f_mark denied;
        uint64_t policy_told_until_ms; /* policy.h */
};

void u2f_init(struct u2f *u);

/* What is not done, whatever the person says. */
struct u2f_rules {
        bool off; /* nothing is made and nothing signed: U2F has no way to verify anybody (U11) */
        const struct ctap_rp_rules *rps;
};

/* Runs one message: APDU in, response APDU out. What the machine could not do becomes 6F00. */
void u2f_message(struct u2f *u, const struct ctap_env *env, const struct ctap_credential_keys *keys,
                 const struct u2f_rules *rules, uint32_t channel, struct bytes apdu,
                 struct buf *reply);

/* When u2f_expire() takes the question away; UINT64_MAX: there is none. */
uint64_t u2f_deadline(const struct u2f *u);
void u2f_expire(struct u2f *u, const struct ctap_env *env);
/* Takes the question away at once: another command needs the person, or the device goes. */
void u2f_withdraw(struct u2f *u, const struct ctap_env *env);
