/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/*
 * User presence, once for all commands. The question goes up first; whatever can be made ready
 * without knowing the answer is made while the person reads it; then comes the wait. A person takes
 * longer than any key device, so that after the yes almost nothing is left to do.
 */

#include "ctap/command.h"
#include "ctap/env.h"
#include "ctap/macro.h"
#include "ctap/status.h"

/* 0 or a negative errno. What it made ready belongs to its caller, whatever the answer is. */
typedef int ctap_prepare_fn(void *userdata);

/*
 * Asks, prepares (unless `prepare` is NULL), waits. The question is gone when this returns, also
 * when the preparation failed.
 */
_must_check_ int ctap_ask(struct ctap *c, const struct ctap_prompt *prompt,
                          ctap_prepare_fn *prepare, void *userdata, enum ctap_answer *ret);

/* The same for a prompt with `verify`: with a YES comes what was typed. */
_must_check_ int ctap_ask_for_pin(struct ctap *c, const struct ctap_prompt *prompt,
                                  ctap_prepare_fn *prepare, void *userdata, enum ctap_answer *ret,
                                  struct ctap_typed_pin *ret_pin);

/* What an answer means for a command that only goes on after a yes. */
_must_check_ enum ctap_status ctap_status_from_answer(enum ctap_answer answer,
                                                      enum ctap_status on_timeout);

/* Both of the above. CTAP_OK is a yes. */
_must_check_ enum ctap_status ctap_confirm(struct ctap *c, const struct ctap_prompt *prompt,
                                           ctap_prepare_fn *prepare, void *userdata,
                                           enum ctap_status on_timeout);

/*
 * What makeCredential and getAssertion need of the person: PIN or finger where verification is due
 * (MC11b, GA5), which then is done and is presence as well; nothing but the preparation where a token
 * shows that they are there; else a yes. `prepare` cannot count on a ticket while verification is due.
 *
 * With verified_presence a yes is given by PIN or finger too, unless the question is passive or a token
 * has verified them. The client did not ask for that, and gets what it would without: no uv bit, and
 * hmac-secret's key of an unverified person.
 */
_must_check_ enum ctap_status ctap_consent(struct ctap *c, const struct ctap_prompt *prompt,
                                           ctap_prepare_fn *prepare, void *userdata,
                                           struct ctap_verification *v);
