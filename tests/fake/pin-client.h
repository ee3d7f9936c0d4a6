/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/*
 * authenticatorClientPIN from the client's side: requests that are good by default, for struct
 * client to change and send, and whole exchanges.
 */

#include <stdbool.h>
#include <stdint.h>

#include "tests/fake/client.h"
#include "tests/fake/platform.h"

enum pin_subcommand {
        PIN_GET_RETRIES = 0x01,
        PIN_GET_KEY = 0x02,
        PIN_SET = 0x03,
        PIN_CHANGE = 0x04,
        PIN_GET_TOKEN = 0x05,
        PIN_GET_TOKEN_BY_UV = 0x06,
        PIN_GET_UV_RETRIES = 0x07,
        PIN_GET_TOKEN_FOR = 0x09,
};

/* Begins a request of nothing but the subcommand and, if it is not 0, the protocol. */
void pin_begin(struct client *c, enum pin_subcommand sub, unsigned protocol);
/* A member of bytes that are not written in diagnostic notation. */
void pin_set_bytes(struct client *c, unsigned key, struct bytes value);

/* Fetches the authenticator's key: another agreement. */
void pin_agree(struct client *c, struct platform *p, unsigned protocol);

/* Requests under the agreement that there is; client_send() sends them. */
void pin_ask_to_set(struct client *c, const struct platform *p, const char *pin);
void pin_ask_to_change(struct client *c, const struct platform *p, const char *old,
                       const char *pin);
void pin_ask_for_token(struct client *c, const struct platform *p, const char *pin);
/* rp_id: NULL if it is for no site. */
void pin_ask_for_token_for(struct client *c, const struct platform *p, const char *pin,
                           unsigned permissions, const char *rp_id);
/* The person then types the PIN here. */
void pin_ask_for_token_by_uv(struct client *c, const struct platform *p, unsigned permissions,
                             const char *rp_id);
/* Changes of these: the plaintexts of newPinEnc and pinHashEnc, with a MAC that fits. */
void pin_set_new(struct client *c, const struct platform *p, struct bytes padded);
void pin_set_old(struct client *c, const struct platform *p, struct bytes hash);
/* A MAC that fits whatever newPinEnc and pinHashEnc are now. */
void pin_authenticate(struct client *c, const struct platform *p);

/* What the last reply told. */
unsigned pin_read_retries(struct client *c, bool *ret_power_cycle);
void pin_read_token(struct client *c, struct platform *p);

/* Whole exchanges, with a new agreement. They return the status byte. */
uint8_t pin_set(struct client *c, struct platform *p, unsigned protocol, const char *pin);
uint8_t pin_change(struct client *c, struct platform *p, unsigned protocol, const char *old,
                   const char *pin);
uint8_t pin_get_token(struct client *c, struct platform *p, unsigned protocol, const char *pin);
uint8_t pin_get_token_for(struct client *c, struct platform *p, unsigned protocol, const char *pin,
                          unsigned permissions, const char *rp_id);
uint8_t pin_get_token_by_uv(struct client *c, struct platform *p, unsigned protocol,
                            unsigned permissions, const char *rp_id);
unsigned pin_retries(struct client *c);
unsigned pin_uv_retries(struct client *c);

/* True if the authenticator takes what the platform signs with its token. */
bool pin_token_is_good(struct client *c, const struct platform *p);
