/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/*
 * Two clients that send one authenticator random commands, mostly good ones, and compare each reply,
 * each question and each counter with what the model foretells. What they do follows from a seed. A
 * difference ends the test, and the last steps are shown.
 *
 * The authenticator is any that is reached through ctap.h. Its person, clock and rng are those of
 * tests/fake; keys and store are whoever's.
 */

#include <stdbool.h>
#include <stdint.h>

#include "tests/fake/client.h"
#include "tests/property/model.h"

enum { DRIVER_TOKENS = 4, DRIVER_IDS = 48, DRIVER_LOG = 40 };

/* What an encrypted member of getInfo said last. */
struct driver_told {
        bool known;
        uint8_t plain[16];
        uint64_t version; /* of what it tells, by the model */
};

/* What one of the clients knows. */
struct driver_client {
        struct client client;                 /* writes its requests, reads its replies */
        struct model_agreement agreements[3]; /* by protocol */
        struct platform platforms[3];
        struct platform walk;         /* that reads the answers of hmac-secret in its walk */
        unsigned site;                /* that it is busy with */
        struct model_u2f_request u2f; /* its last */
        uint8_t blobs[MODEL_BLOBS];   /* that it is writing */
        size_t n_blobs;
};

struct driver {
        struct model model;
        struct fake *fake; /* person, clock, rng, and maybe the rest */
        struct ctap_store *store;
        struct ctap *ctap;
        struct driver_client clients[MODEL_CHANNELS];

        /* The world of which the authenticator is part. */
        void (*settle)(void *userdata); /* after each command; may be NULL */
        /* Another process: sets ctap and store, plugged in. May be NULL. */
        void (*restart)(struct driver *d);
        void *userdata;
        bool can_restart_keys; /* by way of the fake */

        struct model_copy tokens[DRIVER_TOKENS]; /* newest first */
        unsigned n_tokens;
        struct model_copy persistent; /* the last that was given */
        struct driver_told identifier, state;
        struct model_id ids[DRIVER_IDS]; /* that were seen, many of them gone */
        unsigned n_ids;

        uint8_t site_hashes[MODEL_SITES][32];
        uint64_t random;
        unsigned step, n_steps;
        char log[DRIVER_LOG][512];
        char difference[512];
        bool done;
        unsigned seen[256]
                     [256]; /* statuses by command; of U2F words by instruction, from 0x80 on */
};

/* --seed N and --steps N, in place of what is there. */
void driver_read_arguments(int argc, char **argv, uint64_t *seed, unsigned *n_steps);
/* ctap and store are set by the caller: a plugged-in authenticator that knows nothing yet. */
void driver_init(struct driver *d, struct fake *f, unsigned offered, uint64_t seed);
void driver_run(struct driver *d, unsigned n_steps);
/* How often which command was answered with which status; the last steps, if they did not end well. */
void driver_tell(const struct driver *d);

/* ---- shared by its files ---- */

unsigned pick(struct driver *d, unsigned n); /* below n */
bool one_in(struct driver *d, unsigned n);
_printf_(2, 3) void say(struct driver *d, const char *format, ...);
_printf_(2, 3) void differ(struct driver *d, const char *format, ...) __attribute__((noreturn));
/* The status byte of the request that a client has written, or of another message. */
uint8_t driver_send(struct driver *d, struct driver_client *c);
uint8_t driver_send_bytes(struct driver *d, struct driver_client *c, struct bytes message);
void expect_status(struct driver *d, unsigned is, unsigned foretold);

/* Most often left out. */
enum maybe pick_option(struct driver *d, unsigned n);
/* Adds a member to a map in diagnostic notation. Callers keep the canonical order (B8). */
_printf_(2, 3) void add(char map[static 4096], const char *format, ...);
void add_option(struct driver *d, char map[static 4096], const char *name, enum maybe value);
const uint8_t *site_hash(const struct driver *d, unsigned site);
/* What the readers of replies take for it. */
void as_made(const struct passkey *p, struct made *ret);
/* F5: with presence it grows, without it stays. */
void expect_count(struct driver *d, struct passkey *p, uint32_t count, bool up);
unsigned channel_of(const struct driver *d, const struct driver_client *c);
unsigned pick_site(struct driver *d, struct driver_client *c);
struct model_id pick_id(struct driver *d, unsigned site);
void remember_id(struct driver *d, const struct model_id *id);
/* Most often a good one where one is needed. */
void pick_proof(struct driver *d, struct driver_client *c, unsigned permission, unsigned site,
                struct model_proof *ret);
/* One with the permission, for the site, if nothing goes wrong. */
void get_token(struct driver *d, struct driver_client *c, unsigned permissions, unsigned site);
void begin_request(struct driver_client *c, uint8_t command);
void put_proof(struct driver *d, struct driver_client *c, const struct model_proof *p,
               unsigned param_key, unsigned protocol_key, struct bytes message);
void agree(struct driver *d, struct driver_client *c, unsigned protocol);

void step_make_credential(struct driver *d, struct driver_client *c);
void step_get_assertion(struct driver *d, struct driver_client *c);
void step_get_next_assertion(struct driver *d, struct driver_client *c);
void step_client_pin(struct driver *d, struct driver_client *c);
void step_get_token(struct driver *d, struct driver_client *c);
void step_manage(struct driver *d, struct driver_client *c);
void step_manage_next(struct driver *d, struct driver_client *c);
void step_get_info(struct driver *d, struct driver_client *c);
void step_config(struct driver *d, struct driver_client *c);
void step_blobs(struct driver *d, struct driver_client *c);
void step_blobs_next(struct driver *d, struct driver_client *c);
void step_u2f(struct driver *d, struct driver_client *c);
