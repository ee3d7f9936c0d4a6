/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/*
 * A client that talks to one authenticator in the fake world. A request is a set of members in
 * diagnostic notation, good by default, so that a test says only what is different about it. Every
 * reply is looked at: an error is one byte (B14), a body is canonical, no key stays loaded, no
 * question stays up. Signatures are verified with OpenSSL. What is not as it should be ends the
 * test.
 */

#include <stdbool.h>
#include <stdint.h>

#include "ctap/bytes.h"
#include "ctap/cbor.h"
#include "ctap/ctap.h"
#include "tests/fake/fake.h"
#include "tests/fake/platform.h"

#define CLIENT_MEMBERS    16
#define CLIENT_CHANNEL    0x01020304u
#define CLIENT_MESSAGE    1536
#define CLIENT_BLOBS      4096 /* the largest large-blob array */
#define CLIENT_RP         "example.com"
#define CLIENT_PIN        "1234"
#define CLIENT_PUBLIC_KEY "'type': 'public-key'"

/* Of every authenticator that it talks to. */
extern const uint8_t client_aaguid[16];

struct client {
        struct fake *fake;
        struct ctap *ctap;
        uint32_t channel;
        bool by_administrator; /* it sends by ctap_enrol() */
        uint8_t client_data_hash[32];
        struct platform platform;

        uint8_t command; /* of the request in the making */
        struct {
                uint8_t data[4096];
                size_t len; /* 0: left out */
        } members[CLIENT_MEMBERS];

        uint8_t reply[CTAP_REPLY_MAX];
        struct bytes body; /* of the last reply, behind the status byte */
        char hex[4][1024]; /* what client_hex() gave last */
        char hmac_input[2048];
        unsigned hex_turn;
};

/* A credential as makeCredential gave it. Slices borrow from the copy of the reply. */
struct made {
        uint8_t reply[CTAP_REPLY_MAX];
        struct bytes fmt, auth_data, id;
        uint8_t flags;
        uint32_t count;
        struct bytes extensions;     /* the map of outputs; empty if there is none */
        struct bytes large_blob_key; /* empty if the member is absent */
        bool enterprise;             /* epAtt, and the attester signed */
        int64_t alg;
        uint8_t x[48], y[48];
        size_t field; /* size of a coordinate; 0: it is an RSA key */
        uint8_t modulus[256];
};

/* An assertion. */
struct given {
        uint8_t reply[CTAP_REPLY_MAX];
        struct bytes id, auth_data;
        uint8_t flags;
        uint32_t count;
        struct bytes extensions, large_blob_key; /* likewise */
        bool has_user;
        struct bytes user_id, user_name, user_display_name;
        uint32_t n_user_members;
        uint32_t n_credentials; /* 0: the member is absent */
};

/* For cmocka: *state becomes a client of a new authenticator that has just been plugged in. */
#define client_unit_test(f) cmocka_unit_test_setup_teardown(f, client_setup, client_teardown)
int client_setup(void **state);
/* The same, under alwaysUv. */
#define always_uv_unit_test(f) \
        cmocka_unit_test_setup_teardown(f, client_setup_always_uv, client_teardown)
int client_setup_always_uv(void **state);
int client_teardown(void **state);

/* Begins a request that the authenticator will like. */
void client_make_credential(struct client *c);
void client_get_assertion(struct client *c);
/* One of a command with subcommands, without their parameters (member 2). */
void client_manage(struct client *c, uint8_t command, unsigned subcommand);
/* A fragment of large blobs; the first one needs the whole length too (member 4). */
void client_write_blobs(struct client *c, uint32_t offset, struct bytes fragment);
/* Changes, adds or takes away one of its members. */
_printf_(3, 4) void client_set(struct client *c, unsigned key, const char *format, ...);
void client_unset(struct client *c, unsigned key);

/* Sends the request, or another one. Returns the status byte. */
uint8_t client_send(struct client *c);
uint8_t client_call(struct client *c, uint8_t command, struct bytes params);
uint8_t client_message(struct client *c, struct bytes message);

/* Reads the last reply, which is one to makeCredential. Checks what is always so. */
void client_read_made(struct client *c, struct made *ret);
/* A COSE_Key of exactly kty, alg and what its type has (F7). Returns what follows it. */
struct bytes client_read_key(struct bytes from, struct made *ret);
/* Of getAssertion or getNextAssertion; verifies the signature with the key of `made`. */
void client_read_given(struct client *c, const struct made *made, struct given *ret);
/* The same of a silent assertion by a key that only the PIN would have made sign. */
void client_read_probe(struct client *c, const struct made *made, struct given *ret);

/* True if the signature is one by the key of `made`. */
bool client_is_signed(const struct made *made, struct bytes message, struct bytes signature);

/*
 * Makes a credential of CLIENT_RP for the user, with the PIN where that is demanded; the trace is
 * then empty, and the token, if there was one, as before.
 */
void client_register(struct client *c, bool discoverable, const char *user, struct made *ret);
/* The same through U2F_REGISTER; only id, key and alg of the result are set. */
void client_u2f_register(struct client *c, struct made *ret);
/* Names the credentials in a list member. */
void client_set_list(struct client *c, unsigned key, const struct made *made, size_t n_made);

/* The PIN, the key agreement and the token as authenticatorClientPIN leaves them behind. */
void client_set_pin(struct client *c);
void client_agree(struct client *c, unsigned protocol);
/* With a PIN, and an agreement, if there are none yet. `rp_id`: NULL for a token of no site. */
void client_get_token(struct client *c, unsigned protocol, uint8_t permissions, const char *rp_id);
/* Puts the pinUvAuthParam into the request, by the token that the client has. */
void client_authorize(struct client *c);
/* All of it, with a new token for the request and, if it is for one site, CLIENT_RP. */
void client_verify(struct client *c);

/* Reasons why a pinUvAuthParam does not count. */
enum client_flaw {
        CLIENT_FLAW_NO_TOKEN,
        CLIENT_FLAW_OTHER_VALUE,
        CLIENT_FLAW_SHORT,
        CLIENT_FLAW_OTHER_MESSAGE,
        CLIENT_FLAW_OTHER_PROTOCOL,
        CLIENT_FLAW_REPLACED,
        CLIENT_FLAW_OTHER_SITE,
        CLIENT_FLAW_NO_PERMISSION,
        CLIENT_FLAW_LATE,    /* not used for 30 seconds */
        CLIENT_FLAW_OLD,     /* of ten minutes ago */
        CLIENT_FLAW_RESTART, /* of the key device */
        CLIENT_FLAW_POWER_CYCLE,
        _CLIENT_FLAWS,
};
void client_verify_badly(struct client *c, enum client_flaw flaw);

/*
 * The input of hmac-secret, in diagnostic notation, for 32 bytes of salt or 64: under the agreement
 * that the client has. Good until the next call.
 */
const char *client_hmac_input(struct client *c, struct bytes salts);
/* The output of an extension of that name in a map of outputs, decrypted. */
void client_hmac_output(struct client *c, struct bytes extensions, const char *name,
                        struct buf *ret);

/*
 * Sends the request again and again; each time the next one of the calls that can fail does fail,
 * until none does. Every reply is a 7F, and every time the store is as it was (its counters may
 * have been raised, and what hmac-secret needs may have been made). Ends after the run that goes
 * well and returns the number of failures before it. `before_each` (or NULL) runs before each of them:
 * a token that was used up must be got anew.
 */
unsigned client_fail_everywhere(struct client *c);
unsigned client_fail_everywhere_after(struct client *c, void (*before_each)(struct client *c));

/* "0a0b" in one of four rooms, used in turn. */
const char *client_hex(struct client *c, struct bytes b);
